/* The short way of GetObject: a signed GET of an object in memory is answered where its head was read, on the
 * loop's thread, without a worker, a message tree or the database.
 *
 * Who asks is verified and what he may is decided by the same two functions as always (rules A1 and Z1), with the same
 * arguments.  Only requests that consist of nothing but known fields are taken; everything else, and everything
 * that does not simply succeed, goes the long way, which says why. */

#include "service/s3/s3.h"

#include "service/iam/access.h"

/* Fields that change nothing about the answer, or are looked at here. */
static bool is_known_field(Str name)
{
    static const char *const names[] = {
        "host",         "authorization",        "x-amz-date",
        "user-agent",   "x-amz-content-sha256", "x-amz-checksum-mode",
        "accept",       "accept-encoding",      "amz-sdk-invocation-id",
        "connection",   "amz-sdk-request",      "x-amz-security-token",
        "content-type", "content-length",       "x-amz-user-agent"};
    for (size_t i = 0; i < COUNT(names); i++)
        if (name.len == strlen(names[i]) && str_eq_nocase(name, str_of(names[i]))) return true;
    return false;
}

/* "/bucket/key" of characters that need no decoding. */
static bool cut_path(Str path, Str *ret_bucket, Str *ret_key)
{
    if (path.len < 6 || path.ptr[0] != '/') return false;
    for (size_t i = 0; i < path.len; i++) {
        char c = path.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '/' || c == '-' || c == '_' || c == '.' || c == '~';
        if (!plain) return false;
    }
    path = str_from(path, 1);
    size_t slash = str_find(path, '/');
    if (slash + 1 >= path.len) return false;
    *ret_bucket = str_slice(path, 0, slash);
    *ret_key = str_from(path, slash + 1);
    return true;
}

bool s3_quick_wants(Server *server, const HttpRequest *request)
{
    Str bucket, key;
    if (request->method != HTTP_GET || request->query_len || request->chunked ||
        request->content_length || !cut_path(http_path(request), &bucket, &key))
        return false;
    Str host = http_field_value(request, request->host);
    host.len = str_find(host, ':');
    if (str_ends(host, STR(".localhost")) || str_ends(host, STR(".cn")) ||
        str_ends(host, STR(".com")))
        return false;
    bool is_signed = false;
    for (int i = 0; i < request->n_fields; i++) {
        Str name = http_text(request, request->fields[i].name, request->fields[i].name_len);
        if (!is_known_field(name)) return false;
        is_signed |= name.len == 13 && str_eq_nocase(name, STR("authorization"));
    }
    if (!is_signed) return false;
    const S3Kept *kept = s3_cache_look(server->s3->cache, bucket, key);
    if (!kept) return false;
    s3_cache_leave(server->s3->cache, kept);
    return true;
}

static bool is_permitted(Server *server, const HttpRequest *request, Str bucket, Str key,
                         Arena *arena)
{
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    Signature signature;
    Caller caller;
    SigningKey signing_key;
    S3Access access;
    const char *code = NULL;
    Error ignored;
    if (!signature_parse(request, arena, &signature, &code, &ignored) ||
        signature.form != SIGNATURE_HEADER || !str_is(signature.service, "s3") ||
        signature.body_mode > BODY_UNSIGNED)
        return false;
    Str hash = signature.body_mode == BODY_SIGNED ? str_of(empty) : STR("");
    if (!access_authenticate(server, request, &signature, hash, arena, &caller, &signing_key, &code,
                             &ignored) ||
        caller.type == CALLER_ANONYMOUS || !s3_access_of(server->s3, bucket, arena, &access) ||
        access.acl.len)
        return false;
    AccessContext context[] = {
        {"aws:RequestedRegion", signature.region},
        {"aws:PrincipalArn", caller.arn},
        {"aws:UserAgent", http_field(request, STR("User-Agent"))},
    };
    Str arn = arena_format(arena, "arn:aws:s3:::%.*s/%.*s", STR_ARG(bucket), STR_ARG(key));
    return access_permitted(server, &caller, STR("s3:GetObject"), arn, context, COUNT(context),
                            access.policy);
}

bool s3_quick_answer(Server *server, HttpExchange *exchange)
{
    const HttpRequest *request = exchange->request;
    S3 *s3 = server->s3;
    Str bucket, key;
    ARENA(arena);
    if (!cut_path(http_path(request), &bucket, &key) ||
        !is_permitted(server, request, bucket, key, &arena))
        return false;
    const S3Kept *kept = s3_cache_look(s3->cache, bucket, key);
    if (!kept) return false;
    int fd = kept->file ? s3_file_open(s3, kept->file) : -1;
    if (kept->file && fd < 0) { /* replaced just now */
        s3_cache_leave(s3->cache, kept);
        return false;
    }
    bool sums = str_is(http_field(request, STR("x-amz-checksum-mode")), "ENABLED");
    Str id = call_new_id(&arena);
    http_answer_field(exchange, STR("x-amz-request-id"), id);
    http_answer_field(exchange, STR("x-amz-id-2"), id);
    for (int i = 0; i < (sums ? kept->n_fields : kept->n_plain); i++)
        http_answer_field(exchange, kept->fields[i].name, kept->fields[i].value);
    if (fd >= 0)
        http_answer_file(exchange, 200, kept->content_type, fd, 0, kept->size);
    else
        http_answer(exchange, 200, kept->content_type, kept->bytes);
    s3_cache_leave(s3->cache, kept);
    return true;
}
