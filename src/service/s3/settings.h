#ifndef CLARY_SERVICE_S3_SETTINGS_H
#define CLARY_SERVICE_S3_SETTINGS_H

#include "service/s3/s3.h"

/* Some statement allows everybody something, without conditions. */
bool s3_policy_is_public(const Json *policy);

/* cors.c: the rule of the bucket for an origin and a method, or NULL. */
const Json *s3_cors_rule(const Json *configuration, Str origin, Str method, Str headers);
bool s3_preflight(Call *call, Str bucket, Error *err);
void s3_cors_fields(Call *call, WireAnswer *answer, Str bucket);

/* post.c: a form that uploads a file; answers by itself. */
bool s3_post_form(Call *call, Str bucket, Error *err);

#endif
