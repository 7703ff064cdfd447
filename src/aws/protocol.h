#ifndef CLARY_AWS_PROTOCOL_H
#define CLARY_AWS_PROTOCOL_H

/* What the protocols share.  Reading has two steps: each protocol turns its bytes into a typed tree (wrong
 * types and malformed bytes are SerializationException), then validate.c holds the tree against the
 * constraints.  Both walk shape and value together; their depth is bounded by the parsers' depth limits. */

#include "aws/message.h"
#include "base/strbuf.h"

enum {
    MESSAGE_BYTES_MAX = 64 << 20, /* of an encoded answer */
    MESSAGE_DEPTH_MAX = 128,      /* of a tree */
    CBOR_DEPTH_MAX = 64,
    FORM_PARAMETERS_MAX = 1 << 16, /* of a query request */
    INFLATED_BYTES_MAX = 1 << 20,  /* of a body with Content-Encoding: gzip */
};

typedef struct Reading {
    const Route *route;
    Arena *arena;
    const char *code; /* of the refusal */
    Error *err;
} Reading;

/* Refuses with SerializationException (MalformedXML, ... by protocol); yields false. */
bool reading_refuse(Reading *reading, const char *format, ...) PRINTF_LIKE(2, 3);

/* A tree as JSON or CBOR has it into one by the shape. `blobs`: strings of blobs are bytes already. */
bool tree_read(Reading *reading, const Shape *shape, const Json *from, bool blobs,
               const Json **ret_value);

/* A scalar from its text in a header, a query, a path or an element. */
bool scalar_read(Reading *reading, const Shape *shape, TimeForm form, Str text, const char *name,
                 const Json **ret_value);
/* And back; strings and blobs too (blobs as base64). */
void scalar_write(StrBuf *out, const Shape *shape, TimeForm form, const Json *value, bool ms);

/* Members in an object or array whose number is known before. */
typedef struct TreeList {
    Json *value;
    size_t capacity;
} TreeList;
TreeList tree_list(Arena *arena, JsonType type, size_t n_max);
void tree_list_add(TreeList *list, Str name, const Json *value);

bool json_read(Reading *reading, const Shape *shape, Str body, const Json **ret_value);
/* The members of a structure that are in the body (`all`: every member). */
void json_write_body(StrBuf *out, const Shape *shape, const Json *value, bool all);

bool query_read(Reading *reading, const Shape *shape, Str form, const Json **ret_value);
bool rest_read(Reading *reading, const HttpRequest *request, Str body, const Json **ret_value);
void rest_write(const Route *route, const Json *message, Arena *arena, StrBuf *body,
                WireAnswer *answer);
bool xml_read(Reading *reading, const Shape *shape, Str body, const Json **ret_value);
/* Members in the body of a structure, as elements. */
void xml_write_members(StrBuf *out, const Shape *shape, const Json *value, bool ms);
void xml_write_text(StrBuf *out, Str text);
bool cbor_read(Reading *reading, const Shape *shape, Str body, const Json **ret_value);
void cbor_write(StrBuf *out, const Shape *shape, const Json *value);
void cbor_write_error(StrBuf *out, const char *type, const char *text_member, Str text);

void answer_field(WireAnswer *answer, Str name, Str value);
void answer_request_id(const Route *route, Str request_id, WireAnswer *answer);
Str answer_json_type(const Route *route);

/* Length of lists, patterns, ... (validate.c): "ValidationException" and so on in reading->code. */
bool validate(Reading *reading, const Shape *shape, const Json *value);

/* The URI pattern of a rest operation against a path; *ret_specific: how much of it was literal. */
bool uri_match(const OperationShape *operation, const HttpRequest *request, Str bucket,
               int *ret_specific);
/* The (encoded) text of a {label}; ptr NULL: not in the path. */
Str uri_label(const OperationShape *operation, Str path, Str bucket, const char *label);

#endif
