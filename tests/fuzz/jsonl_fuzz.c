#include "data/readers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int i = 0; i < 3; i++) {
        Error err = {0};
        ReadReport report = {0};
        AUTO(source_close) Source *source = NULL;
        AUTO(frame_free) Frame *frame = NULL;
        SourceOptions how = {.block_bytes = 7, .never_map = i == 1};
        ReadOptions options = {.skip_bad_rows = i > 0, .f64 = i == 2};
        Str text = {(const char *)data, size};
        if (!source_open_bytes(text, "fuzz", &how, &source, &err) ||
            !frame_read_jsonl(source, &options, NULL, &frame, &report, &err))
            continue;
        for (int32_t j = 0; j < frame->n_columns; j++)
            for (int64_t row = 0; row < frame->n_rows; row++) {
                ARENA(scratch);
                column_text(&frame->columns[j], row, &scratch);
            }
    }
    return 0;
}
