#ifndef CLARY_BOOST_GROW_H
#define CLARY_BOOST_GROW_H

/* What every way of growing trees (hist, exact, approx) shares: the value of a split, the columns
 * a node may use, and the builder that the round loop of train.c drives.
 *
 * Chen, Guestrin: XGBoost: A Scalable Tree Boosting System, 2016; the rules (monotone bounds,
 * interaction sets, nested column samples) are those of XGBoost. */

#include "base/arena.h"
#include "boost/train.h"

#include <math.h>

/* ---- the value of a split ---- */

typedef struct GradSum { /* sums of first and second derivatives */
    double g, h;
} GradSum;

typedef struct Bounds { /* what monotone constraints leave for a node's weight */
    double lower, upper;
} Bounds;

#define NO_BOUNDS ((Bounds){-INFINITY, INFINITY})

/* A split must gain more than this (XGBoost's kRtEps). */
#define SPLIT_GAIN_MIN 1e-6

typedef struct SplitRules {
    double lambda, alpha, gamma, min_child_weight, max_delta_step, eta;
    int32_t n_features;
    const int8_t *monotone; /* n_features signs, or NULL */
    bool simple;            /* no alpha, max_delta_step or monotone: gain is G^2 / (H + lambda) */
} SplitRules;

SplitRules split_rules(const BoostParams *params, int32_t n_features, Arena *arena);

static inline double split_threshold_l1(double g, double alpha)
{
    return g > alpha ? g - alpha : g < -alpha ? g + alpha : 0;
}

/* Optimal weight of a node, eta not included; inside its bounds (the root has NO_BOUNDS). */
static inline double split_weight(const SplitRules *rules, GradSum sum, Bounds bounds)
{
    if (sum.h < rules->min_child_weight || sum.h <= 0) return 0;
    double w = -split_threshold_l1(sum.g, rules->alpha) / (sum.h + rules->lambda);
    if (rules->max_delta_step != 0 && fabs(w) > rules->max_delta_step)
        w = copysign(rules->max_delta_step, w);
    return w < bounds.lower ? bounds.lower : w > bounds.upper ? bounds.upper : w;
}

/* Score of a node; the gain of a split is score(left) + score(right) - score(parent). */
static inline double split_score(const SplitRules *rules, GradSum sum, Bounds bounds)
{
    if (sum.h <= 0) return 0;
    if (rules->max_delta_step == 0 && !rules->monotone) {
        double g = split_threshold_l1(sum.g, rules->alpha);
        return g * g / (sum.h + rules->lambda);
    }
    double w = split_weight(rules, sum, bounds);
    return -(2 * sum.g * w + (sum.h + rules->lambda) * w * w);
}

/* score(left) + score(right), or -INFINITY when a child is too light or the constraint forbids it. */
static inline double split_children_score(const SplitRules *rules, int32_t feature, GradSum left,
                                          GradSum right, Bounds bounds)
{
    if (left.h < rules->min_child_weight || right.h < rules->min_child_weight) return -INFINITY;
    int sign = rules->monotone ? rules->monotone[feature] : 0;
    if (sign) {
        double difference = split_weight(rules, right, bounds) - split_weight(rules, left, bounds);
        if (difference * sign < 0) return -INFINITY;
    }
    return split_score(rules, left, bounds) + split_score(rules, right, bounds);
}

/* Bounds of the children of a split. */
void split_child_bounds(const SplitRules *rules, int32_t feature, GradSum left, GradSum right,
                        Bounds bounds, Bounds *ret_left, Bounds *ret_right);

typedef struct Split {
    float gain; /* score(left) + score(right) - score(parent); 0: there is none */
    int32_t feature;
    float threshold;
    bool default_left;
    bool categorical;
    int32_t n_categories;
    int32_t *categories; /* those that go right; owner as the builder says */
    int32_t bin;         /* hist: the last bin that goes left (-1: none) */
    GradSum left, right;
} Split;

/* XGBoost's order: more gain wins, and among equals the lower feature. */
static inline bool split_is_better(const Split *best, double gain, int32_t feature)
{
    float g = (float)gain;
    if (!(g > 0) || isinf(g)) return false;
    return best->feature <= feature ? g > best->gain : g >= best->gain;
}

/* Whether a node with this best split is split at all (XGBoost's hist and approx check gamma here,
 * exact prunes afterwards: pass gamma = 0 there). */
static inline bool split_is_worth(const Split *split, double gamma)
{
    return split->gain > SPLIT_GAIN_MIN && split->gain >= gamma && split->left.h > 0 &&
           split->right.h > 0;
}

/* ---- the columns of a node ---- */

typedef struct ColumnChoice ColumnChoice; /* samples by tree, level and node; interaction sets */

ColumnChoice *column_choice_new(const BoostParams *params, int32_t n_features, Arena *arena);
void column_choice_tree(ColumnChoice *choice, uint64_t tree); /* draws for tree number `tree` */

/* Whether all columns may be used in every node of this tree. */
bool column_choice_is_all(const ColumnChoice *choice);

/* Marks (1, else 0) the columns that `node`, at `depth`, may be split by: `allowed` has n_features
 * entries.  The path is read from `tree`.  A function of its arguments: threads may share it. */
void column_choice_node(const ColumnChoice *choice, const Tree *tree, int32_t node, int32_t depth,
                        uint8_t *allowed);

/* ---- builders ---- */

typedef struct GrowTask {
    uint64_t tree;   /* counts all trees of this training; seeds what is drawn */
    const float *gh; /* pair of row i: gh[i * stride], gh[i * stride + 1] */
    int64_t stride;
    const uint8_t *chosen; /* NULL: all rows, else 1 or 0 a row; pairs of the others are 0, 0 */
} GrowTask;

typedef struct Builder Builder;
struct Builder {
    /* Grows `tree` (initialised: one leaf) with eta in the leaves, and says for every row, chosen
     * or not, the leaf node it falls into. */
    bool (*grow)(Builder *builder, const GrowTask *task, Tree *tree, int32_t *row_leaf, Error *err);
    /* Leaves of all rows of the training or the validation data in a tree that this builder grew;
     * NULL: the trainer walks the floats. */
    bool (*route)(Builder *builder, const Tree *tree, bool validation, int32_t *row_leaf,
                  Error *err);
    void (*free)(Builder *builder);
    /* Where rows of the training data were merged: of row i, the number of the row that it became; their
     * number, labels and weights.  `alike` NULL: rows are as they were.  gh and row_leaf are of those. */
    const uint32_t *alike;
    const float *alike_label, *alike_weight;
    int64_t n_alike;
};

static inline void builder_free(Builder *builder)
{
    if (builder) builder->free(builder);
}
AUTO_FREE(Builder, builder_free);

/* `train` and `validation` (or NULL) live as long as the builder; hist gives their columns back
 * unless `keep`, and may merge rows that are alike if told so by `merge`. */
bool hist_builder_new(const BoostParams *params, BoostData *train, BoostData *validation, bool keep,
                      bool merge, Pool *pool, Builder **ret_builder, Error *err);
bool exact_builder_new(const BoostParams *params, BoostData *train, Pool *pool,
                       Builder **ret_builder, Error *err);
bool approx_builder_new(const BoostParams *params, BoostData *train, Pool *pool,
                        Builder **ret_builder, Error *err);

/* Leaves of all rows of a matrix, by its floats. */
bool tree_route(const Tree *tree, const Matrix *matrix, Pool *pool, int32_t *row_leaf, Error *err);

/* Collapses, from the bottom up, splits of two leaves whose gain is below gamma; the leaf's value is
 * its weight times eta. */
bool tree_prune(Tree *tree, double gamma, double eta, Error *err);

#endif
