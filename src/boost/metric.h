#ifndef CLARY_BOOST_METRIC_H
#define CLARY_BOOST_METRIC_H

/* Evaluation metrics by XGBoost's and SageMaker's names: "rmse", "error@0.7", "ndcg@10-", ... */

#include "boost/objective.h"

typedef struct BoostMetric {
    char name[64];   /* as it is printed */
    int kind;
    double argument; /* after '@' */
    bool has_argument, minus; /* "ndcg@10-": lists without relevant rows count 0 */
    bool maximize;
    double tweedie_variance_power, aft_scale, huber_slope;
    int aft_distribution;
    const double *quantile_alpha;
    int32_t n_quantiles;
} BoostMetric;

/* Parses a name; unknown ones are refused with the nearest known name, and metrics that the
 * objective cannot be measured by too (auc with regression, aft-nloglik elsewhere). */
bool boost_metric_parse(Str name, const ObjectiveParams *objective, BoostMetric *ret_metric, Error *err);

/* Its value over margins (n_rows x n_groups) of the model's objective.  Reductions are in chunk
 * order: the same bits on any number of threads. */
bool boost_metric_value(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                        const float *margins, Pool *pool, double *ret_value, Error *err);

#endif
