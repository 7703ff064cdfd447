#include "boost/model_file.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/test.h"
#include "boost/predict.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- golden models: tests/golden/boost_models/make.py, xgboost 1.7.6 and 3.2.0 ---- */

enum { ROWS = 6, FEATURES = 4 };

typedef struct Table {
    int32_t n, width;
    float *values;
} Table;

static Table read_table(Str *text, int32_t n, int32_t width, Arena *arena)
{
    Table table = {n, width, arena_array(arena, float, n *width)};
    for (int32_t i = 0; i < n; i++) {
        Str line, word;
        CHECK(str_next_line(text, &line));
        for (int32_t j = 0; j < width; j++) {
            double x;
            CHECK(str_next(&line, ' ', &word) && str_to_double(word, &x));
            table.values[i * width + j] = (float)x;
        }
    }
    return table;
}

/* Single sums differ from the package's by nothing or the last bit; probabilities, whose exp is
 * another one, and contributions, which it adds up in float, by some. */
static void compare(const char *model, Str what, const float *got, Table want)
{
    double tolerance = str_is(what, "leaf")                                            ? 0
                       : str_is(what, "contributions") || str_is(what, "interactions") ? 1e-5
                                                                                       : 1e-6;
    for (int32_t i = 0; i < want.n * want.width; i++)
        if (!test_near((double)got[i], (double)want.values[i], tolerance))
            FAIL("%s: %.*s: value %d of row %d is %.9g, not %.9g", model, STR_ARG(what),
                 i % want.width, i / want.width, (double)got[i], (double)want.values[i]);
}

static bool predict_kind(const BoostModel *model, Str what, const Matrix *rows, float *out,
                         Error *err)
{
    if (str_is(what, "leaf")) return predict_leaf(model, rows, NULL, out, err);
    if (str_is(what, "contributions")) return predict_contributions(model, rows, NULL, out, err);
    if (str_is(what, "interactions")) return predict_interactions(model, rows, NULL, out, err);
    AUTO(predictor_free) Predictor *predictor = NULL;
    int32_t width;
    if (!predictor_new(model, &predictor, err) || !predict_margin(predictor, rows, NULL, out, err))
        return false;
    if (str_is(what, "value")) predict_transform(model, out, rows->n_rows, &width);
    return true;
}

static void check_predictions(const char *name, const BoostModel *model, Str expected)
{
    ARENA(arena);
    Error err = {0};
    Str line;
    Matrix rows = {
        .layout = MATRIX_ROWS, .n_rows = ROWS, .n_cols = FEATURES, .row_stride = FEATURES};
    CHECK_INT(model->n_features, FEATURES);
    while (str_next_line(&expected, &line)) {
        size_t blank = str_find(line, ' ');
        Str what = str_slice(line, 0, blank);
        if (str_is(what, "rows")) {
            rows.rows = read_table(&expected, ROWS, FEATURES, &arena).values;
            continue;
        }
        int64_t width;
        CHECK(str_to_int64(str_from(line, blank + 1), &width));
        bool importance = !str_is(what, "margin") && !str_is(what, "value") &&
                          !str_is(what, "leaf") && !str_is(what, "contributions") &&
                          !str_is(what, "interactions");
        Table want = read_table(&expected, importance ? 1 : ROWS, (int32_t)width, &arena);
        if (importance) {
            double importances[FEATURES];
            CHECK_OK(model_importance(model, arena_cstr(&arena, what), importances, &err), err);
            float got[FEATURES];
            for (int f = 0; f < FEATURES; f++) got[f] = (float)importances[f];
            compare(name, what, got, want);
        } else {
            float *got = arena_array(&arena, float, ROWS *MAX(width, model->n_groups) + 64);
            CHECK_OK(predict_kind(model, what, &rows, got, &err), err);
            compare(name, what, got, want);
        }
    }
}

TEST(model_file, golden_models_of_the_package_predict_what_it_predicts)
{
    ARENA(arena);
    Error err = {0};
    Str *names;
    size_t n, n_models = 0;
    const char *folder = arena_cstr(&arena, str_of(test_path("tests/golden/boost_models")));
    CHECK_OK(folder_list(folder, 0, false, 1000, &arena, &names, &n, &err), err);
    for (size_t i = 0; i < n; i++) {
        if (!str_ends(names[i], STR(".ubj")) && !str_ends(names[i], STR(".json")) &&
            !str_ends(names[i], STR(".bin")))
            continue;
        n_models++;
        const char *name = arena_cstr(&arena, names[i]);
        Str stem = str_slice(names[i], 0, str_find(names[i], '.')), expected;
        const char *text_name = arena_format(&arena, "%.*s.txt", STR_ARG(stem)).ptr;
        CHECK_OK(file_read(path_join(&arena, folder, text_name), 1 << 20, &arena, &expected, &err),
                 err);
        AUTO(boost_model_free) BoostModel *model = NULL;
        CHECK_OK(boost_model_read(path_join(&arena, folder, name), &model, &err), err);
        check_predictions(name, model, expected);

        /* Written and read again it is the same; different starts have moved into leaves. */
        for (int format = MODEL_UBJSON; format <= MODEL_JSON; format++) {
            AUTO_STRBUF StrBuf bytes = STRBUF(1 << 20), again = STRBUF(1 << 20);
            AUTO(boost_model_free) BoostModel *copy = NULL;
            CHECK_OK(boost_model_print(model, (ModelFormat)format, &bytes, &err), err);
            CHECK_OK(boost_model_parse(strbuf_str(&bytes), &copy, &err), err);
            check_predictions(name, copy, expected);
            CHECK_INT(copy->n_rounds, model->n_rounds);
            CHECK_INT(copy->n_attributes, model->n_attributes);
            CHECK_OK(boost_model_print(copy, (ModelFormat)format, &again, &err), err);
            CHECK_STR(strbuf_str(&again), strbuf_str(&bytes));
        }
    }
    CHECK(n_models > 40);
}

/* ---- what is kept ---- */

TEST(model_file, names_types_and_attributes_are_kept)
{
    Error err = {0};
    static Str names[] = {STR_INIT("a"), STR_INIT("b \"c\""), STR_INIT("\xc3\xa4")};
    static Str types[] = {STR_INIT("float"), STR_INIT("c"), STR_INIT("int")};
    AUTO(boost_model_free) BoostModel *model = boost_model_new();
    model->n_features = 3;
    model->objective = STR("binary:logistic");
    model->base_score = 0.1;
    model->feature_names = names;
    model->feature_types = types;
    boost_model_set_attribute(model, "best_iteration", STR("0"));
    boost_model_set_attribute(model, "best_score", STR("0.25"));
    Tree tree;
    CHECK_OK(tree_init(&tree, 1, &err), err);
    int32_t set[] = {3, 0};
    CHECK_OK(tree_split(&tree, 0, 2, 0.1f, true, &err), err);
    CHECK_OK(tree_split_categories(&tree, 2, 1, set, 2, false, &err), err);
    tree.threshold[3] = -0.3f;
    tree.threshold[4] = 1e-30f;
    tree.weight[1] = 5;
    tree.gain[0] = 1.5f;
    tree.cover[0] = 100;
    CHECK_OK(boost_model_add_tree(model, &tree, 0, &err), err);
    CHECK_OK(boost_model_end_round(model, &err), err);
    for (int format = MODEL_UBJSON; format <= MODEL_JSON; format++) {
        AUTO(boost_model_free) BoostModel *copy = NULL;
        ARENA(arena);
        const char *path = path_join(&arena, test_folder(), "model");
        CHECK_OK(boost_model_write(model, (ModelFormat)format, path, &err), err);
        CHECK_OK(boost_model_read(path, &copy, &err), err);
        for (int f = 0; f < 3; f++) {
            CHECK_STR(copy->feature_names[f], names[f]);
            CHECK_STR(copy->feature_types[f], types[f]);
        }
        CHECK_STR(boost_model_attribute(copy, "best_score"), STR("0.25"));
        CHECK(boost_model_base_margin(copy) == boost_model_base_margin(model));
        const Tree *a = &model->trees[0], *b = &copy->trees[0];
        CHECK_INT(b->n_nodes, 5);
        for (int32_t i = 0; i < 5; i++) {
            CHECK(a->threshold[i] == b->threshold[i] && a->weight[i] == b->weight[i]);
            CHECK(a->gain[i] == b->gain[i] && a->cover[i] == b->cover[i]);
            CHECK(a->left[i] == b->left[i] && a->right[i] == b->right[i] &&
                  a->parent[i] == b->parent[i]);
            CHECK(a->default_left[i] == b->default_left[i] &&
                  a->categorical[i] == b->categorical[i]);
        }
        CHECK_INT(tree_next(b, 2, 3), 4);
        CHECK_INT(tree_next(b, 2, 2), 3);
    }
}

TEST(model_file, texts_that_are_not_utf8_are_mended)
{
    Error err = {0};
    AUTO(boost_model_free) BoostModel *model = boost_model_new();
    model->objective = STR("reg:squarederror");
    boost_model_set_attribute(model, "a\xff", STR("b\xc3"));
    for (int format = MODEL_UBJSON; format <= MODEL_JSON; format++) {
        AUTO(boost_model_free) BoostModel *copy = NULL;
        AUTO_STRBUF StrBuf bytes = STRBUF(1 << 20);
        CHECK_OK(boost_model_print(model, (ModelFormat)format, &bytes, &err), err);
        CHECK_OK(boost_model_parse(strbuf_str(&bytes), &copy, &err), err);
        CHECK_STR(boost_model_attribute(copy, "a\xef\xbf\xbd"), STR("b\xef\xbf\xbd"));
    }
}

/* ---- refusals ---- */

#define MODEL(parameters, tree)                                                                          \
    "{\"version\":[1,7,6],\"learner\":{\"learner_model_param\":{" parameters "},"                        \
    "\"objective\":{\"name\":\"reg:squarederror\"},\"gradient_booster\":{\"name\":\"gbtree\","           \
    "\"model\":{\"gbtree_model_param\":{\"num_parallel_tree\":\"1\"},\"tree_info\":[0],\"trees\":[" tree \
    "]}}}}"
#define PARAMETERS "\"base_score\":\"0.5\",\"num_class\":\"0\",\"num_feature\":\"2\""
#define TREE(left, right, feature, condition)                                                      \
    "{\"left_children\":[" left "],\"right_children\":[" right "],\"split_indices\":[" feature     \
    "],\"split_conditions\":[" condition "],\"default_left\":[0,0,0],\"tree_param\":{}}"

TEST(model_file, what_is_wrong_is_said)
{
    static const struct {
        Str bytes;
        const char *want;
    } cases[] = {
        {STR_INIT(""), "the file is empty"},
        {STR_INIT("\x80\x04\x95"), "this is a Python pickle"},
        {STR_INIT("a,b\n1,2\n"), "this is no XGBoost model"},
        {STR_INIT("\x1f\x8b\x08"), "gzip"},
        {STR_INIT("binf"), "ends too early"},
        {STR_INIT("{}"), "learner"},
        {STR_INIT("{L"), "UBJSON"},
        {STR_INIT(MODEL("\"num_feature\":\"2\"", "")), "base_score"},
        {STR_INIT(MODEL("\"base_score\":\"x\",\"num_feature\":\"2\"", "")), "'base_score' is 'x'"},
        {STR_INIT(MODEL("\"base_score\":\"[1,2]\",\"num_feature\":\"2\"", "")),
         "more numbers than the model's 1 outputs"},
        {STR_INIT(MODEL("\"base_score\":\"1\",\"num_feature\":\"-1\"", "")), "'num_feature' is -1"},
        {STR_INIT(MODEL(PARAMETERS, "")), "'tree_info' has 1 elements, the others have 0"},
        {STR_INIT(MODEL(PARAMETERS, TREE("1,-1,-1", "2,-1,-1", "2,0,0", "1.5,0,0"))),
         "tree 0: node 0 splits by feature 2"},
        {STR_INIT(MODEL(PARAMETERS, TREE("1,-1,-1", "2,-1,-1", "0,0", "1.5,0,0"))),
         "'split_indices' has 2 elements, the others have 3"},
        {STR_INIT(MODEL(PARAMETERS, TREE("1,-1,-1", "3,-1,-1", "0,0,0", "1.5,0,0"))),
         "node 0 has child 3"},
        {STR_INIT(MODEL(PARAMETERS, TREE("1,-1,-1", "1,-1,-1", "0,0,0", "1.5,0,0"))),
         "node 1 is a child of both node 0 and node 0"},
        {STR_INIT(MODEL(PARAMETERS, TREE("1,0,-1", "2,2,-1", "0,0,0", "1.5,0,0"))),
         "node 1 has child 0"},
        {STR_INIT(MODEL(PARAMETERS, TREE("1,2,-1", "2,1,-1", "0,0,0", "1.5,0,0"))),
         "is a child of both"},
        {STR_INIT(MODEL(PARAMETERS, TREE("1,-1,-1", "-1,-1,-1", "0,0,0", "1.5,0,0"))),
         "node 0 has child -1"},
        {STR_INIT(MODEL(PARAMETERS, TREE("1,-1,-1", "2,-1,-1", "0,0,0", "NaN,0,0"))),
         "node 0 has the split condition NaN"},
        {STR_INIT(MODEL(PARAMETERS, TREE("1,-1,-1.5", "2,-1,-1", "0,0,0", "1,0,0"))),
         "'left_children': element 2 is no 32-bit integer"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        BoostModel *model = NULL;
        if (boost_model_parse(cases[i].bytes, &model, &err)) FAIL("case %zu was accepted", i);
        if (!str_has(str_of(err.text), str_of(cases[i].want)))
            FAIL("case %zu says '%s', not '%s'", i, err.text, cases[i].want);
    }
    Error err = {0};
    AUTO(boost_model_free) BoostModel *model = NULL;
    CHECK_OK(
        boost_model_parse(STR(MODEL(PARAMETERS, TREE("1,-1,-1", "2,-1,-1", "0,0,0", "1.5,0,0"))),
                          &model, &err),
        err);
}

/* Every file cut anywhere, and with any byte changed, is read or refused, and what is read predicts. */
TEST(model_file, damaged_files_do_no_harm)
{
    static const char *const files[] = {"v17_regression.bin", "v17_dart.bin", "v17_linear.bin",
                                        "v32_categories.ubj", "v17_regression.json"};
    ARENA(arena);
    for (size_t f = 0; f < COUNT(files); f++) {
        Error err = {0};
        Str bytes;
        const char *path = test_path(
            arena_format(&arena, "tests/golden/boost_models/%s", files[f]).ptr);
        CHECK_OK(file_read(path, 1 << 20, &arena, &bytes, &err), err);
        CHECK(bytes.len > 0);
        char *copy = arena_cstr(&arena, bytes);
        for (size_t i = 0; i < 2 * bytes.len; i++) {
            Str damaged = {copy, i < bytes.len ? i : bytes.len};
            char old = copy[i % bytes.len];
            if (i >= bytes.len) copy[i - bytes.len] = (char)(old ^ (1 << i % 8));
            BoostModel *model = NULL;
            if (boost_model_parse(damaged, &model, &err) && model->n_features <= 64) {
                Predictor *predictor = NULL;
                float row[64] = {0};
                float *out = calloc((size_t)model->n_groups, sizeof *out);
                if (predictor_new(model, &predictor, &err)) predict_margin_row(predictor, row, out);
                predictor_free(predictor);
                free(out);
            }
            boost_model_free(model);
            copy[i % bytes.len] = old;
        }
    }
}
