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

/* Rows kept in lines: group g holds columns 16 g to 16 g + 15 (the last group fewer), row after row.
 * Each group is data_alloc'ed: a full line may be read at the place of its last row. */
enum { NEAREST_LINE = 16 };

typedef struct NearestLines {
    float **group;
    int32_t d;
} NearestLines;

static inline int32_t nearest_groups(int32_t d)
{
    return (d + NEAREST_LINE - 1) / NEAREST_LINE;
}

static inline int32_t nearest_width(int32_t d, int32_t group)
{
    return MIN(d - group * NEAREST_LINE, (int32_t)NEAREST_LINE);
}

/* Rows begin .. begin + n of a group's columns, less `shift`, into its lines.  norm[i] is the sum of squares
 * of row begin + i; returns the largest absolute value of those and `most`.  *ret_bad becomes true when a
 * value is no finite number. */
float nearest_line_up(float *const *column, const float *shift, int32_t width, int64_t begin,
                      int32_t n, float *lines, float *norm, float most, bool *ret_bad);

/* The 64 rows begin + rows[i] into a panel, and their sums of squares into `norms`. */
void nearest_fill(const NearestLines *lines, int64_t begin, const int32_t *rows, float *panel,
                  float norms[static NEAREST_ROWS]);

/* Squared distances of rows begin + rows[i], i < n, from the centers
 * assigned[rows[i]] (`rows` NULL: rows begin + i and assigned[i]);
 * `centers` has nearest_groups(d) * 16 floats a center, zeros at the end. */
void nearest_own(const NearestLines *lines, int64_t begin, const int32_t *rows, int32_t n,
                 const float *centers, const int32_t *assigned, float *squares);

/* Squared distances of one row from the listed centers (`list` NULL: the first n); both padded to
 * nearest_groups(d) * 16 floats with zeros.  `row` is copied from lines by nearest_row. */
void nearest_row(const NearestLines *lines, int64_t row, float *out);
void nearest_squares(const float *row, const float *centers, int32_t d, const int32_t *list,
                     int32_t n, float *squares);

/* Adds rows begin + i, i < n, (or subtracts: sign -1) to sums[assigned[i]], 16 doubles a center, of
 * one group.  `list` NULL: all n; else the rows listed, with `assigned` by place in the list. */
void nearest_sum(const NearestLines *lines, int32_t group, int64_t begin, const int32_t *list,
                 const int32_t *assigned, const float *weight, int32_t n, double sign,
                 double *sums);

/* Bounds on the distances to the nearest and the second-nearest center from what nearest_find
 * found.  `relative` times (norm + norm_max) is how far a squared distance may be off. */
void nearest_bounds(const Nearest *nearest, const float *norms, float relative, float norm_max,
                    float *upper, float *lower);

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
