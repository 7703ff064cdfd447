/* Missing numbers from the nearest rows of the training table: scikit-learn's KNNImputer.
 *
 * The distance of two rows is that over the columns where both have a value, scaled up to all of them; a
 * missing value is the mean of the k nearest rows that have one, or of the column where no row is comparable.
 * Exact, row by row, so the training table may have KNN_ROWS_MAX rows. */

#include "prepare/steps.h"

enum { KNN_ROWS_MAX = 20000, KNN_MAX = 1000 };
enum { WEIGHTS_UNIFORM, WEIGHTS_DISTANCE };
static const char *const weight_names[] = {"uniform", "distance", NULL};

static bool knn_fit(Step *step, Frame *table, Error *err)
{
    if (table->n_rows > KNN_ROWS_MAX)
        return error_set(err, ERROR_LIMIT,
                         "%lld rows; neighbors are kept of at most %d: take fill ... with median",
                         (long long)table->n_rows, KNN_ROWS_MAX);
    Json *rows = json_new_object(step->arena);
    json_set(step->arena, step->learned, "rows", rows);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c = frame_column(table, step->columns[j]);
        Univariate u;
        if (!column_statistics(c, &u, err)) return false;
        if (!u.n)
            return error_set(err, ERROR_INVALID, "column '%.*s' has no value in any row",
                             STR_ARG(c->name));
        step_learn_number(step, "mean", step->columns[j], u.mean);
        json_set_str(step->arena, rows, step->columns[j],
                     json_of_doubles(step->arena, c->f64, c->n_rows));
    }
    return true;
}

typedef struct Near {
    double distance, value;
} Near;

/* Keeps the k nearest in order; of equally near ones the first. */
static int32_t insert(Near *near, int32_t n, int32_t k, Near one)
{
    if (n == k && !(one.distance < near[n - 1].distance)) return n;
    int32_t at = n < k ? n : n - 1;
    for (; at > 0 && near[at - 1].distance > one.distance; at--) near[at] = near[at - 1];
    near[at] = one;
    return MIN(n + 1, k);
}

static double mean_of(const Near *near, int32_t n, bool by_distance)
{
    double sum = 0, weight = 0;
    bool exact = by_distance && near[0].distance == 0;
    for (int32_t k = 0; k < n; k++) {
        double w = 1;
        if (exact)
            w = near[k].distance == 0;
        else if (by_distance)
            w = 1 / near[k].distance;
        sum += w * near[k].value;
        weight += w;
    }
    return sum / weight;
}

/* The distances of one row to all training rows; NaN where they share no column. */
static void distances(double *const *rows, int64_t n, const double *row, int32_t p, double *out)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        int32_t present = 0;
        for (int32_t j = 0; j < p; j++) {
            double d = rows[j][i] - row[j];
            if (isnan(d)) continue;
            sum += d * d;
            present++;
        }
        out[i] = present ? sqrt(sum * p / present) : (double)NAN;
    }
}

static bool knn_rows(const Step *step, Frame *table, double *const *rows, int32_t n, Error *err)
{
    ARENA(arena);
    int32_t p = step->n_columns, k = (int32_t)step_number(step, "k");
    double *row = arena_array(&arena, double, p), *mean = arena_array(&arena, double, p);
    Column **columns = arena_array(&arena, Column *, p);
    Near *near = arena_array(&arena, Near, k);
    AUTO_DATA double *distance = data_array(double, n, "the distances", err);
    if (!distance) return false;
    for (int32_t j = 0; j < p; j++)
        if (!step_column(step, table, step->columns[j], TAKES_NUMBERS, &columns[j], err) ||
            !step_learned_number(step, "mean", step->columns[j], &mean[j], err))
            return false;
    for (int64_t i = 0; i < table->n_rows; i++) {
        bool any = false;
        for (int32_t j = 0; j < p; j++) any |= isnan(row[j] = columns[j]->f64[i]);
        if (!any) continue;
        distances(rows, n, row, p, distance);
        for (int32_t j = 0; j < p; j++) {
            if (!isnan(row[j])) continue;
            int32_t found = 0;
            for (int32_t r = 0; r < n; r++)
                if (!isnan(distance[r]) && !isnan(rows[j][r]))
                    found = insert(near, found, k, (Near){distance[r], rows[j][r]});
            columns[j]->f64[i] = found ? mean_of(near, found,
                                                 step_choice(step, "weights") == WEIGHTS_DISTANCE)
                                       : mean[j];
        }
    }
    return true;
}

static bool knn_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    ARENA(arena);
    double **rows = arena_array(&arena, double *, step->n_columns);
    int32_t n = 0;
    for (int32_t j = 0; j < step->n_columns; j++) {
        int32_t n_before = n;
        const Json *all = json_get(step_learned(step), "rows");
        if (!json_doubles(json_get(all, arena_cstr(&arena, step->columns[j])), &arena, &rows[j], &n,
                          err))
            return false;
        if (j && n != n_before)
            return error_set(err, ERROR_INVALID, "the document's columns have %d and %d rows",
                             n_before, n);
    }
    return knn_rows(step, table, rows, n, err);
}

const StepKind fill_knn_step = {
    .name = "fill-knn",
    .group = "Missing values",
    .summary =
        "puts the mean of the most similar training rows where a number is missing; scale first",
    .example = "fill-knn age, fare k 5",
    .aliases = {{"knn-impute", ""}},
    .takes = TAKES_NUMBERS,
    .words = {{.name = "k",
               .kind = WORD_NUMBER,
               .preset = "5",
               .min = 1,
               .max = KNN_MAX,
               .help = "how many rows"},
              {.name = "weights",
               .kind = WORD_CHOICE,
               .choices = weight_names,
               .preset = "uniform",
               .help = "distance: nearer rows count more"}},
    .fit = knn_fit,
    .apply = knn_apply,
};
