#ifndef CLARY_SERVICE_SAGEMAKER_TRAINING_START_H
#define CLARY_SERVICE_SAGEMAKER_TRAINING_START_H

/* A job's program as it is put together before its start: shared by training_start.c and training_image.c. */

#include "service/sagemaker/training.h"

enum { MOUNTS_MAX = 64, ENV_MAX = 4096, ARGS_MAX = 1024 };

typedef struct Start {
    TrainingRun *run;
    Arena *arena;
    bool inside;      /* mounts are where SageMaker has them */
    const char *base; /* "/opt/ml", or the job's folder */
    Mount mounts[MOUNTS_MAX];
    int n_mounts;
    const char *env[ENV_MAX + 1];
    int n_env;
    const char *argv[ARGS_MAX + 1];
    int n_args;
    const char *folder;
} Start;

void start_env(Start *start, const char *name, Str value);
void start_arg(Start *start, Str value);
void start_mount(Start *start, const char *from, const char *to, bool writable);
/* A folder of the job as the program sees it. */
Str start_seen(const Start *start, const char *name);

/* training_image.c: turns mounts and environment into a command of a container engine. */
bool start_image(Start *start, bool isolated, Error *err);

#endif
