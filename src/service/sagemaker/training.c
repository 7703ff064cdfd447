/* Training jobs: the operations and the queue.
 *
 * A job waits in the queue until one of the slots is free; a thread then drives it (training_run.c).
 * The queue is the table of resources: after a start every job that is not at its end is queued
 * again, those with a living process first. */

#include "service/sagemaker/training.h"

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/thread.h"
#include "service/page.h"
#include "service/s3/objects.h"

#include <errno.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { PAGE_JOBS = 20 };

typedef struct Queued {
    char *region, *name;
    bool resumed;
    struct Queued *next;
} Queued;

typedef struct Training {
    Server *server;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    Queued *first, **last;
    size_t n_queued;
    TrainingRun *running;
    int n_running, slots;
    bool closing;
} Training;

/* ---- queue ---- */

static TrainingRun *run_new(Training *training, Str region, Str name)
{
    TrainingRun *run = calloc(1, sizeof *run);
    if (!run) memory_exhausted(sizeof *run);
    run->server = training->server;
    run->training = training;
    run->region = arena_str(&run->arena, region);
    run->name = arena_str(&run->arena, name);
    run->folder = arena_format(&run->arena, "%s/jobs/training-job/%.*s/%.*s",
                               training->server->options->home, STR_ARG(region), STR_ARG(name))
                      .ptr;
    run->process =
        arena_format(&run->arena, "training-job/%.*s/%.*s", STR_ARG(region), STR_ARG(name)).ptr;
    run->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return run;
}

/* With the lock held: threads for as many jobs as there are slots. */
static void start_queued(Training *training)
{
    while (training->first && training->n_running < training->slots && !training->closing) {
        Queued *queued = training->first;
        training->first = queued->next;
        if (!training->first) training->last = &training->first;
        training->n_queued--;
        TrainingRun *run = run_new(training, str_of(queued->region), str_of(queued->name));
        run->resumed = queued->resumed;
        run->next = training->running;
        training->running = run;
        training->n_running++;
        free(queued->region);
        free(queued->name);
        free(queued);

        pthread_t thread;
        pthread_attr_t attributes;
        pthread_attr_init(&attributes);
        pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        int code = pthread_create(&thread, &attributes, training_drive, run);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        pthread_attr_destroy(&attributes);
        if (code) {
            log_error("no thread for training job '%.*s': it stays in the queue until clary is "
                      "started again",
                      STR_ARG(run->name));
            training->running = run->next;
            training->n_running--;
            close(run->wake);
            arena_clear(&run->arena);
            free(run);
            return;
        }
    }
}

void training_done(TrainingRun *run)
{
    Training *training = run->training;
    pthread_mutex_lock(&training->lock);
    for (TrainingRun **at = &training->running; *at; at = &(*at)->next)
        if (*at == run) {
            *at = run->next;
            break;
        }
    training->n_running--;
    start_queued(training);
    pthread_cond_broadcast(&training->changed);
    pthread_mutex_unlock(&training->lock);
    close(run->wake);
    log_free(run->log);
    arena_clear(&run->arena);
    free(run);
}

static void enqueue(Training *training, Str region, Str name, bool resumed)
{
    Queued *queued = calloc(1, sizeof *queued);
    if (!queued) memory_exhausted(sizeof *queued);
    queued->region = strndup(region.ptr, region.len);
    queued->name = strndup(name.ptr, name.len);
    queued->resumed = resumed;
    if (!queued->region || !queued->name) memory_exhausted(name.len);
    pthread_mutex_lock(&training->lock);
    *training->last = queued;
    training->last = &queued->next;
    training->n_queued++;
    start_queued(training);
    pthread_mutex_unlock(&training->lock);
}

/* Tells a running job; false when it does not run. */
static bool tell_to_stop(Training *training, Str region, Str name)
{
    bool found = false;
    pthread_mutex_lock(&training->lock);
    for (TrainingRun *run = training->running; run; run = run->next)
        if (str_eq(run->region, region) && str_eq(run->name, name)) {
            __atomic_store_n(&run->stop_asked, true, __ATOMIC_RELEASE);
            eventfd_write(run->wake, 1);
            found = true;
        }
    pthread_mutex_unlock(&training->lock);
    return found;
}

/* ---- open and close ---- */

static bool queue_again(void *arg, const Resource *resource, Error *err)
{
    (void)err;
    enqueue(arg, resource->region, resource->name, true);
    return true;
}

/* Finds out what the sandbox and clary-train can do before the first job asks. */
static void *warm_up(void *arg)
{
    Server *server = arg;
    ARENA(scratch);
    unsigned features;
    const Json *list;
    Error err = {0};
    if (!sandbox_features(&features, &err) || !program_algorithms(server, &scratch, &list, &err))
        log_warning("training: %s", err.text);
    Training *training = server->training;
    pthread_mutex_lock(&training->lock);
    training->n_running--;
    start_queued(training);
    pthread_cond_broadcast(&training->changed);
    pthread_mutex_unlock(&training->lock);
    return NULL;
}

bool training_open(Server *server, Error *err)
{
    Training *training = calloc(1, sizeof *training);
    if (!training) memory_exhausted(sizeof *training);
    training->server = server;
    training->slots = server->options->job_slots > 0 ? server->options->job_slots
                                                     : processor_count();
    training->last = &training->first;
    pthread_mutex_init(&training->lock, NULL);
    pthread_cond_init(&training->changed, NULL);
    server->training = training;
    pthread_t thread;
    training->n_running++; /* jobs wait for it, and so does the server's end */
    if (pthread_create(&thread, NULL, warm_up, server) == 0)
        pthread_detach(thread);
    else
        training->n_running--;
    return resource_each(server, &training_job_kind, "InProgress", queue_again, training, err) &&
           resource_each(server, &training_job_kind, "Stopping", queue_again, training, err);
}

static void forget_queued(Training *training)
{
    for (Queued *next; training->first; training->first = next) {
        next = training->first->next;
        free(training->first->region);
        free(training->first->name);
        free(training->first);
    }
    training->last = &training->first;
    training->n_queued = 0;
}

/* With the lock held: drivers leave their jobs as they are. */
static void wait_for_drivers(Training *training)
{
    for (TrainingRun *run = training->running; run; run = run->next) {
        __atomic_store_n(&run->closing, true, __ATOMIC_RELEASE);
        eventfd_write(run->wake, 1);
    }
    while (training->n_running) pthread_cond_wait(&training->changed, &training->lock);
}

void training_close(Server *server)
{
    Training *training = server->training;
    if (!training) return;
    pthread_mutex_lock(&training->lock);
    training->closing = true;
    forget_queued(training);
    wait_for_drivers(training);
    pthread_mutex_unlock(&training->lock);
    pthread_mutex_destroy(&training->lock);
    pthread_cond_destroy(&training->changed);
    free(training);
    server->training = NULL;
}

static int remove_entry(const char *path, const struct stat *info UNUSED, int type UNUSED,
                        struct FTW *at UNUSED)
{
    remove(path);
    return 0;
}

bool training_reset(Server *server, Error *err)
{
    Training *training = server->training;
    ARENA(scratch);
    Str *names;
    size_t n;
    pthread_mutex_lock(&training->lock);
    training->closing = true;
    forget_queued(training);
    wait_for_drivers(training);
    training->closing = false;
    pthread_mutex_unlock(&training->lock);
    if (!keeper_children(server->keeper, &scratch, &names, &n, err)) return false;
    for (size_t i = 0; i < n; i++) {
        if (!str_starts(names[i], STR("training-job/"))) continue;
        ProcessExit gone;
        const char *name = arena_cstr(&scratch, names[i]);
        if (!keeper_stop(server->keeper, name, 0, err) ||
            !keeper_wait(server->keeper, name, &gone, err))
            return false;
    }
    const char *folder = path_join(&scratch, server->options->home, "jobs/training-job");
    nftw(folder, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
    return true;
}

/* ---- what runs, for people ---- */

void training_status(Server *server, JsonWriter *out)
{
    Training *training = server->training;
    pthread_mutex_lock(&training->lock);
    int running = training->n_running;
    size_t queued = training->n_queued;
    pthread_mutex_unlock(&training->lock);
    json_member_int(out, "training_jobs_running", running);
    json_member_int(out, "training_jobs_waiting", (int64_t)queued);
}

typedef struct JobsPage {
    Page *page;
    Str region;
} JobsPage;

static bool show_jobs(void *arg, DbTx *tx, Error *err)
{
    JobsPage *jobs = arg;
    Page *page = jobs->page;
    DB_ROWS(rows);
    if (!db_query(
            tx, &rows, err,
            "SELECT name, state, created, modified FROM resource WHERE kind = ? AND region = ? "
            "ORDER BY created DESC, key DESC LIMIT ?",
            "tti", str_of(training_job_kind.name), jobs->region, (int64_t)PAGE_JOBS))
        return false;
    while (db_next(&rows, err)) {
        page_row_begin(page);
        page_cell(page, db_text(&rows, 0));
        page_state(page, db_text(&rows, 1));
        page_time(page, db_real(&rows, 2));
        page_time(page, db_real(&rows, 3));
        page_row_end(page);
    }
    return err->kind == ERROR_NONE;
}

void training_page(Server *server, Page *page)
{
    static const char *const columns[] = {"job", "state", "created", "last change", NULL};
    Error err = {0};
    JobsPage jobs = {page, str_of(server->options->region)};
    page_table_begin(page, "Training jobs", columns);
    if (!db_read(server->db, show_jobs, &jobs, &err)) log_warning("page: %s", err.text);
    page_table_end(page, "No training jobs yet.");
}

/* ---- operations ---- */

static bool no_conflicting_image(Call *call, Error *err)
{
    const Json *algorithm = json_get(call->in, "AlgorithmSpecification");
    bool image = json_get_text(algorithm, "TrainingImage").len,
         name = json_get_text(algorithm, "AlgorithmName").len;
    if (image && name)
        return call_error(call, err, "ValidationException",
                          "Both TrainingImage and AlgorithmName are specified in "
                          "AlgorithmSpecification; give one of them.");
    if (!image && !name)
        return call_error(call, err, "ValidationException",
                          "Either TrainingImage or AlgorithmName must be given in "
                          "AlgorithmSpecification.");
    return true;
}

static bool check_addresses(Call *call, Error *err)
{
    Str bucket, key, output = json_get_text(json_get(call->in, "OutputDataConfig"), "S3OutputPath");
    if (!s3_address(output, &bucket, &key))
        return call_error(call, err, "ValidationException", "Invalid S3 URI: %.*s",
                          STR_ARG(output));
    const Json *channels = json_get(call->in, "InputDataConfig");
    for (size_t i = 0; channels && i < channels->n; i++) {
        Str name = json_get_text(json_at(channels, i), "ChannelName");
        for (size_t j = 0; j < i; j++)
            if (str_eq(name, json_get_text(json_at(channels, j), "ChannelName")))
                return call_error(call, err, "ValidationException",
                                  "Duplicate channel name '%.*s' in InputDataConfig.",
                                  STR_ARG(name));
    }
    return true;
}

static Json *transition(Arena *arena, const char *status, const char *message, double now)
{
    Json *line = json_new_object(arena);
    json_set_text(arena, line, "Status", str_of(status));
    json_set_double(arena, line, "StartTime", now);
    json_set_text(arena, line, "StatusMessage", str_of(message));
    return line;
}

/* A job acts with its role's rights (rule Z2).  The root user may name one that does not exist, as test-suites
 * do, and gets no less than is root's already. */
static bool check_role(Call *call, Str role, Error *err)
{
    Caller ignored;
    Error none = {0};
    if (call->caller.type == CALLER_ROOT || call->caller.type == CALLER_SERVICE) return true;
    if (access_role_caller(call->server, role, STR("SageMaker"), call->arena, &ignored, &none))
        return true;
    return call_error(call, err, "ValidationException",
                      "Could not assume role %.*s. Please ensure that the role exists and allows "
                      "principal 'sagemaker.amazonaws.com' to assume the role.",
                      STR_ARG(role));
}

/* Where the model will be; clients read it before it is there. */
static Json *artifacts_of(Call *call, Str name)
{
    const Json *output = json_get(call->in, "OutputDataConfig");
    Str base = json_get_text(output, "S3OutputPath");
    bool plain = str_is(json_get_text(output, "CompressionType"), "NONE");
    while (base.len && base.ptr[base.len - 1] == '/') base.len--;
    Json *artifacts = json_new_object(call->arena);
    json_set_text(call->arena, artifacts, "S3ModelArtifacts",
                  arena_format(call->arena, "%.*s/%.*s/output/model%s", STR_ARG(base),
                               STR_ARG(name), plain ? "/" : ".tar.gz"));
    return artifacts;
}

static bool create_training_job(Call *call, Resource *resource, Error *err)
{
    Arena *arena = call->arena;
    Str role = call_text(call, "RoleArn");
    if (!no_conflicting_image(call, err) || !check_addresses(call, err) ||
        !call_authorize(call, "iam:PassRole", role, err) || !check_role(call, role, err))
        return false;
    Json *document = resource->document;
    Json *transitions = json_new_array(arena);
    json_push(arena, transitions,
              transition(arena, "Starting", "Preparing the instances for training", call->now));
    json_set_text(arena, document, "SecondaryStatus", STR("Starting"));
    json_set(arena, document, "SecondaryStatusTransitions", transitions);
    /* Clients read these without looking whether they are there. */
    Json *output = json_copy(arena, json_get(document, "OutputDataConfig"));
    if (!json_get(output, "KmsKeyId")) json_set_text(arena, output, "KmsKeyId", STR(""));
    json_set(arena, document, "OutputDataConfig", output);
    const Json *given = json_get(document, "StoppingCondition");
    Json *stopping = given ? json_copy(arena, given) : json_new_object(arena);
    if (!json_get(stopping, "MaxRuntimeInSeconds"))
        json_set_int(arena, stopping, "MaxRuntimeInSeconds", TRAINING_RUNTIME_SECONDS);
    json_set(arena, document, "StoppingCondition", stopping);
    static const char *const flags[] = {"EnableNetworkIsolation",
                                        "EnableInterContainerTrafficEncryption",
                                        "EnableManagedSpotTraining"};
    for (size_t i = 0; i < COUNT(flags); i++)
        if (!json_get(document, flags[i])) json_set_bool(arena, document, flags[i], false);
    json_set(arena, document, "ModelArtifacts", artifacts_of(call, resource->name));
    return true;
}

static void created_training_job(Call *call, const Resource *resource)
{
    enqueue(call->server->training, resource->region, resource->name, false);
}

static bool set_stopping(void *arg, Resource *resource, Error *err)
{
    (void)err;
    Call *call = arg;
    if (!str_is(resource->state, "InProgress")) return true;
    resource->state = STR("Stopping");
    json_set_text(call->arena, resource->document, "SecondaryStatus", STR("Stopping"));
    const Json *old = json_get(resource->document, "SecondaryStatusTransitions");
    Json *transitions = json_new_array(call->arena);
    for (size_t i = 0; old && i < old->n; i++) {
        Json *line = json_copy(call->arena, json_at(old, i));
        if (!json_get(line, "EndTime")) json_set_double(call->arena, line, "EndTime", call->now);
        json_push(call->arena, transitions, line);
    }
    json_push(call->arena, transitions,
              transition(call->arena, "Stopping", "Stopping the training job", call->now));
    json_set(call->arena, resource->document, "SecondaryStatusTransitions", transitions);
    return true;
}

static bool stop_training_job(Call *call, Error *err)
{
    Resource job;
    Str name = call_text(call, "TrainingJobName");
    if (!resource_need(call, &training_job_kind, name, &job, err)) return false;
    if (!str_is(job.state, "InProgress") && !str_is(job.state, "Stopping"))
        return call_error(call, err, "ValidationException",
                          "The request was rejected because the training job is in status %.*s.",
                          STR_ARG(job.state));
    if (!resource_change(call->server, &training_job_kind, job.region, job.name, set_stopping, call,
                         err))
        return false;
    /* One that waits in the queue is seen to be stopping when its turn comes. */
    tell_to_stop(call->server->training, job.region, job.name);
    return true;
}

static bool delete_training_job(Call *call, Error *err)
{
    Resource job;
    Str name = call_text(call, "TrainingJobName");
    if (!resource_need(call, &training_job_kind, name, &job, err)) return false;
    if (str_is(job.state, "InProgress") || str_is(job.state, "Stopping"))
        return call_error(call, err, "ResourceInUse",
                          "The training job is in status %.*s; stop it first.", STR_ARG(job.state));
    return resource_delete(call->server, &training_job_kind, job.region, job.name, err);
}

static bool merge_update(void *arg, Resource *resource, Error *err)
{
    (void)err;
    Call *call = arg;
    static const char *const members[] = {"ProfilerConfig", "ProfilerRuleConfigurations",
                                          "RemoteDebugConfig"};
    for (size_t i = 0; i < COUNT(members); i++) {
        const Json *value = json_get(call->in, members[i]);
        if (value) json_set(call->arena, resource->document, members[i], value);
    }
    const Json *given = json_get(call->in, "ResourceConfig");
    if (given) {
        const Json *old = json_get(resource->document, "ResourceConfig");
        Json *config = old ? json_copy(call->arena, old) : json_new_object(call->arena);
        for (size_t i = 0; i < given->n; i++)
            json_set_str(call->arena, config, given->members[i].name, given->members[i].value);
        json_set(call->arena, resource->document, "ResourceConfig", config);
    }
    return true;
}

static bool update_training_job(Call *call, Error *err)
{
    Resource job;
    Str name = call_text(call, "TrainingJobName");
    if (!resource_need(call, &training_job_kind, name, &job, err)) return false;
    if (!resource_change(call->server, &training_job_kind, job.region, job.name, merge_update, call,
                         err))
        return false;
    json_set_text(call->arena, call->out, "TrainingJobArn", job.arn);
    return true;
}

static void summarize(Call *call, const Resource *resource, Json *line)
{
    static const char *const members[] = {"SecondaryStatus", "TrainingEndTime"};
    for (size_t i = 0; i < COUNT(members); i++) {
        const Json *value = json_get(resource->document, members[i]);
        if (value) json_set(call->arena, line, members[i], value);
    }
}

const ResourceKind training_job_kind = {
    .service = "sagemaker",
    .name = "training-job",
    .title = "training job",
    .id = "TrainingJobName",
    .arn = "TrainingJobArn",
    .state = "TrainingJobStatus",
    .first_state = "InProgress",
    .created_at = "CreationTime",
    .modified_at = "LastModifiedTime",
    .list = "TrainingJobSummaries",
    .not_stored = {"Tags"},
    .missing_code = "ValidationException",
    .missing_message = "Requested resource not found.",
    .exists_code = "ResourceInUse",
    .exists_message = "Training job names must be unique within an AWS account and region, and a "
                      "training job with this name already exists (%.*s)",
    .create = create_training_job,
    .created = created_training_job,
    .summary = summarize,
};

#define JOB "arn:aws:sagemaker:{region}:{account}:training-job/{TrainingJobName}"

const ServiceOperation training_operations[] = {
    {"CreateTrainingJob", resource_handle_create, &training_job_kind, JOB, NULL, OPERATION_WRITES},
    {"DescribeTrainingJob", resource_handle_describe, &training_job_kind, JOB, NULL, 0},
    {"ListTrainingJobs", resource_handle_list, &training_job_kind, "*", NULL, 0},
    {"StopTrainingJob", stop_training_job, &training_job_kind, JOB, NULL, OPERATION_WRITES},
    {"UpdateTrainingJob", update_training_job, &training_job_kind, JOB, NULL, OPERATION_WRITES},
    {"DeleteTrainingJob", delete_training_job, &training_job_kind, JOB, NULL, OPERATION_WRITES},
    {0},
};
