#ifndef CLARY_BASE_STRBUF_H
#define CLARY_BASE_STRBUF_H

/* A text that grows up to a stated maximum.
 *
 *     AUTO_STRBUF StrBuf out = STRBUF(64 * 1024);
 *     strbuf_addf(&out, "%d rows\n", n);
 *
 * What would pass the maximum is left out and `overflow` is set: check it once, at the end. */

#include "base/str.h"

#include <stdarg.h>

typedef struct StrBuf {
    char *ptr;
    size_t len, capacity, max;
    bool overflow;
} StrBuf;

/* clang-format off */
#define STRBUF(max_bytes) {.max = (max_bytes)}
/* clang-format on */
#define AUTO_STRBUF __attribute__((cleanup(strbuf_clear)))

void strbuf_add(StrBuf *buf, Str s);
void strbuf_add_char(StrBuf *buf, char c);
void strbuf_addf(StrBuf *buf, const char *format, ...) PRINTF_LIKE(2, 3);
void strbuf_addv(StrBuf *buf, const char *format, va_list args) PRINTF_LIKE(2, 0);

/* Room for n more bytes at the returned place; add what was written to `len`.  NULL on overflow. */
char *strbuf_reserve(StrBuf *buf, size_t n);

static inline Str strbuf_str(const StrBuf *buf)
{
    return (Str){buf->ptr ? buf->ptr : "", buf->len};
}

/* The text as a C string, valid until the buffer changes. */
const char *strbuf_cstr(StrBuf *buf);

void strbuf_clear(StrBuf *buf); /* frees; may be used again */

#endif
