/* A job's output: lines to CloudWatch Logs, and the numbers in them to CloudWatch metrics.
 *
 * The program writes to a file, so that it goes on when the server is gone; `log.at` beside it says
 * how much has been taken over.  A TAB becomes "#011" and other control characters their octal
 * number, as the system log does on SageMaker's hosts: XGBoost's public expressions look for it. */

#include "service/sagemaker/training.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "format/regex.h"
#include "service/cloudwatch/metrics.h"
#include "service/logs/logs.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    READ_BYTES = 256 << 10,
    LINE_BYTES_MAX = 250 << 10, /* an event of CloudWatch Logs, with room for escapes */
    LINES_MAX = 4096,           /* of one step */
    BYTES_PER_SECOND = 1 << 20, /* rule B5 */
    BYTES_BURST = 4 << 20,
    LAST_LINES = 20,
};

#define LOG_GROUP STR("/aws/sagemaker/TrainingJobs")
#define METRIC_SPACE STR("/aws/sagemaker/TrainingJobs")

typedef struct Metric {
    Str name;
    Str needs; /* a text that every match holds, or "": most lines fail this and cost nothing */
    Regex *regex;
    bool seen;
    double last, time;
} Metric;

typedef struct TrainingLog {
    int fd, at_fd;
    int64_t at; /* bytes of the file that were taken over */
    Metric metrics[TRAINING_METRICS_MAX];
    int n_metrics;
    double budget, budget_time; /* bytes that may be logged now */
    int64_t left_out;           /* lines since the last note */
    char *buffer;
} TrainingLog;

static const char *at_path(const TrainingRun *run, Arena *arena)
{
    return path_join(arena, run->folder, "log.at");
}

/* The longest plain text outside of groups, classes and repetitions; "" where alternatives could be. */
Str log_literal(Str pattern)
{
    Str best = STR("");
    size_t begin = 0;
    int depth = 0;
    if (str_find(pattern, '|') < pattern.len || str_has(pattern, STR("(?"))) return best;
    for (size_t i = 0; i <= pattern.len; i++) {
        char c = i < pattern.len ? pattern.ptr[i] : '\0';
        bool plain = i < pattern.len && (c > ' ' || c == ' ') && !strchr("\\.[]()*+?{}^$", c) &&
                     (unsigned char)c < 127 && depth == 0;
        if (plain) continue;
        size_t end = i;
        if (c && strchr("*+?{", c) && end > begin) end--; /* belongs to the repetition */
        if (end - begin > best.len && end > begin) best = str_slice(pattern, begin, end);
        if (c == '\\') {
            i++;
            bool word = i < pattern.len &&
                        ((pattern.ptr[i] | 32) >= 'a' && (pattern.ptr[i] | 32) <= 'z');
            bool digit = i < pattern.len && pattern.ptr[i] >= '0' && pattern.ptr[i] <= '9';
            /* \x41, \u0041, \p{L}, \1, ... go on after their letter */
            if (digit || (word && !strchr("dDwWsSbBAzZnrtfv", pattern.ptr[i]))) return STR("");
        }
        if (c == '[') {
            if (i + 1 < pattern.len && pattern.ptr[i + 1] == '^') i++;
            if (i + 1 < pattern.len && pattern.ptr[i + 1] == ']') i++;
            while (i + 1 < pattern.len && pattern.ptr[i + 1] != ']') {
                if (pattern.ptr[i + 1] == '[') return STR(""); /* classes in classes */
                i += 1 + (pattern.ptr[i + 1] == '\\');
            }
        }
        if (c == '{')
            while (i + 1 < pattern.len && pattern.ptr[i + 1] != '}') i++;
        depth += (c == '(') - (c == ')');
        begin = i + 1;
    }
    return best;
}

/* Valid UTF-8 is the logs' business; here only what would move a terminal's cursor.  The line itself
 * when there is nothing of that kind. */
static Str escape(Arena *arena, Str line)
{
    size_t n = 0;
    for (size_t i = 0; i < line.len; i++)
        n += (unsigned char)line.ptr[i] < 32 || line.ptr[i] == 127;
    if (!n) return line;
    char *text = arena_alloc(arena, line.len + 3 * n + 1), *out = text;
    for (size_t i = 0; i < line.len; i++) {
        unsigned char c = (unsigned char)line.ptr[i];
        if (c >= 32 && c != 127) {
            *out++ = (char)c;
            continue;
        }
        *out++ = '#';
        *out++ = (char)('0' + (c >> 6));
        *out++ = (char)('0' + ((c >> 3) & 7));
        *out++ = (char)('0' + (c & 7));
    }
    return (Str){text, (size_t)(out - text)};
}

static void find_metrics(TrainingRun *run, Str line, double now, MetricPoint *points, size_t *n,
                         size_t max)
{
    TrainingLog *log = run->log;
    for (int i = 0; i < log->n_metrics; i++) {
        Metric *metric = &log->metrics[i];
        Str groups[REGEX_GROUPS_MAX] = {0};
        double value;
        if (!str_has(line, metric->needs) || !regex_search(metric->regex, line, groups)) continue;
        if (!groups[1].ptr || !str_to_double(str_trim(groups[1]), &value) || !isfinite(value))
            continue;
        metric->seen = true;
        metric->last = value;
        metric->time = now;
        if (*n == max) continue;
        points[(*n)++] = (MetricPoint){.space = METRIC_SPACE,
                                       .name = metric->name,
                                       .dimensions = {{STR("TrainingJobName"), run->name}},
                                       .n_dimensions = 1,
                                       .time = now,
                                       .value = value,
                                       .n = 1,
                                       .unit = "None"};
    }
}

/* The end of the last whole line; without one, all of a full buffer or of a file at its end. */
static size_t whole_lines(const char *bytes, size_t n, bool all)
{
    const char *last = memrchr(bytes, '\n', n);
    if (last) return (size_t)(last - bytes) + 1;
    return all || n == READ_BYTES ? n : 0;
}

/* A new server takes the last values from what the one before took over. */
static bool read_again(TrainingRun *run, Error *err)
{
    TrainingLog *log = run->log;
    for (int64_t from = 0; from < log->at;) {
        ssize_t got = pread(log->fd, log->buffer, (size_t)MIN(READ_BYTES, log->at - from), from);
        if (got < 0) return error_sys(err, errno, "reading the log of the job");
        if (got == 0) return true;
        size_t used = whole_lines(log->buffer, (size_t)got, true), none = 0;
        Str rest = {log->buffer, used}, line;
        ARENA(arena);
        while (str_next_line(&rest, &line))
            find_metrics(run, escape(&arena, line), clock_wall(), NULL, &none, 0);
        from += (int64_t)used;
    }
    return true;
}

bool log_start(TrainingRun *run, Error *err)
{
    TrainingLog *log = calloc(1, sizeof *log);
    if (!log) memory_exhausted(sizeof *log);
    run->log = log;
    log->fd = log->at_fd = -1;
    log->budget = BYTES_BURST;
    log->budget_time = clock_seconds();
    if (!(log->buffer = malloc(READ_BYTES))) memory_exhausted(READ_BYTES);
    const char *path = path_join(&run->arena, run->folder, "log");
    log->fd = open(path, O_RDONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (log->fd < 0) return error_sys(err, errno, "opening '%s'", path);
    ARENA(scratch);
    Str text;
    Error nothing;
    if (file_exists(at_path(run, &scratch)) &&
        file_read(at_path(run, &scratch), 32, &scratch, &text, &nothing))
        str_to_int64(str_trim(text), &log->at);
    log->at_fd = open(at_path(run, &scratch), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (log->at_fd < 0) return error_sys(err, errno, "opening '%s'", at_path(run, &scratch));

    const Json *definitions = program_metrics(run);
    for (size_t i = 0; i < definitions->n && log->n_metrics < TRAINING_METRICS_MAX; i++) {
        Metric metric = {.name = json_get_text(json_at(definitions, i), "Name")};
        Str pattern = json_get_text(json_at(definitions, i), "Regex");
        metric.needs = log_literal(pattern);
        Error wrong = {0};
        if (!regex_new(pattern, 0, &metric.regex, &wrong)) {
            log_say(run, "metric '%.*s' is not taken: %s", STR_ARG(metric.name), wrong.text);
            continue;
        }
        log->metrics[log->n_metrics++] = metric;
    }
    return log->at == 0 || read_again(run, err);
}

void log_free(TrainingLog *log)
{
    if (!log) return;
    for (int i = 0; i < log->n_metrics; i++) regex_free(log->metrics[i].regex);
    if (log->fd >= 0) close(log->fd);
    if (log->at_fd >= 0) close(log->at_fd);
    free(log->buffer);
    free(log);
}

static bool append(TrainingRun *run, const LogLine *lines, size_t n, Error *err)
{
    return !n || logs_append(run->server, run->region, LOG_GROUP, run->stream, lines, n, err);
}

void log_say(TrainingRun *run, const char *format, ...)
{
    AUTO_STRBUF StrBuf text = STRBUF(8192);
    va_list args;
    va_start(args, format);
    strbuf_add(&text, STR("clary: "));
    strbuf_addv(&text, format, args);
    va_end(args);
    LogLine line = {(int64_t)(clock_wall() * 1000), strbuf_str(&text)};
    Error err = {0};
    if (!append(run, &line, 1, &err))
        log_warning("log of '%.*s': %s", STR_ARG(run->name), err.text);
}

static bool affordable(TrainingLog *log, size_t bytes)
{
    double now = clock_seconds();
    log->budget = MIN(BYTES_BURST, log->budget + (now - log->budget_time) * BYTES_PER_SECOND);
    log->budget_time = now;
    if (log->budget < (double)bytes) return false;
    log->budget -= (double)bytes;
    return true;
}

/* At the end the last lines are given in any case: they say why. */
static bool tell_left_out(TrainingRun *run, Error *err)
{
    TrainingLog *log = run->log;
    if (!log->left_out) return true;
    ARENA(arena);
    LogLine lines[LAST_LINES + 1];
    size_t n = 0;
    int64_t now = (int64_t)(clock_wall() * 1000);
    Str rest = log_last(run, LAST_LINES), line;
    lines[n++] = (LogLine){now, arena_format(&arena,
                                             "clary: %lld lines were left out: more than 1 MiB a "
                                             "second for a long time; the last ones are",
                                             (long long)log->left_out)};
    log->left_out = 0;
    while (n <= LAST_LINES && str_next_line(&rest, &line))
        if (line.len) lines[n++] = (LogLine){now, escape(&arena, line)};
    return append(run, lines, n, err);
}

bool log_pump(TrainingRun *run, bool at_end, bool *ret_more, Error *err)
{
    TrainingLog *log = run->log;
    *ret_more = false;
    ssize_t got = pread(log->fd, log->buffer, READ_BYTES, log->at);
    if (got < 0) return error_sys(err, errno, "reading the log of the job");
    size_t used = whole_lines(log->buffer, (size_t)got, at_end && got < READ_BYTES);
    if (!used) return !at_end || tell_left_out(run, err);

    ARENA(arena);
    LogLine *lines = arena_array(&arena, LogLine, LINES_MAX + 1);
    MetricPoint *points = arena_array(&arena, MetricPoint, LINES_MAX);
    size_t n = 0, n_points = 0;
    double now = clock_wall();
    int64_t now_ms = (int64_t)(now * 1000);
    Str rest = {log->buffer, used}, raw;
    while (n < LINES_MAX && str_next_line(&rest, &raw)) {
        if (raw.len > LINE_BYTES_MAX) raw.len = LINE_BYTES_MAX;
        Str line = escape(&arena, raw);
        find_metrics(run, line, now, points, &n_points, LINES_MAX);
        if (!line.len) continue; /* CloudWatch Logs has no empty events */
        if (!affordable(log, line.len + 26)) {
            log->left_out++;
            continue;
        }
        if (log->left_out) {
            lines[n++] = (LogLine){now_ms, arena_format(&arena,
                                                        "clary: %lld lines were left out: more "
                                                        "than 1 MiB a second for a long time",
                                                        (long long)log->left_out)};
            log->left_out = 0;
            if (n == LINES_MAX) break;
        }
        lines[n++] = (LogLine){now_ms, line};
    }
    if (rest.ptr && rest.len) used -= rest.len;
    if (!append(run, lines, n, err)) return error_in(err, "writing the job's log");
    if (n_points && !metrics_put(run->server, run->region, points, n_points, err))
        return error_in(err, "writing the job's metrics");
    log->at += (int64_t)used;
    *ret_more = true;
    /* Without a sync: it is for the next server after a crash, not for one after a power cut, when the
     * program is gone, too. */
    Str text = arena_format(&arena, "%-20lld", (long long)log->at);
    if (pwrite(log->at_fd, text.ptr, text.len, 0) != (ssize_t)text.len)
        return error_sys(err, errno, "writing '%s'", at_path(run, &arena));
    return true;
}

Str log_last(TrainingRun *run, int n_lines)
{
    char bytes[4096];
    off_t size = lseek(run->log->fd, 0, SEEK_END), from = MAX(0, size - (off_t)sizeof bytes);
    ssize_t got = pread(run->log->fd, bytes, sizeof bytes, from);
    if (got <= 0) return STR("");
    Str text = str_trim((Str){bytes, (size_t)got});
    size_t at = text.len;
    for (; at > 0; at--)
        if (text.ptr[at - 1] == '\n' && --n_lines == 0) break;
    return arena_str(&run->arena, str_from(text, at));
}

Json *log_final_metrics(const TrainingRun *run, Arena *arena)
{
    Json *list = json_new_array(arena);
    for (int i = 0; run->log && i < run->log->n_metrics; i++) {
        const Metric *metric = &run->log->metrics[i];
        if (!metric->seen) continue;
        Json *line = json_new_object(arena);
        json_set_text(arena, line, "MetricName", metric->name);
        json_set_double(arena, line, "Value", metric->last);
        json_set_double(arena, line, "Timestamp", floor(metric->time));
        json_push(arena, list, line);
    }
    return list;
}

int64_t log_position(const TrainingRun *run)
{
    return run->log->at;
}
