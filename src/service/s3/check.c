/* Rule D7: every object has a checksum, CRC-64/NVME at least, and the bytes are compared with it.
 *
 * What is read through memory is compared on each read.  Files leave by sendfile, unseen by us: s3_check
 * reads them all, at its own pace. */

#include "service/s3/put.h"
#include "service/s3/walk.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>

Str s3_crc_of_meta(const Json *meta)
{
    Str crc = json_get_text(meta, "Crc64");
    return crc.len ? crc : json_get_text(meta, "ChecksumCRC64NVME");
}

bool s3_crc_is(const Json *meta, Str bytes)
{
    ARENA(scratch);
    Str want = s3_crc_of_meta(meta), raw;
    if (!want.len) return true;
    uint64_t crc = digest_crc(DIGEST_CRC64NVME, bytes);
    if (!base64_bytes(&scratch, want, &raw) || raw.len != 8) return false;
    for (size_t i = 0; i < 8; i++)
        if ((uint8_t)raw.ptr[i] != (uint8_t)(crc >> (8 * (7 - i)))) return false;
    return true;
}

typedef struct Checking {
    S3 *s3;
    Str bucket_name;
    S3Bucket bucket;
    S3Walk walk;
} Checking;

static bool next_page(void *arg, DbTx *tx, Error *err)
{
    Checking *c = arg;
    if (!s3_bucket_load(tx, c->s3, c->bucket_name, c->walk.arena, &c->bucket, err)) return false;
    c->walk.bucket = &c->bucket;
    return s3_walk(tx, &c->walk, err);
}

/* NULL: as it should be. */
static const char *look_at_file(S3 *s3, const S3Row *row, const Json *meta)
{
    ARENA(scratch);
    Digest crc;
    uint8_t value[DIGEST_BYTES_MAX];
    char *buffer = arena_alloc(&scratch, S3_PIECE_BYTES);
    int64_t size = 0;
    AUTO_FD int fd = s3_file_open(s3, row->bytes.file);
    if (fd < 0) return errno == ENOENT ? "its file is missing" : "its file cannot be opened";
    digest_init(&crc, DIGEST_CRC64NVME);
    for (;;) {
        ssize_t n = read(fd, buffer, S3_PIECE_BYTES);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            digest_clear(&crc);
            return "its file cannot be read";
        }
        if (n == 0) break;
        digest_add(&crc, (Str){buffer, (size_t)n});
        size += n;
    }
    size_t n = digest_end(&crc, value);
    Str want = s3_crc_of_meta(meta);
    if (size != row->size) return "its file has another length";
    bool same = !want.len || str_eq(base64_text(&scratch, (Str){(char *)value, n}), want);
    return same ? NULL : "its bytes have another checksum";
}

static const char *look_at_row(S3 *s3, const S3Bucket *bucket, const S3Row *row, Arena *arena,
                               Error *err)
{
    const Json *meta;
    if (row->marker) return NULL;
    if (!json_parse(row->meta, arena, &meta, err)) return "its metadata cannot be read";
    if (!row->bytes.small) return look_at_file(s3, row, meta);
    S3Find find = {.s3 = s3,
                   .arena = arena,
                   .bucket_name = bucket->name,
                   .key = row->key,
                   .version = row->version,
                   .with_bytes = true};
    if (!s3_find_row(&find, err))
        return find.code ? NULL : "its bytes are missing";   /* removed since the listing */
    if (find.row.bytes.file != row->bytes.file) return NULL; /* or replaced */
    if ((int64_t)find.bytes.len != row->size) return "its bytes have another length";
    return s3_crc_is(meta, find.bytes) ? NULL : "its bytes have another checksum";
}

bool s3_check(Server *server, Str bucket,
              void (*report)(void *arg, Str key, Str version, const char *finding), void *arg,
              int64_t *ret_checked, Error *err)
{
    S3 *s3 = server->s3;
    int64_t checked = 0;
    ARENA(kept);
    Str after = {0};
    int64_t age = 0;
    for (bool more = true; more;) {
        ARENA(arena);
        Checking c = {.s3 = s3, .bucket_name = bucket};
        c.walk = (S3Walk){.versions = true,
                          .after = after,
                          .after_age = age,
                          .max = S3_LIST_MAX,
                          .arena = &arena};
        if (!db_read(s3->db, next_page, &c, err)) return false;
        if (c.bucket.folder) break;
        for (size_t i = 0; i < c.walk.n; i++) {
            const S3Row *row = &c.walk.items[i].row;
            Error own = {0};
            const char *finding = look_at_row(s3, &c.bucket, row, &arena, &own);
            /* What was replaced while we looked is no finding. */
            S3Find again = {.s3 = s3,
                            .arena = &arena,
                            .bucket_name = bucket,
                            .key = row->key,
                            .version = row->version};
            if (finding && s3_find_row(&again, &own) && again.row.bytes.file == row->bytes.file)
                report(arg, row->key, row->version, finding);
            checked++;
        }
        more = c.walk.truncated;
        if (!c.walk.n) break;
        const S3Row *last = &c.walk.items[c.walk.n - 1].row;
        age = last->age;
        ARENA(next);
        after = arena_str(&next, last->key);
        arena_clear(&kept);
        kept = next;
        next = (Arena){0};
    }
    *ret_checked = checked;
    return true;
}
