/* Requests into trees and answers onto the wire: the parts that protocols share. */

#include "aws/message.h"

#include "aws/protocol.h"
#include "aws/text.h"
#include "format/compress.h"

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
    if (!reading->code) {
        bool rest_xml = reading->route && reading->route->protocol == PROTOCOL_REST_XML;
        bool query = reading->route && reading->route->protocol == PROTOCOL_QUERY;
        reading->code = !reading->route ? "ValidationException"
                        : rest_xml      ? "MalformedXML"
                        : query         ? "MalformedInput"
                                        : "SerializationException";
    }
    return error_set(reading->err, ERROR_INVALID, "%s", text);
}

static bool inflate(Reading *reading, Str *body)
{
    AUTO_STRBUF StrBuf out = STRBUF(INFLATED_BYTES_MAX);
    AUTO(unpacker_free) Unpacker *unpacker = NULL;
    Error why = {0};
    if (!unpacker_new(PACKING_GZIP, &unpacker, &why))
        return reading_refuse(reading, "%s", why.text);
    Str rest = *body;
    for (;;) {
        size_t n, room = MIN((size_t)64 << 10, INFLATED_BYTES_MAX - out.len);
        if (room == 0)
            return reading_refuse(reading, "more than %d bytes when unpacked", INFLATED_BYTES_MAX);
        char *to = strbuf_reserve(&out, room);
        if (!unpacker_run(unpacker, &rest, to, room, &n, &why))
            return reading_refuse(reading, "%s", why.text);
        out.len += n;
        if (n < room && rest.len == 0) break;
    }
    if (!unpacker_finish(unpacker, &why)) return reading_refuse(reading, "%s", why.text);
    *body = arena_str(reading->arena, strbuf_str(&out));
    return true;
}

bool message_unpack(const Route *route, const HttpRequest *request, Str *body, Arena *arena,
                    const char **ret_code, Error *err)
{
    Reading reading = {.route = route, .arena = arena, .err = err};
    if (route->protocol == PROTOCOL_REST_JSON || route->protocol == PROTOCOL_REST_XML ||
        !str_eq_nocase(http_field(request, STR("content-encoding")), STR("gzip")) ||
        inflate(&reading, body))
        return true;
    *ret_code = reading.code;
    return false;
}

static bool read_message(Reading *reading, const HttpRequest *request, Str body,
                         const Json **ret_message)
{
    const Shape *shape = reading->route->operation->input;
    Protocol protocol = reading->route->protocol;
    switch (protocol) {
    case PROTOCOL_JSON: return json_read(reading, shape, body, ret_message);
    case PROTOCOL_CBOR: return cbor_read(reading, shape, body, ret_message);
    case PROTOCOL_REST_JSON:
    case PROTOCOL_REST_XML: return rest_read(reading, request, body, ret_message);
    case PROTOCOL_QUERY: break;
    }
    Str query = http_text(request, request->query_at, request->query_len);
    return query_read(reading, shape, form_find(query, "Action").ptr ? query : body, ret_message);
}

bool message_read(const Route *route, const HttpRequest *request, Str body, Arena *arena,
                  const Json **ret_message, const char **ret_code, Error *err)
{
    const Shape *shape = route->operation->input;
    Reading reading = {.route = route, .arena = arena, .err = err};
    const Json *message = NULL;
    if (!shape) {
        *ret_message = json_new_object(arena);
        return true;
    }
    if (read_message(&reading, request, body, &message) && validate(&reading, shape, message)) {
        *ret_message = message;
        return true;
    }
    *ret_code = reading.code;
    return false;
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

void answer_field(WireAnswer *answer, Str name, Str value)
{
    assert((size_t)answer->n_fields < COUNT(answer->fields));
    answer->fields[answer->n_fields++] = (WireField){name, value};
}

Str answer_json_type(const Route *route)
{
    const char *version = route->service && route->service->json_version
                              ? route->service->json_version
                              : "1.1";
    return strcmp(version, "1.0") == 0 ? STR("application/x-amz-json-1.0")
                                       : STR("application/x-amz-json-1.1");
}

void answer_request_id(const Route *route, Str request_id, WireAnswer *answer)
{
    if (route->service && strcmp(route->service->name, "s3") == 0) {
        answer_field(answer, STR("x-amz-request-id"), request_id);
        answer_field(answer, STR("x-amz-id-2"), request_id);
    } else {
        answer_field(answer, STR("x-amzn-RequestId"), request_id);
    }
}

static void write_query(const Route *route, const Json *message, Str request_id, StrBuf *out)
{
    const char *name = route->operation->name;
    strbuf_addf(out, "<%sResponse", name);
    if (route->service->xml_namespace)
        strbuf_addf(out, " xmlns=\"%s\"", route->service->xml_namespace);
    strbuf_add_char(out, '>');
    if (route->operation->output) {
        strbuf_addf(out, "<%sResult>", name);
        xml_write_members(out, route->operation->output, message, false);
        strbuf_addf(out, "</%sResult>", name);
    }
    strbuf_add(out, STR("<ResponseMetadata><RequestId>"));
    xml_write_text(out, request_id);
    strbuf_addf(out, "</RequestId></ResponseMetadata></%sResponse>", name);
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
    answer_request_id(route, request_id, answer);
    if (!message) message = json_new_object(arena);
    switch (route->protocol) {
    case PROTOCOL_JSON:
        answer->content_type = operation->event_stream_out
                                   ? STR("application/vnd.amazon.eventstream")
                                   : answer_json_type(route);
        if (operation->output && !operation->event_stream_out)
            json_write_body(&out, operation->output, message, true);
        break;
    case PROTOCOL_CBOR:
        answer_field(answer, STR("smithy-protocol"), STR("rpc-v2-cbor"));
        if (!operation->output) break;
        answer->content_type = STR("application/cbor");
        cbor_write(&out, operation->output, message);
        break;
    case PROTOCOL_QUERY:
        answer->content_type = STR("text/xml");
        write_query(route, message, request_id, &out);
        break;
    case PROTOCOL_REST_JSON:
    case PROTOCOL_REST_XML: rest_write(route, message, arena, &out, answer); break;
    }
    assert(!out.overflow);
    answer->body = arena_str(arena, strbuf_str(&out));
}
