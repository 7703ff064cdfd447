#ifndef CLARY_SERVICE_S3_S3_H
#define CLARY_SERVICE_S3_S3_H

/* What the files of this folder share: the tables, versions of objects, their bytes, errors.
 *
 * Every object is a row of s3_object (its current version, perhaps a delete marker) and older versions are
 * rows of s3_version.  The bytes have a number: a file objects/NNN/NUMBER that is never changed, or, when
 * they are few, a row of s3_small with the same number.  Bytes are durable before the row that names
 * them is committed, and are removed after the row is gone (rule D2); numbers are never used twice, so that bytes
 * without a row are garbage whenever they are met (the sweep at start).
 *
 * The functions with a Db work run on the database's threads; they report AWS's code in a
 * `const char *code` next to their arguments, and s3_fail turns that into the answer. */

#include "aws/digest.h"
#include "service/call.h"
#include "service/s3/objects.h"

#include <pthread.h>

enum {
    S3_KEY_BYTES_MAX = 1024,
    S3_METADATA_BYTES_MAX = 2048, /* names and values of x-amz-meta-* */
    S3_TAGS_MAX = 10,             /* of an object; 50 of a bucket */
    S3_BUCKET_TAGS_MAX = 50,
    S3_LIST_MAX = 1000,   /* keys in an answer */
    S3_DELETE_MAX = 1000, /* keys in a batch delete */
    S3_PARTS_MAX = 10000,
    S3_PART_BYTES_MIN = 5 << 20, /* all but the last */
    S3_BUCKETS_MAX = 10000,
    S3_POLICY_BYTES_MAX = 20 << 10,
    S3_FORM_BYTES_MAX = 20 << 10,  /* the fields of a POST form before its file */
    S3_SMALL_BYTES_MAX = 16 << 10, /* bytes kept in the database instead of a file */
    S3_RESERVE_BYTES = 4 << 20,    /* kept free for deletes on a full disk */
    S3_PIECE_BYTES = 256 << 10,    /* bodies move in pieces of this size */
};
#define S3_PUT_BYTES_MAX (5LL << 30)
#define S3_OBJECT_BYTES_MAX (5LL << 40)

typedef struct S3 {
    Server *server;
    Db *db;
    char *folder; /* home/objects */
    pthread_mutex_t mutex;
    int64_t next_file, reserved; /* numbers given out, and durably set aside */
    int64_t first_own;           /* smaller numbers were given out before this start */
    pthread_t keeper;            /* sweeps, then carries out lifecycle rules */
    pthread_cond_t wake;
    bool has_keeper, closing, reset;
    bool durable; /* false: nothing has to survive (an ephemeral server) */
    bool reserve; /* the reserve of rule D6 is there; under the mutex */
    pthread_mutex_t uploads_mutex;
    struct Slots *uploads;    /* see multipart.c */
    struct S3Cache *cache;    /* see cache.c */
    struct S3Folder *folders; /* local folders served as buckets */
} S3;

/* Rule D6: room set aside for deletes on a full disk.  False: it is used up, and there is no room to set it aside
 * again, so nothing may be stored. */
bool s3_reserve_ready(S3 *s3);
/* After ERROR_LIMIT: gives the reserve up; true when there was one, so that trying again may help. */
bool s3_reserve_use(S3 *s3);

/* Removes files of earlier lives that no row names. */
bool s3_sweep(S3 *s3, int64_t *ret_removed, Error *err);
/* Carries out the lifecycle rules of all buckets, as of `now` (wall seconds). */
bool s3_expire(S3 *s3, double now, Error *err);

/* ---- checksums (sums.c) ----
 * Kinds are those of aws/digest.h; S3_NO_SUM: none. */

enum { S3_NO_SUM = -1 };

typedef struct S3Sums S3Sums;
/* MD5 and CRC-64/NVME always, and `kind`. */
S3Sums *s3_sums_new(int kind);
/* Each byte goes to both; the two may run on different threads. */
void s3_sums_add_md5(S3Sums *sums, Str bytes);
void s3_sums_add_rest(S3Sums *sums, Str bytes);
typedef struct S3SumsEnd {
    uint8_t md5[16];
    char etag[33]; /* its hex */
    Str crc64nvme; /* base64 */
    Str sum;       /* base64 of the asked one; empty: none */
} S3SumsEnd;
void s3_sums_end(S3Sums *sums, Arena *arena, S3SumsEnd *ret_end);
void s3_sums_free(S3Sums *sums);
AUTO_FREE(S3Sums, s3_sums_free);

extern const int s3_sum_kinds[];     /* the kinds that S3 knows, S3_NO_SUM ends them */
const char *s3_sum_member(int kind); /* "ChecksumCRC32" */
const char *s3_sum_header(int kind); /* "x-amz-checksum-crc32" */
const char *s3_sum_name(int kind);   /* "CRC32", or "" */
int s3_sum_of_name(Str name);        /* S3_NO_SUM: unknown */
bool s3_sum_is_crc(int kind);
/* The base64 text is a value of that kind. */
bool s3_sum_ok(int kind, Str text);
/* The checksum of two stretches one after the other, from theirs (CRCs, base64). */
Str s3_sum_joined(int kind, Str first, Str next, int64_t next_size, Arena *arena);
/* The checksum of the parts' checksums, base64. */
Str s3_sum_composite(int kind, const Str *values, size_t n, Arena *arena);

/* ---- bytes (bytes.c) ---- */

typedef struct S3Bytes { /* where an object's bytes are */
    int64_t file;        /* number; 0: none (delete markers) */
    bool small;          /* in s3_small */
} S3Bytes;

/* Bytes being written: in memory while they are few, in a file of their own beyond. */
typedef struct S3Writer {
    S3 *s3;
    int64_t file;
    int fd;                            /* -1: in memory */
    int64_t place, size, written_back; /* begin in the file, bytes so far */
    char *buffer;
    size_t n, capacity; /* of the buffer */
    bool may_be_small, borrowed, kept, taken;
    S3Sums *sums;
    struct S3Hasher *hasher; /* sums on another core, for long bodies */
} S3Writer;

/* `size_hint`: bytes to come, or -1.  `may_be_small`: few bytes may go to the database. */
bool s3_writer_open(S3 *s3, int sum, int64_t size_hint, bool may_be_small, S3Writer *ret_writer,
                    Error *err);
/* Writes into a file that is there, at `place`; the caller keeps fd. */
bool s3_writer_open_at(S3 *s3, int sum, int fd, int64_t place, int64_t size_hint,
                       S3Writer *ret_writer, Error *err);
/* A file that exists becomes the object's, by a link under its new name; it is read for its sums.  Where that
 * cannot be, an ordinary writer (taken false) to copy into. */
bool s3_writer_take(S3 *s3, int fd, const char *path, S3Writer *ret_writer, Error *err);
/* Room for the next bytes; add what was written there to writer->n. */
char *s3_writer_room(S3Writer *writer, size_t *ret_capacity, Error *err);
bool s3_writer_add(S3Writer *writer, Str bytes, Error *err);
/* After it the bytes are durable, or wait in memory for s3_writer_store (s3_writer_is_small). */
bool s3_writer_end(S3Writer *writer, Arena *arena, S3SumsEnd *ret_sums, Error *err);
bool s3_writer_is_small(const S3Writer *writer);
/* In the transaction that names the bytes: stores them when they are few. */
bool s3_writer_store(S3Writer *writer, DbTx *tx, Error *err);
/* Frees; removes the file unless s3_writer_keep was called (the transaction is committed). */
void s3_writer_keep(S3Writer *writer);
void s3_writer_drop(S3Writer *writer);
/* Another file number for the same bytes (which are in a file). */
bool s3_bytes_link(S3 *s3, int64_t from, int64_t *ret_to, Error *err);

int s3_file_open(const S3 *s3, int64_t file); /* for reading; -1 with errno */
char *s3_file_path(const S3 *s3, int64_t file, Arena *arena);
/* In a transaction: bytes that no row names any more.  Files go by s3_unlink after the commit. */
bool s3_bytes_forget(DbTx *tx, S3Bytes bytes, Error *err);
void s3_unlink(S3 *s3, S3Bytes bytes);
bool s3_new_file(S3 *s3, int64_t *ret_file, Error *err);               /* a fresh number */
bool s3_file_make(S3 *s3, int64_t *ret_file, int *ret_fd, Error *err); /* and an empty file */
void s3_sync_folder(S3 *s3, int64_t file);
void s3_sync_file(S3 *s3, int fd,
                  int64_t file); /* the file and its folder; aborts on failure (rule D5) */
void s3_io_abort(const char *what, int code) __attribute__((noreturn));

/* ---- buckets and versions (rows.c) ---- */

typedef enum S3Versioning {
    VERSIONING_NEVER,
    VERSIONING_ENABLED,
    VERSIONING_SUSPENDED
} S3Versioning;

typedef struct S3Bucket {
    int64_t id;
    Str name, region;
    double created;
    S3Versioning versioning;
    const struct S3Folder *folder; /* a local folder served as a bucket */
} S3Bucket;

typedef struct S3Row { /* a version of an object; texts in the arena it was loaded into */
    Str key, version;  /* "null" where there are no versions */
    int64_t age;       /* -microseconds of its making, unique within the key: newest first */
    bool marker;
    bool current;
    S3Bytes bytes;
    int64_t size;
    Str etag;        /* without quotes */
    double modified; /* wall seconds, whole milliseconds */
    Str meta; /* JSON object: members of GetObject's answer ("ContentType", "Metadata", ...) */
    Str tags; /* JSON array of {Key, Value}; ptr NULL: none */
    Str class_name; /* storage class; ptr NULL: STANDARD */
} S3Row;

/* Each false with err->kind NOT_FOUND when there is none. */
bool s3_bucket_load(DbTx *tx, S3 *s3, Str name, Arena *arena, S3Bucket *ret_bucket, Error *err);
/* version empty: the current one, which may be a marker. */
bool s3_row_load(DbTx *tx, const S3Bucket *bucket, Str key, Str version, Arena *arena,
                 S3Row *ret_row, Error *err);

/* Conditions on what exists, of writes and reads; empty and negative: not asked. */
typedef struct S3Conditions {
    Str if_match, if_none_match;
    double if_modified_since, if_unmodified_since;
} S3Conditions;
/* NULL: fulfilled; "PreconditionFailed", "NotModified" or "NoSuchKey"; row NULL: nothing there. */
const char *s3_conditions_read(const S3Conditions *conditions, const S3Row *row);
const char *s3_conditions_write(const S3Conditions *conditions, const S3Row *row);

/* Makes `row` the current version; sets its version and age.  *ret_forgotten: bytes of what it replaced, for
 * s3_unlink after the commit.  On refusal *ret_code. */
bool s3_row_put(DbTx *tx, const S3Bucket *bucket, S3Row *row, const S3Conditions *conditions,
                Arena *arena, S3Bytes *ret_forgotten, const char **ret_code, Error *err);

/* Removes: without version as the bucket's versioning wants it (perhaps a marker is put). */
typedef struct S3Removed {
    bool marker; /* a marker was put, or the version removed was one */
    Str version; /* of the marker, or the removed one; empty: none */
    bool existed;
    S3Bytes forgotten;
} S3Removed;
bool s3_row_remove(DbTx *tx, const S3Bucket *bucket, Str key, Str version, double now, Arena *arena,
                   S3Removed *ret_removed, Error *err);

bool s3_row_select(const DbRows *rows, Arena *arena, S3Row *ret_row); /* of S3_ROW_COLUMNS */
#define S3_ROW_COLUMNS                                                                             \
    "key, version, age, marker, file, small, size, etag, modified, meta, tags, class"

/* Settings of a bucket, by name ("cors", "policy", ...): JSON text; ptr NULL: unset. */
bool s3_setting_load(DbTx *tx, const S3Bucket *bucket, const char *name, Arena *arena,
                     Str *ret_document, Error *err);
bool s3_setting_save(DbTx *tx, const S3Bucket *bucket, const char *name, Str document, Error *err);
bool s3_setting_of(S3 *s3, Str bucket, const char *name, Arena *arena, Str *ret_document,
                   Error *err);

/* ---- current objects in memory (cache.c): see there ---- */
typedef struct S3Cache S3Cache;
S3Cache *s3_cache_new(void);
void s3_cache_free(S3Cache *cache);
void s3_cache_clear(S3Cache *cache);
void s3_cache_clear_buckets(S3Cache *cache); /* after changes of a bucket's settings */

/* An answer to GetObject without range and conditions. */
enum { S3_KEPT_FIELDS = 24 };
typedef struct S3Kept {
    Str bucket, key, content_type;
    WireField fields[S3_KEPT_FIELDS]; /* but those of the request */
    int n_fields, n_plain;            /* the first n_plain are no checksums */
    int64_t file, size;               /* file 0: ... */
    Str bytes;                        /* ... all of them */
} S3Kept;
/* Before looking into the database; what was found then is kept if nothing changed since. */
uint64_t s3_cache_generation(S3Cache *cache, Str bucket, Str key);
void s3_cache_keep(S3Cache *cache, uint64_t generation, const S3Kept *kept);
/* NULL, or an entry that stays until s3_cache_leave, which must follow soon (it holds a lock). */
const S3Kept *s3_cache_look(S3Cache *cache, Str bucket, Str key);
void s3_cache_leave(S3Cache *cache, const S3Kept *kept);

/* What decides who may use a bucket. */
typedef struct S3Access {
    Str policy, acl; /* JSON text; canned ACL; ptr NULL: none */
    bool ignore_acls, restrict_public;
} S3Access;
bool s3_access_of(S3 *s3, Str bucket, Arena *arena,
                  S3Access *ret_access); /* false: no such bucket */
/* After each commit that changed the key, before it is acknowledged. */
void s3_cache_drop(S3Cache *cache, Str bucket, Str key);

/* ---- local folders as buckets (folder.c) ---- */
typedef struct S3Folder S3Folder;
void s3_folders_free(S3 *s3);
const S3Folder *s3_folder_of(const S3 *s3, Str bucket);  /* NULL */
const S3Folder *s3_folder_next(const S3 *s3, Str after); /* the next one by name, or NULL */
Str s3_folder_name(const S3Folder *folder);
double s3_folder_created(const S3Folder *folder);

int s3_folder_open(const S3Bucket *bucket, Str key); /* for reading; -1: nothing */
/* What a key names in the folder of the bucket: row and path; false: nothing. */
bool s3_folder_find(const S3Bucket *bucket, Str key, Arena *arena, S3Row *ret_row, Str *ret_path,
                    Error *err);
/* Its keys as rows, in order, from the first behind (or, inclusive, at) `from`; at most max. */
bool s3_folder_rows(const S3Bucket *bucket, Str from, bool inclusive, size_t max, Arena *arena,
                    S3Row **ret_rows, size_t *ret_n, Error *err);

/* ---- checksums of what is stored (check.c) ---- */
Str s3_crc_of_meta(const Json *meta); /* base64; empty: none */
bool s3_crc_is(const Json *meta, Str bytes);

/* ---- errors (errors.c) ---- */

/* The answer "CODE" with AWS's message and status for it; code NULL: leaves err as it is (returns false). */
bool s3_fail(Call *call, Error *err, const char *code);
/* In works: notes the code. */
bool s3_code(const char **ret_code, Error *err, const char *code);
const char *s3_message(const char *code);

/* ---- names and texts (names.c) ---- */
const char *s3_bucket_name_check(Str name); /* NULL, or the code */
bool s3_key_ok(Str key);
Str s3_new_version(Arena *arena); /* 32 characters, random */
Str s3_etag_bare(Str etag);       /* without quotes and W/ */
Str s3_quoted(Arena *arena, Str etag);
Str s3_url_encode(Arena *arena, Str key); /* as EncodingType url wants it: '/' stays */
Str s3_http_date(Arena *arena, double time);
bool s3_percent_decode(Str text, Arena *arena, Str *ret_text); /* "%20" and, as blanks, "+" stay */
/* "a=1&b=2" of x-amz-tagging into [{Key, Value}]; false when malformed. */
bool s3_tags_of_query(Str text, Arena *arena, Json **ret_tags);
const char *s3_tags_check(const Json *tags, size_t max); /* NULL, or the code */

/* ---- operations, by file ---- */
extern const ServiceOperation s3_bucket_operations[], s3_setting_operations[],
    s3_object_operations[], s3_list_operations[], s3_multipart_operations[];

/* Finding one version, in a DbWork of its own or inside another. */
typedef struct S3Find {
    S3 *s3;
    Arena *arena;
    Str bucket_name, key, version; /* version empty: the current one */
    bool with_bytes;               /* small bytes are wanted */
    const char *code;              /* of a failure */
    S3Bucket bucket;
    S3Row row;
    Str bytes; /* of a small one */
    Str path;  /* of a file of a local folder; else empty */
} S3Find;
bool s3_find_row(S3Find *find, Error *err);
bool s3_find_work(void *find, DbTx *tx, Error *err);
int s3_open_bytes(const S3Find *find); /* -1 with errno; not for small ones */

/* The bucket must be there: else the call's error is set.  ret_bucket may be NULL. */
bool s3_bucket_need(Call *call, Str name, S3Bucket *ret_bucket, Error *err);
Str s3_arn(Call *call, Str bucket, Str key); /* key empty: of the bucket */

/* Answers call->out with a stretch of bytes (or only their head); closes fd. */
struct S3Range;
void s3_answer_stream(Call *call, const struct S3Range *range, bool with_body, int fd, Str bytes);
void s3_answering(Call *call, WireAnswer *answer); /* Service.answering: CORS */

/* ACLs: canned ones are kept by name, grants are turned into the canned one that says the same. */
void s3_acl_answer(Call *call, Str canned);
bool s3_acl_of_request(Call *call, Str *ret_canned, Error *err);

bool s3_key_check(Call *call, Error *err);

/* multipart.c */
void s3_uploads_free(S3 *s3);
bool s3_slots_have(S3 *s3, Str id, int64_t file);
bool s3_upload_abort(S3 *s3, Str bucket, Str key, Str id, Error *err);

/* Checks ExpectedBucketOwner; false with AccessDenied. */
bool s3_owner_expected(Call *call, Error *err);
Json *s3_owner(Call *call); /* {ID, DisplayName} */

S3 *s3_of(const Call *call);

#endif
