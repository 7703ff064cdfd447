/* Histogram loops: see hist.h.
 *
 * The update is a load, an add and a store of 64 bits per row and column; the store decides, since
 * processors do one a cycle.  Sums of 32 bits would need half the cache, but were hardly faster
 * (measured) and overflow after a few hundred rows.
 *
 * The loop is the same plain C on every processor. */

#include "boost/hist.h"

#include "base/cpu.h"

#include <string.h>

typedef float F32x8 __attribute__((vector_size(32)));
typedef double F64x8 __attribute__((vector_size(64)));
typedef int64_t I64x8 __attribute__((vector_size(64)));
typedef uint32_t U32x8 __attribute__((vector_size(32)));
typedef int32_t I32x8 __attribute__((vector_size(32)));

enum { TILE = 256 };

/* ---- gradients ---- */

static inline __attribute__((always_inline)) void split_pairs(const float *gh, int64_t stride,
                                                              size_t begin, size_t n, float *g,
                                                              float *h)
{
    const float *pair = gh + (int64_t)begin * stride;
    for (size_t i = 0; i < n; i++, pair += stride) {
        g[i] = pair[0];
        h[i] = pair[1] > 0 ? pair[1] : pair[1] < 0 ? 0 : pair[1];
    }
    for (size_t i = n; i < ((n + 7) & ~(size_t)7); i++) g[i] = h[i] = 0;
}

static inline F64x8 load8(const float *x)
{
    F32x8 v;
    memcpy(&v, x, sizeof v);
    return __builtin_convertvector(v, F64x8);
}

static inline F64x8 greater(F64x8 a, F64x8 b)
{
    I64x8 more = a > b;
    return (F64x8)(((I64x8)a & more) | ((I64x8)b & ~more));
}

static inline __attribute__((always_inline)) HistMagnitude magnitude(const float *gh,
                                                                     int64_t stride, size_t begin,
                                                                     size_t end)
{
    UNINITIALIZED _Alignas(64) float g[TILE], h[TILE];
    F64x8 sum_g = {0}, sum_h = {0}, most_g = {0}, most_h = {0};
    for (size_t i = begin; i < end; i += TILE) {
        size_t n = MIN((size_t)TILE, end - i);
        split_pairs(gh, stride, i, n, g, h);
        for (size_t k = 0; k < n; k += 8) {
            F64x8 x = (F64x8)((I64x8)load8(g + k) & INT64_MAX), y = load8(h + k);
            sum_g += x;
            sum_h += y;
            most_g = greater(x, most_g);
            most_h = greater(y, most_h);
        }
    }
    HistMagnitude all = {{0, 0}, {0, 0}};
    for (int k = 0; k < 8; k++) {
        all.sum.g += sum_g[k];
        all.sum.h += sum_h[k];
        all.most.g = MAX(all.most.g, most_g[k]);
        all.most.h = MAX(all.most.h, most_h[k]);
    }
    return all;
}

/* A double near 1.5 * 2^52 has its integer part in the low bits of its representation. */
#define ROUNDER 0x1.8p52

static inline __attribute__((always_inline)) HistSum quantize(const float *gh, int64_t stride,
                                                              size_t begin, size_t end,
                                                              double scale_g, double scale_h,
                                                              uint32_t seed, void *q, bool narrow)
{
    UNINITIALIZED _Alignas(64) float g[TILE + 8], h[TILE + 8];
    const U32x8 iota = {0, 1, 2, 3, 4, 5, 6, 7};
    const F64x8 rounder = (F64x8){0} + ROUNDER;
    I64x8 sums = {0};
    for (size_t i = begin; i < end; i += TILE) {
        size_t n = MIN((size_t)TILE, end - i);
        split_pairs(gh, stride, i, n, g, h);
        for (size_t k = 0; k < n; k += 8) {
            U32x8 x = (iota + (uint32_t)(i + k)) * 0x9e3779b1u ^ seed;
            x ^= x >> 16;
            x *= 0x85ebca6bu;
            x ^= x >> 13;
            x *= 0xc2b2ae35u;
            x ^= x >> 16;
            /* Halves of the random number in (-1/2, 1/2). */
            F64x8 ug = __builtin_convertvector((I32x8)(x >> 16), F64x8) * 0x1p-16 - (0.5 - 0x1p-17);
            F64x8 uh = __builtin_convertvector((I32x8)(x & 0xffff), F64x8) * 0x1p-16 -
                       (0.5 - 0x1p-17);
            I64x8 qg = (I64x8)(load8(g + k) * scale_g + ug + rounder) - (I64x8)rounder;
            I64x8 qh = (I64x8)(load8(h + k) * scale_h + uh + rounder) - (I64x8)rounder;
            I64x8 packed = (qg << 32) + qh;
            size_t m = MIN(n - k, (size_t)8);
            if (m < 8)
                for (size_t l = m; l < 8; l++) packed[l] = 0;
            sums += packed;
            if (narrow) {
                U32x8 small = __builtin_convertvector((qg << 16) + qh, U32x8);
                memcpy((uint32_t *)q + (i - begin + k), &small, m * sizeof(uint32_t));
            } else {
                memcpy((HistSum *)q + (i - begin + k), &packed, m * sizeof(HistSum));
            }
        }
    }
    HistSum sum = 0;
    for (int k = 0; k < 8; k++) sum += (HistSum)sums[k];
    return sum;
}

#define QUANTIZE(level, target)                                                                    \
    target static HistSum quantize_##level(const float *gh, int64_t stride, size_t begin,          \
                                           size_t end, HistUnit unit, uint32_t seed,               \
                                           HistPairs pairs)                                        \
    {                                                                                              \
        if (pairs.narrow)                                                                          \
            return quantize(gh, stride, begin, end, 1 / unit.g, 1 / unit.h, seed, pairs.q, true);  \
        return quantize(gh, stride, begin, end, 1 / unit.g, 1 / unit.h, seed, pairs.q, false);     \
    }                                                                                              \
    target static HistMagnitude magnitude_##level(const float *gh, int64_t stride, size_t begin,   \
                                                  size_t end)                                      \
    {                                                                                              \
        return magnitude(gh, stride, begin, end);                                                  \
    }

QUANTIZE(base, )
#if CLARY_X86
QUANTIZE(avx2, TARGET_AVX2)
QUANTIZE(avx512, TARGET_AVX512)
#endif
#undef QUANTIZE

HistMagnitude hist_magnitude(const float *gh, int64_t stride, size_t begin, size_t end)
{
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512) return magnitude_avx512(gh, stride, begin, end);
    if (cpu_level() >= CPU_AVX2) return magnitude_avx2(gh, stride, begin, end);
#endif
    return magnitude_base(gh, stride, begin, end);
}

/* The power of two 2^k, the largest for which total * 2^k + n fits 31 bits, as 2^-k. */
static double unit_for(double total, size_t n)
{
    if (!(total > 0)) return 1;
    int exponent;
    frexp((0x7fffffff - (double)n) / total, &exponent);
    return ldexp(1, 1 - MAX(MIN(exponent, 120), -120));
}

/* The unit in which no row has more than `limit`, unless the average row would have too few then. */
static bool narrow_unit(double total, double most, size_t n, double limit, double *unit)
{
    enum { AVERAGE_MIN = 512 };
    double wide = *unit;
    while (most / wide > limit) wide *= 2;
    if (total > 0 && total / (double)n < AVERAGE_MIN * wide) return false;
    *unit = wide;
    return true;
}

HistUnit hist_unit(HistMagnitude magnitude, size_t n, bool *ret_narrow)
{
    enum { ROWS_MIN = 65536 }; /* below that there is little to be moved */
    HistUnit unit = {unit_for(magnitude.sum.g, n), unit_for(magnitude.sum.h, n)}, narrow = unit;
    *ret_narrow = n >= ROWS_MIN &&
                  narrow_unit(magnitude.sum.g, magnitude.most.g, n, 32766, &narrow.g) &&
                  narrow_unit(magnitude.sum.h, magnitude.most.h, n, 65534, &narrow.h);
    return *ret_narrow ? narrow : unit;
}

HistSum hist_quantize(const float *gh, int64_t stride, size_t begin, size_t end, HistUnit unit,
                      uint32_t seed, HistPairs pairs)
{
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512)
        return quantize_avx512(gh, stride, begin, end, unit, seed, pairs);
    if (cpu_level() >= CPU_AVX2) return quantize_avx2(gh, stride, begin, end, unit, seed, pairs);
#endif
    return quantize_base(gh, stride, begin, end, unit, seed, pairs);
}

/* ---- histograms ---- */

/* Rows in order stream by: passes of sixteen columns, whose histograms of 256 bins fill 32 KiB, over
 * a tile of rows that stays in L2.  Scattered rows are costly to fetch: passes of up to 32 columns,
 * and each row is asked for twice, early into L2 and shortly before its turn into L1 (asking once into
 * L1 keeps too few lines under way: 0.75 instead of 0.41 ns an update at one row in eight). */
enum {
    PASS_IN_ORDER = 16,
    PASS_SCATTERED = 32,
    TILE_ROWS = 1024,
    AHEAD_L1 = 12, /* rows */
    AHEAD_L2 = HIST_ROWS_AHEAD,
    AHEAD_BYTES = 1024,
};

/* The bins of n_columns columns, n_columns <= 8 and known to the compiler, are the bytes of `word`. */
static inline __attribute__((always_inline)) void add_word(HistSum *hist, uint64_t word, HistSum q,
                                                           int32_t n_columns, int shift)
{
    const size_t size = hist_stride(shift);
#pragma GCC unroll 4
    for (int32_t k = 0; k < n_columns; k += 2) {
        hist[(uint8_t)word] += q;
        if (k + 1 < n_columns) hist[size + (uint8_t)(word >> 8)] += q;
        word >>= 16;
        hist += 2 * size;
    }
}

static inline __attribute__((always_inline)) void add_row(const uint8_t *p, HistSum q,
                                                          HistSum *hist, int32_t n_columns,
                                                          int shift)
{
    uint64_t word;
    int32_t k = 0;
#pragma GCC unroll 4
    for (; k + 8 <= n_columns; k += 8) {
        memcpy(&word, p + k, sizeof word);
        add_word(hist + (size_t)k * hist_stride(shift), word, q, 8, shift);
    }
    if (k < n_columns) { /* rows are readable beyond the last one */
        memcpy(&word, p + k, sizeof word);
        add_word(hist + (size_t)k * hist_stride(shift), word, q, n_columns - k, shift);
    }
}

static inline __attribute__((always_inline)) void add_in_order(const uint8_t *bins, size_t stride,
                                                               size_t n, const HistSum *q,
                                                               HistSum *hist, int32_t n_columns,
                                                               int shift)
{
    for (size_t i = 0; i < n; i++, bins += stride) {
        __builtin_prefetch(bins + AHEAD_BYTES);
        add_row(bins, q[i], hist, n_columns, shift);
    }
}

static inline __attribute__((always_inline)) void add_scattered(const uint8_t *bins, size_t stride,
                                                                const uint32_t *rows, size_t n,
                                                                const HistSum *q, HistSum *hist,
                                                                int32_t n_columns, int shift)
{
    for (size_t i = 0; i < n; i++) {
        __builtin_prefetch(bins + (size_t)rows[i + AHEAD_L2] * stride, 0, 2);
        __builtin_prefetch(bins + (size_t)rows[i + AHEAD_L1] * stride, 0, 3);
        add_row(bins + (size_t)rows[i] * stride, q[i], hist, n_columns, shift);
    }
}

/* A pass over `columns` columns of 2^shift bins each, `columns` and `shift` known to the compiler. */
#define ONE(columns, shift, loop, ...)                                                             \
    case columns:                                                                                  \
        loop(__VA_ARGS__, q, hist, columns, shift);                                                \
        break;
#define FOUR(columns, ...) ONE(columns, __VA_ARGS__)
#define EACH(columns, ...)                                                                         \
    ONE((columns)-3, __VA_ARGS__)                                                                  \
    ONE((columns)-2, __VA_ARGS__) ONE((columns)-1, __VA_ARGS__) ONE(columns, __VA_ARGS__)
#define SIXTEEN(kind, first, ...)                                                                  \
    kind((first) + 4, __VA_ARGS__) kind((first) + 8, __VA_ARGS__) kind((first) + 12, __VA_ARGS__)  \
        kind((first) + 16, __VA_ARGS__)
#define PASS(shift, kind)                                                                          \
    static void pass_##shift(const uint8_t *bins, size_t stride, const uint32_t *rows, size_t n,   \
                             const HistSum *q, HistSum *hist, int32_t n_columns)                   \
    {                                                                                              \
        if (rows) {                                                                                \
            switch (n_columns) {                                                                   \
                SIXTEEN(kind, 0, shift, add_scattered, bins, stride, rows, n)                      \
                SIXTEEN(kind, 16, shift, add_scattered, bins, stride, rows, n)                     \
            }                                                                                      \
            return;                                                                                \
        }                                                                                          \
        switch (n_columns) {                                                                       \
            SIXTEEN(kind, 0, shift, add_in_order, bins, stride, n)                                 \
        }                                                                                          \
    }
PASS(8, EACH)
PASS(6, FOUR)
PASS(4, FOUR)
#undef PASS
#undef SIXTEEN
#undef EACH
#undef FOUR
#undef ONE

static void add_dense(const Bins *bins, const uint32_t *rows, size_t first, size_t n,
                      const HistSum *q, HistSum *hist)
{
    size_t stride = bins->row_stride;
    int32_t step = rows ? PASS_SCATTERED : PASS_IN_ORDER;
    for (size_t i = 0; i < n; i += TILE_ROWS) {
        size_t m = MIN((size_t)TILE_ROWS, n - i);
        const uint32_t *r = rows ? rows + i : NULL;
        const uint8_t *b = bins->rows + (rows ? 0 : (first + i) * stride);
        for (int32_t g = 0; g < bins->n_groups; g++) {
            const RowGroup *group = &bins->groups[g];
            for (int32_t at = 0; at < group->n_columns; at += step) {
                const uint8_t *p = b + group->first + at;
                HistSum *h = hist + group->slot + (size_t)at * hist_stride(group->shift);
                int32_t n_columns = MIN(step, group->n_columns - at);
                if (group->shift == 8)
                    pass_8(p, stride, r, m, q + i, h, n_columns);
                else if (group->shift == 6)
                    pass_6(p, stride, r, m, q + i, h, n_columns);
                else
                    pass_4(p, stride, r, m, q + i, h, n_columns);
            }
        }
    }
}

static void add_wide(const Bins *bins, const uint32_t *rows, size_t first, size_t n,
                     const HistSum *q, HistSum *hist)
{
    for (size_t i = 0; i < n; i++) {
        size_t row = rows ? rows[i] : first + i;
        const uint8_t *p = bins->rows + row * bins->row_stride;
        for (int32_t j = 0; j < bins->n_cols; j++) {
            uint16_t bin;
            memcpy(&bin, p + 2 * (size_t)j, sizeof bin);
            if (bin != 65535) hist[bins->slot[j] + bin] += q[i];
        }
    }
}

static void add_sparse(const Bins *bins, const uint32_t *rows, size_t first, size_t n,
                       const HistSum *q, HistSum *hist)
{
    for (size_t i = 0; i < n; i++) {
        size_t row = rows ? rows[i] : first + i;
        const uint32_t *entry = bins->entry + bins->row_start[row];
        const uint32_t *end = bins->entry + bins->row_start[row + 1];
        for (; entry < end; entry++) hist[*entry] += q[i];
    }
}

static void add_extra(const Bins *bins, const uint32_t *rows, size_t first, size_t n,
                      const HistSum *q, HistSum *hist)
{
    const uint32_t *start = bins->extra_start;
    const uint16_t *extra = bins->extra;
    for (size_t i = 0; i < n; i++) {
        size_t row = first + i;
        if (rows) {
            row = rows[i];
            __builtin_prefetch(start + rows[i + AHEAD_L2], 0, 2);
            __builtin_prefetch(extra + start[rows[i + AHEAD_L1]], 0, 3);
        }
        for (uint32_t k = start[row], end = start[row + 1]; k < end; k++) hist[extra[k]] += q[i];
    }
}

static void add_joined(const JoinedColumns *join, const Bins *bins, HistSum *hist)
{
    for (int32_t m = 0; m < join->n_columns; m++) {
        int32_t column = join->column[m], n_bins = bins_count(bins, column);
        for (int32_t k = 0; k < join->n_combinations; k++)
            if (join->bin[m][k] < n_bins) /* not missing */
                hist[bins->slot[column] + join->bin[m][k]] += hist[join->slot + k];
    }
}

void hist_complete(const Bins *bins, HistSum sum, HistSum *hist)
{
    for (int32_t k = 0; k < bins->n_joins; k++) add_joined(&bins->joins[k], bins, hist);
    if (!bins->any_frequent) return;
    for (int32_t j = 0; j < bins->n_cols; j++) {
        if (bins->frequent[j] < 0) continue;
        HistSum *column = hist + bins->slot[j], rest = sum;
        for (int32_t b = 0; b < bins_count(bins, j); b++) rest -= column[b];
        column[bins->frequent[j]] += rest;
    }
}

static void add_wide_pairs(const Bins *bins, const uint32_t *rows, size_t first, size_t n,
                           const HistSum *q, HistSum *hist)
{
    if (bins->any_frequent) add_extra(bins, rows, first, n, q, hist);
    if (bins->width == 1)
        add_dense(bins, rows, first, n, q, hist);
    else if (bins->width == 2)
        add_wide(bins, rows, first, n, q, hist);
    else
        add_sparse(bins, rows, first, n, q, hist);
}

static inline __attribute__((always_inline)) void widen(const uint32_t *narrow, size_t n,
                                                        HistSum *q)
{
    for (size_t i = 0; i < n; i += 8) { /* blocks of pairs are padded */
        U32x8 x;
        memcpy(&x, narrow + i, sizeof x);
        I64x8 g = __builtin_convertvector((I32x8)x >> 16, I64x8) << 32;
        g += __builtin_convertvector(x & 0xffff, I64x8);
        memcpy(q + i, &g, sizeof g);
    }
}

#if CLARY_X86
TARGET_AVX512 static void widen_avx512(const uint32_t *narrow, size_t n, HistSum *q)
{
    widen(narrow, n, q);
}

TARGET_AVX2 static void widen_avx2(const uint32_t *narrow, size_t n, HistSum *q)
{
    widen(narrow, n, q);
}
#endif

static void widen_pairs(const uint32_t *narrow, size_t n, HistSum *q)
{
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512) {
        widen_avx512(narrow, n, q);
        return;
    }
    if (cpu_level() >= CPU_AVX2) {
        widen_avx2(narrow, n, q);
        return;
    }
#endif
    widen(narrow, n, q);
}

void hist_add(const Bins *bins, const uint32_t *rows, size_t first, size_t n, HistPairs pairs,
              HistSum *hist)
{
    if (!pairs.narrow) {
        add_wide_pairs(bins, rows, first, n, pairs.q, hist);
        return;
    }
    UNINITIALIZED _Alignas(64) HistSum q[TILE_ROWS];
    for (size_t i = 0; i < n; i += TILE_ROWS) {
        size_t m = MIN((size_t)TILE_ROWS, n - i);
        widen_pairs((const uint32_t *)pairs.q + i, m, q);
        add_wide_pairs(bins, rows ? rows + i : NULL, first + i, m, q, hist);
    }
}

void hist_sum(HistSum *sums, const HistSum *other, size_t n)
{
    for (size_t i = 0; i < n; i++) sums[i] += other[i];
}

void hist_subtract(HistSum *sums, const HistSum *other, size_t n)
{
    for (size_t i = 0; i < n; i++) sums[i] -= other[i];
}
