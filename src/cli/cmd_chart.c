/* clary chart: one picture of a table. */

#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "explore/pictures.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const Option options[] = {
    {"x", 0, "COLUMN", "along the horizontal axis; the column of a histogram", false, NULL},
    {"y", 0, "COLUMN", "along the vertical axis", false, NULL},
    {"by", 0, "COLUMN", "groups: a colour and shape each, or a box each", false, NULL},
    {"size", 0, "COLUMN", "areas of the points of a bubble chart", false, NULL},
    {"title", 0, "TEXT", "instead of the title made from the columns", false, NULL},
    {"output", 'o', "FILE.svg", "where the picture goes (standard output)", false, NULL},
    {"data", 0, NULL, "write the figures behind the picture as CSV instead", false, NULL},
    READ_OPTIONS,
    {0},
};

static const char *const examples[] = {
    "clary chart histogram data.csv --x price -o price.svg",
    "clary chart scatter data.csv --x size --y price --by district -o prices.svg",
    "clary chart box data.csv --y price --by district > boxes.svg",
    "clary chart correlation data.csv -o together.svg",
    NULL,
};

enum { SVG_MAX = 32 << 20, LINES_MAX = 8, PIE_MAX = 7, PLACES = 256 };

typedef struct Sketch {
    const Frame *frame;
    const Column *x, *y, *by, *size;
    Pool *pool;
    Arena *arena;
    Figure *figure;
} Sketch;

static double *doubles(Sketch *s, int64_t n)
{
    return arena_array(s->arena, double, MAX(n, (int64_t)1));
}

static bool need(const Column *column, const char *option, const char *kind, Error *err)
{
    return column || error_set(err, ERROR_INVALID, "a %s chart needs --%s COLUMN", kind, option);
}

static bool numbers_of(Sketch *s, const Column *column, double **ret, Error *err)
{
    *ret = picture_numbers(column, s->arena);
    return *ret ||
           error_set(err, ERROR_INVALID, "'%.*s' is %s column; this chart needs numbers",
                     STR_ARG(column->name), column->type == COLUMN_TEXT ? "a text" : "a category");
}

static bool groups_of(Sketch *s, const Column *column, int32_t max, Groups *ret, Error *err)
{
    return picture_groups(column, max, s->arena, ret) ||
           error_set(
               err, ERROR_INVALID,
               "'%.*s' has no groups: take a category, a truth, or a number of at most 20 values",
               STR_ARG(column->name));
}

static AxisKind axis_of(const Column *column)
{
    return column->type == COLUMN_TIME ? AXIS_TIME : AXIS_LINEAR;
}

static bool nothing(Error *err)
{
    return error_set(err, ERROR_INVALID,
                     "there is nothing to draw: no row has the values it needs");
}

/* ---- one column ---- */

static bool draw_histogram(Sketch *s, Error *err)
{
    const Column *column = s->x ? s->x : s->y;
    if (!need(column, "x", "histogram", err)) return false;
    double *values;
    if (!numbers_of(s, column, &values, err)) return false;
    Frame one = {.columns = (Column *)column, .n_columns = 1, .n_rows = column->n_rows};
    AUTO(profile_free) Profile *profile = NULL;
    if (!profile_make(&one, -1, s->pool, &profile, err)) return false;
    ColumnProfile *c = arena_array(s->arena, ColumnProfile, 1);
    *c = profile->columns[0];
    if (column->type == COLUMN_BOOL) c->type = COLUMN_NUMBER;
    if (!picture_histogram(c, s->arena, s->figure)) return nothing(err);
    s->figure->x.label = column->name;
    return true;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The values of a group in order. */
static int64_t group_values(Sketch *s, const double *x, int64_t n, const Groups *by, int32_t g,
                            double **ret)
{
    double *to = *ret = doubles(s, n);
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(x[i]) && (!by || by->codes[i] == g)) to[k++] = x[i];
    qsort(to, (size_t)k, sizeof *to, by_value);
    return k;
}

static bool draw_curves(Sketch *s, bool cumulative, Error *err)
{
    const Column *column = s->x ? s->x : s->y;
    Groups groups;
    double *values;
    int64_t total = 0;
    if (!need(column, "x", cumulative ? "ecdf" : "density", err) ||
        !numbers_of(s, column, &values, err) ||
        (s->by && !groups_of(s, s->by, LINES_MAX, &groups, err)))
        return false;
    for (int32_t g = 0; g < (s->by ? groups.n : 1); g++) {
        double *sorted, *x = doubles(s, PLACES), *y = doubles(s, PLACES);
        int64_t n = group_values(s, values, column->n_rows, s->by ? &groups : NULL, g, &sorted);
        if (!n) continue;
        total += n;
        double low = sorted[0], high = sorted[n - 1], margin = cumulative ? 0 : (high - low) * 0.05;
        if (low == high) margin = MAX(fabs(low), 1) * 0.01;
        low -= margin;
        high += margin;
        if (!cumulative) picture_density(sorted, n, low, high, PLACES, y);
        int64_t up = 0;
        for (int i = 0; i < PLACES; i++) {
            x[i] = low + (high - low) * i / (PLACES - 1);
            if (!cumulative) continue;
            while (up < n && sorted[up] <= x[i] + (high - low) * 1e-12) up++;
            y[i] = (double)up / (double)n;
        }
        FigureLayer *line = figure_add(s->figure, MARK_LINE, PLACES);
        line->x = x;
        line->y = y;
        line->series = g;
        if (s->by) line->name = groups.names[g];
    }
    if (!total) return nothing(err);
    s->figure->title = arena_format(s->arena, "%s of %.*s", cumulative ? "ECDF" : "Density",
                                    STR_ARG(column->name));
    s->figure->x.kind = axis_of(column);
    s->figure->x.label = column->name;
    s->figure->y.label = cumulative ? STR("share at or below") : STR("density");
    s->figure->y.from_zero = true;
    s->figure->note = arena_format(s->arena, "n = %lld", (long long)total);
    return true;
}

static bool draw_density(Sketch *s, Error *err)
{
    return draw_curves(s, false, err);
}

static bool draw_ecdf(Sketch *s, Error *err)
{
    return draw_curves(s, true, err);
}

/* ---- groups ---- */

static bool draw_boxes(Sketch *s, bool violin, Error *err)
{
    const Column *column = s->y ? s->y : s->x;
    Groups groups;
    double *values;
    if (!need(column, "y", violin ? "violin" : "box", err) ||
        !numbers_of(s, column, &values, err) || (s->by && !groups_of(s, s->by, 16, &groups, err)))
        return false;
    Str by = s->by ? s->by->name : STR("");
    return (violin ? picture_violins : picture_boxes)(column->name, values, column->n_rows, by,
                                                      s->by ? &groups : NULL, s->arena,
                                                      s->figure) ||
           nothing(err);
}

static bool draw_box(Sketch *s, Error *err)
{
    return draw_boxes(s, false, err);
}

static bool draw_violin(Sketch *s, Error *err)
{
    return draw_boxes(s, true, err);
}

/* Counts, or means of y, of the groups of x; side by side or stacked by a second grouping. */
static bool draw_bars(Sketch *s, bool stacked, Error *err)
{
    Groups a, b = {.n = 1};
    double *y = NULL;
    if (!need(s->x, "x", "bar", err) || !groups_of(s, s->x, 30, &a, err) ||
        (s->by && !groups_of(s, s->by, LINES_MAX, &b, err)) ||
        (s->y && !numbers_of(s, s->y, &y, err)))
        return false;
    if (stacked && !s->by)
        return error_set(err, ERROR_INVALID,
                         "a stacked chart needs --by COLUMN: what the bars are made of");
    if (stacked && y)
        return error_set(
            err, ERROR_INVALID,
            "means cannot be stacked: take 'bar' for means side by side, or leave --y out");
    size_t cells = (size_t)a.n * (size_t)b.n;
    double *sums = doubles(s, (int64_t)cells), *counts = doubles(s, (int64_t)cells),
           *base = doubles(s, a.n), total = 0;
    for (int64_t i = 0; i < s->frame->n_rows; i++) {
        int32_t g = a.codes[i], k = s->by ? b.codes[i] : 0;
        if (g < 0 || k < 0 || (y && isnan(y[i]))) continue;
        counts[g * b.n + k]++;
        sums[g * b.n + k] += y ? y[i] : 1;
        total++;
    }
    if (total <= 0) return nothing(err);
    for (int32_t k = 0; k < b.n; k++) {
        double *x = doubles(s, a.n), *low = doubles(s, a.n), *x2 = doubles(s, a.n),
               *high = doubles(s, a.n), width = stacked ? 0.8 : 0.8 / b.n;
        for (int32_t g = 0; g < a.n; g++) {
            double v = sums[g * b.n + k];
            if (y) v = counts[g * b.n + k] > 0 ? v / counts[g * b.n + k] : NAN;
            x[g] = stacked ? g - 0.4 : g - 0.4 + k * width;
            x2[g] = x[g] + width * 0.96;
            low[g] = stacked ? base[g] : 0;
            high[g] = low[g] + v;
            if (stacked) base[g] = high[g];
        }
        FigureLayer *bars = figure_add(s->figure, MARK_RECT, a.n);
        *bars = (FigureLayer){
            .mark = MARK_RECT, .series = k, .n = a.n, .x = x, .x2 = x2, .y = low, .y2 = high};
        if (s->by) bars->name = b.names[k];
    }
    Figure *f = s->figure;
    f->x = (FigureAxis){
        .kind = AXIS_CATEGORY, .label = s->x->name, .names = a.names, .n_names = a.n};
    f->y.from_zero = true;
    f->y.label = y ? arena_format(s->arena, "mean of %.*s", STR_ARG(s->y->name)) : STR("rows");
    f->title = arena_format(s->arena, "%.*s by %.*s", STR_ARG(f->y.label), STR_ARG(s->x->name));
    f->note = arena_format(s->arena, "n = %.0f", total);
    return true;
}

static bool draw_bar(Sketch *s, Error *err)
{
    return draw_bars(s, false, err);
}

static bool draw_stacked(Sketch *s, Error *err)
{
    return draw_bars(s, true, err);
}

static bool draw_pie(Sketch *s, Error *err)
{
    Groups a;
    if (!need(s->x, "x", "pie", err) || !groups_of(s, s->x, 1000, &a, err)) return false;
    if (a.n > PIE_MAX)
        return error_set(err, ERROR_INVALID,
                         "'%.*s' has %d values; angles of more than %d slices cannot be compared: "
                         "take 'clary chart bar' for it",
                         STR_ARG(s->x->name), a.n, PIE_MAX);
    double total = 0, at = 0;
    for (int32_t k = 0; k < a.n; k++) total += (double)a.counts[k];
    if (total <= 0) return nothing(err);
    for (int32_t k = 0; k < a.n; k++) {
        double *x = doubles(s, 1), *x2 = doubles(s, 1);
        x[0] = at;
        x2[0] = at += (double)a.counts[k] / total;
        FigureLayer *slice = figure_add(s->figure, MARK_SLICE, 1);
        slice->x = x;
        slice->x2 = x2;
        slice->series = k;
        slice->name = arena_format(s->arena, "%.*s %.1f %%", STR_ARG(a.names[k]),
                                   100 * (double)a.counts[k] / total);
    }
    s->figure->title = s->x->name;
    s->figure->x.kind = s->figure->y.kind = AXIS_HIDDEN;
    s->figure->note = arena_format(s->arena, "n = %.0f", total);
    s->figure->width = 640;
    s->figure->height = 420;
    return true;
}

/* ---- two columns ---- */

static bool draw_scatter(Sketch *s, Error *err)
{
    double *x, *y, *size = NULL;
    Groups groups;
    if (!need(s->x, "x", "scatter", err) || !need(s->y, "y", "scatter", err) ||
        !numbers_of(s, s->x, &x, err) || !numbers_of(s, s->y, &y, err) ||
        (s->by && !groups_of(s, s->by, PICTURE_GROUPS_MAX, &groups, err)) ||
        (s->size && !numbers_of(s, s->size, &size, err)))
        return false;
    if (!picture_scatter(s->x->name, x, s->y->name, y, s->frame->n_rows, s->by ? &groups : NULL,
                         axis_of(s->x), s->arena, s->figure))
        return nothing(err);
    s->figure->y.kind = axis_of(s->y);
    if (!size || s->figure->layers[0].mark != MARK_POINT) return true;
    /* Areas, not radii, are in proportion; a layer's points are in the order of the rows. */
    double most = 0;
    for (int64_t i = 0; i < s->frame->n_rows; i++)
        if (!isnan(size[i])) most = MAX(most, fabs(size[i]));
    for (int l = 0; l < s->figure->n_layers; l++) {
        FigureLayer *layer = &s->figure->layers[l];
        double *radius = doubles(s, layer->n);
        int64_t k = 0;
        for (int64_t i = 0; i < s->frame->n_rows && k < layer->n; i++)
            if (!isnan(x[i]) && !isnan(y[i]) && (!s->by || groups.codes[i] == l))
                radius[k++] = isnan(size[i]) || most == 0 ? 0 : 1 + 13 * sqrt(fabs(size[i]) / most);
        layer->size = radius;
    }
    s->figure->note = arena_format(s->arena, "%.*s; areas: %.*s, at most %.4g",
                                   STR_ARG(s->figure->note), STR_ARG(s->size->name), most);
    return true;
}

static bool draw_bubble(Sketch *s, Error *err)
{
    return need(s->size, "size", "bubble", err) && draw_scatter(s, err);
}

typedef struct Place {
    double x, y;
} Place;

static int by_x(const void *a, const void *b)
{
    const Place *p = a, *q = b;
    return p->x < q->x ? -1 : p->x > q->x;
}

/* In order of x; rows of equal x are one point, their mean. */
static bool draw_line(Sketch *s, Error *err)
{
    double *x, *y;
    Groups groups;
    int64_t n = s->frame->n_rows, total = 0;
    if (!need(s->x, "x", "line", err) || !need(s->y, "y", "line", err) ||
        !numbers_of(s, s->x, &x, err) || !numbers_of(s, s->y, &y, err) ||
        (s->by && !groups_of(s, s->by, LINES_MAX, &groups, err)))
        return false;
    Place *places = arena_array(s->arena, Place, n + 1);
    for (int32_t g = 0; g < (s->by ? groups.n : 1); g++) {
        int64_t k = 0, m = 0;
        for (int64_t i = 0; i < n; i++)
            if (!isnan(x[i]) && !isnan(y[i]) && (!s->by || groups.codes[i] == g))
                places[k++] = (Place){x[i], y[i]};
        qsort(places, (size_t)k, sizeof *places, by_x);
        double *lx = doubles(s, k), *ly = doubles(s, k);
        total += k;
        for (int64_t i = 0, end; i < k; i = end) {
            double sum = 0;
            for (end = i; end < k && places[end].x == places[i].x; end++) sum += places[end].y;
            lx[m] = places[i].x;
            ly[m++] = sum / (double)(end - i);
        }
        FigureLayer *line = figure_add(s->figure, MARK_LINE, m);
        line->x = lx;
        line->y = ly;
        line->series = g;
        if (s->by) line->name = groups.names[g];
    }
    if (!total) return nothing(err);
    s->figure->title = arena_format(s->arena, "%.*s by %.*s", STR_ARG(s->y->name),
                                    STR_ARG(s->x->name));
    s->figure->x = (FigureAxis){.kind = axis_of(s->x), .label = s->x->name};
    s->figure->y.label = s->y->name;
    s->figure->width = 640;
    s->figure->note = arena_format(s->arena, "n = %lld; rows of equal %.*s are averaged",
                                   (long long)total, STR_ARG(s->x->name));
    return true;
}

/* Counts of two groupings. */
static bool draw_heat(Sketch *s, Error *err)
{
    Groups a, b;
    if (!need(s->x, "x", "heatmap", err) || !need(s->y, "y", "heatmap", err) ||
        !groups_of(s, s->x, 30, &a, err) || !groups_of(s, s->y, 30, &b, err))
        return false;
    int64_t n = (int64_t)a.n * b.n;
    double *x = doubles(s, n), *y = doubles(s, n), *x2 = doubles(s, n), *y2 = doubles(s, n),
           *value = doubles(s, n), most = 0, total = 0;
    Str *texts = arena_array(s->arena, Str, n + 1);
    for (int64_t i = 0; i < s->frame->n_rows; i++)
        if (a.codes[i] >= 0 && b.codes[i] >= 0) value[(int64_t)b.codes[i] * a.n + a.codes[i]]++;
    for (int64_t k = 0; k < n; k++) most = MAX(most, value[k]);
    if (most <= 0) return nothing(err);
    for (int64_t k = 0; k < n; k++) {
        int64_t row = k / a.n;
        x[k] = (double)(k % a.n) - 0.5;
        x2[k] = x[k] + 1;
        y[k] = (double)row - 0.5;
        y2[k] = y[k] + 1;
        texts[k] = arena_format(s->arena, "%.0f", value[k]);
        total += value[k];
        value[k] /= most;
    }
    FigureLayer *cells = figure_add(s->figure, MARK_RECT, n);
    *cells = (FigureLayer){.mark = MARK_RECT,
                           .tint = TINT_SEQUENTIAL,
                           .n = n,
                           .x = x,
                           .x2 = x2,
                           .y = y,
                           .y2 = y2,
                           .value = value,
                           .text = texts};
    Figure *f = s->figure;
    f->x = (FigureAxis){
        .kind = AXIS_CATEGORY, .label = s->x->name, .names = a.names, .n_names = a.n};
    f->y = (FigureAxis){
        .kind = AXIS_CATEGORY, .label = s->y->name, .names = b.names, .n_names = b.n, .down = true};
    f->title = arena_format(s->arena, "Rows by %.*s and %.*s", STR_ARG(s->x->name),
                            STR_ARG(s->y->name));
    f->width = 640;
    f->height = 130 + 26 * b.n;
    f->note = arena_format(s->arena, "n = %.0f; brighter cells hold more rows", total);
    return true;
}

/* ---- the whole table ---- */

static bool draw_correlation(Sketch *s, Error *err)
{
    AUTO(profile_free) Profile *p = NULL;
    if (!profile_make(s->frame, -1, s->pool, &p, err)) return false;
    int32_t n = p->n_numbers;
    if (n < 2)
        return error_set(err, ERROR_INVALID, "a correlation matrix needs two numeric columns");
    int32_t *order = arena_array(s->arena, int32_t, n);
    Str *names = arena_array(s->arena, Str, n);
    for (int32_t j = 0; j < n; j++) names[j] = p->columns[p->numbers[j]].name;
    picture_cluster_order(p->pearson, n, order);
    picture_correlation(STR("Pearson's r, similar columns together"), p->pearson, n, order, names,
                        n, s->arena, s->figure);
    s->figure->width = MAX(560, 120 + 16 * n);
    s->figure->height = MAX(520, 110 + 16 * n);
    s->figure->note = arena_format(s->arena, "n = %lld; %.*s", (long long)p->n_rows,
                                   STR_ARG(s->figure->note));
    return true;
}

/* Truth and a score: the rate of one class found against that of the other class mistaken. */
typedef struct Scored {
    double score;
    bool positive;
} Scored;

static int falling(const void *a, const void *b)
{
    double x = ((const Scored *)a)->score, y = ((const Scored *)b)->score;
    return x > y ? -1 : x < y;
}

static bool draw_ranked(Sketch *s, bool roc, Error *err)
{
    const char *kind = roc ? "roc" : "pr";
    Groups truth;
    double *score;
    int64_t n = 0, positives = 0, m = 1, hit = 0;
    if (!need(s->y, "y", kind, err) || !need(s->x, "x", kind, err) ||
        !numbers_of(s, s->x, &score, err) || !groups_of(s, s->y, 3, &truth, err))
        return false;
    if (truth.n != 2)
        return error_set(
            err, ERROR_INVALID,
            "--y '%.*s' has %d classes; the curve needs the truth as two (the one that sorts "
            "last is the positive one), and --x the score",
            STR_ARG(s->y->name), truth.n);
    /* "yes" after "no", 1 after 0: the positive class is the one whose name sorts last. */
    int32_t positive = str_compare(truth.names[0], truth.names[1]) > 0 ? 0 : 1;
    Scored *rows = arena_array(s->arena, Scored, s->frame->n_rows + 1);
    for (int64_t i = 0; i < s->frame->n_rows; i++) {
        if (truth.codes[i] < 0 || isnan(score[i])) continue;
        rows[n++] = (Scored){score[i], truth.codes[i] == positive};
        positives += truth.codes[i] == positive;
    }
    if (!positives || positives == n)
        return error_set(err, ERROR_INVALID, "only one class is left: the curve is not defined");
    qsort(rows, (size_t)n, sizeof *rows, falling);
    double *x = doubles(s, n + 1), *y = doubles(s, n + 1), area = 0;
    if (!roc) m = 0;
    for (int64_t i = 0, end; i < n; i = end) {
        int64_t before = hit;
        for (end = i; end < n && rows[end].score == rows[i].score; end++) hit += rows[end].positive;
        double recall = (double)hit / (double)positives;
        x[m] = roc ? (double)(end - hit) / (double)(n - positives) : recall;
        y[m] = roc ? recall : (double)hit / (double)end;
        area += roc ? (m ? (x[m] - x[m - 1]) * (y[m] + y[m - 1]) / 2 : 0)
                    : (double)(hit - before) / (double)positives * y[m];
        m++;
    }
    double *gx = doubles(s, 2), *gy = doubles(s, 2);
    gx[1] = 1;
    gy[0] = roc ? 0 : (double)positives / (double)n;
    gy[1] = roc ? 1 : gy[0];
    FigureLayer *guide = figure_add(s->figure, MARK_LINE, 2);
    *guide = (FigureLayer){
        .mark = MARK_LINE, .tint = TINT_QUIET, .name = STR("chance"), .n = 2, .x = gx, .y = gy};
    FigureLayer *line = figure_add(s->figure, MARK_LINE, m);
    *line = (FigureLayer){.mark = MARK_LINE, .name = s->x->name, .n = m, .x = x, .y = y};
    Figure *f = s->figure;
    f->x = (FigureAxis){
        .label = roc ? STR("false positive rate") : STR("recall"), .fixed = true, .high = 1};
    f->y = (FigureAxis){
        .label = roc ? STR("true positive rate") : STR("precision"), .fixed = true, .high = 1};
    f->title = roc ? arena_format(s->arena, "ROC: area %.4f", area)
                   : arena_format(s->arena, "Precision and recall: average precision %.4f", area);
    f->note = arena_format(s->arena, "n = %lld, %lld of '%.*s'", (long long)n, (long long)positives,
                           STR_ARG(truth.names[positive]));
    return true;
}

static bool draw_roc(Sketch *s, Error *err)
{
    return draw_ranked(s, true, err);
}

static bool draw_pr(Sketch *s, Error *err)
{
    return draw_ranked(s, false, err);
}

/* --x the prediction, --y the truth. */
static bool draw_residuals(Sketch *s, Error *err)
{
    double *x, *y, low = INFINITY, high = -INFINITY;
    if (!need(s->x, "x", "residuals", err) || !need(s->y, "y", "residuals", err) ||
        !numbers_of(s, s->x, &x, err) || !numbers_of(s, s->y, &y, err))
        return false;
    for (int64_t i = 0; i < s->frame->n_rows; i++) {
        y[i] -= x[i];
        if (isnan(y[i])) continue;
        low = MIN(low, x[i]);
        high = MAX(high, x[i]);
    }
    if (!picture_scatter(s->x->name, x, STR("true - predicted"), y, s->frame->n_rows, NULL,
                         AXIS_LINEAR, s->arena, s->figure))
        return nothing(err);
    double *gx = doubles(s, 2), *gy = doubles(s, 2);
    gx[0] = low;
    gx[1] = high;
    FigureLayer *zero = figure_add(s->figure, MARK_LINE, 2);
    *zero = (FigureLayer){
        .mark = MARK_LINE, .tint = TINT_QUIET, .unlisted = true, .n = 2, .x = gx, .y = gy};
    s->figure->title = STR("Residuals: a funnel or a bend is something missed");
    return true;
}

static const struct {
    const char *name;
    bool (*draw)(Sketch *sketch, Error *err); /* NULL: not there yet */
} kinds[] = {
    {"bar", draw_bar},         {"stacked", draw_stacked},
    {"line", draw_line},       {"scatter", draw_scatter},
    {"bubble", draw_bubble},   {"heatmap", draw_heat},
    {"pie", draw_pie},         {"histogram", draw_histogram},
    {"density", draw_density}, {"box", draw_box},
    {"violin", draw_violin},   {"correlation", draw_correlation},
    {"ecdf", draw_ecdf},       {"roc", draw_roc},
    {"pr", draw_pr},           {"residuals", draw_residuals},
    {"pairs", NULL},           {"biplot", NULL},
};

static bool find_kind(Str name, size_t *ret, Error *err)
{
    AUTO_STRBUF StrBuf all = STRBUF(4096);
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (str_is(name, kinds[i].name) && kinds[i].draw) {
            *ret = i;
            return true;
        }
        if (str_is(name, kinds[i].name))
            return error_set(err, ERROR_UNSUPPORTED, "'%s' charts are not there yet",
                             kinds[i].name);
        if (kinds[i].draw) strbuf_addf(&all, "%s%s", all.len ? ", " : "", kinds[i].name);
    }
    return error_set(err, ERROR_INVALID, "no chart is called '%.*s'; there are %s", STR_ARG(name),
                     strbuf_cstr(&all));
}

static bool column_option(const Args *args, const char *option, const Frame *frame,
                          const Column **ret, Error *err)
{
    int32_t at;
    *ret = NULL;
    if (!args_has(args, option)) return true;
    if (!frame_find(frame, args_get(args, option), &at, err)) return error_in(err, "--%s", option);
    *ret = &frame->columns[at];
    return true;
}

static bool chart_run(const Args *args, bool *ret_usage, Error *err)
{
    ARENA(arena);
    ReadOptions read;
    ReadReport report = {0};
    AUTO(pool_free) Pool *pool = NULL;
    AUTO(frame_free) Frame *frame = NULL;
    AUTO_STRBUF StrBuf out = STRBUF(SVG_MAX);
    AUTO_FD int fd = -1;
    Figure *figure = arena_array(&arena, Figure, 1);
    Str output = args_get(args, "output");
    size_t kind;
    if (args->n_positional != 2) return USAGE("a kind of chart and one table are needed");
    if (!find_kind(args->positional[0], &kind, err)) {
        *ret_usage = true;
        return false;
    }
    if (str_ends(output, STR(".png")) || str_ends(output, STR(".pdf")))
        return error_set(
            err, ERROR_UNSUPPORTED,
            "pictures are written as SVG, which browsers and editors open and convert; '%.*s' "
            "would be another format",
            STR_ARG(output));
    if (!read_options(args, &read, err) || !threads_option(args, &pool, err)) return false;
    const char *path = args->positional[1].ptr;
    if (!frame_read(path, &read, pool, &frame, &report, err)) return false;
    if (report.n_skipped)
        log_warning("%s: %lld rows dropped; the first: %s", path, (long long)report.n_skipped,
                    report.first_skipped);
    Sketch sketch = {.frame = frame, .pool = pool, .arena = &arena, .figure = figure};
    if (!column_option(args, "x", frame, &sketch.x, err) ||
        !column_option(args, "y", frame, &sketch.y, err) ||
        !column_option(args, "by", frame, &sketch.by, err) ||
        !column_option(args, "size", frame, &sketch.size, err) || !kinds[kind].draw(&sketch, err))
        return false;
    if (args_has(args, "title")) figure->title = args_get(args, "title");
    if (args_has(args, "data"))
        figure_data(figure, &out);
    else
        figure_svg(figure, true, &out);
    if (out.overflow) return error_set(err, ERROR_LIMIT, "the picture is larger than 32 MiB");
    return open_output(output, &fd, err) && fd_write(fd, strbuf_str(&out), output.ptr, err);
}

const Command chart_command = {
    .name = "chart",
    .synopsis = "KIND FILE [--x COLUMN] [--y COLUMN] [--by COLUMN] [-o FILE.svg]",
    .summary = "one picture of a table, as SVG",
    .examples = examples,
    .options = options,
    .run = chart_run,
    .more =
        "Kinds: bar and stacked (rows by --x, or means of --y; --by), line, scatter, bubble (--size),\n"
        "heatmap (rows by --x and --y), pie (at most 7 slices), histogram, density, ecdf, box, violin,\n"
        "correlation, roc and pr (--x score, --y truth), residuals (--x prediction, --y truth).",
};
