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

enum {
    BUCKETS_KEPT = 256,
    SHARDS = 64,
    SHARD_ENTRIES_MAX = 512,
    SHARD_BYTES_MAX = 256 << 10, /* 16 MiB in all */
    SHARD_PLACES = 1024,
};

typedef struct KeptBucket {
    char *name; /* NULL: free */
    char *policy, *acl;
    bool ignore_acls, restrict_public;
} KeptBucket;

typedef struct Entry {
    struct Entry *next;          /* of the same place */
    struct Entry *newer, *older; /* of the shard, by their making */
    uint64_t hash;
    size_t bytes;
    S3Kept kept; /* views into what lies behind */
    char text[];
} Entry;

typedef struct Shard {
    pthread_mutex_t mutex;
    uint64_t generation;
    Entry *places[SHARD_PLACES];
    Entry *newest, *oldest;
    size_t n, bytes;
} Shard;

struct S3Cache {
    pthread_rwlock_t lock;
    uint64_t generation; /* of the buckets */
    KeptBucket buckets[BUCKETS_KEPT];
    Shard shards[SHARDS];
};

S3Cache *s3_cache_new(void)
{
    S3Cache *cache = calloc(1, sizeof *cache);
    if (!cache) memory_exhausted(sizeof *cache);
    pthread_rwlock_init(&cache->lock, NULL);
    for (size_t i = 0; i < SHARDS; i++) pthread_mutex_init(&cache->shards[i].mutex, NULL);
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
    s3_cache_clear(cache);
    for (size_t i = 0; i < SHARDS; i++) pthread_mutex_destroy(&cache->shards[i].mutex);
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

/* ---- objects ---- */

static uint64_t hash_of(Str bucket, Str key)
{
    return hash_str(key, hash_str(bucket, 1));
}

static Shard *shard_of(S3Cache *cache, uint64_t hash)
{
    return &cache->shards[hash >> 58];
}

static Entry **place_in(Shard *shard, uint64_t hash)
{
    return &shard->places[hash % SHARD_PLACES];
}

/* The shard's mutex is held, here and below. */
static Entry *entry_of(Shard *shard, uint64_t hash, Str bucket, Str key)
{
    for (Entry *entry = *place_in(shard, hash); entry; entry = entry->next)
        if (entry->hash == hash && str_eq(entry->kept.key, key) &&
            str_eq(entry->kept.bucket, bucket))
            return entry;
    return NULL;
}

static void entry_free(Shard *shard, Entry *entry)
{
    Entry **at = place_in(shard, entry->hash);
    while (*at != entry) at = &(*at)->next;
    *at = entry->next;
    *(entry->newer ? &entry->newer->older : &shard->newest) = entry->older;
    *(entry->older ? &entry->older->newer : &shard->oldest) = entry->newer;
    shard->n--;
    shard->bytes -= entry->bytes;
    free(entry);
}

void s3_cache_drop(S3Cache *cache, Str bucket, Str key)
{
    uint64_t hash = hash_of(bucket, key);
    Shard *shard = shard_of(cache, hash);
    pthread_mutex_lock(&shard->mutex);
    shard->generation++;
    Entry *entry = entry_of(shard, hash, bucket, key);
    if (entry) entry_free(shard, entry);
    pthread_mutex_unlock(&shard->mutex);
}

void s3_cache_clear(S3Cache *cache)
{
    s3_cache_clear_buckets(cache);
    for (size_t i = 0; i < SHARDS; i++) {
        Shard *shard = &cache->shards[i];
        pthread_mutex_lock(&shard->mutex);
        shard->generation++;
        while (shard->oldest) entry_free(shard, shard->oldest);
        pthread_mutex_unlock(&shard->mutex);
    }
}

uint64_t s3_cache_generation(S3Cache *cache, Str bucket, Str key)
{
    Shard *shard = shard_of(cache, hash_of(bucket, key));
    pthread_mutex_lock(&shard->mutex);
    uint64_t generation = shard->generation;
    pthread_mutex_unlock(&shard->mutex);
    return generation;
}

static Str moved(char **to, Str text)
{
    Str at = {*to, text.len};
    if (text.len) memcpy(*to, text.ptr, text.len);
    *to += text.len;
    return at;
}

void s3_cache_keep(S3Cache *cache, uint64_t generation, const S3Kept *kept)
{
    size_t bytes = sizeof(Entry) + kept->bucket.len + kept->key.len + kept->content_type.len +
                   kept->bytes.len;
    for (int i = 0; i < kept->n_fields; i++)
        bytes += kept->fields[i].name.len + kept->fields[i].value.len;
    if (bytes > SHARD_BYTES_MAX / 4) return;
    Entry *entry = malloc(bytes);
    if (!entry) memory_exhausted(bytes);
    *entry = (Entry){.hash = hash_of(kept->bucket, kept->key), .bytes = bytes, .kept = *kept};
    char *to = entry->text;
    entry->kept.bucket = moved(&to, kept->bucket);
    entry->kept.key = moved(&to, kept->key);
    entry->kept.content_type = moved(&to, kept->content_type);
    entry->kept.bytes = moved(&to, kept->bytes);
    for (int i = 0; i < kept->n_fields; i++) {
        entry->kept.fields[i].name = moved(&to, kept->fields[i].name);
        entry->kept.fields[i].value = moved(&to, kept->fields[i].value);
    }
    Shard *shard = shard_of(cache, entry->hash);
    pthread_mutex_lock(&shard->mutex);
    Entry *old = entry_of(shard, entry->hash, kept->bucket, kept->key);
    if (shard->generation != generation) {
        free(entry);
    } else {
        if (old) entry_free(shard, old);
        while (shard->oldest &&
               (shard->n >= SHARD_ENTRIES_MAX || shard->bytes + bytes > SHARD_BYTES_MAX))
            entry_free(shard, shard->oldest);
        Entry **place = place_in(shard, entry->hash);
        entry->next = *place;
        *place = entry;
        entry->older = shard->newest;
        *(shard->newest ? &shard->newest->newer : &shard->oldest) = entry;
        shard->newest = entry;
        shard->n++;
        shard->bytes += bytes;
    }
    pthread_mutex_unlock(&shard->mutex);
}

const S3Kept *s3_cache_look(S3Cache *cache, Str bucket, Str key)
{
    uint64_t hash = hash_of(bucket, key);
    Shard *shard = shard_of(cache, hash);
    pthread_mutex_lock(&shard->mutex);
    const Entry *entry = entry_of(shard, hash, bucket, key);
    if (entry) return &entry->kept;
    pthread_mutex_unlock(&shard->mutex);
    return NULL;
}

void s3_cache_leave(S3Cache *cache, const S3Kept *kept)
{
    const Entry *entry = (const Entry *)((const char *)kept - offsetof(Entry, kept));
    pthread_mutex_unlock(&shard_of(cache, entry->hash)->mutex);
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
