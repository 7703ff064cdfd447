/* Rows for Lloyd's iterations: brought into lines, sampled, and the first centers among them. */

#include "num/lloyd_inside.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

void lloyd_data_clear(LloydData *data)
{
    for (int32_t g = 0; data->lines.group && g < nearest_groups(data->d); g++)
        data_free(data->lines.group[g]);
    data_free(data->lines.group);
    data_free(data->shift);
    data_free(data->norm);
    data_free(data->most);
    if (data->owns_matrix) {
        data_free((void *)(uintptr_t)data->matrix.value);
        data_free((void *)(uintptr_t)data->matrix.col);
        data_free((void *)(uintptr_t)data->matrix.row_start);
    }
    *data = (LloydData){
        .bad_row = data->bad_row, .bad_column = data->bad_column, .bad_value = data->bad_value};
}

static bool report_bad(LloydData *data, int64_t row, int32_t column, float value, Error *err)
{
    data->bad_row = row;
    data->bad_column = column;
    data->bad_value = value;
    return error_set(err, ERROR_INVALID, "row %lld, column %d: %g is no finite number",
                     (long long)row + 1, column + 1, (double)value);
}

/* Near the means is near enough: those of some rows. */
static void find_shift(LloydData *data, const Matrix *matrix)
{
    enum { SAMPLE = 512 };
    int64_t step = MAX(data->n / SAMPLE, (int64_t)1), n = (data->n + step - 1) / step;
    for (int32_t j = 0; j < data->d; j++) {
        double sum = 0;
        for (int64_t i = 0; i < data->n; i += step) sum += (double)matrix->column[j][i];
        float mean = (float)(sum / (double)MAX(n, (int64_t)1));
        data->shift[j] = isfinite(mean) ? mean : 0;
    }
}

typedef struct Lining {
    const LloydData *data;
    float *const *column; /* of the group */
    const float *shift;
    int32_t width;
    float *lines;
    double *part; /* of each chunk: sum of squares */
    bool *bad;    /* of each chunk: a value is no finite number */
} Lining;

/* Adds the squares of n rows of a group to their norms; the largest absolute value of those and `most`. */
static float add_squares(const float *line, int32_t width, size_t n, float *norm, float most)
{
    for (size_t i = 0; i < n; i++, line += width) {
        float square = 0;
        for (int32_t j = 0; j < width; j++) {
            square += line[j] * line[j];
            most = MAX(most, fabsf(line[j]));
        }
        norm[i] += square;
    }
    return most;
}

static void line_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    Lining *lining = arg;
    const LloydData *data = lining->data;
    float norm[CHUNK_ROWS] UNINITIALIZED;
    bool bad = false;
    data->most[chunk] = nearest_line_up(lining->column, lining->shift, lining->width,
                                        (int64_t)begin, (int32_t)(end - begin), lining->lines, norm,
                                        data->most[chunk], &bad);
    double total = 0;
    for (size_t i = begin; i < end; i++) {
        data->norm[i] += norm[i - begin];
        total += (double)norm[i - begin] * weight_of(data, (int64_t)i);
    }
    lining->part[chunk] += total;
    lining->bad[chunk] |= bad;
}

/* Notes the first value in these columns that is no finite number, if it comes before the one known. */
static void note_bad(LloydData *data, const Matrix *matrix, int32_t first, int32_t width)
{
    for (int32_t j = first; j < first + width; j++) {
        int64_t end = data->bad_row < 0 ? data->n : data->bad_row;
        for (int64_t i = 0; i < end; i++) {
            if (isfinite(matrix->column[j][i])) continue;
            data->bad_row = i;
            data->bad_column = j;
            data->bad_value = matrix->column[j][i];
            break;
        }
    }
}

static bool line_columns(LloydData *data, const Matrix *matrix, LloydRelease *release, void *owner,
                         Error *err)
{
    size_t n_chunks = chunk_count((size_t)data->n, CHUNK_ROWS);
    AUTO_DATA double *part = data_array(double, n_chunks, "the rows", err);
    AUTO_DATA bool *bad = data_array(bool, n_chunks, "the rows", err);
    data->lines = (NearestLines){data_array(float *, nearest_groups(data->d), "the rows", err),
                                 data->d};
    data->norm = data_array(float, data->n, "the rows", err);
    data->most = data_array(float, n_chunks, "the rows", err);
    if (!part || !bad || !data->lines.group || !data->norm || !data->most) return false;
    for (int32_t g = 0; g < nearest_groups(data->d); g++) {
        int32_t width = nearest_width(data->d, g), first = g * NEAREST_LINE;
        float *lines = data_array(float, data->n *width, "the rows", err);
        if (!lines) return false;
        data->lines.group[g] = lines;
        Lining lining = {data, matrix->column + first, data->shift + first, width, lines, part,
                         bad};
        memset(bad, 0, n_chunks * sizeof *bad);
        parallel_for(data->pool, (size_t)data->n, CHUNK_ROWS, line_chunk, &lining);
        bool any = false;
        for (size_t chunk = 0; chunk < n_chunks; chunk++) any |= bad[chunk];
        if (any) note_bad(data, matrix, first, width);
        for (int32_t j = 0; release && j < width; j++) release(owner, first + j);
    }
    for (size_t chunk = 0; chunk < n_chunks; chunk++) data->square_sum += part[chunk];
    return data->bad_row < 0 ||
           report_bad(data, data->bad_row, data->bad_column, data->bad_value, err);
}

static bool check_sparse(LloydData *data, Error *err)
{
    const Matrix *matrix = &data->matrix;
    for (int64_t i = 0; i < data->n; i++) {
        double square = 0;
        for (int64_t e = matrix->row_start[i]; e < matrix->row_start[i + 1]; e++) {
            if (!isfinite(matrix->value[e]))
                return report_bad(data, i, matrix->col[e], matrix->value[e], err);
            square += (double)matrix->value[e] * (double)matrix->value[e];
        }
        data->square_sum += square * weight_of(data, i);
    }
    return true;
}

bool lloyd_data_init(LloydData *data, const Matrix *matrix, const float *weight, Pool *pool,
                     LloydRelease *release, void *owner, Error *err)
{
    bool sparse = matrix->layout == MATRIX_CSR;
    assert(sparse || matrix->layout == MATRIX_COLUMNS);
    *data = (LloydData){.n = matrix->n_rows,
                        .d = matrix->n_cols,
                        .sparse = sparse,
                        .weight = weight,
                        .pool = pool,
                        .bad_row = -1};
    for (int64_t i = 0; i < data->n; i++) data->weight_sum += weight_of(data, i);
    data->shift = data_array(float, data->d, "the means", err);
    if (!data->shift) return false;
    if (sparse) {
        data->matrix = *matrix;
        return check_sparse(data, err);
    }
    find_shift(data, matrix);
    return line_columns(data, matrix, release, owner, err);
}

static bool sample_sparse(const Matrix *from, const int64_t *rows, int64_t n, LloydData *sample,
                          Error *err)
{
    int64_t entries = 0, at = 0;
    for (int64_t i = 0; i < n; i++)
        entries += from->row_start[rows[i] + 1] - from->row_start[rows[i]];
    float *value = data_array(float, entries, "a sample of the rows", err);
    int32_t *col = data_array(int32_t, entries, "a sample of the rows", err);
    int64_t *row_start = data_array(int64_t, n + 1, "a sample of the rows", err);
    sample->owns_matrix = true;
    sample->matrix = (Matrix){.layout = MATRIX_CSR,
                              .n_rows = n,
                              .n_cols = from->n_cols,
                              .value = value,
                              .col = col,
                              .row_start = row_start};
    if (!value || !col || !row_start) return false;
    for (int64_t i = 0; i < n; i++) {
        int64_t begin = from->row_start[rows[i]], count = from->row_start[rows[i] + 1] - begin;
        if (count) memcpy(value + at, from->value + begin, (size_t)count * sizeof *value);
        if (count) memcpy(col + at, from->col + begin, (size_t)count * sizeof *col);
        row_start[i + 1] = at += count;
    }
    return true;
}

static bool sample_dense(const LloydData *from, const int64_t *rows, int64_t n, LloydData *sample,
                         Error *err)
{
    sample->lines = (NearestLines){
        data_array(float *, nearest_groups(from->d), "a sample of the rows", err), from->d};
    sample->norm = data_array(float, n, "a sample of the rows", err);
    sample->most = data_array(float, chunk_count((size_t)n, CHUNK_ROWS), "a sample of the rows",
                              err);
    if (!sample->lines.group || !sample->norm || !sample->most) return false;
    for (int32_t g = 0; g < nearest_groups(from->d); g++) {
        int32_t width = nearest_width(from->d, g);
        float *to = sample->lines.group[g] = data_array(float, n *width, "a sample of the rows",
                                                        err);
        if (!to) return false;
        for (int64_t i = 0; i < n; i++, to += width)
            memcpy(to, from->lines.group[g] + rows[i] * width, (size_t)width * sizeof *to);
        to = sample->lines.group[g];
        for (int64_t i = 0; i < n * width; i++) sample->square_sum += (double)to[i] * (double)to[i];
        for (int64_t i = 0; i < n; i += CHUNK_ROWS) {
            float *most = &sample->most[i / CHUNK_ROWS];
            *most = add_squares(to + i * width, width, (size_t)MIN(n - i, (int64_t)CHUNK_ROWS),
                                sample->norm + i, *most);
        }
    }
    return true;
}

bool lloyd_data_sample(const LloydData *data, const int64_t *rows, int64_t n, LloydData *ret_sample,
                       Error *err)
{
    *ret_sample = (LloydData){.n = n,
                              .d = data->d,
                              .sparse = data->sparse,
                              .pool = data->pool,
                              .weight_sum = (double)n,
                              .bad_row = -1};
    ret_sample->shift = data_array(float, data->d, "the means", err);
    if (!ret_sample->shift) return false;
    memcpy(ret_sample->shift, data->shift, (size_t)data->d * sizeof(float));
    if (!data->sparse) return sample_dense(data, rows, n, ret_sample, err);
    return sample_sparse(&data->matrix, rows, n, ret_sample, err) && check_sparse(ret_sample, err);
}

void lloyd_unshift(const LloydData *data, int32_t k, float *centers)
{
    for (int32_t c = 0; c < k; c++)
        for (int32_t j = 0; j < data->d; j++) centers[(int64_t)c * data->d + j] += data->shift[j];
}

void lloyd_shift(const LloydData *data, int32_t k, float *centers)
{
    for (int32_t c = 0; c < k; c++)
        for (int32_t j = 0; j < data->d; j++) centers[(int64_t)c * data->d + j] -= data->shift[j];
}

void lloyd_copy_row(const LloydData *data, int64_t row, float *out)
{
    if (data->sparse) {
        matrix_copy_rows(&data->matrix, row, row + 1, out, data->d);
        return;
    }
    for (int32_t g = 0; g < nearest_groups(data->d); g++) {
        int32_t width = nearest_width(data->d, g);
        memcpy(out + g * NEAREST_LINE, data->lines.group[g] + row * width,
               (size_t)width * sizeof *out);
    }
}

/* ---- first centers ----
 * Arthur, Vassilvitskii: k-means++: The Advantages of Careful Seeding, 2007. */

bool lloyd_start_random(const LloydData *data, int32_t k, Random random, float *centers, Error *err)
{
    int64_t n = data->n;
    int32_t d = data->d;
    if (k > n) return error_set(err, ERROR_INVALID, "%d centers of %lld rows", k, (long long)n);
    /* Of each k-th part of the rows one: distinct, and spread over sorted data. */
    for (int32_t c = 0; c < k; c++) {
        int64_t begin = n * c / k, end = n * (c + 1) / k;
        int64_t row = begin + (int64_t)random_below(random, (uint64_t)c, (uint64_t)(end - begin));
        lloyd_copy_row(data, row, centers + (int64_t)c * d);
    }
    return true;
}

typedef struct Seeding {
    const LloydData *data;
    float *center; /* the newest, padded */
    float norm;    /* squared, of it */
    float *square; /* of each row: squared distance to the nearest center so far */
    double *part;  /* of each chunk: their weighted sum */
} Seeding;

/* Rows at the place of the newest center, but for rounding, must come out as 0. */
static float sparse_square(const Seeding *seeding, int64_t row)
{
    const Matrix *matrix = &seeding->data->matrix;
    double square = (double)seeding->norm, norm = (double)seeding->norm;
    for (int64_t e = matrix->row_start[row]; e < matrix->row_start[row + 1]; e++) {
        double x = (double)matrix->value[e];
        norm += x * x;
        square += x * (x - 2 * (double)seeding->center[matrix->col[e]]);
    }
    return square > norm * 1e-6 ? (float)square : 0;
}

static void seed_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    Seeding *seeding = arg;
    const LloydData *data = seeding->data;
    int32_t zero[CHUNK_ROWS] = {0}, n = (int32_t)(end - begin);
    float squares[CHUNK_ROWS] UNINITIALIZED;
    if (!data->sparse)
        nearest_own(&data->lines, (int64_t)begin, NULL, n, seeding->center, zero, squares);
    double total = 0;
    for (int32_t r = 0; r < n; r++) {
        int64_t row = (int64_t)begin + r;
        float square = data->sparse ? sparse_square(seeding, row) : squares[r];
        seeding->square[row] = MIN(seeding->square[row], square);
        total += (double)seeding->square[row] * weight_of(data, row);
    }
    seeding->part[chunk] = total;
}

/* The row at which the running sum of weighted squared distances passes `target`. */
static int64_t row_at(const Seeding *seeding, size_t n_chunks, double target)
{
    int64_t n = seeding->data->n, row = 0, last = 0;
    size_t chunk = 0;
    for (; chunk + 1 < n_chunks && target >= seeding->part[chunk]; chunk++)
        target -= seeding->part[chunk];
    row = (int64_t)chunk * CHUNK_ROWS;
    for (last = row; row < n; row++) {
        double share = (double)seeding->square[row] * weight_of(seeding->data, row);
        if (!(share > 0)) continue;
        last = row;
        if (target < share) break;
        target -= share;
    }
    return last;
}

bool lloyd_start_plus_plus(const LloydData *data, int32_t k, Random random, float *centers,
                           int32_t *ret_distinct, Error *err)
{
    int64_t n = data->n;
    int32_t d = data->d;
    if (k > n) return error_set(err, ERROR_INVALID, "%d centers of %lld rows", k, (long long)n);
    size_t n_chunks = chunk_count((size_t)n, CHUNK_ROWS);
    AUTO_DATA float *newest = data_array(float, padded_width(d), "the start", err);
    AUTO_DATA float *square = newest ? data_array(float, n, "the start", err) : NULL;
    AUTO_DATA double *part = square ? data_array(double, n_chunks, "the start", err) : NULL;
    if (!part) return false;
    for (int64_t i = 0; i < n; i++) square[i] = INFINITY;

    Seeding seeding = {.data = data, .center = newest, .square = square, .part = part};
    int64_t row = (int64_t)random_below(random, 0, (uint64_t)n);
    int32_t distinct = k;
    for (int32_t c = 0; c < k; c++) {
        float *center = centers + (int64_t)c * d;
        lloyd_copy_row(data, row, center);
        if (c + 1 == k || distinct < k) continue;
        memcpy(newest, center, (size_t)d * sizeof *newest);
        seeding.norm = 0;
        for (int32_t j = 0; j < d; j++) seeding.norm += center[j] * center[j];
        parallel_for(data->pool, (size_t)n, CHUNK_ROWS, seed_chunk, &seeding);
        double total = 0;
        for (size_t chunk = 0; chunk < n_chunks; chunk++) total += part[chunk];
        if (total > 0)
            row = row_at(&seeding, n_chunks, random_unit(random, (uint64_t)c + 1) * total);
        else
            distinct = c + 1; /* all other rows are where a center is already */
    }
    *ret_distinct = distinct;
    return true;
}
