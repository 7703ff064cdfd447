/* InvokeEndpoint's short way; see runtime.h.
 *
 * The runtime of a loop keeps a copy of the newest routes in its own structures, with an HTTP client for each model
 * server.  A request picks a variant by weight (or the one it names), in it the healthy server with the fewest
 * requests under way, and is forwarded as it is.
 *
 * A request of which no byte reached a server may be tried elsewhere (rule E2); one that finds no healthy server waits
 * at most a second, since dead servers are back sooner. */

#include "service/sagemaker/runtime.h"

#include "aws/digest.h"
#include "aws/message.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "net/http_client.h"
#include "service/cloudwatch/metrics.h"
#include "service/iam/access.h"
#include "service/sagemaker/hosting.h"

#include <stdio.h>
#include <stdlib.h>

enum { KEPT_MAX = 256, BODY_KEPT_BYTES = 64 << 10, QUEUED_BYTES = 256 << 10, SERIES_MAX = 10000 };
enum { ERROR_BODY_BYTES = 64 << 10 };
#define RETRY_SECONDS 0.01

/* ---- structures ---- */

typedef struct Client { /* of one model server */
    ModelServer *server;
    HttpClient *http;
    int in_flight; /* of this loop */
    bool gone;     /* not in the routes any more */
    struct Client *next;
} Client;

typedef struct LocalVariant {
    Str name;
    double weight;
    Client **clients;
    int n_clients, n_containers, turn; /* the clients of an instance lie together */
} LocalVariant;

typedef struct LocalEndpoint {
    Str region, key, name, log_group;
    LocalVariant *variants;
    int n_variants;
} LocalEndpoint;

/* What is counted between two statistic sets, per variant. */
typedef struct Latency {
    double sum, min, max;
} Latency;
typedef struct Series {
    char *region, *endpoint, *variant;
    int64_t n, errors_4xx, errors_5xx;
    Latency model, overhead; /* microseconds */
    double per_instance;
    struct Series *next;
} Series;

typedef struct Invocation {
    Runtime *runtime;
    HttpExchange *exchange; /* NULL: the client has gone */
    HttpFetch *fetch;
    Client *chain[MODEL_CONTAINERS_MAX]; /* each feeds the next; none when nothing is under way */
    int n_chain, place;
    Str region, key, endpoint;
    Str target; /* variant that was asked for, or empty */
    Str variant, stream_name, log_group, custom, content_type, inference_id;
    bool streams, streaming, paused;
    int status, n_instances;
    double begun, sent, latest;
    StrBuf body;
    Arena arena;
    char id[40];
    struct Invocation *next; /* among the kept or the waiting */
} Invocation;

struct Runtime {
    Server *server;
    Hosting *hosting;
    Loop *loop;
    LoopTask task;
    bool posted; /* atomic */
    struct Runtime *next;
    Routes *routes;
    Arena arena; /* of endpoints */
    LocalEndpoint *endpoints;
    size_t n_endpoints;
    uint32_t *table; /* endpoints by hash, plus one */
    size_t table_mask;
    Client *clients;
    Invocation *kept, *waiting;
    int n_kept, n_waiting;
    LoopTimer wait_timer, metrics_timer;
    Series *series;
    int n_series;
    uint64_t draws;
    Random random;
};

/* ---- routes ---- */

struct Runtime *runtime_next(struct Runtime *runtime)
{
    return runtime->next;
}

void runtime_poke(struct Runtime *runtime)
{
    if (!__atomic_exchange_n(&runtime->posted, true, __ATOMIC_ACQ_REL))
        loop_post(runtime->loop, &runtime->task);
}

static Client *client_of(Runtime *runtime, ModelServer *server)
{
    for (Client *client = runtime->clients; client; client = client->next)
        if (client->server == server) {
            client->gone = false;
            return client;
        }
    HttpClientOptions options = http_client_options;
    options.limits.body_max = INVOKE_ANSWER_BYTES_MAX;
    options.connections_max = options.idle_max = INVOKE_CONNECTIONS_MAX;
    options.queue_max = INVOKE_QUEUE_MAX;
    options.answer_seconds = options.stall_seconds = INVOKE_SECONDS;
    Client *client = calloc(1, sizeof *client);
    if (!client) memory_exhausted(sizeof *client);
    client->server = server;
    client->http = http_client_new(runtime->loop, server->address, &options);
    assert(client->http);
    __atomic_add_fetch(&server->refs, 1, __ATOMIC_RELAXED);
    client->next = runtime->clients;
    runtime->clients = client;
    return client;
}

static void client_free(Client *client)
{
    http_client_free(client->http);
    model_server_unref(client->server);
    free(client);
}

static uint64_t endpoint_hash(Str region, Str key)
{
    return hash_str(key, hash_str(region, 0));
}

static void copy_endpoint(Runtime *runtime, LocalEndpoint *to, const RouteEndpoint *from)
{
    Arena *arena = &runtime->arena;
    /* Texts are the routes', which are held as long. */
    *to = (LocalEndpoint){from->region,
                          from->key,
                          from->name,
                          from->log_group,
                          arena_array(arena, LocalVariant, from->n_variants),
                          from->n_variants};
    for (int v = 0; v < from->n_variants; v++) {
        const RouteVariant *variant = &from->variants[v];
        LocalVariant *local = &to->variants[v];
        *local = (LocalVariant){variant->name,
                                variant->weight,
                                arena_array(arena, Client *, variant->n_servers),
                                variant->n_servers,
                                variant->n_containers,
                                0};
        for (int s = 0; s < variant->n_servers; s++)
            local->clients[s] = client_of(runtime, variant->servers[s]);
    }
}

/* Takes the newest routes; not from inside a client's callback. */
static void refresh(Runtime *runtime)
{
    Routes *old = runtime->routes, *routes = hosting_routes(runtime->hosting);
    runtime->routes = routes;
    arena_clear(&runtime->arena);
    for (Client *client = runtime->clients; client; client = client->next) client->gone = true;
    runtime->n_endpoints = routes->n_endpoints;
    runtime->endpoints = arena_array(&runtime->arena, LocalEndpoint, routes->n_endpoints);
    size_t slots = 4;
    while (slots < 2 * routes->n_endpoints) slots *= 2;
    runtime->table = arena_array(&runtime->arena, uint32_t, slots);
    runtime->table_mask = slots - 1;
    for (size_t i = 0; i < routes->n_endpoints; i++) {
        LocalEndpoint *endpoint = &runtime->endpoints[i];
        copy_endpoint(runtime, endpoint, &routes->endpoints[i]);
        size_t at = endpoint_hash(endpoint->region, endpoint->key) & runtime->table_mask;
        while (runtime->table[at]) at = (at + 1) & runtime->table_mask;
        runtime->table[at] = (uint32_t)i + 1;
    }
    for (Client **at = &runtime->clients; *at;) {
        Client *client = *at;
        if (client->gone && !client->in_flight) {
            *at = client->next;
            client_free(client);
        } else {
            at = &client->next;
        }
    }
    routes_unref(old);
}

static void refresh_if_old(Runtime *runtime)
{
    if (!runtime->routes ||
        __atomic_load_n(&runtime->hosting->version, __ATOMIC_ACQUIRE) != runtime->routes->version)
        refresh(runtime);
}

static LocalEndpoint *endpoint_find(Runtime *runtime, Str region, Str key)
{
    size_t at = endpoint_hash(region, key) & runtime->table_mask;
    for (; runtime->table[at]; at = (at + 1) & runtime->table_mask) {
        LocalEndpoint *endpoint = &runtime->endpoints[runtime->table[at] - 1];
        if (str_eq(endpoint->key, key) && str_eq(endpoint->region, region)) return endpoint;
    }
    return NULL;
}

/* ---- metrics ---- */

static Series *series_of(Runtime *runtime, const Invocation *inv)
{
    for (Series **at = &runtime->series; *at; at = &(*at)->next) {
        Series *series = *at;
        if (str_is(inv->variant, series->variant) && str_is(inv->endpoint, series->endpoint) &&
            str_is(inv->region, series->region))
            return series;
    }
    if (runtime->n_series == SERIES_MAX) return NULL;
    Series *series = calloc(1, sizeof *series);
    if (!series) memory_exhausted(sizeof *series);
    series->region = strndup(inv->region.ptr, inv->region.len);
    series->endpoint = strndup(inv->endpoint.ptr, inv->endpoint.len);
    series->variant = strndup(inv->variant.ptr, inv->variant.len);
    if (!series->region || !series->endpoint || !series->variant) memory_exhausted(0);
    series->next = runtime->series;
    runtime->series = series;
    runtime->n_series++;
    return series;
}

static void latency_add(Latency *latency, double us, bool first)
{
    latency->sum += us;
    if (first || us < latency->min) latency->min = us;
    if (first || us > latency->max) latency->max = us;
}

static void count(Invocation *inv, int status)
{
    Runtime *runtime = inv->runtime;
    Series *series = inv->variant.len ? series_of(runtime, inv) : NULL;
    if (!series) return;
    double now = clock_seconds(), model = inv->sent > 0 ? (now - inv->sent) * 1e6 : 0;
    latency_add(&series->model, model, !series->n);
    latency_add(&series->overhead, MAX((now - inv->begun) * 1e6 - model, 0), !series->n);
    series->errors_4xx += status >= 400 && status < 500;
    series->errors_5xx += status >= 500;
    series->per_instance += 1.0 / MAX(inv->n_instances, 1);
    series->n++;
    if (!runtime->metrics_timer.position)
        loop_timer_start(runtime->loop, &runtime->metrics_timer,
                         loop_now(runtime->loop) + INVOKE_METRICS_SECONDS);
}

typedef struct MetricBatch {
    Hosting *hosting;
    Series *series;
} MetricBatch;

static void series_free(Series *series)
{
    while (series) {
        Series *next = series->next;
        free(series->region);
        free(series->endpoint);
        free(series->variant);
        free(series);
        series = next;
    }
}

static void put_series(Server *server, const Series *series)
{
    double n = (double)series->n, e4 = (double)series->errors_4xx, e5 = (double)series->errors_5xx;
    const struct {
        const char *name, *unit;
        double sum, min, max;
    } rows[] = {
        {"Invocations", "Count", n, 1, 1},
        {"InvocationsPerInstance", "Count", series->per_instance, series->per_instance / n,
         series->per_instance / n},
        {"ModelLatency", "Microseconds", series->model.sum, series->model.min, series->model.max},
        {"OverheadLatency", "Microseconds", series->overhead.sum, series->overhead.min,
         series->overhead.max},
        {"Invocation4XXErrors", "Count", e4, e4 < n ? 0 : 1, e4 > 0 ? 1 : 0},
        {"Invocation5XXErrors", "Count", e5, e5 < n ? 0 : 1, e5 > 0 ? 1 : 0},
    };
    MetricPoint points[COUNT(rows)] = {0};
    double now = clock_wall();
    for (size_t i = 0; i < COUNT(rows); i++) {
        points[i] = (MetricPoint){
            .space = STR("AWS/SageMaker"),
            .name = str_of(rows[i].name),
            .dimensions = {{STR("EndpointName"), str_of(series->endpoint)},
                           {STR("VariantName"), str_of(series->variant)}},
            .n_dimensions = 2,
            .time = now,
            .n = n,
            .sum = rows[i].sum,
            .min = rows[i].min,
            .max = rows[i].max,
            .unit = rows[i].unit,
        };
    }
    Error err = {0};
    if (!metrics_put(server, str_of(series->region), points, COUNT(points), &err))
        log_error("metrics of endpoint %s: %s", series->endpoint, err.text);
}

static void *put_metrics(void *arg)
{
    MetricBatch *batch = arg;
    Hosting *hosting = batch->hosting;
    for (const Series *series = batch->series; series; series = series->next)
        put_series(hosting->server, series);
    series_free(batch->series);
    free(batch);
    pthread_mutex_lock(&hosting->mutex);
    hosting->n_threads--;
    pthread_cond_broadcast(&hosting->changed);
    pthread_mutex_unlock(&hosting->mutex);
    return NULL;
}

/* Storing waits for the disk: not on the loop's thread. */
static void fire_metrics(LoopTimer *timer)
{
    Runtime *runtime = LOOP_OWNER(timer, Runtime, metrics_timer);
    MetricBatch *batch = calloc(1, sizeof *batch);
    if (!batch) memory_exhausted(sizeof *batch);
    *batch = (MetricBatch){runtime->hosting, runtime->series};
    runtime->series = NULL;
    runtime->n_series = 0;
    pthread_mutex_lock(&runtime->hosting->mutex);
    runtime->hosting->n_threads++;
    pthread_mutex_unlock(&runtime->hosting->mutex);
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attributes, put_metrics, batch)) put_metrics(batch);
    pthread_attr_destroy(&attributes);
}

/* ---- invocations ---- */

/* A random UUID (version 4). */
static void write_id(char id[static 40], uint64_t a, uint64_t b)
{
    uint8_t bytes[16];
    char hex[32];
    memcpy(bytes, &a, 8);
    memcpy(bytes + 8, &b, 8);
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    hex_write(bytes, sizeof bytes, hex);
    for (int i = 0, at = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20) id[at++] = '-';
        id[at++] = hex[i];
    }
    id[36] = 0;
}

static Invocation *invocation_new(Runtime *runtime, HttpExchange *exchange)
{
    Invocation *inv = runtime->kept;
    if (inv) {
        runtime->kept = inv->next;
        runtime->n_kept--;
    } else {
        inv = calloc(1, sizeof *inv);
        if (!inv) memory_exhausted(sizeof *inv);
        inv->body = (StrBuf)STRBUF(INVOKE_ANSWER_BYTES_MAX);
    }
    StrBuf body = inv->body;
    Arena arena = inv->arena;
    *inv = (Invocation){.runtime = runtime, .exchange = exchange, .body = body, .arena = arena};
    inv->begun = clock_seconds();
    exchange->user = inv;
    uint64_t a = random_u64(runtime->random, runtime->draws++),
             b = random_u64(runtime->random, runtime->draws++);
    write_id(inv->id, a, b);
    return inv;
}

static void invocation_free(Invocation *inv)
{
    Runtime *runtime = inv->runtime;
    if (runtime->n_kept >= KEPT_MAX) {
        arena_clear(&inv->arena);
        strbuf_clear(&inv->body);
        free(inv);
        return;
    }
    arena_reset(&inv->arena);
    inv->body.len = 0;
    inv->body.overflow = false;
    if (inv->body.capacity > BODY_KEPT_BYTES) strbuf_clear(&inv->body);
    inv->next = runtime->kept;
    runtime->kept = inv;
    runtime->n_kept++;
}

static void answer_error(Invocation *inv, int status, const char *code, const Json *details,
                         const char *format, ...) PRINTF_LIKE(5, 6);

/* Ends the invocation with an error; frees it. */
static void answer_error(Invocation *inv, int status, const char *code, const Json *details,
                         const char *format, ...)
{
    HttpExchange *exchange = inv->exchange;
    if (exchange) {
        va_list args;
        va_start(args, format);
        AUTO_STRBUF StrBuf text = STRBUF(2 * ERROR_BODY_BYTES);
        strbuf_addv(&text, format, args);
        va_end(args);
        Route route;
        WireAnswer answer = {0};
        route_find(exchange->request, (Str){0}, STR("sagemaker"), &route);
        message_write_error(&route, status, code, strbuf_str(&text), details, str_of(inv->id),
                            &inv->arena, &answer);
        count(inv, answer.status);
        for (int i = 0; i < answer.n_fields; i++)
            http_answer_field(exchange, answer.fields[i].name, answer.fields[i].value);
        exchange->user = NULL;
        http_answer(exchange, answer.status, answer.content_type, answer.body);
    }
    invocation_free(inv);
}

static void forward(Invocation *inv);
static void send_on(Invocation *inv, Str content_type, Str body);

/* ---- waiting for a server ---- */

static void wait_for_server(Invocation *inv)
{
    Runtime *runtime = inv->runtime;
    double now = loop_now(runtime->loop);
    if (inv->latest <= 0) inv->latest = now + INVOKE_WAIT_MS / 1e3;
    if (now >= inv->latest || runtime->n_waiting >= INVOKE_WAITING_MAX) {
        if (inv->exchange) http_answer_field(inv->exchange, STR("Retry-After"), STR("1"));
        answer_error(inv, 503, "ServiceUnavailable", NULL,
                     "No healthy instance of endpoint %.*s answers now; please retry",
                     STR_ARG(inv->endpoint));
        return;
    }
    inv->next = runtime->waiting;
    runtime->waiting = inv;
    runtime->n_waiting++;
    if (!runtime->wait_timer.position)
        loop_timer_start(runtime->loop, &runtime->wait_timer, now + RETRY_SECONDS);
}

static void retry_waiting(Runtime *runtime)
{
    Invocation *waiting = runtime->waiting;
    runtime->waiting = NULL;
    runtime->n_waiting = 0;
    while (waiting) {
        Invocation *inv = waiting;
        waiting = inv->next;
        inv->next = NULL;
        forward(inv);
    }
}

static void fire_wait(LoopTimer *timer)
{
    Runtime *runtime = LOOP_OWNER(timer, Runtime, wait_timer);
    refresh_if_old(runtime);
    retry_waiting(runtime);
}

static void run_task(LoopTask *task)
{
    Runtime *runtime = LOOP_OWNER(task, Runtime, task);
    __atomic_store_n(&runtime->posted, false, __ATOMIC_RELEASE);
    refresh_if_old(runtime);
    /* A client that is gone goes when its last request ends. */
    bool idle = false;
    for (Client *client = runtime->clients; client; client = client->next)
        idle |= client->gone && !client->in_flight;
    if (idle) refresh(runtime);
    retry_waiting(runtime);
}

/* ---- choosing ---- */

static LocalVariant *pick_variant(Runtime *runtime, LocalEndpoint *endpoint, Str target)
{
    double total = 0;
    LocalVariant *last = NULL;
    for (int i = 0; i < endpoint->n_variants; i++) {
        LocalVariant *variant = &endpoint->variants[i];
        if (target.len && !str_eq(variant->name, target)) continue;
        last = variant;
        total += variant->weight;
    }
    if (!last || endpoint->n_variants == 1) return last;
    double draw = random_unit(runtime->random, runtime->draws++) * total;
    for (int i = 0; i < endpoint->n_variants; i++) {
        LocalVariant *variant = &endpoint->variants[i];
        if (target.len && !str_eq(variant->name, target)) continue;
        if (variant->weight > 0) last = variant;
        if (draw < variant->weight) return variant;
        draw -= variant->weight;
    }
    return last;
}

static bool is_healthy(Client *const *instance, int n)
{
    for (int i = 0; i < n; i++)
        if (!__atomic_load_n(&instance[i]->server->healthy, __ATOMIC_ACQUIRE)) return false;
    return true;
}

/* The healthy instance with the fewest requests under way; of equals the next in turn. */
static Client *const *pick_instance(LocalVariant *variant)
{
    Client *const *best = NULL;
    int fewest = 0, n = variant->n_clients / variant->n_containers;
    for (int i = 0; i < n; i++) {
        Client *const *instance = variant->clients +
                                  (variant->turn + i) % n * variant->n_containers;
        if (!is_healthy(instance, variant->n_containers)) continue;
        int busy = __atomic_load_n(&instance[0]->server->in_flight, __ATOMIC_RELAXED);
        if (best && busy >= fewest) continue;
        best = instance;
        fewest = busy;
    }
    variant->turn++;
    return best;
}

static void take_instance(Invocation *inv, Client *const *instance, int n)
{
    for (int i = 0; i < n; i++) {
        inv->chain[i] = instance[i];
        instance[i]->in_flight++;
        __atomic_add_fetch(&instance[i]->server->in_flight, 1, __ATOMIC_RELAXED);
    }
    inv->n_chain = n;
    inv->place = 0;
}

/* ---- the model's answer ---- */

static void release_instance(Invocation *inv)
{
    for (int i = 0; i < inv->n_chain; i++) {
        Client *client = inv->chain[i];
        __atomic_sub_fetch(&client->server->in_flight, 1, __ATOMIC_RELAXED);
        client->in_flight--;
        if (client->gone && !client->in_flight)
            runtime_poke(inv->runtime); /* freed outside of callbacks */
    }
    inv->n_chain = 0;
    inv->fetch = NULL;
}

static bool is_last(const Invocation *inv)
{
    return inv->place + 1 == inv->n_chain;
}

static void begin_stream(Invocation *inv)
{
    HttpExchange *exchange = inv->exchange;
    inv->streaming = true;
    http_answer_field(exchange, STR("x-amzn-RequestId"), str_of(inv->id));
    http_answer_field(exchange, STR("x-Amzn-Invoked-Production-Variant"), inv->variant);
    if (inv->content_type.len)
        http_answer_field(exchange, STR("X-Amzn-SageMaker-Content-Type"), inv->content_type);
    if (inv->custom.len)
        http_answer_field(exchange, STR("X-Amzn-SageMaker-Custom-Attributes"), inv->custom);
    http_answer_begin(exchange, 200, STR("application/vnd.amazon.eventstream"), -1);
}

static void on_answer_head(void *arg, const HttpResponse *response)
{
    Invocation *inv = arg;
    inv->status = response->status;
    inv->content_type = arena_str(&inv->arena,
                                  http_response_value(response, response->content_type));
    inv->custom = arena_str(
        &inv->arena, http_response_field(response, STR("X-Amzn-SageMaker-Custom-Attributes")));
    if (inv->streams && inv->exchange && is_last(inv) && inv->status / 100 == 2) begin_stream(inv);
}

static void on_answer_body(void *arg, Str piece)
{
    Invocation *inv = arg;
    if (!inv->streaming) {
        strbuf_add(&inv->body, piece);
        return;
    }
    if (!inv->exchange) return;
    static const WireField headers[] = {
        {STR_INIT(":event-type"), STR_INIT("PayloadPart")},
        {STR_INIT(":content-type"), STR_INIT("application/octet-stream")},
        {STR_INIT(":message-type"), STR_INIT("event")},
    };
    AUTO_STRBUF StrBuf frame = STRBUF(INVOKE_ANSWER_BYTES_MAX);
    event_frame_write(&frame, headers, COUNT(headers), piece);
    http_answer_write(inv->exchange, strbuf_str(&frame));
    if (http_answer_queued(inv->exchange) > QUEUED_BYTES) {
        inv->paused = true;
        http_fetch_pause(inv->fetch, true);
    }
}

static void end_stream(Invocation *inv, const Error *err)
{
    HttpExchange *exchange = inv->exchange;
    if (exchange) {
        if (err) {
            static const WireField headers[] = {
                {STR_INIT(":exception-type"), STR_INIT("ModelStreamError")},
                {STR_INIT(":content-type"), STR_INIT("application/json")},
                {STR_INIT(":message-type"), STR_INIT("exception")},
            };
            AUTO_STRBUF StrBuf frame = STRBUF(64 << 10);
            event_frame_write(&frame, headers, COUNT(headers),
                              STR("{\"Message\":\"The model's answer broke off\","
                                  "\"ErrorCode\":\"StreamBroken\"}"));
            http_answer_write(exchange, strbuf_str(&frame));
        }
        count(inv, err ? 500 : 200);
        exchange->user = NULL;
        http_answer_end(exchange);
    }
    invocation_free(inv);
}

static void model_error(Invocation *inv, int status, Str text)
{
    Arena *arena = &inv->arena;
    Server *server = inv->runtime->server;
    Json *details = json_new_object(arena);
    text.len = MIN(text.len, (size_t)ERROR_BODY_BYTES);
    json_set_int(arena, details, "OriginalStatusCode", status);
    json_set_text(arena, details, "OriginalMessage", text);
    json_set_text(arena, details, "LogStreamArn",
                  arena_format(arena, "arn:aws:logs:%.*s:%s:log-group:%.*s", STR_ARG(inv->region),
                               server->options->account, STR_ARG(inv->log_group)));
    answer_error(inv, 424, "ModelError", details,
                 "Received %s error (%d) from primary with message \"%.*s\". See log group %.*s in "
                 "account %s for more information.",
                 status >= 500 || !status ? "server" : "client", status, STR_ARG(text),
                 STR_ARG(inv->log_group), server->options->account);
}

static void on_answer_done(void *arg, const Error *err, bool sent)
{
    Invocation *inv = arg;
    HttpExchange *exchange = inv->exchange;
    if (!err && exchange && inv->status / 100 == 2 && !is_last(inv)) {
        inv->place++;
        send_on(inv, inv->content_type, strbuf_str(&inv->body));
        return;
    }
    bool first = inv->place == 0;
    release_instance(inv);
    if (inv->streaming) {
        end_stream(inv, err);
        return;
    }
    if (!exchange) {
        invocation_free(inv);
        return;
    }
    if (err && !sent && first) {
        wait_for_server(inv);
        return;
    }
    if (err && err->kind == ERROR_TIMEOUT) {
        model_error(inv, 0,
                    STR("Your invocation timed out while waiting for a response from container "
                        "primary. Review the latency metrics for each container in Amazon "
                        "CloudWatch, resolve the issue, and try again."));
        return;
    }
    if (err) {
        http_answer_field(exchange, STR("Retry-After"), STR("1"));
        answer_error(inv, 503, "ServiceUnavailable", NULL,
                     "The instance of endpoint %.*s that had the request ended; please retry",
                     STR_ARG(inv->endpoint));
        return;
    }
    if (inv->status / 100 != 2) {
        model_error(inv, inv->status, strbuf_str(&inv->body));
        return;
    }
    count(inv, 200);
    http_answer_field(exchange, STR("x-amzn-RequestId"), str_of(inv->id));
    http_answer_field(exchange, STR("x-Amzn-Invoked-Production-Variant"), inv->variant);
    if (inv->custom.len)
        http_answer_field(exchange, STR("X-Amzn-SageMaker-Custom-Attributes"), inv->custom);
    exchange->user = NULL;
    http_answer(exchange, 200, inv->content_type, strbuf_str(&inv->body));
    invocation_free(inv);
}

/* ---- forwarding ---- */

/* To the container at inv->place; the last one is told what the client accepts. */
static void send_on(Invocation *inv, Str content_type, Str body)
{
    static const Str names[] = {
        STR_INIT("X-Amzn-SageMaker-Custom-Attributes"),
        STR_INIT("X-Amzn-SageMaker-Inference-Id"),
        STR_INIT("X-Amzn-SageMaker-Target-Variant"),
    };
    static const HttpReceiver receiver = {
        .head = on_answer_head, .body = on_answer_body, .done = on_answer_done};
    const HttpRequest *request = inv->exchange->request;
    Str accept = is_last(inv) ? http_field_value(request, request->accept) : (Str){0};
    HttpNameValue fields[COUNT(names) + 2];
    size_t n = 0;
    if (content_type.ptr) fields[n++] = (HttpNameValue){STR("Content-Type"), content_type};
    if (accept.ptr) fields[n++] = (HttpNameValue){STR("Accept"), accept};
    for (size_t i = 0; i < COUNT(names); i++) {
        Str value = http_field(request, names[i]);
        if (value.ptr) fields[n++] = (HttpNameValue){names[i], value};
    }
    HttpSend send = {.method = STR("POST"),
                     .target = STR("/invocations"),
                     .fields = fields,
                     .n_fields = n,
                     .body = body,
                     .timeout = INVOKE_SECONDS};
    inv->fetch = http_client_send(inv->chain[inv->place]->http, &send, &receiver, inv);
    inv->body.len = 0; /* `body` may have been this */
}

static void forward(Invocation *inv)
{
    Runtime *runtime = inv->runtime;
    if (!inv->exchange) {
        invocation_free(inv);
        return;
    }
    LocalEndpoint *endpoint = endpoint_find(runtime, inv->region, inv->key);
    if (!endpoint || !endpoint->n_variants) {
        answer_error(inv, 400, "ValidationError", NULL, "Endpoint %.*s of account %s not found.",
                     STR_ARG(inv->endpoint), runtime->server->options->account);
        return;
    }
    LocalVariant *variant = pick_variant(runtime, endpoint, inv->target);
    if (!variant) {
        answer_error(
            inv, 400, "ValidationError", NULL,
            "Requested production variant %.*s does not exist in endpoint %.*s of account %s.",
            STR_ARG(inv->target), STR_ARG(endpoint->name), runtime->server->options->account);
        return;
    }
    /* Copied: the routes may be newer when the answer comes. */
    inv->variant = arena_str(&inv->arena, variant->name);
    inv->endpoint = arena_str(&inv->arena, endpoint->name);
    inv->log_group = arena_str(&inv->arena, endpoint->log_group);
    inv->n_instances = variant->n_clients / variant->n_containers;
    Client *const *instance = pick_instance(variant);
    if (!instance) {
        wait_for_server(inv);
        return;
    }
    const HttpRequest *request = inv->exchange->request;
    take_instance(inv, instance, variant->n_containers);
    inv->sent = clock_seconds();
    send_on(inv, http_field_value(request, request->content_type), inv->exchange->body);
}

/* ---- a request ---- */

/* "/endpoints/NAME/invocations": NAME, or empty. */
static Str endpoint_named(const HttpRequest *request, bool *ret_streams)
{
    Str path = http_path(request);
    size_t begin = sizeof "/endpoints/" - 1;
    if (!str_starts(path, STR("/endpoints/"))) return STR("");
    Str rest = str_from(path, begin);
    Str name = str_slice(rest, 0, str_find(rest, '/')), tail = str_from(rest, name.len);
    *ret_streams = str_eq(tail, STR("/invocations-response-stream"));
    if (!*ret_streams && !str_eq(tail, STR("/invocations"))) return STR("");
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-'))
            return STR("");
    }
    return name.len <= 63 ? name : STR("");
}

/* As resource_arn makes it. */
static Str endpoint_arn(Invocation *inv, Str name)
{
    Str words[] = {STR("arn:aws:sagemaker:"),
                   inv->region,
                   STR(":"),
                   str_of(inv->runtime->server->options->account),
                   STR(":endpoint/"),
                   name};
    size_t n = 0;
    for (size_t i = 0; i < COUNT(words); i++) n += words[i].len;
    char *text = arena_alloc(&inv->arena, n + 1), *at = text;
    for (size_t i = 0; i < COUNT(words); i++) {
        if (words[i].len) memcpy(at, words[i].ptr, words[i].len);
        at += words[i].len;
    }
    for (char *c = at - name.len; c < at; c++)
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    return (Str){text, n};
}

static bool authorize(Invocation *inv, Str name, bool *ret_answered)
{
    Runtime *runtime = inv->runtime;
    Server *server = runtime->server;
    HttpExchange *exchange = inv->exchange;
    Error err = {0};
    const char *code = NULL;
    Signature signature = {0};
    Caller caller = {0};
    SigningKey key;
    char hex[65] = "";
    *ret_answered = true;
    if (!signature_parse(exchange->request, &inv->arena, &signature, &code, &err)) {
        answer_error(inv, 403, code ? code : "IncompleteSignatureException", NULL, "%s", err.text);
        return false;
    }
    Str hash = {0};
    if (signature.form == SIGNATURE_HEADER && signature.body_mode == BODY_SIGNED) {
        digest_sha256_hex(exchange->body, hex);
        hash = (Str){hex, 64};
    }
    if (!access_authenticate(server, exchange->request, &signature, hash, &inv->arena, &caller,
                             &key, &code, &err)) {
        answer_error(inv, 403, code ? code : "InvalidSignatureException", NULL, "%s", err.text);
        return false;
    }
    if (caller.type == CALLER_ANONYMOUS) {
        answer_error(inv, 403, "MissingAuthenticationTokenException", NULL,
                     "Missing Authentication Token");
        return false;
    }
    inv->region = signature.region.len ? arena_str(&inv->arena, signature.region)
                                       : str_of(server->options->region);
    Str resource = endpoint_arn(inv, name);
    Str action = inv->streams ? STR("sagemaker:InvokeEndpointWithResponseStream")
                              : STR("sagemaker:InvokeEndpoint");
    if (!access_permitted(server, &caller, action, resource, NULL, 0, (Str){0})) {
        answer_error(inv, 403, "AccessDeniedException", NULL,
                     "User: %.*s is not authorized to perform: %.*s on resource: %.*s because no "
                     "identity-based policy allows the %.*s action",
                     STR_ARG(caller.arn), STR_ARG(action), STR_ARG(resource), STR_ARG(action));
        return false;
    }
    *ret_answered = false;
    /* The ARN ends with the name in lower case: the key. */
    inv->key = str_from(resource, resource.len - name.len);
    inv->endpoint = arena_str(&inv->arena, name);
    return true;
}

void runtime_invoke(Runtime *runtime, HttpExchange *exchange)
{
    Invocation *inv = invocation_new(runtime, exchange);
    bool answered;
    Str name = endpoint_named(exchange->request, &inv->streams);
    if (!name.len) {
        answer_error(
            inv, 400, "ValidationError", NULL,
            "1 validation error detected: the endpoint's name failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*");
        return;
    }
    if (!authorize(inv, name, &answered)) return;
    if (http_field(exchange->request, STR("X-Amzn-SageMaker-Target-Model")).ptr) {
        answer_error(inv, 400, "ValidationError", NULL,
                     "Endpoint %.*s is not a multi-model endpoint: TargetModel must not be given",
                     STR_ARG(name));
        return;
    }
    if (!exchange->body.len) {
        answer_error(
            inv, 400, "ValidationError", NULL,
            "1 validation error detected: Value at 'body' failed to satisfy constraint: Member must "
            "not be null");
        return;
    }
    Str target = http_field(exchange->request, STR("X-Amzn-SageMaker-Target-Variant"));
    if (target.len) inv->target = arena_str(&inv->arena, target);
    refresh_if_old(runtime);
    forward(inv);
}

void runtime_lost(Runtime *runtime, HttpExchange *exchange)
{
    Invocation *inv = exchange->user;
    if (!inv || !runtime) return;
    inv->exchange = NULL;
    if (inv->fetch) {
        http_fetch_cancel(inv->fetch);
        release_instance(inv);
        invocation_free(inv);
    } /* else it waits, and is freed when its turn comes */
}

void runtime_room(Runtime *runtime, HttpExchange *exchange)
{
    Invocation *inv = exchange->user;
    if (!inv || !runtime || !inv->paused || !inv->fetch) return;
    inv->paused = false;
    http_fetch_pause(inv->fetch, false);
}

/* ---- life ---- */

Runtime *runtime_new(Server *server, Loop *loop)
{
    Runtime *runtime = calloc(1, sizeof *runtime);
    if (!runtime) memory_exhausted(sizeof *runtime);
    runtime->server = server;
    runtime->hosting = server->hosting;
    runtime->loop = loop;
    runtime->task.run = run_task;
    runtime->wait_timer.fire = fire_wait;
    runtime->metrics_timer.fire = fire_metrics;
    uint64_t seed;
    digest_random(&seed, sizeof seed);
    runtime->random = random_stream(seed, 0);
    refresh(runtime);
    pthread_mutex_lock(&runtime->hosting->mutex);
    runtime->next = runtime->hosting->runtimes;
    runtime->hosting->runtimes = runtime;
    pthread_mutex_unlock(&runtime->hosting->mutex);
    return runtime;
}

void runtime_free(Runtime *runtime)
{
    if (!runtime) return;
    Hosting *hosting = runtime->hosting;
    pthread_mutex_lock(&hosting->mutex);
    for (Runtime **at = &hosting->runtimes; *at; at = &(*at)->next)
        if (*at == runtime) {
            *at = runtime->next;
            break;
        }
    pthread_mutex_unlock(&hosting->mutex);
    loop_timer_stop(runtime->loop, &runtime->wait_timer);
    loop_timer_stop(runtime->loop, &runtime->metrics_timer);
    for (const Series *series = runtime->series; series; series = series->next)
        put_series(runtime->server, series);
    series_free(runtime->series);
    while (runtime->clients) {
        Client *client = runtime->clients;
        runtime->clients = client->next;
        client_free(client);
    }
    while (runtime->waiting) {
        Invocation *inv = runtime->waiting;
        runtime->waiting = inv->next;
        invocation_free(inv);
    }
    while (runtime->kept) {
        Invocation *inv = runtime->kept;
        runtime->kept = inv->next;
        strbuf_clear(&inv->body);
        arena_clear(&inv->arena);
        free(inv);
    }
    arena_clear(&runtime->arena);
    routes_unref(runtime->routes);
    free(runtime);
}
