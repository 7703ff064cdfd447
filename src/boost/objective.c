/* Objectives: one table, and what all of them share.
 *
 * Elementwise losses run through loss.c; ranking is in rank.c, survival in survival.c.  Definitions
 * and constants are those of XGBoost 3, checked against the package (tests/golden/boost). */

#include "boost/objective_spec.h"

#include "base/memory.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef bool Gradients(Objective *, const Labels *, const float *, int64_t, Pool *, float *, Error *);

static Gradients elementwise, softmax;

#define UNIT "label must be in [0,1] for logistic regression"
#define CLASS "SoftmaxMultiClassObj: label must be in [0, num_class)"

static const ObjectiveSpec specs[] = {
    {"reg:squarederror", LINK_IDENTITY, LABEL_ANY, NULL, BASE_MEAN, "rmse", true, LOSS_SQUARED, elementwise},
    {"reg:linear", LINK_IDENTITY, LABEL_ANY, NULL, BASE_MEAN, "rmse", true, LOSS_SQUARED, elementwise},
    {"reg:squaredlogerror", LINK_IDENTITY, LABEL_ABOVE_MINUS_ONE,
     "label must be greater than -1 for rmsle so that log(label + 1) can be valid.", BASE_NEWTON,
     "rmsle", true, LOSS_SQUARED_LOG, elementwise},
    {"reg:logistic", LINK_LOGIT, LABEL_UNIT, UNIT, BASE_MEAN, "rmse", true, LOSS_LOGISTIC, elementwise},
    {"reg:pseudohubererror", LINK_IDENTITY, LABEL_ANY, NULL, BASE_NEWTON, "mphe", false,
     LOSS_PSEUDO_HUBER, elementwise},
    {"binary:logistic", LINK_LOGIT, LABEL_UNIT, UNIT, BASE_MEAN, "logloss", true, LOSS_LOGISTIC, elementwise},
    {"binary:logitraw", LINK_LOGIT, LABEL_UNIT, UNIT, BASE_MEAN, "logloss", true, LOSS_LOGISTIC, elementwise},
    {"multi:softmax", LINK_ARGMAX, LABEL_CLASS, CLASS, BASE_HALF, "mlogloss", false, 0, softmax},
    {"multi:softprob", LINK_SOFTMAX, LABEL_CLASS, CLASS, BASE_HALF, "mlogloss", false, 0, softmax},
};

enum { N_SPECS = COUNT(specs) };

const char *const objective_names[] = {
    "reg:squarederror", "reg:linear", "reg:squaredlogerror", "reg:logistic", "reg:pseudohubererror",
    "binary:logistic", "binary:logitraw", "multi:softmax", "multi:softprob", NULL,
};

const ObjectiveSpec *objective_spec(Str name)
{
    for (size_t i = 0; i < N_SPECS; i++)
        if (str_is(name, specs[i].name)) return &specs[i];
    return NULL;
}

bool objective_new(const ObjectiveParams *params, Objective **ret_objective, Error *err)
{
    const ObjectiveSpec *spec = objective_spec(params->name);
    if (!spec) {
        Str names[N_SPECS];
        for (size_t i = 0; i < N_SPECS; i++) names[i] = str_of(specs[i].name);
        int near = str_nearest(params->name, names, N_SPECS);
        return error_set(err, ERROR_INVALID, "unknown objective '%.*s'%s%s%s", STR_ARG(params->name),
                         near < 0 ? "" : "; did you mean '", near < 0 ? "" : specs[near].name,
                         near < 0 ? "" : "'?");
    }
    bool multi = spec->labels == LABEL_CLASS;
    if (multi && params->n_classes < 2)
        return error_set(err, ERROR_INVALID,
                         "objective '%s' needs num_class, the number of classes (2 or more); it is %d",
                         spec->name, params->n_classes);

    Objective *objective = calloc(1, sizeof *objective);
    if (!objective) memory_exhausted(sizeof *objective);
    objective->spec = spec;
    objective->params = *params;
    objective->params.name = arena_str(&objective->arena, params->name);
    objective->params.aft_distribution = arena_str(&objective->arena, params->aft_distribution);
    objective->params.lambdarank_pair_method =
        arena_str(&objective->arena, params->lambdarank_pair_method);
    objective->n_groups = multi ? params->n_classes : 1;
    snprintf(objective->metric, sizeof objective->metric, "%s", spec->metric);
    *ret_objective = objective;
    return true;
}

void objective_free(Objective *objective)
{
    if (!objective) return;
    data_free(objective->workspace);
    arena_clear(&objective->arena);
    free(objective);
}

int32_t objective_groups(const Objective *objective)
{
    return objective->n_groups;
}

const char *objective_default_metric(const Objective *objective)
{
    return objective->metric;
}

/* ---- labels ---- */

static bool label_is_fine(const Objective *objective, float y)
{
    switch (objective->spec->labels) {
    case LABEL_UNIT: return y >= 0 && y <= 1;
    case LABEL_NOT_NEGATIVE: return y >= 0;
    case LABEL_ABOVE_MINUS_ONE: return y > -1;
    case LABEL_CLASS: return y >= 0 && y < (float)objective->n_groups;
    case LABEL_BINARY: return y == 0 || y == 1;
    default: return true;
    }
}

bool objective_check(const Objective *objective, const Labels *labels, Error *err)
{
    if (labels->n_rows == 0) return error_set(err, ERROR_INVALID, "label set cannot be empty");
    bool finite_needed = objective->spec->labels != LABEL_BOUNDS;
    for (int64_t i = 0; i < labels->n_rows; i++) {
        float y = labels->label[i];
        if (!label_is_fine(objective, y))
            return error_set(err, ERROR_INVALID, "%s: row %lld has %g", objective->spec->label_error,
                             (long long)i + 1, (double)y);
        if (finite_needed && !isfinite(y))
            return error_set(err, ERROR_INVALID, "the label of row %lld is %g: labels must be finite numbers",
                             (long long)i + 1, (double)y);
    }
    return true;
}

/* ---- gradients ---- */

static void loss_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    loss_gradients(arg, begin, end);
}

static bool elementwise(Objective *objective, const Labels *labels, const float *margins,
                        int64_t round, Pool *pool, float *gh, Error *err)
{
    (void)round, (void)err;
    const ObjectiveParams *params = &objective->params;
    LossArgs args = {
        .kind = objective->spec->loss,
        .margin = margins,
        .label = labels->label,
        .weight = labels->weight,
        .scale_positive = objective->spec->scale_positive ? (float)params->scale_pos_weight : 1,
        .gh = gh,
    };
    if (args.kind == LOSS_POISSON) args.shape = (float)params->max_delta_step;
    if (args.kind == LOSS_TWEEDIE) args.shape = (float)params->tweedie_variance_power;
    if (args.kind == LOSS_PSEUDO_HUBER) args.shape = (float)params->huber_slope;
    parallel_for(pool, (size_t)labels->n_rows, LOSS_GRAIN, loss_chunk, &args);
    return true;
}

static void softmax_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    softmax_gradients(arg, begin, end);
}

static bool softmax(Objective *objective, const Labels *labels, const float *margins, int64_t round,
                    Pool *pool, float *gh, Error *err)
{
    (void)round, (void)err;
    SoftmaxArgs args = {margins, labels->label, labels->weight, objective->n_groups, gh};
    size_t grain = (size_t)MAX(LOSS_GRAIN / objective->n_groups, 1);
    parallel_for(pool, (size_t)labels->n_rows, grain, softmax_chunk, &args);
    return true;
}

bool objective_gradients(Objective *objective, const Labels *labels, const float *margins,
                         int64_t round, Pool *pool, float *gh, Error *err)
{
    return objective->spec->gradients(objective, labels, margins, round, pool, gh, err);
}

double objective_leaf_quantile(const Objective *objective, int32_t group)
{
    (void)group;
    return objective->spec->base == BASE_QUANTILE ? 0.5 : 0;
}

/* ---- the constant ---- */

double objective_base_to_margin(const Objective *objective, double base_score)
{
    switch (objective->spec->link) {
    case LINK_LOGIT: return -log(1 / base_score - 1);
    case LINK_LOG: return log(base_score);
    default: return base_score;
    }
}

static double mean_label(const Labels *labels)
{
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < labels->n_rows; i++) {
        double w = labels->weight ? (double)labels->weight[i] : 1;
        sum += w * (double)labels->label[i];
        weights += w;
    }
    return sum / weights;
}

double objective_estimate_base(const Objective *objective, const Labels *labels, Pool *pool)
{
    (void)pool;
    switch (objective->spec->base) {
    case BASE_MEAN: {
        double mean = mean_label(labels);
        if (objective->spec->link == LINK_LOGIT) mean = fmin(fmax(mean, 1e-6), 1 - 1e-6);
        return mean;
    }
    case BASE_ZERO: return 0;
    default: return 0.5;
    }
}

/* ---- outputs ---- */

void objective_transform(const BoostModel *model, float *margins, int64_t n_rows, int32_t *ret_width)
{
    const ObjectiveSpec *spec = objective_spec(model->objective);
    size_t n = (size_t)n_rows, width = (size_t)model->n_groups;
    *ret_width = model->n_groups;
    switch (spec ? spec->link : LINK_IDENTITY) {
    case LINK_LOGIT:
        if (strcmp(spec->name, "binary:logitraw") != 0) lanes_sigmoid(margins, n * width);
        break;
    case LINK_LOG: lanes_exp(margins, n * width); break;
    case LINK_SIGN:
        for (size_t i = 0; i < n * width; i++) margins[i] = margins[i] > 0;
        break;
    case LINK_SOFTMAX: softmax_rows(margins, n, model->n_groups); break;
    case LINK_ARGMAX:
        for (size_t i = 0; i < n; i++) {
            const float *m = margins + i * width;
            size_t best = 0;
            for (size_t k = 1; k < width; k++)
                if (m[k] > m[best]) best = k;
            margins[i] = (float)best;
        }
        *ret_width = 1;
        break;
    case LINK_IDENTITY: break;
    }
}

/* ---- the model's parameters ---- */

static void describe(BoostModel *model, const char *name, const char *format, ...) PRINTF_LIKE(3, 4);

static void describe(BoostModel *model, const char *name, const char *format, ...)
{
    char text[128];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    size_t n = (size_t)model->n_objective;
    model->objective_names = arena_grow(&model->arena, model->objective_names, n, n + 1, sizeof(Str));
    model->objective_values = arena_grow(&model->arena, model->objective_values, n, n + 1, sizeof(Str));
    model->objective_names[n] = arena_str(&model->arena, str_of(name));
    model->objective_values[n] = arena_str(&model->arena, str_of(text));
    model->n_objective++;
}

void objective_describe(const Objective *objective, BoostModel *model)
{
    const ObjectiveParams *params = &objective->params;
    model->objective = arena_str(&model->arena, str_of(objective->spec->name));
    model->n_groups = objective->n_groups;
    model->n_classes = objective->spec->labels == LABEL_CLASS ? objective->n_groups : 0;
    model->n_objective = 0;
    if (objective->spec->labels == LABEL_CLASS) describe(model, "num_class", "%d", objective->n_groups);
    if (objective->spec->scale_positive)
        describe(model, "scale_pos_weight", "%.9g", (double)(float)params->scale_pos_weight);
}
