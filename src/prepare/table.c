/* Frames that steps can change: one form, columns put in and taken out, rows chosen. */

#include "prepare/step.h"

#include "format/timestamp.h"
#include "format/utf8.h"

static const char what[] = "the table";

static bool text_to_categories(Frame *table, Column *c, Error *err)
{
    Dictionary words = DICTIONARY(&table->arena);
    c->codes = data_array(int32_t, c->n_rows, what, err);
    if (!c->codes) return false;
    for (int64_t i = 0; i < c->n_rows; i++) {
        Str text = {c->text + c->offsets[i], (size_t)(c->offsets[i + 1] - c->offsets[i])};
        c->codes[i] = column_is_valid(c, i) ? dictionary_add(&words, text) : -1;
    }
    data_free(c->text);
    data_free(c->offsets);
    c->text = NULL;
    c->offsets = NULL;
    c->categories = words.words;
    c->n_categories = words.n;
    c->type = COLUMN_CATEGORY;
    return true;
}

static bool to_doubles(Column *c, Error *err)
{
    if (!c->f64) {
        c->f64 = data_array(double, c->n_rows, what, err);
        if (!c->f64) return false;
        for (int64_t i = 0; i < c->n_rows; i++) c->f64[i] = (double)c->f32[i];
        data_free(c->f32);
        c->f32 = NULL;
    }
    for (int64_t i = 0; c->valid && i < c->n_rows; i++)
        if (!column_is_valid(c, i)) c->f64[i] = NAN;
    return true;
}

bool table_normalize(Frame *table, Error *err)
{
    for (int32_t j = 0; j < table->n_columns; j++) {
        Column *c = &table->columns[j];
        if (c->type == COLUMN_TEXT && !text_to_categories(table, c, err)) return false;
        if (c->type == COLUMN_NUMBER && !to_doubles(c, err)) return false;
        for (int64_t i = 0; c->type == COLUMN_CATEGORY && c->valid && i < c->n_rows; i++)
            if (!column_is_valid(c, i)) c->codes[i] = -1;
        if (c->type != COLUMN_NUMBER && c->type != COLUMN_CATEGORY) continue;
        data_free(c->valid);
        c->valid = NULL;
    }
    return true;
}

Cell cell_get(const Column *c, int64_t row)
{
    Cell cell = {0};
    switch (c->type) {
    case COLUMN_NUMBER: cell.number = c->f64[row]; break;
    case COLUMN_CATEGORY: cell.code = c->codes[row]; break;
    case COLUMN_TIME: cell.time_us = c->time_us[row]; break;
    default: cell.boolean = c->bools[row];
    }
    return cell;
}

void cell_set(Column *c, int64_t row, Cell cell)
{
    switch (c->type) {
    case COLUMN_NUMBER: c->f64[row] = cell.number; return;
    case COLUMN_CATEGORY: c->codes[row] = cell.code; return;
    case COLUMN_TIME: c->time_us[row] = cell.time_us; break;
    default: c->bools[row] = cell.boolean;
    }
    if (c->valid) c->valid[row >> 6] |= 1ull << (row & 63);
}

static int32_t word_code(Frame *table, Column *c, Str text)
{
    for (int32_t k = 0; k < c->n_categories; k++)
        if (str_eq(c->categories[k], text)) return k;
    c->categories = arena_grow(&table->arena, c->categories, (size_t)c->n_categories,
                               (size_t)c->n_categories + 1, sizeof(Str));
    c->categories[c->n_categories] = arena_str(&table->arena, text);
    return c->n_categories++;
}

bool cell_parse(Frame *table, Column *c, Str text, Cell *ret_cell, Error *err)
{
    Cell cell = {0};
    bool ok = true;
    switch (c->type) {
    case COLUMN_NUMBER: ok = str_to_double(text, &cell.number); break;
    case COLUMN_CATEGORY: cell.code = word_code(table, c, text); break;
    case COLUMN_TIME: ok = timestamp_parse(text, &cell.time_us); break;
    default:
        cell.boolean = str_eq_nocase(text, STR("true")) || str_is(text, "1");
        ok = cell.boolean || str_eq_nocase(text, STR("false")) || str_is(text, "0");
    }
    if (!ok)
        return error_set(err, ERROR_INVALID, "'%.*s' is no %s, as column '%.*s' holds",
                         STR_ARG(text), column_type_name(c->type), STR_ARG(c->name));
    *ret_cell = cell;
    return true;
}

void table_splice(Frame *table, int32_t at, int32_t n_remove, const Column *insert,
                  int32_t n_insert)
{
    int32_t n = table->n_columns - n_remove + n_insert, tail = table->n_columns - at - n_remove;
    for (int32_t j = at; j < at + n_remove; j++) column_clear(&table->columns[j]);
    if (n > table->n_columns)
        table->columns = arena_grow(&table->arena, table->columns, (size_t)table->n_columns,
                                    (size_t)n, sizeof(Column));
    memmove(table->columns + at + n_insert, table->columns + at + n_remove,
            (size_t)tail * sizeof(Column));
    if (n_insert) memcpy(table->columns + at, insert, (size_t)n_insert * sizeof(Column));
    table->n_columns = n;
}

void table_remove(Frame *table, int32_t at)
{
    table_splice(table, at, 1, NULL, 0);
}

static bool name_is_new(const Frame *table, Str name, Error *err)
{
    if (!frame_column(table, name)) return true;
    return error_set(err, ERROR_CONFLICT,
                     "there is a column '%.*s' already: rename or drop it first", STR_ARG(name));
}

bool number_column(Frame *table, Str name, Column *ret_column, Error *err)
{
    if (table->n_columns >= TABLE_COLUMNS_MAX)
        return error_set(err, ERROR_LIMIT, "the table would have more than %d columns",
                         TABLE_COLUMNS_MAX);
    if (!name_is_new(table, name, err)) return false;
    Column c = {.name = arena_str(&table->arena, name),
                .type = COLUMN_NUMBER,
                .n_rows = table->n_rows,
                .f64 = data_array(double, table->n_rows, what, err)};
    if (!c.f64) return false;
    *ret_column = c;
    return true;
}

/* ---- rows ---- */

/* One array: the kept rows close up in place, the others go to a new one. */
static bool keep_array(void *values, size_t size, int64_t n, const uint8_t *keep, int64_t n_rest,
                       bool rest, void **ret_rest, Error *err)
{
    char *from = values, *out = rest ? data_alloc((size_t)n_rest, size, what, err) : NULL;
    int64_t kept = 0, left = 0;
    if (!values) return data_free(out), true;
    if (rest && !out) return false;
    for (int64_t i = 0; i < n; i++) {
        if (keep[i])
            memmove(from + (size_t)kept++ * size, from + (size_t)i * size, size);
        else if (out)
            memcpy(out + (size_t)left++ * size, from + (size_t)i * size, size);
    }
    if (rest) *ret_rest = out;
    return true;
}

static bool keep_valid(Column *c, Column *rest, const uint8_t *keep, int64_t n_rest, Error *err)
{
    if (!c->valid) return true;
    if (rest && !(rest->valid = data_array(uint64_t, (n_rest + 63) / 64, what, err))) return false;
    int64_t kept = 0, left = 0;
    for (int64_t i = 0; i < c->n_rows; i++) {
        uint64_t bit = c->valid[i >> 6] >> (i & 63) & 1;
        if (keep[i]) {
            c->valid[kept >> 6] &= ~(1ull << (kept & 63));
            c->valid[kept >> 6] |= bit << (kept & 63);
            kept++;
        } else if (rest) {
            rest->valid[left >> 6] |= bit << (left & 63);
            left++;
        }
    }
    return true;
}

static bool keep_column(Column *c, Column *rest, const uint8_t *keep, int64_t n_kept, Error *err)
{
    int64_t n = c->n_rows, n_rest = n - n_kept;
    Column unused = {0}, *to = rest ? rest : &unused;
    bool r = rest != NULL;
    if (!keep_valid(c, rest, keep, n_rest, err) ||
        !keep_array(c->f64, sizeof(double), n, keep, n_rest, r, (void **)&to->f64, err) ||
        !keep_array(c->codes, sizeof(int32_t), n, keep, n_rest, r, (void **)&to->codes, err) ||
        !keep_array(c->time_us, sizeof(int64_t), n, keep, n_rest, r, (void **)&to->time_us, err) ||
        !keep_array(c->bools, sizeof(uint8_t), n, keep, n_rest, r, (void **)&to->bools, err))
        return false;
    c->n_rows = n_kept;
    if (rest) rest->n_rows = n_rest;
    return true;
}

static Str *words_copy(Arena *arena, const Column *c)
{
    Str *words = arena_array(arena, Str, c->n_categories);
    for (int32_t k = 0; k < c->n_categories; k++) words[k] = arena_str(arena, c->categories[k]);
    return words;
}

bool table_keep(Frame *table, const uint8_t *keep, Frame **ret_rest, Error *err)
{
    int64_t n_kept = 0;
    for (int64_t i = 0; i < table->n_rows; i++) n_kept += keep[i] != 0;
    AUTO(frame_free) Frame *rest = ret_rest ? frame_new(table->n_columns) : NULL;
    for (int32_t j = 0; j < table->n_columns; j++) {
        Column *c = &table->columns[j], *r = rest ? &rest->columns[j] : NULL;
        if (r) {
            *r = (Column){.name = arena_str(&rest->arena, c->name), .type = c->type};
            r->categories = words_copy(&rest->arena, c);
            r->n_categories = c->n_categories;
        }
        if (!keep_column(c, r, keep, n_kept, err)) return false;
    }
    if (rest) rest->n_rows = table->n_rows - n_kept;
    table->n_rows = n_kept;
    if (ret_rest) *ret_rest = STEAL(rest);
    return true;
}

static bool gather_array(void **values, size_t size, const int64_t *rows, int64_t n, Error *err)
{
    if (!*values) return true;
    char *out = data_alloc((size_t)n, size, what, err);
    if (!out) return false;
    for (int64_t i = 0; i < n; i++)
        memcpy(out + (size_t)i * size, (char *)*values + (size_t)rows[i] * size, size);
    data_free(*values);
    *values = out;
    return true;
}

static bool gather_valid(Column *c, const int64_t *rows, int64_t n, Error *err)
{
    if (!c->valid) return true;
    uint64_t *out = data_array(uint64_t, (n + 63) / 64, what, err);
    if (!out) return false;
    for (int64_t i = 0; i < n; i++)
        out[i >> 6] |= (c->valid[rows[i] >> 6] >> (rows[i] & 63) & 1) << (i & 63);
    data_free(c->valid);
    c->valid = out;
    return true;
}

bool table_gather(Frame *table, const int64_t *rows, int64_t n, Error *err)
{
    for (int32_t j = 0; j < table->n_columns; j++) {
        Column *c = &table->columns[j];
        if (!gather_valid(c, rows, n, err) ||
            !gather_array((void **)&c->f64, sizeof(double), rows, n, err) ||
            !gather_array((void **)&c->codes, sizeof(int32_t), rows, n, err) ||
            !gather_array((void **)&c->time_us, sizeof(int64_t), rows, n, err) ||
            !gather_array((void **)&c->bools, sizeof(uint8_t), rows, n, err))
            return false;
        c->n_rows = n;
    }
    table->n_rows = n;
    return true;
}

/* ---- levels ---- */

void levels_clear(Levels *levels)
{
    data_free(levels->codes);
    arena_clear(&levels->arena);
}

bool need_utf8(Str column, Str text, Error *err)
{
    if (utf8_check(text) == text.len && utf8_check(column) == column.len) return true;
    return error_set(err, ERROR_INVALID,
                     "column '%.*s' holds '%.*s', which is not UTF-8: convert the file first, as "
                     "with 'iconv -f latin1 -t utf-8'",
                     STR_ARG(column), STR_ARG(text));
}

/* A dictionary column knows its words: only those that occur count. */
static bool used_words(const Column *c, Dictionary *dictionary, int32_t *codes, Error *err)
{
    AUTO_DATA int32_t *code_of = data_array(int32_t, c->n_categories, what, err);
    if (!code_of) return false;
    for (int64_t i = 0; i < c->n_rows; i++) {
        int32_t code = c->codes[i];
        if (code >= 0 && !code_of[code])
            code_of[code] = dictionary_add(dictionary, c->categories[code]) + 1;
        codes[i] = code < 0 ? -1 : code_of[code] - 1;
    }
    return true;
}

static void printed_words(const Column *c, Dictionary *dictionary, int32_t *codes)
{
    ARENA(scratch);
    for (int64_t i = 0; i < c->n_rows; i++) {
        codes[i] = cell_missing(c, i) ? -1
                                      : dictionary_add(dictionary, column_text(c, i, &scratch));
        if (i % 4096 == 0) arena_clear(&scratch);
    }
}

bool levels_of(const Column *c, Levels *levels, Error *err)
{
    Dictionary dictionary = DICTIONARY(&levels->arena);
    levels->codes = data_array(int32_t, c->n_rows, what, err);
    if (!levels->codes) return false;
    if (c->type == COLUMN_CATEGORY) {
        if (!used_words(c, &dictionary, levels->codes, err)) return false;
    } else {
        printed_words(c, &dictionary, levels->codes);
    }
    levels->n = dictionary.n;
    levels->words = arena_array(&levels->arena, Str, dictionary.n);
    int32_t *order = arena_array(&levels->arena, int32_t, dictionary.n);
    int32_t *place = arena_array(&levels->arena, int32_t, dictionary.n);
    words_sort(dictionary.words, dictionary.n, order);
    for (int32_t k = 0; k < dictionary.n; k++) {
        if (!need_utf8(c->name, dictionary.words[k], err)) return false;
        levels->words[k] = dictionary.words[order[k]];
        place[order[k]] = k;
    }
    for (int64_t i = 0; i < c->n_rows; i++)
        if (levels->codes[i] >= 0) levels->codes[i] = place[levels->codes[i]];
    return true;
}

/* -2: the word is not known. */
static int32_t known(const Dictionary *dictionary, Str word)
{
    int32_t code = dictionary_find(dictionary, word);
    return code < 0 ? -2 : code;
}

bool codes_in(const Column *c, const Json *words, int32_t **ret_codes, Error *err)
{
    ARENA(arena);
    ARENA(scratch);
    Dictionary dictionary = DICTIONARY(&arena);
    AUTO_DATA int32_t *codes = data_array(int32_t, c->n_rows, what, err);
    if (!codes) return false;
    for (size_t k = 0; words && words->type == JSON_ARRAY && k < words->n; k++) {
        Str word = words->items[k]->type == JSON_STRING ? words->items[k]->text : STR("");
        if (dictionary_add(&dictionary, word) != (int32_t)k)
            return error_set(err, ERROR_INVALID, "the document has the word '%.*s' twice",
                             STR_ARG(word));
    }
    int32_t *code_of = arena_array(&arena, int32_t, c->n_categories);
    for (int32_t k = 0; k < c->n_categories; k++) code_of[k] = known(&dictionary, c->categories[k]);
    for (int64_t i = 0; i < c->n_rows; i++) {
        if (cell_missing(c, i))
            codes[i] = -1;
        else if (c->type == COLUMN_CATEGORY)
            codes[i] = code_of[c->codes[i]];
        else
            codes[i] = known(&dictionary, column_text(c, i, &scratch));
        if (i % 4096 == 0) arena_clear(&scratch);
    }
    *ret_codes = STEAL(codes);
    return true;
}

Json *json_of_words(Arena *arena, const Str *words, int32_t n)
{
    Json *array = json_new_array(arena);
    for (int32_t k = 0; k < n; k++)
        json_push(arena, array, json_new_text(arena, arena_str(arena, words[k])));
    return array;
}

Json *json_of_doubles(Arena *arena, const double *x, int64_t n)
{
    Json *array = json_new_array(arena);
    for (int64_t i = 0; i < n; i++) json_push(arena, array, json_new_double(arena, x[i]));
    return array;
}

bool json_doubles(const Json *array, Arena *arena, double **ret_x, int32_t *ret_n, Error *err)
{
    if (!array) return error_set(err, ERROR_INVALID, "the document lacks an array of numbers");
    double *x = arena_array(arena, double, array->n);
    for (size_t i = 0; i < array->n; i++) {
        const Json *item = json_at(array, i);
        if (item && item->type == JSON_NULL)
            x[i] = NAN;
        else if (!json_number_at(array, i, &x[i]))
            return error_set(err, ERROR_INVALID, "the document has no number where one belongs");
    }
    *ret_x = x;
    *ret_n = (int32_t)array->n;
    return true;
}
