/* Names and small texts of S3: what AWS allows, and how it writes them. */

#include "service/s3/s3.h"

#include "base/strbuf.h"

#include <stdio.h>
#include <sys/random.h>
#include <time.h>

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool looks_like_ip(Str name)
{
    int n = 0;
    Str part;
    while (str_next(&name, '.', &part)) {
        n++;
        if (part.len == 0) return false;
        for (size_t i = 0; i < part.len; i++)
            if (!is_digit(part.ptr[i])) return false;
    }
    return n == 4;
}

const char *s3_bucket_name_check(Str name)
{
    static const char *const prefixes[] = {"xn--", "sthree-", "amzn-s3-demo-"};
    static const char *const suffixes[] = {"-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"};
    if (name.len < 3 || name.len > 63) return "InvalidBucketName";
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        bool edge = i == 0 || i == name.len - 1;
        if (is_lower(c) || is_digit(c)) continue;
        if (edge || (c != '-' && c != '.')) return "InvalidBucketName";
        if (c == '.' && name.ptr[i - 1] == '.') return "InvalidBucketName";
    }
    if (looks_like_ip(name)) return "InvalidBucketName";
    for (size_t i = 0; i < COUNT(prefixes); i++)
        if (str_starts(name, str_of(prefixes[i]))) return "InvalidBucketName";
    for (size_t i = 0; i < COUNT(suffixes); i++)
        if (str_ends(name, str_of(suffixes[i]))) return "InvalidBucketName";
    return NULL;
}

/* UTF-8 without NUL, which neither XML nor the databases can carry. */
bool s3_key_ok(Str key)
{
    if (key.len == 0 || key.len > S3_KEY_BYTES_MAX) return false;
    for (size_t i = 0; i < key.len;) {
        unsigned char c = (unsigned char)key.ptr[i];
        size_t n = c < 0x80                ? 1
                   : c >= 0xc2 && c < 0xe0 ? 2
                   : c >= 0xe0 && c < 0xf0 ? 3
                   : c >= 0xf0 && c < 0xf5 ? 4
                                           : 0;
        if (c == 0 || n == 0 || n > key.len - i) return false;
        for (size_t k = 1; k < n; k++)
            if (((unsigned char)key.ptr[i + k] & 0xc0) != 0x80) return false;
        unsigned char second = n > 1 ? (unsigned char)key.ptr[i + 1] : 0;
        if ((c == 0xe0 && second < 0xa0) || (c == 0xed && second >= 0xa0) ||
            (c == 0xf0 && second < 0x90) || (c == 0xf4 && second >= 0x90))
            return false;
        i += n;
    }
    return true;
}

Str s3_new_version(Arena *arena)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._";
    unsigned char b[32];
    for (size_t at = 0; at < sizeof b;) {
        ssize_t n = getrandom(b + at, sizeof b - at, 0);
        if (n > 0) at += (size_t)n;
    }
    char text[sizeof b];
    for (size_t i = 0; i < sizeof b; i++) text[i] = letters[b[i] & 63];
    return arena_str(arena, (Str){text, sizeof text});
}

Str s3_etag_bare(Str etag)
{
    etag = str_trim(etag);
    if (str_starts(etag, STR("W/"))) etag = str_from(etag, 2);
    if (etag.len >= 2 && etag.ptr[0] == '"' && etag.ptr[etag.len - 1] == '"')
        return str_slice(etag, 1, etag.len - 1);
    return etag;
}

Str s3_quoted(Arena *arena, Str etag)
{
    return arena_format(arena, "\"%.*s\"", STR_ARG(etag));
}

Str s3_url_encode(Arena *arena, Str key)
{
    static const char hex[] = "0123456789ABCDEF";
    char *out = arena_alloc(arena, key.len * 3 + 1);
    size_t n = 0;
    for (size_t i = 0; i < key.len; i++) {
        unsigned char c = (unsigned char)key.ptr[i];
        if (is_lower((char)c) || (c >= 'A' && c <= 'Z') || is_digit((char)c) || c == '-' ||
            c == '_' || c == '.' || c == '*' || c == '/') {
            out[n++] = (char)c;
        } else if (c == ' ') {
            out[n++] = '+';
        } else {
            out[n++] = '%';
            out[n++] = hex[c >> 4];
            out[n++] = hex[c & 15];
        }
    }
    return (Str){out, n};
}

Str s3_http_date(Arena *arena, double time)
{
    static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    time_t seconds = (time_t)time;
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return arena_format(arena, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
                        months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* ---- tags ---- */

static int hex_digit(char c)
{
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

static bool decode(Str text, bool plus, Arena *arena, Str *ret_text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '+' && plus) {
            c = ' ';
        } else if (c == '%') {
            int high = i + 2 < text.len ? hex_digit(text.ptr[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_digit(text.ptr[i + 2]) : -1;
            if (high < 0 || low < 0) return false;
            c = (char)(high << 4 | low);
            i += 2;
        }
        out[n++] = c;
    }
    *ret_text = (Str){out, n};
    return true;
}

static bool form_decode(Str text, Arena *arena, Str *ret_text)
{
    return decode(text, true, arena, ret_text);
}

bool s3_percent_decode(Str text, Arena *arena, Str *ret_text)
{
    return decode(text, false, arena, ret_text);
}

bool s3_tags_of_query(Str text, Arena *arena, Json **ret_tags)
{
    Json *tags = json_new_array(arena);
    Str pair;
    while (str_next(&text, '&', &pair)) {
        if (pair.len == 0) continue;
        size_t equals = str_find(pair, '=');
        Str name, value = STR("");
        if (!form_decode(str_slice(pair, 0, equals), arena, &name)) return false;
        if (equals < pair.len && !form_decode(str_from(pair, equals + 1), arena, &value))
            return false;
        Json *tag = json_new_object(arena);
        json_set_text(arena, tag, "Key", name);
        json_set_text(arena, tag, "Value", value);
        json_push(arena, tags, tag);
    }
    *ret_tags = tags;
    return true;
}

static size_t characters(Str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) n += ((unsigned char)s.ptr[i] & 0xc0) != 0x80;
    return n;
}

const char *s3_tags_check(const Json *tags, size_t max)
{
    size_t n = tags ? tags->n : 0;
    if (n > max) return "InvalidTag";
    for (size_t i = 0; i < n; i++) {
        Str key = json_get_text(tags->items[i], "Key"),
            value = json_get_text(tags->items[i], "Value");
        if (key.len == 0 || characters(key) > 128 || characters(value) > 256) return "InvalidTag";
        if (str_starts(key, STR("aws:"))) return "InvalidTag";
        for (size_t k = 0; k < i; k++)
            if (str_eq(key, json_get_text(tags->items[k], "Key"))) return "InvalidTag";
    }
    return NULL;
}
