/* The table of XGBoost's hyperparameters and the rules that span several of them.
 *
 * Source of names, ranges and messages: the open SageMaker XGBoost container; of meanings: XGBoost's
 * parameter documentation. */

#include "algo/xgboost_params.h"

#include "format/json.h"

#include <math.h>

static const char *const boosters[] = {"gbtree", "gblinear", "dart", NULL};
static const char *const tree_methods[] = {"auto", "exact", "approx", "hist", "gpu_hist", NULL};
static const char *const grow_policies[] = {"depthwise", "lossguide", NULL};
static const char *const sampling_methods[] = {"uniform", "gradient_based", NULL};
static const char *const process_types[] = {"default", "update", NULL};
static const char *const splits[] = {"row", "col", NULL};
static const char *const predictors[] = {"auto", "cpu_predictor", "gpu_predictor", NULL};
static const char *const sample_types[] = {"uniform", "weighted", NULL};
static const char *const normalize_types[] = {"tree", "forest", NULL};
static const char *const aft_distributions[] = {"normal", "logistic", "extreme", NULL};
static const char *const pair_methods[] = {"topk", "mean", NULL};
static const char *const feature_selectors[] = {"cyclic", "shuffle", "random",
                                                "greedy", "thrifty", NULL};

#define INT(name, ...) PARAM_INT(#name, XgboostParams, name, __VA_ARGS__)
#define REAL(name, ...) PARAM_REAL(#name, XgboostParams, name, __VA_ARGS__)
#define BOOL(name, ...) PARAM_BOOL(#name, XgboostParams, name, __VA_ARGS__)
#define CHOICE(name, choices, ...) PARAM_CHOICE(#name, XgboostParams, name, choices, __VA_ARGS__)
#define TEXT(name, ...) PARAM_TEXT(#name, XgboostParams, name, .optional = true, __VA_ARGS__)
#define FROM(low) .min = (low), .no_max = true
#define ABOVE(low) .min = (low), .open_min = true, .no_max = true

const Param xgboost_params[] = {
    INT(num_round, FROM(1), .suggest = "100", .tune = {1, 4000, SCALE_LINEAR},
        .help = "boosting rounds"),
    PARAM_TEXT(
        "objective", XgboostParams, objective, .preset = "reg:squarederror",
        .help = "what is minimised: reg:squarederror, reg:logistic, reg:squaredlogerror, "
                "reg:pseudohubererror, reg:absoluteerror, reg:quantileerror, reg:gamma, "
                "reg:tweedie, count:poisson, binary:logistic, binary:logitraw, binary:hinge, "
                "multi:softmax, multi:softprob, rank:pairwise, rank:ndcg, rank:map, "
                "survival:cox or survival:aft"),
    INT(num_class, FROM(2), .optional = true, .help = "number of classes; needed for multi:*"),
    TEXT(eval_metric,
         .help = "metrics to report each round, by commas, e.g. auc,logloss,error@0.7; "
                 "the last one decides early stopping"),
    INT(early_stopping_rounds, FROM(1), .optional = true,
        .help =
            "stop when the last metric on the validation data has not improved for so many rounds, "
            "and keep the best"),
    CHOICE(booster, boosters, .preset = "gbtree",
           .help = "trees, trees with dropout, or a linear model"),
    REAL(eta, .alias = "learning_rate", .max = 1, .optional = true,
         .tune = {0.1, 0.5, SCALE_LINEAR}, .help = "shrinks each step; 0.3, for gblinear 0.5"),
    INT(max_depth, FROM(0), .preset = "6", .tune = {0, 10, SCALE_LINEAR},
        .help = "greatest depth of a tree; 0: no limit"),
    REAL(min_child_weight, FROM(0), .preset = "1", .tune = {0, 120, SCALE_LINEAR},
         .help = "least sum of second derivatives in a child"),
    REAL(gamma, .alias = "min_split_loss", FROM(0), .preset = "0", .tune = {0, 5, SCALE_LINEAR},
         .help = "least gain of a split"),
    REAL(lambda, .alias = "reg_lambda", FROM(0), .optional = true, .tune = {0, 1000, SCALE_LINEAR},
         .help = "L2 penalty on leaf values; 1, for gblinear 0"),
    REAL(alpha, .alias = "reg_alpha", FROM(0), .preset = "0", .tune = {0, 1000, SCALE_LINEAR},
         .help = "L1 penalty on leaf values"),
    REAL(subsample, .max = 1, .open_min = true, .preset = "1", .tune = {0.5, 1, SCALE_LINEAR},
         .help = "share of the rows each tree sees"),
    CHOICE(sampling_method, sampling_methods, .preset = "uniform",
           .help = "how rows are drawn for subsample"),
    REAL(colsample_bytree, .max = 1, .open_min = true, .preset = "1",
         .tune = {0.5, 1, SCALE_LINEAR}, .help = "share of the features each tree may use"),
    REAL(colsample_bylevel, .max = 1, .open_min = true, .preset = "1",
         .tune = {0.1, 1, SCALE_LINEAR}, .help = "share of those for each level"),
    REAL(colsample_bynode, .max = 1, .open_min = true, .preset = "1",
         .tune = {0.1, 1, SCALE_LINEAR}, .help = "share of those for each split"),
    REAL(max_delta_step, FROM(0), .optional = true, .tune = {0, 10, SCALE_LINEAR},
         .help = "bound of a leaf's value; 0: none; count:poisson starts from 0.7"),
    CHOICE(tree_method, tree_methods, .preset = "auto",
           .help = "auto and hist: histograms; exact: every value; approx: a sketch each round"),
    INT(max_bin, FROM(2), .preset = "256", .help = "bins a feature for hist and approx"),
    CHOICE(grow_policy, grow_policies, .preset = "depthwise",
           .help = "level by level, or the best leaf first"),
    INT(max_leaves, FROM(0), .preset = "0", .help = "most leaves of a tree; 0: no limit"),
    INT(num_parallel_tree, FROM(1), .preset = "1", .help = "trees a round (a random forest each)"),
    REAL(scale_pos_weight, ABOVE(0), .preset = "1", .help = "weight of the positive class"),
    REAL(base_score, FROM(0), .optional = true,
         .help = "the prediction all start from; without it, estimated from the labels"),
    TEXT(monotone_constraints,
         .help = "a sign a feature, e.g. (1,0,-1): predictions rise, are free, fall"),
    TEXT(interaction_constraints,
         .help = "features that may stand on one path, e.g. [[0,1],[2,3,4]]"),
    INT(max_cat_to_onehot, FROM(1), .preset = "4",
        .help = "categorical features with fewer categories are split one against the rest"),
    INT(max_cat_threshold, FROM(1), .preset = "64",
        .help = "most categories on one side of a split"),
    REAL(tweedie_variance_power, .min = 1, .max = 2, .open_min = true, .open_max = true,
         .preset = "1.5", .help = "variance power of reg:tweedie"),
    REAL(huber_slope, ABOVE(0), .preset = "1", .help = "delta of reg:pseudohubererror"),
    TEXT(quantile_alpha, .help = "quantiles of reg:quantileerror, e.g. 0.5 or [0.1,0.5,0.9]"),
    CHOICE(aft_loss_distribution, aft_distributions, .preset = "normal",
           .help = "noise of survival:aft"),
    REAL(aft_loss_distribution_scale, FROM(0), .preset = "1", .help = "its scale"),
    CHOICE(lambdarank_pair_method, pair_methods, .preset = "topk",
           .help = "how rank:* draws pairs"),
    INT(lambdarank_num_pair_per_sample, FROM(1), .optional = true,
        .help = "pairs a row (mean) or ranks looked at (topk)"),
    BOOL(lambdarank_normalization, .preset = "true", .help = "normalise the gradients of a query"),
    BOOL(ndcg_exp_gain, .preset = "true", .help = "gain 2^relevance - 1 instead of the relevance"),
    CHOICE(sample_type, sample_types, .preset = "uniform", .help = "dart: how trees are dropped"),
    CHOICE(normalize_type, normalize_types, .preset = "tree",
           .help = "dart: how new trees are weighted"),
    REAL(rate_drop, .max = 1, .preset = "0", .help = "dart: share of the trees dropped in a round"),
    REAL(skip_drop, .max = 1, .preset = "0", .help = "dart: chance of a round without dropping"),
    BOOL(one_drop, .preset = "false", .help = "dart: drop at least one tree"),
    REAL(lambda_bias, .max = 1, .preset = "0", .help = "gblinear: L2 penalty on the bias"),
    CHOICE(feature_selector, feature_selectors, .preset = "cyclic",
           .help = "gblinear: order of the features"),
    INT(top_k, FROM(0), .preset = "0",
        .help = "gblinear: features a round for greedy and thrifty; 0: all"),
    REAL(tolerance, FROM(0), .preset = "0",
         .help = "gblinear: stop when the largest change is below"),
    TEXT(updater, .help = "tree builders by name, e.g. grow_colmaker,prune; refresh or prune for "
                          "process_type update; shotgun or coord_descent for gblinear"),
    CHOICE(process_type, process_types, .preset = "default",
           .help = "grow new trees, or update a model's"),
    BOOL(refresh_leaf, .preset = "true",
         .help = "updater refresh: leaf values too, not only statistics"),
    INT(csv_weights, .max = 1, .preset = "0",
        .help = "1: the second CSV column is the row's weight"),
    INT(seed, .preset = "0", .help = "of all random choices"),
    INT(nthread, FROM(1), .optional = true, .help = "threads; all processors without it"),
    INT(verbosity, .max = 3, .preset = "1", .help = "0 silent to 3 debug"),
    BOOL(save_model_on_termination, .preset = "false", .help = "write the model after each round"),
    REAL(sketch_eps, .max = 1, .open_min = true, .open_max = true, .preset = "0.03",
         .help = "accepted without effect, as in XGBoost"),
    CHOICE(dsplit, splits, .preset = "row", .help = "accepted without effect on one machine"),
    CHOICE(predictor, predictors, .preset = "auto", .help = "accepted without effect"),
    BOOL(deterministic_histogram, .preset = "true", .help = "accepted: histograms always are"),
    INT(prob_buffer_row, .min = 1, .open_min = true, .no_max = true, .optional = true,
        .help = "accepted without effect"),
    BOOL(use_dask_gpu_training, .preset = "false", .help = "accepted without effect"),
    PARAM_INT("_kfold", XgboostParams, kfold, FROM(2), .optional = true,
              .help = "folds of the built-in cross validation"),
    PARAM_INT("_num_cv_round", XgboostParams, num_cv_round, FROM(1), .preset = "1",
              .help = "repetitions of the cross validation"),
    PARAM_TEXT("_tuning_objective_metric", XgboostParams, tuning_metric, .optional = true,
               .help = "metric the tuner watches; added to eval_metric"),
    {0},
};

/* ---- texts that hold lists ---- */

/* "(1,0,-1)": the brackets may be missing or square. */
static bool parse_monotone(Str text, Arena *arena, BoostParams *boost, Error *err)
{
    if (!text.len) return true;
    Str rest = text, part;
    if (text.len >= 2 && (text.ptr[0] == '(' || text.ptr[0] == '['))
        rest = str_slice(text, 1, text.len - 1);
    int8_t *signs = arena_array(arena, int8_t, text.len);
    int32_t n = 0;
    while (str_next(&rest, ',', &part)) {
        int64_t sign;
        part = str_trim(part);
        if (part.len == 0 && !rest.ptr && n > 0) break; /* "(1,)" */
        if (!str_to_int64(part, &sign) || sign < -1 || sign > 1)
            return error_set(err, ERROR_INVALID,
                             "Hyperparameter monotone_constraints: '%.*s' is not -1, 0 or 1",
                             STR_ARG(part));
        signs[n++] = (int8_t)sign;
    }
    boost->monotone = signs;
    boost->n_monotone = n;
    return true;
}

static bool parse_interactions(Str text, Arena *arena, BoostParams *boost, Error *err)
{
    if (!text.len) return true;
    const Json *sets;
    Error ignored = {0};
    bool ok = json_parse(text, arena, &sets, &ignored) && sets->type == JSON_ARRAY;
    int32_t n = 0;
    int32_t *features = arena_array(arena, int32_t, text.len),
            *start = arena_array(arena, int32_t, text.len + 1);
    for (size_t s = 0; ok && s < sets->n; s++) {
        const Json *set = json_at(sets, s);
        ok = set && set->type == JSON_ARRAY;
        for (size_t k = 0; ok && k < set->n; k++) {
            double x;
            ok = json_number_at(set, k, &x) && x >= 0 && x < INT32_MAX && x == floor(x);
            if (ok) features[n++] = (int32_t)x;
        }
        start[s + 1] = n;
    }
    if (!ok)
        return error_set(err, ERROR_INVALID,
                         "Hyperparameter interaction_constraints: could not parse value: "
                         "write lists of feature numbers, e.g. [[0,1],[2,3]]");
    boost->interaction_sets = features;
    boost->interaction_start = start;
    boost->n_interactions = (int32_t)sets->n;
    return true;
}

static bool parse_quantiles(Str text, Arena *arena, ObjectiveParams *objective, Error *err)
{
    if (!str_is(objective->name, "reg:quantileerror")) return true;
    if (!text.len)
        return error_set(err, ERROR_INVALID,
                         "Objective reg:quantileerror needs hyperparameter quantile_alpha");
    Str rest = text, part;
    if (text.len >= 2 && (text.ptr[0] == '(' || text.ptr[0] == '['))
        rest = str_slice(text, 1, text.len - 1);
    double *alphas = arena_array(arena, double, text.len);
    int32_t n = 0;
    while (str_next(&rest, ',', &part)) {
        double x;
        if (!str_to_double(str_trim(part), &x) || !(x > 0 && x < 1))
            return error_set(err, ERROR_INVALID,
                             "Hyperparameter quantile_alpha: '%.*s' is not in (0, 1)",
                             STR_ARG(part));
        alphas[n++] = x;
    }
    objective->quantile_alpha = alphas;
    objective->n_quantiles = n;
    return true;
}

/* An area under a curve needs classes or ranks; in the container's words. */
static bool metric_fits(const BoostMetric *metric, Str objective, Error *err)
{
    Str name = str_of(metric->name);
    if (!str_starts(name, STR("auc"))) return true;
    if (str_starts(objective, STR("binary:")) || str_starts(objective, STR("rank:")) ||
        str_starts(objective, STR("multi:")) || str_is(objective, "reg:logistic"))
        return true;
    return error_set(
        err, ERROR_INVALID,
        "Metric '%.*s' can only be applied for classification and ranking problems; the objective is %.*s",
        STR_ARG(name), STR_ARG(objective));
}

static bool parse_metrics(const XgboostParams *params, Arena *arena, BoostParams *boost, Error *err)
{
    BoostMetric *metrics = arena_array(arena, BoostMetric, 64);
    Str lists[] = {params->eval_metric, params->tuning_metric};
    int32_t n = 0;
    for (size_t l = 0; l < COUNT(lists); l++) {
        Str rest = str_trim(lists[l]), part;
        if (rest.len >= 2 && rest.ptr[0] == '[') rest = str_slice(rest, 1, rest.len - 1);
        while (rest.len && str_next(&rest, ',', &part)) {
            part = str_trim(part);
            if (part.len >= 2 && (part.ptr[0] == '"' || part.ptr[0] == '\''))
                part = str_slice(part, 1, part.len - 1);
            if (l == 1 && str_starts(part, STR("validation:"))) part = str_from(part, 11);
            if (n == 64)
                return error_set(err, ERROR_LIMIT,
                                 "Hyperparameter eval_metric: more than 64 metrics");
            BoostMetric metric;
            if (!boost_metric_parse(part, &boost->objective, &metric, err) ||
                !metric_fits(&metric, boost->objective.name, err))
                return false;
            bool known = false;
            for (int32_t i = 0; i < n; i++)
                known |= str_eq(str_of(metrics[i].name), str_of(metric.name));
            if (!known) metrics[n++] = metric;
        }
    }
    boost->metrics = metrics;
    boost->n_metrics = n;
    return true;
}

static bool apply_updaters(const XgboostParams *params, BoostParams *boost, Error *err)
{
    static const char *const known[] = {"grow_colmaker",
                                        "distcol",
                                        "grow_histmaker",
                                        "grow_skmaker",
                                        "grow_quantile_histmaker",
                                        "grow_local_histmaker",
                                        "sync",
                                        "refresh",
                                        "prune",
                                        "shotgun",
                                        "coord_descent"};
    Str rest = params->updater, part;
    int n_builders = 0, n_linear = 0, n = 0;
    while (rest.len && str_next(&rest, ',', &part)) {
        part = str_trim(part);
        size_t i = 0;
        while (i < COUNT(known) && !str_is(part, known[i])) i++;
        if (i == COUNT(known))
            return error_set(err, ERROR_INVALID,
                             "Hyperparameter updater: %.*s is not a known updater", STR_ARG(part));
        n++;
        n_builders += i <= 5;
        n_linear += i >= 9;
        if (i == 0) boost->method = METHOD_EXACT;
        if (i == 2 || i == 3 || i == 5) boost->method = METHOD_APPROX;
        if (i == 4) boost->method = METHOD_HIST;
        if (i == 7) boost->refresh = true;
        if (i == 8) boost->prune = true;
        if (i == 9) boost->shotgun = true;
    }
    if (boost->booster == BOOSTER_GBLINEAR) {
        if (!n) boost->shotgun = true; /* upstream's default */
        if (n && (n != 1 || n_linear != 1))
            return error_set(
                err, ERROR_INVALID,
                "Hyperparameter updater: gblinear takes exactly one of shotgun and coord_descent");
        return true;
    }
    if (n_linear)
        return error_set(err, ERROR_INVALID,
                         "Hyperparameter updater: shotgun and coord_descent need booster gblinear");
    if (n_builders > 1)
        return error_set(err, ERROR_INVALID, "Hyperparameter updater: more than one tree builder");
    boost->update = params->process_type == 1;
    if (boost->update && (n_builders || !(boost->refresh || boost->prune)))
        return error_set(
            err, ERROR_INVALID,
            "Hyperparameter updater: process_type update takes refresh and prune only");
    return true;
}

static double or_else(double value, double preset)
{
    return isnan(value) ? preset : value;
}

static int64_t or_else_int(int64_t value, int64_t preset)
{
    return value == PARAM_UNSET_INT ? preset : value;
}

static void set_objective(const XgboostParams *params, ObjectiveParams *objective)
{
    *objective = (ObjectiveParams){
        .name = str_is(params->objective, "reg:linear") ? STR("reg:squarederror")
                                                        : params->objective,
        .n_classes = (int32_t)or_else_int(params->num_class, 0),
        .scale_pos_weight = params->scale_pos_weight,
        .max_delta_step = or_else(params->max_delta_step, 0),
        .tweedie_variance_power = params->tweedie_variance_power,
        .huber_slope = params->huber_slope,
        .aft_distribution = str_of(aft_distributions[params->aft_loss_distribution]),
        .aft_scale = params->aft_loss_distribution_scale,
        .lambdarank_pair_method = str_of(pair_methods[params->lambdarank_pair_method]),
        .lambdarank_num_pair = or_else_int(params->lambdarank_num_pair_per_sample, 0),
        .lambdarank_normalization = params->lambdarank_normalization,
        .ndcg_exp_gain = params->ndcg_exp_gain,
        .seed = (uint64_t)params->seed,
    };
    if (str_is(objective->name, "count:poisson"))
        objective->max_delta_step = or_else(params->max_delta_step, 0.7);
}

static bool check_together(const XgboostParams *params, const BoostParams *boost, Error *err)
{
    Str objective = boost->objective.name;
    bool multi = str_starts(objective, STR("multi:"));
    if (multi && params->num_class == PARAM_UNSET_INT)
        return error_set(err, ERROR_INVALID,
                         "Require input for parameter 'num_class' for multi-classification");
    if (!multi && params->num_class != PARAM_UNSET_INT)
        return error_set(err, ERROR_INVALID,
                         "Do not need to setup parameter 'num_class' for learning task other than "
                         "multi-classification: objective is %.*s",
                         STR_ARG(objective));
    if ((boost->n_monotone || boost->n_interactions) && boost->booster == BOOSTER_GBLINEAR)
        return error_set(err, ERROR_INVALID,
                         "monotone_constraints and interaction_constraints need trees, "
                         "not booster gblinear");
    if (boost->n_monotone && boost->method == METHOD_APPROX)
        return error_set(err, ERROR_INVALID, "monotone_constraints need tree_method exact or hist");
    AUTO(objective_free) Objective *made = NULL;
    return objective_new(&boost->objective, &made, err);
}

bool xgboost_resolve(const XgboostParams *params, Arena *arena, BoostParams *ret_boost, Error *err)
{
    static const TreeMethod methods[] = {METHOD_AUTO, METHOD_EXACT, METHOD_APPROX, METHOD_HIST,
                                         METHOD_HIST};
    static const Booster kinds[] = {BOOSTER_GBTREE, BOOSTER_GBLINEAR, BOOSTER_DART};
    bool linear = params->booster == 1;
    BoostParams boost = {
        .booster = kinds[params->booster],
        .method = methods[params->tree_method],
        .n_rounds = params->num_round,
        .eta = or_else(params->eta, linear ? 0.5 : 0.3),
        .gamma = params->gamma,
        .lambda = or_else(params->lambda, linear ? 0 : 1),
        .alpha = params->alpha,
        .min_child_weight = params->min_child_weight,
        .max_depth = params->max_depth,
        .max_leaves = params->max_leaves,
        .grow_policy = params->grow_policy == 0 ? GROW_DEPTHWISE : GROW_LOSSGUIDE,
        .max_bin = params->max_bin,
        .subsample = params->subsample,
        .sampling_method = params->sampling_method == 0 ? SAMPLING_UNIFORM : SAMPLING_GRADIENT,
        .colsample_bytree = params->colsample_bytree,
        .colsample_bylevel = params->colsample_bylevel,
        .colsample_bynode = params->colsample_bynode,
        .n_parallel = params->num_parallel_tree,
        .base_score = params->base_score,
        .max_cat_to_onehot = params->max_cat_to_onehot,
        .max_cat_threshold = params->max_cat_threshold,
        .refresh_leaf = params->refresh_leaf,
        .dart_weighted = params->sample_type == 1,
        .dart_forest = params->normalize_type == 1,
        .one_drop = params->one_drop,
        .rate_drop = params->rate_drop,
        .skip_drop = params->skip_drop,
        .lambda_bias = params->lambda_bias,
        .feature_selector = params->feature_selector,
        .top_k = params->top_k,
        .tolerance = params->tolerance,
        .early_stopping_rounds = or_else_int(params->early_stopping_rounds, 0),
        .seed = (uint64_t)params->seed,
    };
    set_objective(params, &boost.objective);
    boost.max_delta_step = boost.objective.max_delta_step;
    if (!parse_quantiles(params->quantile_alpha, arena, &boost.objective, err) ||
        !parse_monotone(params->monotone_constraints, arena, &boost, err) ||
        !parse_interactions(params->interaction_constraints, arena, &boost, err) ||
        !apply_updaters(params, &boost, err) || !check_together(params, &boost, err) ||
        !parse_metrics(params, arena, &boost, err))
        return false;
    if (boost.n_metrics == 0) { /* the objective's own */
        AUTO(objective_free) Objective *objective = NULL;
        if (!objective_new(&boost.objective, &objective, err)) return false;
        BoostMetric *metric = arena_new(arena, BoostMetric);
        if (!boost_metric_parse(str_of(objective_default_metric(objective)), &boost.objective,
                                metric, err))
            return false;
        boost.metrics = metric;
        boost.n_metrics = 1;
    }
    *ret_boost = boost;
    return true;
}
