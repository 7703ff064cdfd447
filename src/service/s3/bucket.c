/* Buckets: making, finding, listing, removing them. */

#include "service/s3/s3.h"

#include "base/clock.h"

#include <math.h>

typedef struct BucketWork {
    S3 *s3;
    Arena *arena;
    Str name, region;
    double now;
    Str acl, ownership;
    S3Bucket bucket;
    const char *code;
    bool existed;
} BucketWork;

static bool load_bucket(void *arg, DbTx *tx, Error *err)
{
    BucketWork *w = arg;
    Error own = {0};
    if (s3_bucket_load(tx, w->s3, w->name, w->arena, &w->bucket, &own)) return true;
    if (own.kind == ERROR_NOT_FOUND) return s3_code(&w->code, err, "NoSuchBucket");
    *err = own;
    return false;
}

bool s3_bucket_need(Call *call, Str name, S3Bucket *ret_bucket, Error *err)
{
    BucketWork w = {.s3 = s3_of(call), .arena = call->arena, .name = name};
    if (!db_read(w.s3->db, load_bucket, &w, err)) return s3_fail(call, err, w.code);
    if (ret_bucket) *ret_bucket = w.bucket;
    return true;
}

static bool insert_bucket(void *arg, DbTx *tx, Error *err)
{
    BucketWork *w = arg;
    Error own = {0};
    w->existed = s3_bucket_load(tx, w->s3, w->name, w->arena, &w->bucket, &own);
    if (w->existed) return true;
    if (own.kind != ERROR_NOT_FOUND) {
        *err = own;
        return false;
    }
    if (!db_run(tx, err,
                "INSERT INTO s3_bucket (name, region, created, versioning) VALUES (?, ?, ?, 0)",
                "ttd", w->name, w->region, w->now))
        return false;
    if (!w->acl.len && !w->ownership.len) return true;
    if (!s3_bucket_load(tx, w->s3, w->name, w->arena, &w->bucket, err)) return false;
    return (!w->acl.len || s3_setting_save(tx, &w->bucket, "acl", w->acl, err)) &&
           (!w->ownership.len || s3_setting_save(tx, &w->bucket, "ownership", w->ownership, err));
}

static bool create_bucket(Call *call, Error *err)
{
    BucketWork w = {.s3 = s3_of(call),
                    .arena = call->arena,
                    .name = call_text(call, "Bucket"),
                    .now = floor(call->now)};
    const char *code = s3_bucket_name_check(w.name);
    if (code) return s3_fail(call, err, code);
    Str location = json_get_text(json_get(call->in, "CreateBucketConfiguration"),
                                 "LocationConstraint");
    if (str_is(location, "EU")) location = STR("eu-west-1");
    w.region = location.len ? location : call->region;
    if (json_get_bool(call->in, "ObjectLockEnabledForBucket", false))
        return s3_fail(call, err, "NotImplemented");
    if (json_get(call->in, "ACL") && !s3_acl_of_request(call, &w.acl, err)) return false;
    if (str_is(w.acl, "private")) w.acl = (Str){0};
    Str ownership = call_text(call, "ObjectOwnership");
    if (ownership.len)
        w.ownership = arena_format(call->arena, "{\"Rules\":[{\"ObjectOwnership\":\"%.*s\"}]}",
                                   STR_ARG(ownership));
    if (!db_write(w.s3->db, insert_bucket, &w, err)) return s3_fail(call, err, w.code);
    /* In us-east-1 making one's own bucket again succeeds, elsewhere it is refused. */
    if (w.existed && !(str_is(call->region, "us-east-1") && str_is(w.bucket.region, "us-east-1")))
        return s3_fail(call, err, "BucketAlreadyOwnedByYou");
    json_set_text(call->arena, call->out, "Location",
                  arena_format(call->arena, "/%.*s", STR_ARG(w.name)));
    return true;
}

static bool exists(DbTx *tx, const char *sql, int64_t bucket, bool *ret_exists, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(tx, &rows, err, sql, "i", bucket)) return false;
    *ret_exists = db_next(&rows, &end);
    if (end.kind == ERROR_NONE) return true;
    *err = end;
    return false;
}

static bool remove_bucket(void *arg, DbTx *tx, Error *err)
{
    static const char *const holds[] = {"SELECT 1 FROM s3_object WHERE bucket = ? LIMIT 1",
                                        "SELECT 1 FROM s3_version WHERE bucket = ? LIMIT 1",
                                        "SELECT 1 FROM s3_upload WHERE bucket = ? LIMIT 1"};
    BucketWork *w = arg;
    if (!load_bucket(w, tx, err)) return false;
    if (w->bucket.folder) return s3_code(&w->code, err, "AccessDenied");
    for (size_t i = 0; i < COUNT(holds); i++) {
        bool full;
        if (!exists(tx, holds[i], w->bucket.id, &full, err)) return false;
        if (full) return s3_code(&w->code, err, "BucketNotEmpty");
    }
    return db_run(tx, err, "DELETE FROM s3_setting WHERE bucket = ?", "i", w->bucket.id) &&
           db_run(tx, err, "DELETE FROM s3_bucket WHERE id = ?", "i", w->bucket.id);
}

static bool delete_bucket(Call *call, Error *err)
{
    BucketWork w = {.s3 = s3_of(call), .arena = call->arena, .name = call_text(call, "Bucket")};
    if (!s3_owner_expected(call, err)) return false;
    if (!db_write(w.s3->db, remove_bucket, &w, err)) return s3_fail(call, err, w.code);
    s3_cache_clear(w.s3->cache);
    return true;
}

static bool head_bucket(Call *call, Error *err)
{
    S3Bucket bucket;
    if (!s3_owner_expected(call, err) ||
        !s3_bucket_need(call, call_text(call, "Bucket"), &bucket, err))
        return false;
    json_set_text(call->arena, call->out, "BucketRegion", bucket.region);
    return true;
}

static bool get_bucket_location(Call *call, Error *err)
{
    S3Bucket bucket;
    if (!s3_owner_expected(call, err) ||
        !s3_bucket_need(call, call_text(call, "Bucket"), &bucket, err))
        return false;
    /* us-east-1 is said by an empty element. */
    json_set_text(call->arena, call->out, "LocationConstraint",
                  str_is(bucket.region, "us-east-1") ? STR("") : bucket.region);
    return true;
}

/* ---- ListBuckets ---- */

typedef struct BucketList {
    Call *call;
    Json *lines;
    Str prefix, region, after;
    int64_t max;
    Str next;
} BucketList;

static void add_bucket(BucketList *list, Str name, Str region, double created)
{
    Arena *arena = list->call->arena;
    if (!str_starts(name, list->prefix) || (list->region.len && !str_eq(list->region, region)))
        return;
    if (list->after.len && str_compare(name, list->after) <= 0) return;
    if ((int64_t)list->lines->n == list->max) {
        if (!list->next.len) list->next = json_get_text(list->lines->items[list->max - 1], "Name");
        return;
    }
    Json *line = json_new_object(arena);
    json_set_text(arena, line, "Name", arena_str(arena, name));
    json_set_double(arena, line, "CreationDate", created);
    json_set_text(arena, line, "BucketRegion", arena_str(arena, region));
    json_push(arena, list->lines, line);
}

static bool list_rows(void *arg, DbTx *tx, Error *err)
{
    BucketList *list = arg;
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(tx, &rows, err, "SELECT name, region, created FROM s3_bucket ORDER BY name", ""))
        return false;
    const S3Folder *folder = s3_folder_next(s3_of(list->call), (Str){0});
    while (db_next(&rows, &end)) {
        Str name = db_text(&rows, 0);
        for (; folder && str_compare(s3_folder_name(folder), name) < 0;
             folder = s3_folder_next(s3_of(list->call), s3_folder_name(folder)))
            add_bucket(list, s3_folder_name(folder), str_of(list->call->server->options->region),
                       s3_folder_created(folder));
        add_bucket(list, name, db_text(&rows, 1), db_real(&rows, 2));
    }
    for (; folder; folder = s3_folder_next(s3_of(list->call), s3_folder_name(folder)))
        add_bucket(list, s3_folder_name(folder), str_of(list->call->server->options->region),
                   s3_folder_created(folder));
    if (end.kind == ERROR_NONE) return true;
    *err = end;
    return false;
}

static bool list_buckets(Call *call, Error *err)
{
    BucketList list = {.call = call,
                       .lines = json_new_array(call->arena),
                       .prefix = call_text(call, "Prefix"),
                       .region = call_text(call, "BucketRegion"),
                       .after = call_text(call, "ContinuationToken"),
                       .max = json_get_int(call->in, "MaxBuckets", S3_BUCKETS_MAX)};
    if (list.max < 1 || list.max > S3_BUCKETS_MAX) return s3_fail(call, err, "InvalidArgument");
    if (!db_read(s3_of(call)->db, list_rows, &list, err)) return false;
    json_set(call->arena, call->out, "Buckets", list.lines);
    json_set(call->arena, call->out, "Owner", s3_owner(call));
    if (list.next.len) json_set_text(call->arena, call->out, "ContinuationToken", list.next);
    if (list.prefix.len) json_set_text(call->arena, call->out, "Prefix", list.prefix);
    return true;
}

/* ---- for the other services ---- */

bool s3_make_bucket(Server *server, Str region, Str bucket, Error *err)
{
    ARENA(arena);
    BucketWork w = {.s3 = server->s3,
                    .arena = &arena,
                    .name = bucket,
                    .region = region,
                    .now = floor(clock_wall())};
    if (s3_bucket_name_check(bucket))
        return error_set(err, ERROR_INVALID, "'%.*s' is no name for a bucket", STR_ARG(bucket));
    return db_write(w.s3->db, insert_bucket, &w, err);
}

#define BUCKET "arn:aws:s3:::{Bucket}"

const ServiceOperation s3_bucket_operations[] = {
    {"CreateBucket", create_bucket, .resource = BUCKET, .flags = OPERATION_WRITES},
    {"DeleteBucket", delete_bucket, .resource = BUCKET, .flags = OPERATION_WRITES},
    {"HeadBucket", head_bucket, .resource = BUCKET, .action = "s3:ListBucket",
     .flags = OPERATION_ANONYMOUS},
    {"GetBucketLocation", get_bucket_location, .resource = BUCKET},
    {"ListBuckets", list_buckets, .resource = "*", .action = "s3:ListAllMyBuckets"},
    {0},
};
