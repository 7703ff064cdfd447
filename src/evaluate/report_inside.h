#ifndef CLARY_EVALUATE_REPORT_INSIDE_H
#define CLARY_EVALUATE_REPORT_INSIDE_H

/* What the files of the page share. */

#include "evaluate/report.h"

#include "chart/chart.h"

/* A figure in a box at the head of the page; nothing when it is NaN. */
void report_tile(StrBuf *out, const char *name, double value, const char *note);

/* report_order.c: each draws one chart, or nothing when there is nothing to show. */
typedef void ReportDraw(const Report *report, bool alone, StrBuf *out);
ReportDraw draw_ranking_cuts, draw_ranking_lists, draw_survival, draw_cluster_map,
    draw_cluster_sizes, draw_cluster_centers, draw_cluster_silhouettes;

void report_order_tiles(const Report *report, StrBuf *out);

#endif
