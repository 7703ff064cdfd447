/* Starting a job's program: command, environment, mounts, limits, role credentials.
 *
 * Built-ins are clary-train.  Script mode does what SageMaker's training toolkit does inside its
 * framework images (the SM_... environment, the user's arguments), with the host's Python.  A program from S3 gets what
 * any container gets. */

#include "service/sagemaker/training_start.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "base/thread.h"
#include "format/targz.h"
#include "service/iam/access.h"
#include "service/s3/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { ANSWER_BYTES_MAX = 1 << 20, SESSION_SECONDS = 3600 };

void start_env(Start *start, const char *name, Str value)
{
    if (start->n_env == ENV_MAX || memchr(value.ptr ? value.ptr : "", 0, value.len)) return;
    start->env[start->n_env++] = arena_format(start->arena, "%s=%.*s", name, STR_ARG(value)).ptr;
}

void start_arg(Start *start, Str value)
{
    if (start->n_args < ARGS_MAX) start->argv[start->n_args++] = arena_cstr(start->arena, value);
}

void start_mount(Start *start, const char *from, const char *to, bool writable)
{
    if (start->n_mounts < MOUNTS_MAX)
        start->mounts[start->n_mounts++] = (Mount){from, to, writable};
}

Str start_seen(const Start *start, const char *name)
{
    return arena_format(start->arena, "%s/%s", start->base, name);
}

static void add_job_folder(Start *start, const char *name, bool writable)
{
    const char *from = path_join(start->arena, start->run->folder, name);
    if (folder_exists(from)) start_mount(start, from, start_seen(start, name).ptr, writable);
}

/* ---- the host's Python ---- */

static struct {
    pthread_mutex_t lock;
    Arena arena;
    Python python;
} host = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const char python_question[] =
    "import importlib.util as u, json, os, sys\n"
    "names = ['sklearn', 'xgboost', 'torch', 'tensorflow', 'transformers', 'mxnet', 'autogluon',"
    " 'numpy', 'pandas', 'sagemaker_training']\n"
    "paths = [sys.prefix, sys.base_prefix, os.path.dirname(os.path.realpath(sys.executable))]\n"
    "paths += [p for p in sys.path if p and os.path.isdir(p)]\n"
    "print(json.dumps({'program': sys.executable, 'paths': paths,"
    " 'modules': [n for n in names if u.find_spec(n)]}))\n";

/* CLARY_PYTHON, else the first python3 of the PATH. */
bool find_python(Server *server, Python *ret_python, Error *err)
{
    pthread_mutex_lock(&host.lock);
    bool good = true;
    if (!host.python.known) {
        ARENA(scratch);
        const char *named = getenv("CLARY_PYTHON");
        if (named && !*named) named = NULL;
        Str rest = str_of(getenv("PATH")), folder;
        const char *program = named;
        while (!program && rest.ptr && str_next(&rest, ':', &folder)) {
            const char *path = arena_format(&scratch, "%.*s/python3", STR_ARG(folder)).ptr;
            if (folder.len && folder.ptr[0] == '/' && access(path, X_OK) == 0) program = path;
        }
        if (program) {
            const char *argv[] = {program, "-c", python_question, NULL};
            Str text;
            const Json *answer;
            good = program_ask(server, argv, NULL, ANSWER_BYTES_MAX, &host.arena, &text, err) &&
                   json_parse(str_trim(text), &host.arena, &answer, err);
            if (good) {
                host.python = (Python){.known = true,
                                       .found = true,
                                       .program = json_get_text(answer, "program"),
                                       .paths = json_get(answer, "paths"),
                                       .modules = json_get(answer, "modules")};
            } else {
                error_in(err, "asking '%s' about itself", program);
            }
        } else {
            good = error_set(err, ERROR_NOT_FOUND,
                             "no python3 is on the server's PATH; set CLARY_PYTHON");
        }
    }
    *ret_python = host.python;
    pthread_mutex_unlock(&host.lock);
    return good;
}

static bool below(Str path, const char *folder)
{
    Str above = str_of(folder);
    return str_starts(path, above) && (path.len == above.len || path.ptr[above.len] == '/');
}

/* What of Python lies outside of the system's folders. */
static void mount_python(Start *start, const Python *python)
{
    static const char *const system[] = {"/usr", "/lib", "/lib64", "/bin", "/sbin"};
    for (size_t i = 0; python->paths && i < python->paths->n; i++) {
        Str path = json_at(python->paths, i)->text;
        bool there = false;
        if (!folder_exists(arena_cstr(start->arena, path)) || path.len < 2) continue;
        for (size_t j = 0; j < COUNT(system); j++) there |= below(path, system[j]);
        for (int j = 0; j < start->n_mounts && !there; j++)
            there = below(path, start->mounts[j].to);
        const char *name = arena_cstr(start->arena, path);
        if (!there) start_mount(start, name, name, false);
    }
}

/* ---- script mode ---- */

/* A hyperparameter as the user meant it: framework classes send JSON texts. */
static const Json *decoded(Arena *arena, Str value)
{
    const Json *json;
    Error nothing;
    if (json_parse(value, arena, &json, &nothing)) return json;
    return json_new_text(arena, value);
}

/* As Python's str() prints it, which is what the toolkit passes on. */
static void print_python(StrBuf *out, const Json *value, bool inner)
{
    ARENA(scratch);
    switch (value->type) {
    case JSON_NULL: strbuf_add(out, STR("None")); break;
    case JSON_BOOL: strbuf_add(out, value->boolean ? STR("True") : STR("False")); break;
    case JSON_STRING:
        if (inner) strbuf_add_char(out, '\'');
        strbuf_add(out, value->text);
        if (inner) strbuf_add_char(out, '\'');
        break;
    case JSON_ARRAY:
        strbuf_add_char(out, '[');
        for (size_t i = 0; i < value->n; i++) {
            if (i) strbuf_add(out, STR(", "));
            const Json *item = json_at(value, i);
            if (item->type == JSON_ARRAY || item->type == JSON_OBJECT)
                strbuf_add(out, json_text(&scratch, item));
            else
                print_python(out, item, true);
        }
        strbuf_add_char(out, ']');
        break;
    default: strbuf_add(out, json_text(&scratch, value)); break;
    }
}

static Str python_text(Arena *arena, const Json *value)
{
    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    print_python(&out, value, false);
    return arena_str(arena, strbuf_str(&out));
}

static Str upper(Arena *arena, Str name)
{
    char *text = arena_cstr(arena, name);
    for (size_t i = 0; i < name.len; i++)
        if (text[i] >= 'a' && text[i] <= 'z') text[i] = (char)(text[i] - 'a' + 'A');
    return (Str){text, name.len};
}

static int compare_members(const void *a, const void *b)
{
    return str_compare(((const JsonMember *)a)->name, ((const JsonMember *)b)->name);
}

static bool fetch_code(Start *start, Str address, Error *err)
{
    TrainingRun *run = start->run;
    const char *folder = path_join(start->arena, run->folder, "code");
    S3Object object;
    if (!folder_make(folder, err)) return false;
    if (!input_object(run, address, &object, err) ||
        !targz_unpack(arena_cstr(start->arena, object.path), folder, 0, err))
        return error_in(err, "ClientError: Data download failed: sagemaker_submit_directory '%.*s'",
                        STR_ARG(address));
    return true;
}

static void add_json_env(Start *start, const char *name, const Json *value)
{
    start_env(start, name, json_text(start->arena, value));
}

/* The SM_... environment of SageMaker's training toolkit, and the arguments. */
static void script_environment(Start *start, Str module, Str program, Str address)
{
    Arena *arena = start->arena;
    const Json *given = json_get(start->run->job, "HyperParameters"),
               *channels = json_get(start->run->job, "InputDataConfig");
    JsonMember *members = arena_array(arena, JsonMember, (given ? given->n : 0) + 1);
    size_t n = 0;
    for (size_t i = 0; given && i < given->n; i++)
        if (!str_starts(given->members[i].name, STR("sagemaker_")))
            members[n++] = (JsonMember){given->members[i].name,
                                        decoded(arena, given->members[i].value->text)};
    qsort(members, n, sizeof *members, compare_members);

    Json *params = json_new_object(arena), *args = json_new_array(arena),
         *names = json_new_array(arena), *hosts = json_new_array(arena),
         *env = json_new_object(arena), *inputs = json_new_object(arena),
         *dirs = json_new_object(arena);
    for (size_t i = 0; i < n; i++) {
        Str name = members[i].name, text = python_text(arena, members[i].value);
        Str option = arena_format(arena, "%s%.*s", name.len == 1 ? "-" : "--", STR_ARG(name));
        json_set_str(arena, params, name, members[i].value);
        json_push(arena, args, json_new_text(arena, option));
        json_push(arena, args, json_new_text(arena, text));
        start_env(start, arena_format(arena, "SM_HP_%.*s", STR_ARG(upper(arena, name))).ptr,
                  members[i].value->type == JSON_STRING ? text
                                                        : json_text(arena, members[i].value));
        start_arg(start, option);
        start_arg(start, text);
    }
    for (size_t i = 0; channels && i < channels->n; i++) {
        Str name = json_get_text(json_at(channels, i), "ChannelName"),
            type = json_get_text(json_at(channels, i), "ContentType"),
            path = arena_format(arena, "%s/input/data/%.*s", start->base, STR_ARG(name));
        Json *line = json_new_object(arena);
        if (type.len) json_set_text(arena, line, "ContentType", type);
        json_set_text(arena, line, "TrainingInputMode", STR("File"));
        json_push(arena, names, json_new_text(arena, name));
        json_set_str(arena, inputs, name, line);
        json_set_str(arena, dirs, name, json_new_text(arena, path));
        start_env(start, arena_format(arena, "SM_CHANNEL_%.*s", STR_ARG(upper(arena, name))).ptr,
                  path);
    }
    json_push(arena, hosts, json_new_text(arena, STR("algo-1")));
    int cpus = processor_count();
    Json *resources = json_new_object(arena);
    json_set_text(arena, resources, "current_host", STR("algo-1"));
    json_set(arena, resources, "hosts", hosts);
    json_set_text(arena, resources, "network_interface_name", STR("lo"));

    Str entry = program;
    if (str_ends(module, STR(".py"))) module.len -= 3;
    static const struct {
        const char *variable, *folder;
    } folders[] = {{"SM_MODEL_DIR", "model"},
                   {"SM_INPUT_DIR", "input"},
                   {"SM_INPUT_CONFIG_DIR", "input/config"},
                   {"SM_OUTPUT_DIR", "output"},
                   {"SM_OUTPUT_DATA_DIR", "output/data"}};
    for (size_t i = 0; i < COUNT(folders); i++)
        start_env(start, folders[i].variable, start_seen(start, folders[i].folder));
    Str count = arena_format(arena, "%d", cpus);
    start_env(start, "SM_OUTPUT_INTERMEDIATE_DIR", start_seen(start, "output/intermediate"));
    start_env(start, "SM_NUM_CPUS", count);
    start_env(start, "SM_NUM_GPUS", STR("0"));
    start_env(start, "SM_NUM_NEURONS", STR("0"));
    start_env(start, "SM_LOG_LEVEL", STR("20"));
    start_env(start, "SM_CURRENT_HOST", STR("algo-1"));
    start_env(start, "SM_NETWORK_INTERFACE_NAME", STR("lo"));
    start_env(start, "SM_MODULE_NAME", module);
    start_env(start, "SM_MODULE_DIR", address);
    start_env(start, "SM_USER_ENTRY_POINT", entry);
    start_env(start, "SM_FRAMEWORK_MODULE", start->run->program.framework);
    add_json_env(start, "SM_HPS", params);
    add_json_env(start, "SM_USER_ARGS", args);
    add_json_env(start, "SM_CHANNELS", names);
    add_json_env(start, "SM_HOSTS", hosts);
    add_json_env(start, "SM_INPUT_DATA_CONFIG", inputs);
    add_json_env(start, "SM_RESOURCE_CONFIG", resources);
    json_set(arena, env, "channel_input_dirs", dirs);
    json_set_text(arena, env, "current_host", STR("algo-1"));
    json_set(arena, env, "hosts", hosts);
    json_set(arena, env, "hyperparameters", params);
    json_set(arena, env, "input_data_config", inputs);
    json_set(arena, env, "resource_config", resources);
    json_set_text(arena, env, "input_config_dir", start_seen(start, "input/config"));
    json_set_text(arena, env, "input_dir", start_seen(start, "input"));
    json_set_text(arena, env, "job_name", start->run->name);
    json_set_text(arena, env, "master_hostname", STR("algo-1"));
    json_set_bool(arena, env, "is_master", true);
    json_set_int(arena, env, "log_level", 20);
    json_set_text(arena, env, "model_dir", start_seen(start, "model"));
    json_set_text(arena, env, "module_dir", address);
    json_set_text(arena, env, "module_name", module);
    json_set_text(arena, env, "network_interface_name", STR("lo"));
    json_set_int(arena, env, "num_cpus", cpus);
    json_set_int(arena, env, "num_gpus", 0);
    json_set_text(arena, env, "output_data_dir", start_seen(start, "output/data"));
    json_set_text(arena, env, "output_dir", start_seen(start, "output"));
    json_set_text(arena, env, "user_entry_point", entry);
    add_json_env(start, "SM_TRAINING_ENV", env);
}

static Str param_text(const Start *start, const char *name)
{
    Str text = json_get_text(json_get(start->run->job, "HyperParameters"), name);
    return text.ptr ? python_text(start->arena, decoded(start->arena, text)) : text;
}

static void add_words(Start *start, const Json *words, size_t from)
{
    for (size_t i = from; words && i < words->n; i++) start_arg(start, json_at(words, i)->text);
}

/* ContainerEntrypoint in a framework's image: the SDK v3 runs a shell script of its own, from a channel. */
static bool start_entry(Start *start, const Python *python)
{
    const Json *specification = json_get(start->run->job, "AlgorithmSpecification"),
               *entry = json_get(specification, "ContainerEntrypoint");
    Str first = json_at(entry, 0)->text;
    if (str_is(first, "python") || str_is(first, "python3"))
        first = python->program;
    else if (str_find(first, '/') == first.len)
        first = arena_format(start->arena, "/usr/bin/%.*s", STR_ARG(first));
    start_arg(start, first);
    add_words(start, entry, 1);
    add_words(start, json_get(specification, "ContainerArguments"), 0);
    start->folder = start->inside ? "/opt/ml" : start->run->folder;
    return true;
}

static bool start_script(Start *start, Error *err)
{
    TrainingRun *run = start->run;
    Str program = param_text(start, "sagemaker_program"),
        address = param_text(start, "sagemaker_submit_directory"),
        framework = run->program.framework;
    Python python;
    if (!find_python(run->server, &python, err))
        return error_in(err, "ClientError: script mode runs this machine's Python");
    bool there = framework.len == 0;
    for (size_t i = 0; python.modules && i < python.modules->n; i++)
        there |= str_eq(json_at(python.modules, i)->text, framework);
    if (!there)
        return error_set(
            err, ERROR_NOT_FOUND,
            "ClientError: image '%.*s' needs the Python module '%.*s', which '%.*s' on "
            "this machine does not have; install it there, or name another Python by "
            "CLARY_PYTHON",
            STR_ARG(run->program.image), STR_ARG(framework), STR_ARG(python.program));
    Str bin = python.program;
    while (bin.len > 1 && bin.ptr[bin.len - 1] != '/') bin.len--;
    start_env(
        start, "PATH",
        arena_format(start->arena, "%.*s:/usr/local/bin:/usr/bin:/bin", (int)bin.len - 1, bin.ptr));
    start_env(start, "PYTHONUNBUFFERED", STR("1"));
    start_env(start, "PYTHONDONTWRITEBYTECODE", STR("1"));
    mount_python(start, &python);
    if (!program.len) return start_entry(start, &python);
    if (!address.len)
        return error_set(err, ERROR_INVALID,
                         "ClientError: hyperparameter sagemaker_submit_directory is missing: it "
                         "names the sourcedir.tar.gz that holds '%.*s'",
                         STR_ARG(program));
    if (!fetch_code(start, address, err)) return false;
    add_job_folder(start, "code", true);

    const char *path =
        arena_format(start->arena, "%s/code/%.*s", run->folder, STR_ARG(program)).ptr;
    if (str_has(program, STR("..")) || !file_exists(path))
        return error_set(err, ERROR_NOT_FOUND,
                         "ClientError: the entry point '%.*s' is not in '%.*s'", STR_ARG(program),
                         STR_ARG(address));
    if (file_exists(path_join(start->arena, run->folder, "code/requirements.txt")))
        log_say(run,
                "requirements.txt is not installed by this server; the modules of '%.*s' are "
                "used as they are",
                STR_ARG(python.program));
    if (str_ends(program, STR(".sh"))) {
        start_arg(start, STR("/bin/sh"));
    } else {
        start_arg(start, python.program);
    }
    start_arg(start, program);
    script_environment(start, program, program, address);
    start->folder = start_seen(start, "code").ptr;
    start_env(start, "PYTHONPATH", start_seen(start, "code"));
    return true;
}

/* ---- programs from S3, built-ins ---- */

static bool start_folder(Start *start, Error *err)
{
    TrainingRun *run = start->run;
    Str image = run->program.image;
    const char *folder = path_join(start->arena, run->folder, "program");
    if (str_ends(image, STR(".tar.gz")) || str_ends(image, STR(".tgz")) ||
        str_ends(image, STR(".tar"))) {
        S3Object object;
        if (!folder_make(folder, err) || !input_object(run, image, &object, err) ||
            !targz_unpack(arena_cstr(start->arena, object.path), folder, 0, err))
            return error_in(err, "ClientError: program '%.*s'", STR_ARG(image));
    } else if (!input_fetch(run, image, folder, false, err)) {
        return error_in(err, "ClientError: program '%.*s'", STR_ARG(image));
    }
    /* Objects have no permissions: all that could be a program is one. */
    Str *names;
    size_t n;
    if (!folder_list(folder, 8, true, 100000, start->arena, &names, &n, err)) return false;
    for (size_t i = 0; i < n; i++)
        if (chmod(path_join(start->arena, folder, names[i].ptr), 0700) < 0)
            return error_sys(err, errno, "making '%.*s' executable", STR_ARG(names[i]));

    const char *to = start->inside ? "/opt/program" : folder;
    start_mount(start, folder, to, false);
    start->folder = to;
    const Json *specification = json_get(run->job, "AlgorithmSpecification"),
               *entry = json_get(specification, "ContainerEntrypoint"),
               *arguments = json_get(specification, "ContainerArguments");
    if (entry && entry->n) {
        Str first = json_at(entry, 0)->text;
        if (str_find(first, '/') == first.len) { /* of the folder, or of the system */
            const char *own = path_join(start->arena, folder, arena_cstr(start->arena, first));
            first = file_exists(own) ? arena_format(start->arena, "%s/%.*s", to, STR_ARG(first))
                                     : arena_format(start->arena, "/usr/bin/%.*s", STR_ARG(first));
        } else if (first.ptr[0] != '/') {
            first = arena_format(start->arena, "%s/%.*s", to, STR_ARG(first));
        }
        start_arg(start, first);
        add_words(start, entry, 1);
    } else {
        const char *train = path_join(start->arena, folder, "train");
        if (!file_exists(train) || folder_exists(train))
            return error_set(err, ERROR_NOT_FOUND,
                             "ClientError: program '%.*s' has no executable named 'train', and the "
                             "request has no ContainerEntrypoint",
                             STR_ARG(image));
        start_arg(start, arena_format(start->arena, "%s/train", to));
    }
    if (arguments && arguments->n)
        add_words(start, arguments, 0);
    else if (!entry || !entry->n)
        start_arg(start, STR("train"));
    Python python;
    Error none = {0};
    if (find_python(run->server, &python, &none)) mount_python(start, &python);
    start_env(start, "PATH", STR("/usr/local/bin:/usr/bin:/bin"));
    return true;
}

static void start_built_in(Start *start)
{
    const char *programs = start->run->server->options->programs;
    start_mount(start, programs, programs, false);
    /* libduckdb, which reads Parquet, lies beside or above the programs where it is not the system's. */
    for (const char *above = ""; strlen(above) <= 12;
         above = arena_format(start->arena, "%s/..", above).ptr) {
        char *path = realpath(arena_format(start->arena, "%s%s/duckdb", programs, above).ptr, NULL);
        if (path && strlen(path) > 7)
            start_mount(start, arena_cstr(start->arena, str_of(path)),
                        arena_cstr(start->arena, str_of(path)), false);
        free(path);
    }
    start_arg(start, arena_format(start->arena, "%s/clary-train", programs));
    start_arg(start, STR("--algorithm"));
    start_arg(start, json_get_text(start->run->program.algorithm, "name"));
    start_arg(start, STR("train"));
    start->folder = start->inside ? "/opt/ml" : start->run->folder;
    start_env(start, "PATH", STR("/usr/bin:/bin"));
}

/* ---- what all get ---- */

/* SDKs fetch credentials by a command when told so, and again before they expire: no secret is in the
 * environment, and long jobs never run out (rules K4, Z5). */
static bool write_session(TrainingRun *run, Error *err)
{
    ARENA(arena);
    SessionKeys keys;
    if (!access_role_session(run->server, json_get_text(run->job, "RoleArn"), STR("SageMaker"),
                             SESSION_SECONDS, &arena, &keys, err))
        return false;
    Json *answer = json_new_object(&arena);
    json_set_int(&arena, answer, "Version", 1);
    json_set_text(&arena, answer, "AccessKeyId", keys.access_key);
    json_set_text(&arena, answer, "SecretAccessKey", keys.secret);
    json_set_text(&arena, answer, "SessionToken", keys.token);
    char stamp[32];
    time_t expires = (time_t)keys.expires;
    struct tm date;
    gmtime_r(&expires, &date);
    strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &date);
    json_set_text(&arena, answer, "Expiration", str_of(stamp));
    const char *folder = path_join(&arena, run->folder, "input/aws");
    run->renew_at = clock_wall() + SESSION_SECONDS / 2.0;
    return folder_make(folder, err) && file_commit(path_join(&arena, folder, "credentials.json"),
                                                   json_text(&arena, answer), err);
}

void credentials_renew(TrainingRun *run)
{
    Error err = {0};
    run->renew_at = clock_wall() + 60; /* when it fails */
    if (!write_session(run, &err)) log_say(run, "credentials were not renewed: %s", err.text);
}

static bool write_credentials(Start *start, Error *err)
{
    TrainingRun *run = start->run;
    Error refused = {0};
    if (!write_session(run, &refused)) {
        log_say(run, "no credentials for the program: %s", refused.text);
        return true;
    }
    Str config = arena_format(start->arena, "[default]\ncredential_process = /bin/cat %s\n",
                              start_seen(start, "input/aws/credentials.json").ptr);
    return file_commit(path_join(start->arena, run->folder, "input/aws/config"), config, err);
}

static bool add_platform(Start *start, Error *err)
{
    TrainingRun *run = start->run;
    const Server *server = run->server;
    bool isolated = json_get_bool(run->job, "EnableNetworkIsolation", false);
    const Json *given = json_get(run->job, "Environment");
    for (size_t i = 0; given && i < given->n; i++)
        start_env(start, arena_cstr(start->arena, given->members[i].name),
                  given->members[i].value->text);
    start_env(start, "TRAINING_JOB_NAME", run->name);
    start_env(start, "TRAINING_JOB_ARN", run->arn);
    start_env(start, "AWS_REGION", run->region);
    start_env(start, "SAGEMAKER_REGION", run->region);
    start_env(start, "AWS_DEFAULT_REGION", run->region);
    start_env(start, "SAGEMAKER_BASE_DIR", str_of(start->base));
    start_env(start, "SAGEMAKER_DATA_PATH", str_of(start->base));
    start_env(start, "SAGEMAKER_METRICS_DIRECTORY", start_seen(start, "output/metrics/sagemaker"));
    start_env(start, "NVIDIA_VISIBLE_DEVICES", STR("void"));
    start_env(start, "HOME", start->inside ? STR("/tmp") : start_seen(start, "tmp"));
    start_env(start, "TMPDIR", start->inside ? STR("/tmp") : start_seen(start, "tmp"));
    start_env(start, "LANG", STR("C.UTF-8"));
    if (run->program.kind == PROGRAM_BUILT_IN || isolated) return true;
    start_env(start, "AWS_ENDPOINT_URL",
              arena_format(start->arena, "%s://127.0.0.1:%d",
                           server->options->certificate ? "https" : "http", server->port));
    if (!write_credentials(start, err)) return false;
    start_env(start, "AWS_CONFIG_FILE", start_seen(start, "input/aws/config"));
    return true;
}

static bool add_folders(Start *start, Error *err)
{
    if (!start->inside) { /* one rule for the whole folder would make the input writable */
        add_job_folder(start, "tmp", true);
    }
    add_job_folder(start, "input", false);
    if (start->run->program.kind == PROGRAM_SCRIPT)
        for (size_t i = 0; i < COUNT(input_code_channels); i++)
            add_job_folder(start,
                           arena_format(start->arena, "input/data/%s", input_code_channels[i]).ptr,
                           true);
    add_job_folder(start, "model", true);
    add_job_folder(start, "output", true);
    const Json *given = json_get(start->run->job, "CheckpointConfig");
    Str path = json_get_text(given, "LocalPath");
    const char *from = path_join(start->arena, start->run->folder, "checkpoints");
    const char *to = !start->inside ? from
                     : path.len     ? arena_cstr(start->arena, path)
                                    : "/opt/ml/checkpoints";
    if (to[0] != '/' || strstr(to, ".."))
        return error_set(err, ERROR_INVALID,
                         "ClientError: CheckpointConfig.LocalPath '%.*s' is no absolute path",
                         STR_ARG(path));
    start_mount(start, from, to, true);
    return true;
}

bool program_start(TrainingRun *run, Error *err)
{
    unsigned features;
    Start *start = arena_new(&run->arena, Start);
    if (!sandbox_features(&features, err)) return false;
    *start = (Start){
        .run = run, .arena = &run->arena, .inside = features & SANDBOX_NAMESPACES, .folder = "/"};
    bool built_in = run->program.kind == PROGRAM_BUILT_IN,
         image = run->program.kind == PROGRAM_IMAGE,
         isolated = json_get_bool(run->job, "EnableNetworkIsolation", false),
         confined = sandbox_confines(features) ||
                    (built_in && (features & (SANDBOX_NAMESPACES | SANDBOX_LANDLOCK)));
    if (!built_in && !image && !confined && !run->server->options->allow_unconfined)
        return error_set(err, ERROR_UNSUPPORTED,
                         "ClientError: this machine cannot confine users' programs (clary doctor "
                         "says what is missing); start the server with --allow-unconfined to run "
                         "them anyway");
    if (image) confined = false; /* the engine confines it */
    start->inside = image || (start->inside && confined);
    start->base = start->inside ? "/opt/ml" : run->folder;
    if (!add_folders(start, err)) return false;
    if (run->program.kind == PROGRAM_SCRIPT) {
        if (!start_script(start, err)) return false;
    } else if (run->program.kind == PROGRAM_FOLDER) {
        if (!start_folder(start, err)) return false;
    } else if (!image) {
        start_built_in(start);
    }
    if (!add_platform(start, err)) return false;
    start_env(start, "OMP_NUM_THREADS", arena_format(start->arena, "%d", processor_count()));
    if (image && !start_image(start, isolated, err)) return false;
    ProcessSpec spec = {.name = run->process,
                        .argv = start->argv,
                        .env = start->env,
                        .folder = start->folder,
                        .output = path_join(&run->arena, run->folder, "log"),
                        .output_fd = -1,
                        .status_fd = -1,
                        .listen_fd = -1,
                        .mounts = start->mounts,
                        .n_mounts = image ? 0 : start->n_mounts,
                        .confined = confined,
                        /* Our own algorithms need no network, and isolation costs nothing. */
                        .isolated = (isolated || (built_in && (features & SANDBOX_NETWORK))) &&
                                    !image,
                        .stop_seconds = TRAINING_GRACE_SECONDS};
    if (!keeper_start(run->server->keeper, &spec, NULL, err)) {
        if (err->kind == ERROR_NOT_FOUND || err->kind == ERROR_DENIED ||
            err->kind == ERROR_UNSUPPORTED)
            return error_in(err, "ClientError");
        return error_in(err, "InternalServerError");
    }
    return true;
}
