#ifndef CLARY_BOOST_TRAIN_H
#define CLARY_BOOST_TRAIN_H

/* Training of boosted trees and linear models. */

#include "base/thread.h"
#include "boost/metric.h"
#include "boost/model.h"
#include "boost/objective.h"
#include "num/matrix.h"

typedef enum TreeMethod { METHOD_AUTO, METHOD_EXACT, METHOD_APPROX, METHOD_HIST } TreeMethod;
typedef enum GrowPolicy { GROW_DEPTHWISE, GROW_LOSSGUIDE } GrowPolicy;
typedef enum SamplingMethod { SAMPLING_UNIFORM, SAMPLING_GRADIENT } SamplingMethod;

typedef struct BoostParams {
    Booster booster;
    TreeMethod method;
    int64_t n_rounds;
    double eta;
    double gamma, lambda, alpha, min_child_weight, max_delta_step;
    int64_t max_depth, max_leaves; /* 0: no limit */
    GrowPolicy grow_policy;
    int64_t max_bin;
    double subsample;
    SamplingMethod sampling_method;
    double colsample_bytree, colsample_bylevel, colsample_bynode;
    int64_t n_parallel;     /* num_parallel_tree */
    const int8_t *monotone; /* n_monotone signs by feature, or NULL */
    int32_t n_monotone;
    const int32_t *interaction_sets, *interaction_start; /* set s: [start[s], start[s + 1]) */
    int32_t n_interactions;
    double base_score;                            /* NaN: estimated from the labels */
    int64_t max_cat_to_onehot, max_cat_threshold; /* 4, 64 */
    bool update;                                  /* process_type=update ... */
    bool refresh, prune, refresh_leaf;            /* ... with these updaters */
    /* dart */
    bool dart_weighted, dart_forest, one_drop;
    double rate_drop, skip_drop;
    /* gblinear */
    double lambda_bias;
    bool shotgun;         /* parallel; false: cyclic coordinate descent */
    int feature_selector; /* cyclic shuffle random greedy thrifty */
    int64_t top_k;
    double tolerance;

    ObjectiveParams objective;
    const BoostMetric *metrics; /* evaluated each round on train and validation */
    int32_t n_metrics;
    int64_t early_stopping_rounds; /* 0: off; judged by the last metric on validation */
    uint64_t seed;
} BoostParams;

typedef struct BoostData {
    Matrix features;
    const uint8_t *is_category; /* per feature, or NULL */
    Labels labels;
    /* When not NULL the trainer calls this once it no longer needs the floats of a dense column. */
    void (*release_column)(void *owner, int32_t column);
    void *owner;
} BoostData;

typedef struct BoostHost {
    void *host;
    /* After each round: values[d * n_metrics + m], d = 0 train, 1 validation.  False: stop here. */
    bool (*round)(void *host, int64_t round, const BoostModel *model, const double *values,
                  int n_data);
    void (*warn)(void *host, const char *text);
} BoostHost;

/* Trains; `start` (or NULL) is a model to go on from, whose trees are copied.  On early stopping
 * the model keeps the rounds up to the best one and the attributes best_iteration, best_score. */
bool boost_train(const BoostParams *params, BoostData *train, BoostData *validation,
                 const BoostModel *start, const BoostHost *host, Pool *pool, BoostModel **ret_model,
                 Error *err);

#endif
