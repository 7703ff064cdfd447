/* Bytes of a client to the whole server, HTTP/1.1 or HTTP/2: whatever comes, each exchange must end
 * by an answer or as lost, and the connection when the client's bytes have ended.
 *
 * The first byte chooses what the handlers do, and whether HTTP/2's preface and SETTINGS are put in
 * front. */

#include "net/http2.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static Loop *loop;
static HttpServer *server;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int choices, alive, rounds;
static HttpExchange *waiting[256]; /* exchanges to be answered later */
static int n_waiting;
static LoopTimer tick;

static void check(bool holds)
{
    if (!holds) abort();
}

static void handle_head(void *arg, HttpExchange *exchange)
{
    (void)arg;
    exchange->body_max = 100;
    exchange->user = &alive;
    alive++;
    if (choices & 1) http_take_body(exchange);
    if (choices & 2) http_body_pause(exchange, true);
    if (choices & 2) waiting[n_waiting++ % COUNT(waiting)] = exchange;
}

static void handle_body(void *arg, HttpExchange *exchange, Str piece)
{
    (void)arg;
    check(exchange->user == &alive && piece.len > 0);
}

static void end(HttpExchange *exchange)
{
    for (int i = 0; i < n_waiting && i < (int)COUNT(waiting); i++)
        if (waiting[i] == exchange) waiting[i] = NULL;
    exchange->user = NULL;
    alive--;
}

static void answer(HttpExchange *exchange)
{
    end(exchange);
    Str path = http_path(exchange->request);
    http_answer_field(exchange, STR("X-Path"), path);
    if (choices & 8 && path.len > 3) {
        http_abort(exchange);
    } else if (choices & 16) {
        http_answer_begin(exchange, 200, STR("text/plain"), -1);
        http_answer_write(exchange, path);
        http_answer_end(exchange);
    } else {
        http_answer(exchange, 200, (Str){0}, exchange->body);
    }
}

static void handle_request(void *arg, HttpExchange *exchange)
{
    (void)arg;
    check(exchange->user == &alive);
    if (choices & 4)
        waiting[n_waiting++ % COUNT(waiting)] = exchange;
    else
        answer(exchange);
}

static void handle_lost(void *arg, HttpExchange *exchange)
{
    (void)arg;
    if (exchange->user == &alive) end(exchange);
}

/* Lets what waits go on, and ends the loop when the connection has ended. */
static void on_tick(LoopTimer *timer)
{
    for (int i = 0; i < (int)COUNT(waiting); i++) {
        HttpExchange *exchange = waiting[i];
        if (!exchange) continue;
        waiting[i] = NULL;
        if (choices & 2) http_body_pause(exchange, false);
        if (choices & 4 && exchange->user == &alive) answer(exchange);
    }
    if (http_server_counts(server).open == 0)
        loop_stop(loop);
    else
        loop_timer_start(loop, timer, loop_now(loop) + (++rounds > 20 ? 0.01 : 0));
}

static void start(void)
{
    static const HttpHandler handler = {
        .head = handle_head,
        .body = handle_body,
        .request = handle_request,
        .lost = handle_lost,
    };
    HttpOptions options = http_options;
    options.http2 = &http2;
    options.slow_seconds = options.head_seconds = options.idle_seconds = 1;
    int fd;
    snprintf(address.sun_path, sizeof address.sun_path, "/tmp/clary-fuzz-%d", (int)getpid());
    check(loop_new(&loop, NULL));
    server = http_server_new(loop, &handler, &options);
    check(http_listen_unix(address.sun_path, &fd, NULL));
    check(http_server_listen(server, fd, false, NULL));
    tick.fire = on_tick;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";
    if (size < 1 || size > 60000) return 0;
    if (!loop) start();
    choices = data[0];
    if ((choices & 6) == 6) choices &= ~4; /* one list, one meaning */
    alive = n_waiting = rounds = 0;
    memset(waiting, 0, sizeof waiting);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    check(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    if (choices & 128) check(send(fd, preface, sizeof preface - 1, MSG_NOSIGNAL) > 0);
    ssize_t n = send(fd, data + 1, size - 1, MSG_NOSIGNAL);
    check(n == (ssize_t)size - 1);
    shutdown(fd, SHUT_WR);
    http_server_counts(server);
    /* The connection is accepted in the first round, before the tick looks. */
    loop_timer_start(loop, &tick, loop_now(loop) + 0.0005);
    check(loop_run(loop, NULL));
    close(fd);
    check(alive == 0);
    return 0;
}
