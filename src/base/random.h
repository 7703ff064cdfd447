#ifndef CLARY_BASE_RANDOM_H
#define CLARY_BASE_RANDOM_H

/* Random numbers as a function of (seed, stream, index): it does not matter who draws first, so
 * any number of threads gives the same numbers.
 *
 *     Random random = random_stream(seed, RANDOM_SUBSAMPLE + tree);
 *     bool chosen = random_unit(random, row) < 0.5;
 */

#include "base/base.h"

typedef struct Random {
    uint64_t key;
} Random;

/* The finalizer of SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators,
 * 2014), a bijection with full avalanche. */
static inline uint64_t random_mix(uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline Random random_stream(uint64_t seed, uint64_t stream)
{
    return (Random){random_mix(random_mix(seed) ^ (stream * 0xd1342543de82ef95u))};
}

static inline uint64_t random_u64(Random random, uint64_t index)
{
    return random_mix(random.key + index * 0x9e3779b97f4a7c15u);
}

/* Uniform in [0, 1), 53 bits. */
static inline double random_unit(Random random, uint64_t index)
{
    return (double)(random_u64(random, index) >> 11) * 0x1p-53;
}

/* Uniform in [0, n), n > 0; the bias is below n / 2^64. */
static inline uint64_t random_below(Random random, uint64_t index, uint64_t n)
{
    return (uint64_t)(((unsigned __int128)random_u64(random, index) * n) >> 64);
}

double random_normal(Random random, uint64_t index); /* mean 0, variance 1 (Box-Muller) */

/* A permutation of 0 .. n-1 into `order` (Fisher-Yates). */
void random_permutation(Random random, uint32_t *order, size_t n);

#endif
