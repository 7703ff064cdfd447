/* What every handler uses; see call.h. */

#include "service/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/random.h>

static bool PRINTF_LIKE(5, 0) set_error(Call *call, Error *err, int status, const char *code,
                                        const char *format, va_list args)
{
    char text[ERROR_TEXT_MAX];
    vsnprintf(text, sizeof text, format, args);
    call->code = code;
    call->status = status;
    return error_set(err, ERROR_INVALID, "%s", text);
}

bool call_error(Call *call, Error *err, const char *code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    set_error(call, err, 0, code, format, args);
    va_end(args);
    return false;
}

bool call_error_status(Call *call, Error *err, int status, const char *code, const char *format,
                       ...)
{
    va_list args;
    va_start(args, format);
    set_error(call, err, status, code, format, args);
    va_end(args);
    return false;
}

void call_field(Call *call, Str name, Str value)
{
    assert((size_t)call->n_fields < COUNT(call->fields));
    call->fields[call->n_fields++] = (WireField){name, value};
}

Str call_new_id(Arena *arena)
{
    unsigned char b[16];
    for (size_t at = 0; at < sizeof b;) {
        ssize_t n = getrandom(b + at, sizeof b - at, 0);
        if (n > 0) at += (size_t)n;
    }
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40); /* RFC 9562, version 4 */
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    return arena_format(
        arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
        b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}
