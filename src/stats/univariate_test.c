#include "stats/univariate.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"

#include <math.h>
#include <stdlib.h>

static void describe(const double *x, int64_t n, Univariate *ret)
{
    Error err = {0};
    SortSpace space = {0};
    Sorted sorted;
    Numbers numbers = {.f64 = x, .n = n};
    CHECK_OK(sorted_make(&numbers, true, &space, &sorted, &err), err);
    univariate_of(&numbers, &sorted, ret);
    sorted_clear(&sorted);
    sort_space_clear(&space);
}

/* Values of numpy 1.24, scipy 1.10 and pandas 1.5. */
TEST(univariate, seven_numbers_as_the_libraries_see_them)
{
    static const double x[] = {2, 4, 4, 5, 7, 9, 100};
    Univariate u;
    describe(x, 7, &u);
    CHECK_INT(u.n, 7);
    CHECK_INT(u.distinct, 6);
    CHECK_NEAR(u.mean, 18.714285714285715, 1e-15);
    CHECK_NEAR(u.std, 35.91524414374433, 1e-14);
    CHECK_NEAR(u.std_population, 33.25105491651693, 1e-14);
    CHECK_NEAR(u.skewness_biased, 2.024292877574847, 1e-13);
    CHECK_NEAR(u.skewness, 2.6237834474392945, 1e-13);
    CHECK_NEAR(u.kurtosis_biased, 2.1294136940278907, 1e-13);
    CHECK_NEAR(u.kurtosis, 6.910592865666938, 1e-13);
    CHECK_NEAR(u.q1, 4, 0);
    CHECK_NEAR(u.median, 5, 0);
    CHECK_NEAR(u.q3, 8, 0);
    CHECK_NEAR(u.mad, 2, 0);
    CHECK_NEAR(u.mode, 4, 0);
    CHECK_INT(u.mode_count, 2);
    CHECK_INT(u.z.above, 0); /* with seven values no |z| passes 2.449 */
    CHECK_NEAR(u.tukey.low, -2, 0);
    CHECK_NEAR(u.tukey.high, 14, 0);
    CHECK_INT(u.tukey.above, 1);
    CHECK_INT(u.modified_z.above, 1);
    CHECK_NEAR(0.6745 * (100 - u.median) / u.mad, 32.03875, 1e-12);
}

TEST(univariate, edges)
{
    Univariate u;
    describe((const double[]){NAN, NAN}, 2, &u);
    CHECK_INT(u.missing, 2);
    CHECK(isnan(u.mean) && isnan(u.median) && isnan(u.std) && isnan(u.tukey.low));
    describe(NULL, 0, &u);
    CHECK_INT(u.n, 0);
    describe((const double[]){3}, 1, &u);
    CHECK(isnan(u.std) && isnan(u.skewness));
    CHECK_NEAR(u.median, 3, 0);
    CHECK_NEAR(u.std_population, 0, 0);
    describe((const double[]){0.1, 0.1, 0.1, 0.1, 0.1}, 5, &u);
    CHECK_NEAR(u.std, 0, 0);
    CHECK(isnan(u.skewness) && isnan(u.kurtosis) && isnan(u.z.low));
    CHECK_INT(u.tukey.above + u.tukey.below, 0);
    describe((const double[]){1, INFINITY, 2, -INFINITY, NAN, -0.0, 0.0}, 7, &u);
    CHECK_INT(u.infinite, 2);
    CHECK_INT(u.missing, 1);
    CHECK_INT(u.n, 4);
    CHECK_INT(u.zeros, 2);
    CHECK_INT(u.distinct, 3);
    CHECK_NEAR(u.mean, 0.75, 0);
    describe((const double[]){1, 1, 1, 1, 5}, 5,
             &u); /* MAD 0: the mean deviation takes its place */
    CHECK_NEAR(u.mad, 0, 0);
    CHECK_NEAR(u.modified_z.high, 1 + 3.5 * 1.253314 * 0.8, 1e-12);
    CHECK_INT(u.modified_z.above, 1);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Random columns of both widths against qsort. */
TEST(sorted, order_ranks_and_deviation)
{
    enum { N = 5000 };
    static float f32[N];
    static double f64[N], want[N], ranks[N], deviations[N];
    Error err = {0};
    SortSpace space = {0};
    for (int kind = 0; kind < 4; kind++) {
        Random random = random_stream(7, (uint64_t)kind);
        int64_t n = 0;
        for (uint64_t i = 0; i < N; i++) {
            double x = kind % 2 ? floor(random_unit(random, i) * 40) - 20
                                : (random_unit(random, i) - 0.5) * 1e6;
            if (i % 17 == 3) x = NAN;
            f32[i] = (float)x;
            f64[i] = kind < 2 ? (double)f32[i] : x;
            if (!isnan(x)) want[n++] = f64[i];
        }
        qsort(want, (size_t)n, sizeof *want, compare);
        Numbers numbers = kind < 2 ? (Numbers){.f32 = f32, .n = N} : (Numbers){.f64 = f64, .n = N};
        Sorted sorted, plain;
        CHECK_OK(sorted_make(&numbers, true, &space, &sorted, &err), err);
        CHECK_OK(sorted_make(&numbers, false, &space, &plain, &err), err);
        CHECK_INT(sorted.n, n);
        sorted_ranks(&sorted, ranks);
        double center = sorted_quantile_at(&sorted, 0.5);
        for (int64_t i = 0; i < n; i++) {
            if (sorted_at(&sorted, i) != want[i] || sorted_at(&plain, i) != want[i] ||
                numbers_at(&numbers, sorted.rows[i]) != want[i])
                FAIL("kind %d: value %lld", kind, (long long)i);
            deviations[i] = fabs(want[i] - center);
        }
        for (int64_t i = 0; i < N; i += 97) {
            if (isnan(f64[i])) {
                CHECK(isnan(ranks[i]));
                continue;
            }
            int64_t below = 0, equal = 0;
            for (int64_t k = 0; k < n; k++) {
                below += want[k] < f64[i];
                equal += want[k] == f64[i];
            }
            CHECK_NEAR(ranks[i], (double)below + (double)(equal + 1) / 2, 0);
        }
        qsort(deviations, (size_t)n, sizeof *deviations, compare);
        double middle = n % 2 ? deviations[n / 2] : (deviations[n / 2 - 1] + deviations[n / 2]) / 2;
        CHECK_NEAR(sorted_median_deviation(&sorted, center), middle, 0);
        sorted_clear(&sorted);
        sorted_clear(&plain);
    }
    sort_space_clear(&space);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The median deviation by halving is that of a plain sort; a view holds what a sort of its own holds. */
TEST(univariate, deviations_and_views)
{
    enum { N_MAX = 40 };
    for (int n = 1; n <= N_MAX; n++) {
        float f32[N_MAX];
        double f64[N_MAX], deviations[N_MAX];
        for (int i = 0; i < n; i++) {
            f64[i] = (i * i * 7 + n) % 13;
            f32[i] = (float)f64[i];
        }
        for (int kind = 0; kind < 4; kind++) {
            Numbers numbers = {kind & 1 ? f32 : NULL, kind & 1 ? NULL : f64, n};
            SortSpace space = {0}, other = {0};
            Sorted view, own;
            Error err = {0};
            CHECK_OK(sorted_view(&numbers, kind & 2, &space, &view, &err), err);
            CHECK_OK(sorted_make(&numbers, kind & 2, &other, &own, &err), err);
            CHECK_INT(view.n, own.n);
            for (int i = 0; i < n; i++) {
                CHECK(sorted_at(&view, i) == sorted_at(&own, i));
                CHECK(!(kind & 2) || view.rows[i] == own.rows[i]);
            }
            double center = sorted_quantile_at(&view, 0.3);
            for (int i = 0; i < n; i++) deviations[i] = fabs(f64[i] - center);
            qsort(deviations, (size_t)n, sizeof *deviations, ascending);
            double want = n % 2 ? deviations[n / 2]
                                : (deviations[n / 2 - 1] + deviations[n / 2]) / 2;
            CHECK_NEAR(sorted_median_deviation(&view, center), want, 1e-15);
            sorted_clear(&own);
            sort_space_clear(&space);
            sort_space_clear(&other);
        }
    }
}
