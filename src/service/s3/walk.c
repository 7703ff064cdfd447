/* Rows are read in stretches from the index.  A group of keys that is rolled up costs what is left of the
 * stretch in which it begins; the next stretch begins behind the group, so a million keys under one common
 * prefix are not read. */

#include "service/s3/walk.h"

enum { STRETCH_FIRST = 64, STRETCH_AFTER_GROUP = 16, STRETCH_MAX = 1024 };

Str s3_after_group(Arena *arena, Str group)
{
    unsigned char last = (unsigned char)group.ptr[group.len - 1];
    if (last < 0x7f) {
        char *next = arena_cstr(arena, group);
        next[group.len - 1] = (char)(last + 1);
        return (Str){next, group.len};
    }
    /* Beyond ASCII the byte after next may not be UTF-8, which databases refuse; the last character that there is
     * serves as well. */
    return arena_format(arena, "%.*s\xf4\x8f\xbf\xbf\xf4\x8f\xbf\xbf", STR_ARG(group));
}

typedef struct From {
    Str key;
    bool inclusive;
    int64_t age; /* versions of `key` older than this one; with !inclusive only */
} From;

static bool fetch_objects(DbTx *tx, const S3Walk *walk, const From *from, size_t max, S3Row *rows,
                          size_t *ret_n, Error *err)
{
    DB_ROWS(found);
    Error end = {0};
    size_t n = 0;
    if (!db_query(
            tx, &found, err,
            from->inclusive
                ? "SELECT " S3_ROW_COLUMNS
                  " FROM s3_object WHERE bucket = ? AND key >= ? AND marker = 0 ORDER BY key LIMIT ?"
                : "SELECT " S3_ROW_COLUMNS
                  " FROM s3_object WHERE bucket = ? AND key > ? AND marker = 0 ORDER BY key LIMIT ?",
            "iti", walk->bucket->id, from->key, (int64_t)max))
        return false;
    while (n < max && db_next(&found, &end)) {
        s3_row_select(&found, walk->arena, &rows[n]);
        rows[n++].current = true;
    }
    *ret_n = n;
    return end.kind == ERROR_NONE || error_set(err, end.kind, "%s", end.text);
}

static bool fetch_versions(DbTx *tx, const S3Walk *walk, const From *from, size_t max, S3Row *rows,
                           size_t *ret_n, Error *err)
{
    DB_ROWS(found);
    Error end = {0};
    size_t n = 0;
    int64_t age = from->inclusive ? INT64_MIN : from->age ? from->age : INT64_MAX;
    if (!db_query(
            tx, &found, err,
            "SELECT " S3_ROW_COLUMNS
            ", 1 AS newest FROM s3_object WHERE bucket = ? AND (key, age) > (?, ?) "
            "UNION ALL SELECT " S3_ROW_COLUMNS
            ", 0 AS newest FROM s3_version WHERE bucket = ? AND (key, age) > (?, ?) ORDER BY key, age LIMIT ?",
            "itiitii", walk->bucket->id, from->key, age, walk->bucket->id, from->key, age,
            (int64_t)max))
        return false;
    while (n < max && db_next(&found, &end)) {
        s3_row_select(&found, walk->arena, &rows[n]);
        rows[n++].current = db_int(&found, 12) != 0;
    }
    *ret_n = n;
    return end.kind == ERROR_NONE || error_set(err, end.kind, "%s", end.text);
}

static bool fetch(DbTx *tx, const S3Walk *walk, const From *from, size_t max, S3Row **ret_rows,
                  size_t *ret_n, Error *err)
{
    if (walk->bucket->folder)
        return s3_folder_rows(walk->bucket, from->key, from->inclusive, max, walk->arena, ret_rows,
                              ret_n, err);
    *ret_rows = arena_array(walk->arena, S3Row, max);
    return walk->versions ? fetch_versions(tx, walk, from, max, *ret_rows, ret_n, err)
                          : fetch_objects(tx, walk, from, max, *ret_rows, ret_n, err);
}

/* The end of the first delimiter behind the prefix, or 0. */
static size_t group_end(const S3Walk *walk, Str key)
{
    Str d = walk->delimiter;
    for (size_t i = walk->prefix.len; d.len && i + d.len <= key.len; i++)
        if (memcmp(key.ptr + i, d.ptr, d.len) == 0) return i + d.len;
    return 0;
}

bool s3_walk(DbTx *tx, S3Walk *walk, Error *err)
{
    From from = {walk->prefix.ptr ? walk->prefix : STR(""), true, 0};
    if (walk->after.len && walk->after_group &&
        str_compare(s3_after_group(walk->arena, walk->after), from.key) > 0)
        from.key = s3_after_group(walk->arena, walk->after);
    else if (walk->after.len && !walk->after_group && str_compare(walk->after, from.key) >= 0)
        from = (From){walk->after, false, walk->after_age};
    walk->items = arena_array(walk->arena, S3WalkItem, walk->max);
    walk->n = 0;
    walk->truncated = false;
    if (!walk->max) return true;
    size_t stretch = walk->delimiter.len ? STRETCH_FIRST : walk->max + 1;
    for (;;) {
        S3Row *rows;
        size_t n;
        Str group = {0};
        if (!fetch(tx, walk, &from, stretch, &rows, &n, err)) return false;
        for (size_t i = 0; i < n; i++) {
            Str key = rows[i].key;
            if (!str_starts(key, walk->prefix)) return true;
            if (group.len && str_starts(key, group)) continue;
            group = str_slice(key, 0, group_end(walk, key));
            if (walk->n == walk->max) {
                walk->truncated = true;
                return true;
            }
            walk->items[walk->n++] = (S3WalkItem){.prefix = group, .row = rows[i]};
        }
        if (n < stretch) return true;
        from = group.len ? (From){s3_after_group(walk->arena, group), true, 0}
                         : (From){rows[n - 1].key, false, rows[n - 1].age};
        stretch = group.len ? STRETCH_AFTER_GROUP : MIN(stretch * 4, (size_t)STRETCH_MAX);
    }
}
