/* Kendall's tau, contingency tables, variance inflation.  Pearson and Spearman are in correlation.c. */

#include "stats/relation.h"

#include "base/arena.h"
#include "base/memory.h"
#include "stats/distribution.h"

#include <math.h>
#include <string.h>

static double clipped(double r)
{
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

double pearson_p(double r, int64_t n)
{
    if (isnan(r) || n < 3) return NAN;
    if (fabs(r) >= 1) return 0;
    double freedom = (double)(n - 2);
    return t_two_sided(r * sqrt(freedom / (1 - r * r)), freedom);
}

/* ---- Kendall ---- */

/* Sorts y and counts the exchanges that neighbors would have needed: merge sort, from small runs up. */
static double count_exchanges(double *y, double *spare, int64_t n)
{
    double exchanges = 0;
    for (int64_t width = 1; width < n; width *= 2) {
        for (int64_t begin = 0; begin < n; begin += 2 * width) {
            int64_t middle = MIN(begin + width, n), end = MIN(begin + 2 * width, n), a = begin,
                    b = middle;
            for (int64_t k = begin; k < end; k++)
                if (b == end || (a < middle && y[a] <= y[b])) {
                    spare[k] = y[a++];
                } else {
                    exchanges += (double)(middle - a);
                    spare[k] = y[b++];
                }
        }
        memcpy(y, spare, (size_t)n * sizeof *y);
    }
    return exchanges;
}

static double tied_pairs(const double *sorted, int64_t n)
{
    double pairs = 0;
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && sorted[end] == sorted[i];) end++;
        double m = (double)(end - i);
        pairs += m * (m - 1) / 2;
    }
    return pairs;
}

bool kendall_tau(const double *x, const double *y, int64_t n, double *ret_tau, Error *err)
{
    SortSpace space = {0};
    Sorted by_y, by_x;
    AUTO_DATA double *xs = data_array(double, 3 * (size_t)n, "Kendall's tau", err);
    if (!xs) return false;
    double *ys = xs + n, *spare = ys + n;
    /* Stable sorts: first by y, then by x, give the order by (x, y). */
    if (!sorted_make(&(Numbers){.f64 = y, .n = n}, true, &space, &by_y, err)) return false;
    for (int64_t i = 0; i < n; i++) xs[i] = x[by_y.rows[i]];
    bool ok = sorted_make(&(Numbers){.f64 = xs, .n = n}, true, &space, &by_x, err);
    sort_space_clear(&space);
    if (!ok) {
        sorted_clear(&by_y);
        return false;
    }
    double both = 0, n0 = (double)n * (double)(n - 1) / 2;
    for (int64_t i = 0; i < n; i++) {
        xs[i] = sorted_at(&by_x, i);
        ys[i] = sorted_at(&by_y, by_x.rows[i]);
    }
    for (int64_t i = 0, end; i < n; i = end) {
        for (end = i + 1; end < n && xs[end] == xs[i] && ys[end] == ys[i];) end++;
        double m = (double)(end - i);
        both += m * (m - 1) / 2;
    }
    double tied_x = tied_pairs(xs, n), tied_y = tied_pairs(by_y.f64, n);
    double discordant = count_exchanges(ys, spare, n);
    double difference = n0 - tied_x - tied_y + both - 2 * discordant;
    *ret_tau = tied_x == n0 || tied_y == n0
                   ? NAN
                   : clipped(difference / sqrt(n0 - tied_x) / sqrt(n0 - tied_y));
    sorted_clear(&by_x);
    sorted_clear(&by_y);
    return true;
}

/* ---- VIF ---- */

/* Householder reflections that leave a symmetric matrix tridiagonal: diagonal d, and e[i] between i - 1 and i.  Destroys a. */
static void tridiagonal(double *a, size_t n, double *d, double *e, double *p)
{
    for (size_t k = n; k-- > 2;) { /* row k is reduced to its neighbor */
        double *v = a + k * n, norm = 0;
        for (size_t i = 0; i < k; i++) norm += v[i] * v[i];
        norm = sqrt(norm);
        e[k] = v[k - 1] > 0 ? -norm : norm;
        if (norm == 0) continue;
        double h = norm * norm - v[k - 1] * e[k], dot = 0;
        v[k - 1] -= e[k];
        if (h <= 0) continue;
        for (size_t i = 0; i < k; i++) p[i] = 0;
        for (size_t i = 0; i < k; i++) { /* p = A v / h, from the lower triangle */
            double sum = 0, vi = v[i];
            const double *row = a + i * n;
            for (size_t j = 0; j < i; j++) {
                sum += row[j] * v[j];
                p[j] += row[j] * vi;
            }
            p[i] += sum + row[i] * vi;
        }
        for (size_t i = 0; i < k; i++) {
            p[i] /= h;
            dot += p[i] * v[i];
        }
        dot /= 2 * h;
        for (size_t i = 0; i < k; i++) p[i] -= dot * v[i];
        for (size_t i = 0; i < k; i++)
            for (size_t j = 0; j <= i; j++) a[i * n + j] -= v[i] * p[j] + p[i] * v[j];
    }
    if (n > 1) e[1] = a[n];
    for (size_t i = 0; i < n; i++) d[i] = a[i * n + i];
}

/* How many eigenvalues of a tridiagonal matrix are below x: signs of Sturm's sequence. */
static size_t below(const double *d, const double *e, size_t n, double x)
{
    size_t count = 0;
    double q = 1;
    for (size_t i = 0; i < n; i++) {
        q = d[i] - x - (i ? e[i] * e[i] / q : 0);
        if (q == 0) q = 1e-300;
        count += q < 0;
    }
    return count;
}

/* The eigenvalue with `rank` others below it, by halving its interval. */
static double eigenvalue_at(const double *d, const double *e, size_t n, size_t rank)
{
    double low = 0, high = 0;
    for (size_t i = 0; i < n; i++) { /* Gershgorin's circles */
        double reach = (i ? fabs(e[i]) : 0) + (i + 1 < n ? fabs(e[i + 1]) : 0);
        low = MIN(low, d[i] - reach);
        high = MAX(high, d[i] + reach);
    }
    for (int step = 0; step < 120 && high - low > 1e-16 * MAX(fabs(low), fabs(high)); step++) {
        double middle = low + (high - low) / 2;
        if (below(d, e, n, middle) > rank)
            high = middle;
        else
            low = middle;
    }
    return low + (high - low) / 2;
}

/* Columns of the Cholesky factor in turn (row-major, lower); a column that those before it determine is passed over.  Its rest is
 * kept in left. */
static void factor(double *a, size_t n, bool *passed, double *left)
{
    for (size_t i = 0; i < n; i++) {
        double *row = a + i * n;
        for (size_t j = 0; j < i; j++) {
            const double *other = a + j * n;
            double sum = row[j];
            for (size_t k = 0; k < j; k++) sum -= row[k] * other[k];
            row[j] = passed[j] ? 0 : sum / other[j];
        }
        double rest = row[i];
        for (size_t k = 0; k < i; k++) rest -= row[k] * row[k];
        passed[i] = rest < 1e-11;
        left[i] = MAX(rest, 1e-14);
        row[i] = passed[i] ? 1 : sqrt(rest);
    }
}

/* The inverse's diagonal of the columns that were not passed over: sums of squares of the columns of L^-1, which takes a's place in
 * the lower triangle.  A column that was passed over is a sum of those before it, each times a coefficient; where the coefficient of j
 * is not 0, j follows from it in turn, and its inflation grows by c^2 / rest. */
static void inflations(double *a, size_t n, const bool *passed, const double *left, double *y,
                       double *ret)
{
    for (size_t j = 0; j < n; j++) ret[j] = passed[j] ? INFINITY : 0;
    for (size_t j = 0; j < n; j++) { /* column j of L^-1 */
        if (passed[j]) continue;
        y[j] = 1 / a[j * n + j];
        ret[j] += y[j] * y[j];
        for (size_t i = j + 1; i < n; i++) {
            double sum = 0;
            const double *row = a + i * n;
            for (size_t k = j; k < i; k++) sum += row[k] * y[k];
            if (passed[i]) {
                ret[j] += sum * sum / left[i]; /* sum: the coefficient of j */
                y[i] = 0;
            } else {
                y[i] = -sum / row[i];
                ret[j] += y[i] * y[i];
            }
        }
    }
}

bool vif_of(const double *r, int32_t n_cols, double *ret_vif, double *ret_condition, Error *err)
{
    ARENA(arena);
    size_t p = (size_t)n_cols;
    int32_t *kept = arena_array(&arena, int32_t, p + 1), n = 0;
    for (int32_t j = 0; j < n_cols; j++) {
        ret_vif[j] = NAN;
        if (!isnan(r[(size_t)j * p + (size_t)j])) kept[n++] = j;
    }
    if (ret_condition) *ret_condition = NAN;
    if (!n) return true;
    size_t m = (size_t)n;
    AUTO_DATA double *a = data_array(double, m *m, "a correlation matrix", err);
    AUTO_DATA double *b = a ? data_array(double, m *m, "a correlation matrix", err) : NULL;
    if (!b) return false;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++) {
            double x = r[(size_t)kept[i] * p + (size_t)kept[j]];
            a[i * m + j] = isnan(x) ? 0 : x; /* a pair that never meets */
        }
    double *d = arena_array(&arena, double, m), *e = arena_array(&arena, double, m),
           *spare = arena_array(&arena, double, m), *vif = arena_array(&arena, double, m);
    bool *passed = arena_array(&arena, bool, m);
    if (ret_condition) {
        memcpy(b, a, m * m * sizeof *b);
        tridiagonal(b, m, d, e, spare);
        double low = eigenvalue_at(d, e, m, 0), high = eigenvalue_at(d, e, m, m - 1);
        *ret_condition = low > 1e-14 ? sqrt(high / low) : INFINITY;
    }
    factor(a, m, passed, d);
    inflations(a, m, passed, d, spare, vif);
    for (size_t j = 0; j < m; j++) ret_vif[kept[j]] = vif[j] < 1e10 ? MAX(1.0, vif[j]) : INFINITY;
    return true;
}

/* ---- categories ---- */

void contingency(const int32_t *a, int32_t n_a, const int32_t *b, int32_t n_b, int64_t n_rows,
                 double *ret_table)
{
    memset(ret_table, 0, (size_t)n_a * (size_t)n_b * sizeof *ret_table);
    for (int64_t i = 0; i < n_rows; i++)
        if (a[i] >= 0 && b[i] >= 0) ret_table[(size_t)a[i] * (size_t)n_b + (size_t)b[i]]++;
}

void chi_square(const double *table, int32_t n_a, int32_t n_b, bool yates, ChiSquare *ret)
{
    ARENA(arena);
    double *row = arena_array(&arena, double, n_a + 1), *col = arena_array(&arena, double, n_b + 1);
    ChiSquare out = {
        .chi2 = NAN, .p = NAN, .v = NAN, .v_corrected = NAN, .mutual_information = NAN};
    int32_t rows = 0, cols = 0;
    for (int32_t a = 0; a < n_a; a++)
        for (int32_t b = 0; b < n_b; b++) {
            double count = table[(size_t)a * (size_t)n_b + (size_t)b];
            row[a] += count;
            col[b] += count;
            out.n += count;
        }
    for (int32_t a = 0; a < n_a; a++) rows += row[a] > 0;
    for (int32_t b = 0; b < n_b; b++) cols += col[b] > 0;
    out.freedom = MAX(0, (rows - 1) * (cols - 1));
    if (out.n > 0) {
        double chi2 = 0, information = 0;
        bool correct = yates && rows == 2 && cols == 2;
        for (int32_t a = 0; a < n_a; a++)
            for (int32_t b = 0; b < n_b; b++) {
                double expected = row[a] * col[b] / out.n,
                       count = table[(size_t)a * (size_t)n_b + (size_t)b];
                if (expected == 0) continue;
                double difference = fabs(count - expected);
                if (correct) difference -= MIN(0.5, difference);
                chi2 += difference * difference / expected;
                if (count > 0) information += count / out.n * log(count / expected);
            }
        out.mutual_information = MAX(0.0, information);
        if (out.freedom > 0) {
            int32_t least = MIN(rows, cols) - 1;
            double phi2 = chi2 / out.n, r = rows, c = cols, n1 = out.n - 1;
            out.chi2 = chi2;
            out.p = chi2_sf(chi2, out.freedom);
            out.v = sqrt(MIN(1.0, phi2 / least));
            double less = MAX(0.0, phi2 - (c - 1) * (r - 1) / n1);
            double shrunk = MIN(r - (r - 1) * (r - 1) / n1, c - (c - 1) * (c - 1) / n1) - 1;
            out.v_corrected = shrunk > 0 ? sqrt(MIN(1.0, less / shrunk)) : 0;
        }
    }
    *ret = out;
}

void anova_of(const int32_t *codes, int32_t n_codes, const double *values, int64_t n_rows,
              Anova *ret)
{
    ARENA(arena);
    double *sum = arena_array(&arena, double, n_codes + 1),
           *count = arena_array(&arena, double, n_codes + 1), total = 0, n = 0;
    Anova out = {.eta2 = NAN, .f = NAN, .p = NAN};
    for (int64_t i = 0; i < n_rows; i++)
        if (codes[i] >= 0 && values[i] == values[i]) {
            sum[codes[i]] += values[i];
            count[codes[i]]++;
            total += values[i];
            n++;
        }
    double mean = total / n, between = 0, within = 0;
    for (int32_t c = 0; c < n_codes; c++)
        if (count[c] > 0) {
            double d = sum[c] / count[c] - mean;
            between += count[c] * d * d;
            out.groups++;
        }
    for (int64_t i = 0; i < n_rows; i++)
        if (codes[i] >= 0 && values[i] == values[i]) {
            double d = values[i] - sum[codes[i]] / count[codes[i]];
            within += d * d;
        }
    out.n = (int64_t)n;
    if (between + within > 0) out.eta2 = between / (between + within);
    if (out.groups > 1 && n > out.groups && between + within > 0) {
        double df1 = out.groups - 1, df2 = n - out.groups;
        out.f = within > 0 ? between / df1 / (within / df2) : INFINITY;
        out.p = f_sf(out.f, df1, df2);
    }
    *ret = out;
}
