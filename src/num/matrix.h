#ifndef CLARY_NUM_MATRIX_H
#define CLARY_NUM_MATRIX_H

/* The features of many rows, as numeric code sees them: a view, passed by value, that owns nothing.
 * Values are float32; NaN means missing.  In CSR an entry that is not stored is missing too when
 * `absent` is NaN, or zero when `absent` is 0 (trees read it the first way, k-means the second). */

#include "base/base.h"

typedef enum MatrixLayout {
    MATRIX_COLUMNS, /* column[j][i] */
    MATRIX_ROWS,    /* rows[i * row_stride + j] */
    MATRIX_CSR,     /* value[k] in column col[k], k from row_start[i] to row_start[i + 1], sorted */
} MatrixLayout;

typedef struct Matrix {
    MatrixLayout layout;
    int64_t n_rows;
    int32_t n_cols;

    float *const *column;

    const float *rows;
    int64_t row_stride; /* in floats */

    const int64_t *row_start; /* n_rows + 1 */
    const int32_t *col;
    const float *value;
    float absent;
} Matrix;

/* Copies rows [begin, end) to `out`, row-major with `stride` floats a row, whatever the layout. */
void matrix_copy_rows(const Matrix *matrix, int64_t begin, int64_t end, float *out, int64_t stride);

/* Copies rows [begin, end) of one column to `out`. */
void matrix_copy_column(const Matrix *matrix, int32_t column, int64_t begin, int64_t end,
                        float *out);

/* The view of rows [begin, end) of the same matrix.  MATRIX_COLUMNS needs the storage `columns`
 * for n_cols shifted pointers; the others may pass NULL. */
Matrix matrix_rows(const Matrix *matrix, int64_t begin, int64_t end, float **columns);

#endif
