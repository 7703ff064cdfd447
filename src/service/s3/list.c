/* ListObjects, ListObjectsV2, ListObjectVersions. */

#include "service/s3/walk.h"

typedef struct ListWork {
    S3 *s3;
    Str bucket_name;
    S3Bucket bucket;
    S3Walk walk;
    Str after_version;
    const char *code;
} ListWork;

static bool walk_bucket(void *arg, DbTx *tx, Error *err)
{
    ListWork *w = arg;
    Error own = {0};
    if (!s3_bucket_load(tx, w->s3, w->bucket_name, w->walk.arena, &w->bucket, &own)) {
        if (own.kind == ERROR_NOT_FOUND) return s3_code(&w->code, err, "NoSuchBucket");
        *err = own;
        return false;
    }
    w->walk.bucket = &w->bucket;
    if (w->after_version.len) {
        S3Row row;
        if (s3_row_load(tx, &w->bucket, w->walk.after, w->after_version, w->walk.arena, &row, &own))
            w->walk.after_age = row.age;
        else if (own.kind != ERROR_NOT_FOUND)
            return error_set(err, own.kind, "%s", own.text);
    }
    return s3_walk(tx, &w->walk, err);
}

typedef struct Page { /* what the three operations have in common */
    Call *call;
    ListWork work;
    bool url; /* keys are URL-encoded */
    int64_t max;
} Page;

static Str text_of(const Page *page, Str text)
{
    return page->url ? s3_url_encode(page->call->arena, text) : text;
}

static bool page_begin(Page *page, Call *call, Error *err)
{
    Str encoding = call_text(call, "EncodingType");
    *page = (Page){.call = call,
                   .url = str_is(encoding, "url"),
                   .max = json_get_int(call->in, "MaxKeys", S3_LIST_MAX)};
    if (!s3_owner_expected(call, err)) return false;
    if (encoding.len && !page->url)
        return call_error_status(call, err, 400, "InvalidArgument",
                                 "Invalid Encoding Method specified in Request");
    if (page->max < 0)
        return call_error_status(call, err, 400, "InvalidArgument",
                                 "Argument maxKeys must be an integer between 0 and 2147483647");
    page->work = (ListWork){.s3 = s3_of(call), .bucket_name = call_text(call, "Bucket")};
    page->work.walk = (S3Walk){.prefix = call_text(call, "Prefix"),
                               .delimiter = call_text(call, "Delimiter"),
                               .max = (size_t)MIN(page->max, S3_LIST_MAX),
                               .arena = call->arena};
    return true;
}

static bool page_walk(Page *page, Error *err)
{
    Call *call = page->call;
    S3Walk *walk = &page->work.walk;
    if (!db_read(page->work.s3->db, walk_bucket, &page->work, err))
        return s3_fail(call, err, page->work.code);
    Json *out = call->out, *prefixes = json_new_array(call->arena);
    json_set_text(call->arena, out, "Name", page->work.bucket_name);
    json_set_text(call->arena, out, "Prefix",
                  walk->prefix.ptr ? text_of(page, walk->prefix) : STR(""));
    if (walk->delimiter.len)
        json_set_text(call->arena, out, "Delimiter", text_of(page, walk->delimiter));
    if (page->url) json_set_text(call->arena, out, "EncodingType", STR("url"));
    json_set_int(call->arena, out, "MaxKeys", page->max > S3_LIST_MAX ? S3_LIST_MAX : page->max);
    json_set_bool(call->arena, out, "IsTruncated", walk->truncated);
    for (size_t i = 0; i < walk->n; i++) {
        if (!walk->items[i].prefix.len) continue;
        Json *line = json_new_object(call->arena);
        json_set_text(call->arena, line, "Prefix", text_of(page, walk->items[i].prefix));
        json_push(call->arena, prefixes, line);
    }
    if (prefixes->n) json_set(call->arena, out, "CommonPrefixes", prefixes);
    return true;
}

static Json *line_of(const Page *page, const S3Row *row, bool owner)
{
    Call *call = page->call;
    Json *line = json_new_object(call->arena);
    json_set_text(call->arena, line, "Key", text_of(page, row->key));
    json_set_double(call->arena, line, "LastModified", row->modified);
    if (!row->marker) {
        json_set_text(call->arena, line, "ETag", s3_quoted(call->arena, row->etag));
        json_set_int(call->arena, line, "Size", row->size);
        json_set_text(call->arena, line, "StorageClass",
                      row->class_name.len ? row->class_name : STR("STANDARD"));
        const Json *meta;
        if (json_parse(row->meta, call->arena, &meta, NULL))
            for (const int *kind = s3_sum_kinds; *kind != S3_NO_SUM; kind++) {
                if (!json_get(meta, s3_sum_member(*kind))) continue;
                Json *names = json_new_array(call->arena);
                json_push(call->arena, names,
                          json_new_text(call->arena, str_of(s3_sum_name(*kind))));
                json_set(call->arena, line, "ChecksumAlgorithm", names);
                json_set(call->arena, line, "ChecksumType", json_get(meta, "ChecksumType"));
            }
    }
    if (owner) json_set(call->arena, line, "Owner", s3_owner(call));
    return line;
}

static void page_contents(const Page *page, bool owner)
{
    const S3Walk *walk = &page->work.walk;
    Json *lines = json_new_array(page->call->arena);
    for (size_t i = 0; i < walk->n; i++)
        if (!walk->items[i].prefix.len)
            json_push(page->call->arena, lines, line_of(page, &walk->items[i].row, owner));
    if (lines->n) json_set(page->call->arena, page->call->out, "Contents", lines);
}

static Str last_of(const S3Walk *walk)
{
    const S3WalkItem *last = &walk->items[walk->n - 1];
    return last->prefix.len ? last->prefix : last->row.key;
}

static bool list_objects(Call *call, Error *err)
{
    Page page;
    if (!page_begin(&page, call, err)) return false;
    S3Walk *walk = &page.work.walk;
    walk->after = call_text(call, "Marker");
    walk->after_group = walk->delimiter.len && str_ends(walk->after, walk->delimiter) &&
                        walk->after.len > walk->prefix.len;
    if (!page_walk(&page, err)) return false;
    page_contents(&page, true);
    json_set_text(call->arena, call->out, "Marker",
                  walk->after.ptr ? text_of(&page, walk->after) : STR(""));
    if (walk->truncated && walk->delimiter.len)
        json_set_text(call->arena, call->out, "NextMarker", text_of(&page, last_of(walk)));
    return true;
}

/* A continuation token says what was given last: "k" and a key, or "g" and a common prefix. */
static bool token_read(Arena *arena, Str token, S3Walk *walk)
{
    Str bytes;
    if (!base64_bytes(arena, token, &bytes) || bytes.len < 2 ||
        (bytes.ptr[0] != 'k' && bytes.ptr[0] != 'g') || !s3_key_ok(str_from(bytes, 1)))
        return false;
    walk->after_group = bytes.ptr[0] == 'g';
    walk->after = str_from(bytes, 1);
    return true;
}

static bool list_objects_v2(Call *call, Error *err)
{
    Page page;
    if (!page_begin(&page, call, err)) return false;
    S3Walk *walk = &page.work.walk;
    Str start = call_text(call, "StartAfter"), token = call_text(call, "ContinuationToken");
    walk->after = start;
    if (token.ptr && !token_read(call->arena, token, walk))
        return call_error_status(call, err, 400, "InvalidArgument",
                                 "The continuation token provided is incorrect");
    if (!page_walk(&page, err)) return false;
    page_contents(&page, json_get_bool(call->in, "FetchOwner", false));
    json_set_int(call->arena, call->out, "KeyCount", (int64_t)walk->n);
    if (start.len) json_set_text(call->arena, call->out, "StartAfter", text_of(&page, start));
    if (token.len) json_set_text(call->arena, call->out, "ContinuationToken", token);
    if (walk->truncated) {
        const S3WalkItem *last = &walk->items[walk->n - 1];
        Str said = arena_format(call->arena, "%c%.*s", last->prefix.len ? 'g' : 'k',
                                STR_ARG(last_of(walk)));
        json_set_text(call->arena, call->out, "NextContinuationToken",
                      base64_text(call->arena, said));
    }
    return true;
}

static bool list_object_versions(Call *call, Error *err)
{
    Page page;
    if (!page_begin(&page, call, err)) return false;
    S3Walk *walk = &page.work.walk;
    walk->versions = true;
    walk->after = call_text(call, "KeyMarker");
    page.work.after_version = call_text(call, "VersionIdMarker");
    if (page.work.after_version.len && !walk->after.len)
        return call_error_status(call, err, 400, "InvalidArgument",
                                 "A version-id marker cannot be specified without a key marker.");
    walk->after_group = !page.work.after_version.len && walk->delimiter.len &&
                        str_ends(walk->after, walk->delimiter) &&
                        walk->after.len > walk->prefix.len;
    if (!page_walk(&page, err)) return false;
    Json *versions = json_new_array(call->arena), *markers = json_new_array(call->arena);
    for (size_t i = 0; i < walk->n; i++) {
        const S3Row *row = &walk->items[i].row;
        if (walk->items[i].prefix.len) continue;
        Json *line = line_of(&page, row, true);
        json_set_text(call->arena, line, "VersionId", row->version);
        json_set_bool(call->arena, line, "IsLatest", row->current);
        json_push(call->arena, row->marker ? markers : versions, line);
    }
    if (versions->n) json_set(call->arena, call->out, "Versions", versions);
    if (markers->n) json_set(call->arena, call->out, "DeleteMarkers", markers);
    json_set_text(call->arena, call->out, "KeyMarker",
                  walk->after.ptr ? text_of(&page, walk->after) : STR(""));
    json_set_text(call->arena, call->out, "VersionIdMarker",
                  page.work.after_version.ptr ? page.work.after_version : STR(""));
    if (walk->truncated) {
        const S3WalkItem *last = &walk->items[walk->n - 1];
        json_set_text(call->arena, call->out, "NextKeyMarker", text_of(&page, last_of(walk)));
        if (!last->prefix.len)
            json_set_text(call->arena, call->out, "NextVersionIdMarker", last->row.version);
    }
    return true;
}

#define BUCKET "arn:aws:s3:::{Bucket}"

const ServiceOperation s3_list_operations[] = {
    {"ListObjects", list_objects, .resource = BUCKET, .action = "s3:ListBucket",
     .flags = OPERATION_ANONYMOUS},
    {"ListObjectsV2", list_objects_v2, .resource = BUCKET, .action = "s3:ListBucket",
     .flags = OPERATION_ANONYMOUS},
    {"ListObjectVersions", list_object_versions, .resource = BUCKET,
     .action = "s3:ListBucketVersions", .flags = OPERATION_ANONYMOUS},
    {0},
};
