/* Exact contributions of features to the margin (SHAP values of trees) and their interactions.
 *
 * A tree is the sum of its leaves, each a product of conditions on the features of its path.  A
 * feature's conditions along a path are one: the row satisfies it or not (`one`, 1 or 0), and with
 * the feature unknown it is satisfied with the share of the training weight that passes (`zero`, the
 * product of the children's shares).  The Shapley values of such a product follow from the weights of
 * subsets of each size, which are built up one feature at a time and taken apart again for each
 * feature (EXTEND and UNWIND of the paper):
 *
 *     with d features, subset weights w[0..d], a feature with `one` = 1:
 *         total = sum over sizes i of its unwound weights
 *     and with `one` = 0: zero * total = sum of w[i] * (d + 1) / (d - i), for all of them alike.
 *     contribution = total * (one - zero) * leaf
 *
 * The interaction of two features in a leaf is the contribution of one on the path without the other,
 * times the other's (one - zero), half to each order; the diagonal is what remains of the feature's
 * contribution.  So a row costs the sum over leaves of d^2, or d^3, whatever the number of features.
 * Eight rows go side by side in vectors; double precision, since unwinding loses digits.
 *
 * Lundberg, Erion, Lee: Consistent Individualized Feature Attribution for Tree Ensembles, 2018. */

#include "boost/predict.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "boost/predict_internal.h"

#include <math.h>

enum {
    LANES = 8,
    DEPTH_MAX = 512,
    BATCH_ROWS_MAX = 256,
    BATCH_FLOATS = 1 << 20,
};

typedef struct Element { /* one feature on the path to a leaf */
    int32_t feature;
    double zero;
    double one[LANES];
} Element;

typedef struct Work {
    const BoostModel *model;
    const Tree *tree;
    float tree_weight;
    int64_t width; /* doubles a row: n_groups * (n_features + 1), or its square */
    bool interactions;
    double *share;  /* per node: of the parent's cover */
    double *mean;   /* per node: expected leaf value below */
    uint8_t *right; /* per node, per lane: the row goes right */
    int32_t *order; /* nodes, parents first */
    Element *path;  /* DEPTH_MAX + 1 */
    double *weight; /* (DEPTH_MAX + 2) x LANES */
    double *scale;
    double *acc; /* of the group: out rows, `width` apart */
} Work;

/* ---- one tree ---- */

/* Expected values and shares of the cover; a tree that knows no cover shares evenly. */
static double find_means(Work *w)
{
    const Tree *tree = w->tree;
    int32_t n = 0;
    w->order[n++] = 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t node = w->order[i];
        if (tree_is_leaf(tree, node)) continue;
        int32_t left = tree->left[node], right = tree->right[node];
        double cover = (double)tree->cover[node];
        w->share[left] = (double)tree->cover[left] / cover;
        w->share[right] = (double)tree->cover[right] / cover;
        if (!(cover > 0) || !isfinite(w->share[left]) || !isfinite(w->share[right]))
            w->share[left] = w->share[right] = 0.5;
        w->order[n++] = left;
        w->order[n++] = right;
    }
    while (n-- > 0) {
        int32_t node = w->order[n];
        w->mean[node] = tree_is_leaf(tree, node)
                            ? (double)tree->threshold[node]
                            : w->share[tree->left[node]] * w->mean[tree->left[node]] +
                                  w->share[tree->right[node]] * w->mean[tree->right[node]];
    }
    return w->mean[0];
}

static void decide(Work *w, const float *rows, int64_t stride, int32_t n)
{
    const Tree *tree = w->tree;
    for (int32_t i = 0; i < tree->n_nodes; i++) {
        if (tree_is_leaf(tree, i)) continue;
        for (int32_t k = 0; k < n; k++)
            w->right[i * LANES + k] = tree_next(tree, i, rows[k * stride + tree->feature[i]]) ==
                                      tree->right[i];
    }
}

/* The features on the path to a leaf, each once. */
static int32_t find_path(Work *w, int32_t leaf)
{
    const Tree *tree = w->tree;
    int32_t d = 0;
    for (int32_t node = leaf; tree->parent[node] >= 0; node = tree->parent[node]) {
        int32_t parent = tree->parent[node], feature = tree->feature[parent], e = 0;
        uint8_t side = tree->right[parent] == node;
        while (e < d && w->path[e].feature != feature) e++;
        Element *element = &w->path[e];
        if (e == d) {
            d++;
            element->feature = feature;
            element->zero = 1;
            for (int k = 0; k < LANES; k++) element->one[k] = 1;
        }
        element->zero *= w->share[node];
        for (int k = 0; k < LANES; k++) element->one[k] *= w->right[parent * LANES + k] == side;
    }
    return d;
}

/* Subset weights of the path without element `skip` (-1: with all).  Returns the number of features. */
static inline __attribute__((always_inline)) int32_t extend(const Work *w, int32_t d, int32_t skip,
                                                            double *weight)
{
    int32_t m = 0;
    for (int k = 0; k < LANES; k++) weight[k] = 1;
    for (int32_t e = 0; e < d; e++) {
        if (e == skip) continue;
        const Element *element = &w->path[e];
        m++;
        for (int k = 0; k < LANES; k++) weight[m * LANES + k] = 0;
        double over = 1.0 / (m + 1), zero = element->zero;
        for (int32_t i = m - 1; i >= 0; i--) {
            double up = (i + 1) * over, stay = zero * (m - i) * over;
            for (int k = 0; k < LANES; k++) {
                weight[(i + 1) * LANES + k] += element->one[k] * weight[i * LANES + k] * up;
                weight[i * LANES + k] *= stay;
            }
        }
    }
    return m;
}

/* What the m features' `element` adds, per lane, times leaf value 1. */
static inline __attribute__((always_inline)) void unwind(const Element *element,
                                                         const double *weight, int32_t m,
                                                         const double *none, double *phi)
{
    double next[LANES], total[LANES], zero = element->zero;
    for (int k = 0; k < LANES; k++) {
        next[k] = weight[m * LANES + k];
        total[k] = 0;
    }
    for (int32_t i = m - 1; i >= 0; i--) {
        double up = (double)(m + 1) / (i + 1), down = zero * (m - i) / (m + 1);
        for (int k = 0; k < LANES; k++) {
            double part = next[k] * up;
            total[k] += part;
            next[k] = weight[i * LANES + k] - part * down;
        }
    }
    for (int k = 0; k < LANES; k++)
        phi[k] = element->one[k] != 0 ? total[k] * (1 - zero) : -none[k];
}

static inline __attribute__((always_inline)) void sum_none(const double *weight, int32_t m,
                                                           double *none)
{
    for (int k = 0; k < LANES; k++) none[k] = 0;
    for (int32_t i = 0; i < m; i++) {
        double scale = (double)(m + 1) / (m - i);
        for (int k = 0; k < LANES; k++) none[k] += weight[i * LANES + k] * scale;
    }
}

static inline __attribute__((always_inline)) void add_leaf(Work *w, int32_t leaf, int32_t n)
{
    double none[LANES], phi[LANES];
    double value = (double)w->tree->threshold[leaf] * (double)w->tree_weight;
    int32_t d = find_path(w, leaf), n_columns = w->model->n_features + 1;
    int32_t m = extend(w, d, -1, w->weight);
    sum_none(w->weight, m, none);
    int64_t diagonal = w->interactions ? n_columns + 1 : 1;
    for (int32_t e = 0; e < d; e++) {
        unwind(&w->path[e], w->weight, m, none, phi);
        double *to = w->acc + w->path[e].feature * diagonal;
        for (int k = 0; k < n; k++) to[k * w->width] += phi[k] * value;
    }
    for (int32_t j = 0; w->interactions && j < d; j++) {
        const Element *fixed = &w->path[j];
        m = extend(w, d, j, w->weight);
        sum_none(w->weight, m, none);
        for (int32_t e = 0; e < d; e++) {
            if (e == j) continue;
            unwind(&w->path[e], w->weight, m, none, phi);
            double *to = w->acc + (int64_t)w->path[e].feature * n_columns + fixed->feature;
            double *rest = w->acc + w->path[e].feature * diagonal;
            for (int k = 0; k < n; k++) {
                double x = 0.5 * (fixed->one[k] - fixed->zero) * phi[k] * value;
                to[k * w->width] += x;
                rest[k * w->width] -= x;
            }
        }
    }
}

static inline __attribute__((always_inline)) void add_leaves(Work *w, int32_t n)
{
    for (int32_t i = 0; i < w->tree->n_nodes; i++)
        if (tree_is_leaf(w->tree, i) && (i == 0 || w->tree->parent[i] >= 0)) add_leaf(w, i, n);
}

static void add_leaves_base(Work *w, int32_t n)
{
    add_leaves(w, n);
}

#if CLARY_X86
static TARGET_AVX2 void add_leaves_avx2(Work *w, int32_t n)
{
    add_leaves(w, n);
}

static TARGET_AVX512 void add_leaves_avx512(Work *w, int32_t n)
{
    add_leaves(w, n);
}
#endif

static void add_tree(Work *w, const float *rows, int64_t stride, int32_t n)
{
    decide(w, rows, stride, n);
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512) {
        add_leaves_avx512(w, n);
        return;
    }
    if (cpu_level() >= CPU_AVX2) {
        add_leaves_avx2(w, n);
        return;
    }
#endif
    add_leaves_base(w, n);
}

/* ---- many rows ---- */

typedef struct Job {
    const BoostModel *model;
    const Matrix *data;
    float *out;
    bool interactions;
    int64_t width;
    int32_t batch_rows, largest; /* nodes of the largest tree */
    int failed;
} Job;

static void add_linear(const Job *job, const float *row, double *acc)
{
    const BoostModel *model = job->model;
    int64_t n_columns = model->n_features + 1, step = job->interactions ? n_columns + 1 : 1;
    int64_t group_width = job->interactions ? n_columns * n_columns : n_columns;
    for (int32_t g = 0; g < model->n_groups; g++) {
        double *to = acc + g * group_width;
        for (int32_t f = 0; f < model->n_features; f++)
            if (!isnan(row[f]))
                to[f * step] += (double)row[f] *
                                (double)model->linear[(int64_t)f * model->n_groups + g];
        to[model->n_features * step] +=
            (double)model->linear[(int64_t)model->n_features * model->n_groups + g];
    }
}

static void add_batch(const Job *job, Work *w, const float *rows, double *acc, int32_t n)
{
    const BoostModel *model = job->model;
    int64_t n_columns = model->n_features + 1;
    int64_t group_width = job->interactions ? n_columns * n_columns : n_columns;
    for (int32_t i = 0; i < n; i++)
        for (int32_t g = 0; g < model->n_groups; g++)
            acc[i * job->width + (g + 1) * group_width - 1] = (double)(float)
                boost_model_group_margin(model, g);
    if (model->booster == BOOSTER_GBLINEAR) {
        for (int32_t i = 0; i < n; i++)
            add_linear(job, rows + i * (int64_t)model->n_features, acc + i * job->width);
        return;
    }
    for (int32_t t = 0; t < model->n_trees; t++) {
        w->tree = &model->trees[t];
        w->tree_weight = model->tree_weight ? model->tree_weight[t] : 1;
        double mean = find_means(w) * (double)w->tree_weight;
        for (int32_t i = 0; i < n; i += LANES) {
            int32_t m = MIN(LANES, n - i);
            w->acc = acc + i * job->width + model->tree_group[t] * group_width;
            for (int32_t k = 0; k < m; k++) w->acc[k * job->width + group_width - 1] += mean;
            add_tree(w, rows + i * (int64_t)model->n_features, model->n_features, m);
        }
    }
}

static void shap_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    Job *job = arg;
    const BoostModel *model = job->model;
    size_t largest = (size_t)job->largest, batch = (size_t)job->batch_rows,
           n_features = (size_t)model->n_features;
    AUTO_DATA double *share = data_alloc(largest, sizeof(double), "", NULL);
    AUTO_DATA double *mean = data_alloc(largest, sizeof(double), "", NULL);
    AUTO_DATA uint8_t *right = data_alloc(largest, LANES, "", NULL);
    AUTO_DATA int32_t *order = data_alloc(largest + 2, sizeof(int32_t), "", NULL);
    AUTO_DATA Element *path = data_alloc(DEPTH_MAX + 1, sizeof(Element), "", NULL);
    AUTO_DATA double *weight = data_alloc((DEPTH_MAX + 2) * LANES, sizeof(double), "", NULL);
    AUTO_DATA float *rows = data_alloc(batch * n_features, sizeof(float), "", NULL);
    AUTO_DATA double *acc = data_alloc(batch, (size_t)job->width * sizeof(double), "", NULL);
    if (!share || !mean || !right || !order || !path || !weight || !rows || !acc) {
        __atomic_store_n(&job->failed, 1, __ATOMIC_RELAXED);
        return;
    }
    Work w = {.model = model,
              .width = job->width,
              .interactions = job->interactions,
              .share = share,
              .mean = mean,
              .right = right,
              .order = order,
              .path = path,
              .weight = weight};
    for (size_t i = begin; i < end; i += batch) {
        int32_t n = (int32_t)MIN(batch, end - i);
        for (int32_t k = 0; k < n; k++)
            predict_copy_row(model, job->data, (int64_t)i + k, rows + k * (int64_t)n_features);
        memset(acc, 0, (size_t)n * (size_t)job->width * sizeof *acc);
        add_batch(job, &w, rows, acc, n);
        float *out = job->out + (int64_t)i * job->width;
        for (int64_t k = 0; k < n * job->width; k++) out[k] = (float)acc[k];
    }
}

static bool explain(const BoostModel *model, const Matrix *data, bool interactions, Pool *pool,
                    float *out, Error *err)
{
    if (!predict_check(model, data, err)) return false;
    int64_t n_columns = (int64_t)model->n_features + 1;
    Job job = {.model = model,
               .data = data,
               .out = out,
               .interactions = interactions,
               .width = model->n_groups * (interactions ? n_columns * n_columns : n_columns)};
    for (int32_t t = 0; t < model->n_trees; t++) {
        job.largest = MAX(job.largest, model->trees[t].n_nodes);
        int32_t depth = tree_depth(&model->trees[t]);
        if (depth > DEPTH_MAX)
            return error_set(err, ERROR_LIMIT,
                             "tree %d is %d levels deep; contributions can be computed up to %d", t,
                             depth, DEPTH_MAX);
    }
    job.batch_rows = (int32_t)MIN(BATCH_ROWS_MAX,
                                  MAX(LANES, BATCH_FLOATS / job.width / LANES * LANES));
    parallel_for(pool, (size_t)data->n_rows, BATCH_ROWS_MAX, shap_chunk, &job);
    return !job.failed ||
           error_set(err, ERROR_NO_MEMORY, "no memory for contributions of %lld values a row",
                     (long long)job.width);
}

bool predict_contributions(const BoostModel *model, const Matrix *data, Pool *pool, float *out,
                           Error *err)
{
    return explain(model, data, false, pool, out, err);
}

bool predict_interactions(const BoostModel *model, const Matrix *data, Pool *pool, float *out,
                          Error *err)
{
    return explain(model, data, true, pool, out, err);
}
