/* clary docs: the reference pages, made from the tables in the code.
 *
 * doc/algorithms/NAME.md is written by hand down to the line "<!-- generated -->" and made from here
 * after it; tools/docs remakes the pages and `make check` says when they are out of step. */

#include "cli/cli.h"

#include "train/describe.h"

#include <stdio.h>

static const Option options[] = {
    {0},
};

static const char *const examples[] = {
    "clary docs algorithm xgboost     the reference part of doc/algorithms/xgboost.md",
    "clary docs options               the option lists of the man page, for scdoc",
    NULL,
};

/* scdoc: '_' and '*' are markup. */
static void add_scdoc(StrBuf *out, Str text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (memchr("_*\\<[", text.ptr[i], 5)) strbuf_add_char(out, '\\');
        strbuf_add_char(out, text.ptr[i]);
    }
}

static void add_command_options(const Command *command, StrBuf *out)
{
    strbuf_addf(out, "## clary %s ", command->name);
    add_scdoc(out, str_of(command->synopsis));
    strbuf_addf(out, "\n\n%s.\n\n", command->summary);
    for (const Option *option = command->options; option && option->name; option++) {
        if (option->letter) strbuf_addf(out, "*-%c*, ", option->letter);
        strbuf_addf(out, "*--%s*", option->name);
        if (option->value) strbuf_addf(out, " _%s_", option->value);
        strbuf_add(out, STR("\n\t"));
        add_scdoc(out, str_of(option->help));
        strbuf_add(out, STR("\n\n"));
    }
}

static bool docs_run(const Args *args, bool *ret_usage, Error *err)
{
    AUTO_STRBUF StrBuf text = STRBUF(4 << 20);
    if (args->n_positional == 2 && str_is(args->positional[0], "algorithm")) {
        const Algorithm *algorithm = algorithm_find(args->positional[1]);
        if (!algorithm)
            return error_set(err, ERROR_NOT_FOUND, "unknown algorithm '%.*s'", STR_ARG(args->positional[1]));
        describe_markdown(algorithm, &text);
    } else if (args->n_positional == 1 && str_is(args->positional[0], "options")) {
        for (const Command *const *each = commands; *each; each++) add_command_options(*each, &text);
    } else {
        return USAGE("say what: 'algorithm NAME' or 'options'");
    }
    fputs(strbuf_cstr(&text), stdout);
    return true;
}

const Command docs_command = {
    .name = "docs",
    .synopsis = "algorithm NAME | options",
    .summary = "reference pages made from the tables in the code",
    .examples = examples,
    .options = options,
    .run = docs_run,
};
