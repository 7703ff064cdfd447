#include "boost/metric.h"

#include "base/random.h"
#include "base/test.h"

#include <math.h>

static double metric_of(const char *name, const BoostModel *model, const Labels *labels, const float *margins)
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
    double want = -(log(e / (e + 2)) + 2 * log(e * e / (e * e + 2)) + 3 * log(e / (e * e * e + e + 1))) / 6;
    CHECK_NEAR(metric_of("mlogloss", model, &labels, m), want, 1e-6);
    CHECK_NEAR(metric_of("merror", model, &labels, m), 0.5, 1e-12);
}
