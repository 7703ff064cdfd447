#ifndef CLARY_NET_HTTP_BYTES_H
#define CLARY_NET_HTTP_BYTES_H

/* A buffer that grows, with HTTP_SLACK bytes readable behind it (inside of net). */

#include "base/str.h"

typedef struct Bytes {
    char *ptr;
    size_t len, capacity;
} Bytes;

/* Room for n more bytes; false when there is no memory. */
bool bytes_reserve(Bytes *bytes, size_t n);
bool bytes_add(Bytes *bytes, Str s);
void bytes_clear(Bytes *bytes);

#endif
