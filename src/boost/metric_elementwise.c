/* Metrics that are weighted means over rows.
 *
 * Each chunk goes through blocks: margins to outputs, outputs and labels to losses, losses times
 * weights into double sums, four side by side so that the additions overlap. */

#include "boost/metric_kind.h"

#include "base/memory.h"
#include "boost/objective_spec.h"

#include <math.h>
#include <string.h>

enum { BLOCK = 1024 };

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

static void row_values(const MeanArgs *a, const float *p, const float *y, float *loss, size_t n)
{
    switch (a->kind) {
    case METRIC_RMSE: row_losses(ROW_SQUARED, p, y, loss, n); break;
    case METRIC_RMSLE: row_losses(ROW_SQUARED_LOG, p, y, loss, n); break;
    case METRIC_MAE: row_losses(ROW_ABSOLUTE, p, y, loss, n); break;
    case METRIC_LOGLOSS: row_losses(ROW_LOG_LOSS, p, y, loss, n); break;
    default: { /* error: the share of wrong sides of the threshold */
        float threshold = a->metric->has_argument ? (float)a->metric->argument : 0.5f;
        for (size_t i = 0; i < n; i++) loss[i] = p[i] > threshold ? 1 - y[i] : y[i];
        break;
    }
    }
}

static void mean_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    const MeanArgs *a = arg;
    UNINITIALIZED float p[BLOCK];
    UNINITIALIZED float loss[BLOCK];
    Sums total = {0};
    for (size_t i = begin; i < end; i += BLOCK) {
        size_t n = MIN((size_t)BLOCK, end - i);
        int32_t width;
        memcpy(p, a->margins + i, n * sizeof(float));
        objective_transform(a->model, p, (int64_t)n, &width);
        row_values(a, p, a->labels->label + i, loss, n);
        Sums sums = weighted_sum(loss, a->labels->weight ? a->labels->weight + i : NULL, n);
        total.loss += sums.loss;
        total.weight += sums.weight;
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
    MeanArgs args = {metric, model, labels, margins, metric_spec(metric)->kind, NULL};
    double value;
    if (!mean(mean_chunk, &args, pool, &value, err)) return false;
    if (args.kind == METRIC_RMSE || args.kind == METRIC_RMSLE) value = sqrt(value);
    *ret_value = value;
    return true;
}

static void multiclass_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    const MeanArgs *a = arg;
    size_t width = (size_t)a->model->n_groups;
    UNINITIALIZED float loss[BLOCK];
    UNINITIALIZED float e[BLOCK];
    UNINITIALIZED float row[BLOCK];
    Sums total = {0};
    for (size_t i = begin; i < end; i += BLOCK) {
        size_t n = MIN((size_t)BLOCK, end - i);
        for (size_t r = 0; r < n; r++) {
            const float *m = a->margins + (i + r) * width;
            size_t label = (size_t)a->labels->label[i + r], best = 0;
            for (size_t k = 1; k < width; k++)
                if (m[k] > m[best]) best = k;
            if (a->kind == METRIC_MERROR) {
                loss[r] = best != label;
                continue;
            }
            float sum = 0;
            for (size_t k = 0; k < width; k += BLOCK) {
                size_t part = MIN((size_t)BLOCK, width - k);
                for (size_t j = 0; j < part; j++) row[j] = m[k + j] - m[best];
                lanes_exp(row, part);
                for (size_t j = 0; j < part; j++) sum += row[j];
            }
            e[r] = m[label] - m[best];
            loss[r] = sum;
        }
        if (a->kind == METRIC_MLOGLOSS) {
            lanes_exp(e, n);
            for (size_t r = 0; r < n; r++) loss[r] = e[r] / loss[r];
            lanes_neg_log(loss, n);
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
    MeanArgs args = {metric, model, labels, margins, metric_spec(metric)->kind, NULL};
    return mean(multiclass_chunk, &args, pool, ret_value, err);
}
