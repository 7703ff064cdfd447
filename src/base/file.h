#ifndef CLARY_BASE_FILE_H
#define CLARY_BASE_FILE_H

/* Files and folders.  Paths are C strings; names inside errors are the ones the caller gave. */

#include "base/arena.h"
#include "base/error.h"

#include <unistd.h>

#define AUTO_FD __attribute__((cleanup(auto_close)))
static inline void auto_close(const int *fd)
{
    if (*fd >= 0) close(*fd);
}

/* The whole file, NUL-terminated beyond its length; ERROR_LIMIT when it is larger than max_bytes. */
bool file_read(const char *path, size_t max_bytes, Arena *arena, Str *ret_text, Error *err);

/* A file in memory as long as it is mapped; read-only.  Empty files map to an empty Str. */
bool file_map(const char *path, Str *ret_bytes, Error *err);
void file_unmap(Str bytes);

/* All or nothing: temporary name beside `path`, write, sync, rename, sync the folder
 * (security.md D1).  The file's mode is 0666 less the umask, as for any new file. */
bool file_commit(const char *path, Str bytes, Error *err);

/* The same for files written bit by bit: open, write to `fd`, then either commit or drop. */
typedef struct NewFile {
    int fd;
    char *path, *temporary;
} NewFile;
bool new_file_open(const char *path, NewFile *ret_file, Error *err);
bool new_file_commit(NewFile *file, Error *err); /* closes it either way */
void new_file_drop(NewFile *file);

bool file_exists(const char *path); /* anything of that name */
bool folder_exists(const char *path);
bool folder_make(const char *path, Error *err); /* and its parents; fine when it exists */

/* Regular files below `path`, depth levels deep (0: only in `path` itself), sorted bytewise by
 * their path relative to it; at most `max`.  Folders and files that begin with '.' are left out
 * unless `hidden`.  *ret_names are the relative paths. */
bool folder_list(const char *path, int depth, bool hidden, size_t max, Arena *arena,
                 Str **ret_names, size_t *ret_n, Error *err);

/* "folder/name"; only the name when the folder is "" or the name is absolute. */
char *path_join(Arena *arena, const char *folder, const char *name);

/* Writes all bytes, going on after short writes and signals. */
bool fd_write(int fd, Str bytes, const char *name, Error *err);

#endif
