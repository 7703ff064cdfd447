/* Times to numbers: their parts as they are, or on a circle, where December is next to January.  Times are UTC; the week
 * begins with Monday, 0. */

#include "prepare/steps.h"

#include <time.h>

typedef enum Part {
    PART_YEAR,
    PART_QUARTER,
    PART_MONTH,
    PART_DAY,
    PART_WEEKDAY,
    PART_HOUR,
    PART_MINUTE,
    PART_YEARDAY,
    PARTS
} Part;
static const char *const part_names[] = {"year",    "quarter", "month",  "day",
                                         "weekday", "hour",    "minute", "yearday"};
/* how many there are, and the first one; a year has no period */
static const double periods[] = {0, 4, 12, 31, 7, 24, 60, 366};
static const double firsts[] = {0, 1, 1, 1, 0, 0, 0, 1};

static double part_of(int64_t time_us, Part part)
{
    struct tm tm;
    time_t second = (time_t)(time_us / 1000000 - (time_us % 1000000 < 0));
    if (!gmtime_r(&second, &tm)) return NAN;
    int quarter = tm.tm_mon / 3 + 1;
    switch (part) {
    case PART_YEAR: return tm.tm_year + 1900;
    case PART_QUARTER: return quarter;
    case PART_MONTH: return tm.tm_mon + 1;
    case PART_DAY: return tm.tm_mday;
    case PART_WEEKDAY: return (tm.tm_wday + 6) % 7;
    case PART_HOUR: return tm.tm_hour;
    case PART_MINUTE: return tm.tm_min;
    default: return tm.tm_yday + 1;
    }
}

static int part_named(Str text)
{
    for (int k = 0; k < PARTS; k++)
        if (str_eq_nocase(text, str_of(part_names[k]))) return k;
    return -1;
}

static bool check_parts(const Step *step, bool circle, Error *err)
{
    const StepValue *parts = step_value(step, "parts");
    for (int32_t k = 0; k < parts->n_texts; k++) {
        int part = part_named(parts->texts[k]);
        for (int32_t i = 0; i < k; i++)
            if (part >= 0 && part == part_named(parts->texts[i]))
                return error_set(err, ERROR_INVALID, "'parts' has '%s' twice", part_names[part]);
        if (part >= 0 && (!circle || part != PART_YEAR)) continue;
        Str names[PARTS];
        for (int i = 0; i < PARTS; i++) names[i] = str_of(part_names[i]);
        int nearest = str_nearest(parts->texts[k], names, PARTS);
        error_set(err, ERROR_INVALID, "'parts' has '%.*s'", STR_ARG(parts->texts[k]));
        if (nearest >= 0 && part < 0) error_more(err, " (did you mean '%s'?)", part_names[nearest]);
        error_more(err, ", but must be of");
        for (int i = circle; i < PARTS; i++)
            error_more(err, "%s %s", i > circle ? "," : "", part_names[i]);
        return false;
    }
    return true;
}

static bool cyclical_check(const Step *step, Error *err)
{
    return check_parts(step, true, err);
}

static bool date_parts_check(const Step *step, Error *err)
{
    return check_parts(step, false, err);
}

/* In place of the time, its parts: one column each, or sine and cosine. */
static bool parts_apply(const Step *step, Frame *table, bool circle, Error *err)
{
    ARENA(arena);
    const StepValue *parts = step_value(step, "parts");
    int32_t width = circle ? 2 : 1;
    for (int32_t j = 0; j < step->n_columns; j++) {
        Column *c, *out = arena_array(&arena, Column, parts->n_texts * width);
        if (!step_column(step, table, step->columns[j], TAKES_TIMES, &c, err)) return false;
        for (int32_t k = 0; k < parts->n_texts * width; k++) {
            Part part = (Part)part_named(parts->texts[k / width]);
            static const char *const ends[] = {"_sin", "_cos"};
            Str name = arena_format(&arena, "%.*s_%s%s", STR_ARG(c->name), part_names[part],
                                    circle ? ends[k % 2] : "");
            if (!number_column(table, name, &out[k], err)) {
                for (int32_t i = 0; i < k; i++) column_clear(&out[i]);
                return false;
            }
            for (int64_t i = 0; i < c->n_rows; i++) {
                double x = cell_missing(c, i) ? (double)NAN : part_of(c->time_us[i], part);
                double angle = circle ? 2 * M_PI * (x - firsts[part]) / periods[part] : 0;
                out[k].f64[i] = !circle ? x : k % 2 ? cos(angle) : sin(angle);
            }
        }
        table_splice(table, (int32_t)(c - table->columns), 1, out, parts->n_texts * width);
    }
    return true;
}

static bool cyclical_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    return parts_apply(step, table, true, err);
}

static bool date_parts_apply(const Step *step, Frame *table, TableRole role UNUSED, Error *err)
{
    return parts_apply(step, table, false, err);
}

const StepKind cyclical_step = {
    .name = "cyclical",
    .group = "Encoding",
    .summary = "a time becomes sine and cosine of its parts: December is next to January",
    .example = "cyclical day parts month, weekday, hour",
    .takes = TAKES_TIMES,
    .words = {{.name = "parts",
               .kind = WORD_TEXTS,
               .help = "quarter, month, day, weekday, hour, minute, yearday"}},
    .check = cyclical_check,
    .apply = cyclical_apply,
};

const StepKind date_parts_step = {
    .name = "date-parts",
    .group = "Encoding",
    .summary = "a time becomes its parts as numbers; Monday is 0",
    .example = "date-parts day parts year, month",
    .takes = TAKES_TIMES,
    .words = {{.name = "parts",
               .kind = WORD_TEXTS,
               .help = "year, quarter, month, day, weekday, hour, minute, yearday"}},
    .check = date_parts_check,
    .apply = date_parts_apply,
};
