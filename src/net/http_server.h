#ifndef CLARY_NET_HTTP_SERVER_H
#define CLARY_NET_HTTP_SERVER_H

/* An HTTP server on an event loop: HTTP/1.1, and HTTP/2 where the options say so.  One server per loop, one loop per thread; a server and its
 * exchanges belong to that thread.
 *
 * An exchange is a request and its answer.  A connection has one at a time: requests that a client
 * sends ahead wait in its buffer, so answers cannot change places.  The handler answers inside
 * `request`, or returns and answers later from the loop's thread (loop_post).
 *
 * A request whose bytes came in one piece is parsed and answered in the loop's own buffers: a
 * connection that is idle owns no buffer at all. */

#include "net/http_parse.h"
#include "net/loop.h"
#include "net/tls.h"

typedef struct HttpServer HttpServer;

/* So many bytes beyond a body's end may be read (and mean nothing), for vector code. */
enum { HTTP_SLACK = 64 };

typedef struct HttpExchange {
    const HttpRequest *request;
    bool secure;       /* came over TLS */
    Str body;          /* the whole body; empty when the handler takes it in pieces */
    uint64_t body_max; /* the `head` callback may change it, up to the server's: 413 beyond */
    void *user;        /* the handler's own */

    /* Who is called for this exchange instead of the server's handler: set by http_answer_by. */
    const struct HttpHandler *handler;
    const struct ExchangeMethods *methods; /* of HTTP/2; NULL: HTTP/1.1 */
} HttpExchange;

typedef struct HttpHandler {
    void *arg;
    /* The head is complete, the body may not be.  May answer (the body is then not read, nor asked
     * for), change body_max, or call http_take_body.  NULL: every body is collected. */
    void (*head)(void *arg, HttpExchange *exchange);
    /* The request is complete.  Answer now or later. */
    void (*request)(void *arg, HttpExchange *exchange);
    /* A piece of a body taken in pieces; valid during the call. */
    void (*body)(void *arg, HttpExchange *exchange, Str piece);
    /* The answer so far is sent: more may be written. */
    void (*room)(void *arg, HttpExchange *exchange);
    /* The connection ended after `head` or `request` was called and before the answer was complete;
     * the exchange must not be used again. */
    void (*lost)(void *arg, HttpExchange *exchange);
} HttpHandler;

enum {
    HTTP_CONNECTIONS_MAX = 20000,
    HTTP_HEAD_SECONDS = 10,
    HTTP_IDLE_SECONDS = 60,
    HTTP_SLOW_SECONDS = 10,
    HTTP_SLOW_BYTES = 1024,
    HTTP_STOP_SECONDS = 30,
};

typedef struct HttpOptions {
    HttpLimits limits;    /* limits.body_max: of all bodies, also of those `head` raises */
    uint64_t body_preset; /* what body_max is before `head` changes it; 0: limits.body_max */
    int connections_max;  /* 503 beyond */
    double head_seconds;  /* from a head's first byte to its end: 408 beyond */
    double idle_seconds;  /* a connection without a request is closed after that */
    double slow_seconds;  /* after so long a body or answer must move at slow_bytes a second */
    double slow_bytes;
    double stop_seconds;   /* running requests get so long when the server stops */
    double linger_seconds; /* input is read and dropped so long after a refusal */

    /* A proxy that answers itself: CONNECT host:443 turns a plain connection into one of TLS with
     * this context's certificates if proxy_for(host), e.g. tls_is_aws_name; 403 otherwise.  NULL:
     * 501. */
    TlsContext *proxy;
    bool (*proxy_for)(Str host);

    const struct Http2 *http2; /* &http2 (http2.h), or NULL: HTTP/1.1 only */
} HttpOptions;

extern const HttpOptions http_options; /* security.md section 6 and 8 */

typedef struct HttpCounts {
    int64_t connections, requests, refused;
    int32_t open;
} HttpCounts;

/* The handler is copied; options NULL: the defaults.  The process will ignore SIGPIPE. */
HttpServer *http_server_new(Loop *loop, const HttpHandler *handler, const HttpOptions *options);
/* Closes everything; not from inside a callback of its loop.  NULL is fine. */
void http_server_free(HttpServer *server);
AUTO_FREE(HttpServer, http_server_free);

/* Accepts connections of a listening socket, which the server owns from now on.  Of sockets that
 * several loops share only one loop is woken for a connection. */
bool http_server_listen(HttpServer *server, int fd, bool shared, Error *err);

/* The same with TLS from the first byte on; the context must outlive the server. */
bool http_server_listen_tls(HttpServer *server, int fd, bool shared, TlsContext *tls, Error *err);

/* No new connections, idle ones are closed, running requests finish with "Connection: close";
 * what is left after stop_seconds is cut off.  Then `stopped` is called, once. */
void http_server_stop(HttpServer *server, void (*stopped)(void *arg), void *arg);

HttpCounts http_server_counts(const HttpServer *server); /* from any thread */

/* ---- listening sockets ---- */

/* host: an address; port 0: any, reported in *ret_port.  `reuse`: further sockets of this process
 * may listen on the same port (SO_REUSEPORT); a port that another process has is still refused. */
bool http_listen_tcp(const char *host, int port, bool reuse, int *ret_fd, int *ret_port,
                     Error *err);

/* A stale socket file (nobody answers) is replaced, a live one is an error.  Mode 0600. */
bool http_listen_unix(const char *path, int *ret_fd, Error *err);

/* ---- in a handler ---- */

/* In `head`: give me the body in pieces, through the `body` callback. */
void http_take_body(HttpExchange *exchange);
void http_body_pause(HttpExchange *exchange, bool pause); /* stop reading it for a while */

/* A field of the answer to come; ignored (and counted as a bug by an assert) with control bytes. */
void http_answer_field(HttpExchange *exchange, Str name, Str value);

/* The whole answer.  An empty content_type is left out.  Status 204 and 304 have no body. */
void http_answer(HttpExchange *exchange, int status, Str content_type, Str body);

/* An answer in pieces: length -1 means unknown (chunks; in HTTP/1.0 up to the connection's end).
 * Write what you have; when http_answer_queued is large wait for `room`. */
void http_answer_begin(HttpExchange *exchange, int status, Str content_type, int64_t length);
void http_answer_write(HttpExchange *exchange, Str piece);
size_t http_answer_queued(const HttpExchange *exchange);
void http_answer_end(HttpExchange *exchange);

/* The answer is `length` bytes of a file from `offset`; the server closes fd. */
void http_answer_file(HttpExchange *exchange, int status, Str content_type, int fd, int64_t offset,
                      int64_t length);

/* The head that GET would have, and no body: the answer to HEAD where making the body is dear. */
void http_answer_head(HttpExchange *exchange, int status, Str content_type, int64_t length);

/* From now on `handler` is called for this exchange (with its own arg), which must outlive it. */
void http_answer_by(HttpExchange *exchange, const HttpHandler *handler);

/* The client is gone, or what was begun cannot be finished: cuts the connection. */
void http_abort(HttpExchange *exchange);

#endif
