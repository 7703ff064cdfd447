#include "aws/message.h"
#include "base/test.h"

#include <stdio.h>

static void parse(HttpRequest *request, const char *head)
{
    http_request_init(request, head);
    HttpResult result = http_request_parse(request, strlen(head), &http_limits);
    if (result == HTTP_REFUSED) FAIL("%s", request->reason);
    CHECK(result == HTTP_DONE || result == HTTP_MORE);
}

typedef struct Case {
    const char *head, *scope, *body;
    const char *want; /* "service.Operation protocol" */
} Case;

static void run(const Case *cases, size_t n)
{
    static const char *const protocols[] = {"json", "rest-json", "rest-xml", "query", "cbor"};
    for (size_t i = 0; i < n; i++) {
        static HttpRequest request;
        parse(&request, cases[i].head);
        Route route;
        route_find(&request, str_of(cases[i].body), str_of(cases[i].scope), &route);
        char got[256];
        snprintf(got, sizeof got, "%s.%s %s%s%.*s", route.service ? route.service->name : "-",
                 route.operation ? route.operation->name : "-", protocols[route.protocol],
                 route.bucket.len ? " " : "", STR_ARG(route.bucket));
        if (strcmp(got, cases[i].want) != 0)
            FAIL("%s (scope %s)\n  goes to '%s', not '%s'", cases[i].head, cases[i].scope, got,
                 cases[i].want);
    }
}

#define H " HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n"
#define FORM "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\n"

TEST(route, targets_forms_and_paths_name_the_service)
{
    static const Case cases[] = {
        {"POST /" H "X-Amz-Target: SageMaker.CreateTrainingJob\r\n\r\n", "sagemaker", "",
         "sagemaker.CreateTrainingJob json"},
        {"POST /" H "X-Amz-Target: SageMaker.Nonsense\r\n\r\n", "sagemaker", "",
         "sagemaker.- json"},
        {"POST /" H "X-Amz-Target: Nobody.Nonsense\r\n\r\n", "sagemaker", "", "-.- json"},
        {"POST /" H
         "X-Amz-Target: com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents\r\n\r\n",
         "cloudtrail", "", "cloudtrail.LookupEvents json"},
        {"POST /" H FORM, "sts", "", "sts.- query"},
        {"POST /" H FORM, "sts", "Action=GetCallerIdentity&Version=2011-06-15",
         "sts.GetCallerIdentity query"},
        {"POST /" H FORM, "", "Version=2010-05-08&Action=GetUser", "iam.GetUser query"},
        {"POST /" H FORM, "monitoring", "Action=PutMetricData&Version=2010-08-01",
         "cloudwatch.PutMetricData query"},
        {"GET /?Action=GetCallerIdentity&Version=2011-06-15" H "\r\n", "sts", "",
         "sts.GetCallerIdentity query"},
        {"POST /service/GraniteServiceVersion20100801/operation/ListMetrics" H
         "smithy-protocol: rpc-v2-cbor\r\n\r\n",
         "monitoring", "", "cloudwatch.ListMetrics cbor"},
        {"POST /" H "X-Amz-Target: GraniteServiceVersion20100801.ListMetrics\r\n\r\n", "monitoring",
         "", "cloudwatch.ListMetrics json"},
        {"POST /endpoints/e/invocations" H "\r\n", "sagemaker", "",
         "sagemaker-runtime.InvokeEndpoint rest-json"},
        {"POST /nowhere" H "\r\n", "kinesis", "", "-.- json"},
        {"POST / HTTP/1.1\r\nHost: iam.amazonaws.com\r\n" FORM, "",
         "Action=GetUser&Version=2010-05-08", "iam.GetUser query"},
        {"POST /endpoints/e/invocations HTTP/1.1\r\nHost: runtime.sagemaker.eu-west-1.amazonaws.com\r\n\r\n",
         "", "", "sagemaker-runtime.InvokeEndpoint rest-json"},
    };
    run(cases, COUNT(cases));
}

TEST(route, s3_operations_by_method_path_query_and_headers)
{
    static const Case cases[] = {
        {"GET /" H "\r\n", "s3", "", "s3.ListBuckets rest-xml"},
        {"GET /" H "\r\n", "", "", "s3.ListBuckets rest-xml"},
        {"GET /b" H "\r\n", "s3", "", "s3.ListObjects rest-xml"},
        {"GET /b/" H "\r\n", "s3", "", "s3.ListObjects rest-xml"},
        {"GET /b?list-type=2&prefix=x%2Fy" H "\r\n", "s3", "", "s3.ListObjectsV2 rest-xml"},
        {"GET /b?list-type=3" H "\r\n", "s3", "", "s3.ListObjects rest-xml"},
        {"PUT /b" H "\r\n", "s3", "", "s3.CreateBucket rest-xml"},
        {"PUT /b?tagging" H "\r\n", "s3", "", "s3.PutBucketTagging rest-xml"},
        {"GET /b?tagging=" H "\r\n", "s3", "", "s3.GetBucketTagging rest-xml"},
        {"HEAD /b" H "\r\n", "s3", "", "s3.HeadBucket rest-xml"},
        {"HEAD /b/k" H "\r\n", "s3", "", "s3.HeadObject rest-xml"},
        {"DELETE /b/k/l" H "\r\n", "s3", "", "s3.DeleteObject rest-xml"},
        {"DELETE /b/k?uploadId=1" H "\r\n", "s3", "", "s3.AbortMultipartUpload rest-xml"},
        {"GET /b/k" H "\r\n", "s3", "", "s3.GetObject rest-xml"},
        {"GET /b/k?uploadId=1" H "\r\n", "s3", "", "s3.ListParts rest-xml"},
        {"GET /b/k?versionId=1" H "\r\n", "s3", "", "s3.GetObject rest-xml"},
        {"GET /b/k?attributes" H "x-amz-object-attributes: ETag\r\n\r\n", "s3", "",
         "s3.GetObjectAttributes rest-xml"},
        {"GET /b/k?attributes" H "\r\n", "s3", "", "s3.GetObjectAttributes rest-xml"},
        {"GET /b//k" H "\r\n", "s3", "", "s3.GetObject rest-xml"},
        {"PUT /b/k" H "\r\n", "s3", "", "s3.PutObject rest-xml"},
        {"PUT /b/k?x-id=PutObject" H "\r\n", "s3", "", "s3.PutObject rest-xml"},
        {"PUT /b/k" H "x-amz-copy-source: /a/b\r\n\r\n", "s3", "", "s3.CopyObject rest-xml"},
        {"PUT /b/k?partNumber=1&uploadId=2" H "\r\n", "s3", "", "s3.UploadPart rest-xml"},
        {"PUT /b/k?partNumber=1&uploadId=2" H "X-Amz-Copy-Source: /a/b\r\n\r\n", "s3", "",
         "s3.UploadPartCopy rest-xml"},
        {"POST /b/k?uploads" H "\r\n", "s3", "", "s3.CreateMultipartUpload rest-xml"},
        {"POST /b/k?uploadId=1" H "\r\n", "s3", "", "s3.CompleteMultipartUpload rest-xml"},
        {"POST /b?delete" H "\r\n", "s3", "", "s3.DeleteObjects rest-xml"},
        {"POST /b" H "Content-Type: multipart/form-data; boundary=x\r\n\r\n", "", "",
         "s3.PostObject rest-xml"},
        {"POST /b" H "\r\n", "s3", "", "s3.- rest-xml"},
        {"OPTIONS /b/k" H "\r\n", "", "", "s3.PreflightObject rest-xml"},
        {"GET /b?analytics&id=1" H "\r\n", "s3", "", "s3.GetBucketAnalyticsConfiguration rest-xml"},
        {"GET /b?analytics" H "\r\n", "s3", "", "s3.ListBucketAnalyticsConfigurations rest-xml"},
        {"GET /b?lifecycle" H "\r\n", "s3", "", "s3.GetBucketLifecycleConfiguration rest-xml"},
        {"GET /b?notification" H "\r\n", "s3", "",
         "s3.GetBucketNotificationConfiguration rest-xml"},
        {"GET /k/l HTTP/1.1\r\nHost: b.localhost:8000\r\n\r\n", "s3", "",
         "s3.GetObject rest-xml b"},
        {"GET / HTTP/1.1\r\nHost: b.s3.localhost\r\n\r\n", "s3", "", "s3.ListObjects rest-xml b"},
        {"PUT /?acl HTTP/1.1\r\nHost: my.b.s3.eu-west-1.amazonaws.com\r\n\r\n", "s3", "",
         "s3.PutBucketAcl rest-xml my.b"},
        {"GET / HTTP/1.1\r\nHost: s3.us-east-1.amazonaws.com\r\n\r\n", "s3", "",
         "s3.ListBuckets rest-xml"},
        {"GET /x HTTP/1.1\r\nHost: b.s3-us-west-2.amazonaws.com\r\n\r\n", "", "",
         "s3.GetObject rest-xml b"},
        {"GET /x HTTP/1.1\r\nHost: b.s3.dualstack.us-west-2.amazonaws.com:443\r\n\r\n", "", "",
         "s3.GetObject rest-xml b"},
        {"POST /b/k?select&select-type=2" H "\r\n", "s3", "", "s3.SelectObjectContent rest-xml"},
    };
    run(cases, COUNT(cases));
}

TEST(route, names_of_operations_that_are_not_served_are_known)
{
    const ServiceShape *sagemaker = service_shape_find(STR("sagemaker"));
    CHECK(sagemaker && sagemaker->n_operations > 100);
    CHECK(operation_exists(sagemaker, STR("CreateTrainingJob")));
    CHECK(operation_exists(sagemaker, STR("CreateHub")));
    CHECK(!operation_shape_find(sagemaker, STR("CreateHub")));
    CHECK(!operation_exists(sagemaker, STR("CreateNonsense")));
    CHECK(!service_shape_find(STR("nonsense")));
}
