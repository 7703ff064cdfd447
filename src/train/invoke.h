#ifndef CLARY_TRAIN_INVOKE_H
#define CLARY_TRAIN_INVOKE_H

/* One inference request answered: body in, body out, without any network.
 *
 * An Invoker is a loaded model with its settings, read by all threads; an InvokeState belongs to
 * one thread and keeps its buffers from request to request. */

#include "train/artifact.h"
#include "train/content.h"

enum { ANSWER_BYTES_MAX = 512 << 20, SELECTED_MAX = 7 };

/* What SAGEMAKER_INFERENCE_OUTPUT may name (xgboost.md, "Inference"). */
typedef enum Selected {
    SELECT_PREDICTED_LABEL,
    SELECT_LABELS,
    SELECT_PROBABILITY,
    SELECT_PROBABILITIES,
    SELECT_RAW_SCORE,
    SELECT_RAW_SCORES,
    SELECT_PREDICTED_SCORE,
} Selected;

typedef enum AnswerType { ANSWER_CSV, ANSWER_JSON, ANSWER_JSONLINES, ANSWER_RECORDIO } AnswerType;

typedef struct InvokeOptions {
    bool batch;           /* SAGEMAKER_BATCH: CSV ends in a newline */
    Str default_accept;   /* SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT; "": the algorithm's */
    Str inference_output; /* SAGEMAKER_INFERENCE_OUTPUT; "": the algorithm's own outputs */
} InvokeOptions;

typedef struct Invoker {
    const Artifact *artifact;
    ContentForm form;
    bool batch;
    AnswerType default_answer;
    Selected selected[SELECTED_MAX];
    int n_selected;
    char objective[64]; /* of an xgboost model; "" when unknown */
} Invoker;

/* The artifact must outlive the invoker. */
bool invoker_init(Invoker *invoker, const Artifact *artifact, const InvokeOptions *options,
                  Error *err);

typedef struct InvokeState {
    ContentReader reader;
    ContentRows rows;
    StrBuf out;
    Error err;
    OutputInfo outputs[OUTPUTS_MAX]; /* of the model, once a block was predicted */
    int32_t n_outputs, width;        /* width: numbers a row, of all outputs */
} InvokeState;

void invoke_state_clear(InvokeState *state);

/* Answers a request; content_type and accept are the values of the header fields ("" or ptr NULL:
 * absent).  Up to CSV_SLACK bytes beyond the body's end are read.  Returns the HTTP status; the body is in state->out, *ret_type its content type. */
int invoke(const Invoker *invoker, InvokeState *state, Str content_type, Str accept, Str body,
           Str *ret_type);

/* ---- select.c: SageMaker XGBoost's selectable output ---- */

bool select_parse(Str list, Selected *ret_selected, int *ret_n, Error *err);

/* The chosen values of each row from xgboost's default output.  What the objective does not have is
 * NaN, as in SageMaker's container. */
bool select_outputs(const Invoker *invoker, const Predictions *predictions,
                    Predictions *ret_selected, Error *err);

#endif
