/* RecordIO-protobuf: features["values"] and label["values"] of each record.
 *
 * The first record decides: how many features and labels there are, and whether the data is kept
 * dense or sparse (a dense record among sparse ones is stored in full; the other way round it is an
 * error).  Frames are found one after the other, which only hops from length to length; their
 * contents are decoded in chunks of records by all threads.  Dense values are turned from rows to
 * columns 16 rows at a time, a cache line of each column. */

#include "data/readers.h"

#include "base/memory.h"
#include "data/problems.h"
#include "format/recordio.h"

#include <math.h>
#include <stdio.h>

enum {
    CHUNK_ROWS = 128,
    BATCH_ROWS = 64 * CHUNK_ROWS,
    BATCH_BYTES = 8 << 20,
    TILE_ROWS = 16,
    BAD_TEXT = 200,
};

/* What a thread needs and finds for CHUNK_ROWS records. */
typedef struct Chunk {
    float *tile;  /* dense: TILE_ROWS x n_features */
    int32_t *col; /* sparse */
    float *value;
    int64_t n_values, values_capacity;
    int64_t row_values[CHUNK_ROWS];
    RecordTensor tensor;
    int64_t n_bad;
    int32_t bad_row[PROBLEMS_SHOWN];
    char bad_text[PROBLEMS_SHOWN][BAD_TEXT];
    bool failed; /* not the data's fault */
    Error err;
} Chunk;

/* Where the numbers lie in a payload of the usual form (one packed blob of float32 each).  A record of
 * the same length whose other bytes are the same is read by copying them, without parsing. */
typedef struct Template {
    Str bytes; /* a payload; empty: there is none */
    size_t values_at, values_end, label_at, label_end;
} Template;

typedef struct Records {
    RowBuilder rows;
    const ReadOptions *options;
    const DatasetRoles *roles;
    Pool *pool;
    ReadReport *report;
    bool begun; /* the first record was seen */
    Template usual;

    Str payloads[BATCH_ROWS];
    Str uid[BATCH_ROWS], metadata[BATCH_ROWS];
    bool good[BATCH_ROWS];
    size_t n;
    Arena joined; /* records in parts, of this batch */
    Chunk *chunks;

    const char *name;  /* of the file */
    int64_t n_in_file; /* records before the batch */
    bool any_uid, any_metadata;
    int64_t texts_capacity;
    Problems problems;
} Records;

/* ---- one record ---- */

static bool feature_tensor(const Record *record, RecordTensor *tensor, Error *err)
{
    const RecordEntry *entry = record_main_entry(record->features, record->n_features);
    if (!entry) return error_set(err, ERROR_INVALID, "has no features \"values\"");
    if (!record_tensor(entry->value, tensor, err)) return error_in(err, "its features");
    if (tensor->type == RECORD_BYTES)
        return error_set(err, ERROR_INVALID, "holds bytes as features, not numbers");
    return true;
}

static bool decode_label(const Records *records, const Record *record, RecordTensor *tensor,
                         int64_t row, Error *err)
{
    const Dataset *dataset = records->rows.dataset;
    int32_t width = dataset->label_width;
    if (width == 0) return true;
    const RecordEntry *entry = record_main_entry(record->labels, record->n_labels);
    if (!entry) return error_set(err, ERROR_INVALID, "has no label \"values\"");
    if (!record_tensor(entry->value, tensor, err)) return error_in(err, "its label");
    if (tensor->type == RECORD_BYTES || tensor->sparse || tensor->size != width)
        return error_set(err, ERROR_INVALID, "has %lld labels, the first has %d",
                         (long long)tensor->size, width);
    float *label = dataset->label + row * width;
    for (int32_t k = 0; k < width; k++) {
        if (!isfinite(tensor->values[k]))
            return error_set(err, ERROR_INVALID, "has a label that is no finite number");
        label[k] = tensor->values[k];
    }
    return true;
}

static bool add_sparse(Chunk *chunk, const RecordTensor *tensor, Error *err)
{
    int64_t n = (int64_t)tensor->n_values;
    if (chunk->n_values + n > chunk->values_capacity) {
        int64_t capacity = MAX(chunk->n_values + n, 2 * chunk->values_capacity);
        int32_t *col = data_grow(chunk->col, (size_t)chunk->n_values, (size_t)capacity, sizeof *col,
                                 "reading", err);
        if (!col) return false;
        chunk->col = col;
        float *value = data_grow(chunk->value, (size_t)chunk->n_values, (size_t)capacity,
                                 sizeof *value, "reading", err);
        if (!value) return false;
        chunk->value = value;
        chunk->values_capacity = capacity;
    }
    for (int64_t k = 0; k < n; k++) {
        chunk->col[chunk->n_values + k] = tensor->sparse ? tensor->keys[k] : (int32_t)k;
        chunk->value[chunk->n_values + k] = tensor->values[k];
    }
    chunk->n_values += n;
    return true;
}

/* Position in the payload of a tensor's values, if its value is exactly one packed blob of them. */
static bool find_blob(Str payload, Str value, const RecordTensor *tensor, size_t *ret_at)
{
    size_t n = tensor->n_values * sizeof(float), lengths[2], at = 0;
    static const char tags[2] = {2 << 3 | 2, 1 << 3 | 2}; /* float32_tensor, values */
    if (tensor->type != RECORD_FLOAT32 || tensor->sparse) return false;
    for (int i = 0; i < 2; i++) {
        if (at == value.len || value.ptr[at++] != tags[i]) return false;
        lengths[i] = 0;
        for (unsigned shift = 0;; shift += 7) {
            if (at == value.len || shift > 28) return false;
            unsigned char byte = (unsigned char)value.ptr[at++];
            lengths[i] |= (size_t)(byte & 0x7f) << shift;
            if (byte < 0x80) break;
        }
        if (lengths[i] != value.len - at) return false;
    }
    *ret_at = (size_t)(value.ptr - payload.ptr) + at;
    return lengths[1] == n;
}

static bool same_bytes(Str a, Str b, size_t begin, size_t end)
{
    return memcmp(a.ptr + begin, b.ptr + begin, end - begin) == 0;
}

/* A record like the template; false when it is not, or has something to complain of. */
static bool decode_usual(const Records *records, Str payload, int64_t row, float *tile_row)
{
    const Template *usual = &records->usual;
    const Dataset *dataset = records->rows.dataset;
    if (!usual->bytes.len || payload.len != usual->bytes.len) return false;
    bool label_first = usual->label_at < usual->values_at;
    size_t end1 = label_first ? usual->label_end : usual->values_end;
    size_t at2 = label_first ? usual->values_at : usual->label_at;
    if (!same_bytes(payload, usual->bytes, 0, label_first ? usual->label_at : usual->values_at) ||
        !same_bytes(payload, usual->bytes, end1, at2) ||
        !same_bytes(payload, usual->bytes, MAX(usual->label_end, usual->values_end), payload.len))
        return false;

    int32_t width = dataset->label_width;
    if (width) {
        float *label = dataset->label + row * width;
        memcpy(label, payload.ptr + usual->label_at, (size_t)width * sizeof(float));
        for (int32_t k = 0; k < width; k++)
            if (!isfinite(label[k])) return false;
    }
    memcpy(tile_row, payload.ptr + usual->values_at, usual->values_end - usual->values_at);
    return true;
}

/* Record i of the batch, to row `row` of the dataset; dense values to `tile_row`. */
static bool decode(Records *records, Chunk *chunk, size_t i, int64_t row, float *tile_row,
                   Error *err)
{
    UNINITIALIZED Record record;
    const Dataset *dataset = records->rows.dataset;
    RecordTensor *tensor = &chunk->tensor;
    if (!records->rows.sparse && decode_usual(records, records->payloads[i], row, tile_row)) {
        records->uid[i] = records->metadata[i] = (Str){NULL, 0};
        return true;
    }
    if (!record_parse(records->payloads[i], &record, err)) return false;
    if (!decode_label(records, &record, tensor, row, err)) return false;
    if (!feature_tensor(&record, tensor, err)) return false;
    if (tensor->size != dataset->n_features)
        return error_set(err, ERROR_INVALID, "has %lld features, %s %d", (long long)tensor->size,
                         records->roles->schema ? "the model has" : "the first has",
                         dataset->n_features);
    records->uid[i] = record.uid;
    records->metadata[i] = record.metadata;
    if (records->rows.sparse) return add_sparse(chunk, tensor, err);
    if (tensor->sparse)
        return error_set(err, ERROR_INVALID, "is sparse, the first is dense; all must be alike");
    if (tensor->n_values) memcpy(tile_row, tensor->values, tensor->n_values * sizeof(float));
    return true;
}

static void tile_to_columns(const float *restrict tile, float *const *columns, int32_t n_features,
                            int64_t row, int n_rows)
{
    for (int32_t j = 0; j < n_features; j++) {
        float *restrict column = columns[j] + row;
        for (int r = 0; r < n_rows; r++) column[r] = tile[(int64_t)r * n_features + j];
    }
}

static void note_bad(Chunk *chunk, size_t i, const Error *err)
{
    if (chunk->n_bad < PROBLEMS_SHOWN) {
        chunk->bad_row[chunk->n_bad] = (int32_t)i;
        snprintf(chunk->bad_text[chunk->n_bad], BAD_TEXT, "%.*s", BAD_TEXT - 1, err->text);
    }
    chunk->n_bad++;
}

static void run_chunk(void *arg, size_t number, size_t begin, size_t end)
{
    Records *records = arg;
    Chunk *chunk = &records->chunks[number];
    Dataset *dataset = records->rows.dataset;
    int32_t n_features = dataset->n_features;
    chunk->n_bad = 0;
    chunk->n_values = 0;
    chunk->failed = false;
    if (!records->rows.sparse && !chunk->tile) {
        chunk->tile = data_array(float, (size_t)n_features *TILE_ROWS, "reading", &chunk->err);
        chunk->failed = !chunk->tile;
    }
    for (size_t from = begin; from < end && !chunk->failed; from += TILE_ROWS) {
        size_t to = MIN(end, from + TILE_ROWS);
        for (size_t i = from; i < to; i++) {
            UNINITIALIZED Error err;
            float *tile_row = chunk->tile ? chunk->tile + (i - from) * (size_t)n_features : NULL;
            int64_t before = chunk->n_values;
            records->good[i] = decode(records, chunk, i, dataset->n_rows + (int64_t)i, tile_row,
                                      &err);
            if (!records->good[i] && err.kind == ERROR_NO_MEMORY) {
                chunk->err = err;
                chunk->failed = true;
                return;
            }
            if (!records->good[i]) note_bad(chunk, i, &err);
            chunk->row_values[i - begin] = chunk->n_values - before;
        }
        if (chunk->tile)
            tile_to_columns(chunk->tile, dataset->columns, n_features,
                            dataset->n_rows + (int64_t)from, (int)(to - from));
    }
}

/* ---- batches ---- */

static bool begin(Records *records, Str payload, Error *err)
{
    Dataset *dataset = records->rows.dataset;
    RecordTensor tensor = {0};
    Record record;
    bool ok = record_parse(payload, &record, err) && feature_tensor(&record, &tensor, err);
    if (ok) {
        records->rows.sparse = tensor.sparse;
        dataset->n_features = records->roles->schema ? records->roles->schema->n_features
                                                     : (int32_t)tensor.size;
        if (dataset->n_features > (tensor.sparse ? FEATURES_MAX : COLUMNS_MAX))
            ok = error_set(err, ERROR_LIMIT, "has %lld features; at most %d can be learned from",
                           (long long)tensor.size, tensor.sparse ? FEATURES_MAX : COLUMNS_MAX);
        else if (dataset->n_features == 0)
            ok = error_set(err, ERROR_INVALID, "has no features");
    }
    size_t values_at = 0, label_at = payload.len, label_bytes = 0;
    bool usual = ok && !record.uid.ptr && !record.metadata.ptr &&
                 tensor.size == dataset->n_features &&
                 find_blob(payload, record_main_entry(record.features, record.n_features)->value,
                           &tensor, &values_at);
    const RecordEntry *label = ok ? record_main_entry(record.labels, record.n_labels) : NULL;
    if (label && !records->roles->no_target) {
        ok = record_tensor(label->value, &tensor, err) || error_in(err, "its label");
        if (ok && tensor.size > COLUMNS_MAX)
            ok = error_set(err, ERROR_LIMIT, "has %lld labels; at most %d are read",
                           (long long)tensor.size, COLUMNS_MAX);
        dataset->label_width = ok ? (int32_t)tensor.size : 0;
        label_bytes = (size_t)dataset->label_width * sizeof(float);
        usual = usual && ok && find_blob(payload, label->value, &tensor, &label_at);
    }
    record_tensor_clear(&tensor);
    if (!ok) return false;
    if (!records->rows.sparse)
        dataset->columns = arena_array(&dataset->arena, float *, dataset->n_features);
    if (usual)
        records->usual = (Template){
            .bytes = arena_str(&dataset->arena, payload),
            .values_at = values_at,
            .values_end = values_at + (size_t)dataset->n_features * sizeof(float),
            .label_at = label_at,
            .label_end = label_at + label_bytes,
        };
    records->begun = true;
    return true;
}

/* Keeps the good rows of a batch whose bad ones are dropped. */
static int64_t close_gaps(Records *records)
{
    Dataset *dataset = records->rows.dataset;
    int64_t base = dataset->n_rows, n = 0;
    for (size_t i = 0; i < records->n; i++) {
        if (!records->good[i]) continue;
        int64_t from = base + (int64_t)i, to = base + n;
        records->uid[n] = records->uid[i];
        records->metadata[n++] = records->metadata[i];
        if (from == to) continue;
        for (int32_t j = 0; dataset->columns && j < dataset->n_features; j++)
            dataset->columns[j][to] = dataset->columns[j][from];
        for (int32_t k = 0; k < dataset->label_width; k++)
            dataset->label[to * dataset->label_width + k] =
                dataset->label[from * dataset->label_width + k];
    }
    return n;
}

static bool append_sparse(Records *records, size_t n_chunks, Error *err)
{
    Dataset *dataset = records->rows.dataset;
    int64_t n_values = 0, row = dataset->n_rows;
    for (size_t c = 0; c < n_chunks; c++) n_values += records->chunks[c].n_values;
    if (!rows_reserve(&records->rows, 0, n_values, err)) return false;
    for (size_t c = 0; c < n_chunks; c++) {
        const Chunk *chunk = &records->chunks[c];
        int64_t at = records->rows.n_values;
        if (chunk->n_values) {
            memcpy(dataset->col + at, chunk->col, (size_t)chunk->n_values * sizeof(int32_t));
            memcpy(dataset->value + at, chunk->value, (size_t)chunk->n_values * sizeof(float));
        }
        records->rows.n_values += chunk->n_values;
        for (size_t i = c * CHUNK_ROWS; i < MIN(records->n, (c + 1) * CHUNK_ROWS); i++) {
            at += chunk->row_values[i - c * CHUNK_ROWS];
            if (records->good[i]) dataset->row_start[++row] = at;
        }
    }
    return true;
}

static Str *keep_texts(Arena *arena, Str *texts, int64_t n_rows, int64_t capacity, int64_t grown,
                       const Str *new_texts, int64_t n)
{
    if (!texts)
        texts = arena_array(arena, Str, grown);
    else if (grown > capacity)
        texts = arena_grow(arena, texts, (size_t)n_rows, (size_t)grown, sizeof(Str));
    for (int64_t i = 0; i < n; i++)
        if (new_texts[i].ptr) texts[n_rows + i] = arena_str(arena, new_texts[i]);
    return texts;
}

static void append_texts(Records *records, int64_t n)
{
    Dataset *dataset = records->rows.dataset;
    for (int64_t i = 0; i < n; i++) {
        records->any_uid = records->any_uid || records->uid[i].ptr;
        records->any_metadata = records->any_metadata || records->metadata[i].ptr;
    }
    int64_t capacity = records->texts_capacity, need = dataset->n_rows + n;
    int64_t grown = need <= capacity ? capacity : MAX(need, 2 * capacity);
    if (records->any_uid)
        dataset->uid = keep_texts(&dataset->arena, dataset->uid, dataset->n_rows, capacity, grown,
                                  records->uid, n);
    if (records->any_metadata)
        dataset->metadata = keep_texts(&dataset->arena, dataset->metadata, dataset->n_rows,
                                       capacity, grown, records->metadata, n);
    records->texts_capacity = grown;
}

static void note_problems(Records *records, size_t n_chunks)
{
    for (size_t c = 0; c < n_chunks; c++) {
        const Chunk *chunk = &records->chunks[c];
        for (int64_t k = 0; k < MIN(chunk->n_bad, (int64_t)PROBLEMS_SHOWN); k++) {
            long long number = records->n_in_file + chunk->bad_row[k] + 1;
            if (!records->options->skip_bad_rows)
                problems_add(&records->problems, "record %lld of '%s' %s", number, records->name,
                             chunk->bad_text[k]);
            else if (records->report->n_skipped == 0 && k == 0)
                snprintf(records->report->first_skipped, sizeof records->report->first_skipped,
                         "record %lld of '%s' %s", number, records->name, chunk->bad_text[k]);
        }
        if (records->options->skip_bad_rows)
            records->report->n_skipped += chunk->n_bad;
        else
            records->problems.n += MAX(chunk->n_bad - PROBLEMS_SHOWN, (int64_t)0);
    }
}

static bool run_batch(Records *records, Error *err)
{
    if (records->n == 0) return true;
    Dataset *dataset = records->rows.dataset;
    for (size_t i = 0; i < records->n && !records->begun; i++) {
        Error why;
        if (begin(records, records->payloads[i], &why)) break;
        if (!records->options->skip_bad_rows || why.kind == ERROR_LIMIT) {
            *err = why;
            return error_in(err, "record %lld of '%s'",
                            (long long)(records->n_in_file + (int64_t)i + 1), records->name);
        }
    }
    if (!records->begun) { /* all bad so far */
        records->report->n_skipped += (int64_t)records->n;
        records->n_in_file += (int64_t)records->n;
        records->n = 0;
        return true;
    }

    if (!rows_reserve(&records->rows, (int64_t)records->n, 0, err)) return false;
    parallel_for(records->pool, records->n, CHUNK_ROWS, run_chunk, records);
    size_t n_chunks = chunk_count(records->n, CHUNK_ROWS);
    for (size_t c = 0; c < n_chunks; c++)
        if (records->chunks[c].failed) {
            *err = records->chunks[c].err;
            return false;
        }
    note_problems(records, n_chunks);
    if (records->rows.sparse && !append_sparse(records, n_chunks, err)) return false;
    int64_t n = close_gaps(records);
    append_texts(records, n);
    dataset->n_rows += n;
    records->n_in_file += (int64_t)records->n;
    records->n = 0;
    arena_clear(&records->joined);
    return true;
}

static bool is_full(const Records *records)
{
    int64_t max = records->options->rows_max;
    return max && records->rows.dataset->n_rows + (int64_t)records->n >= max;
}

static bool read_block(Records *records, const SourceBlock *block, StrBuf *joined, size_t *ret_used,
                       Error *err)
{
    size_t at = 0, batch = 0;
    while (at < block->bytes.len && !is_full(records)) {
        Str payload;
        size_t used;
        if (!recordio_next(str_from(block->bytes, at), block->last, joined, &payload, &used, err))
            return error_in(err, "reading '%s': record %lld at byte %lld", block->name,
                            (long long)(records->n_in_file + (int64_t)records->n + 1),
                            (long long)block->offset + (long long)at);
        if (used == 0) break;
        if (payload.ptr == joined->ptr && payload.len)
            payload = arena_str(&records->joined, payload);
        records->payloads[records->n++] = payload;
        at += used;
        if (records->n == BATCH_ROWS || at - batch >= BATCH_BYTES) {
            if (!run_batch(records, err)) return false;
            source_done(block, block->bytes.ptr + batch, block->bytes.ptr + at);
            batch = at;
        }
    }
    *ret_used = at;
    return run_batch(records, err);
}

static bool read_all(Records *records, Source *source, Error *err)
{
    AUTO_STRBUF StrBuf joined = STRBUF(RECORD_BYTES_MAX);
    SourceBlock block = {0};
    for (size_t keep = 0; !is_full(records);) {
        if (!source_next(source, keep, &block, err)) return false;
        if (!block.name) break;
        if (block.first) records->n_in_file = 0;
        records->name = block.name;
        size_t used;
        if (!read_block(records, &block, &joined, &used, err)) return false;
        keep = block.last ? 0 : block.bytes.len - used;
    }
    return !records->problems.n || problems_error(&records->problems, err);
}

bool dataset_read_recordio(Source *source, const ReadOptions *options, const DatasetRoles *roles,
                           Pool *pool, Dataset **ret_dataset, ReadReport *report, Error *err)
{
    ARENA(scratch);
    Records *records = arena_new(&scratch, Records);
    records->rows.dataset = dataset_new();
    records->options = options;
    records->roles = roles;
    records->pool = pool;
    records->report = report;
    records->chunks = arena_array(&scratch, Chunk, BATCH_ROWS / CHUNK_ROWS);

    bool ok = read_all(records, source, err) && rows_finish(&records->rows, roles, err);
    if (ok) *ret_dataset = STEAL(records->rows.dataset);
    for (size_t c = 0; c < BATCH_ROWS / CHUNK_ROWS; c++) {
        Chunk *chunk = &records->chunks[c];
        data_free(chunk->tile);
        data_free(chunk->col);
        data_free(chunk->value);
        record_tensor_clear(&chunk->tensor);
    }
    arena_clear(&records->joined);
    rows_clear(&records->rows);
    return ok;
}
