#include "boost/metric.h"

#include "base/random.h"
#include "base/test.h"

#include <math.h>

static double metric_of(const char *name, const BoostModel *model, const Labels *labels,
                        const float *margins)
{
    Error err = {0};
    BoostMetric metric;
    double value = NAN;
    CHECK_OK(boost_metric_parse(str_of(name), NULL, &metric, &err), err);
    CHECK_OK(boost_metric_value(&metric, model, labels, margins, NULL, &value, &err), err);
    return value;
}

TEST(metric, of_four_rows_are_those_of_xgboost)
{
    float y[] = {1, 0, 1, 0}, m[] = {2, -1, 0.3f, 0.4f};
    Labels labels = {.n_rows = 4, .label = y};
    AUTO(boost_model_free) BoostModel *model = boost_model_new();
    model->n_groups = 1;
    model->objective = STR("binary:logistic");
    CHECK_NEAR(metric_of("logloss", model, &labels, m), 0.47689005732536316, 1e-7);
    CHECK_NEAR(metric_of("error", model, &labels, m), 0.25, 0);
    CHECK_NEAR(metric_of("rmse", model, &labels, m), 0.39562131995445110, 1e-7);
    CHECK_NEAR(metric_of("mae", model, &labels, m), 0.35309738665819168, 1e-7);
    CHECK_NEAR(metric_of("auc", model, &labels, m), 0.75, 0);
    model->objective = STR("binary:logitraw"); /* metrics see the margins themselves */
    CHECK_NEAR(metric_of("logloss", model, &labels, m), 0.08212600648403168, 1e-7);
}

TEST(metric, multiclass_means_are_over_rows)
{
    float y[] = {0, 2, 1}, m[] = {1, 0, 0, 0, 0, 2, 3, 1, 0}, w[] = {1, 2, 3};
    Labels labels = {.n_rows = 3, .label = y, .weight = w};
    AUTO(boost_model_free) BoostModel *model = boost_model_new();
    model->n_groups = model->n_classes = 3;
    model->objective = STR("multi:softmax");
    double e = exp(1);
    double want = -(log(e / (e + 2)) + 2 * log(e * e / (e * e + 2)) +
                    3 * log(e / (e * e * e + e + 1))) /
                  6;
    CHECK_NEAR(metric_of("mlogloss", model, &labels, m), want, 1e-6);
    CHECK_NEAR(metric_of("merror", model, &labels, m), 0.5, 1e-12);
}

TEST(metric, names_that_do_not_fit_are_refused)
{
    static const struct {
        const char *objective, *name, *want;
    } cases[] = {
        {"reg:squarederror", "rmsee", "unknown metric 'rmsee'; did you mean 'rmse'?"},
        {"reg:squarederror", "auc",
         "metric 'auc' cannot measure objective 'reg:squarederror': it is for classification and ranking"},
        {"reg:squarederror", "aft-nloglik",
         "metric 'aft-nloglik' cannot measure objective 'reg:squarederror': it is for survival:aft"},
        {"multi:softmax", "logloss",
         "metric 'logloss' cannot measure objective 'multi:softmax': it is for objectives of one output; "
         "mlogloss and merror measure classes"},
        {"multi:softmax", "f1_binary",
         "metric 'f1_binary' cannot measure objective 'multi:softmax': it is for two classes (Target is "
         "multiclass but average='binary'); the _macro and _micro forms measure more"},
        {"rank:ndcg", "ndcg@0", "metric 'ndcg@0': '0' is not a whole positive number"},
        {"binary:logistic", "error@x", "metric 'error@x': 'x' is not a number"},
        {"binary:logistic", "auc@3", "metric 'auc' takes nothing after '@', but it says 'auc@3'"},
        {"reg:tweedie", "tweedie-nloglik@2",
         "tweedie variance power must be in interval [1, 2); it is 2"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ObjectiveParams params = {.name = str_of(cases[i].objective), .n_classes = 4};
        Error err = {0};
        BoostMetric metric;
        CHECK(!boost_metric_parse(str_of(cases[i].name), &params, &metric, &err));
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
    for (const char *const *name = boost_metric_names; *name; name++) {
        Error err = {0};
        BoostMetric metric;
        CHECK_OK(boost_metric_parse(str_of(*name), NULL, &metric, &err), err);
    }
}
