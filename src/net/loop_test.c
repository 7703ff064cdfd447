#include "net/loop.h"

#include "base/random.h"
#include "base/test.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { TIMERS = 500 };

static struct {
    Loop *loop;
    LoopTimer timers[TIMERS];
    int fired, tasks, signal;
    double last;
} run;

static void fire(LoopTimer *timer)
{
    CHECK(timer->at >= run.last);
    CHECK(timer->at <= loop_now(run.loop));
    run.last = timer->at;
    run.fired++;
}

static void fire_last(LoopTimer *timer UNUSED)
{
    loop_stop(run.loop);
}

TEST(loop, timers_fire_in_order)
{
    Error err = {0};
    CHECK_OK(loop_new(&run.loop, &err), err);
    Random random = random_stream(1, 2);
    double now = loop_now(run.loop);
    for (int i = 0; i < TIMERS; i++) {
        run.timers[i].fire = fire;
        loop_timer_start(run.loop, &run.timers[i], now + 0.05 * random_unit(random, (uint64_t)i));
    }
    for (int i = 0; i < TIMERS; i += 3) loop_timer_stop(run.loop, &run.timers[i]);
    for (int i = 1; i < TIMERS; i += 3) /* moved, both ways */
        loop_timer_start(run.loop, &run.timers[i],
                         now + 0.05 * random_unit(random, (uint64_t)i + 1000));
    LoopTimer last = {.fire = fire_last};
    loop_timer_start(run.loop, &last, now + 0.06);
    CHECK_OK(loop_run(run.loop, &err), err);
    CHECK_INT(run.fired, TIMERS - (TIMERS + 2) / 3);
    loop_free(run.loop);
}

static void count_task(LoopTask *task UNUSED)
{
    if (++run.tasks == 4000) loop_stop(run.loop);
}

static void *post_many(void *arg)
{
    LoopTask *tasks = arg;
    for (int i = 0; i < 1000; i++) loop_post(run.loop, &tasks[i]);
    return NULL;
}

TEST(loop, tasks_from_threads_all_run)
{
    Error err = {0};
    CHECK_OK(loop_new(&run.loop, &err), err);
    static LoopTask tasks[4][1000];
    pthread_t threads[4];
    for (int t = 0; t < 4; t++) {
        for (int i = 0; i < 1000; i++) tasks[t][i].run = count_task;
        CHECK(pthread_create(&threads[t], NULL, post_many, tasks[t]) == 0);
    }
    CHECK_OK(loop_run(run.loop, &err), err);
    CHECK_INT(run.tasks, 4000);
    for (int t = 0; t < 4; t++) pthread_join(threads[t], NULL);
    loop_free(run.loop);
}

static void catch_signal(void *arg, int signal)
{
    CHECK(arg == &run);
    run.signal = signal;
    loop_stop(run.loop);
}

TEST(loop, signals_arrive_as_calls)
{
    Error err = {0};
    CHECK_OK(loop_new(&run.loop, &err), err);
    static const int signals[] = {SIGTERM, SIGINT, 0};
    CHECK_OK(loop_signals(run.loop, signals, catch_signal, &run, &err), err);
    kill(getpid(), SIGTERM);
    CHECK_OK(loop_run(run.loop, &err), err);
    CHECK_INT(run.signal, SIGTERM);
    loop_free(run.loop);
}

static int removed_calls, released;

static void count_release(LoopSource *source UNUSED)
{
    released++;
}

typedef struct Pair {
    LoopSource a, b;
    int pipe_a[2], pipe_b[2];
} Pair;

static Pair pair;

static void remove_both(LoopSource *source UNUSED, uint32_t events UNUSED)
{
    removed_calls++;
    loop_remove(run.loop, pair.pipe_a[0], &pair.a);
    loop_remove(run.loop, pair.pipe_b[0], &pair.b);
    CHECK_INT(released, 0);
    loop_stop(run.loop);
}

TEST(loop, removed_sources_are_not_called)
{
    Error err = {0};
    CHECK_OK(loop_new(&run.loop, &err), err);
    CHECK(pipe(pair.pipe_a) == 0 && pipe(pair.pipe_b) == 0);
    pair.a = pair.b = (LoopSource){.ready = remove_both, .release = count_release};
    CHECK_OK(loop_add(run.loop, pair.pipe_a[0], EPOLLIN, &pair.a, &err), err);
    CHECK_OK(loop_add(run.loop, pair.pipe_b[0], EPOLLIN, &pair.b, &err), err);
    CHECK(write(pair.pipe_a[1], "x", 1) == 1 && write(pair.pipe_b[1], "x", 1) == 1);
    CHECK_OK(loop_run(run.loop, &err), err);
    CHECK_INT(removed_calls, 1);
    CHECK_INT(released, 2);
    loop_free(run.loop);
}
