/* Who calls and what they may, without HTTP; the master key and the first key on the disk; the audit chain. */

#include "aws/digest.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/test.h"
#include "service/cloudtrail/audit.h"
#include "service/iam/iam.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

static ServerOptions options;
static Server server;
static char home[512], path[600];

static void open_server(void)
{
    Error err = {0};
    server = (Server){.options = &options};
    CHECK_OK(db_open(path, &server.db, &err), err);
    CHECK_OK(iam_open(&server, &err), err);
    CHECK_OK(audit_open(&server, &err), err);
}

static void close_server(void)
{
    audit_close(&server);
    iam_close(&server);
    db_close(server.db);
}

static void new_server(void)
{
    static int n_homes;
    Error err = {0};
    snprintf(home, sizeof home, "%s/%d", test_folder(), n_homes++);
    CHECK_OK(folder_make(home, &err), err);
    snprintf(path, sizeof path, "%s/clary.db", home);
    options = (ServerOptions){
        .home = home, .host = "127.0.0.1", .account = "123456789012", .region = "us-east-1"};
    open_server();
}

typedef struct Keys {
    Str access_key, secret, token;
} Keys;

/* An operation as the dispatcher would call it, by the first key. */
static bool ask(Arena *arena, const char *service, const char *operation, const char *request,
                Call *ret_call, Error *err)
{
    Call call = {.server = &server,
                 .arena = arena,
                 .out = json_new_object(arena),
                 .region = STR("us-east-1"),
                 .request_id = STR("id"),
                 .now = clock_wall(),
                 .caller = {.type = CALLER_ROOT,
                            .account = STR("123456789012"),
                            .arn = server.iam->root.arn,
                            .access_key = server.iam->root.access_key,
                            .role_arn = server.iam->root.role_arn,
                            .user_id = STR("AROA:clary"),
                            .name = STR("clary")}};
    Error wrong = {0};
    AUTO_STRBUF StrBuf text = STRBUF(16 << 10);
    for (const char *p = request; *p; p++) strbuf_add_char(&text, *p == '\'' ? '"' : *p);
    call.route.service = service_shape_find(str_of(service));
    call.route.operation = operation_shape_find(call.route.service, str_of(operation));
    call.route.name = str_of(operation);
    call.operation = service_operation_find(strcmp(service, "sts") ? &iam_service : &sts_service,
                                            str_of(operation));
    CHECK(call.operation);
    CHECK_OK(json_parse(arena_str(arena, strbuf_str(&text)), arena, &call.in, &wrong), wrong);
    *err = (Error){0};
    audit_begin(&call);
    bool ok = call.operation->handle(&call, err);
    audit_record(&call, ok ? NULL : err);
    *ret_call = call;
    return ok;
}

static void must(Arena *arena, const char *service, const char *operation, const char *request,
                 Call *ret_call)
{
    Error err;
    if (!ask(arena, service, operation, request, ret_call, &err))
        FAIL("%s: %s: %s", operation, ret_call->code, err.text);
}

static Keys first_key(void)
{
    return (Keys){server.iam->root.access_key, server.iam->root.secret, {0}};
}

static Keys keys_of(const Json *json, const char *secret)
{
    return (Keys){json_get_text(json, "AccessKeyId"), json_get_text(json, secret),
                  json_get_text(json, "SessionToken")};
}

/* A request signed with those keys, now; the caller on success, else the code. */
static bool call_with(Arena *arena, Keys keys, const char *service, Caller *ret_caller,
                      const char **ret_code)
{
    char date[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &utc);
    char empty[65];
    digest_sha256_hex((Str){0}, empty);
    Str authorization = signature_sign(arena, STR("GET"), STR("/"), STR("h"), date, str_of(empty),
                                       keys.access_key, keys.secret, keys.token, STR("us-east-1"),
                                       str_of(service), (Str){0});
    Str token = keys.token.len
                    ? arena_format(arena, "X-Amz-Security-Token: %.*s\r\n", STR_ARG(keys.token))
                    : STR("");
    Str head = arena_format(arena,
                            "GET / HTTP/1.1\r\nHost: h\r\nX-Amz-Date: %s\r\n%.*s"
                            "X-Amz-Content-SHA256: %s\r\nAuthorization: %.*s\r\n\r\n",
                            date, STR_ARG(token), empty, STR_ARG(authorization));
    HttpRequest request;
    HttpLimits limits = http_limits;
    Signature signature;
    SigningKey key;
    Error err = {0};
    http_request_init(&request, head.ptr);
    CHECK_INT(http_request_parse(&request, head.len, &limits), HTTP_DONE);
    CHECK_OK(signature_parse(&request, arena, &signature, ret_code, &err), err);
    return access_authenticate(&server, &request, &signature, str_of(empty), arena, ret_caller,
                               &key, ret_code, &err);
}

static bool may(const Caller *caller, const char *action, const char *resource)
{
    return access_permitted(&server, caller, str_of(action), str_of(resource), NULL, 0, (Str){0});
}

TEST(access, the_first_key)
{
    ARENA(arena);
    Caller caller;
    const char *code;
    new_server();
    CHECK(call_with(&arena, first_key(), "s3", &caller, &code));
    CHECK_INT(caller.type, CALLER_ROOT);
    CHECK_STR(caller.arn, STR("arn:aws:sts::123456789012:assumed-role/clary/clary"));
    CHECK_STR(caller.role_arn, STR("arn:aws:iam::123456789012:role/clary"));
    CHECK(may(&caller, "any:Thing", "*"));
    Keys wrong = first_key();
    wrong.secret = STR("x");
    CHECK(!call_with(&arena, wrong, "s3", &caller, &code));
    CHECK_STR(str_of(code), STR("SignatureDoesNotMatch"));
    CHECK_INT(caller.type, CALLER_ANONYMOUS);
    wrong.access_key = STR("AKIANOBODY"); /* rule A6: the same words */
    CHECK(!call_with(&arena, wrong, "s3", &caller, &code));
    CHECK_STR(str_of(code), STR("SignatureDoesNotMatch"));
    wrong = first_key();
    wrong.token = STR("stray");
    CHECK(!call_with(&arena, wrong, "s3", &caller, &code));
    CHECK_STR(str_of(code), STR("InvalidToken"));
    CHECK(!call_with(&arena, wrong, "sagemaker", &caller, &code));
    CHECK_STR(str_of(code), STR("UnrecognizedClientException"));

    /* It is the same after a start, and nothing secret lies in the database. */
    Str key = arena_str(&arena, first_key().access_key),
        secret = arena_str(&arena, first_key().secret);
    close_server();
    open_server();
    CHECK_STR(first_key().access_key, key);
    CHECK_STR(first_key().secret, secret);
    struct stat st;
    CHECK(stat(path_join(&arena, home, "credentials"), &st) == 0 && (st.st_mode & 0777) == 0600);
    CHECK(stat(path_join(&arena, home, "master.key"), &st) == 0 && (st.st_mode & 0777) == 0600);

    /* Another pair given by the options takes its place. */
    close_server();
    options.access_key = "GIVEN";
    options.secret_key = "given secret";
    open_server();
    CHECK_STR(first_key().access_key, STR("GIVEN"));
    CHECK(call_with(&arena, first_key(), "s3", &caller, &code));
    CHECK(!call_with(&arena, (Keys){key, secret, {0}}, "s3", &caller, &code));
    close_server();
}

TEST(access, homes_that_are_refused)
{
    ARENA(arena);
    Error err = {0};
    new_server();
    close_server();
    const char *master = path_join(&arena, home, "master.key"),
               *credentials = path_join(&arena, home, "credentials");
    CHECK(chmod(master, 0644) == 0);
    server = (Server){.options = &options};
    CHECK_OK(db_open(path, &server.db, &err), err);
    CHECK(!iam_open(&server, &err));
    CHECK_INT(err.kind, ERROR_DENIED);
    CHECK(chmod(master, 0600) == 0);
    CHECK_OK(file_commit(credentials, STR("[other]\naws_access_key_id = a\n"), &err), err);
    CHECK(!iam_open(&server, &err));
    CHECK_INT(err.kind, ERROR_INVALID);
    CHECK_OK(file_commit(master, STR("00"), &err), err);
    CHECK(chmod(master, 0600) == 0);
    CHECK(!iam_open(&server, &err));
    CHECK_INT(err.kind, ERROR_INVALID);
    CHECK(!server.iam);
    db_close(server.db);
}

#define DOCUMENT(action, resource)                                                                                    \
    "{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Action\\\":\\\"" action \
    "\\\",\\\"Resource\\\":\\\"" resource "\\\"}]}"
#define TRUST(who)                                                                                                \
    "{\\\"Version\\\":\\\"2012-10-17\\\",\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Principal\\\":" who \
    ",\\\"Action\\\":[\\\"sts:AssumeRole\\\",\\\"sts:TagSession\\\"]}]}"

TEST(access, users_and_their_keys)
{
    ARENA(arena);
    Caller caller;
    Call call;
    Error err;
    const char *code;
    new_server();
    must(&arena, "iam", "CreateUser", "{'UserName':'ann'}", &call);
    must(&arena, "iam", "PutUserPolicy",
         "{'UserName':'ann','PolicyName':'p','PolicyDocument':'" DOCUMENT(
             "s3:Get*", "arn:aws:s3:::${aws:username}/*") "'}",
         &call);
    must(&arena, "iam", "CreateAccessKey", "{'UserName':'ANN'}", &call);
    Keys keys = keys_of(json_get(call.out, "AccessKey"), "SecretAccessKey");
    CHECK(call_with(&arena, keys, "s3", &caller, &code));
    CHECK_INT(caller.type, CALLER_USER);
    CHECK_STR(caller.arn, STR("arn:aws:iam::123456789012:user/ann"));
    CHECK(may(&caller, "s3:GetObject", "arn:aws:s3:::ann/k"));
    CHECK(!may(&caller, "s3:GetObject", "arn:aws:s3:::bob/k"));
    CHECK(!may(&caller, "s3:PutObject", "arn:aws:s3:::ann/k"));
    CHECK(may(&caller, "sts:GetCallerIdentity", "*"));

    /* A resource policy grants beside them, and takes away from all. */
    Str grant = STR(
        "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::123456789012:user/"
        "ann\"},\"Action\":\"s3:PutObject\",\"Resource\":\"*\"}}");
    Str deny = STR(
        "{\"Statement\":{\"Effect\":\"Deny\",\"Principal\":\"*\",\"Action\":\"s3:*\",\"Resource\":\"*\"}}");
    CHECK(access_permitted(&server, &caller, STR("s3:PutObject"), STR("arn:aws:s3:::x/k"), NULL, 0,
                           grant));
    CHECK(!access_permitted(&server, &caller, STR("s3:GetObject"), STR("arn:aws:s3:::ann/k"), NULL,
                            0, deny));
    CHECK(!access_permitted(&server, &caller, STR("s3:GetObject"), STR("arn:aws:s3:::ann/k"), NULL,
                            0, STR("{")));
    Caller nobody = {.type = CALLER_ANONYMOUS}, root;
    CHECK(!may(&nobody, "s3:GetObject", "*") && !may(&nobody, "sts:GetCallerIdentity", "*"));
    CHECK(!access_permitted(&server, &nobody, STR("s3:PutObject"), STR("*"), NULL, 0, grant));
    CHECK(access_permitted(
        &server, &nobody, STR("s3:GetObject"), STR("*"), NULL, 0,
        STR("{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"s3:*\","
            "\"Resource\":\"*\"}}")));
    CHECK(call_with(&arena, first_key(), "s3", &root, &code));
    CHECK(!access_permitted(&server, &root, STR("s3:GetObject"), STR("*"), NULL, 0, deny));
    CHECK(access_permitted(&server, &root, STR("s3:DeleteBucketPolicy"), STR("*"), NULL, 0, deny));
    CHECK(access_check_policy(deny, &err) && !access_check_policy(STR("{}"), &err));

    /* What was permitted ends with the policy, and with the key, at once. */
    must(&arena, "iam", "DeleteUserPolicy", "{'UserName':'ann','PolicyName':'p'}", &call);
    CHECK(!may(&caller, "s3:GetObject", "arn:aws:s3:::ann/k"));
    must(&arena, "iam", "AttachUserPolicy",
         "{'UserName':'ann','PolicyArn':'arn:aws:iam::aws:policy/AdministratorAccess'}", &call);
    CHECK(may(&caller, "any:Thing", "*"));
    must(&arena, "iam", "DeleteAccessKey",
         arena_format(&arena, "{'UserName':'ann','AccessKeyId':'%.*s'}", STR_ARG(keys.access_key))
             .ptr,
         &call);
    CHECK(!may(&caller, "any:Thing", "*"));
    CHECK(!call_with(&arena, keys, "s3", &caller, &code));
    close_server();
}

TEST(access, sessions_of_roles)
{
    ARENA(arena);
    Caller caller;
    Call call;
    Error err = {0};
    SessionKeys session;
    const char *code;
    new_server();
    must(&arena, "iam", "CreateRole",
         "{'RoleName':'job','AssumeRolePolicyDocument':'" TRUST(
             "{\\\"Service\\\":\\\"sagemaker.amazonaws.com\\\"}") "'}",
         &call);
    must(&arena, "iam", "PutRolePolicy",
         "{'RoleName':'job','PolicyName':'p','PolicyDocument':'" DOCUMENT("s3:*", "*") "'}", &call);
    Str role = STR("arn:aws:iam::123456789012:role/job");
    CHECK(!access_role_session(&server, STR("arn:aws:iam::123456789012:role/none"), STR("s"), 60,
                               &arena, &session, &err));
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_OK(access_role_session(&server, role, STR("SageMaker"), 7200, &arena, &session, &err),
             err);
    CHECK(session.expires <= clock_wall() + 3600); /* rule Z5 */
    Keys keys = {session.access_key, session.secret, session.token};
    CHECK(call_with(&arena, keys, "s3", &caller, &code));
    CHECK_INT(caller.type, CALLER_ROLE);
    CHECK_STR(caller.arn, STR("arn:aws:sts::123456789012:assumed-role/job/SageMaker"));
    CHECK_STR(caller.role_arn, role);
    CHECK(may(&caller, "s3:GetObject", "*") && !may(&caller, "iam:GetUser", "*"));
    keys.token = STR("other");
    CHECK(!call_with(&arena, keys, "s3", &caller, &code));
    CHECK_STR(str_of(code), STR("InvalidToken"));

    CHECK_OK(access_role_caller(&server, role, STR("x"), &arena, &caller, &err), err);
    CHECK_STR(caller.arn, STR("arn:aws:sts::123456789012:assumed-role/job/x"));
    CHECK(may(&caller, "s3:GetObject", "*") && !may(&caller, "iam:GetUser", "*"));
    CHECK(!access_role_caller(&server, STR("arn:none"), STR("x"), &arena, &caller, &err));

    /* It ends when it is told to, by time, and with its role. */
    SessionKeys ended;
    CHECK_OK(access_role_session(&server, role, STR("s"), 60, &arena, &ended, &err), err);
    Keys job = {ended.access_key, ended.secret, ended.token};
    CHECK(call_with(&arena, job, "s3", &caller, &code));
    CHECK_OK(access_session_end(&server, ended.access_key, &err), err);
    CHECK(!call_with(&arena, job, "s3", &caller, &code));
    CHECK_OK(access_session_end(&server, ended.access_key, &err), err);
    SessionKeys past;
    CHECK_OK(access_role_session(&server, role, STR("s"), -1, &arena, &past, &err), err);
    CHECK(
        !call_with(&arena, (Keys){past.access_key, past.secret, past.token}, "s3", &caller, &code));
    CHECK_STR(str_of(code), STR("ExpiredToken"));
    must(&arena, "iam", "DeleteRolePolicy", "{'RoleName':'job','PolicyName':'p'}", &call);
    must(&arena, "iam", "DeleteRole", "{'RoleName':'job'}", &call);
    keys.token = session.token;
    CHECK(!call_with(&arena, keys, "s3", &caller, &code));
    CHECK_STR(str_of(code), STR("SignatureDoesNotMatch"));
    close_server();
}

TEST(access, forms)
{
    ARENA(arena);
    Caller caller;
    const char *code;
    Error err = {0};
    SigningKey key;
    uint8_t mac[32];
    new_server();
    Keys first = first_key();
    signing_key_derive(first.secret, STR("20240601"), STR("us-east-1"), STR("s3"), &key);
    digest_hmac_sha256((Str){(const char *)key.bytes, 32}, STR("e30="), mac);
    PostFields fields = {
        .policy = STR("e30="),
        .algorithm = STR("AWS4-HMAC-SHA256"),
        .credential = arena_format(&arena, "%.*s/20240601/us-east-1/s3/aws4_request",
                                   STR_ARG(first.access_key)),
        .date = STR("20240601T000000Z"),
        .mac = hex_text(&arena, mac, 32),
    };
    CHECK_OK(access_authenticate_post(&server, &fields, &arena, &caller, &code, &err), err);
    CHECK_INT(caller.type, CALLER_ROOT);
    fields.policy = STR("e30");
    CHECK(!access_authenticate_post(&server, &fields, &arena, &caller, &code, &err));
    fields.policy = STR("e30=");
    fields.credential = STR("AKIANOBODY/20240601/us-east-1/s3/aws4_request");
    CHECK(!access_authenticate_post(&server, &fields, &arena, &caller, &code, &err));
    CHECK_STR(str_of(code), STR("SignatureDoesNotMatch"));
    fields.mac = (Str){0};
    CHECK(!access_authenticate_post(&server, &fields, &arena, &caller, &code, &err));
    close_server();
}

TEST(access, any_key_where_the_options_say_so)
{
    ARENA(arena);
    Caller caller;
    const char *code;
    new_server();
    close_server();
    options.auth_any = true;
    open_server();
    CHECK(call_with(&arena, (Keys){STR("testing"), STR("testing"), STR("testing")}, "s3", &caller,
                    &code));
    CHECK_INT(caller.type, CALLER_ROOT);
    CHECK_STR(caller.access_key, STR("testing"));
    CHECK(may(&caller, "any:Thing", "*"));
    close_server();
}

TEST(access, the_first_role_comes_back_after_a_reset)
{
    ARENA(arena);
    Call call;
    Error err = {0};
    new_server();
    must(&arena, "iam", "CreateUser", "{'UserName':'ann'}", &call);
    CHECK_OK(iam_reset(&server, &err), err);
    CHECK_OK(db_empty(server.db, &err), err);
    CHECK(!ask(&arena, "iam", "GetUser", "{'UserName':'ann'}", &call, &err));
    CHECK_STR(str_of(call.code), STR("NoSuchEntity"));
    must(&arena, "iam", "GetRole", "{'RoleName':'clary'}", &call);
    close_server();
}

/* Many ask while one changes: what was changed counts for the next question, and nobody waits for ever. */
typedef struct Asker {
    const Caller *caller;
    bool stop;
    int64_t asked;
} Asker;

static void *keep_asking(void *arg)
{
    Asker *asker = arg;
    while (!__atomic_load_n(&asker->stop, __ATOMIC_RELAXED)) {
        may(asker->caller, "s3:GetObject", "arn:aws:s3:::b/k");
        asker->asked++;
    }
    return NULL;
}

TEST(access, changes_count_at_once_under_load)
{
    ARENA(arena);
    Caller caller;
    Call call;
    const char *code;
    new_server();
    must(&arena, "iam", "CreateUser", "{'UserName':'ann'}", &call);
    must(&arena, "iam", "CreateAccessKey", "{'UserName':'ann'}", &call);
    Keys keys = keys_of(json_get(call.out, "AccessKey"), "SecretAccessKey");
    CHECK(call_with(&arena, keys, "s3", &caller, &code));
    pthread_t threads[3];
    Asker askers[COUNT(threads)];
    for (size_t i = 0; i < COUNT(threads); i++) {
        askers[i] = (Asker){&caller, false, 0};
        CHECK(pthread_create(&threads[i], NULL, keep_asking, &askers[i]) == 0);
    }
    for (int i = 0; i < 20; i++) {
        must(&arena, "iam", "PutUserPolicy",
             "{'UserName':'ann','PolicyName':'p','PolicyDocument':'" DOCUMENT("s3:*", "*") "'}",
             &call);
        CHECK(may(&caller, "s3:GetObject", "arn:aws:s3:::b/k"));
        must(&arena, "iam", "DeleteUserPolicy", "{'UserName':'ann','PolicyName':'p'}", &call);
        CHECK(!may(&caller, "s3:GetObject", "arn:aws:s3:::b/k"));
    }
    for (size_t i = 0; i < COUNT(threads); i++) {
        __atomic_store_n(&askers[i].stop, true, __ATOMIC_RELAXED);
        pthread_join(threads[i], NULL);
        CHECK(askers[i].asked > 0);
    }
    close_server();
}

/* ---- the audit trail ---- */

static bool run_sql(void *arg, DbTx *tx, Error *err)
{
    return db_run(tx, err, arg, "");
}

TEST(audit, tampering_is_found)
{
    static const struct {
        const char *sql, *want;
    } cases[] = {
        {"UPDATE audit_event SET record = '{}' WHERE number = 3", "event 3 was changed"},
        {"DELETE FROM audit_event WHERE number = 3", "event 3 is missing"},
        {"DELETE FROM audit_event WHERE number = 1", "event 1 is missing"},
        {"DELETE FROM audit_event WHERE number = 6", "events 6 to 6 are missing"},
        {"UPDATE audit_event SET number = 7 WHERE number = 6", "event 6 is missing"},
        {"UPDATE audit_event SET record = (SELECT record FROM audit_event WHERE number = 2) WHERE number = 4",
         "event 4 was changed"},
        {"UPDATE audit_event SET hash = (SELECT hash FROM audit_event WHERE number = 2) WHERE number = 4",
         "event 4 was changed"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ARENA(arena);
        Call call;
        Error err = {0};
        int64_t n;
        new_server();
        CHECK_OK(audit_verify(server.db, &n, &err), err);
        CHECK_INT(n, 0);
        must(&arena, "iam", "CreateUser", "{'UserName':'a'}", &call);
        must(&arena, "iam", "CreateUser", "{'UserName':'b'}", &call);
        must(&arena, "iam", "GetUser", "{'UserName':'b'}", &call); /* no event */
        CHECK(!ask(&arena, "iam", "CreateUser", "{'UserName':'b'}", &call, &err));
        must(&arena, "iam", "CreateAccessKey", "{'UserName':'b'}", &call);
        must(&arena, "iam", "CreateGroup", "{'GroupName':'g'}", &call);
        must(&arena, "iam", "DeleteUser", "{'UserName':'a'}", &call);
        CHECK_OK(audit_verify(server.db, &n, &err), err);
        CHECK_INT(n, 6);
        CHECK_OK(db_write(server.db, run_sql, (void *)(uintptr_t)cases[i].sql, &err), err);
        if (audit_verify(server.db, &n, &err)) FAIL("not found: %s", cases[i].sql);
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
        close_server();
    }
}

/* The record goes with the effect: in the same transaction, so both are there or neither. */
TEST(audit, a_change_that_fails_leaves_its_refusal_only)
{
    ARENA(arena);
    Call call;
    Error err = {0};
    int64_t n;
    new_server();
    CHECK_OK(db_write(server.db, run_sql, (char[]){"DROP TABLE audit_head"}, &err), err);
    CHECK(!ask(&arena, "iam", "CreateUser", "{'UserName':'a'}", &call, &err));
    CHECK(!ask(&arena, "iam", "GetUser", "{'UserName':'a'}", &call, &err));
    CHECK_STR(str_of(call.code), STR("NoSuchEntity")); /* nothing without its record */
    CHECK(!audit_verify(server.db, &n, &err));
    close_server();
}
