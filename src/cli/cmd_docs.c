/* clary docs: the reference pages, made from the tables in the code.
 *
 * Each page is written by hand down to a marker line, and made from here after it: the pages of
 * doc/algorithms after "<!-- generated -->", the manual page clary.1.scd after "; generated".
 * `make check` says when they are out of step. */

#include "cli/cli.h"

#include "base/file.h"
#include "train/describe.h"

static const Option options[] = {
    {0},
};

static const char *const examples[] = {
    "clary docs doc     remakes doc/algorithms/*.md and doc/man/clary.1.scd",
    NULL,
};

enum { PAGE_MAX = 4 << 20 };

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

/* The page with everything after the line `marker` replaced; it is made when it is not there. */
static bool remake(const char *path, const char *marker, Str generated, Error *err)
{
    ARENA(scratch);
    Str old = STR(""), line;
    AUTO_STRBUF StrBuf page = STRBUF(PAGE_MAX);
    if (file_exists(path) && !file_read(path, PAGE_MAX, &scratch, &old, err)) return false;
    while (str_next_line(&old, &line) && !str_is(line, marker)) {
        strbuf_add(&page, line);
        strbuf_add_char(&page, '\n');
    }
    strbuf_addf(&page, "%s\n\n", marker);
    strbuf_add(&page, generated);
    if (page.overflow)
        return error_set(err, ERROR_LIMIT, "'%s' is larger than %d bytes", path, PAGE_MAX);
    return file_commit(path, strbuf_str(&page), err);
}

static bool remake_algorithms(const char *folder, Error *err)
{
    ARENA(scratch);
    if (!folder_make(path_join(&scratch, folder, "algorithms"), err)) return false;
    for (const Algorithm *const *each = algorithms; *each; each++) {
        AUTO_STRBUF StrBuf text = STRBUF(PAGE_MAX);
        describe_markdown(*each, &text);
        Str name = arena_format(&scratch, "algorithms/%s.md", (*each)->name);
        if (!remake(path_join(&scratch, folder, name.ptr), "<!-- generated -->", strbuf_str(&text),
                    err))
            return false;
    }
    return true;
}

static bool remake_manual(const char *folder, Error *err)
{
    ARENA(scratch);
    AUTO_STRBUF StrBuf text = STRBUF(PAGE_MAX);
    strbuf_add(&text, STR("# OPTIONS\n\n"));
    for (const Command *const *each = commands; *each; each++) add_command_options(*each, &text);
    text.len--; /* one line end at the end */
    return folder_make(path_join(&scratch, folder, "man"), err) &&
           remake(path_join(&scratch, folder, "man/clary.1.scd"), "; generated", strbuf_str(&text),
                  err);
}

static bool docs_run(const Args *args, bool *ret_usage, Error *err)
{
    if (args->n_positional != 1) return USAGE("say the folder of the pages: clary docs doc");
    const char *folder = args->positional[0].ptr;
    return remake_algorithms(folder, err) && remake_manual(folder, err);
}

const Command docs_command = {
    .name = "docs",
    .synopsis = "FOLDER",
    .summary = "remake the reference pages from the tables in the code",
    .examples = examples,
    .options = options,
    .run = docs_run,
};
