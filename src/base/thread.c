/* A pool of threads that take chunks from one counter.
 *
 * Each loop is a generation: the caller publishes it, wakes the sleepers through a futex, and works
 * along.  A worker joins a loop by raising `inside`; the caller ends the loop when all chunks are
 * done and nobody is inside, so a worker that the kernel never scheduled costs nothing: it is not
 * waited for. */

#include "base/thread.h"

#include "base/cpu.h"
#include "base/memory.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { SPIN_LOOPS = 400 }; /* some microseconds */

struct Pool {
    int n_threads;
    int n_started;
    pthread_t *threads;

    /* The loop that runs now; written by the caller while nobody is inside. */
    ChunkFunction *run;
    void *arg;
    size_t n, grain, n_chunks;

    _Alignas(64) atomic_size_t next;
    _Alignas(64) atomic_size_t done;
    _Alignas(64) atomic_uint inside;     /* workers in the loop; CLOSED is set between loops */
    _Alignas(64) atomic_uint generation; /* futex word of the sleepers; odd when stopping */
    atomic_uint sleepers;
    atomic_bool stop;
};

enum { CLOSED = 1u << 30 };

static void futex_wait(atomic_uint *word, unsigned expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake_all(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

static void work(Pool *pool)
{
    size_t n_chunks = pool->n_chunks, n_done = 0;
    for (;;) {
        size_t chunk = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (chunk >= n_chunks) break;
        size_t begin = chunk * pool->grain;
        pool->run(pool->arg, chunk, begin, MIN(pool->n, begin + pool->grain));
        n_done++;
    }
    if (n_done) atomic_fetch_add_explicit(&pool->done, n_done, memory_order_release);
}

static void *worker(void *arg)
{
    Pool *pool = arg;
    unsigned seen = 0;
    for (;;) {
        unsigned generation = atomic_load_explicit(&pool->generation, memory_order_acquire);
        for (int i = 0; i < SPIN_LOOPS && generation == seen; i++) {
            cpu_pause();
            generation = atomic_load_explicit(&pool->generation, memory_order_acquire);
        }
        while (generation == seen) {
            atomic_fetch_add(&pool->sleepers, 1);
            futex_wait(&pool->generation, seen);
            atomic_fetch_sub(&pool->sleepers, 1);
            generation = atomic_load_explicit(&pool->generation, memory_order_acquire);
        }
        seen = generation;
        if (atomic_load(&pool->stop)) return NULL;

        unsigned inside = atomic_load_explicit(&pool->inside, memory_order_relaxed);
        while (!(inside & CLOSED)) {
            if (atomic_compare_exchange_weak_explicit(&pool->inside, &inside, inside + 1,
                                                      memory_order_acquire, memory_order_relaxed)) {
                work(pool);
                atomic_fetch_sub_explicit(&pool->inside, 1, memory_order_release);
                break;
            }
        }
    }
}

static void start_threads(Pool *pool)
{
    sigset_t all, before; /* signals are the main thread's business */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool->n_started < pool->n_threads - 1) {
        if (pthread_create(&pool->threads[pool->n_started], NULL, worker, pool) != 0) {
            pool->n_threads = pool->n_started + 1; /* go on with what there is */
            break;
        }
        pool->n_started++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

Pool *pool_new(int n_threads)
{
    Pool *pool = aligned_alloc(64, (sizeof(Pool) + 63) & ~(size_t)63);
    if (!pool) memory_exhausted(sizeof(Pool));
    *pool = (Pool){.n_threads = n_threads > 0 ? n_threads : processor_count()};
    atomic_store(&pool->inside, CLOSED);
    pool->threads = calloc((size_t)pool->n_threads, sizeof *pool->threads);
    if (!pool->threads) memory_exhausted((size_t)pool->n_threads * sizeof *pool->threads);
    return pool;
}

void pool_free(Pool *pool)
{
    if (!pool) return;
    atomic_store(&pool->stop, true);
    atomic_fetch_add(&pool->generation, 1);
    futex_wake_all(&pool->generation);
    for (int i = 0; i < pool->n_started; i++) pthread_join(pool->threads[i], NULL);
    free(pool->threads);
    free(pool);
}

int pool_threads(const Pool *pool)
{
    return pool ? pool->n_threads : 1;
}

void parallel_for(Pool *pool, size_t n, size_t grain, ChunkFunction *run, void *arg)
{
    assert(grain > 0);
    size_t n_chunks = chunk_count(n, grain);
    if (!pool || pool->n_threads == 1 || n_chunks <= 1) {
        for (size_t c = 0; c < n_chunks; c++) run(arg, c, c * grain, MIN(n, (c + 1) * grain));
        return;
    }
    if (pool->n_started < pool->n_threads - 1) start_threads(pool);

    pool->run = run;
    pool->arg = arg;
    pool->n = n;
    pool->grain = grain;
    pool->n_chunks = n_chunks;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->done, 0, memory_order_relaxed);
    atomic_store_explicit(&pool->inside, 0, memory_order_release);
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->sleepers)) futex_wake_all(&pool->generation);

    work(pool);

    /* All chunks are taken; wait for those that others hold.  They are short: yield, not sleep. */
    for (int spins = 0; atomic_load_explicit(&pool->done, memory_order_acquire) < n_chunks;
         spins++) {
        if (spins < SPIN_LOOPS)
            cpu_pause();
        else
            sched_yield();
    }
    unsigned nobody = 0;
    while (!atomic_compare_exchange_weak_explicit(&pool->inside, &nobody, CLOSED,
                                                  memory_order_acquire, memory_order_relaxed)) {
        nobody = 0;
        sched_yield();
    }
}

int processor_count(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
    return MAX(1, CPU_COUNT(&set));
}
