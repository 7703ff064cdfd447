#ifndef CLARY_NET_HTTP_CONNECTION_H
#define CLARY_NET_HTTP_CONNECTION_H

/* Inside of the HTTP server: http_server.c reads requests, http_answer.c writes answers.
 *
 * A connection moves (TLS ->) HEAD -> BODY -> HANDLER -> HEAD ... and at last FINISH -> LINGER -> CLOSED.
 * Its bytes lie in the server's shared input while one call of `process` can do all there is to do;
 * what must outlive that call moves into the connection's own buffers (keep_input).  The same holds
 * for output: it gathers in the server's shared buffer and is sent once at the end of `process`;
 * what the socket does not take moves to the connection. */

#include "net/http_bytes.h"
#include "net/http_server.h"
#include "net/tls.h"

#include <sys/socket.h>

typedef struct Input {
    Bytes bytes;
    size_t at; /* the current request begins here */
} Input;

typedef enum Stage {
    STAGE_TLS, /* the handshake */
    STAGE_HEAD,
    STAGE_BODY,
    STAGE_HANDLER, /* the handler has the request and its answer is not complete */
    STAGE_H2,      /* HTTP/2 has the connection */
    STAGE_FINISH,  /* the last answer is being sent */
    STAGE_LINGER,  /* input is dropped until the client has seen the answer */
    STAGE_CLOSED,
} Stage;

typedef enum Framing { FRAMING_LENGTH, FRAMING_CHUNKS, FRAMING_END } Framing;

typedef struct Kept {
    Input input;
    HttpRequest request; /* last: only the fields in use are copied */
} Kept;

typedef struct Connection {
    HttpExchange exchange;
    HttpServer *server;
    struct Connection *previous, *next;
    LoopSource source;
    LoopTimer timer;
    double deadline;
    double since;   /* the head's first byte, the body's, or when output began to wait */
    uint64_t moved; /* bytes since then */
    int fd;
    uint32_t events; /* what epoll waits for */
    struct Http2Session *h2;
    Tls *tls; /* NULL: plain */
    const TlsMethods *tls_do;

    Stage stage;
    bool served;     /* a request was read */
    bool begun;      /* a request's first byte is here */
    bool in_pieces;  /* the body goes to the handler in pieces */
    bool paused;     /* and the handler wants no more for now */
    bool known;      /* the handler was called for this exchange */
    bool answering;  /* http_answer_begin was called */
    bool last;       /* close after this answer */
    bool drop_input; /* input that nobody wants may arrive: linger before closing */
    bool processing;
    bool blocked;    /* output waits for the socket */
    bool watched;    /* the end of input ends the exchange */
    bool wants_room; /* the handler wrote what was not sent at once */

    Kept *kept;      /* NULL: nothing of a request needs to be remembered */
    size_t body_len; /* of the body so far; collected behind the head */
    size_t raw_at;   /* chunks: undecoded input begins here */
    size_t next_at;  /* the next request begins here */
    HttpChunks chunks;

    Framing framing; /* of the answer */
    Bytes fields;    /* of the answer to come */
    Bytes out;
    size_t out_sent;
    int file;
    int64_t file_at, file_left;
} Connection;

/* What an exchange can do; HTTP/1.1 has its own ways, without the detour. */
typedef struct ExchangeMethods {
    void (*take_body)(HttpExchange *exchange);
    void (*body_pause)(HttpExchange *exchange, bool pause);
    void (*field)(HttpExchange *exchange, Str name, Str value);
    void (*answer)(HttpExchange *exchange, int status, Str content_type, Str body);
    void (*begin)(HttpExchange *exchange, int status, Str content_type, int64_t length);
    void (*write)(HttpExchange *exchange, Str piece);
    size_t (*queued)(const HttpExchange *exchange);
    void (*end)(HttpExchange *exchange);
    void (*file)(HttpExchange *exchange, int status, Str content_type, int fd, int64_t offset,
                 int64_t length);
    void (*head)(HttpExchange *exchange, int status, Str content_type, int64_t length);
    void (*abort)(HttpExchange *exchange);
    bool (*is_whole)(const HttpExchange *exchange);
    void (*watch)(HttpExchange *exchange);
} ExchangeMethods;

/* HTTP/2 as the server knows it (http2.c). */
typedef struct Http2 {
    bool (*start)(Connection *c); /* false: no memory */
    void (*input)(Connection *c, Str bytes);
    void (*output)(Connection *c); /* makes and sends what there is; may close the connection */
    void (*stop)(Connection *c);   /* no new streams; closes when the last has ended */
    void (*end)(Connection *c);    /* the connection is being closed */
} Http2;

typedef struct Listener {
    LoopSource source;
    LoopTimer timer;
    HttpServer *server;
    TlsContext *tls;
    int fd;
    uint32_t events;
    bool waiting; /* in epoll */
    struct Listener *next;
} Listener;

struct HttpServer {
    Loop *loop;
    HttpHandler handler;
    HttpOptions options;
    HttpCounts counts;
    Connection *first;
    Listener *listeners;
    int spare; /* a descriptor to give up when there are no more */
    bool stopping;
    LoopTimer stop_timer;
    void (*stopped)(void *arg);
    void *stopped_arg;

    Connection *current; /* whose input and output are in the shared buffers */
    Input input;
    Bytes out;
    HttpRequest request;
    int64_t date_second;
    char date[40];
    size_t date_len;
};

/* recv and send, through TLS where there is. */
static inline ssize_t connection_recv(Connection *c, char *buffer, size_t size)
{
    return c->tls ? c->tls_do->recv(c->tls, buffer, size) : recv(c->fd, buffer, size, 0);
}

static inline ssize_t connection_send(Connection *c, const char *bytes, size_t n)
{
    return c->tls ? c->tls_do->send(c->tls, bytes, n) : send(c->fd, bytes, n, MSG_NOSIGNAL);
}

/* One thread writes the counts, any may read them. */
#define connection_count(counter, n) __atomic_store_n(counter, *(counter) + (n), __ATOMIC_RELAXED)

static inline Input *connection_input(Connection *c)
{
    return c->kept ? &c->kept->input : &c->server->input;
}

static inline HttpRequest *connection_request(Connection *c)
{
    return c->kept ? &c->kept->request : &c->server->request;
}

/* http_server.c */
void connection_close(Connection *c);
void connection_lost(Connection *c);
void connection_process(Connection *c); /* goes on after an answer */
void connection_wait(Connection *c, uint32_t events);
void connection_set_waits(Connection *c);
void connection_deadline(Connection *c, double at);

/* Its `request` callback was or is being called. */
bool exchange_is_whole(const HttpExchange *exchange);

/* For long polls: from now on a client that ends its input is taken for gone.  Otherwise it might
 * only have shut its sending side, and gets its answer. */
void exchange_watch(HttpExchange *exchange);

/* http_answer.c */
void connection_refuse(Connection *c, int status, const char *reason);
void connection_continue_100(Connection *c);
void connection_established(Connection *c); /* the answer to CONNECT */
/* Sends what there is; false when the connection is closed or the socket is full. */
bool connection_flush(Connection *c);
size_t connection_queued(const Connection *c);
bool http_is_field_text(Str s); /* no control bytes */
Str http_server_date(HttpServer *server);

#endif
