#ifndef CLARY_STATS_RELATION_H
#define CLARY_STATS_RELATION_H

/* How columns go together.
 *
 * Numbers are columns of doubles with NaN where a value is missing; a pair uses the rows where both have one (pandas).  A constant
 * column has no correlation: NaN.  Matrices are symmetric, n_cols x n_cols, row-major, in the caller's storage. */

#include "base/thread.h"
#include "stats/sorted.h"

/* Pearson's r; with covariance (ddof 1) where that is not NULL.  counts (or NULL): rows of each pair. */
bool pearson_matrix(Pool *pool, const double *const *columns, int32_t n_cols, int64_t n_rows,
                    double *ret_r, double *ret_covariance, int64_t *ret_counts, Error *err);

/* Spearman's rho: Pearson's r of average ranks, taken anew for each pair that has missing values.  sorted[j]: column j with rows. */
bool spearman_matrix(Pool *pool, const Sorted *const *sorted, int32_t n_cols, int64_t n_rows,
                     double *ret_rho, Error *err);

/* The same without copies, of columns as they lie in a frame.  centers: about the columns' means, which keeps the sums exact (0 for empty
 * ones).  missing: some value is not finite; such values are left out.  Any of the results may be NULL. */
bool pearson_blocks(Pool *pool, const Numbers *columns, const double *centers, int32_t n_cols,
                    int64_t n_rows, bool missing, double *ret_r, double *ret_covariance,
                    int64_t *ret_counts, Error *err);

/* Spearman's rho from average ranks (sorted_ranks, sorted_ranks_f32) with NaN where a value is missing; n_values: of each column. */
bool spearman_ranked(Pool *pool, const Numbers *ranks, const int64_t *n_values, int32_t n_cols,
                     int64_t n_rows, double *ret_rho, Error *err);

/* Kendall's tau-b of two columns without missing values, in n log n steps (Knight 1966); NaN when one is constant. */
bool kendall_tau(const double *x, const double *y, int64_t n, double *ret_tau, Error *err);

/* Two-sided p-value of r over n rows (t with n - 2 degrees of freedom); NaN below three rows. */
double pearson_p(double r, int64_t n);

/* Variance inflation factors from a correlation matrix: the diagonal of its inverse.  Infinite for columns that others determine; NaN for
 * constant ones (r[j][j] is NaN), which are left out.  Also the condition number (largest to smallest eigenvalue, square root), or NaN. */
bool vif_of(const double *r, int32_t n_cols, double *ret_vif, double *ret_condition, Error *err);

/* Contingency table of two categorical columns: codes from 0, below 0 missing.  table[a * n_b + b]. */
void contingency(const int32_t *a, int32_t n_a, const int32_t *b, int32_t n_b, int64_t n_rows,
                 double *ret_table);

typedef struct ChiSquare {
    double chi2, p, v, v_corrected; /* Cramer's V, and bias-corrected (Bergsma 2013) */
    double mutual_information;      /* in nats */
    double n;
    int32_t freedom;
} ChiSquare;
/* Empty rows and columns are left out.  yates: the correction of 2 x 2 tables. */
void chi_square(const double *table, int32_t n_a, int32_t n_b, bool yates, ChiSquare *ret);

/* Share of the variance of numbers that groups explain (eta squared), with the F test of one-way ANOVA. */
typedef struct Anova {
    double eta2, f, p;
    int64_t n;
    int32_t groups;
} Anova;
void anova_of(const int32_t *codes, int32_t n_codes, const double *values, int64_t n_rows,
              Anova *ret);

#endif
