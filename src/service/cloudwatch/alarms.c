/* Metric alarms: kept, evaluated every few seconds, looked at by deployments and by autoscaling.
 *
 * An alarm looks at its last EvaluationPeriods whole periods; when DatapointsToAlarm of them breach the threshold it is in
 * ALARM.  Periods without data count as TreatMissingData says.
 *
 * docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html */

#include "service/cloudwatch/store.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { LOOK_SECONDS = 5, PERIODS_MAX = 1440, PAGE_MAX = 100, NAMES_MAX = 100 };

typedef struct CloudWatch {
    Server *server;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool closing;
} CloudWatch;

static const char *const schema[] = {
    "CREATE TABLE alarm (region TEXT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, tags TEXT NOT NULL, PRIMARY KEY (region, name))",
    NULL,
};

/* ---- rows ---- */

static bool alarm_find(DbTx *tx, Str region, Str name, Arena *arena, const Json **ret_alarm,
                       Str *ret_tags, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    *ret_alarm = NULL;
    if (!db_query(tx, &rows, err, "SELECT document, tags FROM alarm WHERE region = ? AND name = ?",
                  "tt", region, name))
        return false;
    if (!db_next(&rows, &end)) return true;
    if (ret_tags) *ret_tags = arena_str(arena, db_text(&rows, 1));
    return json_parse(arena_str(arena, db_text(&rows, 0)), arena, ret_alarm, err);
}

static bool alarm_keep(DbTx *tx, Str region, Str name, const Json *alarm, Arena *arena, Error *err)
{
    return db_run(
        tx, err,
        "INSERT INTO alarm (region, name, document, tags) VALUES (?, ?, ?, '[]') ON CONFLICT (region, name) DO UPDATE SET "
        "document = excluded.document",
        "ttt", region, name, json_text(arena, alarm));
}

static void set_state(Json *alarm, Arena *arena, const char *state, Str reason, double now)
{
    json_set_text(arena, alarm, "StateValue", str_of(state));
    json_set_text(arena, alarm, "StateReason", reason);
    json_set_double(arena, alarm, "StateUpdatedTimestamp", now);
    json_set_double(arena, alarm, "StateTransitionedTimestamp", now);
}

/* ---- evaluation ---- */

static bool breaches(Str comparison, double value, double threshold)
{
    if (str_is(comparison, "GreaterThanThreshold")) return value > threshold;
    if (str_is(comparison, "GreaterThanOrEqualToThreshold")) return value >= threshold;
    if (str_is(comparison, "LessThanThreshold")) return value < threshold;
    return value <= threshold;
}

typedef struct Outcome {
    const char *state; /* NULL: as it was */
    Str reason;
} Outcome;

static bool judge(DbTx *tx, Str region, const Json *alarm, double now, Arena *arena,
                  Outcome *ret_outcome, Error *err)
{
    int64_t period = json_get_int(alarm, "Period", 60),
            n = json_get_int(alarm, "EvaluationPeriods", 1);
    int64_t needed = json_get_int(alarm, "DatapointsToAlarm", n);
    double threshold = json_get_double(alarm, "Threshold", 0);
    Str treat = json_get_text(alarm, "TreatMissingData"),
        comparison = json_get_text(alarm, "ComparisonOperator");
    Str statistic = json_get_text(alarm, "Statistic");
    if (!statistic.ptr) statistic = json_get_text(alarm, "ExtendedStatistic");
    MetricName name = {region, json_get_text(alarm, "Namespace"),
                       json_get_text(alarm, "MetricName"),
                       metric_dimensions(json_get(alarm, "Dimensions"), arena)};
    double end = floor(now / (double)period) * (double)period, start = end - (double)(period * n);
    Series series;
    if (!metric_series(tx, &name, start, end, period, json_get_text(alarm, "Unit"), statistic,
                       arena, &series, err))
        return false;

    int64_t breaching = 0, missing = n - (int64_t)series.n;
    for (size_t i = 0; i < series.n; i++)
        breaching += breaches(comparison, series.values[i], threshold);
    *ret_outcome = (Outcome){0};
    if (missing == n && str_is(treat, "ignore")) return true;
    if (missing == n && !str_is(treat, "breaching") && !str_is(treat, "notBreaching")) {
        *ret_outcome = (Outcome){"INSUFFICIENT_DATA",
                                 STR("Insufficient Data: no datapoints were received")};
        return true;
    }
    if (str_is(treat, "breaching")) breaching += missing;
    const char *word = breaching >= needed ? "ALARM" : "OK";
    double last = series.n ? series.values[series.n - 1] : NAN;
    *ret_outcome = (Outcome){
        word,
        arena_format(
            arena,
            "Threshold Crossed: %lld out of the last %lld datapoints breached the threshold (%g); the "
            "last one is %g (%lld datapoints are needed for ALARM)",
            (long long)breaching, (long long)n, threshold, last, (long long)needed)};
    return true;
}

typedef struct Look {
    double now;
    Arena *arena;
    Str *regions, *names;
    const char **states;
    Str *reasons;
    size_t n;
} Look;

/* Which alarms change: found in a read, so that the writer is not asked when nothing does. */
static bool look_at_all(void *arg, DbTx *tx, Error *err)
{
    Look *look = arg;
    DB_ROWS(rows);
    Error end = {0};
    size_t room = 0;
    if (!db_query(tx, &rows, err, "SELECT region, name, document FROM alarm", "")) return false;
    while (db_next(&rows, &end)) {
        const Json *alarm;
        Outcome outcome;
        Str region = arena_str(look->arena, db_text(&rows, 0)),
            name = arena_str(look->arena, db_text(&rows, 1));
        if (!json_parse(arena_str(look->arena, db_text(&rows, 2)), look->arena, &alarm, err) ||
            !judge(tx, region, alarm, look->now, look->arena, &outcome, err))
            return error_in(err, "alarm '%.*s'", STR_ARG(name));
        if (!outcome.state || str_is(json_get_text(alarm, "StateValue"), outcome.state)) continue;
        if (look->n == room) {
            room = room ? 2 * room : 16;
            look->regions = arena_grow(look->arena, look->regions, look->n, room, sizeof(Str));
            look->names = arena_grow(look->arena, look->names, look->n, room, sizeof(Str));
            look->states = arena_grow(look->arena, look->states, look->n, room, sizeof(char *));
            look->reasons = arena_grow(look->arena, look->reasons, look->n, room, sizeof(Str));
        }
        look->regions[look->n] = region;
        look->names[look->n] = name;
        look->states[look->n] = outcome.state;
        look->reasons[look->n++] = outcome.reason;
    }
    return true;
}

static bool change_states(void *arg, DbTx *tx, Error *err)
{
    Look *look = arg;
    for (size_t i = 0; i < look->n; i++) {
        const Json *alarm;
        if (!alarm_find(tx, look->regions[i], look->names[i], look->arena, &alarm, NULL, err))
            return false;
        if (!alarm) continue;
        Json *changed = json_copy(look->arena, alarm);
        set_state(changed, look->arena, look->states[i], look->reasons[i], look->now);
        if (!alarm_keep(tx, look->regions[i], look->names[i], changed, look->arena, err))
            return false;
    }
    return true;
}

static void evaluate_all(CloudWatch *cloudwatch)
{
    ARENA(arena);
    Error err = {0};
    Look look = {.now = clock_wall(), .arena = &arena};
    if (!db_read(cloudwatch->server->db, look_at_all, &look, &err) ||
        (look.n && !db_write(cloudwatch->server->db, change_states, &look, &err)))
        log_warning("evaluating alarms: %s", err.text);
}

static void *run(void *arg)
{
    CloudWatch *cloudwatch = arg;
    pthread_mutex_lock(&cloudwatch->mutex);
    while (!cloudwatch->closing) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += LOOK_SECONDS;
        if (pthread_cond_timedwait(&cloudwatch->wake, &cloudwatch->mutex, &until) != ETIMEDOUT)
            continue;
        pthread_mutex_unlock(&cloudwatch->mutex);
        evaluate_all(cloudwatch);
        pthread_mutex_lock(&cloudwatch->mutex);
    }
    pthread_mutex_unlock(&cloudwatch->mutex);
    return NULL;
}

bool alarms_open(Server *server, Error *err)
{
    if (!db_schema(server->db, "alarms", schema, err)) return false;
    CloudWatch *cloudwatch = calloc(1, sizeof *cloudwatch);
    if (!cloudwatch) memory_exhausted(sizeof *cloudwatch);
    cloudwatch->server = server;
    pthread_mutex_init(&cloudwatch->mutex, NULL);
    pthread_cond_init(&cloudwatch->wake, NULL);
    int code = pthread_create(&cloudwatch->thread, NULL, run, cloudwatch);
    if (code) {
        free(cloudwatch);
        return error_sys(err, code, "starting the alarms' thread");
    }
    server->cloudwatch = cloudwatch;
    return true;
}

void alarms_close(Server *server)
{
    CloudWatch *cloudwatch = server->cloudwatch;
    if (!cloudwatch) return;
    pthread_mutex_lock(&cloudwatch->mutex);
    cloudwatch->closing = true;
    pthread_cond_signal(&cloudwatch->wake);
    pthread_mutex_unlock(&cloudwatch->mutex);
    pthread_join(cloudwatch->thread, NULL);
    pthread_mutex_destroy(&cloudwatch->mutex);
    pthread_cond_destroy(&cloudwatch->wake);
    free(STEAL(server->cloudwatch));
}

/* ---- operations ---- */

static bool put_in(void *arg, DbTx *tx, Error *err)
{
    Call *call = arg;
    Arena *arena = call->arena;
    Str name = call_text(call, "AlarmName");
    const Json *old;
    if (!alarm_find(tx, call->region, name, arena, &old, NULL, err)) return false;
    Json *alarm = json_new_object(arena);
    for (size_t i = 0; i < call->in->n; i++)
        if (!str_is(call->in->members[i].name, "Tags"))
            json_set_str(arena, alarm, call->in->members[i].name, call->in->members[i].value);
    if (!json_get(alarm, "ActionsEnabled")) json_set_bool(arena, alarm, "ActionsEnabled", true);
    json_set_text(arena, alarm, "AlarmArn",
                  arena_format(arena, "arn:aws:cloudwatch:%.*s:%s:alarm:%.*s",
                               STR_ARG(call->region), call->server->options->account,
                               STR_ARG(name)));
    json_set_double(arena, alarm, "AlarmConfigurationUpdatedTimestamp", call->now);
    static const char *const lists[] = {"OKActions", "AlarmActions", "InsufficientDataActions",
                                        "Dimensions"};
    for (size_t i = 0; i < COUNT(lists); i++)
        if (!json_get(alarm, lists[i])) json_set(arena, alarm, lists[i], json_new_array(arena));
    set_state(alarm, arena, "INSUFFICIENT_DATA", STR("Unchecked: Initial alarm creation"),
              call->now);
    static const char *const kept[] = {"StateValue", "StateReason", "StateUpdatedTimestamp",
                                       "StateTransitionedTimestamp"};
    for (size_t i = 0; old && i < COUNT(kept); i++)
        json_set(arena, alarm, kept[i], json_get(old, kept[i]));
    const Json *tags = json_get(call->in, "Tags");
    return alarm_keep(tx, call->region, name, alarm, arena, err) &&
           (!tags || old ||
            db_run(tx, err, "UPDATE alarm SET tags = ? WHERE region = ? AND name = ?", "ttt",
                   json_text(arena, tags), call->region, name));
}

static bool put_metric_alarm(Call *call, Error *err)
{
    int64_t n = json_get_int(call->in, "EvaluationPeriods", 0),
            needed = json_get_int(call->in, "DatapointsToAlarm", n);
    int64_t period = json_get_int(call->in, "Period", 0);
    Str statistic = call_text(call, "Statistic"), extended = call_text(call, "ExtendedStatistic");
    if (json_get(call->in, "Metrics"))
        return call_error_status(call, err, 501, "NotImplemented",
                                 "Alarms on metric math are not served; name one metric");
    if (json_get(call->in, "ThresholdMetricId") || json_get(call->in, "EvaluationCriteria"))
        return call_error_status(call, err, 501, "NotImplemented",
                                 "Alarms on anomaly bands or queries are not served");
    static const char *const needs[] = {"MetricName",        "Namespace", "Period",
                                        "EvaluationPeriods", "Threshold", "ComparisonOperator"};
    for (size_t i = 0; i < COUNT(needs); i++)
        if (!json_get(call->in, needs[i]))
            return call_error(call, err, "ValidationError", "The parameter %s is required.",
                              needs[i]);
    if (!statistic.ptr == !extended.ptr)
        return call_error(call, err, "ValidationError",
                          "Exactly one of Statistic and ExtendedStatistic must be given.");
    if (extended.ptr && !metric_statistic_known(extended))
        return call_error(call, err, "ValidationError",
                          "The value '%.*s' of ExtendedStatistic is no percentile.",
                          STR_ARG(extended));
    if (n < 1 || n > PERIODS_MAX || needed < 1 || needed > n)
        return call_error(
            call, err, "ValidationError",
            "EvaluationPeriods must be 1 to %d, and DatapointsToAlarm 1 to EvaluationPeriods.",
            PERIODS_MAX);
    if (period != 10 && period != 20 && period != 30 && (period < 60 || period % 60))
        return call_error(call, err, "ValidationError",
                          "Period must be 10, 20, 30 or a multiple of 60.");
    return db_write(call->server->db, put_in, call, err);
}

static bool text_listed(const Json *list, Str text)
{
    for (size_t i = 0; i < list->n; i++)
        if (str_eq(json_at(list, i)->text, text)) return true;
    return false;
}

static bool describe_in(void *arg, DbTx *tx, Error *err)
{
    Call *call = arg;
    Arena *arena = call->arena;
    const Json *names = json_get(call->in, "AlarmNames");
    Str prefix = call_text(call, "AlarmNamePrefix"), state = call_text(call, "StateValue"),
        after = call_text(call, "NextToken");
    Str action = call_text(call, "ActionPrefix"), metric = call_text(call, "MetricName"),
        space = call_text(call, "Namespace");
    int64_t limit = json_get_int(call->in, "MaxRecords", PAGE_MAX), n = 0;
    bool metrics_only = metric.ptr != NULL;
    Json *alarms = json_new_array(arena);
    Str last = {0};
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(tx, &rows, err,
                  "SELECT name, document FROM alarm WHERE region = ? AND name > ? ORDER BY name",
                  "tt", call->region, after.ptr ? after : STR("")))
        return false;
    while (db_next(&rows, &end)) {
        const Json *alarm;
        Str name = db_text(&rows, 0);
        if (names && !text_listed(names, name)) continue;
        if (prefix.ptr && !str_starts(name, prefix)) continue;
        if (!json_parse(arena_str(arena, db_text(&rows, 1)), arena, &alarm, err)) return false;
        if (state.ptr && !str_eq(state, json_get_text(alarm, "StateValue"))) continue;
        if (action.ptr) {
            const Json *actions = json_get(alarm, "AlarmActions");
            bool found = false;
            for (size_t i = 0; actions && i < actions->n; i++)
                found |= str_starts(json_at(actions, i)->text, action);
            if (!found) continue;
        }
        if (metrics_only && (!str_eq(metric, json_get_text(alarm, "MetricName")) ||
                             !str_eq(space, json_get_text(alarm, "Namespace")) ||
                             !str_eq(metric_dimensions(json_get(call->in, "Dimensions"), arena),
                                     metric_dimensions(json_get(alarm, "Dimensions"), arena))))
            continue;
        if (!metrics_only && n++ == limit) {
            json_set_text(arena, call->out, "NextToken", last);
            break;
        }
        last = arena_str(arena, name);
        json_push(arena, alarms, alarm);
    }
    json_set(arena, call->out, "MetricAlarms", alarms);
    if (!metrics_only) json_set(arena, call->out, "CompositeAlarms", json_new_array(arena));
    return true;
}

static bool describe_alarms(Call *call, Error *err)
{
    return db_read(call->server->db, describe_in, call, err);
}

static bool change_in(void *arg, DbTx *tx, Error *err)
{
    Call *call = arg;
    Arena *arena = call->arena;
    const Json *names = json_get(call->in, "AlarmNames"), *alarm;
    const char *operation = call->operation->name;
    Json *one = json_new_array(arena);
    if (!names) {
        json_push(arena, one, json_get(call->in, "AlarmName"));
        names = one;
    }
    for (size_t i = 0; i < names->n; i++) {
        Str name = json_at(names, i)->text;
        if (!alarm_find(tx, call->region, name, arena, &alarm, NULL, err)) return false;
        if (!alarm && (str_starts(str_of(operation), STR("Enable")) ||
                       str_starts(str_of(operation), STR("Disable"))))
            continue;
        if (!alarm)
            return call_error(call, err, "ResourceNotFound", "There is no alarm '%.*s'.",
                              STR_ARG(name));
        if (strcmp(operation, "DeleteAlarms") == 0) {
            if (!db_run(tx, err, "DELETE FROM alarm WHERE region = ? AND name = ?", "tt",
                        call->region, name))
                return false;
            continue;
        }
        Json *changed = json_copy(arena, alarm);
        if (strcmp(operation, "SetAlarmState") == 0)
            set_state(changed, arena, arena_cstr(arena, call_text(call, "StateValue")),
                      call_text(call, "StateReason"), call->now);
        else
            json_set_bool(arena, changed, "ActionsEnabled",
                          strcmp(operation, "EnableAlarmActions") == 0);
        if (!alarm_keep(tx, call->region, name, changed, arena, err)) return false;
    }
    return true;
}

static bool change_alarms(Call *call, Error *err)
{
    const Json *names = json_get(call->in, "AlarmNames");
    if (names && names->n > NAMES_MAX)
        return call_error(call, err, "ValidationError",
                          "AlarmNames must not have a size greater than %d.", NAMES_MAX);
    return db_write(call->server->db, change_in, call, err);
}

/* ---- tags ---- */

static Str alarm_of_arn(Str arn)
{
    for (int i = 0; i < 6 && arn.len; i++)
        arn = str_from(arn, MIN(arn.len, str_find(arn, ':') + 1));
    return arn;
}

static bool tags_in(void *arg, DbTx *tx, Error *err)
{
    Call *call = arg;
    Arena *arena = call->arena;
    Str name = alarm_of_arn(call_text(call, "ResourceARN")), text = {0};
    const Json *alarm, *old, *set = json_get(call->in, "Tags"),
                             *gone = json_get(call->in, "TagKeys");
    if (!alarm_find(tx, call->region, name, arena, &alarm, &text, err)) return false;
    if (!alarm)
        return call_error(call, err, "ResourceNotFoundException", "There is no alarm '%.*s'.",
                          STR_ARG(name));
    if (!json_parse(text, arena, &old, err)) return false;
    if (!set && !gone) {
        json_set(arena, call->out, "Tags", old);
        return true;
    }
    Json *tags = json_new_array(arena);
    for (size_t i = 0; i < old->n; i++) {
        Str key = json_get_text(json_at(old, i), "Key");
        bool replaced = gone && text_listed(gone, key);
        for (size_t k = 0; set && k < set->n; k++)
            replaced |= str_eq(json_get_text(json_at(set, k), "Key"), key);
        if (!replaced) json_push(arena, tags, json_at(old, i));
    }
    for (size_t k = 0; set && k < set->n; k++) json_push(arena, tags, json_at(set, k));
    return db_run(tx, err, "UPDATE alarm SET tags = ? WHERE region = ? AND name = ?", "ttt",
                  json_text(arena, tags), call->region, name);
}

static bool list_tags(Call *call, Error *err)
{
    return db_read(call->server->db, tags_in, call, err);
}

static bool change_tags(Call *call, Error *err)
{
    return db_write(call->server->db, tags_in, call, err);
}

/* ---- for deployments ---- */

typedef struct State {
    Str region, name;
    char *state;
} State;

static bool state_in(void *arg, DbTx *tx, Error *err)
{
    State *state = arg;
    ARENA(arena);
    const Json *alarm;
    if (!alarm_find(tx, state->region, state->name, &arena, &alarm, NULL, err)) return false;
    snprintf(state->state, 24, "%.*s", STR_ARG(json_get_text(alarm, "StateValue")));
    return true;
}

bool alarm_state(Server *server, Str region, Str name, char ret_state[static 24], Error *err)
{
    return db_read(server->db, state_in, &(State){region, name, ret_state}, err);
}

#define ALARM "arn:aws:cloudwatch:{region}:{account}:alarm:{AlarmName}"

const ServiceOperation cloudwatch_alarm_operations[] = {
    {"PutMetricAlarm", put_metric_alarm, .resource = ALARM, .flags = OPERATION_WRITES},
    {"DescribeAlarms", describe_alarms, .resource = "*"},
    {"DescribeAlarmsForMetric", describe_alarms, .resource = "*"},
    {"DeleteAlarms", change_alarms, .resource = "*", .flags = OPERATION_WRITES},
    {"SetAlarmState", change_alarms, .resource = ALARM, .flags = OPERATION_WRITES},
    {"EnableAlarmActions", change_alarms, .resource = "*", .flags = OPERATION_WRITES},
    {"DisableAlarmActions", change_alarms, .resource = "*", .flags = OPERATION_WRITES},
    {"ListTagsForResource", list_tags, .resource = "{ResourceARN}"},
    {"TagResource", change_tags, .resource = "{ResourceARN}", .flags = OPERATION_WRITES},
    {"UntagResource", change_tags, .resource = "{ResourceARN}", .flags = OPERATION_WRITES},
    {0},
};
