/* Pearson's and Spearman's correlation matrices, without copies of the columns.
 *
 * Rows are taken in blocks that stay in the second cache: a block of every column is centered by a mean that the caller knows, in
 * double, and sums of products are taken in tiles of TILE x TILE columns.  Where columns lack values, four sums of a pair take the place of
 * one (n, x, x^2, xy), from columns whose missing values are 0 and from masks of 0 and 1; centering first keeps them exact.
 *
 * Rows are cut into at most CHUNKS_MAX chunks whose sums are added in order: the same bits on any number of threads.
 *
 * Spearman's rho is Pearson's r of average ranks; a pair of which one lacks values is ranked anew among its own rows, by counting: ranks
 * are small integers when doubled. */

#include "base/arena.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "stats/relation.h"

#include <math.h>
#include <string.h>

enum { TILE = 4, BLOCK_ROWS = 1024, CHUNKS_MAX = 16, CHUNK_ROWS_MIN = 16384, PAIRS_A_CHUNK = 4 };
#define PARTIAL_MAX (32.0 * 1024 * 1024) /* doubles of all chunks' sums */

static double clipped(double r)
{
    return r > 1 ? 1 : r < -1 ? -1 : r;
}

/* ---- sums of products ---- */

enum { SUM_XY, SUM_N, SUM_X, SUM_XX, SUMS };

typedef struct Blocks {
    const Numbers *columns;
    const double *centers;
    size_t n_cols;
    int64_t n_rows, chunk_rows;
    bool missing;
    double *partial; /* chunk x sum x n_cols x n_cols */
    Error *errors;   /* one a chunk */
    bool *failed;
} Blocks;

typedef double Lanes __attribute__((vector_size(64)));

/* TILE x TILE sums of products over a block, eight lanes each; no fused steps, so that every processor gives the same bits. */
static inline __attribute__((always_inline)) void tile_body(const double *const left[TILE],
                                                            const double *const right[TILE],
                                                            double sums[TILE][TILE])
{
    Lanes acc[TILE][TILE] = {{{0}}};
    for (size_t r = 0; r < BLOCK_ROWS; r += 8) {
        Lanes a[TILE], b[TILE];
        for (int i = 0; i < TILE; i++) memcpy(&a[i], left[i] + r, sizeof a[i]);
        for (int j = 0; j < TILE; j++) memcpy(&b[j], right[j] + r, sizeof b[j]);
        for (int i = 0; i < TILE; i++)
            for (int j = 0; j < TILE; j++) acc[i][j] += a[i] * b[j];
    }
    for (int i = 0; i < TILE; i++)
        for (int j = 0; j < TILE; j++)
            sums[i][j] = ((acc[i][j][0] + acc[i][j][4]) + (acc[i][j][2] + acc[i][j][6])) +
                         ((acc[i][j][1] + acc[i][j][5]) + (acc[i][j][3] + acc[i][j][7]));
}

typedef void TileFunction(const double *const left[TILE], const double *const right[TILE],
                          double sums[TILE][TILE]);

static void tile_base(const double *const left[TILE], const double *const right[TILE],
                      double sums[TILE][TILE])
{
    tile_body(left, right, sums);
}

#if CLARY_X86
TARGET_AVX2 static void tile_avx2(const double *const left[TILE], const double *const right[TILE],
                                  double sums[TILE][TILE])
{
    tile_body(left, right, sums);
}

TARGET_AVX512 static void tile_avx512(const double *const left[TILE],
                                      const double *const right[TILE], double sums[TILE][TILE])
{
    tile_body(left, right, sums);
}
#endif

static TileFunction *tile_function(void)
{
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512) return tile_avx512;
    if (cpu_level() >= CPU_AVX2) return tile_avx2;
#endif
    return tile_base;
}

/* out[i, j] += the block's sum of left[i] * right[j]; of a symmetric product the tiles from the diagonal on. */
static void add_products(TileFunction *tile, const double *left, const double *right, size_t n,
                         bool symmetric, double *out)
{
    for (size_t i = 0; i < n; i += TILE)
        for (size_t j = symmetric ? i : 0; j < n; j += TILE) {
            const double *l[TILE], *r[TILE];
            double sums[TILE][TILE];
            for (size_t k = 0; k < TILE; k++) {
                l[k] = left + MIN(i + k, n - 1) * BLOCK_ROWS;
                r[k] = right + MIN(j + k, n - 1) * BLOCK_ROWS;
            }
            tile(l, r, sums);
            for (size_t a = 0; a < TILE && i + a < n; a++)
                for (size_t b = 0; b < TILE && j + b < n; b++)
                    out[(i + a) * n + j + b] += sums[a][b];
        }
}

/* A block of one column: centered, 0 where there is no finite value and beyond the end. */
static void fill_block(const Numbers *column, double center, int64_t begin, int64_t end, double *x,
                       double *mask, double *square)
{
    size_t n = (size_t)(end - begin);
    if (column->f32) {
        const float *from = column->f32 + begin;
        for (size_t i = 0; i < n; i++) x[i] = (double)from[i] - center;
    } else {
        const double *from = column->f64 + begin;
        for (size_t i = 0; i < n; i++) x[i] = from[i] - center;
    }
    for (size_t i = n; i < BLOCK_ROWS; i++) x[i] = 0;
    if (!mask) return;
    for (size_t i = 0; i < n; i++) {
        double finite = x[i] - x[i] == 0;
        mask[i] = finite;
        x[i] = finite != 0 ? x[i] : 0;
        square[i] = x[i] * x[i];
    }
    for (size_t i = n; i < BLOCK_ROWS; i++) mask[i] = square[i] = 0;
}

static void sum_chunks(void *arg, size_t chunk, size_t begin, size_t end)
{
    Blocks *b = arg;
    (void)begin, (void)end;
    size_t n = b->n_cols, width = n * BLOCK_ROWS, cells = n * n;
    AUTO_DATA double *space = data_array(double, width *(b->missing ? 3 : 1), "blocks of columns",
                                         &b->errors[chunk]);
    if (!space) {
        b->failed[chunk] = true;
        return;
    }
    double *x = space, *mask = b->missing ? space + width : NULL,
           *square = b->missing ? space + 2 * width : NULL,
           *out = b->partial + chunk * cells * (b->missing ? SUMS : 1);
    TileFunction *tile = tile_function();
    int64_t first = (int64_t)chunk * b->chunk_rows, last = MIN(first + b->chunk_rows, b->n_rows);
    for (int64_t r = first; r < last; r += BLOCK_ROWS) {
        for (size_t j = 0; j < n; j++)
            fill_block(&b->columns[j], b->centers[j], r, MIN(r + BLOCK_ROWS, last),
                       x + j * BLOCK_ROWS, mask ? mask + j * BLOCK_ROWS : NULL,
                       mask ? square + j * BLOCK_ROWS : NULL);
        add_products(tile, x, x, n, true, out + SUM_XY * cells);
        if (!mask) continue;
        add_products(tile, mask, mask, n, true, out + SUM_N * cells);
        add_products(tile, x, mask, n, false,
                     out + SUM_X * cells); /* sum of x_i where j is there */
        add_products(tile, square, mask, n, false, out + SUM_XX * cells);
    }
}

bool pearson_blocks(Pool *pool, const Numbers *columns, const double *centers, int32_t n_cols,
                    int64_t n_rows, bool missing, double *ret_r, double *ret_covariance,
                    int64_t *ret_counts, Error *err)
{
    ARENA(arena);
    size_t p = (size_t)n_cols, cells = p * p, kinds = missing ? SUMS : 1;
    if (!p) return true;
    double room = PARTIAL_MAX / ((double)cells * (double)kinds);
    int64_t most = (int64_t)MAX(1.0, MIN((double)CHUNKS_MAX, room)),
            chunk_rows = MAX((int64_t)CHUNK_ROWS_MIN, (n_rows + most - 1) / most);
    chunk_rows = (chunk_rows + BLOCK_ROWS - 1) / BLOCK_ROWS * BLOCK_ROWS;
    size_t n_chunks = (size_t)MAX((int64_t)1, (n_rows + chunk_rows - 1) / chunk_rows);
    AUTO_DATA double *partial = data_array(double, n_chunks *kinds *cells, "sums of products", err);
    if (!partial) return false;
    Blocks work = {columns,
                   centers,
                   p,
                   n_rows,
                   chunk_rows,
                   missing,
                   partial,
                   arena_array(&arena, Error, n_chunks),
                   arena_array(&arena, bool, n_chunks)};
    parallel_for(pool, n_chunks, 1, sum_chunks, &work);
    for (size_t c = 0; c < n_chunks; c++) {
        if (work.failed[c]) {
            if (err) *err = work.errors[c];
            return false;
        }
        for (size_t i = 0; c && i < kinds * cells; i++)
            partial[i] += partial[c * kinds * cells + i];
    }
    double *xy = partial + SUM_XY * cells, *count = partial + SUM_N * cells,
           *x = partial + SUM_X * cells, *xx = partial + SUM_XX * cells;
    for (size_t i = 0; i < p; i++)
        for (size_t j = i; j < p; j++) {
            size_t at = i * p + j, back = j * p + i;
            double m = missing ? count[at] : (double)n_rows, sxy = xy[at], sxx = xy[i * p + i],
                   syy = xy[j * p + j];
            if (missing) {
                sxy -= x[at] * x[back] / m;
                sxx = xx[at] - x[at] * x[at] / m;
                syy = xx[back] - x[back] * x[back] / m;
            }
            bool defined = m >= 2 && sxx > 0 && syy > 0;
            if (ret_r)
                ret_r[at] = ret_r[back] = !defined ? NAN
                                          : i == j ? 1
                                                   : clipped(sxy / sqrt(sxx * syy));
            if (ret_covariance)
                ret_covariance[at] = ret_covariance[back] = m >= 2 ? sxy / (m - 1) : NAN;
            if (ret_counts) ret_counts[at] = ret_counts[back] = (int64_t)m;
        }
    return true;
}

typedef struct Means {
    const double *const *columns;
    double *centers;
    int64_t n_rows;
    bool *missing;
} Means;

static void find_means(void *arg, size_t chunk, size_t begin, size_t end)
{
    const Means *work = arg;
    (void)chunk;
    for (size_t j = begin; j < end; j++) {
        const double *x = work->columns[j];
        double sum = 0;
        int64_t n = 0;
        for (int64_t i = 0; i < work->n_rows; i++)
            if (x[i] == x[i]) {
                sum += x[i];
                n++;
            }
        work->centers[j] = n ? sum / (double)n : 0;
        work->missing[j] = n < work->n_rows;
    }
}

bool pearson_matrix(Pool *pool, const double *const *columns, int32_t n_cols, int64_t n_rows,
                    double *ret_r, double *ret_covariance, int64_t *ret_counts, Error *err)
{
    ARENA(arena);
    Means means = {columns, arena_array(&arena, double, n_cols + 1), n_rows,
                   arena_array(&arena, bool, n_cols + 1)};
    Numbers *numbers = arena_array(&arena, Numbers, n_cols + 1);
    bool missing = false;
    parallel_for(pool, (size_t)n_cols, 1, find_means, &means);
    for (int32_t j = 0; j < n_cols; j++) {
        numbers[j] = (Numbers){.f64 = columns[j], .n = n_rows};
        missing |= means.missing[j];
    }
    return pearson_blocks(pool, numbers, means.centers, n_cols, n_rows, missing, ret_r,
                          ret_covariance, ret_counts, err);
}

/* ---- Spearman ---- */

typedef struct Pairs {
    const Numbers *ranks;
    const int32_t *pairs; /* two columns each */
    size_t n_cols;
    double *rho;
    Error *errors; /* one a chunk */
    bool *failed;
} Pairs;

/* Counts of doubled ranks become the doubled ranks among the counted rows. */
static void rank_anew(uint32_t *counts, size_t n)
{
    uint32_t before = 0;
    for (size_t k = 0; k < n; k++) {
        uint32_t count = counts[k];
        if (!count) continue;
        counts[k] = 2 * before + count + 1;
        before += count;
    }
}

static double pair_rho(const Numbers *a, const Numbers *b, uint32_t *of_a, uint32_t *of_b)
{
    size_t places = 2 * (size_t)a->n + 1;
    int64_t m = 0;
    memset(of_a, 0, places * sizeof *of_a);
    memset(of_b, 0, places * sizeof *of_b);
    for (int64_t i = 0; i < a->n; i++) {
        double x = numbers_at(a, i), y = numbers_at(b, i);
        if (x != x || y != y) continue;
        of_a[(size_t)(2 * x)]++;
        of_b[(size_t)(2 * y)]++;
        m++;
    }
    rank_anew(of_a, places);
    rank_anew(of_b, places);
    double sxy = 0, sxx = 0, syy = 0, middle = (double)m + 1;
    for (int64_t i = 0; i < a->n; i++) {
        double x = numbers_at(a, i), y = numbers_at(b, i);
        if (x != x || y != y) continue;
        x = (double)of_a[(size_t)(2 * x)] - middle;
        y = (double)of_b[(size_t)(2 * y)] - middle;
        sxy += x * y;
        sxx += x * x;
        syy += y * y;
    }
    return m >= 2 && sxx > 0 && syy > 0 ? clipped(sxy / sqrt(sxx * syy)) : NAN;
}

static void rho_of_pairs(void *arg, size_t chunk, size_t begin, size_t end)
{
    Pairs *work = arg;
    size_t places = 2 * (size_t)work->ranks[0].n + 1;
    AUTO_DATA uint32_t *counts = data_array(uint32_t, 2 * places, "ranks of pairs",
                                            &work->errors[chunk]);
    work->failed[chunk] = !counts;
    for (size_t k = begin; counts && k < end; k++) {
        size_t i = (size_t)work->pairs[2 * k], j = (size_t)work->pairs[2 * k + 1];
        work->rho[i * work->n_cols + j] = work->rho[j * work->n_cols + i] = pair_rho(
            &work->ranks[i], &work->ranks[j], counts, counts + places);
    }
}

bool spearman_ranked(Pool *pool, const Numbers *ranks, const int64_t *n_values, int32_t n_cols,
                     int64_t n_rows, double *ret_rho, Error *err)
{
    ARENA(arena);
    size_t p = (size_t)n_cols, n_pairs = 0;
    int32_t *whole = arena_array(&arena, int32_t, p + 1), n_whole = 0;
    for (int32_t j = 0; j < n_cols; j++)
        if (n_values[j] == n_rows) whole[n_whole++] = j;
    size_t w = (size_t)n_whole;
    Numbers *some = arena_array(&arena, Numbers, w + 1);
    double *centers = arena_array(&arena, double, w + 1);
    AUTO_DATA double *rho = data_array(double, w *w + 1, "a correlation matrix", err);
    if (!rho) return false;
    for (size_t i = 0; i < w; i++) {
        some[i] = ranks[whole[i]];
        centers[i] = ((double)n_rows + 1) / 2;
    }
    if (!pearson_blocks(pool, some, centers, n_whole, n_rows, false, rho, NULL, NULL, err))
        return false;
    for (size_t i = 0; i < w; i++)
        for (size_t j = 0; j < w; j++)
            ret_rho[(size_t)whole[i] * p + (size_t)whole[j]] = rho[i * w + j];
    if (w == p) return true;
    AUTO_DATA int32_t *pairs = data_array(int32_t, p * (p + 1) + 1, "pairs of columns", err);
    if (!pairs) return false;
    for (size_t i = 0; i < p; i++)
        for (size_t j = i; j < p; j++)
            if (n_values[i] < n_rows || n_values[j] < n_rows) {
                pairs[2 * n_pairs] = (int32_t)i;
                pairs[2 * n_pairs++ + 1] = (int32_t)j;
            }
    size_t n_chunks = chunk_count(n_pairs, PAIRS_A_CHUNK);
    Pairs work = {ranks,
                  pairs,
                  p,
                  ret_rho,
                  arena_array(&arena, Error, n_chunks + 1),
                  arena_array(&arena, bool, n_chunks + 1)};
    parallel_for(pool, n_pairs, PAIRS_A_CHUNK, rho_of_pairs, &work);
    for (size_t c = 0; c < n_chunks; c++)
        if (work.failed[c]) {
            if (err) *err = work.errors[c];
            return false;
        }
    return true;
}

typedef struct Ranking {
    const Sorted *const *sorted;
    double **ranks;
} Ranking;

static void rank_columns(void *arg, size_t chunk, size_t begin, size_t end)
{
    const Ranking *work = arg;
    (void)chunk;
    for (size_t j = begin; j < end; j++) sorted_ranks(work->sorted[j], work->ranks[j]);
}

bool spearman_matrix(Pool *pool, const Sorted *const *sorted, int32_t n_cols, int64_t n_rows,
                     double *ret_rho, Error *err)
{
    ARENA(arena);
    size_t p = (size_t)n_cols, n = (size_t)n_rows;
    double **ranks = arena_array(&arena, double *, p + 1);
    Numbers *numbers = arena_array(&arena, Numbers, p + 1);
    int64_t *n_values = arena_array(&arena, int64_t, p + 1);
    AUTO_DATA double *space = data_array(double, p *n, "ranks", err);
    if (!space) return false;
    for (size_t j = 0; j < p; j++) {
        ranks[j] = space + j * n;
        numbers[j] = (Numbers){.f64 = ranks[j], .n = n_rows};
        n_values[j] = sorted[j]->n;
    }
    parallel_for(pool, p, 1, rank_columns, &(Ranking){sorted, ranks});
    return spearman_ranked(pool, numbers, n_values, n_cols, n_rows, ret_rho, err);
}
