/* NDArray list files. */

#include "base/test.h"
#include "format/ndarray.h"

#include <math.h>

#define U32(x) (char)(x), (char)((x) >> 8), (char)((x) >> 16), (char)((uint32_t)(x) >> 24)
#define U64(x) U32(x), U32(0)
#define HEAD(n) U64(0x112), U64(0), U64(n)

#define PARSE(bytes, arrays, n, err)                                                               \
    ndarray_parse((Str){bytes, sizeof(bytes)}, &arena, arrays, n, err)

TEST(ndarray, what_is_written_is_read)
{
    ARENA(arena);
    Error err = {0};
    static const float centers[6] = {1, 2, 3, 4, 5, -0.5f};
    static const int64_t counts[2] = {7, -1};
    NdArray in[3] = {
        {.name = STR("arg:centers"),
         .type = ND_F32,
         .n_dims = 2,
         .dims = {3, 2},
         .n = 6,
         .data = centers},
        {.name = STR("aux:n"), .type = ND_I64, .n_dims = 1, .dims = {2}, .n = 2, .data = counts},
        {.name = STR("none")},
    };
    for (int named = 0; named < 2; named++) {
        if (!named)
            for (size_t i = 0; i < COUNT(in); i++) in[i].name = (Str){0};
        else
            in[0].name = STR("arg:centers"), in[1].name = STR("aux:n"), in[2].name = STR("none");
        AUTO_STRBUF StrBuf out = STRBUF(1000);
        ndarray_write(in, COUNT(in), &out);
        NdArray *arrays = NULL;
        size_t n = 0;
        CHECK_OK(ndarray_parse(strbuf_str(&out), &arena, &arrays, &n, &err), err);
        CHECK_INT(n, 3);
        CHECK_STR(arrays[1].name, named ? STR("aux:n") : STR(""));
        CHECK_INT(arrays[0].n_dims, 2);
        CHECK_INT(arrays[0].dims[1], 2);
        float floats[6];
        ndarray_floats(&arrays[0], floats);
        CHECK(memcmp(floats, centers, sizeof centers) == 0);
        ndarray_floats(&arrays[1], floats);
        CHECK(floats[0] == 7 && floats[1] == -1);
        CHECK_INT(arrays[2].n, 0);
        for (size_t len = 0; len < out.len; len++) { /* cut anywhere */
            if (ndarray_parse((Str){out.ptr, len}, &arena, &arrays, &n, &err))
                FAIL("cut at %zu", len);
        }
    }
}

TEST(ndarray, all_versions_and_types_are_read)
{
    ARENA(arena);
    Error err = {0};
    static const char bytes[] = {
        HEAD(5),
        U32(1),
        U32(2),
        U32(1),
        U32(0),
        U32(3),
        5,
        (char)250, /* before versions: u32 dims; u8 */
        U32(0xF993FAC8),
        U32(1),
        U64(3),
        U32(2),
        U32(1),
        U32(2),
        0,
        0x3c,
        1,
        0,
        0,
        (char)0xfc, /* v1; f16 */
        U32(0xF993FACA),
        U32(0),
        U32(0),
        U32(1),
        U32(0),
        U32(5),
        (char)-3, /* v3: a scalar; i8 */
        U32(0xF993FACA),
        U32(0),
        U32(0xffffffff), /* v3: none */
        U32(0xF993FAC9),
        U32(0),
        U32(1),
        U64(1),
        U32(1),
        U32(0),
        U32(1),
        0,
        0,
        0,
        0,
        0,
        0,
        (char)0xf8,
        0x3f, /* f64 */
        U64(0),
    };
    NdArray *arrays = NULL;
    size_t n = 0;
    float x[3];
    CHECK_OK(PARSE(bytes, &arrays, &n, &err), err);
    CHECK_INT(n, 5);
    ndarray_floats(&arrays[0], x);
    CHECK(x[0] == 5 && x[1] == 250);
    ndarray_floats(&arrays[1], x);
    CHECK(x[0] == 1 && x[1] == 0x1p-24f && x[2] == -INFINITY);
    ndarray_floats(&arrays[2], x);
    CHECK(arrays[2].n == 1 && x[0] == -3);
    CHECK_INT(arrays[3].n, 0);
    ndarray_floats(&arrays[4], x);
    CHECK(x[0] == 1.5f);
}

TEST(ndarray, wrong_files_are_refused)
{
    static const char wrong_magic[] = {U64(0x113), U64(0), U64(0), U64(0)};
    static const char many[] = {U64(0x112), U64(0), U32(0), U32(1), U64(0)};
    static const char sparse[] = {HEAD(1), U32(0xF993FAC9), U32(1), U64(0)};
    static const char dims[] = {HEAD(1), U32(0xF993FAC9), U32(0), U32(33), U64(0)};
    static const char negative[] = {HEAD(1), U32(0xF993FAC9), U32(0), U32(1),
                                    U32(0),  U32(0x80000000), U64(0)};
    static const char product[] = {HEAD(1), U32(0xF993FAC9), U32(0), U32(2),
                                   U32(0),  U32(0x10000),    U32(0), U32(0x10000)};
    static const char long_data[] = {HEAD(1), U32(0xF993FAC9), U32(0), U32(1), U64(3),
                                     U32(1),  U32(0),          U32(0), U64(0)};
    static const char type[] = {HEAD(1), U32(0xF993FAC9), U32(0), U32(1), U64(0),
                                U32(1),  U32(0),          U32(7), U64(0)};
    static const char names[] = {HEAD(1), U32(0), U64(2)};
    static const char name[] = {HEAD(1), U32(0), U64(1), U64(9), 'x'};
    static const char after[] = {HEAD(0), U64(0), 0};
    static const struct {
        const char *bytes;
        size_t n;
        const char *want;
    } cases[] = {
        {wrong_magic, sizeof wrong_magic, "NDArray file: byte 0: this is no NDArray list"},
        {many, sizeof many, "NDArray file: byte 16: more arrays than the file has room for"},
        {sparse, sizeof sparse,
         "array 0: NDArray file: byte 28: a sparse array; only dense ones can be read"},
        {dims, sizeof dims,
         "array 0: NDArray file: byte 32: more than 32 dimensions, or no NDArray"},
        {negative, sizeof negative,
         "array 0: NDArray file: byte 36: a dimension that is negative or too large"},
        {product, sizeof product,
         "array 0: NDArray file: byte 44: a dimension that is negative or too large"},
        {long_data, sizeof long_data,
         "array 0: NDArray file: byte 56: an array that is longer than the file"},
        {type, sizeof type, "array 0: NDArray file: byte 52: an unknown element type"},
        {names, sizeof names, "NDArray file: byte 28: another number of names than of arrays"},
        {name, sizeof name, "NDArray file: byte 36: a name that is longer than the file"},
        {after, sizeof after, "NDArray file: byte 32: something after the list"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ARENA(arena);
        Error err = {0};
        NdArray *arrays;
        size_t n;
        if (ndarray_parse((Str){cases[i].bytes, cases[i].n}, &arena, &arrays, &n, &err))
            FAIL("accepted: %s", cases[i].want);
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
}
