#include "service/logs/store.h"

#include "base/test.h"

#include <stdio.h>

TEST(log_filter, terms_and_conditions)
{
    static const struct {
        const char *pattern, *message;
        bool want;
    } cases[] = {
        {"", "anything", true},
        {"ERROR", "an ERROR here", true},
        {"ERROR", "an error here", false},
        {"a b", "b then a", true},
        {"\"a b\"", "b then a", false},
        {"ERROR -retry", "ERROR, will retry", false},
        {"?ERROR ?WARN", "a WARN", true},
        {"?ERROR ?WARN", "an INFO", false},
        {"{ $.level = \"error\" }", "{\"level\":\"error\"}", true},
        {"{ $.level = \"error\" }", "level error", false},
        {"{ $.a >= 2 && $.a < 3 }", "{\"a\":2.5}", true},
        {"{ $.a = 1 || $.b = 1 && $.c = 1 }", "{\"a\":1,\"b\":1,\"c\":2}", true},
        {"{ ($.a = 1 || $.b = 1) && $.c = 1 }", "{\"a\":1,\"b\":1,\"c\":2}", false},
        {"{ $.x.y[1].z = ab* }", "{\"x\":{\"y\":[0,{\"z\":\"abc\"}]}}", true},
        {"{ $.a NOT EXISTS }", "{\"b\":1}", true},
        {"{ $.a IS NULL }", "{\"a\":null}", true},
        {"{ $.a IS TRUE }", "{\"a\":false}", false},
        {"{ $.a != b }", "{\"a\":\"c\"}", true},
    };
    ARENA(arena);
    Error err = {0};
    for (size_t i = 0; i < COUNT(cases); i++) {
        const LogFilter *filter = log_filter_parse(str_of(cases[i].pattern), &arena, &err);
        if (!filter) FAIL("%s: %s", cases[i].pattern, err.text);
        if (log_filter_matches(filter, str_of(cases[i].message)) != cases[i].want)
            FAIL("'%s' on '%s' is not %d", cases[i].pattern, cases[i].message, cases[i].want);
    }
}

TEST(log_filter, refusals)
{
    static const char *const bad[] = {
        "{ $.a = 1",      "{ $.a }", "{ a = 1 }", "{ ($.a = 1 }",        "{ $.a = 1) }",
        "{ $.a = 1 && }", "\"open",  "[a, b]",    "{ $.a = 1 $.b = 1 }", "-"};
    ARENA(arena);
    Error err = {0};
    for (size_t i = 0; i < COUNT(bad); i++)
        if (log_filter_parse(str_of(bad[i]), &arena, &err)) FAIL("'%s' was accepted", bad[i]);
}

static Call make_call(Server *server, Arena *arena, const char *in, Error *err)
{
    Call call = {.server = server,
                 .arena = arena,
                 .region = STR("us-east-1"),
                 .now = 1.7e9,
                 .out = json_new_object(arena)};
    CHECK_OK(json_parse(str_of(in), arena, &call.in, err), *err);
    return call;
}

static bool run(Call *call, const char *name, Error *err)
{
    const ServiceOperation *row = service_operation_find(&logs_service, str_of(name));
    CHECK(row != NULL);
    return row->handle(call, err);
}

static void open_server(Server *server, ServerOptions *options)
{
    static char path[512];
    Error err = {0};
    snprintf(path, sizeof path, "%s/clary.db", test_folder());
    *options = (ServerOptions){.account = "123456789012", .region = "us-east-1"};
    *server = (Server){.options = options};
    CHECK_OK(db_open(path, &server->db, &err), err);
    CHECK_OK(logs_open(server, &err), err);
}

TEST(logs, a_token_goes_on_where_the_last_answer_ended)
{
    ARENA(arena);
    Error err = {0};
    Server server;
    ServerOptions options;
    open_server(&server, &options);
    const LogLine lines[] = {
        {1000, STR_INIT("one")}, {1000, STR_INIT("two")}, {1500, STR_INIT("three")}};
    CHECK_OK(logs_append(&server, STR("us-east-1"), STR("/g"), STR("s"), lines, 2, &err), err);

    Call call = make_call(
        &server, &arena, "{\"logGroupName\":\"/g\",\"logStreamName\":\"s\",\"startFromHead\":true}",
        &err);
    CHECK_OK(run(&call, "GetLogEvents", &err), err);
    CHECK_INT(json_get(call.out, "events")->n, 2);
    CHECK_STR(json_path(call.out, "events.1.message")->text, STR("two"));
    Str token = json_get_text(call.out, "nextForwardToken");

    Str in = arena_format(
        &arena, "{\"logGroupName\":\"/g\",\"logStreamName\":\"s\",\"nextToken\":\"%.*s\"}",
        STR_ARG(token));
    call = make_call(&server, &arena, in.ptr, &err);
    CHECK_OK(run(&call, "GetLogEvents", &err), err);
    CHECK_INT(json_get(call.out, "events")->n, 0);
    CHECK_STR(json_get_text(call.out, "nextForwardToken"), token);

    CHECK_OK(logs_append(&server, STR("us-east-1"), STR("/g"), STR("s"), lines + 2, 1, &err), err);
    call = make_call(&server, &arena, in.ptr, &err);
    CHECK_OK(run(&call, "GetLogEvents", &err), err);
    CHECK_INT(json_get(call.out, "events")->n, 1);
    CHECK_STR(json_path(call.out, "events.0.message")->text, STR("three"));

    Str tail;
    CHECK_OK(logs_tail(&server, STR("us-east-1"), STR("/g"), STR("s"), 2, &arena, &tail, &err),
             err);
    CHECK_STR(tail, STR("two\nthree"));
    db_close(server.db);
}

TEST(logs, pages_of_a_search)
{
    ARENA(arena);
    Error err = {0};
    Server server;
    ServerOptions options;
    open_server(&server, &options);
    for (int i = 0; i < 10; i++) {
        char text[32], stream[8];
        snprintf(text, sizeof text, "%s %d", i % 2 ? "odd" : "even", i);
        snprintf(stream, sizeof stream, "s%d", i % 3);
        LogLine line = {1000 + i / 2, str_of(text)};
        CHECK_OK(logs_append(&server, STR("us-east-1"), STR("/g"), str_of(stream), &line, 1, &err),
                 err);
    }
    Str token = {0};
    int n = 0;
    do {
        Str in = arena_format(
            &arena, "{\"logGroupName\":\"/g\",\"filterPattern\":\"odd\",\"limit\":2%s%.*s%s}",
            token.ptr ? ",\"nextToken\":\"" : "", STR_ARG(token), token.ptr ? "\"" : "");
        Call call = make_call(&server, &arena, in.ptr, &err);
        CHECK_OK(run(&call, "FilterLogEvents", &err), err);
        n += (int)json_get(call.out, "events")->n;
        token = json_get_text(call.out, "nextToken");
    } while (token.ptr);
    CHECK_INT(n, 5);

    Call call = make_call(&server, &arena, "{\"logGroupName\":\"/none\"}", &err);
    CHECK(!run(&call, "FilterLogEvents", &err));
    CHECK_STR(str_of(call.code), STR("ResourceNotFoundException"));
    call = make_call(&server, &arena,
                     "{\"logGroupName\":\"/g\",\"logStreamNamePrefix\":\"s\",\"limit\":2}", &err);
    CHECK_OK(run(&call, "DescribeLogStreams", &err), err);
    CHECK_INT(json_get(call.out, "logStreams")->n, 2);
    CHECK(json_get_text(call.out, "nextToken").ptr);
    call = make_call(&server, &arena,
                     "{\"logGroupName\":\"/g\",\"logStreamNamePrefix\":\"s\",\"limit\":3}", &err);
    CHECK_OK(run(&call, "DescribeLogStreams", &err), err);
    CHECK(!json_get_text(call.out, "nextToken").ptr);
    db_close(server.db);
}
