/* Requests to predictions to answers.
 *
 * A body is read in blocks of rows; each block is predicted and its answers are appended before the
 * next is read.  A single CSV row, the request that matters most, goes a shorter way: no matrix, no
 * allocation, the row's numbers straight to text. */

#include "train/invoke.h"

#include "base/memory.h"
#include "format/number.h"
#include "net/http_parse.h"
#include "train/answer.h"

#include <math.h>
#include <stdio.h>

/* A block: 1 MiB of floats, or so many rows that predictions in lanes are worth their start. */
enum { BLOCK_ROWS = 8192, BLOCK_VALUES = 256 * 1024, ROW_OUTPUTS_MAX = 4096, FEW_ROWS = 4 };

static const Str answer_types[] = {
    [ANSWER_CSV] = STR_INIT("text/csv"),
    [ANSWER_JSON] = STR_INIT("application/json"),
    [ANSWER_JSONLINES] = STR_INIT("application/jsonlines"),
    [ANSWER_RECORDIO] = STR_INIT("application/x-recordio-protobuf"),
};

/* ---- Accept ---- */

static bool answer_type_of(Str media, AnswerType preset, AnswerType *ret_type)
{
    if (str_is(media, "*/*")) {
        *ret_type = preset;
        return true;
    }
    for (size_t i = 0; i < COUNT(answer_types); i++)
        if (str_eq_nocase(media, answer_types[i])) {
            *ret_type = (AnswerType)i;
            return true;
        }
    if (str_eq_nocase(media, STR("text/*")))
        *ret_type = ANSWER_CSV;
    else if (str_eq_nocase(media, STR("application/*")))
        *ret_type = ANSWER_JSON;
    else
        return false;
    return true;
}

/* The type with the greatest q that we have; of several the first. */
static bool choose_answer(Str accept, AnswerType preset, AnswerType *ret_type)
{
    double best = 0;
    Str rest = accept, part;
    if (str_trim(accept).len == 0) {
        *ret_type = preset;
        return true;
    }
    while (str_next(&rest, ',', &part)) {
        Str parameters, media = http_media_type(part, &parameters);
        Str weight = parameters.ptr ? http_parameter(parameters, STR("q")) : (Str){0};
        double q = 1;
        AnswerType type;
        if (weight.ptr && !str_to_double(weight, &q)) q = 0;
        if (q > best && answer_type_of(media, preset, &type)) {
            best = q;
            *ret_type = type;
        }
    }
    return best > 0;
}

/* ---- settings ---- */

static void find_objective(Invoker *invoker)
{
    const Artifact *artifact = invoker->artifact;
    const Algorithm *algorithm = artifact->algorithm;
    Str objective = algorithm->objective ? algorithm->objective(artifact->model) : (Str){0};
    snprintf(invoker->objective, sizeof invoker->objective, "%.*s", STR_ARG(objective));
}

bool invoker_init(Invoker *invoker, const Artifact *artifact, const InvokeOptions *options,
                  Error *err)
{
    const Algorithm *algorithm = artifact->algorithm;
    int32_t n_features = algorithm->n_features ? algorithm->n_features(artifact->model) : 0;
    if (!n_features && artifact->has_schema) n_features = artifact->schema.n_features;
    *invoker = (Invoker){.artifact = artifact, .batch = options->batch};
    content_form_init(&invoker->form, artifact->has_schema ? &artifact->schema : NULL, n_features,
                      algorithm->missing);
    find_objective(invoker);

    Str preset = options->default_accept.len
                     ? options->default_accept
                     : str_of(algorithm->default_accept ? algorithm->default_accept
                                                        : "application/json");
    if (!choose_answer(preset, ANSWER_JSON, &invoker->default_answer))
        return error_set(
            err, ERROR_INVALID,
            "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT: '%.*s' is none of text/csv, application/json, "
            "application/jsonlines, application/x-recordio-protobuf",
            STR_ARG(preset));
    if (!options->inference_output.len) return true;
    if (strcmp(algorithm->name, "xgboost") != 0)
        return error_set(err, ERROR_UNSUPPORTED,
                         "SAGEMAKER_INFERENCE_OUTPUT is for xgboost, this model is %s",
                         algorithm->name);
    return select_parse(options->inference_output, invoker->selected, &invoker->n_selected, err);
}

void invoke_state_clear(InvokeState *state)
{
    content_clear(&state->reader);
    content_rows_clear(&state->rows);
    strbuf_clear(&state->out);
}

/* ---- answers ---- */

static int refuse(InvokeState *state, int status, Str *ret_type)
{
    state->out.len = 0;
    state->out.overflow = false;
    strbuf_add(&state->out, str_of(state->err.text));
    *ret_type = STR("text/plain");
    return status;
}

static int status_of(ErrorKind kind)
{
    switch (kind) {
    case ERROR_INVALID:
    case ERROR_UNSUPPORTED: return 415;
    case ERROR_CONFLICT: return 400;
    case ERROR_LIMIT: return 413;
    default: return 500;
    }
}

/* Batch transform in SageMaker's container prints a list of probabilities as Python does. */
static void answer_lists(const Predictions *predictions, StrBuf *out)
{
    int32_t width = predictions->outputs[0].width;
    for (int64_t i = 0; i < predictions->n_rows; i++) {
        for (int32_t k = 0; k < width; k++) {
            char text[NUMBER_TEXT_MAX];
            strbuf_add(out, k ? STR(", ") : STR("["));
            strbuf_add(
                out, (Str){text, number_print_float(predictions->values[0][i * width + k], text)});
        }
        strbuf_add(out, STR("]\n"));
    }
}

/* Selected output in CSV puts lists in quotes, so that a row keeps its columns. */
static void answer_selected(const Predictions *predictions, StrBuf *out)
{
    for (int64_t i = 0; i < predictions->n_rows; i++) {
        for (int32_t o = 0; o < predictions->n_outputs; o++) {
            const OutputInfo *output = &predictions->outputs[o];
            if (o) strbuf_add_char(out, ',');
            if (output->list) strbuf_add(out, STR("\"["));
            for (int32_t k = 0; k < output->width; k++) {
                char text[NUMBER_TEXT_MAX];
                if (k) strbuf_add(out, STR(", "));
                strbuf_add(out,
                           (Str){text, number_print_float(
                                           predictions->values[o][i * output->width + k], text)});
            }
            if (output->list) strbuf_add(out, STR("]\""));
        }
        strbuf_add_char(out, '\n');
    }
}

static void answer_recordio(const Predictions *predictions, const ContentRows *rows, StrBuf *out)
{
    for (int64_t i = 0; i < predictions->n_rows; i++) {
        RecordOutput labels[OUTPUTS_MAX];
        for (int32_t o = 0; o < predictions->n_outputs; o++) {
            const OutputInfo *output = &predictions->outputs[o];
            labels[o] = (RecordOutput){.name = output->name,
                                       .values = predictions->values[o] + i * output->width,
                                       .n = (size_t)output->width};
        }
        Str uid = rows->noted ? rows->uid[i] : (Str){0},
            metadata = rows->noted ? rows->metadata[i] : (Str){0};
        if (!recordio_write_record(out, NULL, 0, labels, predictions->n_outputs, uid, metadata))
            out->overflow = true;
    }
}

static void append_answers(const Invoker *invoker, const InvokeState *state,
                           const Predictions *predictions, AnswerType type, bool first, StrBuf *out)
{
    bool lists = invoker->batch && predictions->n_outputs == 1 && predictions->outputs[0].list &&
                 strcmp(invoker->artifact->algorithm->name, "xgboost") == 0;
    switch (type) {
    case ANSWER_CSV:
        if (invoker->n_selected)
            answer_selected(predictions, out);
        else if (lists)
            answer_lists(predictions, out);
        else
            answer_csv(predictions, 0, predictions->n_rows, out);
        break;
    case ANSWER_JSON:
        if (!first) strbuf_add_char(out, ',');
        answer_json_items(predictions, 0, predictions->n_rows, out);
        break;
    case ANSWER_JSONLINES: answer_jsonl(predictions, 0, predictions->n_rows, out); break;
    case ANSWER_RECORDIO: answer_recordio(predictions, &state->rows, out); break;
    }
}

static void remember_outputs(InvokeState *state, const Predictions *predictions)
{
    memcpy(state->outputs, predictions->outputs, sizeof state->outputs);
    state->n_outputs = predictions->n_outputs;
    state->width = 0;
    for (int32_t o = 0; o < predictions->n_outputs; o++)
        state->width += predictions->outputs[o].width;
}

static bool predict_block(const Invoker *invoker, InvokeState *state, AnswerType type, bool first)
{
    const Artifact *artifact = invoker->artifact;
    const ContentRows *rows = &state->rows;
    Matrix matrix = {
        .layout = MATRIX_ROWS,
        .n_rows = rows->n_rows,
        .n_cols = rows->n_cols,
        .rows = rows->values,
        .row_stride = rows->n_cols,
    };
    Predictions predictions = {.n_rows = rows->n_rows}, selected = {0};
    bool good = artifact->algorithm->predict(artifact->model, &matrix, PREDICT_DEFAULT, NULL,
                                             &predictions, &state->err);
    if (good) remember_outputs(state, &predictions);
    if (good && invoker->n_selected)
        good = select_outputs(invoker, &predictions, &selected, &state->err);
    if (good)
        append_answers(invoker, state, invoker->n_selected ? &selected : &predictions, type, first,
                       &state->out);
    predictions_clear(&predictions);
    predictions_clear(&selected);
    return good;
}

/* Few rows to CSV through predict_row: no allocation at all. */
static void answer_rows_csv(const Invoker *invoker, InvokeState *state)
{
    const Artifact *artifact = invoker->artifact;
    const ContentRows *rows = &state->rows;
    UNINITIALIZED float values[ROW_OUTPUTS_MAX];
    for (int64_t i = 0; i < rows->n_rows; i++) {
        const float *row = rows->values + i * rows->n_cols;
        int32_t n = artifact->algorithm->predict_row(artifact->model, row, values, ROW_OUTPUTS_MAX);
        char *to = strbuf_reserve(&state->out, (size_t)n * (NUMBER_TEXT_MAX + 1));
        if (!to) return;
        char *p = to;
        for (int32_t k = 0; k < n; k++) {
            p += number_print_float(values[k], p);
            *p++ = k + 1 < n ? ',' : '\n';
        }
        state->out.len += (size_t)(p - to);
    }
}

/* The same for the forms that name the outputs, which an earlier block has told. */
static void answer_rows(const Invoker *invoker, InvokeState *state, AnswerType type, bool first)
{
    const Artifact *artifact = invoker->artifact;
    const ContentRows *rows = &state->rows;
    UNINITIALIZED float values[ROW_OUTPUTS_MAX];
    for (int64_t i = 0; i < rows->n_rows; i++, first = false) {
        const float *row = rows->values + i * rows->n_cols;
        artifact->algorithm->predict_row(artifact->model, row, values, ROW_OUTPUTS_MAX);
        Predictions predictions = {.n_rows = 1, .n_outputs = state->n_outputs};
        memcpy(predictions.outputs, state->outputs, sizeof predictions.outputs);
        float *next = values;
        for (int32_t o = 0; o < state->n_outputs; o++) {
            predictions.values[o] = next;
            next += state->outputs[o].width;
        }
        append_answers(invoker, state, &predictions, type, first, &state->out);
    }
}

/* Which way a block goes.  Starting a prediction in lanes costs more than it saves for few rows. */
typedef enum Way { WAY_BLOCK, WAY_ROWS, WAY_ROWS_CSV } Way;

static Way choose_way(const Invoker *invoker, const InvokeState *state, AnswerType type)
{
    bool few = state->rows.n_rows <= FEW_ROWS && invoker->artifact->algorithm->predict_row;
    if (!few || invoker->n_selected || invoker->batch || type == ANSWER_RECORDIO) return WAY_BLOCK;
    if (type == ANSWER_CSV) return WAY_ROWS_CSV;
    return state->n_outputs && state->width <= ROW_OUTPUTS_MAX ? WAY_ROWS : WAY_BLOCK;
}

/* Reads, predicts and answers block after block. */
static bool answer_blocks(const Invoker *invoker, InvokeState *state, AnswerType type,
                          int64_t *ret_rows)
{
    int64_t n_rows = 0;
    for (;;) {
        if (!content_next(&state->reader, BLOCK_ROWS, BLOCK_VALUES, &state->rows, &state->err))
            return false;
        if (state->rows.n_rows == 0) break;
        switch (choose_way(invoker, state, type)) {
        case WAY_ROWS_CSV: answer_rows_csv(invoker, state); break;
        case WAY_ROWS: answer_rows(invoker, state, type, n_rows == 0); break;
        case WAY_BLOCK:
            if (!predict_block(invoker, state, type, n_rows == 0)) return false;
        }
        n_rows += state->rows.n_rows;
    }
    *ret_rows = n_rows;
    return true;
}

int invoke(const Invoker *invoker, InvokeState *state, Str content_type, Str accept, Str body,
           Str *ret_type)
{
    AnswerType type = ANSWER_CSV;
    ContentType content;
    int32_t label_size;
    StrBuf *out = &state->out;
    out->max = ANSWER_BYTES_MAX;
    out->len = 0;
    out->overflow = false;
    *ret_type = (Str){0};
    if (body.len == 0) return 204;
    if (!choose_answer(accept, invoker->default_answer, &type)) {
        error_set(
            &state->err, ERROR_UNSUPPORTED,
            "none of the types in Accept is offered; ask for text/csv, application/json, application/jsonlines "
            "or application/x-recordio-protobuf");
        return refuse(state, 406, ret_type);
    }
    if (!content_type_parse(content_type, &content, &label_size, &state->err))
        return refuse(state, 415, ret_type);
    if (content == CONTENT_LIBSVM && strcmp(invoker->artifact->algorithm->name, "xgboost") != 0) {
        error_set(&state->err, ERROR_UNSUPPORTED, "text/libsvm is for xgboost, this model is %s",
                  invoker->artifact->algorithm->name);
        return refuse(state, 415, ret_type);
    }

    int64_t n_rows;
    if (type == ANSWER_JSON) strbuf_add(out, STR("{\"predictions\":["));
    if (!content_begin(&state->reader, content, label_size, &invoker->form, body, &state->err) ||
        !answer_blocks(invoker, state, type, &n_rows))
        return refuse(state, status_of(state->err.kind), ret_type);
    if (n_rows == 0 && content != CONTENT_JSON) {
        out->len = 0;
        return 204;
    }
    if (type == ANSWER_JSON) strbuf_add(out, STR("]}"));
    if (type == ANSWER_CSV && !invoker->batch && out->len)
        out->len--; /* lines between rows, none at the end */
    if (out->overflow) {
        error_set(&state->err, ERROR_LIMIT, "the answer is larger than %d MiB; send fewer rows",
                  ANSWER_BYTES_MAX >> 20);
        return refuse(state, 413, ret_type);
    }
    *ret_type = answer_types[type];
    return 200;
}
