/* Bytes behind a path.
 *
 * Plain files are mapped, everything else is read (and unpacked) into one buffer that grows only
 * when the caller keeps more than it consumes.  A mapping is laid over an anonymous one that is a
 * page longer, so that vector code may read a little beyond its end. */

#include "data/source.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "format/compress.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum {
    BLOCK_BYTES = 2 << 20,
    INPUT_BYTES = 256 << 10, /* packed bytes read at once */
    PAGE_BYTES = 4096,
    FOLIO_BYTES = 4 << 20,
    FILES_MAX = 1000000,
};

struct Source {
    Arena arena;
    SourceOptions options;
    const char **names;
    int32_t n_files;
    bool folder, regular;

    int32_t file; /* current one, -1 before the first */
    int fd;
    const char *name; /* for messages */
    bool at_end;      /* its last block was given */
    bool given_first;
    char *mapping; /* of a plain regular file */
    size_t mapping_size;
    Unpacker *unpacker; /* of a packed one */
    char *input;        /* INPUT_BYTES: what was read ahead or is still packed */
    Str input_left;
    bool input_end;

    Str memory; /* source_open_bytes */

    char *block;
    size_t block_capacity;
    SourceBlock current;
    bool peeked;
    off_t start;        /* of standard input, where it is a file */
    int64_t offset_end; /* in the unpacked file, after `current` */
    int64_t n_bytes;
};

static Source *source_new(const SourceOptions *options)
{
    Source *source = calloc(1, sizeof *source);
    if (!source) memory_exhausted(sizeof *source);
    source->options = *options;
    if (!source->options.block_bytes) source->options.block_bytes = BLOCK_BYTES;
    source->file = -1;
    source->fd = -1;
    return source;
}

static void close_file(Source *source)
{
    if (source->mapping) munmap(source->mapping, source->mapping_size);
    if (source->fd > STDIN_FILENO) close(source->fd);
    unpacker_free(source->unpacker);
    source->mapping = NULL;
    source->unpacker = NULL;
    source->fd = -1;
}

void source_close(Source *source)
{
    if (!source) return;
    close_file(source);
    data_free(source->input);
    data_free(source->block);
    arena_clear(&source->arena);
    free(source);
}

static void one_file(Source *source, const char *name)
{
    source->names = arena_array(&source->arena, const char *, 1);
    source->names[0] = arena_cstr(&source->arena, str_of(name));
    source->n_files = 1;
}

static bool list_folder(Source *source, const char *path, Error *err)
{
    Str *parts;
    size_t n_parts;
    int depth = source->options.depth;
    if (!folder_list(path, depth, false, FILES_MAX, &source->arena, &parts, &n_parts, err))
        return false;

    source->names = arena_array(&source->arena, const char *, n_parts);
    for (size_t i = 0; i < n_parts; i++) {
        const char *name = path_join(&source->arena, path, arena_cstr(&source->arena, parts[i]));
        struct stat status;
        if (stat(name, &status) != 0) return error_sys(err, errno, "look at '%s'", name);
        if (status.st_size > 0) source->names[source->n_files++] = name;
    }
    if (source->n_files) return true;
    if (n_parts) return error_set(err, ERROR_INVALID, "all files in folder '%s' are empty", path);
    return error_set(err, ERROR_NOT_FOUND, "there are no files in folder '%s'%s", path,
                     depth == 0 ? " (folders in it are not looked into)" : "");
}

bool source_open(const char *path, const SourceOptions *options, Source **ret_source, Error *err)
{
    AUTO(source_close) Source *source = source_new(options);
    struct stat status;
    if (!*path) return error_set(err, ERROR_INVALID, "the path of the data is empty");
    if (str_is(str_of(path), "-")) {
        one_file(source, path);
        source->start = lseek(STDIN_FILENO, 0, SEEK_CUR);
        source->regular = fstat(STDIN_FILENO, &status) == 0 && S_ISREG(status.st_mode) &&
                          source->start >= 0;
    } else {
        if (stat(path, &status) != 0) return error_sys(err, errno, "open '%s'", path);
        source->folder = S_ISDIR(status.st_mode);
        source->regular = source->folder || S_ISREG(status.st_mode);
        if (!source->folder)
            one_file(source, path);
        else if (!list_folder(source, path, err))
            return false;
    }
    *ret_source = STEAL(source);
    return true;
}

bool source_open_bytes(Str bytes, const char *name, const SourceOptions *options,
                       Source **ret_source, Error *err)
{
    AUTO(source_close) Source *source = source_new(options);
    one_file(source, name);
    source->input = data_array(char, bytes.len, "the data", err);
    if (!source->input) return false;
    if (bytes.len) memcpy(source->input, bytes.ptr, bytes.len);
    source->memory = (Str){source->input, bytes.len};
    *ret_source = STEAL(source);
    return true;
}

/* Reads on until `size` bytes or the end of the file. */
static bool read_full(const Source *source, char *to, size_t size, size_t *ret_n, Error *err)
{
    size_t n = 0;
    while (n < size) {
        ssize_t got = read(source->fd, to + n, size - n);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return error_sys(err, errno, "read");
        if (got == 0) break;
        n += (size_t)got;
    }
    *ret_n = n;
    return true;
}

static bool map_file(Source *source, size_t size, Error *err)
{
    size_t whole = ((size + PAGE_BYTES - 1) & ~(size_t)(PAGE_BYTES - 1)) + PAGE_BYTES;
    char *room = mmap(NULL, whole, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) return error_sys(err, errno, "map");
    source->mapping = room;
    source->mapping_size = whole;
    if (mmap(room, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, source->fd, 0) == MAP_FAILED)
        return error_sys(err, errno, "map");
    madvise(room, size, MADV_SEQUENTIAL);
    return true;
}

static bool start_unpacking(Source *source, Str head, Error *err)
{
    Packing packing = packing_of(head);
    if (packing == PACKING_FOREIGN)
        return error_set(err, ERROR_UNSUPPORTED,
                         "it is packed with %s, which is not read here; unpack it first, "
                         "or pack it with gzip or zstd",
                         packing_name(head));
    return packing == PACKING_NONE || unpacker_new(packing, &source->unpacker, err);
}

/* Opens the current file, looks at its first bytes and decides how it is read. */
static bool open_file(Source *source, Error *err)
{
    if (source->memory.ptr) {
        source->input_left = source->memory;
        source->input_end = true;
        return start_unpacking(source, source->memory, err);
    }

    bool standard_input = !source->folder && str_is(str_of(source->name), "-");
    source->fd = standard_input ? STDIN_FILENO : open(source->name, O_RDONLY | O_CLOEXEC);
    if (source->fd < 0) return error_sys(err, errno, "open");
    struct stat status;
    if (fstat(source->fd, &status) != 0) return error_sys(err, errno, "look at it");
    if (S_ISDIR(status.st_mode)) return error_set(err, ERROR_INVALID, "it is a folder");

    bool mappable = S_ISREG(status.st_mode) && status.st_size > 0 && !source->options.never_map &&
                    (!standard_input || lseek(source->fd, 0, SEEK_CUR) == 0);
    char head_bytes[PACKING_HEAD_BYTES];
    if (mappable) {
        ssize_t n = pread(source->fd, head_bytes, sizeof head_bytes, 0);
        if (n < 0) return error_sys(err, errno, "read");
        if (packing_of((Str){head_bytes, (size_t)n}) == PACKING_NONE)
            return map_file(source, (size_t)status.st_size, err);
    }

    if (!source->input) {
        source->input = data_array(char, INPUT_BYTES, "reading", err);
        if (!source->input) return false;
    }
    size_t n;
    if (!read_full(source, source->input, PACKING_HEAD_BYTES, &n, err)) return false;
    source->input_left = (Str){source->input, n};
    source->input_end = n < PACKING_HEAD_BYTES;
    return start_unpacking(source, source->input_left, err);
}

static bool read_input(Source *source, Error *err)
{
    ssize_t n;
    do {
        n = read(source->fd, source->input, INPUT_BYTES);
    } while (n < 0 && errno == EINTR);
    if (n < 0) return error_sys(err, errno, "read");
    source->input_left = (Str){source->input, (size_t)n};
    source->input_end = n == 0;
    return true;
}

static bool fill_unpacked(Source *source, char *to, size_t size, size_t *ret_n, Error *err)
{
    size_t n = 0;
    while (n < size) {
        size_t got;
        if (!unpacker_run(source->unpacker, &source->input_left, to + n, size - n, &got, err))
            return false;
        n += got;
        if (n == size) break;
        if (source->input_left.len == 0) {
            if (source->input_end) {
                if (!unpacker_finish(source->unpacker, err)) return false;
                break;
            }
            if (!read_input(source, err)) return false;
        }
    }
    *ret_n = n;
    return true;
}

/* Up to `size` further bytes of the current file; fewer only at its end. */
static bool fill(Source *source, char *to, size_t size, size_t *ret_n, Error *err)
{
    if (source->unpacker) return fill_unpacked(source, to, size, ret_n, err);

    size_t ahead = MIN(source->input_left.len, size), n = 0;
    if (ahead) memcpy(to, source->input_left.ptr, ahead);
    source->input_left = str_from(source->input_left, ahead);
    if (!source->input_end && !read_full(source, to + ahead, size - ahead, &n, err)) return false;
    *ret_n = ahead + n;
    return true;
}

static bool next_block(Source *source, size_t keep, Error *err)
{
    SourceBlock *block = &source->current;
    block->first = !source->given_first;
    source->given_first = true;
    if (source->mapping) {
        struct stat status;
        if (fstat(source->fd, &status) != 0) return error_sys(err, errno, "look at it");
        size_t size = MIN((size_t)status.st_size, source->mapping_size - PAGE_BYTES);
        *block = (SourceBlock){
            .bytes = {source->mapping, size}, .first = true, .last = true, .mapped = true};
        source->at_end = true;
        source->n_bytes += (int64_t)size;
        return true;
    }

    if (source->memory.ptr && !source->unpacker && !source->options.never_map) {
        *block = (SourceBlock){.bytes = source->memory, .first = true, .last = true};
        source->at_end = true;
        source->n_bytes += (int64_t)source->memory.len;
        return true;
    }

    if (keep) memmove(source->block, block->bytes.ptr + block->bytes.len - keep, keep);
    size_t step = source->options.block_bytes;
    if (keep + step > source->block_capacity) {
        size_t capacity = keep + MAX(step, keep);
        char *grown = data_grow(source->block, keep, capacity, 1, "a block of the data", err);
        if (!grown) return false;
        source->block = grown;
        source->block_capacity = capacity;
    }
    size_t n;
    if (!fill(source, source->block + keep, step, &n, err)) return false;
    block->bytes = (Str){source->block, keep + n};
    block->offset = source->offset_end - (int64_t)keep;
    block->last = source->at_end = n < step;
    block->mapped = false;
    source->offset_end += (int64_t)n;
    source->n_bytes += (int64_t)n;
    return true;
}

static bool begin_file(Source *source, Error *err)
{
    close_file(source);
    source->name = source->names[++source->file];
    source->at_end = source->given_first = source->input_end = false;
    source->input_left = (Str){"", 0};
    source->offset_end = 0;
    return open_file(source, err);
}

bool source_next(Source *source, size_t keep, SourceBlock *ret_block, Error *err)
{
    if (source->peeked) {
        source->peeked = false;
        *ret_block = source->current;
        return true;
    }
    assert(keep <= source->current.bytes.len && (keep == 0 || !source->current.last));

    if (source->file < 0 || source->at_end) {
        if (source->file + 1 >= source->n_files) {
            close_file(source);
            source->current = *ret_block = (SourceBlock){0};
            return true;
        }
        if (!begin_file(source, err)) return error_in(err, "reading '%s'", source->name);
    }
    if (!next_block(source, keep, err)) return error_in(err, "reading '%s'", source->name);
    source->current.name = source->name;
    source->current.file = source->file;
    *ret_block = source->current;
    return true;
}

bool source_peek(Source *source, SourceBlock *ret_block, Error *err)
{
    if (!source->peeked) {
        assert(source->file < 0); /* before the first source_next */
        SourceBlock block;
        if (!source_next(source, 0, &block, err)) return false;
        source->peeked = true;
    }
    *ret_block = source->current;
    return true;
}

bool source_peek_more(Source *source, SourceBlock *ret_block, Error *err)
{
    assert(source->peeked);
    SourceBlock *block = &source->current;
    if (!block->last) {
        bool first = block->first;
        if (!next_block(source, block->bytes.len, err))
            return error_in(err, "reading '%s'", source->name);
        block->first = first;
    }
    *ret_block = *block;
    return true;
}

void source_done(const SourceBlock *block, const char *begin, const char *end)
{
    if (!block->mapped) return;
    /* Touching a page may map all of the page cache's folio around it, and so bring pages back that
     * were given back before; and the page before `begin` was not whole then. */
    size_t before = (size_t)(begin - block->bytes.ptr);
    begin -= MIN(before, (size_t)FOLIO_BYTES);
    uintptr_t from = ((uintptr_t)begin + PAGE_BYTES - 1) & ~(uintptr_t)(PAGE_BYTES - 1);
    uintptr_t to = (uintptr_t)end & ~(uintptr_t)(PAGE_BYTES - 1);
    if (from < to) madvise((void *)from, to - from, MADV_DONTNEED);
}

bool source_can_rewind(const Source *source)
{
    return source->regular || source->memory.ptr;
}

bool source_rewind(Source *source, Error *err)
{
    close_file(source);
    if (!source->memory.ptr && !source->folder && str_is(str_of(source->names[0]), "-") &&
        lseek(STDIN_FILENO, source->start, SEEK_SET) < 0)
        return error_sys(err, errno, "read standard input again");
    source->file = -1;
    source->at_end = source->given_first = source->input_end = source->peeked = false;
    source->current = (SourceBlock){0};
    source->offset_end = source->n_bytes = 0;
    return true;
}

int32_t source_n_files(const Source *source)
{
    return source->n_files;
}

const char *source_file_name(const Source *source, int32_t file)
{
    return source->names[file];
}

bool source_is_regular(const Source *source)
{
    return source->regular;
}

int64_t source_n_bytes(const Source *source)
{
    return source->n_bytes;
}
