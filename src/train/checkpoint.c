/* Checkpoints on disk.
 *
 * An algorithm saves into a folder.  For a checkpoint it saves into a temporary one below the
 * checkpoint folder; its single file is then renamed to its place, which is atomic. */

#include "train/checkpoint.h"

#include "base/file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { KEPT = 5, FILES_MAX = 100000 };

static void remove_folder(const char *folder)
{
    ARENA(scratch);
    Str *names;
    size_t n;
    Error ignored;
    if (folder_list(folder, 0, true, FILES_MAX, &scratch, &names, &n, &ignored))
        for (size_t i = 0; i < n; i++) unlink(path_join(&scratch, folder, names[i].ptr));
    rmdir(folder);
}

/* Round of a checkpoint's name, or -1. */
static int64_t round_of(const Checkpoints *checkpoints, Str name)
{
    ARENA(scratch);
    Str prefix = arena_format(&scratch, "%s-checkpoint.", checkpoints->algorithm->name);
    int64_t round;
    if (!str_starts(name, prefix) || !str_to_int64(str_from(name, prefix.len), &round) || round < 0)
        return -1;
    return round;
}

static bool has_sibling(const Checkpoints *checkpoints, Str name, const char *ending)
{
    ARENA(scratch);
    return file_exists(path_join(&scratch, checkpoints->folder,
                                 arena_format(&scratch, "%.*s%s", STR_ARG(name), ending).ptr));
}

static void remove_old(const Checkpoints *checkpoints, int64_t newest)
{
    ARENA(scratch);
    Str *names;
    size_t n;
    Error ignored;
    if (!folder_list(checkpoints->folder, 0, false, FILES_MAX, &scratch, &names, &n, &ignored))
        return;
    for (size_t i = 0; i < n; i++) {
        int64_t round = round_of(checkpoints, names[i]);
        if (round < 0 || round > newest - KEPT) continue;
        if (has_sibling(checkpoints, names[i], ".sagemaker-uploading") &&
            !has_sibling(checkpoints, names[i], ".sagemaker-uploaded"))
            continue;
        unlink(path_join(&scratch, checkpoints->folder, names[i].ptr));
    }
}

static bool move_single_file(const char *from_folder, const char *to, Error *err)
{
    ARENA(scratch);
    Str *names;
    size_t n;
    if (!folder_list(from_folder, 0, false, 10, &scratch, &names, &n, err)) return false;
    if (n != 1) return error_set(err, ERROR_INTERNAL, "a checkpoint of %zu files", n);
    if (rename(path_join(&scratch, from_folder, names[0].ptr), to) != 0)
        return error_sys(err, errno, "rename to '%s'", to);
    return true;
}

bool checkpoints_save(const Checkpoints *checkpoints, int64_t round, const Model *model, Error *err)
{
    ARENA(scratch);
    char *temporary = path_join(&scratch, checkpoints->folder, ".checkpoint-XXXXXX");
    if (!mkdtemp(temporary))
        return error_sys(err, errno, "make a folder in '%s'", checkpoints->folder);
    Str name = arena_format(&scratch, "%s-checkpoint.%lld", checkpoints->algorithm->name,
                            (long long)round);
    bool ok = checkpoints->algorithm->save(model, temporary, err) &&
              move_single_file(temporary, path_join(&scratch, checkpoints->folder, name.ptr), err);
    remove_folder(temporary);
    if (!ok) return error_in(err, "checkpoint of round %lld", (long long)round);
    remove_old(checkpoints, round);
    return true;
}

static bool load_file(const Checkpoints *checkpoints, Str name, Model **ret_model, Error *err)
{
    ARENA(scratch);
    char temporary[] = "/tmp/clary-checkpoint-XXXXXX";
    if (!mkdtemp(temporary)) return error_sys(err, errno, "make a temporary folder");
    char *path = realpath(path_join(&scratch, checkpoints->folder, name.ptr), NULL);
    bool ok = path && symlink(path, path_join(&scratch, temporary, name.ptr)) == 0;
    if (!ok) error_sys(err, errno, "link '%s'", name.ptr);
    ok = ok && checkpoints->algorithm->load(temporary, ret_model, err);
    free(path);
    remove_folder(temporary);
    return ok || error_in(err, "checkpoint '%s'", name.ptr);
}

bool checkpoints_load(const Checkpoints *checkpoints, Model **ret_model, int64_t *ret_round,
                      Error *err)
{
    ARENA(scratch);
    Str *names;
    size_t n, newest = 0;
    int64_t newest_round = -1;
    *ret_model = NULL;
    if (!folder_list(checkpoints->folder, 0, false, FILES_MAX, &scratch, &names, &n, err))
        return false;
    for (size_t i = 0; i < n; i++) {
        int64_t round = round_of(checkpoints, names[i]);
        if (round > newest_round) {
            newest_round = round;
            newest = i;
        }
    }
    *ret_round = newest_round;
    return newest_round < 0 || load_file(checkpoints, names[newest], ret_model, err);
}
