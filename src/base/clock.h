#ifndef CLARY_BASE_CLOCK_H
#define CLARY_BASE_CLOCK_H

#include "base/base.h"

#include <time.h>

/* Seconds of the monotonic clock: for durations and deadlines. */
static inline double clock_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* Seconds since 1970 of the wall clock: for records that people read. */
static inline double clock_wall(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

#endif
