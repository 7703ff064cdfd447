/* Buckets, versions of objects, settings: the rows, and the rules of versioning.
 *
 * A key's current version is in s3_object, the others in s3_version, newest first by `age`.  Putting and
 * removing move rows between the two, so that listing current objects never passes old versions. */

#include "service/s3/s3.h"

#include <math.h>

const char *const s3_schema[] = {
    "CREATE TABLE s3_bucket (id AUTO_ID, name TEXT NOT NULL UNIQUE, region TEXT NOT NULL, "
    "created DOUBLE PRECISION NOT NULL, versioning BIGINT NOT NULL)",
    "CREATE TABLE s3_setting (bucket BIGINT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, "
    "PRIMARY KEY (bucket, name))",
    "CREATE TABLE s3_object (bucket BIGINT NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL, age BIGINT NOT NULL, "
    "marker BIGINT NOT NULL, file BIGINT NOT NULL, small BIGINT NOT NULL, size BIGINT NOT NULL, "
    "etag TEXT NOT NULL, modified DOUBLE PRECISION NOT NULL, meta TEXT NOT NULL, tags TEXT, class TEXT, "
    "PRIMARY KEY (bucket, key)) WITHOUT ROWID",
    "CREATE TABLE s3_version (bucket BIGINT NOT NULL, key TEXT NOT NULL, version TEXT NOT NULL, age BIGINT NOT NULL, "
    "marker BIGINT NOT NULL, file BIGINT NOT NULL, small BIGINT NOT NULL, size BIGINT NOT NULL, "
    "etag TEXT NOT NULL, modified DOUBLE PRECISION NOT NULL, meta TEXT NOT NULL, tags TEXT, class TEXT, "
    "PRIMARY KEY (bucket, key, age)) WITHOUT ROWID",
    "CREATE TABLE s3_small (file BIGINT PRIMARY KEY, bytes BLOB NOT NULL)",
    "CREATE TABLE s3_upload (id TEXT PRIMARY KEY, bucket BIGINT NOT NULL, key TEXT NOT NULL, "
    "created DOUBLE PRECISION NOT NULL, document TEXT NOT NULL)",
    "CREATE INDEX s3_upload_key ON s3_upload (bucket, key, id)",
    "CREATE TABLE s3_part (upload TEXT NOT NULL, number BIGINT NOT NULL, file BIGINT NOT NULL, "
    "place BIGINT NOT NULL, size BIGINT NOT NULL, etag TEXT NOT NULL, modified DOUBLE PRECISION NOT NULL, "
    "sums TEXT NOT NULL, PRIMARY KEY (upload, number)) WITHOUT ROWID",
    "CREATE TABLE s3_counter (name TEXT PRIMARY KEY, n BIGINT NOT NULL)",
    NULL,
};

bool s3_bucket_load(DbTx *tx, S3 *s3, Str name, Arena *arena, S3Bucket *ret_bucket, Error *err)
{
    const S3Folder *folder = s3_folder_of(s3, name);
    if (folder) {
        *ret_bucket = (S3Bucket){.name = name,
                                 .region = str_of(s3->server->options->region),
                                 .created = s3_folder_created(folder),
                                 .folder = folder};
        return true;
    }
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(tx, &rows, err,
                  "SELECT id, region, created, versioning FROM s3_bucket WHERE name = ?", "t",
                  name))
        return false;
    if (!db_next(&rows, &end)) {
        if (end.kind == ERROR_NONE)
            return error_set(err, ERROR_NOT_FOUND, "The specified bucket does not exist");
        if (err) *err = end;
        return false;
    }
    *ret_bucket = (S3Bucket){.id = db_int(&rows, 0),
                             .name = name,
                             .region = arena_str(arena, db_text(&rows, 1)),
                             .created = db_real(&rows, 2),
                             .versioning = (S3Versioning)db_int(&rows, 3)};
    return true;
}

static Str keep(Arena *arena, Str s)
{
    return s.ptr ? arena_str(arena, s) : s;
}

bool s3_row_select(const DbRows *rows, Arena *arena, S3Row *ret_row)
{
    *ret_row = (S3Row){
        .key = keep(arena, db_text(rows, 0)),
        .version = keep(arena, db_text(rows, 1)),
        .age = db_int(rows, 2),
        .marker = db_int(rows, 3) != 0,
        .bytes = {db_int(rows, 4), db_int(rows, 5) != 0},
        .size = db_int(rows, 6),
        .etag = keep(arena, db_text(rows, 7)),
        .modified = db_real(rows, 8),
        .meta = keep(arena, db_text(rows, 9)),
        .tags = keep(arena, db_text(rows, 10)),
        .class_name = keep(arena, db_text(rows, 11)),
    };
    return true;
}

static bool one_row(DbRows *rows, Arena *arena, S3Row *ret_row, Error *err)
{
    Error end = {0};
    if (db_next(rows, &end)) return s3_row_select(rows, arena, ret_row);
    if (end.kind == ERROR_NONE)
        return error_set(err, ERROR_NOT_FOUND, "The specified key does not exist.");
    if (err) *err = end;
    return false;
}

static bool load_current(DbTx *tx, const S3Bucket *bucket, Str key, Arena *arena, S3Row *ret_row,
                         Error *err)
{
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err,
                  "SELECT " S3_ROW_COLUMNS " FROM s3_object WHERE bucket = ? AND key = ?", "it",
                  bucket->id, key) ||
        !one_row(&rows, arena, ret_row, err))
        return false;
    ret_row->current = true;
    return true;
}

bool s3_row_load(DbTx *tx, const S3Bucket *bucket, Str key, Str version, Arena *arena,
                 S3Row *ret_row, Error *err)
{
    Error own = {0};
    if (load_current(tx, bucket, key, arena, ret_row, &own)) {
        if (!version.len || str_eq(version, ret_row->version)) return true;
    } else if (!version.len || own.kind != ERROR_NOT_FOUND) {
        if (err) *err = own;
        return false;
    }
    DB_ROWS(rows);
    return db_query(tx, &rows, err,
                    "SELECT " S3_ROW_COLUMNS
                    " FROM s3_version WHERE bucket = ? AND key = ? AND version = ?",
                    "itt", bucket->id, key, version) &&
           one_row(&rows, arena, ret_row, err);
}

/* ---- conditions ---- */

/* True when the list (`"a", "b"` or *) names the etag. */
static bool etag_listed(Str list, Str etag)
{
    Str one;
    while (str_next(&list, ',', &one)) {
        one = s3_etag_bare(one);
        if (str_is(one, "*") || str_eq(one, etag)) return true;
    }
    return false;
}

const char *s3_conditions_read(const S3Conditions *c, const S3Row *row)
{
    double modified = floor(row->modified); /* dates of HTTP have whole seconds */
    if (c->if_match.len) {
        if (!etag_listed(c->if_match, row->etag)) return "PreconditionFailed";
    } else if (c->if_unmodified_since > 0 && modified > c->if_unmodified_since) {
        return "PreconditionFailed";
    }
    if (c->if_none_match.len) {
        if (etag_listed(c->if_none_match, row->etag)) return "NotModified";
    } else if (c->if_modified_since > 0 && modified <= c->if_modified_since) {
        return "NotModified";
    }
    return NULL;
}

const char *s3_conditions_write(const S3Conditions *c, const S3Row *row)
{
    bool there = row && !row->marker;
    if (c->if_none_match.len && there && etag_listed(c->if_none_match, row->etag))
        return "PreconditionFailed";
    if (!c->if_match.len) return NULL;
    if (!there) return "NoSuchKey";
    return etag_listed(c->if_match, row->etag) ? NULL : "PreconditionFailed";
}

/* ---- changes ---- */

static bool move_to_versions(DbTx *tx, const S3Bucket *bucket, Str key, Error *err)
{
    return db_run(tx, err,
                  "INSERT INTO s3_version (bucket, " S3_ROW_COLUMNS
                  ") SELECT bucket, " S3_ROW_COLUMNS " FROM s3_object WHERE bucket = ? AND key = ?",
                  "it", bucket->id, key);
}

/* Removes the version from s3_version when it is there. */
static bool drop_version(DbTx *tx, const S3Bucket *bucket, Str key, Str version, S3Bytes *ret_bytes,
                         bool *ret_marker, bool *ret_there, Error *err)
{
    int64_t age = 0;
    {
        DB_ROWS(rows);
        Error end = {0};
        if (!db_query(
                tx, &rows, err,
                "SELECT age, marker, file, small FROM s3_version WHERE bucket = ? AND key = ? AND version = ?",
                "itt", bucket->id, key, version))
            return false;
        if (!db_next(&rows, &end)) {
            *ret_there = false;
            if (end.kind != ERROR_NONE && err) *err = end;
            return end.kind == ERROR_NONE;
        }
        age = db_int(&rows, 0);
        *ret_marker = db_int(&rows, 1) != 0;
        *ret_bytes = (S3Bytes){db_int(&rows, 2), db_int(&rows, 3) != 0};
    }
    *ret_there = true;
    return db_run(tx, err, "DELETE FROM s3_version WHERE bucket = ? AND key = ? AND age = ?", "iti",
                  bucket->id, key, age) &&
           s3_bytes_forget(tx, *ret_bytes, err);
}

bool s3_row_put(DbTx *tx, const S3Bucket *bucket, S3Row *row, const S3Conditions *conditions,
                Arena *arena, S3Bytes *ret_forgotten, const char **ret_code, Error *err)
{
    S3Row old;
    Error own = {0};
    bool there = load_current(tx, bucket, row->key, arena, &old, &own);
    if (!there && own.kind != ERROR_NOT_FOUND) {
        if (err) *err = own;
        return false;
    }
    const char *refused = conditions ? s3_conditions_write(conditions, there ? &old : NULL) : NULL;
    if (refused) return s3_code(ret_code, err, refused);

    *ret_forgotten = (S3Bytes){0};
    row->current = true;
    row->age = -(int64_t)(row->modified * 1e6);
    if (there && row->age >= old.age) row->age = old.age - 1;
    if (bucket->versioning == VERSIONING_ENABLED)
        row->version = s3_new_version(arena);
    else
        row->version = STR("null");
    if (there && bucket->versioning != VERSIONING_NEVER && !str_eq(old.version, row->version)) {
        bool marker, had;
        if (!move_to_versions(tx, bucket, row->key, err)) return false;
        if (bucket->versioning == VERSIONING_SUSPENDED &&
            !drop_version(tx, bucket, row->key, row->version, ret_forgotten, &marker, &had, err))
            return false;
    } else if (there) {
        *ret_forgotten = old.bytes;
        if (!s3_bytes_forget(tx, old.bytes, err)) return false;
    }
    return db_run(
        tx, err,
        "INSERT INTO s3_object (bucket, " S3_ROW_COLUMNS
        ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (bucket, key) DO UPDATE SET version = excluded.version, age = excluded.age, "
        "marker = excluded.marker, file = excluded.file, small = excluded.small, size = excluded.size, "
        "etag = excluded.etag, modified = excluded.modified, meta = excluded.meta, tags = excluded.tags, "
        "class = excluded.class",
        "ittiiiiitdttt", bucket->id, row->key, row->version, row->age, (int64_t)row->marker,
        row->bytes.file, (int64_t)row->bytes.small, row->size, row->etag.ptr ? row->etag : STR(""),
        row->modified, row->meta.ptr ? row->meta : STR("{}"), row->tags, row->class_name);
}

static bool drop_current(DbTx *tx, const S3Bucket *bucket, const S3Row *row, Error *err)
{
    return db_run(tx, err, "DELETE FROM s3_object WHERE bucket = ? AND key = ?", "it", bucket->id,
                  row->key) &&
           s3_bytes_forget(tx, row->bytes, err);
}

/* The newest of the older versions becomes current again. */
static bool promote(DbTx *tx, const S3Bucket *bucket, Str key, Error *err)
{
    int64_t age = 0;
    {
        DB_ROWS(rows);
        Error end = {0};
        if (!db_query(
                tx, &rows, err,
                "SELECT age FROM s3_version WHERE bucket = ? AND key = ? ORDER BY age LIMIT 1",
                "it", bucket->id, key))
            return false;
        if (!db_next(&rows, &end)) {
            if (end.kind != ERROR_NONE && err) *err = end;
            return end.kind == ERROR_NONE;
        }
        age = db_int(&rows, 0);
    }
    return db_run(tx, err,
                  "INSERT INTO s3_object (bucket, " S3_ROW_COLUMNS
                  ") SELECT bucket, " S3_ROW_COLUMNS
                  " FROM s3_version WHERE bucket = ? AND key = ? AND age = ?",
                  "iti", bucket->id, key, age) &&
           db_run(tx, err, "DELETE FROM s3_version WHERE bucket = ? AND key = ? AND age = ?", "iti",
                  bucket->id, key, age);
}

bool s3_row_remove(DbTx *tx, const S3Bucket *bucket, Str key, Str version, double now, Arena *arena,
                   S3Removed *ret_removed, Error *err)
{
    S3Removed removed = {0};
    S3Row row;
    Error own = {0};
    bool there = load_current(tx, bucket, key, arena, &row, &own);
    if (!there && own.kind != ERROR_NOT_FOUND) {
        if (err) *err = own;
        return false;
    }
    if (!version.len && bucket->versioning != VERSIONING_NEVER) {
        S3Row marker = {.key = key, .marker = true, .modified = now};
        if (!s3_row_put(tx, bucket, &marker, NULL, arena, &removed.forgotten, NULL, err))
            return false;
        removed.marker = true;
        removed.version = marker.version;
        removed.existed = there && !row.marker;
    } else if (there && (!version.len || str_eq(version, row.version))) {
        if (!drop_current(tx, bucket, &row, err) ||
            (bucket->versioning != VERSIONING_NEVER && !promote(tx, bucket, key, err)))
            return false;
        removed = (S3Removed){row.marker, version.len ? row.version : (Str){0}, true, row.bytes};
    } else if (version.len) {
        removed.version = version;
        if (!drop_version(tx, bucket, key, version, &removed.forgotten, &removed.marker,
                          &removed.existed, err))
            return false;
    }
    *ret_removed = removed;
    return true;
}

/* ---- settings ---- */

bool s3_setting_load(DbTx *tx, const S3Bucket *bucket, const char *name, Arena *arena,
                     Str *ret_document, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(tx, &rows, err, "SELECT document FROM s3_setting WHERE bucket = ? AND name = ?",
                  "it", bucket->id, str_of(name)))
        return false;
    *ret_document = (Str){0};
    if (db_next(&rows, &end)) {
        *ret_document = arena_str(arena, db_text(&rows, 0));
    } else if (end.kind != ERROR_NONE) {
        if (err) *err = end;
        return false;
    }
    return true;
}

bool s3_setting_save(DbTx *tx, const S3Bucket *bucket, const char *name, Str document, Error *err)
{
    return db_run(tx, err,
                  "INSERT INTO s3_setting (bucket, name, document) VALUES (?, ?, ?) "
                  "ON CONFLICT (bucket, name) DO UPDATE SET document = excluded.document",
                  "itt", bucket->id, str_of(name), document);
}

typedef struct Setting {
    S3 *s3;
    Str bucket;
    const char *name;
    Arena *arena;
    Str document;
} Setting;

static bool load_setting(void *arg, DbTx *tx, Error *err)
{
    Setting *setting = arg;
    S3Bucket bucket;
    return s3_bucket_load(tx, setting->s3, setting->bucket, setting->arena, &bucket, err) &&
           s3_setting_load(tx, &bucket, setting->name, setting->arena, &setting->document, err);
}

bool s3_setting_of(S3 *s3, Str bucket, const char *name, Arena *arena, Str *ret_document,
                   Error *err)
{
    Setting setting = {s3, bucket, name, arena, {0}};
    if (!db_read(s3->db, load_setting, &setting, err)) return false;
    *ret_document = setting.document;
    return true;
}
