#ifndef CLARY_SERVICE_CLOUDWATCH_METRICS_H
#define CLARY_SERVICE_CLOUDWATCH_METRICS_H

/* CloudWatch metrics for the other services; the operations are in this folder's files. */

#include "service/call.h"

enum { METRIC_DIMENSIONS_MAX = 30 };

typedef struct MetricPoint {
    Str space, name; /* namespace "AWS/SageMaker", metric "Invocations" */
    struct {
        Str name, value;
    } dimensions[4];
    int n_dimensions;
    double time;             /* wall seconds */
    double value;            /* one sample, when n is 0 */
    double n, sum, min, max; /* else a statistic set of n samples */
    const char *unit;        /* "Count", "Microseconds", "None" */
    Str canonical; /* dimensions as metric_dimensions writes them, instead of `dimensions` */
} MetricPoint;

extern const Service cloudwatch_service;

bool cloudwatch_open(Server *server, Error *err);
void cloudwatch_close(Server *server);

/* Durable when true. */
bool metrics_put(Server *server, Str region, const MetricPoint *points, size_t n, Error *err);

/* The state of an alarm, for deployments that watch it: "OK", "ALARM", "INSUFFICIENT_DATA", or "" when there is no such alarm. */
bool alarm_state(Server *server, Str region, Str name, char ret_state[static 24], Error *err);

#endif
