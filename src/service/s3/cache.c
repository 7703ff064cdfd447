/* Rows of current objects in memory. */

#include "service/s3/s3.h"

S3Cache *s3_cache_new(void)
{
    return NULL;
}

void s3_cache_free(S3Cache *cache)
{
    (void)cache;
}

void s3_cache_clear(S3Cache *cache)
{
    (void)cache;
}

void s3_cache_drop(S3Cache *cache, Str bucket, Str key)
{
    (void)cache, (void)bucket, (void)key;
}
