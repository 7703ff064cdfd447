/* ISO 8601 dates and times.  Days are counted from March, so that the leap day ends a year. */

#include "format/timestamp.h"

static inline bool two(const char *p, int *ret_value)
{
    unsigned a = (unsigned)(unsigned char)p[0] - '0', b = (unsigned)(unsigned char)p[1] - '0';
    *ret_value = (int)(a * 10 + b);
    return a < 10 && b < 10;
}

static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2), shifted = (month + 9) % 12;
    int64_t era = y / 400, of_era = y - era * 400;
    int64_t of_year = (153 * shifted + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool parse_date(const char *p, int64_t *ret_days)
{
    static const uint8_t lengths[] = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int century, rest, month, day;
    if (!two(p, &century) || !two(p + 2, &rest) || !two(p + 5, &month) || !two(p + 8, &day) ||
        p[4] != '-' || p[7] != '-')
        return false;
    int year = century * 100 + rest;
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > lengths[month - 1]) return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    if (month == 2 && day == 29 && !leap) return false;
    *ret_days = days_of(year, month, day);
    return true;
}

/* "Z", "+02", "+0200", "+02:00". */
static bool parse_offset(Str text, int64_t *ret_seconds)
{
    int hours, minutes = 0;
    *ret_seconds = 0;
    if (text.len == 1 && (text.ptr[0] | 32) == 'z') return true;
    if (text.len < 3 || (text.ptr[0] != '+' && text.ptr[0] != '-') || !two(text.ptr + 1, &hours))
        return false;
    Str rest = str_from(text, 3);
    if (rest.len == 3 && rest.ptr[0] == ':') rest = str_from(rest, 1);
    if (rest.len != 0 && (rest.len != 2 || !two(rest.ptr, &minutes))) return false;
    if (hours > 18 || minutes > 59) return false;
    *ret_seconds = (hours * 60 + minutes) * (text.ptr[0] == '-' ? -60 : 60);
    return true;
}

bool timestamp_parse(Str text, int64_t *ret_us)
{
    int64_t days, us = 0, offset = 0;
    int hour = 0, minute = 0, second = 0;
    if (text.len < 10 || !parse_date(text.ptr, &days)) return false;
    if (text.len > 10) {
        const char *p = text.ptr;
        if (text.len < 16 || ((p[10] | 32) != 't' && p[10] != ' ') || p[13] != ':' ||
            !two(p + 11, &hour) || !two(p + 14, &minute))
            return false;
        size_t at = 16;
        if (at < text.len && p[at] == ':') {
            if (text.len < 19 || !two(p + 17, &second)) return false;
            at = 19;
            if (at < text.len && (p[at] == '.' || p[at] == ',')) {
                size_t begin = ++at;
                int64_t unit = 100000;
                for (; at < text.len && p[at] >= '0' && p[at] <= '9'; at++, unit /= 10)
                    us += unit * (p[at] - '0');
                if (at == begin) return false;
            }
        }
        if (at < text.len && !parse_offset(str_from(text, at), &offset)) return false;
        if (hour > 23 || minute > 59 || second > 60) return false; /* 60: a leap second */
    }
    *ret_us = ((days * 24 + hour) * 3600 + minute * 60 + second - offset) * 1000000 + us;
    return true;
}
