/* S3 among the services: its tables, and what surrounds every call. */

#include "service/s3/s3.h"

void s3_answering(Call *call, WireAnswer *answer)
{
    (void)call, (void)answer;
}

static const ServiceOperation *const tables[] = {s3_bucket_operations, s3_object_operations,
                                                 s3_list_operations, s3_multipart_operations, NULL};

const Service s3_service = {.name = "s3", .tables = tables, .answering = s3_answering};
