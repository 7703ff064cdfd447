/* The progress line: rounds, metrics, rate and time left. */

#include "cli/cli.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { REDRAW_MS = 80 };

bool use_color(int fd)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && !(no && *no) && !(term && str_is(str_of(term), "dumb"));
}

void progress_start(Progress *progress, bool quiet)
{
    *progress = (Progress){
        .terminal = isatty(STDERR_FILENO), .quiet = quiet, .start = clock_seconds()};
}

static int terminal_width(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 80;
}

static void add_metrics(StrBuf *line, const MetricValue *metrics, int n)
{
    for (int i = 0; i < n; i++)
        strbuf_addf(line, "  %s %s %.5g", metrics[i].data, metrics[i].name, metrics[i].value);
}

static void add_time(StrBuf *line, double seconds)
{
    if (seconds < 60)
        strbuf_addf(line, "%.*f s", seconds < 10 ? 1 : 0, seconds);
    else
        strbuf_addf(line, "%d:%02d min", (int)(seconds / 60), (int)seconds % 60);
}

void progress_round(Progress *progress, int64_t round, int64_t n_rounds, const MetricValue *metrics,
                    int n)
{
    if (progress->quiet) return;
    double now = clock_seconds(), elapsed = now - progress->start;
    bool last = round + 1 == n_rounds;
    AUTO_STRBUF StrBuf line = STRBUF(4096);

    if (!progress->terminal) {
        int64_t step = MAX(1, n_rounds / 10);
        if (round != 0 && !last && (n_rounds == 0 || (round + 1) % step != 0)) return;
        strbuf_addf(&line, "round %lld", (long long)round + 1);
        if (n_rounds) strbuf_addf(&line, "/%lld", (long long)n_rounds);
        add_metrics(&line, metrics, n);
        fprintf(stderr, "%s\n", strbuf_cstr(&line));
        return;
    }
    if (!last && now - progress->last_shown < REDRAW_MS * 1e-3) return;
    progress->last_shown = now;
    double rate = (double)(round + 1) / MAX(elapsed, 1e-9);
    strbuf_addf(&line, "round %lld", (long long)round + 1);
    if (n_rounds) strbuf_addf(&line, "/%lld", (long long)n_rounds);
    add_metrics(&line, metrics, n);
    strbuf_addf(&line, "  %.*f rounds/s", rate < 10 ? 1 : 0, rate);
    if (n_rounds) {
        strbuf_add(&line, STR("  "));
        add_time(&line, (double)(n_rounds - round - 1) / rate);
        strbuf_add(&line, STR(" left"));
    }
    size_t width = (size_t)terminal_width() - 1;
    fprintf(stderr, "\r%.*s\033[K", (int)MIN(line.len, width), strbuf_cstr(&line));
    fflush(stderr);
    progress->line_open = true;
}

void progress_end(Progress *progress)
{
    if (progress->line_open) fputc('\n', stderr);
    progress->line_open = false;
}
