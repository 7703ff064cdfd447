/* One model server: its process, its health, its log.
 *
 * Thread A starts the process and waits for its end, again and again (backoff: rule E1); the keeper watches by pidfd,
 * so a death is known at once.  Thread B asks /ping, moves lines of the output file to CloudWatch Logs, and ends
 * it all when the server is retired.
 *
 * Process name and address follow from endpoint, fleet, variant and index: after a crash of claryd the keeper
 * answers CONFLICT to the start, and the living process is taken over. */

#include "service/sagemaker/hosting.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "format/json_build.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "service/logs/logs.h"
#include "service/sagemaker/deploy.h"
#include "service/sagemaker/training.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/un.h>

enum { LOG_LINES = 1000, LOG_PIECE = 256 << 10, ENVIRONMENT_MAX = 128, DEATHS_AT_START_MAX = 3 };
enum { SERVER_MOUNTS_MAX = 64 };
enum { HEALTHY_SECONDS = 60, THREAD_STACK = 512 << 10, TAIL_BYTES = 2048 };

extern const char serve_script[]; /* serve_script.py */

typedef struct ServerState {
    Hosting *hosting;
    ModelServer *server;
    Arena arena; /* all texts */
    Str region, endpoint, variant, group;
    const char *process, *output, *output_at;
    const char *const *argv, *const *env;
    const char *folder;
    const Mount *mounts;
    int n_mounts;
    bool confined, mounted; /* in the sandbox; with mounts of its own */
    double startup_seconds;
    pthread_t runner;
    /* under hosting->mutex: */
    bool retired, running;
    ServerHealth health;
    double started, healthy_since;
    /* of thread B: */
    int64_t log_at;
    double pinged;
    int misses;
} ServerState;

/* ---- names and commands ---- */

/* What a model's environment may tell our own server, which runs unconfined: its documented settings only. */
static bool may_pass(Str name)
{
    static const char *const names[] = {
        "SAGEMAKER_BATCH",
        "SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT",
        "SAGEMAKER_INFERENCE_OUTPUT",
        "SAGEMAKER_MAX_PAYLOAD_IN_MB",
        "MAX_CONTENT_LENGTH",
        "MODEL_SERVER_WORKERS",
    };
    for (size_t i = 0; i < COUNT(names); i++)
        if (str_is(name, names[i])) return true;
    return false;
}

static void make_own_command(ServerState *state, const ModelServerSpec *spec)
{
    Arena *arena = &state->arena;
    const Json *container = spec->container, *environment = json_get(container, "Environment");
    const char **argv = arena_array(arena, const char *, 10),
               **env = arena_array(arena, const char *, ENVIRONMENT_MAX + 1);
    Str algorithm = json_get_text(container, "Algorithm");
    int n = 0;
    argv[n++] = path_join(arena, state->hosting->server->options->programs, "clary-serve");
    argv[n++] = "--model";
    argv[n++] = arena_cstr(arena, json_get_text(container, "Folder"));
    argv[n++] = "--socket";
    argv[n++] = state->server->address;
    if (algorithm.len) {
        argv[n++] = "--algorithm";
        argv[n++] = arena_cstr(arena, algorithm);
    }
    state->argv = argv;
    n = 0;
    env[n++] = "PATH=/usr/local/bin:/usr/bin:/bin";
    env[n++] = "LANG=C.UTF-8";
    for (size_t i = 0; environment && i < environment->n && n < ENVIRONMENT_MAX; i++) {
        const JsonMember *member = &environment->members[i];
        if (member->value->type == JSON_STRING && may_pass(member->name))
            env[n++] = arena_format(arena, "%.*s=%.*s", STR_ARG(member->name),
                                    STR_ARG(member->value->text))
                           .ptr;
    }
    state->env = env;
}

/* A port that is free now; kept beside the log, so that a process that outlives claryd is found again. */
static bool choose_port(ServerState *state, int *ret_port, Error *err)
{
    const char *path = arena_format(&state->arena, "%s.port", state->output).ptr;
    Str text;
    int64_t port;
    int fd, found = 0;
    Error none;
    if (file_read(path, 16, &state->arena, &text, &none) && str_to_int64(str_trim(text), &port) &&
        port > 0 && port < 65536) {
        *ret_port = (int)port;
        return true;
    }
    if (!http_listen_tcp("127.0.0.1", 0, false, &fd, &found, err)) return false;
    close(fd);
    *ret_port = found;
    return file_commit(path, arena_format(&state->arena, "%d\n", found), err);
}

static void add_all_environment(ServerState *state, const Json *environment, const char **env,
                                int *n)
{
    for (size_t i = 0; environment && i < environment->n && *n < ENVIRONMENT_MAX; i++) {
        const JsonMember *member = &environment->members[i];
        if (member->value->type != JSON_STRING ||
            memchr(member->value->text.ptr, 0, member->value->text.len))
            continue;
        env[(*n)++] = arena_format(&state->arena, "%.*s=%.*s", STR_ARG(member->name),
                                   STR_ARG(member->value->text))
                          .ptr;
    }
}

static void add_mount(ServerState *state, const char *from, const char *to, bool writable)
{
    if (state->n_mounts < SERVER_MOUNTS_MAX)
        ((Mount *)(uintptr_t)state->mounts)[state->n_mounts++] = (Mount){from, to, writable};
}

static bool is_below(Str path, const char *folder)
{
    Str above = str_of(folder);
    return str_starts(path, above) && (path.len == above.len || path.ptr[above.len] == '/');
}

/* What of Python lies outside of the system's folders, which every program sees. */
static void mount_python(ServerState *state, const Python *python)
{
    static const char *const system[] = {"/usr", "/lib", "/lib64", "/bin", "/sbin"};
    for (size_t i = 0; python->paths && i < python->paths->n; i++) {
        const char *path = arena_cstr(&state->arena, json_at(python->paths, i)->text);
        bool there = strlen(path) < 2 || !folder_exists(path);
        for (size_t k = 0; k < COUNT(system); k++) there |= is_below(str_of(path), system[k]);
        for (int k = 0; k < state->n_mounts && !there; k++)
            there = is_below(str_of(path), state->mounts[k].to);
        if (!there) add_mount(state, path, path, false);
    }
}

/* Where programs see a folder: at `inside`, where the sandbox has mounts of its own. */
static const char *show_folder(ServerState *state, const char *folder, const char *inside)
{
    const char *to = state->mounted ? inside : folder;
    add_mount(state, folder, to, false);
    return to;
}

/* /opt/ml, or a folder that looks like it. */
static bool show_base(ServerState *state, const char *model, const char **ret_base, Error *err)
{
    *ret_base = "/opt/ml";
    if (model) show_folder(state, model, "/opt/ml/model");
    if (state->mounted) return true;
    const char *base = arena_format(&state->arena, "%s.base", state->output).ptr;
    const char *at = path_join(&state->arena, base, "model");
    if (!folder_make(base, err)) return false;
    unlink(at);
    if (model && symlink(model, at) != 0) return error_sys(err, errno, "linking '%s'", at);
    add_mount(state, base, base, true);
    *ret_base = base;
    return true;
}

static bool check_sandbox(ServerState *state, Error *err)
{
    unsigned features;
    if (!sandbox_features(&features, err)) return false;
    state->confined = sandbox_confines(features);
    state->mounted = state->confined && (features & SANDBOX_NAMESPACES);
    return state->confined || state->hosting->server->options->allow_unconfined ||
           error_set(
               err, ERROR_UNSUPPORTED,
               "this machine cannot confine users' programs (clary doctor says what is missing); "
               "start the server with --allow-unconfined to run them anyway");
}

/* A user's program or script, in the sandbox, by the container contract: below /opt/ml, on the port that
 * SAGEMAKER_BIND_TO_PORT names. */
static bool make_program_command(ServerState *state, const ModelServerSpec *spec, Error *err)
{
    Arena *arena = &state->arena;
    const Json *container = spec->container;
    Str model = json_get_text(container, "Folder"), program = json_get_text(container, "Program"),
        code = json_get_text(container, "Code");
    const char *base;
    int port, n = 0;
    state->mounts = arena_array(arena, Mount, SERVER_MOUNTS_MAX);
    if (!check_sandbox(state, err) || !choose_port(state, &port, err) ||
        !show_base(state, model.len ? arena_cstr(arena, model) : NULL, &base, err))
        return false;
    state->server->address = (char *)(uintptr_t)arena_format(arena, "127.0.0.1:%d", port).ptr;
    const char **argv = arena_array(arena, const char *, 4),
               **env = arena_array(arena, const char *, ENVIRONMENT_MAX + 16);
    add_all_environment(state, json_get(container, "Environment"), env, &n);
    Python python = {0};
    Error none;
    if (code.len) {
        if (!find_python(state->hosting->server, &python, err)) return false;
        state->folder = show_folder(state, arena_cstr(arena, code), "/opt/ml/code");
        argv[0] = arena_cstr(arena, python.program);
        argv[1] = "-c";
        argv[2] = serve_script;
        env[n++] = arena_format(arena, "CLARY_SCRIPT_FOLDER=%s", state->folder).ptr;
    } else {
        state->folder = show_folder(state, arena_cstr(arena, program), "/opt/program");
        argv[0] = path_join(arena, state->folder, "serve");
        argv[1] = "serve";
        find_python(state->hosting->server, &python, &none);
    }
    mount_python(state, &python);
    state->argv = argv;
    env[n++] = arena_format(arena, "SAGEMAKER_BIND_TO_PORT=%d", port).ptr;
    env[n++] = arena_format(arena, "SAGEMAKER_BASE_DIR=%s", base).ptr;
    env[n++] = arena_format(arena, "SM_MODEL_DIR=%s/model", base).ptr;
    env[n++] = arena_format(arena, "AWS_REGION=%.*s", STR_ARG(state->region)).ptr;
    env[n++] = arena_format(arena, "AWS_DEFAULT_REGION=%.*s", STR_ARG(state->region)).ptr;
    env[n++] = "PATH=/usr/local/bin:/usr/bin:/bin";
    env[n++] = "HOME=/tmp";
    env[n++] = "LANG=C.UTF-8";
    env[n++] = "PYTHONUNBUFFERED=1";
    env[n++] = "PYTHONDONTWRITEBYTECODE=1";
    state->env = env;
    return true;
}

static bool make_command(ServerState *state, const ModelServerSpec *spec, Error *err)
{
    state->folder = state->hosting->home;
    if (!str_is(json_get_text(spec->container, "Kind"), "built-in"))
        return make_program_command(state, spec, err);
    make_own_command(state, spec);
    return true;
}

static bool make_names(ServerState *state, const ModelServerSpec *spec, Error *err)
{
    Arena *arena = &state->arena;
    const char *home = state->hosting->server->options->home;
    state->region = arena_str(arena, spec->region);
    state->endpoint = arena_str(arena, spec->endpoint);
    state->variant = arena_str(arena, spec->variant);
    state->group = endpoint_log_group(arena, state->endpoint);
    Str process = arena_format(arena, "endpoint/%.*s/%.*s/%s/%.*s/%d/%d", STR_ARG(spec->region),
                               STR_ARG(spec->endpoint), spec->fleet, STR_ARG(spec->variant),
                               spec->index, spec->place);
    state->process = process.ptr;
    unsigned long long hash = hash_str(process, 0);
    Str address = arena_format(arena, "%s/run/%016llx.sock", home, hash);
    if (address.len >= sizeof((struct sockaddr_un *)0)->sun_path)
        return error_set(err, ERROR_INVALID,
                         "the path of clary's home is too long for sockets: '%s'", home);
    state->server->address = (char *)(uintptr_t)address.ptr;
    state->output = arena_format(arena, "%s/logs/%016llx", state->hosting->home, hash).ptr;
    state->output_at = arena_format(arena, "%s.at", state->output).ptr;
    state->server->stream =
        (char *)(uintptr_t)arena_format(arena, "%.*s/i-0%016llx", STR_ARG(spec->variant), hash).ptr;
    return folder_make(path_join(arena, home, "run"), err) &&
           folder_make(path_join(arena, state->hosting->home, "logs"), err);
}

/* ---- the log ---- */

static void log_position_store(const ServerState *state)
{
    AUTO_FD int fd = open(state->output_at, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && pwrite(fd, &state->log_at, sizeof state->log_at, 0) < 0)
        log_warning("writing '%s' failed", state->output_at);
}

static void log_position_load(ServerState *state)
{
    AUTO_FD int fd = open(state->output_at, O_RDONLY | O_CLOEXEC);
    int64_t at;
    if (fd >= 0 && pread(fd, &at, sizeof at, 0) == sizeof at && at >= 0) state->log_at = at;
}

/* Whole lines of `text` to CloudWatch Logs (an unended last one too, when `all`); bytes used. */
static size_t log_lines(ServerState *state, Str text, bool all)
{
    LogLine *lines = calloc(LOG_LINES, sizeof *lines);
    if (!lines) return 0;
    size_t n = 0, used = 0;
    int64_t now = (int64_t)(clock_wall() * 1e3);
    while (used < text.len && n < LOG_LINES) {
        Str rest = str_from(text, used);
        size_t end = str_find(rest, '\n');
        if (end == rest.len && !all && rest.len < LOG_PIECE) break;
        Str line = str_slice(rest, 0, end);
        if (line.len) lines[n++] = (LogLine){now, line};
        used += MIN(end + 1, rest.len);
    }
    Error err = {0};
    if (n && !logs_append(state->hosting->server, state->region, state->group,
                          str_of(state->server->stream), lines, n, &err)) {
        log_error("log of endpoint %.*s: %s", STR_ARG(state->endpoint), err.text);
        used = 0;
    }
    free(lines);
    return used;
}

static void pump_log(ServerState *state, bool all)
{
    AUTO_FD int fd = open(state->output, O_RDWR | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) return;
    if (st.st_size < state->log_at) state->log_at = 0;
    if (st.st_size == state->log_at) return;
    char *piece = malloc(LOG_PIECE);
    if (!piece) return;
    ssize_t n;
    while ((n = pread(fd, piece, LOG_PIECE, state->log_at)) > 0) {
        size_t used = log_lines(state, (Str){piece, (size_t)n}, all);
        if (!used) break;
        state->log_at += (int64_t)used;
    }
    free(piece);
    /* The writer appends, so it goes on at the new end. */
    if (state->log_at > ENDPOINT_LOG_BYTES_MAX && ftruncate(fd, 0) == 0) state->log_at = 0;
    log_position_store(state);
}

/* The last line that the process wrote, for a reason. */
static void last_line(const ServerState *state, char ret[static 256])
{
    char tail[TAIL_BYTES];
    ret[0] = 0;
    AUTO_FD int fd = open(state->output, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END);
    if (size <= 0) return;
    ssize_t n = pread(fd, tail, sizeof tail, MAX(size - (off_t)sizeof tail, 0));
    if (n <= 0) return;
    Str text = str_trim((Str){tail, (size_t)n});
    for (size_t i = text.len; i-- > 0;)
        if (text.ptr[i] == '\n') {
            text = str_from(text, i + 1);
            break;
        }
    snprintf(ret, 256, "%.*s", (int)MIN(text.len, (size_t)250), text.ptr);
}

/* ---- thread A: the process ---- */

static bool start_process(ServerState *state, Error *err)
{
    ProcessSpec spec = {
        .name = state->process,
        .argv = state->argv,
        .env = state->env,
        .folder = state->folder,
        .mounts = state->mounts,
        .n_mounts = state->n_mounts,
        .confined = state->confined,
        .output = state->output,
        .output_fd = -1,
        .status_fd = -1,
        .listen_fd = -1,
        .stop_seconds = ENDPOINT_STOP_SECONDS,
    };
    if (keeper_start(state->hosting->server->keeper, &spec, NULL, err)) return true;
    return err->kind == ERROR_CONFLICT; /* it lives: taken over */
}

static void say_exit(const ProcessExit *end, char ret[static 64])
{
    if (end->out_of_memory)
        snprintf(ret, 64, "was killed for its memory");
    else if (end->exited)
        snprintf(ret, 64, "ended with status %d", end->status);
    else
        snprintf(ret, 64, "was ended by signal %d", end->signal);
}

/* Waits on the monotonic clock; under the mutex. */
static void wait_until(Hosting *hosting, double at)
{
    struct timespec time = {(time_t)at, (long)((at - (double)(time_t)at) * 1e9)};
    pthread_cond_timedwait(&hosting->changed, &hosting->mutex, &time);
}

static void note_end(ServerState *state, const ProcessExit *end, const Error *failure)
{
    Hosting *hosting = state->hosting;
    char how[64] = "could not be started", line[256];
    if (!failure) say_exit(end, how);
    last_line(state, line);
    double now = clock_seconds();
    pthread_mutex_lock(&hosting->mutex);
    ServerHealth *health = &state->health;
    __atomic_store_n(&state->server->healthy, false, __ATOMIC_RELEASE);
    state->running = false;
    if (health->healthy && now - state->healthy_since > HEALTHY_SECONDS) health->deaths = 0;
    health->healthy = false;
    health->deaths++;
    snprintf(
        health->why, sizeof health->why,
        "The primary container for production variant %.*s did not pass the ping health check: its "
        "server %s%s%.300s",
        STR_ARG(state->variant), how, failure || line[0] ? ": " : "",
        failure ? failure->text : line);
    if (!health->ever_healthy &&
        (failure || health->deaths >= DEATHS_AT_START_MAX || (end->exited && end->status == 2)))
        health->failed = true;
    bool retired = state->retired;
    pthread_cond_broadcast(&hosting->changed);
    pthread_mutex_unlock(&hosting->mutex);
    if (!retired)
        log_warning("endpoint %.*s, variant %.*s: a server %s%s%s", STR_ARG(state->endpoint),
                    STR_ARG(state->variant), how, failure || line[0] ? ": " : "",
                    failure ? failure->text : line);
}

static void *run_process(void *arg)
{
    ServerState *state = arg;
    Hosting *hosting = state->hosting;
    Random random = random_stream(hash_str(str_of(state->process), 1), 0);
    for (uint64_t n = 0;; n++) {
        Error err = {0};
        ProcessExit end = {0};
        bool ok = start_process(state, &err);
        if (ok) {
            pthread_mutex_lock(&hosting->mutex);
            state->running = true;
            state->started = clock_seconds();
            pthread_cond_broadcast(&hosting->changed);
            bool retired = state->retired;
            pthread_mutex_unlock(&hosting->mutex);
            if (retired) keeper_stop(hosting->server->keeper, state->process, -1, &err);
            ok = keeper_wait(hosting->server->keeper, state->process, &end, &err);
        }
        note_end(state, &end, ok ? NULL : &err);
        pthread_mutex_lock(&hosting->mutex);
        double until = clock_seconds() +
                       deploy_backoff(state->health.deaths, random_unit(random, n));
        while (!state->retired && clock_seconds() < until) wait_until(hosting, until);
        bool retired = state->retired;
        pthread_mutex_unlock(&hosting->mutex);
        if (retired) return NULL;
    }
}

/* ---- thread B: health, log, end ---- */

static bool ping(const ServerState *state)
{
    ARENA(arena);
    Error err = {0};
    int status = 0;
    Str body;
    return http_call(state->server->address, STR("GET"), STR("/ping"), NULL, 0, (Str){0}, 2, &arena,
                     &status, &body, &err) &&
           status == 200;
}

/* A question to a server that is not healthy yet; seconds until the next look. */
static double look_starting(ServerState *state, double now, double *delay)
{
    Hosting *hosting = state->hosting;
    bool good = ping(state);
    pthread_mutex_lock(&hosting->mutex);
    if (good && state->running) {
        state->health.healthy = state->health.ever_healthy = true;
        state->healthy_since = state->pinged = now;
        state->misses = 0;
        __atomic_store_n(&state->server->healthy, true, __ATOMIC_RELEASE);
        hosting_kick_locked(hosting);
        pthread_cond_broadcast(&hosting->changed);
        *delay = 0;
    } else if (!state->health.ever_healthy && !state->health.failed &&
               now - state->started > state->startup_seconds) {
        state->health.failed = true;
        snprintf(
            state->health.why, sizeof state->health.why,
            "The primary container for production variant %.*s did not pass the ping health check. Please "
            "check CloudWatch logs for this endpoint.",
            STR_ARG(state->variant));
        pthread_cond_broadcast(&hosting->changed);
    }
    pthread_mutex_unlock(&hosting->mutex);
    *delay = *delay > 0 ? MIN(*delay * 1.5, 0.25) : 0.002;
    return *delay;
}

static void look_healthy(ServerState *state, double now)
{
    Hosting *hosting = state->hosting;
    if (now - state->pinged < ENDPOINT_PING_SECONDS) return;
    state->pinged = now;
    state->misses = ping(state) ? 0 : state->misses + 1;
    if (state->misses < ENDPOINT_PING_MISSES) return;
    pthread_mutex_lock(&hosting->mutex);
    bool running = state->running;
    state->health.healthy = false;
    __atomic_store_n(&state->server->healthy, false, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&hosting->mutex);
    Error err = {0};
    state->misses = 0;
    log_warning("endpoint %.*s: a server does not answer /ping and is replaced",
                STR_ARG(state->endpoint));
    if (running) keeper_stop(hosting->server->keeper, state->process, 0, &err);
}

static void finish(ServerState *state)
{
    Hosting *hosting = state->hosting;
    double until = clock_seconds() + ENDPOINT_DRAIN_SECONDS;
    /* One is left: this thread's. */
    while (__atomic_load_n(&state->server->refs, __ATOMIC_ACQUIRE) > 1 && clock_seconds() < until &&
           !__atomic_load_n(&hosting->closing, __ATOMIC_ACQUIRE)) {
        struct timespec nap = {0, 5000000};
        nanosleep(&nap, NULL);
    }
    Error err = {0};
    keeper_stop(hosting->server->keeper, state->process,
                __atomic_load_n(&hosting->closing, __ATOMIC_ACQUIRE) ? 2 : -1, &err);
    pthread_join(state->runner, NULL);
    pump_log(state, true);
    unlink(state->output);
    unlink(state->output_at);
    if (state->server->address[0] == '/') unlink(state->server->address);
    unlink(arena_format(&state->arena, "%s.port", state->output).ptr);
    model_server_unref(state->server);
    pthread_mutex_lock(&hosting->mutex);
    hosting->n_threads--;
    pthread_cond_broadcast(&hosting->changed);
    pthread_mutex_unlock(&hosting->mutex);
}

static void *watch_process(void *arg)
{
    ServerState *state = arg;
    Hosting *hosting = state->hosting;
    double delay = 0, pumped = 0;
    for (;;) {
        pthread_mutex_lock(&hosting->mutex);
        bool retired = state->retired, running = state->running, healthy = state->health.healthy;
        pthread_mutex_unlock(&hosting->mutex);
        if (retired) break;
        double now = clock_seconds(), nap = 1;
        if (running && !healthy)
            nap = look_starting(state, now, &delay);
        else if (healthy)
            look_healthy(state, now);
        if (now - pumped >= 1) {
            pump_log(state, false);
            pumped = now;
        }
        pthread_mutex_lock(&hosting->mutex);
        double until = clock_seconds() + nap;
        while (!state->retired && state->running == running && state->health.healthy == healthy &&
               clock_seconds() < until)
            wait_until(hosting, until);
        if (state->running != running) delay = 0;
        pthread_mutex_unlock(&hosting->mutex);
    }
    finish(state);
    return NULL;
}

/* ---- outside ---- */

void model_server_unref(ModelServer *server)
{
    if (!server || __atomic_sub_fetch(&server->refs, 1, __ATOMIC_ACQ_REL) > 0) return;
    ServerState *state = server->state;
    if (state) arena_clear(&state->arena);
    free(state);
    free(server);
}

void model_server_health(ModelServer *server, ServerHealth *ret_health)
{
    *ret_health = server->state->health;
}

bool model_server_start(Hosting *hosting, const ModelServerSpec *spec, ModelServer **ret_server,
                        Error *err)
{
    ModelServer *server = calloc(1, sizeof *server);
    ServerState *state = calloc(1, sizeof *state);
    if (!server || !state) memory_exhausted(sizeof *state);
    server->refs = 2; /* the caller's and thread B's */
    server->state = state;
    *state = (ServerState){.hosting = hosting,
                           .server = server,
                           .startup_seconds = spec->startup_seconds,
                           .started = clock_seconds()};
    bool ok = make_names(state, spec, err) && make_command(state, spec, err);
    if (ok) {
        log_position_load(state);
        Error ignored;
        logs_make_stream(hosting->server, state->region, state->group, str_of(server->stream),
                         &ignored);
        pthread_attr_t attributes;
        pthread_t watcher;
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, THREAD_STACK);
        int code = pthread_create(&state->runner, &attributes, run_process, state);
        if (!code) {
            pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
            pthread_mutex_lock(&hosting->mutex);
            hosting->n_threads++;
            pthread_mutex_unlock(&hosting->mutex);
            /* Without this thread nobody could end the first: there is no way on. */
            if (pthread_create(&watcher, &attributes, watch_process, state)) memory_exhausted(0);
        }
        pthread_attr_destroy(&attributes);
        ok = !code || error_sys(err, code, "starting a thread for a model server");
    }
    if (!ok) {
        server->refs = 1;
        model_server_unref(server);
        return false;
    }
    *ret_server = server;
    return true;
}

void model_server_retire(ModelServer *server)
{
    Hosting *hosting = server->state->hosting;
    pthread_mutex_lock(&hosting->mutex);
    server->state->retired = true;
    pthread_cond_broadcast(&hosting->changed);
    pthread_mutex_unlock(&hosting->mutex);
    model_server_unref(server);
}
