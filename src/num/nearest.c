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
                    float worse = MIN(s, best);
                    ret->second[r0 + r] = MAX(ret->second[r0 + r], worse);
                    ret->best[r0 + r] = MAX(best, s);
                }
            }
        }
    }
}

static void bounds_base(const Nearest *nearest, const float *norms, float relative, float norm_max,
                        float *upper, float *lower)
{
    for (int r = 0; r < NEAREST_ROWS; r++) {
        float slack = relative * (norms[r] + norm_max);
        float near = norms[r] - 2 * nearest->best[r],
              next = norms[r] - 2 * nearest->second[r] - slack;
        upper[r] = sqrtf(MAX(near, 0) + slack);
        lower[r] = sqrtf(MAX(next, 0));
    }
}

#if CLARY_X86

/* ---- AVX-512: 64 rows x 6 centers ---- */

TARGET_AVX512 static void find_avx512(const float *panel, const float *tile, int32_t k, int32_t d,
                                      Nearest *ret)
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
            __m512 best = _mm512_load_ps(ret->best + 16 * v),
                   second = _mm512_load_ps(ret->second + 16 * v);
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

TARGET_AVX512 static void bounds_avx512(const Nearest *nearest, const float *norms, float relative,
                                        float norm_max, float *upper, float *lower)
{
    const __m512 zero = _mm512_setzero_ps(), minus_two = _mm512_set1_ps(-2);
    for (int r = 0; r < NEAREST_ROWS; r += 16) {
        __m512 norm = _mm512_loadu_ps(norms + r);
        __m512 slack = _mm512_mul_ps(_mm512_set1_ps(relative),
                                     _mm512_add_ps(norm, _mm512_set1_ps(norm_max)));
        __m512 near = _mm512_fmadd_ps(minus_two, _mm512_load_ps(nearest->best + r), norm);
        __m512 next = _mm512_fmadd_ps(minus_two, _mm512_load_ps(nearest->second + r), norm);
        _mm512_storeu_ps(upper + r,
                         _mm512_sqrt_ps(_mm512_add_ps(_mm512_max_ps(near, zero), slack)));
        _mm512_storeu_ps(lower + r,
                         _mm512_sqrt_ps(_mm512_max_ps(_mm512_sub_ps(next, slack), zero)));
    }
}

/* ---- AVX2: 16 rows x 6 centers, four times ---- */

TARGET_AVX2 static void find_avx2(const float *panel, const float *packed, int32_t k, int32_t d,
                                  Nearest *ret)
{
    for (int32_t first = 0; first < k; first += TILE, packed += (size_t)TILE * ((size_t)d + 1)) {
        for (int r = 0; r < NEAREST_ROWS; r += 16) {
            const float *tile = packed, *x = panel + r;
            __m256 score[TILE][2] UNINITIALIZED;
            UNROLL for (int c = 0; c < TILE; c++)
                score[c][0] = score[c][1] = _mm256_broadcast_ss(tile + c);
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
                    index = _mm256_blendv_ps(
                        index, _mm256_castsi256_ps(_mm256_set1_epi32(first + c)), better);
                    best = _mm256_max_ps(best, s);
                }
                _mm256_store_ps(best_at, best);
                _mm256_store_ps(second_at, second);
                _mm256_store_ps((float *)(void *)index_at, index);
            }
        }
    }
}

TARGET_AVX2 static void bounds_avx2(const Nearest *nearest, const float *norms, float relative,
                                    float norm_max, float *upper, float *lower)
{
    const __m256 zero = _mm256_setzero_ps(), minus_two = _mm256_set1_ps(-2);
    for (int r = 0; r < NEAREST_ROWS; r += 8) {
        __m256 norm = _mm256_loadu_ps(norms + r);
        __m256 slack = _mm256_mul_ps(_mm256_set1_ps(relative),
                                     _mm256_add_ps(norm, _mm256_set1_ps(norm_max)));
        __m256 near = _mm256_fmadd_ps(minus_two, _mm256_load_ps(nearest->best + r), norm);
        __m256 next = _mm256_fmadd_ps(minus_two, _mm256_load_ps(nearest->second + r), norm);
        _mm256_storeu_ps(upper + r,
                         _mm256_sqrt_ps(_mm256_add_ps(_mm256_max_ps(near, zero), slack)));
        _mm256_storeu_ps(lower + r,
                         _mm256_sqrt_ps(_mm256_max_ps(_mm256_sub_ps(next, slack), zero)));
    }
}

#endif

/* ---- rows in lines ----
 * One text for all processors: vectors of the compiler, which each wrapper below turns into the
 * instructions of its level.  Without fused multiply-add, so the bits are the same everywhere. */

typedef float Floats __attribute__((vector_size(64), aligned(4), may_alias));
typedef float HalfFloats __attribute__((vector_size(32)));
typedef float QuarterFloats __attribute__((vector_size(16)));
typedef double Doubles __attribute__((vector_size(64), aligned(8), may_alias));

#define EVERY_LEVEL static inline __attribute__((always_inline))

EVERY_LEVEL Floats load(const float *p)
{
    return *(const Floats *)(const void *)p;
}

EVERY_LEVEL float add_lanes(Floats v)
{
    HalfFloats half = __builtin_shufflevector(v, v, 0, 1, 2, 3, 4, 5, 6, 7) +
                      __builtin_shufflevector(v, v, 8, 9, 10, 11, 12, 13, 14, 15);
    QuarterFloats quarter = __builtin_shufflevector(half, half, 0, 1, 2, 3) +
                            __builtin_shufflevector(half, half, 4, 5, 6, 7);
    return (quarter[0] + quarter[2]) + (quarter[1] + quarter[3]);
}

/* The last line of a row, which is shorter than 16, with zeros behind. */
EVERY_LEVEL Floats load_short(const float *p, int32_t width)
{
    float line[NEAREST_LINE] = {0};
    for (int32_t j = 0; j < width; j++) line[j] = p[j];
    return load(line);
}

EVERY_LEVEL void own_all(const NearestLines *lines, int64_t begin, const int32_t *rows, int32_t n,
                         const float *centers, const int32_t *assigned, float *squares)
{
    int32_t d = lines->d, groups = nearest_groups(d), full = d / NEAREST_LINE,
            rest = d % NEAREST_LINE;
    int64_t stride = (int64_t)groups * NEAREST_LINE;
    for (int32_t i = 0; i < n; i++) {
        int32_t r = rows ? rows[i] : i;
        int64_t row = begin + r;
        const float *center = centers + assigned[r] * stride;
        Floats sum = {0};
        for (int32_t g = 0; g < full; g++) {
            Floats v = load(lines->group[g] + row * NEAREST_LINE) - load(center + g * NEAREST_LINE);
            sum += v * v;
        }
        if (rest) {
            Floats v = load_short(lines->group[full] + row * rest, rest) -
                       load(center + full * NEAREST_LINE);
            sum += v * v;
        }
        squares[i] = add_lanes(sum);
    }
}

EVERY_LEVEL void squares_all(const float *row, const float *centers, int32_t d, const int32_t *list,
                             int32_t n, float *squares)
{
    int32_t groups = nearest_groups(d);
    int64_t stride = (int64_t)groups * NEAREST_LINE;
    int32_t i = 0;
    for (; i + 2 <= n; i += 2) {
        const float *a = centers + (list ? list[i] : i) * stride,
                    *b = centers + (list ? list[i + 1] : i + 1) * stride;
        Floats sum_a = {0}, sum_b = {0};
        for (int32_t g = 0; g < groups; g++) {
            Floats x = load(row + g * NEAREST_LINE), v = x - load(a + g * NEAREST_LINE),
                   w = x - load(b + g * NEAREST_LINE);
            sum_a += v * v;
            sum_b += w * w;
        }
        squares[i] = add_lanes(sum_a);
        squares[i + 1] = add_lanes(sum_b);
    }
    if (i == n) return;
    const float *a = centers + (list ? list[i] : i) * stride;
    Floats sum = {0};
    for (int32_t g = 0; g < groups; g++) {
        Floats v = load(row + g * NEAREST_LINE) - load(a + g * NEAREST_LINE);
        sum += v * v;
    }
    squares[i] = add_lanes(sum);
}

EVERY_LEVEL void sum_line(const float *from, int32_t width, double w, double *to)
{
    Doubles *sums = (Doubles *)(void *)to;
    if (width == NEAREST_LINE) {
        Floats x = load(from);
        sums[0] += __builtin_convertvector(__builtin_shufflevector(x, x, 0, 1, 2, 3, 4, 5, 6, 7),
                                           Doubles) *
                   w;
        sums[1] += __builtin_convertvector(
                       __builtin_shufflevector(x, x, 8, 9, 10, 11, 12, 13, 14, 15), Doubles) *
                   w;
        return;
    }
    for (int32_t j = 0; j < width; j++) to[j] += (double)from[j] * w;
}

EVERY_LEVEL void sum_all(const NearestLines *lines, int32_t group, int64_t begin,
                         const int32_t *list, const int32_t *assigned, const float *weight,
                         int32_t n, double sign, double *sums)
{
    int32_t width = nearest_width(lines->d, group);
    const float *from = lines->group[group];
    for (int32_t i = 0; i < n; i++) {
        int64_t row = begin + (list ? list[i] : i);
        double w = weight ? sign * (double)weight[row] : sign;
        sum_line(from + row * width, width, w, sums + (int64_t)assigned[i] * NEAREST_LINE);
    }
}

EVERY_LEVEL void norms_all(const float *panel, int32_t d, float *norms)
{
    Floats norm[4] = {{0}};
    for (int32_t j = 0; j < d; j++, panel += NEAREST_ROWS)
        UNROLL for (int v = 0; v < 4; v++) norm[v] += load(panel + 16 * v) * load(panel + 16 * v);
    for (int v = 0; v < 4; v++) memcpy(norms + 16 * v, &norm[v], sizeof norm[v]);
}

/* Blocks whose lines stay in the cache while the columns pass by. */
static float line_up_base(float *const *column, const float *shift, int32_t width, int64_t begin,
                          int32_t n, float *lines, float *norm, float most, float *check)
{
    enum { ROWS = 16 };
    lines += begin * width;
    for (int32_t first = 0; first < n; first += ROWS) {
        int32_t rows = MIN(n - first, (int32_t)ROWS);
        float square[ROWS] = {0};
        for (int32_t j = 0; j < width; j++) {
            const float *from = column[j] + begin + first;
            float *to = lines + (int64_t)first * width + j;
            for (int32_t r = 0; r < rows; r++, to += width) {
                float x = from[r] - shift[j];
                *to = x;
                square[r] += x * x;
                most = MAX(most, fabsf(x));
                *check += from[r] * 0;
            }
        }
        for (int32_t r = 0; r < rows; r++) norm[first + r] = square[r];
    }
    return most;
}

static void fill_base(const NearestLines *lines, int64_t begin, const int32_t *rows, float *panel)
{
    for (int32_t g = 0; g < nearest_groups(lines->d); g++) {
        int32_t width = nearest_width(lines->d, g);
        float *to = panel + (int64_t)g * NEAREST_LINE * NEAREST_ROWS;
        for (int r = 0; r < NEAREST_ROWS; r++) {
            const float *from = lines->group[g] + (begin + rows[r]) * width;
            for (int32_t j = 0; j < width; j++) to[j * NEAREST_ROWS + r] = from[j];
        }
    }
}

#define LINE_FUNCTIONS(level, TARGET)                                                              \
    TARGET static void own_##level(const NearestLines *lines, int64_t begin, const int32_t *rows,  \
                                   int32_t n, const float *centers, const int32_t *assigned,       \
                                   float *squares)                                                 \
    {                                                                                              \
        own_all(lines, begin, rows, n, centers, assigned, squares);                                \
    }                                                                                              \
    TARGET static void squares_##level(const float *row, const float *centers, int32_t d,          \
                                       const int32_t *list, int32_t n, float *squares)             \
    {                                                                                              \
        squares_all(row, centers, d, list, n, squares);                                            \
    }                                                                                              \
    TARGET static void sum_##level(const NearestLines *lines, int32_t group, int64_t begin,        \
                                   const int32_t *list, const int32_t *assigned,                   \
                                   const float *weight, int32_t n, double sign, double *sums)      \
    {                                                                                              \
        sum_all(lines, group, begin, list, assigned, weight, n, sign, sums);                       \
    }                                                                                              \
    TARGET static void norms_##level(const float *panel, int32_t d, float *norms)                  \
    {                                                                                              \
        norms_all(panel, d, norms);                                                                \
    }

LINE_FUNCTIONS(base, )

#if CLARY_X86

LINE_FUNCTIONS(avx2, TARGET_AVX2)
LINE_FUNCTIONS(avx512, TARGET_AVX512)

/* 16 lines of 16 floats turned: line i of the result has float i of each. */
TARGET_AVX512 static inline void turn(__m512 x[16])
{
    __m512 t[16] UNINITIALIZED;
    UNROLL for (int i = 0; i < 16; i += 4)
    {
        __m512 a = _mm512_unpacklo_ps(x[i], x[i + 1]), b = _mm512_unpackhi_ps(x[i], x[i + 1]);
        __m512 c = _mm512_unpacklo_ps(x[i + 2], x[i + 3]),
               e = _mm512_unpackhi_ps(x[i + 2], x[i + 3]);
        t[i] = _mm512_shuffle_ps(a, c, 0x44);
        t[i + 1] = _mm512_shuffle_ps(a, c, 0xee);
        t[i + 2] = _mm512_shuffle_ps(b, e, 0x44);
        t[i + 3] = _mm512_shuffle_ps(b, e, 0xee);
    }
    UNROLL for (int i = 0; i < 4; i++)
    {
        __m512 a = _mm512_shuffle_f32x4(t[i], t[i + 4], 0x88),
               b = _mm512_shuffle_f32x4(t[i], t[i + 4], 0xdd);
        __m512 c = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0x88),
               e = _mm512_shuffle_f32x4(t[i + 8], t[i + 12], 0xdd);
        x[i] = _mm512_shuffle_f32x4(a, c, 0x88);
        x[i + 8] = _mm512_shuffle_f32x4(a, c, 0xdd);
        x[i + 4] = _mm512_shuffle_f32x4(b, e, 0x88);
        x[i + 12] = _mm512_shuffle_f32x4(b, e, 0xdd);
    }
}

/* Whole lines of n rows, a multiple of 16. */
TARGET_AVX512 static float line_up_avx512(float *const *column, const float *shift, int64_t begin,
                                          int32_t n, float *lines, float *norm, float most,
                                          float *check)
{
    __m512 high = _mm512_set1_ps(most), checks = _mm512_setzero_ps();
    lines += begin * NEAREST_LINE;
    for (int32_t r = 0; r < n; r += 16, lines += 16 * NEAREST_LINE) {
        __m512 x[16] UNINITIALIZED, square = _mm512_setzero_ps();
        UNROLL for (int j = 0; j < 16; j++)
        {
            __m512 value = _mm512_loadu_ps(column[j] + begin + r);
            checks = _mm512_add_ps(checks, _mm512_mul_ps(value, _mm512_setzero_ps()));
            x[j] = _mm512_sub_ps(value, _mm512_set1_ps(shift[j]));
            square = _mm512_add_ps(square, _mm512_mul_ps(x[j], x[j]));
            high = _mm512_max_ps(high, _mm512_abs_ps(x[j]));
        }
        _mm512_storeu_ps(norm + r, square);
        turn(x);
        UNROLL for (int i = 0; i < 16; i++) _mm512_storeu_ps(lines + i * NEAREST_LINE, x[i]);
    }
    *check += _mm512_reduce_add_ps(checks);
    return _mm512_reduce_max_ps(high);
}

TARGET_AVX512 static void fill_avx512(const NearestLines *lines, int64_t begin, const int32_t *rows,
                                      float *panel)
{
    for (int32_t g = 0; g < nearest_groups(lines->d); g++) {
        int32_t width = nearest_width(lines->d, g);
        const float *from = lines->group[g] + begin * width;
        float *to = panel + (int64_t)g * NEAREST_LINE * NEAREST_ROWS;
        for (int r = 0; r < NEAREST_ROWS; r += 16, rows += 16) {
            __m512 x[16] UNINITIALIZED;
            UNROLL for (int i = 0; i < 16; i++)
                x[i] = _mm512_loadu_ps(from + (int64_t)rows[i] * width);
            turn(x);
            if (width == NEAREST_LINE) {
                UNROLL for (int j = 0; j < 16; j++)
                    _mm512_store_ps(to + j * NEAREST_ROWS + r, x[j]);
            } else {
                UNROLL for (int j = 0; j < 15; j++) if (j < width)
                    _mm512_store_ps(to + j * NEAREST_ROWS + r, x[j]);
            }
        }
        rows -= NEAREST_ROWS;
    }
}

#endif

float nearest_line_up(float *const *column, const float *shift, int32_t width, int64_t begin,
                      int32_t n, float *lines, float *norm, float most, bool *ret_bad)
{
    float check = 0; /* becomes NaN */
    int32_t done = 0;
#if CLARY_X86
    if (cpu_level() == CPU_AVX512 && width == NEAREST_LINE) {
        done = n & ~15;
        most = line_up_avx512(column, shift, begin, done, lines, norm, most, &check);
    }
#endif
    most = line_up_base(column, shift, width, begin + done, n - done, lines, norm + done, most,
                        &check);
    if (check != 0) *ret_bad = true;
    return most;
}

void nearest_row(const NearestLines *lines, int64_t row, float *out)
{
    for (int32_t g = 0; g < nearest_groups(lines->d); g++, out += NEAREST_LINE) {
        int32_t width = nearest_width(lines->d, g);
        const float *from = lines->group[g] + row * width;
        if (LIKELY(width == NEAREST_LINE))
            memcpy(out, from, NEAREST_LINE * sizeof *out);
        else
            for (int32_t j = 0; j < NEAREST_LINE; j++) out[j] = j < width ? from[j] : 0;
    }
}

#if CLARY_X86
#define AT_LEVEL(name, ...)                                                                        \
    switch (cpu_level()) {                                                                         \
    case CPU_AVX512: name##_avx512(__VA_ARGS__); break;                                            \
    case CPU_AVX2: name##_avx2(__VA_ARGS__); break;                                                \
    default: name##_base(__VA_ARGS__); break;                                                      \
    }
#else
#define AT_LEVEL(name, ...) name##_base(__VA_ARGS__);
#endif

void nearest_fill(const NearestLines *lines, int64_t begin, const int32_t *rows, float *panel,
                  float norms[static NEAREST_ROWS])
{
#if CLARY_X86
    if (cpu_level() == CPU_AVX512)
        fill_avx512(lines, begin, rows, panel);
    else
#endif
        fill_base(lines, begin, rows, panel);
    AT_LEVEL(norms, panel, lines->d, norms)
}

void nearest_own(const NearestLines *lines, int64_t begin, const int32_t *rows, int32_t n,
                 const float *centers, const int32_t *assigned, float *squares)
{
    AT_LEVEL(own, lines, begin, rows, n, centers, assigned, squares)
}

void nearest_squares(const float *row, const float *centers, int32_t d, const int32_t *list,
                     int32_t n, float *squares)
{
    AT_LEVEL(squares, row, centers, d, list, n, squares)
}

void nearest_sum(const NearestLines *lines, int32_t group, int64_t begin, const int32_t *list,
                 const int32_t *assigned, const float *weight, int32_t n, double sign, double *sums)
{
    AT_LEVEL(sum, lines, group, begin, list, assigned, weight, n, sign, sums)
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
            for (int32_t j = 0; j < d; j++)
                packed[((size_t)j + 1) * GROUP + (size_t)c] = real ? center[j] : 0;
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

static void score_group_base(const int32_t *col, const float *value, int64_t n, const float *lines,
                             float *score){SCORE_GROUP(score[c] + x * line[c])}

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
        UNROLL for (int v = 0; v < 8; v++)
            s[v] = _mm256_fmadd_ps(x, _mm256_loadu_ps(line + 8 * v), s[v]);
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
