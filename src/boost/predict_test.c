#include "boost/predict.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"

#include <math.h>
#include <stdlib.h>

/* ---- random models and rows ---- */

typedef struct Shape {
    int32_t n_features, n_trees, n_groups;
    int32_t n_nodes; /* splits a tree */
    int32_t depth_max;
    int32_t n_thresholds;   /* distinct ones a feature; 0: all different */
    int32_t category_every; /* every so many features is categorical; 0: none */
    int32_t category_max;
    bool dart, missing;
} Shape;

static float draw_threshold(const Shape *shape, Random random, uint64_t *at)
{
    if (shape->n_thresholds)
        return (float)random_below(random, (*at)++, (uint64_t)shape->n_thresholds) * 0.125f - 4;
    return (float)random_normal(random, (*at)++);
}

static bool is_category(const Shape *shape, int32_t feature)
{
    return shape->category_every && feature % shape->category_every == 0;
}

static BoostModel *random_model(const Shape *shape, uint64_t seed)
{
    Error err = {0};
    Random random = random_stream(seed, 1);
    uint64_t at = 0;
    BoostModel *model = boost_model_new();
    model->n_features = shape->n_features;
    model->n_groups = shape->n_groups;
    model->objective = STR("reg:squarederror");
    model->booster = shape->dart ? BOOSTER_DART : BOOSTER_GBTREE;
    for (int32_t t = 0; t < shape->n_trees; t++) {
        Tree tree;
        CHECK_OK(tree_init(&tree, 1, &err), err);
        for (int32_t s = 0; s < shape->n_nodes; s++) {
            int32_t node = (int32_t)random_below(random, at++, (uint64_t)tree.n_nodes), depth = 0;
            for (int32_t up = tree.parent[node]; up >= 0; up = tree.parent[up]) depth++;
            if (!tree_is_leaf(&tree, node) || depth >= shape->depth_max) continue;
            int32_t feature = (int32_t)random_below(random, at++, (uint64_t)shape->n_features);
            bool left = random_unit(random, at++) < 0.5;
            if (is_category(shape, feature)) {
                int32_t set[8];
                for (int32_t c = 0; c < 8; c++)
                    set[c] = (int32_t)random_below(random, at++, (uint64_t)shape->category_max);
                CHECK_OK(tree_split_categories(&tree, node, feature, set, 8, left, &err), err);
            } else {
                CHECK_OK(tree_split(&tree, node, feature, draw_threshold(shape, random, &at), left,
                                    &err),
                         err);
            }
        }
        for (int32_t i = 0; i < tree.n_nodes; i++)
            if (tree_is_leaf(&tree, i)) tree.threshold[i] = (float)random_normal(random, at++);
        CHECK_OK(boost_model_add_tree(model, &tree, t % shape->n_groups, &err), err);
        if (model->tree_weight) model->tree_weight[t] = (float)random_unit(random, at++);
    }
    CHECK_OK(boost_model_end_round(model, &err), err);
    return model;
}

/* Values that hit thresholds exactly, pass them all, are infinite, no category, or missing. */
static float *random_rows(const Shape *shape, int64_t n, uint64_t seed)
{
    Random random = random_stream(seed, 2);
    uint64_t at = 0;
    float *x = data_array(float, n * shape->n_features, "the rows", NULL);
    for (int64_t i = 0; i < n * shape->n_features; i++) {
        double kind = random_unit(random, at++);
        if (is_category(shape, (int32_t)(i % shape->n_features)))
            x[i] = (float)random_below(random, at++, (uint64_t)shape->category_max + 3);
        else
            x[i] = draw_threshold(shape, random, &at);
        if (kind < 0.01) x[i] = INFINITY;
        if (kind > 0.99) x[i] = -INFINITY;
        if (kind > 0.48 && kind < 0.5) x[i] = -x[i];
        if (shape->missing && kind > 0.5 && kind < 0.6) x[i] = NAN;
    }
    return x;
}

/* What the trees say, node by node. */
static void reference(const BoostModel *model, const float *row, float *out)
{
    for (int32_t g = 0; g < model->n_groups; g++)
        out[g] = (float)boost_model_group_margin(model, g);
    for (int32_t t = 0; t < model->n_trees; t++) {
        const Tree *tree = &model->trees[t];
        int32_t node = 0;
        while (!tree_is_leaf(tree, node)) node = tree_next(tree, node, row[tree->feature[node]]);
        float weight = model->tree_weight ? model->tree_weight[t] : 1;
        out[model->tree_group[t]] += tree->threshold[node] * weight;
    }
}

static const Shape shapes[] = {
    {.n_features = 28,
     .n_trees = 20,
     .n_groups = 1,
     .n_nodes = 200,
     .depth_max = 6,
     .n_thresholds = 50},
    {.n_features = 28,
     .n_trees = 20,
     .n_groups = 1,
     .n_nodes = 200,
     .depth_max = 6,
     .n_thresholds = 50,
     .missing = true},
    {.n_features = 3,
     .n_trees = 40,
     .n_groups = 1,
     .n_nodes = 200,
     .depth_max = 6,
     .n_thresholds = 255,
     .missing = true},
    {.n_features = 2,
     .n_trees = 60,
     .n_groups = 1,
     .n_nodes = 200,
     .depth_max = 6,
     .missing = true}, /* u16 */
    {.n_features = 10,
     .n_trees = 9,
     .n_groups = 3,
     .n_nodes = 400,
     .depth_max = 7,
     .n_thresholds = 9,
     .missing = true},
    {.n_features = 10,
     .n_trees = 9,
     .n_groups = 3,
     .n_nodes = 2000,
     .depth_max = 8,
     .n_thresholds = 100,
     .missing = true},
    {.n_features = 10,
     .n_trees = 9,
     .n_groups = 2,
     .n_nodes = 2000,
     .depth_max = 9,
     .n_thresholds = 100,
     .missing = true},
    {.n_features = 10,
     .n_trees = 9,
     .n_groups = 1,
     .n_nodes = 3000,
     .depth_max = 10,
     .n_thresholds = 100,
     .missing = true,
     .category_every = 3,
     .category_max = 200},
    {.n_features = 10, /* more tests than a batch has */
     .n_trees = 50,
     .n_groups = 2,
     .n_nodes = 1000,
     .depth_max = 10,
     .missing = true},
    {.n_features = 10,
     .n_trees = 9,
     .n_groups = 2,
     .n_nodes = 2000,
     .depth_max = 40,
     .n_thresholds = 100,
     .missing = true},
    {.n_features = 6,
     .n_trees = 15,
     .n_groups = 1,
     .n_nodes = 90,
     .depth_max = 6,
     .n_thresholds = 10,
     .missing = true,
     .category_every = 2,
     .category_max = 12},
    {.n_features = 6,
     .n_trees = 15,
     .n_groups = 1,
     .n_nodes = 90,
     .depth_max = 6,
     .n_thresholds = 10,
     .missing = true,
     .category_every = 3,
     .category_max = 1000},
    {.n_features = 6,
     .n_trees = 15,
     .n_groups = 1,
     .n_nodes = 90,
     .depth_max = 6,
     .n_thresholds = 10,
     .category_every = 2,
     .category_max = 254,
     .dart = true},
    {.n_features = 300,
     .n_trees = 15,
     .n_groups = 1,
     .n_nodes = 1,
     .depth_max = 1,
     .n_thresholds = 1,
     .missing = true},
    {.n_features = 1, .n_trees = 5, .n_groups = 1, .n_nodes = 0, .depth_max = 1, .n_thresholds = 1},
    {.n_features = 4000,
     .n_trees = 100,
     .n_groups = 1,
     .n_nodes = 100,
     .depth_max = 6,
     .missing = true},
};

static bool same_bits(const float *a, const float *b, int64_t n)
{
    return memcmp(a, b, (size_t)n * sizeof *a) == 0;
}

static void check_every_path(void)
{
    Error err = {0};
    AUTO(pool_free) Pool *pool = pool_new(2);
    for (size_t s = 0; s < COUNT(shapes); s++) {
        const Shape *shape = &shapes[s];
        AUTO(boost_model_free) BoostModel *model = random_model(shape, s);
        AUTO(predictor_free) Predictor *predictor = NULL;
        CHECK_OK(predictor_new(model, &predictor, &err), err);
        int64_t n = shape->n_features > 1000 ? 600 : 5000;
        int32_t n_features = shape->n_features, n_groups = shape->n_groups;
        AUTO_DATA float *x = random_rows(shape, n, s);
        AUTO_DATA float *want = data_array(float, n *n_groups, "", NULL);
        AUTO_DATA float *got = data_array(float, n *n_groups, "", NULL);
        for (int64_t i = 0; i < n; i++) reference(model, x + i * n_features, want + i * n_groups);

        for (int64_t i = 0; i < n; i++)
            predict_margin_row(predictor, x + i * n_features, got + i * n_groups);
        if (!same_bits(got, want, n * n_groups)) FAIL("shape %zu: single rows differ", s);

        Matrix rows = {.layout = MATRIX_ROWS,
                       .n_rows = n,
                       .n_cols = n_features,
                       .rows = x,
                       .row_stride = n_features};
        for (int threads = 0; threads < 2; threads++) {
            memset(got, 0, (size_t)(n * n_groups) * sizeof *got);
            CHECK_OK(predict_margin(predictor, &rows, threads ? pool : NULL, got, &err), err);
            for (int64_t i = 0; i < n * n_groups; i++)
                if (got[i] != want[i])
                    FAIL("shape %zu: row %lld of a batch is %g, not %g", s, (long long)i / n_groups,
                         (double)got[i], (double)want[i]);
        }
        for (int64_t few = 1; few < 600; few += few == 99 ? 416 : 7) { /* 515: 512 and few more */
            Matrix part = rows;
            part.n_rows = few;
            CHECK_OK(predict_margin(predictor, &part, NULL, got, &err), err);
            if (!same_bits(got, want, few * n_groups))
                FAIL("shape %zu: %d rows differ", s, (int)few);
        }

        float **column = calloc((size_t)n_features, sizeof *column);
        AUTO_DATA float *turned = data_array(float, n *n_features, "", NULL);
        for (int32_t f = 0; f < n_features; f++) {
            column[f] = turned + f * n;
            for (int64_t i = 0; i < n; i++) column[f][i] = x[i * n_features + f];
        }
        Matrix columns = {
            .layout = MATRIX_COLUMNS, .n_rows = n, .n_cols = n_features, .column = column};
        memset(got, 0, (size_t)(n * n_groups) * sizeof *got);
        CHECK_OK(predict_margin(predictor, &columns, pool, got, &err), err);
        if (!same_bits(got, want, n * n_groups)) FAIL("shape %zu: columns differ", s);
        free(column);

        AUTO_DATA int64_t *start = data_array(int64_t, n + 1, "", NULL);
        AUTO_DATA int32_t *col = data_array(int32_t, n * n_features, "", NULL);
        AUTO_DATA float *value = data_array(float, n *n_features, "", NULL);
        for (int64_t i = 0; i < n; i++) {
            start[i + 1] = start[i];
            for (int32_t f = 0; f < n_features; f++) {
                if (isnan(x[i * n_features + f])) continue;
                col[start[i + 1]] = f;
                value[start[i + 1]++] = x[i * n_features + f];
            }
        }
        Matrix sparse = {.layout = MATRIX_CSR,
                         .n_rows = n,
                         .n_cols = n_features,
                         .row_start = start,
                         .col = col,
                         .value = value,
                         .absent = NAN};
        memset(got, 0, (size_t)(n * n_groups) * sizeof *got);
        CHECK_OK(predict_margin(predictor, &sparse, pool, got, &err), err);
        if (!same_bits(got, want, n * n_groups)) FAIL("shape %zu: sparse rows differ", s);
    }
}

TEST(predict, every_path_gives_the_bits_of_the_plain_walk)
{
    check_every_path();
}

/* A test is a process of its own, so the level is not known yet. */
TEST(predict, the_same_bits_with_avx2)
{
    setenv("CLARY_CPU", "avx2", 1);
    CHECK(cpu_level() <= CPU_AVX2);
    check_every_path();
}

TEST(predict, the_same_bits_in_plain_c)
{
    setenv("CLARY_CPU", "base", 1);
    CHECK(cpu_level() == CPU_BASE);
    check_every_path();
}

TEST(predict, the_number_of_features_must_fit)
{
    Error err = {0};
    AUTO(boost_model_free) BoostModel *model = random_model(&shapes[2], 1);
    AUTO(predictor_free) Predictor *predictor = NULL;
    CHECK_OK(predictor_new(model, &predictor, &err), err);
    float x[4] = {0}, out;
    Matrix rows = {.layout = MATRIX_ROWS, .n_rows = 1, .n_cols = 4, .rows = x, .row_stride = 4};
    CHECK(!predict_margin(predictor, &rows, NULL, &out, &err));
    CHECK_STR(str_of(err.text), STR("the data has 4 features, the model was trained with 3"));
}

TEST(predict, linear_models_add_what_is_there)
{
    Error err = {0};
    AUTO(boost_model_free) BoostModel *model = boost_model_new();
    model->booster = BOOSTER_GBLINEAR;
    model->n_features = 2;
    model->n_groups = 2;
    model->base_score = 0.5;
    model->linear = data_array(float, 6, "", NULL);
    for (int i = 0; i < 6; i++) model->linear[i] = (float)(i + 1);
    AUTO(predictor_free) Predictor *predictor = NULL;
    CHECK_OK(predictor_new(model, &predictor, &err), err);
    float x[4] = {1, 2, NAN, 3}, out[4], row[2];
    Matrix rows = {.layout = MATRIX_ROWS, .n_rows = 2, .n_cols = 2, .rows = x, .row_stride = 2};
    CHECK_OK(predict_margin(predictor, &rows, NULL, out, &err), err);
    CHECK_NEAR(out[0], 1 + 2 * 3 + 5 + 0.5, 1e-6);
    CHECK_NEAR(out[1], 2 + 2 * 4 + 6 + 0.5, 1e-6);
    CHECK_NEAR(out[2], 3 * 3 + 5 + 0.5, 1e-6);
    predict_margin_row(predictor, x + 2, row);
    CHECK(same_bits(row, out + 2, 2));
}

/* Contributions sum to the margin, and interactions to contributions, for any tree. */
TEST(predict, contributions_and_interactions_add_up)
{
    for (size_t s = 4; s < 10; s++) {
        Error err = {0};
        const Shape *shape = &shapes[s];
        AUTO(boost_model_free) BoostModel *model = random_model(shape, s);
        for (int32_t t = 0; t < model->n_trees; t++) {
            Tree *tree = &model->trees[t];
            for (int32_t i = tree->n_nodes; i-- > 0;)
                tree->cover[i] = tree_is_leaf(tree, i)
                                     ? (float)(i % 7 + 1)
                                     : tree->cover[tree->left[i]] + tree->cover[tree->right[i]];
        }
        AUTO(predictor_free) Predictor *predictor = NULL;
        CHECK_OK(predictor_new(model, &predictor, &err), err);
        enum { ROWS = 11 };
        int32_t n_features = shape->n_features, n_groups = shape->n_groups,
                n_columns = n_features + 1;
        AUTO_DATA float *x = random_rows(shape, ROWS, s);
        AUTO_DATA float *margin = data_array(float, ROWS *n_groups, "", NULL);
        AUTO_DATA float *phi = data_array(float, ROWS *n_groups *n_columns, "", NULL);
        AUTO_DATA float *pairs = data_array(float, ROWS *n_groups *n_columns *n_columns, "", NULL);
        Matrix rows = {.layout = MATRIX_ROWS,
                       .n_rows = ROWS,
                       .n_cols = n_features,
                       .rows = x,
                       .row_stride = n_features};
        CHECK_OK(predict_margin(predictor, &rows, NULL, margin, &err), err);
        CHECK_OK(predict_contributions(model, &rows, NULL, phi, &err), err);
        CHECK_OK(predict_interactions(model, &rows, NULL, pairs, &err), err);
        for (int32_t i = 0; i < ROWS * n_groups; i++) {
            double sum = 0;
            for (int32_t f = 0; f < n_columns; f++) {
                double row_sum = 0;
                const float *pair = pairs + ((int64_t)i * n_columns + f) * n_columns;
                for (int32_t g = 0; g < n_columns; g++) {
                    row_sum += (double)pair[g];
                    CHECK_NEAR((double)pair[g],
                               (double)pairs[((int64_t)i * n_columns + g) * n_columns + f], 1e-5);
                }
                CHECK_NEAR(row_sum, (double)phi[i * n_columns + f], 1e-5);
                sum += (double)phi[i * n_columns + f];
            }
            CHECK_NEAR(sum, (double)margin[i], 1e-5);
        }
    }
}
