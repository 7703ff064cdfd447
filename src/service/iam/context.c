/* Condition keys that follow from a request. */

#include "service/iam/access.h"

#include <string.h>

typedef struct Adding {
    AccessContext *context;
    int n, max;
} Adding;

static void add(Adding *adding, const char *name, Str value)
{
    if (value.ptr && adding->n < adding->max)
        adding->context[adding->n++] = (AccessContext){name, value};
}

static void add_member(Adding *adding, const Call *call, const char *name, const char *member)
{
    const Json *value = json_get(call->in, member);
    if (value && value->type == JSON_STRING)
        add(adding, name, value->text);
    else if (value && value->type == JSON_NUMBER)
        add(adding, name, arena_format(call->arena, "%.17g", value->number));
}

/* aws:RequestTag/KEY for each tag, and aws:TagKeys for all. */
static void add_tags(Adding *adding, const Call *call)
{
    const Json *tags = json_get(call->in, "Tags");
    for (size_t i = 0; tags && tags->type == JSON_ARRAY && i < tags->n; i++) {
        Str key = json_get_text(json_at(tags, i), "Key");
        if (!key.ptr) continue;
        add(adding, arena_format(call->arena, "aws:RequestTag/%.*s", STR_ARG(key)).ptr,
            json_get_text(json_at(tags, i), "Value"));
        add(adding, "aws:TagKeys", key);
    }
    const Json *keys = json_get(call->in, "TagKeys");
    for (size_t i = 0; keys && keys->type == JSON_ARRAY && i < keys->n; i++)
        add(adding, "aws:TagKeys", json_at(keys, i)->text);
}

int access_context(const Call *call, Str action, AccessContext *context, int max)
{
    static const struct {
        const char *service, *name, *member;
    } members[] = {
        {"s3", "s3:prefix", "Prefix"},
        {"s3", "s3:delimiter", "Delimiter"},
        {"s3", "s3:max-keys", "MaxKeys"},
        {"s3", "s3:VersionId", "VersionId"},
        {"s3", "s3:x-amz-acl", "ACL"},
        {"s3", "s3:x-amz-copy-source", "CopySource"},
        {"s3", "s3:x-amz-metadata-directive", "MetadataDirective"},
        {"s3", "s3:x-amz-server-side-encryption", "ServerSideEncryption"},
        {"s3", "s3:x-amz-storage-class", "StorageClass"},
        {"sts", "sts:ExternalId", "ExternalId"},
        {"sts", "sts:RoleSessionName", "RoleSessionName"},
        {"sts", "sts:SourceIdentity", "SourceIdentity"},
        {"iam", "iam:PermissionsBoundary", "PermissionsBoundary"},
        {"iam", "iam:PolicyARN", "PolicyArn"},
        {"iam", "iam:AWSServiceName", "AWSServiceName"},
    };
    Adding adding = {context, 0, max};
    const char *service = call->route.service ? call->route.service->signing_name : "";
    add(&adding, "aws:RequestedRegion", call->region);
    add(&adding, "aws:SecureTransport",
        call->server->options->certificate ? STR("true") : STR("false"));
    if (call->http)
        add(&adding, "aws:UserAgent", http_field(call->http->request, STR("User-Agent")));
    for (size_t i = 0; i < COUNT(members); i++)
        if (strcmp(service, members[i].service) == 0)
            add_member(&adding, call, members[i].name, members[i].member);
    if (str_is(action, "iam:PassRole"))
        add(&adding, "iam:PassedToService", arena_format(call->arena, "%s.amazonaws.com", service));
    add_tags(&adding, call);
    return adding.n;
}
