/* LookupEvents: the last 90 days, newest first, by one attribute. */

#include "base/clock.h"
#include "service/cloudtrail/audit.h"

enum { LOOKUP_MAX = 50 };

typedef struct Lookup {
    Call *call;
    Str attribute, value;
    double from, to;
    int64_t before, limit; /* numbers below; so many and one more */
} Lookup;

#define COLUMNS "SELECT number, time, id, name, source, username, access_key, read_only, record "
#define RANGE "AND number < ? AND time >= ? AND time <= ? ORDER BY number DESC LIMIT ?"

/* A statement for each attribute: texts are literals, since statements are kept by their address. */
static bool start(const Lookup *lookup, DbTx *tx, DbRows *rows, Error *err)
{
    const Lookup *l = lookup;
#define ASK(where, type, value)                                                                    \
    db_query(tx, rows, err, COLUMNS "FROM audit_event WHERE " where " = ? " RANGE, type "iddi",    \
             value, l->before, l->from, l->to, l->limit)
    if (!l->attribute.len)
        return db_query(tx, rows, err, COLUMNS "FROM audit_event WHERE number > 0 " RANGE, "iddi",
                        l->before, l->from, l->to, l->limit);
    if (str_is(l->attribute, "EventId")) return ASK("id", "t", l->value);
    if (str_is(l->attribute, "EventName")) return ASK("name", "t", l->value);
    if (str_is(l->attribute, "EventSource")) return ASK("source", "t", l->value);
    if (str_is(l->attribute, "Username")) return ASK("username", "t", l->value);
    if (str_is(l->attribute, "AccessKeyId")) return ASK("access_key", "t", l->value);
    if (str_is(l->attribute, "ReadOnly"))
        return ASK("read_only", "i", (int64_t)str_is(l->value, "true"));
#define BY_RESOURCE(column)                                                                        \
    db_query(tx, rows, err,                                                                        \
             COLUMNS                                                                               \
             "FROM audit_event WHERE number IN (SELECT number FROM audit_resource WHERE " column   \
             " = ?) " RANGE,                                                                       \
             "tiddi", l->value, l->before, l->from, l->to, l->limit)
    if (str_is(l->attribute, "ResourceName")) return BY_RESOURCE("name");
    return BY_RESOURCE("type");
}

static bool add_resources(Call *call, DbTx *tx, int64_t number, Json *event, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    Json *list = json_new_array(call->arena);
    if (!db_query(tx, &rows, err,
                  "SELECT type, name FROM audit_resource WHERE number = ? ORDER BY type, name", "i",
                  number))
        return false;
    while (db_next(&rows, &end)) {
        Json *resource = json_new_object(call->arena);
        json_set_text(call->arena, resource, "ResourceType",
                      arena_str(call->arena, db_text(&rows, 0)));
        json_set_text(call->arena, resource, "ResourceName",
                      arena_str(call->arena, db_text(&rows, 1)));
        json_push(call->arena, list, resource);
    }
    json_set(call->arena, event, "Resources", list);
    return true;
}

static bool look(void *arg, DbTx *tx, Error *err)
{
    Lookup *lookup = arg;
    Call *call = lookup->call;
    Arena *arena = call->arena;
    Json *events = json_new_array(arena);
    int64_t last = 0;
    Error end = {0};
    {
        DB_ROWS(rows);
        if (!start(lookup, tx, &rows, err)) return false;
        while (db_next(&rows, &end)) {
            if ((int64_t)events->n == lookup->limit - 1) {
                json_set_text(arena, call->out, "NextToken",
                              arena_format(arena, "%lld", (long long)last));
                break;
            }
            static const char *const texts[] = {"EventId", "EventName", "EventSource", "Username",
                                                "AccessKeyId"};
            Json *event = json_new_object(arena);
            last = db_int(&rows, 0);
            for (int i = 0; i < (int)COUNT(texts); i++) {
                Str text = arena_str(arena, db_text(&rows, 2 + i));
                if (text.len) json_set_text(arena, event, texts[i], text);
            }
            json_set_text(arena, event, "ReadOnly", db_int(&rows, 7) ? STR("true") : STR("false"));
            json_set_double(arena, event, "EventTime", (double)(int64_t)db_real(&rows, 1));
            json_set_text(arena, event, "CloudTrailEvent", arena_str(arena, db_text(&rows, 8)));
            json_set_int(arena, event, "number", last); /* taken out below */
            json_push(arena, events, event);
        }
    }
    Json *list = json_new_array(arena);
    for (size_t i = 0; i < events->n; i++) {
        const Json *kept = events->items[i];
        Json *event = json_new_object(arena);
        for (size_t k = 0; k < kept->n; k++)
            if (!str_is(kept->members[k].name, "number"))
                json_set_str(arena, event, kept->members[k].name, kept->members[k].value);
        if (!add_resources(call, tx, json_get_int(kept, "number", 0), event, err)) return false;
        json_push(arena, list, event);
    }
    json_set(arena, call->out, "Events", list);
    return true;
}

static bool lookup_events(Call *call, Error *err)
{
    const Json *attributes = json_get(call->in, "LookupAttributes");
    Str token = call_text(call, "NextToken");
    Lookup lookup = {.call = call,
                     .from = json_get_double(call->in, "StartTime", 0),
                     .to = json_get_double(call->in, "EndTime", call->now + 60),
                     .before = INT64_MAX,
                     .limit = json_get_int(call->in, "MaxResults", LOOKUP_MAX)};
    if (attributes && attributes->n > 1)
        return call_error(call, err, "InvalidLookupAttributesException",
                          "You can specify only one attribute per lookup request.");
    if (attributes && attributes->n) {
        lookup.attribute = json_get_text(json_at(attributes, 0), "AttributeKey");
        lookup.value = json_get_text(json_at(attributes, 0), "AttributeValue");
    }
    if (lookup.from > lookup.to)
        return call_error(call, err, "InvalidTimeRangeException",
                          "StartTime cannot be later than EndTime.");
    if (lookup.limit < 1 || lookup.limit > LOOKUP_MAX)
        return call_error(call, err, "InvalidMaxResultsException",
                          "MaxResults must be between 1 and %d.", LOOKUP_MAX);
    if (token.ptr && (!str_to_int64(token, &lookup.before) || lookup.before < 1))
        return call_error(call, err, "InvalidNextTokenException", "The NextToken is not valid.");
    lookup.limit++;
    return db_read(call->server->db, look, &lookup, err);
}

static const ServiceOperation operations[] = {
    {"LookupEvents", lookup_events, .resource = "*"},
    {0},
};
static const ServiceOperation *const tables[] = {operations, NULL};
const Service cloudtrail_service = {.name = "cloudtrail", .tables = tables};
