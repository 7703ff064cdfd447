#ifndef CLARY_NUM_LLOYD_H
#define CLARY_NUM_LLOYD_H

/* Lloyd's iterations: rows to their nearest centers, centers to the means of their rows.
 *
 * Dense data is kept row by row in lines (nearest.h) and less rough means (`shift`), where fp32
 * distances keep their digits; centers live in the same coordinates.  lloyd_unshift brings them back.
 * Sparse data stays where it is and as it is (shift 0). */

#include "base/error.h"
#include "base/random.h"
#include "base/thread.h"
#include "num/matrix.h"
#include "num/nearest.h"

typedef struct LloydData {
    int64_t n;
    int32_t d;
    bool sparse;
    NearestLines lines;  /* dense */
    Matrix matrix;       /* sparse: MATRIX_CSR with `absent` 0 */
    bool owns_matrix;    /* its arrays go with it */
    const float *weight; /* of each row, NULL: all 1 */
    Pool *pool;
    float *shift; /* d */
    float *norm;  /* dense: of each row the sum of squares, less shift ... */
    float *most;  /* ... and of each 4096 rows the largest absolute value */
    double weight_sum;
    double square_sum; /* of all rows, less shift, weighted */
    int64_t bad_row;   /* after a failure: where the value is that is no finite number, else -1 */
    int32_t bad_column;
    float bad_value;
} LloydData;

/* Tells the owner of a column that it is not needed any more. */
typedef void LloydRelease(void *owner, int32_t column);

/* Finds the means, checks that all values are finite, and brings a dense matrix (MATRIX_COLUMNS) into
 * lines, 16 columns at a time; after each 16, `release` (if not NULL) may give them back, so that no
 * more than 16 columns exist twice.  A sparse matrix and `weight` must outlive the data. */
bool lloyd_data_init(LloydData *data, const Matrix *matrix, const float *weight, Pool *pool,
                     LloydRelease *release, void *owner, Error *err);
void lloyd_data_clear(LloydData *data); /* also after a failure */

/* Some of the rows (rising), in the same coordinates. */
bool lloyd_data_sample(const LloydData *data, const int64_t *rows, int64_t n, LloydData *ret_sample,
                       Error *err);

/* First centers (k x d): distinct rows at random, or by k-means++ (each next row with a chance
 * proportional to its squared distance from those before).  *ret_distinct is how many are distinct
 * places: fewer than k when the data has fewer. */
bool lloyd_start_random(const LloydData *data, int32_t k, Random random, float *centers,
                        Error *err);
bool lloyd_start_plus_plus(const LloydData *data, int32_t k, Random random, float *centers,
                           int32_t *ret_distinct, Error *err);

typedef struct LloydOptions {
    int64_t iterations_max;
    double tol; /* ends when the cost falls by no more than this share of itself */
    /* After an iteration, with the mean squared distance; false ends the run.  May be NULL. */
    bool (*step)(void *host, int64_t iteration, double msd);
    void *host;
} LloydOptions;

typedef struct LloydResult {
    int64_t iterations;
    bool converged;
    double msd;         /* mean squared distance of the rows to their nearest centers, exactly */
    int64_t n_reseeded; /* centers that had lost all rows and were put elsewhere */
} LloydResult;

/* Moves `centers`.  `counts` gets the weight of each center's rows; NULL: not wanted. */
bool lloyd_run(const LloydData *data, int32_t k, float *centers, double *counts,
               const LloydOptions *options, LloydResult *ret_result, Error *err);

/* Mean squared distance of the rows to the nearest of `centers`. */
bool lloyd_msd(const LloydData *data, int32_t k, const float *centers, double *ret_msd, Error *err);

/* One step of mini-batch learning: `data` is the batch, counts[c] the weight that center c stands
 * for.  Each center moves towards the mean of its rows by their share. */
bool lloyd_batch(const LloydData *data, int32_t k, float *centers, double *counts, Error *err);

/* The nearest center of each row of a matrix of any layout and the Euclidean distance to it.
 * `centers` (k x d, row-major) are in the data's own coordinates.  Rows must be finite. */
bool lloyd_nearest(const Matrix *matrix, const float *centers, int32_t k, Pool *pool, float *index,
                   float *distance, Error *err);

void lloyd_unshift(const LloydData *data, int32_t k, float *centers);
void lloyd_shift(const LloydData *data, int32_t k, float *centers);

#endif
