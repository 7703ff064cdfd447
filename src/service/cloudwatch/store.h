#ifndef CLARY_SERVICE_CLOUDWATCH_STORE_H
#define CLARY_SERVICE_CLOUDWATCH_STORE_H

/* Metrics and their points in the database, and statistics over periods, for the files of this folder. */

#include "service/cloudwatch/metrics.h"

enum {
    METRIC_POINTS_MAX = 1440, /* datapoints of one GetMetricStatistics */
    METRIC_DATA_MAX = 100800, /* datapoints of one GetMetricData */
    METRIC_QUERIES_MAX = 500,
    METRIC_SAMPLES_MAX = 2000000, /* rows one series may be made of */
};

/* A metric's name: dimensions are kept in the order of their names. */
typedef struct MetricName {
    Str region, space, name;
    Str dimensions; /* canonical: a JSON object with its members in order, "{}" without */
} MetricName;

/* From the request's [{Name, Value}] (or NULL). */
Str metric_dimensions(const Json *list, Arena *arena);
Json *metric_dimensions_list(Str text, Arena *arena);

/* One statistic of a metric over periods: "Average", "Sum", "Minimum", "Maximum", "SampleCount", "p99", "p99.9". */
typedef struct Series {
    double *times; /* starts of periods, seconds, ascending */
    double *values;
    size_t n;
} Series;

typedef struct Period {
    double n, sum, min, max;
    double *samples, *weights; /* in order of value, where percentiles are asked for */
    size_t n_samples;
} Period;

bool metric_statistic_known(Str statistic);
double metric_statistic(const Period *period, Str statistic);

/* All periods in [start, end) that have samples; unit empty: any.  Percentile samples are kept when `samples`. */
typedef struct Periods {
    double *times;
    Period *periods;
    size_t n;
    Str unit;
} Periods;
bool metric_periods(DbTx *tx, const MetricName *name, double start, double end, int64_t period,
                    Str unit, bool samples, Arena *arena, Periods *ret_periods, Error *err);
bool metric_series(DbTx *tx, const MetricName *name, double start, double end, int64_t period,
                   Str unit, Str statistic, Arena *arena, Series *ret_series, Error *err);

/* Metric math (expression.c). */
typedef struct MathQuery {
    Str id, expression; /* expression empty: a metric, whose series is given */
    Series series;
    int64_t period;
    int state; /* of the evaluation */
} MathQuery;
/* Evaluates query i, and those it needs. */
bool metric_math(MathQuery *queries, size_t n, size_t i, Arena *arena, Error *err);

extern const ServiceOperation cloudwatch_metric_operations[], cloudwatch_alarm_operations[];

bool alarms_open(Server *server, Error *err);
void alarms_close(Server *server);

#endif
