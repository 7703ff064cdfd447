/* The report: one HTML page without script and without outside addresses, at most 2 MiB.
 *
 * What can be folded is <details>, which keyboards and screen readers know; every chart has its
 * words, every table its heads.  Of large tables charts show what fits and say so. */

#include "explore/page.h"

#include "base/memory.h"
#include "base/random.h"
#include "chart/chart.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
    SHOWN_COLUMNS_MAX = 40, /* of a heat map and the missing-value matrix */
    TARGET_CHARTS = 12,
    PAIR_CHARTS = 6,
    PAIR_ROWS = 30,
    SAMPLE_ROWS = 5,
    SAMPLE_COLUMNS = 40,
    VIF_ROWS = 60,
    CHART_BYTES_MAX = 1 << 20,
    SCATTER_ROWS = 2500 /* of a scatter plot on the page */
};

static const char css[] =
    ":root{color-scheme:light dark}*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;"
    "max-width:1200px;padding:24px 20px;color:#1f2328;background:#fff}h1{font-size:24px;margin:0}h2{font-size:19px;"
    "margin:30px 0 10px}h3{font-size:15px;margin:18px 0 6px}.sub{color:#59636e;font-weight:400}a{color:#0a58ca}"
    "nav{display:flex;flex-wrap:wrap;gap:6px 16px;padding:8px 0;border-bottom:1px solid #d1d9e0;margin-bottom:14px}"
    ".skip{position:absolute;left:-999px}.skip:focus{left:8px;top:8px;background:#fff;padding:6px}"
    ".tiles{display:flex;flex-wrap:wrap;gap:10px;margin:12px 0}.tile{border:1px solid #d1d9e0;border-radius:8px;"
    "padding:8px 14px;min-width:104px}.tile b{display:block;font-size:20px;font-variant-numeric:tabular-nums}"
    ".tile span{color:#59636e;font-size:13px}.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(360px,1fr));"
    "gap:14px}figure{margin:0;border:1px solid #d1d9e0;border-radius:8px;padding:6px}.chart{width:100%;height:auto;"
    "display:block}.wide{max-width:760px}.card{border:1px solid #d1d9e0;border-radius:8px;margin:0 0 10px;padding:0 14px}"
    "summary{cursor:pointer;padding:8px 0}.two{display:grid;grid-template-columns:minmax(0,1.15fr) minmax(0,1fr);gap:18px;"
    "padding-bottom:12px}@media(max-width:800px){.two{grid-template-columns:1fr}}.scroll{overflow-x:auto}"
    "table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums}th{font-weight:500;text-align:left}"
    "th,td{padding:2px 12px 2px 0;border-bottom:1px solid #eaeef2;vertical-align:top}td{white-space:nowrap}"
    ".why{color:#59636e;white-space:normal;font-size:12px}ol.alerts{list-style:none;padding:0;margin:0}"
    ".alerts li{border-left:5px solid #57606a;padding:5px 12px;margin:0 0 8px;background:#f6f8fa}"
    ".alerts .h3{border-color:#d55e00}.alerts .h2{border-color:#b37800}.alerts .h1{border-color:#0072b2}"
    ".alerts p{margin:0}.fix::before{content:'→ '}code{font:13px ui-monospace,monospace}dl{font-size:13px}dt{font-weight:600}"
    "dd{margin:0 0 4px;color:#59636e}:focus-visible{outline:3px solid #0a58ca;outline-offset:2px}"
    "@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}a{color:#58a6ff}.sub,.tile span,.why,dd{"
    "color:#9198a1}.tile,figure,.card,nav{border-color:#3d444d}th,td{border-color:#262c36}.alerts li{background:#151b23}"
    ".alerts .h3{border-color:#f28a3c}.alerts .h2{border-color:#e69f00}.alerts .h1{border-color:#56b4e9}"
    ".skip:focus{background:#0d1117}}@media print{.card{break-inside:avoid}}";

/* ---- pieces ---- */

Str page_count(int64_t n, Arena *arena)
{
    char digits[32], text[48];
    int len = snprintf(digits, sizeof digits, "%lld", (long long)n), k = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0 && digits[i - 1] != '-') text[k++] = ',';
        text[k++] = digits[i];
    }
    return arena_str(arena, (Str){text, (size_t)k});
}

Str page_number(double x, Arena *arena)
{
    if (isnan(x)) return STR("–");
    if (isinf(x)) return x > 0 ? STR("infinite") : STR("-infinite");
    return arena_format(arena, fabs(x) >= 1e7 || (x != 0 && fabs(x) < 1e-4) ? "%.4g" : "%.6g", x);
}

Str page_share(int64_t n, int64_t of, Arena *arena)
{
    Str count = page_count(n, arena);
    if (!of || !n) return count;
    return arena_format(arena, "%.*s (%.3g %%)", STR_ARG(count), 100 * (double)n / (double)of);
}

Str page_moment(int64_t us, Arena *arena)
{
    time_t seconds = (time_t)(us / 1000000 - (us % 1000000 < 0));
    struct tm tm;
    char text[64];
    if (!gmtime_r(&seconds, &tm)) return STR("–");
    text[strftime(text, sizeof text,
                  tm.tm_hour || tm.tm_min || tm.tm_sec ? "%Y-%m-%d %H:%M:%S" : "%Y-%m-%d", &tm)] =
        0;
    return arena_str(arena, str_of(text));
}

void page_text(Page *page, Str text, size_t max)
{
    size_t n = 0, i = 0;
    for (; i < text.len; i++) {
        bool starts = ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
        if (starts && n == max) break;
        n += starts;
    }
    html_add(page->out, str_slice(text, 0, i));
    if (i < text.len) strbuf_add(page->out, STR("…"));
}

void page_row(Page *page, const char *name, Str value, const char *term)
{
    const char *why = term ? explain_term(str_of(term)) : NULL;
    strbuf_addf(page->out, "<tr><th scope=\"row\">%s</th><td>%.*s</td><td class=\"why\">", name,
                STR_ARG(value));
    if (why) html_add(page->out, str_of(why));
    strbuf_add(page->out, STR("</td></tr>"));
}

void page_figure(Page *page, Figure *figure)
{
    if (page->out->len > PAGE_CHARTS_BYTES) {
        page->shortened = true;
        return;
    }
    AUTO_STRBUF StrBuf svg = STRBUF(CHART_BYTES_MAX);
    figure->id = ++page->figures;
    figure_svg(figure, false, &svg);
    if (svg.overflow || page->out->len + svg.len > PAGE_CHARTS_BYTES + 256 * 1024) {
        page->shortened = true;
        return;
    }
    strbuf_addf(page->out, "<figure%s>", figure->width > 500 ? " class=\"wide\"" : "");
    strbuf_add(page->out, strbuf_str(&svg));
    strbuf_add(page->out, STR("</figure>\n"));
}

void page_open(Page *page, Str title)
{
    strbuf_add(page->out,
               STR("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                   "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                   "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                   "style-src 'unsafe-inline'\"><title>"));
    html_add(page->out, title);
    strbuf_addf(page->out,
                "</title><style>%s%s</style></head><body>\n"
                "<a class=\"skip\" href=\"#main\">To the content</a><header><h1>",
                css, chart_css);
    html_add(page->out, title);
    strbuf_add(page->out, STR("</h1></header>\n<main id=\"main\">\n"));
}

void page_close(Page *page)
{
    if (page->shortened)
        strbuf_add(page->out, STR("<p>Some charts were left out, so that the page stays below 2 "
                                  "MiB; <code>clary chart</code> draws any of them.</p>\n"));
    strbuf_add(page->out, STR("</main></body></html>\n"));
}

static void tile(StrBuf *out, const char *name, Str value, const char *note)
{
    strbuf_addf(out, "<div class=\"tile\"><span>%s</span><b>%.*s</b>", name, STR_ARG(value));
    if (note) strbuf_addf(out, "<span>%s</span>", note);
    strbuf_add(out, STR("</div>"));
}

/* ---- sections ---- */

static double column_bytes(const Column *c)
{
    double n = (double)c->n_rows, bytes = c->valid ? n / 8 : 0;
    if (c->f32 || c->codes) bytes += 4 * n;
    if (c->f64 || c->time_us) bytes += 8 * n;
    if (c->offsets) bytes += 8 * n + (double)c->offsets[c->n_rows];
    return bytes + (c->bools ? n : 0);
}

static void add_overview(Page *page)
{
    const Profile *p = page->profile;
    ARENA(arena);
    double bytes = 0, cells = (double)p->n_rows * p->n_columns;
    int kinds[5] = {0};
    AUTO_STRBUF StrBuf types = STRBUF(1024);
    for (int32_t j = 0; j < p->n_columns; j++) {
        bytes += column_bytes(&p->frame->columns[j]);
        kinds[p->columns[j].type]++;
    }
    for (int k = 0; k < 5; k++)
        if (kinds[k])
            strbuf_addf(&types, "%s%d %s", types.len ? ", " : "", kinds[k],
                        column_type_name((ColumnType)k));
    strbuf_add(page->out, STR("<section id=\"overview\"><div class=\"tiles\">"));
    tile(page->out, "rows", page_count(p->n_rows, &arena), NULL);
    tile(page->out, "columns", page_count(p->n_columns, &arena), strbuf_cstr(&types));
    tile(page->out, "missing",
         arena_format(&arena, "%.2f %%", cells > 0 ? 100 * (double)p->missing_cells / cells : 0.0),
         arena_format(&arena, "%.*s complete rows", STR_ARG(page_count(p->complete_rows, &arena)))
             .ptr);
    tile(page->out, "duplicate rows", page_count(p->duplicate_rows, &arena), NULL);
    tile(page->out, "memory",
         bytes < 1e6 ? arena_format(&arena, "%.4g kB", bytes / 1e3)
                     : arena_format(&arena, "%.4g MB", bytes / 1e6),
         "as columns");
    tile(page->out, "figures", p->sampled ? STR("exact, ranks sampled") : STR("exact"),
         arena_format(&arena, "in %.2f s", p->seconds).ptr);
    if (p->target >= 0) {
        AUTO_STRBUF StrBuf name = STRBUF(4096);
        html_add(&name, p->columns[p->target].name);
        tile(page->out, "target", strbuf_str(&name), NULL);
    }
    strbuf_add(page->out, STR("</div></section>\n"));
}

static const char *alert_term(AlertKind kind)
{
    switch (kind) {
    case ALERT_LEAKAGE: return "leakage";
    case ALERT_MISSING: return "missing";
    case ALERT_DUPLICATES: return "duplicate rows";
    case ALERT_INFLATION: return "VIF";
    case ALERT_CORRELATION: return "Pearson";
    case ALERT_UNIQUE: return "near-unique";
    case ALERT_IMBALANCE: return "imbalance";
    case ALERT_OUTLIERS: return "outlier";
    case ALERT_SKEW: return "skewness";
    case ALERT_ZEROS: return "zeros";
    case ALERT_INFINITE: return "infinite";
    case ALERT_GAPS: return "gap";
    case ALERT_CONSTANT:
    case ALERT_MIXED:
    case ALERT_DRIFT: break;
    }
    return NULL;
}

static void add_alerts(Page *page)
{
    const Profile *p = page->profile;
    StrBuf *out = page->out;
    strbuf_addf(out, "<section id=\"alerts\"><h2>Alerts (%d)</h2>\n", p->n_alerts);
    strbuf_add(out,
               p->n_alerts ? STR("<ol class=\"alerts\">\n") : STR("<p>Nothing stands out.</p>\n"));
    for (int i = 0; i < p->n_alerts; i++) {
        const Alert *a = &p->alerts[i];
        const char *term = alert_term(a->kind);
        int grade = a->harm >= 70 ? 3 : a->harm >= 40 ? 2 : 1;
        strbuf_addf(out,
                    "<li class=\"h%d\"><p><b>%s</b> <span class=\"sub\">harm %.0f of 100</span> ",
                    grade, alert_name(a->kind), a->harm);
        html_add(out, a->text);
        if (a->column >= 0) strbuf_addf(out, " <a href=\"#c%d\">see the column</a>", a->column);
        strbuf_add(out, STR("</p><p class=\"fix\">"));
        html_add(out, a->remedy);
        strbuf_add(out, STR("</p>"));
        if (term) {
            strbuf_add(out, STR("<p class=\"why\">"));
            html_add(out, str_of(explain_term(str_of(term))));
            strbuf_add(out, STR("</p>"));
        }
        strbuf_add(out, STR("</li>\n"));
    }
    if (p->n_alerts) strbuf_add(out, STR("</ol>\n"));
    strbuf_add(out, STR("</section>\n"));
}

/* ---- the target ---- */

/* Rows for a picture on the page: all, or evenly spaced ones where points would make it large.  Above
 * PICTURE_POINTS_MAX the picture counts cells, and takes all. */
static int64_t thin(double *x, double *y, int64_t n)
{
    if (n <= SCATTER_ROWS || n > PICTURE_POINTS_MAX) return n;
    for (int64_t i = 0; i < SCATTER_ROWS; i++) {
        x[i] = x[i * n / SCATTER_ROWS];
        y[i] = y[i * n / SCATTER_ROWS];
    }
    return SCATTER_ROWS;
}

static bool draw_against_target(const Profile *p, int32_t j, Arena *arena, Figure *f)
{
    const Column *column = &p->frame->columns[j], *target = &p->frame->columns[p->target];
    double *x = picture_numbers(column, arena), *y = picture_numbers(target, arena);
    Groups a, b;
    bool target_groups = picture_groups(target, PICTURE_GROUPS_MAX, arena, &b);
    if (column->type == COLUMN_BOOL) x = NULL;
    if (target_groups && x)
        return picture_boxes(column->name, x, p->n_rows, target->name, &b, arena, f);
    if (x && y) {
        int64_t rows = thin(x, y, p->n_rows);
        bool drawn = picture_scatter(column->name, x, target->name, y, rows, NULL,
                                     column->type == COLUMN_TIME ? AXIS_TIME : AXIS_LINEAR, arena,
                                     f);
        if (rows < p->n_rows)
            f->note = arena_format(arena, "%.*s, evenly spaced of %.*s", STR_ARG(f->note),
                                   STR_ARG(page_count(p->n_rows, arena)));
        return drawn;
    }
    if (!picture_groups(column, PICTURE_GROUPS_MAX, arena, &a)) return false;
    if (target_groups)
        return picture_shares(column->name, &a, target->name, &b, p->n_rows, arena, f);
    return y && picture_boxes(target->name, y, p->n_rows, column->name, &a, arena, f);
}

static void add_target(Page *page)
{
    const Profile *p = page->profile;
    StrBuf *out = page->out;
    if (p->target < 0) return;
    ARENA(arena);
    int32_t *order = arena_array(&arena, int32_t, p->n_columns + 1), n = 0;
    for (int32_t j = 0; j < p->n_columns; j++) {
        if (isnan(p->relation[j])) continue;
        int32_t at = n++;
        for (; at > 0 && p->relation[order[at - 1]] < p->relation[j]; at--)
            order[at] = order[at - 1];
        order[at] = j;
    }
    strbuf_add(out, STR("<section id=\"target\"><h2>Against the target: "));
    page_text(page, p->columns[p->target].name, 80);
    strbuf_add(out, STR("</h2>\n"));
    if (!n) strbuf_add(out, STR("<p>No column can be held against it.</p>"));
    int32_t shown = MIN(n, (int32_t)25);
    if (shown) {
        double *zero = arena_array(&arena, double, shown),
               *low = arena_array(&arena, double, shown),
               *high = arena_array(&arena, double, shown),
               *length = arena_array(&arena, double, shown);
        Str *names = arena_array(&arena, Str, shown), *texts = arena_array(&arena, Str, shown);
        for (int32_t i = 0; i < shown; i++) {
            names[i] = p->columns[order[i]].name;
            low[i] = i - 0.38;
            high[i] = i + 0.38;
            length[i] = p->relation[order[i]];
            texts[i] = arena_format(&arena, "%s %.3f", p->relation_kind[order[i]], length[i]);
        }
        Figure f = {.title = STR("Which columns go with the target"),
                    .x = {.label = STR("0 unrelated, 1 determined"), .fixed = true, .high = 1},
                    .y = {.kind = AXIS_CATEGORY, .names = names, .n_names = shown, .down = true},
                    .width = 620,
                    .height = 90 + 21 * shown,
                    .alt = arena_format(
                        &arena,
                        "Columns ranked by their relation with the target; first %.*s with %.3f",
                        STR_ARG(names[0]), length[0])};
        FigureLayer *bars = figure_add(&f, MARK_RECT, shown);
        bars->x = zero;
        bars->x2 = length;
        bars->y = low;
        bars->y2 = high;
        bars->text = texts;
        page_figure(page, &f);
        strbuf_add(out, STR("<details><summary>As a table</summary><table><tr><th>column</th><th>"
                            "relation</th><th>measure</th></tr>"));
        for (int32_t i = 0; i < n && i < 200; i++) {
            strbuf_add(out, STR("<tr><th scope=\"row\">"));
            page_text(page, p->columns[order[i]].name, 60);
            strbuf_addf(out, "</th><td>%.4f</td><td>%s</td></tr>", p->relation[order[i]],
                        p->relation_kind[order[i]]);
        }
        strbuf_add(out, STR("</table></details>\n"));
    }
    strbuf_add(out, STR("<div class=\"charts\" style=\"margin-top:12px\">\n"));
    for (int32_t i = 0; i < MIN(n, (int32_t)TARGET_CHARTS); i++) {
        ARENA(scratch);
        Figure f = {0};
        if (draw_against_target(p, order[i], &scratch, &f)) page_figure(page, &f);
    }
    strbuf_add(out, STR("</div></section>\n"));
}

/* ---- relationships ---- */

typedef struct Pair {
    int32_t a, b; /* positions among the numbers */
    double r, rho;
} Pair;

static int by_strength(const void *a, const void *b)
{
    const Pair *x = a, *y = b;
    double p = fmax(fabs(x->r), fabs(x->rho)), q = fmax(fabs(y->r), fabs(y->rho));
    if (p != q) return p > q ? -1 : 1;
    return x->a != y->a ? x->a - y->a : x->b - y->b;
}

/* The numbers that a heat map shows: those with the strongest relation to any other. */
static int32_t heat_columns(const Profile *p, Arena *arena, int32_t *ret)
{
    int32_t n = p->n_numbers, kept = 0;
    double *best = arena_array(arena, double, n + 1);
    for (int32_t a = 0; a < n; a++)
        for (int32_t b = 0; b < n; b++)
            if (a != b && !isnan(p->pearson[a * n + b]))
                best[a] = fmax(best[a], fabs(p->pearson[a * n + b]));
    for (int32_t k = 0; k < MIN(n, (int32_t)SHOWN_COLUMNS_MAX); k++) {
        int32_t at = -1;
        for (int32_t a = 0; a < n; a++)
            if (best[a] >= 0 && (at < 0 || best[a] > best[at])) at = a;
        best[at] = -1;
        ret[kept++] = at;
    }
    return kept;
}

static void add_heat_maps(Page *page, Arena *arena)
{
    const Profile *p = page->profile;
    int32_t n = p->n_numbers, *some = arena_array(arena, int32_t, n + 1),
            k = heat_columns(p, arena, some), *cluster = arena_array(arena, int32_t, k + 1),
            *order = arena_array(arena, int32_t, k + 1);
    double *part = arena_array(arena, double, (size_t)k *(size_t)k + 1);
    Str *names = arena_array(arena, Str, n + 1);
    for (int32_t a = 0; a < n; a++) names[a] = p->columns[p->numbers[a]].name;
    for (int32_t a = 0; a < k; a++)
        for (int32_t b = 0; b < k; b++) part[a * k + b] = p->pearson[some[a] * n + some[b]];
    picture_cluster_order(part, k, cluster);
    for (int32_t a = 0; a < k; a++) order[a] = some[cluster[a]];
    Figure pearson = {0}, spearman = {0};
    strbuf_add(page->out,
               STR("<div class=\"charts\" style=\"grid-template-columns:repeat(auto-fill,"
                   "minmax(480px,1fr))\">\n"));
    if (picture_correlation(STR("Pearson's r, similar columns together"), p->pearson, n, order,
                            names, k, arena, &pearson))
        page_figure(page, &pearson);
    if (picture_correlation(p->sampled ? STR("Spearman's rho (100,000 rows)")
                                       : STR("Spearman's rho"),
                            p->spearman, n, order, names, k, arena, &spearman))
        page_figure(page, &spearman);
    strbuf_add(page->out, STR("</div>\n"));
    if (k < n)
        strbuf_addf(page->out, "<p>The %d of %d numeric columns with the strongest relations.</p>",
                    k, n);
}

static void add_pairs(Page *page, Arena *arena)
{
    const Profile *p = page->profile;
    int32_t n = p->n_numbers;
    int64_t count = 0;
    Pair *pairs = arena_array(arena, Pair, (size_t)n * (size_t)n / 2 + 1);
    for (int32_t a = 0; a < n; a++)
        for (int32_t b = a + 1; b < n; b++)
            if (!isnan(p->pearson[a * n + b]))
                pairs[count++] = (Pair){a, b, p->pearson[a * n + b], p->spearman[a * n + b]};
    qsort(pairs, (size_t)count, sizeof *pairs, by_strength);
    if (!count) return;
    Groups groups;
    const Groups *by = NULL;
    if (p->target >= 0 && p->n_rows <= SCATTER_ROWS &&
        picture_groups(&p->frame->columns[p->target], PICTURE_GROUPS_MAX, arena, &groups))
        by = &groups;
    strbuf_add(page->out, STR("<h3>Strongest pairs</h3><div class=\"charts\">\n"));
    for (int64_t i = 0; i < MIN(count, (int64_t)PAIR_CHARTS); i++) {
        ARENA(scratch);
        const Column *a = &p->frame->columns[p->numbers[pairs[i].a]],
                     *b = &p->frame->columns[p->numbers[pairs[i].b]];
        double *x = picture_numbers(a, &scratch), *y = picture_numbers(b, &scratch);
        Figure f = {0};
        int64_t rows = thin(x, y, p->n_rows);
        if (!picture_scatter(a->name, x, b->name, y, rows, by, AXIS_LINEAR, &scratch, &f)) continue;
        f.title = arena_format(&scratch, "%.*s (r = %+.3f)", STR_ARG(f.title), pairs[i].r);
        if (rows < p->n_rows)
            f.note = arena_format(&scratch, "%.*s, evenly spaced of %.*s", STR_ARG(f.note),
                                  STR_ARG(page_count(p->n_rows, &scratch)));
        page_figure(page, &f);
    }
    strbuf_add(page->out, STR("</div><details><summary>Pairs as a table</summary><table><tr><th>"
                              "columns</th><th></th><th>Pearson</th><th>Spearman</th></tr>"));
    for (int64_t i = 0; i < MIN(count, (int64_t)PAIR_ROWS); i++) {
        strbuf_add(page->out, STR("<tr><td>"));
        page_text(page, p->columns[p->numbers[pairs[i].a]].name, 40);
        strbuf_add(page->out, STR("</td><td>"));
        page_text(page, p->columns[p->numbers[pairs[i].b]].name, 40);
        strbuf_addf(page->out, "</td><td>%+.4f</td><td>%.*s</td></tr>", pairs[i].r,
                    STR_ARG(page_number(pairs[i].rho, arena)));
    }
    strbuf_add(page->out, STR("</table></details>\n"));
}

static void add_vif(Page *page, Arena *arena)
{
    const Profile *p = page->profile;
    strbuf_add(page->out, STR("<h3>Variance inflation (VIF)</h3><p class=\"why\">"));
    html_add(page->out, str_of(explain_term(STR("VIF"))));
    strbuf_add(page->out, STR("</p><table><tr><th>column</th><th>VIF</th><th></th></tr>"));
    int32_t shown = MIN(p->n_numbers, (int32_t)VIF_ROWS);
    bool *done = arena_array(arena, bool, p->n_numbers + 1);
    for (int32_t k = 0; k < shown; k++) {
        int32_t best = -1;
        for (int32_t j = 0; j < p->n_numbers; j++)
            if (!done[j] && (best < 0 || p->vif[j] > p->vif[best] ||
                             (isnan(p->vif[best]) && !isnan(p->vif[j]))))
                best = j;
        done[best] = true;
        double vif = p->vif[best];
        strbuf_add(page->out, STR("<tr><th scope=\"row\">"));
        page_text(page, p->columns[p->numbers[best]].name, 60);
        strbuf_addf(page->out, "</th><td>%.*s</td><td class=\"why\">%s</td></tr>",
                    STR_ARG(page_number(vif, arena)),
                    isnan(vif)   ? "constant"
                    : isinf(vif) ? "follows exactly from other columns"
                    : vif > 10   ? "very high"
                    : vif > 5    ? "high"
                                 : "");
    }
    strbuf_add(page->out, STR("</table>\n"));
    if (!isnan(p->condition))
        strbuf_addf(page->out, "<p>Condition number of the standardized columns: %.*s.</p>\n",
                    STR_ARG(page_number(p->condition, arena)));
}

static void add_relations(Page *page)
{
    const Profile *p = page->profile;
    if (p->n_numbers < 2) return;
    ARENA(arena);
    strbuf_add(page->out, STR("<section id=\"relations\"><h2>Relationships</h2>\n"));
    add_heat_maps(page, &arena);
    add_pairs(page, &arena);
    add_vif(page, &arena);
    strbuf_add(page->out, STR("</section>\n"));
}

/* ---- missing values and outliers ---- */

static void add_missing(Page *page)
{
    const Profile *p = page->profile;
    ARENA(arena);
    int32_t *columns = arena_array(&arena, int32_t, p->n_columns + 1), n = 0, shown;
    for (int32_t j = 0; j < p->n_columns; j++) {
        if (!p->columns[j].missing) continue;
        int32_t at = n++;
        for (; at > 0 && p->columns[columns[at - 1]].missing < p->columns[j].missing; at--)
            columns[at] = columns[at - 1];
        columns[at] = j;
    }
    strbuf_add(page->out, STR("<section id=\"missing\"><h2>Missing values</h2>\n"));
    if (!n) strbuf_add(page->out, STR("<p>Every row has every value.</p>"));
    shown = MIN(n, (int32_t)SHOWN_COLUMNS_MAX);
    Figure f = {0};
    if (picture_missing(p->frame, columns, shown, &arena, &f)) page_figure(page, &f);
    if (n) strbuf_add(page->out, STR("<details><summary>As a table</summary><table>"));
    for (int32_t i = 0; i < MIN(n, (int32_t)200); i++) {
        strbuf_add(page->out, STR("<tr><th scope=\"row\">"));
        page_text(page, p->columns[columns[i]].name, 60);
        strbuf_addf(page->out, "</th><td>%.*s</td></tr>",
                    STR_ARG(page_share(p->columns[columns[i]].missing, p->n_rows, &arena)));
    }
    if (n) strbuf_add(page->out, STR("</table></details>"));
    strbuf_add(page->out, STR("</section>\n"));
}

/* Mean and sample deviation of what lies inside of the fences. */
static void moments_inside(const Column *column, double low, double high, double *ret_mean,
                           double *ret_std)
{
    double sum = 0, squares = 0, n = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < column->n_rows; i++) {
            double x = column->f32 ? (double)column->f32[i] : column->f64[i];
            if (!(x >= low && x <= high)) continue;
            if (pass) {
                squares += (x - sum / n) * (x - sum / n);
            } else {
                sum += x;
                n++;
            }
        }
    *ret_mean = n > 0 ? sum / n : NAN;
    *ret_std = n > 1 ? sqrt(squares / (n - 1)) : NAN;
}

static void add_outliers(Page *page)
{
    const Profile *p = page->profile;
    StrBuf *out = page->out;
    int shown = 0;
    if (!p->n_numbers) return;
    strbuf_add(out, STR("<section id=\"outliers\"><h2>Outliers</h2><p class=\"why\">"));
    html_add(out, str_of(explain_term(STR("outlier"))));
    strbuf_add(
        out, STR("</p><div class=\"scroll\"><table><tr><th>column</th><th>z-score</th><th>modified "
                 "z-score</th><th>IQR rule</th><th>IQR fences</th><th>mean</th><th>without "
                 "them</th><th>std</th><th>without them</th></tr>\n"));
    for (int32_t k = 0; k < p->n_numbers && shown < 100; k++) {
        const ColumnProfile *c = &p->columns[p->numbers[k]];
        const Univariate *u = &c->number;
        const Fences *rules[] = {&u->z, &u->modified_z, &u->tukey};
        ARENA(arena);
        double mean, std;
        int64_t any = 0;
        for (int i = 0; i < 3; i++) any += rules[i]->below + rules[i]->above;
        if (!any) continue;
        shown++;
        strbuf_add(out, STR("<tr><th scope=\"row\">"));
        page_text(page, c->name, 40);
        strbuf_add(out, STR("</th>"));
        for (int i = 0; i < 3; i++)
            strbuf_addf(out, "<td>%.*s</td>",
                        STR_ARG(isnan(rules[i]->low)
                                    ? STR("–")
                                    : page_share(rules[i]->below + rules[i]->above, u->n, &arena)));
        moments_inside(&p->frame->columns[p->numbers[k]], u->tukey.low, u->tukey.high, &mean, &std);
        strbuf_addf(
            out, "<td>%.*s to %.*s</td><td>%.*s</td><td>%.*s</td><td>%.*s</td><td>%.*s</td></tr>\n",
            STR_ARG(page_number(u->tukey.low, &arena)), STR_ARG(page_number(u->tukey.high, &arena)),
            STR_ARG(page_number(u->mean, &arena)), STR_ARG(page_number(mean, &arena)),
            STR_ARG(page_number(u->std, &arena)), STR_ARG(page_number(std, &arena)));
    }
    strbuf_add(out, STR("</table></div>"));
    if (!shown) strbuf_add(out, STR("<p>No rule finds any.</p>"));
    strbuf_add(out, STR("<dl>"));
    static const char *const words[] = {"z-score", "modified z-score", "IQR", "box plot"};
    for (size_t i = 0; i < COUNT(words); i++)
        strbuf_addf(out, "<dt>%s</dt><dd>%s</dd>", words[i], explain_term(str_of(words[i])));
    strbuf_add(out, STR("</dl></section>\n"));
}

/* ---- rows ---- */

static void add_row(Page *page, int64_t row, int32_t columns)
{
    ARENA(arena);
    strbuf_addf(page->out, "<tr><th scope=\"row\">%lld</th>", (long long)row + 1);
    for (int32_t j = 0; j < columns; j++) {
        strbuf_add(page->out, STR("<td>"));
        page_text(page, column_text(&page->profile->frame->columns[j], row, &arena), 40);
        strbuf_add(page->out, STR("</td>"));
    }
    strbuf_add(page->out, STR("</tr>\n"));
}

static void add_rows(Page *page)
{
    const Profile *p = page->profile;
    int64_t n = p->n_rows, first = MIN(n, (int64_t)SAMPLE_ROWS);
    int32_t columns = MIN(p->n_columns, (int32_t)SAMPLE_COLUMNS);
    Random random = random_stream(20261125, 0);
    strbuf_add(page->out, STR("<section id=\"rows\"><h2>Rows</h2>\n"));
    for (int part = 0; part < 3; part++) {
        static const char *const heads[] = {"First rows", "Random rows", "Last rows"};
        if (part && n <= 3 * SAMPLE_ROWS) break;
        strbuf_addf(page->out,
                    "<h3>%s</h3><div class=\"scroll\" tabindex=\"0\"><table><tr><th>row</th>",
                    n <= 3 * SAMPLE_ROWS ? "All rows" : heads[part]);
        for (int32_t j = 0; j < columns; j++) {
            strbuf_add(page->out, STR("<th scope=\"col\">"));
            page_text(page, p->columns[j].name, 40);
            strbuf_add(page->out, STR("</th>"));
        }
        strbuf_add(page->out, STR("</tr>\n"));
        for (int64_t i = 0; i < (n <= 3 * SAMPLE_ROWS ? n : first); i++)
            add_row(page,
                    part == 0   ? i
                    : part == 1 ? (int64_t)(random_unit(random, (uint64_t)i) * (double)n)
                                : n - first + i,
                    columns);
        strbuf_add(page->out, STR("</table></div>\n"));
    }
    if (columns < p->n_columns)
        strbuf_addf(page->out, "<p>The first %d of %d columns.</p>", columns, p->n_columns);
    strbuf_add(page->out, STR("</section>\n"));
}

bool profile_page(const Profile *profile, Str title, StrBuf *out, Error *err)
{
    Page page = {.profile = profile, .out = out};
    page_open(&page, title);
    strbuf_add(out, STR("<nav aria-label=\"sections\"><a href=\"#alerts\">Alerts</a>"));
    if (profile->target >= 0) strbuf_add(out, STR("<a href=\"#target\">Target</a>"));
    if (profile->n_numbers > 1) strbuf_add(out, STR("<a href=\"#relations\">Relationships</a>"));
    strbuf_add(out, STR("<a href=\"#missing\">Missing values</a>"));
    if (profile->n_numbers) strbuf_add(out, STR("<a href=\"#outliers\">Outliers</a>"));
    strbuf_add(out, STR("<a href=\"#rows\">Rows</a><a href=\"#columns\">Columns</a></nav>\n"));
    add_overview(&page);
    add_alerts(&page);
    add_target(&page);
    add_relations(&page);
    add_missing(&page);
    add_outliers(&page);
    add_rows(&page);
    page_columns(&page);
    page_close(&page);
    if (out->overflow)
        return error_set(err, ERROR_LIMIT,
                         "the page is larger than 2 MiB: choose fewer columns, or take --json");
    return true;
}
