/* The first five problems of an input, in words. */

#include "data/problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PLACE_BYTES = 260 }; /* at most so much of each place */

void problems_add(Problems *problems, const char *format, ...)
{
    if (problems->n++ >= PROBLEMS_SHOWN) return;

    char place[PLACE_BYTES + 1];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(place, sizeof place, format, args);
    va_end(args);
    if (n < 0) return;
    if (n >= PLACE_BYTES) memcpy(place + PLACE_BYTES - 3, "...", 4);

    int added = snprintf(problems->text + problems->len, sizeof problems->text - problems->len,
                         "%s%s", problems->len ? "; " : "", place);
    if (added > 0) problems->len = MIN(problems->len + (size_t)added, sizeof problems->text - 1);
}

/* The places of `later` that still fit under PROBLEMS_SHOWN are cut from its text at their "; ",
 * which a place may hold itself; then fewer are shown, never more. */
void problems_join(Problems *problems, const Problems *later)
{
    int64_t shown = MIN(problems->n, (int64_t)PROBLEMS_SHOWN);
    int64_t room = PROBLEMS_SHOWN - shown;
    problems->n += later->n;
    if (room == 0 || later->len == 0) return;

    size_t end = later->len;
    if (MIN(later->n, (int64_t)PROBLEMS_SHOWN) > room) {
        const char *at = later->text;
        for (int64_t i = 0; i < room && at; i++) {
            at = strstr(at, "; ");
            if (at) end = (size_t)(at - later->text), at += 2;
        }
    }
    int added = snprintf(problems->text + problems->len, sizeof problems->text - problems->len,
                         "%s%.*s", problems->len ? "; " : "", (int)end, later->text);
    if (added > 0) problems->len = MIN(problems->len + (size_t)added, sizeof problems->text - 1);
}

bool problems_error(const Problems *problems, Error *err)
{
    error_set(err, ERROR_INVALID, "%s", problems->text);
    int64_t more = problems->n - PROBLEMS_SHOWN;
    if (more > 0)
        error_more(err, "; and %lld more such place%s", (long long)more, more == 1 ? "" : "s");
    return false;
}
