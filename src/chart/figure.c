/* Draws figures as SVG.
 *
 * Text widths are estimated (7 pixels a character at 12 pixels): there is no font to ask.  Names
 * are clipped to what fits, turned when many stand below an axis.  Lines of many points are thinned
 * to their pixel columns' extremes.
 *
 * Okabe, Ito: Color Universal Design, 2008; viridis: Smith, van der Walt, Firing, 2015, by its
 * values at eleven places and straight lines between them. */

#include "chart/figure.h"

#include "chart/chart.h"

#include <math.h>
#include <time.h>

enum {
    WIDTH = 460,
    HEIGHT = 300,
    TOP = 30,
    LEGEND = 20,
    RIGHT = 14,
    LETTER = 7,
    TICKS_MAX = 12,
    NAMES_TURNED_MIN = 7,
    NAME_SHOWN = 20,
    THIN_ABOVE = 2000
};

uint32_t viridis(double t)
{
    static const uint8_t map[11][3] = {{68, 1, 84},    {72, 36, 117},  {65, 68, 135},
                                       {53, 95, 141},  {42, 120, 142}, {33, 145, 140},
                                       {34, 168, 132}, {68, 191, 112}, {122, 209, 81},
                                       {189, 223, 38}, {253, 231, 37}};
    t = isnan(t) ? 0 : MAX(0.0, MIN(1.0, t)) * 10;
    int k = MIN((int)t, 9);
    uint32_t color = 0;
    for (int c = 0; c < 3; c++)
        color = color << 8 |
                (uint32_t)lround(map[k][c] + (t - k) * ((double)map[k + 1][c] - map[k][c]));
    return color;
}

FigureLayer *figure_add(Figure *figure, FigureMark mark, int64_t n)
{
    if (figure->n_layers < FIGURE_LAYERS_MAX) figure->n_layers++;
    FigureLayer *layer = &figure->layers[figure->n_layers - 1];
    *layer = (FigureLayer){.mark = mark, .n = n};
    return layer;
}

/* ---- scales ---- */

typedef struct Space {
    double left, right, top, bottom, width, height;
    double x0, x1, y0, y1;
    bool turned; /* names below are */
    bool y_down;
} Space;

static double px(const Space *s, double x)
{
    return s->left + (x - s->x0) / (s->x1 - s->x0) * (s->right - s->left);
}

static double py(const Space *s, double y)
{
    double t = (y - s->y0) / (s->y1 - s->y0);
    if (s->y_down) t = 1 - t;
    return s->bottom - t * (s->bottom - s->top);
}

static void widen(double *low, double *high, const double *values, int64_t n)
{
    for (int64_t i = 0; values && i < n; i++) {
        if (!isfinite(values[i])) continue;
        *low = MIN(*low, values[i]);
        *high = MAX(*high, values[i]);
    }
}

static void settle(const FigureAxis *axis, double *low, double *high)
{
    if (axis->kind == AXIS_CATEGORY) {
        *low = -0.5;
        *high = axis->n_names - 0.5;
        if (!axis->n_names) *high = 0.5;
        return;
    }
    if (axis->fixed) {
        *low = axis->low;
        *high = axis->high;
        if (*low < *high) return;
    }
    if (axis->from_zero) {
        *low = MIN(*low, 0);
        *high = MAX(*high, 0);
    }
    if (!(*low <= *high)) {
        *low = 0;
        *high = 1;
    }
    double span = *high - *low;
    if (span <= 0) span = MAX(fabs(*high), 1) * 0.1;
    if (!axis->from_zero || *low < 0) *low -= span * 0.04;
    if (!axis->from_zero || *high > 0) *high += span * 0.04;
    if (!(*high > *low)) *high = *low + 1;
}

static size_t shown(Str name)
{
    size_t n = 0;
    for (size_t i = 0; i < name.len; i++) n += ((unsigned char)name.ptr[i] & 0xc0) != 0x80;
    return MIN(n, (size_t)NAME_SHOWN);
}

static void add_clipped(StrBuf *out, Str text, size_t max)
{
    size_t n = 0, i = 0;
    for (; i < text.len; i++) {
        bool starts = ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
        if (starts && n == max) break;
        n += starts;
    }
    if (i == text.len) {
        html_add(out, text);
        return;
    }
    size_t cut = i; /* one character less, for the dots */
    while (cut > 0 && ((unsigned char)text.ptr[--cut] & 0xc0) == 0x80) continue;
    html_add(out, str_slice(text, 0, cut));
    strbuf_add(out, STR("…"));
}

static size_t longest_name(const FigureAxis *axis)
{
    size_t most = 0;
    for (int32_t i = 0; i < axis->n_names; i++) most = MAX(most, shown(axis->names[i]));
    return most;
}

static bool has_legend(const Figure *f)
{
    for (int l = 0; l < f->n_layers; l++)
        if (f->layers[l].name.len) return true;
    return false;
}

/* Names stand side by side only when each has its room. */
static bool is_turned(const Figure *f, double room)
{
    if (f->x.kind != AXIS_CATEGORY) return false;
    return (double)longest_name(&f->x) * LETTER * f->x.n_names > room;
}

static Space space_of(const Figure *f)
{
    Space s = {.width = f->width ? f->width : WIDTH,
               .height = f->height ? f->height : HEIGHT,
               .x0 = INFINITY,
               .x1 = -INFINITY,
               .y0 = INFINITY,
               .y1 = -INFINITY,
               .y_down = f->y.down};
    for (int l = 0; l < f->n_layers; l++) {
        const FigureLayer *layer = &f->layers[l];
        widen(&s.x0, &s.x1, layer->x, layer->n);
        widen(&s.x0, &s.x1, layer->x2, layer->n);
        widen(&s.y0, &s.y1, layer->y, layer->n);
        widen(&s.y0, &s.y1, layer->y2, layer->n);
    }
    settle(&f->x, &s.x0, &s.x1);
    settle(&f->y, &s.y0, &s.y1);
    s.left = f->y.kind == AXIS_CATEGORY ? (double)longest_name(&f->y) * LETTER + 14
             : f->y.kind == AXIS_HIDDEN ? 14
                                        : 54;
    if (f->y.label.len) s.left += 18;
    s.right = s.width - RIGHT;
    s.top = (f->title.len ? TOP : 10) + (has_legend(f) ? LEGEND : 0);
    s.turned = is_turned(f, s.right - s.left);
    s.bottom = s.height - 8 -
               (s.turned                   ? (double)longest_name(&f->x) * LETTER * 0.6 + 16
                : f->x.kind == AXIS_HIDDEN ? 0
                                           : 22) -
               (f->x.label.len ? 18 : 0) - (f->note.len ? 16 : 0);
    return s;
}

/* ---- axes ---- */

static void add_number(StrBuf *out, double x, double step)
{
    if (fabs(x) < step * 1e-9) x = 0;
    double size = fabs(x);
    if (size >= 1e9)
        strbuf_addf(out, "%.4gG", x / 1e9);
    else if (size >= 1e6)
        strbuf_addf(out, "%.4gM", x / 1e6);
    else if (size >= 1e4)
        strbuf_addf(out, "%.4gk", x / 1e3);
    else
        strbuf_addf(out, "%.4g", x);
}

typedef enum TimeFormat {
    TIME_NONE,
    TIME_YEAR,
    TIME_MONTH,
    TIME_DAY,
    TIME_DAY_MINUTE,
    TIME_MINUTE,
    TIME_SECOND,
} TimeFormat;

/* Round moments: years, months, or multiples of days, hours, minutes, seconds. */
static int time_ticks(double low, double high, double ticks[TICKS_MAX], TimeFormat *ret_format)
{
    static const double steps[] = {1,    5,     15,    30,    60,    300,    900,    1800,
                                   3600, 10800, 21600, 43200, 86400, 172800, 604800, 1209600};
    double span = high - low, day = 86400;
    int n = 0;
    if (!(fabs(low) < 6e10) || !(fabs(high) < 6e10)) return 0; /* beyond the year 3800 */
    if (span > 90 * day) {
        static const int months[] = {1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200, 6000};
        int step = months[COUNT(months) - 1];
        for (size_t i = 0; i < COUNT(months); i++)
            if (span / (months[i] * 30.44 * day) <= 7) {
                step = months[i];
                break;
            }
        time_t begin = (time_t)low;
        struct tm tm;
        gmtime_r(&begin, &tm);
        int month = (tm.tm_year + 1900) * 12 + tm.tm_mon;
        month = (month + step - 1) / step * step;
        for (; n < TICKS_MAX; month += step) {
            struct tm at = {.tm_year = month / 12 - 1900, .tm_mon = month % 12, .tm_mday = 1};
            double t = (double)timegm(&at);
            if (t > high) break;
            if (t >= low) ticks[n++] = t;
        }
        *ret_format = step % 12 ? TIME_MONTH : TIME_YEAR;
        return n;
    }
    double step = steps[COUNT(steps) - 1];
    for (size_t i = 0; i < COUNT(steps); i++)
        if (span / steps[i] <= 7) {
            step = steps[i];
            break;
        }
    for (double t = ceil(low / step) * step; t <= high && n < TICKS_MAX; t += step) ticks[n++] = t;
    *ret_format = step >= day  ? TIME_DAY
                  : span > day ? TIME_DAY_MINUTE
                  : step >= 60 ? TIME_MINUTE
                               : TIME_SECOND;
    return n;
}

static int ticks_of(const FigureAxis *axis, double low, double high, double ticks[TICKS_MAX],
                    TimeFormat *ret_format)
{
    *ret_format = TIME_NONE;
    if (axis->kind == AXIS_TIME) return time_ticks(low, high, ticks, ret_format);
    return axis->kind == AXIS_LINEAR ? chart_ticks(low, high, 7, ticks) : 0;
}

static void add_tick(StrBuf *out, double at, double step, TimeFormat format)
{
    if (!format) {
        add_number(out, at, step);
        return;
    }
    time_t seconds = (time_t)at;
    struct tm tm;
    char text[32];
    size_t n = 0;
    gmtime_r(&seconds, &tm);
    switch (format) {
    case TIME_YEAR: n = strftime(text, sizeof text, "%Y", &tm); break;
    case TIME_MONTH: n = strftime(text, sizeof text, "%Y-%m", &tm); break;
    case TIME_DAY: n = strftime(text, sizeof text, "%m-%d", &tm); break;
    case TIME_DAY_MINUTE: n = strftime(text, sizeof text, "%d %H:%M", &tm); break;
    case TIME_MINUTE: n = strftime(text, sizeof text, "%H:%M", &tm); break;
    case TIME_SECOND: n = strftime(text, sizeof text, "%H:%M:%S", &tm); break;
    case TIME_NONE: break;
    }
    text[n] = 0;
    strbuf_add(out, str_of(text));
}

static void draw_y_axis(const Figure *f, const Space *s, StrBuf *out)
{
    double ticks[TICKS_MAX];
    TimeFormat format;
    int n = ticks_of(&f->y, s->y0, s->y1, ticks, &format);
    for (int i = 0; i < n; i++) {
        double y = py(s, ticks[i]);
        strbuf_addf(out,
                    "<line class=\"g\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.1f\" y2=\"%.1f\"/>"
                    "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">",
                    s->left, s->right, y, y, s->left - 6, y + 4);
        add_tick(out, ticks[i], n > 1 ? ticks[1] - ticks[0] : 1, format);
        strbuf_add(out, STR("</text>"));
    }
    if (f->y.kind == AXIS_CATEGORY && fabs(py(s, 1) - py(s, 0)) >= 9)
        for (int32_t i = 0; i < f->y.n_names; i++) {
            strbuf_addf(out, "<text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\">", s->left - 6,
                        py(s, i) + 4);
            add_clipped(out, f->y.names[i], NAME_SHOWN);
            strbuf_add(out, STR("</text>"));
        }
    if (!f->y.label.len) return;
    strbuf_addf(out, "<text transform=\"translate(14 %.0f) rotate(-90)\" text-anchor=\"middle\">",
                (s->top + s->bottom) / 2);
    add_clipped(out, f->y.label, (size_t)((s->bottom - s->top) / LETTER));
    strbuf_add(out, STR("</text>"));
}

static void draw_x_axis(const Figure *f, const Space *s, StrBuf *out)
{
    double ticks[TICKS_MAX];
    TimeFormat format;
    int n = ticks_of(&f->x, s->x0, s->x1, ticks, &format);
    for (int i = 0; i < n; i++) {
        double x = px(s, ticks[i]);
        strbuf_addf(out,
                    "<line class=\"a\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.0f\" y2=\"%.0f\"/>"
                    "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">",
                    x, x, s->bottom, s->bottom + 4, x, s->bottom + 17);
        add_tick(out, ticks[i], n > 1 ? ticks[1] - ticks[0] : 1, format);
        strbuf_add(out, STR("</text>"));
    }
    if (f->x.kind == AXIS_CATEGORY && fabs(px(s, 1) - px(s, 0)) >= 9)
        for (int32_t i = 0; i < f->x.n_names; i++) {
            if (s->turned)
                strbuf_addf(out,
                            "<text transform=\"translate(%.1f %.0f) rotate(-37)\" "
                            "text-anchor=\"end\">",
                            px(s, i) + 4, s->bottom + 13);
            else
                strbuf_addf(out, "<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\">", px(s, i),
                            s->bottom + 17);
            add_clipped(out, f->x.names[i], NAME_SHOWN);
            strbuf_add(out, STR("</text>"));
        }
    if (f->x.kind != AXIS_HIDDEN && f->y.kind != AXIS_HIDDEN)
        strbuf_addf(out, "<line class=\"a\" x1=\"%.0f\" x2=\"%.0f\" y1=\"%.0f\" y2=\"%.0f\"/>",
                    s->left, s->right, s->bottom, s->bottom);
    if (!f->x.label.len) return;
    strbuf_addf(out, "<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"middle\">",
                (s->left + s->right) / 2, s->height - 10 - (f->note.len ? 16 : 0));
    add_clipped(out, f->x.label, (size_t)((s->right - s->left) / LETTER));
    strbuf_add(out, STR("</text>"));
}

/* ---- marks ---- */

static int color_of(const FigureLayer *layer)
{
    return layer->series % FIGURE_SERIES;
}

/* The fill of one element, where elements have colours of their own. */
static void add_fill(const FigureLayer *layer, int64_t i, StrBuf *out)
{
    double v = layer->value ? layer->value[i] : 0;
    if (layer->tint == TINT_SEQUENTIAL && !isnan(v))
        strbuf_addf(out, " fill=\"#%06x\"", viridis(v));
    else if (layer->tint == TINT_DIVERGING && !isnan(v))
        strbuf_addf(out, " style=\"fill:rgba(var(--%s),%.2f)\"", v < 0 ? "cold" : "heat",
                    MIN(1.0, fabs(v)));
    else if (layer->tint == TINT_SEQUENTIAL || layer->tint == TINT_DIVERGING)
        strbuf_add(out, STR(" fill=\"none\""));
}

static void begin_group(const Figure *f, const FigureLayer *layer, StrBuf *out)
{
    int c = color_of(layer);
    strbuf_add(out, STR("<g"));
    if (layer->tint == TINT_QUIET)
        strbuf_add(out, layer->hollow || layer->mark == MARK_SEGMENT || layer->mark == MARK_LINE
                            ? STR(" style=\"fill:none;stroke:var(--soft)\"")
                            : STR(" style=\"fill:var(--soft);fill-opacity:.35\""));
    else if (layer->tint != TINT_SERIES)
        ;
    else if (layer->hollow || layer->mark == MARK_SEGMENT || layer->mark == MARK_LINE)
        strbuf_addf(out, " style=\"fill:none;stroke:var(--c%d);stroke-width:%s\"", c,
                    layer->mark == MARK_LINE ? "2" : "1.4");
    else if ((layer->mark == MARK_RECT || layer->mark == MARK_SLICE) && c)
        strbuf_addf(out, " fill=\"url(#h%d-%d)\"", f->id, c);
    else
        strbuf_addf(out, " style=\"fill:var(--c%d);fill-opacity:%s\"", c,
                    layer->mark == MARK_AREA                      ? ".3"
                    : layer->mark == MARK_POINT && layer->n > 300 ? ".45"
                                                                  : ".85");
    if (layer->mark == MARK_LINE && c && layer->tint == TINT_SERIES) {
        static const char *const dashes[FIGURE_SERIES] = {"",    "7 3", "2 3",      "9 3 2 3",
                                                          "4 4", "1 2", "12 3 3 3", "6 2 1 2 1 2"};
        strbuf_addf(out, " stroke-dasharray=\"%s\"", dashes[c]);
    }
    strbuf_add_char(out, '>');
}

static void draw_rects(const FigureLayer *layer, const Space *s, StrBuf *out)
{
    for (int64_t i = 0; i < layer->n; i++) {
        double x = px(s, layer->x[i]), x2 = px(s, layer->x2[i]), y = py(s, layer->y[i]),
               y2 = py(s, layer->y2[i]);
        if (!isfinite(x + x2 + y + y2)) continue;
        double width = fabs(x2 - x), height = fabs(y2 - y);
        strbuf_addf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"", MIN(x, x2),
                    MIN(y, y2), width, height);
        add_fill(layer, i, out);
        strbuf_add(out, STR("/>"));
    }
}

/* What stands in rectangles: above all of them. */
static void draw_rect_texts(const FigureLayer *layer, const Space *s, StrBuf *out)
{
    for (int64_t i = 0; layer->text && i < layer->n; i++) {
        double x = px(s, layer->x[i]), x2 = px(s, layer->x2[i]), y = py(s, layer->y[i]),
               y2 = py(s, layer->y2[i]);
        if (!isfinite(x + x2 + y + y2) || !layer->text[i].len || fabs(y2 - y) < 11 ||
            fabs(x2 - x) < (double)layer->text[i].len * 5.6)
            continue;
        bool strong = layer->tint == TINT_DIVERGING ? layer->value && fabs(layer->value[i]) > 0.6
                                                    : layer->tint == TINT_SERIES && !layer->hollow;
        const char *ink = strong ? "var(--on)" : "var(--ink)";
        if (layer->tint == TINT_SEQUENTIAL && layer->value)
            ink = layer->value[i] > 0.55 ? "#000" : "#fff";
        strbuf_addf(out,
                    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" "
                    "style=\"fill:%s;font-size:10px\">",
                    (x + x2) / 2, (y + y2) / 2 + 3.5, ink);
        html_add(out, layer->text[i]);
        strbuf_add(out, STR("</text>"));
    }
}

static void move_to(StrBuf *out, bool *pen, double x, double y)
{
    strbuf_addf(out, "%s%.1f %.1f", *pen ? "L" : "M", x, y);
    *pen = true;
}

static void draw_line(const FigureLayer *layer, const Space *s, StrBuf *out)
{
    bool pen = false;
    strbuf_add(out, STR("<path d=\""));
    for (int64_t i = 0; i < layer->n;) {
        if (!isfinite(layer->x[i]) || !isfinite(layer->y[i])) {
            pen = false;
            i++;
            continue;
        }
        double column = floor(px(s, layer->x[i]));
        int64_t first = i, low = i, high = i;
        if (layer->n > THIN_ABOVE)
            for (; i < layer->n && isfinite(layer->x[i]) && isfinite(layer->y[i]) &&
                   floor(px(s, layer->x[i])) == column;
                 i++) {
                if (layer->y[i] < layer->y[low]) low = i;
                if (layer->y[i] > layer->y[high]) high = i;
            }
        else
            i++;
        int64_t points[] = {first, MIN(low, high), MAX(low, high), i - 1}, drawn = -1;
        for (size_t k = 0; k < COUNT(points); k++) {
            if (points[k] <= drawn) continue;
            drawn = points[k];
            move_to(out, &pen, px(s, layer->x[drawn]), py(s, layer->y[drawn]));
        }
    }
    strbuf_add(out, STR("\"/>"));
}

/* Series have shapes: circle, square, triangle, diamond, and these hollow. */
static void add_shape(StrBuf *out, int series, double x, double y, double r)
{
    switch (series % 4) {
    case 0: strbuf_addf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"", x, y, r); break;
    case 1:
        strbuf_addf(out, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"", x - r, y - r,
                    2 * r, 2 * r);
        break;
    case 2:
        strbuf_addf(out, "<path d=\"M%.1f %.1fl%.1f %.1fh%.1fz\"", x, y - r * 1.2, r * 1.2, 2 * r,
                    -2.4 * r);
        break;
    default:
        strbuf_addf(out, "<path d=\"M%.1f %.1fl%.1f %.1fl%.1f %.1fl%.1f %.1fz\"", x, y - 1.3 * r,
                    1.3 * r, 1.3 * r, -1.3 * r, 1.3 * r, -1.3 * r, -1.3 * r);
    }
}

static void draw_points(const FigureLayer *layer, const Space *s, StrBuf *out)
{
    double usual = layer->n > 2000 ? 1.5 : layer->n > 300 ? 2.2 : 3;
    for (int64_t i = 0; i < layer->n; i++) {
        if (!isfinite(layer->x[i]) || !isfinite(layer->y[i])) continue;
        add_shape(out, layer->tint == TINT_SERIES ? color_of(layer) : 0, px(s, layer->x[i]),
                  py(s, layer->y[i]), layer->size ? layer->size[i] : usual);
        add_fill(layer, i, out);
        strbuf_add(out, STR("/>"));
    }
}

static void draw_area(const FigureLayer *layer, const Space *s, StrBuf *out)
{
    bool pen = false;
    strbuf_add(out, STR("<path d=\""));
    for (int64_t i = 0; i < layer->n; i++)
        if (isfinite(layer->x[i]) && isfinite(layer->y[i]))
            move_to(out, &pen, px(s, layer->x[i]), py(s, layer->y[i]));
    for (int64_t i = layer->n - 1; i >= 0; i--) {
        double x = layer->x2 ? layer->x2[i] : layer->x[i],
               y = layer->y2 ? layer->y2[i] : layer->y[i];
        if (isfinite(x) && isfinite(y)) move_to(out, &pen, px(s, x), py(s, y));
    }
    strbuf_add(out, STR("z\"/>"));
}

static void draw_segments(const FigureLayer *layer, const Space *s, StrBuf *out)
{
    for (int64_t i = 0; i < layer->n; i++) {
        double x = px(s, layer->x[i]), y = py(s, layer->y[i]), x2 = px(s, layer->x2[i]),
               y2 = py(s, layer->y2[i]);
        if (isfinite(x + y + x2 + y2))
            strbuf_addf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", x, y, x2,
                        y2);
    }
}

static void draw_texts(const FigureLayer *layer, const Space *s, StrBuf *out)
{
    for (int64_t i = 0; i < layer->n; i++) {
        if (!isfinite(layer->x[i]) || !isfinite(layer->y[i])) continue;
        strbuf_addf(out,
                    "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" style=\"fill:var(--ink)\">",
                    px(s, layer->x[i]), py(s, layer->y[i]) + 4);
        add_clipped(out, layer->text[i], NAME_SHOWN);
        strbuf_add(out, STR("</text>"));
    }
}

static void draw_slice(const FigureLayer *layer, const Space *s, StrBuf *out)
{
    double cx = (s->left + s->right) / 2, cy = (s->top + s->bottom) / 2,
           r = MIN(s->right - s->left, s->bottom - s->top) / 2 - 4;
    for (int64_t i = 0; i < layer->n; i++) {
        double a = layer->x[i] * 2 * M_PI, b = layer->x2[i] * 2 * M_PI;
        if (b - a > 2 * M_PI - 1e-9) {
            strbuf_addf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", cx, cy, r);
            continue;
        }
        strbuf_addf(out,
                    "<path class=\"s\" d=\"M%.1f %.1fL%.1f %.1fA%.1f %.1f 0 %d 1 %.1f %.1fz\"/>",
                    cx, cy, cx + r * sin(a), cy - r * cos(a), r, r, b - a > M_PI, cx + r * sin(b),
                    cy - r * cos(b));
    }
}

static void draw_layer(const Figure *f, const FigureLayer *layer, const Space *s, StrBuf *out)
{
    if (layer->mark == MARK_TEXT) {
        draw_texts(layer, s, out);
        return;
    }
    begin_group(f, layer, out);
    switch (layer->mark) {
    case MARK_RECT: draw_rects(layer, s, out); break;
    case MARK_LINE: draw_line(layer, s, out); break;
    case MARK_POINT: draw_points(layer, s, out); break;
    case MARK_AREA: draw_area(layer, s, out); break;
    case MARK_SEGMENT: draw_segments(layer, s, out); break;
    case MARK_SLICE: draw_slice(layer, s, out); break;
    case MARK_TEXT: break;
    }
    strbuf_add(out, STR("</g>"));
    if (layer->mark == MARK_RECT) draw_rect_texts(layer, s, out);
}

/* ---- around ---- */

/* Hatchings of the series that this figure fills with. */
static void add_hatchings(const Figure *f, StrBuf *out)
{
    static const int angles[FIGURE_SERIES] = {0, 45, 135, 90, 0, 60, 120, 30};
    bool used[FIGURE_SERIES] = {false}, any = false;
    for (int l = 0; l < f->n_layers; l++) {
        const FigureLayer *layer = &f->layers[l];
        int c = color_of(layer);
        if (layer->tint != TINT_SERIES || !c || layer->hollow ||
            (layer->mark != MARK_RECT && layer->mark != MARK_SLICE))
            continue;
        used[c] = any = true;
    }
    if (!any) return;
    strbuf_add(out, STR("<defs>"));
    for (int c = 1; c < FIGURE_SERIES; c++)
        if (used[c])
            strbuf_addf(out,
                        "<pattern id=\"h%d-%d\" width=\"7\" height=\"7\" "
                        "patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(%d)\">"
                        "<rect width=\"7\" height=\"7\" style=\"fill:var(--c%d);fill-opacity:.6\"/>"
                        "<line y2=\"7\" style=\"stroke:var(--c%d);stroke-width:5\"/></pattern>",
                        f->id, c, angles[c], c, c);
    strbuf_add(out, STR("</defs>"));
}

static void draw_legend(const Figure *f, const Space *s, StrBuf *out)
{
    double x = 12, y = (f->title.len ? TOP : 10) + 4;
    for (int l = 0; l < f->n_layers; l++) {
        const FigureLayer *layer = &f->layers[l];
        int c = color_of(layer);
        if (!layer->name.len) continue;
        double width = 18 + (double)shown(layer->name) * LETTER + 10;
        if (x + width > s->width + 10) {
            strbuf_addf(out, "<text x=\"%.0f\" y=\"%.0f\">…</text>", x, y + 4);
            break;
        }
        FigureLayer sample = *layer;
        sample.n = 0;
        begin_group(f, &sample, out);
        if (layer->mark == MARK_POINT) {
            add_shape(out, c, x + 5, y, 4);
            strbuf_add(out, STR("/>"));
        } else if (layer->mark == MARK_LINE || layer->mark == MARK_SEGMENT) {
            strbuf_addf(out, "<path d=\"M%.0f %.0fh14\"/>", x - 2, y);
        } else {
            strbuf_addf(out, "<rect x=\"%.0f\" y=\"%.0f\" width=\"11\" height=\"11\"/>", x, y - 6);
        }
        strbuf_addf(out, "</g><text x=\"%.0f\" y=\"%.0f\">", x + 16, y + 4);
        add_clipped(out, layer->name, NAME_SHOWN);
        strbuf_add(out, STR("</text>"));
        x += width;
    }
}

void figure_svg(const Figure *f, bool alone, StrBuf *out)
{
    Space s = space_of(f);
    strbuf_addf(out, "<svg class=\"chart\"%s viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"",
                alone ? " xmlns=\"http://www.w3.org/2000/svg\"" : "", s.width, s.height);
    html_add(out, f->alt.len ? f->alt : f->title);
    strbuf_add(out, STR("\">"));
    if (alone) {
        strbuf_add(out, STR("<title>"));
        html_add(out, f->title);
        strbuf_addf(out,
                    "</title><style>%s</style><rect class=\"paper\" width=\"%.0f\" "
                    "height=\"%.0f\"/>",
                    chart_css, s.width, s.height);
    }
    add_hatchings(f, out);
    if (f->title.len) {
        strbuf_add(out, STR("<text class=\"t\" x=\"12\" y=\"18\">"));
        add_clipped(out, f->title, (size_t)(s.width / 7.4));
        strbuf_add(out, STR("</text>"));
    }
    draw_legend(f, &s, out);
    if (f->y.kind != AXIS_HIDDEN) draw_y_axis(f, &s, out);
    for (int l = 0; l < f->n_layers; l++) draw_layer(f, &f->layers[l], &s, out);
    if (f->x.kind != AXIS_HIDDEN) draw_x_axis(f, &s, out);
    if (f->note.len) {
        strbuf_addf(out, "<text x=\"12\" y=\"%.0f\" style=\"font-size:11px\">", s.height - 7);
        add_clipped(out, f->note, (size_t)(s.width / 6.2));
        strbuf_add(out, STR("</text>"));
    }
    strbuf_add(out, STR("</svg>"));
}

/* ---- the data ---- */

static void add_csv_text(StrBuf *out, Str text)
{
    strbuf_add_char(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"') strbuf_add_char(out, '"');
        strbuf_add_char(out, text.ptr[i]);
    }
    strbuf_add_char(out, '"');
}

void figure_data(const Figure *f, StrBuf *out)
{
    static const char *const marks[] = {"rect",    "line", "point", "area",
                                        "segment", "text", "slice"};
    strbuf_add(out, STR("layer,mark,x,y,x2,y2,value,text\n"));
    for (int l = 0; l < f->n_layers; l++) {
        const FigureLayer *layer = &f->layers[l];
        if (layer->unlisted) continue;
        const double *const columns[] = {layer->x, layer->y, layer->x2, layer->y2, layer->value};
        for (int64_t i = 0; i < layer->n; i++) {
            add_csv_text(out, layer->name);
            strbuf_addf(out, ",%s", marks[layer->mark]);
            for (size_t k = 0; k < COUNT(columns); k++) {
                strbuf_add_char(out, ',');
                if (columns[k] && isfinite(columns[k][i])) strbuf_addf(out, "%.10g", columns[k][i]);
            }
            strbuf_add_char(out, ',');
            if (layer->text) add_csv_text(out, layer->text[i]);
            strbuf_add_char(out, '\n');
        }
    }
}
