/* JSON texts: the pull reader.
 *
 * The reader is a machine of five states; what is open is kept on a stack of its own, so that the
 * depth of the input never becomes depth of calls.  Strings are checked where they are found (UTF-8,
 * escapes, control characters) and unescaped only when asked for.
 *
 * RFC 8259. */

#include "format/json.h"

#include "format/number.h"
#include "format/utf8.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

enum {
    STATE_VALUE,       /* a value must follow */
    STATE_FIRST_VALUE, /* a value or ']' */
    STATE_FIRST_NAME,  /* a name or '}' */
    STATE_AFTER,       /* after a value: comma, closing bracket or the end */
    STATE_ERROR,
};

void json_reader_init(JsonReader *reader, Str text)
{
    reader->text = text;
    reader->at = 0;
    reader->depth = 0;
    reader->state = STATE_VALUE;
    reader->non_finite = false;
    reader->boolean = false;
    reader->raw = (Str){0};
    reader->escaped = false;
    reader->reason = NULL;
    if (str_starts(text, STR("\xef\xbb\xbf"))) {
        reader->state = STATE_ERROR;
        reader->reason = "a byte order mark, which JSON does not allow";
    }
}

__attribute__((cold, noinline)) static JsonToken fail(JsonReader *reader, size_t at,
                                                      const char *reason)
{
    reader->state = STATE_ERROR;
    reader->at = at;
    reader->reason = reason;
    return JSON_TOKEN_ERROR;
}

static inline size_t skip_blanks(const char *p, size_t at, size_t len)
{
    while (at < len && (p[at] == ' ' || p[at] == '\n' || p[at] == '\r' || p[at] == '\t')) at++;
    return at;
}

/* Position of the next byte of a string that is not plain: a quote, a backslash, a control character
 * or the begin of a longer UTF-8 sequence; or len. */
static inline size_t scan_plain(const char *p, size_t at, size_t len)
{
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i blank = _mm_set1_epi8(' ');
    for (; at + 16 <= len; at += 16) {
        __m128i x = _mm_loadu_si128((const __m128i *)(const void *)(p + at));
        /* Bytes from 0x80 are negative, so one comparison finds them and control characters. */
        __m128i special = _mm_or_si128(
            _mm_cmplt_epi8(x, blank),
            _mm_or_si128(_mm_cmpeq_epi8(x, quote), _mm_cmpeq_epi8(x, backslash)));
        int mask = _mm_movemask_epi8(special);
        if (mask) return at + (size_t)__builtin_ctz((unsigned)mask);
    }
#endif
    for (; at < len; at++) {
        unsigned char c = (unsigned char)p[at];
        if (c < ' ' || c >= 0x80 || c == '"' || c == '\\') break;
    }
    return at;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/* The four digits after "\u", or -1. */
static int32_t hex4(const char *p, size_t at, size_t len)
{
    if (len - at < 4) return -1;
    int32_t code = 0;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(p[at + i]);
        if (digit < 0) return -1;
        code = code << 4 | digit;
    }
    return code;
}

/* Checks the escape whose backslash is at `at`; returns the position after it, or 0 with a reason. */
static size_t check_escape(const char *p, size_t at, size_t len, const char **ret_reason)
{
    *ret_reason = "a string that does not end";
    if (at + 1 >= len) return 0;
    switch (p[at + 1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't': return at + 2;
    case 'u': break;
    default: *ret_reason = "an unknown escape in a string"; return 0;
    }
    int32_t code = hex4(p, at + 2, len);
    if (code < 0) {
        *ret_reason = "\\u without four hexadecimal digits";
        return 0;
    }
    *ret_reason = "half of a surrogate pair";
    if (code >= 0xdc00 && code < 0xe000) return 0;
    if (code < 0xd800 || code >= 0xdc00) return at + 6;
    if (len - at < 8 || p[at + 6] != '\\' || p[at + 7] != 'u') return 0;
    int32_t low = hex4(p, at + 8, len);
    return low >= 0xdc00 && low < 0xe000 ? at + 12 : 0;
}

/* The string whose opening quote is at `at` into raw. */
static inline bool read_string(JsonReader *reader, size_t at)
{
    const char *p = reader->text.ptr;
    size_t len = reader->text.len, begin = at + 1;
    bool escaped = false;
    for (at = begin;;) {
        at = scan_plain(p, at, len);
        if (at >= len) {
            fail(reader, begin - 1, "a string that does not end");
            return false;
        }
        unsigned char c = (unsigned char)p[at];
        if (c == '"') break;
        if (c == '\\') {
            const char *reason;
            size_t next = check_escape(p, at, len, &reason);
            if (!next) {
                fail(reader, at, reason);
                return false;
            }
            escaped = true;
            at = next;
        } else if (c < ' ') {
            fail(reader, at, "a control character in a string; it must be escaped");
            return false;
        } else {
            size_t n = utf8_sequence((const unsigned char *)p + at, (const unsigned char *)p + len);
            if (n == 0) {
                fail(reader, at, "bytes that are not UTF-8");
                return false;
            }
            at += n;
        }
    }
    reader->raw = str_slice(reader->text, begin, at);
    reader->escaped = escaped;
    reader->at = at + 1;
    return true;
}

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static JsonToken read_word(JsonReader *reader, Str word, JsonToken token)
{
    size_t at = reader->at;
    if (!str_starts(str_from(reader->text, at), word)) return fail(reader, at, "an unknown word");
    reader->raw = (Str){reader->text.ptr + at, word.len};
    reader->short_number = false;
    reader->at = at + word.len;
    reader->state = STATE_AFTER;
    return token;
}

/* Digits are also added up while they are checked: most numbers are short enough to be exact in two
 * integers, and need not be read a second time. */
static inline size_t read_digits(const char *p, size_t at, size_t len, uint64_t *digits)
{
    uint64_t value = *digits;
    while (at < len && is_digit(p[at])) value = value * 10 + (uint64_t)(p[at++] - '0');
    *digits = value;
    return at;
}

static inline __attribute__((always_inline)) JsonToken read_number(JsonReader *reader)
{
    enum { DIGITS_MAX = 19, POWER_MAX = 1000 };
    const char *p = reader->text.ptr;
    size_t len = reader->text.len, begin = reader->at, at = begin;
    if (p[at] == '-') at++;
    if (at >= len || !is_digit(p[at])) {
        if (reader->non_finite && at < len && p[at] == 'I') {
            reader->at = at;
            JsonToken token = read_word(reader, STR("Infinity"), JSON_TOKEN_NUMBER);
            if (token == JSON_TOKEN_NUMBER)
                reader->raw = str_slice(reader->text, begin, reader->at);
            return token;
        }
        return fail(reader, begin, "a minus without a number");
    }
    if (p[at] == '0' && at + 1 < len && is_digit(p[at + 1]))
        return fail(reader, begin, "a number with a leading zero");
    uint64_t digits = 0, exponent = 0;
    size_t first = at, n_fraction = 0;
    at = read_digits(p, at, len, &digits);
    if (at < len && p[at] == '.') {
        size_t fraction = ++at;
        if (at >= len || !is_digit(p[at]))
            return fail(reader, begin, "a number without digits after its point");
        at = read_digits(p, at, len, &digits);
        n_fraction = at - fraction;
    }
    bool is_short = at - first <= DIGITS_MAX; /* the point counts as one: no matter */
    int64_t power = -(int64_t)n_fraction;
    if (at < len && (p[at] == 'e' || p[at] == 'E')) {
        at++;
        bool negative = at < len && p[at] == '-';
        if (at < len && (p[at] == '+' || p[at] == '-')) at++;
        if (at >= len || !is_digit(p[at]))
            return fail(reader, begin, "a number without digits in its exponent");
        size_t exponent_begin = at;
        at = read_digits(p, at, len, &exponent);
        is_short = is_short && at - exponent_begin <= 3;
        power += negative ? -(int64_t)(exponent % POWER_MAX) : (int64_t)(exponent % POWER_MAX);
    }
    reader->raw = str_slice(reader->text, begin, at);
    reader->digits = digits;
    reader->power = (int32_t)power;
    reader->short_number = is_short;
    reader->at = at;
    reader->state = STATE_AFTER;
    return JSON_TOKEN_NUMBER;
}

static JsonToken read_name(JsonReader *reader)
{
    if (!read_string(reader, reader->at)) return JSON_TOKEN_ERROR;
    size_t at = skip_blanks(reader->text.ptr, reader->at, reader->text.len);
    if (at >= reader->text.len || reader->text.ptr[at] != ':')
        return fail(reader, at, "a name without a colon after it");
    reader->at = at + 1;
    reader->state = STATE_VALUE;
    return JSON_TOKEN_NAME;
}

static JsonToken open_nested(JsonReader *reader, char bracket)
{
    if (reader->depth == JSON_DEPTH_MAX)
        return fail(reader, reader->at, "more than 128 arrays and objects in one another");
    reader->stack[reader->depth++] = (uint8_t)bracket;
    reader->at++;
    reader->state = bracket == '[' ? STATE_FIRST_VALUE : STATE_FIRST_NAME;
    return bracket == '[' ? JSON_TOKEN_ARRAY_BEGIN : JSON_TOKEN_OBJECT_BEGIN;
}

static JsonToken close_nested(JsonReader *reader, char bracket)
{
    reader->depth--;
    reader->at++;
    reader->state = STATE_AFTER;
    return bracket == ']' ? JSON_TOKEN_ARRAY_END : JSON_TOKEN_OBJECT_END;
}

static inline __attribute__((always_inline)) JsonToken read_value(JsonReader *reader)
{
    char c = reader->text.ptr[reader->at];
    switch (c) {
    case '"':
        if (!read_string(reader, reader->at)) return JSON_TOKEN_ERROR;
        reader->state = STATE_AFTER;
        return JSON_TOKEN_STRING;
    case '[':
    case '{': return open_nested(reader, c);
    case 't': reader->boolean = true; return read_word(reader, STR("true"), JSON_TOKEN_BOOL);
    case 'f': reader->boolean = false; return read_word(reader, STR("false"), JSON_TOKEN_BOOL);
    case 'n': return read_word(reader, STR("null"), JSON_TOKEN_NULL);
    case 'N':
        if (reader->non_finite) return read_word(reader, STR("NaN"), JSON_TOKEN_NUMBER);
        return fail(reader, reader->at, "NaN, which JSON does not allow");
    case 'I':
        if (reader->non_finite) return read_word(reader, STR("Infinity"), JSON_TOKEN_NUMBER);
        return fail(reader, reader->at, "an unknown word");
    case ']': return fail(reader, reader->at, "']' where a value must stand");
    case '}': return fail(reader, reader->at, "'}' where a value must stand");
    case ',': return fail(reader, reader->at, "a comma where a value must stand");
    default:
        if (c == '-' || is_digit(c)) return read_number(reader);
        return fail(reader, reader->at, "something that begins no value");
    }
}

JsonToken json_next(JsonReader *reader)
{
    const char *p = reader->text.ptr;
    size_t len = reader->text.len;
    if (reader->state == STATE_ERROR) return JSON_TOKEN_ERROR;
    size_t at = reader->at = skip_blanks(p, reader->at, len);

    if (reader->state == STATE_AFTER) {
        if (reader->depth == 0)
            return at == len ? JSON_TOKEN_END : fail(reader, at, "something after the value");
        bool in_array = reader->stack[reader->depth - 1] == '[';
        if (at == len)
            return fail(reader, at,
                        in_array ? "an array that does not end" : "an object that does not end");
        if (p[at] == (in_array ? ']' : '}')) return close_nested(reader, p[at]);
        if (p[at] != ',')
            return fail(reader, at,
                        in_array ? "neither ',' nor ']' after a value"
                                 : "neither ',' nor '}' after a value");
        at = reader->at = skip_blanks(p, at + 1, len);
        if (!in_array) {
            if (at == len || p[at] != '"') return fail(reader, at, "no name after a comma");
            return read_name(reader);
        }
        reader->state = STATE_VALUE;
    } else if (at < len && reader->state == STATE_FIRST_VALUE && p[at] == ']') {
        return close_nested(reader, ']');
    } else if (reader->state == STATE_FIRST_NAME) {
        if (at < len && p[at] == '}') return close_nested(reader, '}');
        if (at == len) return fail(reader, at, "an object that does not end");
        if (p[at] != '"') return fail(reader, at, "a name that is not in quotes");
        return read_name(reader);
    }
    if (at == len)
        return fail(reader, at, len == 0 ? "an empty text" : "the end where a value must stand");
    return read_value(reader);
}

/* Unescapes a checked string; the result is never longer. */
static Str unescape(Str raw, Arena *arena)
{
    char *text = arena_alloc(arena, raw.len + 1), *to = text;
    const char *p = raw.ptr, *end = p + raw.len;
    while (p < end) {
        const char *backslash = memchr(p, '\\', (size_t)(end - p));
        size_t plain = (size_t)((backslash ? backslash : end) - p);
        memcpy(to, p, plain);
        to += plain;
        p += plain;
        if (!backslash) break;
        p += 2;
        switch (p[-1]) {
        case 'b': *to++ = '\b'; break;
        case 'f': *to++ = '\f'; break;
        case 'n': *to++ = '\n'; break;
        case 'r': *to++ = '\r'; break;
        case 't': *to++ = '\t'; break;
        case 'u': {
            uint32_t code = (uint32_t)hex4(p, 0, 4);
            p += 4;
            if (code >= 0xd800 && code < 0xdc00) {
                code = 0x10000 + ((code - 0xd800) << 10) + ((uint32_t)hex4(p, 2, 6) - 0xdc00);
                p += 6;
            }
            to += utf8_encode(code, to);
            break;
        }
        default: *to++ = p[-1];
        }
    }
    return (Str){text, (size_t)(to - text)};
}

Str json_reader_string(const JsonReader *reader, Arena *arena)
{
    return reader->escaped ? unescape(reader->raw, arena) : reader->raw;
}

/* digits x 10^power as the nearest double, where both fit a double exactly, so that one multiplication
 * or division rounds once (Clinger: How to Read Floating Point Numbers Accurately, 1990). */
static inline bool short_double(const JsonReader *reader, double *ret_value)
{
    static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                  1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    int32_t power = reader->power;
    if (!reader->short_number || reader->digits > 1ull << 53 || power < -22 || power > 22)
        return false;
    double x = (double)reader->digits;
    x = power < 0 ? x / tens[-power] : x * tens[power];
    *ret_value = reader->raw.ptr[0] == '-' ? -x : x;
    return true;
}

double json_reader_number(const JsonReader *reader)
{
    double x = 0;
    if (!short_double(reader, &x))
        number_parse_double(reader->raw.ptr, reader->raw.ptr + reader->raw.len, &x);
    return x;
}

float json_reader_float(const JsonReader *reader)
{
    double x;
    float y = 0;
    if (short_double(reader, &x)) {
        /* Rounding a second time is harmless unless the double lies in the middle between two floats,
         * or next to it: then the first rounding may have moved it there. */
        uint64_t bits, distance;
        memcpy(&bits, &x, sizeof bits);
        distance = (bits & 0x1fffffff) - 0x0fffffff;
        bool in_range = (x > 0x1p-126 && x < 0x1p127) || (x < -0x1p-126 && x > -0x1p127) || x == 0;
        if (in_range && distance > 2) return (float)x;
    }
    number_parse_float(reader->raw.ptr, reader->raw.ptr + reader->raw.len, &y);
    return y;
}

bool json_skip(JsonReader *reader)
{
    int depth = reader->depth;
    for (;;) {
        JsonToken token = json_next(reader);
        if (token == JSON_TOKEN_ERROR || token == JSON_TOKEN_END) return false;
        if (token == JSON_TOKEN_NAME) continue;
        if (reader->depth <= depth) return reader->depth == depth;
    }
}

bool json_reader_error(const JsonReader *reader, Error *err)
{
    return error_set(err, ERROR_INVALID, "JSON: byte %zu: %s", reader->at,
                     reader->reason ? reader->reason : "another value than expected");
}
