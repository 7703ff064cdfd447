#ifndef CLARY_BOOST_TREE_H
#define CLARY_BOOST_TREE_H

/* A regression tree, in arrays as XGBoost's model files have it.  Node 0 is the root; a node with
 * left[i] == -1 is a leaf.  A row goes left when its value < threshold; for a categorical split it
 * goes RIGHT when its category is in the node's set (XGBoost's rule); missing goes the default way.
 *
 * Chen, Guestrin: XGBoost: A Scalable Tree Boosting System, 2016; layout: XGBoost's model.schema. */

#include "base/error.h"

typedef struct Tree {
    int32_t n_nodes, capacity;
    int32_t *left, *right, *parent; /* -1: none; the root's parent is -1 here */
    int32_t *feature;
    float *threshold;      /* of a split; the leaf's value (eta included) of a leaf */
    uint8_t *default_left; /* 0 or 1 */
    uint8_t *categorical;  /* 0 or 1: split_type */
    float *weight;         /* base_weights: the node's own optimal value, eta included for leaves */
    float *gain;           /* loss_changes */
    float *cover;          /* sum_hessian */

    /* Categorical splits: node i's set is categories[set_start[i] .. set_start[i] + set_size[i]). */
    int32_t *set_start, *set_size; /* NULL when no node is categorical */
    int32_t *categories;
    int32_t n_categories;
} Tree;

bool tree_init(Tree *tree, int32_t capacity, Error *err); /* one node: a leaf of value 0 */
void tree_clear(Tree *tree);

/* Makes `node` a split; its children are new leaves at n_nodes and n_nodes + 1 (grows as needed). */
bool tree_split(Tree *tree, int32_t node, int32_t feature, float threshold, bool default_left,
                Error *err);
bool tree_split_categories(Tree *tree, int32_t node, int32_t feature,
                           const int32_t *right_categories, int32_t n, bool default_left,
                           Error *err);

static inline bool tree_is_leaf(const Tree *tree, int32_t node)
{
    return tree->left[node] < 0;
}

/* The child a value goes to (NaN: missing). */
int32_t tree_next(const Tree *tree, int32_t node, float value);

/* Renumbers so that collapsed nodes vanish: `collapsed[i]` says that node i is now a leaf. */
bool tree_compact(Tree *tree, const bool *collapsed, Error *err);

int32_t tree_depth(const Tree *tree); /* 0 for a single leaf */

#endif
