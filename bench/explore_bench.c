/* Profiles a table and prints what it took, for bench/explore.py.
 *
 *   explore_bench FILE [THREADS] [noheader] [page] */

#include "base/clock.h"
#include "base/memory.h"
#include "data/read.h"
#include "explore/profile.h"

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
    fprintf(stderr, "explore_bench: %s\n", err->text);
    return 1;
}

int main(int argc, char **argv)
{
    if (argc < 2) return 2;
    ReadOptions options = {0};
    int threads = argc > 2 ? (int)strtol(argv[2], NULL, 10) : 1;
    bool page = false;
    for (int i = 3; i < argc; i++) {
        if (str_is(str_of(argv[i]), "noheader")) options.header = HEADER_NO;
        if (str_is(str_of(argv[i]), "page")) page = true;
    }
    AUTO(pool_free) Pool *pool = threads > 1 ? pool_new(threads) : NULL;
    AUTO(frame_free) Frame *frame = NULL;
    AUTO(profile_free) Profile *profile = NULL;
    AUTO_STRBUF StrBuf out = STRBUF(PAGE_BYTES_MAX);
    ReadReport report;
    Error err = {0};
    if (!frame_read(argv[1], &options, pool, &frame, &report, &err)) return fail(&err);
    double start = clock_seconds(), cpu = cpu_seconds();
    if (!profile_make(frame, -1, pool, &profile, &err)) return fail(&err);
    if (page && !profile_page(profile, STR("bench"), &out, &err)) return fail(&err);
    double wall = clock_seconds() - start;
    cpu = cpu_seconds() - cpu;
    printf(
        "{\"profile_seconds\":%.4f,\"profile_cpu_seconds\":%.4f,\"peak_rss_bytes\":%lld,\"rows\":%lld,"
        "\"check\":%.9g}\n",
        wall, cpu, (long long)peak_rss_bytes(), (long long)profile->n_rows,
        profile->n_numbers > 2 ? profile->spearman[1 * profile->n_numbers + 2] : 0);
    return 0;
}
