/* AddTags, ListTags, DeleteTags: of every resource that has an ARN. */

#include "service/sagemaker/sagemaker.h"

static bool need_arn(Call *call, Str *ret_arn, Error *err)
{
    Resource resource;
    Str arn = call_text(call, "ResourceArn");
    if (!resource_load_arn(call->server, arn, call->arena, &resource, err)) return false;
    *ret_arn = arn;
    return resource.document || call_error(call, err, "ValidationException",
                                           "Could not find resource \"%.*s\".", STR_ARG(arn));
}

static bool add_tags(Call *call, Error *err)
{
    Str arn;
    Json *tags;
    const Json *given = json_get(call->in, "Tags");
    if (!resource_tags_check(call, given, err) || !need_arn(call, &arn, err)) return false;
    if (!resource_tags_set(call->server, arn, given, err)) {
        if (err->kind == ERROR_LIMIT) call->code = "ResourceLimitExceeded";
        return false;
    }
    if (!resource_tags_get(call->server, arn, call->arena, &tags, err)) return false;
    json_set(call->arena, call->out, "Tags", tags);
    return true;
}

/* There are at most RESOURCE_TAGS_MAX: one page, unless a smaller one is asked for. */
static bool list_tags(Call *call, Error *err)
{
    Str arn, token = call_text(call, "NextToken");
    Json *tags, *page = json_new_array(call->arena);
    int64_t first = 0, n = json_get_int(call->in, "MaxResults", RESOURCE_TAGS_MAX);
    if (token.ptr && (!str_to_int64(token, &first) || first < 0))
        return call_error(call, err, "ValidationException", "Invalid pagination token.");
    if (!need_arn(call, &arn, err) ||
        !resource_tags_get(call->server, arn, call->arena, &tags, err))
        return false;
    for (size_t i = (size_t)first; i < tags->n; i++) {
        if ((int64_t)page->n == n) {
            json_set_text(call->arena, call->out, "NextToken", arena_format(call->arena, "%zu", i));
            break;
        }
        json_push(call->arena, page, json_at(tags, i));
    }
    json_set(call->arena, call->out, "Tags", page);
    return true;
}

static bool delete_tags(Call *call, Error *err)
{
    Str arn;
    return need_arn(call, &arn, err) &&
           resource_tags_drop(call->server, arn, json_get(call->in, "TagKeys"), err);
}

const ServiceOperation tag_operations[] = {
    {"AddTags", add_tags, NULL, "{ResourceArn}", NULL, OPERATION_WRITES},
    {"ListTags", list_tags, NULL, "{ResourceArn}", NULL, 0},
    {"DeleteTags", delete_tags, NULL, "{ResourceArn}", NULL, OPERATION_WRITES},
    {0},
};
