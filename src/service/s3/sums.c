/* Checksums of objects: MD5 for the ETag, CRC-64/NVME for rule D7, and the one the client asked for. */

#include "service/s3/s3.h"

#include "base/memory.h"

#include <stdlib.h>

const int s3_sum_kinds[] = {DIGEST_CRC32, DIGEST_CRC32C, DIGEST_CRC64NVME,
                            DIGEST_SHA1,  DIGEST_SHA256, S3_NO_SUM};

static const struct {
    const char *name, *member, *header;
} words[DIGEST_KINDS] = {
    [DIGEST_CRC32] = {"CRC32", "ChecksumCRC32", "x-amz-checksum-crc32"},
    [DIGEST_CRC32C] = {"CRC32C", "ChecksumCRC32C", "x-amz-checksum-crc32c"},
    [DIGEST_CRC64NVME] = {"CRC64NVME", "ChecksumCRC64NVME", "x-amz-checksum-crc64nvme"},
    [DIGEST_SHA1] = {"SHA1", "ChecksumSHA1", "x-amz-checksum-sha1"},
    [DIGEST_SHA256] = {"SHA256", "ChecksumSHA256", "x-amz-checksum-sha256"},
};

const char *s3_sum_member(int kind)
{
    return words[kind].member;
}

const char *s3_sum_header(int kind)
{
    return words[kind].header;
}

const char *s3_sum_name(int kind)
{
    return kind == S3_NO_SUM ? "" : words[kind].name;
}

int s3_sum_of_name(Str name)
{
    for (const int *kind = s3_sum_kinds; *kind != S3_NO_SUM; kind++)
        if (str_eq_nocase(name, str_of(words[*kind].name))) return *kind;
    return S3_NO_SUM;
}

bool s3_sum_is_crc(int kind)
{
    return kind == DIGEST_CRC32 || kind == DIGEST_CRC32C || kind == DIGEST_CRC64NVME;
}

struct S3Sums {
    Digest md5, crc64, asked;
    bool has_asked;
};

S3Sums *s3_sums_new(int kind)
{
    S3Sums *sums = calloc(1, sizeof *sums);
    if (!sums) memory_exhausted(sizeof *sums);
    digest_init(&sums->md5, DIGEST_MD5);
    digest_init(&sums->crc64, DIGEST_CRC64NVME);
    sums->has_asked = kind != S3_NO_SUM && kind != DIGEST_CRC64NVME;
    if (sums->has_asked) digest_init(&sums->asked, (DigestKind)kind);
    return sums;
}

void s3_sums_add_md5(S3Sums *sums, Str bytes)
{
    digest_add(&sums->md5, bytes);
}

void s3_sums_add_rest(S3Sums *sums, Str bytes)
{
    digest_add(&sums->crc64, bytes);
    if (sums->has_asked) digest_add(&sums->asked, bytes);
}

void s3_sums_end(S3Sums *sums, Arena *arena, S3SumsEnd *ret_end)
{
    uint8_t value[DIGEST_BYTES_MAX];
    digest_end(&sums->md5, value);
    memcpy(ret_end->md5, value, sizeof ret_end->md5);
    hex_write(value, 16, ret_end->etag);
    ret_end->etag[32] = 0;
    size_t n = digest_end(&sums->crc64, value);
    ret_end->crc64nvme = base64_text(arena, (Str){(char *)value, n});
    ret_end->sum = (Str){0};
    if (sums->has_asked) {
        n = digest_end(&sums->asked, value);
        ret_end->sum = base64_text(arena, (Str){(char *)value, n});
    }
}

void s3_sums_free(S3Sums *sums)
{
    if (!sums) return;
    digest_clear(&sums->md5);
    digest_clear(&sums->crc64);
    digest_clear(&sums->asked);
    free(sums);
}

bool s3_sum_ok(int kind, Str text)
{
    ARENA(scratch);
    Str bytes;
    return base64_bytes(&scratch, text, &bytes) && bytes.len == digest_size((DigestKind)kind);
}

static uint64_t crc_of_text(Str text)
{
    ARENA(scratch);
    Str bytes;
    uint64_t value = 0;
    if (!base64_bytes(&scratch, text, &bytes)) return 0;
    for (size_t i = 0; i < bytes.len; i++) value = value << 8 | (uint8_t)bytes.ptr[i];
    return value;
}

Str s3_sum_joined(int kind, Str first, Str next, int64_t next_size, Arena *arena)
{
    size_t n = digest_size((DigestKind)kind);
    uint64_t value = digest_crc_combine((DigestKind)kind, crc_of_text(first), crc_of_text(next),
                                        (uint64_t)next_size);
    char bytes[8];
    for (size_t i = 0; i < n; i++) bytes[i] = (char)(value >> (8 * (n - 1 - i)));
    return base64_text(arena, (Str){bytes, n});
}

Str s3_sum_composite(int kind, const Str *values, size_t n, Arena *arena)
{
    ARENA(scratch);
    Digest digest;
    uint8_t value[DIGEST_BYTES_MAX];
    digest_init(&digest, (DigestKind)kind);
    for (size_t i = 0; i < n; i++) {
        Str bytes = {0};
        if (base64_bytes(&scratch, values[i], &bytes)) digest_add(&digest, bytes);
    }
    size_t size = digest_end(&digest, value);
    return base64_text(arena, (Str){(char *)value, size});
}
