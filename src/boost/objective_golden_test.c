/* Gradients, metrics, starts and whole models against the numbers of the xgboost package; tests/golden/boost has the files
 * and the scripts that made them. */

#include "boost/predict.h"
#include "boost/train.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/test.h"

#include <math.h>

enum { ROWS_MAX = 256, OUTPUTS_MAX = 8, GROUPS_MAX = 16, COLUMNS_MAX = 4 };

/* A block of a golden file: what was asked of which data. */
typedef struct Block {
    Str title;
    ObjectiveParams params;
    double alpha[OUTPUTS_MAX];
    Labels labels;
    int n_rows, n_outputs, n_rounds;
    TreeMethod method;
    float label[ROWS_MAX], upper[ROWS_MAX], weight[ROWS_MAX], group_weight[GROUPS_MAX];
    int64_t start[GROUPS_MAX + 1];
    float margin[ROWS_MAX * OUTPUTS_MAX];
    double want[2][ROWS_MAX * OUTPUTS_MAX];
} Block;

static double number(Str text)
{
    double value;
    if (!str_to_double(text, &value)) FAIL("'%.*s' is not a number", STR_ARG(text));
    return value;
}

static double next_number(Str *line)
{
    Str word;
    CHECK(str_next(line, ' ', &word));
    return number(word);
}

/* A "key=value" word of a block's first line. */
static void set_param(Block *block, Str key, Str value)
{
    ObjectiveParams *params = &block->params;
    Str one;
    if (str_is(key, "rows"))
        block->n_rows = (int)number(value);
    else if (str_is(key, "outputs"))
        block->n_outputs = (int)number(value);
    else if (str_is(key, "num_round"))
        block->n_rounds = (int)number(value);
    else if (str_is(key, "method"))
        block->method = str_is(value, "exact") ? METHOD_EXACT : METHOD_HIST;
    else if (str_is(key, "scale_pos_weight"))
        params->scale_pos_weight = number(value);
    else if (str_is(key, "huber_slope"))
        params->huber_slope = number(value);
    else if (str_is(key, "tweedie_variance_power"))
        params->tweedie_variance_power = number(value);
    else if (str_is(key, "max_delta_step"))
        params->max_delta_step = number(value);
    else if (str_is(key, "num_class"))
        params->n_classes = (int32_t)number(value);
    else if (str_is(key, "aft_loss_distribution"))
        params->aft_distribution = value;
    else if (str_is(key, "aft_loss_distribution_scale"))
        params->aft_scale = number(value);
    else if (str_is(key, "lambdarank_pair_method"))
        params->lambdarank_pair_method = value;
    else if (str_is(key, "lambdarank_num_pair_per_sample"))
        params->lambdarank_num_pair = (int64_t)number(value);
    else if (str_is(key, "lambdarank_normalization"))
        params->lambdarank_normalization = number(value) != 0;
    else if (str_is(key, "ndcg_exp_gain"))
        params->ndcg_exp_gain = number(value) != 0;
    else if (str_is(key, "quantile_alpha"))
        while (str_next(&value, ',', &one)) block->alpha[params->n_quantiles++] = number(one);
    else if (str_is(key, "groups"))
        for (block->labels.n_groups = 0; str_next(&value, ',', &one); block->labels.n_groups++)
            block->start[block->labels.n_groups + 1] = block->start[block->labels.n_groups] +
                                                       (int64_t)number(one);
    else if (str_is(key, "group_weights"))
        for (int g = 0; str_next(&value, ',', &one); g++)
            block->group_weight[g] = (float)number(one);
    else
        FAIL("the golden file has an unknown parameter '%.*s'", STR_ARG(key));
}

/* Reads the next block up to its rows' end; `derivatives`: with g and h after the margins. */
static bool next_block(Str *text, const char *word_wanted, bool derivatives, Block *block)
{
    Str line, word, value;
    if (!str_next_line(text, &line)) return false;
    *block = (Block){.title = line, .n_outputs = 1};
    CHECK(str_next(&line, ' ', &word) && str_is(word, word_wanted));
    CHECK(str_next(&line, ' ', &word));
    block->params = (ObjectiveParams){
        .name = word,
        .scale_pos_weight = 1,
        .max_delta_step = 0.7,
        .tweedie_variance_power = 1.5,
        .huber_slope = 1,
        .quantile_alpha = block->alpha,
        .aft_distribution = STR("normal"),
        .aft_scale = 1,
        .lambdarank_pair_method = STR("topk"),
        .lambdarank_normalization = true,
        .ndcg_exp_gain = true,
    };
    while (str_next(&line, ' ', &value)) {
        Str key;
        CHECK(str_next(&value, '=', &key));
        set_param(block, key, value);
    }
    CHECK(block->n_rows <= ROWS_MAX && block->n_outputs <= OUTPUTS_MAX);
    CHECK(str_next_line(text, &line)); /* the names of the columns */
    for (int i = 0; i < block->n_rows; i++) {
        CHECK(str_next_line(text, &line));
        block->label[i] = (float)next_number(&line);
        block->upper[i] = (float)next_number(&line);
        block->weight[i] = (float)next_number(&line);
        float *margin = block->margin + i * block->n_outputs;
        for (int k = 0; k < block->n_outputs; k++) margin[k] = (float)next_number(&line);
        for (int d = 0; derivatives && d < 2; d++)
            for (int k = 0; k < block->n_outputs; k++)
                block->want[d][i * block->n_outputs + k] = next_number(&line);
    }
    block->labels.n_rows = block->n_rows;
    block->labels.label = block->label;
    block->labels.label_upper = block->upper;
    for (int i = 0; i < block->n_rows; i++) /* medians with and without weights differ */
        if (block->weight[i] != 1) block->labels.weight = block->weight;
    if (block->labels.n_groups) {
        block->labels.group_start = block->start;
        block->labels.weight = block->group_weight[0] > 0 ? block->group_weight : NULL;
    }
    return true;
}

static Str golden(const char *name, Arena *arena)
{
    Error err = {0};
    Str text;
    CHECK_OK(file_read(test_path(name), 1 << 20, arena, &text, &err), err);
    return text;
}

TEST(objective, gradients_are_those_of_xgboost)
{
    ARENA(scratch);
    AUTO(pool_free) Pool *pool = pool_new(2);
    static Block block;
    static float gh[2 * ROWS_MAX * OUTPUTS_MAX];
    Str text = golden("tests/golden/boost/gradients.txt", &scratch);
    int n_blocks = 0;
    for (; next_block(&text, "objective", true, &block); n_blocks++) {
        Error err = {0};
        AUTO(objective_free) Objective *objective = NULL;
        CHECK_OK(objective_new(&block.params, &objective, &err), err);
        CHECK_INT(objective_groups(objective), block.n_outputs);
        CHECK_OK(objective_check(objective, &block.labels, &err), err);
        CHECK_OK(objective_gradients(objective, &block.labels, block.margin, 0, pool, gh, &err),
                 err);
        int n_compared = 0;
        for (int i = 0; i < block.n_rows * block.n_outputs; i++)
            for (int d = 0; d < 2; d++) {
                if (isnan(block.want[d][i])) continue;
                n_compared++;
                /* both sides are single precision, the package's through a quotient */
                if (!test_near((double)gh[2 * i + d], block.want[d][i], 2e-6))
                    FAIL("%.*s: row %d, %c is %.9g, not %.9g", STR_ARG(block.title),
                         i / block.n_outputs, "gh"[d], (double)gh[2 * i + d], block.want[d][i]);
            }
        if (n_compared < block.n_rows / 4)
            FAIL("%.*s: only %d numbers compared", STR_ARG(block.title), n_compared);
    }
    CHECK(n_blocks >= 40);
}

TEST(metric, values_are_those_of_xgboost)
{
    ARENA(scratch);
    AUTO(pool_free) Pool *pool = pool_new(2);
    static Block block;
    Str text = golden("tests/golden/boost/metrics.txt", &scratch), line;
    int n_values = 0;
    while (next_block(&text, "metrics", false, &block)) {
        Error err = {0};
        AUTO(boost_model_free) BoostModel *model = boost_model_new();
        model->n_groups = block.n_outputs;
        model->objective = block.params.name;
        while (str_next_line(&text, &line) && line.len) {
            Str name;
            CHECK(str_next(&line, ' ', &name));
            BoostMetric metric;
            double value;
            CHECK_OK(boost_metric_parse(name, &block.params, &metric, &err), err);
            CHECK_STR(str_of(metric.name), name);
            CHECK_OK(
                boost_metric_value(&metric, model, &block.labels, block.margin, pool, &value, &err),
                err);
            /* rows are single precision on both sides */
            if (!test_near(value, number(line), 2e-6))
                FAIL("%.*s: %.*s is %.9g, not %.9g", STR_ARG(block.title), STR_ARG(name), value,
                     number(line));
            n_values++;
        }
    }
    CHECK(n_values >= 150);
}

TEST(objective, training_starts_where_xgboost_does)
{
    ARENA(scratch);
    static Block block;
    Str text = golden("tests/golden/boost/base_scores.txt", &scratch), line, word;
    int n_blocks = 0;
    for (; next_block(&text, "base", false, &block); n_blocks++) {
        Error err = {0};
        AUTO(objective_free) Objective *objective = NULL;
        CHECK_OK(objective_new(&block.params, &objective, &err), err);
        CHECK(str_next_line(&text, &line) && str_next(&line, ' ', &word));
        double base[OUTPUTS_MAX];
        objective_estimate_bases(objective, &block.labels, NULL, base);
        for (int k = 0; k < block.n_outputs; k++) {
            double want = next_number(&line);
            if (!test_near(base[k], want, 1e-6))
                FAIL("%.*s: output %d starts from %.9g, not %.9g", STR_ARG(block.title), k, base[k],
                     want);
        }
    }
    CHECK(n_blocks >= 30);
}

TEST(objective, models_are_those_of_xgboost)
{
    ARENA(scratch);
    static Block block;
    static float columns[COLUMNS_MAX][ROWS_MAX], margin[ROWS_MAX * OUTPUTS_MAX];
    float *column[COLUMNS_MAX];
    Str text = golden("tests/golden/boost/rounds.txt", &scratch), line, word;
    CHECK(str_next_line(&text, &line) && str_next(&line, ' ', &word) && str_is(word, "data"));
    int n_rows = (int)next_number(&line), n_columns = (int)next_number(&line), n_blocks = 0;
    CHECK(n_rows <= ROWS_MAX && n_columns <= COLUMNS_MAX);
    for (int i = 0; i < n_rows; i++) {
        CHECK(str_next_line(&text, &line));
        for (int j = 0; j < n_columns; j++) columns[j][i] = (float)next_number(&line);
    }
    for (int j = 0; j < n_columns; j++) column[j] = columns[j];
    for (; next_block(&text, "rounds", false, &block); n_blocks++) {
        Error err = {0};
        if (str_is(block.params.name, "count:poisson")) block.params.max_delta_step = 0.7;
        BoostParams params = {
            .method = block.method,
            .n_rounds = block.n_rounds,
            .eta = 0.3,
            .lambda = 1,
            .min_child_weight = 1,
            .max_delta_step = str_is(block.params.name, "count:poisson") ? 0.7 : 0,
            .max_depth = 4,
            .max_bin = 1000,
            .subsample = 1,
            .colsample_bytree = 1,
            .colsample_bylevel = 1,
            .colsample_bynode = 1,
            .n_parallel = 1,
            .base_score = (double)NAN,
            .objective = block.params,
        };
        BoostData data = {.features = {.layout = MATRIX_COLUMNS,
                                       .n_rows = n_rows,
                                       .n_cols = n_columns,
                                       .column = column},
                          .labels = block.labels};
        AUTO(boost_model_free) BoostModel *model = NULL;
        CHECK_OK(boost_train(&params, &data, NULL, NULL, NULL, NULL, &model, &err), err);
        AUTO(predictor_free) Predictor *predictor = NULL;
        CHECK_OK(predictor_new(model, &predictor, &err), err);
        CHECK_OK(predict_margin(predictor, &data.features, NULL, margin, &err), err);
        double sum = 0, most = 0;
        int n = n_rows * block.n_outputs;
        for (int i = 0; i < n; i++) {
            double difference = fabs((double)margin[i] - (double)block.margin[i]);
            sum += difference;
            most = fmax(most, difference);
        }
        /* exact: rounding only, which Newton's steps of cox magnify; hist quantizes gradients and may
         * choose another of two nearly equal splits */
        bool good = block.method == METHOD_EXACT ? most < 2e-4 : sum / n < 5e-3;
        if (!good)
            FAIL("%.*s: off by %g at most, %g on average", STR_ARG(block.title), most, sum / n);
    }
    CHECK(n_blocks >= 20);
}
