/* What every handler uses; see call.h. */

#include "service/call.h"

#include <stdarg.h>
#include <stdio.h>

static bool set_error(Call *call, Error *err, int status, const char *code, const char *format,
                      va_list args)
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
