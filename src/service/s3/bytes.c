/* The bytes of objects: written once, synced, never changed.
 *
 * A file is made under its final name.  Rule D1 asks for a temporary name and a rename, so that nobody sees
 * half a file; here nobody looks at a file before a row names it, numbers are never used twice, and what
 * no row names is removed at the next start, so the rename would buy nothing.
 *
 * Bytes up to S3_SMALL_BYTES_MAX go into the database with the row: one sync makes a whole group of them
 * durable, where each file costs two.  s3_find makes a file of them when somebody asks for a path.
 *
 * MD5 is the slowest thing that happens to a long body, so it has a thread of its own while a body is
 * longer than HASH_APART bytes: pieces go round between the two. */

#include "service/s3/s3.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum {
    PIECES = 4,
    HASH_APART = 1 << 20,
    FILES_PER_FOLDER = 4096,
    NUMBERS_AT_ONCE = 4096,
    WRITE_BACK_BYTES = 8 << 20, /* the kernel begins to write such stretches at once */
};

void s3_io_abort(const char *what, int code)
{
    /* Rule D5: after a failed sync nothing is known about the pages; only a restart finds out. */
    log_error("s3: %s: %s; ending, so that nothing is acknowledged that is not on the disk", what,
              strerror(code));
    abort();
}

/* ---- numbers ---- */

typedef struct Reserve {
    int64_t up_to;
} Reserve;

static bool reserve(void *arg, DbTx *tx, Error *err)
{
    Reserve *r = arg;
    return db_run(
        tx, err,
        "INSERT INTO s3_counter (name, n) VALUES ('file', ?) ON CONFLICT (name) DO UPDATE SET n = excluded.n",
        "i", r->up_to);
}

bool s3_new_file(S3 *s3, int64_t *ret_file, Error *err)
{
    bool ok = true;
    pthread_mutex_lock(&s3->mutex);
    if (s3->next_file >= s3->reserved) {
        Reserve r = {s3->reserved + NUMBERS_AT_ONCE};
        ok = db_write(s3->db, reserve, &r, err);
        if (ok) s3->reserved = r.up_to;
    }
    if (ok) *ret_file = s3->next_file++;
    pthread_mutex_unlock(&s3->mutex);
    return ok;
}

static void folder_path(const S3 *s3, int64_t file, char *path, size_t size)
{
    snprintf(path, size, "%s/%06llx", s3->folder, (unsigned long long)(file / FILES_PER_FOLDER));
}

static void file_path(const S3 *s3, int64_t file, char *path, size_t size)
{
    snprintf(path, size, "%s/%06llx/%llx", s3->folder,
             (unsigned long long)(file / FILES_PER_FOLDER), (unsigned long long)file);
}

int s3_file_open(const S3 *s3, int64_t file)
{
    char path[4096];
    file_path(s3, file, path, sizeof path);
    return open(path, O_RDONLY | O_CLOEXEC);
}

char *s3_file_path(const S3 *s3, int64_t file, Arena *arena)
{
    char path[4096];
    file_path(s3, file, path, sizeof path);
    return arena_cstr(arena, str_of(path));
}

/* ---- syncs ---- */

static void sync_folder(const char *path)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) s3_io_abort("syncing the folder of objects", errno);
}

void s3_sync_file(S3 *s3, int fd, int64_t file)
{
    char path[4096];
    if (!s3->durable) return;
    if (fdatasync(fd) != 0) s3_io_abort("syncing an object", errno);
    folder_path(s3, file, path, sizeof path);
    sync_folder(path);
}

void s3_sync_folder(S3 *s3, int64_t file)
{
    char path[4096];
    if (!s3->durable) return;
    folder_path(s3, file, path, sizeof path);
    sync_folder(path);
}

static bool open_new(S3 *s3, int64_t file, int *ret_fd, Error *err)
{
    char path[4096];
    for (int round = 0; round < 2; round++) {
        file_path(s3, file, path, sizeof path);
        int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd >= 0) {
            *ret_fd = fd;
            return true;
        }
        if (errno != ENOENT) break;
        folder_path(s3, file, path, sizeof path);
        if (mkdir(path, 0700) != 0 && errno != EEXIST) break;
        sync_folder(s3->folder);
    }
    return error_sys(err, errno, "making a file for an object");
}

bool s3_file_make(S3 *s3, int64_t *ret_file, int *ret_fd, Error *err)
{
    return s3_new_file(s3, ret_file, err) && open_new(s3, *ret_file, ret_fd, err);
}

/* ---- the thread that hashes ---- */

typedef struct S3Hasher {
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    S3Sums *sums;
    struct {
        char *bytes;
        size_t n; /* 0: free */
    } pieces[PIECES];
    int fill; /* the piece that is being filled */
    bool ended;
} S3Hasher;

static void *hash_pieces(void *arg)
{
    S3Hasher *hasher = arg;
    pthread_mutex_lock(&hasher->mutex);
    for (int at = 0;; at = (at + 1) % PIECES) {
        while (!hasher->pieces[at].n && !hasher->ended)
            pthread_cond_wait(&hasher->changed, &hasher->mutex);
        size_t n = hasher->pieces[at].n;
        if (!n) break;
        pthread_mutex_unlock(&hasher->mutex);
        s3_sums_add_md5(hasher->sums, (Str){hasher->pieces[at].bytes, n});
        pthread_mutex_lock(&hasher->mutex);
        hasher->pieces[at].n = 0;
        pthread_cond_signal(&hasher->changed);
    }
    pthread_mutex_unlock(&hasher->mutex);
    return NULL;
}

static S3Hasher *hasher_start(S3Sums *sums)
{
    S3Hasher *hasher = calloc(1, sizeof *hasher);
    if (!hasher) memory_exhausted(sizeof *hasher);
    for (int i = 0; i < PIECES; i++) {
        hasher->pieces[i].bytes = malloc(S3_PIECE_BYTES);
        if (!hasher->pieces[i].bytes) memory_exhausted(S3_PIECE_BYTES);
    }
    hasher->sums = sums;
    pthread_mutex_init(&hasher->mutex, NULL);
    pthread_cond_init(&hasher->changed, NULL);
    if (pthread_create(&hasher->thread, NULL, hash_pieces, hasher) != 0)
        memory_exhausted(sizeof *hasher);
    return hasher;
}

/* The piece to fill, once it is free. */
static char *hasher_piece(S3Hasher *hasher)
{
    pthread_mutex_lock(&hasher->mutex);
    while (hasher->pieces[hasher->fill].n) pthread_cond_wait(&hasher->changed, &hasher->mutex);
    pthread_mutex_unlock(&hasher->mutex);
    return hasher->pieces[hasher->fill].bytes;
}

static void hasher_give(S3Hasher *hasher, size_t n)
{
    pthread_mutex_lock(&hasher->mutex);
    hasher->pieces[hasher->fill].n = n;
    hasher->fill = (hasher->fill + 1) % PIECES;
    pthread_cond_signal(&hasher->changed);
    pthread_mutex_unlock(&hasher->mutex);
}

static void hasher_end(S3Hasher *hasher)
{
    if (!hasher) return;
    pthread_mutex_lock(&hasher->mutex);
    hasher->ended = true;
    pthread_cond_signal(&hasher->changed);
    pthread_mutex_unlock(&hasher->mutex);
    pthread_join(hasher->thread, NULL);
    pthread_mutex_destroy(&hasher->mutex);
    pthread_cond_destroy(&hasher->changed);
    for (int i = 0; i < PIECES; i++) free(hasher->pieces[i].bytes);
    free(hasher);
}

/* ---- the writer ---- */

static bool make_file(S3Writer *writer, Error *err)
{
    return s3_file_make(writer->s3, &writer->file, &writer->fd, err);
}

bool s3_writer_open(S3 *s3, int sum, int64_t size_hint, bool may_be_small, S3Writer *ret_writer,
                    Error *err)
{
    S3Writer writer = {.s3 = s3, .fd = -1, .sums = s3_sums_new(sum), .may_be_small = may_be_small};
    bool small = may_be_small && size_hint <= S3_SMALL_BYTES_MAX;
    if (!small && !make_file(&writer, err)) {
        s3_sums_free(writer.sums);
        return false;
    }
    writer.capacity = small && size_hint >= 0 ? (size_t)size_hint + 1 : S3_PIECE_BYTES;
    if (size_hint > HASH_APART) {
        writer.hasher = hasher_start(writer.sums);
    } else {
        writer.buffer = malloc(writer.capacity);
        if (!writer.buffer) memory_exhausted(writer.capacity);
    }
    *ret_writer = writer;
    return true;
}

bool s3_writer_open_at(S3 *s3, int sum, int fd, int64_t place, int64_t size_hint,
                       S3Writer *ret_writer, Error *err)
{
    S3Writer writer = {
        .s3 = s3, .fd = fd, .place = place, .borrowed = true, .sums = s3_sums_new(sum)};
    (void)err;
    writer.capacity = S3_PIECE_BYTES;
    if (size_hint > HASH_APART) {
        writer.hasher = hasher_start(writer.sums);
    } else {
        writer.buffer = malloc(writer.capacity);
        if (!writer.buffer) memory_exhausted(writer.capacity);
    }
    *ret_writer = writer;
    return true;
}

static bool write_all(S3Writer *writer, const char *bytes, size_t n, Error *err)
{
    int64_t at = writer->place + writer->size;
    writer->size += (int64_t)n;
    if (writer->taken) return true; /* they are there */
    for (size_t done = 0; done < n;) {
        ssize_t wrote = pwrite(writer->fd, bytes + done, n - done, at + (int64_t)done);
        if (wrote < 0 && errno == EINTR) continue;
        if (wrote < 0) return error_sys(err, errno, "writing an object");
        done += (size_t)wrote;
    }
    if (writer->s3->durable && writer->size - writer->written_back >= WRITE_BACK_BYTES) {
        sync_file_range(writer->fd, writer->place + writer->written_back,
                        writer->size - writer->written_back, SYNC_FILE_RANGE_WRITE);
        writer->written_back = writer->size;
    }
    return true;
}

/* The buffer is full, or the end has come. */
static bool flush(S3Writer *writer, Error *err)
{
    if (!writer->n) return true;
    char *bytes = writer->hasher ? writer->hasher->pieces[writer->hasher->fill].bytes
                                 : writer->buffer;
    size_t n = writer->n;
    writer->n = 0;
    if (writer->hasher) {
        /* The other thread hashes the piece while this one writes it. */
        hasher_give(writer->hasher, n);
        s3_sums_add_rest(writer->sums, (Str){bytes, n});
        return write_all(writer, bytes, n, err);
    }
    s3_sums_add_md5(writer->sums, (Str){bytes, n});
    s3_sums_add_rest(writer->sums, (Str){bytes, n});
    if (writer->fd < 0 && !make_file(writer, err)) return false;
    return write_all(writer, bytes, n, err);
}

char *s3_writer_room(S3Writer *writer, size_t *ret_capacity, Error *err)
{
    if (writer->n == writer->capacity) {
        if (!writer->hasher && writer->capacity < S3_PIECE_BYTES) { /* longer than was said */
            char *larger = realloc(writer->buffer, S3_PIECE_BYTES);
            if (!larger) memory_exhausted(S3_PIECE_BYTES);
            writer->buffer = larger;
            writer->capacity = S3_PIECE_BYTES;
        } else if (!flush(writer, err)) {
            return NULL;
        }
    }
    char *bytes = writer->hasher ? hasher_piece(writer->hasher) : writer->buffer;
    *ret_capacity = writer->capacity - writer->n;
    return bytes + writer->n;
}

/* The sums of a file that is there. */
static bool sum_file(int fd, const char *path, S3Writer *writer, Error *err)
{
    for (;;) {
        size_t capacity;
        char *room = s3_writer_room(writer, &capacity, err);
        if (!room) return false;
        ssize_t n = pread(fd, room, capacity, writer->size);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_sys(err, errno, "reading '%s'", path);
        if (n == 0) return true;
        writer->n += (size_t)n;
        if (!flush(writer, err)) return false;
    }
}

bool s3_writer_take(S3 *s3, int fd, const char *path, S3Writer *ret_writer, Error *err)
{
    struct stat status;
    char to[4096];
    if (fstat(fd, &status) != 0) return error_sys(err, errno, "looking at '%s'", path);
    if (!s3_writer_open(s3, S3_NO_SUM, status.st_size, false, ret_writer, err)) return false;
    /* The new number has an empty file now, in a folder that exists: the old file takes its place. */
    file_path(s3, ret_writer->file, to, sizeof to);
    if (rename(path, to) != 0) return true; /* another file system */
    close(ret_writer->fd);
    ret_writer->fd = open(to, O_RDWR | O_CLOEXEC);
    ret_writer->taken = true;
    if (ret_writer->fd < 0 || fchmod(ret_writer->fd, 0600) != 0) {
        error_sys(err, errno, "taking '%s'", path);
    } else if (sum_file(fd, path, ret_writer, err)) {
        return true;
    }
    s3_writer_drop(ret_writer);
    return false;
}

bool s3_writer_add(S3Writer *writer, Str bytes, Error *err)
{
    while (bytes.len) {
        size_t capacity;
        char *room = s3_writer_room(writer, &capacity, err);
        if (!room) return false;
        size_t n = MIN(capacity, bytes.len);
        memcpy(room, bytes.ptr, n);
        writer->n += n;
        bytes = str_from(bytes, n);
    }
    return true;
}

bool s3_writer_end(S3Writer *writer, Arena *arena, S3SumsEnd *ret_sums, Error *err)
{
    if (writer->may_be_small && writer->fd < 0 && writer->n <= S3_SMALL_BYTES_MAX) {
        Str bytes = {writer->buffer, writer->n};
        s3_sums_add_md5(writer->sums, bytes);
        s3_sums_add_rest(writer->sums, bytes);
        writer->size = (int64_t)writer->n;
        if (!s3_new_file(writer->s3, &writer->file, err)) return false;
    } else {
        if (!flush(writer, err)) return false;
        if (writer->fd < 0 && !make_file(writer, err))
            return false; /* cannot be, but for empty ones */
        hasher_end(STEAL(writer->hasher));
        if (!writer->borrowed)
            s3_sync_file(writer->s3, writer->fd, writer->file);
        else if (writer->s3->durable && fdatasync(writer->fd) != 0)
            s3_io_abort("syncing a part", errno);
    }
    s3_sums_end(writer->sums, arena, ret_sums);
    return true;
}

bool s3_writer_is_small(const S3Writer *writer)
{
    return writer->fd < 0;
}

bool s3_writer_store(S3Writer *writer, DbTx *tx, Error *err)
{
    if (writer->fd >= 0) return true;
    return db_run(tx, err, "INSERT INTO s3_small (file, bytes) VALUES (?, ?)", "ib", writer->file,
                  (Str){writer->buffer, (size_t)writer->size});
}

void s3_writer_keep(S3Writer *writer)
{
    writer->kept = true;
}

void s3_writer_drop(S3Writer *writer)
{
    if (!writer->s3) return;
    hasher_end(STEAL(writer->hasher));
    if (writer->fd >= 0 && !writer->borrowed) {
        close(writer->fd);
        if (!writer->kept) s3_unlink(writer->s3, (S3Bytes){writer->file, false});
    }
    free(writer->buffer);
    s3_sums_free(writer->sums);
    *writer = (S3Writer){.fd = -1};
}

/* ---- removing ---- */

bool s3_bytes_forget(DbTx *tx, S3Bytes bytes, Error *err)
{
    return !bytes.small || !bytes.file ||
           db_run(tx, err, "DELETE FROM s3_small WHERE file = ?", "i", bytes.file);
}

void s3_unlink(S3 *s3, S3Bytes bytes)
{
    char path[4096];
    if (!bytes.file || bytes.small) return;
    file_path(s3, bytes.file, path, sizeof path);
    /* Failing leaves garbage, which the next start removes. */
    if (unlink(path) != 0 && errno != ENOENT)
        log_warning("s3: removing '%s': %s", path, strerror(errno));
}

bool s3_bytes_link(S3 *s3, int64_t from, int64_t *ret_to, Error *err)
{
    char old[4096], new[4096];
    int64_t to;
    if (!s3_new_file(s3, &to, err)) return false;
    file_path(s3, from, old, sizeof old);
    file_path(s3, to, new, sizeof new);
    int code = 0;
    for (int round = 0; round < 2; round++) {
        code = link(old, new) == 0 ? 0 : errno;
        if (code != ENOENT) break;
        char folder[4096];
        folder_path(s3, to, folder, sizeof folder);
        if (access(old, F_OK) != 0) return error_set(err, ERROR_NOT_FOUND, "the object is gone");
        if (mkdir(folder, 0700) != 0 && errno != EEXIST)
            return error_sys(err, errno, "making a folder for objects");
        sync_folder(s3->folder);
    }
    if (code) return error_sys(err, code, "linking an object");
    folder_path(s3, to, new, sizeof new);
    if (s3->durable) sync_folder(new);
    *ret_to = to;
    return true;
}
