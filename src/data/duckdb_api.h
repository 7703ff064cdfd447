#ifndef CLARY_DATA_DUCKDB_API_H
#define CLARY_DATA_DUCKDB_API_H

/* The part of DuckDB's C interface that is used here (stable since 1.0), declared by us so that
 * nothing of DuckDB is needed to build.  Its library is opened at run time.
 *
 * https://duckdb.org/docs/stable/clients/c/api */

#include "base/error.h"

typedef void *DuckDatabase, *DuckConnection, *DuckConfig, *DuckStatement, *DuckChunk, *DuckVector;

typedef struct DuckResult {
    uint64_t deprecated_counts[3];
    void *deprecated_columns;
    char *deprecated_error;
    void *internal;
} DuckResult;

/* A string in a vector: up to 12 bytes are kept inside. */
typedef struct DuckString {
    uint32_t length;
    char inlined[4]; /* the first four bytes if it is longer */
    union {
        char more[8];
        const char *pointer;
    };
} DuckString;

typedef enum DuckType {
    DUCK_BOOLEAN = 1,
    DUCK_TINYINT = 2,
    DUCK_DOUBLE = 11,
    DUCK_FLOAT = 10,
    DUCK_TIMESTAMP = 12,
    DUCK_DATE = 13,
    DUCK_HUGEINT = 16,
    DUCK_VARCHAR = 17,
    DUCK_DECIMAL = 19,
    DUCK_TIMESTAMP_S = 20,
    DUCK_TIMESTAMP_NS = 22,
    DUCK_ENUM = 23,
    DUCK_UUID = 27,
    DUCK_TIMESTAMP_TZ = 31,
    DUCK_UHUGEINT = 32,
    DUCK_SQLNULL = 36,
} DuckType;

typedef struct DuckApi {
    const char *(*library_version)(void);
    int (*create_config)(DuckConfig *config);
    int (*set_config)(DuckConfig config, const char *name, const char *value);
    void (*destroy_config)(DuckConfig *config);
    int (*open_ext)(const char *path, DuckDatabase *database, DuckConfig config, char **error);
    void (*close)(DuckDatabase *database);
    int (*connect)(DuckDatabase database, DuckConnection *connection);
    void (*disconnect)(DuckConnection *connection);
    void (*free)(void *memory);
    int (*query)(DuckConnection connection, const char *sql, DuckResult *result);
    int (*prepare)(DuckConnection connection, const char *sql, DuckStatement *statement);
    const char *(*prepare_error)(DuckStatement statement);
    void (*destroy_prepare)(DuckStatement *statement);
    int (*execute_prepared_streaming)(DuckStatement statement, DuckResult *result);
    const char *(*result_error)(DuckResult *result);
    uint64_t (*column_count)(DuckResult *result);
    const char *(*column_name)(DuckResult *result, uint64_t column);
    int (*column_type)(DuckResult *result, uint64_t column);
    DuckChunk (*fetch_chunk)(DuckResult result);
    uint64_t (*data_chunk_get_size)(DuckChunk chunk);
    DuckVector (*data_chunk_get_vector)(DuckChunk chunk, uint64_t column);
    void *(*vector_get_data)(DuckVector vector);
    uint64_t *(*vector_get_validity)(DuckVector vector);
    void (*destroy_data_chunk)(DuckChunk *chunk);
    void (*destroy_result)(DuckResult *result);
} DuckApi;

/* The library, opened by the first call: from the path in CLARY_DUCKDB, /usr/lib/clary, or the
 * folder duckdb beside the program or above it (a build folder).  It stays open.  Fails with what
 * is lost without it and what to do. */
bool duckdb_api(const DuckApi **ret_api, Error *err);

#endif
