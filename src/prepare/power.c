/* Yeo-Johnson's and Box and Cox's power transforms, with the exponent that makes the values most like a normal
 * distribution (maximum likelihood), then mean 0 and deviation 1: scikit-learn's PowerTransformer.
 *
 * The negative logarithm of the likelihood is convex in the exponent, so a bracket that grows downhill and
 * Brent's method find the one minimum.
 *
 * Yeo, Johnson: A New Family of Power Transformations, 2000.  Brent: Algorithms for Minimization without Derivatives, 1973. */

#include "prepare/steps.h"

enum { POWER_YEO_JOHNSON, POWER_BOX_COX };
static const char *const method_names[] = {"yeo-johnson", "box-cox", NULL};
static const char *const yes_no[] = {"no", "yes", NULL};

static double box_cox(double x, double lambda)
{
    return fabs(lambda) < 1e-19 ? log(x) : expm1(lambda * log(x)) / lambda;
}

static double yeo_johnson(double x, double lambda)
{
    return x >= 0 ? box_cox(x + 1, lambda) : -box_cox(1 - x, 2 - lambda);
}

typedef struct Fit {
    bool yeo_johnson;
    const double *x;
    int64_t n;
    double sum_log; /* of the transform's derivative, an exponent of 1 */
} Fit;

static double transform(const Fit *fit, double x, double lambda)
{
    return fit->yeo_johnson ? yeo_johnson(x, lambda) : box_cox(x, lambda);
}

static void moments(const Fit *fit, double lambda, double *ret_mean, double *ret_variance)
{
    double mean = 0, m2 = 0, n = 0;
    for (int64_t i = 0; i < fit->n; i++) {
        if (isnan(fit->x[i])) continue;
        double y = transform(fit, fit->x[i], lambda), d = y - mean;
        mean += d / ++n;
        m2 += d * (y - mean);
    }
    *ret_mean = mean;
    *ret_variance = m2 / n;
}

static double cost(const Fit *fit, double n, double lambda)
{
    double mean, variance;
    moments(fit, lambda, &mean, &variance);
    double result = n / 2 * log(variance) - (lambda - 1) * fit->sum_log;
    return isnan(result) || isinf(result) ? 1e300 : result;
}

static double minimum(const Fit *fit, double n, double a, double b)
{
    const double golden = 0.3819660112501051, tolerance = 1e-10;
    double x = a + golden * (b - a), w = x, v = x, d = 0, e = 0;
    double fx = cost(fit, n, x), fw = fx, fv = fx;
    for (int step = 0; step < 200; step++) {
        double middle = (a + b) / 2, small = 1e-9 * fabs(x) + tolerance;
        if (fabs(x - middle) <= 2 * small - (b - a) / 2) break;
        double p = 0, q = 0, r;
        if (fabs(e) > small) {
            r = (x - w) * (fx - fv);
            q = (x - v) * (fx - fw);
            p = (x - v) * q - (x - w) * r;
            q = 2 * (q - r);
            if (q > 0) p = -p;
            q = fabs(q);
        }
        if (q > 0 && fabs(p) < fabs(q * e / 2) && p > q * (a - x) && p < q * (b - x)) {
            e = d;
            d = p / q;
        } else {
            e = x < middle ? b - x : a - x;
            d = golden * e;
        }
        double u = x + (fabs(d) >= small ? d : d > 0 ? small : -small), fu = cost(fit, n, u);
        if (fu <= fx) {
            *(u < x ? &b : &a) = x;
            v = w, fv = fw, w = x, fw = fx, x = u, fx = fu;
        } else {
            *(u < x ? &a : &b) = u;
            if (fu <= fw || w == x)
                v = w, fv = fw, w = u, fw = fu;
            else if (fu <= fv || v == x || v == w)
                v = u, fv = fu;
        }
    }
    return x;
}

static double best_lambda(const Fit *fit, double n)
{
    double low = -2, high = 2;
    for (int k = 0; k < 5 && cost(fit, n, low) < cost(fit, n, low + 0.5); k++) low *= 2;
    for (int k = 0; k < 5 && cost(fit, n, high) < cost(fit, n, high - 0.5); k++) high *= 2;
    return minimum(fit, n, low, high);
}

static bool power_fit(Step *step, Frame *table, Error *err)
{
    bool yeo = step_choice(step, "method") == POWER_YEO_JOHNSON;
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c = frame_column(table, step->columns[j]);
        Fit fit = {.yeo_johnson = yeo, .x = c->f64, .n = c->n_rows};
        double n = 0, min = INFINITY, max = -INFINITY, lambda = 1, mean, variance;
        for (int64_t i = 0; i < c->n_rows; i++) {
            double x = c->f64[i];
            if (isnan(x)) continue;
            if (!yeo && x <= 0)
                return error_set(err, ERROR_INVALID,
                                 "column '%.*s' row %lld: %g is not above 0, as box-cox needs; "
                                 "yeo-johnson takes any number",
                                 STR_ARG(c->name), (long long)i + 1, x);
            n++;
            min = fmin(min, x);
            max = fmax(max, x);
            fit.sum_log += yeo ? copysign(log1p(fabs(x)), x) : log(x);
        }
        if (n == 0)
            return error_set(err, ERROR_INVALID, "column '%.*s' has no value in any row",
                             STR_ARG(c->name));
        if (min < max) lambda = best_lambda(&fit, n);
        moments(&fit, lambda, &mean, &variance);
        if (!(variance - variance == 0))
            return error_set(err, ERROR_NUMERIC, "column '%.*s' is too large for a power transform",
                             STR_ARG(c->name));
        step_learn_number(step, "lambda", step->columns[j], lambda);
        if (!step_choice(step, "standardize")) continue;
        step_learn_number(step, "center", step->columns[j], mean);
        step_learn_number(step, "scale", step->columns[j],
                          min < max && variance > 0 ? sqrt(variance) : 1);
    }
    return true;
}

static bool power_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    Fit fit = {.yeo_johnson = step_choice(step, "method") == POWER_YEO_JOHNSON};
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c;
        double lambda, center = 0, divisor = 1;
        if (!step_column(step, table, step->columns[j], TAKES_NUMBERS, &c, err) ||
            !step_learned_number(step, "lambda", step->columns[j], &lambda, err) ||
            (step_choice(step, "standardize") &&
             (!step_learned_number(step, "center", step->columns[j], &center, err) ||
              !step_learned_number(step, "scale", step->columns[j], &divisor, err))))
            return false;
        for (int64_t i = 0; i < c->n_rows; i++) {
            if (!fit.yeo_johnson && c->f64[i] <= 0)
                return error_set(err, ERROR_INVALID, "column '%.*s' row %lld: %g is not above 0",
                                 STR_ARG(c->name), (long long)i + 1, c->f64[i]);
            c->f64[i] = (transform(&fit, c->f64[i], lambda) - center) / divisor;
        }
    }
    return true;
}

const StepKind power_step = {
    .name = "power",
    .group = "Scaling",
    .summary = "makes a skewed column as bell-shaped as a power can",
    .example = "yeo-johnson income",
    .aliases = {{"yeo-johnson", "method yeo-johnson"}, {"box-cox", "method box-cox"}},
    .takes = TAKES_NUMBERS,
    .words = {{.name = "method",
               .kind = WORD_CHOICE,
               .choices = method_names,
               .preset = "yeo-johnson",
               .help = "box-cox needs numbers above 0"},
              {.name = "standardize",
               .kind = WORD_CHOICE,
               .choices = yes_no,
               .preset = "yes",
               .help = "to mean 0 and deviation 1 afterwards"}},
    .fit = power_fit,
    .apply = power_apply,
};
