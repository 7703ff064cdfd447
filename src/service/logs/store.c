/* Log groups, streams and events in the database.
 *
 * Events lie in one table by (stream, time, number): the number counts up within a stream, so that events of one
 * millisecond keep their order and a place between two events can be named. */

#include "service/logs/store.h"

#include "base/clock.h"

static const char *const schema[] = {
    "CREATE TABLE log_group (id AUTO_ID, region TEXT NOT NULL, name TEXT NOT NULL, created BIGINT NOT NULL, "
    "retention BIGINT NOT NULL, tags TEXT)",
    "CREATE UNIQUE INDEX log_group_name ON log_group (region, name)",
    "CREATE TABLE log_stream (id AUTO_ID, group_id BIGINT NOT NULL, name TEXT NOT NULL, created BIGINT NOT NULL, "
    "first_time BIGINT, last_time BIGINT, ingested BIGINT, bytes BIGINT NOT NULL, next BIGINT NOT NULL)",
    "CREATE UNIQUE INDEX log_stream_name ON log_stream (group_id, name)",
    "CREATE INDEX log_stream_time ON log_stream (group_id, last_time, name)",
    "CREATE TABLE log_event (stream_id BIGINT NOT NULL, time BIGINT NOT NULL, number BIGINT NOT NULL, "
    "ingested BIGINT NOT NULL, message TEXT NOT NULL, PRIMARY KEY (stream_id, time, number)) WITHOUT ROWID",
    NULL,
};

static int64_t now_ms(void)
{
    return (int64_t)(clock_wall() * 1e3);
}

bool log_group_find(DbTx *tx, Str region, Str name, Arena *arena, LogGroup *ret_group, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    *ret_group = (LogGroup){0};
    if (!db_query(
            tx, &rows, err,
            "SELECT id, created, retention, tags FROM log_group WHERE region = ? AND name = ?",
            "tt", region, name))
        return false;
    if (db_next(&rows, &end))
        *ret_group = (LogGroup){
            db_int(&rows, 0), arena_str(arena, name), db_int(&rows, 1), db_int(&rows, 2),
            db_is_null(&rows, 3) ? (Str){0} : arena_str(arena, db_text(&rows, 3))};
    return true;
}

bool log_stream_find(DbTx *tx, int64_t group, Str name, int64_t *ret_id, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    *ret_id = 0;
    if (!db_query(tx, &rows, err, "SELECT id FROM log_stream WHERE group_id = ? AND name = ?", "it",
                  group, name))
        return false;
    if (db_next(&rows, &end)) *ret_id = db_int(&rows, 0);
    return true;
}

bool log_group_make(DbTx *tx, Str region, Str name, int64_t created, Error *err)
{
    return db_run(tx, err,
                  "INSERT INTO log_group (region, name, created, retention) VALUES (?, ?, ?, 0) "
                  "ON CONFLICT (region, name) DO NOTHING",
                  "tti", region, name, created);
}

bool log_stream_make(DbTx *tx, int64_t group, Str name, int64_t created, Error *err)
{
    return db_run(
        tx, err,
        "INSERT INTO log_stream (group_id, name, created, bytes, next) VALUES (?, ?, ?, 0, 0) "
        "ON CONFLICT (group_id, name) DO NOTHING",
        "iti", group, name, created);
}

/* What is kept of a line. */
static Str line_text(const LogLine *line)
{
    Str text = line->text.ptr ? line->text : STR("");
    text.len = MIN(text.len, (size_t)LOGS_LINE_BYTES_MAX);
    return text;
}

#define INSERT "INSERT INTO log_event (stream_id, time, number, ingested, message) VALUES "
#define VALUES(i) stream, line[i].time_ms, number + (i), ingested, line_text(&line[i])
enum { GROUP = 8 };

/* Eight lines in one statement: with PostgreSQL every statement is a round trip. */
static bool add_group(DbTx *tx, int64_t stream, const LogLine *line, int64_t number,
                      int64_t ingested, Error *err)
{
    return db_run(
        tx, err,
        INSERT
        "(?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), (?, ?, ?, ?, ?), "
        "(?, ?, ?, ?, ?), (?, ?, ?, ?, ?)",
        "iiiitiiiitiiiitiiiitiiiitiiiitiiiitiiiit", VALUES(0), VALUES(1), VALUES(2), VALUES(3),
        VALUES(4), VALUES(5), VALUES(6), VALUES(7));
}

bool log_events_add(DbTx *tx, int64_t stream, const LogLine *lines, size_t n, int64_t ingested,
                    Error *err)
{
    int64_t next = 0, bytes = 0, first = INT64_MAX, last = INT64_MIN;
    {
        DB_ROWS(rows);
        Error end = {0};
        if (!db_query(tx, &rows, err, "SELECT next FROM log_stream WHERE id = ?", "i", stream))
            return false;
        if (!db_next(&rows, &end)) return error_set(err, ERROR_NOT_FOUND, "the log stream is gone");
        next = db_int(&rows, 0);
    }
    for (size_t i = 0; i < n; i++) {
        bytes += (int64_t)line_text(&lines[i]).len + 26;
        first = MIN(first, lines[i].time_ms);
        last = MAX(last, lines[i].time_ms);
    }
    size_t done = 0;
    for (; done + GROUP <= n; done += GROUP, next += GROUP)
        if (!add_group(tx, stream, lines + done, next, ingested, err)) return false;
    for (; done < n; done++)
        if (!db_run(tx, err, INSERT "(?, ?, ?, ?, ?)", "iiiit", stream, lines[done].time_ms, next++,
                    ingested, line_text(&lines[done])))
            return false;
    return n == 0 ||
           db_run(
               tx, err,
               "UPDATE log_stream SET next = ?, bytes = bytes + ?, ingested = ?, "
               "first_time = CASE WHEN first_time IS NULL OR first_time > ? THEN ? ELSE first_time END, "
               "last_time = CASE WHEN last_time IS NULL OR last_time < ? THEN ? ELSE last_time END WHERE id = ?",
               "iiiiiiii", next, bytes, ingested, first, first, last, last, stream);
}

int64_t log_group_horizon(const LogGroup *group, int64_t now)
{
    return group->retention_days ? now - group->retention_days * 86400000 : INT64_MIN;
}

/* ---- for the other services ---- */

typedef struct Append {
    Str region, group, stream;
    const LogLine *lines;
    size_t n;
} Append;

static bool append(void *arg, DbTx *tx, Error *err)
{
    const Append *a = arg;
    ARENA(arena);
    LogGroup group;
    int64_t stream = 0, now = now_ms();
    if (!log_group_find(tx, a->region, a->group, &arena, &group, err)) return false;
    if (!group.id && (!log_group_make(tx, a->region, a->group, now, err) ||
                      !log_group_find(tx, a->region, a->group, &arena, &group, err)))
        return false;
    if (!a->stream.ptr) return true;
    if (!log_stream_find(tx, group.id, a->stream, &stream, err)) return false;
    if (!stream && (!log_stream_make(tx, group.id, a->stream, now, err) ||
                    !log_stream_find(tx, group.id, a->stream, &stream, err)))
        return false;
    return log_events_add(tx, stream, a->lines, a->n, now, err);
}

bool logs_append(Server *server, Str region, Str group, Str stream, const LogLine *lines, size_t n,
                 Error *err)
{
    return db_write(server->db, append, &(Append){region, group, stream, lines, n}, err);
}

bool logs_make_group(Server *server, Str region, Str group, Error *err)
{
    return db_write(server->db, append, &(Append){region, group, {0}, NULL, 0}, err);
}

bool logs_make_stream(Server *server, Str region, Str group, Str stream, Error *err)
{
    return db_write(server->db, append, &(Append){region, group, stream, NULL, 0}, err);
}

typedef struct Tail {
    Str region, group, stream;
    int n;
    Arena *arena;
    Str text;
} Tail;

static bool read_tail(void *arg, DbTx *tx, Error *err)
{
    Tail *tail = arg;
    LogGroup group;
    int64_t stream = 0;
    tail->text = STR("");
    if (!log_group_find(tx, tail->region, tail->group, tail->arena, &group, err) ||
        !log_stream_find(tx, group.id, tail->stream, &stream, err))
        return false;
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(
            tx, &rows, err,
            "SELECT message FROM log_event WHERE stream_id = ? ORDER BY time DESC, number DESC LIMIT ?",
            "ii", stream, (int64_t)tail->n))
        return false;
    for (bool first = true; db_next(&rows, &end); first = false) {
        Str line = db_text(&rows, 0);
        tail->text = arena_format(tail->arena, "%.*s%s%.*s", STR_ARG(line), first ? "" : "\n",
                                  STR_ARG(tail->text));
    }
    return true;
}

bool logs_tail(Server *server, Str region, Str group, Str stream, int n, Arena *arena,
               Str *ret_text, Error *err)
{
    Tail tail = {region, group, stream, n, arena, {0}};
    if (!db_read(server->db, read_tail, &tail, err)) return false;
    *ret_text = tail.text;
    return true;
}

/* Events past their group's retention are removed when the server starts; until then they are hidden. */
static bool sweep(void *arg, DbTx *tx, Error *err)
{
    (void)arg;
    return db_run(
        tx, err,
        "DELETE FROM log_event WHERE EXISTS (SELECT 1 FROM log_stream s, log_group g WHERE s.id = "
        "log_event.stream_id AND g.id = s.group_id AND g.retention > 0 AND log_event.time < ? - g.retention * 86400000)",
        "i", now_ms());
}

bool logs_open(Server *server, Error *err)
{
    return db_schema(server->db, "logs", schema, err) && db_write(server->db, sweep, NULL, err);
}

void logs_close(Server *server)
{
    (void)server;
}

/* ---- what requests name ---- */

Str log_group_arn(Call *call, Str name)
{
    return arena_format(call->arena, "arn:aws:logs:%.*s:%s:log-group:%.*s", STR_ARG(call->region),
                        call->server->options->account, STR_ARG(name));
}

Str log_group_named(Call *call)
{
    Str name = call_text(call, "logGroupName");
    if (!name.ptr) name = call_text(call, "logGroupIdentifier");
    if (!name.ptr) name = call_text(call, "resourceArn");
    if (!str_starts(name, STR("arn:"))) return name;
    for (int colons = 0; colons < 6 && name.len; colons++)
        name = str_from(name, MIN(name.len, str_find(name, ':') + 1));
    if (str_ends(name, STR(":*"))) name.len -= 2;
    return name;
}

bool log_group_missing(Call *call, Error *err)
{
    return call_error(call, err, "ResourceNotFoundException",
                      "The specified log group does not exist.");
}

bool log_stream_missing(Call *call, Error *err)
{
    return call_error(call, err, "ResourceNotFoundException",
                      "The specified log stream does not exist.");
}
