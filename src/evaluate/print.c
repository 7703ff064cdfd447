/* Metrics as text and JSON. */

#include "evaluate/print.h"

#include <math.h>

enum { MATRIX_CLASSES_MAX = 12, CLASSES_SHOWN_MAX = 50, NAME_WIDTH = 16 };

typedef struct Line {
    const char *name;
    double value;
    const char *note;
} Line;

static void add_lines(const Line *lines, size_t n, StrBuf *out)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(lines[i].value)) continue;
        strbuf_addf(out, "%-22s %12.6g%s%s\n", lines[i].name, lines[i].value,
                    lines[i].note ? "   " : "", lines[i].note ? lines[i].note : "");
    }
}

static void add_name(StrBuf *out, Str name, int width)
{
    if (name.len > (size_t)width) name.len = (size_t)width;
    strbuf_addf(out, "%-*.*s", width, STR_ARG(name));
}

static void add_class_table(const Classification *result, const Str *names, StrBuf *out)
{
    strbuf_addf(out, "\n%-*s %10s %10s %10s %10s\n", NAME_WIDTH, "class", "precision", "recall",
                "F1", "rows");
    for (int32_t k = 0; k < MIN(result->n_classes, CLASSES_SHOWN_MAX); k++) {
        const ClassMetrics *c = &result->classes[k];
        add_name(out, names[k], NAME_WIDTH);
        strbuf_addf(out, " %10.4f %10.4f %10.4f %10.0f\n", c->precision, c->recall, c->f1,
                    c->support);
    }
    if (result->n_classes > CLASSES_SHOWN_MAX)
        strbuf_addf(out, "... and %d more classes\n", result->n_classes - CLASSES_SHOWN_MAX);
    const struct {
        const char *name;
        const AverageMetrics *average;
    } averages[] = {{"macro", &result->macro}, {"weighted", &result->weighted}};
    for (size_t i = 0; i < COUNT(averages); i++)
        strbuf_addf(out, "%-*s %10.4f %10.4f %10.4f %10.0f\n", NAME_WIDTH, averages[i].name,
                    averages[i].average->precision, averages[i].average->recall,
                    averages[i].average->f1, result->weight);
}

static void add_confusion(const Classification *result, const Str *names, StrBuf *out)
{
    int32_t n = result->n_classes;
    if (n > MATRIX_CLASSES_MAX) return;
    strbuf_addf(out, "\nconfusion matrix (rows: truth, columns: prediction)\n%-*s", NAME_WIDTH, "");
    for (int32_t k = 0; k < n; k++) {
        Str name = names[k];
        if (name.len > 10) name.len = 10;
        strbuf_addf(out, " %10.*s", STR_ARG(name));
    }
    strbuf_add_char(out, '\n');
    for (int32_t i = 0; i < n; i++) {
        add_name(out, names[i], NAME_WIDTH);
        for (int32_t k = 0; k < n; k++) strbuf_addf(out, " %10.0f", result->confusion[i * n + k]);
        strbuf_add_char(out, '\n');
    }
}

static void add_threshold(const char *name, const ThresholdRow *row, StrBuf *out)
{
    strbuf_addf(out, "%-16s %9.4f %9.4f %9.4f %9.4f %9.4f %9.4f\n", name, row->threshold,
                row->precision, row->recall, row->specificity, row->f1, row->accuracy);
}

static void add_thresholds(const Classification *result, StrBuf *out)
{
    strbuf_addf(out, "\n%-16s %9s %9s %9s %9s %9s %9s\n", "thresholds", "from", "precision",
                "recall", "specific.", "F1", "accuracy");
    for (int i = 1; i < THRESHOLD_ROWS; i += 2) add_threshold("", &result->thresholds[i], out);
    add_threshold("best F1", &result->best_f1, out);
    add_threshold("best Youden's J", &result->best_youden, out);
    add_threshold("best accuracy", &result->best_accuracy, out);
}

void classification_text(const Classification *result, const Str *names, bool scores, StrBuf *out)
{
    ARENA(scratch);
    Str majority = arena_format(&scratch, "always answering '%.*s' has %.4f",
                                STR_ARG(names[result->majority_class]), result->majority_accuracy);
    bool binary = result->n_classes == 2;
    const Line lines[] = {
        {"accuracy", result->accuracy, majority.ptr},
        {"balanced accuracy", result->balanced_accuracy, NULL},
        {binary ? "ROC AUC" : "ROC AUC (macro)", result->roc_auc, NULL},
        {"average precision", result->average_precision, NULL},
        {"log loss", result->log_loss, NULL},
        {"Brier score", result->brier, NULL},
        {"calibration error", result->ece, NULL},
        {"MCC", result->mcc, NULL},
        {"Cohen's kappa", result->kappa, NULL},
        {"KS statistic", binary ? result->ks : NAN, NULL},
    };
    add_lines(lines, COUNT(lines), out);
    add_class_table(result, names, out);
    add_confusion(result, names, out);
    if (binary && scores && !isnan(result->log_loss)) add_thresholds(result, out);
}

void regression_text(const Regression *result, StrBuf *out)
{
    ARENA(scratch);
    Str rmse = arena_format(&scratch, "always answering the mean has %.6g", result->baseline_rmse);
    Str mae = arena_format(&scratch, "always answering the median has %.6g", result->baseline_mae);
    Str zeros = arena_format(&scratch, "a fraction; without the %lld rows whose label is 0: %.6g",
                             (long long)result->n_zero, result->mape_nonzero);
    const Line lines[] = {
        {"RMSE", result->rmse, rmse.ptr},
        {"MAE", result->mae, mae.ptr},
        {"median absolute error", result->median_ae, NULL},
        {"largest error", result->max_error, NULL},
        {"R2", result->r2, NULL},
        {"adjusted R2", result->adjusted_r2, NULL},
        {"explained variance", result->explained_variance, NULL},
        {"MAPE", result->mape, result->n_zero ? zeros.ptr : "a fraction, not percent"},
        {"sMAPE", result->smape, NULL},
        {"WAPE", result->wape, NULL},
        {"RMSLE", result->rmsle, NULL},
        {"bias", result->bias, "mean of prediction - label"},
        {"correlation", result->pearson, NULL},
    };
    add_lines(lines, COUNT(lines), out);
}

/* ---- JSON ---- */

typedef struct Member {
    const char *name;
    double value;
} Member;

static void add_members(const Member *members, size_t n, JsonWriter *json)
{
    for (size_t i = 0; i < n; i++)
        if (!isnan(members[i].value)) json_member_double(json, members[i].name, members[i].value);
}

static void add_average_json(const char *name, const AverageMetrics *average, JsonWriter *json)
{
    json_name(json, str_of(name));
    json_begin_object(json);
    json_member_double(json, "precision", average->precision);
    json_member_double(json, "recall", average->recall);
    json_member_double(json, "f1", average->f1);
    json_end_object(json);
}

static void add_classes_json(const Classification *result, const Str *names, JsonWriter *json)
{
    json_name(json, STR("classes"));
    json_begin_array(json);
    for (int32_t k = 0; k < result->n_classes; k++) {
        const ClassMetrics *c = &result->classes[k];
        const Member members[] = {{"support", c->support},
                                  {"precision", c->precision},
                                  {"recall", c->recall},
                                  {"f1", c->f1},
                                  {"specificity", c->specificity},
                                  {"roc_auc", c->roc_auc},
                                  {"average_precision", c->average_precision}};
        json_begin_object(json);
        json_member_string(json, "class", names[k]);
        add_members(members, COUNT(members), json);
        json_end_object(json);
    }
    json_end_array(json);
}

static void add_matrix_json(const Classification *result, JsonWriter *json)
{
    json_name(json, STR("confusion_matrix"));
    json_begin_array(json);
    for (int32_t i = 0; i < result->n_classes; i++) {
        json_begin_array(json);
        for (int32_t k = 0; k < result->n_classes; k++)
            json_double(json, result->confusion[i * result->n_classes + k]);
        json_end_array(json);
    }
    json_end_array(json);
}

static void add_threshold_json(const ThresholdRow *row, JsonWriter *json)
{
    const Member members[] = {{"threshold", row->threshold},
                              {"tp", row->tp},
                              {"fp", row->fp},
                              {"fn", row->fn},
                              {"tn", row->tn},
                              {"precision", row->precision},
                              {"recall", row->recall},
                              {"specificity", row->specificity},
                              {"f1", row->f1},
                              {"accuracy", row->accuracy},
                              {"youden", row->youden},
                              {"mcc", row->mcc}};
    json_begin_object(json);
    add_members(members, COUNT(members), json);
    json_end_object(json);
}

void classification_json(const Classification *result, const Str *names, bool scores,
                         JsonWriter *json)
{
    bool binary = result->n_classes == 2;
    const ClassMetrics *positive = &result->classes[1];
    const Member members[] = {
        {"accuracy", result->accuracy},
        {"majority_accuracy", result->majority_accuracy},
        {"balanced_accuracy", result->balanced_accuracy},
        {"precision", binary ? positive->precision : result->macro.precision},
        {"recall", binary ? positive->recall : result->macro.recall},
        {"f1", binary ? positive->f1 : result->macro.f1},
        {"roc_auc", result->roc_auc},
        {"roc_auc_weighted", binary ? NAN : result->roc_auc_weighted},
        {"roc_auc_ovo", binary ? NAN : result->roc_auc_ovo},
        {"average_precision", result->average_precision},
        {"log_loss", result->log_loss},
        {"brier", result->brier},
        {"ece", result->ece},
        {"mcc", result->mcc},
        {"kappa", result->kappa},
        {"ks", binary ? result->ks : NAN},
        {"top_2_accuracy", binary ? NAN : result->top_k_accuracy[0]},
        {"top_3_accuracy", binary ? NAN : result->top_k_accuracy[1]},
        {"top_5_accuracy", binary ? NAN : result->top_k_accuracy[2]},
    };
    add_members(members, COUNT(members), json);
    add_average_json("micro", &result->micro, json);
    add_average_json("macro", &result->macro, json);
    add_average_json("weighted", &result->weighted, json);
    add_classes_json(result, names, json);
    add_matrix_json(result, json);
    if (!binary || !scores || isnan(result->log_loss)) return;
    json_name(json, STR("thresholds"));
    json_begin_array(json);
    for (int i = 0; i < THRESHOLD_ROWS; i++) add_threshold_json(&result->thresholds[i], json);
    json_end_array(json);
    json_name(json, STR("best_f1"));
    add_threshold_json(&result->best_f1, json);
    json_name(json, STR("best_youden"));
    add_threshold_json(&result->best_youden, json);
}

void regression_json(const Regression *result, JsonWriter *json)
{
    const Member members[] = {
        {"rmse", result->rmse},
        {"mse", result->mse},
        {"mae", result->mae},
        {"median_ae", result->median_ae},
        {"max_error", result->max_error},
        {"r2", result->r2},
        {"adjusted_r2", result->adjusted_r2},
        {"explained_variance", result->explained_variance},
        {"mape", result->mape},
        {"mape_nonzero", result->mape_nonzero},
        {"zero_labels", (double)result->n_zero},
        {"smape", result->smape},
        {"wape", result->wape},
        {"rmsle", result->rmsle},
        {"bias", result->bias},
        {"pearson", result->pearson},
        {"baseline_rmse", result->baseline_rmse},
        {"baseline_mae", result->baseline_mae},
    };
    add_members(members, COUNT(members), json);
}

void diagnosis_json(const Diagnosis *diagnosis, JsonWriter *json)
{
    json_name(json, STR("diagnosis"));
    json_begin_object(json);
    json_member_string(json, "verdict", str_of(diagnosis_verdict_name(diagnosis->verdict)));
    json_member_string(json, "seen", diagnosis->seen);
    json_name(json, STR("advice"));
    json_begin_array(json);
    for (int i = 0; i < diagnosis->n_advice; i++) json_string(json, diagnosis->advice[i]);
    json_end_array(json);
    json_end_object(json);
}
