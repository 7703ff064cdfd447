#ifndef CLARY_DATA_SPLIT_H
#define CLARY_DATA_SPLIT_H

/* Putting rows aside, choosing rows, putting data sets together. */

#include "data/dataset.h"

/* Moves about `share` of the rows, drawn at random by `seed`, from `dataset` to a new one with the
 * same schema.  Rows keep their order; whole query groups stay together. */
bool dataset_split(Dataset *dataset, double share, uint64_t seed, Dataset **ret_held, Error *err);

/* A copy of the rows with chosen[row] != 0, in their order.  Query groups are refused. */
bool dataset_take(const Dataset *dataset, const uint8_t *chosen, Dataset **ret_taken, Error *err);

/* A copy of both, the rows of `a` first; they must have the same features and labels. */
bool dataset_join(const Dataset *a, const Dataset *b, Dataset **ret_joined, Error *err);

#endif
