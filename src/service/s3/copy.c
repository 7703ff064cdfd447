/* CopyObject and UploadPartCopy.
 *
 * Bytes are immutable, so a copy is a second link to the same file; only when another checksum is asked
 * for, or for a piece of an object, are they read. */

#include "service/s3/copy.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>

/* "/bucket/key?versionId=v", URL-encoded. */
static bool source_parse(Arena *arena, Str text, Str *ret_bucket, Str *ret_key, Str *ret_version)
{
    static const char mark[] = "?versionId=";
    *ret_version = (Str){0};
    for (size_t i = 0; i + sizeof mark - 1 <= text.len; i++)
        if (memcmp(text.ptr + i, mark, sizeof mark - 1) == 0) {
            *ret_version = str_from(text, i + sizeof mark - 1);
            text = str_slice(text, 0, i);
            break;
        }
    if (str_starts(text, STR("/"))) text = str_from(text, 1);
    if (!s3_percent_decode(text, arena, &text)) return false;
    size_t slash = str_find(text, '/');
    if (slash == 0 || slash + 1 >= text.len) return false;
    *ret_bucket = str_slice(text, 0, slash);
    *ret_key = str_from(text, slash + 1);
    return s3_key_ok(*ret_key);
}

bool s3_source_find(Call *call, S3Source *source, Error *err)
{
    S3Find *find = &source->find;
    *find = (S3Find){.s3 = s3_of(call), .arena = call->arena, .with_bytes = true};
    source->fd = -1;
    Str owner = call_text(call, "ExpectedSourceBucketOwner");
    if (owner.len && !str_is(owner, call->server->options->account))
        return s3_fail(call, err, "AccessDenied");
    if (!source_parse(call->arena, call_text(call, "CopySource"), &find->bucket_name, &find->key,
                      &find->version))
        return call_error_status(
            call, err, 400, "InvalidArgument",
            "Copy Source must mention the source bucket and key: sourcebucket/sourcekey");
    if (!call_authorize(call, find->version.len ? "s3:GetObjectVersion" : "s3:GetObject",
                        s3_arn(call, find->bucket_name, find->key), err))
        return false;
    for (int round = 0;; round++) {
        if (!s3_find_row(find, err)) return s3_fail(call, err, find->code);
        if (find->row.marker)
            return s3_fail(call, err, find->version.len ? "InvalidRequest" : "NoSuchKey");
        if (find->row.bytes.small) break;
        source->fd = s3_open_bytes(find);
        if (source->fd >= 0) break;
        if (errno != ENOENT || round == 3)
            return error_sys(err, errno, "opening the source of a copy");
    }
    S3Conditions conditions = s3_conditions_of(call, "CopySource");
    if (s3_conditions_read(&conditions, &find->row))
        return s3_fail(call, err, "PreconditionFailed");
    return true;
}

bool s3_source_read(const S3Source *source, int64_t begin, int64_t length, S3Writer *writer,
                    Error *err)
{
    const S3Find *find = &source->find;
    if (source->fd < 0)
        return s3_writer_add(writer,
                             str_slice(find->bytes, (size_t)begin, (size_t)(begin + length)), err);
    while (length > 0) {
        size_t capacity;
        char *room = s3_writer_room(writer, &capacity, err);
        if (!room) return false;
        ssize_t n = pread(source->fd, room, (size_t)MIN((int64_t)capacity, length), begin);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return error_sys(err, n ? errno : EIO, "reading the source of a copy");
        writer->n += (size_t)n;
        begin += n;
        length -= n;
    }
    return true;
}

void s3_source_close(S3Source *source)
{
    if (source->fd >= 0) close(source->fd);
    source->fd = -1;
}

/* ---- CopyObject ---- */

/* Metadata of the copy: the source's, or the request's. */
static bool copied_meta(Call *call, const S3Find *find, Json **ret_meta, S3Row *row, Error *err)
{
    bool replace = str_is(call_text(call, "MetadataDirective"), "REPLACE");
    const Json *old;
    Json *asked = json_new_object(call->arena);
    if (!s3_meta_of_request(call, asked, row, err) ||
        !json_parse(find->row.meta, call->arena, &old, err))
        return false;
    if (!str_is(call_text(call, "TaggingDirective"), "REPLACE")) row->tags = find->row.tags;
    Json *meta = replace ? asked : json_copy(call->arena, old);
    static const char *const always[] = {"ServerSideEncryption", "WebsiteRedirectLocation", "ACL"};
    if (!replace) {
        /* These never come from the source. */
        Json *kept = json_new_object(call->arena);
        for (size_t i = 0; i < meta->n; i++) {
            bool own = str_is(meta->members[i].name, "Upload");
            for (size_t k = 0; k < COUNT(always); k++)
                own |= str_is(meta->members[i].name, always[k]);
            if (!own)
                json_set_str(call->arena, kept, meta->members[i].name, meta->members[i].value);
        }
        for (size_t k = 0; k < COUNT(always); k++)
            json_set(call->arena, kept, always[k], json_get(asked, always[k]));
        *ret_meta = kept;
        return true;
    }
    static const char *const of_bytes[] = {"ChecksumType", "Crc64", "Parts"};
    for (size_t i = 0; i < COUNT(of_bytes); i++)
        json_set(call->arena, meta, of_bytes[i], json_get(old, of_bytes[i]));
    for (const int *kind = s3_sum_kinds; *kind != S3_NO_SUM; kind++)
        json_set(call->arena, meta, s3_sum_member(*kind), json_get(old, s3_sum_member(*kind)));
    *ret_meta = meta;
    return true;
}

static bool changes_nothing(Call *call, const S3Find *find)
{
    return str_eq(find->bucket_name, call_text(call, "Bucket")) &&
           str_eq(find->key, call_text(call, "Key")) && !find->version.len &&
           !str_is(call_text(call, "MetadataDirective"), "REPLACE") &&
           !str_is(call_text(call, "TaggingDirective"), "REPLACE") &&
           !call_text(call, "StorageClass").len && !call_text(call, "ServerSideEncryption").len &&
           !call_text(call, "WebsiteRedirectLocation").len &&
           !call_text(call, "ChecksumAlgorithm").len;
}

/* The sums of the bytes in `meta` are replaced by fresh ones. */
static void set_sums(Call *call, Json **meta, const S3Asked *asked, const S3SumsEnd *sums)
{
    Json *fresh = json_new_object(call->arena);
    for (size_t i = 0; i < (*meta)->n; i++) {
        Str name = (*meta)->members[i].name;
        if (!str_starts(name, STR("Checksum")) && !str_is(name, "Crc64") && !str_is(name, "Parts"))
            json_set_str(call->arena, fresh, name, (*meta)->members[i].value);
    }
    s3_sums_members(call->arena, fresh, asked, sums);
    if (asked->kind != S3_NO_SUM && asked->kind != DIGEST_CRC64NVME)
        json_set_text(call->arena, fresh, "Crc64", sums->crc64nvme);
    *meta = fresh;
}

static bool copy_source(Call *call, S3Source *source, S3Put *put, S3Writer *writer, Error *err)
{
    const S3Find *find = &source->find;
    Json *meta;
    S3SumsEnd sums;
    S3Asked asked = {.kind = s3_sum_of_name(call_text(call, "ChecksumAlgorithm"))};
    if (changes_nothing(call, find))
        return call_error_status(
            call, err, 400, "InvalidRequest",
            "This copy request is illegal because it is trying to copy an object to itself without "
            "changing the object's metadata, storage class, website redirect location or "
            "encryption attributes.");
    if (find->row.size > S3_PUT_BYTES_MAX)
        return call_error_status(
            call, err, 400, "InvalidRequest",
            "The specified copy source is larger than the maximum allowable size for a copy "
            "source: 5368709120");
    if (!copied_meta(call, find, &meta, &put->row, err)) return false;
    put->row.size = find->row.size;
    put->row.etag = find->row.etag;
    put->row.modified = s3_now(call);
    bool other_sum = asked.kind != S3_NO_SUM && !json_get(meta, s3_sum_member(asked.kind));
    if (!other_sum && source->fd >= 0 && !find->bucket.folder) {
        Error ignored;
        if (s3_bytes_link(put->s3, find->row.bytes.file, &put->row.bytes.file, &ignored)) {
            put->row.meta = json_text(call->arena, meta);
            if (s3_put_commit(put, err)) return true;
            s3_unlink(put->s3, put->row.bytes);
            return s3_fail(call, err, put->code);
        }
    }
    if (!s3_writer_open(put->s3, asked.kind, find->row.size, true, writer, err) ||
        !s3_source_read(source, 0, find->row.size, writer, err) ||
        !s3_writer_end(writer, call->arena, &sums, err))
        return false;
    if (other_sum || find->bucket.folder) set_sums(call, &meta, &asked, &sums);
    if (other_sum || find->bucket.folder) put->row.etag = arena_str(call->arena, str_of(sums.etag));
    put->row.meta = json_text(call->arena, meta);
    put->writer = writer;
    return s3_put_commit(put, err) || s3_fail(call, err, put->code);
}

bool s3_copy_object(Call *call, Error *err)
{
    S3Put put = {.s3 = s3_of(call), .bucket = call_text(call, "Bucket"), .arena = call->arena};
    S3Source source;
    S3Writer writer = {.fd = -1};
    put.row.key = call_text(call, "Key");
    if (!s3_owner_expected(call, err) || !s3_key_check(call, err)) return false;
    put.conditions = (S3Conditions){.if_match = call_text(call, "IfMatch"),
                                    .if_none_match = call_text(call, "IfNoneMatch")};
    bool ok = s3_source_find(call, &source, err) && copy_source(call, &source, &put, &writer, err);
    s3_source_close(&source);
    s3_writer_drop(&writer);
    if (!ok) return false;

    Json *result = json_new_object(call->arena);
    const Json *meta;
    json_set_text(call->arena, result, "ETag", s3_quoted(call->arena, put.row.etag));
    json_set_double(call->arena, result, "LastModified", put.row.modified);
    if (json_parse(put.row.meta, call->arena, &meta, NULL)) {
        for (const int *kind = s3_sum_kinds; *kind != S3_NO_SUM; kind++)
            json_set(call->arena, result, s3_sum_member(*kind),
                     json_get(meta, s3_sum_member(*kind)));
        json_set(call->arena, result, "ChecksumType", json_get(meta, "ChecksumType"));
        json_set(call->arena, call->out, "ServerSideEncryption",
                 json_get(meta, "ServerSideEncryption"));
    }
    json_set(call->arena, call->out, "CopyObjectResult", result);
    if (source.find.bucket.versioning != VERSIONING_NEVER)
        json_set_text(call->arena, call->out, "CopySourceVersionId", source.find.row.version);
    if (put.found.versioning != VERSIONING_NEVER)
        json_set_text(call->arena, call->out, "VersionId", put.row.version);
    return true;
}
