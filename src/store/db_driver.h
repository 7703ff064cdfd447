#ifndef CLARY_STORE_DB_DRIVER_H
#define CLARY_STORE_DB_DRIVER_H

/* What db.c asks of a database: connections, and statements on them. */

#include "base/strbuf.h"
#include "store/db.h"

#include <stdarg.h>

typedef struct DbDriver {
    /* A connection; `writer`: the one that changes. */
    bool (*connect)(const char *where, bool writer, bool durable, void **ret_connection,
                    Error *err);
    void (*disconnect)(void *connection);
    /* Statements that take and give nothing: BEGIN, COMMIT, SAVEPOINT ... */
    bool (*execute)(void *connection, const char *sql, Error *err);
    /* A statement with parameters; *ret_statement is given back by `finish`. */
    bool (*start)(void *connection, const char *sql, const char *types, va_list args,
                  void **ret_statement, Error *err);
    bool (*next)(void *connection, void *statement, Error *err);
    Str (*text)(void *statement, int column);
    int64_t (*integer)(void *statement, int column);
    double (*real)(void *statement, int column);
    bool (*is_null)(void *statement, int column);
    void (*finish)(void *connection, void *statement);
    int64_t (*changed)(void *connection);
    /* A step of a schema in this database's words, in `arena`. */
    Str (*schema)(Str step, Arena *arena);
    const char *begin_read, *begin_write;
    const char *tables; /* query of the names of all tables */
    void (*about)(void *connection, const char *where, char *text, size_t size);
} DbDriver;

/* `step` with each word [0] written as [1]. */
Str db_rewrite(Str step, const char *const (*words)[2], size_t n_words, Arena *arena);

extern const DbDriver db_sqlite, db_postgres;

#endif
