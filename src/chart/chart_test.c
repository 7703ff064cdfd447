#include "chart/chart.h"

#include "base/test.h"

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
