/* Hashes, seals and spellings; see digest.h.  The checksums are in crc.c.
 *
 * OpenSSL 3 looks an algorithm up by name each time EVP_sha256() is used, which costs more than
 * hashing a kilobyte.  So algorithms are fetched once, and each thread keeps one context for whole
 * messages; EVP_MAC costs twice what HMAC (RFC 2104) made of two EVP hashes does. */

#include "aws/digest.h"
#include "aws/crc.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

static const struct {
    const char *name, *algorithm;
    size_t size;
} kinds[DIGEST_KINDS] = {
    [DIGEST_MD5] = {"md5", "MD5", 16},          [DIGEST_SHA1] = {"sha1", "SHA1", 20},
    [DIGEST_SHA256] = {"sha256", "SHA256", 32}, [DIGEST_CRC32] = {"crc32", NULL, 4},
    [DIGEST_CRC32C] = {"crc32c", NULL, 4},      [DIGEST_CRC64NVME] = {"crc64nvme", NULL, 8},
};

static EVP_MD *algorithms[DIGEST_KINDS];
static EVP_CIPHER *cipher;
static pthread_once_t fetched = PTHREAD_ONCE_INIT;
static pthread_key_t context_key; /* frees a thread's context at its end */
static _Thread_local EVP_MD_CTX *thread_context;

/* The library is broken or memory has run out: nothing could be verified any more. */
static void need(bool ok)
{
    if (ok) return;
    fputs("clary: OpenSSL failed\n", stderr);
    abort();
}

static void free_context(void *context)
{
    EVP_MD_CTX_free(context);
}

static void fetch(void)
{
    for (int kind = DIGEST_MD5; kind <= DIGEST_SHA256; kind++) {
        algorithms[kind] = EVP_MD_fetch(NULL, kinds[kind].algorithm, NULL);
        need(algorithms[kind]);
    }
    cipher = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    need(cipher && pthread_key_create(&context_key, free_context) == 0);
}

static EVP_MD_CTX *context_of_thread(void)
{
    if (LIKELY(thread_context)) return thread_context;
    pthread_once(&fetched, fetch);
    thread_context = EVP_MD_CTX_new();
    need(thread_context && pthread_setspecific(context_key, thread_context) == 0);
    return thread_context;
}

size_t digest_size(DigestKind kind)
{
    return kinds[kind].size;
}

const char *digest_name(DigestKind kind)
{
    return kinds[kind].name;
}

static bool is_hash(DigestKind kind)
{
    return kind <= DIGEST_SHA256;
}

/* ---- piece by piece ---- */

void digest_init(Digest *digest, DigestKind kind)
{
    *digest = (Digest){.kind = kind};
    if (!is_hash(kind)) return;
    pthread_once(&fetched, fetch);
    digest->context = EVP_MD_CTX_new();
    need(digest->context && EVP_DigestInit_ex2(digest->context, algorithms[kind], NULL));
}

void digest_add(Digest *digest, Str bytes)
{
    if (is_hash(digest->kind))
        need(EVP_DigestUpdate(digest->context, bytes.ptr, bytes.len));
    else
        digest->crc = crc_add(digest->kind, digest->crc, bytes);
}

static size_t crc_bytes(const Digest *digest, uint8_t *ret)
{
    size_t n = kinds[digest->kind].size;
    for (size_t i = 0; i < n; i++) ret[i] = (uint8_t)(digest->crc >> (8 * (n - 1 - i)));
    return n;
}

size_t digest_end(Digest *digest, uint8_t ret_bytes[static DIGEST_BYTES_MAX])
{
    if (!is_hash(digest->kind)) return crc_bytes(digest, ret_bytes);
    unsigned n = 0;
    need(EVP_DigestFinal_ex(digest->context, ret_bytes, &n));
    digest_clear(digest);
    return n;
}

size_t digest_peek(const Digest *digest, uint8_t ret_bytes[static DIGEST_BYTES_MAX])
{
    if (!is_hash(digest->kind)) return crc_bytes(digest, ret_bytes);
    EVP_MD_CTX *context = context_of_thread();
    unsigned n = 0;
    need(EVP_MD_CTX_copy_ex(context, digest->context) &&
         EVP_DigestFinal_ex(context, ret_bytes, &n));
    return n;
}

void digest_clear(Digest *digest)
{
    EVP_MD_CTX_free(digest->context);
    digest->context = NULL;
}

/* ---- whole messages ---- */

static void hash_two(DigestKind kind, Str a, Str b, uint8_t *ret)
{
    EVP_MD_CTX *context = context_of_thread();
    need(EVP_DigestInit_ex2(context, algorithms[kind], NULL) &&
         EVP_DigestUpdate(context, a.ptr, a.len) && EVP_DigestUpdate(context, b.ptr, b.len) &&
         EVP_DigestFinal_ex(context, ret, NULL));
}

void digest_sha256(Str bytes, uint8_t ret[static 32])
{
    hash_two(DIGEST_SHA256, bytes, (Str){0}, ret);
}

void digest_sha256_hex(Str bytes, char ret_hex[static 65])
{
    uint8_t hash[32];
    digest_sha256(bytes, hash);
    hex_write(hash, sizeof hash, ret_hex);
    ret_hex[64] = '\0';
}

void digest_md5(Str bytes, uint8_t ret[static 16])
{
    hash_two(DIGEST_MD5, bytes, (Str){0}, ret);
}

static void hmac(DigestKind kind, Str key, Str bytes, uint8_t *ret)
{
    enum { BLOCK = 64 };
    uint8_t inner[BLOCK], outer[BLOCK], short_key[DIGEST_BYTES_MAX], hash[DIGEST_BYTES_MAX];
    size_t size = kinds[kind].size;
    if (key.len > BLOCK) {
        hash_two(kind, key, (Str){0}, short_key);
        key = (Str){(const char *)short_key, size};
    }
    memset(inner, 0x36, BLOCK);
    memset(outer, 0x5c, BLOCK);
    for (size_t i = 0; i < key.len; i++) {
        inner[i] ^= (uint8_t)key.ptr[i];
        outer[i] ^= (uint8_t)key.ptr[i];
    }
    hash_two(kind, (Str){(const char *)inner, BLOCK}, bytes, hash);
    hash_two(kind, (Str){(const char *)outer, BLOCK}, (Str){(const char *)hash, size}, ret);
    OPENSSL_cleanse(inner, sizeof inner);
    OPENSSL_cleanse(outer, sizeof outer);
    OPENSSL_cleanse(short_key, sizeof short_key);
}

void digest_hmac_sha256(Str key, Str bytes, uint8_t ret[static 32])
{
    hmac(DIGEST_SHA256, key, bytes, ret);
}

void digest_hmac_sha1(Str key, Str bytes, uint8_t ret[static 20])
{
    hmac(DIGEST_SHA1, key, bytes, ret);
}

uint64_t digest_crc(DigestKind kind, Str bytes)
{
    return crc_add(kind, 0, bytes);
}

bool digest_equal(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

void digest_random(void *bytes, size_t n)
{
    for (char *p = bytes; n;) {
        ssize_t got = getrandom(p, n, 0);
        if (got <= 0) continue; /* a signal */
        p += got;
        n -= (size_t)got;
    }
}

/* ---- seals ---- */

enum { NONCE = 12, TAG = 16 };

Str digest_seal(Arena *arena, const uint8_t key[static 32], Str about, Str plain)
{
    pthread_once(&fetched, fetch);
    uint8_t *out = arena_alloc(arena, plain.len + SEAL_EXTRA_BYTES);
    int n;
    digest_random(out, NONCE);
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    need(context && EVP_EncryptInit_ex2(context, cipher, key, out, NULL) &&
         EVP_EncryptUpdate(context, NULL, &n, (const uint8_t *)about.ptr, (int)about.len) &&
         EVP_EncryptUpdate(context, out + NONCE, &n, (const uint8_t *)plain.ptr, (int)plain.len) &&
         EVP_EncryptFinal_ex(context, out + NONCE + plain.len, &n) &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, TAG, out + NONCE + plain.len));
    EVP_CIPHER_CTX_free(context);
    return (Str){(const char *)out, plain.len + SEAL_EXTRA_BYTES};
}

Str digest_open(Arena *arena, const uint8_t key[static 32], Str about, Str sealed)
{
    if (sealed.len < SEAL_EXTRA_BYTES) return (Str){0};
    pthread_once(&fetched, fetch);
    size_t len = sealed.len - SEAL_EXTRA_BYTES;
    const uint8_t *in = (const uint8_t *)sealed.ptr;
    uint8_t *out = arena_alloc(arena, len + 1), tag[TAG];
    memcpy(tag, in + NONCE + len, TAG);
    int n;
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    need(context && EVP_DecryptInit_ex2(context, cipher, key, in, NULL) &&
         EVP_DecryptUpdate(context, NULL, &n, (const uint8_t *)about.ptr, (int)about.len) &&
         EVP_DecryptUpdate(context, out, &n, in + NONCE, (int)len) &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, TAG, tag));
    bool right = EVP_DecryptFinal_ex(context, out + len, &n) > 0;
    EVP_CIPHER_CTX_free(context);
    if (right) return (Str){(const char *)out, len};
    OPENSSL_cleanse(out, len);
    return (Str){0};
}

/* ---- spellings ---- */

void hex_write(const void *bytes, size_t n, char *ret)
{
    const uint8_t *p = bytes;
    for (size_t i = 0; i < n; i++) {
        ret[2 * i] = "0123456789abcdef"[p[i] >> 4];
        ret[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
    }
}

Str hex_text(Arena *arena, const void *bytes, size_t n)
{
    char *out = arena_alloc(arena, 2 * n + 1);
    hex_write(bytes, n, out);
    return (Str){out, 2 * n};
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool hex_bytes(Str hex, uint8_t *ret, size_t n)
{
    if (hex.len != 2 * n) return false;
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(hex.ptr[2 * i]), low = hex_digit(hex.ptr[2 * i + 1]);
        if (high < 0 || low < 0) return false;
        ret[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static const char base64_digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Str base64_text(Arena *arena, Str bytes)
{
    size_t len = (bytes.len + 2) / 3 * 4;
    char *out = arena_alloc(arena, len + 1), *to = out;
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t left = bytes.len - i;
        uint32_t word = (uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) |
                        (left > 2 ? p[i + 2] : 0);
        *to++ = base64_digits[word >> 18];
        *to++ = base64_digits[word >> 12 & 63];
        *to++ = left > 1 ? base64_digits[word >> 6 & 63] : '=';
        *to++ = left > 2 ? base64_digits[word & 63] : '=';
    }
    return (Str){out, len};
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    if (c == '+') return 62;
    if (c == '/') return 63;
    return -1;
}

bool base64_bytes(Arena *arena, Str text, Str *ret_bytes)
{
    if (text.len % 4) return false;
    char *out = arena_alloc(arena, text.len / 4 * 3 + 1);
    size_t n = 0, digits = text.len;
    while (digits + 2 > text.len && digits && text.ptr[digits - 1] == '=') digits--;
    uint32_t word = 0;
    for (size_t i = 0; i < digits; i++) {
        int digit = base64_digit(text.ptr[i]);
        if (digit < 0) return false;
        word = word << 6 | (uint32_t)digit;
        if (i % 4 == 3) {
            out[n++] = (char)(word >> 16);
            out[n++] = (char)(word >> 8);
            out[n++] = (char)word;
            word = 0;
        }
    }
    if (digits % 4 == 3) { /* 18 bits: 2 bytes, and two bits that must be zero */
        if (word & 3) return false;
        out[n++] = (char)(word >> 10);
        out[n++] = (char)(word >> 2);
    } else if (digits % 4 == 2) {
        if (word & 15) return false;
        out[n++] = (char)(word >> 4);
    }
    *ret_bytes = (Str){out, n};
    return true;
}
