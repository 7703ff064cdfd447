/* S3 among the services: its tables, and what surrounds every call: CORS, forms, policies of buckets. */

#include "service/s3/settings.h"

/* The bucket of a request, also of those that are no operation. */
static Str bucket_of(const Call *call)
{
    Str bucket = call_text(call, "Bucket");
    if (bucket.len) return bucket;
    if (call->route.bucket.len) return call->route.bucket;
    Str path = http_path(call->http->request);
    if (str_starts(path, STR("/"))) path = str_from(path, 1);
    return str_slice(path, 0, str_find(path, '/'));
}

void s3_answering(Call *call, WireAnswer *answer)
{
    if (call->http) s3_cors_fields(call, answer, bucket_of(call));
}

static bool preflight(Call *call, Error *err)
{
    return s3_preflight(call, call_text(call, "Bucket"), err);
}

static bool post_object(Call *call, Error *err)
{
    return s3_post_form(call, call_text(call, "Bucket"), err);
}

/* Whoever asks may ask: the answers say what browsers may do, the form carries its own signature. */
static const ServiceOperation browser_operations[] = {
    {"PreflightBucket", preflight, .flags = OPERATION_ANSWERS | OPERATION_ANONYMOUS},
    {"PreflightObject", preflight, .flags = OPERATION_ANSWERS | OPERATION_ANONYMOUS},
    {"PostObject", post_object,
     .flags = OPERATION_ANSWERS | OPERATION_STREAMS | OPERATION_DATA | OPERATION_ANONYMOUS},
    {0},
};

/* ---- policies ---- */

/* What an ACL allows everybody, as statements: {"Effect", "Principal", "Action", "Resource"}. */
static void acl_statement(Arena *arena, Json *statements, Str acl, const char *const *actions,
                          size_t n, Str resource)
{
    Json *statement = json_new_object(arena), *names = json_new_array(arena);
    for (size_t i = 0; i < n; i++)
        json_push(arena, names, json_new_text(arena, str_of(actions[i])));
    json_set_text(arena, statement, "Effect", STR("Allow"));
    json_set_text(arena, statement, "Principal", STR("*"));
    json_set(arena, statement, "Action", names);
    json_set_text(arena, statement, "Resource", resource);
    if (str_starts(acl, STR("authenticated"))) {
        Json *null = json_new_object(arena), *condition = json_new_object(arena);
        json_set_text(arena, null, "aws:PrincipalArn", STR("false"));
        json_set(arena, condition, "Null", null);
        json_set(arena, statement, "Condition", condition);
    }
    json_push(arena, statements, statement);
}

static Str acl_of_object(Call *call, Str bucket, Str key)
{
    S3Find find = {.s3 = s3_of(call),
                   .arena = call->arena,
                   .bucket_name = bucket,
                   .key = key,
                   .version = call->in ? call_text(call, "VersionId") : (Str){0}};
    const Json *meta;
    Error ignored;
    if (!s3_find_row(&find, &ignored) || find.row.marker || !find.row.meta.len ||
        !json_parse(find.row.meta, call->arena, &meta, &ignored))
        return (Str){0};
    return json_get_text(meta, "ACL");
}

/* The policy of the bucket that the resource is in, with what ACLs say beside it. */
static Str resource_policy(Call *call, Str resource)
{
    static const char *const bucket_read[] = {"s3:ListBucket", "s3:ListBucketVersions",
                                              "s3:ListBucketMultipartUploads"};
    static const char *const bucket_write[] = {"s3:PutObject", "s3:DeleteObject"};
    static const char *const object_read[] = {"s3:GetObject", "s3:GetObjectVersion"};
    Arena *arena = call->arena;
    S3 *s3 = s3_of(call);
    if (!str_starts(resource, STR("arn:aws:s3:::"))) return (Str){0};
    Str path = str_from(resource, 13);
    size_t slash = str_find(path, '/');
    Str bucket = str_slice(path, 0, slash),
        key = slash < path.len ? str_from(path, slash + 1) : (Str){0};
    S3Access access;
    if (!bucket.len || !s3_access_of(s3, bucket, arena, &access)) return (Str){0};

    /* Who has a key is judged by policies; object ACLs matter for those who have none. */
    Str object_acl = {0};
    if (!access.ignore_acls && key.len && call->caller.type == CALLER_ANONYMOUS)
        object_acl = acl_of_object(call, bucket, key);
    bool acls = !access.ignore_acls && (access.acl.len || object_acl.len);
    if (access.restrict_public && call->caller.type == CALLER_ANONYMOUS) return (Str){0};
    if (!acls) return access.policy;

    Json *policy = json_new_object(arena), *statements = json_new_array(arena);
    const Json *own;
    if (access.policy.len && json_parse(access.policy, arena, &own, NULL)) {
        const Json *list = json_get(own, "Statement");
        for (size_t i = 0; list && list->type == JSON_ARRAY && i < list->n; i++)
            json_push(arena, statements, list->items[i]);
        if (list && list->type == JSON_OBJECT) json_push(arena, statements, list);
    }
    Str bucket_arn = s3_arn(call, bucket, (Str){0});
    Str inside = arena_format(arena, "%.*s/*", STR_ARG(bucket_arn));
    if (access.acl.len) {
        acl_statement(arena, statements, access.acl, bucket_read, COUNT(bucket_read), bucket_arn);
        if (str_is(access.acl, "public-read-write"))
            acl_statement(arena, statements, access.acl, bucket_write, COUNT(bucket_write), inside);
    }
    if (str_starts(object_acl, STR("public")))
        acl_statement(arena, statements, object_acl, object_read, COUNT(object_read), resource);
    json_set_text(arena, policy, "Version", STR("2012-10-17"));
    json_set(arena, policy, "Statement", statements);
    return json_text(arena, policy);
}

static const ServiceOperation *const tables[] = {s3_bucket_operations,
                                                 s3_object_operations,
                                                 s3_list_operations,
                                                 s3_multipart_operations,
                                                 s3_setting_operations,
                                                 browser_operations,
                                                 NULL};

const Service s3_service = {
    .name = "s3", .tables = tables, .resource_policy = resource_policy, .answering = s3_answering};
