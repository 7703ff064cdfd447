#ifndef CLARY_SERVICE_S3_PUT_H
#define CLARY_SERVICE_S3_PUT_H

/* What PutObject, CopyObject, multipart uploads and POST forms have in common. */

#include "service/s3/s3.h"

/* Members of requests that are kept with an object and given back ("ContentType", "Metadata", ...), in `meta`.
 * Also refuses what is not built: false with the error set. */
bool s3_meta_of_request(Call *call, Json *meta, S3Row *row, Error *err);

/* What a client says of a body's checksum. */
typedef struct S3Asked {
    int kind;  /* S3_NO_SUM: nothing */
    Str value; /* base64; empty: in the trailer, or only to be computed */
    bool trailer;
    bool md5_given;
    uint8_t md5[16];
} S3Asked;
bool s3_asked_of_request(Call *call, S3Asked *ret_asked, Error *err);
/* Reads the call's body into the writer and compares; then the writer is ended. */
bool s3_read_body(Call *call, const S3Asked *asked, S3Writer *writer, int64_t max,
                  S3SumsEnd *ret_sums, Error *err);
/* They are what the client said. */
bool s3_sums_agree(Call *call, const S3Asked *asked, const S3SumsEnd *sums, Error *err);
/* Writes the checksum into `meta` or an answer: the asked one, else CRC-64/NVME. */
void s3_sums_members(Arena *arena, Json *meta, const S3Asked *asked, const S3SumsEnd *sums);

/* Commits a row whose bytes are in `writer` (NULL: row->bytes are there already). */
typedef struct S3Put {
    S3 *s3;
    Str bucket;
    S3Row row;
    S3Conditions conditions;
    S3Writer *writer;
    Arena *arena;
    /* results */
    const char *code;
    S3Bytes forgotten;
    S3Bucket found;
    bool (*also)(struct S3Put *put, DbTx *tx, Error *err); /* in the same transaction, or NULL */
    void *arg;
} S3Put;
bool s3_put_commit(S3Put *put, Error *err);

static inline int s3_steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

S3Conditions s3_conditions_of(Call *call, const char *prefix); /* "" or "CopySource" */
double s3_now(const Call *call);                               /* whole milliseconds */

/* A body's place in an answer. */
typedef struct S3Range {
    int64_t begin, length;
    bool partial;
} S3Range;
/* `text` of the Range field; false: not satisfiable. */
bool s3_range_parse(Str text, int64_t size, S3Range *ret_range);

#endif
