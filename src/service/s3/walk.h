#ifndef CLARY_SERVICE_S3_WALK_H
#define CLARY_SERVICE_S3_WALK_H

/* Walking a bucket in key order, with keys below a delimiter rolled up. */

#include "service/s3/s3.h"

typedef struct S3WalkItem {
    Str prefix; /* of a rolled-up group; else empty, and ... */
    S3Row row;
} S3WalkItem;

typedef struct S3Walk {
    const S3Bucket *bucket;
    Str prefix, delimiter;
    Str after;         /* begin behind this key ... */
    bool after_group;  /* ... or behind all keys that begin with it */
    int64_t after_age; /* versions: behind this one of that key; 0: behind them all */
    bool versions;     /* all versions, not the current objects */
    size_t max;
    Arena *arena;
    /* results */
    S3WalkItem *items;
    size_t n;
    bool truncated;
} S3Walk;

bool s3_walk(DbTx *tx, S3Walk *walk, Error *err);

/* The least text that is greater than all that begin with `group`. */
Str s3_after_group(Arena *arena, Str group);

#endif
