/* Local folders served as read-only buckets: a file is an object, its path below the folder the key.
 *
 * Nothing is copied and nothing remembered: each request looks at the folder as it is.  Keys are resolved
 * beneath the folder by the kernel (openat2), so neither `..` nor links lead out of it (rule P1).  The ETag
 * comes from size, time and inode, in the form of a multipart one, since nobody may take it for an MD5. */

#include "service/s3/s3.h"

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FOLDER_DEPTH_MAX = 32, FOLDER_FILES_MAX = 1000000 };

struct S3Folder {
    char *name, *path;
    int fd;
    double created;
    S3Folder *next;
};

bool s3_serve_folder(Server *server, Str bucket, const char *path, Error *err)
{
    S3 *s3 = server->s3;
    struct stat status;
    if (s3_bucket_name_check(bucket))
        return error_set(err, ERROR_INVALID, "'%.*s' is no name for a bucket", STR_ARG(bucket));
    if (s3_folder_of(s3, bucket))
        return error_set(err, ERROR_CONFLICT, "bucket '%.*s' is named twice", STR_ARG(bucket));
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &status) != 0) {
        if (fd >= 0) close(fd);
        return error_sys(err, errno, "bucket '%.*s': folder '%s'", STR_ARG(bucket), path);
    }
    S3Folder *folder = calloc(1, sizeof *folder);
    if (!folder) memory_exhausted(sizeof *folder);
    *folder = (S3Folder){.name = strndup(bucket.ptr, bucket.len),
                         .path = realpath(path, NULL),
                         .fd = fd,
                         .created = (double)status.st_ctime,
                         .next = s3->folders};
    s3->folders = folder;
    return true;
}

void s3_folders_free(S3 *s3)
{
    for (S3Folder *folder = s3->folders, *next; folder; folder = next) {
        next = folder->next;
        close(folder->fd);
        free(folder->name);
        free(folder->path);
        free(folder);
    }
    s3->folders = NULL;
}

const S3Folder *s3_folder_of(const S3 *s3, Str bucket)
{
    for (const S3Folder *folder = s3->folders; folder; folder = folder->next)
        if (str_is(bucket, folder->name)) return folder;
    return NULL;
}

const S3Folder *s3_folder_next(const S3 *s3, Str after)
{
    const S3Folder *best = NULL;
    for (const S3Folder *folder = s3->folders; folder; folder = folder->next)
        if (str_compare(str_of(folder->name), after) > 0 &&
            (!best || str_compare(str_of(folder->name), str_of(best->name)) < 0))
            best = folder;
    return best;
}

Str s3_folder_name(const S3Folder *folder)
{
    return str_of(folder->name);
}

double s3_folder_created(const S3Folder *folder)
{
    return folder->created;
}

static int open_beneath(int folder, const char *path, int flags)
{
    struct open_how how = {.flags = (uint64_t)flags | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
                                      RESOLVE_NO_MAGICLINKS};
    return (int)syscall(SYS_openat2, folder, path, &how, sizeof how);
}

int s3_folder_open(const S3Bucket *bucket, Str key)
{
    ARENA(scratch);
    return open_beneath(bucket->folder->fd, arena_cstr(&scratch, key),
                        O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
}

static void row_of(Str key, const struct stat *status, Arena *arena, S3Row *ret_row)
{
    char hex[33];
    uint8_t md5[16];
    Str seen = arena_format(arena, "%lld %lld %lld.%09ld", (long long)status->st_ino,
                            (long long)status->st_size, (long long)status->st_mtim.tv_sec,
                            status->st_mtim.tv_nsec);
    digest_md5(seen, md5);
    hex_write(md5, 16, hex);
    hex[32] = 0;
    *ret_row = (S3Row){.key = key,
                       .version = STR("null"),
                       .current = true,
                       .size = status->st_size,
                       .etag = arena_format(arena, "%s-1", hex),
                       .modified = (double)status->st_mtim.tv_sec,
                       .meta = STR("{\"ContentType\":\"binary/octet-stream\"}")};
}

bool s3_folder_find(const S3Bucket *bucket, Str key, Arena *arena, S3Row *ret_row, Str *ret_path,
                    Error *err)
{
    const S3Folder *folder = bucket->folder;
    struct stat status;
    if (!s3_key_ok(key) || str_starts(key, STR("/")) || str_has(key, STR("//")))
        return error_set(err, ERROR_NOT_FOUND, "no such file");
    AUTO_FD int fd = open_beneath(folder->fd, arena_cstr(arena, key),
                                  O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
        return error_set(err, ERROR_NOT_FOUND, "no such file");
    row_of(key, &status, arena, ret_row);
    *ret_path = arena_format(arena, "%s/%.*s", folder->path, STR_ARG(key));
    return true;
}

bool s3_folder_rows(const S3Bucket *bucket, Str from, bool inclusive, size_t max, Arena *arena,
                    S3Row **ret_rows, size_t *ret_n, Error *err)
{
    const S3Folder *folder = bucket->folder;
    Str *names;
    size_t n_names, n = 0;
    if (!folder_list(folder->path, FOLDER_DEPTH_MAX, false, FOLDER_FILES_MAX, arena, &names,
                     &n_names, err))
        return false;
    *ret_rows = arena_array(arena, S3Row, max);
    for (size_t i = 0; i < n_names && n < max; i++) {
        int order = str_compare(names[i], from);
        struct stat status;
        if (order < 0 || (order == 0 && !inclusive)) continue;
        AUTO_FD int fd = open_beneath(folder->fd, arena_cstr(arena, names[i]), O_PATH | O_NOFOLLOW);
        if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) continue;
        row_of(names[i], &status, arena, &(*ret_rows)[n++]);
    }
    *ret_n = n;
    return true;
}
