/* For tests: what the model code does, at the command line.
 *
 *   model_tool MODEL convert json|ubjson OUTPUT
 *   model_tool MODEL KIND ROWS OUTPUT      margin, value, leaf, contributions, interactions, or an
 *                                          importance; ROWS and OUTPUT are raw float32 */

#include "base/file.h"
#include "base/memory.h"
#include "boost/predict.h"

#include <stdio.h>

static bool importance(const BoostModel *model, const char *kind, float *out, Error *err)
{
    ARENA(arena);
    double *values = arena_array(&arena, double, model->n_features);
    if (!model_importance(model, kind, values, err)) return false;
    for (int32_t f = 0; f < model->n_features; f++) out[f] = (float)values[f];
    return true;
}

static bool predict(const BoostModel *model, const char *kind, Str rows, const char *path,
                    Error *err)
{
    int64_t n_columns = model->n_features + 1;
    int64_t n = (int64_t)(rows.len / sizeof(float)) / MAX(model->n_features, 1);
    Matrix data = {.layout = MATRIX_ROWS,
                   .n_rows = n,
                   .n_cols = model->n_features,
                   .rows = (const float *)(const void *)rows.ptr,
                   .row_stride = model->n_features};
    AUTO(pool_free) Pool *pool = pool_new(2);
    bool leaf = strcmp(kind, "leaf") == 0, margin = strcmp(kind, "margin") == 0,
         value = strcmp(kind, "value") == 0;
    bool contributions = strcmp(kind, "contributions") == 0,
         interactions = strcmp(kind, "interactions") == 0;
    int64_t width = leaf            ? model->n_trees
                    : contributions ? model->n_groups * n_columns
                    : interactions  ? model->n_groups * n_columns * n_columns
                                    : MAX(model->n_groups, model->n_features);
    AUTO_DATA float *out = data_array(float, MAX(n, 1) * width, "the predictions", err);
    if (!out) return false;
    if (margin || value) {
        AUTO(predictor_free) Predictor *predictor = NULL;
        if (!predictor_new(model, &predictor, err) ||
            !predict_margin(predictor, &data, pool, out, err))
            return false;
        int32_t kept = model->n_groups;
        if (value) predict_transform(model, out, n, &kept);
        width = kept;
    } else if (leaf || contributions || interactions) {
        if (!(leaf            ? predict_leaf(model, &data, pool, out, err)
              : contributions ? predict_contributions(model, &data, pool, out, err)
                              : predict_interactions(model, &data, pool, out, err)))
            return false;
    } else {
        if (!importance(model, kind, out, err)) return false;
        width = model->n_features;
        n = 1;
    }
    return file_commit(path, (Str){(const char *)out, (size_t)(n * width) * sizeof *out}, err);
}

static bool run(char **words, Error *err)
{
    AUTO(boost_model_free) BoostModel *model = NULL;
    if (!boost_model_read(words[1], &model, err)) return false;
    if (strcmp(words[2], "convert") == 0)
        return boost_model_write(model, strcmp(words[3], "json") == 0 ? MODEL_JSON : MODEL_UBJSON,
                                 words[4], err);
    Str rows;
    if (!file_map(words[3], &rows, err)) return false;
    bool ok = predict(model, words[2], rows, words[4], err);
    file_unmap(rows);
    return ok;
}

int main(int n_words, char **words)
{
    Error err = {0};
    if (n_words != 5) return 2;
    if (run(words, &err)) return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
