/* The evaluation page: which charts an evaluation has, and how they stand on a page. */

#include "evaluate/report.h"

#include "evaluate/report_inside.h"

#include <math.h>
#include <stdlib.h>

enum {
    CHART_BYTES_MAX = 8 << 20,
    POINTS_MAX = 1500,
    HISTOGRAM_BINS = 31,
    CONFUSION_MAX = 30,
    CURVES_SHOWN = 6
};

static const double unit[] = {0, 1};

/* Each function draws one chart, or nothing when there is nothing to show. */

static void draw_roc(const Report *report, bool alone, StrBuf *out)
{
    const Classification *c = report->classification;
    if (!c || c->n_classes != 2 || !report->scores || c->roc.n < 2) return;
    ARENA(scratch);
    Curve roc = curve_thin(&c->roc, POINTS_MAX, &scratch);
    Chart chart = {.title = arena_format(&scratch, "ROC curve: area %.4f", c->roc_auc),
                   .x_label = STR("false positive rate"),
                   .y_label = STR("true positive rate"),
                   .fixed_x = true,
                   .x_max = 1,
                   .fixed_y = true,
                   .y_max = 1};
    chart_add(&chart, "chance", CHART_GUIDE, unit, unit, 2);
    chart_add(&chart, "model", CHART_LINE, roc.x, roc.y, roc.n);
    chart_svg(&chart, alone, out);
}

static void draw_pr(const Report *report, bool alone, StrBuf *out)
{
    const Classification *c = report->classification;
    if (!c || c->n_classes != 2 || !report->scores || c->pr.n < 2) return;
    ARENA(scratch);
    Curve pr = curve_thin(&c->pr, POINTS_MAX, &scratch);
    double share = c->classes[1].support / c->weight;
    const double level[] = {share, share};
    Chart chart = {.title = arena_format(&scratch, "Precision and recall: average precision %.4f",
                                         c->average_precision),
                   .x_label = STR("recall"),
                   .y_label = STR("precision"),
                   .fixed_x = true,
                   .x_max = 1,
                   .fixed_y = true,
                   .y_max = 1};
    chart_add(&chart, "chance", CHART_GUIDE, unit, level, 2);
    chart_add(&chart, "model", CHART_LINE, pr.x, pr.y, pr.n);
    chart_svg(&chart, alone, out);
}

static void draw_calibration(const Report *report, bool alone, StrBuf *out)
{
    const Classification *c = report->classification;
    if (!c || !report->scores || isnan(c->ece)) return;
    ARENA(scratch);
    double x[CALIBRATION_BINS], y[CALIBRATION_BINS];
    int n = 0;
    for (int b = 0; b < CALIBRATION_BINS; b++)
        if (c->calibration[b].weight > 0) {
            x[n] = c->calibration[b].mean_score;
            y[n++] = c->calibration[b].share;
        }
    Chart chart = {.title = arena_format(&scratch, "Calibration: expected error %.4f", c->ece),
                   .x_label = c->n_classes == 2 ? STR("predicted probability")
                                                : STR("highest predicted probability"),
                   .y_label = c->n_classes == 2 ? STR("share that is positive")
                                                : STR("share that is right"),
                   .fixed_x = true,
                   .x_max = 1,
                   .fixed_y = true,
                   .y_max = 1};
    chart_add(&chart, "perfect", CHART_GUIDE, unit, unit, 2);
    chart_add(&chart, "model", CHART_LINE_POINTS, x, y, n);
    chart_svg(&chart, alone, out);
}

static void draw_thresholds(const Report *report, bool alone, StrBuf *out)
{
    const Classification *c = report->classification;
    if (!c || c->n_classes != 2 || !report->scores || isnan(c->log_loss)) return;
    ARENA(scratch);
    double x[THRESHOLD_ROWS], precision[THRESHOLD_ROWS], recall[THRESHOLD_ROWS], f1[THRESHOLD_ROWS];
    for (int i = 0; i < THRESHOLD_ROWS; i++) {
        x[i] = c->thresholds[i].threshold;
        precision[i] = c->thresholds[i].precision;
        recall[i] = c->thresholds[i].recall;
        f1[i] = c->thresholds[i].f1;
    }
    Chart chart = {.title = arena_format(&scratch, "Thresholds: F1 is best (%.4f) from %.3f on",
                                         c->best_f1.f1, c->best_f1.threshold),
                   .x_label = STR("answer positive from this probability on"),
                   .y_label = STR("score"),
                   .fixed_x = true,
                   .x_max = 1,
                   .fixed_y = true,
                   .y_max = 1};
    chart_add(&chart, "precision", CHART_LINE, x, precision, THRESHOLD_ROWS);
    chart_add(&chart, "recall", CHART_LINE, x, recall, THRESHOLD_ROWS);
    chart_add(&chart, "F1", CHART_LINE, x, f1, THRESHOLD_ROWS);
    chart_svg(&chart, alone, out);
}

static void draw_confusion(const Report *report, bool alone UNUSED, StrBuf *out)
{
    const Classification *c = report->classification;
    if (c && c->n_classes <= CONFUSION_MAX)
        chart_confusion_svg(STR("Confusion matrix"), report->class_names, c->confusion,
                            c->n_classes, out);
}

/* Evenly chosen rows, so that large data makes small pages. */
static int64_t sample_rows(const Report *report, Arena *arena, double **ret_labels,
                           double **ret_predictions)
{
    int64_t n = MIN(report->n, (int64_t)POINTS_MAX);
    double *labels = arena_array(arena, double, n), *predictions = arena_array(arena, double, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = (int64_t)((double)i * (double)report->n / (double)n);
        labels[i] = report->labels[row];
        predictions[i] = report->predictions[row];
    }
    *ret_labels = labels;
    *ret_predictions = predictions;
    return n;
}

static void draw_predicted(const Report *report, bool alone, StrBuf *out)
{
    if (!report->regression || report->n < 1) return;
    ARENA(scratch);
    double *labels, *predictions;
    int64_t n = sample_rows(report, &scratch, &labels, &predictions);
    double line[] = {report->regression->label_min, report->regression->label_max};
    Chart chart = {
        .title = arena_format(&scratch, "Predicted and true: R2 %.4f", report->regression->r2),
        .x_label = STR("true value"),
        .y_label = STR("predicted value")};
    chart_add(&chart, "perfect", CHART_GUIDE, line, line, 2);
    chart_add(&chart, "rows", CHART_POINTS, labels, predictions, n);
    chart_svg(&chart, alone, out);
}

static void draw_residuals(const Report *report, bool alone, StrBuf *out)
{
    if (!report->regression || report->n < 1) return;
    ARENA(scratch);
    double *labels, *predictions;
    int64_t n = sample_rows(report, &scratch, &labels, &predictions);
    double low = INFINITY, high = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        labels[i] -= predictions[i];
        low = fmin(low, predictions[i]);
        high = fmax(high, predictions[i]);
    }
    const double x[] = {low, high}, zero[] = {0, 0};
    Chart chart = {.title = STR("Residuals: a funnel or a bend is something missed"),
                   .x_label = STR("predicted value"),
                   .y_label = STR("true - predicted")};
    chart_add(&chart, "zero", CHART_GUIDE, x, zero, 2);
    chart_add(&chart, "rows", CHART_POINTS, predictions, labels, n);
    chart_svg(&chart, alone, out);
}

static void draw_residual_histogram(const Report *report, bool alone, StrBuf *out)
{
    const Regression *r = report->regression;
    if (!r || report->n < 2) return;
    double low = r->residual_quantiles[0], high = r->residual_quantiles[RESIDUAL_QUANTILES - 1];
    double wide = 4 * (r->residual_quantiles[5] - r->residual_quantiles[1]);
    if (wide > 0) { /* a few far rows must not squeeze the rest into one bar */
        low = fmax(low, r->residual_quantiles[1] - wide / 4);
        high = fmin(high, r->residual_quantiles[5] + wide / 4);
    }
    if (!(high > low)) return;
    double x[HISTOGRAM_BINS], y[HISTOGRAM_BINS] = {0}, width = (high - low) / HISTOGRAM_BINS;
    for (int b = 0; b < HISTOGRAM_BINS; b++) x[b] = low + (b + 0.5) * width;
    for (int64_t i = 0; i < report->n; i++) {
        double e = (double)report->labels[i] - report->predictions[i];
        int b = (int)fmin(fmax((e - low) / width, 0), HISTOGRAM_BINS - 1);
        y[b]++;
    }
    Chart chart = {.title = STR("Residuals (the outermost bars hold all beyond)"),
                   .x_label = STR("true - predicted"),
                   .y_label = STR("rows")};
    chart_add(&chart, "rows", CHART_BARS, x, y, HISTOGRAM_BINS);
    chart_svg(&chart, alone, out);
}

static void draw_importance(const Report *report, bool alone UNUSED, StrBuf *out)
{
    if (report->n_importance)
        chart_ranking_svg(STR("What the model relies on (share of the total gain)"),
                          report->importance_names, report->importance,
                          MIN(report->n_importance, 15), out);
}

static void draw_learning(const Report *report, bool alone, StrBuf *out)
{
    if (!report->n_curves) return;
    ARENA(scratch);
    Str metric = report->curves[report->n_curves - 1].metric;
    Chart chart = {
        .title = arena_format(&scratch, "Learning curves: %.*s by round", STR_ARG(metric)),
        .x_label = STR("round"),
        .y_label = metric};
    for (int i = 0; i < report->n_curves && chart.n_series < CURVES_SHOWN; i++) {
        const ReportCurve *curve = &report->curves[i];
        if (!str_eq(curve->metric, metric)) continue;
        double *x = arena_array(&scratch, double, curve->n);
        for (int64_t r = 0; r < curve->n; r++) x[r] = (double)r + 1;
        chart_add(&chart, arena_cstr(&scratch, curve->data), CHART_LINE, x, curve->values,
                  curve->n);
    }
    chart_svg(&chart, alone, out);
}

static const struct {
    const char *name;
    void (*draw)(const Report *report, bool alone, StrBuf *out);
} charts[] = {
    {"roc.svg", draw_roc},
    {"precision-recall.svg", draw_pr},
    {"calibration.svg", draw_calibration},
    {"thresholds.svg", draw_thresholds},
    {"confusion.svg", draw_confusion},
    {"predicted.svg", draw_predicted},
    {"residuals.svg", draw_residuals},
    {"residual-histogram.svg", draw_residual_histogram},
    {"ndcg.svg", draw_ranking_cuts},
    {"queries.svg", draw_ranking_lists},
    {"survival.svg", draw_survival},
    {"cluster-map.svg", draw_cluster_map},
    {"cluster-sizes.svg", draw_cluster_sizes},
    {"cluster-centers.svg", draw_cluster_centers},
    {"cluster-silhouettes.svg", draw_cluster_silhouettes},
    {"learning.svg", draw_learning},
    {"importance.svg", draw_importance},
};

bool report_charts(const Report *report, UseChart *use, void *arg, Error *err)
{
    for (size_t i = 0; i < COUNT(charts); i++) {
        AUTO_STRBUF StrBuf svg = STRBUF(CHART_BYTES_MAX);
        charts[i].draw(report, true, &svg);
        if (svg.overflow)
            return error_set(err, ERROR_LIMIT, "chart '%s' is larger than 8 MiB", charts[i].name);
        if (svg.len && !use(arg, charts[i].name, strbuf_str(&svg), err)) return false;
    }
    return true;
}

/* ---- the page ---- */

static const char page_css[] =
    ":root{color-scheme:light dark}body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:1120px;"
    "padding:28px 20px;color:#1f2328;background:#fff}h1{font-size:24px;margin:0}.sub{color:#59636e;margin:2px 0 20px}"
    ".tiles{display:flex;flex-wrap:wrap;gap:12px;margin-bottom:20px}.tile{border:1px solid #d1d9e0;border-radius:8px;"
    "padding:10px 16px;min-width:110px}.tile b{display:block;font-size:22px;font-variant-numeric:tabular-nums}"
    ".tile span{color:#59636e;font-size:13px}.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(380px,1fr));"
    "gap:16px}.charts>div{border:1px solid #d1d9e0;border-radius:8px;padding:8px}.chart{width:100%;height:auto}"
    ".note{border-left:4px solid #0a6ebd;padding:8px 14px;margin:0 0 20px;background:#f6f8fa}.note ul{margin:4px 0 0;"
    "padding-left:20px}pre{overflow-x:auto;font:13px/1.45 ui-monospace,monospace;background:#f6f8fa;padding:14px;"
    "border-radius:8px}@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}.sub,.tile span{color:#9198a1}"
    ".tile,.charts>div{border-color:#3d444d}.note,pre{background:#151b23}}";

void report_tile(StrBuf *out, const char *name, double value, const char *note)
{
    if (isnan(value)) return;
    strbuf_addf(out, "<div class=\"tile\"><span>%s</span><b>%.4g</b>", name, value);
    if (note) strbuf_addf(out, "<span>%s</span>", note);
    strbuf_add(out, STR("</div>"));
}

static void add_tiles(const Report *report, StrBuf *out)
{
    ARENA(scratch);
    strbuf_add(out, STR("<div class=\"tiles\">"));
    if (report->classification) {
        const Classification *c = report->classification;
        bool binary = c->n_classes == 2;
        report_tile(out, "accuracy", c->accuracy,
                    arena_format(&scratch, "majority %.4g", c->majority_accuracy).ptr);
        report_tile(out, "ROC AUC", c->roc_auc, NULL);
        report_tile(out, binary ? "precision" : "precision (macro)",
                    binary ? c->classes[1].precision : c->macro.precision, NULL);
        report_tile(out, binary ? "recall" : "recall (macro)",
                    binary ? c->classes[1].recall : c->macro.recall, NULL);
        report_tile(out, binary ? "F1" : "F1 (macro)", binary ? c->classes[1].f1 : c->macro.f1,
                    NULL);
        report_tile(out, "log loss", c->log_loss, NULL);
        report_tile(out, "MCC", c->mcc, NULL);
    } else if (report->regression) {
        const Regression *r = report->regression;
        report_tile(out, "RMSE", r->rmse,
                    arena_format(&scratch, "mean guess %.4g", r->baseline_rmse).ptr);
        report_tile(out, "MAE", r->mae,
                    arena_format(&scratch, "median guess %.4g", r->baseline_mae).ptr);
        report_tile(out, "R2", r->r2, NULL);
        report_tile(out, "MAPE", r->n_zero ? r->mape_nonzero : r->mape,
                    r->n_zero ? "labels other than 0" : NULL);
        report_tile(out, "bias", r->bias, NULL);
    } else {
        report_order_tiles(report, out);
    }
    strbuf_add(out, STR("</div>\n"));
}

static void add_diagnosis(const Diagnosis *diagnosis, StrBuf *out)
{
    strbuf_add(out, STR("<div class=\"note\">"));
    html_add(out, diagnosis->seen);
    if (diagnosis->n_advice) strbuf_add(out, STR("<ul>"));
    for (int i = 0; i < diagnosis->n_advice; i++) {
        strbuf_add(out, STR("<li>"));
        html_add(out, diagnosis->advice[i]);
        strbuf_add(out, STR("</li>"));
    }
    if (diagnosis->n_advice) strbuf_add(out, STR("</ul>"));
    strbuf_add(out, STR("</div>\n"));
}

void report_html(const Report *report, StrBuf *out)
{
    strbuf_add(out,
               STR("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width\">"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'\"><title>"));
    html_add(out, report->title);
    strbuf_addf(out, "</title><style>%s%s</style></head><body>\n<h1>", page_css, chart_css);
    html_add(out, report->title);
    strbuf_add(out, STR("</h1>\n<p class=\"sub\">"));
    html_add(out, report->subtitle);
    strbuf_add(out, STR("</p>\n"));
    add_tiles(report, out);
    if (report->diagnosis) add_diagnosis(report->diagnosis, out);
    strbuf_add(out, STR("<div class=\"charts\">\n"));
    for (size_t i = 0; i < COUNT(charts); i++) {
        AUTO_STRBUF StrBuf svg = STRBUF(CHART_BYTES_MAX);
        charts[i].draw(report, false, &svg);
        if (!svg.len) continue;
        strbuf_add(out, STR("<div>"));
        strbuf_add(out, strbuf_str(&svg));
        strbuf_add(out, STR("</div>\n"));
    }
    strbuf_add(out, STR("</div>\n<h2>All figures</h2>\n<pre>"));
    Str rest = report->figures, line; /* line by line: html_add takes control characters out */
    while (str_next_line(&rest, &line)) {
        html_add(out, line);
        strbuf_add_char(out, '\n');
    }
    strbuf_add(out, STR("</pre>\n</body></html>\n"));
}
