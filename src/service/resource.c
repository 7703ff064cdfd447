/* The engine of all resources; see resource.h.
 *
 * Two tables: `resource` has what lists are sorted and filtered by, small and without the documents, so that an
 * index answers a page alone; `resource_document` has the document, read for the lines of a page only.  The key
 * is the name in lower case.
 *
 * A page begins behind the last line of the page before: its token is that line's sort key and name, so it holds
 * after restarts, and lines that come or go meanwhile disturb no other.
 *
 * Waiters: a Describe that a stock waiter sends is parked while the state is one that passes.  It is put on a list
 * before the last look at the state and is resumed by whoever changed it (http_worker.h says how that races). */

#include "service/resource.h"

#include "aws/digest.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_MAX = RESOURCE_NAME_BYTES_MAX, BATCH = 64, SQL_BYTES_MAX = 4096, CUT_DEPTH_MAX = 100 };

/* Sorts after every text of ours. */
#define TEXT_LAST STR("\xf4\x8f\xbf\xbf")
#define TIME_LAST 1e300

typedef enum Sort { SORT_NAME, SORT_CREATED, SORT_MODIFIED, SORT_STATE, SORT_IN_STATE } Sort;
enum { SORTS = SORT_IN_STATE + 1 };

/* Filters that are on. */
enum { BY_CREATED = 1, BY_MODIFIED = 2, BY_STATE = 4, BY_NAME = 8, FILTERS = 16 };

typedef struct Waiter {
    HttpCall *http;
    const ResourceKind *kind;
    Str region;
    char key[KEY_MAX + 1];
    struct Waiter *next;
} Waiter;

typedef struct Resources {
    Arena arena;
    const char *list[SORTS][2][FILTERS]; /* SQL by order, descending, filters */
    pthread_mutex_t mutex;
    Waiter *waiters;
} Resources;

static const char *const schema[] = {
    "CREATE TABLE resource (kind TEXT NOT NULL, region TEXT NOT NULL, key TEXT NOT NULL, name TEXT NOT NULL, "
    "arn TEXT NOT NULL, state TEXT NOT NULL, created DOUBLE PRECISION NOT NULL, modified DOUBLE PRECISION NOT NULL, "
    "version BIGINT NOT NULL, PRIMARY KEY (kind, region, key)) WITHOUT ROWID",
    "CREATE TABLE resource_document (kind TEXT NOT NULL, region TEXT NOT NULL, key TEXT NOT NULL, document TEXT NOT "
    "NULL, PRIMARY KEY (kind, region, key))",
    "CREATE UNIQUE INDEX resource_by_arn ON resource (arn)",
    "CREATE INDEX resource_by_created ON resource (kind, region, created, key, modified, state)",
    "CREATE INDEX resource_by_modified ON resource (kind, region, modified, key, created, state)",
    "CREATE INDEX resource_by_state ON resource (kind, region, state, created, key, modified)",
    "CREATE TABLE resource_tag (arn TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (arn, key)) "
    "WITHOUT ROWID",
    NULL,
};

#define COLUMNS                                                                                    \
    "r.kind, r.region, r.name, r.arn, r.state, r.created, r.modified, r.version, "                 \
    "(SELECT d.document FROM resource_document d WHERE d.kind = r.kind AND d.region = r.region AND d.key = r.key) "

/* ---- lists as SQL ---- */

/* Parameters, in order: kind, region, created after, before, modified after, before, state, state, name pattern,
 * then the order's own, then the limit.  They are there also where a filter is off: its condition is then one
 * without a column, looked at once and not for each row.  "+ 0" and "NOT" keep a filter from choosing the index,
 * which is the order's affair.  The page is found in an index alone; only its rows are looked up. */
static const char *list_sql(Arena *arena, Sort sort, bool descending, int filters)
{
    static const char *const forms[SORTS][2] = {
        {"AND key > ?", "AND key < ?"},
        {"AND (created, key) > (?, ?) AND created < ?",
         "AND (created, key) < (?, ?) AND created > ?"},
        {"AND (modified, key) > (?, ?) AND modified < ?",
         "AND (modified, key) < (?, ?) AND modified > ?"},
        {"AND (state, created, key) > (?, ?, ?)", "AND (state, created, key) < (?, ?, ?)"},
        {"AND state = ? AND (created, key) > (?, ?) AND created < ?",
         "AND state = ? AND (created, key) < (?, ?) AND created > ?"},
    };
    static const char *const orders[SORTS][2] = {
        {"key", "key DESC"},
        {"created, key", "created DESC, key DESC"},
        {"modified, key", "modified DESC, key DESC"},
        {"state, created, key", "state DESC, created DESC, key DESC"},
        {"created, key", "created DESC, key DESC"},
    };
    static const char off_times[] = "CAST(? AS DOUBLE PRECISION) < CAST(? AS DOUBLE PRECISION)";
    const char *order = orders[sort][descending];
    return arena_format(
               arena,
               "SELECT " COLUMNS
               "FROM (SELECT kind AS k, region AS g, key AS y FROM resource WHERE kind = ? AND region = ? AND %s "
               "AND %s AND %s AND %s %s ORDER BY %s LIMIT ?) p CROSS JOIN resource r WHERE r.kind = p.k AND "
               "r.region = p.g AND r.key = p.y ORDER BY %s",
               filters & BY_CREATED ? "created + 0 > ? AND created + 0 < ?" : off_times,
               filters & BY_MODIFIED ? "modified + 0 > ? AND modified + 0 < ?" : off_times,
               filters & BY_STATE ? "? <> '' AND NOT (state <> ?)"
                                  : "CAST(? AS TEXT) = CAST(? AS TEXT)",
               filters & BY_NAME ? "key LIKE ? ESCAPE '!'" : "CAST(? AS TEXT) = ''",
               forms[sort][descending], order, order)
        .ptr;
}

bool resources_open(Server *server, Error *err)
{
    if (!db_schema(server->db, "resource", schema, err)) return false;
    Resources *resources = calloc(1, sizeof *resources);
    if (!resources) memory_exhausted(sizeof *resources);
    for (int sort = 0; sort < SORTS; sort++)
        for (int descending = 0; descending < 2; descending++)
            for (int filters = 0; filters < FILTERS; filters++)
                resources->list[sort][descending][filters] = list_sql(&resources->arena, (Sort)sort,
                                                                      descending, filters);
    pthread_mutex_init(&resources->mutex, NULL);
    server->resources = resources;
    return true;
}

void resources_close(Server *server)
{
    Resources *resources = server->resources;
    if (!resources) return;
    while (resources->waiters) {
        Waiter *waiter = resources->waiters;
        resources->waiters = waiter->next;
        free(waiter);
    }
    pthread_mutex_destroy(&resources->mutex);
    arena_clear(&resources->arena);
    free(resources);
    server->resources = NULL;
}

/* ---- names ---- */

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static Str lower_case(Arena *arena, Str name)
{
    Str copy = arena_str(arena, name);
    for (size_t i = 0; i < copy.len; i++) ((char *)(uintptr_t)copy.ptr)[i] = lower(copy.ptr[i]);
    return copy;
}

Str resource_arn(Server *server, const ResourceKind *kind, Str region, Str name, Arena *arena)
{
    Str key = lower_case(arena, name);
    if (!kind->arn_form)
        return arena_format(arena, "arn:aws:%s:%.*s:%s:%s/%.*s", kind->service, STR_ARG(region),
                            server->options->account, kind->name, STR_ARG(key));
    AUTO_STRBUF StrBuf out = STRBUF(2048);
    Str rest = str_of(kind->arn_form);
    while (rest.len) {
        size_t open = str_find(rest, '{');
        strbuf_add(&out, str_slice(rest, 0, open));
        if (open == rest.len) break;
        size_t close = str_find(rest, '}');
        Str word = str_slice(rest, open + 1, close);
        strbuf_add(&out, str_is(word, "region")    ? region
                         : str_is(word, "account") ? str_of(server->options->account)
                                                   : key);
        rest = str_from(rest, close + 1);
    }
    return arena_str(arena, strbuf_str(&out));
}

/* `form` with each %.*s replaced. */
static bool kind_error(Call *call, Error *err, const char *code, const char *form, Str value)
{
    AUTO_STRBUF StrBuf out = STRBUF(ERROR_TEXT_MAX);
    Str rest = str_of(form);
    for (size_t i = 0; i < rest.len; i++)
        if (str_starts(str_from(rest, i), STR("%.*s"))) {
            strbuf_add(&out, value);
            i += 3;
        } else {
            strbuf_add_char(&out, rest.ptr[i]);
        }
    return call_error(call, err, code, "%s", strbuf_cstr(&out));
}

static bool missing(Call *call, const ResourceKind *kind, Str name, Error *err)
{
    const char *code = kind->missing_code ? kind->missing_code : "ValidationException";
    Str arn = resource_arn(call->server, kind, call->region, name, call->arena);
    if (kind->missing_message) return kind_error(call, err, code, kind->missing_message, arn);
    return call_error(call, err, code, "Could not find %s \"%.*s\".", kind->title, STR_ARG(arn));
}

/* ---- rows ---- */

static const ResourceKind *kind_named(Str name)
{
    for (const ResourceKind *const *kind = resource_kinds; *kind; kind++)
        if (str_is(name, (*kind)->name)) return *kind;
    return NULL;
}

static void show_columns(Arena *arena, Resource *resource)
{
    const ResourceKind *kind = resource->kind;
    Json *document = resource->document;
    if (kind->arn) json_set_text(arena, document, kind->arn, resource->arn);
    if (kind->state) json_set_text(arena, document, kind->state, resource->state);
    if (kind->created_at) json_set_double(arena, document, kind->created_at, resource->created);
    if (kind->modified_at) json_set_double(arena, document, kind->modified_at, resource->modified);
}

static bool row_resource(const DbRows *rows, const ResourceKind *kind, Arena *arena,
                         Resource *ret_resource, Error *err)
{
    const Json *document;
    if (!kind) kind = kind_named(db_text(rows, 0));
    if (!kind)
        return error_set(err, ERROR_INTERNAL, "the database has a resource of an unknown kind");
    Resource resource = {
        .kind = kind,
        .region = arena_str(arena, db_text(rows, 1)),
        .name = arena_str(arena, db_text(rows, 2)),
        .arn = arena_str(arena, db_text(rows, 3)),
        .state = arena_str(arena, db_text(rows, 4)),
        .created = db_real(rows, 5),
        .modified = db_real(rows, 6),
        .version = db_int(rows, 7),
    };
    if (!json_parse(arena_str(arena, db_text(rows, 8)), arena, &document, err))
        return error_in(err, "document of %.*s", STR_ARG(resource.arn));
    resource.document = json_copy(arena, document);
    show_columns(arena, &resource);
    *ret_resource = resource;
    return true;
}

typedef struct Look {
    Server *server;
    const ResourceKind *kind;
    Str region, key, arn;
    Arena *arena;
    Resource *resource;
} Look;

static bool load_in(void *arg, DbTx *tx, Error *err)
{
    Look *look = arg;
    DB_ROWS(rows);
    Error end = {0};
    *look->resource = (Resource){.kind = look->kind};
    bool ok = look->kind
                  ? db_query(tx, &rows, err,
                             "SELECT " COLUMNS
                             "FROM resource r WHERE kind = ? AND region = ? AND key = ?",
                             "ttt", str_of(look->kind->name), look->region, look->key)
                  : db_query(tx, &rows, err, "SELECT " COLUMNS "FROM resource r WHERE arn = ?", "t",
                             look->arn);
    if (!ok) return false;
    if (db_next(&rows, &end))
        return row_resource(&rows, look->kind, look->arena, look->resource, err);
    if (end.kind) *err = end;
    return !end.kind;
}

bool resource_load(Server *server, const ResourceKind *kind, Str region, Str name, Arena *arena,
                   Resource *ret_resource, Error *err)
{
    Look look = {server, kind, region, lower_case(arena, name), {0}, arena, ret_resource};
    return db_read(server->db, load_in, &look, err);
}

bool resource_load_arn(Server *server, Str arn, Arena *arena, Resource *ret_resource, Error *err)
{
    Look look = {server, NULL, {0}, {0}, arn, arena, ret_resource};
    return db_read(server->db, load_in, &look, err);
}

bool resource_need(Call *call, const ResourceKind *kind, Str name, Resource *ret_resource,
                   Error *err)
{
    if (!resource_load(call->server, kind, call->region, name, call->arena, ret_resource, err))
        return false;
    return ret_resource->document || missing(call, kind, name, err);
}

/* ---- waiters ---- */

bool resource_is_waiter(Str user_agent)
{
    Str word;
    while (str_next(&user_agent, ' ', &word)) {
        if (!str_starts(word, STR("m/"))) continue;
        Str feature, features = str_from(word, 2);
        while (str_next(&features, ',', &feature))
            if (str_eq(feature, STR("B"))) return true;
    }
    return false;
}

static bool state_passes(Str state)
{
    static const char *const passing[] = {
        "InProgress", "Stopping", "Creating", "Updating",  "SystemUpdating", "RollingBack",
        "Deleting",   "Pending",  "Starting", "Executing", "Initializing",
    };
    for (size_t i = 0; i < COUNT(passing); i++)
        if (str_is(state, passing[i])) return true;
    return false;
}

static void waiter_forget(Resources *resources, const HttpCall *http)
{
    pthread_mutex_lock(&resources->mutex);
    for (Waiter **at = &resources->waiters; *at; at = &(*at)->next)
        if ((*at)->http == http) {
            Waiter *waiter = *at;
            *at = waiter->next;
            free(waiter);
            break;
        }
    pthread_mutex_unlock(&resources->mutex);
}

static void waiter_add(Resources *resources, Call *call, const ResourceKind *kind, Str key)
{
    Waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter) memory_exhausted(sizeof *waiter);
    waiter->http = call->http;
    waiter->kind = kind;
    waiter->region = call->region; /* lives as long as the call, which takes itself off */
    memcpy(waiter->key, key.ptr, MIN(key.len, (size_t)KEY_MAX));
    pthread_mutex_lock(&resources->mutex);
    waiter->next = resources->waiters;
    resources->waiters = waiter;
    pthread_mutex_unlock(&resources->mutex);
}

static void wake(Server *server, const ResourceKind *kind, Str region, Str key)
{
    Resources *resources = server->resources;
    pthread_mutex_lock(&resources->mutex);
    for (Waiter *waiter = resources->waiters; waiter; waiter = waiter->next)
        if (waiter->kind == kind && str_eq(waiter->region, region) && str_is(key, waiter->key))
            http_call_resume(waiter->http);
    pthread_mutex_unlock(&resources->mutex);
}

/* Loads a resource that a waiter asked for; *ret_parked when the call waits and is to be left. */
static bool wait_for(Call *call, const ResourceKind *kind, Str name, Resource *ret_resource,
                     bool *ret_parked, Error *err)
{
    Resources *resources = call->server->resources;
    double left = call->now + RESOURCE_WAIT_SECONDS - clock_wall();
    waiter_forget(resources, call->http);
    waiter_add(resources, call, kind, lower_case(call->arena, name));
    bool ok = resource_need(call, kind, name, ret_resource, err);
    if (ok && left > 0 && state_passes(ret_resource->state) &&
        !__atomic_load_n(&call->server->stopping, __ATOMIC_RELAXED)) {
        call->parked = true; /* before: the call may run again at once on another thread */
        if (http_call_park(call->http, MIN(left, RESOURCE_WAIT_SECONDS), call_run_again, NULL)) {
            *ret_parked = true;
            return true;
        }
        call->parked = false;
    }
    waiter_forget(resources, call->http);
    return ok;
}

/* ---- changes ---- */

typedef struct Change {
    Server *server;
    const ResourceKind *kind;
    Str region, key;
    bool (*run)(void *arg, Resource *resource, Error *err);
    void *arg;
    Arena arena;
} Change;

static bool store(DbTx *tx, Arena *arena, Resource *resource, Str key, Error *err)
{
    show_columns(arena, resource);
    Str text = json_text(arena, resource->document);
    if (!text.ptr)
        return error_set(err, ERROR_LIMIT, "the %s's document is too long", resource->kind->title);
    return db_run(
               tx, err,
               "UPDATE resource SET state = ?, modified = ?, version = ? WHERE kind = ? AND region = ? AND key = ?",
               "tdittt", resource->state, resource->modified, resource->version,
               str_of(resource->kind->name), resource->region, key) &&
           db_run(
               tx, err,
               "UPDATE resource_document SET document = ? WHERE kind = ? AND region = ? AND key = ?",
               "tttt", text, str_of(resource->kind->name), resource->region, key);
}

static bool change_in(void *arg, DbTx *tx, Error *err)
{
    Change *change = arg;
    Resource resource;
    Look look = {change->server, change->kind, change->region, change->key, {0},
                 &change->arena, &resource};
    if (!load_in(&look, tx, err)) return false;
    if (!resource.document)
        return error_set(err, ERROR_NOT_FOUND, "Could not find %s \"%.*s\"", change->kind->title,
                         STR_ARG(change->key));
    if (!change->run(change->arg, &resource, err)) return false;
    resource.modified = clock_wall();
    resource.version++;
    return store(tx, &change->arena, &resource, change->key, err);
}

bool resource_change(Server *server, const ResourceKind *kind, Str region, Str name,
                     bool (*change)(void *arg, Resource *resource, Error *err), void *arg,
                     Error *err)
{
    ARENA(scratch);
    Change work = {server, kind, region, lower_case(&scratch, name), change, arg, {0}};
    bool ok = db_write(server->db, change_in, &work, err);
    arena_clear(&work.arena);
    if (ok) wake(server, kind, region, work.key);
    return ok;
}

typedef struct Set {
    const char *state;
    const Json *members;
    Arena *arena;
} Set;

static bool set_members(void *arg, Resource *resource, Error *err)
{
    Set *set = arg;
    (void)err;
    if (set->state) resource->state = str_of(set->state);
    for (size_t i = 0; set->members && i < set->members->n; i++)
        json_set_str(set->arena, resource->document, set->members->members[i].name,
                     set->members->members[i].value);
    return true;
}

bool resource_set(Server *server, const ResourceKind *kind, Str region, Str name, const char *state,
                  const Json *members, Error *err)
{
    ARENA(scratch); /* takes what the document outgrows; it lives until the change is stored */
    Set set = {state, members, &scratch};
    return resource_change(server, kind, region, name, set_members, &set, err);
}

static bool delete_in(void *arg, DbTx *tx, Error *err)
{
    Change *change = arg;
    Str kind = str_of(change->kind->name);
    return db_run(
               tx, err,
               "DELETE FROM resource_tag WHERE arn = (SELECT arn FROM resource WHERE kind = ? AND region = ? AND "
               "key = ?)",
               "ttt", kind, change->region, change->key) &&
           db_run(tx, err,
                  "DELETE FROM resource_document WHERE kind = ? AND region = ? AND key = ?", "ttt",
                  kind, change->region, change->key) &&
           db_run(tx, err, "DELETE FROM resource WHERE kind = ? AND region = ? AND key = ?", "ttt",
                  kind, change->region, change->key) &&
           (db_changed(tx) > 0 || error_set(err, ERROR_NOT_FOUND, "Could not find %s \"%.*s\"",
                                            change->kind->title, STR_ARG(change->key)));
}

bool resource_delete(Server *server, const ResourceKind *kind, Str region, Str name, Error *err)
{
    ARENA(scratch);
    Change work = {server, kind, region, lower_case(&scratch, name), NULL, NULL, {0}};
    if (!db_write(server->db, delete_in, &work, err)) return false;
    wake(server, kind, region, work.key);
    return true;
}

/* ---- answers ---- */

/* A structure's depth is bounded by that of the message it was read from. */
static const Json *cut(Arena *arena, const Shape *shape, const Json *value, int depth)
{
    if (!value || value->type == JSON_NULL || depth > CUT_DEPTH_MAX) return NULL;
    if (shape->is_document) return value;
    Json *out;
    switch (shape->type) {
    case SHAPE_STRUCTURE:
        if (value->type != JSON_OBJECT) return NULL;
        out = json_new_object(arena);
        for (size_t i = 0; i < value->n; i++) {
            const Member *member = member_find(shape, value->members[i].name);
            if (member)
                json_set(arena, out, member->name,
                         cut(arena, member->shape, value->members[i].value, depth + 1));
        }
        return out;
    case SHAPE_LIST:
        if (value->type != JSON_ARRAY) return NULL;
        out = json_new_array(arena);
        for (size_t i = 0; i < value->n; i++) {
            const Json *item = cut(arena, shape->members[0].shape, value->items[i], depth + 1);
            if (item) json_push(arena, out, item);
        }
        return out;
    case SHAPE_STRING:
    case SHAPE_BLOB: return value->type == JSON_STRING ? value : NULL;
    case SHAPE_BOOLEAN: return value->type == JSON_BOOL ? value : NULL;
    case SHAPE_INTEGER:
    case SHAPE_LONG:
    case SHAPE_FLOAT:
    case SHAPE_DOUBLE:
    case SHAPE_TIMESTAMP: return value->type == JSON_NUMBER ? value : NULL;
    case SHAPE_MAP: return value;
    }
    return NULL;
}

Json *resource_cut(Arena *arena, const Shape *shape, const Json *value)
{
    const Json *out = cut(arena, shape, value, 0);
    return out ? (Json *)(uintptr_t)out : json_new_object(arena);
}

static bool answer_arn(Call *call, const Resource *resource)
{
    const Shape *output = call->route.operation ? call->route.operation->output : NULL;
    if (resource->kind->arn && (!output || member_find(output, str_of(resource->kind->arn))))
        json_set_text(call->arena, call->out, resource->kind->arn, resource->arn);
    return true;
}

/* ---- handlers ---- */

typedef struct Creation {
    Call *call;
    Resource *resource;
    Str key, text;
    const Json *tags;
    bool exists;
} Creation;

static bool create_in(void *arg, DbTx *tx, Error *err)
{
    Creation *creation = arg;
    const Resource *resource = creation->resource;
    Str kind = str_of(resource->kind->name);
    if (!db_run(
            tx, err,
            "INSERT INTO resource (kind, region, key, name, arn, state, created, modified, version) VALUES (?, ?, "
            "?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING",
            "ttttttdd", kind, resource->region, creation->key, resource->name, resource->arn,
            resource->state, resource->created, resource->modified))
        return false;
    creation->exists = db_changed(tx) == 0;
    if (creation->exists) return true;
    return db_run(tx, err,
                  "INSERT INTO resource_document (kind, region, key, document) VALUES (?, ?, ?, ?)",
                  "tttt", kind, resource->region, creation->key, creation->text) &&
           resource_tags_store(tx, resource->arn, creation->tags, err);
}

/* The request as a document. */
static Json *document_of(Call *call, const ResourceKind *kind)
{
    Json *document = json_new_object(call->arena);
    for (size_t i = 0; i < call->in->n; i++) {
        const JsonMember *member = &call->in->members[i];
        bool stored = !str_is(member->name, "Tags") && member->value->type != JSON_NULL;
        for (size_t k = 0; k < COUNT(kind->not_stored) && kind->not_stored[k]; k++)
            stored &= !str_is(member->name, kind->not_stored[k]);
        if (stored)
            json_set_str(call->arena, document, member->name,
                         json_copy(call->arena, member->value));
    }
    return document;
}

static bool exists_error(Call *call, const ResourceKind *kind, const Resource *resource, Error *err)
{
    const char *code = kind->exists_code ? kind->exists_code : "ResourceInUse";
    if (kind->exists_message)
        return kind_error(call, err, code, kind->exists_message, resource->arn);
    return call_error(call, err, code, "Cannot create already existing %s \"%.*s\".", kind->title,
                      STR_ARG(resource->arn));
}

bool resource_handle_create(Call *call, Error *err)
{
    const ResourceKind *kind = call->operation->kind;
    Str name = call_text(call, kind->id);
    const Json *tags = json_get(call->in, "Tags");
    if (name.len > RESOURCE_NAME_BYTES_MAX)
        return call_error(call, err, "ValidationException", "The name is too long");
    if (!resource_tags_check(call, tags, err)) return false;
    Resource resource = {
        .kind = kind,
        .region = call->region,
        .name = name,
        .arn = resource_arn(call->server, kind, call->region, name, call->arena),
        .created = call->now,
        .modified = call->now,
        .state = str_of(kind->first_state ? kind->first_state : ""),
        .version = 1,
        .document = document_of(call, kind),
    };
    /* A name that is taken is refused before the hook looks at the rest. */
    Resource old;
    if (!resource_load(call->server, kind, call->region, name, call->arena, &old, err))
        return false;
    if (old.document) return exists_error(call, kind, &resource, err);
    if (kind->create && !kind->create(call, &resource, err)) return false;
    show_columns(call->arena, &resource);
    Creation creation = {
        call, &resource, lower_case(call->arena, name), json_text(call->arena, resource.document),
        tags, false};
    if (!creation.text.ptr) return error_set(err, ERROR_LIMIT, "The request is too long");
    if (!db_write(call->server->db, create_in, &creation, err)) return false;
    if (creation.exists) return exists_error(call, kind, &resource, err);
    wake(call->server, kind, call->region, creation.key);
    if (kind->created) kind->created(call, &resource);
    return answer_arn(call, &resource);
}

bool resource_handle_describe(Call *call, Error *err)
{
    const ResourceKind *kind = call->operation->kind;
    Str name = call_text(call, kind->id);
    Resource resource;
    if (call->waiter && call->http) {
        bool parked = false;
        if (!wait_for(call, kind, name, &resource, &parked, err)) return false;
        if (parked) return true;
    } else if (!resource_need(call, kind, name, &resource, err)) {
        return false;
    }
    call->out = resource_cut(call->arena, call->route.operation->output, resource.document);
    return !kind->describe || kind->describe(call, &resource, call->out, err);
}

typedef struct CallChange {
    Call *call;
    bool (*hook)(Call *call, Resource *resource, Error *err);
    Str arn;
} CallChange;

static bool run_hook(void *arg, Resource *resource, Error *err)
{
    CallChange *change = arg;
    change->arn = arena_str(change->call->arena, resource->arn);
    return !change->hook || change->hook(change->call, resource, err);
}

static bool change_by_hook(Call *call, bool (*hook)(Call *, Resource *, Error *), Error *err)
{
    const ResourceKind *kind = call->operation->kind;
    Str name = call_text(call, kind->id);
    CallChange change = {call, hook, {0}};
    if (!resource_change(call->server, kind, call->region, name, run_hook, &change, err)) {
        if (!call->code && err->kind == ERROR_NOT_FOUND) {
            *err = (Error){0};
            return missing(call, kind, name, err);
        }
        return false;
    }
    return answer_arn(call, &(Resource){.kind = kind, .arn = change.arn});
}

bool resource_handle_update(Call *call, Error *err)
{
    return change_by_hook(call, call->operation->kind->update, err);
}

bool resource_handle_stop(Call *call, Error *err)
{
    return change_by_hook(call, call->operation->kind->stop, err);
}

bool resource_handle_delete(Call *call, Error *err)
{
    const ResourceKind *kind = call->operation->kind;
    Str name = call_text(call, kind->id);
    Resource resource;
    if (!resource_need(call, kind, name, &resource, err)) return false;
    if (kind->remove && !kind->remove(call, &resource, err)) return false;
    if (!resource_delete(call->server, kind, call->region, name, err)) {
        if (err->kind != ERROR_NOT_FOUND) return false;
        *err = (Error){0};
        return missing(call, kind, name, err);
    }
    return answer_arn(call, &resource);
}

/* ---- lists ---- */

typedef struct Listing {
    Call *call;
    const ResourceKind *kind;
    Sort sort;
    bool descending;
    Str state, contains; /* filters, or empty */
    double created[2], modified[2];
    int64_t limit;
    /* the line before the page */
    Str last_state, last_key;
    double last_time;
    Json *lines;
    const Shape *line_shape;
} Listing;

static Str token_write(const Listing *listing, const Resource *last)
{
    Arena *arena = listing->call->arena;
    double time = listing->sort == SORT_MODIFIED ? last->modified : last->created;
    return base64_text(arena, arena_format(arena, "1%d%d|%a|%.*s|%.*s", (int)listing->sort,
                                           listing->descending, time, STR_ARG(last->state),
                                           STR_ARG(lower_case(arena, last->name))));
}

static bool token_read(Listing *listing, Str token)
{
    Str text, head, time;
    if (!base64_bytes(listing->call->arena, token, &text)) return false;
    if (text.len < 4 || text.ptr[0] != '1' || text.ptr[1] != '0' + (int)listing->sort ||
        text.ptr[2] != '0' + listing->descending)
        return false;
    if (!str_next(&text, '|', &head) || head.len != 3 || !str_next(&text, '|', &time) ||
        !str_next(&text, '|', &listing->last_state) || !str_next(&text, '|', &listing->last_key))
        return false;
    char *end;
    listing->last_time = strtod(arena_cstr(listing->call->arena, time), &end);
    return time.len && *end == 0 && listing->last_time - listing->last_time == 0 && !text.ptr;
}

static bool is_bounded(const double *bounds)
{
    return bounds[0] > -TIME_LAST || bounds[1] < TIME_LAST;
}

/* "%text%" for LIKE; keys are in lower case. */
static Str like_pattern(Arena *arena, Str text)
{
    AUTO_STRBUF StrBuf out = STRBUF(64 << 10);
    strbuf_add_char(&out, '%');
    for (size_t i = 0; i < text.len; i++) {
        if (memchr("%_!", text.ptr[i], 3)) strbuf_add_char(&out, '!');
        strbuf_add_char(&out, lower(text.ptr[i]));
    }
    strbuf_add_char(&out, '%');
    return arena_str(arena, strbuf_str(&out));
}

static bool listing_read(Call *call, Listing *listing, Error *err)
{
    const ResourceKind *kind = call->operation->kind;
    const Json *in = call->in;
    Str by = call_text(call, "SortBy"), order = call_text(call, "SortOrder"),
        token = call_text(call, "NextToken"), contains = call_text(call, "NameContains"),
        state = call_text(call, "StatusEquals");
    if (!by.ptr) by = kind->sort_by_name ? STR("Name") : STR("CreationTime");
    *listing = (Listing){
        .call = call,
        .kind = kind,
        .sort = str_is(by, "Name")                                                   ? SORT_NAME
                : str_is(by, "Status")                                               ? SORT_STATE
                : str_is(by, "LastModifiedTime") || str_is(by, "LAST_MODIFIED_TIME") ? SORT_MODIFIED
                                                                                     : SORT_CREATED,
        .descending = order.ptr ? str_eq_nocase(order, STR("Descending")) ||
                                      str_eq_nocase(order, STR("DESC"))
                                : !kind->oldest_first,
        .state = state.ptr ? state : STR(""),
        .contains = contains.len ? like_pattern(call->arena, contains) : STR(""),
        .created = {json_get_double(in, "CreationTimeAfter", -TIME_LAST),
                    json_get_double(in, "CreationTimeBefore", TIME_LAST)},
        .modified = {json_get_double(in, "LastModifiedTimeAfter", -TIME_LAST),
                     json_get_double(in, "LastModifiedTimeBefore", TIME_LAST)},
        .limit = MIN(json_get_int(in, "MaxResults", RESOURCE_PAGE), RESOURCE_PAGE_MAX),
        .lines = json_new_array(call->arena),
    };
    if (listing->state.len && (listing->sort == SORT_CREATED || listing->sort == SORT_STATE))
        listing->sort = SORT_IN_STATE;
    bool down = listing->descending;
    listing->last_time = down ? TIME_LAST : -TIME_LAST;
    listing->last_key = listing->last_state = down ? TEXT_LAST : STR("");
    const Member *list = member_find(call->route.operation->output, str_of(kind->list));
    assert(list && list->shape->type == SHAPE_LIST);
    listing->line_shape = list->shape->members[0].shape;
    if (token.ptr && !token_read(listing, token))
        return call_error(call, err, "ValidationException", "Invalid pagination token.");

    /* The bound at the page's side joins the cursor, so that one index range holds both. */
    const double *bounds = listing->sort == SORT_MODIFIED ? listing->modified : listing->created;
    if (listing->sort != SORT_NAME && listing->sort != SORT_STATE) {
        double bound = bounds[down];
        if (down ? bound <= listing->last_time : bound >= listing->last_time) {
            listing->last_time = bound;
            listing->last_key = down ? STR("") : TEXT_LAST;
        }
    }
    return true;
}

static bool list_query(const Listing *l, DbTx *tx, DbRows *rows, Error *err)
{
    const Resources *resources = l->call->server->resources;
    int filters = (l->sort != SORT_CREATED && l->sort != SORT_IN_STATE && is_bounded(l->created)
                       ? BY_CREATED
                       : 0) |
                  (l->sort != SORT_MODIFIED && is_bounded(l->modified) ? BY_MODIFIED : 0) |
                  (l->sort != SORT_IN_STATE && l->state.len ? BY_STATE : 0) |
                  (l->contains.len ? BY_NAME : 0);
    const char *sql = resources->list[l->sort][l->descending][filters];
    Str kind = str_of(l->kind->name), region = l->call->region;
    Str state = filters & BY_STATE ? l->state : STR("");
    const double *c = l->created, *m = l->modified;
    int64_t limit = l->limit + 1;
    double end = (l->sort == SORT_MODIFIED ? m : c)[!l->descending];
#define COMMON kind, region, c[0], c[1], m[0], m[1], state, state, l->contains
#define TYPES "ttddddttt"
    switch (l->sort) {
    case SORT_NAME: return db_query(tx, rows, err, sql, TYPES "ti", COMMON, l->last_key, limit);
    case SORT_CREATED:
    case SORT_MODIFIED:
        return db_query(tx, rows, err, sql, TYPES "dtdi", COMMON, l->last_time, l->last_key, end,
                        limit);
    case SORT_STATE:
        return db_query(tx, rows, err, sql, TYPES "tdti", COMMON, l->last_state, l->last_time,
                        l->last_key, limit);
    case SORT_IN_STATE:
        return db_query(tx, rows, err, sql, TYPES "tdtdi", COMMON, l->state, l->last_time,
                        l->last_key, end, limit);
    }
#undef COMMON
#undef TYPES
    return false;
}

static bool list_in(void *arg, DbTx *tx, Error *err)
{
    Listing *listing = arg;
    Call *call = listing->call;
    DB_ROWS(rows);
    Error end = {0};
    Resource resource = {0};
    if (!list_query(listing, tx, &rows, err)) return false;
    for (int64_t n = 0; db_next(&rows, &end); n++) {
        if (n == listing->limit) {
            json_set_text(call->arena, call->out, "NextToken", token_write(listing, &resource));
            break;
        }
        if (!row_resource(&rows, listing->kind, call->arena, &resource, err)) return false;
        Json *line = resource_cut(call->arena, listing->line_shape, resource.document);
        if (listing->kind->summary) listing->kind->summary(call, &resource, line);
        json_push(call->arena, listing->lines, line);
    }
    if (end.kind) *err = end;
    return !end.kind;
}

bool resource_handle_list(Call *call, Error *err)
{
    Listing listing;
    if (!listing_read(call, &listing, err) || !db_read(call->server->db, list_in, &listing, err))
        return false;
    json_set(call->arena, call->out, listing.kind->list, listing.lines);
    return true;
}

/* ---- all of a kind ---- */

typedef struct Sweep {
    const ResourceKind *kind;
    Str state, region, key;
    double created; /* of the last one seen, with region and key */
    Arena *arena;
    Resource batch[BATCH];
    size_t n;
} Sweep;

static bool sweep_in(void *arg, DbTx *tx, Error *err)
{
    Sweep *sweep = arg;
    DB_ROWS(rows);
    Error end = {0};
    sweep->n = 0;
    if (!db_query(
            tx, &rows, err,
            "SELECT " COLUMNS
            "FROM resource r WHERE kind = ? AND (? = '' OR state = ?) AND (region, created, key) > (?, ?, ?) "
            "ORDER BY region, created, key LIMIT ?",
            "ttttdti", str_of(sweep->kind->name), sweep->state, sweep->state, sweep->region,
            sweep->created, sweep->key, (int64_t)BATCH))
        return false;
    while (sweep->n < BATCH && db_next(&rows, &end)) {
        if (!row_resource(&rows, sweep->kind, sweep->arena, &sweep->batch[sweep->n], err))
            return false;
        sweep->n++;
    }
    if (end.kind) *err = end;
    return !end.kind;
}

bool resource_each(Server *server, const ResourceKind *kind, const char *state,
                   bool (*visit)(void *arg, const Resource *resource, Error *err), void *arg,
                   Error *err)
{
    Sweep *sweep = calloc(1, sizeof *sweep);
    if (!sweep) memory_exhausted(sizeof *sweep);
    char region[128] = "", key[KEY_MAX + 1] = "";
    *sweep = (Sweep){.kind = kind, .state = state ? str_of(state) : STR(""), .created = -TIME_LAST};
    bool ok = true;
    do {
        ARENA(batch);
        sweep->arena = &batch;
        sweep->region = str_of(region);
        sweep->key = str_of(key);
        ok = db_read(server->db, sweep_in, sweep, err);
        for (size_t i = 0; ok && i < sweep->n; i++) ok = visit(arg, &sweep->batch[i], err);
        if (ok && sweep->n) {
            const Resource *last = &sweep->batch[sweep->n - 1];
            sweep->created = last->created;
            snprintf(region, sizeof region, "%.*s", STR_ARG(last->region));
            snprintf(key, sizeof key, "%.*s", STR_ARG(lower_case(&batch, last->name)));
        }
    } while (ok && sweep->n == BATCH);
    free(sweep);
    return ok;
}
