/* Lifecycle rules: what is too old goes. */

#include "service/s3/s3.h"

bool s3_expire(S3 *s3, double now, Error *err)
{
    (void)s3, (void)now, (void)err;
    return true;
}
