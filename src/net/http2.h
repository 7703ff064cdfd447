#ifndef CLARY_NET_HTTP2_H
#define CLARY_NET_HTTP2_H

/* HTTP/2 for the HTTP server, by libnghttp2: on the same ports as HTTP/1.1, with prior knowledge on
 * plain connections and by ALPN on those of TLS.  Handlers see no difference: each stream is an
 * HttpExchange, and its request is written as text of HTTP/1.1 and read by the same strict parser.
 *
 *     options.http2 = &http2;
 *
 * Programs that do not name it link none of it. */

#include "net/http_server.h"

enum {
    HTTP2_STREAMS_MAX = 100,  /* at a time on a connection */
    HTTP2_WINDOW = 256 << 10, /* of a stream: so much of a paused body is kept */
    HTTP2_CONNECTION_WINDOW = 1 << 20,
    HTTP2_RESETS_MAX = 100, /* streams reset before their answer, beyond those answered */
};

extern const struct Http2 http2;

#endif
