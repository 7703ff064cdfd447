#ifndef CLARY_BOOST_METRIC_KIND_H
#define CLARY_BOOST_METRIC_KIND_H

/* What metrics look like inside; only metric*.c include it. */

#include "boost/metric.h"

typedef enum MetricKind {
    METRIC_RMSE,
    METRIC_RMSLE,
    METRIC_MAE,
    METRIC_LOGLOSS,
    METRIC_ERROR,
    METRIC_MLOGLOSS,
    METRIC_MERROR,
    METRIC_AUC,
} MetricKind;

typedef bool MetricFunction(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                            const float *margins, Pool *pool, double *ret_value, Error *err);

typedef struct MetricSpec {
    const char *name;
    MetricKind kind;
    bool argument; /* takes a number after '@' */
    bool maximize;
    MetricFunction *value;
} MetricSpec;

const MetricSpec *metric_spec(const BoostMetric *metric);

MetricFunction metric_elementwise, metric_multiclass, metric_auc;

#endif
