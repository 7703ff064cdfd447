/* clary algorithms: what can be trained. */

#include "cli/cli.h"

#include "train/describe.h"

#include <stdio.h>

static const Option options[] = {
    {"json", 0, NULL, "the whole description as JSON", false, NULL},
    {0},
};

static const char *const examples[] = {
    "clary algorithms",
    "clary algorithms xgboost",
    "clary algorithms xgboost --json",
    NULL,
};

static void print_one(const Algorithm *algorithm)
{
    printf("%s: %s\n\nChannels\n", algorithm->name, algorithm->summary);
    for (const ChannelInfo *channel = algorithm->channels; channel->name; channel++)
        printf("  %-12s %s%s\n", channel->name, channel->help,
               channel->required ? " (required)" : "");
    printf("\nContent types\n ");
    for (const char *const *type = algorithm->content_types; type && *type; type++)
        printf(" %s", *type);
    printf("\n\n");
    ARENA(scratch);
    printf("Hyperparameters\n");
    for (const Param *param = algorithm->params; param->type != PARAM_TYPE_END; param++) {
        Str range = param_range_text(param, &scratch);
        printf("  %-30s %.*s%s%s\n", param->name, STR_ARG(range), param->preset ? ", default " : "",
               param->preset     ? param->preset
               : param->optional ? ""
                                 : ", required");
    }
    printf("\n'clary train %s --help' says what they mean.\n", algorithm->name);
}

static bool algorithms_run(const Args *args, bool *ret_usage, Error *err)
{
    if (args->n_positional > 1) return USAGE("one algorithm at a time");
    AUTO_STRBUF StrBuf text = STRBUF(16 << 20);
    if (args->n_positional == 0) {
        if (args_has(args, "json")) {
            describe_all_json(&text);
            fputs(strbuf_cstr(&text), stdout);
            return true;
        }
        for (const Algorithm *const *each = algorithms; *each; each++)
            printf("%-24s %s\n", (*each)->name, (*each)->summary);
        return true;
    }
    const Algorithm *algorithm = algorithm_find(args->positional[0]);
    if (!algorithm)
        return error_set(err, ERROR_NOT_FOUND,
                         "unknown algorithm '%.*s'; 'clary algorithms' lists them",
                         STR_ARG(args->positional[0]));
    if (args_has(args, "json")) {
        JsonWriter json = JSON_WRITER(&text);
        describe_json(algorithm, &json);
        puts(strbuf_cstr(&text));
    } else {
        print_one(algorithm);
    }
    return true;
}

const Command algorithms_command = {
    .name = "algorithms",
    .synopsis = "[NAME] [--json]",
    .summary = "what can be trained, with all hyperparameters",
    .examples = examples,
    .options = options,
    .run = algorithms_run,
};
