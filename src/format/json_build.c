/* Trees of JSON values made by hand.  The room of an array or object is the power of two at or above
 * its number of elements (at least ROOM_MIN), so that it needs no field of its own. */

#include "format/json_build.h"

enum { ROOM_MIN = 4 };

static Json *new_value(Arena *arena, JsonType type)
{
    Json *value = arena_new(arena, Json);
    value->type = type;
    return value;
}

Json *json_new_object(Arena *arena)
{
    return new_value(arena, JSON_OBJECT);
}

Json *json_new_array(Arena *arena)
{
    return new_value(arena, JSON_ARRAY);
}

Json *json_new_text(Arena *arena, Str text)
{
    Json *value = new_value(arena, JSON_STRING);
    value->text = text.ptr ? text : STR("");
    return value;
}

Json *json_new_int(Arena *arena, int64_t x)
{
    Json *value = new_value(arena, JSON_NUMBER);
    value->text = arena_format(arena, "%lld", (long long)x);
    value->number = (double)x;
    return value;
}

Json *json_new_double(Arena *arena, double x)
{
    AUTO_STRBUF StrBuf out = STRBUF(64);
    JsonWriter writer = JSON_WRITER(&out);
    json_double(&writer, x);
    Json *value = new_value(arena, x - x == 0 ? JSON_NUMBER : JSON_NULL);
    value->text = arena_str(arena, strbuf_str(&out));
    value->number = x;
    return value;
}

Json *json_new_bool(Arena *arena, bool x)
{
    Json *value = new_value(arena, JSON_BOOL);
    value->boolean = x;
    return value;
}

/* Whether an array of n elements has no room for one more. */
static bool is_full(size_t n)
{
    return n == 0 || (n >= ROOM_MIN && (n & (n - 1)) == 0);
}

static size_t room_after(size_t n)
{
    return n < ROOM_MIN ? ROOM_MIN : 2 * n;
}

void json_set_str(Arena *arena, Json *object, Str name, const Json *value)
{
    if (!value) return;
    assert(object->type == JSON_OBJECT);
    JsonMember *members = (JsonMember *)(uintptr_t)object->members;
    for (size_t i = 0; i < object->n; i++)
        if (str_eq(members[i].name, name)) {
            members[i].value = value;
            return;
        }
    if (is_full(object->n)) {
        members = arena_grow(arena, members, object->n, room_after(object->n), sizeof *members);
        object->members = members;
    }
    members[object->n++] = (JsonMember){name, value};
}

void json_set(Arena *arena, Json *object, const char *name, const Json *value)
{
    json_set_str(arena, object, str_of(name), value);
}

void json_set_text(Arena *arena, Json *object, const char *name, Str text)
{
    json_set(arena, object, name, json_new_text(arena, text));
}

void json_set_int(Arena *arena, Json *object, const char *name, int64_t x)
{
    json_set(arena, object, name, json_new_int(arena, x));
}

void json_set_double(Arena *arena, Json *object, const char *name, double x)
{
    json_set(arena, object, name, json_new_double(arena, x));
}

void json_set_bool(Arena *arena, Json *object, const char *name, bool x)
{
    json_set(arena, object, name, json_new_bool(arena, x));
}

void json_push(Arena *arena, Json *array, const Json *value)
{
    if (!value) return;
    assert(array->type == JSON_ARRAY);
    const Json **items = (const Json **)(uintptr_t)array->items;
    if (is_full(array->n)) {
        items = arena_grow(arena, items, array->n, room_after(array->n), sizeof *items);
        array->items = items;
    }
    items[array->n++] = value;
}

/* Depth is bounded by the parser's limit and by what our own code builds. */
static Json *copy_value(Arena *arena, const Json *value, int depth)
{
    assert(depth <= JSON_DEPTH_MAX);
    Json *copy = arena_new(arena, Json);
    *copy = *value;
    if (value->text.ptr) copy->text = arena_str(arena, value->text);
    if (value->type == JSON_OBJECT) {
        copy->n = 0;
        copy->members = NULL;
        for (size_t i = 0; i < value->n; i++)
            json_set_str(arena, copy, arena_str(arena, value->members[i].name),
                         copy_value(arena, value->members[i].value, depth + 1));
    } else if (value->type != JSON_NULL && value->type <= JSON_DOUBLES &&
               value->type >= JSON_ARRAY) {
        copy->type = JSON_ARRAY;
        copy->n = 0;
        copy->items = NULL;
        double number;
        for (size_t i = 0; i < value->n; i++)
            if (value->type == JSON_ARRAY)
                json_push(arena, copy, copy_value(arena, value->items[i], depth + 1));
            else if (json_number_at(value, i, &number))
                json_push(arena, copy, json_new_double(arena, number));
    }
    return copy;
}

Json *json_copy(Arena *arena, const Json *value)
{
    return copy_value(arena, value, 0);
}

Str json_text(Arena *arena, const Json *value)
{
    AUTO_STRBUF StrBuf out = STRBUF(JSON_TEXT_BYTES_MAX);
    JsonWriter writer = JSON_WRITER(&out);
    json_value(&writer, value);
    return out.overflow ? (Str){0} : arena_str(arena, strbuf_str(&out));
}

Str json_get_text(const Json *object, const char *name)
{
    const Json *value = json_get(object, name);
    return value && value->type == JSON_STRING ? value->text : (Str){0};
}

int64_t json_get_int(const Json *object, const char *name, int64_t absent)
{
    const Json *value = json_get(object, name);
    int64_t x;
    return value && value->type == JSON_NUMBER && json_to_int64(value, &x) ? x : absent;
}

double json_get_double(const Json *object, const char *name, double absent)
{
    const Json *value = json_get(object, name);
    return value && value->type == JSON_NUMBER ? value->number : absent;
}

bool json_get_bool(const Json *object, const char *name, bool absent)
{
    const Json *value = json_get(object, name);
    return value && value->type == JSON_BOOL ? value->boolean : absent;
}

const Json *json_path(const Json *value, const char *path)
{
    Str rest = str_of(path), part;
    while (value && str_next(&rest, '.', &part)) {
        int64_t i;
        const Json *next = NULL;
        if (value->type == JSON_ARRAY) {
            if (str_to_int64(part, &i) && i >= 0) next = json_at(value, (size_t)i);
        } else if (value->type == JSON_OBJECT) {
            for (size_t m = 0; m < value->n; m++)
                if (str_eq(value->members[m].name, part)) next = value->members[m].value;
        }
        value = next;
    }
    return value;
}
