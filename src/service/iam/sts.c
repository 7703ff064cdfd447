/* STS: who am I, and temporary credentials. */

#include "service/iam/iam.h"

#include "aws/digest.h"
#include "base/clock.h"

static bool get_caller_identity(Call *call, Error *err)
{
    (void)err;
    json_set_text(call->arena, call->out, "UserId", call->caller.user_id);
    json_set_text(call->arena, call->out, "Account", call->caller.account);
    json_set_text(call->arena, call->out, "Arn", call->caller.arn);
    return true;
}

static bool get_access_key_info(Call *call, Error *err)
{
    (void)err;
    json_set_text(call->arena, call->out, "Account", str_of(call->server->options->account));
    return true;
}

/* ---- sessions ---- */

bool session_insert(struct Iam *iam, DbTx *tx, const NewSession *session, Arena *arena,
                    SessionKeys *ret_keys, Error *err)
{
    uint8_t secret[30], token[96], hash[32];
    digest_random(secret, sizeof secret);
    digest_random(token, sizeof token);
    SessionKeys keys = {
        .access_key = iam_new_id(arena, "ASIA", 16),
        .secret = base64_text(arena, (Str){(const char *)secret, sizeof secret}),
        .token = base64_text(arena, (Str){(const char *)token, sizeof token}),
        .expires = session->expires,
    };
    digest_sha256(keys.token, hash);
    explicit_bzero(secret, sizeof secret);
    Str policies = session->policies && session->policies->n ? json_text(arena, session->policies)
                                                             : (Str){0};
    Str tags = session->tags && session->tags->n ? json_text(arena, session->tags) : (Str){0};
    /* Sessions that ended an hour ago are forgotten; until then they are answered as expired. */
    if (!db_run(tx, err, "DELETE FROM iam_session WHERE expires < ?", "d", clock_wall() - 3600) ||
        !db_run(
            tx, err,
            "INSERT INTO iam_session (access_key, type, entity, arn, user_id, name, secret, token, "
            "expires, policy, tags) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            "tiitttbbdtt", keys.access_key, (int64_t)session->type, session->entity, session->arn,
            session->user_id, session->name, iam_seal(iam, arena, keys.access_key, keys.secret),
            (Str){(const char *)hash, sizeof hash}, keys.expires, policies, tags))
        return false;
    *ret_keys = keys;
    return true;
}

static Json *credentials_json(Arena *arena, const SessionKeys *keys)
{
    Json *json = json_new_object(arena);
    json_set_text(arena, json, "AccessKeyId", keys->access_key);
    json_set_text(arena, json, "SecretAccessKey", keys->secret);
    json_set_text(arena, json, "SessionToken", keys->token);
    json_set_double(arena, json, "Expiration", (double)(int64_t)keys->expires);
    return json;
}

static void role_session_of(const Entity *role, const char *account, Str name, Arena *arena,
                            NewSession *ret_session)
{
    ret_session->type = CALLER_ROLE;
    ret_session->entity = role->row;
    ret_session->name = name;
    ret_session->arn = arena_format(arena, "arn:aws:sts::%s:assumed-role/%.*s/%.*s", account,
                                    STR_ARG(role->name), STR_ARG(name));
    ret_session->user_id = arena_format(arena, "%.*s:%.*s", STR_ARG(role->id), STR_ARG(name));
}

/* Policy and PolicyArns of the request. */
static bool session_policies(Call *call, DbTx *tx, Json *list, Error *err)
{
    Str policy = call_text(call, "Policy");
    const Json *arns = json_get(call->in, "PolicyArns");
    if (policy.len) {
        if (!iam_check_policy(call, policy, POLICY_IDENTITY, POLICY_SESSION_MAX,
                              "MalformedPolicyDocument", err))
            return false;
        json_push(call->arena, list, json_new_text(call->arena, policy));
    }
    for (size_t i = 0; arns && i < arns->n; i++) {
        Str arn = json_get_text(json_at(arns, i), "arn"), text;
        if (!managed_policy_text(tx, arn, call->arena, &text, err)) return false;
        if (!text.ptr)
            return call_error_status(call, err, 400, "MalformedPolicyDocument",
                                     "Policy %.*s does not exist or is not attachable.",
                                     STR_ARG(arn));
        json_push(call->arena, list, json_new_text(call->arena, text));
    }
    return true;
}

/* ---- AssumeRole ---- */

static bool not_authorized(Call *call, const char *action, Str role, Error *err)
{
    return call_error_status(call, err, 403, "AccessDenied",
                             "User: %.*s is not authorized to perform: %s on resource: %.*s",
                             STR_ARG(call->caller.arn), action, STR_ARG(role));
}

static Str role_name_of(Str arn)
{
    size_t at = arn.len;
    while (at && arn.ptr[at - 1] != '/') at--;
    return str_from(arn, at);
}

/* The trust policy permits it, tags included. */
static bool trusted(Call *call, const Entity *role, Error *err)
{
    enum { CONTEXT_MAX = 3 + 2 * TAGS_MAX };
    AccessContext *context = arena_array(call->arena, AccessContext, CONTEXT_MAX);
    const Json *tags = json_get(call->in, "Tags");
    int n = 0;
    context[n++] = (AccessContext){"sts:ExternalId", call_text(call, "ExternalId")};
    context[n++] = (AccessContext){"sts:RoleSessionName", call_text(call, "RoleSessionName")};
    context[n++] = (AccessContext){"sts:SourceIdentity", call_text(call, "SourceIdentity")};
    for (size_t i = 0; tags && i < tags->n && n + 2 <= CONTEXT_MAX; i++) {
        Str key = json_get_text(json_at(tags, i), "Key");
        context[n++] = (AccessContext){
            arena_format(call->arena, "aws:RequestTag/%.*s", STR_ARG(key)).ptr,
            json_get_text(json_at(tags, i), "Value")};
        context[n++] = (AccessContext){"aws:TagKeys", key};
    }
    static const char *const actions[] = {"sts:AssumeRole", "sts:TagSession"};
    for (size_t i = 0; i < (tags && tags->n ? 2 : 1); i++) {
        PolicyEffect effect = iam_trust_effect(&call->caller, str_of(actions[i]), role->arn,
                                               role->trust, context, n);
        if (effect == EFFECT_DENY || effect == EFFECT_NONE)
            return not_authorized(call, actions[i], role->arn, err);
    }
    return true;
}

IAM_ADD(assume_role)
static bool assume_role(Call *call, DbTx *tx, Error *err)
{
    Str arn = call_text(call, "RoleArn"), name = call_text(call, "RoleSessionName");
    Entity role;
    if (!entity_find(tx, ENTITY_ROLE, role_name_of(arn), call->arena, &role, err)) return false;
    if (!role.row || !str_eq(role.arn, arn)) /* no sign of whether it is there (rule Z3) */
        return not_authorized(call, "sts:AssumeRole", arn, err);
    if (!trusted(call, &role, err)) return false;

    int64_t most = json_get_int(role.extra, "MaxSessionDuration", 3600);
    int64_t seconds = json_get_int(call->in, "DurationSeconds", 3600);
    if (seconds > most)
        return call_error_status(call, err, 400, "ValidationError",
                                 "The requested DurationSeconds exceeds the MaxSessionDuration set "
                                 "for this role.");
    if (call->caller.type == CALLER_ROLE && seconds > 3600)
        return call_error_status(call, err, 400, "ValidationError",
                                 "The requested DurationSeconds exceeds the 1 hour session limit "
                                 "for roles assumed by role chaining");
    Json *policies = json_new_array(call->arena);
    NewSession session = {.policies = policies,
                          .tags = json_get(call->in, "Tags"),
                          .expires = (double)(int64_t)call->now + (double)seconds};
    SessionKeys keys;
    role_session_of(&role, call->server->options->account, name, call->arena, &session);
    if (!session_policies(call, tx, policies, err) ||
        !session_insert(call->server->iam, tx, &session, call->arena, &keys, err))
        return false;
    Json *user = json_new_object(call->arena);
    json_set_text(call->arena, user, "AssumedRoleId", session.user_id);
    json_set_text(call->arena, user, "Arn", session.arn);
    json_set(call->arena, call->out, "Credentials", credentials_json(call->arena, &keys));
    json_set(call->arena, call->out, "AssumedRoleUser", user);
    size_t size = call_text(call, "Policy").len;
    if (policies->n)
        json_set_int(call->arena, call->out, "PackedPolicySize",
                     (int64_t)MAX(1, MIN(100, size * 100 / POLICY_SESSION_MAX)));
    Str source = call_text(call, "SourceIdentity");
    if (source.len) json_set_text(call->arena, call->out, "SourceIdentity", source);
    return true;
}

typedef struct Asked {
    Str role;
    Arena *arena;
    Str trust;
} Asked;

static bool find_trust(void *arg, DbTx *tx, Error *err)
{
    Asked *asked = arg;
    Entity role;
    if (!entity_find(tx, ENTITY_ROLE, role_name_of(asked->role), asked->arena, &role, err))
        return false;
    if (role.row && str_eq(role.arn, asked->role)) asked->trust = role.trust;
    return true;
}

/* The trust policy is the role's resource policy: it can permit by itself. */
static Str trust_of(Call *call, Str resource)
{
    Asked asked = {resource, call->arena, {0}};
    Error err = {0};
    if (!str_starts(resource, STR("arn:")) || !db_read(call->server->db, find_trust, &asked, &err))
        return (Str){0};
    return asked.trust;
}

/* ---- GetSessionToken ---- */

IAM_ADD(get_session_token)
static bool get_session_token(Call *call, DbTx *tx, Error *err)
{
    const Caller *caller = &call->caller;
    int64_t seconds = json_get_int(call->in, "DurationSeconds", 43200);
    bool first = str_is(caller->access_key, call->server->iam->root_key) ||
                 call->server->options->auth_any;
    if (caller->type == CALLER_ROLE || str_starts(caller->access_key, STR("ASIA")))
        return call_error_status(call, err, 403, "AccessDenied",
                                 "Cannot call GetSessionToken with session credentials");
    if (first) seconds = MIN(seconds, 3600); /* as for AWS's root user */
    NewSession session = {.type = caller->type,
                          .arn = caller->arn,
                          .user_id = caller->user_id,
                          .name = caller->name,
                          .expires = (double)(int64_t)call->now + (double)seconds};
    if (!first) {
        Entity user;
        if (!entity_need(call, tx, ENTITY_USER, caller->name, &user, err)) return false;
        session.entity = user.row;
    }
    SessionKeys keys;
    if (!session_insert(call->server->iam, tx, &session, call->arena, &keys, err)) return false;
    json_set(call->arena, call->out, "Credentials", credentials_json(call->arena, &keys));
    return true;
}

/* ---- for jobs of ours ---- */

typedef struct JobSession {
    Server *server;
    Str role, name;
    double seconds;
    Arena *arena;
    SessionKeys *ret_keys;
} JobSession;

static bool make_job_session(void *arg, DbTx *tx, Error *err)
{
    JobSession *job = arg;
    Entity role;
    if (!entity_find(tx, ENTITY_ROLE, role_name_of(job->role), job->arena, &role, err))
        return false;
    if (!role.row || !str_eq(role.arn, job->role))
        return error_set(err, ERROR_NOT_FOUND, "The role '%.*s' does not exist",
                         STR_ARG(job->role));
    NewSession session = {.expires = clock_wall() + job->seconds};
    role_session_of(&role, job->server->options->account, job->name, job->arena, &session);
    return session_insert(job->server->iam, tx, &session, job->arena, job->ret_keys, err);
}

bool access_role_session(Server *server, Str role_arn, Str session_name, double seconds,
                         Arena *arena, SessionKeys *ret_keys, Error *err)
{
    session_name.len = MIN(session_name.len, SESSION_NAME_MAX);
    JobSession job = {server, role_arn, session_name, MIN(seconds, 3600), arena, ret_keys};
    return iam_ready(server->iam, err) && db_write(server->db, make_job_session, &job, err);
}

static bool delete_session(void *arg, DbTx *tx, Error *err)
{
    const Str *access_key = arg;
    return db_run(tx, err, "DELETE FROM iam_session WHERE access_key = ?", "t", *access_key);
}

bool access_session_end(Server *server, Str access_key, Error *err)
{
    if (!db_write(server->db, delete_session, &access_key, err)) return false;
    iam_changed(server->iam);
    return true;
}

const ServiceOperation sts_operations[] = {
    {"GetCallerIdentity", get_caller_identity, .resource = "*"},
    {"GetAccessKeyInfo", get_access_key_info, .resource = "*"},
    {"AssumeRole", assume_role_call, .resource = "{RoleArn}",
     .flags = OPERATION_WRITES | OPERATION_SECRET},
    {"GetSessionToken", get_session_token_call, .resource = "*",
     .flags = OPERATION_WRITES | OPERATION_SECRET},
    {0},
};
static const ServiceOperation *const sts_tables[] = {sts_operations, NULL};
const Service sts_service = {.name = "sts", .tables = sts_tables, .resource_policy = trust_of};

static const ServiceOperation *const iam_tables[] = {
    iam_principal_operations, iam_policy_operations, iam_simulate_operations, NULL};
const Service iam_service = {.name = "iam", .tables = iam_tables};
