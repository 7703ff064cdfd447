/* Trees grown on histograms against those of XGBoost (tests/golden/gbt), and the rules they must keep. */

#include "base/file.h"
#include "base/memory.h"
#include "base/test.h"
#include "boost/predict.h"
#include "boost/train.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the golden file: words, one after the other ---- */

typedef struct Words {
    const char *at;
} Words;

static Str next_word(Words *words)
{
    words->at += strspn(words->at, " \n");
    Str word = {words->at, strcspn(words->at, " \n")};
    words->at += word.len;
    return word;
}

static double next_number(Words *words)
{
    Str word = next_word(words);
    char *end;
    double value = strtod(word.ptr, &end);
    if (end != word.ptr + word.len) FAIL("'%.*s' is no number", STR_ARG(word));
    return value;
}

static void expect(Words *words, const char *text)
{
    CHECK_STR(next_word(words), str_of(text));
}

typedef struct Case {
    Str name;
    BoostParams params;
    int8_t monotone[8];
    int32_t sets[16], set_start[8];
    int64_t n_rows;
    int32_t n_cols;
    float *column[8], *label, *weight;
    uint8_t is_category[8];
} Case;

/* "(1,-1,0)" or "[[0,2],[1]]" as numbers; `starts` gets where each inner list begins. */
static int32_t parse_list(Str text, int32_t *out, int32_t *starts, int32_t *ret_lists)
{
    int32_t n = 0, lists = 0, depth = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '[' && ++depth == 2) starts[lists++] = n;
        if (c == ']') depth--;
        if (c != '-' && (c < '0' || c > '9')) continue;
        char *end;
        out[n++] = (int32_t)strtol(text.ptr + i, &end, 10);
        i = (size_t)(end - text.ptr) - 1;
    }
    starts[lists] = n;
    *ret_lists = lists;
    return n;
}

static void set_param(Case *c, Str name, Str text)
{
    BoostParams *p = &c->params;
    double value = strtod(text.ptr, NULL);
    int32_t numbers[16], starts[8], n_lists;
    if (str_is(name, "objective"))
        p->objective.name = text;
    else if (str_is(name, "num_class"))
        p->objective.n_classes = (int32_t)value;
    else if (str_is(name, "base_score"))
        p->base_score = value;
    else if (str_is(name, "num_round"))
        p->n_rounds = (int64_t)value;
    else if (str_is(name, "max_depth"))
        p->max_depth = (int64_t)value;
    else if (str_is(name, "max_leaves"))
        p->max_leaves = (int64_t)value;
    else if (str_is(name, "eta"))
        p->eta = value;
    else if (str_is(name, "lambda"))
        p->lambda = value;
    else if (str_is(name, "alpha"))
        p->alpha = value;
    else if (str_is(name, "gamma"))
        p->gamma = value;
    else if (str_is(name, "min_child_weight"))
        p->min_child_weight = value;
    else if (str_is(name, "max_delta_step"))
        p->max_delta_step = value;
    else if (str_is(name, "num_parallel_tree"))
        p->n_parallel = (int64_t)value;
    else if (str_is(name, "grow_policy"))
        p->grow_policy = GROW_LOSSGUIDE;
    else if (str_is(name, "monotone_constraints")) {
        p->n_monotone = parse_list(text, numbers, starts, &n_lists);
        for (int32_t i = 0; i < p->n_monotone; i++) c->monotone[i] = (int8_t)numbers[i];
        p->monotone = c->monotone;
    } else if (str_is(name, "interaction_constraints")) {
        parse_list(text, c->sets, c->set_start, &p->n_interactions);
        p->interaction_sets = c->sets;
        p->interaction_start = c->set_start;
    } else {
        FAIL("unknown hyperparameter '%.*s'", STR_ARG(name));
    }
}

static void read_case(Words *words, Case *c)
{
    Error err = {0};
    *c = (Case){.params = {
                    .eta = 0.3,
                    .lambda = 1,
                    .min_child_weight = 1,
                    .max_bin = 256,
                    .subsample = 1,
                    .colsample_bytree = 1,
                    .colsample_bylevel = 1,
                    .colsample_bynode = 1,
                    .n_parallel = 1,
                    .max_cat_to_onehot = 4,
                    .max_cat_threshold = 64,
                    .objective = {.scale_pos_weight = 1},
                }};
    c->name = next_word(words);
    Str word;
    while (word = next_word(words), str_is(word, "set")) {
        Str name = next_word(words);
        set_param(c, name, next_word(words));
    }
    CHECK_STR(word, STR("kinds"));
    int32_t n_kinds = 0;
    while (word = next_word(words), !str_is(word, "rows"))
        c->is_category[n_kinds++] = str_is(word, "c");
    c->n_rows = (int64_t)next_number(words);
    c->n_cols = (int32_t)next_number(words);
    CHECK_INT(c->n_cols, n_kinds);
    c->label = data_array(float, c->n_rows, "a test", &err);
    c->weight = data_array(float, c->n_rows, "a test", &err);
    for (int32_t j = 0; j < c->n_cols; j++)
        c->column[j] = data_array(float, c->n_rows, "a test", &err);
    bool weighted = false;
    for (int64_t i = 0; i < c->n_rows; i++) {
        c->label[i] = (float)next_number(words);
        c->weight[i] = (float)next_number(words);
        weighted |= c->weight[i] != 1;
        for (int32_t j = 0; j < c->n_cols; j++) c->column[j][i] = (float)next_number(words);
    }
    if (!weighted) c->weight = NULL; /* quantiles are interpolated only without weights */
}

static BoostData case_data(const Case *c)
{
    return (BoostData){
        .features = {.layout = MATRIX_COLUMNS,
                     .n_rows = c->n_rows,
                     .n_cols = c->n_cols,
                     .column = (float *const *)c->column},
        .is_category = c->is_category,
        .labels = {.n_rows = c->n_rows, .label = c->label, .weight = c->weight},
    };
}

/* The split of a node, word by word.  A threshold beyond all values means the same wherever it
 * is, and only the margins can tell the default direction where nothing was missing. */
static void check_node(Words *words, const Case *c, const Tree *tree, int32_t i)
{
    int32_t left = (int32_t)next_number(words), right = (int32_t)next_number(words);
    int32_t feature = (int32_t)next_number(words);
    double threshold = next_number(words), weight = next_number(words), gain = next_number(words);
    double cover = next_number(words);
    int32_t n_categories = (int32_t)next_number(words);
    if (tree->left[i] != left || tree->right[i] != right)
        FAIL("case %.*s, node %d: children %d %d, not %d %d", STR_ARG(c->name), (int)i,
             (int)tree->left[i], (int)tree->right[i], (int)left, (int)right);
    if (!test_near((double)tree->cover[i], cover, 1e-4) ||
        !test_near((double)tree->weight[i], weight, 2e-4))
        FAIL("case %.*s, node %d: cover %g and weight %g, not %g and %g", STR_ARG(c->name), (int)i,
             (double)tree->cover[i], (double)tree->weight[i], cover, weight);
    CHECK_INT(tree->categorical[i], n_categories > 0);
    for (int32_t k = 0; k < n_categories; k++)
        CHECK_INT(tree->categories[tree->set_start[i] + k], (int32_t)next_number(words));
    if (n_categories) CHECK_INT(tree->set_size[i], n_categories);
    if (left < 0) {
        if (!test_near((double)tree->threshold[i], threshold, 2e-4))
            FAIL("case %.*s, leaf %d: %g, not %g", STR_ARG(c->name), (int)i,
                 (double)tree->threshold[i], threshold);
        return;
    }
    CHECK_INT(tree->feature[i], feature);
    CHECK_NEAR((double)tree->gain[i], gain, 1e-3);
    double most = -INFINITY;
    for (int64_t r = 0; r < c->n_rows; r++)
        if ((double)c->column[feature][r] > most) most = (double)c->column[feature][r];
    if (!n_categories && threshold <= most && threshold > -1e6)
        CHECK(tree->threshold[i] == (float)threshold);
}

TEST(grow_hist, trees_equal_those_of_xgboost)
{
    Error err = {0};
    ARENA(arena);
    Str text;
    CHECK_OK(file_read(test_path("tests/golden/gbt/trees.txt"), 1 << 20, &arena, &text, &err), err);
    Words words = {text.ptr};
    int n_cases = 0;
    while (next_word(&words).len) {
        Case c;
        read_case(&words, &c);
        BoostData data = case_data(&c);
        AUTO(boost_model_free) BoostModel *model = NULL;
        CHECK_OK(boost_train(&c.params, &data, NULL, NULL, NULL, NULL, &model, &err), err);
        expect(&words, "trees");
        CHECK_INT(model->n_trees, (int32_t)next_number(&words));
        for (int32_t t = 0; t < model->n_trees; t++) {
            const Tree *tree = &model->trees[t];
            expect(&words, "nodes");
            int32_t n_nodes = (int32_t)next_number(&words);
            if (tree->n_nodes != n_nodes)
                FAIL("case %.*s, tree %d: %d nodes, not %d", STR_ARG(c.name), (int)t,
                     (int)tree->n_nodes, (int)n_nodes);
            for (int32_t i = 0; i < n_nodes; i++) check_node(&words, &c, tree, i);
        }
        expect(&words, "margins");
        AUTO(predictor_free) Predictor *predictor = NULL;
        CHECK_OK(predictor_new(model, &predictor, &err), err);
        size_t n = (size_t)c.n_rows * (size_t)model->n_groups;
        float *margins = arena_array(&arena, float, n);
        CHECK_OK(predict_margin(predictor, &data.features, NULL, margins, &err), err);
        /* Leaves are float32 sums of a few hundred gradients there, exact here. */
        for (size_t i = 0; i < n; i++) CHECK_NEAR((double)margins[i], next_number(&words), 2e-4);
        n_cases++;
    }
    CHECK_INT(n_cases, 15);
}
