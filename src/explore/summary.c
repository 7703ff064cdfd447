/* The profile as text that fits a terminal. */

#include "base/memory.h"
#include "explore/profile.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

enum { ALERTS_SHOWN = 15, RELATIONS_SHOWN = 12, NAME_WIDTH = 20, BARS = 12 };

static void add_clipped(StrBuf *out, Str text, int width)
{
    int shown = 0;
    size_t i = 0;
    while (i < text.len && shown < width) {
        size_t next = i + 1;
        while (next < text.len && ((unsigned char)text.ptr[next] & 0xc0) == 0x80) next++;
        bool last = shown + 1 == width && next < text.len;
        if (last)
            strbuf_add(out, STR("…"));
        else if ((unsigned char)text.ptr[i] < 32)
            strbuf_add_char(out, ' ');
        else
            strbuf_add(out, str_slice(text, i, next));
        shown++;
        i = next;
    }
    for (; shown < width; shown++) strbuf_add_char(out, ' ');
}

static void add_wrapped(StrBuf *out, Str text, int indent, int width)
{
    int column = indent;
    Str word;
    while (str_next(&text, ' ', &word)) {
        if (column > indent && column + 1 + (int)word.len > width) {
            strbuf_addf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            strbuf_add_char(out, ' ');
            column++;
        }
        strbuf_add(out, word);
        column += (int)word.len;
    }
    strbuf_add_char(out, '\n');
}

/* The histogram in eight heights. */
static void add_bars(StrBuf *out, const ColumnProfile *c)
{
    static const char *const heights[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    double bars[BARS] = {0}, most = 0;
    int n_bars = MIN(BARS, c->n_bins);
    for (int b = 0; b < c->n_bins; b++) bars[b * n_bars / c->n_bins] += (double)c->counts[b];
    for (int b = 0; b < n_bars; b++) most = MAX(most, bars[b]);
    for (int b = 0; b < n_bars && most > 0; b++)
        strbuf_add(out, bars[b] > 0 ? str_of(heights[(int)MIN(7.0, floor(bars[b] / most * 7.999))])
                                    : STR(" "));
}

static const char *short_number(double x, char buffer[static 24])
{
    if (isnan(x)) return "-";
    snprintf(buffer, 24, fabs(x) >= 1e6 || (x != 0 && fabs(x) < 1e-3) ? "%.3g" : "%.5g", x);
    return buffer;
}

static void add_time(StrBuf *out, int64_t us)
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    char text[32];
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof text,
             tm.tm_hour || tm.tm_min || tm.tm_sec ? "%Y-%m-%d %H:%M" : "%Y-%m-%d", &tm);
    strbuf_add(out, str_of(text));
}

static void add_column(const ColumnProfile *c, int width, StrBuf *out)
{
    char a[24], b[24], d[24], e[24], f[24];
    add_clipped(out, c->name, NAME_WIDTH);
    strbuf_addf(out, " %-8s %9lld %6.1f%% ", column_type_name(c->type), (long long)c->distinct,
                c->n_rows ? 100 * (double)c->missing / (double)c->n_rows : 0.0);
    if (c->type == COLUMN_NUMBER && c->n) {
        const Univariate *u = &c->number;
        strbuf_addf(out, "%10s %9s %10s %10s %10s  ", short_number(u->mean, a),
                    short_number(u->std, b), short_number(u->min, d), short_number(u->median, e),
                    short_number(u->max, f));
        add_bars(out, c);
    } else if (c->type == COLUMN_TIME && c->n) {
        add_time(out, c->first_us);
        strbuf_add(out, STR(" to "));
        add_time(out, c->last_us);
    } else if (c->n_top) {
        int room = MAX(20, width - NAME_WIDTH - 28), shown = 0;
        for (int i = 0; i < MIN(c->n_top, 4) && room > 12; i++) {
            int take = (int)MIN((size_t)18, MAX((size_t)1, c->top[i].text.len));
            if (shown++) strbuf_add(out, STR(", "));
            add_clipped(out, c->top[i].text.len ? c->top[i].text : STR("\"\""), take);
            strbuf_addf(out, " %.0f%%",
                        100 * (double)c->top[i].count / (double)MAX(c->n, (int64_t)1));
            room -= take + 7;
        }
    }
    strbuf_add_char(out, '\n');
}

static void add_alerts(const Profile *p, int width, StrBuf *out)
{
    strbuf_addf(out, "\nAlerts (%d)\n", p->n_alerts);
    if (!p->n_alerts) strbuf_add(out, STR("  nothing stands out\n"));
    for (int i = 0; i < MIN(p->n_alerts, ALERTS_SHOWN); i++) {
        const Alert *alert = &p->alerts[i];
        strbuf_addf(out, "  %-18s ", alert_name(alert->kind));
        add_wrapped(out, alert->text, 21, width);
        strbuf_addf(out, "%19s→ ", "");
        add_wrapped(out, alert->remedy, 21, width);
    }
    if (p->n_alerts > ALERTS_SHOWN)
        strbuf_addf(out, "  ... and %d more (--json has all)\n", p->n_alerts - ALERTS_SHOWN);
}

static void add_relations(const Profile *p, StrBuf *out)
{
    ARENA(arena);
    bool *shown = arena_array(&arena, bool, p->n_columns + 1);
    strbuf_addf(out, "\nWith the target '%.*s' (0 unrelated, 1 determined)\n",
                STR_ARG(p->columns[p->target].name));
    for (int k = 0; k < RELATIONS_SHOWN; k++) {
        int32_t best = -1;
        for (int32_t j = 0; j < p->n_columns; j++)
            if (!shown[j] && !isnan(p->relation[j]) &&
                (best < 0 || p->relation[j] > p->relation[best]))
                best = j;
        if (best < 0) break;
        shown[best] = true;
        strbuf_add(out, STR("  "));
        add_clipped(out, p->columns[best].name, NAME_WIDTH);
        strbuf_addf(out, " %-4s %.3f  ", p->relation_kind[best], p->relation[best]);
        for (int b = 0; b < (int)(p->relation[best] * 30 + 0.5); b++) strbuf_add(out, STR("█"));
        strbuf_add_char(out, '\n');
    }
}

void profile_summary(const Profile *p, Str title, int width, StrBuf *out)
{
    double cells = (double)p->n_rows * (double)p->n_columns;
    strbuf_addf(
        out,
        "%.*s: %lld rows, %d columns (%d numeric), %.1f %% of the values missing, %lld duplicate rows; %.2f s\n",
        STR_ARG(title), (long long)p->n_rows, p->n_columns, p->n_numbers,
        cells > 0 ? 100 * (double)p->missing_cells / cells : 0.0, (long long)p->duplicate_rows,
        p->seconds);
    add_alerts(p, width, out);
    if (p->target >= 0) add_relations(p, out);
    strbuf_add_char(out, '\n');
    add_clipped(out, STR("column"), NAME_WIDTH);
    strbuf_addf(out, " %-8s %9s %7s %10s %9s %10s %10s %10s  %s\n", "type", "distinct", "missing",
                "mean", "std", "min", "median", "max", "histogram");
    for (int32_t j = 0; j < p->n_columns; j++) add_column(&p->columns[j], width, out);
    if (p->sampled)
        strbuf_addf(out, "\nRank correlations are of %d rows; everything else is of all rows.\n",
                    PROFILE_SAMPLE_ROWS);
}
