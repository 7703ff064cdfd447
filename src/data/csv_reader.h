#ifndef CLARY_DATA_CSV_READER_H
#define CLARY_DATA_CSV_READER_H

/* What the files of the CSV reader share.
 *
 * The text comes in windows that begin with a row.  A window is cut at newlines into pieces, whose fields
 * are found in parallel; then each piece knows its rows, and all columns are filled in parallel:
 * numbers, times and bools piece by piece, categories and texts column by column, because their
 * dictionaries grow in the order of the rows. */

#include "base/file.h"
#include "base/memory.h"
#include "data/dictionary.h"
#include "data/problems.h"
#include "data/read.h"
#include "data/source.h"
#include "format/csv.h"

#include <stdio.h>

typedef struct CsvColumn {
    ColumnType type;
    bool demanded;      /* must be a number: another text is an error, not another type */
    bool category_only; /* asked for: never becomes text */
    bool contradicted;  /* a row was found that its type cannot hold */
    Arena arena;        /* of the words */
    Dictionary words;
    int64_t text_len, text_capacity; /* COLUMN_TEXT */
} CsvColumn;

/* Rows next to each other, all with the right number of fields. */
typedef struct CsvRun {
    size_t first_end;
    int64_t n_rows;
    int64_t row;        /* rows of the piece before it */
    int64_t source_row; /* the same with dropped ones */
} CsvRun;

/* The first places where something is wrong, in the order of the rows. */
typedef struct CsvPlaces {
    int64_t n;
    int64_t rows[PROBLEMS_SHOWN];
    char texts[PROBLEMS_SHOWN][260];
} CsvPlaces;

typedef struct CsvPiece {
    Str text;
    uint32_t *memory; /* data_alloc'ed */
    size_t capacity;  /* of ends */
    uint32_t *ends;   /* in memory; ends[-1] is there */
    size_t n_ends;    /* of whole rows */
    CsvIndex index;
    bool regular, crlf;
    size_t consumed;
    CsvRun *runs; /* in the reader's window arena */
    size_t n_runs, runs_capacity;
    int64_t n_rows, n_source_rows;
    int64_t row;                        /* of the frame, of its first row */
    int64_t source_row;                 /* of the file */
    CsvPlaces wrong_rows, wrong_values; /* merged by row, so that the first five are the first */
    int64_t n_bad;                      /* rows with a bad value in a demanded column */
    int64_t *bad_rows;                  /* of the frame, rising; kept when rows are skipped */
    int64_t bad_capacity;
    int64_t *n_missing; /* per column, since the start of the pass */
    uint8_t *contradicted;
    char *scratch; /* for a tile of numbers */
} CsvPiece;

typedef struct CsvReader {
    Source *source;
    const ReadOptions *options;
    Pool *pool;
    Arena arena;  /* names, pieces */
    Arena window; /* runs of the window at hand */

    char separator;
    bool header,
        header_doubt; /* header_doubt: no header was asked for, but the first line has no number */
    int32_t n_columns;
    Str *names;
    Str header_line;
    CsvColumn *columns;
    bool loose;                  /* number fields with quotes or blanks around them are frequent */
    int32_t *numbers, n_numbers; /* positions of number columns */
    int32_t *single, n_single;   /* of times and bools */
    int32_t *worded, n_worded;   /* of categories and texts */

    Frame *frame;
    int64_t capacity; /* of the columns, in rows */
    int64_t n_rows;
    int64_t file_rows; /* rows of the file at hand so far, dropped ones included */
    const char *file_name;
    int64_t bytes_read, bytes_total; /* bytes_total 0: not known */

    CsvPiece *pieces;
    int32_t n_pieces, pieces_max;
    Error *err;
    bool failed; /* in a parallel part; err is set under `failing` */
    int failing;

    Problems problems;
    int64_t n_skipped;
    int64_t *drop; /* rows of the frame that are to go */
    int64_t n_drop, drop_capacity;

    int spool; /* copy of a pipe, or -1 */
    Source *spooled;
    const char *spool_name;
} CsvReader;

/* csv_infer.c: looks at the beginning of the first file.  Sets separator, header, names and columns;
 * *ret_begin is where the first row of data begins. */
bool csv_infer(CsvReader *reader, Str text, bool last, size_t *ret_begin, Error *err);

/* Whether it stands for no value in number and time columns. */
bool csv_is_missing_word(Str text);
bool csv_bool_parse(Str text, uint8_t *ret_value);

/* csv_convert.c */
bool csv_reserve_rows(CsvReader *reader, int64_t n_rows, Error *err);
void csv_convert_piece(CsvReader *reader, CsvPiece *piece);
void csv_convert_words(CsvReader *reader, int32_t j);
bool csv_finish_columns(CsvReader *reader, Error *err);
void csv_fail(CsvReader *reader, const Error *err); /* from a parallel part */

void csv_add_place(CsvPlaces *places, int64_t source_row, const char *format, ...)
    PRINTF_LIKE(3, 4);

/* "row 17", or "'part-2.csv' row 17" where there are several files. */
const char *csv_place(const CsvReader *reader, int64_t source_row, char buffer[static 256]);

#endif
