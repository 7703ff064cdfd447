/* Opening and closing the object store, and what its thread does: removing bytes that nobody names. */

#include "service/s3/s3.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

extern const char *const s3_schema[];

/* ---- the sweep at start ----
 *
 * Files with numbers of earlier lives of the server that no row names: uploads that were cut off, and
 * files whose row was removed just before a crash.  Numbers of this life are never looked at, so the sweep runs
 * beside the first requests. */

typedef struct Numbers {
    uint64_t *bits;
    int64_t n; /* numbers below n are counted */
} Numbers;

static bool named(const Numbers *numbers, int64_t file)
{
    return file >= 0 && file < numbers->n && (numbers->bits[file / 64] >> (file % 64) & 1);
}

static void note(Numbers *numbers, int64_t file)
{
    if (file > 0 && file < numbers->n) numbers->bits[file / 64] |= 1ull << (file % 64);
}

/* Both tables of versions are read in stretches: a database may fetch each answer as a whole. */
static bool note_objects(DbTx *tx, Numbers *numbers, Error *err)
{
    ARENA(arena);
    int64_t bucket = -1;
    Str key = STR("");
    for (;;) {
        DB_ROWS(rows);
        Error end = {0};
        int n = 0;
        if (!db_query(tx, &rows, err,
                      "SELECT bucket, key, file, small FROM s3_object WHERE (bucket, key) > (?, ?) "
                      "ORDER BY bucket, key LIMIT 10000",
                      "it", bucket, key))
            return false;
        char last[S3_KEY_BYTES_MAX];
        size_t last_len = 0;
        while (db_next(&rows, &end)) {
            n++;
            bucket = db_int(&rows, 0);
            Str text = db_text(&rows, 1);
            last_len = MIN(text.len, sizeof last);
            memcpy(last, text.ptr, last_len);
            if (!db_int(&rows, 3)) note(numbers, db_int(&rows, 2));
        }
        if (end.kind != ERROR_NONE) {
            *err = end;
            return false;
        }
        if (!n) return true;
        arena_clear(&arena);
        key = arena_str(&arena, (Str){last, last_len});
    }
}

static bool note_versions(DbTx *tx, Numbers *numbers, Error *err)
{
    ARENA(arena);
    int64_t bucket = -1, age = 0;
    Str key = STR("");
    for (;;) {
        DB_ROWS(rows);
        Error end = {0};
        int n = 0;
        if (!db_query(
                tx, &rows, err,
                "SELECT bucket, key, age, file, small FROM s3_version WHERE (bucket, key, age) > (?, ?, ?) "
                "ORDER BY bucket, key, age LIMIT 10000",
                "iti", bucket, key, age))
            return false;
        char last[S3_KEY_BYTES_MAX];
        size_t last_len = 0;
        while (db_next(&rows, &end)) {
            n++;
            bucket = db_int(&rows, 0);
            Str text = db_text(&rows, 1);
            last_len = MIN(text.len, sizeof last);
            memcpy(last, text.ptr, last_len);
            age = db_int(&rows, 2);
            if (!db_int(&rows, 4)) note(numbers, db_int(&rows, 3));
        }
        if (end.kind != ERROR_NONE) {
            *err = end;
            return false;
        }
        if (!n) return true;
        arena_clear(&arena);
        key = arena_str(&arena, (Str){last, last_len});
    }
}

static bool note_parts(DbTx *tx, Numbers *numbers, const char *sql, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(tx, &rows, err, sql, "")) return false;
    while (db_next(&rows, &end)) note(numbers, db_int(&rows, 0));
    if (end.kind == ERROR_NONE) return true;
    *err = end;
    return false;
}

static bool note_all(void *arg, DbTx *tx, Error *err)
{
    return note_objects(tx, arg, err) && note_versions(tx, arg, err) &&
           note_parts(tx, arg, "SELECT file FROM s3_part", err);
}

static bool all_hex(const char *name)
{
    size_t n = strspn(name, "0123456789abcdef");
    return n > 0 && n <= 15 && !name[n];
}

/* Calls visit for each file of an earlier life. */
static void each_old_file(S3 *s3, void (*visit)(S3 *s3, int64_t file, void *arg), void *arg)
{
    DIR *top = opendir(s3->folder);
    for (struct dirent *folder; top && (folder = readdir(top));) {
        if (!all_hex(folder->d_name)) continue;
        int fd = openat(dirfd(top), folder->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
        for (struct dirent *file; files && (file = readdir(files));) {
            if (!all_hex(file->d_name)) continue;
            int64_t number = (int64_t)strtoull(file->d_name, NULL, 16);
            if (number < s3->first_own) visit(s3, number, arg);
        }
        if (files) closedir(files);
        if (__atomic_load_n(&s3->closing, __ATOMIC_RELAXED)) break;
    }
    if (top) closedir(top);
}

typedef struct OldFiles {
    int64_t *numbers;
    size_t n, capacity;
} OldFiles;

static void list_old(S3 *s3, int64_t file, void *arg)
{
    OldFiles *old = arg;
    (void)s3;
    if (old->n == old->capacity) {
        old->capacity = old->capacity ? old->capacity * 2 : 4096;
        old->numbers = realloc(old->numbers, old->capacity * sizeof *old->numbers);
        if (!old->numbers) memory_exhausted(old->capacity * sizeof *old->numbers);
    }
    old->numbers[old->n++] = file;
}

bool s3_sweep(S3 *s3, int64_t *ret_removed, Error *err)
{
    OldFiles old = {0};
    int64_t removed = 0;
    /* First what lies there, then what is named: what is put meanwhile has a number of this life. */
    each_old_file(s3, list_old, &old);
    Numbers numbers = {.n = s3->first_own};
    numbers.bits = calloc((size_t)numbers.n / 64 + 1, sizeof *numbers.bits);
    if (!numbers.bits) memory_exhausted((size_t)numbers.n / 8);
    bool ok = old.n == 0 || db_read(s3->db, note_all, &numbers, err);
    for (size_t i = 0; ok && i < old.n; i++) {
        if (named(&numbers, old.numbers[i])) continue;
        s3_unlink(s3, (S3Bytes){old.numbers[i], false});
        removed++;
    }
    free(old.numbers);
    free(numbers.bits);
    if (ok) *ret_removed = removed;
    return ok;
}

/* What `clary reset` moved aside. */
static void remove_tree(const char *path)
{
    DIR *top = opendir(path);
    for (struct dirent *folder; top && (folder = readdir(top));) {
        if (!all_hex(folder->d_name)) continue;
        int fd = openat(dirfd(top), folder->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        DIR *files = fd >= 0 ? fdopendir(fd) : NULL;
        for (struct dirent *file; files && (file = readdir(files));)
            if (all_hex(file->d_name)) unlinkat(fd, file->d_name, 0);
        if (files) closedir(files);
        unlinkat(dirfd(top), folder->d_name, AT_REMOVEDIR);
    }
    if (top) closedir(top);
    rmdir(path);
}

static void remove_reset(S3 *s3)
{
    ARENA(arena);
    const char *home = s3->server->options->home;
    DIR *top = opendir(home);
    for (struct dirent *entry; top && (entry = readdir(top));)
        if (strncmp(entry->d_name, "objects-reset-", 14) == 0)
            remove_tree(path_join(&arena, home, entry->d_name));
    if (top) closedir(top);
}

/* ---- the reserve ---- */

static char *reserve_path(const S3 *s3, Arena *arena)
{
    return path_join(arena, s3->server->options->home, "reserve");
}

bool s3_reserve_ready(S3 *s3)
{
    if (!s3->durable) return true;
    pthread_mutex_lock(&s3->mutex);
    if (!s3->reserve) {
        ARENA(arena);
        const char *path = reserve_path(s3, &arena);
        AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
        s3->reserve = fd >= 0 && posix_fallocate(fd, 0, S3_RESERVE_BYTES) == 0;
        if (!s3->reserve) unlink(path);
    }
    bool ready = s3->reserve;
    pthread_mutex_unlock(&s3->mutex);
    return ready;
}

bool s3_reserve_use(S3 *s3)
{
    ARENA(arena);
    pthread_mutex_lock(&s3->mutex);
    bool was = s3->reserve;
    s3->reserve = false;
    if (was) unlink(reserve_path(s3, &arena));
    pthread_mutex_unlock(&s3->mutex);
    if (was) log_warning("s3: the disk is full: objects are refused until there is room again");
    return was;
}

enum { LIFECYCLE_SECONDS = 3600 };

static void *keep_store(void *arg)
{
    S3 *s3 = arg;
    Error err = {0};
    int64_t removed = 0;
    if (!s3_sweep(s3, &removed, &err))
        log_error("s3: looking for files that no object names: %s", err.text);
    if (removed)
        log_info("s3: removed %lld files of uploads that were cut off", (long long)removed);
    pthread_mutex_lock(&s3->mutex);
    while (!s3->closing) {
        pthread_mutex_unlock(&s3->mutex);
        remove_reset(s3);
        if (!s3_expire(s3, clock_wall(), &err)) log_error("s3: lifecycle rules: %s", err.text);
        pthread_mutex_lock(&s3->mutex);
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LIFECYCLE_SECONDS;
        if (!s3->closing && !s3->reset) pthread_cond_timedwait(&s3->wake, &s3->mutex, &until);
        s3->reset = false;
    }
    pthread_mutex_unlock(&s3->mutex);
    return NULL;
}

/* ---- opening ---- */

static bool load_counter(void *arg, DbTx *tx, Error *err)
{
    S3 *s3 = arg;
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(tx, &rows, err, "SELECT n FROM s3_counter WHERE name = 'file'", "")) return false;
    s3->reserved = db_next(&rows, &end) ? db_int(&rows, 0) : 1;
    return end.kind == ERROR_NONE || error_set(err, end.kind, "%s", end.text);
}

bool s3_open(Server *server, Error *err)
{
    ARENA(arena);
    S3 *s3 = calloc(1, sizeof *s3);
    if (!s3) memory_exhausted(sizeof *s3);
    s3->server = server;
    s3->db = server->db;
    s3->durable = !server->options->ephemeral;
    s3->folder = strdup(path_join(&arena, server->options->home, "objects"));
    pthread_mutex_init(&s3->mutex, NULL);
    pthread_mutex_init(&s3->uploads_mutex, NULL);
    pthread_cond_init(&s3->wake, NULL);
    s3->cache = s3_cache_new();
    server->s3 = s3;
    if ((mkdir(s3->folder, 0700) != 0 && errno != EEXIST &&
         !error_sys(err, errno, "making '%s'", s3->folder)) ||
        !db_schema(s3->db, "s3", s3_schema, err) || !db_read(s3->db, load_counter, s3, err)) {
        s3_close(server);
        return error_in(err, "object store");
    }
    s3->next_file = s3->first_own = s3->reserved;
    s3_reserve_ready(s3);
    for (const char *const *bucket = server->options->buckets; bucket && *bucket; bucket++) {
        Str text = str_of(*bucket);
        size_t equals = str_find(text, '=');
        if (equals == text.len) {
            s3_close(server);
            return error_set(err, ERROR_INVALID, "bucket '%s': NAME=FOLDER is meant", *bucket);
        }
        if (!s3_serve_folder(server, str_slice(text, 0, equals), *bucket + equals + 1, err)) {
            s3_close(server);
            return false;
        }
    }
    int code = pthread_create(&s3->keeper, NULL, keep_store, s3);
    if (code) {
        s3_close(server);
        return error_sys(err, code, "starting the object store's thread");
    }
    s3->has_keeper = true;
    return true;
}

void s3_close(Server *server)
{
    S3 *s3 = server->s3;
    if (!s3) return;
    pthread_mutex_lock(&s3->mutex);
    __atomic_store_n(&s3->closing, true, __ATOMIC_RELAXED);
    pthread_cond_signal(&s3->wake);
    pthread_mutex_unlock(&s3->mutex);
    if (s3->has_keeper) pthread_join(s3->keeper, NULL);
    pthread_mutex_destroy(&s3->mutex);
    pthread_mutex_destroy(&s3->uploads_mutex);
    s3_uploads_free(s3);
    pthread_cond_destroy(&s3->wake);
    s3_folders_free(s3);
    s3_cache_free(s3->cache);
    free(s3->folder);
    free(s3);
    server->s3 = NULL;
}

bool s3_reset(Server *server, Error *err)
{
    S3 *s3 = server->s3;
    ARENA(arena);
    Str aside = arena_format(&arena, "%s/objects-reset-%.*s", server->options->home,
                             STR_ARG(call_new_id(&arena)));
    if (rename(s3->folder, aside.ptr) != 0 || mkdir(s3->folder, 0700) != 0)
        return error_sys(err, errno, "putting '%s' aside", s3->folder);
    s3_cache_clear(s3->cache);
    pthread_mutex_lock(&s3->mutex);
    s3->reserved =
        s3->next_file; /* the counter goes with the tables: the next number sets it anew */
    s3->reset = true;
    pthread_cond_signal(&s3->wake);
    pthread_mutex_unlock(&s3->mutex);
    return true;
}

S3 *s3_of(const Call *call)
{
    return call->server->s3;
}
