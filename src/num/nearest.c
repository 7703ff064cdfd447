/* Nearest centers by register tiles.
 *
 * The rows of a panel lie in the lanes of registers, six centers are broadcast against them.  A tile
 * of 64 x 6 scores is 24 registers of 16 floats: an inner step is 4 loads, 6 broadcasts and 24 fused
 * multiply-adds, so the multipliers and not the loads are the limit.  Keeping rows in lanes makes the
 * search for the highest score a vertical comparison, without any reduction across lanes, and
 * columns of a table can be copied into a panel as they are.
 *
 * Packed centers are tiles of six: a line with -|c|^2 / 2 of each, which the scores begin with, then
 * a line of six numbers per feature.  What fills up the last tile has -infinity there and never wins. */

#include "num/nearest.h"

#include "base/cpu.h"

#include <math.h>
#include <string.h>

#if CLARY_X86
#include <immintrin.h>
#endif

enum { TILE = 6 };

#define UNROLL _Pragma("GCC unroll 32")

static int32_t tile_count(int32_t k)
{
    return (k + TILE - 1) / TILE;
}

size_t nearest_packed_size(int32_t k, int32_t d)
{
    return (size_t)tile_count(k) * TILE * ((size_t)d + 1);
}

static float half_norm(const float *center, int32_t d)
{
    double sum = 0;
    for (int32_t j = 0; j < d; j++) sum += (double)center[j] * (double)center[j];
    return (float)(sum / 2);
}

void nearest_pack(const float *centers, int64_t stride, int32_t k, int32_t d, float *packed)
{
    for (int32_t first = 0; first < k; first += TILE, packed += (size_t)TILE * ((size_t)d + 1)) {
        for (int32_t c = 0; c < TILE; c++) {
            bool real = first + c < k;
            const float *center = centers + (first + c) * stride;
            packed[c] = real ? -half_norm(center, d) : -INFINITY;
            for (int32_t j = 0; j < d; j++) packed[(j + 1) * TILE + c] = real ? center[j] : 0;
        }
    }
}

/* ---- plain C ---- */

static void find_base(const float *panel, const float *tile, int32_t k, int32_t d, Nearest *ret)
{
    enum { LANES = 16 };
    for (int32_t first = 0; first < k; first += TILE, tile += (size_t)TILE * ((size_t)d + 1)) {
        for (int r0 = 0; r0 < NEAREST_ROWS; r0 += LANES) {
            float score[TILE][LANES] UNINITIALIZED;
            for (int c = 0; c < TILE; c++)
                for (int r = 0; r < LANES; r++) score[c][r] = tile[c];
            const float *x = panel + r0, *center = tile + TILE;
            for (int32_t j = 0; j < d; j++, x += NEAREST_ROWS, center += TILE)
                for (int c = 0; c < TILE; c++)
                    for (int r = 0; r < LANES; r++) score[c][r] += x[r] * center[c];
            for (int c = 0; c < TILE; c++) {
                for (int r = 0; r < LANES; r++) {
                    float s = score[c][r], best = ret->best[r0 + r];
                    if (s > best) ret->index[r0 + r] = first + c;
                    ret->second[r0 + r] = fmaxf(ret->second[r0 + r], fminf(s, best));
                    ret->best[r0 + r] = fmaxf(best, s);
                }
            }
        }
    }
}

static void fill_base(float *const *column, const float *shift, int32_t d, int64_t begin, float *panel, float *norms)
{
    for (int32_t j = 0; j < d; j++, panel += NEAREST_ROWS) {
        const float *x = column[j] + begin;
        for (int r = 0; r < NEAREST_ROWS; r++) {
            panel[r] = x[r] - shift[j];
            norms[r] += panel[r] * panel[r];
        }
    }
}

static void bounds_base(const Nearest *nearest, const float *norms, float relative, float norm_max,
                        float *upper, float *lower)
{
    for (int r = 0; r < NEAREST_ROWS; r++) {
        float slack = relative * (norms[r] + norm_max);
        upper[r] = sqrtf(fmaxf(norms[r] - 2 * nearest->best[r], 0) + slack);
        lower[r] = sqrtf(fmaxf(norms[r] - 2 * nearest->second[r] - slack, 0));
    }
}

#if CLARY_X86

/* ---- AVX-512: 64 rows x 6 centers ---- */

TARGET_AVX512 static void find_avx512(const float *panel, const float *tile, int32_t k, int32_t d, Nearest *ret)
{
    for (int32_t first = 0; first < k; first += TILE) {
        __m512 score[TILE][4] UNINITIALIZED;
        UNROLL for (int c = 0; c < TILE; c++)
        {
            __m512 bias = _mm512_set1_ps(tile[c]);
            UNROLL for (int v = 0; v < 4; v++) score[c][v] = bias;
        }
        tile += TILE;
        const float *x = panel;
        for (int32_t j = 0; j < d; j++, x += NEAREST_ROWS, tile += TILE) {
            __m512 x0 = _mm512_load_ps(x), x1 = _mm512_load_ps(x + 16);
            __m512 x2 = _mm512_load_ps(x + 32), x3 = _mm512_load_ps(x + 48);
            UNROLL for (int c = 0; c < TILE; c++)
            {
                __m512 center = _mm512_set1_ps(tile[c]);
                score[c][0] = _mm512_fmadd_ps(x0, center, score[c][0]);
                score[c][1] = _mm512_fmadd_ps(x1, center, score[c][1]);
                score[c][2] = _mm512_fmadd_ps(x2, center, score[c][2]);
                score[c][3] = _mm512_fmadd_ps(x3, center, score[c][3]);
            }
        }
        UNROLL for (int v = 0; v < 4; v++)
        {
            __m512 best = _mm512_load_ps(ret->best + 16 * v), second = _mm512_load_ps(ret->second + 16 * v);
            __m512i index = _mm512_load_si512(ret->index + 16 * v);
            UNROLL for (int c = 0; c < TILE; c++)
            {
                __m512 s = score[c][v];
                __mmask16 better = _mm512_cmp_ps_mask(s, best, _CMP_GT_OQ);
                second = _mm512_max_ps(second, _mm512_min_ps(s, best));
                index = _mm512_mask_mov_epi32(index, better, _mm512_set1_epi32(first + c));
                best = _mm512_max_ps(best, s);
            }
            _mm512_store_ps(ret->best + 16 * v, best);
            _mm512_store_ps(ret->second + 16 * v, second);
            _mm512_store_si512(ret->index + 16 * v, index);
        }
    }
}

TARGET_AVX512 static void fill_avx512(float *const *column, const float *shift, int32_t d, int64_t begin,
                                      float *panel, float *norms)
{
    __m512 norm[4] UNINITIALIZED;
    UNROLL for (int v = 0; v < 4; v++) norm[v] = _mm512_setzero_ps();
    for (int32_t j = 0; j < d; j++, panel += NEAREST_ROWS) {
        const float *from = column[j] + begin;
        __m512 less = _mm512_set1_ps(shift[j]);
        UNROLL for (int v = 0; v < 4; v++)
        {
            __m512 x = _mm512_sub_ps(_mm512_loadu_ps(from + 16 * v), less);
            _mm512_store_ps(panel + 16 * v, x);
            norm[v] = _mm512_fmadd_ps(x, x, norm[v]);
        }
    }
    UNROLL for (int v = 0; v < 4; v++) _mm512_storeu_ps(norms + 16 * v, norm[v]);
}

TARGET_AVX512 static void bounds_avx512(const Nearest *nearest, const float *norms, float relative,
                                        float norm_max, float *upper, float *lower)
{
    const __m512 zero = _mm512_setzero_ps(), minus_two = _mm512_set1_ps(-2);
    for (int r = 0; r < NEAREST_ROWS; r += 16) {
        __m512 norm = _mm512_loadu_ps(norms + r);
        __m512 slack = _mm512_mul_ps(_mm512_set1_ps(relative), _mm512_add_ps(norm, _mm512_set1_ps(norm_max)));
        __m512 near = _mm512_fmadd_ps(minus_two, _mm512_load_ps(nearest->best + r), norm);
        __m512 next = _mm512_fmadd_ps(minus_two, _mm512_load_ps(nearest->second + r), norm);
        _mm512_storeu_ps(upper + r, _mm512_sqrt_ps(_mm512_add_ps(_mm512_max_ps(near, zero), slack)));
        _mm512_storeu_ps(lower + r, _mm512_sqrt_ps(_mm512_max_ps(_mm512_sub_ps(next, slack), zero)));
    }
}

TARGET_AVX512 static float dot_avx512(const float *a, const float *b, int32_t d)
{
    __m512 sum0 = _mm512_setzero_ps(), sum1 = sum0;
    int32_t j = 0;
    for (; j + 32 <= d; j += 32) {
        sum0 = _mm512_fmadd_ps(_mm512_loadu_ps(a + j), _mm512_loadu_ps(b + j), sum0);
        sum1 = _mm512_fmadd_ps(_mm512_loadu_ps(a + j + 16), _mm512_loadu_ps(b + j + 16), sum1);
    }
    float sum = _mm512_reduce_add_ps(_mm512_add_ps(sum0, sum1));
    for (; j < d; j++) sum += a[j] * b[j];
    return sum;
}

/* ---- AVX2: 16 rows x 6 centers, four times ---- */

TARGET_AVX2 static void find_avx2(const float *panel, const float *packed, int32_t k, int32_t d, Nearest *ret)
{
    for (int32_t first = 0; first < k; first += TILE, packed += (size_t)TILE * ((size_t)d + 1)) {
        for (int r = 0; r < NEAREST_ROWS; r += 16) {
            const float *tile = packed, *x = panel + r;
            __m256 score[TILE][2] UNINITIALIZED;
            UNROLL for (int c = 0; c < TILE; c++) score[c][0] = score[c][1] = _mm256_broadcast_ss(tile + c);
            tile += TILE;
            for (int32_t j = 0; j < d; j++, x += NEAREST_ROWS, tile += TILE) {
                __m256 x0 = _mm256_load_ps(x), x1 = _mm256_load_ps(x + 8);
                UNROLL for (int c = 0; c < TILE; c++)
                {
                    __m256 center = _mm256_broadcast_ss(tile + c);
                    score[c][0] = _mm256_fmadd_ps(x0, center, score[c][0]);
                    score[c][1] = _mm256_fmadd_ps(x1, center, score[c][1]);
                }
            }
            UNROLL for (int v = 0; v < 2; v++)
            {
                float *best_at = ret->best + r + 8 * v, *second_at = ret->second + r + 8 * v;
                int32_t *index_at = ret->index + r + 8 * v;
                __m256 best = _mm256_load_ps(best_at), second = _mm256_load_ps(second_at);
                __m256 index = _mm256_load_ps((const float *)(const void *)index_at);
                UNROLL for (int c = 0; c < TILE; c++)
                {
                    __m256 s = score[c][v];
                    __m256 better = _mm256_cmp_ps(s, best, _CMP_GT_OQ);
                    second = _mm256_max_ps(second, _mm256_min_ps(s, best));
                    index = _mm256_blendv_ps(index, _mm256_castsi256_ps(_mm256_set1_epi32(first + c)), better);
                    best = _mm256_max_ps(best, s);
                }
                _mm256_store_ps(best_at, best);
                _mm256_store_ps(second_at, second);
                _mm256_store_ps((float *)(void *)index_at, index);
            }
        }
    }
}

TARGET_AVX2 static void fill_avx2(float *const *column, const float *shift, int32_t d, int64_t begin,
                                  float *panel, float *norms)
{
    __m256 norm[8] UNINITIALIZED;
    UNROLL for (int v = 0; v < 8; v++) norm[v] = _mm256_setzero_ps();
    for (int32_t j = 0; j < d; j++, panel += NEAREST_ROWS) {
        const float *from = column[j] + begin;
        __m256 less = _mm256_set1_ps(shift[j]);
        UNROLL for (int v = 0; v < 8; v++)
        {
            __m256 x = _mm256_sub_ps(_mm256_loadu_ps(from + 8 * v), less);
            _mm256_store_ps(panel + 8 * v, x);
            norm[v] = _mm256_fmadd_ps(x, x, norm[v]);
        }
    }
    UNROLL for (int v = 0; v < 8; v++) _mm256_storeu_ps(norms + 8 * v, norm[v]);
}

TARGET_AVX2 static void bounds_avx2(const Nearest *nearest, const float *norms, float relative,
                                    float norm_max, float *upper, float *lower)
{
    const __m256 zero = _mm256_setzero_ps(), minus_two = _mm256_set1_ps(-2);
    for (int r = 0; r < NEAREST_ROWS; r += 8) {
        __m256 norm = _mm256_loadu_ps(norms + r);
        __m256 slack = _mm256_mul_ps(_mm256_set1_ps(relative), _mm256_add_ps(norm, _mm256_set1_ps(norm_max)));
        __m256 near = _mm256_fmadd_ps(minus_two, _mm256_load_ps(nearest->best + r), norm);
        __m256 next = _mm256_fmadd_ps(minus_two, _mm256_load_ps(nearest->second + r), norm);
        _mm256_storeu_ps(upper + r, _mm256_sqrt_ps(_mm256_add_ps(_mm256_max_ps(near, zero), slack)));
        _mm256_storeu_ps(lower + r, _mm256_sqrt_ps(_mm256_max_ps(_mm256_sub_ps(next, slack), zero)));
    }
}

#endif

static float dot_base(const float *a, const float *b, int32_t d)
{
    enum { LANES = 8 };
    float sum[LANES] = {0}, total = 0;
    int32_t j = 0;
    for (; j + LANES <= d; j += LANES)
        for (int l = 0; l < LANES; l++) sum[l] += a[j + l] * b[j + l];
    for (int l = 0; l < LANES; l++) total += sum[l];
    for (; j < d; j++) total += a[j] * b[j];
    return total;
}

void nearest_fill(float *const *column, const float *shift, int32_t d, int64_t begin, float *panel,
                  float norms[static NEAREST_ROWS])
{
    for (int r = 0; r < NEAREST_ROWS; r++) norms[r] = 0;
    switch (cpu_level()) {
#if CLARY_X86
    case CPU_AVX512: fill_avx512(column, shift, d, begin, panel, norms); return;
    case CPU_AVX2: fill_avx2(column, shift, d, begin, panel, norms); return;
#endif
    default: fill_base(column, shift, d, begin, panel, norms); return;
    }
}

void nearest_bounds(const Nearest *nearest, const float *norms, float relative, float norm_max,
                    float *upper, float *lower)
{
    switch (cpu_level()) {
#if CLARY_X86
    case CPU_AVX512: bounds_avx512(nearest, norms, relative, norm_max, upper, lower); return;
    case CPU_AVX2: bounds_avx2(nearest, norms, relative, norm_max, upper, lower); return;
#endif
    default: bounds_base(nearest, norms, relative, norm_max, upper, lower); return;
    }
}

/* Used for bounds only, so that the order of its additions may differ between levels. */
float nearest_dot(const float *a, const float *b, int32_t d)
{
#if CLARY_X86
    if (cpu_level() == CPU_AVX512) return dot_avx512(a, b, d);
#endif
    return dot_base(a, b, d);
}

void nearest_find(const float *panel, const float *packed, int32_t k, int32_t d, Nearest *ret)
{
    for (int r = 0; r < NEAREST_ROWS; r++) {
        ret->best[r] = ret->second[r] = -INFINITY;
        ret->index[r] = 0;
    }
    switch (cpu_level()) {
#if CLARY_X86
    case CPU_AVX512: find_avx512(panel, packed, k, d, ret); return;
    case CPU_AVX2: find_avx2(panel, packed, k, d, ret); return;
#endif
    default: find_base(panel, packed, k, d, ret); return;
    }
}

/* ---- sparse rows ----
 * Packed as groups of 64 centers: a line of 64 biases, then a line of 64 numbers per feature.  An
 * entry of the row is multiplied with one line; the group's scores stay in registers. */

enum { GROUP = 64 };

static int32_t group_count(int32_t k)
{
    return (k + GROUP - 1) / GROUP;
}

size_t nearest_sparse_size(int32_t k, int32_t d)
{
    return (size_t)group_count(k) * GROUP * ((size_t)d + 1);
}

void nearest_pack_sparse(const float *centers, int64_t stride, int32_t k, int32_t d, float *packed)
{
    for (int32_t first = 0; first < k; first += GROUP, packed += (size_t)GROUP * ((size_t)d + 1)) {
        for (int32_t c = 0; c < GROUP; c++) {
            bool real = first + c < k;
            const float *center = centers + (first + c) * stride;
            packed[c] = real ? -half_norm(center, d) : -INFINITY;
            for (int32_t j = 0; j < d; j++) packed[((size_t)j + 1) * GROUP + (size_t)c] = real ? center[j] : 0;
        }
    }
}

#define SCORE_GROUP(fma)                                                                           \
    {                                                                                              \
        memcpy(score, lines, GROUP * sizeof *score);                                               \
        for (int64_t i = 0; i < n; i++) {                                                          \
            const float *line = lines + ((size_t)col[i] + 1) * GROUP;                              \
            float x = value[i];                                                                    \
            for (int c = 0; c < GROUP; c++) score[c] = fma;                                        \
        }                                                                                          \
    }

static void score_group_base(const int32_t *col, const float *value, int64_t n, const float *lines, float *score)
{
    SCORE_GROUP(score[c] + x * line[c])
}

#if CLARY_X86

TARGET_AVX512 static void score_group_avx512(const int32_t *col, const float *value, int64_t n,
                                             const float *lines, float *score)
{
    __m512 s0 = _mm512_loadu_ps(lines), s1 = _mm512_loadu_ps(lines + 16);
    __m512 s2 = _mm512_loadu_ps(lines + 32), s3 = _mm512_loadu_ps(lines + 48);
    for (int64_t i = 0; i < n; i++) {
        const float *line = lines + ((size_t)col[i] + 1) * GROUP;
        __m512 x = _mm512_set1_ps(value[i]);
        s0 = _mm512_fmadd_ps(x, _mm512_loadu_ps(line), s0);
        s1 = _mm512_fmadd_ps(x, _mm512_loadu_ps(line + 16), s1);
        s2 = _mm512_fmadd_ps(x, _mm512_loadu_ps(line + 32), s2);
        s3 = _mm512_fmadd_ps(x, _mm512_loadu_ps(line + 48), s3);
    }
    _mm512_storeu_ps(score, s0);
    _mm512_storeu_ps(score + 16, s1);
    _mm512_storeu_ps(score + 32, s2);
    _mm512_storeu_ps(score + 48, s3);
}

TARGET_AVX2 static void score_group_avx2(const int32_t *col, const float *value, int64_t n,
                                         const float *lines, float *score)
{
    __m256 s[8] UNINITIALIZED;
    UNROLL for (int v = 0; v < 8; v++) s[v] = _mm256_loadu_ps(lines + 8 * v);
    for (int64_t i = 0; i < n; i++) {
        const float *line = lines + ((size_t)col[i] + 1) * GROUP;
        __m256 x = _mm256_broadcast_ss(value + i);
        UNROLL for (int v = 0; v < 8; v++) s[v] = _mm256_fmadd_ps(x, _mm256_loadu_ps(line + 8 * v), s[v]);
    }
    UNROLL for (int v = 0; v < 8; v++) _mm256_storeu_ps(score + 8 * v, s[v]);
}

#endif

NearestRow nearest_find_sparse(const int32_t *col, const float *value, int64_t n,
                               const float *packed, int32_t k, int32_t d)
{
    CpuLevel level = cpu_level();
    NearestRow row = {-INFINITY, -INFINITY, 0};
    for (int32_t first = 0; first < k; first += GROUP, packed += (size_t)GROUP * ((size_t)d + 1)) {
        float score[GROUP] UNINITIALIZED;
#if CLARY_X86
        if (level == CPU_AVX512)
            score_group_avx512(col, value, n, packed, score);
        else if (level == CPU_AVX2)
            score_group_avx2(col, value, n, packed, score);
        else
#endif
            score_group_base(col, value, n, packed, score);
        for (int32_t c = 0; c < MIN(GROUP, k - first); c++) {
            if (score[c] > row.best) {
                row.second = row.best;
                row.best = score[c];
                row.index = first + c;
            } else if (score[c] > row.second) {
                row.second = score[c];
            }
        }
    }
    (void)level;
    return row;
}
