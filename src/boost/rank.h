#ifndef CLARY_BOOST_RANK_H
#define CLARY_BOOST_RANK_H

/* Words of ranking that objectives and metrics share; internal to `boost`. */

#include "base/base.h"

#include <math.h>

enum { RANK_TOP_DEFAULT = 32 }; /* positions that pairs and metrics look at */

/* Gain of relevance `y`: 2^y - 1, or y itself. */
static inline double dcg_gain(float y, bool exponential)
{
    return exponential ? ldexp(1, (int)y) - 1 : (double)y;
}

/* Discount of position k, counted from 0. */
static inline double dcg_discount(size_t k)
{
    return 1 / log2((double)k + 2);
}

/* DCG of the first `top` of n relevances that are sorted descending. */
double ideal_dcg(const float *sorted, size_t n, size_t top, bool exponential);

#endif
