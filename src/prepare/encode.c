/* Words to numbers without a target: ordinal, one-hot, hashing, counts, as scikit-learn's OrdinalEncoder, OneHotEncoder
 * and FeatureHasher.  Words are in the order in which people expect them: numbers by value, else bytewise. */

#include "prepare/steps.h"

enum { UNKNOWN_ERROR, UNKNOWN_IGNORE };
static const char *const unknown_names[] = {"error", "ignore", NULL};

static bool unknown_word(const Column *c, int64_t row, Error *err)
{
    ARENA(scratch);
    return error_set(err, ERROR_INVALID,
                     "column '%.*s' row %lld: '%.*s' is not in the training table; "
                     "'unknown ignore' accepts it",
                     STR_ARG(c->name), (long long)row + 1, STR_ARG(column_text(c, row, &scratch)));
}

/* The words of each column: {"words": {"city": [...]}} */
bool words_fit(Step *step, Frame *table, Error *err)
{
    Json *all = json_new_object(step->arena);
    json_set(step->arena, step->learned, "words", all);
    for (int32_t j = 0; j < step->n_columns; j++) {
        LEVELS(levels);
        const Column *c = frame_column(table, step->columns[j]);
        if (!levels_of(c, &levels, err)) return false;
        json_set_str(step->arena, all, step->columns[j],
                     json_of_words(step->arena, levels.words, levels.n));
    }
    return true;
}

bool learned_words(const Step *step, Str column, const Json **ret_words, Error *err)
{
    const Json *all = json_get(step_learned(step), "words");
    for (size_t k = 0; all && all->type == JSON_OBJECT && k < all->n; k++)
        if (str_eq(all->members[k].name, column) && all->members[k].value->type == JSON_ARRAY) {
            *ret_words = all->members[k].value;
            return true;
        }
    return error_set(err, ERROR_INVALID, "the document has no words of column '%.*s'",
                     STR_ARG(column));
}

/* ---- ordinal ---- */

static bool ordinal_fit(Step *step, Frame *table, Error *err)
{
    const StepValue *order = step_value(step, "order");
    if (!order->given) return words_fit(step, table, err);
    Json *all = json_new_object(step->arena);
    json_set(step->arena, step->learned, "words", all);
    for (int32_t j = 0; j < step->n_columns; j++)
        json_set_str(step->arena, all, step->columns[j],
                     json_of_words(step->arena, order->texts, order->n_texts));
    return true;
}

static bool ordinal_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c, out;
        const Json *words;
        AUTO_DATA int32_t *codes = NULL;
        if (!step_column(step, table, step->columns[j], TAKES_ALL, &c, err) ||
            !learned_words(step, c->name, &words, err) || !codes_in(c, words, &codes, err))
            return false;
        out = (Column){.name = c->name, .type = COLUMN_NUMBER, .n_rows = c->n_rows};
        out.f64 = data_array(double, c->n_rows, "the codes", err);
        if (!out.f64) return false;
        for (int64_t i = 0; i < c->n_rows; i++) {
            if (codes[i] == -2 && step_choice(step, "unknown") == UNKNOWN_ERROR) {
                data_free(out.f64);
                return unknown_word(c, i, err);
            }
            out.f64[i] = codes[i] == -1 ? (double)NAN : codes[i] == -2 ? -1.0 : (double)codes[i];
        }
        table_splice(table, (int32_t)(c - table->columns), 1, &out, 1);
    }
    return true;
}

const StepKind ordinal_step = {
    .name = "ordinal",
    .group = "Encoding",
    .summary = "each word becomes its position",
    .example = "ordinal size order small, medium, large",
    .aliases = {{"label-encode", ""}},
    .takes = TAKES_WORDS,
    .words = {{.name = "order",
               .kind = WORD_TEXTS,
               .optional = true,
               .help = "the words from first to last; else sorted"},
              {.name = "unknown",
               .kind = WORD_CHOICE,
               .choices = unknown_names,
               .preset = "error",
               .help = "a word that was not learned: refuse, or ignore: -1"}},
    .fit = ordinal_fit,
    .apply = ordinal_apply,
};

/* ---- one-hot ---- */

enum { DROP_NONE, DROP_FIRST, DROP_BINARY };
static const char *const drop_names[] = {"none", "first", "binary", NULL};
enum { ONE_HOT_MAX = 20000 };

static bool one_hot_fit(Step *step, Frame *table, Error *err)
{
    if (!words_fit(step, table, err)) return false;
    Json *missing = json_new_object(step->arena);
    json_set(step->arena, step->learned, "missing", missing);
    for (int32_t j = 0; j < step->n_columns; j++) {
        const Column *c = frame_column(table, step->columns[j]);
        bool any = false;
        for (int64_t i = 0; i < c->n_rows && !any; i++) any = cell_missing(c, i);
        json_set_str(step->arena, missing, step->columns[j], json_new_bool(step->arena, any));
    }
    return true;
}

/* n_words columns, and one for missing where the training table had missing ones; `first` is dropped. */
static bool one_hot_column(Frame *table, Column *c, const int32_t *codes, const Json *words,
                           bool missing, size_t first, Column *out, Error *err)
{
    size_t n = words->n + missing;
    for (size_t k = first; k < n; k++) {
        ARENA(scratch);
        Str word = k < words->n ? words->items[k]->text : STR("missing");
        Str name = arena_format(&scratch, "%.*s_%.*s", STR_ARG(c->name), STR_ARG(word));
        if (!number_column(table, name, &out[k - first], err)) {
            for (size_t i = 0; i < k - first; i++) column_clear(&out[i]);
            return false;
        }
    }
    for (int64_t i = 0; i < c->n_rows; i++) {
        size_t k = codes[i] >= 0 ? (size_t)codes[i] : words->n;
        if (codes[i] != -2 && k >= first && k < n) out[k - first].f64[i] = 1;
    }
    return true;
}

static bool one_hot_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    ARENA(arena);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c;
        const Json *words;
        AUTO_DATA int32_t *codes = NULL;
        if (!step_column(step, table, step->columns[j], TAKES_ALL, &c, err) ||
            !learned_words(step, c->name, &words, err) || !codes_in(c, words, &codes, err))
            return false;
        if (words->n > ONE_HOT_MAX)
            return error_set(err, ERROR_LIMIT,
                             "column '%.*s' has %zu words, at most %d become columns; "
                             "'hash' or 'count' take any number",
                             STR_ARG(c->name), words->n, ONE_HOT_MAX);
        const Json *flags = json_get(step_learned(step), "missing");
        bool missing = json_get_bool(flags, arena_cstr(&arena, c->name), false);
        for (int64_t i = 0; i < c->n_rows; i++)
            if (codes[i] == -2 && step_choice(step, "unknown") == UNKNOWN_ERROR)
                return unknown_word(c, i, err);
        for (size_t k = 0; missing && k < words->n; k++)
            if (str_is(words->items[k]->text, "missing"))
                return error_set(err, ERROR_INVALID,
                                 "column '%.*s' has the word 'missing' and rows without a value: "
                                 "fill it first",
                                 STR_ARG(c->name));
        int drop = step_choice(step, "drop");
        size_t n = words->n + missing,
               first = drop == DROP_FIRST || (drop == DROP_BINARY && n == 2);
        first = MIN(first, n);
        Column *out = arena_array(&arena, Column, n + 1);
        if (!one_hot_column(table, c, codes, words, missing, first, out, err)) return false;
        table_splice(table, (int32_t)(c - table->columns), 1, out, (int32_t)(n - first));
    }
    return true;
}

const StepKind one_hot_step = {
    .name = "one-hot",
    .group = "Encoding",
    .summary = "a column a word, 1 where the row has it; missing has a column of its own",
    .example = "one-hot city drop first",
    .aliases = {{"ONE_HOT_ENCODING", ""}, {"dummies", ""}},
    .takes = TAKES_WORDS,
    .words = {{.name = "drop",
               .kind = WORD_CHOICE,
               .choices = drop_names,
               .preset = "none",
               .help =
                   "leave out the first column, for linear models; binary: where there are two"},
              {.name = "unknown",
               .kind = WORD_CHOICE,
               .choices = unknown_names,
               .preset = "error",
               .help = "a word that was not learned: refuse, or ignore: all zeros"}},
    .fit = one_hot_fit,
    .apply = one_hot_apply,
};

/* ---- counts ---- */

static bool count_fit(Step *step, Frame *table, Error *err)
{
    if (!words_fit(step, table, err)) return false;
    Json *all = json_new_object(step->arena);
    json_set(step->arena, step->learned, "counts", all);
    for (int32_t j = 0; j < step->n_columns; j++) {
        LEVELS(levels);
        const Column *c = frame_column(table, step->columns[j]);
        if (!levels_of(c, &levels, err)) return false;
        AUTO_DATA double *counts = data_array(double, levels.n, "the counts", err);
        if (!counts) return false;
        for (int64_t i = 0; i < c->n_rows; i++)
            if (levels.codes[i] >= 0) counts[levels.codes[i]]++;
        json_set_str(step->arena, all, step->columns[j],
                     json_of_doubles(step->arena, counts, levels.n));
    }
    json_set_int(step->arena, step->learned, "rows", table->n_rows);
    return true;
}

static const char *const yes_no[] = {"no", "yes", NULL};

static bool count_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    ARENA(arena);
    double rows = json_get_double(step_learned(step), "rows", 1);
    double divisor = step_choice(step, "share") ? rows : 1;
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c, out;
        const Json *words;
        AUTO_DATA int32_t *codes = NULL;
        int32_t n;
        double *counts;
        if (!step_column(step, table, step->columns[j], TAKES_ALL, &c, err) ||
            !learned_words(step, c->name, &words, err) ||
            !json_doubles(
                json_get(json_get(step_learned(step), "counts"), arena_cstr(&arena, c->name)),
                &arena, &counts, &n, err) ||
            !codes_in(c, words, &codes, err))
            return false;
        out = (Column){.name = c->name, .type = COLUMN_NUMBER, .n_rows = c->n_rows};
        out.f64 = data_array(double, c->n_rows, "the counts", err);
        if (!out.f64) return false;
        for (int64_t i = 0; i < c->n_rows; i++)
            out.f64[i] = codes[i] == -1                  ? NAN
                         : codes[i] < 0 || codes[i] >= n ? 0
                                                         : counts[codes[i]] / divisor;
        table_splice(table, (int32_t)(c - table->columns), 1, &out, 1);
    }
    return true;
}

const StepKind count_step = {
    .name = "count",
    .group = "Encoding",
    .summary = "each word becomes how often the training table has it; unknown ones 0",
    .example = "count city share yes",
    .aliases = {{"frequency", "share yes"}},
    .takes = TAKES_WORDS,
    .words = {{.name = "share",
               .kind = WORD_CHOICE,
               .choices = yes_no,
               .preset = "no",
               .help = "divide by the number of rows"}},
    .fit = count_fit,
    .apply = count_apply,
};

/* ---- hashing ---- */

/* MurmurHash3, 32 bits, seed 0 (Appleby, public domain): what FeatureHasher uses. */
static uint32_t murmur3(Str s)
{
    uint32_t h = 0;
    size_t at = 0;
    for (; at + 4 <= s.len; at += 4) {
        uint32_t k;
        memcpy(&k, s.ptr + at, 4);
        k *= 0xcc9e2d51u;
        k = (k << 15 | k >> 17) * 0x1b873593u;
        h ^= k;
        h = (h << 13 | h >> 19) * 5 + 0xe6546b64u;
    }
    uint32_t k = 0;
    for (size_t i = s.len; i-- > at;) k = k << 8 | (uint8_t)s.ptr[i];
    k *= 0xcc9e2d51u;
    k = (k << 15 | k >> 17) * 0x1b873593u;
    h ^= k;
    h ^= (uint32_t)s.len;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

static bool hash_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    ARENA(arena);
    int32_t n = (int32_t)step_number(step, "n");
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c, *out = arena_array(&arena, Column, n);
        if (!step_column(step, table, step->columns[j], TAKES_ALL, &c, err)) return false;
        for (int32_t k = 0; k < n; k++) {
            Str name = arena_format(&arena, "%.*s_hash%d", STR_ARG(c->name), k);
            if (!number_column(table, name, &out[k], err)) {
                for (int32_t i = 0; i < k; i++) column_clear(&out[i]);
                return false;
            }
        }
        ARENA(scratch);
        for (int64_t i = 0; i < c->n_rows; i++) {
            if (cell_missing(c, i)) continue;
            int32_t h = (int32_t)murmur3(column_text(c, i, &scratch));
            out[(h < 0 ? -(int64_t)h : h) % n].f64[i] = h >= 0 ? 1 : -1;
            if (i % 4096 == 0) arena_clear(&scratch);
        }
        table_splice(table, (int32_t)(c - table->columns), 1, out, n);
    }
    return true;
}

const StepKind hash_step = {
    .name = "hash",
    .group = "Encoding",
    .summary = "words fall into n columns by their hash, with sign; any number of words",
    .example = "hash city n 32",
    .aliases = {{"feature-hash", ""}},
    .takes = TAKES_WORDS,
    .words = {{.name = "n",
               .kind = WORD_NUMBER,
               .preset = "32",
               .min = 1,
               .max = 65536,
               .help = "columns"}},
    .apply = hash_apply,
};
