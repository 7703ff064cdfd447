/* Model folders as .tar.gz.
 *
 * libarchive reads and writes the tar form only.  The gzip layer is ours: reading, because
 * libarchive does not compare gzip's checksums and would undo further layers unasked; writing,
 * because libdeflate is about three times as fast as zlib (pieces of 8 MiB, a gzip member each).
 *
 * Names are never compared to decide what is safe.  Each is taken apart, and each folder on the way
 * is opened relative to the one before without following links; files are made with O_EXCL. */

#include "format/targz.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "format/compress.h"

#include <archive.h>
#include <archive_entry.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/stat.h>

enum {
    PIECE_BYTES = 8 << 20,
    READ_BYTES = 256 << 10,
    SOME_TIME = 315532800, /* 1980-01-01, for all files; tar warns of 1970 */
};

/* libarchive brings a dozen libraries along, whose loading takes longer than most commands: it is
 * opened when the first archive is. */
/* clang-format off */
#define FUNCTIONS(X) \
    X(archive_entry_copy_pathname) \
    X(archive_entry_filetype) \
    X(archive_entry_free) \
    X(archive_entry_hardlink) \
    X(archive_entry_new) \
    X(archive_entry_pathname) \
    X(archive_entry_pathname_utf8) \
    X(archive_entry_set_filetype) \
    X(archive_entry_set_mtime) \
    X(archive_entry_set_perm) \
    X(archive_entry_set_size) \
    X(archive_error_string) \
    X(archive_free) \
    X(archive_read_data) \
    X(archive_read_new) \
    X(archive_read_next_header) \
    X(archive_read_open) \
    X(archive_read_support_format_tar) \
    X(archive_set_error) \
    X(archive_write_close) \
    X(archive_write_data) \
    X(archive_write_header) \
    X(archive_write_new) \
    X(archive_write_open) \
    X(archive_write_set_format_ustar)
/* clang-format on */

static struct {
#define MEMBER(name) typeof(name) *name;
    FUNCTIONS(MEMBER)
#undef MEMBER
    bool found;
    char problem[200];
} lib;

static void open_library(void)
{
    void *library = dlopen("libarchive.so.13", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(lib.problem, sizeof lib.problem, "%s", dlerror());
        return;
    }
    lib.found = true;
#define FIND(name)                                                                                 \
    do {                                                                                           \
        void *symbol = dlsym(library, #name);                                                      \
        memcpy(&lib.name, &symbol, sizeof symbol);                                                 \
        if (!symbol) {                                                                             \
            lib.found = false;                                                                     \
            snprintf(lib.problem, sizeof lib.problem, "it has no function " #name);                \
        }                                                                                          \
    } while (0);
    FUNCTIONS(FIND)
#undef FIND
}

static bool need_library(Error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    if (lib.found) return true;
    return error_set(
        err, ERROR_UNSUPPORTED,
        "archives need the library libarchive (libarchive.so.13, package libarchive13): %s",
        lib.problem);
}

#define AUTO_ARCHIVE __attribute__((cleanup(free_archive)))
static void free_archive(struct archive **archive)
{
    lib.archive_free(*archive);
}

#define AUTO_ENTRY __attribute__((cleanup(free_entry)))
static void free_entry(struct archive_entry **entry)
{
    lib.archive_entry_free(*entry);
}

/* ---- packing ---- */

typedef struct Packer {
    NewFile file;
    const char *path;
    StrBuf piece;
    Error *err; /* of the first failure */
    bool failed;
} Packer;

static bool flush_piece(Packer *packer)
{
    char *bytes;
    size_t size;
    if (packer->failed || packer->piece.len == 0) return !packer->failed;
    bool ok = gzip_pack(strbuf_str(&packer->piece), 6, &bytes, &size, packer->err);
    if (ok) {
        ok = fd_write(packer->file.fd, (Str){bytes, size}, packer->path, packer->err);
        data_free(bytes);
    }
    packer->piece.len = 0;
    packer->failed = !ok;
    return ok;
}

static la_ssize_t take_tar_bytes(struct archive *archive, void *arg, const void *bytes, size_t size)
{
    Packer *packer = arg;
    size_t n = MIN(size, PIECE_BYTES - packer->piece.len);
    strbuf_add(&packer->piece, (Str){bytes, n});
    if (packer->piece.len == PIECE_BYTES && !flush_piece(packer)) {
        lib.archive_set_error(archive, EIO, "writing failed");
        return -1;
    }
    return (la_ssize_t)n;
}

static bool tar_error(struct archive *archive, Error *err)
{
    const char *text = lib.archive_error_string(archive);
    return error_set(err, ERROR_INVALID, "%s", text ? text : "unknown reason");
}

static bool pack_file(struct archive *tar, const char *folder, const char *name, Error *err)
{
    ARENA(scratch);
    const char *path = path_join(&scratch, folder, name);
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) return error_sys(err, errno, "open '%s'", path);

    AUTO_ENTRY struct archive_entry *entry = lib.archive_entry_new();
    lib.archive_entry_copy_pathname(entry, name);
    lib.archive_entry_set_filetype(entry, AE_IFREG);
    lib.archive_entry_set_perm(entry, 0644);
    lib.archive_entry_set_size(entry, status.st_size);
    lib.archive_entry_set_mtime(entry, SOME_TIME, 0);
    if (lib.archive_write_header(tar, entry) < ARCHIVE_WARN) return tar_error(tar, err);

    AUTO_DATA char *buffer = data_array(char, READ_BYTES, "packing", err);
    if (!buffer) return false;
    for (int64_t left = status.st_size; left > 0;) {
        ssize_t n = read(fd, buffer, (size_t)MIN(left, (int64_t)READ_BYTES));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return error_sys(err, errno, "read '%s'", path);
        if (n == 0)
            return error_set(err, ERROR_CONFLICT, "'%s' became shorter while it was packed", path);
        if (lib.archive_write_data(tar, buffer, (size_t)n) < 0) return tar_error(tar, err);
        left -= n;
    }
    return true;
}

static bool pack_files(Packer *packer, const char *folder, Error *err)
{
    ARENA(scratch);
    Str *names;
    size_t n;
    if (!folder_list(folder, TARGZ_LEVELS_MAX - 1, true, TARGZ_ENTRIES_MAX, &scratch, &names, &n,
                     err))
        return false;

    if (!need_library(err)) return false;
    AUTO_ARCHIVE struct archive *tar = lib.archive_write_new();
    if (!tar) return error_set(err, ERROR_NO_MEMORY, "no memory for packing");
    lib.archive_write_set_format_ustar(tar);
    if (lib.archive_write_open(tar, packer, NULL, take_tar_bytes, NULL) != ARCHIVE_OK)
        return tar_error(tar, err);
    for (size_t i = 0; i < n; i++)
        if (!pack_file(tar, folder, arena_cstr(&scratch, names[i]), err)) return false;
    return lib.archive_write_close(tar) == ARCHIVE_OK || tar_error(tar, err);
}

bool targz_pack(const char *folder, const char *path, Error *err)
{
    Error deep = {0};
    AUTO_STRBUF StrBuf piece = STRBUF(PIECE_BYTES);
    Packer packer = {.path = path, .piece = piece, .err = &deep};
    if (!new_file_open(path, &packer.file, err)) return false;
    bool ok = pack_files(&packer, folder, err) && flush_piece(&packer);
    strbuf_clear(&packer.piece);
    if (ok) return new_file_commit(&packer.file, err);
    new_file_drop(&packer.file);
    if (packer.failed) *err = deep;
    return error_in(err, "packing '%s'", path);
}

/* ---- unpacking ---- */

typedef struct Input {
    int fd;   /* -1: all input is in `left` */
    Str left; /* packed bytes that were read */
    Unpacker *unpacker;
    char *packed, *plain; /* READ_BYTES each */
    int64_t packed_bytes; /* size of the whole packed input */
    int64_t bytes_max, n_plain;
    Error *err;
    bool failed;
} Input;

static bool read_packed(Input *input)
{
    if (input->fd < 0) return true;
    ssize_t n;
    do {
        n = read(input->fd, input->packed, READ_BYTES);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return error_sys(input->err, errno, "read");
    input->left = (Str){input->packed, (size_t)n};
    return true;
}

/* Unpacked bytes at *ret_bytes; *ret_n is 0 at the end. */
static bool next_plain(Input *input, const char **ret_bytes, size_t *ret_n)
{
    size_t n = 0;
    if (input->left.len == 0 && !read_packed(input)) return false;
    if (!input->unpacker) {
        *ret_bytes = input->left.ptr;
        n = input->left.len;
        input->left = (Str){"", 0};
    } else {
        while (n == 0) {
            if (input->left.len == 0 && !read_packed(input)) return false;
            bool end = input->left.len == 0;
            if (!unpacker_run(input->unpacker, &input->left, input->plain, READ_BYTES, &n,
                              input->err))
                return false;
            if (n == 0 && end) {
                if (!unpacker_finish(input->unpacker, input->err)) return false;
                break;
            }
        }
        *ret_bytes = input->plain;
    }
    input->n_plain += (int64_t)n;
    /* tar's own heads and padding may take as much again as many small files. */
    int64_t ratio_max = MAX((int64_t)TARGZ_FREE_BYTES, TARGZ_RATIO_MAX * input->packed_bytes);
    if (input->n_plain > ratio_max)
        return error_set(input->err, ERROR_LIMIT, "it unpacks to more than %d times its size",
                         TARGZ_RATIO_MAX);
    *ret_n = n;
    return true;
}

static la_ssize_t give_tar_bytes(struct archive *archive, void *arg, const void **ret_bytes)
{
    Input *input = arg;
    const char *bytes = "";
    size_t n = 0;
    if (input->failed || !next_plain(input, &bytes, &n)) {
        input->failed = true;
        lib.archive_set_error(archive, EIO, "reading failed");
        return -1;
    }
    *ret_bytes = bytes;
    return (la_ssize_t)n;
}

/* Takes the next part off *rest; parts that are empty or "." are passed over. */
static bool next_part(const char **rest, char part[static 256], bool *ret_refused)
{
    for (;;) {
        size_t n = strcspn(*rest, "/");
        const char *from = *rest;
        *rest += n + (from[n] == '/');
        if (n == 0 && !*from) return false;
        if (n == 0 || (n == 1 && from[0] == '.')) continue;
        *ret_refused = n > 255 || (n == 2 && from[0] == '.' && from[1] == '.');
        if (*ret_refused) return true;
        memcpy(part, from, n);
        part[n] = 0;
        return true;
    }
}

/* Opens (and makes) the folders of `name` below `root`; `last` becomes its last part, "" for the
 * root itself. */
static bool open_parent(int root, const char *name, char last[static 256], int *ret_fd, Error *err)
{
    if (*name == '/') return error_set(err, ERROR_DENIED, "the name is absolute");
    AUTO_FD int fd = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return error_sys(err, errno, "open the folder");
    char part[256];
    bool refused = false;
    int levels = 0;
    last[0] = 0;
    while (next_part(&name, part, &refused)) {
        if (refused)
            return error_set(err, ERROR_DENIED, "the name leads out of the folder or is too long");
        if (++levels > TARGZ_LEVELS_MAX)
            return error_set(err, ERROR_LIMIT, "the name has more than %d levels",
                             TARGZ_LEVELS_MAX);
        if (last[0]) {
            if (mkdirat(fd, last, 0777) != 0 && errno != EEXIST)
                return error_sys(err, errno, "make a folder");
            int inner = openat(fd, last, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (inner < 0) return error_sys(err, errno, "open a folder");
            close(fd);
            fd = inner;
        }
        memcpy(last, part, sizeof part);
    }
    *ret_fd = fd;
    fd = -1;
    return true;
}

static bool unpack_file(struct archive *tar, int parent, const char *last, const char *shown,
                        Input *input, int64_t *n_bytes, Error *err)
{
    AUTO_FD int fd = openat(parent, last, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                            0666);
    if (fd < 0 && errno == EEXIST) return error_set(err, ERROR_CONFLICT, "it is there already");
    if (fd < 0) return error_sys(err, errno, "create it");
    AUTO_DATA char *buffer = data_array(char, READ_BYTES, "unpacking", err);
    if (!buffer) return false;
    for (;;) {
        la_ssize_t n = lib.archive_read_data(tar, buffer, READ_BYTES);
        if (n < 0) return tar_error(tar, err);
        if (n == 0) return true;
        *n_bytes += n;
        if (*n_bytes > input->bytes_max)
            return error_set(err, ERROR_LIMIT, "more than %lld bytes in all",
                             (long long)input->bytes_max);
        if (!fd_write(fd, (Str){buffer, (size_t)n}, shown, err)) return false;
    }
}

static bool unpack_entry(struct archive *tar, struct archive_entry *entry, const char *name,
                         int root, Input *input, int64_t *n_bytes, Error *err)
{
    mode_t type = lib.archive_entry_filetype(entry);
    if (lib.archive_entry_hardlink(entry) || (type != AE_IFREG && type != AE_IFDIR))
        return error_set(err, ERROR_DENIED,
                         "it is a link or a device; only files and folders are unpacked");

    AUTO_FD int parent = -1;
    char last[256];
    if (!open_parent(root, name, last, &parent, err)) return false;
    if (type == AE_IFREG) {
        if (!last[0]) return error_set(err, ERROR_INVALID, "a file without a name");
        return unpack_file(tar, parent, last, name, input, n_bytes, err);
    }
    if (last[0] && mkdirat(parent, last, 0777) != 0 && errno != EEXIST)
        return error_sys(err, errno, "make the folder");
    return true;
}

static bool unpack_entries(struct archive *tar, int root, Input *input, Error *err)
{
    int64_t n_bytes = 0;
    for (int64_t i = 0;; i++) {
        struct archive_entry *entry;
        int code = lib.archive_read_next_header(tar, &entry);
        if (code == ARCHIVE_EOF) return true;
        if (code < ARCHIVE_WARN) {
            tar_error(tar, err);
            return i ? error_in(err, "after %lld entries", (long long)i)
                     : error_in(err, "this is no tar archive");
        }
        if (i >= TARGZ_ENTRIES_MAX)
            return error_set(err, ERROR_LIMIT, "more than %d entries", TARGZ_ENTRIES_MAX);

        const char *name = lib.archive_entry_pathname(entry);
        if (!name) name = lib.archive_entry_pathname_utf8(entry);
        if (!name)
            return error_set(err, ERROR_INVALID, "entry %lld: its name cannot be read",
                             (long long)i + 1);
        if (strlen(name) > TARGZ_NAME_BYTES_MAX)
            return error_set(err, ERROR_LIMIT, "entry %lld: its name is longer than %d bytes",
                             (long long)i + 1, TARGZ_NAME_BYTES_MAX);
        if (!unpack_entry(tar, entry, name, root, input, &n_bytes, err))
            return error_in(err, "entry '%s'", name);
    }
}

/* What follows the end of the tar data is read too, so that gzip's checksum is compared. */
static bool drain(Input *input)
{
    const char *bytes;
    size_t n;
    do {
        if (!next_plain(input, &bytes, &n)) return false;
    } while (n);
    return true;
}

static bool unpack(Input *input, Str head, const char *folder, int64_t bytes_max, Error *err)
{
    Error deep = {0};
    input->err = &deep;
    input->bytes_max = bytes_max ? bytes_max : TARGZ_BYTES_MAX;
    AUTO_FD int root = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0) return error_sys(err, errno, "open folder '%s'", folder);

    Packing packing = packing_of(head);
    if (packing != PACKING_NONE && packing != PACKING_GZIP)
        return error_set(err, ERROR_UNSUPPORTED, "it is packed with %s; a .tar.gz is wanted",
                         packing_name(head));
    AUTO(unpacker_free) Unpacker *unpacker = NULL;
    if (packing == PACKING_GZIP && !unpacker_new(packing, &unpacker, err)) return false;
    input->unpacker = unpacker;
    AUTO_DATA char *buffers = data_array(char, 2 * READ_BYTES, "unpacking", err);
    if (!buffers) return false;
    input->packed = buffers;
    input->plain = buffers + READ_BYTES;

    if (!need_library(err)) return false;
    AUTO_ARCHIVE struct archive *tar = lib.archive_read_new();
    if (!tar) return error_set(err, ERROR_NO_MEMORY, "no memory for unpacking");
    lib.archive_read_support_format_tar(tar);
    bool ok = lib.archive_read_open(tar, input, NULL, give_tar_bytes, NULL) == ARCHIVE_OK
                  ? unpack_entries(tar, root, input, err)
                  : tar_error(tar, err) || error_in(err, "this is no tar archive");
    if (ok && !input->failed) ok = drain(input);
    if (input->failed || (!ok && deep.kind)) *err = deep;
    return ok && !input->failed;
}

bool targz_unpack(const char *path, const char *folder, int64_t bytes_max, Error *err)
{
    AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0) return error_sys(err, errno, "open '%s'", path);
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_INVALID, "'%s' is not a regular file", path);
    char head[PACKING_HEAD_BYTES];
    ssize_t n = pread(fd, head, sizeof head, 0);
    if (n < 0) return error_sys(err, errno, "read '%s'", path);
    Input input = {.fd = fd, .packed_bytes = status.st_size};
    return unpack(&input, (Str){head, (size_t)n}, folder, bytes_max, err) ||
           error_in(err, "unpacking '%s'", path);
}

bool targz_unpack_bytes(const char *bytes, size_t size, const char *folder, int64_t bytes_max,
                        Error *err)
{
    Input input = {.fd = -1, .left = {bytes, size}, .packed_bytes = (int64_t)size};
    return unpack(&input, (Str){bytes, size}, folder, bytes_max, err) || error_in(err, "unpacking");
}
