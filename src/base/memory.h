#ifndef CLARY_BASE_MEMORY_H
#define CLARY_BASE_MEMORY_H

/* Data-sized memory: columns, matrices, bodies.  It may be refused, with an error that says how
 * much was asked for what.  Aligned to 64 bytes, zeroed, large blocks on huge pages where the
 * kernel offers them. */

#include "base/error.h"

#define data_array(Type, n, what, err) ((Type *)data_alloc((size_t)(n), sizeof(Type), what, err))

/* n * size bytes, or NULL with ERROR_NO_MEMORY ("no memory for the labels: 4.0 GB"; `what` is "the
 * labels").  Never NULL on success, also for n = 0.  64 bytes beyond the end are readable (and
 * zero at first), so that vector code may read past the last element. */
void *data_alloc(size_t n, size_t size, const char *what, Error *err);

/* The same block with room for n elements; keeps the first n_old; NULL leaves `block` as it was. */
void *data_grow(void *block, size_t n_old, size_t n, size_t size, const char *what, Error *err);

void data_free(void *block); /* accepts NULL */

/* "1.5 GB", "12 MB", "830 B": decimal, for people.  Returns `buffer`. */
const char *bytes_text(double bytes, char buffer[static 32]);

/* The peak resident memory of this process so far, in bytes. */
int64_t peak_rss_bytes(void);

/* Ends the process: bookkeeping memory ran out. */
void memory_exhausted(size_t size) __attribute__((noreturn, cold));

#define AUTO_DATA __attribute__((cleanup(auto_data_free)))
static inline void auto_data_free(void *pointer)
{
    data_free(*(void **)pointer);
}

#endif
