#ifndef CLARY_SERVICE_SAGEMAKER_HOSTING_H
#define CLARY_SERVICE_SAGEMAKER_HOSTING_H

/* Endpoints that run: fleets of model servers, and the routes to them.
 *
 * An endpoint's document says what should be ("Fleet": the plan of what serves; "Pending": what an update asks for;
 * "Desired": weights and counts); a thread takes the endpoint there and ends.  After a crash the same thread starts
 * from the same document.
 *
 * A model server is a place in a fleet: its process is started again in the same place, at the same address, when
 * it dies.  Two threads look after it: one starts the process and waits for its end, one asks /ping and moves the
 * process's lines to CloudWatch Logs.
 *
 * Routes are an immutable snapshot that each event loop's runtime holds.  A server that left the routes is stopped
 * when no snapshot and no runtime holds it any more: then no request is on its way to it. */

#include "service/sagemaker/sagemaker.h"

#include <pthread.h>

enum {
    ENDPOINT_STARTUP_SECONDS = 240,  /* until /ping must answer, when the variant does not say */
    ENDPOINT_PING_SECONDS = 5,       /* between two questions */
    ENDPOINT_PING_MISSES = 3,        /* unanswered ones after which a server is replaced */
    ENDPOINT_DRAIN_SECONDS = 70,     /* requests of a server that left get so long */
    ENDPOINT_STOP_SECONDS = 30,      /* from SIGTERM to SIGKILL */
    ENDPOINT_INSTANCES_MAX = 100,    /* of one variant */
    ENDPOINT_LOG_BYTES_MAX = 8 << 20 /* of a server's file, which is emptied then */
};

typedef struct Hosting Hosting;

/* ---- model servers (endpoint_server.c) ---- */

typedef struct ModelServer ModelServer;
struct ModelServer {
    int refs;                  /* atomic: routes, runtimes, its own threads */
    int in_flight;             /* atomic: requests on their way, of all loops */
    bool healthy;              /* atomic */
    char *address;             /* of its HTTP server, for http_client_new */
    char *stream;              /* of its log: "VARIANT/i-..." */
    struct ServerState *state; /* endpoint_server.c */
};

typedef struct ModelServerSpec {
    Str region, endpoint, variant;
    const char *fleet;     /* id */
    int index, place;      /* of the instance, and of the container in it */
    const Json *container; /* of the plan */
    double startup_seconds;
} ModelServerSpec;

/* Starts a server's threads, or finds the process of a server before a crash.  Everything is copied. */
bool model_server_start(Hosting *hosting, const ModelServerSpec *spec, ModelServer **ret_server,
                        Error *err);
/* It has left the routes: stopped when nobody uses it.  Frees it in the end. */
void model_server_retire(ModelServer *server);
void model_server_unref(ModelServer *server);

typedef struct ServerHealth {
    bool healthy, ever_healthy;
    int deaths;  /* since it was healthy for a minute */
    bool failed; /* it will not become healthy */
    char why[512];
} ServerHealth;
void model_server_health(ModelServer *server, ServerHealth *ret_health);

/* ---- models on disk (endpoint_model.c) ---- */

/* A container of a model as part of a plan: the archive unpacked to HOME/endpoints/models/HASH (once, also for
 * several variants), the program found.  Fails with a sentence for FailureReason. */
bool model_prepare(Server *server, const Json *container, Arena *arena, Json **ret_plan,
                   Error *err);
/* Removes unpacked models that no fleet uses. */
void models_sweep(Hosting *hosting);

/* ---- endpoints (endpoint_drive.c) ---- */

typedef struct FleetVariant {
    Str name;
    double weight;
    ModelServer **servers; /* those of an instance, one for each container, lie together */
    int n_servers, n_containers;
    const Json *plan;
} FleetVariant;

typedef struct Fleet {
    Arena arena;
    char id[20];
    FleetVariant *variants;
    size_t n_variants;
} Fleet;

typedef struct RunningEndpoint {
    Server *server;
    char *region, *name; /* as given */
    Fleet *current, *coming;
    double share; /* of the traffic that `coming` gets */
    bool busy;    /* a thread takes it somewhere */
    bool again;   /* and shall look at the document once more */
    bool cancel;  /* what it does is not wanted any more */
    struct RunningEndpoint *next;
} RunningEndpoint;

struct Hosting {
    Server *server;
    const char *home; /* HOME/endpoints */
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* monotonic clock; something below, or a server's health, changed */
    RunningEndpoint *endpoints;
    struct Routes *routes;
    uint64_t version; /* of the routes; atomic */
    struct Runtime *runtimes;
    int n_threads; /* of endpoints and model servers */
    int preparing; /* endpoints that unpack models */
    bool closing;
};

bool hosting_open(Server *server, Error *err); /* endpoints come back */
void hosting_close(Server *server);
bool hosting_reset(Server *server, Error *err);

/* The endpoint's document asks for something: a thread takes it there. */
void hosting_look(Server *server, Str region, Str name);
/* The deployment that is under way shall end. */
void hosting_cancel(Server *server, Str region, Str name);

/* ---- routes ---- */

typedef struct RouteVariant {
    Str name;
    double weight;         /* its part of the endpoint's traffic; all together 1 */
    ModelServer **servers; /* as in a FleetVariant */
    int n_servers, n_containers;
} RouteVariant;

typedef struct RouteEndpoint {
    Str region, name, key; /* key: in lower case */
    Str log_group;
    RouteVariant *variants;
    int n_variants;
} RouteEndpoint;

typedef struct Routes {
    int refs; /* atomic */
    uint64_t version;
    Arena arena;
    RouteEndpoint *endpoints;
    size_t n_endpoints;
} Routes;

void hosting_publish_locked(Hosting *hosting); /* after endpoints, fleets or shares changed */
void hosting_kick_locked(Hosting *hosting); /* a server became healthy: requests may wait for it */
Routes *hosting_routes(Hosting *hosting);   /* the newest, with a reference */
void routes_unref(Routes *routes);

/* Runtimes that want to hear of new routes (runtime.c). */
void runtime_poke(struct Runtime *runtime); /* from any thread, under the mutex */
struct Runtime *runtime_next(struct Runtime *runtime);

extern const ResourceKind endpoint_kind, endpoint_config_kind;
extern const ServiceOperation endpoint_operations[], endpoint_config_operations[];

/* "/aws/sagemaker/Endpoints/NAME". */
Str endpoint_log_group(Arena *arena, Str name);

#endif
