#ifndef CLARY_SERVICE_IAM_ACCESS_H
#define CLARY_SERVICE_IAM_ACCESS_H

/* Who calls, and what they may.  The only maker of a Caller (rule A1), the only judge (rule Z1). */

#include "aws/signature.h"
#include "service/call.h"

bool iam_open(Server *server, Error *err); /* makes the root key at first start: home/credentials */
void iam_close(Server *server);
bool iam_reset(Server *server, Error *err);
extern const Service iam_service, sts_service;

/* Verifies the request's signature and says who sent it; anonymous when it has none.  *ret_key is for the chunk
 * signatures of the body.  body_hash_hex as in signature_verify.  With options->auth_any every key is root. */
bool access_authenticate(Server *server, const HttpRequest *request, const Signature *signature,
                         Str body_hash_hex, Arena *arena, Caller *ret_caller, SigningKey *ret_key,
                         const char **ret_code, Error *err);

/* The same for an S3 POST form: the policy's signature.  What the policy demands is the caller's to check. */
bool access_authenticate_post(Server *server, const PostFields *fields, Arena *arena,
                              Caller *ret_caller, const char **ret_code, Error *err);

typedef struct AccessContext { /* condition keys of a request */
    const char *name;
    Str value; /* ptr NULL: it is not there */
} AccessContext;

/* Condition keys that follow from a call: region, tags, members that services have keys for.  How many. */
enum { ACCESS_CONTEXT_MAX = 128 };
int access_context(const Call *call, Str action, AccessContext *context, int max);

/* Default deny; explicit deny wins; boundaries, session policies, resource policies (a JSON document or empty).
 * True: permitted.  Keys of the caller and of the time need not be in `context`. */
bool access_permitted(Server *server, const Caller *caller, Str action, Str resource,
                      const AccessContext *context, int n_context, Str resource_policy);

/* Is it a resource policy that AWS would take?  The reason is in err. */
bool access_check_policy(Str text, Error *err);

/* A Caller with the rights of a role: for what a service does on a job's behalf (rule Z2).  NOT_FOUND when there
 * is no such role. */
bool access_role_caller(Server *server, Str role_arn, Str session_name, Arena *arena,
                        Caller *ret_caller, Error *err);

/* Temporary credentials of a role, for a job of ours (rule Z5); secret is handed out once. */
typedef struct SessionKeys {
    Str access_key, secret, token;
    double expires;
} SessionKeys;
bool access_role_session(Server *server, Str role_arn, Str session_name, double seconds,
                         Arena *arena, SessionKeys *ret_keys, Error *err);
/* They end with the job, at once.  Fine when they have ended already. */
bool access_session_end(Server *server, Str access_key, Error *err);

#endif
