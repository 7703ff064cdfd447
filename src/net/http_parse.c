/* The strict HTTP/1.1 request parser.
 *
 * A head is taken line by line.  One scan finds the next control byte: it must be the CR of a CRLF
 * and so ends the line; anything else there is refused at once.  So bare LF, bare CR, NUL and the
 * other control bytes need no rule of their own, an incomplete line is not scanned again when more
 * of it arrives, and feeding a head byte by byte refuses at the same line for the same reason.
 *
 * Where RFC 9112 lets a recipient be lenient, this one is not: each leniency is a way for two
 * programs on one connection to disagree about where a request ends (request smuggling).
 *
 * RFC 9110, RFC 9112; Linhart, Klein, Heled, Orrin: HTTP Request Smuggling, 2005. */

#include "net/http_parse.h"

#include "net/http_grammar.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

const HttpLimits http_limits = HTTP_LIMITS;

enum { STAGE_REQUEST_LINE, STAGE_FIELDS, STAGE_DONE, STAGE_REFUSED };

enum { METHOD_MAX = 32 };

#define T (CHAR_TOKEN)
#define U (CHAR_TARGET)
#define A (CHAR_TOKEN | CHAR_TARGET | CHAR_HOST)
#define X (CHAR_TOKEN | CHAR_TARGET | CHAR_HOST | CHAR_HEX)
const uint8_t http_classes[256] = {
    ['!'] = T | U, ['#'] = T, ['$'] = T | U, ['%'] = T,     ['&'] = T | U, ['\''] = T | U,
    ['('] = U,     [')'] = U, ['*'] = T | U, ['+'] = T | U, [','] = U,     ['-'] = A,
    ['.'] = A,     ['/'] = U, ['0'] = X,     ['1'] = X,     ['2'] = X,     ['3'] = X,
    ['4'] = X,     ['5'] = X, ['6'] = X,     ['7'] = X,     ['8'] = X,     ['9'] = X,
    [':'] = U,     [';'] = U, ['='] = U,     ['?'] = U,     ['@'] = U,     ['A'] = X,
    ['B'] = X,     ['C'] = X, ['D'] = X,     ['E'] = X,     ['F'] = X,     ['G'] = A,
    ['H'] = A,     ['I'] = A, ['J'] = A,     ['K'] = A,     ['L'] = A,     ['M'] = A,
    ['N'] = A,     ['O'] = A, ['P'] = A,     ['Q'] = A,     ['R'] = A,     ['S'] = A,
    ['T'] = A,     ['U'] = A, ['V'] = A,     ['W'] = A,     ['X'] = A,     ['Y'] = A,
    ['Z'] = A,     ['['] = U, [']'] = U,     ['^'] = T,     ['_'] = A,     ['`'] = T,
    ['a'] = X,     ['b'] = X, ['c'] = X,     ['d'] = X,     ['e'] = X,     ['f'] = X,
    ['g'] = A,     ['h'] = A, ['i'] = A,     ['j'] = A,     ['k'] = A,     ['l'] = A,
    ['m'] = A,     ['n'] = A, ['o'] = A,     ['p'] = A,     ['q'] = A,     ['r'] = A,
    ['s'] = A,     ['t'] = A, ['u'] = A,     ['v'] = A,     ['w'] = A,     ['x'] = A,
    ['y'] = A,     ['z'] = A, ['|'] = T,     ['~'] = A,
};
#undef T
#undef U
#undef A
#undef X

bool http_is_token(Str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!http_is(s.ptr[i], CHAR_TOKEN)) return false;
    return s.len > 0;
}

/* ---- scanning ---- */

uint32_t http_find_control(const char *bytes, uint32_t at, uint32_t n)
{
#if defined(__SSE2__)
    const __m128i tab = _mm_set1_epi8('\t'), del = _mm_set1_epi8(0x7f), top = _mm_set1_epi8(0x1f);
    for (; at + 16 <= n; at += 16) {
        __m128i chunk = _mm_loadu_si128((const __m128i *)(const void *)(bytes + at));
        /* Unsigned chunk <= 0x1f exactly where the minimum with 0x1f is the byte itself. */
        __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(chunk, top), chunk);
        __m128i bad = _mm_or_si128(_mm_andnot_si128(_mm_cmpeq_epi8(chunk, tab), low),
                                   _mm_cmpeq_epi8(chunk, del));
        int mask = _mm_movemask_epi8(bad);
        if (mask) return at + (uint32_t)__builtin_ctz((unsigned)mask);
    }
#endif
    for (; at < n; at++) {
        unsigned char c = (unsigned char)bytes[at];
        if ((c < 0x20 && c != '\t') || c == 0x7f) return at;
    }
    return n;
}

static HttpResult refuse(HttpRequest *request, int status, const char *reason)
{
    request->status = status;
    request->reason = reason;
    request->stage = STAGE_REFUSED;
    request->keep_alive = false;
    return HTTP_REFUSED;
}

static bool bad(HttpRequest *request, const char *reason)
{
    refuse(request, 400, reason);
    return false;
}

/* ---- the request line ---- */

static HttpMethod method_of(Str name)
{
    static const struct {
        Str name;
        HttpMethod method;
    } known[] = {
        {STR_INIT("GET"), HTTP_GET},       {STR_INIT("POST"), HTTP_POST},
        {STR_INIT("PUT"), HTTP_PUT},       {STR_INIT("HEAD"), HTTP_HEAD},
        {STR_INIT("DELETE"), HTTP_DELETE}, {STR_INIT("OPTIONS"), HTTP_OPTIONS},
        {STR_INIT("PATCH"), HTTP_PATCH},
    };
    for (size_t i = 0; i < COUNT(known); i++)
        if (str_eq(name, known[i].name)) return known[i].method;
    return HTTP_OTHER;
}

/* host [":" port] with a registered name, an IPv4 address or an IPv6 address in brackets. */
static bool is_host(Str s)
{
    size_t at = 0;
    if (s.len && s.ptr[0] == '[') {
        size_t colons = 0;
        for (at = 1; at < s.len && s.ptr[at] != ']'; at++) {
            if (s.ptr[at] == ':')
                colons++;
            else if (!http_is(s.ptr[at], CHAR_HEX) && s.ptr[at] != '.')
                return false;
        }
        if (at == s.len || colons < 2 || at > 46) return false;
        at++;
    } else {
        while (at < s.len && http_is(s.ptr[at], CHAR_HOST)) at++;
        if (at == 0 || at > 255) return false;
    }
    if (at == s.len) return true;
    if (s.ptr[at++] != ':') return false;
    uint32_t port = 0;
    size_t first = at;
    for (; at < s.len && at - first < 5 && http_is_digit(s.ptr[at]); at++)
        port = port * 10 + (uint32_t)(s.ptr[at] - '0');
    return at == s.len && at > first && port <= 65535;
}

static bool is_target_text(const char *p, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (http_is(p[i], CHAR_TARGET)) continue;
        if (p[i] != '%' || i + 2 >= n || !http_is(p[i + 1], CHAR_HEX) ||
            !http_is(p[i + 2], CHAR_HEX))
            return false;
        i += 2;
    }
    return true;
}

/* Splits the target into path and query; an absolute one ("http://host/path", which proxies send)
 * must name a host, kept for the comparison with the Host field. */
static bool parse_target(HttpRequest *request)
{
    const char *bytes = request->bytes;
    uint32_t at = request->target_at, end = at + request->target_len;
    if (!is_target_text(bytes + at, end - at))
        return bad(request, "the request target holds a byte that a URI must escape");

    if (bytes[at] == '*' && end - at == 1) {
        if (request->method != HTTP_OPTIONS)
            return bad(request, "the target '*' is for OPTIONS only");
    } else if (bytes[at] != '/') {
        Str target = {bytes + at, end - at};
        uint32_t scheme = str_eq_nocase(str_slice(target, 0, MIN(target.len, 7)), STR("http://"))
                              ? 7
                          : str_eq_nocase(str_slice(target, 0, MIN(target.len, 8)), STR("https://"))
                              ? 8
                              : 0;
        if (!scheme) return bad(request, "the request target must begin with '/'");
        at += scheme;
        uint32_t host = at;
        while (at < end && bytes[at] != '/' && bytes[at] != '?') at++;
        if (!is_host((Str){bytes + host, at - host}))
            return bad(request, "the request target names a malformed host");
        if (at == end || bytes[at] != '/') return bad(request, "the request target has no path");
    }
    request->path_at = at;
    uint32_t path_end = at + (uint32_t)str_find((Str){bytes + at, end - at}, '?');
    request->path_len = path_end - at;
    if (path_end < end) {
        request->query_at = path_end + 1;
        request->query_len = end - path_end - 1;
    }
    return true;
}

/* CONNECT host:port */
static bool parse_authority(HttpRequest *request, const HttpLimits *limits)
{
    if (!limits->connect) {
        refuse(request, 501, "CONNECT is not offered");
        return false;
    }
    Str target = http_text(request, request->target_at, request->target_len);
    if (!is_host(target) || str_find(target, ':') == target.len || target.ptr[0] == '[')
        return bad(request, "the target of CONNECT must be a host and a port");
    request->method = HTTP_CONNECT;
    request->path_at = request->target_at;
    return true;
}

static bool parse_request_line(HttpRequest *request, uint32_t end, const HttpLimits *limits)
{
    const char *bytes = request->bytes;
    uint32_t at = request->line;
    while (at < end && http_is(bytes[at], CHAR_TOKEN)) at++;
    if (at == request->line) return bad(request, "the request line must begin with a method");
    if (at == end || bytes[at] != ' ')
        return bad(request, "the method must be a token and end in one space");
    if (at - request->line > METHOD_MAX) return bad(request, "the method is too long");
    request->method_at = request->line;
    request->method_len = (uint16_t)(at - request->line);
    request->method = method_of(http_method(request));

    uint32_t target = ++at;
    while (at < end && bytes[at] != ' ' && bytes[at] != '\t') at++;
    if (at == target) return bad(request, "one space, then the target, must follow the method");
    if (at - target > limits->target_max) {
        refuse(request, 414, "the request target is too long");
        return false;
    }
    if (at == end) return bad(request, "the request line has no version");
    if (bytes[at] != ' ') return bad(request, "the request line holds a tab");
    request->target_at = target;
    request->target_len = at - target;

    Str version = {bytes + at + 1, end - at - 1};
    if (version.len != 8 || memcmp(version.ptr, "HTTP/1.", 7) != 0 ||
        (version.ptr[7] != '0' && version.ptr[7] != '1'))
        return bad(request, "the request line must end in one space and HTTP/1.1 or HTTP/1.0");
    request->minor = (uint8_t)(version.ptr[7] - '0');
    if (str_eq(http_method(request), STR("CONNECT"))) return parse_authority(request, limits);
    return parse_target(request);
}

/* ---- fields ---- */

static bool parse_length(HttpRequest *request, Str value)
{
    uint64_t length = 0;
    if (value.len == 0) return bad(request, "Content-Length is empty");
    for (size_t i = 0; i < value.len; i++) {
        if (!http_is_digit(value.ptr[i])) return bad(request, "Content-Length is not a number");
        if (__builtin_mul_overflow(length, (uint64_t)10, &length) ||
            __builtin_add_overflow(length, (uint64_t)(value.ptr[i] - '0'), &length) ||
            length > INT64_MAX)
            return bad(request, "Content-Length is out of range");
    }
    if (request->has_length && length != request->content_length)
        return bad(request, "Content-Length is given twice with different values");
    request->has_length = true;
    request->content_length = length;
    return true;
}

static bool parse_connection(HttpRequest *request, Str value)
{
    Str rest = value, part;
    while (str_next(&rest, ',', &part)) {
        part = str_trim(part);
        if (part.len == 0) continue; /* empty elements of lists are legal and mean nothing */
        if (!http_is_token(part)) return bad(request, "Connection is not a list of names");
        if (str_eq_nocase(part, STR("close"))) request->close = true;
        if (str_eq_nocase(part, STR("keep-alive"))) request->persist = true;
    }
    return true;
}

/* The fields that frame or route the request; all others are the handler's. */
static bool parse_known_field(HttpRequest *request, Str name, Str value)
{
    int16_t position = (int16_t)(request->n_fields - 1);
    switch (name.len) {
    case 4:
        if (!str_eq_nocase(name, STR("host"))) return true;
        if (request->host >= 0) return bad(request, "Host is given twice");
        if (!is_host(value)) return bad(request, "Host is malformed");
        request->host = position;
        return true;
    case 6:
        if (str_eq_nocase(name, STR("accept")) && request->accept < 0) request->accept = position;
        if (!str_eq_nocase(name, STR("expect"))) return true;
        if (!str_eq_nocase(value, STR("100-continue"))) {
            refuse(request, 417, "Expect may only be 100-continue");
            return false;
        }
        request->expect_continue = true;
        return true;
    case 10:
        return str_eq_nocase(name, STR("connection")) ? parse_connection(request, value) : true;
    case 12:
        if (!str_eq_nocase(name, STR("content-type"))) return true;
        if (request->content_type >= 0) return bad(request, "Content-Type is given twice");
        request->content_type = position;
        return true;
    case 14:
        return str_eq_nocase(name, STR("content-length")) ? parse_length(request, value) : true;
    case 17:
        if (!str_eq_nocase(name, STR("transfer-encoding"))) return true;
        if (request->chunked) return bad(request, "Transfer-Encoding is given twice");
        if (!str_eq_nocase(value, STR("chunked")))
            return bad(request, "Transfer-Encoding may only be chunked");
        request->chunked = true;
        return true;
    default: return true;
    }
}

static bool parse_field(HttpRequest *request, uint32_t end, const HttpLimits *limits)
{
    const char *bytes = request->bytes;
    uint32_t at = request->line;
    if (bytes[at] == ' ' || bytes[at] == '\t')
        return bad(request, "a field must not be folded over lines");
    while (at < end && http_is(bytes[at], CHAR_TOKEN)) at++;
    if (at == end || bytes[at] != ':') {
        if (at < end && (bytes[at] == ' ' || bytes[at] == '\t'))
            return bad(request, "a blank stands in or after a field's name");
        return bad(request, "a field's name must be a token that ends in ':'");
    }
    if (at == request->line) return bad(request, "a field has no name");
    if (request->n_fields >= MIN(limits->fields_max, (uint32_t)HTTP_FIELDS_MAX)) {
        refuse(request, 431, "the request has too many fields");
        return false;
    }

    uint32_t first = at + 1, last = end;
    while (first < last && (bytes[first] == ' ' || bytes[first] == '\t')) first++;
    while (last > first && (bytes[last - 1] == ' ' || bytes[last - 1] == '\t')) last--;
    request->fields[request->n_fields++] = (HttpField){
        .name = request->line,
        .name_len = (uint16_t)(at - request->line),
        .value = first,
        .value_len = (uint16_t)(last - first),
    };
    return parse_known_field(request, (Str){bytes + request->line, at - request->line},
                             (Str){bytes + first, last - first});
}

/* Rules that need the whole head. */
static bool finish_head(HttpRequest *request, const HttpLimits *limits)
{
    if (request->host < 0 && request->minor == 1) return bad(request, "Host is missing");
    if (request->chunked && request->has_length)
        return bad(request, "both Content-Length and Transfer-Encoding are given");
    if (request->chunked && request->minor == 0)
        return bad(request, "HTTP/1.0 has no Transfer-Encoding");
    if (request->method == HTTP_CONNECT && (request->chunked || request->content_length))
        return bad(request, "CONNECT has no body");
    const char *bytes = request->bytes;
    if (request->path_at != request->target_at && request->host >= 0) {
        uint32_t host = request->target_at +
                        (uint32_t)str_find(
                            http_text(request, request->target_at, request->target_len), '/') +
                        2;
        Str named = {bytes + host, request->path_at - host};
        if (!str_eq_nocase(named, http_field_value(request, request->host)))
            return bad(request, "Host differs from the host in the request target");
    }
    if (request->content_length > limits->body_max) {
        refuse(request, 413, "the body is larger than this server accepts");
        return false;
    }
    if (request->minor == 0) request->expect_continue = false;
    request->keep_alive = !request->close && (request->minor == 1 || request->persist);
    return true;
}

/* ---- the head ---- */

void http_request_init(HttpRequest *request, const char *bytes)
{
    memset(request, 0, offsetof(HttpRequest, fields));
    request->bytes = bytes;
    request->host = request->content_type = request->accept = -1;
}

/* The larger limits are those of 16-bit lengths. */
static uint32_t line_max(const HttpRequest *request, const HttpLimits *limits)
{
    if (request->stage == STAGE_REQUEST_LINE) return limits->target_max + METHOD_MAX + 10;
    return MIN(limits->field_max, (uint32_t)UINT16_MAX);
}

static HttpResult refuse_long_line(HttpRequest *request)
{
    if (request->stage == STAGE_REQUEST_LINE)
        return refuse(request, 414, "the request target is too long");
    return refuse(request, 431, "a field is too long");
}

static bool parse_line(HttpRequest *request, uint32_t end, const HttpLimits *limits)
{
    if (request->stage == STAGE_FIELDS) {
        if (end > request->line) return parse_field(request, end, limits);
        if (!finish_head(request, limits)) return false;
        request->head_len = end + 2;
        request->stage = STAGE_DONE;
        return true;
    }
    if (end == request->line) {
        if (request->blank) return bad(request, "blank lines stand before the request");
        request->blank = true;
        return true;
    }
    if (!parse_request_line(request, end, limits)) return false;
    request->stage = STAGE_FIELDS;
    return true;
}

HttpResult http_request_parse(HttpRequest *request, size_t n_bytes, const HttpLimits *limits)
{
    const char *bytes = request->bytes;
    /* One byte more than the head may have shows that it is too long. */
    uint32_t n = (uint32_t)MIN(n_bytes, (size_t)limits->head_max + 1);
    while (request->stage < STAGE_DONE) {
        uint32_t longest = line_max(request, limits);
        uint32_t end = http_find_control(bytes, request->scanned, n);
        request->scanned = end;
        /* Of the two limits the one that is passed first decides, however the bytes arrive. */
        if (end - request->line > longest && request->line + longest <= limits->head_max)
            return refuse_long_line(request);
        bool whole = end + 1 < n;
        if (end < n && bytes[end] != '\r')
            return refuse(request, 400,
                          bytes[end] == '\n' ? "a line ends in LF without CR"
                                             : "the head holds a control byte");
        if (whole && bytes[end + 1] != '\n') return refuse(request, 400, "a CR stands without LF");
        if (n > limits->head_max && (!whole || end + 2 > limits->head_max))
            return refuse(request, 431, "the head is too long");
        if (!whole) return HTTP_MORE;
        if (!parse_line(request, end, limits)) return HTTP_REFUSED;
        request->line = request->scanned = end + 2;
    }
    return request->stage == STAGE_DONE ? HTTP_DONE : HTTP_REFUSED;
}

Str http_field(const HttpRequest *request, Str name)
{
    for (int i = 0; i < request->n_fields; i++) {
        const HttpField *field = &request->fields[i];
        if (field->name_len == name.len &&
            str_eq_nocase(http_text(request, field->name, field->name_len), name))
            return http_field_value(request, i);
    }
    return (Str){0};
}

/* ---- chunks ---- */

enum {
    CHUNK_SIZE, /* the zero state: a body begins here */
    CHUNK_EXTENSION_NAME_FIRST,
    CHUNK_EXTENSION_NAME,
    CHUNK_EXTENSION_VALUE_FIRST,
    CHUNK_EXTENSION_VALUE,
    CHUNK_EXTENSION_QUOTED,
    CHUNK_EXTENSION_ESCAPED,
    CHUNK_EXTENSION_AFTER,
    CHUNK_SIZE_LF,
    CHUNK_DATA,
    CHUNK_DATA_CR,
    CHUNK_DATA_LF,
    CHUNK_TRAILER_FIRST,
    CHUNK_TRAILER_NAME,
    CHUNK_TRAILER_VALUE,
    CHUNK_TRAILER_LF,
    CHUNK_END_LF,
    CHUNK_DONE,
    CHUNK_REFUSED,
};

static HttpResult refuse_chunk(HttpChunks *chunks, int status, const char *reason)
{
    chunks->status = status;
    chunks->reason = reason;
    chunks->state = CHUNK_REFUSED;
    return HTTP_REFUSED;
}

static int hex_value(char c)
{
    if (http_is_digit(c)) return c - '0';
    return (c | 0x20) - 'a' + 10;
}

/* A byte that a quoted text or a field's value may hold. */
static bool is_text(char c)
{
    unsigned char byte = (unsigned char)c;
    return (byte >= 0x20 && byte != 0x7f) || byte == '\t';
}

static HttpResult end_of_size(HttpChunks *chunks, const HttpLimits *limits)
{
    if (chunks->size > limits->body_max || chunks->total > limits->body_max - chunks->size)
        return refuse_chunk(chunks, 413, "the body is larger than this server accepts");
    chunks->left = chunks->size;
    chunks->state = chunks->size ? CHUNK_DATA : CHUNK_TRAILER_FIRST;
    chunks->size = 0;
    chunks->digits = 0;
    chunks->extension = 0;
    return HTTP_MORE;
}

static HttpResult next_extension_byte(HttpChunks *chunks, char c, const HttpLimits *limits)
{
    static const char malformed[] = "a chunk's extension is malformed";
    if (c == '\r' &&
        (chunks->state == CHUNK_EXTENSION_NAME || chunks->state == CHUNK_EXTENSION_VALUE ||
         chunks->state == CHUNK_EXTENSION_AFTER)) {
        chunks->state = CHUNK_SIZE_LF;
        return HTTP_MORE;
    }
    if (++chunks->extension > limits->extension_max ||
        ++chunks->extensions > limits->extensions_max)
        return refuse_chunk(chunks, 400, "the extensions of the chunks are too long");
    switch (chunks->state) {
    case CHUNK_EXTENSION_NAME_FIRST:
        if (!http_is(c, CHAR_TOKEN)) return refuse_chunk(chunks, 400, malformed);
        chunks->state = CHUNK_EXTENSION_NAME;
        return HTTP_MORE;
    case CHUNK_EXTENSION_NAME:
    case CHUNK_EXTENSION_VALUE:
        if (http_is(c, CHAR_TOKEN)) return HTTP_MORE;
        break;
    case CHUNK_EXTENSION_VALUE_FIRST:
        if (c != '"' && !http_is(c, CHAR_TOKEN)) return refuse_chunk(chunks, 400, malformed);
        chunks->state = c == '"' ? CHUNK_EXTENSION_QUOTED : CHUNK_EXTENSION_VALUE;
        return HTTP_MORE;
    case CHUNK_EXTENSION_QUOTED:
        if (!is_text(c)) return refuse_chunk(chunks, 400, malformed);
        if (c == '"') chunks->state = CHUNK_EXTENSION_AFTER;
        if (c == '\\') chunks->state = CHUNK_EXTENSION_ESCAPED;
        return HTTP_MORE;
    case CHUNK_EXTENSION_ESCAPED:
        if (!is_text(c)) return refuse_chunk(chunks, 400, malformed);
        chunks->state = CHUNK_EXTENSION_QUOTED;
        return HTTP_MORE;
    default: break;
    }
    if (c == '=' && chunks->state == CHUNK_EXTENSION_NAME)
        chunks->state = CHUNK_EXTENSION_VALUE_FIRST;
    else if (c == ';')
        chunks->state = CHUNK_EXTENSION_NAME_FIRST;
    else
        return refuse_chunk(chunks, 400, malformed);
    return HTTP_MORE;
}

static HttpResult next_size_byte(HttpChunks *chunks, char c)
{
    if (http_is(c, CHAR_HEX)) {
        if (chunks->digits == 16)
            return refuse_chunk(chunks, 400, "a chunk's size has too many digits");
        chunks->size = chunks->size << 4 | (uint64_t)hex_value(c);
        chunks->digits++;
        return HTTP_MORE;
    }
    if (chunks->digits == 0)
        return refuse_chunk(chunks, 400, "a chunk's size must be hexadecimal digits");
    if (c == '\r')
        chunks->state = CHUNK_SIZE_LF;
    else if (c == ';')
        chunks->state = CHUNK_EXTENSION_NAME_FIRST;
    else
        return refuse_chunk(chunks, 400, "CRLF or ';' must follow a chunk's size");
    return HTTP_MORE;
}

static HttpResult next_trailer_byte(HttpChunks *chunks, char c, const HttpLimits *limits)
{
    if (++chunks->trailers > limits->trailers_max)
        return refuse_chunk(chunks, 431, "the trailer fields are too long");
    switch (chunks->state) {
    case CHUNK_TRAILER_FIRST:
        if (c == '\r')
            chunks->state = CHUNK_END_LF;
        else if (http_is(c, CHAR_TOKEN))
            chunks->state = CHUNK_TRAILER_NAME;
        else
            return refuse_chunk(chunks, 400, "a trailer field is malformed");
        return HTTP_MORE;
    case CHUNK_TRAILER_NAME:
        if (c == ':')
            chunks->state = CHUNK_TRAILER_VALUE;
        else if (!http_is(c, CHAR_TOKEN))
            return refuse_chunk(chunks, 400, "a trailer field is malformed");
        return HTTP_MORE;
    case CHUNK_TRAILER_VALUE:
        if (c == '\r')
            chunks->state = CHUNK_TRAILER_LF;
        else if (!is_text(c))
            return refuse_chunk(chunks, 400, "a trailer field is malformed");
        return HTTP_MORE;
    case CHUNK_TRAILER_LF:
        if (c != '\n') return refuse_chunk(chunks, 400, "a CR stands without LF");
        chunks->state = CHUNK_TRAILER_FIRST;
        return HTTP_MORE;
    default: /* CHUNK_END_LF */
        if (c != '\n') return refuse_chunk(chunks, 400, "a CR stands without LF");
        chunks->state = CHUNK_DONE;
        return HTTP_DONE;
    }
}

static HttpResult next_byte(HttpChunks *chunks, char c, const HttpLimits *limits)
{
    switch (chunks->state) {
    case CHUNK_SIZE: return next_size_byte(chunks, c);
    case CHUNK_SIZE_LF:
        if (c != '\n') return refuse_chunk(chunks, 400, "a CR stands without LF");
        return end_of_size(chunks, limits);
    case CHUNK_DATA_CR:
        if (c != '\r') return refuse_chunk(chunks, 400, "CRLF must follow a chunk's data");
        chunks->state = CHUNK_DATA_LF;
        return HTTP_MORE;
    case CHUNK_DATA_LF:
        if (c != '\n') return refuse_chunk(chunks, 400, "CRLF must follow a chunk's data");
        chunks->state = CHUNK_SIZE;
        return HTTP_MORE;
    default:
        if (chunks->state < CHUNK_SIZE_LF) return next_extension_byte(chunks, c, limits);
        return next_trailer_byte(chunks, c, limits);
    }
}

HttpResult http_chunks_next(HttpChunks *chunks, Str in, const HttpLimits *limits, size_t *ret_used,
                            Str *ret_data)
{
    size_t at = 0;
    HttpResult result = HTTP_MORE;
    *ret_data = (Str){in.ptr, 0};
    if (chunks->state == CHUNK_REFUSED) result = HTTP_REFUSED;
    if (chunks->state == CHUNK_DONE) result = HTTP_DONE;
    while (result == HTTP_MORE && at < in.len && chunks->state != CHUNK_DATA)
        result = next_byte(chunks, in.ptr[at++], limits);
    if (result == HTTP_MORE && chunks->state == CHUNK_DATA) {
        size_t n = (size_t)MIN((uint64_t)(in.len - at), chunks->left);
        *ret_data = (Str){in.ptr + at, n};
        at += n;
        chunks->left -= n;
        chunks->total += n;
        if (chunks->left == 0) chunks->state = CHUNK_DATA_CR;
    }
    *ret_used = at;
    return result;
}

/* ---- tools ---- */

Str http_media_type(Str value, Str *ret_parameters)
{
    *ret_parameters = (Str){0};
    if (!value.ptr) return (Str){0};
    size_t end = str_find(value, ';');
    if (end < value.len) *ret_parameters = str_from(value, end + 1);
    return str_trim(str_slice(value, 0, end));
}

Str http_parameter(Str parameters, Str name)
{
    Str part;
    while (str_next(&parameters, ';', &part)) {
        size_t equals = str_find(part, '=');
        if (equals == part.len || !str_eq_nocase(str_trim(str_slice(part, 0, equals)), name))
            continue;
        Str value = str_trim(str_from(part, equals + 1));
        if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
            value = str_slice(value, 1, value.len - 1);
        return value;
    }
    return (Str){0};
}

const char *http_status_text(int status)
{
    switch (status) {
    case 100: return "Continue";
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 304: return "Not Modified";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 406: return "Not Acceptable";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 415: return "Unsupported Media Type";
    case 416: return "Range Not Satisfiable";
    case 417: return "Expectation Failed";
    case 424: return "Failed Dependency";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 507: return "Insufficient Storage";
    default: return "Status";
    }
}
