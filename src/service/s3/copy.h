#ifndef CLARY_SERVICE_S3_COPY_H
#define CLARY_SERVICE_S3_COPY_H

#include "service/s3/put.h"

/* The source of a copy, as the CopySource member names it. */
typedef struct S3Source {
    S3Find find;
    int fd; /* -1: the bytes are in find.bytes */
} S3Source;

/* Finds it, asks for the permission to read it and for its conditions.  Close it in any case. */
bool s3_source_find(Call *call, S3Source *source, Error *err);
bool s3_source_read(const S3Source *source, int64_t begin, int64_t length, S3Writer *writer,
                    Error *err);
void s3_source_close(S3Source *source);

bool s3_copy_object(Call *call, Error *err);

#endif
