#ifndef CLARY_DATA_SPLIT_H
#define CLARY_DATA_SPLIT_H

/* Putting rows aside. */

#include "data/dataset.h"

/* Moves about `share` of the rows, drawn at random by `seed`, from `dataset` to a new one with the
 * same schema.  Rows keep their order; whole query groups stay together. */
bool dataset_split(Dataset *dataset, double share, uint64_t seed, Dataset **ret_held, Error *err);

#endif
