/* Growing texts with a maximum. */

#include "base/strbuf.h"

#include "base/memory.h"

#include <stdio.h>
#include <stdlib.h>

char *strbuf_reserve(StrBuf *buf, size_t n)
{
    if (buf->overflow || n > buf->max || buf->len > buf->max - n) {
        buf->overflow = true;
        return NULL;
    }
    if (buf->len + n + 1 > buf->capacity) {
        size_t capacity = MAX(buf->len + n + 1, MIN(buf->capacity * 2, buf->max + 1));
        capacity = MAX(capacity, (size_t)64);
        char *grown = realloc(buf->ptr, capacity);
        if (!grown) memory_exhausted(capacity);
        buf->ptr = grown;
        buf->capacity = capacity;
    }
    return buf->ptr + buf->len;
}

void strbuf_add(StrBuf *buf, Str s)
{
    char *to = strbuf_reserve(buf, s.len);
    if (!to || !s.len) return;
    memcpy(to, s.ptr, s.len);
    buf->len += s.len;
}

void strbuf_add_char(StrBuf *buf, char c)
{
    char *to = strbuf_reserve(buf, 1);
    if (!to) return;
    *to = c;
    buf->len++;
}

void strbuf_addf(StrBuf *buf, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    strbuf_addv(buf, format, args);
    va_end(args);
}

void strbuf_addv(StrBuf *buf, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    char *to = n >= 0 ? strbuf_reserve(buf, (size_t)n) : NULL;
    if (to) {
        vsnprintf(to, (size_t)n + 1, format, again);
        buf->len += (size_t)n;
    }
    va_end(again);
}

const char *strbuf_cstr(StrBuf *buf)
{
    if (!buf->ptr) return "";
    buf->ptr[buf->len] = 0; /* reserve always keeps one byte more */
    return buf->ptr;
}

void strbuf_clear(StrBuf *buf)
{
    free(buf->ptr);
    *buf = (StrBuf){.max = buf->max};
}
