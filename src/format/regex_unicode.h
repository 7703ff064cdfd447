#ifndef CLARY_FORMAT_REGEX_UNICODE_H
#define CLARY_FORMAT_REGEX_UNICODE_H

/* General categories of characters, made by tools/unicode_tables.py. */

#include "base/base.h"

typedef struct UnicodeRange {
    uint32_t first, last;
    char category[3]; /* "Lu" */
} UnicodeRange;

extern const UnicodeRange unicode_ranges[]; /* in order; what is in none is unassigned */
extern const size_t n_unicode_ranges;

#endif
