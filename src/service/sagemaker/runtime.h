#ifndef CLARY_SERVICE_SAGEMAKER_RUNTIME_H
#define CLARY_SERVICE_SAGEMAKER_RUNTIME_H

/* InvokeEndpoint's short way: on the loop's thread, from the client's connection to a model server's socket and back. */

#include "net/http_server.h"
#include "service/server.h"

typedef struct Runtime Runtime; /* one per event loop */

enum {
    INVOKE_SECONDS = 60,       /* until the model's answer begins */
    INVOKE_WAIT_MS = 1000,     /* that a request waits for a healthy server: 503 beyond */
    INVOKE_WAITING_MAX = 4096, /* requests of a loop that do so */
    INVOKE_ANSWER_BYTES_MAX = 64 << 20,
    INVOKE_CONNECTIONS_MAX = 64, /* of a loop to one model server */
    INVOKE_QUEUE_MAX = 4096,     /* requests that wait for one of them */
    INVOKE_METRICS_SECONDS = 5,  /* between two statistic sets */
};

Runtime *runtime_new(Server *server, Loop *loop);
void runtime_free(Runtime *runtime); /* after http_server_free */

/* POST /endpoints/NAME/invocations and .../invocations-response-stream with its whole body: verifies the
 * signature, asks for permission, forwards, answers. */
void runtime_invoke(Runtime *runtime, HttpExchange *exchange);

/* HttpHandler's callbacks for an exchange that was given to runtime_invoke. */
void runtime_lost(Runtime *runtime, HttpExchange *exchange);
void runtime_room(Runtime *runtime, HttpExchange *exchange);

#endif
