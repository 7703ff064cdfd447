/* Regression metrics, in double from end to end. */

#include "evaluate/regression.h"

#include "base/memory.h"
#include "evaluate/rank.h"

#include <math.h>

#define NOT_DEFINED ((double)NAN)

static inline double weight_at(const RegressionInput *input, int64_t row)
{
    return input->weights ? (double)input->weights[row] : 1;
}

static double ratio(double a, double b, double otherwise)
{
    return b != 0 ? a / b : otherwise;
}

static bool check_rows(const RegressionInput *input, Error *err)
{
    for (int64_t i = 0; i < input->n; i++) {
        double w = weight_at(input, i);
        if (!isfinite(input->labels[i]))
            return error_set(err, ERROR_INVALID, "row %lld: the label is %g", (long long)i + 1,
                             (double)input->labels[i]);
        if (!isfinite(input->predictions[i]))
            return error_set(err, ERROR_INVALID, "row %lld: the prediction is %g", (long long)i + 1,
                             (double)input->predictions[i]);
        if (!(w >= 0) || !isfinite(w))
            return error_set(err, ERROR_INVALID, "row %lld: the weight is %g", (long long)i + 1, w);
    }
    return true;
}

typedef struct Means {
    double weight, label, prediction, error;
} Means;

static Means find_means(const RegressionInput *input)
{
    Means means = {0};
    for (int64_t i = 0; i < input->n; i++) {
        double w = weight_at(input, i), y = (double)input->labels[i],
               p = (double)input->predictions[i];
        means.weight += w;
        means.label += w * y;
        means.prediction += w * p;
        means.error += w * (y - p);
    }
    means.label /= means.weight;
    means.prediction /= means.weight;
    means.error /= means.weight;
    return means;
}

/* Of constant labels: 1 when nothing is left to explain. */
static double explained(double unexplained, double spread)
{
    if (spread == 0) return unexplained == 0 ? 1 : 0;
    return 1 - unexplained / spread;
}

static void sum_errors(const RegressionInput *input, const Means *means, Regression *result)
{
    static const double SMALLEST = 2.220446049250313e-16;
    double squares = 0, absolutes = 0, label_squares = 0, error_squares = 0, prediction_squares = 0,
           products = 0;
    double mape = 0, mape_nonzero = 0, nonzero = 0, smape = 0, size = 0, logs = 0, poisson = 0,
           gamma = 0;
    bool log_defined = true, poisson_defined = true, gamma_defined = true;
    result->label_min = (double)INFINITY;
    result->label_max = (double)-INFINITY;
    for (int64_t i = 0; i < input->n; i++) {
        double w = weight_at(input, i), y = (double)input->labels[i],
               p = (double)input->predictions[i];
        double e = y - p, absolute = fabs(e), dy = y - means->label, dp = p - means->prediction,
               de = e - means->error;
        squares += w * e * e;
        absolutes += w * absolute;
        label_squares += w * dy * dy;
        prediction_squares += w * dp * dp;
        products += w * dy * dp;
        error_squares += w * de * de;
        result->max_error = fmax(result->max_error, absolute);
        result->label_min = fmin(result->label_min, y);
        result->label_max = fmax(result->label_max, y);
        mape += w * absolute / fmax(fabs(y), SMALLEST);
        if (y != 0) {
            mape_nonzero += w * absolute / fabs(y);
            nonzero += w;
        } else {
            result->n_zero++;
        }
        smape += w * ratio(2 * absolute, fabs(y) + fabs(p), 0);
        size += w * fabs(y);
        log_defined &= y >= 0 && p >= 0;
        poisson_defined &= y >= 0 && p > 0;
        gamma_defined &= y > 0 && p > 0;
        if (log_defined) logs += w * pow(log1p(p) - log1p(y), 2);
        if (poisson_defined) poisson += 2 * w * ((y > 0 ? y * log(y / p) : 0) - y + p);
        if (gamma_defined) gamma += 2 * w * (log(p / y) + y / p - 1);
    }
    double total = means->weight;
    result->mse = squares / total;
    result->rmse = sqrt(result->mse);
    result->mae = absolutes / total;
    result->r2 = input->n < 2 ? NOT_DEFINED : explained(squares, label_squares);
    result->explained_variance = explained(error_squares, label_squares);
    double n = (double)input->n, p = input->n_features;
    result->adjusted_r2 = p > 0 && n > p + 1 ? 1 - (1 - result->r2) * (n - 1) / (n - p - 1)
                                             : NOT_DEFINED;
    result->mape = mape / total;
    result->mape_nonzero = ratio(mape_nonzero, nonzero, NOT_DEFINED);
    result->smape = smape / total;
    result->wape = ratio(absolutes, size, NOT_DEFINED);
    result->rmsle = log_defined ? sqrt(logs / total) : NOT_DEFINED;
    result->poisson_deviance = poisson_defined ? poisson / total : NOT_DEFINED;
    result->gamma_deviance = gamma_defined ? gamma / total : NOT_DEFINED;
    result->bias = -means->error;
    result->pearson = ratio(products, sqrt(label_squares) * sqrt(prediction_squares), NOT_DEFINED);
    result->baseline_rmse = sqrt(label_squares / total);
}

static void sort_errors(const RegressionInput *input, double *values, Regression *result)
{
    static const double quantiles[RESIDUAL_QUANTILES] = {0, 0.05, 0.25, 0.5, 0.75, 0.95, 1};
    int64_t n = input->n;
    for (int64_t i = 0; i < n; i++)
        values[i] = (double)input->labels[i] - (double)input->predictions[i];
    sort_doubles(values, (size_t)n);
    for (int q = 0; q < RESIDUAL_QUANTILES; q++)
        result->residual_quantiles[q] = sorted_quantile(values, n, quantiles[q]);
    for (int64_t i = 0; i < n; i++) values[i] = fabs(values[i]);
    sort_doubles(values, (size_t)n);
    result->median_ae = sorted_quantile(values, n, 0.5);

    for (int64_t i = 0; i < n; i++) values[i] = (double)input->labels[i];
    sort_doubles(values, (size_t)n);
    double median = sorted_quantile(values, n, 0.5), total = 0, weight = 0;
    for (int64_t i = 0; i < n; i++) {
        total += weight_at(input, i) * fabs((double)input->labels[i] - median);
        weight += weight_at(input, i);
    }
    result->baseline_mae = total / weight;
}

static Regression undefined_result(void)
{
    Regression result = {0};
    result.mse = result.rmse = result.mae = result.median_ae = result.max_error = NOT_DEFINED;
    result.r2 = result.adjusted_r2 = result.explained_variance = NOT_DEFINED;
    result.mape = result.mape_nonzero = result.smape = result.wape = result.rmsle = NOT_DEFINED;
    result.bias = result.poisson_deviance = result.gamma_deviance = result.pearson = NOT_DEFINED;
    result.baseline_rmse = result.baseline_mae = NOT_DEFINED;
    result.label_mean = result.label_min = result.label_max = NOT_DEFINED;
    for (int q = 0; q < RESIDUAL_QUANTILES; q++) result.residual_quantiles[q] = NOT_DEFINED;
    return result;
}

bool regression_evaluate(const RegressionInput *input, Regression *ret_result, Error *err)
{
    if (!check_rows(input, err)) return false;
    Means means = find_means(input);
    if (input->n == 0 || means.weight == 0) {
        *ret_result = undefined_result();
        ret_result->n = input->n;
        return true;
    }
    AUTO_DATA double *values = data_array(double, input->n, "the residuals", err);
    if (!values) return false;
    Regression result = {.n = input->n, .label_mean = means.label};
    sum_errors(input, &means, &result);
    sort_errors(input, values, &result);
    *ret_result = result;
    return true;
}

double regression_pinball(const RegressionInput *input, double q)
{
    double total = 0, weight = 0;
    for (int64_t i = 0; i < input->n; i++) {
        double e = (double)input->labels[i] - (double)input->predictions[i],
               w = weight_at(input, i);
        total += w * fmax(q * e, (q - 1) * e);
        weight += w;
    }
    return ratio(total, weight, NOT_DEFINED);
}
