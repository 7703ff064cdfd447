#ifndef CLARY_FORMAT_UTF8_H
#define CLARY_FORMAT_UTF8_H

/* UTF-8 (RFC 3629): shortest forms only, no surrogates, up to U+10FFFF. */

#include "base/str.h"

/* Length of the sequence that begins at `p`, or 0 when it is none.  Reads nothing at or beyond `end`. */
static inline size_t utf8_sequence(const unsigned char *p, const unsigned char *end)
{
    size_t left = (size_t)(end - p);
    if (left == 0) return 0;
    if (p[0] < 0x80) return 1;
    if (p[0] < 0xc2 || left < 2) return 0;
    if (p[0] < 0xe0) return (p[1] & 0xc0) == 0x80 ? 2 : 0;
    if (p[0] < 0xf0) {
        if (left < 3 || (p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80) return 0;
        if (p[0] == 0xe0 && p[1] < 0xa0) return 0;  /* overlong */
        if (p[0] == 0xed && p[1] >= 0xa0) return 0; /* surrogate */
        return 3;
    }
    if (p[0] > 0xf4 || left < 4) return 0;
    if ((p[1] & 0xc0) != 0x80 || (p[2] & 0xc0) != 0x80 || (p[3] & 0xc0) != 0x80) return 0;
    if (p[0] == 0xf0 && p[1] < 0x90) return 0;  /* overlong */
    if (p[0] == 0xf4 && p[1] >= 0x90) return 0; /* beyond U+10FFFF */
    return 4;
}

/* Position of the first byte that is not part of valid UTF-8, or s.len. */
static inline size_t utf8_check(Str s)
{
    const unsigned char *begin = (const unsigned char *)s.ptr, *p = begin, *end = begin + s.len;
    while (p < end) {
        uint64_t word;
        if (end - p >= 8 && (memcpy(&word, p, 8), !(word & 0x8080808080808080u))) {
            p += 8;
            continue;
        }
        size_t n = utf8_sequence(p, end);
        if (n == 0) break;
        p += n;
    }
    return (size_t)(p - begin);
}

/* Writes the code point to `out` (room for 4 bytes); returns the length. */
static inline size_t utf8_encode(uint32_t code, char *out)
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xc0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3f));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xe0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3f));
        out[2] = (char)(0x80 | (code & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3f));
    out[2] = (char)(0x80 | (code >> 6 & 0x3f));
    out[3] = (char)(0x80 | (code & 0x3f));
    return 4;
}

#endif
