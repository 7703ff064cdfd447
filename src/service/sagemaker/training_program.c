/* What a training job runs: images, algorithm names and short names to programs, and the checks of
 * hyperparameters and channels that SageMaker makes before it starts one.
 *
 * Account, region and domain of an image's address are ignored: every region's address of a
 * built-in algorithm means ours (aws-clients.md, section 5). */

#include "service/sagemaker/training.h"

#include "base/file.h"
#include "base/memory.h"
#include "format/number.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { DESCRIPTION_BYTES_MAX = 32 << 20 };

bool program_ask(Server *server, const char *const *argv, const char *confined_to, size_t max_bytes,
                 Arena *arena, Str *ret_text, Error *err)
{
    Mount mount = {confined_to, confined_to, false};
    static unsigned counter;
    AUTO_FD int fd = memfd_create("clary-answer", MFD_CLOEXEC);
    if (fd < 0) return error_sys(err, errno, "making a memory file");
    /* HOME and the like: container engines keep their images there. */
    static const char *const passed[] = {"HOME", "XDG_RUNTIME_DIR", "DOCKER_HOST"};
    const char *env[COUNT(passed) + 3] = {
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"};
    for (size_t i = 0, n = 2; i < COUNT(passed); i++)
        if (getenv(passed[i]))
            env[n++] = arena_format(arena, "%s=%s", passed[i], getenv(passed[i])).ptr;
    Str name = arena_format(arena, "ask/%u", __atomic_add_fetch(&counter, 1, __ATOMIC_RELAXED));
    ProcessSpec spec = {.name = name.ptr,
                        .argv = argv,
                        .env = env,
                        .folder = "/",
                        .output_fd = fd,
                        .status_fd = -1,
                        .listen_fd = -1,
                        .mounts = &mount,
                        .n_mounts = confined_to ? 1 : 0,
                        .confined = confined_to,
                        .file_bytes = (int64_t)max_bytes,
                        .stop_seconds = 1};
    ProcessExit end;
    if (!keeper_start(server->keeper, &spec, NULL, err) ||
        !keeper_wait(server->keeper, name.ptr, &end, err))
        return false;
    struct stat info;
    if (fstat(fd, &info) < 0) return error_sys(err, errno, "the answer of '%s'", argv[0]);
    char *bytes = arena_alloc(arena, (size_t)info.st_size + 1);
    if (pread(fd, bytes, (size_t)info.st_size, 0) != info.st_size)
        return error_sys(err, errno, "reading the answer of '%s'", argv[0]);
    if (!end.exited || end.status)
        return error_set(err, ERROR_IO, "'%s' ended with %s %d: %.*s", argv[0],
                         end.exited ? "status" : "signal", end.exited ? end.status : end.signal,
                         (int)MIN(info.st_size, 500), bytes);
    *ret_text = (Str){bytes, (size_t)info.st_size};
    return true;
}

/* ---- what clary-train can do ---- */

static struct {
    pthread_mutex_t lock;
    Arena arena;
    char path[PATH_MAX];
    struct timespec changed;
    const Json *list;
} described = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool describe(Server *server, const char *path, Error *err)
{
    ARENA(scratch);
    const char *argv[] = {path, "--describe", NULL};
    Str text;
    const Json *all;
    if (!program_ask(server, argv, server->options->programs, DESCRIPTION_BYTES_MAX, &scratch,
                     &text, err))
        return false;
    arena_clear(&described.arena);
    described.list = NULL;
    if (!json_parse(arena_str(&described.arena, text), &described.arena, &all, err) ||
        !json_need(all, "algorithms", JSON_ARRAY, &described.list, err))
        return error_in(err, "'%s --describe'", path);
    return true;
}

bool program_algorithms(Server *server, Arena *arena, const Json **ret_list, Error *err)
{
    char path[PATH_MAX];
    struct stat info;
    snprintf(path, sizeof path, "%s/clary-train", server->options->programs);
    if (stat(path, &info) < 0) return error_sys(err, errno, "looking for '%s'", path);
    pthread_mutex_lock(&described.lock);
    bool known = described.list && strcmp(described.path, path) == 0 &&
                 described.changed.tv_sec == info.st_mtim.tv_sec &&
                 described.changed.tv_nsec == info.st_mtim.tv_nsec;
    bool good = known || describe(server, path, err);
    if (good) {
        memcpy(described.path, path, sizeof path);
        described.changed = info.st_mtim;
        *ret_list = json_copy(arena, described.list);
    }
    pthread_mutex_unlock(&described.lock);
    return good;
}

/* ---- images ---- */

/* "ACCOUNT.dkr.ecr.REGION.amazonaws.com/sagemaker-xgboost:1.7-1" -> "sagemaker-xgboost". */
static Str repository_of(Str image)
{
    size_t slash = str_find(image, '/');
    Str first = str_slice(image, 0, slash);
    bool registry = slash < image.len &&
                    (str_find(first, '.') < first.len || str_find(first, ':') < first.len ||
                     str_is(first, "localhost"));
    Str repository = registry ? str_from(image, slash + 1) : image;
    size_t at = str_find(repository, '@');
    repository.len = at;
    repository.len = str_find(repository, ':');
    return repository;
}

static const Json *find_algorithm(const Json *list, Str repository)
{
    for (size_t i = 0; i < list->n; i++) {
        const Json *algorithm = json_at(list, i), *images = json_get(algorithm, "images");
        if (str_eq(repository, json_get_text(algorithm, "name"))) return algorithm;
        for (size_t j = 0; images && j < images->n; j++)
            if (str_eq(repository, json_at(images, j)->text)) return algorithm;
    }
    return NULL;
}

/* SageMaker's framework images, which run a user's script: the module that it will import. */
static const struct {
    const char *prefix, *module;
} frameworks[] = {
    {"sagemaker-scikit-learn", "sklearn"},
    {"sagemaker-xgboost", "xgboost"},
    {"sagemaker-base-python", ""},
    {"sagemaker-distribution", ""},
    {"pytorch-", "torch"},
    {"sagemaker-pytorch", "torch"},
    {"tensorflow-", "tensorflow"},
    {"sagemaker-tensorflow", "tensorflow"},
    {"huggingface-", "transformers"},
    {"mxnet-", "mxnet"},
    {"autogluon-", "autogluon"},
};

static const char *framework_of(Str repository)
{
    for (size_t i = 0; i < COUNT(frameworks); i++)
        if (str_starts(repository, str_of(frameworks[i].prefix))) return frameworks[i].module;
    return NULL;
}

bool program_find(TrainingRun *run, Error *err)
{
    const Json *specification = json_get(run->job, "AlgorithmSpecification"),
               *params = json_get(run->job, "HyperParameters"), *list,
               *entry = json_get(specification, "ContainerEntrypoint");
    Str image = json_get_text(specification, "TrainingImage"),
        name = json_get_text(specification, "AlgorithmName");
    bool script = json_get_text(params, "sagemaker_program").len;
    if (!program_algorithms(run->server, &run->arena, &list, err)) return false;

    Program program = {.image = image};
    Str repository = repository_of(image);
    if (name.len) { /* a name, or an ARN that ends in it */
        repository = name;
        for (size_t i = 0; i < name.len; i++)
            if (name.ptr[i] == '/') repository = str_from(name, i + 1);
    }
    const char *module = framework_of(repository);
    if (str_starts(image, STR("s3://"))) {
        program.kind = PROGRAM_FOLDER;
    } else if (module && !script && entry && entry->n) { /* as the SDK v3 starts scripts */
        program.kind = PROGRAM_SCRIPT;
        program.framework = str_of(module);
    } else if (script && (module || find_algorithm(list, repository))) {
        program.kind = PROGRAM_SCRIPT;
        program.framework = str_of(module ? module : "");
    } else if ((program.algorithm = find_algorithm(list, repository))) {
        program.kind = PROGRAM_BUILT_IN;
    } else if (name.len) {
        error_set(err, ERROR_NOT_FOUND, "ClientError: algorithm '%.*s' does not exist; there are",
                  STR_ARG(name));
        for (size_t i = 0; i < list->n; i++) {
            Str other = json_get_text(json_at(list, i), "name");
            error_more(err, "%s %.*s", i ? "," : "", STR_ARG(other));
        }
        return false;
    } else if (module) {
        return error_set(err, ERROR_INVALID,
                         "ClientError: image '%.*s' runs a script of yours, but the hyperparameter "
                         "sagemaker_program does not name one",
                         STR_ARG(image));
    } else if (image_engine(run->server)) {
        program.kind = PROGRAM_IMAGE;
    } else {
        return error_set(
            err, ERROR_UNSUPPORTED,
            "ClientError: image '%.*s' is none of the built-in algorithms, and no podman or docker "
            "works on this machine; put the program into S3 and name it as TrainingImage "
            "s3://bucket/folder/ (an executable 'train' and what it needs)",
            STR_ARG(image));
    }
    run->program = program;
    return true;
}

/* ---- checks ---- */

static const Json *find_param(const Json *params, Str name)
{
    for (size_t i = 0; i < params->n; i++) {
        const Json *param = json_at(params, i);
        if (str_eq(json_get_text(param, "name"), name)) return param;
        Str alias = json_get_text(param, "alias");
        if (alias.ptr && str_eq(alias, name)) return param;
    }
    return NULL;
}

/* Of the platform, not of the algorithm. */
static bool platform_param(Str name)
{
    return str_starts(name, STR("sagemaker_")) || str_starts(name, STR("_tuning_"));
}

static bool in_range(const Json *param, double value)
{
    const Json *min = json_get(param, "min"), *max = json_get(param, "max");
    if (min && (value < min->number ||
                (json_get_bool(param, "min_excluded", false) && value == min->number)))
        return false;
    return !max || !(value > max->number ||
                     (json_get_bool(param, "max_excluded", false) && value == max->number));
}

static bool range_error(const Json *param, Str name, Str value, Error *err)
{
    const Json *min = json_get(param, "min"), *max = json_get(param, "max");
    error_set(err, ERROR_INVALID, "ClientError: Hyperparameter %.*s: %.*s is not in %s",
              STR_ARG(name), STR_ARG(value),
              json_get_bool(param, "min_excluded", false) || !min ? "(" : "[");
    if (min)
        error_more(err, "%.*s", STR_ARG(min->text));
    else
        error_more(err, "-inf");
    if (max)
        error_more(err, ", %.*s%s", STR_ARG(max->text),
                   json_get_bool(param, "max_excluded", false) ? ")" : "]");
    else
        error_more(err, ", +inf)");
    return false;
}

/* Numbers and their ranges; words are the algorithm's own business, which says more about them. */
static bool check_value(const Json *param, Str name, Str value, bool xgboost, Error *err)
{
    Str type = json_get_text(param, "type");
    bool integer = str_is(type, "Integer");
    double number;
    if (!integer && !str_is(type, "Continuous")) return true;
    if (json_get_bool(param, "auto", false) && str_is(value, "auto")) return true;
    if (value.len >= 2 && value.ptr[0] == '"') value = str_slice(value, 1, value.len - 1);
    if (!str_to_double(str_trim(value), &number) || number != number ||
        (integer && number != (double)(int64_t)number)) {
        if (!xgboost)
            return error_set(err, ERROR_INVALID,
                             "ClientError: u'%.*s' is not valid under any of the given schemas "
                             "(hyperparameter %.*s)",
                             STR_ARG(value), STR_ARG(name));
        return error_set(err, ERROR_INVALID,
                         "ClientError: Hyperparameter %.*s: could not parse value '%.*s' as %s",
                         STR_ARG(name), STR_ARG(value), integer ? "an integer" : "a number");
    }
    return in_range(param, number) || range_error(param, name, value, err);
}

static bool check_params(const Json *algorithm, const Json *given, Error *err)
{
    const Json *params = json_get(algorithm, "hyperparameters");
    bool xgboost = str_is(json_get_text(algorithm, "name"), "xgboost");
    for (size_t i = 0; given && i < given->n; i++) {
        Str name = given->members[i].name, value = given->members[i].value->text;
        const Json *param = find_param(params, name);
        if (!param && platform_param(name)) continue;
        if (param) {
            if (!check_value(param, name, value, xgboost, err)) return false;
            continue;
        }
        if (xgboost)
            error_set(err, ERROR_INVALID, "ClientError: Extraneous hyperparameter found: %.*s",
                      STR_ARG(name));
        else
            error_set(err, ERROR_INVALID,
                      "ClientError: Additional properties are not allowed (u'%.*s' was unexpected)",
                      STR_ARG(name));
        ARENA(scratch);
        Str *names = arena_array(&scratch, Str, params->n);
        for (size_t j = 0; j < params->n; j++) names[j] = json_get_text(json_at(params, j), "name");
        int near = str_nearest(name, names, params->n);
        if (near >= 0) error_more(err, "; did you mean %.*s?", STR_ARG(names[near]));
        return false;
    }
    for (size_t i = 0; i < params->n; i++) {
        const Json *param = json_at(params, i);
        if (!json_get_bool(param, "required", false)) continue;
        Str name = json_get_text(param, "name");
        bool found = false;
        for (size_t j = 0; given && j < given->n; j++)
            found |= find_param(params, given->members[j].name) == param;
        if (found) continue;
        if (xgboost)
            return error_set(err, ERROR_INVALID,
                             "ClientError: Missing required hyperparameter: %.*s", STR_ARG(name));
        return error_set(err, ERROR_INVALID, "ClientError: u'%.*s' is a required property",
                         STR_ARG(name));
    }
    return true;
}

static bool check_channels(const Json *algorithm, const Json *given, Error *err)
{
    const Json *channels = json_get(algorithm, "channels");
    for (size_t i = 0; i < channels->n; i++) {
        const Json *channel = json_at(channels, i);
        Str name = json_get_text(channel, "name");
        bool found = !json_get_bool(channel, "required", false);
        for (size_t j = 0; given && j < given->n && !found; j++)
            found = str_eq(json_get_text(json_at(given, j), "ChannelName"), name);
        if (!found)
            return error_set(err, ERROR_INVALID,
                             "ClientError: Missing required data channels: %.*s", STR_ARG(name));
    }
    for (size_t j = 0; given && j < given->n; j++) {
        Str name = json_get_text(json_at(given, j), "ChannelName");
        bool known = str_is(name, "model") || str_is(name, "code");
        for (size_t i = 0; i < channels->n && !known; i++)
            known = str_eq(json_get_text(json_at(channels, i), "name"), name);
        if (!known)
            return error_set(err, ERROR_INVALID,
                             "ClientError: Data channel %.*s is not recognized by the algorithm",
                             STR_ARG(name));
    }
    return true;
}

bool program_check(const TrainingRun *run, Error *err)
{
    const Json *algorithm = run->program.algorithm;
    if (run->program.kind != PROGRAM_BUILT_IN) return true;
    return check_params(algorithm, json_get(run->job, "HyperParameters"), err) &&
           check_channels(algorithm, json_get(run->job, "InputDataConfig"), err);
}

Json *program_metrics(TrainingRun *run)
{
    Json *all = json_new_array(&run->arena);
    const Json *own = json_get(run->program.algorithm, "metrics"),
               *asked = json_path(run->job, "AlgorithmSpecification.MetricDefinitions");
    for (size_t i = 0; own && i < own->n; i++) {
        const Json *metric = json_at(own, i);
        Json *line = json_new_object(&run->arena);
        json_set_text(&run->arena, line, "Name", json_get_text(metric, "name"));
        json_set_text(&run->arena, line, "Regex", json_get_text(metric, "regex"));
        json_push(&run->arena, all, line);
    }
    /* Clients of a built-in may send its own definitions back: those are there already. */
    for (size_t i = 0; asked && i < asked->n; i++) {
        const Json *metric = json_at(asked, i);
        bool known = false;
        for (size_t j = 0; own && j < own->n && !known; j++)
            known = str_eq(json_get_text(json_at(own, j), "name"), json_get_text(metric, "Name"));
        if (!known) json_push(&run->arena, all, metric);
    }
    return all;
}
