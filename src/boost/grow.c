/* What builders share: see grow.h.
 *
 * Column samples are nested: the tree draws from all columns, each level from the tree's, each node
 * from its level's, at least one column each time.  A draw keeps the columns whose random numbers
 * are smallest; the numbers depend on (seed, tree, level or node, column) only, so that nodes may
 * be looked at in any order and on any thread. */

#include "boost/grow.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

SplitRules split_rules(const BoostParams *params, int32_t n_features, Arena *arena)
{
    SplitRules rules = {
        .lambda = params->lambda,
        .alpha = params->alpha,
        .gamma = params->gamma,
        .min_child_weight = params->min_child_weight,
        .max_delta_step = params->max_delta_step,
        .eta = params->eta / (double)MAX(params->n_parallel, 1), /* a forest shares the step */
        .n_features = n_features,
    };
    bool any = false;
    for (int32_t i = 0; i < MIN(params->n_monotone, n_features); i++)
        if (params->monotone[i]) any = true;
    if (any) {
        int8_t *signs = arena_array(arena, int8_t, n_features);
        memcpy(signs, params->monotone, (size_t)MIN(params->n_monotone, n_features));
        rules.monotone = signs;
    }
    rules.simple = !any && rules.alpha == 0 && rules.max_delta_step == 0;
    return rules;
}

void split_child_bounds(const SplitRules *rules, int32_t feature, GradSum left, GradSum right,
                        Bounds bounds, Bounds *ret_left, Bounds *ret_right)
{
    *ret_left = *ret_right = bounds;
    int sign = rules->monotone ? rules->monotone[feature] : 0;
    if (!sign) return;
    double middle = (split_weight(rules, left, bounds) + split_weight(rules, right, bounds)) / 2;
    if (sign > 0)
        ret_left->upper = ret_right->lower = middle;
    else
        ret_left->lower = ret_right->upper = middle;
}

/* ---- columns ---- */

struct ColumnChoice {
    int32_t n_features;
    double by_tree, by_level, by_node;
    uint64_t seed, tree;
    int32_t n_of_tree;
    int32_t *of_tree; /* this tree's columns, ascending */
    const int32_t *sets, *set_start;
    int32_t n_sets;
};

enum { STREAM_TREE = 0x10000, STREAM_LEVEL = 0x20000, STREAM_NODE = 0x30000 };

ColumnChoice *column_choice_new(const BoostParams *params, int32_t n_features, Arena *arena)
{
    ColumnChoice *choice = arena_new(arena, ColumnChoice);
    *choice = (ColumnChoice){
        .n_features = n_features,
        .by_tree = params->colsample_bytree,
        .by_level = params->colsample_bylevel,
        .by_node = params->colsample_bynode,
        .seed = params->seed,
        .of_tree = arena_array(arena, int32_t, n_features),
        .sets = params->interaction_sets,
        .set_start = params->interaction_start,
        .n_sets = params->n_interactions,
    };
    column_choice_tree(choice, 0);
    return choice;
}

typedef struct Draw {
    uint64_t key;
    int32_t column;
} Draw;

static int compare_keys(const void *a, const void *b)
{
    uint64_t x = ((const Draw *)a)->key, y = ((const Draw *)b)->key;
    return (x > y) - (x < y);
}

static int compare_columns(const void *a, const void *b)
{
    return *(const int32_t *)a - *(const int32_t *)b;
}

/* Keeps max(1, rate * n) of `columns`, in ascending order; returns how many. */
static int32_t draw_columns(int32_t *columns, int32_t n, double rate, Random random, Draw *scratch)
{
    if (rate >= 1 || n <= 1) return n;
    int32_t keep = MAX((int32_t)(rate * n), 1);
    for (int32_t i = 0; i < n; i++)
        scratch[i] = (Draw){random_u64(random, (uint64_t)columns[i]), columns[i]};
    qsort(scratch, (size_t)n, sizeof *scratch, compare_keys);
    for (int32_t i = 0; i < keep; i++) columns[i] = scratch[i].column;
    qsort(columns, (size_t)keep, sizeof *columns, compare_columns);
    return keep;
}

static Random stream_of(const ColumnChoice *choice, uint64_t kind, uint64_t number)
{
    return random_stream(random_u64(random_stream(choice->seed, kind), choice->tree), number);
}

void column_choice_tree(ColumnChoice *choice, uint64_t tree)
{
    choice->tree = tree;
    choice->n_of_tree = choice->n_features;
    for (int32_t i = 0; i < choice->n_features; i++) choice->of_tree[i] = i;
    if (choice->by_tree >= 1) return;
    ARENA(scratch);
    choice->n_of_tree = draw_columns(choice->of_tree, choice->n_features, choice->by_tree,
                                     stream_of(choice, STREAM_TREE, 0),
                                     arena_array(&scratch, Draw, choice->n_features));
}

bool column_choice_is_all(const ColumnChoice *choice)
{
    return choice->n_of_tree == choice->n_features && choice->by_level >= 1 &&
           choice->by_node >= 1 && choice->n_sets == 0;
}

/* A node may use the columns of its path, and those of every set that holds the whole path. */
static void keep_interacting(const ColumnChoice *choice, const Tree *tree, int32_t node,
                             uint8_t *allowed)
{
    if (tree->parent[node] < 0) return;
    ARENA(scratch);
    uint8_t *in_set = arena_array(&scratch, uint8_t, choice->n_features);
    uint8_t *kept = arena_array(&scratch, uint8_t, choice->n_features);
    for (int32_t up = tree->parent[node]; up >= 0; up = tree->parent[up])
        kept[tree->feature[up]] = 1;
    for (int32_t s = 0; s < choice->n_sets; s++) {
        const int32_t *set = choice->sets + choice->set_start[s];
        int32_t n = choice->set_start[s + 1] - choice->set_start[s];
        memset(in_set, 0, (size_t)choice->n_features);
        for (int32_t i = 0; i < n; i++)
            if (set[i] >= 0 && set[i] < choice->n_features) in_set[set[i]] = 1;
        bool holds_path = true;
        for (int32_t up = tree->parent[node]; up >= 0 && holds_path; up = tree->parent[up])
            holds_path = in_set[tree->feature[up]];
        for (int32_t i = 0; holds_path && i < choice->n_features; i++) kept[i] |= in_set[i];
    }
    for (int32_t i = 0; i < choice->n_features; i++) allowed[i] &= kept[i];
}

void column_choice_node(const ColumnChoice *choice, const Tree *tree, int32_t node, int32_t depth,
                        uint8_t *allowed)
{
    size_t n_features = (size_t)choice->n_features;
    if (choice->by_tree >= 1 && choice->by_level >= 1 && choice->by_node >= 1) {
        memset(allowed, 1, n_features);
    } else {
        ARENA(scratch);
        int32_t n = choice->n_of_tree;
        int32_t *columns = arena_array(&scratch, int32_t, n);
        Draw *draws = arena_array(&scratch, Draw, n);
        memcpy(columns, choice->of_tree, (size_t)n * sizeof *columns);
        n = draw_columns(columns, n, choice->by_level,
                         stream_of(choice, STREAM_LEVEL, (uint64_t)depth), draws);
        n = draw_columns(columns, n, choice->by_node,
                         stream_of(choice, STREAM_NODE, (uint64_t)node), draws);
        memset(allowed, 0, n_features);
        for (int32_t i = 0; i < n; i++) allowed[columns[i]] = 1;
    }
    if (choice->n_sets) keep_interacting(choice, tree, node, allowed);
}

/* ---- whole trees ---- */

typedef struct Route {
    const Tree *tree;
    const Matrix *matrix;
    int32_t *row_leaf;
} Route;

static float csr_value(const Matrix *matrix, int64_t row, int32_t column)
{
    int64_t low = matrix->row_start[row], high = matrix->row_start[row + 1];
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (matrix->col[middle] < column)
            low = middle + 1;
        else
            high = middle;
    }
    return low < matrix->row_start[row + 1] && matrix->col[low] == column ? matrix->value[low]
                                                                          : matrix->absent;
}

static void route_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    const Route *route = arg;
    const Matrix *m = route->matrix;
    const Tree *tree = route->tree;
    for (size_t i = begin; i < end; i++) {
        int32_t node = 0;
        while (!tree_is_leaf(tree, node)) {
            int32_t column = tree->feature[node];
            float value = m->layout == MATRIX_COLUMNS ? m->column[column][i]
                          : m->layout == MATRIX_ROWS  ? m->rows[(int64_t)i * m->row_stride + column]
                                                      : csr_value(m, (int64_t)i, column);
            node = tree_next(tree, node, value);
        }
        route->row_leaf[i] = node;
    }
}

bool tree_route(const Tree *tree, const Matrix *matrix, Pool *pool, int32_t *row_leaf, Error *err)
{
    for (int32_t i = 0; i < tree->n_nodes; i++)
        if (!tree_is_leaf(tree, i) && tree->feature[i] >= matrix->n_cols)
            return error_set(err, ERROR_INVALID, "the tree splits by feature %d, the data has %d",
                             (int)tree->feature[i], (int)matrix->n_cols);
    Route route = {tree, matrix, row_leaf};
    parallel_for(pool, (size_t)matrix->n_rows, 4096, route_rows, &route);
    return true;
}

bool tree_prune(Tree *tree, double gamma, double eta, Error *err)
{
    ARENA(scratch);
    bool *collapsed = arena_array(&scratch, bool, tree->n_nodes);
    /* Children come after their parents here, so that one pass from the end is bottom up. */
    bool any = false;
    for (int32_t i = tree->n_nodes - 1; i >= 0; i--) {
        if (tree_is_leaf(tree, i)) continue;
        int32_t l = tree->left[i], r = tree->right[i];
        assert(l > i && r > i);
        bool both = (tree_is_leaf(tree, l) || collapsed[l]) &&
                    (tree_is_leaf(tree, r) || collapsed[r]);
        if (!both || tree->gain[i] >= gamma) continue;
        collapsed[i] = any = true;
        tree->weight[i] = (float)(tree->weight[i] * eta);
        tree->threshold[i] = tree->weight[i];
    }
    return !any || tree_compact(tree, collapsed, err);
}
