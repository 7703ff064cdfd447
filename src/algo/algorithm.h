#ifndef CLARY_ALGO_ALGORITHM_H
#define CLARY_ALGO_ALGORITHM_H

/* An algorithm is one file that ends in its descriptor.  The run lends it data, threads, a seed and
 * a place to report metrics; it opens no file but those of its model folder, prints nothing and
 * does not read the clock. */

#include "algo/param.h"
#include "base/thread.h"
#include "data/dataset.h"

typedef enum MetricGoal { GOAL_NONE, GOAL_MINIMIZE, GOAL_MAXIMIZE } MetricGoal;

/* A metric the tuner may name; `regex` finds it in the log (POSIX classes \S allowed). */
typedef struct MetricInfo {
    const char *name; /* "validation:auc", "test:msd" */
    MetricGoal goal;
    const char *regex;
} MetricInfo;

typedef struct ChannelInfo {
    const char *name;
    bool required;
    const char *help;
} ChannelInfo;

/* What one row's answer is made of, e.g. closest_cluster and distance_to_cluster. */
typedef struct OutputInfo {
    Str name;
    int32_t width; /* numbers a row; a list in JSON when `list` */
    bool list;
    bool integer; /* print without decimals in CSV */
} OutputInfo;

enum { OUTPUTS_MAX = 8 };

typedef struct Predictions {
    int64_t n_rows;
    int32_t n_outputs;
    OutputInfo outputs[OUTPUTS_MAX];
    float *values[OUTPUTS_MAX]; /* n_rows x width, data_alloc'ed */
} Predictions;

void predictions_clear(Predictions *predictions);
bool predictions_add(Predictions *predictions, const char *name, int32_t width, bool list,
                     float **ret_values, Error *err); /* n_rows must be set */

typedef enum PredictKind {
    PREDICT_DEFAULT,
    PREDICT_MARGIN,
    PREDICT_LEAF,
    PREDICT_CONTRIBUTIONS,
    PREDICT_INTERACTIONS,
} PredictKind;

/* What kind of answer the model gives; decides how `evaluate` reads predictions. */
typedef enum Task {
    TASK_REGRESSION,
    TASK_BINARY,     /* score = probability of class 1 (or its margin) */
    TASK_MULTICLASS, /* score = class, or a probability per class */
    TASK_RANKING,
    TASK_SURVIVAL,
    TASK_CLUSTERING,
} Task;

/* One data set's metrics after a round or an epoch. */
typedef struct MetricValue {
    const char *data; /* "train", "validation", "test" */
    const char *name; /* "rmse" */
    double value;
    MetricGoal goal;
} MetricValue;

typedef struct Model Model; /* the algorithm's own */

/* A run, as the algorithm sees it. */
typedef struct TrainRun {
    Pool *pool;
    uint64_t seed;
    Arena *arena; /* lives as long as the run */
    void *host;   /* of the callbacks below; every one of them may be NULL */

    /* After a round (0-based; `n_rounds` 0 when unknown).  Returns false to stop early with what
     * there is: SIGTERM was received, or time is up. */
    bool (*round)(void *host, int64_t round, int64_t n_rounds, const MetricValue *metrics,
                  int n_metrics);
    /* A final metric in SageMaker's form: "#quality_metric: host=..., train msd <loss>=0.066". */
    void (*metric)(void *host, const MetricValue *metric);
    /* A line for the log, without a final newline. */
    void (*log)(void *host, const char *format, ...) PRINTF_LIKE(2, 3);
    /* Something the user should know, once. */
    void (*warn)(void *host, const char *format, ...) PRINTF_LIKE(2, 3);
    /* Offers the model so far as a checkpoint; called after rounds when not NULL. */
    bool (*checkpoint)(void *host, int64_t round, const Model *model, Error *err);
    /* A file for output/data, e.g. the predictions of a cross validation. */
    bool (*output)(void *host, const char *name, Str text, Error *err);
} TrainRun;

typedef struct TrainData {
    Dataset *train;      /* the algorithm may release its columns */
    Dataset *validation; /* NULL when there is none */
    Dataset *test;
    Model *start; /* a model to go on from (continued training, checkpoints), or NULL */
    int64_t start_round;
} TrainData;

/* How rounds are printed in SageMaker's logs, where regular expressions find them. */
typedef enum LogStyle {
    LOG_QUALITY, /* "#quality_metric: host=algo-1, epoch=0, train msd <loss>=0.59" */
    LOG_XGBOOST, /* "[0]\ttrain-rmse:8.09123\tvalidation-rmse:7.95812" */
} LogStyle;

enum { SUGGESTIONS_MAX = 8 };

typedef struct Suggestion {
    ParamText text;
    const char *why; /* "the target has two classes" */
} Suggestion;

typedef struct Algorithm {
    const char *name; /* "xgboost", "kmeans": SageMaker's repository name or ours */
    const char *summary;
    const char *const *images; /* SageMaker repository names that mean it, NULL-terminated */
    const Param *params;
    size_t params_size;
    ParamStyle param_style;
    LogStyle log_style;
    const MetricInfo *metrics;        /* name NULL at the end */
    const ChannelInfo *channels;      /* name NULL at the end */
    const char *const *content_types; /* accepted for training, NULL-terminated; first: default */
    const char *default_accept;       /* of /invocations: "text/csv", "application/json" */
    bool supervised;                  /* the train channel has labels */
    bool sparse;                      /* takes CSR as it is; others get dense rows */
    bool missing;    /* takes NaN as missing; others refuse it with row and column */
    bool categories; /* takes FEATURE_CATEGORY; others get an error that says to encode */
    bool iterative;  /* reports rounds */

    /* At the shell only: hyperparameters that follow from the data where the user gave none, e.g.
     * the objective from the target.  `ret` has room for SUGGESTIONS_MAX; returns how many. */
    int (*suggest)(const Dataset *train, const ParamText *given, size_t n_given, Arena *arena,
                   Suggestion *ret);
    /* Rules that span several hyperparameters, before any data is read. */
    bool (*check)(const void *params, Error *err);
    bool (*train)(const void *params, TrainData *data, TrainRun *run, Model **ret_model,
                  Error *err);
    /* ret_predictions->n_rows equals data's; NaN handling as in training. */
    bool (*predict)(const Model *model, const Matrix *data, PredictKind kind, Pool *pool,
                    Predictions *ret_predictions, Error *err);
    /* Writes the artifact into an existing folder; reads it from there (SageMaker's too). */
    bool (*save)(const Model *model, const char *folder, Error *err);
    bool (*load)(const char *folder, Model **ret_model, Error *err);
    void (*free)(Model *model); /* accepts NULL */

    /* What a loaded model says of itself. */
    Task (*task)(const Model *model);
    int32_t (*n_features)(const Model *model); /* 0: unknown */
    int32_t (*n_classes)(const Model *model);  /* multiclass; else 0 */
    /* The name of the loss that was minimized ("binary:logistic"); NULL: there is no choice. */
    Str (*objective)(const Model *model);
    /* One of the algorithm's own metrics ("aft-nloglik") on labelled data; or NULL. */
    bool (*measure)(const Model *model, const Dataset *data, const char *metric, Pool *pool,
                    double *ret_value, Error *err);
    /* One row, no allocation, for the model server's short way: n_features floats in, the default
     * outputs' numbers out (at most `max`), returns how many; NULL: not offered. */
    int32_t (*predict_row)(const Model *model, const float *row, float *out, int32_t max);
    /* Importance of features, best first, for the end of a run and `clary importance`; or NULL.
     * `kind` is "gain", "weight", "cover", "total_gain" or "total_cover". */
    bool (*importance)(const Model *model, const char *kind, Arena *arena, double **ret_values,
                       Error *err);
} Algorithm;

extern const Algorithm *const algorithms[]; /* all of them, NULL-terminated, from meson.build */

const Algorithm *algorithm_find(Str name); /* name or image repository, without tag; or NULL */

#endif
