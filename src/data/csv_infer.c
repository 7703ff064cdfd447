/* What kind of CSV is it?  Separator, header and the types of the columns, from the first rows. */

#include "data/csv_reader.h"
#include "format/timestamp.h"

#include <math.h>

enum { SAMPLE_BYTES = 256 << 10, SAMPLE_ROWS = 4096, LINES = 3 };

bool csv_is_missing_word(Str text)
{
    static const Str words[] = {STR_INIT("?"),    STR_INIT("na"),   STR_INIT("n/a"),
                                STR_INIT("nan"),  STR_INIT("null"), STR_INIT("none"),
                                STR_INIT("<na>"), STR_INIT("#n/a")};
    if (text.len == 0) return true;
    for (size_t i = 0; text.len <= 4 && i < COUNT(words); i++)
        if (str_eq_nocase(text, words[i])) return true;
    return false;
}

static inline uint32_t lower_4(const char *text)
{
    uint32_t word;
    memcpy(&word, text, sizeof word);
    return word | 0x20202020;
}

bool csv_bool_parse(Str text, uint8_t *ret_value)
{
    if (text.len == 4 && lower_4(text.ptr) == lower_4("true")) return *ret_value = 1, true;
    if (text.len == 5 && lower_4(text.ptr) == lower_4("fals") && (text.ptr[4] | 32) == 'e')
        return *ret_value = 0, true;
    return false;
}

/* Occurrences outside quotes in the line that begins at *at, which moves to the next line. */
static int64_t count_in_line(Str text, size_t *at, char wanted)
{
    int64_t n = 0;
    bool inside = false;
    for (; *at < text.len; (*at)++) {
        char c = text.ptr[*at];
        if (c == '"') inside = !inside;
        if (!inside && c == '\n') break;
        n += !inside && c == wanted;
    }
    *at = MIN(*at + 1, text.len);
    return n;
}

static bool all_numbers(Str line)
{
    Str rest = str_trim(line), part;
    double x;
    int n = 0;
    while (str_next(&rest, ' ', &part)) {
        if (!str_to_double(part, &x)) return false;
        n++;
    }
    return n > 1;
}

/* The candidate that most often occurs in the first line; one whose number changes in the
 * next lines counts for a quarter. */
static char find_separator(Str text)
{
    static const char candidates[] = {',', ';', '\t', '|'};
    text.len = MIN(text.len, (size_t)SAMPLE_BYTES);
    double best = 0;
    char separator = 0;
    for (size_t i = 0; i < sizeof candidates; i++) {
        size_t at = 0;
        double first = (double)count_in_line(text, &at, candidates[i]), score = first;
        for (int line = 1; line < LINES && at < text.len; line++)
            if ((double)count_in_line(text, &at, candidates[i]) != first && at < text.len)
                score = first / 4;
        if (score > best) {
            best = score;
            separator = candidates[i];
        }
    }
    if (separator) return separator;
    Str rest = text, line;
    return str_next_line(&rest, &line) && all_numbers(line) ? ' ' : ',';
}

typedef struct Guess {
    bool seen, number, time, boolean; /* of the fields that are not missing */
    bool any_typed;                   /* some field is no text */
    bool repeats, name_recurs;
    Str first;
} Guess;

typedef struct Sample {
    uint32_t *ends; /* of the row at hand; ends[-1] is there */
    char *buffer;
    size_t buffer_size;
    Guess *guesses;
    int32_t n;
    Arena arena;
} Sample;

static Str field_text(Sample *sample, Str text, size_t begin, size_t field, Arena *arena)
{
    size_t from = field ? (size_t)sample->ends[field - 1] + 1 : begin;
    Str raw = {text.ptr + from, sample->ends[field] - from};
    if (raw.len > sample->buffer_size) {
        sample->buffer = arena_alloc(&sample->arena, raw.len);
        sample->buffer_size = raw.len;
    }
    Str value = csv_field_text(raw, sample->buffer);
    return arena ? arena_str(arena, value) : value;
}

static bool is_number(Str text)
{
    float x;
    return text.len && csv_field_float(text, &x);
}

static bool is_number_or_missing(Str text)
{
    return is_number(text) || csv_is_missing_word(text);
}

/* Whether it is a number. */
static bool look_at(Guess *guess, Str name, Str value, Arena *arena)
{
    int64_t us;
    uint8_t bit;
    if (str_eq(name, value)) guess->name_recurs = true;
    if (csv_is_missing_word(value)) return false;
    if (!guess->seen) {
        guess->seen = guess->number = guess->time = guess->boolean = true;
        guess->first = arena_str(arena, value);
    } else if (str_eq(guess->first, value)) {
        guess->repeats = true;
    }
    bool number = is_number(value), time = timestamp_parse(value, &us),
         boolean = csv_bool_parse(value, &bit);
    guess->number = guess->number && number;
    guess->time = guess->time && time;
    guess->boolean = guess->boolean && boolean;
    guess->any_typed = guess->any_typed || number || time || boolean;
    return number;
}

/* A header has no number; and either something below is not text, or values recur there, but never
 * a name, and the names differ. */
static bool is_header(const Str *names, const Sample *sample, int64_t n_rows)
{
    bool typed = false, repeats = false, recurs = false;
    for (int32_t j = 0; j < sample->n; j++) {
        if (is_number_or_missing(names[j]) && names[j].len) return false;
        const Guess *guess = &sample->guesses[j];
        typed |= guess->any_typed && names[j].len;
        repeats |= guess->repeats;
        recurs |= guess->name_recurs;
    }
    int64_t us;
    uint8_t bit;
    for (int32_t j = 0; j < sample->n; j++)
        if (timestamp_parse(names[j], &us) || csv_bool_parse(names[j], &bit)) return false;
    if (typed || n_rows == 0) return true;
    if (recurs || !repeats) return false;
    Arena scratch = {0};
    Dictionary words = DICTIONARY(&scratch);
    for (int32_t j = 0; j < sample->n; j++) dictionary_add(&words, names[j]);
    bool distinct = words.n == sample->n;
    arena_clear(&scratch);
    return distinct;
}

/* No name at all becomes "f3", a second "a" becomes "a.1". */
static void make_names(CsvReader *reader, const Str *found)
{
    Arena *arena = &reader->arena;
    Dictionary words = DICTIONARY(arena);
    reader->names = arena_array(arena, Str, reader->n_columns);
    for (int32_t j = 0; j < reader->n_columns; j++) {
        Str name = reader->header ? found[j] : (Str){"", 0};
        if (name.len == 0) name = arena_format(arena, "f%d", j);
        Str base = name;
        for (int k = 1; dictionary_find(&words, name) >= 0; k++)
            name = arena_format(arena, "%.*s.%d", STR_ARG(base), k);
        dictionary_add(&words, name);
        reader->names[j] = name;
    }
}

static bool apply_options(CsvReader *reader, Error *err)
{
    const ReadOptions *options = reader->options;
    AUTO(frame_free) Frame *names = frame_new(reader->n_columns);
    for (int32_t j = 0; j < reader->n_columns; j++) names->columns[j].name = reader->names[j];
    int32_t j;
    for (j = 0; options->numeric && j < reader->n_columns; j++) {
        reader->columns[j].demanded = true;
        reader->columns[j].type = COLUMN_NUMBER;
    }
    for (int32_t i = 0; i < options->n_numbers; i++) {
        if (!frame_find(names, options->numbers[i], &j, err)) return false;
        reader->columns[j].demanded = true;
        reader->columns[j].type = COLUMN_NUMBER;
    }
    for (int32_t i = 0; i < options->n_categories; i++) {
        if (!frame_find(names, options->categories[i], &j, err)) return false;
        reader->columns[j].demanded = false;
        reader->columns[j].category_only = true;
        reader->columns[j].type = COLUMN_CATEGORY;
    }
    return true;
}

static bool bad_first_row(CsvRowStatus status, Error *err)
{
    if (status == CSV_ROW_UNFINISHED)
        return error_set(err, ERROR_LIMIT, "the first row is longer than %d MiB",
                         CSV_LINE_MAX >> 20);
    if (status == CSV_ROW_NUL)
        return error_set(err, ERROR_INVALID, "the first line has a zero byte: this is no CSV text");
    return error_set(
        err, ERROR_INVALID,
        "the first line has %s; a field with quotes in it is written as \"say \"\"hi\"\"\"",
        status == CSV_ROW_QUOTE_INSIDE  ? "a quote inside an unquoted field"
        : status == CSV_ROW_AFTER_QUOTE ? "text after a closing quote"
                                        : "a quote that is not closed");
}

static bool find_types(CsvReader *reader, Sample *sample, Str text, bool last, size_t *ret_begin,
                       Error *err)
{
    size_t begin = 0, next, n;
    CsvRowStatus status;
    do { /* blank lines before the first row */
        status = csv_scan_row(text, begin, reader->separator, last, sample->ends,
                              CSV_COLUMNS_MAX + 1, &n, &next);
        if (status != CSV_ROW_OK) return bad_first_row(status, err);
        Str line = str_trim(
            str_slice(text, begin, sample->ends[n ? MIN(n, (size_t)CSV_COLUMNS_MAX) - 1 : 0]));
        if (n > 1 || line.len) break;
        begin = next;
    } while (next < text.len);
    if (n > CSV_COLUMNS_MAX)
        return error_set(err, ERROR_LIMIT, "%zu columns, and the limit is %d", n, CSV_COLUMNS_MAX);
    if (begin >= text.len && last)
        return error_set(err, ERROR_INVALID, "it has no rows: only blank lines");

    sample->n = reader->n_columns = (int32_t)n;
    sample->guesses = arena_array(&sample->arena, Guess, n);
    Str *names = arena_array(&reader->arena, Str, n);
    for (size_t j = 0; j < n; j++) names[j] = field_text(sample, text, begin, j, &reader->arena);

    int64_t n_rows = 0;
    int64_t rows_max = reader->options->rows_max ? MIN(reader->options->rows_max, SAMPLE_ROWS)
                                                 : SAMPLE_ROWS;
    if (text.len - next > SAMPLE_BYTES) {
        text.len = next + SAMPLE_BYTES; /* a longer row says nothing */
        last = false;
    }
    for (size_t at = next; at < text.len && n_rows < rows_max;) {
        size_t row = at, n_fields;
        status = csv_scan_row(text, row, reader->separator, last, sample->ends, CSV_COLUMNS_MAX,
                              &n_fields, &at);
        if (status == CSV_ROW_UNFINISHED) break;
        if (status != CSV_ROW_OK || n_fields != n) continue;
        if (n == 1 && sample->ends[0] <= row) continue;
        for (size_t j = 0; j < n; j++) {
            Str value = field_text(sample, text, row, j, NULL);
            bool number = look_at(&sample->guesses[j], names[j], value, &sample->arena);
            size_t from = j ? (size_t)sample->ends[j - 1] + 1 : row;
            reader->loose |= number && (text.ptr[from] == '"' || text.ptr[from] == ' ');
        }
        n_rows++;
    }

    bool header = is_header(names, sample, n_rows);
    reader->header = reader->options->header == HEADER_YES ||
                     (reader->options->header == HEADER_AUTO && header);
    reader->header_doubt = header && !reader->header;
    make_names(reader, names);
    *ret_begin = begin;
    if (reader->header) {
        reader->header_line = arena_str(&reader->arena, str_slice(text, begin, next));
        *ret_begin = next;
    }
    reader->columns = arena_array(&reader->arena, CsvColumn, n);
    for (size_t j = 0; j < n; j++) {
        Guess guess = sample->guesses[j];
        if (!reader->header) look_at(&guess, (Str){"", 0}, names[j], &sample->arena);
        reader->columns[j].type = !guess.seen || guess.number ? COLUMN_NUMBER
                                  : guess.time                ? COLUMN_TIME
                                  : guess.boolean             ? COLUMN_BOOL
                                                              : COLUMN_CATEGORY;
    }
    return apply_options(reader, err);
}

bool csv_infer(CsvReader *reader, Str text, bool last, size_t *ret_begin, Error *err)
{
    reader->separator = reader->options->separator ? reader->options->separator
                                                   : find_separator(text);
    Sample sample = {0};
    uint32_t *ends = data_array(uint32_t, CSV_COLUMNS_MAX + 2, "the first rows", err);
    if (!ends) return false;
    sample.ends = ends + 1;
    bool ok = find_types(reader, &sample, text, last, ret_begin, err);
    data_free(ends);
    arena_clear(&sample.arena);
    return ok;
}
