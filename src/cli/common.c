/* What several commands do alike. */

#include "cli/cli.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

const char *const data_format_names[] = {"auto",  "csv",     "libsvm", "recordio",
                                         "jsonl", "parquet", NULL};

static bool separator_option(Str text, char *ret_separator, Error *err)
{
    if (str_is(text, "\\t") || str_is(text, "tab")) {
        *ret_separator = '\t';
        return true;
    }
    if (text.len != 1)
        return error_set(err, ERROR_INVALID,
                         "option '--separator': '%.*s' is not one character (write tab for a tab)",
                         STR_ARG(text));
    *ret_separator = text.ptr[0];
    return true;
}

bool read_options(const Args *args, ReadOptions *ret_options, Error *err)
{
    ReadOptions options = {.depth = 3};
    if (args_has(args, "header") && args_has(args, "no-header"))
        return error_set(err, ERROR_INVALID,
                         "options '--header' and '--no-header' exclude each other");
    if (args_has(args, "header")) options.header = HEADER_YES;
    if (args_has(args, "no-header")) options.header = HEADER_NO;
    if (args_has(args, "separator") &&
        !separator_option(args_get(args, "separator"), &options.separator, err))
        return false;
    for (int i = 0; data_format_names[i]; i++)
        if (str_is(args_get(args, "data-format"), data_format_names[i]))
            options.format = (DataFormat)i;
    options.skip_bad_rows = args_has(args, "skip-bad-rows");
    options.categories = args_all(args, "category", &options.n_categories);
    *ret_options = options;
    return true;
}

bool threads_option(const Args *args, Pool **ret_pool, Error *err)
{
    int64_t n;
    if (!args_int(args, "threads", 1, 1024, 0, &n, err)) return false;
    *ret_pool = pool_new((int)n);
    return true;
}

bool read_dataset(const char *path, const ReadOptions *options, const DatasetRoles *roles,
                  Pool *pool, Dataset **ret_dataset, Error *err)
{
    ReadReport report = {0};
    if (!dataset_read(path, options, roles, pool, ret_dataset, &report, err)) return false;
    if (report.n_skipped)
        log_warning("%s: dropped %lld bad rows; the first: %s", path, (long long)report.n_skipped,
                    report.first_skipped);
    Dataset *dataset = *ret_dataset;
    if (dataset->n_unknown)
        log_warning(
            "%s: %lld values that the model has not learned count as missing, for example %.*s",
            path, (long long)dataset->n_unknown, STR_ARG(dataset->unknown_example));
    if (dataset->index_min == 1 && !roles->schema)
        log_warning(
            "%s: its features count from 1, so there is an empty feature 0; other files for this model must count "
            "the same way",
            path);
    return true;
}

bool open_output(Str path, int *ret_fd, Error *err)
{
    if (path.len == 0 || str_is(path, "-")) {
        *ret_fd = dup(STDOUT_FILENO);
        return *ret_fd >= 0 || error_sys(err, errno, "standard output");
    }
    *ret_fd = open(path.ptr, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    return *ret_fd >= 0 || error_sys(err, errno, "create '%s'", path.ptr);
}
