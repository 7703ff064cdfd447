/* Operations on log groups and streams. */

#include "service/logs/store.h"

enum { PAGE_MAX = 50, TAGS_MAX = 50 };

static int64_t call_ms(const Call *call)
{
    return (int64_t)(call->now * 1e3);
}

/* One change of one group, as a handler and its transaction. */
typedef struct Change {
    Call *call;
    Str name; /* of the group */
    bool (*run)(Call *call, DbTx *tx, LogGroup *group, Error *err);
} Change;

static bool run_change(void *arg, DbTx *tx, Error *err)
{
    Change *change = arg;
    LogGroup group;
    if (!log_group_find(tx, change->call->region, change->name, change->call->arena, &group, err))
        return false;
    return change->run(change->call, tx, &group, err);
}

static bool change_group(Call *call, bool (*run)(Call *, DbTx *, LogGroup *, Error *), Error *err)
{
    Change change = {call, log_group_named(call), run};
    return db_write(call->server->db, run_change, &change, err);
}

static bool look_at_group(Call *call, bool (*run)(Call *, DbTx *, LogGroup *, Error *), Error *err)
{
    Change change = {call, log_group_named(call), run};
    return db_read(call->server->db, run_change, &change, err);
}

/* ---- groups ---- */

static bool create_group_in(Call *call, DbTx *tx, LogGroup *group, Error *err)
{
    Str name = call_text(call, "logGroupName");
    const Json *tags = json_get(call->in, "tags");
    if (group->id)
        return call_error(call, err, "ResourceAlreadyExistsException",
                          "The specified log group already exists");
    if (!log_group_make(tx, call->region, name, call_ms(call), err)) return false;
    return !tags || db_run(tx, err, "UPDATE log_group SET tags = ? WHERE region = ? AND name = ?",
                           "ttt", json_text(call->arena, tags), call->region, name);
}

static bool create_group(Call *call, Error *err)
{
    return change_group(call, create_group_in, err);
}

static bool delete_group_in(Call *call, DbTx *tx, LogGroup *group, Error *err)
{
    if (!group->id) return log_group_missing(call, err);
    return db_run(
               tx, err,
               "DELETE FROM log_event WHERE stream_id IN (SELECT id FROM log_stream WHERE group_id = ?)",
               "i", group->id) &&
           db_run(tx, err, "DELETE FROM log_stream WHERE group_id = ?", "i", group->id) &&
           db_run(tx, err, "DELETE FROM log_group WHERE id = ?", "i", group->id);
}

static bool delete_group(Call *call, Error *err)
{
    return change_group(call, delete_group_in, err);
}

static Json *group_line(Call *call, const DbRows *rows)
{
    Arena *arena = call->arena;
    Json *line = json_new_object(arena);
    Str name = arena_str(arena, db_text(rows, 0)), arn = log_group_arn(call, name);
    json_set_text(arena, line, "logGroupName", name);
    json_set_int(arena, line, "creationTime", db_int(rows, 1));
    if (db_int(rows, 2)) json_set_int(arena, line, "retentionInDays", db_int(rows, 2));
    json_set_int(arena, line, "metricFilterCount", 0);
    json_set_text(arena, line, "arn", arena_format(arena, "%.*s:*", STR_ARG(arn)));
    json_set_text(arena, line, "logGroupArn", arn);
    json_set_int(arena, line, "storedBytes", db_int(rows, 3));
    json_set_text(arena, line, "logGroupClass", STR("STANDARD"));
    return line;
}

static int64_t page_limit(const Call *call)
{
    int64_t limit = json_get_int(call->in, "limit", PAGE_MAX);
    return MIN(limit, PAGE_MAX);
}

static bool describe_groups_in(void *arg, DbTx *tx, Error *err)
{
    Call *call = arg;
    Arena *arena = call->arena;
    Str prefix = call_text(call, "logGroupNamePrefix"),
        pattern = call_text(call, "logGroupNamePattern");
    Str after = call_text(call, "nextToken");
    int64_t limit = page_limit(call), n = 0;
    Json *groups = json_new_array(arena);
    Str last = {0};
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(
            tx, &rows, err,
            "SELECT name, created, retention, (SELECT coalesce(sum(bytes), 0) FROM log_stream s WHERE s.group_id "
            "= g.id) FROM log_group g WHERE region = ? AND name > ? AND name >= ? ORDER BY name",
            "ttt", call->region, after.ptr ? after : STR(""), prefix.ptr ? prefix : STR("")))
        return false;
    while (db_next(&rows, &end)) {
        Str name = db_text(&rows, 0);
        if (prefix.ptr && !str_starts(name, prefix)) break;
        if (pattern.ptr && !str_has(name, pattern)) continue;
        if (n++ == limit) {
            json_set_text(arena, call->out, "nextToken", last);
            break;
        }
        last = arena_str(arena, name);
        json_push(arena, groups, group_line(call, &rows));
    }
    json_set(arena, call->out, "logGroups", groups);
    return true;
}

static bool describe_groups(Call *call, Error *err)
{
    if (call_text(call, "logGroupNamePrefix").ptr && call_text(call, "logGroupNamePattern").ptr)
        return call_error(
            call, err, "InvalidParameterException",
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
    return db_read(call->server->db, describe_groups_in, call, err);
}

static bool put_retention_in(Call *call, DbTx *tx, LogGroup *group, Error *err)
{
    static const int allowed[] = {1,   3,   5,   7,   14,   30,   60,   90,   120,  150,  180,
                                  365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653};
    int64_t days = json_get_int(call->in, "retentionInDays", 0);
    bool known = !json_get(call->in, "retentionInDays"); /* DeleteRetentionPolicy */
    for (size_t i = 0; i < COUNT(allowed); i++) known |= days == allowed[i];
    if (!group->id) return log_group_missing(call, err);
    if (!known)
        return call_error(
            call, err, "InvalidParameterException",
            "retentionInDays must be one of 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, "
            "1096, 1827, 2192, 2557, 2922, 3288, 3653");
    return db_run(tx, err, "UPDATE log_group SET retention = ? WHERE id = ?", "ii", days,
                  group->id);
}

static bool put_retention(Call *call, Error *err)
{
    return change_group(call, put_retention_in, err);
}

/* ---- tags ---- */

static bool tag_in(Call *call, DbTx *tx, LogGroup *group, Error *err)
{
    const Json *tags = json_get(call->in, "tags"), *keys = json_get(call->in, "tagKeys"),
               *old = NULL;
    Arena *arena = call->arena;
    if (!group->id) return log_group_missing(call, err);
    if (group->tags.len && !json_parse(group->tags, arena, &old, err)) return false;
    Json *all = json_new_object(arena);
    for (size_t i = 0; old && i < old->n; i++) {
        bool dropped = false;
        for (size_t k = 0; keys && k < keys->n; k++)
            dropped |= str_eq(json_at(keys, k)->text, old->members[i].name);
        if (!dropped) json_set_str(arena, all, old->members[i].name, old->members[i].value);
    }
    for (size_t i = 0; tags && i < tags->n; i++)
        json_set_str(arena, all, tags->members[i].name, tags->members[i].value);
    if (all->n > TAGS_MAX)
        return call_error(call, err, "TooManyTagsException",
                          "A resource can have no more than %d tags", TAGS_MAX);
    return db_run(tx, err, "UPDATE log_group SET tags = ? WHERE id = ?", "ti",
                  json_text(arena, all), group->id);
}

static bool tag(Call *call, Error *err)
{
    return change_group(call, tag_in, err);
}

static bool list_tags_in(Call *call, DbTx *tx, LogGroup *group, Error *err)
{
    const Json *tags = NULL;
    (void)tx;
    if (!group->id) return log_group_missing(call, err);
    if (group->tags.len && !json_parse(group->tags, call->arena, &tags, err)) return false;
    json_set(call->arena, call->out, "tags", tags ? tags : json_new_object(call->arena));
    return true;
}

static bool list_tags(Call *call, Error *err)
{
    return look_at_group(call, list_tags_in, err);
}

/* ---- streams ---- */

static bool create_stream_in(Call *call, DbTx *tx, LogGroup *group, Error *err)
{
    Str name = call_text(call, "logStreamName");
    int64_t id;
    if (!group->id) return log_group_missing(call, err);
    if (!log_stream_find(tx, group->id, name, &id, err)) return false;
    if (id)
        return call_error(call, err, "ResourceAlreadyExistsException",
                          "The specified log stream already exists");
    return log_stream_make(tx, group->id, name, call_ms(call), err);
}

static bool create_stream(Call *call, Error *err)
{
    return change_group(call, create_stream_in, err);
}

static bool delete_stream_in(Call *call, DbTx *tx, LogGroup *group, Error *err)
{
    int64_t id = 0;
    if (!group->id) return log_group_missing(call, err);
    if (!log_stream_find(tx, group->id, call_text(call, "logStreamName"), &id, err)) return false;
    if (!id) return log_stream_missing(call, err);
    return db_run(tx, err, "DELETE FROM log_event WHERE stream_id = ?", "i", id) &&
           db_run(tx, err, "DELETE FROM log_stream WHERE id = ?", "i", id);
}

static bool delete_stream(Call *call, Error *err)
{
    return change_group(call, delete_stream_in, err);
}

static Json *stream_line(Call *call, const LogGroup *group, const DbRows *rows)
{
    Arena *arena = call->arena;
    Json *line = json_new_object(arena);
    Str name = arena_str(arena, db_text(rows, 0)), arn = log_group_arn(call, group->name);
    json_set_text(arena, line, "logStreamName", name);
    json_set_int(arena, line, "creationTime", db_int(rows, 1));
    if (!db_is_null(rows, 2)) {
        json_set_int(arena, line, "firstEventTimestamp", db_int(rows, 2));
        json_set_int(arena, line, "lastEventTimestamp", db_int(rows, 3));
        json_set_int(arena, line, "lastIngestionTime", db_int(rows, 4));
    }
    json_set_text(arena, line, "uploadSequenceToken", STR("1"));
    json_set_text(arena, line, "arn",
                  arena_format(arena, "%.*s:log-stream:%.*s", STR_ARG(arn), STR_ARG(name)));
    json_set_int(arena, line, "storedBytes", 0);
    return line;
}

/* Pages are cut by a count that the token carries: streams come and go slowly, and their times change. */
static bool describe_streams_in(Call *call, DbTx *tx, LogGroup *group, Error *err)
{
    static const char *const sql[2][2] = {
        {"SELECT name, created, first_time, last_time, ingested FROM log_stream WHERE group_id = ? AND name >= ? ORDER "
         "BY name LIMIT ? OFFSET ?",
         "SELECT name, created, first_time, last_time, ingested FROM log_stream WHERE group_id = ? AND name >= ? ORDER "
         "BY name DESC LIMIT ? OFFSET ?"},
        {"SELECT name, created, first_time, last_time, ingested FROM log_stream WHERE group_id = ? AND name >= ? ORDER "
         "BY last_time, name LIMIT ? OFFSET ?",
         "SELECT name, created, first_time, last_time, ingested FROM log_stream WHERE group_id = ? AND name >= ? ORDER "
         "BY last_time DESC, name DESC LIMIT ? OFFSET ?"},
    };
    Str prefix = call_text(call, "logStreamNamePrefix"), token = call_text(call, "nextToken");
    bool by_time = str_is(call_text(call, "orderBy"), "LastEventTime");
    bool down = json_get_bool(call->in, "descending", false);
    int64_t limit = page_limit(call), skip = 0, seen = 0, n = 0;
    Json *streams = json_new_array(call->arena);
    if (!group->id) return log_group_missing(call, err);
    if (token.ptr && (!str_to_int64(token, &skip) || skip < 0))
        return call_error(call, err, "InvalidParameterException",
                          "The specified nextToken is invalid.");
    if (by_time && prefix.ptr)
        return call_error(call, err, "InvalidParameterException",
                          "Cannot order by LastEventTime with a logStreamNamePrefix.");

    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(tx, &rows, err, sql[by_time][down], "itii", group->id,
                  prefix.ptr ? prefix : STR(""), prefix.ptr ? INT64_MAX : limit + 1, skip))
        return false;
    while (db_next(&rows, &end)) {
        if (prefix.ptr && !str_starts(db_text(&rows, 0), prefix)) {
            if (!down) break;
            seen++;
            continue;
        }
        if (n == limit) {
            json_set_text(call->arena, call->out, "nextToken",
                          arena_format(call->arena, "%lld", (long long)(skip + seen)));
            break;
        }
        n++;
        seen++;
        json_push(call->arena, streams, stream_line(call, group, &rows));
    }
    json_set(call->arena, call->out, "logStreams", streams);
    return true;
}

static bool describe_streams(Call *call, Error *err)
{
    return look_at_group(call, describe_streams_in, err);
}

#define GROUP "arn:aws:logs:{region}:{account}:log-group:{logGroupName}"

const ServiceOperation logs_group_operations[] = {
    {"CreateLogGroup", create_group, .resource = GROUP, .flags = OPERATION_WRITES},
    {"DeleteLogGroup", delete_group, .resource = GROUP, .flags = OPERATION_WRITES},
    {"DescribeLogGroups", describe_groups, .resource = "*"},
    {"PutRetentionPolicy", put_retention, .resource = GROUP, .flags = OPERATION_WRITES},
    {"DeleteRetentionPolicy", put_retention, .resource = GROUP, .flags = OPERATION_WRITES},
    {"CreateLogStream", create_stream, .resource = GROUP, .flags = OPERATION_WRITES},
    {"DeleteLogStream", delete_stream, .resource = GROUP, .flags = OPERATION_WRITES},
    {"DescribeLogStreams", describe_streams, .resource = GROUP},
    {"TagResource", tag, .resource = "{resourceArn}", .flags = OPERATION_WRITES},
    {"UntagResource", tag, .resource = "{resourceArn}", .flags = OPERATION_WRITES},
    {"ListTagsForResource", list_tags, .resource = "{resourceArn}"},
    {"TagLogGroup", tag, .resource = GROUP, .flags = OPERATION_WRITES},
    {"ListTagsLogGroup", list_tags, .resource = GROUP},
    {0},
};
