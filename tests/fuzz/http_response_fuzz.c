/* Answers of any bytes, whole and cut at a place that the first bytes choose: the parser must end
 * with the same result, keep its offsets inside the text, and frame the body in one way. */

#include "net/http_response.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds) abort();
}

static HttpResult parse(Str text, size_t cut, bool to_head, HttpResponse *response)
{
    http_response_init(response, text.ptr, to_head);
    HttpResult result = http_response_parse(response, cut, &http_limits);
    if (result == HTTP_MORE) result = http_response_parse(response, text.len, &http_limits);
    if (result != HTTP_DONE) return result;
    check(response->head_len <= text.len);
    check(response->status >= 200 && response->status <= 599);
    check(response->reason_at + response->reason_len <= response->head_len);
    for (int i = 0; i < response->n_fields; i++) {
        const HttpField *field = &response->fields[i];
        check(field->name + field->name_len <= response->head_len);
        check(field->value + field->value_len <= response->head_len);
        check(http_is_token(http_response_name(response, i)));
    }
    check(response->framing == HTTP_BODY_NONE || !to_head);
    check(response->framing != HTTP_BODY_END || !response->keep_alive);
    check(response->framing != HTTP_BODY_LENGTH || response->has_length);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) return 0;
    Str text = {(const char *)data + 2, size - 2};
    size_t cut = (size_t)((data[0] & 127) << 8 | data[1]) % (text.len + 1);
    static HttpResponse a, b;
    bool to_head = data[0] & 128;
    HttpResult whole = parse(text, text.len, to_head, &a), pieces = parse(text, cut, to_head, &b);
    check(whole == pieces);
    check(whole != HTTP_DONE || (a.head_len == b.head_len && a.framing == b.framing));
    check(a.refusal == b.refusal);
    return 0;
}
