#ifndef CLARY_FORMAT_TIMESTAMP_H
#define CLARY_FORMAT_TIMESTAMP_H

/* Dates and times of ISO 8601: "2024-02-29", "2024-02-29T12:30", "2024-02-29 12:30:15.25",
 * "2024-02-29T12:30:15Z", "...+02:00", "...-0530".  Without an offset the time is UTC. */

#include "base/str.h"

/* The whole text as microseconds since 1970 in UTC; further digits of the second are cut off.  False
 * when it is no such time, or no such day.  Years 0001 to 9999. */
bool timestamp_parse(Str text, int64_t *ret_us);

#endif
