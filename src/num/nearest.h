#ifndef CLARY_NUM_NEAREST_H
#define CLARY_NUM_NEAREST_H

/* The nearest of many centers for many rows, without ever storing the distances.
 *
 * The kernels look for the highest score x . c - |c|^2 / 2, which is the smallest distance:
 * |x - c|^2 = |x|^2 - 2 score.  That difference loses digits where |x|^2 is large against the
 * distance, so callers should shift their data (and centers) to a mean near 0.
 *
 * AVX2 and AVX-512 give the same bits; plain C, which has no fused multiply-add, may differ in the
 * last digits of a score. */

#include "base/base.h"

enum { NEAREST_ROWS = 64 }; /* rows in a panel */

/* The best and second-best score of each row, and the center of the best (of equals the first).
 * With one center the second score is -infinity. */
typedef struct Nearest {
    _Alignas(64) float best[NEAREST_ROWS];
    _Alignas(64) float second[NEAREST_ROWS];
    _Alignas(64) int32_t index[NEAREST_ROWS];
} Nearest;

/* Floats of the packed form of k centers of d numbers. */
size_t nearest_packed_size(int32_t k, int32_t d);

/* Packs row-major centers (`stride` floats a row); `packed` should be aligned to 64 bytes. */
void nearest_pack(const float *centers, int64_t stride, int32_t k, int32_t d, float *packed);

/* `panel` has d lines of NEAREST_ROWS floats, one line per feature, aligned to 64 bytes; what is in
 * unused rows does no harm. */
void nearest_find(const float *panel, const float *packed, int32_t k, int32_t d, Nearest *ret);

/* Copies rows [begin, begin + NEAREST_ROWS) of columns into a panel, less `shift` of each feature, and
 * the sum of squares of each row into `norms`. */
void nearest_fill(float *const *column, const float *shift, int32_t d, int64_t begin, float *panel,
                  float norms[static NEAREST_ROWS]);

/* Bounds on the distances to the nearest and the second-nearest center from what nearest_find
 * found.  `relative` times (norm + norm_max) is how far a squared distance may be off. */
void nearest_bounds(const Nearest *nearest, const float *norms, float relative, float norm_max,
                    float *upper, float *lower);

float nearest_dot(const float *a, const float *b, int32_t d);

/* The same for one sparse row against centers packed by nearest_pack_sparse: entries (col, value),
 * all other features are 0. */
typedef struct NearestRow {
    float best, second;
    int32_t index;
} NearestRow;

size_t nearest_sparse_size(int32_t k, int32_t d);
void nearest_pack_sparse(const float *centers, int64_t stride, int32_t k, int32_t d, float *packed);
NearestRow nearest_find_sparse(const int32_t *col, const float *value, int64_t n,
                               const float *packed, int32_t k, int32_t d);

#endif
