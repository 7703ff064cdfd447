#ifndef CLARY_BOOST_PREDICT_H
#define CLARY_BOOST_PREDICT_H

/* Predictions of a boosted model.  A Predictor is the model compiled into the form its kind of
 * loop wants; it stays valid as long as the model. */

#include "base/thread.h"
#include "boost/model.h"
#include "num/matrix.h"

typedef struct Predictor Predictor;

bool predictor_new(const BoostModel *model, Predictor **ret_predictor, Error *err);
void predictor_free(Predictor *predictor);
AUTO_FREE(Predictor, predictor_free);

/* Sum of the trees (or the linear model) and the base margin: `out` is n_rows x n_groups. */
bool predict_margin(const Predictor *predictor, const Matrix *data, Pool *pool, float *out,
                    Error *err);

/* Margins of one dense row, n_features floats: no allocation, no failure. */
void predict_margin_row(const Predictor *predictor, const float *row, float *out);

/* Margins to outputs in place, by the objective: probability, class, exp(margin), ...  `out_width`
 * becomes 1 for multi:softmax (the class) and n_groups for softprob. */
void predict_transform(const BoostModel *model, float *margins, int64_t n_rows, int32_t *ret_width);

/* Leaf node index in every tree: `out` is n_rows x n_trees. */
bool predict_leaf(const BoostModel *model, const Matrix *data, Pool *pool, float *out, Error *err);

/* Exact tree SHAP (Lundberg, Lee, 2018): `out` is n_rows x n_groups x (n_features + 1), the last the
 * bias; they sum to the margin.  Interactions: n_rows x n_groups x (n_features + 1)^2. */
bool predict_contributions(const BoostModel *model, const Matrix *data, Pool *pool, float *out,
                           Error *err);
bool predict_interactions(const BoostModel *model, const Matrix *data, Pool *pool, float *out,
                          Error *err);

/* Importance of each feature: `kind` is weight, gain, cover, total_gain or total_cover, as
 * XGBoost's get_score; |weight| for gblinear.  `out` has n_features values, 0 where unused. */
bool model_importance(const BoostModel *model, const char *kind, double *out, Error *err);

#endif
