#ifndef CLARY_BASE_HASH_H
#define CLARY_BASE_HASH_H

/* A fast 64-bit hash for tables in memory.  Not for files and not against attackers unless the
 * seed is secret. */

#include "base/random.h"
#include "base/str.h"

static inline uint64_t hash_bytes(const void *bytes, size_t n, uint64_t seed)
{
    const unsigned char *p = bytes;
    uint64_t hash = seed ^ (n * 0x9e3779b97f4a7c15u), word;
    for (; n >= 8; n -= 8, p += 8) {
        memcpy(&word, p, 8);
        hash = random_mix(hash ^ word);
    }
    word = 0;
    if (n) memcpy(&word, p, n);
    return random_mix(hash ^ word);
}

static inline uint64_t hash_str(Str s, uint64_t seed)
{
    return hash_bytes(s.ptr, s.len, seed);
}

#endif
