#ifndef CLARY_CLI_ARGS_H
#define CLARY_CLI_ARGS_H

/* Command lines by table: from it come the parsing, the refusals with did-you-mean, the help, the
 * man pages and the shell completions. */

#include "algo/param.h"
#include "base/arena.h"
#include "base/error.h"

typedef struct Option {
    const char *name;  /* "train" for --train; NULL ends the table */
    char letter;       /* 'o' for -o; 0: none */
    const char *value; /* "FILE"; NULL: a switch without value */
    const char *help;
    bool repeat;                /* may be given several times */
    const char *const *choices; /* NULL-terminated, or NULL */
} Option;

enum { OPTIONS_MAX = 64, REPEAT_MAX = 256, POSITIONALS_MAX = 64 };

typedef struct Args {
    Arena arena;
    const Option *options;
    Str values[OPTIONS_MAX];
    bool given[OPTIONS_MAX];
    Str *repeated[OPTIONS_MAX];
    int n_repeated[OPTIONS_MAX];
    Str positional[POSITIONALS_MAX];
    int n_positional;
    ParamText *params; /* hyperparameters given as options */
    size_t n_params;
} Args;

/* Parses argv[0 .. argc).  `params` (or NULL) are hyperparameters accepted as options, with '_' or
 * '-'.  "--" ends the options; "-" is a positional.  Fails with ERROR_INVALID. */
bool args_parse(const Option *options, const Param *params, int argc, char **argv, Args *ret_args,
                Error *err);
void args_clear(Args *args);

bool args_has(const Args *args, const char *name);
Str args_get(const Args *args, const char *name); /* "" when not given; NUL-terminated */
/* All values of a repeated option. */
const Str *args_all(const Args *args, const char *name, int *ret_n);
bool args_int(const Args *args, const char *name, int64_t min, int64_t max, int64_t preset,
              int64_t *ret_value, Error *err);
bool args_real(const Args *args, const char *name, double min, double max, double preset,
               double *ret_value, Error *err);

#endif
