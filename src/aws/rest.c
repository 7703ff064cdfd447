/* The two REST protocols: members of a message lie in path, query, headers and body. */

#include "aws/protocol.h"

#include "aws/digest.h"
#include "aws/text.h"
#include "format/utf8.h"

#include <stdio.h>

/* ---- scalars ---- */

bool scalar_read(Reading *reading, const Shape *shape, TimeForm form, Str text, const char *name,
                 const Json **ret_value)
{
    Str shown = str_slice(text, 0, MIN(text.len, 64u));
    double number;
    int64_t integer;
    switch (shape->type) {
    case SHAPE_BOOLEAN:
        if (!str_eq_nocase(text, STR("true")) && !str_eq_nocase(text, STR("false"))) break;
        *ret_value = json_new_bool(reading->arena, text.len == 4);
        return true;
    case SHAPE_INTEGER:
    case SHAPE_LONG:
        if (!str_to_int64(text, &integer)) break;
        if (shape->type == SHAPE_INTEGER && (integer < INT32_MIN || integer > INT32_MAX)) break;
        *ret_value = json_new_int(reading->arena, integer);
        return true;
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE: {
        if (!str_to_double(text, &number)) break;
        Json *value = arena_new(reading->arena, Json);
        value->type = JSON_NUMBER;
        value->number = number;
        value->text = number - number == 0 ? json_new_double(reading->arena, number)->text
                                           : str_of(number != number ? "NaN"
                                                    : number > 0     ? "Infinity"
                                                                     : "-Infinity");
        *ret_value = value;
        return true;
    }
    case SHAPE_TIMESTAMP:
        if (!time_read(text, form == TIME_UNIX ? TIME_UNIX : TIME_DEFAULT, &number)) break;
        *ret_value = json_new_double(reading->arena, number);
        return true;
    case SHAPE_BLOB: {
        Str bytes;
        if (!base64_bytes(reading->arena, text, &bytes)) break;
        *ret_value = json_new_text(reading->arena, bytes);
        return true;
    }
    default:
        if (utf8_check(text) != text.len) return reading_refuse(reading, "'%s' is not UTF-8", name);
        *ret_value = json_new_text(reading->arena, text);
        return true;
    }
    static const char *const words[] = {
        [SHAPE_BOOLEAN] = "a boolean", [SHAPE_INTEGER] = "an integer", [SHAPE_LONG] = "an integer",
        [SHAPE_FLOAT] = "a number",    [SHAPE_DOUBLE] = "a number",    [SHAPE_TIMESTAMP] = "a time",
        [SHAPE_BLOB] = "base64",
    };
    return reading_refuse(reading, "'%.*s' is not %s (member '%s')", STR_ARG(shown),
                          words[shape->type], name);
}

void scalar_write(StrBuf *out, const Shape *shape, TimeForm form, const Json *value, bool ms)
{
    switch (shape->type) {
    case SHAPE_BOOLEAN:
        assert(value->type == JSON_BOOL);
        strbuf_add(out, str_of(value->boolean ? "true" : "false"));
        return;
    case SHAPE_BLOB:
        assert(value->type == JSON_STRING);
        {
            ARENA(scratch);
            strbuf_add(out, base64_text(&scratch, value->text));
            return;
        }
    case SHAPE_TIMESTAMP:
        assert(value->type == JSON_NUMBER);
        time_write(out, value->number, form, ms);
        return;
    case SHAPE_INTEGER:
    case SHAPE_LONG: {
        assert(value->type == JSON_NUMBER);
        int64_t integer;
        if (!str_to_int64(value->text, &integer)) integer = (int64_t)value->number;
        strbuf_addf(out, "%lld", (long long)integer);
        return;
    }
    default:
        assert(value->type == JSON_NUMBER || value->type == JSON_STRING);
        strbuf_add(out, value->text);
    }
}

/* ---- reading ---- */

/* What a header or query value may be: a scalar, or a list of them with commas between. */
static bool read_text(Reading *reading, const Member *member, Str text, const Json **ret_value)
{
    TimeForm form = member->time ? member->time : member->shape->time;
    if (member->shape->type != SHAPE_LIST)
        return scalar_read(reading, member->shape, form, text, member->name, ret_value);
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++) n += text.ptr[i] == ',';
    TreeList list = tree_list(reading->arena, JSON_ARRAY, n);
    Str part;
    while (str_next(&text, ',', &part)) {
        const Json *value;
        if (!scalar_read(reading, member->shape->members[0].shape, TIME_DEFAULT, str_trim(part),
                         member->name, &value))
            return false;
        tree_list_add(&list, (Str){0}, value);
    }
    *ret_value = list.value;
    return true;
}

static bool decode(Reading *reading, Str text, bool plus, const char *name, Str *ret_text)
{
    return percent_read(reading->arena, text, plus, ret_text) ||
           reading_refuse(reading, "'%s': a percent sign is not followed by two hexadecimal digits",
                          name);
}

/* A list is a parameter that repeats; a map is every parameter. */
static bool read_query(Reading *reading, const Member *member, Str query, const Json **ret_value)
{
    const Shape *shape = member->shape;
    bool list = shape->type == SHAPE_LIST;
    if (shape->type == SHAPE_MAP) return true; /* none of the services served here has one */
    size_t n = 0;
    Str rest = query, name, value;
    while (form_next(&rest, &name, &value)) n += str_is(name, member->wire);
    if (n == 0) return true;
    TreeList items = tree_list(reading->arena, JSON_ARRAY, n);
    rest = query;
    while (form_next(&rest, &name, &value)) {
        const Json *read;
        const Shape *inner = list ? shape->members[0].shape : shape;
        TimeForm form = inner->time ? inner->time : TIME_DEFAULT;
        if (!str_is(name, member->wire)) continue;
        if (!decode(reading, value, true, member->name, &value) ||
            !scalar_read(reading, inner, form, value, member->name, &read))
            return false;
        tree_list_add(&items, (Str){0}, read);
        if (!list) {
            *ret_value = read;
            return true;
        }
    }
    *ret_value = items.value;
    return true;
}

static Str lower(Arena *arena, Str text)
{
    Str copy = arena_str(arena, text);
    for (size_t i = 0; i < copy.len; i++) {
        char *c = (char *)(uintptr_t)copy.ptr + i;
        if (*c >= 'A' && *c <= 'Z') *c = (char)(*c + 32);
    }
    return copy;
}

/* Headers that begin with `wire`, names in lower case without it. */
static bool read_prefix(Reading *reading, const Member *member, const HttpRequest *request,
                        const Json **ret_value)
{
    Str prefix = str_of(member->wire);
    TreeList list = tree_list(reading->arena, JSON_OBJECT, request->n_fields);
    for (int i = 0; i < request->n_fields; i++) {
        const HttpField *field = &request->fields[i];
        Str name = http_text(request, field->name, field->name_len);
        if (name.len <= prefix.len || !str_eq_nocase(str_slice(name, 0, prefix.len), prefix))
            continue;
        Str key = lower(reading->arena, str_from(name, prefix.len));
        bool again = false;
        for (size_t k = 0; k < list.value->n && !again; k++)
            again = str_eq(list.value->members[k].name, key);
        if (!again)
            tree_list_add(&list, key, json_new_text(reading->arena, http_field_value(request, i)));
    }
    if (list.value->n) *ret_value = list.value;
    return true;
}

static bool read_payload(Reading *reading, const Member *member, Str body, const Json **ret_value)
{
    const Shape *shape = member->shape;
    if (reading->route->operation->streams_in || shape->is_event_stream) return true;
    if (shape->type == SHAPE_BLOB || shape->type == SHAPE_STRING) {
        if (body.len || member->required) *ret_value = json_new_text(reading->arena, body);
        return true;
    }
    if (str_trim(body).len == 0) return true;
    return reading->route->protocol == PROTOCOL_REST_XML
               ? xml_read(reading, shape, body, ret_value)
               : json_read(reading, shape, body, ret_value);
}

bool rest_read(Reading *reading, const HttpRequest *request, Str body, const Json **ret_value)
{
    const Route *route = reading->route;
    const OperationShape *operation = route->operation;
    const Shape *shape = operation->input;
    Str query = http_text(request, request->query_at, request->query_len);
    const Json *in_body = NULL;
    bool has_body = false;
    for (int m = 0; m < shape->n_members; m++) has_body |= shape->members[m].location == IN_BODY;
    if (!shape->payload && has_body && str_trim(body).len) {
        bool ok = route->protocol == PROTOCOL_REST_XML ? xml_read(reading, shape, body, &in_body)
                                                       : json_read(reading, shape, body, &in_body);
        if (!ok) return false;
    }
    TreeList list = tree_list(reading->arena, JSON_OBJECT, (size_t)shape->n_members);
    for (int m = 0; m < shape->n_members; m++) {
        const Member *member = &shape->members[m];
        const Json *value = NULL;
        Str text = {0};
        bool ok = true;
        switch (member->location) {
        case IN_URI:
            text = uri_label(operation, http_path(request), route->bucket, member->wire);
            ok = !text.ptr ||
                 (decode(reading, text, false, member->name, &text) &&
                  scalar_read(reading, member->shape, TIME_DEFAULT, text, member->name, &value));
            break;
        case IN_QUERY: ok = read_query(reading, member, query, &value); break;
        case IN_HEADER:
            text = http_field(request, str_of(member->wire));
            ok = !text.ptr || read_text(reading, member, text, &value);
            break;
        case IN_HEADERS: ok = read_prefix(reading, member, request, &value); break;
        case IN_STATUS: break;
        case IN_BODY:
            if (shape->payload && strcmp(shape->payload, member->name) == 0)
                ok = read_payload(reading, member, body, &value);
            else
                value = in_body ? json_get(in_body, member->name) : NULL;
            break;
        }
        if (!ok) {
            if (member->location != IN_BODY && route->protocol == PROTOCOL_REST_XML)
                reading->code = "InvalidArgument";
            return false;
        }
        if (value) tree_list_add(&list, str_of(member->name), value);
    }
    *ret_value = list.value;
    return true;
}

/* ---- writing ---- */

static Str header_text(Arena *arena, const Member *member, const Json *value)
{
    AUTO_STRBUF StrBuf out = STRBUF(HTTP_FIELD_BYTES_MAX);
    TimeForm form = member->time          ? member->time
                    : member->shape->time ? member->shape->time
                                          : TIME_RFC822;
    if (member->shape->type == SHAPE_LIST)
        for (size_t i = 0; i < value->n; i++) {
            if (i) strbuf_add_char(&out, ',');
            scalar_write(&out, member->shape->members[0].shape, form, value->items[i], false);
        }
    else
        scalar_write(&out, member->shape, form, value, false);
    return arena_str(arena, strbuf_str(&out));
}

static void write_header(const Member *member, const Json *value, Arena *arena, WireAnswer *answer)
{
    Str name = str_of(member->wire);
    if (member->location == IN_STATUS)
        answer->status = (int)value->number;
    else if (member->location == IN_HEADERS)
        for (size_t i = 0; i < value->n; i++)
            answer_field(
                answer,
                arena_format(arena, "%s%.*s", member->wire, STR_ARG(value->members[i].name)),
                value->members[i].value->text);
    else if (str_eq_nocase(name, STR("content-type")))
        answer->content_type = header_text(arena, member, value);
    else if (!str_eq_nocase(name, STR("content-length"))) /* the HTTP server's own */
        answer_field(answer, name, header_text(arena, member, value));
}

static void write_root(StrBuf *body, const Route *route, const char *name, const Shape *shape,
                       const Json *value, const Member *member)
{
    const char *space = member && member->xml_namespace ? member->xml_namespace
                        : shape->xml_namespace          ? shape->xml_namespace
                                                        : route->service->xml_namespace;
    bool s3 = strcmp(route->service->name, "s3") == 0;
    strbuf_add(body, STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"));
    strbuf_addf(body, "<%s", name);
    if (space) strbuf_addf(body, " xmlns=\"%s\"", space);
    strbuf_add_char(body, '>');
    /* S3's oldest answer has no element in its top element. */
    const Json *location = strcmp(name, "LocationConstraint") == 0
                               ? json_get(value, "LocationConstraint")
                               : NULL;
    if (location)
        xml_write_text(body, location->text);
    else
        xml_write_members(body, shape, value, s3);
    strbuf_addf(body, "</%s>", name);
}

void rest_write(const Route *route, const Json *message, Arena *arena, StrBuf *body,
                WireAnswer *answer)
{
    const OperationShape *operation = route->operation;
    const Shape *shape = operation->output;
    bool xml = route->protocol == PROTOCOL_REST_XML;
    if (!shape) return;
    bool has_body = false;
    for (int m = 0; m < shape->n_members; m++) has_body |= shape->members[m].location == IN_BODY;
    for (size_t i = 0; i < message->n; i++) {
        const Member *member = member_find(shape, message->members[i].name);
        assert(member); /* the handler set what the answer's shape does not have */
        if (member->location != IN_BODY && message->members[i].value->type != JSON_NULL)
            write_header(member, message->members[i].value, arena, answer);
    }
    if (operation->event_stream_out) {
        answer->content_type = STR("application/vnd.amazon.eventstream");
    } else if (operation->streams_out) {
        if (!answer->content_type.len) answer->content_type = STR("binary/octet-stream");
    } else if (shape->payload) {
        const Member *member = member_find(shape, str_of(shape->payload));
        const Json *value = json_get(message, member->name);
        if (!value) return;
        if (member->shape->type == SHAPE_BLOB || member->shape->type == SHAPE_STRING) {
            strbuf_add(body, value->text);
            if (!answer->content_type.len)
                answer->content_type = xml && member->shape->type == SHAPE_STRING
                                           ? STR("application/json")
                                           : STR("application/octet-stream");
        } else if (xml) {
            write_root(body, route, member->wire, member->shape, value, member);
            answer->content_type = STR("application/xml");
        } else {
            json_write_body(body, member->shape, value, true);
            answer->content_type = STR("application/json");
        }
    } else if (has_body && xml) {
        write_root(body, route, shape->location_name ? shape->location_name : shape->name, shape,
                   message, NULL);
        answer->content_type = STR("application/xml");
    } else if (!xml) {
        json_write_body(body, shape, message, false);
        answer->content_type = STR("application/json");
    }
}
