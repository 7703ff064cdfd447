#include "aws/message.h"
#include "base/test.h"

/* Reads `body` as a JSON request of an operation; the refusal as "CODE: text". */
static Str read_json(Arena *arena, const char *service, const char *operation, const char *body,
                     const Json **ret_message)
{
    Route route = {.service = service_shape_find(str_of(service)), .protocol = PROTOCOL_JSON};
    route.operation = operation_shape_find(route.service, str_of(operation));
    CHECK(route.operation);
    static HttpRequest request;
    const char *code = NULL;
    Error err = {0};
    if (message_read(&route, &request, str_of(body), arena, ret_message, &code, &err))
        return STR("");
    return arena_format(arena, "%s: %s", code, err.text);
}

TEST(message, refusals_have_the_form_of_aws)
{
    ARENA(arena);
    static const struct {
        const char *service, *operation, *body, *want;
    } cases[] = {
        {"sagemaker", "DescribeTrainingJob", "{}",
         "ValidationException: 1 validation error detected: Value null at 'trainingJobName' failed to satisfy "
         "constraint: Member must not be null"},
        {"sagemaker", "DescribeTrainingJob", "{\"TrainingJobName\": null}",
         "ValidationException: 1 validation error detected: Value null at 'trainingJobName' failed to satisfy "
         "constraint: Member must not be null"},
        {"sagemaker", "DescribeTrainingJob",
         "{\"TrainingJobName\": \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}",
         "ValidationException: 1 validation error detected: Value "
         "'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' at 'trainingJobName' failed to "
         "satisfy constraint: Member must have length less than or equal to 63"},
        {"sagemaker", "ListTrainingJobs", "{\"MaxResults\": 0, \"SortOrder\": \"Up\"}",
         "ValidationException: 2 validation errors detected: Value '0' at 'maxResults' failed to satisfy "
         "constraint: Member must have value greater than or equal to 1; Value 'Up' at 'sortOrder' failed to "
         "satisfy constraint: Member must satisfy enum value set: [Ascending, Descending]"},
        {"sagemaker", "AddTags",
         "{\"ResourceArn\": \"arn:aws:sagemaker:us-east-1:123456789012:model/m\", \"Tags\": [{\"Value\": \"b\"}]}",
         "ValidationException: 1 validation error detected: Value null at 'tags.1.member.key' failed to satisfy "
         "constraint: Member must not be null"},
        {"sagemaker", "DescribeTrainingJob", "{\"TrainingJobName\": \"my_job\"}",
         "ValidationException: 1 validation error detected: Value 'my_job' at 'trainingJobName' failed to "
         "satisfy constraint: Member must satisfy regular expression pattern: "
         "[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}"},
        {"sagemaker", "DescribeTrainingJob", "{\"TrainingJobName\": 3}",
         "SerializationException: NUMBER_VALUE can not be converted to String (member 'TrainingJobName')"},
        {"sagemaker", "ListTrainingJobs", "{\"MaxResults\": \"3\"}",
         "SerializationException: STRING_VALUE can not be converted to Integer (member 'MaxResults')"},
        {"sagemaker", "ListTrainingJobs", "{\"MaxResults\": 3.0}",
         "SerializationException: '3.0' can not be converted to Integer (member 'MaxResults')"},
        {"sagemaker", "ListTrainingJobs", "{\"MaxResults\": 3000000000}",
         "SerializationException: '3000000000' can not be converted to Integer (member 'MaxResults')"},
        {"sagemaker", "ListTrainingJobs", "[]",
         "SerializationException: START_ARRAY can not be converted to a structure (member 'ListTrainingJobsRequest')"},
        {"logs", "CreateLogGroup", "{}",
         "InvalidParameterException: 1 validation error detected: Value null at 'logGroupName' failed to satisfy "
         "constraint: Member must not be null"},
        {"cloudwatch", "PutMetricData", "{}",
         "MissingParameter: The parameter Namespace is required."},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        const Json *message;
        CHECK_STR(read_json(&arena, cases[i].service, cases[i].operation, cases[i].body, &message),
                  str_of(cases[i].want));
    }
}

TEST(message, json_requests_lose_nulls_and_unknown_members)
{
    ARENA(arena);
    const Json *message;
    CHECK_STR(read_json(&arena, "sagemaker", "ListTrainingJobs",
                        "{\"NameContains\": null, \"Nonsense\": {\"a\": [1]}, \"MaxResults\": 7, "
                        "\"CreationTimeAfter\": 1764081600.5}",
                        &message),
              STR(""));
    CHECK_STR(json_text(&arena, message),
              STR("{\"MaxResults\":7,\"CreationTimeAfter\":1764081600.5}"));
}

TEST(message, json_answers_and_errors)
{
    ARENA(arena);
    Route route = {.service = service_shape_find(STR("sagemaker")), .protocol = PROTOCOL_JSON};
    route.operation = operation_shape_find(route.service, STR("CreateModel"));
    Json *out = json_new_object(&arena);
    json_set_text(&arena, out, "ModelArn", STR("arn:x"));
    static WireAnswer answer;
    message_write(&route, out, STR("id-1"), &arena, &answer);
    CHECK_INT(answer.status, 200);
    CHECK_STR(answer.content_type, STR("application/x-amz-json-1.1"));
    CHECK_STR(answer.body, STR("{\"ModelArn\":\"arn:x\"}"));
    CHECK_STR(answer.fields[0].value, STR("id-1"));
    message_write_error(&route, 0, "ValidationException", STR("no \"way\""), NULL, STR("id-2"),
                        &arena, &answer);
    CHECK_INT(answer.status, 400);
    CHECK_STR(answer.body,
              STR("{\"__type\":\"ValidationException\",\"message\":\"no \\\"way\\\"\"}"));
}

/* A request by its text; the route and the tree, or the refusal as "CODE: text". */
static Str read_request(Arena *arena, const char *scope, Str bytes, Route *ret_route,
                        const Json **ret_message)
{
    static HttpRequest request;
    http_request_init(&request, bytes.ptr);
    if (http_request_parse(&request, bytes.len, &http_limits) == HTTP_REFUSED)
        FAIL("%s", request.reason);
    Str body = str_from(bytes, request.head_len);
    route_find(&request, (Str){0}, str_of(scope), ret_route);
    if (!ret_route->operation) route_find(&request, body, str_of(scope), ret_route);
    CHECK(ret_route->operation);
    const char *code = NULL;
    Error err = {0};
    if (message_read(ret_route, &request, body, arena, ret_message, &code, &err)) return STR("");
    return arena_format(arena, "%s: %s", code, err.text);
}

static void check_request(const char *scope, const char *line, const char *fields, Str body,
                          const char *operation, const char *want)
{
    ARENA(arena);
    Route route;
    const Json *message;
    AUTO_STRBUF StrBuf bytes = STRBUF(1 << 16);
    strbuf_addf(&bytes, "%s HTTP/1.1\r\nHost: a\r\n%s\r\n", line, fields);
    strbuf_add(&bytes, body);
    CHECK_STR(read_request(&arena, scope, strbuf_str(&bytes), &route, &message), STR(""));
    CHECK_STR(str_of(route.operation->name), str_of(operation));
    CHECK_STR(json_text(&arena, message), str_of(want));
}

#define FORM "Content-Type: application/x-www-form-urlencoded\r\n"

TEST(message, every_protocol_gives_the_same_trees)
{
    check_request(
        "iam", "POST /", FORM,
        STR("Action=CreateRole&Version=2010-05-08&RoleName=r&AssumeRolePolicyDocument=%7B%7D&"
            "Tags.member.2.Key=b&Tags.member.2.Value=%C3%A9+x&Tags.member.1.Key=a&Tags.member.1.Value="),
        "CreateRole",
        "{\"RoleName\":\"r\",\"AssumeRolePolicyDocument\":\"{}\",\"Tags\":[{\"Key\":\"a\",\"Value\":\"\"},"
        "{\"Key\":\"b\",\"Value\":\"\xc3\xa9 x\"}]}");
    check_request(
        "s3", "PUT /b/a%2Fb%20c+d/e?tagging&versionId=x%2By", "x-amz-tagging-count: 3\r\n",
        STR("<?xml version=\"1.0\"?><Tagging xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><TagSet><Tag>"
            "<Key>a&amp;b</Key><Value/></Tag></TagSet></Tagging>"),
        "PutObjectTagging",
        "{\"Bucket\":\"b\",\"Key\":\"a/b c+d/e\",\"VersionId\":\"x+y\",\"Tagging\":{\"TagSet\":[{\"Key\":\"a&b\","
        "\"Value\":\"\"}]}}");
    check_request(
        "s3", "PUT /b/k",
        "x-amz-meta-Some-Name: v\r\nx-amz-meta-b: w\r\nExpires: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "x-amz-server-side-encryption-bucket-key-enabled: true\r\n",
        STR("body"), "PutObject",
        "{\"Bucket\":\"b\",\"Expires\":784111777,\"Key\":\"k\",\"Metadata\":{\"some-name\":\"v\",\"b\":\"w\"},"
        "\"BucketKeyEnabled\":true}");
    check_request("sagemaker", "POST /endpoints/e/invocations",
                  "X-Amzn-SageMaker-Target-Variant: v\r\n", STR("1,2"), "InvokeEndpoint",
                  "{\"EndpointName\":\"e\",\"Body\":\"1,2\",\"TargetVariant\":\"v\"}");
    /* {"Namespace": "N", "MetricData": [{_ "MetricName": "a", "Value": 1.5 (half), "Timestamp": 1(1000000000)}]} */
    check_request(
        "monitoring", "POST /service/GraniteServiceVersion20100801/operation/PutMetricData",
        "smithy-protocol: rpc-v2-cbor\r\n",
        STR("\xa2\x69Namespace\x61N\x6aMetricData\x81\xbf\x6aMetricName\x61"
            "a\x65Value\xf9\x3e\x00\x69Timestamp\xc1\x1a\x3b\x9a\xca\x00\xff"),
        "PutMetricData",
        "{\"Namespace\":\"N\",\"MetricData\":[{\"MetricName\":\"a\",\"Value\":1.5,\"Timestamp\":1000000000}]}");
}

static void check_refused(const char *scope, const char *line, const char *fields, Str body,
                          const char *want)
{
    ARENA(arena);
    Route route;
    const Json *message;
    AUTO_STRBUF StrBuf bytes = STRBUF(1 << 16);
    strbuf_addf(&bytes, "%s HTTP/1.1\r\nHost: a\r\n%s\r\n", line, fields);
    strbuf_add(&bytes, body);
    CHECK_STR(read_request(&arena, scope, strbuf_str(&bytes), &route, &message), str_of(want));
}

TEST(message, every_protocol_refuses_in_its_own_words)
{
    check_refused(
        "iam", "POST /", FORM, STR("Action=GetRole&Version=2010-05-08&RoleName=a%20b"),
        "ValidationError: 1 validation error detected: Value 'a b' at 'roleName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: [\\w+=,.@-]+");
    check_refused("iam", "POST /", FORM, STR("Action=GetRole&Version=2010-05-08&RoleName=%4"),
                  "MalformedInput: a percent sign is not followed by two hexadecimal digits");
    check_refused("iam", "POST /", FORM, STR("Action=ListRoles&Version=2010-05-08&MaxItems=x"),
                  "MalformedInput: 'x' is not an integer (member 'MaxItems')");
    check_refused("iam", "POST /", FORM, STR("Action=GetRole&Version=2010-05-08&RoleName=%FF"),
                  "MalformedInput: 'RoleName' is not UTF-8");
    check_refused("s3", "PUT /b?tagging", "", STR("<Tagging><TagSet>"),
                  "MalformedXML: line 1, column 18: no element found");
    check_refused("s3", "PUT /b?tagging", "", STR("<!DOCTYPE a><Tagging/>"),
                  "MalformedXML: line 1, column 12: a document type is not allowed");
    check_refused(
        "s3", "PUT /b?tagging", "", STR("<Tagging/>"),
        "MalformedXML: 1 validation error detected: Value null at 'tagging.tagSet' failed to satisfy "
        "constraint: Member must not be null");
    check_refused("s3", "GET /b?max-keys=many", "", STR(""),
                  "InvalidArgument: 'many' is not an integer (member 'MaxKeys')");
    check_refused(
        "s3", "PUT /b/k", "x-amz-acl: all\r\n", STR(""),
        "InvalidArgument: 1 validation error detected: Value 'all' at 'aCL' failed to satisfy constraint: Member "
        "must satisfy enum value set: [private, public-read, public-read-write, authenticated-read, "
        "aws-exec-read, bucket-owner-read, bucket-owner-full-control]");
    check_refused("monitoring",
                  "POST /service/GraniteServiceVersion20100801/operation/PutMetricData",
                  "smithy-protocol: rpc-v2-cbor\r\n", STR("\xa1\x69Name"),
                  "SerializationException: byte 2: a text is longer than what is there");
    check_refused(
        "monitoring", "POST /service/GraniteServiceVersion20100801/operation/PutMetricData",
        "smithy-protocol: rpc-v2-cbor\r\n", STR("\xa1\x69Namespace\x41N"),
        "SerializationException: STRING_VALUE can not be converted to String (member 'Namespace')");
    check_refused(
        "sagemaker", "POST /endpoints/e_/invocations", "", STR(""),
        "ValidationError: 1 validation error detected: Value 'e_' at 'endpointName' failed to satisfy "
        "constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9](-*[a-zA-Z0-9])*");
}

TEST(message, lists_and_maps_of_plain_values_are_judged_as_a_whole)
{
    ARENA(arena);
    const Json *message;
    CHECK_STR(
        read_json(
            &arena, "cloudwatch", "PutMetricAlarm",
            "{\"AlarmName\":\"a\",\"ComparisonOperator\":\"LessThanThreshold\",\"EvaluationPeriods\":1,"
            "\"OKActions\":[\"x\",\"\"]}",
            &message),
        STR("ValidationError: 1 validation error detected: Value '[x, ]' at 'oKActions' failed to satisfy "
            "constraint: Member must satisfy constraint: [Member must have length less than or equal to 1024, "
            "Member must have length greater than or equal to 1]"));
    CHECK_STR(
        read_json(&arena, "logs", "TagLogGroup", "{\"logGroupName\":\"a\",\"tags\":{\"!\":\"v\"}}",
                  &message),
        STR("InvalidParameterException: 1 validation error detected: Value '{!=v}' at 'tags' failed to satisfy "
            "constraint: Map keys must satisfy constraint: [Member must have length less than or equal to 128, "
            "Member must have length greater than or equal to 1, Member must satisfy regular expression "
            "pattern: ^([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+)$]"));
}

TEST(message, depths_are_limited)
{
    /* JSON by its parser, 128; XML by 32; CBOR by 64. */
    ARENA(arena);
    Error err = {0};
    const char *code = NULL;
    const Json *message;
    static HttpRequest request;
    Route cbor = {.service = service_shape_find(STR("cloudwatch")), .protocol = PROTOCOL_CBOR};
    cbor.operation = operation_shape_find(cbor.service, STR("ListMetrics"));
    for (int depth = 64; depth <= 65; depth++) {
        char body[128] = "\xa1\x61x";
        memset(body + 3, '\x81', (size_t)depth - 1);
        body[3 + depth - 1] = 1;
        bool ok = message_read(&cbor, &request, (Str){body, (size_t)depth + 3}, &arena, &message,
                               &code, &err);
        CHECK_INT(ok, depth <= 64);
    }
    Route xml = {.service = service_shape_find(STR("s3")), .protocol = PROTOCOL_REST_XML};
    xml.operation = operation_shape_find(xml.service, STR("PutBucketAccelerateConfiguration"));
    for (int depth = 32; depth <= 33; depth++) {
        AUTO_STRBUF StrBuf body = STRBUF(4096);
        for (int i = 0; i < depth; i++) strbuf_add(&body, STR("<a>"));
        for (int i = 0; i < depth; i++) strbuf_add(&body, STR("</a>"));
        code = NULL;
        message_read(&xml, &request, strbuf_str(&body), &arena, &message, &code, &err);
        CHECK_INT(strstr(err.text, "nested too deeply") != NULL, depth > 32);
    }
}

static Str field_of(const WireAnswer *answer, const char *name)
{
    for (int i = 0; i < answer->n_fields; i++)
        if (str_is(answer->fields[i].name, name)) return answer->fields[i].value;
    return STR("(none)");
}

TEST(message, errors_have_the_form_of_each_protocol)
{
    ARENA(arena);
    static WireAnswer answer;
    Json *details = json_new_object(&arena);
    json_set_int(&arena, details, "OriginalStatusCode", 500);
    json_set_text(&arena, details, "Nonsense", STR("x"));
    Route runtime = {.service = service_shape_find(STR("sagemaker-runtime")),
                     .protocol = PROTOCOL_REST_JSON};
    runtime.operation = operation_shape_find(runtime.service, STR("InvokeEndpoint"));
    message_write_error(&runtime, 0, "ModelError", STR("no"), details, STR("i"), &arena, &answer);
    CHECK_INT(answer.status, 424);
    CHECK_STR(field_of(&answer, "x-amzn-ErrorType"), STR("ModelError"));
    CHECK_STR(answer.body, STR("{\"Message\":\"no\",\"OriginalStatusCode\":500}"));

    Route s3 = {.service = service_shape_find(STR("s3")),
                .protocol = PROTOCOL_REST_XML,
                .path = STR("/b/a&b")};
    s3.operation = operation_shape_find(s3.service, STR("GetObject"));
    message_write_error(&s3, 0, "NoSuchKey", STR("<gone>"), NULL, STR("i"), &arena, &answer);
    CHECK_INT(answer.status, 404);
    CHECK_STR(field_of(&answer, "x-amz-request-id"), STR("i"));
    CHECK_STR(
        answer.body,
        STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>NoSuchKey</Code><Message>&lt;gone&gt;"
            "</Message><Resource>/b/a&amp;b</Resource><RequestId>i</RequestId><HostId>i</HostId></Error>"));
    s3.operation = operation_shape_find(s3.service, STR("HeadObject"));
    message_write_error(&s3, 0, "NoSuchKey", STR("gone"), NULL, STR("i"), &arena, &answer);
    CHECK_INT(answer.status, 404);
    CHECK_STR(answer.body, STR(""));

    Route iam = {.service = service_shape_find(STR("iam")), .protocol = PROTOCOL_QUERY};
    iam.operation = operation_shape_find(iam.service, STR("GetRole"));
    message_write_error(&iam, 0, "NoSuchEntityException", STR("no"), NULL, STR("i"), &arena,
                        &answer);
    CHECK_INT(answer.status, 404);
    CHECK_STR(
        answer.body,
        STR("<ErrorResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\"><Error><Type>Sender</Type>"
            "<Code>NoSuchEntity</Code><Message>no</Message></Error><RequestId>i</RequestId></ErrorResponse>"));

    Route cloudwatch = {.service = service_shape_find(STR("cloudwatch")),
                        .protocol = PROTOCOL_JSON};
    cloudwatch.operation = operation_shape_find(cloudwatch.service, STR("PutMetricData"));
    message_write_error(&cloudwatch, 0, "MissingParameter", STR("no"), NULL, STR("i"), &arena,
                        &answer);
    CHECK_STR(answer.content_type, STR("application/x-amz-json-1.0"));
    CHECK_STR(field_of(&answer, "x-amzn-query-error"), STR("MissingParameter;Sender"));
    CHECK_STR(answer.body,
              STR("{\"__type\":\"MissingRequiredParameterException\",\"message\":\"no\"}"));

    Route nothing = {0};
    message_write_error(&nothing, 0, "SignatureDoesNotMatch", STR("no"), NULL, STR("i"), &arena,
                        &answer);
    CHECK_INT(answer.status, 403);
}

TEST(message, answers_of_xml_services)
{
    ARENA(arena);
    static WireAnswer answer;
    const Json *message;
    Error err = {0};
    Route s3 = {.service = service_shape_find(STR("s3")), .protocol = PROTOCOL_REST_XML};
    s3.operation = operation_shape_find(s3.service, STR("GetBucketAcl"));
    CHECK_OK(
        json_parse(
            STR("{\"Owner\":{\"ID\":\"o\"},\"Grants\":[{\"Grantee\":{\"ID\":\"g\",\"Type\":\"CanonicalUser\"},"
                "\"Permission\":\"READ\"}]}"),
            &arena, &message, &err),
        err);
    message_write(&s3, message, STR("i"), &arena, &answer);
    CHECK_STR(
        answer.body,
        STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<AccessControlPolicy "
            "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Owner><ID>o</ID></Owner><AccessControlList>"
            "<Grant><Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
            "xsi:type=\"CanonicalUser\"><ID>g</ID></Grantee><Permission>READ</Permission></Grant>"
            "</AccessControlList></AccessControlPolicy>"));
    s3.operation = operation_shape_find(s3.service, STR("HeadObject"));
    CHECK_OK(
        json_parse(
            STR("{\"LastModified\":784111777.9,\"ContentType\":\"text/x\",\"Metadata\":{\"a\":\"b\"}}"),
            &arena, &message, &err),
        err);
    message_write(&s3, message, STR("i"), &arena, &answer);
    CHECK_STR(answer.content_type, STR("text/x"));
    CHECK_STR(field_of(&answer, "Last-Modified"), STR("Sun, 06 Nov 1994 08:49:37 GMT"));
    CHECK_STR(field_of(&answer, "x-amz-meta-a"), STR("b"));
    s3.operation = operation_shape_find(s3.service, STR("GetBucketLocation"));
    CHECK_OK(json_parse(STR("{\"LocationConstraint\":\"eu-west-1\"}"), &arena, &message, &err),
             err);
    message_write(&s3, message, STR("i"), &arena, &answer);
    CHECK(str_ends(answer.body, STR("03-01/\">eu-west-1</LocationConstraint>")));
}

TEST(message, event_frames)
{
    /* The example of the documentation: a frame of one header, its CRCs worked out by zlib. */
    AUTO_STRBUF StrBuf frame = STRBUF(256);
    WireField header = {STR("content-type"), STR("application/json")};
    event_frame_write(&frame, &header, 1, STR("{'foo':'bar'}"));
    static const uint8_t want[] = {0x00, 0x00, 0x00, 0x3d, 0x00, 0x00,
                                   0x00, 0x20, 0x07, 0xfd, 0x83, 0x96};
    CHECK_INT(frame.len, 0x3d);
    CHECK(memcmp(frame.ptr, want, sizeof want) == 0);
    CHECK(memcmp(frame.ptr + frame.len - 4, "\x8d\x9c\x08\xb1", 4) == 0);
}
