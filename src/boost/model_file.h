#ifndef CLARY_BOOST_MODEL_FILE_H
#define CLARY_BOOST_MODEL_FILE_H

/* What the readers and writers of model files share. */

#include "boost/model.h"

#include "base/strbuf.h"

#define MODEL_BYTES_MAX ((size_t)16 << 30)
enum { MODEL_GROUPS_MAX = 1 << 20, MODEL_FEATURES_MAX = 1 << 30, MODEL_CATEGORY_MAX = 1 << 24 };

/* The model as bytes. */
bool boost_model_print(const BoostModel *model, ModelFormat format, StrBuf *to, Error *err);

/* XGBoost's binary form (0.x to 3.0), beginning after "binf". */
bool model_parse_binary(Str bytes, BoostModel *model, Error *err);

/* The objective of a file: {"name": ..., "..._param": {...}}, into model. */
struct Json;
bool model_take_objective(const struct Json *objective, BoostModel *model, Error *err);

/* A tree whose left, right, feature, threshold and sets are as some file says: checks that the
 * children form a tree, that features exist and that conditions are numbers; sets `parent`.
 * Nodes that no split leads to become unused leaves. */
bool model_check_tree(Tree *tree, int32_t n_features, Error *err);

/* Rounds, groups and counts agree; `model` has its trees and groups. */
bool model_make_rounds(BoostModel *model, Error *err);

#endif
