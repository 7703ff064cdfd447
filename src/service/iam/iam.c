/* Opening IAM: the master key, the first key, the tables, the role that always is there; and the caches. */

#include "service/iam/iam.h"

#include "aws/digest.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char *const schema[] = {
    "CREATE TABLE iam_entity (id AUTO_ID, type BIGINT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, "
    "path TEXT NOT NULL, unique_id TEXT NOT NULL, arn TEXT NOT NULL, created DOUBLE PRECISION NOT NULL, "
    "extra TEXT NOT NULL, trust TEXT)",
    "CREATE UNIQUE INDEX iam_entity_key ON iam_entity (type, key)",
    "CREATE INDEX iam_entity_arn ON iam_entity (arn)",
    "CREATE TABLE iam_inline (entity BIGINT NOT NULL, name TEXT NOT NULL, document TEXT NOT NULL, "
    "PRIMARY KEY (entity, name))",
    "CREATE TABLE iam_attached (entity BIGINT NOT NULL, arn TEXT NOT NULL, name TEXT NOT NULL, "
    "PRIMARY KEY (entity, arn))",
    "CREATE INDEX iam_attached_arn ON iam_attached (arn)",
    "CREATE TABLE iam_member (entity BIGINT NOT NULL, member BIGINT NOT NULL, PRIMARY KEY (entity, member))",
    "CREATE INDEX iam_member_member ON iam_member (member)",
    "CREATE TABLE iam_policy (arn TEXT NOT NULL PRIMARY KEY, key TEXT NOT NULL, name TEXT NOT NULL, "
    "path TEXT NOT NULL, unique_id TEXT NOT NULL, created DOUBLE PRECISION NOT NULL, "
    "updated DOUBLE PRECISION NOT NULL, default_version BIGINT NOT NULL, next_version BIGINT NOT NULL, "
    "extra TEXT NOT NULL)",
    "CREATE UNIQUE INDEX iam_policy_key ON iam_policy (key)",
    "CREATE TABLE iam_version (arn TEXT NOT NULL, version BIGINT NOT NULL, document TEXT NOT NULL, "
    "created DOUBLE PRECISION NOT NULL, PRIMARY KEY (arn, version))",
    "CREATE TABLE iam_key (access_key TEXT NOT NULL PRIMARY KEY, entity BIGINT NOT NULL, secret BLOB NOT NULL, "
    "active BIGINT NOT NULL, created DOUBLE PRECISION NOT NULL, used DOUBLE PRECISION)",
    "CREATE INDEX iam_key_entity ON iam_key (entity)",
    "CREATE TABLE iam_session (access_key TEXT NOT NULL PRIMARY KEY, type BIGINT NOT NULL, entity BIGINT NOT NULL, "
    "arn TEXT NOT NULL, user_id TEXT NOT NULL, name TEXT NOT NULL, secret BLOB NOT NULL, token BLOB NOT NULL, "
    "expires DOUBLE PRECISION NOT NULL, policy TEXT, tags TEXT)",
    "CREATE INDEX iam_session_entity ON iam_session (entity)",
    "CREATE INDEX iam_session_expires ON iam_session (expires)",
    NULL,
};

/* ---- the caches ---- */

static void identity_clear(Identity *identity)
{
    for (size_t i = 0; i < identity->n_policies; i++) policy_free(identity->policies[i]);
    policy_free(identity->boundary);
    for (size_t i = 0; i < identity->n_sessions; i++) policy_free(identity->sessions[i]);
    if (identity->secret.len)
        explicit_bzero((char *)(uintptr_t)identity->secret.ptr, identity->secret.len);
    explicit_bzero(identity->kept, sizeof identity->kept);
    pthread_mutex_destroy(&identity->mutex);
    arena_clear(&identity->arena);
}

static void drop_identities(struct Iam *iam)
{
    for (size_t i = 0; i < IDENTITIES_MAX; i++)
        for (Identity *identity = STEAL(iam->identities[i]), *next; identity; identity = next) {
            next = identity->next;
            identity_clear(identity);
            free(identity);
        }
    iam->n_identities = 0;
}

void iam_changed(struct Iam *iam)
{
    pthread_rwlock_wrlock(&iam->lock);
    drop_identities(iam);
    iam->generation++;
    pthread_rwlock_unlock(&iam->lock);
}

/* ---- reading an identity ---- */

typedef struct Loading {
    struct Iam *iam;
    Str name;
    Identity *identity;
    bool found;
} Loading;

static bool add_policy(Identity *identity, Str text, Error *err)
{
    Policy *policy = policy_new(text, POLICY_IDENTITY, POLICY_TEXT_MAX, err);
    if (!policy) return error_in(err, "a stored policy of '%.*s'", STR_ARG(identity->arn));
    identity->policies = arena_grow(&identity->arena, identity->policies, identity->n_policies,
                                    identity->n_policies + 1, sizeof(Policy *));
    identity->policies[identity->n_policies++] = policy;
    return true;
}

static void add_key(Identity *identity, const char *prefix, Str name, Str value)
{
    Arena *arena = &identity->arena;
    identity->keys = arena_grow(arena, identity->keys, identity->n_keys, identity->n_keys + 1,
                                sizeof(PolicyKey));
    identity->keys[identity->n_keys++] = (PolicyKey){
        arena_format(arena, "%s%.*s", prefix, STR_ARG(name)), arena_str(arena, value)};
}

static void add_tags(Identity *identity, const Json *tags)
{
    for (size_t i = 0; tags && i < tags->n; i++)
        add_key(identity, "aws:PrincipalTag/", json_get_text(json_at(tags, i), "Key"),
                json_get_text(json_at(tags, i), "Value"));
}

/* Inline and attached policies of a user, role or group. */
static bool load_policies(DbTx *tx, Identity *identity, int64_t entity, Error *err)
{
    ARENA(scratch);
    Str *arns = NULL;
    size_t n = 0;
    Error end = {0};
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err,
                      "SELECT document FROM iam_inline WHERE entity = ? ORDER BY name", "i",
                      entity))
            return false;
        while (db_next(&rows, &end))
            if (!add_policy(identity, db_text(&rows, 0), err)) return false;
    }
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err, "SELECT arn FROM iam_attached WHERE entity = ? ORDER BY arn",
                      "i", entity))
            return false;
        while (db_next(&rows, &end)) {
            arns = arena_grow(&scratch, arns, n, n + 1, sizeof(Str));
            arns[n++] = arena_str(&scratch, db_text(&rows, 0));
        }
    }
    for (size_t i = 0; i < n; i++) {
        Str text;
        if (!managed_policy_text(tx, arns[i], &scratch, &text, err)) return false;
        if (text.ptr && !add_policy(identity, text, err)) return false;
    }
    return true;
}

static bool load_groups(DbTx *tx, Identity *identity, int64_t user, Error *err)
{
    int64_t groups[GROUPS_MAX];
    int n = 0;
    Error end = {0};
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err,
                      "SELECT entity FROM iam_member WHERE member = ? ORDER BY entity", "i", user))
            return false;
        while (n < GROUPS_MAX && db_next(&rows, &end)) groups[n++] = db_int(&rows, 0);
    }
    for (int i = 0; i < n; i++)
        if (!load_policies(tx, identity, groups[i], err)) return false;
    return true;
}

/* Type, name, ARN and policies of the user or role in row `entity`. */
static bool load_entity(DbTx *tx, Identity *identity, int64_t entity, Error *err)
{
    Arena *arena = &identity->arena;
    ARENA(scratch);
    Str boundary = {0};
    Error end = {0};
    bool user;
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err,
                      "SELECT type, name, unique_id, arn, extra FROM iam_entity WHERE id = ?", "i",
                      entity))
            return false;
        if (!db_next(&rows, &end)) return error_set(err, ERROR_NOT_FOUND, "no such user or role");
        user = db_int(&rows, 0) == ENTITY_USER;
        identity->type = user ? CALLER_USER : CALLER_ROLE;
        identity->user_name = arena_str(arena, db_text(&rows, 1));
        identity->user_id = arena_str(arena, db_text(&rows, 2));
        identity->arn = arena_str(arena, db_text(&rows, 3));
        if (!user) identity->role_arn = identity->arn;
        const Json *extra;
        if (!json_parse(arena_str(&scratch, db_text(&rows, 4)), &scratch, &extra, err))
            return false;
        add_tags(identity, json_get(extra, "Tags"));
        boundary = json_get_text(extra, "PermissionsBoundary");
    }
    if (user) add_key(identity, "aws:", STR("username"), identity->user_name);
    if (!load_policies(tx, identity, entity, err)) return false;
    if (user && !load_groups(tx, identity, entity, err)) return false;
    if (boundary.len) {
        Str text;
        if (!managed_policy_text(tx, boundary, &scratch, &text, err)) return false;
        if (!text.ptr)
            text = STR("{\"Statement\":{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\"}}");
        identity->boundary = policy_new(text, POLICY_IDENTITY, POLICY_TEXT_MAX, err);
        if (!identity->boundary) return false;
    }
    return true;
}

static bool load_key(DbTx *tx, Loading *loading, Error *err)
{
    Identity *identity = loading->identity;
    Error end = {0};
    int64_t entity;
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err,
                      "SELECT entity, secret FROM iam_key WHERE access_key = ? AND active = 1", "t",
                      loading->name))
            return false;
        if (!db_next(&rows, &end)) return true;
        entity = db_int(&rows, 0);
        identity->secret = iam_open_seal(loading->iam, &identity->arena, loading->name,
                                         db_text(&rows, 1));
    }
    if (!identity->secret.ptr)
        return error_set(err, ERROR_INTERNAL,
                         "the secret of a key does not open: is master.key another one?");
    identity->access_key = identity->name;
    loading->found = load_entity(tx, identity, entity, err);
    return loading->found;
}

static bool load_session(DbTx *tx, Loading *loading, Error *err)
{
    Identity *identity = loading->identity;
    Arena *arena = &identity->arena;
    Error end = {0};
    int64_t entity;
    Str arn, user_id, name, policy, tags;
    int type;
    {
        DB_ROWS(rows);
        if (!db_query(
                tx, &rows, err,
                "SELECT type, entity, arn, user_id, name, secret, token, expires, policy, tags "
                "FROM iam_session WHERE access_key = ?",
                "t", loading->name))
            return false;
        if (!db_next(&rows, &end)) return true;
        type = (int)db_int(&rows, 0);
        entity = db_int(&rows, 1);
        arn = arena_str(arena, db_text(&rows, 2));
        user_id = arena_str(arena, db_text(&rows, 3));
        name = arena_str(arena, db_text(&rows, 4));
        identity->secret = iam_open_seal(loading->iam, arena, loading->name, db_text(&rows, 5));
        Str token = db_text(&rows, 6);
        if (token.len == sizeof identity->token_hash)
            memcpy(identity->token_hash, token.ptr, token.len);
        identity->has_token = true;
        identity->expires = db_real(&rows, 7);
        policy = db_is_null(&rows, 8) ? (Str){0} : arena_str(arena, db_text(&rows, 8));
        tags = db_is_null(&rows, 9) ? (Str){0} : arena_str(arena, db_text(&rows, 9));
    }
    if (!identity->secret.ptr)
        return error_set(err, ERROR_INTERNAL,
                         "the secret of a session does not open: is master.key another one?");
    identity->access_key = identity->name;
    if (type == CALLER_ROOT) { /* GetSessionToken by the first key */
        const Identity *root = &loading->iam->root;
        identity->type = CALLER_ROOT;
        identity->role_arn = root->role_arn;
        identity->user_name = root->user_name;
    } else if (!load_entity(tx, identity, entity, err)) {
        return false;
    }
    identity->arn = arn;
    identity->user_id = user_id;
    if (type == CALLER_ROLE) identity->user_name = name;
    const Json *parsed = NULL;
    if (policy.len && !json_parse(policy, arena, &parsed, err)) return false;
    for (size_t i = 0; policy.len && i < parsed->n; i++) {
        if (!i) identity->sessions = arena_array(arena, Policy *, parsed->n);
        Policy *one = policy_new(json_at(parsed, i)->text, POLICY_IDENTITY, POLICY_TEXT_MAX, err);
        if (!one) return false;
        identity->sessions[identity->n_sessions++] = one;
    }
    parsed = NULL;
    if (tags.len && json_parse(tags, arena, &parsed, NULL)) add_tags(identity, parsed);
    loading->found = true;
    return true;
}

static bool load_arn(DbTx *tx, Loading *loading, Error *err)
{
    Error end = {0};
    int64_t entity;
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err, "SELECT id FROM iam_entity WHERE arn = ? AND type <= ?", "ti",
                      loading->name, (int64_t)ENTITY_ROLE)) /* or ENTITY_USER */
            return false;
        if (!db_next(&rows, &end)) return true;
        entity = db_int(&rows, 0);
    }
    loading->found = load_entity(tx, loading->identity, entity, err);
    return loading->found;
}

static bool load(void *arg, DbTx *tx, Error *err)
{
    Loading *loading = arg;
    if (str_starts(loading->name, STR("arn:"))) return load_arn(tx, loading, err);
    if (!load_key(tx, loading, err)) return false;
    return loading->found || load_session(tx, loading, err);
}

static bool may_all(const Identity *identity)
{
    bool all = identity->type == CALLER_ROOT;
    if (identity->boundary || identity->n_sessions) return false;
    for (size_t i = 0; i < identity->n_policies; i++) {
        if (policy_has_denial(identity->policies[i])) return false;
        all |= policy_allows_all(identity->policies[i]);
    }
    return all;
}

static Identity **place_of(struct Iam *iam, Str name)
{
    Identity **place = &iam->identities[hash_str(name, 0) % IDENTITIES_MAX];
    while (*place && !str_eq((*place)->name, name)) place = &(*place)->next;
    return place;
}

const Identity *iam_identity(struct Iam *iam, Str name)
{
    for (int attempt = 0; attempt < 4; attempt++) {
        pthread_rwlock_rdlock(&iam->lock);
        if (name.len && str_eq(name, iam->root.name)) return &iam->root;
        const Identity *kept = *place_of(iam, name);
        if (kept) return kept;
        uint64_t generation = iam->generation;
        pthread_rwlock_unlock(&iam->lock);

        Error err = {0};
        Identity *identity = calloc(1, sizeof *identity);
        if (!identity) memory_exhausted(sizeof *identity);
        pthread_mutex_init(&identity->mutex, NULL);
        identity->name = arena_str(&identity->arena, name);
        Loading loading = {iam, name, identity, false};
        bool ok = iam_ready(iam, &err) && db_read(iam->server->db, load, &loading, &err);
        if (!ok && err.kind != ERROR_NOT_FOUND) log_error("reading a key's owner: %s", err.text);
        if (!ok || !loading.found) {
            identity_clear(identity);
            free(identity);
            return NULL;
        }
        identity->all = may_all(identity);
        pthread_rwlock_wrlock(&iam->lock);
        Identity **place = place_of(iam, name);
        bool keep = iam->generation == generation && !*place;
        if (keep && iam->n_identities >= IDENTITIES_MAX) {
            drop_identities(iam);
            place = place_of(iam, name);
        }
        if (keep) {
            *place = identity;
            iam->n_identities++;
        }
        pthread_rwlock_unlock(&iam->lock);
        if (!keep) { /* somebody else was faster, or something changed */
            identity_clear(identity);
            free(identity);
        }
    }
    return NULL;
}

void iam_release(struct Iam *iam)
{
    pthread_rwlock_unlock(&iam->lock);
}

/* ---- secrets ---- */

Str iam_seal(struct Iam *iam, Arena *arena, Str access_key, Str secret)
{
    return digest_seal(arena, iam->master,
                       arena_format(arena, "access key %.*s 1", STR_ARG(access_key)), secret);
}

Str iam_open_seal(struct Iam *iam, Arena *arena, Str access_key, Str sealed)
{
    return digest_open(arena, iam->master,
                       arena_format(arena, "access key %.*s 1", STR_ARG(access_key)), sealed);
}

Str iam_new_id(Arena *arena, const char *prefix, int n)
{
    char *id = arena_alloc(arena, strlen(prefix) + (size_t)n + 1);
    size_t at = strlen(prefix);
    uint8_t bytes[32];
    assert((size_t)n <= sizeof bytes);
    digest_random(bytes, sizeof bytes);
    memcpy(id, prefix, at);
    for (int i = 0; i < n; i++) id[at++] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[bytes[i] & 31];
    return (Str){id, at};
}

/* ---- opening ---- */

static bool load_master(struct Iam *iam, Error *err)
{
    ARENA(arena);
    const char *path = path_join(&arena, iam->server->options->home, "master.key");
    Str bytes;
    if (!file_exists(path)) {
        digest_random(iam->master, sizeof iam->master);
        if (!file_commit(path, hex_text(&arena, iam->master, sizeof iam->master), err))
            return false;
        return chmod(path, 0600) == 0 || error_sys(err, errno, "closing '%s' to others", path);
    }
    struct stat st;
    if (stat(path, &st) != 0) return error_sys(err, errno, "looking at '%s'", path);
    if (st.st_mode & 077)
        return error_set(err, ERROR_DENIED, "'%s' can be read by others; chmod 600 %s", path, path);
    if (!file_read(path, 256, &arena, &bytes, err)) return false;
    if (!hex_bytes(str_trim(bytes), iam->master, sizeof iam->master))
        return error_set(err, ERROR_INVALID, "'%s' is not 64 hexadecimal digits", path);
    return true;
}

/* The value of "name = value" in the section [default]. */
static Str ini_value(Str text, const char *name)
{
    Str line;
    bool here = false;
    while (str_next_line(&text, &line)) {
        line = str_trim(line);
        if (line.len && line.ptr[0] == '[') here = str_is(line, "[default]");
        size_t equals = str_find(line, '=');
        if (here && equals < line.len && str_is(str_trim(str_slice(line, 0, equals)), name))
            return str_trim(str_from(line, equals + 1));
    }
    return (Str){0};
}

static bool load_root(struct Iam *iam, Error *err)
{
    ARENA(arena);
    const ServerOptions *options = iam->server->options;
    const char *path = path_join(&arena, options->home, "credentials");
    Str key = {0}, secret = {0}, text;
    if (file_exists(path)) {
        if (!file_read(path, 64 << 10, &arena, &text, err)) return false;
        key = ini_value(text, "aws_access_key_id");
        secret = ini_value(text, "aws_secret_access_key");
        if (!key.len || !secret.len)
            return error_set(err, ERROR_INVALID, "'%s' has no key in [default]", path);
    }
    bool given = options->access_key && options->secret_key;
    if (given && str_is(key, options->access_key) && str_is(secret, options->secret_key))
        given = false;
    if (given) {
        key = str_of(options->access_key);
        secret = str_of(options->secret_key);
    } else if (!key.len) {
        uint8_t bytes[30];
        key = iam_new_id(&arena, "AKIA", 16);
        digest_random(bytes, sizeof bytes);
        secret = base64_text(&arena, (Str){(const char *)bytes, sizeof bytes});
        given = true;
    }
    if (key.len >= sizeof iam->root_key || secret.len >= sizeof iam->root_secret)
        return error_set(err, ERROR_INVALID,
                         "the access key may have %zu characters, its secret %zu",
                         sizeof iam->root_key - 1, sizeof iam->root_secret - 1);
    memcpy(iam->root_key, key.ptr, key.len);
    memcpy(iam->root_secret, secret.ptr, secret.len);
    if (!given) return true;
    text = arena_format(&arena, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n",
                        iam->root_key, iam->root_secret);
    if (!file_commit(path, text, err)) return false;
    return chmod(path, 0600) == 0 || error_sys(err, errno, "closing '%s' to others", path);
}

#define ROLE_TRUST                                                                                 \
    "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":{"             \
    "\"AWS\":\"arn:aws:iam::%s:root\",\"Service\":[\"sagemaker.amazonaws.com\","                   \
    "\"lambda.amazonaws.com\",\"firehose.amazonaws.com\",\"glue.amazonaws.com\","                  \
    "\"events.amazonaws.com\",\"states.amazonaws.com\"]},\"Action\":[\"sts:AssumeRole\","          \
    "\"sts:TagSession\"]}]}"

static bool make_role(void *arg, DbTx *tx, Error *err)
{
    struct Iam *iam = arg;
    ARENA(arena);
    const char *account = iam->server->options->account;
    if (!db_run(
            tx, err,
            "INSERT INTO iam_entity (type, key, name, path, unique_id, arn, created, extra, trust) "
            "VALUES (?, ?, ?, '/', ?, ?, ?, ?, ?) ON CONFLICT (type, key) DO NOTHING",
            "ittttdtt", (int64_t)ENTITY_ROLE, STR(IAM_FIRST_ROLE), STR(IAM_FIRST_ROLE),
            iam_new_id(&arena, "AROA", 17),
            arena_format(&arena, "arn:aws:iam::%s:role/" IAM_FIRST_ROLE, account), clock_wall(),
            STR("{\"Description\":\"Made by clary at first start: the execution role of whoever "
                "uses the first key\",\"MaxSessionDuration\":43200}"),
            arena_format(&arena, ROLE_TRUST, account)))
        return false;
    if (!db_changed(tx)) return true;
    return db_run(tx, err,
                  "INSERT INTO iam_attached (entity, arn, name) SELECT id, "
                  "'arn:aws:iam::aws:policy/AdministratorAccess', 'AdministratorAccess' "
                  "FROM iam_entity WHERE type = ? AND key = ?",
                  "it", (int64_t)ENTITY_ROLE, STR(IAM_FIRST_ROLE));
}

static bool role_id(void *arg, DbTx *tx, Error *err)
{
    struct Iam *iam = arg;
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(tx, &rows, err, "SELECT unique_id FROM iam_entity WHERE type = ? AND key = ?",
                  "it", (int64_t)ENTITY_ROLE, STR(IAM_FIRST_ROLE)))
        return false;
    if (db_next(&rows, &end))
        iam->root.user_id = arena_format(&iam->root.arena, "%.*s:clary",
                                         STR_ARG(db_text(&rows, 0)));
    return true;
}

bool iam_ready(struct Iam *iam, Error *err)
{
    if (!__atomic_load_n(&iam->lacks_role, __ATOMIC_ACQUIRE)) return true;
    if (!db_write(iam->server->db, make_role, iam, err)) return false;
    pthread_rwlock_wrlock(&iam->lock); /* others may be copying it */
    bool ok = db_read(iam->server->db, role_id, iam, err);
    pthread_rwlock_unlock(&iam->lock);
    if (ok) __atomic_store_n(&iam->lacks_role, false, __ATOMIC_RELEASE);
    return ok;
}

bool iam_open(Server *server, Error *err)
{
    struct Iam *iam = calloc(1, sizeof *iam);
    if (!iam) memory_exhausted(sizeof *iam);
    iam->server = server;
    iam->lacks_role = true;
    pthread_rwlockattr_t attributes; /* many readers must not keep a change waiting (rule A8) */
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&iam->lock, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    pthread_mutex_init(&iam->root.mutex, NULL);
    digest_random(iam->dummy.bytes, sizeof iam->dummy.bytes);
    server->iam = iam;
    if (!load_master(iam, err) || !load_root(iam, err) ||
        !db_schema(server->db, "iam", schema, err) || !iam_ready(iam, err)) {
        iam_close(server);
        return false;
    }
    Identity *root = &iam->root;
    const char *account = server->options->account;
    root->type = CALLER_ROOT;
    root->all = true;
    root->name = root->access_key = str_of(iam->root_key);
    root->secret = str_of(iam->root_secret);
    root->user_name = STR("clary");
    root->role_arn = arena_format(&root->arena, "arn:aws:iam::%s:role/" IAM_FIRST_ROLE, account);
    root->arn = arena_format(&root->arena, "arn:aws:sts::%s:assumed-role/" IAM_FIRST_ROLE "/clary",
                             account);
    return true;
}

void iam_close(Server *server)
{
    struct Iam *iam = server->iam;
    if (!iam) return;
    drop_identities(iam);
    for (size_t i = 0; i < RESOURCE_POLICIES_MAX; i++) {
        policy_free(iam->kept[i].policy);
        free((char *)(uintptr_t)iam->kept[i].text.ptr);
    }
    iam->root.secret = (Str){0};
    identity_clear(&iam->root);
    pthread_rwlock_destroy(&iam->lock);
    explicit_bzero(iam, sizeof *iam);
    free(iam);
    server->iam = NULL;
}

bool iam_reset(Server *server, Error *err)
{
    (void)err;
    __atomic_store_n(&server->iam->lacks_role, true, __ATOMIC_RELEASE);
    iam_changed(server->iam);
    return true;
}
