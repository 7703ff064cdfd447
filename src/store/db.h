#ifndef CLARY_STORE_DB_H
#define CLARY_STORE_DB_H

/* The metadata database: SQLite in WAL mode, or PostgreSQL behind the same functions.
 *
 * Changes run on one writer thread, each as a function inside a transaction.  All that wait share one
 * commit and one sync (group commit), so db_write returns true only when the change is on stable
 * storage.  A function that fails is rolled back alone.  Reads see a consistent snapshot and run on the
 * calling thread, each thread with a connection of its own.
 *
 * SQL is the subset that both databases have, with `?` for parameters, ON CONFLICT and RETURNING.  Columns
 * are TEXT (compared bytewise), BIGINT, DOUBLE PRECISION and BLOB; "id AUTO_ID" is a primary key that counts
 * by itself; WITHOUT ROWID may end a CREATE TABLE.  Words that differ are put right in the steps of
 * a schema.  SQL texts should be string literals: prepared statements are found by their address. */

#include "base/arena.h"
#include "base/error.h"

typedef struct Db Db;
typedef struct DbTx DbTx; /* a connection inside a transaction; valid during one DbWork */

typedef bool DbWork(void *arg, DbTx *tx, Error *err);

/* `where` is the path of an SQLite file, or "postgres://...".  Makes what is missing. */
bool db_open(const char *where, Db **ret_db, Error *err);
/* Not durable: commits do not sync, for a database that dies with its process. */
bool db_open_with(const char *where, bool durable, Db **ret_db, Error *err);
void db_close(Db *db); /* waits for changes that are under way; NULL is fine */
AUTO_FREE(Db, db_close);

/* A component's tables, as steps that are never edited, only appended to (NULL ends them): those that
 * this database has not seen are run, in order, each once. */
bool db_schema(Db *db, const char *component, const char *const *steps, Error *err);

/* Runs `work` in a transaction and returns when it is durable.  Not from inside a DbWork. */
bool db_write(Db *db, DbWork *work, void *arg, Error *err);
bool db_read(Db *db, DbWork *work, void *arg, Error *err);

/* The next db_write of this thread that succeeds runs `work` as well, at its end and in its transaction: the
 * audit record of a call goes with its effect.  db_also_end says whether it did, and forgets it otherwise. */
void db_also(Db *db, DbWork *work, void *arg);
bool db_also_end(Db *db);

/* Removes every row of every table, for test-suites (`clary reset`). */
bool db_empty(Db *db, Error *err);

/* "SQLite 3.40.1, /path" or "PostgreSQL 15": for status and doctor. */
const char *db_about(const Db *db);

/* ---- inside a DbWork ----
 * `types` has a letter per parameter: t Str, i int64_t, d double, b Str as a blob, n nothing (NULL).
 * A Str whose ptr is NULL is NULL. */

/* A statement without rows. */
bool db_run(DbTx *tx, Error *err, const char *sql, const char *types, ...);
int64_t db_changed(DbTx *tx); /* rows changed by the last db_run */

typedef struct DbRows {
    DbTx *tx;
    void *statement;
} DbRows;
#define DB_ROWS(name) __attribute__((cleanup(db_rows_close))) DbRows name = {0}

/* Rows are closed by db_rows_close, or by the end of a DB_ROWS scope. */
bool db_query(DbTx *tx, DbRows *ret_rows, Error *err, const char *sql, const char *types, ...);
/* True: there is a row.  False with err->kind ERROR_NONE: no more (or it was set: failed). */
bool db_next(DbRows *rows, Error *err);
Str db_text(const DbRows *rows,
            int column); /* text or blob, valid until the next db_next; NULL: ptr NULL */
int64_t db_int(const DbRows *rows, int column);
double db_real(const DbRows *rows, int column);
bool db_is_null(const DbRows *rows, int column);
void db_rows_close(DbRows *rows);

#endif
