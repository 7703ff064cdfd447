/* k-means as an algorithm: hyperparameters, log lines, artifact, answers. */

#include "algo/algorithm.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

extern const Algorithm kmeans_algorithm;

/* What a run said. */
typedef struct Host {
    StrBuf log;
    double train_msd, test_msd, test_ssd;
    int rounds, rounds_max;
} Host;

static bool on_round(void *host_, int64_t round, int64_t n_rounds, const MetricValue *metrics,
                     int n_metrics)
{
    Host *host = host_;
    (void)round, (void)n_rounds, (void)metrics, (void)n_metrics;
    host->rounds++;
    return host->rounds_max == 0 || host->rounds < host->rounds_max;
}

static void on_metric(void *host_, const MetricValue *metric)
{
    Host *host = host_;
    CHECK_INT(metric->goal, GOAL_MINIMIZE);
    if (strcmp(metric->data, "train") == 0)
        host->train_msd = metric->value;
    else if (strcmp(metric->name, "msd") == 0)
        host->test_msd = metric->value;
    else
        host->test_ssd = metric->value;
}

__attribute__((format(printf, 2, 3))) static void on_log(void *host_, const char *format, ...)
{
    Host *host = host_;
    va_list args;
    va_start(args, format);
    strbuf_addv(&host->log, format, args);
    va_end(args);
    strbuf_add_char(&host->log, '\n');
}

/* n rows around `places` well separated places, in d columns. */
static Dataset *dataset_make(int64_t n, int32_t d, int32_t places)
{
    Error err = {0};
    Dataset *dataset = dataset_new();
    dataset->n_rows = n;
    dataset->n_features = d;
    dataset->columns = data_array(float *, d, "test", &err);
    Random where = random_stream(1, 1), noise = random_stream(1, 2);
    for (int32_t j = 0; j < d; j++) {
        dataset->columns[j] = data_array(float, n, "test", &err);
        for (int64_t i = 0; i < n; i++) {
            double x = 20 * random_normal(where, (uint64_t)(i % places * d + j)) +
                       0.1 * random_normal(noise, (uint64_t)(i * d + j));
            dataset->columns[j][i] = (float)x;
        }
    }
    return dataset;
}

static bool train(const ParamText *texts, size_t n_texts, Dataset *data, Dataset *test, Pool *pool,
                  Host *host, Model **ret_model, Error *err)
{
    ARENA(arena);
    void *params = arena_alloc(&arena, kmeans_algorithm.params_size);
    if (!params_parse(kmeans_algorithm.params, texts, n_texts, PARAM_STYLE_PLAIN, &arena, params,
                      err))
        return false;
    if (!kmeans_algorithm.check(params, err)) return false;
    host->log = (StrBuf)STRBUF(1 << 20);
    TrainRun run = {.pool = pool,
                    .seed = 5,
                    .arena = &arena,
                    .host = host,
                    .round = on_round,
                    .metric = on_metric,
                    .log = on_log,
                    .warn = on_log};
    TrainData train_data = {.train = data, .test = test};
    return kmeans_algorithm.train(params, &train_data, &run, ret_model, err);
}

#define TEXT(name, value)                                                                          \
    {                                                                                              \
        STR_INIT(name), STR_INIT(value)                                                            \
    }

TEST(kmeans, finds_separated_clusters_and_answers)
{
    Error err = {0};
    enum { N = 2000, D = 5, K = 8 };
    AUTO(dataset_free) Dataset *data = dataset_make(N, D, K);
    static const ParamText texts[] = {TEXT("k", "8"), TEXT("feature_dim", "5"),
                                      TEXT("eval_metrics", "[\"msd\",\"ssd\"]")};
    AUTO(dataset_free)
    Dataset *given = dataset_make(N, D, K), *test = NULL; /* training takes the columns */
    test = dataset_make(N, D, K);
    Host host = {0};
    Model *model = NULL;
    CHECK_OK(train(texts, COUNT(texts), given, test, NULL, &host, &model, &err), err);
    CHECK_NEAR(host.train_msd, 0.01 * D, 0.01); /* the noise: D columns of variance 0.1^2 */
    CHECK_NEAR(host.test_msd, host.train_msd, 1e-6);
    CHECK_NEAR(host.test_ssd, host.train_msd * N, 1e-6);
    CHECK(str_has(strbuf_str(&host.log),
                  STR("local kmeans attempt #0. Current mean square distance ")));
    CHECK(host.rounds > 0);

    Matrix matrix = dataset_matrix(data);
    Predictions predictions = {0};
    CHECK_OK(kmeans_algorithm.predict(model, &matrix, PREDICT_DEFAULT, NULL, &predictions, &err),
             err);
    CHECK_STR(predictions.outputs[0].name, STR("closest_cluster"));
    CHECK_STR(predictions.outputs[1].name, STR("distance_to_cluster"));
    double ssd = 0;
    for (int i = 0; i < N; i++) {
        CHECK(predictions.values[0][i] == predictions.values[0][i % K]);
        ssd += (double)predictions.values[1][i] * (double)predictions.values[1][i];
        float row[D], out[2];
        matrix_copy_rows(&matrix, i, i + 1, row, D);
        CHECK_INT(kmeans_algorithm.predict_row(model, row, out, 2), 2);
        CHECK(out[0] == predictions.values[0][i] && out[1] == predictions.values[1][i]);
    }
    CHECK_NEAR(ssd / N, host.train_msd, 1e-5);

    /* Saved and loaded, it answers with the same bits. */
    const char *folder = test_folder();
    Model *loaded = NULL;
    CHECK_OK(kmeans_algorithm.save(model, folder, &err), err);
    CHECK_OK(kmeans_algorithm.load(folder, &loaded, &err), err);
    CHECK_INT(kmeans_algorithm.n_features(loaded), D);
    Predictions again = {0};
    CHECK_OK(kmeans_algorithm.predict(loaded, &matrix, PREDICT_DEFAULT, NULL, &again, &err), err);
    CHECK(memcmp(predictions.values[1], again.values[1], N * sizeof(float)) == 0);
    predictions_clear(&predictions);
    predictions_clear(&again);
    kmeans_algorithm.free(model);
    kmeans_algorithm.free(loaded);
    strbuf_clear(&host.log);
}

TEST(kmeans, mini_batches_shrink_to_k)
{
    Error err = {0};
    AUTO(dataset_free) Dataset *data = dataset_make(20000, 4, 8);
    static const ParamText texts[] = {TEXT("k", "8"),
                                      TEXT("feature_dim", "4"),
                                      TEXT("extra_center_factor", "10"),
                                      TEXT("mini_batch_size", "1000"),
                                      TEXT("half_life_time_size", "50000"),
                                      TEXT("init_method", "kmeans++"),
                                      TEXT("epochs", "2")};
    float *values[2];
    for (int p = 0; p < 2; p++) {
        AUTO(pool_free) Pool *pool = pool_new(p ? 4 : 1);
        AUTO(dataset_free) Dataset *given = dataset_make(20000, 4, 8);
        Host host = {0};
        Model *model = NULL;
        CHECK_OK(train(texts, COUNT(texts), given, NULL, pool, &host, &model, &err), err);
        CHECK(str_has(strbuf_str(&host.log), STR("shrinking 80 centers into 8\n")));
        CHECK_NEAR(host.train_msd, 0.04, 0.01);
        CHECK_INT(host.rounds, 2);
        Matrix matrix = dataset_matrix(data);
        Predictions predictions = {0};
        CHECK_OK(
            kmeans_algorithm.predict(model, &matrix, PREDICT_DEFAULT, pool, &predictions, &err),
            err);
        values[p] = predictions.values[1];
        kmeans_algorithm.free(model);
    }
    CHECK(memcmp(values[0], values[1], 20000 * sizeof(float)) == 0);
}

TEST(kmeans, refusals_say_why)
{
    static const struct {
        ParamText texts[3];
        const char *want;
    } cases[] = {
        {{TEXT("k", "0"), TEXT("feature_dim", "3")}, "hyperparameter 'k': 0 is outside"},
        {{TEXT("k", "11"), TEXT("feature_dim", "3")},
         "k is 11, but the train data has only 10 rows"},
        {{TEXT("k", "2"), TEXT("feature_dim", "4")},
         "the train data has 3 features, feature_dim is 4"},
        {{TEXT("k", "2"), TEXT("feature_dim", "3"), TEXT("eval_metrics", "[\"rmse\"]")},
         "hyperparameter 'eval_metrics': '[\"rmse\"]' names something else than msd and ssd"},
        {{TEXT("k", "2"), TEXT("feature_dim", "3"), TEXT("eval_metrics", "msd")},
         "hyperparameter 'eval_metrics': 'msd' is no JSON list like [\"msd\", \"ssd\"]"},
        {{TEXT("k", "1000000"), TEXT("feature_dim", "3"), TEXT("extra_center_factor", "1000")},
         "k x extra_center_factor is 1e+09"},
        {{TEXT("k", "2"), TEXT("feature_dim", "3"), TEXT("epochs", "1")},
         "the train data, row 5, column 2: a missing value; k-means needs a finite number in every place"},
    };
    AUTO(dataset_free) Dataset *data = dataset_make(10, 3, 2);
    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        Host host = {0};
        Model *model = NULL;
        size_t n = cases[i].texts[2].name.len ? 3 : 2;
        data->columns[1][4] = i + 1 == COUNT(cases) ? NAN : 0;
        if (train(cases[i].texts, n, data, NULL, NULL, &host, &model, &err))
            FAIL("accepted: %s", cases[i].want);
        if (!str_has(str_of(err.text), str_of(cases[i].want)))
            FAIL("'%s' is not '%s'", err.text, cases[i].want);
    }
}

TEST(kmeans, constant_data_gives_equal_centers_with_a_warning)
{
    Error err = {0};
    AUTO(dataset_free) Dataset *data = dataset_make(100, 2, 1);
    for (int i = 0; i < 100; i++)
        data->columns[0][i] = 0.1f, data->columns[1][i] = i % 2 ? 7 : 1e4f;
    static const ParamText texts[] = {TEXT("k", "5"), TEXT("feature_dim", "2")};
    Host host = {0};
    Model *model = NULL;
    CHECK_OK(train(texts, COUNT(texts), data, NULL, NULL, &host, &model, &err), err);
    CHECK_NEAR(host.train_msd, 0, 1e-6);
    CHECK(str_has(strbuf_str(&host.log), STR("only 2 distinct rows")));
    kmeans_algorithm.free(model);
}

TEST(kmeans, a_run_can_be_stopped)
{
    Error err = {0};
    AUTO(dataset_free) Dataset *data = dataset_make(50000, 3, 40);
    static const ParamText texts[] = {TEXT("k", "30"), TEXT("feature_dim", "3"),
                                      TEXT("local_lloyd_tol", "0")};
    Host host = {.rounds_max = 2};
    Model *model = NULL;
    CHECK_OK(train(texts, COUNT(texts), data, NULL, NULL, &host, &model, &err), err);
    CHECK_INT(host.rounds, 2);
    kmeans_algorithm.free(model);
}

TEST(kmeans, models_that_are_none_are_refused)
{
    ARENA(arena);
    Error err = {0};
    const char *folder = test_folder();
    Model *model = NULL;
    CHECK(!kmeans_algorithm.load(folder, &model, &err));
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK_OK(file_commit(path_join(&arena, folder, "model_algo-1"),
                         STR("PK\3\4 something else entirely"), &err),
             err);
    CHECK(!kmeans_algorithm.load(folder, &model, &err));
    CHECK(str_has(str_of(err.text), STR("this is no NDArray list")));
}
