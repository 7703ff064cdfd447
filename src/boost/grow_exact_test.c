#include "boost/grow.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"

#include <math.h>
#include <string.h>

enum { ROWS_MAX = 400, COLUMNS_MAX = 6 };

typedef struct TreeData {
    int n_rows, n_columns;
    float label[ROWS_MAX], weight[ROWS_MAX], x[COLUMNS_MAX][ROWS_MAX];
    float *columns[COLUMNS_MAX];
    BoostData boost;
} TreeData;

static double number(Str *line)
{
    Str word;
    double value;
    if (!str_next(line, ' ', &word) || !str_to_double(word, &value)) FAIL("a number is missing");
    return value;
}

static void view(TreeData *data)
{
    for (int j = 0; j < data->n_columns; j++) data->columns[j] = data->x[j];
    data->boost = (BoostData){
        .features = {.layout = MATRIX_COLUMNS,
                     .n_rows = data->n_rows,
                     .n_cols = data->n_columns,
                     .column = data->columns},
        .labels = {.n_rows = data->n_rows, .label = data->label, .weight = data->weight},
    };
}

static void read_data(Str *text, TreeData *data)
{
    Str line, word;
    CHECK(str_next_line(text, &line) && str_next(&line, ' ', &word) && str_is(word, "data"));
    data->n_rows = (int)number(&line);
    data->n_columns = (int)number(&line);
    CHECK(data->n_rows <= ROWS_MAX && data->n_columns <= COLUMNS_MAX);
    for (int i = 0; i < data->n_rows; i++) {
        CHECK(str_next_line(text, &line));
        data->label[i] = (float)number(&line);
        data->weight[i] = (float)number(&line);
        for (int j = 0; j < data->n_columns; j++) data->x[j][i] = (float)number(&line);
    }
    view(data);
}

static const BoostParams defaults = {
    .eta = 0.3,
    .lambda = 1,
    .min_child_weight = 1,
    .max_depth = 6,
    .max_bin = 256,
    .subsample = 1,
    .colsample_bytree = 1,
    .colsample_bylevel = 1,
    .colsample_bynode = 1,
    .objective = {.scale_pos_weight = 1},
};

/* Boosts as the trainer does; margins start from 0 and end as the model's. */
static void boost(const BoostParams *params, TreeData *data, const uint8_t *chosen, Pool *pool,
                  float *margin)
{
    static float gh[2 * ROWS_MAX];
    static int32_t leaf[ROWS_MAX], routed[ROWS_MAX];
    Error err = {0};
    AUTO(objective_free) Objective *objective = NULL;
    CHECK_OK(objective_new(&params->objective, &objective, &err), err);
    Builder *builder;
    if (params->method == METHOD_EXACT)
        CHECK_OK(exact_builder_new(params, &data->boost, pool, &builder, &err), err);
    else
        CHECK_OK(approx_builder_new(params, &data->boost, pool, &builder, &err), err);
    for (int64_t round = 0; round < params->n_rounds; round++) {
        CHECK_OK(objective_gradients(objective, &data->boost.labels, margin, round, pool, gh, &err),
                 err);
        for (int i = 0; chosen && i < data->n_rows; i++)
            if (!chosen[i]) gh[2 * i] = gh[2 * i + 1] = 0;
        Tree tree;
        CHECK_OK(tree_init(&tree, 16, &err), err);
        GrowTask task = {.tree = (uint64_t)round, .gh = gh, .stride = 2, .chosen = chosen};
        memset(leaf, 0xff, sizeof leaf);
        CHECK_OK(builder->grow(builder, &task, &tree, leaf, &err), err);
        CHECK_OK(tree_route(&tree, &data->boost.features, NULL, routed, &err), err);
        for (int i = 0; i < data->n_rows; i++) {
            CHECK_INT(leaf[i], routed[i]); /* rows the tree was not grown on, too */
            margin[i] += tree.threshold[leaf[i]];
        }
        tree_clear(&tree);
    }
    builder->free(builder);
}

TEST(exact, trees_predict_what_those_of_xgboost_do)
{
    ARENA(scratch);
    Error err = {0};
    static TreeData data;
    Str text, line, word, value;
    CHECK_OK(file_read(test_path("tests/golden/boost/exact.txt"), 1 << 20, &scratch, &text, &err),
             err);
    read_data(&text, &data);
    AUTO(pool_free) Pool *pool = pool_new(2);
    int n_blocks = 0;
    for (; str_next_line(&text, &line); n_blocks++) {
        Str title = line;
        BoostParams params = defaults;
        int8_t monotone[COLUMNS_MAX];
        CHECK(str_next(&line, ' ', &word) && str_is(word, "trees"));
        CHECK(str_next(&line, ' ', &word));
        params.method = str_is(word, "exact") ? METHOD_EXACT : METHOD_APPROX;
        CHECK(str_next(&line, ' ', &params.objective.name));
        params.n_rounds = (int64_t)number(&line);
        while (str_next(&line, ' ', &value)) {
            double x = 0;
            CHECK(str_next(&value, '=', &word));
            str_to_double(value, &x);
            if (str_is(word, "eta"))
                params.eta = x;
            else if (str_is(word, "alpha"))
                params.alpha = x;
            else if (str_is(word, "lambda"))
                params.lambda = x;
            else if (str_is(word, "gamma"))
                params.gamma = x;
            else if (str_is(word, "max_depth"))
                params.max_depth = (int64_t)x;
            else if (str_is(word, "max_bin"))
                params.max_bin = (int64_t)x;
            else if (str_is(word, "max_leaves"))
                params.max_leaves = (int64_t)x;
            else if (str_is(word, "min_child_weight"))
                params.min_child_weight = x;
            else if (str_is(word, "max_delta_step"))
                params.max_delta_step = x;
            else if (str_is(word, "grow_policy"))
                params.grow_policy = GROW_LOSSGUIDE;
            else if (str_is(word, "monotone_constraints")) {
                Str signs = str_slice(value, 1, value.len - 1), sign;
                params.monotone = monotone;
                while (str_next(&signs, ',', &sign)) {
                    CHECK(str_to_double(sign, &x));
                    monotone[params.n_monotone++] = (int8_t)x;
                }
            } else
                FAIL("unknown parameter '%.*s'", STR_ARG(word));
        }
        float margin[ROWS_MAX];
        float base = str_is(params.objective.name, "binary:logistic") ? 0 : 0.5f;
        for (int i = 0; i < data.n_rows; i++) margin[i] = base;
        boost(&params, &data, NULL, pool, margin);
        CHECK(str_next_line(&text, &line));
        for (int i = 0; i < data.n_rows; i++) {
            double want = number(&line);
            /* sums of up to 150 gradients in single precision on the package's side */
            if (!test_near((double)margin[i], want, 1e-5))
                FAIL("%.*s: row %d is %.9g, not %.9g", STR_ARG(title), i, (double)margin[i], want);
        }
    }
    CHECK(n_blocks >= 25);
}

static void random_data(TreeData *data)
{
    Random random = random_stream(21, 1);
    data->n_rows = ROWS_MAX;
    data->n_columns = COLUMNS_MAX;
    for (uint64_t i = 0; i < ROWS_MAX; i++) {
        for (uint64_t j = 0; j < COLUMNS_MAX; j++) {
            uint64_t at = i * COLUMNS_MAX + j;
            data->x[j][i] = random_unit(random, 2 * at) < 0.2
                                ? NAN
                                : (float)random_normal(random, 99999 + at);
        }
        data->label[i] = (float)random_normal(random, 77777 + i);
        data->weight[i] = 1;
    }
    view(data);
}

TEST(exact, layouts_threads_and_row_samples)
{
    static TreeData data, other;
    static float rows[ROWS_MAX * COLUMNS_MAX], value[ROWS_MAX * COLUMNS_MAX], margin[4][ROWS_MAX];
    static int32_t col[ROWS_MAX * COLUMNS_MAX];
    static int64_t row_start[ROWS_MAX + 1];
    static uint8_t chosen[ROWS_MAX];
    random_data(&data);
    for (int i = 0; i < ROWS_MAX; i++) {
        chosen[i] = i % 3 != 0;
        row_start[i + 1] = row_start[i];
        for (int j = 0; j < COLUMNS_MAX; j++) {
            float x = rows[i * COLUMNS_MAX + j] = data.x[j][i];
            if (isnan(x)) continue;
            col[row_start[i + 1]] = j;
            value[row_start[i + 1]++] = x;
        }
    }
    for (int method = METHOD_EXACT; method <= METHOD_APPROX; method++)
        for (int policy = GROW_DEPTHWISE; policy <= GROW_LOSSGUIDE; policy++) {
            BoostParams params = defaults;
            params.method = (TreeMethod)method;
            params.grow_policy = (GrowPolicy)policy;
            params.n_rounds = 4;
            params.max_bin = 16;
            params.gamma = 0.5;
            params.colsample_bynode = 0.7;
            params.objective.name = STR("reg:squarederror");
            AUTO(pool_free) Pool *pool = pool_new(3);
            memset(margin, 0, sizeof margin);
            boost(&params, &data, chosen, NULL, margin[0]);
            boost(&params, &data, chosen, pool, margin[1]);
            other = data;
            view(&other);
            other.boost.features = (Matrix){.layout = MATRIX_ROWS,
                                            .n_rows = ROWS_MAX,
                                            .n_cols = COLUMNS_MAX,
                                            .rows = rows,
                                            .row_stride = COLUMNS_MAX};
            boost(&params, &other, chosen, pool, margin[2]);
            other.boost.features = (Matrix){.layout = MATRIX_CSR,
                                            .n_rows = ROWS_MAX,
                                            .n_cols = COLUMNS_MAX,
                                            .row_start = row_start,
                                            .col = col,
                                            .value = value,
                                            .absent = NAN};
            boost(&params, &other, chosen, pool, margin[3]);
            for (int k = 1; k < 4; k++) CHECK(memcmp(margin[0], margin[k], sizeof margin[0]) == 0);
            double squares = 0;
            for (int i = 0; i < ROWS_MAX; i++)
                squares += pow((double)(data.label[i] - margin[0][i]), 2);
            CHECK(squares < 0.95 * ROWS_MAX); /* something was learnt */
        }
}

TEST(exact, categories_are_refused)
{
    static TreeData data;
    random_data(&data);
    uint8_t is_category[COLUMNS_MAX] = {0, 1};
    data.boost.is_category = is_category;
    BoostParams params = defaults;
    Builder *builder;
    Error err = {0};
    CHECK(!exact_builder_new(&params, &data.boost, NULL, &builder, &err));
    CHECK_STR(str_of(err.text),
              STR("tree_method exact does not split by categories (column 1 is one); "
                  "tree_method hist does"));
}
