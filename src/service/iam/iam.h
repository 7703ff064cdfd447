#ifndef CLARY_SERVICE_IAM_IAM_H
#define CLARY_SERVICE_IAM_IAM_H

/* What the files of IAM and STS share.
 *
 * Users, roles, groups, policies and keys are rows; secrets are sealed in them with the master key
 * (home/master.key).  What a request needs of its caller is gathered once and kept: an Identity per
 * access key, dropped whenever any row of IAM changes (rule A8).
 *
 * The first key is no row: it stands in home/credentials, as AWS's tools read it, and may do
 * everything.  GetCallerIdentity shows it as a session of the role `clary`, since the SageMaker SDK
 * takes its execution role from there; iam_open sees to it that the role exists. */

#include "service/iam/access.h"
#include "service/iam/policy.h"

#include <pthread.h>

enum {
    IDENTITIES_MAX = 1024,
    SIGNING_KEYS_MAX = 8, /* kept for an identity: days, regions, services */
    RESOURCE_POLICIES_MAX = 256,
    ACCESS_KEYS_MAX = 2, /* of a user */
    ATTACHED_MAX = 20,
    GROUPS_MAX = 10, /* of a user */
    VERSIONS_MAX = 5,
    TAGS_MAX = 50,
    SESSION_SECONDS_MAX = 12 * 3600,
    SESSION_NAME_MAX = 64,
};

#define IAM_FIRST_ROLE "clary"

typedef struct KeptKey {
    char scope[144]; /* day, region and service behind each other */
    size_t day, region, len;
    SigningKey key;
} KeptKey;

/* Who an access key (or a role's ARN) stands for. */
typedef struct Identity {
    Arena arena;
    Str name; /* the access key or the ARN it is kept by */
    int type; /* of Caller */
    Str arn, user_id, user_name, role_arn, access_key;
    Str secret;
    uint8_t token_hash[32];
    bool has_token;
    double expires;    /* 0: never */
    Policy **policies; /* identity-based: inline, attached, of groups */
    size_t n_policies;
    Policy *boundary;
    Policy **sessions; /* session policies: any of them must allow */
    size_t n_sessions;
    bool all;        /* may do everything, short of a resource policy's denial */
    PolicyKey *keys; /* of conditions: aws:username, tags, ... */
    size_t n_keys;
    pthread_mutex_t mutex; /* of `kept` */
    KeptKey kept[SIGNING_KEYS_MAX];
    int next_kept;
    struct Identity *next;
} Identity;

typedef struct KeptPolicy {
    Str text;
    Policy *policy; /* NULL: malformed */
} KeptPolicy;

struct Iam {
    Server *server;
    uint8_t master[32];
    char root_key[132], root_secret[260];
    pthread_rwlock_t
        lock; /* of the caches; held while a policy is evaluated, never twice by a thread */
    Identity *identities[IDENTITIES_MAX];
    size_t n_identities;
    uint64_t generation; /* counts changes: what was read before one is not kept */
    KeptPolicy kept[RESOURCE_POLICIES_MAX];
    Identity root;
    SigningKey dummy; /* rule A6 */
    bool lacks_role;  /* atomic: rows were emptied */
};

/* Something of IAM has changed: caches are dropped. */
void iam_changed(struct Iam *iam);

/* The role `clary` is there. */
bool iam_ready(struct Iam *iam, Error *err);

/* The identity kept by a name, with iam->lock held for reading (iam_release gives it back); NULL when there is
 * none, with the lock released. */
const Identity *iam_identity(struct Iam *iam, Str name);
void iam_release(struct Iam *iam);

/* ---- operations ---- */

/* A handler inside its transaction. */
typedef bool IamWork(Call *call, DbTx *tx, Error *err);
bool iam_read(Call *call, IamWork *work, Error *err);
bool iam_write(Call *call, IamWork *work, Error *err); /* drops the caches afterwards */
bool iam_add(Call *call, IamWork *work, Error *err);   /* only adds what no cache can have yet */

#define IAM_READ(function)                                                                         \
    static bool function(Call *call, DbTx *tx, Error *err);                                        \
    static bool function##_call(Call *call, Error *err)                                            \
    {                                                                                              \
        return iam_read(call, function, err);                                                      \
    }
#define IAM_WRITE(function)                                                                        \
    static bool function(Call *call, DbTx *tx, Error *err);                                        \
    static bool function##_call(Call *call, Error *err)                                            \
    {                                                                                              \
        return iam_write(call, function, err);                                                     \
    }

#define IAM_ADD(function)                                                                          \
    static bool function(Call *call, DbTx *tx, Error *err);                                        \
    static bool function##_call(Call *call, Error *err)                                            \
    {                                                                                              \
        return iam_add(call, function, err);                                                       \
    }

typedef enum EntityType { ENTITY_USER, ENTITY_ROLE, ENTITY_GROUP, ENTITY_PROFILE } EntityType;

typedef struct Entity {
    EntityType type;
    int64_t row; /* 0: there is none */
    Str name, path, id, arn;
    double created;
    Json *extra; /* Description, MaxSessionDuration, PermissionsBoundary, Tags; may be added to */
    Str trust;   /* of a role */
} Entity;

/* Found in any case of letters.  row 0 when there is none. */
bool entity_find(DbTx *tx, EntityType type, Str name, Arena *arena, Entity *ret_entity, Error *err);
/* With NoSuchEntity as the call's error. */
bool entity_need(Call *call, DbTx *tx, EntityType type, Str name, Entity *ret_entity, Error *err);
/* By the member of the request that names it ("RoleName"). */
bool entity_of_call(Call *call, DbTx *tx, EntityType type, Entity *ret_entity, Error *err);
const char *entity_word(EntityType type);   /* "role" */
const char *entity_member(EntityType type); /* "RoleName" */
/* The element of answers: Path, RoleName, RoleId, Arn, CreateDate and what else there is. */
Json *entity_json(Call *call, const Entity *entity, bool with_tags);
bool entity_save(DbTx *tx, const Entity *entity, Arena *arena, Error *err);
bool entity_insert(Call *call, DbTx *tx, Entity *entity, Error *err);

/* "AROA" and 17 random letters and digits. */
Str iam_new_id(Arena *arena, const char *prefix, int n);
Str iam_arn(Call *call, const char *type, Str path, Str name);

void iam_set_document(Call *call, Json *object, const char *name,
                      Str document); /* percent-encoded */

/* Checked and given back as an error of the call. */
bool iam_check_policy(Call *call, Str text, PolicyKind kind, size_t max, const char *code,
                      Error *err);

/* Tags of the request onto `extra`; TAGS_MAX. */
bool iam_tags_add(Call *call, Json *extra, Error *err);
void iam_tags_remove(Call *call, Json *extra);

/* Lists: Marker and MaxItems over names; `after` is where to go on, `limit` how many and one more. */
typedef struct IamPage {
    Str after;
    int64_t limit;
} IamPage;
IamPage iam_page(const Call *call);
/* To be called for each row; false when the page is full (IsTruncated and Marker are set then). */
bool iam_page_add(Call *call, IamPage *page, Json *list, Json *item, Str name);
void iam_page_end(Call *call, const char *member, Json *list);

bool iam_list_entities(Call *call, DbTx *tx, EntityType type, const char *member, Error *err);

/* AWS's own managed policies, as far as they are here. */
typedef struct ManagedPolicy {
    const char *name, *path, *id;
    const char *text;
} ManagedPolicy;
extern const ManagedPolicy managed_policies[]; /* NULL-named end */
const ManagedPolicy *managed_policy_find(Str arn);
/* Document of a managed policy, AWS's or a customer's (the default version); ptr NULL. */
bool managed_policy_text(DbTx *tx, Str arn, Arena *arena, Str *ret_text, Error *err);

/* New session rows. */
typedef struct NewSession {
    int type; /* of Caller */
    int64_t entity;
    Str arn, user_id, name; /* of the session */
    const Json *policies;   /* session policies: an array of texts, or NULL */
    const Json *tags;       /* of the session, or NULL */
    double expires;
} NewSession;
bool session_insert(struct Iam *iam, DbTx *tx, const NewSession *session, Arena *arena,
                    SessionKeys *ret_keys, Error *err);

/* What an identity's policies say; `by_resource` is what a resource policy grants beside them. */
PolicyEffect iam_identity_effect(const Identity *identity, const PolicyRequest *request,
                                 PolicyEffect by_resource);
/* What the trust policy of a role says of the caller. */
PolicyEffect iam_trust_effect(const Caller *caller, Str action, Str role_arn, Str trust,
                              const AccessContext *context, int n_context);

Str iam_seal(struct Iam *iam, Arena *arena, Str access_key, Str secret);
Str iam_open_seal(struct Iam *iam, Arena *arena, Str access_key, Str sealed);

extern const ServiceOperation iam_principal_operations[], iam_policy_operations[],
    iam_simulate_operations[], sts_operations[];

#endif
