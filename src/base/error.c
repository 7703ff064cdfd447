/* Errors as values: a kind and a sentence, filled from the inside out. */

#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#undef error_set /* error.h wraps these for clang's analyzer */
#undef error_sys
#undef error_in
#undef error_more

PRINTF_LIKE(3, 0)
static void write_text(Error *err, size_t at, const char *format, va_list args)
{
    if (at >= sizeof err->text) return;
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the callers begin it */
    int n = vsnprintf(err->text + at, sizeof err->text - at, format, args);
    if (n >= 0 && at + (size_t)n >= sizeof err->text)
        memcpy(err->text + sizeof err->text - 4, "...", 4);
}

bool error_set(Error *err, ErrorKind kind, const char *format, ...)
{
    if (!err) return false;
    err->kind = kind;
    va_list args;
    va_start(args, format);
    write_text(err, 0, format, args);
    va_end(args);
    return false;
}

static ErrorKind kind_of_errno(int code)
{
    switch (code) {
    case ENOENT:
    case ENOTDIR: return ERROR_NOT_FOUND;
    case EACCES:
    case EPERM:
    case EROFS: return ERROR_DENIED;
    case EEXIST: return ERROR_CONFLICT;
    case ENOMEM: return ERROR_NO_MEMORY;
    case ETIMEDOUT: return ERROR_TIMEOUT;
    case EFBIG:
    case ENAMETOOLONG: return ERROR_LIMIT;
    default: return ERROR_IO;
    }
}

bool error_sys(Error *err, int code, const char *format, ...)
{
    if (!err) return false;
    err->kind = kind_of_errno(code);
    va_list args;
    va_start(args, format);
    write_text(err, 0, format, args);
    va_end(args);
    return error_more(err, ": %s", strerror(code));
}

bool error_in(Error *err, const char *format, ...)
{
    if (!err) return false;
    char inner[ERROR_TEXT_MAX];
    memcpy(inner, err->text, sizeof inner);
    va_list args;
    va_start(args, format);
    write_text(err, 0, format, args);
    va_end(args);
    return error_more(err, ": %s", inner);
}

bool error_more(Error *err, const char *format, ...)
{
    if (!err) return false;
    va_list args;
    va_start(args, format);
    write_text(err, strnlen(err->text, sizeof err->text), format, args);
    va_end(args);
    return false;
}

const char *error_kind_name(ErrorKind kind)
{
    switch (kind) {
    case ERROR_NONE: return "none";
    case ERROR_INVALID: return "invalid";
    case ERROR_NOT_FOUND: return "not found";
    case ERROR_CONFLICT: return "conflict";
    case ERROR_LIMIT: return "limit";
    case ERROR_DENIED: return "denied";
    case ERROR_UNSUPPORTED: return "unsupported";
    case ERROR_NUMERIC: return "numeric";
    case ERROR_CANCELLED: return "cancelled";
    case ERROR_TIMEOUT: return "timeout";
    case ERROR_NO_MEMORY: return "no memory";
    case ERROR_IO: return "io";
    case ERROR_INTERNAL: return "internal";
    }
    return "unknown";
}
