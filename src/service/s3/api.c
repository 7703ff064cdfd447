/* The object store for the other services; see objects.h. */

#include "service/s3/put.h"
#include "service/s3/walk.h"

#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>

bool s3_address(Str uri, Str *ret_bucket, Str *ret_key)
{
    if (!str_starts(uri, STR("s3://"))) return false;
    uri = str_from(uri, 5);
    size_t slash = str_find(uri, '/');
    Str bucket = str_slice(uri, 0, slash);
    if (s3_bucket_name_check(bucket)) return false;
    *ret_bucket = bucket;
    *ret_key = slash < uri.len ? str_from(uri, slash + 1) : STR("");
    return true;
}

/* ---- paths ----
 * Small objects have no file; when somebody asks for a path they get one, durably, and the database gives the bytes
 * up.  The file has a number of its own, so that a crash in between leaves only garbage for the sweep. */

typedef struct Unpack {
    S3 *s3;
    const S3Bucket *bucket;
    S3Row *rows;
    size_t n;
    int64_t *files; /* the new numbers; 0: the row has no small bytes */
    Str *bytes;
    Arena *arena;
    bool *moved;
} Unpack;

static bool load_small(void *arg, DbTx *tx, Error *err)
{
    Unpack *u = arg;
    for (size_t i = 0; i < u->n; i++) {
        if (!u->rows[i].bytes.small) continue;
        DB_ROWS(rows);
        Error end = {0};
        if (!db_query(tx, &rows, err, "SELECT bytes FROM s3_small WHERE file = ?", "i",
                      u->rows[i].bytes.file))
            return false;
        if (db_next(&rows, &end))
            u->bytes[i] = arena_str(u->arena, db_text(&rows, 0));
        else if (end.kind != ERROR_NONE)
            return error_set(err, end.kind, "%s", end.text);
    }
    return true;
}

static bool move_small(void *arg, DbTx *tx, Error *err)
{
    Unpack *u = arg;
    for (size_t i = 0; i < u->n; i++) {
        int64_t old = u->rows[i].bytes.file;
        u->moved[i] = false;
        if (!u->files[i]) continue;
        if (!db_run(
                tx, err,
                "UPDATE s3_object SET file = ?, small = 0 WHERE bucket = ? AND key = ? AND file = ?",
                "iiti", u->files[i], u->bucket->id, u->rows[i].key, old))
            return false;
        if (!db_changed(tx)) continue; /* replaced meanwhile */
        if (!db_run(tx, err, "DELETE FROM s3_small WHERE file = ?", "i", old)) return false;
        u->moved[i] = true;
    }
    return true;
}

/* Gives every row of current objects a file.  Rows that were replaced meanwhile have none: file 0. */
static bool unpack(S3 *s3, const S3Bucket *bucket, S3Row *rows, size_t n, Error *err)
{
    ARENA(scratch);
    Unpack u = {s3,
                bucket,
                rows,
                n,
                arena_array(&scratch, int64_t, n),
                arena_array(&scratch, Str, n),
                &scratch,
                arena_array(&scratch, bool, n)};
    size_t small = 0;
    for (size_t i = 0; i < n; i++) small += rows[i].bytes.small;
    if (!small) return true;
    bool ok = db_read(s3->db, load_small, &u, err);
    for (size_t i = 0; ok && i < n; i++) {
        if (!rows[i].bytes.small || !u.bytes[i].ptr) continue;
        S3Writer writer;
        S3SumsEnd sums;
        ok = s3_writer_open(s3, S3_NO_SUM, (int64_t)u.bytes[i].len, false, &writer, err);
        if (!ok) break;
        ok = s3_writer_add(&writer, u.bytes[i], err) &&
             s3_writer_end(&writer, &scratch, &sums, err);
        if (ok) {
            u.files[i] = writer.file;
            s3_writer_keep(&writer);
        }
        s3_writer_drop(&writer);
    }
    if (ok) ok = db_write(s3->db, move_small, &u, err);
    for (size_t i = 0; i < n; i++) {
        if (!rows[i].bytes.small) continue;
        bool moved = ok && u.moved[i];
        if (u.files[i] && !moved) s3_unlink(s3, (S3Bytes){u.files[i], false});
        if (moved) s3_cache_drop(s3->cache, bucket->name, rows[i].key);
        rows[i].bytes = (S3Bytes){moved ? u.files[i] : 0, false};
    }
    return ok;
}

static void object_of(const S3 *s3, const S3Bucket *bucket, const S3Row *row, Str path,
                      Arena *arena, S3Object *ret_object)
{
    const Json *meta = NULL;
    json_parse(row->meta, arena, &meta, NULL);
    Str type = json_get_text(meta, "ContentType");
    *ret_object = (S3Object){
        .bucket = arena_str(arena, bucket->name),
        .key = arena_str(arena, row->key),
        .version = row->version,
        .etag = row->etag,
        .path = path.len ? path : str_of(s3_file_path(s3, row->bytes.file, arena)),
        .size = row->size,
        .modified = row->modified,
        .content_type = type.ptr ? type : STR("binary/octet-stream"),
    };
}

bool s3_find(Server *server, Str bucket, Str key, Arena *arena, S3Object *ret_object, Error *err)
{
    S3 *s3 = server->s3;
    for (int round = 0; round < 4; round++) {
        S3Find find = {.s3 = s3, .arena = arena, .bucket_name = bucket, .key = key};
        if (!s3_find_row(&find, err))
            return find.code ? error_set(err, ERROR_NOT_FOUND, "%s: s3://%.*s/%.*s",
                                         s3_message(find.code), STR_ARG(bucket), STR_ARG(key))
                             : false;
        if (find.row.marker)
            return error_set(err, ERROR_NOT_FOUND,
                             "The specified key does not exist: s3://%.*s/%.*s", STR_ARG(bucket),
                             STR_ARG(key));
        if (!find.path.len && !unpack(s3, &find.bucket, &find.row, 1, err)) return false;
        if (!find.path.len && !find.row.bytes.file) continue;
        object_of(s3, &find.bucket, &find.row, find.path, arena, ret_object);
        return true;
    }
    return error_set(err, ERROR_CONFLICT, "s3://%.*s/%.*s changes all the time", STR_ARG(bucket),
                     STR_ARG(key));
}

typedef struct Listing {
    S3 *s3;
    Str bucket_name;
    S3Bucket bucket;
    S3Walk walk;
} Listing;

static bool list_stretch(void *arg, DbTx *tx, Error *err)
{
    Listing *l = arg;
    if (!s3_bucket_load(tx, l->s3, l->bucket_name, l->walk.arena, &l->bucket, err)) return false;
    l->walk.bucket = &l->bucket;
    return s3_walk(tx, &l->walk, err);
}

bool s3_list(Server *server, Str bucket, Str prefix, size_t max, Arena *arena,
             S3Object **ret_objects, size_t *ret_n, Error *err)
{
    S3 *s3 = server->s3;
    S3Object *objects = NULL;
    size_t n = 0;
    Str after = {0};
    for (bool more = true; more && n < max;) {
        Listing l = {.s3 = s3, .bucket_name = bucket};
        l.walk = (S3Walk){
            .prefix = prefix, .after = after, .max = MIN(max - n, (size_t)1000), .arena = arena};
        if (!db_read(s3->db, list_stretch, &l, err))
            return error_in(err, "s3://%.*s", STR_ARG(bucket));
        S3Row *rows = arena_array(arena, S3Row, l.walk.n);
        for (size_t i = 0; i < l.walk.n; i++) rows[i] = l.walk.items[i].row;
        if (!l.bucket.folder && !unpack(s3, &l.bucket, rows, l.walk.n, err)) return false;
        objects = arena_grow(arena, objects, n, n + l.walk.n, sizeof *objects);
        for (size_t i = 0; i < l.walk.n; i++) {
            Str path = {0};
            S3Row row = rows[i];
            if (l.bucket.folder &&
                !s3_folder_find(&l.bucket, rows[i].key, arena, &row, &path, NULL))
                continue;
            if (!path.len && !row.bytes.file) { /* replaced since the listing */
                if (!s3_find(server, bucket, row.key, arena, &objects[n], err)) {
                    if (err->kind == ERROR_NOT_FOUND) continue;
                    return false;
                }
                n++;
                continue;
            }
            object_of(s3, &l.bucket, &row, path, arena, &objects[n++]);
        }
        more = l.walk.truncated;
        if (l.walk.n) after = l.walk.items[l.walk.n - 1].row.key;
    }
    *ret_objects = objects;
    *ret_n = n;
    return true;
}

/* ---- putting ---- */

static bool put_writer(S3 *s3, Str bucket, Str key, S3Writer *writer, Str content_type,
                       Arena *arena, Error *err)
{
    S3SumsEnd sums;
    S3Asked asked = {.kind = S3_NO_SUM};
    Json *meta = json_new_object(arena);
    if (!s3_writer_end(writer, arena, &sums, err)) return false;
    json_set_text(arena, meta, "ContentType",
                  content_type.len ? content_type : STR("binary/octet-stream"));
    s3_sums_members(arena, meta, &asked, &sums);
    S3Put put = {.s3 = s3, .bucket = bucket, .arena = arena, .writer = writer};
    put.row = (S3Row){.key = key,
                      .size = writer->size,
                      .etag = str_of(sums.etag),
                      .modified = floor(clock_wall() * 1000) / 1000,
                      .meta = json_text(arena, meta)};
    return s3_put_commit(&put, err);
}

bool s3_put_bytes(Server *server, Str bucket, Str key, Str bytes, Str content_type, Error *err)
{
    ARENA(arena);
    S3Writer writer;
    if (!s3_key_ok(key))
        return error_set(err, ERROR_INVALID, "'%.*s' is no key of an object", STR_ARG(key));
    if (!s3_writer_open(server->s3, S3_NO_SUM, (int64_t)bytes.len, true, &writer, err))
        return false;
    bool ok = s3_writer_add(&writer, bytes, err) &&
              put_writer(server->s3, bucket, key, &writer, content_type, &arena, err);
    s3_writer_drop(&writer);
    return ok || error_in(err, "storing s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
}

static bool copy_file(int fd, const char *path, S3Writer *writer, Error *err)
{
    for (;;) {
        size_t capacity;
        char *room = s3_writer_room(writer, &capacity, err);
        if (!room) return false;
        ssize_t n = read(fd, room, capacity);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_sys(err, errno, "reading '%s'", path);
        if (n == 0) return true;
        writer->n += (size_t)n;
    }
}

bool s3_put_file(Server *server, Str bucket, Str key, const char *path, bool may_take,
                 Str content_type, Error *err)
{
    ARENA(arena);
    S3Writer writer;
    struct stat status;
    if (!s3_key_ok(key))
        return error_set(err, ERROR_INVALID, "'%.*s' is no key of an object", STR_ARG(key));
    AUTO_FD int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) return error_sys(err, errno, "opening '%s'", path);
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_INVALID, "'%s' is not a regular file", path);
    /* A file that is given up and that nobody else has open for writing could be linked; its sums must be
     * read from it all the same, and small ones go to the database. */
    bool take = may_take && status.st_size > S3_SMALL_BYTES_MAX && status.st_nlink == 1;
    bool ok = take ? s3_writer_take(server->s3, fd, path, &writer, err)
                   : s3_writer_open(server->s3, S3_NO_SUM, status.st_size, true, &writer, err);
    if (!ok) return error_in(err, "storing s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    ok = (writer.taken || copy_file(fd, path, &writer, err)) &&
         put_writer(server->s3, bucket, key, &writer, content_type, &arena, err);
    s3_writer_drop(&writer);
    return ok || error_in(err, "storing s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
}
