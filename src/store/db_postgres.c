/* PostgreSQL behind db_driver.h.
 *
 * libpq is opened at run time, so that only those who use PostgreSQL need it; the few functions of its stable
 * interface that are used are declared here.  Results are fetched whole.  Texts compare bytewise (COLLATE "C"),
 * as in SQLite.  Prepared statements are kept per connection by their text. */

#include "store/db_driver.h"

#include "base/hash.h"
#include "base/memory.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { STATEMENTS_KEPT = 512, PARAMETERS_MAX = 64 };
enum { OID_BYTEA = 17, OID_INT8 = 20, OID_TEXT = 25, OID_FLOAT8 = 701 };
enum { PQ_OK = 0, PQ_COMMAND_OK = 1, PQ_TUPLES_OK = 2 };

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;

static struct {
    PGconn *(*PQconnectdb)(const char *);
    int (*PQstatus)(const PGconn *);
    char *(*PQerrorMessage)(const PGconn *);
    int (*PQserverVersion)(const PGconn *);
    void (*PQfinish)(PGconn *);
    PGresult *(*PQexec)(PGconn *, const char *);
    PGresult *(*PQprepare)(PGconn *, const char *, const char *, int, const unsigned *);
    PGresult *(*PQexecPrepared)(PGconn *, const char *, int, const char *const *, const int *,
                                const int *, int);
    int (*PQresultStatus)(const PGresult *);
    char *(*PQresultErrorField)(const PGresult *, int);
    int (*PQntuples)(const PGresult *);
    char *(*PQgetvalue)(const PGresult *, int, int);
    int (*PQgetlength)(const PGresult *, int, int);
    int (*PQgetisnull)(const PGresult *, int, int);
    unsigned (*PQftype)(const PGresult *, int);
    char *(*PQcmdTuples)(PGresult *);
    void (*PQclear)(PGresult *);
    unsigned char *(*PQunescapeBytea)(const unsigned char *, size_t *);
    void (*PQfreemem)(void *);
    void *(*PQsetNoticeProcessor)(PGconn *, void (*)(void *, const char *), void *);
} pq;

static bool opened;

static void open_libpq(void)
{
    void *library = dlopen("libpq.so.5", RTLD_NOW | RTLD_LOCAL);
    if (!library) return;
    opened = true;
#define FIND(name)                                                                                 \
    do {                                                                                           \
        void *found = dlsym(library, #name);                                                       \
        memcpy(&pq.name, &found, sizeof found);                                                    \
        opened &= found != NULL;                                                                   \
    } while (0)
    FIND(PQconnectdb);
    FIND(PQstatus);
    FIND(PQerrorMessage);
    FIND(PQserverVersion);
    FIND(PQfinish);
    FIND(PQexec);
    FIND(PQprepare);
    FIND(PQexecPrepared);
    FIND(PQresultStatus);
    FIND(PQresultErrorField);
    FIND(PQntuples);
    FIND(PQgetvalue);
    FIND(PQgetlength);
    FIND(PQgetisnull);
    FIND(PQftype);
    FIND(PQcmdTuples);
    FIND(PQclear);
    FIND(PQunescapeBytea);
    FIND(PQfreemem);
    FIND(PQsetNoticeProcessor);
#undef FIND
}

typedef struct Connection {
    PGconn *db;
    char *kept[STATEMENTS_KEPT]; /* texts of prepared statements; the name is the position */
    int64_t changed;
} Connection;

typedef struct Rows {
    PGresult *result;
    int row, n;
    unsigned char *bytes; /* the last decoded blob */
} Rows;

static bool postgres_error(Connection *c, const PGresult *result, Error *err, const char *what)
{
    const char *state = result ? pq.PQresultErrorField(result, 'C') : NULL;
    ErrorKind kind = !state                                 ? ERROR_IO
                     : str_starts(str_of(state), STR("23")) ? ERROR_CONFLICT
                     : str_starts(str_of(state), STR("53")) ? ERROR_LIMIT
                     : str_starts(str_of(state), STR("57")) ? ERROR_TIMEOUT
                     : str_starts(str_of(state), STR("42")) ? ERROR_INTERNAL
                                                            : ERROR_IO;
    Str text = str_trim(str_of(pq.PQerrorMessage(c->db)));
    return error_set(err, kind, "database: %.*s%s%s", STR_ARG(text), *what ? ": " : "", what);
}

static void postgres_disconnect(void *connection)
{
    Connection *c = connection;
    for (size_t i = 0; i < STATEMENTS_KEPT; i++) free(c->kept[i]);
    if (c->db) pq.PQfinish(c->db);
    free(c);
}

static void say_nothing(void *arg, const char *text)
{
    (void)arg, (void)text;
}

static bool postgres_execute(void *connection, const char *sql, Error *err)
{
    Connection *c = connection;
    PGresult *result = pq.PQexec(c->db, sql);
    int status = pq.PQresultStatus(result);
    bool ok = status == PQ_COMMAND_OK || status == PQ_TUPLES_OK;
    if (!ok) postgres_error(c, result, err, sql);
    pq.PQclear(result);
    return ok;
}

static bool postgres_connect(const char *where, bool writer, bool durable, void **ret_connection,
                             Error *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_libpq);
    if (!opened)
        return error_set(
            err, ERROR_UNSUPPORTED,
            "PostgreSQL needs libpq.so.5, which is not on this machine: install Debian's libpq5");
    Connection *c = calloc(1, sizeof *c);
    if (!c) memory_exhausted(sizeof *c);
    c->db = pq.PQconnectdb(where);
    if (pq.PQstatus(c->db) != PQ_OK) {
        Str text = str_trim(str_of(pq.PQerrorMessage(c->db)));
        error_set(err, ERROR_IO, "connecting to PostgreSQL: %.*s", STR_ARG(text));
        postgres_disconnect(c);
        return false;
    }
    pq.PQsetNoticeProcessor(c->db, say_nothing, NULL);
    /* One writer a database: a second claryd would undo the first one's caches. */
    if (writer) {
        PGresult *result = pq.PQexec(
            c->db, "SELECT pg_try_advisory_lock(1668047201, hashtext(current_schema()))");
        bool alone = pq.PQresultStatus(result) == PQ_TUPLES_OK &&
                     pq.PQgetvalue(result, 0, 0)[0] == 't';
        pq.PQclear(result);
        if (!alone) {
            postgres_disconnect(c);
            return error_set(err, ERROR_CONFLICT, "another claryd uses this PostgreSQL database");
        }
    }
    if (!postgres_execute(
            c, durable ? "SET synchronous_commit = on" : "SET synchronous_commit = off", err)) {
        postgres_disconnect(c);
        return false;
    }
    *ret_connection = c;
    return true;
}

/* `?` as $1, $2, ... outside of quotes. */
static Str with_numbers(const char *sql, Arena *arena)
{
    AUTO_STRBUF StrBuf out = STRBUF(64 << 10);
    int n = 0;
    bool quoted = false;
    for (; *sql; sql++) {
        if (*sql == '\'') quoted = !quoted;
        if (*sql == '?' && !quoted)
            strbuf_addf(&out, "$%d", ++n);
        else
            strbuf_add_char(&out, *sql);
    }
    return arena_str(arena, strbuf_str(&out));
}

typedef struct Parameters {
    const char *values[PARAMETERS_MAX];
    int lengths[PARAMETERS_MAX], formats[PARAMETERS_MAX];
    unsigned oids[PARAMETERS_MAX];
    int n;
} Parameters;

static void collect(Parameters *p, const char *types, va_list args, Arena *arena)
{
    for (; *types; types++) {
        int i = p->n++;
        Str s;
        assert(i < PARAMETERS_MAX);
        switch (*types) {
        case 't':
        case 'b':
            s = va_arg(args, Str);
            p->oids[i] = *types == 't' ? OID_TEXT : OID_BYTEA;
            p->formats[i] = *types == 'b';
            p->lengths[i] = (int)s.len;
            p->values[i] = s.ptr ? arena_cstr(arena, s) : NULL;
            break;
        case 'i':
            p->oids[i] = OID_INT8;
            p->values[i] = arena_format(arena, "%lld", (long long)va_arg(args, int64_t)).ptr;
            break;
        case 'd':
            p->oids[i] = OID_FLOAT8;
            p->values[i] = arena_format(arena, "%.17g", va_arg(args, double)).ptr;
            break;
        default: assert(*types == 'n');
        }
    }
}

static bool postgres_start(void *connection, const char *sql, const char *types, va_list args,
                           void **ret_statement, Error *err)
{
    Connection *c = connection;
    ARENA(arena);
    Parameters p = {0};
    collect(&p, types, args, &arena);

    /* Types are part of what is prepared: "n" and "t" in one place are two statements. */
    Str key = arena_format(&arena, "%s\n%s", sql, types);
    size_t place = hash_str(key, 0) % STATEMENTS_KEPT;
    char name[24];
    snprintf(name, sizeof name, "s%zu", place);
    if (!c->kept[place] || strcmp(c->kept[place], key.ptr) != 0) {
        if (c->kept[place]) {
            char drop[40];
            snprintf(drop, sizeof drop, "DEALLOCATE %s", name);
            if (!postgres_execute(c, drop, err)) return false;
            free(STEAL(c->kept[place]));
        }
        PGresult *made = pq.PQprepare(c->db, name, with_numbers(sql, &arena).ptr, p.n, p.oids);
        bool ok = pq.PQresultStatus(made) == PQ_COMMAND_OK;
        if (!ok) postgres_error(c, made, err, sql);
        pq.PQclear(made);
        if (!ok) return false;
        c->kept[place] = strdup(key.ptr);
    }
    PGresult *result = pq.PQexecPrepared(c->db, name, p.n, p.values, p.lengths, p.formats, 0);
    int status = pq.PQresultStatus(result);
    if (status != PQ_COMMAND_OK && status != PQ_TUPLES_OK) {
        postgres_error(c, result, err, sql);
        pq.PQclear(result);
        return false;
    }
    c->changed = strtoll(pq.PQcmdTuples(result), NULL, 10);
    Rows *rows = malloc(sizeof *rows);
    if (!rows) memory_exhausted(sizeof *rows);
    *rows = (Rows){result, -1, pq.PQntuples(result), NULL};
    *ret_statement = rows;
    return true;
}

static bool postgres_next(void *connection, void *statement, Error *err)
{
    (void)connection, (void)err;
    Rows *rows = statement;
    return ++rows->row < rows->n;
}

static bool postgres_is_null(void *statement, int column)
{
    Rows *rows = statement;
    return pq.PQgetisnull(rows->result, rows->row, column);
}

static const char *value_of(void *statement, int column)
{
    Rows *rows = statement;
    return pq.PQgetvalue(rows->result, rows->row, column);
}

static Str postgres_text(void *statement, int column)
{
    Rows *rows = statement;
    if (postgres_is_null(statement, column)) return (Str){0};
    const char *value = value_of(statement, column);
    if (pq.PQftype(rows->result, column) != OID_BYTEA)
        return (Str){value, (size_t)pq.PQgetlength(rows->result, rows->row, column)};
    size_t n;
    if (rows->bytes) pq.PQfreemem(rows->bytes);
    rows->bytes = pq.PQunescapeBytea((const unsigned char *)value, &n);
    return (Str){(const char *)rows->bytes, n};
}

static int64_t postgres_integer(void *statement, int column)
{
    return strtoll(value_of(statement, column), NULL, 10);
}

static double postgres_real(void *statement, int column)
{
    return strtod(value_of(statement, column), NULL);
}

static void postgres_finish(void *connection, void *statement)
{
    (void)connection;
    Rows *rows = statement;
    if (rows->bytes) pq.PQfreemem(rows->bytes);
    pq.PQclear(rows->result);
    free(rows);
}

static int64_t postgres_changed(void *connection)
{
    return ((Connection *)connection)->changed;
}

static Str postgres_schema(Str step, Arena *arena)
{
    static const char *const words[][2] = {
        {"AUTO_ID", "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY"},
        {" TEXT", " TEXT COLLATE \"C\""},
        {" BLOB", " BYTEA"},
        {" WITHOUT ROWID", ""},
    };
    return db_rewrite(step, words, COUNT(words), arena);
}

static void postgres_about(void *connection, const char *where, char *text, size_t size)
{
    (void)where; /* may hold a password */
    snprintf(text, size, "PostgreSQL %d",
             pq.PQserverVersion(((Connection *)connection)->db) / 10000);
}

const DbDriver db_postgres = {
    .connect = postgres_connect,
    .disconnect = postgres_disconnect,
    .execute = postgres_execute,
    .start = postgres_start,
    .next = postgres_next,
    .text = postgres_text,
    .integer = postgres_integer,
    .real = postgres_real,
    .is_null = postgres_is_null,
    .finish = postgres_finish,
    .changed = postgres_changed,
    .schema = postgres_schema,
    .begin_read = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    .begin_write = "BEGIN",
    .tables = "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()",
    .about = postgres_about,
};
