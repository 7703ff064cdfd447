/* What is asked for with every request, in memory: who may do what with a bucket, and rows of current objects.
 *
 * A cache may forget, but it must never remember what is no longer so.  A reader notes the generation of the
 * place before it looks into the database, and what it found is kept only if no change was committed since; a
 * change moves the generation on after its commit and before it is acknowledged.  So an answer from here is
 * never older than the last acknowledged change. */

#include "service/s3/s3.h"

#include "base/hash.h"
#include "base/memory.h"

#include <stdlib.h>

enum { BUCKETS_KEPT = 256 };

typedef struct KeptBucket {
    char *name; /* NULL: free */
    char *policy, *acl;
    bool ignore_acls, restrict_public;
} KeptBucket;

struct S3Cache {
    pthread_rwlock_t lock;
    uint64_t generation; /* of the buckets */
    KeptBucket buckets[BUCKETS_KEPT];
};

S3Cache *s3_cache_new(void)
{
    S3Cache *cache = calloc(1, sizeof *cache);
    if (!cache) memory_exhausted(sizeof *cache);
    pthread_rwlock_init(&cache->lock, NULL);
    return cache;
}

static void forget(KeptBucket *bucket)
{
    free(bucket->name);
    free(bucket->policy);
    free(bucket->acl);
    *bucket = (KeptBucket){0};
}

void s3_cache_free(S3Cache *cache)
{
    if (!cache) return;
    for (size_t i = 0; i < BUCKETS_KEPT; i++) forget(&cache->buckets[i]);
    pthread_rwlock_destroy(&cache->lock);
    free(cache);
}

void s3_cache_clear_buckets(S3Cache *cache)
{
    pthread_rwlock_wrlock(&cache->lock);
    cache->generation++;
    for (size_t i = 0; i < BUCKETS_KEPT; i++) forget(&cache->buckets[i]);
    pthread_rwlock_unlock(&cache->lock);
}

void s3_cache_clear(S3Cache *cache)
{
    s3_cache_clear_buckets(cache);
}

void s3_cache_drop(S3Cache *cache, Str bucket, Str key)
{
    (void)cache, (void)bucket, (void)key;
}

/* ---- buckets ---- */

static KeptBucket *place_of(S3Cache *cache, Str name)
{
    return &cache->buckets[hash_str(name, 0) % BUCKETS_KEPT];
}

typedef struct AccessWork {
    S3 *s3;
    Str name;
    Arena *arena;
    S3Access access;
    Str block;
} AccessWork;

static bool load_access(void *arg, DbTx *tx, Error *err)
{
    AccessWork *w = arg;
    S3Bucket bucket;
    return s3_bucket_load(tx, w->s3, w->name, w->arena, &bucket, err) &&
           s3_setting_load(tx, &bucket, "policy", w->arena, &w->access.policy, err) &&
           s3_setting_load(tx, &bucket, "acl", w->arena, &w->access.acl, err) &&
           s3_setting_load(tx, &bucket, "block", w->arena, &w->block, err);
}

static Str copy_of(Arena *arena, const char *text)
{
    return text ? arena_str(arena, str_of(text)) : (Str){0};
}

bool s3_access_of(S3 *s3, Str name, Arena *arena, S3Access *ret_access)
{
    S3Cache *cache = s3->cache;
    KeptBucket *place = place_of(cache, name);
    pthread_rwlock_rdlock(&cache->lock);
    uint64_t generation = cache->generation;
    bool found = place->name && str_is(name, place->name);
    if (found)
        *ret_access = (S3Access){copy_of(arena, place->policy), copy_of(arena, place->acl),
                                 place->ignore_acls, place->restrict_public};
    pthread_rwlock_unlock(&cache->lock);
    if (found) return true;

    AccessWork w = {.s3 = s3, .name = name, .arena = arena};
    Error ignored;
    const Json *block;
    if (!db_read(s3->db, load_access, &w, &ignored)) return false;
    if (w.block.ptr && json_parse(w.block, arena, &block, NULL)) {
        w.access.ignore_acls = json_get_bool(block, "IgnorePublicAcls", false);
        w.access.restrict_public = json_get_bool(block, "RestrictPublicBuckets", false);
    }
    pthread_rwlock_wrlock(&cache->lock);
    if (cache->generation == generation) {
        forget(place);
        *place = (KeptBucket){
            .name = strndup(name.ptr, name.len),
            .policy = w.access.policy.ptr ? strndup(w.access.policy.ptr, w.access.policy.len)
                                          : NULL,
            .acl = w.access.acl.ptr ? strndup(w.access.acl.ptr, w.access.acl.len) : NULL,
            .ignore_acls = w.access.ignore_acls,
            .restrict_public = w.access.restrict_public};
    }
    pthread_rwlock_unlock(&cache->lock);
    *ret_access = w.access;
    return true;
}
