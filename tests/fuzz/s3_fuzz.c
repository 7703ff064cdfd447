/* What S3 reads besides messages: forms, ranges, tags, names.  The first byte says how large the pieces of a form are. */

#include "service/s3/post.h"
#include "service/s3/put.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct Pieces {
    Str rest;
    size_t step;
} Pieces;

static bool next_piece(void *arg, Str *ret_piece, Error *err)
{
    Pieces *pieces = arg;
    (void)err;
    size_t n = MIN(pieces->step, pieces->rest.len);
    *ret_piece = str_slice(pieces->rest, 0, n);
    pieces->rest = str_from(pieces->rest, n);
    return true;
}

static bool count(void *arg, Str piece, Error *err)
{
    (void)err;
    *(size_t *)arg += piece.len;
    return true;
}

/* Bytes of the file, or -1 - fields when it is refused: the size of the pieces must not matter. */
static long read_form(Str body, size_t step)
{
    ARENA(arena);
    Error err = {0};
    Call call = {.arena = &arena};
    Form *form = arena_new(&arena, Form);
    Pieces pieces = {body, step};
    size_t n = 0;
    if (!s3_form_begin(form, &call, STR("multipart/form-data; boundary=XX"), &err)) return -1000;
    form->next = next_piece;
    form->arg = &pieces;
    bool ok = s3_form_fields(form, &err) && s3_form_file(form, count, &n, &err);
    long result = ok ? (long)n : -1 - (long)form->n_fields;
    strbuf_clear(&form->buffer);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1 || size > 64 << 10) return 0;
    ARENA(arena);
    Str text = {(const char *)data + 1, size - 1};
    if (read_form(text, 1 + data[0]) != read_form(text, text.len + 1)) abort();

    S3Range range;
    if (s3_range_parse(text, 1000, &range) &&
        (range.begin < 0 || range.length < 0 || range.begin + range.length > 1000))
        abort();
    Json *tags;
    if (s3_tags_of_query(text, &arena, &tags)) s3_tags_check(tags, S3_TAGS_MAX);
    Str decoded, bucket, key;
    if (s3_key_ok(text) && (!s3_percent_decode(s3_url_encode(&arena, text), &arena, &decoded) ||
                            decoded.len != text.len))
        abort();
    s3_percent_decode(text, &arena, &decoded);
    if (s3_address(text, &bucket, &key) && s3_bucket_name_check(bucket)) abort();
    s3_etag_bare(text);
    S3Row row = {.etag = STR("abc"), .modified = 1};
    S3Conditions conditions = {.if_match = text, .if_none_match = text};
    s3_conditions_read(&conditions, &row);
    s3_conditions_write(&conditions, &row);
    return 0;
}
