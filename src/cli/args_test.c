#include "cli/args.h"

#include "base/test.h"

static const char *const formats[] = {"csv", "json", NULL};

static const Option options[] = {
    {"output", 'o', "PATH", "", false, NULL},
    {"format", 0, "FORMAT", "", false, formats},
    {"ignore", 0, "COLUMN", "", true, NULL},
    {"quiet", 'q', NULL, "", false, NULL},
    {0},
};

typedef struct Toy {
    int64_t max_depth;
} Toy;

static const Param params[] = {
    PARAM_INT("max_depth", Toy, max_depth, .preset = "6"),
    {0},
};

static int copy_words(const char *const *words, int max, char **ret_argv)
{
    int n = 0;
    for (; n < max && words[n]; n++) ret_argv[n] = (char *)(uintptr_t)words[n];
    return n;
}

TEST(args, values_switches_repeats_and_hyperparameters)
{
    static const char *const words[] = {"xgboost", "-omodel",     "--ignore", "a",  "--ignore=b",
                                        "-q",      "--max-depth", "3",        "--", "-x",
                                        "-"};
    char *argv[COUNT(words)];
    copy_words(words, COUNT(words), argv);
    Args args;
    Error err = {0};
    CHECK_OK(args_parse(options, params, COUNT(argv), argv, &args, &err), err);
    CHECK_STR(args_get(&args, "output"), STR("model"));
    int n;
    const Str *ignored = args_all(&args, "ignore", &n);
    CHECK_INT(n, 2);
    CHECK_STR(ignored[1], STR("b"));
    CHECK(args_has(&args, "quiet"));
    CHECK_INT(args.n_params, 1);
    CHECK_STR(args.params[0].name, STR("max_depth"));
    CHECK_INT(args.n_positional, 3);
    CHECK_STR(args.positional[1], STR("-x"));
    args_clear(&args);
}

TEST(args, refusals_say_what_was_meant)
{
    static const struct {
        const char *words[3];
        const char *want;
    } cases[] = {
        {{"--max-dept", "3", NULL}, "unknown option '--max-dept' (did you mean '--max_depth'?)"},
        {{"--outptu", "x", NULL}, "unknown option '--outptu' (did you mean '--output'?)"},
        {{"--format", "xml", NULL}, "option '--format': 'xml' is none of csv, json"},
        {{"--output", NULL, NULL}, "option '--output' needs a value"},
        {{"-qq", NULL, NULL}, "option '--quiet' takes no value"},
        {{"-oa", "-ob", NULL}, "option '--output' is given twice"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char *argv[3];
        int argc = copy_words(cases[i].words, 3, argv);
        Args args;
        Error err = {0};
        CHECK(!args_parse(options, params, argc, argv, &args, &err));
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
        args_clear(&args);
    }
}
