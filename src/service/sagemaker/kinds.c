/* Every kind of resource. */

#include "service/sagemaker/hosting.h"
#include "service/sagemaker/training.h"

const ResourceKind *const resource_kinds[] = {
    &model_kind, &endpoint_config_kind, &endpoint_kind, &training_job_kind, NULL,
};
