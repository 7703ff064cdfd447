/* PutObject, GetObject, HeadObject, DeleteObject, DeleteObjects, tags and ACLs of objects. */

#include "service/s3/put.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>

/* ---- PutObject ---- */

bool s3_key_check(Call *call, Error *err)
{
    Str key = call_text(call, "Key");
    if (key.len > S3_KEY_BYTES_MAX) return s3_fail(call, err, "KeyTooLongError");
    if (!s3_key_ok(key))
        return call_error_status(call, err, 400, "InvalidURI", "Couldn't parse the specified URI.");
    return true;
}

static bool put_object(Call *call, Error *err)
{
    S3Put put = {.s3 = s3_of(call), .bucket = call_text(call, "Bucket"), .arena = call->arena};
    S3Asked asked;
    Json *meta = json_new_object(call->arena);
    put.row.key = call_text(call, "Key");
    if (!s3_owner_expected(call, err) || !s3_key_check(call, err) ||
        !s3_meta_of_request(call, meta, &put.row, err) || !s3_asked_of_request(call, &asked, err))
        return false;
    put.conditions = s3_conditions_of(call, "");
    if (put.conditions.if_none_match.len && !str_is(str_trim(put.conditions.if_none_match), "*"))
        return s3_fail(call, err, "NotImplemented");
    int64_t length = call_body_length(call);
    if (length < 0 && http_field(call->http->request, STR("Transfer-Encoding")).ptr == NULL)
        return s3_fail(call, err, "MissingContentLength");
    if (length > S3_PUT_BYTES_MAX) return s3_fail(call, err, "EntityTooLarge");
    /* Long bodies are not read before the bucket is known to be there. */
    if (length > S3_PIECE_BYTES && !s3_bucket_need(call, put.bucket, NULL, err)) return false;

    S3Writer writer = {.fd = -1};
    S3SumsEnd sums;
    if (!s3_writer_open(put.s3, asked.kind, length, true, &writer, err)) return false;
    bool ok = s3_read_body(call, &asked, &writer, S3_PUT_BYTES_MAX, &sums, err);
    if (ok) {
        s3_sums_members(call->arena, meta, &asked, &sums);
        if (asked.kind != S3_NO_SUM && asked.kind != DIGEST_CRC64NVME)
            json_set_text(call->arena, meta, "Crc64", sums.crc64nvme);
        put.row.meta = json_text(call->arena, meta);
        put.row.etag = str_of(sums.etag);
        put.row.size = writer.size;
        put.row.modified = s3_now(call);
        put.writer = &writer;
        ok = s3_put_commit(&put, err) || s3_fail(call, err, put.code);
    }
    s3_writer_drop(&writer);
    if (!ok) return false;

    json_set_text(call->arena, call->out, "ETag", s3_quoted(call->arena, put.row.etag));
    s3_sums_members(call->arena, call->out, &asked, &sums);
    json_set(call->arena, call->out, "ServerSideEncryption",
             json_get(meta, "ServerSideEncryption"));
    if (put.found.versioning != VERSIONING_NEVER)
        json_set_text(call->arena, call->out, "VersionId", put.row.version);
    return true;
}

/* ---- GetObject, HeadObject ---- */

bool s3_find_row(S3Find *find, Error *err)
{
    find->code = NULL;
    return db_read(find->s3->db, s3_find_work, find, err);
}

bool s3_find_work(void *arg, DbTx *tx, Error *err)
{
    S3Find *find = arg;
    Error own = {0};
    if (!s3_bucket_load(tx, find->s3, find->bucket_name, find->arena, &find->bucket, &own)) {
        if (own.kind == ERROR_NOT_FOUND) return s3_code(&find->code, err, "NoSuchBucket");
        *err = own;
        return false;
    }
    if (find->bucket.folder) {
        if (find->version.len && !str_is(find->version, "null"))
            return s3_code(&find->code, err, "NoSuchVersion");
        return s3_folder_find(&find->bucket, find->key, find->arena, &find->row, &find->path,
                              &own) ||
               s3_code(&find->code, err, "NoSuchKey");
    }
    if (!s3_row_load(tx, &find->bucket, find->key, find->version, find->arena, &find->row, &own)) {
        if (own.kind == ERROR_NOT_FOUND)
            return s3_code(&find->code, err, find->version.len ? "NoSuchVersion" : "NoSuchKey");
        *err = own;
        return false;
    }
    if (!find->with_bytes || !find->row.bytes.small) return true;
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err, "SELECT bytes FROM s3_small WHERE file = ?", "i",
                  find->row.bytes.file))
        return false;
    if (!db_next(&rows, &own))
        return error_set(err, ERROR_INTERNAL, "the bytes of an object are missing");
    find->bytes = arena_str(find->arena, db_text(&rows, 0));
    return true;
}

/* Finds what a read asks for; refuses markers, and what the conditions exclude. */
static bool find_for_read(Call *call, S3Find *find, Error *err)
{
    find->s3 = s3_of(call);
    find->arena = call->arena;
    find->bucket_name = call_text(call, "Bucket");
    find->key = call_text(call, "Key");
    find->version = call_text(call, "VersionId");
    if (!s3_owner_expected(call, err)) return false;
    if (!s3_find_row(find, err)) return s3_fail(call, err, find->code);
    Str version = find->bucket.versioning != VERSIONING_NEVER ? find->row.version : (Str){0};
    if (find->row.marker) {
        call_field(call, STR("x-amz-delete-marker"), STR("true"));
        if (version.len) call_field(call, STR("x-amz-version-id"), version);
        if (!find->version.len) return s3_fail(call, err, "NoSuchKey");
        call_field(call, STR("Last-Modified"), s3_http_date(call->arena, find->row.modified));
        return s3_fail(call, err, "MethodNotAllowed");
    }
    return true;
}

static bool conditions_hold(Call *call, const S3Row *row, Error *err)
{
    S3Conditions conditions = s3_conditions_of(call, "");
    const char *refused = s3_conditions_read(&conditions, row);
    if (!refused) return true;
    if (strcmp(refused, "NotModified") == 0) {
        call_field(call, STR("ETag"), s3_quoted(call->arena, row->etag));
        call_field(call, STR("Last-Modified"), s3_http_date(call->arena, row->modified));
    }
    return s3_fail(call, err, refused);
}

/* The part of the object that is asked for, by Range or PartNumber. */
static bool choose_range(Call *call, const S3Row *row, const Json *meta, Json *out,
                         S3Range *ret_range, Error *err)
{
    *ret_range = (S3Range){0, row->size, false};
    int64_t part = json_get_int(call->in, "PartNumber", 0);
    Str range = call_text(call, "Range");
    if (part && range.len)
        return call_error_status(call, err, 400, "InvalidRequest",
                                 "Cannot specify both Range header and partNumber query parameter");
    if (part) {
        const Json *pieces = json_get(meta, "Parts");
        int64_t n = pieces ? (int64_t)pieces->n : 1, begin = 0, length = row->size;
        if (part > n || part < 1) return s3_fail(call, err, "InvalidPartNumber");
        for (int64_t i = 0; pieces && i < part; i++) {
            length = json_get_int(json_at(pieces, (size_t)i), "Size", 0);
            if (i + 1 < part) begin += length;
        }
        if (pieces) json_set_int(call->arena, out, "PartsCount", n);
        *ret_range = (S3Range){begin, length, row->size > 0};
    } else if (range.len) {
        Str if_range = call->http ? http_field(call->http->request, STR("If-Range")) : (Str){0};
        if (if_range.len && !str_eq(s3_etag_bare(if_range), row->etag) &&
            !str_eq(if_range, s3_http_date(call->arena, row->modified)))
            return true;
        if (!s3_range_parse(range, row->size, ret_range)) {
            call_field(call, STR("Content-Range"),
                       arena_format(call->arena, "bytes */%lld", (long long)row->size));
            return s3_fail(call, err, "InvalidRange");
        }
    }
    return true;
}

/* The members of GetObject's and HeadObject's answers. */
static void describe(Call *call, const S3Find *find, const Json *meta, const S3Range *range,
                     bool sums, Json *out)
{
    static const char *const kept[] = {
        "ContentType",         "CacheControl", "ContentDisposition", "ContentEncoding",
        "ContentLanguage",     "Expires",      "Metadata",           "WebsiteRedirectLocation",
        "ServerSideEncryption"};
    static const char *const asked[][2] = {
        {"ResponseCacheControl", "CacheControl"},
        {"ResponseContentDisposition", "ContentDisposition"},
        {"ResponseContentEncoding", "ContentEncoding"},
        {"ResponseContentLanguage", "ContentLanguage"},
        {"ResponseContentType", "ContentType"},
        {"ResponseExpires", "Expires"},
    };
    Arena *arena = call->arena;
    const S3Row *row = &find->row;
    for (size_t i = 0; i < COUNT(kept); i++) json_set(arena, out, kept[i], json_get(meta, kept[i]));
    for (size_t i = 0; i < COUNT(asked); i++)
        json_set(arena, out, asked[i][1], json_get(call->in, asked[i][0]));
    json_set_text(arena, out, "AcceptRanges", STR("bytes"));
    json_set_text(arena, out, "ETag", s3_quoted(arena, row->etag));
    json_set_double(arena, out, "LastModified", row->modified);
    if (row->class_name.len) json_set_text(arena, out, "StorageClass", row->class_name);
    if (find->bucket.versioning != VERSIONING_NEVER)
        json_set_text(arena, out, "VersionId", row->version);
    if (row->tags.len) {
        const Json *tags;
        if (json_parse(row->tags, arena, &tags, NULL))
            json_set_int(arena, out, "TagCount", (int64_t)tags->n);
    }
    if (range->partial)
        json_set_text(arena, out, "ContentRange",
                      arena_format(arena, "bytes %lld-%lld/%lld", (long long)range->begin,
                                   (long long)(range->begin + range->length - 1),
                                   (long long)row->size));
    bool whole = range->length == row->size;
    if (whole && sums) {
        for (const int *kind = s3_sum_kinds; *kind != S3_NO_SUM; kind++)
            json_set(arena, out, s3_sum_member(*kind), json_get(meta, s3_sum_member(*kind)));
        json_set(arena, out, "ChecksumType", json_get(meta, "ChecksumType"));
    }
}

int s3_open_bytes(const S3Find *find)
{
    ARENA(scratch);
    if (find->bucket.folder) return s3_folder_open(&find->bucket, find->key);
    return open(s3_file_path(find->s3, find->row.bytes.file, &scratch), O_RDONLY | O_CLOEXEC);
}

static bool is_plain(const Call *call)
{
    static const char *const special[] = {"VersionId",
                                          "Range",
                                          "PartNumber",
                                          "IfMatch",
                                          "IfNoneMatch",
                                          "IfModifiedSince",
                                          "IfUnmodifiedSince",
                                          "ResponseCacheControl",
                                          "ResponseContentDisposition",
                                          "ResponseContentEncoding",
                                          "ResponseContentLanguage",
                                          "ResponseContentType",
                                          "ResponseExpires"};
    for (size_t i = 0; i < COUNT(special); i++)
        if (json_get(call->in, special[i])) return false;
    return true;
}

/* Remembers the answer for quick.c: rendered, with the checksums behind the other fields. */
static void keep_answer(Call *call, const S3Find *find, const Json *meta, uint64_t generation)
{
    Json *out = json_new_object(call->arena);
    S3Range range = {0, find->row.size, false};
    WireAnswer answer = {0};
    describe(call, find, meta, &range, true, out);
    message_write(&call->route, out, call->request_id, call->arena, &answer);
    S3Kept kept = {.bucket = find->bucket_name,
                   .key = find->key,
                   .size = find->row.size,
                   .content_type = answer.content_type};
    for (int sums = 0; sums < 2; sums++)
        for (int i = 0; i < answer.n_fields; i++) {
            Str name = answer.fields[i].name;
            bool is_sum = str_starts(name, STR("x-amz-checksum-"));
            if (str_eq_nocase(name, STR("Content-Type")))
                kept.content_type = answer.fields[i].value;
            if (is_sum != (sums == 1) || str_eq_nocase(name, STR("Content-Type")) ||
                str_eq_nocase(name, STR("Content-Length")) ||
                str_eq_nocase(name, STR("x-amz-request-id")) ||
                str_eq_nocase(name, STR("x-amz-id-2")))
                continue;
            if (kept.n_fields == S3_KEPT_FIELDS) return;
            kept.fields[kept.n_fields++] = answer.fields[i];
            if (!is_sum) kept.n_plain = kept.n_fields;
        }
    if (find->row.bytes.small)
        kept.bytes = find->bytes;
    else
        kept.file = find->row.bytes.file;
    s3_cache_keep(find->s3->cache, generation, &kept);
}

static bool answer_object(Call *call, bool with_body, Error *err)
{
    S3Find find = {.with_bytes = with_body};
    AUTO_FD int fd = -1;
    uint64_t generation = 0;
    /* Between the look at the row and the open a newer object may have taken its place: look again. */
    for (int round = 0;; round++) {
        generation = s3_cache_generation(s3_of(call)->cache, call_text(call, "Bucket"),
                                         call_text(call, "Key"));
        if (!find_for_read(call, &find, err)) return false;
        if (!with_body || find.row.bytes.small) break;
        fd = s3_open_bytes(&find);
        if (fd >= 0) break;
        if (errno != ENOENT || round == 3)
            return error_sys(err, errno, "opening the bytes of an object");
    }
    if (!conditions_hold(call, &find.row, err)) return false;
    const Json *meta = NULL;
    if (!json_parse(find.row.meta, call->arena, &meta, err)) return false;
    if (find.bytes.ptr && !s3_crc_is(meta, find.bytes))
        return error_set(err, ERROR_INTERNAL,
                         "s3://%.*s/%.*s: the stored bytes have another checksum",
                         STR_ARG(find.bucket_name), STR_ARG(find.key));
    S3Range range;
    Json *out = call->out;
    if (!choose_range(call, &find.row, meta, out, &range, err)) return false;
    describe(call, &find, meta, &range, str_is(call_text(call, "ChecksumMode"), "ENABLED"), out);
    if (with_body && !find.bucket.folder && is_plain(call))
        keep_answer(call, &find, meta, generation);
    s3_answer_stream(call, &range, with_body, s3_steal_fd(&fd), find.bytes);
    return true;
}

static bool get_object(Call *call, Error *err)
{
    return answer_object(call, true, err);
}

static bool head_object(Call *call, Error *err)
{
    return answer_object(call, false, err);
}

/* ---- DeleteObject, DeleteObjects ---- */

typedef struct Remove {
    S3 *s3;
    Str bucket;
    Arena *arena;
    double now;
    size_t n;
    struct RemoveKey {
        Str key, version;
        S3Conditions conditions;
        bool skip;
        const char *code;
        S3Removed removed;
    } * keys;
    const char *code;
    S3Bucket found;
} Remove;

static bool remove_rows(void *arg, DbTx *tx, Error *err)
{
    Remove *r = arg;
    Error own = {0};
    if (!s3_bucket_load(tx, r->s3, r->bucket, r->arena, &r->found, &own)) {
        if (own.kind == ERROR_NOT_FOUND) return s3_code(&r->code, err, "NoSuchBucket");
        *err = own;
        return false;
    }
    if (r->found.folder) return s3_code(&r->code, err, "AccessDenied");
    for (size_t i = 0; i < r->n; i++) {
        struct RemoveKey *key = &r->keys[i];
        if (key->skip) continue;
        if (key->conditions.if_match.len) {
            S3Row row;
            bool there = s3_row_load(tx, &r->found, key->key, key->version, r->arena, &row, &own);
            if (!there && own.kind != ERROR_NOT_FOUND) {
                *err = own;
                return false;
            }
            key->code = s3_conditions_write(&key->conditions, there ? &row : NULL);
            if (key->code) continue;
        }
        if (!s3_row_remove(tx, &r->found, key->key, key->version, r->now, r->arena, &key->removed,
                           err))
            return false;
    }
    return true;
}

static bool remove_commit(Remove *r, Error *err)
{
    bool ok = db_write(r->s3->db, remove_rows, r, err);
    if (!ok && !r->code && err->kind == ERROR_LIMIT && s3_reserve_use(r->s3))
        ok = db_write(r->s3->db, remove_rows, r, err);
    if (!ok) return false;
    for (size_t i = 0; i < r->n; i++) {
        s3_cache_drop(r->s3->cache, r->bucket, r->keys[i].key);
        s3_unlink(r->s3, r->keys[i].removed.forgotten);
    }
    return true;
}

static bool delete_object(Call *call, Error *err)
{
    struct RemoveKey key = {.key = call_text(call, "Key"), .version = call_text(call, "VersionId")};
    Remove r = {s3_of(call), call_text(call, "Bucket"), call->arena, s3_now(call), 1, &key, NULL,
                {0}};
    if (!s3_owner_expected(call, err)) return false;
    if (key.version.len &&
        !call_authorize(call, "s3:DeleteObjectVersion", s3_arn(call, r.bucket, key.key), err))
        return false;
    key.conditions.if_match = call_text(call, "IfMatch");
    if (!remove_commit(&r, err)) return s3_fail(call, err, r.code);
    if (key.code) return s3_fail(call, err, key.code);
    if (key.removed.marker) json_set_bool(call->arena, call->out, "DeleteMarker", true);
    if (key.removed.version.len && r.found.versioning != VERSIONING_NEVER)
        json_set_text(call->arena, call->out, "VersionId", key.removed.version);
    return true;
}

static void delete_error(Call *call, Json *errors, const struct RemoveKey *key, const char *code,
                         const char *message)
{
    Json *line = json_new_object(call->arena);
    json_set_text(call->arena, line, "Key", key->key);
    if (key->version.len) json_set_text(call->arena, line, "VersionId", key->version);
    json_set_text(call->arena, line, "Code", str_of(code));
    json_set_text(call->arena, line, "Message", str_of(message));
    json_push(call->arena, errors, line);
}

static bool delete_objects(Call *call, Error *err)
{
    const Json *delete = json_get(call->in, "Delete"), *objects = json_get(delete, "Objects");
    bool quiet = json_get_bool(delete, "Quiet", false);
    Remove r = {s3_of(call),
                call_text(call, "Bucket"),
                call->arena,
                s3_now(call),
                objects ? objects->n : 0,
                NULL,
                NULL,
                {0}};
    if (!s3_owner_expected(call, err)) return false;
    if (r.n == 0 || r.n > S3_DELETE_MAX) return s3_fail(call, err, "MalformedXML");
    r.keys = arena_array(call->arena, struct RemoveKey, r.n);
    Json *errors = json_new_array(call->arena), *deleted = json_new_array(call->arena);
    for (size_t i = 0; i < r.n; i++) {
        struct RemoveKey *key = &r.keys[i];
        const Json *object = objects->items[i];
        key->key = json_get_text(object, "Key");
        key->version = json_get_text(object, "VersionId");
        key->conditions.if_match = json_get_text(object, "ETag");
        Error own = {0};
        key->skip = !call_authorize(call,
                                    key->version.len ? "s3:DeleteObjectVersion" : "s3:DeleteObject",
                                    s3_arn(call, r.bucket, key->key), &own);
        if (key->skip) delete_error(call, errors, key, "AccessDenied", "Access Denied");
    }
    call->code = NULL;
    call->status = 0;
    if (!remove_commit(&r, err)) return s3_fail(call, err, r.code);
    for (size_t i = 0; i < r.n; i++) {
        const struct RemoveKey *key = &r.keys[i];
        if (key->skip) continue;
        if (key->code) {
            delete_error(call, errors, key, key->code, s3_message(key->code));
            continue;
        }
        if (quiet) continue;
        Json *line = json_new_object(call->arena);
        json_set_text(call->arena, line, "Key", key->key);
        if (key->version.len) json_set_text(call->arena, line, "VersionId", key->version);
        if (key->removed.marker) {
            json_set_bool(call->arena, line, "DeleteMarker", true);
            if (key->removed.version.len)
                json_set_text(call->arena, line, "DeleteMarkerVersionId", key->removed.version);
        }
        json_push(call->arena, deleted, line);
    }
    if (deleted->n) json_set(call->arena, call->out, "Deleted", deleted);
    if (errors->n) json_set(call->arena, call->out, "Errors", errors);
    return true;
}

/* ---- changes of a row in place: tags, ACL ---- */

typedef struct Change {
    S3Find find;
    bool set_tags, set_meta;
    Str tags, meta;
    Str acl;
} Change;

static bool change_row(void *arg, DbTx *tx, Error *err)
{
    Change *change = arg;
    S3Find *find = &change->find;
    if (!s3_find_work(find, tx, err)) return false;
    if (find->bucket.folder) return s3_code(&find->code, err, "AccessDenied");
    if (find->row.marker)
        return s3_code(&find->code, err, find->version.len ? "MethodNotAllowed" : "NoSuchKey");
    if (change->set_meta) {
        const Json *old;
        if (!json_parse(find->row.meta, find->arena, &old, err)) return false;
        Json *meta = json_copy(find->arena, old);
        json_set_text(find->arena, meta, "ACL", change->acl);
        find->row.meta = json_text(find->arena, meta);
    }
    if (change->set_tags) find->row.tags = change->tags;
    if (find->row.current)
        return db_run(tx, err,
                      "UPDATE s3_object SET tags = ?, meta = ? WHERE bucket = ? AND key = ?",
                      "ttit", find->row.tags, find->row.meta, find->bucket.id, find->key);
    return db_run(
        tx, err,
        "UPDATE s3_version SET tags = ?, meta = ? WHERE bucket = ? AND key = ? AND age = ?",
        "ttiti", find->row.tags, find->row.meta, find->bucket.id, find->key, find->row.age);
}

static bool change_commit(Call *call, Change *change, Error *err)
{
    S3Find *find = &change->find;
    find->s3 = s3_of(call);
    find->arena = call->arena;
    find->bucket_name = call_text(call, "Bucket");
    find->key = call_text(call, "Key");
    find->version = call_text(call, "VersionId");
    if (!s3_owner_expected(call, err)) return false;
    if (!db_write(find->s3->db, change_row, change, err)) return s3_fail(call, err, find->code);
    s3_cache_drop(find->s3->cache, find->bucket_name, find->key);
    if (find->bucket.versioning != VERSIONING_NEVER)
        json_set_text(call->arena, call->out, "VersionId", find->row.version);
    return true;
}

static bool put_object_tagging(Call *call, Error *err)
{
    const Json *tags = json_path(call->in, "Tagging.TagSet");
    const char *code = s3_tags_check(tags, S3_TAGS_MAX);
    if (code) return s3_fail(call, err, code);
    Change change = {.set_tags = true};
    if (tags && tags->n) change.tags = json_text(call->arena, tags);
    return change_commit(call, &change, err);
}

static bool delete_object_tagging(Call *call, Error *err)
{
    Change change = {.set_tags = true};
    return change_commit(call, &change, err);
}

static bool get_object_tagging(Call *call, Error *err)
{
    S3Find find = {0};
    if (!find_for_read(call, &find, err)) return false;
    const Json *tags = json_new_array(call->arena);
    if (find.row.tags.len && !json_parse(find.row.tags, call->arena, &tags, err)) return false;
    json_set(call->arena, call->out, "TagSet", tags);
    if (find.bucket.versioning != VERSIONING_NEVER)
        json_set_text(call->arena, call->out, "VersionId", find.row.version);
    return true;
}

static bool get_object_acl(Call *call, Error *err)
{
    S3Find find = {0};
    const Json *meta;
    if (!find_for_read(call, &find, err) || !json_parse(find.row.meta, call->arena, &meta, err))
        return false;
    s3_acl_answer(call, json_get_text(meta, "ACL"));
    return true;
}

static bool put_object_acl(Call *call, Error *err)
{
    Change change = {.set_meta = true};
    return s3_acl_of_request(call, &change.acl, err) && change_commit(call, &change, err);
}

/* ---- GetObjectAttributes ---- */

static bool asks(const Call *call, const char *name)
{
    const Json *names = json_get(call->in, "ObjectAttributes");
    for (size_t i = 0; names && i < names->n; i++)
        if (str_is(str_trim(names->items[i]->text), name)) return true;
    return false;
}

static bool get_object_attributes(Call *call, Error *err)
{
    S3Find find = {0};
    const Json *meta;
    Arena *arena = call->arena;
    if (!find_for_read(call, &find, err) || !json_parse(find.row.meta, arena, &meta, err))
        return false;
    Json *out = call->out;
    json_set_double(arena, out, "LastModified", find.row.modified);
    if (find.bucket.versioning != VERSIONING_NEVER)
        json_set_text(arena, out, "VersionId", find.row.version);
    if (asks(call, "ETag")) json_set_text(arena, out, "ETag", find.row.etag);
    if (asks(call, "ObjectSize")) json_set_int(arena, out, "ObjectSize", find.row.size);
    if (asks(call, "StorageClass"))
        json_set_text(arena, out, "StorageClass",
                      find.row.class_name.len ? find.row.class_name : STR("STANDARD"));
    if (asks(call, "Checksum")) {
        Json *sums = json_new_object(arena);
        for (const int *kind = s3_sum_kinds; *kind != S3_NO_SUM; kind++)
            json_set(arena, sums, s3_sum_member(*kind), json_get(meta, s3_sum_member(*kind)));
        if (sums->n) json_set(arena, sums, "ChecksumType", json_get(meta, "ChecksumType"));
        if (sums->n) json_set(arena, out, "Checksum", sums);
    }
    const Json *pieces = json_get(meta, "Parts");
    if (asks(call, "ObjectParts") && pieces) {
        int64_t marker = json_get_int(call->in, "PartNumberMarker", 0);
        int64_t max = MIN(json_get_int(call->in, "MaxParts", S3_LIST_MAX), S3_LIST_MAX), n = 0;
        Json *lines = json_new_array(arena), *list = json_new_object(arena);
        bool more = false;
        for (size_t i = 0; i < pieces->n; i++) {
            int64_t number = json_get_int(pieces->items[i], "PartNumber", 0);
            if (number <= marker) continue;
            if (n == max) {
                more = true;
                break;
            }
            json_push(arena, lines, pieces->items[i]);
            json_set_int(arena, list, "NextPartNumberMarker", number);
            n++;
        }
        json_set_int(arena, list, "TotalPartsCount", (int64_t)pieces->n);
        json_set_int(arena, list, "PartNumberMarker", marker);
        json_set_int(arena, list, "MaxParts", max);
        json_set_bool(arena, list, "IsTruncated", more);
        json_set(arena, list, "Parts", lines);
        json_set(arena, out, "ObjectParts", list);
    }
    return true;
}

#define OBJECT "arn:aws:s3:::{Bucket}/{Key}"
#define ANYONE OPERATION_ANONYMOUS

const ServiceOperation s3_object_operations[] = {
    {"PutObject", put_object, .resource = OBJECT,
     .flags = OPERATION_DATA | OPERATION_STREAMS | ANYONE},
    {"GetObject", get_object, .resource = OBJECT, .flags = OPERATION_ANSWERS | ANYONE},
    {"HeadObject", head_object, .resource = OBJECT, .action = "s3:GetObject",
     .flags = OPERATION_ANSWERS | ANYONE},
    {"DeleteObject", delete_object, .resource = OBJECT, .flags = OPERATION_DATA | ANYONE},
    {"DeleteObjects", delete_objects, .resource = NULL, .flags = OPERATION_DATA | ANYONE},
    {"PutObjectTagging", put_object_tagging, .resource = OBJECT, .flags = OPERATION_DATA},
    {"GetObjectTagging", get_object_tagging, .resource = OBJECT, .flags = ANYONE},
    {"DeleteObjectTagging", delete_object_tagging, .resource = OBJECT, .flags = OPERATION_DATA},
    {"PutObjectAcl", put_object_acl, .resource = OBJECT, .flags = OPERATION_DATA},
    {"GetObjectAcl", get_object_acl, .resource = OBJECT, .flags = ANYONE},
    {"GetObjectAttributes", get_object_attributes, .resource = OBJECT, .flags = ANYONE},
    {0},
};
