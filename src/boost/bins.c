/* Data cut into bins: see bins.h.
 *
 * A dense column is cut, binned and given back before the next ones are touched, so that the floats
 * and the bins never stand side by side whole; the row by row form is made from the bins at the end. */

#include "boost/bins.h"

#include "base/memory.h"

#include <float.h>
#include <stdlib.h>
#include <string.h>

/* CSR with at least this share of its cells stored is kept as dense bins. */
#define DENSE_SHARE 0.2

enum { CATEGORIES_MAX = 65534, ROW_BLOCK = 16384 };

typedef struct BinJob {
    const Bins *like; /* cuts that are there already, or NULL */
    Bins *bins;
    BoostData *data;
    const Matrix *matrix;
    int32_t max_bin;
    int32_t first;       /* column of chunk 0 */
    float **column_cuts; /* made here, per column */
    int32_t *n_cuts;
    const float *row_weight;

    /* CSR turned by columns */
    int64_t *col_start;
    float *col_value;
    float *col_weight;
    Error *errors; /* per column of the batch */
} BinJob;

/* ---- cuts ---- */

/* Categories are whole numbers from 0 on; returns the number of bins, or -1 with an error. */
static int32_t count_categories(const float *x, size_t n, int32_t column, Error *err)
{
    float most = -1;
    for (size_t i = 0; i < n; i++) {
        if (x[i] != x[i]) continue;
        if (x[i] < 0 || x[i] >= CATEGORIES_MAX || x[i] != (float)(int32_t)x[i]) {
            error_set(err, ERROR_INVALID,
                      "feature %d, row %zu: category %g; categories are whole numbers from 0 to %d",
                      (int)column, i, (double)x[i], CATEGORIES_MAX - 1);
            return -1;
        }
        most = MAX(most, x[i]);
    }
    return (int32_t)most + 1;
}

/* Finds the cuts of a column; `missing`: a bin number is needed for missing values. */
static bool cut_column(BinJob *job, int32_t column, const float *x, const float *w, size_t n,
                       bool missing, Error *err)
{
    int32_t max_bin = job->max_bin, n_cuts;
    if (job->bins->width == 1 && missing) max_bin = MIN(max_bin, 255);
    if (bins_categorical(job->bins, column)) {
        n_cuts = count_categories(x, n, column, err);
        if (n_cuts < 0) return false;
        job->column_cuts[column] = data_array(float, n_cuts, "the categories", err);
        if (!job->column_cuts[column]) return false;
        for (int32_t b = 0; b < n_cuts; b++) job->column_cuts[column][b] = (float)b;
    } else {
        float *cuts = data_array(float, max_bin + 1, "the cuts", err);
        if (!cuts) return false;
        job->column_cuts[column] = cuts;
        n_cuts = cuts_find(x, w, n, max_bin, cuts);
        if (n_cuts < 0) return error_set(err, ERROR_NO_MEMORY, "no memory for sorting a column");
    }
    job->n_cuts[column] = n_cuts;
    return true;
}

static void assign_column(const BinJob *job, int32_t column, const float *x, size_t n, void *out)
{
    const Bins *bins = job->bins;
    const float *cuts = job->like ? job->like->cuts + job->like->cut_start[column]
                                  : job->column_cuts[column];
    int32_t n_cuts = job->like ? bins_count(job->like, column) : job->n_cuts[column];
    if (!bins_categorical(bins, column)) {
        cuts_assign(x, n, cuts, n_cuts, bins->width, out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        /* What is no category that training saw is in no set: the bin behind the last. */
        uint32_t bin = x[i] != x[i]                        ? bins->missing
                       : x[i] >= 0 && x[i] < (float)n_cuts ? (uint32_t)x[i]
                                                           : (uint32_t)n_cuts;
        if (bins->width == 1)
            ((uint8_t *)out)[i] = (uint8_t)bin;
        else
            ((uint16_t *)out)[i] = (uint16_t)bin;
    }
}

static bool find_infinity(const float *x, size_t n, size_t *ret_row)
{
    for (size_t i = 0; i < n; i++) {
        if (x[i] > FLT_MAX || x[i] < -FLT_MAX) {
            *ret_row = i;
            return true;
        }
    }
    return false;
}

/* Whether there are missing values and infinite ones: one pass that vectorises. */
static void inspect(const float *x, size_t n, bool *ret_missing, bool *ret_infinite)
{
    int32_t missing = 0, infinite = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bits &= 0x7fffffffu;
        missing |= bits > 0x7f800000u;
        infinite |= bits == 0x7f800000u;
    }
    *ret_missing = missing;
    *ret_infinite = infinite;
}

static void bin_column(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    BinJob *job = arg;
    Bins *bins = job->bins;
    int32_t column = job->first + (int32_t)chunk;
    Error *err = &job->errors[chunk];
    size_t n = (size_t)bins->n_rows;
    const float *x;
    AUTO_DATA float *copy = NULL;
    if (job->matrix->layout == MATRIX_COLUMNS) {
        x = job->matrix->column[column];
    } else {
        copy = data_array(float, n, "a column", err);
        if (!copy) return;
        for (size_t i = 0; i < n; i++)
            copy[i] = job->matrix->rows[(int64_t)i * job->matrix->row_stride + column];
        x = copy;
    }
    bool missing, infinite;
    inspect(x, n, &missing, &infinite);
    size_t row;
    if (infinite && !job->like && find_infinity(x, n, &row)) {
        error_set(
            err, ERROR_INVALID,
            "feature %d, row %zu: infinite; replace it by a number, or leave it empty for missing",
            (int)column, row);
        return;
    }
    bins->has_missing[column] = missing;
    if (!job->like && !cut_column(job, column, x, job->row_weight, n, missing, err)) return;
    assign_column(job, column, x, n, bins->cols + (size_t)column * bins->col_stride);
}

/* ---- CSR ---- */

/* Values (and weights) by column, rows in order. */
static bool turn_by_columns(BinJob *job, Error *err)
{
    const Matrix *m = job->matrix;
    int64_t n_stored = m->row_start[m->n_rows];
    job->col_start = data_array(int64_t, m->n_cols + 1, "the columns", err);
    job->col_value = data_array(float, n_stored, "the columns", err);
    if (!job->col_start || !job->col_value) return false;
    if (job->row_weight) {
        job->col_weight = data_array(float, n_stored, "the columns", err);
        if (!job->col_weight) return false;
    }
    for (int64_t k = m->row_start[0]; k < n_stored; k++) job->col_start[m->col[k] + 1]++;
    for (int32_t j = 0; j < m->n_cols; j++) job->col_start[j + 1] += job->col_start[j];
    AUTO_DATA int64_t *at = data_array(int64_t, m->n_cols, "the columns", err);
    if (!at) return false;
    memcpy(at, job->col_start, (size_t)m->n_cols * sizeof *at);
    for (int64_t i = 0; i < m->n_rows; i++) {
        for (int64_t k = m->row_start[i]; k < m->row_start[i + 1]; k++) {
            int64_t to = at[m->col[k]]++;
            job->col_value[to] = m->value[k];
            if (job->col_weight) job->col_weight[to] = job->row_weight[i];
        }
    }
    return true;
}

static void cut_sparse_column(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    BinJob *job = arg;
    int32_t column = job->first + (int32_t)chunk;
    Error *err = &job->errors[chunk];
    const float *x = job->col_value + job->col_start[column];
    const float *w = job->col_weight ? job->col_weight + job->col_start[column] : NULL;
    size_t n = (size_t)(job->col_start[column + 1] - job->col_start[column]), row;
    if (find_infinity(x, n, &row)) {
        error_set(err, ERROR_INVALID,
                  "feature %d: an infinite value; replace it by a number, or leave it out",
                  (int)column);
        return;
    }
    cut_column(job, column, x, w, n, true, err);
}

static uint32_t bin_of_value(const BinJob *job, int32_t column, float x)
{
    if (x != x) return UINT32_MAX;
    const Bins *bins = job->bins;
    const float *cuts = bins->cuts + bins->cut_start[column];
    int32_t n = bins_count(bins, column);
    if (n == 0) return UINT32_MAX;
    if (bins_categorical(bins, column))
        return x >= 0 && x < (float)n ? (uint32_t)x : UINT32_MAX - 1;
    int32_t low = 0, high = n - 1;
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (cuts[middle] <= x)
            low = middle + 1;
        else
            high = middle;
    }
    return (uint32_t)low;
}

static void bin_sparse_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    BinJob *job = arg;
    Bins *bins = job->bins;
    const Matrix *m = job->matrix;
    for (size_t i = begin; i < end; i++) {
        int64_t first = m->row_start[i] - m->row_start[0];
        for (int64_t k = m->row_start[i]; k < m->row_start[i + 1]; k++) {
            int32_t column = m->col[k];
            uint32_t bin = bin_of_value(job, column, m->value[k]);
            if (bins->width == 0) {
                /* A category that training did not see goes left, a missing value may not: it needs
                 * an entry that is in no set, which the next column's first bin would not be. */
                bins->entry[first++] = bin < UINT32_MAX - 1
                                           ? (uint32_t)bins->cut_start[column] + bin
                                           : UINT32_MAX;
            } else {
                if (bin == UINT32_MAX - 1) bin = (uint32_t)bins_count(bins, column);
                if (bin == UINT32_MAX) bin = bins->missing;
                uint8_t *col = bins->cols + (size_t)column * bins->col_stride;
                if (bins->width == 1)
                    col[i] = (uint8_t)bin;
                else
                    ((uint16_t *)(void *)col)[i] = (uint16_t)bin;
            }
        }
    }
}

/* Drops entries without a bin. */
static void squeeze(Bins *bins)
{
    int64_t to = 0, k = 0;
    for (int64_t i = 0; i < bins->n_rows; i++) {
        int64_t end = bins->row_start[i + 1];
        for (; k < end; k++)
            if (bins->entry[k] != UINT32_MAX) bins->entry[to++] = bins->entry[k];
        bins->row_start[i + 1] = to;
    }
}

/* ---- rows ---- */

typedef struct Transpose {
    Bins *bins;
} Transpose;

static void transpose_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    Bins *bins = ((Transpose *)arg)->bins;
    size_t stride = bins->row_stride;
    /* Blocks whose rows stay in L1 while the columns pass by. */
    for (size_t block = begin; block < end; block += 256) {
        size_t stop = MIN(end, block + 256);
        for (int32_t j = 0; j < bins->n_cols; j++) {
            if (bins->frequent[j] >= 0 || bins->joined[j] >= 0) continue;
            const uint8_t *col = bins->cols + (size_t)j * bins->col_stride;
            uint8_t *out = bins->rows + (size_t)bins->place[j] * (size_t)bins->width;
            if (bins->width == 1) {
                /* Missing is the last entry of the column's histogram here: it is never read. */
                uint8_t last = (uint8_t)((1 << bins->shift[j]) - 1);
                for (size_t i = block; i < stop; i++) out[i * stride] = MIN(col[i], last);
            } else {
                for (size_t i = block; i < stop; i++) memcpy(out + i * stride, col + 2 * i, 2);
            }
        }
        for (int32_t k = 0; k < bins->n_joins; k++) {
            const uint8_t *id = bins->joins[k].id;
            uint8_t *out = bins->rows + (size_t)bins->joins[k].place;
            for (size_t i = block; i < stop; i++) out[i * stride] = id[i];
        }
    }
}

/* ---- columns that nearly always have the same bin ---- */

/* From a sample of rows: a column is taken out of the rows when at most one row in eight differs. */
static void find_frequent(Bins *bins)
{
    enum { SAMPLE_STEP = 16, RARE = 8, COLUMNS_MIN = 4 };
    bins->frequent = arena_array(&bins->arena, int16_t, bins->n_cols + 1);
    size_t n = (size_t)bins->n_rows, step = n > 65536 ? SAMPLE_STEP : 1;
    int32_t n_found = 0;
    for (int32_t j = 0; j < bins->n_cols; j++) {
        bins->frequent[j] = -1;
        if (bins->width != 1 || bins->has_missing[j] || bins_count(bins, j) == 0) continue;
        if (bins->joined[j] >= 0) continue;
        const uint8_t *col = bins->cols + (size_t)j * bins->col_stride;
        uint32_t count[256] = {0}, total = 0;
        for (size_t i = 0; i < n; i += step, total++) count[col[i]]++;
        int16_t most = 0;
        for (int16_t b = 1; b < 256; b++)
            if (count[b] > count[most]) most = b;
        if (total - count[most] > total / RARE) continue;
        bins->frequent[j] = most;
        n_found++;
    }
    bins->any_frequent = n_found >= COLUMNS_MIN && bins->cut_start[bins->n_cols] < 32768;
    for (int32_t j = 0; !bins->any_frequent && j < bins->n_cols; j++) bins->frequent[j] = -1;
}

/* With `extra` NULL only counts, into extra_start[row + 1]. */
static void list_extra(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    Bins *bins = arg;
    for (size_t block = begin; block < end; block += 256) {
        size_t stop = MIN(end, block + 256);
        for (size_t i = block; i < stop; i++) {
            uint32_t at = bins->extra ? bins->extra_start[i] : 0;
            for (int32_t j = 0; j < bins->n_cols; j++) {
                if (bins->frequent[j] < 0) continue;
                uint8_t bin = bins->cols[(size_t)j * bins->col_stride + i];
                if (bin == bins->frequent[j]) continue;
                if (bins->extra) bins->extra[at] = (uint16_t)(bins->slot[j] + bin);
                at++;
            }
            if (!bins->extra) bins->extra_start[i + 1] = at;
        }
    }
}

static bool make_extra(Bins *bins, Pool *pool, Error *err)
{
    size_t n = (size_t)bins->n_rows;
    bins->extra_start = data_array(uint32_t, n + 1, "the bins", err);
    if (!bins->extra_start) return false;
    parallel_for(pool, n, ROW_BLOCK, list_extra, bins);
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += bins->extra_start[i + 1];
        bins->extra_start[i + 1] = (uint32_t)total;
    }
    if (total > UINT32_MAX)
        return error_set(err, ERROR_LIMIT,
                         "%llu bins; tree_method approx can train on so much data",
                         (unsigned long long)total);
    bins->extra = data_array(uint16_t, total, "the bins", err);
    if (!bins->extra) return false;
    parallel_for(pool, n, ROW_BLOCK, list_extra, bins);
    return true;
}

/* Which histogram entries a column has, and where it stands in a row. */
static void lay_out(Bins *bins)
{
    bins->slot = arena_array(&bins->arena, int32_t, bins->n_cols + 1);
    bins->place = arena_array(&bins->arena, int32_t, bins->n_cols + 1);
    bins->shift = arena_array(&bins->arena, uint8_t, bins->n_cols + 1);
    if (bins->width != 1) {
        for (int32_t j = 0; j < bins->n_cols; j++) {
            bins->slot[j] = bins->cut_start[j];
            bins->place[j] = j;
        }
        bins->n_slots = bins->cut_start[bins->n_cols];
        /* 65535 of the last column is still a place inside. */
        bins->row_stride = ((size_t)bins->n_cols * 2 + 7) & ~(size_t)7;
        return;
    }
    static const int shifts[ROW_GROUPS_MAX] = {8, 6, 4};
    int32_t counts[ROW_GROUPS_MAX] = {0}, n_things = bins->n_cols + bins->n_joins;
    /* Columns, then joins. */
    uint8_t *kind = arena_array(&bins->arena, uint8_t, n_things + 1);
    for (int32_t j = 0; j < n_things; j++) {
        bool join = j >= bins->n_cols;
        if (!join && (bins->frequent[j] >= 0 || bins->joined[j] >= 0)) {
            kind[j] = ROW_GROUPS_MAX;
            continue;
        }
        int32_t n = join ? bins->joins[j - bins->n_cols].n_combinations
                         : bins_count(bins, j) + bins->has_missing[j];
        kind[j] = n > 64 ? 0 : n > 16 ? 1 : 2;
        counts[kind[j]]++;
    }
    /* A few small columns are not worth a group of their own. */
    for (int k = ROW_GROUPS_MAX - 1; k > 0; k--) {
        if (counts[k] == 0 || counts[k] >= 2 * ROW_COLUMNS_STEP) continue;
        for (int32_t j = 0; j < n_things; j++) kind[j] = (uint8_t)(kind[j] == k ? k - 1 : kind[j]);
        counts[k - 1] += counts[k];
        counts[k] = 0;
    }
    int32_t place = 0, slot = 0;
    for (int k = 0; k < ROW_GROUPS_MAX; k++) {
        if (!counts[k]) continue;
        int32_t fill = shifts[k] == 8 ? 1 : ROW_COLUMNS_STEP;
        int32_t n = (counts[k] + fill - 1) / fill * fill;
        bins->groups[bins->n_groups++] = (RowGroup){place, n, shifts[k], slot};
        int32_t at = 0;
        for (int32_t j = 0; j < n_things; j++) {
            if (kind[j] != k) continue;
            int32_t at_place = place + at, at_slot = slot + at * (int32_t)hist_stride(shifts[k]);
            at++;
            if (j >= bins->n_cols) {
                bins->joins[j - bins->n_cols].place = at_place;
                bins->joins[j - bins->n_cols].slot = at_slot;
                continue;
            }
            bins->place[j] = at_place;
            bins->shift[j] = (uint8_t)shifts[k];
            bins->slot[j] = at_slot;
        }
        place += n;
        slot += n * (int32_t)hist_stride(shifts[k]);
    }
    for (int32_t j = 0; j < bins->n_cols; j++) {
        if (bins->frequent[j] < 0 && bins->joined[j] < 0) continue;
        bins->slot[j] = slot;
        slot += bins_count(bins, j);
    }
    bins->n_slots = slot;
    size_t bytes = (size_t)place;
    bins->row_stride = bytes <= 4    ? 4
                       : bytes <= 8  ? 8
                       : bytes <= 16 ? 16
                                     : (bytes + 15) & ~(size_t)15;
    if (bytes > 16 && bytes <= 32) bins->row_stride = 32;
    if (bytes > 48 && bytes <= 64) bins->row_stride = 64;
}

/* ---- the whole ---- */

static bool first_error(const Error *errors, int32_t n, Error *err)
{
    for (int32_t i = 0; i < n; i++)
        if (errors[i].kind != ERROR_NONE)
            return error_set(err, errors[i].kind, "%s", errors[i].text);
    return true;
}

static bool each_column(BinJob *job, ChunkFunction *run, bool release, Pool *pool, Error *err)
{
    ARENA(scratch);
    int32_t n_cols = job->bins->n_cols, batch = MIN(2 * pool_threads(pool), 64);
    job->errors = arena_array(&scratch, Error, batch);
    for (int32_t first = 0; first < n_cols; first += batch) {
        int32_t n = MIN(batch, n_cols - first);
        job->first = first;
        for (int32_t i = 0; i < n; i++) job->errors[i].kind = ERROR_NONE;
        parallel_for(pool, (size_t)n, 1, run, job);
        if (!first_error(job->errors, n, err)) return false;
        for (int32_t j = first; release && j < first + n; j++)
            job->data->release_column(job->data->owner, j);
    }
    return true;
}

static void collect_cuts(BinJob *job)
{
    Bins *bins = job->bins;
    for (int32_t j = 0; j < bins->n_cols; j++)
        bins->cut_start[j + 1] = bins->cut_start[j] + job->n_cuts[j];
    bins->cuts = arena_array(&bins->arena, float, bins->cut_start[bins->n_cols] + 1);
    for (int32_t j = 0; j < bins->n_cols; j++)
        if (job->n_cuts[j])
            memcpy(bins->cuts + bins->cut_start[j], job->column_cuts[j],
                   (size_t)job->n_cuts[j] * sizeof(float));
}

/* One byte a bin when that holds every column's bins. */
static bool choose_width(const BoostParams *params, const BoostData *data, int *ret_width)
{
    *ret_width = params->max_bin <= 256 ? 1 : 2;
    const Matrix *m = &data->features;
    if (!data->is_category) return true;
    for (int32_t j = 0; j < m->n_cols; j++) {
        if (!data->is_category[j]) continue;
        for (int64_t i = 0; m->layout != MATRIX_CSR && i < m->n_rows; i++) {
            float x = m->layout == MATRIX_COLUMNS ? m->column[j][i]
                                                  : m->rows[i * m->row_stride + j];
            if (x > 253) *ret_width = 2;
        }
    }
    for (int64_t k = 0; m->layout == MATRIX_CSR && k < m->row_start[m->n_rows]; k++)
        if (data->is_category[m->col[k]] && m->value[k] > 253) *ret_width = 2;
    return true;
}

static bool alloc_cols(Bins *bins, Error *err)
{
    bins->missing = bins->width == 1 ? 255 : 65535;
    bins->col_stride = (((size_t)bins->n_rows + 64) * (size_t)bins->width + 63) & ~(size_t)63;
    bins->cols = data_alloc(bins->col_stride, (size_t)bins->n_cols, "the bins", err);
    return bins->cols != NULL;
}

static bool make_sparse(BinJob *job, bool dense, Pool *pool, Error *err)
{
    Bins *bins = job->bins;
    const Matrix *m = job->matrix;
    if (!job->like) {
        bool done = turn_by_columns(job, err) &&
                    each_column(job, cut_sparse_column, false, pool, err);
        data_free(STEAL(job->col_start));
        data_free(STEAL(job->col_value));
        data_free(STEAL(job->col_weight));
        if (!done) return false;
        collect_cuts(job);
    }
    memset(bins->has_missing, 1, (size_t)bins->n_cols);
    if (dense) {
        if (!alloc_cols(bins, err)) return false;
        memset(bins->cols, 0xff, bins->col_stride * (size_t)bins->n_cols);
    } else {
        bins->width = 0;
        bins->row_start = data_array(int64_t, m->n_rows + 1, "the bins", err);
        bins->entry = data_array(uint32_t, m->row_start[m->n_rows] - m->row_start[0], "the bins",
                                 err);
        if (!bins->row_start || !bins->entry) return false;
        for (int64_t i = 0; i <= m->n_rows; i++)
            bins->row_start[i] = m->row_start[i] - m->row_start[0];
    }
    parallel_for(pool, (size_t)m->n_rows, ROW_BLOCK, bin_sparse_rows, job);
    if (!dense) squeeze(bins);
    return true;
}

static bool make_bins(BinJob *job, bool keep, Pool *pool, Error *err)
{
    Bins *bins = job->bins;
    const Matrix *m = job->matrix;
    bool release = !keep && job->data->release_column && m->layout == MATRIX_COLUMNS;
    if (m->layout == MATRIX_CSR) {
        if (m->absent == m->absent)
            return error_set(err, ERROR_UNSUPPORTED,
                             "trees read what sparse data does not store as missing, not as %g",
                             (double)m->absent);
        double stored = (double)(m->row_start[m->n_rows] - m->row_start[0]);
        bool dense = job->like ? job->like->width != 0
                               : stored >= DENSE_SHARE * (double)m->n_rows * m->n_cols;
        if (!make_sparse(job, dense, pool, err)) return false;
    } else if (bins->width == 0) {
        return error_set(
            err, ERROR_INVALID,
            "the training data is sparse and this data is dense; give both in one form");
    } else {
        if (!alloc_cols(bins, err) || !each_column(job, bin_column, release, pool, err))
            return false;
        if (!job->like) collect_cuts(job);
    }
    return true;
}

static Bins *new_bins(const BoostData *data, const Bins *like, Error *err)
{
    const Matrix *m = &data->features;
    if (m->n_rows > INT32_MAX / 2) {
        error_set(err, ERROR_LIMIT, "%lld rows; at most %d can be trained on", (long long)m->n_rows,
                  INT32_MAX / 2);
        return NULL;
    }
    if (like && m->n_cols != like->n_cols) {
        error_set(err, ERROR_INVALID, "%d features, the training data has %d", (int)m->n_cols,
                  (int)like->n_cols);
        return NULL;
    }
    Bins *bins = calloc(1, sizeof *bins);
    if (!bins) memory_exhausted(sizeof *bins);
    bins->n_rows = m->n_rows;
    bins->n_cols = m->n_cols;
    bins->is_category = data->is_category;
    bins->cut_start = arena_array(&bins->arena, int32_t, m->n_cols + 1);
    bins->has_missing = arena_array(&bins->arena, uint8_t, m->n_cols + 1);
    return bins;
}

bool bins_new(const BoostParams *params, BoostData *data, bool keep, bool merge, Pool *pool,
              Bins **ret_bins, Error *err)
{
    AUTO(bins_free) Bins *bins = new_bins(data, NULL, err);
    if (!bins) return false;
    if (params->max_bin < 2 || params->max_bin > 65534)
        return error_set(err, ERROR_UNSUPPORTED, "max_bin is %lld; from 2 to 65534 are possible",
                         (long long)params->max_bin);
    if (!choose_width(params, data, &bins->width)) return false;

    ARENA(scratch);
    BinJob job = {
        .bins = bins,
        .data = data,
        .matrix = &data->features,
        .max_bin = (int32_t)params->max_bin,
        .column_cuts = arena_array(&scratch, float *, bins->n_cols),
        .n_cuts = arena_array(&scratch, int32_t, bins->n_cols),
        /* rank:* has a weight per group, which says nothing about a row. */
        .row_weight = data->labels.group_start ? NULL : data->labels.weight,
    };
    bool done = make_bins(&job, keep, pool, err);
    for (int32_t j = 0; j < bins->n_cols; j++) data_free(job.column_cuts[j]);
    if (!done || (merge && !bins_merge_alike(bins, &data->labels, pool, err))) return false;

    if (!bins_join(bins, err)) return false;
    find_frequent(bins);
    lay_out(bins);
    if (bins->any_frequent && !make_extra(bins, pool, err)) return false;
    if (bins->width) {
        bins->rows = data_alloc((size_t)bins->n_rows + 16, bins->row_stride, "the bins", err);
        if (!bins->rows) return false;
        Transpose transpose = {bins};
        parallel_for(pool, (size_t)bins->n_rows, ROW_BLOCK, transpose_rows, &transpose);
    }
    for (int32_t k = 0; k < bins->n_joins; k++) data_free(STEAL(bins->joins[k].id));
    *ret_bins = STEAL(bins);
    return true;
}

bool bins_new_like(const Bins *like, BoostData *data, bool keep, Pool *pool, Bins **ret_bins,
                   Error *err)
{
    AUTO(bins_free) Bins *bins = new_bins(data, like, err);
    if (!bins) return false;
    bins->width = like->width;
    bins->is_category = like->is_category;
    memcpy(bins->cut_start, like->cut_start, ((size_t)like->n_cols + 1) * sizeof *bins->cut_start);
    bins->cuts = arena_array(&bins->arena, float, like->cut_start[like->n_cols] + 1);
    memcpy(bins->cuts, like->cuts, (size_t)like->cut_start[like->n_cols] * sizeof *bins->cuts);
    BinJob job = {.like = like, .bins = bins, .data = data, .matrix = &data->features};
    if (!make_bins(&job, keep, pool, err)) return false;
    *ret_bins = STEAL(bins);
    return true;
}

void bins_free(Bins *bins)
{
    if (!bins) return;
    data_free(bins->cols);
    data_free(bins->rows);
    data_free(bins->extra_start);
    data_free(bins->extra);
    data_free(bins->row_start);
    data_free(bins->entry);
    for (int32_t k = 0; k < bins->n_joins; k++) data_free(bins->joins[k].id);
    data_free(bins->alike);
    data_free(bins->alike_label);
    data_free(bins->alike_weight);
    arena_clear(&bins->arena);
    free(bins);
}

uint32_t bins_at(const Bins *bins, int64_t row, int32_t column)
{
    if (bins->width == 1) return bins->cols[(size_t)column * bins->col_stride + (size_t)row];
    if (bins->width == 2) {
        uint16_t bin;
        memcpy(&bin, bins->cols + (size_t)column * bins->col_stride + 2 * (size_t)row, 2);
        return bin;
    }
    uint32_t first = (uint32_t)bins->cut_start[column],
             last = (uint32_t)bins->cut_start[column + 1];
    int64_t low = bins->row_start[row], high = bins->row_start[row + 1];
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (bins->entry[middle] < first)
            low = middle + 1;
        else
            high = middle;
    }
    return low < bins->row_start[row + 1] && bins->entry[low] < last ? bins->entry[low] - first
                                                                     : UINT32_MAX;
}
