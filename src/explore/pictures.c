/* Columns as figures.
 *
 * Densities: a Gaussian kernel with Silverman's width (0.9 min(std, IQR / 1.34) n^-1/5), summed over
 * a histogram of 2048 cells, so that a million values cost as much as two thousand. */

#include "explore/pictures.h"

#include "base/memory.h"
#include "format/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DENSITY_CELLS = 2048, BOX_OUTLIERS_MAX = 60, MISSING_BLOCKS = 50, VIOLIN_POINTS = 60 };

static Str thousands(int64_t n, Arena *arena)
{
    char digits[32], text[48];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n), k = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0 && digits[i - 1] != '-') text[k++] = ',';
        text[k++] = digits[i];
    }
    return arena_str(arena, (Str){text, (size_t)k});
}

static double *values_of(Arena *arena, int64_t n)
{
    return arena_array(arena, double, MAX(n, (int64_t)1));
}

double *picture_numbers(const Column *column, Arena *arena)
{
    if (column->type == COLUMN_TEXT || column->type == COLUMN_CATEGORY) return NULL;
    double *to = values_of(arena, column->n_rows);
    for (int64_t i = 0; i < column->n_rows; i++) {
        double x = NAN;
        if (column->type == COLUMN_NUMBER)
            x = column->f32 ? (double)column->f32[i] : column->f64[i];
        else if (!column_is_valid(column, i))
            x = NAN;
        else if (column->type == COLUMN_TIME)
            x = (double)column->time_us[i] / 1e6;
        else
            x = column->bools[i];
        to[i] = isfinite(x) ? x : NAN;
    }
    return to;
}

/* ---- groups ---- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Keeps the `max` most frequent groups in their order; the others become one. */
static void keep_frequent(Groups *g, int32_t max, int64_t n_rows, Arena *arena)
{
    int32_t n = 0, *place = arena_array(arena, int32_t, g->n + 1);
    int64_t least = 0;
    bool folds = false;
    if (g->n > max) { /* the count of the max-1-th most frequent group */
        int64_t *counts = arena_array(arena, int64_t, g->n);
        memcpy(counts, g->counts, (size_t)g->n * sizeof *counts);
        for (int32_t k = 0; k < max - 1; k++) {
            int32_t best = k;
            for (int32_t i = k; i < g->n; i++)
                if (counts[i] > counts[best]) best = i;
            int64_t count = counts[best];
            counts[best] = counts[k];
            counts[k] = count;
        }
        least = counts[max - 2];
    }
    Str *names = arena_array(arena, Str, MIN(g->n, max) + 1);
    int64_t *counts = arena_array(arena, int64_t, MIN(g->n, max) + 1);
    for (int32_t k = 0; k < g->n; k++) {
        place[k] = -1;
        if (!g->counts[k]) continue;
        if (g->n > max && (g->counts[k] < least || n == max - 1)) {
            folds = true;
            place[k] = -2;
            continue;
        }
        names[n] = g->names[k].len ? g->names[k] : STR("(empty)");
        counts[n] = g->counts[k];
        place[k] = n++;
    }
    if (folds) {
        names[n] = STR("other");
        for (int32_t k = 0; k < g->n; k++)
            if (place[k] == -2) {
                counts[n] += g->counts[k];
                place[k] = n;
            }
        n++;
    }
    for (int64_t i = 0; i < n_rows; i++)
        if (g->codes[i] >= 0) g->codes[i] = place[g->codes[i]];
    g->names = names;
    g->counts = counts;
    g->n = n;
}

bool picture_groups(const Column *column, int32_t max, Arena *arena, Groups *ret)
{
    enum { DISTINCT_MAX = 20 };
    int64_t n = column->n_rows;
    Groups g = {.codes = arena_array(arena, int32_t, n + 1)};
    if (column->type == COLUMN_CATEGORY) {
        memcpy(g.codes, column->codes, (size_t)n * sizeof *g.codes);
        g.n = column->n_categories;
        g.names = column->categories;
    } else if (column->type == COLUMN_BOOL) {
        for (int64_t i = 0; i < n; i++)
            g.codes[i] = column_is_valid(column, i) ? column->bools[i] != 0 : -1;
        g.n = 2;
        g.names = arena_array(arena, Str, 2);
        g.names[0] = STR("false");
        g.names[1] = STR("true");
    } else if (column->type == COLUMN_NUMBER) {
        double values[DISTINCT_MAX];
        for (int64_t i = 0; i < n; i++) {
            double x = column->f32 ? (double)column->f32[i] : column->f64[i];
            int32_t k = 0;
            if (isnan(x)) continue;
            while (k < g.n && values[k] != x) k++;
            if (k == DISTINCT_MAX) return false;
            if (k == g.n) values[g.n++] = x;
        }
        qsort(values, (size_t)g.n, sizeof *values, by_value);
        g.names = arena_array(arena, Str, g.n + 1);
        for (int32_t k = 0; k < g.n; k++) {
            char text[NUMBER_TEXT_MAX];
            size_t len = column->f32 ? number_print_float((float)values[k], text)
                                     : number_print_double(values[k], text);
            g.names[k] = arena_str(arena, (Str){text, len});
        }
        for (int64_t i = 0; i < n; i++) {
            double x = column->f32 ? (double)column->f32[i] : column->f64[i];
            g.codes[i] = -1;
            for (int32_t k = 0; k < g.n; k++)
                if (values[k] == x) g.codes[i] = k;
        }
    } else {
        return false;
    }
    g.counts = arena_array(arena, int64_t, g.n + 1);
    for (int64_t i = 0; i < n; i++)
        if (g.codes[i] >= 0) g.counts[g.codes[i]]++;
    keep_frequent(&g, max, n, arena);
    *ret = g;
    return g.n > 0;
}

/* ---- one column ---- */

/* Rectangles over a shared array of edges. */
static FigureLayer *add_rects(Figure *f, int64_t n, Arena *arena, double **x, double **y,
                              double **x2, double **y2)
{
    FigureLayer *layer = figure_add(f, MARK_RECT, n);
    layer->x = *x = values_of(arena, n);
    layer->y = *y = values_of(arena, n);
    layer->x2 = *x2 = values_of(arena, n);
    layer->y2 = *y2 = values_of(arena, n);
    return layer;
}

static FigureLayer *add_segments(Figure *f, int64_t n, Arena *arena, double **x, double **y,
                                 double **x2, double **y2)
{
    FigureLayer *layer = add_rects(f, n, arena, x, y, x2, y2);
    layer->mark = MARK_SEGMENT;
    return layer;
}

bool picture_histogram(const ColumnProfile *c, Arena *arena, Figure *f)
{
    double *x, *y, *x2, *y2, most = 0;
    if (!c->n_bins || (c->type != COLUMN_NUMBER && c->type != COLUMN_TIME)) return false;
    f->title = c->name;
    f->x.kind = c->type == COLUMN_TIME ? AXIS_TIME : AXIS_LINEAR;
    f->y.label = STR("rows");
    f->y.from_zero = true;
    FigureLayer *bars = add_rects(f, c->n_bins, arena, &x, &y, &x2, &y2);
    (void)bars;
    double width = (c->high - c->low) / c->n_bins;
    for (int b = 0; b < c->n_bins; b++) {
        x[b] = c->low + width * b;
        x2[b] = x[b] + width;
        y2[b] = (double)c->counts[b];
        most = MAX(most, y2[b]);
    }
    f->x.fixed = true;
    f->x.low = c->low - (c->high - c->low) * 0.03;
    f->x.high = c->high + (c->high - c->low) * 0.03;
    const Univariate *u = &c->number;
    f->note = arena_format(
        arena, "n = %.*s%s", STR_ARG(thousands(u->n, arena)),
        c->missing
            ? arena_format(arena, "; %.*s missing", STR_ARG(thousands(c->missing, arena))).ptr
            : "");
    f->alt = arena_format(arena,
                          "Histogram of %.*s: %.*s values from %.4g to %.4g, median %.4g, half of "
                          "them between %.4g and %.4g",
                          STR_ARG(c->name), STR_ARG(thousands(u->n, arena)), u->min, u->max,
                          u->median, u->q1, u->q3);
    if (c->type == COLUMN_TIME || u->distinct < 3) return true;
    /* The box lies above the bars. */
    double base = most * 1.06, height = most * 0.12, middle = base + height / 2;
    FigureLayer *box = add_rects(f, 1, arena, &x, &y, &x2, &y2);
    box->series = 1;
    box->hollow = box->unlisted = true;
    x[0] = u->q1;
    x2[0] = u->q3;
    y[0] = base;
    y2[0] = base + height;
    FigureLayer *lines = add_segments(f, 3, arena, &x, &y, &x2, &y2);
    lines->series = 1;
    lines->unlisted = true;
    double low = MAX(u->min, u->tukey.low), high = MIN(u->max, u->tukey.high);
    const double ends[3][2] = {{low, u->q1}, {u->q3, high}, {u->median, u->median}};
    for (int i = 0; i < 3; i++) {
        x[i] = ends[i][0];
        x2[i] = ends[i][1];
        y[i] = i == 2 ? base : middle;
        y2[i] = i == 2 ? base + height : middle;
    }
    int64_t extremes = (u->tukey.below > 0) + (u->tukey.above > 0);
    if (!extremes) return true;
    FigureLayer *rings = figure_add(f, MARK_POINT, extremes);
    double *rx = values_of(arena, 2), *ry = values_of(arena, 2);
    int64_t k = 0;
    if (u->tukey.below) rx[k++] = u->min;
    if (u->tukey.above) rx[k++] = u->max;
    ry[0] = ry[1] = middle;
    *rings = (FigureLayer){.mark = MARK_POINT,
                           .series = 1,
                           .hollow = true,
                           .unlisted = true,
                           .n = extremes,
                           .x = rx,
                           .y = ry};
    return true;
}

bool picture_top(const ColumnProfile *c, Arena *arena, Figure *f)
{
    double *x, *y, *x2, *y2;
    if (!c->n_top || c->top[0].count < 2) return false;
    int64_t others = c->n;
    for (int i = 0; i < c->n_top; i++) others -= c->top[i].count;
    int n = c->n_top + (others > 0);
    f->title = c->name;
    f->y.kind = AXIS_CATEGORY;
    f->y.down = true;
    f->x.from_zero = true;
    f->x.label = STR("rows");
    Str *names = arena_array(arena, Str, n);
    FigureLayer *bars = add_rects(f, c->n_top, arena, &x, &y, &x2, &y2);
    Str *texts = arena_array(arena, Str, n);
    bars->text = texts;
    for (int i = 0; i < c->n_top; i++) {
        names[i] = c->top[i].text.len ? c->top[i].text : STR("(empty)");
        x2[i] = (double)c->top[i].count;
        y[i] = i - 0.38;
        y2[i] = i + 0.38;
        texts[i] = arena_format(arena, "%.3g %%", 100 * x2[i] / (double)c->n);
    }
    if (others > 0 && c->n_top) {
        names[n - 1] = arena_format(arena, "%lld others", (long long)(c->distinct - c->n_top));
        /* A long tail must not make the others' bars unreadable: it is written, not drawn. */
        double most = (double)c->top[0].count;
        FigureLayer *rest = add_rects(f, 1, arena, &x, &y, &x2, &y2);
        rest->tint = TINT_QUIET;
        x2[0] = MIN((double)others, most * 1.5);
        y[0] = n - 1.38;
        y2[0] = n - 0.62;
        Str *text = arena_array(arena, Str, 1);
        text[0] = arena_format(arena, "%.1f %%%s", 100 * (double)others / (double)c->n,
                               (double)others > x2[0] ? " (bar cut)" : "");
        rest->text = text;
    }
    f->y.names = names;
    f->y.n_names = n;
    f->height = 62 + 19 * n + 18;
    f->note = arena_format(arena, "n = %.*s, %.*s distinct", STR_ARG(thousands(c->n, arena)),
                           STR_ARG(thousands(c->distinct, arena)));
    f->alt = arena_format(
        arena, "Most frequent values of %.*s; first '%.*s' with %.1f %% of the rows",
        STR_ARG(c->name), STR_ARG(names[0]), 100 * (double)c->top[0].count / (double)c->n);
    return true;
}

/* ---- pairs ---- */

static void range_of(const double *x, const double *other, int64_t n, double *low, double *high,
                     int64_t *ret_n)
{
    *low = INFINITY;
    *high = -INFINITY;
    *ret_n = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i]) || isnan(other[i])) continue;
        *low = MIN(*low, x[i]);
        *high = MAX(*high, x[i]);
        ++*ret_n;
    }
}

static void density_cells(const double *x, const double *y, int64_t n, double x0, double x1,
                          double y0, double y1, Arena *arena, Figure *f)
{
    enum { C = PICTURE_CELLS };
    int64_t *counts = arena_array(arena, int64_t, C * C), filled = 0, most = 1;
    double *cx, *cy, *cx2, *cy2, *value;
    if (x1 <= x0) x1 = x0 + 1;
    if (y1 <= y0) y1 = y0 + 1;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(x[i]) || isnan(y[i])) continue;
        int a = MIN(C - 1, (int)((x[i] - x0) / (x1 - x0) * C)),
            b = MIN(C - 1, (int)((y[i] - y0) / (y1 - y0) * C));
        int64_t count = ++counts[a * C + b];
        filled += count == 1;
        most = MAX(most, count);
    }
    FigureLayer *cells = add_rects(f, filled, arena, &cx, &cy, &cx2, &cy2);
    cells->tint = TINT_SEQUENTIAL;
    cells->value = value = values_of(arena, filled);
    int64_t k = 0;
    for (int a = 0; a < C; a++)
        for (int b = 0; b < C; b++) {
            if (!counts[a * C + b]) continue;
            cx[k] = x0 + (x1 - x0) * a / C;
            cx2[k] = x0 + (x1 - x0) * (a + 1) / C;
            cy[k] = y0 + (y1 - y0) * b / C;
            cy2[k] = y0 + (y1 - y0) * (b + 1) / C;
            value[k++] = most > 1 ? log((double)counts[a * C + b]) / log((double)most) : 1;
        }
    f->note = arena_format(arena, "%.*s; brighter cells hold more rows (log scale, most %.*s)",
                           STR_ARG(f->note), STR_ARG(thousands(most, arena)));
}

bool picture_scatter(Str x_name, const double *x, Str y_name, const double *y, int64_t n,
                     const Groups *by, AxisKind x_kind, Arena *arena, Figure *f)
{
    double x0, x1, y0, y1;
    int64_t pairs, same;
    range_of(x, y, n, &x0, &x1, &pairs);
    range_of(y, x, n, &y0, &y1, &same);
    if (!pairs) return false;
    f->x.kind = x_kind;
    f->x.label = x_name;
    f->y.label = y_name;
    f->title = arena_format(arena, "%.*s by %.*s", STR_ARG(y_name), STR_ARG(x_name));
    f->note = arena_format(arena, "n = %.*s", STR_ARG(thousands(pairs, arena)));
    f->alt = arena_format(
        arena, "Scatter plot of %.*s (%.4g to %.4g) by %.*s (%.4g to %.4g), %.*s rows",
        STR_ARG(y_name), y0, y1, STR_ARG(x_name), x0, x1, STR_ARG(thousands(pairs, arena)));
    if (pairs > PICTURE_POINTS_MAX) {
        density_cells(x, y, n, x0, x1, y0, y1, arena, f);
        return true;
    }
    for (int32_t g = 0; g < (by ? by->n : 1); g++) {
        double *gx = values_of(arena, by ? by->counts[g] : pairs),
               *gy = values_of(arena, by ? by->counts[g] : pairs);
        int64_t k = 0;
        for (int64_t i = 0; i < n; i++) {
            if (isnan(x[i]) || isnan(y[i]) || (by && by->codes[i] != g)) continue;
            gx[k] = x[i];
            gy[k++] = y[i];
        }
        FigureLayer *layer = figure_add(f, MARK_POINT, k);
        layer->x = gx;
        layer->y = gy;
        layer->series = g;
        if (by) layer->name = by->names[g];
    }
    return true;
}

/* ---- groups of numbers ---- */

/* The values of one group in order; how many. */
static int64_t sorted_group(const double *y, int64_t n, const Groups *by, int32_t g, double *to)
{
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(y[i]) && (!by || by->codes[i] == g)) to[k++] = y[i];
    qsort(to, (size_t)k, sizeof *to, by_value);
    return k;
}

static double quantile(const double *sorted, int64_t n, double p)
{
    return sorted_quantile_at(&(Sorted){.n = n, .f64 = (double *)sorted}, p);
}

static void group_axis(Str name, Str by_name, const Groups *by, int64_t total, Arena *arena,
                       Figure *f)
{
    f->y.label = name;
    f->note = arena_format(arena, "n = %.*s", STR_ARG(thousands(total, arena)));
    f->x.kind = AXIS_CATEGORY;
    if (by) {
        f->x.label = by_name;
        f->x.names = by->names;
        f->x.n_names = by->n;
        f->title = arena_format(arena, "%.*s by %.*s", STR_ARG(name), STR_ARG(by_name));
    } else {
        f->title = name;
    }
}

bool picture_boxes(Str name, const double *y, int64_t n, Str by_name, const Groups *by,
                   Arena *arena, Figure *f)
{
    int32_t groups = by ? by->n : 1;
    double *values = values_of(arena, n), *x, *y1, *x2, *y2, *lx, *ly, *lx2, *ly2;
    double *ox = values_of(arena, (int64_t)groups * BOX_OUTLIERS_MAX),
           *oy = values_of(arena, (int64_t)groups * BOX_OUTLIERS_MAX);
    int64_t total = 0, outliers = 0, hidden = 0;
    add_rects(f, groups, arena, &x, &y1, &x2, &y2);
    add_segments(f, (int64_t)groups * 3, arena, &lx, &ly, &lx2, &ly2)->series = 1;
    AUTO_STRBUF StrBuf alt = STRBUF(4096);
    for (int32_t g = 0; g < groups; g++) {
        int64_t m = sorted_group(y, n, by, g, values), first = 0, last = m - 1;
        x[g] = y1[g] = x2[g] = y2[g] = NAN;
        for (int i = 0; i < 3; i++)
            lx[g * 3 + i] = ly[g * 3 + i] = lx2[g * 3 + i] = ly2[g * 3 + i] = NAN;
        if (!m) continue;
        total += m;
        double q1 = quantile(values, m, 0.25), q3 = quantile(values, m, 0.75),
               median = quantile(values, m, 0.5), reach = 1.5 * (q3 - q1);
        while (first < m && values[first] < q1 - reach) first++;
        while (last > first && values[last] > q3 + reach) last--;
        x[g] = g - 0.3;
        x2[g] = g + 0.3;
        y1[g] = q1;
        y2[g] = q3;
        const double ends[3][4] = {{g, q1, g, MIN(q1, values[first])},
                                   {g, q3, g, MAX(q3, values[last])},
                                   {g - 0.3, median, g + 0.3, median}};
        for (int i = 0; i < 3; i++) {
            lx[g * 3 + i] = ends[i][0];
            ly[g * 3 + i] = ends[i][1];
            lx2[g * 3 + i] = ends[i][2];
            ly2[g * 3 + i] = ends[i][3];
        }
        int64_t out = first + (m - 1 - last), shown = MIN(out, (int64_t)BOX_OUTLIERS_MAX);
        hidden += out - shown;
        for (int64_t k = 0; k < shown; k++) { /* evenly over all of them, the ends included */
            int64_t at = shown > 1 ? k * (out - 1) / (shown - 1) : 0;
            ox[outliers] = g;
            oy[outliers++] = values[at < first ? at : last + 1 + (at - first)];
        }
        if (g < 6)
            strbuf_addf(&alt, "%s%.*s median %.4g", g ? ", " : ": ",
                        STR_ARG(by ? by->names[g] : name), median);
    }
    FigureLayer *rings = figure_add(f, MARK_POINT, outliers);
    rings->x = ox;
    rings->y = oy;
    rings->hollow = true;
    rings->series = 0;
    group_axis(name, by_name, by, total, arena, f);
    if (hidden)
        f->note = arena_format(arena, "%.*s; %.*s more outliers not drawn", STR_ARG(f->note),
                               STR_ARG(thousands(hidden, arena)));
    f->alt = arena_format(arena, "Box plots of %.*s%.*s", STR_ARG(f->title),
                          STR_ARG(strbuf_str(&alt)));
    return total > 0;
}

void picture_density(const double *sorted, int64_t n, double low, double high, int points,
                     double *y)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < points; i++) y[i] = 0;
    if (!n || !(high > low)) return;
    for (int64_t i = 0; i < n; i++) sum += sorted[i];
    double mean = sum / (double)n;
    for (int64_t i = 0; i < n; i++) squares += (sorted[i] - mean) * (sorted[i] - mean);
    double spread = sqrt(squares / (double)MAX(n - 1, (int64_t)1)),
           iqr = (quantile(sorted, n, 0.75) - quantile(sorted, n, 0.25)) / 1.34;
    if (iqr > 0) spread = MIN(spread, iqr);
    double width = 0.9 * spread * pow((double)n, -0.2);
    if (!(width > 0)) width = (high - low) / points;
    width = MAX(width, (high - low) / DENSITY_CELLS);
    ARENA(scratch);
    double *cells = arena_array(&scratch, double, DENSITY_CELLS),
           cell = (high - low) / DENSITY_CELLS;
    for (int64_t i = 0; i < n; i++)
        cells[(int)MAX(0.0, MIN(DENSITY_CELLS - 1.0, (sorted[i] - low) / cell))]++;
    for (int i = 0; i < points; i++) {
        double at = low + (high - low) * i / (points - 1);
        for (int c = 0; c < DENSITY_CELLS; c++) {
            double d = (at - (low + cell * (c + 0.5))) / width;
            if (cells[c] > 0 && fabs(d) < 6) y[i] += cells[c] * exp(-d * d / 2);
        }
        y[i] /= (double)n * width * sqrt(2 * M_PI);
    }
}

bool picture_violins(Str name, const double *y, int64_t n, Str by_name, const Groups *by,
                     Arena *arena, Figure *f)
{
    int32_t groups = by ? by->n : 1;
    double *values = values_of(arena, n), *lx, *ly, *lx2, *ly2;
    int64_t total = 0;
    for (int32_t g = 0; g < groups; g++) {
        int64_t m = sorted_group(y, n, by, g, values);
        if (!m) continue;
        total += m;
        double low = values[0], high = values[m - 1], most = 0;
        if (high <= low) high = low + MAX(fabs(low), 1) * 1e-3;
        double *x = values_of(arena, VIOLIN_POINTS), *x2 = values_of(arena, VIOLIN_POINTS),
               *at = values_of(arena, VIOLIN_POINTS);
        picture_density(values, m, low, high, VIOLIN_POINTS, x);
        for (int i = 0; i < VIOLIN_POINTS; i++) most = MAX(most, x[i]);
        for (int i = 0; i < VIOLIN_POINTS; i++) {
            double half = most > 0 ? 0.4 * x[i] / most : 0;
            at[i] = low + (high - low) * i / (VIOLIN_POINTS - 1);
            x[i] = g - half;
            x2[i] = g + half;
        }
        FigureLayer *area = figure_add(f, MARK_AREA, VIOLIN_POINTS);
        area->x = x;
        area->x2 = x2;
        area->y = at;
        area->series = g;
        FigureLayer *lines = add_segments(f, 2, arena, &lx, &ly, &lx2, &ly2);
        lines->series = g;
        lx[0] = lx2[0] = g;
        ly[0] = quantile(values, m, 0.25);
        ly2[0] = quantile(values, m, 0.75);
        lx[1] = g - 0.15;
        lx2[1] = g + 0.15;
        ly[1] = ly2[1] = quantile(values, m, 0.5);
    }
    group_axis(name, by_name, by, total, arena, f);
    f->note = arena_format(arena, "%.*s; lines: quartiles and median", STR_ARG(f->note));
    f->alt = arena_format(arena, "Violin plots of %.*s", STR_ARG(f->title));
    return total > 0;
}

bool picture_shares(Str a_name, const Groups *a, Str b_name, const Groups *b, int64_t n_rows,
                    Arena *arena, Figure *f)
{
    double *table = arena_array(arena, double, (size_t)a->n *(size_t)b->n + 1),
           *sums = arena_array(arena, double, a->n + 1),
           *base = arena_array(arena, double, a->n + 1), total = 0;
    for (int64_t i = 0; i < n_rows; i++) {
        if (a->codes[i] < 0 || b->codes[i] < 0) continue;
        table[a->codes[i] * b->n + b->codes[i]]++;
        sums[a->codes[i]]++;
        total++;
    }
    if (total <= 0) return false;
    for (int32_t k = 0; k < b->n; k++) {
        double *x, *y, *x2, *y2;
        FigureLayer *bars = add_rects(f, a->n, arena, &x, &y, &x2, &y2);
        Str *texts = arena_array(arena, Str, a->n);
        bars->series = k;
        bars->name = b->names[k];
        bars->text = k ? NULL : texts;
        for (int32_t g = 0; g < a->n; g++) {
            double share = sums[g] > 0 ? table[g * b->n + k] / sums[g] : 0;
            y[g] = g - 0.38;
            y2[g] = g + 0.38;
            x[g] = base[g];
            x2[g] = base[g] += share;
            texts[g] = (Str){0};
        }
    }
    f->y.kind = AXIS_CATEGORY;
    f->y.down = true;
    f->y.names = a->names;
    f->y.n_names = a->n;
    f->x.fixed = true;
    f->x.high = 1;
    f->x.label = arena_format(arena, "share of '%.*s'", STR_ARG(b_name));
    f->title = arena_format(arena, "%.*s by %.*s", STR_ARG(b_name), STR_ARG(a_name));
    f->height = 110 + 22 * a->n;
    f->note = arena_format(arena, "n = %.*s", STR_ARG(thousands((int64_t)total, arena)));
    f->alt = arena_format(arena, "Shares of %.*s in each group of %.*s", STR_ARG(b_name),
                          STR_ARG(a_name));
    return true;
}

/* ---- matrices ---- */

void picture_cluster_order(const double *r, int32_t n, int32_t *ret_order)
{
    ARENA(arena);
    double *d = arena_array(&arena, double, (size_t)n *(size_t)n + 1);
    int32_t *next = arena_array(&arena, int32_t, n + 1),
            *tail = arena_array(&arena, int32_t, n + 1),
            *size = arena_array(&arena, int32_t, n + 1);
    for (int32_t i = 0; i < n; i++) {
        next[i] = -1;
        tail[i] = i;
        size[i] = 1;
        for (int32_t j = 0; j < n; j++) {
            double x = r[i * n + j];
            d[i * n + j] = isnan(x) ? 1 : 1 - fabs(x);
        }
    }
    for (int32_t merges = 1; merges < n; merges++) {
        int32_t a = -1, b = -1;
        for (int32_t i = 0; i < n; i++)
            for (int32_t j = i + 1; size[i] && j < n; j++)
                if (size[j] && (a < 0 || d[i * n + j] < d[a * n + b])) {
                    a = i;
                    b = j;
                }
        next[tail[a]] = b; /* the chain of b follows that of a */
        tail[a] = tail[b];
        for (int32_t k = 0; k < n; k++)
            if (size[k] && k != a && k != b)
                d[a * n + k] = d[k * n + a] = (size[a] * d[a * n + k] + size[b] * d[b * n + k]) /
                                              (size[a] + size[b]);
        size[a] += size[b];
        size[b] = 0;
    }
    int32_t k = 0;
    for (int32_t i = 0; i < n; i++)
        if (size[i])
            for (int32_t at = i; at >= 0; at = next[at]) ret_order[k++] = at;
}

bool picture_correlation(Str title, const double *r, int32_t stride, const int32_t *order,
                         const Str *names, int32_t n, Arena *arena, Figure *f)
{
    double *x, *y, *x2, *y2, *value;
    if (n < 2) return false;
    FigureLayer *cells = add_rects(f, (int64_t)n * n, arena, &x, &y, &x2, &y2);
    Str *texts = arena_array(arena, Str, (size_t)n * (size_t)n),
        *shown = arena_array(arena, Str, n);
    cells->tint = TINT_DIVERGING;
    cells->value = value = values_of(arena, (int64_t)n * n);
    cells->text = texts;
    for (int32_t i = 0; i < n; i++) {
        shown[i] = names[order[i]];
        for (int32_t j = 0; j < n; j++) {
            int32_t k = i * n + j;
            x[k] = j - 0.5;
            x2[k] = j + 0.5;
            y[k] = i - 0.5;
            y2[k] = i + 0.5;
            value[k] = r[order[i] * stride + order[j]];
            double v = value[k];
            if (isnan(v))
                texts[k] = STR("?");
            else if (n <= 12)
                texts[k] = arena_format(arena, "%+.2f", v);
            else if (n <= 40 && fabs(v) > 0.1)
                texts[k] = v > 0 ? STR("+") : STR("-");
        }
    }
    f->title = title;
    f->x.kind = f->y.kind = AXIS_CATEGORY;
    f->x.names = f->y.names = shown;
    f->x.n_names = f->y.n_names = n;
    f->y.down = true;
    f->width = 560;
    f->height = 520;
    f->note = STR("+ blue: together, - orange: opposite");
    f->alt = arena_format(arena,
                          "%.*s of %d columns as a heat map; the strongest pairs are listed below",
                          STR_ARG(title), n);
    return true;
}

static bool is_missing(const Column *column, int64_t i)
{
    if (column->type == COLUMN_CATEGORY) return column->codes[i] < 0;
    if (column->type != COLUMN_NUMBER) return !column_is_valid(column, i);
    return isnan(column->f32 ? (double)column->f32[i] : column->f64[i]);
}

bool picture_missing(const Frame *frame, const int32_t *columns, int32_t n, Arena *arena, Figure *f)
{
    int64_t rows = frame->n_rows, blocks = MIN(rows, (int64_t)MISSING_BLOCKS);
    double *x, *y, *x2, *y2, *value;
    if (!n || !rows) return false;
    FigureLayer *cells = add_rects(f, n * blocks, arena, &x, &y, &x2, &y2);
    cells->tint = TINT_DIVERGING;
    cells->value = value = values_of(arena, n * blocks);
    Str *names = arena_array(arena, Str, n);
    int64_t k = 0;
    for (int32_t j = 0; j < n; j++) {
        const Column *column = &frame->columns[columns[j]];
        names[j] = column->name;
        for (int64_t b = 0; b < blocks; b++, k++) {
            int64_t begin = b * rows / blocks, end = (b + 1) * rows / blocks, missing = 0;
            for (int64_t i = begin; i < end; i++) missing += is_missing(column, i);
            x[k] = j - 0.46;
            x2[k] = j + 0.46;
            y[k] = (double)begin;
            y2[k] = (double)end;
            double share = (double)missing / (double)(end - begin);
            value[k] = missing ? 0.15 + 0.85 * share : 0.03;
        }
    }
    f->title = STR("Where values are missing");
    f->x.kind = AXIS_CATEGORY;
    f->x.names = names;
    f->x.n_names = n;
    f->y.down = true;
    f->y.fixed = true;
    f->y.high = (double)rows;
    f->y.label = STR("row");
    f->width = 720;
    f->height = 380;
    f->note = arena_format(arena, "each cell: about %.*s rows; the darker, the more are missing",
                           STR_ARG(thousands((rows + blocks - 1) / blocks, arena)));
    f->alt = arena_format(
        arena, "Missing values of %d columns along the rows; shares are in the table", n);
    return true;
}
