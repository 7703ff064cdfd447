#ifndef CLARY_STATS_DISTRIBUTION_H
#define CLARY_STATS_DISTRIBUTION_H

/* Distributions that tests and charts need.  Relative accuracy 1e-10 or better where the result is not below 1e-300; NaN for parameters that
 * are out of range.  "sf" is the survival function, P(X > x). */

double normal_cdf(double x);
double normal_quantile(double p);

double gamma_p(double a, double x);          /* regularized lower incomplete gamma function */
double gamma_q(double a, double x);          /* and upper */
double beta_i(double a, double b, double x); /* regularized incomplete beta function */

double chi2_sf(double x, double freedom);
double chi2_quantile(double p, double freedom);
double t_cdf(double t, double freedom);
double t_two_sided(double t, double freedom); /* P(|T| > |t|) */
double t_quantile(double p, double freedom);
double f_sf(double f, double freedom1, double freedom2);

/* P(D > d) of the two-sample Kolmogorov-Smirnov statistic, by Kolmogorov's limit with Stephens' correction. */
double kolmogorov_sf(double d, double n1, double n2);

#endif
