/* Lloyd's iterations against the plain way, and what must hold of them. */

#include "base/file.h"
#include "base/memory.h"
#include "base/test.h"
#include "num/lloyd.h"
#include "num/nearest.h"

#include <math.h>
#include <stdlib.h>

enum { ROWS = 20000, COLS = 13, CENTERS = 17 };

/* Rows around 25 places, far from zero in one column. */
typedef struct Blobs {
    float *values, *column[COLS];
    Matrix dense, sparse;
    int64_t *row_start;
    int32_t *col;
    float *value;
} Blobs;

static Blobs blobs_make(int64_t n)
{
    Error err = {0};
    Blobs blobs = {.values = data_array(float, n *COLS, "test", &err),
                   .row_start = data_array(int64_t, n + 1, "test", &err),
                   .col = data_array(int32_t, n * COLS, "test", &err),
                   .value = data_array(float, n *COLS, "test", &err)};
    Random place = random_stream(7, 1), noise = random_stream(7, 2), which = random_stream(7, 3);
    int64_t entries = 0;
    for (int64_t i = 0; i < n; i++) {
        uint64_t p = random_below(which, (uint64_t)i, 25);
        for (int32_t j = 0; j < COLS; j++) {
            double x = 4 * random_normal(place, p * COLS + (uint64_t)j) +
                       random_normal(noise, (uint64_t)(i * COLS + j));
            bool zero = random_unit(noise, (uint64_t)(i * COLS + j)) < 0.5;
            blobs.values[j * n + i] = (float)(j == 3 ? 1000 + x : zero && j > 3 ? 0 : x);
            if (blobs.values[j * n + i] == 0) continue;
            blobs.col[entries] = j;
            blobs.value[entries++] = blobs.values[j * n + i];
        }
        blobs.row_start[i + 1] = entries;
    }
    for (int32_t j = 0; j < COLS; j++) blobs.column[j] = blobs.values + j * n;
    blobs.dense = (Matrix){.layout = MATRIX_COLUMNS, .n_rows = n, .n_cols = COLS};
    blobs.sparse = (Matrix){.layout = MATRIX_CSR,
                            .n_rows = n,
                            .n_cols = COLS,
                            .row_start = blobs.row_start,
                            .col = blobs.col,
                            .value = blobs.value};
    return blobs;
}

/* One iteration as the book has it, in double. */
static double plain_iteration(const Blobs *blobs, int64_t n, int32_t k, double *centers)
{
    double *sums = calloc((size_t)k * COLS, sizeof *sums),
           *counts = calloc((size_t)k, sizeof *counts), cost = 0;
    for (int64_t i = 0; i < n; i++) {
        double best = INFINITY;
        int32_t nearest = 0;
        for (int32_t c = 0; c < k; c++) {
            double square = 0;
            for (int32_t j = 0; j < COLS; j++) {
                double v = (double)blobs->values[j * n + i] - centers[c * COLS + j];
                square += v * v;
            }
            if (square < best) best = square, nearest = c;
        }
        cost += best;
        counts[nearest]++;
        for (int32_t j = 0; j < COLS; j++)
            sums[nearest * COLS + j] += (double)blobs->values[j * n + i];
    }
    for (int32_t c = 0; c < k; c++)
        for (int32_t j = 0; j < COLS && counts[c] > 0; j++)
            centers[c * COLS + j] = sums[c * COLS + j] / counts[c];
    free(sums);
    free(counts);
    return cost / (double)n;
}

TEST(lloyd, iterations_equal_the_plain_ones)
{
    enum { ITERATIONS = 25 };
    Error err = {0};
    Blobs blobs = blobs_make(ROWS);
    blobs.dense.column = blobs.column;
    double plain[CENTERS * COLS], plain_msd = 0;
    float start[CENTERS * COLS];
    LloydData data;
    CHECK_OK(lloyd_data_init(&data, &blobs.dense, NULL, NULL, NULL, NULL, &err), err);
    CHECK_OK(lloyd_start_random(&data, CENTERS, random_stream(1, 2), start, &err), err);
    lloyd_unshift(&data, CENTERS, start);
    for (int i = 0; i < CENTERS * COLS; i++) plain[i] = (double)start[i];
    for (int i = 0; i < ITERATIONS + 1; i++)
        plain_msd = plain_iteration(&blobs, ROWS, CENTERS, plain);

    for (int sparse = 0; sparse < 2; sparse++) {
        float centers[CENTERS * COLS];
        LloydData each;
        CHECK_OK(lloyd_data_init(&each, sparse ? &blobs.sparse : &blobs.dense, NULL, NULL, NULL,
                                 NULL, &err),
                 err);
        memcpy(centers, start, sizeof centers);
        lloyd_shift(&each, CENTERS, centers);
        LloydOptions options = {.iterations_max = ITERATIONS, .tol = -1};
        LloydResult result;
        CHECK_OK(lloyd_run(&each, CENTERS, centers, NULL, &options, &result, &err), err);
        /* Sparse data cannot be shifted, so its fp32 distances carry the 1000 of column 3: a squared
         * distance is then good to about 1e6 x 2^-24 x 8. */
        CHECK_NEAR(result.msd, plain_msd, sparse ? 1e-3 : 1e-6);
        lloyd_data_clear(&each);
    }
    lloyd_data_clear(&data);
}

static double next_number(Str *line)
{
    Str word;
    double x = 0;
    CHECK(str_next(line, ' ', &word) && str_to_double(word, &x));
    return x;
}

/* The rows of a case into columns, its first centers, and what must come out. */
static void check_golden(Str *rest, Str head, Arena *arena)
{
    Error err = {0};
    Str line, word, name;
    CHECK(str_next(&head, ' ', &word) && str_next(&head, ' ', &name));
    int64_t n = (int64_t)next_number(&head);
    int32_t d = (int32_t)next_number(&head), k = (int32_t)next_number(&head);
    int64_t iterations = (int64_t)next_number(&head);
    float **column = arena_array(arena, float *, d),
          *centers = data_array(float, k *d, "test", &err);
    for (int32_t j = 0; j < d; j++) column[j] = arena_array(arena, float, n);
    for (int64_t i = 0; i < n; i++) {
        CHECK(str_next_line(rest, &line));
        for (int32_t j = 0; j < d; j++) column[j][i] = (float)next_number(&line);
    }
    for (int32_t c = 0; c < k; c++) {
        CHECK(str_next_line(rest, &line));
        int64_t row = (int64_t)next_number(&line);
        for (int32_t j = 0; j < d; j++) centers[c * d + j] = column[j][row];
    }
    CHECK(str_next_line(rest, &line) && str_next(&line, ' ', &word) && str_is(word, "inertia"));
    double inertia = next_number(&line);

    Matrix matrix = {.layout = MATRIX_COLUMNS, .n_rows = n, .n_cols = d, .column = column};
    LloydData data;
    LloydOptions options = {.iterations_max = iterations ? iterations : 1000,
                            .tol = iterations ? -1 : 0};
    LloydResult result;
    CHECK_OK(lloyd_data_init(&data, &matrix, NULL, NULL, NULL, NULL, &err), err);
    lloyd_shift(&data, k, centers);
    CHECK_OK(lloyd_run(&data, k, centers, NULL, &options, &result, &err), err);
    lloyd_unshift(&data, k, centers);
    /* fp32 centers and distances against scikit-learn's doubles: 2^-24 of the values, squared sums of
     * which are the inertia. */
    if (!test_near(result.msd * (double)n, inertia, 1e-5))
        FAIL("%.*s: inertia is %.17g, not %.17g", STR_ARG(name), result.msd * (double)n, inertia);
    for (int32_t c = 0; c < k; c++) {
        CHECK(str_next_line(rest, &line));
        for (int32_t j = 0; j < d; j++)
            CHECK_NEAR((double)centers[c * d + j], next_number(&line), 1e-6);
    }
    lloyd_data_clear(&data);
}

TEST(lloyd, iterations_equal_those_of_scikit_learn)
{
    ARENA(arena);
    Error err = {0};
    Str rest, line;
    int n = 0;
    CHECK_OK(file_read(test_path("tests/golden/kmeans/kmeans.txt"), 1 << 20, &arena, &rest, &err),
             err);
    while (str_next_line(&rest, &line)) {
        if (!str_starts(line, STR("case "))) continue;
        check_golden(&rest, line, &arena);
        n++;
    }
    CHECK_INT(n, 6);
}

typedef struct Costs {
    double last;
    double
        rounding; /* of fp32 distances: rows that are equally far from two centers may go wrong */
    int n;
} Costs;

static bool check_cost(void *host, int64_t iteration, double msd)
{
    Costs *costs = host;
    (void)iteration;
    if (msd > costs->last * (1 + costs->rounding))
        FAIL("the cost rose from %.17g to %.17g", costs->last, msd);
    costs->last = msd;
    costs->n++;
    return true;
}

TEST(lloyd, the_cost_never_rises_and_threads_give_the_same_bits)
{
    Error err = {0};
    enum { N = 70000 }; /* more than one block of sums */
    Blobs blobs = blobs_make(N);
    blobs.dense.column = blobs.column;
    for (int sparse = 0; sparse < 2; sparse++) {
        float centers[2][CENTERS * COLS];
        double msd[2];
        for (int p = 0; p < 2; p++) {
            AUTO(pool_free) Pool *pool = pool_new(p ? 4 : 1);
            LloydData data;
            int32_t distinct;
            CHECK_OK(lloyd_data_init(&data, sparse ? &blobs.sparse : &blobs.dense, NULL, pool, NULL,
                                     NULL, &err),
                     err);
            CHECK_OK(lloyd_start_plus_plus(&data, CENTERS, random_stream(3, 4), centers[p],
                                           &distinct, &err),
                     err);
            CHECK_INT(distinct, CENTERS);
            Costs costs = {INFINITY, sparse ? 1e-6 : 1e-12, 0};
            LloydOptions options = {
                .iterations_max = 25, .tol = 0, .step = check_cost, .host = &costs};
            LloydResult result;
            CHECK_OK(lloyd_run(&data, CENTERS, centers[p], NULL, &options, &result, &err), err);
            CHECK_INT(costs.n, result.iterations);
            CHECK(result.msd <= costs.last * (1 + 1e-6));
            msd[p] = result.msd;
            lloyd_data_clear(&data);
        }
        CHECK(memcmp(centers[0], centers[1], sizeof centers[0]) == 0);
        CHECK(msd[0] == msd[1]);
    }
}

TEST(lloyd, empty_centers_take_far_rows)
{
    Error err = {0};
    float x[6] = {0, 1, 2, 100, 101, 500}, *column[1] = {x};
    Matrix matrix = {.layout = MATRIX_COLUMNS, .n_rows = 6, .n_cols = 1, .column = column};
    LloydData data;
    CHECK_OK(lloyd_data_init(&data, &matrix, NULL, NULL, NULL, NULL, &err), err);
    float centers[3] = {0, 1e6f, 2e6f};
    lloyd_shift(&data, 3, centers);
    LloydOptions options = {.iterations_max = 20};
    LloydResult result;
    double counts[3];
    CHECK_OK(lloyd_run(&data, 3, centers, counts, &options, &result, &err), err);
    CHECK_NEAR(result.msd, (2 + 0.5) / 6, 1e-6);
    CHECK_INT(result.n_reseeded, 2);
    CHECK(counts[0] + counts[1] + counts[2] == 6);
    lloyd_data_clear(&data);
}

TEST(lloyd, weights_count_like_repeated_rows)
{
    Error err = {0};
    float x[4] = {0, 1, 10, 12}, w[4] = {3, 1, 1, 2}, *column[1] = {x};
    Matrix matrix = {.layout = MATRIX_COLUMNS, .n_rows = 4, .n_cols = 1, .column = column};
    LloydData data;
    CHECK_OK(lloyd_data_init(&data, &matrix, w, NULL, NULL, NULL, &err), err);
    float centers[2] = {0, 10};
    lloyd_shift(&data, 2, centers);
    LloydOptions options = {.iterations_max = 20};
    LloydResult result;
    CHECK_OK(lloyd_run(&data, 2, centers, NULL, &options, &result, &err), err);
    lloyd_unshift(&data, 2, centers);
    CHECK_NEAR((double)centers[0], 0.25, 1e-6);
    CHECK_NEAR((double)centers[1], 34.0 / 3, 1e-6);
    CHECK_NEAR(result.msd, (0.75 + 8.0 / 3) / 7, 1e-6);
    lloyd_data_clear(&data);
}

TEST(lloyd, values_that_are_no_numbers_are_named)
{
    Error err = {0};
    float a[3] = {0, 1, 2}, b[3] = {0, NAN, INFINITY}, *column[2] = {a, b};
    Matrix matrix = {.layout = MATRIX_COLUMNS, .n_rows = 3, .n_cols = 2, .column = column};
    LloydData data;
    CHECK(!lloyd_data_init(&data, &matrix, NULL, NULL, NULL, NULL, &err));
    CHECK_STR(str_of(err.text), STR("row 2, column 2: nan is no finite number"));
    CHECK_INT(data.bad_row, 1);
    lloyd_data_clear(&data);

    int64_t row_start[3] = {0, 1, 2};
    int32_t col[2] = {4, 0};
    float value[2] = {1, -INFINITY};
    Matrix sparse = {.layout = MATRIX_CSR,
                     .n_rows = 2,
                     .n_cols = 5,
                     .row_start = row_start,
                     .col = col,
                     .value = value};
    CHECK(!lloyd_data_init(&data, &sparse, NULL, NULL, NULL, NULL, &err));
    CHECK_STR(str_of(err.text), STR("row 2, column 1: -inf is no finite number"));
    lloyd_data_clear(&data);
}

TEST(lloyd, the_nearest_center_is_found_in_all_layouts)
{
    Error err = {0};
    enum { N = 1000 };
    Blobs blobs = blobs_make(N);
    blobs.dense.column = blobs.column;
    float *rows = data_array(float, N *COLS, "test", &err);
    matrix_copy_rows(&blobs.dense, 0, N, rows, COLS);
    Matrix by_rows = {
        .layout = MATRIX_ROWS, .n_rows = N, .n_cols = COLS, .rows = rows, .row_stride = COLS};
    const Matrix *layouts[] = {&blobs.dense, &by_rows, &blobs.sparse};
    for (int32_t k = 1; k <= 8; k += 7) {
        for (size_t l = 0; l < COUNT(layouts); l++) {
            float index[N], distance[N];
            CHECK_OK(lloyd_nearest(layouts[l], rows + 5 * COLS, k, NULL, index, distance, &err),
                     err);
            for (int64_t i = 0; i < N; i++) {
                double best = INFINITY;
                for (int32_t c = 0; c < k; c++) {
                    double square = 0;
                    for (int32_t j = 0; j < COLS; j++)
                        square += pow((double)rows[i * COLS + j] - (double)rows[(5 + c) * COLS + j],
                                      2);
                    best = fmin(best, square);
                }
                CHECK_NEAR((double)distance[i], sqrt(best), l == 2 ? 1e-2 : 1e-5);
            }
        }
    }
}
