/* Worker threads and the calls they serve.
 *
 * A call has two sides.  The loop's side owns the exchange; the worker's side runs the function.
 * Between them lie two buffers under the call's lock, the body that arrived and the answer that was
 * written, and a few flags; each side swaps a whole buffer out and works on it without the lock.
 * The worker's side asks the loop's by one task per call, which is posted at most once at a time,
 * so a request that is read and answered whole costs one wake-up each way.
 *
 * Where a call is (collecting its body, queued, running, parked) is the pool's to say, under the
 * pool's lock.  The loop's side frees a call, after its function has returned for good. */

#include "net/http_worker.h"

#include "net/http_connection.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    WRITE_AHEAD = 256 << 10, /* of an answer, unsent, at each side */
    POST_MIN = 16 << 10,     /* the loop is told of an answer's pieces from this size on */
    WAKE_MIN = 128 << 10,    /* a waiting reader is woken for so much of a body, or its end */
    CONTENT_TYPE_MAX = 256,
};

typedef enum Place { PLACE_NONE, PLACE_QUEUE, PLACE_RUN, PLACE_PARK, PLACE_END } Place;
typedef enum Answer { ANSWER_NONE, ANSWER_WHOLE, ANSWER_FILE, ANSWER_HEAD, ANSWER_PIECES } Answer;

typedef struct CallField {
    struct CallField *next;
    Str name, value;
} CallField;

typedef struct Call {
    HttpCall shown; /* first: functions know the call by it */
    HttpWorkers *workers;
    Arena arena;
    struct Call *previous, *next; /* of all calls: the loop's */

    /* the loop's side */
    HttpExchange *exchange; /* NULL: lost */
    size_t whole_max;
    bool collecting; /* not queued yet: nobody else knows the call */
    bool head_sent;
    Bytes sending;
    LoopTimer timer; /* parked */

    /* under the pool's lock */
    Place place;
    struct Call *next_queued;
    double queued_at, park_until;
    bool parking; /* the function asked to be parked and has not returned */
    bool resumed; /* since the function was called last */
    bool ran;
    HttpCallFunction *run;
    void *arg;

    /* between the two sides, under the call's lock */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    LoopTask task;
    bool posted;
    bool waiting; /* the worker's side waits for `changed` */
    bool paused;  /* the body is paused because `in` is full, or for Expect */
    bool begun;   /* the function began an answer in pieces */
    bool unpause, arm, finished, in_end;
    Bytes in, out;
    atomic_bool lost;

    /* the worker's side; the loop's after `finished` */
    Bytes taken; /* of the body: what the function reads */
    bool taken_given, read_end;
    size_t taken_at; /* http_call_read took so much of it */
    Answer answer;
    int status, fd;
    bool ended;
    int64_t offset, length, written;
    Str content_type;
    CallField *fields, **fields_end;

    HttpRequest request; /* a copy; its bytes lie behind the call */
} Call;

struct HttpWorkers {
    Loop *loop;
    HttpHandler handler;
    Call *calls;
    size_t queue_max;
    int n_threads;
    pthread_t *threads;

    pthread_mutex_t lock;
    pthread_cond_t changed;
    Call *first, **last; /* the queue */
    int idle;            /* threads that wait for `changed` */
    bool stopping;
    HttpWorkerCounts counts;
};

static Call *call_of(const HttpCall *call)
{
    return (Call *)(uintptr_t)call;
}

/* ---- the queue ---- */

/* The pool's lock is held. */
static void push(HttpWorkers *workers, Call *call)
{
    call->place = PLACE_QUEUE;
    call->next_queued = NULL;
    *workers->last = call;
    workers->last = &call->next_queued;
    workers->counts.waiting++;
    if (workers->idle) pthread_cond_signal(&workers->changed);
}

void http_call_resume(HttpCall *shown)
{
    Call *call = call_of(shown);
    HttpWorkers *workers = call->workers;
    pthread_mutex_lock(&workers->lock);
    call->resumed = true;
    if (call->place == PLACE_PARK) {
        workers->counts.parked--;
        push(workers, call);
    }
    pthread_mutex_unlock(&workers->lock);
}

/* ---- the loop's side ---- */

static void free_call(Call *call)
{
    HttpWorkers *workers = call->workers;
    loop_timer_stop(workers->loop, &call->timer);
    if (call->previous)
        call->previous->next = call->next;
    else
        workers->calls = call->next;
    if (call->next) call->next->previous = call->previous;
    if (call->fd >= 0) close(call->fd);
    bytes_clear(&call->sending);
    bytes_clear(&call->in);
    bytes_clear(&call->out);
    bytes_clear(&call->taken);
    arena_clear(&call->arena);
    pthread_mutex_destroy(&call->lock);
    pthread_cond_destroy(&call->changed);
    free(call);
}

/* Queues a call for its first run; false when the queue is full and it was refused. */
static bool enqueue(Call *call)
{
    HttpWorkers *workers = call->workers;
    call->collecting = false;
    pthread_mutex_lock(&workers->lock);
    bool full = workers->counts.waiting >= workers->queue_max;
    if (full) {
        workers->counts.refused++;
    } else {
        call->queued_at = clock_seconds();
        workers->counts.calls++;
        push(workers, call);
    }
    pthread_mutex_unlock(&workers->lock);
    if (!full) return true;
    http_answer_field(call->exchange, STR("Retry-After"), STR("1"));
    http_answer(call->exchange, 503, STR("text/plain"), STR("too many requests are waiting"));
    free_call(call);
    return false;
}

/* The body came whole before the function was called. */
static void enqueue_whole(Call *call)
{
    call->taken = call->in;
    call->in = (Bytes){0};
    call->in_end = call->read_end = true;
    call->shown.body = (Str){call->taken.ptr, call->taken.len};
    enqueue(call);
}

static bool enqueue_streamed(Call *call)
{
    call->shown.streamed = true;
    return enqueue(call);
}

static void take_body(void *arg UNUSED, HttpExchange *exchange, Str piece)
{
    Call *call = exchange->user;
    if (call->collecting) {
        if (!bytes_add(&call->in, piece)) memory_exhausted(piece.len);
        if (call->in.len <= call->whole_max || !enqueue_streamed(call)) return;
        piece.len = 0;
    }
    pthread_mutex_lock(&call->lock);
    if (!bytes_add(&call->in, piece)) memory_exhausted(piece.len);
    bool full = call->in.len >= HTTP_READ_AHEAD;
    call->paused |= full;
    if (call->waiting && call->in.len >= WAKE_MIN) pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->lock);
    if (full) http_body_pause(exchange, true);
}

static void take_end(void *arg UNUSED, HttpExchange *exchange)
{
    Call *call = exchange->user;
    if (call->collecting) {
        enqueue_whole(call);
        return;
    }
    pthread_mutex_lock(&call->lock);
    call->in_end = true;
    if (call->waiting) pthread_cond_signal(&call->changed);
    pthread_mutex_unlock(&call->lock);
}

static void take_loss(void *arg UNUSED, HttpExchange *exchange)
{
    Call *call = exchange->user;
    call->exchange = NULL;
    if (call->collecting) {
        free_call(call);
        return;
    }
    pthread_mutex_lock(&call->lock);
    atomic_store(&call->lost, true);
    pthread_cond_broadcast(&call->changed);
    pthread_mutex_unlock(&call->lock);
    http_call_resume(&call->shown);
}

static void add_fields(Call *call)
{
    for (const CallField *field = call->fields; field; field = field->next)
        http_answer_field(call->exchange, field->name, field->value);
}

/* Hands written pieces to the server: as many as it may queue, or all of them. */
static void send_pieces(Call *call, bool all)
{
    if (!call->head_sent) {
        call->head_sent = true;
        add_fields(call);
        http_answer_begin(call->exchange, call->status, call->content_type, call->length);
    }
    while (call->exchange && (all || http_answer_queued(call->exchange) < WRITE_AHEAD)) {
        pthread_mutex_lock(&call->lock);
        Bytes full = call->out;
        call->out = call->sending;
        call->sending = full;
        if (call->waiting) pthread_cond_signal(&call->changed);
        pthread_mutex_unlock(&call->lock);
        if (call->sending.len == 0) return;
        http_answer_write(call->exchange, (Str){call->sending.ptr, call->sending.len});
        call->sending.len = 0;
    }
}

static void give_room(void *arg UNUSED, HttpExchange *exchange)
{
    Call *call = exchange->user;
    if (call->head_sent) send_pieces(call, false);
}

/* The function has returned for good: sends what is to be sent and forgets the call. */
static void finish(Call *call)
{
    if (call->answer == ANSWER_PIECES && call->exchange) send_pieces(call, true);
    HttpExchange *exchange = call->exchange;
    if (!exchange) {
        free_call(call);
        return;
    }
    /* The exchange means the next request as soon as it is answered. */
    Str body = {call->out.ptr, call->out.len};
    if (call->answer != ANSWER_PIECES) add_fields(call);
    switch (call->answer) {
    case ANSWER_WHOLE: http_answer(exchange, call->status, call->content_type, body); break;
    case ANSWER_HEAD:
        http_answer_head(exchange, call->status, call->content_type, call->length);
        break;
    case ANSWER_FILE:
        http_answer_file(exchange, call->status, call->content_type, call->fd, call->offset,
                         call->length);
        call->fd = -1;
        break;
    case ANSWER_PIECES:
        if (call->ended && (call->length < 0 || call->written == call->length))
            http_answer_end(exchange);
        else
            http_abort(exchange);
        break;
    case ANSWER_NONE:
        http_answer(exchange, 500, STR("text/plain"), STR("the server did not answer"));
    }
    free_call(call);
}

/* A parked call waits for its time. */
static void arm(Call *call)
{
    HttpWorkers *workers = call->workers;
    pthread_mutex_lock(&workers->lock);
    bool parked = call->place == PLACE_PARK;
    double until = call->park_until;
    pthread_mutex_unlock(&workers->lock);
    if (!parked) return;
    loop_timer_start(workers->loop, &call->timer, until);
    if (call->exchange) exchange_watch(call->exchange);
}

static void unpark(LoopTimer *timer)
{
    Call *call = LOOP_OWNER(timer, Call, timer);
    http_call_resume(&call->shown);
}

/* What the worker's side asked for. */
static void run_task(LoopTask *task)
{
    Call *call = LOOP_OWNER(task, Call, task);
    pthread_mutex_lock(&call->lock);
    bool unpause = call->unpause, arms = call->arm, finished = call->finished, begun = call->begun;
    call->unpause = call->arm = call->posted = false;
    pthread_mutex_unlock(&call->lock);
    if (finished) {
        finish(call);
        return;
    }
    if (unpause && call->exchange) http_body_pause(call->exchange, false);
    if (call->exchange && begun) send_pieces(call, false);
    if (arms) arm(call);
}

/* ---- the worker's side ---- */

/* The call's lock is held. */
static void post(Call *call)
{
    if (call->posted) return;
    call->posted = true;
    loop_post(call->workers->loop, &call->task);
}

static void wait_for_change(Call *call)
{
    call->waiting = true;
    pthread_cond_wait(&call->changed, &call->lock);
    call->waiting = false;
}

static bool gone(Error *err)
{
    return error_set(err, ERROR_CANCELLED, "the client has gone");
}

bool http_call_lost(const HttpCall *shown)
{
    return atomic_load_explicit(&call_of(shown)->lost, memory_order_relaxed);
}

/* The next piece into `taken`; false when the client has gone.  At the end `taken` is empty. */
static bool take_piece(Call *call)
{
    pthread_mutex_lock(&call->lock);
    for (;;) {
        bool lost = atomic_load_explicit(&call->lost, memory_order_relaxed);
        if (call->in.len >= WAKE_MIN || call->in_end || lost) break;
        if (call->paused) { /* for Expect: the first read asks for the body */
            call->paused = false;
            call->unpause = true;
            post(call);
        }
        wait_for_change(call);
    }
    bool lost = atomic_load_explicit(&call->lost, memory_order_relaxed);
    if (!lost) {
        Bytes used = call->taken;
        used.len = 0;
        call->taken = call->in;
        call->in = used;
        call->read_end = call->taken.len == 0;
        if (call->paused) {
            call->paused = false;
            call->unpause = true;
            post(call);
        }
    }
    pthread_mutex_unlock(&call->lock);
    return !lost;
}

bool http_call_next(HttpCall *shown, Str *ret_piece, Error *err)
{
    Call *call = call_of(shown);
    if (http_call_lost(shown)) return gone(err);
    if (call->shown.streamed) {
        if (call->read_end)
            call->taken.len = 0;
        else if (!take_piece(call))
            return gone(err);
        *ret_piece = (Str){call->taken.ptr, call->taken.len};
        return true;
    }
    *ret_piece = call->taken_given ? (Str){0} : call->shown.body;
    call->taken_given = true;
    return true;
}

bool http_call_read(HttpCall *shown, char *buffer, size_t capacity, size_t *ret_n, Error *err)
{
    Call *call = call_of(shown);
    assert(capacity > 0);
    if (call->taken_at == 0 || call->taken_at == call->taken.len) {
        Str piece;
        if (!http_call_next(shown, &piece, err)) return false;
        call->taken_at = 0;
        if (piece.len == 0) {
            *ret_n = 0;
            return true;
        }
    }
    size_t n = MIN(capacity, call->taken.len - call->taken_at);
    memcpy(buffer, call->taken.ptr + call->taken_at, n);
    call->taken_at += n;
    *ret_n = n;
    return true;
}

void http_call_field(HttpCall *shown, Str name, Str value)
{
    Call *call = call_of(shown);
    assert(call->answer == ANSWER_NONE);
    CallField *field = arena_new(&call->arena, CallField);
    field->name = arena_str(&call->arena, name);
    field->value = arena_str(&call->arena, value);
    *call->fields_end = field;
    call->fields_end = &field->next;
}

static bool begin_answer(Call *call, Answer answer, int status, Str content_type, int64_t length)
{
    bool first = call->answer == ANSWER_NONE;
    assert(first && !call->parking);
    if (!first) return false;
    call->answer = answer;
    call->status = status;
    call->content_type = arena_str(&call->arena, content_type);
    call->length = length;
    return true;
}

void http_call_answer(HttpCall *shown, int status, Str content_type, Str body)
{
    Call *call = call_of(shown);
    if (!begin_answer(call, ANSWER_WHOLE, status, content_type, (int64_t)body.len)) return;
    if (!bytes_add(&call->out, body)) memory_exhausted(body.len);
}

void http_call_answer_file(HttpCall *shown, int status, Str content_type, int fd, int64_t offset,
                           int64_t length)
{
    Call *call = call_of(shown);
    if (!begin_answer(call, ANSWER_FILE, status, content_type, length)) {
        close(fd);
        return;
    }
    call->fd = fd;
    call->offset = offset;
}

void http_call_answer_head(HttpCall *shown, int status, Str content_type, int64_t length)
{
    begin_answer(call_of(shown), ANSWER_HEAD, status, content_type, length);
}

void http_call_begin(HttpCall *shown, int status, Str content_type, int64_t length)
{
    Call *call = call_of(shown);
    if (!begin_answer(call, ANSWER_PIECES, status, content_type, length)) return;
    pthread_mutex_lock(&call->lock);
    call->begun = true;
    pthread_mutex_unlock(&call->lock);
}

bool http_call_write(HttpCall *shown, Str piece, Error *err)
{
    Call *call = call_of(shown);
    assert(call->answer == ANSWER_PIECES && !call->ended);
    pthread_mutex_lock(&call->lock);
    while (piece.len) {
        bool lost = atomic_load_explicit(&call->lost, memory_order_relaxed);
        if (lost) break;
        size_t n = MIN(piece.len, WRITE_AHEAD - call->out.len);
        if (n == 0) {
            wait_for_change(call);
            continue;
        }
        if (!bytes_add(&call->out, str_slice(piece, 0, n))) memory_exhausted(n);
        call->written += (int64_t)n;
        piece = str_from(piece, n);
        if (call->out.len >= POST_MIN) post(call);
    }
    pthread_mutex_unlock(&call->lock);
    return http_call_lost(shown) ? gone(err) : true;
}

void http_call_flush(HttpCall *shown)
{
    Call *call = call_of(shown);
    assert(call->answer == ANSWER_PIECES);
    pthread_mutex_lock(&call->lock);
    post(call);
    pthread_mutex_unlock(&call->lock);
}

void http_call_end(HttpCall *shown)
{
    Call *call = call_of(shown);
    assert(call->answer == ANSWER_PIECES && !call->ended);
    call->ended = true;
}

bool http_call_answered(const HttpCall *shown)
{
    return call_of(shown)->answer != ANSWER_NONE;
}

bool http_call_park(HttpCall *shown, double seconds, HttpCallFunction *run, void *arg)
{
    Call *call = call_of(shown);
    HttpWorkers *workers = call->workers;
    assert(call->answer == ANSWER_NONE && !call->parking);
    pthread_mutex_lock(&workers->lock);
    bool parks = workers->counts.parked < HTTP_PARKED_MAX && !workers->stopping &&
                 !http_call_lost(shown);
    if (parks) {
        workers->counts.parked++;
        call->parking = true;
        call->park_until = clock_seconds() + seconds;
        call->run = run;
        call->arg = arg;
    }
    pthread_mutex_unlock(&workers->lock);
    return parks;
}

/* The function returned; the pool's lock is held.  True when the call goes on later. */
static bool goes_on(HttpWorkers *workers, Call *call)
{
    if (!call->parking) return false;
    call->parking = false;
    if (call->resumed || workers->stopping) {
        workers->counts.parked--;
        push(workers, call);
        return true;
    }
    call->place = PLACE_PARK;
    return true;
}

static void refuse_late(Call *call)
{
    http_call_field(&call->shown, STR("Retry-After"), STR("1"));
    http_call_answer(&call->shown, 503, STR("text/plain"), STR("the request waited too long"));
}

static void *work(void *arg)
{
    HttpWorkers *workers = arg;
    pthread_mutex_lock(&workers->lock);
    for (;;) {
        Call *call = workers->first;
        if (!call) {
            if (workers->stopping) break;
            workers->idle++;
            pthread_cond_wait(&workers->changed, &workers->lock);
            workers->idle--;
            continue;
        }
        workers->first = call->next_queued;
        if (!workers->first) workers->last = &workers->first;
        workers->counts.waiting--;
        workers->counts.running++;
        call->place = PLACE_RUN;
        call->resumed = false;
        bool first = !call->ran, skip = first && http_call_lost(&call->shown);
        bool late = first && !skip && clock_seconds() > call->queued_at + HTTP_QUEUE_SECONDS;
        call->ran = true;
        workers->counts.refused += late;
        pthread_mutex_unlock(&workers->lock);

        if (late)
            refuse_late(call);
        else if (!skip)
            call->run(call->arg, &call->shown);

        pthread_mutex_lock(&workers->lock);
        workers->counts.running--;
        bool parked = goes_on(workers, call);
        if (parked && call->place == PLACE_QUEUE) continue;
        if (!parked) call->place = PLACE_END;
        /* A parked call may be run by another thread from here on, and ends only through it: the
         * task that is posted below keeps it until then. */
        pthread_mutex_lock(&call->lock);
        call->finished |= !parked;
        call->arm |= parked;
        post(call);
        pthread_mutex_unlock(&call->lock);
    }
    pthread_mutex_unlock(&workers->lock);
    return NULL;
}

/* ---- submitting ---- */

static Call *new_call(HttpWorkers *workers, HttpExchange *exchange, size_t whole_max,
                      HttpCallFunction *run, void *arg)
{
    const HttpRequest *request = exchange->request;
    Call *call = malloc(sizeof *call + request->head_len + HTTP_SLACK);
    if (!call) memory_exhausted(sizeof *call);
    memset(call, 0, offsetof(Call, request));
    memcpy(&call->request, request,
           offsetof(HttpRequest, fields) + request->n_fields * sizeof(HttpField));
    char *bytes = (char *)(call + 1);
    memcpy(bytes, request->bytes, request->head_len);
    call->request.bytes = bytes;
    call->shown.request = &call->request;
    call->shown.arena = &call->arena;
    call->workers = workers;
    call->exchange = exchange;
    call->whole_max = whole_max;
    call->collecting = true;
    call->run = run;
    call->arg = arg;
    call->fd = -1;
    call->fields_end = &call->fields;
    call->task.run = run_task;
    call->timer.fire = unpark;
    pthread_mutex_init(&call->lock, NULL);
    pthread_cond_init(&call->changed, NULL);
    call->next = workers->calls;
    if (call->next) call->next->previous = call;
    workers->calls = call;
    return call;
}

void http_workers_submit(HttpWorkers *workers, HttpExchange *exchange, size_t whole_max,
                         HttpCallFunction *run, void *arg)
{
    Call *call = new_call(workers, exchange, whole_max, run, arg);
    const HttpRequest *request = exchange->request;
    exchange->user = call;
    http_answer_by(exchange, &workers->handler);
    if (exchange_is_whole(exchange)) {
        if (!bytes_add(&call->in, exchange->body)) memory_exhausted(exchange->body.len);
        enqueue_whole(call);
        return;
    }
    http_take_body(exchange);
    bool large = request->content_length > whole_max || request->chunked;
    if (large && request->expect_continue) {
        call->paused = true;
        http_body_pause(exchange, true);
        enqueue_streamed(call);
    } else if (request->content_length > whole_max) {
        enqueue_streamed(call);
    }
}

/* ---- life ---- */

HttpWorkers *http_workers_new(Loop *loop, int n_threads, size_t queue_max)
{
    HttpWorkers *workers = calloc(1, sizeof *workers);
    pthread_t *threads = calloc((size_t)MAX(n_threads, 1), sizeof *threads);
    if (!workers || !threads) memory_exhausted(sizeof *workers);
    *workers = (HttpWorkers){
        .loop = loop,
        .handler = {.arg = workers,
                    .request = take_end,
                    .body = take_body,
                    .room = give_room,
                    .lost = take_loss},
        .queue_max = queue_max,
        .threads = threads,
    };
    workers->last = &workers->first;
    pthread_mutex_init(&workers->lock, NULL);
    pthread_cond_init(&workers->changed, NULL);
    sigset_t all, before; /* signals are the loop's */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (int i = 0; i < MAX(n_threads, 1); i++) {
        int code = pthread_create(&threads[i], NULL, work, workers);
        if (code) memory_exhausted(0);
        workers->n_threads++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return workers;
}

void http_workers_free(HttpWorkers *workers)
{
    if (!workers) return;
    pthread_mutex_lock(&workers->lock);
    workers->stopping = true;
    for (Call *call = workers->calls; call; call = call->next) {
        assert(!call->exchange);
        if (call->place != PLACE_PARK) continue;
        workers->counts.parked--;
        push(workers, call);
    }
    pthread_cond_broadcast(&workers->changed);
    pthread_mutex_unlock(&workers->lock);
    for (int i = 0; i < workers->n_threads; i++) pthread_join(workers->threads[i], NULL);
    while (workers->calls) {
        loop_unpost(workers->loop, &workers->calls->task);
        free_call(workers->calls);
    }
    pthread_mutex_destroy(&workers->lock);
    pthread_cond_destroy(&workers->changed);
    free(workers->threads);
    free(workers);
}

HttpWorkerCounts http_workers_counts(HttpWorkers *workers)
{
    pthread_mutex_lock(&workers->lock);
    HttpWorkerCounts counts = workers->counts;
    pthread_mutex_unlock(&workers->lock);
    return counts;
}
