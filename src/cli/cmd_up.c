/* clary up, down, status, reset: the server's life. */

#include "cli/cli.h"

#include "base/clock.h"
#include "base/file.h"
#include "cli/remote.h"
#include "cli/settings.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- up ---- */

static const char *const up_examples[] = {
    "clary up",
    "clary up --port 4600 --home /srv/clary",
    "clary up --ephemeral --port 0",
    "clary up --bucket sagemaker-sample-files=./samples",
    NULL,
};

/* claryd lies beside clary; its process takes over, so that signals and the exit status are its own. */
static bool up_run(const Args *args, bool *ret_usage, Error *err)
{
    char path[4096];
    ARENA(arena);
    if (args->n_positional) return USAGE("'clary up' takes options only");
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;
    Str folder = slash ? (Str){path, (size_t)(slash - path)} : STR("/usr/bin");
    const char *program = arena_format(&arena, "%.*s/claryd", STR_ARG(folder)).ptr;

    int n_words = 1;
    for (int i = 0; args->options[i].name; i++) n_words += args->n_repeated[i] + 1;
    char **words = arena_array(&arena, char *, n_words + 1);
    int at = 0;
    words[at++] = arena_cstr(&arena, STR("claryd"));
    for (int i = 0; args->options[i].name; i++) {
        const Option *option = &args->options[i];
        if (option->repeat) {
            for (int k = 0; k < args->n_repeated[i]; k++)
                words[at++] = arena_cstr(&arena, arena_format(&arena, "--%s=%.*s", option->name,
                                                              STR_ARG(args->repeated[i][k])));
        } else if (args->given[i]) {
            words[at++] = arena_cstr(&arena, option->value
                                                 ? arena_format(&arena, "--%s=%.*s", option->name,
                                                                STR_ARG(args->values[i]))
                                                 : arena_format(&arena, "--%s", option->name));
        }
    }
    execv(program, words);
    return error_sys(err, errno, "starting '%s'", program);
}

const Command up_command = {
    .name = "up",
    .synopsis = "[OPTION...]",
    .summary = "start the server: AWS's APIs on this machine",
    .examples = up_examples,
    .options = server_options,
    .run = up_run,
    .more =
        "Every option can also be a line \"name = value\" in the file clary.conf of the home folder, or a variable CLARY_NAME.",
};

/* ---- down ---- */

static const Option remote_options[] = {REMOTE_OPTIONS, {0}};

static const char *const down_examples[] = {"clary down", NULL};

enum { DOWN_SECONDS = 45 };

static bool down_run(const Args *args, bool *ret_usage, Error *err)
{
    ARENA(arena);
    Remote remote;
    if (args->n_positional) return USAGE("'clary down' takes no words");
    if (!remote_need(args, &arena, &remote, err)) return false;
    if (kill((pid_t)remote.pid, SIGTERM) != 0)
        return error_sys(err, errno, "stopping process %lld", (long long)remote.pid);
    double until = clock_seconds() + DOWN_SECONDS;
    while (kill((pid_t)remote.pid, 0) == 0) {
        if (clock_seconds() > until)
            return error_set(
                err, ERROR_TIMEOUT,
                "process %lld still runs after %d s: it waits for requests or jobs to end",
                (long long)remote.pid, DOWN_SECONDS);
        usleep(20000);
    }
    printf("stopped\n");
    return true;
}

const Command down_command = {
    .name = "down",
    .synopsis = "[--home DIR]",
    .summary = "stop the server",
    .examples = down_examples,
    .options = remote_options,
    .run = down_run,
};

/* ---- status ---- */

static const Option status_options[] = {
    REMOTE_OPTIONS,
    {"json", 0, NULL, "as the server says it", false, NULL},
    {0},
};

static const char *const status_examples[] = {"clary status", "clary status --json", NULL};

static void print_value(const Json *value)
{
    switch (value->type) {
    case JSON_STRING: {
        Str rest = value->text, line;
        for (bool first = true; str_next_line(&rest, &line); first = false)
            printf("%s%.*s\n", first ? "" : "                  ", STR_ARG(line));
        if (!value->text.len) printf("\n");
        break;
    }
    case JSON_NUMBER: printf("%.*s\n", STR_ARG(value->text)); break;
    case JSON_BOOL: printf("%s\n", value->boolean ? "yes" : "no"); break;
    default: printf("%zu\n", value->n);
    }
}

static bool status_run(const Args *args, bool *ret_usage, Error *err)
{
    ARENA(arena);
    Remote remote;
    Str body;
    const Json *status;
    if (args->n_positional) return USAGE("'clary status' takes no words");
    if (!remote_need(args, &arena, &remote, err) ||
        !remote_get(&remote, STR("GET"), STR("/_clary/status"), &arena, &body, err))
        return false;
    if (args_has(args, "json")) {
        printf("%.*s", STR_ARG(body));
        return true;
    }
    if (!json_parse(body, &arena, &status, err)) return false;
    printf("%-16s  %.*s\n%-16s  %lld\n", "address", STR_ARG(remote.url), "process",
           (long long)remote.pid);
    for (size_t i = 0; i < status->n; i++) {
        printf("%-16.*s  ", STR_ARG(status->members[i].name));
        print_value(status->members[i].value);
    }
    return true;
}

const Command status_command = {
    .name = "status",
    .synopsis = "[--json]",
    .summary = "what the server is and what runs on it",
    .examples = status_examples,
    .options = status_options,
    .run = status_run,
};

/* ---- reset ---- */

static const char *const reset_examples[] = {"clary reset --home /tmp/clary-abc123", NULL};

static bool reset_run(const Args *args, bool *ret_usage, Error *err)
{
    ARENA(arena);
    Remote remote;
    Str body;
    if (args->n_positional) return USAGE("'clary reset' takes no words");
    return remote_need(args, &arena, &remote, err) &&
           remote_get(&remote, STR("POST"), STR("/_clary/reset"), &arena, &body, err);
}

const Command reset_command = {
    .name = "reset",
    .synopsis = "--home DIR",
    .summary = "empty a server that was started with --ephemeral",
    .examples = reset_examples,
    .options = remote_options,
    .run = reset_run,
};

/* ---- check ---- */

static const char *const check_examples[] = {"clary check", "clary check --json", NULL};

static bool check_run(const Args *args, bool *ret_usage, Error *err)
{
    ARENA(arena);
    Remote remote;
    Str body;
    const Json *answer;
    if (args->n_positional) return USAGE("'clary check' takes no words");
    if (!remote_need(args, &arena, &remote, err) ||
        !remote_get(&remote, STR("POST"), STR("/_clary/check"), &arena, &body, err) ||
        !json_parse(body, &arena, &answer, err))
        return false;
    int64_t n = json_get_int(answer, "n_findings", 0);
    if (args_has(args, "json")) {
        printf("%.*s", STR_ARG(body));
    } else {
        const Json *findings = json_get(answer, "findings");
        for (size_t i = 0; findings && i < findings->n; i++)
            printf("%.*s: %.*s\n", STR_ARG(json_get_text(json_at(findings, i), "where")),
                   STR_ARG(json_get_text(json_at(findings, i), "finding")));
        printf("%lld objects and %lld audit events read, %lld findings\n",
               (long long)json_get_int(answer, "objects", 0),
               (long long)json_get_int(answer, "audit_events", 0), (long long)n);
    }
    return n == 0 ||
           error_set(err, ERROR_IO, "what is stored is not what was written in %lld places",
                     (long long)n);
}

const Command check_command = {
    .name = "check",
    .synopsis = "[--json]",
    .summary = "compare all that the server stores with its checksums",
    .examples = check_examples,
    .options = status_options,
    .run = check_run,
};
