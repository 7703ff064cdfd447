/* The tables of SageMaker's control plane. */

#include "service/sagemaker/sagemaker.h"

#include "service/sagemaker/hosting.h"
#include "service/sagemaker/training.h"

/* clang-format off */
static const ServiceOperation *const tables[] = {
    model_operations,
    endpoint_config_operations,
    endpoint_operations,
    tag_operations,
    search_operations,
    training_operations,
    NULL,
};
/* clang-format on */

const Service sagemaker_service = {.name = "sagemaker", .tables = tables};

bool sagemaker_open(Server *server, Error *err)
{
    return resources_open(server, err);
}

void sagemaker_close(Server *server)
{
    resources_close(server);
}
