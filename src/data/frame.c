/* Tables of typed columns. */

#include "data/frame.h"

#include "base/memory.h"
#include "format/number.h"

#include <stdlib.h>
#include <time.h>

Frame *frame_new(int32_t n_columns)
{
    Frame *frame = calloc(1, sizeof *frame);
    if (!frame) memory_exhausted(sizeof *frame);
    frame->columns = arena_array(&frame->arena, Column, n_columns);
    frame->n_columns = n_columns;
    return frame;
}

void column_clear(Column *column)
{
    data_free(column->valid);
    data_free(column->f32);
    data_free(column->f64);
    data_free(column->codes);
    data_free(column->offsets);
    data_free(column->text);
    data_free(column->time_us);
    data_free(column->bools);
}

void frame_free(Frame *frame)
{
    if (!frame) return;
    for (int32_t j = 0; j < frame->n_columns; j++) column_clear(&frame->columns[j]);
    arena_clear(&frame->arena);
    free(frame);
}

Column *frame_column(const Frame *frame, Str name)
{
    for (int32_t j = 0; j < frame->n_columns; j++)
        if (str_eq(frame->columns[j].name, name)) return &frame->columns[j];
    return NULL;
}

bool no_such_column(Str name, const Str *names, int32_t n, Error *err)
{
    enum { SHOWN = 20 };
    int nearest = str_nearest(name, names, (size_t)n);
    error_set(err, ERROR_NOT_FOUND, "no column '%.*s'", STR_ARG(name));
    if (nearest >= 0) error_more(err, " (did you mean '%.*s'?)", STR_ARG(names[nearest]));
    error_more(err, "; the columns are ");
    for (int32_t j = 0; j < n && j < SHOWN; j++)
        error_more(err, "%s'%.*s'", j ? ", " : "", STR_ARG(names[j]));
    if (n > SHOWN) error_more(err, " and %d more", n - SHOWN);
    return false;
}

bool frame_find(const Frame *frame, Str text, int32_t *ret_column, Error *err)
{
    const Column *column = frame_column(frame, text);
    if (column) {
        *ret_column = (int32_t)(column - frame->columns);
        return true;
    }
    int64_t number;
    if (str_to_int64(text, &number)) {
        if (number >= 0 && number < frame->n_columns) {
            *ret_column = (int32_t)number;
            return true;
        }
        if (number >= 0)
            return error_set(err, ERROR_NOT_FOUND,
                             "no column %lld: there are %d, numbered from 0 to %d",
                             (long long)number, frame->n_columns, frame->n_columns - 1);
    }
    ARENA(scratch);
    Str *names = arena_array(&scratch, Str, frame->n_columns);
    for (int32_t j = 0; j < frame->n_columns; j++) names[j] = frame->columns[j].name;
    return no_such_column(text, names, frame->n_columns, err);
}

bool is_made_up_name(Str name, int32_t position)
{
    int64_t number;
    return name.len > 1 && name.ptr[0] == 'f' && str_to_int64(str_from(name, 1), &number) &&
           number == position;
}

bool frame_is_named(const Frame *frame)
{
    for (int32_t j = 0; j < frame->n_columns; j++)
        if (!is_made_up_name(frame->columns[j].name, j)) return true;
    return false;
}

const char *column_type_name(ColumnType type)
{
    static const char *const names[] = {"number", "category", "text", "time", "bool"};
    return names[type];
}

/* "2013-01-31", or "2013-01-31T05:06:07" with a fraction of up to six digits. */
static Str time_text(int64_t time_us, Arena *arena)
{
    int64_t second = time_us / 1000000, fraction = time_us % 1000000;
    if (fraction < 0) {
        fraction += 1000000;
        second--;
    }
    struct tm tm;
    time_t at = (time_t)second;
    if (!gmtime_r(&at, &tm)) return arena_format(arena, "%lld", (long long)time_us);
    if (second % 86400 == 0 && fraction == 0)
        return arena_format(arena, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
    Str text = arena_format(arena, "%04d-%02d-%02dT%02d:%02d:%02d.%06d", tm.tm_year + 1900,
                            tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
                            (int)fraction);
    if (fraction == 0) text.len -= 7;
    while (fraction && text.ptr[text.len - 1] == '0') text.len--;
    return text;
}

Str column_text(const Column *column, int64_t row, Arena *arena)
{
    static const Str missing = STR_INIT("");
    if (!column_is_valid(column, row)) return missing;
    char *number;
    switch (column->type) {
    case COLUMN_NUMBER:
        if (column->f32 ? column->f32[row] != column->f32[row]
                        : column->f64[row] != column->f64[row])
            return missing;
        number = arena_alloc(arena, NUMBER_TEXT_MAX);
        return (Str){number, column->f32 ? number_print_float(column->f32[row], number)
                                         : number_print_double(column->f64[row], number)};
    case COLUMN_CATEGORY:
        return column->codes[row] < 0 ? missing : column->categories[column->codes[row]];
    case COLUMN_TEXT:
        return (Str){column->text + column->offsets[row],
                     (size_t)(column->offsets[row + 1] - column->offsets[row])};
    case COLUMN_TIME: return time_text(column->time_us[row], arena);
    case COLUMN_BOOL: return column->bools[row] ? STR("true") : STR("false");
    }
    return missing;
}
