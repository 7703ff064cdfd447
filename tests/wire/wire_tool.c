/* Reads commands from standard input, each a line and so many bytes behind it, and answers with a line of
 * JSON.  Blobs are base64 in the trees it shows and takes.
 *
 *   request SCOPE LENGTH              an HTTP request: how it is routed and read
 *   answer SERVICE OPERATION PROTOCOL LENGTH      a tree: the answer on the wire
 *   error SERVICE OPERATION PROTOCOL CODE LENGTH  a text: the error on the wire
 *   frame LENGTH                      a payload: an event frame with two headers
 *   pattern LENGTH                    PATTERN, a byte 0, TEXT: what the pattern finds in the text */

#include "aws/digest.h"
#include "aws/message.h"
#include "base/strbuf.h"
#include "format/regex.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const protocols[] = {"json", "rest-json", "rest-xml", "query", "cbor"};

/* The tree with every blob as base64, or back. */
static const Json *convert(Arena *arena, const Shape *shape, const Json *value, bool encode)
{
    if (value->type == JSON_NULL || shape->is_document) return value;
    switch (shape->type) {
    case SHAPE_STRUCTURE:
    case SHAPE_MAP: {
        Json *object = json_new_object(arena);
        for (size_t i = 0; i < value->n; i++) {
            const JsonMember *given = &value->members[i];
            const Member *member = shape->type == SHAPE_MAP ? &shape->members[1]
                                                            : member_find(shape, given->name);
            if (member)
                json_set_str(arena, object, given->name,
                             convert(arena, member->shape, given->value, encode));
        }
        return object;
    }
    case SHAPE_LIST: {
        Json *array = json_new_array(arena);
        for (size_t i = 0; i < value->n; i++)
            json_push(arena, array,
                      convert(arena, shape->members[0].shape, value->items[i], encode));
        return array;
    }
    case SHAPE_BLOB: {
        Str bytes = value->text;
        if (encode) return json_new_text(arena, base64_text(arena, bytes));
        if (!base64_bytes(arena, value->text, &bytes)) exit(2);
        return json_new_text(arena, bytes);
    }
    default: return value;
    }
}

static void read_request(Arena *arena, const char *scope, Str bytes, Json *out)
{
    static HttpRequest request;
    http_request_init(&request, bytes.ptr);
    if (http_request_parse(&request, bytes.len, &http_limits) == HTTP_REFUSED) {
        json_set_text(arena, out, "refused", str_of(request.reason));
        return;
    }
    Str body = str_from(bytes, request.head_len);
    Route route;
    route_find(&request, (Str){0}, str_of(scope), &route);
    if (!route.operation) route_find(&request, body, str_of(scope), &route);
    if (route.service) json_set_text(arena, out, "service", str_of(route.service->name));
    json_set_text(arena, out, "protocol", str_of(protocols[route.protocol]));
    if (!route.operation) return;
    json_set_text(arena, out, "operation", str_of(route.operation->name));
    const Json *message;
    const char *code = NULL;
    Error err = {0};
    if (!message_read(&route, &request, body, arena, &message, &code, &err)) {
        json_set_text(arena, out, "code", str_of(code));
        json_set_text(arena, out, "text", arena_str(arena, str_of(err.text)));
        return;
    }
    json_set(arena, out, "message",
             route.operation->input ? convert(arena, route.operation->input, message, true)
                                    : message);
}

static Route route_to(const char *service, const char *operation, const char *protocol)
{
    Route route = {.service = service_shape_find(str_of(service)), .path = STR("/a/b")};
    if (route.service) route.operation = operation_shape_find(route.service, str_of(operation));
    for (int i = 0; i < (int)COUNT(protocols); i++)
        if (strcmp(protocol, protocols[i]) == 0) route.protocol = (Protocol)i;
    if (!route.operation) {
        fprintf(stderr, "no operation %s of %s\n", operation, service);
        exit(2);
    }
    return route;
}

static void show_answer(Arena *arena, const WireAnswer *answer, Json *out)
{
    json_set_int(arena, out, "status", answer->status);
    json_set_text(arena, out, "type", answer->content_type);
    Json *fields = json_new_array(arena);
    for (int i = 0; i < answer->n_fields; i++) {
        Json *pair = json_new_array(arena);
        json_push(arena, pair, json_new_text(arena, answer->fields[i].name));
        json_push(arena, pair, json_new_text(arena, answer->fields[i].value));
        json_push(arena, fields, pair);
    }
    json_set(arena, out, "fields", fields);
    json_set_text(arena, out, "body", base64_text(arena, answer->body));
}

static bool run(char *line)
{
    static WireAnswer answer;
    ARENA(arena);
    char *word[6] = {0};
    int n = 0;
    for (char *rest = line, *end; n < 6 && *rest; rest = end) {
        word[n++] = rest;
        end = rest + strcspn(rest, " \n");
        if (*end) *end++ = 0;
    }
    if (n < 2) return false;
    size_t length = (size_t)strtoull(word[n - 1], NULL, 10);
    char *bytes = arena_alloc(&arena, length + 64);
    if (fread(bytes, 1, length, stdin) != length) return false;
    Str payload = {bytes, length};
    Json *out = json_new_object(&arena);
    Error err = {0};
    if (strcmp(word[0], "request") == 0 && n == 3) {
        read_request(&arena, strcmp(word[1], "-") ? word[1] : "", payload, out);
    } else if (strcmp(word[0], "answer") == 0 && n == 5) {
        Route route = route_to(word[1], word[2], word[3]);
        const Json *tree;
        if (!json_parse(payload, &arena, &tree, &err)) return false;
        if (route.operation->output) tree = convert(&arena, route.operation->output, tree, false);
        message_write(&route, tree, STR("request-1"), &arena, &answer);
        show_answer(&arena, &answer, out);
    } else if (strcmp(word[0], "error") == 0 && n == 6) {
        Route route = route_to(word[1], word[2], word[3]);
        message_write_error(&route, 0, word[4], payload, NULL, STR("request-1"), &arena, &answer);
        show_answer(&arena, &answer, out);
    } else if (strcmp(word[0], "frame") == 0) {
        AUTO_STRBUF StrBuf frame = STRBUF(1 << 20);
        WireField headers[] = {{STR(":event-type"), STR("PayloadPart")},
                               {STR(":message-type"), STR("event")}};
        event_frame_write(&frame, headers, 2, payload);
        json_set_text(&arena, out, "body", base64_text(&arena, strbuf_str(&frame)));
    } else if (strcmp(word[0], "pattern") == 0) {
        AUTO(regex_free) Regex *regex = NULL;
        size_t zero = str_find(payload, '\0');
        Str text = zero < length ? str_from(payload, zero + 1) : STR(""), groups[REGEX_GROUPS_MAX];
        if (!regex_new(str_slice(payload, 0, zero), REGEX_OURS, &regex, &err)) {
            json_set_text(&arena, out, "refused", arena_str(&arena, str_of(err.text)));
        } else {
            json_set_bool(&arena, out, "whole", regex_matches(regex, text));
            Json *found = json_new_array(&arena);
            if (regex_search(regex, text, groups))
                for (int i = 0; i < regex_groups(regex); i++)
                    json_push(&arena, found,
                              groups[i].ptr ? json_new_text(&arena, groups[i])
                                            : json_new_bool(&arena, false));
            json_set(&arena, out, "groups", found);
        }
    } else {
        fprintf(stderr, "what is '%s'?\n", word[0]);
        return false;
    }
    Str text = json_text(&arena, out);
    printf("%.*s\n", STR_ARG(text));
    fflush(stdout);
    return true;
}

int main(void)
{
    static char line[512];
    while (fgets(line, sizeof line, stdin))
        if (!run(line)) return 2;
    return 0;
}
