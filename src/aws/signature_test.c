/* Published vectors, what botocore and a second implementation sign (tests/golden/signature), and refusals. */

#include "aws/digest.h"
#include "aws/signature.h"
#include "base/file.h"
#include "base/test.h"
#include "format/json_build.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
static const double NOW = 1440938160; /* 2015-08-30T12:36:00Z */

typedef struct Try {
    Signature signature;
    const char *code;
    Error err;
} Try;

static bool parse_head(Str head, HttpRequest *request)
{
    HttpLimits limits = http_limits;
    http_request_init(request, head.ptr);
    return http_request_parse(request, head.len, &limits) == HTTP_DONE;
}

/* Takes the head as a server would: parse, verify with the body's hash. */
static bool verify(Arena *arena, Str head, Str body, const char *secret, double now, Try *ret)
{
    HttpRequest request;
    *ret = (Try){0};
    if (!parse_head(head, &request)) FAIL("the head is refused: %s", request.reason);
    Signature *s = &ret->signature;
    if (!signature_parse(&request, arena, s, &ret->code, &ret->err)) return false;
    if (s->form == SIGNATURE_NONE) return error_set(&ret->err, ERROR_DENIED, "not signed");
    SigningKey key;
    char hash[65];
    signing_key_derive(str_of(secret), s->day, s->region, s->service, &key);
    digest_sha256_hex(body, hash);
    bool whole = s->form == SIGNATURE_HEADER && s->body_mode == BODY_SIGNED;
    return signature_verify(&request, s, str_of(secret), &key, whole ? str_of(hash) : (Str){0}, now,
                            str_is(s->service, "s3"), arena, &ret->code, &ret->err);
}

static bool sink(void *arg, Str decoded, Error *err)
{
    (void)err;
    strbuf_add(arg, decoded);
    return true;
}

/* The body through the reader, `step` bytes at a time. */
static bool read_body(Arena *arena, Str head, Str body, const char *secret, size_t step,
                      StrBuf *decoded, Try *ret)
{
    HttpRequest request;
    SigningKey key;
    Signature *s = &ret->signature;
    CHECK(parse_head(head, &request));
    CHECK_OK(signature_parse(&request, arena, s, &ret->code, &ret->err), ret->err);
    signing_key_derive(str_of(secret), s->day, s->region, s->service, &key);
    BodyReader *reader = body_reader_new(arena, &request, s, &key);
    bool ok = true;
    for (size_t at = 0; at < body.len && ok; at += step)
        ok = body_reader_feed(reader, str_slice(body, at, MIN(body.len, at + step)), sink, decoded,
                              &ret->code, &ret->err);
    ok = ok && body_reader_end(reader, &ret->code, &ret->err);
    body_reader_clear(reader);
    return ok;
}

static Str replaced(Arena *arena, Str text, const char *what, const char *by)
{
    Str needle = str_of(what);
    for (size_t i = 0; i + needle.len <= text.len; i++)
        if (str_starts(str_from(text, i), needle))
            return arena_format(arena, "%.*s%s%.*s", (int)i, text.ptr, by,
                                STR_ARG(str_from(text, i + needle.len)));
    FAIL("'%s' does not occur in\n%.*s", what, STR_ARG(text));
}

static const Json *golden(Arena *arena)
{
    const Json *value;
    Str text;
    Error err = {0};
    CHECK_OK(
        file_read(test_path("tests/golden/signature/requests.json"), 8 << 20, arena, &text, &err),
        err);
    CHECK_OK(json_parse(text, arena, &value, &err), err);
    return value;
}

TEST(signature, what_botocore_signs_is_right_and_nothing_else)
{
    ARENA(arena);
    const Json *file = golden(&arena), *requests = json_get(file, "requests");
    CHECK(requests->n > 80);
    for (size_t i = 0; i < requests->n; i++) {
        const Json *item = json_at(requests, i);
        Str name = json_get_text(item, "name"), head = json_get_text(item, "head"), body;
        double now = json_get_double(item, "now", 0);
        Try try;
        CHECK(base64_bytes(&arena, json_get_text(item, "body"), &body));
        if (!verify(&arena, head, body, SECRET, now, &try))
            FAIL("%.*s: %s: %s\n%.*s", STR_ARG(name), try.code, try.err.text, STR_ARG(head));
        CHECK_STR(try.signature.access_key, STR("AKIDEXAMPLE"));
        CHECK_STR(arena_str(&arena, try.signature.token), json_get_text(item, "token"));
        CHECK(!verify(&arena, head, body, "another secret", now, &try));
        if (str_is(try.signature.service, "s3"))
            CHECK_STR(str_of(try.code), STR("SignatureDoesNotMatch"));

        /* Another method, path, host, and one more parameter. */
        Str changed = arena_format(&arena, "X%.*s", STR_ARG(head));
        CHECK(!verify(&arena, changed, body, SECRET, now, &try));
        changed = replaced(&arena, head, " /", " /x/y/");
        if (verify(&arena, changed, body, SECRET, now, &try)) FAIL("%.*s", STR_ARG(changed));
        if (try.signature.form != SIGNATURE_QUERY_V2) { /* which signs neither */
            changed = replaced(&arena, head, "Host: ", "Host: x");
            CHECK(!verify(&arena, changed, body, SECRET, now, &try));
            bool query = str_find(str_slice(head, 0, str_find(head, '\r')), '?') <
                         str_find(head, '\r');
            changed = replaced(&arena, head, " HTTP/1.1",
                               query ? "&x=1 HTTP/1.1" : "?x=1 HTTP/1.1");
            CHECK(!verify(&arena, changed, body, SECRET, now, &try));
        }
        if (try.signature.form == SIGNATURE_HEADER && try.signature.body_mode == BODY_SIGNED) {
            CHECK(!verify(&arena, head, STR("another body"), SECRET, now, &try));
            CHECK_INT(try.err.kind, ERROR_DENIED);
        }
    }
}

TEST(signature, bodies_come_decoded_in_pieces_of_any_size)
{
    static const size_t steps[] = {1, 2, 7, 1000, 1 << 20};
    ARENA(arena);
    const Json *requests = json_get(golden(&arena), "requests");
    int chunked = 0;
    for (size_t i = 0; i < requests->n; i++) {
        const Json *item = json_at(requests, i);
        Str name = json_get_text(item, "name"), head = json_get_text(item, "head"), body;
        CHECK(base64_bytes(&arena, json_get_text(item, "body"), &body));
        for (size_t k = 0; k < COUNT(steps); k++) {
            AUTO_STRBUF StrBuf decoded = STRBUF(1 << 20);
            Try try = {0};
            if (!read_body(&arena, head, body, SECRET, steps[k], &decoded, &try))
                FAIL("%.*s: %s: %s", STR_ARG(name), try.code, try.err.text);
            if (try.signature.decoded_length >= 0) {
                CHECK_INT(decoded.len, try.signature.decoded_length);
                chunked++;
            } else {
                CHECK_STR(strbuf_str(&decoded), body);
            }
        }
    }
    CHECK(chunked >= 30);
}

/* Each byte of a signed body changed, and each cut: refused. */
TEST(signature, changed_and_cut_bodies)
{
    ARENA(arena);
    const Json *requests = json_get(golden(&arena), "requests");
    int tried = 0;
    for (size_t i = 0; i < requests->n; i++) {
        const Json *item = json_at(requests, i);
        Str head = json_get_text(item, "head"), body;
        if (!str_has(head, STR("STREAMING-"))) continue;
        CHECK(base64_bytes(&arena, json_get_text(item, "body"), &body));
        for (size_t at = 0; at < body.len; at += at < 300 || at + 300 > body.len ? 1 : 211) {
            Str copy = arena_str(&arena, body);
            AUTO_STRBUF StrBuf decoded = STRBUF(1 << 20);
            Try try = {0};
            ((char *)(uintptr_t)copy.ptr)[at] ^= 0x01;
            if (read_body(&arena, head, copy, SECRET, 1 << 20, &decoded, &try))
                FAIL("byte %zu of '%.*s' may be changed", at, STR_ARG(json_get_text(item, "name")));
            CHECK(try.code);
            decoded.len = 0;
            try = (Try){0};
            if (read_body(&arena, head, str_slice(body, 0, at), SECRET, 1 << 20, &decoded, &try))
                FAIL("'%.*s' may be cut at %zu", STR_ARG(json_get_text(item, "name")), at);
            tried++;
        }
        AUTO_STRBUF StrBuf decoded = STRBUF(1 << 20);
        Try try = {0};
        CHECK(!read_body(&arena, head, arena_format(&arena, "%.*sx", STR_ARG(body)), SECRET,
                         1 << 20, &decoded, &try));
    }
    CHECK(tried > 1000);
}

TEST(signature, forms)
{
    ARENA(arena);
    const Json *forms = json_get(golden(&arena), "forms");
    CHECK_INT(forms->n, 4);
    for (size_t i = 0; i < forms->n; i++) {
        const Json *form = json_at(forms, i);
        bool v4 = json_get(form, "x-amz-signature") != NULL;
        PostFields fields = {
            .policy = json_get_text(form, "policy"),
            .algorithm = json_get_text(form, "x-amz-algorithm"),
            .credential = json_get_text(form, "x-amz-credential"),
            .date = json_get_text(form, "x-amz-date"),
            .mac = json_get_text(form, v4 ? "x-amz-signature" : "signature"),
            .token = json_get_text(form, "x-amz-security-token"),
            .access_key = json_get_text(form, "AWSAccessKeyId"),
        };
        Signature s;
        SigningKey key;
        const char *code = NULL;
        Error err = {0};
        CHECK_OK(signature_parse_post(&fields, &arena, &s, &code, &err), err);
        CHECK_STR(s.access_key, STR("AKIDEXAMPLE"));
        signing_key_derive(STR(SECRET), s.day, s.region, s.service, &key);
        CHECK_OK(signature_verify_post(&s, fields.policy, STR(SECRET), &key, &code, &err), err);
        CHECK(!signature_verify_post(&s, STR("e30="), STR(SECRET), &key, &code, &err));
        CHECK_STR(str_of(code), STR("SignatureDoesNotMatch"));
        key.bytes[0] ^= 1;
        CHECK(!signature_verify_post(&s, fields.policy, STR("other"), &key, &code, &err));
        PostFields lacking = fields;
        lacking.mac = (Str){0};
        CHECK(!signature_parse_post(&lacking, &arena, &s, &code, &err));
        lacking = fields;
        lacking.algorithm = STR("AWS4-ECDSA-P256-SHA256");
        CHECK(!signature_parse_post(&lacking, &arena, &s, &code, &err));
        if (!v4) continue;
        lacking = fields;
        lacking.mac = STR("00");
        CHECK(!signature_parse_post(&lacking, &arena, &s, &code, &err));
        lacking = fields;
        lacking.date = STR("20150831T000000Z");
        CHECK(!signature_parse_post(&lacking, &arena, &s, &code, &err));
    }
    PostFields strange = {.policy = STR("e30="), .mac = STR("x"), .access_key = STR("no such/key")};
    Signature s;
    const char *code;
    Error err;
    CHECK(!signature_parse_post(&strange, &arena, &s, &code, &err));
}

/* AWS's signature test suite (key AKIDEXAMPLE, service "service") and the examples in the documentation of S3
 * and of general signing: requests and signatures as published. */
TEST(signature, published_vectors)
{
#define SUITE "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
#define S3_DOC                                                                                     \
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
#define SUITE_HOST "Host:example.amazonaws.com\r\n"
#define SUITE_DATE "X-Amz-Date:20150830T123600Z\r\n"
    static const struct {
        const char *name, *head, *authorization, *mac, *body;
    } cases[] = {
        {"get-vanilla", "GET / HTTP/1.1\r\n" SUITE_HOST SUITE_DATE,
         SUITE "SignedHeaders=host;x-amz-date",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", ""},
        {"get-relative", "GET /example/.. HTTP/1.1\r\n" SUITE_HOST SUITE_DATE,
         SUITE "SignedHeaders=host;x-amz-date",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", ""},
        {"get-slash", "GET // HTTP/1.1\r\n" SUITE_HOST SUITE_DATE,
         SUITE "SignedHeaders=host;x-amz-date",
         "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31", ""},
        {"get-vanilla-query-order-key-case",
         "GET /?Param2=value2&Param1=value1 HTTP/1.1\r\n" SUITE_HOST SUITE_DATE,
         SUITE "SignedHeaders=host;x-amz-date",
         "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500", ""},
        {"post-vanilla", "POST / HTTP/1.1\r\n" SUITE_HOST SUITE_DATE,
         SUITE "SignedHeaders=host;x-amz-date",
         "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b", ""},
        {"post-header-key-sort",
         "POST / HTTP/1.1\r\n" SUITE_HOST "My-Header1:value1\r\n" SUITE_DATE,
         SUITE "SignedHeaders=host;my-header1;x-amz-date",
         "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c", ""},
        {"post-x-www-form-urlencoded",
         "POST / HTTP/1.1\r\nContent-Type:application/x-www-form-urlencoded\r\n" SUITE_HOST
             SUITE_DATE "Content-Length:13\r\n",
         SUITE "SignedHeaders=content-type;host;x-amz-date",
         "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a", "Param1=value1"},
        {"S3: get an object",
         "GET /test.txt HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\nRange: bytes=0-9\r\n"
         "x-amz-content-sha256:" EMPTY_HASH "\r\nx-amz-date: 20130524T000000Z\r\n",
         S3_DOC "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date",
         "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", ""},
        {"S3: put an object",
         "PUT /test%24file.text HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\n"
         "Date: Fri, 24 May 2013 00:00:00 GMT\r\nContent-Length: 21\r\n"
         "x-amz-date: 20130524T000000Z\r\nx-amz-storage-class: REDUCED_REDUNDANCY\r\n"
         "x-amz-content-sha256: "
         "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072\r\n",
         S3_DOC "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
         "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
         "Welcome to Amazon S3."},
        {"S3: get the lifecycle",
         "GET /?lifecycle HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\n"
         "x-amz-date: 20130524T000000Z\r\nx-amz-content-sha256:" EMPTY_HASH "\r\n",
         S3_DOC "SignedHeaders=host;x-amz-content-sha256;x-amz-date",
         "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543", ""},
        {"S3: list objects",
         "GET /?max-keys=2&prefix=J HTTP/1.1\r\nHost: examplebucket.s3.amazonaws.com\r\n"
         "x-amz-date: 20130524T000000Z\r\nx-amz-content-sha256:" EMPTY_HASH "\r\n",
         S3_DOC "SignedHeaders=host;x-amz-content-sha256;x-amz-date",
         "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7", ""},
        {"IAM: list users",
         "GET /?Action=ListUsers&Version=2010-05-08 HTTP/1.1\r\nHost: iam.amazonaws.com\r\n"
         "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n" SUITE_DATE,
         "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
         "SignedHeaders=content-type;host;x-amz-date",
         "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7", ""},
    };
    ARENA(arena);
    for (size_t i = 0; i < COUNT(cases); i++) {
        Str head = arena_format(&arena, "%sAuthorization: %s,Signature=%s\r\n\r\n", cases[i].head,
                                cases[i].authorization, cases[i].mac);
        bool s3 = str_starts(str_of(cases[i].name), STR("S3"));
        const char *secret = s3 ? "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" : SECRET;
        double now = s3 ? 1369353600 : NOW;
        Try try;
        if (!verify(&arena, head, str_of(cases[i].body), secret, now, &try))
            FAIL("%s: %s", cases[i].name, try.err.text);
    }
    Try try;
    Str presigned = STR(
        "GET /test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F2013"
        "0524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-"
        "SignedHeaders=host&X-Amz-Signature="
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404 HTTP/1.1\r\n"
        "Host: examplebucket.s3.amazonaws.com\r\n\r\n");
    const char *secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    CHECK_OK(verify(&arena, presigned, (Str){0}, secret, 1369353600 + 86400, &try), try.err);
    CHECK(!verify(&arena, presigned, (Str){0}, secret, 1369353600 + 86401, &try));
    CHECK_STR(str_of(try.code), STR("AccessDenied"));
    CHECK_STR(str_of(try.err.text), STR("Request has expired"));
}

/* The upload in three chunks of S3's documentation. */
TEST(signature, published_chunks)
{
    ARENA(arena);
    char *data = arena_alloc(&arena, 66560);
    memset(data, 'a', 66560);
    const char *secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    Str head = STR(
        "PUT /examplebucket/chunkObject.txt HTTP/1.1\r\nHost: s3.amazonaws.com\r\n"
        "x-amz-date: 20130524T000000Z\r\nx-amz-storage-class: REDUCED_REDUNDANCY\r\n"
        "Authorization: " S3_DOC
        "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
        "x-amz-decoded-content-length;x-amz-storage-class,"
        "Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\r\n"
        "x-amz-content-sha256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\n"
        "Content-Encoding: aws-chunked\r\nx-amz-decoded-content-length: 66560\r\n"
        "Content-Length: 66824\r\n\r\n");
    AUTO_STRBUF StrBuf body = STRBUF(1 << 20), decoded = STRBUF(1 << 20);
    strbuf_addf(&body, "10000;chunk-signature=%s\r\n",
                "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648");
    strbuf_add(&body, (Str){data, 65536});
    strbuf_addf(&body, "\r\n400;chunk-signature=%s\r\n",
                "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497");
    strbuf_add(&body, (Str){data, 1024});
    strbuf_addf(&body, "\r\n0;chunk-signature=%s\r\n\r\n",
                "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9");
    CHECK_INT(body.len, 66824);
    Try try;
    CHECK_OK(verify(&arena, head, (Str){0}, secret, 1369353600, &try), try.err);
    CHECK_OK(read_body(&arena, head, strbuf_str(&body), secret, 4096, &decoded, &try), try.err);
    CHECK_STR(strbuf_str(&decoded), ((Str){data, 66560}));
}

/* A signed request to S3 to change: a header's place is marked by ^. */
static Str sample(Arena *arena, const char *query, const char *headers)
{
    Str authorization = signature_sign(
        arena, STR("GET"), arena_format(arena, "/b/k%s", query), STR("h"), "20150830T123600Z",
        STR(EMPTY_HASH), STR("AKID"), STR(SECRET), (Str){0}, STR("eu-west-1"), STR("s3"), (Str){0});
    return arena_format(arena,
                        "GET /b/k%s HTTP/1.1\r\nHost: h\r\nX-Amz-Date: 20150830T123600Z\r\n"
                        "X-Amz-Content-SHA256: " EMPTY_HASH "\r\n%sAuthorization: %.*s\r\n\r\n",
                        query, headers, STR_ARG(authorization));
}

TEST(signature, refusals)
{
    ARENA(arena);
    Try try;
    Str good = sample(&arena, "?a=1&b=%20+&c", "Other: x\r\n");
    CHECK_OK(verify(&arena, good, (Str){0}, SECRET, NOW, &try), try.err);
    CHECK_OK(verify(&arena, good, (Str){0}, SECRET, NOW + 900, &try), try.err);
    CHECK_OK(verify(&arena, good, (Str){0}, SECRET, NOW - 900, &try), try.err);
    const char *mac = arena_cstr(&arena, try.signature.mac);
    const struct {
        const char *what, *by, *code;
    } cases[] = {
        {"Other: x", "X-Amz-Other: x", "AccessDenied"},
        {"Other: x", "x-amz-date: 20150830T123600Z", "InvalidArgument"},
        {"Other: x", "HOST2: h", NULL},
        {"Other: x", "Authorization: AWS4-HMAC-SHA256 x", "InvalidArgument"},
        {"Authorization: AWS4-HMAC-SHA256 ", "Authorization: AWS ", "InvalidRequest"},
        {"Authorization: AWS4-HMAC-SHA256 ", "Authorization: AWS4-ECDSA-P256-SHA256 ",
         "InvalidRequest"},
        {"Authorization: AWS4-HMAC-SHA256 ", "Authorization: Bearer ", "InvalidRequest"},
        {"Credential=", "credential=", "AuthorizationHeaderMalformed"},
        {"Credential=", "Credential=x,Credential=", "AuthorizationHeaderMalformed"},
        {"Credential=AKID/", "Credential=AK ID/", "AuthorizationHeaderMalformed"},
        {"Credential=AKID/", "Credential=/", "AuthorizationHeaderMalformed"},
        {"Credential=AKID/", "Credential=AKID/x/", "AuthorizationHeaderMalformed"},
        {"/eu-west-1/", "/", "AuthorizationHeaderMalformed"},
        {"/eu-west-1/", "//", "AuthorizationHeaderMalformed"},
        {"/eu-west-1/", "/eu-west-2/", "SignatureDoesNotMatch"},
        {"/s3/", "//", "AuthorizationHeaderMalformed"},
        {"/s3/", "/sts/", "InvalidSignatureException"},
        {"aws4_request", "aws3_request", "AuthorizationHeaderMalformed"},
        {"AKID/20150830", "AKID/20150829", "AuthorizationHeaderMalformed"},
        {"host;", "Host;", "AuthorizationHeaderMalformed"},
        {"=host;", "=", "AuthorizationHeaderMalformed"},
        {"=host;", "=host;host;", "AuthorizationHeaderMalformed"},
        {"=host;", "=host;other;", "SignatureDoesNotMatch"},
        {"=host;", "=host;nothing;", "SignatureDoesNotMatch"},
        {"=host;x-amz-content-sha256;", "=host;", "AccessDenied"},
        {"=host;x-amz-content-sha256;", "=x-amz-content-sha256;host;",
         "AuthorizationHeaderMalformed"},
        {"=host;", "=;host;", "AuthorizationHeaderMalformed"},
        {"=host;", "=a b;host;", "AuthorizationHeaderMalformed"},
        {"Signature=", "Signature=0", "AuthorizationHeaderMalformed"},
        {"Signature=", "Signatures=", "AuthorizationHeaderMalformed"},
        {mac, "ABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCDEFABCD",
         "AuthorizationHeaderMalformed"},
        {mac, "0000000000000000000000000000000000000000000000000000000000000000",
         "SignatureDoesNotMatch"},
        {", Signature=", "", "AuthorizationHeaderMalformed"},
        {"X-Amz-Date: 20150830T123600Z", "X-Amz-Date: 20150830T123600",
         "AuthorizationHeaderMalformed"},
        {"X-Amz-Date: 20150830T123600Z", "X-Amz-Date: 20150230T123600Z",
         "AuthorizationHeaderMalformed"},
        {"X-Amz-Date: 20150830T123600Z", "X-Amz-Date: 2015083xT123600Z",
         "AuthorizationHeaderMalformed"},
        {"X-Amz-Date: 20150830T123600Z", "X-Amz-Date: 20150830T123601Z", "SignatureDoesNotMatch"},
        {"X-Amz-Date: 20150830T123600Z", "X-Amz-Date: 20150830T125101Z", "RequestTimeTooSkewed"},
        {"X-Amz-Date: 20150830T123600Z", "Y: 1", "AuthorizationHeaderMalformed"},
        {"X-Amz-Date: 20150830T123600Z", "Date: Sun, 30 Aug 2015 12:36:00 GMT",
         "AuthorizationHeaderMalformed"},
        {"X-Amz-Date: 20150830T123600Z", "Date: Sun, 30 Xxx 2015 12:36:00 GMT",
         "AuthorizationHeaderMalformed"},
        {"X-Amz-Date: 20150830T123600Z", "Date: yesterday", "AuthorizationHeaderMalformed"},
        {"X-Amz-Content-SHA256: " EMPTY_HASH, "Y: 1", "InvalidRequest"},
        {"X-Amz-Content-SHA256: e3", "X-Amz-Content-SHA256: f3", "XAmzContentSHA256Mismatch"},
        {"X-Amz-Content-SHA256: e3", "X-Amz-Content-SHA256: E3", "InvalidArgument"},
        {"X-Amz-Content-SHA256: " EMPTY_HASH, "X-Amz-Content-SHA256: UNSIGNED-PAYLOAD",
         "SignatureDoesNotMatch"},
        {"X-Amz-Content-SHA256: " EMPTY_HASH,
         "X-Amz-Content-SHA256: STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "MissingContentLength"},
        {"Other: x", "X-Amz-Decoded-Content-Length: 1x", "InvalidArgument"},
        {"a=1", "a=2", "SignatureDoesNotMatch"},
        {"a=1", "a=1&X-Amz-Signature=1", "InvalidArgument"},
        {"a=1", "a=1&X%2DAmz-Signature=1", "InvalidArgument"},
        {"a=1", "a=1&X-Amz-Algorithm=1", "InvalidArgument"},
        {"a=1", "a=1&AWSAccessKeyId=a&Signature=b", "InvalidArgument"},
        {"GET /b", "GET /%62", NULL},
        {"GET /b", "GET /b/../b", "SignatureDoesNotMatch"},
        {"?a=1&b=%20+&c", "?c=&b=%20%20&a=%31", NULL}, /* the same query */
        {"?a=1&b=%20+&c", "?&a=1&&b=%20+&c", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Str head = replaced(&arena, good, cases[i].what, cases[i].by);
        bool ok = verify(&arena, head, (Str){0}, SECRET, NOW, &try);
        if (ok != !cases[i].code)
            FAIL("'%s' for '%s': %s %s", cases[i].by, cases[i].what, try.code ? try.code : "fine",
                 try.err.text);
        if (!ok && strcmp(try.code, cases[i].code) != 0)
            FAIL("'%s' for '%s': %s: %s", cases[i].by, cases[i].what, try.code, try.err.text);
        if (!ok) CHECK(signature_status(try.code) >= 400);
    }
    AUTO_STRBUF StrBuf many = STRBUF(64 << 10);
    strbuf_add_char(&many, '?');
    for (int i = 0; i < QUERY_PARAMS_MAX; i++) strbuf_addf(&many, "%sa=%d", i ? "&" : "", i);
    CHECK_OK(verify(&arena, sample(&arena, strbuf_cstr(&many), ""), (Str){0}, SECRET, NOW, &try),
             try.err);
    Str head = replaced(&arena, sample(&arena, strbuf_cstr(&many), ""), "?", "?b&");
    CHECK(!verify(&arena, head, (Str){0}, SECRET, NOW, &try));
    CHECK_INT(try.err.kind, ERROR_LIMIT);
}

TEST(signature, refusals_of_presigned_requests)
{
    ARENA(arena);
    const Json *requests = json_get(golden(&arena), "requests");
    Str v4 = {0}, v2 = {0};
    for (size_t i = 0; i < requests->n; i++) {
        Str name = json_get_text(json_at(requests, i), "name");
        if (str_is(name, "presigned")) v4 = json_get_text(json_at(requests, i), "head");
        if (str_is(name, "V2")) v2 = json_get_text(json_at(requests, i), "head");
    }
    CHECK(v4.ptr && v2.ptr);
    const struct {
        Str head;
        const char *what, *by, *code;
        double late;
    } cases[] = {
        {v4, "/", "/", NULL, 900},
        {v4, "/", "/", "AccessDenied", 901},
        {v4, "/", "/", NULL, -900},
        {v4, "/", "/", "RequestTimeTooSkewed", -901},
        {v4, "X-Amz-Expires=900", "X-Amz-Expires=0", "AuthorizationQueryParametersError", 0},
        {v4, "X-Amz-Expires=900", "X-Amz-Expires=604801", "AuthorizationQueryParametersError", 0},
        {v4, "X-Amz-Expires=900", "X-Amz-Expires=+900", "AuthorizationQueryParametersError", 0},
        {v4, "X-Amz-Expires=900", "X-Amz-Expires=", "AuthorizationQueryParametersError", 0},
        {v4, "X-Amz-Expires=900", "X-Amz-Expires=9999999999999999999",
         "AuthorizationQueryParametersError", 0},
        {v4, "X-Amz-Expires=900", "X-Amz-Expires=901", "SignatureDoesNotMatch", 0},
        {v4, "X-Amz-Expires=900", "X-Amz-Expires=900&X-Amz-Expires=900",
         "AuthorizationQueryParametersError", 0},
        {v4, "&X-Amz-Date=20150830T123600Z", "", "AuthorizationQueryParametersError", 0},
        {v4, "X-Amz-Date=2015", "X-Amz-Date=2016", "AuthorizationQueryParametersError", 0},
        {v4, "AWS4-HMAC-SHA256", "AWS4-HMAC-SHA1", "AuthorizationQueryParametersError", 0},
        {v4, "X-Amz-Algorithm=AWS4-HMAC-SHA256&", "", "AuthorizationQueryParametersError", 0},
        {v4, "X-Amz-SignedHeaders=host", "X-Amz-SignedHeaders=x",
         "AuthorizationQueryParametersError", 0},
        {v4, "X-Amz-Signature=", "X-Amz-Signature=0", "AuthorizationQueryParametersError", 0},
        {v4, "AKIDEXAMPLE", "", "AuthorizationQueryParametersError", 0},
        {v4, "Host: ", "X-Amz-Acl: public-read\r\nHost: ", "AccessDenied", 0},
        {v4, "Host: ", "X-Amz-Security-Token: x\r\nHost: ", "AccessDenied", 0},
        {v4, "versionId=3", "versionId=4", "SignatureDoesNotMatch", 0},
        {v4, "versionId=3", "X-Amz-Security-Token=a&X-Amz-Security-Token=b",
         "AuthorizationQueryParametersError", 0},
        {v4, "versionId=3", "X-Amz-Security-Token=a", "SignatureDoesNotMatch", 0},
        {v2, "/", "/", NULL, 3600},
        {v2, "/", "/", "AccessDenied", 3601},
        {v2, "Expires=1", "Expires=2", "SignatureDoesNotMatch", 0},
        {v2, "Expires=", "Expires=x", "AuthorizationQueryParametersError", 0},
        {v2, "Expires=", "X=", "AuthorizationQueryParametersError", 0},
        {v2, "Expires=", "Expires=1&Expires=", "AuthorizationQueryParametersError", 0},
        {v2, "Signature=", "Signature=0", "AuthorizationQueryParametersError", 0},
        {v2, "AKIDEXAMPLE", "A%20B", "AuthorizationQueryParametersError", 0},
        {v2, "Host: ", "X-Amz-Acl: public-read\r\nHost: ", "SignatureDoesNotMatch", 0},
        {v2, "Host: ", "X-Amz-Acl: a\r\nx-amz-acl: b\r\nHost: ", "SignatureDoesNotMatch", 0},
        {v2, "?", "?acl&", "SignatureDoesNotMatch", 0},
        {v2, "?", "?other=1&", NULL, 0}, /* which Version 2 does not sign */
        {v2, "?", "?x-amz-security-token=a&", "SignatureDoesNotMatch", 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Try try;
        Str head = replaced(&arena, cases[i].head, cases[i].what, cases[i].by);
        bool ok = verify(&arena, head, (Str){0}, SECRET, NOW + cases[i].late, &try);
        if (ok != !cases[i].code)
            FAIL("'%s' for '%s': %s %s", cases[i].by, cases[i].what, try.code ? try.code : "fine",
                 try.err.text);
        if (!ok) CHECK_STR(str_of(try.code), str_of(cases[i].code));
    }
    Try try;
    Str both = replaced(&arena, v4, "Host: ", "X-Amz-Security-Token: x\r\nHost: ");
    both = replaced(&arena, both, "versionId=3", "X-Amz-Security-Token=a");
    CHECK(!verify(&arena, both, (Str){0}, SECRET, NOW, &try));
    CHECK_STR(str_of(try.code), STR("InvalidArgument"));
    both = replaced(&arena, v2, "Host: ", "X-Amz-Security-Token: x\r\nHost: ");
    both = replaced(&arena, both, "?", "?x-amz-security-token=a&");
    CHECK(!verify(&arena, both, (Str){0}, SECRET, NOW, &try));
    CHECK_STR(str_of(try.code), STR("InvalidArgument"));

    /* Without a signature. */
    HttpRequest request;
    CHECK(parse_head(STR("GET /b/k?a=1 HTTP/1.1\r\nHost: h\r\n\r\n"), &request));
    CHECK(signature_parse(&request, &arena, &try.signature, &try.code, &try.err));
    CHECK_INT(try.signature.form, SIGNATURE_NONE);
    CHECK(parse_head(STR("PUT /b/k HTTP/1.1\r\nHost: h\r\nX-Amz-Content-SHA256: "
                         "STREAMING-AWS4-HMAC-SHA256-PAYLOAD\r\nContent-Length: 0\r\n\r\n"),
                     &request));
    CHECK(!signature_parse(&request, &arena, &try.signature, &try.code, &try.err));
}

/* Other services: their own codes; a body that nobody read is refused. */
TEST(signature, other_services)
{
    ARENA(arena);
    Try try;
    Str authorization = signature_sign(&arena, STR("POST"), STR("/"), STR("h"), "20150830T123600Z",
                                       (Str){0}, STR("AKID"), STR(SECRET), STR("TOKEN"),
                                       STR("eu-west-1"), STR("iam"), (Str){0});
    Str head = arena_format(&arena,
                            "POST / HTTP/1.1\r\nHost: h\r\nX-Amz-Date: 20150830T123600Z\r\n"
                            "X-Amz-Security-Token: TOKEN\r\n"
                            "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n"
                            "Authorization: %.*s\r\n\r\n",
                            STR_ARG(authorization));
    CHECK_OK(verify(&arena, head, (Str){0}, SECRET, NOW, &try), try.err);
    CHECK_STR(try.signature.token, STR("TOKEN"));
    CHECK(!verify(&arena, head, STR("x"), SECRET, NOW, &try));
    CHECK_STR(str_of(try.code), STR("SignatureDoesNotMatch"));
    CHECK(!verify(&arena, head, (Str){0}, SECRET, NOW + 1000, &try));
    CHECK_STR(str_of(try.code), STR("SignatureDoesNotMatch"));

    HttpRequest request;
    SigningKey key;
    Str unread = replaced(&arena, head, "Host:", "Content-Length: 3\r\nHost:");
    CHECK(parse_head(unread, &request));
    CHECK(signature_parse(&request, &arena, &try.signature, &try.code, &try.err));
    signing_key_derive(STR(SECRET), STR("20150830"), STR("eu-west-1"), STR("iam"), &key);
    CHECK(!signature_verify(&request, &try.signature, STR(SECRET), &key, (Str){0}, NOW, false,
                            &arena, &try.code, &try.err));
    CHECK(parse_head(head, &request));
    CHECK(signature_parse(&request, &arena, &try.signature, &try.code, &try.err));
    CHECK(signature_verify(&request, &try.signature, STR(SECRET), &key, (Str){0}, NOW, false,
                           &arena, &try.code, &try.err));
    CHECK_INT(signature_status("NoSuchKey"), 0);
}

TEST(signature, long_requests)
{
    ARENA(arena);
    Try try;
    char *filler = arena_alloc(&arena, 15001);
    memset(filler, 'a', 15000);
    Str head = sample(&arena, arena_format(&arena, "?x=%.9000s&y=%.3000s&z=", filler, filler).ptr,
                      "");
    CHECK_OK(verify(&arena, head, (Str){0}, SECRET, NOW, &try), try.err);
    CHECK(!verify(&arena, replaced(&arena, head, "?x=a", "?x=b"), (Str){0}, SECRET, NOW, &try));
}

/* A head whose signature is well-formed; only its body is looked at. */
static Str unsigned_head(Arena *arena, const char *mode, int length, const char *headers)
{
    return arena_format(
        arena,
        "PUT /b/k HTTP/1.1\r\nHost: h\r\nX-Amz-Date: 20150830T123600Z\r\n%s"
        "X-Amz-Decoded-Content-Length: %d\r\nX-Amz-Content-SHA256: %s\r\n"
        "Authorization: AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/s3/aws4_request, "
        "SignedHeaders=host, Signature=" EMPTY_HASH "\r\n\r\n",
        headers, length, mode);
}

#define CRC_OF_HELLO "NhCmhg=="

TEST(signature, chunks_without_signatures)
{
#define TRAILER "x-amz-checksum-crc32:" CRC_OF_HELLO "\r\n"
#define DECLARED "X-Amz-Trailer: x-amz-checksum-crc32\r\n"
    static const struct {
        const char *headers, *body, *code;
        int length;
    } cases[] = {
        {DECLARED, "5\r\nhello\r\n0\r\n" TRAILER "\r\n", NULL, 5},
        {DECLARED, "2\r\nhe\r\n0000000000000003\r\nllo\r\n0\r\n" TRAILER "\r\n", NULL, 5},
        {DECLARED, "5\r\nhello\r\n0\r\nX-Amz-Checksum-CRC32: " CRC_OF_HELLO " \n\n", NULL, 5},
        {"", "5\r\nhello\r\n0\r\n\r\n", NULL, 5},
        {"", "A\r\n0123456789\r\n0\r\n\r\n", NULL, 10},
        {"", "a\r\n0123456789\r\n0\r\n\r\n", NULL, 10},
        {"X-Amz-Trailer: x-other, x-amz-checksum-crc32\r\n",
         "5\r\nhello\r\n0\r\nx-other: 1\r\n" TRAILER "\r\n", NULL, 5},
        {"", "5\r\nhello\r\n0\r\n" TRAILER "\r\n", "MalformedTrailerError", 5},
        {"X-Amz-Trailer: a b\r\n", "5\r\nhello\r\n0\r\n" TRAILER "\r\n", "MalformedTrailerError",
         5},
        {"X-Amz-Trailer: a,b,c,d,e,f,g,h,i\r\n", "5\r\nhello\r\n0\r\na:1\r\n\r\n",
         "MalformedTrailerError", 5},
        {DECLARED, "5\r\nhello\r\n0\r\n" TRAILER TRAILER "\r\n", "MalformedTrailerError", 5},
        {DECLARED, "5\r\nhello\r\n0\r\n\r\n", "MalformedTrailerError", 5},
        {DECLARED, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32\r\n\r\n", "MalformedTrailerError", 5},
        {DECLARED, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:\x7f\r\n\r\n", "MalformedTrailerError",
         5},
        {DECLARED, "5\r\nhello\r\n0\r\nx-amz-trailer-signature:" EMPTY_HASH "\r\n\r\n",
         "InvalidRequest", 5},
        {DECLARED, "5\r\nhellO\r\n0\r\n" TRAILER "\r\n", "BadDigest", 5},
        {"", "5\r\nhello\r\n0\r\n", "IncompleteBody", 5},
        {"", "5\r\nhello\r\n", "IncompleteBody", 5},
        {"", "5\r\nhel", "IncompleteBody", 5},
        {"", "", "IncompleteBody", 0},
        {"", "5\r\nhello\r\n0\r\n\r\n", "IncompleteBody", 4},
        {"", "5\r\nhello\r\n0\r\n\r\n", "IncompleteBody", 6},
        {"", "ffffffffffffffff\r\n", "IncompleteBody", 6},
        {"", "00000000000000005\r\nhello\r\n0\r\n\r\n", "InvalidRequest", 5},
        {"", "5 \r\nhello\r\n0\r\n\r\n", "InvalidRequest", 5},
        {"", "+5\r\nhello\r\n0\r\n\r\n", "InvalidRequest", 5},
        {"", "g\r\nhello\r\n0\r\n\r\n", "InvalidRequest", 5},
        {"", ":\r\n", "InvalidRequest", 5},
        {"", "\r\n", "InvalidRequest", 5},
        {"", "\n", "InvalidRequest", 5},
        {"", "5\nhello\r\n0\r\n\r\n", "InvalidRequest", 5},
        {"", "5;x=1\r\nhello\r\n0\r\n\r\n", "InvalidRequest", 5},
        {"", "5\r\nhelloo\r\n0\r\n\r\n", "InvalidRequest", 5},
        {"", "5\r\nhello\r0\r\n\r\n", "InvalidRequest", 5},
        {"", "5\r\nhello\r\n0\r\n\r\nx", "InvalidRequest", 5},
    };
    ARENA(arena);
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_STRBUF StrBuf decoded = STRBUF(1 << 20);
        Try try = {0};
        Str head = unsigned_head(&arena, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", cases[i].length,
                                 cases[i].headers);
        bool ok = read_body(&arena, head, str_of(cases[i].body), SECRET, 3, &decoded, &try);
        if (ok != !cases[i].code || (!ok && strcmp(try.code, cases[i].code) != 0))
            FAIL("%s%s: %s: %s", cases[i].headers, cases[i].body, try.code ? try.code : "fine",
                 try.err.text);
    }
    /* A line longer than any that is meant. */
    AUTO_STRBUF StrBuf decoded = STRBUF(100), body = STRBUF(4096);
    Try try = {0};
    for (int i = 0; i <= TRAILER_LINE_BYTES_MAX; i++) strbuf_add_char(&body, '0');
    CHECK(!read_body(&arena, unsigned_head(&arena, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", 5, ""),
                     strbuf_str(&body), SECRET, 7, &decoded, &try));
    CHECK_STR(str_of(try.code), STR("InvalidRequest"));
}

static bool refusing_sink(void *arg, Str decoded, Error *err)
{
    (void)arg, (void)decoded;
    return error_set(err, ERROR_LIMIT, "enough");
}

TEST(signature, bodies_of_nobody_and_trailers_that_came)
{
    ARENA(arena);
    HttpRequest request;
    Try try = {0};
    AUTO_STRBUF StrBuf decoded = STRBUF(100);
    Str head = unsigned_head(&arena, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", 5, DECLARED);
    CHECK(parse_head(head, &request));
    CHECK(signature_parse(&request, &arena, &try.signature, &try.code, &try.err));
    BodyReader *reader = body_reader_new(&arena, &request, &try.signature, NULL);
    CHECK(body_reader_feed(reader, STR("5\r\nhello\r\n0\r\n" TRAILER "\r\n"), sink, &decoded,
                           &try.code, &try.err));
    CHECK(body_reader_end(reader, &try.code, &try.err));
    CHECK_STR(body_reader_trailer(reader, STR("X-Amz-Checksum-Crc32")), STR(CRC_OF_HELLO));
    CHECK(!body_reader_trailer(reader, STR("x-other")).ptr);
    body_reader_clear(NULL);

    /* The sink's own failure goes through; what is begun and dropped leaks nothing. */
    reader = body_reader_new(&arena, &request, &try.signature, NULL);
    CHECK(!body_reader_feed(reader, STR("5\r\nhello"), refusing_sink, NULL, &try.code, &try.err));
    CHECK_INT(try.err.kind, ERROR_LIMIT);
    body_reader_clear(reader);

    /* A whole body against its hash: verified unless nobody signed it. */
    SigningKey key = {{0}, false}, nobody = {{0}, true};
    head = unsigned_head(&arena, EMPTY_HASH, 5, "");
    CHECK(parse_head(head, &request));
    CHECK(signature_parse(&request, &arena, &try.signature, &try.code, &try.err));
    for (int known = 0; known < 2; known++) {
        reader = body_reader_new(&arena, &request, &try.signature, known ? &key : &nobody);
        CHECK(body_reader_feed(reader, STR("hello"), sink, &decoded, &try.code, &try.err));
        CHECK(body_reader_end(reader, &try.code, &try.err) == !known);
    }
    CHECK_STR(str_of(try.code), STR("XAmzContentSHA256Mismatch"));
    reader = body_reader_new(&arena, &request, &try.signature, &key);
    CHECK(body_reader_feed(reader, (Str){0}, sink, &decoded, &try.code, &try.err));
    CHECK(body_reader_end(reader, &try.code, &try.err)); /* the empty body it announces */
}

/* The MAC of the trailers: there, once, of the right length. */
TEST(signature, signed_trailers)
{
    ARENA(arena);
    const Json *requests = json_get(golden(&arena), "requests");
    Str head = {0}, body = {0};
    for (size_t i = 0; i < requests->n; i++)
        if (str_is(json_get_text(json_at(requests, i), "name"), "signed chunks, empty, trailer")) {
            head = json_get_text(json_at(requests, i), "head");
            CHECK(base64_bytes(&arena, json_get_text(json_at(requests, i), "body"), &body));
        }
    static const char *const changes[][3] = {
        {"x-amz-trailer-signature:", "x-amz-trailer-signature:0", "InvalidRequest"},
        {"x-amz-trailer-signature:",
         "x-amz-trailer-signature:" EMPTY_HASH "\r\nx-amz-trailer-signature:", "InvalidRequest"},
        {"x-amz-trailer-signature:", "x-other:", "MalformedTrailerError"},
        {";chunk-signature=", ";chunk-signature=0", "InvalidRequest"},
        {";chunk-signature=", ";chunk-signatura=", "InvalidRequest"},
        {"x-amz-checksum-crc32:AAAAAA==", "x-amz-checksum-crc32:AAAAAB==", "BadDigest"},
    };
    for (size_t i = 0; i < COUNT(changes); i++) {
        AUTO_STRBUF StrBuf decoded = STRBUF(100);
        Try try = {0};
        Str changed = replaced(&arena, body, changes[i][0], changes[i][1]);
        CHECK(!read_body(&arena, head, changed, SECRET, 100, &decoded, &try));
        CHECK_STR(str_of(try.code), str_of(changes[i][2]));
    }
    AUTO_STRBUF StrBuf decoded = STRBUF(100);
    Try try = {0};
    Str cut = body;
    for (size_t i = 0; i < body.len; i++)
        if (str_starts(str_from(body, i), STR("x-amz-trailer-signature")))
            cut = arena_format(&arena, "%.*s\r\n", (int)i, body.ptr);
    CHECK(!read_body(&arena, head, cut, SECRET, 100, &decoded, &try));
    CHECK_STR(str_of(try.code), STR("SignatureDoesNotMatch"));
}

/* Version 2 for a bucket that stands in the host's name. */
TEST(signature, buckets_in_the_host)
{
    ARENA(arena);
    uint8_t mac[20];
    digest_hmac_sha1(STR(SECRET),
                     STR("GET\n\n\n1440941760\n/my.bucket/a%20key?uploads&versionId=3"), mac);
    AUTO_STRBUF StrBuf encoded = STRBUF(200);
    Str text = base64_text(&arena, (Str){(const char *)mac, 20});
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '+' || text.ptr[i] == '/' || text.ptr[i] == '=')
            strbuf_addf(&encoded, "%%%02X", text.ptr[i]);
        else
            strbuf_add_char(&encoded, text.ptr[i]);
    static const char *const hosts[] = {"my.bucket.s3.amazonaws.com", "my.bucket.localhost:4566",
                                        "other.s3.amazonaws.com"};
    for (size_t i = 0; i < COUNT(hosts); i++) {
        Try try;
        Str head = arena_format(&arena,
                                "GET /a%%20key?versionId=3&uploads&AWSAccessKeyId=AKID&Expires="
                                "1440941760&Signature=%s HTTP/1.1\r\nHost: %s\r\n\r\n",
                                strbuf_cstr(&encoded), hosts[i]);
        bool ok = verify(&arena, head, (Str){0}, SECRET, NOW, &try);
        if (ok != (i < 2)) FAIL("%s: %s", hosts[i], try.err.text);
    }
}

TEST(signature, headers_sent_twice_and_dates)
{
    ARENA(arena);
    Try try;
    Str good = sample(&arena, "", "Other: x\r\n");
    /* host;other is signed by no one here: that it is there twice is what counts. */
    Str twice = replaced(&arena, good, "=host;", "=host;other;");
    twice = replaced(&arena, twice, "Other: x\r\n", "Other: x\r\nother: x\r\n");
    CHECK(!verify(&arena, twice, (Str){0}, SECRET, NOW, &try));
    CHECK_STR(str_of(try.code), STR("SignatureDoesNotMatch"));

    /* Date instead of X-Amz-Date: must be signed. */
    Str dated = replaced(&arena, good, "X-Amz-Date: 20150830T123600Z",
                         "Date: Sun, 30 Aug 2015 12:36:00 GMT");
    dated = replaced(&arena, dated, "=host;x-amz-content-sha256;x-amz-date",
                     "=date;host;x-amz-content-sha256");
    CHECK(!verify(&arena, dated, (Str){0}, SECRET, NOW, &try));
    CHECK_STR(str_of(try.code), STR("SignatureDoesNotMatch")); /* it was read, and is not theirs */
    CHECK_STR(try.signature.date, STR("20150830T123600Z"));
    CHECK(!verify(&arena, dated, (Str){0}, SECRET, NOW + 3600, &try));
    CHECK_STR(str_of(try.code), STR("RequestTimeTooSkewed"));
}

/* Each parameter of a presigned request left out, given twice, and spelled in percents. */
TEST(signature, parameters_of_presigned_requests)
{
    static const char *const v4[] = {
        "X-Amz-Algorithm",     "X-Amz-Credential", "X-Amz-Date",          "X-Amz-Expires",
        "X-Amz-SignedHeaders", "X-Amz-Signature",  "X-Amz-Security-Token"};
    static const char *const v2[] = {"AWSAccessKeyId", "Signature", "Expires",
                                     "x-amz-security-token"};
    ARENA(arena);
    const Json *requests = json_get(golden(&arena), "requests");
    for (size_t i = 0; i < requests->n; i++) {
        Str name = json_get_text(json_at(requests, i), "name"),
            head = json_get_text(json_at(requests, i), "head");
        bool new_form = str_is(name, "presigned, token"), old_form = str_is(name, "V2, token");
        if (!new_form && !old_form) continue;
        size_t n = new_form ? COUNT(v4) : COUNT(v2);
        for (size_t k = 0; k < n; k++) {
            const char *param = new_form ? v4[k] : v2[k];
            Try try;
            Str given = arena_format(&arena, "%s=", param);
            Str other = arena_format(&arena, "%.*s-x=", (int)strlen(param), param);
            Str gone = replaced(&arena, head, given.ptr, other.ptr);
            if (verify(&arena, gone, (Str){0}, SECRET, NOW, &try)) FAIL("without %s", param);
            Str twice = replaced(&arena, head, " HTTP/1.1",
                                 arena_format(&arena, "&%s=x HTTP/1.1", param).ptr);
            if (verify(&arena, twice, (Str){0}, SECRET, NOW, &try)) FAIL("%s twice", param);
            CHECK_STR(str_of(try.code), STR("AuthorizationQueryParametersError"));
            Str spelled = arena_format(&arena, "%%%02X%s=", param[0], param + 1);
            Str encoded = replaced(&arena, head, given.ptr, spelled.ptr);
            if (!verify(&arena, encoded, (Str){0}, SECRET, NOW, &try))
                FAIL("%s: %s", param, try.err.text);
        }
    }
}
