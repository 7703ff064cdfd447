/* Taking the signature out of a request's head; see signature.h.
 *
 * Everything that can be told without the secret is refused here: two ways at once, repeated or
 * missing parts, header names out of order, dates that are none (rules A2 to A4). */

#include "aws/signature_inside.h"

#include "format/timestamp.h"

#include <stdio.h>

enum { EXPIRES_MAX = 604800 };

/* ---- refusals ---- */

static const struct {
    const char *codes[3]; /* by RefusalStyle */
    const char *text;
} refusals[] = {
    [REFUSAL_NO_MATCH] = {{"SignatureDoesNotMatch", "SignatureDoesNotMatch",
                           "InvalidSignatureException"},
                          "The request signature we calculated does not match the signature you "
                          "provided. Check your AWS Secret Access Key and signing method. Consult "
                          "the service documentation for details."},
    [REFUSAL_BAD_TOKEN] = {{"InvalidToken", "InvalidClientTokenId", "UnrecognizedClientException"},
                           "The security token included in the request is invalid."},
    [REFUSAL_EXPIRED_TOKEN] = {{"ExpiredToken", "ExpiredToken", "ExpiredTokenException"},
                               "The security token included in the request is expired"},
    [REFUSAL_SKEWED] = {{"RequestTimeTooSkewed", "SignatureDoesNotMatch",
                         "InvalidSignatureException"},
                        "The difference between the request time and the current time is too "
                        "large."},
    [REFUSAL_EXPIRED] = {{"AccessDenied", "SignatureDoesNotMatch", "InvalidSignatureException"},
                         "Request has expired"},
    [REFUSAL_MALFORMED] = {{"AuthorizationHeaderMalformed", "IncompleteSignature",
                            "IncompleteSignatureException"},
                           "The authorization header is malformed"},
    [REFUSAL_MALFORMED_QUERY] = {{"AuthorizationQueryParametersError", "IncompleteSignature",
                                  "IncompleteSignatureException"},
                                 "The authorization query parameters are malformed"},
    [REFUSAL_TWO_WAYS] = {{"InvalidArgument", "IncompleteSignature",
                           "IncompleteSignatureException"},
                          "Only one auth mechanism allowed; only the X-Amz-Algorithm query "
                          "parameter, Signature query string parameter or the Authorization header "
                          "should be specified"},
    [REFUSAL_MECHANISM] = {{"InvalidRequest", "IncompleteSignature",
                            "IncompleteSignatureException"},
                           "The authorization mechanism you have provided is not supported. Please "
                           "use AWS4-HMAC-SHA256."},
    [REFUSAL_NO_HASH] = {{"InvalidRequest", "IncompleteSignature", "IncompleteSignatureException"},
                         "Missing required header for this request: x-amz-content-sha256"},
    [REFUSAL_BAD_HASH] = {{"InvalidArgument", "IncompleteSignature",
                           "IncompleteSignatureException"},
                          "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, "
                          "STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, "
                          "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value."},
    [REFUSAL_BODY_HASH] = {{"XAmzContentSHA256Mismatch", "SignatureDoesNotMatch",
                            "InvalidSignatureException"},
                           "The provided 'x-amz-content-sha256' header does not match what was "
                           "computed."},
    [REFUSAL_UNSIGNED] = {{"AccessDenied", "SignatureDoesNotMatch", "InvalidSignatureException"},
                          "There were headers present in the request which were not signed"},
};

bool signature_refuse(RefusalStyle style, Refusal refusal, const char **ret_code, Error *err)
{
    *ret_code = refusals[refusal].codes[style];
    return error_set(err, ERROR_DENIED, "%s", refusals[refusal].text);
}

int signature_status(const char *code)
{
    static const struct {
        const char *code;
        int status;
    } statuses[] = {
        {"SignatureDoesNotMatch", 403},
        {"InvalidSignatureException", 403},
        {"InvalidToken", 400},
        {"InvalidClientTokenId", 403},
        {"UnrecognizedClientException", 403},
        {"ExpiredToken", 400},
        {"ExpiredTokenException", 403},
        {"RequestTimeTooSkewed", 403},
        {"AccessDenied", 403},
        {"AuthorizationHeaderMalformed", 400},
        {"AuthorizationQueryParametersError", 400},
        {"IncompleteSignature", 400},
        {"IncompleteSignatureException", 400},
        {"InvalidArgument", 400},
        {"InvalidRequest", 400},
        {"XAmzContentSHA256Mismatch", 400},
        {"BadDigest", 400},
        {"IncompleteBody", 400},
        {"MalformedTrailerError", 400},
        {"MissingContentLength", 411},
    };
    for (size_t i = 0; i < COUNT(statuses); i++)
        if (strcmp(code, statuses[i].code) == 0) return statuses[i].status;
    return 0;
}

RefusalStyle signature_style(const HttpRequest *request, Str service)
{
    if (str_is(service, "s3")) return REFUSAL_S3;
    Str type = http_field_value(request, request->content_type), parameters;
    if (str_eq_nocase(http_media_type(type, &parameters), STR("application/x-www-form-urlencoded")))
        return REFUSAL_QUERY;
    if (http_field(request, STR("X-Amz-Target")).ptr || service.len) return REFUSAL_JSON;
    return REFUSAL_S3; /* nobody else is asked without a word about the service */
}

/* ---- small texts ---- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool signature_is_unreserved(char c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

static int hex_value(char c)
{
    return is_digit(c) ? c - '0' : (c | 32) - 'a' + 10;
}

/* Decoded once, encoded once.  The parser of the head has seen to it that every '%' has two digits. */
char *signature_encode(char *to, Str text, bool keep_slash, bool plus_is_blank)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%' && i + 2 < text.len) {
            c = (char)(hex_value(text.ptr[i + 1]) << 4 | hex_value(text.ptr[i + 2]));
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        } else if (c == '/' && keep_slash) {
            *to++ = '/';
            continue;
        }
        if (signature_is_unreserved(c)) {
            *to++ = c;
        } else {
            *to++ = '%';
            *to++ = "0123456789ABCDEF"[(unsigned char)c >> 4];
            *to++ = "0123456789ABCDEF"[c & 15];
        }
    }
    return to;
}

Str signature_decode(Arena *arena, Str text)
{
    char *out = arena_alloc(arena, text.len + 1), *to = out;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%' && i + 2 < text.len) {
            c = (char)(hex_value(text.ptr[i + 1]) << 4 | hex_value(text.ptr[i + 2]));
            i += 2;
        }
        *to++ = c;
    }
    return (Str){out, (size_t)(to - out)};
}

static bool is_hex64(Str s)
{
    if (s.len != 64) return false;
    for (size_t i = 0; i < 64; i++)
        if (!is_digit(s.ptr[i]) && !(s.ptr[i] >= 'a' && s.ptr[i] <= 'f')) return false;
    return true;
}

static bool is_name(Str s, size_t max)
{
    if (!s.len || s.len > max) return false;
    for (size_t i = 0; i < s.len; i++)
        if (!signature_is_unreserved(s.ptr[i])) return false;
    return true;
}

static bool digits_value(Str s, int64_t max, int64_t *ret)
{
    int64_t x = 0;
    if (!s.len || s.len > 18) return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.ptr[i])) return false;
        x = x * 10 + (s.ptr[i] - '0');
    }
    if (x > max) return false;
    *ret = x;
    return true;
}

/* "20130524T000000Z" */
static bool date_value(Str date, double *ret_time)
{
    if (date.len != 16 || date.ptr[8] != 'T' || date.ptr[15] != 'Z') return false;
    for (int i = 0; i < 15; i++)
        if (i != 8 && !is_digit(date.ptr[i])) return false;
    static const char form[] = "0000-00-00T00:00:00Z";
    static const char at[] = {0, 1, 2, 3, 5, 6, 8, 9, -1, 11, 12, 14, 15, 17, 18};
    char text[sizeof form];
    memcpy(text, form, sizeof form);
    for (int i = 0; i < 15; i++)
        if (i != 8) text[(int)at[i]] = date.ptr[i];
    int64_t us;
    if (!timestamp_parse((Str){text, sizeof form - 1}, &us)) return false;
    *ret_time = (double)us * 1e-6;
    return true;
}

/* "Fri, 24 May 2013 00:00:00 GMT" as "20130524T000000Z"; ptr NULL when it is none. */
static Str http_date(Arena *arena, Str text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (text.len != 29 || text.ptr[3] != ',' || text.ptr[19] != ':' || text.ptr[22] != ':' ||
        !str_ends(text, STR(" GMT")))
        return (Str){0};
    int month = 0;
    while (month < 12 && memcmp(months + 3 * month, text.ptr + 8, 3) != 0) month++;
    return arena_format(arena,
                        "%.4s%02d%.2s"
                        "T%.2s%.2s%.2sZ",
                        text.ptr + 12, month + 1, text.ptr + 5, text.ptr + 17, text.ptr + 20,
                        text.ptr + 23);
}

bool signature_is_amz(Str name)
{
    return name.len > 6 && str_eq_nocase(str_slice(name, 0, 6), STR("x-amz-"));
}

bool signature_take_query(Arena *arena, Str query, Signature *signature)
{
    size_t n = 1;
    for (size_t i = 0; i < query.len; i++) n += query.ptr[i] == '&';
    if (n > QUERY_PARAMS_MAX) return false;
    QueryParam *params = arena_array(arena, QueryParam, n);
    char *to = arena_alloc(arena, 3 * query.len + 1);
    Str part;
    n = 0;
    while (str_next(&query, '&', &part)) {
        if (!part.len) continue;
        size_t equals = str_find(part, '=');
        char *end = signature_encode(to, str_slice(part, 0, equals), false, true);
        params[n].name = (Str){to, (size_t)(end - to)};
        to = end;
        if (equals < part.len) end = signature_encode(to, str_from(part, equals + 1), false, true);
        params[n++].value = (Str){to, (size_t)(end - to)};
        to = end;
    }
    signature->params = params;
    signature->n_params = n;
    return true;
}

/* ---- taking the signature out of a head ---- */

typedef struct Taking {
    const HttpRequest *request;
    Arena *arena;
    Signature *signature;
    Refusal malformed; /* how to say so */
    bool date_signed;  /* the Date header */
    const char **ret_code;
    Error *err;
} Taking;

static bool refuse_taking(Taking *taking, Refusal refusal, const char *what)
{
    RefusalStyle style = signature_style(taking->request, taking->signature->service);
    signature_refuse(style, refusal, taking->ret_code, taking->err);
    return what ? error_more(taking->err, "; %s", what) : false;
}

static bool malformed(Taking *taking, const char *what)
{
    return refuse_taking(taking, taking->malformed, what);
}

static bool take_credential(Taking *taking, Str text)
{
    Signature *s = taking->signature;
    Str parts[5], rest = text;
    size_t n = 0;
    for (Str part; str_next(&rest, '/', &part); n++) {
        if (n == 5) return malformed(taking, "the Credential has more than five parts");
        parts[n] = part;
    }
    if (n != 5 || !str_is(parts[4], "aws4_request"))
        return malformed(taking, "the Credential is mal-formed; expecting "
                                 "\"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"");
    if (!is_name(parts[0], 128) || !is_name(parts[2], 64) || !is_name(parts[3], 64))
        return malformed(taking, "the Credential holds characters that no key, region or service "
                                 "has");
    s->access_key = parts[0];
    s->day = parts[1];
    s->region = parts[2];
    s->service = parts[3];
    return true;
}

static bool take_date(Taking *taking, Str date)
{
    Signature *s = taking->signature;
    if (!date_value(date, &s->time))
        return malformed(taking,
                         "the date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\"");
    if (!str_eq(s->day, str_slice(date, 0, 8)))
        return malformed(taking, "the Credential's date is not the date of the request");
    s->date = date;
    return true;
}

/* Sorted, unique, lower case, with host (rule A3). */
static bool take_signed_headers(Taking *taking, Str names)
{
    Str rest = names, name, before = {0};
    bool host = false;
    while (str_next(&rest, ';', &name)) {
        if (!http_is_token(name)) return malformed(taking, "SignedHeaders holds no header's name");
        for (size_t i = 0; i < name.len; i++)
            if (name.ptr[i] >= 'A' && name.ptr[i] <= 'Z')
                return malformed(taking, "SignedHeaders must be in lower case");
        if (before.len && str_compare(before, name) >= 0)
            return malformed(taking, "SignedHeaders must be sorted, each once");
        host |= str_is(name, "host");
        taking->date_signed |= str_is(name, "date");
        before = name;
    }
    if (!host) return malformed(taking, "'Host' must be a signed header");
    taking->signature->signed_headers = names;
    return true;
}

static bool take_body_mode(Taking *taking, Str hash)
{
    static const struct {
        const char *text;
        BodyMode mode;
    } modes[] = {
        {"UNSIGNED-PAYLOAD", BODY_UNSIGNED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", BODY_CHUNKS_SIGNED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", BODY_CHUNKS_SIGNED_TRAILER},
        {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", BODY_CHUNKS_UNSIGNED_TRAILER},
    };
    Signature *s = taking->signature;
    bool s3 = str_is(s->service, "s3");
    s->body_hash = hash;
    if (!hash.ptr) { /* presigned for S3: not signed; elsewhere the hash is computed */
        if (s3 && s->form == SIGNATURE_HEADER) return refuse_taking(taking, REFUSAL_NO_HASH, NULL);
        s->body_mode = s3 ? BODY_UNSIGNED : BODY_SIGNED;
        return true;
    }
    if (is_hex64(hash)) return true;
    for (size_t i = 0; i < COUNT(modes) && s3; i++)
        if (str_is(hash, modes[i].text)) {
            s->body_mode = modes[i].mode;
            return true;
        }
    return refuse_taking(taking, REFUSAL_BAD_HASH, NULL);
}

/* Fields that matter; each may be there once. */
typedef struct Heads {
    Str authorization, amz_date, date, token, hash, decoded_length;
} Heads;

static bool take_heads(Taking *taking, Heads *heads)
{
    static const struct {
        Str name;
        size_t at;
    } wanted[] = {
        {STR_INIT("authorization"), offsetof(Heads, authorization)},
        {STR_INIT("x-amz-date"), offsetof(Heads, amz_date)},
        {STR_INIT("date"), offsetof(Heads, date)},
        {STR_INIT("x-amz-security-token"), offsetof(Heads, token)},
        {STR_INIT("x-amz-content-sha256"), offsetof(Heads, hash)},
        {STR_INIT("x-amz-decoded-content-length"), offsetof(Heads, decoded_length)},
    };
    const HttpRequest *request = taking->request;
    for (int i = 0; i < request->n_fields; i++) {
        const HttpField *field = &request->fields[i];
        Str name = http_text(request, field->name, field->name_len);
        for (size_t k = 0; k < COUNT(wanted); k++) {
            if (name.len != wanted[k].name.len || !str_eq_nocase(name, wanted[k].name)) continue;
            Str *place = (Str *)(void *)((char *)heads + wanted[k].at);
            if (place->ptr) return refuse_taking(taking, REFUSAL_TWO_WAYS, "a header is repeated");
            *place = http_text(request, field->value, field->value_len);
            break;
        }
    }
    return true;
}

/* The parameter's value, decoded; ptr NULL when it is not there.  False when it is there twice. */
static bool take_param(Taking *taking, const char *name, Str *ret_value)
{
    const Signature *s = taking->signature;
    Str wanted = str_of(name);
    *ret_value = (Str){0};
    for (size_t i = 0; i < s->n_params; i++) {
        if (!str_eq(s->params[i].name, wanted)) continue;
        if (ret_value->ptr)
            return refuse_taking(taking, REFUSAL_MALFORMED_QUERY, "a parameter is repeated");
        *ret_value = signature_decode(taking->arena, s->params[i].value);
    }
    return true;
}

static bool take_header_form(Taking *taking, const Heads *heads)
{
    Signature *s = taking->signature;
    Str rest = heads->authorization, part, credential = {0}, names = {0};
    s->form = SIGNATURE_HEADER;
    if (!str_starts(rest, STR("AWS4-HMAC-SHA256 ")))
        return refuse_taking(taking, REFUSAL_MECHANISM, NULL);
    rest = str_from(rest, sizeof "AWS4-HMAC-SHA256");
    while (str_next(&rest, ',', &part)) {
        part = str_trim(part);
        size_t equals = str_find(part, '=');
        Str name = str_slice(part, 0, equals);
        Str *place = str_is(name, "Credential")      ? &credential
                     : str_is(name, "SignedHeaders") ? &names
                     : str_is(name, "Signature")     ? &s->mac
                                                     : NULL;
        if (!place || place->ptr || equals == part.len)
            return malformed(taking, "it must hold Credential, SignedHeaders and Signature, each "
                                     "once");
        *place = str_from(part, equals + 1);
    }
    if (!credential.ptr || !names.ptr || !s->mac.ptr)
        return malformed(taking, "it must hold Credential, SignedHeaders and Signature");
    if (!take_credential(taking, credential)) return false;
    if (!is_hex64(s->mac)) return malformed(taking, "the Signature is not 64 hexadecimal digits");
    Str date = heads->amz_date;
    if (!date.ptr && heads->date.ptr) date = http_date(taking->arena, heads->date);
    if (!date.ptr) return malformed(taking, "the request has no X-Amz-Date");
    s->token = heads->token;
    if (!take_date(taking, date) || !take_signed_headers(taking, names)) return false;
    if (!heads->amz_date.ptr && !taking->date_signed)
        return malformed(taking, "'Date' must be a signed header");
    return take_body_mode(taking, heads->hash);
}

static bool take_query_form(Taking *taking, const Heads *heads, Str algorithm)
{
    Signature *s = taking->signature;
    Str credential, date, expires, names, token;
    int64_t seconds;
    s->form = SIGNATURE_QUERY;
    if (!str_is(algorithm, "AWS4-HMAC-SHA256"))
        return malformed(taking, "X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"");
    if (!take_param(taking, "X-Amz-Credential", &credential) ||
        !take_param(taking, "X-Amz-Date", &date) ||
        !take_param(taking, "X-Amz-Expires", &expires) ||
        !take_param(taking, "X-Amz-SignedHeaders", &names) ||
        !take_param(taking, "X-Amz-Signature", &s->mac) ||
        !take_param(taking, "X-Amz-Security-Token", &token))
        return false;
    if (!credential.ptr || !date.ptr || !expires.ptr || !names.ptr || !s->mac.ptr)
        return malformed(taking, "Query-string authentication version 4 requires the "
                                 "X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, "
                                 "X-Amz-SignedHeaders, and X-Amz-Expires parameters.");
    if (!take_credential(taking, credential)) return false;
    if (!digits_value(expires, EXPIRES_MAX, &seconds) || seconds < 1)
        return malformed(taking, "X-Amz-Expires must be between 1 and 604800 seconds");
    if (!is_hex64(s->mac)) return malformed(taking, "the Signature is not 64 hexadecimal digits");
    s->expires = (double)seconds;
    if (token.ptr && heads->token.ptr)
        return refuse_taking(taking, REFUSAL_TWO_WAYS, "the token is given twice");
    s->token = token.ptr ? token : heads->token;
    return take_date(taking, date) && take_signed_headers(taking, names) &&
           take_body_mode(taking, heads->hash);
}

/* Version 2, as boto3 presigns for S3 in its older regions. */
static bool take_v2_form(Taking *taking, const Heads *heads, Str key)
{
    Signature *s = taking->signature;
    Str expires, token;
    int64_t until;
    s->form = SIGNATURE_QUERY_V2;
    s->service = STR("s3");
    s->body_mode = BODY_UNSIGNED;
    if (!take_param(taking, "Signature", &s->mac) || !take_param(taking, "Expires", &expires) ||
        !take_param(taking, "x-amz-security-token", &token))
        return false;
    if (!s->mac.ptr || !expires.ptr || !is_name(key, 128) || s->mac.len != 28)
        return malformed(taking, "Query-string authentication requires the Signature, Expires and "
                                 "AWSAccessKeyId parameters");
    if (!digits_value(expires, INT64_C(1) << 52, &until))
        return malformed(taking, "Expires is no number of seconds");
    if (token.ptr && heads->token.ptr)
        return refuse_taking(taking, REFUSAL_TWO_WAYS, "the token is given twice");
    s->access_key = key;
    s->expires = (double)until;
    s->token = token.ptr ? token : heads->token;
    return true;
}

bool signature_parse(const HttpRequest *request, Arena *arena, Signature *ret_signature,
                     const char **ret_code, Error *err)
{
    Signature signature = {.decoded_length = -1};
    Taking taking = {request, arena, &signature, REFUSAL_MALFORMED, false, ret_code, err};
    Heads heads = {0};
    Str algorithm = {0}, mac = {0}, key = {0}, old = {0};
    if (!take_heads(&taking, &heads)) return false;
    if (request->query_len) {
        if (!signature_take_query(arena, http_text(request, request->query_at, request->query_len),
                                  &signature)) {
            *ret_code = "InvalidRequest";
            return error_set(err, ERROR_LIMIT, "The query has more than %d parameters",
                             QUERY_PARAMS_MAX);
        }
        if (!take_param(&taking, "X-Amz-Algorithm", &algorithm) ||
            !take_param(&taking, "X-Amz-Signature", &mac) ||
            !take_param(&taking, "AWSAccessKeyId", &key) || !take_param(&taking, "Signature", &old))
            return false;
    }
    bool by_header = heads.authorization.ptr, by_query = algorithm.ptr || mac.ptr,
         by_v2 = key.ptr && old.ptr;
    if (by_header + by_query + by_v2 > 1) return refuse_taking(&taking, REFUSAL_TWO_WAYS, NULL);
    if (by_header && !take_header_form(&taking, &heads)) return false;
    if (!by_header) taking.malformed = REFUSAL_MALFORMED_QUERY;
    if (by_query && !take_query_form(&taking, &heads, algorithm)) return false;
    if (by_v2 && !take_v2_form(&taking, &heads, key)) return false;
    if (!by_header && !by_query && !by_v2) { /* a stranger's body may be framed as well */
        signature.body_mode = BODY_UNSIGNED;
        if (heads.hash.ptr && str_is(heads.hash, "STREAMING-UNSIGNED-PAYLOAD-TRAILER"))
            signature.body_mode = BODY_CHUNKS_UNSIGNED_TRAILER;
        else if (heads.hash.ptr && str_starts(heads.hash, STR("STREAMING-")))
            return refuse_taking(&taking, REFUSAL_BAD_HASH, NULL);
    }
    if (heads.decoded_length.ptr &&
        !digits_value(heads.decoded_length, INT64_MAX, &signature.decoded_length)) {
        *ret_code = "InvalidArgument";
        return error_set(err, ERROR_INVALID, "x-amz-decoded-content-length is no number of bytes");
    }
    if (signature.body_mode > BODY_UNSIGNED && signature.decoded_length < 0) {
        *ret_code = "MissingContentLength";
        return error_set(err, ERROR_INVALID,
                         "You must provide the x-amz-decoded-content-length HTTP header.");
    }
    *ret_signature = signature;
    return true;
}

/* ---- S3's POST form ---- */

bool signature_parse_post(const PostFields *fields, Arena *arena, Signature *ret_signature,
                          const char **ret_code, Error *err)
{
    static const HttpRequest nothing = {.content_type = -1};
    Signature signature = {.form = SIGNATURE_POST,
                           .service = STR("s3"),
                           .body_mode = BODY_UNSIGNED,
                           .decoded_length = -1,
                           .token = fields->token};
    Taking taking = {&nothing, arena, &signature, REFUSAL_MALFORMED_QUERY, false, ret_code, err};
    if (!fields->policy.len || !fields->mac.len)
        return malformed(&taking, "a form is signed by policy and signature");
    signature.mac = fields->mac;
    if (fields->access_key.len && !fields->algorithm.len) { /* version 2 */
        if (!is_name(fields->access_key, 128)) return malformed(&taking, "no such key can be");
        signature.access_key = fields->access_key;
    } else {
        if (!str_is(fields->algorithm, "AWS4-HMAC-SHA256"))
            return malformed(&taking, "x-amz-algorithm must be \"AWS4-HMAC-SHA256\"");
        if (!take_credential(&taking, fields->credential) || !take_date(&taking, fields->date))
            return false;
        if (!is_hex64(fields->mac))
            return malformed(&taking, "the signature is not 64 hexadecimal digits");
    }
    *ret_signature = signature;
    return true;
}
