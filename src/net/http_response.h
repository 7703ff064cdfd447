#ifndef CLARY_NET_HTTP_RESPONSE_H
#define CLARY_NET_HTTP_RESPONSE_H

/* A strict parser of HTTP/1.1 answers, made like that of requests (http_parse.h): pure, offsets
 * instead of pointers, and a head may arrive in any pieces.
 *
 * It wants HTTP/1.1 or HTTP/1.0, a status of three digits, and framing that can be read in one way
 * only.  Answers 1xx are skipped, except 101, which nobody asked for. */

#include "net/http_parse.h"

typedef enum HttpFraming {
    HTTP_BODY_NONE,
    HTTP_BODY_LENGTH,
    HTTP_BODY_CHUNKS,
    HTTP_BODY_END
} HttpFraming;

typedef struct HttpResponse {
    const char *bytes;

    int status; /* of the answer */
    HttpFraming framing;
    uint8_t minor;
    bool keep_alive; /* the connection may be used again */
    bool has_length;
    uint64_t content_length;
    uint32_t reason_at, reason_len; /* the phrase behind the status */
    uint32_t head_len;              /* the body begins here; valid when done */
    int16_t content_type;           /* a position in `fields`, or -1 */
    uint16_t n_fields;

    const char *refusal; /* one sentence, static */

    uint32_t line, scanned;
    uint8_t stage, informational;
    bool to_head, chunked, close, persist;

    HttpField fields[HTTP_FIELDS_MAX]; /* last */
} HttpResponse;

/* to_head: the request was HEAD, so no body follows whatever the fields say. */
void http_response_init(HttpResponse *response, const char *bytes, bool to_head);

/* Goes on with the first n_bytes of the answer (all of them so far).  limits: fields_max, field_max,
 * head_max, body_max. */
HttpResult http_response_parse(HttpResponse *response, size_t n_bytes, const HttpLimits *limits);

static inline Str http_response_text(const HttpResponse *response, uint32_t at, uint32_t len)
{
    return (Str){response->bytes + at, len};
}

static inline Str http_response_value(const HttpResponse *response, int position)
{
    if (position < 0) return (Str){0};
    const HttpField *field = &response->fields[position];
    return http_response_text(response, field->value, field->value_len);
}

static inline Str http_response_name(const HttpResponse *response, int position)
{
    const HttpField *field = &response->fields[position];
    return http_response_text(response, field->name, field->name_len);
}

/* Value of the first field of that name (any case), or a Str whose ptr is NULL. */
Str http_response_field(const HttpResponse *response, Str name);

#endif
