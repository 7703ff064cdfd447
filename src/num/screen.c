/* Nearest centers by 8-bit numbers: see screen.h.
 *
 * Rows and centers are rounded to whole multiples of a unit each: that of the centers is common to all, that
 * of the rows to a panel of 64.  vpdpbusd multiplies four unsigned numbers (of a row, plus 128) by four
 * signed ones (of a center) and adds all to a 32-bit lane; lanes are rows, as in nearest.c, and a tile is
 * again 64 rows by six centers.
 *
 * The score x . c of the true numbers differs from that of the rounded ones x', c' by at most
 * |x| |c - c'| + |x - x'| |c'|.  |x - x'| is at most half a unit in each feature, the rest is measured.
 *
 * Ding, Zhao, Shen and others: Yinyang K-means, 2015, filter by bounds on distances; that low precision
 * gives such bounds is used in search of nearest neighbors (product and scalar quantization). */

#include "num/screen.h"

#include "base/cpu.h"
#include "base/memory.h"

#include <math.h>
#include <string.h>

#if CLARY_X86
#include <immintrin.h>
#endif

enum {
    TILE = 6,
    QUADS = NEAREST_LINE / 4, /* of a line */
    BLOCK = 4,                /* lines that are rounded together: 64 bytes of a row */
    FEATURES_MIN = 16,
    FEATURES_MAX = 4096, /* sums of products fit 31 bits */
    CENTERS_MIN = 12,
    CENTERS_MAX = 4096, /* a panel's scores: 1 MiB */
};

#define UNROLL _Pragma("GCC unroll 32")

static int32_t tiled(int32_t k)
{
    return (k + TILE - 1) / TILE * TILE;
}

static int32_t biases(int32_t k)
{
    return (tiled(k) + 15) / 16 * 16;
}

bool screen_possible(int32_t k, int32_t d)
{
#if CLARY_X86
    return cpu_level() == CPU_AVX512 && d >= FEATURES_MIN && d <= FEATURES_MAX &&
           k >= CENTERS_MIN && k <= CENTERS_MAX;
#else
    (void)k;
    (void)d;
    return false;
#endif
}

bool screen_init(Screen *screen, int32_t k, int32_t d, int n_panels, Error *err)
{
    size_t n = (size_t)biases(k);
    *screen = (Screen){.k = k, .d = d};
    screen->packed = data_array(int8_t, n * (size_t)nearest_groups(d) * NEAREST_LINE, "the centers",
                                err);
    screen->half_norm = data_array(float, n, "the centers", err);
    screen->offset = data_array(int32_t, n, "the centers", err);
    screen->scores = data_array(int32_t, n * (size_t)n_panels * (NEAREST_ROWS + 1), "the centers",
                                err);
    return screen->packed && screen->half_norm && screen->offset && screen->scores;
}

void screen_clear(Screen *screen)
{
    data_free(screen->packed);
    data_free(screen->half_norm);
    data_free(screen->offset);
    data_free(screen->scores);
    *screen = (Screen){0};
}

/* Features come in blocks of four lines, whose quads take turns: quad 0 of each line, quad 1 of each, ...
 * That is how packing instructions leave them.  The first feature of the quad at place `at`: */
static int32_t quad_feature(int32_t at, int32_t groups)
{
    int32_t block = at / (QUADS * BLOCK), lines = MIN((int32_t)BLOCK, groups - block * BLOCK);
    at -= block * QUADS * BLOCK;
    return (block * BLOCK + at % lines) * NEAREST_LINE + at / lines * 4;
}

void screen_pack(Screen *screen, const float *centers, int64_t stride)
{
    int32_t k = screen->k, d = screen->d, groups = nearest_groups(d), n_quads = groups * QUADS;
    float most = 0;
    for (int32_t c = 0; c < k; c++)
        for (int32_t j = 0; j < d; j++) most = MAX(most, fabsf(centers[c * stride + j]));
    screen->scale = most > 0 ? most / 127 : 1;
    screen->error = screen->norm = 0;
    float inverse = 1 / screen->scale;
    for (int32_t c = 0; c < biases(k); c++) {
        bool real = c < k;
        const float *center = centers + c * stride;
        double half = 0, error = 0, norm = 0;
        int32_t sum = 0;
        int8_t *to = screen->packed + (size_t)(c / TILE) * TILE * 4 * (size_t)n_quads +
                     (size_t)(c % TILE) * 4;
        for (int32_t q = 0; q < n_quads && c < tiled(k); q++, to += (ptrdiff_t)TILE * 4) {
            int32_t first = quad_feature(q, groups);
            for (int32_t i = 0; i < 4; i++) {
                float x = real && first + i < d ? center[first + i] : 0;
                int8_t rounded = (int8_t)lrintf(x * inverse);
                double back = (double)rounded * (double)screen->scale, off = (double)x - back;
                to[i] = rounded;
                sum += rounded;
                half += (double)x * (double)x / 2;
                norm += back * back;
                error += off * off;
            }
        }
        screen->half_norm[c] = real ? (float)half : INFINITY;
        screen->offset[c] = 128 * sum;
        screen->error = MAX(screen->error, (float)sqrt(error));
        screen->norm = MAX(screen->norm, (float)sqrt(norm));
    }
    screen->error *= 1 + 1e-6f;
    screen->norm *= 1 + 1e-6f;
}

#if CLARY_X86

/* 16 lines of 16 numbers of 32 bits turned: line i of the result has number i of each. */
TARGET_AVX512 static inline __attribute__((always_inline)) void turn(__m512i x[16])
{
    __m512i t[16] UNINITIALIZED;
    UNROLL for (int i = 0; i < 16; i += 4)
    {
        __m512i a = _mm512_unpacklo_epi32(x[i], x[i + 1]),
                b = _mm512_unpackhi_epi32(x[i], x[i + 1]);
        __m512i c = _mm512_unpacklo_epi32(x[i + 2], x[i + 3]),
                e = _mm512_unpackhi_epi32(x[i + 2], x[i + 3]);
        t[i] = _mm512_unpacklo_epi64(a, c);
        t[i + 1] = _mm512_unpackhi_epi64(a, c);
        t[i + 2] = _mm512_unpacklo_epi64(b, e);
        t[i + 3] = _mm512_unpackhi_epi64(b, e);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        __m512i a = _mm512_shuffle_i32x4(t[i], t[i + 4], 0x88),
                b = _mm512_shuffle_i32x4(t[i], t[i + 4], 0xdd);
        __m512i c = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0x88),
                e = _mm512_shuffle_i32x4(t[i + 8], t[i + 12], 0xdd);
        x[i] = _mm512_shuffle_i32x4(a, c, 0x88);
        x[i + 8] = _mm512_shuffle_i32x4(a, c, 0xdd);
        x[i + 4] = _mm512_shuffle_i32x4(b, e, 0x88);
        x[i + 12] = _mm512_shuffle_i32x4(b, e, 0xdd);
    }
}

TARGET_AVX512 static inline __attribute__((always_inline)) __m512 load_line(
    const NearestLines *lines, int32_t group, int64_t row)
{
    int32_t width = nearest_width(lines->d, group);
    const float *from = lines->group[group] + row * width;
    if (LIKELY(width == NEAREST_LINE)) return _mm512_loadu_ps(from);
    return _mm512_maskz_loadu_ps((__mmask16)((1u << width) - 1), from);
}

/* Rows times `inverse`, rounded, plus 128: 64 numbers of four bytes for each quad. */
TARGET_AVX512 static void fill(const NearestLines *lines, int64_t begin, const int32_t *rows,
                               float inverse, uint8_t *panel)
{
    int32_t groups = nearest_groups(lines->d);
    const __m512 factor = _mm512_set1_ps(inverse);
    const __m512i plus128 = _mm512_set1_epi8((char)0x80);
    for (int32_t first = 0; first < groups; first += BLOCK) {
        int32_t n_lines = MIN((int32_t)BLOCK, groups - first);
        for (int r = 0; r < NEAREST_ROWS; r += 16) {
            __m512i bytes[16] UNINITIALIZED;
            for (int i = 0; i < 16; i++) {
                __m512i whole[BLOCK];
                UNROLL for (int32_t g = 0; g < BLOCK; g++)
                {
                    if (g < n_lines)
                        whole[g] = _mm512_cvtps_epi32(_mm512_mul_ps(
                            load_line(lines, first + g, begin + rows[r + i]), factor));
                    else
                        whole[g] = _mm512_setzero_si512();
                }
                __m512i low = _mm512_packs_epi32(whole[0], whole[1]),
                        high = _mm512_packs_epi32(whole[2], whole[3]);
                bytes[i] = _mm512_xor_si512(_mm512_packs_epi16(low, high), plus128);
            }
            turn(bytes);
            uint8_t *to = panel + (size_t)r * 4;
            UNROLL for (int i = 0; i < 16; i++)
            {
                if (i % BLOCK >= n_lines) continue;
                _mm512_store_si512(to, bytes[i]);
                to += (ptrdiff_t)NEAREST_ROWS * 4;
            }
        }
        panel += (size_t)n_lines * QUADS * NEAREST_ROWS * 4;
    }
}

TARGET_AVX512 static void set_bias(const Screen *screen, float unit, int32_t *bias)
{
    const __m512 inverse = _mm512_set1_ps(1 / unit);
    const __m512i least = _mm512_set1_epi32(-(1 << 30));
    for (int32_t c = 0; c < biases(screen->k); c += 16) {
        __m512 half = _mm512_loadu_ps(screen->half_norm + c);
        __m512i minus = _mm512_sub_epi32(_mm512_setzero_si512(),
                                         _mm512_cvtps_epi32(_mm512_mul_ps(half, inverse)));
        minus = _mm512_sub_epi32(minus, _mm512_loadu_si512(screen->offset + c));
        __mmask16 real = _mm512_cmp_ps_mask(half, _mm512_set1_ps(INFINITY), _CMP_LT_OQ);
        _mm512_storeu_si512(bias + c, _mm512_mask_mov_epi32(least, real, minus));
    }
}

/* sum + x . center, four products a lane.  gcc 12 gives the intrinsic's sum another register than the result
 * and spills all sums of a tile. */
TARGET_AVX512 static inline __attribute__((always_inline)) __m512i add_products(__m512i sum,
                                                                                __m512i x,
                                                                                __m512i center)
{
    __asm__("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(center));
    return sum;
}

/* Asks for the rows that are looked at next, while the scores are computed. */
static void fetch_ahead(const NearestLines *lines, int64_t begin, const int32_t *rows, int32_t n)
{
    for (int32_t g = 0; g < nearest_groups(lines->d); g++) {
        int32_t width = nearest_width(lines->d, g);
        const float *from = lines->group[g] + begin * width;
        for (int32_t r = 0; r < n; r++) __builtin_prefetch(from + (int64_t)rows[r] * width, 0, 2);
    }
}

typedef struct Found {
    __m512i best[4], second[4], index[4];
} Found;

/* Scores of all centers are kept: 64 of each. */
TARGET_AVX512 __attribute__((noinline)) static void find(const Screen *screen, const uint8_t *panel,
                                                         const int32_t *bias, int32_t *scores,
                                                         Found *found)
{
    int32_t n_quads = nearest_groups(screen->d) * QUADS;
    const int8_t *tile = screen->packed;
    for (int32_t first = 0; first < screen->k; first += TILE) {
        __m512i score[TILE][4] UNINITIALIZED;
        UNROLL for (int c = 0; c < TILE; c++)
        {
            UNROLL for (int v = 0; v < 4; v++) score[c][v] = _mm512_set1_epi32(bias[first + c]);
        }
        const uint8_t *x = panel;
        for (int32_t q = 0; q < n_quads; q++, x += NEAREST_ROWS * 4, tile += TILE * 4) {
            __m512i x0 = _mm512_load_si512(x), x1 = _mm512_load_si512(x + 64),
                    x2 = _mm512_load_si512(x + 128), x3 = _mm512_load_si512(x + 192);
            UNROLL for (int c = 0; c < TILE; c++)
            {
                int32_t four;
                memcpy(&four, tile + 4 * c, sizeof four);
                __m512i center = _mm512_set1_epi32(four);
                score[c][0] = add_products(score[c][0], x0, center);
                score[c][1] = add_products(score[c][1], x1, center);
                score[c][2] = add_products(score[c][2], x2, center);
                score[c][3] = add_products(score[c][3], x3, center);
            }
        }
        UNROLL for (int v = 0; v < 4; v++)
        {
            __m512i best = found->best[v], second = found->second[v], index = found->index[v];
            UNROLL for (int c = 0; c < TILE; c++)
            {
                __m512i s = score[c][v];
                _mm512_store_si512(scores + (int64_t)(first + c) * NEAREST_ROWS + 16 * v, s);
                __mmask16 better = _mm512_cmpgt_epi32_mask(s, best);
                second = _mm512_max_epi32(second, _mm512_min_epi32(s, best));
                index = _mm512_mask_mov_epi32(index, better, _mm512_set1_epi32(first + c));
                best = _mm512_max_epi32(best, s);
            }
            found->best[v] = best;
            found->second[v] = second;
            found->index[v] = index;
        }
    }
}

/* Centers that may be nearest to a row that is not certain, in rising order. */
TARGET_AVX512 static void list_candidates(const Screen *screen, const int32_t *scores, int v,
                                          __mmask16 open, __m512i threshold, Screened *ret)
{
    scores += 16 * v;
    for (int32_t c = 0; c < screen->k; c++, scores += NEAREST_ROWS) {
        unsigned near = _mm512_mask_cmpge_epi32_mask(open, _mm512_load_si512(scores), threshold);
        for (; near; near &= near - 1) {
            int r = 16 * v + __builtin_ctz(near);
            if (ret->n_candidates[r] < SCREEN_CANDIDATES)
                ret->candidates[r][ret->n_candidates[r]] = c;
            ret->n_candidates[r]++;
        }
    }
}

TARGET_AVX512 static void look_avx512(const Screen *screen, const NearestLines *lines,
                                      int64_t begin, const int32_t *rows, int32_t n_next,
                                      const float *norms, float most, uint8_t *panel, int slot,
                                      float relative, float norm_max, Screened *ret)
{
    int32_t *scores = screen->scores + (int64_t)slot * biases(screen->k) * (NEAREST_ROWS + 1),
            *bias = scores + (int64_t)biases(screen->k) * NEAREST_ROWS;
    /* Not finer than the centers' unit, so that nothing overflows. */
    float scale = MAX(most / 127, screen->scale), unit = scale * screen->scale;
    ret->certain = 0;
    for (int r = 0; r < NEAREST_ROWS; r++) ret->n_candidates[r] = 0;
    if (!(unit > 0x1p-100f && unit < 0x1p100f)) { /* beyond what the steps below can hold */
        for (int r = 0; r < NEAREST_ROWS; r++) ret->n_candidates[r] = screen->k;
        return;
    }
    fill(lines, begin, rows, 1 / scale, panel);
    set_bias(screen, unit, bias);
    Found found UNINITIALIZED;
    for (int v = 0; v < 4; v++) {
        found.best[v] = found.second[v] = _mm512_set1_epi32(-(1 << 30));
        found.index[v] = _mm512_setzero_si512();
    }
    fetch_ahead(lines, begin, rows + NEAREST_ROWS, n_next);
    find(screen, panel, bias, scores, &found);

    /* Half a unit in each feature, units of the bias and of the threshold, and what fp32 does to all. */
    float row_error = 0.5001f * scale * sqrtf((float)screen->d);
    const __m512 fixed = _mm512_set1_ps(row_error * screen->norm + 3 * unit);
    const __m512 units = _mm512_set1_ps(unit), two = _mm512_set1_ps(2), zero = _mm512_setzero_ps();
    for (int v = 0; v < 4; v++) {
        __m512 norm = _mm512_loadu_ps(norms + 16 * v);
        __m512 slack = _mm512_mul_ps(_mm512_set1_ps(2 * relative),
                                     _mm512_add_ps(norm, _mm512_set1_ps(norm_max)));
        __m512 error = _mm512_fmadd_ps(_mm512_sqrt_ps(norm), _mm512_set1_ps(screen->error), fixed);
        error = _mm512_add_ps(error, slack);
        __m512 best = _mm512_mul_ps(_mm512_cvtepi32_ps(found.best[v]), units);
        __m512 second = _mm512_mul_ps(_mm512_cvtepi32_ps(found.second[v]), units);
        __mmask16 certain = _mm512_cmp_ps_mask(_mm512_sub_ps(best, second),
                                               _mm512_mul_ps(two, error), _CMP_GT_OQ);
        /* What is no candidate scores at most best - error. */
        __m512 least = _mm512_mask_sub_ps(_mm512_add_ps(second, error), (__mmask16)~certain, best,
                                          error);
        __m512 near = _mm512_fnmadd_ps(two, _mm512_sub_ps(best, error), norm);
        __m512 next = _mm512_fnmadd_ps(two, least, norm);
        _mm512_store_ps(ret->upper + 16 * v, _mm512_sqrt_ps(_mm512_max_ps(near, zero)));
        _mm512_store_ps(ret->lower + 16 * v, _mm512_sqrt_ps(_mm512_max_ps(next, zero)));
        _mm512_store_si512(ret->index + 16 * v, found.index[v]);
        ret->certain |= (uint64_t)certain << 16 * v;
        if (certain == 0xffff) continue;
        __m512i threshold = _mm512_sub_epi32(
            found.best[v],
            _mm512_add_epi32(_mm512_cvttps_epi32(_mm512_div_ps(_mm512_mul_ps(two, error), units)),
                             _mm512_set1_epi32(2)));
        list_candidates(screen, scores, v, (__mmask16)~certain, threshold, ret);
    }
}

#endif

void screen_find(const Screen *screen, const NearestLines *lines, int64_t begin,
                 const int32_t *rows, int32_t n_next, const float *norms, float most,
                 uint8_t *panel, int slot, float relative, float norm_max, Screened *ret)
{
#if CLARY_X86
    look_avx512(screen, lines, begin, rows, n_next, norms, most, panel, slot, relative, norm_max,
                ret);
#else
    (void)screen;
    (void)lines;
    (void)begin;
    (void)rows;
    (void)n_next;
    (void)norms;
    (void)most;
    (void)panel;
    (void)slot;
    (void)relative;
    (void)norm_max;
    ret->certain = 0; /* never called */
#endif
}
