/* Boosting as a whole: what it learns, and that nothing but the data and the seed matters. */

#include "boost/train.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"
#include "boost/predict.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
        double margin = (double)made.column[0][i] * (double)made.column[1][i] + (double)made.column[2][i];
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
