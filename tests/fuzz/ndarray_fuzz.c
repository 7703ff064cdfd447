/* NDArray lists: what is read can be written, and reads the same again. */

#include "format/ndarray.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA(arena);
    Error err = {0};
    NdArray *arrays, *again;
    size_t n, n_again;
    if (!ndarray_parse((Str){(const char *)data, size}, &arena, &arrays, &n, &err)) return 0;
    for (size_t i = 0; i < n; i++) {
        if ((uint64_t)arrays[i].n > size) abort();
        ndarray_floats(&arrays[i], arena_array(&arena, float, arrays[i].n));
        if (arrays[i].n_dims == 0) arrays[i].n = 0; /* scalars exist in version 3 only */
    }
    AUTO_STRBUF StrBuf out = STRBUF(4 * size + 1000);
    ndarray_write(arrays, n, &out);
    if (!ndarray_parse(strbuf_str(&out), &arena, &again, &n_again, &err) || n_again != n) abort();
    for (size_t i = 0; i < n; i++)
        if (arrays[i].n_dims && (again[i].n != arrays[i].n || again[i].type != arrays[i].type))
            abort();
    return 0;
}
