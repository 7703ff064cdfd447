/* clary explore: what a table says, and what is wrong with it.  clary explain: what the words mean. */

#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "explore/profile.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const Option options[] = {
    {"target", 0, "COLUMN",
     "the column that is to be predicted: every other one is held against it", false, NULL},
    {"against", 0, "PATH", "another table: what has changed since then, column by column", false,
     NULL},
    {"output", 'o', "FILE.html", "also write it all as one page with charts", false, NULL},
    {"recipe", 0, "FILE", "also write a recipe of clary prepare that mends what was found", false,
     NULL},
    {"json", 0, NULL, "everything, as one JSON document", false, NULL},
    READ_OPTIONS,
    {0},
};

static const char *const examples[] = {
    "clary explore data.csv",
    "clary explore data.csv --target price",
    "clary explore data.csv --target price -o report.html",
    "clary explore data.csv --target price --recipe recipe.txt",
    "clary explore now.csv --against then.csv",
    "clary explore data.parquet --json > profile.json",
    NULL,
};

enum { TEXT_MAX = 64 << 20, WIDTH_MIN = 80, WIDTH_MAX = 160 };

static int terminal_width(void)
{
    struct winsize size = {0};
    if (ioctl(1, TIOCGWINSZ, &size) != 0 || !size.ws_col) return 120;
    return MAX(WIDTH_MIN, MIN(WIDTH_MAX, (int)size.ws_col));
}

static bool read_frame(const char *path, const ReadOptions *read, Pool *pool, Frame **ret_frame,
                       Error *err)
{
    ReadReport report = {0};
    if (!frame_read(path, read, pool, ret_frame, &report, err)) return false;
    if (report.n_skipped)
        log_warning("%s: %lld rows dropped; the first: %s", path, (long long)report.n_skipped,
                    report.first_skipped);
    return true;
}

static void drift_json(const Drift *drift, int32_t n, StrBuf *out)
{
    JsonWriter json = JSON_WRITER(out);
    json_begin_object(&json);
    json_member_int(&json, "version", PROFILE_VERSION);
    json_name(&json, STR("columns"));
    json_begin_array(&json);
    for (int32_t j = 0; j < n; j++) {
        const Drift *d = &drift[j];
        json_begin_object(&json);
        json_member_string(&json, "name", d->name);
        json_member_string(&json, "type", str_of(column_type_name(d->type)));
        json_member_string(&json, "state",
                           d->only_before  ? STR("gone")
                           : d->only_after ? STR("new")
                                           : str_of(drift_word(d->psi)));
        json_member_double(&json, "psi", d->psi);
        json_member_double(&json, "jensen_shannon", d->js);
        json_member_double(&json, d->type == COLUMN_NUMBER ? "kolmogorov_smirnov" : "chi_square",
                           d->statistic);
        json_member_double(&json, "p", d->p);
        json_member_double(&json, "missing_before", d->missing_before);
        json_member_double(&json, "missing_after", d->missing_after);
        json_member_double(&json, "mean_before", d->mean_before);
        json_member_double(&json, "mean_after", d->mean_after);
        json_end_object(&json);
    }
    json_end_array(&json);
    json_end_object(&json);
    strbuf_add_char(out, '\n');
}

static Str base_name(Str path)
{
    size_t at = path.len;
    while (at > 0 && path.ptr[at - 1] != '/') at--;
    return at < path.len ? str_slice(path, at, path.len) : path;
}

static bool write_page(Str path, const StrBuf *page, Error *err)
{
    AUTO_FD int fd = -1;
    return open_output(path, &fd, err) && fd_write(fd, strbuf_str(page), path.ptr, err);
}

static bool explore_run(const Args *args, bool *ret_usage, Error *err)
{
    ReadOptions read;
    AUTO(pool_free) Pool *pool = NULL;
    AUTO(frame_free) Frame *frame = NULL;
    AUTO(frame_free) Frame *other = NULL;
    AUTO(profile_free) Profile *profile = NULL;
    AUTO_STRBUF StrBuf text = STRBUF(TEXT_MAX), page = STRBUF(PAGE_BYTES_MAX);
    Str output = args_get(args, "output");
    int32_t target = -1;
    if (args->n_positional != 1)
        return USAGE("one table at a time (a file, a folder of parts, or -)");
    if (!read_options(args, &read, err) || !threads_option(args, &pool, err)) return false;
    const char *path = args->positional[0].ptr;
    if (!read_frame(path, &read, pool, &frame, err)) return false;
    if (args_has(args, "against") && args_has(args, "recipe"))
        return USAGE("--recipe is of one table, not of a comparison");
    if (args_has(args, "against")) {
        ARENA(arena);
        Drift *drift;
        int32_t n;
        if (!read_frame(args_get(args, "against").ptr, &read, pool, &other, err) ||
            !drift_of(other, frame, pool, &arena, &drift, &n, err))
            return false;
        if (output.len && !drift_page(other, frame, drift, n, base_name(args->positional[0]),
                                      args_get(args, "against"), &page, err))
            return false;
        if (args_has(args, "json"))
            drift_json(drift, n, &text);
        else
            drift_summary(drift, n, &text);
    } else {
        if (args_has(args, "target") && !frame_find(frame, args_get(args, "target"), &target, err))
            return false;
        if (!profile_make(frame, target, pool, &profile, err))
            return error_in(err, "exploring '%s'", path);
        if (args_has(args, "recipe")) {
            AUTO_STRBUF StrBuf recipe = STRBUF(TEXT_MAX);
            profile_recipe(profile, base_name(args->positional[0]), &recipe);
            if (!file_commit(args_get(args, "recipe").ptr, strbuf_str(&recipe), err)) return false;
        }
        if (output.len && !profile_page(profile, base_name(args->positional[0]), &page, err))
            return false;
        if (args_has(args, "json"))
            profile_document(profile, args->positional[0], &text);
        else
            profile_summary(profile, args->positional[0], terminal_width(), &text);
    }
    if (output.len && !write_page(output, &page, err)) return false;
    if (!str_eq(output, STR("-"))) fputs(strbuf_cstr(&text), stdout);
    return true;
}

const Command explore_command = {
    .name = "explore",
    .synopsis = "FILE [--target COLUMN] [--against FILE] [-o FILE.html] [--json]",
    .summary = "what a table says, and what is wrong with it",
    .examples = examples,
    .options = options,
    .run = explore_run,
    .more = "'clary explain' says what the words mean.",
};

static const Option no_options[] = {{0}};

static const char *const explain_examples[] = {"clary explain", "clary explain VIF",
                                               "clary explain 'z-score'", NULL};

static bool explain_run(const Args *args, bool *ret_usage, Error *err)
{
    AUTO_STRBUF StrBuf text = STRBUF(TEXT_MAX);
    if (args->n_positional > 1) return USAGE("one word at a time; quote what has blanks");
    if (!args->n_positional) {
        explain_all(&text);
        fputs(strbuf_cstr(&text), stdout);
        return true;
    }
    Str near, term = args->positional[0];
    const char *found = explain_term(term);
    if (!found) {
        if (explain_nearest(term, &near) < 0)
            return error_set(err, ERROR_NOT_FOUND,
                             "nothing is known of '%.*s'; 'clary explain' lists all words",
                             STR_ARG(term));
        return error_set(err, ERROR_NOT_FOUND, "nothing is known of '%.*s'; did you mean '%.*s'?",
                         STR_ARG(term), STR_ARG(near));
    }
    puts(found);
    return true;
}

const Command explain_command = {
    .name = "explain",
    .synopsis = "[TERM]",
    .summary = "a statistical word in one sentence",
    .examples = explain_examples,
    .options = no_options,
    .run = explain_run,
};
