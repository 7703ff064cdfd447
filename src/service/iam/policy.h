#ifndef CLARY_SERVICE_IAM_POLICY_H
#define CLARY_SERVICE_IAM_POLICY_H

/* Policy documents: checked, compiled, evaluated.  Pure: text in, decisions out; no recursion.
 *
 * A compiled policy is never changed and may be evaluated by any number of threads. */

#include "base/arena.h"
#include "base/error.h"

typedef enum PolicyKind {
    POLICY_IDENTITY, /* of users, groups, roles, sessions: no Principal */
    POLICY_TRUST,    /* who may assume a role: no Resource */
    POLICY_RESOURCE, /* of a bucket: Principal and Resource */
} PolicyKind;

enum { /* AWS's quotas, in characters without blanks; for sessions and buckets as sent */
       POLICY_USER_MAX = 2048,
       POLICY_GROUP_MAX = 5120,
       POLICY_ROLE_MAX = 10240,
       POLICY_MANAGED_MAX = 6144,
       POLICY_TRUST_MAX = 2048,
       POLICY_SESSION_MAX = 2048,
       POLICY_BUCKET_MAX = 20480,
       POLICY_TEXT_MAX = 131072, /* of any document with its blanks */
       POLICY_VALUE_MAX = 2048,  /* of a value after ${variables} are replaced */
};

typedef struct Policy Policy;

/* NULL: refused, with AWS's words ("MalformedPolicyDocument" is the code).  max_chars counts without blanks. */
Policy *policy_new(Str text, PolicyKind kind, size_t max_chars, Error *err);
void policy_free(Policy *policy);
AUTO_FREE(Policy, policy_free);

/* A condition key of a request; names in any case, a name may be there several times (a set). */
typedef struct PolicyKey {
    Str name, value;
} PolicyKey;

typedef struct PolicyRequest {
    Str action;   /* "s3:GetObject" */
    Str resource; /* its ARN, or "*" */
    /* For the Principal of trust and resource policies. */
    Str account;   /* the caller's; empty: anonymous */
    Str principal; /* ARN of the user, role session or account root */
    Str role;      /* ARN of the session's role, or empty */
    Str service;   /* "sagemaker.amazonaws.com", or empty */
    const PolicyKey *keys;
    size_t n_keys;
} PolicyRequest;

typedef enum PolicyEffect {
    EFFECT_NONE,
    EFFECT_DELEGATES, /* allowed to the caller's account as a whole: its own policies decide */
    EFFECT_ALLOW,
    EFFECT_DENY, /* beats all */
} PolicyEffect;

/* *ret_sid (may be NULL): which statement decided, by its number; -1: none. */
PolicyEffect policy_evaluate(const Policy *policy, const PolicyRequest *request,
                             int *ret_statement);

/* Allows every action on everything, without conditions, and denies nothing. */
bool policy_allows_all(const Policy *policy);
bool policy_has_denial(const Policy *policy);

/* '*' and '?', by two pointers: at most n * m steps. */
bool policy_glob(Str pattern, Str text, bool nocase);

#endif
