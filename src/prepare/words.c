/* Texts to columns of word counts or TF-IDF, scikit-learn's CountVectorizer and TfidfVectorizer.
 *
 * A word is two or more letters, digits or underscores, in lower case; bytes beyond ASCII count as letters, and only ASCII letters
 * are lowered.  The n most frequent words of the training table become columns, in bytewise order.
 *
 *     tf-idf = count x (ln((1 + rows) / (1 + rows with the word)) + 1), then each row to length 1 */

#include "prepare/steps.h"

#include <stdlib.h>

enum { BY_COUNT, BY_TF_IDF };
static const char *const by_names[] = {"count", "tf-idf", NULL};
enum { WORDS_MAX = 20000, WORD_BYTES_MAX = 256 };

static bool is_letter(unsigned char c)
{
    return c >= 0x80 || c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* The next word of the text in `buffer`, lowered; longer ones are cut. */
static bool next_word(Str *rest, char buffer[static WORD_BYTES_MAX], Str *ret_word)
{
    while (rest->len) {
        size_t n = 0, at = 0;
        while (at < rest->len && !is_letter((unsigned char)rest->ptr[at])) at++;
        for (; at < rest->len && is_letter((unsigned char)rest->ptr[at]); at++) {
            char c = rest->ptr[at];
            if (n < WORD_BYTES_MAX) buffer[n++] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
        }
        *rest = str_from(*rest, at);
        *ret_word = (Str){buffer, n};
        if (n >= 2) return true;
    }
    return false;
}

typedef struct Word {
    Str text;
    int64_t count, rows, last_row;
} Word;

static int by_count(const void *a, const void *b)
{
    const Word *x = a, *y = b;
    if (x->count != y->count) return x->count < y->count ? 1 : -1;
    return str_compare(x->text, y->text);
}

static int by_text(const void *a, const void *b)
{
    return str_compare(((const Word *)a)->text, ((const Word *)b)->text);
}

static Word *count_words(const Column *c, Arena *arena, int32_t *ret_n)
{
    ARENA(scratch);
    Dictionary dictionary = DICTIONARY(arena);
    Word *words = NULL;
    size_t capacity = 0;
    for (int64_t i = 0; i < c->n_rows; i++) {
        char buffer[WORD_BYTES_MAX];
        Str word, text = column_text(c, i, &scratch);
        while (next_word(&text, buffer, &word)) {
            size_t k = (size_t)dictionary_add(&dictionary, word);
            if (k >= capacity) {
                words = arena_grow(arena, words, capacity, MAX(64, 2 * capacity), sizeof *words);
                capacity = MAX(64, 2 * capacity);
            }
            if (!words[k].count++) words[k].last_row = -1;
            words[k].rows += words[k].last_row != i;
            words[k].last_row = i;
        }
    }
    for (int32_t k = 0; k < dictionary.n; k++) words[k].text = dictionary.words[k];
    *ret_n = dictionary.n;
    return words;
}

static bool words_step_fit(Step *step, Frame *table, Error *err)
{
    Json *all = json_new_object(step->arena), *all_weights = json_new_object(step->arena);
    json_set(step->arena, step->learned, "words", all);
    json_set(step->arena, step->learned, "weights", all_weights);
    for (int32_t j = 0; j < step->n_columns; j++) {
        ARENA(arena);
        int32_t n;
        const Column *c = frame_column(table, step->columns[j]);
        Word *words = count_words(c, &arena, &n);
        if (!n) return error_set(err, ERROR_INVALID, "column '%.*s' has no word", STR_ARG(c->name));
        qsort(words, (size_t)n, sizeof *words, by_count);
        n = MIN(n, (int32_t)step_number(step, "n"));
        qsort(words, (size_t)n, sizeof *words, by_text);
        Str *texts = arena_array(&arena, Str, n);
        double *weights = arena_array(&arena, double, n);
        for (int32_t k = 0; k < n; k++) {
            texts[k] = words[k].text;
            if (!need_utf8(c->name, texts[k], err)) return false;
            weights[k] = log((1 + (double)c->n_rows) / (1 + (double)words[k].rows)) + 1;
        }
        json_set_str(step->arena, all, step->columns[j], json_of_words(step->arena, texts, n));
        if (step_choice(step, "by") == BY_TF_IDF)
            json_set_str(step->arena, all_weights, step->columns[j],
                         json_of_doubles(step->arena, weights, n));
    }
    return true;
}

/* Weighs the counts and brings each row to length 1. */
static void weigh(Column *columns, int32_t n, int64_t n_rows, const double *weights)
{
    for (int64_t i = 0; i < n_rows; i++) {
        double sum = 0;
        for (int32_t k = 0; k < n; k++) {
            double x = columns[k].f64[i] *= weights[k];
            sum += x * x;
        }
        for (int32_t k = 0; k < n && sum > 0; k++) columns[k].f64[i] /= sqrt(sum);
    }
}

static bool word_columns(const Step *step, Frame *table, const Column *c, const Json *words,
                         Column *out, Error *err)
{
    ARENA(arena);
    Dictionary dictionary = DICTIONARY(&arena);
    int32_t n = (int32_t)words->n, n_weights;
    double *weights = NULL;
    if (step_choice(step, "by") == BY_TF_IDF) {
        const Json *all = json_get(step_learned(step), "weights");
        if (!json_doubles(json_get(all, arena_cstr(&arena, c->name)), &arena, &weights, &n_weights,
                          err))
            return false;
        if (n_weights != n)
            return error_set(err, ERROR_INVALID, "the document has %d weights for %d words",
                             n_weights, n);
    }
    for (int32_t k = 0; k < n; k++) {
        Str word = words->items[k]->type == JSON_STRING ? words->items[k]->text : STR("");
        if (dictionary_add(&dictionary, word) != k)
            return error_set(err, ERROR_INVALID, "the document has the word '%.*s' twice",
                             STR_ARG(word));
        Str name = arena_format(&arena, "%.*s_%.*s", STR_ARG(c->name), STR_ARG(word));
        if (!number_column(table, name, &out[k], err)) return false;
    }
    ARENA(scratch);
    for (int64_t i = 0; i < c->n_rows; i++) {
        char buffer[WORD_BYTES_MAX];
        Str word, text = column_text(c, i, &scratch);
        while (next_word(&text, buffer, &word)) {
            int32_t k = dictionary_find(&dictionary, word);
            if (k >= 0) out[k].f64[i]++;
        }
    }
    if (weights) weigh(out, n, c->n_rows, weights);
    return true;
}

static bool words_step_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    ARENA(arena);
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c;
        const Json *words;
        if (!step_column(step, table, step->columns[j], TYPE_BIT(COLUMN_CATEGORY), &c, err) ||
            !learned_words(step, c->name, &words, err))
            return false;
        if (words->n > WORDS_MAX)
            return error_set(err, ERROR_LIMIT, "%zu words, at most %d", words->n, WORDS_MAX);
        int32_t n = (int32_t)words->n;
        Column *out = arena_array(&arena, Column, n);
        if (!word_columns(step, table, c, words, out, err)) {
            for (int32_t k = 0; k < n; k++) column_clear(&out[k]);
            return false;
        }
        table_splice(table, (int32_t)(c - table->columns), 1, out, n);
    }
    return true;
}

const StepKind words_step = {
    .name = "words",
    .group = "Encoding",
    .summary = "a text becomes a column a word: how often it is there, or TF-IDF",
    .example = "words review by tf-idf n 200",
    .aliases = {{"tf-idf", "by tf-idf"}, {"count-words", "by count"}, {"TOKENIZATION", "by count"}},
    .takes = TYPE_BIT(COLUMN_CATEGORY),
    .words = {{.name = "by",
               .kind = WORD_CHOICE,
               .choices = by_names,
               .preset = "count",
               .help = "tf-idf: rare words weigh more, rows have length 1"},
              {.name = "n",
               .kind = WORD_NUMBER,
               .preset = "200",
               .min = 1,
               .max = WORDS_MAX,
               .help = "the most frequent words"}},
    .fit = words_step_fit,
    .apply = words_step_apply,
};
