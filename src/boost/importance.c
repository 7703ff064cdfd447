/* Importance of features: how often a feature splits, what its splits gain, how much weight (sum of
 * second derivatives) passes through them; as XGBoost's Booster.get_score. */

#include "boost/predict.h"

#include <math.h>

static const char *const kinds[] = {"weight", "gain", "cover", "total_gain", "total_cover"};
enum { WEIGHT, GAIN, COVER, TOTAL_GAIN, TOTAL_COVER };

static void add_trees(const BoostModel *model, int kind, double *sum, int64_t *n_splits)
{
    for (int32_t t = 0; t < model->n_trees; t++) {
        const Tree *tree = &model->trees[t];
        for (int32_t i = 0; i < tree->n_nodes; i++) {
            if (tree_is_leaf(tree, i)) continue;
            int32_t feature = tree->feature[i];
            n_splits[feature]++;
            if (kind == GAIN || kind == TOTAL_GAIN) sum[feature] += (double)tree->gain[i];
            if (kind == COVER || kind == TOTAL_COVER) sum[feature] += (double)tree->cover[i];
        }
    }
}

bool model_importance(const BoostModel *model, const char *kind_name, double *out, Error *err)
{
    int kind = 0;
    while (kind < (int)COUNT(kinds) && strcmp(kinds[kind], kind_name) != 0) kind++;
    if (kind == (int)COUNT(kinds))
        return error_set(err, ERROR_INVALID,
                         "importance '%s' is none of weight, gain, cover, total_gain, total_cover",
                         kind_name);
    for (int32_t f = 0; f < model->n_features; f++) out[f] = 0;
    if (model->booster == BOOSTER_GBLINEAR) {
        if (kind != WEIGHT)
            return error_set(err, ERROR_UNSUPPORTED,
                             "a linear model has only the importance 'weight', not '%s'",
                             kind_name);
        for (int32_t f = 0; f < model->n_features; f++)
            for (int32_t g = 0; g < model->n_groups; g++)
                out[f] += fabs((double)model->linear[(int64_t)f * model->n_groups + g]);
        return true;
    }
    ARENA(arena);
    int64_t *n_splits = arena_array(&arena, int64_t, model->n_features);
    add_trees(model, kind, out, n_splits);
    for (int32_t f = 0; f < model->n_features; f++) {
        if (kind == WEIGHT) out[f] = (double)n_splits[f];
        if ((kind == GAIN || kind == COVER) && n_splits[f]) out[f] /= (double)n_splits[f];
    }
    return true;
}
