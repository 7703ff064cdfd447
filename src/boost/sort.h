#ifndef CLARY_BOOST_SORT_H
#define CLARY_BOOST_SORT_H

/* Orders of float arrays, by radix; stable. */

#include "base/error.h"

/* order[0 .. n): row numbers by descending or ascending key; equal keys stay in row order, -0 and 0 are
 * equal.  No NaN.  n < 2^32. */
bool sort_descending(const float *key, uint32_t *order, size_t n, Error *err);
bool sort_ascending(const float *key, uint32_t *order, size_t n, Error *err);

#endif
