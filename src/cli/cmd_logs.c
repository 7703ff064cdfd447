/* clary logs: the lines of jobs and endpoints, from CloudWatch Logs. */

#include "cli/cli.h"

#include "cli/remote.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { FOLLOW_MS = 300 };

static const Option options[] = {
    REMOTE_OPTIONS,
    {"follow", 'f', NULL, "go on with what comes, until interrupted", false, NULL},
    {"filter", 0, "PATTERN",
     "only lines that match: ERROR, \"two words\", -not, { $.level = \"error\" }", false, NULL},
    {"times", 't', NULL, "put the time (UTC) before each line", false, NULL},
    {"json", 0, NULL, "a JSON object a line", false, NULL},
    {0},
};

static const char *const examples[] = {
    "clary logs",
    "clary logs -f churn-2026-11-25",
    "clary logs /aws/sagemaker/Endpoints/churn --filter ERROR",
    NULL,
};

static bool list_groups(const Remote *remote, Arena *arena, Error *err)
{
    Str token = {0};
    int n = 0;
    do {
        Json *in = json_new_object(arena);
        const Json *out;
        if (token.ptr) json_set_text(arena, in, "nextToken", token);
        if (!remote_call(remote, STR("logs"), STR("Logs_20140328.DescribeLogGroups"), in, arena,
                         &out, err))
            return false;
        const Json *groups = json_get(out, "logGroups");
        for (size_t i = 0; groups && i < groups->n; i++, n++)
            printf("%.*s\n", STR_ARG(json_get_text(json_at(groups, i), "logGroupName")));
        token = json_get_text(out, "nextToken");
    } while (token.ptr);
    if (!n) fprintf(stderr, "nothing has written a log yet\n");
    return true;
}

static void print_event(const Args *args, const Json *event)
{
    Str message = json_get_text(event, "message");
    if (args_has(args, "json")) {
        ARENA(scratch);
        printf("%.*s\n", STR_ARG(json_text(&scratch, event)));
        return;
    }
    if (args_has(args, "times")) {
        int64_t ms = json_get_int(event, "timestamp", 0);
        time_t seconds = (time_t)(ms / 1000);
        struct tm tm;
        char text[32];
        gmtime_r(&seconds, &tm);
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
        printf("%s.%03dZ  ", text, (int)(ms % 1000));
    }
    printf("%.*s\n", STR_ARG(message));
}

/* A name that is no group's is one of a job or an endpoint. */
static bool find_group(const Remote *remote, Str name, Arena *arena, Str *ret_group,
                       Str *ret_prefix, Error *err)
{
    static const char *const jobs[] = {"/aws/sagemaker/TrainingJobs",
                                       "/aws/sagemaker/ProcessingJobs",
                                       "/aws/sagemaker/TransformJobs"};
    *ret_prefix = (Str){0};
    *ret_group = name;
    if (name.ptr[0] == '/') return true;
    Str prefix = arena_format(arena, "%.*s/", STR_ARG(name));
    for (size_t i = 0; i < COUNT(jobs); i++) {
        Json *in = json_new_object(arena);
        const Json *out;
        json_set_text(arena, in, "logGroupName", str_of(jobs[i]));
        json_set_text(arena, in, "logStreamNamePrefix", prefix);
        if (!remote_call(remote, STR("logs"), STR("Logs_20140328.DescribeLogStreams"), in, arena,
                         &out, err)) {
            if (err->kind != ERROR_NOT_FOUND) return false;
            continue;
        }
        const Json *streams = json_get(out, "logStreams");
        if (!streams || !streams->n) continue;
        *ret_group = str_of(jobs[i]);
        *ret_prefix = prefix;
        return true;
    }
    *ret_group = arena_format(arena, "/aws/sagemaker/Endpoints/%.*s", STR_ARG(name));
    return true;
}

static bool logs_run(const Args *args, bool *ret_usage, Error *err)
{
    ARENA(arena);
    Remote remote;
    Str group, prefix;
    if (args->n_positional > 1) return USAGE("one job, endpoint or log group at a time");
    if (!remote_need(args, &arena, &remote, err)) return false;
    if (!args->n_positional) return list_groups(&remote, &arena, err);
    if (!find_group(&remote, args->positional[0], &arena, &group, &prefix, err)) return false;
    int64_t start = 0,
            same = 0; /* time of the last line, and how many lines of that time were shown */
    for (;;) {
        ARENA(page);
        Str token = {0};
        int64_t skip = same, at = start;
        do {
            Json *in = json_new_object(&page);
            const Json *out;
            json_set_text(&page, in, "logGroupName", group);
            if (prefix.ptr) json_set_text(&page, in, "logStreamNamePrefix", prefix);
            if (args_has(args, "filter"))
                json_set_text(&page, in, "filterPattern", args_get(args, "filter"));
            json_set_int(&page, in, "startTime", at);
            if (token.ptr) json_set_text(&page, in, "nextToken", token);
            if (!remote_call(&remote, STR("logs"), STR("Logs_20140328.FilterLogEvents"), in, &page,
                             &out, err))
                return error_in(err, "the log of '%.*s'", STR_ARG(args->positional[0]));
            const Json *events = json_get(out, "events");
            for (size_t i = 0; events && i < events->n; i++) {
                const Json *event = json_at(events, i);
                int64_t time = json_get_int(event, "timestamp", 0);
                if (time == at && skip > 0) {
                    skip--;
                    continue;
                }
                print_event(args, event);
                same = time == start ? same + 1 : 1;
                start = time;
            }
            token = json_get_text(out, "nextToken");
        } while (token.ptr);
        fflush(stdout);
        if (!args_has(args, "follow")) return true;
        usleep(FOLLOW_MS * 1000);
    }
}

const Command logs_command = {
    .name = "logs",
    .synopsis = "[-f] [JOB | ENDPOINT | GROUP]",
    .summary = "lines that jobs and endpoints wrote",
    .examples = examples,
    .options = options,
    .run = logs_run,
};
