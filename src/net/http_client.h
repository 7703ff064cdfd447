#ifndef CLARY_NET_HTTP_CLIENT_H
#define CLARY_NET_HTTP_CLIENT_H

/* An HTTP/1.1 client on an event loop, for one upstream: a model server's Unix socket, or a TCP
 * address.  Idle connections are kept and used again; one request is in flight per connection, so
 * answers cannot be mixed up, and a connection on which anything unexpected happened is closed.
 * Heads are built from names and values, never copied from elsewhere.
 *
 * Everything belongs to the loop's thread.
 *
 *     HttpClient *client = http_client_new(loop, "/run/model/socket", NULL);
 *     HttpSend send = {.method = STR("POST"), .target = STR("/invocations"), .body = body};
 *     fetch = http_client_send(client, &send, &receiver, arg);
 *
 * then receiver.head, receiver.body for each piece, and receiver.done once. */

#include "net/http_response.h"
#include "net/loop.h"

#include "base/arena.h"

typedef struct HttpClient HttpClient;
typedef struct HttpFetch HttpFetch; /* a request and its answer: valid until `done` or cancelled */

typedef struct HttpNameValue {
    Str name, value;
} HttpNameValue;

typedef struct HttpSend {
    Str method, target; /* a token; "/path?query", escaped */
    Str host; /* of the Host field; empty: the upstream's address, "localhost" on a socket */
    const HttpNameValue *fields; /* without Host, Connection, Content-Length, Transfer-Encoding and
                                    other fields that belong to a connection: those are left out */
    size_t n_fields;
    Str body;       /* the whole body */
    bool in_pieces; /* or: http_fetch_write and http_fetch_end bring it */
    int64_t length; /* of a body in pieces; -1: unknown, in chunks */
    double timeout; /* seconds until the answer's head, from now; 0: the client's answer_seconds */
} HttpSend;

typedef struct HttpReceiver {
    /* The head of the answer; the body follows.  `response` is good until `done` returns, the texts
     * that are taken from it until the callback returns in which they were taken. */
    void (*head)(void *arg, const HttpResponse *response);
    /* A piece of the body; valid during the call. */
    void (*body)(void *arg, Str piece);
    /* What was written of a body in pieces is sent: more may be written. */
    void (*room)(void *arg);
    /* The end, once, never from within http_client_send: `err` is NULL when the answer is complete.
     * `sent` tells whether any byte of the request may have reached the upstream; when none has,
     * the request may be tried elsewhere. */
    void (*done)(void *arg, const Error *err, bool sent);
} HttpReceiver;

typedef struct HttpClientOptions {
    HttpLimits limits;   /* of answers: field_max, fields_max, head_max, body_max */
    int connections_max; /* at a time; further requests wait in a queue */
    int queue_max;       /* further ones fail at once with ERROR_LIMIT, not sent */
    int idle_max;        /* idle connections that are kept */
    double connect_seconds;
    double answer_seconds; /* from http_client_send to the answer's head */
    double stall_seconds;  /* longest pause within an answer's body */
    double idle_seconds;   /* an idle connection is closed after that; below the upstream's own */
} HttpClientOptions;

extern const HttpClientOptions http_client_options;

/* `address`: the path of a Unix socket ("/..."), or "host:port" with a numeric host ("127.0.0.1:80",
 * "[::1]:80").  Options NULL: the defaults.  Nothing is connected yet.  NULL when the address is
 * malformed. */
HttpClient *http_client_new(Loop *loop, const char *address, const HttpClientOptions *options);
/* Ends what is in flight without calling anybody; not from inside a callback of it. */
void http_client_free(HttpClient *client);
AUTO_FREE(HttpClient, http_client_free);

/* All of `send` is copied, and what the socket takes is sent at once.  Never NULL. */
HttpFetch *http_client_send(HttpClient *client, const HttpSend *send, const HttpReceiver *receiver,
                            void *arg);

/* The request's body in pieces.  Write while http_fetch_queued is small, then wait for `room`. */
void http_fetch_write(HttpFetch *fetch, Str piece);
size_t http_fetch_queued(const HttpFetch *fetch);
void http_fetch_end(HttpFetch *fetch);

void http_fetch_pause(HttpFetch *fetch, bool pause); /* stop reading the answer for a while */
void http_fetch_cancel(HttpFetch *fetch);            /* nothing is called for it any more */

typedef struct HttpClientCounts {
    int open, idle, waiting, in_flight;
    int64_t connects, requests, failures;
} HttpClientCounts;

HttpClientCounts http_client_counts(const HttpClient *client);

/* ---- one request, waiting for the answer: for commands and tests ---- */

/* address: as above.  timeout: seconds for all of it.  The body goes into the arena. */
bool http_call(const char *address, Str method, Str target, const HttpNameValue *fields,
               size_t n_fields, Str body, double timeout, Arena *arena, int *ret_status,
               Str *ret_body, Error *err);

#endif
