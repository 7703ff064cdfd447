#ifndef CLARY_EVALUATE_REGRESSION_H
#define CLARY_EVALUATE_REGRESSION_H

/* How good predicted numbers are.  Definitions and edge cases are scikit-learn's; where it has none
 * (sMAPE, WAPE, adjusted R^2) they are stated here.  With e = label - prediction. */

#include "base/arena.h"
#include "base/error.h"

typedef struct RegressionInput {
    int64_t n;
    const float *labels;
    const float *predictions;
    const float *weights; /* NULL: all 1 */
    int32_t n_features;   /* of the model, for adjusted R^2; 0: not known */
} RegressionInput;

enum { RESIDUAL_QUANTILES = 7 }; /* 0, 0.05, 0.25, 0.5, 0.75, 0.95, 1 */

typedef struct Regression {
    int64_t n;
    double mse, rmse, mae, max_error;
    double median_ae;   /* unweighted */
    double r2;          /* constant labels: 1 when all is right, else 0; fewer than 2 rows: NaN */
    double adjusted_r2; /* NaN where n <= n_features + 1 or n_features is not known */
    double explained_variance;
    double mape;         /* mean |e| / max(|label|, 2.2e-16): a fraction, huge when a label is 0 */
    double mape_nonzero; /* over the rows whose label is not 0; NaN when there are none */
    int64_t n_zero;      /* rows whose label is 0 */
    double smape;        /* mean 2 |e| / (|label| + |prediction|); 0 / 0 counts as 0 */
    double wape;         /* sum |e| / sum |label|; NaN when all labels are 0 */
    double rmsle;        /* NaN when a label or a prediction is below 0 */
    double bias;         /* mean (prediction - label) */
    double poisson_deviance, gamma_deviance; /* mean; NaN outside their domain */
    double pearson;                          /* correlation of labels and predictions */

    /* Of always answering the mean label (RMSE) or the median label (MAE). */
    double baseline_rmse, baseline_mae;

    double label_mean, label_min, label_max;
    double residual_quantiles[RESIDUAL_QUANTILES]; /* of e, unweighted, linear interpolation */
} Regression;

/* Fails when a label or a prediction is not finite, with the row. */
bool regression_evaluate(const RegressionInput *input, Regression *ret_result, Error *err);

/* mean max(q e, (q - 1) e): the loss of predicting quantile q. */
double regression_pinball(const RegressionInput *input, double q);

#endif
