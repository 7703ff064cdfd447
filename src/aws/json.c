/* The JSON protocols, and trees by shape, which CBOR shares. */

#include "aws/protocol.h"

#include "aws/digest.h"
#include "aws/text.h"

#include <stdarg.h>
#include <stdio.h>

TreeList tree_list(Arena *arena, JsonType type, size_t n_max)
{
    TreeList list = {arena_new(arena, Json), n_max};
    list.value->type = type;
    if (n_max && type == JSON_OBJECT)
        list.value->members = arena_array(arena, JsonMember, n_max);
    else if (n_max)
        list.value->items = arena_array(arena, const Json *, n_max);
    return list;
}

void tree_list_add(TreeList *list, Str name, const Json *value)
{
    Json *to = list->value;
    assert(to->n < list->capacity);
    if (to->type == JSON_OBJECT)
        ((JsonMember *)(uintptr_t)to->members)[to->n++] = (JsonMember){name, value};
    else
        ((const Json **)(uintptr_t)to->items)[to->n++] = value;
}

/* ---- reading ---- */

static const char *type_of(const Json *value)
{
    switch (value->type) {
    case JSON_BOOL: return value->boolean ? "TRUE_VALUE" : "FALSE_VALUE";
    case JSON_NUMBER:
        return str_find(value->text, '.') < value->text.len ? "DECIMAL_VALUE" : "NUMBER_VALUE";
    case JSON_STRING: return "STRING_VALUE";
    case JSON_OBJECT: return "START_OBJECT";
    case JSON_NULL: return "NULL_VALUE";
    default: return "START_ARRAY";
    }
}

static bool wrong_type(Reading *reading, const char *name, const Json *value, const char *want)
{
    return reading_refuse(reading, "%s can not be converted to %s (member '%s')", type_of(value),
                          want, name ? name : "");
}

static bool is_integer(Str text, int64_t *ret_value)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != '-' && (text.ptr[i] < '0' || text.ptr[i] > '9')) return false;
    return str_to_int64(text, ret_value);
}

static bool is_special(Str text, double *ret_value)
{
    if (!str_is(text, "NaN") && !str_is(text, "Infinity") && !str_is(text, "-Infinity"))
        return false;
    return str_to_double(text, ret_value);
}

static const Json *new_special(Arena *arena, double x)
{
    Json *number = arena_new(arena, Json);
    number->type = JSON_NUMBER;
    number->number = x;
    number->text = str_of(x != x ? "NaN" : x > 0 ? "Infinity" : "-Infinity");
    return number;
}

static bool read_value(Reading *reading, const Shape *shape, const Member *member, const Json *from,
                       bool blobs, int depth, const Json **ret_value);

static bool read_structure(Reading *reading, const Shape *shape, const char *name, const Json *from,
                           bool blobs, int depth, const Json **ret_value)
{
    if (from->type != JSON_OBJECT) return wrong_type(reading, name, from, "a structure");
    TreeList list = tree_list(reading->arena, JSON_OBJECT, from->n);
    for (size_t i = 0; i < from->n; i++) {
        const JsonMember *given = &from->members[i];
        if (given->value->type == JSON_NULL) continue;
        const Member *member = NULL;
        for (int m = 0; m < shape->n_members && !member; m++)
            if (str_is(given->name, shape->members[m].wire)) member = &shape->members[m];
        if (!member) continue;
        const Json *value;
        if (!read_value(reading, member->shape, member, given->value, blobs, depth + 1, &value))
            return false;
        size_t k = 0; /* CBOR may repeat a name: the last one wins, as everywhere */
        while (k < list.value->n && list.value->members[k].name.ptr != member->name) k++;
        if (k < list.value->n)
            ((JsonMember *)(uintptr_t)list.value->members)[k].value = value;
        else
            tree_list_add(&list, str_of(member->name), value);
    }
    *ret_value = list.value;
    return true;
}

static bool read_list(Reading *reading, const Shape *shape, const char *name, const Json *from,
                      bool blobs, int depth, const Json **ret_value)
{
    if (from->type != JSON_ARRAY) return wrong_type(reading, name, from, "a list");
    TreeList list = tree_list(reading->arena, JSON_ARRAY, from->n);
    for (size_t i = 0; i < from->n; i++) {
        const Json *value = from->items[i];
        if (value->type != JSON_NULL && !read_value(reading, shape->members[0].shape, NULL,
                                                    from->items[i], blobs, depth + 1, &value))
            return false;
        tree_list_add(&list, (Str){0}, value);
    }
    *ret_value = list.value;
    return true;
}

static bool read_map(Reading *reading, const Shape *shape, const char *name, const Json *from,
                     bool blobs, int depth, const Json **ret_value)
{
    if (from->type != JSON_OBJECT) return wrong_type(reading, name, from, "a map");
    TreeList list = tree_list(reading->arena, JSON_OBJECT, from->n);
    for (size_t i = 0; i < from->n; i++) {
        const Json *value;
        if (from->members[i].value->type == JSON_NULL) continue;
        if (!read_value(reading, shape->members[1].shape, NULL, from->members[i].value, blobs,
                        depth + 1, &value))
            return false;
        tree_list_add(&list, from->members[i].name, value);
    }
    *ret_value = list.value;
    return true;
}

static bool read_number(Reading *reading, const Shape *shape, const char *name, const Json *from,
                        const Json **ret_value)
{
    bool whole = shape->type == SHAPE_INTEGER || shape->type == SHAPE_LONG;
    double special;
    int64_t integer;
    *ret_value = from;
    if (!whole) {
        if (from->type == JSON_NUMBER) return true;
        if (from->type != JSON_STRING || !is_special(from->text, &special))
            return wrong_type(reading, name, from, shape->type == SHAPE_FLOAT ? "Float" : "Double");
        *ret_value = new_special(reading->arena, special);
        return true;
    }
    const char *want = shape->type == SHAPE_INTEGER ? "Integer" : "Long";
    if (from->type != JSON_NUMBER) return wrong_type(reading, name, from, want);
    if (!is_integer(from->text, &integer) ||
        (shape->type == SHAPE_INTEGER && (integer < INT32_MIN || integer > INT32_MAX)))
        return reading_refuse(reading, "'%.*s' can not be converted to %s (member '%s')",
                              (int)MIN(from->text.len, 64u), from->text.ptr, want,
                              name ? name : "");
    return true;
}

static bool read_value(Reading *reading, const Shape *shape, const Member *member, const Json *from,
                       bool blobs, int depth, const Json **ret_value)
{
    const char *name = member ? member->name : shape->name;
    if (depth > MESSAGE_DEPTH_MAX) return reading_refuse(reading, "nested too deeply");
    *ret_value = from;
    if (shape->is_document) return true;
    switch (shape->type) {
    case SHAPE_STRUCTURE:
        return read_structure(reading, shape, name, from, blobs, depth, ret_value);
    case SHAPE_LIST: return read_list(reading, shape, name, from, blobs, depth, ret_value);
    case SHAPE_MAP: return read_map(reading, shape, name, from, blobs, depth, ret_value);
    case SHAPE_STRING:
        return (from->type == JSON_STRING && !from->boolean) ||
               wrong_type(reading, name, from, "String"); /* CBOR marks bytes */
    case SHAPE_BOOLEAN:
        return from->type == JSON_BOOL || wrong_type(reading, name, from, "Boolean");
    case SHAPE_INTEGER:
    case SHAPE_LONG:
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE: return read_number(reading, shape, name, from, ret_value);
    case SHAPE_TIMESTAMP: {
        double seconds;
        if (from->type == JSON_NUMBER) return true;
        if (from->type != JSON_STRING || !time_read(from->text, TIME_DEFAULT, &seconds))
            return wrong_type(reading, name, from, "Timestamp");
        *ret_value = json_new_double(reading->arena, seconds);
        return true;
    }
    case SHAPE_BLOB: {
        if (from->type != JSON_STRING) return wrong_type(reading, name, from, "Blob");
        if (blobs) return true;
        Str bytes;
        if (!base64_bytes(reading->arena, from->text, &bytes))
            return reading_refuse(reading, "member '%s' is not valid base64", name);
        *ret_value = json_new_text(reading->arena, bytes);
        return true;
    }
    }
    return true;
}

bool tree_read(Reading *reading, const Shape *shape, const Json *from, bool blobs,
               const Json **ret_value)
{
    return read_value(reading, shape, NULL, from, blobs, 0, ret_value);
}

bool json_read(Reading *reading, const Shape *shape, Str body, const Json **ret_value)
{
    const Json *tree;
    if (str_trim(body).len == 0) body = STR("{}");
    Error why = {0};
    if (!json_parse(body, reading->arena, &tree, &why))
        return reading_refuse(reading, "%s", why.text);
    return tree_read(reading, shape, tree, false, ret_value);
}

/* ---- writing ---- */

static void write_value(JsonWriter *writer, const Shape *shape, const Json *value, bool all,
                        int depth);

static void write_structure(JsonWriter *writer, const Shape *shape, const Json *value, bool all,
                            int depth)
{
    assert(value->type == JSON_OBJECT);
    json_begin_object(writer);
    for (size_t i = 0; i < value->n; i++) {
        const Member *member = member_find(shape, value->members[i].name);
        assert(member); /* the handler set what the answer's shape does not have */
        if ((!all && member->location != IN_BODY) || value->members[i].value->type == JSON_NULL)
            continue;
        json_name(writer, str_of(member->wire));
        write_value(writer, member->shape, value->members[i].value, true, depth + 1);
    }
    json_end_object(writer);
}

static void write_value(JsonWriter *writer, const Shape *shape, const Json *value, bool all,
                        int depth)
{
    assert(depth <= MESSAGE_DEPTH_MAX);
    if (shape->is_document || value->type == JSON_NULL) {
        json_value(writer, value);
        return;
    }
    switch (shape->type) {
    case SHAPE_STRUCTURE: write_structure(writer, shape, value, all, depth); return;
    case SHAPE_LIST:
        assert(value->type == JSON_ARRAY);
        json_begin_array(writer);
        for (size_t i = 0; i < value->n; i++)
            write_value(writer, shape->members[0].shape, value->items[i], true, depth + 1);
        json_end_array(writer);
        return;
    case SHAPE_MAP:
        assert(value->type == JSON_OBJECT);
        json_begin_object(writer);
        for (size_t i = 0; i < value->n; i++) {
            if (value->members[i].value->type == JSON_NULL) continue;
            json_name(writer, value->members[i].name);
            write_value(writer, shape->members[1].shape, value->members[i].value, true, depth + 1);
        }
        json_end_object(writer);
        return;
    case SHAPE_BLOB: {
        assert(value->type == JSON_STRING);
        ARENA(scratch);
        json_string(writer, base64_text(&scratch, value->text));
        return;
    }
    case SHAPE_STRING: assert(value->type == JSON_STRING); break;
    case SHAPE_BOOLEAN: assert(value->type == JSON_BOOL); break;
    default:
        assert(value->type == JSON_NUMBER);
        if (value->number - value->number != 0) { /* the wire has words for these */
            double x = value->number;
            json_string(writer, str_of(x != x ? "NaN" : x > 0 ? "Infinity" : "-Infinity"));
            return;
        }
        if (shape->type == SHAPE_INTEGER || shape->type == SHAPE_LONG) {
            int64_t integer;
            if (is_integer(value->text, &integer))
                json_int(writer, integer);
            else
                json_int(writer, (int64_t)value->number);
            return;
        }
    }
    json_value(writer, value);
}

void json_write_body(StrBuf *out, const Shape *shape, const Json *value, bool all)
{
    JsonWriter writer = JSON_WRITER(out);
    write_value(&writer, shape, value, all, 0);
}
