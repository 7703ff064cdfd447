/* Tags of resources, by ARN. */

#include "service/resource.h"

bool resource_tags_check(Call *call, const Json *tags, Error *err)
{
    for (size_t i = 0; tags && i < tags->n; i++) {
        Str key = json_get_text(json_at(tags, i), "Key");
        if (key.len >= 4 && str_eq_nocase(str_slice(key, 0, 4), STR("aws:")))
            return call_error(call, err, "ValidationException",
                              "Tag keys that begin with 'aws:' are reserved: '%.*s'", STR_ARG(key));
        for (size_t k = 0; k < i; k++)
            if (str_eq(key, json_get_text(json_at(tags, k), "Key")))
                return call_error(call, err, "ValidationException",
                                  "Duplicate tag key found: '%.*s'", STR_ARG(key));
    }
    return true;
}

typedef struct TagWork {
    Str arn;
    const Json *tags;
    Arena *arena;
    Json *out;
} TagWork;

bool resource_tags_store(DbTx *tx, Str arn, const Json *tags, Error *err)
{
    for (size_t i = 0; tags && i < tags->n; i++) {
        const Json *tag = json_at(tags, i);
        Str value = json_get_text(tag, "Value");
        if (!db_run(
                tx, err,
                "INSERT INTO resource_tag (arn, key, value) VALUES (?, ?, ?) ON CONFLICT (arn, key) DO UPDATE "
                "SET value = excluded.value",
                "ttt", arn, json_get_text(tag, "Key"), value.ptr ? value : STR("")))
            return false;
    }
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err, "SELECT count(*) FROM resource_tag WHERE arn = ?", "t", arn) ||
        !db_next(&rows, err))
        return false;
    return db_int(&rows, 0) <= RESOURCE_TAGS_MAX ||
           error_set(err, ERROR_LIMIT, "A resource can have no more than %d tags",
                     RESOURCE_TAGS_MAX);
}

static bool tags_set_in(void *arg, DbTx *tx, Error *err)
{
    const TagWork *work = arg;
    return resource_tags_store(tx, work->arn, work->tags, err);
}

bool resource_tags_set(Server *server, Str arn, const Json *tags, Error *err)
{
    TagWork work = {arn, tags, NULL, NULL};
    return db_write(server->db, tags_set_in, &work, err);
}

static bool tags_drop_in(void *arg, DbTx *tx, Error *err)
{
    TagWork *work = arg;
    for (size_t i = 0; work->tags && i < work->tags->n; i++)
        if (!db_run(tx, err, "DELETE FROM resource_tag WHERE arn = ? AND key = ?", "tt", work->arn,
                    json_at(work->tags, i)->text))
            return false;
    return true;
}

bool resource_tags_drop(Server *server, Str arn, const Json *keys, Error *err)
{
    TagWork work = {arn, keys, NULL, NULL};
    return db_write(server->db, tags_drop_in, &work, err);
}

static bool tags_get_in(void *arg, DbTx *tx, Error *err)
{
    TagWork *work = arg;
    DB_ROWS(rows);
    Error end = {0};
    if (!db_query(tx, &rows, err, "SELECT key, value FROM resource_tag WHERE arn = ? ORDER BY key",
                  "t", work->arn))
        return false;
    while (db_next(&rows, &end)) {
        Json *tag = json_new_object(work->arena);
        json_set_text(work->arena, tag, "Key", arena_str(work->arena, db_text(&rows, 0)));
        json_set_text(work->arena, tag, "Value", arena_str(work->arena, db_text(&rows, 1)));
        json_push(work->arena, work->out, tag);
    }
    if (end.kind) *err = end;
    return !end.kind;
}

bool resource_tags_get(Server *server, Str arn, Arena *arena, Json **ret_tags, Error *err)
{
    TagWork work = {arn, NULL, arena, json_new_array(arena)};
    if (!db_read(server->db, tags_get_in, &work, err)) return false;
    *ret_tags = work.out;
    return true;
}
