/* Requests into trees and answers onto the wire: the parts that protocols share, and errors. */

#include "aws/protocol.h"

#include "aws/text.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- reading ---- */

bool reading_refuse(Reading *reading, const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (!reading->code)
        reading->code = !reading->route                                 ? "ValidationException"
                        : reading->route->protocol == PROTOCOL_REST_XML ? "MalformedXML"
                        : reading->route->protocol == PROTOCOL_QUERY    ? "MalformedInput"
                                                                        : "SerializationException";
    return error_set(reading->err, ERROR_INVALID, "%s", text);
}

bool message_read(const Route *route, const HttpRequest *request, Str body, Arena *arena,
                  const Json **ret_message, const char **ret_code, Error *err)
{
    const Shape *shape = route->operation->input;
    Reading reading = {.route = route, .arena = arena, .err = err};
    const Json *message = json_new_object(arena);
    bool ok = true;
    (void)request;
    if (shape) {
        switch (route->protocol) {
        case PROTOCOL_JSON: ok = json_read(&reading, shape, body, &message); break;
        default: ok = reading_refuse(&reading, "this protocol is not served"); break;
        }
        ok = ok && validate(&reading, shape, message);
    }
    if (!ok) {
        *ret_code = reading.code;
        return false;
    }
    *ret_message = message;
    return true;
}

bool message_check(const Shape *shape, const Json *value, const char **ret_code, Error *err)
{
    ARENA(scratch);
    Reading reading = {.arena = &scratch, .err = err};
    const Json *typed;
    if (tree_read(&reading, shape, value, true, &typed) && validate(&reading, shape, typed))
        return true;
    *ret_code = reading.code;
    return false;
}

/* ---- answers ---- */

static void add_field(WireAnswer *answer, Str name, Str value)
{
    assert((size_t)answer->n_fields < COUNT(answer->fields));
    answer->fields[answer->n_fields++] = (WireField){name, value};
}

static Str json_content_type(const Route *route)
{
    const char *version = route->service && route->service->json_version
                              ? route->service->json_version
                              : "1.1";
    return strcmp(version, "1.0") == 0 ? STR("application/x-amz-json-1.0")
                                       : STR("application/x-amz-json-1.1");
}

void message_write(const Route *route, const Json *message, Str request_id, Arena *arena,
                   WireAnswer *ret_answer)
{
    WireAnswer *answer = ret_answer;
    const OperationShape *operation = route->operation;
    AUTO_STRBUF StrBuf out = STRBUF(MESSAGE_BYTES_MAX);
    answer->n_fields = 0;
    answer->status = operation->status;
    answer->content_type = (Str){0};
    add_field(answer, STR("x-amzn-RequestId"), request_id);
    if (!message) message = json_new_object(arena);
    switch (route->protocol) {
    case PROTOCOL_JSON:
        answer->content_type = json_content_type(route);
        if (operation->output) json_write_body(&out, operation->output, message, true);
        break;
    default: break;
    }
    answer->body = arena_str(arena, strbuf_str(&out));
}

/* ---- errors ---- */

static const Shape *error_shape(const Route *route, const char *code)
{
    if (!route->operation) return NULL;
    for (const Shape *const *error = route->operation->errors; *error; error++)
        if (strcmp((*error)->name, code) == 0 ||
            ((*error)->error_code && strcmp((*error)->error_code, code) == 0))
            return *error;
    return NULL;
}

void message_write_error(const Route *route, int status, const char *code, Str text,
                         const Json *details, Str request_id, Arena *arena, WireAnswer *ret_answer)
{
    WireAnswer *answer = ret_answer;
    const Shape *shape = error_shape(route, code);
    AUTO_STRBUF StrBuf out = STRBUF(MESSAGE_BYTES_MAX);
    (void)details;
    if (status == 0) status = shape && shape->error_status ? shape->error_status : 400;
    answer->n_fields = 0;
    answer->status = status;
    add_field(answer, STR("x-amzn-RequestId"), request_id);
    answer->content_type = json_content_type(route);
    JsonWriter writer = JSON_WRITER(&out);
    json_begin_object(&writer);
    json_member_string(&writer, "__type", str_of(shape ? shape->name : code));
    json_member_string(&writer, shape && member_find(shape, STR("Message")) ? "Message" : "message",
                       text);
    json_end_object(&writer);
    answer->body = arena_str(arena, strbuf_str(&out));
}
