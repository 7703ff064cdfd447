/* Regression metrics against scikit-learn (tests/golden/evaluate) and at their edges. */

#include "base/test.h"
#include "evaluate/golden.h"
#include "evaluate/regression.h"

#include <math.h>

static double value_of(const Regression *r, const RegressionInput *input, Str name)
{
    const struct {
        const char *name;
        double value;
    } plain[] = {
        {"mse", r->mse},
        {"rmse", r->rmse},
        {"mae", r->mae},
        {"median_ae", r->median_ae},
        {"max_error", r->max_error},
        {"r2", r->r2},
        {"explained_variance", r->explained_variance},
        {"mape", r->mape},
        {"rmsle", r->rmsle},
        {"poisson_deviance", r->poisson_deviance},
        {"gamma_deviance", r->gamma_deviance},
        {"pearson", r->pearson},
        {"q05", r->residual_quantiles[1]},
        {"q75", r->residual_quantiles[4]},
        {"baseline_mae", r->baseline_mae},
        {"baseline_rmse", r->baseline_rmse},
        {"pinball_0.9", regression_pinball(input, 0.9)},
    };
    for (size_t i = 0; i < COUNT(plain); i++)
        if (str_is(name, plain[i].name)) return plain[i].value;
    FAIL("no value '%.*s'", STR_ARG(name));
}

TEST(regression, values_equal_those_of_scikit_learn)
{
    ARENA(arena);
    Golden golden = golden_open(&arena);
    GoldenCase each;
    int n = 0;
    while (golden_next(&golden, &each)) {
        if (!str_is(each.kind, "numbers")) continue;
        Error err = {0};
        Regression result;
        RegressionInput input = {.n = each.n,
                                 .labels = each.labels,
                                 .predictions = each.scores,
                                 .weights = each.weights};
        CHECK_OK(regression_evaluate(&input, &result, &err), err);
        for (int v = 0; v < each.n_values; v++) {
            double got = value_of(&result, &input, each.values[v].name),
                   want = each.values[v].value;
            if (!test_near(got, want, 1e-9))
                FAIL("%.*s: %.*s is %.17g, not %.17g", STR_ARG(each.name),
                     STR_ARG(each.values[v].name), got, want);
            n++;
        }
    }
    CHECK(n > 50);
}

TEST(regression, what_scikit_learn_has_not_is_counted_by_hand)
{
    Error err = {0};
    static const float labels[] = {1, 0, 4, -2}, predictions[] = {2, 0, 3, -2};
    Regression result;
    RegressionInput input = {.n = 4, .labels = labels, .predictions = predictions, .n_features = 2};
    CHECK_OK(regression_evaluate(&input, &result, &err), err);
    CHECK_NEAR(result.mape_nonzero, (1 + 0.25 + 0) / 3, 1e-15);
    CHECK_INT(result.n_zero, 1);
    CHECK_NEAR(result.smape, (2.0 / 3 + 0 + 2.0 / 7 + 0) / 4, 1e-15);
    CHECK_NEAR(result.wape, 2.0 / 7, 1e-15);
    CHECK_NEAR(result.bias, 0, 1e-15);
    double r2 = 1 - 2 / (21 - 9.0 / 4);
    CHECK_NEAR(result.r2, r2, 1e-15);
    CHECK_NEAR(result.adjusted_r2, 1 - (1 - r2) * 3 / 1, 1e-15);
    CHECK(isnan(result.rmsle) && isnan(result.poisson_deviance));
}

TEST(regression, too_few_rows_are_undefined_and_bad_ones_named)
{
    Error err = {0};
    static const float labels[] = {1, 2}, bad[] = {1, NAN};
    Regression result;
    RegressionInput input = {.n = 0, .labels = labels, .predictions = labels};
    CHECK_OK(regression_evaluate(&input, &result, &err), err);
    CHECK(isnan(result.rmse) && isnan(result.median_ae) && isnan(result.r2));
    input.n = 1;
    CHECK_OK(regression_evaluate(&input, &result, &err), err);
    CHECK(result.rmse == 0 && isnan(result.r2));
    input.n = 2;
    input.predictions = bad;
    CHECK(!regression_evaluate(&input, &result, &err));
    CHECK_STR(str_of(err.text), STR("row 2: the prediction is nan"));
    input.predictions = labels;
    input.labels = bad;
    CHECK(!regression_evaluate(&input, &result, &err));
    CHECK_STR(str_of(err.text), STR("row 2: the label is nan"));
}
