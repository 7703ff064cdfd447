#ifndef CLARY_FORMAT_NDARRAY_H
#define CLARY_FORMAT_NDARRAY_H

/* MXNet's NDArray list files: a list of dense arrays, with or without names.  SageMaker's k-means,
 * linear learner and others keep their models in them (`model_algo-1`).
 *
 * Read: versions 1, 2 and 3 and the form before them; sparse arrays are refused.  Written: version
 * 2, which every MXNet since 1.0 reads. */

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

enum { ND_DIMS_MAX = 32 };

typedef enum NdType { /* the file's own numbers */
                      ND_F32,
                      ND_F64,
                      ND_F16,
                      ND_U8,
                      ND_I32,
                      ND_I8,
                      ND_I64,
} NdType;

typedef struct NdArray {
    Str name; /* "" where the list has none */
    NdType type;
    int32_t n_dims;
    int64_t dims[ND_DIMS_MAX];
    int64_t n;        /* elements: the product of dims; 0 for an array that was never filled */
    const void *data; /* row-major, little-endian, at any address: read it with ndarray_floats */
} NdArray;

/* The arrays of a list file; names and data are views into `bytes`. */
bool ndarray_parse(Str bytes, Arena *arena, NdArray **ret_arrays, size_t *ret_n, Error *err);

/* The elements as float32, converted from whatever the type is; `out` has room for array->n. */
void ndarray_floats(const NdArray *array, float *out);

/* Appends the list to `out`; check out->overflow.  Names are written when the first array has one. */
void ndarray_write(const NdArray *arrays, size_t n, StrBuf *out);

#endif
