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

/* The dispatcher gives these to runtime.c before it looks for a row; the rows are for doc/api.md. */
static bool taken_by_runtime(Call *call, Error *err)
{
    (void)call;
    return error_set(err, ERROR_INTERNAL, "an invocation missed the runtime");
}

#define ENDPOINT "arn:aws:sagemaker:{region}:{account}:endpoint/{EndpointName}"

static const ServiceOperation runtime_operations[] = {
    {"InvokeEndpoint", taken_by_runtime, NULL, ENDPOINT, NULL, OPERATION_ANSWERS},
    {"InvokeEndpointWithResponseStream", taken_by_runtime, NULL, ENDPOINT, NULL, OPERATION_ANSWERS},
    {0},
};

static const ServiceOperation *const runtime_tables[] = {runtime_operations, NULL};

const Service sagemaker_runtime_service = {.name = "sagemaker-runtime", .tables = runtime_tables};
const Service sagemaker_service = {.name = "sagemaker", .tables = tables};

bool sagemaker_open(Server *server, Error *err)
{
    return resources_open(server, err);
}

void sagemaker_close(Server *server)
{
    resources_close(server);
}
