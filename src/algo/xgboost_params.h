#ifndef CLARY_ALGO_XGBOOST_PARAMS_H
#define CLARY_ALGO_XGBOOST_PARAMS_H

/* XGBoost's hyperparameters as SageMaker names them, and their way into the engine's form. */

#include "algo/param.h"
#include "boost/train.h"

typedef struct XgboostParams {
    int64_t num_round, csv_weights, early_stopping_rounds, num_class;
    Str objective, eval_metric, tuning_metric;
    int booster;
    double eta, gamma, min_child_weight, max_delta_step;
    int64_t max_depth, max_leaves, max_bin, num_parallel_tree;
    double subsample, colsample_bytree, colsample_bylevel, colsample_bynode;
    int sampling_method, tree_method, grow_policy;
    double lambda, alpha, sketch_eps, scale_pos_weight, base_score;
    Str monotone_constraints, interaction_constraints, updater;
    int process_type, dsplit, predictor;
    bool refresh_leaf;
    int sample_type, normalize_type, feature_selector;
    double rate_drop, skip_drop, lambda_bias, tolerance;
    int64_t top_k;
    bool one_drop;
    double tweedie_variance_power, huber_slope, aft_loss_distribution_scale;
    int aft_loss_distribution;
    Str quantile_alpha;
    int lambdarank_pair_method;
    int64_t lambdarank_num_pair_per_sample, max_cat_to_onehot, max_cat_threshold;
    bool lambdarank_normalization, ndcg_exp_gain;
    int64_t seed, nthread, verbosity, prob_buffer_row, kfold, num_cv_round;
    bool deterministic_histogram, save_model_on_termination, use_dask_gpu_training;
} XgboostParams;

extern const Param xgboost_params[];

/* The engine's parameters; checks what spans several hyperparameters.  Arrays live in `arena`. */
bool xgboost_resolve(const XgboostParams *params, Arena *arena, BoostParams *ret_boost, Error *err);

#endif
