#ifndef CLARY_AWS_SIGNATURE_H
#define CLARY_AWS_SIGNATURE_H

/* AWS Signature Version 4 (header, presigned query, chunked bodies), and Version 2 presigned S3 URLs.
 * Rules A1 to A8 of the threat model.  Cryptography is OpenSSL's (aws/digest.h).
 *
 * Refused, though AWS takes it: a signed header that was sent twice, an x-amz-* header that was not signed,
 * headers of Signature Version 2, and the asymmetric Version 4A.  Checksums in headers are for the service to
 * check, checksums in trailers are checked here. */

#include "base/arena.h"
#include "base/error.h"
#include "net/http_parse.h"

typedef enum SignatureForm {
    SIGNATURE_NONE,
    SIGNATURE_HEADER,
    SIGNATURE_QUERY,
    SIGNATURE_QUERY_V2,
    SIGNATURE_POST
} SignatureForm;

typedef enum BodyMode {
    BODY_SIGNED,   /* x-amz-content-sha256 is the body's hash (or, not S3, the hash is computed) */
    BODY_UNSIGNED, /* UNSIGNED-PAYLOAD */
    BODY_CHUNKS_SIGNED,           /* STREAMING-AWS4-HMAC-SHA256-PAYLOAD */
    BODY_CHUNKS_SIGNED_TRAILER,   /* ...-TRAILER */
    BODY_CHUNKS_UNSIGNED_TRAILER, /* STREAMING-UNSIGNED-PAYLOAD-TRAILER */
} BodyMode;

typedef struct Signature {
    SignatureForm form;
    Str access_key, token;    /* token: empty when there is none */
    Str day, region, service; /* of the scope; V2 has none, its service is "s3" */
    Str date;                 /* "20130524T000000Z": as it is signed */
    double time, expires;     /* signed at; presigned: valid for so many seconds (V2: since 1970) */
    Str signed_headers;
    Str mac; /* hex as sent; V2: base64 */
    BodyMode body_mode;
    Str body_hash;                   /* hex as sent */
    int64_t decoded_length;          /* x-amz-decoded-content-length or -1 */
    const struct QueryParam *params; /* the query as it is signed; inside only */
    size_t n_params;
} Signature;

enum { QUERY_PARAMS_MAX = 256, TRAILERS_MAX = 8, TRAILER_LINE_BYTES_MAX = 1024 };

/* Takes the signature out of a request's head; form NONE when there is none.  On refusal false with the AWS code. */
bool signature_parse(const HttpRequest *request, Arena *arena, Signature *ret_signature,
                     const char **ret_code, Error *err);

/* The key that signs for (secret, day, region, service). */
typedef struct SigningKey {
    uint8_t bytes[32];
    bool
        unchecked; /* of nobody: whose body comes with it is not verified (anonymous, --auth any) */
} SigningKey;
void signing_key_derive(Str secret, Str day, Str region, Str service, SigningKey *ret_key);

/* Verifies the head's MAC; body_hash_hex: of the body that came (empty: use what x-amz-content-sha256 says,
 * which the reader of the body verifies later).  now: wall seconds.  s3: path rules of S3. */
bool signature_verify(const HttpRequest *request, const Signature *signature, Str secret,
                      const SigningKey *key, Str body_hash_hex, double now, bool s3, Arena *arena,
                      const char **ret_code, Error *err);

/* The HTTP status of a refusal's code: 403 "SignatureDoesNotMatch", 400 "InvalidRequest"; 0 for codes that are
 * not of this module. */
int signature_status(const char *code);

/* Whose words a refusal is in: S3's, those of the query protocol, or those of the JSON protocols. */
typedef enum RefusalStyle { REFUSAL_S3, REFUSAL_QUERY, REFUSAL_JSON } RefusalStyle;
RefusalStyle signature_style(const HttpRequest *request, Str service);

typedef enum Refusal {
    REFUSAL_NO_MATCH,  /* also when the key is unknown (rule A6) */
    REFUSAL_BAD_TOKEN, /* no such session, or another key's */
    REFUSAL_EXPIRED_TOKEN,
    REFUSAL_SKEWED,
    REFUSAL_EXPIRED, /* presigned */
    REFUSAL_MALFORMED,
    REFUSAL_MALFORMED_QUERY,
    REFUSAL_TWO_WAYS,
    REFUSAL_MECHANISM,
    REFUSAL_NO_HASH,
    REFUSAL_BAD_HASH,
    REFUSAL_BODY_HASH,
    REFUSAL_UNSIGNED,
} Refusal;
/* Sets code and text; returns false. */
bool signature_refuse(RefusalStyle style, Refusal refusal, const char **ret_code, Error *err);

/* The fields of an S3 POST form that sign it: V4 (all but key), or V2 (policy, mac, key); empty when absent.
 * What the policy demands is the caller's to check. */
typedef struct PostFields {
    Str policy; /* base64, as it is signed */
    Str algorithm, credential, date, mac,
        token;      /* x-amz-algorithm, -credential, -date, -signature */
    Str access_key; /* AWSAccessKeyId */
} PostFields;
bool signature_parse_post(const PostFields *fields, Arena *arena, Signature *ret_signature,
                          const char **ret_code, Error *err);
bool signature_verify_post(const Signature *signature, Str policy, Str secret,
                           const SigningKey *key, const char **ret_code, Error *err);

/* Decodes and verifies a body piece by piece (chunk signatures, trailer signature, checksums, decoded length):
 * nothing it yields counts before body_reader_end has returned true. */
typedef struct BodyReader BodyReader;
BodyReader *body_reader_new(Arena *arena, const HttpRequest *request, const Signature *signature,
                            const SigningKey *key);
/* Takes raw bytes, calls `sink` with decoded ones. */
bool body_reader_feed(BodyReader *reader, Str raw, bool (*sink)(void *arg, Str decoded, Error *err),
                      void *arg, const char **ret_code, Error *err);
bool body_reader_end(BodyReader *reader, const char **ret_code, Error *err);
/* Frees what hashing took; after body_reader_end or instead of it. */
void body_reader_clear(BodyReader *reader);
/* A checksum trailer that arrived, and was right ("x-amz-checksum-crc32"), or ptr NULL. */
Str body_reader_trailer(const BodyReader *reader, Str name);

/* The Authorization header of a request whose only signed headers are host, x-amz-date, and where they are not
 * empty x-amz-content-sha256, x-amz-security-token and x-amz-target: for clients of ours and tests.  Paths as for S3. */
Str signature_sign(Arena *arena, Str method, Str target, Str host, const char *amz_date,
                   Str body_hash_hex, Str access_key, Str secret, Str token, Str region,
                   Str service, Str amz_target);

#endif
