#ifndef CLARY_BOOST_SORT_H
#define CLARY_BOOST_SORT_H

/* Orders and quantiles of float arrays. */

#include "base/error.h"

typedef struct SortItem {
    uint32_t key, row;
} SortItem;

/* order[0 .. n): row numbers by ascending or descending key, with room for 2 n items in `work`.
 * Equal keys stay in row order; -0 and 0 are equal; no NaN; n < 2^32. */
void sort_order(const float *key, bool descending, uint32_t *order, size_t n, SortItem *work);

/* The alpha-quantile of n values as XGBoost has it: without weights the type 6 of Hyndman and Fan
 * (position alpha (n + 1)), with weights the first value whose share of the weight reaches alpha.
 * 0 for n = 0.  The plain one reorders `values`. */
float quantile_plain(float *values, size_t n, double alpha);
bool quantile_weighted(const float *values, const float *weight, size_t n, double alpha,
                       float *ret_quantile, Error *err);

#endif
