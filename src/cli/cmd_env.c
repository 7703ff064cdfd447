/* clary env: what a shell needs so that AWS's clients talk to clary.
 *
 * The SageMaker SDK makes its STS client with a hard-coded address, whatever AWS_ENDPOINT_URL says.  Two small files keep it from
 * asking: its own configuration (default bucket, no telemetry) and the metadata file of SageMaker's notebooks (execution role).  The other
 * way is `clary up --proxy`: with --proxy this prints HTTPS_PROXY and the bundle that trusts its certificates. */

#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "cli/remote.h"

#include <stdio.h>
#include <unistd.h>

static const char *const shells[] = {"sh", "fish", "json", NULL};

static const Option options[] = {
    REMOTE_OPTIONS,
    {"shell", 0, "SHELL", "sh (bash, zsh, ...), fish, or json", false, shells},
    {"proxy", 0, NULL,
     "variables for `clary up --proxy`: every AWS address is answered, hard-coded ones too", false,
     NULL},
    {"no-files", 0, NULL, "write no files for the SageMaker SDK", false, NULL},
    {"metadata", 0, "FILE",
     "where the SDK looks for its execution role (/opt/ml/metadata/resource-metadata.json)", false,
     NULL},
    {0},
};

static const char *const examples[] = {
    "eval \"$(clary env)\"",
    "clary env --shell fish | source",
    "eval \"$(clary env --proxy)\"",
    NULL,
};

#define METADATA "/opt/ml/metadata/resource-metadata.json"

typedef struct Variable {
    const char *name;
    Str value;
} Variable;

/* Single quotes keep everything; a quote itself ends them, comes escaped, and opens them again. */
static void print_quoted(Str text)
{
    putchar('\'');
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '\'')
            fputs("'\\''", stdout);
        else
            putchar(text.ptr[i]);
    putchar('\'');
}

static void print_variables(const Variable *variables, size_t n, Str shell)
{
    if (str_is(shell, "json")) {
        AUTO_STRBUF StrBuf out = STRBUF(64 << 10);
        JsonWriter json = JSON_WRITER(&out);
        json_begin_object(&json);
        for (size_t i = 0; i < n; i++)
            if (variables[i].value.len)
                json_member_string(&json, variables[i].name, variables[i].value);
        json_end_object(&json);
        puts(strbuf_cstr(&out));
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!variables[i].value.len) continue;
        printf(str_is(shell, "fish") ? "set -gx %s " : "export %s=", variables[i].name);
        print_quoted(variables[i].value);
        putchar('\n');
    }
}

static void write_file(const char *path, Str text, const char *loss)
{
    ARENA(arena);
    Str old;
    Error err = {0};
    if (file_read(path, 64 << 10, &arena, &old, &err)) {
        if (str_eq(old, text)) return;
        if (!str_has(old, STR("clary"))) {
            log_warning("'%s' is there and not clary's: left as it is; %s", path, loss);
            return;
        }
    }
    const char *slash = strrchr(path, '/');
    Str folder = {path, slash ? (size_t)(slash - path) : 0};
    if (!folder_make(arena_cstr(&arena, folder), &err) || !file_commit(path, text, &err))
        log_warning("%s; %s", err.text, loss);
}

static void write_files(const Remote *remote, Str account, Str region, const char *metadata,
                        Arena *arena)
{
    Str config = arena_format(
        arena,
        "# Written by `clary env` for the SageMaker SDK.\nSchemaVersion: '1.0'\nSageMaker:\n  PythonSDK:\n    "
        "Modules:\n      TelemetryOptOut: true\n      Session:\n        DefaultS3Bucket: sagemaker-%.*s-%.*s\n",
        STR_ARG(region), STR_ARG(account));
    write_file(path_join(arena, remote->home.ptr, "sagemaker-config.yaml"), config,
               "the SDK will ask STS for its default bucket");
    Str role = arena_format(
        arena,
        "{\"ResourceArn\": \"arn:aws:sagemaker:%.*s:%.*s:notebook-instance/clary\", \"ResourceName\": \"clary\", "
        "\"ExecutionRoleArn\": \"arn:aws:iam::%.*s:role/clary\"}\n",
        STR_ARG(region), STR_ARG(account), STR_ARG(account));
    write_file(
        metadata, role,
        "get_execution_role() of the SageMaker SDK will ask Amazon; run `sudo clary env` once, or give roles by their ARN");
}

static bool env_run(const Args *args, bool *ret_usage, Error *err)
{
    ARENA(arena);
    Remote remote;
    Str body;
    const Json *status;
    if (args->n_positional) return USAGE("'clary env' takes options only");
    if (!remote_need(args, &arena, &remote, err) ||
        !remote_get(&remote, STR("GET"), STR("/_clary/status"), &arena, &body, err) ||
        !json_parse(body, &arena, &status, err))
        return false;
    if (!remote.access_key.len)
        return error_set(
            err, ERROR_DENIED,
            "'%.*s/credentials' cannot be read: run this as the user who started the server",
            STR_ARG(remote.home));
    Str region = json_get_text(status, "region"), account = json_get_text(status, "account");
    bool proxy = args_has(args, "proxy"), files = !args_has(args, "no-files");
    Str bundle = arena_format(&arena, "%.*s/ca-bundle.pem", STR_ARG(remote.home));
    if (proxy && !file_exists(bundle.ptr))
        return error_set(
            err, ERROR_NOT_FOUND,
            "the server was started without --proxy: stop it and run: clary up --proxy");
    if (files)
        write_files(&remote, account, region,
                    args_has(args, "metadata") ? args_get(args, "metadata").ptr : METADATA, &arena);
    Variable variables[] = {
        {"AWS_ENDPOINT_URL", proxy ? (Str){0} : remote.url},
        {"HTTPS_PROXY", proxy ? remote.url : (Str){0}},
        {"AWS_CA_BUNDLE", proxy ? bundle : (Str){0}},
        {"AWS_ACCESS_KEY_ID", remote.access_key},
        {"AWS_SECRET_ACCESS_KEY", remote.secret},
        {"AWS_SESSION_TOKEN", remote.token},
        {"AWS_DEFAULT_REGION", region},
        {"AWS_REGION", region},
        {"AWS_EC2_METADATA_DISABLED", STR("true")},
        {"SAGEMAKER_USER_CONFIG_OVERRIDE",
         files ? arena_format(&arena, "%.*s/sagemaker-config.yaml", STR_ARG(remote.home))
               : (Str){0}},
    };
    print_variables(variables, COUNT(variables), args_get(args, "shell"));
    return true;
}

const Command env_command = {
    .name = "env",
    .synopsis = "[--shell sh|fish|json] [--proxy]",
    .summary = "variables that point AWS's clients at the server",
    .examples = examples,
    .options = options,
    .run = env_run,
};
