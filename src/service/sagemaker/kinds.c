/* Every kind of resource. */

#include "service/sagemaker/sagemaker.h"

const ResourceKind *const resource_kinds[] = {
    &model_kind,
    NULL,
};
