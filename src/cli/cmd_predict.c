/* clary predict: one prediction a row. */

#include "cli/cli.h"

#include "base/file.h"
#include "train/answer.h"
#include "train/run.h"

#include <errno.h>
#include <math.h>
#include <unistd.h>

static const char *const formats[] = {"csv", "jsonl", "json", NULL};
static const char *const kinds[] = {"score",         "class",        "margin", "leaf",
                                    "contributions", "interactions", NULL};

static const Option options[] = {
    {"output", 'o', "PATH", "where the predictions go (standard output)", false, NULL},
    {"format", 0, "FORMAT", "csv, jsonl or json", false, formats},
    {"kind", 0, "KIND",
     "score: probability, value or class; class: the name or number of the likeliest class; margin: before "
     "the link function; leaf: the leaf of each tree; contributions: of each feature (SHAP), the last the "
     "bias; interactions: of each pair",
     false, kinds},
    {"ignore", 0, "COLUMN", "leave the column out, e.g. the target of data without a header", true,
     NULL},
    READ_OPTIONS,
    {0},
};

static const char *const examples[] = {
    "clary predict model.tar.gz new.csv > predictions.csv",
    "clary predict model.tar.gz new.csv --kind class",
    "clary predict model.tar.gz new.csv --kind contributions --format jsonl",
    "cat new.csv | clary predict model.tar.gz - --no-header",
    NULL,
};

enum { BUFFER_BYTES = 1 << 20, RECORD_BYTES_MAX = 1 << 30 };

typedef struct Writer {
    int fd;
    int format;
    bool by_class;
    const Artifact *artifact;
    StrBuf text;
    int64_t n_rows;
} Writer;

static bool flush(Writer *writer, Error *err)
{
    if (writer->text.overflow)
        return error_set(err, ERROR_LIMIT, "a record of predictions is larger than %d MiB",
                         RECORD_BYTES_MAX >> 20);
    bool ok = fd_write(writer->fd, strbuf_str(&writer->text), "the predictions", err);
    writer->text.len = 0;
    return ok;
}

/* The likeliest class of a row: by the largest probability, 0.5 for two classes, else the value. */
static int32_t class_of(const Writer *writer, const Predictions *predictions, int64_t row)
{
    int32_t width = predictions->outputs[0].width;
    const float *scores = predictions->values[0] + row * width;
    Task task = writer->artifact->algorithm->task(writer->artifact->model);
    if (width == 1) return task == TASK_BINARY ? scores[0] > 0.5F : (int32_t)lrintf(scores[0]);
    int32_t best = 0;
    for (int32_t k = 1; k < width; k++)
        if (scores[k] > scores[best]) best = k;
    return best;
}

static void add_class(Writer *writer, const Predictions *predictions, int64_t row)
{
    const Schema *schema = &writer->artifact->schema;
    int32_t label = class_of(writer, predictions, row);
    bool named = label >= 0 && label < schema->n_classes;
    JsonWriter json = JSON_WRITER(&writer->text);
    if (writer->format) {
        json_begin_object(&json);
        json_name(&json, STR("class"));
        if (named)
            json_string(&json, schema->classes[label]);
        else
            json_int(&json, label);
        json_end_object(&json);
    } else if (named) {
        Str name = schema->classes[label];
        bool quote = str_find(name, ',') < name.len || str_find(name, '"') < name.len ||
                     str_find(name, '\n') < name.len;
        if (quote) strbuf_add_char(&writer->text, '"');
        for (size_t i = 0; i < name.len; i++) {
            if (name.ptr[i] == '"') strbuf_add_char(&writer->text, '"');
            strbuf_add_char(&writer->text, name.ptr[i]);
        }
        if (quote) strbuf_add_char(&writer->text, '"');
    } else {
        strbuf_addf(&writer->text, "%d", label);
    }
}

static bool write_block(void *arg, int64_t first_row, const Predictions *predictions, Error *err)
{
    Writer *writer = arg;
    for (int64_t i = 0; i < predictions->n_rows; i++) {
        if (writer->format == 2 && first_row + i > 0) strbuf_add_char(&writer->text, ',');
        if (writer->by_class)
            add_class(writer, predictions, i);
        else if (writer->format == 0)
            answer_csv(predictions, i, i + 1, &writer->text);
        else
            answer_object(predictions, i, &writer->text);
        if (writer->format == 1 || (writer->by_class && writer->format == 0))
            strbuf_add_char(&writer->text, '\n');
        if (writer->text.len >= BUFFER_BYTES && !flush(writer, err)) return false;
    }
    return flush(writer, err);
}

static bool predict_all(const Artifact *artifact, const Dataset *dataset, const Args *args,
                        Pool *pool, Error *err)
{
    static const PredictKind by_name[] = {PREDICT_DEFAULT,       PREDICT_DEFAULT,
                                          PREDICT_MARGIN,        PREDICT_LEAF,
                                          PREDICT_CONTRIBUTIONS, PREDICT_INTERACTIONS};
    AUTO_FD int fd = -1;
    if (!open_output(args_get(args, "output"), &fd, err)) return false;
    Writer writer = {.fd = fd, .artifact = artifact, .text = STRBUF(RECORD_BYTES_MAX)};
    PredictKind kind = PREDICT_DEFAULT;
    for (int i = 0; formats[i]; i++)
        if (str_is(args_get(args, "format"), formats[i])) writer.format = i;
    for (int i = 0; kinds[i]; i++)
        if (str_is(args_get(args, "kind"), kinds[i])) {
            kind = by_name[i];
            writer.by_class = i == 1;
        }
    if (writer.format == 2) strbuf_add(&writer.text, STR("{\"predictions\":["));
    bool ok = run_predict(artifact->algorithm, artifact->model, dataset, kind, pool, write_block,
                          &writer, err);
    if (writer.format == 2) strbuf_add(&writer.text, STR("]}\n"));
    ok = ok && flush(&writer, err);
    strbuf_clear(&writer.text);
    return ok;
}

static bool predict_run(const Args *args, bool *ret_usage, Error *err)
{
    if (args->n_positional != 2)
        return USAGE("say the model and the data: clary predict MODEL DATA");
    ReadOptions read;
    AUTO(pool_free) Pool *pool = NULL;
    if (!read_options(args, &read, err) || !threads_option(args, &pool, err)) {
        *ret_usage = true;
        return false;
    }
    AUTO_ARTIFACT Artifact artifact = {0};
    if (!artifact_open(args->positional[0].ptr, &artifact, err)) return false;
    DatasetRoles roles = {.label_size = 0,
                          .no_target = true,
                          .schema = artifact.has_schema ? &artifact.schema : NULL};
    roles.ignored = args_all(args, "ignore", &roles.n_ignored);
    AUTO(dataset_free) Dataset *dataset = NULL;
    if (!read_dataset(args->positional[1].ptr, &read, &roles, pool, &dataset, err)) return false;
    if (!run_fit_data(artifact.algorithm, dataset, "given", err)) return false;
    return predict_all(&artifact, dataset, args, pool, err);
}

const Command predict_command = {
    .name = "predict",
    .synopsis = "MODEL DATA [OPTION...]",
    .summary = "predict with a model, a row for each row of the data",
    .examples = examples,
    .options = options,
    .run = predict_run,
    .more =
        "MODEL is a model.tar.gz, a model folder, or a model file of the xgboost package (JSON, UBJSON, binary).\n"
        "Columns are matched by name where the data has a header, else by position.",
};
