/* K-means clustering, as SageMaker's `kmeans` offers it.
 *
 * With data in memory, which is where it is here, the best way to k centers is Lloyd's iterations over
 * all rows (num/lloyd.h), and that is what extra_center_factor=auto does.  They start from the best
 * of several attempts on a sample of the rows, each from its own k-means++ start.
 *
 * With a number as extra_center_factor, it is SageMaker's web-scale way: mini-batches move
 * k x extra_center_factor centers, each by the share of its new rows in all of its rows so far (with
 * half_life_time_size, old rows fade); then these centers, weighted with their rows, are clustered
 * into k.
 *
 * Labels are ignored.  Constant or repeated data gives repeated centers, with a warning. */

#include "algo/algorithm.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "format/json.h"
#include "format/ndarray.h"
#include "num/lloyd.h"

#include <math.h>
#include <stdlib.h>

struct Model {
    int32_t k, d;
    float *centers; /* k x d */
};

typedef struct KmeansParams {
    int64_t k, feature_dim, mini_batch_size, epochs, extra_center_factor, half_life_time_size;
    int64_t local_lloyd_max_iter, local_lloyd_num_trials;
    int init_method, local_lloyd_init_method;
    double local_lloyd_tol;
    Str eval_metrics;
    bool force_dense;
} KmeansParams;

enum { INIT_RANDOM, INIT_PLUS_PLUS };
static const char *const init_names[] = {"random", "kmeans++", NULL};

static const Param kmeans_params[] = {
    PARAM_INT("k", KmeansParams, k, .min = 1, .max = 1e6, .tune = {2, 100, SCALE_LINEAR},
              .help = "number of clusters"),
    PARAM_INT("feature_dim", KmeansParams, feature_dim, .min = 1, .no_max = true,
              .help = "number of features of a row"),
    PARAM_INT("mini_batch_size", KmeansParams, mini_batch_size, .min = 1, .no_max = true,
              .preset = "5000", .tune = {3000, 15000, SCALE_LINEAR},
              .help = "rows of a mini-batch; used when extra_center_factor is a number"),
    PARAM_INT("epochs", KmeansParams, epochs, .min = 1, .no_max = true, .preset = "1",
              .tune = {1, 10, SCALE_LINEAR}, .help = "passes of the mini-batches over the data"),
    PARAM_CHOICE("init_method", KmeansParams, init_method, init_names, .preset = "random",
                 .help = "how the centers of the mini-batches are first chosen"),
    PARAM_INT(
        "extra_center_factor", KmeansParams, extra_center_factor, .min = 1, .no_max = true,
        .automatic = true, .preset = "auto", .tune = {4, 10, SCALE_LINEAR},
        .help = "mini-batches with so many times k centers, which are clustered into k at the "
                "end; auto: Lloyd's iterations over all rows instead"),
    PARAM_INT("half_life_time_size", KmeansParams, half_life_time_size, .min = 0, .no_max = true,
              .preset = "0",
              .help = "rows after which a row counts half in its center; 0: always whole"),
    PARAM_CHOICE("local_lloyd_init_method", KmeansParams, local_lloyd_init_method, init_names,
                 .preset = "kmeans++", .help = "how an attempt's centers are first chosen"),
    PARAM_INT("local_lloyd_max_iter", KmeansParams, local_lloyd_max_iter, .min = 1, .no_max = true,
              .preset = "300", .help = "iterations at most"),
    PARAM_INT("local_lloyd_num_trials", KmeansParams, local_lloyd_num_trials, .min = 1,
              .no_max = true, .automatic = true, .preset = "auto",
              .help = "attempts, of which the best is kept; auto: 10"),
    PARAM_REAL("local_lloyd_tol", KmeansParams, local_lloyd_tol, .min = 0, .max = 1,
               .preset = "0.0001",
               .help = "ends when the cost falls by no more than this share of itself"),
    PARAM_TEXT("eval_metrics", KmeansParams, eval_metrics, .preset = "[\"msd\"]",
               .help = "metrics of the test channel as a JSON list: msd, ssd"),
    PARAM_BOOL("force_dense", KmeansParams, force_dense, .preset = "true",
               .help = "accepted for compatibility; sparse data stays sparse here"),
    {0},
};

static const MetricInfo kmeans_metrics[] = {
    {"test:msd", GOAL_MINIMIZE, "#quality_metric: host=\\S+, test msd <loss>=(\\S+)"},
    {"test:ssd", GOAL_MINIMIZE, "#quality_metric: host=\\S+, test ssd <loss>=(\\S+)"},
    {"train:msd", GOAL_MINIMIZE, "#quality_metric: host=\\S+, train msd <loss>=(\\S+)"},
    {"train:progress", GOAL_NONE, "#progress_metric: host=\\S+, completed (\\S+) %"},
    {"train:throughput", GOAL_NONE,
     "#throughput_metric: host=\\S+, train throughput=(\\S+) records/second"},
    {NULL, GOAL_NONE, NULL},
};

static const ChannelInfo kmeans_channels[] = {
    {"train", true, "rows to be clustered"},
    {"test", false, "rows to measure the distance to the centers on"},
    {NULL, false, NULL},
};

static const char *const kmeans_images[] = {"kmeans", NULL};
static const char *const kmeans_content_types[] = {"application/x-recordio-protobuf", "text/csv",
                                                   NULL};

static void kmeans_free(Model *model)
{
    if (!model) return;
    data_free(model->centers);
    free(model);
}
AUTO_FREE(Model, kmeans_free);

static Model *model_new(int32_t k, int32_t d, Error *err)
{
    AUTO(kmeans_free) Model *model = calloc(1, sizeof *model);
    if (!model) memory_exhausted(sizeof *model);
    model->k = k;
    model->d = d;
    model->centers = data_array(float, (size_t)k *(size_t)d, "the centers", err);
    return model->centers ? STEAL(model) : NULL;
}

/* ---- hyperparameters ---- */

typedef struct Wanted {
    bool msd, ssd;
} Wanted;

static bool parse_metrics(Str text, Wanted *ret_wanted, Error *err)
{
    ARENA(scratch);
    const Json *list = NULL;
    Wanted wanted = {0};
    if (!json_parse(text, &scratch, &list, NULL) || list->type != JSON_ARRAY)
        return error_set(
            err, ERROR_INVALID,
            "hyperparameter 'eval_metrics': '%.*s' is no JSON list like [\"msd\", \"ssd\"]",
            STR_ARG(text));
    for (size_t i = 0; i < list->n; i++) {
        const Json *item = list->items[i];
        if (item->type == JSON_STRING && str_is(item->text, "msd"))
            wanted.msd = true;
        else if (item->type == JSON_STRING && str_is(item->text, "ssd"))
            wanted.ssd = true;
        else
            return error_set(
                err, ERROR_INVALID,
                "hyperparameter 'eval_metrics': '%.*s' names something else than msd and ssd",
                STR_ARG(text));
    }
    *ret_wanted = wanted;
    return true;
}

static bool kmeans_check(const void *params_, Error *err)
{
    const KmeansParams *params = params_;
    Wanted wanted;
    if (!parse_metrics(params->eval_metrics, &wanted, err)) return false;
    double centers = (double)params->k * (params->extra_center_factor == PARAM_UNSET_INT
                                              ? 1
                                              : (double)params->extra_center_factor);
    if (centers > 1e7)
        return error_set(err, ERROR_INVALID,
                         "k x extra_center_factor is %g; at most 10 million centers are possible",
                         centers);
    return true;
}

static int kmeans_suggest(const Dataset *train, const ParamText *given, size_t n_given,
                          Arena *arena, Suggestion *ret)
{
    for (size_t i = 0; i < n_given; i++)
        if (str_is(given[i].name, "feature_dim")) return 0;
    ret[0] = (Suggestion){{STR("feature_dim"), arena_format(arena, "%d", train->n_features)},
                          "the columns of the data"};
    return 1;
}

/* ---- training ---- */

typedef struct Training {
    const KmeansParams *params;
    TrainRun *run;
    LloydData data;
    Model *model; /* its centers are shifted while training */
    Random random;
    int64_t round;
    bool stopped;
} Training;

static int64_t trial_count(const KmeansParams *params)
{
    return params->local_lloyd_num_trials == PARAM_UNSET_INT ? 10 : params->local_lloyd_num_trials;
}

/* The best of several short clusterings of `data` (some rows, or weighted centers). */
static bool best_attempt(Training *training, const LloydData *data, int64_t iterations_max,
                         float *centers, Error *err)
{
    const KmeansParams *params = training->params;
    TrainRun *run = training->run;
    int32_t k = training->model->k, distinct = k;
    size_t cells = (size_t)k * (size_t)training->model->d;
    AUTO_DATA float *attempt = data_array(float, cells, "the centers", err);
    if (!attempt) return false;
    double best = INFINITY;
    for (int64_t trial = 0; trial < trial_count(params); trial++) {
        Random random = random_stream(random_u64(training->random, 1), (uint64_t)trial);
        LloydOptions options = {.iterations_max = iterations_max, .tol = params->local_lloyd_tol};
        LloydResult result;
        if (params->local_lloyd_init_method == INIT_PLUS_PLUS
                ? !lloyd_start_plus_plus(data, k, random, attempt, &distinct, err)
                : !lloyd_start_random(data, k, random, attempt, err))
            return false;
        if (!lloyd_run(data, k, attempt, NULL, &options, &result, err)) return false;
        if (run->log)
            run->log(run->host, "local kmeans attempt #%lld. Current mean square distance %f",
                     (long long)trial, result.msd);
        if (result.msd < best) {
            best = result.msd;
            memcpy(centers, attempt, cells * sizeof *centers);
        }
        if (distinct < k) break; /* nothing can be better */
    }
    if (distinct < k && run->warn)
        run->warn(run->host,
                  "the data has only %d distinct rows or so: some of the %d centers are equal",
                  distinct, k);
    return true;
}

static bool report_iteration(void *host, int64_t iteration, double msd)
{
    Training *training = host;
    TrainRun *run = training->run;
    MetricValue metric = {"train", "msd", msd, GOAL_MINIMIZE};
    training->round = iteration;
    if (run->round &&
        !run->round(run->host, iteration, training->params->local_lloyd_max_iter, &metric, 1))
        training->stopped = true;
    return !training->stopped;
}

/* One row of each of n equal parts of the data: sorted data is sampled evenly too. */
static void choose_rows(const Training *training, int64_t n_all, int64_t n, int64_t *rows)
{
    Random random = random_stream(random_u64(training->random, 2), 0);
    for (int64_t i = 0; i < n; i++) {
        int64_t begin = n_all * i / n, end = n_all * (i + 1) / n;
        rows[i] = begin + (int64_t)random_below(random, (uint64_t)i, (uint64_t)(end - begin));
    }
}

/* First centers for Lloyd's iterations over all rows: the best attempt on some of them. */
static bool start_from_sample(Training *training, float *centers, Error *err)
{
    enum { ITERATIONS = 12 };
    int64_t n_all = training->data.n, k = training->model->k;
    int64_t n = MIN(n_all, MAX((int64_t)4096, 64 * k));
    if (n_all <= 4 * n) /* small: attempts on all rows, to their end */
        return best_attempt(training, &training->data, training->params->local_lloyd_max_iter,
                            centers, err);
    AUTO_DATA int64_t *rows = data_array(int64_t, n, "a sample of the rows", err);
    if (!rows) return false;
    choose_rows(training, n_all, n, rows);
    LloydData sample;
    bool ok = lloyd_data_sample(&training->data, rows, n, &sample, err) &&
              best_attempt(training, &sample, ITERATIONS, centers, err);
    lloyd_data_clear(&sample);
    return ok;
}

static bool train_full(Training *training, const Model *start, double *ret_msd, Error *err)
{
    const KmeansParams *params = training->params;
    Model *model = training->model;
    if (start) {
        memcpy(model->centers, start->centers, (size_t)model->k * (size_t)model->d * sizeof(float));
        lloyd_shift(&training->data, model->k, model->centers);
    } else if (!start_from_sample(training, model->centers, err)) {
        return false;
    }
    LloydOptions options = {.iterations_max = params->local_lloyd_max_iter,
                            .tol = params->local_lloyd_tol,
                            .step = report_iteration,
                            .host = training};
    LloydResult result;
    if (!lloyd_run(&training->data, model->k, model->centers, NULL, &options, &result, err))
        return false;
    *ret_msd = result.msd;
    return true;
}

/* ---- mini-batches ---- */

/* Rows of batch `b`: blocks of neighboring rows in shuffled order, so that reading stays quick and
 * sorted data does no harm. */
static int64_t batch_rows(const uint32_t *blocks, int64_t n_blocks, int64_t block,
                          int64_t per_batch, int64_t n_all, int64_t b, int64_t *rows)
{
    int64_t n = 0, first = b * per_batch, last = MIN(first + per_batch, n_blocks);
    for (int64_t i = first; i < last; i++) {
        int64_t begin = (int64_t)blocks[i] * block, end = MIN(begin + block, n_all);
        for (int64_t row = begin; row < end; row++) rows[n++] = row;
    }
    return n;
}

/* The centers to begin with, from as many rows as it takes. */
static bool first_centers(Training *training, int64_t size, int32_t n_centers, float *centers,
                          Error *err)
{
    int64_t n_all = training->data.n, n = MIN(n_all, MAX(size, 4 * (int64_t)n_centers));
    Random random = random_stream(random_u64(training->random, 3), 0);
    int32_t distinct;
    AUTO_DATA int64_t *rows = data_array(int64_t, n, "a batch", err);
    if (!rows) return false;
    choose_rows(training, n_all, n, rows);
    LloydData sample;
    bool ok = lloyd_data_sample(&training->data, rows, n, &sample, err);
    if (ok && training->params->init_method == INIT_PLUS_PLUS)
        ok = lloyd_start_plus_plus(&sample, n_centers, random, centers, &distinct, err);
    else if (ok)
        ok = lloyd_start_random(&sample, n_centers, random, centers, err);
    lloyd_data_clear(&sample);
    return ok;
}

static bool run_batch(Training *training, const int64_t *rows, int64_t n, int32_t n_centers,
                      float *centers, double *counts, Error *err)
{
    int64_t half_life = training->params->half_life_time_size;
    double fade = half_life > 0 ? exp2(-(double)n / (double)half_life) : 1;
    for (int32_t c = 0; c < n_centers; c++) counts[c] *= fade;
    LloydData batch;
    bool ok = lloyd_data_sample(&training->data, rows, n, &batch, err) &&
              lloyd_batch(&batch, n_centers, centers, counts, err);
    lloyd_data_clear(&batch);
    return ok;
}

static bool run_batches(Training *training, int32_t n_centers, float *centers, double *counts,
                        Error *err)
{
    const KmeansParams *params = training->params;
    TrainRun *run = training->run;
    int64_t n_all = training->data.n, size = MIN(params->mini_batch_size, n_all);
    int64_t block = MAX(1, MIN((int64_t)64, size / 16)), n_blocks = (n_all + block - 1) / block;
    int64_t per_batch = MAX(1, size / block), n_batches = (n_blocks + per_batch - 1) / per_batch;
    AUTO_DATA uint32_t *order = data_array(uint32_t, n_blocks, "the order of rows", err);
    AUTO_DATA int64_t *rows = order ? data_array(int64_t, per_batch * block, "a batch", err) : NULL;
    if (!rows || !first_centers(training, size, n_centers, centers, err)) return false;

    for (int64_t epoch = 0; epoch < params->epochs && !training->stopped; epoch++) {
        random_permutation(random_stream(random_u64(training->random, 4), (uint64_t)epoch), order,
                           (size_t)n_blocks);
        for (int64_t b = 0; b < n_batches; b++) {
            int64_t n = batch_rows(order, n_blocks, block, per_batch, n_all, b, rows);
            if (!run_batch(training, rows, n, n_centers, centers, counts, err)) return false;
        }
        if (run->round && !run->round(run->host, epoch, params->epochs, NULL, 0))
            training->stopped = true;
    }
    return true;
}

/* k centers from the many of the mini-batches, weighted with the rows they stand for. */
static bool shrink(Training *training, int32_t n_centers, const float *centers,
                   const double *counts, Error *err)
{
    Model *model = training->model;
    int32_t d = model->d;
    AUTO_DATA float *values = data_array(float, (size_t)n_centers *(size_t)d, "the centers", err);
    AUTO_DATA float *weights = values ? data_array(float, n_centers, "the centers", err) : NULL;
    AUTO_DATA float **columns = weights ? data_array(float *, d, "the centers", err) : NULL;
    if (!columns) return false;
    int32_t n = 0;
    for (int32_t c = 0; c < n_centers; c++)
        if (counts[c] > 0) weights[n++] = (float)counts[c];
    if (n < model->k) { /* not enough live ones: the dead ones count a little */
        for (int32_t c = 0; c < n_centers; c++) weights[c] = (float)fmax(counts[c], 1e-3);
        n = n_centers;
    }
    bool all = n == n_centers;
    for (int32_t j = 0; j < d; j++) {
        columns[j] = values + (int64_t)j * n;
        for (int32_t c = 0, to = 0; c < n_centers; c++)
            if (all || counts[c] > 0) columns[j][to++] = centers[(int64_t)c * d + j];
    }
    Matrix matrix = {.layout = MATRIX_COLUMNS, .n_rows = n, .n_cols = d, .column = columns};
    LloydData data;
    bool ok = lloyd_data_init(&data, &matrix, weights, training->data.pool, NULL, NULL, err) &&
              best_attempt(training, &data, training->params->local_lloyd_max_iter, model->centers,
                           err);
    if (ok) lloyd_unshift(&data, model->k, model->centers); /* into the coordinates of the rows */
    lloyd_data_clear(&data);
    return ok;
}

static bool train_batches(Training *training, int64_t factor, double *ret_msd, Error *err)
{
    Model *model = training->model;
    TrainRun *run = training->run;
    int64_t n = training->data.n;
    int32_t n_centers = (int32_t)MIN(model->k * factor, n);
    AUTO_DATA float *centers = data_array(float, (size_t)n_centers *(size_t)model->d, "the centers",
                                          err);
    AUTO_DATA double *counts = centers ? data_array(double, n_centers, "the centers", err) : NULL;
    if (!counts || !run_batches(training, n_centers, centers, counts, err)) return false;
    if (run->log) run->log(run->host, "shrinking %d centers into %d", n_centers, model->k);
    return shrink(training, n_centers, centers, counts, err) &&
           lloyd_msd(&training->data, model->k, model->centers, ret_msd, err);
}

/* ---- measures ---- */

static void report(TrainRun *run, const char *data, const char *name, double value)
{
    MetricValue metric = {data, name, value, GOAL_MINIMIZE};
    if (run->metric) run->metric(run->host, &metric);
}

/* What k-means needs of a data set, with the way out. */
static bool check_rows(const Dataset *dataset, const char *channel, int64_t feature_dim, Error *err)
{
    if (dataset->n_features != feature_dim)
        return error_set(err, ERROR_INVALID, "the %s data has %d features, feature_dim is %lld",
                         channel, dataset->n_features, (long long)feature_dim);
    if (dataset->n_rows == 0)
        return error_set(err, ERROR_INVALID, "the %s data has no rows", channel);
    return true;
}

static bool refuse_value(const Dataset *dataset, const char *channel, int64_t row, int32_t column,
                         float value, Error *err)
{
    Str name = column < dataset->schema.n_features ? dataset->schema.features[column].name
                                                   : (Str){0};
    return error_set(
        err, ERROR_INVALID,
        "the %s data, row %lld, column %d%s%.*s%s: %s; k-means needs a finite number in every "
        "place: fill it in or leave the row out",
        channel, (long long)row + 1, column + 1, name.len ? " (" : "", STR_ARG(name),
        name.len ? ")" : "", isnan(value) ? "a missing value" : "an infinite value");
}

static Matrix features_of(const Dataset *dataset)
{
    Matrix matrix = dataset_matrix(dataset);
    matrix.absent = 0; /* what a sparse row leaves out is zero here */
    return matrix;
}

static void release_column(void *owner, int32_t column)
{
    dataset_release_column(owner, column);
}

/* The rows in the form of the engine; the data set gives its columns away. */
static bool take_rows(Dataset *dataset, const char *channel, Pool *pool, LloydData *ret_data,
                      Error *err)
{
    Matrix matrix = features_of(dataset);
    bool ok = lloyd_data_init(ret_data, &matrix, NULL, pool, release_column, dataset, err);
    if (!ok && ret_data->bad_row >= 0)
        refuse_value(dataset, channel, ret_data->bad_row, ret_data->bad_column, ret_data->bad_value,
                     err);
    return ok;
}

static bool test_model(const Model *model, Dataset *test, const Wanted *wanted, TrainRun *run,
                       Error *err)
{
    if (!check_rows(test, "test", model->d, err)) return false;
    size_t cells = (size_t)model->k * (size_t)model->d;
    AUTO_DATA float *centers = data_array(float, cells, "the centers", err);
    if (!centers) return false;
    memcpy(centers, model->centers, cells * sizeof *centers);
    LloydData data;
    double msd;
    bool ok = take_rows(test, "test", run->pool, &data, err);
    if (ok) lloyd_shift(&data, model->k, centers);
    ok = ok && lloyd_msd(&data, model->k, centers, &msd, err);
    lloyd_data_clear(&data);
    if (!ok) return false;
    if (wanted->msd) report(run, "test", "msd", msd);
    if (wanted->ssd) report(run, "test", "ssd", msd * (double)test->n_rows);
    return true;
}

static bool train_prepared(Training *training, const TrainData *data, const Wanted *wanted,
                           Error *err)
{
    Model *model = training->model;
    TrainRun *run = training->run;
    const Model *start = data->start;
    if (start && (start->k != model->k || start->d != model->d))
        return error_set(err, ERROR_INVALID,
                         "the model to go on from has %d centers of %d features, not %d of %d",
                         start->k, start->d, model->k, model->d);
    bool full = training->params->extra_center_factor == PARAM_UNSET_INT || start;
    double msd = 0;
    if (full ? !train_full(training, start, &msd, err)
             : !train_batches(training, training->params->extra_center_factor, &msd, err))
        return false;
    lloyd_unshift(&training->data, model->k, model->centers);
    report(run, "train", "msd", msd);
    return !data->test || test_model(model, data->test, wanted, run, err);
}

static bool kmeans_train(const void *params_, TrainData *data, TrainRun *run, Model **ret_model,
                         Error *err)
{
    const KmeansParams *params = params_;
    Dataset *train = data->train;
    Wanted wanted;
    if (!parse_metrics(params->eval_metrics, &wanted, err)) return false;
    if (!check_rows(train, "train", params->feature_dim, err)) return false;
    if (params->k > train->n_rows)
        return error_set(err, ERROR_INVALID, "k is %lld, but the train data has only %lld rows",
                         (long long)params->k, (long long)train->n_rows);

    AUTO(kmeans_free) Model *model = model_new((int32_t)params->k, train->n_features, err);
    if (!model) return false;
    Training training = {
        .params = params, .run = run, .model = model, .random = random_stream(run->seed, 0x6b6d)};
    bool ok = take_rows(train, "train", run->pool, &training.data, err);
    ok = ok && train_prepared(&training, data, &wanted, err);
    lloyd_data_clear(&training.data);
    if (!ok) return false;
    *ret_model = STEAL(model);
    return true;
}

/* ---- answers ---- */

static bool kmeans_predict(const Model *model, const Matrix *data, PredictKind kind, Pool *pool,
                           Predictions *ret_predictions, Error *err)
{
    if (kind != PREDICT_DEFAULT)
        return error_set(err, ERROR_UNSUPPORTED,
                         "k-means answers with clusters and distances only");
    if (data->n_cols != model->d)
        return error_set(err, ERROR_INVALID, "expected %d features, got %d", model->d,
                         data->n_cols);
    Matrix matrix = *data;
    matrix.absent = 0;
    ret_predictions->n_rows = matrix.n_rows;
    float *index, *distance;
    if (!predictions_add(ret_predictions, "closest_cluster", 1, false, &index, err)) return false;
    if (!predictions_add(ret_predictions, "distance_to_cluster", 1, false, &distance, err))
        return false;
    if (!lloyd_nearest(&matrix, model->centers, model->k, pool, index, distance, err)) return false;
    for (int64_t i = 0; i < matrix.n_rows; i++)
        if (!isfinite(distance[i]))
            return error_set(
                err, ERROR_INVALID,
                "record %lld has a value that is no finite number; k-means needs all features",
                (long long)i);
    return true;
}

static int32_t kmeans_predict_row(const Model *model, const float *row, float *out, int32_t max)
{
    if (max < 2) return 0;
    double best = INFINITY;
    int32_t index = 0;
    for (int32_t c = 0; c < model->k; c++) {
        const float *center = model->centers + (int64_t)c * model->d;
        double square = 0;
        for (int32_t j = 0; j < model->d; j++) {
            double v = (double)row[j] - (double)center[j];
            square += v * v;
        }
        if (square < best) {
            best = square;
            index = c;
        }
    }
    out[0] = (float)index;
    out[1] = (float)sqrt(best);
    return 2;
}

/* ---- the artifact ---- */

static const char artifact_name[] = "model_algo-1";
static const size_t ARTIFACT_BYTES_MAX = (size_t)8 << 30;

static bool kmeans_save(const Model *model, const char *folder, Error *err)
{
    ARENA(scratch);
    size_t n = (size_t)model->k * (size_t)model->d;
    NdArray array = {.type = ND_F32,
                     .n_dims = 2,
                     .dims = {model->k, model->d},
                     .n = (int64_t)n,
                     .data = model->centers};
    AUTO_STRBUF StrBuf out = STRBUF(n * sizeof(float) + 1024);
    ndarray_write(&array, 1, &out);
    return file_commit(path_join(&scratch, folder, artifact_name), strbuf_str(&out), err);
}

static bool centers_of(const NdArray *arrays, size_t n, Model **ret_model, Error *err)
{
    if (n != 1 || arrays[0].n_dims != 2 || arrays[0].n == 0)
        return error_set(err, ERROR_INVALID, "%zu arrays; a k-means model is one table of centers",
                         n);
    if (arrays[0].dims[0] > INT32_MAX || arrays[0].dims[1] > INT32_MAX)
        return error_set(err, ERROR_LIMIT, "%lld centers of %lld features are too many",
                         (long long)arrays[0].dims[0], (long long)arrays[0].dims[1]);
    AUTO(kmeans_free)
    Model *model = model_new((int32_t)arrays[0].dims[0], (int32_t)arrays[0].dims[1], err);
    if (!model) return false;
    ndarray_floats(&arrays[0], model->centers);
    for (int64_t i = 0; i < arrays[0].n; i++)
        if (!isfinite(model->centers[i]))
            return error_set(err, ERROR_INVALID, "center %lld has a value that is no finite number",
                             (long long)(i / model->d));
    *ret_model = STEAL(model);
    return true;
}

static bool kmeans_load(const char *folder, Model **ret_model, Error *err)
{
    ARENA(scratch);
    const char *path = path_join(&scratch, folder, artifact_name);
    Str bytes;
    if (!file_map(path, &bytes, err)) return false;
    NdArray *arrays;
    size_t n;
    bool ok = bytes.len <= ARTIFACT_BYTES_MAX
                  ? ndarray_parse(bytes, &scratch, &arrays, &n, err) &&
                        centers_of(arrays, n, ret_model, err)
                  : error_set(err, ERROR_LIMIT, "it is larger than 8 GB");
    file_unmap(bytes);
    return ok || error_in(err, "reading '%s'", path);
}

static Task kmeans_task(const Model *model)
{
    (void)model;
    return TASK_CLUSTERING;
}

static int32_t kmeans_n_features(const Model *model)
{
    return model->d;
}

const Algorithm kmeans_algorithm = {
    .name = "kmeans",
    .summary = "K-means clustering",
    .images = kmeans_images,
    .params = kmeans_params,
    .params_size = sizeof(KmeansParams),
    .metrics = kmeans_metrics,
    .channels = kmeans_channels,
    .content_types = kmeans_content_types,
    .default_accept = "application/json",
    .sparse = true,
    .iterative = true,
    .suggest = kmeans_suggest,
    .check = kmeans_check,
    .train = kmeans_train,
    .predict = kmeans_predict,
    .save = kmeans_save,
    .load = kmeans_load,
    .free = kmeans_free,
    .task = kmeans_task,
    .n_features = kmeans_n_features,
    .predict_row = kmeans_predict_row,
};
