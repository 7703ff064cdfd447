/* Writing frames and datasets as CSV, JSON Lines, libsvm and RecordIO-protobuf. */

#include "data/write.h"

#include "base/file.h"
#include "format/json.h"
#include "format/number.h"
#include "format/recordio.h"

#include <math.h>

enum { BUFFER_BYTES = 256 << 10, ROW_BYTES_MAX = 128 << 20 };

typedef struct Output {
    StrBuf buffer;
    int fd;
    const char *name;
} Output;

#define OUTPUT(to_fd, for_name)                                                                    \
    {                                                                                              \
        .buffer = STRBUF(BUFFER_BYTES + ROW_BYTES_MAX), .fd = (to_fd), .name = (for_name)          \
    }
#define AUTO_OUTPUT __attribute__((cleanup(output_clear)))

static void output_clear(Output *output)
{
    strbuf_clear(&output->buffer);
}

static bool flush(Output *output, Error *err)
{
    if (output->buffer.overflow)
        return error_set(err, ERROR_LIMIT, "write '%s': a row of more than %d bytes", output->name,
                         ROW_BYTES_MAX);
    bool ok = fd_write(output->fd, strbuf_str(&output->buffer), output->name, err);
    output->buffer.len = 0;
    return ok;
}

/* To be called after each row. */
static bool end_row(Output *output, Error *err)
{
    return (output->buffer.len < BUFFER_BYTES && !output->buffer.overflow) || flush(output, err);
}

static void add_float(StrBuf *out, float x)
{
    char *to = strbuf_reserve(out, NUMBER_TEXT_MAX);
    if (to) out->len += number_print_float(x, to);
}

/* ---- CSV ---- */

void csv_write_field(StrBuf *out, Str text, char separator)
{
    bool quote = text.len && (text.ptr[0] == ' ' || text.ptr[text.len - 1] == ' ');
    for (size_t i = 0; i < text.len && !quote; i++) {
        char c = text.ptr[i];
        quote = c == separator || c == '"' || c == '\n' || c == '\r';
    }
    if (!quote) {
        strbuf_add(out, text);
        return;
    }
    strbuf_add_char(out, '"');
    for (Str part; text.ptr && str_next(&text, '"', &part);) {
        strbuf_add(out, part);
        if (text.ptr) strbuf_add(out, STR("\"\""));
    }
    strbuf_add_char(out, '"');
}

/* A line of one empty field would be a blank line, which readers pass over. */
static void end_csv_line(StrBuf *out, size_t line_begin)
{
    if (out->len == line_begin) strbuf_add(out, STR("\"\""));
    strbuf_add_char(out, '\n');
}

static void csv_value(StrBuf *out, const Column *column, int64_t row, char separator)
{
    ARENA(scratch);
    if (column->type == COLUMN_NUMBER && column->f32) {
        if (!isnan(column->f32[row])) add_float(out, column->f32[row]);
        return;
    }
    csv_write_field(out, column_text(column, row, &scratch), separator);
}

static bool frame_to_csv(const Frame *frame, const WriteOptions *options, Output *output,
                         Error *err)
{
    StrBuf *out = &output->buffer;
    char separator = options->separator ? options->separator : ',';
    if (!options->no_header) {
        for (int32_t j = 0; j < frame->n_columns; j++) {
            if (j) strbuf_add_char(out, separator);
            csv_write_field(out, frame->columns[j].name, separator);
        }
        end_csv_line(out, 0);
    }
    for (int64_t i = 0; i < frame->n_rows; i++) {
        size_t begin = out->len;
        for (int32_t j = 0; j < frame->n_columns; j++) {
            if (j) strbuf_add_char(out, separator);
            csv_value(out, &frame->columns[j], i, separator);
        }
        end_csv_line(out, begin);
        if (!end_row(output, err)) return false;
    }
    return true;
}

/* ---- JSON Lines ---- */

static void json_column_value(JsonWriter *writer, const Column *column, int64_t row)
{
    ARENA(scratch);
    if (!column_is_valid(column, row)) {
        json_null(writer);
        return;
    }
    switch (column->type) {
    case COLUMN_NUMBER:
        column->f32 ? json_float(writer, column->f32[row]) : json_double(writer, column->f64[row]);
        break;
    case COLUMN_BOOL: json_bool(writer, column->bools[row]); break;
    case COLUMN_CATEGORY:
        if (column->codes[row] < 0)
            json_null(writer);
        else
            json_string(writer, column->categories[column->codes[row]]);
        break;
    default: json_string(writer, column_text(column, row, &scratch));
    }
}

static bool frame_to_jsonl(const Frame *frame, Output *output, Error *err)
{
    for (int64_t i = 0; i < frame->n_rows; i++) {
        JsonWriter writer = JSON_WRITER(&output->buffer);
        json_begin_object(&writer);
        for (int32_t j = 0; j < frame->n_columns; j++) {
            json_name(&writer, frame->columns[j].name);
            json_column_value(&writer, &frame->columns[j], i);
        }
        json_end_object(&writer);
        strbuf_add_char(&output->buffer, '\n');
        if (!end_row(output, err)) return false;
    }
    return true;
}

bool frame_write(const Frame *frame, const WriteOptions *options, int fd, const char *name,
                 Error *err)
{
    AUTO_OUTPUT Output output = OUTPUT(fd, name);
    switch (options->format) {
    case DATA_AUTO:
    case DATA_CSV: return frame_to_csv(frame, options, &output, err) && flush(&output, err);
    case DATA_JSONL: return frame_to_jsonl(frame, &output, err) && flush(&output, err);
    default:
        return error_set(
            err, ERROR_UNSUPPORTED,
            "a table of columns is written as CSV or JSON Lines; the others need a target");
    }
}

/* ---- datasets ---- */

/* Value of row i in feature j, or NaN; for sparse rows *at walks through what is stored. */
static float value_at(const Dataset *dataset, int64_t i, int32_t j, int64_t *at)
{
    if (dataset->columns) return dataset->columns[j][i];
    if (*at < dataset->row_start[i + 1] && dataset->col[*at] == j) return dataset->value[(*at)++];
    return NAN;
}

static Str class_text(const Dataset *dataset, float label)
{
    const Schema *schema = &dataset->schema;
    int64_t code = schema->n_classes && label >= 0 && label < (float)schema->n_classes
                       ? (int64_t)label
                       : -1;
    return code < 0 ? (Str){NULL, 0} : schema->classes[code];
}

static Str category_text(const Feature *feature, float code)
{
    bool known = feature->kind == FEATURE_CATEGORY && code >= 0 &&
                 code < (float)feature->n_categories;
    return known ? feature->categories[(int32_t)code] : (Str){NULL, 0};
}

static void csv_label_names(StrBuf *out, const Dataset *dataset, char separator)
{
    Str target = dataset->schema.target.len ? dataset->schema.target : STR("label");
    for (int32_t k = 0; k < dataset->label_width; k++) {
        ARENA(scratch);
        if (out->len) strbuf_add_char(out, separator);
        csv_write_field(out,
                        dataset->label_width == 1 ? target : arena_format(&scratch, "label_%d", k),
                        separator);
    }
    if (dataset->weight) {
        if (out->len) strbuf_add_char(out, separator);
        strbuf_add(out, STR("weight"));
    }
}

static bool dataset_to_csv(const Dataset *dataset, const WriteOptions *options, Output *output,
                           Error *err)
{
    StrBuf *out = &output->buffer;
    char separator = options->separator ? options->separator : ',';
    if (!options->no_header) {
        csv_label_names(out, dataset, separator);
        for (int32_t j = 0; j < dataset->n_features; j++) {
            if (out->len) strbuf_add_char(out, separator);
            csv_write_field(out, dataset->schema.features[j].name, separator);
        }
        end_csv_line(out, 0);
    }
    for (int64_t i = 0; i < dataset->n_rows; i++) {
        size_t begin = out->len;
        bool first = true;
        for (int32_t k = 0; k < dataset->label_width; k++, first = false) {
            float label = dataset->label[i * dataset->label_width + k];
            Str word = class_text(dataset, label);
            if (!first) strbuf_add_char(out, separator);
            if (word.ptr)
                csv_write_field(out, word, separator);
            else
                add_float(out, label);
        }
        if (dataset->weight) {
            if (!first) strbuf_add_char(out, separator);
            add_float(out, dataset->weight[i]);
            first = false;
        }
        int64_t at = dataset->row_start ? dataset->row_start[i] : 0;
        for (int32_t j = 0; j < dataset->n_features; j++, first = false) {
            float x = value_at(dataset, i, j, &at);
            Str word = category_text(&dataset->schema.features[j], x);
            if (!first) strbuf_add_char(out, separator);
            if (word.ptr)
                csv_write_field(out, word, separator);
            else if (!isnan(x))
                add_float(out, x);
        }
        end_csv_line(out, begin);
        if (!end_row(output, err)) return false;
    }
    return true;
}

static void json_label(JsonWriter *writer, const Dataset *dataset, int64_t i)
{
    const float *label = dataset->label + i * dataset->label_width;
    if (dataset->label_width == 0) return;
    json_name(writer, dataset->schema.target.len ? dataset->schema.target : STR("label"));
    if (dataset->label_width == 1) {
        Str word = class_text(dataset, label[0]);
        word.ptr ? json_string(writer, word) : json_float(writer, label[0]);
        return;
    }
    json_begin_array(writer);
    for (int32_t k = 0; k < dataset->label_width; k++) json_float(writer, label[k]);
    json_end_array(writer);
}

static bool dataset_to_jsonl(const Dataset *dataset, Output *output, Error *err)
{
    for (int64_t i = 0; i < dataset->n_rows; i++) {
        JsonWriter writer = JSON_WRITER(&output->buffer);
        json_begin_object(&writer);
        json_label(&writer, dataset, i);
        if (dataset->weight) {
            json_name(&writer, STR("weight"));
            json_float(&writer, dataset->weight[i]);
        }
        int64_t at = dataset->row_start ? dataset->row_start[i] : 0;
        for (int32_t j = 0; j < dataset->n_features; j++) {
            if (dataset->row_start) { /* hop to what is stored */
                if (at == dataset->row_start[i + 1]) break;
                j = dataset->col[at];
            }
            float x = value_at(dataset, i, j, &at);
            Str word = category_text(&dataset->schema.features[j], x);
            json_name(&writer, dataset->schema.features[j].name);
            word.ptr ? json_string(&writer, word) : json_float(&writer, x);
        }
        json_end_object(&writer);
        strbuf_add_char(&output->buffer, '\n');
        if (!end_row(output, err)) return false;
    }
    return true;
}

static bool dataset_to_libsvm(const Dataset *dataset, Output *output, Error *err)
{
    StrBuf *out = &output->buffer;
    if (dataset->label_width > 1)
        return error_set(err, ERROR_UNSUPPORTED, "libsvm has one label a row, the data has %d",
                         dataset->label_width);
    int64_t group = 0;
    for (int64_t i = 0; i < dataset->n_rows; i++) {
        add_float(out, dataset->label_width ? dataset->label[i] : 0);
        if (dataset->weight) {
            strbuf_add_char(out, ':');
            add_float(out, dataset->weight[i]);
        }
        if (dataset->group_start) {
            while (dataset->group_start[group + 1] <= i) group++;
            strbuf_addf(out, " qid:%lld", (long long)group + 1);
        }
        int64_t at = dataset->row_start ? dataset->row_start[i] : 0;
        int64_t end = dataset->row_start ? dataset->row_start[i + 1] : dataset->n_features;
        for (; at < end; at++) {
            int32_t j = dataset->row_start ? dataset->col[at] : (int32_t)at;
            float x = dataset->row_start ? dataset->value[at] : dataset->columns[j][i];
            if (isnan(x)) continue;
            strbuf_addf(out, " %d:", j);
            add_float(out, x);
        }
        strbuf_add_char(out, '\n');
        if (!end_row(output, err)) return false;
    }
    return true;
}

static bool dataset_to_recordio(const Dataset *dataset, Output *output, Error *err)
{
    ARENA(scratch);
    float *row = arena_array(&scratch, float, dataset->n_features);
    RecordOutput features = {
        .name = STR("values"), .values = row, .n = (size_t)dataset->n_features};
    RecordOutput label = {.name = STR("values"), .n = (size_t)dataset->label_width};
    for (int64_t i = 0; i < dataset->n_rows; i++) {
        if (dataset->row_start) {
            int64_t at = dataset->row_start[i];
            features.n = (size_t)(dataset->row_start[i + 1] - at);
            features.keys = dataset->col + at;
            features.values = dataset->value + at;
            features.size = dataset->n_features;
        } else {
            for (int32_t j = 0; j < dataset->n_features; j++) row[j] = dataset->columns[j][i];
        }
        label.values = dataset->label + i * dataset->label_width;
        Str uid = dataset->uid ? dataset->uid[i] : (Str){NULL, 0};
        Str metadata = dataset->metadata ? dataset->metadata[i] : (Str){NULL, 0};
        if (!recordio_write_record(&output->buffer, &features, 1, &label, dataset->label_width > 0,
                                   uid, metadata))
            return error_set(err, ERROR_LIMIT,
                             "write '%s': row %lld is larger than a record may be", output->name,
                             (long long)i + 1);
        if (!end_row(output, err)) return false;
    }
    return true;
}

bool dataset_write(const Dataset *dataset, const WriteOptions *options, int fd, const char *name,
                   Error *err)
{
    AUTO_OUTPUT Output output = OUTPUT(fd, name);
    bool ok = false;
    switch (options->format) {
    case DATA_AUTO:
    case DATA_CSV: ok = dataset_to_csv(dataset, options, &output, err); break;
    case DATA_JSONL: ok = dataset_to_jsonl(dataset, &output, err); break;
    case DATA_LIBSVM: ok = dataset_to_libsvm(dataset, &output, err); break;
    case DATA_RECORDIO: ok = dataset_to_recordio(dataset, &output, err); break;
    case DATA_PARQUET: return error_set(err, ERROR_UNSUPPORTED, "Parquet is read, but not written");
    }
    return ok && flush(&output, err);
}
