/* Connections: accepting, reading requests, time limits, stopping.
 *
 * The short way of a request: one recv into the shared input, the parser, the handler, one send.
 * No allocation, no copy of the input, no timer is moved.  Timers are lazy: a connection's timer
 * may fire too early, looks at the connection's deadline, and is started again for the rest. */

#include "net/http_server.h"

#include "net/http_connection.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    INPUT_SIZE = 64 * 1024, /* of the shared buffer */
    KEPT_MIN = 4 * 1024,    /* of a connection's own at first */
    PIECE_MIN = 64 * 1024,  /* room for a body's next piece */
    ACCEPTS_MAX = 64,       /* at a time, then others have their turn */
    READS_MAX = 16,
};
static const double accept_pause_seconds = 0.1;

const HttpOptions http_options = {
    .limits = HTTP_LIMITS,
    .connections_max = HTTP_CONNECTIONS_MAX,
    .head_seconds = HTTP_HEAD_SECONDS,
    .idle_seconds = HTTP_IDLE_SECONDS,
    .slow_seconds = HTTP_SLOW_SECONDS,
    .slow_bytes = HTTP_SLOW_BYTES,
    .stop_seconds = HTTP_STOP_SECONDS,
    .linger_seconds = 2,
};

/* ---- the end of a connection ---- */

static void release_connection(LoopSource *source)
{
    free(LOOP_OWNER(source, Connection, source));
}

static void check_stopped(HttpServer *server)
{
    if (!server->stopping || server->first || !server->stopped) return;
    void (*stopped)(void *) = server->stopped;
    server->stopped = NULL;
    loop_timer_stop(server->loop, &server->stop_timer);
    stopped(server->stopped_arg);
}

static void drop_kept(Connection *c)
{
    if (!c->kept) return;
    bytes_clear(&c->kept->input.bytes);
    free(c->kept);
    c->kept = NULL;
}

/* Tells the handler, if it knows of the exchange, that nobody waits for its answer. */
void connection_lost(Connection *c)
{
    const HttpHandler *handler = c->exchange.handler;
    bool known = c->known;
    c->known = false;
    if (known && handler->lost) handler->lost(handler->arg, &c->exchange);
}

static void end_tls(Connection *c)
{
    if (c->tls) c->tls_do->end(c->tls);
    c->tls = NULL;
}

void connection_close(Connection *c)
{
    if (c->stage == STAGE_CLOSED) return;
    HttpServer *server = c->server;
    c->stage = STAGE_CLOSED;
    connection_lost(c);
    if (c->h2) server->options.http2->end(c);
    loop_remove(server->loop, c->fd, &c->source);
    loop_timer_stop(server->loop, &c->timer);
    end_tls(c);
    close(c->fd);
    if (c->file >= 0) close(c->file);
    c->file = -1;
    c->file_left = 0;
    drop_kept(c);
    bytes_clear(&c->out);
    c->out_sent = 0;
    bytes_clear(&c->fields);
    if (c->previous)
        c->previous->next = c->next;
    else
        server->first = c->next;
    if (c->next) c->next->previous = c->previous;
    connection_count(&server->counts.open, -1);
    check_stopped(server);
}

/* Closing a socket with unread input makes the kernel reset the connection, and the client may
 * lose the answer.  So the answer is ended first, and input read and dropped for a moment. */
static void begin_linger(Connection *c)
{
    if (c->tls && c->tls_do->bye(c->tls) == TLS_WRITE) { /* again when there is room */
        c->blocked = true;
        c->since = loop_now(c->server->loop);
        c->moved = 0;
        return;
    }
    if (!c->drop_input) {
        connection_close(c);
        return;
    }
    end_tls(c);
    shutdown(c->fd, SHUT_WR);
    c->stage = STAGE_LINGER;
    drop_kept(c);
    connection_wait(c, EPOLLIN);
    connection_deadline(c, loop_now(c->server->loop) + c->server->options.linger_seconds);
}

static void linger(Connection *c)
{
    Bytes *bytes = &c->server->input.bytes;
    for (int i = 0; i < READS_MAX; i++) {
        ssize_t n = recv(c->fd, bytes->ptr, bytes->capacity, 0);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) {
            connection_close(c);
            return;
        }
    }
}

/* ---- waiting ---- */

void connection_wait(Connection *c, uint32_t events)
{
    if (c->events == events) return;
    c->events = events;
    loop_change(c->server->loop, c->fd, events, &c->source);
}

void connection_deadline(Connection *c, double at)
{
    c->deadline = at;
    if (isfinite(at) && (!c->timer.position || c->timer.at > at))
        loop_timer_start(c->server->loop, &c->timer, at);
}

/* Sets what the connection waits for, and how long. */
void connection_set_waits(Connection *c)
{
    bool others = c->stage == STAGE_TLS || c->stage == STAGE_H2 || c->stage >= STAGE_LINGER;
    if (others) return; /* wait for what they need */
    const HttpOptions *options = &c->server->options;
    double now = loop_now(c->server->loop);
    double moving = c->since + options->slow_seconds + (double)c->moved / options->slow_bytes;
    if (c->blocked) {
        connection_wait(c, EPOLLOUT);
        connection_deadline(c, moving);
    } else if (c->stage == STAGE_HEAD) {
        connection_wait(c, EPOLLIN);
        connection_deadline(c, c->begun ? c->since + options->head_seconds
                                        : now + options->idle_seconds);
    } else if (c->stage == STAGE_BODY) {
        connection_wait(c, c->paused ? 0 : EPOLLIN);
        connection_deadline(c, c->paused ? INFINITY : moving);
    } else if (c->stage == STAGE_HANDLER) {
        /* EPOLLIN stays until input really comes: most answers are there before. */
        connection_wait(c, c->watched ? EPOLLRDHUP : c->events & EPOLLIN);
        connection_deadline(c, INFINITY);
    }
}

static void fire(LoopTimer *timer)
{
    Connection *c = LOOP_OWNER(timer, Connection, timer);
    if (c->deadline > loop_now(c->server->loop)) {
        connection_deadline(c, c->deadline);
        return;
    }
    bool waits_for_request = !c->blocked && !c->answering &&
                             (c->stage == STAGE_BODY || (c->stage == STAGE_HEAD && c->begun));
    if (!waits_for_request) {
        connection_close(c);
        return;
    }
    connection_refuse(c, 408,
                      c->stage == STAGE_HEAD ? "the request's head took too long"
                                             : "the request's body came too slowly");
}

/* ---- input that must outlive a call ---- */

/* Moves the unfinished request from the shared input to the connection. */
static bool keep_input(Connection *c)
{
    if (c->kept) return true;
    Input *shared = &c->server->input;
    Kept *kept = malloc(sizeof *kept);
    if (!kept) return false;
    kept->input = (Input){0};
    Str rest = {shared->bytes.ptr + shared->at, shared->bytes.len - shared->at};
    if (!bytes_reserve(&kept->input.bytes, MAX(rest.len, (size_t)KEPT_MIN)) ||
        !bytes_add(&kept->input.bytes, rest)) {
        free(kept);
        return false;
    }
    const HttpRequest *request = &c->server->request;
    memcpy(&kept->request, request,
           offsetof(HttpRequest, fields) + request->n_fields * sizeof(HttpField));
    kept->request.bytes = kept->input.bytes.ptr;
    size_t moved_by = shared->at;
    c->raw_at -= MIN(c->raw_at, moved_by);
    c->next_at -= MIN(c->next_at, moved_by);
    c->kept = kept;
    c->exchange.request = &kept->request;
    if (c->exchange.body.len) c->exchange.body.ptr = kept->input.bytes.ptr + kept->request.head_len;
    shared->bytes.len = shared->at = 0;
    return true;
}

/* Room for what comes next; the views into the input move with it. */
static bool make_room(Connection *c)
{
    Input *input = &c->kept->input;
    HttpRequest *request = &c->kept->request;
    size_t want = MAX(input->bytes.len, (size_t)KEPT_MIN); /* doubles */
    if (c->stage == STAGE_BODY && c->in_pieces) want = PIECE_MIN;
    if (c->stage == STAGE_BODY && !c->in_pieces && !request->chunked) {
        /* Never much more than the body's rest, and never all of it on the client's word alone. */
        uint64_t rest = request->content_length - c->body_len;
        want = (size_t)MIN(rest + 1, (uint64_t)MAX(want, (size_t)PIECE_MIN));
    }
    size_t least = c->tls ? TLS_RECORD : MIN(want, (size_t)1024);
    if (input->bytes.capacity - input->bytes.len < least &&
        !bytes_reserve(&input->bytes, MAX(want, least)))
        return false;
    request->bytes = input->bytes.ptr + input->at;
    return true;
}

/* ---- requests ---- */

static void call_request(Connection *c)
{
    c->stage = STAGE_HANDLER;
    c->known = true;
    connection_count(&c->server->counts.requests, 1);
    const HttpHandler *handler = c->exchange.handler;
    handler->request(handler->arg, &c->exchange);
}

/* The head is complete: asks the handler about it and gets ready for the body. */
static void begin_body(Connection *c)
{
    HttpServer *server = c->server;
    Input *input = connection_input(c);
    const HttpRequest *request = connection_request(c);
    size_t body_at = input->at + request->head_len;
    c->stage = STAGE_BODY;
    c->served = true;
    const HttpOptions *options = &server->options;
    c->exchange = (HttpExchange){
        .request = request,
        .secure = c->tls != NULL,
        .body_max = options->body_preset ? options->body_preset : options->limits.body_max,
        .handler = &server->handler,
    };
    c->in_pieces = c->paused = c->answering = c->wants_room = c->watched = false;
    c->body_len = 0;
    c->raw_at = c->next_at = body_at;
    if (request->chunked) c->chunks = (HttpChunks){0};
    c->since = loop_now(server->loop);
    c->moved = input->bytes.len - body_at;
    if (!server->handler.head) return;
    c->known = true;
    server->handler.head(server->handler.arg, &c->exchange);
}

/* Gives a piece of the body to the handler, or puts it behind what was collected.  False when the
 * exchange is over. */
static bool take_piece(Connection *c, Str piece)
{
    Input *input = connection_input(c);
    if (c->body_len + piece.len > c->exchange.body_max) {
        connection_refuse(c, 413, "the body is larger than this server accepts");
        return false;
    }
    if (c->in_pieces) {
        const HttpHandler *handler = c->exchange.handler;
        if (piece.len) handler->body(handler->arg, &c->exchange, piece);
    } else {
        char *to = input->bytes.ptr + input->at + connection_request(c)->head_len + c->body_len;
        if (to != piece.ptr && piece.len) memmove(to, piece.ptr, piece.len);
    }
    c->body_len += piece.len;
    return c->stage == STAGE_BODY;
}

static HttpResult read_chunks(Connection *c)
{
    Input *input = connection_input(c);
    HttpResult result = HTTP_MORE;
    while (!c->paused) {
        Str raw = {input->bytes.ptr + c->raw_at, input->bytes.len - c->raw_at}, piece;
        size_t used;
        result = http_chunks_next(&c->chunks, raw, &c->server->options.limits, &used, &piece);
        c->raw_at += used;
        if (result == HTTP_REFUSED) {
            connection_refuse(c, c->chunks.status, c->chunks.reason);
            return HTTP_REFUSED;
        }
        if (!take_piece(c, piece)) return HTTP_REFUSED;
        if (result == HTTP_DONE || c->raw_at == input->bytes.len) break;
    }
    if (result == HTTP_DONE) {
        c->next_at = c->raw_at;
    } else {
        /* The framing between the pieces is used up: the next bytes come right behind the body. */
        size_t end = input->at + connection_request(c)->head_len + (c->in_pieces ? 0 : c->body_len);
        size_t rest = input->bytes.len - c->raw_at;
        memmove(input->bytes.ptr + end, input->bytes.ptr + c->raw_at, rest);
        c->raw_at = end;
        input->bytes.len = end + rest;
    }
    return result;
}

static HttpResult read_length(Connection *c)
{
    Input *input = connection_input(c);
    const HttpRequest *request = connection_request(c);
    if (c->paused) return HTTP_MORE;
    size_t n = (size_t)MIN((uint64_t)(input->bytes.len - c->raw_at),
                           request->content_length - c->body_len);
    if (!take_piece(c, (Str){input->bytes.ptr + c->raw_at, n})) return HTTP_REFUSED;
    c->raw_at += n;
    c->next_at = c->raw_at;
    if (c->body_len == request->content_length) return HTTP_DONE;
    if (c->in_pieces) {
        c->raw_at = input->at + request->head_len;
        input->bytes.len = c->raw_at;
    }
    return HTTP_MORE;
}

/* Goes on with the body; false when nothing more can be done now. */
static bool read_body(Connection *c)
{
    const HttpRequest *request = connection_request(c);
    if (request->content_length > c->exchange.body_max) {
        connection_refuse(c, 413, "the body is larger than this server accepts");
        return false;
    }
    HttpResult result = request->chunked ? read_chunks(c) : read_length(c);
    if (result == HTTP_REFUSED) return false;
    if (result == HTTP_MORE) {
        if (request->expect_continue && c->moved == 0 && !c->paused) {
            connection_continue_100(c);
            connection_request(c)->expect_continue = false;
        }
        return false;
    }
    /* botocore waits for it also before a body of no bytes, and its next request hangs without. */
    if (request->expect_continue && !request->chunked && request->content_length == 0) {
        connection_continue_100(c);
        connection_request(c)->expect_continue = false;
    }
    Input *input = connection_input(c);
    if (!c->in_pieces)
        c->exchange.body = (Str){input->bytes.ptr + input->at + request->head_len, c->body_len};
    call_request(c);
    return true;
}

static void answer_connect(Connection *c);
static bool begins_h2(const Connection *c, Str bytes);
static void switch_to_h2(Connection *c, Str bytes);
static const Str h2_preface;

static bool read_head(Connection *c)
{
    HttpServer *server = c->server;
    Input *input = connection_input(c);
    HttpRequest *request = connection_request(c);
    size_t n = input->bytes.len - input->at;
    if (n == 0) return false;
    Str bytes = {input->bytes.ptr + input->at, n};
    if (begins_h2(c, bytes) && n >= h2_preface.len) {
        switch_to_h2(c, bytes);
        return false;
    }
    if (!c->begun) {
        http_request_init(request, input->bytes.ptr + input->at);
        c->begun = true;
        c->since = loop_now(server->loop);
    }
    request->bytes = input->bytes.ptr + input->at;
    if (begins_h2(c, bytes)) return false;
    HttpResult result = http_request_parse(request, n, &server->options.limits);
    if (result == HTTP_REFUSED) connection_refuse(c, request->status, request->reason);
    if (result == HTTP_DONE && request->method == HTTP_CONNECT) {
        answer_connect(c);
        return false;
    }
    if (result == HTTP_DONE) begin_body(c);
    return result == HTTP_DONE;
}

/* Puts the input in order for the next recv. */
static bool settle_input(Connection *c)
{
    Input *input = connection_input(c);
    bool idle = c->stage <= STAGE_HEAD && input->at == input->bytes.len;
    if (idle || c->stage == STAGE_H2 || c->stage == STAGE_FINISH) {
        drop_kept(c);
        c->begun = false;
        return true;
    }
    if (!keep_input(c)) return false;
    input = &c->kept->input;
    if (c->stage == STAGE_HEAD && input->at) {
        input->bytes.len -= input->at;
        memmove(input->bytes.ptr, input->bytes.ptr + input->at, input->bytes.len);
        input->at = 0;
        c->kept->request.bytes = input->bytes.ptr;
    }
    return true;
}

static bool give_room(Connection *c)
{
    const HttpHandler *handler = c->exchange.handler;
    if (!c->wants_room || !handler->room || !connection_flush(c)) return false;
    c->wants_room = false;
    handler->room(handler->arg, &c->exchange);
    return true;
}

/* The next thing that can be done for a connection; false when there is none. */
static bool step(Connection *c)
{
    /* While an answer waits for the socket nothing else is read: memory stays bounded. */
    if (c->blocked || (c->file >= 0 && !connection_flush(c))) return false;
    switch (c->stage) {
    case STAGE_HEAD: return read_head(c);
    case STAGE_BODY: return give_room(c) || read_body(c);
    case STAGE_HANDLER: return give_room(c);
    default: return false;
    }
}

/* All that can be done now: requests, answers, sending.  Called when input or room came, and when
 * the handler answered outside of it. */
void connection_process(Connection *c)
{
    HttpServer *server = c->server;
    if (c->stage == STAGE_CLOSED) return;
    bool outer = server->current == NULL;
    if (outer) server->current = c;
    c->processing = true;
    bool sent, waited;
    do { /* again when the socket took what had to wait: there may be more to do */
        while (step(c)) {
        }
        waited = c->blocked;
        if (c->stage == STAGE_FINISH)
            c->drop_input |= connection_input(c)->at < connection_input(c)->bytes.len;
        if (c->stage != STAGE_CLOSED && !settle_input(c)) connection_close(c);
        sent = connection_flush(c);
    } while (sent && waited && c->stage != STAGE_FINISH);
    if (sent && c->stage == STAGE_FINISH) begin_linger(c);
    if (outer) {
        server->current = NULL;
        server->out.len = 0;
        server->input.bytes.len = server->input.at = 0;
    }
    c->processing = false;
    connection_set_waits(c);
}

static void read_input(Connection *c)
{
    HttpServer *server = c->server;
    for (int i = 0; i < READS_MAX; i++) {
        if (c->kept && !make_room(c)) {
            connection_close(c);
            return;
        }
        Bytes *bytes = &connection_input(c)->bytes;
        size_t room = bytes->capacity - bytes->len;
        ssize_t n = connection_recv(c, bytes->ptr + bytes->len, room);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
        if (n <= 0) { /* the client ended, maybe within a request: there is nobody to answer */
            connection_close(c);
            return;
        }
        bytes->len += (size_t)n;
        if (c->stage == STAGE_BODY) c->moved += (size_t)n;
        connection_process(c);
        bool goes_on = ((size_t)n == room || c->tls) && c->stage == STAGE_BODY && !c->paused &&
                       !c->blocked;
        if (!goes_on || server->current) return;
    }
}

/* ---- TLS ---- */

static bool begin_tls(Connection *c, TlsContext *context, Str name)
{
    c->tls_do = tls_methods(context);
    c->tls = c->tls_do->start(context, c->fd, name, c->server->options.http2 != NULL);
    c->stage = STAGE_TLS;
    return c->tls != NULL;
}

static void shake_hands(Connection *c)
{
    switch (c->tls_do->handshake(c->tls)) {
    case TLS_READ: connection_wait(c, EPOLLIN); return;
    case TLS_WRITE: connection_wait(c, EPOLLOUT); return;
    case TLS_FAILED: connection_close(c); return;
    case TLS_DONE: break;
    }
    c->stage = STAGE_HEAD;
    if (c->tls_do->is_h2(c->tls)) { /* offered only where there is HTTP/2 */
        c->stage = STAGE_H2;
        if (!c->server->options.http2->start(c))
            connection_close(c);
        else
            c->server->options.http2->output(c);
        return;
    }
    connection_set_waits(c);
}

/* CONNECT: the connection becomes one of TLS, and we are the server that was asked for. */
static void answer_connect(Connection *c)
{
    HttpServer *server = c->server;
    Input *input = connection_input(c);
    const HttpRequest *request = connection_request(c);
    Str host = http_text(request, request->target_at, request->target_len);
    size_t colon = str_find(host, ':');
    bool takes = str_is(str_from(host, colon), ":443") && !c->tls && !server->stopping;
    host.len = colon;
    if (!takes || !server->options.proxy_for || !server->options.proxy_for(host)) {
        connection_refuse(c, 403, "this proxy does not answer for that host and port");
        return;
    }
    connection_established(c);
    input->at += request->head_len;
    /* Nothing may come between: its sender did not wait for us to agree. */
    if (!connection_flush(c) || input->at != input->bytes.len ||
        !begin_tls(c, server->options.proxy, host)) {
        connection_close(c);
        return;
    }
    connection_deadline(c, loop_now(server->loop) + server->options.head_seconds);
}

/* ---- HTTP/2 ---- */

static const Str h2_preface = STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/* A connection that begins with the preface is one of HTTP/2 (prior knowledge).  True when the
 * bytes so far may become it. */
static bool begins_h2(const Connection *c, Str bytes)
{
    size_t n = MIN(bytes.len, h2_preface.len);
    return c->server->options.http2 && !c->served && memcmp(bytes.ptr, h2_preface.ptr, n) == 0;
}

static void switch_to_h2(Connection *c, Str bytes)
{
    const Http2 *http2 = c->server->options.http2;
    c->stage = STAGE_H2;
    if (!http2->start(c)) {
        connection_close(c);
        return;
    }
    http2->input(c, bytes);
    Input *input = connection_input(c);
    input->at = input->bytes.len;
    http2->output(c);
}

static void read_h2(Connection *c, uint32_t events)
{
    HttpServer *server = c->server;
    if (events & EPOLLOUT) c->blocked = false;
    for (int i = 0; i < READS_MAX && events & (EPOLLIN | EPOLLHUP | EPOLLERR); i++) {
        Bytes *bytes = &server->input.bytes;
        ssize_t n = connection_recv(c, bytes->ptr, bytes->capacity);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (n <= 0) {
            connection_close(c);
            return;
        }
        server->options.http2->input(c, (Str){bytes->ptr, (size_t)n});
        if (c->stage == STAGE_CLOSED) return;
        if (!c->tls && (size_t)n < bytes->capacity) break;
    }
    server->options.http2->output(c);
}

static void ready(LoopSource *source, uint32_t events)
{
    Connection *c = LOOP_OWNER(source, Connection, source);
    if (c->stage == STAGE_LINGER) {
        linger(c);
        return;
    }
    if (c->stage == STAGE_TLS) {
        shake_hands(c);
        return;
    }
    if (c->stage == STAGE_H2) {
        read_h2(c, events);
        return;
    }
    if (events & EPOLLOUT) {
        c->blocked = false;
        if (!connection_flush(c)) {
            connection_set_waits(c);
            return;
        }
        connection_process(c);
        return;
    }
    if ((events & EPOLLIN) && (c->stage == STAGE_HEAD || c->stage == STAGE_BODY)) {
        read_input(c);
        return;
    }
    if (events & (EPOLLHUP | EPOLLERR)) {
        connection_close(c);
        return;
    }
    if (events & EPOLLRDHUP) {
        connection_close(c);
        return;
    }
    connection_wait(c, 0); /* input ahead of the answer: not now */
}

bool exchange_is_whole(const HttpExchange *exchange)
{
    if (exchange->methods) return exchange->methods->is_whole(exchange);
    return LOOP_OWNER(exchange, Connection, exchange)->stage != STAGE_BODY;
}

void exchange_watch(HttpExchange *exchange)
{
    if (exchange->methods) {
        exchange->methods->watch(exchange);
        return;
    }
    Connection *c = LOOP_OWNER(exchange, Connection, exchange);
    if (c->stage != STAGE_HANDLER || c->watched) return;
    c->watched = true;
    if (!c->processing) connection_set_waits(c);
}

void http_take_body(HttpExchange *exchange)
{
    if (exchange->methods) {
        exchange->methods->take_body(exchange);
        return;
    }
    Connection *c = LOOP_OWNER(exchange, Connection, exchange);
    assert(c->stage == STAGE_BODY && c->body_len == 0 && exchange->handler->body);
    c->in_pieces = true;
}

void http_answer_by(HttpExchange *exchange, const HttpHandler *handler)
{
    exchange->handler = handler;
}

void http_body_pause(HttpExchange *exchange, bool pause)
{
    if (exchange->methods) {
        exchange->methods->body_pause(exchange, pause);
        return;
    }
    Connection *c = LOOP_OWNER(exchange, Connection, exchange);
    if (c->stage != STAGE_BODY || c->paused == pause) return;
    c->paused = pause;
    if (!pause) {
        c->since = loop_now(c->server->loop);
        c->moved = 0;
    }
    if (!c->processing) connection_process(c);
}

/* ---- accepting ---- */

static void answer_busy(int fd)
{
    static const char text[] =
        "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\n"
        "Connection: close\r\n\r\n";
    ssize_t n = send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)n;
    shutdown(fd, SHUT_WR);
    close(fd);
}

static void add_connection(Listener *listener, int fd)
{
    HttpServer *server = listener->server;
    Connection *c = server->counts.open < server->options.connections_max ? calloc(1, sizeof *c)
                                                                          : NULL;
    if (!c) {
        answer_busy(fd);
        return;
    }
    c->server = server;
    c->fd = fd;
    c->file = -1;
    c->events = EPOLLIN;
    c->source = (LoopSource){.ready = ready, .release = release_connection};
    c->timer.fire = fire;
    c->stage = STAGE_HEAD;
    if (!loop_add(server->loop, fd, EPOLLIN, &c->source, NULL)) {
        free(c);
        answer_busy(fd);
        return;
    }
    c->next = server->first;
    if (c->next) c->next->previous = c;
    server->first = c;
    connection_count(&server->counts.open, 1);
    connection_count(&server->counts.connections, 1);
    double now = loop_now(server->loop);
    connection_deadline(
        c, now + (listener->tls ? server->options.head_seconds : server->options.idle_seconds));
    if (listener->tls && !begin_tls(c, listener->tls, (Str){0})) connection_close(c);
}

static void stop_waiting(Listener *listener)
{
    if (listener->waiting) loop_remove(listener->server->loop, listener->fd, &listener->source);
    listener->waiting = false;
}

/* No descriptor or memory is left: says so to the one who waits, and accepts no more for a while
 * instead of spinning on a queue that stays ready. */
static void pause_accepting(Listener *listener)
{
    HttpServer *server = listener->server;
    if (server->spare >= 0) {
        close(server->spare);
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) answer_busy(fd);
        server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    stop_waiting(listener);
    loop_timer_start(server->loop, &listener->timer, loop_now(server->loop) + accept_pause_seconds);
}

static void accept_connections(LoopSource *source, uint32_t events UNUSED)
{
    Listener *listener = LOOP_OWNER(source, Listener, source);
    for (int i = 0; i < ACCEPTS_MAX; i++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            add_connection(listener, fd);
            continue;
        }
        if (errno == EAGAIN || errno == EINTR) return;
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(listener);
            return;
        }
        /* Others concern the one connection that was to be accepted (accept(2)). */
    }
}

static bool start_waiting(Listener *listener, Error *err)
{
    listener->source.ready = accept_connections;
    listener->waiting = loop_add(listener->server->loop, listener->fd, listener->events,
                                 &listener->source, err);
    return listener->waiting;
}

static void resume_accepting(LoopTimer *timer)
{
    Listener *listener = LOOP_OWNER(timer, Listener, timer);
    if (!start_waiting(listener, NULL))
        loop_timer_start(listener->server->loop, timer,
                         loop_now(listener->server->loop) + accept_pause_seconds);
}

bool http_server_listen(HttpServer *server, int fd, bool shared, Error *err)
{
    return http_server_listen_tls(server, fd, shared, NULL, err);
}

bool http_server_listen_tls(HttpServer *server, int fd, bool shared, TlsContext *tls, Error *err)
{
    Listener *listener = calloc(1, sizeof *listener);
    if (!listener) memory_exhausted(sizeof *listener);
    *listener = (Listener){
        .server = server,
        .tls = tls,
        .fd = fd,
        .events = shared ? EPOLLIN | EPOLLEXCLUSIVE : EPOLLIN,
        .timer.fire = resume_accepting,
        .next = server->listeners,
    };
    if (!start_waiting(listener, err)) {
        close(fd);
        free(listener);
        return false;
    }
    server->listeners = listener;
    return true;
}

/* ---- life ---- */

HttpServer *http_server_new(Loop *loop, const HttpHandler *handler, const HttpOptions *options)
{
    HttpServer *server = calloc(1, sizeof *server);
    if (!server) memory_exhausted(sizeof *server);
    server->loop = loop;
    server->handler = *handler;
    server->options = options ? *options : http_options;
    if (server->options.proxy) server->options.limits.connect = true;
    /* Neither sendfile nor OpenSSL can write without the signal. */
    struct sigaction action;
    if (sigaction(SIGPIPE, NULL, &action) == 0 && action.sa_handler == SIG_DFL)
        signal(SIGPIPE, SIG_IGN);
    server->date_second = -1;
    server->spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!bytes_reserve(&server->input.bytes, INPUT_SIZE)) memory_exhausted(INPUT_SIZE);
    return server;
}

static void close_listeners(HttpServer *server)
{
    for (Listener *listener = server->listeners; listener; listener = listener->next) {
        stop_waiting(listener);
        loop_timer_stop(server->loop, &listener->timer);
        if (listener->fd >= 0) close(listener->fd);
        listener->fd = -1;
    }
}

static void stop_now(LoopTimer *timer)
{
    HttpServer *server = LOOP_OWNER(timer, HttpServer, stop_timer);
    while (server->first) connection_close(server->first);
}

void http_server_stop(HttpServer *server, void (*stopped)(void *arg), void *arg)
{
    if (server->stopping) return;
    server->stopping = true;
    server->stopped = stopped;
    server->stopped_arg = arg;
    close_listeners(server);
    for (Connection *c = server->first, *next; c; c = next) {
        next = c->next;
        if (c->stage == STAGE_H2)
            server->options.http2->stop(c);
        else if (c->stage <= STAGE_HEAD && !c->begun && !c->blocked && c->file < 0)
            connection_close(c);
    }
    server->stop_timer.fire = stop_now;
    loop_timer_start(server->loop, &server->stop_timer,
                     loop_now(server->loop) + server->options.stop_seconds);
    check_stopped(server);
}

void http_server_free(HttpServer *server)
{
    if (!server) return;
    server->stopped = NULL;
    close_listeners(server);
    while (server->first) connection_close(server->first);
    loop_timer_stop(server->loop, &server->stop_timer);
    while (server->listeners) {
        Listener *listener = server->listeners;
        server->listeners = listener->next;
        free(listener);
    }
    if (server->spare >= 0) close(server->spare);
    bytes_clear(&server->input.bytes);
    bytes_clear(&server->out);
    free(server);
}

HttpCounts http_server_counts(const HttpServer *server)
{
    const HttpCounts *counts = &server->counts;
    return (HttpCounts){
        .connections = __atomic_load_n(&counts->connections, __ATOMIC_RELAXED),
        .requests = __atomic_load_n(&counts->requests, __ATOMIC_RELAXED),
        .refused = __atomic_load_n(&counts->refused, __ATOMIC_RELAXED),
        .open = __atomic_load_n(&counts->open, __ATOMIC_RELAXED),
    };
}
