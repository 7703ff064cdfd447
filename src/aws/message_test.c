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
