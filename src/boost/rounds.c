/* Row samples, leaf values by quantiles, refreshed trees: see rounds.h. */

#include "boost/rounds.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>

enum { ROW_CHUNK = 16384 };

/* ---- samples ---- */

typedef struct Sample {
    const float *all;
    int64_t stride;
    Random random;
    double rate;      /* uniform */
    double threshold; /* gradient: a row of this strength or more is certain */
    double lambda;
    bool by_gradient;
    uint8_t *chosen;
    float *gh;
    double *weak; /* per chunk: strength of the rows below the threshold */
    double *strong;
} Sample;

static inline double strength(const Sample *s, size_t row)
{
    double g = (double)s->all[(int64_t)row * s->stride],
           h = (double)s->all[(int64_t)row * s->stride + 1];
    return sqrt(g * g + s->lambda * h * h);
}

static void measure_strength(void *arg, size_t chunk, size_t begin, size_t end)
{
    Sample *s = arg;
    double weak = 0, strong = 0;
    for (size_t i = begin; i < end; i++) {
        double u = strength(s, i);
        if (u >= s->threshold)
            strong += 1;
        else
            weak += u;
    }
    s->weak[chunk] = weak;
    s->strong[chunk] = strong;
}

static void draw_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    Sample *s = arg;
    for (size_t i = begin; i < end; i++) {
        double p = s->by_gradient ? MIN(strength(s, i) / s->threshold, 1) : s->rate;
        bool chosen = random_unit(s->random, i) < p;
        double scale = !chosen ? 0 : s->by_gradient ? 1 / p : 1;
        s->chosen[i] = chosen;
        s->gh[2 * i] = (float)((double)s->all[(int64_t)i * s->stride] * scale);
        s->gh[2 * i + 1] = (float)((double)s->all[(int64_t)i * s->stride + 1] * scale);
    }
}

/* The threshold t with sum of min(1, strength / t) = rate * n: rises to it from below. */
static double find_threshold(Sample *s, size_t n, Pool *pool)
{
    ARENA(scratch);
    size_t n_chunks = chunk_count(n, ROW_CHUNK);
    s->weak = arena_array(&scratch, double, n_chunks);
    s->strong = arena_array(&scratch, double, n_chunks);
    s->threshold = INFINITY;
    double last_strong = -1;
    for (int i = 0; i < 64; i++) {
        parallel_for(pool, n, ROW_CHUNK, measure_strength, s);
        double weak = 0, strong = 0;
        for (size_t c = 0; c < n_chunks; c++) {
            weak += s->weak[c];
            strong += s->strong[c];
        }
        if (strong == last_strong) break;
        last_strong = strong;
        double rest = s->rate * (double)n - strong;
        if (!(rest > 0) || !(weak > 0)) break;
        s->threshold = weak / rest;
    }
    return s->threshold;
}

void sample_rows(const BoostParams *params, const float *all, int64_t stride, size_t n,
                 uint64_t tree, Pool *pool, uint8_t *chosen, float *gh)
{
    Sample s = {
        .all = all,
        .stride = stride,
        .random = random_stream(random_u64(random_stream(params->seed, 0x5a3), tree), 0),
        .rate = params->subsample,
        .lambda = params->lambda,
        .by_gradient = params->sampling_method == SAMPLING_GRADIENT,
        .chosen = chosen,
        .gh = gh,
    };
    if (s.by_gradient && !isfinite(find_threshold(&s, n, pool))) s.by_gradient = false;
    parallel_for(pool, n, ROW_CHUNK, draw_rows, &s);
}

/* ---- leaves ---- */

typedef struct Residual {
    float value, weight;
} Residual;

typedef struct Refit {
    Tree *tree;
    Residual *residuals; /* by leaf */
    size_t *start;
    bool weighted;
    double quantile, eta;
} Refit;

static int compare_residuals(const void *a, const void *b)
{
    float x = ((const Residual *)a)->value, y = ((const Residual *)b)->value;
    return (x > y) - (x < y);
}

static double quantile_of(const Residual *r, size_t n, double alpha, bool weighted)
{
    if (weighted) {
        double total = 0, sum = 0;
        for (size_t i = 0; i < n; i++) total += (double)r[i].weight;
        size_t i = 0;
        for (; i < n - 1; i++) {
            sum += (double)r[i].weight;
            if (sum >= total * alpha) break;
        }
        return (double)r[i].value;
    }
    double count = (double)n;
    if (alpha <= 1 / (count + 1)) return (double)r[0].value;
    if (alpha >= count / (count + 1)) return (double)r[n - 1].value;
    double x = alpha * (count + 1), k = floor(x) - 1, d = x - 1 - k;
    double low = (double)r[(size_t)k].value, high = (double)r[(size_t)k + 1].value;
    return low + d * (high - low);
}

static void refit_leaf(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    Refit *refit = arg;
    Tree *tree = refit->tree;
    size_t n = refit->start[chunk + 1] - refit->start[chunk];
    if (!tree_is_leaf(tree, (int32_t)chunk) || n == 0) return;
    Residual *r = refit->residuals + refit->start[chunk];
    qsort(r, n, sizeof *r, compare_residuals);
    double value = quantile_of(r, n, refit->quantile, refit->weighted) * refit->eta;
    tree->threshold[chunk] = (float)value; /* the weight stays, as in XGBoost */
}

bool refit_leaves(Tree *tree, const Labels *labels, const float *margins, int64_t stride,
                  const int32_t *row_leaf, const uint8_t *chosen, double quantile, double eta,
                  Pool *pool, Error *err)
{
    size_t n = (size_t)labels->n_rows, n_nodes = (size_t)tree->n_nodes;
    AUTO_DATA Residual *residuals = data_array(Residual, n, "the residuals", err);
    AUTO_DATA size_t *start = data_array(size_t, n_nodes + 2, "the residuals", err);
    if (!residuals || !start) return false;
    for (size_t i = 0; i < n; i++)
        if (!chosen || chosen[i]) start[row_leaf[i] + 2]++;
    for (size_t k = 1; k <= n_nodes; k++) start[k + 1] += start[k];
    /* start[k + 1] is where leaf k goes on; afterwards it is where it ends. */
    for (size_t i = 0; i < n; i++) {
        if (chosen && !chosen[i]) continue;
        residuals[start[row_leaf[i] + 1]++] = (Residual){labels->label[i] -
                                                             margins[(int64_t)i * stride],
                                                         labels->weight ? labels->weight[i] : 1};
    }
    Refit refit = {tree, residuals, start, labels->weight != NULL, quantile, eta};
    parallel_for(pool, n_nodes, 1, refit_leaf, &refit);
    return true;
}

typedef struct AddLeaves {
    const float *value;
    const int32_t *row_leaf;
    float *margins;
    int64_t stride;
    double scale;
} AddLeaves;

static void add_rows(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    const AddLeaves *add = arg;
    if (add->scale == 1) {
        for (size_t i = begin; i < end; i++)
            add->margins[(int64_t)i * add->stride] += add->value[add->row_leaf[i]];
        return;
    }
    for (size_t i = begin; i < end; i++) {
        float *margin = &add->margins[(int64_t)i * add->stride];
        *margin = (float)((double)*margin + add->scale * (double)add->value[add->row_leaf[i]]);
    }
}

void add_leaves(const Tree *tree, const int32_t *row_leaf, size_t n, double scale, Pool *pool,
                float *margins, int64_t stride)
{
    AddLeaves add = {tree->threshold, row_leaf, margins, stride, scale};
    parallel_for(pool, n, ROW_CHUNK, add_rows, &add);
}

/* ---- update ---- */

bool refresh_tree(Tree *tree, const BoostParams *params, const SplitRules *rules, const float *gh,
                  int64_t stride, const int32_t *row_leaf, size_t n, Error *err)
{
    AUTO_DATA GradSum *sums = data_array(GradSum, tree->n_nodes, "the nodes", err);
    AUTO_DATA int32_t *order = data_array(int32_t, tree->n_nodes, "the nodes", err);
    if (!sums || !order) return false;
    for (size_t i = 0; i < n; i++) {
        sums[row_leaf[i]].g += (double)gh[(int64_t)i * stride];
        sums[row_leaf[i]].h += (double)gh[(int64_t)i * stride + 1];
    }
    /* Parents before children, whatever the numbering. */
    int32_t n_order = 0;
    order[n_order++] = 0;
    for (int32_t k = 0; k < n_order; k++) {
        if (tree_is_leaf(tree, order[k])) continue;
        order[n_order++] = tree->left[order[k]];
        order[n_order++] = tree->right[order[k]];
    }
    for (int32_t k = n_order - 1; k >= 0; k--) {
        int32_t i = order[k], l = tree->left[i], r = tree->right[i];
        if (!tree_is_leaf(tree, i)) {
            sums[i] = (GradSum){sums[l].g + sums[r].g, sums[l].h + sums[r].h};
            tree->gain[i] = (float)(split_score(rules, sums[l], NO_BOUNDS) +
                                    split_score(rules, sums[r], NO_BOUNDS) -
                                    split_score(rules, sums[i], NO_BOUNDS));
        }
        double weight = split_weight(rules, sums[i], NO_BOUNDS);
        tree->cover[i] = (float)sums[i].h;
        tree->weight[i] = (float)weight;
        if (!tree_is_leaf(tree, i)) continue;
        tree->weight[i] = (float)(weight * rules->eta);
        if (params->refresh_leaf) tree->threshold[i] = tree->weight[i];
    }
    return true;
}

bool tree_copy(const Tree *tree, Tree *ret_copy, Error *err)
{
    Tree copy;
    if (!tree_init(&copy, tree->n_nodes, err)) return false;
    size_t n = (size_t)tree->n_nodes;
    copy.n_nodes = tree->n_nodes;
#define COPY(field) memcpy(copy.field, tree->field, n * sizeof *copy.field)
    COPY(left);
    COPY(right);
    COPY(parent);
    COPY(feature);
    COPY(threshold);
    COPY(default_left);
    COPY(categorical);
    COPY(weight);
    COPY(gain);
    COPY(cover);
    if (tree->set_start) {
        copy.set_start = data_array(int32_t, copy.capacity, "a tree", err);
        copy.set_size = data_array(int32_t, copy.capacity, "a tree", err);
        copy.categories = data_array(int32_t, tree->n_categories, "a tree", err);
        if (!copy.set_start || !copy.set_size || !copy.categories) {
            tree_clear(&copy);
            return false;
        }
        COPY(set_start);
        COPY(set_size);
        copy.n_categories = tree->n_categories;
        if (tree->n_categories)
            memcpy(copy.categories, tree->categories,
                   (size_t)tree->n_categories * sizeof *copy.categories);
    }
#undef COPY
    *ret_copy = copy;
    return true;
}
