/* XML of lifecycle rules (flattened lists, structures, dates), written again and read again. */

#include "aws/protocol.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena);
    Route route = {.service = service_shape_find(STR("s3")), .protocol = PROTOCOL_REST_XML};
    route.operation = operation_shape_find(route.service, STR("PutBucketLifecycleConfiguration"));
    const Shape *shape = member_find(route.operation->input, STR("LifecycleConfiguration"))->shape;
    Error err = {0};
    Reading reading = {.route = &route, .arena = &arena, .err = &err};
    const Json *first, *second;
    if (!xml_read(&reading, shape, (Str){(const char *)data, size}, &first)) {
        if (!reading.code || !err.text[0]) abort();
        return 0;
    }
    AUTO_STRBUF StrBuf out = STRBUF(MESSAGE_BYTES_MAX), again = STRBUF(MESSAGE_BYTES_MAX);
    strbuf_add(&out, STR("<a>"));
    xml_write_members(&out, shape, first, true);
    strbuf_add(&out, STR("</a>"));
    if (out.len > 1 << 20) return 0;
    if (!xml_read(&reading, shape, strbuf_str(&out), &second)) abort();
    strbuf_add(&again, STR("<a>"));
    xml_write_members(&again, shape, second, true);
    strbuf_add(&again, STR("</a>"));
    if (!str_eq(strbuf_str(&out), strbuf_str(&again))) abort();
    return 0;
}
