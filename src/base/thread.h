#ifndef CLARY_BASE_THREAD_H
#define CLARY_BASE_THREAD_H

/* A fixed pool of threads and the one loop over it.
 *
 * Chunks depend on n and the grain, never on the number of threads: keep partial results per chunk
 * and combine them in chunk order, and one core gives the same bits as sixty-four.
 *
 * The caller works too and takes chunks as they come, so a pool on a busy machine is no slower
 * than one thread.  Idle threads sleep in the kernel after a few microseconds. */

#include "base/error.h"

typedef struct Pool Pool;

/* Threads in all, the caller's included; 0 means one per processor this process may use.
 * Threads are started by the first loop that has more than one chunk. */
Pool *pool_new(int n_threads);
void pool_free(Pool *pool);
AUTO_FREE(Pool, pool_free);
int pool_threads(const Pool *pool); /* NULL counts as 1 */

/* Rows [begin, end) of chunk number `chunk`. */
typedef void ChunkFunction(void *arg, size_t chunk, size_t begin, size_t end);

/* Calls run(arg, c, c * grain, min(n, (c + 1) * grain)) once for each chunk and returns when all
 * are done.  `pool` NULL: in order, on this thread.  Not to be nested within one pool. */
void parallel_for(Pool *pool, size_t n, size_t grain, ChunkFunction *run, void *arg);

static inline size_t chunk_count(size_t n, size_t grain)
{
    return (n + grain - 1) / grain;
}

/* Processors this process may run on. */
int processor_count(void);

#endif
