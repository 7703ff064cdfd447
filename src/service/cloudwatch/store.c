/* Metrics in the database: a row per metric, a row per point that was put (a sample or a statistic set).
 *
 * Points are kept as they came and put together per period when they are read.  AWS thins old points out (1 s for 3 hours, 1 min
 * for 15 days, ...); here points older than 455 days go, at start. */

#include "service/cloudwatch/store.h"

#include "base/clock.h"

#include <math.h>
#include <stdlib.h>

#define KEPT_SECONDS (455.0 * 86400)

static const char *const schema[] = {
    "CREATE TABLE metric (id AUTO_ID, region TEXT NOT NULL, space TEXT NOT NULL, name TEXT NOT NULL, dimensions TEXT NOT "
    "NULL, next BIGINT NOT NULL, last BIGINT NOT NULL)",
    "CREATE UNIQUE INDEX metric_name ON metric (region, space, name, dimensions)",
    "CREATE TABLE metric_point (metric_id BIGINT NOT NULL, time BIGINT NOT NULL, number BIGINT NOT NULL, n DOUBLE PRECISION NOT "
    "NULL, sum DOUBLE PRECISION NOT NULL, min DOUBLE PRECISION NOT NULL, max DOUBLE PRECISION NOT NULL, unit TEXT NOT NULL, "
    "PRIMARY KEY (metric_id, time, number)) WITHOUT ROWID",
    NULL,
};

static int compare_names(const void *a, const void *b)
{
    return str_compare(((const JsonMember *)a)->name, ((const JsonMember *)b)->name);
}

static Str canonical(JsonMember *members, size_t n, Arena *arena)
{
    if (n) qsort(members, n, sizeof *members, compare_names);
    Json object = {.type = JSON_OBJECT, .n = n, .members = members};
    return json_text(arena, &object);
}

Str metric_dimensions(const Json *list, Arena *arena)
{
    size_t n = list ? list->n : 0;
    JsonMember *members = arena_array(arena, JsonMember, n + 1);
    for (size_t i = 0; i < n; i++)
        members[i] = (JsonMember){json_get_text(json_at(list, i), "Name"),
                                  json_get(json_at(list, i), "Value")};
    return canonical(members, n, arena);
}

Json *metric_dimensions_list(Str text, Arena *arena)
{
    Json *list = json_new_array(arena);
    const Json *object = NULL;
    if (!json_parse(arena_str(arena, text), arena, &object, NULL)) return list;
    for (size_t i = 0; i < object->n; i++) {
        Json *dimension = json_new_object(arena);
        json_set_text(arena, dimension, "Name", object->members[i].name);
        json_set(arena, dimension, "Value", object->members[i].value);
        json_push(arena, list, dimension);
    }
    return list;
}

/* ---- putting ---- */

typedef struct Put {
    Str region;
    const MetricPoint *points;
    size_t n;
} Put;

static bool put_point(DbTx *tx, Str region, const MetricPoint *point, Arena *arena, Error *err)
{
    JsonMember members[COUNT(point->dimensions)];
    for (int i = 0; i < point->n_dimensions; i++)
        members[i] = (JsonMember){point->dimensions[i].name,
                                  json_new_text(arena, point->dimensions[i].value)};
    Str dimensions = point->canonical.ptr ? point->canonical
                                          : canonical(members, (size_t)point->n_dimensions, arena);
    int64_t time = (int64_t)(point->time * 1e3), id = 0, number = 0;
    {
        DB_ROWS(rows);
        Error end = {0};
        if (!db_query(
                tx, &rows, err,
                "INSERT INTO metric (region, space, name, dimensions, next, last) VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT "
                "(region, space, name, dimensions) DO UPDATE SET next = metric.next + 1, last = excluded.last RETURNING id, "
                "next",
                "tttti", region, point->space, point->name, dimensions, time))
            return false;
        if (!db_next(&rows, &end))
            return error_set(err, ERROR_INTERNAL, "the metric's row did not come back: %s",
                             end.text);
        id = db_int(&rows, 0);
        number = db_int(&rows, 1);
        while (db_next(&rows, &end)) {
        }
    }
    bool one = point->n == 0;
    return db_run(
        tx, err,
        "INSERT INTO metric_point (metric_id, time, number, n, sum, min, max, unit) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        "iiiddddt", id, time, number, one ? 1 : point->n, one ? point->value : point->sum,
        one ? point->value : point->min, one ? point->value : point->max,
        str_of(point->unit ? point->unit : "None"));
}

static bool put_points(void *arg, DbTx *tx, Error *err)
{
    const Put *put = arg;
    ARENA(arena);
    for (size_t i = 0; i < put->n; i++)
        if (!put_point(tx, put->region, &put->points[i], &arena, err)) return false;
    return true;
}

bool metrics_put(Server *server, Str region, const MetricPoint *points, size_t n, Error *err)
{
    return n == 0 || db_write(server->db, put_points, &(Put){region, points, n}, err);
}

/* ---- statistics ---- */

static bool percentile_of(Str statistic, double *ret_percent)
{
    return statistic.len > 1 && statistic.ptr[0] == 'p' &&
           str_to_double(str_from(statistic, 1), ret_percent) && *ret_percent >= 0 &&
           *ret_percent <= 100;
}

bool metric_statistic_known(Str statistic)
{
    static const char *const names[] = {"Average", "Sum", "Minimum", "Maximum", "SampleCount"};
    double percent;
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is(statistic, names[i])) return true;
    return percentile_of(statistic, &percent);
}

/* Linear between the two nearest ranks, each sample counting as often as its weight. */
static double percentile(const Period *period, double percent)
{
    double total = 0, seen = 0;
    for (size_t i = 0; i < period->n_samples; i++) total += period->weights[i];
    if (!period->n_samples) return period->max;
    double rank = percent / 100 * (total - 1), below = floor(rank);
    double low = period->samples[0], high = low;
    bool found = false;
    for (size_t i = 0; i < period->n_samples; i++) {
        seen += period->weights[i];
        if (!found && seen > below) {
            low = period->samples[i];
            found = true;
        }
        high = period->samples[i];
        if (seen > below + 1) break;
    }
    return low + (rank - below) * (high - low);
}

double metric_statistic(const Period *period, Str statistic)
{
    double percent;
    if (str_is(statistic, "Average")) return period->sum / period->n;
    if (str_is(statistic, "Sum")) return period->sum;
    if (str_is(statistic, "Minimum")) return period->min;
    if (str_is(statistic, "Maximum")) return period->max;
    if (str_is(statistic, "SampleCount")) return period->n;
    return percentile_of(statistic, &percent) ? percentile(period, percent) : NAN;
}

typedef struct Sample {
    double value, weight;
} Sample;

static int compare_samples(const void *a, const void *b)
{
    double x = ((const Sample *)a)->value, y = ((const Sample *)b)->value;
    return x < y ? -1 : x > y;
}

static void close_period(Period *period, Sample *samples, size_t n, Arena *arena)
{
    if (!n) return;
    qsort(samples, n, sizeof *samples, compare_samples);
    period->samples = arena_array(arena, double, n);
    period->weights = arena_array(arena, double, n);
    period->n_samples = n;
    for (size_t i = 0; i < n; i++) {
        period->samples[i] = samples[i].value;
        period->weights[i] = samples[i].weight;
    }
}

bool metric_periods(DbTx *tx, const MetricName *name, double start, double end_time, int64_t period,
                    Str unit, bool samples, Arena *arena, Periods *ret_periods, Error *err)
{
    ARENA(scratch);
    DB_ROWS(rows);
    Error end = {0};
    Periods out = {.unit = STR("None")};
    Sample *kept = NULL;
    size_t n_kept = 0, room_kept = 0, room = 0, n_rows = 0;
    if (!db_query(
            tx, &rows, err,
            "SELECT p.time, p.n, p.sum, p.min, p.max, p.unit FROM metric m JOIN metric_point p ON p.metric_id = m.id WHERE "
            "m.region = ? AND m.space = ? AND m.name = ? AND m.dimensions = ? AND p.time >= ? AND p.time < ? ORDER BY p.time",
            "ttttii", name->region, name->space, name->name, name->dimensions,
            (int64_t)(start * 1e3), (int64_t)(end_time * 1e3)))
        return false;
    while (db_next(&rows, &end)) {
        if (unit.len && !str_eq(unit, db_text(&rows, 5))) continue;
        if (++n_rows > METRIC_SAMPLES_MAX)
            return error_set(err, ERROR_LIMIT,
                             "more than %d points lie in that time: ask for less of it",
                             METRIC_SAMPLES_MAX);
        double begin = start +
                       floor((db_real(&rows, 0) / 1e3 - start) / (double)period) * (double)period;
        double n = db_real(&rows, 1), min = db_real(&rows, 3), max = db_real(&rows, 4);
        if (!out.n || out.times[out.n - 1] != begin) {
            if (out.n) close_period(&out.periods[out.n - 1], kept, n_kept, arena);
            n_kept = 0;
            if (out.n == room) {
                room = room ? 2 * room : 64;
                out.times = arena_grow(arena, out.times, out.n, room, sizeof *out.times);
                out.periods = arena_grow(arena, out.periods, out.n, room, sizeof *out.periods);
            }
            out.times[out.n] = begin;
            out.periods[out.n++] = (Period){.min = INFINITY, .max = -INFINITY};
            if (out.n == 1) out.unit = arena_str(arena, db_text(&rows, 5));
        }
        Period *p = &out.periods[out.n - 1];
        p->n += n;
        p->sum += db_real(&rows, 2);
        p->min = MIN(p->min, min);
        p->max = MAX(p->max, max);
        if (samples && (n == 1 || min == max)) {
            if (n_kept == room_kept) {
                room_kept = room_kept ? 2 * room_kept : 256;
                kept = arena_grow(&scratch, kept, n_kept, room_kept, sizeof *kept);
            }
            kept[n_kept++] = (Sample){min, n};
        }
    }
    if (end.kind != ERROR_NONE) {
        if (err) *err = end;
        return false;
    }
    if (out.n) close_period(&out.periods[out.n - 1], kept, n_kept, arena);
    *ret_periods = out;
    return true;
}

bool metric_series(DbTx *tx, const MetricName *name, double start, double end, int64_t period,
                   Str unit, Str statistic, Arena *arena, Series *ret_series, Error *err)
{
    Periods periods;
    if (!metric_periods(tx, name, start, end, period, unit, statistic.ptr[0] == 'p', arena,
                        &periods, err))
        return false;
    *ret_series = (Series){periods.times, arena_array(arena, double, periods.n + 1), periods.n};
    for (size_t i = 0; i < periods.n; i++)
        ret_series->values[i] = metric_statistic(&periods.periods[i], statistic);
    return true;
}

/* ---- the part ---- */

static bool sweep(void *arg, DbTx *tx, Error *err)
{
    (void)arg;
    int64_t oldest = (int64_t)((clock_wall() - KEPT_SECONDS) * 1e3);
    return db_run(
               tx, err,
               "DELETE FROM metric_point WHERE time < ? AND metric_id IN (SELECT id FROM metric)",
               "i", oldest) &&
           db_run(tx, err, "DELETE FROM metric WHERE last < ?", "i", oldest);
}

bool cloudwatch_open(Server *server, Error *err)
{
    return db_schema(server->db, "cloudwatch", schema, err) &&
           db_write(server->db, sweep, NULL, err) && alarms_open(server, err);
}

void cloudwatch_close(Server *server)
{
    alarms_close(server);
}
