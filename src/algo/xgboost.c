/* XGBoost, as SageMaker's container offers it: hyperparameters, metrics and the artifact.
 *
 * The engine is in src/boost; this file translates.  Ranges, defaults and the words of refusals are
 * those of the open container (sagemaker-xgboost 1.7-1 and 3.0-5); a few hyperparameters of current
 * XGBoost that the container does not list are accepted as well (quantile_alpha, huber_slope, the
 * lambdarank_* family, feature_selector, max_cat_*). */

#include "algo/xgboost_model.h"

#include "base/file.h"
#include "base/memory.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void xgboost_free(Model *model)
{
    if (!model) return;
    for (int32_t i = 0; i < model->n_members; i++) {
        predictor_free(model->predictors[i]);
        boost_model_free(model->members[i]);
    }
    free(model);
}
AUTO_FREE(Model, xgboost_free);

bool xgboost_add_member(Model *model, BoostModel *member, Error *err)
{
    int32_t i = model->n_members;
    model->members[i] = member;
    model->n_members++;
    return predictor_new(member, &model->predictors[i], err);
}

/* ---- training ---- */

typedef struct Rounds {
    const BoostParams *params;
    TrainRun *run;
    int64_t n_total; /* rounds of the start model and those to come */
    Error *err;
    bool failed;
} Rounds;

static bool report_round(void *host, int64_t round, const BoostModel *model, const double *values,
                         int n_data)
{
    static const char *const data_names[] = {"train", "validation"};
    Rounds *rounds = host;
    TrainRun *run = rounds->run;
    enum { VALUES_MAX = 64 };
    MetricValue metrics[VALUES_MAX];
    int n = 0;
    for (int d = 0; d < n_data; d++)
        for (int m = 0; m < rounds->params->n_metrics && n < VALUES_MAX; m++) {
            const BoostMetric *metric = &rounds->params->metrics[m];
            metrics[n++] = (MetricValue){data_names[d], metric->name,
                                         values[d * rounds->params->n_metrics + m],
                                         metric->maximize ? GOAL_MAXIMIZE : GOAL_MINIMIZE};
        }
    bool go_on = !run->round || run->round(run->host, round, rounds->n_total, metrics, n);
    if (run->checkpoint) {
        /* A checkpoint needs no predictor: only saving looks at it. */
        Model shown = {.n_members = 1, .members = {(BoostModel *)(uintptr_t)model}};
        if (!run->checkpoint(run->host, round, &shown, rounds->err)) {
            rounds->failed = true;
            return false;
        }
    }
    return go_on;
}

static void forward_warning(void *host, const char *text)
{
    TrainRun *run = ((Rounds *)host)->run;
    if (run->warn) run->warn(run->host, "%s", text);
}

static void release_column(void *owner, int32_t column)
{
    dataset_release_column(owner, column);
}

/* Ranking weighs whole queries: the weight of a query is that of its first row. */
static const float *weights_of(const Dataset *dataset, bool ranking, Arena *arena)
{
    if (!dataset->weight || !dataset->group_start || !ranking) return dataset->weight;
    float *weights = arena_array(arena, float, dataset->n_groups);
    for (int64_t g = 0; g < dataset->n_groups; g++)
        weights[g] = dataset->weight[dataset->group_start[g]];
    return weights;
}

static bool boost_data(Dataset *dataset, const char *channel, Str objective, Arena *arena,
                       BoostData *ret_data, Error *err)
{
    /* Query groups mean nothing to the others, whose weights are per row. */
    bool ranking = str_starts(objective, STR("rank:"));
    if (dataset->label_width < 1)
        return error_set(err, ERROR_INVALID, "the %s data has no label column", channel);
    if (dataset->label_width > 2)
        return error_set(err, ERROR_INVALID, "the %s data has %d label columns; xgboost takes one",
                         channel, dataset->label_width);
    if (dataset->label_width == 2 && !str_is(objective, "survival:aft"))
        return error_set(
            err, ERROR_INVALID,
            "the %s data has 2 label columns, which only objective survival:aft takes (lower and "
            "upper bound)",
            channel);
    float *lower = dataset->label, *upper = NULL;
    if (dataset->label_width == 2) { /* lower and upper bound, for survival:aft */
        lower = arena_array(arena, float, dataset->n_rows);
        upper = arena_array(arena, float, dataset->n_rows);
        for (int64_t i = 0; i < dataset->n_rows; i++) {
            lower[i] = dataset->label[2 * i];
            upper[i] = dataset->label[2 * i + 1];
        }
    }
    uint8_t *is_category = NULL;
    for (int32_t j = 0; j < dataset->n_features; j++) {
        if (dataset->schema.features[j].kind != FEATURE_CATEGORY) continue;
        if (!is_category) is_category = arena_array(arena, uint8_t, dataset->n_features);
        is_category[j] = 1;
    }
    *ret_data = (BoostData){
        .features = dataset_matrix(dataset),
        .is_category = is_category,
        .labels = {.n_rows = dataset->n_rows,
                   .label = lower,
                   .label_upper = upper,
                   .weight = weights_of(dataset, ranking, arena),
                   .group_start = ranking ? dataset->group_start : NULL,
                   .n_groups = ranking ? dataset->n_groups : 0},
        .release_column = dataset->columns ? release_column : NULL,
        .owner = dataset,
    };
    return true;
}

/* Names and kinds of the features, as the xgboost package shows them ("q": quantity, "c":
 * category).  Names XGBoost refuses ([, ], <) are left out. */
static void name_features(BoostModel *model, const Schema *schema)
{
    if (model->feature_names || schema->n_features != model->n_features) return;
    bool categories = false;
    for (int32_t j = 0; j < schema->n_features; j++) {
        Str name = schema->features[j].name;
        if (name.len == 0 || str_find(name, '[') < name.len || str_find(name, ']') < name.len ||
            str_find(name, '<') < name.len)
            return;
        if (schema->features[j].kind == FEATURE_CATEGORY) categories = true;
    }
    /* "f0", "f1", ... are what the package itself would make up. */
    if (!categories && (schema->n_features == 0 || str_is(schema->features[0].name, "f0"))) return;

    model->feature_names = arena_array(&model->arena, Str, model->n_features);
    model->feature_types = arena_array(&model->arena, Str, model->n_features);
    for (int32_t j = 0; j < model->n_features; j++) {
        model->feature_names[j] = arena_str(&model->arena, schema->features[j].name);
        model->feature_types[j] = schema->features[j].kind == FEATURE_CATEGORY ? STR("c")
                                                                               : STR("float");
    }
}

bool xgboost_train_boosted(const BoostParams *params, TrainData *data, TrainRun *run,
                           BoostModel **ret_model, Error *err)
{
    BoostData train, validation;
    Str objective = params->objective.name;
    if (!boost_data(data->train, "train", objective, run->arena, &train, err)) return false;
    if (data->validation &&
        !boost_data(data->validation, "validation", objective, run->arena, &validation, err))
        return false;

    const BoostModel *start = data->start ? data->start->members[0] : NULL;
    Rounds rounds = {.params = params,
                     .run = run,
                     .n_total = (start ? start->n_rounds : 0) + params->n_rounds,
                     .err = err};
    BoostHost host = {.host = &rounds, .round = report_round, .warn = forward_warning};
    AUTO(boost_model_free) BoostModel *boosted = NULL;
    if (!boost_train(params, &train, data->validation ? &validation : NULL, start, &host, run->pool,
                     &boosted, err) ||
        rounds.failed)
        return false;
    name_features(boosted, &data->train->schema);
    *ret_model = STEAL(boosted);
    return true;
}

static bool xgboost_train(const void *params, TrainData *data, TrainRun *run, Model **ret_model,
                          Error *err)
{
    BoostParams boost;
    if (!xgboost_resolve(params, run->arena, &boost, err)) return false;
    if (boost.early_stopping_rounds && !data->validation)
        return error_set(
            err, ERROR_INVALID,
            "early_stopping_rounds needs validation data to watch: add a validation channel");
    if (data->start && data->start->n_members > 1)
        return error_set(err, ERROR_UNSUPPORTED,
                         "training cannot go on from an ensemble of %d models",
                         data->start->n_members);
    boost.n_rounds -= data->start_round;
    boost.seed = boost.objective.seed = run->seed;

    AUTO(xgboost_free) Model *model = calloc(1, sizeof *model);
    if (!model) memory_exhausted(sizeof *model);
    if (((const XgboostParams *)params)->kfold != PARAM_UNSET_INT) {
        if (!xgboost_cross_validate(params, &boost, data, run, model, err)) return false;
    } else {
        BoostModel *boosted;
        if (!xgboost_train_boosted(&boost, data, run, &boosted, err) ||
            !xgboost_add_member(model, boosted, err))
            return false;
    }
    *ret_model = STEAL(model);
    return true;
}

static bool xgboost_check(const void *params, Error *err)
{
    ARENA(scratch);
    BoostParams boost;
    return xgboost_resolve(params, &scratch, &boost, err);
}

/* The value given for a hyperparameter, or a Str without ptr. */
static Str given_value(const ParamText *given, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (str_is(given[i].name, name)) return given[i].value;
    return (Str){NULL, 0};
}

static bool labels_are_zero_and_one(const Dataset *dataset)
{
    bool seen[2] = {false, false};
    for (int64_t i = 0; i < dataset->n_rows; i++) {
        float label = dataset->label[i];
        if (label != 0 && label != 1) return false;
        seen[label == 1] = true;
    }
    return seen[0] && seen[1];
}

static int xgboost_suggest(const Dataset *train, const ParamText *given, size_t n_given,
                           Arena *arena, Suggestion *ret)
{
    int n = 0;
    int32_t n_classes = train->schema.n_classes;
    if (train->label_width != 1) return 0;
    Str objective = given_value(given, n_given, "objective");
    if (!objective.ptr) {
        if (n_classes == 2)
            ret[n++] = (Suggestion){{STR("objective"), STR("binary:logistic")},
                                    "the target has two classes"};
        else if (n_classes > 2)
            ret[n++] = (Suggestion){{STR("objective"), STR("multi:softprob")},
                                    "the target is a category"};
        else if (train->group_start)
            ret[n++] = (Suggestion){{STR("objective"), STR("rank:ndcg")},
                                    "the rows come in query groups"};
        else if (labels_are_zero_and_one(train))
            ret[n++] = (Suggestion){{STR("objective"), STR("binary:logistic")},
                                    "the target is 0 or 1"};
        if (n && !given_value(given, n_given, "eval_metric").ptr && n_classes <= 2 &&
            !train->group_start)
            ret[n++] = (Suggestion){{STR("eval_metric"), STR("auc,logloss")},
                                    "usual for two classes"};
    }
    bool multi = objective.ptr ? str_starts(objective, STR("multi:")) : n_classes > 2;
    if (multi && n_classes > 1 && !given_value(given, n_given, "num_class").ptr)
        ret[n++] = (Suggestion){{STR("num_class"), arena_format(arena, "%d", n_classes)},
                                "the classes of the target"};
    return n;
}

/* ---- artifact ---- */

static bool xgboost_save(const Model *model, const char *folder, Error *err)
{
    ARENA(scratch);
    for (int32_t i = 0; i < model->n_members; i++) {
        const char *name = "xgboost-model";
        if (model->n_members > 1) name = arena_format(&scratch, "xgboost-model-%d", i).ptr;
        if (!boost_model_write(model->members[i], MODEL_UBJSON, path_join(&scratch, folder, name),
                               err))
            return false;
    }
    return true;
}

static int by_name(const void *a, const void *b)
{
    return str_compare(*(const Str *)a, *(const Str *)b);
}

/* The model files of a folder: those named xgboost-model*, or else every file but ours. */
static bool list_members(const char *folder, Arena *arena, Str **ret_names, size_t *ret_n,
                         Error *err)
{
    Str *names;
    size_t n, n_named = 0, n_other = 0;
    if (!folder_list(folder, 0, false, 1000, arena, &names, &n, err)) return false;
    Str *named = arena_array(arena, Str, n), *other = arena_array(arena, Str, n);
    for (size_t i = 0; i < n; i++) {
        if (str_is(names[i], "clary.json")) continue;
        if (str_starts(names[i], STR("xgboost-model")))
            named[n_named++] = names[i];
        else
            other[n_other++] = names[i];
    }
    *ret_names = n_named ? named : other;
    *ret_n = n_named ? n_named : n_other;
    if (*ret_n) qsort(*ret_names, *ret_n, sizeof(Str), by_name);
    if (*ret_n == 0) return error_set(err, ERROR_NOT_FOUND, "no model file in '%s'", folder);
    return true;
}

static bool xgboost_load(const char *folder, Model **ret_model, Error *err)
{
    ARENA(scratch);
    Str *names;
    size_t n;
    if (!list_members(folder, &scratch, &names, &n, err)) return false;
    const char *ensemble = getenv("SAGEMAKER_INFERENCE_ENSEMBLE");
    if (ensemble && str_eq_nocase(str_of(ensemble), STR("false"))) n = 1;
    if (n > ENSEMBLE_MAX)
        return error_set(err, ERROR_LIMIT, "%zu models in '%s'; an ensemble has at most %d", n,
                         folder, ENSEMBLE_MAX);

    AUTO(xgboost_free) Model *model = calloc(1, sizeof *model);
    if (!model) memory_exhausted(sizeof *model);
    for (size_t i = 0; i < n; i++) {
        BoostModel *member;
        if (!boost_model_read(path_join(&scratch, folder, names[i].ptr), &member, err))
            return false;
        if (!xgboost_add_member(model, member, err)) return false;
        if (member->n_groups != model->members[0]->n_groups ||
            member->n_features != model->members[0]->n_features)
            return error_set(err, ERROR_INVALID, "the models in '%s' differ in features or classes",
                             folder);
    }
    *ret_model = STEAL(model);
    return true;
}

/* ---- prediction ---- */

static bool objective_is(const Model *model, const char *name)
{
    return str_is(model->members[0]->objective, name);
}

static bool output_is_vote(const Model *model)
{
    return objective_is(model, "multi:softmax") || objective_is(model, "binary:hinge");
}

/* The mean of the members' outputs, or the most frequent class (the smallest of several). */
static void combine(const Model *model, float *total, int64_t n, const float *each)
{
    for (int64_t i = 0; i < n; i++) {
        if (!output_is_vote(model)) {
            double sum = 0;
            for (int32_t m = 0; m < model->n_members; m++) sum += each[m * n + i];
            total[i] = (float)(sum / model->n_members);
            continue;
        }
        int best_votes = 0;
        for (int32_t m = 0; m < model->n_members; m++) {
            int votes = 0;
            float label = each[m * n + i];
            for (int32_t other = 0; other < model->n_members; other++)
                votes += each[other * n + i] == label;
            if (votes > best_votes || (votes == best_votes && label < total[i])) {
                best_votes = votes;
                total[i] = label;
            }
        }
    }
}

static bool predict_scores(const Model *model, const Matrix *data, bool margin, Pool *pool,
                           Predictions *ret_predictions, Error *err)
{
    int32_t n_groups = model->members[0]->n_groups, width = n_groups;
    size_t n = (size_t)data->n_rows * (size_t)n_groups;
    AUTO_DATA float *each = data_array(float, n *(size_t)model->n_members, "the margins", err);
    if (!each) return false;
    for (int32_t m = 0; m < model->n_members; m++) {
        float *out = each + n * (size_t)m;
        if (!predict_margin(model->predictors[m], data, pool, out, err)) return false;
        if (!margin) predict_transform(model->members[m], out, data->n_rows, &width);
    }
    float *values;
    if (!predictions_add(ret_predictions, "score", width, width > 1, &values, err)) return false;
    size_t n_out = (size_t)data->n_rows * (size_t)width;
    if (model->n_members == 1) {
        memcpy(values, each, n_out * sizeof(float));
    } else {
        for (int32_t m = 1; m < model->n_members; m++) /* close the gaps that softmax leaves */
            memmove(each + n_out * (size_t)m, each + n * (size_t)m, n_out * sizeof(float));
        combine(model, values, (int64_t)n_out, each);
    }
    return true;
}

static bool xgboost_predict(const Model *model, const Matrix *data, PredictKind kind, Pool *pool,
                            Predictions *ret_predictions, Error *err)
{
    const BoostModel *first = model->members[0];
    if (kind == PREDICT_DEFAULT || kind == PREDICT_MARGIN)
        return predict_scores(model, data, kind == PREDICT_MARGIN, pool, ret_predictions, err);
    if (model->n_members > 1)
        return error_set(err, ERROR_UNSUPPORTED,
                         "an ensemble of %d models has no leaves or contributions of its own",
                         model->n_members);

    float *values;
    int64_t width = (int64_t)first->n_features + 1;
    if (kind == PREDICT_LEAF)
        return predictions_add(ret_predictions, "leaf", first->n_trees, true, &values, err) &&
               predict_leaf(first, data, pool, values, err);
    if (kind == PREDICT_CONTRIBUTIONS) {
        width *= first->n_groups;
        if (width > INT32_MAX)
            return error_set(err, ERROR_LIMIT, "%lld contributions a row", (long long)width);
        return predictions_add(ret_predictions, "contributions", (int32_t)width, true, &values,
                               err) &&
               predict_contributions(first, data, pool, values, err);
    }
    width *= width * first->n_groups;
    if (width > INT32_MAX)
        return error_set(err, ERROR_LIMIT, "%lld interactions a row", (long long)width);
    return predictions_add(ret_predictions, "interactions", (int32_t)width, true, &values, err) &&
           predict_interactions(first, data, pool, values, err);
}

static int32_t xgboost_predict_row(const Model *model, const float *row, float *out, int32_t max)
{
    const BoostModel *first = model->members[0];
    if (model->n_members > 1 || first->n_groups > max) return 0;
    predict_margin_row(model->predictors[0], row, out);
    int32_t width;
    predict_transform(first, out, 1, &width);
    return width;
}

static Task xgboost_task(const Model *model)
{
    Str objective = model->members[0]->objective;
    if (str_starts(objective, STR("binary:")) || str_is(objective, "reg:logistic"))
        return TASK_BINARY;
    if (str_starts(objective, STR("multi:"))) return TASK_MULTICLASS;
    if (str_starts(objective, STR("rank:"))) return TASK_RANKING;
    if (str_starts(objective, STR("survival:"))) return TASK_SURVIVAL;
    return TASK_REGRESSION;
}

static int32_t xgboost_n_features(const Model *model)
{
    return model->members[0]->n_features;
}

static int32_t xgboost_n_classes(const Model *model)
{
    return xgboost_task(model) == TASK_MULTICLASS ? model->members[0]->n_groups : 0;
}

static Str xgboost_objective(const Model *model)
{
    return model->members[0]->objective;
}

static Str objective_value(const BoostModel *model, const char *name, Str preset)
{
    for (int32_t i = 0; i < model->n_objective; i++)
        if (str_is(model->objective_names[i], name)) return model->objective_values[i];
    return preset;
}

/* Of an ensemble: from the mean of the margins. */
static bool xgboost_measure(const Model *model, const Dataset *data, const char *name, Pool *pool,
                            double *ret_value, Error *err)
{
    const BoostModel *first = model->members[0];
    ObjectiveParams params = {
        .name = first->objective,
        .n_classes = first->n_classes,
        .scale_pos_weight = 1,
        .tweedie_variance_power = 1.5,
        .huber_slope = 1,
        .aft_distribution = objective_value(first, "aft_loss_distribution", STR("normal")),
        .aft_scale = 1,
        .lambdarank_normalization = true,
        .ndcg_exp_gain = true,
    };
    str_to_double(objective_value(first, "aft_loss_distribution_scale", STR("1")),
                  &params.aft_scale);
    ARENA(scratch);
    BoostMetric metric;
    BoostData labels;
    if (!boost_metric_parse(str_of(name), &params, &metric, err) ||
        !boost_data((Dataset *)(uintptr_t)data, "given", first->objective, &scratch, &labels, err))
        return false;
    Predictions margins = {.n_rows = data->n_rows};
    Matrix matrix = dataset_matrix(data);
    bool ok = predict_scores(model, &matrix, true, pool, &margins, err) &&
              boost_metric_value(&metric, first, &labels.labels, margins.values[0], pool, ret_value,
                                 err);
    predictions_clear(&margins);
    return ok;
}

static bool xgboost_importance(const Model *model, const char *kind, Arena *arena,
                               double **ret_values, Error *err)
{
    double *values = arena_array(arena, double, model->members[0]->n_features);
    if (!model_importance(model->members[0], kind, values, err)) return false;
    *ret_values = values;
    return true;
}

/* ---- descriptor ---- */

#define VALIDATION_METRIC(name_, goal_)                                                            \
    {                                                                                              \
        "validation:" name_, goal_, ".*\\[[0-9]+\\].*#011validation-" name_ ":(\\S+)"              \
    }

static const MetricInfo metrics[] = {
    VALIDATION_METRIC("accuracy", GOAL_MAXIMIZE),
    VALIDATION_METRIC("auc", GOAL_MAXIMIZE),
    VALIDATION_METRIC("aucpr", GOAL_MAXIMIZE),
    VALIDATION_METRIC("balanced_accuracy", GOAL_MAXIMIZE),
    VALIDATION_METRIC("f1", GOAL_MAXIMIZE),
    VALIDATION_METRIC("f1_binary", GOAL_MAXIMIZE),
    VALIDATION_METRIC("f1_macro", GOAL_MAXIMIZE),
    VALIDATION_METRIC("map", GOAL_MAXIMIZE),
    VALIDATION_METRIC("ndcg", GOAL_MAXIMIZE),
    VALIDATION_METRIC("precision", GOAL_MAXIMIZE),
    VALIDATION_METRIC("precision_macro", GOAL_MAXIMIZE),
    VALIDATION_METRIC("precision_micro", GOAL_MAXIMIZE),
    VALIDATION_METRIC("r2", GOAL_MAXIMIZE),
    VALIDATION_METRIC("recall", GOAL_MAXIMIZE),
    VALIDATION_METRIC("recall_macro", GOAL_MAXIMIZE),
    VALIDATION_METRIC("recall_micro", GOAL_MAXIMIZE),
    VALIDATION_METRIC("aft-nloglik", GOAL_MINIMIZE),
    VALIDATION_METRIC("cox-nloglik", GOAL_MINIMIZE),
    VALIDATION_METRIC("error", GOAL_MINIMIZE),
    VALIDATION_METRIC("gamma-deviance", GOAL_MINIMIZE),
    VALIDATION_METRIC("gamma-nloglik", GOAL_MINIMIZE),
    VALIDATION_METRIC("interval-regression-accuracy", GOAL_MAXIMIZE),
    VALIDATION_METRIC("logloss", GOAL_MINIMIZE),
    VALIDATION_METRIC("mae", GOAL_MINIMIZE),
    VALIDATION_METRIC("mape", GOAL_MINIMIZE),
    VALIDATION_METRIC("merror", GOAL_MINIMIZE),
    VALIDATION_METRIC("mlogloss", GOAL_MINIMIZE),
    VALIDATION_METRIC("mphe", GOAL_MINIMIZE),
    VALIDATION_METRIC("mse", GOAL_MINIMIZE),
    VALIDATION_METRIC("poisson-nloglik", GOAL_MINIMIZE),
    VALIDATION_METRIC("rmse", GOAL_MINIMIZE),
    VALIDATION_METRIC("rmsle", GOAL_MINIMIZE),
    VALIDATION_METRIC("tweedie-nloglik", GOAL_MINIMIZE),
    {0},
};

static const ChannelInfo channels[] = {
    {"train", true, "rows to learn from, the label first"},
    {"validation", false, "rows to watch the metric on; early stopping needs it"},
    {0},
};

static const char *const images[] = {"sagemaker-xgboost", "xgboost", NULL};

static const char *const content_types[] = {"text/libsvm",
                                            "text/csv",
                                            "csv",
                                            "libsvm",
                                            "text/x-libsvm",
                                            "parquet",
                                            "application/x-parquet",
                                            "recordio-protobuf",
                                            "application/x-recordio-protobuf",
                                            NULL};

const Algorithm xgboost_algorithm = {
    .name = "xgboost",
    .summary = "gradient-boosted trees: regression, classification, ranking, survival",
    .images = images,
    .params = xgboost_params,
    .params_size = sizeof(XgboostParams),
    .param_style = PARAM_STYLE_XGBOOST,
    .log_style = LOG_XGBOOST,
    .metrics = metrics,
    .channels = channels,
    .content_types = content_types,
    .default_accept = "text/csv",
    .supervised = true,
    .sparse = true,
    .missing = true,
    .categories = true,
    .iterative = true,
    .suggest = xgboost_suggest,
    .check = xgboost_check,
    .train = xgboost_train,
    .predict = xgboost_predict,
    .save = xgboost_save,
    .load = xgboost_load,
    .free = xgboost_free,
    .task = xgboost_task,
    .n_features = xgboost_n_features,
    .n_classes = xgboost_n_classes,
    .objective = xgboost_objective,
    .predict_row = xgboost_predict_row,
    .measure = xgboost_measure,
    .importance = xgboost_importance,
};
