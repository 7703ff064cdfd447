/* The client on its loop in the test's thread; the upstream is a thread that plays a script. */

#include "net/http_client.h"

#include "net/http_server.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- an upstream that answers with given bytes ---- */

/* How it behaves; under `lock`, since threads of earlier connections may still look at it. */
typedef struct Script {
    Str answer;       /* to every request */
    bool close_after; /* and then the connection is closed */
    size_t piece;     /* of the answer at a time, if not 0 */
    bool mute;        /* never answers */
} Script;

typedef struct Upstream {
    const char *path;
    int fd;
    pthread_t thread;
    atomic_int accepted, requests, closed;
    pthread_mutex_t lock;
    Script script;
    char last[65536]; /* the last request */
    size_t last_len;
} Upstream;

static Upstream upstream = {.lock = PTHREAD_MUTEX_INITIALIZER};

#define SET(member, value)                                                                         \
    do {                                                                                           \
        pthread_mutex_lock(&upstream.lock);                                                        \
        upstream.script.member = (value);                                                          \
        pthread_mutex_unlock(&upstream.lock);                                                      \
    } while (0)

/* Reads a request: head, and a body of Content-Length or chunks.  False at the end. */
static bool hear_request(int fd, Script *ret_script)
{
    char text[sizeof upstream.last];
    size_t len = 0;
    for (;;) {
        ssize_t n = recv(fd, text + len, sizeof text - 1 - len, 0);
        if (n <= 0) return false;
        len += (size_t)n;
        text[len] = '\0';
        char *end = strstr(text, "\r\n\r\n");
        if (!end) continue;
        char *length = strstr(text, "Content-Length: ");
        size_t have = len - (size_t)(end + 4 - text);
        bool whole = strstr(text, "chunked") ? strstr(end, "\r\n0\r\n\r\n") != NULL
                                             : !length || have >= strtoul(length + 16, NULL, 10);
        if (whole) break;
    }
    pthread_mutex_lock(&upstream.lock);
    memcpy(upstream.last, text, len + 1);
    upstream.last_len = len;
    *ret_script = upstream.script;
    pthread_mutex_unlock(&upstream.lock);
    return true;
}

static void *serve(void *arg)
{
    int fd = (int)(intptr_t)arg;
    Script script;
    while (hear_request(fd, &script)) {
        atomic_fetch_add(&upstream.requests, 1);
        if (script.mute) continue;
        Str rest = script.answer;
        while (rest.len) {
            size_t n = script.piece ? MIN(script.piece, rest.len) : rest.len;
            if (send(fd, rest.ptr, n, MSG_NOSIGNAL) < 0) break;
            rest = str_from(rest, n);
            if (rest.len) usleep(1000);
        }
        if (script.close_after) break;
    }
    close(fd);
    atomic_fetch_add(&upstream.closed, 1);
    return NULL;
}

static void *accept_all(void *arg UNUSED)
{
    for (;;) {
        int fd = accept(upstream.fd, NULL, NULL);
        if (fd < 0) return NULL;
        atomic_fetch_add(&upstream.accepted, 1);
        pthread_t thread;
        if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd)) abort();
        pthread_detach(thread);
    }
}

/* ---- the client ---- */

typedef struct Result {
    int status, heads, dones;
    HttpFraming framing;
    StrBuf body;
    Error err;
    bool sent;
    Str note; /* of the field X-Note */
    char text[64];
} Result;

static Loop *loop;
static HttpClient *client;

static void on_head(void *arg, const HttpResponse *response)
{
    Result *result = arg;
    result->heads++;
    result->status = response->status;
    result->framing = response->framing;
    Str note = http_response_field(response, STR("x-note"));
    memcpy(result->text, note.len ? note.ptr : "", MIN(note.len, sizeof result->text));
    result->note = (Str){result->text, note.len};
}

static void on_body(void *arg, Str piece)
{
    Result *result = arg;
    strbuf_add(&result->body, piece);
}

static void on_done(void *arg, const Error *err, bool sent)
{
    Result *result = arg;
    if (err) result->err = *err;
    result->sent = sent;
    result->dones++;
    loop_stop(loop);
}

static const HttpReceiver receiver = {.head = on_head, .body = on_body, .done = on_done};

static const char *socket_path(void)
{
    static Arena arena;
    return path_join(&arena, test_folder(), "socket");
}

static void start(const char *answer, const HttpClientOptions *options)
{
    Error err = {0};
    upstream.path = socket_path();
    SET(answer, str_of(answer));
    CHECK_OK(http_listen_unix(upstream.path, &upstream.fd, &err), err);
    CHECK(fcntl(upstream.fd, F_SETFL, 0) == 0); /* accept waits */
    CHECK(pthread_create(&upstream.thread, NULL, accept_all, NULL) == 0);
    CHECK_OK(loop_new(&loop, &err), err);
    client = http_client_new(loop, upstream.path, options);
    CHECK(client != NULL);
}

static void init_result(Result *result)
{
    memset(result, 0, sizeof *result);
    result->body = (StrBuf)STRBUF(64 << 20);
}

static void run(void)
{
    Error err = {0};
    CHECK_OK(loop_run(loop, &err), err);
}

static void ask(const HttpSend *send, Result *result)
{
    init_result(result);
    http_client_send(client, send, &receiver, result);
    CHECK_INT(result->dones, 0);
    run();
    CHECK_INT(result->dones, 1);
}

static const HttpSend get = {.method = STR_INIT("GET"), .target = STR_INIT("/ping")};

TEST(http_client, keeps_the_connection_and_sends_what_was_asked)
{
    start("HTTP/1.1 200 OK\r\nX-Note: yes\r\nContent-Length: 5\r\n\r\nhello", NULL);
    const HttpNameValue fields[] = {
        {STR("Content-Type"), STR("text/csv")},
        {STR("Connection"), STR("close")}, /* not forwarded */
        {STR("Transfer-Encoding"), STR("chunked")},
        {STR("X-Amzn-SageMaker-Custom-Attributes"), STR("a=b")},
    };
    const HttpSend post = {
        .method = STR("POST"),
        .target = STR("/invocations?x=%20"),
        .fields = fields,
        .n_fields = COUNT(fields),
        .body = STR("1,2,3"),
    };
    for (int i = 0; i < 5; i++) {
        Result result;
        ask(&post, &result);
        CHECK_STR(str_of(result.err.text), STR(""));
        CHECK_INT(result.status, 200);
        CHECK_STR(strbuf_str(&result.body), STR("hello"));
        CHECK_STR(result.note, STR("yes"));
        CHECK(result.sent);
        strbuf_clear(&result.body);
    }
    CHECK_INT(atomic_load(&upstream.accepted), 1);
    CHECK_INT(http_client_counts(client).idle, 1);
    CHECK_INT(http_client_counts(client).in_flight, 0);
    CHECK_STR(
        str_of(upstream.last),
        STR("POST /invocations?x=%20 HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/csv\r\n"
            "X-Amzn-SageMaker-Custom-Attributes: a=b\r\nContent-Length: 5\r\n\r\n1,2,3"));
}

TEST(http_client, every_framing_and_every_way_to_break_it)
{
    static const struct {
        const char *answer, *body, *error; /* error: a part of the text, or NULL */
        bool close, head, kept;
    } cases[] = {
#define OK "HTTP/1.1 200 OK\r\n"
        {OK "Content-Length: 2\r\n\r\nhi", "hi", NULL, .kept = true},
        {OK "Content-Length: 2\r\n\r\nhi", "hi", NULL, .close = true},
        {OK "Content-Length: 2\r\nConnection: close\r\n\r\nhi", "hi", NULL, .close = false},
        {OK "Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1;x=y\r\ni\r\n0\r\nT: u\r\n\r\n", "hi",
         NULL, .kept = true},
        {OK "\r\nhi", "hi", NULL, .close = true},
        {"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi", "hi", NULL, .close = false},
        {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nhi", "hi", NULL,
         .kept = true},
        {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 2\r\n\r\nhi", "hi", NULL,
         .kept = true},
        {"HTTP/1.1 204 No Content\r\n\r\n", "", NULL, .kept = true},
        {"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", "", NULL, .kept = true},
        {"HTTP/1.1 500\r\nContent-Length: 0\r\n\r\n", "", NULL, .kept = true},
        {OK "Content-Length: 2\r\n\r\n", "", NULL, .head = true, .kept = true},
        {OK "Content-Length: 2\r\n\r\nhithere", "hi", NULL,
         .close = false}, /* more than was announced */
        {OK "Content-Length: 3\r\n\r\nhi", "hi", "ended within the answer", .close = true},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n", "hi", "within", .close = true},
        {OK "Transfer-Encoding: chunked\r\n\r\n+2\r\nhi\r\n", "", "hexadecimal", .close = false},
        {OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhiX\r\n", "hi", "CRLF must follow",
         .close = false},
        {OK "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n", "", "both", .close = false},
        {OK "Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi", "", "twice", .close = false},
        {OK "Content-Length: +2\r\n\r\nhi", "", "not a number", .close = false},
        {OK "Content-Length: 99999999999999999999\r\n\r\n", "", "out of range", .close = false},
        {OK "Content-Length: 99999999999\r\n\r\n", "", "larger", .close = false},
        {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "", "only be chunked", .close = false},
        {"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "", "HTTP/1.0",
         .close = false},
        {"HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\nx", "", "204", .close = false},
        {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "", "unasked", .close = false},
        {"HTTP/2 200 OK\r\n\r\n", "", "status line", .close = false},
        {"HTTP/1.1  200 OK\r\n\r\n", "", "status", .close = false},
        {"HTTP/1.1 20x OK\r\n\r\n", "", "status", .close = false},
        {"HTTP/1.1 999 OK\r\n\r\n", "", "status", .close = false},
        {"HTTP/1.1 200 OK\nA: b\n\n", "", "LF without CR", .close = false},
        {OK "A : b\r\n\r\n", "", "token", .close = false},
        {OK "A: b\r\n c\r\n\r\n", "", "token", .close = false},
        {OK "A: b\rc\r\n\r\n", "", "CR stands", .close = false},
        {OK "A: b\001c\r\n\r\n", "", "control", .close = false},
        {"SSH-2.0-x\r\n", "", "status line", .close = false},
        {"", "", "without an answer", .close = true},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t piece = 0; piece < 2; piece++) {
            start(cases[i].answer, NULL);
            SET(close_after, cases[i].close);
            SET(piece, piece * (i % 3 + 1));
            Result result;
            HttpSend send = get;
            if (cases[i].head) send.method = STR("HEAD");
            ask(&send, &result);
            if (cases[i].error) {
                CHECK(result.err.kind == ERROR_IO);
                if (!strstr(result.err.text, cases[i].error))
                    FAIL("case %zu: '%s', not '%s'", i, result.err.text, cases[i].error);
            } else if (result.err.kind) {
                FAIL("case %zu: %s", i, result.err.text);
            }
            CHECK_STR(strbuf_str(&result.body), str_of(cases[i].body));
            /* More than was announced is seen when it comes with the end, else on the idle link. */
            if (!(piece && i == 12) && !cases[i].close)
                CHECK_INT(http_client_counts(client).idle, cases[i].kept);
            strbuf_clear(&result.body);
            http_client_free(client);
            loop_free(loop);
            shutdown(upstream.fd, SHUT_RDWR);
            pthread_join(upstream.thread, NULL);
            close(upstream.fd);
        }
}

TEST(http_client, tells_whether_anything_was_sent)
{
    start(NULL, NULL);
    /* Nobody listens. */
    HttpClient *lonely = http_client_new(loop, "/nonexistent/socket", NULL);
    Result result;
    init_result(&result);
    http_client_send(lonely, &get, &receiver, &result);
    CHECK_INT(result.dones, 0);
    run();
    CHECK(result.err.kind == ERROR_NOT_FOUND || result.err.kind == ERROR_IO);
    CHECK(strstr(result.err.text, "/nonexistent/socket: connect"));
    CHECK(!result.sent);
    http_client_free(lonely);
    /* The upstream dies over the request. */
    SET(close_after, true);
    ask(&get, &result);
    CHECK(result.err.kind == ERROR_IO && result.sent);
    /* What cannot be a request is not sent. */
    const HttpSend wrong[] = {
        {.method = STR("GET "), .target = STR("/")},
        {.method = STR("GET"), .target = STR("/a b")},
        {.method = STR("GET"), .target = STR("/a\r\nb")},
        {.method = STR("GET"), .target = STR("http://a/")},
        {.method = STR("GET"), .target = STR("/"), .host = STR("a\r\nb: c")},
        {.method = STR("GET"),
         .target = STR("/"),
         .fields = &(HttpNameValue){STR("a"), STR("b\nc: d")},
         .n_fields = 1},
        {.method = STR("GET"),
         .target = STR("/"),
         .fields = &(HttpNameValue){STR("a:"), STR("b")},
         .n_fields = 1},
    };
    for (size_t i = 0; i < COUNT(wrong); i++) {
        ask(&wrong[i], &result);
        CHECK(result.err.kind == ERROR_INVALID && !result.sent);
    }
}

/* The upstream closes each connection after its answer without saying so: the next request finds a
 * dead link and must move to a new one. */
TEST(http_client, a_dead_idle_link_costs_no_request)
{
    start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", NULL);
    SET(close_after, true);
    int answered = 0;
    for (int i = 0; i < 50; i++) {
        Result result;
        ask(&get, &result);
        /* Without a pause the request may have left just before the connection ended. */
        if (i % 2 || !result.sent) CHECK_STR(str_of(result.err.text), STR(""));
        answered += result.status == 200;
        strbuf_clear(&result.body);
        for (int k = 0; i % 2 == 0 && k < 1000; k++) {
            if (atomic_load(&upstream.closed) == atomic_load(&upstream.accepted)) break;
            usleep(1000);
        }
    }
    CHECK(answered >= 25);
}

TEST(http_client, deadlines)
{
    HttpClientOptions options = http_client_options;
    options.stall_seconds = 0.05;
    start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nh", &options);
    Result result;
    ask(&get, &result); /* the body stalls */
    CHECK(result.err.kind == ERROR_TIMEOUT && result.sent);
    CHECK(strstr(result.err.text, "stalls"));
    strbuf_clear(&result.body);
    SET(mute, true);
    HttpSend send = get;
    send.timeout = 0.05;
    double before = clock_seconds();
    ask(&send, &result);
    CHECK(result.err.kind == ERROR_TIMEOUT && result.sent);
    CHECK(clock_seconds() - before < 1);
    CHECK_INT(http_client_counts(client).open, 0);
    /* A listener that accepts nothing: its queue takes a few, then connecting must end. */
    int fd;
    Error err = {0};
    const char *path = path_join(&(Arena){0}, test_folder(), "full");
    CHECK_OK(http_listen_unix(path, &fd, &err), err);
    CHECK(listen(fd, 0) == 0);
    HttpClient *full = http_client_new(loop, path, NULL);
    Result results[4];
    for (int i = 0; i < 4; i++) {
        init_result(&results[i]);
        send.timeout = 0.6;
        http_client_send(full, &send, &receiver, &results[i]);
    }
    before = clock_seconds();
    for (int ended = 0; ended < 4;) {
        run();
        ended = 0;
        for (int i = 0; i < 4; i++) ended += results[i].dones;
    }
    int not_sent = 0;
    for (int i = 0; i < 4; i++) {
        CHECK(results[i].err.kind == ERROR_TIMEOUT);
        not_sent += !results[i].sent;
    }
    CHECK(not_sent >= 2);
    CHECK(clock_seconds() - before < 2);
    http_client_free(full);
}

TEST(http_client, requests_wait_for_links_in_order)
{
    HttpClientOptions options = http_client_options;
    options.connections_max = 2;
    options.queue_max = 8;
    start("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", &options);
    Result results[12];
    HttpFetch *fetches[12];
    for (int i = 0; i < 12; i++) {
        init_result(&results[i]);
        fetches[i] = http_client_send(client, &get, &receiver, &results[i]);
    }
    CHECK_INT(http_client_counts(client).waiting, 8);
    http_fetch_cancel(fetches[4]);
    for (int i = 0; i < 12;) {
        if (results[i].dones || i == 4)
            i++;
        else
            run();
    }
    for (int i = 0; i < 12; i++) {
        CHECK_INT(results[i].dones, i != 4);
        CHECK(i == 4 || (results[i].err.kind == (i < 10 ? ERROR_NONE : ERROR_LIMIT)));
        strbuf_clear(&results[i].body);
    }
    CHECK_INT(atomic_load(&upstream.accepted), 2);
    HttpClientCounts counts = http_client_counts(client);
    CHECK(counts.waiting == 0 && counts.in_flight == 0 && counts.open == 2 && counts.idle == 2);
    /* Freed with requests in flight: nobody is called, nothing leaks. */
    SET(mute, true);
    for (int i = 0; i < 6; i++) http_client_send(client, &get, &receiver, &results[0]);
    HttpSend wrong = get;
    wrong.target = STR("x");
    http_client_send(client, &wrong, &receiver, &results[0]);
    int dones = results[0].dones;
    http_client_free(client);
    CHECK_INT(results[0].dones, dones);
    loop_free(loop);
}

/* ---- against our own server: large bodies both ways ---- */

enum { PIECE = 10000, PIECES = 2000 };

typedef struct Echo {
    Loop *loop;
    HttpServer *server;
    pthread_t thread;
    atomic_size_t seen;
    uint64_t sum;
    size_t written;
} Echo;

static Echo echo;

static void echo_head(void *arg UNUSED, HttpExchange *exchange)
{
    echo.sum = 0;
    echo.written = 0;
    http_take_body(exchange);
}

static void echo_body(void *arg UNUSED, HttpExchange *exchange UNUSED, Str piece)
{
    for (size_t i = 0; i < piece.len; i++) echo.sum = echo.sum * 31 + (unsigned char)piece.ptr[i];
    atomic_fetch_add(&echo.seen, piece.len);
}

static void echo_room(void *arg UNUSED, HttpExchange *exchange)
{
    static char piece[PIECE];
    while (echo.written < PIECES && http_answer_queued(exchange) < 100000) {
        memset(piece, (int)(echo.written++ % 251), sizeof piece);
        http_answer_write(exchange, (Str){piece, sizeof piece});
    }
    if (echo.written == PIECES) http_answer_end(exchange);
}

static void echo_request(void *arg UNUSED, HttpExchange *exchange)
{
    bool chunked = str_is(http_path(exchange->request), "/chunked");
    http_answer_begin(exchange, 200, (Str){0}, chunked ? -1 : (int64_t)PIECE * PIECES);
    echo_room(arg, exchange);
}

static void *run_echo(void *arg UNUSED)
{
    if (!loop_run(echo.loop, NULL)) abort();
    return NULL;
}

typedef struct Pump {
    Result result;
    HttpFetch *fetch;
    size_t written, received, queued_most;
    bool wrong;
    int pauses;
    LoopTimer timer;
} Pump;

static void pump(Pump *p)
{
    char piece[PIECE];
    while (p->written < PIECES && http_fetch_queued(p->fetch) < 100000) {
        memset(piece, (int)(p->written++ % 253), sizeof piece);
        http_fetch_write(p->fetch, (Str){piece, sizeof piece});
        p->queued_most = MAX(p->queued_most, http_fetch_queued(p->fetch));
    }
    if (p->written == PIECES) http_fetch_end(p->fetch);
}

static void pump_room(void *arg)
{
    pump(arg);
}

static void pump_body(void *arg, Str piece)
{
    Pump *p = arg;
    for (size_t i = 0; i < piece.len; i++)
        p->wrong |= (unsigned char)piece.ptr[i] != (p->received + i) / PIECE % 251;
    p->received += piece.len;
    if (p->pauses < 20 && p->received > (size_t)p->pauses * 500000) {
        p->pauses++;
        http_fetch_pause(p->fetch, true);
        loop_timer_start(loop, &p->timer, loop_now(loop) + 0.002);
    }
}

static void unpause(LoopTimer *timer)
{
    Pump *p = LOOP_OWNER(timer, Pump, timer);
    http_fetch_pause(p->fetch, false);
}

static void pump_done(void *arg, const Error *err, bool sent)
{
    Pump *p = arg;
    on_done(&p->result, err, sent);
}

TEST(http_client, bodies_in_pieces_with_pauses)
{
    static const HttpHandler handler = {
        .head = echo_head, .body = echo_body, .request = echo_request, .room = echo_room};
    static const HttpReceiver pump_receiver = {
        .body = pump_body, .room = pump_room, .done = pump_done};
    Error err = {0};
    CHECK_OK(loop_new(&echo.loop, &err), err);
    HttpOptions server_options = http_options;
    server_options.limits.body_max = 1 << 30;
    echo.server = http_server_new(echo.loop, &handler, &server_options);
    int fd, port;
    CHECK_OK(http_listen_tcp("127.0.0.1", 0, false, &fd, &port, &err), err);
    CHECK_OK(http_server_listen(echo.server, fd, false, &err), err);
    CHECK(pthread_create(&echo.thread, NULL, run_echo, NULL) == 0);
    CHECK_OK(loop_new(&loop, &err), err);
    char address[64];
    snprintf(address, sizeof address, "127.0.0.1:%d", port);
    HttpClientOptions options = http_client_options;
    options.limits.body_max = 1 << 30;
    client = http_client_new(loop, address, &options);
    CHECK(client != NULL);
    uint64_t sum = 0;
    for (int i = 0; i < PIECES; i++)
        for (int k = 0; k < PIECE; k++) sum = sum * 31 + (uint64_t)(i % 253);
    for (int chunked = 0; chunked < 2; chunked++) {
        Pump p = {.timer.fire = unpause};
        const HttpSend send = {
            .method = STR("PUT"),
            .target = chunked ? STR("/chunked") : STR("/length"),
            .in_pieces = true,
            .length = chunked ? -1 : (int64_t)PIECE * PIECES,
        };
        p.fetch = http_client_send(client, &send, &pump_receiver, &p);
        pump(&p);
        run();
        CHECK_STR(str_of(p.result.err.text), STR(""));
        CHECK_INT(p.received, (size_t)PIECE * PIECES);
        CHECK(!p.wrong && p.pauses == 20 && p.queued_most < 200000);
        CHECK(echo.sum == sum);
    }
    CHECK_INT(http_client_counts(client).connects, 1);
    loop_stop(echo.loop);
    pthread_join(echo.thread, NULL);
    http_server_free(echo.server);
    loop_free(echo.loop);
    http_client_free(client);
    loop_free(loop);
}

TEST(http_client, waiting_call)
{
    start("HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nhi", NULL);
    ARENA(arena);
    int status;
    Str body;
    Error err = {0};
    CHECK_OK(http_call(upstream.path, STR("GET"), STR("/x"), NULL, 0, (Str){0}, 5, &arena, &status,
                       &body, &err),
             err);
    CHECK_INT(status, 201);
    CHECK_STR(body, STR("hi"));
    SET(mute, true);
    CHECK(!http_call(upstream.path, STR("GET"), STR("/x"), NULL, 0, (Str){0}, 0.05, &arena, &status,
                     &body, &err));
    CHECK(err.kind == ERROR_TIMEOUT);
    static const char *const wrong[] = {"",    "a",      ":80",     "127.0.0.1",      "127.0.0.1:0",
                                        "::1", "a.b:80", "[::1:80", "127.0.0.1:65536"};
    for (size_t i = 0; i < COUNT(wrong); i++) CHECK(!http_client_new(loop, wrong[i], NULL));
    http_client_free(http_client_new(loop, "[::1]:80", NULL));
}
