/* clary doctor: what this machine has, and what is lost without it. */

#include "cli/cli.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/thread.h"
#include "cli/remote.h"

#include <dlfcn.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static const Option options[] = {
    REMOTE_OPTIONS,
    {"json", 0, NULL, "as a JSON document", false, NULL},
    {0},
};

static const char *const examples[] = {"clary doctor", NULL};

typedef struct Doctor {
    bool json;
    JsonWriter *out;
    int lost;
} Doctor;

static void say(Doctor *doctor, bool ok, const char *name, Str what, const char *loss)
{
    doctor->lost += !ok;
    if (doctor->json) {
        json_begin_object(doctor->out);
        json_member_string(doctor->out, "name", str_of(name));
        json_member_bool(doctor->out, "ok", ok);
        json_member_string(doctor->out, "found", what);
        if (!ok) json_member_string(doctor->out, "without_it", str_of(loss));
        json_end_object(doctor->out);
        return;
    }
    printf("%s  %-18s %.*s%s%s\n", ok ? "ok  " : "--  ", name, STR_ARG(what),
           ok || !*loss ? "" : "; without it: ", ok ? "" : loss);
}

/* The first line a program prints, empty when it cannot be run. */
static Str first_line(const char *const *words, Arena *arena)
{
    int pipes[2], status = 0;
    pid_t pid;
    posix_spawn_file_actions_t actions;
    char text[512];
    if (pipe(pipes) != 0) return STR("");
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, pipes[1], 1);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1 /* O_WRONLY */, 0);
    posix_spawn_file_actions_addclose(&actions, pipes[0]);
    posix_spawn_file_actions_addclose(&actions, pipes[1]);
    int code = posix_spawnp(&pid, words[0], &actions, NULL, (char *const *)(uintptr_t)words,
                            environ);
    posix_spawn_file_actions_destroy(&actions);
    close(pipes[1]);
    ssize_t n = 0, got;
    while (code == 0 && (got = read(pipes[0], text + n, sizeof text - (size_t)n)) > 0 &&
           n + got < (ssize_t)sizeof text)
        n += got;
    close(pipes[0]);
    if (code != 0) return STR("");
    waitpid(pid, &status, 0);
    Str rest = {text, (size_t)n}, line = {0};
    str_next_line(&rest, &line);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? arena_str(arena, line) : STR("");
}

static void check_program(Doctor *doctor, const char *name, const char *const *words,
                          const char *loss, Arena *arena)
{
    Str line = first_line(words, arena);
    say(doctor, line.len > 0, name, line.len ? line : STR("not found"), loss);
}

static void check_library(Doctor *doctor, const char *name, const char *file, const char *loss)
{
    void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL);
    say(doctor, library != NULL, name, library ? str_of(file) : STR("not found"), loss);
    if (library) dlclose(library);
}

static bool doctor_run(const Args *args, bool *ret_usage, Error *err)
{
    ARENA(arena);
    AUTO_STRBUF StrBuf text = STRBUF(1 << 20);
    JsonWriter json = JSON_WRITER(&text);
    Doctor doctor = {args_has(args, "json"), &json, 0};
    Remote remote;
    (void)err;
    if (args->n_positional) return USAGE("'clary doctor' takes no words");
    if (doctor.json) json_begin_array(&json);

    static const char *const levels[] = {"plain C", "AVX2", "AVX-512"};
    say(&doctor, true, "processor",
        arena_format(&arena, "%d to use, code for %s", processor_count(),
                     levels[MIN((size_t)cpu_level(), COUNT(levels) - 1)]),
        "");

    char path[4096];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    char *slash = n > 0 ? memrchr(path, '/', (size_t)n) : NULL;
    Str folder = slash ? (Str){path, (size_t)(slash - path)} : STR("/usr/bin");
    static const char *const programs[] = {"claryd", "clary-train", "clary-serve"};
    for (size_t i = 0; i < COUNT(programs); i++) {
        const char *program = arena_format(&arena, "%.*s/%s", STR_ARG(folder), programs[i]).ptr;
        bool there = access(program, X_OK) == 0;
        say(&doctor, there, programs[i], there ? str_of(program) : STR("not beside clary"),
            "the server has nothing to start");
    }
    check_library(&doctor, "libarchive", "libarchive.so.13", "models cannot be .tar.gz archives");
    check_library(&doctor, "libpq", "libpq.so.5", "metadata can only be kept in SQLite");
    check_program(&doctor, "python3", (const char *const[]){"python3", "--version", NULL},
                  "script mode cannot run", &arena);
    check_program(
        &doctor, "scikit-learn",
        (const char *const[]){"python3", "-c", "import sklearn; print(sklearn.__version__)", NULL},
        "scripts for SageMaker's scikit-learn images fail", &arena);
    check_program(
        &doctor, "xgboost",
        (const char *const[]){"python3", "-c", "import xgboost; print(xgboost.__version__)", NULL},
        "scripts for SageMaker's xgboost images fail (the built-in algorithm does not need it)",
        &arena);
    check_program(
        &doctor, "pytorch",
        (const char *const[]){"python3", "-c", "import torch; print(torch.__version__)", NULL},
        "scripts for SageMaker's pytorch images fail", &arena);
    check_program(
        &doctor, "podman",
        (const char *const[]){"podman", "version", "--format", "{{.Client.Version}}", NULL},
        "images of your own need docker", &arena);
    check_program(&doctor, "docker",
                  (const char *const[]){"docker", "info", "--format", "{{.ServerVersion}}", NULL},
                  "images of your own need podman", &arena);
    remote_find(args, &arena, &remote);
    bool runs = remote_runs(&remote);
    say(&doctor, runs, "server",
        runs ? remote.url : arena_format(&arena, "none in '%.*s'", STR_ARG(remote.home)),
        "start it with: clary up");
    Str body;
    const Json *status;
    Error asked = {0};
    if (runs && remote_get(&remote, STR("GET"), STR("/_clary/status"), &arena, &body, &asked) &&
        json_parse(body, &arena, &status, &asked)) {
        Str sandbox = json_get_text(status, "sandbox"), line;
        while (str_next_line(&sandbox, &line)) {
            size_t colon = str_find(line, ':');
            bool ok = !str_ends(line, STR(" no")) && !str_has(line, STR(": no"));
            say(&doctor, ok, arena_cstr(&arena, str_slice(line, 0, colon)),
                str_trim(str_from(line, MIN(line.len, colon + 1))),
                "jobs are confined by the rest");
        }
    }
    if (doctor.json) {
        json_end_array(&json);
        puts(strbuf_cstr(&text));
    }
    return true;
}

const Command doctor_command = {
    .name = "doctor",
    .synopsis = "[--json]",
    .summary = "what this machine has, and what is lost without it",
    .examples = examples,
    .options = options,
    .run = doctor_run,
};
