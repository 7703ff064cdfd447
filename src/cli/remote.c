/* The running claryd; see remote.h. */

#include "cli/remote.h"

#include "aws/digest.h"
#include "aws/signature.h"
#include "base/file.h"
#include "cli/settings.h"
#include "net/http_client.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

enum { SMALL_FILE_BYTES_MAX = 64 << 10 };
#define CALL_SECONDS 60.0

/* "name = value" of the section [default]. */
static Str ini_value(Str text, const char *name)
{
    Str line, section = STR("default");
    while (str_next_line(&text, &line)) {
        line = str_trim(line);
        if (line.len > 2 && line.ptr[0] == '[') section = str_slice(line, 1, line.len - 1);
        size_t equals = str_find(line, '=');
        if (equals == line.len || !str_is(section, "default")) continue;
        if (str_is(str_trim(str_slice(line, 0, equals)), name))
            return str_trim(str_from(line, equals + 1));
    }
    return STR("");
}

void remote_find(const Args *args, Arena *arena, Remote *ret_remote)
{
    Remote remote = {.pid = -1};
    Error err = {0};
    Str text, line;
    Str home = args_get(args, "home");
    if (!home.len) {
        const char *variable = getenv("CLARY_HOME"), *user = getenv("HOME");
        home = variable && *variable
                   ? arena_str(arena, str_of(variable))
                   : arena_format(arena, "%s/.clary", user && *user ? user : "/var/lib/clary");
    }
    char folder[4096];
    if (home.ptr[0] != '/' && getcwd(folder, sizeof folder))
        home = arena_format(arena, "%s/%.*s", folder, STR_ARG(home));
    remote.home = home;
    if (file_read(path_join(arena, home.ptr, "address"), SMALL_FILE_BYTES_MAX, arena, &text,
                  &err)) {
        if (str_next_line(&text, &line)) remote.url = line;
        if (str_next_line(&text, &line)) str_to_int64(line, &remote.pid);
        remote.address = arena_format(arena, "%.*s/socket", STR_ARG(home));
        for (size_t k = 0; !file_exists(remote.address.ptr) && k + 3 <= remote.url.len; k++)
            if (str_starts(str_from(remote.url, k), STR("://")))
                remote.address = arena_str(arena, str_from(remote.url, k + 3));
    }
    if (file_read(path_join(arena, home.ptr, "credentials"), SMALL_FILE_BYTES_MAX, arena, &text,
                  &err)) {
        remote.access_key = ini_value(text, "aws_access_key_id");
        remote.secret = ini_value(text, "aws_secret_access_key");
        remote.token = ini_value(text, "aws_session_token");
    }
    *ret_remote = remote;
}

bool remote_runs(const Remote *remote)
{
    return remote->url.len && remote->pid > 0 &&
           (kill((pid_t)remote->pid, 0) == 0 || errno == EPERM);
}

bool remote_need(const Args *args, Arena *arena, Remote *ret_remote, Error *err)
{
    remote_find(args, arena, ret_remote);
    return remote_runs(ret_remote) ||
           error_set(err, ERROR_NOT_FOUND,
                     "no server runs with the home '%.*s'; start it with: clary up",
                     STR_ARG(ret_remote->home));
}

bool remote_get(const Remote *remote, Str method, Str target, Arena *arena, Str *ret_body,
                Error *err)
{
    int status;
    if (!http_call(remote->address.ptr, method, target, NULL, 0, (Str){0}, CALL_SECONDS, arena,
                   &status, ret_body, err))
        return error_in(err, "asking %.*s", STR_ARG(remote->url));
    if (status / 100 == 2) return true;
    const Json *answer;
    Str message = {0};
    if (json_parse(*ret_body, arena, &answer, NULL)) message = json_get_text(answer, "message");
    if (!message.ptr) message = str_trim(*ret_body);
    return error_set(err, status == 403 ? ERROR_DENIED : ERROR_IO, "%.*s", STR_ARG(message));
}

bool remote_call(const Remote *remote, Str service, Str target, const Json *in, Arena *arena,
                 const Json **ret_out, Error *err)
{
    char date[20], hash[65];
    time_t now = time(NULL);
    struct tm tm;
    gmtime_r(&now, &tm);
    strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &tm);
    Str body = json_text(arena, in), answer,
        host = remote->address.ptr[0] == '/' ? STR("localhost") : remote->address;
    digest_sha256_hex(body, hash);
    if (!remote->access_key.len)
        return error_set(err, ERROR_DENIED,
                         "'%.*s/credentials' cannot be read: it holds the server's keys",
                         STR_ARG(remote->home));
    Str authorization = signature_sign(arena, STR("POST"), STR("/"), host, date, str_of(hash),
                                       remote->access_key, remote->secret, remote->token,
                                       STR("us-east-1"), service, target);
    HttpNameValue fields[] = {
        {STR("Authorization"), authorization},
        {STR("X-Amz-Date"), str_of(date)},
        {STR("X-Amz-Content-Sha256"), str_of(hash)},
        {STR("X-Amz-Target"), target},
        {STR("Content-Type"), STR("application/x-amz-json-1.1")},
        {STR("X-Amz-Security-Token"), remote->token},
    };
    int status;
    if (!http_call(remote->address.ptr, STR("POST"), STR("/"), fields,
                   COUNT(fields) - !remote->token.len, body, CALL_SECONDS, arena, &status, &answer,
                   err))
        return error_in(err, "asking %.*s", STR_ARG(remote->url));
    if (!json_parse(answer, arena, ret_out, err))
        return error_in(err, "reading the server's answer");
    if (status / 100 == 2) return true;
    Str type = json_get_text(*ret_out, "__type"), message = json_get_text(*ret_out, "message");
    if (!message.ptr) message = json_get_text(*ret_out, "Message");
    return error_set(err, str_has(type, STR("NotFound")) ? ERROR_NOT_FOUND : ERROR_INVALID,
                     "%.*s: %.*s", STR_ARG(type), STR_ARG(message));
}
