/* Requests that must be refused, requests that must not, and that the way a request is cut into
 * pieces changes nothing. */

#include "net/http_parse.h"

#include "base/arena.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/test.h"

#include <stdio.h>

/* What became of some bytes: the request, its body, and where the next request begins. */
typedef struct Outcome {
    HttpResult result;
    int status;
    const char *reason;
    size_t used;
    HttpRequest request;
    StrBuf body;
} Outcome;

/* Feeds `text` in pieces that end at the given positions, as a server would: bytes that were not
 * used are offered again together with new ones. */
static void feed(Str text, const HttpLimits *limits, size_t (*piece)(void *, size_t), void *arg,
                 Outcome *out)
{
    memset(out, 0, sizeof *out);
    out->body = (StrBuf)STRBUF(1 << 20);
    HttpRequest *request = &out->request;
    http_request_init(request, text.ptr);
    HttpChunks chunks = {0};
    size_t have = 0;
    for (;;) {
        if (out->used == 0) {
            out->result = http_request_parse(request, have, limits);
            if (out->result == HTTP_DONE) {
                out->used = request->head_len;
                if (!request->chunked && request->content_length) out->result = HTTP_MORE;
            }
            out->status = request->status;
            out->reason = request->reason;
        }
        if (out->used && request->chunked) {
            Str data;
            size_t used;
            do {
                out->result = http_chunks_next(&chunks, str_slice(text, out->used, have), limits,
                                               &used, &data);
                out->used += used;
                strbuf_add(&out->body, data);
            } while (out->result == HTTP_MORE && out->used < have);
            out->status = chunks.status;
            out->reason = chunks.reason;
        } else if (out->used && out->result == HTTP_MORE) {
            size_t missing = (size_t)request->content_length - out->body.len;
            size_t n = MIN(missing, have - out->used);
            strbuf_add(&out->body, str_slice(text, out->used, out->used + n));
            out->used += n;
            if (n == missing) out->result = HTTP_DONE;
        }
        if (out->result != HTTP_MORE || have == text.len) return;
        size_t more = piece(arg, text.len);
        have = MIN(text.len, have + more);
    }
}

static size_t whole(void *arg UNUSED, size_t n)
{
    return n;
}

static size_t one(void *arg UNUSED, size_t n UNUSED)
{
    return 1;
}

static size_t some(void *arg, size_t n UNUSED)
{
    uint64_t *index = arg;
    return 1 + random_below(random_stream(7, 0), (*index)++, 40);
}

static void check_same(Str text, const Outcome *a, const Outcome *b)
{
    if (a->result != b->result || a->status != b->status || a->reason != b->reason ||
        (a->result == HTTP_DONE && a->used != b->used))
        FAIL("'%.*s' in pieces: result %d status %d (%s), at once: %d %d (%s)", STR_ARG(text),
             b->result, b->status, b->reason, a->result, a->status, a->reason);
    CHECK_STR(strbuf_str(&b->body), strbuf_str(&a->body));
    if (a->result != HTTP_DONE) return;
    CHECK_INT(b->request.head_len, a->request.head_len);
    CHECK_INT(b->request.n_fields, a->request.n_fields);
    for (int i = 0; i < a->request.n_fields; i++)
        CHECK_STR(http_field_value(&b->request, i), http_field_value(&a->request, i));
    CHECK_STR(http_path(&b->request), http_path(&a->request));
}

static void run(Str text, const HttpLimits *limits, Outcome *out)
{
    feed(text, limits, whole, NULL, out);
    Outcome other;
    uint64_t index = 0;
    feed(text, limits, one, NULL, &other);
    check_same(text, out, &other);
    strbuf_clear(&other.body);
    feed(text, limits, some, &index, &other);
    check_same(text, out, &other);
    strbuf_clear(&other.body);
}

#define GET "GET / HTTP/1.1\r\n"
#define POST "POST /invocations HTTP/1.1\r\nHost: a\r\n"
#define HOST "Host: a\r\n"
#define CHUNKED POST "Transfer-Encoding: chunked\r\n\r\n"
#define END "\r\n"

/* Each must be refused with the status; 0 stands for 400. */
static const struct {
    Str text;
    int status;
} refused[] = {
    /* the request line */
    {STR_INIT("\r\n\r\n" GET HOST END), 0},
    {STR_INIT("\n" GET HOST END), 0},
    {STR_INIT("\r" GET HOST END), 0},
    {STR_INIT(" " GET HOST END), 0},
    {STR_INIT("\t" GET HOST END), 0},
    {STR_INIT("\0" GET HOST END), 0},
    {STR_INIT("GET  / HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /  HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET\t/ HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /\tHTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/1.1 \r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/1.1\t\r\n" HOST END), 0},
    {STR_INIT("GET / x HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /a b HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /\r\n" HOST END), 0},
    {STR_INIT("GET\r\n" HOST END), 0},
    {STR_INIT("GET \r\n" HOST END), 0},
    {STR_INIT("GET HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET  HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("/ HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("G(T / HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("G\"T / HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET: / HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("G\x80T / HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("G\0T / HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GETGETGETGETGETGETGETGETGETGETGET / HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("CONNECT a:80 HTTP/1.1\r\n" HOST END), 501},
    {STR_INIT("GET / HTTP/1.1\n" HOST END), 0},
    {STR_INIT("GET / HTTP/1.1\r" HOST END), 0},
    {STR_INIT("GET / HTTP/1.1\r\r\n" HOST END), 0},
    /* the version */
    {STR_INIT("GET / HTTP/1.2\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/0.9\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/2.0\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/2\r\n" HOST END), 0},
    {STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 0},
    {STR_INIT("GET / HTTP/1.10\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/1.1.1\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/01.1\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/1.\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/1\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/1,1\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP 1.1\r\n" HOST END), 0},
    {STR_INIT("GET / http/1.1\r\n" HOST END), 0},
    {STR_INIT("GET / Http/1.1\r\n" HOST END), 0},
    {STR_INIT("GET / HTTPS/1.1\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/1.1x\r\n" HOST END), 0},
    {STR_INIT("GET / HTTP/+1.1\r\n" HOST END), 0},
    {STR_INIT("GET / ICY/1.1\r\n" HOST END), 0},
    /* the target */
    {STR_INIT("GET index.html HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET ?a=1 HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET * HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /#a HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /% HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /%4 HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /%4g HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /%%20 HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /<a> HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /\"a\" HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /a\\b HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /a|b HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /a^b HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /{a} HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /\xc3\xa4 HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /\x7f HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /\x01 HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET /\0 HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET http://a HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET http:///x HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET http://a?x HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET http://b/ HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET http://u@a/ HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET http://a:99999/ HTTP/1.1\r\nHost: a:99999\r\n" END), 0},
    {STR_INIT("GET ftp://a/ HTTP/1.1\r\n" HOST END), 0},
    {STR_INIT("GET a:80 HTTP/1.1\r\n" HOST END), 0},
    /* Host */
    {STR_INIT(GET END), 0},
    {STR_INIT(GET "Host: a\r\nHost: a\r\n" END), 0},
    {STR_INIT(GET "Host: a\r\nHost: b\r\n" END), 0},
    {STR_INIT(GET "Host: a\r\nhOST: b\r\n" END), 0},
    {STR_INIT("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n" END), 0},
    {STR_INIT("GET / HTTP/1.0\r\nHost: a b\r\n" END), 0},
    {STR_INIT(GET "Host:\r\n" END), 0},
    {STR_INIT(GET "Host: \t \r\n" END), 0},
    {STR_INIT(GET "Host: a, b\r\n" END), 0},
    {STR_INIT(GET "Host: a,b\r\n" END), 0},
    {STR_INIT(GET "Host: a b\r\n" END), 0},
    {STR_INIT(GET "Host: a/b\r\n" END), 0},
    {STR_INIT(GET "Host: u@a\r\n" END), 0},
    {STR_INIT(GET "Host: http://a\r\n" END), 0},
    {STR_INIT(GET "Host: a:\r\n" END), 0},
    {STR_INIT(GET "Host: a:x\r\n" END), 0},
    {STR_INIT(GET "Host: a:-1\r\n" END), 0},
    {STR_INIT(GET "Host: a:65536\r\n" END), 0},
    {STR_INIT(GET "Host: a:000080\r\n" END), 0},
    {STR_INIT(GET "Host: a:80:80\r\n" END), 0},
    {STR_INIT(GET "Host: :80\r\n" END), 0},
    {STR_INIT(GET "Host: ::1\r\n" END), 0},
    {STR_INIT(GET "Host: [::1\r\n" END), 0},
    {STR_INIT(GET "Host: [::1]x\r\n" END), 0},
    {STR_INIT(GET "Host: [a]\r\n" END), 0},
    {STR_INIT(GET "Host: [::g]\r\n" END), 0},
    {STR_INIT(GET "Host: []\r\n" END), 0},
    {STR_INIT(GET "Host: a%00\r\n" END), 0},
    {STR_INIT(GET "Host: \xc3\xa4\r\n" END), 0},
    /* field names and values */
    {STR_INIT(GET HOST " X: y\r\n" END), 0},
    {STR_INIT(GET " Host: a\r\n" END), 0},
    {STR_INIT(GET HOST "X: y\r\n z\r\n" END), 0},
    {STR_INIT(GET HOST "X: y\r\n\tz\r\n" END), 0},
    {STR_INIT(GET HOST "X : y\r\n" END), 0},
    {STR_INIT(GET HOST "X\t: y\r\n" END), 0},
    {STR_INIT(GET "Host : a\r\n" END), 0},
    {STR_INIT(GET HOST ": y\r\n" END), 0},
    {STR_INIT(GET HOST "X\r\n" END), 0},
    {STR_INIT(GET HOST "X y\r\n" END), 0},
    {STR_INIT(GET HOST "X Y: z\r\n" END), 0},
    {STR_INIT(GET HOST "(X): y\r\n" END), 0},
    {STR_INIT(GET HOST "X@: y\r\n" END), 0},
    {STR_INIT(GET HOST "X[]: y\r\n" END), 0},
    {STR_INIT(GET HOST "\"X\": y\r\n" END), 0},
    {STR_INIT(GET HOST "X\x80: y\r\n" END), 0},
    {STR_INIT(GET HOST "X\0: y\r\n" END), 0},
    {STR_INIT(GET HOST "X\x0b: y\r\n" END), 0},
    {STR_INIT(GET HOST "X: \0\r\n" END), 0},
    {STR_INIT(GET HOST "X: a\x01"
                       "b\r\n" END),
     0},
    {STR_INIT(GET HOST "X: a\x0b"
                       "b\r\n" END),
     0},
    {STR_INIT(GET HOST "X: a\x0c"
                       "b\r\n" END),
     0},
    {STR_INIT(GET HOST "X: a\x1b[0m\r\n" END), 0},
    {STR_INIT(GET HOST "X: a\x7f\r\n" END), 0},
    {STR_INIT(GET HOST "X: a\rb\r\n" END), 0},
    {STR_INIT(GET HOST "X: a\nb: c\r\n" END), 0},
    {STR_INIT(GET HOST "X: a\n" END), 0},
    {STR_INIT(GET "Host: a\n" END), 0},
    {STR_INIT(GET HOST "\n"), 0},
    {STR_INIT(GET HOST "\rX"), 0},
    {STR_INIT(GET HOST "\r\r\n"), 0},
    {STR_INIT(GET HOST "X: a\r\r\n" END), 0},
    {STR_INIT(GET HOST "Content-Type: a/b\r\nContent-Type: text/csv\r\n" END), 0},
    {STR_INIT(GET HOST "Connection: clo se\r\n" END), 0},
    {STR_INIT(GET HOST "Connection: keep-alive; close\r\n" END), 0},
    /* framing */
    {STR_INIT(POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\nabc"), 0},
    {STR_INIT(POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), 0},
    {STR_INIT(POST "Content-Length: 3\r\ncontent-length: 5\r\n\r\nabcd"), 0},
    {STR_INIT(POST "Content-Length: 3, 3\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 3,3\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length:\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: -3\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: +3\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 0x3\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 3_0\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 3.0\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 3 0\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 3;\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: \"3\"\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: three\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 3e0\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: \xb3\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 9223372036854775808\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 18446744073709551616\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 18446744073709551619\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 99999999999999999999999999\r\n\r\nabc"), 0},
    {STR_INIT(POST "Content-Length: 6291457\r\n\r\nabc"), 413},
    {STR_INIT(POST "Content-Length : 3\r\n\r\nabc"), 0},
    {STR_INIT(POST "Transfer-Encoding:\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: identity\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: chunkedx\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: chunked\x0b\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
     0},
    {STR_INIT(POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
     0},
    {STR_INIT(POST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(POST "Expect: 200-ok\r\n\r\n"), 417},
    {STR_INIT(POST "Expect:\r\n\r\n"), 417},
    {STR_INIT(POST "Expect: 100-continue, x\r\n\r\n"), 417},
    {STR_INIT(POST "Expect: 100-continue\r\nExpect: y\r\n\r\n"), 417},
    /* chunks */
    {STR_INIT(CHUNKED "\r\n"), 0},
    {STR_INIT(CHUNKED "\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "x\r\n"), 0},
    {STR_INIT(CHUNKED "-1\r\n"), 0},
    {STR_INIT(CHUNKED "+3\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0x3\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0X3\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3_0\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED " 3\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "\t3\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3 \r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3\t\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3 ;a\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3\rabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3\r\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3\0\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3.0\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3,\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3g\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "00000000000000003\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "10000000000000000\r\nabc"), 0},
    {STR_INIT(CHUNKED "ffffffffffffffff\r\nabc"), 413},
    {STR_INIT(CHUNKED "8000000000000003\r\nabc"), 413},
    {STR_INIT(CHUNKED "600001\r\nabc"), 413},
    {STR_INIT(CHUNKED "3\r\nabc\r\nffffffffffffffff\r\nabc"), 413},
    {STR_INIT(CHUNKED "3\r\nabc\r\n5ffffe\r\nabc"), 413},
    {STR_INIT(CHUNKED "3\r\nabcd\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3\r\nab\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3\r\nabc0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3\r\nabc\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3\r\nabc\r0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3\r\nabc\r\n\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\n\n"), 0},
    {STR_INIT(CHUNKED "0\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\n\rX"), 0},
    {STR_INIT(CHUNKED "3;\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3; a\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3;a=\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3;a=b=c\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3;a b\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3;=b\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3;a=\"b\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3;a=\"b\"c\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3;a=\"b\\\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3;a\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3;a\x01\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "3;a\0\r\nabc\r\n0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\n: x\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\nX\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\nX : y\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\n X: y\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\nX: y\r\n z\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\nX: y\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\nX: y\rz\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\nX: \0\r\n\r\n"), 0},
    {STR_INIT(CHUNKED "0\r\nGET / HTTP/1.1\r\n\r\n"), 0},
};

TEST(http_parse, refuses_what_is_malformed_or_ambiguous)
{
    CHECK(COUNT(refused) >= 150);
    for (size_t i = 0; i < COUNT(refused); i++) {
        Outcome out;
        run(refused[i].text, &http_limits, &out);
        int want = refused[i].status ? refused[i].status : 400;
        if (out.result != HTTP_REFUSED || out.status != want)
            FAIL("case %zu '%.*s': result %d, status %d, not %d", i, STR_ARG(refused[i].text),
                 out.result, out.status, want);
        CHECK(out.reason && strlen(out.reason) > 10);
        strbuf_clear(&out.body);
    }
}

#define KEEP true
#define CLOSE false
static const struct {
    Str text, path, body;
    bool keep_alive;
} good[] = {
    {STR_INIT(GET HOST END), STR_INIT("/"), STR_INIT(""), KEEP},
    {STR_INIT("\r\n" GET HOST END), STR_INIT("/"), STR_INIT(""), KEEP},
    {STR_INIT("GET /a/b%20c?x=1&y=%2F HTTP/1.1\r\n" HOST END), STR_INIT("/a/b%20c"), STR_INIT(""),
     KEEP},
    {STR_INIT("GET /?? HTTP/1.1\r\n" HOST END), STR_INIT("/"), STR_INIT(""), KEEP},
    {STR_INIT("GET //x/../y;p=[1]:@!$&'()*+,= HTTP/1.1\r\n" HOST END),
     STR_INIT("//x/../y;p=[1]:@!$&'()*+,="), STR_INIT(""), KEEP},
    {STR_INIT("GET http://a/x?y HTTP/1.1\r\nHost: A\r\n" END), STR_INIT("/x"), STR_INIT(""), KEEP},
    {STR_INIT("GET https://a:1/ HTTP/1.1\r\nHost: a:1\r\n" END), STR_INIT("/"), STR_INIT(""), KEEP},
    {STR_INIT("OPTIONS * HTTP/1.1\r\n" HOST END), STR_INIT("*"), STR_INIT(""), KEEP},
    {STR_INIT("PURGE / HTTP/1.1\r\n" HOST END), STR_INIT("/"), STR_INIT(""), KEEP},
    {STR_INIT("GET / HTTP/1.0\r\n" END), STR_INIT("/"), STR_INIT(""), CLOSE},
    {STR_INIT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n" END), STR_INIT("/"), STR_INIT(""),
     KEEP},
    {STR_INIT("GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n" END), STR_INIT("/"),
     STR_INIT(""), CLOSE},
    {STR_INIT(GET HOST "Connection: close\r\n" END), STR_INIT("/"), STR_INIT(""), CLOSE},
    {STR_INIT(GET HOST "Connection: x, ,CLOSE ,\r\n" END), STR_INIT("/"), STR_INIT(""), CLOSE},
    {STR_INIT(GET HOST "Connection: close\r\nConnection: keep-alive\r\n" END), STR_INIT("/"),
     STR_INIT(""), CLOSE},
    {STR_INIT(GET "hOsT:\t a.b-c_d~9:65535 \t\r\n" END), STR_INIT("/"), STR_INIT(""), KEEP},
    {STR_INIT(GET "Host: [::1]:80\r\n" END), STR_INIT("/"), STR_INIT(""), KEEP},
    {STR_INIT(GET "Host: [::ffff:1.2.3.4]\r\n" END), STR_INIT("/"), STR_INIT(""), KEEP},
    {STR_INIT(GET HOST "X:\r\nY: \r\n!#$%&'*+-.^_`|~09aZ: a:b \"c\"\t\x80\xff\r\n" END),
     STR_INIT("/"), STR_INIT(""), KEEP},
    {STR_INIT(POST "Content-Length: 3\r\n\r\nabc"), STR_INIT("/invocations"), STR_INIT("abc"),
     KEEP},
    {STR_INIT(POST "Content-Length: 0003\r\nContent-Length: 3\r\n\r\nabc"),
     STR_INIT("/invocations"), STR_INIT("abc"), KEEP},
    {STR_INIT(POST "Content-Length: 0\r\n\r\n"), STR_INIT("/invocations"), STR_INIT(""), KEEP},
    {STR_INIT(POST "Content-Length: 5\r\n\r\n\r\n\0\n\r"), STR_INIT("/invocations"),
     STR_INIT("\r\n\0\n\r"), KEEP},
    {STR_INIT(POST "expect: 100-Continue\r\nContent-Length: 1\r\n\r\nx"), STR_INIT("/invocations"),
     STR_INIT("x"), KEEP},
    {STR_INIT(POST
              "transfer-encoding: Chunked \r\n\r\n3\r\nabc\r\n0A\r\n0123456789\r\n000\r\n\r\n"),
     STR_INIT("/invocations"), STR_INIT("abc0123456789"), KEEP},
    {STR_INIT(CHUNKED "0\r\n\r\n"), STR_INIT("/invocations"), STR_INIT(""), KEEP},
    {STR_INIT(CHUNKED "0000000000000003\r\n\r\n\n\r\n0\r\n\r\n"), STR_INIT("/invocations"),
     STR_INIT("\r\n\n"), KEEP},
    {STR_INIT(CHUNKED "1;a;b=c;d=\"e\\\"; \t\xff\"\r\nx\r\n0;z\r\n\r\n"), STR_INIT("/invocations"),
     STR_INIT("x"), KEEP},
    {STR_INIT(CHUNKED "1\r\nx\r\n0\r\nContent-Length: 99\r\nTransfer-Encoding: x\r\nHost:\r\n\r\n"),
     STR_INIT("/invocations"), STR_INIT("x"), KEEP},
};

TEST(http_parse, takes_what_is_right)
{
    for (size_t i = 0; i < COUNT(good); i++) {
        ARENA(arena);
        /* What follows on the connection is not touched. */
        char *bytes = arena_alloc(&arena, good[i].text.len + 8);
        memcpy(bytes, good[i].text.ptr, good[i].text.len);
        memcpy(bytes + good[i].text.len, "\n\0junk!!", 8);
        Str text = {bytes, good[i].text.len + 8};
        Outcome out;
        run(text, &http_limits, &out);
        if (out.result != HTTP_DONE)
            FAIL("case %zu '%.*s': result %d, status %d: %s", i, STR_ARG(good[i].text), out.result,
                 out.status, out.reason);
        CHECK_INT(out.used, good[i].text.len);
        CHECK_STR(http_path(&out.request), good[i].path);
        CHECK_STR(strbuf_str(&out.body), good[i].body);
        CHECK_INT(out.request.keep_alive, good[i].keep_alive);
        strbuf_clear(&out.body);
    }
}

TEST(http_parse, gives_fields_and_parts)
{
    Outcome out;
    run(STR("POST /a?b=c HTTP/1.1\r\nhost: h:1\r\nAccept:  text/csv \r\nX-A: 1\r\nx-a: 2\r\n"
            "Content-Type: text/csv; label_size=1;charset=\"utf-8\"\r\nContent-Length: 0\r\n\r\n"),
        &http_limits, &out);
    const HttpRequest *request = &out.request;
    CHECK_INT(out.result, HTTP_DONE);
    CHECK_INT(request->method, HTTP_POST);
    CHECK_STR(http_method(request), STR("POST"));
    CHECK_STR(http_text(request, request->query_at, request->query_len), STR("b=c"));
    CHECK_STR(http_field(request, STR("X-a")), STR("1"));
    CHECK(!http_field(request, STR("X-b")).ptr);
    CHECK_STR(http_field_value(request, request->host), STR("h:1"));
    CHECK_STR(http_field_value(request, request->accept), STR("text/csv"));
    Str parameters,
        type = http_media_type(http_field_value(request, request->content_type), &parameters);
    CHECK_STR(type, STR("text/csv"));
    CHECK_STR(http_parameter(parameters, STR("label_size")), STR("1"));
    CHECK_STR(http_parameter(parameters, STR("CHARSET")), STR("utf-8"));
    CHECK(!http_parameter(parameters, STR("x")).ptr);
}

/* `before`, then `n` times `fill`, then `after`. */
static Str build(Arena *arena, const char *before, const char *fill, size_t n, const char *after)
{
    StrBuf text = STRBUF(1 << 20);
    strbuf_add(&text, str_of(before));
    for (size_t i = 0; i < n; i++) strbuf_add(&text, str_of(fill));
    strbuf_add(&text, str_of(after));
    Str copy = arena_str(arena, strbuf_str(&text));
    strbuf_clear(&text);
    return copy;
}

static void check_status(Str text, const HttpLimits *limits, int status)
{
    Outcome out;
    run(text, limits, &out);
    if (out.result != (status ? HTTP_REFUSED : HTTP_DONE) || out.status != status)
        FAIL("%zu bytes: result %d, status %d (%s), not %d", text.len, out.result, out.status,
             out.reason ? out.reason : "", status);
    strbuf_clear(&out.body);
}

TEST(http_parse, limits_hold_at_the_limit_and_one_beyond)
{
    ARENA(arena);
    const HttpLimits *limits = &http_limits;
    check_status(build(&arena, "GET /", "a", 16383, " HTTP/1.1\r\nHost: a\r\n\r\n"), limits, 0);
    check_status(build(&arena, "GET /", "a", 16384, " HTTP/1.1\r\nHost: a\r\n\r\n"), limits, 414);
    check_status(build(&arena, "GET /", "a", 60000, " HTTP/1.1\r\nHost: a\r\n\r\n"), limits, 414);
    check_status(build(&arena, "GET /", "a", 100000, ""), limits, 414);
    check_status(build(&arena, GET HOST "X: ", "a", 16381, "\r\n\r\n"), limits, 0);
    check_status(build(&arena, GET HOST "X: ", "a", 16382, "\r\n\r\n"), limits, 431);
    check_status(build(&arena, GET HOST "X: ", "a", 100000, ""), limits, 431);
    check_status(build(&arena, GET HOST, "X: y\r\n", 127, "\r\n"), limits, 0);
    check_status(build(&arena, GET HOST, "X: y\r\n", 128, "\r\n"), limits, 431);

    /* The whole head: 64 KiB with its final blank line. */
    HttpLimits small = *limits;
    small.head_max = (uint32_t)strlen(GET HOST "X: yz\r\n\r\n");
    check_status(STR(GET HOST "X: yz\r\n\r\n"), &small, 0);
    check_status(STR(GET HOST "X: yzz\r\n\r\n"), &small, 431);
    check_status(STR(GET HOST "X: yz\r\n\r\nmore"), &small, 0);
    check_status(
        build(&arena, GET HOST, "X: 0123456789012345678901234567890123456789\r\n", 2000, "\r\n"),
        limits, 431);

    /* Bodies. */
    small = *limits;
    small.body_max = 10;
    check_status(STR(POST "Content-Length: 10\r\n\r\n0123456789"), &small, 0);
    check_status(STR(POST "Content-Length: 11\r\n\r\n0123456789a"), &small, 413);
    check_status(STR(CHUNKED "5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"), &small, 0);
    check_status(STR(CHUNKED "5\r\n01234\r\n6\r\n56789a\r\n0\r\n\r\n"), &small, 413);

    /* Extensions and trailers of chunks: 256 bytes a chunk, 64 KiB a body, 8 KiB. */
    check_status(build(&arena, CHUNKED "0;", "a", 255, "\r\n\r\n"), limits, 0);
    check_status(build(&arena, CHUNKED "0;", "a", 256, "\r\n\r\n"), limits, 0);
    check_status(build(&arena, CHUNKED "0;", "a", 257, "\r\n\r\n"), limits, 400);
    char chunk[300] = "1;", end[] = "\r\nx\r\n";
    memset(chunk + 2, 'a', 256);
    memcpy(chunk + 258, end, sizeof end);
    check_status(build(&arena, CHUNKED, chunk, 256, "0\r\n\r\n"), limits, 0);
    check_status(build(&arena, CHUNKED, chunk, 256, "0;a\r\n\r\n"), limits, 400);
    check_status(build(&arena, CHUNKED "0\r\nX:", "a", 8192 - 6, "\r\n\r\n"), limits, 0);
    check_status(build(&arena, CHUNKED "0\r\nX:", "a", 8192 - 5, "\r\n\r\n"), limits, 431);
}

/* Any byte in any place of a request: the same answer whole and in pieces, and where it is taken
 * the byte was harmless there. */
TEST(http_parse, one_wrong_byte_anywhere)
{
    static const char text[] =
        "\r\nPOST /a?b HTTP/1.1\r\nHost: a\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n"
        "2;e=\"f\"\r\nhi\r\n0\r\nT: u\r\n\r\n";
    char changed[sizeof text];
    int taken = 0, refusals = 0;
    for (size_t at = 0; at < sizeof text - 1; at++)
        for (int byte = 0; byte < 256; byte++) {
            memcpy(changed, text, sizeof text);
            changed[at] = (char)byte;
            Outcome out;
            run((Str){changed, sizeof text - 1}, &http_limits, &out);
            if (out.result == HTTP_REFUSED) refusals++;
            if (out.result == HTTP_DONE) {
                taken++;
                if (byte < ' ' && byte != '\t' && changed[at] != text[at] && byte != text[at])
                    CHECK(out.body.len == 2 &&
                          memchr(out.body.ptr, byte, 2)); /* only inside the body */
            }
            strbuf_clear(&out.body);
        }
    CHECK(taken > 1000);
    CHECK(refusals > 10000);
}
