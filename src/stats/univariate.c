/* Statistics of one column.
 *
 * Order statistics are read off the sorted column.  Moments take two passes over the values (the mean, then powers of the deviations from
 * it), in double, eight sums at a time that are added up in one order: the same bits on every processor and any number of threads. */

#include "stats/univariate.h"

#include <math.h>
#include <string.h>

enum { LANES = 8 };

typedef struct Moments {
    double m2, m3, m4, m1; /* sums of powers of the deviations; m1 mends the rounding of the mean */
} Moments;

/* Sum of finite values [begin, end) of a sorted column. */
static double sum_of(const Sorted *sorted, int64_t begin, int64_t end)
{
    double sums[LANES] = {0}, total = 0;
    int64_t i = begin;
    if (sorted->f32)
        for (; i + LANES <= end; i += LANES)
            for (int l = 0; l < LANES; l++) sums[l] += (double)sorted->f32[i + l];
    else
        for (; i + LANES <= end; i += LANES)
            for (int l = 0; l < LANES; l++) sums[l] += sorted->f64[i + l];
    for (; i < end; i++) sums[0] += sorted_at(sorted, i);
    for (int l = 0; l < LANES; l++) total += sums[l];
    return total;
}

static inline void add_deviation(double d, double *m1, double *m2, double *m3, double *m4)
{
    double d2 = d * d;
    *m1 += d;
    *m2 += d2;
    *m3 += d2 * d;
    *m4 += d2 * d2;
}

static Moments moments_of(const Sorted *sorted, int64_t begin, int64_t end, double mean)
{
    double m1[LANES] = {0}, m2[LANES] = {0}, m3[LANES] = {0}, m4[LANES] = {0};
    Moments total = {0};
    int64_t i = begin;
    if (sorted->f32)
        for (; i + LANES <= end; i += LANES)
            for (int l = 0; l < LANES; l++)
                add_deviation((double)sorted->f32[i + l] - mean, &m1[l], &m2[l], &m3[l], &m4[l]);
    else
        for (; i + LANES <= end; i += LANES)
            for (int l = 0; l < LANES; l++)
                add_deviation(sorted->f64[i + l] - mean, &m1[l], &m2[l], &m3[l], &m4[l]);
    for (; i < end; i++) add_deviation(sorted_at(sorted, i) - mean, &m1[0], &m2[0], &m3[0], &m4[0]);
    for (int l = 0; l < LANES; l++) {
        total.m1 += m1[l];
        total.m2 += m2[l];
        total.m3 += m3[l];
        total.m4 += m4[l];
    }
    return total;
}

/* Keeps the most frequent values; among equally frequent ones those met first, which are the smaller ones. */
static void top_add(Univariate *u, double value, int64_t count)
{
    if (u->n_top == TOP_VALUES && count <= u->top[TOP_VALUES - 1].count) return;
    int at = u->n_top < TOP_VALUES ? u->n_top++ : TOP_VALUES - 1;
    while (at > 0 && u->top[at - 1].count < count) {
        u->top[at] = u->top[at - 1];
        at--;
    }
    u->top[at] = (TopValue){value, count};
}

static void count_values(const Sorted *sorted, Univariate *u)
{
    for (int64_t i = 0; i < sorted->n;) {
        int64_t end = i + 1;
        double value = sorted_at(sorted, i);
        while (end < sorted->n && sorted_at(sorted, end) == value) end++;
        u->distinct++;
        top_add(u, value, end - i);
        i = end;
    }
    if (u->n_top) {
        u->mode = u->top[0].value;
        u->mode_count = u->top[0].count;
    }
}

static Fences fences_of(const Sorted *sorted, double low, double high)
{
    Fences fences = {low, high, 0, 0};
    if (isnan(low) || isnan(high)) return fences;
    fences.below = sorted_below(sorted, low);
    fences.above = sorted->n - sorted_up_to(sorted, high);
    return fences;
}

/* Mean of |x - median| of the finite values. */
static double mean_deviation(const Sorted *sorted, int64_t begin, int64_t end, double median)
{
    int64_t middle = sorted_below(sorted, median);
    middle = MAX(begin, MIN(middle, end));
    double below = sum_of(sorted, begin, middle), above = sum_of(sorted, middle, end);
    double n_below = (double)(middle - begin), n_above = (double)(end - middle);
    return ((median * n_below - below) + (above - median * n_above)) / (n_below + n_above);
}

static void find_outliers(const Sorted *sorted, int64_t begin, int64_t end, Univariate *u)
{
    double scale = u->mad / 0.6745;
    if (u->mad == 0) scale = 1.253314 * mean_deviation(sorted, begin, end, u->median);
    double z = u->std_population > 0 ? 3 * u->std_population : NAN;
    double modified = scale > 0 ? 3.5 * scale : NAN;
    u->z = fences_of(sorted, u->mean - z, u->mean + z);
    u->modified_z = fences_of(sorted, u->median - modified, u->median + modified);
    u->tukey = fences_of(sorted, u->q1 - 1.5 * u->iqr, u->q3 + 1.5 * u->iqr);
}

static void find_moments(const Sorted *sorted, int64_t begin, int64_t end, Univariate *u)
{
    double n = (double)(end - begin);
    u->sum = sum_of(sorted, begin, end);
    u->mean = u->sum / n;
    Moments m = moments_of(sorted, begin, end, u->mean);
    double m2 = MAX(0.0, m.m2 - m.m1 * m.m1 / n);
    bool constant = u->min == u->max;
    if (constant) m2 = 0;
    u->variance = n > 1 ? m2 / (n - 1) : NAN;
    u->std = sqrt(u->variance);
    u->std_population = sqrt(m2 / n);
    u->standard_error = u->std / sqrt(n);
    u->variation = u->mean == 0 ? NAN : u->std / u->mean;
    if (constant) return;
    double s2 = m2 / n;
    u->skewness_biased = m.m3 / n / (s2 * sqrt(s2));
    u->kurtosis_biased = m.m4 / n / (s2 * s2) - 3;
    if (n >= 3) u->skewness = u->skewness_biased * sqrt(n * (n - 1)) / (n - 2);
    if (n >= 4) u->kurtosis = ((n + 1) * u->kurtosis_biased + 6) * (n - 1) / ((n - 2) * (n - 3));
}

void univariate_of(const Numbers *numbers, const Sorted *sorted, Univariate *ret)
{
    Univariate u = {.n_rows = numbers->n,
                    .n = sorted->n,
                    .missing = numbers->n - sorted->n,
                    .mean = NAN,
                    .min = NAN,
                    .max = NAN,
                    .variance = NAN,
                    .std = NAN,
                    .std_population = NAN,
                    .standard_error = NAN,
                    .variation = NAN,
                    .skewness = NAN,
                    .kurtosis = NAN,
                    .skewness_biased = NAN,
                    .kurtosis_biased = NAN,
                    .p01 = NAN,
                    .p05 = NAN,
                    .q1 = NAN,
                    .median = NAN,
                    .q3 = NAN,
                    .p95 = NAN,
                    .p99 = NAN,
                    .iqr = NAN,
                    .mad = NAN,
                    .mode = NAN};
    u.z = u.modified_z = u.tukey = (Fences){NAN, NAN, 0, 0};

    /* Infinities lie at both ends. */
    Sorted finite = *sorted;
    int64_t begin = sorted_up_to(sorted, -INFINITY), end = sorted_below(sorted, INFINITY);
    u.infinite = sorted->n - (end - begin);
    if (finite.f32) finite.f32 += begin;
    if (finite.f64) finite.f64 += begin;
    finite.n = u.n = end - begin;
    u.negative = sorted_below(&finite, 0);
    u.zeros = sorted_up_to(&finite, 0) - u.negative;
    if (u.n) {
        u.min = sorted_at(&finite, 0);
        u.max = sorted_at(&finite, u.n - 1);
        count_values(&finite, &u);
        const struct {
            double p, *to;
        } quantiles[] = {{0.01, &u.p01}, {0.05, &u.p05}, {0.25, &u.q1}, {0.5, &u.median},
                         {0.75, &u.q3},  {0.95, &u.p95}, {0.99, &u.p99}};
        for (size_t i = 0; i < COUNT(quantiles); i++)
            *quantiles[i].to = sorted_quantile_at(&finite, quantiles[i].p);
        u.iqr = u.q3 - u.q1;
        u.mad = sorted_median_deviation(&finite, u.median);
        find_moments(&finite, 0, u.n, &u);
        find_outliers(&finite, 0, u.n, &u);
    }
    *ret = u;
}
