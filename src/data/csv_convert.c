/* Fields into columns.
 *
 * Numbers are converted row by row into a tile that stays in the cache and turned into columns from there:
 * neighbors in a row lie next to each other in the text, and their ends in the index. */

#include "data/csv_reader.h"
#include "format/timestamp.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>

enum {
    TILE_FIELDS = 4096,
    TILE_ROWS_MAX = 256,
    SCRATCH_BYTES = 8 + 4 + 4 + 4 + 8, /* of a field: value, odd, begin, end, and of a column */
    WORDS_FREE = 4096, /* so many different words are always tolerated while reading ... */
    WORDS_SHARE = 2,   /* ... and then one in so many rows */
    CATEGORIES_FREE = 256,
    CATEGORIES_SHARE = 20,
};

void csv_fail(CsvReader *reader, const Error *err)
{
    if (__atomic_exchange_n(&reader->failing, 1, __ATOMIC_ACQ_REL)) return;
    *reader->err = *err;
    __atomic_store_n(&reader->failed, true, __ATOMIC_RELEASE);
}

void csv_add_place(CsvPlaces *places, int64_t source_row, const char *format, ...)
{
    if (places->n >= PROBLEMS_SHOWN) {
        places->n++;
        return;
    }
    va_list args;
    va_start(args, format);
    vsnprintf(places->texts[places->n], sizeof places->texts[0], format, args);
    va_end(args);
    places->rows[places->n++] = source_row;
}

const char *csv_place(const CsvReader *reader, int64_t source_row, char buffer[static 256])
{
    if (source_n_files(reader->source) > 1)
        snprintf(buffer, 256, "'%s' row %lld", reader->file_name, (long long)source_row);
    else
        snprintf(buffer, 256, "row %lld", (long long)source_row);
    return buffer;
}

/* ---- room for rows ---- */

static bool grow(void *place, int64_t n_old, int64_t n, size_t size, Error *err)
{
    void *array, *grown;
    memcpy(&array, place, sizeof array);
    grown = data_grow(array, (size_t)n_old, (size_t)n, size, "a column", err);
    if (!grown) return false;
    memcpy(place, &grown, sizeof grown);
    return true;
}

static bool resize_column(Column *column, bool f64, int64_t n_old, int64_t n, Error *err)
{
    switch (column->type) {
    case COLUMN_NUMBER:
        return f64 ? grow(&column->f64, n_old, n, sizeof(double), err)
                   : grow(&column->f32, n_old, n, sizeof(float), err);
    case COLUMN_CATEGORY: return grow(&column->codes, n_old, n, sizeof(int32_t), err);
    case COLUMN_TEXT: return grow(&column->offsets, n_old + 1, n + 1, sizeof(int64_t), err);
    case COLUMN_TIME: return grow(&column->time_us, n_old, n, sizeof(int64_t), err);
    case COLUMN_BOOL: return grow(&column->bools, n_old, n, 1, err);
    }
    return true;
}

bool csv_reserve_rows(CsvReader *reader, int64_t n_rows, Error *err)
{
    if (n_rows <= reader->capacity) return true;
    int64_t n = n_rows + n_rows / 2;
    if (reader->bytes_total &&
        reader->bytes_read) { /* by what the rows so far took, and a little */
        double whole = (double)n_rows * (double)reader->bytes_total / (double)reader->bytes_read;
        n = MAX(n_rows + 64, (int64_t)(whole * 1.005) + 64);
    }
    for (int32_t j = 0; j < reader->n_columns; j++)
        if (!resize_column(&reader->frame->columns[j], reader->options->f64, reader->n_rows, n,
                           err))
            return false;
    reader->capacity = n;
    return true;
}

/* ---- numbers ---- */

typedef struct Tile {
    const uint32_t *begins, *ends;
    uint32_t add;
    char *values; /* float or double, row by row */
    uint32_t *odd;
    float **columns;                 /* where the tile's part of each begins */
    int64_t n_rows, row, source_row; /* of the frame, of the file */
} Tile;

static bool bad_row(CsvReader *reader, CsvPiece *piece, int64_t row)
{
    if (piece->n_bad && piece->bad_rows && piece->bad_rows[piece->n_bad - 1] == row) return true;
    if (reader->options->skip_bad_rows) {
        if (piece->n_bad == piece->bad_capacity) {
            int64_t capacity = MAX(2 * piece->bad_capacity, 64);
            Error err;
            if (!grow(&piece->bad_rows, piece->n_bad, capacity, sizeof(int64_t), &err)) {
                csv_fail(reader, &err);
                return false;
            }
            piece->bad_capacity = capacity;
        }
        piece->bad_rows[piece->n_bad++] = row;
    }
    return true;
}

static void add_bad_value(CsvReader *reader, CsvPiece *piece, int32_t column, Str field,
                          const Tile *tile, int64_t row)
{
    char where[256], shown[CSV_SHOWN_MAX], name[CSV_SHOWN_MAX];
    Str value = field;
    int64_t source_row = tile->source_row + row + 1;
    if (piece->wrong_values.n >= PROBLEMS_SHOWN)
        piece->wrong_values.n++;
    else
        csv_add_place(&piece->wrong_values, source_row, "%s, column '%s': '%s' is not a number",
                      csv_place(reader, source_row, where), csv_shown(reader->names[column], name),
                      csv_shown(str_trim(value), shown));
    bad_row(reader, piece, tile->row + row);
}

/* A field that the vector code left.  Sets NaN where there is no number. */
static double odd_value(CsvReader *reader, CsvPiece *piece, const Tile *tile, uint32_t at,
                        float *ret_float)
{
    uint32_t begin = tile->begins[at] + tile->add;
    Str field = {piece->text.ptr + begin, tile->ends[at] - begin};
    double wide = (double)NAN;
    bool ok = reader->options->f64 ? csv_field_double(field, &wide)
                                   : csv_field_float(field, ret_float);
    if (ok) return wide;
    *ret_float = NAN;
    int32_t column = reader->numbers[at % (uint32_t)reader->n_numbers];
    const CsvColumn *info = &reader->columns[column];
    if (!info->demanded) {
        char buffer[8];
        if (field.len > 8 || !csv_is_missing_word(csv_field_text(field, buffer)))
            piece->contradicted[column] = 1;
    } else {
        add_bad_value(reader, piece, column, field, tile, at / (uint32_t)reader->n_numbers);
    }
    return wide;
}

static void columns_of_floats(CsvReader *reader, CsvPiece *piece, const Tile *tile,
                              bool any_missing)
{
    for (int32_t k = 0; k < reader->n_numbers; k++)
        tile->columns[k] = reader->frame->columns[reader->numbers[k]].f32 + tile->row;
    csv_turn_floats((const float *)(const void *)tile->values, (size_t)tile->n_rows,
                    (size_t)reader->n_numbers, tile->columns);
    for (int32_t k = 0; any_missing && k < reader->n_numbers; k++) {
        const float *column = tile->columns[k];
        int64_t missing = 0;
        for (int64_t r = 0; r < tile->n_rows; r++) missing += isnan(column[r]) != 0;
        piece->n_missing[reader->numbers[k]] += missing;
    }
}

static void columns_of_doubles(CsvReader *reader, CsvPiece *piece, const Tile *tile,
                               bool any_missing)
{
    int32_t n = reader->n_numbers;
    const double *values = (const double *)(const void *)tile->values;
    for (int32_t k = 0; k < n; k++) {
        double *to = reader->frame->columns[reader->numbers[k]].f64 + tile->row;
        const double *from = values + k;
        for (int64_t r = 0; r < tile->n_rows; r++) to[r] = from[r * n];
        if (any_missing) {
            int64_t missing = 0;
            for (int64_t r = 0; r < tile->n_rows; r++) missing += isnan(to[r]) != 0;
            piece->n_missing[reader->numbers[k]] += missing;
        }
    }
}

static void convert_tile(CsvReader *reader, CsvPiece *piece, Tile *tile)
{
    size_t n = (size_t)tile->n_rows * (size_t)reader->n_numbers, n_odd;
    bool missing, f64 = reader->options->f64;
    float *floats = (float *)(void *)tile->values;
    double *doubles = (double *)(void *)tile->values;
    if (f64)
        missing = csv_doubles(piece->text.ptr, tile->begins, tile->add, tile->ends, n, doubles,
                              tile->odd, &n_odd);
    else
        missing = csv_floats(piece->text.ptr, tile->begins, tile->add, tile->ends, n, floats,
                             tile->odd, &n_odd);
    for (size_t i = 0; i < n_odd; i++) {
        float narrow = NAN;
        double wide = odd_value(reader, piece, tile, tile->odd[i], &narrow);
        if (f64)
            doubles[tile->odd[i]] = wide;
        else
            floats[tile->odd[i]] = narrow;
        missing |= f64 ? isnan(wide) : isnan(narrow);
    }
    if (f64)
        columns_of_doubles(reader, piece, tile, missing);
    else
        columns_of_floats(reader, piece, tile, missing);
}

/* Blanks and quotes off both ends. */
static inline void tighten(const char *text, uint32_t *begin, uint32_t *end)
{
    uint32_t from = *begin, to = *end;
    while (from < to && text[from] == ' ') from++;
    while (from < to && (text[to - 1] == ' ' || text[to - 1] == '\r')) to--;
    if (to - from >= 2 && text[from] == '"' && text[to - 1] == '"') {
        from++;
        to--;
    }
    *begin = from;
    *end = to;
}

/* Begins and ends of the number fields alone, without what may stand around them. */
static void pack_fields(const CsvReader *reader, const CsvPiece *piece, const uint32_t *ends,
                        int64_t n_rows, uint32_t *packed_begins, uint32_t *packed_ends)
{
    int32_t n = reader->n_numbers, last = reader->n_columns - 1;
    const char *text = piece->text.ptr;
    bool at_end = piece->crlf && reader->numbers[n - 1] == last;
    for (int64_t r = 0; r < n_rows;
         r++, ends += reader->n_columns, packed_begins += n, packed_ends += n) {
        for (int32_t k = 0; k < n; k++) {
            ptrdiff_t j = reader->numbers[k];
            packed_begins[k] = ends[j - 1] + 1;
            packed_ends[k] = ends[j];
        }
        if (at_end) tighten(text, &packed_begins[n - 1], &packed_ends[n - 1]);
        for (int32_t k = 0; reader->loose && k < n; k++)
            tighten(text, &packed_begins[k], &packed_ends[k]);
    }
}

static size_t tile_fields(const CsvReader *reader)
{
    return (MAX((size_t)reader->n_numbers, (size_t)TILE_FIELDS) + 64) & ~(size_t)15;
}

static void convert_numbers(CsvReader *reader, CsvPiece *piece, const CsvRun *run)
{
    size_t room = tile_fields(reader);
    bool direct = reader->n_numbers == reader->n_columns && !piece->crlf && !reader->loose;
    Tile tile = {.values = piece->scratch, .odd = (uint32_t *)(void *)(piece->scratch + room * 8)};
    uint32_t *packed_begins = tile.odd + room, *packed_ends = packed_begins + room;
    tile.columns = (float **)(void *)(packed_ends + room);
    int64_t step = MIN(MAX(TILE_FIELDS / reader->n_numbers, 1), TILE_ROWS_MAX);
    for (int64_t r = 0; r < run->n_rows; r += step) {
        const uint32_t *ends = piece->ends + run->first_end + r * reader->n_columns;
        tile.n_rows = MIN(step, run->n_rows - r);
        tile.row = piece->row + run->row + r;
        tile.source_row = piece->source_row + run->source_row + r;
        if (direct) {
            tile.begins = ends - 1;
            tile.ends = ends;
            tile.add = 1;
        } else {
            pack_fields(reader, piece, ends, tile.n_rows, packed_begins, packed_ends);
            tile.begins = packed_begins;
            tile.ends = packed_ends;
            tile.add = 0;
        }
        convert_tile(reader, piece, &tile);
    }
}

/* ---- times and bools ---- */

static inline Str raw_field(const CsvPiece *piece, const uint32_t *ends, int32_t column)
{
    uint32_t begin = ends[(ptrdiff_t)column - 1] + 1;
    return (Str){piece->text.ptr + begin, ends[column] - begin};
}

static void convert_single(CsvReader *reader, CsvPiece *piece, const CsvRun *run, int32_t column)
{
    Column *to = &reader->frame->columns[column];
    bool time = to->type == COLUMN_TIME;
    char buffer[64];
    int64_t missing = 0, row = piece->row + run->row;
    const uint32_t *ends = piece->ends + run->first_end;
    for (int64_t r = 0; r < run->n_rows; r++, ends += reader->n_columns) {
        Str field = raw_field(piece, ends, column);
        int64_t us = INT64_MIN;
        uint8_t bit = 0;
        if (!(time ? timestamp_parse(field, &us) : csv_bool_parse(field, &bit))) {
            us = INT64_MIN;
            bit = UINT8_MAX;
            Str value = field.len <= sizeof buffer ? csv_field_text(field, buffer) : field;
            bool ok = time ? timestamp_parse(value, &us) : csv_bool_parse(value, &bit);
            if (!ok && !csv_is_missing_word(value)) piece->contradicted[column] = 1;
            missing += !ok;
        }
        if (time)
            to->time_us[row + r] = us;
        else
            to->bools[row + r] = bit;
    }
    piece->n_missing[column] += missing;
}

void csv_convert_piece(CsvReader *reader, CsvPiece *piece)
{
    Error err;
    if (!piece->n_missing) {
        size_t n = (size_t)reader->n_columns;
        piece->n_missing = data_array(int64_t, n, "counts", &err);
        piece->contradicted = data_array(uint8_t, n, "counts", &err);
        piece->scratch = data_array(char, tile_fields(reader) * SCRATCH_BYTES, "a tile", &err);
        if (!piece->n_missing || !piece->contradicted || !piece->scratch) {
            csv_fail(reader, &err);
            return;
        }
    }
    for (size_t i = 0; i < piece->n_runs; i++) {
        if (reader->n_numbers) convert_numbers(reader, piece, &piece->runs[i]);
        for (int32_t k = 0; k < reader->n_single; k++)
            convert_single(reader, piece, &piece->runs[i], reader->single[k]);
    }
}

/* ---- categories and texts ---- */

/* Short fields as they stand in the file, and their codes: most rows repeat a word. */
enum { KNOWN = 256, KNOWN_BYTES = 32 };

typedef struct Known {
    uint64_t words[KNOWN_BYTES / 8];
    uint32_t len;
    int32_t code;
} Known;

/* Its bytes, zeros behind; reads up to 32 bytes, which is within CSV_SLACK. */
static inline void known_key(Str field, uint64_t words[static 4])
{
    memcpy(words, field.ptr, KNOWN_BYTES);
    for (size_t i = 0; i < 4; i++) {
        size_t left = field.len > 8 * i ? field.len - 8 * i : 0;
        if (left < 8) words[i] &= ((uint64_t)1 << (8 * left)) - 1;
    }
}

static inline size_t known_slot(const uint64_t words[static 4], size_t len)
{
    uint64_t mixed = (words[0] ^ words[1] * 0x9e3779b97f4a7c15u ^ words[2] * 0xd1342543de82ef95u ^
                      words[3] ^ len) *
                     0xbf58476d1ce4e5b9u;
    return mixed >> 56;
}

static bool reserve_text(CsvColumn *info, Column *column, int64_t more, Error *err)
{
    int64_t needed = info->text_len + more;
    if (needed <= info->text_capacity) return true;
    int64_t capacity = needed + needed / 2 + 4096;
    if (!grow(&column->text, info->text_len, capacity, 1, err)) return false;
    info->text_capacity = capacity;
    return true;
}

static bool append_text(CsvColumn *info, Column *column, int64_t row, Str value, Error *err)
{
    if (UNLIKELY(info->text_len + (int64_t)value.len > info->text_capacity) &&
        !reserve_text(info, column, (int64_t)value.len, err))
        return false;
    if (value.len) memcpy(column->text + info->text_len, value.ptr, value.len);
    info->text_len += (int64_t)value.len;
    column->offsets[row + 1] = info->text_len;
    return true;
}

/* Turns the codes of the rows so far into text. */
static bool words_to_text(CsvReader *reader, int32_t j, int64_t n_rows, Error *err)
{
    CsvColumn *info = &reader->columns[j];
    Column *column = &reader->frame->columns[j];
    info->type = column->type = COLUMN_TEXT;
    if (!resize_column(column, false, 0, reader->capacity, err)) return false;
    column->offsets[0] = 0;
    info->text_len = info->text_capacity = 0;
    for (int64_t r = 0; r < n_rows; r++) {
        int32_t code = column->codes[r];
        Str value = code < 0 ? (Str){"", 0} : info->words.words[code];
        if (!append_text(info, column, r, value, err)) return false;
    }
    data_free(column->codes);
    column->codes = NULL;
    arena_clear(&info->arena);
    info->words = (Dictionary)DICTIONARY(&info->arena);
    return true;
}

typedef struct Words {
    CsvReader *reader;
    CsvColumn *info;
    Column *column;
    int32_t j;
    char *buffer;
    size_t buffer_size;
    int64_t missing;
    Known known[KNOWN];
} Words;

static inline Str field_value(Words *words, Str field)
{
    if (UNLIKELY(field.len > words->buffer_size)) {
        free(words->buffer);
        words->buffer_size = field.len * 2;
        words->buffer = malloc(words->buffer_size);
        if (!words->buffer) memory_exhausted(words->buffer_size);
    }
    return csv_field_text(field, words->buffer);
}

static int32_t new_code(Words *words, Str field)
{
    Str value = field_value(words, field);
    return value.len ? dictionary_add(&words->info->words, value) : -1;
}

/* Rows [*at, n) of a run as long as the column is a category. */
static void convert_categories(Words *words, const CsvPiece *piece, const CsvRun *run, int64_t *at)
{
    const CsvColumn *info = words->info;
    int32_t n_columns = words->reader->n_columns, *codes = words->column->codes;
    int64_t row = piece->row + run->row, r = *at, missing = 0;
    const uint32_t *ends = piece->ends + run->first_end + r * n_columns;
    for (; r < run->n_rows; r++, ends += n_columns) {
        Str field = raw_field(piece, ends, words->j);
        int32_t code;
        if (LIKELY(field.len <= KNOWN_BYTES)) {
            UNINITIALIZED uint64_t key[4];
            known_key(field, key);
            Known *known = &words->known[known_slot(key, field.len)];
            bool same = known->len == field.len + 1 && known->words[0] == key[0] &&
                        known->words[1] == key[1] && known->words[2] == key[2] &&
                        known->words[3] == key[3];
            if (UNLIKELY(!same)) {
                memcpy(known->words, key, sizeof key);
                known->len = (uint32_t)field.len + 1;
                known->code = new_code(words, field);
            }
            code = known->code;
        } else {
            code = new_code(words, field);
        }
        codes[row + r] = code;
        missing += code < 0;
        if (UNLIKELY(info->words.n > WORDS_FREE) && !info->category_only &&
            info->words.n > (row + r + 1) / WORDS_SHARE) {
            r++;
            break;
        }
    }
    words->missing += missing;
    *at = r;
}

static bool convert_texts(Words *words, const CsvPiece *piece, const CsvRun *run, int64_t at,
                          Error *err)
{
    int32_t n_columns = words->reader->n_columns;
    int64_t row = piece->row + run->row;
    const uint32_t *ends = piece->ends + run->first_end + at * n_columns;
    for (int64_t r = at; r < run->n_rows; r++, ends += n_columns) {
        Str value = field_value(words, raw_field(piece, ends, words->j));
        words->missing += value.len == 0;
        if (!append_text(words->info, words->column, row + r, value, err)) return false;
    }
    return true;
}

static bool convert_word_run(Words *words, const CsvPiece *piece, const CsvRun *run, Error *err)
{
    int64_t at = 0;
    if (words->info->type == COLUMN_CATEGORY) {
        convert_categories(words, piece, run, &at);
        if (at < run->n_rows ||
            (words->info->words.n > WORDS_FREE && !words->info->category_only &&
             words->info->words.n > (piece->row + run->row + at) / WORDS_SHARE)) {
            if (!words_to_text(words->reader, words->j, piece->row + run->row + at, err))
                return false;
        }
    }
    return words->info->type == COLUMN_CATEGORY || convert_texts(words, piece, run, at, err);
}

void csv_convert_words(CsvReader *reader, int32_t j)
{
    UNINITIALIZED Words words;
    Error err;
    words.reader = reader;
    words.info = &reader->columns[j];
    words.column = &reader->frame->columns[j];
    words.j = j;
    words.buffer = NULL;
    words.buffer_size = 0;
    words.missing = 0;
    for (size_t i = 0; i < KNOWN; i++) words.known[i].len = 0;
    for (int32_t p = 0; p < reader->n_pieces; p++)
        for (size_t i = 0; i < reader->pieces[p].n_runs; i++)
            if (!convert_word_run(&words, &reader->pieces[p], &reader->pieces[p].runs[i], &err)) {
                csv_fail(reader, &err);
                free(words.buffer);
                return;
            }
    words.column->n_missing += words.missing;
    free(words.buffer);
}

/* ---- the end ---- */

/* Takes the rows out that had a bad value. */
static void drop_rows(CsvReader *reader, Column *column)
{
    int64_t to = 0, next = 0, text_to = 0;
    for (int64_t r = 0; r < reader->n_rows; r++) {
        if (next < reader->n_drop && reader->drop[next] == r) {
            next++;
            continue;
        }
        if (column->f32) column->f32[to] = column->f32[r];
        if (column->f64) column->f64[to] = column->f64[r];
        if (column->codes) column->codes[to] = column->codes[r];
        if (column->time_us) column->time_us[to] = column->time_us[r];
        if (column->bools) column->bools[to] = column->bools[r];
        if (column->offsets) {
            int64_t from = column->offsets[r], len = column->offsets[r + 1] - from;
            if (len) memmove(column->text + text_to, column->text + from, (size_t)len);
            text_to += len;
            column->offsets[to] = text_to - len;
        }
        to++;
    }
    if (column->offsets) column->offsets[to] = text_to;
}

static bool row_is_missing(const Column *column, int64_t row)
{
    switch (column->type) {
    case COLUMN_NUMBER: return column->f32 ? isnan(column->f32[row]) : isnan(column->f64[row]);
    case COLUMN_CATEGORY: return column->codes[row] < 0;
    case COLUMN_TEXT: return column->offsets[row] == column->offsets[row + 1];
    case COLUMN_TIME: return column->time_us[row] == INT64_MIN;
    case COLUMN_BOOL: return column->bools[row] == UINT8_MAX;
    }
    return false;
}

static bool mark_missing(Column *column, int64_t n_rows, Error *err)
{
    column->valid = data_array(uint64_t, n_rows / 64 + 1, "the validity of a column", err);
    if (!column->valid) return false;
    column->n_missing = 0;
    for (int64_t row = 0; row < n_rows; row++) {
        bool missing = row_is_missing(column, row);
        column->n_missing += missing;
        column->valid[row >> 6] |= (uint64_t)!missing << (row & 63);
        if (missing && column->time_us) column->time_us[row] = 0;
        if (missing && column->bools) column->bools[row] = 0;
    }
    if (column->n_missing == 0) {
        data_free(column->valid);
        column->valid = NULL;
    }
    return true;
}

static bool finish_column(CsvReader *reader, int32_t j, Error *err)
{
    CsvColumn *info = &reader->columns[j];
    Column *column = &reader->frame->columns[j];
    int64_t n_rows = reader->n_rows;
    if (column->type == COLUMN_CATEGORY && !info->category_only &&
        info->words.n > MAX(CATEGORIES_FREE, n_rows / CATEGORIES_SHARE) &&
        !words_to_text(reader, j, n_rows, err))
        return false;
    if (reader->n_drop) {
        drop_rows(reader, column);
        n_rows -= reader->n_drop;
    }
    if (!resize_column(column, reader->options->f64, n_rows, n_rows, err)) return false;
    if (column->type == COLUMN_TEXT && !grow(&column->text, info->text_len, info->text_len, 1, err))
        return false;
    if (column->type == COLUMN_CATEGORY) {
        column->n_categories = info->words.n;
        column->categories = arena_array(&reader->frame->arena, Str, info->words.n);
        for (int32_t i = 0; i < info->words.n; i++)
            column->categories[i] = arena_str(&reader->frame->arena, info->words.words[i]);
    }
    column->n_rows = n_rows;
    return column->n_missing == 0 || mark_missing(column, n_rows, err);
}

bool csv_finish_columns(CsvReader *reader, Error *err)
{
    for (int32_t j = 0; j < reader->n_columns; j++)
        if (!finish_column(reader, j, err)) return false;
    reader->frame->n_rows = reader->n_rows - reader->n_drop;
    return true;
}
