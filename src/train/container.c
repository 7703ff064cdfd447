/* One training job by SageMaker's container contract. */

#include "train/container.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "data/read.h"
#include "format/json.h"
#include "train/artifact.h"
#include "train/checkpoint.h"
#include "train/run.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    CONFIG_BYTES_MAX = 4 << 20,
    CHANNELS_MAX = 20,
    FAILURE_BYTES = 1024,
    PIPE_WAIT_SECONDS = 60,
    DEPTH = 3
};

typedef struct Channel {
    Str name;
    Str content_type; /* "" when absent */
    bool pipe;
    const char *path;
} Channel;

typedef struct Job {
    const ContainerOptions *options;
    const Algorithm *algorithm;
    const char *base;
    Arena arena;
    Pool *pool;
    const char *host;
    ParamText *texts;
    size_t n_texts;
    Channel channels[CHANNELS_MAX];
    int n_channels;
    Dataset *data[3]; /* train, validation, test */
    Artifact start;
    int64_t start_round;
    Checkpoints checkpoints;
    bool save_each_round;
    uint64_t seed;
    Curves curves;
} Job;

static volatile sig_atomic_t terminated;

static void on_terminate(int number UNUSED)
{
    terminated = 1;
}

static const char *path_in(Job *job, const char *relative)
{
    return path_join(&job->arena, job->base, relative);
}

/* ---- log lines in the form people and platforms grep for ---- */

static void log_line(const char *format, ...) PRINTF_LIKE(1, 2);
static void log_line(const char *format, ...)
{
    char stamp[64];
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(stamp, sizeof stamp, "%m/%d/%Y %H:%M:%S", &parts);
    printf("[%s INFO %ld] ", stamp, (long)getpid());
    va_list args;
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

static const char *goal_tag(MetricGoal goal)
{
    return goal == GOAL_MAXIMIZE ? "<score>" : "<loss>";
}

static void print_xgboost_round(int64_t round, const MetricValue *metrics, int n)
{
    printf("[%lld]", (long long)round);
    for (int i = 0; i < n; i++)
        printf("\t%s-%s:%.5f", metrics[i].data, metrics[i].name, metrics[i].value);
    putchar('\n');
    fflush(stdout);
}

static bool on_round(void *host, int64_t round, int64_t n_rounds, const MetricValue *metrics, int n)
{
    Job *job = host;
    curves_add(&job->curves, round, metrics, n);
    if (job->algorithm->log_style == LOG_XGBOOST) {
        print_xgboost_round(round, metrics, n);
        return !terminated;
    }
    for (int i = 0; i < n; i++)
        log_line("#quality_metric: host=%s, epoch=%lld, %s %s %s=%.17g", job->host,
                 (long long)round, metrics[i].data, metrics[i].name, goal_tag(metrics[i].goal),
                 metrics[i].value);
    if (n_rounds)
        log_line("#progress_metric: host=%s, completed %.4g %% of epochs", job->host,
                 100.0 * (double)(round + 1) / (double)n_rounds);
    return !terminated;
}

static void on_metric(void *host, const MetricValue *metric)
{
    Job *job = host;
    curves_add(&job->curves, 0, metric, 1);
    log_line("#quality_metric: host=%s, %s %s %s=%.17g", job->host, metric->data, metric->name,
             goal_tag(metric->goal), metric->value);
}

static void on_log(void *host, const char *format, ...) PRINTF_LIKE(2, 3);
static void on_log(void *host UNUSED, const char *format, ...)
{
    AUTO_STRBUF StrBuf line = STRBUF(16 * 1024);
    va_list args;
    va_start(args, format);
    strbuf_addv(&line, format, args);
    va_end(args);
    log_line("%s", strbuf_cstr(&line));
}

static void on_warn(void *host, const char *format, ...) PRINTF_LIKE(2, 3);
static void on_warn(void *host UNUSED, const char *format, ...)
{
    AUTO_STRBUF StrBuf line = STRBUF(16 * 1024);
    va_list args;
    va_start(args, format);
    strbuf_addv(&line, format, args);
    va_end(args);
    log_warning("%s", strbuf_cstr(&line));
}

static bool on_checkpoint(void *host, int64_t round, const Model *model, Error *err)
{
    Job *job = host;
    if (job->checkpoints.folder && !checkpoints_save(&job->checkpoints, round, model, err))
        return false;
    return !job->save_each_round || job->algorithm->save(model, path_in(job, "model"), err);
}

static bool on_output(void *host, const char *name, Str text, Error *err)
{
    Job *job = host;
    const char *folder = path_in(job, "output/data");
    return folder_make(folder, err) && file_commit(path_join(&job->arena, folder, name), text, err);
}

/* ---- configuration ---- */

static bool read_config(Job *job, const char *name, bool required, const Json **ret_value,
                        Error *err)
{
    const char *path = path_in(job, arena_format(&job->arena, "input/config/%s", name).ptr);
    *ret_value = NULL;
    if (!required && !file_exists(path)) return true;
    Str text;
    if (!file_read(path, CONFIG_BYTES_MAX, &job->arena, &text, err)) return false;
    if (!json_parse(text, &job->arena, ret_value, err)) return error_in(err, "reading '%s'", path);
    if ((*ret_value)->type != JSON_OBJECT)
        return error_set(err, ERROR_INVALID, "'%s' is not a JSON object", path);
    return true;
}

static bool read_hyperparameters(Job *job, Error *err)
{
    const Json *params;
    if (!read_config(job, "hyperparameters.json", false, &params, err)) return false;
    size_t n = params ? params->n : 0;
    job->texts = arena_array(&job->arena, ParamText, n + 1);
    for (size_t i = 0; i < n; i++) {
        const Json *value = params->members[i].value;
        if (value->type != JSON_STRING)
            return error_set(err, ERROR_INVALID,
                             "hyperparameters.json: '%.*s' is not a string; SageMaker passes "
                             "every value as one",
                             STR_ARG(params->members[i].name));
        job->texts[job->n_texts++] = (ParamText){params->members[i].name, value->text};
    }
    return true;
}

static Str text_of(const Job *job, const char *name)
{
    for (size_t i = 0; i < job->n_texts; i++)
        if (str_is(job->texts[i].name, name)) return job->texts[i].value;
    return STR("");
}

static Str member_text(const Json *object, const char *name)
{
    const Json *value = json_get(object, name);
    return value && value->type == JSON_STRING ? value->text : STR("");
}

static bool known_channel(const Algorithm *algorithm, Str name)
{
    if (str_is(name, "model") || str_is(name, "code")) return true;
    for (const ChannelInfo *channel = algorithm->channels; channel->name; channel++)
        if (str_is(name, channel->name)) return true;
    return false;
}

static bool unknown_channel(const Algorithm *algorithm, Str name, Error *err)
{
    error_set(err, ERROR_INVALID, "channel '%.*s' is unknown to %s; there are", STR_ARG(name),
              algorithm->name);
    for (const ChannelInfo *channel = algorithm->channels; channel->name; channel++)
        error_more(err, "%s %s", channel == algorithm->channels ? "" : ",", channel->name);
    return error_more(err, " and model");
}

static bool read_channels(Job *job, Error *err)
{
    const Json *config;
    if (!read_config(job, "inputdataconfig.json", true, &config, err)) return false;
    if (config->n > CHANNELS_MAX)
        return error_set(err, ERROR_LIMIT, "more than %d channels", CHANNELS_MAX);
    for (size_t i = 0; i < config->n; i++) {
        Str name = config->members[i].name,
            mode = member_text(config->members[i].value, "TrainingInputMode");
        if (!known_channel(job->algorithm, name)) return unknown_channel(job->algorithm, name, err);
        bool pipe = str_is(mode, "Pipe");
        if (mode.len && !pipe && !str_is(mode, "File") && !str_is(mode, "FastFile"))
            return error_set(err, ERROR_INVALID,
                             "channel '%.*s': TrainingInputMode '%.*s' is none of File, FastFile "
                             "and Pipe",
                             STR_ARG(name), STR_ARG(mode));
        job->channels[job->n_channels++] = (Channel){
            .name = name,
            .content_type = member_text(config->members[i].value, "ContentType"),
            .pipe = pipe,
            .path = path_in(
                job, arena_format(&job->arena, "input/data/%.*s%s", STR_ARG(name), pipe ? "_0" : "")
                         .ptr),
        };
    }
    return true;
}

static const Channel *find_channel(const Job *job, const char *name)
{
    for (int i = 0; i < job->n_channels; i++)
        if (str_is(job->channels[i].name, name)) return &job->channels[i];
    return NULL;
}

static bool check_channels(const Job *job, Error *err)
{
    for (const ChannelInfo *channel = job->algorithm->channels; channel->name; channel++)
        if (channel->required && !find_channel(job, channel->name))
            return error_set(err, ERROR_INVALID, "channel '%s' is required: %s", channel->name,
                             channel->help);
    return true;
}

static bool read_resources(Job *job, Error *err)
{
    const Json *config;
    job->host = "algo-1";
    if (!read_config(job, "resourceconfig.json", false, &config, err)) return false;
    Str host = member_text(config, "current_host");
    if (host.len) job->host = arena_cstr(&job->arena, host);
    const Json *hosts = json_get(config, "hosts");
    if (hosts && hosts->type == JSON_ARRAY && hosts->n > 1)
        return error_set(err, ERROR_UNSUPPORTED,
                         "training on %zu hosts is not there yet: set InstanceCount to 1",
                         hosts->n);
    return true;
}

/* A path of the configuration that begins with /opt/ml lies below our base. */
static const char *below_base(Job *job, Str path)
{
    if (str_starts(path, STR("/opt/ml/")))
        return path_join(&job->arena, job->base, str_from(path, 8).ptr);
    return arena_cstr(&job->arena, path);
}

static bool open_checkpoints(Job *job, Error *err)
{
    const Json *config;
    if (!read_config(job, "checkpointconfig.json", false, &config, err)) return false;
    if (!config) return true;
    Str path = member_text(config, "LocalPath");
    const char *folder = below_base(job, path.len ? arena_str(&job->arena, path)
                                                  : STR("/opt/ml/checkpoints"));
    if (!folder_make(folder, err)) return false;
    job->checkpoints = (Checkpoints){.folder = folder, .algorithm = job->algorithm};
    int64_t round;
    if (!checkpoints_load(&job->checkpoints, &job->start.model, &round, err)) return false;
    if (job->start.model) {
        job->start.algorithm = job->algorithm;
        job->start_round = round + 1;
        log_line("Going on after the checkpoint of round %lld", (long long)round);
    }
    return true;
}

static bool open_start_model(Job *job, Error *err)
{
    const Channel *channel = find_channel(job, "model");
    if (!channel || job->start.model) return true; /* a checkpoint goes before */
    ARENA(scratch);
    const char *packed = path_join(&scratch, channel->path, "model.tar.gz");
    if (!artifact_open(file_exists(packed) ? packed : channel->path, &job->start, err))
        return error_in(err, "channel 'model'");
    if (job->start.algorithm != job->algorithm)
        return error_set(err, ERROR_INVALID, "channel 'model' holds a model of %s, not of %s",
                         job->start.algorithm->name, job->algorithm->name);
    return true;
}

/* ---- data ---- */

/* "text/csv;label_size=0; charset=utf8" */
typedef struct ContentType {
    Str type;
    int32_t label_size; /* -1: not given */
} ContentType;

static bool parse_content_type(Str text, ContentType *ret_type, Error *err)
{
    ContentType type = {.label_size = -1};
    Str rest = text, part;
    str_next(&rest, ';', &part);
    type.type = str_trim(part);
    while (str_next(&rest, ';', &part)) {
        Str name = str_trim(part), value = STR("");
        size_t equals = str_find(name, '=');
        if (equals < name.len) {
            value = str_trim(str_from(name, equals + 1));
            name = str_trim(str_slice(name, 0, equals));
        }
        int64_t n;
        if (str_eq_nocase(name, STR("label_size"))) {
            if (!str_to_int64(value, &n) || n < 0 || n > 65535)
                return error_set(err, ERROR_INVALID,
                                 "content type '%.*s': label_size '%.*s' is not a count",
                                 STR_ARG(text), STR_ARG(value));
            type.label_size = (int32_t)n;
        } else if (str_eq_nocase(name, STR("charset")) || str_eq_nocase(name, STR("encoding"))) {
            if (!str_eq_nocase(value, STR("utf-8")) && !str_eq_nocase(value, STR("utf8")))
                return error_set(err, ERROR_UNSUPPORTED, "content type '%.*s': only utf-8 is read",
                                 STR_ARG(text));
        }
    }
    *ret_type = type;
    return true;
}

static bool format_of(const Job *job, const Channel *channel, const ContentType *type,
                      DataFormat *ret_format, Error *err)
{
    static const struct {
        const char *name;
        DataFormat format;
    } formats[] = {
        {"text/csv", DATA_CSV},
        {"csv", DATA_CSV},
        {"text/libsvm", DATA_LIBSVM},
        {"libsvm", DATA_LIBSVM},
        {"text/x-libsvm", DATA_LIBSVM},
        {"parquet", DATA_PARQUET},
        {"application/x-parquet", DATA_PARQUET},
        {"recordio-protobuf", DATA_RECORDIO},
        {"application/x-recordio-protobuf", DATA_RECORDIO},
        {"application/jsonlines", DATA_JSONL},
    };
    Str name = type->type.len ? type->type : str_of(job->algorithm->content_types[0]);
    for (size_t i = 0; i < COUNT(formats); i++) {
        if (!str_eq_nocase(name, str_of(formats[i].name))) continue;
        for (const char *const *accepted = job->algorithm->content_types; *accepted; accepted++)
            if (str_eq_nocase(name, str_of(*accepted))) {
                *ret_format = formats[i].format;
                return true;
            }
    }
    error_set(err, ERROR_INVALID,
              "channel '%.*s': content type '%.*s' is not taken by %s; write one of",
              STR_ARG(channel->name), STR_ARG(name), job->algorithm->name);
    for (const char *const *accepted = job->algorithm->content_types; *accepted; accepted++)
        error_more(err, " %s", *accepted);
    return false;
}

static bool wait_for_pipe(const Channel *channel, Error *err)
{
    double deadline = clock_seconds() + PIPE_WAIT_SECONDS;
    while (!file_exists(channel->path)) {
        if (clock_seconds() > deadline || terminated)
            return error_set(err, ERROR_TIMEOUT,
                             "channel '%.*s': the named pipe '%s' did not appear within %d s",
                             STR_ARG(channel->name), channel->path, PIPE_WAIT_SECONDS);
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return true;
}

static bool check_files(const Job *job, const Channel *channel, Error *err)
{
    ARENA(scratch);
    Str *names;
    size_t n;
    if (!folder_exists(channel->path))
        return error_set(err, ERROR_INVALID, "No data in %.*s channel path %s",
                         STR_ARG(channel->name), channel->path);
    if (!folder_list(channel->path, DEPTH, true, 1000000, &scratch, &names, &n, err)) return false;
    size_t n_visible = 0;
    for (size_t i = 0; i < n; i++) {
        size_t slash = names[i].len;
        while (slash > 0 && names[i].ptr[slash - 1] != '/') slash--;
        bool hidden = names[i].ptr[slash] == '.';
        if (hidden && job->algorithm->log_style == LOG_XGBOOST)
            return error_set(
                err, ERROR_INVALID,
                "Hidden file found in the data path! Remove that before training. It is %.*s/%.*s",
                STR_ARG(channel->name), STR_ARG(names[i]));
        n_visible += !hidden;
    }
    if (n_visible == 0)
        return error_set(err, ERROR_INVALID, "No data in %.*s channel path %s",
                         STR_ARG(channel->name), channel->path);
    return true;
}

static bool read_channel(Job *job, const Channel *channel, const Dataset *like,
                         Dataset **ret_dataset, Error *err)
{
    ContentType type = {0};
    DataFormat format = DATA_AUTO;
    if (!parse_content_type(channel->content_type, &type, err) ||
        !format_of(job, channel, &type, &format, err))
        return false;
    if (channel->pipe ? !wait_for_pipe(channel, err) : !check_files(job, channel, err))
        return false;

    bool xgboost = job->algorithm->log_style == LOG_XGBOOST;
    if (xgboost && type.label_size >= 0 && type.label_size != 1)
        return error_set(err, ERROR_INVALID, "label_size must be 1 for xgboost, not %d",
                         type.label_size);
    if (!job->algorithm->supervised && format == DATA_CSV && type.label_size < 0)
        log_warning(
            "channel '%.*s': no label_size in the content type, so the first column is taken as a label, as "
            "SageMaker does; say 'text/csv;label_size=0' if it is a feature",
            STR_ARG(channel->name));
    ReadOptions read = {.format = format, .header = HEADER_NO, .numeric = true, .depth = DEPTH};
    DatasetRoles roles = {
        .label_size = type.label_size >= 0 ? type.label_size : 1,
        .csv_weights = str_is(text_of(job, "csv_weights"), "1"),
        .schema = like ? &like->schema : NULL,
    };
    ReadReport report = {0};
    double start = clock_seconds();
    if (!dataset_read(channel->path, &read, &roles, job->pool, ret_dataset, &report, err))
        return error_in(err, "channel '%.*s'", STR_ARG(channel->name));
    log_line("Channel %.*s: %lld rows with %d features in %.3f s", STR_ARG(channel->name),
             (long long)(*ret_dataset)->n_rows, (*ret_dataset)->n_features,
             clock_seconds() - start);
    return true;
}

static bool read_data(Job *job, Error *err)
{
    static const char *const names[] = {"train", "validation", "test"};
    for (size_t i = 0; i < COUNT(names); i++) {
        const Channel *channel = find_channel(job, names[i]);
        if (channel && !read_channel(job, channel, i ? job->data[0] : NULL, &job->data[i], err))
            return false;
    }
    return true;
}

/* ---- the run ---- */

static void log_configuration(const Job *job, const void *params)
{
    ARENA(scratch);
    AUTO_STRBUF StrBuf presets = STRBUF(1 << 20), given = STRBUF(1 << 20), final = STRBUF(1 << 20);
    JsonWriter presets_json = JSON_WRITER(&presets), given_json = JSON_WRITER(&given),
               final_json = JSON_WRITER(&final);
    json_begin_object(&presets_json);
    json_begin_object(&final_json);
    for (const Param *param = job->algorithm->params; param->type != PARAM_TYPE_END; param++) {
        Str value = param_value_text(param, params, &scratch);
        if (param->preset) json_member_string(&presets_json, param->name, str_of(param->preset));
        if (value.len) json_member_string(&final_json, param->name, value);
    }
    json_end_object(&presets_json);
    json_end_object(&final_json);
    json_begin_object(&given_json);
    for (size_t i = 0; i < job->n_texts; i++) {
        json_name(&given_json, job->texts[i].name);
        json_string(&given_json, job->texts[i].value);
    }
    json_end_object(&given_json);
    log_line("Reading default configuration from the %s table: %s", job->algorithm->name,
             strbuf_cstr(&presets));
    log_line("Merging with provided configuration from %s/input/config/hyperparameters.json: %s",
             job->base, strbuf_cstr(&given));
    log_line("Final configuration: %s", strbuf_cstr(&final));
}

static bool save_model(Job *job, Model *model, Error *err)
{
    ArtifactMetric *metrics = arena_array(&job->arena, ArtifactMetric, CURVES_MAX);
    Artifact artifact = {.algorithm = job->algorithm,
                         .model = model,
                         .has_schema = true,
                         .schema = job->data[0]->schema,
                         .params = job->texts,
                         .n_params = job->n_texts,
                         .metrics = metrics,
                         .seed = job->seed};
    for (int i = 0; i < job->curves.n; i++) {
        const MetricCurve *curve = &job->curves.curves[i];
        metrics[artifact.n_metrics++] = (ArtifactMetric){curve->data, curve->name,
                                                         curve->values[curve->n - 1], curve->goal};
    }
    artifact.final_round = job->curves.n_rounds - 1;
    curves_to_artifact(&job->curves, &artifact);
    return artifact_save(&artifact, path_in(job, "model"), err);
}

static bool run_job(Job *job, Error *err)
{
    void *params;
    if (!read_hyperparameters(job, err) || !read_resources(job, err) || !read_channels(job, err) ||
        !run_check(job->algorithm, job->texts, job->n_texts, &job->arena, &params, err) ||
        !check_channels(job, err))
        return false;
    log_configuration(job, params);
    if (!folder_make(path_in(job, "model"), err) || !folder_make(path_in(job, "output"), err))
        return false;
    if (!open_checkpoints(job, err) || !open_start_model(job, err)) return false;

    int64_t n_threads = job->options->n_threads, seed = 0;
    if (n_threads == 0) str_to_int64(text_of(job, "nthread"), &n_threads);
    str_to_int64(text_of(job, "seed"), &seed);
    job->seed = (uint64_t)seed;
    job->save_each_round = str_eq_nocase(text_of(job, "save_model_on_termination"), STR("true"));
    job->pool = pool_new((int)n_threads);
    if (!read_data(job, err)) return false;

    TrainData data = {.train = job->data[0],
                      .validation = job->data[1],
                      .test = job->data[2],
                      .start = job->start.model,
                      .start_round = job->start_round};
    TrainRun run = {.pool = job->pool,
                    .seed = job->seed,
                    .arena = &job->arena,
                    .host = job,
                    .round = on_round,
                    .metric = on_metric,
                    .log = on_log,
                    .warn = on_warn,
                    .output = on_output};
    if (job->checkpoints.folder || job->save_each_round) run.checkpoint = on_checkpoint;
    Model *model;
    double start = clock_seconds();
    if (!run_train(job->algorithm, params, &data, &run, &model, err)) return false;
    log_line("Trained in %.3f s%s", clock_seconds() - start,
             terminated ? "; stopped by SIGTERM" : "");
    bool ok = save_model(job, model, err);
    job->algorithm->free(model);
    return ok;
}

static int exit_status_of(ErrorKind kind)
{
    switch (kind) {
    case ERROR_INVALID:
    case ERROR_NOT_FOUND:
    case ERROR_CONFLICT:
    case ERROR_LIMIT:
    case ERROR_UNSUPPORTED: return EXIT_USER_ERROR;
    case ERROR_IO:
    case ERROR_DENIED:
    case ERROR_TIMEOUT:
    case ERROR_NO_MEMORY: return EXIT_PLATFORM_ERROR;
    case ERROR_NONE:
    case ERROR_NUMERIC:
    case ERROR_CANCELLED:
    case ERROR_INTERNAL: break;
    }
    return EXIT_ALGORITHM_ERROR;
}

static void write_failure(Job *job, const Error *failure)
{
    Error err = {0};
    Str text = str_of(failure->text);
    text.len = MIN(text.len, (size_t)FAILURE_BYTES);
    if (!folder_make(path_in(job, "output"), &err) ||
        !file_commit(path_in(job, "output/failure"), text, &err))
        log_error("%s", err.text);
}

int container_train(const ContainerOptions *options)
{
    Job job = {.options = options, .algorithm = options->algorithm, .base = options->base};
    job.curves.arena = &job.arena;
    struct sigaction action = {.sa_handler = on_terminate};
    sigaction(SIGTERM, &action, NULL);

    Error err = {0};
    int status = 0;
    if (!run_job(&job, &err)) {
        log_error("%s", err.text);
        write_failure(&job, &err);
        status = exit_status_of(err.kind);
    }
    for (size_t i = 0; i < COUNT(job.data); i++) dataset_free(job.data[i]);
    artifact_clear(&job.start);
    pool_free(job.pool);
    arena_clear(&job.arena);
    return status;
}
