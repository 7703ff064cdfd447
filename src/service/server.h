#ifndef CLARY_SERVICE_SERVER_H
#define CLARY_SERVICE_SERVER_H

/* claryd: what its services share.  One Server a process. */

#include "job/keeper.h"
#include "net/http_server.h"
#include "store/db.h"

typedef struct ServerOptions {
    const char *home;                          /* CLARY_HOME, absolute */
    const char *host;                          /* 127.0.0.1 */
    int port;                                  /* 4566-like; 0: any free one */
    const char *database;                      /* NULL: home/clary.db */
    const char *account;                       /* "123456789012" */
    const char *region;                        /* of requests that name none: "us-east-1" */
    const char *access_key, *secret_key;       /* given ones, else made at first start */
    const char *certificate, *certificate_key; /* TLS when given */
    const char *programs;                      /* folder of clary-train, clary-serve, ... */
    bool ephemeral;                            /* home dies with the server; reset is allowed */
    bool auth_any; /* every key and clock is accepted: ephemeral and loopback only */
    bool allow_unconfined;
    bool proxy;
    int job_slots; /* jobs at a time; 0: one per processor */
    int n_loops;   /* event loops, each with its own workers */
    const char *const
        *buckets; /* "NAME=FOLDER", NULL-terminated, or NULL: folders served as buckets */
} ServerOptions;

typedef struct Server {
    const ServerOptions *options;
    Db *db;
    Keeper *keeper;
    struct Iam *iam;
    struct S3 *s3;
    struct Logs *logs;
    struct CloudWatch *cloudwatch;
    struct Audit *audit;
    struct Resources *resources;
    struct Training *training;
    struct Hosting *hosting;
    int port;       /* listening on */
    double started; /* wall seconds */
    bool stopping;  /* read with __atomic_load_n */
} Server;

/* Each service folder has a NAME_open that makes its part and a NAME_close that ends it: rows of services.c. */

#endif
