#ifndef CLARY_AWS_SIGNATURE_INSIDE_H
#define CLARY_AWS_SIGNATURE_INSIDE_H

/* What the files of signature.h share. */

#include "aws/signature.h"

typedef struct QueryParam {
    Str name, value; /* percent-encoded as they are signed */
} QueryParam;

/* Letters, digits and "-._~". */
bool signature_is_unreserved(char c);

/* Decoded once and encoded once, to `to`, which has room for three times the text.  Returns its end. */
char *signature_encode(char *to, Str text, bool keep_slash, bool plus_is_blank);
Str signature_decode(Arena *arena, Str text);

/* A query into signature->params; false when it has too many. */
bool signature_take_query(Arena *arena, Str query, Signature *signature);

bool signature_is_amz(Str name); /* x-amz-*, in any case */

/* Presigned by Version 2. */
bool signature_verify_v2(const HttpRequest *request, const Signature *signature, Str secret,
                         Arena *arena);

#endif
