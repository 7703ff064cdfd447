/* Words to what the target does with them: means (out of fold), leave-one-out, weight of evidence.
 *
 * A training row must not see its own target.  The means of a training row are therefore learned from the other folds (scikit-learn's
 * TargetEncoder), or from all other rows; every other table gets those of the whole training table.
 *
 * Missing is a word of its own.  A word that was not learned gets the mean of the target (weight of evidence: 0).
 *
 * Micci-Barreca: A Preprocessing Scheme for High-Cardinality Categorical Attributes, 2001. */

#include "prepare/steps.h"

#include "base/random.h"

enum { SMOOTH_AUTO = -1, STREAM_FOLDS = 0xf01d };
static const char *const yes_no[] = {"no", "yes", NULL};

static Str target_name(const Step *step)
{
    return step_given(step, "target") ? step_text(step, "target") : step->target;
}

/* The target as numbers, NaN where missing; of two classes 1 for the positive one. */
static bool target_numbers(const Step *step, const Frame *table, bool two_classes, double **ret_y,
                           Error *err)
{
    Column *c;
    Str name = target_name(step);
    if (!name.len)
        return error_set(
            err, ERROR_INVALID,
            "it needs the target: 'target COLUMN' in the step, or as a step before it");
    if (!step_column(step, table, name, TAKES_NUMBERS | TAKES_WORDS, &c, err)) return false;
    AUTO_DATA double *y = data_array(double, c->n_rows, "the target", err);
    if (!y) return false;
    if (c->type == COLUMN_NUMBER && !two_classes && !step_given(step, "positive")) {
        memcpy(y, c->f64, (size_t)c->n_rows * sizeof *y);
        *ret_y = STEAL(y);
        return true;
    }
    LEVELS(levels);
    if (!levels_of(c, &levels, err)) return false;
    int32_t positive = levels.n - 1;
    if (step_given(step, "positive")) {
        for (positive = 0; positive < levels.n; positive++)
            if (str_eq(levels.words[positive], step_text(step, "positive"))) break;
        if (positive == levels.n)
            return error_set(err, ERROR_INVALID, "the target '%.*s' has no class '%.*s'",
                             STR_ARG(name), STR_ARG(step_text(step, "positive")));
    } else if (levels.n != 2) {
        return error_set(err, ERROR_INVALID,
                         "the target '%.*s' has %d classes: say 'positive CLASS', or take two",
                         STR_ARG(name), levels.n);
    }
    for (int64_t i = 0; i < c->n_rows; i++)
        y[i] = levels.codes[i] < 0 ? (double)NAN : (double)(levels.codes[i] == positive);
    *ret_y = STEAL(y);
    return true;
}

/* Sums of the target by word; the last one is missing. */
typedef struct Group {
    double n, sum, squares;
} Group;

static void groups_of(const int32_t *codes, int32_t n_words, const double *y, int64_t n,
                      const int32_t *fold, int32_t without, Group *groups, Group *ret_all)
{
    memset(groups, 0, sizeof(Group) * (size_t)(n_words + 1));
    Group all = {0};
    for (int64_t i = 0; i < n; i++) {
        if (isnan(y[i]) || (fold && fold[i] == without)) continue;
        Group *group = &groups[codes[i] < 0 ? n_words : codes[i]];
        group->n++;
        group->sum += y[i];
        group->squares += y[i] * y[i];
        all.n++;
        all.sum += y[i];
        all.squares += y[i] * y[i];
    }
    *ret_all = all;
}

static double variance_of(const Group *group)
{
    double mean = group->sum / group->n;
    return fmax(0, group->squares / group->n - mean * mean);
}

static double smoothed(const Group *group, const Group *all, double smooth)
{
    double mean = all->sum / all->n;
    if (group->n == 0) return mean;
    if (smooth >= 0) return (group->sum + smooth * mean) / (group->n + smooth);
    double between = variance_of(all) * group->n, within = variance_of(group);
    if (between + within <= 0) return group->sum / group->n;
    double share = between / (between + within);
    return share * group->sum / group->n + (1 - share) * mean;
}

static double smooth_of(const Step *step)
{
    double x = SMOOTH_AUTO;
    if (!str_is(step_text(step, "smooth"), "auto")) str_to_double(step_text(step, "smooth"), &x);
    return x;
}

static bool target_encode_check(const Step *step, Error *err)
{
    double x;
    Str text = step_text(step, "smooth");
    if (str_is(text, "auto") || (str_to_double(text, &x) && x >= 0 && x < 1e12)) return true;
    return error_set(err, ERROR_INVALID, "'smooth' is '%.*s', but must be auto or a number from 0",
                     STR_ARG(text));
}

typedef double WordValue(const Step *step, const Group *group, const Group *all, int32_t n_words);

/* Learns words, values and what a word gets that is not among them. */
static bool values_fit(Step *step, Frame *table, bool two_classes, WordValue *value, double unseen,
                       Error *err)
{
    AUTO_DATA double *y = NULL;
    ARENA(arena);
    if (!words_fit(step, table, err) || !target_numbers(step, table, two_classes, &y, err))
        return false;
    Json *all_values = json_new_object(step->arena);
    json_set(step->arena, step->learned, "values", all_values);
    for (int32_t j = 0; j < step->n_columns; j++) {
        LEVELS(levels);
        Group all;
        if (!levels_of(frame_column(table, step->columns[j]), &levels, err)) return false;
        Group *groups = arena_array(&arena, Group, levels.n + 1);
        double *values = arena_array(&arena, double, levels.n + 1);
        groups_of(levels.codes, levels.n, y, table->n_rows, NULL, 0, groups, &all);
        if (all.n == 0) return error_set(err, ERROR_INVALID, "the target has no value in any row");
        int32_t n_words = levels.n + (groups[levels.n].n > 0);
        for (int32_t k = 0; k <= levels.n; k++) values[k] = value(step, &groups[k], &all, n_words);
        json_set_str(step->arena, all_values, step->columns[j],
                     json_of_doubles(step->arena, values, levels.n + 1));
        json_set_double(step->arena, step->learned, "unseen",
                        isnan(unseen) ? all.sum / all.n : unseen);
    }
    return true;
}

/* Of any table, by what was learned. */
static bool values_apply(const Step *step, Frame *table, Error *err)
{
    ARENA(arena);
    double unseen = json_get_double(step_learned(step), "unseen", NAN);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c;
        const Json *words;
        double *values;
        AUTO_DATA int32_t *codes = NULL;
        int32_t n;
        if (!step_column(step, table, step->columns[j], TAKES_ALL, &c, err) ||
            !learned_words(step, c->name, &words, err) ||
            !json_doubles(
                json_get(json_get(step_learned(step), "values"), arena_cstr(&arena, c->name)),
                &arena, &values, &n, err))
            return false;
        if (n != (int32_t)words->n + 1)
            return error_set(err, ERROR_INVALID, "the document has %d values for %zu words", n,
                             words->n);
        if (!codes_in(c, words, &codes, err)) return false;
        Column out = {.name = c->name, .type = COLUMN_NUMBER, .n_rows = c->n_rows};
        out.f64 = data_array(double, c->n_rows, "the values", err);
        if (!out.f64) return false;
        for (int64_t i = 0; i < c->n_rows; i++)
            out.f64[i] = codes[i] == -2 ? unseen : values[codes[i] < 0 ? n - 1 : codes[i]];
        table_splice(table, (int32_t)(c - table->columns), 1, &out, 1);
    }
    return true;
}

/* ---- means, out of fold ---- */

static double mean_value(const Step *step, const Group *group, const Group *all,
                         int32_t n_words UNUSED)
{
    return smoothed(group, all, smooth_of(step));
}

static bool target_encode_fit(Step *step, Frame *table, Error *err)
{
    return values_fit(step, table, false, mean_value, NAN, err);
}

/* Folds of equal size (the first ones a row larger), of rows in their order or shuffled. */
static bool folds_of(const Step *step, int64_t n, int32_t n_folds, int32_t **ret_fold, Error *err)
{
    AUTO_DATA int32_t *fold = data_array(int32_t, n, "the folds", err);
    AUTO_DATA uint32_t *order = fold ? data_array(uint32_t, n, "the folds", err) : NULL;
    if (!order) return false;
    for (int64_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    if (step_choice(step, "shuffle"))
        random_permutation(random_stream((uint64_t)step_number(step, "seed"), STREAM_FOLDS), order,
                           (size_t)n);
    int64_t at = 0;
    for (int32_t k = 0; k < n_folds; k++) {
        int64_t size = n / n_folds + (k < n % n_folds);
        for (int64_t i = 0; i < size; i++) fold[order[at++]] = k;
    }
    *ret_fold = STEAL(fold);
    return true;
}

static bool out_of_fold(const Step *step, const int32_t *codes, int32_t n_words, const double *y,
                        int64_t n, double *out, Error *err)
{
    ARENA(arena);
    AUTO_DATA int32_t *fold = NULL;
    int32_t n_folds = (int32_t)step_number(step, "folds");
    Group *groups = arena_array(&arena, Group, n_words + 1), all;
    if (n < n_folds)
        return error_set(err, ERROR_INVALID, "%lld rows cannot be cut into %d folds", (long long)n,
                         n_folds);
    if (!folds_of(step, n, n_folds, &fold, err)) return false;
    double smooth = smooth_of(step);
    for (int32_t k = 0; k < n_folds; k++) {
        groups_of(codes, n_words, y, n, fold, k, groups, &all);
        if (all.n == 0)
            return error_set(err, ERROR_INVALID, "the target is missing outside a fold");
        for (int64_t i = 0; i < n; i++)
            if (fold[i] == k)
                out[i] = smoothed(&groups[codes[i] < 0 ? n_words : codes[i]], &all, smooth);
    }
    return true;
}

typedef bool TrainValues(const Step *step, const int32_t *codes, int32_t n_words, const double *y,
                         int64_t n, double *out, Error *err);

static bool train_apply(const Step *step, Frame *table, TrainValues *values, Error *err)
{
    AUTO_DATA double *y = NULL;
    if (!target_numbers(step, table, false, &y, err)) return false;
    for (int32_t j = 0; j < step->n_columns; j++) {
        LEVELS(levels);
        Column *c = frame_column(table, step->columns[j]);
        if (!levels_of(c, &levels, err)) return false;
        Column out = {.name = c->name, .type = COLUMN_NUMBER, .n_rows = c->n_rows};
        out.f64 = data_array(double, c->n_rows, "the values", err);
        if (!out.f64) return false;
        if (!values(step, levels.codes, levels.n, y, c->n_rows, out.f64, err)) {
            data_free(out.f64);
            return false;
        }
        table_splice(table, (int32_t)(c - table->columns), 1, &out, 1);
    }
    return true;
}

static bool target_encode_apply(const Step *step, Frame *table, TableRole role, Error *err)
{
    return role == TABLE_TRAIN ? train_apply(step, table, out_of_fold, err)
                               : values_apply(step, table, err);
}

#define TARGET_WORDS                                                                               \
    {.name = "target",                                                                             \
     .kind = WORD_COLUMN,                                                                          \
     .optional = true,                                                                             \
     .help = "what is predicted; else the one that the step 'target' named"},                      \
    {                                                                                              \
        .name = "positive", .kind = WORD_TEXT, .optional = true,                                   \
        .help = "the class that counts as 1; else the last of two"                                 \
    }

const StepKind target_encode_step = {
    .name = "target-encode",
    .group = "Encoding",
    .summary =
        "each word becomes the mean of the target there, drawn to the overall mean; training "
        "rows get that of the other folds",
    .example = "target-encode city target price",
    .aliases = {{"mean-encode", ""}},
    .takes = TAKES_WORDS,
    .words = {TARGET_WORDS,
              {.name = "smooth",
               .kind = WORD_TEXT,
               .preset = "10",
               .help = "how many rows of the overall mean each word gets; auto: by the variances"},
              {.name = "folds",
               .kind = WORD_NUMBER,
               .preset = "5",
               .min = 2,
               .max = 1000,
               .help = "parts of the training table"},
              {.name = "shuffle",
               .kind = WORD_CHOICE,
               .choices = yes_no,
               .preset = "yes",
               .help = "draw the folds at random"},
              {.name = "seed",
               .kind = WORD_NUMBER,
               .preset = "0",
               .min = 0,
               .max = 1e15,
               .help = "of the draw"}},
    .check = target_encode_check,
    .fit = target_encode_fit,
    .apply = target_encode_apply,
};

/* ---- leave one out ---- */

static double plain_mean(const Step *step UNUSED, const Group *group, const Group *all,
                         int32_t n_words UNUSED)
{
    return group->n > 0 ? group->sum / group->n : all->sum / all->n;
}

static bool leave_one_out_fit(Step *step, Frame *table, Error *err)
{
    return values_fit(step, table, false, plain_mean, NAN, err);
}

static bool without_itself(const Step *step UNUSED, const int32_t *codes, int32_t n_words,
                           const double *y, int64_t n, double *out, Error *err UNUSED)
{
    ARENA(arena);
    Group *groups = arena_array(&arena, Group, n_words + 1), all;
    groups_of(codes, n_words, y, n, NULL, 0, groups, &all);
    for (int64_t i = 0; i < n; i++) {
        const Group *group = &groups[codes[i] < 0 ? n_words : codes[i]];
        double own = isnan(y[i]) ? 0 : y[i], count = group->n - !isnan(y[i]);
        out[i] = count > 0 ? (group->sum - own) / count : all.sum / all.n;
    }
    return true;
}

static bool leave_one_out_apply(const Step *step, Frame *table, TableRole role, Error *err)
{
    return role == TABLE_TRAIN ? train_apply(step, table, without_itself, err)
                               : values_apply(step, table, err);
}

const StepKind leave_one_out_step = {
    .name = "leave-one-out",
    .group = "Encoding",
    .summary = "each word becomes the mean of the target there; training rows without their own",
    .example = "leave-one-out city target price",
    .takes = TAKES_WORDS,
    .words = {TARGET_WORDS},
    .fit = leave_one_out_fit,
    .apply = leave_one_out_apply,
};

/* ---- weight of evidence ---- */

static double evidence(const Step *step UNUSED, const Group *group, const Group *all,
                       int32_t n_words)
{
    double positive = (group->sum + 0.5) / (all->sum + 0.5 * n_words);
    double negative = (group->n - group->sum + 0.5) / (all->n - all->sum + 0.5 * n_words);
    return log(positive / negative);
}

static bool woe_fit(Step *step, Frame *table, Error *err)
{
    return values_fit(step, table, true, evidence, 0, err);
}

static bool woe_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    return values_apply(step, table, err);
}

const StepKind woe_step = {
    .name = "woe",
    .group = "Encoding",
    .summary =
        "weight of evidence: the logarithm of the word's share of positives over its share of "
        "negatives, half a row added to each",
    .example = "woe city target bought",
    .takes = TAKES_WORDS,
    .words = {TARGET_WORDS},
    .fit = woe_fit,
    .apply = woe_apply,
};
