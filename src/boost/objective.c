/* Objectives: one table, and what all of them share.
 *
 * Elementwise losses run through loss.c; ranking is in rank.c, survival in survival.c.  Definitions
 * and constants are those of XGBoost 3, checked against the package (tests/golden/boost). */

#include "boost/objective.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "boost/objective_spec.h"
#include "boost/sort.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static GradientFunction elementwise, quantile, softmax;

#define UNIT "label must be in [0,1] for logistic regression"
#define COUNTS "label must be non-negative for Poisson/Tweedie regression"
#define CLASS "SoftmaxMultiClassObj: label must be in [0, num_class)"

/* Name, link, labels and what is said of wrong ones, start, metric, whether scale_pos_weight applies, loss,
 * gradients. */
static const ObjectiveSpec specs[] = {
    {"reg:squarederror", LINK_IDENTITY, LABEL_ANY, NULL, BASE_MEAN, "rmse", true, LOSS_SQUARED,
     elementwise},
    {"reg:squaredlogerror", LINK_IDENTITY, LABEL_ABOVE_MINUS_ONE,
     "label must be greater than -1 for rmsle so that log(label + 1) can be valid", BASE_NEWTON,
     "rmsle", false, LOSS_SQUARED_LOG, elementwise},
    {"reg:logistic", LINK_LOGIT, LABEL_UNIT, UNIT, BASE_MEAN, "rmse", true, LOSS_LOGISTIC,
     elementwise},
    {"reg:pseudohubererror", LINK_IDENTITY, LABEL_ANY, NULL, BASE_NEWTON, "mphe", false,
     LOSS_PSEUDO_HUBER, elementwise},
    {"reg:absoluteerror", LINK_IDENTITY, LABEL_ANY, NULL, BASE_QUANTILE, "mae", false,
     LOSS_ABSOLUTE, elementwise},
    {"reg:quantileerror", LINK_IDENTITY, LABEL_ANY, NULL, BASE_QUANTILE, "quantile", false,
     LOSS_ABSOLUTE, quantile},
    {"reg:gamma", LINK_LOG, LABEL_POSITIVE, "label must be positive for gamma regression",
     BASE_MEAN, "gamma-deviance", true, LOSS_GAMMA, elementwise},
    {"reg:tweedie", LINK_LOG, LABEL_NOT_NEGATIVE, COUNTS, BASE_MEAN, "tweedie-nloglik", false,
     LOSS_TWEEDIE, elementwise},
    {"count:poisson", LINK_LOG, LABEL_NOT_NEGATIVE, COUNTS, BASE_MEAN, "poisson-nloglik", false,
     LOSS_POISSON, elementwise},
    {"binary:logistic", LINK_LOGIT, LABEL_UNIT, UNIT, BASE_MEAN, "logloss", true, LOSS_LOGISTIC,
     elementwise},
    /* XGBoost takes its base score as a margin. */
    {"binary:logitraw", LINK_IDENTITY, LABEL_UNIT, UNIT, BASE_MEAN, "logloss", true, LOSS_LOGISTIC,
     elementwise},
    {"binary:hinge", LINK_SIGN, LABEL_UNIT, "label must be in [0,1] for hinge loss", BASE_NEWTON,
     "error", false, LOSS_HINGE, elementwise},
    {"multi:softmax", LINK_ARGMAX, LABEL_CLASS, CLASS, BASE_HALF, "mlogloss", false, 0, softmax},
    {"multi:softprob", LINK_SOFTMAX, LABEL_CLASS, CLASS, BASE_HALF, "mlogloss", false, 0, softmax},
    {"rank:pairwise", LINK_IDENTITY, LABEL_ANY, NULL, BASE_ZERO, "ndcg", false, 0, rank_gradients},
    {"rank:ndcg", LINK_IDENTITY, LABEL_RELEVANCE, NULL, BASE_ZERO, "ndcg", false, 0,
     rank_gradients},
    {"rank:map", LINK_IDENTITY, LABEL_BINARY, "map can only be used with binary labels", BASE_ZERO,
     "map", false, 0, rank_gradients},
    {"survival:cox", LINK_LOG, LABEL_ANY, NULL, BASE_NEWTON, "cox-nloglik", false, 0,
     cox_gradients},
    {"survival:aft", LINK_LOG, LABEL_BOUNDS, NULL, BASE_HALF, "aft-nloglik", false, 0,
     aft_gradients},
};

enum { N_SPECS = COUNT(specs) };

const char *const objective_names[] = {
    "reg:squarederror",  "reg:squaredlogerror", "reg:logistic",    "reg:pseudohubererror",
    "reg:absoluteerror", "reg:quantileerror",   "reg:gamma",       "reg:tweedie",
    "count:poisson",     "binary:logistic",     "binary:logitraw", "binary:hinge",
    "multi:softmax",     "multi:softprob",      "rank:pairwise",   "rank:ndcg",
    "rank:map",          "survival:cox",        "survival:aft",    NULL,
};

const ObjectiveSpec *objective_spec(Str name)
{
    if (str_is(name, "reg:linear")) name = STR("reg:squarederror"); /* its name before 0.83 */
    for (size_t i = 0; i < N_SPECS; i++)
        if (str_is(name, specs[i].name)) return &specs[i];
    return NULL;
}

static bool check_params(const ObjectiveSpec *spec, const ObjectiveParams *params, Error *err)
{
    double rho = params->tweedie_variance_power;
    if (spec->labels == LABEL_CLASS && params->n_classes < 2)
        return error_set(
            err, ERROR_INVALID,
            "objective '%s' needs num_class, the number of classes (2 or more); it is %d",
            spec->name, params->n_classes);
    if (spec->loss == LOSS_TWEEDIE && !(rho > 1 && rho < 2))
        return error_set(err, ERROR_INVALID,
                         "tweedie_variance_power must be inside (1, 2); it is %g", rho);
    if (spec->loss == LOSS_PSEUDO_HUBER && !(params->huber_slope != 0))
        return error_set(err, ERROR_INVALID, "huber_slope must not be 0");
    if (spec->gradients == aft_gradients && !(params->aft_scale > 0))
        return error_set(err, ERROR_INVALID,
                         "aft_loss_distribution_scale must be above 0; it is %g",
                         params->aft_scale);
    if (spec->gradients == quantile) {
        if (params->n_quantiles < 1)
            return error_set(err, ERROR_INVALID, "objective '%s' needs quantile_alpha, such as 0.5",
                             spec->name);
        for (int32_t k = 0; k < params->n_quantiles; k++)
            if (!(params->quantile_alpha[k] >= 0 && params->quantile_alpha[k] <= 1))
                return error_set(err, ERROR_INVALID,
                                 "quantile_alpha must be inside [0, 1]; it is %g",
                                 params->quantile_alpha[k]);
    }
    return true;
}

/* Ranking is judged at the depth of its pairs, tweedie at its own power. */
static void default_metric(Objective *objective)
{
    const ObjectiveParams *params = &objective->params;
    char *metric = objective->metric;
    size_t size = sizeof objective->metric;
    snprintf(metric, size, "%s", objective->spec->metric);
    if (objective->spec->loss == LOSS_TWEEDIE)
        snprintf(metric, size, "tweedie-nloglik@%g", params->tweedie_variance_power);
    if (objective->spec->gradients == rank_gradients &&
        !str_is(params->lambdarank_pair_method, "mean"))
        snprintf(metric, size, "%s@%lld", objective->spec->metric,
                 params->lambdarank_num_pair ? (long long)params->lambdarank_num_pair : 32);
}

bool objective_new(const ObjectiveParams *params, Objective **ret_objective, Error *err)
{
    const ObjectiveSpec *spec = objective_spec(params->name);
    if (!spec) {
        Str names[N_SPECS];
        for (size_t i = 0; i < N_SPECS; i++) names[i] = str_of(specs[i].name);
        int near = str_nearest(params->name, names, N_SPECS);
        return error_set(err, ERROR_INVALID, "unknown objective '%.*s'%s%s%s",
                         STR_ARG(params->name), near < 0 ? "" : "; did you mean '",
                         near < 0 ? "" : specs[near].name, near < 0 ? "" : "'?");
    }
    if (!check_params(spec, params, err)) return false;

    Objective *objective = calloc(1, sizeof *objective);
    if (!objective) memory_exhausted(sizeof *objective);
    Arena *arena = &objective->arena;
    objective->spec = spec;
    objective->params = *params;
    objective->params.name = str_of(spec->name);
    objective->params.aft_distribution = arena_str(arena, params->aft_distribution);
    objective->params.lambdarank_pair_method = arena_str(arena, params->lambdarank_pair_method);
    objective->n_groups = 1;
    if (spec->labels == LABEL_CLASS) objective->n_groups = params->n_classes;
    if (spec->gradients == quantile) {
        objective->n_groups = params->n_quantiles;
        objective->params.quantile_alpha = arena_grow(arena, params->quantile_alpha,
                                                      (size_t)params->n_quantiles,
                                                      (size_t)params->n_quantiles, sizeof(double));
    }
    default_metric(objective);
    *ret_objective = objective;
    return true;
}

void objective_free(Objective *objective)
{
    if (!objective) return;
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

/* NULL when the label is fine, else XGBoost's sentence. */
static const char *label_complaint(const Objective *objective, float y)
{
    bool fine = true;
    switch (objective->spec->labels) {
    case LABEL_UNIT: fine = y >= 0 && y <= 1; break;
    case LABEL_NOT_NEGATIVE: fine = y >= 0; break;
    case LABEL_POSITIVE: fine = y > 0; break;
    case LABEL_ABOVE_MINUS_ONE: fine = y > -1; break;
    case LABEL_CLASS: fine = y >= 0 && y < (float)objective->n_groups && y == floorf(y); break;
    case LABEL_BINARY: fine = y == 0 || y == 1; break;
    case LABEL_RELEVANCE:
        if (!objective->params.ndcg_exp_gain) break;
        if (!(y >= 0 && y == floorf(y)))
            return "When using relevance degree as target, label must be either 0 or positive integer";
        if (y > 31)
            return "Relevance degrees must be at most 31 when the exponential NDCG gain function is used "
                   "(set ndcg_exp_gain to false for a linear one)";
        break;
    case LABEL_BOUNDS:
    case LABEL_ANY: break;
    }
    return fine ? NULL : objective->spec->label_error;
}

static bool check_bounds(const Labels *labels, Error *err)
{
    for (int64_t i = 0; i < labels->n_rows; i++) {
        double lower = (double)labels->label[i];
        double upper = labels->label_upper ? (double)labels->label_upper[i] : lower;
        if (!(lower >= 0 && lower <= upper && isfinite(lower)))
            return error_set(
                err, ERROR_INVALID,
                "survival:aft needs 0 <= lower bound <= upper bound, the lower one finite: row "
                "%lld has %g and %g",
                (long long)i + 1, lower, upper);
        if (lower == 0 && upper == 0)
            return error_set(err, ERROR_INVALID,
                             "survival:aft takes the logarithm of times: row %lld has the time 0",
                             (long long)i + 1);
    }
    return true;
}

static bool check_weights(const Objective *objective, const Labels *labels, Error *err)
{
    if (!labels->weight) return true;
    bool ranking = objective->spec->gradients == rank_gradients;
    int64_t n = !ranking ? labels->n_rows : labels->group_start ? labels->n_groups : 1;
    for (int64_t i = 0; i < n; i++)
        if (!(labels->weight[i] >= 0 && isfinite(labels->weight[i])))
            return error_set(err, ERROR_INVALID, "Weights must be positive values: %s %lld has %g",
                             ranking ? "group" : "row", (long long)i + 1,
                             (double)labels->weight[i]);
    return true;
}

bool objective_check(const Objective *objective, const Labels *labels, Error *err)
{
    if (labels->n_rows == 0) return error_set(err, ERROR_INVALID, "label set cannot be empty");
    if (!check_weights(objective, labels, err)) return false;
    if (objective->spec->labels == LABEL_BOUNDS) return check_bounds(labels, err);
    for (int64_t i = 0; i < labels->n_rows; i++) {
        float y = labels->label[i];
        if (!isfinite(y))
            return error_set(err, ERROR_INVALID,
                             "the label of row %lld is %g: labels must be finite numbers",
                             (long long)i + 1, (double)y);
        const char *complaint = label_complaint(objective, y);
        if (complaint)
            return error_set(err, ERROR_INVALID, "%s: row %lld has %g", complaint, (long long)i + 1,
                             (double)y);
    }
    return true;
}

/* ---- gradients ---- */

static void loss_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    loss_gradients(arg, begin, end);
}

static LossArgs loss_args(const Objective *objective, const Labels *labels, const float *margins,
                          float *gh)
{
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
    return args;
}

static bool elementwise(Objective *objective, const Labels *labels, const float *margins,
                        int64_t round, Pool *pool, float *gh, Error *err)
{
    (void)round, (void)err;
    LossArgs args = loss_args(objective, labels, margins, gh);
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

typedef struct QuantileArgs {
    const Objective *objective;
    const Labels *labels;
    const float *margins;
    float *gh;
} QuantileArgs;

static void quantile_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    const QuantileArgs *a = arg;
    size_t width = (size_t)a->objective->n_groups;
    for (size_t i = begin; i < end; i++) {
        float y = a->labels->label[i], w = a->labels->weight ? a->labels->weight[i] : 1;
        for (size_t k = 0; k < width; k++) {
            float alpha = (float)a->objective->params.quantile_alpha[k];
            float *gh = a->gh + 2 * (i * width + k);
            gh[0] = (a->margins[i * width + k] >= y ? 1 - alpha : -alpha) * w;
            gh[1] = w;
        }
    }
}

static bool quantile(Objective *objective, const Labels *labels, const float *margins,
                     int64_t round, Pool *pool, float *gh, Error *err)
{
    (void)round, (void)err;
    QuantileArgs args = {objective, labels, margins, gh};
    parallel_for(pool, (size_t)labels->n_rows, LOSS_GRAIN, quantile_chunk, &args);
    return true;
}

bool objective_gradients(Objective *objective, const Labels *labels, const float *margins,
                         int64_t round, Pool *pool, float *gh, Error *err)
{
    return objective->spec->gradients(objective, labels, margins, round, pool, gh, err);
}

double objective_leaf_quantile(const Objective *objective, int32_t group)
{
    if (objective->spec->gradients == quantile) return objective->params.quantile_alpha[group];
    return objective->spec->loss == LOSS_ABSOLUTE && objective->spec->base == BASE_QUANTILE ? 0.5
                                                                                            : 0;
}

/* ---- the constant ---- */

enum { BASE_BLOCK = 1024 };
static const double probability_min = 1e-6; /* keeps the logit finite when all labels are equal */

double objective_base_to_margin(const Objective *objective, double base_score)
{
    switch (objective->spec->link) {
    case LINK_LOGIT: return -log(1 / base_score - 1);
    case LINK_LOG: return log(base_score);
    default: return base_score;
    }
}

static double margin_to_base(const Objective *objective, double margin)
{
    switch (objective->spec->link) {
    case LINK_LOGIT: return 1 / (1 + exp(-margin));
    case LINK_LOG: return exp(margin);
    case LINK_SIGN: return margin > 0;
    default: return margin;
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
    return weights > 0 ? sum / weights : 0;
}

/* One Newton step from margin 0 for all rows together. */
static double newton_step(const Objective *objective, const Labels *labels)
{
    static const float zeros[BASE_BLOCK] = {0};
    UNINITIALIZED float gh[2 * BASE_BLOCK];
    double g = 0, h = 0;
    for (int64_t i = 0; i < labels->n_rows; i += BASE_BLOCK) {
        size_t n = (size_t)MIN((int64_t)BASE_BLOCK, labels->n_rows - i);
        Labels part = {.n_rows = (int64_t)n, .label = labels->label + i};
        if (labels->weight) part.weight = labels->weight + i;
        LossArgs args = loss_args(objective, &part, zeros, gh);
        loss_gradients(&args, 0, n);
        for (size_t k = 0; k < n; k++) {
            g += (double)gh[2 * k];
            h += (double)gh[2 * k + 1];
        }
    }
    return h < 1e-6 ? 0 : -g / h;
}

/* The same for cox, whose rows hang together: only weights make it differ from 0. */
static double cox_step(const Labels *labels)
{
    size_t n = (size_t)labels->n_rows;
    AUTO_DATA float *margins = data_array(float, n, "the start of cox", NULL);
    AUTO_DATA float *gh = data_array(float, 2 * n, "the start of cox", NULL);
    if (!margins || !gh || !cox_gradients(NULL, labels, margins, 0, NULL, gh, NULL)) return 0;
    double g = 0, h = 0;
    for (size_t i = 0; i < n; i++) {
        g += (double)gh[2 * i];
        h += (double)gh[2 * i + 1];
    }
    return h < 1e-6 ? 0 : -g / h;
}

static double label_quantile(const Labels *labels, double alpha)
{
    size_t n = (size_t)labels->n_rows;
    float value = 0;
    if (labels->weight) {
        quantile_weighted(labels->label, labels->weight, n, alpha, &value, NULL);
        return (double)value;
    }
    AUTO_DATA float *copy = data_array(float, n, "the quantile of the labels", NULL);
    if (!copy) return 0;
    memcpy(copy, labels->label, n * sizeof(float));
    return (double)quantile_plain(copy, n, alpha);
}

double objective_estimate_base(const Objective *objective, const Labels *labels, Pool *pool)
{
    (void)pool;
    const ObjectiveSpec *spec = objective->spec;
    double base = 0.5;
    switch (spec->base) {
    case BASE_MEAN:
        base = spec->scale_positive && objective->params.scale_pos_weight != 1
                   ? margin_to_base(objective, newton_step(objective, labels))
                   : mean_label(labels);
        break;
    case BASE_NEWTON:
        base = margin_to_base(objective, spec->gradients == elementwise
                                             ? newton_step(objective, labels)
                                             : cox_step(labels));
        break;
    case BASE_QUANTILE: /* the mean over the outputs: one constant serves all */
        base = 0;
        for (int32_t k = 0; k < objective->n_groups; k++)
            base += label_quantile(labels, objective_leaf_quantile(objective, k)) /
                    objective->n_groups;
        break;
    case BASE_ZERO: base = 0; break;
    case BASE_HALF: break;
    }
    if (spec->link == LINK_LOGIT) base = fmin(fmax(base, probability_min), 1 - probability_min);
    if (spec->link == LINK_LOG) base = fmax(base, probability_min);
    return base;
}

/* Shares of the classes as log odds against their geometric mean. */
static void class_bases(const Objective *objective, const Labels *labels, double *bases)
{
    int32_t n = objective->n_groups;
    double total = 0, mean = 0;
    for (int32_t k = 0; k < n; k++) bases[k] = 0;
    for (int64_t i = 0; i < labels->n_rows; i++) {
        double w = labels->weight ? (double)labels->weight[i] : 1;
        int32_t label = (int32_t)labels->label[i];
        if (label >= 0 && label < n) bases[label] += w;
        total += w;
    }
    for (int32_t k = 0; k < n; k++) {
        bases[k] = log(bases[k] / total + 1e-6);
        mean += bases[k] / n;
    }
    for (int32_t k = 0; k < n; k++) bases[k] -= mean;
}

void objective_estimate_bases(const Objective *objective, const Labels *labels, Pool *pool,
                              double *ret_bases)
{
    if (objective->spec->labels == LABEL_CLASS) {
        class_bases(objective, labels, ret_bases);
        return;
    }
    for (int32_t k = 0; k < objective->n_groups; k++)
        ret_bases[k] = objective->spec->gradients == quantile
                           ? label_quantile(labels, objective->params.quantile_alpha[k])
                           : objective_estimate_base(objective, labels, pool);
}

/* ---- outputs ---- */

void objective_transform(const BoostModel *model, float *margins, int64_t n_rows,
                         int32_t *ret_width)
{
    const ObjectiveSpec *spec = objective_spec(model->objective);
    size_t n = (size_t)n_rows, width = (size_t)model->n_groups;
    *ret_width = model->n_groups;
    switch (spec ? spec->link : LINK_IDENTITY) {
    case LINK_LOGIT: lanes_sigmoid(margins, n * width); break;
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

static void describe(BoostModel *model, const char *name, const char *format, ...)
    PRINTF_LIKE(3, 4);

static void describe(BoostModel *model, const char *name, const char *format, ...)
{
    AUTO_STRBUF StrBuf text = STRBUF(64 * 1024);
    va_list args;
    va_start(args, format);
    strbuf_addv(&text, format, args);
    va_end(args);
    size_t n = (size_t)model->n_objective;
    model->objective_names = arena_grow(&model->arena, model->objective_names, n, n + 1,
                                        sizeof(Str));
    model->objective_values = arena_grow(&model->arena, model->objective_values, n, n + 1,
                                         sizeof(Str));
    model->objective_names[n] = arena_str(&model->arena, str_of(name));
    model->objective_values[n] = arena_str(&model->arena, strbuf_str(&text));
    model->n_objective++;
}

/* "[2E-1,5E-1]", as XGBoost's own lists of numbers. */
static void describe_quantiles(const Objective *objective, BoostModel *model)
{
    AUTO_STRBUF StrBuf text = STRBUF(64 * 1024);
    for (int32_t k = 0; k < objective->n_groups; k++)
        strbuf_addf(&text, "%c%.9gE0", k == 0 ? '[' : ',', objective->params.quantile_alpha[k]);
    strbuf_add_char(&text, ']');
    describe(model, "quantile_alpha", "%s", strbuf_cstr(&text));
}

void objective_describe(const Objective *objective, BoostModel *model)
{
    const ObjectiveParams *params = &objective->params;
    const ObjectiveSpec *spec = objective->spec;
    model->objective = arena_str(&model->arena, str_of(spec->name));
    model->n_groups = objective->n_groups;
    model->n_classes = spec->labels == LABEL_CLASS ? objective->n_groups : 0;
    model->n_objective = 0;
    if (spec->labels == LABEL_CLASS) describe(model, "num_class", "%d", objective->n_groups);
    if (spec->scale_positive ||
        spec->loss == LOSS_SQUARED_LOG) /* 1.7 wants it of the latter, too */
        describe(model, "scale_pos_weight", "%.9g", (double)(float)params->scale_pos_weight);
    if (spec->loss == LOSS_POISSON)
        describe(model, "max_delta_step", "%.9g", (double)(float)params->max_delta_step);
    if (spec->loss == LOSS_TWEEDIE)
        describe(model, "tweedie_variance_power", "%.9g",
                 (double)(float)params->tweedie_variance_power);
    if (spec->loss == LOSS_PSEUDO_HUBER)
        describe(model, "huber_slope", "%.9g", (double)(float)params->huber_slope);
    if (spec->gradients == quantile) describe_quantiles(objective, model);
    if (spec->gradients == aft_gradients) {
        describe(model, "aft_loss_distribution", "%.*s",
                 params->aft_distribution.len ? (int)params->aft_distribution.len : 6,
                 params->aft_distribution.len ? params->aft_distribution.ptr : "normal");
        describe(model, "aft_loss_distribution_scale", "%.9g", (double)(float)params->aft_scale);
    }
    if (spec->gradients == rank_gradients) {
        bool mean = str_is(params->lambdarank_pair_method, "mean");
        describe(model, "lambdarank_bias_norm", "1");
        describe(model, "lambdarank_normalization", "%d", params->lambdarank_normalization);
        describe(model, "lambdarank_num_pair_per_sample", "%lld",
                 params->lambdarank_num_pair ? (long long)params->lambdarank_num_pair : 4294967295);
        describe(model, "lambdarank_pair_method", "%s", mean ? "mean" : "topk");
        describe(model, "lambdarank_score_normalization", "1");
        describe(model, "lambdarank_unbiased", "0");
        describe(model, "ndcg_exp_gain", "%d", params->ndcg_exp_gain);
    }
}
