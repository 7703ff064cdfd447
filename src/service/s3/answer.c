/* Answers of S3 that are more than a tree: bodies of objects, CORS fields, owners and ACLs. */

#include "service/s3/put.h"

#include <unistd.h>

bool s3_owner_expected(Call *call, Error *err)
{
    Str owner = call_text(call, "ExpectedBucketOwner");
    if (!owner.len || str_is(owner, call->server->options->account)) return true;
    return s3_fail(call, err, "AccessDenied");
}

/* AWS's canonical user ids are 64 hex digits; ours come from the account. */
Json *s3_owner(Call *call)
{
    char hex[65];
    digest_sha256_hex(str_of(call->server->options->account), hex);
    Json *owner = json_new_object(call->arena);
    json_set_text(call->arena, owner, "ID", arena_str(call->arena, (Str){hex, 64}));
    return owner;
}

Str s3_arn(Call *call, Str bucket, Str key)
{
    if (!key.len) return arena_format(call->arena, "arn:aws:s3:::%.*s", STR_ARG(bucket));
    return arena_format(call->arena, "arn:aws:s3:::%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
}

void s3_answer_stream(Call *call, const S3Range *range, bool with_body, int fd, Str bytes)
{
    WireAnswer answer = {0};
    message_write(&call->route, call->out, call->request_id, call->arena, &answer);
    s3_answering(call, &answer);
    Str type = answer.content_type;
    for (int i = 0; i < answer.n_fields; i++) {
        if (str_eq_nocase(answer.fields[i].name, STR("Content-Type")))
            type = answer.fields[i].value;
        else if (!str_eq_nocase(answer.fields[i].name, STR("Content-Length")))
            http_call_field(call->http, answer.fields[i].name, answer.fields[i].value);
    }
    for (int i = 0; i < call->n_fields; i++)
        http_call_field(call->http, call->fields[i].name, call->fields[i].value);
    int status = range->partial ? 206 : 200;
    if (!with_body)
        http_call_answer_head(call->http, status, type, range->length);
    else if (fd >= 0)
        http_call_answer_file(call->http, status, type, fd, range->begin, range->length);
    else
        http_call_answer(
            call->http, status, type,
            str_slice(bytes, (size_t)range->begin, (size_t)(range->begin + range->length)));
}

/* ---- ACLs ---- */

static const char all_users[] = "http://acs.amazonaws.com/groups/global/AllUsers";
static const char signed_users[] = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";

static void grant(Call *call, Json *grants, const char *group, const char *permission)
{
    Json *line = json_new_object(call->arena), *grantee;
    if (group) {
        grantee = json_new_object(call->arena);
        json_set_text(call->arena, grantee, "Type", STR("Group"));
        json_set_text(call->arena, grantee, "URI", str_of(group));
    } else {
        grantee = s3_owner(call);
        json_set_text(call->arena, grantee, "Type", STR("CanonicalUser"));
    }
    json_set(call->arena, line, "Grantee", grantee);
    json_set_text(call->arena, line, "Permission", str_of(permission));
    json_push(call->arena, grants, line);
}

void s3_acl_answer(Call *call, Str canned)
{
    Json *grants = json_new_array(call->arena);
    grant(call, grants, NULL, "FULL_CONTROL");
    if (str_is(canned, "public-read") || str_is(canned, "public-read-write"))
        grant(call, grants, all_users, "READ");
    if (str_is(canned, "public-read-write")) grant(call, grants, all_users, "WRITE");
    if (str_is(canned, "authenticated-read")) grant(call, grants, signed_users, "READ");
    json_set(call->arena, call->out, "Owner", s3_owner(call));
    json_set(call->arena, call->out, "Grants", grants);
}

bool s3_acl_of_request(Call *call, Str *ret_canned, Error *err)
{
    static const char *const headers[] = {"GrantFullControl", "GrantRead", "GrantReadACP",
                                          "GrantWrite", "GrantWriteACP"};
    Str canned = call_text(call, "ACL");
    const Json *grants = json_path(call->in, "AccessControlPolicy.Grants");
    for (size_t i = 0; i < COUNT(headers); i++)
        if (call_text(call, headers[i]).len) return s3_fail(call, err, "NotImplemented");
    if (canned.len) {
        *ret_canned = canned;
        return true;
    }
    if (!json_get(call->in, "AccessControlPolicy")) return s3_fail(call, err, "MalformedACLError");
    bool read = false, write = false, signed_read = false;
    for (size_t i = 0; grants && i < grants->n; i++) {
        const Json *line = grants->items[i];
        Str uri = json_get_text(json_get(line, "Grantee"), "URI"),
            permission = json_get_text(line, "Permission");
        if (!uri.len) continue; /* the owner has everything anyway; there are no other accounts */
        bool all = str_is(uri, all_users), any_signed = str_is(uri, signed_users);
        if (!all && !any_signed) return s3_fail(call, err, "NotImplemented");
        if (str_is(permission, "READ")) {
            if (all)
                read = true;
            else
                signed_read = true;
        } else if (str_is(permission, "WRITE") && all) {
            write = true;
        } else {
            return s3_fail(call, err, "NotImplemented");
        }
    }
    *ret_canned = write         ? STR("public-read-write")
                  : read        ? STR("public-read")
                  : signed_read ? STR("authenticated-read")
                                : STR("private");
    return true;
}
