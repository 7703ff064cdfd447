#ifndef CLARY_FORMAT_NUMBER_INTERIM_H
#define CLARY_FORMAT_NUMBER_INTERIM_H

/* The functions of number.h by way of the C library, for JSON until number.c is there. */

#include "format/number.h"

#include <stdio.h>
#include <stdlib.h>

static inline void interim_parse_double(const char *text, const char *end, double *ret_value)
{
    char *copy = strndup(text, (size_t)(end - text));
    if (copy) *ret_value = strtod(copy, NULL);
    free(copy);
}

static inline void interim_parse_float(const char *text, const char *end, float *ret_value)
{
    char *copy = strndup(text, (size_t)(end - text));
    if (copy) *ret_value = strtof(copy, NULL);
    free(copy);
}

static inline size_t interim_print_double(double x, char *buffer)
{
    if (x == (double)(int64_t)x && x < 1e15 && x > -1e15)
        return (size_t)snprintf(buffer, NUMBER_TEXT_MAX, "%lld", (long long)x);
    int n = 0;
    for (int digits = 1; digits <= 17; digits++) {
        n = snprintf(buffer, NUMBER_TEXT_MAX, "%.*g", digits, x);
        if (strtod(buffer, NULL) == x) break;
    }
    return (size_t)n;
}

static inline size_t interim_print_float(float x, char *buffer)
{
    int n = 0;
    for (int digits = 1; digits <= 9; digits++) {
        n = snprintf(buffer, NUMBER_TEXT_MAX, "%.*g", digits, (double)x);
        if (strtof(buffer, NULL) == x) break;
    }
    return (size_t)n;
}

#define number_parse_double interim_parse_double
#define number_parse_float interim_parse_float
#define number_print_double interim_print_double
#define number_print_float interim_print_float

#endif
