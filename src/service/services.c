/* What claryd consists of. */

#include "service/call.h"
#include "service/cloudtrail/audit.h"
#include "service/cloudwatch/metrics.h"
#include "service/iam/access.h"
#include "service/logs/logs.h"
#include "service/page.h"
#include "service/s3/objects.h"
#include "service/sagemaker/sagemaker.h"
#include "service/sagemaker/hosting.h"
#include "service/sagemaker/training.h"

/* A row per part, in the order of opening: who uses another comes after it. */
const Part parts[] = {
    {.name = "iam", {&iam_service, &sts_service}, iam_open, iam_close, .reset = iam_reset},
    {.name = "cloudtrail", {&cloudtrail_service}, audit_open, audit_close},
    {.name = "s3", {&s3_service}, s3_open, s3_close, .reset = s3_reset, .page = buckets_page},
    {.name = "logs", {&logs_service}, logs_open, logs_close},
    {.name = "cloudwatch", {&cloudwatch_service}, cloudwatch_open, cloudwatch_close},
    {.name = "sagemaker",
     {&sagemaker_service, &sagemaker_runtime_service},
     sagemaker_open,
     sagemaker_close},
    {.name = "hosting",
     .open = hosting_open,
     .close = hosting_close,
     .reset = hosting_reset,
     .page = endpoints_page},
    {.name = "training",
     .open = training_open,
     .close = training_close,
     .reset = training_reset,
     .status = training_status,
     .page = training_page},
    {0},
};

const Service *service_find(Str name)
{
    for (const Part *part = parts; part->name; part++)
        for (const Service *const *service = part->services; *service; service++)
            if (str_is(name, (*service)->name)) return *service;
    return NULL;
}

const ServiceOperation *service_operation_find(const Service *service, Str name)
{
    for (const ServiceOperation *const *table = service->tables; *table; table++)
        for (const ServiceOperation *row = *table; row->name; row++)
            if (str_is(name, row->name)) return row;
    return NULL;
}

bool parts_open(Server *server, Error *err)
{
    for (const Part *part = parts; part->name; part++)
        if (part->open && !part->open(server, err)) {
            while (part-- > parts)
                if (part->close) part->close(server);
            return false;
        }
    return true;
}

void parts_close(Server *server)
{
    const Part *part = parts;
    while (part->name) part++;
    while (part-- > parts)
        if (part->close) part->close(server);
}

bool parts_reset(Server *server, Error *err)
{
    const Part *part = parts;
    while (part->name) part++;
    while (part-- > parts)
        if (part->reset && !part->reset(server, err))
            return error_in(err, "emptying '%s'", part->name);
    if (!db_empty(server->db, err)) return false;
    for (part = parts; part->name; part++)
        if (part->seed && !part->seed(server, err))
            return error_in(err, "emptying '%s'", part->name);
    return true;
}
