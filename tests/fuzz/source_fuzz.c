#include "data/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Packed data in blocks of two sizes: the same bytes or an error in both. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t sums[2] = {0};
    bool ok[2];
    for (int i = 0; i < 2; i++) {
        Error err = {0};
        AUTO(source_close) Source *source = NULL;
        SourceBlock block = {0};
        ok[i] = source_open_bytes(
            (Str){(const char *)data, size}, "fuzz",
            &(SourceOptions){.block_bytes = i ? 61 : 100000, .never_map = true}, &source, &err);
        size_t keep = 0;
        int64_t total = 0;
        while (ok[i] && (ok[i] = source_next(source, keep, &block, &err)) && block.name &&
               total < 1 << 22) {
            for (size_t k = keep; k < block.bytes.len; k++)
                sums[i] = sums[i] * 31 + (unsigned char)block.bytes.ptr[k];
            total += (int64_t)(block.bytes.len - keep);
            keep = block.last ? 0 : block.bytes.len / 3;
        }
        if (total >= 1 << 22) return 0; /* much from little: fine, but slow here */
    }
    if (ok[0] != ok[1] || (ok[0] && sums[0] != sums[1])) __builtin_trap();
    return 0;
}
