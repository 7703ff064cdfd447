/* Storing objects: what a request says of one, its body, and the commit. */

#include "service/s3/put.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>

double s3_now(const Call *call)
{
    return floor(call->now * 1000) / 1000;
}

/* ---- what a request says ---- */

static bool text_member(Call *call, Json *meta, const char *name)
{
    Str text = call_text(call, name);
    if (text.len) json_set_text(call->arena, meta, name, text);
    return text.len > 0;
}

/* "aws-chunked" is how the body came, not what it is. */
static Str without_aws_chunked(Arena *arena, Str encoding)
{
    AUTO_STRBUF StrBuf out = STRBUF(16 << 10);
    Str one;
    while (str_next(&encoding, ',', &one)) {
        one = str_trim(one);
        if (str_eq_nocase(one, STR("aws-chunked")) || !one.len) continue;
        if (out.len) strbuf_add(&out, STR(","));
        strbuf_add(&out, one);
    }
    return arena_str(arena, strbuf_str(&out));
}

static bool metadata_fits(const Json *metadata)
{
    size_t n = 0;
    for (size_t i = 0; metadata && i < metadata->n; i++)
        n += metadata->members[i].name.len + metadata->members[i].value->text.len;
    return n <= S3_METADATA_BYTES_MAX;
}

static bool acl_ok(Str acl)
{
    static const char *const names[] = {
        "private",       "public-read",       "public-read-write",        "authenticated-read",
        "aws-exec-read", "bucket-owner-read", "bucket-owner-full-control"};
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is(acl, names[i])) return true;
    return false;
}

bool s3_meta_of_request(Call *call, Json *meta, S3Row *row, Error *err)
{
    Arena *arena = call->arena;
    static const char *const refused[] = {"SSECustomerAlgorithm", "SSECustomerKey", "SSEKMSKeyId",
                                          "SSEKMSEncryptionContext", "WriteOffsetBytes"};
    for (size_t i = 0; i < COUNT(refused); i++)
        if (json_get(call->in, refused[i])) return s3_fail(call, err, "NotImplemented");
    if (call_text(call, "ObjectLockMode").len || call_text(call, "ObjectLockLegalHoldStatus").len)
        return call_error_status(call, err, 400, "InvalidRequest",
                                 "Bucket is missing Object Lock Configuration");
    Str sse = call_text(call, "ServerSideEncryption");
    if (sse.len && !str_is(sse, "AES256")) return s3_fail(call, err, "NotImplemented");

    if (!text_member(call, meta, "ContentType"))
        json_set_text(arena, meta, "ContentType", STR("binary/octet-stream"));
    text_member(call, meta, "CacheControl");
    text_member(call, meta, "ContentDisposition");
    text_member(call, meta, "ContentLanguage");
    text_member(call, meta, "WebsiteRedirectLocation");
    text_member(call, meta, "ServerSideEncryption");
    Str encoding = without_aws_chunked(arena, call_text(call, "ContentEncoding"));
    if (encoding.len) json_set_text(arena, meta, "ContentEncoding", encoding);
    json_set(arena, meta, "Expires", json_get(call->in, "Expires"));
    const Json *metadata = json_get(call->in, "Metadata");
    if (!metadata_fits(metadata)) return s3_fail(call, err, "MetadataTooLarge");
    if (metadata && metadata->n) json_set(arena, meta, "Metadata", metadata);
    Str acl = call_text(call, "ACL");
    if (acl.len && !acl_ok(acl)) return s3_fail(call, err, "InvalidArgument");
    if (acl.len && !str_is(acl, "private") && !str_starts(acl, STR("bucket-owner")))
        json_set_text(arena, meta, "ACL", acl);
    Str class_name = call_text(call, "StorageClass");
    row->class_name = class_name.len && !str_is(class_name, "STANDARD") ? class_name : (Str){0};

    Str tagging = call_text(call, "Tagging");
    row->tags = (Str){0};
    if (tagging.len) {
        Json *tags;
        if (!s3_tags_of_query(tagging, arena, &tags))
            return call_error_status(
                call, err, 400, "InvalidArgument",
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query "
                "parameters without tag name duplicates.");
        const char *code = s3_tags_check(tags, S3_TAGS_MAX);
        if (code) return s3_fail(call, err, code);
        if (tags->n) row->tags = json_text(arena, tags);
    }
    return true;
}

bool s3_asked_of_request(Call *call, S3Asked *ret_asked, Error *err)
{
    S3Asked asked = {.kind = S3_NO_SUM};
    static const char *const unknown[] = {"ChecksumSHA512", "ChecksumMD5", "ChecksumXXHASH64",
                                          "ChecksumXXHASH3", "ChecksumXXHASH128"};
    for (size_t i = 0; i < COUNT(unknown); i++)
        if (call_text(call, unknown[i]).len) return s3_fail(call, err, "NotImplemented");
    for (const int *kind = s3_sum_kinds; *kind != S3_NO_SUM; kind++) {
        Str value = call_text(call, s3_sum_member(*kind));
        if (!value.len) continue;
        if (asked.kind != S3_NO_SUM)
            return call_error_status(
                call, err, 400, "InvalidRequest",
                "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed.");
        if (!s3_sum_ok(*kind, value))
            return call_error_status(call, err, 400, "InvalidRequest",
                                     "Value for %s header is invalid.", s3_sum_header(*kind));
        asked.kind = *kind;
        asked.value = value;
    }
    Str trailer = call->http ? http_field(call->http->request, STR("x-amz-trailer")) : (Str){0};
    if (asked.kind == S3_NO_SUM && trailer.len) {
        for (const int *kind = s3_sum_kinds; *kind != S3_NO_SUM; kind++)
            if (str_eq_nocase(str_trim(trailer), str_of(s3_sum_header(*kind)))) asked.kind = *kind;
        asked.trailer = asked.kind != S3_NO_SUM;
    }
    if (asked.kind == S3_NO_SUM) {
        Str name = call_text(call, "ChecksumAlgorithm");
        asked.kind = s3_sum_of_name(name);
        if (name.len && asked.kind == S3_NO_SUM) return s3_fail(call, err, "NotImplemented");
    }
    Str md5 = call_text(call, "ContentMD5");
    if (md5.ptr) {
        Str bytes;
        if (!base64_bytes(call->arena, md5, &bytes) || bytes.len != sizeof asked.md5)
            return s3_fail(call, err, "InvalidDigest");
        memcpy(asked.md5, bytes.ptr, sizeof asked.md5);
        asked.md5_given = true;
    }
    *ret_asked = asked;
    return true;
}

/* ---- bodies ---- */

/* A full disk is said as such; nothing of the object stays. */
static bool write_failed(Call *call, Error *err)
{
    if (errno == ENOSPC || errno == EDQUOT) return s3_fail(call, err, "InsufficientStorage");
    return false;
}

bool s3_sums_agree(Call *call, const S3Asked *asked, const S3SumsEnd *sums, Error *err)
{
    if (asked->md5_given && !digest_equal(asked->md5, sums->md5, sizeof asked->md5))
        return call_error_status(call, err, 400, "BadDigest",
                                 "The Content-MD5 you specified did not match what we received.");
    Str want = asked->trailer ? call_body_trailer(call, str_of(s3_sum_header(asked->kind)))
                              : asked->value;
    Str got = asked->kind == DIGEST_CRC64NVME ? sums->crc64nvme : sums->sum;
    if (asked->kind != S3_NO_SUM && want.len && !str_eq(want, got))
        return call_error_status(call, err, 400, "BadDigest",
                                 "The %s you specified did not match the calculated checksum.",
                                 s3_sum_name(asked->kind));
    return true;
}

bool s3_read_body(Call *call, const S3Asked *asked, S3Writer *writer, int64_t max,
                  S3SumsEnd *ret_sums, Error *err)
{
    int64_t total = 0, announced = call_body_length(call);
    if (!s3_reserve_ready(writer->s3)) return s3_fail(call, err, "InsufficientStorage");
    for (;;) {
        size_t capacity, n;
        errno = 0;
        char *room = s3_writer_room(writer, &capacity, err);
        if (!room) return write_failed(call, err);
        if (!call_body_read(call, room, capacity, &n, err)) return false;
        if (!n) break;
        writer->n += n;
        total += (int64_t)n;
        if (total > max) return s3_fail(call, err, "EntityTooLarge");
    }
    if (announced >= 0 && total != announced) return s3_fail(call, err, "IncompleteBody");
    errno = 0;
    if (!s3_writer_end(writer, call->arena, ret_sums, err)) return write_failed(call, err);

    return s3_sums_agree(call, asked, ret_sums, err);
}

void s3_sums_members(Arena *arena, Json *meta, const S3Asked *asked, const S3SumsEnd *sums)
{
    if (asked->kind == S3_NO_SUM || asked->kind == DIGEST_CRC64NVME)
        json_set_text(arena, meta, "ChecksumCRC64NVME", sums->crc64nvme);
    else
        json_set_text(arena, meta, s3_sum_member(asked->kind), sums->sum);
    json_set_text(arena, meta, "ChecksumType", STR("FULL_OBJECT"));
}

/* ---- the commit ---- */

static bool put_row(void *arg, DbTx *tx, Error *err)
{
    S3Put *put = arg;
    Error own = {0};
    if (!s3_bucket_load(tx, put->s3, put->bucket, put->arena, &put->found, &own)) {
        if (own.kind == ERROR_NOT_FOUND) return s3_code(&put->code, err, "NoSuchBucket");
        *err = own;
        return false;
    }
    if (put->found.folder) return s3_code(&put->code, err, "AccessDenied");
    if (put->writer && !s3_writer_store(put->writer, tx, err)) return false;
    if (!s3_row_put(tx, &put->found, &put->row, &put->conditions, put->arena, &put->forgotten,
                    &put->code, err))
        return false;
    return !put->also || put->also(put, tx, err);
}

bool s3_put_commit(S3Put *put, Error *err)
{
    if (put->writer) put->row.bytes = (S3Bytes){put->writer->file, s3_writer_is_small(put->writer)};
    if (!db_write(put->s3->db, put_row, put, err)) return false;
    if (put->writer) s3_writer_keep(put->writer);
    s3_cache_drop(put->s3->cache, put->bucket, put->row.key);
    s3_unlink(put->s3, put->forgotten);
    return true;
}

S3Conditions s3_conditions_of(Call *call, const char *prefix)
{
    char name[64];
    S3Conditions c = {0};
#define MEMBER(text) (snprintf(name, sizeof name, "%s" text, prefix), name)
    c.if_match = call_text(call, MEMBER("IfMatch"));
    c.if_none_match = call_text(call, MEMBER("IfNoneMatch"));
    c.if_modified_since = json_get_double(call->in, MEMBER("IfModifiedSince"), 0);
    c.if_unmodified_since = json_get_double(call->in, MEMBER("IfUnmodifiedSince"), 0);
#undef MEMBER
    return c;
}

/* ---- ranges ---- */

bool s3_range_parse(Str text, int64_t size, S3Range *ret_range)
{
    *ret_range = (S3Range){0, size, false};
    int64_t first, last;
    if (!str_starts(text, STR("bytes="))) return true; /* what is no range of bytes is ignored */
    text = str_from(text, 6);
    size_t dash = str_find(text, '-');
    if (dash == text.len || str_find(text, ',') < text.len) return true;
    Str from = str_slice(text, 0, dash), to = str_from(text, dash + 1);
    if (!from.len) {
        if (!str_to_int64(to, &last) || last < 0) return true;
        if (last == 0 || size == 0) return false;
        *ret_range = (S3Range){MAX(size - last, 0), MIN(last, size), true};
        return true;
    }
    if (!str_to_int64(from, &first) || first < 0) return true;
    if (!to.len)
        last = size - 1;
    else if (!str_to_int64(to, &last) || last < first)
        return true;
    if (first >= size) return false;
    last = MIN(last, size - 1);
    *ret_range = (S3Range){first, last - first + 1, true};
    return true;
}
