#ifndef CLARY_TRAIN_ARTIFACT_H
#define CLARY_TRAIN_ARTIFACT_H

/* A trained model with what is needed to use it: the algorithm's own files in the layout SageMaker
 * gives them, and beside them `clary.json` with the algorithm, the hyperparameters, the columns, the
 * classes of the target and the final metrics.  Folders that SageMaker made have no clary.json; the
 * algorithm then follows from the names of the files. */

#include "algo/algorithm.h"

enum { CLARY_JSON_BYTES_MAX = 64 << 20 };

typedef struct ArtifactMetric {
    Str data, name; /* "validation", "auc" */
    double value;
    MetricGoal goal;
} ArtifactMetric;

/* A metric on one data set, round by round. */
typedef struct ArtifactHistory {
    Str data, name;
    MetricGoal goal;
    const double *values;
    int64_t n;
} ArtifactHistory;

typedef struct Artifact {
    Arena arena;
    const Algorithm *algorithm;
    Model *model;
    bool has_schema; /* false: nothing is known of names and kinds */
    Schema schema;
    ParamText *params;
    size_t n_params;
    ArtifactMetric *metrics;
    size_t n_metrics;
    ArtifactHistory *history; /* of iterative algorithms, for learning curves */
    size_t n_history;
    int64_t final_round; /* the model ends with this round, 0-based; -1: unknown */
    uint64_t seed;
} Artifact;

/* Writes the model's files and clary.json into the existing folder. */
bool artifact_save(const Artifact *artifact, const char *folder, Error *err);

/* Reads a model folder.  `algorithm` (or NULL) says which one where clary.json does not. */
bool artifact_load(const char *folder, const Algorithm *algorithm, Artifact *ret_artifact,
                   Error *err);

/* Frees the model, if it is there, and the strings. */
void artifact_clear(Artifact *artifact);
#define AUTO_ARTIFACT __attribute__((cleanup(artifact_clear)))

/* ---- packed artifacts (artifact_file.c, build target `train_file`: its programs link libarchive) ---- */

/* Writes model.tar.gz (the name may be anything that ends in .tar.gz or .tgz), or a folder when the
 * path ends otherwise. */
bool artifact_write(const Artifact *artifact, const char *path, Error *err);

/* Reads a model.tar.gz, a model folder, or a single model file that an algorithm knows. */
bool artifact_open(const char *path, Artifact *ret_artifact, Error *err);

#endif
