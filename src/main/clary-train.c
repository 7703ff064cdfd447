/* clary-train: one training job in SageMaker's container layout. */

#include "cli/args.h"
#include "train/container.h"
#include "train/describe.h"

#include <stdio.h>
#include <stdlib.h>

static const Option options[] = {
    {"algorithm", 0, "NAME", "xgboost, kmeans, ...: or set CLARY_ALGORITHM", false, NULL},
    {"base-dir", 0, "PATH", "what SageMaker's containers have as /opt/ml (SAGEMAKER_BASE_DIR)",
     false, NULL},
    {"threads", 0, "N", "threads to use (all processors)", false, NULL},
    {"describe", 0, NULL, "print every algorithm's specification as JSON", false, NULL},
    {"help", 'h', NULL, "print this help", false, NULL},
    {0},
};

static int fail(const char *text)
{
    fprintf(stderr, "clary-train: %s\ntry 'clary-train --help'\n", text);
    return EXIT_USER_ERROR;
}

static void print_help(void)
{
    puts("clary-train: one training job in SageMaker's container layout\n\nExamples\n"
         "  SAGEMAKER_BASE_DIR=/jobs/a clary-train --algorithm xgboost\n"
         "  clary-train --describe\n\nOptions");
    for (const Option *option = options; option->name; option++)
        printf("  --%-10s %-5s %s\n", option->name, option->value ? option->value : "",
               option->help);
}

static int describe(void)
{
    AUTO_STRBUF StrBuf text = STRBUF(64 << 20);
    describe_all_json(&text);
    fputs(strbuf_cstr(&text), stdout);
    return 0;
}

static int run(const Args *args)
{
    Error err = {0};
    int64_t n_threads;
    if (args_has(args, "help")) {
        print_help();
        return 0;
    }
    if (args_has(args, "describe")) return describe();
    if (!args_int(args, "threads", 1, 1024, 0, &n_threads, &err)) return fail(err.text);
    if (args->n_positional > 1 ||
        (args->n_positional == 1 && !str_is(args->positional[0], "train")))
        return fail("the only word that may stand there is 'train'");

    const char *base = getenv("SAGEMAKER_BASE_DIR"), *name = getenv("CLARY_ALGORITHM");
    if (args_has(args, "base-dir")) base = args_get(args, "base-dir").ptr;
    if (args_has(args, "algorithm")) name = args_get(args, "algorithm").ptr;
    if (!name) return fail("which algorithm? say --algorithm NAME");
    ContainerOptions job = {.base = base ? base : "/opt/ml",
                            .algorithm = algorithm_find(str_of(name)),
                            .n_threads = (int)n_threads};
    if (!job.algorithm) return fail("that algorithm is unknown; --describe lists them");
    return container_train(&job);
}

int main(int argc, char **argv)
{
    Error err = {0};
    Args args;
    int status = args_parse(options, NULL, argc - 1, argv + 1, &args, &err) ? run(&args)
                                                                            : fail(err.text);
    args_clear(&args);
    return status;
}
