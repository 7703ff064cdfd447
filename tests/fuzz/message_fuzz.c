/* A whole request: the first line is the credential scope's service, the rest HTTP.  What was read must also be
 * a valid tree for message_check, and fit on the wire as an error's details. */

#include "aws/message.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static HttpRequest request;
    static WireAnswer answer;
    Str text = {(const char *)data, size};
    size_t line = str_find(text, '\n');
    Str scope = str_slice(text, 0, line), bytes = str_from(text, line < size ? line + 1 : size);
    http_request_init(&request, bytes.ptr);
    if (http_request_parse(&request, bytes.len, &http_limits) == HTTP_REFUSED ||
        request.head_len == 0)
        return 0;
    ARENA(arena);
    Str body = str_from(bytes, request.head_len);
    Route route;
    route_find(&request, (Str){0}, scope, &route);
    const Json *message = NULL;
    const char *code = "NotFound";
    Error err = {0};
    bool unpacked = message_unpack(&route, &request, &body, &arena, &code, &err);
    if (!route.operation) route_find(&request, body, scope, &route);
    if (unpacked && route.operation &&
        message_read(&route, &request, body, &arena, &message, &code, &err)) {
        if (route.operation->input && route.protocol != PROTOCOL_REST_XML &&
            !message_check(route.operation->input, message, &code, &err))
            abort();
        if (json_text(&arena, message).len == 0) abort();
    }
    message_write_error(&route, 0, code, str_of(err.text), message, STR("id"), &arena, &answer);
    if (answer.status < 300) abort();
    return 0;
}
