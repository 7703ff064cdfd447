#ifndef CLARY_BOOST_METRIC_KIND_H
#define CLARY_BOOST_METRIC_KIND_H

/* What metrics look like inside; only metric*.c include it. */

#include "boost/metric.h"

typedef enum MetricKind {
    METRIC_RMSE,
    METRIC_RMSLE,
    METRIC_MAE,
    METRIC_MAPE,
    METRIC_MPHE,
    METRIC_LOGLOSS,
    METRIC_ERROR,
    METRIC_POISSON,
    METRIC_GAMMA,
    METRIC_GAMMA_DEVIANCE,
    METRIC_TWEEDIE,
    METRIC_QUANTILE,
    METRIC_MSE,
    METRIC_R2,
    METRIC_MLOGLOSS,
    METRIC_MERROR,
    METRIC_AUC,
    METRIC_AUCPR,
    METRIC_NDCG,
    METRIC_MAP,
    METRIC_PRE,
    METRIC_COX,
    METRIC_AFT,
    METRIC_INTERVAL,
    METRIC_ACCURACY,
    METRIC_BALANCED_ACCURACY,
    METRIC_F1_MACRO,
    METRIC_F1_BINARY,
    METRIC_PRECISION_BINARY,
    METRIC_PRECISION_MACRO,
    METRIC_PRECISION_MICRO,
    METRIC_RECALL_BINARY,
    METRIC_RECALL_MACRO,
    METRIC_RECALL_MICRO,
} MetricKind;

/* Which objectives a metric can measure. */
typedef enum MetricNeeds {
    NEEDS_ONE_OUTPUT, /* a row */
    NEEDS_CLASSES,    /* multi:* */
    NEEDS_SCORES,     /* binary:*, multi:*, rank:*, reg:logistic */
    NEEDS_LABELS,     /* binary:*, multi:*, reg:logistic: a class is predicted */
    NEEDS_TWO_LABELS, /* of those, at most two classes */
    NEEDS_QUANTILES,
    NEEDS_COX,
    NEEDS_AFT,
} MetricNeeds;

typedef enum MetricArgument { ARGUMENT_NONE, ARGUMENT_NUMBER, ARGUMENT_TOP } MetricArgument;

typedef bool MetricFunction(const BoostMetric *metric, const BoostModel *model,
                            const Labels *labels, const float *margins, Pool *pool,
                            double *ret_value, Error *err);

typedef struct MetricSpec {
    const char *name;
    MetricKind kind;
    MetricNeeds needs;
    MetricFunction *value;
    MetricArgument argument; /* what may follow '@' */
    bool maximize;
} MetricSpec;

MetricKind metric_kind(const BoostMetric *metric);

/* What XGBoost's metrics look at: the objective's outputs, the probabilities of multi:softmax, and
 * the margins of survival:aft.  In place, over n rows. */
void metric_outputs(const BoostModel *model, float *margins, size_t n);

MetricFunction metric_elementwise, metric_multiclass, metric_r2, metric_auc, metric_rank,
    metric_cox;
MetricFunction metric_labels;

#endif
