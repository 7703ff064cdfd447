/* Artifacts as one file: packing, unpacking, and the model files of other programs. */

#include "base/file.h"
#include "format/targz.h"
#include "train/artifact.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>

static int remove_entry(const char *path, const struct stat *status UNUSED, int type UNUSED,
                        struct FTW *walk UNUSED)
{
    return remove(path);
}

static void remove_tree(const char *folder)
{
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static bool make_temporary(Arena *arena, char **ret_folder, Error *err)
{
    const char *base = getenv("TMPDIR");
    char *folder = path_join(arena, base && *base ? base : "/tmp", "clary-model-XXXXXX");
    if (!mkdtemp(folder))
        return error_sys(err, errno, "make a temporary folder in '%s'", base ? base : "/tmp");
    *ret_folder = folder;
    return true;
}

static bool is_packed_name(const char *path)
{
    Str name = str_of(path);
    return str_ends(name, STR(".tar.gz")) || str_ends(name, STR(".tgz"));
}

bool artifact_write(const Artifact *artifact, const char *path, Error *err)
{
    ARENA(scratch);
    if (!is_packed_name(path)) return folder_make(path, err) && artifact_save(artifact, path, err);
    char *folder;
    if (!make_temporary(&scratch, &folder, err)) return false;
    bool ok = artifact_save(artifact, folder, err) && targz_pack(folder, path, err);
    remove_tree(folder);
    return ok || error_in(err, "writing '%s'", path);
}

/* gzip or tar by the first bytes; tar's magic is at byte 257. */
static bool looks_packed(const char *path)
{
    unsigned char head[264] = {0};
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : 0;
    return (n >= 2 && head[0] == 0x1f && head[1] == 0x8b) ||
           (n >= 262 && memcmp(head + 257, "ustar", 5) == 0);
}

/* A model file of the xgboost package becomes a folder with that one file. */
static bool open_single(const char *path, const char *folder, Artifact *ret_artifact, Error *err)
{
    ARENA(scratch);
    char *target = realpath(path, NULL);
    bool ok = target && symlink(target, path_join(&scratch, folder, "xgboost-model")) == 0;
    if (!ok) error_sys(err, errno, "open '%s'", path);
    free(target);
    if (!ok || artifact_load(folder, algorithm_find(STR("xgboost")), ret_artifact, err)) return ok;
    /* The temporary place means nothing to anybody: what comes after it is the finding. */
    const char *found = strstr(err->text, "xgboost-model': ");
    if (found) memmove(err->text, found + 16, strlen(found + 16) + 1);
    return false;
}

bool artifact_open(const char *path, Artifact *ret_artifact, Error *err)
{
    ARENA(scratch);
    if (folder_exists(path)) {
        const char *packed = path_join(&scratch, path, "model.tar.gz");
        if (!file_exists(packed)) return artifact_load(path, NULL, ret_artifact, err);
        path = packed;
    }
    if (!file_exists(path)) return error_set(err, ERROR_NOT_FOUND, "there is no model '%s'", path);
    char *folder;
    if (!make_temporary(&scratch, &folder, err)) return false;
    bool ok = looks_packed(path) ? targz_unpack(path, folder, 0, err) &&
                                       artifact_load(folder, NULL, ret_artifact, err)
                                 : open_single(path, folder, ret_artifact, err);
    remove_tree(folder);
    return ok || error_in(err, "opening '%s'", path);
}
