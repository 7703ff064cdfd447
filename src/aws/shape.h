#ifndef CLARY_AWS_SHAPE_H
#define CLARY_AWS_SHAPE_H

/* What AWS defines, as data.  tools/api_fetch.py makes api/SERVICE.json from botocore's public models
 * (shapes and constraints, no prose); tools/api_tables.py compiles those into the tables declared here,
 * in the build folder.  Protocols (message.h) read and write any message by its shape, and refuse
 * missing, overlong and malformed members before a handler runs.
 *
 * A message is a tree of Json values: structures and maps are objects, timestamps numbers of seconds since
 * 1970, blobs strings of raw bytes (base64 only on the wire).  Handlers see no difference between
 * protocols. */

#include "base/str.h"

typedef enum ShapeType {
    SHAPE_STRUCTURE,
    SHAPE_LIST,
    SHAPE_MAP,
    SHAPE_STRING,
    SHAPE_INTEGER, /* 32 bits */
    SHAPE_LONG,
    SHAPE_FLOAT,
    SHAPE_DOUBLE,
    SHAPE_BOOLEAN,
    SHAPE_TIMESTAMP,
    SHAPE_BLOB,
} ShapeType;

typedef enum TimeForm { TIME_DEFAULT, TIME_UNIX, TIME_ISO8601, TIME_RFC822 } TimeForm;

typedef struct Shape Shape;
typedef struct Member Member;

typedef enum Location { /* of a member of a rest request or answer */
                        IN_BODY,
                        IN_HEADER,  /* header `wire` */
                        IN_HEADERS, /* a map: headers that begin with `wire` */
                        IN_QUERY,   /* query parameter `wire` */
                        IN_URI,     /* {wire} of the path */
                        IN_STATUS,  /* the answer's status */
} Location;

struct Member {
    const char *name; /* "TrainingJobName": the key in the message tree */
    const char *wire; /* the name on the wire: locationName, else the name itself */
    const Shape *shape;
    Location location;
    bool required;
    bool flattened;     /* xml and query: a list without its wrapping element */
    bool attribute;     /* xml: an attribute of the element */
    bool event_payload; /* of an event: its frame's payload */
    TimeForm time;
    const char *xml_namespace, *xml_prefix; /* NULL */
};

struct Shape {
    const char *name; /* "TrainingJobName" */
    ShapeType type;
    const Member *
        members; /* SHAPE_STRUCTURE: NULL-named end; SHAPE_LIST: the element; SHAPE_MAP: key, value */
    int n_members;
    bool has_min, has_max;
    double min,
        max; /* length of strings (characters), blobs (bytes), lists and maps, or the value */
    const char *pattern;      /* ECMA regular expression or NULL */
    const char *const *enums; /* NULL-terminated or NULL */
    bool flattened;           /* lists and maps in xml and query */
    bool is_union;            /* a structure with exactly one member set */
    bool is_document;         /* free-form JSON */
    bool is_event_stream;
    bool sensitive;
    bool is_error;
    TimeForm time;
    const char *error_code;                    /* error structures: the wire code, else NULL */
    int error_status;                          /* and the HTTP status, else 0 */
    bool error_sender;                         /* the sender's fault */
    const char *payload;                       /* the member that is the whole body, or NULL */
    const char *location_name, *xml_namespace; /* of the top element */
    const char *result_wrapper;                /* query: "GetUserResult" */
};

typedef enum Protocol {
    PROTOCOL_JSON,
    PROTOCOL_REST_JSON,
    PROTOCOL_REST_XML,
    PROTOCOL_QUERY,
    PROTOCOL_CBOR
} Protocol;

typedef struct OperationShape {
    const char *name;         /* "CreateTrainingJob" */
    const char *method, *uri; /* "PUT", "/{Bucket}/{Key+}?tagging" */
    const char *query;        /* the part of uri behind '?', or NULL */
    const char *const
        *needs; /* "?uploadId", ":x-amz-copy-source": what tells it from others of that uri */
    int status; /* of the answer, 200 */
    const Shape *input, *output;  /* NULL: none */
    const Shape *const *errors;   /* NULL-terminated */
    bool streams_in, streams_out; /* the payload is a stream of bytes */
    bool event_stream_out;
    bool unsigned_body; /* the payload need not be signed */
    bool anonymous;     /* sent without a signature */
    bool form_upload;   /* S3: a browser's multipart/form-data */
    bool md5_required;  /* S3: Content-MD5 or a checksum must be there */
} OperationShape;

typedef struct ServiceShape {
    const char *name; /* "sagemaker", "sagemaker-runtime", "s3": the file's name in api/ */
    const char *signing_name;
    const char *endpoint_prefix; /* "api.sagemaker": for the proxy mode's host names */
    const char *api_version;     /* "2017-07-24" */
    const char *target_prefix;   /* "SageMaker", NULL when there is none */
    const char *json_version;    /* "1.1" */
    const char *xml_namespace;
    uint8_t protocols;                /* bit 1 << Protocol */
    bool query_compatible;            /* json errors carry x-amzn-query-error */
    const OperationShape *operations; /* sorted by name */
    int n_operations;
    const char *const *others; /* operations that AWS has and api/ only names; NULL-terminated */
} ServiceShape;

extern const ServiceShape *const service_shapes[]; /* NULL-terminated */

const ServiceShape *service_shape_find(Str name);
const OperationShape *operation_shape_find(const ServiceShape *service, Str name); /* NULL */
bool operation_exists(const ServiceShape *service, Str name); /* at AWS: one of `others` too */
const Member *member_find(const Shape *structure, Str name);  /* NULL */

#endif
