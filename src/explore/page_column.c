/* A card for every column: its statistics with their meaning, its distribution, its values. */

#include "explore/page.h"

#include "chart/chart.h"

#include <math.h>

enum { OPEN_MAX = 12, PLAIN_BYTES = 1900 * 1024 };

static void add_number(Page *page, const ColumnProfile *c, Arena *arena)
{
    const Univariate *u = &c->number;
    const struct {
        const char *name;
        double value;
        const char *term;
    } rows[] = {
        {"mean", u->mean, "mean"},
        {"standard deviation", u->std, "standard deviation"},
        {"variation", u->variation, "variation"},
        {"minimum", u->min, "minimum"},
        {"5th percentile", u->p05, "percentile"},
        {"first quartile", u->q1, "quartile"},
        {"median", u->median, "median"},
        {"third quartile", u->q3, NULL},
        {"95th percentile", u->p95, NULL},
        {"maximum", u->max, "maximum"},
        {"IQR", u->iqr, "IQR"},
        {"MAD", u->mad, "MAD"},
        {"skewness", u->skewness, "skewness"},
        {"kurtosis (excess)", u->kurtosis, "kurtosis"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        page_row(page, rows[i].name, page_number(rows[i].value, arena), rows[i].term);
    if (u->n)
        page_row(page, "mode",
                 arena_format(arena, "%.*s (%.*s)", STR_ARG(page_number(u->mode, arena)),
                              STR_ARG(page_share(u->mode_count, u->n, arena))),
                 "mode");
    page_row(page, "zeros", page_share(u->zeros, u->n, arena), "zeros");
    page_row(page, "negative", page_share(u->negative, u->n, arena), NULL);
    if (u->infinite) page_row(page, "infinite", page_count(u->infinite, arena), "infinite");
}

static void add_words(Page *page, const ColumnProfile *c, Arena *arena)
{
    page_row(page, "length",
             arena_format(arena, "%lld to %lld, mean %.1f", (long long)c->length_min,
                          (long long)c->length_max, c->length_mean),
             "length");
    page_row(page, "empty or blank", page_share(c->empty, c->n, arena), NULL);
    if (c->numeric) page_row(page, "are numbers", page_share(c->numeric, c->n, arena), NULL);
    if (!isnan(c->entropy))
        page_row(page, "entropy", arena_format(arena, "%.3f bits", c->entropy), "entropy");
}

static void add_time(Page *page, const ColumnProfile *c, Arena *arena)
{
    if (!c->n) return;
    page_row(page, "first", page_moment(c->first_us, arena), NULL);
    page_row(page, "last", page_moment(c->last_us, arena), NULL);
    if (!isnan(c->gap_median))
        page_row(page, "usual step", arena_format(arena, "%.6g days", c->gap_median / 86400), NULL);
    if (!isnan(c->gap_max))
        page_row(page, "longest step", arena_format(arena, "%.6g days", c->gap_max / 86400), "gap");
    page_row(page, "gaps", page_count(c->gaps, arena), NULL);
}

static void add_top(Page *page, const ColumnProfile *c, Arena *arena)
{
    if (!c->n_top || c->top[0].count < 2) return;
    strbuf_add(page->out, STR("<details><summary>Most frequent values</summary><table>"));
    for (int i = 0; i < c->n_top; i++) {
        strbuf_add(page->out, STR("<tr><th scope=\"row\">"));
        page_text(page, c->top[i].text.len ? c->top[i].text : STR("(empty)"), 60);
        strbuf_addf(page->out, "</th><td>%.*s</td></tr>",
                    STR_ARG(page_share(c->top[i].count, c->n, arena)));
    }
    strbuf_add(page->out, STR("</table></details>"));
}

static void add_histogram_table(Page *page, const ColumnProfile *c, Arena *arena)
{
    if (c->type != COLUMN_NUMBER || c->n_bins < 2) return;
    strbuf_add(page->out, STR("<details><summary>Histogram as a table</summary><table>"));
    for (int b = 0; b < c->n_bins; b++) {
        double width = (c->high - c->low) / c->n_bins;
        strbuf_addf(page->out, "<tr><th scope=\"row\">%.*s to %.*s</th><td>%lld</td></tr>",
                    STR_ARG(page_number(c->low + width * b, arena)),
                    STR_ARG(page_number(c->low + width * (b + 1), arena)), (long long)c->counts[b]);
    }
    strbuf_add(page->out, STR("</table></details>"));
}

static void add_card(Page *page, int32_t j, bool open)
{
    const ColumnProfile *c = &page->profile->columns[j];
    ARENA(arena);
    Figure figure = {0};
    StrBuf *out = page->out;
    strbuf_addf(out, "<details class=\"card\" id=\"c%d\"%s><summary><b>", j, open ? " open" : "");
    page_text(page, c->name, 80);
    strbuf_addf(out, "</b> <span class=\"sub\">%s%s, %.*s distinct", column_type_name(c->type),
                j == page->profile->target ? ", the target" : "",
                STR_ARG(page_count(c->distinct, &arena)));
    if (c->missing)
        strbuf_addf(out, ", %.1f %% missing", 100 * (double)c->missing / (double)c->n_rows);
    strbuf_add(out, STR("</span></summary><div class=\"two\"><div class=\"scroll\"><table>"));
    page_row(page, "count", page_count(c->n, &arena), "count");
    page_row(page, "missing", page_share(c->missing, c->n_rows, &arena), "missing");
    page_row(page, "distinct", page_share(c->distinct, c->n, &arena), "distinct");
    switch (c->type) {
    case COLUMN_NUMBER: add_number(page, c, &arena); break;
    case COLUMN_CATEGORY:
    case COLUMN_TEXT: add_words(page, c, &arena); break;
    case COLUMN_TIME: add_time(page, c, &arena); break;
    case COLUMN_BOOL: break;
    }
    strbuf_add(out, STR("</table></div><div>"));
    if (!c->n) strbuf_add(out, STR("<p>No row has a value here.</p>"));
    bool drawn = c->type == COLUMN_NUMBER || c->type == COLUMN_TIME
                     ? picture_histogram(c, &arena, &figure)
                     : picture_top(c, &arena, &figure);
    if (drawn) page_figure(page, &figure);
    if (c->type == COLUMN_NUMBER || !drawn) add_top(page, c, &arena);
    add_histogram_table(page, c, &arena);
    strbuf_add(out, STR("</div></div></details>\n"));
}

/* One line a column, for what no longer fits as a card. */
static void add_line(Page *page, int32_t j)
{
    const ColumnProfile *c = &page->profile->columns[j];
    ARENA(arena);
    strbuf_add(page->out, STR("<tr><th scope=\"row\">"));
    page_text(page, c->name, 40);
    strbuf_addf(page->out, "</th><td>%s</td><td>%.*s</td><td>%.*s</td>", column_type_name(c->type),
                STR_ARG(page_count(c->distinct, &arena)), STR_ARG(page_count(c->missing, &arena)));
    if (c->type == COLUMN_NUMBER && c->n)
        strbuf_addf(page->out, "<td>%.*s</td><td>%.*s</td><td>%.*s</td>",
                    STR_ARG(page_number(c->number.mean, &arena)),
                    STR_ARG(page_number(c->number.min, &arena)),
                    STR_ARG(page_number(c->number.max, &arena)));
    else
        strbuf_add(page->out, STR("<td></td><td></td><td></td>"));
    strbuf_add(page->out, STR("</tr>\n"));
}

void page_columns(Page *page)
{
    const Profile *p = page->profile;
    int32_t j = 0;
    strbuf_add(page->out, STR("<section id=\"columns\"><h2>Columns</h2>\n"));
    for (; j < p->n_columns && page->out->len < PAGE_CHARTS_BYTES; j++)
        add_card(page, j, j < OPEN_MAX);
    if (j < p->n_columns) {
        strbuf_addf(page->out,
                    "<p>%d more columns, in short so that the page stays small; "
                    "<code>--json</code> has everything.</p><div class=\"scroll\"><table><tr>"
                    "<th>column</th><th>type</th><th>distinct</th><th>missing</th><th>mean</th>"
                    "<th>minimum</th><th>maximum</th></tr>\n",
                    p->n_columns - j);
        for (; j < p->n_columns && page->out->len < PLAIN_BYTES; j++) add_line(page, j);
        strbuf_add(page->out, STR("</table></div>\n"));
        if (j < p->n_columns)
            strbuf_addf(page->out, "<p>%d further columns are only in <code>--json</code>.</p>\n",
                        p->n_columns - j);
    }
    strbuf_add(page->out, STR("</section>\n"));
}
