#ifndef CLARY_ALGO_XGBOOST_MODEL_H
#define CLARY_ALGO_XGBOOST_MODEL_H

/* What xgboost.c and xgboost_cv.c share. */

#include "algo/algorithm.h"
#include "algo/xgboost_params.h"
#include "boost/predict.h"

enum { ENSEMBLE_MAX = 64 };

struct Model {
    int32_t n_members; /* more than one: an ensemble, whose predictions are averaged */
    BoostModel *members[ENSEMBLE_MAX];
    Predictor *predictors[ENSEMBLE_MAX];
};

/* Takes `member` over, also on failure. */
bool xgboost_add_member(Model *model, BoostModel *member, Error *err);

bool xgboost_train_boosted(const BoostParams *params, TrainData *data, TrainRun *run,
                           BoostModel **ret_model, Error *err);

/* Adds a model for each fold of each repetition; reports one line of means a repetition. */
bool xgboost_cross_validate(const XgboostParams *params, const BoostParams *boost, TrainData *data,
                            TrainRun *run, Model *model, Error *err);

#endif
