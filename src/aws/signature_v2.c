/* Signature Version 2 in presigned S3 addresses: boto3 makes them for a custom endpoint in the older
 * regions.  HMAC-SHA1 of method, Content-MD5, Content-Type, expiry, x-amz-* lines and resource.
 *
 * AWS: Signing and Authenticating REST Requests (Signature Version 2). */

#include "aws/signature_inside.h"

#include "aws/digest.h"
#include "base/strbuf.h"

#include <stdlib.h>

/* What of a query is signed. */
static bool is_subresource(Str name)
{
    static const char *const names[] = {
        "accelerate",
        "acl",
        "analytics",
        "cors",
        "defaultObjectAcl",
        "delete",
        "inventory",
        "lifecycle",
        "location",
        "logging",
        "metrics",
        "notification",
        "object-lock",
        "partNumber",
        "policy",
        "replication",
        "requestPayment",
        "response-cache-control",
        "response-content-disposition",
        "response-content-encoding",
        "response-content-language",
        "response-content-type",
        "response-expires",
        "restore",
        "select",
        "select-type",
        "storageClass",
        "tagging",
        "torrent",
        "uploadId",
        "uploads",
        "versionId",
        "versioning",
        "versions",
        "website",
    };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is(name, names[i])) return true;
    return false;
}

static Str header_or_param(const HttpRequest *request, const Signature *s, Str name, Arena *arena)
{
    Str value = http_field(request, name);
    if (value.ptr) return value;
    for (size_t i = 0; i < s->n_params; i++)
        if (str_eq_nocase(s->params[i].name, name))
            return signature_decode(arena, s->params[i].value);
    return (Str){0};
}

typedef struct Line {
    Str name, value;
} Line;

static int by_line_name(const void *a, const void *b)
{
    return str_compare(((const Line *)a)->name, ((const Line *)b)->name);
}

static Str lower(Arena *arena, Str text)
{
    Str copy = arena_str(arena, text);
    char *p = (char *)(uintptr_t)copy.ptr;
    for (size_t i = 0; i < copy.len; i++)
        if (p[i] >= 'A' && p[i] <= 'Z') p[i] = (char)(p[i] | 32);
    return copy;
}

/* x-amz-* of the head and of the query, which presigning moves there. */
static size_t amz_lines(const HttpRequest *request, const Signature *s, Arena *arena, Line *lines)
{
    size_t n = 0;
    for (int i = 0; i < request->n_fields; i++) {
        const HttpField *field = &request->fields[i];
        Str name = http_text(request, field->name, field->name_len);
        if (signature_is_amz(name))
            lines[n++] = (Line){lower(arena, name),
                                http_text(request, field->value, field->value_len)};
    }
    for (size_t i = 0; i < s->n_params; i++)
        if (signature_is_amz(s->params[i].name))
            lines[n++] = (Line){lower(arena, s->params[i].name),
                                signature_decode(arena, s->params[i].value)};
    qsort(lines, n, sizeof lines[0], by_line_name);
    return n;
}

bool signature_verify_v2(const HttpRequest *request, const Signature *s, Str secret, Arena *arena)
{
    AUTO_STRBUF StrBuf text = STRBUF(256 << 10);
    Line *lines = arena_array(arena, Line, (size_t)request->n_fields + s->n_params + 1);
    strbuf_add(&text, http_method(request));
    strbuf_add_char(&text, '\n');
    strbuf_add(&text, header_or_param(request, s, STR("content-md5"), arena));
    strbuf_add_char(&text, '\n');
    strbuf_add(&text, header_or_param(request, s, STR("content-type"), arena));
    strbuf_addf(&text, "\n%.0f\n", s->expires);
    size_t n = amz_lines(request, s, arena, lines);
    for (size_t i = 0; i < n; i++) {
        if (i && str_eq(lines[i].name, lines[i - 1].name)) { /* in the head and in the query */
            if (!str_eq(str_trim(lines[i].value), str_trim(lines[i - 1].value))) return false;
            continue;
        }
        strbuf_add(&text, lines[i].name);
        strbuf_add_char(&text, ':');
        strbuf_add(&text, str_trim(lines[i].value));
        strbuf_add_char(&text, '\n');
    }
    size_t before_path = text.len;

    n = 0;
    for (size_t i = 0; i < s->n_params; i++)
        if (is_subresource(s->params[i].name))
            lines[n++] = (Line){s->params[i].name, signature_decode(arena, s->params[i].value)};
    qsort(lines, n, sizeof lines[0], by_line_name);

    /* A bucket in the host's name is signed as if it stood in the path. */
    Str host = http_field_value(request, request->host);
    Str bucket = {host.ptr, 0};
    for (size_t i = 0; i < host.len && !bucket.len; i++)
        if (str_starts(str_from(host, i), STR(".s3")) ||
            str_starts(str_from(host, i), STR(".localhost")))
            bucket.len = i;
    for (int in_host = 0; in_host <= (bucket.len > 0); in_host++) {
        text.len = before_path;
        if (in_host) {
            strbuf_add_char(&text, '/');
            strbuf_add(&text, bucket);
        }
        strbuf_add(&text, http_path(request));
        for (size_t i = 0; i < n; i++) {
            strbuf_add_char(&text, i ? '&' : '?');
            strbuf_add(&text, lines[i].name);
            if (lines[i].value.len) {
                strbuf_add_char(&text, '=');
                strbuf_add(&text, lines[i].value);
            }
        }
        uint8_t mac[20];
        Str sent;
        digest_hmac_sha1(secret, strbuf_str(&text), mac);
        if (!text.overflow && base64_bytes(arena, s->mac, &sent) && sent.len == 20 &&
            digest_equal(mac, sent.ptr, 20))
            return true;
    }
    return false;
}
