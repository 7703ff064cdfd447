/* Lifecycle rules: what is too old goes.
 *
 * As on AWS a day ends at midnight UTC: an object of `Days` 1 goes at the first midnight that is at least a
 * day after it was made.  All versions of a bucket are walked, newest first within a key; what is due is removed
 * in transactions of a page each, which look again whether it is still the version that was seen.
 * Transitions to other storage classes are kept and have no effect: there is one kind of disk here. */

#include "service/s3/walk.h"

#include <math.h>

enum { PAGE = 1000 };

typedef struct Due { /* a version to be removed */
    Str key, version;
    int64_t age;
    bool current;
} Due;

typedef struct Expiry {
    S3 *s3;
    double now;
    Str bucket_name;
    Arena *arena;
    S3Bucket bucket;
    const Json *rules;
    S3Walk walk;
    Due *due;
    size_t n_due;
    /* of the key that is walked */
    Str key;
    double newer; /* when the version before was made: since then this one is not current */
    int64_t n_noncurrent;
    /* a marker that is current, when nothing was seen behind it yet */
    Due marker;
    bool has_marker;
    Str last_key;
    int64_t last_age;
    S3Bytes *forgotten;
} Expiry;

static bool tag_is_set(const S3Row *row, const Json *tag, Arena *arena)
{
    const Json *tags;
    if (!row->tags.len || !json_parse(row->tags, arena, &tags, NULL)) return false;
    for (size_t i = 0; i < tags->n; i++)
        if (str_eq(json_get_text(tags->items[i], "Key"), json_get_text(tag, "Key")) &&
            str_eq(json_get_text(tags->items[i], "Value"), json_get_text(tag, "Value")))
            return true;
    return false;
}

static bool conditions_hold(const Json *filter, const S3Row *row, Arena *arena)
{
    const Json *tag = json_get(filter, "Tag"), *tags = json_get(filter, "Tags");
    if (!str_starts(row->key, json_get_text(filter, "Prefix"))) return false;
    if (tag && !tag_is_set(row, tag, arena)) return false;
    for (size_t i = 0; tags && i < tags->n; i++)
        if (!tag_is_set(row, tags->items[i], arena)) return false;
    return row->size > json_get_int(filter, "ObjectSizeGreaterThan", -1) &&
           row->size < json_get_int(filter, "ObjectSizeLessThan", INT64_MAX);
}

static bool applies(const Json *rule, const S3Row *row, Arena *arena)
{
    const Json *filter = json_get(rule, "Filter"), *all = json_get(filter, "And");
    return str_is(json_get_text(rule, "Status"), "Enabled") &&
           str_starts(row->key, json_get_text(rule, "Prefix")) &&
           conditions_hold(filter, row, arena) && (!all || conditions_hold(all, row, arena));
}

/* `days` after `time`, and on to midnight. */
static bool is_over(double time, int64_t days, double now)
{
    return now >= (floor((time + (double)days * 86400) / 86400) + 1) * 86400;
}

static bool is_due(Expiry *e, const S3Row *row)
{
    for (size_t i = 0; i < e->rules->n; i++) {
        const Json *rule = e->rules->items[i];
        if (!applies(rule, row, e->arena)) continue;
        if (row->current && !row->marker) {
            const Json *expiration = json_get(rule, "Expiration");
            int64_t days = json_get_int(expiration, "Days", 0);
            double date = json_get_double(expiration, "Date", 0);
            if ((days > 0 && is_over(row->modified, days, e->now)) || (date > 0 && e->now >= date))
                return true;
        } else if (!row->current) {
            const Json *expiration = json_get(rule, "NoncurrentVersionExpiration");
            int64_t days = json_get_int(expiration, "NoncurrentDays", 0);
            if (days > 0 &&
                e->n_noncurrent > json_get_int(expiration, "NewerNoncurrentVersions", 0) &&
                is_over(e->newer, days, e->now))
                return true;
        }
    }
    return false;
}

static bool markers_go(const Expiry *e, Str key)
{
    S3Row row = {.key = key};
    for (size_t i = 0; i < e->rules->n; i++) {
        const Json *expiration = json_get(e->rules->items[i], "Expiration");
        if (json_get_bool(expiration, "ExpiredObjectDeleteMarker", false) &&
            applies(e->rules->items[i], &row, e->arena))
            return true;
    }
    return false;
}

static void add_due(Expiry *e, Due due)
{
    e->due[e->n_due++] = due;
}

/* A marker with nothing behind it only says that nothing is there. */
static void marker_alone(Expiry *e)
{
    if (e->has_marker && markers_go(e, e->marker.key)) add_due(e, e->marker);
    e->has_marker = false;
}

static void look_at(Expiry *e, const S3Row *row)
{
    if (!str_eq(row->key, e->key)) {
        marker_alone(e);
        e->key = row->key;
        e->n_noncurrent = 0;
        e->newer = e->now;
    } else {
        e->has_marker = false;
    }
    if (!row->current) e->n_noncurrent++;
    Due due = {row->key, row->version, row->age, row->current};
    if (is_due(e, row)) add_due(e, due);
    if (row->current && row->marker) {
        e->marker = due;
        e->has_marker = true;
    }
    e->newer = row->modified;
}

static bool read_page(void *arg, DbTx *tx, Error *err)
{
    Expiry *e = arg;
    Str text;
    const Json *document;
    if (!s3_bucket_load(tx, e->s3, e->bucket_name, e->arena, &e->bucket, err) ||
        !s3_setting_load(tx, &e->bucket, "lifecycle", e->arena, &text, err))
        return false;
    e->walk.n = 0;
    e->walk.truncated = false;
    if (!text.ptr) return true;
    if (!json_parse(text, e->arena, &document, err)) return false;
    e->rules = json_get(document, "Rules");
    if (!e->rules) return true;
    e->walk = (S3Walk){.bucket = &e->bucket,
                       .after = e->last_key,
                       .after_age = e->last_age,
                       .versions = true,
                       .max = PAGE,
                       .arena = e->arena};
    return s3_walk(tx, &e->walk, err);
}

static bool remove_due(void *arg, DbTx *tx, Error *err)
{
    Expiry *e = arg;
    if (!s3_bucket_load(tx, e->s3, e->bucket_name, e->arena, &e->bucket, err)) return false;
    for (size_t i = 0; i < e->n_due; i++) {
        const Due *due = &e->due[i];
        S3Row row;
        S3Removed removed;
        Error own = {0};
        e->forgotten[i] = (S3Bytes){0};
        if (!s3_row_load(tx, &e->bucket, due->key, due->version, e->arena, &row, &own)) {
            if (own.kind == ERROR_NOT_FOUND) continue;
            return error_set(err, own.kind, "%s", own.text);
        }
        if (row.age != due->age || row.current != due->current) continue;
        bool by_version = !due->current || row.marker;
        if (!s3_row_remove(tx, &e->bucket, due->key, by_version ? due->version : (Str){0}, e->now,
                           e->arena, &removed, err))
            return false;
        e->forgotten[i] = removed.forgotten;
    }
    return true;
}

static bool expire_bucket(S3 *s3, Str name, double now, Error *err)
{
    ARENA(kept);
    Expiry state = {.s3 = s3, .now = now, .bucket_name = name};
    for (bool more = true; more && !__atomic_load_n(&s3->closing, __ATOMIC_RELAXED);) {
        ARENA(arena);
        Expiry e = state;
        e.arena = &arena;
        /* A marker of the page before may come first, so one more than a page. */
        e.due = arena_array(&arena, Due, PAGE + 2);
        if (!db_read(s3->db, read_page, &e, err)) return false;
        for (size_t i = 0; i < e.walk.n; i++) look_at(&e, &e.walk.items[i].row);
        more = e.walk.truncated;
        if (!more) marker_alone(&e);
        if (e.n_due) {
            e.forgotten = arena_array(&arena, S3Bytes, e.n_due);
            if (!db_write(s3->db, remove_due, &e, err)) return false;
            for (size_t i = 0; i < e.n_due; i++) {
                s3_cache_drop(s3->cache, name, e.due[i].key);
                s3_unlink(s3, e.forgotten[i]);
            }
        }
        if (!more) break;
        const S3Row *last = &e.walk.items[e.walk.n - 1].row;
        ARENA(next);
        state.key = arena_str(&next, e.key);
        state.last_key = arena_str(&next, last->key);
        state.marker = e.marker;
        state.marker.key = arena_str(&next, e.marker.key);
        state.marker.version = arena_str(&next, e.marker.version);
        state.has_marker = e.has_marker;
        state.newer = e.newer;
        state.n_noncurrent = e.n_noncurrent;
        state.last_age = last->age;
        arena_clear(&kept);
        kept = next;
        next = (Arena){0};
    }
    return true;
}

/* ---- uploads that were begun and never ended ---- */

typedef struct OldUploads {
    S3 *s3;
    Str bucket_name;
    Arena *arena;
    double now;
    struct {
        Str id, key;
    } list[PAGE];
    size_t n;
} OldUploads;

static bool find_uploads(void *arg, DbTx *tx, Error *err)
{
    OldUploads *old = arg;
    S3Bucket bucket;
    Str text;
    const Json *document;
    Error end = {0};
    if (!s3_bucket_load(tx, old->s3, old->bucket_name, old->arena, &bucket, err) ||
        !s3_setting_load(tx, &bucket, "lifecycle", old->arena, &text, err))
        return false;
    if (!text.ptr || !json_parse(text, old->arena, &document, err)) return !text.ptr;
    const Json *rules = json_get(document, "Rules");
    DB_ROWS(rows);
    if (!db_query(
            tx, &rows, err,
            "SELECT id, key, created FROM s3_upload WHERE bucket = ? ORDER BY created LIMIT 10000",
            "i", bucket.id))
        return false;
    while (old->n < PAGE && db_next(&rows, &end)) {
        S3Row row = {.key = arena_str(old->arena, db_text(&rows, 1))};
        for (size_t i = 0; rules && i < rules->n; i++) {
            int64_t days = json_get_int(json_get(rules->items[i], "AbortIncompleteMultipartUpload"),
                                        "DaysAfterInitiation", 0);
            if (days <= 0 || !applies(rules->items[i], &row, old->arena) ||
                !is_over(db_real(&rows, 2), days, old->now))
                continue;
            old->list[old->n].id = arena_str(old->arena, db_text(&rows, 0));
            old->list[old->n++].key = row.key;
            break;
        }
    }
    return end.kind == ERROR_NONE || error_set(err, end.kind, "%s", end.text);
}

static bool expire_uploads(S3 *s3, Str name, double now, Error *err)
{
    ARENA(arena);
    OldUploads *old = arena_new(&arena, OldUploads);
    *old = (OldUploads){.s3 = s3, .bucket_name = name, .arena = &arena, .now = now};
    if (!db_read(s3->db, find_uploads, old, err)) return false;
    for (size_t i = 0; i < old->n; i++) {
        Error own = {0};
        if (!s3_upload_abort(s3, name, old->list[i].key, old->list[i].id, &own) &&
            own.kind != ERROR_NOT_FOUND)
            return error_set(err, own.kind, "%s", own.text);
    }
    return true;
}

/* ---- all buckets ---- */

typedef struct Names {
    Arena *arena;
    Str *list;
    size_t n;
} Names;

static bool buckets_with_rules(void *arg, DbTx *tx, Error *err)
{
    Names *names = arg;
    Error end = {0};
    DB_ROWS(rows);
    if (!db_query(
            tx, &rows, err,
            "SELECT b.name FROM s3_setting s JOIN s3_bucket b ON b.id = s.bucket WHERE s.name = 'lifecycle'",
            ""))
        return false;
    while (db_next(&rows, &end)) {
        names->list = arena_grow(names->arena, names->list, names->n, names->n + 1,
                                 sizeof *names->list);
        names->list[names->n++] = arena_str(names->arena, db_text(&rows, 0));
    }
    return end.kind == ERROR_NONE || error_set(err, end.kind, "%s", end.text);
}

bool s3_expire(S3 *s3, double now, Error *err)
{
    ARENA(arena);
    Names names = {.arena = &arena};
    if (!db_read(s3->db, buckets_with_rules, &names, err)) return false;
    for (size_t i = 0; i < names.n; i++) {
        Error own = {0};
        /* A bucket that goes meanwhile takes its rules along. */
        if ((!expire_bucket(s3, names.list[i], now, &own) ||
             !expire_uploads(s3, names.list[i], now, &own)) &&
            own.kind != ERROR_NOT_FOUND)
            return error_set(err, own.kind, "bucket '%.*s': %s", STR_ARG(names.list[i]), own.text);
    }
    return true;
}
