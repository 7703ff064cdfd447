/* Users, roles, groups, instance profiles, and access keys. */

#include "service/iam/iam.h"

#include "aws/digest.h"

/* ---- what is asked while deleting ---- */

static bool count(DbTx *tx, const char *sql, int64_t row, int64_t *ret_n, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    *ret_n = 0;
    if (!db_query(tx, &rows, err, sql, "i", row)) return false;
    if (db_next(&rows, &end)) *ret_n = db_int(&rows, 0);
    return true;
}

static bool conflict(Call *call, Error *err, const char *text)
{
    return call_error_status(call, err, 409, "DeleteConflict",
                             "Cannot delete entity, must %s first.", text);
}

static bool delete_entity(Call *call, DbTx *tx, EntityType type, Error *err)
{
    static const struct {
        const char *sql, *text;
        unsigned types; /* 1 << EntityType */
    } checks[] = {
        {"SELECT COUNT(*) FROM iam_attached WHERE entity = ?", "detach all policies", 7},
        {"SELECT COUNT(*) FROM iam_inline WHERE entity = ?", "delete policies", 7},
        {"SELECT COUNT(*) FROM iam_key WHERE entity = ?", "delete access keys", 1 << ENTITY_USER},
        {"SELECT COUNT(*) FROM iam_member WHERE member = ?", "remove users from group",
         1 << ENTITY_USER},
        {"SELECT COUNT(*) FROM iam_member WHERE member = ?", "remove roles from instance profile",
         1 << ENTITY_ROLE},
        {"SELECT COUNT(*) FROM iam_member WHERE entity = ?", "remove users from group",
         1 << ENTITY_GROUP},
        {"SELECT COUNT(*) FROM iam_member WHERE entity = ?", "remove roles from instance profile",
         1 << ENTITY_PROFILE},
    };
    Entity entity;
    if (!entity_of_call(call, tx, type, &entity, err)) return false;
    for (size_t i = 0; i < COUNT(checks); i++) {
        int64_t n;
        if (!(checks[i].types & 1u << type)) continue;
        if (!count(tx, checks[i].sql, entity.row, &n, err)) return false;
        if (n) return conflict(call, err, checks[i].text);
    }
    return db_run(tx, err, "DELETE FROM iam_session WHERE entity = ?", "i", entity.row) &&
           db_run(tx, err, "DELETE FROM iam_entity WHERE id = ?", "i", entity.row);
}

static bool get_entity(Call *call, DbTx *tx, EntityType type, const char *member, Error *err)
{
    Entity entity;
    if (!entity_of_call(call, tx, type, &entity, err)) return false;
    json_set(call->arena, call->out, member, entity_json(call, &entity, true));
    return true;
}

/* Path, PermissionsBoundary and Tags, as all the Create operations have them. */
static bool create_entity(Call *call, DbTx *tx, EntityType type, const char *prefix,
                          const char *arn_type, const char *member, Entity *entity, Error *err)
{
    Str path = call_text(call, "Path"), boundary = call_text(call, "PermissionsBoundary");
    entity->type = type;
    entity->name = call_text(call, entity_member(type));
    entity->path = path.len ? path : STR("/");
    entity->id = iam_new_id(call->arena, prefix, 17);
    entity->arn = iam_arn(call, arn_type, entity->path, entity->name);
    entity->created = (double)(int64_t)call->now;
    if (boundary.len) {
        Str text;
        if (!managed_policy_text(tx, boundary, call->arena, &text, err)) return false;
        if (!text.ptr)
            return call_error_status(call, err, 404, "NoSuchEntity",
                                     "Scope ARN: %.*s does not exist or is not attachable.",
                                     STR_ARG(boundary));
        json_set_text(call->arena, entity->extra, "PermissionsBoundary", boundary);
    }
    if (json_get(call->in, "Tags") && !iam_tags_add(call, entity->extra, err)) return false;
    if (!entity_insert(call, tx, entity, err)) return false;
    json_set(call->arena, call->out, member, entity_json(call, entity, true));
    return true;
}

/* ---- users ---- */

IAM_WRITE(create_user)
static bool create_user(Call *call, DbTx *tx, Error *err)
{
    Entity user = {.extra = json_new_object(call->arena)};
    return create_entity(call, tx, ENTITY_USER, "AIDA", "user", "User", &user, err);
}

IAM_READ(get_user)
static bool get_user(Call *call, DbTx *tx, Error *err)
{
    Entity user;
    Str name = call_text(call, "UserName");
    if (!name.len && call->caller.type != CALLER_USER)
        return call_error_status(call, err, 400, "ValidationError",
                                 "Must specify userName when calling with non-User credentials");
    if (!name.len) name = call->caller.name;
    if (!entity_need(call, tx, ENTITY_USER, name, &user, err)) return false;
    json_set(call->arena, call->out, "User", entity_json(call, &user, true));
    return true;
}

IAM_READ(list_users)
static bool list_users(Call *call, DbTx *tx, Error *err)
{
    return iam_list_entities(call, tx, ENTITY_USER, "Users", err);
}

/* New name and path of a user or group. */
static bool rename_entity(Call *call, DbTx *tx, EntityType type, const char *name_member,
                          const char *path_member, const char *arn_type, Error *err)
{
    Entity entity, other;
    Str name = call_text(call, name_member), path = call_text(call, path_member);
    if (!entity_of_call(call, tx, type, &entity, err)) return false;
    if (name.len && !str_eq_nocase(name, entity.name)) {
        if (!entity_find(tx, type, name, call->arena, &other, err)) return false;
        if (other.row)
            return call_error_status(call, err, 409, "EntityAlreadyExists",
                                     "%s with name %.*s already exists.",
                                     type == ENTITY_USER ? "User" : "Group", STR_ARG(name));
    }
    if (name.len) entity.name = name;
    if (path.len) entity.path = path;
    entity.arn = iam_arn(call, arn_type, entity.path, entity.name);
    return entity_save(tx, &entity, call->arena, err);
}

IAM_WRITE(update_user)
static bool update_user(Call *call, DbTx *tx, Error *err)
{
    return rename_entity(call, tx, ENTITY_USER, "NewUserName", "NewPath", "user", err);
}

IAM_WRITE(delete_user)
static bool delete_user(Call *call, DbTx *tx, Error *err)
{
    return delete_entity(call, tx, ENTITY_USER, err);
}

/* ---- tags of users and roles ---- */

static bool tag(Call *call, DbTx *tx, EntityType type, bool add, Error *err)
{
    Entity entity;
    if (!entity_of_call(call, tx, type, &entity, err)) return false;
    if (add && !iam_tags_add(call, entity.extra, err)) return false;
    if (!add) iam_tags_remove(call, entity.extra);
    return entity_save(tx, &entity, call->arena, err);
}

static bool list_tags(Call *call, DbTx *tx, EntityType type, Error *err)
{
    Entity entity;
    if (!entity_of_call(call, tx, type, &entity, err)) return false;
    const Json *tags = json_get(entity.extra, "Tags");
    json_set(call->arena, call->out, "Tags", tags ? tags : json_new_array(call->arena));
    json_set_bool(call->arena, call->out, "IsTruncated", false);
    return true;
}

#define TAGS(type_name, type)                                                                      \
    IAM_WRITE(tag_##type_name)                                                                     \
    static bool tag_##type_name(Call *call, DbTx *tx, Error *err)                                  \
    {                                                                                              \
        return tag(call, tx, type, true, err);                                                     \
    }                                                                                              \
    IAM_WRITE(untag_##type_name)                                                                   \
    static bool untag_##type_name(Call *call, DbTx *tx, Error *err)                                \
    {                                                                                              \
        return tag(call, tx, type, false, err);                                                    \
    }                                                                                              \
    IAM_READ(list_##type_name##_tags)                                                              \
    static bool list_##type_name##_tags(Call *call, DbTx *tx, Error *err)                          \
    {                                                                                              \
        return list_tags(call, tx, type, err);                                                     \
    }
TAGS(user, ENTITY_USER)
TAGS(role, ENTITY_ROLE)

/* ---- access keys ---- */

/* The user of the request, or the caller's own. */
static bool user_of_call(Call *call, DbTx *tx, Entity *ret_user, Error *err)
{
    Str name = call_text(call, "UserName");
    if (!name.len && call->caller.type == CALLER_USER) name = call->caller.name;
    if (!name.len)
        return call_error_status(call, err, 400, "ValidationError",
                                 "Must specify userName when calling with non-User credentials");
    return entity_need(call, tx, ENTITY_USER, name, ret_user, err);
}

IAM_WRITE(create_access_key)
static bool create_access_key(Call *call, DbTx *tx, Error *err)
{
    Entity user;
    int64_t n;
    uint8_t bytes[30];
    if (!user_of_call(call, tx, &user, err) ||
        !count(tx, "SELECT COUNT(*) FROM iam_key WHERE entity = ?", user.row, &n, err))
        return false;
    if (n >= ACCESS_KEYS_MAX)
        return call_error_status(call, err, 409, "LimitExceeded",
                                 "Cannot exceed quota for AccessKeysPerUser: %d", ACCESS_KEYS_MAX);
    Str key = iam_new_id(call->arena, "AKIA", 16);
    digest_random(bytes, sizeof bytes);
    Str secret = base64_text(call->arena, (Str){(const char *)bytes, sizeof bytes});
    double created = (double)(int64_t)call->now;
    if (!db_run(
            tx, err,
            "INSERT INTO iam_key (access_key, entity, secret, active, created) VALUES (?, ?, ?, 1, ?)",
            "tibd", key, user.row, iam_seal(call->server->iam, call->arena, key, secret), created))
        return false;
    Json *json = json_new_object(call->arena);
    json_set_text(call->arena, json, "UserName", user.name);
    json_set_text(call->arena, json, "AccessKeyId", key);
    json_set_text(call->arena, json, "Status", STR("Active"));
    json_set_text(call->arena, json, "SecretAccessKey", secret);
    json_set_double(call->arena, json, "CreateDate", created);
    json_set(call->arena, call->out, "AccessKey", json);
    return true;
}

IAM_READ(list_access_keys)
static bool list_access_keys(Call *call, DbTx *tx, Error *err)
{
    Entity user;
    Error end = {0};
    if (!user_of_call(call, tx, &user, err)) return false;
    DB_ROWS(rows);
    Json *list = json_new_array(call->arena);
    IamPage page = iam_page(call);
    if (!db_query(
            tx, &rows, err,
            "SELECT access_key, active, created FROM iam_key WHERE entity = ? AND access_key > ? "
            "ORDER BY access_key",
            "it", user.row, page.after))
        return false;
    while (db_next(&rows, &end)) {
        Str key = arena_str(call->arena, db_text(&rows, 0));
        Json *json = json_new_object(call->arena);
        json_set_text(call->arena, json, "UserName", user.name);
        json_set_text(call->arena, json, "AccessKeyId", key);
        json_set_text(call->arena, json, "Status",
                      db_int(&rows, 1) ? STR("Active") : STR("Inactive"));
        json_set_double(call->arena, json, "CreateDate", db_real(&rows, 2));
        if (!iam_page_add(call, &page, list, json, key)) break;
    }
    iam_page_end(call, "AccessKeyMetadata", list);
    return true;
}

static bool need_changed(Call *call, DbTx *tx, Str key, Error *err)
{
    if (db_changed(tx)) return true;
    return call_error_status(call, err, 404, "NoSuchEntity",
                             "The Access Key with id %.*s cannot be found.", STR_ARG(key));
}

IAM_WRITE(delete_access_key)
static bool delete_access_key(Call *call, DbTx *tx, Error *err)
{
    Entity user;
    Str key = call_text(call, "AccessKeyId");
    return user_of_call(call, tx, &user, err) &&
           db_run(tx, err, "DELETE FROM iam_key WHERE access_key = ? AND entity = ?", "ti", key,
                  user.row) &&
           need_changed(call, tx, key, err) &&
           db_run(tx, err, "DELETE FROM iam_session WHERE entity = ?", "i", user.row);
}

IAM_WRITE(update_access_key)
static bool update_access_key(Call *call, DbTx *tx, Error *err)
{
    Entity user;
    Str key = call_text(call, "AccessKeyId");
    int64_t active = str_is(call_text(call, "Status"), "Active");
    if (!user_of_call(call, tx, &user, err) ||
        !db_run(tx, err, "UPDATE iam_key SET active = ? WHERE access_key = ? AND entity = ?", "iti",
                active, key, user.row) ||
        !need_changed(call, tx, key, err))
        return false;
    return active || db_run(tx, err, "DELETE FROM iam_session WHERE entity = ?", "i", user.row);
}

IAM_READ(get_access_key_last_used)
static bool get_access_key_last_used(Call *call, DbTx *tx, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    Str key = call_text(call, "AccessKeyId");
    if (!db_query(tx, &rows, err,
                  "SELECT iam_entity.name FROM iam_key JOIN iam_entity ON iam_entity.id = "
                  "iam_key.entity WHERE access_key = ?",
                  "t", key))
        return false;
    if (!db_next(&rows, &end))
        return call_error_status(call, err, 404, "NoSuchEntity",
                                 "The Access Key with id %.*s cannot be found.", STR_ARG(key));
    Json *used = json_new_object(call->arena); /* which is not kept */
    json_set_text(call->arena, used, "ServiceName", STR("N/A"));
    json_set_text(call->arena, used, "Region", STR("N/A"));
    json_set_text(call->arena, call->out, "UserName", arena_str(call->arena, db_text(&rows, 0)));
    json_set(call->arena, call->out, "AccessKeyLastUsed", used);
    return true;
}

/* ---- roles ---- */

static bool check_duration(Call *call, int64_t seconds, Error *err)
{
    if (seconds >= 3600 && seconds <= SESSION_SECONDS_MAX) return true;
    return call_error_status(call, err, 400, "ValidationError",
                             "MaxSessionDuration must be between 3600 and %d seconds",
                             SESSION_SECONDS_MAX);
}

IAM_WRITE(create_role)
static bool create_role(Call *call, DbTx *tx, Error *err)
{
    Entity role = {.extra = json_new_object(call->arena),
                   .trust = call_text(call, "AssumeRolePolicyDocument")};
    Str description = call_text(call, "Description");
    int64_t seconds = json_get_int(call->in, "MaxSessionDuration", 3600);
    if (!iam_check_policy(call, role.trust, POLICY_TRUST, POLICY_TRUST_MAX,
                          "MalformedPolicyDocument", err) ||
        !check_duration(call, seconds, err))
        return false;
    if (description.len) json_set_text(call->arena, role.extra, "Description", description);
    json_set_int(call->arena, role.extra, "MaxSessionDuration", seconds);
    return create_entity(call, tx, ENTITY_ROLE, "AROA", "role", "Role", &role, err);
}

IAM_READ(get_role)
static bool get_role(Call *call, DbTx *tx, Error *err)
{
    return get_entity(call, tx, ENTITY_ROLE, "Role", err);
}

IAM_READ(list_roles)
static bool list_roles(Call *call, DbTx *tx, Error *err)
{
    return iam_list_entities(call, tx, ENTITY_ROLE, "Roles", err);
}

IAM_WRITE(update_role)
static bool update_role(Call *call, DbTx *tx, Error *err)
{
    Entity role;
    Str description = call_text(call, "Description");
    int64_t seconds = json_get_int(call->in, "MaxSessionDuration", 0);
    if (!entity_of_call(call, tx, ENTITY_ROLE, &role, err)) return false;
    if (seconds && !check_duration(call, seconds, err)) return false;
    if (description.ptr) json_set_text(call->arena, role.extra, "Description", description);
    if (seconds) json_set_int(call->arena, role.extra, "MaxSessionDuration", seconds);
    return entity_save(tx, &role, call->arena, err);
}

IAM_WRITE(update_role_description)
static bool update_role_description(Call *call, DbTx *tx, Error *err)
{
    Entity role;
    if (!entity_of_call(call, tx, ENTITY_ROLE, &role, err)) return false;
    json_set_text(call->arena, role.extra, "Description", call_text(call, "Description"));
    if (!entity_save(tx, &role, call->arena, err)) return false;
    json_set(call->arena, call->out, "Role", entity_json(call, &role, true));
    return true;
}

IAM_WRITE(update_assume_role_policy)
static bool update_assume_role_policy(Call *call, DbTx *tx, Error *err)
{
    Entity role;
    if (!entity_of_call(call, tx, ENTITY_ROLE, &role, err)) return false;
    role.trust = call_text(call, "PolicyDocument");
    return iam_check_policy(call, role.trust, POLICY_TRUST, POLICY_TRUST_MAX,
                            "MalformedPolicyDocument", err) &&
           entity_save(tx, &role, call->arena, err);
}

IAM_WRITE(delete_role)
static bool delete_role(Call *call, DbTx *tx, Error *err)
{
    return delete_entity(call, tx, ENTITY_ROLE, err);
}

/* Roles for services: name and trust follow from the service. */
IAM_WRITE(create_service_linked_role)
static bool create_service_linked_role(Call *call, DbTx *tx, Error *err)
{
    Str service = call_text(call, "AWSServiceName"), suffix = call_text(call, "CustomSuffix");
    Str first = service;
    first.len = str_find(service, '.');
    if (!str_ends(service, STR(".amazonaws.com")) || service.ptr[0] < 'a' || service.ptr[0] > 'z')
        return call_error(call, err, "InvalidInput", "'%.*s' is not the name of a service",
                          STR_ARG(service));
    Str name = arena_format(call->arena, "AWSServiceRoleFor%c%.*s%s%.*s", first.ptr[0] & ~32,
                            STR_ARG(str_from(first, MIN(1, first.len))), suffix.len ? "_" : "",
                            STR_ARG(suffix));
    for (char *p = (char *)(uintptr_t)name.ptr; *p; p++)
        if (*p == '-') *p = '_';
    Str path = arena_format(call->arena, "/aws-service-role/%.*s/", STR_ARG(service));
    AUTO_STRBUF StrBuf trust = STRBUF(POLICY_TRUST_MAX);
    JsonWriter writer = JSON_WRITER(&trust);
    json_begin_object(&writer);
    json_member_string(&writer, "Version", STR("2012-10-17"));
    json_name(&writer, STR("Statement"));
    json_begin_array(&writer);
    json_begin_object(&writer);
    json_member_string(&writer, "Effect", STR("Allow"));
    json_name(&writer, STR("Principal"));
    json_begin_object(&writer);
    json_member_string(&writer, "Service", service);
    json_end_object(&writer);
    json_member_string(&writer, "Action", STR("sts:AssumeRole"));
    json_end_object(&writer);
    json_end_array(&writer);
    json_end_object(&writer);
    Entity role = {.type = ENTITY_ROLE,
                   .name = name,
                   .path = path,
                   .id = iam_new_id(call->arena, "AROA", 17),
                   .arn = iam_arn(call, "role", path, name),
                   .created = (double)(int64_t)call->now,
                   .extra = json_new_object(call->arena),
                   .trust = arena_str(call->arena, strbuf_str(&trust))};
    Str description = call_text(call, "Description");
    if (description.len) json_set_text(call->arena, role.extra, "Description", description);
    if (!entity_insert(call, tx, &role, err)) {
        if (call->code) call->code = "InvalidInput";
        return false;
    }
    json_set(call->arena, call->out, "Role", entity_json(call, &role, true));
    return true;
}

/* ---- boundaries ---- */

static bool set_boundary(Call *call, DbTx *tx, EntityType type, bool put, Error *err)
{
    Entity entity;
    Str arn = call_text(call, "PermissionsBoundary"), text;
    if (!entity_of_call(call, tx, type, &entity, err)) return false;
    if (put) {
        if (!managed_policy_text(tx, arn, call->arena, &text, err)) return false;
        if (!text.ptr)
            return call_error_status(call, err, 404, "NoSuchEntity",
                                     "Scope ARN: %.*s does not exist or is not attachable.",
                                     STR_ARG(arn));
    }
    json_set_text(call->arena, entity.extra, "PermissionsBoundary", put ? arn : STR(""));
    return entity_save(tx, &entity, call->arena, err);
}

#define BOUNDARY(type_name, type)                                                                  \
    IAM_WRITE(put_##type_name##_boundary)                                                          \
    static bool put_##type_name##_boundary(Call *call, DbTx *tx, Error *err)                       \
    {                                                                                              \
        return set_boundary(call, tx, type, true, err);                                            \
    }                                                                                              \
    IAM_WRITE(delete_##type_name##_boundary)                                                       \
    static bool delete_##type_name##_boundary(Call *call, DbTx *tx, Error *err)                    \
    {                                                                                              \
        return set_boundary(call, tx, type, false, err);                                           \
    }
BOUNDARY(user, ENTITY_USER)
BOUNDARY(role, ENTITY_ROLE)

/* ---- groups and instance profiles: things with members ---- */

IAM_WRITE(create_group)
static bool create_group(Call *call, DbTx *tx, Error *err)
{
    Entity group = {.extra = json_new_object(call->arena)};
    return create_entity(call, tx, ENTITY_GROUP, "AGPA", "group", "Group", &group, err);
}

IAM_WRITE(update_group)
static bool update_group(Call *call, DbTx *tx, Error *err)
{
    return rename_entity(call, tx, ENTITY_GROUP, "NewGroupName", "NewPath", "group", err);
}

IAM_READ(list_groups)
static bool list_groups(Call *call, DbTx *tx, Error *err)
{
    return iam_list_entities(call, tx, ENTITY_GROUP, "Groups", err);
}

IAM_WRITE(delete_group)
static bool delete_group(Call *call, DbTx *tx, Error *err)
{
    return delete_entity(call, tx, ENTITY_GROUP, err);
}

/* The other side of memberships: users of a group, groups of a user, profiles of a role. */
static bool list_members(Call *call, DbTx *tx, const char *sql, int64_t row, EntityType type,
                         IamPage *page, Json *list, Error *err)
{
    Str names[1000];
    int n = 0;
    Error end = {0};
    {
        DB_ROWS(rows);
        if (!db_query(tx, &rows, err, sql, "it", row, page->after)) return false;
        while (n < (int)COUNT(names) && db_next(&rows, &end))
            names[n++] = arena_str(call->arena, db_text(&rows, 0));
    }
    for (int i = 0; i < n; i++) {
        Entity entity;
        if (!entity_find(tx, type, names[i], call->arena, &entity, err)) return false;
        if (!entity.row) continue;
        Json *json = entity_json(call, &entity, false);
        if (type == ENTITY_PROFILE) {
            IamPage all = {STR(""), 1000};
            Json *roles = json_new_array(call->arena);
            if (!list_members(call, tx,
                              "SELECT name FROM iam_entity JOIN iam_member ON id = member WHERE "
                              "entity = ? AND key > ? ORDER BY key",
                              entity.row, ENTITY_ROLE, &all, roles, err))
                return false;
            json_set(call->arena, json, "Roles", roles);
        }
        if (!iam_page_add(call, page, list, json, entity.name)) break;
    }
    return true;
}

static const char members_sql[] =
    "SELECT name FROM iam_entity JOIN iam_member ON id = member WHERE entity = ? AND key > ? ORDER BY key";
static const char groups_sql[] =
    "SELECT name FROM iam_entity JOIN iam_member ON id = entity WHERE member = ? AND key > ? ORDER BY key";

IAM_READ(get_group)
static bool get_group(Call *call, DbTx *tx, Error *err)
{
    Entity group;
    IamPage page = iam_page(call);
    Json *users = json_new_array(call->arena);
    if (!entity_of_call(call, tx, ENTITY_GROUP, &group, err) ||
        !list_members(call, tx, members_sql, group.row, ENTITY_USER, &page, users, err))
        return false;
    json_set(call->arena, call->out, "Group", entity_json(call, &group, true));
    iam_page_end(call, "Users", users);
    return true;
}

IAM_READ(list_groups_for_user)
static bool list_groups_for_user(Call *call, DbTx *tx, Error *err)
{
    Entity user;
    IamPage page = iam_page(call);
    Json *groups = json_new_array(call->arena);
    if (!entity_of_call(call, tx, ENTITY_USER, &user, err) ||
        !list_members(call, tx, groups_sql, user.row, ENTITY_GROUP, &page, groups, err))
        return false;
    iam_page_end(call, "Groups", groups);
    return true;
}

static bool add_member(Call *call, DbTx *tx, EntityType type, EntityType member_type, int64_t max,
                       const char *max_sql, const char *quota, Error *err)
{
    Entity entity, member;
    int64_t n;
    if (!entity_of_call(call, tx, type, &entity, err) ||
        !entity_of_call(call, tx, member_type, &member, err) ||
        !db_run(
            tx, err,
            "INSERT INTO iam_member (entity, member) VALUES (?, ?) ON CONFLICT (entity, member) "
            "DO NOTHING",
            "ii", entity.row, member.row) ||
        !count(tx, max_sql, type == ENTITY_GROUP ? member.row : entity.row, &n, err))
        return false;
    if (n > max)
        return call_error_status(call, err, 409, "LimitExceeded",
                                 "Cannot exceed quota for %s: %lld", quota, (long long)max);
    return true;
}

static bool remove_member(Call *call, DbTx *tx, EntityType type, EntityType member_type, Error *err)
{
    Entity entity, member;
    if (!entity_of_call(call, tx, type, &entity, err) ||
        !entity_of_call(call, tx, member_type, &member, err) ||
        !db_run(tx, err, "DELETE FROM iam_member WHERE entity = ? AND member = ?", "ii", entity.row,
                member.row))
        return false;
    if (db_changed(tx)) return true;
    const char *word = entity_word(member_type), *into = entity_word(type);
    return call_error_status(call, err, 404, "NoSuchEntity", "The %s %.*s is not in the %s %.*s.",
                             word, STR_ARG(member.name), into, STR_ARG(entity.name));
}

IAM_WRITE(add_user_to_group)
static bool add_user_to_group(Call *call, DbTx *tx, Error *err)
{
    return add_member(call, tx, ENTITY_GROUP, ENTITY_USER, GROUPS_MAX,
                      "SELECT COUNT(*) FROM iam_member WHERE member = ?", "GroupsPerUser", err);
}

IAM_WRITE(remove_user_from_group)
static bool remove_user_from_group(Call *call, DbTx *tx, Error *err)
{
    return remove_member(call, tx, ENTITY_GROUP, ENTITY_USER, err);
}

IAM_WRITE(create_instance_profile)
static bool create_instance_profile(Call *call, DbTx *tx, Error *err)
{
    Entity profile = {.extra = json_new_object(call->arena)};
    if (!create_entity(call, tx, ENTITY_PROFILE, "AIPA", "instance-profile", "InstanceProfile",
                       &profile, err))
        return false;
    Json *json = entity_json(call, &profile, true);
    json_set(call->arena, json, "Roles", json_new_array(call->arena));
    json_set(call->arena, call->out, "InstanceProfile", json);
    return true;
}

IAM_READ(get_instance_profile)
static bool get_instance_profile(Call *call, DbTx *tx, Error *err)
{
    Entity profile;
    IamPage page = {STR(""), 1000};
    Json *roles = json_new_array(call->arena);
    if (!entity_of_call(call, tx, ENTITY_PROFILE, &profile, err) ||
        !list_members(call, tx, members_sql, profile.row, ENTITY_ROLE, &page, roles, err))
        return false;
    Json *json = entity_json(call, &profile, true);
    json_set(call->arena, json, "Roles", roles);
    json_set(call->arena, call->out, "InstanceProfile", json);
    return true;
}

IAM_READ(list_instance_profiles_for_role)
static bool list_instance_profiles_for_role(Call *call, DbTx *tx, Error *err)
{
    Entity role;
    IamPage page = iam_page(call);
    Json *profiles = json_new_array(call->arena);
    if (!entity_of_call(call, tx, ENTITY_ROLE, &role, err) ||
        !list_members(call, tx, groups_sql, role.row, ENTITY_PROFILE, &page, profiles, err))
        return false;
    iam_page_end(call, "InstanceProfiles", profiles);
    return true;
}

IAM_WRITE(add_role_to_instance_profile)
static bool add_role_to_instance_profile(Call *call, DbTx *tx, Error *err)
{
    return add_member(call, tx, ENTITY_PROFILE, ENTITY_ROLE, 1,
                      "SELECT COUNT(*) FROM iam_member WHERE entity = ?",
                      "InstanceSessionsPerInstanceProfile", err);
}

IAM_WRITE(remove_role_from_instance_profile)
static bool remove_role_from_instance_profile(Call *call, DbTx *tx, Error *err)
{
    return remove_member(call, tx, ENTITY_PROFILE, ENTITY_ROLE, err);
}

IAM_WRITE(delete_instance_profile)
static bool delete_instance_profile(Call *call, DbTx *tx, Error *err)
{
    return delete_entity(call, tx, ENTITY_PROFILE, err);
}

/* ---- the account ---- */

IAM_READ(get_account_summary)
static bool get_account_summary(Call *call, DbTx *tx, Error *err)
{
    static const struct {
        const char *name, *sql;
    } counts[] = {
        {"Users", "SELECT COUNT(*) FROM iam_entity WHERE type = 0 AND ? = 0"},
        {"Roles", "SELECT COUNT(*) FROM iam_entity WHERE type = 1 AND ? = 0"},
        {"Groups", "SELECT COUNT(*) FROM iam_entity WHERE type = 2 AND ? = 0"},
        {"InstanceProfiles", "SELECT COUNT(*) FROM iam_entity WHERE type = 3 AND ? = 0"},
        {"Policies", "SELECT COUNT(*) FROM iam_policy WHERE ? = 0"},
    };
    static const struct {
        const char *name;
        int64_t value;
    } quotas[] = {
        {"AccessKeysPerUserQuota", ACCESS_KEYS_MAX},
        {"GroupsPerUserQuota", GROUPS_MAX},
        {"AttachedPoliciesPerUserQuota", ATTACHED_MAX},
        {"AttachedPoliciesPerRoleQuota", ATTACHED_MAX},
        {"AttachedPoliciesPerGroupQuota", ATTACHED_MAX},
        {"UserPolicySizeQuota", POLICY_USER_MAX},
        {"RolePolicySizeQuota", POLICY_ROLE_MAX},
        {"GroupPolicySizeQuota", POLICY_GROUP_MAX},
        {"PolicySizeQuota", POLICY_MANAGED_MAX},
        {"AssumeRolePolicySizeQuota", POLICY_TRUST_MAX},
        {"VersionsPerPolicyQuota", VERSIONS_MAX},
        {"AccountMFAEnabled", 0},
        {"AccountAccessKeysPresent", 1},
    };
    Json *map = json_new_object(call->arena);
    for (size_t i = 0; i < COUNT(counts); i++) {
        int64_t n;
        if (!count(tx, counts[i].sql, 0, &n, err)) return false;
        json_set_int(call->arena, map, counts[i].name, n);
    }
    for (size_t i = 0; i < COUNT(quotas); i++)
        json_set_int(call->arena, map, quotas[i].name, quotas[i].value);
    json_set(call->arena, call->out, "SummaryMap", map);
    return true;
}

static bool list_account_aliases(Call *call, Error *err)
{
    (void)err;
    json_set(call->arena, call->out, "AccountAliases", json_new_array(call->arena));
    json_set_bool(call->arena, call->out, "IsTruncated", false);
    return true;
}

#define USER "arn:aws:iam::{account}:user/{UserName}"
#define ROLE "arn:aws:iam::{account}:role/{RoleName}"
#define GROUP "arn:aws:iam::{account}:group/{GroupName}"
#define PROFILE "arn:aws:iam::{account}:instance-profile/{InstanceProfileName}"

const ServiceOperation iam_principal_operations[] = {
    {"CreateUser", create_user_call, .resource = USER, .flags = OPERATION_WRITES},
    {"GetUser", get_user_call, .resource = USER},
    {"ListUsers", list_users_call, .resource = "arn:aws:iam::{account}:user/"},
    {"UpdateUser", update_user_call, .resource = USER, .flags = OPERATION_WRITES},
    {"DeleteUser", delete_user_call, .resource = USER, .flags = OPERATION_WRITES},
    {"TagUser", tag_user_call, .resource = USER, .flags = OPERATION_WRITES},
    {"UntagUser", untag_user_call, .resource = USER, .flags = OPERATION_WRITES},
    {"ListUserTags", list_user_tags_call, .resource = USER},
    {"PutUserPermissionsBoundary", put_user_boundary_call, .resource = USER,
     .flags = OPERATION_WRITES},
    {"DeleteUserPermissionsBoundary", delete_user_boundary_call, .resource = USER,
     .flags = OPERATION_WRITES},
    {"CreateAccessKey", create_access_key_call, .resource = USER,
     .flags = OPERATION_WRITES | OPERATION_SECRET},
    {"ListAccessKeys", list_access_keys_call, .resource = USER},
    {"DeleteAccessKey", delete_access_key_call, .resource = USER, .flags = OPERATION_WRITES},
    {"UpdateAccessKey", update_access_key_call, .resource = USER, .flags = OPERATION_WRITES},
    {"GetAccessKeyLastUsed", get_access_key_last_used_call, .resource = "*"},
    {"CreateRole", create_role_call, .resource = ROLE, .flags = OPERATION_WRITES},
    {"GetRole", get_role_call, .resource = ROLE},
    {"ListRoles", list_roles_call, .resource = "arn:aws:iam::{account}:role/"},
    {"UpdateRole", update_role_call, .resource = ROLE, .flags = OPERATION_WRITES},
    {"UpdateRoleDescription", update_role_description_call, .resource = ROLE,
     .flags = OPERATION_WRITES},
    {"UpdateAssumeRolePolicy", update_assume_role_policy_call, .resource = ROLE,
     .flags = OPERATION_WRITES},
    {"DeleteRole", delete_role_call, .resource = ROLE, .flags = OPERATION_WRITES},
    {"TagRole", tag_role_call, .resource = ROLE, .flags = OPERATION_WRITES},
    {"UntagRole", untag_role_call, .resource = ROLE, .flags = OPERATION_WRITES},
    {"ListRoleTags", list_role_tags_call, .resource = ROLE},
    {"PutRolePermissionsBoundary", put_role_boundary_call, .resource = ROLE,
     .flags = OPERATION_WRITES},
    {"DeleteRolePermissionsBoundary", delete_role_boundary_call, .resource = ROLE,
     .flags = OPERATION_WRITES},
    {"CreateServiceLinkedRole", create_service_linked_role_call,
     .resource = "arn:aws:iam::{account}:role/aws-service-role/{AWSServiceName}/*",
     .flags = OPERATION_WRITES},
    {"ListInstanceProfilesForRole", list_instance_profiles_for_role_call, .resource = ROLE},
    {"CreateGroup", create_group_call, .resource = GROUP, .flags = OPERATION_WRITES},
    {"GetGroup", get_group_call, .resource = GROUP},
    {"ListGroups", list_groups_call, .resource = "arn:aws:iam::{account}:group/"},
    {"UpdateGroup", update_group_call, .resource = GROUP, .flags = OPERATION_WRITES},
    {"DeleteGroup", delete_group_call, .resource = GROUP, .flags = OPERATION_WRITES},
    {"AddUserToGroup", add_user_to_group_call, .resource = GROUP, .flags = OPERATION_WRITES},
    {"RemoveUserFromGroup", remove_user_from_group_call, .resource = GROUP,
     .flags = OPERATION_WRITES},
    {"ListGroupsForUser", list_groups_for_user_call, .resource = USER},
    {"CreateInstanceProfile", create_instance_profile_call, .resource = PROFILE,
     .flags = OPERATION_WRITES},
    {"GetInstanceProfile", get_instance_profile_call, .resource = PROFILE},
    {"AddRoleToInstanceProfile", add_role_to_instance_profile_call, .resource = PROFILE,
     .flags = OPERATION_WRITES},
    {"RemoveRoleFromInstanceProfile", remove_role_from_instance_profile_call, .resource = PROFILE,
     .flags = OPERATION_WRITES},
    {"DeleteInstanceProfile", delete_instance_profile_call, .resource = PROFILE,
     .flags = OPERATION_WRITES},
    {"GetAccountSummary", get_account_summary_call, .resource = "*"},
    {"ListAccountAliases", list_account_aliases, .resource = "*"},
    {0},
};
