/* The event loop: one epoll descriptor, a heap of timers, an eventfd that wakes it for tasks. */

#include "net/loop.h"

#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

enum { EVENTS_MAX = 256 };

struct Loop {
    int epoll, wake, signals;
    LoopSource wake_source, signal_source;
    void (*caught)(void *arg, int signal);
    void *caught_arg;
    double now;
    atomic_bool stop;

    LoopTimer **heap; /* heap[1] is the next to fire */
    uint32_t n_timers, capacity;

    pthread_mutex_t lock; /* of tasks */
    LoopTask *tasks, **tasks_end;
    LoopTask *running; /* taken off `tasks` */

    LoopSource *removed; /* to be released after this round */
    struct epoll_event events[EVENTS_MAX];
};

/* ---- timers: a binary heap by time ---- */

static void place(Loop *loop, uint32_t position, LoopTimer *timer)
{
    loop->heap[position] = timer;
    timer->position = position;
}

static void sift_up(Loop *loop, uint32_t position, LoopTimer *timer)
{
    for (; position > 1 && loop->heap[position / 2]->at > timer->at; position /= 2)
        place(loop, position, loop->heap[position / 2]);
    place(loop, position, timer);
}

static void sift_down(Loop *loop, uint32_t position, LoopTimer *timer)
{
    for (;;) {
        uint32_t child = position * 2;
        if (child > loop->n_timers) break;
        if (child < loop->n_timers && loop->heap[child + 1]->at < loop->heap[child]->at) child++;
        if (loop->heap[child]->at >= timer->at) break;
        place(loop, position, loop->heap[child]);
        position = child;
    }
    place(loop, position, timer);
}

void loop_timer_start(Loop *loop, LoopTimer *timer, double at)
{
    if (timer->position) {
        bool later = at > timer->at;
        timer->at = at;
        if (later)
            sift_down(loop, timer->position, timer);
        else
            sift_up(loop, timer->position, timer);
        return;
    }
    if (loop->n_timers + 2 > loop->capacity) {
        uint32_t capacity = MAX(loop->capacity * 2, 64u);
        LoopTimer **heap = realloc(loop->heap, capacity * sizeof *heap);
        if (!heap) memory_exhausted(capacity * sizeof *heap);
        loop->heap = heap;
        loop->capacity = capacity;
    }
    timer->at = at;
    sift_up(loop, ++loop->n_timers, timer);
}

void loop_timer_stop(Loop *loop, LoopTimer *timer)
{
    if (!timer->position) return;
    uint32_t position = timer->position;
    timer->position = 0;
    LoopTimer *last = loop->heap[loop->n_timers--];
    if (last == timer) return;
    if (position > 1 && loop->heap[position / 2]->at > last->at)
        sift_up(loop, position, last);
    else
        sift_down(loop, position, last);
}

static void fire_timers(Loop *loop)
{
    while (loop->n_timers && loop->heap[1]->at <= loop->now) {
        LoopTimer *timer = loop->heap[1];
        loop_timer_stop(loop, timer);
        timer->fire(timer);
    }
}

/* ---- descriptors ---- */

bool loop_add(Loop *loop, int fd, uint32_t events, LoopSource *source, Error *err)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0)
        return error_sys(err, errno, "wait for descriptor %d", fd);
    return true;
}

void loop_change(Loop *loop, int fd, uint32_t events, LoopSource *source)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    int failed = epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &event);
    assert(!failed);
    (void)failed;
}

static void ready_nothing(LoopSource *source UNUSED, uint32_t events UNUSED) {}

void loop_remove(Loop *loop, int fd, LoopSource *source)
{
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
    source->ready = ready_nothing; /* an event of this round may still point here */
    if (!source->release) return;
    source->next = loop->removed;
    loop->removed = source;
}

static void release_removed(Loop *loop)
{
    while (loop->removed) {
        LoopSource *source = loop->removed;
        loop->removed = source->next;
        if (source->release) source->release(source);
    }
}

/* ---- tasks and signals ---- */

static void wake(Loop *loop)
{
    uint64_t one = 1;
    ssize_t n = write(loop->wake, &one, sizeof one);
    (void)n; /* fails only when the counter is full, and then the loop wakes anyway */
}

void loop_post(Loop *loop, LoopTask *task)
{
    task->next = NULL;
    pthread_mutex_lock(&loop->lock);
    bool first = !loop->tasks;
    *loop->tasks_end = task;
    loop->tasks_end = &task->next;
    /* With the lock held: who sees the task run may free the loop, so we must be done with it. */
    if (first) wake(loop);
    pthread_mutex_unlock(&loop->lock);
}

static LoopTask *unlink_task(LoopTask **list, const LoopTask *task)
{
    while (*list && *list != task) list = &(*list)->next;
    LoopTask *found = *list;
    if (found) *list = found->next;
    return found;
}

void loop_unpost(Loop *loop, LoopTask *task)
{
    unlink_task(&loop->running, task);
    pthread_mutex_lock(&loop->lock);
    unlink_task(&loop->tasks, task);
    loop->tasks_end = &loop->tasks;
    while (*loop->tasks_end) loop->tasks_end = &(*loop->tasks_end)->next;
    pthread_mutex_unlock(&loop->lock);
}

/* The eventfd is edge-triggered: each write is one event, and nobody needs to read it. */
static void run_tasks(LoopSource *source, uint32_t events UNUSED)
{
    Loop *loop = LOOP_OWNER(source, Loop, wake_source);
    pthread_mutex_lock(&loop->lock);
    loop->running = loop->tasks;
    loop->tasks = NULL;
    loop->tasks_end = &loop->tasks;
    pthread_mutex_unlock(&loop->lock);
    while (loop->running) {
        LoopTask *task = loop->running;
        loop->running = task->next; /* the task may free itself */
        task->run(task);
    }
}

static void read_signals(LoopSource *source, uint32_t events UNUSED)
{
    Loop *loop = LOOP_OWNER(source, Loop, signal_source);
    struct signalfd_siginfo info;
    while (read(loop->signals, &info, sizeof info) == (ssize_t)sizeof info)
        loop->caught(loop->caught_arg, (int)info.ssi_signo);
}

bool loop_signals(Loop *loop, const int *signals, void (*caught)(void *arg, int signal), void *arg,
                  Error *err)
{
    sigset_t set;
    sigemptyset(&set);
    for (; *signals; signals++) sigaddset(&set, *signals);
    int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (code) return error_sys(err, code, "block signals");
    loop->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (loop->signals < 0) return error_sys(err, errno, "signalfd");
    loop->caught = caught;
    loop->caught_arg = arg;
    loop->signal_source.ready = read_signals;
    return loop_add(loop, loop->signals, EPOLLIN, &loop->signal_source, err);
}

/* ---- life ---- */

bool loop_new(Loop **ret_loop, Error *err)
{
    Loop *loop = calloc(1, sizeof *loop);
    if (!loop) memory_exhausted(sizeof *loop);
    loop->signals = -1;
    loop->now = clock_seconds();
    loop->tasks_end = &loop->tasks;
    pthread_mutex_init(&loop->lock, NULL);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    int code = errno;
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->epoll >= 0 && loop->wake < 0) code = errno;
    loop->wake_source.ready = run_tasks;
    if (loop->epoll < 0 || loop->wake < 0)
        error_sys(err, code, "make an event loop");
    else if (loop_add(loop, loop->wake, EPOLLIN | EPOLLET, &loop->wake_source, err)) {
        *ret_loop = loop;
        return true;
    }
    loop_free(loop);
    return false;
}

void loop_free(Loop *loop)
{
    if (!loop) return;
    release_removed(loop);
    if (loop->epoll >= 0) close(loop->epoll);
    if (loop->wake >= 0) close(loop->wake);
    if (loop->signals >= 0) close(loop->signals);
    pthread_mutex_destroy(&loop->lock);
    free(loop->heap);
    free(loop);
}

double loop_now(const Loop *loop)
{
    return loop->now;
}

void loop_stop(Loop *loop)
{
    atomic_store(&loop->stop, true);
    wake(loop);
}

/* Milliseconds until the next timer, rounded up so that it is due when epoll returns. */
static int wait_ms(const Loop *loop)
{
    if (!loop->n_timers) return -1;
    double seconds = loop->heap[1]->at - loop->now;
    if (seconds <= 0) return 0;
    return seconds > 3600 ? 3600 * 1000 : (int)(seconds * 1000) + 1;
}

bool loop_run(Loop *loop, Error *err)
{
    while (!atomic_load_explicit(&loop->stop, memory_order_relaxed)) {
        int n = epoll_wait(loop->epoll, loop->events, EVENTS_MAX, wait_ms(loop));
        if (n < 0 && errno != EINTR) return error_sys(err, errno, "wait for events");
        loop->now = clock_seconds();
        for (int i = 0; i < n; i++) {
            LoopSource *source = loop->events[i].data.ptr;
            source->ready(source, loop->events[i].events);
        }
        fire_timers(loop);
        if (loop->removed) release_removed(loop);
    }
    atomic_store(&loop->stop, false);
    return true;
}
