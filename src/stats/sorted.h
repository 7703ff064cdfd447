#ifndef CLARY_STATS_SORTED_H
#define CLARY_STATS_SORTED_H

/* A column of numbers in order: one radix sort serves quantiles, distinct and most frequent values, histograms, outliers and ranks.
 *
 * NaN is missing and left out.  -0 counts as 0.  Rows are fewer than 2^32. */

#include "base/error.h"

typedef struct Numbers { /* a column as it lies in a frame: exactly one of the two is set */
    const float *f32;
    const double *f64;
    int64_t n;
} Numbers;

typedef struct Sorted {
    int64_t n; /* values, without the missing ones */
    int64_t n_rows;
    float *f32; /* ascending; exactly one of the two is set, as in the column */
    double *f64;
    uint32_t *
        rows; /* row of each value, equal values in the order of their rows; NULL when not asked for */
} Sorted;

/* Memory of a sort, kept between columns: give a zeroed one, clear it at the end. */
typedef struct SortSpace {
    void *a, *b;
    size_t bytes;
} SortSpace;
void sort_space_clear(SortSpace *space);

/* The result is data_alloc'ed: sorted_clear. */
bool sorted_make(const Numbers *numbers, bool with_rows, SortSpace *space, Sorted *ret_sorted,
                 Error *err);
void sorted_clear(Sorted *sorted);

/* The same, but the result lies in `space`: valid until that is used again or cleared, and not to be cleared itself. */
bool sorted_view(const Numbers *numbers, bool with_rows, SortSpace *space, Sorted *ret_sorted,
                 Error *err);

static inline double numbers_at(const Numbers *numbers, int64_t i)
{
    return numbers->f32 ? (double)numbers->f32[i] : numbers->f64[i];
}

static inline double sorted_at(const Sorted *sorted, int64_t i)
{
    return sorted->f32 ? (double)sorted->f32[i] : sorted->f64[i];
}

/* Linear between neighbors: h = (n - 1) p (type 7 of Hyndman and Fan, numpy's and pandas' default); NaN when empty. */
double sorted_quantile_at(const Sorted *sorted, double p);

/* How many values are below x; below or equal to x. */
int64_t sorted_below(const Sorted *sorted, double x);
int64_t sorted_up_to(const Sorted *sorted, double x);

/* Average ranks, from 1, by row; NaN where the value is missing.  Needs rows.  ranks has n_rows elements. */
void sorted_ranks(const Sorted *sorted, double *ranks);
enum { RANKS_F32_MAX = 1 << 23 }; /* rows up to which floats hold average ranks exactly */
void sorted_ranks_f32(const Sorted *sorted, float *ranks);

/* Median of |x - center|; NaN when empty. */
double sorted_median_deviation(const Sorted *sorted, double center);

#endif
