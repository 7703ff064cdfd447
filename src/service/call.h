#ifndef CLARY_SERVICE_CALL_H
#define CLARY_SERVICE_CALL_H

/* One call of an operation: what a handler gets and gives.  Handlers are straight-line code on a worker thread:
 *
 *     static bool describe_model(Call *call, Error *err)
 *     {
 *         Str name = call_text(call, "ModelName");
 *         ...
 *         json_set_text(call->arena, call->out, "ModelArn", arn);
 *         return true;
 *     }
 *
 * The caller is known and permitted, `in` has been checked against the operation's shape, and what `out` holds is
 * encoded by the protocol the client speaks.  Members that were not set are left out, never {} or null. */

#include "aws/message.h"
#include "net/http_worker.h"
#include "service/server.h"

typedef struct Call Call;
typedef struct Policies Policies; /* service/iam */

typedef struct Caller {
    enum { CALLER_ANONYMOUS, CALLER_ROOT, CALLER_USER, CALLER_ROLE, CALLER_SERVICE } type;
    Str account, arn, user_id; /* as GetCallerIdentity answers */
    Str access_key;
    Str name;     /* user or session name */
    Str role_arn; /* of a role session */
    const Policies *policies;
} Caller;

typedef struct ResourceKind ResourceKind;

typedef bool CallHandler(Call *call, Error *err);

enum {
    OPERATION_WRITES = 1,  /* changes something: audited */
    OPERATION_STREAMS = 2, /* reads the request's body itself, by call_body_read */
    OPERATION_ANSWERS = 4, /* answers by itself through call->http; out is ignored */
    OPERATION_ANONYMOUS =
        8, /* may be called without credentials (the handler or a resource policy decides) */
    OPERATION_STORED = 16, /* only kept and given back: "stores" in doc/api.md */
    OPERATION_SECRET = 32, /* request and answer are hidden in the audit record */
    OPERATION_DATA =
        64, /* changes data, not management: its successes are not audited by default */
};

/* A row per operation that is served; one without a row answers "not implemented" and doc/api.md says so. */
typedef struct ServiceOperation {
    const char *name; /* as in api/SERVICE.json; NULL ends the table */
    CallHandler *handle;
    const ResourceKind *kind; /* for the generic handlers of resource.h */
    /* What authorization is asked for: an ARN form with members of the request in braces and {region}, {account}
     * ("arn:aws:sagemaker:{region}:{account}:training-job/{TrainingJobName}"), or "*".  NULL: the handler
     * itself asks, by call_authorize, for each thing that the request names. */
    const char *resource;
    const char *action; /* NULL: "SIGNING-NAME:Name" */
    unsigned flags;
} ServiceOperation;

typedef struct Service {
    const char *name;                      /* as in api/ */
    const ServiceOperation *const *tables; /* NULL-terminated list of tables */
    /* Each may be NULL. */
    /* A request that is no operation of the model (S3's CORS preflight and POST forms): sets
     * *ret_taken and answers through call->http.  The caller is anonymous unless it was signed. */
    bool (*other)(Call *call, bool *ret_taken, Error *err);
    /* The policy of the resource that is asked for, as JSON text, or empty (bucket policies). */
    Str (*resource_policy)(Call *call, Str resource);
    /* A last look at every answer, also of errors (S3's CORS headers). */
    void (*answering)(Call *call, WireAnswer *answer);
} Service;

/* Lines of the page at `/`: see page.h. */
typedef struct Page Page;

/* What claryd consists of.  A part that is no service of AWS has no services. */
typedef struct Part {
    const char *name;
    const Service *services[4];               /* NULL-terminated */
    bool (*open)(Server *server, Error *err); /* goes on with what a crash interrupted */
    void (*close)(Server *server);            /* in the reverse order */
    /* `clary reset`: ends what runs and removes files, before all tables are emptied; or NULL. */
    bool (*reset)(Server *server, Error *err);
    bool (*seed)(Server *server, Error *err); /* and what is there from the first start; or NULL */
    void (*status)(Server *server, JsonWriter *out); /* members of /_clary/status; or NULL */
    void (*page)(Server *server, Page *page);        /* its tables of the page at `/`; or NULL */
} Part;
extern const Part parts[]; /* services.c: in the order in which they open; ends with a NULL name */

const Service *service_find(Str name);                                            /* NULL */
const ServiceOperation *service_operation_find(const Service *service, Str name); /* NULL */

/* Opens all parts, or none. */
bool parts_open(Server *server, Error *err);
void parts_close(Server *server);
bool parts_reset(Server *server, Error *err);

struct Call {
    Server *server;
    Arena *arena;
    Route route;
    const ServiceOperation *operation;
    const Json *in;
    Json *out;
    Caller caller;
    Str region, request_id;
    double now; /* wall seconds */
    HttpCall *http;
    bool waiter; /* the client is a stock waiter that would sleep: see resource_wait */

    const char *code; /* of an error: call_error */
    int status;
    Json *error_details;
    bool parked; /* the handler parked the call (http_call_park with call_run_again) and returned
                              without an answer: it will be called again from its beginning */
    struct CallBody *body; /* of a streaming operation */
    WireField fields[16];  /* further answer headers */
    int n_fields;
};

/* An error of AWS: "NoSuchBucket", with its message.  Returns false.  The HTTP status comes from the model of the operation's errors;
 * call_error_status names one for those that the model lacks. */
bool call_error(Call *call, Error *err, const char *code, const char *format, ...)
    PRINTF_LIKE(4, 5);
bool call_error_status(Call *call, Error *err, int status, const char *code, const char *format,
                       ...) PRINTF_LIKE(5, 6);
/* Handlers that return a plain Error without a code get the service's usual one for its kind. */

static inline Str call_text(const Call *call,
                            const char *member) /* ptr NULL when it was not given */
{
    return json_get_text(call->in, member);
}

void call_field(Call *call, Str name, Str value); /* one more header of the answer */

/* Streaming operations: decoded and verified bytes; *ret_n 0 at the end, which only then says that all was right. */
bool call_body_read(Call *call, char *buffer, size_t capacity, size_t *ret_n, Error *err);
int64_t call_body_length(const Call *call); /* decoded bytes announced, or -1 */
Str call_body_trailer(const Call *call, Str name);

/* Asks for a further permission (copy source, iam:PassRole, ...): false with AccessDenied set. */
bool call_authorize(Call *call, const char *action, Str resource, Error *err);

/* For http_call_park(call->http, seconds, call_run_again, NULL); then set call->parked and return true. */
void call_run_again(void *arg, HttpCall *http);

/* A new id: 36 characters, a random UUID. */
Str call_new_id(Arena *arena);

#endif
