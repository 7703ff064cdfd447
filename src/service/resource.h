#ifndef CLARY_SERVICE_RESOURCE_H
#define CLARY_SERVICE_RESOURCE_H

/* A resource is a document.  One engine keeps the checked create request of every kind, answers Describe and List, refuses duplicates
 * and unknown names with AWS's own codes, and keeps tags.  A kind is a row; code is written only where something happens.
 *
 * A resource is known by (kind, region, name); as at AWS, names that differ only in case are the same, and ARNs have
 * them in lower case.  Its document is an object: the create request's members plus what happened since
 * ("TrainingJobStatus", "ModelArtifacts", ...), so that Describe is the document cut to the answer's shape. */

#include "service/call.h"

typedef struct Resource {
    const ResourceKind *kind;
    Str region, name, arn;
    double created, modified; /* wall seconds */
    Str state;                /* "InProgress"; empty for kinds without */
    int64_t version;          /* grows with each change */
    Json *document;           /* may be added to; in the arena it was loaded into */
} Resource;

struct ResourceKind {
    const char *service;     /* "sagemaker" */
    const char *name;        /* "training-job": key in the store and in the ARN */
    const char *title;       /* "training job": for messages */
    const char *id;          /* "TrainingJobName": member of the requests that names it */
    const char *arn;         /* "TrainingJobArn": member of the answers */
    const char *arn_form;    /* NULL: "arn:aws:SERVICE:REGION:ACCOUNT:NAME/lower-cased name" */
    const char *state;       /* "TrainingJobStatus"; NULL: none */
    const char *first_state; /* "InProgress" */
    const char *created_at;  /* "CreationTime": member */
    const char *modified_at; /* "LastModifiedTime"; NULL: none */
    const char *list;        /* "TrainingJobSummaries": member of the List answer */
    const char
        *not_stored[8]; /* members of the create request that Describe does not show ("Tags") */
    bool oldest_first;  /* what List does when SortOrder is absent */
    bool sort_by_name;  /* and SortBy (else by creation time) */
    /* Errors: codes and messages; %.*s stands for the ARN. */
    const char *missing_code,
        *missing_message; /* "ValidationException", "Could not find endpoint \"%.*s\"." */
    const char *exists_code, *exists_message;
    /* What happens; each may be NULL.  `create` runs before the row is written and may refuse or add members;
     * `created` after it is durable (starts the work).  `update` and `stop` edit the document inside the
     * transaction that stores it, so they must not write to the database themselves.  `remove` runs before the row
     * goes and may refuse. */
    bool (*create)(Call *call, Resource *resource, Error *err);
    void (*created)(Call *call, const Resource *resource);
    bool (*update)(Call *call, Resource *resource, Error *err);
    bool (*stop)(Call *call, Resource *resource, Error *err);
    bool (*remove)(Call *call, Resource *resource, Error *err);
    /* Last look at an answer of Describe; out already holds the document's members that the shape has. */
    bool (*describe)(Call *call, const Resource *resource, Json *out, Error *err);
    /* Last look at a line of List. */
    void (*summary)(Call *call, const Resource *resource, Json *line);
};

enum {
    RESOURCE_TAGS_MAX = 50,     /* tags of one resource */
    RESOURCE_WAIT_SECONDS = 20, /* a waiter's Describe is held at most so long */
    RESOURCE_PAGE = 10,         /* lines of a List answer when MaxResults is absent */
    RESOURCE_PAGE_MAX = 100,
    RESOURCE_NAME_BYTES_MAX = 256,
};

bool resources_open(Server *server, Error *err);
void resources_close(Server *server);

/* ---- generic handlers, for the operation rows ---- */
bool resource_handle_create(Call *call, Error *err); /* answers the ARN member */
bool resource_handle_describe(Call *call,
                              Error *err); /* holds waiters until the state changes, at most 20 s */
bool resource_handle_list(Call *call,
                          Error *err); /* NextToken, MaxResults, SortBy, SortOrder, NameContains,
                                                          CreationTimeAfter/Before, LastModifiedTimeAfter/Before, StatusEquals */
bool resource_handle_update(Call *call, Error *err); /* answers the ARN member */
bool resource_handle_stop(Call *call, Error *err);
bool resource_handle_delete(Call *call, Error *err);

/* Is the client one that would sleep for long before it asks again?  botocore (boto3, the AWS CLI) and other SDKs
 * mark the calls of their waiters: feature B of the list in the user agent, "... m/B,N ...". */
bool resource_is_waiter(Str user_agent);

/* Members of a document that a structure has, also inside: what message_write takes. */
Json *resource_cut(Arena *arena, const Shape *shape, const Json *value);

/* ---- for code that drives resources ---- */
/* "arn:aws:..." of a name. */
Str resource_arn(Server *server, const ResourceKind *kind, Str region, Str name, Arena *arena);
/* NULL-document result and true when there is none: check resource.document. */
bool resource_load(Server *server, const ResourceKind *kind, Str region, Str name, Arena *arena,
                   Resource *ret_resource, Error *err);
/* As above with the kind's own "could not find" as the call's error. */
bool resource_need(Call *call, const ResourceKind *kind, Str name, Resource *ret_resource,
                   Error *err);

/* Changes a resource durably: loads it, lets `change` edit document and state (false from it: leave all as it was),
 * stores it, wakes those who wait for it.  NOT_FOUND when it is gone. */
bool resource_change(Server *server, const ResourceKind *kind, Str region, Str name,
                     bool (*change)(void *arg, Resource *resource, Error *err), void *arg,
                     Error *err);
/* The short form: new state and members to set (an object or NULL). */
bool resource_set(Server *server, const ResourceKind *kind, Str region, Str name, const char *state,
                  const Json *members, Error *err);
bool resource_delete(Server *server, const ResourceKind *kind, Str region, Str name, Error *err);

/* As resource_load, by ARN. */
bool resource_load_arn(Server *server, Str arn, Arena *arena, Resource *ret_resource, Error *err);

/* Calls visit for each resource of a kind, region after region, oldest first: what is to be continued after a start. */
bool resource_each(Server *server, const ResourceKind *kind, const char *state /* or NULL */,
                   bool (*visit)(void *arg, const Resource *resource, Error *err), void *arg,
                   Error *err);

/* Tags by ARN; handlers AddTags, ListTags, DeleteTags of sagemaker use these. */
bool resource_tags_store(DbTx *tx, Str arn, const Json *tags, Error *err); /* in a change */
bool resource_tags_set(Server *server, Str arn, const Json *tags /* [{Key, Value}] */, Error *err);
/* The request's tags: refuses reserved and repeated keys. */
bool resource_tags_check(Call *call, const Json *tags, Error *err);
bool resource_tags_drop(Server *server, Str arn, const Json *keys /* ["Key"] */, Error *err);
bool resource_tags_get(Server *server, Str arn, Arena *arena, Json **ret_tags, Error *err);

/* What Describe, List and the tags say of kinds comes from this list (sagemaker/kinds.c, ...). */
extern const ResourceKind *const resource_kinds[]; /* NULL-terminated */

#endif
