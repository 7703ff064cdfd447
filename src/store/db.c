/* Transactions over a driver (SQLite or PostgreSQL).
 *
 * Group commit: the writer thread takes all changes that wait, runs each inside a savepoint of one
 * transaction, commits once, and only then wakes their callers.  A caller's own failure costs its
 * savepoint; a failed commit fails everybody who took part.
 *
 * Readers take a connection from a list of idle ones, so a thread that reads often finds one that is warm. */

#include "store/db.h"

#include "base/log.h"
#include "base/memory.h"
#include "store/db_driver.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

enum { GROUP_MAX = 256, READERS_IDLE_MAX = 32 };

/* What goes with a thread's next change. */
typedef struct Also {
    Db *db;
    DbWork *work;
    void *arg;
    bool done;
} Also;
static _Thread_local Also also;

typedef struct Change {
    DbWork *work;
    void *arg;
    Also *also; /* NULL */
    Error *err;
    bool ok;
    sem_t
        done; /* each waits for its own: a condition for all would wake those of the next group too */
    struct Change *next;
} Change;

struct DbTx {
    Db *db;
    void *connection;
    DbTx *next; /* of the idle readers */
};

struct Db {
    const DbDriver *driver;
    char *where;
    bool durable;
    char about[256];

    DbTx writer;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t come;
    Change *first, **last;
    bool closing;

    pthread_mutex_t readers_mutex;
    DbTx *readers;
    int n_readers;
};

/* ---- the writer ---- */

static void run_change(Db *db, Change *change)
{
    void *c = db->writer.connection;
    Error ignored;
    change->ok = false;
    if (!db->driver->execute(c, "SAVEPOINT change", change->err)) return;
    change->ok = change->work(change->arg, &db->writer, change->err) &&
                 (!change->also || change->also->work(change->also->arg, &db->writer, change->err));
    if (!change->ok) db->driver->execute(c, "ROLLBACK TO SAVEPOINT change", &ignored);
    if (!db->driver->execute(c, "RELEASE SAVEPOINT change", change->ok ? change->err : &ignored))
        change->ok = false;
}

static void run_group(Db *db, Change *group)
{
    Error err = {0};
    void *c = db->writer.connection;
    bool begun = db->driver->execute(c, db->driver->begin_write, &err), any = false;
    if (begun) {
        for (Change *change = group; change; change = change->next) {
            run_change(db, change);
            any |= change->ok;
        }
        if (db->driver->execute(c, any ? "COMMIT" : "ROLLBACK", &err)) return;
        Error ignored;
        db->driver->execute(c, "ROLLBACK", &ignored);
    }
    for (Change *change = group; change; change = change->next) {
        if (begun && !change->ok) continue; /* its own error stands */
        change->ok = false;
        if (change->err) *change->err = err;
    }
}

static void *write_changes(void *arg)
{
    Db *db = arg;
    pthread_mutex_lock(&db->mutex);
    for (;;) {
        while (!db->first && !db->closing) pthread_cond_wait(&db->come, &db->mutex);
        if (!db->first) break;
        Change *group = db->first, *end = group;
        for (int n = 1; n < GROUP_MAX && end->next; n++) end = end->next;
        db->first = end->next;
        if (!db->first) db->last = &db->first;
        end->next = NULL;
        pthread_mutex_unlock(&db->mutex);
        run_group(db, group);
        pthread_mutex_lock(&db->mutex);
        for (Change *change = group, *next; change; change = next) {
            next = change->next;
            sem_post(&change->done); /* its owner may be gone from here on */
        }
    }
    pthread_mutex_unlock(&db->mutex);
    return NULL;
}

bool db_write(Db *db, DbWork *work, void *arg, Error *err)
{
    Change change = {.work = work, .arg = arg, .err = err};
    sem_init(&change.done, 0, 0);
    if (also.db == db && !also.done) change.also = &also;
    assert(!pthread_equal(pthread_self(), db->thread));
    pthread_mutex_lock(&db->mutex);
    *db->last = &change;
    db->last = &change.next;
    pthread_cond_signal(&db->come);
    pthread_mutex_unlock(&db->mutex);
    while (sem_wait(&change.done) != 0) {
    }
    sem_destroy(&change.done);
    if (change.also && change.ok) also.done = true;
    return change.ok;
}

void db_also(Db *db, DbWork *work, void *arg)
{
    also = (Also){db, work, arg, false};
}

bool db_also_end(Db *db)
{
    bool done = also.db == db && also.done;
    also = (Also){0};
    return done;
}

/* ---- readers ---- */

static DbTx *reader_take(Db *db, Error *err)
{
    pthread_mutex_lock(&db->readers_mutex);
    DbTx *tx = db->readers;
    if (tx) {
        db->readers = tx->next;
        db->n_readers--;
    }
    pthread_mutex_unlock(&db->readers_mutex);
    if (tx) return tx;
    void *connection;
    if (!db->driver->connect(db->where, false, db->durable, &connection, err)) return NULL;
    tx = malloc(sizeof *tx);
    if (!tx) memory_exhausted(sizeof *tx);
    *tx = (DbTx){.db = db, .connection = connection};
    return tx;
}

static void reader_drop(DbTx *tx)
{
    tx->db->driver->disconnect(tx->connection);
    free(tx);
}

static void reader_give(Db *db, DbTx *tx)
{
    pthread_mutex_lock(&db->readers_mutex);
    bool keep = db->n_readers < READERS_IDLE_MAX;
    if (keep) {
        tx->next = db->readers;
        db->readers = tx;
        db->n_readers++;
    }
    pthread_mutex_unlock(&db->readers_mutex);
    if (!keep) reader_drop(tx);
}

bool db_read(Db *db, DbWork *work, void *arg, Error *err)
{
    DbTx *tx = reader_take(db, err);
    if (!tx) return false;
    if (!db->driver->execute(tx->connection, db->driver->begin_read, err)) {
        reader_drop(tx);
        return false;
    }
    bool ok = work(arg, tx, err);
    Error ignored;
    if (db->driver->execute(tx->connection, "ROLLBACK", &ignored))
        reader_give(db, tx);
    else
        reader_drop(tx);
    return ok;
}

/* ---- inside a transaction ---- */

bool db_query(DbTx *tx, DbRows *ret_rows, Error *err, const char *sql, const char *types, ...)
{
    va_list args;
    va_start(args, types);
    void *statement;
    bool ok = tx->db->driver->start(tx->connection, sql, types, args, &statement, err);
    va_end(args);
    if (ok) *ret_rows = (DbRows){tx, statement};
    return ok;
}

bool db_next(DbRows *rows, Error *err)
{
    if (err) err->kind = ERROR_NONE;
    return rows->tx->db->driver->next(rows->tx->connection, rows->statement, err);
}

void db_rows_close(DbRows *rows)
{
    if (rows->statement) rows->tx->db->driver->finish(rows->tx->connection, rows->statement);
    rows->statement = NULL;
}

Str db_text(const DbRows *rows, int column)
{
    return rows->tx->db->driver->text(rows->statement, column);
}

int64_t db_int(const DbRows *rows, int column)
{
    return rows->tx->db->driver->integer(rows->statement, column);
}

double db_real(const DbRows *rows, int column)
{
    return rows->tx->db->driver->real(rows->statement, column);
}

bool db_is_null(const DbRows *rows, int column)
{
    return rows->tx->db->driver->is_null(rows->statement, column);
}

bool db_run(DbTx *tx, Error *err, const char *sql, const char *types, ...)
{
    Error own = {0};
    va_list args;
    va_start(args, types);
    void *statement;
    bool ok = tx->db->driver->start(tx->connection, sql, types, args, &statement, &own);
    va_end(args);
    if (ok) {
        own.kind = ERROR_NONE;
        while (tx->db->driver->next(tx->connection, statement, &own)) {
        }
        ok = own.kind == ERROR_NONE;
        tx->db->driver->finish(tx->connection, statement);
    }
    if (!ok && err) *err = own;
    return ok;
}

int64_t db_changed(DbTx *tx)
{
    return tx->db->driver->changed(tx->connection);
}

/* ---- opening ---- */

Str db_rewrite(Str step, const char *const (*words)[2], size_t n_words, Arena *arena)
{
    AUTO_STRBUF StrBuf out = STRBUF(64 << 10);
    for (size_t at = 0; at < step.len;) {
        size_t w = 0;
        while (w < n_words && !str_starts(str_from(step, at), str_of(words[w][0]))) w++;
        if (w < n_words) {
            strbuf_add(&out, str_of(words[w][1]));
            at += strlen(words[w][0]);
        } else {
            strbuf_add_char(&out, step.ptr[at++]);
        }
    }
    assert(!out.overflow);
    return arena_str(arena, strbuf_str(&out));
}

bool db_open_with(const char *where, bool durable, Db **ret_db, Error *err)
{
    Db *db = calloc(1, sizeof *db);
    if (!db) memory_exhausted(sizeof *db);
    bool postgres = str_starts(str_of(where), STR("postgres://")) ||
                    str_starts(str_of(where), STR("postgresql://"));
    db->driver = postgres ? &db_postgres : &db_sqlite;
    db->where = strdup(where);
    db->durable = durable;
    db->last = &db->first;
    db->writer.db = db;
    if (!db->driver->connect(where, true, durable, &db->writer.connection, err)) {
        free(db->where);
        free(db);
        return false;
    }
    db->driver->about(db->writer.connection, where, db->about, sizeof db->about);
    pthread_mutex_init(&db->mutex, NULL);
    pthread_mutex_init(&db->readers_mutex, NULL);
    pthread_cond_init(&db->come, NULL);
    int code = pthread_create(&db->thread, NULL, write_changes, db);
    if (code) {
        db->driver->disconnect(db->writer.connection);
        free(db->where);
        free(db);
        return error_sys(err, code, "starting the database's thread");
    }
    if (!db_schema(db, "schema", NULL, err)) {
        db_close(db);
        return false;
    }
    *ret_db = db;
    return true;
}

bool db_open(const char *where, Db **ret_db, Error *err)
{
    return db_open_with(where, true, ret_db, err);
}

void db_close(Db *db)
{
    if (!db) return;
    pthread_mutex_lock(&db->mutex);
    db->closing = true;
    pthread_cond_signal(&db->come);
    pthread_mutex_unlock(&db->mutex);
    pthread_join(db->thread, NULL);
    for (DbTx *tx = db->readers, *next; tx; tx = next) {
        next = tx->next;
        reader_drop(tx);
    }
    db->driver->disconnect(db->writer.connection);
    pthread_mutex_destroy(&db->mutex);
    pthread_mutex_destroy(&db->readers_mutex);
    pthread_cond_destroy(&db->come);
    free(db->where);
    free(db);
}

const char *db_about(const Db *db)
{
    return db->about;
}

typedef struct Schema {
    const char *component;
    const char *const *steps;
} Schema;

static bool run_schema(void *arg, DbTx *tx, Error *err)
{
    const Schema *schema = arg;
    ARENA(arena);
    const DbDriver *driver = tx->db->driver;
    Str first = driver->schema(
        STR("CREATE TABLE IF NOT EXISTS schema_step (component TEXT PRIMARY KEY, done BIGINT NOT NULL)"),
        &arena);
    if (!db_run(tx, err, first.ptr, "")) return false;
    if (!schema->steps) return true;
    int64_t done = 0;
    {
        DB_ROWS(rows);
        Error stop = {0};
        if (!db_query(tx, &rows, err, "SELECT done FROM schema_step WHERE component = ?", "t",
                      str_of(schema->component)))
            return false;
        if (db_next(&rows, &stop)) done = db_int(&rows, 0);
    }
    int64_t n = 0;
    while (schema->steps[n]) n++;
    if (n < done)
        return error_set(
            err, ERROR_UNSUPPORTED,
            "the database was written by a newer clary: '%s' has %lld steps, this one knows %lld",
            schema->component, (long long)done, (long long)n);
    for (int64_t i = done; i < n; i++)
        if (!db_run(tx, err, driver->schema(str_of(schema->steps[i]), &arena).ptr, ""))
            return error_in(err, "step %lld of '%s'", (long long)i + 1, schema->component);
    return n == done || db_run(tx, err,
                               "INSERT INTO schema_step (component, done) VALUES (?, ?) "
                               "ON CONFLICT (component) DO UPDATE SET done = excluded.done",
                               "ti", str_of(schema->component), n);
}

bool db_schema(Db *db, const char *component, const char *const *steps, Error *err)
{
    Schema schema = {component, steps};
    return db_write(db, run_schema, &schema, err);
}

static bool empty_tables(void *arg, DbTx *tx, Error *err)
{
    (void)arg;
    ARENA(arena);
    Str *names = NULL;
    size_t n = 0;
    {
        DB_ROWS(rows);
        Error stop = {0};
        if (!db_query(tx, &rows, err, tx->db->driver->tables, "")) return false;
        while (db_next(&rows, &stop)) {
            names = arena_grow(&arena, names, n, n + 1, sizeof *names);
            names[n++] = arena_str(&arena, db_text(&rows, 0));
        }
        if (stop.kind != ERROR_NONE) {
            if (err) *err = stop;
            return false;
        }
    }
    for (size_t i = 0; i < n; i++)
        if (!str_is(names[i], "schema_step") &&
            !db_run(tx, err, arena_format(&arena, "DELETE FROM %.*s", STR_ARG(names[i])).ptr, ""))
            return false;
    return true;
}

bool db_empty(Db *db, Error *err)
{
    return db_write(db, empty_tables, NULL, err);
}
