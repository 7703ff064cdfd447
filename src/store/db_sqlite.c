/* SQLite behind db_driver.h.
 *
 * Settings are those of rule D3: WAL with a sync at each commit, foreign keys, no trust in the schema,
 * cell checks, defensive mode, STRICT tables.  Prepared statements are kept per connection by the address
 * of their text (and compared, so that a text made at run time is only slower). */

#include "store/db_driver.h"

#include "base/hash.h"
#include "base/memory.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATEMENTS_KEPT = 512, BUSY_MS = 5000 };

typedef struct Kept {
    char *sql;
    sqlite3_stmt *statement;
    bool busy; /* its rows are being read */
} Kept;

typedef struct Connection {
    sqlite3 *db;
    Kept kept[STATEMENTS_KEPT];
} Connection;

static bool sqlite_error(Connection *c, Error *err, const char *what)
{
    int code = sqlite3_extended_errcode(c->db);
    int primary = code & 0xff;
    ErrorKind kind = primary == SQLITE_CONSTRAINT ? ERROR_CONFLICT
                     : primary == SQLITE_FULL     ? ERROR_LIMIT
                     : primary == SQLITE_NOMEM    ? ERROR_NO_MEMORY
                     : primary == SQLITE_BUSY     ? ERROR_TIMEOUT
                     : primary == SQLITE_ERROR    ? ERROR_INTERNAL
                                                  : ERROR_IO;
    return error_set(err, kind, "database: %s%s%s (%d)", sqlite3_errmsg(c->db), *what ? ": " : "",
                     what, code);
}

static void sqlite_disconnect(void *connection)
{
    Connection *c = connection;
    for (size_t i = 0; i < STATEMENTS_KEPT; i++) {
        sqlite3_finalize(c->kept[i].statement);
        free(c->kept[i].sql);
    }
    sqlite3_close(c->db);
    free(c);
}

static bool sqlite_execute(void *connection, const char *sql, Error *err);

static bool sqlite_connect(const char *where, bool writer, bool durable, void **ret_connection,
                           Error *err)
{
    Connection *c = calloc(1, sizeof *c);
    if (!c) memory_exhausted(sizeof *c);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (writer) flags |= SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(where, &c->db, flags, NULL) != SQLITE_OK) {
        error_set(err, ERROR_IO, "opening the database '%s': %s", where,
                  c->db ? sqlite3_errmsg(c->db) : "no memory");
        sqlite_disconnect(c);
        return false;
    }
    sqlite3_extended_result_codes(c->db, 1);
    sqlite3_busy_timeout(c->db, BUSY_MS);
    sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (!sqlite_execute(c, writer ? "PRAGMA journal_mode=WAL" : "PRAGMA query_only=ON", err) ||
        !sqlite_execute(c, durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF", err) ||
        !sqlite_execute(
            c,
            "PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; "
            "PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY; PRAGMA cache_size=-4000",
            err) ||
        (writer && !sqlite_execute(c, "PRAGMA application_id=1668047201", err))) { /* "clra" */
        sqlite_disconnect(c);
        return error_in(err, "opening '%s'", where);
    }
    *ret_connection = c;
    return true;
}

static bool bind(sqlite3_stmt *statement, const char *types, va_list args)
{
    int code = SQLITE_OK;
    for (int i = 1; types[i - 1] && code == SQLITE_OK; i++) {
        Str s;
        switch (types[i - 1]) {
        case 't':
            s = va_arg(args, Str);
            code = s.ptr ? sqlite3_bind_text64(statement, i, s.ptr, s.len, SQLITE_TRANSIENT,
                                               SQLITE_UTF8)
                         : sqlite3_bind_null(statement, i);
            break;
        case 'b':
            s = va_arg(args, Str);
            code = s.ptr ? sqlite3_bind_blob64(statement, i, s.ptr, s.len, SQLITE_TRANSIENT)
                         : sqlite3_bind_null(statement, i);
            break;
        case 'i': code = sqlite3_bind_int64(statement, i, va_arg(args, int64_t)); break;
        case 'd': code = sqlite3_bind_double(statement, i, va_arg(args, double)); break;
        case 'n': code = sqlite3_bind_null(statement, i); break;
        default: assert(0 && "unknown parameter type");
        }
    }
    return code == SQLITE_OK;
}

/* A statement that is not being read: the kept one, or a new one (in *ret_own) when that is busy. */
static sqlite3_stmt *prepare(Connection *c, const char *sql)
{
    Kept *kept = &c->kept[random_mix((uintptr_t)sql) % STATEMENTS_KEPT];
    sqlite3_stmt *statement = NULL;
    if (kept->statement && !kept->busy && strcmp(kept->sql, sql) == 0) {
        kept->busy = true;
        return kept->statement;
    }
    bool keep = !kept->busy;
    if (sqlite3_prepare_v3(c->db, sql, -1, keep ? SQLITE_PREPARE_PERSISTENT : 0, &statement,
                           NULL) != SQLITE_OK)
        return NULL;
    if (keep) {
        sqlite3_finalize(kept->statement);
        free(kept->sql);
        *kept = (Kept){strdup(sql), statement, true};
        if (!kept->sql) memory_exhausted(strlen(sql));
    }
    return statement;
}

static void sqlite_finish(void *connection, void *statement)
{
    Connection *c = connection;
    if (!statement) return;
    for (size_t i = 0; i < STATEMENTS_KEPT; i++)
        if (c->kept[i].statement == statement) {
            sqlite3_reset(statement);
            sqlite3_clear_bindings(statement);
            c->kept[i].busy = false;
            return;
        }
    sqlite3_finalize(statement);
}

/* BEGIN, SAVEPOINT and their kind come with every transaction: they are kept prepared too. */
static bool sqlite_execute(void *connection, const char *sql, Error *err)
{
    Connection *c = connection;
    if (strchr(sql, ';'))
        return sqlite3_exec(c->db, sql, NULL, NULL, NULL) == SQLITE_OK || sqlite_error(c, err, sql);
    sqlite3_stmt *statement = prepare(c, sql);
    if (!statement) return sqlite_error(c, err, sql);
    int code;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
    }
    bool ok = code == SQLITE_DONE || sqlite_error(c, err, sql);
    sqlite_finish(c, statement);
    return ok;
}

static bool sqlite_start(void *connection, const char *sql, const char *types, va_list args,
                         void **ret_statement, Error *err)
{
    Connection *c = connection;
    sqlite3_stmt *statement = prepare(c, sql);
    if (!statement) return sqlite_error(c, err, sql);
    assert(sqlite3_bind_parameter_count(statement) == (int)strlen(types));
    if (!bind(statement, types, args)) {
        sqlite_error(c, err, sql);
        sqlite_finish(c, statement);
        return false;
    }
    *ret_statement = statement;
    return true;
}

static bool sqlite_next(void *connection, void *statement, Error *err)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) return sqlite_error(connection, err, "");
    return false;
}

static Str sqlite_text(void *statement, int column)
{
    int type = sqlite3_column_type(statement, column);
    if (type == SQLITE_NULL) return (Str){0};
    const char *ptr = type == SQLITE_BLOB ? sqlite3_column_blob(statement, column)
                                          : (const char *)sqlite3_column_text(statement, column);
    return (Str){ptr ? ptr : "", (size_t)sqlite3_column_bytes(statement, column)};
}

static int64_t sqlite_integer(void *statement, int column)
{
    return sqlite3_column_int64(statement, column);
}

static double sqlite_real(void *statement, int column)
{
    return sqlite3_column_double(statement, column);
}

static bool sqlite_is_null(void *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL;
}

static int64_t sqlite_changed(void *connection)
{
    return sqlite3_changes64(((Connection *)connection)->db);
}

static Str sqlite_schema(Str step, Arena *arena)
{
    static const char *const words[][2] = {
        {"AUTO_ID", "INTEGER PRIMARY KEY"},
        {"DOUBLE PRECISION", "REAL"},
        {"BIGINT", "INTEGER"},
    };
    Str text = db_rewrite(step, words, COUNT(words), arena);
    if (!str_starts(step, STR("CREATE TABLE"))) return text;
    return arena_format(arena, "%.*s%s", STR_ARG(text),
                        str_ends(step, STR("WITHOUT ROWID")) ? ", STRICT" : " STRICT");
}

static void sqlite_about(void *connection, const char *where, char *text, size_t size)
{
    (void)connection;
    snprintf(text, size, "SQLite %s, %s", sqlite3_libversion(), where);
}

const DbDriver db_sqlite = {
    .connect = sqlite_connect,
    .disconnect = sqlite_disconnect,
    .execute = sqlite_execute,
    .start = sqlite_start,
    .next = sqlite_next,
    .text = sqlite_text,
    .integer = sqlite_integer,
    .real = sqlite_real,
    .is_null = sqlite_is_null,
    .finish = sqlite_finish,
    .changed = sqlite_changed,
    .schema = sqlite_schema,
    .begin_read = "BEGIN",
    .begin_write = "BEGIN IMMEDIATE",
    .tables = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'",
    .about = sqlite_about,
};
