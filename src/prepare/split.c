/* Rows put aside before anything is learned: at random, with equal shares of classes, by whole groups, or the latest. */

#include "prepare/steps.h"

#include "base/random.h"

#include <stdlib.h>

enum { STREAM_SPLIT = 0x591a };

static bool split_check(const Step *step, Error *err)
{
    int n = step_given(step, "stratify") + step_given(step, "group") + step_given(step, "time");
    if (n <= 1) return true;
    return error_set(err, ERROR_INVALID,
                     "step 'split' takes one of 'stratify', 'group' and 'time'");
}

static bool shuffled(uint64_t seed, uint64_t stream, int64_t n, uint32_t **ret_order, Error *err)
{
    uint32_t *order = data_array(uint32_t, n, "the split", err);
    if (!order) return false;
    for (int64_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    random_permutation(random_stream(seed, STREAM_SPLIT + stream), order, (size_t)n);
    *ret_order = order;
    return true;
}

/* The share of each class, rounded down; what is left of n_held goes to those that lost most by it. */
static bool by_class(const Column *c, double share, int64_t n_held, const uint32_t *order,
                     uint8_t *keep, Error *err)
{
    LEVELS(levels);
    if (!levels_of(c, &levels, err)) return false;
    ARENA(arena);
    int32_t n = levels.n + 1; /* the last: missing */
    double *lost = arena_array(&arena, double, n);
    int64_t *left = arena_array(&arena, int64_t, n);
    for (int64_t i = 0; i < c->n_rows; i++)
        lost[levels.codes[i] < 0 ? levels.n : levels.codes[i]] += share;
    for (int32_t k = 0; k < n; k++) {
        left[k] = (int64_t)floor(lost[k] + 1e-9);
        lost[k] -= (double)left[k];
        n_held -= left[k];
    }
    for (; n_held > 0; n_held--) {
        int32_t most = 0;
        for (int32_t k = 1; k < n; k++)
            if (lost[k] > lost[most]) most = k;
        left[most]++;
        lost[most] = -1;
    }
    for (int64_t i = 0; i < c->n_rows; i++) {
        uint32_t row = order[i];
        int64_t *of = &left[levels.codes[row] < 0 ? levels.n : levels.codes[row]];
        if (*of < 1) continue;
        --*of;
        keep[row] = 0;
    }
    return true;
}

static bool by_group(const Column *c, double share, uint64_t seed, uint8_t *keep, Error *err)
{
    LEVELS(levels);
    AUTO_DATA uint32_t *order = NULL;
    if (!levels_of(c, &levels, err) || !shuffled(seed, 1, levels.n, &order, err)) return false;
    ARENA(arena);
    bool *aside = arena_array(&arena, bool, levels.n + 1);
    int32_t n = (int32_t)ceil(share * levels.n - 1e-9);
    for (int32_t k = 0; k < n; k++) aside[order[k]] = true;
    for (int64_t i = 0; i < c->n_rows; i++) {
        if (levels.codes[i] < 0)
            return error_set(err, ERROR_INVALID, "column '%.*s' row %lld has no group",
                             STR_ARG(c->name), (long long)i + 1);
        keep[i] = !aside[levels.codes[i]];
    }
    return true;
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Rows at or after the time that leaves about `n` of them; equal times stay together. */
static bool by_time(const Column *c, int64_t n, uint8_t *keep, Error *err)
{
    AUTO_DATA double *sorted = data_array(double, c->n_rows, "the times", err);
    AUTO_DATA double *times = sorted ? data_array(double, c->n_rows, "the times", err) : NULL;
    if (!times) return false;
    for (int64_t i = 0; i < c->n_rows; i++) {
        if (cell_missing(c, i))
            return error_set(err, ERROR_INVALID, "column '%.*s' row %lld has no time",
                             STR_ARG(c->name), (long long)i + 1);
        times[i] = sorted[i] = c->type == COLUMN_TIME ? (double)c->time_us[i] : c->f64[i];
    }
    qsort(sorted, (size_t)c->n_rows, sizeof *sorted, compare_doubles);
    double from = sorted[c->n_rows - n];
    for (int64_t i = 0; i < c->n_rows; i++) keep[i] = times[i] < from;
    return true;
}

static bool split_rows(const Step *step, const Frame *table, uint8_t *keep, Error *err)
{
    Column *c;
    double share = step_number(step, "share");
    uint64_t seed = (uint64_t)step_number(step, "seed");
    int64_t n = (int64_t)ceil(share * (double)table->n_rows - 1e-9);
    if (step_given(step, "group"))
        return step_column(step, table, step_text(step, "group"), TAKES_ALL, &c, err) &&
               by_group(c, share, seed, keep, err);
    if (step_given(step, "time"))
        return step_column(step, table, step_text(step, "time"), TAKES_TIMES | TAKES_NUMBERS, &c,
                           err) &&
               by_time(c, n, keep, err);
    AUTO_DATA uint32_t *order = NULL;
    if (!shuffled(seed, 0, table->n_rows, &order, err)) return false;
    if (step_given(step, "stratify"))
        return step_column(step, table, step_text(step, "stratify"), TAKES_ALL, &c, err) &&
               by_class(c, share, n, order, keep, err);
    for (int64_t i = 0; i < n; i++) keep[order[i]] = 0;
    return true;
}

static bool split_fit(Step *step, Frame *table, Error *err)
{
    AUTO_DATA uint8_t *keep = data_array(uint8_t, table->n_rows, "the split", err);
    if (!keep) return false;
    memset(keep, 1, (size_t)table->n_rows);
    if (!split_rows(step, table, keep, err)) return false;
    int64_t n = 0;
    for (int64_t i = 0; i < table->n_rows; i++) n += keep[i];
    if (n == 0 || n == table->n_rows)
        return error_set(err, ERROR_INVALID, "of %lld rows %s would be put aside",
                         (long long)table->n_rows, n ? "none" : "all");
    step->held = STEAL(keep);
    return true;
}

const StepKind split_step = {
    .name = "split",
    .group = "Table",
    .summary =
        "puts rows aside, to --held FILE, before the steps that follow learn; in the training "
        "table only",
    .example = "split share 0.2 stratify bought seed 1",
    .no_columns = true,
    .words = {{.name = "share",
               .alias = "test",
               .kind = WORD_NUMBER,
               .preset = "0.2",
               .min = 1e-6,
               .max = 0.999999,
               .help = "of the rows, or groups"},
              {.name = "stratify",
               .kind = WORD_COLUMN,
               .optional = true,
               .help = "the same share of each of its classes"},
              {.name = "group",
               .kind = WORD_COLUMN,
               .optional = true,
               .help = "rows with the same value stay together"},
              {.name = "time",
               .kind = WORD_COLUMN,
               .optional = true,
               .help = "the latest rows, so that the future is predicted from the past"},
              {.name = "seed",
               .kind = WORD_NUMBER,
               .preset = "0",
               .min = 0,
               .max = 1e15,
               .help = "of the draw"}},
    .check = split_check,
    .fit = split_fit,
};
