/* A model made ready for prediction: which columns are looked at, against which thresholds, and
 * its trees once as packed nodes (for walking) and, where they are low enough, as the lists of
 * comparisons that predict_slice.c evaluates for 512 rows at a time. */

#include "boost/predict_internal.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

static int compare_floats(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Sorted, each value once; -0 and 0 are one threshold, as the comparison sees them. */
static int32_t sort_unique(float *x, int32_t n)
{
    qsort(x, (size_t)n, sizeof *x, compare_floats);
    int32_t m = 0;
    for (int32_t i = 0; i < n; i++)
        if (m == 0 || x[i] > x[m - 1]) x[m++] = x[i];
    return m;
}

/* Number of thresholds below `x`; x's own position when it is one. */
static int32_t position(const float *thresholds, int32_t n, float x)
{
    int32_t low = 0, high = n;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (thresholds[middle] < x)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int32_t use_column(Predictor *p, int32_t *used_of, int32_t feature, SliceKind kind)
{
    if (!used_of[feature]) {
        p->used[p->n_used++] = (UsedColumn){.feature = feature, .kind = kind, .sliceable = true};
        used_of[feature] = p->n_used;
    }
    return used_of[feature] - 1;
}

static bool find_columns(Predictor *p, Error *err)
{
    const BoostModel *model = p->model;
    size_t n_features = (size_t)p->n_features, n_splits = 0;
    p->used_of_feature = data_array(int32_t, n_features, "the features", err);
    p->used_of_category = data_array(int32_t, n_features, "the features", err);
    if (!p->used_of_feature || !p->used_of_category) return false;
    for (int32_t t = 0; t < model->n_trees; t++)
        for (int32_t i = 0; i < model->trees[t].n_nodes; i++)
            n_splits += !tree_is_leaf(&model->trees[t], i);
    p->used = arena_array(&p->arena, UsedColumn, MIN(n_splits, 2 * n_features) + 1);

    for (int32_t t = 0; t < model->n_trees; t++) {
        const Tree *tree = &model->trees[t];
        for (int32_t i = 0; i < tree->n_nodes; i++) {
            if (tree_is_leaf(tree, i)) continue;
            int32_t feature = tree->feature[i];
            if (feature < 0 || feature >= p->n_features)
                return error_set(err, ERROR_INVALID, "tree %d, node %d: feature %d of %d", t, i,
                                 feature, p->n_features);
            bool category = tree->categorical[i];
            if (!category && isnan(tree->threshold[i]))
                return error_set(err, ERROR_INVALID, "tree %d, node %d: the threshold is NaN", t,
                                 i);
            UsedColumn *used =
                &p->used[use_column(p, category ? p->used_of_category : p->used_of_feature, feature,
                                    category ? SLICE_SET : SLICE_U8)];
            *(tree->default_left[i] ? &used->left : &used->right) = true;
            if (category) {
                p->any_category = true;
                p->n_sets++;
                for (int32_t c = 0; c < tree->set_size[i]; c++)
                    used->n_categories = MAX(used->n_categories,
                                             tree->categories[tree->set_start[i] + c] + 1);
            } else {
                used->n_thresholds++;
            }
        }
    }

    for (int32_t u = 0; u < p->n_used; u++) {
        UsedColumn *used = &p->used[u];
        if (used->kind == SLICE_SET) used->sliceable = used->n_categories <= SLICE_CATEGORIES;
        used->thresholds = arena_array(&p->arena, float, used->n_thresholds + 1);
        used->n_thresholds = 0;
    }
    for (int32_t t = 0; t < model->n_trees; t++) {
        const Tree *tree = &model->trees[t];
        for (int32_t i = 0; i < tree->n_nodes; i++) {
            if (tree_is_leaf(tree, i) || tree->categorical[i]) continue;
            UsedColumn *used = &p->used[p->used_of_feature[tree->feature[i]] - 1];
            used->thresholds[used->n_thresholds++] = tree->threshold[i];
        }
    }
    return true;
}

/* Level l of the search tree has 2^l entries from 2^l - 1 on; 16 more may be read. */
static void build_search(Predictor *p, UsedColumn *used)
{
    if (used->kind == SLICE_SET) return;
    int32_t n = used->n_thresholds = sort_unique(used->thresholds, used->n_thresholds);
    used->kind = n <= SLICE_RANKS_8 ? SLICE_U8 : SLICE_U16;
    used->sliceable = n <= SLICE_RANKS_16;
    while ((1 << used->levels) - 1 < n) used->levels++;
    int32_t size = (1 << used->levels) - 1;
    used->search = arena_array(&p->arena, float, size + 16);
    for (int32_t level = 0; level < used->levels; level++)
        for (int32_t j = 0; j < 1 << level; j++) {
            int32_t at = (2 * j + 1) * (1 << (used->levels - 1 - level)) - 1;
            used->search[(1 << level) - 1 + j] = at < n ? used->thresholds[at] : INFINITY;
        }
}

static uint32_t add_set(Predictor *p, const Tree *tree, int32_t node)
{
    const int32_t *categories = tree->categories + tree->set_start[node];
    int32_t n = tree->set_size[node], top = -1;
    for (int32_t i = 0; i < n; i++) top = MAX(top, categories[i]);
    CategorySet *set = &p->sets[p->n_sets];
    if (top / 32 <= 64 + n) {
        uint32_t *words = arena_array(&p->arena, uint32_t, top / 32 + 2);
        for (int32_t i = 0; i < n; i++) words[categories[i] / 32] |= 1u << (categories[i] % 32);
        *set = (CategorySet){.n_words = (uint32_t)(top / 32 + 1), .words = words};
    } else {
        uint32_t *list = arena_array(&p->arena, uint32_t, n);
        memcpy(list, categories, (size_t)n * sizeof *list);
        qsort(list, (size_t)n, sizeof *list, compare_numbers);
        *set = (CategorySet){.n_list = (uint32_t)n, .list = list};
    }
    return (uint32_t)p->n_sets++;
}

/* Node `order[i]` of the tree becomes packed node root + i, breadth first. */
static void pack_tree(Predictor *p, int32_t t, int32_t root, int32_t *order, int32_t *level)
{
    const Tree *tree = &p->model->trees[t];
    float weight = p->model->tree_weight ? p->model->tree_weight[t] : 1;
    PackedTree *packed = &p->trees[t];
    *packed = (PackedTree){.root = root, .group = p->model->tree_group[t]};
    int32_t n = 1;
    order[0] = level[0] = 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t node = order[i];
        PackedNode *to = &p->nodes[root + i];
        packed->height = MAX(packed->height, level[i]);
        if (tree_is_leaf(tree, node)) {
            *to = (PackedNode){INFINITY,
                               (uint32_t)p->n_used << 2,
                               root + i,
                               {.value = tree->threshold[node] * weight}};
            continue;
        }
        bool category = tree->categorical[node];
        int32_t used = (category ? p->used_of_category : p->used_of_feature)[tree->feature[node]] -
                       1;
        *to = (PackedNode){tree->threshold[node],
                           (uint32_t)used << 2 | (tree->default_left[node] ? 0 : PACKED_RIGHT) |
                               (category ? PACKED_CATEGORY : 0),
                           root + n,
                           {.value = 0}};
        if (category) {
            to->set = add_set(p, tree, node);
            packed->categorical = true;
        }
        order[n] = tree->left[node];
        order[n + 1] = tree->right[node];
        level[n] = level[n + 1] = level[i] + 1;
        n += 2;
    }
}

static bool tree_sliceable(const Predictor *p, int32_t t)
{
    const Tree *tree = &p->model->trees[t];
    if (p->trees[t].height > slice_height_max()) return false;
    for (int32_t i = 0; i < tree->n_nodes; i++) {
        if (tree_is_leaf(tree, i)) continue;
        const int32_t *used_of = tree->categorical[i] ? p->used_of_category : p->used_of_feature;
        if (!p->used[used_of[tree->feature[i]] - 1].sliceable) return false;
    }
    return true;
}

/* The packed nodes below `root`, placed in a complete tree of the slice's height. */
static void slice_one(Predictor *p, int32_t t, uint32_t *n_nodes, uint32_t *n_sets)
{
    SliceTree *slice = &p->slices[t];
    slice->first_node = *n_nodes;
    int32_t height = slice->height, stack[4 * SLICE_HEIGHT_TALL], places[4 * SLICE_HEIGHT_TALL];
    int depth = 0;
    stack[depth] = p->trees[t].root;
    places[depth++] = 1;
    while (depth) {
        int32_t node = stack[--depth], place = places[depth];
        const PackedNode *from = &p->nodes[node];
        if (from->left == node) {
            int32_t low = place, n = 1;
            for (; low < 1 << height; low *= 2) n *= 2;
            for (int32_t i = 0; i < n; i++)
                p->slice_leaves[slice->first_leaf + (uint32_t)(low + i - (1 << height))] =
                    from->value;
            continue;
        }
        const UsedColumn *used = &p->used[from->column >> 2];
        SliceNode *to = &p->slice_nodes[(*n_nodes)++];
        *to = (SliceNode){.slot = (from->column >> 2) * 2 + (from->column & PACKED_RIGHT),
                          .place = (uint16_t)place,
                          .kind = (uint8_t)used->kind};
        if (used->kind == SLICE_SET) {
            const CategorySet *set = &p->sets[from->set];
            uint8_t *table = p->slice_sets + (size_t)*n_sets * 256;
            to->set = (*n_sets)++;
            for (int32_t c = 0; c < used->n_categories; c++)
                if (set_has(set, (uint32_t)c)) table[c] = 0x80;
            table[SLICE_CATEGORIES + 1] = 0x80;
        } else {
            to->rank = (uint16_t)position(used->thresholds, used->n_thresholds, from->threshold);
        }
        for (int right = 0; right < 2; right++) {
            stack[depth] = from->left + right;
            places[depth++] = 2 * place + right;
        }
    }
    slice->n_nodes = *n_nodes - slice->first_node;
}

/* ---- tests that nodes share ----
 * A model's thresholds are cuts of its training data: of 6,000 nodes with 28 columns half make a test that
 * another one makes too, of 60,000 nine in ten. */

typedef struct NodeTest {
    uint64_t test; /* slot, then rank or set */
    uint32_t node;
} NodeTest;

static int compare_tests(const void *a, const void *b)
{
    const NodeTest *x = a, *y = b;
    if (x->test != y->test) return x->test < y->test ? -1 : 1;
    return (x->node > y->node) - (x->node < y->node);
}

/* Sorts the tests of the nodes of trees [first, end); returns how many are different. */
static uint32_t sort_tests(const Predictor *p, int32_t first, int32_t end, NodeTest *tests,
                           size_t *ret_n)
{
    size_t n = 0;
    for (int32_t t = first; t < end; t++) {
        const SliceTree *slice = &p->slices[t];
        for (uint32_t i = 0; slice->usable && i < slice->n_nodes; i++) {
            const SliceNode *node = &p->slice_nodes[slice->first_node + i];
            uint32_t low = node->kind == SLICE_SET ? node->set : node->rank;
            tests[n++] = (NodeTest){(uint64_t)node->slot << 32 | low, slice->first_node + i};
        }
    }
    qsort(tests, n, sizeof *tests, compare_tests);
    uint32_t different = 0;
    for (size_t i = 0; i < n; i++) different += i == 0 || tests[i].test != tests[i - 1].test;
    *ret_n = n;
    return different;
}

/* A batch of trees [first, end) with `tests` sorted; `test_of` gets each node's test. */
static void add_batch(Predictor *p, int32_t first, int32_t end, const NodeTest *tests, size_t n,
                      uint32_t *n_tests, uint32_t *test_of)
{
    SliceBatch *batch = &p->slice_batches[p->n_batches++];
    *batch = (SliceBatch){first, end, *n_tests, 0};
    for (size_t i = 0; i < n; i++) {
        if (i == 0 || tests[i].test != tests[i - 1].test) {
            p->slice_tests[(*n_tests)++] = p->slice_nodes[tests[i].node];
            batch->n_tests++;
        }
        test_of[tests[i].node] = batch->n_tests - 1;
    }
    p->tests_max = MAX(p->tests_max, batch->n_tests);
    for (int32_t t = first; t < end; t++) {
        const SliceTree *slice = &p->slices[t];
        for (uint32_t i = 0; slice->usable && i < slice->n_nodes; i++) {
            uint32_t node = slice->first_node + i;
            p->slice_at[slice->first_leaf + p->slice_nodes[node].place] = test_of[node] *
                                                                          SLICE_MASK;
        }
    }
}

static bool batch_trees(Predictor *p, size_t n_nodes, Error *err)
{
    AUTO_DATA NodeTest *tests = data_array(NodeTest, n_nodes, "the compiled trees", err);
    AUTO_DATA uint32_t *test_of = data_array(uint32_t, n_nodes, "the compiled trees", err);
    p->slice_tests = data_array(SliceNode, n_nodes, "the compiled trees", err);
    if (!tests || !test_of || !p->slice_tests) return false;
    p->slice_batches = arena_array(&p->arena, SliceBatch, p->n_trees + 1);
    uint32_t n_tests = 0;
    size_t n;
    if (sort_tests(p, 0, p->n_trees, tests, &n) <= SLICE_BATCH_TESTS) {
        add_batch(p, 0, p->n_trees, tests, n, &n_tests, test_of);
        return true;
    }
    for (int32_t first = 0, end; first < p->n_trees; first = end) {
        size_t nodes = 0;
        for (end = first; end < p->n_trees; end++) {
            nodes += p->slices[end].usable ? p->slices[end].n_nodes : 0;
            if (nodes > SLICE_BATCH_TESTS && end > first) break;
        }
        sort_tests(p, first, end, tests, &n);
        add_batch(p, first, end, tests, n, &n_tests, test_of);
    }
    return true;
}

static bool slice_trees(Predictor *p, Error *err)
{
    size_t n_nodes = 0, n_leaves = 0, n_sets = 0;
    p->slices = arena_array(&p->arena, SliceTree, p->n_trees);
    p->all_sliced = true;
    for (int32_t t = 0; t < p->n_trees; t++) {
        const Tree *tree = &p->model->trees[t];
        SliceTree *slice = &p->slices[t];
        slice->usable = tree_sliceable(p, t);
        if (!slice->usable) {
            p->all_sliced = false;
            continue;
        }
        p->sliced = true;
        p->any_tall |= p->trees[t].height > SLICE_HEIGHT_MAX;
        slice->height = MAX(6, p->trees[t].height);
        slice->first_leaf = (uint32_t)n_leaves;
        n_leaves += (size_t)1 << slice->height;
        n_nodes += (size_t)tree->n_nodes / 2;
        for (int32_t i = 0; i < tree->n_nodes; i++) n_sets += tree->categorical[i];
    }
    if (n_leaves > UINT32_MAX || n_nodes > UINT32_MAX)
        return p->sliced = p->all_sliced = false, true;
    p->slice_nodes = data_array(SliceNode, n_nodes, "the compiled trees", err);
    p->slice_leaves = data_array(float, n_leaves, "the compiled trees", err);
    p->slice_sets = data_array(uint8_t, n_sets * 256, "the compiled trees", err);
    p->slice_at = data_array(uint32_t, n_leaves, "the compiled trees", err);
    if (!p->slice_nodes || !p->slice_leaves || !p->slice_sets || !p->slice_at) return false;
    uint32_t node = 0, set = 0;
    for (int32_t t = 0; t < p->n_trees; t++)
        if (p->slices[t].usable) slice_one(p, t, &node, &set);
    return batch_trees(p, node, err);
}

static bool compile(Predictor *p, Error *err)
{
    const BoostModel *model = p->model;
    p->base = arena_array(&p->arena, float, p->n_groups);
    for (int32_t g = 0; g < p->n_groups; g++)
        p->base[g] = (float)boost_model_group_margin(model, g);
    if (model->booster == BOOSTER_GBLINEAR) return true;

    p->n_trees = model->n_trees;
    if (!find_columns(p, err)) return false;
    for (int32_t u = 0; u < p->n_used; u++) build_search(p, &p->used[u]);

    size_t n_nodes = 0, largest = 0;
    for (int32_t t = 0; t < p->n_trees; t++) {
        n_nodes += (size_t)model->trees[t].n_nodes;
        largest = MAX(largest, (size_t)model->trees[t].n_nodes);
    }
    if (n_nodes > INT32_MAX)
        return error_set(err, ERROR_LIMIT, "a model of %zu nodes; at most %d can be used", n_nodes,
                         INT32_MAX);
    p->nodes = data_array(PackedNode, n_nodes, "the compiled trees", err);
    AUTO_DATA int32_t *order = data_array(int32_t, largest + 2, "a tree", err);
    AUTO_DATA int32_t *level = data_array(int32_t, largest + 2, "a tree", err);
    if (!p->nodes || !order || !level) return false;
    p->trees = arena_array(&p->arena, PackedTree, p->n_trees);
    p->sets = arena_array(&p->arena, CategorySet, p->n_sets);
    p->n_sets = 0;
    int32_t root = 0;
    for (int32_t t = 0; t < p->n_trees; t++) {
        pack_tree(p, t, root, order, level);
        root += model->trees[t].n_nodes;
    }
    return slice_trees(p, err);
}

bool predictor_new(const BoostModel *model, Predictor **ret_predictor, Error *err)
{
    AUTO(predictor_free) Predictor *p = calloc(1, sizeof *p);
    if (!p) memory_exhausted(sizeof *p);
    p->model = model;
    p->n_groups = model->n_groups;
    p->n_features = model->n_features;
    if (!compile(p, err)) return error_in(err, "preparing the model");
    *ret_predictor = STEAL(p);
    return true;
}

void predictor_free(Predictor *p)
{
    if (!p) return;
    data_free(p->used_of_feature);
    data_free(p->used_of_category);
    data_free(p->nodes);
    data_free(p->slice_nodes);
    data_free(p->slice_leaves);
    data_free(p->slice_sets);
    data_free(p->slice_tests);
    data_free(p->slice_at);
    arena_clear(&p->arena);
    free(p);
}
