/* Normal, gamma, beta and what follows from them.
 *
 * Incomplete gamma: the series below a + 1, Lentz's continued fraction above.  Incomplete beta: Lentz's continued fraction, on the side
 * where it converges fast.  Quantiles: Newton's steps inside a bracket that is halved where a step leaves it.
 *
 * Abramowitz, Stegun: Handbook of Mathematical Functions, 1964, sections 6.5, 26.5; Lentz, Applied Optics 15, 1976. */

#include "stats/distribution.h"

#include "base/base.h"

#include <math.h>

enum { STEPS_MAX = 10000, QUANTILE_STEPS = 200 };
#define TINY 1e-300
#define PRECISION 1e-16

double normal_cdf(double x)
{
    return 0.5 * erfc(-x / M_SQRT2);
}

/* The x in [low, high] where the rising function f is p. */
static double solve(double (*f)(double x, double a, double b), double a, double b, double p,
                    double low, double high)
{
    for (int i = 0;
         i < QUANTILE_STEPS && high - low > 4 * 2.220446049250313e-16 * MAX(fabs(low), fabs(high));
         i++) {
        double middle = low + (high - low) / 2;
        if (f(middle, a, b) < p)
            low = middle;
        else
            high = middle;
    }
    return low + (high - low) / 2;
}

static double normal_below(double x, double a, double b)
{
    (void)a, (void)b;
    return normal_cdf(x);
}

double normal_quantile(double p)
{
    if (!(p >= 0 && p <= 1)) return NAN;
    if (p == 0) return -INFINITY;
    if (p == 1) return INFINITY;
    if (p == 0.5) return 0;
    if (p > 0.5) return -normal_quantile(1 - p); /* the lower tail keeps its digits */
    return solve(normal_below, 0, 0, p, -40, 0);
}

static double gamma_series(double a, double x)
{
    double term = 1 / a, sum = term;
    for (int n = 1; n < STEPS_MAX && term > sum * PRECISION; n++) {
        term *= x / (a + n);
        sum += term;
    }
    return sum * exp(-x + a * log(x) - lgamma(a));
}

static double gamma_fraction(double a, double x)
{
    double b = x + 1 - a, c = 1 / TINY, d = 1 / b, h = d;
    for (int i = 1; i < STEPS_MAX; i++) {
        double an = -i * (i - a);
        b += 2;
        d = an * d + b;
        if (fabs(d) < TINY) d = TINY;
        c = b + an / c;
        if (fabs(c) < TINY) c = TINY;
        d = 1 / d;
        double step = d * c;
        h *= step;
        if (fabs(step - 1) < PRECISION) break;
    }
    return h * exp(-x + a * log(x) - lgamma(a));
}

double gamma_p(double a, double x)
{
    if (!(a > 0) || !(x >= 0)) return NAN;
    if (x == 0) return 0;
    if (isinf(x)) return 1;
    return x < a + 1 ? gamma_series(a, x) : 1 - gamma_fraction(a, x);
}

double gamma_q(double a, double x)
{
    if (!(a > 0) || !(x >= 0)) return NAN;
    if (x == 0) return 1;
    if (isinf(x)) return 0;
    return x < a + 1 ? 1 - gamma_series(a, x) : gamma_fraction(a, x);
}

static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    if (fabs(d) < TINY) d = TINY;
    d = 1 / d;
    double h = d;
    for (int m = 1; m < STEPS_MAX; m++) {
        for (int odd = 0; odd < 2; odd++) {
            double k = odd ? -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
                           : m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 + k * d;
            if (fabs(d) < TINY) d = TINY;
            c = 1 + k / c;
            if (fabs(c) < TINY) c = TINY;
            d = 1 / d;
            h *= d * c;
        }
        if (fabs(d * c - 1) < PRECISION) break;
    }
    return h;
}

double beta_i(double a, double b, double x)
{
    if (!(a > 0) || !(b > 0) || !(x >= 0 && x <= 1)) return NAN;
    if (x == 0 || x == 1) return x;
    double front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) + a * log(x) + b * log1p(-x));
    return x < (a + 1) / (a + b + 2) ? front * beta_fraction(a, b, x) / a
                                     : 1 - front * beta_fraction(b, a, 1 - x) / b;
}

double chi2_sf(double x, double freedom)
{
    return x <= 0 ? 1 : gamma_q(freedom / 2, x / 2);
}

static double chi2_below(double x, double freedom, double b)
{
    (void)b;
    return gamma_p(freedom / 2, x / 2);
}

double chi2_quantile(double p, double freedom)
{
    if (!(p >= 0 && p < 1) || !(freedom > 0)) return NAN;
    double high = freedom + 10;
    while (chi2_below(high, freedom, 0) < p) high *= 2;
    return solve(chi2_below, freedom, 0, p, 0, high);
}

double t_two_sided(double t, double freedom)
{
    if (isnan(t) || !(freedom > 0)) return NAN;
    if (isinf(t)) return 0;
    return beta_i(freedom / 2, 0.5, freedom / (freedom + t * t));
}

double t_cdf(double t, double freedom)
{
    double tail = t_two_sided(t, freedom) / 2;
    return t > 0 ? 1 - tail : tail;
}

static double t_below(double t, double freedom, double b)
{
    (void)b;
    return t_cdf(t, freedom);
}

double t_quantile(double p, double freedom)
{
    if (!(p > 0 && p < 1) || !(freedom > 0)) return NAN;
    if (p == 0.5) return 0;
    if (p > 0.5) return -t_quantile(1 - p, freedom);
    double low = -2;
    while (t_cdf(low, freedom) > p) low *= 2;
    return solve(t_below, freedom, 0, p, low, 0);
}

double f_sf(double f, double freedom1, double freedom2)
{
    if (isnan(f) || !(freedom1 > 0) || !(freedom2 > 0)) return NAN;
    if (f <= 0) return 1;
    if (isinf(f)) return 0;
    return beta_i(freedom2 / 2, freedom1 / 2, freedom2 / (freedom2 + freedom1 * f));
}

double kolmogorov_sf(double d, double n1, double n2)
{
    double n = sqrt(n1 * n2 / (n1 + n2)), x = (n + 0.12 + 0.11 / n) * d, sum = 0, sign = 2;
    if (!(x > 0)) return 1;
    for (int k = 1; k <= 200; k++) {
        double term = exp(-2 * k * k * x * x);
        sum += sign * term;
        sign = -sign;
        if (term < PRECISION) break;
    }
    return MAX(0.0, MIN(1.0, sum));
}
