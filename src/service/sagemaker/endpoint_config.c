/* Endpoint configurations: documents that say which models serve, with how many servers and which part of the traffic. */

#include "service/sagemaker/hosting.h"

static bool check_variant(Call *call, const Json *variant, Error *err)
{
    Str name = json_get_text(variant, "VariantName");
    int64_t count = json_get_int(variant, "InitialInstanceCount", 1);
    if (json_get(variant, "ServerlessConfig") && json_get(variant, "InitialInstanceCount"))
        return call_error(
            call, err, "ValidationException",
            "Variant '%.*s': ServerlessConfig and InitialInstanceCount exclude each other",
            STR_ARG(name));
    if (!json_get(variant, "ModelName"))
        return call_error(
            call, err, "ValidationException",
            "Variant '%.*s' needs a ModelName: inference components are not served by "
            "clary",
            STR_ARG(name));
    if (count > ENDPOINT_INSTANCES_MAX)
        return call_error(call, err, "ResourceLimitExceeded",
                          "Variant '%.*s' asks for %lld instances; the limit is %d", STR_ARG(name),
                          (long long)count, ENDPOINT_INSTANCES_MAX);
    return true;
}

static bool create_config(Call *call, Resource *config, Error *err)
{
    const Json *variants = json_get(call->in, "ProductionVariants");
    for (size_t i = 0; i < variants->n; i++) {
        const Json *variant = json_at(variants, i);
        if (!check_variant(call, variant, err)) return false;
        for (size_t k = 0; k < i; k++)
            if (str_eq(json_get_text(variant, "VariantName"),
                       json_get_text(json_at(variants, k), "VariantName")))
                return call_error(call, err, "ValidationException",
                                  "Variant names must be unique; '%.*s' occurs twice",
                                  STR_ARG(json_get_text(variant, "VariantName")));
    }
    /* AWS shows the weight it took. */
    const Json *stored = json_get(config->document, "ProductionVariants");
    for (size_t i = 0; i < stored->n; i++) {
        Json *variant = (Json *)(uintptr_t)json_at(stored, i);
        if (!json_get(variant, "InitialVariantWeight"))
            json_set_double(call->arena, variant, "InitialVariantWeight", 1.0);
    }
    if (!json_get(config->document, "EnableNetworkIsolation"))
        json_set_bool(call->arena, config->document, "EnableNetworkIsolation", false);
    return true;
}

const ResourceKind endpoint_config_kind = {
    .service = "sagemaker",
    .name = "endpoint-config",
    .title = "endpoint configuration",
    .id = "EndpointConfigName",
    .arn = "EndpointConfigArn",
    .created_at = "CreationTime",
    .list = "EndpointConfigs",
    .missing_code = "ValidationException",
    .missing_message = "Could not find endpoint configuration \"%.*s\".",
    .exists_code = "ValidationException",
    .exists_message = "Cannot create already existing endpoint configuration \"%.*s\".",
    .create = create_config,
};

#define CONFIG "arn:aws:sagemaker:{region}:{account}:endpoint-config/{EndpointConfigName}"

const ServiceOperation endpoint_config_operations[] = {
    {"CreateEndpointConfig", resource_handle_create, &endpoint_config_kind, CONFIG, NULL,
     OPERATION_WRITES},
    {"DescribeEndpointConfig", resource_handle_describe, &endpoint_config_kind, CONFIG, NULL, 0},
    {"ListEndpointConfigs", resource_handle_list, &endpoint_config_kind, "*", NULL, 0},
    {"DeleteEndpointConfig", resource_handle_delete, &endpoint_config_kind, CONFIG, NULL,
     OPERATION_WRITES},
    {0},
};
