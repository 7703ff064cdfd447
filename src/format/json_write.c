/* JSON out: commas, quotes, escapes and blanks. */

#include "format/json.h"
#include "format/number.h"
#include "format/utf8.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

static void new_line(JsonWriter *writer)
{
    if (!writer->indent) return;
    size_t n = (size_t)writer->indent * (size_t)writer->depth;
    char *to = strbuf_reserve(writer->out, n + 1);
    if (!to) return;
    to[0] = '\n';
    memset(to + 1, ' ', n);
    writer->out->len += n + 1;
}

/* What stands before a value or a name. */
static void begin_item(JsonWriter *writer)
{
    if (writer->after_name) {
        writer->after_name = false;
        return;
    }
    if (writer->depth == 0) return;
    if (!writer->first[writer->depth]) strbuf_add_char(writer->out, ',');
    writer->first[writer->depth] = false;
    new_line(writer);
}

static void begin_nested(JsonWriter *writer, char bracket)
{
    begin_item(writer);
    assert(writer->depth < JSON_DEPTH_MAX);
    strbuf_add_char(writer->out, bracket);
    writer->first[++writer->depth] = true;
}

static void end_nested(JsonWriter *writer, char bracket)
{
    assert(writer->depth > 0 && !writer->after_name);
    bool empty = writer->first[writer->depth--];
    if (!empty) new_line(writer);
    strbuf_add_char(writer->out, bracket);
}

void json_begin_object(JsonWriter *writer)
{
    begin_nested(writer, '{');
}

void json_end_object(JsonWriter *writer)
{
    end_nested(writer, '}');
}

void json_begin_array(JsonWriter *writer)
{
    begin_nested(writer, '[');
}

void json_end_array(JsonWriter *writer)
{
    end_nested(writer, ']');
}

static void write_escaped(StrBuf *out, unsigned char c)
{
    switch (c) {
    case '"': strbuf_add(out, STR("\\\"")); break;
    case '\\': strbuf_add(out, STR("\\\\")); break;
    case '\b': strbuf_add(out, STR("\\b")); break;
    case '\f': strbuf_add(out, STR("\\f")); break;
    case '\n': strbuf_add(out, STR("\\n")); break;
    case '\r': strbuf_add(out, STR("\\r")); break;
    case '\t': strbuf_add(out, STR("\\t")); break;
    default: strbuf_addf(out, "\\u%04x", c);
    }
}

static void write_string(StrBuf *out, Str text)
{
    const unsigned char *p = (const unsigned char *)text.ptr, *end = p + text.len, *plain = p;
    strbuf_add_char(out, '"');
    while (p < end) {
        size_t n = *p < 0x80 ? 1 : utf8_sequence(p, end);
        if (n > 1 || (n == 1 && *p >= ' ' && *p != '"' && *p != '\\')) {
            p += n;
            continue;
        }
        strbuf_add(out, (Str){(const char *)plain, (size_t)(p - plain)});
        if (n)
            write_escaped(out, *p);
        else
            strbuf_add(out, STR("\xef\xbf\xbd"));
        plain = ++p;
    }
    strbuf_add(out, (Str){(const char *)plain, (size_t)(p - plain)});
    strbuf_add_char(out, '"');
}

void json_name(JsonWriter *writer, Str name)
{
    assert(!writer->after_name);
    begin_item(writer);
    write_string(writer->out, name);
    strbuf_add(writer->out, writer->indent ? STR(": ") : STR(":"));
    writer->after_name = true;
}

void json_string(JsonWriter *writer, Str text)
{
    begin_item(writer);
    write_string(writer->out, text);
}

static void write_non_finite(JsonWriter *writer, bool nan, bool negative)
{
    Str text = !writer->non_finite ? STR("null")
               : nan               ? STR("NaN")
               : negative          ? STR("-Infinity")
                                   : STR("Infinity");
    strbuf_add(writer->out, text);
}

void json_double(JsonWriter *writer, double x)
{
    begin_item(writer);
    if (!isfinite(x)) {
        write_non_finite(writer, isnan(x), x < 0);
        return;
    }
    char *to = strbuf_reserve(writer->out, NUMBER_TEXT_MAX);
    if (to) writer->out->len += number_print_double(x, to);
}

void json_float(JsonWriter *writer, float x)
{
    begin_item(writer);
    if (!isfinite(x)) {
        write_non_finite(writer, isnan(x), x < 0);
        return;
    }
    char *to = strbuf_reserve(writer->out, NUMBER_TEXT_MAX);
    if (to) writer->out->len += number_print_float(x, to);
}

void json_int(JsonWriter *writer, int64_t x)
{
    begin_item(writer);
    char digits[20], *p = digits + sizeof digits;
    uint64_t rest = x < 0 ? 0 - (uint64_t)x : (uint64_t)x;
    do *--p = (char)('0' + rest % 10);
    while (rest /= 10);
    if (x < 0) strbuf_add_char(writer->out, '-');
    strbuf_add(writer->out, (Str){p, (size_t)(digits + sizeof digits - p)});
}

void json_bool(JsonWriter *writer, bool x)
{
    begin_item(writer);
    strbuf_add(writer->out, x ? STR("true") : STR("false"));
}

void json_null(JsonWriter *writer)
{
    begin_item(writer);
    strbuf_add(writer->out, STR("null"));
}

static void write_packed(JsonWriter *writer, const Json *array)
{
    json_begin_array(writer);
    for (size_t i = 0; i < array->n; i++) switch (array->type) {
        case JSON_FLOATS: json_float(writer, array->floats[i]); break;
        case JSON_DOUBLES: json_double(writer, array->doubles[i]); break;
        case JSON_INT32S: json_int(writer, array->int32s[i]); break;
        case JSON_INT64S: json_int(writer, array->int64s[i]); break;
        default: json_int(writer, array->bytes[i]); break;
        }
    json_end_array(writer);
}

static void write_scalar(JsonWriter *writer, const Json *value)
{
    switch (value->type) {
    case JSON_NULL: json_null(writer); break;
    case JSON_BOOL: json_bool(writer, value->boolean); break;
    case JSON_NUMBER:
        if (value->text.len &&
            (isfinite(value->number) || value->text.ptr[value->text.len - 1] <= '9')) {
            begin_item(writer); /* as it was; not NaN and Infinity, which end in letters */
            strbuf_add(writer->out, value->text);
        } else {
            json_double(writer, value->number);
        }
        break;
    case JSON_STRING: json_string(writer, value->text); break;
    default: write_packed(writer, value); break;
    }
}

void json_value(JsonWriter *writer, const Json *value)
{
    struct {
        const Json *value;
        size_t next;
    } open[JSON_DEPTH_MAX] UNINITIALIZED;
    int depth = 0;

    while (value || depth) {
        if (!value) { /* the next one of the innermost array or object */
            const Json *outer = open[depth - 1].value;
            size_t i = open[depth - 1].next++;
            if (i == outer->n) {
                end_nested(writer, outer->type == JSON_ARRAY ? ']' : '}');
                depth--;
                continue;
            }
            if (outer->type == JSON_OBJECT) json_name(writer, outer->members[i].name);
            value = outer->type == JSON_ARRAY ? outer->items[i] : outer->members[i].value;
        }
        if (value->type == JSON_ARRAY || value->type == JSON_OBJECT) {
            begin_nested(writer, value->type == JSON_ARRAY ? '[' : '{');
            open[depth].value = value;
            open[depth++].next = 0;
        } else {
            write_scalar(writer, value);
        }
        value = NULL;
    }
}

void json_member_string(JsonWriter *writer, const char *name, Str text)
{
    json_name(writer, str_of(name));
    json_string(writer, text);
}

void json_member_double(JsonWriter *writer, const char *name, double x)
{
    json_name(writer, str_of(name));
    json_double(writer, x);
}

void json_member_int(JsonWriter *writer, const char *name, int64_t x)
{
    json_name(writer, str_of(name));
    json_int(writer, x);
}

void json_member_bool(JsonWriter *writer, const char *name, bool x)
{
    json_name(writer, str_of(name));
    json_bool(writer, x);
}
