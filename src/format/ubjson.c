/* Universal Binary JSON, draft 12, as XGBoost writes it.
 *
 * All numbers are big-endian.  An array or object may state its element type ("$" and a type) and
 * its count ("#" and an integer); a typed and counted array of numbers is read as one block.  Types
 * without a payload (null, true, false, no-op) are refused as element types: their count would
 * demand memory that no byte of the input stands for.
 *
 * https://ubjson.org */

#include "format/json_tree.h"

#include "format/number.h"
#include "format/utf8.h"

enum { NO_TYPE = 0, NO_COUNT = -1 };

typedef struct Open {
    Json *value;
    size_t begin; /* of its members in the builder */
    Str name;     /* of itself in its parent */
    int64_t left; /* elements to come, or NO_COUNT: up to the closing bracket */
    char type;    /* of all elements, or NO_TYPE */
} Open;

typedef struct Reader {
    const unsigned char *bytes;
    size_t len, at;
    Arena *arena;
    Error *err;
} Reader;

static bool fail(Reader *reader, size_t at, const char *reason)
{
    return error_set(reader->err, ERROR_INVALID, "UBJSON: byte %zu: %s", at, reason);
}

static bool need(Reader *reader, size_t n)
{
    if (reader->len - reader->at >= n) return true;
    return fail(reader, reader->len, "the end of the file within a value");
}

/* Bytes of one number of that type, or 0. */
static size_t type_width(char type)
{
    switch (type) {
    case 'i':
    case 'U': return 1;
    case 'I': return 2;
    case 'l':
    case 'd': return 4;
    case 'L':
    case 'D': return 8;
    default: return 0;
    }
}

static uint64_t load_big_endian(const unsigned char *p, size_t width)
{
    uint16_t x2;
    uint32_t x4;
    uint64_t x8;
    switch (width) {
    case 1: return *p;
    case 2: memcpy(&x2, p, 2); return __builtin_bswap16(x2);
    case 4: memcpy(&x4, p, 4); return __builtin_bswap32(x4);
    default: memcpy(&x8, p, 8); return __builtin_bswap64(x8);
    }
}

static int64_t load_integer(const unsigned char *p, char type)
{
    switch (type) {
    case 'i': return (int8_t)*p;
    case 'U': return *p;
    case 'I': return (int16_t)load_big_endian(p, 2);
    case 'l': return (int32_t)load_big_endian(p, 4);
    default: return (int64_t)load_big_endian(p, 8);
    }
}

static float load_float(const unsigned char *p)
{
    uint32_t bits = (uint32_t)load_big_endian(p, 4);
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static double load_double(const unsigned char *p)
{
    uint64_t bits = load_big_endian(p, 8);
    double x;
    memcpy(&x, &bits, 8);
    return x;
}

/* A count or length: an integer with its type before it. */
static bool read_count(Reader *reader, int64_t *ret_count)
{
    size_t at = reader->at;
    if (!need(reader, 1)) return false;
    char type = (char)reader->bytes[reader->at];
    size_t width = type_width(type);
    if (width == 0 || type == 'd' || type == 'D')
        return fail(reader, at, "a length that is no integer");
    reader->at++;
    if (!need(reader, width)) return false;
    int64_t count = load_integer(reader->bytes + reader->at, type);
    reader->at += width;
    if (count < 0) return fail(reader, at, "a negative length");
    *ret_count = count;
    return true;
}

static bool read_text(Reader *reader, Str *ret_text)
{
    int64_t n;
    if (!read_count(reader, &n)) return false;
    if ((uint64_t)n > reader->len - reader->at)
        return fail(reader, reader->at, "a text that is longer than the file");
    Str text = {(const char *)reader->bytes + reader->at, (size_t)n};
    size_t wrong = utf8_check(text);
    if (wrong < text.len) return fail(reader, reader->at + wrong, "bytes that are not UTF-8");
    reader->at += text.len;
    *ret_text = text;
    return true;
}

/* A typed and counted array of numbers in one block. */
static bool read_packed(Reader *reader, char type, int64_t count, Json *array)
{
    size_t width = type_width(type);
    if ((uint64_t)count > (reader->len - reader->at) / width)
        return fail(reader, reader->at, "an array that is longer than the file");
    size_t n = (size_t)count;
    const unsigned char *p = reader->bytes + reader->at;
    array->n = n;
    switch (type) {
    case 'd': {
        float *to = arena_array(reader->arena, float, n);
        for (size_t i = 0; i < n; i++) to[i] = load_float(p + i * 4);
        array->type = JSON_FLOATS;
        array->floats = to;
        break;
    }
    case 'D': {
        double *to = arena_array(reader->arena, double, n);
        for (size_t i = 0; i < n; i++) to[i] = load_double(p + i * 8);
        array->type = JSON_DOUBLES;
        array->doubles = to;
        break;
    }
    case 'U': {
        uint8_t *to = arena_array(reader->arena, uint8_t, n);
        if (n) memcpy(to, p, n);
        array->type = JSON_BYTES;
        array->bytes = to;
        break;
    }
    case 'L': {
        int64_t *to = arena_array(reader->arena, int64_t, n);
        for (size_t i = 0; i < n; i++) to[i] = load_integer(p + i * 8, 'L');
        array->type = JSON_INT64S;
        array->int64s = to;
        break;
    }
    default: { /* i, I and l */
        int32_t *to = arena_array(reader->arena, int32_t, n);
        for (size_t i = 0; i < n; i++) to[i] = (int32_t)load_integer(p + i * width, type);
        array->type = JSON_INT32S;
        array->int32s = to;
    }
    }
    reader->at += n * width;
    return true;
}

/* What may stand after an opening bracket: "$" type, "#" count. */
static bool read_form(Reader *reader, char *ret_type, int64_t *ret_count)
{
    *ret_type = NO_TYPE;
    *ret_count = NO_COUNT;
    if (reader->at < reader->len && reader->bytes[reader->at] == '$') {
        if (!need(reader, 2)) return false;
        char type = (char)reader->bytes[reader->at + 1];
        if (!type || !strchr("iUIlLdDCSH[{", type))
            return fail(reader, reader->at + 1,
                        "an element type that is unknown or has no payload");
        reader->at += 2;
        if (reader->at >= reader->len || reader->bytes[reader->at] != '#')
            return fail(reader, reader->at, "an element type without a count");
        *ret_type = type;
    }
    if (reader->at < reader->len && reader->bytes[reader->at] == '#') {
        size_t at = reader->at++;
        if (!read_count(reader, ret_count)) return false;
        if ((uint64_t)*ret_count > reader->len - reader->at) /* an element takes a byte at least */
            return fail(reader, at, "more elements than the file has bytes");
    }
    return true;
}

static bool read_high_precision(Reader *reader, Json *value)
{
    size_t at = reader->at;
    JsonReader number;
    if (!read_text(reader, &value->text)) return false;
    json_reader_init(&number, value->text);
    if (json_next(&number) != JSON_TOKEN_NUMBER || json_next(&number) != JSON_TOKEN_END)
        return fail(reader, at, "a high-precision number that is none");
    number_parse_double(value->text.ptr, value->text.ptr + value->text.len, &value->number);
    return true;
}

static bool read_number(Reader *reader, char type, Json *value)
{
    size_t width = type_width(type);
    if (!need(reader, width)) return false;
    const unsigned char *p = reader->bytes + reader->at;
    reader->at += width;
    if (type == 'd') {
        value->number = (double)load_float(p);
    } else if (type == 'D') {
        value->number = load_double(p);
    } else {
        int64_t x = load_integer(p, type);
        value->number = (double)x;
        if (x < -(1ll << 53) || x > 1ll << 53)
            value->text = arena_format(reader->arena, "%lld", (long long)x);
    }
    return true;
}

/* A value that is no array or object, whose type has been read. */
static bool read_scalar(Reader *reader, char type, Json *value)
{
    switch (type) {
    case 'Z': value->type = JSON_NULL; return true;
    case 'T':
    case 'F':
        value->type = JSON_BOOL;
        value->boolean = type == 'T';
        return true;
    case 'C':
        if (!need(reader, 1)) return false;
        if (reader->bytes[reader->at] >= 0x80)
            return fail(reader, reader->at, "a character above 127");
        value->type = JSON_STRING;
        value->text = (Str){(const char *)reader->bytes + reader->at++, 1};
        return true;
    case 'S': value->type = JSON_STRING; return read_text(reader, &value->text);
    case 'H': value->type = JSON_NUMBER; return read_high_precision(reader, value);
    default:
        value->type = JSON_NUMBER;
        if (type_width(type)) return read_number(reader, type, value);
        return fail(reader, reader->at - 1, "an unknown type");
    }
}

/* Whether the innermost array or object ends here; takes its bracket. */
static bool at_end(Reader *reader, const Open *open)
{
    if (open->left != NO_COUNT) return open->left == 0;
    char bracket = open->value->type == JSON_ARRAY ? ']' : '}';
    if (reader->at >= reader->len || (char)reader->bytes[reader->at] != bracket) return false;
    reader->at++;
    return true;
}

static void skip_no_ops(Reader *reader)
{
    while (reader->at < reader->len && reader->bytes[reader->at] == 'N') reader->at++;
}

bool ubjson_parse(Str bytes, Arena *arena, const Json **ret_value, Error *err)
{
    ARENA(scratch);
    Reader reader = {
        .bytes = (const unsigned char *)bytes.ptr, .len = bytes.len, .arena = arena, .err = err};
    JsonBuilder builder = {.arena = arena, .scratch = &scratch};
    Open open[JSON_DEPTH_MAX] UNINITIALIZED;
    int depth = 0;
    const Json *top = NULL;

    do {
        Open *outer = depth ? &open[depth - 1] : NULL;
        Str name = {0};
        char type = outer ? outer->type : NO_TYPE;
        if (!type) skip_no_ops(&reader);
        Json *value;
        if (outer && at_end(&reader, outer)) {
            json_builder_close(&builder, outer->begin, outer->value);
            depth--;
            name = outer->name;
            value = outer->value;
        } else {
            if (outer && outer->left != NO_COUNT) outer->left--;
            if (outer && outer->value->type == JSON_OBJECT) {
                if (!read_text(&reader, &name)) return false;
                if (!type) skip_no_ops(&reader);
            }
            if (!type) {
                if (!need(&reader, 1)) return false;
                type = (char)reader.bytes[reader.at++];
            }
            value = arena_new(arena, Json);
            if (type == '[' || type == '{') {
                int64_t count;
                char element;
                value->type = type == '[' ? JSON_ARRAY : JSON_OBJECT;
                if (!read_form(&reader, &element, &count)) return false;
                if (type == '{' || !type_width(element)) {
                    if (depth == JSON_DEPTH_MAX)
                        return fail(&reader, reader.at,
                                    "more than 128 arrays and objects in one another");
                    open[depth++] = (Open){value, builder.n, name, count, element};
                    continue;
                }
                if (!read_packed(&reader, element, count, value)) return false;
            } else if (!read_scalar(&reader, type, value)) {
                return false;
            }
        }
        if (depth)
            json_builder_push(&builder, name, value);
        else
            top = value;
    } while (depth);

    skip_no_ops(&reader);
    if (reader.at < reader.len) return fail(&reader, reader.at, "something after the value");
    *ret_value = top;
    return true;
}
