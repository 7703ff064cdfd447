/* Numbers brought to a common size, with scikit-learn's definitions: StandardScaler, MinMaxScaler, MaxAbsScaler,
 * RobustScaler, Normalizer, QuantileTransformer.  A constant column is only shifted. */

#include "prepare/steps.h"
#include "stats/distribution.h"
#include "stats/univariate.h"

enum { SCALE_STANDARD, SCALE_MIN_MAX, SCALE_MAX_ABS, SCALE_ROBUST, SCALE_MEAN };
static const char *const scale_names[] = {"standard", "min-max", "max-abs", "robust", "mean", NULL};

/* y = (x - center) / divisor * (high - low) + low */
static bool scale_fit(Step *step, Frame *table, Error *err)
{
    for (int32_t j = 0; j < step->n_columns; j++) {
        Univariate u;
        Column *c = frame_column(table, step->columns[j]);
        if (!column_statistics(c, &u, err)) return false;
        if (!u.n)
            return error_set(err, ERROR_INVALID, "column '%.*s' has no value in any row",
                             STR_ARG(c->name));
        double center = u.mean, divisor = u.std_population;
        switch (step_choice(step, "with")) {
        case SCALE_MIN_MAX: center = u.min, divisor = u.max - u.min; break;
        case SCALE_MAX_ABS: center = 0, divisor = fmax(fabs(u.min), fabs(u.max)); break;
        case SCALE_ROBUST: center = u.median, divisor = u.iqr; break;
        case SCALE_MEAN: divisor = u.max - u.min; break;
        default: break;
        }
        step_learn_number(step, "center", step->columns[j], center);
        step_learn_number(step, "scale", step->columns[j], divisor > 0 ? divisor : 1);
    }
    return true;
}

static bool scale_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    bool ranged = step_choice(step, "with") == SCALE_MIN_MAX;
    double low = ranged ? step_number(step, "low") : 0;
    double range = ranged ? step_number(step, "high") - low : 1;
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c;
        double center, divisor;
        if (!step_column(step, table, step->columns[j], TAKES_NUMBERS, &c, err) ||
            !step_learned_number(step, "center", step->columns[j], &center, err) ||
            !step_learned_number(step, "scale", step->columns[j], &divisor, err))
            return false;
        for (int64_t i = 0; i < c->n_rows; i++)
            c->f64[i] = (c->f64[i] - center) / divisor * range + low;
    }
    return true;
}

static bool scale_check(const Step *step, Error *err)
{
    if (step_number(step, "low") < step_number(step, "high")) return true;
    return error_set(err, ERROR_INVALID, "'low' must be below 'high'");
}

const StepKind scale_step = {
    .name = "scale",
    .group = "Scaling",
    .summary = "shifts and divides each column",
    .example = "standardize *",
    .aliases = {{"standardize", "with standard"},
                {"z-score", "with standard"},
                {"min-max", "with min-max"},
                {"max-abs", "with max-abs"},
                {"robust", "with robust"},
                {"Z_SCORE_NORMALIZATION", "with standard"},
                {"MIN_MAX_NORMALIZATION", "with min-max"},
                {"MEAN_NORMALIZATION", "with mean"}},
    .takes = TAKES_NUMBERS,
    .words = {{.name = "with",
               .alias = "strategy",
               .kind = WORD_CHOICE,
               .choices = scale_names,
               .preset = "standard",
               .help =
                   "standard: mean 0, deviation 1; robust: median 0, interquartile range 1; mean: "
                   "mean 0, range 1"},
              {.name = "low", .kind = WORD_NUMBER, .preset = "0", .help = "of min-max"},
              {.name = "high", .kind = WORD_NUMBER, .preset = "1", .help = "of min-max"}},
    .check = scale_check,
    .fit = scale_fit,
    .apply = scale_apply,
};

/* ---- rows of length 1 ---- */

enum { NORM_L2, NORM_L1, NORM_MAX };
static const char *const norm_names[] = {"l2", "l1", "max", NULL};

static bool unit_norm_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    int norm = step_choice(step, "norm");
    AUTO_DATA double *length = data_array(double, table->n_rows, "the row lengths", err);
    if (!length) return false;
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c;
        if (!step_column(step, table, step->columns[j], TAKES_NUMBERS, &c, err)) return false;
        for (int64_t i = 0; i < c->n_rows; i++) {
            double x = fabs(c->f64[i]);
            if (isnan(x))
                return error_set(err, ERROR_INVALID,
                                 "column '%.*s' row %lld has no value: fill it first",
                                 STR_ARG(c->name), (long long)i + 1);
            length[i] = norm == NORM_MAX ? fmax(length[i], x)
                                         : length[i] + (norm == NORM_L2 ? x * x : x);
        }
    }
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c = frame_column(table, step->columns[j]);
        for (int64_t i = 0; i < c->n_rows; i++) {
            double d = norm == NORM_L2 ? sqrt(length[i]) : length[i];
            if (d > 0) c->f64[i] /= d;
        }
    }
    return true;
}

const StepKind unit_norm_step = {
    .name = "unit-norm",
    .group = "Scaling",
    .summary = "divides each row by its length",
    .example = "unit-norm x, y, z",
    .aliases = {{"normalize", ""}},
    .takes = TAKES_NUMBERS,
    .words = {{.name = "norm",
               .kind = WORD_CHOICE,
               .choices = norm_names,
               .preset = "l2",
               .help = "how length is measured"}},
    .apply = unit_norm_apply,
};

/* ---- quantile ---- */

enum { OUTPUT_UNIFORM, OUTPUT_NORMAL };
static const char *const output_names[] = {"uniform", "normal", NULL};

static bool quantile_fit(Step *step, Frame *table, Error *err)
{
    int64_t n = MIN((int64_t)step_number(step, "n"), table->n_rows);
    Json *all = json_new_object(step->arena);
    json_set(step->arena, step->learned, "quantiles", all);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c = frame_column(table, step->columns[j]);
        SortSpace space = {0};
        Sorted sorted;
        Numbers numbers = {.f64 = c->f64, .n = c->n_rows};
        bool ok = sorted_make(&numbers, false, &space, &sorted, err);
        sort_space_clear(&space);
        if (!ok) return false;
        Json *list = json_new_array(step->arena);
        int64_t n_values = sorted.n;
        for (int64_t k = 0; k < n; k++) {
            double p = n > 1 ? (double)k / (double)(n - 1) : 0;
            json_push(step->arena, list,
                      json_new_double(step->arena, sorted_quantile_at(&sorted, p)));
        }
        sorted_clear(&sorted);
        if (!n_values)
            return error_set(err, ERROR_INVALID, "column '%.*s' has no value in any row",
                             STR_ARG(c->name));
        json_set_str(step->arena, all, step->columns[j], list);
    }
    return true;
}

/* Piecewise linear through (q[k], k / (n - 1)); of equal q the last counts, as numpy's interp. */
static double interp(const double *q, int32_t n, double x, bool reversed)
{
    double last = (double)(n - 1);
    if (x < q[0]) return 0;
    if (x > q[n - 1]) return 1;
    int32_t low = 0, high = n; /* first k with q[k] > x (or >= x when reversed) */
    while (low < high) {
        int32_t mid = low + (high - low) / 2;
        if (reversed ? q[mid] >= x : q[mid] > x)
            high = mid;
        else
            low = mid + 1;
    }
    if (reversed) {
        if (low == 0 || q[low] == x) return low / last;
        return (low - 1 + (x - q[low - 1]) / (q[low] - q[low - 1])) / last;
    }
    if (low == n || q[low - 1] == x) return (low - 1) / last;
    return (low - 1 + (x - q[low - 1]) / (q[low] - q[low - 1])) / last;
}

static bool quantile_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    bool normal = step_choice(step, "output") == OUTPUT_NORMAL;
    const double bound = 1e-7;
    ARENA(arena);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c;
        double *q;
        int32_t n;
        const Json *all = json_get(step_learned(step), "quantiles");
        if (!step_column(step, table, step->columns[j], TAKES_NUMBERS, &c, err) ||
            !json_doubles(json_get(all, arena_cstr(&arena, c->name)), &arena, &q, &n, err))
            return false;
        if (!n) return error_set(err, ERROR_INVALID, "the document has no quantiles");
        for (int32_t k = 0; k < n; k++)
            if (!(q[k] >= q[MAX(k - 1, 0)]))
                return error_set(err, ERROR_INVALID, "the document's quantiles do not rise");
        for (int64_t i = 0; i < c->n_rows; i++) {
            double x = c->f64[i];
            if (isnan(x)) continue;
            /* scikit-learn: at both ends the bound itself, with a normal output within 1e-7 of it */
            double margin = normal ? bound : 0, y;
            if (x + margin > q[n - 1] || (!normal && x == q[n - 1]))
                y = 1;
            else
                y = n > 1 ? 0.5 * (interp(q, n, x, false) + interp(q, n, x, true)) : 0;
            if (x - margin < q[0] || (!normal && x == q[0])) y = 0;
            if (normal) {
                double low = normal_quantile(bound - 0x1p-52),
                       high = normal_quantile(1 - (bound - 0x1p-52));
                y = y <= 0 ? low : y >= 1 ? high : fmin(fmax(normal_quantile(y), low), high);
            }
            c->f64[i] = y;
        }
    }
    return true;
}

const StepKind quantile_step = {
    .name = "quantile",
    .group = "Scaling",
    .summary = "maps each column to its ranks: an even or a bell-shaped distribution",
    .example = "quantile income output normal",
    .takes = TAKES_NUMBERS,
    .words = {{.name = "output",
               .kind = WORD_CHOICE,
               .choices = output_names,
               .preset = "uniform",
               .help = "the distribution"},
              {.name = "n",
               .kind = WORD_NUMBER,
               .preset = "1000",
               .min = 2,
               .max = 1e6,
               .help = "quantiles that are kept, at most as many as rows"}},
    .fit = quantile_fit,
    .apply = quantile_apply,
};

/* ---- log(1 + x) ---- */

static bool log1p_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c;
        if (!step_column(step, table, step->columns[j], TAKES_NUMBERS, &c, err)) return false;
        for (int64_t i = 0; i < c->n_rows; i++) {
            if (c->f64[i] <= -1)
                return error_set(err, ERROR_INVALID,
                                 "column '%.*s' row %lld: %g has no logarithm of 1 + x; "
                                 "yeo-johnson takes any number",
                                 STR_ARG(c->name), (long long)i + 1, c->f64[i]);
            c->f64[i] = log1p(c->f64[i]);
        }
    }
    return true;
}

const StepKind log1p_step = {
    .name = "log1p",
    .group = "Scaling",
    .summary = "the logarithm of 1 + x, for long right tails",
    .example = "log1p income",
    .aliases = {{"log", ""}},
    .takes = TAKES_NUMBERS,
    .apply = log1p_apply,
};
