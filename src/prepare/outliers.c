/* Values far out, by fences that the training table sets:
 *
 *     z            mean +- t standard deviations (population), t = 3
 *     modified-z   |0.6745 (x - median) / MAD| = t, t = 3.5; the mean deviation takes its place where MAD is 0
 *     iqr          quartiles -+ t interquartile ranges, t = 1.5
 *     percentile   the percentiles t and 100 - t, t = 1
 *
 * Rows are removed in the training table only: a test set without its outliers would flatter the model. */

#include "prepare/steps.h"
#include "stats/univariate.h"

enum { BY_Z, BY_MODIFIED_Z, BY_IQR, BY_PERCENTILE };
static const char *const by_names[] = {"z", "modified-z", "iqr", "percentile", NULL};
enum { DO_FLAG, DO_CLIP, DO_REMOVE, DO_MISSING };
static const char *const do_names[] = {"flag", "clip", "remove", "missing", NULL};

static void fences(int by, double t, const Univariate *u, const Sorted *sorted, double *ret_low,
                   double *ret_high)
{
    double center = u->median, reach = NAN;
    if (by == BY_PERCENTILE) {
        *ret_low = sorted_quantile_at(sorted, t / 100);
        *ret_high = sorted_quantile_at(sorted, 1 - t / 100);
        return;
    }
    if (by == BY_IQR) {
        *ret_low = u->q1 - t * u->iqr;
        *ret_high = u->q3 + t * u->iqr;
        return;
    }
    if (by == BY_Z) {
        center = u->mean;
        reach = t * u->std_population;
    } else if (u->mad > 0) {
        reach = t * u->mad / 0.6745;
    } else {
        double sum = 0;
        for (int64_t i = 0; i < sorted->n; i++) sum += fabs(sorted_at(sorted, i) - center);
        reach = t * 1.253314 * sum / (double)sorted->n;
    }
    *ret_low = center - reach;
    *ret_high = center + reach;
}

static bool outliers_fit(Step *step, Frame *table, Error *err)
{
    static const double presets[] = {3, 3.5, 1.5, 1};
    int by = step_choice(step, "by");
    double t = step_given(step, "threshold") ? step_number(step, "threshold") : presets[by];
    if (by == BY_PERCENTILE && t >= 50)
        return error_set(err, ERROR_INVALID, "the percentile %g is not below 50", t);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c = frame_column(table, step->columns[j]);
        SortSpace space = {0};
        Sorted sorted;
        Univariate u;
        Numbers numbers = {.f64 = c->f64, .n = c->n_rows};
        bool ok = sorted_make(&numbers, false, &space, &sorted, err);
        sort_space_clear(&space);
        if (!ok) return false;
        double low = NAN, high = NAN;
        univariate_of(&numbers, &sorted, &u);
        if (u.n) fences(by, t, &u, &sorted, &low, &high);
        sorted_clear(&sorted);
        if (!u.n)
            return error_set(err, ERROR_INVALID, "column '%.*s' has no value in any row",
                             STR_ARG(c->name));
        step_learn_number(step, "low", step->columns[j], low);
        step_learn_number(step, "high", step->columns[j], high);
    }
    return true;
}

static bool outliers_apply(const Step *step, Frame *table, TableRole role, Error *err)
{
    int act = step_choice(step, "do");
    if (act == DO_REMOVE && role != TABLE_TRAIN) return true;
    AUTO_DATA uint8_t *keep = data_array(uint8_t, table->n_rows, "the rows", err);
    if (!keep) return false;
    memset(keep, 1, (size_t)table->n_rows);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c, flag = {0};
        double low, high;
        if (!step_column(step, table, step->columns[j], TAKES_NUMBERS, &c, err) ||
            !step_learned_number(step, "low", step->columns[j], &low, err) ||
            !step_learned_number(step, "high", step->columns[j], &high, err))
            return false;
        ARENA(scratch);
        Str name = arena_format(&scratch, "%.*s_outlier", STR_ARG(c->name));
        if (act == DO_FLAG && !number_column(table, name, &flag, err)) return false;
        for (int64_t i = 0; i < c->n_rows; i++) {
            double x = c->f64[i];
            if (!(x < low || x > high)) continue;
            if (act == DO_FLAG) flag.f64[i] = 1;
            if (act == DO_CLIP) c->f64[i] = x < low ? low : high;
            if (act == DO_MISSING) c->f64[i] = NAN;
            keep[i] = 0;
        }
        if (act == DO_FLAG) table_splice(table, table->n_columns, 0, &flag, 1);
    }
    return act != DO_REMOVE || table_keep(table, keep, NULL, err);
}

const StepKind outliers_step = {
    .name = "outliers",
    .group = "Outliers",
    .summary = "flags, clips, removes or empties values that are far out",
    .example = "outliers fare by iqr do clip",
    .aliases = {{"FLAG_OUTLIERS", "do flag"},
                {"REMOVE_OUTLIERS", "do remove"},
                {"REPLACE_OUTLIERS", "do clip"},
                {"winsorize", "by percentile do clip"},
                {"clip", "do clip"}},
    .takes = TAKES_NUMBERS,
    .words = {{.name = "by",
               .alias = "outlierStrategy",
               .kind = WORD_CHOICE,
               .choices = by_names,
               .preset = "iqr",
               .help = "how far out is measured"},
              {.name = "threshold",
               .kind = WORD_NUMBER,
               .optional = true,
               .min = 0,
               .max = 1e9,
               .help = "where the fences are: 3 (z), 3.5 (modified-z), 1.5 (iqr), 1 (percentile)"},
              {.name = "do",
               .kind = WORD_CHOICE,
               .choices = do_names,
               .preset = "clip",
               .help =
                   "flag adds NAME_outlier; clip moves to the fence; remove leaves the row out, in "
                   "the training table; missing empties the value"}},
    .fit = outliers_fit,
    .apply = outliers_apply,
};
