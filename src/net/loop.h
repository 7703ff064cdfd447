#ifndef CLARY_NET_LOOP_H
#define CLARY_NET_LOOP_H

/* An event loop over epoll, for one thread: descriptors, timers, signals, and tasks that other
 * threads post.  Sources, timers and tasks are structs inside their owners; LOOP_OWNER finds the
 * owner in a callback.  Only loop_post and loop_stop may be called from other threads.
 *
 * Waiting is level-triggered: a source is called again as long as it is ready. */

#include "base/error.h"

#include <sys/epoll.h>

typedef struct Loop Loop;

#define LOOP_OWNER(pointer, Type, member)                                                          \
    ((Type *)(void *)((char *)(pointer)-offsetof(Type, member)))

typedef struct LoopSource {
    void (*ready)(struct LoopSource *source, uint32_t events);
    void (*release)(struct LoopSource *source); /* see loop_remove */
    struct LoopSource *next;
} LoopSource;

typedef struct LoopTimer {
    void (*fire)(struct LoopTimer *timer);
    double at;         /* on the loop's clock */
    uint32_t position; /* in the heap, from 1; 0: not running */
} LoopTimer;

typedef struct LoopTask {
    void (*run)(struct LoopTask *task);
    struct LoopTask *next;
} LoopTask;

bool loop_new(Loop **ret_loop, Error *err);
void loop_free(Loop *loop);
AUTO_FREE(Loop, loop_free);

bool loop_add(Loop *loop, int fd, uint32_t events, LoopSource *source, Error *err);
void loop_change(Loop *loop, int fd, uint32_t events, LoopSource *source);

/* Forgets the descriptor, which the caller closes.  The source is not called any more; when the
 * events at hand are done, so that nothing points to it, `release` may free its owner.  An owner
 * without `release` must outlive the round. */
void loop_remove(Loop *loop, int fd, LoopSource *source);

/* Fires once, at `at`; starting a running timer moves it. */
void loop_timer_start(Loop *loop, LoopTimer *timer, double at);
void loop_timer_stop(Loop *loop, LoopTimer *timer);

/* Monotonic seconds, read once per round of events. */
double loop_now(const Loop *loop);

/* Calls `caught` on this loop for signals in `signals` (0-terminated), which are blocked for this
 * thread and those it starts from now on.  Once per loop. */
bool loop_signals(Loop *loop, const int *signals, void (*caught)(void *arg, int signal), void *arg,
                  Error *err);

/* Runs the task on the loop's thread, soon; from any thread.  The task must live until then. */
void loop_post(Loop *loop, LoopTask *task);

/* Takes back a task that has not run; on the loop's thread, or when the loop does not run. */
void loop_unpost(Loop *loop, LoopTask *task);

/* Until loop_stop, from any thread.  Fails when the kernel refuses to wait. */
bool loop_run(Loop *loop, Error *err);
void loop_stop(Loop *loop);

#endif
