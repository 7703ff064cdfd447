#ifndef CLARY_NUM_LLOYD_H
#define CLARY_NUM_LLOYD_H

/* Lloyd's iterations: rows to their nearest centers, centers to the means of their rows.
 *
 * Centers live in the data's own coordinates less `shift` (its means; zeros for sparse data), where
 * fp32 distances keep their digits.  Add the shift to get them back: lloyd_unshift. */

#include "base/error.h"
#include "base/random.h"
#include "base/thread.h"
#include "num/matrix.h"

typedef struct LloydData {
    const Matrix *matrix; /* MATRIX_COLUMNS, or MATRIX_CSR with `absent` 0 */
    const float *weight;  /* of each row, NULL: all 1 */
    Pool *pool;
    float *shift;       /* n_cols */
    double weight_sum;
    double square_sum;  /* of all rows, less shift, weighted */
    int64_t bad_row;    /* after a failure: where the value is that is no finite number, else -1 */
    int32_t bad_column;
    float bad_value;
} LloydData;

/* Finds the means and checks that all values are finite.  `matrix` and `weight` must outlive it. */
bool lloyd_data_init(LloydData *data, const Matrix *matrix, const float *weight, Pool *pool, Error *err);
void lloyd_data_clear(LloydData *data);

/* First centers (k x n_cols): distinct rows at random, or by k-means++ (each next row with a chance
 * proportional to its squared distance from those before).  Returns how many are distinct places:
 * fewer than k when the data has fewer. */
bool lloyd_start_random(const LloydData *data, int32_t k, Random random, float *centers, Error *err);
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
