/* Area under the ROC curve.
 *
 * Rows are sorted by descending score; equal scores move along a straight line of the curve, so
 * that ties count half.  Fawcett: An Introduction to ROC Analysis, 2006. */

#include "boost/metric_kind.h"
#include "boost/sort.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* Sums of weights along the curve for n rows in `order`; the area is over the product of both
 * totals, and *ret_area is not divided yet. */
static void roc(const float *score, const uint32_t *order, const Labels *labels, size_t n,
                double *ret_area, double *ret_positive, double *ret_negative)
{
    double area = 0, tp = 0, fp = 0, tp_before = 0, fp_before = 0;
    for (size_t i = 0; i < n; i++) {
        size_t row = order[i];
        double w = labels->weight ? (double)labels->weight[row] : 1, y = (double)labels->label[row];
        tp += y * w;
        fp += (1 - y) * w;
        if (i + 1 == n || score[order[i + 1]] != score[row]) {
            area += (fp - fp_before) * (tp + tp_before) * 0.5;
            tp_before = tp;
            fp_before = fp;
        }
    }
    *ret_area = area;
    *ret_positive = tp;
    *ret_negative = fp;
}

bool metric_auc(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                const float *margins, Pool *pool, double *ret_value, Error *err)
{
    (void)metric, (void)pool;
    size_t n = (size_t)labels->n_rows;
    AUTO_DATA float *score = data_array(float, n, "the scores of auc", err);
    if (!score) return false;
    AUTO_DATA uint32_t *order = data_array(uint32_t, n, "the order of auc", err);
    if (!order) return false;
    AUTO_DATA SortItem *work = data_array(SortItem, 2 * n, "the sorting of auc", err);
    if (!work) return false;
    memcpy(score, margins, n * sizeof(float));
    int32_t width;
    objective_transform(model, score, (int64_t)n, &width);
    sort_order(score, true, order, n, work);
    double area, positive, negative;
    roc(score, order, labels, n, &area, &positive, &negative);
    *ret_value = positive > 0 && negative > 0 ? area / (positive * negative) : NAN;
    return true;
}
