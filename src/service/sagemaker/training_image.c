/* Images: jobs run by the host's podman or docker, when there is one.
 *
 * The engine's client is the job's process; it passes signals on and ends as the container does.
 * CLARY_CONTAINERS names another command, with options ("podman --runtime runc"), or "no". */

#include "service/sagemaker/training_start.h"

#include "base/file.h"
#include "base/log.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum {
    ENGINE_WORDS_MAX = 16,
    ANSWER_BYTES_MAX = 1 << 20,
    FILES_MAX = 65536,
    PROCESSES_MAX = 4096,
    PROCESS_ENVIRONMENT_MAX = 4 << 20
};

static struct {
    pthread_mutex_t lock;
    bool asked;
    Arena arena;
    const char *words[ENGINE_WORDS_MAX]; /* n_words 0: there is none */
    int n_words;
} engine = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char *in_path(Arena *arena, Str name)
{
    Str rest = str_of(getenv("PATH")), folder;
    if (str_find(name, '/') < name.len) return arena_cstr(arena, name);
    while (rest.ptr && str_next(&rest, ':', &folder)) {
        const char *path = arena_format(arena, "%.*s/%.*s", STR_ARG(folder), STR_ARG(name)).ptr;
        if (folder.len && folder.ptr[0] == '/' && access(path, X_OK) == 0) return path;
    }
    return NULL;
}

/* A client alone is no engine: docker's needs a service that answers. */
static bool works(Server *server, const char *const *words, int n)
{
    ARENA(scratch);
    const char *argv[ENGINE_WORDS_MAX + 2] = {0};
    Str answer;
    Error err = {0};
    memcpy(argv, words, (size_t)n * sizeof *argv);
    argv[n] = "info";
    if (program_ask(server, argv, NULL, ANSWER_BYTES_MAX, &scratch, &answer, &err)) return true;
    log_debug("%s", err.text);
    return false;
}

static void find_engine(Server *server)
{
    static const char *const usual[] = {"podman", "docker"};
    Str given = str_of(getenv("CLARY_CONTAINERS")), word;
    engine.asked = true;
    if (str_is(given, "no")) return;
    if (given.len) {
        while (str_next(&given, ' ', &word) && engine.n_words < ENGINE_WORDS_MAX - 1) {
            if (!word.len) continue;
            const char *path = engine.n_words ? arena_cstr(&engine.arena, word)
                                              : in_path(&engine.arena, word);
            if (!path) break;
            engine.words[engine.n_words++] = path;
        }
        if (engine.n_words && !works(server, engine.words, engine.n_words)) engine.n_words = 0;
        return;
    }
    for (size_t i = 0; i < COUNT(usual); i++) {
        const char *path = in_path(&engine.arena, str_of(usual[i]));
        if (!path || !works(server, &path, 1)) continue;
        engine.words[engine.n_words++] = path;
        return;
    }
}

bool image_engine(Server *server)
{
    pthread_mutex_lock(&engine.lock);
    if (!engine.asked) find_engine(server);
    bool found = engine.n_words > 0;
    pthread_mutex_unlock(&engine.lock);
    return found;
}

static Str container_name(const TrainingRun *run, Arena *arena)
{
    return arena_format(arena, "clary-training-%.*s-%.*s", STR_ARG(run->region),
                        STR_ARG(run->name));
}

static void add_limit(Start *start, const char *name, int resource, rlim_t most)
{
    struct rlimit limits;
    if (getrlimit(resource, &limits) == 0 && limits.rlim_max != RLIM_INFINITY)
        most = MIN(most, limits.rlim_max);
    start_arg(start, STR("--ulimit"));
    start_arg(start, arena_format(start->arena, "%s=%llu:%llu", name, (unsigned long long)most,
                                  (unsigned long long)most));
}

static void add_words(Start *start, const Json *words, size_t from)
{
    for (size_t i = from; words && i < words->n; i++) start_arg(start, json_at(words, i)->text);
}

bool start_image(Start *start, bool isolated, Error *err)
{
    TrainingRun *run = start->run;
    const Json *specification = json_get(run->job, "AlgorithmSpecification"),
               *entry = json_get(specification, "ContainerEntrypoint"),
               *arguments = json_get(specification, "ContainerArguments");
    if (!image_engine(run->server))
        return error_set(err, ERROR_UNSUPPORTED, "ClientError: no container engine runs here");
    image_remove(run); /* of an earlier try */
    for (int i = 0; i < engine.n_words; i++) start_arg(start, str_of(engine.words[i]));
    static const char *const usual[] = {
        "run", "--rm", "--hostname", "algo-1", "--security-opt", "no-new-privileges", "--name"};
    for (size_t i = 0; i < COUNT(usual); i++) start_arg(start, str_of(usual[i]));
    start_arg(start, container_name(run, start->arena));
    start_arg(start, STR("--network"));
    start_arg(start, isolated ? STR("none") : STR("host"));
    add_limit(start, "nofile", RLIMIT_NOFILE, FILES_MAX);
    add_limit(start, "nproc", RLIMIT_NPROC, PROCESSES_MAX);
    for (int i = 0; i < start->n_mounts; i++) {
        const Mount *mount = &start->mounts[i];
        if (strchr(mount->from, ':') || strchr(mount->to, ':'))
            return error_set(err, ERROR_INVALID,
                             "container engines take no ':' in folders' names: '%s'", mount->from);
        start_arg(start, STR("-v"));
        start_arg(start, arena_format(start->arena, "%s:%s%s", mount->from, mount->to,
                                      mount->writable ? "" : ":ro"));
    }
    /* By a file: the client itself, which nobody confines, must not get what a user chose. */
    AUTO_STRBUF StrBuf file = STRBUF(PROCESS_ENVIRONMENT_MAX);
    for (int i = 0; i < start->n_env; i++) {
        Str line = str_of(start->env[i]);
        if (str_starts(line, STR("HOME=")) || str_starts(line, STR("TMPDIR="))) continue;
        if (str_find(line, '\n') == line.len) {
            strbuf_add(&file, line);
            strbuf_add_char(&file, '\n');
        } else { /* such files have no way to say it */
            start_arg(start, STR("-e"));
            start_arg(start, line);
        }
    }
    const char *env_file = path_join(start->arena, run->folder, "environment");
    if (file.overflow)
        return error_set(err, ERROR_LIMIT, "the environment has more than %d bytes",
                         PROCESS_ENVIRONMENT_MAX);
    if (!file_commit(env_file, strbuf_str(&file), err)) return false;
    start_arg(start, STR("--env-file"));
    start_arg(start, str_of(env_file));
    if (entry && entry->n) {
        start_arg(start, STR("--entrypoint"));
        start_arg(start, json_at(entry, 0)->text);
    }
    start_arg(start, run->program.image);
    add_words(start, entry, 1);
    if (arguments && arguments->n)
        add_words(start, arguments, 0);
    else if (!entry || !entry->n)
        start_arg(start, STR("train"));

    static const char *const own[] = {"PATH", "HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST"};
    start->n_env = 0;
    for (size_t i = 0; i < COUNT(own); i++)
        if (getenv(own[i])) start_env(start, own[i], str_of(getenv(own[i])));
    start->env[start->n_env] = NULL;
    start->folder = "/";
    return true;
}

/* What the engine's client left behind when it was killed. */
void image_remove(TrainingRun *run)
{
    ARENA(scratch);
    const char *argv[ENGINE_WORDS_MAX + 4] = {0};
    Str ignored;
    Error err = {0};
    if (run->program.kind != PROGRAM_IMAGE || !image_engine(run->server)) return;
    int n = engine.n_words;
    memcpy(argv, engine.words, (size_t)n * sizeof *argv);
    argv[n++] = "rm";
    argv[n++] = "-f";
    argv[n++] = container_name(run, &scratch).ptr;
    program_ask(run->server, argv, NULL, ANSWER_BYTES_MAX, &scratch, &ignored, &err);
}
