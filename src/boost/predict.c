/* Margins of many rows, block by block.
 *
 * Where the processor has vectors, a block is 512 rows: each used column is turned into ranks among
 * the model's own thresholds, and low trees are evaluated by comparing ranks (predict_slice.c).
 * Everything else walks packed nodes (predict_walk.c).  Both add each tree's leaf in float32 in the
 * order of the trees, starting from the base margin, so they give the same bits, and the same as
 * XGBoost's own predictor on a processor. */

#include "boost/predict.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "boost/objective.h"
#include "boost/predict_internal.h"

#include <math.h>

enum {
    CHUNK_ROWS = 4096,        /* of parallel_for */
    FEW_ROWS = 24,            /* below this, walking is quicker than filling a block ... */
    FEW_ROWS_TALL = 128,      /* ... and with tall trees */
    SLICE_COLUMNS_MAX = 8192, /* beyond, a block of ranks would be larger than it is worth */
    ROW_COLUMNS_MAX = 2048,   /* used columns predict_margin_row copies to the stack */
};

typedef struct Scratch {
    float *rows;    /* walk: block_rows x stride */
    float *columns; /* slice: one column, or all used ones for CSR */
    uint8_t *ranks; /* slice: per used column two blocks of 16-bit ranks */
    const void **slots;
    float *acc; /* n_groups x block_rows */
    void *masks;
} Scratch;

typedef struct Job {
    const Predictor *p;
    const Matrix *data;
    float *out;
    bool slice;
    int32_t block_rows;
    int64_t stride;
    int failed; /* a chunk found no memory */
} Job;

static void scratch_clear(Scratch *s)
{
    data_free(s->rows);
    data_free(s->columns);
    data_free(s->ranks);
    data_free(s->slots);
    data_free(s->acc);
    data_free(s->masks);
}

static bool scratch_init(Scratch *s, const Job *job)
{
    const Predictor *p = job->p;
    size_t n_used = (size_t)p->n_used, block = (size_t)job->block_rows;
    const char *what = "prediction";
    *s = (Scratch){0};
    s->acc = data_alloc(block * (size_t)p->n_groups, sizeof(float), what, NULL);
    if (!s->acc) return false;
    if (!job->slice || !p->all_sliced) {
        s->rows = data_alloc(block * (size_t)job->stride, sizeof(float), what, NULL);
        if (!s->rows) return false;
    }
    if (!job->slice) return true;
    bool csr = job->data->layout == MATRIX_CSR;
    s->columns = data_alloc((csr ? n_used : 1) * SLICE_ROWS, sizeof(float), what, NULL);
    s->ranks = data_alloc(n_used * 2 * SLICE_ROWS, sizeof(uint16_t), what, NULL);
    s->slots = data_alloc(n_used * 2, sizeof(void *), what, NULL);
    s->masks = data_alloc(slice_scratch(p), 1, what, NULL);
    return s->columns && s->ranks && s->slots && s->masks;
}

/* Rows [begin, begin + n) of the used columns, row by row with a zero at the end of each.  Returns
 * whether a value is missing. */
static bool copy_used_rows(const Predictor *p, const Matrix *data, int64_t begin, int32_t n,
                           float *x, int64_t stride)
{
    bool missing = false;
    int32_t n_used = p->n_used;
    if (data->layout == MATRIX_CSR) {
        for (int32_t i = 0; i < n; i++) {
            float *row = x + i * stride;
            for (int32_t u = 0; u < n_used; u++) row[u] = data->absent;
            for (int64_t k = data->row_start[begin + i]; k < data->row_start[begin + i + 1]; k++) {
                int32_t u = p->used_of_feature[data->col[k]] - 1,
                        c = p->used_of_category[data->col[k]] - 1;
                if (u >= 0) row[u] = data->value[k];
                if (c >= 0) row[c] = data->value[k];
            }
        }
    } else {
        for (int32_t u = 0; u < n_used; u++) {
            int32_t feature = p->used[u].feature;
            if (data->layout == MATRIX_COLUMNS) {
                const float *from = data->column[feature] + begin;
                for (int32_t i = 0; i < n; i++) x[i * stride + u] = from[i];
            } else {
                const float *from = data->rows + begin * data->row_stride + feature;
                for (int32_t i = 0; i < n; i++) x[i * stride + u] = from[i * data->row_stride];
            }
        }
    }
    for (int32_t i = 0; i < n; i++) {
        float *row = x + i * stride;
        for (int32_t u = 0; u < n_used; u++) missing |= isnan(row[u]) != 0;
        row[n_used] = 0;
    }
    return missing;
}

/* CSR rows as columns of SLICE_ROWS values. */
static void spread_sparse(const Predictor *p, const Matrix *data, int64_t begin, int32_t n,
                          float *columns)
{
    size_t size = (size_t)p->n_used * SLICE_ROWS;
    for (size_t i = 0; i < size; i++) columns[i] = data->absent;
    for (int32_t i = 0; i < n; i++)
        for (int64_t k = data->row_start[begin + i]; k < data->row_start[begin + i + 1]; k++) {
            int32_t u = p->used_of_feature[data->col[k]] - 1,
                    c = p->used_of_category[data->col[k]] - 1;
            if (u >= 0) columns[(size_t)u * SLICE_ROWS + (size_t)i] = data->value[k];
            if (c >= 0) columns[(size_t)c * SLICE_ROWS + (size_t)i] = data->value[k];
        }
}

static void rank_block(const Job *job, Scratch *s, int64_t begin, int32_t n)
{
    const Predictor *p = job->p;
    const Matrix *data = job->data;
    if (data->layout == MATRIX_CSR) spread_sparse(p, data, begin, n, s->columns);
    for (int32_t u = 0; u < p->n_used; u++) {
        const UsedColumn *used = &p->used[u];
        if (!used->sliceable) continue;
        const float *x = s->columns;
        if (data->layout == MATRIX_CSR) {
            x += (size_t)u * SLICE_ROWS;
        } else if (data->layout == MATRIX_COLUMNS && n == SLICE_ROWS) {
            x = data->column[used->feature] + begin;
        } else if (data->layout == MATRIX_COLUMNS) {
            memcpy(s->columns, data->column[used->feature] + begin, (size_t)n * sizeof(float));
        } else {
            const float *from = data->rows + begin * data->row_stride + used->feature;
            for (int32_t i = 0; i < n; i++) s->columns[i] = from[i * data->row_stride];
        }
        size_t width = used->kind == SLICE_U16 ? 2 : 1;
        uint8_t *left = s->ranks + (size_t)u * 4 * SLICE_ROWS, *right = left + width * SLICE_ROWS;
        bool missing = slice_ranks(used, x, n, left, right);
        s->slots[2 * u] = left;
        s->slots[2 * u + 1] = missing ? right : left;
    }
}

static void predict_block(const Job *job, Scratch *s, int64_t begin, int32_t n)
{
    const Predictor *p = job->p;
    float *acc = s->acc;
    int32_t rows = job->block_rows, n_groups = p->n_groups;
    /* The last rows of many may be few; there is room to walk them only where some tree is walked. */
    bool slice = job->slice && (n >= FEW_ROWS || p->all_sliced), missing = false;
    for (int32_t g = 0; g < n_groups; g++)
        for (int32_t i = 0; i < n; i++) acc[g * rows + i] = p->base[g];
    if (slice) rank_block(job, s, begin, n);
    if (!slice || !p->all_sliced)
        missing = copy_used_rows(p, job->data, begin, n, s->rows, job->stride);
    const SliceBatch *batch = p->slice_batches;
    for (int32_t t = 0; t < p->n_trees; t++) {
        float *to = acc + (int64_t)p->trees[t].group * rows;
        if (slice && t == batch->first_tree) slice_batch(p, batch, s->slots, n, s->masks);
        if (slice && t + 1 == batch->end_tree) batch++;
        if (slice && p->slices[t].usable)
            slice_tree(p, t, s->slots, n, to, s->masks);
        else
            walk_rows(p, t, s->rows, job->stride, n, missing, to);
    }
    float *out = job->out + begin * n_groups;
    if (n_groups == 1) {
        memcpy(out, acc, (size_t)n * sizeof *out);
        return;
    }
    for (int32_t i = 0; i < n; i++)
        for (int32_t g = 0; g < n_groups; g++) out[i * n_groups + g] = acc[g * rows + i];
}

static void predict_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    Job *job = arg;
    Scratch scratch;
    if (scratch_init(&scratch, job))
        for (size_t i = begin; i < end; i += (size_t)job->block_rows)
            predict_block(job, &scratch, (int64_t)i,
                          (int32_t)MIN((size_t)job->block_rows, end - i));
    else
        __atomic_store_n(&job->failed, 1, __ATOMIC_RELAXED);
    scratch_clear(&scratch);
}

/* ---- the linear model ---- */

static void linear_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    const Job *job = arg;
    const Predictor *p = job->p;
    const Matrix *data = job->data;
    int32_t n_groups = p->n_groups;
    const float *weight = p->model->linear, *bias = weight + (int64_t)p->n_features * n_groups;
    for (size_t i = begin; i < end; i++)
        for (int32_t g = 0; g < n_groups; g++) {
            float sum = bias[g] + p->base[g];
            if (data->layout == MATRIX_CSR) {
                for (int64_t k = data->row_start[i]; k < data->row_start[i + 1]; k++)
                    if (!isnan(data->value[k]))
                        sum += data->value[k] * weight[(int64_t)data->col[k] * n_groups + g];
            } else {
                for (int32_t f = 0; f < p->n_features; f++) {
                    float x = data->layout == MATRIX_COLUMNS
                                  ? data->column[f][i]
                                  : data->rows[(int64_t)i * data->row_stride + f];
                    if (!isnan(x)) sum += x * weight[(int64_t)f * n_groups + g];
                }
            }
            job->out[(int64_t)i * n_groups + g] = sum;
        }
}

/* ---- entry ---- */

bool predict_check(const BoostModel *model, const Matrix *data, Error *err)
{
    /* A sparse row names its columns, so fewer of them may be known than the model has seen. */
    bool fits = data->layout == MATRIX_CSR ? data->n_cols <= model->n_features
                                           : data->n_cols == model->n_features;
    if (fits) return true;
    return error_set(err, ERROR_INVALID, "the data has %d features, the model was trained with %d",
                     data->n_cols, model->n_features);
}

bool predict_margin(const Predictor *p, const Matrix *data, Pool *pool, float *out, Error *err)
{
    if (!predict_check(p->model, data, err)) return false;
    Job job = {.p = p, .data = data, .out = out};
    size_t n_rows = (size_t)data->n_rows;
    if (p->model->booster == BOOSTER_GBLINEAR) {
        parallel_for(pool, n_rows, CHUNK_ROWS, linear_chunk, &job);
        return true;
    }
    job.stride = (p->n_used + 1 + 15) & ~15;
    job.slice = p->sliced && p->n_used <= SLICE_COLUMNS_MAX && slice_supported() &&
                n_rows >= (p->any_tall ? FEW_ROWS_TALL : FEW_ROWS);
    job.block_rows = job.slice ? SLICE_ROWS : (int32_t)MIN(512, MAX(8, 65536 / job.stride));
    parallel_for(pool, n_rows, CHUNK_ROWS, predict_chunk, &job);
    if (job.failed) return error_set(err, ERROR_NO_MEMORY, "no memory for prediction");
    return true;
}

void predict_margin_row(const Predictor *p, const float *row, float *out)
{
    for (int32_t g = 0; g < p->n_groups; g++) out[g] = p->base[g];
    if (p->model->booster == BOOSTER_GBLINEAR) {
        Matrix one = {.layout = MATRIX_ROWS,
                      .n_rows = 1,
                      .n_cols = p->n_features,
                      .rows = row,
                      .row_stride = p->n_features};
        Job job = {.p = p, .data = &one, .out = out};
        linear_chunk(&job, 0, 0, 1);
        return;
    }
    if (p->n_used > ROW_COLUMNS_MAX) {
        walk_model(p->model, row, out);
        return;
    }
    UNINITIALIZED float x[ROW_COLUMNS_MAX + 1];
    bool missing = false;
    for (int32_t u = 0; u < p->n_used; u++) {
        x[u] = row[p->used[u].feature];
        missing |= isnan(x[u]) != 0;
    }
    x[p->n_used] = 0;
    walk_row(p, x, missing, out);
}

void predict_transform(const BoostModel *model, float *margins, int64_t n_rows, int32_t *ret_width)
{
    objective_transform(model, margins, n_rows, ret_width);
}
