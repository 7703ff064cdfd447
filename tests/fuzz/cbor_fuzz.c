/* CBOR requests of PutMetricData: what was read is written and read again, and must be the same. */

#include "aws/protocol.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena);
    Route route = {.service = service_shape_find(STR("cloudwatch")), .protocol = PROTOCOL_CBOR};
    route.operation = operation_shape_find(route.service, STR("PutMetricData"));
    const Shape *shape = route.operation->input;
    Error err = {0};
    Reading reading = {.route = &route, .arena = &arena, .err = &err};
    const Json *first, *second;
    if (!cbor_read(&reading, shape, (Str){(const char *)data, size}, &first)) {
        if (!reading.code || !err.text[0]) abort();
        return 0;
    }
    AUTO_STRBUF StrBuf out = STRBUF(MESSAGE_BYTES_MAX), again = STRBUF(MESSAGE_BYTES_MAX);
    cbor_write(&out, shape, first);
    if (!cbor_read(&reading, shape, strbuf_str(&out), &second)) abort();
    cbor_write(&again, shape, second);
    if (!str_eq(strbuf_str(&out), strbuf_str(&again))) abort();
    return 0;
}
