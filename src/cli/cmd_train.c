/* clary train: from tables to a model file. */

#include "cli/cli.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "data/split.h"
#include "evaluate/print.h"
#include "train/run.h"

#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static const Option options[] = {
    {"train", 0, "PATH", "rows to learn from: a file, a folder of parts, - for standard input",
     false, NULL},
    {"validation", 0, "PATH", "rows to watch the metrics on", false, NULL},
    {"test", 0, "PATH", "rows to measure the finished model on (algorithms with a test channel)",
     false, NULL},
    {"holdout", 0, "SHARE",
     "put this share of the training rows aside as validation data, e.g. 0.2", false, NULL},
    {"target", 0, "COLUMN", "the column to predict: its name, or its number from 0", false, NULL},
    {"weight", 0, "COLUMN", "the column with the rows' weights", false, NULL},
    {"group", 0, "COLUMN", "the column with the query ids, for ranking", false, NULL},
    {"ignore", 0, "COLUMN", "leave the column out (may be repeated)", true, NULL},
    {"output", 'o', "PATH", "where the model goes: NAME.tar.gz, or a folder (model.tar.gz)", false,
     NULL},
    {"model", 0, "PATH", "go on from this model", false, NULL},
    {"json", 0, NULL, "end with one JSON object on standard output", false, NULL},
    {"quiet", 'q', NULL, "no progress", false, NULL},
    READ_OPTIONS,
    {0},
};

static const char *const examples[] = {
    "clary train xgboost --train train.csv --validation test.csv --target income -o model.tar.gz",
    "clary train xgboost --train data.csv --holdout 0.2 --target price --num_round 500 --early_stopping_rounds 20",
    "clary train xgboost --train data.csv --no-header --target 0 --objective binary:logistic --max_depth 4",
    "clary train kmeans --train points.csv --k 10 -o clusters.tar.gz",
    NULL,
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    interrupted = 1;
    signal(number, SIG_DFL); /* the second time ends us at once */
}

typedef struct Job {
    const Args *args;
    const Algorithm *algorithm;
    Arena arena;
    Pool *pool;
    ReadOptions read;
    Dataset *train, *validation, *test;
    Artifact start; /* to go on from */
    ParamText *texts;
    size_t n_texts;
    Progress progress;
    Curves curves;
    ArtifactMetric *metrics;
    size_t n_metrics;
    double read_seconds, train_seconds;
    int64_t n_rounds;
    int64_t n_train_rows, n_validation_rows;
    int32_t n_features;
    bool stopped;
} Job;

/* ---- the run's callbacks ---- */

static bool on_round(void *host, int64_t round, int64_t n_rounds, const MetricValue *metrics, int n)
{
    Job *job = host;
    curves_add(&job->curves, round, metrics, n);
    progress_round(&job->progress, round, n_rounds, metrics, n);
    job->n_rounds = round + 1;
    if (interrupted) job->stopped = true;
    return !interrupted;
}

static const ArtifactMetric *find_metric(const Job *job, Str data, Str name)
{
    for (size_t i = 0; i < job->n_metrics; i++)
        if (str_eq(job->metrics[i].data, data) && str_eq(job->metrics[i].name, name))
            return &job->metrics[i];
    return NULL;
}

/* The first value of a name stays: what the algorithm calls final goes before its curve's end. */
static void add_metric(Job *job, Str data, Str name, double value, MetricGoal goal)
{
    enum { METRICS_MAX = 128 };
    if (!job->metrics) job->metrics = arena_array(&job->arena, ArtifactMetric, METRICS_MAX);
    if (job->n_metrics == METRICS_MAX || find_metric(job, data, name)) return;
    job->metrics[job->n_metrics++] = (ArtifactMetric){arena_str(&job->arena, data),
                                                      arena_str(&job->arena, name), value, goal};
}

static void on_metric(void *host, const MetricValue *metric)
{
    add_metric(host, str_of(metric->data), str_of(metric->name), metric->value, metric->goal);
}

static void on_log(void *host, const char *format, ...) PRINTF_LIKE(2, 3);
static void on_log(void *host, const char *format, ...)
{
    Job *job = host;
    if (job->progress.quiet) return;
    AUTO_STRBUF StrBuf line = STRBUF(4096);
    va_list args;
    va_start(args, format);
    strbuf_addv(&line, format, args);
    va_end(args);
    progress_end(&job->progress);
    log_info("%s", strbuf_cstr(&line));
}

static void on_warn(void *host, const char *format, ...) PRINTF_LIKE(2, 3);
static void on_warn(void *host, const char *format, ...)
{
    Job *job = host;
    AUTO_STRBUF StrBuf line = STRBUF(4096);
    va_list args;
    va_start(args, format);
    strbuf_addv(&line, format, args);
    va_end(args);
    progress_end(&job->progress);
    log_warning("%s", strbuf_cstr(&line));
}

/* ---- reading ---- */

static bool read_data(Job *job, Error *err)
{
    const Args *args = job->args;
    DatasetRoles roles = {
        .target = args_get(args, "target"),
        .weight = args_get(args, "weight"),
        .group = args_get(args, "group"),
        .label_size = -1,
        .no_target = !job->algorithm->supervised && !args_has(args, "target"),
    };
    roles.ignored = args_all(args, "ignore", &roles.n_ignored);
    if (job->start.has_schema) roles.schema = &job->start.schema;

    if (!read_dataset(args_get(args, "train").ptr, &job->read, &roles, job->pool, &job->train, err))
        return false;
    if (job->algorithm->supervised && job->train->label_width == 0)
        return error_set(err, ERROR_INVALID,
                         "which column is to be predicted? say --target COLUMN "
                         "(a name, or a number from 0)");

    roles.schema = &job->train->schema;
    if (args_has(args, "validation") && !read_dataset(args_get(args, "validation").ptr, &job->read,
                                                      &roles, job->pool, &job->validation, err))
        return false;
    if (args_has(args, "test") &&
        !read_dataset(args_get(args, "test").ptr, &job->read, &roles, job->pool, &job->test, err))
        return false;
    if (args_has(args, "holdout")) {
        double share;
        if (!args_real(args, "holdout", 0, 0.9, 0, &share, err)) return false;
        if (!dataset_split(job->train, share, 0, &job->validation, err)) return false;
    }
    job->n_train_rows = job->train->n_rows;
    job->n_validation_rows = job->validation ? job->validation->n_rows : 0;
    job->n_features = job->train->n_features;
    return true;
}

/* ---- hyperparameters ---- */

static bool text_is_given(const Job *job, const char *name)
{
    for (size_t i = 0; i < job->n_texts; i++) {
        const Param *param = param_find(job->algorithm->params, job->texts[i].name);
        if (param && str_is(str_of(name), param->name)) return true;
    }
    return false;
}

static void take_given(Job *job)
{
    const Args *args = job->args;
    job->texts = arena_array(&job->arena, ParamText, args->n_params + SUGGESTIONS_MAX + 256);
    for (size_t i = 0; i < args->n_params; i++) job->texts[job->n_texts++] = args->params[i];
    for (const Param *param = job->algorithm->params; param->type != PARAM_TYPE_END; param++)
        if (param->suggest && !text_is_given(job, param->name))
            job->texts[job->n_texts++] = (ParamText){str_of(param->name), str_of(param->suggest)};
}

/* Names and values are checked before any data is read; what data may still supply is left out. */
static bool check_given(const Job *job, Error *err)
{
    ARENA(scratch);
    ParamText *texts = arena_array(&scratch, ParamText, job->n_texts + 256);
    size_t n = 0;
    for (; n < job->n_texts; n++) texts[n] = job->texts[n];
    for (const Param *param = job->algorithm->params; param->type != PARAM_TYPE_END; param++)
        if (!param->preset && !param->optional && !text_is_given(job, param->name) &&
            job->algorithm->suggest)
            texts[n++] = (ParamText){str_of(param->name), STR("1")};
    void *params = arena_alloc(&scratch, job->algorithm->params_size);
    return params_parse(job->algorithm->params, texts, n, PARAM_STYLE_PLAIN, &scratch, params, err);
}

static void take_suggestions(Job *job)
{
    if (!job->algorithm->suggest) return;
    Suggestion suggestions[SUGGESTIONS_MAX] = {0};
    int n = job->algorithm->suggest(job->train, job->texts, job->n_texts, &job->arena, suggestions);
    for (int i = 0; i < n; i++) {
        job->texts[job->n_texts++] = suggestions[i].text;
        if (!args_has(job->args, "quiet"))
            log_info("--%.*s %.*s, as %s", STR_ARG(suggestions[i].text.name),
                     STR_ARG(suggestions[i].text.value), suggestions[i].why);
    }
}

/* ---- results ---- */

/* The round the model ends with: the best one when early stopping was on, else the last. */
static int64_t final_round(const Job *job)
{
    const MetricCurve *watched = NULL;
    for (int i = 0; i < job->curves.n; i++)
        if (str_is(job->curves.curves[i].data, "validation")) watched = &job->curves.curves[i];
    if (!watched || !text_is_given(job, "early_stopping_rounds")) return job->curves.n_rounds - 1;
    int64_t best = 0;
    for (int64_t r = 1; r < watched->n; r++) {
        bool better = watched->goal == GOAL_MAXIMIZE ? watched->values[r] > watched->values[best]
                                                     : watched->values[r] < watched->values[best];
        if (better) best = r;
    }
    return best;
}

static void keep_final_metrics(Job *job)
{
    int64_t round = final_round(job);
    for (int i = 0; i < job->curves.n; i++) {
        const MetricCurve *curve = &job->curves.curves[i];
        if (round >= 0 && round < curve->n)
            add_metric(job, curve->data, curve->name, curve->values[round], curve->goal);
    }
    if (text_is_given(job, "early_stopping_rounds")) job->n_rounds = round + 1;
}

static void print_metrics(const Job *job)
{
    static const char *const sets[] = {"train", "validation", "test"};
    bool any[COUNT(sets)] = {false};
    for (size_t i = 0; i < job->n_metrics; i++)
        for (size_t s = 0; s < COUNT(sets); s++) any[s] |= str_is(job->metrics[i].data, sets[s]);
    if (!job->n_metrics) return;
    printf("\n%-20s", "");
    for (size_t s = 0; s < COUNT(sets); s++)
        if (any[s]) printf(" %12s", sets[s]);
    putchar('\n');
    for (size_t i = 0; i < job->n_metrics; i++) {
        Str name = job->metrics[i].name;
        bool shown = false;
        for (size_t k = 0; k < i; k++) shown |= str_eq(job->metrics[k].name, name);
        if (shown) continue;
        printf("%-20.*s", STR_ARG(name));
        for (size_t s = 0; s < COUNT(sets); s++) {
            if (!any[s]) continue;
            const ArtifactMetric *metric = find_metric(job, str_of(sets[s]), name);
            if (metric)
                printf(" %12.6g", metric->value);
            else
                printf(" %12s", "");
        }
        putchar('\n');
    }
}

typedef struct Ranked {
    int32_t feature;
    double value;
} Ranked;

static int by_value_falling(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->value != y->value) return x->value < y->value ? 1 : -1;
    return x->feature - y->feature;
}

static void print_importance(const Job *job, const Model *model)
{
    ARENA(scratch);
    double *values, total = 0;
    Error ignored;
    if (!job->algorithm->importance ||
        !job->algorithm->importance(model, "total_gain", &scratch, &values, &ignored))
        return;
    Ranked *ranked = arena_array(&scratch, Ranked, job->n_features);
    for (int32_t j = 0; j < job->n_features; j++) {
        ranked[j] = (Ranked){j, values[j]};
        total += values[j];
    }
    if (!(total > 0)) return;
    qsort(ranked, (size_t)job->n_features, sizeof(Ranked), by_value_falling);
    printf("\nmost important   ");
    for (int32_t i = 0; i < MIN(job->n_features, 6) && ranked[i].value > 0; i++) {
        Str name = job->train->schema.features[ranked[i].feature].name;
        printf("%s%.*s %.0f %%", i ? ", " : "", STR_ARG(name), 100 * ranked[i].value / total);
    }
    putchar('\n');
}

static bool diagnose(const Job *job, Arena *arena, Diagnosis *ret_diagnosis)
{
    const MetricCurve *train = NULL, *validation = NULL;
    for (int i = 0; i < job->curves.n; i++) {
        const MetricCurve *curve = &job->curves.curves[i];
        if (str_is(curve->data, "validation")) validation = curve;
    }
    if (!validation) return false;
    train = curves_find(&job->curves, STR("train"), validation->name);
    if (!train) return false;
    DiagnosisInput input = {
        .metric = validation->name,
        .maximize = validation->goal == GOAL_MAXIMIZE,
        .train = train->values,
        .validation = validation->values,
        .n_rounds = MIN(train->n, validation->n),
        .final_round = final_round(job),
    };
    return diagnosis_make(&input, arena, ret_diagnosis);
}

static void print_text_result(const Job *job, const Artifact *artifact, const char *output,
                              const Diagnosis *diagnosis)
{
    struct stat status;
    char size[32];
    printf("trained %s on %lld rows of %d features", job->algorithm->name,
           (long long)job->n_train_rows, job->n_features);
    if (job->algorithm->iterative)
        printf(": %lld round%s", (long long)job->n_rounds, job->n_rounds == 1 ? "" : "s");
    printf(" in %.2f s, after %.2f s of reading%s\n", job->train_seconds, job->read_seconds,
           job->stopped ? " (interrupted: the model holds the rounds so far)" : "");
    print_metrics(job);
    print_importance(job, artifact->model);
    if (diagnosis) {
        printf("\n%.*s\n", STR_ARG(diagnosis->seen));
        for (int i = 0; i < diagnosis->n_advice; i++)
            printf("  - %.*s\n", STR_ARG(diagnosis->advice[i]));
    }
    bool packed = stat(output, &status) == 0 && S_ISREG(status.st_mode);
    printf("\nmodel            %s%s%s%s\n", output, packed ? " (" : "",
           packed ? bytes_text((double)status.st_size, size) : "", packed ? ")" : "");
    printf("next             clary evaluate %s NEW.csv     how good it is on other data\n"
           "                 clary predict %s NEW.csv      what it says of new rows\n",
           output, output);
}

static void print_json_result(const Job *job, const char *output, const Diagnosis *diagnosis)
{
    ARENA(scratch);
    AUTO_STRBUF StrBuf text = STRBUF(1 << 20);
    JsonWriter json = JSON_WRITER(&text);
    json_begin_object(&json);
    json_member_string(&json, "algorithm", str_of(job->algorithm->name));
    json_member_string(&json, "model", str_of(output));
    json_member_int(&json, "train_rows", job->n_train_rows);
    if (job->n_validation_rows) json_member_int(&json, "validation_rows", job->n_validation_rows);
    json_member_int(&json, "features", job->n_features);
    if (job->algorithm->iterative) json_member_int(&json, "rounds", job->n_rounds);
    json_member_double(&json, "read_seconds", job->read_seconds);
    json_member_double(&json, "train_seconds", job->train_seconds);
    json_member_int(&json, "peak_rss_bytes", peak_rss_bytes());
    json_name(&json, STR("metrics"));
    json_begin_object(&json);
    for (size_t i = 0; i < job->n_metrics; i++) {
        const ArtifactMetric *metric = &job->metrics[i];
        json_name(&json, arena_format(&scratch, "%.*s:%.*s", STR_ARG(metric->data),
                                      STR_ARG(metric->name)));
        json_double(&json, metric->value);
    }
    json_end_object(&json);
    if (diagnosis) diagnosis_json(diagnosis, &json);
    json_end_object(&json);
    puts(strbuf_cstr(&text));
}

/* ---- the command ---- */

static bool train_and_save(Job *job, const char *output, Error *err)
{
    void *params;
    take_suggestions(job);
    if (!run_check(job->algorithm, job->texts, job->n_texts, &job->arena, &params, err))
        return false;

    int64_t seed = 0;
    for (size_t i = 0; i < job->n_texts; i++)
        if (str_is(job->texts[i].name, "seed")) str_to_int64(job->texts[i].value, &seed);
    TrainData data = {.train = job->train,
                      .validation = job->validation,
                      .test = job->test,
                      .start = job->start.model};
    TrainRun run = {.pool = job->pool,
                    .seed = (uint64_t)seed,
                    .arena = &job->arena,
                    .host = job,
                    .round = on_round,
                    .metric = on_metric,
                    .log = on_log,
                    .warn = on_warn};
    struct sigaction action = {.sa_handler = on_interrupt}, before;
    sigaction(SIGINT, &action, &before);
    double start = clock_seconds();
    progress_start(&job->progress, args_has(job->args, "quiet"));
    AUTO_ARTIFACT Artifact artifact = {
        .algorithm = job->algorithm, .seed = (uint64_t)seed, .has_schema = true};
    bool ok = run_train(job->algorithm, params, &data, &run, &artifact.model, err);
    progress_end(&job->progress);
    sigaction(SIGINT, &before, NULL);
    job->train_seconds = clock_seconds() - start;
    if (!ok) return false;

    keep_final_metrics(job);
    artifact.schema = job->train->schema;
    artifact.params = job->texts;
    artifact.n_params = job->n_texts;
    artifact.metrics = job->metrics;
    artifact.n_metrics = job->n_metrics;
    artifact.final_round = final_round(job);
    curves_to_artifact(&job->curves, &artifact);
    if (!artifact_write(&artifact, output, err)) return false;

    Diagnosis diagnosis;
    bool diagnosed = diagnose(job, &job->arena, &diagnosis);
    if (args_has(job->args, "json"))
        print_json_result(job, output, diagnosed ? &diagnosis : NULL);
    else
        print_text_result(job, &artifact, output, diagnosed ? &diagnosis : NULL);
    return true;
}

static bool run_job(Job *job, bool *ret_usage, Error *err)
{
    const Args *args = job->args;
    const char *output = args_has(args, "output") ? args_get(args, "output").ptr : "model.tar.gz";
    if (args_has(args, "holdout") && args_has(args, "validation"))
        return USAGE("options '--holdout' and '--validation' exclude each other");
    if (!read_options(args, &job->read, err) || !threads_option(args, &job->pool, err)) {
        *ret_usage = true;
        return false;
    }
    take_given(job);
    if (!check_given(job, err)) {
        *ret_usage = true;
        return false;
    }
    if (args_has(args, "model")) {
        if (!artifact_open(args_get(args, "model").ptr, &job->start, err)) return false;
        if (job->start.algorithm != job->algorithm)
            return error_set(err, ERROR_INVALID, "'%s' is a model of %s, not of %s",
                             args_get(args, "model").ptr, job->start.algorithm->name,
                             job->algorithm->name);
    }
    double start = clock_seconds();
    if (!read_data(job, err)) return false;
    job->read_seconds = clock_seconds() - start;
    return train_and_save(job, output, err);
}

static bool unknown_algorithm(Str name, Error *err)
{
    Str names[64];
    size_t n = 0;
    AUTO_STRBUF StrBuf all = STRBUF(1024);
    for (; algorithms[n] && n < COUNT(names); n++) {
        names[n] = str_of(algorithms[n]->name);
        strbuf_addf(&all, "%s%s", n ? ", " : "", algorithms[n]->name);
    }
    int nearest = str_nearest(name, names, n);
    if (nearest >= 0)
        return error_set(err, ERROR_INVALID, "unknown algorithm '%.*s' (did you mean '%s'?)",
                         STR_ARG(name), algorithms[nearest]->name);
    return error_set(err, ERROR_INVALID, "unknown algorithm '%.*s'; there are %s", STR_ARG(name),
                     strbuf_cstr(&all));
}

static bool train_run_command(const Args *args, bool *ret_usage, Error *err)
{
    if (args->n_positional == 0) return USAGE("which algorithm? 'clary algorithms' lists them");
    const Algorithm *algorithm = algorithm_find(args->positional[0]);
    if (!algorithm) {
        *ret_usage = true;
        return unknown_algorithm(args->positional[0], err);
    }
    if (args->n_positional > 1)
        return USAGE("'%.*s' is one word too many", STR_ARG(args->positional[1]));
    if (!args_has(args, "train"))
        return USAGE("option '--train' is required: the rows to learn from");

    Job job = {.args = args, .algorithm = algorithm};
    job.curves.arena = &job.arena;
    bool ok = run_job(&job, ret_usage, err);
    dataset_free(job.train);
    dataset_free(job.validation);
    dataset_free(job.test);
    artifact_clear(&job.start);
    pool_free(job.pool);
    arena_clear(&job.arena);
    return ok;
}

static const Param *params_of(Str first)
{
    const Algorithm *algorithm = algorithm_find(first);
    return algorithm ? algorithm->params : NULL;
}

const Command train_command = {
    .name = "train",
    .synopsis = "ALGORITHM --train PATH [OPTION...] [--HYPERPARAMETER VALUE...]",
    .summary = "train a model on a table",
    .examples = examples,
    .options = options,
    .params = params_of,
    .run = train_run_command,
    .more = "'clary train ALGORITHM --help' lists the hyperparameters of an algorithm.",
};
