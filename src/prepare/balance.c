/* Classes of unequal size: rows of small ones repeated, rows of large ones left out, or a weight a row, scikit-learn's
 * "balanced": rows / (classes x rows of the class).
 *
 * Rows change in the training table only.  Repeated rows come after the others. */

#include "prepare/steps.h"

#include "base/random.h"

enum { BY_OVER, BY_UNDER, BY_WEIGHT };
static const char *const by_names[] = {"over", "under", "weight", NULL};
enum { STREAM_BALANCE = 0xba1a, BALANCE_ROWS_MAX = 1 << 30 };

static bool balance_fit(Step *step, Frame *table, Error *err)
{
    LEVELS(levels);
    Column *c = frame_column(table, step->columns[0]);
    if (!levels_of(c, &levels, err)) return false;
    int64_t n = 0;
    double *count = arena_array(&levels.arena, double, levels.n);
    for (int64_t i = 0; i < c->n_rows; i++)
        if (levels.codes[i] >= 0) {
            count[levels.codes[i]]++;
            n++;
        }
    if (levels.n < 2)
        return error_set(err, ERROR_INVALID, "column '%.*s' has fewer than two classes",
                         STR_ARG(c->name));
    Json *words = json_of_words(step->arena, levels.words, levels.n);
    Json *weights = json_new_array(step->arena);
    for (int32_t k = 0; k < levels.n; k++)
        json_push(step->arena, weights,
                  json_new_double(step->arena, (double)n / (levels.n * count[k])));
    json_set(step->arena, step->learned, "classes", words);
    json_set(step->arena, step->learned, "weights", weights);
    return true;
}

static bool add_weights(const Step *step, Frame *table, Error *err)
{
    ARENA(arena);
    Column *c = frame_column(table, step->columns[0]), out;
    const Json *words = json_get(step_learned(step), "classes");
    double *weights;
    AUTO_DATA int32_t *codes = NULL;
    int32_t n;
    if (!c) return true; /* rows to be predicted have no class */
    if (!json_doubles(json_get(step_learned(step), "weights"), &arena, &weights, &n, err) ||
        !codes_in(c, words, &codes, err))
        return false;
    if (!number_column(table, STR("weight"), &out, err)) return false;
    for (int64_t i = 0; i < c->n_rows; i++)
        out.f64[i] = codes[i] >= 0 && codes[i] < n ? weights[codes[i]] : 1;
    table_splice(table, table->n_columns, 0, &out, 1);
    return true;
}

/* Rows of each class, one class after the other; start[k] is where class k begins. */
static bool rows_by_class(const Levels *levels, int64_t n, int64_t *start, int64_t **ret_rows,
                          Error *err)
{
    ARENA(arena);
    int64_t *rows = data_array(int64_t, n, "the classes", err);
    int64_t *at = arena_array(&arena, int64_t, levels->n + 1);
    if (!rows) return false;
    for (int64_t i = 0; i < n; i++)
        if (levels->codes[i] >= 0) start[levels->codes[i] + 1]++;
    for (int32_t k = 0; k < levels->n; k++) start[k + 1] += start[k];
    memcpy(at, start, sizeof *at * (size_t)levels->n);
    for (int64_t i = 0; i < n; i++)
        if (levels->codes[i] >= 0) rows[at[levels->codes[i]]++] = i;
    *ret_rows = rows;
    return true;
}

static bool oversample(Frame *table, const Levels *levels, const int64_t *start,
                       const int64_t *rows, uint64_t seed, Error *err)
{
    int64_t most = 0, total = table->n_rows, n = table->n_rows;
    for (int32_t k = 0; k < levels->n; k++) most = MAX(most, start[k + 1] - start[k]);
    for (int32_t k = 0; k < levels->n; k++) total += most - (start[k + 1] - start[k]);
    if (total > BALANCE_ROWS_MAX)
        return error_set(err, ERROR_LIMIT, "%lld rows, at most %d; 'by weight' adds none",
                         (long long)total, BALANCE_ROWS_MAX);
    AUTO_DATA int64_t *taken = data_array(int64_t, total, "the rows", err);
    if (!taken) return false;
    for (int64_t i = 0; i < n; i++) taken[i] = i;
    for (int32_t k = 0; k < levels->n; k++) {
        Random random = random_stream(seed, STREAM_BALANCE + (uint64_t)k);
        uint64_t have = (uint64_t)(start[k + 1] - start[k]);
        for (uint64_t i = have; i < (uint64_t)most; i++)
            taken[n++] = rows[start[k] + (int64_t)random_below(random, i, have)];
    }
    return table_gather(table, taken, total, err);
}

static bool undersample(Frame *table, const Levels *levels, const int64_t *start,
                        const int64_t *rows, uint64_t seed, Error *err)
{
    int64_t least = INT64_MAX;
    for (int32_t k = 0; k < levels->n; k++) least = MIN(least, start[k + 1] - start[k]);
    AUTO_DATA uint8_t *keep = data_array(uint8_t, table->n_rows, "the rows", err);
    AUTO_DATA uint32_t *order = keep ? data_array(uint32_t, table->n_rows, "the rows", err) : NULL;
    if (!order) return false;
    for (int64_t i = 0; i < table->n_rows; i++) keep[i] = levels->codes[i] < 0;
    for (int32_t k = 0; k < levels->n; k++) {
        int64_t have = start[k + 1] - start[k];
        for (int64_t i = 0; i < have; i++) order[i] = (uint32_t)i;
        random_permutation(random_stream(seed, STREAM_BALANCE + (uint64_t)k), order, (size_t)have);
        for (int64_t i = 0; i < least; i++) keep[rows[start[k] + order[i]]] = 1;
    }
    return table_keep(table, keep, NULL, err);
}

static bool balance_apply(const Step *step, Frame *table, TableRole role, Error *err)
{
    int by = step_choice(step, "by");
    if (by == BY_WEIGHT) return add_weights(step, table, err);
    if (role != TABLE_TRAIN) return true;
    LEVELS(levels);
    AUTO_DATA int64_t *rows = NULL;
    if (!levels_of(frame_column(table, step->columns[0]), &levels, err)) return false;
    int64_t *start = arena_array(&levels.arena, int64_t, levels.n + 1);
    if (!rows_by_class(&levels, table->n_rows, start, &rows, err)) return false;
    uint64_t seed = (uint64_t)step_number(step, "seed");
    return by == BY_OVER ? oversample(table, &levels, start, rows, seed, err)
                         : undersample(table, &levels, start, rows, seed, err);
}

const StepKind balance_step = {
    .name = "balance",
    .group = "Rows for training",
    .summary = "evens out classes of unequal size",
    .example = "balance bought by weight",
    .aliases = {{"oversample", "by over"},
                {"undersample", "by under"},
                {"class-weight", "by weight"}},
    .one_column = true,
    .takes = TAKES_ALL,
    .words = {{.name = "by",
               .kind = WORD_CHOICE,
               .choices = by_names,
               .preset = "weight",
               .help =
                   "over: rows of small classes are repeated; under: rows of large ones are left "
                   "out, both in the training table only; weight: adds the column 'weight'"},
              {.name = "seed",
               .kind = WORD_NUMBER,
               .preset = "0",
               .min = 0,
               .max = 1e15,
               .help = "of the draw"}},
    .fit = balance_fit,
    .apply = balance_apply,
};
