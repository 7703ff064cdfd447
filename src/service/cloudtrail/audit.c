/* The audit trail; see audit.h.
 *
 * hash(n) = SHA-256(hash(n-1), n, record(n)), hash(0) = 32 zero bytes.  Old events are dropped from the
 * front; the hash before the first that is left is then kept in the head row.
 *
 * AWS: CloudTrail record contents. */

#include "service/cloudtrail/audit.h"

#include "aws/digest.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "service/cloudtrail/events.h"
#include "service/iam/access.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const schema[] = {
    "CREATE TABLE audit_event (number BIGINT NOT NULL PRIMARY KEY, time DOUBLE PRECISION NOT NULL, "
    "id TEXT NOT NULL, name TEXT NOT NULL, source TEXT NOT NULL, username TEXT NOT NULL, "
    "access_key TEXT NOT NULL, read_only BIGINT NOT NULL, region TEXT NOT NULL, record TEXT NOT NULL, "
    "hash BLOB NOT NULL)",
    "CREATE INDEX audit_event_time ON audit_event (time)",
    "CREATE INDEX audit_event_id ON audit_event (id)",
    "CREATE INDEX audit_event_name ON audit_event (name, number)",
    "CREATE INDEX audit_event_source ON audit_event (source, number)",
    "CREATE INDEX audit_event_username ON audit_event (username, number)",
    "CREATE INDEX audit_event_key ON audit_event (access_key, number)",
    "CREATE TABLE audit_resource (number BIGINT NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL, "
    "PRIMARY KEY (number, type, name)) WITHOUT ROWID",
    "CREATE INDEX audit_resource_name ON audit_resource (name, number)",
    "CREATE INDEX audit_resource_type ON audit_resource (type, number)",
    "CREATE TABLE audit_head (one BIGINT NOT NULL PRIMARY KEY, number BIGINT NOT NULL, hash BLOB NOT NULL, "
    "first BIGINT NOT NULL, before BLOB NOT NULL)",
    NULL,
};

struct Audit {
    pthread_mutex_t mutex; /* of what follows */
    double minute;
    int64_t strangers, suppressed;
};

/* ---- what is recorded ---- */

static const char *signing_name(const Call *call)
{
    return call->route.service ? call->route.service->signing_name : "unknown";
}

/* A form whose signature does not match is not read: its operation is not known then. */
static Str event_name(const Call *call)
{
    return call->route.name.len ? call->route.name : STR("Unverified");
}

/* CloudTrail's data events, and calls that are made by the thousand. */
static bool is_data(const Call *call)
{
    static const char *const names[] = {"logs PutLogEvents", "monitoring PutMetricData",
                                        "sagemaker InvokeEndpoint", "sagemaker InvokeEndpointAsync",
                                        "sagemaker InvokeEndpointWithResponseStream"};
    if (str_is(str_of(signing_name(call)), "s3"))
        return json_get(call->in, "Key") || json_get(call->in, "Delete");
    char text[128];
    snprintf(text, sizeof text, "%s %.*s", signing_name(call), STR_ARG(call->route.name));
    for (size_t i = 0; i < COUNT(names); i++)
        if (strcmp(text, names[i]) == 0) return true;
    return false;
}

static bool is_write(const Call *call)
{
    return call->operation && (call->operation->flags & OPERATION_WRITES);
}

static bool is_denial(const Call *call)
{
    return call->code && (call->status == 403 || strncmp(call->code, "AccessDenied", 12) == 0 ||
                          signature_status(call->code) == 403);
}

static bool is_stranger(const Call *call)
{
    return call->caller.type == CALLER_ANONYMOUS;
}

/* ---- the record ---- */

static void add_time(JsonWriter *writer, const char *name, double seconds)
{
    time_t t = (time_t)seconds;
    struct tm utc;
    char text[32];
    gmtime_r(&t, &utc);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    json_member_string(writer, name, str_of(text));
}

static Str last_part(Str arn, char separator)
{
    size_t at = arn.len;
    while (at && arn.ptr[at - 1] != separator) at--;
    return str_from(arn, at);
}

static void add_identity(JsonWriter *writer, const Call *call)
{
    const Caller *caller = &call->caller;
    json_name(writer, STR("userIdentity"));
    json_begin_object(writer);
    if (is_stranger(call)) {
        json_member_string(writer, "type", STR("AWSAccount"));
        json_member_string(writer, "principalId", STR(""));
        json_member_string(writer, "accountId", STR("ANONYMOUS_PRINCIPAL"));
    } else {
        bool role = caller->role_arn.len > 0;
        json_member_string(writer, "type",
                           caller->type == CALLER_SERVICE ? STR("AWSService")
                           : role                         ? STR("AssumedRole")
                                                          : STR("IAMUser"));
        json_member_string(writer, "principalId", caller->user_id);
        json_member_string(writer, "arn", caller->arn);
        json_member_string(writer, "accountId", caller->account);
        json_member_string(writer, "accessKeyId", caller->access_key);
        if (!role) json_member_string(writer, "userName", caller->name);
        if (role) {
            Str id = caller->user_id;
            id.len = str_find(id, ':');
            json_name(writer, STR("sessionContext"));
            json_begin_object(writer);
            json_name(writer, STR("sessionIssuer"));
            json_begin_object(writer);
            json_member_string(writer, "type", STR("Role"));
            json_member_string(writer, "principalId", id);
            json_member_string(writer, "arn", caller->role_arn);
            json_member_string(writer, "accountId", caller->account);
            json_member_string(writer, "userName", last_part(caller->role_arn, '/'));
            json_end_object(writer);
            json_name(writer, STR("attributes"));
            json_begin_object(writer);
            json_member_string(writer, "mfaAuthenticated", STR("false"));
            json_end_object(writer);
            json_end_object(writer);
        }
    }
    json_end_object(writer);
}

/* The message with secrets and bodies hidden, names in lower camel case; NULL when there is none or
 * it is long. */
static void add_message(JsonWriter *writer, const char *name, const Json *message,
                        const Shape *shape)
{
    AUTO_STRBUF StrBuf text = STRBUF(AUDIT_PARAMETERS_BYTES_MAX);
    json_name(writer, str_of(name));
    if (!message || !message->n || !shape) {
        json_null(writer);
        return;
    }
    audit_message_text(message, shape, &text);
    if (text.overflow) {
        json_begin_object(writer);
        json_member_bool(writer, "omitted", true);
        json_end_object(writer);
        return;
    }
    /* It is JSON already: parsed again, so that the writer keeps its commas. */
    ARENA(scratch);
    const Json *value;
    if (json_parse(strbuf_str(&text), &scratch, &value, NULL))
        json_value(writer, value);
    else
        json_null(writer);
}

typedef struct Event {
    Call *call;
    const Error *failure;
    int64_t suppressed;
    Str id;
} Event;

static void write_record(const Event *event, StrBuf *out)
{
    const Call *call = event->call;
    const OperationShape *operation = call->route.operation;
    char source[96];
    JsonWriter writer = JSON_WRITER(out);
    snprintf(source, sizeof source, "%s.amazonaws.com", signing_name(call));
    json_begin_object(&writer);
    json_member_string(&writer, "eventVersion", STR("1.08"));
    add_identity(&writer, call);
    add_time(&writer, "eventTime", call->now);
    json_member_string(&writer, "eventSource", str_of(source));
    json_member_string(&writer, "eventName", event_name(call));
    json_member_string(&writer, "awsRegion", call->region);
    if (str_starts(str_of(call->server->options->host),
                   STR("127."))) /* else it is not known here */
        json_member_string(&writer, "sourceIPAddress", STR("127.0.0.1"));
    Str agent = call->http ? http_field(call->http->request, STR("User-Agent")) : (Str){0};
    agent.len = MIN(agent.len, 512);
    if (agent.ptr) json_member_string(&writer, "userAgent", agent);
    if (event->failure) {
        Str text = str_of(event->failure->text);
        text.len = MIN(text.len, 1024);
        json_member_string(&writer, "errorCode",
                           str_of(call->code ? call->code : "InternalFailure"));
        json_member_string(&writer, "errorMessage", text);
    }
    bool secret = call->operation && (call->operation->flags & OPERATION_SECRET);
    add_message(&writer, "requestParameters", call->in, operation ? operation->input : NULL);
    add_message(&writer, "responseElements",
                event->failure || secret || !is_write(call) ? NULL : call->out,
                operation ? operation->output : NULL);
    if (event->suppressed) {
        json_name(&writer, STR("additionalEventData"));
        json_begin_object(&writer);
        json_member_int(&writer, "unrecordedCallsOfStrangers", event->suppressed);
        json_end_object(&writer);
    }
    json_member_string(&writer, "requestID", call->request_id);
    json_member_string(&writer, "eventID", event->id);
    json_member_bool(&writer, "readOnly", !is_write(call));
    json_member_string(&writer, "eventType", STR("AwsApiCall"));
    json_member_bool(&writer, "managementEvent", true);
    json_member_string(&writer, "recipientAccountId", str_of(call->server->options->account));
    json_member_string(&writer, "eventCategory", STR("Management"));
    json_end_object(&writer);
}

/* ---- the chain ---- */

void audit_link_hash(const uint8_t before[static 32], int64_t number, Str record,
                     uint8_t ret[static 32])
{
    Digest digest;
    char text[32];
    int n = snprintf(text, sizeof text, "%lld\n", (long long)number);
    digest_init(&digest, DIGEST_SHA256);
    digest_add(&digest, (Str){(const char *)before, 32});
    digest_add(&digest, (Str){text, (size_t)n});
    digest_add(&digest, record);
    digest_end(&digest, ret);
}

static bool read_head(DbTx *tx, int64_t *ret_number, uint8_t ret_hash[static 32], Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    *ret_number = 0;
    memset(ret_hash, 0, 32);
    if (!db_query(tx, &rows, err, "SELECT number, hash FROM audit_head WHERE one = 1", ""))
        return false;
    if (!db_next(&rows, &end)) return true;
    *ret_number = db_int(&rows, 0);
    Str hash = db_text(&rows, 1);
    if (hash.len == 32) memcpy(ret_hash, hash.ptr, 32);
    return true;
}

/* Members of the request that name something: "TrainingJobName" is an AWS::SageMaker::TrainingJob. */
static bool insert_resources(DbTx *tx, const Call *call, int64_t number, Error *err)
{
    static const char *const services[][2] = {
        {"sagemaker", "SageMaker"},  {"iam", "IAM"}, {"s3", "S3"}, {"sts", "STS"}, {"logs", "Logs"},
        {"monitoring", "CloudWatch"}};
    const char *service = signing_name(call);
    for (size_t i = 0; i < COUNT(services); i++)
        if (strcmp(service, services[i][0]) == 0) service = services[i][1];
    const Json *in = call->in;
    int added = 0;
    for (size_t i = 0; in && i < in->n && added < 8; i++) {
        Str name = in->members[i].name;
        const Json *value = in->members[i].value;
        if (value->type != JSON_STRING || value->text.len > 512) continue;
        Str type = name;
        if (str_ends(name, STR("Name")))
            type.len -= 4;
        else if (str_ends(name, STR("Arn")))
            type.len -= 3;
        else if (!str_is(name, "Bucket"))
            continue;
        char text[160];
        if (!type.len) continue;
        int n = snprintf(text, sizeof text, "AWS::%s::%c%.*s", service,
                         type.ptr[0] >= 'a' ? type.ptr[0] & ~32 : type.ptr[0],
                         STR_ARG(str_from(type, 1)));
        if (!db_run(tx, err,
                    "INSERT INTO audit_resource (number, type, name) VALUES (?, ?, ?) "
                    "ON CONFLICT (number, type, name) DO NOTHING",
                    "itt", number, (Str){text, (size_t)MIN(n, (int)sizeof text - 1)}, value->text))
            return false;
        added++;
    }
    return true;
}

static bool insert_event(void *arg, DbTx *tx, Error *err)
{
    Event *event = arg;
    Call *call = event->call;
    ARENA(scratch);
    AUTO_STRBUF StrBuf record = STRBUF(AUDIT_RECORD_BYTES_MAX + AUDIT_PARAMETERS_BYTES_MAX);
    int64_t number;
    uint8_t before[32], hash[32];
    if (!read_head(tx, &number, before, err)) return false;
    event->id = call_new_id(&scratch);
    write_record(event, &record);
    Str text = strbuf_str(&record);
    number++;
    audit_link_hash(before, number, text, hash);
    Str hash_str = {(const char *)hash, sizeof hash}, none = STR("");
    Str source = arena_format(&scratch, "%s.amazonaws.com", signing_name(call));
    const Caller *caller = &call->caller;
    return db_run(tx, err,
                  "INSERT INTO audit_event (number, time, id, name, source, username, access_key, "
                  "read_only, region, record, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                  "idtttttittb", number, call->now, event->id, event_name(call), source,
                  caller->name.ptr ? caller->name : none,
                  caller->access_key.ptr ? caller->access_key : none, (int64_t)!is_write(call),
                  call->region, text, hash_str) &&
           db_run(
               tx, err,
               "INSERT INTO audit_head (one, number, hash, first, before) VALUES (1, ?, ?, 1, ?) "
               "ON CONFLICT (one) DO UPDATE SET number = excluded.number, hash = excluded.hash",
               "ibb", number, hash_str, (Str){(const char *)before, sizeof before}) &&
           insert_resources(tx, call, number, err);
}

/* ---- at the dispatcher ---- */

static bool insert_change(void *arg, DbTx *tx, Error *err)
{
    Event event = {.call = arg};
    return insert_event(&event, tx, err);
}

void audit_begin(Call *call)
{
    if (call->server->audit && is_write(call) && !is_data(call))
        db_also(call->server->db, insert_change, call);
}

void audit_cancel(Call *call)
{
    db_also_end(call->server->db);
}

/* Noise of strangers: the first hundred of a minute, then a count. */
static bool is_noise(struct Audit *audit, double now, int64_t *ret_suppressed)
{
    bool noise = false;
    *ret_suppressed = 0;
    pthread_mutex_lock(&audit->mutex);
    if (now - audit->minute >= 60 || now < audit->minute) {
        audit->minute = now;
        audit->strangers = 0;
        *ret_suppressed = audit->suppressed;
        audit->suppressed = 0;
    }
    if (++audit->strangers > AUDIT_STRANGERS_MAX) {
        audit->suppressed++;
        noise = true;
    }
    pthread_mutex_unlock(&audit->mutex);
    return noise;
}

void audit_record(Call *call, const Error *failure)
{
    struct Audit *audit = call->server->audit;
    bool written = db_also_end(call->server->db);
    if (!audit || (written && !failure)) return;
    bool denial = failure && is_denial(call);
    if ((!is_write(call) && !denial) || (is_data(call) && !(denial && is_stranger(call)))) return;
    Event event = {.call = call, .failure = failure};
    if (is_stranger(call) && is_noise(audit, call->now, &event.suppressed)) return;
    Error err = {0};
    if (!db_write(call->server->db, insert_event, &event, &err))
        log_error("no audit record of %.*s: %s", STR_ARG(call->route.name), err.text);
}

/* ---- verifying ---- */

typedef struct Verifying {
    int64_t n;
} Verifying;

static bool verify(void *arg, DbTx *tx, Error *err)
{
    Verifying *verifying = arg;
    uint8_t hash[32] = {0}, last[32], want[32];
    int64_t number = 0, first = 1;
    Error end = {0};
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err,
                      "SELECT number, hash, first, before FROM audit_head WHERE one = 1", ""))
            return false;
        bool there = db_next(&rows, &end);
        if (there) {
            number = db_int(&rows, 0);
            first = db_int(&rows, 2);
            Str a = db_text(&rows, 1);
            if (a.len == 32) memcpy(last, a.ptr, 32);
            Str b = db_text(&rows, 3);
            if (b.len == 32) memcpy(hash, b.ptr, 32);
        }
    }
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err, "SELECT number, record, hash FROM audit_event ORDER BY number",
                  ""))
        return false;
    int64_t next = first;
    while (db_next(&rows, &end)) {
        if (db_int(&rows, 0) != next)
            return error_set(err, ERROR_INVALID, "event %lld is missing", (long long)next);
        audit_link_hash(hash, next, db_text(&rows, 1), want);
        Str is = db_text(&rows, 2);
        if (is.len != 32 || !digest_equal(is.ptr, want, 32))
            return error_set(err, ERROR_INVALID, "event %lld was changed", (long long)next);
        memcpy(hash, want, 32);
        next++;
        verifying->n++;
    }
    if (next - 1 != number && (number || next > 1))
        return error_set(err, ERROR_INVALID, "events %lld to %lld are missing", (long long)next,
                         (long long)number);
    if (number && !digest_equal(hash, last, 32))
        return error_set(err, ERROR_INVALID, "the last event was changed");
    return true;
}

bool audit_verify(Db *db, int64_t *ret_events, Error *err)
{
    Verifying verifying = {0};
    if (!db_read(db, verify, &verifying, err)) return false;
    *ret_events = verifying.n;
    return true;
}

/* ---- opening ---- */

/* Events older than AUDIT_DAYS go; the chain begins behind them. */
static bool drop_old(void *arg, DbTx *tx, Error *err)
{
    double before = clock_wall() - AUDIT_DAYS * 86400.0;
    Error end = {0};
    int64_t last = 0;
    uint8_t hash[32];
    (void)arg;
    {
        DB_ROWS(rows);
        if (!db_query(
                tx, &rows, err,
                "SELECT number, hash FROM audit_event WHERE time < ? ORDER BY number DESC LIMIT 1",
                "d", before))
            return false;
        if (!db_next(&rows, &end)) return true;
        last = db_int(&rows, 0);
        Str text = db_text(&rows, 1);
        if (text.len == 32) memcpy(hash, text.ptr, 32);
    }
    return db_run(tx, err, "DELETE FROM audit_event WHERE number <= ?", "i", last) &&
           db_run(tx, err, "DELETE FROM audit_resource WHERE number <= ?", "i", last) &&
           db_run(tx, err, "UPDATE audit_head SET first = ?, before = ? WHERE one = 1", "ib",
                  last + 1, (Str){(const char *)hash, sizeof hash});
}

bool audit_open(Server *server, Error *err)
{
    if (!db_schema(server->db, "audit", schema, err) || !db_write(server->db, drop_old, NULL, err))
        return false;
    struct Audit *audit = calloc(1, sizeof *audit);
    if (!audit) memory_exhausted(sizeof *audit);
    pthread_mutex_init(&audit->mutex, NULL);
    server->audit = audit;
    return true;
}

void audit_close(Server *server)
{
    if (!server->audit) return;
    pthread_mutex_destroy(&server->audit->mutex);
    free(server->audit);
    server->audit = NULL;
}
