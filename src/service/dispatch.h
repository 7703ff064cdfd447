#ifndef CLARY_SERVICE_DISPATCH_H
#define CLARY_SERVICE_DISPATCH_H

/* From an HTTP request to a handler and back: signature, operation, message, permission, handler, answer,
 * audit record.  One Dispatcher per event loop, with worker threads of its own. */

#include "service/server.h"

typedef struct Dispatcher Dispatcher;

Dispatcher *dispatcher_new(Server *server, Loop *loop);
HttpHandler dispatcher_handler(Dispatcher *dispatcher);
/* After http_server_free. */
void dispatcher_free(Dispatcher *dispatcher);

/* Limits of bodies (doc/limits.md). */
enum {
    CONTROL_BODY_BYTES_MAX = 1 << 20,   /* a request to a control API */
    WHOLE_BODY_BYTES_MAX = 64 << 10,    /* longer ones are handed on while they arrive */
    COLLECTED_BODY_BYTES_MAX = 4 << 20, /* of an S3 operation that is no upload */
    INVOKE_BODY_BYTES_MAX = 6 << 20,
};
#define OBJECT_BODY_BYTES_MAX (5LL << 30)

#endif
