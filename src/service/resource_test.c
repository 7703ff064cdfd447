#include "service/resource.h"

#include "base/clock.h"
#include "base/test.h"
#include "service/sagemaker/sagemaker.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const ServerOptions options = {.account = "123456789012", .region = "us-east-1"};

static Server *open_server(const char *folder, bool empty)
{
    static Server server;
    static char path[512];
    Error err = {0};
    snprintf(path, sizeof path, "%s/clary.db", folder);
    const char *named = getenv("CLARY_TEST_DATABASE");
    server = (Server){.options = &options};
    CHECK_OK(db_open_with(named ? named : path, false, &server.db, &err), err);
    CHECK_OK(resources_open(&server, &err), err);
    if (empty) CHECK_OK(db_empty(server.db, &err), err);
    return &server;
}

static void close_server(Server *server)
{
    resources_close(server);
    db_close(server->db);
}

/* An operation as the dispatcher would call it: the request as JSON text.  False: err and call->code. */
static bool ask(Server *server, Arena *arena, const char *operation, const char *request,
                Call *ret_call, Error *err)
{
    Call call = {
        .server = server,
        .arena = arena,
        .out = json_new_object(arena),
        .region = STR("us-east-1"),
        .now = clock_wall(),
    };
    Error wrong = {0};
    call.route.service = service_shape_find(STR("sagemaker"));
    call.route.operation = operation_shape_find(call.route.service, str_of(operation));
    call.operation = service_operation_find(&sagemaker_service, str_of(operation));
    CHECK(call.operation);
    CHECK_OK(json_parse(str_of(request), arena, &call.in, &wrong), wrong);
    *err = (Error){0};
    bool ok = call.operation->handle(&call, err);
    *ret_call = call;
    return ok;
}

#define IMAGE "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
#define MODEL(name)                                                                                \
    "{\"ModelName\":\"" name "\",\"PrimaryContainer\":{\"Image\":\"" IMAGE                         \
    "\",\"ModelDataUrl\":\"s3://b/m.tar.gz\"},\"Tags\":[{\"Key\":\"a\",\"Value\":\"1\"}]}"

TEST(resource, a_model_lives)
{
    ARENA(arena);
    Error err = {0};
    Call call;
    Server *server = open_server(test_folder(), true);
    CHECK_OK(ask(server, &arena, "CreateModel", MODEL("My-Model"), &call, &err), err);
    Str arn = STR("arn:aws:sagemaker:us-east-1:123456789012:model/my-model");
    CHECK_STR(json_get_text(call.out, "ModelArn"), arn);

    /* The same in another case is taken. */
    CHECK(!ask(server, &arena, "CreateModel", MODEL("my-MODEL"), &call, &err));
    CHECK_STR(str_of(call.code), STR("ValidationException"));
    CHECK_STR(str_of(err.text),
              STR("Cannot create already existing model "
                  "\"arn:aws:sagemaker:us-east-1:123456789012:model/my-model\"."));

    CHECK_OK(ask(server, &arena, "DescribeModel", "{\"ModelName\":\"My-Model\"}", &call, &err),
             err);
    CHECK_STR(json_get_text(call.out, "ModelName"), STR("My-Model"));
    CHECK_STR(json_path(call.out, "PrimaryContainer.Image")->text, STR(IMAGE));
    CHECK(!json_get(call.out, "Tags") && !json_get(call.out, "VpcConfig"));
    CHECK(json_get_double(call.out, "CreationTime", 0) > 1e9);

    Json *tags;
    CHECK_OK(resource_tags_get(server, arn, &arena, &tags, &err), err);
    CHECK_STR(json_text(&arena, tags), STR("[{\"Key\":\"a\",\"Value\":\"1\"}]"));

    /* All of it is there after a restart. */
    close_server(server);
    server = open_server(test_folder(), false);
    Resource model;
    CHECK_OK(resource_load_arn(server, arn, &arena, &model, &err), err);
    CHECK(model.document && model.kind == &model_kind);

    CHECK_OK(ask(server, &arena, "DeleteModel", "{\"ModelName\":\"My-Model\"}", &call, &err), err);
    CHECK(!ask(server, &arena, "DescribeModel", "{\"ModelName\":\"My-Model\"}", &call, &err));
    CHECK_STR(
        str_of(err.text),
        STR("Could not find model \"arn:aws:sagemaker:us-east-1:123456789012:model/my-model\"."));
    CHECK_OK(resource_tags_get(server, arn, &arena, &tags, &err), err);
    CHECK_INT(tags->n, 0);
    close_server(server);
}

TEST(resource, refusals_of_tags_and_images)
{
    static const struct {
        const char *request, *want;
    } cases[] = {
        {"{\"ModelName\":\"a\",\"Tags\":[{\"Key\":\"AWS:x\",\"Value\":\"\"}]}",
         "Tag keys that begin with 'aws:' are reserved: 'AWS:x'"},
        {"{\"ModelName\":\"a\",\"Tags\":[{\"Key\":\"x\",\"Value\":\"\"},{\"Key\":\"x\",\"Value\":\"\"}]}",
         "Duplicate tag key found: 'x'"},
        {"{\"ModelName\":\"a\"}", "Either PrimaryContainer or Containers must be specified"},
    };
    Server *server = open_server(test_folder(), true);
    for (size_t i = 0; i < COUNT(cases); i++) {
        ARENA(arena);
        Error err = {0};
        Call call;
        CHECK(!ask(server, &arena, "CreateModel", cases[i].request, &call, &err));
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
        CHECK_STR(str_of(call.code), STR("ValidationException"));
    }
    close_server(server);
}

/* Many rows without the engine, which would sync each. */
typedef struct Many {
    int n;
    double now;
} Many;

static bool insert_many(void *arg, DbTx *tx, Error *err)
{
    static const char *const states[] = {"Completed", "Failed", "InProgress", "Stopped"};
    const Many *many = arg;
    for (int i = 0; i < many->n; i++) {
        char key[64], arn[128];
        unsigned scattered = (unsigned)i * 7919u % (unsigned)many->n;
        int n = snprintf(key, sizeof key, "model-%06u", scattered);
        snprintf(arn, sizeof arn, "arn:aws:sagemaker:us-east-1:123456789012:model/%s", key);
        Str name = {key, (size_t)n};
        if (!db_run(
                tx, err,
                "INSERT INTO resource (kind, region, key, name, arn, state, created, modified, version) VALUES "
                "('model', 'us-east-1', ?, ?, ?, ?, ?, ?, 1)",
                "ttttdd", name, name, str_of(arn), str_of(states[i % 4]),
                many->now + floor((double)i / 3), many->now + (double)scattered) ||
            !db_run(
                tx, err,
                "INSERT INTO resource_document (kind, region, key, document) VALUES ('model', 'us-east-1', ?, "
                "'{\"ModelName\":\"x\"}')",
                "t", name))
            return false;
    }
    return true;
}

/* Every order and direction: all pages together are each line once, in order. */
TEST(resource, pages_are_complete_and_in_order)
{
    Server *server = open_server(test_folder(), true);
    Error err = {0};
    Many many = {500, 1.7e9};
    CHECK_OK(db_write(server->db, insert_many, &many, &err), err);
    static const char *const orders[] = {"Name", "CreationTime", "LastModifiedTime", "Status"};
    static const char *const filters[] = {
        "", ",\"NameContains\":\"L-0001\"", ",\"StatusEquals\":\"Failed\"",
        ",\"CreationTimeAfter\":1700000050,\"CreationTimeBefore\":1700000101",
        ",\"LastModifiedTimeAfter\":1700000050.5,\"LastModifiedTimeBefore\":1700000100"};
    static const size_t wants[] = {500, 100, 125, 150, 49};
    for (size_t o = 0; o < COUNT(orders); o++)
        for (int descending = 0; descending < 2; descending++)
            for (size_t f = 0; f < COUNT(filters); f++) {
                ARENA(arena);
                Str token = {0}, last = {0};
                size_t n = 0;
                do {
                    Call call;
                    Str request = arena_format(
                        &arena,
                        "{\"SortBy\":\"%s\",\"SortOrder\":\"%s\",\"MaxResults\":7%s%s%.*s%s}",
                        orders[o], descending ? "Descending" : "Ascending", filters[f],
                        token.ptr ? ",\"NextToken\":\"" : "", STR_ARG(token),
                        token.ptr ? "\"" : "");
                    CHECK_OK(ask(server, &arena, "ListModels", request.ptr, &call, &err), err);
                    const Json *lines = json_get(call.out, "Models");
                    CHECK(lines && lines->n <= 7);
                    for (size_t i = 0; i < lines->n; i++) {
                        Str arn = json_get_text(json_at(lines, i), "ModelArn");
                        if (o == 0 && last.ptr)
                            CHECK(descending ? str_compare(last, arn) > 0
                                             : str_compare(last, arn) < 0);
                        last = arn;
                    }
                    n += lines->n;
                    token = json_get_text(call.out, "NextToken");
                } while (token.ptr && n <= 500);
                if (n != wants[f])
                    FAIL("%s %d%s: %zu lines, not %zu", orders[o], descending, filters[f], n,
                         wants[f]);
            }
    ARENA(arena);
    Call call;
    CHECK(!ask(server, &arena, "ListModels", "{\"NextToken\":\"bm9uc2Vuc2U=\"}", &call, &err));
    CHECK_STR(str_of(err.text), STR("Invalid pagination token."));
    close_server(server);
}

TEST(resource, waiters_are_known_by_their_user_agent)
{
    CHECK(
        resource_is_waiter(STR("Boto3/1.43.11 md/Botocore#1.43.11 ua/2.1 os/linux m/N,B,D cfg/x")));
    CHECK(resource_is_waiter(STR("aws-cli/1.45.11 md/Botocore#1.43.11 m/B")));
    CHECK(!resource_is_waiter(STR("Boto3/1.43.11 m/N,Bx,D")));
    CHECK(!resource_is_waiter(STR("Boto3/1.26 Python/3.11 B")));
    CHECK(!resource_is_waiter((Str){0}));
}
