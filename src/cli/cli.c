/* Finds the command, prints help, turns errors into exit statuses. */

#include "cli/cli.h"

#include "base/log.h"

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

const Command *const commands[] = {
    &explore_command,  &prepare_command,    &train_command,      &predict_command,
    &evaluate_command, &importance_command, &algorithms_command, &up_command,
    &down_command,     &status_command,     &env_command,        &logs_command,
    &doctor_command,   &check_command,      &chart_command,      &explain_command,
    &reset_command,    &completion_command, &docs_command,       NULL,
};

static const Command *find_command(Str name)
{
    for (const Command *const *each = commands; *each; each++)
        if (str_is(name, (*each)->name)) return *each;
    return NULL;
}

static const char intro[] =
    "clary: machine learning on your own machine, as SageMaker does it\n"
    "\n"
    "Examples\n"
    "  clary explore data.csv --target price -o report.html\n"
    "  clary train xgboost --train train.csv --validation test.csv --target price -o model.tar.gz\n"
    "  clary evaluate model.tar.gz test.csv --report report.html\n"
    "  clary predict model.tar.gz new.csv > predictions.csv\n"
    "  clary up                              # AWS's APIs on this machine; then, in another shell:\n"
    "  eval \"$(clary env)\"; aws s3 ls\n"
    "\n"
    "Commands\n";

static void print_overview(FILE *to)
{
    fputs(intro, to);
    for (const Command *const *each = commands; *each; each++)
        if ((*each)->summary) fprintf(to, "  %-12s %s\n", (*each)->name, (*each)->summary);
    fputs(
        "\n'clary COMMAND --help' explains a command; 'clary --version' says which clary this is.\n",
        to);
}

static void add_wrapped(StrBuf *out, Str text, size_t indent, size_t width)
{
    size_t column = indent;
    Str word;
    while (str_next(&text, ' ', &word)) {
        if (column > indent && column + 1 + word.len > width) {
            strbuf_addf(out, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            strbuf_add_char(out, ' ');
            column++;
        }
        strbuf_add(out, word);
        column += word.len;
    }
    strbuf_add_char(out, '\n');
}

static void add_entry(StrBuf *out, Str left, Str right)
{
    enum { LEFT = 26, WIDTH = 98 };
    strbuf_addf(out, "  %-*.*s", LEFT - 3, STR_ARG(left));
    if (left.len > LEFT - 3)
        strbuf_addf(out, "\n%*s", LEFT, "");
    else
        strbuf_add_char(out, ' ');
    add_wrapped(out, right, LEFT, WIDTH);
}

static void add_options(const Option *options, StrBuf *out, Arena *scratch)
{
    for (const Option *option = options; option->name; option++) {
        Str letter = option->letter ? arena_format(scratch, "-%c, ", option->letter) : STR("");
        Str left = arena_format(scratch, "%.*s--%s%s%s", STR_ARG(letter), option->name,
                                option->value ? " " : "", option->value ? option->value : "");
        add_entry(out, left, str_of(option->help));
    }
}

static void add_params(const Param *params, StrBuf *out, Arena *scratch)
{
    for (const Param *param = params; param->type != PARAM_TYPE_END; param++) {
        Str range = param_range_text(param, scratch);
        Str preset = param->preset     ? arena_format(scratch, ", default %s", param->preset)
                     : param->suggest  ? arena_format(scratch, ", default here %s", param->suggest)
                     : param->optional ? STR("")
                                       : STR(", required");
        Str right = arena_format(scratch, "%s (%.*s%.*s)", param->help ? param->help : "",
                                 STR_ARG(range), STR_ARG(preset));
        add_entry(out, arena_format(scratch, "--%s", param->name), right);
    }
}

void command_help(const Command *command, Str first, StrBuf *out)
{
    ARENA(scratch);
    strbuf_addf(out, "clary %s: %s\n\nExamples\n", command->name,
                command->summary ? command->summary : "");
    for (int i = 0; command->examples && command->examples[i]; i++)
        strbuf_addf(out, "  %s\n", command->examples[i]);
    strbuf_addf(out, "\nUsage\n  clary %s %s\n", command->name, command->synopsis);
    if (command->options && command->options[0].name) {
        strbuf_addf(out, "\nOptions\n");
        add_options(command->options, out, &scratch);
    }
    const Param *params = command->params ? command->params(first) : NULL;
    if (params) {
        strbuf_addf(out, "\nHyperparameters of %.*s\n", STR_ARG(first));
        add_params(params, out, &scratch);
    }
    if (command->more) strbuf_addf(out, "\n%s\n", command->more);
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 0; i < argc && !str_is(str_of(argv[i]), "--"); i++)
        if (str_is(str_of(argv[i]), "--help") || str_is(str_of(argv[i]), "-h")) return true;
    return false;
}

/* The first word that is no option, for the help of `clary train xgboost --help`. */
static Str first_word(int argc, char **argv)
{
    return argc > 0 && argv[0][0] != '-' ? str_of(argv[0]) : STR("");
}

static int run_command(const Command *command, int argc, char **argv)
{
    Error err = {0};
    Str first = first_word(argc, argv);
    if (asks_help(argc, argv)) {
        AUTO_STRBUF StrBuf help = STRBUF(1 << 20);
        command_help(command, first, &help);
        fputs(strbuf_cstr(&help), stdout);
        return 0;
    }
    Args args;
    bool usage = false;
    const Param *params = command->params ? command->params(first) : NULL;
    bool parsed = args_parse(command->options, params, argc, argv, &args, &err);
    bool ok = parsed && command->run(&args, &usage, &err);
    args_clear(&args);
    if (ok) return 0;
    fprintf(stderr, "clary %s: %s\n", command->name, err.text);
    if (parsed && !usage) return 1;
    fprintf(stderr, "try 'clary %s%s%.*s --help'\n", command->name, first.len ? " " : "",
            STR_ARG(first));
    return 2;
}

static int unknown_command(Str name)
{
    Str names[64];
    size_t n = 0;
    while (commands[n]) {
        names[n] = str_of(commands[n]->name);
        n++;
    }
    int nearest = str_nearest(name, names, n);
    fprintf(stderr, "clary: unknown command '%.*s'", STR_ARG(name));
    if (nearest >= 0) fprintf(stderr, " (did you mean '%s'?)", commands[nearest]->name);
    fputs("\ntry 'clary --help'\n", stderr);
    return 2;
}

int cli_main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_DFL); /* `clary predict … | head` ends quietly */
    Str name = argc > 1 ? str_of(argv[1]) : STR("");
    if (name.len == 0 || str_is(name, "--help") || str_is(name, "-h")) {
        print_overview(name.len ? stdout : stderr);
        return name.len ? 0 : 2;
    }
    if (str_is(name, "--version")) {
        puts("clary " CLARY_VERSION);
        return 0;
    }
    if (str_is(name, "help")) {
        const Command *command = argc > 2 ? find_command(str_of(argv[2])) : NULL;
        if (argc > 2 && !command) return unknown_command(str_of(argv[2]));
        char flag[] = "--help", *help[] = {argc > 3 ? argv[3] : flag, flag};
        if (command) return run_command(command, 2, help);
        print_overview(stdout);
        return 0;
    }
    const Command *command = find_command(name);
    return command ? run_command(command, argc - 2, argv + 2) : unknown_command(name);
}
