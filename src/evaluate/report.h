#ifndef CLARY_EVALUATE_REPORT_H
#define CLARY_EVALUATE_REPORT_H

/* The evaluation as a page of its own: figures, charts, tables, advice; no script, no outside
 * address, light or dark as the reader has it. */

#include "evaluate/classification.h"
#include "evaluate/clusters.h"
#include "evaluate/diagnosis.h"
#include "evaluate/ranking.h"
#include "evaluate/regression.h"
#include "evaluate/survival.h"

#include "base/strbuf.h"

typedef struct ReportCurve {
    Str data, metric;
    const double *values;
    int64_t n;
} ReportCurve;

typedef struct Report {
    Str title;                            /* "income on test.csv" */
    Str subtitle;                         /* "xgboost, 100 rounds; 16,281 rows" */
    const Classification *classification; /* exactly one of these */
    const Regression *regression;
    const Ranking *ranking;
    const Survival *survival;
    const Clusters *clusters;
    const Str *feature_names; /* clusters */
    const Str *class_names;
    bool scores;                       /* the classifier gave scores */
    const float *labels, *predictions; /* regression: n values each */
    int64_t n;
    const Str *importance_names; /* best first, or NULL */
    const double *importance;
    int32_t n_importance;
    const ReportCurve *curves; /* of training, or NULL */
    int n_curves;
    const Diagnosis *diagnosis; /* or NULL */
    Str figures;                /* classification_text, regression_text, ..., for the foot */
} Report;

void report_html(const Report *report, StrBuf *out);

/* Each chart alone: `use` gets a file name such as "roc.svg" and its text. */
typedef bool UseChart(void *arg, const char *name, Str svg, Error *err);
bool report_charts(const Report *report, UseChart *use, void *arg, Error *err);

#endif
