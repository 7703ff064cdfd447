/* Opening a path, finding out what it holds, and handing it to that format's reader. */

#include "data/read.h"

#include "data/read_csv.h"
#include "data/readers.h"

/* ---- what is it? ---- */

static const struct {
    Str ending;
    DataFormat format;
} endings[] = {
    {STR_INIT(".csv"), DATA_CSV},           {STR_INIT(".tsv"), DATA_CSV},
    {STR_INIT(".libsvm"), DATA_LIBSVM},     {STR_INIT(".svm"), DATA_LIBSVM},
    {STR_INIT(".svmlight"), DATA_LIBSVM},   {STR_INIT(".jsonl"), DATA_JSONL},
    {STR_INIT(".ndjson"), DATA_JSONL},      {STR_INIT(".json"), DATA_JSONL},
    {STR_INIT(".jsonlines"), DATA_JSONL},   {STR_INIT(".pbr"), DATA_RECORDIO},
    {STR_INIT(".recordio"), DATA_RECORDIO}, {STR_INIT(".parquet"), DATA_PARQUET},
    {STR_INIT(".pq"), DATA_PARQUET},
};

static Str without_ending(Str name, Str ending)
{
    if (name.len > ending.len && str_eq_nocase(str_from(name, name.len - ending.len), ending))
        name.len -= ending.len;
    return name;
}

static DataFormat format_of_name(Str name)
{
    name = without_ending(without_ending(name, STR(".gz")), STR(".zst"));
    for (size_t i = 0; i < COUNT(endings); i++)
        if (without_ending(name, endings[i].ending).len < name.len) return endings[i].format;
    return DATA_AUTO;
}

static bool is_number_token(Str token)
{
    double number;
    return str_to_double(token, &number);
}

/* "1 3:0.5 ..." or "1:2 qid:7 3:0.5": a number, then pairs with ':' and no commas. */
static bool looks_like_libsvm(Str line)
{
    line.len = MIN(line.len, str_find(line, '#'));
    Str rest = str_trim(line), token;
    if (str_find(rest, ',') < rest.len) return false;
    for (size_t i = 0; i < rest.len; i++)
        if (rest.ptr[i] == '\t') return false;
    if (!rest.len || !str_next(&rest, ' ', &token)) return false;
    size_t colon = str_find(token, ':');
    if (!is_number_token((Str){token.ptr, colon})) return false;
    int pairs = 0;
    while (pairs < 4 && str_next(&rest, ' ', &token)) {
        if (!token.len) continue;
        colon = str_find(token, ':');
        if (colon == token.len) return false;
        pairs++;
    }
    return pairs > 0;
}

static DataFormat format_of_bytes(Str bytes)
{
    static const char magic[4] = {0x0a, 0x23, (char)0xd7, (char)0xce};
    if (str_starts(bytes, (Str){magic, 4})) return DATA_RECORDIO;
    if (str_starts(bytes, STR("PAR1"))) return DATA_PARQUET;

    Str rest = {bytes.ptr, MIN(bytes.len, (size_t)64 * 1024)}, line = {"", 0};
    do {
        if (!str_next_line(&rest, &line)) return DATA_CSV;
        line = str_trim(line);
    } while (line.len == 0 || line.ptr[0] == '#');
    if (line.ptr[0] == '{' || line.ptr[0] == '[') return DATA_JSONL;
    return looks_like_libsvm(line) ? DATA_LIBSVM : DATA_CSV;
}

static bool find_format(Source *source, DataFormat asked, DataFormat *ret_format, Error *err)
{
    *ret_format = asked != DATA_AUTO ? asked : format_of_name(str_of(source_file_name(source, 0)));
    if (*ret_format != DATA_AUTO) return true;
    SourceBlock block;
    if (!source_peek(source, &block, err)) return false;
    *ret_format = format_of_bytes(block.bytes);
    return true;
}

static const char *format_name(DataFormat format)
{
    static const char *const names[] = {"unknown",           "CSV",        "libsvm",
                                        "RecordIO-protobuf", "JSON Lines", "Parquet"};
    return names[format];
}

/* ---- reading ---- */

static bool read_table(Source *source, const ReadOptions *options, DataFormat format, Pool *pool,
                       Frame **ret_frame, ReadReport *report, Error *err)
{
    switch (format) {
    case DATA_CSV: return frame_read_csv(source, options, pool, ret_frame, report, err);
    case DATA_JSONL: return frame_read_jsonl(source, options, pool, ret_frame, report, err);
    case DATA_PARQUET: return frame_read_parquet(source, options, pool, ret_frame, report, err);
    case DATA_LIBSVM:
    case DATA_RECORDIO:
        return error_set(
            err, ERROR_UNSUPPORTED,
            "'%s' is %s, rows of features and labels rather than a table with named columns",
            source_file_name(source, 0), format_name(format));
    case DATA_AUTO: break;
    }
    return error_set(err, ERROR_INTERNAL, "no format was found");
}

static void fill_report(ReadReport *report, const Source *source, DataFormat format, int64_t n_rows)
{
    report->n_rows = n_rows;
    report->format = format;
    report->n_files = source_n_files(source);
    report->n_bytes = source_n_bytes(source);
}

bool frame_read(const char *path, const ReadOptions *options, Pool *pool, Frame **ret_frame,
                ReadReport *ret_report, Error *err)
{
    AUTO(source_close) Source *source = NULL;
    ReadReport report = {0};
    DataFormat format;
    Frame *frame = NULL;
    if (!source_open(path, &(SourceOptions){.depth = options->depth}, &source, err)) return false;
    if (!find_format(source, options->format, &format, err)) return false;
    if (!read_table(source, options, format, pool, &frame, &report, err)) return false;
    fill_report(&report, source, format, frame->n_rows);
    *ret_frame = frame;
    if (ret_report) *ret_report = report;
    return true;
}

/* A model's categories stay what they are, even where they look like numbers ("02134").  Only those
 * that the first line names are asked for: what is missing is refused later, all at once. */
static bool add_model_categories(Source *source, const Schema *schema, Str *categories, int32_t *n,
                                 Error *err)
{
    SourceBlock block;
    if (!source_peek(source, &block, err)) return false;
    Str rest = block.bytes, line = {"", 0};
    str_next_line(&rest, &line);
    for (int32_t j = 0; j < schema->n_features; j++) {
        const Feature *feature = &schema->features[j];
        if (feature->kind == FEATURE_CATEGORY && !is_made_up_name(feature->name, j) &&
            str_has(line, feature->name))
            categories[(*n)++] = feature->name;
    }
    return true;
}

static bool read_rows(Source *source, const ReadOptions *options, DataFormat format,
                      const DatasetRoles *roles, Pool *pool, Dataset **ret_dataset,
                      ReadReport *report, Error *err)
{
    if (format == DATA_LIBSVM)
        return dataset_read_libsvm(source, options, roles, pool, ret_dataset, report, err);
    if (format == DATA_RECORDIO)
        return dataset_read_recordio(source, options, roles, pool, ret_dataset, report, err);

    ARENA(scratch);
    const Schema *schema = roles->schema;
    int32_t n = options->n_categories;
    Str *categories = arena_array(&scratch, Str, n + 1 + (schema ? schema->n_features : 0));
    if (n) memcpy(categories, options->categories, (size_t)n * sizeof(Str));
    /* Query ids are names, not quantities: as float32 numbers large ones would fall together. */
    if (roles->group.len) categories[n++] = roles->group;
    if (schema && format == DATA_CSV && !add_model_categories(source, schema, categories, &n, err))
        return false;
    ReadOptions asked = *options;
    asked.categories = categories;
    asked.n_categories = n;

    AUTO(frame_free) Frame *frame = NULL;
    if (!read_table(source, &asked, format, pool, &frame, report, err)) return false;
    return dataset_from_frame(frame, roles, ret_dataset, err) ||
           error_in(err, "reading '%s'", source_file_name(source, 0));
}

bool dataset_read(const char *path, const ReadOptions *options, const DatasetRoles *roles,
                  Pool *pool, Dataset **ret_dataset, ReadReport *ret_report, Error *err)
{
    AUTO(source_close) Source *source = NULL;
    ReadReport report = {0};
    DataFormat format;
    Dataset *dataset = NULL;
    if (!source_open(path, &(SourceOptions){.depth = options->depth}, &source, err)) return false;
    if (!find_format(source, options->format, &format, err)) return false;
    if (!read_rows(source, options, format, roles, pool, &dataset, &report, err)) return false;
    fill_report(&report, source, format, dataset->n_rows);
    if (dataset->n_rows == 0) {
        dataset_free(dataset);
        return error_set(err, ERROR_INVALID, "'%s' holds no rows", path);
    }
    *ret_dataset = dataset;
    if (ret_report) *ret_report = report;
    return true;
}
