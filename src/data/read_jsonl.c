/* JSON Lines: an object a line (its members are columns by name) or an array a line (f0, f1, ...).
 *
 * A file that is one array of such values is read too.  The columns of a member that is itself an
 * array of numbers are f0, f1, ... for "features", else NAME_0, NAME_1, ...  A member that a row
 * does not have is missing there, as is null.
 *
 * A column holds numbers, bools or texts until the first value of another kind comes: numbers and
 * bools together are numbers, and with texts among them everything is text. */

#include "data/readers.h"

#include "base/memory.h"
#include "data/dictionary.h"
#include "data/problems.h"
#include "format/json.h"
#include "format/number.h"
#include "format/timestamp.h"

#include <math.h>
#include <stdio.h>

enum { BAD_TEXT = 300, PREFIX_MAX = 100 };
#define DOCUMENT_BYTES_MAX ((size_t)2 << 30)

typedef struct JsonColumn {
    Str name;
    int64_t
        filled; /* rows that are set; what a row leaves out is filled in when the next value comes */
    bool any_number, any_bool;
    double *numbers; /* NaN where there is none */
    int32_t *codes;  /* -1 where there is none */
    Dictionary words;
} JsonColumn;

typedef struct JsonTable {
    Arena arena;
    const ReadOptions *options;
    ReadReport *report;
    JsonColumn *columns;
    Dictionary names;
    int32_t n_columns_allocated;
    int64_t n_rows, capacity; /* of all columns' arrays */
    int32_t n_in_row;         /* members of this row so far: the next is likely that column */
    int32_t array_width;      /* of rows that are arrays; -1: none seen */
    char why[BAD_TEXT];       /* what is wrong with the row */
    Problems problems;
} JsonTable;

/* ---- columns ---- */

static bool grow_array(void *place, int64_t n_old, int64_t n, size_t size, Error *err)
{
    void *array, *grown;
    memcpy(&array, place, sizeof array);
    if (!array) return true;
    grown = data_grow(array, (size_t)n_old, (size_t)n, size, "a column", err);
    if (!grown) return false;
    memcpy(place, &grown, sizeof grown);
    return true;
}

static bool grow_rows(JsonTable *table, Error *err)
{
    if (table->n_rows < table->capacity) return true;
    int64_t capacity = MAX((int64_t)1024, table->capacity * 2);
    for (int32_t j = 0; j < table->names.n; j++) {
        JsonColumn *column = &table->columns[j];
        if (!grow_array(&column->numbers, table->capacity, capacity, sizeof(double), err) ||
            !grow_array(&column->codes, table->capacity, capacity, sizeof(int32_t), err))
            return false;
    }
    table->capacity = capacity;
    return true;
}

/* The column of a name; NULL (with table->why) beyond the limit. */
static JsonColumn *column_of(JsonTable *table, Str name)
{
    int32_t likely = table->n_in_row, j;
    if (likely < table->names.n && str_eq(table->names.words[likely], name))
        j = likely;
    else if ((j = dictionary_find(&table->names, name)) < 0) {
        if (table->names.n == COLUMNS_MAX) {
            snprintf(table->why, BAD_TEXT, "more than %d columns", COLUMNS_MAX);
            return NULL;
        }
        j = dictionary_add(&table->names, name);
        if (j == table->n_columns_allocated) {
            int32_t n = MAX(16, 2 * j);
            table->columns = arena_grow(&table->arena, table->columns, (size_t)j, (size_t)n,
                                        sizeof(JsonColumn));
            table->n_columns_allocated = n;
        }
        table->columns[j] = (JsonColumn){.name = table->names.words[j],
                                         .words = DICTIONARY(&table->arena)};
    }
    table->n_in_row = j + 1;
    return &table->columns[j];
}

static void fill_up(JsonColumn *column, int64_t row)
{
    for (int64_t i = column->filled; i < row; i++) {
        if (column->numbers) column->numbers[i] = NAN;
        if (column->codes) column->codes[i] = -1;
    }
    column->filled = MAX(column->filled, row);
}

static bool set_number(JsonTable *table, JsonColumn *column, double x, bool is_bool, Error *err)
{
    int64_t row = table->n_rows;
    if (!column->numbers) {
        column->numbers = data_array(double, table->capacity, "a column", err);
        if (!column->numbers) return false;
        for (int64_t i = 0; i < column->filled; i++) column->numbers[i] = NAN;
    }
    fill_up(column, row);
    column->numbers[row] = x;
    if (column->codes) column->codes[row] = -1;
    column->filled = row + 1;
    *(is_bool ? &column->any_bool : &column->any_number) = true;
    return true;
}

static bool set_text(JsonTable *table, JsonColumn *column, Str text, Error *err)
{
    int64_t row = table->n_rows;
    if (!column->codes) {
        column->codes = data_array(int32_t, table->capacity, "a column", err);
        if (!column->codes) return false;
        for (int64_t i = 0; i < column->filled; i++) column->codes[i] = -1;
    }
    fill_up(column, row);
    column->codes[row] = dictionary_add(&column->words, text);
    if (column->numbers) column->numbers[row] = NAN;
    column->filled = row + 1;
    return true;
}

static void set_missing(JsonTable *table, JsonColumn *column)
{
    fill_up(column, table->n_rows);
    column->filled = table->n_rows; /* a repeated member: the last counts */
    fill_up(column, table->n_rows + 1);
}

/* ---- rows ---- */

/* Numbers are kept as double; a float32 column must be as if it were read as float at once. */
static double number_of(const JsonTable *table, const JsonReader *reader)
{
    return table->options->f64 ? json_reader_number(reader) : (double)json_reader_float(reader);
}

static bool wrong(JsonTable *table, const char *what, Str name)
{
    snprintf(table->why, BAD_TEXT, "member '%.*s' is %s", (int)MIN(name.len, (size_t)60), name.ptr,
             what);
    return false;
}

/* A value that is no array goes to its column.  False: table->why, or err when memory ran out. */
static bool set_value(JsonTable *table, JsonColumn *column, JsonReader *reader, JsonToken token,
                      Error *err)
{
    ARENA(scratch);
    switch (token) {
    case JSON_TOKEN_NULL: set_missing(table, column); return true;
    case JSON_TOKEN_BOOL: return set_number(table, column, reader->boolean, true, err);
    case JSON_TOKEN_NUMBER: return set_number(table, column, number_of(table, reader), false, err);
    case JSON_TOKEN_STRING:
        if (table->options->numeric)
            return wrong(table, "a text, and only numbers are read here", column->name);
        return set_text(table, column, json_reader_string(reader, &scratch), err);
    case JSON_TOKEN_OBJECT_BEGIN:
        return wrong(table, "an object; only numbers, texts and arrays of numbers can be read",
                     column->name);
    case JSON_TOKEN_ARRAY_BEGIN: return wrong(table, "an array within an array", column->name);
    default:
        snprintf(table->why, BAD_TEXT, "%s", reader->reason ? reader->reason : "it ends too early");
        return false;
    }
}

/* PREFIXn in the buffer. */
static Str element_name(char *buffer, Str prefix, int32_t n)
{
    char digits[12];
    size_t len = MIN(prefix.len, (size_t)PREFIX_MAX), at = sizeof digits;
    memcpy(buffer, prefix.ptr, len);
    do {
        digits[--at] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    memcpy(buffer + len, digits + at, sizeof digits - at);
    return (Str){buffer, len + sizeof digits - at};
}

/* The elements of an array whose '[' was read; they become columns PREFIXn. */
static bool read_array(JsonTable *table, JsonReader *reader, Str prefix, int32_t *ret_n, Error *err)
{
    int32_t n = 0;
    UNINITIALIZED char name[PREFIX_MAX + 16];
    for (;; n++) {
        JsonToken token = json_next(reader);
        if (token == JSON_TOKEN_ARRAY_END) break;
        JsonColumn *column = column_of(table, element_name(name, prefix, n));
        if (!column || !set_value(table, column, reader, token, err)) return false;
    }
    *ret_n = n;
    return true;
}

static bool read_object(JsonTable *table, JsonReader *reader, Error *err)
{
    ARENA(scratch);
    for (;;) {
        JsonToken token = json_next(reader);
        if (token == JSON_TOKEN_OBJECT_END) return true;
        if (token != JSON_TOKEN_NAME) {
            snprintf(table->why, BAD_TEXT, "%s",
                     reader->reason ? reader->reason : "it ends too early");
            return false;
        }
        Str name = json_reader_string(reader, &scratch);
        token = json_next(reader);
        if (token == JSON_TOKEN_ARRAY_BEGIN) {
            int32_t n;
            Str prefix = str_is(name, "features")
                             ? STR("f")
                             : arena_format(&scratch, "%.*s_", (int)MIN(name.len, (size_t)99),
                                            name.ptr);
            if (!read_array(table, reader, prefix, &n, err)) return false;
            continue;
        }
        JsonColumn *column = column_of(table, name);
        if (!column || !set_value(table, column, reader, token, err)) return false;
    }
}

/* One row from the reader, whose first token was read.  False with an empty err: table->why. */
static bool read_row(JsonTable *table, JsonReader *reader, JsonToken token, Error *err)
{
    table->n_in_row = 0;
    if (token == JSON_TOKEN_OBJECT_BEGIN) return read_object(table, reader, err);
    if (token != JSON_TOKEN_ARRAY_BEGIN) {
        snprintf(table->why, BAD_TEXT, "%s",
                 reader->reason ? reader->reason
                                : "a row must be an object {...} or an array [...]");
        return false;
    }
    int32_t n;
    if (!read_array(table, reader, STR("f"), &n, err)) return false;
    if (table->array_width < 0) table->array_width = n;
    if (n == table->array_width) return true;
    snprintf(table->why, BAD_TEXT, "%d values, the first row has %d", n, table->array_width);
    return false;
}

/* Takes back what a bad row has set, or counts a good one. */
static bool end_row(JsonTable *table, bool good, const char *unit, int64_t number, const char *file,
                    Error *err)
{
    if (good) {
        table->n_rows++;
        return true;
    }
    for (int32_t j = 0; j < table->names.n; j++)
        table->columns[j].filled = MIN(table->columns[j].filled, table->n_rows);
    if (err->kind) return false;
    if (!table->options->skip_bad_rows) {
        problems_add(&table->problems, "%s %lld of '%s': %s", unit, (long long)number, file,
                     table->why);
    } else {
        if (table->report->n_skipped == 0)
            snprintf(table->report->first_skipped, sizeof table->report->first_skipped,
                     "%s %lld of '%s': %s", unit, (long long)number, file, table->why);
        table->report->n_skipped++;
    }
    return true;
}

static bool is_full(const JsonTable *table)
{
    return table->options->rows_max && table->n_rows >= table->options->rows_max;
}

static bool read_line(JsonTable *table, Str line, int64_t number, const char *file, Error *err)
{
    JsonReader reader;
    if (!grow_rows(table, err)) return false;
    json_reader_init(&reader, line);
    reader.non_finite = true;
    bool good = read_row(table, &reader, json_next(&reader), err);
    if (good && json_next(&reader) != JSON_TOKEN_END) {
        snprintf(table->why, BAD_TEXT, "something follows the row on its line");
        good = false;
    }
    return end_row(table, good, "line", number, file, err);
}

static bool read_lines(JsonTable *table, Str text, int64_t *n_lines, const char *file, Error *err)
{
    Str line;
    while (!is_full(table) && str_next_line(&text, &line)) {
        ++*n_lines;
        if (line.len > LINE_BYTES_MAX)
            return error_set(err, ERROR_LIMIT, "reading '%s': line %lld has more than %d bytes",
                             file, (long long)*n_lines, LINE_BYTES_MAX);
        line = str_trim(line);
        if (line.len && !read_line(table, line, *n_lines, file, err)) return false;
    }
    return true;
}

/* A text that is one array of rows. */
static bool read_document(JsonTable *table, Str text, const char *file, Error *err)
{
    JsonReader reader;
    json_reader_init(&reader, text);
    reader.non_finite = true;
    json_next(&reader);
    for (int64_t number = 1; !is_full(table); number++) {
        if (!grow_rows(table, err)) return false;
        JsonToken token = json_next(&reader);
        if (token == JSON_TOKEN_ARRAY_END) {
            if (json_next(&reader) == JSON_TOKEN_END) return true;
            return error_set(err, ERROR_INVALID, "reading '%s': something follows the array", file);
        }
        int depth = reader.depth - 1;
        bool good = read_row(table, &reader, token, err);
        if (!end_row(table, good, "row", number, file, err)) return false;
        if (good) continue;
        while (reader.depth > depth && json_next(&reader) != JSON_TOKEN_ERROR)
            continue; /* to the row's end */
        if (reader.reason) {
            json_reader_error(&reader, err);
            return error_in(err, "reading '%s': row %lld", file, (long long)number);
        }
    }
    return true;
}

/* "[" and then another row: one array of rows, not a row of numbers.  Undecided while there are
 * only blanks. */
typedef enum Layout { LAYOUT_UNDECIDED, LAYOUT_LINES, LAYOUT_DOCUMENT } Layout;

static Layout layout_of(Str text)
{
    text = str_trim(text);
    if (!text.len) return LAYOUT_UNDECIDED;
    if (text.ptr[0] != '[') return LAYOUT_LINES;
    text = str_trim(str_from(text, 1));
    if (!text.len) return LAYOUT_UNDECIDED;
    return text.ptr[0] == '{' || text.ptr[0] == '[' || text.ptr[0] == ']' ? LAYOUT_DOCUMENT
                                                                          : LAYOUT_LINES;
}

static bool read_all(JsonTable *table, Source *source, Error *err)
{
    SourceBlock block = {0};
    Layout layout = LAYOUT_UNDECIDED;
    int64_t n_lines = 0;
    for (size_t keep = 0; !is_full(table);) {
        if (!source_next(source, keep, &block, err)) return false;
        if (!block.name) break;
        if (block.first) {
            n_lines = 0;
            layout = LAYOUT_UNDECIDED;
        }
        Str text = block.bytes;
        if (layout == LAYOUT_UNDECIDED) layout = layout_of(text);
        if (layout == LAYOUT_DOCUMENT || (layout == LAYOUT_UNDECIDED && !block.last)) {
            if (text.len > DOCUMENT_BYTES_MAX)
                return error_set(
                    err, ERROR_LIMIT,
                    "reading '%s': one array of more than %zu bytes; write a row a line instead",
                    block.name, DOCUMENT_BYTES_MAX);
            keep = block.last ? 0 : text.len;
            if (block.last && !read_document(table, text, block.name, err)) return false;
            continue;
        }
        if (!block.last) {
            const char *newline = text.len ? memrchr(text.ptr, '\n', text.len) : NULL;
            text.len = newline ? (size_t)(newline - text.ptr) + 1 : 0;
        }
        if (!read_lines(table, text, &n_lines, block.name, err)) return false;
        keep = block.last ? 0 : block.bytes.len - text.len;
        if (keep > LINE_BYTES_MAX)
            return error_set(err, ERROR_LIMIT, "reading '%s': line %lld has more than %d bytes",
                             block.name, (long long)n_lines + 1, LINE_BYTES_MAX);
    }
    return !table->problems.n || problems_error(&table->problems, err);
}

/* ---- to a frame ---- */

static bool is_named(const Str *names, int32_t n, Str name, int32_t position)
{
    for (int32_t i = 0; i < n; i++) {
        int64_t number;
        if (str_eq(names[i], name) || (str_to_int64(names[i], &number) && number == position))
            return true;
    }
    return false;
}

/* Numbers among texts become texts. */
static bool numbers_to_words(JsonTable *table, JsonColumn *column, Error *err)
{
    if (!column->numbers) return true;
    if (!column->codes) {
        column->codes = data_array(int32_t, table->capacity, "a column", err);
        if (!column->codes) return false;
        for (int64_t i = 0; i < table->n_rows; i++) column->codes[i] = -1;
    }
    for (int64_t i = 0; i < table->n_rows; i++) {
        double x = column->numbers[i];
        if (isnan(x)) continue;
        char text[NUMBER_TEXT_MAX];
        Str word = x != 0 ? STR("true") : STR("false");
        if (column->any_number)
            word = (Str){text, table->options->f64 ? number_print_double(x, text)
                                                   : number_print_float((float)x, text)};
        column->codes[i] = dictionary_add(&column->words, word);
    }
    return true;
}

/* Texts that must be numbers. */
static bool words_to_numbers(JsonTable *table, JsonColumn *column, Error *err)
{
    if (!column->codes) return true;
    if (!column->numbers) {
        column->numbers = data_array(double, table->capacity, "a column", err);
        if (!column->numbers) return false;
        for (int64_t i = 0; i < table->n_rows; i++) column->numbers[i] = NAN;
    }
    Problems problems = {0};
    for (int64_t i = 0; i < table->n_rows; i++) {
        if (column->codes[i] < 0) continue;
        Str word = str_trim(column->words.words[column->codes[i]]);
        float x = NAN;
        const char *end = word.ptr + word.len;
        const char *stop = table->options->f64
                               ? number_parse_double(word.ptr, end, &column->numbers[i])
                               : number_parse_float(word.ptr, end, &x);
        if (!table->options->f64) column->numbers[i] = (double)x;
        if (word.len && stop != end)
            problems_add(&problems, "row %lld: '%.*s' is no number", (long long)i + 1,
                         (int)MIN(word.len, (size_t)60), word.ptr);
        if (!word.len) column->numbers[i] = NAN;
    }
    if (problems.n) {
        problems_error(&problems, err);
        return error_in(err, "column '%.*s'", STR_ARG(column->name));
    }
    data_free(STEAL(column->codes));
    return true;
}

static bool take_numbers(JsonTable *table, JsonColumn *from, Column *to, Error *err)
{
    to->type = COLUMN_NUMBER;
    if (table->options->f64) {
        to->f64 = from->numbers ? STEAL(from->numbers)
                                : data_array(double, table->n_rows, "a column", err);
        if (!to->f64) return false;
    } else {
        to->f32 = data_array(float, table->n_rows, "a column", err);
        if (!to->f32) return false;
    }
    for (int64_t i = 0; i < table->n_rows; i++) {
        double x = to->f64 ? to->f64[i] : from->numbers ? from->numbers[i] : NAN;
        if (to->f32) to->f32[i] = (float)x;
    }
    return true;
}

static bool take_bools(JsonTable *table, const JsonColumn *from, Column *to, Error *err)
{
    to->type = COLUMN_BOOL;
    to->bools = data_array(uint8_t, table->n_rows, "a column", err);
    if (!to->bools) return false;
    for (int64_t i = 0; i < table->n_rows; i++) to->bools[i] = from->numbers[i] == 1;
    return true;
}

/* Texts that are all times become a column of times. */
static bool words_to_times(const JsonTable *table, JsonColumn *from, Column *to, Error *err)
{
    ARENA(scratch);
    int64_t *times = arena_array(&scratch, int64_t, from->words.n);
    for (int32_t c = 0; c < from->words.n; c++)
        if (!timestamp_parse(from->words.words[c], &times[c])) return true;
    to->time_us = data_array(int64_t, table->n_rows, "a column", err);
    if (!to->time_us) return false;
    to->type = COLUMN_TIME;
    for (int64_t i = 0; i < table->n_rows; i++)
        if (from->codes[i] >= 0) to->time_us[i] = times[from->codes[i]];
    return true;
}

static bool mark_missing(Column *column, const JsonColumn *from, Error *err)
{
    for (int64_t i = 0; i < column->n_rows; i++) {
        bool missing = column->codes     ? column->codes[i] < 0
                       : column->time_us ? from->codes[i] < 0
                       : column->f32     ? isnan(column->f32[i])
                       : column->f64     ? isnan(column->f64[i])
                                         : isnan(from->numbers[i]);
        if (!missing) continue;
        if (!column->valid) {
            size_t n_words = (size_t)(column->n_rows + 63) / 64;
            column->valid = data_array(uint64_t, n_words, "a column", err);
            if (!column->valid) return false;
            memset(column->valid, 0xff, n_words * sizeof(uint64_t));
        }
        column->valid[i >> 6] &= ~((uint64_t)1 << (i & 63));
        column->n_missing++;
    }
    return true;
}

static bool finish_column(JsonTable *table, JsonColumn *from, int32_t position, Frame *frame,
                          Column *to, Error *err)
{
    const ReadOptions *options = table->options;
    bool category = is_named(options->categories, options->n_categories, from->name, position);
    bool only_words = from->codes && !from->numbers;
    fill_up(from, table->n_rows);
    *to = (Column){.name = arena_str(&frame->arena, from->name), .n_rows = table->n_rows};
    if (is_named(options->numbers, options->n_numbers, from->name, position)) {
        if (!words_to_numbers(table, from, err)) return false;
    } else if (from->codes || category) {
        if (!numbers_to_words(table, from, err)) return false;
    }
    if (only_words && from->codes && !category && !words_to_times(table, from, to, err))
        return false;
    if (to->time_us) return mark_missing(to, from, err);
    if (from->codes) {
        to->codes = STEAL(from->codes);
        return mark_missing(to, from, err) &&
               column_take_words(frame, to, &from->words, category, err);
    }
    bool bools = from->any_bool && !from->any_number;
    bool ok = bools ? take_bools(table, from, to, err) : take_numbers(table, from, to, err);
    return ok && mark_missing(to, from, err);
}

static bool to_frame(JsonTable *table, Frame **ret_frame, Error *err)
{
    AUTO(frame_free) Frame *frame = frame_new(table->names.n);
    frame->n_rows = table->n_rows;
    for (int32_t j = 0; j < table->names.n; j++) {
        JsonColumn *from = &table->columns[j];
        if (!finish_column(table, from, j, frame, &frame->columns[j], err)) return false;
        data_free(STEAL(from->numbers));
        data_free(STEAL(from->codes));
    }
    *ret_frame = STEAL(frame);
    return true;
}

bool frame_read_jsonl(Source *source, const ReadOptions *options, Pool *pool, Frame **ret_frame,
                      ReadReport *report, Error *err)
{
    (void)pool;
    JsonTable table = {.options = options, .report = report, .array_width = -1};
    table.names = (Dictionary)DICTIONARY(&table.arena);
    Error deep = {0}; /* empty while only the data is to blame */
    bool ok = read_all(&table, source, &deep) && to_frame(&table, ret_frame, &deep);
    if (!ok) *err = deep;
    for (int32_t j = 0; j < table.names.n; j++) {
        data_free(table.columns[j].numbers);
        data_free(table.columns[j].codes);
    }
    arena_clear(&table.arena);
    return ok;
}
