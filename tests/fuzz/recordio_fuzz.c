#include "base/memory.h"
#include "format/recordio.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(scratch);
    Error err = {0};
    RecordRows rows;
    Str body = {(const char *)data, size};
    if (recordio_read_rows(body, 0, 1 << 20, &scratch, &rows, &err)) data_free(rows.rows);

    /* Frames one by one, as from a stream, and all of their values. */
    AUTO_STRBUF StrBuf joined = STRBUF(0);
    RecordTensor tensor = {0};
    Record record;
    Str payload;
    size_t used;
    while (recordio_next(body, false, &joined, &payload, &used, &err) && used) {
        body = str_from(body, used);
        if (!record_parse(payload, &record, &err)) break;
        for (int i = 0; i < record.n_features; i++)
            record_tensor(record.features[i].value, &tensor, &err);
        for (int i = 0; i < record.n_labels; i++)
            record_tensor(record.labels[i].value, &tensor, &err);
    }
    record_tensor_clear(&tensor);
    return 0;
}
