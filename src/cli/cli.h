#ifndef CLARY_CLI_CLI_H
#define CLARY_CLI_CLI_H

/* The commands of `clary`: a row in a table and a file each.
 *
 * A command returns true on success; on failure it fills the error, which main prints.  Exit status:
 * 0 ok, 1 failed, 2 wrong use (`usage` is set). */

#include "algo/algorithm.h"
#include "base/strbuf.h"
#include "cli/args.h"
#include "data/read.h"
#include "format/json.h"

typedef struct Command {
    const char *name;
    const char *synopsis; /* what follows the name: "ALGORITHM --train FILE [OPTION...]" */
    const char *summary;
    const char *const *examples; /* command lines, NULL-terminated; help leads with them */
    const Option *options;
    /* Hyperparameters that are options too, given the first positional; or NULL. */
    const Param *(*params)(Str first);
    bool (*run)(const Args *args, bool *ret_usage, Error *err);
    const char *more; /* further text of the help, or NULL */
} Command;

extern const Command *const commands[]; /* NULL-terminated */

extern const Command chart_command, explore_command, explain_command, prepare_command,
    train_command, predict_command, evaluate_command, importance_command, algorithms_command,
    up_command, down_command, status_command, env_command, logs_command, doctor_command,
    check_command, reset_command, completion_command, docs_command;

/* Runs argv[1 ..]; returns the exit status. */
int cli_main(int argc, char **argv);

void command_help(const Command *command, Str first, StrBuf *out);

/* ---- what commands share (common.c) ---- */

/* Options of commands that read tables. */
/* clang-format off */
#define READ_OPTIONS                                                                               \
    {"header", 0, NULL, "the first line holds the names of the columns", false, NULL},             \
    {"no-header", 0, NULL, "the first line is data", false, NULL},                                 \
    {"separator", 0, "CHAR", "between fields of a CSV line (found by itself)", false, NULL},       \
    {"data-format", 0, "FORMAT", "csv, libsvm, recordio, jsonl or parquet (found by itself)", false, data_format_names}, \
    {"category", 0, "COLUMN", "treat the column as a category, even if it holds numbers", true, NULL}, \
    {"skip-bad-rows", 0, NULL, "drop rows that are wrong and count them, instead of failing", false, NULL}, \
    {"threads", 0, "N", "threads to use (all processors)", false, NULL}
/* clang-format on */

extern const char *const data_format_names[];

bool read_options(const Args *args, ReadOptions *ret_options, Error *err);
bool threads_option(const Args *args, Pool **ret_pool, Error *err);

/* Reads a data set and warns of rows that were dropped. */
bool read_dataset(const char *path, const ReadOptions *options, const DatasetRoles *roles,
                  Pool *pool, Dataset **ret_dataset, Error *err);

/* Fails with wrong use. */
#define USAGE(...) (*ret_usage = true, error_set(err, ERROR_INVALID, __VA_ARGS__))

/* Opens `path` for writing results: "-" and "" are standard output. */
bool open_output(Str path, int *ret_fd, Error *err);

bool use_color(int fd); /* a terminal, and NO_COLOR is not set */

/* ---- the progress line (progress.c) ---- */

typedef struct Progress {
    bool terminal, quiet;
    double start, last_shown;
    bool line_open;
} Progress;

void progress_start(Progress *progress, bool quiet);
/* One line on standard error that is redrawn on a terminal; plain lines, a tenth of the rounds apart,
 * elsewhere.  `n_rounds` 0: unknown. */
void progress_round(Progress *progress, int64_t round, int64_t n_rounds, const MetricValue *metrics,
                    int n);
void progress_end(Progress *progress);

#endif
