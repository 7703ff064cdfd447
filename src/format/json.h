#ifndef CLARY_FORMAT_JSON_H
#define CLARY_FORMAT_JSON_H

/* JSON (RFC 8259): a pull reader for streams of values, a tree on top of it, and a writer.
 *
 * Limits: depth 128; UTF-8 only, no BOM; numbers keep their text; of repeated members the last
 * wins.  Errors name the byte offset and the reason, never memory contents. */

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

enum { JSON_DEPTH_MAX = 128 };

typedef enum JsonType {
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
    JSON_FLOATS,  /* array of numbers of one type, kept packed: UBJSON's strongly typed arrays, */
    JSON_DOUBLES, /* and what the tree reader makes of long arrays of numbers when asked to */
    JSON_INT32S,
    JSON_INT64S,
    JSON_BYTES,
} JsonType;

typedef struct Json Json;
typedef struct JsonMember {
    Str name;
    const Json *value;
} JsonMember;

struct Json {
    JsonType type;
    bool boolean;
    double number; /* JSON_NUMBER */
    Str text;      /* JSON_STRING: unescaped UTF-8; JSON_NUMBER: as written */
    size_t n;      /* elements or members */
    union {
        const Json *const *items;  /* JSON_ARRAY */
        const JsonMember *members; /* JSON_OBJECT, in their order, repeated names removed */
        const float *floats;
        const double *doubles;
        const int32_t *int32s;
        const int64_t *int64s;
        const uint8_t *bytes;
    };
};

/* The one value in `text` as a tree in `arena`.  Texts of numbers and of strings without escapes
 * are views into `text`. */
bool json_parse(Str text, Arena *arena, const Json **ret_value, Error *err);

enum {
    JSON_NON_FINITE = 1, /* NaN, Infinity and -Infinity are numbers: XGBoost's models have them */
    JSON_PACK = 2,       /* arrays of nothing but numbers become JSON_DOUBLES, 16 elements and up */
};
bool json_parse_with(Str text, int flags, Arena *arena, const Json **ret_value, Error *err);

/* Member of an object; NULL when it is not there or `object` is NULL or no object. */
const Json *json_get(const Json *object, const char *name);
const Json *json_at(const Json *array, size_t i); /* NULL out of range; JSON_ARRAY only */

/* Checked access with the error "member 'NAME' is missing" / "is not a string". */
bool json_need(const Json *object, const char *name, JsonType type, const Json **ret_value,
               Error *err);

/* Element i of any kind of array of numbers (JSON_ARRAY of JSON_NUMBER, or a packed one), as
 * double; fails when it is no number. */
bool json_number_at(const Json *array, size_t i, double *ret_value);

/* A JSON_NUMBER that is an integer within int64, exactly; false when it is not. */
bool json_to_int64(const Json *number, int64_t *ret_value);

/* ---- pull reader ---- */

typedef enum JsonToken {
    JSON_TOKEN_ERROR,
    JSON_TOKEN_END, /* of the text: after the top value */
    JSON_TOKEN_NULL,
    JSON_TOKEN_BOOL,
    JSON_TOKEN_NUMBER,
    JSON_TOKEN_STRING,
    JSON_TOKEN_NAME, /* of a member */
    JSON_TOKEN_ARRAY_BEGIN,
    JSON_TOKEN_ARRAY_END,
    JSON_TOKEN_OBJECT_BEGIN,
    JSON_TOKEN_OBJECT_END,
} JsonToken;

typedef struct JsonReader {
    Str text;
    size_t at; /* next byte */
    int depth;
    uint8_t stack[JSON_DEPTH_MAX]; /* '[' or '{' */
    int state;
    bool non_finite; /* set after init: accept NaN, Infinity and -Infinity as numbers */
    bool boolean;
    Str raw;      /* string or name: bytes between the quotes, escapes still in; number: its text */
    bool escaped; /* raw holds escapes */
    uint64_t digits; /* of the number, without point and sign: its value is digits x 10^power ... */
    int32_t power;
    bool short_number;  /* ... when this says so; else only raw has it */
    const char *reason; /* of JSON_TOKEN_ERROR */
} JsonReader;

void json_reader_init(JsonReader *reader, Str text);
JsonToken json_next(JsonReader *reader);
/* The string or name just read, unescaped; a view into the text when it has no escapes. */
Str json_reader_string(const JsonReader *reader, Arena *arena);
/* The number just read: correctly rounded. */
double json_reader_number(const JsonReader *reader);
float json_reader_float(const JsonReader *reader);
/* Skips the value that the next token begins. */
bool json_skip(JsonReader *reader);
bool json_reader_error(const JsonReader *reader, Error *err); /* sets err, returns false */

/* ---- writer: commas and quotes in the right places ----
 * Texts that are not UTF-8 come out with U+FFFD for each wrong byte. */

typedef struct JsonWriter {
    StrBuf *out;
    int depth;
    int indent; /* 0: compact; else blanks a level */
    bool first[JSON_DEPTH_MAX + 1];
    bool after_name;
    bool non_finite; /* write NaN, Infinity and -Infinity instead of null */
} JsonWriter;

/* clang-format off */
#define JSON_WRITER(buffer) {.out = (buffer), .first = {true}}
/* clang-format on */

void json_begin_object(JsonWriter *writer);
void json_end_object(JsonWriter *writer);
void json_begin_array(JsonWriter *writer);
void json_end_array(JsonWriter *writer);
void json_name(JsonWriter *writer, Str name);
void json_string(JsonWriter *writer, Str text);
void json_double(JsonWriter *writer, double x); /* shortest form; NaN and infinities as null */
void json_float(JsonWriter *writer, float x);   /* shortest form of a float32 */
void json_int(JsonWriter *writer, int64_t x);
void json_bool(JsonWriter *writer, bool x);
void json_null(JsonWriter *writer);
void json_value(JsonWriter *writer, const Json *value); /* a tree */
/* name and value in one call */
void json_member_string(JsonWriter *writer, const char *name, Str text);
void json_member_double(JsonWriter *writer, const char *name, double x);
void json_member_int(JsonWriter *writer, const char *name, int64_t x);
void json_member_bool(JsonWriter *writer, const char *name, bool x);

/* ---- Universal Binary JSON (draft 12), the form XGBoost writes ----
 * Strongly typed arrays of numbers become packed arrays (int8 and int16 as JSON_INT32S, uint8 as
 * JSON_BYTES); numbers keep a text only where a double would not hold them. */

bool ubjson_parse(Str bytes, Arena *arena, const Json **ret_value, Error *err);

#endif
