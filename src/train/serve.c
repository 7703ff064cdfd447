/* The model server: an event loop and an HTTP server per thread, the model shared between them.
 *
 * The first loop runs on the calling thread and takes the signals; with one thread no other is
 * ever started.  TCP threads have listening sockets of their own on the same port, so the kernel
 * spreads the connections; a Unix socket is shared. */

#include "train/serve.h"

#include "base/file.h"
#include "format/csv.h"
#include "net/http_server.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

_Static_assert((int)HTTP_SLACK >= (int)CSV_SLACK, "CSV is read beyond the body");

enum { PORT_DEFAULT = 8080, MIB = 1 << 20, PAYLOAD_MIB_MAX = 100, STATE_KEPT_MAX = 1 << 20 };

typedef struct Serving Serving;

typedef struct Worker {
    Serving *serving;
    Loop *loop;
    HttpServer *server;
    InvokeState state;
    LoopTask stop_task;
    pthread_t thread;
    bool started;
    Error err;
} Worker;

struct Serving {
    const ServeOptions *options;
    Artifact artifact;
    Invoker invoker;
    int n_workers;
    Worker workers[];
};

/* ---- settings ---- */

static bool environment_number(const char *name, int64_t min, int64_t max, int64_t *ret_value,
                               Error *err)
{
    const char *text = getenv(name);
    int64_t value;
    if (!text || !*text) return true;
    if (!str_to_int64(str_of(text), &value) || value < min || value > max)
        return error_set(err, ERROR_INVALID, "%s: '%s' is not a number from %lld to %lld", name,
                         text, (long long)min, (long long)max);
    *ret_value = value;
    return true;
}

static Str environment_text(const char *name)
{
    const char *text = getenv(name);
    return text ? str_trim(str_of(text)) : STR("");
}

bool serve_options_from_environment(Arena *arena, ServeOptions *ret_options, Error *err)
{
    const char *base = getenv("SAGEMAKER_BASE_DIR");
    bool batch = str_eq_nocase(environment_text("SAGEMAKER_BATCH"), STR("true"));
    int64_t port = PORT_DEFAULT, workers = 0, payload = batch ? PAYLOAD_MIB_MAX : 0,
            length = 6 * MIB;
    if (!environment_number("SAGEMAKER_BIND_TO_PORT", 0, 65535, &port, err) ||
        !environment_number("MODEL_SERVER_WORKERS", 1, SERVE_THREADS_MAX, &workers, err) ||
        !environment_number("MAX_CONTENT_LENGTH", 1, (int64_t)PAYLOAD_MIB_MAX * MIB, &length,
                            err) ||
        !environment_number("SAGEMAKER_MAX_PAYLOAD_IN_MB", 0, PAYLOAD_MIB_MAX, &payload, err))
        return false;
    *ret_options = (ServeOptions){
        .folder = path_join(arena, base && *base ? base : "/opt/ml", "model"),
        .host = "127.0.0.1",
        .port = (int)port,
        .n_threads = (int)workers,
        .body_max = (uint64_t)MAX(length, payload * MIB),
        .invoke =
            {
                .batch = batch,
                .default_accept = environment_text("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT"),
                .inference_output = environment_text("SAGEMAKER_INFERENCE_OUTPUT"),
            },
    };
    return true;
}

/* ---- requests ---- */

static void answer_text(HttpExchange *exchange, int status, const char *text)
{
    http_answer(exchange, status, STR("text/plain"), str_of(text));
}

static void answer_wrong_method(HttpExchange *exchange, const char *allowed)
{
    http_answer_field(exchange, STR("Allow"), str_of(allowed));
    http_answer(exchange, 405, STR("text/plain"), STR("this method is not offered here"));
}

static void answer_parameters(const Serving *serving, HttpExchange *exchange)
{
    AUTO_STRBUF StrBuf text = STRBUF(1024);
    strbuf_addf(
        &text,
        "{\"MaxConcurrentTransforms\":%d,\"BatchStrategy\":\"MULTI_RECORD\",\"MaxPayloadInMB\":%llu}",
        serving->n_workers, (unsigned long long)MAX(serving->options->body_max / MIB, 1u));
    http_answer(exchange, 200, STR("application/json"), strbuf_str(&text));
}

static void handle_invocation(Worker *worker, HttpExchange *exchange)
{
    const HttpRequest *request = exchange->request;
    InvokeState *state = &worker->state;
    Str type;
    int status = invoke(&worker->serving->invoker, state,
                        http_field_value(request, request->content_type),
                        http_field_value(request, request->accept), exchange->body, &type);
    http_answer(exchange, status, type, strbuf_str(&state->out));
    /* One large request must not hold its memory for ever. */
    if (state->out.capacity > STATE_KEPT_MAX ||
        state->rows.capacity > STATE_KEPT_MAX / sizeof(float))
        invoke_state_clear(state);
}

static void handle_request(void *arg, HttpExchange *exchange)
{
    Worker *worker = arg;
    HttpMethod method = exchange->request->method;
    Str path = http_path(exchange->request);
    bool reads = method == HTTP_GET || method == HTTP_HEAD;
    if (str_eq(path, STR("/invocations"))) {
        if (method == HTTP_POST)
            handle_invocation(worker, exchange);
        else
            answer_wrong_method(exchange, "POST");
    } else if (str_eq(path, STR("/ping"))) {
        if (reads)
            http_answer(exchange, 200, (Str){0}, (Str){0});
        else
            answer_wrong_method(exchange, "GET, HEAD");
    } else if (str_eq(path, STR("/execution-parameters"))) {
        if (reads)
            answer_parameters(worker->serving, exchange);
        else
            answer_wrong_method(exchange, "GET, HEAD");
    } else {
        answer_text(exchange, 404, "there is /ping, /invocations and /execution-parameters");
    }
}

/* ---- workers ---- */

static void worker_stopped(void *arg)
{
    Worker *worker = arg;
    loop_stop(worker->loop);
}

static void stop_worker(LoopTask *task)
{
    Worker *worker = LOOP_OWNER(task, Worker, stop_task);
    http_server_stop(worker->server, worker_stopped, worker);
}

static void catch_signal(void *arg, int signal UNUSED)
{
    Serving *serving = arg;
    for (int i = 0; i < serving->n_workers; i++) {
        Worker *worker = &serving->workers[i];
        if (worker->stop_task.run) continue; /* a second signal changes nothing */
        worker->stop_task.run = stop_worker;
        loop_post(worker->loop, &worker->stop_task);
    }
}

static bool open_worker(Worker *worker, int fd, bool shared, Error *err)
{
    HttpHandler handler = {.arg = worker, .request = handle_request};
    HttpOptions options = http_options;
    options.limits.body_max = worker->serving->options->body_max;
    if (!loop_new(&worker->loop, err)) {
        close(fd);
        return false;
    }
    worker->server = http_server_new(worker->loop, &handler, &options);
    return http_server_listen(worker->server, fd, shared, err);
}

static bool open_workers(Serving *serving, int *ret_port, Error *err)
{
    const ServeOptions *options = serving->options;
    bool shared = options->socket && serving->n_workers > 1;
    int fd, port = options->port;
    if (options->socket ? !http_listen_unix(options->socket, &fd, err)
                        : !http_listen_tcp(options->host, port, false, &fd, &port, err))
        return false;
    if (!options->socket && serving->n_workers > 1) {
        /* The first socket showed that nobody else has the port; now ours may share it. */
        close(fd);
        if (!http_listen_tcp(options->host, port, true, &fd, NULL, err)) return false;
    }
    for (int i = 0; i < serving->n_workers; i++) {
        Worker *worker = &serving->workers[i];
        worker->serving = serving;
        int own = fd;
        if (i > 0 && shared && (own = fcntl(fd, F_DUPFD_CLOEXEC, 0)) < 0)
            return error_sys(err, errno, "share '%s'", options->socket);
        if (i > 0 && !shared && !http_listen_tcp(options->host, port, true, &own, NULL, err))
            return false;
        if (!open_worker(worker, own, shared, err)) return false;
    }
    *ret_port = port;
    return true;
}

static void *run_worker(void *arg)
{
    Worker *worker = arg;
    loop_run(worker->loop, &worker->err);
    return NULL;
}

static void close_workers(Serving *serving)
{
    for (int i = 0; i < serving->n_workers; i++) {
        Worker *worker = &serving->workers[i];
        http_server_free(worker->server);
        loop_free(worker->loop);
        invoke_state_clear(&worker->state);
    }
}

static bool run_workers(Serving *serving, Error *err)
{
    bool good = true;
    int n = 1;
    for (; good && n < serving->n_workers; n++) {
        int code = pthread_create(&serving->workers[n].thread, NULL, run_worker,
                                  &serving->workers[n]);
        if (code)
            good = error_sys(err, code, "start thread %d", n);
        else
            serving->workers[n].started = true;
    }
    if (good) good = loop_run(serving->workers[0].loop, err);
    for (int i = 1; i < serving->n_workers; i++) {
        Worker *worker = &serving->workers[i];
        if (!worker->started) continue;
        if (!good) loop_stop(worker->loop);
        pthread_join(worker->thread, NULL);
        if (good && worker->err.kind != ERROR_NONE) {
            *err = worker->err;
            good = false;
        }
    }
    return good;
}

bool serve_run(const ServeOptions *options,
               void (*ready)(const ServeOptions *options, const Artifact *artifact, int port),
               Error *err)
{
    static const int signals[] = {SIGTERM, SIGINT, 0};
    int n = MIN(options->n_threads ? options->n_threads : processor_count(), SERVE_THREADS_MAX);
    Serving *serving = calloc(1, sizeof *serving + (size_t)n * sizeof(Worker));
    if (!serving) return error_set(err, ERROR_NO_MEMORY, "no memory for the server");
    serving->options = options;
    serving->n_workers = n;
    signal(SIGPIPE, SIG_IGN); /* sendfile has no MSG_NOSIGNAL */

    int port = 0;
    bool good = artifact_load(options->folder, options->algorithm, &serving->artifact, err) &&
                invoker_init(&serving->invoker, &serving->artifact, &options->invoke, err) &&
                open_workers(serving, &port, err) &&
                loop_signals(serving->workers[0].loop, signals, catch_signal, serving, err);
    if (good && ready) ready(options, &serving->artifact, port);
    good = good && run_workers(serving, err);
    close_workers(serving);
    artifact_clear(&serving->artifact);
    if (options->socket && good) unlink(options->socket);
    free(serving);
    return good;
}
