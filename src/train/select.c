/* SAGEMAKER_INFERENCE_OUTPUT: which values of a prediction an xgboost endpoint answers.
 *
 * All are functions of the default output, as in sagemaker-xgboost-container 1.7-1: a raw score is
 * the probability where the objective gives one, and of two classes the other one's score is one
 * minus it. */

#include "train/invoke.h"

#include <math.h>

static const struct {
    Str name;
    bool list;
} outputs[] = {
    [SELECT_PREDICTED_LABEL] = {STR_INIT("predicted_label"), false},
    [SELECT_LABELS] = {STR_INIT("labels"), true},
    [SELECT_PROBABILITY] = {STR_INIT("probability"), false},
    [SELECT_PROBABILITIES] = {STR_INIT("probabilities"), true},
    [SELECT_RAW_SCORE] = {STR_INIT("raw_score"), false},
    [SELECT_RAW_SCORES] = {STR_INIT("raw_scores"), true},
    [SELECT_PREDICTED_SCORE] = {STR_INIT("predicted_score"), false},
};

bool select_parse(Str list, Selected *ret_selected, int *ret_n, Error *err)
{
    Str rest = list, word;
    int n = 0;
    while (str_next(&rest, ',', &word)) {
        word = str_trim(word);
        size_t i = 0;
        while (i < COUNT(outputs) && !str_eq(word, outputs[i].name)) i++;
        if (i == COUNT(outputs))
            return error_set(
                err, ERROR_INVALID,
                "SAGEMAKER_INFERENCE_OUTPUT: '%.*s' is not one of predicted_label, labels, probability, "
                "probabilities, raw_score, raw_scores, predicted_score",
                STR_ARG(word));
        for (int k = 0; k < n; k++)
            if (ret_selected[k] == (Selected)i)
                return error_set(err, ERROR_INVALID,
                                 "SAGEMAKER_INFERENCE_OUTPUT: '%.*s' is given twice",
                                 STR_ARG(word));
        ret_selected[n++] = (Selected)i;
    }
    *ret_n = n;
    return true;
}

static bool objective_is(const Invoker *invoker, const char *name)
{
    return strcmp(invoker->objective, name) == 0;
}

static bool is_offered(const Invoker *invoker, Selected selected)
{
    bool softprob = objective_is(invoker, "multi:softprob"),
         logistic = objective_is(invoker, "binary:logistic");
    bool classes = softprob || logistic || objective_is(invoker, "binary:logitraw") ||
                   objective_is(invoker, "binary:hinge") || objective_is(invoker, "multi:softmax");
    switch (selected) {
    case SELECT_PROBABILITY:
    case SELECT_PROBABILITIES: return softprob || logistic;
    case SELECT_PREDICTED_SCORE: return !classes;
    default: return classes;
    }
}

static float best(const float *scores, int32_t n, float *ret_position)
{
    int32_t at = 0;
    for (int32_t k = 1; k < n; k++)
        if (scores[k] > scores[at]) at = k;
    *ret_position = (float)at;
    return scores[at];
}

static float label_of(const Invoker *invoker, const float *scores, int32_t n)
{
    float position;
    if (n > 1) {
        best(scores, n, &position);
        return position;
    }
    if (objective_is(invoker, "binary:logistic")) return scores[0] > 0.5F;
    if (objective_is(invoker, "binary:logitraw")) return scores[0] > 0;
    return scores[0]; /* hinge and softmax give the class */
}

/* The values of one row: `n_scores` numbers of the default output in, `width` out. */
static void select_row(const Invoker *invoker, Selected selected, const float *scores,
                       int32_t n_scores, float *out, int32_t width)
{
    float ignored;
    switch (selected) {
    case SELECT_PREDICTED_LABEL: out[0] = label_of(invoker, scores, n_scores); break;
    case SELECT_LABELS:
        for (int32_t k = 0; k < width; k++) out[k] = (float)k;
        break;
    case SELECT_PROBABILITY:
    case SELECT_RAW_SCORE: out[0] = best(scores, n_scores, &ignored); break;
    case SELECT_PROBABILITIES:
    case SELECT_RAW_SCORES:
        if (n_scores > 1) {
            memcpy(out, scores, (size_t)n_scores * sizeof *out);
        } else {
            out[0] = (float)(1 - (double)scores[0]);
            out[1] = scores[0];
        }
        break;
    case SELECT_PREDICTED_SCORE: out[0] = scores[0]; break;
    }
}

bool select_outputs(const Invoker *invoker, const Predictions *predictions,
                    Predictions *ret_selected, Error *err)
{
    const Artifact *artifact = invoker->artifact;
    int32_t n_scores = predictions->outputs[0].width;
    int32_t n_classes = artifact->algorithm->n_classes
                            ? artifact->algorithm->n_classes(artifact->model)
                            : 0;
    *ret_selected = (Predictions){.n_rows = predictions->n_rows};
    for (int s = 0; s < invoker->n_selected; s++) {
        Selected selected = invoker->selected[s];
        bool offered = is_offered(invoker, selected), list = offered && outputs[selected].list;
        int32_t width = !list                       ? 1
                        : selected == SELECT_LABELS ? MAX(n_classes, 2)
                                                    : MAX(n_scores, 2);
        float *values;
        if (!predictions_add(ret_selected, outputs[selected].name.ptr, width, list, &values, err)) {
            predictions_clear(ret_selected);
            return false;
        }
        for (int64_t i = 0; i < predictions->n_rows; i++)
            if (offered)
                select_row(invoker, selected, predictions->values[0] + i * n_scores, n_scores,
                           values + i * width, width);
            else
                values[i] = NAN;
    }
    return true;
}
