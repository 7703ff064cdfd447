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
    double time;  /* wall seconds */
    double value; /* of one sample; or with n > 1 a statistic set: */
    double sum, min, max;
    int64_t n;
    const char *unit; /* "Count", "Microseconds", "None" */
} MetricPoint;

bool cloudwatch_open(Server *server, Error *err);
void cloudwatch_close(Server *server);

/* Durable when true. */
bool metrics_put(Server *server, Str region, const MetricPoint *points, size_t n, Error *err);

#endif
