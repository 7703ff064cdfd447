/* Errors on the wire.  The status and further members come from the operation's error shapes; for what the
 * models do not list (signatures, permissions, most of S3) from the tables below. */

#include "aws/protocol.h"

#include "aws/text.h"

#include <stdio.h>

typedef struct CodeStatus {
    const char *code;
    int status;
} CodeStatus;

static const CodeStatus common[] = {
    {"AccessDenied", 403},
    {"AccessDeniedException", 400},
    {"ExpiredToken", 403},
    {"ExpiredTokenException", 403},
    {"IncompleteSignature", 400},
    {"IncompleteSignatureException", 400},
    {"InternalError", 500},
    {"InternalFailure", 500},
    {"InternalServerException", 500},
    {"InternalServiceException", 500},
    {"InternalServiceError", 500},
    {"InternalServiceFault", 500},
    {"InvalidAccessKeyId", 403},
    {"InvalidClientTokenId", 403},
    {"InvalidSignatureException", 403},
    {"MissingAuthenticationToken", 403},
    {"MissingAuthenticationTokenException", 403},
    {"NotImplemented", 501},
    {"OptInRequired", 403},
    {"RequestExpired", 400},
    {"RequestEntityTooLargeException", 413},
    {"RequestTimeTooSkewed", 403},
    {"ServiceUnavailable", 503},
    {"ServiceUnavailableException", 503},
    {"SignatureDoesNotMatch", 403},
    {"UnrecognizedClientException", 403},
};

static const CodeStatus s3_codes[] = {
    {"AccessForbidden", 403},
    {"BadDigest", 400},
    {"BucketAlreadyExists", 409},
    {"BucketAlreadyOwnedByYou", 409},
    {"BucketNotEmpty", 409},
    {"ConditionalRequestConflict", 409},
    {"EntityTooLarge", 400},
    {"EntityTooSmall", 400},
    {"InvalidObjectState", 403},
    {"InvalidPayer", 403},
    {"InvalidRange", 416},
    {"KeyTooLongError", 400},
    {"MethodNotAllowed", 405},
    {"MissingContentLength", 411},
    {"NoSuchAccessPoint", 404},
    {"NoSuchBucket", 404},
    {"NoSuchBucketPolicy", 404},
    {"NoSuchCORSConfiguration", 404},
    {"NoSuchConfiguration", 404},
    {"NoSuchKey", 404},
    {"NoSuchLifecycleConfiguration", 404},
    {"NoSuchObjectLockConfiguration", 404},
    {"NoSuchPublicAccessBlockConfiguration", 404},
    {"NoSuchTagSet", 404},
    {"NoSuchUpload", 404},
    {"NoSuchVersion", 404},
    {"NoSuchWebsiteConfiguration", 404},
    {"NotFound", 404},
    {"NotModified", 304},
    {"ObjectLockConfigurationNotFoundError", 404},
    {"OperationAborted", 409},
    {"OwnershipControlsNotFoundError", 404},
    {"PreconditionFailed", 412},
    {"ReplicationConfigurationNotFoundError", 404},
    {"RestoreAlreadyInProgress", 409},
    {"ServerSideEncryptionConfigurationNotFoundError", 404},
    {"SlowDown", 503},
};

static int find_status(const CodeStatus *codes, size_t n, const char *code)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(codes[i].code, code) == 0) return codes[i].status;
    return 0;
}

/* By name or wire code, among the operation's errors, then among the whole service's. */
static const Shape *error_shape(const Route *route, const char *code)
{
    if (!route->service) return NULL;
    int first = route->operation ? (int)(route->operation - route->service->operations) : 0;
    for (int i = 0; i < route->service->n_operations; i++) {
        const OperationShape *operation =
            &route->service->operations[(first + i) % route->service->n_operations];
        for (const Shape *const *error = operation->errors; *error; error++)
            if (strcmp((*error)->name, code) == 0 ||
                ((*error)->error_code && strcmp((*error)->error_code, code) == 0))
                return *error;
    }
    return NULL;
}

/* Code, text and details by the error's shape, or as plain texts where there is none. */
typedef struct Failure {
    const Route *route;
    const Shape *shape; /* or NULL */
    const char *code;   /* on the wire */
    const char *type;   /* the shape's name */
    const char *text_member;
    Str text, request_id;
    const Json *details;
    bool sender;
} Failure;

static void write_json(const Failure *failure, bool type, StrBuf *out)
{
    JsonWriter writer = JSON_WRITER(out);
    json_begin_object(&writer);
    if (type) json_member_string(&writer, "__type", str_of(failure->type));
    json_member_string(&writer, failure->text_member, failure->text);
    for (size_t i = 0; failure->details && i < failure->details->n; i++) {
        const JsonMember *given = &failure->details->members[i];
        const Member *member = failure->shape ? member_find(failure->shape, given->name) : NULL;
        if (!member) continue;
        json_name(&writer, str_of(member->wire));
        json_value(&writer, given->value);
    }
    json_end_object(&writer);
}

static void write_xml_text(StrBuf *out, const char *name, Str text)
{
    strbuf_addf(out, "<%s>", name);
    xml_write_text(out, text);
    strbuf_addf(out, "</%s>", name);
}

static void write_xml_details(const Failure *failure, StrBuf *out)
{
    for (size_t i = 0; failure->details && i < failure->details->n; i++) {
        const JsonMember *given = &failure->details->members[i];
        if (given->value->type != JSON_STRING && given->value->type != JSON_NUMBER) continue;
        strbuf_addf(out, "<%.*s>", STR_ARG(given->name));
        xml_write_text(out, given->value->text);
        strbuf_addf(out, "</%.*s>", STR_ARG(given->name));
    }
}

static void write_s3(const Failure *failure, StrBuf *out)
{
    strbuf_add(out, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>"));
    write_xml_text(out, "Code", str_of(failure->code));
    write_xml_text(out, "Message", failure->text);
    if (!json_get(failure->details, "Resource"))
        write_xml_text(out, "Resource", failure->route->path);
    write_xml_details(failure, out);
    write_xml_text(out, "RequestId", failure->request_id);
    write_xml_text(out, "HostId", failure->request_id);
    strbuf_add(out, STR("</Error>"));
}

static void write_query(const Failure *failure, StrBuf *out)
{
    const ServiceShape *service = failure->route->service;
    strbuf_add(out, STR("<ErrorResponse"));
    if (service && service->xml_namespace)
        strbuf_addf(out, " xmlns=\"%s\"", service->xml_namespace);
    strbuf_addf(out, "><Error><Type>%s</Type>", failure->sender ? "Sender" : "Receiver");
    write_xml_text(out, "Code", str_of(failure->code));
    write_xml_text(out, "Message", failure->text);
    write_xml_details(failure, out);
    strbuf_add(out, STR("</Error>"));
    write_xml_text(out, "RequestId", failure->request_id);
    strbuf_add(out, STR("</ErrorResponse>"));
}

void message_write_error(const Route *route, int status, const char *code, Str text,
                         const Json *details, Str request_id, Arena *arena, WireAnswer *ret_answer)
{
    WireAnswer *answer = ret_answer;
    const Shape *shape = error_shape(route, code);
    bool s3 = route->service && strcmp(route->service->name, "s3") == 0;
    if (status == 0 && s3) status = find_status(s3_codes, COUNT(s3_codes), code);
    if (status == 0 && shape) status = shape->error_status;
    if (status == 0) status = find_status(common, COUNT(common), code);
    if (status == 0) status = 400;
    Failure failure = {
        .route = route, .shape = shape, .text = text, .request_id = request_id, .details = details};
    failure.code = shape && shape->error_code ? shape->error_code : code;
    failure.type = shape ? shape->name : code;
    failure.sender = shape ? shape->error_sender : status < 500;
    failure.text_member = shape && member_find(shape, STR("Message")) ? "Message" : "message";

    AUTO_STRBUF StrBuf out = STRBUF(MESSAGE_BYTES_MAX);
    answer->n_fields = 0;
    answer->status = status;
    answer->content_type = (Str){0};
    answer_request_id(route, request_id, answer);
    switch (route->protocol) {
    case PROTOCOL_JSON:
        answer->content_type = answer_json_type(route);
        write_json(&failure, true, &out);
        break;
    case PROTOCOL_REST_JSON:
        answer->content_type = STR("application/json");
        answer_field(answer, STR("x-amzn-ErrorType"), arena_str(arena, str_of(failure.type)));
        write_json(&failure, false, &out);
        break;
    case PROTOCOL_CBOR: {
        answer->content_type = STR("application/cbor");
        answer_field(answer, STR("smithy-protocol"), STR("rpc-v2-cbor"));
        cbor_write_error(&out, failure.type, failure.text_member, text);
        break;
    }
    case PROTOCOL_QUERY:
        answer->content_type = STR("text/xml");
        write_query(&failure, &out);
        break;
    case PROTOCOL_REST_XML:
        if (status == 304 || (route->operation && strcmp(route->operation->method, "HEAD") == 0))
            break;
        answer->content_type = STR("application/xml");
        write_s3(&failure, &out);
        break;
    }
    bool json = route->protocol == PROTOCOL_JSON || route->protocol == PROTOCOL_CBOR;
    if (json && route->service && route->service->query_compatible)
        answer_field(
            answer, STR("x-amzn-query-error"),
            arena_format(arena, "%s;%s", failure.code, failure.sender ? "Sender" : "Receiver"));
    answer->body = arena_str(arena, strbuf_str(&out));
}
