#include "boost/gblinear.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"

#include <math.h>
#include <string.h>

enum { ROWS_MAX = 100, COLUMNS_MAX = 8, GROUPS_MAX = 4 };

typedef struct LinearData {
    int n_rows, n_columns;
    float real[ROWS_MAX], classes[ROWS_MAX], weight[ROWS_MAX], x[COLUMNS_MAX][ROWS_MAX];
} LinearData;

static double number(Str *line)
{
    Str word;
    double value;
    if (!str_next(line, ' ', &word) || !str_to_double(word, &value)) FAIL("a number is missing");
    return value;
}

static void read_data(Str *text, LinearData *data)
{
    Str line, word;
    CHECK(str_next_line(text, &line) && str_next(&line, ' ', &word) && str_is(word, "data"));
    data->n_rows = (int)number(&line);
    data->n_columns = (int)number(&line);
    CHECK(data->n_rows <= ROWS_MAX && data->n_columns <= COLUMNS_MAX);
    for (int i = 0; i < data->n_rows; i++) {
        CHECK(str_next_line(text, &line));
        data->real[i] = (float)number(&line);
        data->classes[i] = (float)number(&line);
        data->weight[i] = (float)number(&line);
        for (int j = 0; j < data->n_columns; j++) data->x[j][i] = (float)number(&line);
    }
}

/* Boosts as the trainer does, from base margin `base`. */
static void boost(const BoostParams *params, const Matrix *matrix, const LinearData *data,
                  const Labels *labels, float base, Pool *pool, float *weights)
{
    static float margin[ROWS_MAX * GROUPS_MAX], gh[2 * ROWS_MAX * GROUPS_MAX];
    Error err = {0};
    double total = 0;
    AUTO(objective_free) Objective *objective = NULL;
    CHECK_OK(objective_new(&params->objective, &objective, &err), err);
    int n_groups = objective_groups(objective), n_weights = (data->n_columns + 1) * n_groups;
    for (int i = 0; i < data->n_rows; i++) total += (double)data->weight[i];
    AUTO(linear_updater_free) LinearUpdater *updater = NULL;
    CHECK_OK(linear_updater_new(params, matrix, n_groups, total, &updater, &err), err);
    memset(weights, 0, (size_t)n_weights * sizeof(float));
    for (int64_t round = 0; round < params->n_rounds; round++) {
        for (int i = 0; i < data->n_rows; i++)
            for (int k = 0; k < n_groups; k++) {
                float sum = weights[data->n_columns * n_groups + k] + base;
                for (int j = 0; j < data->n_columns; j++)
                    if (!isnan(data->x[j][i])) sum += data->x[j][i] * weights[j * n_groups + k];
                margin[i * n_groups + k] = sum;
            }
        bool moved;
        CHECK_OK(objective_gradients(objective, labels, margin, round, pool, gh, &err), err);
        CHECK_OK(linear_update(updater, round, gh, weights, pool, &moved, &err), err);
    }
}

static Matrix columns_of(LinearData *data, float **columns)
{
    for (int j = 0; j < data->n_columns; j++) columns[j] = data->x[j];
    return (Matrix){.layout = MATRIX_COLUMNS,
                    .n_rows = data->n_rows,
                    .n_cols = data->n_columns,
                    .column = columns};
}

TEST(gblinear, weights_are_those_of_xgboost)
{
    static const char *const selectors[] = {"cyclic", "shuffle", "random", "greedy", "thrifty"};
    ARENA(scratch);
    Error err = {0};
    static LinearData data;
    Str text, line, word;
    CHECK_OK(file_read(test_path("tests/golden/boost/linear.txt"), 1 << 20, &scratch, &text, &err),
             err);
    read_data(&text, &data);
    float *columns[COLUMNS_MAX], binary[ROWS_MAX], weights[(COLUMNS_MAX + 1) * GROUPS_MAX];
    Matrix matrix = columns_of(&data, columns);
    for (int i = 0; i < data.n_rows; i++) binary[i] = data.classes[i] > 0;
    AUTO(pool_free) Pool *pool = pool_new(2);
    int n_blocks = 0;
    for (; str_next_line(&text, &line); n_blocks++) {
        Str title = line, value;
        BoostParams params = {.booster = BOOSTER_GBLINEAR, .objective = {.scale_pos_weight = 1}};
        CHECK(str_next(&line, ' ', &word) && str_is(word, "linear"));
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
            else if (str_is(word, "top_k"))
                params.top_k = (int64_t)x;
            else if (str_is(word, "num_class"))
                params.objective.n_classes = (int32_t)x;
            else if (str_is(word, "updater"))
                params.shotgun = str_is(value, "shotgun");
            else if (str_is(word, "feature_selector"))
                for (int s = 0; s < (int)COUNT(selectors); s++)
                    if (str_is(value, selectors[s])) params.feature_selector = s;
        }
        bool multi = params.objective.n_classes > 0,
             regression = str_starts(params.objective.name, STR("reg:"));
        Labels labels = {.n_rows = data.n_rows,
                         .weight = data.weight,
                         .label = regression ? data.real
                                  : multi    ? data.classes
                                             : binary};
        float base = regression || multi ? 0.5f : 0; /* the logit of 0.5 is 0 */
        boost(&params, &matrix, &data, &labels, base, pool, weights);
        CHECK(str_next_line(&text, &line));
        int n_weights = (data.n_columns + 1) * (multi ? 3 : 1);
        for (int i = 0; i < n_weights; i++) {
            double want = number(&line);
            /* single precision through a dozen rounds of sums */
            if (!test_near((double)weights[i], want, 2e-5))
                FAIL("%.*s: weight %d is %.9g, not %.9g", STR_ARG(title), i, (double)weights[i],
                     want);
        }
    }
    CHECK(n_blocks >= 13);
}

TEST(gblinear, sparse_and_row_major_data_and_threads_give_the_same)
{
    static LinearData data = {.n_rows = 100, .n_columns = 5};
    static float rows[100 * 5], value[500];
    static int32_t col[500];
    static int64_t row_start[101];
    Random random = random_stream(3, 1);
    for (int i = 0; i < 100; i++) {
        row_start[i + 1] = row_start[i];
        for (int j = 0; j < 5; j++) {
            size_t at = (size_t)(i * 5 + j);
            float x = random_unit(random, 2 * at) < 0.4 ? NAN
                                                        : (float)random_normal(random, 9000 + at);
            data.x[j][i] = rows[at] = x;
            if (isnan(x)) continue;
            col[row_start[i + 1]] = j;
            value[row_start[i + 1]++] = x;
        }
        data.real[i] = (float)random_normal(random, 5000 + (uint64_t)i);
        data.weight[i] = 1;
    }
    float *columns[COLUMNS_MAX];
    Matrix forms[] = {
        columns_of(&data, columns),
        {.layout = MATRIX_ROWS, .n_rows = 100, .n_cols = 5, .rows = rows, .row_stride = 5},
        {.layout = MATRIX_CSR,
         .n_rows = 100,
         .n_cols = 5,
         .row_start = row_start,
         .col = col,
         .value = value,
         .absent = NAN},
    };
    Labels labels = {.n_rows = 100, .label = data.real};
    float weights[4][COLUMNS_MAX];
    for (int selector = SELECT_CYCLIC; selector <= SELECT_THRIFTY; selector++) {
        BoostParams params = {
            .n_rounds = 6,
            .eta = 0.5,
            .lambda = 0.01,
            .feature_selector = selector,
            .objective = {.name = STR("reg:squarederror"), .scale_pos_weight = 1}};
        AUTO(pool_free) Pool *pool = pool_new(3);
        for (size_t f = 0; f < COUNT(forms); f++)
            boost(&params, &forms[f], &data, &labels, 0, f == 1 ? pool : NULL, weights[f]);
        CHECK(memcmp(weights[0], weights[1], 6 * sizeof(float)) == 0);
        for (int j = 0; j < 6; j++) CHECK_NEAR((double)weights[2][j], (double)weights[0][j], 1e-6);
    }
}
