#ifndef CLARY_SERVICE_S3_OBJECTS_H
#define CLARY_SERVICE_S3_OBJECTS_H

/* The object store for the other services: jobs link objects, put archives, list prefixes.
 * Object bodies are immutable plain files. */

#include "service/call.h"

typedef struct S3Object {
    Str bucket, key, version; /* version: "null" in buckets without versions */
    Str etag;                 /* without quotes */
    Str path;                 /* the file of the body, absolute; read-only for everybody */
    int64_t size;
    double modified;
    Str content_type;
} S3Object;

extern const Service s3_service;

/* The short way of plain GETs of objects that are in memory, on the loop's thread (quick.c): what the request
 * looks like, and then, when it is complete, the answer; false: it has to go the long way. */
bool s3_quick_wants(Server *server, const HttpRequest *request);
bool s3_quick_answer(Server *server, HttpExchange *exchange);

bool s3_open(Server *server, Error *err);
void s3_close(Server *server);
bool s3_reset(Server *server, Error *err); /* before the database is emptied */

/* Compares the bytes of all versions in a bucket with their checksums; `report` is called for each that is not as it
 * should be. */
bool s3_check(Server *server, Str bucket,
              void (*report)(void *arg, Str key, Str version, const char *finding), void *arg,
              int64_t *ret_checked, Error *err);

/* Serves a local folder as a read-only bucket: its files are the objects, by their paths. */
bool s3_serve_folder(Server *server, Str bucket, const char *folder, Error *err);

/* "s3://bucket/key/..." cut in two views; false when it is no such address. */
bool s3_address(Str uri, Str *ret_bucket, Str *ret_key);

/* Current objects whose keys begin with prefix, in key order.  NOT_FOUND when the bucket does not exist. */
bool s3_list(Server *server, Str bucket, Str prefix, size_t max, Arena *arena,
             S3Object **ret_objects, size_t *ret_n, Error *err);
/* NOT_FOUND when bucket or object does not exist. */
bool s3_find(Server *server, Str bucket, Str key, Arena *arena, S3Object *ret_object, Error *err);

/* Stores a file as an object: moved in by link when it is on the same file system and `may_take`, else copied.  Durable when true. */
bool s3_put_file(Server *server, Str bucket, Str key, const char *path, bool may_take,
                 Str content_type, Error *err);
bool s3_put_bytes(Server *server, Str bucket, Str key, Str bytes, Str content_type, Error *err);
/* Makes a bucket when missing. */
bool s3_make_bucket(Server *server, Str region, Str bucket, Error *err);

#endif
