/* Walking packed trees: single rows, trees too tall to slice, and processors without vectors.
 *
 * Eight walks go in step, rows of one tree or trees of one row, so that the loads of one hide
 * behind those of the others, and every walk takes as many steps as the tree is tall: a leaf leads
 * to itself, and there is no branch to guess.  A comparison is `value >= threshold`, which is
 * false for NaN; a node that sends missing values right adds them.
 *
 * Sums are float32, in the order of the trees, as XGBoost's are. */

#include "boost/predict_internal.h"

#include <math.h>

enum { WALKS = 8 };

#define CATEGORY_END 0x1p24f /* as in tree_next */

static inline int32_t step(const PackedNode *node, float x, bool missing)
{
    bool right = x >= node->threshold;
    if (missing) right |= isnan(x) & (node->column & PACKED_RIGHT);
    return node->left + right;
}

static int32_t step_category(const Predictor *p, const PackedNode *node, float x)
{
    if (!(node->column & PACKED_CATEGORY)) return step(node, x, true);
    bool right;
    if (isnan(x)) {
        right = node->column & PACKED_RIGHT;
    } else {
        right = x >= 0 && x < CATEGORY_END && set_has(&p->sets[node->set], (uint32_t)x);
    }
    return node->left + right;
}

static float walk_category(const Predictor *p, const PackedTree *tree, const float *x)
{
    int32_t at = tree->root;
    while (p->nodes[at].left != at)
        at = step_category(p, &p->nodes[at], x[p->nodes[at].column >> 2]);
    return p->nodes[at].value;
}

static inline void rows_in_step(const PackedNode *nodes, const PackedTree *tree, const float *x,
                                int64_t stride, int32_t n, bool missing, float *acc)
{
    for (int32_t i = 0; i < n; i += WALKS) {
        int32_t m = MIN(WALKS, n - i);
        UNINITIALIZED const float *row[WALKS];
        UNINITIALIZED int32_t at[WALKS];
#pragma GCC unroll 8
        for (int32_t j = 0; j < WALKS; j++) {
            row[j] = x + (int64_t)(i + MIN(j, m - 1)) * stride;
            at[j] = tree->root;
        }
        for (int32_t level = 0; level < tree->height; level++) {
            int32_t moved = 0;
#pragma GCC unroll 8
            for (int32_t j = 0; j < WALKS; j++) {
                const PackedNode *node = &nodes[at[j]];
                int32_t next = step(node, row[j][node->column >> 2], missing);
                moved |= next ^ at[j];
                at[j] = next;
            }
            if (level >= 8 && !moved) break; /* tall trees: all may be home early */
        }
        for (int32_t j = 0; j < m; j++) acc[i + j] += nodes[at[j]].value;
    }
}

void walk_rows(const Predictor *p, int32_t t, const float *x, int64_t stride, int32_t n,
               bool missing, float *acc)
{
    const PackedTree *tree = &p->trees[t];
    if (tree->categorical)
        for (int32_t i = 0; i < n; i++) acc[i] += walk_category(p, tree, x + i * stride);
    else if (missing)
        rows_in_step(p->nodes, tree, x, stride, n, true, acc);
    else
        rows_in_step(p->nodes, tree, x, stride, n, false, acc);
}

/* Trees tree[0 .. n), n <= WALKS; the last one goes along for those that are not there. */
static inline __attribute__((always_inline)) void trees_in_step(const Predictor *p,
                                                                const PackedTree *tree, int32_t n,
                                                                const float *x, bool missing,
                                                                float *out)
{
    const PackedNode *nodes = p->nodes;
    UNINITIALIZED int32_t at[WALKS];
    int32_t height = 0;
#pragma GCC unroll 8
    for (int32_t j = 0; j < WALKS; j++) {
        at[j] = tree[MIN(j, n - 1)].root;
        height = MAX(height, tree[MIN(j, n - 1)].height);
    }
    for (int32_t level = 0; level < height; level++)
#pragma GCC unroll 8
        for (int32_t j = 0; j < WALKS; j++) {
            const PackedNode *node = &nodes[at[j]];
            at[j] = step(node, x[node->column >> 2], missing);
        }
    for (int32_t j = 0; j < n; j++) out[tree[j].group] += nodes[at[j]].value;
}

void walk_row(const Predictor *p, const float *x, bool missing, float *out)
{
    const PackedTree *trees = p->trees;
    int32_t t = 0, n = p->n_trees;
    if (p->any_category) {
        for (; t < n; t++) out[trees[t].group] += walk_category(p, &trees[t], x);
        return;
    }
    for (; t + WALKS <= n; t += WALKS)
        if (missing)
            trees_in_step(p, trees + t, WALKS, x, true, out);
        else
            trees_in_step(p, trees + t, WALKS, x, false, out);
    if (t < n) trees_in_step(p, trees + t, n - t, x, missing, out);
}

void walk_model(const BoostModel *model, const float *row, float *out)
{
    for (int32_t t = 0; t < model->n_trees; t++) {
        const Tree *tree = &model->trees[t];
        int32_t node = 0;
        while (!tree_is_leaf(tree, node)) node = tree_next(tree, node, row[tree->feature[node]]);
        float weight = model->tree_weight ? model->tree_weight[t] : 1;
        out[model->tree_group[t]] += tree->threshold[node] * weight;
    }
}
