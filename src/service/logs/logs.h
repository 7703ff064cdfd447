#ifndef CLARY_SERVICE_LOGS_LOGS_H
#define CLARY_SERVICE_LOGS_LOGS_H

/* CloudWatch Logs for the other services; the operations are in this folder's files. */

#include "service/call.h"

typedef struct LogLine {
    int64_t time_ms; /* since 1970 */
    Str text;        /* without line end */
} LogLine;

extern const Service logs_service;

bool logs_open(Server *server, Error *err);
void logs_close(Server *server);

/* Appends lines; group and stream are made when missing.  Durable when true. */
bool logs_append(Server *server, Str region, Str group, Str stream, const LogLine *lines, size_t n,
                 Error *err);
bool logs_make_group(Server *server, Str region, Str group, Error *err); /* fine when it exists */
bool logs_make_stream(Server *server, Str region, Str group, Str stream, Error *err);
/* The last n lines of a stream, oldest first, joined by line ends. */
bool logs_tail(Server *server, Str region, Str group, Str stream, int n, Arena *arena,
               Str *ret_text, Error *err);

#endif
