/* Endpoints: the operations.  They change the document and let endpoint_drive.c make it true. */

#include "service/logs/logs.h"
#include "service/sagemaker/hosting.h"

Str endpoint_log_group(Arena *arena, Str name)
{
    return arena_format(arena, "/aws/sagemaker/Endpoints/%.*s", STR_ARG(name));
}

static bool need_config(Call *call, Error *err)
{
    Resource config;
    return resource_need(call, &endpoint_config_kind, call_text(call, "EndpointConfigName"),
                         &config, err);
}

/* ---- create ---- */

static bool create_endpoint(Call *call, Resource *endpoint, Error *err)
{
    (void)endpoint;
    return need_config(call, err);
}

/* The log group is there before the answer: clients look for it without patience. */
static void created_endpoint(Call *call, const Resource *endpoint)
{
    Error ignored;
    logs_make_group(call->server, call->region, endpoint_log_group(call->arena, endpoint->name),
                    &ignored);
    hosting_look(call->server, endpoint->region, endpoint->name);
}

/* ---- describe ---- */

static const Json *desired_of(const Json *document, Str variant)
{
    const Json *desired = json_get(document, "Desired");
    for (size_t i = 0; desired && desired->type == JSON_ARRAY && i < desired->n; i++)
        if (str_eq(json_get_text(json_at(desired, i), "VariantName"), variant))
            return json_at(desired, i);
    return NULL;
}

static Json *variant_summary(Arena *arena, const Json *document, const Json *plan)
{
    Json *line = json_new_object(arena);
    Str name = json_get_text(plan, "VariantName");
    const Json *desired = desired_of(document, name), *images = json_get(plan, "Images");
    double weight = json_get_double(plan, "Weight", 1);
    int64_t count = json_get_int(plan, "Count", 1);
    json_set_text(arena, line, "VariantName", name);
    json_set(arena, line, "DeployedImages", images);
    json_set_double(arena, line, "CurrentWeight", weight);
    json_set_double(arena, line, "DesiredWeight",
                    json_get_double(desired, "DesiredWeight", weight));
    const Json *serverless = json_get(plan, "ServerlessConfig");
    if (serverless) {
        json_set(arena, line, "CurrentServerlessConfig", serverless);
        json_set(arena, line, "DesiredServerlessConfig", serverless);
        return line;
    }
    json_set_int(arena, line, "CurrentInstanceCount", count);
    json_set_int(arena, line, "DesiredInstanceCount",
                 json_get_int(desired, "DesiredInstanceCount", count));
    return line;
}

static bool describe_endpoint(Call *call, const Resource *endpoint, Json *out, Error *err)
{
    Arena *arena = call->arena;
    const Json *document = endpoint->document, *fleet = json_get(document, "Fleet");
    (void)err;
    if (!fleet || fleet->type != JSON_OBJECT) return true;
    const Json *variants = json_get(fleet, "Variants"),
               *capture = json_get(fleet, "DataCaptureConfig");
    Json *lines = json_new_array(arena);
    for (size_t i = 0; i < variants->n; i++)
        json_push(arena, lines, variant_summary(arena, document, json_at(variants, i)));
    json_set(arena, out, "ProductionVariants", lines);
    if (capture) {
        Json *summary = json_new_object(arena);
        bool enabled = json_get_bool(capture, "EnableCapture", false);
        json_set_bool(arena, summary, "EnableCapture", enabled);
        json_set_text(arena, summary, "CaptureStatus", enabled ? STR("Started") : STR("Stopped"));
        json_set_int(arena, summary, "CurrentSamplingPercentage",
                     json_get_int(capture, "InitialSamplingPercentage", 0));
        json_set_text(arena, summary, "DestinationS3Uri",
                      json_get_text(capture, "DestinationS3Uri"));
        json_set_text(arena, summary, "KmsKeyId",
                      json_get(capture, "KmsKeyId") ? json_get_text(capture, "KmsKeyId") : STR(""));
        json_set(arena, out, "DataCaptureConfig", summary);
    }
    return true;
}

/* ---- update ---- */

static bool need_in_service(Call *call, const Resource *endpoint, Error *err)
{
    if (str_is(endpoint->state, "InService")) return true;
    if (str_is(endpoint->state, "Failed"))
        return call_error(call, err, "ValidationException",
                          "Cannot update failed endpoint \"%.*s\".", STR_ARG(endpoint->arn));
    return call_error(call, err, "ValidationException",
                      "Cannot update in-progress endpoint \"%.*s\".", STR_ARG(endpoint->arn));
}

static const Json nothing = {.type = JSON_NULL};

static bool begin_update(Call *call, Resource *endpoint, Error *err)
{
    static const char *const members[] = {
        "EndpointConfigName", "DeploymentConfig", "RetainAllVariantProperties",
        "ExcludeRetainedVariantProperties", "RetainDeploymentConfig"};
    Arena *arena = call->arena;
    if (!need_in_service(call, endpoint, err)) return false;
    Json *pending = json_new_object(arena), *summary = json_new_object(arena);
    for (size_t i = 0; i < COUNT(members); i++)
        json_set(arena, pending, members[i], json_get(call->in, members[i]));
    if (json_get_bool(call->in, "RetainDeploymentConfig", false))
        json_set(arena, pending, "DeploymentConfig",
                 json_get(endpoint->document, "LastDeploymentConfig"));
    json_set_text(arena, summary, "EndpointConfigName", call_text(call, "EndpointConfigName"));
    json_set_double(arena, summary, "StartTime", call->now);
    json_set(arena, endpoint->document, "Pending", pending);
    json_set(arena, endpoint->document, "PendingDeploymentSummary", summary);
    json_set(arena, endpoint->document, "FailureReason", &nothing);
    endpoint->state = STR("Updating");
    return true;
}

static bool update_endpoint(Call *call, Error *err)
{
    Str name = call_text(call, "EndpointName");
    Resource endpoint;
    if (!resource_need(call, &endpoint_kind, name, &endpoint, err) || !need_config(call, err) ||
        !resource_handle_update(call, err))
        return false;
    hosting_look(call->server, endpoint.region, endpoint.name);
    return true;
}

static bool begin_weights(void *arg, Resource *endpoint, Error *err)
{
    Call *call = arg;
    const Json *wanted = json_get(call->in, "DesiredWeightsAndCapacities");
    const Json *variants = json_path(endpoint->document, "Fleet.Variants");
    if (!need_in_service(call, endpoint, err)) return false;
    for (size_t i = 0; i < wanted->n; i++) {
        Str name = json_get_text(json_at(wanted, i), "VariantName");
        int64_t count = json_get_int(json_at(wanted, i), "DesiredInstanceCount", 1);
        bool known = false;
        for (size_t k = 0; variants && k < variants->n; k++)
            known |= str_eq(name, json_get_text(json_at(variants, k), "VariantName"));
        if (!known)
            return call_error(call, err, "ValidationException",
                              "The variant name(s) \"%.*s\" is/are not present within endpoint "
                              "configuration of \"%.*s\".",
                              STR_ARG(name), STR_ARG(endpoint->arn));
        if (count < 1 || count > ENDPOINT_INSTANCES_MAX)
            return call_error(call, err, "ValidationException",
                              "DesiredInstanceCount of variant \"%.*s\" must be from 1 to %d",
                              STR_ARG(name), ENDPOINT_INSTANCES_MAX);
    }
    json_set(call->arena, endpoint->document, "Desired", json_copy(call->arena, wanted));
    endpoint->state = STR("Updating");
    return true;
}

static bool update_weights(Call *call, Error *err)
{
    Resource endpoint;
    if (!resource_need(call, &endpoint_kind, call_text(call, "EndpointName"), &endpoint, err) ||
        !resource_change(call->server, &endpoint_kind, call->region, endpoint.name, begin_weights,
                         call, err))
        return false;
    hosting_look(call->server, endpoint.region, endpoint.name);
    json_set_text(call->arena, call->out, "EndpointArn", endpoint.arn);
    return true;
}

/* ---- delete ---- */

static bool begin_delete(void *arg, Resource *endpoint, Error *err)
{
    Call *call = arg;
    if (str_is(endpoint->state, "Deleting"))
        return call_error(call, err, "ValidationException",
                          "Cannot update in-progress endpoint \"%.*s\".", STR_ARG(endpoint->arn));
    endpoint->state = STR("Deleting");
    return true;
}

static bool delete_endpoint(Call *call, Error *err)
{
    Resource endpoint;
    if (!resource_need(call, &endpoint_kind, call_text(call, "EndpointName"), &endpoint, err) ||
        !resource_change(call->server, &endpoint_kind, call->region, endpoint.name, begin_delete,
                         call, err))
        return false;
    hosting_cancel(call->server, endpoint.region, endpoint.name);
    hosting_look(call->server, endpoint.region, endpoint.name);
    return true;
}

const ResourceKind endpoint_kind = {
    .service = "sagemaker",
    .name = "endpoint",
    .title = "endpoint",
    .id = "EndpointName",
    .arn = "EndpointArn",
    .state = "EndpointStatus",
    .first_state = "Creating",
    .created_at = "CreationTime",
    .modified_at = "LastModifiedTime",
    .list = "Endpoints",
    .missing_code = "ValidationException",
    .missing_message = "Could not find endpoint \"%.*s\".",
    .exists_code = "ValidationException",
    .exists_message = "Cannot create already existing endpoint \"%.*s\".",
    .create = create_endpoint,
    .created = created_endpoint,
    .update = begin_update,
    .describe = describe_endpoint,
};

#define ENDPOINT "arn:aws:sagemaker:{region}:{account}:endpoint/{EndpointName}"

const ServiceOperation endpoint_operations[] = {
    {"CreateEndpoint", resource_handle_create, &endpoint_kind, ENDPOINT, NULL, OPERATION_WRITES},
    {"DescribeEndpoint", resource_handle_describe, &endpoint_kind, ENDPOINT, NULL, 0},
    {"ListEndpoints", resource_handle_list, &endpoint_kind, "*", NULL, 0},
    {"UpdateEndpoint", update_endpoint, &endpoint_kind, ENDPOINT, NULL, OPERATION_WRITES},
    {"UpdateEndpointWeightsAndCapacities", update_weights, &endpoint_kind, ENDPOINT, NULL,
     OPERATION_WRITES},
    {"DeleteEndpoint", delete_endpoint, &endpoint_kind, ENDPOINT, NULL, OPERATION_WRITES},
    {0},
};
