/* CBOR (RFC 8949) as the rpc-v2 protocol uses it: maps with text keys, times as tag 1, definite and
 * indefinite lengths, half, single and double floats.
 *
 * Nothing is allocated from a declared length before its bytes are there. */

#include "aws/protocol.h"

#include "format/utf8.h"

#include <math.h>
#include <stdio.h>

typedef struct CborReader {
    Arena *arena;
    const uint8_t *at, *end;
    const char *reason;
} CborReader;

static bool fail(CborReader *reader, const char *reason)
{
    if (!reader->reason) reader->reason = reason;
    return false;
}

enum { INDEFINITE = 31 };

/* The head of an item: major type, the five bits, and the number they stand for. */
static bool read_head(CborReader *reader, int *ret_major, int *ret_info, uint64_t *ret_number)
{
    if (reader->at == reader->end) return fail(reader, "ends in the middle of an item");
    uint8_t first = *reader->at++;
    int info = first & 31;
    *ret_major = first >> 5;
    *ret_info = info;
    *ret_number = (uint64_t)info;
    if (info < 24 || info == INDEFINITE) return true;
    if (info > 27) return fail(reader, "a reserved length");
    size_t n = (size_t)1 << (info - 24);
    if ((size_t)(reader->end - reader->at) < n)
        return fail(reader, "ends in the middle of an item");
    uint64_t number = 0;
    while (n--) number = number << 8 | *reader->at++;
    *ret_number = number;
    return true;
}

static double half_to_double(uint16_t half)
{
    int exponent = half >> 10 & 31;
    double mantissa = half & 1023;
    double value = exponent == 0    ? ldexp(mantissa, -24)
                   : exponent == 31 ? (mantissa != 0 ? NAN : INFINITY)
                                    : ldexp(mantissa + 1024, exponent - 25);
    return half & 0x8000 ? -value : value;
}

static const Json *new_number(Arena *arena, double x)
{
    if (x - x == 0) return json_new_double(arena, x);
    Json *value = arena_new(arena, Json);
    value->type = JSON_NUMBER;
    value->number = x;
    value->text = str_of(x != x ? "NaN" : x > 0 ? "Infinity" : "-Infinity");
    return value;
}

static const Json *new_integer(Arena *arena, bool negative, uint64_t n)
{
    Json *value = arena_new(arena, Json);
    value->type = JSON_NUMBER;
    value->number = negative ? -1.0 - (double)n : (double)n;
    /* -1 - n of the largest n has no 64-bit form; its text is enough to be refused as an integer. */
    value->text = !negative         ? arena_format(arena, "%llu", (unsigned long long)n)
                  : n == UINT64_MAX ? STR("-18446744073709551616")
                                    : arena_format(arena, "-%llu", (unsigned long long)n + 1);
    return value;
}

/* Bytes of a text or byte string, pieces of an indefinite one joined. */
static bool read_bytes(CborReader *reader, int major, int info, uint64_t n, Str *ret_bytes)
{
    if (info != INDEFINITE) {
        if (n > (uint64_t)(reader->end - reader->at))
            return fail(reader, "a text is longer than what is there");
        *ret_bytes = (Str){(const char *)reader->at, (size_t)n};
        reader->at += n;
    } else {
        AUTO_STRBUF StrBuf joined = STRBUF((size_t)(reader->end - reader->at));
        for (;;) {
            int piece_major, piece_info;
            uint64_t piece;
            if (reader->at < reader->end && *reader->at == 0xff) break;
            if (!read_head(reader, &piece_major, &piece_info, &piece)) return false;
            if (piece_major != major || piece_info == INDEFINITE)
                return fail(reader, "a wrong piece of a text");
            if (piece > (uint64_t)(reader->end - reader->at))
                return fail(reader, "a text is longer than what is there");
            strbuf_add(&joined, (Str){(const char *)reader->at, (size_t)piece});
            reader->at += piece;
        }
        reader->at++;
        *ret_bytes = arena_str(reader->arena, strbuf_str(&joined));
    }
    if (major == 3 && utf8_check(*ret_bytes) != ret_bytes->len)
        return fail(reader, "a text is not UTF-8");
    return true;
}

static bool read_item(CborReader *reader, int depth, const Json **ret_value);

/* Whether a container goes on: `left` counts down, or a break ends it. */
static bool goes_on(CborReader *reader, int info, uint64_t *left)
{
    if (info == INDEFINITE) {
        if (reader->at < reader->end && *reader->at == 0xff) {
            reader->at++;
            return false;
        }
        return true;
    }
    return (*left)-- > 0;
}

static bool read_array(CborReader *reader, int info, uint64_t n, int depth, const Json **ret_value)
{
    Json *array = json_new_array(reader->arena);
    while (goes_on(reader, info, &n)) {
        const Json *item;
        if (!read_item(reader, depth + 1, &item)) return false;
        json_push(reader->arena, array, item);
    }
    *ret_value = array;
    return true;
}

static bool read_object(CborReader *reader, int info, uint64_t n, int depth, const Json **ret_value)
{
    JsonMember *members = NULL;
    size_t n_members = 0, capacity = 0;
    while (goes_on(reader, info, &n)) {
        int key_major, key_info;
        uint64_t key_length;
        JsonMember member;
        if (!read_head(reader, &key_major, &key_info, &key_length)) return false;
        if (key_major != 3) return fail(reader, "a key is not a text");
        if (!read_bytes(reader, key_major, key_info, key_length, &member.name) ||
            !read_item(reader, depth + 1, &member.value))
            return false;
        if (n_members == capacity) {
            size_t more = capacity ? 2 * capacity : 8;
            members = arena_grow(reader->arena, members, n_members, more, sizeof *members);
            capacity = more;
        }
        members[n_members++] = member;
    }
    Json *object = arena_new(reader->arena, Json);
    object->type = JSON_OBJECT;
    object->members = members;
    object->n = n_members;
    *ret_value = object;
    return true;
}

static bool read_simple(CborReader *reader, int info, uint64_t n, const Json **ret_value)
{
    static const Json null = {.type = JSON_NULL};
    switch (info) {
    case 20:
    case 21: *ret_value = json_new_bool(reader->arena, info == 21); return true;
    case 22:
    case 23: *ret_value = &null; return true;
    case 25: *ret_value = new_number(reader->arena, half_to_double((uint16_t)n)); return true;
    case 26: {
        uint32_t bits = (uint32_t)n;
        float x;
        memcpy(&x, &bits, sizeof x);
        *ret_value = new_number(reader->arena, (double)x);
        return true;
    }
    case 27: {
        double x;
        memcpy(&x, &n, sizeof x);
        *ret_value = new_number(reader->arena, x);
        return true;
    }
    default: return fail(reader, "an unknown simple value");
    }
}

static bool read_item(CborReader *reader, int depth, const Json **ret_value)
{
    if (depth > CBOR_DEPTH_MAX) return fail(reader, "nested too deeply");
    int major, info;
    uint64_t n;
    if (!read_head(reader, &major, &info, &n)) return false;
    if (info == INDEFINITE && (major < 2 || major > 5))
        return fail(reader, "a break or length without its item");
    switch (major) {
    case 0:
    case 1: *ret_value = new_integer(reader->arena, major == 1, n); return true;
    case 2:
    case 3: {
        Str bytes;
        if (!read_bytes(reader, major, info, n, &bytes)) return false;
        Json *text = arena_new(reader->arena, Json);
        text->type = JSON_STRING;
        text->text = bytes;
        text->boolean = major == 2; /* bytes: fit for blobs only */
        *ret_value = text;
        return true;
    }
    case 4: return read_array(reader, info, n, depth, ret_value);
    case 5: return read_object(reader, info, n, depth, ret_value);
    case 6:
        return read_item(reader, depth + 1, ret_value); /* what a tag says, the shape says too */
    default: return read_simple(reader, info, n, ret_value);
    }
}

bool cbor_read(Reading *reading, const Shape *shape, Str body, const Json **ret_value)
{
    if (body.len == 0) body = STR("\xa0");
    const uint8_t *bytes = (const uint8_t *)body.ptr;
    CborReader reader = {.arena = reading->arena, .at = bytes, .end = bytes + body.len};
    const Json *tree = NULL;
    if (!read_item(&reader, 0, &tree))
        return reading_refuse(reading, "byte %zu: %s", (size_t)(reader.at - bytes), reader.reason);
    if (reader.at != reader.end) return reading_refuse(reading, "more than one item");
    return tree_read(reading, shape, tree, true, ret_value);
}

/* ---- writing ---- */

static void write_head(StrBuf *out, int major, uint64_t n)
{
    int bytes = n < 24 ? 0 : n <= UINT8_MAX ? 1 : n <= UINT16_MAX ? 2 : n <= UINT32_MAX ? 4 : 8;
    int info = bytes == 0 ? (int)n : bytes == 1 ? 24 : bytes == 2 ? 25 : bytes == 4 ? 26 : 27;
    strbuf_add_char(out, (char)(major << 5 | info));
    for (int i = bytes; i-- > 0;) strbuf_add_char(out, (char)(n >> (8 * i)));
}

static void write_text(StrBuf *out, int major, Str text)
{
    write_head(out, major, text.len);
    strbuf_add(out, text);
}

static void write_double(StrBuf *out, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    strbuf_add_char(out, (char)0xfb);
    for (int i = 8; i-- > 0;) strbuf_add_char(out, (char)(bits >> (8 * i)));
}

static size_t count_set(const Json *object)
{
    size_t n = 0;
    for (size_t i = 0; i < object->n; i++) n += object->members[i].value->type != JSON_NULL;
    return n;
}

static void write_value(StrBuf *out, const Shape *shape, const Json *value, int depth)
{
    assert(depth <= MESSAGE_DEPTH_MAX);
    if (value->type == JSON_NULL) {
        strbuf_add_char(out, (char)0xf6);
        return;
    }
    switch (shape->type) {
    case SHAPE_STRUCTURE:
    case SHAPE_MAP:
        assert(value->type == JSON_OBJECT);
        write_head(out, 5, count_set(value));
        for (size_t i = 0; i < value->n; i++) {
            const JsonMember *given = &value->members[i];
            if (given->value->type == JSON_NULL) continue;
            const Member *member = shape->type == SHAPE_MAP ? &shape->members[1]
                                                            : member_find(shape, given->name);
            assert(member); /* the handler set what the answer's shape does not have */
            write_text(out, 3, shape->type == SHAPE_MAP ? given->name : str_of(member->wire));
            write_value(out, member->shape, given->value, depth + 1);
        }
        return;
    case SHAPE_LIST:
        assert(value->type == JSON_ARRAY);
        write_head(out, 4, value->n);
        for (size_t i = 0; i < value->n; i++)
            write_value(out, shape->members[0].shape, value->items[i], depth + 1);
        return;
    case SHAPE_STRING:
    case SHAPE_BLOB:
        assert(value->type == JSON_STRING);
        write_text(out, shape->type == SHAPE_BLOB ? 2 : 3, value->text);
        return;
    case SHAPE_BOOLEAN: strbuf_add_char(out, value->boolean ? (char)0xf5 : (char)0xf4); return;
    case SHAPE_INTEGER:
    case SHAPE_LONG: {
        int64_t integer;
        if (!str_to_int64(value->text, &integer)) integer = (int64_t)value->number;
        write_head(out, integer < 0 ? 1 : 0, integer < 0 ? ~(uint64_t)integer : (uint64_t)integer);
        return;
    }
    case SHAPE_TIMESTAMP:
        strbuf_add_char(out, (char)0xc1); /* tag 1 */
        write_double(out, value->number);
        return;
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE: write_double(out, value->number); return;
    }
}

void cbor_write(StrBuf *out, const Shape *shape, const Json *value)
{
    write_value(out, shape, value, 0);
}

void cbor_write_error(StrBuf *out, const char *type, const char *text_member, Str text)
{
    write_head(out, 5, 2);
    write_text(out, 3, STR("__type"));
    write_text(out, 3, str_of(type));
    write_text(out, 3, str_of(text_member));
    write_text(out, 3, text);
}
