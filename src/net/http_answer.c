/* Answers: heads, bodies whole and in chunks, files, and sending them. */

#include "net/http_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Bodies from this size on are not copied but sent from where they lie. */
enum {
    DIRECT_MIN = 16 * 1024,
    FLUSH_MIN = 256 * 1024,
    COMPACT_MIN = 64 * 1024,
    HEAD_FIXED = 256,
    FIELDS_MAX = 32 * 1024
};

bool bytes_reserve(Bytes *bytes, size_t n)
{
    if (n <= bytes->capacity - bytes->len) return true;
    size_t capacity = MAX(bytes->len + n, bytes->capacity * 2);
    char *grown = realloc(bytes->ptr, capacity + HTTP_SLACK);
    if (!grown) return false;
    bytes->ptr = grown;
    bytes->capacity = capacity;
    return true;
}

bool bytes_add(Bytes *bytes, Str s)
{
    if (!bytes_reserve(bytes, s.len)) return false;
    if (s.len) memcpy(bytes->ptr + bytes->len, s.ptr, s.len);
    bytes->len += s.len;
    return true;
}

void bytes_clear(Bytes *bytes)
{
    free(bytes->ptr);
    *bytes = (Bytes){0};
}

static Connection *connection_of(const HttpExchange *exchange)
{
    return LOOP_OWNER(exchange, Connection, exchange);
}

/* ---- sending ---- */

/* The shared buffer while the connection is the one at hand and nothing of its own waits. */
static Bytes *output(Connection *c)
{
    return c->server->current == c && c->out.len == 0 ? &c->server->out : &c->out;
}

size_t connection_queued(const Connection *c)
{
    size_t shared = c->server->current == c ? c->server->out.len : 0;
    return shared + c->out.len - c->out_sent + (size_t)c->file_left;
}

static void add(Connection *c, Str s)
{
    if (c->stage != STAGE_CLOSED && !bytes_add(output(c), s)) connection_close(c);
}

static bool is_wait(int code)
{
    return code == EAGAIN || code == EWOULDBLOCK || code == EINTR;
}

/* TLS: a record after the other, as many as the socket takes. */
static ssize_t send_parts(Connection *c, const struct iovec parts[2])
{
    size_t sent = 0;
    for (int i = 0; i < 2; i++)
        for (size_t at = 0; at < parts[i].iov_len;) {
            ssize_t n = connection_send(c, (const char *)parts[i].iov_base + at,
                                        parts[i].iov_len - at);
            if (n <= 0) return sent ? (ssize_t)sent : n < 0 ? -1 : 0;
            at += (size_t)n;
            sent += (size_t)n;
        }
    return (ssize_t)sent;
}

/* Sends `out`, then `direct`; keeps what is left of both in c->out. */
static void send_now(Connection *c, Str direct)
{
    Bytes *out = output(c);
    size_t at = out == &c->out ? c->out_sent : 0, sent = 0;
    struct iovec parts[2] = {{out->ptr + at, out->len - at},
                             {(char *)(uintptr_t)direct.ptr, direct.len}};
    ssize_t n;
    if (c->tls) {
        n = send_parts(c, parts);
    } else if (direct.len) {
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
    } else {
        n = send(c->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL);
    }
    if (n < 0 && !is_wait(errno)) {
        connection_close(c);
        return;
    }
    if (n > 0) sent = (size_t)n;
    c->moved += sent;

    size_t of_out = MIN(sent, out->len - at), of_direct = sent - of_out;
    if (out == &c->out) {
        c->out_sent += of_out;
        if (c->out_sent == c->out.len) {
            if (direct.len == of_direct) bytes_clear(&c->out);
            c->out.len = c->out_sent = 0;
        } else if (c->out_sent > c->out.len / 2 && c->out_sent >= COMPACT_MIN) {
            memmove(c->out.ptr, c->out.ptr + c->out_sent, c->out.len - c->out_sent);
            c->out.len -= c->out_sent;
            c->out_sent = 0;
        }
    } else {
        Str rest = {out->ptr + of_out, out->len - of_out};
        out->len = 0;
        if (rest.len && !bytes_add(&c->out, rest)) connection_close(c);
    }
    if (c->stage != STAGE_CLOSED && of_direct < direct.len &&
        !bytes_add(&c->out, str_from(direct, of_direct)))
        connection_close(c);
}

/* A piece of the file through TLS.  What is not taken is read again: the file does not change. */
static ssize_t send_file_piece(Connection *c)
{
    char piece[TLS_RECORD] UNINITIALIZED;
    ssize_t n = pread(c->file, piece, (size_t)MIN(c->file_left, (int64_t)sizeof piece), c->file_at);
    return n > 0 ? connection_send(c, piece, (size_t)n) : n;
}

static void send_file(Connection *c)
{
    while (c->file_left) {
        off_t at = c->file_at;
        ssize_t n = c->tls ? send_file_piece(c)
                           : sendfile(c->fd, c->file, &at,
                                      (size_t)MIN(c->file_left, (int64_t)1 << 24));
        if (n < 0 && is_wait(errno)) return;
        if (n <= 0) { /* 0: the file is shorter than was promised */
            connection_close(c);
            return;
        }
        c->file_at += n;
        c->file_left -= n;
        c->moved += (uint64_t)n;
    }
    close(c->file);
    c->file = -1;
}

bool connection_flush(Connection *c)
{
    if (c->stage == STAGE_CLOSED) return false;
    if (connection_queued(c) > (size_t)c->file_left) send_now(c, (Str){0});
    if (c->stage != STAGE_CLOSED && c->file >= 0 && c->out.len == 0) send_file(c);
    if (c->stage == STAGE_CLOSED) return false;
    bool waits = connection_queued(c) > 0;
    if (waits && !c->blocked) {
        c->since = loop_now(c->server->loop);
        c->moved = 0;
    }
    c->blocked = waits;
    return !waits;
}

/* ---- heads ---- */

static char *put(char *to, Str s)
{
    memcpy(to, s.ptr, s.len);
    return to + s.len;
}

static char *put_number(char *to, uint64_t x)
{
    char digits[20];
    int n = 0;
    do digits[n++] = (char)('0' + x % 10);
    while (x /= 10);
    while (n) *to++ = digits[--n];
    return to;
}

/* "Date: Tue, 15 Nov 1994 08:12:31 GMT\r\n", made once a second. */
static Str date_field(HttpServer *server)
{
    int64_t second = (int64_t)loop_now(server->loop);
    if (second != server->date_second) {
        static const char days[] = "SunMonTueWedThuFriSat",
                          months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
        time_t now = time(NULL);
        struct tm t;
        gmtime_r(&now, &t);
        char *to = put(server->date, STR("Date: "));
        to = put(to, (Str){days + 3 * t.tm_wday, 3});
        *to++ = ',';
        const int parts[] = {t.tm_mday, -1, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec};
        for (size_t i = 0; i < COUNT(parts); i++) {
            *to++ = i < 4 ? ' ' : ':';
            if (parts[i] < 0)
                to = put(to, (Str){months + 3 * t.tm_mon, 3});
            else {
                if (parts[i] < 10) *to++ = '0';
                to = put_number(to, (uint64_t)parts[i]);
            }
        }
        to = put(to, STR(" GMT\r\n"));
        server->date_len = (size_t)(to - server->date);
        server->date_second = second;
    }
    return (Str){server->date, server->date_len};
}

bool http_is_field_text(Str s)
{
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.ptr[i] < ' ' || s.ptr[i] == 0x7f) return false;
    return true;
}

Str http_server_date(HttpServer *server)
{
    Str field = date_field(server);
    return str_slice(field, 6, field.len - 2);
}

void http_answer_field(HttpExchange *exchange, Str name, Str value)
{
    if (exchange->methods) {
        exchange->methods->field(exchange, name, value);
        return;
    }
    Connection *c = connection_of(exchange);
    bool sound = http_is_token(name) && http_is_field_text(value);
    assert(sound);
    if (!sound || c->fields.len + name.len + value.len > FIELDS_MAX) return;
    if (!bytes_reserve(&c->fields, name.len + value.len + 4)) return;
    char *to = put(c->fields.ptr + c->fields.len, name);
    to = put(to, STR(": "));
    if (value.len) to = put(to, value);
    to = put(to, STR("\r\n"));
    c->fields.len = (size_t)(to - c->fields.ptr);
}

static bool has_no_body(int status)
{
    return status < 200 || status == 204 || status == 304;
}

static void add_head(Connection *c, int status, Str content_type, int64_t length)
{
    HttpServer *server = c->server;
    const HttpRequest *request = connection_request(c);
    /* Before the whole body is here nobody knows where the next request begins. */
    if (c->stage == STAGE_BODY || !request->keep_alive || server->stopping) c->last = true;
    if (c->stage == STAGE_BODY) c->drop_input = true;

    Bytes *out = output(c);
    const char *text = http_status_text(status);
    if (!http_is_field_text(content_type)) content_type = (Str){0};
    if (!bytes_reserve(out, HEAD_FIXED + content_type.len + c->fields.len)) {
        connection_close(c);
        return;
    }
    char *to = put(out->ptr + out->len, STR("HTTP/1.1 "));
    to = put_number(to, (uint64_t)status);
    *to++ = ' ';
    to = put(to, str_of(text));
    to = put(to, STR("\r\n"));
    if (content_type.len) {
        to = put(to, STR("Content-Type: "));
        to = put(to, content_type);
        to = put(to, STR("\r\n"));
    }
    if (has_no_body(status))
        c->framing = FRAMING_LENGTH;
    else if (length >= 0) {
        c->framing = FRAMING_LENGTH;
        to = put(to, STR("Content-Length: "));
        to = put_number(to, (uint64_t)length);
        to = put(to, STR("\r\n"));
    } else if (request->minor == 1) {
        c->framing = FRAMING_CHUNKS;
        to = put(to, STR("Transfer-Encoding: chunked\r\n"));
    } else {
        c->framing = FRAMING_END;
        c->last = true;
    }
    to = put(to, date_field(server));
    if (c->fields.len) {
        to = put(to, (Str){c->fields.ptr, c->fields.len});
        bytes_clear(&c->fields);
    }
    if (c->last)
        to = put(to, STR("Connection: close\r\n"));
    else if (request->minor == 0)
        to = put(to, STR("Connection: keep-alive\r\n"));
    to = put(to, STR("\r\n"));
    out->len = (size_t)(to - out->ptr);
}

/* ---- whole answers ---- */

/* The answer is complete: the next request, or the end. */
static void finish(Connection *c)
{
    if (c->stage == STAGE_CLOSED) return;
    if (c->stage == STAGE_HANDLER) connection_input(c)->at = c->next_at;
    c->stage = c->last ? STAGE_FINISH : STAGE_HEAD;
    c->begun = c->known = c->answering = c->in_pieces = c->paused = false;
    c->exchange.user = NULL;
    if (!c->processing) connection_process(c);
}

static void add_body(Connection *c, Str body)
{
    if (c->stage == STAGE_CLOSED) return;
    if (body.len >= DIRECT_MIN && !c->blocked && c->file < 0)
        send_now(c, body);
    else
        add(c, body);
    if (c->stage != STAGE_CLOSED && connection_queued(c) >= FLUSH_MIN) connection_flush(c);
}

void http_answer(HttpExchange *exchange, int status, Str content_type, Str body)
{
    if (exchange->methods) {
        exchange->methods->answer(exchange, status, content_type, body);
        return;
    }
    Connection *c = connection_of(exchange);
    assert(!c->answering &&
           (c->stage == STAGE_BODY || c->stage == STAGE_HANDLER || c->stage == STAGE_CLOSED));
    if (c->stage == STAGE_CLOSED) return;
    add_head(c, status, content_type, (int64_t)body.len);
    if (connection_request(c)->method != HTTP_HEAD && !has_no_body(status)) add_body(c, body);
    finish(c);
}

void connection_refuse(Connection *c, int status, const char *reason)
{
    HttpServer *server = c->server;
    connection_count(&server->counts.refused, 1);
    if (c->answering) { /* there is no way to take the answer back */
        connection_close(c);
        return;
    }
    connection_lost(c);
    c->last = c->drop_input = true;
    c->stage = STAGE_BODY;
    add_head(c, status, STR("text/plain"), (int64_t)strlen(reason));
    /* A refused head may not say the method; nobody keeps a HEAD that was refused waiting. */
    add(c, str_of(reason));
    finish(c);
}

void connection_established(Connection *c)
{
    add(c, STR("HTTP/1.1 200 Connection established\r\n\r\n"));
}

void connection_continue_100(Connection *c)
{
    add(c, STR("HTTP/1.1 100 Continue\r\n\r\n"));
}

/* ---- answers in pieces ---- */

void http_answer_begin(HttpExchange *exchange, int status, Str content_type, int64_t length)
{
    if (exchange->methods) {
        exchange->methods->begin(exchange, status, content_type, length);
        return;
    }
    Connection *c = connection_of(exchange);
    assert(!c->answering &&
           (c->stage == STAGE_BODY || c->stage == STAGE_HANDLER || c->stage == STAGE_CLOSED));
    if (c->stage == STAGE_CLOSED) return;
    c->answering = true;
    add_head(c, status, content_type, length);
}

void http_answer_write(HttpExchange *exchange, Str piece)
{
    if (exchange->methods) {
        exchange->methods->write(exchange, piece);
        return;
    }
    Connection *c = connection_of(exchange);
    if (c->stage == STAGE_CLOSED || piece.len == 0 || connection_request(c)->method == HTTP_HEAD)
        return;
    if (c->framing == FRAMING_CHUNKS) {
        char size[20];
        int n = 0;
        for (int shift = 60; shift >= 0; shift -= 4) {
            int digit = (int)(piece.len >> shift & 15);
            if (digit || n) size[n++] = "0123456789abcdef"[digit];
        }
        size[n++] = '\r';
        size[n++] = '\n';
        add(c, (Str){size, (size_t)n});
    }
    add_body(c, piece);
    if (c->framing == FRAMING_CHUNKS) add(c, STR("\r\n"));
    if (!c->processing && !c->blocked && c->stage != STAGE_CLOSED) connection_flush(c);
    c->wants_room = connection_queued(c) > 0;
    if (!c->processing && c->blocked) connection_set_waits(c);
}

size_t http_answer_queued(const HttpExchange *exchange)
{
    if (exchange->methods) return exchange->methods->queued(exchange);
    return connection_queued(connection_of(exchange));
}

void http_answer_end(HttpExchange *exchange)
{
    if (exchange->methods) {
        exchange->methods->end(exchange);
        return;
    }
    Connection *c = connection_of(exchange);
    if (c->stage == STAGE_CLOSED) return;
    if (c->framing == FRAMING_CHUNKS && connection_request(c)->method != HTTP_HEAD)
        add(c, STR("0\r\n\r\n"));
    finish(c);
}

void http_answer_head(HttpExchange *exchange, int status, Str content_type, int64_t length)
{
    if (exchange->methods) {
        exchange->methods->head(exchange, status, content_type, length);
        return;
    }
    Connection *c = connection_of(exchange);
    assert(!c->answering && connection_request(c)->method == HTTP_HEAD);
    if (c->stage == STAGE_CLOSED) return;
    add_head(c, status, content_type, length);
    finish(c);
}

void http_answer_file(HttpExchange *exchange, int status, Str content_type, int fd, int64_t offset,
                      int64_t length)
{
    if (exchange->methods) {
        exchange->methods->file(exchange, status, content_type, fd, offset, length);
        return;
    }
    Connection *c = connection_of(exchange);
    if (c->stage == STAGE_CLOSED) {
        close(fd);
        return;
    }
    add_head(c, status, content_type, length);
    if (length > 0 && connection_request(c)->method != HTTP_HEAD && c->stage != STAGE_CLOSED) {
        c->file = fd;
        c->file_at = offset;
        c->file_left = length;
    } else {
        close(fd);
    }
    finish(c);
}

void http_abort(HttpExchange *exchange)
{
    if (exchange->methods) {
        exchange->methods->abort(exchange);
        return;
    }
    connection_close(connection_of(exchange));
}
