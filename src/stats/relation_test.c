#include "stats/relation.h"

#include "base/arena.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/test.h"
#include "stats/distribution.h"

#include <math.h>
#include <string.h>
#include <stdlib.h>

/* Lines of a golden file without its head. */
static Str golden(const char *path, Arena *arena)
{
    Error err = {0};
    Str text, line;
    CHECK_OK(file_read(test_path(path), 1 << 20, arena, &text, &err), err);
    for (Str rest = text; str_next_line(&rest, &line) && line.len && line.ptr[0] == '#';)
        text = rest;
    return text;
}

static double next_number(Str *line)
{
    Str word;
    double x = NAN;
    if (!str_next(line, ' ', &word) || !str_to_double(word, &x))
        FAIL("no number: '%.*s'", STR_ARG(word));
    return x;
}

TEST(distribution, values_of_scipy)
{
    ARENA(arena);
    Str text = golden("tests/golden/stats/distributions.txt", &arena), line, name;
    int n = 0;
    for (; str_next_line(&text, &line); n++) {
        str_next(&line, ' ', &name);
        double a = next_number(&line), b = next_number(&line), c = next_number(&line),
               want = next_number(&line), got = NAN;
        if (str_is(name, "normal_cdf")) got = normal_cdf(a);
        if (str_is(name, "normal_quantile")) got = normal_quantile(a);
        if (str_is(name, "chi2_sf")) got = chi2_sf(a, b);
        if (str_is(name, "chi2_quantile")) got = chi2_quantile(a, b);
        if (str_is(name, "t_cdf")) got = t_cdf(a, b);
        if (str_is(name, "t_two_sided")) got = t_two_sided(a, b);
        if (str_is(name, "t_quantile")) got = t_quantile(a, b);
        if (str_is(name, "f_sf")) got = f_sf(a, b, c);
        if (fabs(got - want) > 2e-9 * fabs(want) + 1e-300)
            FAIL("%.*s(%g, %g, %g) is %.17g, not %.17g", STR_ARG(name), a, b, c, got, want);
    }
    CHECK(n > 100);
    CHECK(isnan(chi2_quantile(0.5, 0)) && isnan(normal_quantile(2)) && isnan(t_quantile(0, 3)));
}

enum { P_MAX = 8, N_MAX = 400 };

static void check_matrix(Str *text, int p, const double *got, const char *what)
{
    Str line;
    for (int i = 0; i < p; i++) {
        CHECK(str_next_line(text, &line));
        for (int j = 0; j < p; j++) {
            double want = next_number(&line), value = got[i * p + j];
            if (!test_near(value, want, 1e-11))
                FAIL("%s[%d][%d] is %.17g, not %.17g", what, i, j, value, want);
        }
    }
}

TEST(relation, matrices_of_pandas)
{
    ARENA(arena);
    Error err = {0};
    Str text = golden("tests/golden/stats/correlations.txt", &arena), line;
    static double data[P_MAX][N_MAX], r[P_MAX * P_MAX], cov[P_MAX * P_MAX], rho[P_MAX * P_MAX],
        tau[P_MAX * P_MAX];
    const double *columns[P_MAX];
    Sorted sorted[P_MAX];
    const Sorted *pointers[P_MAX];
    SortSpace space = {0};
    str_next_line(&text, &line);
    int n = (int)next_number(&line), p = (int)next_number(&line);
    for (int i = 0; i < n; i++) {
        str_next_line(&text, &line);
        for (int j = 0; j < p; j++) data[j][i] = next_number(&line);
    }
    for (int j = 0; j < p; j++) {
        columns[j] = data[j];
        pointers[j] = &sorted[j];
        CHECK_OK(sorted_make(&(Numbers){.f64 = data[j], .n = n}, true, &space, &sorted[j], &err),
                 err);
    }
    CHECK_OK(pearson_matrix(NULL, columns, p, n, r, cov, NULL, &err), err);
    check_matrix(&text, p, r, "r");
    CHECK_OK(spearman_matrix(NULL, pointers, p, n, rho, &err), err);
    check_matrix(&text, p, rho, "rho");
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++) {
            double x[N_MAX], y[N_MAX];
            int64_t m = 0;
            for (int k = 0; k < n; k++)
                if (!isnan(data[i][k]) && !isnan(data[j][k])) {
                    x[m] = data[i][k];
                    y[m++] = data[j][k];
                }
            CHECK_OK(kendall_tau(x, y, m, &tau[i * p + j], &err), err);
        }
    check_matrix(&text, p, tau, "tau");
    check_matrix(&text, p, cov, "covariance");
    static const int full[] = {0, 1, 2, 5};
    double small[16], vif[4], condition;
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < 4; b++) small[a * 4 + b] = r[full[a] * p + full[b]];
    CHECK_OK(vif_of(small, 4, vif, &condition, &err), err);
    str_next_line(&text, &line);
    for (int a = 0; a < 4; a++) CHECK_NEAR(vif[a], next_number(&line), 1e-9);
    CHECK(condition > 1 && condition < 100);
    for (int j = 0; j < p; j++) sorted_clear(&sorted[j]);
    sort_space_clear(&space);
}

TEST(relation, small_examples_and_edges)
{
    Error err = {0};
    static const double a[] = {1, 2, 3, 4, 5}, b[] = {2, 1, 4, 3, 5}, c[] = {7, 7, 7, 7, 7},
                        ta[] = {1, 2, 2, 3}, tb[] = {1, 3, 2, 4};
    double r[9], tau;
    CHECK_OK(pearson_matrix(NULL, (const double *const[]){a, b, c}, 3, 5, r, NULL, NULL, &err),
             err);
    CHECK_NEAR(r[1], 0.8, 1e-15);
    CHECK(isnan(r[2]) && isnan(r[8]));
    CHECK_NEAR(pearson_p(0.8, 5), 0.10408803866182785, 1e-12);
    CHECK_OK(kendall_tau(a, b, 5, &tau, &err), err);
    CHECK_NEAR(tau, 0.6, 1e-15);
    CHECK_OK(kendall_tau(ta, tb, 4, &tau, &err), err);
    CHECK_NEAR(tau, 0.912870929175277, 1e-14);
    CHECK_OK(kendall_tau(a, c, 5, &tau, &err), err);
    CHECK(isnan(tau));

    /* VIF with intercept, of the specification; then a column that is another one twice, and a constant. */
    static const double x1[] = {1, 2, 3, 4, 5}, x2[] = {2, 4.1, 6.2, 7.9, 10.1},
                        x3[] = {3, 1, 4, 1, 5}, x4[] = {6, 2, 8, 2, 10};
    double vif[4], r4[16];
    CHECK_OK(pearson_matrix(NULL, (const double *const[]){x1, x2, x3}, 3, 5, r, NULL, NULL, &err),
             err);
    CHECK_OK(vif_of(r, 3, vif, NULL, &err), err);
    CHECK_NEAR(vif[0], 1189.5738942827102, 1e-8);
    CHECK_NEAR(vif[1], 1209.7691477885598, 1e-8);
    CHECK_NEAR(vif[2], 1.7950377562028106, 1e-8);
    CHECK_OK(
        pearson_matrix(NULL, (const double *const[]){x1, x3, x4, c}, 4, 5, r4, NULL, NULL, &err),
        err);
    CHECK_OK(vif_of(r4, 4, vif, NULL, &err), err);
    CHECK(isinf(vif[1]) && isinf(vif[2]) && isnan(vif[3]));
    CHECK(isfinite(vif[0]));

    ChiSquare chi;
    static const double table[] = {10, 20, 20, 5};
    chi_square(table, 2, 2, true, &chi);
    CHECK_NEAR(chi.chi2, 10.1695, 1e-5);
    CHECK_NEAR(chi.p, 0.00142783, 1e-6);
    chi_square(table, 2, 2, false, &chi);
    CHECK_NEAR(chi.chi2, 11.9778, 1e-5);
    static const int32_t u[] = {0, 0, 1, 1}, v[] = {0, 0, 1, 0};
    double small[4];
    contingency(u, 2, v, 2, 4, small);
    chi_square(small, 2, 2, false, &chi);
    CHECK_NEAR(chi.mutual_information, 0.21576155433883565, 1e-14);
    chi_square((const double[]){3, 0, 4, 0}, 2, 2, false, &chi);
    CHECK(isnan(chi.v));

    Anova anova;
    static const int32_t groups[] = {0, 0, 0, 1, 1, 1, 2, 2, 2};
    static const double values[] = {1, 2, 3, 2, 3, 5, 4, 5, 6};
    anova_of(groups, 3, values, 9, &anova);
    CHECK_NEAR(anova.f, 4.692307692307691, 1e-12);
    CHECK_NEAR(anova.p, 0.059319, 1e-9);
}

TEST(relation, the_same_bits_on_any_number_of_threads)
{
    enum { P = 7, N = 5000 };
    static double data[P][N], one[P * P], many[P * P];
    const double *columns[P];
    Error err = {0};
    for (int j = 0; j < P; j++) {
        columns[j] = data[j];
        for (int i = 0; i < N; i++)
            data[j][i] = i % 13 == j ? NAN
                                     : random_unit(random_stream(3, (uint64_t)j), (uint64_t)i);
    }
    AUTO(pool_free) Pool *pool = pool_new(4);
    CHECK_OK(pearson_matrix(NULL, columns, P, N, one, NULL, NULL, &err), err);
    CHECK_OK(pearson_matrix(pool, columns, P, N, many, NULL, NULL, &err), err);
    CHECK(memcmp(one, many, sizeof one) == 0);
}

/* Columns 0 to 2 are independent, 3 is the sum of 0 and 1, 4 a copy of 2 with a little noise. */
TEST(relation, inflation_of_columns_that_follow_from_others)
{
    enum { N = 500, P = 5 };
    static double x[P][N];
    const double *columns[P];
    double r[P * P], vif[P], condition;
    Random random = random_stream(7, 0);
    Error err = {0};
    for (int i = 0; i < N; i++) {
        for (int j = 0; j < 3; j++) x[j][i] = random_unit(random, (uint64_t)(i * 8 + j));
        x[3][i] = x[0][i] + x[1][i];
        x[4][i] = x[2][i] + 0.1 * random_unit(random, (uint64_t)(i * 8 + 5));
    }
    for (int j = 0; j < P; j++) columns[j] = x[j];
    CHECK_OK(pearson_matrix(NULL, columns, P, N, r, NULL, NULL, &err), err);
    CHECK_OK(vif_of(r, P, vif, &condition, &err), err);
    CHECK(isinf(vif[0]) && isinf(vif[1]) && isinf(vif[3]));
    double r24 = r[2 * P + 4]; /* 2 and 4 have hardly to do with the others: nearly 1 / (1 - r^2) */
    CHECK(vif[2] > 0.99 / (1 - r24 * r24) && vif[2] < 1.2 / (1 - r24 * r24));
    CHECK(vif[4] > 0.99 / (1 - r24 * r24) && vif[4] < 1.2 / (1 - r24 * r24));
    CHECK(isinf(condition) || condition > 1e6);
}

/* Rows beyond a chunk and a block, floats and doubles, holes and none: against sums of its own. */
TEST(relation, blocks_give_what_plain_sums_give)
{
    enum { N = 40001, P = 6 };
    static double x[P][N];
    static float f[N];
    double centers[P] = {0}, r[P * P], same[P * P];
    Numbers numbers[P];
    Random random = random_stream(8, 0);
    Error err = {0};
    for (int missing = 0; missing < 2; missing++) {
        for (int j = 0; j < P; j++)
            for (int i = 0; i < N; i++) {
                double u = random_unit(random, (uint64_t)(i * P + j));
                x[j][i] = 100 + u + (j ? 0.3 * x[j - 1][i] : 0);
                if (j == 1) x[j][i] = (float)x[j][i];
                if (missing && j > 1 && (i * 7 + j) % 11 == 0) x[j][i] = j == 3 ? INFINITY : NAN;
            }
        for (int i = 0; i < N; i++) f[i] = (float)x[1][i];
        for (int j = 0; j < P; j++) {
            double sum = 0;
            int n = 0;
            for (int i = 0; i < N; i++)
                if (isfinite(x[j][i])) {
                    sum += x[j][i];
                    n++;
                }
            centers[j] = sum / n;
            numbers[j] = j == 1 ? (Numbers){.f32 = f, .n = N} : (Numbers){.f64 = x[j], .n = N};
        }
        CHECK_OK(pearson_blocks(NULL, numbers, centers, P, N, missing, r, NULL, NULL, &err), err);
        AUTO(pool_free) Pool *pool = pool_new(3);
        CHECK_OK(pearson_blocks(pool, numbers, centers, P, N, missing, same, NULL, NULL, &err),
                 err);
        CHECK(memcmp(r, same, sizeof r) == 0);
        for (int a = 0; a < P; a++)
            for (int b = a + 1; b < P; b++) {
                long double n = 0, sa = 0, sb = 0, saa = 0, sbb = 0, sab = 0;
                for (int i = 0; i < N; i++) {
                    if (!isfinite(x[a][i]) || !isfinite(x[b][i])) continue;
                    long double u = x[a][i] - 100, v = x[b][i] - 100;
                    n++;
                    sa += u;
                    sb += v;
                    saa += u * u;
                    sbb += v * v;
                    sab += u * v;
                }
                long double want = (sab - sa * sb / n) /
                                   sqrtl((saa - sa * sa / n) * (sbb - sb * sb / n));
                CHECK_NEAR(r[a * P + b], (double)want, 1e-11);
            }
    }
}
