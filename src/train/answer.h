#ifndef CLARY_TRAIN_ANSWER_H
#define CLARY_TRAIN_ANSWER_H

/* Predictions as text, one row a record: what `clary predict` writes and /invocations answers. */

#include "algo/algorithm.h"
#include "base/strbuf.h"

/* "0.43\n" or "4,0.27\n": all outputs of a row, by commas. */
void answer_csv(const Predictions *predictions, int64_t begin, int64_t end, StrBuf *out);

/* {"score":0.43} or {"closest_cluster":4,"distance_to_cluster":0.27}; lists where the output is one. */
void answer_object(const Predictions *predictions, int64_t row, StrBuf *out);

/* answer_object a line. */
void answer_jsonl(const Predictions *predictions, int64_t begin, int64_t end, StrBuf *out);

/* The objects by commas, without brackets: the inside of {"predictions":[...]}. */
void answer_json_items(const Predictions *predictions, int64_t begin, int64_t end, StrBuf *out);

#endif
