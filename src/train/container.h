#ifndef CLARY_TRAIN_CONTAINER_H
#define CLARY_TRAIN_CONTAINER_H

/* A training run in SageMaker's container layout, below any base folder:
 *
 *   input/config/{hyperparameters,inputdataconfig,resourceconfig,checkpointconfig}.json
 *   input/data/CHANNEL/...   File and FastFile mode;  input/data/CHANNEL_0  Pipe mode, a named pipe
 *   model/  output/failure  output/data/
 *
 * Metric lines go to standard output in the form SageMaker's metric definitions look for.
 * https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-training-algo.html */

#include "algo/algorithm.h"

/* Exit statuses, which the platform turns into ClientError, InternalServerError, AlgorithmError. */
enum { EXIT_USER_ERROR = 2, EXIT_PLATFORM_ERROR = 3, EXIT_ALGORITHM_ERROR = 1 };

typedef struct ContainerOptions {
    const char *base; /* "/opt/ml" */
    const Algorithm *algorithm;
    int n_threads; /* 0: all processors, or hyperparameter nthread */
} ContainerOptions;

/* Runs the job and returns the exit status; on failure output/failure holds the reason. */
int container_train(const ContainerOptions *options);

#endif
