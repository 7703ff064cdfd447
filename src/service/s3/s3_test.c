#include "service/s3/put.h"
#include "service/s3/walk.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/test.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* The dispatcher's part of call.h, while it is not linked. */
__attribute__((weak)) bool call_authorize(Call *call, const char *action, Str resource, Error *err)
{
    (void)call, (void)action, (void)resource, (void)err;
    return true;
}
__attribute__((weak)) int64_t call_body_length(const Call *call)
{
    (void)call;
    return -1;
}
__attribute__((weak)) bool call_body_read(Call *call, char *buffer, size_t capacity, size_t *ret_n,
                                          Error *err)
{
    (void)call, (void)buffer, (void)capacity, (void)ret_n;
    return error_set(err, ERROR_UNSUPPORTED, "no dispatcher");
}
__attribute__((weak)) Str call_body_trailer(const Call *call, Str name)
{
    (void)call, (void)name;
    return (Str){0};
}

/* A server that is nothing but an object store, in a folder of the test. */
typedef struct Store {
    ServerOptions options;
    Server server;
    Arena arena;
    char home[512], database[600];
} Store;

static void store_start(Store *store)
{
    Error err = {0};
    const char *named = getenv("CLARY_TEST_DATABASE");
    snprintf(store->database, sizeof store->database, "%s/clary.db", store->home);
    store->options = (ServerOptions){
        .home = store->home, .account = "123456789012", .region = "us-east-1"};
    store->server = (Server){.options = &store->options};
    CHECK_OK(db_open(named ? named : store->database, &store->server.db, &err), err);
    CHECK_OK(s3_open(&store->server, &err), err);
}

static void store_stop(Store *store)
{
    s3_close(&store->server);
    db_close(store->server.db);
}

static Store *store_new(void)
{
    static Store store;
    Error err = {0};
    snprintf(store.home, sizeof store.home, "%s", test_folder());
    store_start(&store);
    if (getenv("CLARY_TEST_DATABASE")) CHECK_OK(db_empty(store.server.db, &err), err);
    CHECK_OK(s3_make_bucket(&store.server, STR("us-east-1"), STR("first-bucket"), &err), err);
    return &store;
}

static void put(Store *store, const char *key, Str bytes)
{
    Error err = {0};
    CHECK_OK(s3_put_bytes(&store->server, STR("first-bucket"), str_of(key), bytes,
                          STR("text/plain"), &err),
             err);
}

static Str read_object(Store *store, const char *key, S3Object *ret_object)
{
    Error err = {0};
    Str text;
    CHECK_OK(
        s3_find(&store->server, STR("first-bucket"), str_of(key), &store->arena, ret_object, &err),
        err);
    CHECK_OK(file_read(arena_cstr(&store->arena, ret_object->path), 64 << 20, &store->arena, &text,
                       &err),
             err);
    return text;
}

static size_t files_of(Store *store)
{
    Str *names;
    size_t n;
    Error err = {0};
    ARENA(arena);
    CHECK_OK(folder_list(path_join(&arena, store->home, "objects"), 3, true, 100000, &arena, &names,
                         &n, &err),
             err);
    return n;
}

TEST(s3, bytes_come_back_by_path_small_and_large)
{
    Store *store = store_new();
    S3Object object;
    put(store, "a/small", STR("hello"));
    CHECK_INT(files_of(store), 0);
    CHECK_STR(read_object(store, "a/small", &object), STR("hello"));
    CHECK_INT(files_of(store), 1);
    CHECK_STR(object.etag, STR("5d41402abc4b2a76b9719d911017c592"));
    CHECK_STR(object.content_type, STR("text/plain"));
    CHECK_STR(read_object(store, "a/small", &object), STR("hello"));
    CHECK_INT(files_of(store), 1);

    enum { LARGE = 3 * 1024 * 1024 + 17 };
    char *large = malloc(LARGE);
    for (size_t i = 0; i < LARGE; i++) large[i] = (char)(i * 7 + i / 251);
    put(store, "a/large", (Str){large, LARGE});
    Str text = read_object(store, "a/large", &object);
    CHECK_INT(text.len, LARGE);
    CHECK(memcmp(text.ptr, large, LARGE) == 0);
    uint8_t md5[16];
    char hex[33] = {0};
    digest_md5((Str){large, LARGE}, md5);
    hex_write(md5, 16, hex);
    CHECK_STR(object.etag, str_of(hex));

    put(store, "a/large", STR("")); /* the old bytes go */
    CHECK_INT(files_of(store), 1);
    CHECK_STR(read_object(store, "a/large", &object), STR(""));
    free(large);
    store_stop(store);
}

TEST(s3, files_are_taken_or_copied)
{
    Store *store = store_new();
    Error err = {0};
    S3Object object;
    ARENA(arena);
    char *bytes = calloc(1, 100000);
    const char *path = path_join(&arena, store->home, "result");
    for (int may_take = 0; may_take < 2; may_take++) {
        CHECK_OK(file_commit(path, (Str){bytes, 100000}, &err), err);
        CHECK_OK(s3_put_file(&store->server, STR("first-bucket"), STR("model"), path, may_take,
                             (Str){0}, &err),
                 err);
        CHECK(file_exists(path) == !may_take);
        CHECK_INT(read_object(store, "model", &object).len, 100000);
        CHECK_INT(object.size, 100000);
    }
    CHECK(
        !s3_put_file(&store->server, STR("no-bucket"), STR("model"), path, false, (Str){0}, &err));
    CHECK(!s3_put_bytes(&store->server, STR("no-bucket"), STR("model"), STR("x"), (Str){0}, &err));
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    free(bytes);
    store_stop(store);
}

TEST(s3, objects_survive_a_restart_and_garbage_does_not)
{
    Store *store = store_new();
    S3Object object;
    char large[20000] = "x";
    put(store, "kept", (Str){large, sizeof large});
    put(store, "kept small", STR("y"));
    store_stop(store);
    ARENA(arena);
    Error err = {0};
    CHECK_OK(folder_make(path_join(&arena, store->home, "objects/000000"), &err), err);
    const char *garbage = arena_format(&arena, "%s/objects/000000/77", store->home).ptr;
    CHECK_OK(file_commit(garbage, STR("half of an upload"), &err), err);
    store_start(store);
    for (int i = 0; i < 200 && file_exists(garbage); i++) usleep(10000);
    CHECK(!file_exists(garbage));
    CHECK_INT(read_object(store, "kept", &object).len, sizeof large);
    CHECK_STR(read_object(store, "kept small", &object), STR("y"));
    store_stop(store);
}

TEST(s3, lists_in_key_order_and_by_prefix)
{
    Store *store = store_new();
    Error err = {0};
    static const char *const keys[] = {
        "b", "a/2", "a/1", "a/10", "a", "c/\xc3\xa9", "\xf0\x9f\x98\x80"};
    for (size_t i = 0; i < COUNT(keys); i++) put(store, keys[i], str_of(keys[i]));
    S3Object *objects;
    size_t n;
    CHECK_OK(s3_list(&store->server, STR("first-bucket"), STR(""), 100, &store->arena, &objects, &n,
                     &err),
             err);
    CHECK_INT(n, COUNT(keys));
    for (size_t i = 1; i < n; i++) CHECK(str_compare(objects[i - 1].key, objects[i].key) < 0);
    CHECK_OK(s3_list(&store->server, STR("first-bucket"), STR("a/1"), 100, &store->arena, &objects,
                     &n, &err),
             err);
    CHECK_INT(n, 2);
    CHECK_STR(objects[1].key, STR("a/10"));
    CHECK(file_exists(arena_cstr(&store->arena, objects[1].path)));
    CHECK(!s3_list(&store->server, STR("other"), STR(""), 100, &store->arena, &objects, &n, &err));
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    store_stop(store);
}

/* ---- walking ---- */

typedef struct WalkCase {
    Store *store;
    S3Walk walk;
} WalkCase;

static bool run_walk(void *arg, DbTx *tx, Error *err)
{
    WalkCase *c = arg;
    static S3Bucket bucket;
    if (!s3_bucket_load(tx, c->store->server.s3, STR("first-bucket"), &c->store->arena, &bucket,
                        err))
        return false;
    c->walk.bucket = &bucket;
    c->walk.arena = &c->store->arena;
    return s3_walk(tx, &c->walk, err);
}

static Str walked(Store *store, S3Walk walk)
{
    WalkCase c = {store, walk};
    Error err = {0};
    CHECK_OK(db_read(store->server.db, run_walk, &c, &err), err);
    StrBuf out = STRBUF(64 << 10);
    for (size_t i = 0; i < c.walk.n; i++) {
        strbuf_add(&out,
                   c.walk.items[i].prefix.len ? c.walk.items[i].prefix : c.walk.items[i].row.key);
        strbuf_add(&out, STR(" "));
    }
    if (c.walk.truncated) strbuf_add(&out, STR("..."));
    return strbuf_str(&out);
}

static bool many_rows(void *arg, DbTx *tx, Error *err)
{
    Store *store = arg;
    S3Bucket bucket;
    if (!s3_bucket_load(tx, store->server.s3, STR("first-bucket"), &store->arena, &bucket, err))
        return false;
    for (int i = 0; i < 3000; i++) {
        char key[64];
        S3Bytes forgotten;
        snprintf(key, sizeof key, "%c/%04d", "xyz"[i % 3], i);
        S3Row row = {.key = str_of(key), .modified = 1};
        if (!s3_row_put(tx, &bucket, &row, NULL, &store->arena, &forgotten, NULL, err))
            return false;
    }
    return true;
}

TEST(s3, groups_are_rolled_up_and_passed_over)
{
    Store *store = store_new();
    Error err = {0};
    CHECK_OK(db_write(store->server.db, many_rows, store, &err), err);
    put(store, "a", STR("1"));
    put(store, "y", STR("1"));
    put(store, "yy", STR("1"));
    CHECK_STR(walked(store, (S3Walk){.delimiter = STR("/"), .max = 1000}), STR("a x/ y y/ yy z/ "));
    CHECK_STR(walked(store, (S3Walk){.delimiter = STR("/"), .max = 2}), STR("a x/ ..."));
    CHECK_STR(
        walked(store,
               (S3Walk){.delimiter = STR("/"), .max = 2, .after = STR("x/"), .after_group = true}),
        STR("y y/ ..."));
    CHECK_STR(walked(store, (S3Walk){.delimiter = STR("/"), .max = 2, .after = STR("x/2998")}),
              STR("y y/ ..."));
    CHECK_STR(walked(store, (S3Walk){.delimiter = STR("/"), .max = 4, .after = STR("y/2994")}),
              STR("y/ yy z/ "));
    CHECK_STR(walked(store, (S3Walk){.prefix = STR("z/29"), .delimiter = STR("9"), .max = 3}),
              STR("z/2900 z/2903 z/2906 ..."));
    CHECK_STR(walked(store, (S3Walk){.max = 0}), STR(""));
    CHECK_STR(walked(store, (S3Walk){.prefix = STR("zz"), .max = 5}), STR(""));
    store_stop(store);
}

/* ---- versions ---- */

typedef struct VersionCase {
    Store *store;
    S3Versioning versioning;
    const char *op; /* "put", "remove" */
    Str version;    /* to remove; or (out) of what was put */
    S3Removed removed;
    S3Conditions conditions;
    const char *code;
} VersionCase;

static bool run_version(void *arg, DbTx *tx, Error *err)
{
    VersionCase *c = arg;
    S3Bucket bucket;
    S3Bytes forgotten;
    if (!s3_bucket_load(tx, c->store->server.s3, STR("first-bucket"), &c->store->arena, &bucket,
                        err))
        return false;
    bucket.versioning = c->versioning;
    if (strcmp(c->op, "put") == 0) {
        S3Row row = {.key = STR("k"), .modified = 1000, .etag = STR("e")};
        if (!s3_row_put(tx, &bucket, &row, &c->conditions, &c->store->arena, &forgotten, &c->code,
                        err))
            return false;
        c->version = row.version;
        return true;
    }
    return s3_row_remove(tx, &bucket, STR("k"), c->version, 1000, &c->store->arena, &c->removed,
                         err);
}

static Str version_put(Store *store, S3Versioning versioning)
{
    VersionCase c = {.store = store, .versioning = versioning, .op = "put"};
    Error err = {0};
    CHECK_OK(db_write(store->server.db, run_version, &c, &err), err);
    return c.version;
}

static S3Removed version_remove(Store *store, S3Versioning versioning, Str version)
{
    VersionCase c = {.store = store, .versioning = versioning, .op = "remove", .version = version};
    Error err = {0};
    CHECK_OK(db_write(store->server.db, run_version, &c, &err), err);
    return c.removed;
}

/* The versions of the key, newest first: "v" or "m" each, the current one in brackets. */
static Str history(Store *store)
{
    WalkCase c = {store, {.versions = true, .max = 100}};
    Error err = {0};
    CHECK_OK(db_read(store->server.db, run_walk, &c, &err), err);
    StrBuf out = STRBUF(4096);
    for (size_t i = 0; i < c.walk.n; i++) {
        const S3Row *row = &c.walk.items[i].row;
        const char *letter = str_is(row->version, "null") ? (row->marker ? "M" : "N")
                             : row->marker                ? "m"
                                                          : "v";
        strbuf_addf(&out, row->current ? "[%s]" : "%s", letter);
    }
    return strbuf_str(&out);
}

TEST(s3, versions_pile_up_and_are_uncovered_again)
{
    Store *store = store_new();
    version_put(store, VERSIONING_NEVER);
    version_put(store, VERSIONING_NEVER);
    CHECK_STR(history(store), STR("[N]"));
    Str one = version_put(store, VERSIONING_ENABLED), two = version_put(store, VERSIONING_ENABLED);
    CHECK(one.len == 32 && !str_eq(one, two));
    CHECK_STR(history(store), STR("[v]vN"));
    S3Removed removed = version_remove(store, VERSIONING_ENABLED, (Str){0});
    CHECK(removed.marker && removed.existed);
    CHECK_STR(history(store), STR("[m]vvN"));
    removed = version_remove(store, VERSIONING_ENABLED, removed.version);
    CHECK(removed.marker);
    CHECK_STR(history(store), STR("[v]vN"));
    removed = version_remove(store, VERSIONING_ENABLED, two);
    CHECK(!removed.marker);
    CHECK_STR(history(store), STR("[v]N"));
    CHECK(!version_remove(store, VERSIONING_ENABLED, STR("nonsense")).existed);
    version_put(store, VERSIONING_SUSPENDED);
    CHECK_STR(history(store), STR("[N]v"));
    version_put(store, VERSIONING_SUSPENDED);
    CHECK_STR(history(store), STR("[N]v"));
    version_remove(store, VERSIONING_SUSPENDED, (Str){0});
    CHECK_STR(history(store), STR("[M]v"));
    version_remove(store, VERSIONING_SUSPENDED, STR("null"));
    CHECK_STR(history(store), STR("[v]"));
    version_remove(store, VERSIONING_SUSPENDED, one);
    CHECK_STR(history(store), STR(""));
    store_stop(store);
}

TEST(s3, conditions_are_decided_with_the_row)
{
    Store *store = store_new();
    static const struct {
        const char *match, *none_match;
        bool there;
        const char *want;
    } cases[] = {
        {"", "*", false, NULL},
        {"", "*", true, "PreconditionFailed"},
        {"\"e\"", "", true, NULL},
        {"e", "", true, NULL},
        {"\"f\", \"e\"", "", true, NULL},
        {"\"f\"", "", true, "PreconditionFailed"},
        {"\"e\"", "", false, "NoSuchKey"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        version_remove(store, VERSIONING_NEVER, (Str){0});
        if (cases[i].there) version_put(store, VERSIONING_NEVER);
        VersionCase c = {.store = store, .op = "put"};
        c.conditions = (S3Conditions){.if_match = str_of(cases[i].match),
                                      .if_none_match = str_of(cases[i].none_match)};
        Error err = {0};
        bool ok = db_write(store->server.db, run_version, &c, &err);
        CHECK_INT(ok, cases[i].want == NULL);
        if (cases[i].want) CHECK_STR(str_of(c.code), str_of(cases[i].want));
    }
    S3Row row = {.etag = STR("e"), .modified = 1000.5};
    CHECK(
        !s3_conditions_read(&(S3Conditions){.if_match = STR("e"), .if_unmodified_since = 1}, &row));
    CHECK_STR(str_of(s3_conditions_read(&(S3Conditions){.if_unmodified_since = 999}, &row)),
              STR("PreconditionFailed"));
    CHECK(!s3_conditions_read(&(S3Conditions){.if_unmodified_since = 1000}, &row));
    CHECK_STR(str_of(s3_conditions_read(&(S3Conditions){.if_modified_since = 1000}, &row)),
              STR("NotModified"));
    CHECK(!s3_conditions_read(&(S3Conditions){.if_none_match = STR("x"), .if_modified_since = 2000},
                              &row));
    store_stop(store);
}

TEST(s3, ranges_are_cut_as_http_says)
{
    static const struct {
        const char *text;
        int64_t size, begin, length;
        bool partial, fails;
    } cases[] = {
        {"bytes=0-0", 10, 0, 1, true, false},   {"bytes=3-", 10, 3, 7, true, false},
        {"bytes=-3", 10, 7, 3, true, false},    {"bytes=-30", 10, 0, 10, true, false},
        {"bytes=2-100", 10, 2, 8, true, false}, {"bytes=10-", 10, 0, 0, false, true},
        {"bytes=-0", 10, 0, 0, false, true},    {"bytes=0-", 0, 0, 0, false, true},
        {"bytes=5-2", 10, 0, 10, false, false}, {"items=0-1", 10, 0, 10, false, false},
        {"bytes=a-b", 10, 0, 10, false, false}, {"bytes=0-1,3-4", 10, 0, 10, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        S3Range range;
        bool ok = s3_range_parse(str_of(cases[i].text), cases[i].size, &range);
        CHECK_INT(ok, !cases[i].fails);
        if (!ok) continue;
        CHECK_INT(range.begin, cases[i].begin);
        CHECK_INT(range.length, cases[i].length);
        CHECK_INT(range.partial, cases[i].partial);
    }
}

TEST(s3, names_are_those_that_aws_takes)
{
    static const char *const good[] = {"abc", "my-bucket.2026", "0ab", "a.b.c"};
    static const char *const bad[] = {"ab",          "Abc",     "a_b",         "-ab", "ab-", "a..b",
                                      "192.168.1.1", "xn--abc", "abc-s3alias", "ab.", "a/b", ""};
    for (size_t i = 0; i < COUNT(good); i++) CHECK(!s3_bucket_name_check(str_of(good[i])));
    for (size_t i = 0; i < COUNT(bad); i++) CHECK(s3_bucket_name_check(str_of(bad[i])));
    char long_name[65];
    memset(long_name, 'a', 64);
    CHECK(!s3_bucket_name_check((Str){long_name, 63}));
    CHECK(s3_bucket_name_check((Str){long_name, 64}));
    CHECK(s3_key_ok(STR("a b/../\xe2\x82\xac")));
    CHECK(!s3_key_ok(STR("")));
    CHECK(!s3_key_ok(STR("a\0b")));
    CHECK(!s3_key_ok(STR("\xc3")));
    CHECK(!s3_key_ok(STR("\xed\xa0\x80")));
    char key[1025];
    memset(key, 'k', sizeof key);
    CHECK(s3_key_ok((Str){key, 1024}));
    CHECK(!s3_key_ok((Str){key, 1025}));
    Str bucket, rest;
    CHECK(s3_address(STR("s3://abc/d/e"), &bucket, &rest));
    CHECK_STR(bucket, STR("abc"));
    CHECK_STR(rest, STR("d/e"));
    CHECK(s3_address(STR("s3://abc"), &bucket, &rest) && rest.len == 0);
    CHECK(!s3_address(STR("http://abc/d"), &bucket, &rest) &&
          !s3_address(STR("s3:///d"), &bucket, &rest));
}

TEST(s3, local_folders_are_buckets)
{
    Store *store = store_new();
    Error err = {0};
    ARENA(arena);
    const char *folder = path_join(&arena, store->home, "samples");
    CHECK_OK(folder_make(path_join(&arena, folder, "deep"), &err), err);
    CHECK_OK(file_commit(path_join(&arena, folder, "deep/a.csv"), STR("1,2"), &err), err);
    CHECK_OK(file_commit(path_join(&arena, folder, "b.csv"), STR("3"), &err), err);
    CHECK(symlink("/etc/passwd", path_join(&arena, folder, "out")) == 0);
    CHECK_OK(s3_serve_folder(&store->server, STR("samples"), folder, &err), err);
    S3Object *objects, object;
    size_t n;
    CHECK_OK(
        s3_list(&store->server, STR("samples"), STR(""), 100, &store->arena, &objects, &n, &err),
        err);
    CHECK_INT(n, 2);
    CHECK_STR(objects[0].key, STR("b.csv"));
    CHECK_STR(objects[1].key, STR("deep/a.csv"));
    CHECK_OK(
        s3_find(&store->server, STR("samples"), STR("deep/a.csv"), &store->arena, &object, &err),
        err);
    CHECK_INT(object.size, 3);
    CHECK(!s3_find(&store->server, STR("samples"), STR("out"), &store->arena, &object, &err));
    CHECK(!s3_find(&store->server, STR("samples"), STR("../home"), &store->arena, &object, &err));
    CHECK(!s3_find(&store->server, STR("samples"), STR("deep"), &store->arena, &object, &err));
    CHECK(!s3_put_bytes(&store->server, STR("samples"), STR("x"), STR("x"), (Str){0}, &err));
    CHECK(!s3_serve_folder(&store->server, STR("samples"), folder, &err));
    store_stop(store);
}

/* ---- lifecycle ---- */

static bool set_rules(void *arg, DbTx *tx, Error *err)
{
    Store *store = arg;
    S3Bucket bucket;
    return s3_bucket_load(tx, store->server.s3, STR("first-bucket"), &store->arena, &bucket, err) &&
           s3_setting_save(
               tx, &bucket, "lifecycle",
               STR("{\"Rules\":[{\"Status\":\"Enabled\",\"Filter\":{\"Prefix\":\"tmp/\"},\"Expiration\":{\"Days\":2}},"
                   "{\"Status\":\"Disabled\",\"Filter\":{\"Prefix\":\"off/\"},\"Expiration\":{\"Days\":1}},"
                   "{\"Status\":\"Enabled\",\"Prefix\":\"k\",\"Expiration\":{\"ExpiredObjectDeleteMarker\":true},"
                   "\"NoncurrentVersionExpiration\":{\"NoncurrentDays\":1,\"NewerNoncurrentVersions\":1}}]}"),
               err);
}

static bool rows_of_today(void *arg, DbTx *tx, Error *err)
{
    Store *store = arg;
    S3Bucket bucket;
    if (!s3_bucket_load(tx, store->server.s3, STR("first-bucket"), &store->arena, &bucket, err))
        return false;
    for (int i = 0; i < 2500; i++) {
        char key[32];
        S3Bytes forgotten;
        snprintf(key, sizeof key, "%s/%d", i % 2 ? "tmp" : "off", i);
        S3Row row = {.key = str_of(key), .modified = clock_wall()};
        if (!s3_row_put(tx, &bucket, &row, NULL, &store->arena, &forgotten, NULL, err))
            return false;
    }
    return true;
}

static size_t count_rows(Store *store, const char *prefix)
{
    WalkCase c = {store, {.prefix = str_of(prefix), .max = 5000}};
    Error err = {0};
    CHECK_OK(db_read(store->server.db, run_walk, &c, &err), err);
    return c.walk.n;
}

TEST(s3, lifecycle_rules_remove_what_is_too_old)
{
    Store *store = store_new();
    Error err = {0};
    double day = 86400, now = floor(clock_wall() / day) * day + 3600;
    CHECK_OK(db_write(store->server.db, set_rules, store, &err), err);
    CHECK_OK(db_write(store->server.db, rows_of_today, store, &err), err);
    CHECK_OK(s3_expire(store->server.s3, now + 2 * day, &err), err);
    CHECK_INT(count_rows(store, "tmp/"), 1250);
    CHECK_OK(s3_expire(store->server.s3, now + 3 * day, &err), err);
    CHECK_INT(count_rows(store, "tmp/"), 0);
    CHECK_INT(count_rows(store, "off/"), 1250);

    for (int i = 0; i < 4; i++) version_put(store, VERSIONING_ENABLED); /* made in 1970 */
    CHECK_STR(walked(store, (S3Walk){.prefix = STR("k"), .max = 10}), STR("k "));
    CHECK_OK(s3_expire(store->server.s3, now, &err), err);
    WalkCase c = {store, {.prefix = STR("k"), .versions = true, .max = 100}};
    CHECK_OK(db_read(store->server.db, run_walk, &c, &err), err);
    CHECK_INT(c.walk.n, 2); /* the current one, and the newest of the others */
    Str last = c.walk.items[1].row.version, first = c.walk.items[0].row.version;
    version_remove(store, VERSIONING_ENABLED, last);
    version_remove(store, VERSIONING_ENABLED, (Str){0});
    version_remove(store, VERSIONING_ENABLED, first);
    CHECK_OK(db_read(store->server.db, run_walk, &c, &err), err);
    CHECK_INT(c.walk.n, 1); /* a marker alone */
    CHECK_OK(s3_expire(store->server.s3, now, &err), err);
    CHECK_OK(db_read(store->server.db, run_walk, &c, &err), err);
    CHECK_INT(c.walk.n, 0);
    store_stop(store);
}

/* ---- checking ---- */

static void note_finding(void *arg, Str key, Str version, const char *finding)
{
    (void)version;
    strbuf_addf(arg, "%.*s: %s; ", STR_ARG(key), finding);
}

static bool spoil_small(void *arg, DbTx *tx, Error *err)
{
    (void)arg;
    return db_run(tx, err, "UPDATE s3_small SET bytes = ?", "b", STR("hellO"));
}

TEST(s3, spoilt_bytes_are_found)
{
    Store *store = store_new();
    Error err = {0};
    S3Object object;
    int64_t checked;
    StrBuf found = STRBUF(4096);
    static char large[50000] = "x";
    put(store, "large", (Str){large, sizeof large});
    put(store, "short", (Str){large, sizeof large});
    put(store, "gone", (Str){large, sizeof large});
    put(store, "small", STR("hello"));
    CHECK_OK(s3_check(&store->server, STR("first-bucket"), note_finding, &found, &checked, &err),
             err);
    CHECK_INT(checked, 4);
    CHECK_STR(strbuf_str(&found), STR(""));

    read_object(store, "large", &object);
    int fd = open(arena_cstr(&store->arena, object.path), O_WRONLY);
    CHECK(fd >= 0 && pwrite(fd, "y", 1, 40000) == 1);
    close(fd);
    read_object(store, "short", &object);
    CHECK(truncate(arena_cstr(&store->arena, object.path), 49999) == 0);
    read_object(store, "gone", &object);
    CHECK(unlink(arena_cstr(&store->arena, object.path)) == 0);
    CHECK_OK(db_write(store->server.db, spoil_small, store, &err), err);
    CHECK_OK(s3_check(&store->server, STR("first-bucket"), note_finding, &found, &checked, &err),
             err);
    CHECK_STR(strbuf_str(&found),
              STR("gone: its file is missing; large: its bytes have another checksum; "
                  "short: its file has another length; small: its bytes have another checksum; "));
    store_stop(store);
}
