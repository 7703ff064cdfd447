/* Cuts of a column and the bins of its values: see bins.h.
 *
 * A column with at most max_bin distinct values is found out by a small hash table, which a
 * continuous column leaves after a few hundred rows.  Otherwise the quantiles are those of a
 * stratified sample of 2^18 rows (all rows when there are fewer), sorted by radix: the rank of a
 * cut is off by 0.1 % at most points, a quarter of a bin of 256.
 *
 * Values are looked up in a complete search tree in breadth-first order.  With AVX-512 the whole tree of
 * 255 cuts lies in registers and sixteen values go down it at once. */

#include "boost/bins.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "base/random.h"

#include <float.h>
#include <math.h>
#include <string.h>
#if CLARY_X86
#include <immintrin.h>
#endif

enum { SAMPLE_MAX = 1 << 18 };

/* Floats as integers of the same order; -0 becomes 0. */
static inline uint32_t key_of(float x)
{
    uint32_t bits;
    x += 0.0f;
    memcpy(&bits, &x, sizeof bits);
    return bits ^ ((uint32_t)((int32_t)bits >> 31) | 0x80000000u);
}

static inline float value_of(uint32_t key)
{
    uint32_t bits = key ^ (key >> 31 ? 0x80000000u : 0xffffffffu);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Least significant digit first, 11 bits at a time, by bits 32 .. 63; `spare` is as long. */
static void sort_pairs(uint64_t *pairs, uint64_t *spare, size_t n)
{
    static const int shifts[3] = {32, 43, 54};
    uint32_t count[3][2048];
    memset(count, 0, sizeof count);
    for (size_t i = 0; i < n; i++)
        for (int d = 0; d < 3; d++) count[d][pairs[i] >> shifts[d] & 2047]++;
    uint64_t *from = pairs, *to = spare;
    for (int d = 0; d < 3; d++) {
        uint32_t at = 0;
        for (int k = 0; k < 2048; k++) {
            uint32_t here = count[d][k];
            count[d][k] = at;
            at += here;
        }
        for (size_t i = 0; i < n; i++) to[count[d][from[i] >> shifts[d] & 2047]++] = from[i];
        uint64_t *swap = from;
        from = to;
        to = swap;
    }
    memcpy(pairs, spare, n * sizeof *pairs);
}

static void sort_keys(uint32_t *keys, uint32_t *spare, size_t n)
{
    uint32_t count[3][2048];
    memset(count, 0, sizeof count);
    for (size_t i = 0; i < n; i++) {
        count[0][keys[i] & 2047]++;
        count[1][keys[i] >> 11 & 2047]++;
        count[2][keys[i] >> 22]++;
    }
    uint32_t *from = keys, *to = spare;
    for (int d = 0; d < 3; d++) {
        uint32_t at = 0;
        for (int k = 0; k < 2048; k++) {
            uint32_t here = count[d][k];
            count[d][k] = at;
            at += here;
        }
        for (size_t i = 0; i < n; i++) to[count[d][from[i] >> 11 * d & 2047]++] = from[i];
        uint32_t *swap = from;
        from = to;
        to = swap;
    }
    memcpy(keys, spare, n * sizeof *keys);
}

/* ---- distinct values ---- */

/* The distinct keys of x when there are at most `max` (<= 65535), else -1; unordered. */
static int32_t find_distinct(const float *x, size_t n, int32_t max, uint32_t *keys, uint32_t *table,
                             uint32_t mask)
{
    int32_t n_keys = 0;
    uint32_t last = 0;
    bool any = false;
    for (size_t i = 0; i < n; i++) {
        if (x[i] != x[i]) continue;
        uint32_t key = key_of(x[i]);
        if (any && key == last) continue;
        any = true;
        last = key;
        /* A slot holds the place in `keys` plus one. */
        uint32_t slot = (key * 0x9e3779b1u ^ key >> 15) & mask;
        while (table[slot] && keys[table[slot] - 1] != key) slot = (slot + 1) & mask;
        if (table[slot]) continue;
        if (n_keys == max) return -1;
        keys[n_keys++] = key;
        table[slot] = (uint32_t)n_keys;
    }
    return n_keys;
}

/* Distinct values in order: a cut before each but the first, and the end. */
static int32_t cuts_of_distinct(uint32_t *keys, int32_t n, uint32_t *spare, float *cuts)
{
    sort_keys(keys, spare, (size_t)n);
    for (int32_t i = 1; i < n; i++) cuts[i - 1] = value_of(keys[i]);
    if (n) cuts[n - 1] = FLT_MAX;
    return n;
}

/* ---- quantiles ---- */

typedef struct Filler { /* fills bins with values in ascending order */
    float *cuts;
    int32_t n_cuts, max_bin;
    double in_bin, rest; /* weight in the open bin; from it on */
} Filler;

/* The open bin ends before `key` when it is full, or when a heavy value would overfill it; what is
 * left is shared out among the bins that are left. */
static inline void fill(Filler *f, uint32_t key, double weight)
{
    int32_t bins_left = f->max_bin - f->n_cuts;
    if (f->in_bin > 0 && bins_left > 1) {
        double share = f->rest / bins_left;
        if (f->in_bin + weight / 2 > share) {
            f->cuts[f->n_cuts++] = value_of(key);
            f->rest -= f->in_bin;
            f->in_bin = 0;
        }
    }
    f->in_bin += weight;
}

static int32_t finish(Filler *f)
{
    f->cuts[f->n_cuts++] = FLT_MAX;
    return f->n_cuts;
}

/* Row of stratum s of m over n rows. */
static inline size_t sample_row(Random random, size_t s, size_t m, size_t n)
{
    if (m == n) return s;
    size_t begin = s * n / m, end = (s + 1) * n / m;
    return begin + random_below(random, s, end - begin);
}

static int32_t quantile_cuts(const float *x, const float *w, size_t n, int32_t max_bin, float *cuts)
{
    size_t m = MIN(n, (size_t)SAMPLE_MAX), kept = 0;
    Random random = random_stream(0, 0x6b1f);
    Filler filler = {.cuts = cuts, .max_bin = max_bin};
    if (w) {
        AUTO_DATA uint64_t *pairs = data_array(uint64_t, 2 * m, "sorting a column", NULL);
        AUTO_DATA float *weights = data_array(float, m, "sorting a column", NULL);
        if (!pairs || !weights) return -1;
        for (size_t s = 0; s < m; s++) {
            size_t row = sample_row(random, s, m, n);
            if (x[row] != x[row] || !(w[row] > 0)) continue;
            pairs[kept] = (uint64_t)key_of(x[row]) << 32 | kept;
            weights[kept++] = w[row];
        }
        sort_pairs(pairs, pairs + m, kept);
        for (size_t i = 0; i < kept; i++) filler.rest += (double)weights[i];
        for (size_t i = 0; i < kept;) {
            uint32_t key = (uint32_t)(pairs[i] >> 32);
            double weight = 0;
            for (; i < kept && (uint32_t)(pairs[i] >> 32) == key; i++)
                weight += (double)weights[(uint32_t)pairs[i]];
            fill(&filler, key, weight);
        }
    } else {
        AUTO_DATA uint32_t *keys = data_array(uint32_t, 2 * m, "sorting a column", NULL);
        if (!keys) return -1;
        for (size_t s = 0; s < m; s++) {
            float value = x[sample_row(random, s, m, n)];
            if (value == value) keys[kept++] = key_of(value);
        }
        sort_keys(keys, keys + m, kept);
        filler.rest = (double)kept;
        for (size_t i = 0; i < kept;) {
            size_t begin = i;
            uint32_t key = keys[i];
            while (i < kept && keys[i] == key) i++;
            fill(&filler, key, (double)(i - begin));
        }
    }
    /* No value in the sample: all the column's values are rare, one bin holds them. */
    return finish(&filler);
}

int32_t cuts_find(const float *x, const float *w, size_t n, int32_t max_bin, float *cuts)
{
    uint32_t size = 4096;
    while (size < 4 * (uint32_t)max_bin) size *= 2;
    AUTO_DATA uint32_t *memory = data_array(uint32_t, size + 2 * ((size_t)max_bin + 1),
                                            "the distinct values", NULL);
    if (!memory) return -1;
    uint32_t *keys = memory + size, *spare = keys + max_bin + 1;
    int32_t n_keys = find_distinct(x, n, max_bin, keys, memory, size - 1);
    if (n_keys >= 0) return cuts_of_distinct(keys, n_keys, spare, cuts);
    return quantile_cuts(x, w, n, max_bin, cuts);
}

/* ---- bins of values ---- */

/* tree[1 .. 2^levels): the first n_cuts - 1 cuts and then infinities, as a search tree. */
static void make_tree(const float *cuts, int32_t n_cuts, int levels, float *tree)
{
    int32_t size = (int32_t)1 << levels;
    tree[0] = 0;
    for (int level = 0; level < levels; level++) {
        for (int32_t p = 0; p < (int32_t)1 << level; p++) {
            int32_t i = (2 * p + 1) * (size >> (level + 1)) - 1;
            tree[((int32_t)1 << level) + p] = i < n_cuts - 1 ? cuts[i] : INFINITY;
        }
    }
}

static void assign_base(const float *x, size_t n, const float *tree, int levels, int32_t n_cuts,
                        uint8_t *out)
{
    uint32_t last = (uint32_t)n_cuts - 1, first = 1u << levels;
    for (size_t i = 0; i < n; i++) {
        uint32_t e = 1;
        for (int level = 0; level < levels; level++) e = 2 * e + (x[i] >= tree[e]);
        out[i] = (uint8_t)(x[i] != x[i] ? 255 : MIN(e - first, last));
    }
}

/* Any number of cuts: the first cut above the value. */
static void assign_wide(const float *x, size_t n, const float *cuts, int32_t n_cuts, uint16_t *out)
{
    for (size_t i = 0; i < n; i++) {
        const float *base = cuts;
        for (int32_t left = n_cuts - 1; left > 0;) {
            int32_t half = (left + 1) / 2;
            base += base[half - 1] <= x[i] ? half : 0;
            left -= half;
        }
        out[i] = (uint16_t)(x[i] != x[i] ? 65535 : base - cuts);
    }
}

#if CLARY_X86
/* One step down the tree: entries [2^level, 2^(level + 1)) lie in registers t[...]. */
#define DOWN(pivot)                                                                                \
    do {                                                                                           \
        __mmask16 right_ = _mm512_cmp_ps_mask(v, (pivot), _CMP_GE_OQ);                             \
        e = _mm512_add_epi32(e, e);                                                                \
        e = _mm512_mask_add_epi32(e, right_, e, one);                                              \
    } while (0)

TARGET_AVX512 static inline __attribute__((always_inline)) void assign_512(
    const float *x, size_t n, const float *tree, int levels, int32_t n_cuts, uint8_t *out)
{
    UNINITIALIZED __m512 t[16];
    for (int i = 0; i < 16; i++) t[i] = _mm512_loadu_ps(tree + 16 * i);
    const __m512i one = _mm512_set1_epi32(1), last = _mm512_set1_epi32(n_cuts - 1),
                  first = _mm512_set1_epi32(1 << levels), none = _mm512_set1_epi32(255),
                  bit5 = _mm512_set1_epi32(32), bit6 = _mm512_set1_epi32(64);
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 tail = n - i >= 16 ? 0xffff : (__mmask16)((1u << (n - i)) - 1);
        __m512 v = _mm512_maskz_loadu_ps(tail, x + i);
        __m512i e = one;
        for (int level = 0; level < MIN(levels, 4); level++) DOWN(_mm512_permutexvar_ps(e, t[0]));
        if (levels > 4) DOWN(_mm512_permutexvar_ps(e, t[1]));
        if (levels > 5) DOWN(_mm512_permutex2var_ps(t[2], e, t[3]));
        if (levels > 6) {
            __mmask16 high = _mm512_test_epi32_mask(e, bit5);
            DOWN(_mm512_mask_blend_ps(high, _mm512_permutex2var_ps(t[4], e, t[5]),
                                      _mm512_permutex2var_ps(t[6], e, t[7])));
        }
        if (levels > 7) {
            __mmask16 high = _mm512_test_epi32_mask(e, bit5), top = _mm512_test_epi32_mask(e, bit6);
            __m512 low_half = _mm512_mask_blend_ps(high, _mm512_permutex2var_ps(t[8], e, t[9]),
                                                   _mm512_permutex2var_ps(t[10], e, t[11]));
            __m512 high_half = _mm512_mask_blend_ps(high, _mm512_permutex2var_ps(t[12], e, t[13]),
                                                    _mm512_permutex2var_ps(t[14], e, t[15]));
            DOWN(_mm512_mask_blend_ps(top, low_half, high_half));
        }
        __m512i bin = _mm512_min_epi32(_mm512_sub_epi32(e, first), last);
        bin = _mm512_mask_mov_epi32(bin, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), none);
        if (tail == 0xffff)
            _mm_storeu_si128((__m128i *)(out + i), _mm512_cvtepi32_epi8(bin));
        else
            _mm_mask_storeu_epi8(out + i, tail, _mm512_cvtepi32_epi8(bin));
    }
}
#undef DOWN

TARGET_AVX512 static void assign_avx512(const float *x, size_t n, const float *tree, int levels,
                                        int32_t n_cuts, uint8_t *out)
{
    if (levels <= 4)
        assign_512(x, n, tree, 4, n_cuts, out);
    else if (levels <= 6)
        assign_512(x, n, tree, 6, n_cuts, out);
    else
        assign_512(x, n, tree, 8, n_cuts, out);
}
#endif

void cuts_assign(const float *x, size_t n, const float *cuts, int32_t n_cuts, int width, void *bins)
{
    if (n_cuts == 0) { /* the column had no value */
        memset(bins, 0xff, n * (size_t)width);
        return;
    }
    if (width == 2) {
        assign_wide(x, n, cuts, n_cuts, bins);
        return;
    }
    int levels = n_cuts <= 16 ? 4 : n_cuts <= 64 ? 6 : 8;
    UNINITIALIZED float tree[256];
    make_tree(cuts, n_cuts, levels, tree);
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512) {
        for (int32_t i = (int32_t)1 << levels; i < 256; i++) tree[i] = 0;
        assign_avx512(x, n, tree, levels, n_cuts, bins);
        return;
    }
#endif
    assign_base(x, n, tree, levels, n_cuts, bins);
}
