/* Bodies of requests to rows of floats.
 *
 * Numbers go straight from the text into the block: no tree, no list of fields.  A row is complete
 * in the block or not there: what is wrong with a body is said with its record (from 0, as the
 * platform counts) and column. */

#include "train/content.h"

#include "base/memory.h"
#include "format/csv.h"
#include "format/number.h"
#include "net/http_parse.h"

#include <math.h>
#include <stdlib.h>

enum { COLUMNS_MAX = 1 << 24, SHOWN_MAX = 40, NUMBER_MAX = 64 };

bool content_type_parse(Str value, ContentType *ret_type, int32_t *ret_label_size, Error *err)
{
    static const struct {
        Str name;
        ContentType type;
    } types[] = {
        {STR_INIT("text/csv"), CONTENT_CSV},
        {STR_INIT("application/json"), CONTENT_JSON},
        {STR_INIT("application/jsonlines"), CONTENT_JSONLINES},
        {STR_INIT("application/x-recordio-protobuf"), CONTENT_RECORDIO},
        {STR_INIT("text/libsvm"), CONTENT_LIBSVM},
        {STR_INIT("text/x-libsvm"), CONTENT_LIBSVM},
    };
    Str parameters, type = http_media_type(value, &parameters);
    *ret_label_size = 0;
    for (size_t i = 0; i < COUNT(types); i++) {
        if (!str_eq_nocase(type, types[i].name)) continue;
        *ret_type = types[i].type;
        if (!parameters.ptr) return true;
        Str label_size = http_parameter(parameters, STR("label_size")),
            charset = http_parameter(parameters, STR("charset"));
        int64_t n = 0;
        if (label_size.ptr && (!str_to_int64(label_size, &n) || n < 0 || n > COLUMNS_MAX))
            return error_set(err, ERROR_UNSUPPORTED, "label_size '%.*s' is not a number of columns",
                             (int)MIN(label_size.len, (size_t)SHOWN_MAX), label_size.ptr);
        if (charset.ptr && !str_eq_nocase(charset, STR("utf-8")) &&
            !str_eq_nocase(charset, STR("us-ascii")))
            return error_set(err, ERROR_UNSUPPORTED, "charset '%.*s' is not offered, only utf-8",
                             (int)MIN(charset.len, (size_t)SHOWN_MAX), charset.ptr);
        *ret_label_size = (int32_t)n;
        return true;
    }
    return error_set(err, ERROR_UNSUPPORTED,
                     type.len
                         ? "content type '%.*s' is not offered; send text/csv, application/json, "
                           "application/jsonlines, application/x-recordio-protobuf or text/libsvm"
                         : "the request has no Content-Type%.*s; send text/csv, application/json, "
                           "application/jsonlines, application/x-recordio-protobuf or text/libsvm",
                     (int)MIN(type.len, (size_t)SHOWN_MAX), type.len ? type.ptr : "");
}

void content_form_init(ContentForm *form, const Schema *schema, int32_t n_features, bool missing)
{
    *form = (ContentForm){
        .n_features = n_features,
        .absent = missing ? NAN : 0,
        .missing = missing,
        .schema = schema,
        .libsvm_shift = !schema,
    };
    for (int32_t j = 0; schema && j < schema->n_features; j++)
        if (schema->features[j].kind == FEATURE_CATEGORY) form->any_category = true;
}

void content_rows_clear(ContentRows *rows)
{
    data_free(rows->values);
    free(rows->uid);
    free(rows->metadata);
    *rows = (ContentRows){0};
}

void content_clear(ContentReader *reader)
{
    record_tensor_clear(&reader->tensor);
    strbuf_clear(&reader->joined);
    free(reader->keys);
    *reader = (ContentReader){0};
}

/* ---- rows ---- */

/* Room for one row of n values; the place where it goes. */
static float *row_place(const ContentReader *reader, ContentRows *rows, size_t n, Error *err)
{
    size_t at = (size_t)rows->n_rows * (size_t)MAX(reader->n_cols, 0);
    if (at + n > rows->capacity) {
        size_t capacity = MAX(at + n, MAX(rows->capacity * 2, (size_t)1024));
        /* The row at hand may be there in part: all is kept. */
        float *grown = data_grow(rows->values, rows->capacity, capacity, sizeof(float),
                                 "the rows of a request", err);
        if (!grown) return NULL;
        rows->values = grown;
        rows->capacity = capacity;
    }
    return rows->values + at;
}

static bool wrong_width(const ContentReader *reader, int64_t n, Error *err)
{
    return error_set(err, ERROR_CONFLICT, "expected %d features, got %lld in record %lld",
                     reader->n_cols, (long long)n, (long long)reader->record);
}

static bool bad_record(const ContentReader *reader, Error *err, const char *what)
{
    return error_set(err, ERROR_INVALID, "record %lld: %s", (long long)reader->record, what);
}

static bool bad_number(const ContentReader *reader, int64_t column, Str text, Error *err)
{
    char shown[SHOWN_MAX + 1];
    size_t n = 0;
    for (; n < MIN(text.len, (size_t)SHOWN_MAX); n++) {
        unsigned char c = (unsigned char)text.ptr[n];
        shown[n] = c < ' ' || c >= 0x7f ? '?' : (char)c;
    }
    shown[n] = 0;
    return error_set(err, ERROR_INVALID, "record %lld, column %lld: '%s%s' is not a number%s",
                     (long long)reader->record, (long long)column, shown, text.len > n ? "..." : "",
                     reader->record == 0 ? " (requests have no header line)" : "");
}

/* Counts the row in; refuses NaN and infinities where the model cannot take them. */
static bool end_row(ContentReader *reader, ContentRows *rows, const float *row, int64_t n,
                    Error *err)
{
    if (reader->n_cols == 0) {
        if (n == 0) return bad_record(reader, err, "it has no features");
        reader->n_cols = (int32_t)n;
    }
    if (n != reader->n_cols) return wrong_width(reader, n, err);
    if (!reader->form->missing)
        for (int64_t j = 0; j < n; j++)
            if (!isfinite(row[j]))
                return error_set(
                    err, ERROR_CONFLICT,
                    "record %lld, column %lld: the value is %s, which this model cannot take",
                    (long long)reader->record, (long long)j,
                    isnan(row[j]) ? "missing" : "infinite");
    rows->n_rows++;
    reader->record++;
    return true;
}

/* A category's code; unknown ones are missing, as in training. */
static float category_code(const Feature *feature, Str text)
{
    int32_t low = 0, high = feature->n_categories - 1;
    while (low <= high) { /* most dictionaries are sorted ... */
        int32_t middle = low + (high - low) / 2;
        int order = str_compare(feature->categories[middle], text);
        if (order == 0) return (float)middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle - 1;
    }
    for (int32_t i = 0; i < feature->n_categories; i++) /* ... others are looked through */
        if (str_eq(feature->categories[i], text)) return (float)i;
    return NAN;
}

static const Feature *category_at(const ContentReader *reader, int64_t column)
{
    const ContentForm *form = reader->form;
    if (!form->any_category || column >= form->schema->n_features) return NULL;
    const Feature *feature = &form->schema->features[column];
    return feature->kind == FEATURE_CATEGORY ? feature : NULL;
}

/* ---- CSV ---- */

/* The separator of the first line: a comma, or where it has none the one of ; tab | it has. */
static char find_separator(Str body, int32_t n_features)
{
    Str line = str_slice(body, 0, MIN(str_find(body, '\n'), (size_t)512));
    if (str_find(line, ',') < line.len || n_features == 1) return ',';
    for (const char *c = ";\t|"; *c; c++)
        if (str_find(line, *c) < line.len) return *c;
    return ',';
}

static bool is_blank(char c, char separator)
{
    return (c == ' ' || c == '\t') && c != separator;
}

/* A quoted field at p (on its opening quote): its text goes to `out` unless it is a view.  NULL when
 * the quote does not end. */
static const char *read_quoted(const char *p, const char *end, StrBuf *out, Str *ret_text)
{
    out->len = 0;
    const char *begin = ++p;
    bool doubled = false;
    for (;; p++) {
        if (p == end) return NULL;
        if (*p != '"') continue;
        if (p + 1 == end || p[1] != '"') break;
        doubled = true;
        strbuf_add(out, (Str){begin, (size_t)(p + 1 - begin)});
        begin = ++p + 1;
    }
    if (doubled) strbuf_add(out, (Str){begin, (size_t)(p - begin)});
    *ret_text = doubled ? strbuf_str(out) : (Str){begin, (size_t)(p - begin)};
    return p + 1;
}

static bool number_of(Str text, float *ret_value)
{
    text = str_trim(text);
    const char *end = text.ptr + text.len;
    if (text.len == 0) {
        *ret_value = NAN;
        return true;
    }
    return number_parse_float(text.ptr, end, ret_value) == end;
}

/* One field at p, up to its separator, line end or the end.  Returns the place behind it. */
static const char *read_field(ContentReader *reader, const char *p, const char *end, int64_t column,
                              float *ret_value, Error *err)
{
    char separator = reader->separator;
    const Feature *category = category_at(reader, column);
    while (p < end && is_blank(*p, separator)) p++;
    Str text;
    if (p < end && *p == '"') {
        p = read_quoted(p, end, &reader->joined, &text);
        if (!p) {
            bad_record(reader, err, "a quoted field does not end");
            return NULL;
        }
        while (p < end && is_blank(*p, separator)) p++;
    } else {
        const char *begin = p;
        while (p < end && *p != separator && *p != '\n') p++;
        size_t n = (size_t)(p - begin);
        if (n && p[-1] == '\r' && (p == end || *p == '\n')) n--;
        text = str_trim((Str){begin, n});
    }
    if (category)
        *ret_value = text.len ? category_code(category, text) : NAN;
    else if (!number_of(text, ret_value)) {
        bad_number(reader, column, text, err);
        return NULL;
    }
    return p;
}

static const char *end_line(const char *p, const char *end)
{
    if (p < end && *p == '\r') p++;
    if (p < end && *p != '\n') return NULL;
    return p < end ? p + 1 : p;
}

static bool read_csv_row(ContentReader *reader, ContentRows *rows, Error *err)
{
    const char *p = reader->body.ptr + reader->at, *end = reader->body.ptr + reader->body.len;
    float *row = row_place(reader, rows, (size_t)MAX(reader->n_cols, 64), err);
    if (!row) return false;
    if (reader->n_cols && !reader->form->any_category && !reader->label_size) {
        /* The short way.  Whatever it does not like is read again below, which finds the words. */
        int32_t found;
        size_t next;
        if (csv_parse_row(str_from(reader->body, reader->at), reader->separator, row,
                          reader->n_cols, &found, &next, NULL) &&
            found == reader->n_cols) {
            reader->at += next;
            return end_row(reader, rows, row, found, err);
        }
    }
    int64_t n = -reader->label_size;
    for (;; n++) {
        float value;
        if (n >= COLUMNS_MAX) return bad_record(reader, err, "it has too many columns");
        if (n < 0) { /* a label, which is not looked at */
            Str text;
            if (p < end && *p == '"') p = read_quoted(p, end, &reader->joined, &text);
            while (p && p < end && *p != reader->separator && *p != '\n') p++;
            if (!p) return bad_record(reader, err, "a quoted field does not end");
        } else {
            p = read_field(reader, p, end, n, &value, err);
            if (!p) return false;
            if (!reader->n_cols && !(row = row_place(reader, rows, (size_t)n + 1, err)))
                return false;
            if (!reader->n_cols || n < reader->n_cols) row[n] = value;
        }
        if (p < end && *p == reader->separator)
            p++;
        else
            break;
    }
    p = end_line(p, end);
    if (!p) return bad_record(reader, err, "text follows a quoted field");
    reader->at = (size_t)(p - reader->body.ptr);
    return end_row(reader, rows, row, MAX(n + 1, 0), err);
}

/* ---- libsvm ---- */

/* One "index:value" at p; NULL when it is not one. */
static const char *read_pair(const char *p, const char *end, int64_t *ret_index, float *ret_value)
{
    int64_t index = 0;
    const char *begin = p;
    for (; p < end && *p >= '0' && *p <= '9' && index < INT32_MAX; p++)
        index = index * 10 + (*p - '0');
    if (p == begin || p == end || *p != ':' || index >= INT32_MAX) return NULL;
    begin = ++p;
    p = number_parse_float(begin, end, ret_value);
    *ret_index = index;
    return p > begin && (p == end || *p == ' ' || *p == '\t') ? p : NULL;
}

/* Words of a line: "label", "label:weight" and "qid:q" may lead, then pairs. */
static bool next_word(const char **p, const char *end, Str *ret_word)
{
    while (*p < end && (**p == ' ' || **p == '\t')) ++*p;
    const char *begin = *p;
    while (*p < end && **p != ' ' && **p != '\t') ++*p;
    *ret_word = (Str){begin, (size_t)(*p - begin)};
    return ret_word->len > 0;
}

static bool is_comment(Str word)
{
    return word.ptr[0] == '#';
}

/* Reads a line's pairs; with `row` NULL only their smallest index is wanted. */
static bool read_pairs(ContentReader *reader, Str line, float *row, int64_t *smallest, Error *err)
{
    const char *p = line.ptr, *end = line.ptr + line.len;
    Str word;
    bool first = true;
    for (; next_word(&p, end, &word) && !is_comment(word); first = false) {
        if (str_starts(word, STR("qid:"))) continue;
        if (first && str_find(word, ':') == word.len) {
            float label;
            if (!number_of(word, &label)) return bad_number(reader, 0, word, err);
            continue;
        }
        int64_t index;
        float value;
        const char *word_end = word.ptr + word.len;
        if (read_pair(word.ptr, word_end, &index, &value) != word_end)
            return error_set(err, ERROR_INVALID, "record %lld: '%.*s' is not index:value",
                             (long long)reader->record, (int)MIN(word.len, (size_t)SHOWN_MAX),
                             word.ptr);
        *smallest = MIN(*smallest, index);
        if (!row) continue;
        index -= reader->shift;
        if (index >= reader->n_cols)
            return error_set(
                err, ERROR_CONFLICT, "expected at most %d features, got index %lld in record %lld",
                reader->n_cols, (long long)(index + reader->shift), (long long)reader->record);
        row[index] = value;
    }
    return true;
}

static bool begin_libsvm(ContentReader *reader, Error *err)
{
    if (!reader->n_cols)
        return error_set(err, ERROR_CONFLICT,
                         "the model does not say how many features it has; send text/csv");
    reader->shift = 0;
    if (!reader->form->libsvm_shift) return true;
    Str rest = reader->body, line;
    int64_t smallest = INT64_MAX;
    while (str_next_line(&rest, &line))
        if (!read_pairs(reader, line, NULL, &smallest, err)) return false;
    reader->shift = smallest >= 1 && smallest < INT64_MAX;
    return true;
}

static bool read_libsvm_row(ContentReader *reader, ContentRows *rows, Error *err)
{
    Str rest = str_from(reader->body, reader->at), line;
    str_next_line(&rest, &line);
    float *row = row_place(reader, rows, (size_t)reader->n_cols, err);
    if (!row) return false;
    for (int32_t j = 0; j < reader->n_cols; j++) row[j] = reader->form->absent;
    int64_t smallest = 0;
    if (!read_pairs(reader, line, row, &smallest, err)) return false;
    reader->at = rest.ptr ? (size_t)(rest.ptr - reader->body.ptr) : reader->body.len;
    return end_row(reader, rows, row, reader->n_cols, err);
}

/* ---- RecordIO ---- */

static bool note(ContentRows *rows, int64_t row, const Record *record)
{
    if (!record->uid.ptr && !record->metadata.ptr && !rows->noted) return true;
    if (row >= rows->notes_capacity) {
        int64_t capacity = MAX(row + 1, rows->notes_capacity * 2);
        Str *uid = realloc(rows->uid, (size_t)capacity * sizeof *uid);
        if (uid) rows->uid = uid;
        Str *metadata = realloc(rows->metadata, (size_t)capacity * sizeof *metadata);
        if (metadata) rows->metadata = metadata;
        if (!uid || !metadata) return false;
        rows->notes_capacity = capacity;
    }
    if (!rows->noted) { /* the rows before had none */
        memset(rows->uid, 0, (size_t)row * sizeof(Str));
        memset(rows->metadata, 0, (size_t)row * sizeof(Str));
        rows->noted = true;
    }
    rows->uid[row] = record->uid;
    rows->metadata[row] = record->metadata;
    return true;
}

static bool read_record(ContentReader *reader, ContentRows *rows, Error *err)
{
    Str payload;
    size_t used;
    Record record;
    RecordTensor *tensor = &reader->tensor;
    reader->joined.len = 0;
    if (!recordio_next(str_from(reader->body, reader->at), true, &reader->joined, &payload, &used,
                       err))
        return error_in(err, "record %lld at byte %zu", (long long)reader->record, reader->at);
    const RecordEntry *entry = NULL;
    if (!record_parse(payload, &record, err) ||
        ((entry = record_main_entry(record.features, record.n_features)) &&
         !record_tensor(entry->value, tensor, err)))
        return error_in(err, "record %lld", (long long)reader->record);
    if (!entry) return bad_record(reader, err, "it has no features[\"values\"]");
    if (tensor->type == RECORD_BYTES)
        return bad_record(reader, err, "its features are bytes, not numbers");

    int64_t n = tensor->size;
    if (n > COLUMNS_MAX) return bad_record(reader, err, "it has too many columns");
    if (reader->n_cols && n != reader->n_cols) return wrong_width(reader, n, err);
    float *row = row_place(reader, rows, (size_t)n, err);
    if (!row) return false;
    if (tensor->sparse) {
        for (int64_t j = 0; j < n; j++) row[j] = reader->form->absent;
        for (size_t k = 0; k < tensor->n_keys; k++) row[tensor->keys[k]] = tensor->values[k];
    } else if (n) {
        memcpy(row, tensor->values, (size_t)n * sizeof *row);
    }
    reader->at += used;
    if (!note(rows, rows->n_rows, &record))
        return error_set(err, ERROR_NO_MEMORY, "no memory for the records' uids");
    return end_row(reader, rows, row, n, err);
}

/* ---- JSON ---- */

/* One row while it is read. */
typedef struct JsonRow {
    float *row;
    int64_t n; /* values so far; those beyond the model's width are only counted */
    int64_t n_keys;
    int64_t size; /* product of the shape; -1: none */
    bool has_values, has_keys;
} JsonRow;

static bool json_failed(const ContentReader *reader, Error *err)
{
    json_reader_error(&reader->json, err);
    err->kind = ERROR_INVALID;
    return reader->type == CONTENT_JSONLINES
               ? error_in(err, "record %lld", (long long)reader->record)
               : false;
}

static bool add_value(ContentReader *reader, ContentRows *rows, JsonRow *row, float value,
                      Error *err)
{
    if (row->n >= COLUMNS_MAX) return bad_record(reader, err, "it has too many values");
    if (row->n < reader->n_cols) {
        row->row[row->n] = value;
    } else if (!reader->n_cols) {
        if (!(row->row = row_place(reader, rows, (size_t)MAX(row->n + 1, reader->n_cols), err)))
            return false;
        row->row[row->n] = value;
    }
    row->n++;
    return true;
}

/* The numbers of an array whose '[' was read, nested arrays of an n-d tensor included. */
static bool read_values(ContentReader *reader, ContentRows *rows, JsonRow *row, Error *err)
{
    JsonReader *json = &reader->json;
    ARENA(scratch);
    if (row->has_values) return bad_record(reader, err, "its values are given twice");
    row->has_values = true;
    for (int depth = 1; depth;) {
        const Feature *category;
        float value;
        switch (json_next(json)) {
        case JSON_TOKEN_NUMBER: value = json_reader_float(json); break;
        case JSON_TOKEN_NULL: value = NAN; break;
        case JSON_TOKEN_BOOL: value = json->boolean; break;
        case JSON_TOKEN_STRING:
            category = category_at(reader, row->n);
            if (category)
                value = category_code(category, json_reader_string(json, &scratch));
            else if (str_eq_nocase(json->raw, STR("nan")))
                value = NAN;
            else
                return bad_number(reader, row->n, json->raw, err);
            break;
        case JSON_TOKEN_ARRAY_BEGIN: depth++; continue;
        case JSON_TOKEN_ARRAY_END: depth--; continue;
        case JSON_TOKEN_ERROR: return json_failed(reader, err);
        default: return bad_record(reader, err, "an object stands among its values");
        }
        if (!add_value(reader, rows, row, value, err)) return false;
    }
    return true;
}

/* The whole numbers of "keys" or "shape". */
static bool read_integers(ContentReader *reader, JsonRow *row, bool keys, Error *err)
{
    JsonReader *json = &reader->json;
    JsonToken token = json_next(json);
    if (token == JSON_TOKEN_ERROR) return json_failed(reader, err);
    if (token != JSON_TOKEN_ARRAY_BEGIN)
        return bad_record(reader, err, "keys and shape must be arrays");
    if (keys)
        row->has_keys = true;
    else
        row->size = 1;
    while ((token = json_next(json)) != JSON_TOKEN_ARRAY_END) {
        if (token == JSON_TOKEN_ERROR) return json_failed(reader, err);
        int64_t value;
        if (token != JSON_TOKEN_NUMBER || !str_to_int64(json->raw, &value) || value < 0 ||
            value > COLUMNS_MAX)
            return bad_record(reader, err, "keys and shape must be whole numbers");
        if (!keys) {
            row->size *= value;
            if (row->size > COLUMNS_MAX) return bad_record(reader, err, "its shape is too large");
            continue;
        }
        if ((size_t)row->n_keys == reader->keys_capacity) {
            size_t capacity = MAX(reader->keys_capacity * 2, (size_t)256);
            int32_t *grown = realloc(reader->keys, capacity * sizeof *grown);
            if (!grown)
                return error_set(err, ERROR_NO_MEMORY, "no memory for the keys of a sparse row");
            reader->keys = grown;
            reader->keys_capacity = capacity;
        }
        reader->keys[row->n_keys++] = (int32_t)value;
    }
    return true;
}

/* Puts the values of a sparse row to their places. */
static bool scatter(ContentReader *reader, ContentRows *rows, JsonRow *row, Error *err)
{
    int64_t size = row->size >= 0 ? row->size : reader->n_cols;
    if (row->n != row->n_keys)
        return bad_record(reader, err, "keys and values are not equally many");
    if (size == 0) return bad_record(reader, err, "a sparse row needs a shape");
    if (reader->n_cols && size != reader->n_cols) return wrong_width(reader, size, err);
    row->row = row_place(reader, rows, (size_t)(size + row->n), err);
    if (!row->row) return false;
    float *values = row->row + size; /* out of the way of the row */
    memmove(values, row->row, (size_t)row->n * sizeof *values);
    for (int64_t j = 0; j < size; j++) row->row[j] = reader->form->absent;
    uint64_t seen = 0; /* a filter before the exact search for repeated keys */
    for (int64_t k = 0; k < row->n; k++) {
        int32_t key = reader->keys[k];
        if (key >= size) return bad_record(reader, err, "a key lies outside the shape");
        if (seen >> (key & 63) & 1)
            for (int64_t i = 0; i < k; i++)
                if (reader->keys[i] == key) return bad_record(reader, err, "a key is given twice");
        seen |= (uint64_t)1 << (key & 63);
        row->row[key] = values[k];
    }
    row->n = size;
    return true;
}

/* {"values":[...], "keys":[...], "shape":[...]} whose '{' was read. */
static bool read_tensor(ContentReader *reader, ContentRows *rows, JsonRow *row, Error *err)
{
    JsonReader *json = &reader->json;
    JsonToken token;
    while ((token = json_next(json)) == JSON_TOKEN_NAME) {
        if (str_is(json->raw, "values")) {
            token = json_next(json);
            if (token == JSON_TOKEN_ERROR) return json_failed(reader, err);
            if (token != JSON_TOKEN_ARRAY_BEGIN)
                return bad_record(reader, err, "its values are not an array");
            if (!read_values(reader, rows, row, err)) return false;
        } else if (str_is(json->raw, "keys") || str_is(json->raw, "shape")) {
            if (!read_integers(reader, row, str_is(json->raw, "keys"), err)) return false;
        } else if (!json_skip(json)) {
            return json_failed(reader, err);
        }
    }
    return token == JSON_TOKEN_OBJECT_END || json_failed(reader, err);
}

/* R's object whose '{' was read; "data" may wrap it once. */
static bool read_object(ContentReader *reader, ContentRows *rows, JsonRow *row, bool wrapped,
                        Error *err)
{
    JsonReader *json = &reader->json;
    JsonToken token;
    while ((token = json_next(json)) == JSON_TOKEN_NAME) {
        bool features = str_is(json->raw, "features"), data = !wrapped && str_is(json->raw, "data");
        if (!features && !data) {
            if (!json_skip(json)) return json_failed(reader, err);
            continue;
        }
        token = json_next(json);
        if (token == JSON_TOKEN_ERROR) return json_failed(reader, err);
        bool good = features && token == JSON_TOKEN_ARRAY_BEGIN
                        ? read_values(reader, rows, row, err)
                    : features && token == JSON_TOKEN_OBJECT_BEGIN
                        ? read_tensor(reader, rows, row, err)
                    : data && token == JSON_TOKEN_OBJECT_BEGIN
                        ? read_object(reader, rows, row, true, err)
                        : bad_record(reader, err, "its features are not an array");
        if (!good) return false;
    }
    return token == JSON_TOKEN_OBJECT_END || json_failed(reader, err);
}

/* A row whose first token was read. */
static bool read_json_row(ContentReader *reader, JsonToken token, ContentRows *rows, Error *err)
{
    JsonRow row = {.size = -1};
    if (!(row.row = row_place(reader, rows, (size_t)MAX(reader->n_cols, 64), err))) return false;
    if (token == JSON_TOKEN_ARRAY_BEGIN) {
        if (!read_values(reader, rows, &row, err)) return false;
    } else if (token == JSON_TOKEN_OBJECT_BEGIN) {
        if (!read_object(reader, rows, &row, false, err)) return false;
    } else {
        return token == JSON_TOKEN_ERROR
                   ? json_failed(reader, err)
                   : bad_record(reader, err, "it is neither an array nor an object");
    }
    if (!row.has_values && !row.has_keys) return bad_record(reader, err, "it has no features");
    bool sparse = row.has_keys || (row.size > 0 && row.n == 0);
    if (sparse && !scatter(reader, rows, &row, err)) return false;
    return end_row(reader, rows, row.row, row.n, err);
}

static bool read_jsonlines_row(ContentReader *reader, ContentRows *rows, Error *err)
{
    Str rest = str_from(reader->body, reader->at), line;
    str_next_line(&rest, &line);
    json_reader_init(&reader->json, line);
    if (!read_json_row(reader, json_next(&reader->json), rows, err)) return false;
    JsonToken token = json_next(&reader->json);
    if (token == JSON_TOKEN_ERROR) return json_failed(reader, err);
    reader->at = rest.ptr ? (size_t)(rest.ptr - reader->body.ptr) : reader->body.len;
    return true;
}

/* Reads up to the first element of "instances". */
static bool begin_json(ContentReader *reader, Error *err)
{
    JsonReader *json = &reader->json;
    json_reader_init(json, reader->body);
    JsonToken token = json_next(json);
    if (token == JSON_TOKEN_ERROR) return json_failed(reader, err);
    while (token == JSON_TOKEN_OBJECT_BEGIN || token == JSON_TOKEN_NAME) {
        if (token == JSON_TOKEN_NAME && str_is(json->raw, "instances")) {
            token = json_next(json);
            if (token == JSON_TOKEN_ERROR) return json_failed(reader, err);
            if (token != JSON_TOKEN_ARRAY_BEGIN)
                return error_set(err, ERROR_INVALID, "'instances' is not an array");
            reader->in_instances = true;
            return true;
        }
        if (token == JSON_TOKEN_NAME && !json_skip(json)) return json_failed(reader, err);
        token = json_next(json);
        if (token == JSON_TOKEN_ERROR) return json_failed(reader, err);
    }
    return error_set(err, ERROR_INVALID, "the body must be {\"instances\":[...]}");
}

/* What follows the instances. */
static bool end_json(ContentReader *reader, Error *err)
{
    JsonReader *json = &reader->json;
    JsonToken token;
    while ((token = json_next(json)) == JSON_TOKEN_NAME) {
        if (str_is(json->raw, "instances"))
            return error_set(err, ERROR_INVALID, "'instances' is given twice");
        if (!json_skip(json)) return json_failed(reader, err);
    }
    if (token == JSON_TOKEN_OBJECT_END) token = json_next(json);
    return token == JSON_TOKEN_END || json_failed(reader, err);
}

static bool read_instance(ContentReader *reader, ContentRows *rows, Error *err)
{
    JsonToken token = json_next(&reader->json);
    if (token != JSON_TOKEN_ARRAY_END) return read_json_row(reader, token, rows, err);
    reader->in_instances = false;
    return end_json(reader, err);
}

/* ---- blocks ---- */

bool content_begin(ContentReader *reader, ContentType type, int32_t label_size,
                   const ContentForm *form, Str body, Error *err)
{
    reader->type = type;
    reader->form = form;
    reader->body = body;
    reader->at = 0;
    reader->record = 0;
    reader->label_size = label_size;
    reader->n_cols = form->n_features;
    reader->in_instances = false;
    reader->joined.max = RECORD_BYTES_MAX;
    switch (type) {
    case CONTENT_CSV:
        if (str_starts(body, STR("\xef\xbb\xbf"))) reader->at = 3; /* a BOM */
        reader->separator = find_separator(str_from(body, reader->at), form->n_features);
        return true;
    case CONTENT_JSON: return begin_json(reader, err);
    case CONTENT_LIBSVM: return begin_libsvm(reader, err);
    default: return true;
    }
}

/* Blank lines between rows of text. */
static bool skip_blank_lines(ContentReader *reader)
{
    const char *text = reader->body.ptr;
    while (reader->at < reader->body.len) {
        size_t at = reader->at;
        if (text[at] == '\r' && at + 1 < reader->body.len && text[at + 1] == '\n') at++;
        if (text[at] != '\n' && !(text[at] == '\r' && at + 1 == reader->body.len)) return true;
        reader->at = at + 1;
    }
    return false;
}

bool content_next(ContentReader *reader, int64_t rows_max, size_t values_max, ContentRows *rows,
                  Error *err)
{
    rows->n_rows = 0;
    rows->noted = false;
    for (bool more = true; more;) {
        bool text = reader->type == CONTENT_CSV || reader->type == CONTENT_JSONLINES ||
                    reader->type == CONTENT_LIBSVM;
        more = text                           ? skip_blank_lines(reader)
               : reader->type == CONTENT_JSON ? reader->in_instances
                                              : reader->at < reader->body.len;
        if (!more) break;
        bool good = false;
        switch (reader->type) {
        case CONTENT_CSV: good = read_csv_row(reader, rows, err); break;
        case CONTENT_JSON: good = read_instance(reader, rows, err); break;
        case CONTENT_JSONLINES: good = read_jsonlines_row(reader, rows, err); break;
        case CONTENT_RECORDIO: good = read_record(reader, rows, err); break;
        case CONTENT_LIBSVM: good = read_libsvm_row(reader, rows, err); break;
        }
        if (!good) return false;
        more = rows->n_rows < rows_max &&
               (size_t)(rows->n_rows + 1) * (size_t)reader->n_cols <= values_max;
        /* A joined record's views end with the next one: blocks end here then. */
        if (reader->type == CONTENT_RECORDIO && rows->noted && reader->joined.len) more = false;
    }
    rows->n_cols = reader->n_cols;
    return true;
}
