/* Two tables column by column: has the population changed?
 *
 * Numbers: bins are the deciles of the first table; PSI and Jensen-Shannon are over them and a bin for missing values, Kolmogorov-Smirnov
 * over the values themselves.  Categories: a bin each, chi-square over the table of counts.  Shares have a floor of 1e-4, so that an
 * empty bin is not infinitely surprising. */

#include "base/memory.h"
#include "explore/profile.h"
#include "stats/distribution.h"
#include "stats/relation.h"

#include <math.h>
#include <stdlib.h>

enum { BINS = 10, COLUMNS_MAX = 65536 };
#define FLOOR 1e-4

/* PSI = sum (a - e) ln(a / e); JS = half the sum of both divergences from the middle. */
static void divergences(const double *before, const double *after, int n, Drift *d)
{
    double sum_before = 0, sum_after = 0;
    for (int i = 0; i < n; i++) {
        sum_before += before[i];
        sum_after += after[i];
    }
    d->psi = d->js = 0;
    for (int i = 0; i < n && sum_before > 0 && sum_after > 0; i++) {
        double e = before[i] / sum_before, a = after[i] / sum_after, m = (e + a) / 2;
        if (e > 0) d->js += 0.5 * e * log(e / m);
        if (a > 0) d->js += 0.5 * a * log(a / m);
        if (before[i] == 0 && after[i] == 0) continue;
        e = MAX(e, FLOOR);
        a = MAX(a, FLOOR);
        d->psi += (a - e) * log(a / e);
    }
    d->js = MAX(0.0, d->js);
}

static double distance(const Sorted *a, const Sorted *b)
{
    double most = 0;
    for (int64_t i = 0, j = 0; i < a->n && j < b->n;) {
        double x = sorted_at(a, i), y = sorted_at(b, j), least = MIN(x, y);
        while (i < a->n && sorted_at(a, i) == least) i++;
        while (j < b->n && sorted_at(b, j) == least) j++;
        most = MAX(most, fabs((double)i / (double)a->n - (double)j / (double)b->n));
    }
    return most;
}

static bool compare_numbers(const Column *before, const Column *after, Drift *d, Error *err)
{
    SortSpace space = {0};
    Sorted a = {0}, b = {0};
    bool ok = sorted_make(&(Numbers){before->f32, before->f64, before->n_rows}, false, &space, &a,
                          err) &&
              sorted_make(&(Numbers){after->f32, after->f64, after->n_rows}, false, &space, &b,
                          err);
    sort_space_clear(&space);
    if (ok) {
        double counts[2][BINS + 1] = {{0}};
        int64_t below[2] = {0};
        for (int bin = 0; bin < BINS; bin++) {
            double edge = sorted_quantile_at(&a, (double)(bin + 1) / BINS);
            int64_t up[2] = {bin + 1 == BINS ? a.n : sorted_up_to(&a, edge),
                             bin + 1 == BINS ? b.n : sorted_up_to(&b, edge)};
            for (int t = 0; t < 2; t++) {
                counts[t][bin] = (double)(up[t] - below[t]);
                below[t] = up[t];
            }
        }
        counts[0][BINS] = (double)(before->n_rows - a.n);
        counts[1][BINS] = (double)(after->n_rows - b.n);
        divergences(counts[0], counts[1], BINS + 1, d);
        double sums[2] = {0};
        for (int64_t i = 0; i < a.n; i++) sums[0] += sorted_at(&a, i);
        for (int64_t i = 0; i < b.n; i++) sums[1] += sorted_at(&b, i);
        d->mean_before = a.n ? sums[0] / (double)a.n : NAN;
        d->mean_after = b.n ? sums[1] / (double)b.n : NAN;
        d->missing_before = before->n_rows ? counts[0][BINS] / (double)before->n_rows : 0;
        d->missing_after = after->n_rows ? counts[1][BINS] / (double)after->n_rows : 0;
        d->statistic = a.n && b.n ? distance(&a, &b) : NAN;
        d->p = a.n && b.n ? kolmogorov_sf(d->statistic, (double)a.n, (double)b.n) : NAN;
    }
    sorted_clear(&a);
    sorted_clear(&b);
    return ok;
}

/* Where the second table's categories lie among the first one's; new ones come after them. */
static bool compare_categories(const Column *before, const Column *after, Drift *d, Error *err)
{
    int32_t n = before->n_categories + after->n_categories + 1, used = before->n_categories;
    AUTO_DATA double *table = data_array(double, 2 * (size_t)n, "counts of categories", err);
    AUTO_DATA int32_t *place = table ? data_array(int32_t, after->n_categories, "categories", err)
                                     : NULL;
    if (!place) return false;
    for (int32_t k = 0; k < after->n_categories; k++) {
        int32_t
            low = 0,
            high =
                before
                    ->n_categories; /* dictionaries are sorted, but numbers by value: look at all where that fails */
        place[k] = -1;
        while (low < high) {
            int32_t middle = low + (high - low) / 2,
                    order = str_compare(before->categories[middle], after->categories[k]);
            if (order == 0) place[k] = middle;
            if (order == 0) break;
            if (order < 0)
                low = middle + 1;
            else
                high = middle;
        }
        for (int32_t i = 0;
             place[k] < 0 && i < before->n_categories && before->n_categories <= PROFILE_LEVELS_MAX;
             i++)
            if (str_eq(before->categories[i], after->categories[k])) place[k] = i;
        if (place[k] < 0) place[k] = used++;
    }
    for (int64_t i = 0; i < before->n_rows; i++)
        table[before->codes[i] >= 0 ? before->codes[i] : n - 1]++;
    for (int64_t i = 0; i < after->n_rows; i++)
        table[n + (after->codes[i] >= 0 ? place[after->codes[i]] : n - 1)]++;
    divergences(table, table + n, n, d);
    d->missing_before = before->n_rows ? table[n - 1] / (double)before->n_rows : 0;
    d->missing_after = after->n_rows ? table[2 * n - 1] / (double)after->n_rows : 0;
    table[n - 1] = table[2 * n - 1] = 0;
    ChiSquare chi;
    chi_square(table, 2, n, false, &chi);
    d->statistic = chi.chi2;
    d->p = chi.p;
    d->mean_before = d->mean_after = NAN;
    return true;
}

typedef struct Work {
    const Frame *before, *after;
    Drift *drift;
    Error *errors;
    bool *failed;
} Work;

static void compare_columns(void *arg, size_t chunk, size_t begin, size_t end)
{
    const Work *work = arg;
    (void)chunk;
    for (size_t j = begin; j < end; j++) {
        Drift *d = &work->drift[j];
        const Column *before = frame_column(work->before, d->name),
                     *after = frame_column(work->after, d->name);
        d->psi = d->js = d->statistic = d->p = d->mean_before = d->mean_after = NAN;
        d->only_before = !after;
        d->only_after = !before;
        d->type = before ? before->type : after->type;
        if (!before || !after || before->type != after->type) continue;
        if (before->type == COLUMN_NUMBER)
            work->failed[j] = !compare_numbers(before, after, d, &work->errors[j]);
        if (before->type == COLUMN_CATEGORY)
            work->failed[j] = !compare_categories(before, after, d, &work->errors[j]);
    }
}

bool drift_of(const Frame *before, const Frame *after, Pool *pool, Arena *arena, Drift **ret_drift,
              int32_t *ret_n, Error *err)
{
    int32_t n = 0;
    Drift *drift = arena_array(arena, Drift, before->n_columns + after->n_columns + 1);
    for (int32_t j = 0; j < before->n_columns; j++) drift[n++].name = before->columns[j].name;
    for (int32_t j = 0; j < after->n_columns; j++)
        if (!frame_column(before, after->columns[j].name)) drift[n++].name = after->columns[j].name;
    Work work = {before, after, drift, arena_array(arena, Error, n + 1),
                 arena_array(arena, bool, n + 1)};
    parallel_for(pool, (size_t)n, 1, compare_columns, &work);
    for (int32_t j = 0; j < n; j++)
        if (work.failed[j]) {
            if (err) *err = work.errors[j];
            return error_in(err, "comparing '%.*s'", STR_ARG(drift[j].name));
        }
    *ret_drift = drift;
    *ret_n = n;
    return true;
}

const char *drift_word(double psi)
{
    return isnan(psi) ? "not compared" : psi < 0.1 ? "stable" : psi < 0.25 ? "shifted" : "changed";
}

static int by_psi(const void *a, const void *b)
{
    const Drift *x = *(const Drift *const *)a, *y = *(const Drift *const *)b;
    double p = isnan(x->psi) ? -1 : x->psi, q = isnan(y->psi) ? -1 : y->psi;
    return p > q ? -1 : p < q;
}

void drift_summary(const Drift *drift, int32_t n, StrBuf *out)
{
    ARENA(arena);
    const Drift **order = arena_array(&arena, const Drift *, n + 1);
    for (int32_t j = 0; j < n; j++) order[j] = &drift[j];
    qsort(order, (size_t)n, sizeof *order, by_psi);
    strbuf_addf(out, "%-24s %-9s %-13s %8s %8s %10s %9s %11s %11s %8s %8s\n", "column", "type", "",
                "PSI", "JS", "KS / chi2", "p", "mean then", "mean now", "missing", "now");
    for (int32_t j = 0; j < n; j++) {
        const Drift *d = order[j];
        strbuf_addf(out, "%-24.*s %-9s ", (int)MIN(d->name.len, 24u), d->name.ptr,
                    column_type_name(d->type));
        if (d->only_before || d->only_after) {
            strbuf_addf(out, "%s\n", d->only_before ? "is gone" : "is new");
            continue;
        }
        strbuf_addf(out, "%-13s", drift_word(d->psi));
        if (!isnan(d->psi)) {
            strbuf_addf(out, " %8.4f %8.4f %10.4g %9.2g", d->psi, d->js, d->statistic, d->p);
            if (isnan(d->mean_before))
                strbuf_addf(out, " %11s %11s", "", "");
            else
                strbuf_addf(out, " %11.5g %11.5g", d->mean_before, d->mean_after);
            strbuf_addf(out, " %7.1f%% %7.1f%%", 100 * d->missing_before, 100 * d->missing_after);
        }
        strbuf_add_char(out, '\n');
    }
}
