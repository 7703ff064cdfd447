#ifndef CLARY_SERVICE_LOGS_STORE_H
#define CLARY_SERVICE_LOGS_STORE_H

/* Groups, streams and events in the database, for the files of this folder. */

#include "service/logs/logs.h"

enum {
    LOGS_EVENTS_MAX = 10000,         /* of one answer */
    LOGS_ANSWER_BYTES_MAX = 1 << 20, /* messages of one answer, together */
    LOGS_LINE_BYTES_MAX = 256 << 10, /* of one event; the rest is cut */
};

typedef struct LogGroup {
    int64_t id;
    Str name;
    int64_t created_ms;
    int64_t retention_days; /* 0: for ever */
    Str tags;               /* a JSON object, or empty */
} LogGroup;

/* In a transaction: id 0 when there is none. */
bool log_group_find(DbTx *tx, Str region, Str name, Arena *arena, LogGroup *ret_group, Error *err);
bool log_stream_find(DbTx *tx, int64_t group, Str name, int64_t *ret_id, Error *err);
bool log_group_make(DbTx *tx, Str region, Str name, int64_t now_ms, Error *err);
bool log_stream_make(DbTx *tx, int64_t group, Str name, int64_t now_ms, Error *err);
bool log_events_add(DbTx *tx, int64_t stream, const LogLine *lines, size_t n, int64_t now_ms,
                    Error *err);

/* Events older than this are not shown any more; INT64_MIN when all are kept. */
int64_t log_group_horizon(const LogGroup *group, int64_t now_ms);

Str log_group_arn(Call *call, Str name);

/* The group that a request names, by logGroupName or logGroupIdentifier (a name or an ARN). */
Str log_group_named(Call *call);

/* AWS's ResourceNotFoundException. */
bool log_group_missing(Call *call, Error *err);
bool log_stream_missing(Call *call, Error *err);

/* Filter patterns (filter.c): compiled once, then asked for each message. */
typedef struct LogFilter LogFilter;
/* NULL on a pattern that is malformed or not served, with the reason in err. */
const LogFilter *log_filter_parse(Str pattern, Arena *arena, Error *err);
bool log_filter_matches(const LogFilter *filter, Str message);

extern const ServiceOperation logs_group_operations[], logs_event_operations[];

#endif
