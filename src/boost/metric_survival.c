/* Cox's partial likelihood as a metric: the mean over events of ln(sum of the hazards at risk) less
 * ln(hazard).  Weights are disregarded, as in XGBoost. */

#include "boost/metric_kind.h"

#include "base/memory.h"
#include "boost/survival.h"

#include <math.h>

bool metric_cox(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                const float *margins, Pool *pool, double *ret_value, Error *err)
{
    (void)metric, (void)model, (void)pool;
    AUTO_DATA uint32_t *order = NULL;
    if (!cox_order(labels, &order, err)) return false;
    double at_risk = 0, sum = 0, n_events = 0;
    for (size_t end = (size_t)labels->n_rows, begin; end > 0;
         end = begin) { /* from the latest time */
        float time = fabsf(labels->label[order[end - 1]]);
        for (begin = end; begin > 0 && fabsf(labels->label[order[begin - 1]]) == time; begin--)
            at_risk += exp((double)margins[order[begin - 1]]);
        for (size_t k = begin; k < end; k++) {
            if (labels->label[order[k]] <= 0) continue;
            sum += log(at_risk) - (double)margins[order[k]];
            n_events++;
        }
    }
    *ret_value = sum / n_events;
    return true;
}
