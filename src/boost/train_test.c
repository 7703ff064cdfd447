/* Boosting as a whole: what it learns, and that nothing but the data and the seed matters. */

#include "boost/train.h"

#include "base/memory.h"
#include "base/hash.h"
#include "base/random.h"
#include "base/test.h"
#include "boost/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MADE_COLUMNS_MAX = 16 };

typedef struct Made { /* data made for a test */
    int64_t n_rows;
    int32_t n_cols;
    float *column[MADE_COLUMNS_MAX], *label, *weight;
} Made;

static Made make_data(int64_t n_rows, int32_t n_cols, uint64_t seed)
{
    Error err = {0};
    Made made = {.n_rows = n_rows, .n_cols = n_cols};
    made.label = data_array(float, n_rows, "a test", &err);
    CHECK(made.label != NULL);
    for (int32_t j = 0; j < n_cols; j++) {
        made.column[j] = data_array(float, n_rows, "a test", &err);
        CHECK(made.column[j] != NULL);
        for (int64_t i = 0; i < n_rows; i++)
            made.column[j][i] = (float)random_normal(random_stream(seed, (uint64_t)j), (uint64_t)i);
    }
    return made;
}

static BoostData boost_data(const Made *made)
{
    return (BoostData){
        .features = {.layout = MATRIX_COLUMNS,
                     .n_rows = made->n_rows,
                     .n_cols = made->n_cols,
                     .column = (float *const *)made->column},
        .labels = {.n_rows = made->n_rows, .label = made->label, .weight = made->weight},
    };
}

static BoostParams preset(const char *objective)
{
    return (BoostParams){
        .n_rounds = 10,
        .eta = 0.3,
        .lambda = 1,
        .min_child_weight = 1,
        .max_depth = 4,
        .max_bin = 256,
        .subsample = 1,
        .colsample_bytree = 1,
        .colsample_bylevel = 1,
        .colsample_bynode = 1,
        .n_parallel = 1,
        .base_score = (double)NAN,
        .max_cat_to_onehot = 4,
        .max_cat_threshold = 64,
        .objective = {.name = str_of(objective), .scale_pos_weight = 1},
    };
}

static BoostModel *train(const BoostParams *params, const Made *made, int threads)
{
    Error err = {0};
    BoostData data = boost_data(made);
    AUTO(pool_free) Pool *pool = pool_new(threads);
    BoostModel *model = NULL;
    CHECK_OK(boost_train(params, &data, NULL, NULL, NULL, pool, &model, &err), err);
    return model;
}

static void check_same(const BoostModel *a, const BoostModel *b)
{
    CHECK_INT(a->n_trees, b->n_trees);
    for (int32_t i = 0; i < a->n_trees; i++) {
        const Tree *x = &a->trees[i], *y = &b->trees[i];
        CHECK_INT(x->n_nodes, y->n_nodes);
        size_t n = (size_t)x->n_nodes;
        CHECK(!memcmp(x->left, y->left, n * sizeof *x->left));
        CHECK(!memcmp(x->feature, y->feature, n * sizeof *x->feature));
        CHECK(!memcmp(x->threshold, y->threshold, n * sizeof *x->threshold));
        CHECK(!memcmp(x->default_left, y->default_left, n));
        CHECK(!memcmp(x->weight, y->weight, n * sizeof *x->weight));
        CHECK(!memcmp(x->gain, y->gain, n * sizeof *x->gain));
        CHECK(!memcmp(x->cover, y->cover, n * sizeof *x->cover));
    }
}

static Made made_classes(int64_t n_rows)
{
    Made made = make_data(n_rows, 6, 1);
    for (int64_t i = 0; i < n_rows; i++) {
        double margin = (double)made.column[0][i] * (double)made.column[1][i] +
                        (double)made.column[2][i];
        double noise = random_normal(random_stream(1, 99), (uint64_t)i);
        made.label[i] = margin + 0.5 * noise > 0;
        if (i % 7 == 0) made.column[3][i] = (float)NAN;
    }
    return made;
}

TEST(train, same_bits_on_any_number_of_threads)
{
    Made made = made_classes(150000);
    BoostParams params = preset("binary:logistic");
    params.n_rounds = 3;
    params.subsample = 0.9;
    AUTO(boost_model_free) BoostModel *one = train(&params, &made, 1);
    AUTO(boost_model_free) BoostModel *four = train(&params, &made, 4);
    check_same(one, four);
}

TEST(train, a_stump_finds_the_step_and_its_leaves_are_newton_steps)
{
    Made made = make_data(100, 1, 3);
    for (int64_t i = 0; i < 100; i++) {
        made.column[0][i] = (float)(i % 10);
        made.label[i] = i % 10 < 4 ? 1 : 3;
    }
    BoostParams params = preset("reg:squarederror");
    params.n_rounds = 1;
    params.max_depth = 1;
    params.eta = 0.5;
    params.base_score = 0;
    AUTO(boost_model_free) BoostModel *model = train(&params, &made, 1);
    const Tree *tree = &model->trees[0];
    CHECK_INT(tree->n_nodes, 3);
    CHECK_INT(tree->feature[0], 0);
    CHECK(tree->threshold[0] == 4.0f);
    /* -G / (H + lambda) times eta: 40 rows of 1, 60 rows of 3. */
    CHECK_NEAR((double)tree->threshold[1], 0.5 * 40 / 41, 1e-6);
    CHECK_NEAR((double)tree->threshold[2], 0.5 * 180 / 61, 1e-6);
    CHECK_NEAR((double)tree->gain[0], 40.0 * 40 / 41 + 180.0 * 180 / 61 - 220.0 * 220 / 101, 1e-5);
    CHECK_NEAR((double)tree->cover[0], 100, 0);
}

/* A number that two models share only when all their bits are equal. */
static uint64_t fingerprint(const BoostModel *model)
{
    uint64_t hash = 0;
    for (int32_t i = 0; i < model->n_trees; i++) {
        const Tree *tree = &model->trees[i];
        size_t n = (size_t)tree->n_nodes;
        hash = hash_bytes(tree->feature, n * sizeof *tree->feature, hash);
        hash = hash_bytes(tree->threshold, n * sizeof *tree->threshold, hash);
        hash = hash_bytes(tree->left, n * sizeof *tree->left, hash);
        hash = hash_bytes(tree->default_left, n, hash);
        hash = hash_bytes(tree->gain, n * sizeof *tree->gain, hash);
    }
    return hash;
}

/* With this many rows, gradients are rounded to 16 bits where their sizes allow it. */
static void check_levels(int64_t n_rows, int64_t n_rounds)
{
    static const char *const levels[] = {"base", "avx2", "avx512"};
    uint64_t prints[COUNT(levels)];
    for (size_t i = 0; i < COUNT(levels); i++) {
        int ends[2];
        CHECK(pipe(ends) == 0);
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) { /* the level is found once per process */
            setenv("CLARY_CPU", levels[i], 1);
            Made made = made_classes(n_rows);
            BoostParams params = preset("reg:squarederror");
            params.n_rounds = n_rounds;
            AUTO(boost_model_free) BoostModel *model = train(&params, &made, 1);
            uint64_t print = fingerprint(model);
            _exit(write(ends[1], &print, sizeof print) != (ssize_t)sizeof print);
        }
        close(ends[1]);
        CHECK(read(ends[0], &prints[i], sizeof prints[i]) == (ssize_t)sizeof prints[i]);
        close(ends[0]);
        int status;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    CHECK(prints[0] == prints[1]);
    CHECK(prints[0] == prints[2]);
}

TEST(train, same_bits_on_every_processor_level)
{
    check_levels(5000, 10);
    check_levels(70000, 2);
}

static float margin_at(const BoostModel *model, const float *row)
{
    Error err = {0};
    AUTO(predictor_free) Predictor *predictor = NULL;
    CHECK_OK(predictor_new(model, &predictor, &err), err);
    float margin;
    predict_margin_row(predictor, row, &margin);
    return margin;
}

TEST(train, a_weight_of_two_is_a_row_twice)
{
    Made made = made_classes(300), twice = made_classes(300);
    for (int32_t j = 0; j < made.n_cols; j++) {
        Error err = {0};
        float *column = data_array(float, 600, "a test", &err);
        for (int64_t i = 0; i < 600; i++) column[i] = roundf(4 * made.column[j][i / 2]);
        for (int64_t i = 0; i < 300; i++) made.column[j][i] = column[2 * i];
        twice.column[j] = column;
    }
    Error err = {0};
    made.weight = data_array(float, 300, "a test", &err);
    twice.label = data_array(float, 600, "a test", &err);
    twice.n_rows = 600;
    for (int64_t i = 0; i < 600; i++) {
        made.weight[i / 2] = 2;
        /* No two rows alike, so that gains do not tie. */
        made.label[i / 2] = (float)random_normal(random_stream(8, 0), (uint64_t)i / 2) +
                            made.column[0][i / 2];
        twice.label[i] = made.label[i / 2];
    }
    BoostParams params = preset("reg:squarederror");
    AUTO(boost_model_free) BoostModel *a = train(&params, &made, 1);
    AUTO(boost_model_free) BoostModel *b = train(&params, &twice, 1);
    /* Splits that part the rows of a node alike may tie, so the margins are compared, not the trees. */
    for (int64_t i = 0; i < 300; i++) {
        float row[6];
        for (int32_t j = 0; j < 6; j++) row[j] = made.column[j][i];
        CHECK_NEAR((double)margin_at(a, row), (double)margin_at(b, row), 1e-4);
    }
}

typedef struct Seen {
    int32_t n;
    double values[64];
} Seen;

static bool see_round(void *host, int64_t round, const BoostModel *model, const double *values,
                      int n_data)
{
    (void)round;
    (void)model;
    Seen *seen = host;
    for (int i = 0; i < 2 * n_data; i++) seen->values[seen->n++] = values[i];
    return true;
}

/* The rows of `few` over and over, KINDS_REPEATED times, against those rows with that weight.  So many
 * rows alike are merged; 500 are not. */
static void check_repeated(const char *objective, int32_t n_classes)
{
    enum { KINDS = 500, REPEATED = 40 };
    Made few = made_classes(KINDS), many = make_data(KINDS * REPEATED, 6, 1);
    Error err = {0};
    few.weight = data_array(float, KINDS, "a test", &err);
    for (int64_t i = 0; i < KINDS; i++) {
        for (int32_t j = 0; j < few.n_cols; j++) few.column[j][i] = roundf(4 * few.column[j][i]);
        few.weight[i] = REPEATED;
        if (n_classes) few.label[i] = (float)((int)few.column[0][i] & 1) + few.label[i];
    }
    for (int64_t i = 0; i < many.n_rows; i++) {
        int64_t from = i * 7 % KINDS;
        for (int32_t j = 0; j < few.n_cols; j++) many.column[j][i] = few.column[j][from];
        many.label[i] = few.label[from];
    }
    BoostParams params = preset(objective);
    params.objective.n_classes = n_classes;
    params.n_rounds = 5;
    BoostMetric metrics[2]; /* the second one does not heed weights */
    const char *names[] = {n_classes ? "mlogloss" : "logloss", n_classes ? "accuracy" : "mse"};
    for (int m = 0; m < 2; m++)
        CHECK_OK(boost_metric_parse(str_of(names[m]), &params.objective, &metrics[m], &err), err);
    params.metrics = metrics;
    params.n_metrics = 2;
    Seen seen[2] = {0};
    BoostModel *models[2] = {0};
    for (int k = 0; k < 2; k++) {
        BoostData data = boost_data(k ? &many : &few);
        BoostHost host = {.host = &seen[k], .round = see_round};
        CHECK_OK(boost_train(&params, &data, NULL, NULL, &host, NULL, &models[k], &err), err);
    }
    CHECK_INT(seen[0].n, seen[1].n);
    for (int32_t i = 0; i < seen[0].n; i++) CHECK_NEAR(seen[0].values[i], seen[1].values[i], 1e-4);
    for (int64_t i = 0; i < KINDS && !n_classes; i++) {
        float row[6];
        for (int32_t j = 0; j < 6; j++) row[j] = few.column[j][i];
        CHECK_NEAR((double)margin_at(models[0], row), (double)margin_at(models[1], row), 2e-3);
    }
    boost_model_free(models[0]);
    boost_model_free(models[1]);
}

TEST(train, rows_that_are_alike_are_one_row_with_their_weights)
{
    check_repeated("binary:logistic", 0);
    check_repeated("multi:softprob", 3);
}

TEST(train, monotone_constraints_hold_everywhere)
{
    Made made = made_classes(3000);
    static const int8_t signs[6] = {1, 0, -1, 0, 0, 0};
    BoostParams params = preset("binary:logistic");
    params.max_depth = 6;
    params.monotone = signs;
    params.n_monotone = 6;
    AUTO(boost_model_free) BoostModel *model = train(&params, &made, 1);
    for (int64_t i = 0; i < 200; i++) {
        float row[6], last_up = -INFINITY, last_down = INFINITY;
        for (int32_t j = 0; j < 6; j++) row[j] = made.column[j][i];
        for (float x = -3; x <= 3; x += 0.25f) {
            row[0] = x;
            float up = margin_at(model, row);
            CHECK(up >= last_up - 1e-5f);
            last_up = up;
        }
        row[0] = made.column[0][i];
        for (float x = -3; x <= 3; x += 0.25f) {
            row[2] = x;
            float down = margin_at(model, row);
            CHECK(down <= last_down + 1e-5f);
            last_down = down;
        }
    }
}

TEST(train, interaction_sets_bound_every_path)
{
    Made made = made_classes(3000);
    static const int32_t sets[] = {0, 2, 1, 3, 4, 5}, start[] = {0, 2, 6};
    BoostParams params = preset("binary:logistic");
    params.interaction_sets = sets;
    params.interaction_start = start;
    params.n_interactions = 2;
    AUTO(boost_model_free) BoostModel *model = train(&params, &made, 1);
    for (int32_t t = 0; t < model->n_trees; t++) {
        const Tree *tree = &model->trees[t];
        for (int32_t i = 0; i < tree->n_nodes; i++) {
            if (tree_is_leaf(tree, i)) continue;
            bool first = tree->feature[i] == 0 || tree->feature[i] == 2;
            for (int32_t up = tree->parent[i]; up >= 0; up = tree->parent[up])
                CHECK_INT(tree->feature[up] == 0 || tree->feature[up] == 2, first);
        }
    }
}

/* The same data as CSR: `keep` says which cells are stored; the others are missing in both forms. */
static bool is_stored(int64_t row, int32_t column, unsigned one_in)
{
    return random_u64(random_stream(5, (uint64_t)column), (uint64_t)row) % one_in == 0;
}

static void check_sparse(unsigned one_in)
{
    Error err = {0};
    ARENA(arena);
    Made made = made_classes(4000);
    int64_t *row_start = arena_array(&arena, int64_t, made.n_rows + 1), n = 0;
    int32_t *col = arena_array(&arena, int32_t, made.n_rows * made.n_cols);
    float *value = arena_array(&arena, float, made.n_rows *made.n_cols);
    for (int64_t i = 0; i < made.n_rows; i++) {
        for (int32_t j = 0; j < made.n_cols; j++) {
            if (!is_stored(i, j, one_in)) made.column[j][i] = (float)NAN;
            if (isnan(made.column[j][i])) continue;
            col[n] = j;
            value[n++] = made.column[j][i];
        }
        row_start[i + 1] = n;
    }
    BoostParams params = preset("binary:logistic");
    params.max_bin = 64;
    params.subsample = 0.8;
    AUTO(boost_model_free) BoostModel *dense = train(&params, &made, 1);
    BoostData data = boost_data(&made);
    data.features = (Matrix){.layout = MATRIX_CSR,
                             .n_rows = made.n_rows,
                             .n_cols = made.n_cols,
                             .row_start = row_start,
                             .col = col,
                             .value = value,
                             .absent = (float)NAN};
    AUTO(boost_model_free) BoostModel *sparse = NULL;
    CHECK_OK(boost_train(&params, &data, NULL, NULL, NULL, NULL, &sparse, &err), err);
    check_same(dense, sparse);
}

TEST(train, sparse_rows_give_the_model_of_dense_columns)
{
    check_sparse(10); /* kept sparse */
    check_sparse(2);  /* turned into dense bins */
}

TEST(train, many_bins_take_two_bytes_and_find_the_finer_split)
{
    Made made = make_data(3000, 2, 4);
    for (int64_t i = 0; i < made.n_rows; i++) {
        made.column[0][i] = (float)i;
        made.label[i] = i >= 1234;
    }
    BoostParams params = preset("reg:squarederror");
    params.max_bin = 4096;
    params.n_rounds = 1;
    AUTO(boost_model_free) BoostModel *model = train(&params, &made, 1);
    CHECK_INT(model->trees[0].feature[0], 0);
    CHECK(model->trees[0].threshold[0] == 1234.0f);
}

typedef struct Log {
    int64_t n_rounds;
    double value[2][400];
} Log;

static bool note_round(void *host, int64_t round, const BoostModel *model, const double *values,
                       int n_data)
{
    Log *log = host;
    CHECK_INT(round, log->n_rounds);
    CHECK_INT(model->n_rounds, round + 1);
    for (int d = 0; d < n_data; d++) log->value[d][round] = values[d];
    log->n_rounds++;
    return true;
}

TEST(train, early_stopping_keeps_the_best_round)
{
    Error err = {0};
    Made made = made_classes(600), other = make_data(600, 6, 2);
    for (int64_t i = 0; i < 600; i++)
        other.label[i] = (double)other.column[0][i] * (double)other.column[1][i] +
                             (double)other.column[2][i] >
                         0;
    BoostParams params = preset("binary:logistic");
    BoostMetric metric;
    CHECK_OK(boost_metric_parse(STR("logloss"), &params.objective, &metric, &err), err);
    params.metrics = &metric;
    params.n_metrics = 1;
    params.n_rounds = 400;
    params.early_stopping_rounds = 5;
    BoostData train_data = boost_data(&made), validation = boost_data(&other);
    Log log = {0};
    BoostHost host = {.host = &log, .round = note_round};
    AUTO(boost_model_free) BoostModel *model = NULL;
    CHECK_OK(boost_train(&params, &train_data, &validation, NULL, &host, NULL, &model, &err), err);
    CHECK(log.n_rounds < 400);
    int64_t best = 0;
    for (int64_t r = 1; r < log.n_rounds; r++)
        if (log.value[1][r] < log.value[1][best]) best = r;
    CHECK_INT(log.n_rounds, best + 6);
    CHECK_INT(model->n_rounds, best + 1);
    CHECK_INT(strtol(boost_model_attribute(model, "best_iteration").ptr, NULL, 10), best);

    /* What was logged for the best round is what the model says. */
    AUTO(predictor_free) Predictor *predictor = NULL;
    CHECK_OK(predictor_new(model, &predictor, &err), err);
    float margins[600];
    CHECK_OK(predict_margin(predictor, &validation.features, NULL, margins, &err), err);
    double value;
    CHECK_OK(boost_metric_value(&metric, model, &validation.labels, margins, NULL, &value, &err),
             err);
    CHECK_NEAR(value, log.value[1][best], 1e-6);
}

/* Margins that training kept from round to round are those of the model. */
static void check_last_value(BoostParams params, const BoostModel *start)
{
    Error err = {0};
    Made made = made_classes(500), other = made_classes(700);
    BoostMetric metric;
    CHECK_OK(boost_metric_parse(STR("logloss"), &params.objective, &metric, &err), err);
    params.metrics = &metric;
    params.n_metrics = 1;
    BoostData train_data = boost_data(&made), validation = boost_data(&other);
    Log log = {.n_rounds = start && !params.update ? start->n_rounds : 0};
    BoostHost host = {.host = &log, .round = note_round};
    AUTO(boost_model_free) BoostModel *model = NULL;
    CHECK_OK(boost_train(&params, &train_data, &validation, start, &host, NULL, &model, &err), err);
    AUTO(predictor_free) Predictor *predictor = NULL;
    CHECK_OK(predictor_new(model, &predictor, &err), err);
    const BoostData *sets[2] = {&train_data, &validation};
    for (int d = 0; d < 2; d++) {
        float margins[700];
        double value;
        CHECK_OK(predict_margin(predictor, &sets[d]->features, NULL, margins, &err), err);
        CHECK_OK(boost_metric_value(&metric, model, &sets[d]->labels, margins, NULL, &value, &err),
                 err);
        CHECK_NEAR(value, log.value[d][log.n_rounds - 1], 1e-5);
    }
}

TEST(train, kept_margins_are_those_of_the_model)
{
    BoostParams params = preset("binary:logistic");
    check_last_value(params, NULL);
    params.subsample = 0.5;
    params.colsample_bylevel = 0.7;
    params.n_parallel = 3;
    check_last_value(params, NULL);
    params.sampling_method = SAMPLING_GRADIENT;
    params.grow_policy = GROW_LOSSGUIDE;
    params.max_leaves = 10;
    check_last_value(params, NULL);
    params.n_parallel = 1;
    params.method = METHOD_EXACT;
    params.grow_policy = GROW_DEPTHWISE;
    check_last_value(params, NULL);
    params.method = METHOD_APPROX;
    check_last_value(params, NULL);
}

TEST(train, dart_keeps_margins_while_trees_come_and_go)
{
    BoostParams params = preset("binary:logistic");
    params.booster = BOOSTER_DART;
    params.rate_drop = 0.3;
    params.one_drop = true;
    check_last_value(params, NULL);
    params.dart_weighted = params.dart_forest = true;
    params.skip_drop = 0.5;
    check_last_value(params, NULL);
}

TEST(train, goes_on_from_a_model_and_updates_one)
{
    Made made = made_classes(500);
    BoostParams params = preset("binary:logistic");
    params.n_rounds = 4;
    AUTO(boost_model_free) BoostModel *start = train(&params, &made, 1);
    check_last_value(params, start);

    /* Four rounds and four more are eight rounds. */
    Error err = {0};
    BoostData data = boost_data(&made);
    AUTO(boost_model_free) BoostModel *more = NULL;
    CHECK_OK(boost_train(&params, &data, NULL, start, NULL, NULL, &more, &err), err);
    params.n_rounds = 8;
    AUTO(boost_model_free) BoostModel *whole = train(&params, &made, 1);
    CHECK_INT(more->n_rounds, 8);
    for (int32_t i = 0; i < 8; i++) CHECK_INT(more->trees[i].n_nodes, whole->trees[i].n_nodes);

    /* Refreshed on its own training data a model stays what it was. */
    params.n_rounds = 4;
    params.update = params.refresh = params.refresh_leaf = true;
    check_last_value(params, start);
    AUTO(boost_model_free) BoostModel *fresh = NULL;
    CHECK_OK(boost_train(&params, &data, NULL, start, NULL, NULL, &fresh, &err), err);
    for (int32_t i = 0; i < 4; i++)
        for (int32_t k = 0; k < fresh->trees[i].n_nodes; k++)
            CHECK_NEAR((double)fresh->trees[i].threshold[k], (double)start->trees[i].threshold[k],
                       1e-5);

    params.refresh = false;
    params.prune = true;
    params.gamma = 1e9;
    AUTO(boost_model_free) BoostModel *bare = NULL;
    CHECK_OK(boost_train(&params, &data, NULL, start, NULL, NULL, &bare, &err), err);
    for (int32_t i = 0; i < 4; i++) CHECK_INT(bare->trees[i].n_nodes, 1);
    params.n_rounds = 5;
    CHECK(!boost_train(&params, &data, NULL, start, NULL, NULL, &bare, &err));
}

TEST(train, refuses_what_it_cannot_read)
{
    Error err = {0};
    Made made = made_classes(100);
    made.column[2][17] = INFINITY;
    BoostParams params = preset("binary:logistic");
    BoostData data = boost_data(&made);
    BoostModel *model = NULL;
    CHECK(!boost_train(&params, &data, NULL, NULL, NULL, NULL, &model, &err));
    CHECK_STR(str_of(err.text),
              STR("feature 2, row 17: infinite; replace it by a number, or leave it "
                  "empty for missing"));
    made.column[2][17] = -1;
    static const uint8_t kinds[6] = {0, 0, 1, 0, 0, 0};
    data.is_category = kinds;
    CHECK(!boost_train(&params, &data, NULL, NULL, NULL, NULL, &model, &err));
    CHECK_INT(err.kind, ERROR_INVALID);
}

TEST(train, columns_with_one_frequent_value_give_the_same_trees)
{
    /* With more than 256 bins allowed, bins take two bytes and no column is taken out of the rows. */
    Made made = make_data(70000, 8, 6);
    for (int64_t i = 0; i < made.n_rows; i++) {
        for (int32_t j = 0; j < 8; j++) {
            float x = roundf(3 * made.column[j][i]);
            made.column[j][i] = j < 6 && x < 4 ? 1 : x;
        }
        made.label[i] = made.column[0][i] + made.column[1][i] * made.column[6][i] +
                        (float)random_normal(random_stream(7, 7), (uint64_t)i);
    }
    BoostParams params = preset("reg:squarederror");
    params.n_rounds = 3;
    params.subsample = 0.9;
    AUTO(boost_model_free) BoostModel *narrow = train(&params, &made, 1);
    AUTO(boost_model_free) BoostModel *threads = train(&params, &made, 3);
    params.max_bin = 300;
    AUTO(boost_model_free) BoostModel *wide = train(&params, &made, 1);
    check_same(narrow, wide);
    check_same(narrow, threads);
}
