#include "algo/param.h"

#include "base/test.h"

#include <math.h>

typedef struct Toy {
    int64_t k;
    double eta;
    bool shuffle;
    int init;
    Str note;
} Toy;

static const char *const inits[] = {"random", "kmeans++", NULL};

static const Param toy_params[] = {
    PARAM_INT("k", Toy, k, .min = 1, .max = 1000, .help = "clusters"),
    PARAM_REAL("eta", Toy, eta, .max = 1, .open_min = true, .preset = "0.3",
               .alias = "learning_rate"),
    PARAM_BOOL("shuffle", Toy, shuffle, .preset = "true"),
    PARAM_CHOICE("init_method", Toy, init, inits, .preset = "kmeans++"),
    PARAM_TEXT("note", Toy, note, .optional = true),
    {0},
};

TEST(param, presets_and_aliases_fill_the_struct)
{
    ARENA(arena);
    Error err = {0};
    Toy toy;
    ParamText texts[] = {{STR("k"), STR("5.0")},
                         {STR("learning_rate"), STR("1e-05")},
                         {STR("shuffle"), STR("False")},
                         {STR("note"), STR("\"abc\"")},
                         {STR("_kvstore"), STR("x")}};
    CHECK_OK(params_parse(toy_params, texts, COUNT(texts), PARAM_STYLE_PLAIN, &arena, &toy, &err),
             err);
    CHECK_INT(toy.k, 5);
    CHECK_NEAR(toy.eta, 1e-5, 0);
    CHECK(!toy.shuffle);
    CHECK_INT(toy.init, 1);
    CHECK_STR(toy.note, STR("abc"));
}

TEST(param, all_problems_are_reported_at_once)
{
    ARENA(arena);
    Error err = {0};
    Toy toy;
    ParamText texts[] = {
        {STR("eta"), STR("0")}, {STR("init"), STR("random")}, {STR("shuffle"), STR("maybe")}};
    CHECK(!params_parse(toy_params, texts, COUNT(texts), PARAM_STYLE_PLAIN, &arena, &toy, &err));
    CHECK_STR(str_of(err.text), STR("hyperparameter 'eta': 0 is outside (0, 1]\n"
                                    "unknown hyperparameter 'init'\n"
                                    "hyperparameter 'shuffle': 'maybe' is not true or false\n"
                                    "hyperparameter 'k' is required"));
}

TEST(param, refusals_in_the_words_of_the_xgboost_container)
{
    static const struct {
        ParamText text;
        const char *want;
    } cases[] = {
        {{STR_INIT("depth"), STR_INIT("6")}, "Extraneous hyperparameter found: depth"},
        {{STR_INIT("eta"), STR_INIT("3.0")}, "Hyperparameter eta: 3.0 is not in (0, 1]"},
        {{STR_INIT("k"), STR_INIT("1.5")}, "Hyperparameter k: could not parse value"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ARENA(arena);
        Toy toy;
        Error err = {0};
        ParamText texts[] = {{STR("k"), STR("3")}, cases[i].text};
        CHECK(!params_parse(toy_params, texts, 2, PARAM_STYLE_XGBOOST, &arena, &toy, &err));
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
}

TEST(param, ranges_for_people)
{
    ARENA(arena);
    CHECK_STR(param_range_text(&toy_params[0], &arena), STR("integer in [1, 1000]"));
    CHECK_STR(param_range_text(&toy_params[1], &arena), STR("number in (0, 1]"));
    CHECK_STR(param_range_text(&toy_params[3], &arena), STR("random or kmeans++"));
}
