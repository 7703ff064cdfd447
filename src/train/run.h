#ifndef CLARY_TRAIN_RUN_H
#define CLARY_TRAIN_RUN_H

/* A training run: hyperparameters checked, data fitted to what the algorithm takes, metrics kept. */

#include "train/artifact.h"

/* One metric on one data set, round by round. */
typedef struct MetricCurve {
    Str data, name;
    MetricGoal goal;
    double *values; /* NaN for rounds it was not reported in */
    int64_t n, capacity;
} MetricCurve;

enum { CURVES_MAX = 128 };

typedef struct Curves {
    Arena *arena;
    MetricCurve curves[CURVES_MAX];
    int n;
    int64_t n_rounds;
} Curves;

void curves_add(Curves *curves, int64_t round, const MetricValue *metrics, int n_metrics);
/* The curve, or NULL. */
const MetricCurve *curves_find(const Curves *curves, Str data, Str name);

/* The curves as an artifact keeps them; the values are shared. */
void curves_to_artifact(const Curves *curves, Artifact *artifact);

/* Parses and checks hyperparameters before any data is read; *ret_params is in the arena. */
bool run_check(const Algorithm *algorithm, const ParamText *texts, size_t n, Arena *arena,
               void **ret_params, Error *err);

/* Refuses data the algorithm cannot take (missing values, categories, sparse), naming the place and
 * the way out; turns sparse data dense where the algorithm needs it. */
bool run_fit_data(const Algorithm *algorithm, Dataset *dataset, const char *channel, Error *err);

/* Trains.  `params` is from run_check. */
bool run_train(const Algorithm *algorithm, const void *params, TrainData *data, TrainRun *run,
               Model **ret_model, Error *err);

/* Predicts in blocks of rows, so that memory stays bounded: calls `use` with each block's answers in
 * the order of the rows. */
typedef bool UsePredictions(void *arg, int64_t first_row, const Predictions *predictions,
                            Error *err);
bool run_predict(const Algorithm *algorithm, const Model *model, const Dataset *dataset,
                 PredictKind kind, Pool *pool, UsePredictions *use, void *arg, Error *err);

#endif
