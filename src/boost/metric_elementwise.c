/* Metrics that are weighted means over rows.
 *
 * Each chunk goes through blocks: margins to outputs, outputs and labels to losses, losses times
 * weights into double sums, four side by side so that the additions overlap. */

#include "boost/metric_kind.h"

#include "base/memory.h"
#include "boost/objective_spec.h"
#include "boost/survival.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1024, FACTORIALS = 64 };

typedef struct Sums {
    double loss, weight;
} Sums;

typedef struct MeanArgs {
    const BoostMetric *metric;
    const BoostModel *model;
    const Labels *labels;
    const float *margins;
    MetricKind kind;
    Sums *chunk;
    double log_factorial[FACTORIALS]; /* ln n! */
} MeanArgs;

static Sums weighted_sum(const float *loss, const float *weight, size_t n)
{
    double l[4] = {0}, w[4] = {0};
    size_t i = 0;
    if (!weight) {
        for (; i + 4 <= n; i += 4)
            for (int k = 0; k < 4; k++) l[k] += (double)loss[i + k];
        for (; i < n; i++) l[0] += (double)loss[i];
        return (Sums){(l[0] + l[1]) + (l[2] + l[3]), (double)n};
    }
    for (; i + 4 <= n; i += 4)
        for (int k = 0; k < 4; k++) {
            l[k] += (double)loss[i + k] * (double)weight[i + k];
            w[k] += (double)weight[i + k];
        }
    for (; i < n; i++) {
        l[0] += (double)loss[i] * (double)weight[i];
        w[0] += (double)weight[i];
    }
    return (Sums){(l[0] + l[1]) + (l[2] + l[3]), (w[0] + w[1]) + (w[2] + w[3])};
}

static double log_gamma(const MeanArgs *a, double y) /* of y + 1 */
{
    int sign;
    if (y >= 0 && y < FACTORIALS && y == floor(y)) return a->log_factorial[(int)y];
    return lgamma_r(y + 1, &sign);
}

/* One row of the metrics that need more than arithmetic; p is an output, y a label. */
static double row_value(const MeanArgs *a, double p, double y, size_t row)
{
    switch (a->kind) {
    case METRIC_MAPE: return fabs((y - p) / y);
    case METRIC_MPHE: {
        double slope = a->metric->huber_slope, d = (y - p) / slope;
        return slope * slope * (sqrt(1 + d * d) - 1);
    }
    case METRIC_ERROR: {
        float threshold = a->metric->has_argument ? (float)a->metric->argument : 0.5f;
        return (float)p > threshold ? 1 - y : y;
    }
    case METRIC_POISSON: p = fmax(p, 1e-16); return log_gamma(a, y) + p - log(p) * y;
    case METRIC_GAMMA: p = fmax(p, 1e-6); return y / p + log(p);
    case METRIC_GAMMA_DEVIANCE:
        p += 1e-6;
        y += 1e-6;
        return 2 * (log(p / y) + y / p - 1);
    case METRIC_TWEEDIE: {
        double rho = a->metric->tweedie_variance_power, log_p = log(p);
        return -y * exp((1 - rho) * log_p) / (1 - rho) + exp((2 - rho) * log_p) / (2 - rho);
    }
    case METRIC_AFT:
    case METRIC_INTERVAL: {
        double upper = a->labels->label_upper ? (double)a->labels->label_upper[row] : y;
        if (a->kind == METRIC_INTERVAL) return exp(p) >= y && exp(p) <= upper;
        return aft_loss((AftDistribution)a->metric->aft_distribution, a->metric->aft_scale, y,
                        upper, p);
    }
    default: return NAN;
    }
}

static void row_values(const MeanArgs *a, const float *p, size_t row, float *loss, size_t n)
{
    const float *y = a->labels->label + row;
    switch (a->kind) {
    case METRIC_MSE:
    case METRIC_RMSE: row_losses(ROW_SQUARED, p, y, loss, n); break;
    case METRIC_RMSLE: row_losses(ROW_SQUARED_LOG, p, y, loss, n); break;
    case METRIC_MAE: row_losses(ROW_ABSOLUTE, p, y, loss, n); break;
    case METRIC_LOGLOSS: row_losses(ROW_LOG_LOSS, p, y, loss, n); break;
    default:
        for (size_t i = 0; i < n; i++)
            loss[i] = (float)row_value(a, (double)p[i], (double)y[i], row + i);
        break;
    }
}

static void mean_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    const MeanArgs *a = arg;
    UNINITIALIZED float p[BLOCK];
    UNINITIALIZED float loss[BLOCK];
    /* SageMaker's mse disregards weights */
    const float *weight = a->kind == METRIC_MSE ? NULL : a->labels->weight;
    Sums total = {0};
    for (size_t i = begin; i < end; i += BLOCK) {
        size_t n = MIN((size_t)BLOCK, end - i);
        memcpy(p, a->margins + i, n * sizeof(float));
        if (a->kind != METRIC_MSE) metric_outputs(a->model, p, n);
        row_values(a, p, i, loss, n);
        Sums sums = weighted_sum(loss, weight ? weight + i : NULL, n);
        total.loss += sums.loss;
        total.weight += sums.weight;
    }
    a->chunk[chunk] = total;
}

/* Pinball loss, the mean over rows and quantiles. */
static void quantile_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    const MeanArgs *a = arg;
    size_t width = (size_t)a->metric->n_quantiles;
    Sums total = {0};
    for (size_t i = begin; i < end; i++) {
        float y = a->labels->label[i];
        double w = a->labels->weight ? (double)a->labels->weight[i] : 1;
        for (size_t k = 0; k < width; k++) {
            double alpha = a->metric->quantile_alpha[k];
            double d = (double)y - (double)a->margins[i * width + k];
            total.loss += w * (d >= 0 ? alpha * d : (alpha - 1) * d);
            total.weight += w;
        }
    }
    a->chunk[chunk] = total;
}

/* The weighted mean of `run` over all rows, chunks added up in order. */
static bool mean(ChunkFunction *run, MeanArgs *args, Pool *pool, double *ret_mean, Error *err)
{
    size_t n = (size_t)args->labels->n_rows, n_chunks = chunk_count(n, LOSS_GRAIN);
    AUTO_DATA Sums *chunk = data_array(Sums, n_chunks, "the metric's sums", err);
    if (!chunk) return false;
    args->chunk = chunk;
    parallel_for(pool, n, LOSS_GRAIN, run, args);
    Sums total = {0};
    for (size_t c = 0; c < n_chunks; c++) {
        total.loss += chunk[c].loss;
        total.weight += chunk[c].weight;
    }
    *ret_mean = total.weight == 0 ? total.loss : total.loss / total.weight;
    return true;
}

bool metric_elementwise(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                        const float *margins, Pool *pool, double *ret_value, Error *err)
{
    MeanArgs args = {.metric = metric,
                     .model = model,
                     .labels = labels,
                     .margins = margins,
                     .kind = metric_kind(metric)};
    if (args.kind == METRIC_POISSON)
        for (int k = 2; k < FACTORIALS; k++)
            args.log_factorial[k] = args.log_factorial[k - 1] + log(k);
    double value;
    ChunkFunction *run = args.kind == METRIC_QUANTILE ? quantile_chunk : mean_chunk;
    if (!mean(run, &args, pool, &value, err)) return false;
    if (args.kind == METRIC_RMSE || args.kind == METRIC_RMSLE) value = sqrt(value);
    *ret_value = value;
    return true;
}

/* ---- r2: two passes, as the mean of the labels comes first ---- */

typedef struct R2Args {
    const Labels *labels;
    const float *margins;
    double mean;
    Sums *chunk; /* residual and total sum of squares */
} R2Args;

static void r2_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    const R2Args *a = arg;
    Sums total = {0};
    for (size_t i = begin; i < end; i++) {
        double y = (double)a->labels->label[i], e = y - (double)a->margins[i], d = y - a->mean;
        total.loss += e * e;
        total.weight += d * d;
    }
    a->chunk[chunk] = total;
}

bool metric_r2(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
               const float *margins, Pool *pool, double *ret_value, Error *err)
{
    (void)metric, (void)model;
    size_t n = (size_t)labels->n_rows, n_chunks = chunk_count(n, LOSS_GRAIN);
    AUTO_DATA Sums *chunk = data_array(Sums, n_chunks, "the sums of r2", err);
    if (!chunk) return false;
    R2Args args = {.labels = labels, .margins = margins, .chunk = chunk};
    for (size_t i = 0; i < n; i++) args.mean += (double)labels->label[i];
    args.mean /= (double)n;
    parallel_for(pool, n, LOSS_GRAIN, r2_chunk, &args);
    Sums total = {0};
    for (size_t c = 0; c < n_chunks; c++) {
        total.loss += chunk[c].loss;
        total.weight += chunk[c].weight;
    }
    /* scikit-learn's edges: one row is undefined; constant labels are met exactly or not at all */
    *ret_value = n < 2 ? NAN : total.weight > 0 ? 1 - total.loss / total.weight : total.loss == 0;
    return true;
}

/* ---- classes ---- */

static size_t best_class(const float *m, size_t width)
{
    size_t best = 0;
    for (size_t k = 1; k < width; k++)
        if (m[k] > m[best]) best = k;
    return best;
}

static void multiclass_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    const MeanArgs *a = arg;
    size_t width = (size_t)a->model->n_groups, step = MAX(BLOCK / width, 1);
    UNINITIALIZED float loss[BLOCK];
    UNINITIALIZED float p[BLOCK];
    Sums total = {0};
    for (size_t i = begin; i < end; i += step) {
        size_t n = MIN(step, end - i);
        const float *m = a->margins + i * width, *y = a->labels->label + i;
        if (a->kind == METRIC_MERROR) {
            for (size_t r = 0; r < n; r++)
                loss[r] = best_class(m + r * width, width) != (size_t)y[r];
        } else if (width <= BLOCK) {
            memcpy(p, m, n * width * sizeof(float));
            softmax_rows(p, n, (int32_t)width);
            for (size_t r = 0; r < n; r++) loss[r] = p[r * width + (size_t)y[r]];
            lanes_neg_log(loss, n);
        } else { /* a row at a time */
            double top = (double)m[best_class(m, width)], sum = 0;
            for (size_t k = 0; k < width; k++) sum += exp((double)m[k] - top);
            loss[0] = (float)(exp((double)m[(size_t)y[0]] - top) / sum);
            lanes_neg_log(loss, 1);
        }
        Sums sums = weighted_sum(loss, a->labels->weight ? a->labels->weight + i : NULL, n);
        total.loss += sums.loss;
        total.weight += sums.weight;
    }
    a->chunk[chunk] = total;
}

bool metric_multiclass(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                       const float *margins, Pool *pool, double *ret_value, Error *err)
{
    MeanArgs args = {.metric = metric,
                     .model = model,
                     .labels = labels,
                     .margins = margins,
                     .kind = metric_kind(metric)};
    return mean(multiclass_chunk, &args, pool, ret_value, err);
}
