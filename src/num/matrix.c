/* Copies out of matrices of any layout. */

#include "num/matrix.h"

#include <string.h>

/* Turned in squares: 16 columns at a time keep their reading places in the cache. */
static void copy_from_columns(const Matrix *matrix, int64_t begin, int64_t end, float *out,
                              int64_t stride)
{
    enum { TILE = 16 };
    for (int32_t j0 = 0; j0 < matrix->n_cols; j0 += TILE) {
        int32_t j1 = MIN(j0 + TILE, matrix->n_cols);
        for (int64_t i0 = begin; i0 < end; i0 += TILE) {
            int64_t i1 = MIN(i0 + TILE, end);
            for (int32_t j = j0; j < j1; j++) {
                const float *column = matrix->column[j];
                float *to = out + (i0 - begin) * stride + j;
                for (int64_t i = i0; i < i1; i++, to += stride) *to = column[i];
            }
        }
    }
}

static void copy_from_csr(const Matrix *matrix, int64_t begin, int64_t end, float *out,
                          int64_t stride)
{
    for (int64_t i = begin; i < end; i++, out += stride) {
        for (int32_t j = 0; j < matrix->n_cols; j++) out[j] = matrix->absent;
        for (int64_t k = matrix->row_start[i]; k < matrix->row_start[i + 1]; k++)
            out[matrix->col[k]] = matrix->value[k];
    }
}

void matrix_copy_rows(const Matrix *matrix, int64_t begin, int64_t end, float *out, int64_t stride)
{
    assert(begin >= 0 && end <= matrix->n_rows && stride >= matrix->n_cols);
    switch (matrix->layout) {
    case MATRIX_COLUMNS: copy_from_columns(matrix, begin, end, out, stride); break;
    case MATRIX_ROWS:
        for (int64_t i = begin; i < end; i++, out += stride)
            if (matrix->n_cols)
                memcpy(out, matrix->rows + i * matrix->row_stride,
                       (size_t)matrix->n_cols * sizeof *out);
        break;
    case MATRIX_CSR: copy_from_csr(matrix, begin, end, out, stride); break;
    }
}

/* The entry of that column in the sorted row, or `absent`. */
static float csr_entry(const Matrix *matrix, int64_t row, int32_t column)
{
    int64_t low = matrix->row_start[row], high = matrix->row_start[row + 1];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (matrix->col[middle] < column)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < matrix->row_start[row + 1] && matrix->col[low] == column;
    return found ? matrix->value[low] : matrix->absent;
}

void matrix_copy_column(const Matrix *matrix, int32_t column, int64_t begin, int64_t end,
                        float *out)
{
    assert(begin >= 0 && end <= matrix->n_rows && column >= 0 && column < matrix->n_cols);
    switch (matrix->layout) {
    case MATRIX_COLUMNS:
        if (end > begin)
            memcpy(out, matrix->column[column] + begin, (size_t)(end - begin) * sizeof *out);
        break;
    case MATRIX_ROWS:
        for (int64_t i = begin; i < end; i++)
            *out++ = matrix->rows[i * matrix->row_stride + column];
        break;
    case MATRIX_CSR:
        for (int64_t i = begin; i < end; i++) *out++ = csr_entry(matrix, i, column);
        break;
    }
}

Matrix matrix_rows(const Matrix *matrix, int64_t begin, int64_t end, float **columns)
{
    assert(begin >= 0 && begin <= end && end <= matrix->n_rows);
    Matrix view = *matrix;
    view.n_rows = end - begin;
    switch (matrix->layout) {
    case MATRIX_COLUMNS:
        for (int32_t j = 0; j < matrix->n_cols; j++) columns[j] = matrix->column[j] + begin;
        view.column = columns;
        break;
    case MATRIX_ROWS: view.rows += begin * matrix->row_stride; break;
    case MATRIX_CSR: view.row_start += begin; break; /* entries keep their absolute positions */
    }
    return view;
}
