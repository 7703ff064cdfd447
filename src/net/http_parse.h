#ifndef CLARY_NET_HTTP_PARSE_H
#define CLARY_NET_HTTP_PARSE_H

/* A strict parser of HTTP/1.1 requests (RFC 9112): bytes and limits in, a request or a refusal out.
 * It does no I/O, allocates nothing, keeps no pointer, and never reads a byte twice, so a head may
 * arrive in any pieces.
 *
 *     http_request_init(&request, bytes);
 *     switch (http_request_parse(&request, n_bytes, &limits)) {  again with more bytes while MORE
 *
 * All positions in a request are offsets from its first byte: when the bytes move, set
 * request.bytes and go on.  What could be read in two ways is refused (security.md section 7);
 * after a refusal nothing that follows on the connection means anything. */

#include "base/str.h"

enum {
    HTTP_FIELDS_MAX = 128,
    HTTP_TARGET_BYTES_MAX = 16 << 10,
    HTTP_FIELD_BYTES_MAX = 16 << 10,
    HTTP_HEAD_BYTES_MAX = 64 << 10,
    HTTP_BODY_BYTES_MAX = 6 << 20,
    HTTP_EXTENSION_BYTES_MAX = 256,
    HTTP_EXTENSIONS_BYTES_MAX = 64 << 10,
    HTTP_TRAILERS_BYTES_MAX = 8 << 10,
};

typedef struct HttpLimits {
    uint32_t target_max;     /* bytes of the request target: 414 beyond */
    uint32_t field_max;      /* bytes of a field line: 431 */
    uint32_t fields_max;     /* fields, at most HTTP_FIELDS_MAX: 431 */
    uint32_t head_max;       /* bytes of the whole head: 431 */
    uint64_t body_max;       /* bytes of the body: 413 */
    uint32_t extension_max;  /* bytes of the extensions of one chunk: 400 */
    uint32_t extensions_max; /* and of all chunks of a body: 400 */
    uint32_t trailers_max;   /* bytes of the trailer section: 431 */
    bool connect;            /* CONNECT is parsed; otherwise: 501 */
} HttpLimits;

#define HTTP_LIMITS                                                                                \
    {                                                                                              \
        .target_max = HTTP_TARGET_BYTES_MAX, .field_max = HTTP_FIELD_BYTES_MAX,                    \
        .fields_max = HTTP_FIELDS_MAX, .head_max = HTTP_HEAD_BYTES_MAX,                            \
        .body_max = HTTP_BODY_BYTES_MAX, .extension_max = HTTP_EXTENSION_BYTES_MAX,                \
        .extensions_max = HTTP_EXTENSIONS_BYTES_MAX, .trailers_max = HTTP_TRAILERS_BYTES_MAX,      \
    }

extern const HttpLimits http_limits; /* HTTP_LIMITS, security.md section 6 */

typedef enum HttpMethod {
    HTTP_OTHER,
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_OPTIONS,
    HTTP_PATCH,
    HTTP_CONNECT, /* the target is host:port; only with limits.connect */
} HttpMethod;

typedef struct HttpField {
    uint32_t name, value; /* offsets */
    uint16_t name_len, value_len;
} HttpField;

typedef enum HttpResult { HTTP_MORE, HTTP_DONE, HTTP_REFUSED } HttpResult;

typedef struct HttpRequest {
    const char *bytes; /* of the request, from its first one on */

    HttpMethod method;
    uint32_t method_at, target_at, path_at, path_len, query_at, query_len; /* query without '?' */
    uint16_t method_len;
    uint32_t target_len;
    uint8_t minor;           /* HTTP/1.minor: 0 or 1 */
    bool keep_alive;         /* the connection goes on after the answer */
    bool chunked;            /* the body comes in chunks */
    bool has_length;         /* Content-Length was given */
    bool expect_continue;    /* the client waits for 100 before it sends the body */
    uint64_t content_length; /* 0 when absent */
    uint32_t head_len;       /* the body begins here; valid when done */

    int16_t host, content_type, accept; /* positions in `fields`, or -1 */
    uint16_t n_fields;

    int status;         /* of a refusal: 400, 413, 414, 417, 431, 501 */
    const char *reason; /* of a refusal: one sentence, static */

    uint32_t line, scanned; /* start of the current line; bytes before `scanned` are looked at */
    uint8_t stage;
    bool blank;          /* a leading blank line was skipped */
    bool close, persist; /* tokens of Connection */

    HttpField fields[HTTP_FIELDS_MAX]; /* last: the rest is cleared for each request */
} HttpRequest;

void http_request_init(HttpRequest *request, const char *bytes);

/* Goes on with the first n_bytes of the request (all of them so far, not the new ones only). */
HttpResult http_request_parse(HttpRequest *request, size_t n_bytes, const HttpLimits *limits);

static inline Str http_text(const HttpRequest *request, uint32_t at, uint32_t len)
{
    return (Str){request->bytes + at, len};
}

static inline Str http_method(const HttpRequest *request)
{
    return http_text(request, request->method_at, request->method_len);
}

static inline Str http_path(const HttpRequest *request)
{
    return http_text(request, request->path_at, request->path_len);
}

static inline Str http_field_value(const HttpRequest *request, int position)
{
    if (position < 0) return (Str){0};
    const HttpField *field = &request->fields[position];
    return http_text(request, field->value, field->value_len);
}

/* Value of the first field of that name (any case), or a Str whose ptr is NULL. */
Str http_field(const HttpRequest *request, Str name);

/* ---- the body in chunks ---- */

typedef struct HttpChunks {
    uint8_t state;
    uint8_t digits;
    uint64_t size;      /* being read */
    uint64_t left;      /* data bytes to come of the current chunk */
    uint64_t total;     /* data bytes so far */
    uint32_t extension; /* bytes of this chunk's extensions */
    uint32_t extensions, trailers;
    int status;
    const char *reason;
} HttpChunks;

/* Takes bytes from the front of `in`: *ret_used of them, and *ret_data is the piece of the body
 * among them (a view; may be empty).  HTTP_MORE: call again with the bytes behind *ret_used, or
 * with new ones when all were used.  HTTP_DONE: the body is complete; what is behind *ret_used
 * belongs to the next request.  Trailer fields are checked and dropped. */
HttpResult http_chunks_next(HttpChunks *chunks, Str in, const HttpLimits *limits, size_t *ret_used,
                            Str *ret_data);

/* ---- small tools of the same grammar ---- */

bool http_is_token(Str s);

/* The media type before any ';', trimmed; *ret_parameters is what follows the first ';'. */
Str http_media_type(Str value, Str *ret_parameters);

/* The value of a parameter of "a=1; b=\"x\"", without quotes; ptr NULL when it is not there. */
Str http_parameter(Str parameters, Str name);

const char *http_status_text(int status); /* "OK", "Bad Request", ... */

#endif
