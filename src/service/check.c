/* `clary check`: the bytes of all objects against their checksums, the audit trail against its chain of hashes. */

#include "service/check.h"

#include "service/cloudtrail/audit.h"
#include "service/s3/objects.h"

enum { FINDINGS_MAX = 1000 };

typedef struct Check {
    JsonWriter *out;
    Arena arena;
    Str *buckets;
    size_t n_buckets;
    Str bucket; /* the one being read */
    int findings;
} Check;

static bool read_buckets(void *arg, DbTx *tx, Error *err)
{
    Check *check = arg;
    DB_ROWS(rows);
    if (!db_query(tx, &rows, err, "SELECT name FROM s3_bucket ORDER BY name", "")) return false;
    while (db_next(&rows, err)) {
        check->buckets = arena_grow(&check->arena, check->buckets, check->n_buckets,
                                    check->n_buckets + 1, sizeof(Str));
        check->buckets[check->n_buckets++] = arena_str(&check->arena, db_text(&rows, 0));
    }
    return err->kind == ERROR_NONE;
}

static void found(Check *check, Str where, Str version, Str what)
{
    if (check->findings++ >= FINDINGS_MAX) return;
    json_begin_object(check->out);
    json_member_string(check->out, "where", where);
    if (version.len) json_member_string(check->out, "version", version);
    json_member_string(check->out, "finding", what);
    json_end_object(check->out);
}

static void object_found(void *arg, Str key, Str version, const char *finding)
{
    Check *check = arg;
    Str where = arena_format(&check->arena, "s3://%.*s/%.*s", STR_ARG(check->bucket), STR_ARG(key));
    found(check, where, version, str_of(finding));
}

bool server_check(Server *server, JsonWriter *out, Error *err)
{
    Check check = {.out = out};
    int64_t objects = 0, events = 0, n;
    bool ok = db_read(server->db, read_buckets, &check, err);
    json_name(out, STR("findings"));
    json_begin_array(out);
    for (size_t i = 0; i < check.n_buckets && ok; i++) {
        check.bucket = check.buckets[i];
        ok = s3_check(server, check.bucket, object_found, &check, &n, err);
        if (ok) objects += n;
    }
    Error broken = {0};
    if (ok && !audit_verify(server->db, &events, &broken))
        found(&check, STR("audit trail"), (Str){0}, str_of(broken.text));
    json_end_array(out);
    json_member_int(out, "objects", objects);
    json_member_int(out, "audit_events", events);
    json_member_int(out, "n_findings", check.findings);
    arena_clear(&check.arena);
    return ok;
}
