#ifndef CLARY_BOOST_HIST_H
#define CLARY_BOOST_HIST_H

/* Gradient histograms over bins, and the best split in them.
 *
 * A sum is one 64-bit number: the gradients' sum in the upper half (signed), the second
 * derivatives' in the lower (never negative), both in units that are powers of two, chosen per
 * tree so that neither half can overflow.  Sums and differences of such numbers are one integer
 * operation, exact, and do not depend on the order of rows or the number of threads. */

#include "boost/bins.h"
#include "boost/grow.h"

typedef uint64_t HistSum;

typedef struct HistUnit { /* what 1 stands for in each half */
    double g, h;
} HistUnit;

static inline GradSum hist_value(HistSum sum, HistUnit unit)
{
    return (GradSum){(double)(int32_t)(sum >> 32) * unit.g, (double)(uint32_t)sum * unit.h};
}

/* Rounded gradient pairs of rows: sums of one row each, or, where both halves fit 16 bits, in 32 bits
 * (narrow), which are moved about in less time. */
typedef struct HistPairs {
    void *q;
    bool narrow;
} HistPairs;

static inline HistPairs hist_pairs_from(HistPairs pairs, size_t i)
{
    return (HistPairs){(char *)pairs.q + i * (pairs.narrow ? sizeof(uint32_t) : sizeof(HistSum)),
                       pairs.narrow};
}

typedef struct HistMagnitude { /* of some rows: sums and greatest of |g| and h */
    GradSum sum, most;
} HistMagnitude;

/* Of rows [begin, end); the sums are not finite when a gradient is not. */
HistMagnitude hist_magnitude(const float *gh, int64_t stride, size_t begin, size_t end);

/* Units in which n rows of these magnitudes fit.  *ret_narrow: each fits 32 bits.  Of many rows, units may
 * be coarser for that, as long as the average row still has some hundreds of them. */
HistUnit hist_unit(HistMagnitude magnitude, size_t n, bool *ret_narrow);

/* Pairs of rows [begin, end) into pairs [0, end - begin), rounded up or down at random in proportion, so
 * that they are right on average; the random numbers are a function of (seed, row).  Returns their sum. */
HistSum hist_quantize(const float *gh, int64_t stride, size_t begin, size_t end, HistUnit unit,
                      uint32_t seed, HistPairs pairs);

/* Adds pair i to the histogram of each column's bin, for rows[i] or (rows NULL) row first + i.  Reads
 * rows[] up to HIST_ROWS_AHEAD entries beyond n: valid row numbers, which it fetches ahead. */
enum { HIST_ROWS_AHEAD = 32 };

void hist_add(const Bins *bins, const uint32_t *rows, size_t first, size_t n, HistPairs pairs,
              HistSum *hist);

/* After all rows of a node with this sum have been added: fills in the bins that hist_add leaves out. */
void hist_complete(const Bins *bins, HistSum sum, HistSum *hist);

/* sums[i] += or -= other[i]. */
void hist_sum(HistSum *sums, const HistSum *other, size_t n);
void hist_subtract(HistSum *sums, const HistSum *other, size_t n);

typedef struct HistSplit {
    Split split;
    HistSum left;
} HistSplit;

typedef struct HistSearch {
    const Bins *bins;
    const SplitRules *rules;
    HistUnit unit;
    int32_t max_cat_to_onehot, max_cat_threshold;
} HistSearch;

/* The best split of a node with these sums by one of the columns [first, end) that are allowed (NULL:
 * all), if it is better than *best.  Categories are not listed yet. */
void hist_best_split(const HistSearch *search, const HistSum *hist, HistSum sum, Bounds bounds,
                     const uint8_t *allowed, int32_t first, int32_t end, HistSplit *best);

/* The categories of a categorical split that go right: `out` has room for all of the column. */
int32_t hist_categories(const HistSearch *search, const HistSum *hist, const Split *split,
                        int32_t *out);

#endif
