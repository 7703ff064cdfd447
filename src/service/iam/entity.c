/* Users, roles and groups as rows, and what their operations share. */

#include "service/iam/iam.h"

#include "aws/text.h"

#include <stdio.h>

const char *entity_word(EntityType type)
{
    static const char *const words[] = {"user", "role", "group", "instance profile"};
    return words[type];
}

const char *entity_member(EntityType type)
{
    static const char *const members[] = {"UserName", "RoleName", "GroupName",
                                          "InstanceProfileName"};
    return members[type];
}

/* ---- transactions ---- */

typedef struct Job {
    Call *call;
    IamWork *work;
} Job;

static bool run_job(void *arg, DbTx *tx, Error *err)
{
    Job *job = arg;
    return job->work(job->call, tx, err);
}

bool iam_read(Call *call, IamWork *work, Error *err)
{
    Job job = {call, work};
    return iam_ready(call->server->iam, err) && db_read(call->server->db, run_job, &job, err);
}

bool iam_add(Call *call, IamWork *work, Error *err)
{
    Job job = {call, work};
    return iam_ready(call->server->iam, err) && db_write(call->server->db, run_job, &job, err);
}

bool iam_write(Call *call, IamWork *work, Error *err)
{
    if (!iam_add(call, work, err)) return false;
    iam_changed(call->server->iam);
    return true;
}

/* ---- rows ---- */

/* Names differ in more than the case of their letters. */
static Str key_of(Arena *arena, Str name)
{
    Str key = arena_str(arena, name);
    for (char *p = (char *)(uintptr_t)key.ptr; p < key.ptr + key.len; p++)
        if (*p >= 'A' && *p <= 'Z') *p = (char)(*p | 32);
    return key;
}

bool entity_find(DbTx *tx, EntityType type, Str name, Arena *arena, Entity *ret_entity, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    *ret_entity = (Entity){.type = type};
    if (!db_query(tx, &rows, err,
                  "SELECT id, name, path, unique_id, arn, created, extra, trust FROM iam_entity "
                  "WHERE type = ? AND key = ?",
                  "it", (int64_t)type, key_of(arena, name)))
        return false;
    if (!db_next(&rows, &end))
        return end.kind == ERROR_NONE || error_set(err, end.kind, "%s", end.text);
    const Json *extra;
    if (!json_parse(arena_str(arena, db_text(&rows, 6)), arena, &extra, err)) return false;
    *ret_entity = (Entity){.type = type,
                           .row = db_int(&rows, 0),
                           .name = arena_str(arena, db_text(&rows, 1)),
                           .path = arena_str(arena, db_text(&rows, 2)),
                           .id = arena_str(arena, db_text(&rows, 3)),
                           .arn = arena_str(arena, db_text(&rows, 4)),
                           .created = db_real(&rows, 5),
                           .extra = json_copy(arena, extra),
                           .trust = arena_str(arena, db_text(&rows, 7))};
    return true;
}

bool entity_need(Call *call, DbTx *tx, EntityType type, Str name, Entity *ret_entity, Error *err)
{
    if (!entity_find(tx, type, name, call->arena, ret_entity, err)) return false;
    if (ret_entity->row) return true;
    const char *word = entity_word(type);
    return call_error_status(call, err, 404, "NoSuchEntity",
                             "The %s with name %.*s cannot be found.", word, STR_ARG(name));
}

bool entity_of_call(Call *call, DbTx *tx, EntityType type, Entity *ret_entity, Error *err)
{
    return entity_need(call, tx, type, call_text(call, entity_member(type)), ret_entity, err);
}

bool entity_save(DbTx *tx, const Entity *entity, Arena *arena, Error *err)
{
    return db_run(
        tx, err,
        "UPDATE iam_entity SET key = ?, name = ?, path = ?, arn = ?, extra = ?, trust = ? "
        "WHERE id = ?",
        "tttttti", key_of(arena, entity->name), entity->name, entity->path, entity->arn,
        json_text(arena, entity->extra), entity->trust, entity->row);
}

bool entity_insert(Call *call, DbTx *tx, Entity *entity, Error *err)
{
    Entity other;
    if (!entity_find(tx, entity->type, entity->name, call->arena, &other, err)) return false;
    if (other.row) {
        const char *word = entity_word(entity->type);
        return call_error_status(call, err, 409, "EntityAlreadyExists",
                                 "%c%s with name %.*s already exists.", word[0] - 32, word + 1,
                                 STR_ARG(entity->name));
    }
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(
            tx, &rows, err,
            "INSERT INTO iam_entity (type, key, name, path, unique_id, arn, created, extra, trust) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            "ittttt"
            "dtt",
            (int64_t)entity->type, key_of(call->arena, entity->name), entity->name, entity->path,
            entity->id, entity->arn, entity->created, json_text(call->arena, entity->extra),
            entity->trust))
        return false;
    if (!db_next(&rows, &end))
        return error_set(err, ERROR_INTERNAL, "no row was made: %s", end.text);
    entity->row = db_int(&rows, 0);
    return true;
}

/* ---- texts ---- */

Str iam_arn(Call *call, const char *type, Str path, Str name)
{
    if (!path.len) path = STR("/");
    return arena_format(call->arena, "arn:aws:iam::%s:%s%.*s%.*s", call->server->options->account,
                        type, STR_ARG(path), STR_ARG(name));
}

/* As documents are in answers of the query protocol. */
static Str encoded(Arena *arena, Str document)
{
    AUTO_STRBUF StrBuf out = STRBUF(4 * POLICY_TEXT_MAX);
    percent_write(&out, document, false);
    return arena_str(arena, strbuf_str(&out));
}

void iam_set_document(Call *call, Json *object, const char *name, Str document)
{
    json_set_text(call->arena, object, name, encoded(call->arena, document));
}

Json *entity_json(Call *call, const Entity *entity, bool with_tags)
{
    static const char *const ids[] = {"UserId", "RoleId", "GroupId", "InstanceProfileId"};
    Arena *arena = call->arena;
    Json *json = json_new_object(arena);
    json_set_text(arena, json, "Path", entity->path);
    json_set_text(arena, json, entity_member(entity->type), entity->name);
    json_set_text(arena, json, ids[entity->type], entity->id);
    json_set_text(arena, json, "Arn", entity->arn);
    json_set_double(arena, json, "CreateDate", entity->created);
    if (entity->type == ENTITY_ROLE) {
        iam_set_document(call, json, "AssumeRolePolicyDocument", entity->trust);
        Str description = json_get_text(entity->extra, "Description");
        if (description.len) json_set_text(arena, json, "Description", description);
        json_set_int(arena, json, "MaxSessionDuration",
                     json_get_int(entity->extra, "MaxSessionDuration", 3600));
    }
    Str boundary = json_get_text(entity->extra, "PermissionsBoundary");
    if (boundary.len && with_tags) {
        Json *part = json_new_object(arena);
        json_set_text(arena, part, "PermissionsBoundaryType", STR("Policy"));
        json_set_text(arena, part, "PermissionsBoundaryArn", boundary);
        json_set(arena, json, "PermissionsBoundary", part);
    }
    const Json *tags = json_get(entity->extra, "Tags");
    if (with_tags && tags && tags->n) json_set(arena, json, "Tags", tags);
    return json;
}

bool iam_check_policy(Call *call, Str text, PolicyKind kind, size_t max, const char *code,
                      Error *err)
{
    Error why = {0};
    Policy *policy = policy_new(text, kind, max, &why);
    if (policy) {
        policy_free(policy);
        return true;
    }
    if (why.kind == ERROR_LIMIT)
        return call_error_status(call, err, 409, "LimitExceeded",
                                 "Maximum policy size of %zu bytes exceeded", max);
    return call_error_status(call, err, 400, code, "%s", why.text);
}

/* ---- tags ---- */

bool iam_tags_add(Call *call, Json *extra, Error *err)
{
    const Json *add = json_get(call->in, "Tags"), *have = json_get(extra, "Tags");
    Json *all = json_new_array(call->arena);
    for (size_t i = 0; have && i < have->n; i++) {
        Str key = json_get_text(json_at(have, i), "Key");
        bool again = false;
        for (size_t k = 0; add && k < add->n; k++)
            again |= str_eq_nocase(key, json_get_text(json_at(add, k), "Key"));
        if (!again) json_push(call->arena, all, json_at(have, i));
    }
    for (size_t i = 0; add && i < add->n; i++) {
        Str key = json_get_text(json_at(add, i), "Key");
        for (size_t k = 0; k < i; k++)
            if (str_eq_nocase(key, json_get_text(json_at(add, k), "Key")))
                return call_error_status(call, err, 400, "InvalidInput",
                                         "Duplicate tag keys found. Please note that Tag keys are "
                                         "case insensitive.");
        json_push(call->arena, all, json_copy(call->arena, json_at(add, i)));
    }
    if (all->n > TAGS_MAX)
        return call_error_status(call, err, 409, "LimitExceeded",
                                 "The number of tags has reached the maximum limit.");
    json_set(call->arena, extra, "Tags", all);
    return true;
}

void iam_tags_remove(Call *call, Json *extra)
{
    const Json *drop = json_get(call->in, "TagKeys"), *have = json_get(extra, "Tags");
    Json *left = json_new_array(call->arena);
    for (size_t i = 0; have && i < have->n; i++) {
        Str key = json_get_text(json_at(have, i), "Key");
        bool gone = false;
        for (size_t k = 0; drop && k < drop->n; k++)
            gone |= str_eq_nocase(key, json_at(drop, k)->text);
        if (!gone) json_push(call->arena, left, json_at(have, i));
    }
    json_set(call->arena, extra, "Tags", left);
}

/* ---- lists ---- */

IamPage iam_page(const Call *call)
{
    Str marker = call_text(call, "Marker");
    int64_t limit = json_get_int(call->in, "MaxItems", 100);
    return (IamPage){marker.ptr ? marker : STR(""), MAX(1, MIN(limit, 1000))};
}

bool iam_page_add(Call *call, IamPage *page, Json *list, Json *item, Str name)
{
    if (page->limit == 0) {
        json_set_bool(call->arena, call->out, "IsTruncated", true);
        json_set_text(call->arena, call->out, "Marker", page->after);
        return false;
    }
    page->limit--;
    page->after = arena_str(call->arena, name);
    json_push(call->arena, list, item);
    return true;
}

void iam_page_end(Call *call, const char *member, Json *list)
{
    json_set(call->arena, call->out, member, list);
    if (!json_get(call->out, "IsTruncated"))
        json_set_bool(call->arena, call->out, "IsTruncated", false);
}

/* ListUsers, ListRoles, ListGroups: below a path. */
bool iam_list_entities(Call *call, DbTx *tx, EntityType type, const char *member, Error *err)
{
    DB_ROWS(rows);
    Error end = {0};
    Json *list = json_new_array(call->arena);
    IamPage page = iam_page(call);
    Str prefix = call_text(call, "PathPrefix");
    if (!db_query(tx, &rows, err,
                  "SELECT name, path, unique_id, arn, created, extra, trust FROM iam_entity "
                  "WHERE type = ? AND key > ? ORDER BY key",
                  "it", (int64_t)type, key_of(call->arena, page.after)))
        return false;
    while (db_next(&rows, &end)) {
        Str path = db_text(&rows, 1);
        if (prefix.len && !str_starts(path, prefix)) continue;
        const Json *extra;
        if (!json_parse(arena_str(call->arena, db_text(&rows, 5)), call->arena, &extra, err))
            return false;
        Entity entity = {.type = type,
                         .name = arena_str(call->arena, db_text(&rows, 0)),
                         .path = arena_str(call->arena, path),
                         .id = arena_str(call->arena, db_text(&rows, 2)),
                         .arn = arena_str(call->arena, db_text(&rows, 3)),
                         .created = db_real(&rows, 4),
                         .extra = json_copy(call->arena, extra),
                         .trust = arena_str(call->arena, db_text(&rows, 6))};
        if (!iam_page_add(call, &page, list, entity_json(call, &entity, false), entity.name)) break;
    }
    iam_page_end(call, member, list);
    return true;
}
