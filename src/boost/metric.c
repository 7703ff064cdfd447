/* Evaluation metrics: one table of names, and the parsing of them.
 *
 * XGBoost's metrics see the objective's outputs (for multi:softmax the probabilities).  Values are
 * single precision a row, as XGBoost's own, and sums are in double, in chunk order. */

#include "boost/metric_kind.h"

#include <stdio.h>
#include <string.h>

static const MetricSpec specs[] = {
    {"rmse", METRIC_RMSE, .value = metric_elementwise},
    {"rmsle", METRIC_RMSLE, .value = metric_elementwise},
    {"mae", METRIC_MAE, .value = metric_elementwise},
    {"logloss", METRIC_LOGLOSS, .value = metric_elementwise},
    {"error", METRIC_ERROR, .argument = true, .value = metric_elementwise},
    {"mlogloss", METRIC_MLOGLOSS, .value = metric_multiclass},
    {"merror", METRIC_MERROR, .value = metric_multiclass},
    {"auc", METRIC_AUC, .maximize = true, .value = metric_auc},
};

bool boost_metric_parse(Str name, const ObjectiveParams *objective, BoostMetric *ret_metric, Error *err)
{
    (void)objective;
    Str word = str_slice(name, 0, str_find(name, '@'));
    const MetricSpec *spec = NULL;
    for (size_t i = 0; i < COUNT(specs); i++)
        if (str_is(word, specs[i].name)) spec = &specs[i];
    if (!spec) {
        Str names[COUNT(specs)];
        for (size_t i = 0; i < COUNT(specs); i++) names[i] = str_of(specs[i].name);
        int near = str_nearest(word, names, COUNT(specs));
        return error_set(err, ERROR_INVALID, "unknown metric '%.*s'%s%s%s", STR_ARG(name),
                         near < 0 ? "" : "; did you mean '", near < 0 ? "" : specs[near].name,
                         near < 0 ? "" : "'?");
    }
    BoostMetric metric = {.kind = (int)(spec - specs), .maximize = spec->maximize};
    snprintf(metric.name, sizeof metric.name, "%.*s", STR_ARG(name));
    if (word.len < name.len) {
        Str text = str_from(name, word.len + 1);
        if (!spec->argument)
            return error_set(err, ERROR_INVALID, "metric '%s' takes nothing after '@', but it says '%.*s'",
                             spec->name, STR_ARG(name));
        if (!str_to_double(text, &metric.argument))
            return error_set(err, ERROR_INVALID, "metric '%.*s': '%.*s' is not a number", STR_ARG(name),
                             STR_ARG(text));
        metric.has_argument = true;
    }
    *ret_metric = metric;
    return true;
}

const MetricSpec *metric_spec(const BoostMetric *metric)
{
    return &specs[metric->kind];
}

bool boost_metric_value(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                        const float *margins, Pool *pool, double *ret_value, Error *err)
{
    return specs[metric->kind].value(metric, model, labels, margins, pool, ret_value, err);
}
