#ifndef CLARY_AWS_SIGNATURE_H
#define CLARY_AWS_SIGNATURE_H

/* AWS Signature Version 4 (header, presigned query, chunked bodies), and Version 2 presigned S3 URLs.
 * Rules A1 to A8 of the threat model.  Cryptography is OpenSSL's (aws/digest.h). */

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
    Str day, region, service; /* of the scope */
    double time, expires;     /* signed at; presigned: valid for so many seconds */
    Str signed_headers;
    Str mac; /* hex as sent */
    BodyMode body_mode;
    Str body_hash;          /* hex as sent */
    int64_t decoded_length; /* x-amz-decoded-content-length or -1 */
} Signature;

/* Takes the signature out of a request's head; form NONE when there is none.  On refusal false with the AWS code. */
bool signature_parse(const HttpRequest *request, Arena *arena, Signature *ret_signature,
                     const char **ret_code, Error *err);

/* The key that signs for (secret, day, region, service). */
typedef struct SigningKey {
    uint8_t bytes[32];
} SigningKey;
void signing_key_derive(Str secret, Str day, Str region, Str service, SigningKey *ret_key);

/* Verifies the head's MAC; body_hash_hex: of the body that came (empty: use what x-amz-content-sha256 says,
 * which the reader of the body verifies later).  now: wall seconds.  s3: path rules of S3. */
bool signature_verify(const HttpRequest *request, const Signature *signature, Str secret,
                      const SigningKey *key, Str body_hash_hex, double now, bool s3, Arena *arena,
                      const char **ret_code, Error *err);

/* Decodes and verifies a body piece by piece (chunk signatures, trailer signature, checksums, decoded length):
 * nothing it yields counts before body_reader_end has returned true. */
typedef struct BodyReader BodyReader;
BodyReader *body_reader_new(Arena *arena, const HttpRequest *request, const Signature *signature,
                            const SigningKey *key);
/* Takes raw bytes, calls `sink` with decoded ones. */
bool body_reader_feed(BodyReader *reader, Str raw, bool (*sink)(void *arg, Str decoded, Error *err),
                      void *arg, const char **ret_code, Error *err);
bool body_reader_end(BodyReader *reader, const char **ret_code, Error *err);
/* A checksum trailer that arrived ("x-amz-checksum-crc32"), or ptr NULL. */
Str body_reader_trailer(const BodyReader *reader, Str name);

/* Signs a request: for clients of ours (the CLI, tests), and tests of the above. Fills `ret_authorization`. */
Str signature_sign(Arena *arena, Str method, Str target, Str host, const char *amz_date,
                   Str body_hash_hex, Str access_key, Str secret, Str token, Str region,
                   Str service);

#endif
