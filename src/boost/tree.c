/* Regression trees as parallel arrays: see tree.h.
 *
 * The two children of a node are always neighbours (right = left + 1), as XGBoost's predictor
 * relies on; tree_compact keeps them so because it drops nodes in pairs and keeps the order. */

#include "boost/tree.h"

#include "base/memory.h"

#include <math.h>
#include <string.h>

/* XGBoost's limit of a category: the integers a float32 holds exactly. */
enum { CATEGORY_MAX = 1 << 24 };

static bool grow(Tree *tree, int32_t capacity, Error *err)
{
    size_t n_old = (size_t)tree->n_nodes, n = (size_t)capacity;
#define GROW(field)                                                                                \
    do {                                                                                           \
        void *block_ = data_grow(tree->field, n_old, n, sizeof *tree->field, "a tree", err);       \
        if (!block_) return false;                                                                 \
        tree->field = block_;                                                                      \
    } while (0)
    GROW(left);
    GROW(right);
    GROW(parent);
    GROW(feature);
    GROW(threshold);
    GROW(default_left);
    GROW(categorical);
    GROW(weight);
    GROW(gain);
    GROW(cover);
    if (tree->set_start) {
        GROW(set_start);
        GROW(set_size);
    }
#undef GROW
    tree->capacity = capacity;
    return true;
}

bool tree_init(Tree *tree, int32_t capacity, Error *err)
{
    *tree = (Tree){0};
    if (!grow(tree, MAX(capacity, 1), err)) {
        tree_clear(tree);
        return false;
    }
    tree->n_nodes = 1;
    tree->left[0] = tree->right[0] = tree->parent[0] = -1;
    return true;
}

void tree_clear(Tree *tree)
{
    data_free(tree->left);
    data_free(tree->right);
    data_free(tree->parent);
    data_free(tree->feature);
    data_free(tree->threshold);
    data_free(tree->default_left);
    data_free(tree->categorical);
    data_free(tree->weight);
    data_free(tree->gain);
    data_free(tree->cover);
    data_free(tree->set_start);
    data_free(tree->set_size);
    data_free(tree->categories);
    *tree = (Tree){0};
}

bool tree_split(Tree *tree, int32_t node, int32_t feature, float threshold, bool default_left,
                Error *err)
{
    assert(node >= 0 && node < tree->n_nodes && tree_is_leaf(tree, node));
    if (tree->n_nodes > INT32_MAX / 2 - 2)
        return error_set(err, ERROR_LIMIT, "a tree of more than %d nodes", INT32_MAX / 2);
    if (tree->n_nodes + 2 > tree->capacity &&
        !grow(tree, MAX(tree->n_nodes + 2, tree->capacity * 2), err))
        return false;

    int32_t left = tree->n_nodes;
    tree->n_nodes += 2;
    tree->left[node] = left;
    tree->right[node] = left + 1;
    tree->feature[node] = feature;
    tree->threshold[node] = threshold;
    tree->default_left[node] = default_left;
    for (int32_t child = left; child <= left + 1; child++) {
        tree->left[child] = tree->right[child] = -1;
        tree->parent[child] = node;
        tree->feature[child] = 0;
        tree->threshold[child] = tree->weight[child] = tree->gain[child] = tree->cover[child] = 0;
        tree->default_left[child] = tree->categorical[child] = 0;
        if (tree->set_start) tree->set_start[child] = tree->set_size[child] = 0;
    }
    return true;
}

bool tree_split_categories(Tree *tree, int32_t node, int32_t feature,
                           const int32_t *right_categories, int32_t n, bool default_left,
                           Error *err)
{
    if (n < 0 || n > INT32_MAX / 4 - tree->n_categories)
        return error_set(err, ERROR_LIMIT, "a tree with more than %d categories", INT32_MAX / 4);
    if (!tree->set_start) {
        AUTO_DATA int32_t *start = data_array(int32_t, tree->capacity, "a tree", err);
        if (!start) return false;
        tree->set_size = data_array(int32_t, tree->capacity, "a tree", err);
        if (!tree->set_size) return false;
        tree->set_start = STEAL(start);
    }
    int32_t *categories = data_grow(tree->categories, (size_t)tree->n_categories,
                                    (size_t)(tree->n_categories + n), sizeof *categories,
                                    "a tree's categories", err);
    if (!categories) return false;
    tree->categories = categories;
    if (!tree_split(tree, node, feature, 0, default_left, err)) return false;

    tree->categorical[node] = 1;
    tree->set_start[node] = tree->n_categories;
    tree->set_size[node] = n;
    if (n)
        memcpy(categories + tree->n_categories, right_categories, (size_t)n * sizeof *categories);
    tree->n_categories += n;
    return true;
}

int32_t tree_next(const Tree *tree, int32_t node, float value)
{
    bool go_left;
    if (isnan(value)) {
        go_left = tree->default_left[node];
    } else if (!tree->categorical[node]) {
        go_left = value < tree->threshold[node];
    } else {
        /* What is no category at all (negative, too large) counts as not in the set. */
        go_left = true;
        if (value >= 0 && value < CATEGORY_MAX) {
            const int32_t *set = tree->categories + tree->set_start[node];
            int32_t category = (int32_t)value;
            for (int32_t i = 0; i < tree->set_size[node] && go_left; i++)
                go_left = set[i] != category;
        }
    }
    return go_left ? tree->left[node] : tree->right[node];
}

bool tree_compact(Tree *tree, const bool *collapsed, Error *err)
{
    /* place[i]: the node's new number, or -1 when it vanishes.  A parent may come after its child
     * in the numbering of models from elsewhere, so whether it stays is found walking down. */
    AUTO_DATA int32_t *place = data_array(int32_t, tree->n_nodes, "a tree", err);
    AUTO_DATA int32_t *stack = data_array(int32_t, tree->n_nodes, "a tree", err);
    if (!place || !stack) return false;
    for (int32_t i = 0; i < tree->n_nodes; i++) place[i] = -1;
    int32_t depth = 0;
    stack[depth++] = 0;
    while (depth) {
        int32_t node = stack[--depth];
        place[node] = 0;
        if (tree_is_leaf(tree, node) || collapsed[node]) continue;
        stack[depth++] = tree->left[node];
        stack[depth++] = tree->right[node];
    }
    int32_t n = 0, n_categories = 0;
    for (int32_t i = 0; i < tree->n_nodes; i++)
        if (place[i] == 0) place[i] = n++;

    for (int32_t i = 0; i < tree->n_nodes; i++) {
        int32_t to = place[i];
        if (to < 0) continue;
        bool leaf = tree_is_leaf(tree, i) || collapsed[i];
        bool was_split = leaf && !tree_is_leaf(tree, i);
        tree->parent[to] = tree->parent[i] < 0 ? -1 : place[tree->parent[i]];
        tree->left[to] = leaf ? -1 : place[tree->left[i]];
        tree->right[to] = leaf ? -1 : place[tree->right[i]];
        tree->feature[to] = was_split ? 0 : tree->feature[i];
        tree->threshold[to] = tree->threshold[i];
        tree->default_left[to] = was_split ? 0 : tree->default_left[i];
        tree->categorical[to] = was_split ? 0 : tree->categorical[i];
        tree->weight[to] = tree->weight[i];
        tree->gain[to] = was_split ? 0 : tree->gain[i];
        tree->cover[to] = tree->cover[i];
        if (!tree->set_start) continue;
        /* Sets stand in the order of their nodes or not: a smaller copy keeps both cases right. */
        tree->set_start[to] = was_split ? 0 : tree->set_start[i];
        tree->set_size[to] = was_split ? 0 : tree->set_size[i];
        n_categories += tree->set_size[to];
    }
    tree->n_nodes = n;
    if (!tree->set_start || n_categories == tree->n_categories) return true;

    int32_t *categories = data_array(int32_t, n_categories, "a tree's categories", err);
    if (!categories) return false;
    int32_t at = 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t size = tree->set_size[i];
        if (size)
            memcpy(categories + at, tree->categories + tree->set_start[i],
                   (size_t)size * sizeof *categories);
        tree->set_start[i] = size ? at : 0;
        at += size;
    }
    data_free(tree->categories);
    tree->categories = categories;
    tree->n_categories = n_categories;
    return true;
}

int32_t tree_depth(const Tree *tree)
{
    /* Down the left children, over to the right one on the way back: once around, no memory. */
    int32_t deepest = 0, depth = 0, node = 0;
    for (;;) {
        for (; !tree_is_leaf(tree, node); depth++) node = tree->left[node];
        deepest = MAX(deepest, depth);
        while (tree->parent[node] >= 0 && tree->right[tree->parent[node]] == node) {
            node = tree->parent[node];
            depth--;
        }
        if (tree->parent[node] < 0) return deepest;
        node = tree->right[tree->parent[node]];
    }
}
