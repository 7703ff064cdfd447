#ifndef CLARY_TRAIN_CONTENT_H
#define CLARY_TRAIN_CONTENT_H

/* Bodies of inference requests as rows of floats, in blocks, so that memory stays bounded by the
 * block and not by the body.
 *
 *     text/csv                        a row a line; label_size=N drops N leading columns
 *     application/json                {"instances":[R, ...]}
 *     application/jsonlines           an R a line
 *     application/x-recordio-protobuf frames of Record, features["values"]
 *     text/libsvm                     "[label] index:value ..." a line
 *
 * R is {"features":[...]}, {"features":{"values":[...]}}, {"data":{"features":{...}}}, sparse with
 * "keys" and "shape", or a bare array.
 *
 * Kinds of error: ERROR_UNSUPPORTED an unknown content type, ERROR_INVALID the body is not what the
 * type says (both 415), ERROR_CONFLICT the rows do not fit the model (400), ERROR_NO_MEMORY. */

#include "data/dataset.h"
#include "format/json.h"
#include "format/recordio.h"

typedef enum ContentType {
    CONTENT_CSV,
    CONTENT_JSON,
    CONTENT_JSONLINES,
    CONTENT_RECORDIO,
    CONTENT_LIBSVM,
} ContentType;

/* Reads a Content-Type field.  *ret_label_size is 0 when the parameter is absent. */
bool content_type_parse(Str value, ContentType *ret_type, int32_t *ret_label_size, Error *err);

/* What the model wants; lives as long as the reader. */
typedef struct ContentForm {
    int32_t n_features;   /* 0: unknown, the first row decides */
    float absent;         /* of positions that a sparse row does not have: NaN or 0 */
    bool missing;         /* NaN and empty fields are allowed; else they are refused */
    const char *model;    /* for words: "the model", "xgboost" */
    const Schema *schema; /* dictionaries of categorical columns, or NULL */
    bool any_category;    /* the schema has one */
    bool libsvm_shift;    /* indexes of a body that has no 0 count from 1 (SageMaker's container) */
} ContentForm;

void content_form_init(ContentForm *form, const Schema *schema, int32_t n_features, bool missing);

typedef struct ContentRows {
    float *values; /* n_rows x n_cols, row-major */
    size_t capacity;
    int64_t n_rows;
    int32_t n_cols;
    bool noted; /* uid and metadata are set */
    Str *uid, *metadata;
    int64_t notes_capacity;
} ContentRows;

void content_rows_clear(ContentRows *rows);

typedef struct ContentReader {
    ContentType type;
    const ContentForm *form;
    Str body;
    size_t at;
    int64_t record; /* rows read so far */
    int32_t label_size;
    int32_t n_cols;
    int32_t shift; /* taken off libsvm's indexes */
    char separator;
    JsonReader json;
    bool in_instances;
    RecordTensor tensor;
    StrBuf joined;
    int32_t *keys; /* of a sparse JSON row */
    size_t keys_capacity;
} ContentReader;

/* `body` must stay where it is; up to CSV_SLACK bytes beyond its end are read.  A reader may be used
 * again; its buffers are kept. */
bool content_begin(ContentReader *reader, ContentType type, int32_t label_size,
                   const ContentForm *form, Str body, Error *err);

/* The next block: at most rows_max rows and about values_max numbers; n_rows is 0 at the end. */
bool content_next(ContentReader *reader, int64_t rows_max, size_t values_max, ContentRows *rows,
                  Error *err);

void content_clear(ContentReader *reader);

#endif
