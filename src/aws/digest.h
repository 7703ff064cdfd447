#ifndef CLARY_AWS_DIGEST_H
#define CLARY_AWS_DIGEST_H

/* Hashes (OpenSSL's), checksums as S3 uses them, and how both are spelled: hex and base64. */

#include "base/arena.h"

typedef enum DigestKind {
    DIGEST_MD5,
    DIGEST_SHA1,
    DIGEST_SHA256,
    DIGEST_CRC32,
    DIGEST_CRC32C,
    DIGEST_CRC64NVME,
} DigestKind;

enum { DIGEST_KINDS = DIGEST_CRC64NVME + 1, DIGEST_BYTES_MAX = 32 };

size_t digest_size(DigestKind kind);      /* bytes */
const char *digest_name(DigestKind kind); /* "crc32", "sha256": as in x-amz-checksum-NAME */

/* Bytes that come piece by piece:
 *
 *     Digest digest;
 *     digest_init(&digest, DIGEST_SHA256);
 *     digest_add(&digest, piece);
 *     size_t n = digest_end(&digest, bytes);       checksums: the most significant byte first
 */
typedef struct Digest {
    DigestKind kind;
    uint64_t crc;
    void *context; /* EVP_MD_CTX of a hash */
} Digest;

void digest_init(Digest *digest, DigestKind kind);
void digest_add(Digest *digest, Str bytes);
/* The value; frees what init took.  Returns digest_size. */
size_t digest_end(Digest *digest, uint8_t ret_bytes[static DIGEST_BYTES_MAX]);
/* The value so far; adding may go on. */
size_t digest_peek(const Digest *digest, uint8_t ret_bytes[static DIGEST_BYTES_MAX]);
void digest_clear(Digest *digest); /* instead of end; a zeroed or ended one is fine */

/* Of bytes that are all there. */
void digest_sha256(Str bytes, uint8_t ret[static 32]);
void digest_sha256_hex(Str bytes, char ret_hex[static 65]); /* NUL-terminated */
void digest_md5(Str bytes, uint8_t ret[static 16]);
void digest_hmac_sha256(Str key, Str bytes, uint8_t ret[static 32]);
void digest_hmac_sha1(Str key, Str bytes, uint8_t ret[static 20]);
uint64_t digest_crc(DigestKind kind, Str bytes);

/* The checksum of A followed by B from theirs and B's length: for parts of an object. */
uint64_t digest_crc_combine(DigestKind kind, uint64_t a, uint64_t b, uint64_t b_bytes);

/* Equal?  The time depends on n only. */
bool digest_equal(const void *a, const void *b, size_t n);

/* Unpredictable bytes from the kernel. */
void digest_random(void *bytes, size_t n);

/* AES-256-GCM: `ret_sealed` gets a fresh 12-byte nonce, the ciphertext and a 16-byte tag:
 * SEAL_EXTRA_BYTES more than `plain`.  What it is sealed for (`about`) must be given again to open it. */
enum { SEAL_EXTRA_BYTES = 28 };
Str digest_seal(Arena *arena, const uint8_t key[static 32], Str about, Str plain);
/* ptr NULL: another key, another purpose, or changed bytes. */
Str digest_open(Arena *arena, const uint8_t key[static 32], Str about, Str sealed);

/* ---- spellings ---- */

Str hex_text(Arena *arena, const void *bytes, size_t n); /* lower case, NUL-terminated too */
void hex_write(const void *bytes, size_t n, char *ret);  /* 2 n characters, no NUL */
bool hex_bytes(Str hex, uint8_t *ret, size_t n);         /* exactly n bytes, either case */

Str base64_text(Arena *arena, Str bytes); /* RFC 4648 with padding, NUL-terminated too */
/* False when it is not canonical base64 of the standard alphabet, padded, without blanks. */
bool base64_bytes(Arena *arena, Str text, Str *ret_bytes);

#endif
