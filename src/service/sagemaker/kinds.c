/* Every kind of resource. */

#include "service/sagemaker/sagemaker.h"
#include "service/sagemaker/training.h"

const ResourceKind *const resource_kinds[] = {
    &model_kind,
    &training_job_kind,
    NULL,
};
