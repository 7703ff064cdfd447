/* JSON: what is read, written and read again is the same, whatever the flags. */

#include "base/test.h"
#include "format/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write(const Json *value, int indent, StrBuf *out)
{
    JsonWriter writer = JSON_WRITER(out);
    writer.indent = indent;
    writer.non_finite = true;
    json_value(&writer, value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena);
    Error err = {0};
    const Json *value, *again;
    Str text = {(const char *)data, size};
    static const int flags[] = {0, JSON_NON_FINITE, JSON_NON_FINITE | JSON_PACK};
    for (size_t i = 0; i < COUNT(flags); i++) {
        if (!json_parse_with(text, flags[i], &arena, &value, &err)) {
            if (err.kind != ERROR_INVALID) __builtin_trap();
            continue;
        }
        AUTO_STRBUF StrBuf first = STRBUF(SIZE_MAX / 4), second = STRBUF(SIZE_MAX / 4);
        write(value, 3, &first);
        if (!json_parse_with(strbuf_str(&first), flags[i], &arena, &again, &err)) __builtin_trap();
        write(again, 3, &second);
        if (!str_eq(strbuf_str(&first), strbuf_str(&second))) __builtin_trap();
        strbuf_clear(&first);
        strbuf_clear(&second);
    }

    /* The pull reader alone accepts the same texts. */
    JsonReader reader;
    json_reader_init(&reader, text);
    bool skipped = json_skip(&reader) && json_next(&reader) == JSON_TOKEN_END;
    if (skipped != json_parse(text, &arena, &value, NULL)) __builtin_trap();
    return 0;
}
