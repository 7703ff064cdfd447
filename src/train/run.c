/* What every training run and every batch of predictions has in common. */

#include "train/run.h"

#include "base/memory.h"

#include <math.h>

/* ---- curves ---- */

static MetricCurve *curve_of(Curves *curves, const MetricValue *metric)
{
    Str data = str_of(metric->data), name = str_of(metric->name);
    for (int i = 0; i < curves->n; i++)
        if (str_eq(curves->curves[i].data, data) && str_eq(curves->curves[i].name, name))
            return &curves->curves[i];
    if (curves->n == CURVES_MAX) return NULL;
    MetricCurve *curve = &curves->curves[curves->n++];
    *curve = (MetricCurve){
        arena_str(curves->arena, data), arena_str(curves->arena, name), metric->goal, NULL, 0, 0};
    return curve;
}

void curves_add(Curves *curves, int64_t round, const MetricValue *metrics, int n_metrics)
{
    for (int i = 0; i < n_metrics; i++) {
        MetricCurve *curve = curve_of(curves, &metrics[i]);
        if (!curve || round < curve->n) continue;
        if (round >= curve->capacity) {
            int64_t capacity = MAX(round + 1, curve->capacity * 2);
            curve->values = arena_grow(curves->arena, curve->values, (size_t)curve->n,
                                       (size_t)capacity, sizeof(double));
            curve->capacity = capacity;
        }
        while (curve->n < round) curve->values[curve->n++] = NAN;
        curve->values[curve->n++] = metrics[i].value;
    }
    curves->n_rounds = MAX(curves->n_rounds, round + 1);
}

const MetricCurve *curves_find(const Curves *curves, Str data, Str name)
{
    for (int i = 0; i < curves->n; i++)
        if (str_eq(curves->curves[i].data, data) && str_eq(curves->curves[i].name, name))
            return &curves->curves[i];
    return NULL;
}

void curves_to_artifact(const Curves *curves, Artifact *artifact)
{
    artifact->history = arena_array(curves->arena, ArtifactHistory, curves->n);
    for (int i = 0; i < curves->n; i++) {
        const MetricCurve *curve = &curves->curves[i];
        if (curve->n > 1)
            artifact->history[artifact->n_history++] = (ArtifactHistory){
                curve->data, curve->name, curve->goal, curve->values, curve->n};
    }
}

/* ---- training ---- */

bool run_check(const Algorithm *algorithm, const ParamText *texts, size_t n, Arena *arena,
               void **ret_params, Error *err)
{
    void *params = arena_alloc(arena, algorithm->params_size);
    if (!params_parse(algorithm->params, texts, n, algorithm->param_style, arena, params, err))
        return false;
    if (algorithm->check && !algorithm->check(params, err)) return false;
    *ret_params = params;
    return true;
}

static bool make_dense(Dataset *dataset, const char *channel, Error *err)
{
    size_t n_cols = (size_t)dataset->n_features, n_rows = (size_t)dataset->n_rows;
    float **columns = data_array(float *, n_cols, "the columns", err);
    if (!columns) return false;
    dataset->columns = columns;
    for (size_t j = 0; j < n_cols; j++) {
        columns[j] = data_array(float, n_rows, "a dense column", err);
        if (!columns[j])
            return error_in(
                err, "the %s data is sparse with %zu columns, which this algorithm needs dense",
                channel, n_cols);
    }
    for (size_t i = 0; i < n_rows; i++)
        for (int64_t k = dataset->row_start[i]; k < dataset->row_start[i + 1]; k++)
            columns[dataset->col[k]][i] = dataset->value[k];
    data_free(STEAL(dataset->row_start));
    data_free(STEAL(dataset->col));
    data_free(STEAL(dataset->value));
    return true;
}

bool run_fit_data(const Algorithm *algorithm, Dataset *dataset, const char *channel, Error *err)
{
    if (dataset->n_rows == 0)
        return error_set(err, ERROR_INVALID, "the %s data has no rows", channel);
    for (int32_t j = 0; j < dataset->n_features && !algorithm->categories; j++) {
        const Feature *feature = &dataset->schema.features[j];
        if (feature->kind == FEATURE_CATEGORY)
            return error_set(
                err, ERROR_INVALID,
                "column '%.*s' of the %s data holds text, but %s takes numbers only: leave it out "
                "with --ignore %.*s, or encode it as numbers",
                STR_ARG(feature->name), channel, algorithm->name, STR_ARG(feature->name));
    }
    if (dataset->row_start && !algorithm->sparse && !make_dense(dataset, channel, err))
        return false;
    for (int32_t j = 0; dataset->columns && !algorithm->missing && j < dataset->n_features; j++)
        for (int64_t i = 0; i < dataset->n_rows; i++)
            if (isnan(dataset->columns[j][i])) {
                Str name = dataset->schema.features[j].name;
                return error_set(
                    err, ERROR_INVALID,
                    "row %lld of the %s data has no value in column '%.*s', and %s takes none that "
                    "are missing: fill them in, or drop such rows",
                    (long long)i + 1, channel, STR_ARG(name), algorithm->name);
            }
    return true;
}

bool run_train(const Algorithm *algorithm, const void *params, TrainData *data, TrainRun *run,
               Model **ret_model, Error *err)
{
    assert(data->train);
    Dataset *sets[] = {data->train, data->validation, data->test};
    static const char *const names[] = {"train", "validation", "test"};
    for (size_t s = 0; s < COUNT(sets); s++) {
        if (!sets[s]) continue;
        if (!run_fit_data(algorithm, sets[s], names[s], err)) return false;
        if (sets[s]->n_features != data->train->n_features && sets[s]->columns)
            return error_set(err, ERROR_INVALID, "the %s data has %d features, the train data %d",
                             names[s], sets[s]->n_features, data->train->n_features);
    }
    return algorithm->train(params, data, run, ret_model, err);
}

/* ---- prediction ---- */

enum { BLOCK_VALUES = 16 << 20 }; /* answers in memory at a time */

static int64_t block_rows(const Algorithm *algorithm, const Model *model, PredictKind kind)
{
    int64_t features = algorithm->n_features ? MAX(1, algorithm->n_features(model)) : 1;
    int64_t classes = algorithm->n_classes ? MAX(1, algorithm->n_classes(model)) : 1;
    int64_t width = classes;
    if (kind == PREDICT_LEAF) width = 4096;
    if (kind == PREDICT_CONTRIBUTIONS) width = classes * (features + 1);
    if (kind == PREDICT_INTERACTIONS) width = classes * (features + 1) * (features + 1);
    return MAX(1, MIN((int64_t)BLOCK_VALUES / width, (int64_t)1 << 18));
}

bool run_predict(const Algorithm *algorithm, const Model *model, const Dataset *dataset,
                 PredictKind kind, Pool *pool, UsePredictions *use, void *arg, Error *err)
{
    ARENA(scratch);
    Matrix all = dataset_matrix(dataset);
    float **columns = arena_array(&scratch, float *, MAX(1, dataset->n_features));
    int64_t step = block_rows(algorithm, model, kind);
    for (int64_t begin = 0; begin < dataset->n_rows; begin += step) {
        Matrix block = matrix_rows(&all, begin, MIN(dataset->n_rows, begin + step), columns);
        Predictions predictions = {.n_rows = block.n_rows};
        bool ok = algorithm->predict(model, &block, kind, pool, &predictions, err) &&
                  use(arg, begin, &predictions, err);
        predictions_clear(&predictions);
        if (!ok) return false;
    }
    return true;
}
