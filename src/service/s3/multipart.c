/* Multipart uploads.
 *
 * The parts of an upload are written side by side into one file: part n of the usual client begins at (n - 1) x the
 * size that all parts but the last have, so the file is the object when the last part has come, and completing
 * costs no copy.  The size is that of the first part that comes; a part that does not fit into its slot, comes a second
 * time, or comes after a restart gets a file of its own, and then completing copies.  The slots are only in
 * memory: rows of s3_part say where each acknowledged part is. */

#include "service/s3/copy.h"

#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

enum { OPEN_UPLOADS_MAX = 4096 };

typedef struct Slots {
    char id[65];
    int64_t file, size; /* of a slot */
    int fd;
    int writers;
    bool ended; /* completed or aborted: the last writer frees */
    uint8_t taken[S3_PARTS_MAX / 8 + 1];
    struct Slots *next;
} Slots;

typedef struct Upload {
    S3 *s3;
    Arena *arena;
    Str bucket_name, key, id;
    S3Bucket bucket;
    double created;
    const Json *document; /* {"Meta", "Tags", "Class", "Algorithm", "Type"} */
    const char *code;
} Upload;

static bool load_upload(void *arg, DbTx *tx, Error *err)
{
    Upload *u = arg;
    Error own = {0};
    if (!s3_bucket_load(tx, u->s3, u->bucket_name, u->arena, &u->bucket, &own)) {
        if (own.kind == ERROR_NOT_FOUND) return s3_code(&u->code, err, "NoSuchBucket");
        *err = own;
        return false;
    }
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err,
                  "SELECT created, document FROM s3_upload WHERE id = ? AND bucket = ? AND key = ?",
                  "tit", u->id, u->bucket.id, u->key))
        return false;
    if (!db_next(&rows, &own)) {
        if (own.kind == ERROR_NONE) return s3_code(&u->code, err, "NoSuchUpload");
        *err = own;
        return false;
    }
    u->created = db_real(&rows, 0);
    return json_parse(arena_str(u->arena, db_text(&rows, 1)), u->arena, &u->document, err);
}

static Upload upload_of(Call *call)
{
    return (Upload){.s3 = s3_of(call),
                    .arena = call->arena,
                    .bucket_name = call_text(call, "Bucket"),
                    .key = call_text(call, "Key"),
                    .id = call_text(call, "UploadId")};
}

/* ---- CreateMultipartUpload ---- */

typedef struct Begin {
    Upload upload;
    Str document;
} Begin;

static bool insert_upload(void *arg, DbTx *tx, Error *err)
{
    Begin *b = arg;
    Upload *u = &b->upload;
    Error own = {0};
    if (!s3_bucket_load(tx, u->s3, u->bucket_name, u->arena, &u->bucket, &own)) {
        if (own.kind == ERROR_NOT_FOUND) return s3_code(&u->code, err, "NoSuchBucket");
        *err = own;
        return false;
    }
    if (u->bucket.folder) return s3_code(&u->code, err, "AccessDenied");
    return db_run(
        tx, err,
        "INSERT INTO s3_upload (id, bucket, key, created, document) VALUES (?, ?, ?, ?, ?)",
        "titdt", u->id, u->bucket.id, u->key, u->created, b->document);
}

static bool create_upload(Call *call, Error *err)
{
    Begin b = {.upload = upload_of(call)};
    Json *meta = json_new_object(call->arena), *document = json_new_object(call->arena);
    S3Row row = {0};
    if (!s3_owner_expected(call, err) || !s3_key_check(call, err) ||
        !s3_meta_of_request(call, meta, &row, err))
        return false;
    Str algorithm = call_text(call, "ChecksumAlgorithm"), type = call_text(call, "ChecksumType");
    int kind = s3_sum_of_name(algorithm);
    if (algorithm.len && kind == S3_NO_SUM) return s3_fail(call, err, "NotImplemented");
    bool full_default = kind == S3_NO_SUM || kind == DIGEST_CRC64NVME;
    if (!type.len) type = full_default ? STR("FULL_OBJECT") : STR("COMPOSITE");
    if (str_is(type, "FULL_OBJECT") ? kind != S3_NO_SUM && !s3_sum_is_crc(kind)
                                    : kind == DIGEST_CRC64NVME || kind == S3_NO_SUM)
        return call_error_status(
            call, err, 400, "InvalidRequest",
            "The %.*s checksum type cannot be used with the %s checksum algorithm.", STR_ARG(type),
            kind == S3_NO_SUM ? "crc64nvme" : s3_sum_name(kind));
    json_set(call->arena, document, "Meta", meta);
    if (row.tags.len) json_set_text(call->arena, document, "Tags", row.tags);
    if (row.class_name.len) json_set_text(call->arena, document, "Class", row.class_name);
    if (kind != S3_NO_SUM)
        json_set_text(call->arena, document, "Algorithm", str_of(s3_sum_name(kind)));
    json_set_text(call->arena, document, "Type", type);
    b.upload.id = arena_format(call->arena, "%.*s%.*s", STR_ARG(s3_new_version(call->arena)),
                               STR_ARG(s3_new_version(call->arena)));
    b.upload.created = s3_now(call);
    b.document = json_text(call->arena, document);
    if (!db_write(b.upload.s3->db, insert_upload, &b, err))
        return s3_fail(call, err, b.upload.code);

    json_set_text(call->arena, call->out, "Bucket", b.upload.bucket_name);
    json_set_text(call->arena, call->out, "Key", b.upload.key);
    json_set_text(call->arena, call->out, "UploadId", b.upload.id);
    json_set(call->arena, call->out, "ServerSideEncryption",
             json_get(meta, "ServerSideEncryption"));
    if (kind != S3_NO_SUM) {
        json_set_text(call->arena, call->out, "ChecksumAlgorithm", str_of(s3_sum_name(kind)));
        json_set_text(call->arena, call->out, "ChecksumType", type);
    }
    return true;
}

/* ---- slots ---- */

static void slots_free(Slots *slots)
{
    if (slots->fd >= 0) close(slots->fd);
    free(slots);
}

/* The slot of a part that is `length` long (-1: unknown); NULL: it needs a file of its own. */
static Slots *slot_take(S3 *s3, Str id, int64_t number, int64_t length, Error *err)
{
    Slots *slots;
    if (length <= 0 || id.len >= sizeof slots->id) return NULL;
    pthread_mutex_lock(&s3->uploads_mutex);
    int n = 0;
    for (slots = s3->uploads; slots && !str_is(id, slots->id); slots = slots->next) n++;
    if (!slots && n < OPEN_UPLOADS_MAX) {
        slots = calloc(1, sizeof *slots);
        if (!slots) memory_exhausted(sizeof *slots);
        memcpy(slots->id, id.ptr, id.len);
        slots->size = length;
        slots->fd = -1;
        if (s3_file_make(s3, &slots->file, &slots->fd, err)) {
            slots->next = s3->uploads;
            s3->uploads = slots;
        } else {
            free(slots);
            slots = NULL;
        }
    }
    bool fits = slots && !slots->ended && length <= slots->size &&
                !(slots->taken[number / 8] >> (number % 8) & 1);
    if (fits) {
        slots->taken[number / 8] |= (uint8_t)(1 << (number % 8));
        slots->writers++;
    }
    pthread_mutex_unlock(&s3->uploads_mutex);
    return fits ? slots : NULL;
}

static void slot_give(S3 *s3, Slots *slots, int64_t number, bool kept)
{
    if (!slots) return;
    pthread_mutex_lock(&s3->uploads_mutex);
    if (!kept) slots->taken[number / 8] &= (uint8_t) ~(1 << (number % 8));
    bool free_it = --slots->writers == 0 && slots->ended;
    pthread_mutex_unlock(&s3->uploads_mutex);
    if (free_it) slots_free(slots);
}

/* The upload ends: no more writers come.  Its file, and whether somebody still writes into it. */
static int64_t slots_end(S3 *s3, Str id, bool *ret_busy)
{
    int64_t file = 0;
    Slots *found = NULL;
    *ret_busy = false;
    pthread_mutex_lock(&s3->uploads_mutex);
    for (Slots **at = (Slots **)&s3->uploads; *at; at = &(*at)->next)
        if (str_is(id, (*at)->id)) {
            found = *at;
            *at = found->next;
            break;
        }
    if (found) {
        file = found->file;
        found->ended = true;
        *ret_busy = found->writers > 0;
    }
    pthread_mutex_unlock(&s3->uploads_mutex);
    if (found && !*ret_busy) slots_free(found);
    return file;
}

void s3_uploads_free(S3 *s3)
{
    for (Slots *slots = s3->uploads, *next; slots; slots = next) {
        next = slots->next;
        slots_free(slots);
    }
    s3->uploads = NULL;
}

/* ---- UploadPart ---- */

typedef struct PartWork {
    Upload upload;
    int64_t number, file, place, size;
    Str etag, sums;
    double modified;
    int64_t old_file; /* of a part that this one replaces, when nothing else is in it; or 0 */
} PartWork;

static bool insert_part(void *arg, DbTx *tx, Error *err)
{
    PartWork *p = arg;
    if (!load_upload(&p->upload, tx, err)) return false;
    {
        DB_ROWS(rows);
        Error end = {0};
        if (!db_query(
                tx, &rows, err,
                "SELECT file FROM s3_part p WHERE upload = ? AND number = ? AND NOT EXISTS (SELECT 1 FROM s3_part q "
                "WHERE q.upload = p.upload AND q.file = p.file AND q.number <> p.number)",
                "ti", p->upload.id, p->number))
            return false;
        p->old_file = db_next(&rows, &end) ? db_int(&rows, 0) : 0;
        if (end.kind != ERROR_NONE) return error_set(err, end.kind, "%s", end.text);
    }
    return db_run(
        tx, err,
        "INSERT INTO s3_part (upload, number, file, place, size, etag, modified, sums) VALUES (?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (upload, number) DO UPDATE SET file = excluded.file, place = excluded.place, "
        "size = excluded.size, etag = excluded.etag, modified = excluded.modified, sums = excluded.sums",
        "tiiiitdt", p->upload.id, p->number, p->file, p->place, p->size, p->etag, p->modified,
        p->sums);
}

/* How the bytes of a part get into its writer. */
typedef bool PartFill(Call *call, const S3Asked *asked, S3Writer *writer, S3SumsEnd *ret_sums,
                      void *arg, Error *err);

static bool part_begin(Call *call, PartWork *part, Error *err)
{
    *part = (PartWork){.upload = upload_of(call),
                       .number = json_get_int(call->in, "PartNumber", 0)};
    if (!s3_owner_expected(call, err)) return false;
    if (part->number < 1 || part->number > S3_PARTS_MAX)
        return call_error_status(call, err, 400, "InvalidArgument",
                                 "Part number must be an integer between 1 and 10000, inclusive");
    return db_read(part->upload.s3->db, load_upload, &part->upload, err) ||
           s3_fail(call, err, part->upload.code);
}

/* The checksum that the upload wants is computed when the part brings none. */
static bool part_asked(Call *call, const PartWork *part, S3Asked *asked, Error *err)
{
    int kind = s3_sum_of_name(json_get_text(part->upload.document, "Algorithm"));
    if (asked->kind == S3_NO_SUM) asked->kind = kind;
    if (kind == S3_NO_SUM || asked->kind == kind) return true;
    return call_error_status(
        call, err, 400, "InvalidRequest",
        "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
        s3_sum_name(kind), s3_sum_name(asked->kind));
}

static bool part_store(Call *call, PartWork *part, const S3Asked *asked, int64_t length,
                       PartFill *fill, void *arg, S3SumsEnd *ret_sums, Error *err)
{
    S3 *s3 = part->upload.s3;
    S3Writer writer = {.fd = -1};
    Slots *slots = slot_take(s3, part->upload.id, part->number, length, err);
    int64_t place = slots ? (part->number - 1) * slots->size : 0;
    bool ok = slots ? s3_writer_open_at(s3, asked->kind, slots->fd, place, length, &writer, err)
                    : s3_writer_open(s3, asked->kind, length, false, &writer, err);
    if (!ok) return false;
    ok = fill(call, asked, &writer, ret_sums, arg, err);
    if (ok && slots) s3_sync_folder(s3, slots->file);
    if (ok) {
        Json *sums = json_new_object(call->arena);
        if (asked->kind != S3_NO_SUM && asked->kind != DIGEST_CRC64NVME)
            json_set_text(call->arena, sums, s3_sum_member(asked->kind), ret_sums->sum);
        json_set_text(call->arena, sums, "Crc64", ret_sums->crc64nvme);
        part->file = slots ? slots->file : writer.file;
        part->place = place;
        part->size = writer.size;
        part->etag = str_of(ret_sums->etag);
        part->modified = s3_now(call);
        part->sums = json_text(call->arena, sums);
        ok = db_write(s3->db, insert_part, part, err) || s3_fail(call, err, part->upload.code);
    }
    if (ok) s3_writer_keep(&writer);
    s3_writer_drop(&writer);
    int64_t slot_file = slots ? slots->file : 0;
    slot_give(s3, slots, part->number, ok);
    /* A replaced part of its own file goes; the slots' file stays with the upload. */
    if (ok && part->old_file && part->old_file != slot_file &&
        !s3_slots_have(s3, part->upload.id, part->old_file))
        s3_unlink(s3, (S3Bytes){part->old_file, false});
    return ok;
}

bool s3_slots_have(S3 *s3, Str id, int64_t file)
{
    pthread_mutex_lock(&s3->uploads_mutex);
    const Slots *slots = s3->uploads;
    while (slots && !(slots->file == file && str_is(id, slots->id))) slots = slots->next;
    pthread_mutex_unlock(&s3->uploads_mutex);
    return slots != NULL;
}

static bool fill_from_body(Call *call, const S3Asked *asked, S3Writer *writer, S3SumsEnd *ret_sums,
                           void *arg, Error *err)
{
    (void)arg;
    return s3_read_body(call, asked, writer, S3_PUT_BYTES_MAX, ret_sums, err);
}

static bool upload_part(Call *call, Error *err)
{
    PartWork part;
    S3Asked asked;
    S3SumsEnd sums;
    int64_t length = call_body_length(call);
    if (!part_begin(call, &part, err) || !s3_asked_of_request(call, &asked, err) ||
        !part_asked(call, &part, &asked, err))
        return false;
    if (length > S3_PUT_BYTES_MAX) return s3_fail(call, err, "EntityTooLarge");
    if (!part_store(call, &part, &asked, length, fill_from_body, NULL, &sums, err)) return false;
    json_set_text(call->arena, call->out, "ETag", s3_quoted(call->arena, part.etag));
    if (asked.kind == DIGEST_CRC64NVME)
        json_set_text(call->arena, call->out, "ChecksumCRC64NVME", sums.crc64nvme);
    else if (asked.kind != S3_NO_SUM)
        json_set_text(call->arena, call->out, s3_sum_member(asked.kind), sums.sum);
    json_set(call->arena, call->out, "ServerSideEncryption",
             json_path(part.upload.document, "Meta.ServerSideEncryption"));
    return true;
}

typedef struct SourcePiece {
    const S3Source *source;
    int64_t begin, length;
} SourcePiece;

static bool fill_from_source(Call *call, const S3Asked *asked, S3Writer *writer,
                             S3SumsEnd *ret_sums, void *arg, Error *err)
{
    const SourcePiece *piece = arg;
    (void)asked;
    return s3_source_read(piece->source, piece->begin, piece->length, writer, err) &&
           s3_writer_end(writer, call->arena, ret_sums, err);
}

static bool copy_range(Call *call, const S3Source *source, SourcePiece *ret_piece, Error *err)
{
    Str text = call_text(call, "CopySourceRange");
    int64_t size = source->find.row.size;
    *ret_piece = (SourcePiece){source, 0, size};
    if (text.len) {
        S3Range range;
        if (!s3_range_parse(text, size, &range) || !range.partial ||
            range.begin + range.length > size || str_starts(text, STR("bytes=-")) ||
            str_ends(text, STR("-")))
            return call_error_status(
                call, err, 400, "InvalidArgument",
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first "
                "and last are the zero-based offsets of the first and last bytes to copy");
        ret_piece->begin = range.begin;
        ret_piece->length = range.length;
    }
    return ret_piece->length <= S3_PUT_BYTES_MAX || s3_fail(call, err, "EntityTooLarge");
}

static bool upload_part_copy(Call *call, Error *err)
{
    PartWork part;
    S3Source source = {.fd = -1};
    SourcePiece piece;
    S3Asked asked = {.kind = S3_NO_SUM};
    S3SumsEnd sums;
    bool ok = part_begin(call, &part, err) && part_asked(call, &part, &asked, err) &&
              s3_source_find(call, &source, err) && copy_range(call, &source, &piece, err) &&
              part_store(call, &part, &asked, piece.length, fill_from_source, &piece, &sums, err);
    s3_source_close(&source);
    if (!ok) return false;
    Json *result = json_new_object(call->arena);
    json_set_text(call->arena, result, "ETag", s3_quoted(call->arena, part.etag));
    json_set_double(call->arena, result, "LastModified", part.modified);
    if (asked.kind == DIGEST_CRC64NVME)
        json_set_text(call->arena, result, "ChecksumCRC64NVME", sums.crc64nvme);
    else if (asked.kind != S3_NO_SUM)
        json_set_text(call->arena, result, s3_sum_member(asked.kind), sums.sum);
    json_set(call->arena, call->out, "CopyPartResult", result);
    if (source.find.bucket.versioning != VERSIONING_NEVER)
        json_set_text(call->arena, call->out, "CopySourceVersionId", source.find.row.version);
    return true;
}

/* ---- the parts of an upload ---- */

typedef struct UploadedPart {
    int64_t number, file, place, size;
    Str etag;
    double modified;
    const Json *sums;
} UploadedPart;

typedef struct PartList {
    Upload upload;
    int64_t after;
    size_t max;
    UploadedPart *list;
    size_t n;
} PartList;

static bool load_parts(void *arg, DbTx *tx, Error *err)
{
    PartList *p = arg;
    Arena *arena = p->upload.arena;
    if (!load_upload(&p->upload, tx, err)) return false;
    p->list = arena_array(arena, UploadedPart, p->max);
    p->n = 0;
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(
            tx, &rows, err,
            "SELECT number, file, place, size, etag, modified, sums FROM s3_part WHERE upload = ? AND number > ? "
            "ORDER BY number LIMIT ?",
            "tii", p->upload.id, p->after, (int64_t)p->max))
        return false;
    while (p->n < p->max && db_next(&rows, &end)) {
        UploadedPart *part = &p->list[p->n++];
        *part = (UploadedPart){db_int(&rows, 0),
                               db_int(&rows, 1),
                               db_int(&rows, 2),
                               db_int(&rows, 3),
                               arena_str(arena, db_text(&rows, 4)),
                               db_real(&rows, 5),
                               NULL};
        if (!json_parse(arena_str(arena, db_text(&rows, 6)), arena, &part->sums, err)) return false;
    }
    return end.kind == ERROR_NONE || error_set(err, end.kind, "%s", end.text);
}

static bool list_parts(Call *call, Error *err)
{
    Arena *arena = call->arena;
    int64_t max = MIN(json_get_int(call->in, "MaxParts", S3_LIST_MAX), S3_LIST_MAX);
    PartList p = {.upload = upload_of(call),
                  .after = json_get_int(call->in, "PartNumberMarker", 0)};
    if (!s3_owner_expected(call, err)) return false;
    if (max < 0) return s3_fail(call, err, "InvalidArgument");
    p.max = (size_t)max + 1;
    if (!db_read(p.upload.s3->db, load_parts, &p, err)) return s3_fail(call, err, p.upload.code);
    bool more = p.n > (size_t)max;
    if (more) p.n--;
    Json *lines = json_new_array(arena);
    int kind = s3_sum_of_name(json_get_text(p.upload.document, "Algorithm"));
    for (size_t i = 0; i < p.n; i++) {
        Json *line = json_new_object(arena);
        json_set_int(arena, line, "PartNumber", p.list[i].number);
        json_set_double(arena, line, "LastModified", p.list[i].modified);
        json_set_text(arena, line, "ETag", s3_quoted(arena, p.list[i].etag));
        json_set_int(arena, line, "Size", p.list[i].size);
        if (kind != S3_NO_SUM)
            json_set(
                arena, line, s3_sum_member(kind),
                json_get(p.list[i].sums, kind == DIGEST_CRC64NVME ? "Crc64" : s3_sum_member(kind)));
        json_push(arena, lines, line);
    }
    Json *out = call->out;
    json_set_text(arena, out, "Bucket", p.upload.bucket_name);
    json_set_text(arena, out, "Key", p.upload.key);
    json_set_text(arena, out, "UploadId", p.upload.id);
    json_set_int(arena, out, "PartNumberMarker", p.after);
    json_set_int(arena, out, "NextPartNumberMarker", p.n ? p.list[p.n - 1].number : 0);
    json_set_int(arena, out, "MaxParts", max);
    json_set_bool(arena, out, "IsTruncated", more);
    if (lines->n) json_set(arena, out, "Parts", lines);
    json_set(arena, out, "Initiator", s3_owner(call));
    json_set(arena, out, "Owner", s3_owner(call));
    Str class_name = json_get_text(p.upload.document, "Class");
    json_set_text(arena, out, "StorageClass", class_name.len ? class_name : STR("STANDARD"));
    if (kind != S3_NO_SUM) {
        json_set_text(arena, out, "ChecksumAlgorithm", str_of(s3_sum_name(kind)));
        json_set(arena, out, "ChecksumType", json_get(p.upload.document, "Type"));
    }
    return true;
}

/* ---- CompleteMultipartUpload, AbortMultipartUpload ---- */

static bool remove_upload(DbTx *tx, Str id, Error *err)
{
    return db_run(tx, err, "DELETE FROM s3_part WHERE upload = ?", "t", id) &&
           db_run(tx, err, "DELETE FROM s3_upload WHERE id = ?", "t", id);
}

/* Removes the files of parts, each once, but for the one that became the object. */
static void unlink_parts(S3 *s3, const PartList *p, int64_t slot_file, int64_t kept)
{
    for (size_t i = 0; i < p->n; i++) {
        int64_t file = p->list[i].file;
        if (file == kept || file == slot_file) continue;
        s3_unlink(s3, (S3Bytes){file, false}); /* a second time is harmless */
    }
    if (slot_file && slot_file != kept) s3_unlink(s3, (S3Bytes){slot_file, false});
}

typedef struct Complete {
    PartList all;
    UploadedPart *chosen;
    size_t n;
    int64_t size;
    S3Put put;
} Complete;

/* The parts that the request lists, in order. */
static bool choose_parts(Call *call, Complete *c, Error *err)
{
    const Json *asked = json_path(call->in, "MultipartUpload.Parts");
    size_t n = asked ? asked->n : 0, at = 0;
    int64_t last = 0;
    int kind = s3_sum_of_name(json_get_text(c->all.upload.document, "Algorithm"));
    if (n == 0) return s3_fail(call, err, "MalformedXML");
    c->chosen = arena_array(call->arena, UploadedPart, n);
    for (size_t i = 0; i < n; i++) {
        int64_t number = json_get_int(asked->items[i], "PartNumber", 0);
        if (number <= last) return s3_fail(call, err, "InvalidPartOrder");
        last = number;
        while (at < c->all.n && c->all.list[at].number < number) at++;
        if (at == c->all.n || c->all.list[at].number != number ||
            !str_eq(s3_etag_bare(json_get_text(asked->items[i], "ETag")), c->all.list[at].etag))
            return s3_fail(call, err, "InvalidPart");
        if (kind != S3_NO_SUM) {
            Str want = json_get_text(asked->items[i], s3_sum_member(kind));
            Str got = json_get_text(c->all.list[at].sums,
                                    kind == DIGEST_CRC64NVME ? "Crc64" : s3_sum_member(kind));
            if (want.len && !str_eq(want, got)) return s3_fail(call, err, "InvalidPart");
        }
        c->chosen[c->n++] = c->all.list[at];
        c->size += c->all.list[at].size;
    }
    for (size_t i = 0; i + 1 < n; i++)
        if (c->chosen[i].size < S3_PART_BYTES_MIN) return s3_fail(call, err, "EntityTooSmall");
    if (c->size > S3_OBJECT_BYTES_MAX) return s3_fail(call, err, "EntityTooLarge");
    int64_t said = json_get_int(call->in, "MpuObjectSize", -1);
    if (said >= 0 && said != c->size)
        return call_error_status(
            call, err, 400, "InvalidRequest",
            "The provided 'x-amz-mp-object-size' header value %lld does not match what was computed: %lld",
            (long long)said, (long long)c->size);
    return true;
}

/* ETag, checksums and the list of parts go to the object's metadata. */
static bool describe_parts(Call *call, Complete *c, Error *err)
{
    Arena *arena = call->arena;
    Digest md5;
    uint8_t value[DIGEST_BYTES_MAX];
    char hex[33];
    int kind = s3_sum_of_name(json_get_text(c->all.upload.document, "Algorithm"));
    bool full = str_is(json_get_text(c->all.upload.document, "Type"), "FULL_OBJECT");
    const char *member = kind == S3_NO_SUM || kind == DIGEST_CRC64NVME ? "Crc64"
                                                                       : s3_sum_member(kind);
    Str *sums = arena_array(arena, Str, c->n), crc64 = {0}, joined = {0};
    Json *lines = json_new_array(arena);
    digest_init(&md5, DIGEST_MD5);
    for (size_t i = 0; i < c->n; i++) {
        const UploadedPart *part = &c->chosen[i];
        uint8_t bytes[16];
        if (hex_bytes(part->etag, bytes, sizeof bytes))
            digest_add(&md5, (Str){(char *)bytes, sizeof bytes});
        Str own = json_get_text(part->sums, "Crc64");
        sums[i] = json_get_text(part->sums, member);
        crc64 = i ? s3_sum_joined(DIGEST_CRC64NVME, crc64, own, part->size, arena) : own;
        if (full && kind != S3_NO_SUM && kind != DIGEST_CRC64NVME)
            joined = i ? s3_sum_joined(kind, joined, sums[i], part->size, arena) : sums[i];
        Json *line = json_new_object(arena);
        json_set_int(arena, line, "PartNumber", part->number);
        json_set_int(arena, line, "Size", part->size);
        if (kind != S3_NO_SUM) json_set_text(arena, line, s3_sum_member(kind), sums[i]);
        json_push(arena, lines, line);
    }
    digest_end(&md5, value);
    hex_write(value, 16, hex);
    hex[32] = 0;
    c->put.row.etag = arena_format(arena, "%s-%zu", hex, c->n);

    Json *meta = json_copy(arena, json_get(c->all.upload.document, "Meta"));
    Str sum = kind == S3_NO_SUM || kind == DIGEST_CRC64NVME ? crc64 : joined;
    if (!full)
        sum = arena_format(arena, "%.*s-%zu", STR_ARG(s3_sum_composite(kind, sums, c->n, arena)),
                           c->n);
    int said = kind == S3_NO_SUM ? DIGEST_CRC64NVME : kind;
    Str want = call_text(call, s3_sum_member(said));
    if (want.len && !str_eq(want, sum) &&
        !(sum.len > want.len && str_starts(sum, want) && sum.ptr[want.len] == '-'))
        return call_error_status(call, err, 400, "BadDigest",
                                 "The %s you specified did not match the calculated checksum.",
                                 s3_sum_name(said));
    json_set_text(arena, meta, s3_sum_member(said), sum);
    json_set(arena, meta, "ChecksumType", json_get(c->all.upload.document, "Type"));
    if (said != DIGEST_CRC64NVME) json_set_text(arena, meta, "Crc64", crc64);
    json_set(arena, meta, "Parts", lines);
    json_set_text(arena, meta, "Upload", c->all.upload.id);
    c->put.row.meta = json_text(arena, meta);
    c->put.row.size = c->size;
    c->put.row.tags = json_get_text(c->all.upload.document, "Tags");
    c->put.row.class_name = json_get_text(c->all.upload.document, "Class");
    c->put.row.modified = s3_now(call);
    return true;
}

/* The chosen parts lie one after the other in one file. */
static bool in_place(const Complete *c)
{
    int64_t at = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (c->chosen[i].file != c->chosen[0].file || c->chosen[i].place != at) return false;
        at += c->chosen[i].size;
    }
    return true;
}

static bool copy_all(S3 *s3, int from, int64_t place, int64_t length, int to, int64_t at,
                     Error *err)
{
    (void)s3;
    while (length > 0) {
        off_t in = place, out = at;
        ssize_t n = copy_file_range(from, &in, to, &out, (size_t)length, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return error_sys(err, n ? errno : EIO, "putting the parts of an object together");
        place += n;
        at += n;
        length -= n;
    }
    return true;
}

static bool join_parts(S3 *s3, Complete *c, Error *err)
{
    int64_t file, at = 0;
    AUTO_FD int to = -1;
    ARENA(scratch);
    if (!s3_file_make(s3, &file, &to, err)) return false;
    for (size_t i = 0; i < c->n; i++) {
        AUTO_FD int from = open(s3_file_path(s3, c->chosen[i].file, &scratch),
                                O_RDONLY | O_CLOEXEC);
        if ((from < 0 && !error_sys(err, errno, "opening a part")) ||
            !copy_all(s3, from, c->chosen[i].place, c->chosen[i].size, to, at, err)) {
            s3_unlink(s3, (S3Bytes){file, false});
            return false;
        }
        at += c->chosen[i].size;
    }
    s3_sync_file(s3, to, file);
    c->put.row.bytes.file = file;
    return true;
}

static bool cut_file(S3 *s3, Complete *c, Error *err)
{
    ARENA(scratch);
    AUTO_FD int fd = open(s3_file_path(s3, c->chosen[0].file, &scratch), O_RDWR | O_CLOEXEC);
    if (fd < 0) return error_sys(err, errno, "opening the parts of an object");
    /* Parts that were sent and not listed may lie behind. */
    if (ftruncate(fd, c->size) != 0) return error_sys(err, errno, "cutting an object");
    s3_sync_file(s3, fd, c->chosen[0].file);
    c->put.row.bytes.file = c->chosen[0].file;
    return true;
}

static bool end_upload(S3Put *put, DbTx *tx, Error *err)
{
    Complete *c = put->arg;
    return remove_upload(tx, c->all.upload.id, err);
}

/* A client that lost the answer asks again: the object says which upload made it. */
static bool completed_before(Call *call, const Upload *upload, S3Put *put)
{
    S3Find find = {.s3 = upload->s3,
                   .arena = call->arena,
                   .bucket_name = upload->bucket_name,
                   .key = upload->key};
    Error ignored;
    const Json *meta;
    if (!s3_find_row(&find, &ignored) || find.row.marker ||
        !json_parse(find.row.meta, call->arena, &meta, NULL) ||
        !str_eq(json_get_text(meta, "Upload"), upload->id))
        return false;
    put->row = find.row;
    put->found = find.bucket;
    return true;
}

static bool complete(Call *call, Complete *c, Error *err)
{
    S3 *s3 = c->all.upload.s3;
    bool busy;
    if (!choose_parts(call, c, err) || !describe_parts(call, c, err)) return false;
    /* Conditions first: an upload that may not replace what is there stays as it is. */
    S3Find find = {
        .s3 = s3, .arena = call->arena, .bucket_name = c->put.bucket, .key = c->put.row.key};
    bool there = s3_find_row(&find, err);
    const char *refused = s3_conditions_write(&c->put.conditions, there ? &find.row : NULL);
    if (refused) return s3_fail(call, err, refused);
    int64_t slot_file = slots_end(s3, c->all.upload.id, &busy);
    bool whole = in_place(c) && !busy;
    if (!(whole ? cut_file(s3, c, err) : join_parts(s3, c, err))) return false;
    if (!s3_put_commit(&c->put, err)) {
        if (!whole) s3_unlink(s3, c->put.row.bytes);
        return s3_fail(call, err, c->put.code);
    }
    unlink_parts(s3, &c->all, slot_file, c->put.row.bytes.file);
    return true;
}

static bool complete_upload(Call *call, Error *err)
{
    Complete c = {.all = {.upload = upload_of(call), .max = S3_PARTS_MAX}};
    c.put = (S3Put){.s3 = s3_of(call),
                    .bucket = c.all.upload.bucket_name,
                    .arena = call->arena,
                    .row = {.key = c.all.upload.key},
                    .also = end_upload};
    c.put.arg = &c;
    c.put.conditions = (S3Conditions){.if_match = call_text(call, "IfMatch"),
                                      .if_none_match = call_text(call, "IfNoneMatch")};
    if (!s3_owner_expected(call, err)) return false;
    bool before = false;
    if (!db_read(c.all.upload.s3->db, load_parts, &c.all, err)) {
        before = c.all.upload.code && strcmp(c.all.upload.code, "NoSuchUpload") == 0 &&
                 completed_before(call, &c.all.upload, &c.put);
        if (!before) return s3_fail(call, err, c.all.upload.code);
    }
    if (!before && !complete(call, &c, err)) return false;

    Json *out = call->out;
    const Json *meta = NULL;
    json_parse(c.put.row.meta, call->arena, &meta, NULL);
    json_set_text(call->arena, out, "Bucket", c.put.bucket);
    json_set_text(call->arena, out, "Key", c.put.row.key);
    json_set_text(call->arena, out, "ETag", s3_quoted(call->arena, c.put.row.etag));
    Str host = http_field(call->http->request, STR("Host"));
    json_set_text(call->arena, out, "Location",
                  arena_format(call->arena, "%s://%.*s/%.*s/%.*s",
                               call->server->options->certificate ? "https" : "http", STR_ARG(host),
                               STR_ARG(c.put.bucket),
                               STR_ARG(s3_url_encode(call->arena, c.put.row.key))));
    for (const int *kind = s3_sum_kinds; *kind != S3_NO_SUM; kind++)
        json_set(call->arena, out, s3_sum_member(*kind), json_get(meta, s3_sum_member(*kind)));
    json_set(call->arena, out, "ChecksumType", json_get(meta, "ChecksumType"));
    json_set(call->arena, out, "ServerSideEncryption", json_get(meta, "ServerSideEncryption"));
    if (c.put.found.versioning != VERSIONING_NEVER)
        json_set_text(call->arena, out, "VersionId", c.put.row.version);
    return true;
}

static bool abort_work(void *arg, DbTx *tx, Error *err)
{
    PartList *p = arg;
    return load_parts(p, tx, err) && remove_upload(tx, p->upload.id, err);
}

static bool abort_upload(Call *call, Error *err)
{
    PartList p = {.upload = upload_of(call), .max = S3_PARTS_MAX};
    bool busy;
    if (!s3_owner_expected(call, err)) return false;
    if (!db_write(p.upload.s3->db, abort_work, &p, err)) return s3_fail(call, err, p.upload.code);
    int64_t slot_file = slots_end(p.upload.s3, p.upload.id, &busy);
    unlink_parts(p.upload.s3, &p, slot_file, 0);
    return true;
}

bool s3_upload_abort(S3 *s3, Str bucket, Str key, Str id, Error *err)
{
    ARENA(arena);
    bool busy;
    PartList p = {
        .upload = {.s3 = s3, .arena = &arena, .bucket_name = bucket, .key = key, .id = id},
        .max = S3_PARTS_MAX};
    if (!db_write(s3->db, abort_work, &p, err)) return false;
    unlink_parts(s3, &p, slots_end(s3, id, &busy), 0);
    return true;
}

/* ---- ListMultipartUploads ---- */

typedef struct UploadList {
    Call *call;
    S3Bucket bucket;
    Str prefix, delimiter, key_marker, id_marker, last_key, last_id;
    int64_t max, n;
    bool url, more;
    Json *lines, *prefixes;
    const char *code;
} UploadList;

static Str said(const UploadList *list, Str text)
{
    return list->url ? s3_url_encode(list->call->arena, text) : text;
}

static bool list_upload_rows(void *arg, DbTx *tx, Error *err)
{
    UploadList *list = arg;
    Arena *arena = list->call->arena;
    Error end = {0};
    Str group = {0};
    if (!s3_bucket_load(tx, s3_of(list->call), call_text(list->call, "Bucket"), arena,
                        &list->bucket, &end)) {
        if (end.kind == ERROR_NOT_FOUND) return s3_code(&list->code, err, "NoSuchBucket");
        return error_set(err, end.kind, "%s", end.text);
    }
    Str key = list->key_marker, id = list->id_marker;
    if (str_compare(list->prefix, key) > 0) key = list->prefix, id = (Str){0};
    bool inclusive = !list->key_marker.len || str_eq(key, list->prefix);
    for (;;) {
        DB_ROWS(rows);
        size_t n = 0;
        /* Behind (key, id); without an id behind the whole key, unless it is the prefix. */
        Str from_id = id.len ? id : inclusive ? STR("") : STR("~~~~");
        if (!db_query(
                tx, &rows, err,
                "SELECT id, key, created, document FROM s3_upload WHERE bucket = ? AND (key, id) > (?, ?) "
                "ORDER BY key, id LIMIT 1000",
                "itt", list->bucket.id, key.ptr ? key : STR(""), from_id))
            return false;
        while (db_next(&rows, &end)) {
            n++;
            id = arena_str(arena, db_text(&rows, 0));
            key = arena_str(arena, db_text(&rows, 1));
            if (!str_starts(key, list->prefix)) return true;
            if (group.len && str_starts(key, group)) continue;
            if (list->n == list->max) {
                list->more = true;
                return true;
            }
            group = (Str){0};
            for (size_t i = list->prefix.len;
                 list->delimiter.len && i + list->delimiter.len <= key.len; i++)
                if (memcmp(key.ptr + i, list->delimiter.ptr, list->delimiter.len) == 0) {
                    group = str_slice(key, 0, i + list->delimiter.len);
                    break;
                }
            list->n++;
            list->last_key = group.len ? group : key;
            list->last_id = group.len ? (Str){0} : id;
            Json *line = json_new_object(arena);
            if (group.len) {
                json_set_text(arena, line, "Prefix", said(list, group));
                json_push(arena, list->prefixes, line);
                continue;
            }
            const Json *document;
            if (!json_parse(arena_str(arena, db_text(&rows, 3)), arena, &document, err))
                return false;
            Str class_name = json_get_text(document, "Class");
            json_set_text(arena, line, "Key", said(list, key));
            json_set_text(arena, line, "UploadId", id);
            json_set(arena, line, "Initiator", s3_owner(list->call));
            json_set(arena, line, "Owner", s3_owner(list->call));
            json_set_text(arena, line, "StorageClass",
                          class_name.len ? class_name : STR("STANDARD"));
            json_set_double(arena, line, "Initiated", db_real(&rows, 2));
            if (json_get(document, "Algorithm")) {
                json_set(arena, line, "ChecksumAlgorithm", json_get(document, "Algorithm"));
                json_set(arena, line, "ChecksumType", json_get(document, "Type"));
            }
            json_push(arena, list->lines, line);
        }
        if (end.kind != ERROR_NONE) return error_set(err, end.kind, "%s", end.text);
        if (n < 1000) return true;
    }
}

static bool list_uploads(Call *call, Error *err)
{
    Arena *arena = call->arena;
    UploadList list = {.call = call,
                       .prefix = call_text(call, "Prefix"),
                       .delimiter = call_text(call, "Delimiter"),
                       .key_marker = call_text(call, "KeyMarker"),
                       .id_marker = call_text(call, "UploadIdMarker"),
                       .max = MIN(json_get_int(call->in, "MaxUploads", S3_LIST_MAX), S3_LIST_MAX),
                       .url = str_is(call_text(call, "EncodingType"), "url"),
                       .lines = json_new_array(arena),
                       .prefixes = json_new_array(arena)};
    if (!s3_owner_expected(call, err)) return false;
    if (!db_read(s3_of(call)->db, list_upload_rows, &list, err))
        return s3_fail(call, err, list.code);
    Json *out = call->out;
    json_set_text(arena, out, "Bucket", call_text(call, "Bucket"));
    json_set_text(arena, out, "KeyMarker",
                  list.key_marker.ptr ? said(&list, list.key_marker) : STR(""));
    json_set_text(arena, out, "UploadIdMarker", list.id_marker.ptr ? list.id_marker : STR(""));
    json_set_text(arena, out, "Prefix", list.prefix.ptr ? said(&list, list.prefix) : STR(""));
    if (list.delimiter.len) json_set_text(arena, out, "Delimiter", said(&list, list.delimiter));
    json_set_int(arena, out, "MaxUploads", list.max);
    json_set_bool(arena, out, "IsTruncated", list.more);
    if (list.url) json_set_text(arena, out, "EncodingType", STR("url"));
    if (list.lines->n) json_set(arena, out, "Uploads", list.lines);
    if (list.prefixes->n) json_set(arena, out, "CommonPrefixes", list.prefixes);
    if (list.more) {
        json_set_text(arena, out, "NextKeyMarker", said(&list, list.last_key));
        if (list.last_id.len) json_set_text(arena, out, "NextUploadIdMarker", list.last_id);
    }
    return true;
}

#define OBJECT "arn:aws:s3:::{Bucket}/{Key}"
#define BUCKET "arn:aws:s3:::{Bucket}"
#define PUT "s3:PutObject"

const ServiceOperation s3_multipart_operations[] = {
    {"CopyObject", s3_copy_object, .resource = OBJECT, .action = PUT, .flags = OPERATION_DATA},
    {"CreateMultipartUpload", create_upload, .resource = OBJECT, .action = PUT,
     .flags = OPERATION_DATA},
    {"UploadPart", upload_part, .resource = OBJECT, .action = PUT,
     .flags = OPERATION_DATA | OPERATION_STREAMS},
    {"UploadPartCopy", upload_part_copy, .resource = OBJECT, .action = PUT,
     .flags = OPERATION_DATA},
    {"CompleteMultipartUpload", complete_upload, .resource = OBJECT, .action = PUT,
     .flags = OPERATION_DATA},
    {"AbortMultipartUpload", abort_upload, .resource = OBJECT, .flags = OPERATION_DATA},
    {"ListParts", list_parts, .resource = OBJECT, .action = "s3:ListMultipartUploadParts"},
    {"ListMultipartUploads", list_uploads, .resource = BUCKET,
     .action = "s3:ListBucketMultipartUploads"},
    {0},
};
