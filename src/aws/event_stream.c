/* Frames of application/vnd.amazon.eventstream: total length, length of the headers, their CRC-32, headers,
 * payload, and a CRC-32 of all before. */

#include "aws/message.h"

#include "aws/digest.h"

static void add_u32(StrBuf *out, uint32_t x)
{
    for (int i = 4; i-- > 0;) strbuf_add_char(out, (char)(x >> (8 * i)));
}

void event_frame_write(StrBuf *out, const WireField *headers, int n_headers, Str payload)
{
    size_t begin = out->len, n = 0;
    for (int i = 0; i < n_headers; i++) n += 4 + headers[i].name.len + headers[i].value.len;
    add_u32(out, (uint32_t)(16 + n + payload.len));
    add_u32(out, (uint32_t)n);
    if (out->overflow) return;
    add_u32(out, (uint32_t)digest_crc(DIGEST_CRC32, str_from(strbuf_str(out), begin)));
    for (int i = 0; i < n_headers; i++) {
        assert(headers[i].name.len <= UINT8_MAX && headers[i].value.len <= UINT16_MAX);
        strbuf_add_char(out, (char)headers[i].name.len);
        strbuf_add(out, headers[i].name);
        strbuf_add_char(out, 7); /* a text */
        strbuf_add_char(out, (char)(headers[i].value.len >> 8));
        strbuf_add_char(out, (char)headers[i].value.len);
        strbuf_add(out, headers[i].value);
    }
    strbuf_add(out, payload);
    if (out->overflow) return;
    add_u32(out, (uint32_t)digest_crc(DIGEST_CRC32, str_from(strbuf_str(out), begin)));
}
