/* The server on a Unix socket in a thread, and a raw client that writes bytes and reads bytes. */

#include "net/http_server.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "base/test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* ---- the server ---- */

typedef struct Fixture {
    Loop *loop;
    HttpServer *server;
    pthread_t thread;
    const char *path;
    atomic_int lost, stopped, bodies;
    LoopTask stop_task;
} Fixture;

static Fixture fixture;

typedef struct Later {
    LoopTask task;
    HttpExchange *exchange;
    bool *gone; /* set when the exchange was lost */
} Later;

static void answer_later(LoopTask *task)
{
    Later *later = LOOP_OWNER(task, Later, task);
    if (!*later->gone) {
        free(later->gone);
        later->exchange->user = NULL;
        http_answer(later->exchange, 200, STR("text/plain"), later->exchange->body);
    } else {
        free(later->gone);
    }
    free(later);
}

static void *sleep_and_post(void *arg)
{
    Later *later = arg;
    usleep(30000);
    loop_post(fixture.loop, &later->task);
    return NULL;
}

static void handle_head(void *arg UNUSED, HttpExchange *exchange)
{
    Str path = http_path(exchange->request);
    if (str_is(path, "/pieces")) {
        exchange->user = calloc(1, sizeof(size_t));
        http_take_body(exchange);
    }
    if (str_is(path, "/denied")) http_answer(exchange, 403, STR("text/plain"), STR("no"));
    if (str_is(path, "/small")) exchange->body_max = 10;
    if (str_is(path, "/raised")) exchange->body_max = 20;
}

static void handle_body(void *arg UNUSED, HttpExchange *exchange, Str piece)
{
    *(size_t *)exchange->user += piece.len;
    atomic_fetch_add(&fixture.bodies, 1);
}

static char big[1 << 20];

static void write_big(HttpExchange *exchange)
{
    intptr_t left = (intptr_t)exchange->user;
    while (left > 0 && http_answer_queued(exchange) < 100000) {
        http_answer_write(exchange, (Str){big, 50000});
        left -= 50000;
    }
    exchange->user = (void *)left;
    if (left == 0) http_answer_end(exchange);
}

static void handle_room(void *arg UNUSED, HttpExchange *exchange)
{
    write_big(exchange);
}

static void handle_request(void *arg UNUSED, HttpExchange *exchange)
{
    Str path = http_path(exchange->request);
    if (str_is(path, "/pieces")) {
        char text[32];
        int n = snprintf(text, sizeof text, "%zu", *(size_t *)exchange->user);
        free(exchange->user);
        http_answer(exchange, 200, STR("text/plain"), (Str){text, (size_t)n});
    } else if (str_is(path, "/big")) {
        http_answer(exchange, 200, STR("text/plain"), (Str){big, sizeof big});
    } else if (str_is(path, "/stream")) {
        http_answer_begin(exchange, 200, STR("text/plain"), -1);
        exchange->user = (void *)(intptr_t)20000000;
        write_big(exchange);
    } else if (str_is(path, "/chunks")) {
        http_answer_field(exchange, STR("X-Note"), STR("yes"));
        http_answer_begin(exchange, 200, STR("text/plain"), -1);
        http_answer_write(exchange, STR("one"));
        http_answer_write(exchange, STR("twotwotwotwotwotwo"));
        http_answer_end(exchange);
    } else if (str_is(path, "/later")) {
        Later *later = calloc(1, sizeof *later);
        *later = (Later){.task.run = answer_later, .exchange = exchange, .gone = calloc(1, 1)};
        exchange->user = later->gone;
        pthread_t thread;
        if (pthread_create(&thread, NULL, sleep_and_post, later)) abort();
        pthread_detach(thread);
    } else if (str_is(path, "/file")) {
        int fd = open(test_path("Makefile"), O_RDONLY | O_CLOEXEC);
        http_answer_file(exchange, 200, STR("text/plain"), fd, 2, 40);
    } else if (str_is(path, "/empty")) {
        http_answer(exchange, 204, (Str){0}, (Str){0});
    } else {
        http_answer(exchange, 200, STR("text/plain"), exchange->body);
    }
}

static void handle_lost(void *arg UNUSED, HttpExchange *exchange)
{
    atomic_fetch_add(&fixture.lost, 1);
    if (str_is(http_path(exchange->request), "/later") && exchange->user)
        *(bool *)exchange->user = true;
    if (str_is(http_path(exchange->request), "/pieces")) free(exchange->user);
}

static void *run_loop(void *arg UNUSED)
{
    Error err = {0};
    if (!loop_run(fixture.loop, &err)) abort();
    return NULL;
}

static void start(const HttpOptions *options)
{
    static const HttpHandler handler = {
        .head = handle_head,
        .request = handle_request,
        .body = handle_body,
        .room = handle_room,
        .lost = handle_lost,
    };
    static Arena arena;
    Error err = {0};
    memset(big, 'b', sizeof big);
    fixture.path = path_join(&arena, test_folder(), "socket");
    CHECK_OK(loop_new(&fixture.loop, &err), err);
    fixture.server = http_server_new(fixture.loop, &handler, options);
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
    loop_free(fixture.loop);
}

/* ---- the client ---- */

static int dial(void)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, fixture.path, strlen(fixture.path) + 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        FAIL("connect: %s", strerror(errno));
    struct timeval limit = {.tv_sec = 10};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
}

static void say(int fd, Str text)
{
    while (text.len) {
        ssize_t n = send(fd, text.ptr, text.len, MSG_NOSIGNAL);
        if (n < 0) return; /* the server may have closed: what it said is read next */
        text = str_from(text, (size_t)n);
    }
}

/* Everything up to the end of the connection. */
static Str hear_all(int fd, Arena *arena)
{
    AUTO_STRBUF StrBuf text = STRBUF(100 << 20);
    char part[65536];
    ssize_t n;
    while ((n = recv(fd, part, sizeof part, 0)) > 0) strbuf_add(&text, (Str){part, (size_t)n});
    if (n < 0) FAIL("recv: %s", strerror(errno));
    close(fd);
    return arena_str(arena, strbuf_str(&text));
}

/* One answer with a Content-Length: its head and body. */
static Str hear(int fd, Arena *arena)
{
    AUTO_STRBUF StrBuf text = STRBUF(4 << 20);
    size_t want = SIZE_MAX;
    while (text.len < want) {
        char c;
        ssize_t n = recv(fd, &c, 1, 0);
        if (n < 0) FAIL("recv: %s", strerror(errno));
        if (n == 0) break;
        strbuf_add_char(&text, c);
        if (want == SIZE_MAX && str_ends(strbuf_str(&text), STR("\r\n\r\n"))) {
            const char *length = strstr(strbuf_cstr(&text), "Content-Length: ");
            want = text.len + (length ? strtoul(length + 16, NULL, 10) : 0);
        }
    }
    return arena_str(arena, strbuf_str(&text));
}

static Str body_of(Str answer)
{
    for (size_t i = 0; i + 4 <= answer.len; i++)
        if (memcmp(answer.ptr + i, "\r\n\r\n", 4) == 0) return str_from(answer, i + 4);
    return (Str){0};
}

static Str ask(Str request, Arena *arena)
{
    int fd = dial();
    say(fd, request);
    return hear_all(fd, arena);
}

static int count(Str text, const char *what)
{
    int n = 0;
    for (size_t i = 0; i + strlen(what) <= text.len; i++)
        n += memcmp(text.ptr + i, what, strlen(what)) == 0;
    return n;
}

static void check_status(Str answer, const char *status)
{
    if (answer.len < 12 || memcmp(answer.ptr + 9, status, 3) != 0)
        FAIL("the answer is not %s but '%.*s'", status, STR_ARG(answer));
}

#define HOST " HTTP/1.1\r\nHost: a\r\n"
#define LAST HOST "Connection: close\r\n"

TEST(http_server, answers_and_keeps_the_connection)
{
    start(NULL);
    ARENA(arena);
    int fd = dial();
    for (int i = 0; i < 3; i++) {
        say(fd, STR("POST /echo" HOST "Content-Length: 5\r\n\r\nhello"));
        Str answer = hear(fd, &arena);
        check_status(answer, "200");
        CHECK_STR(body_of(answer), STR("hello"));
        CHECK(count(answer, "\r\nDate: ") == 1 && !count(answer, "Connection:"));
    }
    say(fd, STR("GET /empty" HOST "\r\n"));
    Str empty = hear(fd, &arena);
    check_status(empty, "204");
    CHECK(!count(empty, "Content-Length"));
    say(fd, STR("HEAD /big" LAST "\r\n"));
    Str head = hear_all(fd, &arena);
    check_status(head, "200");
    CHECK_INT(count(head, "Content-Length: 1048576\r\n"), 1);
    CHECK_INT(count(head, "Connection: close\r\n"), 1);
    CHECK_INT(body_of(head).len, 0);
    CHECK_INT(http_server_counts(fixture.server).requests, 5);
    finish();
}

TEST(http_server, pipelined_requests_are_answered_in_order)
{
    start(NULL);
    ARENA(arena);
    AUTO_STRBUF StrBuf text = STRBUF(1 << 20);
    for (int i = 0; i < 2000; i++) {
        if (i % 100 == 50)
            strbuf_addf(&text, "POST /later" HOST "Content-Length: 4\r\n\r\n%04d", i);
        else if (i % 2)
            strbuf_addf(&text, "POST /echo" HOST "Content-Length: 4\r\n\r\n%04d", i);
        else
            strbuf_addf(&text,
                        "POST /echo" HOST
                        "Transfer-Encoding: chunked\r\n\r\n1\r\n%d\r\n3;x\r\n%03d\r\n0\r\n\r\n",
                        i / 1000, i % 1000);
    }
    strbuf_addf(&text, "GET /echo" LAST "\r\n");
    Str all = ask(strbuf_str(&text), &arena);
    CHECK_INT(count(all, "HTTP/1.1 200"), 2001);
    for (int i = 0; i < 2000; i++) {
        Str answer = body_of(all);
        char want[8];
        snprintf(want, sizeof want, "%04d", i);
        CHECK_STR(str_slice(answer, 0, 4), str_of(want));
        all = str_from(answer, 4);
    }
    finish();
}

TEST(http_server, pieces_of_any_size_give_the_same_answer)
{
    start(NULL);
    ARENA(arena);
    Str requests[] = {
        STR("POST /echo" LAST "Content-Length: 11\r\n\r\nhello world"),
        STR("POST /echo" LAST
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;a=b\r\n world\r\n0\r\nT: u\r\n\r\n"),
        STR("POST /later" LAST
            "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"),
    };
    for (size_t i = 0; i < COUNT(requests); i++)
        for (size_t step = 1; step < 60; step = step * 3 + 1) {
            int fd = dial();
            for (size_t at = 0; at < requests[i].len; at += step) {
                say(fd, str_slice(requests[i], at, MIN(requests[i].len, at + step)));
                if (at % 7 == 0) usleep(200);
            }
            Str answer = hear_all(fd, &arena);
            check_status(answer, "200");
            CHECK_STR(body_of(answer), STR("hello world"));
        }
    finish();
}

TEST(http_server, large_bodies_whole_and_in_pieces)
{
    start(NULL);
    ARENA(arena);
    size_t n = 5 << 20;
    char *body = malloc(n);
    for (size_t i = 0; i < n; i++) body[i] = (char)('a' + i % 23);
    int fd = dial();
    say(fd, STR("POST /pieces" HOST "Content-Length: 5242880\r\n\r\n"));
    say(fd, (Str){body, n});
    CHECK_STR(body_of(hear(fd, &arena)), STR("5242880"));
    CHECK(atomic_load(&fixture.bodies) > 1);

    say(fd, STR("POST /pieces" HOST "Transfer-Encoding: chunked\r\n\r\n"));
    AUTO_STRBUF StrBuf chunks = STRBUF(16 << 20);
    for (size_t at = 0; at < n; at += 1000) {
        strbuf_addf(&chunks, "%zx\r\n", MIN(n - at, (size_t)1000));
        strbuf_add(&chunks, (Str){body + at, MIN(n - at, (size_t)1000)});
        strbuf_add(&chunks, STR("\r\n"));
    }
    strbuf_add(&chunks, STR("0\r\n\r\n"));
    say(fd, strbuf_str(&chunks));
    CHECK_STR(body_of(hear(fd, &arena)), STR("5242880"));

    /* Echo: the answer is larger than the socket's buffer, and the client reads late. */
    say(fd, STR("POST /echo" LAST "Transfer-Encoding: chunked\r\n\r\n"));
    say(fd, strbuf_str(&chunks));
    usleep(50000);
    Str echo = hear_all(fd, &arena);
    CHECK_STR(body_of(echo), ((Str){body, n}));
    free(body);
    finish();
}

TEST(http_server, streamed_answers)
{
    start(NULL);
    ARENA(arena);
    Str chunks = ask(STR("GET /chunks" LAST "\r\n"), &arena);
    CHECK_STR(body_of(chunks), STR("3\r\none\r\n12\r\ntwotwotwotwotwotwo\r\n0\r\n\r\n"));
    CHECK_INT(count(chunks, "X-Note: yes\r\n"), 1);
    Str old = ask(STR("GET /chunks HTTP/1.0\r\n\r\n"), &arena);
    CHECK_STR(body_of(old), STR("onetwotwotwotwotwotwo"));
    int fd = dial();
    say(fd, STR("GET /stream" HOST "\r\nGET /big" LAST "\r\n"));
    usleep(50000); /* the server has to wait for room */
    Str stream = hear_all(fd, &arena);
    CHECK_INT(count(stream, "HTTP/1.1 200"), 2);
    CHECK_INT(count(stream, "b"), 20000000 + (1 << 20));
    Str file = ask(STR("GET /file" HOST "\r\nGET /file" LAST "\r\n"), &arena);
    Str text;
    Error err = {0};
    CHECK_OK(file_read(test_path("Makefile"), 1 << 20, &arena, &text, &err), err);
    CHECK_INT(count(file, "HTTP/1.1 200"), 2);
    CHECK_STR(str_slice(body_of(file), 0, 40), str_slice(text, 2, 42));
    CHECK_STR(str_slice(file, file.len - 40, file.len), str_slice(text, 2, 42));
    finish();
}

TEST(http_server, refusals_answer_and_close)
{
    start(NULL);
    ARENA(arena);
    static const struct {
        const char *request, *status;
    } cases[] = {
        {"GET / HTTP/1.1\r\n\r\nGET /echo" HOST "\r\n", "400"},
        {"GET /echo\r\n\r\n", "400"},
        {"POST /echo" HOST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "400"},
        {"POST /echo" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc0\r\n\r\nGET /echo" HOST
         "\r\n",
         "400"},
        {"POST /pieces" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc0\r\n\r\n", "400"},
        {"POST /echo" HOST "Content-Length: 7000000\r\n\r\n", "413"},
        {"POST /small" HOST "Content-Length: 11\r\n\r\n01234567890", "413"},
        {"POST /small" HOST
         "Transfer-Encoding: chunked\r\n\r\n9\r\n012345678\r\n2\r\nab\r\n0\r\n\r\n",
         "413"},
        {"POST /denied" HOST "Content-Length: 11\r\n\r\n", "403"},
        {"GET /echo" HOST "Expect: x\r\n\r\n", "417"},
        {"CONNECT a:1 HTTP/1.1\r\n", "501"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Str answer = ask(str_of(cases[i].request), &arena);
        check_status(answer, cases[i].status);
        CHECK_INT(count(answer, "HTTP/1.1 "), 1); /* nothing that follows is answered */
        CHECK_INT(count(answer, "Connection: close\r\n"), 1);
    }
    /* A refusal reaches a client that is still sending. */
    AUTO_STRBUF StrBuf text = STRBUF(8 << 20);
    strbuf_add(&text, STR("POST /denied" HOST "Content-Length: 2000000\r\n\r\n"));
    for (int i = 0; i < 1000; i++) strbuf_add(&text, (Str){big, 2000});
    check_status(ask(strbuf_str(&text), &arena), "403");
    /* A good one at the limit. */
    check_status(ask(STR("POST /small" LAST "Content-Length: 10\r\n\r\n0123456789"), &arena),
                 "200");
    finish();
}

TEST(http_server, a_handler_may_raise_the_limit_of_a_body)
{
    HttpOptions options = http_options;
    options.limits.body_max = 30;
    options.body_preset = 8;
    start(&options);
    ARENA(arena);
    static const struct {
        const char *path, *status;
        int length;
    } cases[] = {
        {"/echo", "200", 8},    {"/echo", "413", 9},    {"/raised", "200", 20},
        {"/raised", "413", 21}, {"/raised", "413", 31},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int chunked = 0; chunked < 2; chunked++) {
            const char *path = cases[i].path;
            int n = cases[i].length;
            Str request = chunked
                              ? arena_format(&arena,
                                             "PUT %s" LAST "Transfer-Encoding: chunked\r\n\r\n"
                                             "%x\r\n%0*d\r\n0\r\n\r\n",
                                             path, (unsigned)n, n, 7)
                              : arena_format(&arena, "PUT %s" LAST "Content-Length: %d\r\n\r\n%0*d",
                                             path, n, n, 7);
            check_status(ask(request, &arena), cases[i].status);
        }
    finish();
}

TEST(http_server, continue_is_sent_when_it_is_waited_for)
{
    start(NULL);
    ARENA(arena);
    int fd = dial();
    say(fd, STR("POST /echo" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    CHECK_STR(hear(fd, &arena), STR("HTTP/1.1 100 Continue\r\n\r\n"));
    say(fd, STR("hello"));
    CHECK_STR(body_of(hear(fd, &arena)), STR("hello"));
    /* Not when the body is here already, nor when the answer is known. */
    say(fd, STR("POST /echo" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello"));
    check_status(hear(fd, &arena), "200");
    say(fd, STR("POST /denied" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"));
    check_status(hear_all(fd, &arena), "403");
    finish();
}

TEST(http_server, a_half_closed_client_gets_its_answers)
{
    start(NULL);
    ARENA(arena);
    int fd = dial();
    say(fd, STR("POST /echo" HOST "Content-Length: 2\r\n\r\nhiPOST /later" HOST
                "Content-Length: 2\r\n\r\nho"));
    shutdown(fd, SHUT_WR);
    Str answers = hear_all(fd, &arena);
    CHECK_INT(count(answers, "HTTP/1.1 200"), 2);
    CHECK(str_ends(answers, STR("ho")));
    /* Half a request: no answer, the connection ends. */
    fd = dial();
    say(fd, STR("POST /echo" HOST "Content-Length: 2\r\n\r\nh"));
    shutdown(fd, SHUT_WR);
    CHECK_STR(hear_all(fd, &arena), STR(""));
    finish();
}

TEST(http_server, a_client_that_vanishes_is_reported_to_the_handler)
{
    start(NULL);
    for (int i = 0; i < 20; i++) {
        int fd = dial();
        say(fd, STR("GET /later" HOST "\r\n"));
        if (i % 2) usleep(1000);
        close(fd);
        fd = dial();
        say(fd, STR("POST /pieces" HOST "Content-Length: 100\r\n\r\nabc"));
        usleep(500);
        close(fd);
    }
    for (int i = 0; i < 500 && atomic_load(&fixture.lost) < 30; i++) usleep(10000);
    CHECK(atomic_load(&fixture.lost) >= 30);
    ARENA(arena);
    check_status(ask(STR("GET /echo" LAST "\r\n"), &arena), "200");
    usleep(100000); /* late answers to lost exchanges */
    CHECK_INT(http_server_counts(fixture.server).open, 0);
    finish();
}

TEST(http_server, slow_clients_are_cut)
{
    HttpOptions options = http_options;
    options.head_seconds = 0.2;
    options.idle_seconds = 0.4;
    options.slow_seconds = 0.2;
    start(&options);
    ARENA(arena);
    double begin = clock_seconds();
    int idle = dial(), head = dial(), body = dial(), reader = dial();
    say(head, STR("GET /echo" HOST));
    say(body, STR("POST /echo" HOST "Content-Length: 1000000\r\n\r\nabc"));
    say(reader, STR("GET /stream" HOST "\r\n")); /* and reads nothing */
    check_status(hear_all(head, &arena), "408");
    check_status(hear_all(body, &arena), "408");
    CHECK_STR(hear_all(idle, &arena), STR(""));
    double passed = clock_seconds() - begin;
    CHECK(passed > 0.35 && passed < 5);
    for (int i = 0; i < 500 && http_server_counts(fixture.server).open; i++) usleep(10000);
    CHECK_INT(http_server_counts(fixture.server).open, 0);
    close(reader);

    /* A head that trickles does not win time; a body that moves does. */
    int fd = dial();
    begin = clock_seconds();
    Str text = STR("GET /echo HTTP/1.1\r\nHost: a\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
    for (size_t i = 0; i < text.len && clock_seconds() - begin < 0.4; i++) {
        say(fd, str_slice(text, i, i + 1));
        usleep(10000);
    }
    check_status(hear_all(fd, &arena), "408");
    fd = dial();
    say(fd, STR("POST /pieces" LAST "Content-Length: 20000\r\n\r\n"));
    for (int i = 0; i < 20; i++) {
        say(fd, (Str){big, 1000});
        usleep(20000);
    }
    CHECK_STR(body_of(hear_all(fd, &arena)), STR("20000"));
    finish();
}

static void note_stopped(void *arg UNUSED)
{
    atomic_store(&fixture.stopped, 1);
}

static void stop_server(LoopTask *task UNUSED)
{
    http_server_stop(fixture.server, note_stopped, NULL);
}

TEST(http_server, stops_gracefully)
{
    start(NULL);
    ARENA(arena);
    int idle = dial(), later = dial(), partial = dial();
    say(idle, STR("GET /echo" HOST "\r\n"));
    hear(idle, &arena);
    say(later, STR("GET /later" HOST "\r\n"));
    say(partial, STR("POST /echo" HOST "Content-Length: 4\r\n\r\nab"));
    usleep(10000);
    fixture.stop_task.run = stop_server;
    loop_post(fixture.loop, &fixture.stop_task);
    CHECK_STR(hear_all(idle, &arena), STR(""));
    say(partial, STR("cd"));
    Str answer = hear_all(partial, &arena);
    CHECK_STR(body_of(answer), STR("abcd"));
    CHECK_INT(count(answer, "Connection: close\r\n"), 1);
    check_status(hear_all(later, &arena), "200");
    for (int i = 0; i < 500 && !atomic_load(&fixture.stopped); i++) usleep(10000);
    CHECK_INT(atomic_load(&fixture.stopped), 1);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, fixture.path, strlen(fixture.path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) != 0);
    close(fd);
    finish();
}

TEST(http_server, connections_and_descriptors_have_limits)
{
    HttpOptions options = http_options;
    options.connections_max = 3;
    start(&options);
    ARENA(arena);
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = dial();
        say(fds[i], STR("GET /echo" HOST "\r\n"));
        check_status(hear(fds[i], &arena), "200");
    }
    check_status(hear_all(dial(), &arena), "503");
    for (int i = 0; i < 3; i++) close(fds[i]);
    usleep(50000);
    check_status(ask(STR("GET /echo" LAST "\r\n"), &arena), "200");

    /* No descriptors left: 503 at once through the spare one, no spinning, and life goes on after. */
    int client[8];
    for (int i = 0; i < 8; i++) client[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct rlimit before, limit;
    getrlimit(RLIMIT_NOFILE, &before);
    limit = before;
    int next = dup(0);
    close(next);
    limit.rlim_cur = (rlim_t)next;
    CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, fixture.path, strlen(fixture.path) + 1);
    CHECK(connect(client[0], (struct sockaddr *)&address, sizeof address) == 0);
    check_status(hear_all(client[0], &arena), "503");
    struct timespec cpu0, cpu1;
    clockid_t clock;
    CHECK(connect(client[1], (struct sockaddr *)&address, sizeof address) == 0);
    pthread_getcpuclockid(fixture.thread, &clock);
    clock_gettime(clock, &cpu0);
    usleep(300000);
    clock_gettime(clock, &cpu1);
    double used = (double)(cpu1.tv_sec - cpu0.tv_sec) +
                  (double)(cpu1.tv_nsec - cpu0.tv_nsec) * 1e-9;
    CHECK(used < 0.1);
    setrlimit(RLIMIT_NOFILE, &before);
    for (int i = 1; i < 8; i++) close(client[i]);
    check_status(ask(STR("GET /echo" LAST "\r\n"), &arena), "200");
    finish();
}

#if !defined(__has_feature)
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
enum { IDLE_BYTES_MAX = 16 * 1024 }; /* their allocators keep more */
#else
enum { IDLE_BYTES_MAX = 2 * 1024 };
#endif

TEST(http_server, idle_connections_are_small)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    int n = 2000;
    limit.rlim_cur = MIN(limit.rlim_max, (rlim_t)(2 * n + 100));
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < (rlim_t)(2 * n + 100))
        SKIP("few descriptors");
    start(NULL);
    ARENA(arena);
    int *fds = arena_array(&arena, int, n);
    long pages[2];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < n / 2; i++) {
            int *fd = &fds[round * n / 2 + i];
            *fd = dial();
            say(*fd, STR("POST /echo" HOST "Content-Length: 5\r\n\r\nhello"));
            char answer[512];
            CHECK(recv(*fd, answer, sizeof answer, 0) > 100);
        }
        FILE *file = fopen("/proc/self/statm", "r");
        CHECK(fscanf(file, "%*d %ld", &pages[round]) == 1);
        fclose(file);
    }
    double each = (double)(pages[1] - pages[0]) * 4096 * 2 / n;
    if (each > IDLE_BYTES_MAX) FAIL("%.0f bytes for an idle connection", each);
    finish();
}

TEST(http_server, listening_says_what_is_wrong)
{
    ARENA(arena);
    Error err = {0};
    int fd, other, port;
    CHECK(!http_listen_tcp("nowhere", 0, false, &fd, &port, &err));
    CHECK_STR(str_of(err.text),
              STR("'nowhere' is not an IP address to listen on (0.0.0.0 means all)"));
    CHECK_OK(http_listen_tcp("127.0.0.1", 0, false, &fd, &port, &err), err);
    CHECK(port > 0);
    CHECK(!http_listen_tcp("127.0.0.1", port, false, &other, NULL, &err));
    CHECK_INT(err.kind, ERROR_CONFLICT);
    CHECK(!http_listen_tcp("127.0.0.1", port, true, &other, NULL, &err));
    close(fd);

    const char *path = path_join(&arena, test_folder(), "s");
    CHECK_OK(http_listen_unix(path, &fd, &err), err);
    CHECK(!http_listen_unix(path, &other, &err));
    CHECK(str_has(str_of(err.text), STR("another server answers")));
    close(fd); /* a stale file */
    CHECK_OK(http_listen_unix(path, &fd, &err), err);
    close(fd);
    CHECK(!http_listen_unix(test_folder(), &fd, &err));
    CHECK(str_has(str_of(err.text), STR("is no socket")));
}
