#ifndef CLARY_AWS_MESSAGE_H
#define CLARY_AWS_MESSAGE_H

/* Requests into trees and trees into answers, for each of AWS's protocols; see shape.h for how trees look.
 * Pure: bytes in, values out. */

#include "aws/shape.h"
#include "base/arena.h"
#include "base/error.h"
#include "format/json_build.h"
#include "net/http_parse.h"

/* Which service, operation and protocol a request addresses (aws-clients.md section 1.1): X-Amz-Target, the
 * CBOR path, Action and Version of a form, the credential scope's service, the path, the Host header of
 * proxied requests.  `body` is needed for forms only; give the empty Str while it is not there: the
 * operation is then NULL for forms and decided by a second call. */
typedef struct Route {
    const ServiceShape *service;     /* NULL: nothing we know */
    const OperationShape *operation; /* NULL: unknown to the service, named in `name` */
    Protocol protocol;
    Str name;   /* of the operation as sent, for "unknown operation" */
    Str bucket; /* virtual-host style S3: the bucket of the host name; else empty */
    Str path;   /* as sent */
} Route;
void route_find(const HttpRequest *request, Str body, Str scope_service, Route *ret_route);

/* SDKs compress large bodies of some operations (PutMetricData) themselves: unpacks what Content-Encoding
 * says, except for REST services, whose bodies are what they are.  Before route_find looks into the body. */
bool message_unpack(const Route *route, const HttpRequest *request, Str *body, Arena *arena,
                    const char **ret_code, Error *err);

/* The request as a tree, checked: required members, types, lengths, ranges, patterns, enums.  On refusal
 * false, with the AWS code in *ret_code ("ValidationException", "SerializationException", ...) and the
 * message in AWS's form in err ("1 validation error detected: Value '' at 'trainingJobName' failed ...").
 * A streaming payload is not part of the tree. */
bool message_read(const Route *route, const HttpRequest *request, Str body, Arena *arena,
                  const Json **ret_message, const char **ret_code, Error *err);

/* An answer on the wire. */
typedef struct WireField {
    Str name, value;
} WireField;
typedef struct WireAnswer {
    int status;
    Str content_type; /* empty: no body */
    WireField fields[64];
    int n_fields;
    Str body;
} WireAnswer;

/* The answer of an operation from its tree (members that the output shape lacks are an assert: a bug).  When the
 * operation streams out, the body is left empty. */
void message_write(const Route *route, const Json *message, Str request_id, Arena *arena,
                   WireAnswer *ret_answer);

/* An error.  `status` 0: from the operation's error shapes, else 400.  `details` (an object, or NULL) are
 * further members of the error structure. */
void message_write_error(const Route *route, int status, const char *code, Str text,
                         const Json *details, Str request_id, Arena *arena, WireAnswer *ret_answer);

/* A frame of application/vnd.amazon.eventstream with text headers (name, value, ...).  Appends to out. */
void event_frame_write(StrBuf *out, const WireField *headers, int n_headers, Str payload);

/* Checks a tree against a shape as message_read does, for documents that come from elsewhere. */
bool message_check(const Shape *shape, const Json *value, const char **ret_code, Error *err);

#endif
