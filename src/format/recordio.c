/* RecordIO framing (dmlc's recordio) and the Record message of the aialgs.data schema.
 *
 * The protobuf part is by hand: five small messages, read by their wire rules (tag = number << 3 |
 * wire type).  Repeated numbers come packed, one by one, or in several packed pieces; all are
 * accepted and put together.  Of a oneof the last member counts, of a repeated map key the last
 * entry; unknown fields are skipped. */

#include "format/recordio.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

/* ---- frames ---- */

static uint32_t u32_at(const char *at)
{
    uint32_t x;
    memcpy(&x, at, sizeof x);
    return x;
}

typedef struct Part {
    unsigned flag;
    Str payload;
    size_t used; /* 0: more bytes are needed */
} Part;

static bool next_part(Str input, bool at_end, Part *ret_part, Error *err)
{
    *ret_part = (Part){0};
    if (input.len >= 4 && u32_at(input.ptr) != (uint32_t)RECORDIO_MAGIC)
        return error_set(
            err, ERROR_INVALID,
            "0x%08x where a record should begin (0x%08x): this is no RecordIO data, or it "
            "is damaged",
            u32_at(input.ptr), (uint32_t)RECORDIO_MAGIC);
    if (input.len < RECORDIO_HEAD_BYTES) {
        if (!at_end) return true;
        return error_set(err, ERROR_INVALID,
                         "the data is cut off: %zu bytes where a record should begin", input.len);
    }
    uint32_t word = u32_at(input.ptr + 4);
    size_t length = word & 0x1fffffff;
    if (length > RECORD_BYTES_MAX)
        return error_set(err, ERROR_LIMIT, "the record says it has %zu bytes, the limit is %d",
                         length, RECORD_BYTES_MAX);
    size_t end = RECORDIO_HEAD_BYTES + length, padded = (end + 3) & ~(size_t)3;
    if (input.len < end) {
        if (!at_end) return true;
        return error_set(err, ERROR_INVALID,
                         "the data is cut off: the record says %zu bytes, %zu are there", length,
                         input.len - RECORDIO_HEAD_BYTES);
    }
    if (input.len < padded) {
        if (!at_end) return true;
        padded = input.len; /* the last record's padding is missing */
    }
    *ret_part = (Part){word >> 29, str_slice(input, RECORDIO_HEAD_BYTES, end), padded};
    return true;
}

static bool join_parts(Str input, bool at_end, StrBuf *joined, Part first, Str *ret_payload,
                       size_t *ret_used, Error *err)
{
    static const char magic[4] = {0x0a, 0x23, (char)0xd7, (char)0xce};
    size_t used = first.used;
    joined->max = RECORD_BYTES_MAX;
    joined->len = 0;
    strbuf_add(joined, first.payload);
    for (unsigned flag = first.flag; flag != 3;) {
        Part part;
        if (used == input.len && at_end)
            return error_set(err, ERROR_INVALID,
                             "the data is cut off: a record's last part is missing");
        if (!next_part(str_from(input, used), at_end, &part, err)) return false;
        if (part.used == 0) {
            *ret_used = 0;
            return true;
        }
        if (part.flag != 2 && part.flag != 3)
            return error_set(
                err, ERROR_INVALID,
                "a part with flag %u follows a record's first part; 2 or 3 was expected",
                part.flag);
        strbuf_add(joined, (Str){magic, sizeof magic});
        strbuf_add(joined, part.payload);
        if (joined->overflow)
            return error_set(err, ERROR_LIMIT,
                             "a record in parts is larger than the limit of %d bytes",
                             RECORD_BYTES_MAX);
        used += part.used;
        flag = part.flag;
    }
    *ret_payload = strbuf_str(joined);
    *ret_used = used;
    return true;
}

bool recordio_next(Str input, bool at_end, StrBuf *joined, Str *ret_payload, size_t *ret_used,
                   Error *err)
{
    Part part;
    if (!next_part(input, at_end, &part, err)) return false;
    if (part.used == 0 || part.flag == 0) {
        *ret_payload = part.payload;
        *ret_used = part.used;
        return true;
    }
    if (part.flag != 1)
        return error_set(err, ERROR_INVALID,
                         "a record begins with a part of flag %u; 0 or 1 was expected", part.flag);
    return join_parts(input, at_end, joined, part, ret_payload, ret_used, err);
}

/* ---- protobuf ---- */

enum {
    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_BYTES = 2,
    WIRE_GROUP = 3,
    WIRE_GROUP_END = 4,
    WIRE_32 = 5
};

typedef struct Field {
    uint32_t number;
    int wire;
    uint64_t varint; /* WIRE_VARINT, WIRE_32, WIRE_64 */
    Str bytes;       /* WIRE_BYTES */
} Field;

static bool take_varint(Str *rest, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (size_t i = 0; i < rest->len && i < 10; i++) {
        unsigned char byte = (unsigned char)rest->ptr[i];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            if (i == 9 && byte > 1) return false;
            *rest = str_from(*rest, i + 1);
            *ret_value = value;
            return true;
        }
    }
    return false;
}

static bool damaged(Error *err)
{
    return error_set(err, ERROR_INVALID, "its bytes are no protobuf Record");
}

static bool take_field(Str *rest, Field *ret_field, Error *err)
{
    uint64_t tag, n;
    Field field = {0};
    if (!take_varint(rest, &tag) || tag >> 3 == 0 || tag >> 32) return damaged(err);
    field.number = (uint32_t)(tag >> 3);
    field.wire = (int)(tag & 7);
    switch (field.wire) {
    case WIRE_VARINT:
        if (!take_varint(rest, &field.varint)) return damaged(err);
        break;
    case WIRE_64:
    case WIRE_32:
        n = field.wire == WIRE_64 ? 8 : 4;
        if (rest->len < n) return damaged(err);
        memcpy(&field.varint, rest->ptr, n);
        *rest = str_from(*rest, n);
        break;
    case WIRE_BYTES:
        if (!take_varint(rest, &n) || n > rest->len) return damaged(err);
        field.bytes = (Str){rest->ptr, n};
        *rest = str_from(*rest, n);
        break;
    case WIRE_GROUP:
    case WIRE_GROUP_END: break;
    default: return damaged(err);
    }
    *ret_field = field;
    return true;
}

/* Skips an unknown field; of a group, all up to its end. */
static bool skip_field(Str *rest, const Field *field, Error *err)
{
    enum { DEPTH_MAX = 16 };
    if (field->wire == WIRE_GROUP_END) return damaged(err);
    if (field->wire != WIRE_GROUP) return true;

    uint32_t open[DEPTH_MAX];
    int depth = 0;
    open[depth++] = field->number;
    while (depth > 0) {
        Field inner;
        if (!take_field(rest, &inner, err)) return false;
        if (inner.wire == WIRE_GROUP) {
            if (depth == DEPTH_MAX)
                return error_set(err, ERROR_LIMIT, "groups are nested more than %d deep",
                                 DEPTH_MAX);
            open[depth++] = inner.number;
        } else if (inner.wire == WIRE_GROUP_END && inner.number != open[--depth]) {
            return damaged(err);
        }
    }
    return true;
}

static bool add_entry(Str message, RecordEntry *entries, int *n, Error *err)
{
    RecordEntry entry = {{"", 0}, {"", 0}};
    while (message.len) {
        Field field;
        if (!take_field(&message, &field, err)) return false;
        if (field.number == 1 && field.wire == WIRE_BYTES)
            entry.name = field.bytes;
        else if (field.number == 2 && field.wire == WIRE_BYTES)
            entry.value = field.bytes;
        else if (!skip_field(&message, &field, err))
            return false;
    }
    for (int i = 0; i < *n; i++) {
        if (!str_eq(entries[i].name, entry.name)) continue;
        entries[i] = entry;
        return true;
    }
    if (*n == RECORD_ENTRIES_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d named values", RECORD_ENTRIES_MAX);
    entries[(*n)++] = entry;
    return true;
}

bool record_parse(Str payload, Record *ret_record, Error *err)
{
    Record *record = ret_record;
    record->n_features = record->n_labels = 0;
    record->uid = record->metadata = record->configuration = (Str){NULL, 0};
    while (payload.len) {
        Field field;
        if (!take_field(&payload, &field, err)) return false;
        if (field.wire == WIRE_BYTES && field.number >= 1 && field.number <= 5) {
            switch (field.number) {
            case 1:
                if (!add_entry(field.bytes, record->features, &record->n_features, err))
                    return false;
                break;
            case 2:
                if (!add_entry(field.bytes, record->labels, &record->n_labels, err)) return false;
                break;
            case 3: record->uid = field.bytes; break;
            case 4: record->metadata = field.bytes; break;
            default: record->configuration = field.bytes;
            }
        } else if (!skip_field(&payload, &field, err)) {
            return false;
        }
    }
    return true;
}

const RecordEntry *record_entry(const RecordEntry *entries, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (str_is(entries[i].name, name)) return &entries[i];
    return NULL;
}

const RecordEntry *record_main_entry(const RecordEntry *entries, int n)
{
    const RecordEntry *entry = record_entry(entries, n, "values");
    return entry || n != 1 ? entry : &entries[0];
}

/* ---- tensors ---- */

void record_tensor_clear(RecordTensor *tensor)
{
    data_free(tensor->values);
    data_free(tensor->keys);
    *tensor = (RecordTensor){0};
}

static bool room_for_values(RecordTensor *tensor, size_t more, Error *err)
{
    size_t n = tensor->n_values + more;
    if (n <= tensor->values_capacity) return true;
    size_t capacity = MAX(n, 2 * tensor->values_capacity);
    float *grown = data_grow(tensor->values, tensor->n_values, capacity, sizeof(float), "a record",
                             err);
    if (!grown) return false;
    tensor->values = grown;
    tensor->values_capacity = capacity;
    return true;
}

static bool room_for_keys(RecordTensor *tensor, size_t more, Error *err)
{
    size_t n = tensor->n_keys + more;
    if (n <= tensor->keys_capacity) return true;
    size_t capacity = MAX(n, 2 * tensor->keys_capacity);
    int32_t *grown = data_grow(tensor->keys, tensor->n_keys, capacity, sizeof(int32_t), "a record",
                               err);
    if (!grown) return false;
    tensor->keys = grown;
    tensor->keys_capacity = capacity;
    return true;
}

static bool add_double(RecordTensor *tensor, double x, Error *err)
{
    float value = (float)x;
    if (isinf(value) && !isinf(x))
        return error_set(err, ERROR_INVALID,
                         "value %zu is %g, which is beyond the range of float32", tensor->n_values,
                         x);
    tensor->values[tensor->n_values++] = value;
    return true;
}

static bool add_packed_values(RecordTensor *tensor, Str bytes, Error *err)
{
    size_t width = tensor->type == RECORD_FLOAT32 ? 4 : tensor->type == RECORD_FLOAT64 ? 8 : 1;
    if (bytes.len % width)
        return error_set(err, ERROR_INVALID,
                         "its packed values take %zu bytes, which is no multiple of %zu", bytes.len,
                         width);
    if (!room_for_values(tensor, bytes.len / width, err)) return false;
    if (tensor->type == RECORD_FLOAT32) {
        if (bytes.len) memcpy(tensor->values + tensor->n_values, bytes.ptr, bytes.len);
        tensor->n_values += bytes.len / 4;
        return true;
    }
    if (tensor->type == RECORD_FLOAT64) {
        for (size_t i = 0; i < bytes.len; i += 8) {
            double x;
            memcpy(&x, bytes.ptr + i, sizeof x);
            if (!add_double(tensor, x, err)) return false;
        }
        return true;
    }
    while (bytes.len) {
        uint64_t x;
        if (!take_varint(&bytes, &x)) return damaged(err);
        tensor->values[tensor->n_values++] = (float)(int32_t)x;
    }
    return true;
}

static bool add_value(RecordTensor *tensor, const Field *field, Error *err)
{
    if (field->wire == WIRE_BYTES) return add_packed_values(tensor, field->bytes, err);
    int wire = tensor->type == RECORD_FLOAT32   ? WIRE_32
               : tensor->type == RECORD_FLOAT64 ? WIRE_64
                                                : WIRE_VARINT;
    if (field->wire != wire) return damaged(err);
    if (!room_for_values(tensor, 1, err)) return false;
    float single;
    double wide;
    switch (tensor->type) {
    case RECORD_FLOAT32:
        memcpy(&single, &field->varint, sizeof single);
        tensor->values[tensor->n_values++] = single;
        return true;
    case RECORD_FLOAT64:
        memcpy(&wide, &field->varint, sizeof wide);
        return add_double(tensor, wide, err);
    default: tensor->values[tensor->n_values++] = (float)(int32_t)field->varint; return true;
    }
}

static bool add_key(RecordTensor *tensor, uint64_t key, Error *err)
{
    if (key > INT32_MAX)
        return error_set(err, ERROR_LIMIT, "key %llu is beyond the limit of %d",
                         (unsigned long long)key, INT32_MAX);
    tensor->keys[tensor->n_keys++] = (int32_t)key;
    return true;
}

static bool add_keys(RecordTensor *tensor, const Field *field, Error *err)
{
    if (field->wire == WIRE_VARINT)
        return room_for_keys(tensor, 1, err) && add_key(tensor, field->varint, err);
    if (field->wire != WIRE_BYTES) return damaged(err);
    Str bytes = field->bytes;
    if (!room_for_keys(tensor, bytes.len, err)) return false;
    while (bytes.len) {
        uint64_t key;
        if (!take_varint(&bytes, &key)) return damaged(err);
        if (!add_key(tensor, key, err)) return false;
    }
    return true;
}

static bool add_dimension(RecordTensor *tensor, uint64_t n, Error *err)
{
    if (n > INT32_MAX)
        return error_set(err, ERROR_LIMIT, "its shape holds %llu; the limit is %d",
                         (unsigned long long)n, INT32_MAX);
    if (tensor->n_dimensions == RECORD_DIMENSIONS_MAX)
        return error_set(err, ERROR_LIMIT, "its shape has more than %d dimensions",
                         RECORD_DIMENSIONS_MAX);
    tensor->shape[tensor->n_dimensions++] = (int64_t)n;
    return true;
}

static bool add_shape(RecordTensor *tensor, const Field *field, Error *err)
{
    if (field->wire == WIRE_VARINT) return add_dimension(tensor, field->varint, err);
    if (field->wire != WIRE_BYTES) return damaged(err);
    Str bytes = field->bytes;
    while (bytes.len) {
        uint64_t n;
        if (!take_varint(&bytes, &n)) return damaged(err);
        if (!add_dimension(tensor, n, err)) return false;
    }
    return true;
}

static int compare_keyed(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Puts keys in rising order, their values with them; refuses repeated ones. */
static bool sort_keys(RecordTensor *tensor, Error *err)
{
    bool rising = true;
    for (size_t i = 1; i < tensor->n_keys; i++)
        rising = rising && tensor->keys[i - 1] < tensor->keys[i];
    if (rising) return true;

    AUTO_DATA int64_t *pairs = data_array(int64_t, tensor->n_keys, "a record's keys", err);
    if (!pairs) return false;
    for (size_t i = 0; i < tensor->n_keys; i++) {
        uint32_t bits;
        memcpy(&bits, &tensor->values[i], sizeof bits);
        pairs[i] = (int64_t)tensor->keys[i] << 32 | bits;
    }
    qsort(pairs, tensor->n_keys, sizeof *pairs, compare_keyed);
    for (size_t i = 0; i < tensor->n_keys; i++) {
        uint32_t bits = (uint32_t)pairs[i];
        tensor->keys[i] = (int32_t)(pairs[i] >> 32);
        memcpy(&tensor->values[i], &bits, sizeof bits);
        if (i > 0 && tensor->keys[i] == tensor->keys[i - 1])
            return error_set(err, ERROR_INVALID, "key %d occurs twice", tensor->keys[i]);
    }
    return true;
}

static bool check_tensor(RecordTensor *tensor, Error *err)
{
    int64_t product = tensor->n_dimensions ? 1 : 0;
    for (int i = 0; i < tensor->n_dimensions; i++) {
        if (__builtin_mul_overflow(product, tensor->shape[i], &product) || product > INT32_MAX)
            return error_set(err, ERROR_LIMIT, "its shape has more than %d elements", INT32_MAX);
    }
    tensor->sparse = tensor->n_keys > 0 || (tensor->n_dimensions && tensor->n_values == 0);
    if (!tensor->sparse) {
        if (tensor->n_dimensions && product != (int64_t)tensor->n_values)
            return error_set(err, ERROR_INVALID, "it has %zu values, but its shape says %lld",
                             tensor->n_values, (long long)product);
        tensor->size = (int64_t)tensor->n_values;
        return true;
    }
    if (tensor->n_keys != tensor->n_values)
        return error_set(err, ERROR_INVALID, "it has %zu keys, but %zu values", tensor->n_keys,
                         tensor->n_values);
    if (!tensor->n_dimensions)
        return error_set(err, ERROR_INVALID,
                         "it has keys, but no shape; a sparse vector needs its dimension");
    tensor->size = product;
    if (!sort_keys(tensor, err)) return false;
    if (tensor->n_keys && tensor->keys[tensor->n_keys - 1] >= product)
        return error_set(err, ERROR_INVALID, "key %d is outside its shape of %lld",
                         tensor->keys[tensor->n_keys - 1], (long long)product);
    return true;
}

static bool read_tensor(Str message, RecordTensor *tensor, Error *err)
{
    while (message.len) {
        Field field;
        bool ok = true;
        if (!take_field(&message, &field, err)) return false;
        switch (field.number) {
        case 1: ok = add_value(tensor, &field, err); break;
        case 2: ok = add_keys(tensor, &field, err); break;
        case 3: ok = add_shape(tensor, &field, err); break;
        default: ok = skip_field(&message, &field, err);
        }
        if (!ok) return false;
    }
    return check_tensor(tensor, err);
}

bool record_tensor(Str value, RecordTensor *tensor, Error *err)
{
    RecordType type = RECORD_EMPTY;
    Str message = {"", 0};
    while (value.len) {
        Field field;
        if (!take_field(&value, &field, err)) return false;
        RecordType member = field.number == 2   ? RECORD_FLOAT32
                            : field.number == 3 ? RECORD_FLOAT64
                            : field.number == 7 ? RECORD_INT32
                            : field.number == 9 ? RECORD_BYTES
                                                : RECORD_EMPTY;
        if (member != RECORD_EMPTY && field.wire == WIRE_BYTES) {
            type = member;
            message = field.bytes;
        } else if (!skip_field(&value, &field, err)) {
            return false;
        }
    }
    tensor->type = type;
    tensor->n_values = tensor->n_keys = 0;
    tensor->n_dimensions = 0;
    tensor->sparse = false;
    tensor->size = 0;
    tensor->bytes = (Str){"", 0};
    if (type != RECORD_BYTES) return read_tensor(message, tensor, err);
    while (message.len) {
        Field field;
        if (!take_field(&message, &field, err)) return false;
        if (field.number == 1 && field.wire == WIRE_BYTES && tensor->bytes.len == 0)
            tensor->bytes = field.bytes;
        else if (!skip_field(&message, &field, err))
            return false;
    }
    return true;
}

/* ---- whole bodies ---- */

static bool add_row(Str payload, float absent, size_t values_max, size_t *capacity,
                    RecordTensor *tensor, Record *record, RecordRows *rows, Error *err)
{
    if (!record_parse(payload, record, err)) return false;
    const RecordEntry *entry = record_main_entry(record->features, record->n_features);
    if (!entry) return error_set(err, ERROR_INVALID, "it has no features \"values\"");
    if (!record_tensor(entry->value, tensor, err)) return false;
    if (tensor->type == RECORD_BYTES)
        return error_set(err, ERROR_INVALID, "its features are bytes, not numbers");

    if (rows->n_rows == 0) rows->n_cols = (int32_t)tensor->size;
    if (tensor->size != rows->n_cols)
        return error_set(err, ERROR_INVALID, "it has %lld features, record 0 has %d",
                         (long long)tensor->size, rows->n_cols);
    size_t n_cols = (size_t)rows->n_cols, n = ((size_t)rows->n_rows + 1) * n_cols;
    if (n > values_max)
        return error_set(err, ERROR_LIMIT, "more than %zu values in all", values_max);
    if (n > *capacity) {
        size_t grown_capacity = MIN(MAX(n, 2 * *capacity), values_max);
        float *grown = data_grow(rows->rows, (size_t)rows->n_rows * n_cols, grown_capacity,
                                 sizeof(float), "the rows", err);
        if (!grown) return false;
        rows->rows = grown;
        *capacity = grown_capacity;
    }
    assert(rows->rows || n_cols == 0);
    float *row = rows->rows + (size_t)rows->n_rows * n_cols;
    if (tensor->sparse) {
        for (size_t j = 0; j < n_cols; j++) row[j] = absent;
        for (size_t k = 0; k < tensor->n_keys; k++) row[tensor->keys[k]] = tensor->values[k];
    } else if (n_cols) {
        memcpy(row, tensor->values, n_cols * sizeof(float));
    }
    return true;
}

static Str *keep_text(Arena *arena, Str *texts, int64_t row, int64_t capacity, int64_t grown,
                      Str text)
{
    if (!text.ptr && !texts) return NULL;
    if (!texts)
        texts = arena_array(arena, Str, grown);
    else if (grown > capacity)
        texts = arena_grow(arena, texts, (size_t)capacity, (size_t)grown, sizeof(Str));
    if (text.ptr) texts[row] = arena_str(arena, text);
    return texts;
}

bool recordio_read_rows(Str body, float absent, size_t values_max, Arena *arena,
                        RecordRows *ret_rows, Error *err)
{
    RecordRows rows = {0};
    RecordTensor tensor = {0};
    Record record;
    AUTO_STRBUF StrBuf joined = STRBUF(RECORD_BYTES_MAX);
    size_t capacity = 0, at = 0;
    int64_t texts_capacity = 0;
    bool ok = true;
    while (ok && at < body.len) {
        Str payload;
        size_t used;
        ok = recordio_next(str_from(body, at), true, &joined, &payload, &used, err) &&
             add_row(payload, absent, values_max, &capacity, &tensor, &record, &rows, err);
        if (!ok) {
            error_in(err, "record %lld at byte %zu", (long long)rows.n_rows, at);
            break;
        }
        int64_t grown = rows.n_rows < texts_capacity ? texts_capacity : MAX(16, 2 * texts_capacity);
        rows.uid = keep_text(arena, rows.uid, rows.n_rows, texts_capacity, grown, record.uid);
        rows.metadata = keep_text(arena, rows.metadata, rows.n_rows, texts_capacity, grown,
                                  record.metadata);
        texts_capacity = grown;
        rows.n_rows++;
        at += used;
    }
    record_tensor_clear(&tensor);
    if (!ok) {
        data_free(rows.rows);
        return false;
    }
    *ret_rows = rows;
    return true;
}

/* ---- writing ---- */

static size_t varint_size(uint64_t x)
{
    size_t n = 1;
    while (x >>= 7) n++;
    return n;
}

static char *put_varint(char *to, uint64_t x)
{
    for (; x >= 0x80; x >>= 7) *to++ = (char)(x | 0x80);
    *to++ = (char)x;
    return to;
}

/* All tags here are below 16 and take one byte. */
static char *put_head(char *to, unsigned number, size_t size)
{
    *to++ = (char)(number << 3 | WIRE_BYTES);
    return put_varint(to, size);
}

static size_t field_size(size_t size)
{
    return 1 + varint_size(size) + size;
}

typedef struct OutputSizes {
    size_t keys, tensor, value, entry;
} OutputSizes;

static OutputSizes output_sizes(const RecordOutput *output)
{
    OutputSizes sizes = {0};
    if (output->n) sizes.tensor += field_size(output->n * sizeof(float));
    if (output->keys) {
        for (size_t i = 0; i < output->n; i++) sizes.keys += varint_size((uint64_t)output->keys[i]);
        if (output->n) sizes.tensor += field_size(sizes.keys);
        sizes.tensor += field_size(varint_size((uint64_t)output->size));
    }
    sizes.value = field_size(sizes.tensor);
    sizes.entry = field_size(output->name.len) + field_size(sizes.value);
    return sizes;
}

static char *put_output(char *to, unsigned number, const RecordOutput *output)
{
    OutputSizes sizes = output_sizes(output);
    to = put_head(to, number, sizes.entry);
    to = put_head(to, 1, output->name.len);
    if (output->name.len) memcpy(to, output->name.ptr, output->name.len);
    to += output->name.len;
    to = put_head(to, 2, sizes.value);
    to = put_head(to, 2, sizes.tensor);
    if (output->n) {
        to = put_head(to, 1, output->n * sizeof(float));
        memcpy(to, output->values, output->n * sizeof(float));
        to += output->n * sizeof(float);
    }
    if (output->keys) {
        if (output->n) {
            to = put_head(to, 2, sizes.keys);
            for (size_t i = 0; i < output->n; i++) to = put_varint(to, (uint64_t)output->keys[i]);
        }
        to = put_head(to, 3, varint_size((uint64_t)output->size));
        to = put_varint(to, (uint64_t)output->size);
    }
    return to;
}

static char *put_text(char *to, unsigned number, Str text)
{
    if (!text.ptr) return to;
    to = put_head(to, number, text.len);
    if (text.len) memcpy(to, text.ptr, text.len);
    return to + text.len;
}

bool recordio_write_record(StrBuf *out, const RecordOutput *features, int n_features,
                           const RecordOutput *labels, int n_labels, Str uid, Str metadata)
{
    size_t size = 0;
    for (int i = 0; i < n_features; i++) size += field_size(output_sizes(&features[i]).entry);
    for (int i = 0; i < n_labels; i++) size += field_size(output_sizes(&labels[i]).entry);
    if (uid.ptr) size += field_size(uid.len);
    if (metadata.ptr) size += field_size(metadata.len);
    if (size > RECORD_BYTES_MAX) return false;

    size_t padded = (size + 3) & ~(size_t)3;
    char *start = strbuf_reserve(out, RECORDIO_HEAD_BYTES + padded), *to = start;
    if (!start) return false;
    uint32_t head[2] = {(uint32_t)RECORDIO_MAGIC, (uint32_t)size};
    memcpy(to, head, sizeof head);
    to += sizeof head;
    for (int i = 0; i < n_features; i++) to = put_output(to, 1, &features[i]);
    for (int i = 0; i < n_labels; i++) to = put_output(to, 2, &labels[i]);
    to = put_text(to, 3, uid);
    to = put_text(to, 4, metadata);
    assert((size_t)(to - start) == RECORDIO_HEAD_BYTES + size);
    memset(to, 0, padded - size);
    out->len += RECORDIO_HEAD_BYTES + padded;
    return true;
}
