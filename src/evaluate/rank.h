#ifndef CLARY_EVALUATE_RANK_H
#define CLARY_EVALUATE_RANK_H

/* Rows in the order of falling scores, by counting digits: no comparison, no worst case. */

#include "base/error.h"

typedef struct Ranked {
    uint32_t key; /* of equal scores the same; scores fall where keys rise */
    uint32_t row;
} Ranked;

/* Ranks value[0], value[stride], ...; none may be NaN.  n is below 2^32.  Equal ones keep the order
 * of their rows.  `ranked` and `spare` have n elements each; the result is in `ranked`. */
void rank_descending(const float *value, int64_t stride, int64_t n, Ranked *ranked, Ranked *spare);

/* Sorts upwards; no NaN. */
void sort_doubles(double *values, size_t n);

/* Quantile q of sorted values, linear between neighbors (the usual kind, type 7). */
double sorted_quantile(const double *sorted, int64_t n, double q);

#endif
