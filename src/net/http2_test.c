/* HTTP/2 against a client made of libnghttp2, on a plain socket with prior knowledge. */

#include "net/http2.h"

#include "net/http_worker.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <nghttp2/nghttp2.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the server: the same handlers as for HTTP/1.1 ---- */

typedef struct Fixture {
    Loop *loop;
    HttpServer *server;
    HttpWorkers *workers;
    pthread_t thread;
    const char *path;
    atomic_int lost, cancelled;
} Fixture;

static Fixture fixture;
static char big[3 << 20];

static void work(void *arg UNUSED, HttpCall *call)
{
    Str path = http_path(call->request), piece;
    Error err;
    if (str_is(path, "/count")) {
        size_t total = 0;
        do {
            if (!http_call_next(call, &piece, &err)) {
                atomic_fetch_add(&fixture.cancelled, 1);
                return;
            }
            total += piece.len;
            usleep(100);
        } while (piece.len);
        http_call_answer(call, 200, (Str){0}, arena_format(call->arena, "%zu", total));
    } else if (str_is(path, "/stream")) {
        http_call_begin(call, 200, STR("text/plain"), -1);
        for (size_t at = 0; at < sizeof big; at += 1 << 16)
            if (!http_call_write(call, (Str){big + at, 1 << 16}, &err)) return;
        http_call_end(call);
    } else if (str_is(path, "/unended")) {
        http_call_begin(call, 200, (Str){0}, -1);
        http_call_write(call, STR("part"), &err);
    } else {
        http_call_field(
            call, STR("X-Query"),
            http_text(call->request, call->request->query_at, call->request->query_len));
        http_call_answer(call, 200, STR("text/plain"), call->body);
    }
}

static void head(void *arg UNUSED, HttpExchange *exchange)
{
    Str path = http_path(exchange->request);
    if (str_is(path, "/small")) exchange->body_max = 10;
    if (str_is(path, "/denied")) http_answer(exchange, 403, (Str){0}, STR("no"));
    if (str_is(path, "/count") || str_is(path, "/stream") || str_is(path, "/echo") ||
        str_is(path, "/unended"))
        http_workers_submit(fixture.workers, exchange, 1000, work, NULL);
}

static void request(void *arg UNUSED, HttpExchange *exchange)
{
    const HttpRequest *r = exchange->request;
    Str path = http_path(r);
    if (str_is(path, "/big")) {
        http_answer(exchange, 200, (Str){0}, (Str){big, sizeof big});
    } else if (str_is(path, "/file")) {
        http_answer_file(exchange, 206, (Str){0}, open(test_path("Makefile"), O_RDONLY | O_CLOEXEC),
                         2, 40);
    } else if (str_is(path, "/abort")) {
        http_abort(exchange);
    } else if (str_is(path, "/fields")) {
        char text[1000];
        int n = 0;
        for (int i = 0; i < r->n_fields; i++)
            n += snprintf(text + n, sizeof text - (size_t)n, "%.*s=%.*s|",
                          STR_ARG(http_text(r, r->fields[i].name, r->fields[i].name_len)),
                          STR_ARG(http_field_value(r, i)));
        http_answer_field(exchange, STR("Connection"), STR("close"));
        http_answer(exchange, 200, (Str){0}, (Str){text, (size_t)n});
    } else if (!str_is(path, "/never")) {
        http_answer(exchange, 200, (Str){0}, exchange->body);
    }
}

static void lost(void *arg UNUSED, HttpExchange *exchange UNUSED)
{
    atomic_fetch_add(&fixture.lost, 1);
}

static void *run_loop(void *arg UNUSED)
{
    if (!loop_run(fixture.loop, NULL)) abort();
    return NULL;
}

static void start(void)
{
    static const HttpHandler handler = {.head = head, .request = request, .lost = lost};
    static Arena arena;
    Error err = {0};
    for (size_t i = 0; i < sizeof big; i++) big[i] = (char)(i * 7 + i / 999);
    fixture.path = path_join(&arena, test_folder(), "socket");
    CHECK_OK(loop_new(&fixture.loop, &err), err);
    HttpOptions options = http_options;
    options.http2 = &http2;
    options.limits.body_max = 100 << 20;
    options.slow_seconds = 0.3;
    fixture.server = http_server_new(fixture.loop, &handler, &options);
    fixture.workers = http_workers_new(fixture.loop, 2, 100);
    int fd;
    CHECK_OK(http_listen_unix(fixture.path, &fd, &err), err);
    CHECK_OK(http_server_listen(fixture.server, fd, false, &err), err);
    CHECK(pthread_create(&fixture.thread, NULL, run_loop, NULL) == 0);
}

static void finish(void)
{
    loop_stop(fixture.loop);
    pthread_join(fixture.thread, NULL);
    http_server_free(fixture.server);
    http_workers_free(fixture.workers);
    loop_free(fixture.loop);
}

/* ---- the client ---- */

typedef struct Asked {
    int32_t id;
    int status, informational;
    bool closed, connection_field;
    uint32_t code;
    StrBuf body;
    char query[64];
    Str upload;
    size_t sent;
} Asked;

typedef struct Client {
    int fd;
    nghttp2_session *ng;
    Asked asked[300];
    int n_asked;
    bool goaway, ended;
    uint32_t goaway_code;
    bool no_reading; /* windows are not opened */
} Client;

static Asked *asked_of(Client *client, int32_t id)
{
    for (int i = 0; i < client->n_asked; i++)
        if (client->asked[i].id == id) return &client->asked[i];
    return NULL;
}

static int got_header(nghttp2_session *ng UNUSED, const nghttp2_frame *frame, const uint8_t *name,
                      size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags UNUSED,
                      void *user)
{
    Asked *asked = asked_of(user, frame->hd.stream_id);
    Str n = {(const char *)name, name_len};
    if (str_is(n, ":status")) {
        int64_t status;
        CHECK(str_to_int64((Str){(const char *)value, value_len}, &status));
        if (status < 200)
            asked->informational = (int)status;
        else
            asked->status = (int)status;
    }
    if (str_is(n, "connection")) asked->connection_field = true;
    if (str_is(n, "x-query"))
        snprintf(asked->query, sizeof asked->query, "%.*s", (int)value_len, (const char *)value);
    return 0;
}

static int got_data(nghttp2_session *ng UNUSED, uint8_t flags UNUSED, int32_t id,
                    const uint8_t *bytes, size_t n, void *user)
{
    strbuf_add(&asked_of(user, id)->body, (Str){(const char *)bytes, n});
    return 0;
}

static int got_frame(nghttp2_session *ng UNUSED, const nghttp2_frame *frame, void *user)
{
    Client *client = user;
    if (frame->hd.type != NGHTTP2_GOAWAY) return 0;
    client->goaway = true;
    client->goaway_code = frame->goaway.error_code;
    return 0;
}

static int got_close(nghttp2_session *ng UNUSED, int32_t id, uint32_t code, void *user)
{
    Asked *asked = asked_of(user, id);
    if (asked) {
        asked->closed = true;
        asked->code = code;
    }
    return 0;
}

static void open_client(Client *client, bool no_reading)
{
    memset(client, 0, sizeof *client);
    client->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, fixture.path, strlen(fixture.path) + 1);
    CHECK(connect(client->fd, (struct sockaddr *)&address, sizeof address) == 0);
    struct timeval limit = {.tv_sec = 10};
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    nghttp2_session_callbacks *callbacks;
    nghttp2_option *option;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_option_new(&option);
    nghttp2_option_set_no_http_messaging(option, 1); /* the server must see to it */
    nghttp2_option_set_no_auto_window_update(option, no_reading);
    nghttp2_option_set_max_send_header_block_length(option, 1 << 20);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, got_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, got_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, got_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, got_close);
    CHECK(nghttp2_session_client_new2(&client->ng, callbacks, client, option) == 0);
    nghttp2_session_callbacks_del(callbacks);
    nghttp2_option_del(option);
    nghttp2_submit_settings(client->ng, 0, NULL, 0);
}

static void close_client(Client *client)
{
    for (int i = 0; i < client->n_asked; i++) strbuf_clear(&client->asked[i].body);
    nghttp2_session_del(client->ng);
    close(client->fd);
}

static ssize_t give_upload(nghttp2_session *ng UNUSED, int32_t id UNUSED, uint8_t *buffer,
                           size_t size, uint32_t *flags, nghttp2_data_source *source,
                           void *user UNUSED)
{
    Asked *asked = source->ptr;
    size_t n = MIN(size, asked->upload.len - asked->sent);
    memcpy(buffer, asked->upload.ptr + asked->sent, n);
    asked->sent += n;
    if (asked->sent == asked->upload.len) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)n;
}

/* fields: "name: value\n..." behind or instead of the usual ones. */
static Asked *ask(Client *client, const char *method, const char *path, const char *fields,
                  Str body)
{
    Asked *asked = &client->asked[client->n_asked++];
    CHECK(client->n_asked <= (int)COUNT(client->asked));
    asked->body = (StrBuf)STRBUF(64 << 20);
    asked->upload = body;
    nghttp2_nv nv[150];
    size_t n = 0;
    const char *usual[] = {":method", method, ":scheme", "http", ":path", path, ":authority", "a"};
    for (size_t i = 0; i < COUNT(usual); i += 2)
        if (usual[i + 1])
            nv[n++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)usual[i],
                                   .value = (uint8_t *)(uintptr_t)usual[i + 1],
                                   .namelen = strlen(usual[i]),
                                   .valuelen = strlen(usual[i + 1])};
    Str rest = str_of(fields ? fields : ""), line;
    while (rest.len && str_next(&rest, '\n', &line) && n < COUNT(nv)) {
        size_t colon = 1 + str_find(str_from(line, 1), ':');
        nv[n++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)line.ptr,
                               .namelen = colon,
                               .value = (uint8_t *)(uintptr_t)line.ptr + colon + 2,
                               .valuelen = line.len - colon - 2};
    }
    nghttp2_data_provider provider = {.source.ptr = asked, .read_callback = give_upload};
    asked->id = nghttp2_submit_request(client->ng, NULL, nv, n, body.ptr ? &provider : NULL, NULL);
    CHECK(asked->id > 0);
    return asked;
}

static void send_frames(Client *client)
{
    const uint8_t *bytes;
    ssize_t n;
    while ((n = nghttp2_session_mem_send(client->ng, &bytes)) > 0) {
        for (ssize_t at = 0; at < n;) {
            ssize_t sent = send(client->fd, bytes + at, (size_t)(n - at), MSG_NOSIGNAL);
            if (sent < 0) return;
            at += sent;
        }
    }
}

/* Until the streams so far are closed, or the connection. */
static void run(Client *client)
{
    static uint8_t buffer[65536];
    while (!client->ended) {
        send_frames(client);
        bool open = false;
        for (int i = 0; i < client->n_asked; i++) open |= !client->asked[i].closed;
        if (!open) return;
        ssize_t n = recv(client->fd, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EAGAIN) FAIL("no answer");
        if (n <= 0)
            client->ended = true;
        else if (nghttp2_session_mem_recv(client->ng, buffer, (size_t)n) < 0)
            FAIL("the server's frames are malformed");
    }
}

#define NOTHING ((Str){0})

TEST(http2, requests_side_by_side)
{
    start();
    Client client;
    open_client(&client, false);
    Asked *plain = ask(&client, "POST", "/", NULL, STR("hello"));
    Asked *echo = ask(&client, "PUT", "/echo?a=%20b", "content-length: 5\n", STR("hello"));
    Asked *large = ask(&client, "GET", "/big", NULL, NOTHING);
    Asked *stream = ask(&client, "GET", "/stream", NULL, NOTHING);
    Asked *count = ask(&client, "PUT", "/count", NULL, (Str){big, sizeof big});
    Asked *file = ask(&client, "GET", "/file", NULL, NOTHING);
    Asked *without = ask(&client, "HEAD", "/big", NULL, NOTHING);
    Asked *denied = ask(&client, "PUT", "/denied", NULL, (Str){big, sizeof big});
    Asked *aborted = ask(&client, "GET", "/abort", NULL, NOTHING);
    Asked *unended = ask(&client, "GET", "/unended", NULL, NOTHING);
    Asked *fields = ask(&client, "GET", "/fields", "x: y\ncookie: a=b\nte: trailers\ncookie: c=d\n",
                        NOTHING);
    run(&client);
    CHECK_STR(strbuf_str(&plain->body), STR("hello"));
    CHECK_INT(echo->status, 200);
    CHECK_STR(strbuf_str(&echo->body), STR("hello"));
    CHECK_STR(str_of(echo->query), STR("a=%20b"));
    CHECK_STR(strbuf_str(&large->body), ((Str){big, sizeof big}));
    CHECK_STR(strbuf_str(&stream->body), ((Str){big, sizeof big}));
    CHECK_STR(strbuf_str(&count->body), STR("3145728"));
    CHECK(file->status == 206 && file->body.len == 40);
    CHECK(without->status == 200 && without->body.len == 0);
    CHECK(denied->status == 403 && denied->sent < sizeof big);
    CHECK_STR(strbuf_str(&denied->body), STR("no"));
    CHECK(aborted->status == 0 && aborted->code == NGHTTP2_INTERNAL_ERROR);
    CHECK(unended->code == NGHTTP2_INTERNAL_ERROR);
    CHECK_STR(strbuf_str(&fields->body), STR("host=a|x=y|cookie=a=b; c=d|"));
    CHECK(!fields->connection_field);
    close_client(&client);
    finish();
}

TEST(http2, bodies_and_their_limits)
{
    start();
    Client client;
    open_client(&client, false);
    Asked *fits = ask(&client, "PUT", "/small", NULL, STR("0123456789"));
    Asked *over = ask(&client, "PUT", "/small", NULL, STR("0123456789x"));
    Asked *told = ask(&client, "PUT", "/small", "content-length: 11\n", STR("0123456789x"));
    Asked *expects = ask(&client, "PUT", "/small", "expect: 100-continue\n", STR("0123"));
    Asked *expects_worker = ask(&client, "PUT", "/count", "expect: 100-continue\n",
                                (Str){big, 2000});
    Asked *wrong = ask(&client, "PUT", "/small", "content-length: 3\n", STR("0123"));
    run(&client);
    CHECK_INT(fits->status, 200);
    CHECK_INT(over->status, 413);
    CHECK_INT(told->status, 413);
    CHECK(expects->status == 200 && expects->informational == 100);
    CHECK(expects_worker->status == 200); /* its body is here before it is asked for */
    CHECK_STR(strbuf_str(&expects_worker->body), STR("2000"));
    CHECK(wrong->status == 0 && wrong->code == NGHTTP2_PROTOCOL_ERROR);
    close_client(&client);
    finish();
}

TEST(http2, malformed_requests)
{
    static const struct {
        const char *method, *path, *fields;
        int status; /* 0: the stream is reset */
    } cases[] = {
        {"GET", "/a b", NULL, 400},
        {"GET", "/a#b", NULL, 400},
        {"GET", "/%zz", NULL, 400},
        {"GET", "a", NULL, 0},
        {"GET", "*", NULL, 0},
        {"GET", "/ HTTP/1.1", NULL, 400},
        {"GET", NULL, NULL, 0},
        {NULL, "/", NULL, 0},
        {"GET", "/", "transfer-encoding: chunked\n", 0},
        {"GET", "/", "connection: close\n", 0},
        {"GET", "/", "upgrade: websocket\n", 0},
        {"GET", "/", "a b: c\n", 0},
        {"GET", "/", ":path: /b\n", 0},
        {"GET", "/", "x: y\n:x: y\n", 0},
        {"GET", "/", "host: b\n", 400},
        {"GET", "/", "host: a\n", 200},
        {"GET", "/", "content-length: 1\ncontent-length: 2\n", 0},
        {"GET", "/", "content-length: x\n", 0},
        {"GET", "/", "te: gzip\n", 0},
        {"GET", "/", "expect: nothing\n", 417},
        {"GET", "/", "content-type: a\ncontent-type: b\n", 400},
        {"GET", "/",
         "x: a\x01"
         "b\n",
         0},
        {"GET", "/", "x: a\rb\n", 0},
    };
    start();
    for (size_t i = 0; i < COUNT(cases); i++) {
        Client client;
        open_client(&client, false);
        Asked *asked = ask(&client, cases[i].method, cases[i].path, cases[i].fields, NOTHING);
        run(&client);
        /* Some of it nghttp2 refuses in its own way, by resetting the stream. */
        bool reset = asked->status == 0 && asked->code == NGHTTP2_PROTOCOL_ERROR;
        if (asked->status != cases[i].status && !(cases[i].status == 400 && reset))
            FAIL("case %zu: %d, not %d", i, asked->status, cases[i].status);
        close_client(&client);
    }
    Client client;
    open_client(&client, false);
    AUTO_STRBUF StrBuf fields = STRBUF(1 << 20);
    for (int i = 0; i < 128; i++) strbuf_addf(&fields, "x%d: y\n", i); /* one beyond, with Host */
    Asked *many = ask(&client, "GET", "/", strbuf_cstr(&fields), NOTHING);
    fields.len = 0;
    for (int i = 0; i < 8; i++) strbuf_addf(&fields, "x%d: %09000d\n", i, i);
    Asked *large = ask(&client, "GET", "/", strbuf_cstr(&fields), NOTHING);
    fields.len = 0;
    strbuf_addf(&fields, "/%017000d", 1);
    Asked *path = ask(&client, "GET", strbuf_cstr(&fields), NULL, NOTHING);
    run(&client);
    CHECK_INT(many->status, 431);
    CHECK(large->status == 431 || large->code == NGHTTP2_PROTOCOL_ERROR || client.goaway);
    CHECK(path->status == 414 || client.goaway);
    close_client(&client);
    finish();
}

static void wait_until(atomic_int *count, int want)
{
    for (int i = 0; i < 5000 && atomic_load(count) < want; i++) usleep(1000);
    CHECK_INT(atomic_load(count), want);
}

TEST(http2, clients_that_leave_or_misbehave)
{
    start();
    Client client;
    open_client(&client, false); /* the connection ends: handlers are told */
    ask(&client, "GET", "/never", NULL, NOTHING);
    ask(&client, "GET", "/never", NULL, NOTHING);
    ask(&client, "PUT", "/count", "content-length: 3000000\n", (Str){big, sizeof big});
    send_frames(&client);
    usleep(50000);
    close_client(&client);
    wait_until(&fixture.lost, 2);
    wait_until(&fixture.cancelled, 1);
    open_client(&client, false); /* a stream is reset */
    Asked *asked = ask(&client, "GET", "/never", NULL, NOTHING);
    send_frames(&client);
    usleep(20000);
    nghttp2_submit_rst_stream(client.ng, 0, asked->id, NGHTTP2_CANCEL);
    send_frames(&client);
    wait_until(&fixture.lost, 3);
    close_client(&client);
    open_client(&client, false); /* many are */
    for (int i = 0; i < 150; i++) {
        asked = ask(&client, "GET", "/never", NULL, NOTHING);
        send_frames(&client);
        nghttp2_submit_rst_stream(client.ng, 0, asked->id, NGHTTP2_CANCEL);
        send_frames(&client);
        asked->closed = true;
    }
    client.asked[0].closed = false; /* waits for the end of the connection */
    client.asked[0].id = 0;
    run(&client);
    CHECK(client.ended);
    CHECK(client.goaway && client.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM);
    close_client(&client);
    open_client(&client, true); /* takes no more of an answer: cut off after slow_seconds */
    ask(&client, "GET", "/big", NULL, NOTHING);
    double before = clock_seconds();
    run(&client);
    CHECK(client.ended && clock_seconds() - before < 5);
    close_client(&client);
    finish();
}

TEST(http2, what_only_looks_like_it)
{
    start();
    static const struct {
        const char *text, *answer;
    } cases[] = {
        {"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", "HTTP/1.1 400 "},
        {"PRI * HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 400 "},
        {"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
         "HTTP/1.1 200 "},
        /* not as the second request */
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 200 "},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nnonsense, and more of it", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int bytewise = 0; bytewise < 2; bytewise++) {
            Client client;
            open_client(&client, false);
            Str text = str_of(cases[i].text);
            for (size_t at = 0; at < text.len; at += bytewise ? 1 : text.len) {
                send(client.fd, text.ptr + at, bytewise ? 1 : text.len, MSG_NOSIGNAL);
                if (bytewise) usleep(500);
            }
            AUTO_STRBUF StrBuf answer = STRBUF(1 << 20);
            char part[1000];
            ssize_t n;
            while ((n = recv(client.fd, part, sizeof part, 0)) > 0)
                strbuf_add(&answer, (Str){part, (size_t)n});
            if (!str_starts(strbuf_str(&answer), str_of(cases[i].answer)))
                FAIL("case %zu: %s", i, strbuf_cstr(&answer));
            if (i == 3) CHECK(str_has(strbuf_str(&answer), STR("HTTP/1.1 400 ")));
            close_client(&client);
        }
    finish();
}
