/* The strict parser of HTTP/1.1 answers: line by line, as that of requests (http_parse.c).
 *
 * What frames the body decides where the next answer on the connection begins, so it must be
 * readable in one way (RFC 9112 section 6.3, without its leniencies): one Transfer-Encoding
 * "chunked" or one value of Content-Length, not both; neither means that the body ends with the
 * connection, which is then not used again.
 *
 * RFC 9110, RFC 9112. */

#include "net/http_response.h"

#include "net/http_grammar.h"

enum { STAGE_STATUS_LINE, STAGE_FIELDS, STAGE_DONE, STAGE_REFUSED };

enum { INFORMATIONAL_MAX = 16, STATUS_LINE_MAX = 1024 };

static HttpResult refuse(HttpResponse *response, const char *reason)
{
    response->refusal = reason;
    response->stage = STAGE_REFUSED;
    response->keep_alive = false;
    return HTTP_REFUSED;
}

static bool bad(HttpResponse *response, const char *reason)
{
    refuse(response, reason);
    return false;
}

void http_response_init(HttpResponse *response, const char *bytes, bool to_head)
{
    memset(response, 0, offsetof(HttpResponse, fields));
    response->bytes = bytes;
    response->to_head = to_head;
    response->content_type = -1;
}

/* ---- lines ---- */

static bool parse_status_line(HttpResponse *response, uint32_t end)
{
    const char *line = response->bytes + response->line;
    uint32_t n = end - response->line;
    if (n < 12 || memcmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
        line[8] != ' ')
        return bad(response, "the status line must begin with HTTP/1.1 or HTTP/1.0");
    int status = 0;
    for (int i = 9; i < 12; i++) {
        if (!http_is_digit(line[i])) return bad(response, "the status is not a number");
        status = status * 10 + (line[i] - '0');
    }
    if (status < 100 || status > 599) return bad(response, "the status is not between 100 and 599");
    if (n > 12 && line[12] != ' ') return bad(response, "one space must follow the status");
    if (status == 101) return bad(response, "the upstream switches protocols, unasked");
    response->minor = (uint8_t)(line[7] - '0');
    response->status = status;
    response->reason_at = response->line + MIN(n, 13u);
    response->reason_len = end - response->reason_at;
    return true;
}

static bool parse_length(HttpResponse *response, Str value)
{
    uint64_t length = 0;
    if (value.len == 0) return bad(response, "Content-Length is empty");
    for (size_t i = 0; i < value.len; i++) {
        if (!http_is_digit(value.ptr[i])) return bad(response, "Content-Length is not a number");
        if (__builtin_mul_overflow(length, (uint64_t)10, &length) ||
            __builtin_add_overflow(length, (uint64_t)(value.ptr[i] - '0'), &length) ||
            length > INT64_MAX)
            return bad(response, "Content-Length is out of range");
    }
    if (response->has_length && length != response->content_length)
        return bad(response, "Content-Length is given twice with different values");
    response->has_length = true;
    response->content_length = length;
    return true;
}

static bool parse_connection(HttpResponse *response, Str value)
{
    Str rest = value, part;
    while (str_next(&rest, ',', &part)) {
        part = str_trim(part);
        if (part.len == 0) continue;
        if (!http_is_token(part)) return bad(response, "Connection is not a list of names");
        if (str_eq_nocase(part, STR("close"))) response->close = true;
        if (str_eq_nocase(part, STR("keep-alive"))) response->persist = true;
    }
    return true;
}

static bool parse_known_field(HttpResponse *response, Str name, Str value)
{
    switch (name.len) {
    case 10:
        return str_eq_nocase(name, STR("connection")) ? parse_connection(response, value) : true;
    case 12:
        if (!str_eq_nocase(name, STR("content-type"))) return true;
        if (response->content_type >= 0) return bad(response, "Content-Type is given twice");
        response->content_type = (int16_t)(response->n_fields - 1);
        return true;
    case 14:
        return str_eq_nocase(name, STR("content-length")) ? parse_length(response, value) : true;
    case 17:
        if (!str_eq_nocase(name, STR("transfer-encoding"))) return true;
        if (response->chunked) return bad(response, "Transfer-Encoding is given twice");
        if (!str_eq_nocase(value, STR("chunked")))
            return bad(response, "Transfer-Encoding may only be chunked");
        response->chunked = true;
        return true;
    default: return true;
    }
}

static bool parse_field(HttpResponse *response, uint32_t end, const HttpLimits *limits)
{
    const char *bytes = response->bytes;
    uint32_t at = response->line;
    while (at < end && http_is(bytes[at], CHAR_TOKEN)) at++;
    if (at == end || at == response->line || bytes[at] != ':')
        return bad(response, "a field's name must be a token that ends in ':'");
    if (response->n_fields >= MIN(limits->fields_max, (uint32_t)HTTP_FIELDS_MAX))
        return bad(response, "the answer has too many fields");
    uint32_t first = at + 1, last = end;
    while (first < last && (bytes[first] == ' ' || bytes[first] == '\t')) first++;
    while (last > first && (bytes[last - 1] == ' ' || bytes[last - 1] == '\t')) last--;
    response->fields[response->n_fields++] = (HttpField){
        .name = response->line,
        .name_len = (uint16_t)(at - response->line),
        .value = first,
        .value_len = (uint16_t)(last - first),
    };
    return parse_known_field(response, (Str){bytes + response->line, at - response->line},
                             (Str){bytes + first, last - first});
}

/* ---- the head ---- */

static bool finish_head(HttpResponse *response, const HttpLimits *limits)
{
    if (response->chunked && response->has_length)
        return bad(response, "both Content-Length and Transfer-Encoding are given");
    if (response->chunked && response->minor == 0)
        return bad(response, "HTTP/1.0 has no Transfer-Encoding");
    response->keep_alive = !response->close && (response->minor == 1 || response->persist);
    if (response->status == 204 && (response->chunked || response->content_length))
        return bad(response, "an answer 204 has no body");
    if (response->to_head || response->status == 204 || response->status == 304) {
        response->framing = HTTP_BODY_NONE;
    } else if (response->chunked) {
        response->framing = HTTP_BODY_CHUNKS;
    } else if (response->has_length) {
        response->framing = HTTP_BODY_LENGTH;
        if (response->content_length > limits->body_max)
            return bad(response, "the answer's body is larger than is accepted");
    } else {
        response->framing = HTTP_BODY_END;
        response->keep_alive = false;
    }
    return true;
}

/* An answer 1xx ended: the next status line follows. */
static bool skip_informational(HttpResponse *response)
{
    if (response->chunked || response->has_length)
        return bad(response, "an answer 1xx has no body");
    if (++response->informational > INFORMATIONAL_MAX) return bad(response, "too many answers 1xx");
    response->stage = STAGE_STATUS_LINE;
    response->n_fields = 0;
    response->content_type = -1;
    response->close = response->persist = false;
    return true;
}

static bool parse_line(HttpResponse *response, uint32_t end, const HttpLimits *limits)
{
    if (response->stage == STAGE_STATUS_LINE) {
        if (!parse_status_line(response, end)) return false;
        response->stage = STAGE_FIELDS;
        return true;
    }
    if (end > response->line) return parse_field(response, end, limits);
    if (response->status < 200) return skip_informational(response);
    if (!finish_head(response, limits)) return false;
    response->head_len = end + 2;
    response->stage = STAGE_DONE;
    return true;
}

HttpResult http_response_parse(HttpResponse *response, size_t n_bytes, const HttpLimits *limits)
{
    const char *bytes = response->bytes;
    uint32_t n = (uint32_t)MIN(n_bytes, (size_t)limits->head_max + 1);
    while (response->stage < STAGE_DONE) {
        uint32_t longest = response->stage == STAGE_STATUS_LINE
                               ? STATUS_LINE_MAX
                               : MIN(limits->field_max, (uint32_t)UINT16_MAX);
        uint32_t end = http_find_control(bytes, response->scanned, n);
        response->scanned = end;
        /* Of the two limits the one that is passed first decides, however the bytes arrive. */
        if (end - response->line > longest && response->line + longest <= limits->head_max)
            return refuse(response, "a line of the answer's head is too long");
        bool whole = end + 1 < n;
        if (end < n && bytes[end] != '\r')
            return refuse(response, bytes[end] == '\n' ? "a line ends in LF without CR"
                                                       : "the answer's head holds a control byte");
        if (whole && bytes[end + 1] != '\n') return refuse(response, "a CR stands without LF");
        if (n > limits->head_max && (!whole || end + 2 > limits->head_max))
            return refuse(response, "the answer's head is too long");
        if (!whole) return HTTP_MORE;
        if (!parse_line(response, end, limits)) return HTTP_REFUSED;
        response->line = response->scanned = end + 2;
    }
    return response->stage == STAGE_DONE ? HTTP_DONE : HTTP_REFUSED;
}

Str http_response_field(const HttpResponse *response, Str name)
{
    for (int i = 0; i < response->n_fields; i++)
        if (str_eq_nocase(http_response_name(response, i), name))
            return http_response_value(response, i);
    return (Str){0};
}
