/* UBJSON: no wild read, no memory beyond a multiple of the input; and the tree can be written. */

#include "format/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena);
    Error err = {0};
    const Json *value, *again;
    if (!ubjson_parse((Str){(const char *)data, size}, &arena, &value, &err)) {
        if (err.kind != ERROR_INVALID) __builtin_trap();
        return 0;
    }
    AUTO_STRBUF StrBuf text = STRBUF(SIZE_MAX / 4);
    JsonWriter writer = JSON_WRITER(&text);
    writer.non_finite = true;
    json_value(&writer, value);
    if (!json_parse_with(strbuf_str(&text), JSON_NON_FINITE, &arena, &again, &err))
        __builtin_trap();
    return 0;
}
