/* Views of bytes. */

#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

bool str_eq_nocase(Str a, Str b)
{
    return a.len == b.len && (a.len == 0 || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

bool str_starts(Str s, Str prefix)
{
    return s.len >= prefix.len && str_eq((Str){s.ptr, prefix.len}, prefix);
}

bool str_ends(Str s, Str suffix)
{
    return s.len >= suffix.len && str_eq(str_from(s, s.len - suffix.len), suffix);
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

Str str_trim(Str s)
{
    while (s.len && is_blank(s.ptr[0])) s = str_from(s, 1);
    while (s.len && is_blank(s.ptr[s.len - 1])) s.len--;
    return s;
}

int str_compare(Str a, Str b)
{
    size_t n = MIN(a.len, b.len);
    int order = n ? memcmp(a.ptr, b.ptr, n) : 0;
    if (order) return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool str_has(Str s, Str needle)
{
    return needle.len == 0 || (s.len && memmem(s.ptr, s.len, needle.ptr, needle.len) != NULL);
}

size_t str_find(Str s, char c)
{
    const char *at = s.len ? memchr(s.ptr, c, s.len) : NULL;
    return at ? (size_t)(at - s.ptr) : s.len;
}

bool str_next(Str *rest, char separator, Str *ret_part)
{
    if (!rest->ptr) return false;
    size_t end = str_find(*rest, separator);
    *ret_part = (Str){rest->ptr, end};
    *rest = end < rest->len ? str_from(*rest, end + 1) : (Str){NULL, 0};
    return true;
}

bool str_next_line(Str *rest, Str *ret_line)
{
    if (rest->len == 0) return false;
    str_next(rest, '\n', ret_line);
    if (ret_line->len && ret_line->ptr[ret_line->len - 1] == '\r') ret_line->len--;
    return true;
}

bool str_to_int64(Str s, int64_t *ret_value)
{
    size_t i = 0;
    bool negative = s.len && s.ptr[0] == '-';
    if (s.len && (s.ptr[0] == '-' || s.ptr[0] == '+')) i = 1;
    if (i == s.len) return false;

    int64_t value = 0;
    for (; i < s.len; i++) {
        if (!isdigit((unsigned char)s.ptr[i])) return false;
        int digit = s.ptr[i] - '0';
        if (__builtin_mul_overflow(value, 10, &value)) return false;
        if (__builtin_sub_overflow(value, digit, &value)) return false; /* kept negative */
    }
    if (!negative && __builtin_sub_overflow(0, value, &value)) return false;
    *ret_value = value;
    return true;
}

bool str_to_double(Str s, double *ret_value)
{
    char text[512];
    if (s.len == 0 || s.len >= sizeof text || is_blank(s.ptr[0])) return false;
    memcpy(text, s.ptr, s.len);
    text[s.len] = 0;
    if (strpbrk(text, "xXpP(")) return false; /* hexadecimal forms and nan(...) */

    char *end;
    double value = strtod(text, &end);
    if (end != text + s.len) return false;
    *ret_value = value;
    return true;
}

int str_distance(Str a, Str b)
{
    enum { LONGEST = 63 };
    if (a.len > LONGEST || b.len > LONGEST) return 255;
    int rows[3][LONGEST + 1];
    for (size_t j = 0; j <= b.len; j++) rows[0][j] = (int)j;

    for (size_t i = 1; i <= a.len; i++) {
        int *row = rows[i % 3], *above = rows[(i - 1) % 3], *above2 = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= b.len; j++) {
            int differs = tolower((unsigned char)a.ptr[i - 1]) !=
                          tolower((unsigned char)b.ptr[j - 1]);
            int best = above[j - 1] + differs;
            best = MIN(best, above[j] + 1);
            best = MIN(best, row[j - 1] + 1);
            if (i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1])
                best = MIN(best, above2[j - 2] + 1);
            row[j] = best;
        }
    }
    return rows[a.len % 3][b.len];
}

int str_nearest(Str word, const Str *candidates, size_t n)
{
    int best = -1, best_distance = MAX(1, (int)(word.len / 3)) + 1;
    for (size_t i = 0; i < n; i++) {
        int distance = str_distance(word, candidates[i]);
        if (distance < best_distance) {
            best = (int)i;
            best_distance = distance;
        }
    }
    return best;
}
