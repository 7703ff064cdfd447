/* clary-serve: a model folder behind HTTP, as SageMaker's containers serve it. */

#include "base/file.h"
#include "base/log.h"
#include "cli/args.h"
#include "train/serve.h"

#include <stdio.h>
#include <stdlib.h>

static const Option options[] = {
    {"model", 'm', "DIR", "the model's folder (SAGEMAKER_BASE_DIR/model, else /opt/ml/model)",
     false, NULL},
    {"port", 'p', "N", "TCP port, 0: any free one (SAGEMAKER_BIND_TO_PORT, else 8080)", false,
     NULL},
    {"host", 0, "ADDR", "address to listen on; 0.0.0.0 means all (127.0.0.1)", false, NULL},
    {"socket", 's', "PATH", "listen on a Unix socket instead", false, NULL},
    {"threads", 0, "N", "event loops (MODEL_SERVER_WORKERS, else one per processor)", false, NULL},
    {"algorithm", 0, "NAME", "of a model folder without clary.json", false, NULL},
    {"help", 'h', NULL, "print this help", false, NULL},
    {"version", 0, NULL, "print the version", false, NULL},
    {0},
};

static void print_help(void)
{
    puts("clary-serve: a model folder behind HTTP, as SageMaker's containers serve it\n\nExamples\n"
         "  clary-serve model --port 8080\n"
         "  curl -H 'Content-Type: text/csv' -d '5.1,3.5,1.4' http://127.0.0.1:8080/invocations\n"
         "  SAGEMAKER_BASE_DIR=/endpoints/a clary-serve --host 0.0.0.0\n\nOptions");
    for (const Option *option = options; option->name; option++)
        printf("  --%-10s %-5s %s\n", option->name, option->value ? option->value : "",
               option->help);
}

static int fail_usage(const char *text)
{
    fprintf(stderr, "clary-serve: %s\ntry 'clary-serve --help'\n", text);
    return 2;
}

static void say_ready(const ServeOptions *serve, const Artifact *artifact, int port)
{
    if (serve->socket)
        log_info("serving %s on %s", artifact->algorithm->name, serve->socket);
    else
        log_info("serving %s on http://%s:%d", artifact->algorithm->name, serve->host, port);
}

static int run(const Args *args, Arena *arena)
{
    Error err = {0};
    ServeOptions serve;
    int64_t port, n_threads;
    if (args_has(args, "help")) {
        print_help();
        return 0;
    }
    if (args_has(args, "version")) {
        puts("clary-serve " CLARY_VERSION);
        return 0;
    }
    if (!serve_options_from_environment(arena, &serve, &err) ||
        !args_int(args, "port", 0, 65535, serve.port, &port, &err) ||
        !args_int(args, "threads", 1, SERVE_THREADS_MAX, serve.n_threads, &n_threads, &err))
        return fail_usage(err.text);
    /* "serve" is SageMaker's command; any other word is the model. */
    bool named = args->n_positional == 1 && !str_is(args->positional[0], "serve");
    if (args->n_positional > 1 || (named && args_has(args, "model")))
        return fail_usage("one model folder at a time");

    serve.port = (int)port;
    serve.n_threads = (int)n_threads;
    if (named) serve.folder = args->positional[0].ptr;
    if (args_has(args, "model")) serve.folder = args_get(args, "model").ptr;
    if (file_exists(serve.folder) && !folder_exists(serve.folder)) {
        log_error(
            "'%s' is a file; unpack it into a folder and name that: mkdir model && tar -xzf %s -C model",
            serve.folder, serve.folder);
        return 2;
    }
    if (args_has(args, "host")) serve.host = args_get(args, "host").ptr;
    if (args_has(args, "socket")) serve.socket = args_get(args, "socket").ptr;
    if (args_has(args, "algorithm")) {
        serve.algorithm = algorithm_find(args_get(args, "algorithm"));
        if (!serve.algorithm)
            return fail_usage("that algorithm is unknown; 'clary algorithms' lists them");
    }
    if (serve_run(&serve, say_ready, &err)) return 0;
    log_error("%s", err.text);
    return err.kind == ERROR_INVALID || err.kind == ERROR_NOT_FOUND ? 2 : 1;
}

int main(int argc, char **argv)
{
    Error err = {0};
    ARENA(arena);
    Args args;
    int status = args_parse(options, NULL, argc - 1, argv + 1, &args, &err) ? run(&args, &arena)
                                                                            : fail_usage(err.text);
    args_clear(&args);
    return status;
}
