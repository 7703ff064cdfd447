#ifndef CLARY_BASE_LOG_H
#define CLARY_BASE_LOG_H

/* Lines for people on standard error.  Only main, service and cli log failures; code below them
 * returns errors. */

#include "base/base.h"

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR, LOG_NOTHING } LogLevel;

/* Lines below the level are dropped.  LOG_INFO at first. */
void log_level_set(LogLevel level);

/* Writes "clary: warning: TEXT\n" in one write; control characters are escaped. */
void log_write(LogLevel level, const char *format, ...) PRINTF_LIKE(2, 3);

#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warning(...) log_write(LOG_WARNING, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
