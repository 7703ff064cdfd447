#ifndef CLARY_TRAIN_SERVE_H
#define CLARY_TRAIN_SERVE_H

/* A model folder behind HTTP, as SageMaker's containers serve it: GET /ping, POST /invocations,
 * GET /execution-parameters. */

#include "train/invoke.h"

enum { SERVE_THREADS_MAX = 256 };

typedef struct ServeOptions {
    const char *folder;         /* of the model */
    const Algorithm *algorithm; /* NULL: found from the folder */
    const char *host;           /* an address; "127.0.0.1" */
    int port;                   /* 0: any free one */
    const char *socket;         /* a Unix socket's path instead of host and port, or NULL */
    int n_threads;              /* 0: one per processor */
    uint64_t body_max;          /* bytes of a request's body */
    InvokeOptions invoke;
} ServeOptions;

/* Settings from the environment: SAGEMAKER_BASE_DIR, SAGEMAKER_BIND_TO_PORT, SAGEMAKER_BATCH,
 * SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT, SAGEMAKER_INFERENCE_OUTPUT, SAGEMAKER_MAX_PAYLOAD_IN_MB,
 * MAX_CONTENT_LENGTH, MODEL_SERVER_WORKERS.  Strings go into `arena`. */
bool serve_options_from_environment(Arena *arena, ServeOptions *ret_options, Error *err);

/* Loads the model and serves it until SIGTERM or SIGINT.  `ready` (or NULL) is told where, once the
 * first request could be answered. */
bool serve_run(const ServeOptions *options,
               void (*ready)(const ServeOptions *options, const Artifact *artifact, int port),
               Error *err);

#endif
