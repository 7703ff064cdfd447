/* Policies: inline, attached, and the account's own managed ones with their versions. */

#include "service/iam/iam.h"

static const char *const words[] = {"user", "role", "group"};
static const size_t inline_max[] = {POLICY_USER_MAX, POLICY_ROLE_MAX, POLICY_GROUP_MAX};

/* ---- inline ---- */

static bool put_inline(Call *call, DbTx *tx, EntityType type, Error *err)
{
    Entity entity;
    Str text = call_text(call, "PolicyDocument");
    return entity_of_call(call, tx, type, &entity, err) &&
           iam_check_policy(call, text, POLICY_IDENTITY, inline_max[type],
                            "MalformedPolicyDocument", err) &&
           db_run(tx, err,
                  "INSERT INTO iam_inline (entity, name, document) VALUES (?, ?, ?) "
                  "ON CONFLICT (entity, name) DO UPDATE SET document = excluded.document",
                  "itt", entity.row, call_text(call, "PolicyName"), text);
}

static bool no_inline(Call *call, EntityType type, Str name, Error *err)
{
    const char *word = words[type];
    return call_error_status(call, err, 404, "NoSuchEntity",
                             "The %s policy with name %.*s cannot be found.", word, STR_ARG(name));
}

static bool get_inline(Call *call, DbTx *tx, EntityType type, Error *err)
{
    Entity entity;
    Error end = {0};
    Str name = call_text(call, "PolicyName");
    if (!entity_of_call(call, tx, type, &entity, err)) return false;
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err, "SELECT document FROM iam_inline WHERE entity = ? AND name = ?",
                  "it", entity.row, name))
        return false;
    if (!db_next(&rows, &end)) return no_inline(call, type, name, err);
    json_set_text(call->arena, call->out, entity_member(type), entity.name);
    json_set_text(call->arena, call->out, "PolicyName", name);
    iam_set_document(call, call->out, "PolicyDocument", db_text(&rows, 0));
    return true;
}

static bool list_inline(Call *call, DbTx *tx, EntityType type, Error *err)
{
    Entity entity;
    Error end = {0};
    if (!entity_of_call(call, tx, type, &entity, err)) return false;
    DB_ROWS(rows);
    IamPage page = iam_page(call);
    Json *list = json_new_array(call->arena);
    if (!db_query(tx, &rows, err,
                  "SELECT name FROM iam_inline WHERE entity = ? AND name > ? ORDER BY name", "it",
                  entity.row, page.after))
        return false;
    while (db_next(&rows, &end)) {
        Str name = arena_str(call->arena, db_text(&rows, 0));
        if (!iam_page_add(call, &page, list, json_new_text(call->arena, name), name)) break;
    }
    iam_page_end(call, "PolicyNames", list);
    return true;
}

static bool delete_inline(Call *call, DbTx *tx, EntityType type, Error *err)
{
    Entity entity;
    Str name = call_text(call, "PolicyName");
    if (!entity_of_call(call, tx, type, &entity, err) ||
        !db_run(tx, err, "DELETE FROM iam_inline WHERE entity = ? AND name = ?", "it", entity.row,
                name))
        return false;
    return db_changed(tx) || no_inline(call, type, name, err);
}

/* ---- attached ---- */

static Str name_of_arn(Str arn)
{
    size_t at = arn.len;
    while (at && arn.ptr[at - 1] != '/') at--;
    return str_from(arn, at);
}

static bool attach(Call *call, DbTx *tx, EntityType type, Error *err)
{
    Entity entity;
    Error end = {0};
    Str arn = call_text(call, "PolicyArn"), text;
    if (!entity_of_call(call, tx, type, &entity, err) ||
        !managed_policy_text(tx, arn, call->arena, &text, err))
        return false;
    if (!text.ptr)
        return call_error_status(call, err, 404, "NoSuchEntity",
                                 "Policy %.*s does not exist or is not attachable.", STR_ARG(arn));
    if (!db_run(tx, err,
                "INSERT INTO iam_attached (entity, arn, name) VALUES (?, ?, ?) "
                "ON CONFLICT (entity, arn) DO NOTHING",
                "itt", entity.row, arn, name_of_arn(arn)))
        return false;
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err, "SELECT COUNT(*) FROM iam_attached WHERE entity = ?", "i",
                  entity.row))
        return false;
    if (db_next(&rows, &end) && db_int(&rows, 0) > ATTACHED_MAX)
        return call_error_status(call, err, 409, "LimitExceeded",
                                 "Cannot exceed quota for PoliciesPer%c%s: %d", words[type][0] - 32,
                                 words[type] + 1, ATTACHED_MAX);
    return true;
}

static bool detach(Call *call, DbTx *tx, EntityType type, Error *err)
{
    Entity entity;
    Str arn = call_text(call, "PolicyArn");
    if (!entity_of_call(call, tx, type, &entity, err) ||
        !db_run(tx, err, "DELETE FROM iam_attached WHERE entity = ? AND arn = ?", "it", entity.row,
                arn))
        return false;
    if (db_changed(tx)) return true;
    return call_error_status(call, err, 404, "NoSuchEntity", "Policy %.*s was not found.",
                             STR_ARG(arn));
}

static bool list_attached(Call *call, DbTx *tx, EntityType type, Error *err)
{
    Entity entity;
    Error end = {0};
    if (!entity_of_call(call, tx, type, &entity, err)) return false;
    DB_ROWS(rows);
    IamPage page = iam_page(call);
    Json *list = json_new_array(call->arena);
    if (!db_query(tx, &rows, err,
                  "SELECT arn, name FROM iam_attached WHERE entity = ? AND arn > ? ORDER BY arn",
                  "it", entity.row, page.after))
        return false;
    while (db_next(&rows, &end)) {
        Json *json = json_new_object(call->arena);
        Str arn = arena_str(call->arena, db_text(&rows, 0));
        json_set_text(call->arena, json, "PolicyName", arena_str(call->arena, db_text(&rows, 1)));
        json_set_text(call->arena, json, "PolicyArn", arn);
        if (!iam_page_add(call, &page, list, json, arn)) break;
    }
    iam_page_end(call, "AttachedPolicies", list);
    return true;
}

#define FOR(prefix, function, type)                                                                \
    static bool prefix##_##function(Call *call, DbTx *tx, Error *err)                              \
    {                                                                                              \
        return function(call, tx, type, err);                                                      \
    }
#define FOR_EACH(name, type)                                                                       \
    IAM_WRITE(name##_put_inline)                                                                   \
    FOR(name, put_inline, type)                                                                    \
    IAM_READ(name##_get_inline)                                                                    \
    FOR(name, get_inline, type)                                                                    \
    IAM_READ(name##_list_inline)                                                                   \
    FOR(name, list_inline, type)                                                                   \
    IAM_WRITE(name##_delete_inline)                                                                \
    FOR(name, delete_inline, type)                                                                 \
    IAM_WRITE(name##_attach)                                                                       \
    FOR(name, attach, type)                                                                        \
    IAM_WRITE(name##_detach)                                                                       \
    FOR(name, detach, type)                                                                        \
    IAM_READ(name##_list_attached)                                                                 \
    FOR(name, list_attached, type)
FOR_EACH(user, ENTITY_USER)
FOR_EACH(role, ENTITY_ROLE)
FOR_EACH(group, ENTITY_GROUP)

/* ---- managed ---- */

typedef struct Managed {
    bool found, of_aws;
    Str arn, name, path, id;
    double created, updated;
    int64_t version, next; /* the default one */
    Json *extra;           /* Description, Tags */
    int64_t attached;
} Managed;

static bool managed_find(Call *call, DbTx *tx, Str arn, Managed *ret, Error *err)
{
    Arena *arena = call->arena;
    Error end = {0};
    *ret = (Managed){.arn = arn, .extra = json_new_object(arena)};
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err, "SELECT COUNT(*) FROM iam_attached WHERE arn = ?", "t", arn))
            return false;
        if (db_next(&rows, &end)) ret->attached = db_int(&rows, 0);
    }
    const ManagedPolicy *aws = managed_policy_find(arn);
    if (aws) {
        ret->found = ret->of_aws = true;
        ret->name = str_of(aws->name);
        ret->path = str_of(aws->path);
        ret->id = str_of(aws->id);
        ret->created = ret->updated = 1423180800; /* 2015-02-06: most of AWS's are from that day */
        ret->version = 1;
        return true;
    }
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err,
                  "SELECT name, path, unique_id, created, updated, default_version, next_version, "
                  "extra FROM iam_policy WHERE arn = ?",
                  "t", arn))
        return false;
    if (!db_next(&rows, &end)) return true;
    const Json *extra;
    if (!json_parse(arena_str(arena, db_text(&rows, 7)), arena, &extra, err)) return false;
    ret->found = true;
    ret->name = arena_str(arena, db_text(&rows, 0));
    ret->path = arena_str(arena, db_text(&rows, 1));
    ret->id = arena_str(arena, db_text(&rows, 2));
    ret->created = db_real(&rows, 3);
    ret->updated = db_real(&rows, 4);
    ret->version = db_int(&rows, 5);
    ret->next = db_int(&rows, 6);
    ret->extra = json_copy(arena, extra);
    return true;
}

static bool managed_of_call(Call *call, DbTx *tx, bool own, Managed *ret, Error *err)
{
    Str arn = call_text(call, "PolicyArn");
    if (!managed_find(call, tx, arn, ret, err)) return false;
    if (!ret->found)
        return call_error_status(call, err, 404, "NoSuchEntity", "Policy %.*s was not found.",
                                 STR_ARG(arn));
    if (own && ret->of_aws)
        return call_error_status(call, err, 403, "AccessDenied",
                                 "Policies of AWS cannot be changed: %.*s", STR_ARG(arn));
    return true;
}

static Json *managed_json(Call *call, const Managed *managed, bool whole)
{
    Arena *arena = call->arena;
    Json *json = json_new_object(arena);
    json_set_text(arena, json, "PolicyName", managed->name);
    json_set_text(arena, json, "PolicyId", managed->id);
    json_set_text(arena, json, "Arn", managed->arn);
    json_set_text(arena, json, "Path", managed->path);
    json_set_text(arena, json, "DefaultVersionId",
                  arena_format(arena, "v%lld", (long long)managed->version));
    json_set_int(arena, json, "AttachmentCount", managed->attached);
    json_set_int(arena, json, "PermissionsBoundaryUsageCount", 0);
    json_set_bool(arena, json, "IsAttachable", true);
    json_set_double(arena, json, "CreateDate", managed->created);
    json_set_double(arena, json, "UpdateDate", managed->updated);
    Str description = json_get_text(managed->extra, "Description");
    if (whole && description.len) json_set_text(arena, json, "Description", description);
    const Json *tags = json_get(managed->extra, "Tags");
    if (whole && tags && tags->n) json_set(arena, json, "Tags", tags);
    return json;
}

static bool insert_version(DbTx *tx, Str arn, int64_t version, Str text, double now, Error *err)
{
    return db_run(tx, err,
                  "INSERT INTO iam_version (arn, version, document, created) VALUES (?, ?, ?, ?)",
                  "titd", arn, version, text, now);
}

static bool managed_save(Call *call, DbTx *tx, const Managed *managed, Error *err)
{
    return db_run(
        tx, err,
        "UPDATE iam_policy SET updated = ?, default_version = ?, next_version = ?, extra = ? "
        "WHERE arn = ?",
        "diitt", (double)(int64_t)call->now, managed->version, managed->next,
        json_text(call->arena, managed->extra), managed->arn);
}

IAM_WRITE(create_policy)
static bool create_policy(Call *call, DbTx *tx, Error *err)
{
    Str path = call_text(call, "Path"), text = call_text(call, "PolicyDocument");
    Str description = call_text(call, "Description"), name = call_text(call, "PolicyName");
    Error end = {0};
    if (!path.len) path = STR("/");
    Managed managed = {.name = name,
                       .path = path,
                       .arn = iam_arn(call, "policy", path, name),
                       .id = iam_new_id(call->arena, "ANPA", 17),
                       .created = (double)(int64_t)call->now,
                       .updated = (double)(int64_t)call->now,
                       .version = 1,
                       .next = 2,
                       .extra = json_new_object(call->arena)};
    if (!iam_check_policy(call, text, POLICY_IDENTITY, POLICY_MANAGED_MAX,
                          "MalformedPolicyDocument", err))
        return false;
    if (description.len) json_set_text(call->arena, managed.extra, "Description", description);
    if (json_get(call->in, "Tags") && !iam_tags_add(call, managed.extra, err)) return false;
    AUTO_STRBUF StrBuf key = STRBUF(256);
    for (size_t i = 0; i < name.len; i++)
        strbuf_add_char(&key, name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? (char)(name.ptr[i] | 32)
                                                                       : name.ptr[i]);
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err, "SELECT 1 FROM iam_policy WHERE key = ?", "t",
                      strbuf_str(&key)))
            return false;
        if (db_next(&rows, &end))
            return call_error_status(call, err, 409, "EntityAlreadyExists",
                                     "A policy called %.*s already exists. Duplicate names are not "
                                     "allowed.",
                                     STR_ARG(name));
    }
    if (!db_run(tx, err,
                "INSERT INTO iam_policy (arn, key, name, path, unique_id, created, updated, "
                "default_version, next_version, extra) VALUES (?, ?, ?, ?, ?, ?, ?, 1, 2, ?)",
                "tttttddt", managed.arn, strbuf_str(&key), name, path, managed.id, managed.created,
                managed.updated, json_text(call->arena, managed.extra)) ||
        !insert_version(tx, managed.arn, 1, text, managed.created, err))
        return false;
    json_set(call->arena, call->out, "Policy", managed_json(call, &managed, true));
    return true;
}

IAM_READ(get_policy)
static bool get_policy(Call *call, DbTx *tx, Error *err)
{
    Managed managed;
    if (!managed_of_call(call, tx, false, &managed, err)) return false;
    json_set(call->arena, call->out, "Policy", managed_json(call, &managed, true));
    return true;
}

IAM_READ(list_policies)
static bool list_policies(Call *call, DbTx *tx, Error *err)
{
    Str scope = call_text(call, "Scope"), prefix = call_text(call, "PathPrefix");
    bool only_attached = json_get_bool(call->in, "OnlyAttached", false);
    IamPage page = iam_page(call);
    Json *list = json_new_array(call->arena);
    AUTO_STRBUF StrBuf found = STRBUF(16 << 20);
    if (!str_is(scope, "AWS")) {
        DB_ROWS(rows);
        Error end = {0};
        if (!db_query(tx, &rows, err, "SELECT arn FROM iam_policy ORDER BY arn", "")) return false;
        while (db_next(&rows, &end)) {
            strbuf_add(&found, db_text(&rows, 0));
            strbuf_add_char(&found, '\n');
        }
    }
    if (!str_is(scope, "Local"))
        for (const ManagedPolicy *aws = managed_policies; aws->name; aws++)
            strbuf_addf(&found, "arn:aws:iam::aws:policy%s%s\n", aws->path, aws->name);
    Str rest = strbuf_str(&found), arn;
    bool skip = page.after.len > 0; /* to behind the marker; the order does not change */
    while (rest.len && str_next(&rest, '\n', &arn)) {
        if (!arn.len) break;
        if (skip) {
            skip = !str_eq(arn, page.after);
            continue;
        }
        Managed managed;
        Str kept = arena_str(call->arena, arn);
        if (!managed_find(call, tx, kept, &managed, err)) return false;
        if (!managed.found || (only_attached && !managed.attached) ||
            (prefix.len && !str_starts(managed.path, prefix)))
            continue;
        if (!iam_page_add(call, &page, list, managed_json(call, &managed, false), kept)) break;
    }
    iam_page_end(call, "Policies", list);
    return true;
}

IAM_WRITE(delete_policy)
static bool delete_policy(Call *call, DbTx *tx, Error *err)
{
    Managed managed;
    Error end = {0};
    if (!managed_of_call(call, tx, true, &managed, err)) return false;
    if (managed.attached)
        return call_error_status(call, err, 409, "DeleteConflict",
                                 "Cannot delete a policy attached to entities.");
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err, "SELECT COUNT(*) FROM iam_version WHERE arn = ?", "t",
                      managed.arn))
            return false;
        if (db_next(&rows, &end) && db_int(&rows, 0) > 1)
            return call_error_status(call, err, 409, "DeleteConflict",
                                     "This policy has more than one version. Before you delete a "
                                     "policy, you must delete the policy's versions. The default "
                                     "version is deleted with the policy.");
    }
    return db_run(tx, err, "DELETE FROM iam_version WHERE arn = ?", "t", managed.arn) &&
           db_run(tx, err, "DELETE FROM iam_policy WHERE arn = ?", "t", managed.arn);
}

/* "v3" */
static int64_t version_number(Str text)
{
    int64_t n = 0;
    if (text.len < 2 || text.ptr[0] != 'v' || !str_to_int64(str_from(text, 1), &n)) return 0;
    return n;
}

static Json *version_json(Call *call, const Managed *managed, int64_t version, double created)
{
    Json *json = json_new_object(call->arena);
    json_set_text(call->arena, json, "VersionId",
                  arena_format(call->arena, "v%lld", (long long)version));
    json_set_bool(call->arena, json, "IsDefaultVersion", version == managed->version);
    json_set_double(call->arena, json, "CreateDate", created);
    return json;
}

IAM_WRITE(create_policy_version)
static bool create_policy_version(Call *call, DbTx *tx, Error *err)
{
    Managed managed;
    Error end = {0};
    Str text = call_text(call, "PolicyDocument");
    if (!managed_of_call(call, tx, true, &managed, err) ||
        !iam_check_policy(call, text, POLICY_IDENTITY, POLICY_MANAGED_MAX,
                          "MalformedPolicyDocument", err))
        return false;
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err, "SELECT COUNT(*) FROM iam_version WHERE arn = ?", "t",
                      managed.arn))
            return false;
        if (db_next(&rows, &end) && db_int(&rows, 0) >= VERSIONS_MAX)
            return call_error_status(
                call, err, 409, "LimitExceeded",
                "A managed policy can have up to %d versions. Before you create "
                "a new version, you must delete an existing version.",
                VERSIONS_MAX);
    }
    int64_t version = managed.next++;
    if (json_get_bool(call->in, "SetAsDefault", false)) managed.version = version;
    double now = (double)(int64_t)call->now;
    if (!insert_version(tx, managed.arn, version, text, now, err) ||
        !managed_save(call, tx, &managed, err))
        return false;
    json_set(call->arena, call->out, "PolicyVersion", version_json(call, &managed, version, now));
    return true;
}

static bool no_version(Call *call, const Managed *managed, Error *err)
{
    Str version = call_text(call, "VersionId");
    return call_error_status(call, err, 404, "NoSuchEntity",
                             "Policy %.*s version %.*s does not exist or is not attachable.",
                             STR_ARG(managed->arn), STR_ARG(version));
}

IAM_READ(get_policy_version)
static bool get_policy_version(Call *call, DbTx *tx, Error *err)
{
    Managed managed;
    Error end = {0};
    int64_t version = version_number(call_text(call, "VersionId"));
    if (!managed_of_call(call, tx, false, &managed, err)) return false;
    if (managed.of_aws) {
        if (version != 1) return no_version(call, &managed, err);
        Json *json = version_json(call, &managed, 1, managed.created);
        iam_set_document(call, json, "Document", str_of(managed_policy_find(managed.arn)->text));
        json_set(call->arena, call->out, "PolicyVersion", json);
        return true;
    }
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err,
                  "SELECT document, created FROM iam_version WHERE arn = ? AND version = ?", "ti",
                  managed.arn, version))
        return false;
    if (!db_next(&rows, &end)) return no_version(call, &managed, err);
    Json *json = version_json(call, &managed, version, db_real(&rows, 1));
    iam_set_document(call, json, "Document", db_text(&rows, 0));
    json_set(call->arena, call->out, "PolicyVersion", json);
    return true;
}

IAM_READ(list_policy_versions)
static bool list_policy_versions(Call *call, DbTx *tx, Error *err)
{
    Managed managed;
    Error end = {0};
    Json *list = json_new_array(call->arena);
    if (!managed_of_call(call, tx, false, &managed, err)) return false;
    if (managed.of_aws)
        json_push(call->arena, list, version_json(call, &managed, 1, managed.created));
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err,
                  "SELECT version, created FROM iam_version WHERE arn = ? ORDER BY version DESC",
                  "t", managed.arn))
        return false;
    while (db_next(&rows, &end))
        json_push(call->arena, list,
                  version_json(call, &managed, db_int(&rows, 0), db_real(&rows, 1)));
    iam_page_end(call, "Versions", list);
    return true;
}

IAM_WRITE(delete_policy_version)
static bool delete_policy_version(Call *call, DbTx *tx, Error *err)
{
    Managed managed;
    int64_t version = version_number(call_text(call, "VersionId"));
    if (!managed_of_call(call, tx, true, &managed, err)) return false;
    if (version == managed.version)
        return call_error_status(call, err, 409, "DeleteConflict",
                                 "Cannot delete the default version of a policy.");
    if (!db_run(tx, err, "DELETE FROM iam_version WHERE arn = ? AND version = ?", "ti", managed.arn,
                version))
        return false;
    return db_changed(tx) || no_version(call, &managed, err);
}

IAM_WRITE(set_default_policy_version)
static bool set_default_policy_version(Call *call, DbTx *tx, Error *err)
{
    Managed managed;
    Error end = {0};
    int64_t version = version_number(call_text(call, "VersionId"));
    if (!managed_of_call(call, tx, true, &managed, err)) return false;
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err, "SELECT 1 FROM iam_version WHERE arn = ? AND version = ?",
                      "ti", managed.arn, version))
            return false;
        if (!db_next(&rows, &end)) return no_version(call, &managed, err);
    }
    managed.version = version;
    return managed_save(call, tx, &managed, err);
}

IAM_WRITE(tag_policy)
static bool tag_policy(Call *call, DbTx *tx, Error *err)
{
    Managed managed;
    return managed_of_call(call, tx, true, &managed, err) &&
           iam_tags_add(call, managed.extra, err) && managed_save(call, tx, &managed, err);
}

IAM_WRITE(untag_policy)
static bool untag_policy(Call *call, DbTx *tx, Error *err)
{
    Managed managed;
    if (!managed_of_call(call, tx, true, &managed, err)) return false;
    iam_tags_remove(call, managed.extra);
    return managed_save(call, tx, &managed, err);
}

IAM_READ(list_policy_tags)
static bool list_policy_tags(Call *call, DbTx *tx, Error *err)
{
    Managed managed;
    if (!managed_of_call(call, tx, false, &managed, err)) return false;
    const Json *tags = json_get(managed.extra, "Tags");
    json_set(call->arena, call->out, "Tags", tags ? tags : json_new_array(call->arena));
    json_set_bool(call->arena, call->out, "IsTruncated", false);
    return true;
}

/* Who has a policy. */
IAM_READ(list_entities_for_policy)
static bool list_entities_for_policy(Call *call, DbTx *tx, Error *err)
{
    static const char *const members[] = {"PolicyUsers", "PolicyRoles", "PolicyGroups"};
    static const char *const names[] = {"UserName", "RoleName", "GroupName"};
    static const char *const ids[] = {"UserId", "RoleId", "GroupId"};
    Managed managed;
    Error end = {0};
    if (!managed_of_call(call, tx, false, &managed, err)) return false;
    Json *lists[3];
    for (int i = 0; i < 3; i++) {
        lists[i] = json_new_array(call->arena);
        json_set(call->arena, call->out, members[i], lists[i]);
    }
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err,
                  "SELECT type, iam_entity.name, unique_id FROM iam_attached JOIN iam_entity ON "
                  "iam_entity.id = entity WHERE iam_attached.arn = ? ORDER BY iam_entity.name",
                  "t", managed.arn))
        return false;
    while (db_next(&rows, &end)) {
        int64_t type = db_int(&rows, 0);
        if (type < 0 || type > 2) continue;
        Json *json = json_new_object(call->arena);
        json_set_text(call->arena, json, names[type], arena_str(call->arena, db_text(&rows, 1)));
        json_set_text(call->arena, json, ids[type], arena_str(call->arena, db_text(&rows, 2)));
        json_push(call->arena, lists[type], json);
    }
    json_set_bool(call->arena, call->out, "IsTruncated", false);
    return true;
}

#define USER "arn:aws:iam::{account}:user/{UserName}"
#define ROLE "arn:aws:iam::{account}:role/{RoleName}"
#define GROUP "arn:aws:iam::{account}:group/{GroupName}"
#define POLICY "{PolicyArn}"
#define ROWS(Name, name, form)                                                                     \
    {"Put" Name "Policy", name##_put_inline_call, .resource = form, .flags = OPERATION_WRITES},    \
        {"Get" Name "Policy", name##_get_inline_call, .resource = form},                           \
        {"List" Name "Policies", name##_list_inline_call, .resource = form},                       \
        {"Delete" Name "Policy", name##_delete_inline_call, .resource = form,                      \
         .flags = OPERATION_WRITES},                                                               \
        {"Attach" Name "Policy", name##_attach_call, .resource = form, .flags = OPERATION_WRITES}, \
        {"Detach" Name "Policy", name##_detach_call, .resource = form, .flags = OPERATION_WRITES}, \
    {                                                                                              \
        "ListAttached" Name "Policies", name##_list_attached_call, .resource = form                \
    }

const ServiceOperation iam_policy_operations[] = {
    ROWS("User", user, USER),
    ROWS("Role", role, ROLE),
    ROWS("Group", group, GROUP),
    {"CreatePolicy", create_policy_call, .resource = "arn:aws:iam::{account}:policy/{PolicyName}",
     .flags = OPERATION_WRITES},
    {"GetPolicy", get_policy_call, .resource = POLICY},
    {"ListPolicies", list_policies_call, .resource = "arn:aws:iam::{account}:policy/"},
    {"DeletePolicy", delete_policy_call, .resource = POLICY, .flags = OPERATION_WRITES},
    {"CreatePolicyVersion", create_policy_version_call, .resource = POLICY,
     .flags = OPERATION_WRITES},
    {"GetPolicyVersion", get_policy_version_call, .resource = POLICY},
    {"ListPolicyVersions", list_policy_versions_call, .resource = POLICY},
    {"DeletePolicyVersion", delete_policy_version_call, .resource = POLICY,
     .flags = OPERATION_WRITES},
    {"SetDefaultPolicyVersion", set_default_policy_version_call, .resource = POLICY,
     .flags = OPERATION_WRITES},
    {"TagPolicy", tag_policy_call, .resource = POLICY, .flags = OPERATION_WRITES},
    {"UntagPolicy", untag_policy_call, .resource = POLICY, .flags = OPERATION_WRITES},
    {"ListPolicyTags", list_policy_tags_call, .resource = POLICY},
    {"ListEntitiesForPolicy", list_entities_for_policy_call, .resource = POLICY},
    {0},
};
