/* Boosting of linear models: each round moves the biases and then one weight after the other to the
 * minimum of the second-order loss plus penalties, times eta.
 *
 * The gradients follow each move at once, so that the next weight sees it.  XGBoost's "shotgun" moves
 * weights on several threads without locks, and its result depends on their luck; here both updaters
 * go through the features in order and the threads share the rows, so that shotgun is what XGBoost's
 * is on one thread.  Missing values count as absent (0).
 *
 * The penalties are multiplied by the sum of the row weights, as in XGBoost.
 *
 * Friedman, Hastie, Tibshirani: Regularization Paths for Generalized Linear Models via Coordinate
 * Descent, 2010; selectors: XGBoost. */

#include "boost/gblinear.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_GRAIN = 32768 };

typedef struct Sums {
    double g, h;
} Sums;

struct LinearUpdater {
    const BoostParams *params;
    Matrix features;
    int32_t n_features, n_groups;
    double lambda, alpha, lambda_bias; /* times the instance weight */

    int64_t *column_start; /* sparse data by columns, else NULL */
    uint32_t *row;
    float *value;

    Sums *chunk;       /* of a pass over rows */
    float *column;     /* row-major data: the column at hand */
    int32_t *order;    /* features of this round */
    double *magnitude; /* of the moves: greedy and thrifty */
    float *before;     /* weights at the start of the round, for the tolerance */
};

/* ---- columns ---- */

static bool sparse_columns(LinearUpdater *u, Error *err)
{
    const Matrix *m = &u->features;
    size_t n_values = (size_t)m->row_start[m->n_rows];
    u->column_start = data_array(int64_t, (size_t)m->n_cols + 2, "the columns of the data", err);
    u->row = u->column_start ? data_array(uint32_t, n_values, "the columns of the data", err)
                             : NULL;
    u->value = u->row ? data_array(float, n_values, "the columns of the data", err) : NULL;
    if (!u->value) return false;
    int64_t *next = u->column_start + 1; /* shifted by one, so that it ends as the starts */
    for (size_t k = 0; k < n_values; k++) next[m->col[k] + 1]++;
    for (int32_t j = 0; j < m->n_cols; j++) next[j + 1] += next[j];
    for (int64_t i = 0; i < m->n_rows; i++)
        for (int64_t k = m->row_start[i]; k < m->row_start[i + 1]; k++) {
            int64_t to = next[m->col[k]]++;
            u->row[to] = (uint32_t)i;
            u->value[to] = m->value[k];
        }
    return true;
}

/* A pass over one column: sums of g x and h x^2, or the move of the gradients after the weight. */
typedef struct Pass {
    const LinearUpdater *u;
    const float *x;      /* values; NULL: the bias, 1 everywhere */
    const uint32_t *row; /* of each value, or NULL: all rows */
    float *gh;           /* pair of row 0 in this group */
    size_t stride;       /* floats from row to row */
    float move;
} Pass;

static void sum_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    const Pass *p = arg;
    double g = 0, h = 0;
    for (size_t k = begin; k < end; k++) {
        float v = p->x ? p->x[k] : 1;
        if (isnan(v)) continue;
        const float *gh = p->gh + (p->row ? p->row[k] : k) * p->stride;
        g += (double)(gh[0] * v);
        h += (double)(gh[1] * v * v);
    }
    p->u->chunk[chunk] = (Sums){g, h};
}

static void move_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    const Pass *p = arg;
    for (size_t k = begin; k < end; k++) {
        float v = p->x ? p->x[k] : 1;
        if (isnan(v)) continue;
        float *gh = p->gh + (p->row ? p->row[k] : k) * p->stride;
        gh[0] += gh[1] * v * p->move;
    }
}

/* The pass over feature j (-1: the bias) in group k; returns how many values it has. */
static size_t pass_of(LinearUpdater *u, int32_t j, int32_t k, float *gh, Pass *ret_pass)
{
    const Matrix *m = &u->features;
    *ret_pass = (Pass){.u = u, .gh = gh + 2 * k, .stride = 2 * (size_t)u->n_groups};
    size_t n = (size_t)m->n_rows;
    if (j < 0) return n;
    if (u->column_start) {
        ret_pass->x = u->value + u->column_start[j];
        ret_pass->row = u->row + u->column_start[j];
        return (size_t)(u->column_start[j + 1] - u->column_start[j]);
    }
    if (m->layout == MATRIX_COLUMNS) {
        ret_pass->x = m->column[j];
        return n;
    }
    for (size_t i = 0; i < n; i++) u->column[i] = m->rows[(int64_t)i * m->row_stride + j];
    ret_pass->x = u->column;
    return n;
}

static Sums sum_pass(Pass *pass, size_t n, Pool *pool)
{
    parallel_for(pool, n, ROW_GRAIN, sum_chunk, pass);
    Sums sum = {0, 0};
    for (size_t c = 0; c < chunk_count(n, ROW_GRAIN); c++) {
        sum.g += pass->u->chunk[c].g;
        sum.h += pass->u->chunk[c].h;
    }
    return sum;
}

/* ---- the moves ---- */

/* To the minimum of g d + h d^2 / 2 + lambda (w + d)^2 / 2 + alpha |w + d|, stopping at 0. */
static double best_move(const LinearUpdater *u, Sums sum, double w)
{
    if (sum.h < 1e-5) return 0;
    double g = sum.g + u->lambda * w, h = sum.h + u->lambda;
    return w - g / h >= 0 ? fmax(-(g + u->alpha) / h, -w) : fmin(-(g - u->alpha) / h, -w);
}

static void move_bias(LinearUpdater *u, int32_t k, float *gh, float *bias, Pool *pool)
{
    Pass pass;
    size_t n = pass_of(u, -1, k, gh, &pass);
    Sums sum = sum_pass(&pass, n, pool);
    double h = sum.h + u->lambda_bias;
    if (!(h > 0)) return;
    pass.move = (float)(u->params->eta * -(sum.g + u->lambda_bias * (double)*bias) / h);
    *bias += pass.move;
    if (pass.move != 0) parallel_for(pool, n, ROW_GRAIN, move_chunk, &pass);
}

static void move_weight(LinearUpdater *u, int32_t j, int32_t k, float *gh, float *weight,
                        Pool *pool)
{
    Pass pass;
    size_t n = pass_of(u, j, k, gh, &pass);
    pass.move = (float)(u->params->eta * best_move(u, sum_pass(&pass, n, pool), (double)*weight));
    *weight += pass.move;
    if (pass.move != 0) parallel_for(pool, n, ROW_GRAIN, move_chunk, &pass);
}

/* Sizes of the moves that each feature of group k would make alone. */
static void measure(LinearUpdater *u, int32_t k, float *gh, const float *weights, Pool *pool)
{
    for (int32_t j = 0; j < u->n_features; j++) {
        Pass pass;
        size_t n = pass_of(u, j, k, gh, &pass);
        double w = (double)weights[(size_t)j * (size_t)u->n_groups + (size_t)k];
        u->magnitude[j] = (double)(float)fabs(best_move(u, sum_pass(&pass, n, pool), w));
    }
}

/* Larger moves first, then lower features. */
static int compare_moves(const void *a, const void *b, void *magnitude)
{
    int32_t i = *(const int32_t *)a, j = *(const int32_t *)b;
    double x = ((const double *)magnitude)[i], y = ((const double *)magnitude)[j];
    return x > y ? -1 : x < y ? 1 : i - j;
}

/* The features of the round before any moved. */
static void set_order(LinearUpdater *u, int64_t round)
{
    Random random = random_stream(u->params->seed ^ 0x6c696e656172, (uint64_t)round);
    size_t n = (size_t)u->n_features;
    switch (u->params->feature_selector) {
    case SELECT_SHUFFLE: random_permutation(random, (uint32_t *)u->order, n); break;
    case SELECT_RANDOM:
        for (size_t j = 0; j < n; j++) u->order[j] = (int32_t)random_below(random, j, n);
        break;
    default:
        for (size_t j = 0; j < n; j++) u->order[j] = (int32_t)j;
    }
}

static void move_weights(LinearUpdater *u, int32_t k, float *gh, float *weights, Pool *pool)
{
    int selector = u->params->feature_selector;
    bool choosy = selector == SELECT_GREEDY || selector == SELECT_THRIFTY;
    int64_t n = u->n_features;
    if (choosy) { /* XGBoost's leave the last feature out */
        n = MIN(n - 1, u->params->top_k > 0 ? u->params->top_k : n);
    }
    if (selector == SELECT_THRIFTY) {
        measure(u, k, gh, weights, pool);
        for (int32_t j = 0; j < u->n_features; j++) u->order[j] = j;
        qsort_r(u->order, (size_t)u->n_features, sizeof *u->order, compare_moves, u->magnitude);
    }
    for (int64_t i = 0; i < n; i++) {
        int32_t j = u->order[i];
        if (selector == SELECT_GREEDY) {
            measure(u, k, gh, weights, pool);
            j = 0;
            for (int32_t c = 1; c < u->n_features; c++)
                if (u->magnitude[c] > u->magnitude[j]) j = c;
        }
        move_weight(u, j, k, gh, &weights[(size_t)j * (size_t)u->n_groups + (size_t)k], pool);
    }
}

bool linear_update(LinearUpdater *u, int64_t round, float *gh, float *weights, Pool *pool,
                   bool *ret_moved, Error *err)
{
    (void)err; /* nothing here fails today */
    size_t n_weights = ((size_t)u->n_features + 1) * (size_t)u->n_groups;
    float *bias = weights + (size_t)u->n_features * (size_t)u->n_groups;
    memcpy(u->before, weights, n_weights * sizeof(float));

    for (int32_t k = 0; k < u->n_groups; k++) move_bias(u, k, gh, &bias[k], pool);
    set_order(u, round);
    for (int32_t k = 0; k < u->n_groups; k++) move_weights(u, k, gh, weights, pool);

    double largest = 0;
    for (size_t i = 0; i < n_weights; i++)
        largest = fmax(largest, fabs((double)weights[i] - (double)u->before[i]));
    *ret_moved = u->params->tolerance == 0 || largest > u->params->tolerance;
    return true;
}

bool linear_updater_new(const BoostParams *params, const Matrix *features, int32_t n_groups,
                        double instance_weight, LinearUpdater **ret_updater, Error *err)
{
    bool choosy = params->feature_selector != SELECT_CYCLIC &&
                  params->feature_selector != SELECT_SHUFFLE;
    if (params->shotgun && choosy)
        return error_set(err, ERROR_INVALID,
                         "Unsupported feature selector for shotgun updater: it takes "
                         "cyclic and shuffle; updater coord_descent has the others");
    AUTO(linear_updater_free) LinearUpdater *u = calloc(1, sizeof *u);
    if (!u) memory_exhausted(sizeof *u);
    *u = (LinearUpdater){
        .params = params,
        .features = *features,
        .n_features = features->n_cols,
        .n_groups = n_groups,
        .lambda = (double)(float)(params->lambda * instance_weight),
        .alpha = (double)(float)(params->alpha * instance_weight),
        .lambda_bias = params->lambda_bias * instance_weight,
    };
    size_t n_rows = (size_t)features->n_rows, n = (size_t)features->n_cols;
    if (features->layout == MATRIX_CSR && !sparse_columns(u, err)) return false;
    if (features->layout == MATRIX_ROWS) {
        u->column = data_array(float, n_rows, "a column of the data", err);
        if (!u->column) return false;
    }
    u->chunk = data_array(Sums, chunk_count(n_rows, ROW_GRAIN), "sums of the linear booster", err);
    u->order = u->chunk ? data_array(int32_t, n + 1, "the order of features", err) : NULL;
    u->magnitude = u->order ? data_array(double, n + 1, "the moves of weights", err) : NULL;
    u->before = u->magnitude ? data_array(float, (n + 1) * (size_t)n_groups, "the weights", err)
                             : NULL;
    if (!u->before) return false;
    *ret_updater = STEAL(u);
    return true;
}

void linear_updater_free(LinearUpdater *u)
{
    if (!u) return;
    data_free(u->column_start);
    data_free(u->row);
    data_free(u->value);
    data_free(u->chunk);
    data_free(u->column);
    data_free(u->order);
    data_free(u->magnitude);
    data_free(u->before);
    free(u);
}
