/* Heads with signatures and the bodies behind them: nothing may crash, and nothing may be taken that was
 * not signed by our key: the fuzzer does not know it. */

#include "aws/signature.h"
#include "base/error.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Seen {
    size_t bytes;
} Seen;

static bool sink(void *arg, Str decoded, Error *err)
{
    Seen *seen = arg;
    (void)err;
    seen->bytes += decoded.len;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static HttpRequest request;
    ARENA(arena);
    Signature s;
    SigningKey key;
    const char *code = NULL;
    Error err = {0};
    HttpLimits limits = http_limits;
    http_request_init(&request, (const char *)data);
    if (http_request_parse(&request, size, &limits) != HTTP_DONE) return 0;
    if (!signature_parse(&request, &arena, &s, &code, &err)) {
        if (!code || signature_status(code) < 400) abort();
        return 0;
    }
    signing_key_derive(STR("a secret that no input knows"), s.day, s.region, s.service, &key);
    if (s.form != SIGNATURE_NONE) {
        double now = s.form == SIGNATURE_QUERY_V2 ? s.expires - 1 : s.time;
        if (signature_verify(&request, &s, STR("a secret that no input knows"), &key, (Str){0}, now,
                             str_is(s.service, "s3"), &arena, &code, &err))
            abort();
    }
    /* The body, in two ways to cut it: the same outcome. */
    bool ok[2];
    Seen seen[2] = {{0}, {0}};
    for (int way = 0; way < 2; way++) {
        Str body = {(const char *)data + request.head_len, size - request.head_len};
        BodyReader *reader = body_reader_new(&arena, &request, &s, &key);
        size_t step = way ? 1 : size + 1;
        ok[way] = true;
        while (body.len && ok[way]) {
            size_t n = MIN(step, body.len);
            ok[way] = body_reader_feed(reader, str_slice(body, 0, n), sink, &seen[way], &code,
                                       &err);
            body = str_from(body, n);
        }
        ok[way] = ok[way] && body_reader_end(reader, &code, &err);
        body_reader_clear(reader);
    }
    if (ok[0] != ok[1] || (ok[0] && seen[0].bytes != seen[1].bytes)) abort();
    if (ok[0] && (s.body_mode == BODY_CHUNKS_SIGNED || s.body_mode == BODY_CHUNKS_SIGNED_TRAILER))
        abort(); /* signed by nobody */
    return 0;
}
