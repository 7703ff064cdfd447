/* Lloyd's iterations on float32 rows of a .npy file.
 *
 *     kmeans_bench ROWS.npy CENTERS ITERATIONS TOL THREADS
 *
 * CENTERS is a .npy file of first centers, or a number: k-means++ then.  Prints JSON: seconds of the
 * iterations, the mean squared distance at the end, peak memory, and what multiplying could be at
 * most: the measured rate of fused multiply-adds. */

#include "base/clock.h"
#include "base/cpu.h"
#include "base/file.h"
#include "base/memory.h"
#include "num/lloyd.h"
#include "num/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if CLARY_X86
#include <immintrin.h>
#endif

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

#if CLARY_X86
/* Gflop/s of one core at 512 bits: the ceiling of the kernel. */
TARGET_AVX512 static double multiply_add_rate(void)
{
    enum { N = 4000000, CHAINS = 16 };
    __m512 a[CHAINS], x = _mm512_set1_ps(0.999f), y = _mm512_set1_ps(0.001f);
    for (int i = 0; i < CHAINS; i++) a[i] = _mm512_set1_ps((float)i);
    double start = cpu_seconds();
    for (int i = 0; i < N; i++) {
        _Pragma("GCC unroll 16") for (int j = 0; j < CHAINS; j++)
            a[j] = _mm512_fmadd_ps(a[j], x, y);
    }
    double seconds = cpu_seconds() - start;
    __m512 sum = a[0];
    for (int j = 1; j < CHAINS; j++) sum = _mm512_add_ps(sum, a[j]);
    volatile float keep = _mm512_reduce_add_ps(sum);
    (void)keep;
    return N * CHAINS * 32.0 / seconds / 1e9;
}
#endif

/* The rows of a C-ordered float32 .npy file, as numpy.save writes them. */
static bool npy_map(const char *path, Str *ret_file, const float **ret_rows, int64_t *ret_n,
                    int32_t *ret_d, Error *err)
{
    if (!file_map(path, ret_file, err)) return false;
    Str file = *ret_file;
    const char *shape = file.len > 128 ? memmem(file.ptr, 128, "'shape': (", 10) : NULL;
    if (!shape || !memmem(file.ptr, 128, "'<f4'", 5) ||
        !memmem(file.ptr, 128, "'fortran_order': False", 22))
        return error_set(err, ERROR_INVALID, "'%s' is no table of float32", path);
    char *end;
    *ret_n = strtoll(shape + 10, &end, 10);
    *ret_d = (int32_t)strtol(end + 1, NULL, 10);
    uint16_t head;
    memcpy(&head, file.ptr + 8, sizeof head);
    *ret_rows = (const float *)(const void *)(file.ptr + 10 + head);
    return true;
}

static void release(void *owner, int32_t column)
{
    float **columns = owner;
    data_free(columns[column]);
    columns[column] = NULL;
}

static bool run(char **words, Error *err)
{
    Str file, center_file = {0};
    const float *rows, *first = NULL;
    int64_t n, k = 0;
    int32_t d, d_centers;
    if (!npy_map(words[1], &file, &rows, &n, &d, err)) return false;
    if (!str_to_int64(str_of(words[2]), &k) &&
        !npy_map(words[2], &center_file, &first, &k, &d_centers, err))
        return false;

    float **columns = data_array(float *, d, "the columns", err);
    for (int32_t j = 0; columns && j < d; j++)
        if (!(columns[j] = data_array(float, n, "a column", err))) return false;
    float *centers = data_array(float, k *d, "the centers", err);
    if (!columns || !centers) return false;
    Matrix by_rows = {
        .layout = MATRIX_ROWS, .n_rows = n, .n_cols = d, .rows = rows, .row_stride = d};
    for (int32_t j = 0; j < d; j++) matrix_copy_column(&by_rows, j, 0, n, columns[j]);
    file_unmap(file);
    Matrix matrix = {.layout = MATRIX_COLUMNS, .n_rows = n, .n_cols = d, .column = columns};

    Pool *pool = pool_new(atoi(words[5]));
    LloydData data;
    LloydResult result;
    LloydOptions options = {.iterations_max = atoll(words[3]), .tol = strtod(words[4], NULL)};
    double wall = clock_seconds(), cpu = cpu_seconds();
    int32_t distinct;
    if (!lloyd_data_init(&data, &matrix, NULL, pool, release, columns, err)) return false;
    double begin_cpu = cpu_seconds() - cpu;
    if (first) {
        memcpy(centers, first, (size_t)k * (size_t)d * sizeof *centers);
        lloyd_shift(&data, (int32_t)k, centers);
    } else if (!lloyd_start_plus_plus(&data, (int32_t)k, random_stream(1, 1), centers, &distinct,
                                      err)) {
        return false;
    }
    if (!lloyd_run(&data, (int32_t)k, centers, NULL, &options, &result, err)) return false;
    wall = clock_seconds() - wall;
    cpu = cpu_seconds() - cpu;
    printf(
        "{\"fit_seconds\": %.6f, \"fit_cpu_seconds\": %.6f, \"begin_cpu_seconds\": %.6f, \"inertia\": %.9g, \"iterations\": %lld, "
        "\"peak_rss_bytes\": %lld, \"data_bytes\": %lld, \"gflops\": %.1f",
        wall, cpu, begin_cpu, result.msd * (double)n, (long long)result.iterations,
        (long long)peak_rss_bytes(), (long long)n * d * 4,
        2e-9 * (double)n * (double)k * d * (double)result.iterations / cpu);
#if CLARY_X86
    if (cpu_level() == CPU_AVX512) printf(", \"ceiling_gflops\": %.1f", multiply_add_rate());
#endif
    printf("}\n");
    pool_free(pool);
    return true;
}

int main(int argc, char **argv)
{
    Error err = {0};
    if (argc != 6) {
        fprintf(stderr, "usage: kmeans_bench ROWS.npy CENTERS.npy|K ITERATIONS TOL THREADS\n");
        return 2;
    }
    if (run(argv, &err)) return 0;
    fprintf(stderr, "kmeans_bench: %s\n", err.text);
    return 1;
}
