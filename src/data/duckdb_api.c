/* Finding and opening DuckDB's library. */

#include "data/duckdb_api.h"

#include "base/arena.h"
#include "base/file.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>

#define NAME "libduckdb.so"

static const struct {
    const char *name;
    size_t offset;
} symbols[] = {
#define SYMBOL(member)                                                                             \
    {                                                                                              \
        "duckdb_" #member, offsetof(DuckApi, member)                                               \
    }
    SYMBOL(library_version),
    SYMBOL(create_config),
    SYMBOL(set_config),
    SYMBOL(destroy_config),
    SYMBOL(open_ext),
    SYMBOL(close),
    SYMBOL(connect),
    SYMBOL(disconnect),
    SYMBOL(free),
    SYMBOL(query),
    SYMBOL(prepare),
    SYMBOL(prepare_error),
    SYMBOL(destroy_prepare),
    SYMBOL(execute_prepared_streaming),
    SYMBOL(result_error),
    SYMBOL(column_count),
    SYMBOL(column_name),
    SYMBOL(column_type),
    SYMBOL(fetch_chunk),
    SYMBOL(data_chunk_get_size),
    SYMBOL(data_chunk_get_vector),
    SYMBOL(vector_get_data),
    SYMBOL(vector_get_validity),
    SYMBOL(destroy_data_chunk),
    SYMBOL(destroy_result),
#undef SYMBOL
};

/* Of a build: duckdb/libduckdb.so beside the program or up to four folders above it.  Installed:
 * lib/clary/libduckdb.so beside the program's folder.  NULL when it is in none of them. */
static const char *beside_program(Arena *arena)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n <= 0) return NULL;
    exe[n] = 0;
    char *name = strrchr(exe, '/');
    if (name && name - exe > 4 && memcmp(name - 4, "/bin", 4) == 0) {
        const char *path =
            arena_format(arena, "%.*s/lib/clary/" NAME, (int)(name - 4 - exe), exe).ptr;
        if (file_exists(path)) return path;
    }
    for (int i = 0; i < 5; i++) {
        char *slash = strrchr(exe, '/');
        if (!slash) return NULL;
        *slash = 0;
        const char *path = path_join(arena, exe, "duckdb/" NAME);
        if (file_exists(path)) return path;
    }
    return NULL;
}

static bool find_library(Arena *arena, const char **ret_path, Error *err)
{
    const char *asked = getenv("CLARY_DUCKDB");
    if (asked && *asked) {
        if (!file_exists(asked))
            return error_set(err, ERROR_NOT_FOUND, "CLARY_DUCKDB names '%s', which is not there",
                             asked);
        *ret_path = asked;
        return true;
    }
    *ret_path = file_exists("/usr/lib/clary/" NAME) ? "/usr/lib/clary/" NAME
                                                    : beside_program(arena);
    return *ret_path ||
           error_set(
               err, ERROR_UNSUPPORTED,
               "reading Parquet needs DuckDB's library, which is not installed: run tools/setup, "
               "set CLARY_DUCKDB to the path of " NAME ", or convert the file to CSV");
}

static bool open_library(DuckApi *api, Error *err)
{
    ARENA(scratch);
    const char *path;
    if (!find_library(&scratch, &path, err)) return false;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        return error_set(err, ERROR_UNSUPPORTED, "DuckDB's library cannot be opened: %s",
                         dlerror());
    for (size_t i = 0; i < COUNT(symbols); i++) {
        void *symbol = dlsym(library, symbols[i].name);
        if (!symbol) {
            dlclose(library);
            return error_set(err, ERROR_UNSUPPORTED,
                             "'%s' has no function %s; DuckDB 1.0 or later is needed", path,
                             symbols[i].name);
        }
        memcpy((char *)api + symbols[i].offset, &symbol, sizeof symbol);
    }
    return true;
}

bool duckdb_api(const DuckApi **ret_api, Error *err)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static DuckApi api;
    static bool opened;
    pthread_mutex_lock(&lock);
    bool ok = opened || open_library(&api, err);
    opened = ok;
    pthread_mutex_unlock(&lock);
    if (ok) *ret_api = &api;
    return ok;
}
