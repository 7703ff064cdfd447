/* clary prepare: a recipe of steps, learned on one table, applied to it and to others. */

#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "data/write.h"
#include "prepare/recipe.h"

#include <stdio.h>

static const Option options[] = {
    {"recipe", 'r', "FILE", "the steps, one a line", false, NULL},
    {"step", 's', "STEP", "a step, after those of the recipe", true, NULL},
    {"target", 0, "COLUMN", "the column that is to be predicted: '*' leaves it out", false, NULL},
    {"output", 'o', "FILE", "where the prepared table goes (standard output); once for each table",
     true, NULL},
    {"also", 0, "FILE", "another table, to which the steps are applied as they were learned", true,
     NULL},
    {"held", 0, "FILE", "where the rows go that the step 'split' puts aside", false, NULL},
    {"save", 0, "FILE", "what was learned, as one JSON document", false, NULL},
    {"fitted", 0, "FILE", "apply what --save wrote, instead of learning", false, NULL},
    {"output-format", 0, "FORMAT", "csv or jsonl (by the name's ending, else csv)", false, NULL},
    {"steps", 0, NULL, "list all steps", false, NULL},
    {"steps-markdown", 0, NULL, "the same, as doc/prepare.md has it", false, NULL},
    READ_OPTIONS,
    {0},
};

static const char *const examples[] = {
    "clary prepare train.csv --recipe recipe.txt -o ready.csv --save fitted.json",
    "clary prepare train.csv --also test.csv --recipe recipe.txt -o train-ready.csv -o test-ready.csv",
    "clary prepare new.csv --fitted fitted.json -o new-ready.csv",
    "clary prepare data.csv --step 'fill age with median' --step 'one-hot city'",
    NULL,
};

enum { HELP_MAX = 1 << 20, RECIPE_TEXT_MAX = 4 << 20 };

typedef struct Tables {
    ReadOptions read;
    Pool *pool;
    const Args *args;
} Tables;

static bool read_table(const Tables *tables, const char *path, const Recipe *recipe,
                       Frame **ret_frame, Error *err)
{
    ARENA(arena);
    ReadReport report = {0};
    AUTO(frame_free) Frame *frame = NULL;
    ReadOptions read = tables->read;
    Str *numbers, *categories;
    if (!frame_read(path, &read, tables->pool, &frame, &report, err)) return false;
    if (recipe && recipe_types_differ(recipe, frame, &arena, &numbers, &read.n_numbers, &categories,
                                      &read.n_categories)) {
        if (strcmp(path, "-") == 0)
            return error_set(err, ERROR_INVALID,
                             "standard input has other types than the training table; "
                             "give it as a file, which can be read twice");
        read.numbers = numbers;
        read.categories = categories;
        frame_free(STEAL(frame));
        if (!frame_read(path, &read, tables->pool, &frame, &report, err)) return false;
    }
    if (report.n_skipped)
        log_warning("%s: %lld rows dropped; the first: %s", path, (long long)report.n_skipped,
                    report.first_skipped);
    *ret_frame = STEAL(frame);
    return true;
}

static bool write_table(const Tables *tables, const Frame *frame, Str path, Error *err)
{
    WriteOptions write = {.format = DATA_CSV};
    Str format = args_get(tables->args, "output-format");
    if (format.len && !str_is(format, "csv") && !str_is(format, "jsonl"))
        return error_set(err, ERROR_UNSUPPORTED, "tables are written as csv or jsonl, not '%.*s'",
                         STR_ARG(format));
    if (str_is(format, "jsonl") || (!format.len && str_ends(path, STR(".jsonl"))))
        write.format = DATA_JSONL;
    if (path.len == 0 || str_is(path, "-")) return frame_write(frame, &write, 1, "-", err);
    NewFile file;
    if (!new_file_open(path.ptr, &file, err)) return false;
    if (!frame_write(frame, &write, file.fd, path.ptr, err)) {
        new_file_drop(&file);
        return false;
    }
    return new_file_commit(&file, err);
}

static bool read_recipe(const Args *args, Recipe *recipe, Error *err)
{
    ARENA(arena);
    Str text;
    int n;
    const Str *steps = args_all(args, "step", &n);
    if (args_has(args, "target")) {
        /* quoted: a name may hold anything */
        AUTO_STRBUF StrBuf line = STRBUF(1 << 16);
        Str target = args_get(args, "target");
        strbuf_add(&line, STR("target '"));
        for (size_t i = 0; i < target.len; i++) {
            if (target.ptr[i] == '\'') strbuf_add_char(&line, '\'');
            strbuf_add_char(&line, target.ptr[i]);
        }
        strbuf_add_char(&line, '\'');
        if (!recipe_parse(recipe, "--target", strbuf_str(&line), err)) return false;
    }
    if (args_has(args, "recipe")) {
        const char *path = args_get(args, "recipe").ptr;
        if (!file_read(path, RECIPE_TEXT_MAX, &arena, &text, err) ||
            !recipe_parse(recipe, path, text, err))
            return false;
    }
    for (int k = 0; k < n; k++)
        if (!recipe_parse(recipe, arena_format(&arena, "--step %d,", k + 1).ptr, steps[k], err))
            return false;
    return true;
}

static bool save(const Recipe *recipe, const char *path, Error *err)
{
    AUTO_STRBUF StrBuf text = STRBUF(RECIPE_BYTES_MAX);
    recipe_document(recipe, &text);
    if (text.overflow)
        return error_set(err, ERROR_LIMIT,
                         "what was learned takes more than %d MB; '%s' is not written",
                         RECIPE_BYTES_MAX >> 20, path);
    return file_commit(path, strbuf_str(&text), err);
}

static bool fit_first(const Tables *tables, Recipe *recipe, const char *path, Str output,
                      Error *err)
{
    const Args *args = tables->args;
    AUTO(frame_free) Frame *frame = NULL;
    AUTO(frame_free) Frame *held = NULL;
    if (!read_table(tables, path, NULL, &frame, err)) return false;
    int64_t n_rows = frame->n_rows;
    int32_t n_columns = frame->n_columns;
    if (!recipe_fit(recipe, frame, &held, err)) return error_in(err, "preparing '%s'", path);
    if (held && !args_has(args, "held"))
        return error_set(
            err, ERROR_INVALID,
            "the recipe splits the table: say where the other rows go with --held FILE");
    if (!held && args_has(args, "held"))
        return error_set(err, ERROR_INVALID,
                         "--held, but the recipe has no step 'split', as in: split 0.2 seed 1");
    log_info("%s: %lld rows and %d columns became %lld rows and %d columns", path,
             (long long)n_rows, n_columns, (long long)frame->n_rows, frame->n_columns);
    return (!held || write_table(tables, held, args_get(args, "held"), err)) &&
           (!args_has(args, "save") || save(recipe, args_get(args, "save").ptr, err)) &&
           write_table(tables, frame, output, err);
}

static bool apply_to(const Tables *tables, const Recipe *recipe, const char *path, Str output,
                     Error *err)
{
    AUTO(frame_free) Frame *frame = NULL;
    if (!read_table(tables, path, recipe, &frame, err)) return false;
    if (!recipe_apply(recipe, frame, err)) return error_in(err, "preparing '%s'", path);
    return write_table(tables, frame, output, err);
}

static void auto_recipe(Recipe *recipe)
{
    recipe_clear(recipe);
}

static bool prepare_run(const Args *args, bool *ret_usage, Error *err)
{
    __attribute__((cleanup(auto_recipe))) Recipe recipe;
    AUTO(pool_free) Pool *pool = NULL;
    ARENA(arena);
    Tables tables = {.args = args};
    int n_outputs, n_also, n_steps;
    recipe_init(&recipe);
    if (args_has(args, "steps") || args_has(args, "steps-markdown")) {
        AUTO_STRBUF StrBuf help = STRBUF(HELP_MAX);
        recipe_steps_help(&help, args_has(args, "steps-markdown"));
        fputs(strbuf_cstr(&help), stdout);
        return true;
    }
    const Str *outputs = args_all(args, "output", &n_outputs),
              *also = args_all(args, "also", &n_also);
    bool fitted = args_has(args, "fitted");
    args_all(args, "step", &n_steps);
    if (args->n_positional != 1)
        return USAGE(
            "one table to learn from (a file, a folder of parts, or -); others follow --also");
    if (fitted && (n_steps || args_has(args, "recipe") || args_has(args, "save") ||
                   args_has(args, "target") || args_has(args, "held")))
        return USAGE(
            "--fitted applies what was learned: no --recipe, --step, --target, --save or --held");
    if (!fitted && !n_steps && !args_has(args, "recipe"))
        return USAGE(
            "say the steps: --recipe FILE, or --step 'fill age with median'; --steps lists them");
    if (n_outputs != n_also + 1 && !(n_outputs == 0 && n_also == 0))
        return USAGE("%d tables, but -o is given %d times: say it once for each, in their order",
                     n_also + 1, n_outputs);
    if (!read_options(args, &tables.read, err) || !threads_option(args, &pool, err)) return false;
    tables.read.f64 = true;
    tables.pool = pool;
    const char *path = args->positional[0].ptr;
    Str output = n_outputs ? outputs[0] : STR("");
    if (fitted) {
        Str text;
        const char *from = args_get(args, "fitted").ptr;
        if (!file_read(from, RECIPE_BYTES_MAX, &arena, &text, err)) return false;
        if (!recipe_from_document(&recipe, text, err)) return error_in(err, "reading '%s'", from);
        if (!apply_to(&tables, &recipe, path, output, err)) return false;
    } else if (!read_recipe(args, &recipe, err) ||
               !fit_first(&tables, &recipe, path, output, err)) {
        return false;
    }
    for (int k = 0; k < n_also; k++)
        if (!apply_to(&tables, &recipe, also[k].ptr, outputs[k + 1], err)) return false;
    return true;
}

const Command prepare_command = {
    .name = "prepare",
    .synopsis = "FILE --recipe FILE [-o FILE] [--also FILE] [--save FILE]",
    .summary = "turn a raw table into features, by a recipe of steps",
    .examples = examples,
    .options = options,
    .run = prepare_run,
    .more = "'clary prepare --steps' lists the steps; doc/prepare.md explains recipes.",
};
