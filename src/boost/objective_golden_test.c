#include "boost/objective.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/test.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS_MAX = 256, OUTPUTS_MAX = 8 };

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

/* "key=value" words of a block's first line, onto the objective's parameters. */
static void set_param(ObjectiveParams *params, Str key, Str value)
{
    if (str_is(key, "scale_pos_weight")) params->scale_pos_weight = number(value);
    else if (str_is(key, "huber_slope")) params->huber_slope = number(value);
    else if (str_is(key, "tweedie_variance_power")) params->tweedie_variance_power = number(value);
    else if (str_is(key, "max_delta_step")) params->max_delta_step = number(value);
    else if (str_is(key, "num_class")) params->n_classes = (int32_t)number(value);
    else if (str_is(key, "aft_loss_distribution")) params->aft_distribution = value;
    else if (str_is(key, "aft_loss_distribution_scale")) params->aft_scale = number(value);
    else if (str_is(key, "lambdarank_pair_method")) params->lambdarank_pair_method = value;
    else if (str_is(key, "lambdarank_num_pair_per_sample")) params->lambdarank_num_pair = (int64_t)number(value);
    else if (str_is(key, "lambdarank_normalization")) params->lambdarank_normalization = number(value) != 0;
    else if (str_is(key, "ndcg_exp_gain")) params->ndcg_exp_gain = number(value) != 0;
    else FAIL("the golden file has an unknown parameter '%.*s'", STR_ARG(key));
}

TEST(objective, gradients_are_those_of_xgboost)
{
    ARENA(scratch);
    Error err = {0};
    Str text, line;
    CHECK_OK(file_read(test_path("tests/golden/boost/gradients.txt"), 1 << 20, &scratch, &text, &err), err);
    AUTO(pool_free) Pool *pool = pool_new(2);
    int n_blocks = 0;
    while (str_next_line(&text, &line)) {
        Str word, value, title = line;
        CHECK(str_next(&line, ' ', &word) && str_is(word, "objective"));
        CHECK(str_next(&line, ' ', &word));
        ObjectiveParams params = {
            .name = word,
            .scale_pos_weight = 1,
            .max_delta_step = 0.7,
            .tweedie_variance_power = 1.5,
            .huber_slope = 1,
            .aft_distribution = STR("normal"),
            .aft_scale = 1,
            .lambdarank_pair_method = STR("topk"),
            .lambdarank_normalization = true,
            .ndcg_exp_gain = true,
        };
        static float label[ROWS_MAX], upper[ROWS_MAX], weight[ROWS_MAX], group_weight[ROWS_MAX];
        static float margin[ROWS_MAX * OUTPUTS_MAX], gh[2 * ROWS_MAX * OUTPUTS_MAX];
        static double want[2][ROWS_MAX * OUTPUTS_MAX];
        int64_t start[ROWS_MAX] = {0};
        Labels labels = {.label = label, .label_upper = upper, .weight = weight};
        int n_outputs = 1, n_rows = 0;
        while (str_next(&line, ' ', &value)) {
            Str key;
            CHECK(str_next(&value, '=', &key));
            if (str_is(key, "rows")) {
                n_rows = (int)number(value);
            } else if (str_is(key, "outputs")) {
                n_outputs = (int)number(value);
            } else if (str_is(key, "groups")) {
                labels.group_start = start;
                labels.weight = NULL;
                for (Str size; str_next(&value, ',', &size); labels.n_groups++)
                    start[labels.n_groups + 1] = start[labels.n_groups] + (int64_t)number(size);
            } else if (str_is(key, "group_weights")) {
                Str one;
                for (int g = 0; str_next(&value, ',', &one); g++) group_weight[g] = (float)number(one);
                labels.weight = group_weight;
            } else {
                set_param(&params, key, value);
            }
        }
        CHECK(n_rows <= ROWS_MAX && n_outputs <= OUTPUTS_MAX);
        CHECK(str_next_line(&text, &line)); /* the names of the columns */
        for (int i = 0; i < n_rows; i++) {
            CHECK(str_next_line(&text, &line));
            label[i] = (float)next_number(&line);
            upper[i] = (float)next_number(&line);
            weight[i] = (float)next_number(&line);
            for (int k = 0; k < n_outputs; k++) margin[i * n_outputs + k] = (float)next_number(&line);
            for (int d = 0; d < 2; d++)
                for (int k = 0; k < n_outputs; k++) want[d][i * n_outputs + k] = next_number(&line);
        }
        labels.n_rows = n_rows;

        AUTO(objective_free) Objective *objective = NULL;
        CHECK_OK(objective_new(&params, &objective, &err), err);
        CHECK_INT(objective_groups(objective), n_outputs);
        CHECK_OK(objective_check(objective, &labels, &err), err);
        CHECK_OK(objective_gradients(objective, &labels, margin, 0, pool, gh, &err), err);
        int n_compared = 0;
        for (int i = 0; i < n_rows * n_outputs; i++)
            for (int d = 0; d < 2; d++) {
                if (isnan(want[d][i])) continue;
                n_compared++;
                /* both sides are single precision, the package's through a quotient */
                if (!test_near((double)gh[2 * i + d], want[d][i], 2e-6))
                    FAIL("%.*s: row %d, %c is %.9g, not %.9g", STR_ARG(title), i / n_outputs, "gh"[d],
                         (double)gh[2 * i + d], want[d][i]);
            }
        if (n_compared < n_rows / 4) FAIL("%.*s: only %d numbers compared", STR_ARG(title), n_compared);
        n_blocks++;
    }
    CHECK(n_blocks >= 40);
}
