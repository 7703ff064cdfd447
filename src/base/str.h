#ifndef CLARY_BASE_STR_H
#define CLARY_BASE_STR_H

/* Str is a view of bytes, passed by value, not NUL-terminated; it owns nothing. */

#include "base/base.h"

#include <string.h>

typedef struct Str {
    const char *ptr;
    size_t len;
} Str;

#define STR(literal) ((Str){"" literal, sizeof(literal) - 1})
/* clang-format off */
#define STR_INIT(literal) {"" literal, sizeof(literal) - 1} /* in static tables */
/* clang-format on */
#define STR_ARG(s) (int)(s).len, (s).ptr /* for "%.*s" */

static inline Str str_of(const char *text)
{
    return (Str){text, text ? strlen(text) : 0};
}

static inline bool str_eq(Str a, Str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool str_is(Str a, const char *text)
{
    return str_eq(a, str_of(text));
}

static inline Str str_from(Str s, size_t begin)
{
    return (Str){s.ptr + begin, s.len - begin};
}

static inline Str str_slice(Str s, size_t begin, size_t end)
{
    return (Str){s.ptr + begin, end - begin};
}

bool str_eq_nocase(Str a, Str b); /* ASCII letters only */
bool str_starts(Str s, Str prefix);
bool str_ends(Str s, Str suffix);
Str str_trim(Str s);             /* without ASCII blanks at both ends */
int str_compare(Str a, Str b);   /* bytewise, for sorting: <0, 0, >0 */
bool str_has(Str s, Str needle); /* true when `needle` occurs in `s` */

/* Position of the first `c`, or s.len. */
size_t str_find(Str s, char c);

/* Cuts the text before the first `separator` off `rest` into `ret_part`; without a separator the
 * whole rest.  False when `rest` is used up (its ptr is then NULL). */
bool str_next(Str *rest, char separator, Str *ret_part);

/* str_next for lines; a CR before the LF is dropped, and a final LF ends the last line. */
bool str_next_line(Str *rest, Str *ret_line);

/* The whole text as a number, in the C locale; false when it is not exactly one.  Integers accept
 * a sign; doubles what strtod accepts in decimal form, with inf and nan in any case. */
bool str_to_int64(Str s, int64_t *ret_value);
bool str_to_double(Str s, double *ret_value);

/* Edit distance with adjacent swaps (optimal string alignment), for did-you-mean; 255 and above
 * are reported as 255.  Texts longer than 63 bytes count as far apart. */
int str_distance(Str a, Str b);

/* The candidate nearest to `word` when it is near enough to be meant (distance at most a third of
 * the word's length, at least 1), else -1. */
int str_nearest(Str word, const Str *candidates, size_t n);

#endif
