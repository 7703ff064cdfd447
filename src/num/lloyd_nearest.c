/* Answers: the nearest center of each row of a matrix of any layout. */

#include "num/lloyd_inside.h"

#include "base/memory.h"

#include <math.h>

typedef struct Search {
    const Matrix *matrix;
    int32_t k, d;
    const float *centers, *shifted, *packed, *shift;
    float *index, *distance;
} Search;

static void search_chunk(void *arg, size_t unused, size_t begin, size_t end)
{
    (void)unused;
    Search *search = arg;
    const Matrix *matrix = search->matrix;
    int32_t d = search->d;
    bool sparse = matrix->layout == MATRIX_CSR;
    Error err;
    AUTO_DATA float *panel = data_array(float, (size_t)d *NEAREST_ROWS, "a panel", &err);
    AUTO_DATA float *rows = panel ? data_array(float, (size_t)d *NEAREST_ROWS, "a panel", &err)
                                  : NULL;
    if (!rows) memory_exhausted((size_t)d * NEAREST_ROWS * sizeof *rows);
    for (size_t i = begin; i < end; i += NEAREST_ROWS) {
        int m = (int)MIN(end - i, (size_t)NEAREST_ROWS);
        Nearest nearest UNINITIALIZED;
        if (sparse && matrix->absent == 0) {
            for (int r = 0; r < m; r++) {
                int64_t first = matrix->row_start[i + (size_t)r],
                        n = matrix->row_start[i + (size_t)r + 1] - first;
                nearest.index[r] = nearest_find_sparse(matrix->col + first, matrix->value + first,
                                                       n, search->packed, search->k, d)
                                       .index;
            }
        } else {
            matrix_copy_rows(matrix, (int64_t)i, (int64_t)i + m, rows, d);
            for (int32_t j = 0; j < d; j++)
                for (int r = 0; r < NEAREST_ROWS; r++)
                    panel[j * NEAREST_ROWS + r] = r < m
                                                      ? rows[(int64_t)r * d + j] - search->shift[j]
                                                      : 0;
            nearest_find(panel, search->packed, search->k, d, &nearest);
        }
        if (sparse) matrix_copy_rows(matrix, (int64_t)i, (int64_t)i + m, rows, d);
        for (int r = 0; r < m; r++) {
            const float *center = search->centers + (int64_t)nearest.index[r] * d,
                        *row = rows + (int64_t)r * d;
            double square = 0;
            for (int32_t j = 0; j < d; j++) {
                double v = (double)row[j] - (double)center[j];
                square += v * v;
            }
            search->index[i + (size_t)r] = (float)nearest.index[r];
            search->distance[i + (size_t)r] = (float)sqrt(square);
        }
    }
}

bool lloyd_nearest(const Matrix *matrix, const float *centers, int32_t k, Pool *pool, float *index,
                   float *distance, Error *err)
{
    int32_t d = matrix->n_cols;
    bool sparse = matrix->layout == MATRIX_CSR && matrix->absent == 0;
    size_t cells = (size_t)k * (size_t)d;
    AUTO_DATA float *shift = data_array(float, d, "the centers", err);
    AUTO_DATA float *shifted = shift ? data_array(float, cells, "the centers", err) : NULL;
    AUTO_DATA float *packed = shifted ? data_array(float,
                                                   sparse ? nearest_sparse_size(k, d)
                                                          : nearest_packed_size(k, d),
                                                   "the centers", err)
                                      : NULL;
    if (!packed) return false;
    for (int32_t j = 0; j < d && !sparse; j++) {
        double sum = 0;
        for (int32_t c = 0; c < k; c++) sum += (double)centers[(int64_t)c * d + j];
        shift[j] = (float)(sum / k);
    }
    for (int32_t c = 0; c < k; c++)
        for (int32_t j = 0; j < d; j++)
            shifted[(int64_t)c * d + j] = centers[(int64_t)c * d + j] - shift[j];
    if (sparse)
        nearest_pack_sparse(shifted, d, k, d, packed);
    else
        nearest_pack(shifted, d, k, d, packed);
    Search search = {matrix, k, d, centers, shifted, packed, shift, index, distance};
    parallel_for(pool, (size_t)matrix->n_rows, CHUNK_ROWS, search_chunk, &search);
    return true;
}
