#ifndef CLARY_TRAIN_DESCRIBE_H
#define CLARY_TRAIN_DESCRIBE_H

/* What the tables in the code say of an algorithm, as JSON (for the server, consoles and tuners) and
 * as Markdown (for doc/algorithms). */

#include "algo/algorithm.h"
#include "format/json.h"

void describe_json(const Algorithm *algorithm, JsonWriter *json);
void describe_all_json(StrBuf *out); /* {"algorithms":[...]} */

/* The reference part of doc/algorithms/NAME.md: channels, hyperparameters, metrics. */
void describe_markdown(const Algorithm *algorithm, StrBuf *out);

#endif
