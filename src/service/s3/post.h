#ifndef CLARY_SERVICE_S3_POST_H
#define CLARY_SERVICE_S3_POST_H

/* Reading multipart/form-data: fields that are kept, then one file that streams. */

#include "service/s3/s3.h"

enum {
    FORM_FIELDS_MAX = 100,
    FORM_BUFFER_BYTES_MAX = 1 << 20,
    FORM_BOUNDARY_MAX = 70,
};

typedef struct FormField {
    Str name, value;
} FormField;

typedef struct Form {
    Call *call;
    bool (*next)(void *arg, Str *ret_piece,
                 Error *err); /* the next piece of the body; empty at its end */
    void *arg;
    StrBuf buffer; /* the caller clears it */
    size_t at;     /* bytes before are used */
    bool ended;
    Str delimiter; /* "\r\n--BOUNDARY" */
    FormField fields[FORM_FIELDS_MAX];
    size_t n_fields, field_bytes;
    Str file_name, file_type;
} Form;

/* Errors are the call's.  `next` and `arg` are set by the caller afterwards. */
bool s3_form_begin(Form *form, Call *call, Str content_type, Error *err);
/* Up to the first byte of the file. */
bool s3_form_fields(Form *form, Error *err);
bool s3_form_file(Form *form, bool (*sink)(void *arg, Str piece, Error *err), void *arg,
                  Error *err);

#endif
