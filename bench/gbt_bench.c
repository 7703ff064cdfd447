/* Trains boosted trees on a matrix from a .npy file and says how long it took.
 *
 *   gbt_bench train.npy test.npy [key=value ...]
 *
 * The files hold float32 rows, the label first; with group=1 the query of ranking data comes second (rows of a
 * query adjacent).  Keys: threads rounds depth eta bins objective classes policy leaves metric subsample
 * columns (colsample_bytree) method (hist, exact, approx) group seed.  The last line is one JSON object: seconds of processor and
 * wall clock for reading, binning and training, peak memory, and the metric on the test rows. */

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "boost/predict.h"
#include "boost/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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

/* The shape of a float32 C-order array, and where its numbers begin. */
static bool npy_open(Str bytes, int64_t *ret_rows, int64_t *ret_cols, const float **ret_values, Error *err)
{
    if (bytes.len < 12 || memcmp(bytes.ptr, "\x93NUMPY", 6) != 0)
        return error_set(err, ERROR_INVALID, "not an .npy file");
    size_t header = 10 + (size_t)(unsigned char)bytes.ptr[8] + 256 * (size_t)(unsigned char)bytes.ptr[9];
    if (bytes.ptr[6] != 1 || header > bytes.len)
        return error_set(err, ERROR_INVALID, "an .npy file of another version");
    char text[512];
    snprintf(text, sizeof text, "%.*s", (int)MIN(header - 10, sizeof text - 1), bytes.ptr + 10);
    const char *shape = strstr(text, "'shape': (");
    long long rows, cols;
    if (!strstr(text, "'<f4'") || !strstr(text, "False") || !shape ||
        sscanf(shape, "'shape': (%lld, %lld)", &rows, &cols) != 2)
        return error_set(err, ERROR_INVALID, "not a table of float32 in C order: %s", text);
    if (rows <= 0 || cols <= 1 || (size_t)rows * (size_t)cols * 4 > bytes.len - header)
        return error_set(err, ERROR_INVALID, "the file is shorter than its shape");
    *ret_rows = rows;
    *ret_cols = cols;
    *ret_values = (const float *)(const void *)(bytes.ptr + header);
    return true;
}

static bool table_read(const char *path, Table *ret_table, Error *err)
{
    Str bytes;
    if (!file_map(path, &bytes, err)) return false;
    int64_t rows, cols;
    const float *values;
    if (!npy_open(bytes, &rows, &cols, &values, err)) return error_in(err, "'%s'", path);
    Table table = {.n_rows = rows, .n_cols = (int32_t)cols - 1};
    table.columns = calloc((size_t)cols, sizeof *table.columns);
    if (!table.columns) memory_exhausted((size_t)cols * sizeof *table.columns);
    for (int64_t j = 0; j < cols; j++) {
        float *column = data_array(float, rows, "a column", err);
        if (!column) return false;
        if (j == 0)
            table.label = column;
        else
            table.columns[j - 1] = column;
    }
    for (int64_t block = 0; block < rows; block += 256)
        for (int64_t j = 0; j < cols; j++) {
            float *column = j == 0 ? table.label : table.columns[j - 1];
            for (int64_t i = block; i < MIN(rows, block + 256); i++) column[i] = values[i * cols + j];
        }
    file_unmap(bytes);
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
        if (i == table->n_rows || query[i] != query[i - 1]) table->group_start[++table->n_groups] = i;
    data_free(table->columns[0]);
    table->columns++;
    table->n_cols--;
    return true;
}

static double binned; /* processor seconds when the last column was given back */

static void release_column(void *owner, int32_t column)
{
    Table *table = owner;
    data_free(table->columns[column]);
    table->columns[column] = NULL;
    binned = cpu_seconds();
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
        .grow_policy = !strcmp(option(argc, argv, "policy", "depthwise"), "lossguide") ? GROW_LOSSGUIDE
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
    if (!table_read(argv[1], &train, err) || !table_read(argv[2], &test, err)) return false;
    if (number(argc, argv, "group", "0") != 0 && (!table_groups(&train, err) || !table_groups(&test, err)))
        return false;
    BoostData train_data = data_of(&train), test_data = data_of(&test);
    double c1 = cpu_seconds(), w1 = clock_seconds();
    AUTO(boost_model_free) BoostModel *model = NULL;
    if (!boost_train(&params, &train_data, NULL, NULL, NULL, pool, &model, err)) return false;
    double c2 = cpu_seconds(), w2 = clock_seconds();

    AUTO(predictor_free) Predictor *predictor = NULL;
    if (!predictor_new(model, &predictor, err)) return false;
    AUTO_DATA float *margins = data_array(float, test.n_rows * model->n_groups, "the margins", err);
    if (!margins || !predict_margin(predictor, &test_data.features, pool, margins, err)) return false;
    const char *name = option(argc, argv, "metric", "auc");
    BoostMetric metric;
    double value;
    if (!boost_metric_parse(str_of(name), &params.objective, &metric, err) ||
        !boost_metric_value(&metric, model, &test_data.labels, margins, pool, &value, err))
        return false;
    printf("{\"threads\":%d,\"read_c\":%.3f,\"bin_c\":%.3f,\"train_c\":%.3f,\"all_w\":%.3f,\"%s\":%.6f,"
           "\"rss_mib\":%.0f}\n",
           pool_threads(pool), c1 - c0, binned - c1, c2 - binned, w2 - w1, name, value,
           (double)peak_rss_bytes() / 1048576);
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
