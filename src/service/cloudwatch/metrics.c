/* PutMetricData, ListMetrics, GetMetricStatistics, GetMetricData. */

#include "service/cloudwatch/metrics.h"

#include "service/cloudwatch/store.h"

#include <math.h>
#include <stdlib.h>

enum { DATA_MAX = 1000, VALUES_MAX = 150, LIST_MAX = 500 };

/* ---- PutMetricData ---- */

static bool refuse(Call *call, Error *err, const char *text)
{
    return call_error(call, err, "InvalidParameterValue", "%s", text);
}

static bool check_number(Call *call, double x, Error *err)
{
    return (isfinite(x) && fabs(x) <= 0x1p360) ||
           refuse(call, err, "The value is too large, or no number.");
}

static bool add_datum(Call *call, const Json *datum, Str space, MetricPoint *points, size_t *n,
                      Error *err)
{
    Arena *arena = call->arena;
    const Json *dimensions = json_get(datum, "Dimensions"),
               *set = json_get(datum, "StatisticValues");
    const Json *values = json_get(datum, "Values"), *counts = json_get(datum, "Counts"),
               *value = json_get(datum, "Value");
    Str unit = json_get_text(datum, "Unit");
    if (dimensions && dimensions->n > METRIC_DIMENSIONS_MAX)
        return refuse(call, err, "A metric can have no more than 30 dimensions.");
    if (!!set + !!values + !!value != 1)
        return call_error(call, err, "InvalidParameterCombination",
                          "A metric datum needs exactly one of Value, Values and StatisticValues.");
    if (counts && (!values || counts->n != values->n))
        return refuse(call, err, "Counts must be as many as Values.");
    MetricPoint point = {.space = space,
                         .name = json_get_text(datum, "MetricName"),
                         .canonical = metric_dimensions(dimensions, arena),
                         .time = json_get_double(datum, "Timestamp", call->now),
                         .unit = unit.ptr ? arena_cstr(arena, unit) : "None"};
    if (set) {
        point.n = json_get_double(set, "SampleCount", 0);
        point.sum = json_get_double(set, "Sum", 0);
        point.min = json_get_double(set, "Minimum", 0);
        point.max = json_get_double(set, "Maximum", 0);
        if (point.n <= 0) return refuse(call, err, "SampleCount must be positive.");
        if (!check_number(call, point.sum, err) || !check_number(call, point.min, err) ||
            !check_number(call, point.max, err))
            return false;
        points[(*n)++] = point;
        return true;
    }
    for (size_t i = 0; i < (values ? values->n : 1); i++) {
        double x = value ? value->number : 0, count = 1;
        if (values) json_number_at(values, i, &x);
        if (counts) json_number_at(counts, i, &count);
        if (!check_number(call, x, err)) return false;
        if (count <= 0) return refuse(call, err, "Counts must be positive.");
        point.n = count;
        point.sum = x * count;
        point.min = point.max = x;
        points[(*n)++] = point;
    }
    return true;
}

static bool put_metric_data(Call *call, Error *err)
{
    const Json *data = json_get(call->in, "MetricData");
    Str space = call_text(call, "Namespace");
    size_t n = 0, room = 0;
    if (!data || !data->n)
        return call_error(call, err, "MissingParameter", "The parameter MetricData is required.");
    if (data->n > DATA_MAX)
        return refuse(call, err,
                      "The collection MetricData must not have a size greater than 1000.");
    for (size_t i = 0; i < data->n; i++) {
        const Json *values = json_get(json_at(data, i), "Values");
        room += values ? values->n : 1;
        if (values && values->n > VALUES_MAX)
            return refuse(call, err, "Values must not have a size greater than 150.");
    }
    MetricPoint *points = arena_array(call->arena, MetricPoint, room);
    for (size_t i = 0; i < data->n; i++)
        if (!add_datum(call, json_at(data, i), space, points, &n, err)) return false;
    return metrics_put(call->server, call->region, points, n, err);
}

/* ---- ListMetrics ---- */

static bool has_dimensions(const Json *wanted, const Json *have)
{
    for (size_t w = 0; wanted && w < wanted->n; w++) {
        Str name = json_get_text(json_at(wanted, w), "Name"),
            value = json_get_text(json_at(wanted, w), "Value");
        bool found = false;
        for (size_t h = 0; h < have->n; h++)
            found |= str_eq(json_get_text(json_at(have, h), "Name"), name) &&
                     (!value.ptr || str_eq(json_get_text(json_at(have, h), "Value"), value));
        if (!found) return false;
    }
    return true;
}

static bool list_in(void *arg, DbTx *tx, Error *err)
{
    Call *call = arg;
    Arena *arena = call->arena;
    Str space = call_text(call, "Namespace"), name = call_text(call, "MetricName"),
        token = call_text(call, "NextToken");
    int64_t after = 0, last = 0, recent = 0;
    size_t n = 0;
    if (token.ptr && (!str_to_int64(token, &after) || after < 0))
        return call_error(call, err, "InvalidParameterValue",
                          "The value of NextToken is not one that was given.");
    if (call_text(call, "RecentlyActive").ptr) recent = (int64_t)((call->now - 3 * 3600) * 1e3);
    Json *metrics = json_new_array(arena);
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(
            tx, &rows, err,
            "SELECT id, space, name, dimensions FROM metric WHERE region = ? AND id > ? AND last >= ? ORDER BY id",
            "tii", call->region, after, recent))
        return false;
    while (db_next(&rows, &end)) {
        if (space.ptr && !str_eq(space, db_text(&rows, 1))) continue;
        if (name.ptr && !str_eq(name, db_text(&rows, 2))) continue;
        Json *dimensions = metric_dimensions_list(db_text(&rows, 3), arena);
        if (!has_dimensions(json_get(call->in, "Dimensions"), dimensions)) continue;
        if (n++ == LIST_MAX) {
            json_set_text(arena, call->out, "NextToken",
                          arena_format(arena, "%lld", (long long)last));
            break;
        }
        last = db_int(&rows, 0);
        Json *metric = json_new_object(arena);
        json_set_text(arena, metric, "Namespace", arena_str(arena, db_text(&rows, 1)));
        json_set_text(arena, metric, "MetricName", arena_str(arena, db_text(&rows, 2)));
        json_set(arena, metric, "Dimensions", dimensions);
        json_push(arena, metrics, metric);
    }
    json_set(arena, call->out, "Metrics", metrics);
    return true;
}

static bool list_metrics(Call *call, Error *err)
{
    return db_read(call->server->db, list_in, call, err);
}

/* ---- GetMetricStatistics ---- */

static bool period_allowed(int64_t period)
{
    return period == 1 || period == 5 || period == 10 || period == 20 || period == 30 ||
           (period > 0 && period % 60 == 0);
}

/* Periods begin at whole minutes (or whole periods below a minute). */
static double aligned(double time, int64_t period)
{
    double step = period < 60 ? (double)period : 60;
    return floor(time / step) * step;
}

static bool statistics_in(void *arg, DbTx *tx, Error *err)
{
    Call *call = arg;
    Arena *arena = call->arena;
    const Json *wanted = json_get(call->in, "Statistics"),
               *extended = json_get(call->in, "ExtendedStatistics");
    int64_t period = json_get_int(call->in, "Period", 60);
    double start = aligned(json_get_double(call->in, "StartTime", 0), period),
           end = json_get_double(call->in, "EndTime", 0);
    MetricName name = {call->region, call_text(call, "Namespace"), call_text(call, "MetricName"),
                       metric_dimensions(json_get(call->in, "Dimensions"), arena)};
    Periods periods;
    if (!metric_periods(tx, &name, start, end, period, call_text(call, "Unit"), extended != NULL,
                        arena, &periods, err))
        return false;
    Json *points = json_new_array(arena);
    for (size_t i = 0; i < periods.n; i++) {
        Json *point = json_new_object(arena);
        json_set_double(arena, point, "Timestamp", periods.times[i]);
        for (size_t s = 0; wanted && s < wanted->n; s++)
            json_set_str(arena, point, json_at(wanted, s)->text,
                         json_new_double(arena, metric_statistic(&periods.periods[i],
                                                                 json_at(wanted, s)->text)));
        if (extended) {
            Json *more = json_new_object(arena);
            for (size_t s = 0; s < extended->n; s++)
                json_set_str(arena, more, json_at(extended, s)->text,
                             json_new_double(arena, metric_statistic(&periods.periods[i],
                                                                     json_at(extended, s)->text)));
            json_set(arena, point, "ExtendedStatistics", more);
        }
        json_set_text(arena, point, "Unit", periods.unit);
        json_push(arena, points, point);
    }
    json_set_text(arena, call->out, "Label", name.name);
    json_set(arena, call->out, "Datapoints", points);
    return true;
}

static bool get_metric_statistics(Call *call, Error *err)
{
    const Json *wanted = json_get(call->in, "Statistics"),
               *extended = json_get(call->in, "ExtendedStatistics");
    int64_t period = json_get_int(call->in, "Period", 60);
    double start = json_get_double(call->in, "StartTime", 0),
           end = json_get_double(call->in, "EndTime", 0);
    if (!wanted && !extended)
        return call_error(
            call, err, "MissingParameter",
            "At least one of the parameters Statistics and ExtendedStatistics must be specified.");
    for (size_t i = 0; extended && i < extended->n; i++)
        if (!metric_statistic_known(json_at(extended, i)->text))
            return refuse(
                call, err,
                "The value for parameter ExtendedStatistics is not a percentile like p99.");
    if (!period_allowed(period))
        return refuse(call, err,
                      "The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.");
    if (start >= end)
        return refuse(call, err,
                      "The parameter StartTime must be less than the parameter EndTime.");
    if ((end - start) / (double)period > METRIC_POINTS_MAX)
        return call_error(
            call, err, "InvalidParameterCombination",
            "You have requested up to %.0f datapoints, which exceeds the limit of %d. You may reduce the "
            "datapoints requested by increasing Period, or decreasing the time range.",
            ceil((end - start) / (double)period), METRIC_POINTS_MAX);
    return db_read(call->server->db, statistics_in, call, err);
}

/* ---- GetMetricData ---- */

static Str label_of(const Json *query, const MetricName *name, Arena *arena)
{
    Str label = json_get_text(query, "Label"), expression = json_get_text(query, "Expression");
    if (label.ptr) return label;
    return expression.ptr ? json_get_text(query, "Id") : arena_str(arena, name->name);
}

static bool data_in(void *arg, DbTx *tx, Error *err)
{
    Call *call = arg;
    Arena *arena = call->arena;
    const Json *list = json_get(call->in, "MetricDataQueries");
    bool ascending = str_is(call_text(call, "ScanBy"), "TimestampAscending");
    double start = json_get_double(call->in, "StartTime", 0),
           end = json_get_double(call->in, "EndTime", 0);
    MathQuery *queries = arena_array(arena, MathQuery, list->n);
    MetricName *names = arena_array(arena, MetricName, list->n);
    for (size_t i = 0; i < list->n; i++) {
        const Json *query = json_at(list, i), *stat = json_get(query, "MetricStat"),
                   *metric = json_get(stat, "Metric");
        queries[i].id = json_get_text(query, "Id");
        queries[i].expression = json_get_text(query, "Expression");
        if (!stat) continue;
        queries[i].period = json_get_int(stat, "Period", 60);
        names[i] = (MetricName){call->region, json_get_text(metric, "Namespace"),
                                json_get_text(metric, "MetricName"),
                                metric_dimensions(json_get(metric, "Dimensions"), arena)};
        if (!metric_series(tx, &names[i], aligned(start, queries[i].period), end, queries[i].period,
                           json_get_text(stat, "Unit"), json_get_text(stat, "Stat"), arena,
                           &queries[i].series, err))
            return false;
    }
    Json *results = json_new_array(arena);
    size_t points = 0;
    for (size_t i = 0; i < list->n; i++) {
        const Json *query = json_at(list, i);
        if (!json_get_bool(query, "ReturnData", true)) continue;
        Error wrong = {0};
        if (!metric_math(queries, list->n, i, arena, &wrong))
            return call_error(call, err, "ValidationError", "Error in expression '%.*s': %s",
                              STR_ARG(queries[i].id), wrong.text);
        const Series *series = &queries[i].series;
        points += series->n;
        if (points > METRIC_DATA_MAX)
            return call_error(call, err, "ValidationError",
                              "The answer would have more than %d datapoints.", METRIC_DATA_MAX);
        Json *times = json_new_array(arena), *values = json_new_array(arena);
        for (size_t k = 0; k < series->n; k++) {
            size_t at = ascending ? k : series->n - 1 - k;
            json_push(arena, times, json_new_double(arena, series->times[at]));
            json_push(arena, values, json_new_double(arena, series->values[at]));
        }
        Json *result = json_new_object(arena);
        json_set_text(arena, result, "Id", queries[i].id);
        json_set_text(arena, result, "Label", label_of(query, &names[i], arena));
        json_set(arena, result, "Timestamps", times);
        json_set(arena, result, "Values", values);
        json_set_text(arena, result, "StatusCode", STR("Complete"));
        json_push(arena, results, result);
    }
    json_set(arena, call->out, "MetricDataResults", results);
    json_set(arena, call->out, "Messages", json_new_array(arena));
    return true;
}

static bool get_metric_data(Call *call, Error *err)
{
    const Json *list = json_get(call->in, "MetricDataQueries");
    if (list->n > METRIC_QUERIES_MAX)
        return call_error(call, err, "ValidationError",
                          "The collection MetricDataQueries must not have a size greater than %d.",
                          METRIC_QUERIES_MAX);
    if (json_get_double(call->in, "StartTime", 0) >= json_get_double(call->in, "EndTime", 0))
        return call_error(call, err, "ValidationError",
                          "The parameter StartTime must be less than the parameter EndTime.");
    for (size_t i = 0; i < list->n; i++) {
        const Json *query = json_at(list, i), *stat = json_get(query, "MetricStat");
        if (!stat == !json_get(query, "Expression"))
            return call_error(call, err, "ValidationError",
                              "Query '%.*s' needs either MetricStat or Expression.",
                              STR_ARG(json_get_text(query, "Id")));
        if (stat && !metric_statistic_known(json_get_text(stat, "Stat")))
            return call_error(
                call, err, "ValidationError", "Query '%.*s': the statistic '%.*s' is not known.",
                STR_ARG(json_get_text(query, "Id")), STR_ARG(json_get_text(stat, "Stat")));
        if (stat && !period_allowed(json_get_int(stat, "Period", 60)))
            return call_error(call, err, "ValidationError",
                              "Query '%.*s': Period must be 1, 5, 10, 20, 30 or a multiple of 60.",
                              STR_ARG(json_get_text(query, "Id")));
    }
    return db_read(call->server->db, data_in, call, err);
}

const ServiceOperation cloudwatch_metric_operations[] = {
    {"PutMetricData", put_metric_data, .resource = "*"},
    {"ListMetrics", list_metrics, .resource = "*"},
    {"GetMetricStatistics", get_metric_statistics, .resource = "*"},
    {"GetMetricData", get_metric_data, .resource = "*"},
    {0},
};

static const ServiceOperation *const tables[] = {cloudwatch_metric_operations,
                                                 cloudwatch_alarm_operations, NULL};
const Service cloudwatch_service = {.name = "cloudwatch", .tables = tables};
