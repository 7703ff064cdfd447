/* The leaf each row falls into, tree by tree: node numbers as in the model's file. */

#include "boost/predict.h"

#include "base/memory.h"
#include "boost/predict_internal.h"

enum { CHUNK_ROWS = 1024 };

typedef struct Job {
    const BoostModel *model;
    const Matrix *data;
    float *out;
    int failed;
} Job;

static void leaf_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    Job *job = arg;
    const BoostModel *model = job->model;
    AUTO_DATA float *row = data_alloc((size_t)model->n_features, sizeof *row, "a row", NULL);
    if (!row) {
        __atomic_store_n(&job->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    for (size_t i = begin; i < end; i++) {
        predict_copy_row(model, job->data, (int64_t)i, row);
        for (int32_t t = 0; t < model->n_trees; t++) {
            const Tree *tree = &model->trees[t];
            int32_t node = 0;
            while (!tree_is_leaf(tree, node))
                node = tree_next(tree, node, row[tree->feature[node]]);
            job->out[(int64_t)i * model->n_trees + t] = (float)node;
        }
    }
}

void predict_copy_row(const BoostModel *model, const Matrix *data, int64_t i, float *row)
{
    matrix_copy_rows(data, i, i + 1, row, model->n_features);
    for (int32_t f = data->n_cols; f < model->n_features; f++)
        row[f] = data->absent; /* narrower CSR */
}

bool predict_leaf(const BoostModel *model, const Matrix *data, Pool *pool, float *out, Error *err)
{
    if (model->booster == BOOSTER_GBLINEAR)
        return error_set(err, ERROR_UNSUPPORTED, "a linear model has no leaves");
    if (!predict_check(model, data, err)) return false;
    Job job = {model, data, out, 0};
    parallel_for(pool, (size_t)data->n_rows, CHUNK_ROWS, leaf_chunk, &job);
    return !job.failed || error_set(err, ERROR_NO_MEMORY, "no memory for a row");
}
