/* Files and folders by plain system calls. */

#include "base/file.h"

#include "base/memory.h"
#include "base/strbuf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

bool file_read(const char *path, size_t max_bytes, Arena *arena, Str *ret_text, Error *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return error_sys(err, errno, "open '%s'", path);

    AUTO_STRBUF StrBuf text = STRBUF(max_bytes + 1);
    for (;;) {
        size_t step = MIN(MAX(text.len, (size_t)16 * 1024), max_bytes + 1 - text.len);
        if (step == 0)
            return error_set(err, ERROR_LIMIT, "'%s' is larger than %zu bytes", path, max_bytes);
        char *to = strbuf_reserve(&text, step);
        ssize_t got = read(fd, to, step);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return error_sys(err, errno, "read '%s'", path);
        if (got == 0) break;
        text.len += (size_t)got;
    }
    *ret_text = arena_str(arena, strbuf_str(&text));
    return true;
}

bool file_map(const char *path, Str *ret_bytes, Error *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return error_sys(err, errno, "open '%s'", path);
    struct stat status;
    if (fstat(fd, &status) != 0) return error_sys(err, errno, "look at '%s'", path);
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_INVALID, "'%s' is not a regular file", path);
    if (status.st_size == 0) {
        *ret_bytes = (Str){"", 0};
        return true;
    }
    void *bytes = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) return error_sys(err, errno, "map '%s'", path);
    *ret_bytes = (Str){bytes, (size_t)status.st_size};
    return true;
}

void file_unmap(Str bytes)
{
    if (bytes.len) munmap((void *)(uintptr_t)bytes.ptr, bytes.len);
}

static bool sync_folder_of(const char *path, Error *err)
{
    ARENA(scratch);
    const char *slash = strrchr(path, '/');
    const char *folder = !slash ? "."
                         : slash == path
                             ? "/"
                             : arena_cstr(&scratch, (Str){path, (size_t)(slash - path)});
    AUTO_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) != 0) return error_sys(err, errno, "sync folder '%s'", folder);
    return true;
}

static bool sync_and_rename(const NewFile *file, Error *err)
{
    mode_t mask = umask(0);
    umask(mask);
    if (fchmod(file->fd, 0666 & ~mask) != 0)
        return error_sys(err, errno, "set the mode of '%s'", file->temporary);
    if (fsync(file->fd) != 0) return error_sys(err, errno, "sync '%s'", file->path);
    if (rename(file->temporary, file->path) != 0)
        return error_sys(err, errno, "rename to '%s'", file->path);
    return sync_folder_of(file->path, err);
}

bool new_file_open(const char *path, NewFile *ret_file, Error *err)
{
    NewFile file = {.fd = -1};
    if (!(file.path = strdup(path)) || asprintf(&file.temporary, "%s.tmp-XXXXXX", path) < 0)
        memory_exhausted(strlen(path));
    file.fd = mkostemp(file.temporary, O_CLOEXEC);
    if (file.fd < 0) {
        error_sys(err, errno, "create '%s'", path);
        free(file.path);
        free(file.temporary);
        return false;
    }
    *ret_file = file;
    return true;
}

static void new_file_close(NewFile *file)
{
    close(file->fd);
    free(file->path);
    free(file->temporary);
    *file = (NewFile){.fd = -1};
}

bool new_file_commit(NewFile *file, Error *err)
{
    bool ok = sync_and_rename(file, err);
    if (!ok) unlink(file->temporary);
    new_file_close(file);
    return ok;
}

void new_file_drop(NewFile *file)
{
    unlink(file->temporary);
    new_file_close(file);
}

bool file_commit(const char *path, Str bytes, Error *err)
{
    NewFile file;
    if (!new_file_open(path, &file, err)) return false;
    if (fd_write(file.fd, bytes, path, err)) return new_file_commit(&file, err);
    new_file_drop(&file);
    return false;
}

bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0;
}

bool folder_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool folder_make(const char *path, Error *err)
{
    ARENA(scratch);
    char *part = arena_cstr(&scratch, str_of(path));
    for (char *slash = part; (slash = strchr(slash + 1, '/')); *slash = '/') {
        *slash = 0;
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return error_sys(err, errno, "make folder '%s'", part);
    }
    if (mkdir(part, 0777) != 0 && errno != EEXIST)
        return error_sys(err, errno, "make folder '%s'", part);
    if (!folder_exists(path))
        return error_set(err, ERROR_CONFLICT, "'%s' exists and is not a folder", path);
    return true;
}

typedef struct Listing {
    Arena *arena;
    Str *names;
    size_t n, capacity, max;
    bool hidden;
    const char *root;
} Listing;

static bool list_below(Listing *list, const char *relative, int depth, Error *err)
{
    ARENA(scratch);
    const char *folder = *relative ? path_join(&scratch, list->root, relative) : list->root;
    DIR *dir = opendir(folder);
    if (!dir) return error_sys(err, errno, "open folder '%s'", folder);
    bool ok = true;
    for (struct dirent *entry; ok && (entry = readdir(dir));) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (!list->hidden && entry->d_name[0] == '.') continue;
        struct stat status;
        if (fstatat(dirfd(dir), entry->d_name, &status, 0) != 0) continue; /* gone meanwhile */
        const char *name = path_join(&scratch, relative, entry->d_name);
        if (S_ISDIR(status.st_mode)) {
            if (depth > 0) ok = list_below(list, name, depth - 1, err);
        } else if (S_ISREG(status.st_mode)) {
            if (list->n == list->max) {
                ok = error_set(err, ERROR_LIMIT, "more than %zu files in '%s'", list->max,
                               list->root);
            } else {
                if (list->n == list->capacity) {
                    size_t capacity = MAX(list->capacity * 2, (size_t)16);
                    list->names = arena_grow(list->arena, list->names, list->n, capacity,
                                             sizeof(Str));
                    list->capacity = capacity;
                }
                list->names[list->n++] = arena_str(list->arena, str_of(name));
            }
        }
    }
    closedir(dir);
    return ok;
}

static int compare_names(const void *a, const void *b)
{
    return str_compare(*(const Str *)a, *(const Str *)b);
}

bool folder_list(const char *path, int depth, bool hidden, size_t max, Arena *arena,
                 Str **ret_names, size_t *ret_n, Error *err)
{
    Listing list = {.arena = arena, .max = max, .hidden = hidden, .root = path};
    if (!list_below(&list, "", depth, err)) return false;
    if (list.n) qsort(list.names, list.n, sizeof(Str), compare_names);
    *ret_names = list.names;
    *ret_n = list.n;
    return true;
}

char *path_join(Arena *arena, const char *folder, const char *name)
{
    if (!*folder || *name == '/') return arena_cstr(arena, str_of(name));
    bool slash = folder[strlen(folder) - 1] == '/';
    return arena_cstr(arena, arena_format(arena, "%s%s%s", folder, slash ? "" : "/", name));
}

bool fd_write(int fd, Str bytes, const char *name, Error *err)
{
    while (bytes.len) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_sys(err, errno, "write '%s'", name);
        bytes = str_from(bytes, (size_t)n);
    }
    return true;
}
