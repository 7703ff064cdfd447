#ifndef CLARY_NET_HTTP_GRAMMAR_H
#define CLARY_NET_HTTP_GRAMMAR_H

/* What the parsers of requests and of answers share (inside of net). */

#include "net/http_parse.h"

/* Classes of bytes.  TOKEN: RFC 9110 tchar.  TARGET: what a URI may hold besides '%' (RFC 3986, no
 * fragment).  HOST: what we accept of a host name; the RFC's sub-delims (',' among them) are not in
 * any real name. */
enum { CHAR_TOKEN = 1, CHAR_TARGET = 2, CHAR_HOST = 4, CHAR_HEX = 8 };

extern const uint8_t http_classes[256];

static inline bool http_is(char c, int class)
{
    return http_classes[(unsigned char)c] & class;
}

static inline bool http_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Position of the first control byte (below 0x20, except TAB, or 0x7f) at or after `at`, else n. */
uint32_t http_find_control(const char *bytes, uint32_t at, uint32_t n);

#endif
