#ifndef CLARY_CHART_CHART_H
#define CLARY_CHART_CHART_H

/* Charts as SVG text that needs nothing else: no script, no font, no outside address.  Colours and
 * text follow the CSS variables of chart_css, so that a page may be light or dark; a chart alone
 * carries them itself. */

#include "base/strbuf.h"

typedef enum ChartMark {
    CHART_LINE,
    CHART_POINTS,
    CHART_LINE_POINTS,
    CHART_BARS,  /* bars from 0, centered at x */
    CHART_GUIDE, /* a dashed line in the background, not in the legend */
} ChartMark;

typedef struct ChartSeries {
    Str name;
    const double *x, *y; /* values that are not finite are left out */
    int64_t n;
    ChartMark mark;
} ChartSeries;

enum { CHART_SERIES_MAX = 12 };

typedef struct Chart {
    Str title; /* what the chart says, for readers and screen readers */
    Str x_label, y_label;
    ChartSeries series[CHART_SERIES_MAX];
    int n_series;
    bool fixed_x, fixed_y; /* use the ranges below instead of those of the data */
    double x_min, x_max, y_min, y_max;
} Chart;

/* Adds one series; the arrays must live until the chart is drawn. */
void chart_add(Chart *chart, const char *name, ChartMark mark, const double *x, const double *y,
               int64_t n);

/* The chart as an <svg> element; with `alone` as a file of its own. */
void chart_svg(const Chart *chart, bool alone, StrBuf *out);

/* One horizontal bar a row, longest first as given: names, values, the share as text. */
void chart_ranking_svg(Str title, const Str *names, const double *values, int32_t n, StrBuf *out);

/* A matrix of counts as a heat map; rows are truth, columns prediction. */
void chart_confusion_svg(Str title, const Str *names, const double *counts, int32_t n, StrBuf *out);

/* Values of either sign as a heat map, row-major: those above 0 in one colour, below in another. */
void chart_heat_svg(Str title, const Str *row_names, int32_t n_rows, const Str *column_names,
                    int32_t n_columns, const double *values, StrBuf *out);

/* The style sheet that the charts' classes refer to. */
extern const char chart_css[];

/* Text with & < > " escaped; control characters become blanks. */
void html_add(StrBuf *out, Str text);

/* Round positions for an axis over [low, high]: at most `max` of them; returns how many. */
int chart_ticks(double low, double high, int max, double *ret_ticks);

#endif
