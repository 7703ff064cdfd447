#ifndef CLARY_FORMAT_CSV_H
#define CLARY_FORMAT_CSV_H

/* CSV (RFC 4180) as positions: where fields end, and numbers out of fields.
 *
 * Fields may be quoted ("" is a quote inside quotes; separators and newlines may stand there too).
 * A quote inside an unquoted field, or text after a closing quote, is refused.  Rows end with LF or
 * CRLF.  All processor levels give the same results.
 *
 * Up to CSV_SLACK bytes beyond a text's end are read (and mean nothing). */

#include "base/cpu.h"
#include "base/error.h"
#include "base/str.h"

enum {
    CSV_SLACK = 64,
    CSV_FIELD_MAX = 1 << 20,
    CSV_LINE_MAX = 16 << 20,
    CSV_COLUMNS_MAX = 65536,
};

typedef struct CsvIndex {
    size_t n_ends;  /* ends found, those of an unfinished last row included */
    size_t n_rows;  /* rows that ended: newlines outside quotes */
    bool inside;    /* the text ends inside quotes */
    bool bad_quote; /* a quote where none may be: what the index says is worth nothing */
    bool nul;       /* the text has a zero byte */
    bool quotes;    /* it has quotes */
} CsvIndex;

/* Finds the ends of the fields of `text` (below 4 GiB), which begins with a row: ends[i] is the
 * position of the separator or newline after field i, which begins at ends[i - 1] + 1, with
 * ends[-1] = -1.  A last row without newline has no end for its last field.
 * `ends` has room for text.len + 64. */
void csv_index(Str text, char separator, uint32_t *ends, CsvIndex *ret_index);

/* The same by the code of a certain level, which this processor must have (tests compare them). */
void csv_index_at(CpuLevel level, Str text, char separator, uint32_t *ends, CsvIndex *ret_index);

/* Quotes in the text, to know by their parity whether a place lies inside quotes. */
size_t csv_count_quotes(Str text);

typedef enum CsvRowStatus {
    CSV_ROW_OK,
    CSV_ROW_UNFINISHED,   /* the text ends before the row does */
    CSV_ROW_QUOTE_INSIDE, /* a quote in an unquoted field */
    CSV_ROW_AFTER_QUOTE,  /* text after a closing quote */
    CSV_ROW_NOT_CLOSED,   /* no closing quote within CSV_LINE_MAX or to the end */
    CSV_ROW_NUL,
} CsvRowStatus;

/* One row byte by byte, as csv_index reads it: appends the ends of its fields (at most max; more
 * are counted, not kept) and returns where the next row begins in *ret_next.  A row with a wrong quote
 * ends at its first newline and has one end.  `last`: the text ends the file, which ends a row. */
CsvRowStatus csv_scan_row(Str text, size_t begin, char separator, bool last, uint32_t *ends,
                          size_t max, size_t *ret_n, size_t *ret_next);

/* Fields to numbers.  Field i is text[begins[i] + add .. ends[i]).  Fields of at most 16 bytes of
 * sign, digits and point are converted right away, bit-equal to strtof and strtod, empty ones to
 * NaN; the positions of all others go to odd[0 .. *ret_n_odd) in rising order, to be looked at one by
 * one.  `odd` has room for n + 8.  Returns whether there were empty fields. */
bool csv_floats(const char *text, const uint32_t *begins, uint32_t add, const uint32_t *ends,
                size_t n, float *out, uint32_t *odd, size_t *ret_n_odd);
bool csv_doubles(const char *text, const uint32_t *begins, uint32_t add, const uint32_t *ends,
                 size_t n, double *out, uint32_t *odd, size_t *ret_n_odd);

/* The same by the code of a certain level. */
bool csv_floats_at(CpuLevel level, const char *text, const uint32_t *begins, uint32_t add,
                   const uint32_t *ends, size_t n, float *out, uint32_t *odd, size_t *ret_n_odd);
bool csv_doubles_at(CpuLevel level, const char *text, const uint32_t *begins, uint32_t add,
                    const uint32_t *ends, size_t n, double *out, uint32_t *odd, size_t *ret_n_odd);

/* n columns of n_rows floats out of rows of n. */
void csv_turn_floats(const float *rows, size_t n_rows, size_t n, float *const *columns);

/* A field as it stands in the file, without its quotes and the blanks around it.  Doubled quotes
 * make a copy into `buffer`, which has room for the field. */
Str csv_field_text(Str field, char *buffer);

/* The whole field as a number: blanks and quotes around it are fine.  False: it is none. */
bool csv_field_float(Str field, float *ret_value);
bool csv_field_double(Str field, double *ret_value);

/* A row of numbers, as requests hold them: reads the first row of `text` into out[0 .. max), empty
 * fields as NaN, and says in *ret_n how many there were and in *ret_next where the next row begins (text.len
 * at the end).  Errors name the field ("field 3: 'abc' is not a number", from 1). */
bool csv_parse_row(Str text, char separator, float *out, int32_t max, int32_t *ret_n,
                   size_t *ret_next, Error *err);

/* What to show of a value in a message: at most about 40 bytes, control characters escaped. */
enum { CSV_SHOWN_MAX = 64 };
const char *csv_shown(Str value, char buffer[static CSV_SHOWN_MAX]);

#endif
