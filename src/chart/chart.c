/* Line charts, scatter plots and bars over two linear axes.
 *
 * Ticks are multiples of 1, 2 or 5 times a power of ten (Heckbert: Nice Numbers for Graph Labels,
 * Graphics Gems, 1990).  Long lines are thinned to the pixels they cross, keeping each pixel
 * column's extremes, so that a curve of a million points makes a small file. */

#include "chart/chart.h"

#include <math.h>

enum {
    WIDTH = 460,
    HEIGHT = 360,
    LEFT = 60,
    RIGHT = 16,
    TOP = 34,
    LEGEND = 18,
    BOTTOM = 52,
    TICKS_MAX = 12
};

/* Colours of series: Okabe and Ito's, darker or lighter where the paper asks for it. */
const char chart_css[] =
    ".chart{font:12px system-ui,sans-serif;--ink:#1f2328;--soft:#59636e;--line:#d1d9e0;--paper:#fff;--on:#fff;--c0:#0072b2;"
    "--c1:#d55e00;--c2:#00805c;--c3:#b0578b;--c4:#b37800;--c5:#2f8fc4;--c6:#8a7f00;--c7:#444;--heat:0,114,178;"
    "--cold:213,94,0}"
    "@media(prefers-color-scheme:dark){.chart{--ink:#e6edf3;--soft:#9198a1;--line:#3d444d;--paper:#0d1117;--on:#0d1117;--c0:#56b4e9;"
    "--c1:#f28a3c;--c2:#1fc997;--c3:#e29ac2;--c4:#e69f00;--c5:#4c9be0;--c6:#f0e442;--c7:#c9d1d9;--heat:86,180,233;"
    "--cold:242,138,60}}"
    ".chart text{fill:var(--soft)}.chart .t{fill:var(--ink);font-weight:600;font-size:13px}"
    ".chart .g{stroke:var(--line);stroke-width:1}.chart .a{stroke:var(--soft);stroke-width:1}"
    ".chart .paper{fill:var(--paper)}.chart .s{stroke:var(--paper);stroke-width:2}"
    ".chart .k{fill:none;stroke:var(--soft);stroke-width:1;stroke-dasharray:4 4}"
    ".chart .l{fill:none;stroke-width:2;stroke-linejoin:round}";

void html_add(StrBuf *out, Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        switch (c) {
        case '&': strbuf_add(out, STR("&amp;")); break;
        case '<': strbuf_add(out, STR("&lt;")); break;
        case '>': strbuf_add(out, STR("&gt;")); break;
        case '"': strbuf_add(out, STR("&quot;")); break;
        default: strbuf_add_char(out, c < ' ' || c == 127 ? ' ' : (char)c);
        }
    }
}

int chart_ticks(double low, double high, int max, double *ret_ticks)
{
    double span = high - low;
    if (!(span > 0) || !isfinite(span) || max < 2) return 0;
    double power = pow(10, floor(log10(span / (max - 1))));
    static const double steps[] = {1, 2, 5, 10};
    double step = power * 10;
    for (size_t i = 0; i < COUNT(steps); i++)
        if (floor(high / (power * steps[i])) - ceil(low / (power * steps[i])) + 1 <= max) {
            step = power * steps[i];
            break;
        }
    int n = 0;
    for (double k = ceil(low / step - 1e-9); n < max && k * step <= high + step * 1e-9; k++)
        ret_ticks[n++] = k * step;
    return n;
}

void chart_add(Chart *chart, const char *name, ChartMark mark, const double *x, const double *y,
               int64_t n)
{
    assert(chart->n_series < CHART_SERIES_MAX);
    chart->series[chart->n_series++] = (ChartSeries){str_of(name), x, y, n, mark};
}

typedef struct Scale {
    double x0, x1, y0, y1;           /* data */
    double left, right, top, bottom; /* pixels */
} Scale;

static double px(const Scale *scale, double x)
{
    return scale->left + (x - scale->x0) / (scale->x1 - scale->x0) * (scale->right - scale->left);
}

static double py(const Scale *scale, double y)
{
    return scale->bottom - (y - scale->y0) / (scale->y1 - scale->y0) * (scale->bottom - scale->top);
}

static void widen(double *low, double *high, double x)
{
    if (!isfinite(x)) return;
    *low = MIN(*low, x);
    *high = MAX(*high, x);
}

static void settle(double *low, double *high, double margin)
{
    if (!(*low <= *high)) {
        *low = 0;
        *high = 1;
    }
    double span = *high - *low;
    if (span <= 0) span = MAX(fabs(*high), 1) * 0.1;
    *low -= span * margin;
    *high += span * margin;
}

static int count_named(const Chart *chart)
{
    int n = 0;
    for (int s = 0; s < chart->n_series; s++) n += chart->series[s].mark != CHART_GUIDE;
    return n;
}

static Scale scale_of(const Chart *chart)
{
    double top = count_named(chart) > 1 ? TOP + LEGEND : TOP;
    Scale scale = {INFINITY, -INFINITY,     INFINITY, -INFINITY,
                   LEFT,     WIDTH - RIGHT, top,      HEIGHT - BOTTOM};
    for (int s = 0; s < chart->n_series; s++) {
        const ChartSeries *series = &chart->series[s];
        for (int64_t i = 0; i < series->n; i++) {
            if (!isfinite(series->x[i]) || !isfinite(series->y[i])) continue;
            widen(&scale.x0, &scale.x1, series->x[i]);
            widen(&scale.y0, &scale.y1, series->y[i]);
        }
        if (series->mark == CHART_BARS) widen(&scale.y0, &scale.y1, 0);
    }
    settle(&scale.x0, &scale.x1, 0.02);
    settle(&scale.y0, &scale.y1, 0.04);
    if (chart->fixed_x) {
        scale.x0 = chart->x_min;
        scale.x1 = chart->x_max;
    }
    if (chart->fixed_y) {
        scale.y0 = chart->y_min;
        scale.y1 = chart->y_max;
    }
    return scale;
}

static void add_tick_text(StrBuf *out, double x)
{
    if (fabs(x) < 1e-12) x = 0;
    double size = fabs(x);
    if (size >= 1e9)
        strbuf_addf(out, "%.3gG", x / 1e9);
    else if (size >= 1e6)
        strbuf_addf(out, "%.3gM", x / 1e6);
    else if (size >= 1e4)
        strbuf_addf(out, "%.3gk", x / 1e3);
    else
        strbuf_addf(out, "%.4g", x);
}

static void draw_axes(const Chart *chart, const Scale *scale, StrBuf *out)
{
    double ticks[TICKS_MAX];
    int n = chart_ticks(scale->y0, scale->y1, 7, ticks);
    for (int i = 0; i < n; i++) {
        double y = py(scale, ticks[i]);
        strbuf_addf(out, "<line class=\"g\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                    scale->left, scale->right, y, y);
        strbuf_addf(out, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">", scale->left - 7,
                    y + 4);
        add_tick_text(out, ticks[i]);
        strbuf_add(out, STR("</text>"));
    }
    n = chart_ticks(scale->x0, scale->x1, 7, ticks);
    for (int i = 0; i < n; i++) {
        double x = px(scale, ticks[i]);
        strbuf_addf(out, "<line class=\"a\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" y2=\"%.0f\"/>", x,
                    x, scale->bottom, scale->bottom + 4);
        strbuf_addf(out, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">", x,
                    scale->bottom + 18);
        add_tick_text(out, ticks[i]);
        strbuf_add(out, STR("</text>"));
    }
    strbuf_addf(out, "<line class=\"a\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.0f\" y2=\"%.0f\"/>",
                scale->left, scale->right, scale->bottom, scale->bottom);
    double middle = (scale->top + scale->bottom) / 2;
    strbuf_addf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">",
                (scale->left + scale->right) / 2, scale->bottom + 38);
    html_add(out, chart->x_label);
    strbuf_addf(out,
                "</text><text transform=\"translate(15 %.0f) rotate(-90)\" text-anchor=\"middle\">",
                middle);
    html_add(out, chart->y_label);
    strbuf_add(out, STR("</text>"));
}

/* Lines are thinned: of the points that fall on one pixel column the first, lowest, highest and last
 * are drawn. */
static void draw_line(const ChartSeries *series, const Scale *scale, const char *css, int color,
                      StrBuf *out)
{
    strbuf_addf(out, "<path class=\"%s\" ", css);
    if (color >= 0) strbuf_addf(out, "style=\"stroke:var(--c%d)\" ", color);
    strbuf_add(out, STR("d=\""));
    bool pen = false;
    int64_t i = 0;
    while (i < series->n) {
        if (!isfinite(series->x[i]) || !isfinite(series->y[i])) {
            pen = false;
            i++;
            continue;
        }
        double column = floor(px(scale, series->x[i]));
        int64_t first = i, low = i, high = i;
        for (; i < series->n && isfinite(series->x[i]) && isfinite(series->y[i]) &&
               floor(px(scale, series->x[i])) == column;
             i++) {
            if (series->y[i] < series->y[low]) low = i;
            if (series->y[i] > series->y[high]) high = i;
        }
        int64_t points[] = {first, MIN(low, high), MAX(low, high), i - 1}, drawn = -1;
        for (size_t k = 0; k < COUNT(points); k++) {
            if (points[k] <= drawn) continue;
            drawn = points[k];
            strbuf_addf(out, "%s%.1f %.1f", pen ? "L" : "M", px(scale, series->x[drawn]),
                        py(scale, series->y[drawn]));
            pen = true;
        }
    }
    strbuf_add(out, STR("\"/>"));
}

static void draw_points(const ChartSeries *series, const Scale *scale, int color, double radius,
                        StrBuf *out)
{
    strbuf_addf(out, "<g style=\"fill:var(--c%d);fill-opacity:%.2f\">", color,
                series->n > 200 ? 0.45 : 0.9);
    for (int64_t i = 0; i < series->n; i++)
        if (isfinite(series->x[i]) && isfinite(series->y[i]))
            strbuf_addf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>",
                        px(scale, series->x[i]), py(scale, series->y[i]), radius);
    strbuf_add(out, STR("</g>"));
}

static void draw_bars(const ChartSeries *series, const Scale *scale, int color, StrBuf *out)
{
    double width = series->n > 1 ? (px(scale, series->x[1]) - px(scale, series->x[0])) * 0.9 : 20;
    strbuf_addf(out, "<g style=\"fill:var(--c%d);fill-opacity:.8\">", color);
    for (int64_t i = 0; i < series->n; i++) {
        if (!isfinite(series->x[i]) || !isfinite(series->y[i])) continue;
        double top = py(scale, MAX(series->y[i], 0)), bottom = py(scale, MIN(series->y[i], 0));
        strbuf_addf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                    px(scale, series->x[i]) - width / 2, top, width, bottom - top);
    }
    strbuf_add(out, STR("</g>"));
}

/* The names in a row below the title, in their colours. */
static void draw_legend(const Chart *chart, StrBuf *out)
{
    enum { LETTER = 7, GAP = 18 };
    double x = LEFT;
    int color = 0;
    if (count_named(chart) < 2) return;
    for (int s = 0; s < chart->n_series; s++) {
        if (chart->series[s].mark == CHART_GUIDE) continue;
        strbuf_addf(out, "<text x=\"%.0f\" y=\"%d\" style=\"fill:var(--c%d);font-weight:600\">", x,
                    TOP + 3, color);
        html_add(out, chart->series[s].name);
        strbuf_add(out, STR("</text>"));
        x += (double)chart->series[s].name.len * LETTER + GAP;
        color = (color + 1) % 6;
    }
}

static void open_svg(Str title, double width, double height, bool alone, StrBuf *out)
{
    strbuf_addf(out, "<svg class=\"chart\"%s viewBox=\"0 0 %.0f %.0f\" role=\"img\">",
                alone ? " xmlns=\"http://www.w3.org/2000/svg\"" : "", width, height);
    strbuf_add(out, STR("<title>"));
    html_add(out, title);
    strbuf_add(out, STR("</title>"));
    if (alone) strbuf_addf(out, "<style>%s</style>", chart_css);
    strbuf_addf(out, "<text class=\"t\" x=\"%d\" y=\"18\">", 12);
    html_add(out, title);
    strbuf_add(out, STR("</text>"));
}

void chart_svg(const Chart *chart, bool alone, StrBuf *out)
{
    Scale scale = scale_of(chart);
    open_svg(chart->title, WIDTH, HEIGHT, alone, out);
    draw_axes(chart, &scale, out);
    int color = 0;
    for (int s = 0; s < chart->n_series; s++) {
        const ChartSeries *series = &chart->series[s];
        switch (series->mark) {
        case CHART_GUIDE: draw_line(series, &scale, "k", -1, out); continue;
        case CHART_LINE: draw_line(series, &scale, "l", color, out); break;
        case CHART_POINTS: draw_points(series, &scale, color, series->n > 200 ? 2 : 3, out); break;
        case CHART_LINE_POINTS:
            draw_line(series, &scale, "l", color, out);
            draw_points(series, &scale, color, 3.5, out);
            break;
        case CHART_BARS: draw_bars(series, &scale, color, out); break;
        }
        color = (color + 1) % 6;
    }
    draw_legend(chart, out);
    strbuf_add(out, STR("</svg>"));
}

void chart_ranking_svg(Str title, const Str *names, const double *values, int32_t n, StrBuf *out)
{
    enum { ROW = 21, NAME_WIDTH = 150 };
    double largest = 0, total = 0;
    for (int32_t i = 0; i < n; i++) {
        largest = MAX(largest, values[i]);
        total += values[i];
    }
    open_svg(title, WIDTH, fmax(TOP + n * ROW + 10, HEIGHT), false, out);
    for (int32_t i = 0; i < n; i++) {
        double y = TOP + i * ROW,
               length = largest > 0 ? values[i] / largest * (WIDTH - NAME_WIDTH - 60) : 0;
        strbuf_addf(out, "<text x=\"%d\" y=\"%.0f\" text-anchor=\"end\">", NAME_WIDTH - 8, y + 14);
        Str name = names[i];
        if (name.len > 21) name.len = 21;
        html_add(out, name);
        strbuf_addf(
            out,
            "</text><rect x=\"%d\" y=\"%.0f\" width=\"%.1f\" height=\"%d\" style=\"fill:var(--c0)\"/>",
            NAME_WIDTH, y + 3, length, ROW - 7);
        strbuf_addf(out, "<text x=\"%.0f\" y=\"%.0f\">%.1f %%</text>", NAME_WIDTH + length + 6,
                    y + 14, total > 0 ? 100 * values[i] / total : 0);
    }
    strbuf_add(out, STR("</svg>"));
}

void chart_confusion_svg(Str title, const Str *names, const double *counts, int32_t n, StrBuf *out)
{
    enum { NAME_WIDTH = 120, HEAD = 66, CELL_MAX = 110 };
    double cell = fmin((double)(WIDTH - NAME_WIDTH - RIGHT) / n, CELL_MAX), row_max = 0;
    open_svg(title, WIDTH, fmax(HEAD + cell * n + 34, HEIGHT), false, out);
    bool show_counts = cell >= 26;
    for (int32_t i = 0; i < n; i++) {
        row_max = 0;
        for (int32_t k = 0; k < n; k++) row_max += counts[i * n + k];
        Str name = names[i];
        if (name.len > 14) name.len = 14;
        strbuf_addf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">", NAME_WIDTH - 8,
                    HEAD + cell * (i + 0.5) + 4);
        html_add(out, name);
        strbuf_addf(out, "</text><text transform=\"translate(%.1f %d) rotate(-30)\">",
                    NAME_WIDTH + cell * (i + 0.35), HEAD - 6);
        html_add(out, name);
        strbuf_add(out, STR("</text>"));
        for (int32_t k = 0; k < n; k++) {
            double share = row_max > 0 ? counts[i * n + k] / row_max : 0;
            strbuf_addf(out,
                        "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                        "style=\"fill:rgba(var(--heat),%.3f);stroke:var(--line)\"/>",
                        NAME_WIDTH + cell * k, HEAD + cell * i, cell, cell, share * 0.85);
            if (show_counts)
                strbuf_addf(
                    out,
                    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" style=\"fill:var(--ink)\">%.0f</text>",
                    NAME_WIDTH + cell * (k + 0.5), HEAD + cell * (i + 0.5) + 4, counts[i * n + k]);
        }
    }
    strbuf_addf(out, "<text x=\"%d\" y=\"%.0f\">rows: truth, columns: prediction</text></svg>",
                NAME_WIDTH, HEAD + cell * n + 20);
}

void chart_heat_svg(Str title, const Str *row_names, int32_t n_rows, const Str *column_names,
                    int32_t n_columns, const double *values, StrBuf *out)
{
    enum { NAME_WIDTH = 130, HEAD = 50, ROW = 24, CELL_MAX = 60 };
    double cell = fmin((double)(WIDTH - NAME_WIDTH - RIGHT) / n_columns, CELL_MAX), largest = 0;
    for (int32_t i = 0; i < n_rows * n_columns; i++) largest = fmax(largest, fabs(values[i]));
    open_svg(title, WIDTH, fmax(HEAD + ROW * n_rows + 12, HEIGHT), false, out);
    for (int32_t k = 0; k < n_columns; k++) {
        strbuf_addf(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">",
                    NAME_WIDTH + cell * (k + 0.5), HEAD - 6);
        html_add(out, column_names[k]);
        strbuf_add(out, STR("</text>"));
    }
    for (int32_t i = 0; i < n_rows; i++) {
        Str name = row_names[i];
        if (name.len > 18) name.len = 18;
        strbuf_addf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">", NAME_WIDTH - 8,
                    HEAD + ROW * i + 16);
        html_add(out, name);
        strbuf_add(out, STR("</text>"));
        for (int32_t k = 0; k < n_columns; k++) {
            double v = values[(int64_t)i * n_columns + k];
            strbuf_addf(out,
                        "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" "
                        "style=\"fill:rgba(var(--%s),%.3f);stroke:var(--line)\"/>",
                        NAME_WIDTH + cell * k, HEAD + ROW * i, cell, ROW, v < 0 ? "cold" : "heat",
                        largest > 0 ? fabs(v) / largest * 0.85 : 0);
            if (cell >= 26)
                strbuf_addf(out,
                            "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" "
                            "style=\"fill:var(--ink)\">%.1f</text>",
                            NAME_WIDTH + cell * (k + 0.5), HEAD + ROW * i + 16, v);
        }
    }
    strbuf_add(out, STR("</svg>"));
}
