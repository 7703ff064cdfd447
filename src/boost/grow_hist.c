/* Trees grown on histograms of bins.
 *
 * Each open node owns a run of rows in one of two buffers (its children's runs lie at the same place
 * in the other one), with their gradients beside them in the same order.  To split nodes: make a
 * bit per row, move rows and gradients to the children, build the histogram of the child with fewer
 * rows, subtract it from the parent's for the other child, look for the children's best splits.  All
 * steps run over the nodes of a level at once, in chunks of rows, so that any number of threads is
 * kept busy and gets the same sums: they are integers.
 *
 * Gradients are rounded to units of which 2^31 make the sum of all (hist.h): 12 bits and more a row up
 * to a million rows, 21 for a thousand.  Once the shape of the tree is known, the weights and covers of its
 * nodes are computed afresh in double from the real gradients.
 *
 * Histograms of open nodes are kept while they fit HISTOGRAM_BYTES; a node that lost its own has
 * both children built from rows. */

#include "boost/partition.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "base/random.h"

#include <float.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define HISTOGRAM_BYTES ((size_t)768 << 20)
enum {
    PARTITION_CHUNK = 16384, /* rows */
    BUILD_CHUNK = 32768,
    QUANTIZE_CHUNK = 16384,
    LEAF_CHUNK = 16384,
    SEARCH_COLUMNS = 16, /* columns of one search task */
    BATCH = 256,         /* nodes split at once */
};

typedef struct Node {
    int32_t depth;
    int32_t buffer; /* where its rows are */
    size_t begin, n;
    HistSum sum, *hist;
    Bounds bounds;
    HistSplit best;
    int32_t *categories; /* of `best`, in the tree's arena */
    int32_t n_categories;
    bool search;  /* may be split: its histogram is wanted */
    bool labeled; /* its rows are in no buffer: they have their leaf's label already */
} Node;

typedef struct PartitionTask {
    int32_t node;
    const BinTest *test;
    size_t begin, n; /* within the node's rows */
    size_t n_left, left_at, right_at;
} PartitionTask;

typedef struct BuildTask {
    int32_t node;
    bool shared;     /* other tasks add to the same histogram */
    size_t begin, n; /* within the node's rows */
} BuildTask;

typedef struct Family { /* a node that is being split */
    int32_t parent, left, right;
    BinTest test;
} Family;

typedef struct SearchTask {
    int32_t node, first, end;
    HistSplit best;
} SearchTask;

typedef struct Workspace { /* histogram of a thread; taken and given back */
    atomic_bool taken;
    HistSum *hist;
} Workspace;

typedef struct HistBuilder {
    Builder base;
    Arena arena;
    SplitRules rules;
    ColumnChoice *columns;
    GrowPolicy policy;
    int32_t max_depth, max_leaves;
    uint64_t seed;
    Pool *pool;
    Bins *bins, *validation;
    HistSearch search;

    uint32_t *rows[2];
    HistPairs q[2];

    HistSum **free_hists;
    size_t n_free, n_hists, hists_max, free_capacity;
    Workspace *workspaces;
    int n_workspaces;
    atomic_bool *locks; /* of BATCH children */

    /* the tree that grows */
    Arena scratch;
    const GrowTask *task;
    Tree *tree;
    Node *nodes;
    int32_t nodes_capacity;
    size_t n_rows;     /* chosen ones */
    bool identity;     /* the root's rows are all, in order: rows[0] is not filled */
    uint8_t **allowed; /* per node in search */
    Family *families;
    int32_t n_families;
    PartitionTask *partitions;
    uint64_t *bits;
    size_t bits_words;
    BuildTask *builds;
    const int32_t *built; /* nodes whose histograms were just built */
    SearchTask *searches;
    HistMagnitude *partial; /* per chunk of rows */
    HistSum *chunk_sums;
    int32_t *row_leaf;
    uint8_t *label; /* leaf of a row while trees have at most 255 nodes, else NULL */
} HistBuilder;

/* ---- histograms ---- */

static HistSum *take_hist(HistBuilder *b, Error *err)
{
    if (b->n_free) return b->free_hists[--b->n_free];
    /* Padded: the search reads up to seven sums beyond a column. */
    HistSum *hist = data_array(HistSum, b->bins->n_slots + 256, "a histogram", err);
    if (hist) b->n_hists++;
    return hist;
}

static void give_hist(HistBuilder *b, HistSum *hist)
{
    if (!hist) return;
    if (b->n_free == b->free_capacity) {
        b->free_capacity = MAX(64, 2 * b->free_capacity);
        b->free_hists = realloc(b->free_hists, b->free_capacity * sizeof *b->free_hists);
        if (!b->free_hists) memory_exhausted(b->free_capacity * sizeof *b->free_hists);
    }
    b->free_hists[b->n_free++] = hist;
}

static Workspace *take_workspace(HistBuilder *b)
{
    for (int i = 0;; i = (i + 1) % b->n_workspaces) {
        bool taken = false;
        if (atomic_compare_exchange_strong(&b->workspaces[i].taken, &taken, true))
            return &b->workspaces[i];
    }
}

static void build_hist(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    HistBuilder *b = arg;
    const BuildTask *task = &b->builds[chunk];
    const Node *node = &b->nodes[task->node];
    size_t at = node->begin + task->begin, n_slots = (size_t)b->bins->n_slots;
    bool identity = b->identity && task->node == 0;
    const uint32_t *rows = identity ? NULL : b->rows[node->buffer] + at;
    HistPairs q = hist_pairs_from(b->q[node->buffer], at);
    if (!task->shared) {
        memset(node->hist, 0, n_slots * sizeof *node->hist);
        hist_add(b->bins, rows, at, task->n, q, node->hist);
        return;
    }
    Workspace *space = take_workspace(b);
    memset(space->hist, 0, n_slots * sizeof *space->hist);
    hist_add(b->bins, rows, at, task->n, q, space->hist);
    atomic_bool *lock = &b->locks[task->node % BATCH];
    while (atomic_exchange_explicit(lock, true, memory_order_acquire)) cpu_pause();
    hist_sum(node->hist, space->hist, n_slots);
    atomic_store_explicit(lock, false, memory_order_release);
    atomic_store(&space->taken, false);
}

static void subtract_sibling(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    HistBuilder *b = arg;
    const Family *family = &b->families[chunk];
    const Node *left = &b->nodes[family->left], *right = &b->nodes[family->right];
    /* The larger child has taken the parent's histogram over. */
    const Node *small = left->n <= right->n ? left : right, *large = small == left ? right : left;
    if (b->nodes[family->parent].hist == NULL && large->hist && small->hist && large->search)
        hist_subtract(large->hist, small->hist, (size_t)b->bins->n_slots);
}

static void complete_hist(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    const HistBuilder *b = arg;
    const Node *node = &b->nodes[b->built[chunk]];
    hist_complete(b->bins, node->sum, node->hist);
}

/* Builds the histograms of nodes[list[i]] from their rows. */
static bool build_hists(HistBuilder *b, const int32_t *list, int32_t n, Error *err)
{
    bool split_rows = pool_threads(b->pool) > 1;
    size_t n_tasks = 0;
    for (int32_t i = 0; i < n; i++)
        n_tasks += split_rows ? chunk_count(b->nodes[list[i]].n, BUILD_CHUNK) : 1;
    b->builds = data_grow(b->builds, 0, n_tasks, sizeof *b->builds, "the tasks", err);
    if (!b->builds) return false;
    n_tasks = 0;
    for (int32_t i = 0; i < n; i++) {
        const Node *node = &b->nodes[list[i]];
        size_t grain = split_rows && node->n > BUILD_CHUNK ? BUILD_CHUNK : MAX(node->n, 1);
        bool shared = node->n > grain;
        if (shared) memset(node->hist, 0, (size_t)b->bins->n_slots * sizeof *node->hist);
        for (size_t begin = 0; begin < MAX(node->n, 1); begin += grain)
            b->builds[n_tasks++] = (BuildTask){list[i], shared, begin, MIN(grain, node->n - begin)};
    }
    parallel_for(b->pool, n_tasks, 1, build_hist, b);
    b->built = list;
    parallel_for(b->pool, (size_t)n, 1, complete_hist, b);
    return true;
}

/* ---- the best splits of new nodes ---- */

static void search_columns(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    HistBuilder *b = arg;
    SearchTask *task = &b->searches[chunk];
    const Node *node = &b->nodes[task->node];
    task->best = (HistSplit){0};
    hist_best_split(&b->search, node->hist, node->sum, node->bounds, b->allowed[task->node],
                    task->first, task->end, &task->best);
}

static bool search_nodes(HistBuilder *b, const int32_t *list, int32_t n, Error *err)
{
    int32_t n_cols = b->bins->n_cols, step = SEARCH_COLUMNS;
    if (pool_threads(b->pool) == 1) step = MAX(n_cols, 1);
    size_t per_node = chunk_count((size_t)n_cols, (size_t)step), n_tasks = 0;
    b->searches = data_grow(b->searches, 0, per_node * (size_t)n, sizeof *b->searches, "the tasks",
                            err);
    if (!b->searches) return false;
    bool all = column_choice_is_all(b->columns);
    ARENA(scratch);
    b->allowed = arena_array(&scratch, uint8_t *, b->nodes_capacity);
    for (int32_t i = 0; i < n; i++) {
        if (!all) {
            b->allowed[list[i]] = arena_array(&scratch, uint8_t, n_cols);
            column_choice_node(b->columns, b->tree, list[i], b->nodes[list[i]].depth,
                               b->allowed[list[i]]);
        }
        for (int32_t first = 0; first < n_cols; first += step)
            b->searches[n_tasks++] = (SearchTask){
                .node = list[i], .first = first, .end = MIN(first + step, n_cols)};
    }
    parallel_for(b->pool, n_tasks, 1, search_columns, b);

    for (size_t t = 0; t < n_tasks; t++) {
        const SearchTask *task = &b->searches[t];
        Node *node = &b->nodes[task->node];
        if (task->best.split.gain > 0 &&
            split_is_better(&node->best.split, (double)task->best.split.gain,
                            task->best.split.feature))
            node->best = task->best;
    }
    for (int32_t i = 0; i < n; i++) {
        Node *node = &b->nodes[list[i]];
        const Split *split = &node->best.split;
        if (split->gain > 0 && split->categorical) {
            const HistSum *hist = node->hist;
            node->categories = arena_array(&b->scratch, int32_t,
                                           bins_count(b->bins, split->feature));
            node->n_categories = hist_categories(&b->search, hist, split, node->categories);
        }
        bool keep = split_is_worth(split, b->rules.gamma);
        if (!keep || b->n_hists - b->n_free > b->hists_max) {
            give_hist(b, node->hist);
            node->hist = NULL;
        }
    }
    return true;
}

/* ---- moving rows ---- */

static void mark_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    HistBuilder *b = arg;
    PartitionTask *task = &b->partitions[chunk];
    const Node *node = &b->nodes[task->node];
    size_t at = node->begin + task->begin;
    const uint32_t *rows = b->identity && task->node == 0 ? NULL : b->rows[node->buffer] + at;
    task->n_left = partition_bits(b->bins, task->test, rows, at, task->n,
                                  b->bits + chunk * (PARTITION_CHUNK / 64));
}

/* The rounded gradients of a node are read when its histogram is built or that of one below it: not
 * those of a larger child whose own children are leaves. */
static bool wants_sums(const HistBuilder *b, int32_t id, int32_t sibling)
{
    const Node *node = &b->nodes[id], *other = &b->nodes[sibling];
    if (b->max_depth == 0 || node->depth < b->max_depth - 1) return true;
    bool large = node->n > other->n || (node->n == other->n && id > sibling);
    return !large || !b->nodes[b->tree->parent[id]].hist;
}

static void move_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    HistBuilder *b = arg;
    const PartitionTask *task = &b->partitions[chunk];
    const Node *node = &b->nodes[task->node];
    size_t at = node->begin + task->begin;
    const uint32_t *rows = b->identity && task->node == 0 ? NULL : b->rows[node->buffer] + at;
    const uint64_t *bits = b->bits + chunk * (PARTITION_CHUNK / 64);
    int32_t left = b->tree->left[task->node], right = b->tree->right[task->node];
    if (b->nodes[left].labeled) {
        partition_label(bits, rows, at, task->n, (uint8_t)left, (uint8_t)right, b->label);
        return;
    }
    int to = !node->buffer;
    HistPairs to_left = {0}, to_right = {0};
    if (wants_sums(b, left, right)) to_left = hist_pairs_from(b->q[to], task->left_at);
    if (wants_sums(b, right, left)) to_right = hist_pairs_from(b->q[to], task->right_at);
    partition_move(bits, rows, hist_pairs_from(b->q[node->buffer], at), at, task->n, task->n_left,
                   b->rows[to] + task->left_at, to_left, b->rows[to] + task->right_at, to_right);
}

/* The rows of each family's parent, to its children. */
static bool partition(HistBuilder *b, Error *err)
{
    size_t n_tasks = 0;
    for (int32_t f = 0; f < b->n_families; f++)
        n_tasks += chunk_count(b->nodes[b->families[f].parent].n, PARTITION_CHUNK);
    b->partitions = data_grow(b->partitions, 0, n_tasks, sizeof *b->partitions, "the tasks", err);
    if (!b->partitions) return false;
    size_t words = n_tasks * (PARTITION_CHUNK / 64);
    if (words > b->bits_words) {
        b->bits = data_grow(b->bits, 0, words, sizeof *b->bits, "the partition", err);
        if (!b->bits) return false;
        b->bits_words = words;
    }
    n_tasks = 0;
    for (int32_t f = 0; f < b->n_families; f++) {
        size_t n = b->nodes[b->families[f].parent].n;
        for (size_t begin = 0; begin < n; begin += PARTITION_CHUNK)
            b->partitions[n_tasks++] = (PartitionTask){
                .node = b->families[f].parent,
                .test = &b->families[f].test,
                .begin = begin,
                .n = MIN((size_t)PARTITION_CHUNK, n - begin),
            };
    }
    parallel_for(b->pool, n_tasks, 1, mark_rows, b);

    size_t t = 0;
    for (int32_t f = 0; f < b->n_families; f++) {
        const Family *family = &b->families[f];
        const Node *parent = &b->nodes[family->parent];
        Node *left = &b->nodes[family->left], *right = &b->nodes[family->right];
        size_t n_chunks = chunk_count(parent->n, PARTITION_CHUNK), n_left = 0;
        for (size_t c = 0; c < n_chunks; c++) n_left += b->partitions[t + c].n_left;
        left->buffer = right->buffer = !parent->buffer;
        left->begin = parent->begin;
        left->n = n_left;
        right->begin = parent->begin + n_left;
        right->n = parent->n - n_left;
        left->labeled = right->labeled = b->label && left->depth == b->max_depth;
        size_t left_at = left->begin, right_at = right->begin;
        for (size_t c = 0; c < n_chunks; c++, t++) {
            PartitionTask *task = &b->partitions[t];
            task->left_at = left_at;
            task->right_at = right_at;
            left_at += task->n_left;
            right_at += task->n - task->n_left;
        }
    }
    parallel_for(b->pool, n_tasks, 1, move_rows, b);
    return true;
}

/* ---- splitting nodes ---- */

static bool reserve_nodes(HistBuilder *b, int32_t n, Error *err)
{
    if (n <= b->nodes_capacity) return true;
    int32_t capacity = MAX(n, 2 * b->nodes_capacity);
    Node *nodes = data_grow(b->nodes, (size_t)b->nodes_capacity, (size_t)capacity, sizeof *nodes,
                            "the nodes", err);
    if (!nodes) return false;
    b->nodes = nodes;
    b->nodes_capacity = capacity;
    return true;
}

/* A node is worth a histogram when its depth allows a split and both children could be heavy enough. */
static bool may_split(const HistBuilder *b, const Node *node)
{
    GradSum sum = hist_value(node->sum, b->search.unit);
    return (b->max_depth == 0 || node->depth < b->max_depth) && node->n > 1 &&
           sum.h >= 2 * b->rules.min_child_weight;
}

static bool split_node(HistBuilder *b, int32_t id, Family *family, Error *err)
{
    if (!reserve_nodes(b, b->tree->n_nodes + 2, err)) return false;
    Node *node = &b->nodes[id];
    const Split *split = &node->best.split;
    Tree *tree = b->tree;
    *family = (Family){.parent = id, .left = tree->n_nodes, .right = tree->n_nodes + 1};
    family->test = (BinTest){
        .column = split->feature,
        .default_left = split->default_left,
        .categorical = split->categorical,
        .bin = split->bin,
    };
    if (split->categorical) {
        int32_t n_bins = bins_count(b->bins, split->feature);
        uint8_t *right = arena_array(&b->scratch, uint8_t, n_bins);
        for (int32_t i = 0; i < node->n_categories; i++) right[node->categories[i]] = 1;
        family->test.right = right;
        family->test.n_right = n_bins;
        if (!tree_split_categories(tree, id, split->feature, node->categories, node->n_categories,
                                   split->default_left, err))
            return false;
    } else if (!tree_split(tree, id, split->feature, split->threshold, split->default_left, err)) {
        return false;
    }
    tree->gain[id] = split->gain;
    Bounds left_bounds, right_bounds;
    split_child_bounds(&b->rules, split->feature, split->left, split->right, node->bounds,
                       &left_bounds, &right_bounds);
    b->nodes[family->left] = (Node){
        .depth = node->depth + 1, .sum = node->best.left, .bounds = left_bounds};
    b->nodes[family->right] = (Node){
        .depth = node->depth + 1, .sum = node->sum - node->best.left, .bounds = right_bounds};
    return true;
}

/* Splits the nodes list[0 .. n) and finds the best splits of their children. */
static bool split_nodes(HistBuilder *b, const int32_t *list, int32_t n, Error *err)
{
    ARENA(scratch);
    b->families = arena_array(&scratch, Family, n);
    b->n_families = n;
    for (int32_t i = 0; i < n; i++)
        if (!split_node(b, list[i], &b->families[i], err)) return false;
    if (!partition(b, err)) return false;

    int32_t *build = arena_array(&scratch, int32_t, 2 * n),
            *search = arena_array(&scratch, int32_t, 2 * n);
    int32_t n_build = 0, n_search = 0;
    for (int32_t i = 0; i < n; i++) {
        const Family *family = &b->families[i];
        Node *parent = &b->nodes[family->parent];
        Node *left = &b->nodes[family->left], *right = &b->nodes[family->right];
        bool left_is_small = left->n <= right->n;
        Node *small = left_is_small ? left : right, *large = left_is_small ? right : left;
        int32_t small_id = left_is_small ? family->left : family->right;
        int32_t large_id = left_is_small ? family->right : family->left;
        small->search = may_split(b, small);
        large->search = may_split(b, large);
        bool by_subtraction = large->search && parent->hist;
        if (small->search || by_subtraction) {
            small->hist = take_hist(b, err);
            if (!small->hist) return false;
            build[n_build++] = small_id;
        }
        if (by_subtraction) {
            large->hist = STEAL(parent->hist);
        } else if (large->search) {
            large->hist = take_hist(b, err);
            if (!large->hist) return false;
            build[n_build++] = large_id;
            large->search = false; /* not by subtraction; set again below */
        }
        give_hist(b, parent->hist);
        parent->hist = NULL;
        if (small->search) search[n_search++] = small_id;
        if (large->hist) search[n_search++] = large_id;
    }
    if (!build_hists(b, build, n_build, err)) return false;
    parallel_for(b->pool, (size_t)n, 1, subtract_sibling, b);
    for (int32_t i = 0; i < n; i++) {
        const Family *family = &b->families[i];
        Node *left = &b->nodes[family->left], *right = &b->nodes[family->right];
        Node *small = left->n <= right->n ? left : right;
        if (small->search || !small->hist) continue;
        give_hist(b, small->hist); /* it served its sibling only */
        small->hist = NULL;
    }
    return search_nodes(b, search, n_search, err);
}

static bool worth(const HistBuilder *b, int32_t id)
{
    return split_is_worth(&b->nodes[id].best.split, b->rules.gamma);
}

static bool grow_depthwise(HistBuilder *b, Error *err)
{
    int32_t n_leaves = 1, level_first = 0;
    while (level_first < b->tree->n_nodes) {
        int32_t level_end = b->tree->n_nodes;
        int32_t list[BATCH], n = 0;
        for (int32_t id = level_first; id < level_end; id++) {
            if (!worth(b, id) || (b->max_leaves > 0 && n_leaves >= b->max_leaves)) {
                give_hist(b, STEAL(b->nodes[id].hist));
            } else {
                list[n++] = id;
                n_leaves++;
            }
            if (n == BATCH || (n && id == level_end - 1)) {
                if (!split_nodes(b, list, n, err)) return false;
                n = 0;
            }
        }
        if (n && !split_nodes(b, list, n, err)) return false;
        level_first = level_end;
    }
    return true;
}

/* A heap of nodes: the one that gains most on top, the older one among equals. */
static bool comes_before(const HistBuilder *b, int32_t x, int32_t y)
{
    float gx = b->nodes[x].best.split.gain, gy = b->nodes[y].best.split.gain;
    return gx > gy || (!(gx < gy) && x < y);
}

static void heap_push(const HistBuilder *b, int32_t *heap, int32_t *n, int32_t id)
{
    int32_t i = (*n)++;
    for (; i > 0 && comes_before(b, id, heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = id;
}

static int32_t heap_pop(const HistBuilder *b, int32_t *heap, int32_t *n)
{
    int32_t top = heap[0], last = heap[--*n], i = 0;
    for (;;) {
        int32_t child = 2 * i + 1;
        if (child >= *n) break;
        if (child + 1 < *n && comes_before(b, heap[child + 1], heap[child])) child++;
        if (!comes_before(b, heap[child], last)) break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

static bool grow_lossguide(HistBuilder *b, Error *err)
{
    int32_t n_leaves = 1, n_heap = 0, capacity = 64;
    AUTO_DATA int32_t *heap = data_array(int32_t, capacity, "the open nodes", err);
    if (!heap) return false;
    if (worth(b, 0)) heap_push(b, heap, &n_heap, 0);
    while (n_heap && (b->max_leaves == 0 || n_leaves < b->max_leaves)) {
        int32_t id = heap_pop(b, heap, &n_heap), first = b->tree->n_nodes;
        if (!split_nodes(b, &id, 1, err)) return false;
        n_leaves++;
        if (n_heap + 2 > capacity) {
            int32_t *more = data_grow(heap, (size_t)n_heap, (size_t)capacity * 2, sizeof *heap,
                                      "the open nodes", err);
            if (!more) return false;
            heap = more;
            capacity *= 2;
        }
        for (int32_t child = first; child < first + 2; child++)
            if (worth(b, child)) heap_push(b, heap, &n_heap, child);
    }
    return true;
}

/* ---- the start and the end of a tree ---- */

static void measure_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    HistBuilder *b = arg;
    b->partial[chunk] = hist_magnitude(b->task->gh, b->task->stride, begin, end);
}

static void quantize_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    HistBuilder *b = arg;
    Random random = random_stream(b->seed, 0x51a7);
    b->chunk_sums[chunk] = hist_quantize(b->task->gh, b->task->stride, begin, end, b->search.unit,
                                         (uint32_t)random_u64(random, b->task->tree),
                                         hist_pairs_from(b->q[0], begin));
}

/* Lists the chosen rows and keeps their pairs; returns how many they are. */
static size_t keep_chosen(HistBuilder *b, const uint8_t *chosen, size_t n)
{
    uint32_t *narrow = b->q[0].q;
    HistSum *wide = b->q[0].q;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        b->rows[0][kept] = (uint32_t)i;
        if (b->q[0].narrow)
            narrow[kept] = narrow[i];
        else
            wide[kept] = wide[i];
        kept += chosen[i] != 0;
    }
    return kept;
}

/* Rows and their rounded gradients into the first buffer, in the order of rows. */
static bool start_tree(HistBuilder *b, Error *err)
{
    size_t n = (size_t)b->bins->n_rows, n_chunks = chunk_count(n, QUANTIZE_CHUNK);
    b->partial = arena_array(&b->scratch, HistMagnitude, n_chunks);
    b->chunk_sums = arena_array(&b->scratch, HistSum, n_chunks);
    parallel_for(b->pool, n, QUANTIZE_CHUNK, measure_rows, b);
    HistMagnitude total = {{0, 0}, {0, 0}};
    for (size_t c = 0; c < n_chunks; c++) {
        total.sum.g += b->partial[c].sum.g;
        total.sum.h += b->partial[c].sum.h;
        total.most.g = MAX(total.most.g, b->partial[c].most.g);
        total.most.h = MAX(total.most.h, b->partial[c].most.h);
    }
    if (!isfinite(total.sum.g) || !isfinite(total.sum.h))
        return error_set(err, ERROR_NUMERIC,
                         "the gradients are no longer finite; a smaller eta, or a bound by "
                         "max_delta_step, helps");
    b->search.unit = hist_unit(total, n, &b->q[0].narrow);
    b->q[1].narrow = b->q[0].narrow;
    parallel_for(b->pool, n, QUANTIZE_CHUNK, quantize_rows, b);

    b->identity = !b->task->chosen;
    b->n_rows = b->identity ? n : keep_chosen(b, b->task->chosen, n);
    HistSum sum = 0; /* rows that were not chosen have 0 */
    for (size_t c = 0; c < n_chunks; c++) sum += b->chunk_sums[c];
    if (!reserve_nodes(b, 64, err)) return false;
    b->nodes[0] = (Node){.n = b->n_rows, .sum = sum, .bounds = NO_BOUNDS};
    if (!may_split(b, &b->nodes[0])) return true;
    b->nodes[0].hist = take_hist(b, err);
    if (!b->nodes[0].hist) return false;
    int32_t root = 0;
    return build_hists(b, &root, 1, err) && search_nodes(b, &root, 1, err);
}

typedef struct LeafTask {
    int32_t node;
    size_t begin, n;
    GradSum sum;
} LeafTask;

typedef struct Finish {
    HistBuilder *b;
    LeafTask *tasks;
    GradSum *sums; /* of the nodes, per chunk of rows */
} Finish;

/* Says for the rows of a leaf that it is theirs; without labels, sums their gradients up too. */
static void finish_leaf(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    Finish *finish = arg;
    HistBuilder *b = finish->b;
    LeafTask *task = &finish->tasks[chunk];
    const Node *node = &b->nodes[task->node];
    bool identity = b->identity && task->node == 0;
    const uint32_t *rows = b->rows[node->buffer] + task->begin;
    if (b->label) {
        for (size_t i = 0; i < task->n; i++)
            b->label[identity ? task->begin + i : rows[i]] = (uint8_t)task->node;
        return;
    }
    GradSum sum = {0, 0};
    for (size_t i = 0; i < task->n; i++) {
        size_t row = identity ? task->begin + i : rows[i];
        const float *pair = b->task->gh + (int64_t)row * b->task->stride;
        b->row_leaf[row] = task->node;
        sum.g += (double)pair[0];
        sum.h += (double)pair[1];
    }
    task->sum = sum;
}

typedef float F32x2 __attribute__((vector_size(8)));
typedef double F64x2 __attribute__((vector_size(16)));

enum { SUM_CHAINS = 4 };

static inline __attribute__((always_inline)) void add_pair(F64x2 *sum, const float *pair)
{
    F32x2 gh;
    memcpy(&gh, pair, sizeof gh);
    *sum += __builtin_convertvector(gh, F64x2);
}

/* Labels to leaves, and the sums of the gradients of each leaf.  Four rows in turn have their own sums, so
 * that an addition does not wait for the one before when both rows are in one leaf. */
static void finish_labels(void *arg, size_t chunk, size_t begin, size_t end)
{
    Finish *finish = arg;
    HistBuilder *b = finish->b;
    size_t n_nodes = (size_t)b->tree->n_nodes;
    UNINITIALIZED F64x2 sums[SUM_CHAINS][256];
    for (size_t k = 0; k < SUM_CHAINS; k++) memset(sums[k], 0, n_nodes * sizeof *sums[k]);
    const uint8_t *chosen = b->task->chosen, *label = b->label;
    const float *gh = b->task->gh;
    int64_t stride = b->task->stride;
    int32_t *row_leaf = b->row_leaf;
    size_t i = begin;
    for (; !chosen && stride == 2 && i + SUM_CHAINS <= end; i += SUM_CHAINS) {
        for (size_t k = 0; k < SUM_CHAINS; k++) {
            add_pair(&sums[k][label[i + k]], gh + 2 * (i + k));
            row_leaf[i + k] = label[i + k];
        }
    }
    for (; i < end; i++) {
        if (chosen && !chosen[i]) continue;
        add_pair(&sums[i % SUM_CHAINS][label[i]], gh + (int64_t)i * stride);
        row_leaf[i] = label[i];
    }
    for (size_t k = 0; k < n_nodes; k++) {
        F64x2 sum = (sums[0][k] + sums[1][k]) + (sums[2][k] + sums[3][k]);
        finish->sums[chunk * n_nodes + k] = (GradSum){sum[0], sum[1]};
    }
}

static bool sum_leaves(HistBuilder *b, GradSum *sums, Error *err)
{
    Tree *tree = b->tree;
    size_t n_tasks = 0, n = (size_t)b->bins->n_rows, n_nodes = (size_t)tree->n_nodes;
    size_t n_chunks = b->label ? chunk_count(n, LEAF_CHUNK) : 0;
    for (int32_t i = 0; i < tree->n_nodes; i++)
        if (tree_is_leaf(tree, i)) n_tasks += chunk_count(b->nodes[i].n, LEAF_CHUNK);
    AUTO_DATA LeafTask *tasks = data_array(LeafTask, n_tasks, "the leaves", err);
    AUTO_DATA GradSum *chunk_sums = data_array(GradSum, n_chunks * n_nodes, "the leaves", err);
    if (!tasks || !chunk_sums) return false;
    n_tasks = 0;
    for (int32_t i = 0; i < tree->n_nodes; i++) {
        const Node *node = &b->nodes[i];
        if (!tree_is_leaf(tree, i) || node->labeled) continue;
        for (size_t at = 0; at < node->n; at += LEAF_CHUNK)
            tasks[n_tasks++] = (LeafTask){
                .node = i, .begin = node->begin + at, .n = MIN((size_t)LEAF_CHUNK, node->n - at)};
    }
    Finish finish = {b, tasks, chunk_sums};
    parallel_for(b->pool, n_tasks, 1, finish_leaf, &finish);
    if (b->label) parallel_for(b->pool, n, LEAF_CHUNK, finish_labels, &finish);
    for (size_t t = 0; t < n_tasks && !b->label; t++) {
        sums[tasks[t].node].g += tasks[t].sum.g;
        sums[tasks[t].node].h += tasks[t].sum.h;
    }
    for (size_t k = 0; k < n_chunks * n_nodes; k++) {
        sums[k % n_nodes].g += chunk_sums[k].g;
        sums[k % n_nodes].h += chunk_sums[k].h;
    }
    return true;
}

/* Weights and covers from the real gradients. */
static bool finish_tree(HistBuilder *b, Error *err)
{
    Tree *tree = b->tree;
    AUTO_DATA GradSum *sums = data_array(GradSum, tree->n_nodes, "the leaves", err);
    if (!sums || !sum_leaves(b, sums, err)) return false;
    /* The rounded sums have seen to min_child_weight. */
    SplitRules rules = b->rules;
    if (tree->n_nodes > 1) rules.min_child_weight = 0;
    for (int32_t i = tree->n_nodes - 1; i >= 0; i--) {
        double weight = split_weight(&rules, sums[i], b->nodes[i].bounds);
        tree->cover[i] = (float)sums[i].h;
        tree->weight[i] = (float)weight;
        if (tree_is_leaf(tree, i))
            tree->weight[i] = tree->threshold[i] = (float)(weight * rules.eta);
        if (i == 0) break;
        sums[tree->parent[i]].g += sums[i].g;
        sums[tree->parent[i]].h += sums[i].h;
    }
    return true;
}

/* ---- leaves by bins ---- */

typedef struct RouteNode {
    const uint8_t *col; /* u8 columns: the fast way */
    uint8_t add, limit;
    int32_t left; /* -1: a leaf */
    BinTest test;
} RouteNode;

typedef struct RouteJob {
    const Bins *bins;
    const RouteNode *nodes;
    const uint8_t *skip; /* rows that have a leaf already, or NULL */
    bool fast;
    int32_t *row_leaf;
} RouteJob;

static void route_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    const RouteJob *job = arg;
    const RouteNode *nodes = job->nodes;
    for (size_t row = begin; row < end; row++) {
        if (job->skip && job->skip[row]) continue;
        int32_t at = 0;
        if (job->fast) {
            for (const RouteNode *node = nodes; node->left >= 0; node = &nodes[at])
                at = node->left + !((uint8_t)(node->col[row] + node->add) <= node->limit);
        } else {
            for (const RouteNode *node = nodes; node->left >= 0; node = &nodes[at]) {
                uint32_t bin = bins_at(job->bins, (int64_t)row, node->test.column);
                at = node->left + !bin_goes_left(&node->test, job->bins, bin);
            }
        }
        job->row_leaf[row] = at;
    }
}

/* Bin of a threshold of a tree that was grown on these cuts. */
static int32_t bin_of_threshold(const Bins *bins, int32_t column, float threshold)
{
    const float *cuts = bins->cuts + bins->cut_start[column];
    int32_t low = 0, high = bins_count(bins, column);
    while (low < high) {
        int32_t middle = (low + high) / 2;
        if (cuts[middle] < threshold)
            low = middle + 1;
        else
            high = middle;
    }
    return threshold <= -FLT_MAX ? -1 : low;
}

static bool route(const Bins *bins, const Tree *tree, const uint8_t *skip, Pool *pool,
                  int32_t *row_leaf, Error *err)
{
    ARENA(scratch);
    AUTO_DATA RouteNode *nodes = data_array(RouteNode, tree->n_nodes, "the nodes", err);
    if (!nodes) return false;
    bool fast = bins->width == 1;
    for (int32_t i = 0; i < tree->n_nodes; i++) {
        RouteNode *node = &nodes[i];
        node->left = tree->left[i];
        if (tree_is_leaf(tree, i)) continue;
        int32_t column = tree->feature[i];
        node->test.column = column;
        node->test.default_left = tree->default_left[i];
        if (tree->categorical[i]) {
            fast = false;
            node->test.categorical = true;
            node->test.n_right = bins_count(bins, column);
            uint8_t *right = arena_array(&scratch, uint8_t, node->test.n_right);
            for (int32_t k = 0; k < tree->set_size[i]; k++) {
                int32_t category = tree->categories[tree->set_start[i] + k];
                if (category < node->test.n_right) right[category] = 1;
            }
            node->test.right = right;
            continue;
        }
        node->test.bin = bin_of_threshold(bins, column, tree->threshold[i]);
        node->add = tree->default_left[i];
        node->limit = (uint8_t)(node->test.bin + node->add);
        if (node->test.bin < 0 && !node->add) fast = false;
        node->col = bins->width == 1 ? bins->cols + (size_t)column * bins->col_stride : NULL;
    }
    RouteJob job = {bins, nodes, skip, fast, row_leaf};
    parallel_for(pool, (size_t)bins->n_rows, 4096, route_rows, &job);
    return true;
}

/* ---- the builder ---- */

static bool hist_grow(Builder *base, const GrowTask *task, Tree *tree, int32_t *row_leaf,
                      Error *err)
{
    HistBuilder *b = (HistBuilder *)base;
    arena_clear(&b->scratch);
    b->task = task;
    b->tree = tree;
    b->row_leaf = row_leaf;
    column_choice_tree(b->columns, task->tree);
    bool grown = start_tree(b, err) &&
                 (b->policy == GROW_LOSSGUIDE ? grow_lossguide(b, err) : grow_depthwise(b, err));
    for (int32_t i = 0; i < MIN(tree->n_nodes, b->nodes_capacity); i++)
        give_hist(b, STEAL(b->nodes[i].hist));
    if (!grown || !finish_tree(b, err)) return false;
    return !task->chosen || route(b->bins, tree, task->chosen, b->pool, row_leaf, err);
}

static bool hist_route(Builder *base, const Tree *tree, bool validation, int32_t *row_leaf,
                       Error *err)
{
    HistBuilder *b = (HistBuilder *)base;
    return route(validation ? b->validation : b->bins, tree, NULL, b->pool, row_leaf, err);
}

static void hist_free(Builder *base)
{
    HistBuilder *b = (HistBuilder *)base;
    if (!b) return;
    for (size_t i = 0; i < b->n_free; i++) data_free(b->free_hists[i]);
    free(b->free_hists);
    for (int i = 0; i < b->n_workspaces; i++) data_free(b->workspaces[i].hist);
    for (int k = 0; k < 2; k++) {
        data_free(b->rows[k]);
        data_free(b->q[k].q);
    }
    data_free(b->label);
    data_free(b->nodes);
    data_free(b->partitions);
    data_free(b->bits);
    data_free(b->builds);
    data_free(b->searches);
    bins_free(b->bins);
    bins_free(b->validation);
    arena_clear(&b->scratch);
    arena_clear(&b->arena);
    free(b);
}

bool hist_builder_new(const BoostParams *params, BoostData *train, BoostData *validation, bool keep,
                      bool merge, Pool *pool, Builder **ret_builder, Error *err)
{
    HistBuilder *b = calloc(1, sizeof *b);
    if (!b) memory_exhausted(sizeof *b);
    b->base = (Builder){.grow = hist_grow, .route = hist_route, .free = hist_free};
    AUTO(builder_free) Builder *builder = &b->base;
    int32_t n_features = train->features.n_cols;
    b->rules = split_rules(params, n_features, &b->arena);
    b->columns = column_choice_new(params, n_features, &b->arena);
    b->policy = params->grow_policy;
    b->max_depth = (int32_t)MIN(params->max_depth, INT32_MAX);
    b->max_leaves = (int32_t)MIN(params->max_leaves, INT32_MAX);
    b->seed = params->seed;
    b->pool = pool;
    if (!bins_new(params, train, keep, merge, pool, &b->bins, err)) return false;
    size_t n_rows = (size_t)b->bins->n_rows;
    b->base.alike = b->bins->alike;
    b->base.alike_label = b->bins->alike_label;
    b->base.alike_weight = b->bins->alike_weight;
    b->base.n_alike = b->bins->n_rows;
    if (validation && !bins_new_like(b->bins, validation, keep, pool, &b->validation, err))
        return error_in(err, "validation data");

    for (int k = 0; k < 2; k++) {
        b->rows[k] = data_array(uint32_t, n_rows + HIST_ROWS_AHEAD, "the rows", err);
        b->q[k].q = data_array(HistSum, n_rows + 16, "the rounded gradients", err);
        if (!b->rows[k] || !b->q[k].q) return false;
    }
    if (b->policy == GROW_DEPTHWISE && b->max_depth > 0 && b->max_depth <= 7) {
        b->label = data_array(uint8_t, n_rows, "the leaves", err);
        if (!b->label) return false;
    }
    size_t hist_bytes = ((size_t)b->bins->n_slots + 256) * sizeof(HistSum);
    b->hists_max = MAX(HISTOGRAM_BYTES / hist_bytes, 4);
    b->locks = arena_alloc(&b->arena, BATCH * sizeof *b->locks);
    b->n_workspaces = pool_threads(pool) > 1 ? pool_threads(pool) : 0;
    b->workspaces = arena_alloc(&b->arena, (size_t)(b->n_workspaces + 1) * sizeof *b->workspaces);
    for (int i = 0; i < b->n_workspaces; i++) {
        b->workspaces[i].hist = data_array(HistSum, b->bins->n_slots + 256, "a histogram", err);
        if (!b->workspaces[i].hist) return false;
    }
    b->search = (HistSearch){
        .bins = b->bins,
        .rules = &b->rules,
        .max_cat_to_onehot = (int32_t)MIN(params->max_cat_to_onehot, INT32_MAX),
        .max_cat_threshold = (int32_t)MIN(params->max_cat_threshold, INT32_MAX),
    };
    *ret_builder = STEAL(builder);
    return true;
}
