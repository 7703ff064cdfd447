/* Authentication and authorization; see access.h.
 *
 * AWS: policy evaluation within an account. */

#include "service/iam/access.h"

#include "aws/digest.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "service/iam/iam.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- who ---- */

static void caller_of(const struct Iam *iam, const Identity *identity, Arena *arena,
                      Caller *ret_caller)
{
    *ret_caller = (Caller){
        .account = str_of(iam->server->options->account),
        .arn = arena_str(arena, identity->arn),
        .user_id = arena_str(arena, identity->user_id),
        .access_key = arena_str(arena, identity->access_key),
        .name = arena_str(arena, identity->user_name),
        .role_arn = arena_str(arena, identity->role_arn),
    };
    ret_caller->type = (__typeof__(ret_caller->type))identity->type;
}

static bool is_scope(const KeptKey *kept, const Signature *s)
{
    size_t n = s->day.len + s->region.len + s->service.len;
    if (kept->len != n || kept->day != s->day.len || kept->region != s->region.len) return false;
    const char *p = kept->scope;
    return memcmp(p, s->day.ptr, s->day.len) == 0 &&
           memcmp(p + kept->day, s->region.ptr, s->region.len) == 0 &&
           memcmp(p + kept->day + kept->region, s->service.ptr, s->service.len) == 0;
}

/* The key of (day, region, service), from the last few or made. */
static void signing_key_of(const Identity *identity, const Signature *s, SigningKey *ret_key)
{
    Identity *owner = (Identity *)(uintptr_t)identity; /* only what its mutex guards is changed */
    bool found = false;
    pthread_mutex_lock(&owner->mutex);
    for (int i = 0; i < SIGNING_KEYS_MAX && !found; i++) {
        found = is_scope(&owner->kept[i], s);
        if (found) *ret_key = owner->kept[i].key;
    }
    pthread_mutex_unlock(&owner->mutex);
    if (found) return;
    signing_key_derive(owner->secret, s->day, s->region, s->service, ret_key);
    if (!s->day.len || s->day.len + s->region.len + s->service.len > sizeof owner->kept[0].scope)
        return;
    pthread_mutex_lock(&owner->mutex);
    KeptKey *kept = &owner->kept[owner->next_kept++ % SIGNING_KEYS_MAX];
    kept->day = s->day.len;
    kept->region = s->region.len;
    kept->len = s->day.len + s->region.len + s->service.len;
    memcpy(kept->scope, s->day.ptr, s->day.len);
    if (s->region.len) memcpy(kept->scope + kept->day, s->region.ptr, s->region.len);
    memcpy(kept->scope + kept->day + kept->region, s->service.ptr, s->service.len);
    kept->key = *ret_key;
    pthread_mutex_unlock(&owner->mutex);
}

/* The session token belongs to the key, and the session has not ended. */
static bool check_token(const Identity *identity, Str token, RefusalStyle style,
                        const char **ret_code, Error *err)
{
    uint8_t hash[32];
    if (!identity->has_token)
        return !token.len || signature_refuse(style, REFUSAL_BAD_TOKEN, ret_code, err);
    digest_sha256(token, hash);
    if (!digest_equal(hash, identity->token_hash, sizeof hash))
        return signature_refuse(style, REFUSAL_BAD_TOKEN, ret_code, err);
    if (clock_wall() > identity->expires)
        return signature_refuse(style, REFUSAL_EXPIRED_TOKEN, ret_code, err);
    return true;
}

static bool is_anybody(Server *server, Str access_key, Arena *arena, Caller *ret_caller)
{
    if (!server->options->auth_any) return false;
    caller_of(server->iam, &server->iam->root, arena, ret_caller);
    ret_caller->access_key = arena_str(arena, access_key);
    return true;
}

static const char *s3_or(const Signature *s, const char *s3, const char *others)
{
    return str_is(s->service, "s3") ? s3 : others;
}

bool access_authenticate(Server *server, const HttpRequest *request, const Signature *signature,
                         Str body_hash_hex, Arena *arena, Caller *ret_caller, SigningKey *ret_key,
                         const char **ret_code, Error *err)
{
    struct Iam *iam = server->iam;
    const Signature *s = signature;
    *ret_key = (SigningKey){.unchecked = true};
    *ret_caller = (Caller){.type = CALLER_ANONYMOUS};
    if (s->form == SIGNATURE_NONE) return true;
    if (!iam_ready(iam, err)) { /* after a reset: the first key's role is made anew */
        *ret_code = s3_or(s, "InternalError", "InternalFailure");
        return false;
    }
    if (is_anybody(server, s->access_key, arena, ret_caller)) return true;

    RefusalStyle style = signature_style(request, s->service);
    bool s3 = str_is(s->service, "s3");
    const Identity *identity = iam_identity(iam, s->access_key);
    if (!identity) { /* the same work and the same words as for a wrong secret (rule A6) */
        Error ignored;
        const char *code;
        SigningKey key;
        Str secret = {(const char *)iam->dummy.bytes, sizeof iam->dummy.bytes};
        signing_key_derive(secret, s->day, s->region, s->service, &key);
        signature_verify(request, s, secret, &key, body_hash_hex, clock_wall(), s3, arena, &code,
                         &ignored);
        return signature_refuse(style, REFUSAL_NO_MATCH, ret_code, err);
    }
    SigningKey key;
    signing_key_of(identity, s, &key);
    bool ok = signature_verify(request, s, identity->secret, &key, body_hash_hex, clock_wall(), s3,
                               arena, ret_code, err) &&
              check_token(identity, s->token, style, ret_code, err);
    if (ok) {
        caller_of(iam, identity, arena, ret_caller);
        *ret_key = key;
    }
    iam_release(iam);
    return ok;
}

bool access_authenticate_post(Server *server, const PostFields *fields, Arena *arena,
                              Caller *ret_caller, const char **ret_code, Error *err)
{
    struct Iam *iam = server->iam;
    Signature s;
    *ret_caller = (Caller){.type = CALLER_ANONYMOUS};
    if (!signature_parse_post(fields, arena, &s, ret_code, err)) return false;
    if (is_anybody(server, s.access_key, arena, ret_caller)) return true;
    const Identity *identity = iam_identity(iam, s.access_key);
    if (!identity) {
        Error ignored;
        const char *code;
        signature_verify_post(&s, fields->policy, STR("nobody"), &iam->dummy, &code, &ignored);
        return signature_refuse(REFUSAL_S3, REFUSAL_NO_MATCH, ret_code, err);
    }
    SigningKey key = {0};
    if (s.day.len) signing_key_of(identity, &s, &key);
    bool ok = signature_verify_post(&s, fields->policy, identity->secret, &key, ret_code, err) &&
              check_token(identity, s.token, REFUSAL_S3, ret_code, err);
    if (ok) caller_of(iam, identity, arena, ret_caller);
    iam_release(iam);
    return ok;
}

bool access_role_caller(Server *server, Str role_arn, Str session_name, Arena *arena,
                        Caller *ret_caller, Error *err)
{
    const Identity *identity = iam_identity(server->iam, role_arn);
    if (!identity)
        return error_set(err, ERROR_NOT_FOUND, "The role '%.*s' does not exist", STR_ARG(role_arn));
    caller_of(server->iam, identity, arena, ret_caller);
    Str role = identity->user_name;
    ret_caller->name = arena_str(arena, session_name);
    ret_caller->arn = arena_format(arena, "arn:aws:sts::%s:assumed-role/%.*s/%.*s",
                                   server->options->account, STR_ARG(role), STR_ARG(session_name));
    ret_caller->user_id = arena_format(arena, "%.*s:%.*s", STR_ARG(identity->user_id),
                                       STR_ARG(session_name));
    iam_release(server->iam);
    return true;
}

/* ---- what they may ---- */

enum { KEYS_MAX = ACCESS_CONTEXT_MAX + 72 };

typedef struct Asking {
    PolicyRequest request;
    PolicyKey keys[KEYS_MAX];
} Asking;

/* The time as conditions see it, written once a second. */
typedef struct Second {
    time_t time;
    char iso[32], epoch[32];
} Second;

static const Second *this_second(void)
{
    static _Thread_local Second second;
    time_t now = time(NULL);
    if (now == second.time) return &second;
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(second.iso, sizeof second.iso, "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(second.epoch, sizeof second.epoch, "%lld", (long long)now);
    second.time = now;
    return &second;
}

static void ask_key(Asking *asking, Str name, Str value)
{
    if (value.ptr && asking->request.n_keys < KEYS_MAX)
        asking->keys[asking->request.n_keys++] = (PolicyKey){name, value};
}

static void ask(Asking *asking, const Caller *caller, const Identity *identity, Str action,
                Str resource, const AccessContext *context, int n_context)
{
    static const char *const types[] = {[CALLER_ANONYMOUS] = "Anonymous",
                                        [CALLER_ROOT] = "AssumedRole",
                                        [CALLER_USER] = "User",
                                        [CALLER_ROLE] = "AssumedRole",
                                        [CALLER_SERVICE] = "Service"};
    asking->request = (PolicyRequest){.action = action,
                                      .resource = resource,
                                      .account = caller->account,
                                      .principal = caller->arn,
                                      .role = caller->role_arn,
                                      .keys = asking->keys};
    if (caller->type == CALLER_SERVICE) asking->request.service = caller->name;
    for (int i = 0; i < n_context; i++) ask_key(asking, str_of(context[i].name), context[i].value);
    for (size_t i = 0; identity && i < identity->n_keys; i++)
        ask_key(asking, identity->keys[i].name, identity->keys[i].value);
    ask_key(asking, STR("aws:PrincipalType"), str_of(types[caller->type]));
    if (caller->type != CALLER_ANONYMOUS) {
        ask_key(asking, STR("aws:PrincipalAccount"), caller->account);
        ask_key(asking, STR("aws:userid"), caller->user_id);
        bool there = false;
        for (int i = 0; i < n_context; i++)
            there |= strcmp(context[i].name, "aws:PrincipalArn") == 0;
        if (!there)
            ask_key(asking, STR("aws:PrincipalArn"),
                    caller->role_arn.len ? caller->role_arn : caller->arn);
    }
    const Second *second = this_second();
    ask_key(asking, STR("aws:CurrentTime"), str_of(second->iso));
    ask_key(asking, STR("aws:EpochTime"), str_of(second->epoch));
}

/* What identity-based policies say: boundary and session policy each must allow as well. */
PolicyEffect iam_identity_effect(const Identity *identity, const PolicyRequest *request,
                                 PolicyEffect by_resource)
{
    PolicyEffect effect = identity->type == CALLER_ROOT ? EFFECT_ALLOW : EFFECT_NONE;
    for (size_t i = 0; i < identity->n_policies && effect != EFFECT_DENY; i++)
        effect = MAX(effect, policy_evaluate(identity->policies[i], request, NULL));
    if (identity->boundary && effect != EFFECT_DENY) {
        PolicyEffect limit = policy_evaluate(identity->boundary, request, NULL);
        if (limit == EFFECT_DENY || limit == EFFECT_NONE) effect = MIN(effect, EFFECT_NONE);
        if (limit == EFFECT_DENY) effect = EFFECT_DENY;
    }
    if (effect != EFFECT_DENY && by_resource == EFFECT_ALLOW) effect = EFFECT_ALLOW;
    if (identity->n_sessions && effect != EFFECT_DENY) {
        PolicyEffect limit = EFFECT_NONE;
        for (size_t i = 0; i < identity->n_sessions; i++)
            limit = MAX(limit, policy_evaluate(identity->sessions[i], request, NULL));
        if (limit != EFFECT_ALLOW) effect = limit == EFFECT_DENY ? EFFECT_DENY : EFFECT_NONE;
    }
    return effect;
}

PolicyEffect iam_trust_effect(const Caller *caller, Str action, Str role_arn, Str trust,
                              const AccessContext *context, int n_context)
{
    Policy *policy = policy_new(trust, POLICY_TRUST, POLICY_TEXT_MAX, NULL);
    if (!policy) return EFFECT_NONE;
    UNINITIALIZED Asking asking;
    ask(&asking, caller, NULL, action, role_arn, context, n_context);
    PolicyEffect effect = policy_evaluate(policy, &asking.request, NULL);
    policy_free(policy);
    return effect;
}

static KeptPolicy *place_of_policy(struct Iam *iam, Str text)
{
    return &iam->kept[hash_str(text, 0) % RESOURCE_POLICIES_MAX];
}

/* Compiles a resource policy, unless it is kept.  False when it is malformed. */
static bool keep_policy(struct Iam *iam, Str text)
{
    KeptPolicy *kept = place_of_policy(iam, text);
    pthread_rwlock_rdlock(&iam->lock);
    bool there = kept->text.ptr && str_eq(kept->text, text), right = kept->policy != NULL;
    pthread_rwlock_unlock(&iam->lock);
    if (there) return right;
    Policy *policy = policy_new(text, POLICY_RESOURCE, POLICY_TEXT_MAX, NULL);
    if (!policy) policy = policy_new(text, POLICY_TRUST, POLICY_TEXT_MAX, NULL);
    char *copy = malloc(text.len + 1);
    if (!copy) memory_exhausted(text.len);
    memcpy(copy, text.ptr, text.len);
    pthread_rwlock_wrlock(&iam->lock);
    policy_free(kept->policy);
    free((char *)(uintptr_t)kept->text.ptr);
    *kept = (KeptPolicy){{copy, text.len}, policy};
    pthread_rwlock_unlock(&iam->lock);
    return policy != NULL;
}

/* So that nobody locks himself out for ever, as at AWS. */
static bool mends_a_policy(Str action)
{
    return str_is(action, "s3:PutBucketPolicy") || str_is(action, "s3:DeleteBucketPolicy") ||
           str_is(action, "s3:GetBucketPolicy");
}

/* What everybody may ask who has credentials at all. */
static bool is_free(const Caller *caller, Str action)
{
    return caller->type != CALLER_ANONYMOUS &&
           (str_is(action, "sts:GetCallerIdentity") || str_is(action, "sts:GetSessionToken") ||
            str_is(action, "sts:GetAccessKeyInfo"));
}

bool access_permitted(Server *server, const Caller *caller, Str action, Str resource,
                      const AccessContext *context, int n_context, Str resource_policy)
{
    struct Iam *iam = server->iam;
    if (is_free(caller, action)) return true;
    bool root = caller->type == CALLER_ROOT &&
                (str_is(caller->access_key, iam->root_key) || server->options->auth_any);
    if (root && (!resource_policy.len || mends_a_policy(action))) return true;

    bool readable = !resource_policy.len || keep_policy(iam, resource_policy);
    if (!readable) return root; /* nobody else goes by what cannot be read */

    /* One lock over both policies: another one may have taken the place in between. */
    const Identity *identity = NULL;
    Policy *policy = NULL;
    bool nobody = caller->type == CALLER_ANONYMOUS || caller->type == CALLER_SERVICE;
    for (int attempt = 0;; attempt++) {
        if (nobody)
            pthread_rwlock_rdlock(&iam->lock);
        else if (!(identity = iam_identity(iam, caller->access_key.len && !root ? caller->access_key
                                                : root ? str_of(iam->root_key)
                                                       : caller->role_arn)))
            return false; /* deleted meanwhile */
        if (!resource_policy.len) break;
        const KeptPolicy *kept = place_of_policy(iam, resource_policy);
        policy = kept->text.ptr && str_eq(kept->text, resource_policy) ? kept->policy : NULL;
        if (policy) break;
        iam_release(iam);
        if (attempt == 8 || !keep_policy(iam, resource_policy)) return false;
    }
    bool permitted = identity && identity->all && !policy;
    if (!permitted) {
        UNINITIALIZED Asking asking;
        PolicyEffect effect = EFFECT_NONE;
        ask(&asking, caller, identity, action, resource, context, n_context);
        if (policy) effect = policy_evaluate(policy, &asking.request, NULL);
        if (identity && effect != EFFECT_DENY)
            effect = iam_identity_effect(identity, &asking.request, effect);
        permitted = effect == EFFECT_ALLOW;
    }
    iam_release(iam);
    return permitted;
}

bool access_check_policy(Str text, Error *err)
{
    Policy *policy = policy_new(text, POLICY_RESOURCE, POLICY_BUCKET_MAX, err);
    policy_free(policy);
    return policy != NULL;
}
