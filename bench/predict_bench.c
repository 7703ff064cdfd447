/* Predicts the rows of a raw float32 file with a model and says how long it took.
 *
 *   predict_bench MODEL ROWS [threads=1] [repeat=5] [margins=OUT]
 *
 * The last line is one JSON object: processor and wall seconds of a batch of all rows (the best of
 * `repeat`), row-major and by columns, of a single row (mean over 20,000 different ones), peak memory. */

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "boost/predict.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

typedef struct Timing {
    double cpu, wall;
} Timing;

static bool time_batch(const Predictor *predictor, const Matrix *data, Pool *pool, int repeat,
                       float *out, Timing *best, Error *err)
{
    *best = (Timing){1e300, 1e300};
    for (int i = 0; i < repeat; i++) {
        double cpu = cpu_seconds(), wall = clock_seconds();
        if (!predict_margin(predictor, data, pool, out, err)) return false;
        best->cpu = MIN(best->cpu, cpu_seconds() - cpu);
        best->wall = MIN(best->wall, clock_seconds() - wall);
    }
    return true;
}

static bool bench(const char *model_path, const char *rows_path, int threads, int repeat,
                  const char *margins, Error *err)
{
    AUTO(boost_model_free) BoostModel *model = NULL;
    AUTO(predictor_free) Predictor *predictor = NULL;
    AUTO(pool_free) Pool *pool = pool_new(threads);
    Str bytes;
    if (!boost_model_read(model_path, &model, err) || !predictor_new(model, &predictor, err) ||
        !file_map(rows_path, &bytes, err))
        return false;
    int32_t n_cols = model->n_features;
    int64_t n = (int64_t)(bytes.len / sizeof(float)) / n_cols;
    AUTO_DATA float *out = data_array(float, n * model->n_groups, "the predictions", err);
    AUTO_DATA float *turned = data_array(float, n *n_cols, "the columns", err);
    ARENA(arena);
    float **column = arena_array(&arena, float *, n_cols);
    if (!out || !turned) return false;
    Matrix rows = {.layout = MATRIX_ROWS,
                   .n_rows = n,
                   .n_cols = n_cols,
                   .row_stride = n_cols,
                   .rows = (const float *)(const void *)bytes.ptr};
    for (int32_t j = 0; j < n_cols; j++) {
        column[j] = turned + j * n;
        for (int64_t i = 0; i < n; i++) column[j][i] = rows.rows[i * n_cols + j];
    }
    Matrix columns = {.layout = MATRIX_COLUMNS, .n_rows = n, .n_cols = n_cols, .column = column};

    Timing by_columns, by_rows;
    if (!time_batch(predictor, &columns, pool, repeat, out, &by_columns, err) ||
        !time_batch(predictor, &rows, pool, repeat, out, &by_rows, err))
        return false;
    if (margins &&
        !file_commit(margins, (Str){(const char *)out, (size_t)(n * model->n_groups) * sizeof *out},
                     err))
        return false;
    double single = 1e300;
    int64_t n_single = MIN(n, 20000);
    for (int r = 0; r < repeat; r++) {
        double cpu = cpu_seconds();
        for (int64_t i = 0; i < n_single; i++)
            predict_margin_row(predictor, rows.rows + i * n_cols, out);
        single = MIN(single, (cpu_seconds() - cpu) / (double)n_single);
    }
    printf(
        "{\"rows\": %lld, \"predict_cpu_seconds\": %.6f, \"predict_seconds\": %.6f, \"columns_cpu_seconds\": %.6f, "
        "\"columns_seconds\": %.6f, \"single_cpu_seconds\": %.9f, \"single_seconds\": %.9f, \"peak_rss_bytes\": %lld}\n",
        (long long)n, by_rows.cpu, by_rows.wall, by_columns.cpu, by_columns.wall, single, single,
        (long long)peak_rss_bytes());
    return true;
}

int main(int n_words, char **words)
{
    Error err = {0};
    int threads = 1, repeat = 5;
    const char *margins = NULL;
    for (int i = 3; i < n_words; i++) {
        if (strncmp(words[i], "threads=", 8) == 0) threads = (int)strtol(words[i] + 8, NULL, 10);
        if (strncmp(words[i], "repeat=", 7) == 0) repeat = (int)strtol(words[i] + 7, NULL, 10);
        if (strncmp(words[i], "margins=", 8) == 0) margins = words[i] + 8;
    }
    if (n_words < 3) {
        fprintf(stderr, "usage: predict_bench MODEL ROWS [threads=N] [repeat=N] [margins=OUT]\n");
        return 2;
    }
    if (bench(words[1], words[2], threads, repeat, margins, &err)) return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
