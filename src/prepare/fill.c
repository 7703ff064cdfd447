/* Missing values: rows left out, flags, and what is put in their place.
 *
 * Mean, median and mode as scikit-learn's SimpleImputer (of equally frequent values the smallest); forward, backward and
 * linear between neighbors as pandas' ffill, bfill and interpolate: the last value goes on to the end,
 * what is missing before the first one stays missing. */

#include "prepare/steps.h"
#include "stats/univariate.h"

enum { FILL_MEAN, FILL_MEDIAN, FILL_MODE, FILL_FORWARD, FILL_BACKWARD, FILL_LINEAR, FILL_VALUE };
static const char *const fill_names[] = {"mean",     "median", "mode",  "forward",
                                         "backward", "linear", "value", NULL};

static unsigned fill_takes(const Step *step)
{
    int with = step_choice(step, "with");
    return with == FILL_MEAN || with == FILL_MEDIAN || with == FILL_LINEAR ? TAKES_NUMBERS
                                                                           : TAKES_ALL;
}

static bool fill_check(const Step *step, Error *err)
{
    bool value = step_given(step, "value");
    if (value == (step_choice(step, "with") == FILL_VALUE)) return true;
    return error_set(err, ERROR_INVALID,
                     value ? "step 'fill' takes either 'with' or 'value', as in: fill age value 0"
                           : "step 'fill' needs 'with' or 'value', as in: fill age with median");
}

bool column_statistics(const Column *c, Univariate *ret, Error *err)
{
    SortSpace space = {0};
    Sorted sorted;
    Numbers numbers = {.f64 = c->f64, .n = c->n_rows};
    bool ok = sorted_make(&numbers, false, &space, &sorted, err);
    sort_space_clear(&space);
    if (!ok) return false;
    univariate_of(&numbers, &sorted, ret);
    sorted_clear(&sorted);
    return true;
}

static bool no_value(const Column *c, Error *err)
{
    return error_set(err, ERROR_INVALID,
                     "column '%.*s' has no value in any row: drop it, or fill it with a value",
                     STR_ARG(c->name));
}

static bool most_frequent(const Column *c, Arena *arena, Str *ret_word, Error *err)
{
    LEVELS(levels);
    if (!levels_of(c, &levels, err)) return false;
    AUTO_DATA int64_t *counts = data_array(int64_t, levels.n, "the counts", err);
    if (!counts) return false;
    int32_t best = 0;
    if (!levels.n) return no_value(c, err);
    for (int64_t i = 0; i < c->n_rows; i++)
        if (levels.codes[i] >= 0) counts[levels.codes[i]]++;
    for (int32_t k = 1; k < levels.n; k++)
        if (counts[k] > counts[best]) best = k;
    *ret_word = arena_str(arena, levels.words[best]);
    return true;
}

static bool fill_fit(Step *step, Frame *table, Error *err)
{
    int with = step_choice(step, "with");
    if (with == FILL_FORWARD || with == FILL_BACKWARD || with == FILL_LINEAR) return true;
    Json *values = json_new_object(step->arena);
    json_set(step->arena, step->learned, "value", values);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c = frame_column(table, step->columns[j]);
        Cell cell;
        Str word;
        Univariate u;
        if (with == FILL_VALUE) {
            word = step_text(step, "value");
            if (!cell_parse(table, c, word, &cell, err)) return false;
        } else if (with == FILL_MODE) {
            if (!most_frequent(c, step->arena, &word, err)) return false;
        } else {
            if (!column_statistics(c, &u, err)) return false;
            if (!u.n) return no_value(c, err);
            json_set_str(step->arena, values, step->columns[j],
                         json_new_double(step->arena, with == FILL_MEAN ? u.mean : u.median));
            continue;
        }
        json_set_str(step->arena, values, step->columns[j], json_new_text(step->arena, word));
    }
    return true;
}

/* From row `from` by `by`, each missing value takes the one before it. */
static void carry(Column *c, int64_t from, int64_t by)
{
    int64_t last = -1;
    for (int64_t i = from; i >= 0 && i < c->n_rows; i += by) {
        if (!cell_missing(c, i))
            last = i;
        else if (last >= 0)
            cell_set(c, i, cell_get(c, last));
    }
}

static void interpolate(double *x, int64_t n)
{
    int64_t last = -1;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i])) continue;
        for (int64_t k = last + 1; last >= 0 && k < i; k++)
            x[k] = x[last] + (x[i] - x[last]) * ((double)(k - last) / (double)(i - last));
        last = i;
    }
    for (int64_t k = last + 1; last >= 0 && k < n; k++) x[k] = x[last];
}

static bool fill_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    int with = step_choice(step, "with");
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c;
        if (!step_column(step, table, step->columns[j], step_takes(step), &c, err)) return false;
        if (with == FILL_FORWARD) {
            carry(c, 0, 1);
        } else if (with == FILL_BACKWARD) {
            carry(c, c->n_rows - 1, -1);
        } else if (with == FILL_LINEAR) {
            interpolate(c->f64, c->n_rows);
        } else {
            const Json *value = NULL, *values = json_get(step_learned(step), "value");
            for (size_t k = 0; values && values->type == JSON_OBJECT && k < values->n; k++)
                if (str_eq(values->members[k].name, step->columns[j]))
                    value = values->members[k].value;
            Cell cell = {0};
            if (!value || (value->type != JSON_NUMBER && value->type != JSON_STRING))
                return error_set(err, ERROR_INVALID, "the document has no value for '%.*s'",
                                 STR_ARG(c->name));
            if (!cell_parse(table, c, value->text, &cell, err)) return false;
            for (int64_t i = 0; i < c->n_rows; i++)
                if (cell_missing(c, i)) cell_set(c, i, cell);
        }
    }
    return true;
}

const StepKind fill_step = {
    .name = "fill",
    .group = "Missing values",
    .summary = "puts a value where one is missing",
    .example = "fill age, fare with median",
    .aliases = {{"impute", ""},
                {"FILL_WITH_AVERAGE", "with mean"},
                {"FILL_WITH_MEDIAN", "with median"},
                {"FILL_WITH_MODE", "with mode"},
                {"FILL_WITH_MOST_FREQUENT", "with mode"},
                {"FILL_WITH_LAST_VALID", "with forward"},
                {"FILL_WITH_CUSTOM", "with value"}},
    .takes = TAKES_ALL,
    .takes_with = fill_takes,
    .words = {{.name = "with",
               .kind = WORD_CHOICE,
               .choices = fill_names,
               .preset = "value",
               .help = "what is put in; linear is between neighboring rows"},
              {.name = "value",
               .alias = "customValue",
               .kind = WORD_TEXT,
               .optional = true,
               .help = "a constant"}},
    .check = fill_check,
    .fit = fill_fit,
    .apply = fill_apply,
};

static bool drop_missing_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    AUTO_DATA uint8_t *keep = data_array(uint8_t, table->n_rows, "the rows", err);
    if (!keep) return false;
    memset(keep, 1, (size_t)table->n_rows);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c = frame_column(table, step->columns[j]);
        if (!c && step->all) continue; /* the target of rows to be predicted */
        if (!step_column(step, table, step->columns[j], TAKES_ALL, &c, err)) return false;
        for (int64_t i = 0; i < c->n_rows; i++) keep[i] &= !cell_missing(c, i);
    }
    return table_keep(table, keep, NULL, err);
}

const StepKind drop_missing_step = {
    .name = "drop-missing",
    .group = "Missing values",
    .summary = "leaves out rows without a value in one of the columns",
    .example = "drop-missing age, fare",
    .aliases = {{"REMOVE_MISSING", ""}, {"dropna", ""}},
    .takes = TAKES_ALL,
    .explicit_all = true,
    .apply = drop_missing_apply,
};

static bool flag_missing_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c, flag;
        if (!step_column(step, table, step->columns[j], TAKES_ALL, &c, err)) return false;
        ARENA(scratch);
        Str name = arena_format(&scratch, "%.*s_missing", STR_ARG(c->name));
        if (!number_column(table, name, &flag, err)) return false;
        for (int64_t i = 0; i < c->n_rows; i++) flag.f64[i] = cell_missing(c, i);
        table_splice(table, table->n_columns, 0, &flag, 1);
    }
    return true;
}

const StepKind flag_missing_step = {
    .name = "flag-missing",
    .group = "Missing values",
    .summary = "adds NAME_missing, 1 where there is no value; before fill",
    .example = "flag-missing age",
    .aliases = {{"indicator", ""}},
    .takes = TAKES_ALL,
    .apply = flag_missing_apply,
};
