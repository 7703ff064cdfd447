/* Trees by scanning every value: tree_method exact, and approx on the same ground.
 *
 * The values of each column are sorted once.  A tree starts from a copy of these lists; each node
 * owns a segment of every list, and a split parts the segments into those of the two children,
 * in order (Shafer, Agrawal, Mehta: SPRINT, 1996).  A node's scan therefore reads memory in sequence
 * but for the gradients, and touches only rows of its own.
 *
 * exact considers every boundary between different values, at their midpoint.  approx considers at most
 * max_bin boundaries a column, chosen for each tree so that equal shares of the second derivatives
 * lie between them (Chen, Guestrin: XGBoost, 2016, weighted quantile sketch; here the quantiles are not
 * sketched but exact): values are replaced by the number of their bin.
 *
 * Missing values are in no list.  Forward scans keep them right, backward scans left.  As in XGBoost,
 * ties between gains go to the lower feature, then to the forward scan, and gamma prunes exact's trees
 * afterwards, while it stops approx from splitting.
 *
 * Threads share the columns of a node; their best splits are compared in the order of columns. */

#include "boost/grow.h"
#include "boost/sort.h"

#include "base/memory.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SMALL_NODE = 2048 }; /* values; below, one thread scans all columns */

typedef struct Entry {
    uint32_t row;
    float value; /* approx: number of the bin */
} Entry;

typedef struct NodeWork {
    int32_t node, depth;
    size_t begin, end; /* rows */
    size_t n_chosen;
    GradSum sum;
    Bounds bounds;
    Split split;
    size_t
        *segment; /* of column j: [segment[j], segment[n_cols + j]); NULL: it will not be split */
} NodeWork;

typedef struct ExactBuilder {
    Builder builder;
    bool approx;
    const BoostParams *params;
    BoostData *train;
    Pool *pool;
    Arena arena;
    SplitRules rules;
    ColumnChoice *choice;
    int32_t n_cols;

    size_t *list_start; /* of column j in the lists; n_cols + 1 */
    Entry *sorted;      /* all columns, ascending */
    Entry *list;        /* this tree's */
    Entry *spare;       /* for partitions; as long as a list */
    uint32_t *row, *spare_row;
    uint8_t *right; /* of each row: goes right in the split at hand */
    float *cuts;    /* approx: cut b of column j at j * max_bin + b: the least value of bin b */
    float *range;   /* approx: least and greatest value of column j in this tree */

    NodeWork *nodes; /* open nodes, a ring for depthwise, a heap's plain array for lossguide */
    size_t n_nodes, nodes_capacity, first;
    size_t **
        free_segments; /* of nodes that are done with; there are as many as were ever open at once */
    size_t n_free, n_segments;
    Split *found; /* best split of each column */
} ExactBuilder;

/* ---- presorting ---- */

typedef struct SortJob {
    ExactBuilder *b;
    const size_t *csr_start; /* sparse data, unsorted entries already in place */
    Error err;
    int failed;
} SortJob;

static bool sort_entries(Entry *entries, size_t n, Error *err)
{
    AUTO_DATA float *key = data_array(float, n, "the values of a column", err);
    if (!key) return false;
    AUTO_DATA uint32_t *order = data_array(uint32_t, n, "the order of a column", err);
    if (!order) return false;
    AUTO_DATA SortItem *work = data_array(SortItem, 2 * n, "the sorting of a column", err);
    if (!work) return false;
    AUTO_DATA Entry *copy = data_array(Entry, n, "a column", err);
    if (!copy) return false;
    for (size_t k = 0; k < n; k++) key[k] = entries[k].value;
    sort_order(key, false, order, n, work);
    memcpy(copy, entries, n * sizeof *copy);
    for (size_t k = 0; k < n; k++) entries[k] = copy[order[k]];
    return true;
}

static void sort_column(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    SortJob *job = arg;
    for (size_t j = begin; j < end; j++) {
        size_t start = job->b->list_start[j];
        Error err = {0};
        if (sort_entries(job->b->sorted + start, job->b->list_start[j + 1] - start, &err)) continue;
        if (!__atomic_exchange_n(&job->failed, 1, __ATOMIC_RELAXED)) job->err = err;
    }
}

/* Non-missing values of all columns in row order, columns one after the other. */
static bool gather_columns(ExactBuilder *b, Error *err)
{
    const Matrix *m = &b->train->features;
    size_t n_cols = (size_t)m->n_cols, n_rows = (size_t)m->n_rows;
    b->list_start = arena_array(&b->arena, size_t, n_cols + 2);
    size_t *count = b->list_start + 1;
    for (size_t i = 0; i < n_rows; i++) {
        if (m->layout == MATRIX_CSR) {
            for (int64_t k = m->row_start[i]; k < m->row_start[i + 1]; k++)
                if (!isnan(m->value[k])) count[m->col[k]]++;
        } else if (m->layout == MATRIX_ROWS) {
            for (size_t j = 0; j < n_cols; j++)
                count[j] += !isnan(m->rows[(int64_t)i * m->row_stride + (int64_t)j]);
        }
    }
    for (size_t j = 0; m->layout == MATRIX_COLUMNS && j < n_cols; j++)
        for (size_t i = 0; i < n_rows; i++) count[j] += !isnan(m->column[j][i]);
    for (size_t j = 1; j < n_cols; j++) count[j] += count[j - 1];

    size_t total = b->list_start[n_cols];
    b->sorted = data_array(Entry, total, "the sorted columns", err);
    if (!b->sorted) return false;
    ARENA(scratch);
    size_t *next = arena_array(&scratch, size_t, n_cols);
    memcpy(next, b->list_start, n_cols * sizeof *next);
    for (size_t j = 0; m->layout == MATRIX_COLUMNS && j < n_cols; j++)
        for (size_t i = 0; i < n_rows; i++)
            if (!isnan(m->column[j][i]))
                b->sorted[next[j]++] = (Entry){(uint32_t)i, m->column[j][i]};
    for (size_t i = 0; m->layout != MATRIX_COLUMNS && i < n_rows; i++) {
        if (m->layout == MATRIX_CSR) {
            for (int64_t k = m->row_start[i]; k < m->row_start[i + 1]; k++)
                if (!isnan(m->value[k]))
                    b->sorted[next[m->col[k]]++] = (Entry){(uint32_t)i, m->value[k]};
        } else {
            for (size_t j = 0; j < n_cols; j++) {
                float value = m->rows[(int64_t)i * m->row_stride + (int64_t)j];
                if (!isnan(value)) b->sorted[next[j]++] = (Entry){(uint32_t)i, value};
            }
        }
    }
    SortJob job = {.b = b};
    parallel_for(b->pool, n_cols, 1, sort_column, &job);
    if (job.failed) *err = job.err;
    return !job.failed;
}

/* ---- the start of a tree ---- */

typedef struct StartJob {
    ExactBuilder *b;
    const GrowTask *task;
    size_t *end; /* of each column's list */
} StartJob;

/* Replaces values by bins of equal weight; see the head. */
static void bin_column(ExactBuilder *b, const GrowTask *task, size_t j, size_t start, size_t end)
{
    size_t max_bin = (size_t)b->params->max_bin;
    float *cuts = b->cuts + j * max_bin;
    Entry *list = b->list;
    double total = 0, sum = 0;
    b->range[2 * j] = b->range[2 * j + 1] = 0;
    if (start == end) return;
    b->range[2 * j] = list[start].value;
    b->range[2 * j + 1] = list[end - 1].value;
    size_t n_distinct = 1;
    for (size_t k = start; k < end; k++) {
        total += (double)task->gh[(int64_t)list[k].row * task->stride + 1];
        if (k > start && list[k].value != list[k - 1].value) n_distinct++;
    }
    size_t bin = 0;
    float last = list[start].value;
    cuts[0] = last;
    for (size_t k = start; k < end; k++) {
        float value = list[k].value;
        /* a new bin where the weight so far fills the ones before; one for each value when they fit */
        if (value != last && bin + 1 < max_bin &&
            (n_distinct <= max_bin || sum * (double)max_bin >= total * (double)(bin + 1))) {
            cuts[++bin] = value;
        }
        last = value;
        sum += (double)task->gh[(int64_t)list[k].row * task->stride + 1];
        list[k].value = (float)bin;
    }
}

static void start_column(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    StartJob *job = arg;
    ExactBuilder *b = job->b;
    const uint8_t *chosen = job->task->chosen;
    for (size_t j = begin; j < end; j++) {
        size_t start = b->list_start[j], stop = b->list_start[j + 1], to = start;
        if (!chosen) {
            memcpy(b->list + start, b->sorted + start, (stop - start) * sizeof(Entry));
            to = stop;
        } else {
            for (size_t k = start; k < stop; k++) {
                b->list[to] = b->sorted[k];
                to += chosen[b->sorted[k].row];
            }
        }
        job->end[j] = to;
        if (b->approx) bin_column(b, job->task, j, start, to);
    }
}

/* ---- the best split of a node ---- */

typedef struct ScanJob {
    ExactBuilder *b;
    const GrowTask *task;
    NodeWork *work;
    const uint8_t *allowed;
    double parent; /* its score */
} ScanJob;

/* Where to cut between two neighbors of a list, low < high. */
static float threshold_between(const ExactBuilder *b, size_t j, float low, float high)
{
    if (b->approx) return b->cuts[j * (size_t)b->params->max_bin + (size_t)high];
    float middle = (low + high) * 0.5f;
    return middle > low && middle < high ? middle : high;
}

/* Below or above all values that are there, so that only missing ones go to the other side. */
static float threshold_beyond(const ExactBuilder *b, size_t j, float last, bool above)
{
    if (b->approx) last = b->range[2 * j + above];
    float gap = fabsf(last) + (float)SPLIT_GAIN_MIN;
    return above ? last + gap : last - gap;
}

static void propose(const ScanJob *job, size_t j, GradSum left, GradSum right, float threshold,
                    bool default_left, Split *best)
{
    double gain = split_children_score(&job->b->rules, (int32_t)j, left, right, job->work->bounds) -
                  job->parent;
    if (!split_is_better(best, gain, (int32_t)j)) return;
    *best = (Split){
        .gain = (float)gain,
        .feature = (int32_t)j,
        .threshold = threshold,
        .default_left = default_left,
        .left = left,
        .right = right,
    };
}

static inline GradSum rest_of(GradSum whole, GradSum part)
{
    return (GradSum){whole.g - part.g, whole.h - part.h};
}

/* One direction: `ahead` gathers what was passed; the rest and the missing are behind. */
static void scan(const ScanJob *job, size_t j, bool forward, bool beyond, Split *best)
{
    const ExactBuilder *b = job->b;
    const NodeWork *work = job->work;
    size_t begin = work->segment[j], n = work->segment[b->n_cols + (int32_t)j] - begin;
    const Entry *list = b->list + begin;
    const float *gh = job->task->gh;
    int64_t stride = job->task->stride;
    double light = b->rules.min_child_weight, lambda = b->rules.lambda;
    bool simple = b->rules.simple;
    GradSum passed = {0, 0}, whole = work->sum;
    float last = 0;
    for (size_t k = 0; k < n; k++) {
        Entry e = list[forward ? k : n - 1 - k];
        if (k + 16 < n)
            __builtin_prefetch(gh + (int64_t)list[forward ? k + 16 : n - 17 - k].row * stride);
        if (k && e.value != last && passed.h >= light) {
            GradSum other = rest_of(whole, passed);
            if (other.h >= light) {
                /* a cheap look first: most boundaries are no better */
                double score = simple ? passed.g * passed.g / (passed.h + lambda) +
                                            other.g * other.g / (other.h + lambda) - job->parent
                                      : INFINITY;
                if ((float)score > best->gain)
                    propose(
                        job, j, forward ? passed : other, forward ? other : passed,
                        threshold_between(b, j, forward ? last : e.value, forward ? e.value : last),
                        !forward, best);
            }
        }
        passed.g += (double)gh[(int64_t)e.row * stride];
        passed.h += (double)gh[(int64_t)e.row * stride + 1];
        last = e.value;
    }
    if (!beyond || n == 0) return;
    GradSum other = rest_of(whole, passed);
    if (passed.h >= light && other.h >= light)
        propose(job, j, forward ? passed : other, forward ? other : passed,
                threshold_beyond(b, j, last, forward), !forward, best);
}

static void scan_columns(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    const ScanJob *job = arg;
    ExactBuilder *b = job->b;
    size_t n_rows = (size_t)b->train->features.n_rows;
    for (size_t j = begin; j < end; j++) {
        Split *best = &b->found[j];
        *best = (Split){.feature = (int32_t)j};
        if (job->allowed && !job->allowed[j]) continue;
        size_t n = job->work->segment[b->n_cols + (int32_t)j] - job->work->segment[j];
        bool full_column = b->list_start[j + 1] - b->list_start[j] == n_rows;
        bool missing_here = n < job->work->n_chosen;
        if (!full_column) scan(job, j, true, missing_here, best);
        if (full_column || missing_here) scan(job, j, false, missing_here, best);
    }
}

static void find_split(ExactBuilder *b, const GrowTask *task, const Tree *tree, NodeWork *work,
                       uint8_t *allowed)
{
    bool all = column_choice_is_all(b->choice);
    if (!all) column_choice_node(b->choice, tree, work->node, work->depth, allowed);
    ScanJob job = {b, task, work, all ? NULL : allowed,
                   split_score(&b->rules, work->sum, work->bounds)};
    size_t n_cols = (size_t)b->n_cols;
    work->split = (Split){.feature = 0};
    if (work->n_chosen < 2 || work->sum.h < b->rules.min_child_weight) return;
    if (work->n_chosen * n_cols < SMALL_NODE)
        scan_columns(&job, 0, 0, n_cols);
    else
        parallel_for(b->pool, n_cols, 1, scan_columns, &job);
    for (size_t j = 0; j < n_cols; j++)
        if (split_is_better(&work->split, (double)b->found[j].gain, (int32_t)j))
            work->split = b->found[j];
}

/* ---- parting a node ---- */

static float matrix_value(const Matrix *m, int64_t row, int32_t column)
{
    if (m->layout == MATRIX_COLUMNS) return m->column[column][row];
    if (m->layout == MATRIX_ROWS) return m->rows[row * m->row_stride + column];
    int64_t low = m->row_start[row], high = m->row_start[row + 1];
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (m->col[middle] < column)
            low = middle + 1;
        else
            high = middle;
    }
    return low < m->row_start[row + 1] && m->col[low] == column ? m->value[low] : NAN;
}

typedef struct PartJob {
    ExactBuilder *b;
    const NodeWork *work;
    NodeWork *left, *right;
} PartJob;

static void part_columns(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    const PartJob *job = arg;
    ExactBuilder *b = job->b;
    for (size_t j = begin; j < end; j++) {
        size_t start = job->work->segment[j], stop = job->work->segment[b->n_cols + (int32_t)j];
        size_t to = start, n_right = 0;
        Entry *spare = b->spare + start;
        for (size_t k = start; k < stop;
             k++) { /* written to both sides; only one pointer moves on */
            Entry e = b->list[k];
            uint8_t right = b->right[e.row];
            b->list[to] = e;
            spare[n_right] = e;
            n_right += right;
            to += !right;
        }
        memcpy(b->list + to, spare, n_right * sizeof(Entry));
        job->left->segment[j] = start;
        job->left->segment[b->n_cols + (int32_t)j] = job->right->segment[j] = to;
        job->right->segment[b->n_cols + (int32_t)j] = stop;
    }
}

static void part_rows(ExactBuilder *b, const GrowTask *task, const Tree *tree, const NodeWork *work,
                      NodeWork *left, NodeWork *right)
{
    const Matrix *m = &b->train->features;
    int32_t column = work->split.feature;
    size_t to = work->begin, n_right = 0;
    for (size_t k = work->begin; k < work->end; k++) {
        uint32_t row = b->row[k];
        float value = matrix_value(m, row, column);
        uint8_t goes_right = tree_next(tree, work->node, value) == tree->right[work->node];
        b->right[row] = goes_right;
        b->row[to] = row;
        b->spare_row[n_right] = row;
        n_right += goes_right;
        to += !goes_right;
        uint8_t chosen = !task->chosen || task->chosen[row];
        left->n_chosen += chosen & !goes_right;
        right->n_chosen += chosen & goes_right;
    }
    memcpy(b->row + to, b->spare_row, n_right * sizeof *b->row);
    left->begin = work->begin;
    left->end = right->begin = to;
    right->end = work->end;
}

static void set_leaf(const ExactBuilder *b, Tree *tree, const NodeWork *work)
{
    double weight = split_weight(&b->rules, work->sum, work->bounds);
    tree->weight[work->node] = (float)(weight * b->rules.eta);
    tree->threshold[work->node] = (float)(weight * b->rules.eta);
    tree->cover[work->node] = (float)work->sum.h;
}

static size_t *take_segment(ExactBuilder *b)
{
    if (b->n_free) return b->free_segments[--b->n_free];
    b->n_segments++;
    b->free_segments = realloc(b->free_segments, b->n_segments * sizeof *b->free_segments);
    if (!b->free_segments) memory_exhausted(b->n_segments * sizeof *b->free_segments);
    return arena_array(&b->arena, size_t, 2 * b->n_cols);
}

static void give_segment(ExactBuilder *b, size_t **segment)
{
    if (*segment) b->free_segments[b->n_free++] = *segment;
    *segment = NULL;
}

/* Makes the node a split; `last`: its children will be leaves and need no lists. */
static bool split_node(ExactBuilder *b, const GrowTask *task, Tree *tree, NodeWork *work, bool last,
                       NodeWork *left, NodeWork *right, Error *err)
{
    const Split *split = &work->split;
    if (!tree_split(tree, work->node, split->feature, split->threshold, split->default_left, err))
        return false;
    tree->gain[work->node] = split->gain;
    tree->weight[work->node] = (float)split_weight(&b->rules, work->sum, work->bounds);

    int32_t node = work->node, depth = work->depth + 1;
    *left = (NodeWork){.node = tree->left[node], .depth = depth, .sum = split->left};
    *right = (NodeWork){.node = tree->right[node], .depth = depth, .sum = split->right};
    split_child_bounds(&b->rules, split->feature, split->left, split->right, work->bounds,
                       &left->bounds, &right->bounds);
    part_rows(b, task, tree, work, left, right);
    if (last) {
        give_segment(b, &work->segment);
    } else {
        size_t n_cols = (size_t)b->n_cols;
        left->segment = work->segment; /* its ends move */
        right->segment = take_segment(b);
        PartJob job = {b, work, left, right};
        if (work->n_chosen * n_cols < SMALL_NODE)
            part_columns(&job, 0, 0, n_cols);
        else
            parallel_for(b->pool, n_cols, 1, part_columns, &job);
    }
    set_leaf(b, tree, left);
    set_leaf(b, tree, right);
    return true;
}

/* ---- the order of nodes ---- */

static void open_node(ExactBuilder *b, const NodeWork *work)
{
    if (b->n_nodes == b->nodes_capacity) {
        size_t capacity = MAX(2 * b->nodes_capacity, 64);
        b->nodes = realloc(b->nodes, capacity * sizeof *b->nodes);
        if (!b->nodes) memory_exhausted(capacity * sizeof *b->nodes);
        b->nodes_capacity = capacity;
    }
    b->nodes[b->n_nodes++] = *work;
}

/* Depthwise: first come, first served.  Lossguide: the largest gain, the older node among equals. */
static bool take_node(ExactBuilder *b, NodeWork *ret_work)
{
    if (b->first == b->n_nodes) return false;
    size_t best = b->first;
    if (b->params->grow_policy == GROW_LOSSGUIDE)
        for (size_t k = best + 1; k < b->n_nodes; k++)
            if (b->nodes[k].split.gain > b->nodes[best].split.gain) best = k;
    *ret_work = b->nodes[best];
    memmove(b->nodes + b->first + 1, b->nodes + b->first, (best - b->first) * sizeof *b->nodes);
    b->first++;
    return true;
}

static bool grow(Builder *builder, const GrowTask *task, Tree *tree, int32_t *row_leaf, Error *err)
{
    ExactBuilder *b = (ExactBuilder *)builder;
    size_t n_rows = (size_t)b->train->features.n_rows, n_cols = (size_t)b->n_cols;
    ARENA(scratch);
    uint8_t *allowed = arena_array(&scratch, uint8_t, n_cols);
    column_choice_tree(b->choice, task->tree);
    b->n_nodes = b->first = 0;

    NodeWork root = {.end = n_rows, .bounds = NO_BOUNDS};
    root.segment = take_segment(b);
    memcpy(root.segment, b->list_start, n_cols * sizeof *root.segment);
    StartJob start = {b, task, root.segment + n_cols};
    parallel_for(b->pool, n_cols, 1, start_column, &start);
    for (size_t i = 0; i < n_rows; i++) {
        b->row[i] = (uint32_t)i;
        if (task->chosen && !task->chosen[i]) continue;
        root.n_chosen++;
        root.sum.g += (double)task->gh[(int64_t)i * task->stride];
        root.sum.h += (double)task->gh[(int64_t)i * task->stride + 1];
    }
    set_leaf(b, tree, &root);
    find_split(b, task, tree, &root, allowed);
    open_node(b, &root);

    int64_t n_leaves = 1, max_depth = b->params->max_depth, max_leaves = b->params->max_leaves;
    double gamma = b->approx ? b->rules.gamma : 0;
    bool done = true;
    for (NodeWork work; take_node(b, &work);) {
        bool may = max_leaves == 0 || n_leaves < max_leaves;
        if (!done || !may || !work.segment || !split_is_worth(&work.split, gamma)) {
            for (size_t k = work.begin; k < work.end; k++) row_leaf[b->row[k]] = work.node;
            give_segment(b, &work.segment);
            continue;
        }
        NodeWork child[2];
        bool last = max_depth && work.depth + 1 >= max_depth;
        done = split_node(b, task, tree, &work, last, &child[0], &child[1], err);
        if (!done) {
            give_segment(b, &work.segment);
            continue; /* closes what is open */
        }
        n_leaves++;
        for (int c = 0; c < 2; c++) {
            if (!last) find_split(b, task, tree, &child[c], allowed);
            if (!last && !split_is_worth(&child[c].split, gamma))
                give_segment(b, &child[c].segment);
            open_node(b, &child[c]);
        }
    }
    if (!done) return false;
    if (b->approx || b->rules.gamma == 0) return true;
    int32_t n_before = tree->n_nodes;
    if (!tree_prune(tree, b->rules.gamma, b->rules.eta, err)) return false;
    return tree->n_nodes == n_before ||
           tree_route(tree, &b->train->features, b->pool, row_leaf, err);
}

static void exact_free(Builder *builder)
{
    ExactBuilder *b = (ExactBuilder *)builder;
    if (!b) return;
    data_free(b->sorted);
    data_free(b->list);
    data_free(b->spare);
    data_free(b->row);
    data_free(b->spare_row);
    data_free(b->right);
    data_free(b->cuts);
    data_free(b->range);
    data_free(b->found);
    free(b->nodes);
    free(b->free_segments);
    arena_clear(&b->arena);
    free(b);
}

static bool allocate(ExactBuilder *b, Error *err)
{
    size_t n_rows = (size_t)b->train->features.n_rows, n_cols = (size_t)b->n_cols;
    size_t n_values = b->list_start[n_cols];
    b->list = data_array(Entry, n_values, "the columns of a tree", err);
    b->spare = b->list ? data_array(Entry, n_values, "the columns of a tree", err) : NULL;
    b->row = b->spare ? data_array(uint32_t, n_rows, "the rows of a tree", err) : NULL;
    b->spare_row = b->row ? data_array(uint32_t, n_rows, "the rows of a tree", err) : NULL;
    b->right = b->spare_row ? data_array(uint8_t, n_rows, "the rows of a tree", err) : NULL;
    b->found = b->right ? data_array(Split, n_cols, "the splits of columns", err) : NULL;
    if (!b->found || !b->approx) return b->found != NULL;
    b->cuts = data_array(float, n_cols *(size_t)b->params->max_bin, "the cuts of columns", err);
    b->range = b->cuts ? data_array(float, 2 * n_cols, "the ranges of columns", err) : NULL;
    return b->range != NULL;
}

static bool builder_new(const BoostParams *params, BoostData *train, Pool *pool, bool approx,
                        Builder **ret_builder, Error *err)
{
    const char *method = approx ? "approx" : "exact";
    const Matrix *m = &train->features;
    for (int32_t j = 0; train->is_category && j < m->n_cols; j++)
        if (train->is_category[j])
            return error_set(
                err, ERROR_UNSUPPORTED,
                "tree_method %s does not split by categories (column %d is one); tree_method hist "
                "does",
                method, (int)j);
    if (m->layout == MATRIX_CSR && !isnan(m->absent))
        return error_set(err, ERROR_UNSUPPORTED,
                         "tree_method %s takes absent sparse values as missing", method);
    if (m->n_rows >= UINT32_MAX)
        return error_set(err, ERROR_LIMIT,
                         "tree_method %s takes fewer than 2^32 rows; there are %lld", method,
                         (long long)m->n_rows);
    if (approx && params->max_bin < 2)
        return error_set(err, ERROR_INVALID, "max_bin must be at least 2; it is %lld",
                         (long long)params->max_bin);

    ExactBuilder *b = calloc(1, sizeof *b);
    if (!b) memory_exhausted(sizeof *b);
    b->builder = (Builder){.grow = grow, .free = exact_free};
    b->approx = approx;
    b->params = params;
    b->train = train;
    b->pool = pool;
    b->n_cols = m->n_cols;
    b->rules = split_rules(params, m->n_cols, &b->arena);
    b->choice = column_choice_new(params, m->n_cols, &b->arena);
    if (!gather_columns(b, err) || !allocate(b, err)) {
        exact_free(&b->builder);
        return false;
    }
    *ret_builder = &b->builder;
    return true;
}

bool exact_builder_new(const BoostParams *params, BoostData *train, Pool *pool,
                       Builder **ret_builder, Error *err)
{
    return builder_new(params, train, pool, false, ret_builder, err);
}

bool approx_builder_new(const BoostParams *params, BoostData *train, Pool *pool,
                        Builder **ret_builder, Error *err)
{
    return builder_new(params, train, pool, true, ret_builder, err);
}
