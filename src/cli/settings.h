#ifndef CLARY_CLI_SETTINGS_H
#define CLARY_CLI_SETTINGS_H

/* Settings of the server: one table for command line, environment and configuration file.
 *
 * A value comes from the first of: option --NAME, variable CLARY_NAME ('-' as '_'), the line
 * "NAME = VALUE" of the file clary.conf in the home folder, the table's preset. */

#include "cli/args.h"

enum { SETTINGS_MAX = 40, SETTINGS_FILE_BYTES_MAX = 64 << 10 };

typedef struct Settings {
    Str values[SETTINGS_MAX]; /* as in the table; ptr NULL: not set; NUL-terminated */
    const char
        *from[SETTINGS_MAX]; /* "option", "environment", "file", "preset": for `clary doctor` */
    const Str *repeated;     /* values of --bucket */
    int n_repeated;
} Settings;

/* `clary up` and claryd take these. */
extern const Option server_options[];

/* Reads the configuration file of the home that was found.  Fails when a line or a value is wrong. */
bool settings_load(const Args *args, Arena *arena, Settings *ret_settings, Error *err);

Str settings_text(const Settings *settings, const char *name); /* ptr NULL when not set */
bool settings_on(const Settings *settings, const char *name);
bool settings_int(const Settings *settings, const char *name, int64_t min, int64_t max,
                  int64_t *ret_value, Error *err);

/* The home folder that settings name, absolute. */
Str settings_home(const Settings *settings, Arena *arena);

#endif
