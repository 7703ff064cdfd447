#ifndef CLARY_BOOST_BINS_H
#define CLARY_BOOST_BINS_H

/* The features of a data set cut into bins, the form that histogram training reads.
 *
 * Column j has the cuts c[0] < c[1] < ... < c[n - 1], one per bin: bin b holds the values below c[b]
 * and not below c[b - 1], so that "value < c[b]" and "bin <= b" say the same.  The last cut is
 * FLT_MAX: nothing that is not missing is right of it.  When a column has at most max_bin distinct
 * values each has its own bin; otherwise the bins hold about equal weight.  In a categorical column
 * bin b is category b; the bin behind the last is for categories that training did not see.
 *
 * Dense data is kept twice: column by column (to partition rows) and row by row, in the layout that
 * the histogram loop wants (hist.h).  Sparse data is kept as the global numbers of the bins of
 * what is stored: cut_start[j] + b. */

#include "base/arena.h"
#include "boost/train.h"

enum {
    ROW_GROUPS_MAX = 3,  /* kinds of columns in a row, by their number of bins */
    ROW_COLUMNS_STEP = 4 /* columns of a group of small ones are filled up to a multiple of this */
};

/* Columns that stand together in a row because their histograms have 2^shift entries each, and start
 * hist_stride(shift) apart: powers of two would put the same bin of all columns into the same few sets of
 * the cache, and often it is the same bin that most columns have. */
static inline size_t hist_stride(int shift)
{
    return ((size_t)1 << shift) + (shift > 4 ? 8 : 0);
}

typedef struct RowGroup {
    int32_t first, n_columns; /* places in the row, fillers included */
    int32_t shift;
    int32_t slot; /* of the first column's histogram */
} RowGroup;

enum { JOIN_COLUMNS_MAX = 24, COMBINATIONS_MAX = 256 };

/* Columns that stand in a row as one: the number of the combination of their bins. */
typedef struct JoinedColumns {
    int32_t n_columns, n_combinations;
    int32_t place, slot; /* of the combinations, in a row and in a histogram */
    int32_t column[JOIN_COLUMNS_MAX];
    uint8_t bin[JOIN_COLUMNS_MAX][COMBINATIONS_MAX]; /* of each column, by combination */
    uint8_t *id;                                     /* of each row, until the rows are made */
} JoinedColumns;

typedef struct Bins {
    Arena arena;
    int64_t n_rows;
    int32_t n_cols;
    int32_t *cut_start; /* n_cols + 1 */
    float *cuts;
    const uint8_t *is_category; /* NULL: no column is */
    uint8_t *has_missing;       /* per column; all 1 in sparse data */

    int width;        /* bytes of a bin, 1 or 2; 0 when sparse */
    uint32_t missing; /* the bin of missing values: 255 or 65535 */

    uint8_t *cols; /* column j at cols + j * col_stride */
    size_t col_stride;
    uint8_t *rows; /* row i at rows + i * row_stride; NULL for validation data */
    size_t row_stride;
    RowGroup groups[ROW_GROUPS_MAX];
    int32_t n_groups;
    int32_t *place; /* of column j in a row */
    uint8_t *shift; /* one byte a bin: column j's histogram has 2^shift[j] entries */
    int32_t *slot;  /* first histogram entry of column j */
    int32_t n_slots;

    /* Columns that take few combinations of bins; see join.c.  Their own histograms get the sums of the
     * combinations when the rows of a node are done. */
    JoinedColumns *joins;
    int32_t n_joins;
    int16_t *joined; /* the join of column j, or -1 */

    /* Columns that nearly always have the same bin are left out of the rows: a row lists the histogram
     * entries of its other bins, and what is missing to the sum of a node is the frequent bin's. */
    int16_t *frequent; /* that bin of column j, or -1: the column stands in the rows */
    bool any_frequent;
    uint32_t *extra_start; /* n_rows + 1 */
    uint16_t *extra;

    int64_t *row_start; /* sparse: n_rows + 1 */
    uint32_t *entry;

    /* Rows alike in all bins and in the label are one row here, with their weights summed up; n_rows is
     * the number of those. */
    uint32_t *alike; /* row i of the data is row alike[i] here; NULL: as they are */
    float *alike_label, *alike_weight;
} Bins;

/* Cuts and bins of the training data.  Its columns are given back one by one.  `keep` leaves them.
 * `merge` lets rows that are alike become one where that saves much. */
bool bins_new(const BoostParams *params, BoostData *data, bool keep, bool merge, Pool *pool,
              Bins **ret_bins, Error *err);

/* Joins columns; `cols` and cuts are there, rows are not. */
bool bins_join(Bins *bins, Error *err);

/* Merges rows that are alike, if there are many; `cols` is filled, nothing is made of it yet. */
bool bins_merge_alike(Bins *bins, const Labels *labels, Pool *pool, Error *err);

/* Bins of other data by the cuts of `like`. */
bool bins_new_like(const Bins *like, BoostData *data, bool keep, Pool *pool, Bins **ret_bins,
                   Error *err);
void bins_free(Bins *bins);
AUTO_FREE(Bins, bins_free);

/* Ascending cuts of the values x[0 .. n) (NaN left out), weighted by w unless NULL: at most `max_bin`
 * of them, into `cuts`; returns how many.  0 when there are no values, and -1 without memory. */
int32_t cuts_find(const float *x, const float *w, size_t n, int32_t max_bin, float *cuts);

/* Bins of x[0 .. n) by n_cuts cuts, `width` bytes each. */
void cuts_assign(const float *x, size_t n, const float *cuts, int32_t n_cuts, int width,
                 void *bins);

/* Bin of column `column` in row `row`, `missing` when there is none. */
uint32_t bins_at(const Bins *bins, int64_t row, int32_t column);

static inline int32_t bins_count(const Bins *bins, int32_t column)
{
    return bins->cut_start[column + 1] - bins->cut_start[column];
}

static inline bool bins_categorical(const Bins *bins, int32_t column)
{
    return bins->is_category && bins->is_category[column];
}

#endif
