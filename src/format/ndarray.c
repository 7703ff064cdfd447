/* MXNet's NDArray list files.
 *
 *     u64 0x112, u64 0, u64 n, n arrays, u64 m (0 or n), m names of u64 length and bytes
 *
 * An array begins with the magic word of its version; before version 1 it began with the number of
 * dimensions, which were 32 bits wide then.  An array without dimensions has no more fields, but in
 * version 3, where it is a scalar and -1 dimensions mean "none". */

#include "format/ndarray.h"

#include "format/utf8.h"

#include <math.h>

#define MAGIC_V1 0xF993FAC8u
#define MAGIC_V2 0xF993FAC9u
#define MAGIC_V3 0xF993FACAu
enum { LIST_MAGIC = 0x112, ARRAY_BYTES_MIN = 4 };

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the format is little-endian and so must be the machine"
#endif

typedef struct Reader {
    Str bytes;
    size_t at;
    Error *err;
} Reader;

static size_t type_width(uint32_t type)
{
    static const size_t widths[] = {4, 8, 2, 1, 4, 1, 8};
    return type < COUNT(widths) ? widths[type] : 0;
}

static bool fail(const Reader *reader, size_t at, const char *reason)
{
    return error_set(reader->err, ERROR_INVALID, "NDArray file: byte %zu: %s", at, reason);
}

static bool take(Reader *reader, void *to, size_t n)
{
    if (reader->bytes.len - reader->at < n)
        return fail(reader, reader->bytes.len, "the file ends too early");
    memcpy(to, reader->bytes.ptr + reader->at, n);
    reader->at += n;
    return true;
}

static bool read_dims(Reader *reader, uint32_t n_dims, bool wide, NdArray *array)
{
    if (n_dims > ND_DIMS_MAX)
        return fail(reader, reader->at - 4, "more than 32 dimensions, or no NDArray");
    array->n_dims = (int32_t)n_dims;
    array->n = 1;
    for (uint32_t i = 0; i < n_dims; i++) {
        uint32_t narrow = 0;
        if (!(wide ? take(reader, &array->dims[i], 8) : take(reader, &narrow, 4))) return false;
        if (!wide) array->dims[i] = narrow;
        if (array->dims[i] < 0 || __builtin_mul_overflow(array->n, array->dims[i], &array->n))
            return fail(reader, reader->at - (wide ? 8 : 4),
                        "a dimension that is negative or too large");
    }
    return true;
}

static bool read_data(Reader *reader, NdArray *array)
{
    int32_t device[2];
    uint32_t type;
    if (!take(reader, device, sizeof device) || !take(reader, &type, 4)) return false;
    size_t width = type_width(type);
    if (width == 0) return fail(reader, reader->at - 4, "an unknown element type");
    if ((uint64_t)array->n > (reader->bytes.len - reader->at) / width)
        return fail(reader, reader->at, "an array that is longer than the file");
    array->type = (NdType)type;
    array->data = reader->bytes.ptr + reader->at;
    reader->at += (size_t)array->n * width;
    return true;
}

static bool read_array(Reader *reader, NdArray *array)
{
    uint32_t magic, n_dims;
    int32_t storage = 0;
    if (!take(reader, &magic, 4)) return false;
    bool versioned = magic == MAGIC_V1 || magic == MAGIC_V2 || magic == MAGIC_V3;
    if (versioned && magic != MAGIC_V1) {
        if (!take(reader, &storage, 4)) return false;
        if (storage != 0)
            return error_set(reader->err, ERROR_UNSUPPORTED,
                             "NDArray file: byte %zu: a sparse array; only dense ones can be read",
                             reader->at - 4);
    }
    if (!versioned)
        n_dims = magic;
    else if (!take(reader, &n_dims, 4))
        return false;
    if (n_dims == 0 && magic != MAGIC_V3) return true;
    if (n_dims == UINT32_MAX && magic == MAGIC_V3) return true;
    return read_dims(reader, n_dims, versioned, array) && read_data(reader, array);
}

static bool read_name(Reader *reader, Str *ret_name)
{
    uint64_t len;
    if (!take(reader, &len, 8)) return false;
    if (len > reader->bytes.len - reader->at)
        return fail(reader, reader->at - 8, "a name that is longer than the file");
    Str name = {reader->bytes.ptr + reader->at, (size_t)len};
    size_t wrong = utf8_check(name);
    if (wrong < name.len) return fail(reader, reader->at + wrong, "a name that is not UTF-8");
    reader->at += name.len;
    *ret_name = name;
    return true;
}

bool ndarray_parse(Str bytes, Arena *arena, NdArray **ret_arrays, size_t *ret_n, Error *err)
{
    Reader reader = {.bytes = bytes, .err = err};
    uint64_t head[3], n_names;
    if (!take(&reader, head, sizeof head)) return false;
    if (head[0] != LIST_MAGIC || head[1] != 0) return fail(&reader, 0, "this is no NDArray list");
    if (head[2] > (bytes.len - reader.at) / ARRAY_BYTES_MIN)
        return fail(&reader, 16, "more arrays than the file has room for");

    size_t n = (size_t)head[2], room = 0;
    NdArray *arrays = NULL;
    for (size_t i = 0; i < n; i++) {
        if (i == room) { /* grows with what is there, not with what the head says */
            room = MIN(MAX(2 * room, (size_t)16), n);
            arrays = arena_grow(arena, arrays, i, room, sizeof *arrays);
        }
        if (!read_array(&reader, &arrays[i])) return error_in(err, "array %zu", i);
    }
    if (!take(&reader, &n_names, sizeof n_names)) return false;
    if (n_names != 0 && n_names != n)
        return fail(&reader, reader.at - 8, "another number of names than of arrays");
    for (size_t i = 0; i < n_names; i++)
        if (!read_name(&reader, &arrays[i].name)) return false;
    if (reader.at < bytes.len) return fail(&reader, reader.at, "something after the list");
    *ret_arrays = arrays;
    *ret_n = n;
    return true;
}

static float from_half(uint16_t bits)
{
    int exponent = bits >> 10 & 31, fraction = bits & 1023;
    float size = exponent == 31  ? (fraction ? NAN : INFINITY)
                 : exponent == 0 ? ldexpf((float)fraction, -24)
                                 : ldexpf((float)(fraction | 1024), exponent - 25);
    return bits >> 15 ? -size : size;
}

#define CONVERT(Type, convert)                                                                     \
    for (size_t i = 0; i < n; i++) {                                                               \
        Type x;                                                                                    \
        memcpy(&x, from + i * sizeof x, sizeof x);                                                 \
        out[i] = convert(x);                                                                       \
    }                                                                                              \
    break

void ndarray_floats(const NdArray *array, float *out)
{
    const char *from = array->data;
    size_t n = (size_t)array->n;
    switch (array->type) {
    case ND_F32:
        if (n) memcpy(out, from, n * sizeof *out);
        break;
    case ND_F64: CONVERT(double, (float));
    case ND_F16: CONVERT(uint16_t, from_half);
    case ND_U8: CONVERT(uint8_t, (float));
    case ND_I32: CONVERT(int32_t, (float));
    case ND_I8: CONVERT(int8_t, (float));
    case ND_I64: CONVERT(int64_t, (float));
    }
}

#define ADD(Type, value)                                                                           \
    do {                                                                                           \
        Type value_ = (value);                                                                     \
        strbuf_add(out, (Str){(const char *)&value_, sizeof value_});                              \
    } while (0)

void ndarray_write(const NdArray *arrays, size_t n, StrBuf *out)
{
    bool named = n && arrays[0].name.len;
    ADD(uint64_t, LIST_MAGIC);
    ADD(uint64_t, 0);
    ADD(uint64_t, n);
    for (size_t i = 0; i < n; i++) {
        const NdArray *array = &arrays[i];
        ADD(uint32_t, MAGIC_V2);
        ADD(int32_t, 0);
        ADD(int32_t, array->n_dims);
        for (int32_t d = 0; d < array->n_dims; d++) ADD(int64_t, array->dims[d]);
        if (array->n_dims == 0) continue;
        ADD(int32_t, 1); /* the processor, device 0 */
        ADD(int32_t, 0);
        ADD(int32_t, (int32_t)array->type);
        strbuf_add(out, (Str){array->data, (size_t)array->n * type_width((uint32_t)array->type)});
    }
    ADD(uint64_t, named ? n : 0);
    for (size_t i = 0; named && i < n; i++) {
        ADD(uint64_t, arrays[i].name.len);
        strbuf_add(out, arrays[i].name);
    }
}
