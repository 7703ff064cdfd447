/* Forms of PutMetricAlarm (structures in lists in structures), held against its constraints. */

#include "aws/protocol.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena);
    Route route = {.service = service_shape_find(STR("cloudwatch")), .protocol = PROTOCOL_QUERY};
    route.operation = operation_shape_find(route.service, STR("PutMetricAlarm"));
    Error err = {0};
    Reading reading = {.route = &route, .arena = &arena, .err = &err};
    const Json *message;
    if (!query_read(&reading, route.operation->input, (Str){(const char *)data, size}, &message))
        return 0;
    if (!validate(&reading, route.operation->input, message) && (!reading.code || !err.text[0]))
        abort();
    return 0;
}
