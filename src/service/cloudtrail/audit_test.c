/* What of a message the audit record shows. */

#include "base/test.h"
#include "service/call.h"
#include "service/cloudtrail/events.h"

static Str shown(Arena *arena, const char *service, const char *operation, const char *message)
{
    const Json *value;
    Error err = {0};
    AUTO_STRBUF StrBuf out = STRBUF(64 << 10);
    const OperationShape *shape = operation_shape_find(service_shape_find(str_of(service)),
                                                       str_of(operation));
    CHECK(shape);
    CHECK_OK(json_parse(str_of(message), arena, &value, &err), err);
    audit_message_text(value, shape->input, &out);
    return arena_str(arena, strbuf_str(&out));
}

TEST(audit, messages_hide_secrets_and_bodies)
{
    ARENA(arena);
    CHECK_STR(shown(&arena, "iam", "CreateLoginProfile",
                    "{\"UserName\":\"ann\",\"Password\":\"pw\",\"PasswordResetRequired\":true}"),
              STR("{\"userName\":\"ann\",\"password\":\"HIDDEN_DUE_TO_SECURITY_REASONS\","
                  "\"passwordResetRequired\":true}"));
    /* Names of a map are the user's own and stay as they are. */
    CHECK_STR(
        shown(
            &arena, "sagemaker", "CreateTrainingJob",
            "{\"TrainingJobName\":\"j\",\"HyperParameters\":{\"K\":\"3\"},\"Tags\":[{\"Key\":\"A\","
            "\"Value\":\"1\"}],\"StoppingCondition\":{\"MaxRuntimeInSeconds\":60},\"Empty\":[]}"),
        STR("{\"trainingJobName\":\"j\",\"hyperParameters\":{\"K\":\"3\"},\"tags\":[{\"key\":\"A\","
            "\"value\":\"1\"}],\"stoppingCondition\":{\"maxRuntimeInSeconds\":60},\"empty\":[]}"));
    CHECK_STR(shown(&arena, "sagemaker-runtime", "InvokeEndpoint",
                    "{\"EndpointName\":\"e\",\"Body\":\"1,2,3\"}"),
              STR("{\"endpointName\":\"e\",\"body\":\"HIDDEN_DUE_TO_SECURITY_REASONS\"}"));
    CHECK_STR(shown(&arena, "iam", "CreateUser", "[]"), STR(""));
}
