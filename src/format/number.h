#ifndef CLARY_FORMAT_NUMBER_H
#define CLARY_FORMAT_NUMBER_H

/* Numbers to text and back, exact in both directions. */

#include "base/str.h"

/* The number at the front of [text, end): decimal digits with optional sign, point and exponent, or
 * inf, infinity, nan in any case; correctly rounded (bit-equal to strtof and strtod in the C
 * locale), independent of the locale.  Returns the position after it, or `text` when there is none.
 * Reads nothing at or beyond `end`. */
const char *number_parse_float(const char *text, const char *end, float *ret_value);
const char *number_parse_double(const char *text, const char *end, double *ret_value);

/* The shortest text that reads back to the same value, as "0.1", "1e-07", "3", "nan", "inf", "-inf".
 * Returns its length; `buffer` gets no NUL. */
enum { NUMBER_TEXT_MAX = 32 };
size_t number_print_float(float x, char buffer[static NUMBER_TEXT_MAX]);
size_t number_print_double(double x, char buffer[static NUMBER_TEXT_MAX]);

#endif
