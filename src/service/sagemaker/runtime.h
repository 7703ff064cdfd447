#ifndef CLARY_SERVICE_SAGEMAKER_RUNTIME_H
#define CLARY_SERVICE_SAGEMAKER_RUNTIME_H

/* InvokeEndpoint's short way: on the loop's thread, from the client's connection to a model server's socket and back. */

#include "net/http_server.h"
#include "service/server.h"

typedef struct Runtime Runtime; /* one per event loop */

Runtime *runtime_new(Server *server, Loop *loop);
void runtime_free(Runtime *runtime); /* after http_server_free */

/* POST /endpoints/NAME/invocations and .../invocations-response-stream with its whole body: verifies the
 * signature, asks for permission, forwards, answers. */
void runtime_invoke(Runtime *runtime, HttpExchange *exchange);

#endif
