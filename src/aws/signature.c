/* AWS Signature Version 4: verifying and making it; see signature.h.
 *
 * What is signed is built again from the bytes that were received, never from what a parser made of
 * them (rule A5).  The canonical request is written into a buffer on the stack and hashed in one go;
 * longer ones go on into an incremental hash.
 *
 * A head of an ordinary SDK costs about 2 us: one hash of half a kilobyte and one HMAC, since the
 * caller keeps the signing key of a day.
 *
 * AWS: Signature Version 4 for API requests; Authenticating Requests (S3). */

#include "aws/signature.h"

#include "aws/digest.h"
#include "aws/signature_inside.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <stdlib.h>

enum { SKEW_SECONDS = 15 * 60, SCOPE_BYTES_MAX = 256 };

/* ---- what is signed ---- */

/* Text into a hash, over a buffer that usually holds all of it. */
typedef struct Canon {
    Digest digest;
    bool long_text;
    size_t n;
    char buffer[4096];
} Canon;

static void canon_flush(Canon *canon)
{
    if (!canon->long_text) digest_init(&canon->digest, DIGEST_SHA256);
    canon->long_text = true;
    digest_add(&canon->digest, (Str){canon->buffer, canon->n});
    canon->n = 0;
}

static void canon_add(Canon *canon, Str text)
{
    if (UNLIKELY(text.len > sizeof canon->buffer - canon->n)) {
        canon_flush(canon);
        if (text.len > sizeof canon->buffer) {
            digest_add(&canon->digest, text);
            return;
        }
    }
    if (text.len) memcpy(canon->buffer + canon->n, text.ptr, text.len);
    canon->n += text.len;
}

static void canon_char(Canon *canon, char c)
{
    if (UNLIKELY(canon->n == sizeof canon->buffer)) canon_flush(canon);
    canon->buffer[canon->n++] = c;
}

static void canon_hash(Canon *canon, uint8_t ret[static 32])
{
    if (!canon->long_text) {
        digest_sha256((Str){canon->buffer, canon->n}, ret);
        return;
    }
    canon_flush(canon);
    digest_end(&canon->digest, ret);
}

/* Blanks at the ends removed, inner ones made one. */
static void canon_value(Canon *canon, Str value)
{
    value = str_trim(value);
    bool plain = true;
    for (size_t i = 0; i + 1 < value.len && plain; i++)
        plain = value.ptr[i] != '\t' && (value.ptr[i] != ' ' || value.ptr[i + 1] != ' ');
    if (plain) {
        canon_add(canon, value);
        return;
    }
    for (size_t i = 0; i < value.len; i++) {
        bool blank = value.ptr[i] == ' ' || value.ptr[i] == '\t';
        if (blank && (value.ptr[i + 1] == ' ' || value.ptr[i + 1] == '\t')) continue;
        canon_char(canon, blank ? ' ' : value.ptr[i]);
    }
}

/* Empty segments and dot segments removed, for all services but S3. */
static Str normalized(Arena *arena, Str path)
{
    bool plain = true;
    for (size_t i = 0; i + 1 < path.len && plain; i++)
        plain = path.ptr[i] != '/' || (path.ptr[i + 1] != '/' && path.ptr[i + 1] != '.');
    if (plain) return path;
    char *out = arena_alloc(arena, path.len + 2);
    size_t n = 0;
    Str rest = path, segment;
    bool folder = true; /* the path ends in a slash */
    while (str_next(&rest, '/', &segment)) {
        folder = !segment.len || str_is(segment, ".") || str_is(segment, "..");
        if (str_is(segment, ".."))
            while (n && out[--n] != '/') {
            }
        if (folder) continue;
        out[n++] = '/';
        memcpy(out + n, segment.ptr, segment.len);
        n += segment.len;
    }
    if (!n || folder) out[n++] = '/';
    return (Str){out, n};
}

static void canon_path(Canon *canon, const HttpRequest *request, bool s3, Arena *arena)
{
    Str path = http_path(request);
    bool plain = path.len && path.ptr[0] == '/';
    for (size_t i = 0; i < path.len && plain; i++)
        plain = signature_is_unreserved(path.ptr[i]) || path.ptr[i] == '/';
    if (plain && s3) {
        canon_add(canon, path);
        return;
    }
    if (!s3) { /* what was sent, encoded again: a '%' becomes "%25" */
        path = normalized(arena, path);
        for (size_t i = 0; i < path.len; i++) {
            char c = path.ptr[i];
            if (signature_is_unreserved(c) || c == '/') {
                canon_char(canon, c);
            } else {
                canon_char(canon, '%');
                canon_char(canon, "0123456789ABCDEF"[(unsigned char)c >> 4]);
                canon_char(canon, "0123456789ABCDEF"[c & 15]);
            }
        }
        return;
    }
    char *text = arena_alloc(arena, 3 * path.len + 1);
    char *end = signature_encode(text, path, true, false);
    canon_add(canon, (Str){text, (size_t)(end - text)});
}

static int by_name_and_value(const void *a, const void *b)
{
    const QueryParam *x = *(const QueryParam *const *)a, *y = *(const QueryParam *const *)b;
    int order = str_compare(x->name, y->name);
    return order ? order : str_compare(x->value, y->value);
}

static void canon_query(Canon *canon, const Signature *s, Arena *arena)
{
    if (!s->n_params) return;
    const QueryParam **order = arena_array(arena, const QueryParam *, s->n_params);
    size_t n = 0;
    for (size_t i = 0; i < s->n_params; i++) {
        if (s->form == SIGNATURE_QUERY && str_is(s->params[i].name, "X-Amz-Signature")) continue;
        order[n++] = &s->params[i];
    }
    qsort(order, n, sizeof order[0], by_name_and_value);
    for (size_t i = 0; i < n; i++) {
        if (i) canon_char(canon, '&');
        canon_add(canon, order[i]->name);
        canon_char(canon, '=');
        canon_add(canon, order[i]->value);
    }
}

/* The signed headers, each exactly once in the request, all x-amz-* among them (rule A3). */
static Refusal canon_headers(Canon *canon, const HttpRequest *request, const Signature *s)
{
    int amz_sent = 0, amz_signed = 0;
    Str rest = s->signed_headers, name;
    for (int i = 0; i < request->n_fields; i++) {
        const HttpField *field = &request->fields[i];
        amz_sent += signature_is_amz(http_text(request, field->name, field->name_len));
    }
    while (str_next(&rest, ';', &name)) {
        Str value = {0};
        for (int i = 0; i < request->n_fields; i++) {
            const HttpField *field = &request->fields[i];
            if (field->name_len != name.len ||
                !str_eq_nocase(http_text(request, field->name, field->name_len), name))
                continue;
            if (value.ptr) return REFUSAL_NO_MATCH; /* twice */
            value = http_text(request, field->value, field->value_len);
        }
        if (!value.ptr) return REFUSAL_NO_MATCH;
        amz_signed += signature_is_amz(name);
        canon_add(canon, name);
        canon_char(canon, ':');
        canon_value(canon, value);
        canon_char(canon, '\n');
    }
    /* Each signed name was found once, so equal counts mean equal sets.  A date that is not signed
     * could be set forward. */
    return amz_sent == amz_signed ? (Refusal)-1 : REFUSAL_UNSIGNED;
}

static char *put(char *to, Str text)
{
    if (text.len) memcpy(to, text.ptr, text.len);
    return to + text.len;
}

/* Its parts have the lengths that signature_parse allows. */
static Str scope_text(const Signature *s, char buffer[static SCOPE_BYTES_MAX])
{
    assert(s->day.len + s->region.len + s->service.len + 16 < SCOPE_BYTES_MAX);
    char *to = put(buffer, s->day);
    *to++ = '/';
    to = put(to, s->region);
    *to++ = '/';
    to = put(to, s->service);
    to = put(to, STR("/aws4_request"));
    return (Str){buffer, (size_t)(to - buffer)};
}

void signing_key_derive(Str secret, Str day, Str region, Str service, SigningKey *ret_key)
{
    char first[4 + 256];
    uint8_t *k = ret_key->bytes;
    ret_key->unchecked = false;
    Str key = {(const char *)k, sizeof ret_key->bytes};
    size_t n = MIN(secret.len, sizeof first - 4);
    memcpy(first, "AWS4", 4);
    if (n) memcpy(first + 4, secret.ptr, n);
    digest_hmac_sha256((Str){first, 4 + n}, day, k);
    digest_hmac_sha256(key, region, k);
    digest_hmac_sha256(key, service, k);
    digest_hmac_sha256(key, STR("aws4_request"), k);
    explicit_bzero(first, sizeof first);
}

static bool mac_matches(const SigningKey *key, Str text, Str mac_hex)
{
    uint8_t mac[32], sent[32];
    digest_hmac_sha256((Str){(const char *)key->bytes, sizeof key->bytes}, text, mac);
    return hex_bytes(mac_hex, sent, 32) && digest_equal(mac, sent, 32);
}

static bool verify_v4(const HttpRequest *request, const Signature *s, const SigningKey *key,
                      Str body_hash, bool s3, Arena *arena, Refusal *ret_refusal)
{
    UNINITIALIZED Canon canon;
    canon.long_text = false;
    canon.n = 0;
    canon_add(&canon, http_method(request));
    canon_char(&canon, '\n');
    canon_path(&canon, request, s3, arena);
    canon_char(&canon, '\n');
    canon_query(&canon, s, arena);
    canon_char(&canon, '\n');
    Refusal refusal = canon_headers(&canon, request, s);
    canon_char(&canon, '\n');
    canon_add(&canon, s->signed_headers);
    canon_char(&canon, '\n');
    canon_add(&canon, body_hash);

    uint8_t hash[32];
    canon_hash(&canon, hash);
    char scope[SCOPE_BYTES_MAX], text[SCOPE_BYTES_MAX + 128], *to = text;
    assert(s->date.len == 16);
    to = put(to, STR("AWS4-HMAC-SHA256\n"));
    to = put(to, s->date);
    *to++ = '\n';
    to = put(to, scope_text(s, scope));
    *to++ = '\n';
    hex_write(hash, 32, to);
    to += 64;
    bool right = mac_matches(key, (Str){text, (size_t)(to - text)}, s->mac);
    *ret_refusal = refusal != (Refusal)-1 ? refusal : REFUSAL_NO_MATCH;
    return right && refusal == (Refusal)-1;
}

/* ---- verifying ---- */

static bool check_time(const Signature *s, double now, RefusalStyle style, const char **ret_code,
                       Error *err)
{
    if (s->form == SIGNATURE_HEADER) {
        if (now - s->time <= SKEW_SECONDS && s->time - now <= SKEW_SECONDS) return true;
        return signature_refuse(style, REFUSAL_SKEWED, ret_code, err);
    }
    if (now > s->time + s->expires) return signature_refuse(style, REFUSAL_EXPIRED, ret_code, err);
    if (s->time - now > SKEW_SECONDS) return signature_refuse(style, REFUSAL_SKEWED, ret_code, err);
    return true;
}

bool signature_verify(const HttpRequest *request, const Signature *signature, Str secret,
                      const SigningKey *key, Str body_hash_hex, double now, bool s3, Arena *arena,
                      const char **ret_code, Error *err)
{
    const Signature *s = signature;
    RefusalStyle style = signature_style(request, s->service);
    Refusal refusal = REFUSAL_NO_MATCH;
    assert(s->form != SIGNATURE_NONE && s->form != SIGNATURE_POST);
    if (!check_time(s, now, style, ret_code, err)) return false;
    if (s->form == SIGNATURE_QUERY_V2) {
        if (signature_verify_v2(request, s, secret, arena)) return true;
        return signature_refuse(style, REFUSAL_NO_MATCH, ret_code, err);
    }
    Str hash = s->body_hash;
    if (hash.ptr && s->body_mode == BODY_SIGNED && body_hash_hex.len &&
        !str_eq(hash, body_hash_hex))
        return signature_refuse(style, REFUSAL_BODY_HASH, ret_code, err);
    if (!hash.ptr) hash = s->body_mode == BODY_UNSIGNED ? STR("UNSIGNED-PAYLOAD") : body_hash_hex;
    if (!hash.len) { /* not S3, and nobody has read the body: it had better be empty */
        if (request->chunked || request->content_length)
            return signature_refuse(style, REFUSAL_NO_HASH, ret_code, err);
        hash = STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
    if (verify_v4(request, s, key, hash, s3, arena, &refusal)) return true;
    return signature_refuse(style, refusal, ret_code, err);
}

/* ---- S3's POST form ---- */

bool signature_verify_post(const Signature *signature, Str policy, Str secret,
                           const SigningKey *key, const char **ret_code, Error *err)
{
    ARENA(scratch);
    uint8_t mac[20];
    Str sent;
    if (signature->day.len) {
        if (mac_matches(key, policy, signature->mac)) return true;
    } else {
        digest_hmac_sha1(secret, policy, mac);
        if (base64_bytes(&scratch, signature->mac, &sent) && sent.len == 20 &&
            digest_equal(mac, sent.ptr, 20))
            return true;
    }
    return signature_refuse(REFUSAL_S3, REFUSAL_NO_MATCH, ret_code, err);
}

/* ---- signing ---- */

Str signature_sign(Arena *arena, Str method, Str target, Str host, const char *amz_date,
                   Str body_hash_hex, Str access_key, Str secret, Str token, Str region,
                   Str service, Str amz_target)
{
    Signature s = {
        .date = str_of(amz_date), .day = {amz_date, 8}, .region = region, .service = service};
    AUTO_STRBUF StrBuf names = STRBUF(256);
    UNINITIALIZED Canon canon;
    canon.long_text = false;
    canon.n = 0;
    size_t mark = str_find(target, '?');
    char *path = arena_alloc(arena, 3 * target.len + 1);
    char *end = signature_encode(path, str_slice(target, 0, mark), true, false);
    if (mark < target.len && !signature_take_query(arena, str_from(target, mark + 1), &s))
        return (Str){0};
    canon_add(&canon, method);
    canon_char(&canon, '\n');
    canon_add(&canon, (Str){path, (size_t)(end - path)});
    canon_char(&canon, '\n');
    canon_query(&canon, &s, arena);
    canon_char(&canon, '\n');
    const struct {
        const char *name;
        Str value;
    } headers[] = {{"host", host},
                   {"x-amz-content-sha256", body_hash_hex},
                   {"x-amz-date", s.date},
                   {"x-amz-security-token", token},
                   {"x-amz-target", amz_target}};
    for (size_t i = 0; i < COUNT(headers); i++) {
        if (!headers[i].value.len) continue;
        canon_add(&canon, str_of(headers[i].name));
        canon_char(&canon, ':');
        canon_value(&canon, headers[i].value);
        canon_char(&canon, '\n');
        strbuf_addf(&names, "%s%s", names.len ? ";" : "", headers[i].name);
    }
    canon_char(&canon, '\n');
    canon_add(&canon, strbuf_str(&names));
    canon_char(&canon, '\n');
    canon_add(&canon,
              body_hash_hex.len
                  ? body_hash_hex
                  : STR("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));

    uint8_t hash[32], mac[32];
    canon_hash(&canon, hash);
    char scope[SCOPE_BYTES_MAX];
    Str text = arena_format(arena, "AWS4-HMAC-SHA256\n%s\n%.*s\n%.*s", amz_date,
                            STR_ARG(scope_text(&s, scope)), STR_ARG(hex_text(arena, hash, 32)));
    SigningKey key;
    signing_key_derive(secret, s.day, region, service, &key);
    digest_hmac_sha256((Str){(const char *)key.bytes, sizeof key.bytes}, text, mac);
    return arena_format(arena,
                        "AWS4-HMAC-SHA256 Credential=%.*s/%.*s, SignedHeaders=%s, Signature=%.*s",
                        STR_ARG(access_key), STR_ARG(scope_text(&s, scope)), strbuf_cstr(&names),
                        STR_ARG(hex_text(arena, mac, 32)));
}
