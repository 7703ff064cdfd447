/* Requests of any bytes, whole and cut at a place that the first byte chooses: the parser must end
 * with the same result, keep its offsets inside the text, and take what it says it takes. */

#include "net/http_parse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) abort();
}

static HttpResult parse(Str text, size_t cut, HttpRequest *request, size_t *ret_used)
{
    http_request_init(request, text.ptr);
    HttpResult result = http_request_parse(request, cut, &http_limits);
    if (result == HTTP_MORE) result = http_request_parse(request, text.len, &http_limits);
    *ret_used = request->head_len;
    if (result != HTTP_DONE) return result;
    check(request->head_len <= text.len);
    for (int i = 0; i < request->n_fields; i++) {
        const HttpField *field = &request->fields[i];
        check(field->name + field->name_len <= request->head_len);
        check(field->value + field->value_len <= request->head_len);
        check(http_is_token(http_text(request, field->name, field->name_len)));
    }
    check(request->path_at + request->path_len <= request->head_len);
    Str parameters;
    http_media_type(http_field_value(request, request->content_type), &parameters);
    http_parameter(parameters, STR("charset"));
    if (!request->chunked) return result;

    HttpChunks chunks = {0};
    Str data;
    size_t used, at = request->head_len, end = cut > at ? cut : text.len;
    for (;;) {
        result = http_chunks_next(&chunks, str_slice(text, at, end), &http_limits, &used, &data);
        check(used <= end - at && data.len <= used);
        at += used;
        if (result != HTTP_MORE || (at == end && end == text.len)) break;
        if (at == end) end = text.len;
    }
    *ret_used = at;
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    Str text = {(const char *)data + 2, size - 2};
    size_t cut = (size_t)(data[0] << 8 | data[1]) % (text.len + 1);
    static HttpRequest a, b;
    size_t used_a, used_b;
    HttpResult whole = parse(text, text.len, &a, &used_a), pieces = parse(text, cut, &b, &used_b);
    check(whole == pieces);
    check(whole != HTTP_DONE || used_a == used_b);
    check(a.status == b.status);
    return 0;
}
