/* Trains boosted trees on a matrix from a .npy file and says how long it took.
 *
 *   gbt_bench train.npy test.npy [key=value ...]
 *
 * The files hold float32 rows, the label first; with group=1 the query of ranking data comes second (rows of a
 * query adjacent).  Keys: threads rounds depth eta bins objective classes policy leaves metric subsample
 * columns (colsample_bytree) method (hist, exact, approx) group seed.  The last line is one JSON object: seconds of processor and
 * wall clock for reading, binning and training, peak memory, and the metrics (metric=NAME,NAME) on the test rows. */

#include "base/clock.h"
#include "base/memory.h"
#include "boost/predict.h"
#include "boost/train.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

typedef struct Table {
    int64_t n_rows;
    int32_t n_cols;
    float *label, **columns;
    int64_t *group_start, n_groups;
} Table;

/* The shape of a float32 C-order array; the file then stands at its first number. */
static bool npy_open(FILE *file, int64_t *ret_rows, int64_t *ret_cols, Error *err)
{
    unsigned char start[10];
    char text[1024] = "";
    if (fread(start, 1, 10, file) != 10 || memcmp(start, "\x93NUMPY", 6) != 0 || start[6] != 1)
        return error_set(err, ERROR_INVALID, "not an .npy file of version 1");
    size_t header = start[8] + 256 * (size_t)start[9];
    if (header >= sizeof text || fread(text, 1, header, file) != header)
        return error_set(err, ERROR_INVALID, "an .npy file with another header");
    const char *shape = strstr(text, "'shape': (");
    long long rows, cols;
    if (!strstr(text, "'<f4'") || !strstr(text, "False") || !shape ||
        sscanf(shape, "'shape': (%lld, %lld)", &rows, &cols) != 2 || rows <= 0 || cols <= 1)
        return error_set(err, ERROR_INVALID, "not a table of float32 in C order: %s", text);
    *ret_rows = rows;
    *ret_cols = cols;
    return true;
}

enum { READ_ROWS = 256 };

static bool table_read(const char *path, Table *ret_table, Error *err)
{
    FILE *file = fopen(path, "rb");
    if (!file) return error_sys(err, errno, "open '%s'", path);
    int64_t rows, cols;
    if (!npy_open(file, &rows, &cols, err)) return error_in(err, "'%s'", path);
    Table table = {.n_rows = rows, .n_cols = (int32_t)cols - 1};
    table.columns = calloc((size_t)cols, sizeof *table.columns);
    float *piece = malloc((size_t)cols * READ_ROWS * sizeof *piece);
    if (!table.columns || !piece) memory_exhausted((size_t)cols * READ_ROWS * sizeof *piece);
    for (int64_t j = 0; j < cols; j++) {
        float *column = data_array(float, rows, "a column", err);
        if (!column) return false;
        if (j == 0)
            table.label = column;
        else
            table.columns[j - 1] = column;
    }
    for (int64_t block = 0; block < rows; block += READ_ROWS) {
        int64_t n = MIN(rows - block, READ_ROWS);
        if (fread(piece, sizeof *piece, (size_t)(n * cols), file) != (size_t)(n * cols))
            return error_set(err, ERROR_INVALID, "'%s' is shorter than its shape", path);
        for (int64_t j = 0; j < cols; j++) {
            float *column = (j == 0 ? table.label : table.columns[j - 1]) + block;
            for (int64_t i = 0; i < n; i++) column[i] = piece[i * cols + j];
        }
    }
    free(piece);
    fclose(file);
    *ret_table = table;
    return true;
}

/* Takes the queries off the columns. */
static bool table_groups(Table *table, Error *err)
{
    const float *query = table->columns[0];
    table->group_start = data_array(int64_t, table->n_rows + 1, "the groups", err);
    if (!table->group_start) return false;
    for (int64_t i = 1; i <= table->n_rows; i++)
        if (i == table->n_rows || query[i] != query[i - 1])
            table->group_start[++table->n_groups] = i;
    data_free(table->columns[0]);
    table->columns++;
    table->n_cols--;
    return true;
}

/* When the last column was given back: processor and wall clock. */
static double binned, binned_wall;

static void release_column(void *owner, int32_t column)
{
    Table *table = owner;
    data_free(table->columns[column]);
    table->columns[column] = NULL;
    binned = cpu_seconds();
    binned_wall = clock_seconds();
}

static BoostData data_of(Table *table)
{
    return (BoostData){
        .features = {.layout = MATRIX_COLUMNS,
                     .n_rows = table->n_rows,
                     .n_cols = table->n_cols,
                     .column = table->columns},
        .labels = {.n_rows = table->n_rows,
                   .label = table->label,
                   .group_start = table->group_start,
                   .n_groups = table->n_groups},
        .release_column = release_column,
        .owner = table,
    };
}

static const char *option(int argc, char **argv, const char *key, const char *preset)
{
    size_t n = strlen(key);
    for (int i = 3; i < argc; i++)
        if (!strncmp(argv[i], key, n) && argv[i][n] == '=') return argv[i] + n + 1;
    return preset;
}

static double number(int argc, char **argv, const char *key, const char *preset)
{
    return strtod(option(argc, argv, key, preset), NULL);
}

static bool run(int argc, char **argv, Error *err)
{
    const char *objective = option(argc, argv, "objective", "binary:logistic");
    const char *method = option(argc, argv, "method", "hist");
    BoostParams params = {
        .method = !strcmp(method, "exact")    ? METHOD_EXACT
                  : !strcmp(method, "approx") ? METHOD_APPROX
                                              : METHOD_HIST,
        .n_rounds = (int64_t)number(argc, argv, "rounds", "100"),
        .eta = number(argc, argv, "eta", "0.1"),
        .lambda = 1,
        .min_child_weight = 1,
        .max_depth = (int64_t)number(argc, argv, "depth", "6"),
        .max_leaves = (int64_t)number(argc, argv, "leaves", "0"),
        .grow_policy = !strcmp(option(argc, argv, "policy", "depthwise"), "lossguide")
                           ? GROW_LOSSGUIDE
                           : GROW_DEPTHWISE,
        .max_bin = (int64_t)number(argc, argv, "bins", "256"),
        .subsample = number(argc, argv, "subsample", "1"),
        .colsample_bytree = number(argc, argv, "columns", "1"),
        .colsample_bylevel = 1,
        .colsample_bynode = 1,
        .n_parallel = 1,
        .base_score = (double)NAN,
        .max_cat_to_onehot = 4,
        .max_cat_threshold = 64,
        .objective = {.name = str_of(objective),
                      .n_classes = (int32_t)number(argc, argv, "classes", "0"),
                      .scale_pos_weight = 1,
                      .max_delta_step = 0.7,
                      .tweedie_variance_power = 1.5,
                      .huber_slope = 1,
                      .lambdarank_normalization = true,
                      .ndcg_exp_gain = true},
        .seed = (uint64_t)number(argc, argv, "seed", "0"),
    };
    AUTO(pool_free) Pool *pool = pool_new((int)number(argc, argv, "threads", "1"));
    double c0 = cpu_seconds();
    Table train, test;
    bool grouped = number(argc, argv, "group", "0") != 0;
    if (!table_read(argv[1], &train, err) || (grouped && !table_groups(&train, err))) return false;
    BoostData train_data = data_of(&train);
    double c1 = cpu_seconds(), w1 = clock_seconds();
    AUTO(boost_model_free) BoostModel *model = NULL;
    if (!boost_train(&params, &train_data, NULL, NULL, NULL, pool, &model, err)) return false;
    double c2 = cpu_seconds(), w2 = clock_seconds();
    int64_t peak = peak_rss_bytes();
    if (!table_read(argv[2], &test, err) || (grouped && !table_groups(&test, err))) return false;
    BoostData test_data = data_of(&test);

    AUTO(predictor_free) Predictor *predictor = NULL;
    if (!predictor_new(model, &predictor, err)) return false;
    AUTO_DATA float *margins = data_array(float, test.n_rows * model->n_groups, "the margins", err);
    if (!margins || !predict_margin(predictor, &test_data.features, pool, margins, err))
        return false;
    Str names = str_of(option(argc, argv, "metric", "auc")), name;
    printf("{");
    while (str_next(&names, ',', &name)) {
        BoostMetric metric;
        double value;
        if (!boost_metric_parse(name, &params.objective, &metric, err) ||
            !boost_metric_value(&metric, model, &test_data.labels, margins, pool, &value, err))
            return false;
        printf("\"%.*s\":%.6f,", STR_ARG(name), value);
    }
    printf("\"threads\":%d,\"read_cpu_seconds\":%.3f,\"bin_cpu_seconds\":%.3f,\"bin_seconds\":%.3f,"
           "\"train_cpu_seconds\":%.3f,\"train_seconds\":%.3f,\"peak_rss_bytes\":%lld}\n",
           pool_threads(pool), c1 - c0, binned - c1, binned_wall - w1, c2 - binned,
           w2 - binned_wall, (long long)peak);
    return true;
}

int main(int argc, char **argv)
{
    Error err = {0};
    if (argc < 3) {
        fprintf(stderr, "usage: gbt_bench train.npy test.npy [key=value ...]\n");
        return 2;
    }
    if (run(argc, argv, &err)) return 0;
    fprintf(stderr, "gbt_bench: %s\n", err.text);
    return 1;
}
