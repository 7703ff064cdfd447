#ifndef CLARY_CLI_REMOTE_H
#define CLARY_CLI_REMOTE_H

/* The running claryd, for commands that talk to it: found by its home folder, called with its keys. */

#include "base/arena.h"
#include "base/error.h"
#include "cli/args.h"
#include "format/json_build.h"

/* Options of commands that look for a server. */
/* clang-format off */
#define REMOTE_OPTIONS {"home", 0, "DIR", "home folder of the server (CLARY_HOME, else ~/.clary)", false, NULL}
/* clang-format on */

typedef struct Remote {
    Str home;
    Str url;     /* "http://127.0.0.1:4600"; empty: no server has said where it is */
    Str address; /* where commands reach it: the socket in its home, else "127.0.0.1:4600" */
    int64_t pid;
    Str access_key, secret, token; /* of home/credentials; empty when it cannot be read */
} Remote;

/* Never fails for a server that does not run: see remote_need. */
void remote_find(const Args *args, Arena *arena, Remote *ret_remote);
bool remote_runs(const Remote *remote); /* the process lives */
/* Fails with what to do when no server runs in that home. */
bool remote_need(const Args *args, Arena *arena, Remote *ret_remote, Error *err);

/* GET or POST of one of the server's own routes; fails with the answer's message when it is no 2xx. */
bool remote_get(const Remote *remote, Str method, Str target, Arena *arena, Str *ret_body,
                Error *err);

/* A signed call: service "logs", target "Logs_20140328.DescribeLogGroups".  Fails with "CODE: message"; the kind is NOT_FOUND for codes
 * of things that do not exist. */
bool remote_call(const Remote *remote, Str service, Str target, const Json *in, Arena *arena,
                 const Json **ret_out, Error *err);

#endif
