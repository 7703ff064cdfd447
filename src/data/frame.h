#ifndef CLARY_DATA_FRAME_H
#define CLARY_DATA_FRAME_H

/* A table of typed columns in Arrow's layout: values, a bit per row for validity, a dictionary for
 * categories, offsets for text.  Every reader of tables makes one, every writer takes one. */

#include "base/arena.h"
#include "base/error.h"

typedef enum ColumnType {
    COLUMN_NUMBER,   /* f32 or f64: exactly one of them is set */
    COLUMN_CATEGORY, /* codes into a dictionary */
    COLUMN_TEXT,     /* free text */
    COLUMN_TIME,     /* microseconds since 1970, UTC */
    COLUMN_BOOL,     /* 0 or 1 */
} ColumnType;

typedef struct Column {
    Str name;
    ColumnType type;
    int64_t n_rows;
    int64_t n_missing;
    uint64_t *valid; /* bit i of word i / 64: row i has a value; NULL: all have */

    float *f32; /* NaN where missing */
    double *f64;
    int32_t *codes; /* -1 where missing */
    Str *categories;
    int32_t n_categories;
    int64_t *offsets; /* n_rows + 1; text of row i is text[offsets[i] .. offsets[i + 1]) */
    char *text;
    int64_t *time_us;
    uint8_t *bools;
} Column;

typedef struct Frame {
    Arena arena; /* names and dictionaries */
    Column *columns;
    int32_t n_columns;
    int64_t n_rows;
} Frame;

Frame *frame_new(int32_t n_columns);
void frame_free(Frame *frame); /* the column arrays are data_alloc'ed and go with it */
AUTO_FREE(Frame, frame_free);
void column_clear(Column *column); /* frees its arrays */

/* A column by name, or NULL. */
Column *frame_column(const Frame *frame, Str name);

/* Position of the column that `text` names: its name, or else a zero-based number below n_columns.
 * Fails with the nearest name: "no column 'ag' (did you mean 'age'?); the columns are ...". */
bool frame_find(const Frame *frame, Str text, int32_t *ret_column, Error *err);

/* The refusal of frame_find for any list of names; returns false. */
bool no_such_column(Str name, const Str *names, int32_t n, Error *err);

/* False when the names are the made-up f0, f1, ... of data that has none. */
bool frame_is_named(const Frame *frame);
bool is_made_up_name(Str name, int32_t position);

static inline bool column_is_valid(const Column *column, int64_t row)
{
    return !column->valid || (column->valid[row >> 6] >> (row & 63) & 1);
}

/* Row `row` as text in the form the writers use; numbers in the shortest form that reads back to
 * the same value; missing is "".  The result lives in `arena` or in the column. */
Str column_text(const Column *column, int64_t row, Arena *arena);

const char *column_type_name(ColumnType type); /* "number", "category", ... */

#endif
