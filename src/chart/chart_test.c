#include "chart/chart.h"

#include "base/test.h"
#include "chart/figure.h"

#include <math.h>

TEST(chart, ticks_are_round_and_inside)
{
    double ticks[12];
    CHECK_INT(chart_ticks(0, 1, 7, ticks), 6);
    CHECK_NEAR(ticks[1], 0.2, 1e-12);
    CHECK_INT(chart_ticks(-3, 97, 7, ticks), 5);
    CHECK_NEAR(ticks[0], 0, 1e-12);
    CHECK_INT(chart_ticks(5, 5, 7, ticks), 0);
    CHECK_INT(chart_ticks(0, INFINITY, 7, ticks), 0);
}

TEST(chart, names_cannot_break_out)
{
    AUTO_STRBUF StrBuf out = STRBUF(1 << 16);
    double x[] = {0, 1}, y[] = {1, NAN};
    Chart chart = {.title = STR("<script>\"&\x01")};
    chart_add(&chart, "a", CHART_LINE, x, y, 2);
    chart_svg(&chart, true, &out);
    CHECK(!str_has(strbuf_str(&out), STR("<script>")));
    CHECK(str_has(strbuf_str(&out), STR("&lt;script&gt;&quot;&amp; ")));
}

TEST(chart, a_million_points_make_a_small_file)
{
    enum { N = 1000000 };
    static double x[N], y[N];
    for (int i = 0; i < N; i++) {
        x[i] = i;
        y[i] = sin(i * 0.001);
    }
    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    Chart chart = {.title = STR("sine")};
    chart_add(&chart, "sine", CHART_LINE, x, y, N);
    chart_svg(&chart, true, &out);
    CHECK(!out.overflow && out.len < 64 * 1024);
}

TEST(chart, figures_draw_every_mark)
{
    const double x[] = {0, 1, 2}, y[] = {1, 3, 2}, x2[] = {1, 2, 3}, zero[] = {0, 0, 0},
                 share[] = {0, 0.5, 1}, part[] = {0, 0.25}, part2[] = {0.25, 1};
    const Str words[] = {STR("a"), STR("<b>"), STR("c")};
    static const char *const wants[] = {"<rect", "<path", "<rect", "<path",
                                        "<line", "<text", "<path"};
    for (int mark = MARK_RECT; mark <= MARK_SLICE; mark++) {
        Figure f = {.title = STR("one \"mark\""), .id = 7, .x.label = STR("x & y")};
        FigureLayer *layer = figure_add(&f, (FigureMark)mark, mark == MARK_SLICE ? 2 : 3);
        layer->x = mark == MARK_SLICE ? part : x;
        layer->x2 = mark == MARK_SLICE ? part2 : x2;
        layer->y = y;
        layer->y2 = mark == MARK_AREA ? zero : y;
        layer->value = share;
        layer->text = words;
        layer->series = 1;
        layer->name = STR("layer <1>");
        AUTO_STRBUF StrBuf svg = STRBUF(1 << 16), csv = STRBUF(1 << 16);
        figure_svg(&f, true, &svg);
        Str text = strbuf_str(&svg);
        CHECK(str_starts(text, STR("<svg ")) && str_ends(text, STR("</svg>")));
        CHECK(str_has(text, str_of(wants[mark])));
        CHECK(str_has(text, STR("aria-label=\"one &quot;mark&quot;\"")));
        CHECK(!str_has(text, STR("<b>")) && !str_has(text, STR("nan")));
        figure_data(&f, &csv);
        CHECK(str_starts(strbuf_str(&csv), STR("layer,mark,x,y,x2,y2,value,text\n\"layer <1>\",")));
    }
}

TEST(chart, axes_of_bars_begin_at_zero)
{
    const double x[] = {0}, x2[] = {1}, y[] = {90}, y2[] = {100};
    Figure f = {.y.from_zero = true};
    FigureLayer *layer = figure_add(&f, MARK_RECT, 1);
    layer->x = x;
    layer->x2 = x2;
    layer->y = y;
    layer->y2 = y2;
    AUTO_STRBUF StrBuf svg = STRBUF(1 << 16);
    figure_svg(&f, false, &svg);
    CHECK(str_has(strbuf_str(&svg), STR(">0</text>")));
    CHECK(str_has(strbuf_str(&svg), STR(">100</text>")));
}

TEST(chart, viridis_has_its_published_ends)
{
    CHECK_INT(viridis(0), 0x440154);
    CHECK_INT(viridis(1), 0xfde725);
    CHECK_INT(viridis(NAN), 0x440154);
    CHECK_INT(viridis(0.5), 0x21918c);
}
