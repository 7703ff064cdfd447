/* Percent encoding (RFC 3986), forms, and the three forms of a time: seconds since 1970,
 * ISO 8601 and HTTP's date (RFC 9110). */

#include "aws/text.h"

#include "format/timestamp.h"

#include <math.h>
#include <time.h>

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

bool percent_read(Arena *arena, Str text, bool plus_is_blank, Str *ret_text)
{
    bool plain = true;
    for (size_t i = 0; i < text.len && plain; i++)
        plain = text.ptr[i] != '%' && !(plus_is_blank && text.ptr[i] == '+');
    if (plain) {
        *ret_text = text.ptr ? text : STR("");
        return true;
    }
    char *out = arena_alloc(arena, text.len);
    size_t n = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == '%') {
            if (text.len - i < 3) return false;
            int high = hex_value(text.ptr[i + 1]), low = hex_value(text.ptr[i + 2]);
            if (high < 0 || low < 0) return false;
            c = (char)(high << 4 | low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        out[n++] = c;
    }
    *ret_text = (Str){out, n};
    return true;
}

void percent_write(StrBuf *out, Str text, bool keep_slash)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '.' || c == '_' || c == '~' || (keep_slash && c == '/');
        if (plain)
            strbuf_add_char(out, c);
        else
            strbuf_addf(out, "%%%02X", (uint8_t)c);
    }
}

bool form_next(Str *rest, Str *ret_name, Str *ret_value)
{
    Str part;
    while (str_next(rest, '&', &part)) {
        if (part.len == 0) continue;
        size_t equals = str_find(part, '=');
        *ret_name = str_slice(part, 0, equals);
        *ret_value = equals < part.len ? str_from(part, equals + 1)
                                       : str_slice(part, part.len, part.len);
        return true;
    }
    return false;
}

Str form_find(Str form, const char *name)
{
    Str found, value;
    while (form_next(&form, &found, &value))
        if (str_is(found, name)) return value;
    return (Str){0};
}

static const char months[][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char days[][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

static bool two_digits(Str s, size_t at, int *ret)
{
    char a = s.ptr[at], b = s.ptr[at + 1];
    if (a < '0' || a > '9' || b < '0' || b > '9') return false;
    *ret = (a - '0') * 10 + (b - '0');
    return true;
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool read_http_date(Str s, double *ret_seconds)
{
    struct tm tm = {0};
    int century, year;
    if (s.len != 29 || s.ptr[3] != ',' || s.ptr[4] != ' ' || s.ptr[7] != ' ' || s.ptr[11] != ' ' ||
        s.ptr[16] != ' ' || s.ptr[19] != ':' || s.ptr[22] != ':' || !str_ends(s, STR(" GMT")))
        return false;
    if (!two_digits(s, 5, &tm.tm_mday) || !two_digits(s, 12, &century) ||
        !two_digits(s, 14, &year) || !two_digits(s, 17, &tm.tm_hour) ||
        !two_digits(s, 20, &tm.tm_min) || !two_digits(s, 23, &tm.tm_sec))
        return false;
    tm.tm_mon = -1;
    for (int i = 0; i < 12; i++)
        if (memcmp(s.ptr + 8, months[i], 3) == 0) tm.tm_mon = i;
    if (tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour > 23 || tm.tm_min > 59 ||
        tm.tm_sec > 60)
        return false;
    tm.tm_year = century * 100 + year - 1900;
    *ret_seconds = (double)timegm(&tm);
    return true;
}

bool time_read(Str text, TimeForm form, double *ret_seconds)
{
    if (form != TIME_UNIX && form != TIME_ISO8601 && read_http_date(text, ret_seconds)) return true;
    int64_t us;
    if (form != TIME_UNIX && form != TIME_RFC822 && timestamp_parse(text, &us)) {
        *ret_seconds = (double)us / 1e6;
        return true;
    }
    /* Clients are seen to send epoch seconds where the model says otherwise. */
    double number;
    if (form == TIME_RFC822 || !str_to_double(text, &number) || number - number != 0) return false;
    *ret_seconds = number;
    return true;
}

void time_write(StrBuf *out, double seconds, TimeForm form, bool always_ms)
{
    const double first = -62135596800, last = 253402300799; /* years 1 to 9999 */
    seconds = !(seconds >= first) ? first : seconds > last ? last : seconds;
    if (form == TIME_UNIX) {
        int64_t ms = (int64_t)floor(seconds * 1e3 + 0.5);
        bool negative = ms < 0;
        if (negative) ms = -ms;
        strbuf_addf(out, "%s%lld", negative ? "-" : "", (long long)(ms / 1000));
        if (ms % 1000) strbuf_addf(out, ".%03d", (int)(ms % 1000));
        return;
    }
    int64_t total_ms = (int64_t)floor(seconds * 1e3 + (form == TIME_RFC822 ? 0 : 0.5));
    int ms = (int)((total_ms % 1000 + 1000) % 1000);
    time_t whole = (time_t)((total_ms - ms) / 1000);
    struct tm tm;
    gmtime_r(&whole, &tm);
    if (form == TIME_RFC822) {
        strbuf_addf(out, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[tm.tm_wday], tm.tm_mday,
                    months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
        return;
    }
    strbuf_addf(out, "%04d-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                tm.tm_hour, tm.tm_min, tm.tm_sec);
    if (ms || always_ms) strbuf_addf(out, ".%03d", ms);
    strbuf_add_char(out, 'Z');
}
