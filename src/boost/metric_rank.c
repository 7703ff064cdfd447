/* Metrics of ranked lists: NDCG, mean average precision and precision, of the first n rows of each
 * query group, averaged over groups by their weights.  As in XGBoost 3. */

#include "boost/metric_kind.h"
#include "boost/rank.h"
#include "boost/sort.h"

#include "base/memory.h"

#include <string.h>

typedef struct List { /* one group, best score first */
    size_t n;
    float *label, *sorted; /* labels by score; by themselves */
    uint32_t *order;
    SortItem *work;
} List;

static void rank_list(List *list, const float *score, const float *label, size_t n)
{
    list->n = n;
    sort_order(score, true, list->order, n, list->work);
    for (size_t k = 0; k < n; k++) list->label[k] = label[list->order[k]];
}

/* NaN when no row is relevant, here and below. */
static double ndcg(const BoostMetric *metric, const List *list, const float *label, size_t top)
{
    sort_order(label, true, list->order, list->n, list->work);
    for (size_t k = 0; k < list->n; k++) list->sorted[k] = label[list->order[k]];
    double ideal = ideal_dcg(list->sorted, list->n, top, !metric->linear_gain);
    if (ideal == 0) return NAN;
    return ideal_dcg(list->label, list->n, top, !metric->linear_gain) / ideal;
}

static double average_precision(const List *list, size_t top)
{
    double hits = 0, sum = 0;
    for (size_t k = 0; k < list->n; k++) {
        hits += (double)list->label[k];
        if (k < top) sum += hits / ((double)k + 1) * (double)list->label[k];
    }
    if (hits == 0) return NAN;
    return sum / fmin(hits, (double)MIN(top, list->n));
}

static double precision(const List *list, size_t top)
{
    double hits = 0;
    size_t n = MIN(top, list->n);
    for (size_t k = 0; k < n; k++) hits += (double)list->label[k];
    return n ? hits / (double)n : 0;
}

static bool check_labels(MetricKind kind, const BoostMetric *metric, const Labels *labels,
                         Error *err)
{
    for (int64_t i = 0; i < labels->n_rows; i++) {
        float y = labels->label[i];
        if (kind != METRIC_NDCG && y != 0 && y != 1)
            return error_set(err, ERROR_INVALID,
                             "%s can only be used with binary labels: row %lld has %g",
                             kind == METRIC_MAP ? "map" : "pre", (long long)i + 1, (double)y);
        if (kind == METRIC_NDCG && !metric->linear_gain && !(y >= 0 && y <= 31 && y == floorf(y)))
            return error_set(
                err, ERROR_INVALID,
                "ndcg needs relevance labels, whole numbers from 0 to 31: row %lld has %g",
                (long long)i + 1, (double)y);
    }
    return true;
}

bool metric_rank(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                 const float *margins, Pool *pool, double *ret_value, Error *err)
{
    (void)pool;
    MetricKind kind = metric_kind(metric);
    if (!check_labels(kind, metric, labels, err)) return false;
    size_t n_rows = (size_t)labels->n_rows, largest = 0;
    const int64_t whole[] = {0, labels->n_rows};
    const int64_t *start = labels->group_start ? labels->group_start : whole;
    size_t n_groups = labels->group_start ? (size_t)labels->n_groups : 1;
    for (size_t g = 0; g < n_groups; g++) largest = MAX(largest, (size_t)(start[g + 1] - start[g]));

    AUTO_DATA float *score = data_array(float, n_rows + 3 * largest, "the scores of ranks", err);
    if (!score) return false;
    AUTO_DATA SortItem *work = data_array(SortItem, 2 * largest, "the sorting of ranks", err);
    if (!work) return false;
    memcpy(score, margins, n_rows * sizeof(float));
    metric_outputs(model, score, n_rows);
    List list = {.label = score + n_rows, .sorted = score + n_rows + largest, .work = work};
    list.order = (uint32_t *)(score + n_rows + 2 * largest);

    size_t top = (size_t)metric->top;
    double sum = 0, weights = 0;
    for (size_t g = 0; g < n_groups; g++) {
        size_t begin = (size_t)start[g], n = (size_t)start[g + 1] - begin;
        /* a weight per group; rows of data without groups have weights of their own: not used */
        double w = labels->weight && labels->group_start ? (double)labels->weight[g] : 1;
        rank_list(&list, score + begin, labels->label + begin, n);
        double value = kind == METRIC_NDCG  ? ndcg(metric, &list, labels->label + begin, top)
                       : kind == METRIC_MAP ? average_precision(&list, top)
                                            : precision(&list, top);
        if (isnan(value)) { /* XGBoost weights such lists in map, but not in ndcg */
            value = metric->minus ? 0 : 1;
            sum += kind == METRIC_NDCG ? value : w * value;
        } else {
            sum += w * value;
        }
        weights += w;
    }
    *ret_value = weights > 0 ? sum / weights : sum;
    return true;
}
