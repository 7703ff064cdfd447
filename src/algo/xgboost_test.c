#include "algo/xgboost_params.h"

#include "base/test.h"

#include <math.h>

static bool resolve(const ParamText *texts, size_t n, Arena *arena, BoostParams *boost, Error *err)
{
    XgboostParams params;
    ParamText all[16] = {{STR("num_round"), STR("10")}};
    for (size_t i = 0; i < n; i++) all[i + 1] = texts[i];
    return params_parse(xgboost_params, all, n + 1, PARAM_STYLE_XGBOOST, arena, &params, err) &&
           xgboost_resolve(&params, arena, boost, err);
}

TEST(xgboost, presets_are_xgboosts)
{
    ARENA(arena);
    Error err = {0};
    BoostParams boost;
    CHECK_OK(resolve(NULL, 0, &arena, &boost, &err), err);
    CHECK_NEAR(boost.eta, 0.3, 1e-12);
    CHECK_NEAR(boost.lambda, 1, 0);
    CHECK(isnan(boost.base_score));
    CHECK_INT(boost.max_depth, 6);
    CHECK_INT(boost.n_metrics, 1);
    CHECK_STR(str_of(boost.metrics[0].name), STR("rmse"));
}

TEST(xgboost, lists_in_texts)
{
    ARENA(arena);
    Error err = {0};
    BoostParams boost;
    const ParamText texts[] = {{STR("monotone_constraints"), STR("(1, 0,-1)")},
                               {STR("interaction_constraints"), STR("[[0,1],[2]]")},
                               {STR("objective"), STR("binary:logistic")},
                               {STR("eval_metric"), STR("logloss,error@0.7,auc")},
                               {STR("_tuning_objective_metric"), STR("validation:auc")}};
    CHECK_OK(resolve(texts, COUNT(texts), &arena, &boost, &err), err);
    CHECK_INT(boost.n_monotone, 3);
    CHECK_INT(boost.monotone[2], -1);
    CHECK_INT(boost.n_interactions, 2);
    CHECK_INT(boost.interaction_start[2], 3);
    CHECK_INT(boost.n_metrics, 3);
    CHECK_STR(str_of(boost.metrics[1].name), STR("error@0.7"));
    CHECK(boost.metrics[2].maximize);
}

TEST(xgboost, rules_that_span_hyperparameters)
{
    static const struct {
        ParamText texts[2];
        const char *want; /* part of the refusal */
    } cases[] = {
        {{{STR_INIT("objective"), STR_INIT("multi:softmax")}, {STR_INIT("eta"), STR_INIT("0.1")}},
         "'num_class'"},
        {{{STR_INIT("objective"), STR_INIT("binary:logistc")}, {STR_INIT("eta"), STR_INIT("0.1")}},
         "binary:logistic"},
        {{{STR_INIT("eval_metric"), STR_INIT("auc")}, {STR_INIT("eta"), STR_INIT("0.1")}}, "auc"},
        {{{STR_INIT("booster"), STR_INIT("gblinear")}, {STR_INIT("updater"), STR_INIT("prune")}},
         "gblinear takes"},
        {{{STR_INIT("updater"), STR_INIT("grow_colmaker,grow_histmaker")},
          {STR_INIT("eta"), STR_INIT("0.1")}},
         "more than one tree builder"},
        {{{STR_INIT("monotone_constraints"), STR_INIT("(1,2)")},
          {STR_INIT("eta"), STR_INIT("0.1")}},
         "'2' is not"},
        {{{STR_INIT("eta"), STR_INIT("3.0")}, {STR_INIT("gama"), STR_INIT("1")}},
         "Hyperparameter eta: 3.0 is not in [0, 1]\nExtraneous hyperparameter found: gama (did you mean 'gamma'?)"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ARENA(arena);
        Error err = {0};
        BoostParams boost;
        CHECK(!resolve(cases[i].texts, 2, &arena, &boost, &err));
        if (!str_has(str_of(err.text), str_of(cases[i].want)))
            FAIL("'%s' lacks '%s'", err.text, cases[i].want);
    }
}
