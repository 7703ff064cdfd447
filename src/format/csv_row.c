/* CSV a row or a field at a time: rows with something wrong in them, single requests, messages. */

#include "format/csv.h"

#include "base/cpu.h"
#include "format/number.h"

#include <math.h>
#include <stdio.h>

static CsvRowStatus end_at_newline(Str text, size_t begin, bool last, CsvRowStatus status,
                                   uint32_t *ends, size_t *ret_n, size_t *ret_next)
{
    const char *newline = memchr(text.ptr + begin, '\n', text.len - begin);
    if (!newline && !last && text.len - begin < CSV_LINE_MAX) return CSV_ROW_UNFINISHED;
    size_t end = newline ? (size_t)(newline - text.ptr) : text.len;
    ends[0] = (uint32_t)end;
    *ret_n = 1;
    *ret_next = MIN(end + 1, text.len);
    return status;
}

CsvRowStatus csv_scan_row(Str text, size_t begin, char separator, bool last, uint32_t *ends,
                          size_t max, size_t *ret_n, size_t *ret_next)
{
    enum { START, PLAIN, QUOTED, CLOSED } state = START;
    size_t n = 0;
    bool nul = false;
    for (size_t at = begin;; at++) {
        bool over = at == text.len;
        if (over && !last) {
            if (state == QUOTED && text.len - begin >= CSV_LINE_MAX)
                return end_at_newline(text, begin, last, CSV_ROW_NOT_CLOSED, ends, ret_n, ret_next);
            return CSV_ROW_UNFINISHED;
        }
        if (over && state == QUOTED)
            return end_at_newline(text, begin, last, CSV_ROW_NOT_CLOSED, ends, ret_n, ret_next);
        char c = over ? '\n' : text.ptr[at];
        if (c == 0) nul = true;
        if (state == QUOTED) {
            if (c == '"') state = CLOSED;
        } else if (c == separator || c == '\n') {
            if (n < max) ends[n] = (uint32_t)at;
            n++;
            state = START;
            if (c != '\n') continue;
            *ret_n = n;
            *ret_next = over ? text.len : at + 1;
            return nul ? CSV_ROW_NUL : CSV_ROW_OK;
        } else if (c == '"') {
            if (state == PLAIN)
                return end_at_newline(text, begin, last, CSV_ROW_QUOTE_INSIDE, ends, ret_n,
                                      ret_next);
            state = QUOTED;
        } else if (state == CLOSED && c != '\r') {
            return end_at_newline(text, begin, last, CSV_ROW_AFTER_QUOTE, ends, ret_n, ret_next);
        } else {
            state = PLAIN;
        }
    }
}

static inline bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

Str csv_field_text(Str field, char *buffer)
{
    while (field.len && is_blank(field.ptr[field.len - 1])) field.len--;
    if (field.len && field.ptr[0] == '"') {
        if (field.len < 2 || field.ptr[field.len - 1] != '"') return field;
        field = str_slice(field, 1, field.len - 1);
        const char *quote = memchr(field.ptr, '"', field.len);
        if (!quote) return field;
        size_t n = 0;
        for (size_t i = 0; i < field.len; i++) {
            buffer[n++] = field.ptr[i];
            if (field.ptr[i] == '"' && i + 1 < field.len && field.ptr[i + 1] == '"') i++;
        }
        return (Str){buffer, n};
    }
    while (field.len && is_blank(field.ptr[0])) field = str_from(field, 1);
    return field;
}

/* Blanks and one pair of quotes off. */
static inline Str bare(Str field)
{
    while (field.len && is_blank(field.ptr[field.len - 1])) field.len--;
    while (field.len && is_blank(field.ptr[0])) field = str_from(field, 1);
    if (UNLIKELY(field.len >= 2 && field.ptr[0] == '"' && field.ptr[field.len - 1] == '"')) {
        field = str_slice(field, 1, field.len - 1);
        while (field.len && is_blank(field.ptr[field.len - 1])) field.len--;
        while (field.len && is_blank(field.ptr[0])) field = str_from(field, 1);
    }
    return field;
}

bool csv_field_float(Str field, float *ret_value)
{
    field = bare(field);
    if (field.len == 0) {
        *ret_value = NAN;
        return true;
    }
    float value;
    const char *end = field.ptr + field.len;
    if (number_parse_float(field.ptr, end, &value) != end) return false;
    *ret_value = value;
    return true;
}

bool csv_field_double(Str field, double *ret_value)
{
    field = bare(field);
    if (field.len == 0) {
        *ret_value = NAN;
        return true;
    }
    double value;
    const char *end = field.ptr + field.len;
    if (number_parse_double(field.ptr, end, &value) != end) return false;
    *ret_value = value;
    return true;
}

const char *csv_shown(Str value, char buffer[static CSV_SHOWN_MAX])
{
    enum { SHOWN = 40 };
    size_t n = 0, at = 0;
    for (; at < value.len && n < SHOWN; at++) {
        unsigned char c = (unsigned char)value.ptr[at];
        if (c == '\n' || c == '\r' || c == '\t')
            n += (size_t)snprintf(buffer + n, 3, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c < 32 || c == 127)
            n += (size_t)snprintf(buffer + n, 5, "\\x%02x", c);
        else
            buffer[n++] = (char)c;
    }
    if (at < value.len) {
        /* Not in the middle of a UTF-8 character. */
        while (at > 0 && n > 0 && ((unsigned char)value.ptr[at] & 0xc0) == 0x80) {
            at--;
            n--;
        }
        memcpy(buffer + n, "...", 3);
        n += 3;
    }
    buffer[n] = 0;
    return buffer;
}

static const char *row_reason(CsvRowStatus status)
{
    switch (status) {
    case CSV_ROW_QUOTE_INSIDE: return "a quote inside an unquoted field";
    case CSV_ROW_AFTER_QUOTE: return "text after a closing quote";
    case CSV_ROW_NOT_CLOSED: return "a quote that is not closed";
    case CSV_ROW_NUL: return "a zero byte";
    default: return "";
    }
}

enum { ROW_BYTES_FAST = 4096, ROW_BLOCK = 512 };

/* Many fields or bytes: byte by byte, field by field. */
static bool parse_long_row(Str text, char separator, float *out, int32_t max, int32_t *ret_n,
                           size_t *ret_next, Error *err)
{
    UNINITIALIZED uint32_t ends[ROW_BLOCK];
    size_t n = 0, next = 0, begin = 0;
    CsvRowStatus status = csv_scan_row(text, 0, separator, true, ends, 0, &n, &next);
    if (status == CSV_ROW_QUOTE_INSIDE || status == CSV_ROW_AFTER_QUOTE ||
        status == CSV_ROW_NOT_CLOSED || status == CSV_ROW_NUL)
        return error_set(err, ERROR_INVALID, "%s", row_reason(status));
    if (n > (size_t)max)
        return error_set(err, ERROR_INVALID, "%zu fields, at most %d expected", n, max);
    bool inside = false;
    size_t field = 0;
    for (size_t at = 0; field < n; at++) {
        bool over = at >= text.len;
        if (!over && text.ptr[at] == '"') inside = !inside;
        if (!over && (inside || (text.ptr[at] != separator && text.ptr[at] != '\n'))) continue;
        Str value = str_slice(text, begin, MIN(at, text.len));
        if (!csv_field_float(value, &out[field])) {
            char shown[CSV_SHOWN_MAX];
            return error_set(err, ERROR_INVALID, "field %zu: '%s' is not a number", field + 1,
                             csv_shown(bare(value), shown));
        }
        field++;
        begin = at + 1;
    }
    *ret_n = (int32_t)n;
    *ret_next = next;
    return true;
}

bool csv_parse_row(Str text, char separator, float *out, int32_t max, int32_t *ret_n,
                   size_t *ret_next, Error *err)
{
    const char *newline = memchr(text.ptr, '\n', text.len);
    size_t len = newline ? (size_t)(newline - text.ptr) : text.len;
    size_t next = newline ? len + 1 : len;
    if (len >= ROW_BLOCK * 2 || memchr(text.ptr, '"', len))
        return parse_long_row(text, separator, out, max, ret_n, ret_next, err);
    if (len && text.ptr[len - 1] == '\r') len--;

    UNINITIALIZED uint32_t all[1 + ROW_BLOCK * 2 + 64], odd[ROW_BLOCK * 2 + 8];
    uint32_t *ends = all + 1;
    CsvIndex index;
    all[0] = UINT32_MAX;
    csv_index((Str){text.ptr, len}, separator, ends, &index);
    if (index.nul) return error_set(err, ERROR_INVALID, "a zero byte");
    size_t n = index.n_ends + 1, n_odd;
    ends[n - 1] = (uint32_t)len;
    if (n > (size_t)max)
        return error_set(err, ERROR_INVALID, "%zu fields, at most %d expected", n, max);
    csv_floats(text.ptr, ends - 1, 1, ends, n, out, odd, &n_odd);
    for (size_t i = 0; i < n_odd; i++) {
        uint32_t field = odd[i], from = ends[(ptrdiff_t)field - 1] + 1;
        Str value = {text.ptr + from, ends[field] - from};
        if (!csv_field_float(value, &out[field])) {
            char shown[CSV_SHOWN_MAX];
            return error_set(err, ERROR_INVALID, "field %u: '%s' is not a number", field + 1,
                             csv_shown(bare(value), shown));
        }
    }
    *ret_n = (int32_t)n;
    *ret_next = next;
    return true;
}
