/* Operations on log events: writing, reading on from a place, searching. */

#include "service/logs/store.h"

#include <stdio.h>

enum {
    PUT_BYTES_MAX = 1 << 20,
    EVENT_OVERHEAD = 26,
    SEARCHED_MAX = 200000, /* events that one FilterLogEvents looks at before it gives a token */
};
#define DAY_MS 86400000LL
#define OLDEST_MS (14 * DAY_MS)
#define NEWEST_MS (2 * 3600000LL)

/* ---- PutLogEvents ---- */

typedef struct Put {
    Call *call;
    LogLine *lines;
    size_t n;
    int64_t old_end, new_start, expired_end; /* -1: none */
} Put;

static bool put_in(void *arg, DbTx *tx, Error *err)
{
    Put *put = arg;
    Call *call = put->call;
    LogGroup group;
    int64_t stream, now = (int64_t)(call->now * 1e3);
    if (!log_group_find(tx, call->region, call_text(call, "logGroupName"), call->arena, &group,
                        err))
        return false;
    if (!group.id) return log_group_missing(call, err);
    if (!log_stream_find(tx, group.id, call_text(call, "logStreamName"), &stream, err))
        return false;
    if (!stream) return log_stream_missing(call, err);

    int64_t horizon = log_group_horizon(&group, now);
    size_t first = 0, last = put->n;
    put->old_end = put->new_start = put->expired_end = -1;
    while (first < last && put->lines[first].time_ms < now - OLDEST_MS)
        put->old_end = (int64_t)first++;
    while (first < last && put->lines[first].time_ms < horizon) put->expired_end = (int64_t)first++;
    while (last > first && put->lines[last - 1].time_ms > now + NEWEST_MS)
        put->new_start = (int64_t)--last;
    return log_events_add(tx, stream, put->lines + first, last - first, now, err);
}

static bool put_events(Call *call, Error *err)
{
    const Json *events = json_get(call->in, "logEvents");
    Put put = {.call = call, .n = events->n, .lines = arena_array(call->arena, LogLine, events->n)};
    size_t bytes = 0;
    for (size_t i = 0; i < events->n; i++) {
        const Json *event = json_at(events, i);
        put.lines[i] = (LogLine){json_get_int(event, "timestamp", 0),
                                 json_get_text(event, "message")};
        bytes += put.lines[i].text.len + EVENT_OVERHEAD;
        if (i && put.lines[i].time_ms < put.lines[i - 1].time_ms)
            return call_error(
                call, err, "InvalidParameterException",
                "Log events in a single PutLogEvents request must be in chronological order.");
    }
    if (bytes > PUT_BYTES_MAX)
        return call_error(call, err, "InvalidParameterException",
                          "Upload too large: %zu bytes exceeds limit of %d", bytes, PUT_BYTES_MAX);
    if (put.n && put.lines[put.n - 1].time_ms - put.lines[0].time_ms > DAY_MS)
        return call_error(
            call, err, "InvalidParameterException",
            "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
    if (!db_write(call->server->db, put_in, &put, err)) return false;

    json_set_text(call->arena, call->out, "nextSequenceToken", STR("1"));
    Json *rejected = json_new_object(call->arena);
    if (put.new_start >= 0)
        json_set_int(call->arena, rejected, "tooNewLogEventStartIndex", put.new_start);
    if (put.old_end >= 0)
        json_set_int(call->arena, rejected, "tooOldLogEventEndIndex", put.old_end + 1);
    if (put.expired_end >= 0)
        json_set_int(call->arena, rejected, "expiredLogEventEndIndex", put.expired_end + 1);
    if (rejected->n) json_set(call->arena, call->out, "rejectedLogEventsInfo", rejected);
    return true;
}

/* ---- places in a stream ---- */

/* Just before the event (time, number). */
typedef struct Place {
    int64_t time, number;
} Place;

static Str place_token(Arena *arena, char direction, Place place)
{
    return arena_format(arena, "%c/%019lld%019lld", direction, (long long)place.time,
                        (long long)place.number);
}

static bool token_place(Str token, char *ret_direction, Place *ret_place)
{
    if (token.len != 2 + 2 * 19 || token.ptr[1] != '/' ||
        (token.ptr[0] != 'f' && token.ptr[0] != 'b'))
        return false;
    *ret_direction = token.ptr[0];
    return str_to_int64(str_slice(token, 2, 21), &ret_place->time) &&
           str_to_int64(str_slice(token, 21, 40), &ret_place->number);
}

static Json *event_line(Arena *arena, const DbRows *rows)
{
    Json *event = json_new_object(arena);
    json_set_int(arena, event, "timestamp", db_int(rows, 0));
    json_set_text(arena, event, "message", arena_str(arena, db_text(rows, 2)));
    json_set_int(arena, event, "ingestionTime", db_int(rows, 3));
    return event;
}

/* ---- GetLogEvents ---- */

typedef struct Window {
    int64_t stream, from, to; /* times: from <= t < to */
    int64_t limit;
} Window;

/* Events from `place` on, forwards or backwards; *place moves past them.  In order of time either way. */
static bool read_events(DbTx *tx, const Window *window, Place *place, bool forward, Arena *arena,
                        Json *events, Error *err)
{
    static const char *const sql[2] = {
        "SELECT time, number, message, ingested FROM log_event WHERE stream_id = ? AND (time, number) < (?, ?) AND time "
        ">= ? AND time < ? ORDER BY time DESC, number DESC LIMIT ?",
        "SELECT time, number, message, ingested FROM log_event WHERE stream_id = ? AND (time, number) >= (?, ?) AND time "
        ">= ? AND time < ? ORDER BY time, number LIMIT ?"};
    DB_ROWS(rows);
    Error end = {0};
    size_t bytes = 0;
    if (!db_query(tx, &rows, err, sql[forward], "iiiiii", window->stream, place->time,
                  place->number, window->from, window->to, window->limit))
        return false;
    while (db_next(&rows, &end)) {
        bytes += db_text(&rows, 2).len + EVENT_OVERHEAD;
        if (bytes > LOGS_ANSWER_BYTES_MAX && events->n) break;
        json_push(arena, events, event_line(arena, &rows));
        *place = (Place){db_int(&rows, 0), db_int(&rows, 1) + forward};
    }
    if (!forward) {
        const Json **items = (const Json **)(uintptr_t)events->items;
        for (size_t i = 0; i < events->n / 2; i++) {
            const Json *other = items[i];
            items[i] = items[events->n - 1 - i];
            items[events->n - 1 - i] = other;
        }
    }
    return true;
}

static bool get_in(void *arg, DbTx *tx, Error *err)
{
    Call *call = arg;
    Arena *arena = call->arena;
    LogGroup group;
    Window window;
    Str token = call_text(call, "nextToken");
    bool forward = json_get_bool(call->in, "startFromHead", false);
    Place place;
    char direction;
    if (!log_group_find(tx, call->region, log_group_named(call), arena, &group, err)) return false;
    if (!group.id) return log_group_missing(call, err);
    if (!log_stream_find(tx, group.id, call_text(call, "logStreamName"), &window.stream, err))
        return false;
    if (!window.stream) return log_stream_missing(call, err);
    window.from = MAX(json_get_int(call->in, "startTime", 0),
                      log_group_horizon(&group, (int64_t)(call->now * 1e3)));
    window.to = json_get_int(call->in, "endTime", INT64_MAX);
    window.limit = json_get_int(call->in, "limit", LOGS_EVENTS_MAX);
    if (token.ptr) {
        if (!token_place(token, &direction, &place))
            return call_error(call, err, "InvalidParameterException",
                              "The specified nextToken is invalid.");
        forward = direction == 'f';
    } else {
        place = forward ? (Place){0, 0} : (Place){INT64_MAX, 0};
    }

    Json *events = json_new_array(arena);
    Place moved = place;
    if (!read_events(tx, &window, &moved, forward, arena, events, err)) return false;
    Place head = forward ? place : moved, tail = forward ? moved : place;
    if (!token.ptr) { /* the other end is at what was found, not at the end of all time */
        if (forward && events->n) {
            head = (Place){json_get_int(json_at(events, 0), "timestamp", 0), 0};
        } else if (!forward) {
            DB_ROWS(rows);
            Error end = {0};
            tail = (Place){0, 0};
            if (!db_query(
                    tx, &rows, err,
                    "SELECT time, number FROM log_event WHERE stream_id = ? AND time < ? ORDER BY time DESC, number "
                    "DESC LIMIT 1",
                    "ii", window.stream, window.to))
                return false;
            if (db_next(&rows, &end)) tail = (Place){db_int(&rows, 0), db_int(&rows, 1) + 1};
            if (!events->n) head = tail;
        }
    }
    json_set(arena, call->out, "events", events);
    json_set_text(arena, call->out, "nextForwardToken", place_token(arena, 'f', tail));
    json_set_text(arena, call->out, "nextBackwardToken", place_token(arena, 'b', head));
    return true;
}

static bool get_events(Call *call, Error *err)
{
    return db_read(call->server->db, get_in, call, err);
}

/* ---- FilterLogEvents ---- */

static bool name_listed(const Json *names, Str name)
{
    for (size_t i = 0; i < names->n; i++)
        if (str_eq(json_at(names, i)->text, name)) return true;
    return false;
}

static bool filter_in(void *arg, DbTx *tx, Error *err)
{
    Call *call = arg;
    Arena *arena = call->arena;
    LogGroup group;
    const Json *names = json_get(call->in, "logStreamNames");
    Str prefix = call_text(call, "logStreamNamePrefix"), pattern = call_text(call, "filterPattern");
    Str token = call_text(call, "nextToken");
    int64_t limit = json_get_int(call->in, "limit", LOGS_EVENTS_MAX), searched = 0,
            after_stream = 0;
    Place place = {INT64_MIN, 0};
    if (!log_group_find(tx, call->region, log_group_named(call), arena, &group, err)) return false;
    if (!group.id) return log_group_missing(call, err);
    if (names && prefix.ptr)
        return call_error(call, err, "InvalidParameterException",
                          "logStreamNames and logStreamNamePrefix cannot be used together.");
    const LogFilter *filter = log_filter_parse(pattern.ptr ? pattern : STR(""), arena, err);
    if (!filter)
        return call_error(call, err, "InvalidParameterException", "Invalid filter pattern: %s",
                          err->text);
    if (token.ptr) { /* time, number and stream of the next event */
        char direction;
        size_t colon = str_find(token, ':');
        if (colon == token.len || !token_place(str_slice(token, 0, colon), &direction, &place) ||
            !str_to_int64(str_from(token, colon + 1), &after_stream))
            return call_error(call, err, "InvalidParameterException",
                              "The specified nextToken is invalid.");
    }
    int64_t from = MAX(json_get_int(call->in, "startTime", 0),
                       log_group_horizon(&group, (int64_t)(call->now * 1e3)));
    int64_t to = json_get_int(call->in, "endTime", INT64_MAX);

    Json *events = json_new_array(arena);
    size_t bytes = 0;
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(
            tx, &rows, err,
            "SELECT e.time, e.number, e.message, e.ingested, s.name, s.id FROM log_event e JOIN log_stream s ON s.id "
            "= e.stream_id WHERE s.group_id = ? AND e.time >= ? AND e.time <= ? AND (e.time, s.id, e.number) >= (?, "
            "?, ?) ORDER BY e.time, s.id, e.number",
            "iiiiii", group.id, from, to, place.time, after_stream, place.number))
        return false;
    while (db_next(&rows, &end)) {
        Str stream = db_text(&rows, 4), message = db_text(&rows, 2);
        bool full = (int64_t)events->n == limit || searched >= SEARCHED_MAX ||
                    (events->n && bytes + message.len + EVENT_OVERHEAD > LOGS_ANSWER_BYTES_MAX);
        if (full) {
            Str at = place_token(arena, 'f', (Place){db_int(&rows, 0), db_int(&rows, 1)});
            json_set_text(
                arena, call->out, "nextToken",
                arena_format(arena, "%.*s:%lld", STR_ARG(at), (long long)db_int(&rows, 5)));
            break;
        }
        searched++;
        if (prefix.ptr && !str_starts(stream, prefix)) continue;
        if (names && !name_listed(names, stream)) continue;
        if (!log_filter_matches(filter, message)) continue;
        bytes += message.len + EVENT_OVERHEAD;
        Json *event = event_line(arena, &rows);
        json_set_text(arena, event, "logStreamName", arena_str(arena, stream));
        json_set_text(arena, event, "eventId",
                      arena_format(arena, "%013lld%019lld%010lld", (long long)db_int(&rows, 0),
                                   (long long)db_int(&rows, 5), (long long)db_int(&rows, 1)));
        json_push(arena, events, event);
    }
    json_set(arena, call->out, "events", events);
    json_set(arena, call->out, "searchedLogStreams", json_new_array(arena));
    return true;
}

static bool filter_events(Call *call, Error *err)
{
    return db_read(call->server->db, filter_in, call, err);
}

#define STREAM "arn:aws:logs:{region}:{account}:log-group:{logGroupName}:log-stream:{logStreamName}"
#define GROUP "arn:aws:logs:{region}:{account}:log-group:{logGroupName}"

const ServiceOperation logs_event_operations[] = {
    {"PutLogEvents", put_events, .resource = STREAM},
    {"GetLogEvents", get_events, .resource = STREAM},
    {"FilterLogEvents", filter_events, .resource = GROUP},
    {0},
};

static const ServiceOperation *const tables[] = {logs_group_operations, logs_event_operations,
                                                 NULL};
const Service logs_service = {.name = "logs", .tables = tables};
