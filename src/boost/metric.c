/* Evaluation metrics: one table of names, and the parsing of them. */

#include "boost/metric.h"

#include "boost/metric_kind.h"
#include "boost/objective_spec.h"
#include "boost/rank.h"
#include "boost/survival.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LABELS(name, kind)                                                                         \
    {                                                                                              \
        name, kind, NEEDS_LABELS, metric_labels, ARGUMENT_NONE, true                               \
    }
#define TWO_LABELS(name, kind)                                                                     \
    {                                                                                              \
        name, kind, NEEDS_TWO_LABELS, metric_labels, ARGUMENT_NONE, true                           \
    }
#define ROWS(name, kind)                                                                           \
    {                                                                                              \
        name, kind, NEEDS_ONE_OUTPUT, metric_elementwise, ARGUMENT_NONE, false                     \
    }

static const MetricSpec specs[] = {
    ROWS("rmse", METRIC_RMSE),
    ROWS("rmsle", METRIC_RMSLE),
    ROWS("mae", METRIC_MAE),
    ROWS("mape", METRIC_MAPE),
    ROWS("mphe", METRIC_MPHE),
    ROWS("logloss", METRIC_LOGLOSS),
    {"error", METRIC_ERROR, NEEDS_ONE_OUTPUT, metric_elementwise, ARGUMENT_NUMBER, false},
    ROWS("poisson-nloglik", METRIC_POISSON),
    ROWS("gamma-nloglik", METRIC_GAMMA),
    ROWS("gamma-deviance", METRIC_GAMMA_DEVIANCE),
    {"tweedie-nloglik", METRIC_TWEEDIE, NEEDS_ONE_OUTPUT, metric_elementwise, ARGUMENT_NUMBER,
     false},
    {"quantile", METRIC_QUANTILE, NEEDS_QUANTILES, metric_elementwise, ARGUMENT_NONE, false},
    ROWS("mse", METRIC_MSE),
    {"r2", METRIC_R2, NEEDS_ONE_OUTPUT, metric_r2, ARGUMENT_NONE, true},
    {"mlogloss", METRIC_MLOGLOSS, NEEDS_CLASSES, metric_multiclass, ARGUMENT_NONE, false},
    {"merror", METRIC_MERROR, NEEDS_CLASSES, metric_multiclass, ARGUMENT_NONE, false},
    {"auc", METRIC_AUC, NEEDS_SCORES, metric_auc, ARGUMENT_NONE, true},
    {"aucpr", METRIC_AUCPR, NEEDS_SCORES, metric_auc, ARGUMENT_NONE, true},
    {"ndcg", METRIC_NDCG, NEEDS_ONE_OUTPUT, metric_rank, ARGUMENT_TOP, true},
    {"map", METRIC_MAP, NEEDS_ONE_OUTPUT, metric_rank, ARGUMENT_TOP, true},
    {"pre", METRIC_PRE, NEEDS_ONE_OUTPUT, metric_rank, ARGUMENT_TOP, true},
    {"cox-nloglik", METRIC_COX, NEEDS_COX, metric_cox, ARGUMENT_NONE, false},
    {"aft-nloglik", METRIC_AFT, NEEDS_AFT, metric_elementwise, ARGUMENT_NONE, false},
    {"interval-regression-accuracy", METRIC_INTERVAL, NEEDS_AFT, metric_elementwise, ARGUMENT_NONE,
     true},
    LABELS("accuracy", METRIC_ACCURACY),
    LABELS("balanced_accuracy", METRIC_BALANCED_ACCURACY),
    LABELS("f1", METRIC_F1_MACRO),
    LABELS("f1_macro", METRIC_F1_MACRO),
    TWO_LABELS("f1_binary", METRIC_F1_BINARY),
    TWO_LABELS("precision", METRIC_PRECISION_BINARY),
    LABELS("precision_macro", METRIC_PRECISION_MACRO),
    LABELS("precision_micro", METRIC_PRECISION_MICRO),
    TWO_LABELS("recall", METRIC_RECALL_BINARY),
    LABELS("recall_macro", METRIC_RECALL_MACRO),
    LABELS("recall_micro", METRIC_RECALL_MICRO),
};

const char *const boost_metric_names[] = {
    "rmse",
    "rmsle",
    "mae",
    "mape",
    "mphe",
    "logloss",
    "error",
    "poisson-nloglik",
    "gamma-nloglik",
    "gamma-deviance",
    "tweedie-nloglik",
    "quantile",
    "mse",
    "r2",
    "mlogloss",
    "merror",
    "auc",
    "aucpr",
    "ndcg",
    "map",
    "pre",
    "cox-nloglik",
    "aft-nloglik",
    "interval-regression-accuracy",
    "accuracy",
    "balanced_accuracy",
    "f1",
    "f1_macro",
    "f1_binary",
    "precision",
    "precision_macro",
    "precision_micro",
    "recall",
    "recall_macro",
    "recall_micro",
    NULL,
};

MetricKind metric_kind(const BoostMetric *metric)
{
    return specs[metric->kind].kind;
}

void metric_outputs(const BoostModel *model, float *margins, size_t n)
{
    const ObjectiveSpec *spec = objective_spec(model->objective);
    int32_t width;
    if (spec && spec->labels == LABEL_CLASS)
        softmax_rows(margins, n, model->n_groups);
    else if (!spec || spec->labels != LABEL_BOUNDS)
        objective_transform(model, margins, (int64_t)n, &width);
}

/* NULL, or what the metric is for when it cannot measure the objective. */
static const char *mismatch(const MetricSpec *spec, const ObjectiveParams *objective)
{
    const ObjectiveSpec *of = objective_spec(objective->name);
    if (!of) return NULL;
    bool classes = of->labels == LABEL_CLASS;
    bool labels = classes || of->labels == LABEL_UNIT;
    bool one_output = !classes && objective->n_quantiles < 2;
    switch (spec->needs) {
    case NEEDS_ONE_OUTPUT:
        return one_output ? NULL
               : classes  ? "objectives of one output; mlogloss and merror measure classes"
                          : "objectives of one output; quantile measures several";
    case NEEDS_CLASSES: return classes ? NULL : "multi:softmax and multi:softprob";
    case NEEDS_SCORES:
        return labels || of->gradients == rank_gradients ? NULL : "classification and ranking";
    case NEEDS_LABELS: return labels ? NULL : "classification";
    case NEEDS_TWO_LABELS:
        if (classes && objective->n_classes > 2)
            return "two classes (Target is multiclass but average='binary'); the _macro and _micro "
                   "forms measure more";
        return labels ? NULL : "classification";
    case NEEDS_QUANTILES: return objective->n_quantiles > 0 ? NULL : "reg:quantileerror";
    case NEEDS_COX: return of->gradients == cox_gradients ? NULL : "survival:cox";
    case NEEDS_AFT: return of->gradients == aft_gradients ? NULL : "survival:aft";
    }
    return NULL;
}

static bool parse_argument(const MetricSpec *spec, Str name, Str text, BoostMetric *metric,
                           Error *err)
{
    if (spec->argument == ARGUMENT_NONE)
        return error_set(err, ERROR_INVALID,
                         "metric '%s' takes nothing after '@', but it says '%.*s'", spec->name,
                         STR_ARG(name));
    int64_t top;
    bool good = spec->argument == ARGUMENT_TOP ? str_to_int64(text, &top) && top >= 1
                                               : str_to_double(text, &metric->argument);
    if (!good)
        return error_set(err, ERROR_INVALID, "metric '%.*s': '%.*s' is not a %snumber",
                         STR_ARG(name), STR_ARG(text),
                         spec->argument == ARGUMENT_TOP ? "whole positive " : "");
    if (spec->argument == ARGUMENT_TOP) metric->top = top;
    if (spec->kind == METRIC_TWEEDIE && !(metric->argument >= 1 && metric->argument < 2))
        return error_set(err, ERROR_INVALID,
                         "tweedie variance power must be in interval [1, 2); it is %g",
                         metric->argument);
    metric->has_argument = true;
    return true;
}

bool boost_metric_parse(Str name, const ObjectiveParams *objective, BoostMetric *ret_metric,
                        Error *err)
{
    BoostMetric metric = {
        .top = RANK_TOP_DEFAULT,
        .tweedie_variance_power = 1.5,
        .aft_scale = 1,
        .huber_slope = 1,
    };
    Str word = name, text = {0};
    bool at = str_find(name, '@') < name.len;
    if (at) {
        word = str_slice(name, 0, str_find(name, '@'));
        text = str_from(name, word.len + 1);
    }
    Str *last = at ? &text : &word;
    bool minus = last->len > 1 && last->ptr[last->len - 1] == '-';
    if (minus) last->len--;

    const MetricSpec *spec = NULL;
    for (size_t i = 0; i < COUNT(specs); i++)
        if (str_is(word, specs[i].name)) spec = &specs[i];
    if (!spec || (minus && spec->argument != ARGUMENT_TOP)) {
        Str names[COUNT(specs)];
        for (size_t i = 0; i < COUNT(specs); i++) names[i] = str_of(specs[i].name);
        int near = str_nearest(word, names, COUNT(specs));
        return error_set(err, ERROR_INVALID, "unknown metric '%.*s'%s%s%s", STR_ARG(name),
                         near < 0 ? "" : "; did you mean '", near < 0 ? "" : specs[near].name,
                         near < 0 ? "" : "'?");
    }
    metric.kind = (int)(spec - specs);
    metric.minus = minus;
    metric.maximize = spec->maximize;
    if (objective) {
        const char *wanted = mismatch(spec, objective);
        if (wanted)
            return error_set(err, ERROR_INVALID,
                             "metric '%.*s' cannot measure objective '%.*s': it is for %s",
                             STR_ARG(name), STR_ARG(objective->name), wanted);
        const ObjectiveSpec *of = objective_spec(objective->name);
        if (of && of->loss == LOSS_TWEEDIE)
            metric.tweedie_variance_power = objective->tweedie_variance_power;
        if (of && of->loss == LOSS_PSEUDO_HUBER) metric.huber_slope = objective->huber_slope;
        if (of && of->gradients == aft_gradients) {
            metric.aft_scale = objective->aft_scale;
            metric.aft_distribution = (int)aft_distribution(objective->aft_distribution);
        }
        if (of && of->gradients == rank_gradients) {
            metric.top = str_is(objective->lambdarank_pair_method, "mean") ? INT64_MAX
                         : objective->lambdarank_num_pair ? objective->lambdarank_num_pair
                                                          : RANK_TOP_DEFAULT;
        }
        metric.linear_gain = of && of->gradients == rank_gradients && !objective->ndcg_exp_gain;
        metric.quantile_alpha = objective->quantile_alpha;
        metric.n_quantiles = objective->n_quantiles;
    }
    if (at && !parse_argument(spec, name, text, &metric, err)) return false;
    if (spec->kind == METRIC_TWEEDIE && metric.has_argument)
        metric.tweedie_variance_power = metric.argument;
    if (name.len >= sizeof metric.name)
        return error_set(err, ERROR_INVALID, "the name of metric '%.*s' is too long",
                         STR_ARG(name));

    /* As XGBoost prints them. */
    snprintf(metric.name, sizeof metric.name, "%.*s", STR_ARG(name));
    if (spec->kind == METRIC_ERROR && metric.has_argument && (float)metric.argument == 0.5f)
        snprintf(metric.name, sizeof metric.name, "error");
    if (spec->kind == METRIC_TWEEDIE)
        snprintf(metric.name, sizeof metric.name, "tweedie-nloglik@%g",
                 metric.tweedie_variance_power);
    *ret_metric = metric;
    return true;
}

bool boost_metric_value(const BoostMetric *metric, const BoostModel *model, const Labels *labels,
                        const float *margins, Pool *pool, double *ret_value, Error *err)
{
    if (labels->n_rows == 0) {
        *ret_value = NAN;
        return true;
    }
    return specs[metric->kind].value(metric, model, labels, margins, pool, ret_value, err);
}
