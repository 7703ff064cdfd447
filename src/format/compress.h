#ifndef CLARY_FORMAT_COMPRESS_H
#define CLARY_FORMAT_COMPRESS_H

/* gzip (RFC 1952, also several members one after the other) and Zstandard (RFC 8878) unpacked as a
 * stream, and packed.  Nothing is allocated by sizes that the data declares. */

#include "base/error.h"
#include "base/str.h"

typedef enum Packing {
    PACKING_NONE,
    PACKING_GZIP,
    PACKING_ZSTD,
    PACKING_FOREIGN, /* recognised, but not read here: xz, bzip2, zip, lz4 */
} Packing;

enum { PACKING_HEAD_BYTES = 10 }; /* so many first bytes are enough to tell */

/* By the first bytes of the data, or all of it when it is shorter. */
Packing packing_of(Str head);

/* "gzip", "zstd", "xz", ...: what `head` is packed with; "plain" for PACKING_NONE. */
const char *packing_name(Str head);

typedef struct Unpacker Unpacker;

bool unpacker_new(Packing packing, Unpacker **ret_unpacker, Error *err);
void unpacker_free(Unpacker *unpacker);
AUTO_FREE(Unpacker, unpacker_free);

/* Unpacks from the front of *input, which is moved on, into out[0 .. size); *ret_n bytes were
 * written.  Returns when `out` is full or the input is used up. */
bool unpacker_run(Unpacker *unpacker, Str *input, char *out, size_t size, size_t *ret_n,
                  Error *err);

/* To be asked when there is no more input: fails when the data stops in the middle, with the
 * number of bytes that came out. */
bool unpacker_finish(const Unpacker *unpacker, Error *err);

/* The whole text packed as one gzip member without a time or a name, the same bytes for the same
 * text; `level` 1 to 12 (libdeflate's; 6 is usual).  The result is data_alloc'ed. */
bool gzip_pack(Str text, int level, char **ret_bytes, size_t *ret_size, Error *err);

/* The same as one zstd frame; `level` 1 to 19 (3 is usual). */
bool zstd_pack(Str text, int level, char **ret_bytes, size_t *ret_size, Error *err);

#endif
