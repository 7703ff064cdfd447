/* Parquet through DuckDB's library.
 *
 * The query brings each column to one of four forms (double or float, bool, microseconds, text), so
 * that only those are taken out of its vectors.  Rows come in their order, chunk by chunk; their
 * number is asked first, which Parquet files have in their footers. */

#include "data/readers.h"

#include "base/memory.h"
#include "base/strbuf.h"
#include "data/dictionary.h"
#include "data/duckdb_api.h"

#include <math.h>

typedef struct ParquetColumn {
    ColumnType type;
    bool single; /* a FLOAT vector */
    bool category_only;
    Arena arena;
    Dictionary words;
    int32_t *codes;
} ParquetColumn;

typedef struct Parquet {
    const DuckApi *api;
    const ReadOptions *options;
    DuckDatabase database;
    DuckConnection connection;
    Frame *frame;
    ParquetColumn *columns;
    int64_t n_rows;
} Parquet;

/* ---- the query ---- */

static void add_quoted(StrBuf *sql, Str text, char quote)
{
    strbuf_add_char(sql, quote);
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == quote) strbuf_add_char(sql, quote);
        strbuf_add_char(sql, text.ptr[i]);
    }
    strbuf_add_char(sql, quote);
}

/* A file's name as DuckDB reads it: as a pattern, so its signs are put in brackets. */
static void add_file(StrBuf *sql, const char *name)
{
    AUTO_STRBUF StrBuf pattern = STRBUF(1 << 16);
    for (const char *c = name; *c; c++) {
        if (*c == '*' || *c == '?' || *c == '[')
            strbuf_addf(&pattern, "[%c]", *c);
        else
            strbuf_add_char(&pattern, *c);
    }
    add_quoted(sql, strbuf_str(&pattern), '\'');
}

static void add_source(StrBuf *sql, const Source *source)
{
    strbuf_add(sql, STR(" FROM read_parquet(["));
    for (int32_t i = 0; i < source_n_files(source); i++) {
        if (i) strbuf_add_char(sql, ',');
        add_file(sql, source_file_name(source, i));
    }
    strbuf_add(sql, STR("], hive_partitioning = false)"));
}

/* DuckDB's messages span lines and go into queries; the first line says what is wrong. */
static bool duck_error(const char *text, Error *err)
{
    Str rest = str_of(text), line = STR("unknown reason");
    str_next_line(&rest, &line);
    return error_set(err, ERROR_INVALID, "%.*s", STR_ARG(line));
}

static bool run(Parquet *parquet, StrBuf *sql, DuckResult *ret_result, Error *err)
{
    const DuckApi *api = parquet->api;
    DuckStatement statement = NULL;
    if (sql->overflow) return error_set(err, ERROR_LIMIT, "too many files or columns");
    bool ok = api->prepare(parquet->connection, strbuf_cstr(sql), &statement) == 0;
    if (!ok) {
        duck_error(api->prepare_error(statement), err);
    } else if (api->execute_prepared_streaming(statement, ret_result) != 0) {
        ok = duck_error(api->result_error(ret_result), err);
        api->destroy_result(ret_result);
    }
    api->destroy_prepare(&statement);
    return ok;
}

static bool is_named(const Str *names, int32_t n, Str name, int32_t position)
{
    for (int32_t i = 0; i < n; i++) {
        int64_t number;
        if (str_eq(names[i], name) || (str_to_int64(names[i], &number) && number == position))
            return true;
    }
    return false;
}

/* The form in which a column of that type is asked for. */
static bool plan_column(const Parquet *parquet, int type, Str name, int32_t position,
                        ParquetColumn *column, const char **ret_cast, Error *err)
{
    const ReadOptions *options = parquet->options;
    bool number = options->numeric ||
                  is_named(options->numbers, options->n_numbers, name, position);
    column->category_only = is_named(options->categories, options->n_categories, name, position);
    column->single = type == DUCK_FLOAT;
    if (column->category_only) {
        column->type = COLUMN_CATEGORY;
        *ret_cast = "VARCHAR";
    } else if (type == DUCK_BOOLEAN) {
        column->type = number ? COLUMN_NUMBER : COLUMN_BOOL;
        *ret_cast = number ? "DOUBLE" : "BOOLEAN";
    } else if ((type >= DUCK_TINYINT && type <= DUCK_DOUBLE) || type == DUCK_HUGEINT ||
               type == DUCK_UHUGEINT || type == DUCK_DECIMAL || type == DUCK_SQLNULL) {
        column->type = COLUMN_NUMBER;
        *ret_cast = column->single ? "FLOAT" : "DOUBLE";
    } else if (!number &&
               (type == DUCK_TIMESTAMP || type == DUCK_DATE || type == DUCK_TIMESTAMP_TZ ||
                (type >= DUCK_TIMESTAMP_S && type <= DUCK_TIMESTAMP_NS))) {
        column->type = COLUMN_TIME;
        *ret_cast = type == DUCK_TIMESTAMP_TZ ? NULL : "TIMESTAMP";
    } else if (type == DUCK_VARCHAR || type == DUCK_ENUM || type == DUCK_UUID) {
        column->type = number ? COLUMN_NUMBER : COLUMN_CATEGORY;
        *ret_cast = number ? "DOUBLE" : "VARCHAR";
    } else {
        return error_set(
            err, ERROR_UNSUPPORTED,
            "column '%.*s' holds lists, structures, bytes or durations; only numbers, texts, bools and "
            "times can be read",
            STR_ARG(name));
    }
    return true;
}

/* Finds the columns and writes the query that reads them. */
static bool plan(Parquet *parquet, const Source *source, StrBuf *sql, Error *err)
{
    const DuckApi *api = parquet->api;
    AUTO_STRBUF StrBuf look = STRBUF(sql->max);
    DuckResult result = {0};
    strbuf_add(&look, STR("SELECT *"));
    add_source(&look, source);
    strbuf_add(&look, STR(" LIMIT 0"));
    if (!run(parquet, &look, &result, err)) return false;

    uint64_t n = api->column_count(&result);
    bool ok = n <= COLUMNS_MAX || error_set(err, ERROR_LIMIT, "more than %d columns", COLUMNS_MAX);
    if (ok) {
        parquet->frame = frame_new((int32_t)n);
        parquet->columns = arena_array(&parquet->frame->arena, ParquetColumn, n);
        strbuf_add(sql, STR("SELECT "));
    }
    for (uint64_t j = 0; ok && j < n; j++) {
        const char *cast = NULL;
        Str name = str_of(api->column_name(&result, j));
        ParquetColumn *column = &parquet->columns[j];
        ok = plan_column(parquet, api->column_type(&result, j), name, (int32_t)j, column, &cast,
                         err);
        parquet->frame->columns[j].name = arena_str(&parquet->frame->arena, name);
        parquet->frame->columns[j].type = column->type;
        strbuf_add(sql, j ? STR(", ") : STR(""));
        if (cast) strbuf_add(sql, STR("CAST("));
        if (!cast) strbuf_add(sql, STR("make_timestamp(epoch_us("));
        add_quoted(sql, name, '"');
        if (cast) strbuf_addf(sql, " AS %s)", cast);
        if (!cast) strbuf_add(sql, STR("))"));
    }
    api->destroy_result(&result);
    add_source(sql, source);
    if (parquet->options->rows_max)
        strbuf_addf(sql, " LIMIT %lld", (long long)parquet->options->rows_max);
    return ok;
}

static bool count_rows(Parquet *parquet, const Source *source, Error *err)
{
    const DuckApi *api = parquet->api;
    AUTO_STRBUF StrBuf sql = STRBUF(64 << 20);
    DuckResult result = {0};
    strbuf_add(&sql, STR("SELECT count(*)"));
    add_source(&sql, source);
    if (!run(parquet, &sql, &result, err)) return false;
    DuckChunk chunk = api->fetch_chunk(result);
    int64_t n = 0;
    bool ok = chunk || duck_error(api->result_error(&result), err);
    if (ok) memcpy(&n, api->vector_get_data(api->data_chunk_get_vector(chunk, 0)), sizeof n);
    api->destroy_data_chunk(&chunk); /* which makes it NULL */
    api->destroy_result(&result);
    int64_t max = parquet->options->rows_max;
    parquet->n_rows = max ? MIN(n, max) : n;
    return ok;
}

/* ---- values ---- */

static bool allocate(Parquet *parquet, Error *err)
{
    Frame *frame = parquet->frame;
    frame->n_rows = parquet->n_rows;
    for (int32_t j = 0; j < frame->n_columns; j++) {
        Column *column = &frame->columns[j];
        ParquetColumn *info = &parquet->columns[j];
        bool ok = false;
        column->n_rows = parquet->n_rows;
        info->words = (Dictionary)DICTIONARY(&info->arena);
        switch (column->type) {
        case COLUMN_NUMBER:
            if (parquet->options->f64)
                ok = (column->f64 = data_array(double, parquet->n_rows, "a column", err)) != NULL;
            else
                ok = (column->f32 = data_array(float, parquet->n_rows, "a column", err)) != NULL;
            break;
        case COLUMN_TIME:
            ok = (column->time_us = data_array(int64_t, parquet->n_rows, "a column", err)) != NULL;
            break;
        case COLUMN_BOOL:
            ok = (column->bools = data_array(uint8_t, parquet->n_rows, "a column", err)) != NULL;
            break;
        default:
            ok = (column->codes = data_array(int32_t, parquet->n_rows, "a column", err)) != NULL;
        }
        if (!ok) return false;
    }
    return true;
}

static bool set_missing(Column *column, int64_t row, Error *err)
{
    if (!column->valid) {
        size_t n_words = (size_t)(column->n_rows + 63) / 64;
        column->valid = data_array(uint64_t, n_words, "a column", err);
        if (!column->valid) return false;
        memset(column->valid, 0xff, n_words * sizeof(uint64_t));
    }
    column->valid[row >> 6] &= ~((uint64_t)1 << (row & 63));
    column->n_missing++;
    if (column->f32) column->f32[row] = NAN;
    if (column->f64) column->f64[row] = NAN;
    if (column->codes) column->codes[row] = -1;
    return true;
}

static void take_numbers(Column *column, bool single, const void *data, int64_t row, int64_t n)
{
    const float *floats = data;
    const double *doubles = data;
    for (int64_t i = 0; i < n; i++) {
        double x = single ? (double)floats[i] : doubles[i];
        if (column->f32)
            column->f32[row + i] = single ? floats[i] : (float)x;
        else
            column->f64[row + i] = x;
    }
}

static void take_words(Column *column, ParquetColumn *info, const DuckString *strings,
                       const uint64_t *validity, int64_t row, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (validity && !(validity[i >> 6] >> (i & 63) & 1)) continue;
        const DuckString *string = &strings[i];
        Str word = {string->length <= 12 ? string->inlined : string->pointer, string->length};
        column->codes[row + i] = dictionary_add(&info->words, word);
    }
}

static bool take_chunk(Parquet *parquet, DuckChunk chunk, int64_t row, int64_t n, Error *err)
{
    const DuckApi *api = parquet->api;
    for (int32_t j = 0; j < parquet->frame->n_columns; j++) {
        DuckVector vector = api->data_chunk_get_vector(chunk, (uint64_t)j);
        Column *column = &parquet->frame->columns[j];
        const void *data = api->vector_get_data(vector);
        const uint64_t *validity = api->vector_get_validity(vector);
        switch (column->type) {
        case COLUMN_NUMBER: take_numbers(column, parquet->columns[j].single, data, row, n); break;
        case COLUMN_TIME: memcpy(column->time_us + row, data, (size_t)n * sizeof(int64_t)); break;
        case COLUMN_BOOL: memcpy(column->bools + row, data, (size_t)n); break;
        default: take_words(column, &parquet->columns[j], data, validity, row, n);
        }
        for (int64_t i = 0; i < n; i++) {
            bool missing = (validity && !(validity[i >> 6] >> (i & 63) & 1)) ||
                           (column->f32 && isnan(column->f32[row + i])) ||
                           (column->f64 && isnan(column->f64[row + i]));
            if (missing && !set_missing(column, row + i, err)) return false;
        }
    }
    return true;
}

static bool read_rows(Parquet *parquet, StrBuf *sql, Error *err)
{
    const DuckApi *api = parquet->api;
    DuckResult result = {0};
    if (!run(parquet, sql, &result, err)) return false;
    int64_t row = 0;
    bool ok = true;
    for (DuckChunk chunk; ok && (chunk = api->fetch_chunk(result));) {
        int64_t n = (int64_t)api->data_chunk_get_size(chunk);
        if (n > parquet->n_rows - row)
            ok = error_set(err, ERROR_CONFLICT, "the files have changed while they were read");
        else if (n > 0)
            ok = take_chunk(parquet, chunk, row, n, err);
        row += n;
        api->destroy_data_chunk(&chunk);
        if (n == 0) break;
    }
    const char *error = ok ? api->result_error(&result) : NULL;
    if (error && *error) ok = duck_error(error, err);
    if (ok && row != parquet->n_rows)
        ok = error_set(err, ERROR_INVALID, "%lld rows came, the files say %lld", (long long)row,
                       (long long)parquet->n_rows);
    api->destroy_result(&result);
    return ok;
}

/* ---- together ---- */

static bool open_database(Parquet *parquet, Pool *pool, Error *err)
{
    static const char *const settings[][2] = {
        {"autoinstall_known_extensions", "false"},
        {"autoload_known_extensions", "false"},
        {"preserve_insertion_order", "true"},
    };
    const DuckApi *api = parquet->api;
    ARENA(scratch);
    DuckConfig config = NULL;
    char *why = NULL;
    if (api->create_config(&config) != 0)
        return error_set(err, ERROR_NO_MEMORY, "no memory for DuckDB");
    for (size_t i = 0; i < COUNT(settings); i++)
        api->set_config(config, settings[i][0], settings[i][1]);
    api->set_config(config, "threads", arena_format(&scratch, "%d", pool_threads(pool)).ptr);
    bool ok = api->open_ext(NULL, &parquet->database, config, &why) == 0;
    if (!ok) {
        error_set(err, ERROR_INTERNAL, "DuckDB does not start: %s", why ? why : "unknown reason");
        api->free(why);
    }
    api->destroy_config(&config);
    if (ok && api->connect(parquet->database, &parquet->connection) != 0)
        ok = error_set(err, ERROR_INTERNAL, "DuckDB does not start");
    return ok;
}

static bool finish(Parquet *parquet, Error *err)
{
    for (int32_t j = 0; j < parquet->frame->n_columns; j++) {
        Column *column = &parquet->frame->columns[j];
        ParquetColumn *info = &parquet->columns[j];
        if (column->type == COLUMN_CATEGORY &&
            !column_take_words(parquet->frame, column, &info->words, info->category_only, err))
            return false;
    }
    return true;
}

bool frame_read_parquet(Source *source, const ReadOptions *options, Pool *pool, Frame **ret_frame,
                        ReadReport *report, Error *err)
{
    (void)report;
    Parquet parquet = {.options = options};
    if (!duckdb_api(&parquet.api, err)) return false;
    if (!source_is_regular(source) || str_is(str_of(source_file_name(source, 0)), "-"))
        return error_set(err, ERROR_UNSUPPORTED,
                         "Parquet is read from files, not from pipes: save it to a file first");

    AUTO_STRBUF StrBuf sql = STRBUF(64 << 20);
    bool ok = open_database(&parquet, pool, err) && plan(&parquet, source, &sql, err) &&
              count_rows(&parquet, source, err) && allocate(&parquet, err) &&
              read_rows(&parquet, &sql, err) && finish(&parquet, err);
    if (parquet.connection) parquet.api->disconnect(&parquet.connection);
    if (parquet.database) parquet.api->close(&parquet.database);
    for (int32_t j = 0; parquet.frame && j < parquet.frame->n_columns; j++)
        arena_clear(&parquet.columns[j].arena);
    if (!ok) {
        frame_free(parquet.frame);
        return error_in(err, "reading '%s'", source_file_name(source, 0));
    }
    *ret_frame = parquet.frame;
    return true;
}
