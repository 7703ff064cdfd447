/* Partition of rows: see partition.h.
 *
 * Two passes: the first makes a bit per row, the second moves rows and sums by the bits.  Chunks of a
 * node can so be moved at once, each to its own place.  Sixteen rows are compressed in a register
 * and stored through a mask: stores beyond the end would race with the neighbour chunk, and compressing straight to
 * memory is slow on Zen 4. */

#include "boost/partition.h"

#include "base/cpu.h"

#include <string.h>
#if CLARY_X86
#include <immintrin.h>
#endif

bool bin_goes_left(const BinTest *test, const Bins *bins, uint32_t bin)
{
    if (bin == (bins->width ? bins->missing : UINT32_MAX)) return test->default_left;
    if (!test->categorical) return (int64_t)bin <= test->bin;
    return bin >= (uint32_t)test->n_right || !test->right[bin];
}

/* Missing is the greatest number: with 1 added it wraps around to the least.  So one comparison
 * does, `bin + add <= limit`, for either default. */

enum { GATHER = 1024 };

static size_t compare_base(const uint8_t *bin, size_t n, uint8_t add, uint8_t limit, uint64_t *bits)
{
    size_t n_left = 0;
    for (size_t i = 0; i < n; i += 64) {
        size_t m = MIN((size_t)64, n - i);
        uint64_t word = 0;
        for (size_t k = 0; k < m; k++)
            word |= (uint64_t)((uint8_t)(bin[i + k] + add) <= limit) << k;
        bits[i / 64] = word;
        n_left += (size_t)__builtin_popcountll(word);
    }
    return n_left;
}

#if CLARY_X86
/* May read up to 63 bytes beyond the last. */
TARGET_AVX2 static size_t compare_avx2(const uint8_t *bin, size_t n, uint8_t add, uint8_t limit,
                                       uint64_t *bits)
{
    const __m256i adds = _mm256_set1_epi8((char)add), limits = _mm256_set1_epi8((char)limit);
    size_t n_left = 0;
    for (size_t i = 0; i < n; i += 64) {
        uint64_t word = 0;
        for (int half = 0; half < 2; half++) {
            __m256i x = _mm256_loadu_si256((const __m256i *)(bin + i + 32 * half));
            x = _mm256_add_epi8(x, adds);
            __m256i left = _mm256_cmpeq_epi8(_mm256_min_epu8(x, limits), x);
            word |= (uint64_t)(uint32_t)_mm256_movemask_epi8(left) << 32 * half;
        }
        if (n - i < 64) word &= ((uint64_t)1 << (n - i)) - 1;
        bits[i / 64] = word;
        n_left += (size_t)_mm_popcnt_u64(word);
    }
    return n_left;
}

TARGET_AVX512 static size_t compare_avx512(const uint8_t *bin, size_t n, uint8_t add, uint8_t limit,
                                           uint64_t *bits)
{
    const __m512i adds = _mm512_set1_epi8((char)add), limits = _mm512_set1_epi8((char)limit);
    size_t n_left = 0;
    for (size_t i = 0; i < n; i += 64) {
        __mmask64 tail = n - i >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << (n - i)) - 1;
        __m512i x = _mm512_add_epi8(_mm512_maskz_loadu_epi8(tail, bin + i), adds);
        uint64_t word = _mm512_mask_cmple_epu8_mask(tail, x, limits);
        bits[i / 64] = word;
        n_left += (size_t)_mm_popcnt_u64(word);
    }
    return n_left;
}
#endif

static size_t compare(const uint8_t *bin, size_t n, uint8_t add, uint8_t limit, uint64_t *bits)
{
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512) return compare_avx512(bin, n, add, limit, bits);
    if (cpu_level() >= CPU_AVX2) return compare_avx2(bin, n, add, limit, bits);
#endif
    return compare_base(bin, n, add, limit, bits);
}

/* Scattered bins are collected first: loads and stores at one row a cycle, which gathers are not. */
static size_t compare_rows(const uint8_t *col, const uint32_t *rows, size_t n, uint8_t add,
                           uint8_t limit, uint64_t *bits)
{
    UNINITIALIZED uint8_t bin[GATHER + 64];
    size_t n_left = 0;
    for (size_t i = 0; i < n; i += GATHER) {
        size_t m = MIN((size_t)GATHER, n - i), k = 0;
        const uint32_t *r = rows + i;
        for (; k + 4 <= m; k += 4) {
            bin[k] = col[r[k]];
            bin[k + 1] = col[r[k + 1]];
            bin[k + 2] = col[r[k + 2]];
            bin[k + 3] = col[r[k + 3]];
        }
        for (; k < m; k++) bin[k] = col[r[k]];
        n_left += compare(bin, m, add, limit, bits + i / 64);
    }
    return n_left;
}

static size_t bits_any(const Bins *bins, const BinTest *test, const uint32_t *rows, size_t first,
                       size_t n, uint64_t *bits)
{
    size_t n_left = 0;
    for (size_t i = 0; i < n; i += 64) {
        size_t m = MIN((size_t)64, n - i);
        uint64_t word = 0;
        for (size_t k = 0; k < m; k++) {
            size_t row = rows ? rows[i + k] : first + i + k;
            uint32_t bin = bins_at(bins, (int64_t)row, test->column);
            word |= (uint64_t)bin_goes_left(test, bins, bin) << k;
        }
        bits[i / 64] = word;
        n_left += (size_t)__builtin_popcountll(word);
    }
    return n_left;
}

size_t partition_bits(const Bins *bins, const BinTest *test, const uint32_t *rows, size_t first,
                      size_t n, uint64_t *bits)
{
    if (bins->width != 1 || test->categorical) return bits_any(bins, test, rows, first, n, bits);
    const uint8_t *col = bins->cols + (size_t)test->column * bins->col_stride;
    uint8_t add = test->default_left, limit;
    if (test->bin < 0 && !test->default_left) { /* nothing goes left */
        memset(bits, 0, (n + 63) / 64 * sizeof *bits);
        return 0;
    }
    limit = (uint8_t)(test->bin + add);
    return rows ? compare_rows(col, rows, n, add, limit, bits)
                : compare(col + first, n, add, limit, bits);
}

void partition_label(const uint64_t *bits, const uint32_t *rows, size_t first, size_t n,
                     uint8_t left, uint8_t right, uint8_t *label)
{
    uint8_t labels[2] = {right, left};
    for (size_t i = 0; i < n; i += 64) {
        uint64_t word = bits[i / 64];
        size_t m = MIN((size_t)64, n - i);
        for (size_t k = 0; k < m; k++, word >>= 1)
            label[rows ? rows[i + k] : first + i + k] = labels[word & 1];
    }
}

/* The pairs of one side, of `size` bytes each. */
static void move_pairs(const uint64_t *bits, const char *q, size_t n, bool side, size_t size,
                       char *to)
{
    for (size_t i = 0; i < n; i++) {
        if ((bits[i / 64] >> (i & 63) & 1) != side) continue;
        memcpy(to, q + i * size, size);
        to += size;
    }
}

static void move_rows(const uint64_t *bits, const uint32_t *rows, size_t first, size_t n,
                      uint32_t *left_rows, uint32_t *right_rows)
{
    for (size_t i = 0; i < n; i++) {
        bool left = bits[i / 64] >> (i & 63) & 1;
        uint32_t *to = left ? left_rows : right_rows;
        *to = rows ? rows[i] : (uint32_t)(first + i);
        left_rows += left;
        right_rows += !left;
    }
}

#if CLARY_X86
/* Whole vectors while there is room before `end`: what they write too much is written again.  Masked
 * stores beside the neighbour's rows. */
TARGET_AVX512 static inline __attribute__((always_inline)) void store_32(uint32_t **to,
                                                                         const uint32_t *end,
                                                                         __m512i row, unsigned keep)
{
    unsigned n = (unsigned)_mm_popcnt_u32(keep);
    __m512i kept = _mm512_maskz_compress_epi32((__mmask16)keep, row);
    if (LIKELY(*to + 16 <= end))
        _mm512_storeu_si512(*to, kept);
    else
        _mm512_mask_storeu_epi32(*to, (__mmask16)_bzhi_u32(0xffff, n), kept);
    *to += n;
}

TARGET_AVX512 static inline __attribute__((always_inline)) void store_64(HistSum **to,
                                                                         const HistSum *end,
                                                                         __m512i q, unsigned keep)
{
    unsigned n = (unsigned)_mm_popcnt_u32(keep);
    __m512i kept = _mm512_maskz_compress_epi64((__mmask8)keep, q);
    if (LIKELY(*to + 8 <= end))
        _mm512_storeu_si512(*to, kept);
    else
        _mm512_mask_storeu_epi64(*to, (__mmask8)_bzhi_u32(0xff, n), kept);
    *to += n;
}

TARGET_AVX512 static inline __attribute__((always_inline)) void move_avx512(
    const uint64_t *bits, const uint32_t *rows, const void *q, size_t first, size_t n,
    size_t n_left, uint32_t *left_rows, void *left, uint32_t *right_rows, void *right, bool narrow)
{
    const uint32_t *left_end = left_rows + n_left, *right_end = right_rows + (n - n_left);
    uint32_t *left_32 = left, *right_32 = right;
    HistSum *left_64 = left, *right_64 = right;
    const uint32_t *left_32_end = left ? left_32 + n_left : NULL,
                   *right_32_end = right ? right_32 + (n - n_left) : NULL;
    const HistSum *left_64_end = left ? left_64 + n_left : NULL,
                  *right_64_end = right ? right_64 + (n - n_left) : NULL;
    const __m512i iota = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
    for (size_t i = 0; i < n; i += 16) {
        unsigned valid = n - i >= 16 ? 0xffff : (1u << (n - i)) - 1;
        unsigned goes_left = (unsigned)(bits[i / 64] >> (i & 63)) & valid,
                 goes_right = valid & ~goes_left;
        __m512i row = rows ? _mm512_maskz_loadu_epi32((__mmask16)valid, rows + i)
                           : _mm512_add_epi32(iota, _mm512_set1_epi32((int)(first + i)));
        store_32(&left_rows, left_end, row, goes_left);
        store_32(&right_rows, right_end, row, goes_right);
        if (!left && !right) continue;
        if (narrow) {
            __m512i pair = _mm512_maskz_loadu_epi32((__mmask16)valid, (const uint32_t *)q + i);
            if (left) store_32(&left_32, left_32_end, pair, goes_left);
            if (right) store_32(&right_32, right_32_end, pair, goes_right);
            continue;
        }
        const HistSum *sum = (const HistSum *)q + i;
        __m512i low = _mm512_maskz_loadu_epi64((__mmask8)valid, sum);
        __m512i high = _mm512_maskz_loadu_epi64((__mmask8)(valid >> 8), sum + 8);
        if (left) {
            store_64(&left_64, left_64_end, low, goes_left & 255);
            store_64(&left_64, left_64_end, high, goes_left >> 8);
        }
        if (right) {
            store_64(&right_64, right_64_end, low, goes_right & 255);
            store_64(&right_64, right_64_end, high, goes_right >> 8);
        }
    }
}

TARGET_AVX512 static void move_narrow(const uint64_t *bits, const uint32_t *rows, const void *q,
                                      size_t first, size_t n, size_t n_left, uint32_t *left_rows,
                                      void *left, uint32_t *right_rows, void *right)
{
    move_avx512(bits, rows, q, first, n, n_left, left_rows, left, right_rows, right, true);
}

TARGET_AVX512 static void move_wide(const uint64_t *bits, const uint32_t *rows, const void *q,
                                    size_t first, size_t n, size_t n_left, uint32_t *left_rows,
                                    void *left, uint32_t *right_rows, void *right)
{
    move_avx512(bits, rows, q, first, n, n_left, left_rows, left, right_rows, right, false);
}
#endif

void partition_move(const uint64_t *bits, const uint32_t *rows, HistPairs pairs, size_t first,
                    size_t n, size_t n_left, uint32_t *left_rows, HistPairs left,
                    uint32_t *right_rows, HistPairs right)
{
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512) {
        (pairs.narrow ? move_narrow : move_wide)(bits, rows, pairs.q, first, n, n_left, left_rows,
                                                 left.q, right_rows, right.q);
        return;
    }
#endif
    (void)n_left;
    size_t size = pairs.narrow ? sizeof(uint32_t) : sizeof(HistSum);
    move_rows(bits, rows, first, n, left_rows, right_rows);
    if (left.q) move_pairs(bits, pairs.q, n, true, size, left.q);
    if (right.q) move_pairs(bits, pairs.q, n, false, size, right.q);
}
