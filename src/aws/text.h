#ifndef CLARY_AWS_TEXT_H
#define CLARY_AWS_TEXT_H

/* Small notations of AWS's wires: percent encoding, forms, times. */

#include "aws/shape.h"
#include "base/arena.h"
#include "base/strbuf.h"

/* False when a '%' is not followed by two hex digits.  A view into `text` when nothing is encoded. */
bool percent_read(Arena *arena, Str text, bool plus_is_blank, Str *ret_text);
void percent_write(StrBuf *out, Str text, bool keep_slash);

/* Name and value, still encoded, cut from the front of a query or form. */
bool form_next(Str *rest, Str *ret_name, Str *ret_value);
/* The raw value of the first parameter that has the (plain) name; ptr NULL: none.  "?acl" has an empty value. */
Str form_find(Str form, const char *name);

/* Seconds since 1970, as text of one of AWS's forms (TIME_DEFAULT: any of them) and back. */
bool time_read(Str text, TimeForm form, double *ret_seconds);
void time_write(StrBuf *out, double seconds, TimeForm form, bool always_ms);

#endif
