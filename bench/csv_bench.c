/* Reads a table into a frame and prints what it took, for bench/csv.py and for profiling.
 *
 *   csv_bench FILE [THREADS] [f64|numeric|noheader]...
 *   csv_bench --row FILE     the first line of FILE again and again, as a server parses requests */

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"
#include "data/read.h"
#include "format/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static double cpu_seconds(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static int fail(const Error *err)
{
    fprintf(stderr, "csv_bench: %s\n", err->text);
    return 1;
}

/* Something of every column, so that two readers can be compared. */
static double checksum(const Frame *frame)
{
    double sum = 0;
    for (int32_t j = 0; j < frame->n_columns; j++) {
        const Column *column = &frame->columns[j];
        for (int64_t i = 0; i < frame->n_rows; i += 997) {
            if (column->f32 && !isnan(column->f32[i])) sum += (double)column->f32[i];
            if (column->f64 && !isnan(column->f64[i])) sum += column->f64[i];
            if (column->codes) sum += column->codes[i];
            if (column->time_us) sum += (double)column->time_us[i] * 1e-6;
        }
    }
    return sum;
}

static int read_rows(const char *path)
{
    enum { TIMES = 2000000, FIELDS = 4096 };
    ARENA(arena);
    Error err;
    Str text, line, rest;
    if (!file_read(path, 1 << 20, &arena, &text, &err)) return fail(&err);
    rest = text;
    str_next_line(&rest, &line);
    line.ptr = arena_cstr(&arena, arena_format(&arena, "%.*s%*s", STR_ARG(line), CSV_SLACK, ""));
    static float values[FIELDS];
    double start = cpu_seconds(), sum = 0;
    int32_t n = 0;
    size_t next;
    for (int i = 0; i < TIMES; i++) {
        if (!csv_parse_row(line, ',', values, FIELDS, &n, &next, &err)) return fail(&err);
        sum += (double)values[n - 1];
    }
    printf("{\"fields\":%d,\"ns_per_row\":%.1f,\"sum\":%g}\n", n,
           (cpu_seconds() - start) / TIMES * 1e9, sum);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    if (str_is(str_of(argv[1]), "--row") && argc > 2) return read_rows(argv[2]);
    ReadOptions options = {.format = DATA_CSV};
    int threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1;
    for (int i = 3; i < argc; i++) {
        if (str_is(str_of(argv[i]), "f64")) options.f64 = true;
        if (str_is(str_of(argv[i]), "numeric")) options.numeric = true;
        if (str_is(str_of(argv[i]), "noheader")) options.header = HEADER_NO;
    }
    AUTO(pool_free) Pool *pool = threads > 1 ? pool_new(threads) : NULL;
    AUTO(frame_free) Frame *frame = NULL;
    ReadReport report;
    Error err;
    double start = clock_seconds(), cpu = cpu_seconds();
    if (!frame_read(argv[1], &options, pool, &frame, &report, &err)) return fail(&err);
    printf("{\"read_seconds\":%.4f,\"read_cpu_seconds\":%.4f,\"peak_rss_bytes\":%lld,\"rows\":%lld,"
           "\"columns\":%d,\"checksum\":%.6g,\"types\":\"",
           clock_seconds() - start, cpu_seconds() - cpu, (long long)peak_rss_bytes(),
           (long long)frame->n_rows, frame->n_columns, checksum(frame));
    for (int32_t j = 0; j < frame->n_columns && j < 40; j++)
        printf("%.1s", column_type_name(frame->columns[j].type));
    printf("\"}\n");
    return 0;
}
