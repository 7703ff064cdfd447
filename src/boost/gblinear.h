#ifndef CLARY_BOOST_GBLINEAR_H
#define CLARY_BOOST_GBLINEAR_H

/* The linear booster: rounds of coordinate descent with an elastic net. */

#include "boost/train.h"

typedef enum FeatureSelector {
    SELECT_CYCLIC,
    SELECT_SHUFFLE,
    SELECT_RANDOM,
    SELECT_GREEDY,
    SELECT_THRIFTY,
} FeatureSelector; /* BoostParams.feature_selector */

typedef struct LinearUpdater LinearUpdater;

/* `features` must live as long as the updater; sparse ones are turned into columns here.
 * `instance_weight` is the sum of the row weights, which scales the penalties. */
bool linear_updater_new(const BoostParams *params, const Matrix *features, int32_t n_groups,
                        double instance_weight, LinearUpdater **ret_updater, Error *err);
void linear_updater_free(LinearUpdater *updater);
AUTO_FREE(LinearUpdater, linear_updater_free);

/* One round: moves `weights` (laid out as BoostModel.linear) along the gradient pairs gh[2 * (i *
 * n_groups + k)], which follow the moves and are worthless afterwards.  Margins are then to be
 * predicted anew.  *ret_moved is false when all moves were within the tolerance: boosting can end. */
bool linear_update(LinearUpdater *updater, int64_t round, float *gh, float *weights, Pool *pool,
                   bool *ret_moved, Error *err);

#endif
