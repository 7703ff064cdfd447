/* Two tables compared, as a page: what changed most comes first. */

#include "explore/page.h"

#include "chart/chart.h"

#include <math.h>
#include <stdlib.h>

enum { DRAWN_MAX = 24, BINS = 30, ROWS_MAX = 2000 };

static int by_psi(const void *a, const void *b)
{
    const Drift *x = *(const Drift *const *)a, *y = *(const Drift *const *)b;
    double p = isnan(x->psi) ? -1 : x->psi, q = isnan(y->psi) ? -1 : y->psi;
    return p > q ? -1 : p < q;
}

/* Both distributions as shares: bars for then, a stepped line for now. */
static bool draw_numbers(const Column *before, const Column *after, Arena *arena, Figure *f)
{
    const Column *columns[2] = {before, after};
    double *values[2], low = INFINITY, high = -INFINITY, *shares[2];
    for (int t = 0; t < 2; t++) {
        values[t] = picture_numbers(columns[t], arena);
        shares[t] = arena_array(arena, double, BINS);
        for (int64_t i = 0; i < columns[t]->n_rows; i++) {
            low = fmin(low, values[t][i]);
            high = fmax(high, values[t][i]);
        }
    }
    if (!(low <= high)) return false;
    if (low == high) {
        low -= 0.5;
        high += 0.5;
    }
    int64_t n[2] = {0};
    for (int t = 0; t < 2; t++) {
        for (int64_t i = 0; i < columns[t]->n_rows; i++) {
            if (isnan(values[t][i])) continue;
            shares[t][MIN(BINS - 1, (int)((values[t][i] - low) / (high - low) * BINS))]++;
            n[t]++;
        }
        for (int b = 0; b < BINS && n[t]; b++) shares[t][b] /= (double)n[t];
    }
    double *x = arena_array(arena, double, BINS), *x2 = arena_array(arena, double, BINS),
           *zero = arena_array(arena, double, BINS), *sx = arena_array(arena, double, 2 * BINS),
           *sy = arena_array(arena, double, 2 * BINS);
    for (int b = 0; b < BINS; b++) {
        x[b] = low + (high - low) * b / BINS;
        x2[b] = low + (high - low) * (b + 1) / BINS;
        sx[2 * b] = x[b];
        sx[2 * b + 1] = x2[b];
        sy[2 * b] = sy[2 * b + 1] = shares[1][b];
    }
    FigureLayer *bars = figure_add(f, MARK_RECT, BINS), *line;
    *bars = (FigureLayer){.mark = MARK_RECT,
                          .tint = TINT_QUIET,
                          .name = STR("then"),
                          .n = BINS,
                          .x = x,
                          .y = zero,
                          .x2 = x2,
                          .y2 = shares[0]};
    line = figure_add(f, MARK_LINE, 2 * BINS);
    *line = (FigureLayer){.mark = MARK_LINE, .name = STR("now"), .n = 2 * BINS, .x = sx, .y = sy};
    f->x.kind = before->type == COLUMN_TIME ? AXIS_TIME : AXIS_LINEAR;
    f->y.label = STR("share");
    f->y.from_zero = true;
    f->note = arena_format(arena, "n = %lld then, %lld now", (long long)n[0], (long long)n[1]);
    return true;
}

static bool draw_categories(const Column *before, const Column *after, Arena *arena, Figure *f)
{
    enum { SHOWN = 10 };
    Groups a, b;
    if (!picture_groups(before, SHOWN, arena, &a) || !picture_groups(after, INT32_MAX, arena, &b))
        return false;
    double n[2] = {0};
    for (int32_t k = 0; k < a.n; k++) n[0] += (double)a.counts[k];
    for (int32_t k = 0; k < b.n; k++) n[1] += (double)b.counts[k];
    for (int t = 0; t < 2; t++) {
        double *x = arena_array(arena, double, a.n), *y = arena_array(arena, double, a.n),
               *x2 = arena_array(arena, double, a.n), *y2 = arena_array(arena, double, a.n);
        double rest = 1;
        for (int32_t k = 0; k < a.n; k++) {
            bool other = str_is(a.names[k], "other") && k == a.n - 1;
            y[k] = k + (t ? 0.02 : -0.38);
            y2[k] = k + (t ? 0.38 : -0.02);
            if (!t) {
                x2[k] = (double)a.counts[k] / n[0];
                continue;
            }
            for (int32_t i = 0; i < b.n && n[1] > 0; i++)
                if (str_eq(a.names[k], b.names[i])) x2[k] = (double)b.counts[i] / n[1];
            if (other) x2[k] = MAX(0.0, rest);
            rest -= x2[k];
        }
        FigureLayer *bars = figure_add(f, MARK_RECT, a.n);
        *bars = (FigureLayer){.mark = MARK_RECT,
                              .series = t,
                              .name = t ? STR("now") : STR("then"),
                              .tint = t ? TINT_SERIES : TINT_QUIET,
                              .n = a.n,
                              .x = x,
                              .y = y,
                              .x2 = x2,
                              .y2 = y2};
    }
    f->y.kind = AXIS_CATEGORY;
    f->y.names = a.names;
    f->y.n_names = a.n;
    f->y.down = true;
    f->x.from_zero = true;
    f->x.label = STR("share");
    f->height = 110 + 26 * a.n;
    f->note = arena_format(arena, "n = %.0f then, %.0f now", n[0], n[1]);
    return true;
}

static void add_row(Page *page, const Drift *d, Arena *arena)
{
    StrBuf *out = page->out;
    strbuf_add(out, STR("<tr><th scope=\"row\">"));
    page_text(page, d->name, 60);
    strbuf_addf(out, "</th><td>%s</td><td>%s</td>", column_type_name(d->type),
                d->only_before  ? "<b>is gone</b>"
                : d->only_after ? "<b>is new</b>"
                                : drift_word(d->psi));
    const double values[] = {d->psi, d->js, d->statistic, d->p, d->mean_before, d->mean_after};
    for (size_t i = 0; i < COUNT(values); i++)
        strbuf_addf(out, "<td>%.*s</td>", STR_ARG(page_number(values[i], arena)));
    if (d->only_before || d->only_after)
        strbuf_add(out, STR("<td></td><td></td></tr>\n"));
    else
        strbuf_addf(out, "<td>%.1f %%</td><td>%.1f %%</td></tr>\n", 100 * d->missing_before,
                    100 * d->missing_after);
}

bool drift_page(const Frame *before, const Frame *after, const Drift *drift, int32_t n, Str title,
                Str against, StrBuf *out, Error *err)
{
    ARENA(arena);
    Page page = {.out = out};
    const Drift **order = arena_array(&arena, const Drift *, n + 1);
    int changed = 0, shifted = 0, drawn = 0;
    for (int32_t j = 0; j < n; j++) {
        order[j] = &drift[j];
        changed += drift[j].psi >= 0.25;
        shifted += drift[j].psi >= 0.1 && drift[j].psi < 0.25;
    }
    qsort(order, (size_t)n, sizeof *order, by_psi);
    page_open(&page, title);
    strbuf_add(out, STR("<p class=\"sub\">now, against then: "));
    page_text(&page, against, 200);
    strbuf_addf(
        out,
        "</p><div class=\"tiles\"><div class=\"tile\"><span>rows then</span><b>%.*s</b></div>"
        "<div class=\"tile\"><span>rows now</span><b>%.*s</b></div><div class=\"tile\"><span>"
        "columns changed</span><b>%d</b></div><div class=\"tile\"><span>shifted</span><b>%d</b>"
        "</div></div>\n<section><h2>Column by column</h2><div class=\"scroll\"><table><tr>"
        "<th>column</th><th>type</th><th></th><th>PSI</th><th>JS</th><th>KS / chi-square</th>"
        "<th>p</th><th>mean then</th><th>mean now</th><th>missing then</th><th>missing now"
        "</th></tr>\n",
        STR_ARG(page_count(before->n_rows, &arena)), STR_ARG(page_count(after->n_rows, &arena)),
        changed, shifted);
    for (int32_t j = 0; j < MIN(n, (int32_t)ROWS_MAX); j++) add_row(&page, order[j], &arena);
    strbuf_add(out, STR("</table></div>\n"));
    if (n > ROWS_MAX)
        strbuf_addf(out, "<p>The %d columns that changed most, of %d; --json has all.</p>",
                    ROWS_MAX, n);
    static const char *const words[] = {"PSI", "Jensen-Shannon", "KS", "chi-square", "p-value"};
    strbuf_add(out, STR("<dl>"));
    for (size_t i = 0; i < COUNT(words); i++)
        strbuf_addf(out, "<dt>%s</dt><dd>%s</dd>", words[i], explain_term(str_of(words[i])));
    strbuf_add(out, STR("</dl></section>\n<section><h2>Distributions, most changed first</h2>"
                        "<div class=\"charts\">\n"));
    for (int32_t j = 0; j < n && drawn < DRAWN_MAX; j++) {
        const Drift *d = order[j];
        ARENA(scratch);
        const Column *a = frame_column(before, d->name), *b = frame_column(after, d->name);
        Figure figure = {0};
        if (!a || !b || a->type != b->type) continue;
        if (!(a->type == COLUMN_NUMBER     ? draw_numbers(a, b, &scratch, &figure)
              : a->type == COLUMN_CATEGORY ? draw_categories(a, b, &scratch, &figure)
                                           : false))
            continue;
        figure.title = arena_format(&scratch, "%.*s: PSI %.3f, %s", STR_ARG(d->name), d->psi,
                                    drift_word(d->psi));
        figure.alt = arena_format(&scratch, "Distribution of %.*s then and now; PSI %.3f",
                                  STR_ARG(d->name), d->psi);
        page_figure(&page, &figure);
        drawn++;
    }
    strbuf_add(out, STR("</div></section>\n"));
    page_close(&page);
    if (out->overflow) return error_set(err, ERROR_LIMIT, "the page is larger than 2 MiB");
    return true;
}
