#ifndef CLARY_BOOST_ROUNDS_H
#define CLARY_BOOST_ROUNDS_H

/* Steps of a boosting round that train.c puts together. */

#include "boost/grow.h"

/* Draws the rows of a tree: `chosen` gets 1 or 0 a row, `gh` (pairs, 2 a row) the gradients of the chosen
 * ones and 0, 0 for the others.  SAMPLING_GRADIENT prefers large gradients and scales what it chose
 * up, so that sums stay right on average. */
void sample_rows(const BoostParams *params, const float *all, int64_t stride, size_t n,
                 uint64_t tree, Pool *pool, uint8_t *chosen, float *gh);

/* Leaf values are the `quantile` of the residuals of the leaf's rows (those chosen), times eta; XGBoost's
 * definitions of quantiles.  `margins` points at the group's first margin, `stride` apart. */
bool refit_leaves(Tree *tree, const Labels *labels, const float *margins, int64_t stride,
                  const int32_t *row_leaf, const uint8_t *chosen, double quantile, double eta,
                  Pool *pool, Error *err);

/* margins[i * stride] += scale * (leaf value of row i). */
void add_leaves(const Tree *tree, const int32_t *row_leaf, size_t n, double scale, Pool *pool,
                float *margins, int64_t stride);

/* process_type=update: statistics and, with refresh_leaf, leaf values of a tree from the gradients of
 * the rows that come by each node. */
bool refresh_tree(Tree *tree, const BoostParams *params, const SplitRules *rules, const float *gh,
                  int64_t stride, const int32_t *row_leaf, size_t n, Error *err);

bool tree_copy(const Tree *tree, Tree *ret_copy, Error *err);

#endif
