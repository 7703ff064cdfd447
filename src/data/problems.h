#ifndef CLARY_DATA_PROBLEMS_H
#define CLARY_DATA_PROBLEMS_H

/* What is wrong with an input: the first five places in words, and how many there are in all.
 *
 *     problems_add(&problems, "row %lld: 9 fields, the header has 8", row);
 *     ...
 *     if (problems.n) return problems_error(&problems, err);
 *
 * gives "row 17: 9 fields, the header has 8; row 20: ...; and 12 more such places". */

#include "base/error.h"

enum { PROBLEMS_SHOWN = 5 };

typedef struct Problems {
    int64_t n;
    size_t len;
    char text[1400]; /* leaves room in an Error for what callers put before it */
} Problems;

void problems_add(Problems *problems, const char *format, ...) PRINTF_LIKE(2, 3);

/* Appends those of a later part of the input, as threads found them. */
void problems_join(Problems *problems, const Problems *later);

/* Sets err to ERROR_INVALID with the text; returns false. */
bool problems_error(const Problems *problems, Error *err);

#endif
