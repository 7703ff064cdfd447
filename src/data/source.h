#ifndef CLARY_DATA_SOURCE_H
#define CLARY_DATA_SOURCE_H

/* The bytes behind a path, unpacked, block by block in bounded memory: a regular file, a folder of
 * parts (one after the other in the order of their names), "-" for standard input, a named pipe.
 * gzip and zstd are recognised by their first bytes.
 *
 *     AUTO(source_close) Source *source = NULL;
 *     if (!source_open(path, &(SourceOptions){0}, &source, err)) return false;
 *     SourceBlock block = {0};
 *     for (size_t keep = 0;; keep = unfinished) {
 *         if (!source_next(source, keep, &block, err)) return false;
 *         if (!block.name) break;
 *         ... block.bytes; `unfinished` bytes at its end are the beginning of a line ...
 *     }
 *
 * A plain regular file comes as ONE block, mapped, `first` and `last`: large ones can be cut up
 * among threads.  Everything else comes as blocks of about block_bytes.  A file of no bytes comes
 * as one empty block; in a folder such files are left out.
 *
 * Up to SOURCE_SLACK bytes beyond a block's end may be read (their values mean nothing). */

#include "base/error.h"
#include "base/str.h"

enum { SOURCE_SLACK = 64 };

typedef struct SourceOptions {
    int depth;          /* folders below the given one that are looked into */
    size_t block_bytes; /* 0: 2 MiB */
    bool never_map;     /* blocks for regular files too (tests; files that change while read) */
} SourceOptions;

typedef struct SourceBlock {
    Str bytes;
    const char *name; /* the file, for messages: the path given, or folder/part; lives as long as
                         the source.  NULL: there is no further block. */
    int32_t file;     /* its number, from 0 */
    int64_t offset;   /* of bytes.ptr[0] in the unpacked file */
    bool first, last; /* block of its file.  A last block may hold nothing but kept bytes. */
    bool mapped;      /* a whole file; stays valid until source_close or the next file */
} SourceBlock;

typedef struct Source Source;

bool source_open(const char *path, const SourceOptions *options, Source **ret_source, Error *err);

/* The same over bytes in memory (packed or not), which are copied; `name` for messages. */
bool source_open_bytes(Str bytes, const char *name, const SourceOptions *options,
                       Source **ret_source, Error *err);
void source_close(Source *source);
AUTO_FREE(Source, source_close);

/* The next block, valid until the next call.  Its bytes begin with the last `keep` bytes of the
 * block before; keep is 0 after a block that is `last`.  Memory grows with `keep`, so the caller
 * bounds it.  Errors name the file. */
bool source_next(Source *source, size_t keep, SourceBlock *ret_block, Error *err);

/* The block that source_next will give, without taking it. */
bool source_peek(Source *source, SourceBlock *ret_block, Error *err);

/* After source_peek: makes that block longer by a usual one, for a beginning that is long. */
bool source_peek_more(Source *source, SourceBlock *ret_block, Error *err);

/* Says that these bytes of a mapped block were read for the last time: their pages leave this
 * process, so that peak memory does not count the file.  Only whole pages inside count; for other
 * blocks it does nothing.  Safe to call from several threads; reading them again is only slower. */
void source_done(const SourceBlock *block, const char *begin, const char *end);

/* Whether source_rewind can be called: regular files and bytes in memory, not pipes. */
bool source_can_rewind(const Source *source);

/* Back to before the first block; blocks given before are void. */
bool source_rewind(Source *source, Error *err);

/* The files behind the path in their order (one for a file, "-" or a pipe). */
int32_t source_n_files(const Source *source);
const char *source_file_name(const Source *source, int32_t file);
bool source_is_regular(const Source *source); /* all are regular files on disk */
int64_t source_n_bytes(const Source *source); /* unpacked bytes that came out so far */

#endif
