/* Principal components: scikit-learn's PCA, each component with its largest loading positive.
 *
 * Eigenvectors of the covariance matrix by Jacobi's rotations, which are exact to the last digits and fast
 * enough for PCA_MAX columns. */

#include "prepare/steps.h"

#include <stdlib.h>

enum { PCA_MAX = 300 };
static const char *const yes_no[] = {"no", "yes", NULL};

static bool pca_check(const Step *step, Error *err)
{
    if (step_given(step, "n") && step_given(step, "share"))
        return error_set(err, ERROR_INVALID, "step 'pca' takes either 'n' or 'share'");
    return true;
}

/* Rotates p x p `a` to a diagonal; the rows of `v` become its eigenvectors. */
static void jacobi(double *a, double *v, size_t p)
{
    for (size_t j = 0; j < p; j++) v[j * p + j] = 1;
    for (int sweep = 0; sweep < 60; sweep++) {
        double off = 0, all = 0;
        for (size_t i = 0; i < p; i++)
            for (size_t j = 0; j < p; j++) {
                all += a[i * p + j] * a[i * p + j];
                if (i != j) off += a[i * p + j] * a[i * p + j];
            }
        if (off <= 1e-32 * all) return;
        for (size_t i = 0; i < p; i++)
            for (size_t j = i + 1; j < p; j++) {
                if (a[i * p + j] == 0) continue;
                double theta = (a[j * p + j] - a[i * p + i]) / (2 * a[i * p + j]);
                double t = (theta < 0 ? -1 : 1) / (fabs(theta) + hypot(theta, 1));
                double c = 1 / hypot(t, 1), s = t * c;
                for (size_t k = 0; k < p; k++) {
                    double x = a[k * p + i], y = a[k * p + j];
                    a[k * p + i] = c * x - s * y;
                    a[k * p + j] = s * x + c * y;
                }
                for (size_t k = 0; k < p; k++) {
                    double x = a[i * p + k], y = a[j * p + k];
                    a[i * p + k] = c * x - s * y;
                    a[j * p + k] = s * x + c * y;
                    x = v[i * p + k], y = v[j * p + k];
                    v[i * p + k] = c * x - s * y;
                    v[j * p + k] = s * x + c * y;
                }
            }
    }
}

static bool need_values(const Column *c, Error *err)
{
    for (int64_t i = 0; i < c->n_rows; i++)
        if (isnan(c->f64[i]))
            return error_set(err, ERROR_INVALID,
                             "column '%.*s' row %lld has no value: fill it first", STR_ARG(c->name),
                             (long long)i + 1);
    return true;
}

static bool covariance(const Step *step, const Frame *table, const double *center,
                       const double *scale, double *a)
{
    size_t p = (size_t)step->n_columns;
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j <= i; j++) {
            const double *x = frame_column(table, step->columns[i])->f64;
            const double *y = frame_column(table, step->columns[j])->f64;
            double sum = 0;
            for (int64_t k = 0; k < table->n_rows; k++)
                sum += (x[k] - center[i]) * (y[k] - center[j]);
            a[i * p + j] = a[j * p + i] = sum / scale[i] / scale[j] / (double)(table->n_rows - 1);
        }
    return true;
}

typedef struct Component {
    double variance;
    size_t at;
} Component;

static int by_variance(const void *a, const void *b)
{
    const Component *x = a, *y = b;
    return x->variance != y->variance ? (x->variance < y->variance ? 1 : -1)
                                      : (x->at > y->at) - (x->at < y->at);
}

static bool pca_fit(Step *step, Frame *table, Error *err)
{
    ARENA(arena);
    size_t p = (size_t)step->n_columns;
    if (p > PCA_MAX) return error_set(err, ERROR_LIMIT, "%zu columns, at most %d", p, PCA_MAX);
    if (table->n_rows < 2) return error_set(err, ERROR_INVALID, "one row has no components");
    double *center = arena_array(&arena, double, p), *scale = arena_array(&arena, double, p);
    double *a = arena_array(&arena, double, p *p), *v = arena_array(&arena, double, p *p);
    for (size_t j = 0; j < p; j++) {
        Column *c = frame_column(table, step->columns[j]);
        Univariate u;
        if (!need_values(c, err) || !column_statistics(c, &u, err)) return false;
        center[j] = u.mean;
        scale[j] = step_choice(step, "scale") && u.std_population > 0 ? u.std_population : 1;
        step_learn_number(step, "center", step->columns[j], center[j]);
        step_learn_number(step, "scale", step->columns[j], scale[j]);
    }
    covariance(step, table, center, scale, a);
    jacobi(a, v, p);
    Component *order = arena_array(&arena, Component, p);
    double total = 0, sum = 0;
    for (size_t k = 0; k < p; k++) {
        order[k] = (Component){fmax(a[k * p + k], 0), k};
        total += order[k].variance;
    }
    qsort(order, p, sizeof *order, by_variance);
    size_t n = MIN(p, (size_t)table->n_rows), kept = 0;
    if (step_given(step, "n")) {
        if (step_number(step, "n") > (double)n)
            return error_set(err, ERROR_INVALID, "%g components of %zu columns and %lld rows",
                             step_number(step, "n"), p, (long long)table->n_rows);
        n = (size_t)step_number(step, "n");
    }
    Json *components = json_new_array(step->arena), *variances = json_new_array(step->arena);
    for (; kept < n; kept++) {
        if (step_given(step, "share") && kept && sum > step_number(step, "share") * total) break;
        double *row = &v[order[kept].at * p];
        size_t largest = 0;
        for (size_t j = 1; j < p; j++)
            if (fabs(row[j]) > fabs(row[largest])) largest = j;
        double sign = row[largest] < 0 ? -1 : 1;
        for (size_t j = 0; j < p; j++) row[j] *= sign;
        json_push(step->arena, components, json_of_doubles(step->arena, row, (int64_t)p));
        json_push(step->arena, variances, json_new_double(step->arena, order[kept].variance));
        sum += order[kept].variance;
    }
    json_set(step->arena, step->learned, "components", components);
    json_set(step->arena, step->learned, "variance", variances);
    json_set_double(step->arena, step->learned, "share", total > 0 ? sum / total : 1);
    return true;
}

static bool pca_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    ARENA(arena);
    int32_t p = step->n_columns;
    Column **columns = arena_array(&arena, Column *, p), *out;
    double *center = arena_array(&arena, double, p), *scale = arena_array(&arena, double, p);
    const Json *components = json_get(step_learned(step), "components");
    for (int32_t j = 0; j < p; j++)
        if (!step_column(step, table, step->columns[j], TAKES_NUMBERS, &columns[j], err) ||
            !step_learned_number(step, "center", step->columns[j], &center[j], err) ||
            !step_learned_number(step, "scale", step->columns[j], &scale[j], err) ||
            !need_values(columns[j], err))
            return false;
    if (!components || components->type != JSON_ARRAY || components->n > (size_t)p)
        return error_set(err, ERROR_INVALID, "the document has no components");
    int32_t n = (int32_t)components->n;
    double **loadings = arena_array(&arena, double *, n);
    out = arena_array(&arena, Column, n);
    for (int32_t k = 0; k < n; k++) {
        int32_t width;
        if (!json_doubles(components->items[k], &arena, &loadings[k], &width, err)) return false;
        if (width != p)
            return error_set(err, ERROR_INVALID, "component %d has %d loadings, not %d", k + 1,
                             width, p);
    }
    for (int32_t k = 0; k < n; k++) {
        if (!number_column(table, arena_format(&arena, "pc%d", k + 1), &out[k], err)) {
            for (int32_t i = 0; i < k; i++) column_clear(&out[i]);
            return false;
        }
        for (int32_t j = 0; j < p; j++)
            for (int64_t i = 0; i < table->n_rows; i++)
                out[k].f64[i] += (columns[j]->f64[i] - center[j]) / scale[j] * loadings[k][j];
    }
    for (int32_t j = 0; j < p; j++)
        table_remove(table, (int32_t)(frame_column(table, step->columns[j]) - table->columns));
    table_splice(table, table->n_columns, 0, out, n);
    return true;
}

const StepKind pca_step = {
    .name = "pca",
    .group = "Features",
    .summary =
        "puts principal components pc1, pc2, ... in place of the columns; standardize first where "
        "units differ",
    .example = "pca x, y, z n 2",
    .takes = TAKES_NUMBERS,
    .words = {{.name = "n",
               .kind = WORD_NUMBER,
               .optional = true,
               .min = 1,
               .max = PCA_MAX,
               .help = "how many; all without n and share"},
              {.name = "share",
               .kind = WORD_NUMBER,
               .optional = true,
               .min = 1e-9,
               .max = 1,
               .help = "as many as hold more than this share of the variance"},
              {.name = "scale",
               .kind = WORD_CHOICE,
               .choices = yes_no,
               .preset = "no",
               .help = "to deviation 1 first"}},
    .check = pca_check,
    .fit = pca_fit,
    .apply = pca_apply,
};
