/* Ranking by radix: three passes over eleven bits each. */

#include "evaluate/rank.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS, PASSES = 3 };

/* A number that falls as the score rises; -0 and 0 are one. */
static uint32_t key_of(float x)
{
    x += 0.0f;
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    uint32_t rising = bits >> 31 ? ~bits : bits | 0x80000000u;
    return ~rising;
}

void rank_descending(const float *value, int64_t stride, int64_t n, Ranked *ranked, Ranked *spare)
{
    static_assert(DIGIT_BITS * PASSES >= 32, "all bits of a key are sorted");
    uint32_t counts[PASSES][DIGITS] = {0};
    for (int64_t i = 0; i < n; i++) {
        uint32_t key = key_of(value[i * stride]);
        spare[i] = (Ranked){key, (uint32_t)i};
        for (int pass = 0; pass < PASSES; pass++)
            counts[pass][key >> pass * DIGIT_BITS & (DIGITS - 1)]++;
    }
    Ranked *from = spare, *to = ranked;
    for (int pass = 0; pass < PASSES; pass++) {
        uint32_t begin = 0;
        for (int digit = 0; digit < DIGITS; digit++) {
            uint32_t count = counts[pass][digit];
            counts[pass][digit] = begin;
            begin += count;
        }
        for (int64_t i = 0; i < n; i++)
            to[counts[pass][from[i].key >> pass * DIGIT_BITS & (DIGITS - 1)]++] = from[i];
        Ranked *swap = from;
        from = to;
        to = swap;
    }
    /* An odd number of passes: the result is in `ranked`. */
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

void sort_doubles(double *values, size_t n)
{
    if (n) qsort(values, n, sizeof *values, compare_doubles);
}

double sorted_quantile(const double *sorted, int64_t n, double q)
{
    if (n == 0) return (double)NAN;
    double at = q * (double)(n - 1), whole = floor(at);
    int64_t i = (int64_t)whole;
    if (i + 1 >= n) return sorted[n - 1];
    return sorted[i] + (at - whole) * (sorted[i + 1] - sorted[i]);
}
