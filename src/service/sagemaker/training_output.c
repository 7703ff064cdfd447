/* What a training job leaves in S3: the packed model, other output, checkpoints. */

#include "service/sagemaker/training.h"

#include "base/clock.h"
#include "base/file.h"
#include "format/targz.h"
#include "service/s3/objects.h"

#include <dirent.h>
#include <sys/stat.h>

enum { OUTPUT_FILES_MAX = 100000, OUTPUT_DEPTH = 32 };

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
            if (!s3_put_file(run->server, bucket, each, path_join(&scratch, from, names[i].ptr),
                             true, STR("application/octet-stream"), err))
                return false;
        }
        *ret_uri = arena_format(&run->arena, "s3://%.*s/%.*s/", STR_ARG(bucket), STR_ARG(key));
        return true;
    }
    const char *packed = arena_format(&scratch, "%s/tmp/%s.tar.gz", run->folder, name).ptr;
    if (!targz_pack(from, packed, err) ||
        !s3_put_file(run->server, bucket, key, packed, true, STR("application/x-tar"), err))
        return false;
    *ret_uri = arena_format(&run->arena, "s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    return true;
}

/* Links, devices and the like are not followed (rule B2). */
static void name_the_others(TrainingRun *run, const char *folder)
{
    ARENA(scratch);
    DIR *dir = opendir(path_join(&scratch, run->folder, folder));
    if (!dir) return;
    for (const struct dirent *entry; (entry = readdir(dir));)
        if (entry->d_type != DT_REG && entry->d_type != DT_DIR && entry->d_type != DT_UNKNOWN)
            log_say(run, "'%s' in /opt/ml/%s is no file and is left out", entry->d_name, folder);
    closedir(dir);
}

bool output_upload(TrainingRun *run, Str *ret_model_uri, Error *err)
{
    ARENA(scratch);
    Str base = json_get_text(json_get(run->job, "OutputDataConfig"), "S3OutputPath"), ignored,
        *names;
    size_t n;
    name_the_others(run, "model");
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
    if (!s3_list(run->server, bucket, below, OUTPUT_FILES_MAX, &scratch, &objects, &n, err))
        return error_in(err, "ClientError: checkpoints");
    if (n == 0) return true;
    return input_fetch(run,
                       arena_format(&scratch, "s3://%.*s/%.*s", STR_ARG(bucket), STR_ARG(below)),
                       path_join(&run->arena, run->folder, "checkpoints"), false, err) ||
           error_in(err, "ClientError: checkpoints");
}

bool output_sync_checkpoints(TrainingRun *run, bool at_end, Error *err)
{
    ARENA(scratch);
    Str bucket, prefix, *names;
    size_t n;
    if (!checkpoint_address(run, &bucket, &prefix)) return true;
    const char *folder = path_join(&scratch, run->folder, "checkpoints");
    if (!folder_list(folder, OUTPUT_DEPTH, false, OUTPUT_FILES_MAX, &scratch, &names, &n, err))
        return false;
    if (!run->sync) run->sync = arena_new(&run->arena, CheckpointSync);
    CheckpointSync *sync = run->sync;
    for (size_t i = 0; i < n; i++) {
        struct stat info;
        const char *path = path_join(&scratch, folder, names[i].ptr);
        if (lstat(path, &info) < 0 || !S_ISREG(info.st_mode)) continue;
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
        if (!s3_put_file(run->server, bucket, key, path, false, STR("application/octet-stream"),
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
