#ifndef CLARY_FORMAT_RECORDIO_H
#define CLARY_FORMAT_RECORDIO_H

/* RecordIO frames and the protobuf Record in them (SageMaker's application/x-recordio-protobuf).
 *
 * Reading is in steps, so that nothing is decoded that nobody wants: a frame gives its payload, the
 * payload its named values, a value its numbers.  Everything is a view into the input until the
 * last step.  Errors state the fact; the caller adds file, byte and record number.
 *
 * Limits: a record of 64 MiB, 32 entries in a map, 8 dimensions, keys and sizes below 2^31, unknown
 * groups nested 16 deep. */

#include "base/arena.h"
#include "base/error.h"
#include "base/strbuf.h"

enum {
    RECORDIO_MAGIC = (int)0xced7230a, /* on disk 0a 23 d7 ce */
    RECORDIO_HEAD_BYTES = 8,
    RECORD_BYTES_MAX = 64 << 20,
    RECORD_ENTRIES_MAX = 32,
    RECORD_DIMENSIONS_MAX = 8,
};

/* ---- frames ---- */

/* The record at the front of `input`: its payload, and the bytes it takes there with padding.
 * *ret_used is 0 when more bytes are needed to tell, which `at_end` (no more will come) makes an
 * error, as are a wrong magic and a length beyond the limit.  A record in several parts is joined
 * in `joined`, which must not change while the payload is in use. */
bool recordio_next(Str input, bool at_end, StrBuf *joined, Str *ret_payload, size_t *ret_used,
                   Error *err);

/* ---- records ---- */

typedef struct RecordEntry {
    Str name;
    Str value; /* a Value message: for record_tensor */
} RecordEntry;

typedef struct Record {
    RecordEntry features[RECORD_ENTRIES_MAX], labels[RECORD_ENTRIES_MAX];
    int n_features, n_labels;
    Str uid, metadata, configuration; /* ptr is NULL where the record has none */
} Record;

bool record_parse(Str payload, Record *ret_record, Error *err);

/* The entry of that name; NULL when there is none. */
const RecordEntry *record_entry(const RecordEntry *entries, int n, const char *name);

/* "values", else the only entry, else NULL. */
const RecordEntry *record_main_entry(const RecordEntry *entries, int n);

typedef enum RecordType {
    RECORD_EMPTY,
    RECORD_FLOAT32,
    RECORD_FLOAT64,
    RECORD_INT32,
    RECORD_BYTES
} RecordType;

/* The numbers of a value.  Its arrays are used again by the next record_tensor into it; clear it at
 * the end.  Zero is empty. */
typedef struct RecordTensor {
    RecordType type;
    float *values;
    size_t n_values;
    int32_t *keys; /* positions of a sparse tensor's values, rising */
    size_t n_keys;
    int64_t shape[RECORD_DIMENSIONS_MAX];
    int n_dimensions;
    bool sparse;  /* keys and a shape, or a shape and no values */
    int64_t size; /* elements: n_values if dense, the product of the shape if sparse */
    Str bytes;    /* RECORD_BYTES: the first one */

    size_t values_capacity, keys_capacity;
} RecordTensor;

/* Numbers become float32; a double or int beyond its range is refused, as are keys that repeat or
 * lie outside the shape. */
bool record_tensor(Str value, RecordTensor *tensor, Error *err);
void record_tensor_clear(RecordTensor *tensor);

/* ---- whole bodies ---- */

/* Rows of a request: features["values"] of each record. */
typedef struct RecordRows {
    int64_t n_rows;
    int32_t n_cols;
    float *rows; /* n_rows x n_cols, row-major, data_alloc'ed: data_free it */
    Str *uid;    /* per row, or NULL when no row has one; views into the body or `arena` */
    Str *metadata;
} RecordRows;

/* Positions that a sparse row does not have become `absent`.  At most values_max numbers in all. */
bool recordio_read_rows(Str body, float absent, size_t values_max, Arena *arena,
                        RecordRows *ret_rows, Error *err);

/* ---- writing ---- */

/* A named Float32Tensor; sparse when `keys` is set. */
typedef struct RecordOutput {
    Str name;
    const float *values;
    const int32_t *keys;
    size_t n;
    int64_t size; /* of a sparse one: its dimension */
} RecordOutput;

/* Appends one frame.  Answers put their outputs in `labels` and copy uid and metadata of the
 * request (ptr NULL: none).  False when it would pass the limit of a record. */
bool recordio_write_record(StrBuf *out, const RecordOutput *features, int n_features,
                           const RecordOutput *labels, int n_labels, Str uid, Str metadata);

#endif
