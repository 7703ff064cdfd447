/* Areas under the ROC and the precision-recall curve.
 *
 * Rows are sorted by descending score; equal scores move along one step of the curve together, so
 * that ties count half.  Between the steps the precision-recall curve is interpolated as Davis and
 * Goadrich do, integrated exactly (Boyd and others: XGBoost's "aucpr" is that area, not the average
 * precision).  Several classes: each against the rest, for
 * the ROC weighted by its share.
 *
 * Ranking data: the mean over query groups.  XGBoost's ROC area of a group compares all pairs of rows
 * in order of their labels, pairs of equal labels too; it is counted here by merging.
 *
 * Fawcett: An Introduction to ROC Analysis, 2006; Keilwagen, Grosse, Grau: Area under
 * Precision-Recall Curves for Weighted and Unweighted Data, 2014. */

#include "boost/metric_kind.h"
#include "boost/sort.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* What the areas need for up to n rows; all from one block. */
typedef struct Room {
    float *score, *label, *merged[2];
    uint32_t *order;
    SortItem *work;
    void *block;
} Room;

static bool room_init(Room *room, size_t n, Error *err)
{
    size_t m = n + 16;
    float *f = data_alloc(m, 5 * sizeof(float) + 2 * sizeof(SortItem), "the sorting of scores",
                          err);
    if (!f) return false;
    *room = (Room){.work = (SortItem *)f, .block = f};
    f += 4 * m;
    room->score = f;
    room->label = f + m;
    room->merged[0] = f + 2 * m;
    room->merged[1] = f + 3 * m;
    room->order = (uint32_t *)(f + 4 * m);
    return true;
}

static double roc_step(double fp0, double fp, double tp0, double tp)
{
    return (fp - fp0) * (tp + tp0) * 0.5;
}

static double pr_step(double fp0, double fp, double tp0, double tp, double positive)
{
    double r0 = tp0 / positive, r = tp / positive, a = 1, b = 0;
    if (tp != tp0) {
        double slope = (fp - fp0) / (tp - tp0);
        a = 1 + slope;
        b = (fp0 - slope * tp0) / positive;
    }
    if (b == 0) return (r - r0) / a;
    return (r - r0 - b / a * (log(a * r + b) - log(a * r0 + b))) / a;
}

/* The area for n scores and labels in [0, 1]; NaN when only one side has weight.  `weight` NULL: 1. */
static double area(MetricKind kind, const Room *room, const float *score, const float *label,
                   const float *weight, size_t n, double *ret_positive)
{
    double positive = 0, negative = 0, sum = 0, tp = 0, fp = 0, tp0 = 0, fp0 = 0;
    for (size_t i = 0; i < n; i++) {
        double w = weight ? (double)weight[i] : 1;
        positive += (double)label[i] * w;
        negative += (1 - (double)label[i]) * w;
    }
    *ret_positive = positive;
    if (!(positive > 0 && negative > 0)) return NAN;
    sort_order(score, true, room->order, n, room->work);
    for (size_t k = 0; k < n; k++) {
        size_t i = room->order[k];
        double w = weight ? (double)weight[i] : 1;
        tp += (double)label[i] * w;
        fp += (1 - (double)label[i]) * w;
        if (k + 1 < n && score[room->order[k + 1]] == score[i]) continue;
        sum += kind == METRIC_AUC ? roc_step(fp0, fp, tp0, tp)
                                  : pr_step(fp0, fp, tp0, tp, positive);
        tp0 = tp;
        fp0 = fp;
    }
    return kind == METRIC_AUC ? sum / (tp * fp) : sum;
}

/* Pairs i < j with value[i] > value[j]; sorts values into one of the two arrays. */
static double count_descents(const Room *room, size_t n, const float **ret_sorted)
{
    float *from = room->merged[0], *to = room->merged[1];
    double count = 0;
    for (size_t width = 1; width < n; width *= 2) {
        for (size_t i = 0; i < n; i += 2 * width) {
            size_t a = i, mid = MIN(n, i + width), b = mid, end = MIN(n, i + 2 * width);
            for (size_t k = i; k < end; k++) {
                if (b == end || (a < mid && from[a] <= from[b])) {
                    to[k] = from[a++];
                } else {
                    count += (double)(mid - a);
                    to[k] = from[b++];
                }
            }
        }
        float *other = from;
        from = to;
        to = other;
    }
    *ret_sorted = from;
    return count;
}

static double ranking_roc(const Room *room, const float *score, const float *label, size_t n)
{
    if (n < 3) return NAN;
    sort_order(label, true, room->order, n, room->work);
    for (size_t k = 0; k < n; k++) room->merged[0][k] = score[room->order[k]];
    const float *sorted;
    double right = count_descents(room, n, &sorted), ties = 0;
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && sorted[end] == sorted[begin]; end++) {
        }
        ties += (double)(end - begin) * (double)(end - begin - 1) / 2;
    }
    return (right + ties / 2) / ((double)n * (double)(n - 1) / 2);
}

static double of_groups(MetricKind kind, const Room *room, const Labels *labels, const float *score)
{
    double sum = 0, n_valid = 0, positive;
    for (int64_t g = 0; g < labels->n_groups; g++) {
        size_t begin = (size_t)labels->group_start[g],
               n = (size_t)labels->group_start[g + 1] - begin;
        const float *s = score + begin, *y = labels->label + begin;
        double value = kind == METRIC_AUC ? ranking_roc(room, s, y, n)
                                          : area(kind, room, s, y, NULL, n, &positive);
        if (isnan(value)) continue;
        sum += value;
        n_valid++;
    }
    return n_valid > 0 ? sum / n_valid : NAN;
}

static double of_classes(MetricKind kind, Room *room, const Labels *labels, const float *margins,
                         const BoostModel *model, size_t n)
{
    size_t width = (size_t)model->n_groups;
    double sum = 0, weight = 0;
    UNINITIALIZED float row[1024];
    for (size_t c = 0; c < width; c++) {
        for (size_t i = 0; i < n; i++) {
            if (width <= COUNT(row)) {
                memcpy(row, margins + i * width, width * sizeof(float));
                metric_outputs(model, row, 1);
                room->score[i] = row[c];
            } else {
                room->score[i] = margins[i * width + c];
            }
            room->label[i] = (size_t)labels->label[i] == c;
        }
        double positive,
            value = area(kind, room, room->score, room->label, labels->weight, n, &positive);
        if (isnan(value)) return NAN;
        if (kind == METRIC_AUCPR) positive = 1; /* classes count alike there */
        sum += value * positive;
        weight += positive;
    }
    return sum / weight;
}

bool metric_auc(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                const float *margins, Pool *pool, double *ret_value, Error *err)
{
    (void)pool;
    size_t n = (size_t)labels->n_rows;
    MetricKind kind = metric_kind(metric);
    Room room;
    if (!room_init(&room, n, err)) return false;
    if (model->n_groups > 1) {
        *ret_value = of_classes(kind, &room, labels, margins, model, n);
    } else {
        memcpy(room.score, margins, n * sizeof(float));
        metric_outputs(model, room.score, n);
        double positive;
        *ret_value = labels->group_start ? of_groups(kind, &room, labels, room.score)
                                         : area(kind, &room, room.score, labels->label,
                                                labels->weight, n, &positive);
    }
    data_free(room.block);
    return true;
}
