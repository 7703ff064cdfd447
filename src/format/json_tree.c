/* JSON trees: built by the readers from the inside out, asked by name and position. */

#include "format/json_tree.h"

#include <math.h>
#include <stdlib.h>

void json_builder_push(JsonBuilder *builder, Str name, const Json *value)
{
    if (builder->n == builder->capacity) {
        size_t capacity = MAX(builder->capacity * 2, (size_t)64);
        builder->open = arena_grow(builder->scratch, builder->open, builder->n, capacity,
                                   sizeof(JsonMember));
        builder->capacity = capacity;
    }
    builder->open[builder->n++] = (JsonMember){name, value};
}

typedef struct Position {
    Str name;
    size_t i;
} Position;

static int compare_positions(const void *a, const void *b)
{
    const Position *x = a, *y = b;
    int order = str_compare(x->name, y->name);
    return order ? order : (x->i > y->i) - (x->i < y->i);
}

/* Of members with one name the last value stays, at the place of the first.  Sorting bounds the time
 * for any set of names. */
static size_t remove_repeated(JsonMember *members, size_t n, Arena *scratch)
{
    if (n < 2) return n;
    Position *positions = arena_array(scratch, Position, n);
    for (size_t i = 0; i < n; i++) positions[i] = (Position){members[i].name, i};
    qsort(positions, n, sizeof *positions, compare_positions);
    size_t removed = 0;
    for (size_t begin = 0, end; begin < n; begin = end) {
        for (end = begin + 1; end < n && str_eq(positions[end].name, positions[begin].name);
             end++) {
            members[positions[begin].i].value = members[positions[end].i].value;
            members[positions[end].i].value = NULL;
            removed++;
        }
    }
    if (!removed) return n;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (members[i].value) members[kept++] = members[i];
    return kept;
}

static bool has_repeated(const JsonMember *members, size_t n)
{
    if (n > 16) return true; /* not known: sort */
    for (size_t i = 1; i < n; i++)
        for (size_t j = 0; j < i; j++)
            if (str_eq(members[i].name, members[j].name)) return true;
    return false;
}

static void close_object(JsonBuilder *builder, size_t begin, Json *object)
{
    JsonMember *open = builder->n ? builder->open + begin
                                  : NULL; /* before the first one there is no list */
    size_t n = builder->n - begin;
    if (has_repeated(open, n)) {
        ARENA(scratch);
        n = remove_repeated(open, n, &scratch);
    }
    JsonMember *members = arena_array(builder->arena, JsonMember, n);
    if (n) memcpy(members, open, n * sizeof *members);
    object->members = members;
    object->n = n;
    builder->n = begin;
}

static void close_array(JsonBuilder *builder, size_t begin, Json *array)
{
    size_t n = builder->n - begin;
    const Json **items = arena_array(builder->arena, const Json *, n);
    for (size_t i = 0; i < n; i++) items[i] = builder->open[begin + i].value;
    array->items = items;
    array->n = n;
    builder->n = begin;
}

void json_builder_close(JsonBuilder *builder, size_t begin, Json *value)
{
    if (value->type == JSON_OBJECT)
        close_object(builder, begin, value);
    else
        close_array(builder, begin, value);
}

/* Tries to read an array, whose '[' was just taken, as numbers only.  Leaves the reader as it was
 * and returns false when there is anything else in it or it is short. */
static bool read_packed(JsonReader *reader, Json *array, Arena *arena)
{
    enum { PACK_MIN = 16 };
    JsonReader ahead = *reader;
    size_t n = 0;
    JsonToken token;
    while ((token = json_next(&ahead)) == JSON_TOKEN_NUMBER) n++;
    if (token != JSON_TOKEN_ARRAY_END || n < PACK_MIN) return false;
    double *doubles = arena_array(arena, double, n);
    for (size_t i = 0; i < n; i++) {
        json_next(reader);
        doubles[i] = json_reader_number(reader);
    }
    json_next(reader);
    array->type = JSON_DOUBLES;
    array->n = n;
    array->doubles = doubles;
    return true;
}

static Json *new_value(Arena *arena, JsonType type)
{
    Json *value = arena_new(arena, Json);
    value->type = type;
    return value;
}

bool json_parse_with(Str text, int flags, Arena *arena, const Json **ret_value, Error *err)
{
    JsonReader reader UNINITIALIZED;
    json_reader_init(&reader, text);
    reader.non_finite = flags & JSON_NON_FINITE;

    ARENA(scratch);
    JsonBuilder builder = {.arena = arena, .scratch = &scratch};
    struct {
        Json *value;
        size_t begin; /* of its members in builder.open */
        Str name;     /* of itself in its parent */
    } open[JSON_DEPTH_MAX] UNINITIALIZED;
    int depth = 0;
    Str name = {0};
    const Json *top = NULL;
    bool ok = true, done = false;

    while (!done) {
        JsonToken token = json_next(&reader);
        Json *value = NULL;
        switch (token) {
        case JSON_TOKEN_ERROR:
            ok = json_reader_error(&reader, err);
            done = true;
            continue;
        case JSON_TOKEN_END: done = true; continue;
        case JSON_TOKEN_NAME: name = json_reader_string(&reader, arena); continue;
        case JSON_TOKEN_NULL: value = new_value(arena, JSON_NULL); break;
        case JSON_TOKEN_BOOL:
            value = new_value(arena, JSON_BOOL);
            value->boolean = reader.boolean;
            break;
        case JSON_TOKEN_NUMBER:
            value = new_value(arena, JSON_NUMBER);
            value->number = json_reader_number(&reader);
            value->text = reader.raw;
            break;
        case JSON_TOKEN_STRING:
            value = new_value(arena, JSON_STRING);
            value->text = json_reader_string(&reader, arena);
            break;
        case JSON_TOKEN_ARRAY_BEGIN:
            value = new_value(arena, JSON_ARRAY);
            if (flags & JSON_PACK && read_packed(&reader, value, arena)) break;
            open[depth].value = value;
            open[depth].begin = builder.n;
            open[depth++].name = name;
            continue;
        case JSON_TOKEN_OBJECT_BEGIN:
            open[depth].value = new_value(arena, JSON_OBJECT);
            open[depth].begin = builder.n;
            open[depth++].name = name;
            continue;
        case JSON_TOKEN_ARRAY_END:
        case JSON_TOKEN_OBJECT_END:
            value = open[--depth].value;
            json_builder_close(&builder, open[depth].begin, value);
            name = open[depth].name;
            break;
        }
        if (depth == 0)
            top = value;
        else
            json_builder_push(&builder, name, value);
    }
    if (ok) *ret_value = top;
    return ok;
}

bool json_parse(Str text, Arena *arena, const Json **ret_value, Error *err)
{
    return json_parse_with(text, 0, arena, ret_value, err);
}

const Json *json_get(const Json *object, const char *name)
{
    if (!object || object->type != JSON_OBJECT) return NULL;
    Str wanted = str_of(name);
    for (size_t i = 0; i < object->n; i++)
        if (str_eq(object->members[i].name, wanted)) return object->members[i].value;
    return NULL;
}

const Json *json_at(const Json *array, size_t i)
{
    return array && array->type == JSON_ARRAY && i < array->n ? array->items[i] : NULL;
}

static const char *type_name(JsonType type)
{
    switch (type) {
    case JSON_NULL: return "null";
    case JSON_BOOL: return "true or false";
    case JSON_NUMBER: return "a number";
    case JSON_STRING: return "a string";
    case JSON_ARRAY: return "an array";
    case JSON_OBJECT: return "an object";
    case JSON_FLOATS:
    case JSON_DOUBLES:
    case JSON_INT32S:
    case JSON_INT64S:
    case JSON_BYTES: return "an array of numbers";
    }
    return "?";
}

bool json_need(const Json *object, const char *name, JsonType type, const Json **ret_value,
               Error *err)
{
    const Json *value = json_get(object, name);
    if (!value) return error_set(err, ERROR_INVALID, "member '%s' is missing", name);
    if (value->type != type)
        return error_set(err, ERROR_INVALID, "member '%s' is not %s", name, type_name(type));
    *ret_value = value;
    return true;
}

bool json_number_at(const Json *array, size_t i, double *ret_value)
{
    if (!array || i >= array->n) return false;
    switch (array->type) {
    case JSON_ARRAY:
        if (array->items[i]->type != JSON_NUMBER) return false;
        *ret_value = array->items[i]->number;
        return true;
    case JSON_FLOATS: *ret_value = (double)array->floats[i]; return true;
    case JSON_DOUBLES: *ret_value = array->doubles[i]; return true;
    case JSON_INT32S: *ret_value = array->int32s[i]; return true;
    case JSON_INT64S: *ret_value = (double)array->int64s[i]; return true;
    case JSON_BYTES: *ret_value = array->bytes[i]; return true;
    case JSON_NULL:
    case JSON_BOOL:
    case JSON_NUMBER:
    case JSON_STRING:
    case JSON_OBJECT: break;
    }
    return false;
}

bool json_to_int64(const Json *number, int64_t *ret_value)
{
    if (!number || number->type != JSON_NUMBER) return false;
    if (number->text.len && str_to_int64(number->text, ret_value)) return true;
    double x = number->number;
    if (!(x >= -0x1p53 && x <= 0x1p53) || x != trunc(x)) return false; /* also NaN */
    *ret_value = (int64_t)x;
    return true;
}
