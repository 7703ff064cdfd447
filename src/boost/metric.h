#ifndef CLARY_BOOST_METRIC_H
#define CLARY_BOOST_METRIC_H

/* Evaluation metrics by XGBoost's and SageMaker's names: "rmse", "error@0.7", "ndcg@10-", ...
 *
 * Where both have one of that name (rmse, mae) it is XGBoost's, over outputs.  SageMaker's own
 * (accuracy, f1, r2, mse, ...) look at margins and disregard weights, as its container does. */

#include "boost/objective.h"

typedef struct BoostMetric {
    char name[64]; /* as it is printed */
    int kind;
    double argument; /* after '@' */
    int64_t top;     /* ndcg, map, pre: how many rows of a list count; 32 when the name does not say
                        (XGBoost 3: as many as the objective pairs) */
    bool has_argument, minus; /* "ndcg@10-": lists without relevant rows count 0 */
    bool maximize;
    bool linear_gain; /* ndcg with ndcg_exp_gain=0 */
    double tweedie_variance_power, aft_scale, huber_slope;
    int aft_distribution;
    const double *quantile_alpha; /* the objective's parameters own it */
    int32_t n_quantiles;
} BoostMetric;

/* Parses a name; unknown ones are refused with the nearest known name, and metrics that the
 * objective cannot be measured by too (auc with regression, aft-nloglik elsewhere).  `objective`
 * NULL: no such check, parameters have their defaults. */
bool boost_metric_parse(Str name, const ObjectiveParams *objective, BoostMetric *ret_metric,
                        Error *err);

/* Its value over margins (n_rows x n_groups) of the model's objective; NaN where it is undefined (auc
 * of one class).  Reductions are in chunk order: the same bits on any number of threads. */
bool boost_metric_value(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                        const float *margins, Pool *pool, double *ret_value, Error *err);

extern const char *const boost_metric_names[]; /* without '@'; NULL-terminated */

#endif
