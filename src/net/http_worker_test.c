/* Functions on worker threads behind a server on a Unix socket; clients are raw sockets in the
 * test's thread, or threads that ask at the same time. */

#include "net/http_worker.h"

#include "net/http_client.h"

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
#include <sys/un.h>
#include <unistd.h>

typedef struct Fixture {
    Loop *loop;
    HttpServer *server;
    HttpWorkers *workers;
    pthread_t thread;
    const char *path;
    size_t whole_max;
    atomic_int cancelled, lost, slept;
    atomic_size_t read;
} Fixture;

static Fixture fixture;

/* ---- functions ---- */

/* Waiters of /park, as a store of states would keep them. */
static pthread_mutex_t park_lock = PTHREAD_MUTEX_INITIALIZER;
static HttpCall *parked[64];
static int n_parked, park_value;

static void take_off(const HttpCall *call)
{
    for (int i = 0; i < n_parked; i++)
        if (parked[i] == call) parked[i--] = parked[--n_parked];
}

static void poll_value(void *arg, HttpCall *call)
{
    pthread_mutex_lock(&park_lock);
    take_off(call);
    int value = park_value;
    call->user = (char *)call->user + 1;
    bool parks = false;
    if (value == 0 && (intptr_t)call->user < 3) {
        parked[n_parked++] = call;
        parks = http_call_park(call, 0.1, poll_value, arg);
        if (!parks) take_off(call);
    }
    pthread_mutex_unlock(&park_lock);
    if (parks) return;
    atomic_fetch_add(&fixture.lost, http_call_lost(call));
    Str text = arena_format(call->arena, "%d after %d", value, (int)(intptr_t)call->user);
    http_call_answer(call, 200, STR("text/plain"), text);
}

static void count_body(void *arg UNUSED, HttpCall *call)
{
    bool slow = str_is(http_path(call->request), "/slow");
    uint64_t sum = 0;
    size_t total = 0;
    Str piece;
    Error err;
    do {
        if (!http_call_next(call, &piece, &err)) {
            CHECK(err.kind == ERROR_CANCELLED);
            atomic_fetch_add(&fixture.cancelled, 1);
            return;
        }
        for (size_t i = 0; i < piece.len; i++) sum = sum * 31 + (unsigned char)piece.ptr[i];
        total += piece.len;
        atomic_fetch_add(&fixture.read, piece.len);
        if (slow) usleep(200);
    } while (piece.len);
    http_call_answer(call, 200, STR("text/plain"),
                     arena_format(call->arena, "%zu %016llx %d", total, (unsigned long long)sum,
                                  call->streamed));
}

static void read_small(HttpCall *call)
{
    char buffer[7];
    size_t n, total = 0;
    Error err;
    do {
        if (!http_call_read(call, buffer, sizeof buffer, &n, &err)) return;
        total += n;
    } while (n);
    http_call_answer(call, 200, (Str){0}, arena_format(call->arena, "%zu", total));
}

static void write_pieces(HttpCall *call, int64_t length, bool end)
{
    static const char piece[10000];
    Error err;
    http_call_field(call, STR("X-Note"), STR("yes"));
    http_call_begin(call, 200, STR("text/plain"), length);
    for (int i = 0; i < 2000; i++)
        if (!http_call_write(call, (Str){piece, sizeof piece}, &err)) {
            atomic_fetch_add(&fixture.cancelled, 1);
            return;
        }
    if (end) http_call_end(call);
}

static void answer(void *arg, HttpCall *call)
{
    Str path = http_path(call->request);
    if (str_is(path, "/echo")) {
        http_call_field(call, STR("X-Method"), http_method(call->request));
        http_call_answer(call, 200, STR("text/plain"), call->body);
    } else if (str_is(path, "/count") || str_is(path, "/slow")) {
        count_body(arg, call);
    } else if (str_is(path, "/small")) {
        read_small(call);
    } else if (str_is(path, "/denied")) {
        http_call_answer(call, 403, (Str){0}, STR("no"));
    } else if (str_is(path, "/stream")) {
        write_pieces(call, -1, true);
    } else if (str_is(path, "/length")) {
        write_pieces(call, 20000000, true);
    } else if (str_is(path, "/short")) {
        write_pieces(call, 20000001, true);
    } else if (str_is(path, "/unended")) {
        write_pieces(call, -1, false);
    } else if (str_is(path, "/flush")) {
        Error err;
        http_call_begin(call, 200, (Str){0}, -1);
        http_call_write(call, STR("first"), &err);
        http_call_flush(call);
        usleep(100000);
        http_call_write(call, STR("second"), &err);
        http_call_end(call);
    } else if (str_is(path, "/file")) {
        http_call_answer_file(call, 206, (Str){0},
                              open(test_path("Makefile"), O_RDONLY | O_CLOEXEC), 2, 40);
    } else if (str_is(path, "/head")) {
        http_call_answer_head(call, 200, STR("text/plain"), 1234567890123);
    } else if (str_is(path, "/sleep")) {
        usleep(300000);
        atomic_fetch_add(&fixture.slept, 1);
        http_call_answer(call, 200, (Str){0}, (Str){0});
    } else if (str_is(path, "/wait")) {
        while (!http_call_lost(call)) usleep(1000);
        atomic_fetch_add(&fixture.lost, 1);
    } else if (str_is(path, "/park")) {
        poll_value(arg, call);
    }
}

static void handle_head(void *arg UNUSED, HttpExchange *exchange)
{
    if (str_is(http_path(exchange->request), "/direct"))
        http_answer(exchange, 200, (Str){0}, STR("direct"));
    else if (!str_is(http_path(exchange->request), "/echo"))
        http_workers_submit(fixture.workers, exchange, fixture.whole_max, answer, NULL);
}

static void handle_request(void *arg UNUSED, HttpExchange *exchange)
{
    http_workers_submit(fixture.workers, exchange, 0, answer, NULL);
}

static void *run_loop(void *arg UNUSED)
{
    if (!loop_run(fixture.loop, NULL)) abort();
    return NULL;
}

static void start(int n_threads, size_t queue_max)
{
    static const HttpHandler handler = {.head = handle_head, .request = handle_request};
    static Arena arena;
    Error err = {0};
    fixture.path = path_join(&arena, test_folder(), "socket");
    fixture.whole_max = 64 << 10;
    CHECK_OK(loop_new(&fixture.loop, &err), err);
    HttpOptions options = http_options;
    options.limits.body_max = 100 << 20;
    fixture.server = http_server_new(fixture.loop, &handler, &options);
    fixture.workers = http_workers_new(fixture.loop, n_threads, queue_max);
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

/* ---- clients ---- */

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
        if (n < 0) return;
        text = str_from(text, (size_t)n);
    }
}

/* What comes up to `end`, or up to the connection's end. */
static Str hear(int fd, const char *end, Arena *arena)
{
    AUTO_STRBUF StrBuf text = STRBUF(64 << 20);
    char part[65536];
    for (;;) {
        if (end && str_has(strbuf_str(&text), str_of(end))) break;
        ssize_t n = recv(fd, part, end ? 1 : sizeof part, 0);
        if (n < 0) FAIL("recv: %s", strerror(errno));
        if (n == 0) break;
        strbuf_add(&text, (Str){part, (size_t)n});
    }
    return arena_str(arena, strbuf_str(&text));
}

static Str ask(const char *method, const char *target, Str body, int want_status, Arena *arena)
{
    int status = 0;
    Str answer;
    Error err = {0};
    CHECK_OK(http_call(fixture.path, str_of(method), str_of(target), NULL, 0, body, 20, arena,
                       &status, &answer, &err),
             err);
    CHECK_INT(status, want_status);
    return answer;
}

#define HOST " HTTP/1.1\r\nHost: a\r\n"
#define LAST HOST "Connection: close\r\n"

TEST(http_worker, whole_requests_and_answers)
{
    start(2, 100);
    ARENA(arena);
    for (int i = 0; i < 100; i++) {
        CHECK_STR(ask("POST", "/echo", STR("hello"), 200, &arena), STR("hello"));
        CHECK_STR(ask("POST", "/small", STR("hello, reader"), 200, &arena), STR("13"));
    }
    CHECK_STR(ask("GET", "/direct", (Str){0}, 200, &arena), STR("direct"));
    CHECK_STR(ask("GET", "/denied", (Str){0}, 403, &arena), STR("no"));
    CHECK_STR(ask("GET", "/nothing", (Str){0}, 500, &arena), STR("the server did not answer"));
    CHECK_INT(ask("GET", "/file", (Str){0}, 206, &arena).len, 40);
    CHECK_INT(ask("HEAD", "/file", (Str){0}, 206, &arena).len, 0);
    CHECK_STR(ask("GET", "/count", (Str){0}, 200, &arena), STR("0 0000000000000000 0"));
    int fd = dial();
    say(fd, STR("HEAD /head" LAST "\r\n"));
    Str head = hear(fd, NULL, &arena);
    CHECK(str_has(head, STR("\r\nContent-Length: 1234567890123\r\n")));
    CHECK(str_ends(head, STR("\r\n\r\n")));
    close(fd);
    /* Requests that were sent ahead are answered in order. */
    fd = dial();
    AUTO_STRBUF StrBuf text = STRBUF(1 << 20);
    for (int i = 0; i < 500; i++)
        strbuf_addf(&text, "POST %s" HOST "Content-Length: 4\r\n\r\n%04d",
                    i % 3 ? "/echo" : "/count", i);
    strbuf_addf(&text, "GET /echo" LAST "\r\n");
    say(fd, strbuf_str(&text));
    Str all = hear(fd, NULL, &arena);
    close(fd);
    for (int i = 0; i < 500; i++) {
        size_t at = 0;
        while (memcmp(all.ptr + at, "\r\n\r\n", 4) != 0) at++;
        all = str_from(all, at + 4);
        char want[8];
        snprintf(want, sizeof want, "%04d", i);
        CHECK_STR(str_slice(all, 0, 4), i % 3 ? str_of(want) : STR("4 00"));
    }
    HttpWorkerCounts counts = http_workers_counts(fixture.workers);
    CHECK(counts.waiting == 0 && counts.running == 0 && counts.refused == 0);
    finish();
}

TEST(http_worker, bodies_beyond_whole_max_are_streamed)
{
    start(3, 100);
    ARENA(arena);
    size_t sizes[] = {1, 65535, 65536, 65537, 262144, 300000, 5000000, 20000000};
    for (size_t i = 0; i < COUNT(sizes); i++) {
        char *body = malloc(sizes[i] + 64);
        uint64_t sum = 0;
        for (size_t k = 0; k < sizes[i]; k++) {
            body[k] = (char)(k * 7 + k / 1000);
            sum = sum * 31 + (unsigned char)body[k];
        }
        char want[80];
        snprintf(want, sizeof want, "%zu %016llx %d", sizes[i], (unsigned long long)sum,
                 sizes[i] > 65536);
        CHECK_STR(ask("PUT", "/count", (Str){body, sizes[i]}, 200, &arena), str_of(want));
        CHECK_STR(ask("PUT", "/slow", (Str){body, sizes[i]}, 200, &arena), str_of(want));
        /* In chunks nobody knows the length before the end. */
        int fd = dial();
        say(fd, STR("PUT /count" LAST "Transfer-Encoding: chunked\r\n\r\n"));
        for (size_t at = 0; at < sizes[i];) {
            size_t n = MIN(sizes[i] - at, (size_t)100000);
            say(fd, arena_format(&arena, "%zx\r\n", n));
            say(fd, (Str){body + at, n});
            say(fd, STR("\r\n"));
            at += n;
        }
        say(fd, STR("0\r\n\r\n"));
        CHECK(str_ends(hear(fd, NULL, &arena), str_of(want)));
        close(fd);
        free(body);
    }
    finish();
}

/* A function that does not read keeps the client waiting: about 256 KiB are taken beyond what the
 * socket holds. */
TEST(http_worker, a_reader_that_waits_makes_the_client_wait)
{
    start(1, 100);
    int fd = dial();
    say(fd, STR("PUT /sleep" HOST "Content-Length: 50000000\r\n\r\n"));
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    static char piece[65536];
    size_t sent = 0;
    for (double until = clock_seconds() + 0.2; clock_seconds() < until;) {
        ssize_t n = send(fd, piece, sizeof piece, MSG_NOSIGNAL);
        if (n > 0) sent += (size_t)n;
        if (n < 0) usleep(1000);
    }
    CHECK(sent > HTTP_READ_AHEAD / 2 && sent < 4 << 20);
    close(fd);
    finish();
}

TEST(http_worker, expect_is_answered_by_the_first_read)
{
    start(2, 100);
    ARENA(arena);
    for (int i = 0; i < 2; i++) {
        fixture.whole_max = i ? 64 << 10 : 10;
        int fd = dial();
        say(fd, STR("PUT /count" LAST "Expect: 100-continue\r\nContent-Length: 20\r\n\r\n"));
        CHECK(str_starts(hear(fd, "\r\n\r\n", &arena), STR("HTTP/1.1 100 ")));
        say(fd, STR("0123456789"));
        usleep(10000);
        say(fd, STR("0123456789"));
        CHECK(str_has(hear(fd, NULL, &arena), STR("\r\n\r\n20 ")));
        close(fd);
    }
    fixture.whole_max = 10;
    int fd = dial();
    say(fd, STR("PUT /denied" HOST "Expect: 100-continue\r\nContent-Length: 20\r\n\r\n"));
    Str refusal = hear(fd, NULL, &arena);
    CHECK(str_starts(refusal, STR("HTTP/1.1 403 ")) && str_has(refusal, STR("Connection: close")));
    close(fd);
    fd = dial(); /* a client that does not wait for the 100 */
    say(fd, STR("PUT /count" LAST "Expect: 100-continue\r\nContent-Length: 20\r\n\r\n"
                "01234567890123456789"));
    Str both = hear(fd, NULL, &arena);
    CHECK(str_has(both, STR("HTTP/1.1 200 ")) && str_has(both, STR("\r\n\r\n20 ")));
    close(fd);
    finish();
}

TEST(http_worker, answers_in_pieces)
{
    start(2, 100);
    ARENA(arena);
    CHECK_INT(ask("GET", "/stream", (Str){0}, 200, &arena).len, 20000000);
    CHECK_INT(ask("GET", "/length", (Str){0}, 200, &arena).len, 20000000);
    CHECK_INT(ask("HEAD", "/length", (Str){0}, 200, &arena).len, 0);
    int status;
    Str body;
    Error err;
    CHECK(!http_call(fixture.path, STR("GET"), STR("/short"), NULL, 0, (Str){0}, 10, &arena,
                     &status, &body, &err));
    CHECK(err.kind == ERROR_IO);
    CHECK(!http_call(fixture.path, STR("GET"), STR("/unended"), NULL, 0, (Str){0}, 10, &arena,
                     &status, &body, &err));
    CHECK(err.kind == ERROR_IO);
    int fd = dial();
    double before = clock_seconds();
    say(fd, STR("GET /flush" LAST "\r\n"));
    hear(fd, "first", &arena);
    CHECK(clock_seconds() - before < 0.08);
    CHECK(str_has(hear(fd, NULL, &arena), STR("second")));
    close(fd);
    finish();
}

static void wait_until(atomic_int *count, int want)
{
    for (int i = 0; i < 5000 && atomic_load(count) < want; i++) usleep(1000);
    CHECK_INT(atomic_load(count), want);
}

TEST(http_worker, clients_that_leave)
{
    start(1, 100);
    int fd = dial(); /* within its body */
    say(fd, STR("PUT /count" HOST "Content-Length: 500000\r\n\r\n0123456789"));
    usleep(20000);
    close(fd);
    wait_until(&fixture.cancelled, 1);
    fd = dial(); /* before the answer is read */
    say(fd, STR("GET /stream" HOST "\r\n"));
    usleep(20000);
    close(fd);
    wait_until(&fixture.cancelled, 2);
    fd = dial(); /* while the function works */
    say(fd, STR("GET /wait" HOST "\r\n"));
    usleep(20000);
    close(fd);
    wait_until(&fixture.lost, 1);
    fd = dial(); /* while it is queued: the function is not called */
    say(fd, STR("GET /sleep" HOST "\r\n"));
    int second = dial();
    say(second, STR("GET /sleep" HOST "\r\n"));
    usleep(50000);
    close(second);
    ARENA(arena);
    hear(fd, "\r\n\r\n", &arena);
    ask("GET", "/denied", (Str){0}, 403, &arena);
    CHECK_INT(atomic_load(&fixture.slept), 1);
    close(fd);
    fd = dial(); /* while its small body is collected */
    say(fd, STR("PUT /count" HOST "Content-Length: 50\r\n\r\n0123456789"));
    usleep(20000);
    close(fd);
    fd = dial(); /* a malformed chunk in a streamed body */
    say(fd, STR("PUT /count" HOST "Transfer-Encoding: chunked\r\n\r\n11000\r\n"));
    static char zeros[0x11000];
    say(fd, (Str){zeros, sizeof zeros});
    usleep(20000);
    say(fd, STR("\r\nx\r\n"));
    CHECK(str_starts(hear(fd, NULL, &arena), STR("HTTP/1.1 400 ")));
    close(fd);
    wait_until(&fixture.cancelled, 3);
    finish();
}

TEST(http_worker, a_full_queue_and_a_slow_one_answer_503)
{
    start(1, 2);
    ARENA(arena);
    int fds[5];
    for (int i = 0; i < 5; i++) {
        fds[i] = dial();
        say(fds[i], STR("GET /sleep" LAST "\r\n"));
        usleep(20000);
    }
    for (int i = 0; i < 5; i++) {
        Str text = hear(fds[i], NULL, &arena);
        CHECK(str_starts(text, i < 3 ? STR("HTTP/1.1 200 ") : STR("HTTP/1.1 503 ")));
        CHECK(i < 3 || str_has(text, STR("\r\nRetry-After: 1\r\n")));
        close(fds[i]);
    }
    CHECK_INT(http_workers_counts(fixture.workers).refused, 2);
    finish();
    fixture.slept = 0;
    start(1, 100);
    for (int i = 0; i < 5; i++) {
        fds[i] = dial();
        say(fds[i], STR("GET /sleep" LAST "\r\n"));
        usleep(1000);
    }
    for (int i = 0; i < 5; i++) {
        Str text = hear(fds[i], NULL, &arena);
        CHECK(str_starts(text, i < 4 ? STR("HTTP/1.1 200 ") : STR("HTTP/1.1 503 ")));
        close(fds[i]);
    }
    finish();
}

TEST(http_worker, parked_calls_hold_no_thread)
{
    start(1, 100);
    ARENA(arena);
    int fds[20];
    for (int i = 0; i < 20; i++) {
        fds[i] = dial();
        say(fds[i], STR("GET /park" LAST "\r\n"));
    }
    for (int i = 0; i < 1000 && http_workers_counts(fixture.workers).parked < 20; i++) usleep(1000);
    CHECK_INT(http_workers_counts(fixture.workers).parked, 20);
    ask("GET", "/denied", (Str){0}, 403, &arena);
    close(fds[19]); /* leaves: its function is called at once, and knows */
    wait_until(&fixture.lost, 1);
    pthread_mutex_lock(&park_lock);
    park_value = 7;
    for (int i = 0; i < n_parked; i += 2) http_call_resume(parked[i]);
    pthread_mutex_unlock(&park_lock);
    /* Those that were not resumed come after their 0.1 s. */
    for (int i = 0; i < 19; i++) {
        Str text = hear(fds[i], NULL, &arena);
        if (!str_has(text, STR("\r\n\r\n7 after "))) FAIL("%.*s", STR_ARG(text));
        close(fds[i]);
    }
    CHECK_INT(n_parked, 0);
    /* Parked again and again until its time is over. */
    park_value = 0;
    double before = clock_seconds();
    CHECK_STR(ask("GET", "/park", (Str){0}, 200, &arena), STR("0 after 3"));
    CHECK(clock_seconds() - before > 0.15);
    /* The pool ends with calls parked. */
    int fd = dial();
    say(fd, STR("GET /park" LAST "\r\n"));
    usleep(30000);
    finish();
    CHECK_INT(n_parked, 0);
    close(fd);
}

/* ---- everything at once: for the thread sanitizer ---- */

static void *ask_much(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    static const char *const targets[] = {"/echo", "/count", "/small",  "/stream",  "/file",
                                          "/park", "/slow",  "/denied", "/nothing", "/length"};
    static char body[200000];
    for (int i = 0; i < 15; i++) {
        seed = seed * 1103515245 + 12345;
        const char *target = targets[(seed >> 16) % COUNT(targets)];
        size_t n = (seed >> 8) % 3 ? (seed >> 16) % 1000 : (seed >> 12) % sizeof body;
        if (seed >> 20 & 1) { /* leaves early */
            char text[200];
            int len = snprintf(text, sizeof text, "PUT %s" HOST "Content-Length: %zu\r\n\r\n",
                               target, n);
            int fd = dial();
            say(fd, (Str){text, (size_t)len});
            send(fd, body, n / 2, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (seed >> 21 & 1) usleep(seed >> 18 & 1023);
            close(fd);
            continue;
        }
        ARENA(arena);
        int status;
        Str text;
        Error err;
        bool done = http_call(fixture.path, STR("PUT"), str_of(target), NULL, 0, (Str){body, n}, 20,
                              &arena, &status, &text, &err);
        if (!done || (status > 206 && status != 403 && status != 500 && status != 503))
            return (void *)(uintptr_t)(done ? status : 1);
    }
    return NULL;
}

TEST(http_worker, many_clients_at_once)
{
    start(3, 1000);
    pthread_t threads[8];
    for (uintptr_t i = 0; i < COUNT(threads); i++)
        CHECK(pthread_create(&threads[i], NULL, ask_much, (void *)(i * 7919)) == 0);
    for (size_t i = 0; i < COUNT(threads); i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        CHECK_INT((intptr_t)failed, 0);
    }
    finish();
    CHECK_INT(n_parked, 0);
}
