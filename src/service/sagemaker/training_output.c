/* What a training job leaves in S3: the packed model, other output, checkpoints. */

#include "service/sagemaker/training.h"

#include "base/clock.h"
#include "base/file.h"
#include "format/targz.h"
#include "service/s3/objects.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { OUTPUT_FILES_MAX = 100000, OUTPUT_DEPTH = 32, CHECKPOINT_FILES_MAX = 10000 };

/* "s3://bucket/prefix" and what is to follow it, without doubled slashes. */
static bool output_address(const TrainingRun *run, Str base, const char *rest, Arena *arena,
                           Str *ret_bucket, Str *ret_key, Error *err)
{
    Str bucket, key;
    if (!s3_address(base, &bucket, &key))
        return error_set(err, ERROR_INVALID, "'%.*s' is no S3 address", STR_ARG(base));
    while (key.len && key.ptr[key.len - 1] == '/') key.len--;
    *ret_bucket = bucket;
    *ret_key = arena_format(arena, "%.*s%s%.*s%s%s", STR_ARG(key), key.len ? "/" : "",
                            STR_ARG(run->name), *rest ? "/" : "", rest);
    return true;
}

static bool upload_folder(TrainingRun *run, Str base, const char *folder, const char *name,
                          Str *ret_uri, Error *err)
{
    ARENA(scratch);
    bool plain = str_is(json_get_text(json_get(run->job, "OutputDataConfig"), "CompressionType"),
                        "NONE");
    const char *from = path_join(&scratch, run->folder, folder);
    const char *rest = arena_format(&scratch, "output/%s%s", name, plain ? "" : ".tar.gz").ptr;
    Str bucket, key;
    if (!output_address(run, base, rest, &scratch, &bucket, &key, err)) return false;
    if (plain) {
        Str *names;
        size_t n;
        if (!folder_list(from, OUTPUT_DEPTH, true, OUTPUT_FILES_MAX, &scratch, &names, &n, err))
            return false;
        for (size_t i = 0; i < n; i++) {
            Str each = arena_format(&scratch, "%.*s/%.*s", STR_ARG(key), STR_ARG(names[i]));
            if (!role_may(run, "s3:PutObject", bucket, each, err) ||
                !s3_put_file(run->server, bucket, each, path_join(&scratch, from, names[i].ptr),
                             true, STR("application/octet-stream"), err))
                return false;
        }
        *ret_uri = arena_format(&run->arena, "s3://%.*s/%.*s/", STR_ARG(bucket), STR_ARG(key));
        return true;
    }
    const char *packed = arena_format(&scratch, "%s/tmp/%s.tar.gz", run->folder, name).ptr;
    if (!role_may(run, "s3:PutObject", bucket, key, err) || !targz_pack(from, packed, err) ||
        !s3_put_file(run->server, bucket, key, packed, true, STR("application/x-tar"), err))
        return false;
    *ret_uri = arena_format(&run->arena, "s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    return true;
}

/* Only files count: links, pipes and devices of the program's making are taken away and named (rule B2).
 * Nobody else is in the folder any more. */
static void remove_others(TrainingRun *run, int folder, const char *name, int depth)
{
    DIR *dir = fdopendir(folder);
    if (!dir) {
        close(folder);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir));) {
        struct stat info;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0) continue;
        if (S_ISREG(info.st_mode)) continue;
        if (S_ISDIR(info.st_mode)) {
            int below = openat(dirfd(dir), entry->d_name,
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (below >= 0 && depth < OUTPUT_DEPTH)
                remove_others(run, below, name, depth + 1);
            else if (below >= 0)
                close(below);
            continue;
        }
        log_say(run, "'%s' below /opt/ml/%s is no file and is left out", entry->d_name, name);
        unlinkat(dirfd(dir), entry->d_name, 0);
    }
    closedir(dir);
}

static void keep_only_files(TrainingRun *run, const char *name)
{
    ARENA(scratch);
    int folder = open(path_join(&scratch, run->folder, name),
                      O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder >= 0) remove_others(run, folder, name, 0);
}

bool output_upload(TrainingRun *run, Str *ret_model_uri, Error *err)
{
    ARENA(scratch);
    Str base = json_get_text(json_get(run->job, "OutputDataConfig"), "S3OutputPath"), ignored,
        *names;
    size_t n;
    keep_only_files(run, "model");
    keep_only_files(run, "output/data");
    const char *data = path_join(&scratch, run->folder, "output/data");
    if (!upload_folder(run, base, "model", "model", ret_model_uri, err)) return false;
    if (!folder_list(data, OUTPUT_DEPTH, true, OUTPUT_FILES_MAX, &scratch, &names, &n, err))
        return false;
    return n == 0 || upload_folder(run, base, "output/data", "output", &ignored, err);
}

/* ---- checkpoints ---- */

typedef struct Uploaded {
    Str name;
    int64_t size;
    struct timespec changed;
} Uploaded;

typedef struct CheckpointSync {
    Uploaded *files;
    size_t n;
} CheckpointSync;

static bool checkpoint_address(const TrainingRun *run, Str *ret_bucket, Str *ret_prefix)
{
    Str uri = json_get_text(json_get(run->job, "CheckpointConfig"), "S3Uri");
    if (!uri.len || !s3_address(uri, ret_bucket, ret_prefix)) return false;
    while (ret_prefix->len && ret_prefix->ptr[ret_prefix->len - 1] == '/') ret_prefix->len--;
    return true;
}

bool output_restore_checkpoints(TrainingRun *run, Error *err)
{
    ARENA(scratch);
    Str bucket, prefix;
    S3Object *objects;
    size_t n;
    if (!checkpoint_address(run, &bucket, &prefix)) return true;
    Str below = prefix.len ? arena_format(&scratch, "%.*s/", STR_ARG(prefix)) : STR("");
    if (!role_may(run, "s3:ListBucket", bucket, (Str){0}, err) ||
        !s3_list(run->server, bucket, below, OUTPUT_FILES_MAX, &scratch, &objects, &n, err))
        return error_in(err, "ClientError: checkpoints");
    if (n == 0) return true;
    return input_fetch(run,
                       arena_format(&scratch, "s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(below)),
                       path_join(&run->arena, run->folder, "checkpoints"), false, err) ||
           error_in(err, "ClientError: checkpoints");
}

/* Regular files below a folder that a program may be changing at the same time. */
static void list_beneath(int folder, const char *above, int depth, Arena *arena, Str *names,
                         size_t *n)
{
    DIR *dir = fdopendir(folder);
    if (!dir) {
        close(folder);
        return;
    }
    for (const struct dirent *entry; (entry = readdir(dir)) && *n < CHECKPOINT_FILES_MAX;) {
        struct stat info;
        if (entry->d_name[0] == '.' || strlen(above) + strlen(entry->d_name) > 1000) continue;
        if (fstatat(dirfd(dir), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) < 0) continue;
        const char *name = path_join(arena, above, entry->d_name);
        if (S_ISREG(info.st_mode)) names[(*n)++] = str_of(name);
        if (!S_ISDIR(info.st_mode) || depth == OUTPUT_DEPTH) continue;
        int below = openat(dirfd(dir), entry->d_name,
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below >= 0) list_beneath(below, name, depth + 1, arena, names, n);
    }
    closedir(dir);
}

/* No link on the way is followed, whatever the program does meanwhile. */
static int open_beneath(int folder, const char *name)
{
    struct {
        uint64_t flags, mode, resolve;
    } how = {.flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
             .resolve = 0x08 | 0x04 | 0x02 /* beneath, no symbolic links, no magic links */};
    return (int)syscall(437 /* openat2 */, folder, name, &how, sizeof how);
}

/* A copy that nobody changes while it is stored. */
static bool copy_checkpoint(int from, const char *path, int64_t size, Error *err)
{
    AUTO_FD int to = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to < 0) return error_sys(err, errno, "copying a checkpoint");
    while (size > 0) {
        ssize_t n = sendfile(to, from, NULL, (size_t)MIN(size, 1 << 30));
        if (n < 0 && errno != EINTR) return error_sys(err, errno, "copying a checkpoint");
        if (n == 0) break;
        if (n > 0) size -= n;
    }
    return true;
}

bool output_sync_checkpoints(TrainingRun *run, bool at_end, Error *err)
{
    ARENA(scratch);
    Str bucket, prefix;
    size_t n = 0;
    if (!checkpoint_address(run, &bucket, &prefix)) return true;
    AUTO_FD int folder = open(path_join(&scratch, run->folder, "checkpoints"),
                              O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0) return error_sys(err, errno, "opening the folder of checkpoints");
    Str *names = arena_array(&scratch, Str, CHECKPOINT_FILES_MAX);
    list_beneath(fcntl(folder, F_DUPFD_CLOEXEC, 0), "", 0, &scratch, names, &n);
    if (!run->sync) run->sync = arena_new(&run->arena, CheckpointSync);
    CheckpointSync *sync = run->sync;
    const char *copy = path_join(&scratch, run->folder, "tmp/checkpoint");
    for (size_t i = 0; i < n; i++) {
        struct stat info;
        AUTO_FD int file = open_beneath(folder, names[i].ptr);
        if (file < 0 || fstat(file, &info) < 0 || !S_ISREG(info.st_mode)) continue;
        Uploaded *known = NULL;
        for (size_t j = 0; j < sync->n && !known; j++)
            if (str_eq(sync->files[j].name, names[i])) known = &sync->files[j];
        if (known && known->size == info.st_size && known->changed.tv_sec == info.st_mtim.tv_sec &&
            known->changed.tv_nsec == info.st_mtim.tv_nsec)
            continue;
        /* One that is still written to comes with the next round. */
        if (!at_end && clock_wall() - (double)info.st_mtim.tv_sec < 1) continue;
        Str key = arena_format(&scratch, "%.*s%s%.*s", STR_ARG(prefix), prefix.len ? "/" : "",
                               STR_ARG(names[i]));
        if (!role_may(run, "s3:PutObject", bucket, key, err) ||
            !copy_checkpoint(file, copy, info.st_size, err) ||
            !s3_put_file(run->server, bucket, key, copy, true, STR("application/octet-stream"),
                         err))
            return error_in(err, "checkpoint '%.*s'", STR_ARG(names[i]));
        if (!known) {
            sync->files = arena_grow(&run->arena, sync->files, sync->n, sync->n + 1,
                                     sizeof *sync->files);
            known = &sync->files[sync->n++];
            known->name = arena_str(&run->arena, names[i]);
        }
        known->size = info.st_size;
        known->changed = info.st_mtim;
    }
    return true;
}
