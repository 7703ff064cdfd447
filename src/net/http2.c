/* HTTP/2: a session of libnghttp2 per connection, an exchange per stream.
 *
 * nghttp2 frames, compresses and keeps the flow-control windows; this file turns streams into
 * requests and answers into streams.  A request's fields are written as the text of an HTTP/1.1
 * head, which the parser of HTTP/1.1 reads: one set of rules and limits, and handlers that look at
 * offsets into text need not know.
 *
 * A stream's window is opened again as its handler takes the body, so a paused body waits at the
 * client beyond HTTP2_WINDOW.  The connection's window is opened at once: a paused stream must not
 * stop the others.
 *
 * Frames are made only while less than OUTPUT_MAX of them wait for the socket, and input is read
 * all the same: nghttp2 bounds what control frames can make it queue.
 *
 * Streams that a client opens and resets at once cost us work and it nothing (CVE-2023-44487):
 * after HTTP2_RESETS_MAX more of them than it took answers, the connection ends.
 *
 * RFC 9113. */

#include "net/http2.h"

#include "net/http_connection.h"

#include <math.h>
#include <nghttp2/nghttp2.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OUTPUT_MAX = 256 << 10, ANSWER_FIELDS_MAX = 64, ANSWER_FIELDS_BYTES = 32 << 10 };

typedef struct Stream {
    HttpExchange exchange;
    struct Http2Session *session;
    struct Stream *previous, *next;
    int32_t id;

    bool headed;   /* `head` was called, or an answer given before */
    bool known;    /* the handler has the exchange */
    bool ended_in; /* the client's side is complete */
    bool whole;    /* `request` was called */
    bool in_pieces, paused, refused;
    bool answering, ended; /* the answer was begun, is complete */
    bool bodiless;         /* the answer has no body */
    bool wants_room, deferred;
    bool undelivered; /* the handler goes on with the body that waited */
    size_t body_len;
    Bytes text;    /* of the request's head */
    Bytes cookies; /* may come in pieces */
    bool has_host, too_large;
    Bytes body; /* collected, or what came while the handler paused */
    Bytes fields;
    Bytes out;
    size_t out_sent;
    int file;
    int64_t file_at, file_left;
    HttpRequest request; /* last */
} Stream;

typedef struct Http2Session {
    nghttp2_session *ng;
    Connection *c;
    Stream *streams, *dead;
    int n_streams, resets;
    bool busy;    /* within nghttp2 or a handler: whoever is outside makes the output */
    bool waiting; /* for the client, as of the last look */
    bool failed;
    bool closed; /* the connection is; freed when nobody is busy any more */
} Http2Session;

static void pump(Http2Session *session);

static Stream *stream_of(const HttpExchange *exchange)
{
    return LOOP_OWNER(exchange, Stream, exchange);
}

/* It has ended: its handler was told, and only the frame that told it may still use it. */
static bool gone(const Stream *stream)
{
    return stream->session == NULL;
}

/* ---- the end of streams ---- */

static void lose(Stream *stream)
{
    const HttpHandler *handler = stream->exchange.handler;
    bool known = stream->known;
    stream->known = false;
    if (known && handler->lost) handler->lost(handler->arg, &stream->exchange);
}

/* A handler may be using the exchange at this moment, so the stream is freed later, when the loop
 * has come back to us. */
static void end_stream(Stream *stream)
{
    Http2Session *session = stream->session;
    if (stream->previous)
        stream->previous->next = stream->next;
    else
        session->streams = stream->next;
    if (stream->next) stream->next->previous = stream->previous;
    session->n_streams--;
    lose(stream);
    stream->session = NULL;
    stream->next = session->dead;
    session->dead = stream;
}

static void free_stream(Stream *stream)
{
    if (stream->file >= 0) close(stream->file);
    bytes_clear(&stream->text);
    bytes_clear(&stream->cookies);
    bytes_clear(&stream->body);
    bytes_clear(&stream->fields);
    bytes_clear(&stream->out);
    free(stream);
}

static void free_dead(Http2Session *session)
{
    while (session->dead) {
        Stream *stream = session->dead;
        session->dead = stream->next;
        free_stream(stream);
    }
}

static void destroy(Http2Session *session)
{
    while (session->streams) end_stream(session->streams);
    free_dead(session);
    nghttp2_session_del(session->ng);
    free(session);
}

/* Leaves what `busy` guards; false when the connection was closed meanwhile. */
static bool leave(Http2Session *session)
{
    session->busy = false;
    if (!session->closed) return true;
    destroy(session);
    return false;
}

static void reset(Stream *stream, uint32_t code)
{
    nghttp2_submit_rst_stream(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, code);
}

/* ---- answers ---- */

static bool has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

/* nghttp2 asks for the next part of an answer's body. */
static ssize_t give_body(nghttp2_session *ng UNUSED, int32_t id UNUSED, uint8_t *buffer,
                         size_t size, uint32_t *flags, nghttp2_data_source *source,
                         void *user UNUSED)
{
    Stream *stream = source->ptr;
    size_t n = MIN(size, stream->out.len - stream->out_sent);
    if (n) memcpy(buffer, stream->out.ptr + stream->out_sent, n);
    stream->out_sent += n;
    if (stream->out_sent == stream->out.len) {
        stream->out.len = stream->out_sent = 0;
        if (stream->out.capacity > OUTPUT_MAX) bytes_clear(&stream->out);
    }
    if (n == 0 && stream->file_left) {
        ssize_t got = pread(stream->file, buffer, (size_t)MIN((int64_t)size, stream->file_left),
                            stream->file_at);
        if (got <= 0) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; /* shorter than was promised */
        n = (size_t)got;
        stream->file_at += got;
        stream->file_left -= got;
    }
    stream->session->c->moved += n;
    if (stream->ended && stream->out.len == 0 && stream->file_left == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    else if (n == 0) {
        stream->deferred = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    return (ssize_t)n;
}

static nghttp2_nv field_of(Str name, Str value)
{
    return (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name.ptr,
        .namelen = name.len,
        .value = (uint8_t *)(uintptr_t)value.ptr,
        .valuelen = value.len,
    };
}

/* Fields that HTTP/2 has no use for (RFC 9113 section 8.2.2). */
static bool is_hop_field(Str name)
{
    return str_is(name, "connection") || str_is(name, "transfer-encoding") ||
           str_is(name, "keep-alive") || str_is(name, "upgrade") || str_is(name, "content-length");
}

static void answer_field(HttpExchange *exchange, Str name, Str value)
{
    Stream *stream = stream_of(exchange);
    bool sound = http_is_token(name) && http_is_field_text(value);
    assert(sound);
    if (!sound || gone(stream) || stream->fields.len + name.len + value.len > ANSWER_FIELDS_BYTES)
        return;
    char end = '\0';
    size_t at = stream->fields.len;
    if (!bytes_add(&stream->fields, name) || !bytes_add(&stream->fields, (Str){&end, 1}) ||
        !bytes_add(&stream->fields, value) || !bytes_add(&stream->fields, (Str){&end, 1}))
        return;
    for (size_t i = at; i < at + name.len; i++) {
        char *c = &stream->fields.ptr[i];
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + ('a' - 'A'));
    }
}

static void submit_head(Stream *stream, int status, Str content_type, int64_t length, bool body)
{
    char status_text[16], length_text[24];
    int status_len = snprintf(status_text, sizeof status_text, "%d", status);
    nghttp2_nv fields[ANSWER_FIELDS_MAX + 4];
    size_t n = 0;
    fields[n++] = field_of(STR(":status"), (Str){status_text, (size_t)status_len});
    if (content_type.len && http_is_field_text(content_type))
        fields[n++] = field_of(STR("content-type"), content_type);
    if (length >= 0 && !has_no_body(status)) {
        int len = snprintf(length_text, sizeof length_text, "%lld", (long long)length);
        fields[n++] = field_of(STR("content-length"), (Str){length_text, (size_t)len});
    }
    fields[n++] = field_of(STR("date"), http_server_date(stream->session->c->server));
    Str rest = {stream->fields.ptr, stream->fields.len}, name, value;
    while (n < COUNT(fields) && rest.len && str_next(&rest, '\0', &name) &&
           str_next(&rest, '\0', &value))
        if (!is_hop_field(name)) fields[n++] = field_of(name, value);
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = give_body};
    stream->bodiless = !body;
    if (nghttp2_submit_response(stream->session->ng, stream->id, fields, n,
                                body ? &provider : NULL) != 0)
        reset(stream, NGHTTP2_INTERNAL_ERROR);
    bytes_clear(&stream->fields);
}

static bool answer_has_body(const Stream *stream, int status)
{
    return stream->request.method != HTTP_HEAD && !has_no_body(status);
}

/* Output is made by whoever is outermost. */
static void go_on(Stream *stream)
{
    Http2Session *session = stream->session;
    if (stream->deferred) {
        stream->deferred = false;
        nghttp2_session_resume_data(session->ng, stream->id);
    }
    if (!session->busy) pump(session);
}

/* The handler is done with the exchange. */
static void complete(Stream *stream)
{
    stream->ended = true;
    stream->known = false;
    stream->exchange.user = NULL;
    if (stream->session->resets > 0) stream->session->resets--;
    go_on(stream);
}

static void answer_begin(HttpExchange *exchange, int status, Str content_type, int64_t length)
{
    Stream *stream = stream_of(exchange);
    assert(!stream->answering);
    if (gone(stream)) return;
    stream->answering = stream->headed = true;
    submit_head(stream, status, content_type, length, answer_has_body(stream, status));
}

static void answer_write(HttpExchange *exchange, Str piece)
{
    Stream *stream = stream_of(exchange);
    if (gone(stream) || stream->bodiless || stream->ended || piece.len == 0) return;
    if (!bytes_add(&stream->out, piece)) {
        reset(stream, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    stream->wants_room = true;
    go_on(stream);
}

static size_t answer_queued(const HttpExchange *exchange)
{
    const Stream *stream = stream_of(exchange);
    return stream->out.len - stream->out_sent;
}

static void answer_end(HttpExchange *exchange)
{
    if (!gone(stream_of(exchange))) complete(stream_of(exchange));
}

static void answer(HttpExchange *exchange, int status, Str content_type, Str body)
{
    Stream *stream = stream_of(exchange);
    if (gone(stream)) return;
    bool sends = answer_has_body(stream, status) && body.len;
    stream->answering = stream->headed = true;
    if (sends && !bytes_add(&stream->out, body)) {
        reset(stream, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    submit_head(stream, status, content_type, (int64_t)body.len, sends);
    complete(stream);
}

static void answer_head(HttpExchange *exchange, int status, Str content_type, int64_t length)
{
    Stream *stream = stream_of(exchange);
    if (gone(stream)) return;
    stream->answering = stream->headed = true;
    submit_head(stream, status, content_type, length, false);
    complete(stream);
}

static void answer_file(HttpExchange *exchange, int status, Str content_type, int fd,
                        int64_t offset, int64_t length)
{
    Stream *stream = stream_of(exchange);
    bool sends = !gone(stream) && answer_has_body(stream, status) && length > 0;
    if (gone(stream)) {
        close(fd);
        return;
    }
    stream->answering = stream->headed = true;
    if (sends) {
        stream->file = fd;
        stream->file_at = offset;
        stream->file_left = length;
    } else {
        close(fd);
    }
    submit_head(stream, status, content_type, length, sends);
    complete(stream);
}

static void abort_stream(HttpExchange *exchange)
{
    Stream *stream = stream_of(exchange);
    if (gone(stream)) return;
    lose(stream);
    reset(stream, NGHTTP2_INTERNAL_ERROR);
    if (!stream->session->busy) pump(stream->session);
}

/* A refusal of ours: the handler is told that the exchange is lost, the client why. */
static void refuse(Stream *stream, int status, const char *reason)
{
    connection_count(&stream->session->c->server->counts.refused, 1);
    lose(stream);
    if (stream->answering) {
        reset(stream, NGHTTP2_INTERNAL_ERROR);
        return;
    }
    stream->refused = true;
    answer(&stream->exchange, status, STR("text/plain"), str_of(reason));
}

/* ---- requests ---- */

static void take_body(HttpExchange *exchange)
{
    stream_of(exchange)->in_pieces = true;
}

static void pause_body(HttpExchange *exchange, bool pause)
{
    Stream *stream = stream_of(exchange);
    if (gone(stream) || stream->whole || stream->paused == pause) return;
    Http2Session *session = stream->session;
    stream->paused = pause;
    stream->undelivered = !pause;
    if (!pause && !session->busy) pump(session);
}

static bool is_whole(const HttpExchange *exchange)
{
    return stream_of(exchange)->whole;
}

static void watch(HttpExchange *exchange UNUSED) {} /* a stream's end is always seen */

static const ExchangeMethods methods = {
    .take_body = take_body,
    .body_pause = pause_body,
    .field = answer_field,
    .answer = answer,
    .begin = answer_begin,
    .write = answer_write,
    .queued = answer_queued,
    .end = answer_end,
    .file = answer_file,
    .head = answer_head,
    .abort = abort_stream,
    .is_whole = is_whole,
    .watch = watch,
};

static void call_request(Stream *stream)
{
    stream->whole = true;
    stream->known = true;
    connection_count(&stream->session->c->server->counts.requests, 1);
    if (!stream->in_pieces) stream->exchange.body = (Str){stream->body.ptr, stream->body.len};
    const HttpHandler *handler = stream->exchange.handler;
    handler->request(handler->arg, &stream->exchange);
}

static void call_body(Stream *stream, Str piece)
{
    const HttpHandler *handler = stream->exchange.handler;
    handler->body(handler->arg, &stream->exchange, piece);
}

/* The client of `Expect: 100-continue` may begin with the body. */
static void ask_for_body(Stream *stream)
{
    HttpRequest *request = &stream->request;
    if (!request->expect_continue || stream->ended_in || stream->body_len) return;
    request->expect_continue = false;
    nghttp2_nv field = field_of(STR(":status"), STR("100"));
    nghttp2_submit_headers(stream->session->ng, NGHTTP2_FLAG_NONE, stream->id, NULL, &field, 1,
                           NULL);
}

/* What can be given to the handler now: a body that waited, and the end.  A stream is freed only
 * within nghttp2's sending, so it lives on here. */
static void deliver(Stream *stream)
{
    stream->undelivered = false;
    if (!stream->headed || stream->ended || stream->whole || stream->paused) return;
    ask_for_body(stream);
    if (stream->in_pieces && stream->body.len) {
        Bytes body = stream->body;
        stream->body = (Bytes){0};
        call_body(stream, (Str){body.ptr, body.len});
        nghttp2_session_consume_stream(stream->session->ng, stream->id, body.len);
        bytes_clear(&body);
    }
    if (stream->ended_in && !stream->paused && !stream->ended && !stream->refused)
        call_request(stream);
}

static void add_text(Stream *stream, Str s)
{
    if (!bytes_add(&stream->text, s)) stream->too_large = true;
}

static int on_begin_headers(nghttp2_session *ng, const nghttp2_frame *frame, void *user)
{
    Http2Session *session = user;
    if (frame->hd.type != NGHTTP2_HEADERS || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0;
    Stream *stream = malloc(sizeof *stream);
    if (!stream) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    memset(stream, 0, offsetof(Stream, request));
    http_request_init(&stream->request, NULL);
    stream->session = session;
    stream->id = frame->hd.stream_id;
    stream->file = -1;
    stream->exchange.methods = &methods;
    stream->exchange.request = &stream->request;
    stream->exchange.handler = &session->c->server->handler;
    stream->exchange.secure = session->c->tls != NULL;
    stream->next = session->streams;
    if (stream->next) stream->next->previous = stream;
    session->streams = stream;
    session->n_streams++;
    nghttp2_session_set_stream_user_data(ng, stream->id, stream);
    return 0;
}

/* The pseudo-fields come first, in any order; finish_head sorts them out. */
static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name_bytes,
                     size_t name_len, const uint8_t *value_bytes, size_t value_len,
                     uint8_t flags UNUSED, void *user)
{
    Http2Session *session = user;
    Stream *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
    if (!stream || frame->headers.cat != NGHTTP2_HCAT_REQUEST) return 0; /* trailers are dropped */
    const HttpLimits *limits = &session->c->server->options.limits;
    Str name = {(const char *)name_bytes, name_len}, value = {(const char *)value_bytes, value_len};
    if (stream->text.len + stream->cookies.len + name.len + value.len > 2 * limits->head_max)
        stream->too_large = true;
    if (stream->too_large || str_is(name, ":scheme") || str_is(name, "te")) return 0;
    if (str_is(name, "cookie")) {
        if (stream->cookies.len && !bytes_add(&stream->cookies, STR("; "))) return 0;
        if (!bytes_add(&stream->cookies, value)) stream->too_large = true;
        return 0;
    }
    if (str_is(name, "host")) stream->has_host = true;
    add_text(stream, name);
    add_text(stream, STR(": "));
    add_text(stream, value);
    add_text(stream, STR("\r\n"));
    return 0;
}

/* Cuts the line of a pseudo-field off the front lines of `text`; nghttp2 has seen to it that there
 * is at most one of each and none behind the other fields. */
static Str pseudo(Str text, const char *name)
{
    Str line;
    while (text.len && text.ptr[0] == ':' && str_next_line(&text, &line)) {
        size_t colon = 1 + str_find(str_from(line, 1), ':');
        if (str_is(str_slice(line, 0, colon), name)) return str_from(line, colon + 2);
    }
    return (Str){0};
}

/* Writes the head as HTTP/1.1 has it and has it parsed; false with the reason of a refusal. */
static bool finish_head(Stream *stream, int *ret_status, const char **ret_reason)
{
    const HttpLimits *limits = &stream->session->c->server->options.limits;
    Str text = {stream->text.ptr, stream->text.len};
    Str method = pseudo(text, ":method"), path = pseudo(text, ":path"),
        authority = pseudo(text, ":authority");
    Str rest = text, line;
    while (rest.len && rest.ptr[0] == ':' && str_next_line(&rest, &line)) {
    }
    Bytes head = {0};
    bool added = bytes_add(&head, method) && bytes_add(&head, STR(" ")) && bytes_add(&head, path) &&
                 bytes_add(&head, STR(" HTTP/1.1\r\n"));
    if (authority.len && !stream->has_host)
        added = added && bytes_add(&head, STR("host: ")) && bytes_add(&head, authority) &&
                bytes_add(&head, STR("\r\n"));
    added = added && bytes_add(&head, rest);
    if (stream->cookies.len)
        added = added && bytes_add(&head, STR("cookie: ")) &&
                bytes_add(&head, (Str){stream->cookies.ptr, stream->cookies.len}) &&
                bytes_add(&head, STR("\r\n"));
    added = added && bytes_add(&head, STR("\r\n"));
    HttpRequest *request = &stream->request;
    http_request_init(request, head.ptr);
    HttpResult result = added && !stream->too_large ? http_request_parse(request, head.len, limits)
                                                    : HTTP_REFUSED;
    bool authority_differs = result == HTTP_DONE && stream->has_host && authority.len &&
                             !str_eq_nocase(http_field_value(request, request->host), authority);
    bytes_clear(&stream->text);
    bytes_clear(&stream->cookies);
    stream->text = head;
    *ret_status = result == HTTP_REFUSED ? request->status : 400;
    *ret_reason = result == HTTP_REFUSED ? request->reason : "the request is malformed";
    if (stream->too_large) {
        *ret_status = 431;
        *ret_reason = "the head is too long";
    } else if (authority_differs) {
        *ret_reason = "host differs from :authority";
        return false;
    }
    return result == HTTP_DONE && request->head_len == head.len;
}

/* The head is complete. */
static void begin_request(Stream *stream, bool ended)
{
    HttpServer *server = stream->session->c->server;
    const HttpOptions *options = &server->options;
    int status;
    const char *reason;
    stream->exchange.body_max = options->body_preset ? options->body_preset
                                                     : options->limits.body_max;
    stream->ended_in = ended;
    if (!finish_head(stream, &status, &reason)) {
        refuse(stream, status, reason);
        return;
    }
    HttpRequest *request = &stream->request;
    /* Handlers take it for a body in chunks: its length shows at the end. */
    request->chunked = !ended && !request->has_length;
    stream->headed = true;
    if (server->handler.head) {
        stream->known = true;
        server->handler.head(server->handler.arg, &stream->exchange);
    }
    if (stream->ended || stream->answering) return;
    if (request->content_length > stream->exchange.body_max) {
        refuse(stream, 413, "the body is larger than this server accepts");
        return;
    }
    deliver(stream);
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *user UNUSED)
{
    if (frame->hd.type != NGHTTP2_HEADERS && frame->hd.type != NGHTTP2_DATA) return 0;
    Stream *stream = nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id);
    if (!stream) return 0;
    bool ended = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
        begin_request(stream, ended);
    } else if (ended) {
        stream->ended_in = true;
        deliver(stream);
    }
    return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags UNUSED, int32_t id, const uint8_t *bytes,
                   size_t n, void *user)
{
    Http2Session *session = user;
    nghttp2_session_consume_connection(ng, n);
    session->c->moved += n;
    Stream *stream = nghttp2_session_get_stream_user_data(ng, id);
    if (!stream || stream->ended || stream->refused || !stream->headed) {
        nghttp2_session_consume_stream(ng, id, n);
        return 0;
    }
    stream->body_len += n;
    if (stream->body_len > stream->exchange.body_max) {
        nghttp2_session_consume_stream(ng, id, n);
        refuse(stream, 413, "the body is larger than this server accepts");
        return 0;
    }
    Str piece = {(const char *)bytes, n};
    if (stream->in_pieces && !stream->paused && stream->body.len == 0) {
        nghttp2_session_consume_stream(ng, id, n);
        call_body(stream, piece);
        return 0;
    }
    if (!stream->in_pieces) nghttp2_session_consume_stream(ng, id, n);
    if (!bytes_add(&stream->body, piece)) reset(stream, NGHTTP2_INTERNAL_ERROR);
    return 0;
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *user UNUSED)
{
    bool ends = (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
                frame->hd.flags & NGHTTP2_FLAG_END_STREAM;
    Stream *stream = ends ? nghttp2_session_get_stream_user_data(ng, frame->hd.stream_id) : NULL;
    /* The answer is sent; nobody wants the rest of the body. */
    if (stream && !stream->ended_in) reset(stream, NGHTTP2_NO_ERROR);
    return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t id, uint32_t code, void *user)
{
    Http2Session *session = user;
    Stream *stream = nghttp2_session_get_stream_user_data(ng, id);
    if (!stream) return 0;
    if (code != NGHTTP2_NO_ERROR && ++session->resets > HTTP2_RESETS_MAX)
        nghttp2_session_terminate_session(ng, NGHTTP2_ENHANCE_YOUR_CALM);
    nghttp2_session_set_stream_user_data(ng, id, NULL);
    end_stream(stream);
    return 0;
}

/* ---- the connection ---- */

static bool is_waiting(const Http2Session *session)
{
    for (const Stream *stream = session->streams; stream; stream = stream->next) {
        bool receives = !stream->ended_in && !stream->paused && !stream->ended;
        bool sends = stream->answering &&
                     (stream->out.len > stream->out_sent || stream->file_left || stream->ended);
        if (receives || sends) return true;
    }
    return false;
}

/* Lets one handler go on: with a body that it paused, or with an answer whose pieces are gone into
 * frames.  False when there is none. */
static bool give_turn(Http2Session *session)
{
    for (Stream *stream = session->streams; stream; stream = stream->next) {
        if (stream->undelivered) {
            deliver(stream);
            return true;
        }
        if (!stream->wants_room || stream->ended || stream->out.len > stream->out_sent) continue;
        stream->wants_room = false;
        const HttpHandler *handler = stream->exchange.handler;
        if (!stream->known || !handler->room) continue;
        handler->room(handler->arg, &stream->exchange);
        return true;
    }
    return false;
}

/* Makes frames and sends them, as long as the socket takes them. */
static bool send_frames(Http2Session *session)
{
    Connection *c = session->c;
    for (;;) {
        while (connection_queued(c) < OUTPUT_MAX) {
            const uint8_t *bytes;
            ssize_t n = nghttp2_session_mem_send(session->ng, &bytes);
            if (n < 0) return false;
            if (n == 0) break;
            if (!bytes_add(&c->out, (Str){(const char *)bytes, (size_t)n})) return false;
        }
        bool had = connection_queued(c) > 0;
        if (had && !connection_flush(c)) return c->stage != STAGE_CLOSED;
        if (!had && !give_turn(session)) return true;
    }
}

static void set_waits(Http2Session *session)
{
    Connection *c = session->c;
    const HttpOptions *options = &c->server->options;
    double now = loop_now(c->server->loop);
    bool waiting = c->blocked || is_waiting(session);
    if (waiting && !session->waiting) {
        c->since = now;
        c->moved = 0;
    }
    session->waiting = waiting;
    connection_wait(c, c->blocked ? EPOLLIN | EPOLLOUT : EPOLLIN);
    double at = INFINITY;
    if (waiting)
        at = c->since + options->slow_seconds + (double)c->moved / options->slow_bytes;
    else if (session->n_streams == 0)
        at = now + options->idle_seconds;
    connection_deadline(c, at);
}

static void pump(Http2Session *session)
{
    Connection *c = session->c;
    session->busy = true;
    bool alive = !session->failed && send_frames(session);
    if (!leave(session)) return;
    bool over = !nghttp2_session_want_read(session->ng) && !nghttp2_session_want_write(session->ng);
    bool stops = c->server->stopping && session->n_streams == 0;
    if (!alive || ((over || stops) && connection_queued(c) == 0)) {
        connection_close(c);
        return;
    }
    set_waits(session);
}

static void read_frames(Connection *c, Str bytes)
{
    Http2Session *session = c->h2;
    free_dead(session);
    session->busy = true;
    ssize_t n = nghttp2_session_mem_recv(session->ng, (const uint8_t *)bytes.ptr, bytes.len);
    if (!leave(session)) return;
    /* What is malformed nghttp2 answers itself, by a GOAWAY that must still be sent. */
    if (n < 0) session->failed = true;
}

static bool start_session(Connection *c)
{
    Http2Session *session = calloc(1, sizeof *session);
    nghttp2_session_callbacks *callbacks = NULL;
    nghttp2_option *option = NULL;
    bool made = session && nghttp2_session_callbacks_new(&callbacks) == 0 &&
                nghttp2_option_new(&option) == 0;
    if (made) {
        session->c = c;
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame_recv);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
        nghttp2_session_callbacks_set_on_frame_send_callback(callbacks, on_frame_send);
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_stream_close);
        nghttp2_option_set_no_auto_window_update(option, 1);
        nghttp2_option_set_no_closed_streams(option, 1);
        made = nghttp2_session_server_new2(&session->ng, callbacks, session, option) == 0;
    }
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    if (!made) {
        free(session);
        return false;
    }
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, HTTP2_STREAMS_MAX},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, HTTP2_WINDOW},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, c->server->options.limits.head_max},
    };
    nghttp2_submit_settings(session->ng, NGHTTP2_FLAG_NONE, settings, COUNT(settings));
    nghttp2_session_set_local_window_size(session->ng, NGHTTP2_FLAG_NONE, 0,
                                          HTTP2_CONNECTION_WINDOW);
    c->h2 = session;
    return true;
}

static void output(Connection *c)
{
    if (c->h2 && !c->h2->busy) pump(c->h2);
}

static void stop(Connection *c)
{
    nghttp2_submit_goaway(c->h2->ng, NGHTTP2_FLAG_NONE,
                          nghttp2_session_get_last_proc_stream_id(c->h2->ng), NGHTTP2_NO_ERROR,
                          NULL, 0);
    output(c);
}

static void end_session(Connection *c)
{
    Http2Session *session = c->h2;
    c->h2 = NULL;
    session->closed = true;
    for (Stream *stream = session->streams; stream; stream = stream->next) lose(stream);
    if (!session->busy) destroy(session);
}

const struct Http2 http2 = {
    .start = start_session,
    .input = read_frames,
    .output = output,
    .stop = stop,
    .end = end_session,
};
