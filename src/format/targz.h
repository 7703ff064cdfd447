#ifndef CLARY_FORMAT_TARGZ_H
#define CLARY_FORMAT_TARGZ_H

/* Folders packed as .tar.gz, the form of model artifacts; by libarchive, which only the programs
 * that use it link (the build target `archive`).
 *
 * What comes from outside is not trusted: regular files and folders only, nothing outside the
 * target folder, and the limits below. */

#include "base/error.h"

enum {
    TARGZ_ENTRIES_MAX = 100000,
    TARGZ_NAME_BYTES_MAX = 1024,
    TARGZ_LEVELS_MAX = 32,
    TARGZ_RATIO_MAX = 100, /* unpacked to packed bytes, beyond TARGZ_FREE_BYTES */
    TARGZ_FREE_BYTES = 64 << 20,
};
#define TARGZ_BYTES_MAX ((int64_t)20 << 30)

/* Packs the regular files below `folder` (also those whose names begin with '.') to `path`, all or
 * nothing.  The same files give the same bytes: sorted names, no owner, one time for all. */
bool targz_pack(const char *folder, const char *path, Error *err);

/* Unpacks `path` (.tar.gz, or .tar) into the existing `folder`.  Nothing that is there already is
 * replaced.  bytes_max 0: TARGZ_BYTES_MAX.  After a failure some of the files may be there. */
bool targz_unpack(const char *path, const char *folder, int64_t bytes_max, Error *err);

/* The same from bytes in memory, whose length counts as the packed size. */
bool targz_unpack_bytes(const char *bytes, size_t size, const char *folder, int64_t bytes_max,
                        Error *err);

#endif
