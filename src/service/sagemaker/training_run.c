/* One training job from its start to its end: a thread each.
 *
 *     Starting -> Downloading -> Training -> Uploading -> Completed | Failed | Stopped | MaxRuntimeExceeded
 *
 * Each step is durable before the next begins.  A run that finds itself interrupted goes on: with its
 * living process, or with what exit.json says of one that ended; otherwise the job fails and says so. */

#include "service/sagemaker/training.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PUMP_MS = 20,
    PUMP_SLOW_MS = 250,
    CHECKPOINT_SECONDS = 10,
    DISK_SECONDS = 3,
    FAILURE_FILE_MAX = 64 << 10
};

/* ---- states ---- */

typedef struct Step {
    Arena *arena;
    const char *status, *message; /* secondary status */
    const char *state;            /* or NULL: as it is */
    const Json *members;          /* to be set, or NULL */
    double now;
} Step;

static double wall_ms(void)
{
    return floor(clock_wall() * 1000) / 1000;
}

static bool apply_step(void *arg, Resource *resource, Error *err)
{
    (void)err;
    const Step *step = arg;
    Json *document = resource->document;
    for (size_t i = 0; step->members && i < step->members->n; i++)
        json_set_str(step->arena, document, step->members->members[i].name,
                     step->members->members[i].value);
    /* Somebody stopped it meanwhile: that stays to be seen until it is over. */
    if (!step->state && str_is(resource->state, "Stopping")) return true;
    const Json *old = json_get(document, "SecondaryStatusTransitions");
    Json *transitions = json_new_array(step->arena), *line = json_new_object(step->arena);
    for (size_t i = 0; old && i < old->n; i++) {
        Json *each = json_copy(step->arena, json_at(old, i));
        if (!json_get(each, "EndTime")) json_set_double(step->arena, each, "EndTime", step->now);
        json_push(step->arena, transitions, each);
    }
    json_set_text(step->arena, line, "Status", str_of(step->status));
    json_set_double(step->arena, line, "StartTime", step->now);
    if (step->state) json_set_double(step->arena, line, "EndTime", step->now);
    json_set_text(step->arena, line, "StatusMessage", str_of(step->message));
    json_push(step->arena, transitions, line);
    json_set(step->arena, document, "SecondaryStatusTransitions", transitions);
    json_set_text(step->arena, document, "SecondaryStatus", str_of(step->status));
    if (step->state) resource->state = str_of(step->state);
    return true;
}

static bool take_step(TrainingRun *run, const char *status, const char *message, const char *state,
                      const Json *members, Error *err)
{
    ARENA(arena);
    Step step = {&arena, status, message, state, members, wall_ms()};
    return resource_change(run->server, &training_job_kind, run->region, run->name, apply_step,
                           &step, err);
}

/* ---- how it ended ---- */

static const char *exit_class(const TrainingRun *run)
{
    if (run->program.kind != PROGRAM_BUILT_IN || !run->exit.exited) return "AlgorithmError";
    return run->exit.status == 2   ? "ClientError"
           : run->exit.status == 3 ? "InternalServerError"
                                   : "AlgorithmError";
}

/* Cut to the size of FailureReason without breaking a character. */
static Str cut(Str text, size_t max)
{
    if (text.len <= max) return text;
    text.len = max;
    while (text.len && ((unsigned char)text.ptr[text.len] & 0xc0) == 0x80) text.len--;
    return text;
}

static Str failure_reason(TrainingRun *run)
{
    Arena *arena = &run->arena;
    Str text = STR(""), last = log_last(run, 5);
    Error nothing = {0};
    const char *path = path_join(arena, run->folder, "output/failure");
    struct stat info;
    /* The program made it: it may be anything. */
    if (lstat(path, &info) == 0 && S_ISREG(info.st_mode) && info.st_size <= FAILURE_FILE_MAX)
        if (file_read(path, FAILURE_FILE_MAX, arena, &text, &nothing)) text = str_trim(text);
    int code = run->exit.exited ? run->exit.status : 128 + run->exit.signal;
    Str tail = arena_format(arena, ", exit code: %d", code);
    const char *kind = exit_class(run);
    size_t room = TRAINING_FAILURE_MAX - tail.len - 32;
    if (run->program.kind == PROGRAM_IMAGE && code >= 125 && code <= 127 && !text.len)
        return arena_format(arena, "ClientError: image '%.*s' could not be started: %.*s",
                            STR_ARG(run->program.image), STR_ARG(cut(last, room - 300)));
    if (run->disk_full)
        return arena_format(
            arena,
            "ClientError: the program wrote more than VolumeSizeInGB (%lld GB) "
            "to its disk%.*s",
            (long long)json_get_int(json_get(run->job, "ResourceConfig"), "VolumeSizeInGB", 0),
            STR_ARG(tail));
    if (run->exit.out_of_memory) {
        text = arena_format(arena, "the program was killed because it ran out of memory%s%.*s",
                            text.len ? "; " : "", STR_ARG(text));
    } else if (run->program.kind == PROGRAM_SCRIPT && run->exit.exited && !text.len) {
        Str program = json_get_text(json_get(run->job, "HyperParameters"), "sagemaker_program");
        text = arena_format(arena,
                            "ExecuteUserScriptError:\nExitCode %d\nErrorMessage \"%.*s\"\n"
                            "Command \"%.*s\"",
                            code, STR_ARG(cut(last, room - 200)), STR_ARG(cut(program, 100)));
    } else if (!text.len && !last.len) {
        return run->exit.exited ? arena_format(arena, "%s: Exit Code: %d", kind, code)
                                : arena_format(arena, "%s: the program was killed by signal %d%.*s",
                                               kind, run->exit.signal, STR_ARG(tail));
    } else if (!text.len) {
        text = run->exit.exited
                   ? arena_format(arena, "Exit Code: %d. Last lines of the log:\n%.*s", code,
                                  STR_ARG(last))
                   : arena_format(
                         arena, "the program was killed by signal %d. Last lines of the log:\n%.*s",
                         run->exit.signal, STR_ARG(last));
    }
    return arena_format(arena, "%s: %.*s%.*s", kind, STR_ARG(cut(text, room)), STR_ARG(tail));
}

static void set_times(TrainingRun *run, Json *members)
{
    double now = wall_ms();
    json_set_double(&run->arena, members, "TrainingEndTime", now);
    if (run->started <= 0) return;
    int64_t seconds = (int64_t)ceil(MAX(now - run->started, 0.001));
    json_set_double(&run->arena, members, "TrainingStartTime", run->started);
    json_set_int(&run->arena, members, "TrainingTimeInSeconds", seconds);
    json_set_int(&run->arena, members, "BillableTimeInSeconds", seconds);
}

static int remove_entry(const char *path, const struct stat *info UNUSED, int type UNUSED,
                        struct FTW *at UNUSED)
{
    remove(path);
    return 0;
}

/* The last step.  What fails here stays under way and is tried again at the next start. */
static void end_job(TrainingRun *run, const char *status, const char *message, const char *state,
                    Json *members)
{
    Error err = {0};
    set_times(run, members);
    Json *metrics = log_final_metrics(run, &run->arena);
    if (metrics->n) json_set(&run->arena, members, "FinalMetricDataList", metrics);
    if (!take_step(run, status, message, state, members, &err) && err.kind != ERROR_NOT_FOUND) {
        log_error("training job '%.*s': its end could not be stored: %s", STR_ARG(run->name),
                  err.text);
        return;
    }
    nftw(run->folder, remove_entry, 32, FTW_DEPTH | FTW_PHYS);
}

/* Before or beside the program: `err` says why, with or without a class. */
static void fail_job(TrainingRun *run, const Error *err)
{
    Json *members = json_new_object(&run->arena);
    Str text = str_of(err->text);
    bool classed = str_starts(text, STR("ClientError")) ||
                   str_starts(text, STR("AlgorithmError")) ||
                   str_starts(text, STR("InternalServerError"));
    bool user = err->kind == ERROR_INVALID || err->kind == ERROR_NOT_FOUND ||
                err->kind == ERROR_DENIED || err->kind == ERROR_UNSUPPORTED ||
                err->kind == ERROR_LIMIT;
    Str reason = classed
                     ? arena_str(&run->arena, text)
                     : arena_format(&run->arena, "%s: %.*s",
                                    user ? "ClientError" : "InternalServerError", STR_ARG(text));
    json_set_text(&run->arena, members, "FailureReason", cut(reason, TRAINING_FAILURE_MAX));
    end_job(run, "Failed", "Training job failed", "Failed", members);
}

/* ---- while it runs ---- */

/* keeper_wait blocks: it has a thread of its own, which outlives the driver when the server ends first. */
typedef struct Waiter {
    Keeper *keeper;
    char *process;
    int wake;
    int users;
    bool over, failed; /* __atomic */
    ProcessExit exit;
} Waiter;

static void waiter_drop(Waiter *waiter)
{
    if (__atomic_sub_fetch(&waiter->users, 1, __ATOMIC_ACQ_REL)) return;
    close(waiter->wake);
    free(waiter->process);
    free(waiter);
}

static void *wait_for_end(void *arg)
{
    Waiter *waiter = arg;
    Error err = {0};
    bool good = keeper_wait(waiter->keeper, waiter->process, &waiter->exit, &err);
    __atomic_store_n(good ? &waiter->over : &waiter->failed, true, __ATOMIC_RELEASE);
    eventfd_write(waiter->wake, 1);
    waiter_drop(waiter);
    return NULL;
}

static Waiter *waiter_start(TrainingRun *run)
{
    Waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter) memory_exhausted(sizeof *waiter);
    *waiter = (Waiter){.keeper = run->server->keeper,
                       .process = strdup(run->process),
                       .wake = fcntl(run->wake, F_DUPFD_CLOEXEC, 0),
                       .users = 2};
    if (!waiter->process) memory_exhausted(strlen(run->process));
    pthread_t thread;
    if (pthread_create(&thread, NULL, wait_for_end, waiter) == 0) {
        pthread_detach(thread);
        return waiter;
    }
    waiter->users = 1;
    waiter_drop(waiter);
    return NULL;
}

static bool flag(const bool *value)
{
    return __atomic_load_n(value, __ATOMIC_ACQUIRE);
}

static void pump(TrainingRun *run, bool at_end)
{
    Error err = {0};
    for (bool more = true; more;)
        if (!log_pump(run, at_end, &more, &err)) {
            log_warning("training job '%.*s': %s", STR_ARG(run->name), err.text);
            return;
        }
}

static _Thread_local int64_t tree_bytes;

static int add_size(const char *path UNUSED, const struct stat *info, int type UNUSED,
                    struct FTW *at UNUSED)
{
    tree_bytes += (int64_t)info->st_blocks * 512;
    return 0;
}

/* Where no quota limits the disk, a look now and then does: VolumeSizeInGB counts what the program wrote. */
static bool too_much_written(TrainingRun *run)
{
    static const char *const folders[] = {"model", "output", "checkpoints", "log"};
    ARENA(scratch);
    const Json *config = json_get(run->job, "ResourceConfig"),
               *group = json_at(json_get(config, "InstanceGroups"), 0);
    int64_t most = json_get_int(config, "VolumeSizeInGB", 0);
    if (most <= 0 || group) return false;
    tree_bytes = 0;
    for (size_t i = 0; i < COUNT(folders); i++)
        nftw(path_join(&scratch, run->folder, folders[i]), add_size, 32, FTW_PHYS);
    return tree_bytes > most << 30;
}

/* Until the program is gone; false when the server is to end first.  *ret_timed_out: MaxRuntime was reached. */
static bool watch(TrainingRun *run, bool *ret_timed_out)
{
    double limit = json_get_double(json_get(run->job, "StoppingCondition"), "MaxRuntimeInSeconds",
                                   TRAINING_RUNTIME_SECONDS),
           now = clock_wall(), deadline = run->started + limit,
           next_sync = now + CHECKPOINT_SECONDS, next_look = now + DISK_SECONDS;
    bool stopping = false;
    int wait = PUMP_MS;
    *ret_timed_out = false;
    Waiter *waiter = waiter_start(run);
    if (!waiter) {
        log_error("training job '%.*s': no thread to wait for it", STR_ARG(run->name));
        return false;
    }
    while (!flag(&waiter->over) && !flag(&waiter->failed) && !flag(&run->closing)) {
        struct pollfd polled = {run->wake, POLLIN, 0};
        if (poll(&polled, 1, wait) == 1) {
            eventfd_t count;
            eventfd_read(run->wake, &count);
        }
        int64_t before = log_position(run);
        pump(run, false);
        /* Lines come at once where they come often; a silent program costs nothing. */
        wait = log_position(run) != before ? PUMP_MS : MIN(wait + 5, PUMP_SLOW_MS);
        now = clock_wall();
        bool late = now >= deadline;
        if (!stopping && (late || flag(&run->stop_asked))) {
            Error err = {0};
            stopping = true;
            *ret_timed_out = late && !flag(&run->stop_asked);
            log_say(run, *ret_timed_out ? "MaxRuntimeInSeconds is reached: the program gets SIGTERM"
                                        : "stopping: the program gets SIGTERM");
            if (!keeper_stop(run->server->keeper, run->process, -1, &err) &&
                err.kind != ERROR_NOT_FOUND)
                log_warning("training job '%.*s': %s", STR_ARG(run->name), err.text);
        }
        if (now >= next_look && !run->disk_full) {
            next_look = now + DISK_SECONDS;
            if (too_much_written(run)) {
                Error err = {0};
                run->disk_full = true;
                log_say(run, "the program wrote more than VolumeSizeInGB and is killed");
                keeper_stop(run->server->keeper, run->process, 0, &err);
            }
        }
        if (now >= next_sync) {
            Error err = {0};
            if (!output_sync_checkpoints(run, false, &err)) log_say(run, "%s", err.text);
            next_sync = clock_wall() + CHECKPOINT_SECONDS;
        }
        if (run->renew_at > 0 && now >= run->renew_at) credentials_renew(run);
    }
    bool over = flag(&waiter->over);
    if (over) run->exit = waiter->exit;
    waiter_drop(waiter);
    if (over) pump(run, true);
    return over;
}

/* ---- the steps ---- */

static bool write_exit(TrainingRun *run, bool timed_out, Error *err)
{
    ARENA(arena);
    Json *end = json_new_object(&arena);
    json_set_bool(&arena, end, "exited", run->exit.exited);
    json_set_int(&arena, end, "status", run->exit.status);
    json_set_int(&arena, end, "signal", run->exit.signal);
    json_set_bool(&arena, end, "out_of_memory", run->exit.out_of_memory);
    json_set_bool(&arena, end, "timed_out", timed_out);
    /* For the next server after a crash; after a power cut the model may be half written. */
    Str text = json_text(&arena, end);
    const char *path = path_join(&arena, run->folder, "exit.json");
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) return error_sys(err, errno, "making '%s'", path);
    return fd_write(fd, text, path, err);
}

static bool read_exit(TrainingRun *run, bool *ret_timed_out)
{
    Error err = {0};
    Str text;
    const Json *end;
    const char *path = path_join(&run->arena, run->folder, "exit.json");
    if (!file_exists(path) || !file_read(path, 4096, &run->arena, &text, &err) ||
        !json_parse(text, &run->arena, &end, &err))
        return false;
    run->exit = (ProcessExit){.exited = json_get_bool(end, "exited", false),
                              .status = (int)json_get_int(end, "status", 1),
                              .signal = (int)json_get_int(end, "signal", 0),
                              .out_of_memory = json_get_bool(end, "out_of_memory", false)};
    *ret_timed_out = json_get_bool(end, "timed_out", false);
    return true;
}

static void finish(TrainingRun *run, bool timed_out)
{
    Error err = {0};
    Json *members = json_new_object(&run->arena);
    bool good = run->exit.exited && run->exit.status == 0 && !run->disk_full,
         stopped = flag(&run->stop_asked);
    if (!good) image_remove(run);
    log_say(run, "the program ended: peak memory %.0f MiB, %.2f s of processor time",
            (double)run->exit.peak_rss_bytes / 1048576.0, run->exit.cpu_seconds);
    if (!output_sync_checkpoints(run, true, &err)) log_say(run, "%s", err.text);
    if (!good && !stopped && !timed_out) {
        Str reason = failure_reason(run);
        json_set_text(&run->arena, members, "FailureReason", reason);
        end_job(run, "Failed", "Training job failed", "Failed", members);
        return;
    }
    Str uri;
    err = (Error){0};
    if ((!stopped &&
         !take_step(run, "Uploading", "Uploading generated training model", NULL, NULL, &err)) ||
        !output_upload(run, &uri, &err)) {
        error_in(&err, "%s: Data upload failed",
                 err.kind == ERROR_NOT_FOUND || err.kind == ERROR_INVALID ||
                         err.kind == ERROR_DENIED
                     ? "ClientError"
                     : "InternalServerError");
        fail_job(run, &err);
        return;
    }
    Json *artifacts = json_new_object(&run->arena);
    json_set_text(&run->arena, artifacts, "S3ModelArtifacts", uri);
    json_set(&run->arena, members, "ModelArtifacts", artifacts);
    if (stopped)
        end_job(run, "Stopped", "Training job stopped", "Stopped", members);
    else if (timed_out)
        end_job(run, "MaxRuntimeExceeded",
                "Training job runtime exceeded MaxRuntimeInSeconds provided", "Stopped", members);
    else
        end_job(run, "Completed", "Training job completed", "Completed", members);
}

/* True: the program runs. */
static bool begin(TrainingRun *run, Error *err)
{
    run->started = wall_ms();
    Json *members = json_new_object(&run->arena);
    json_set_double(&run->arena, members, "TrainingStartTime", run->started);
    if (!program_find(run, err) || !program_check(run, err)) return false;
    /* Downloading takes no time where objects are linked, but clients want to see it. */
    if (!take_step(run, "Downloading", "Downloading input data", NULL, members, err)) return false;
    nftw(run->folder, remove_entry, 32, FTW_DEPTH | FTW_PHYS); /* of an earlier try */
    if (!folder_make(run->folder, err) || !input_prepare(run, err) ||
        !output_restore_checkpoints(run, err) || !log_start(run, err) ||
        !input_start_pipes(run, err))
        return false;
    if (flag(&run->stop_asked) || flag(&run->closing)) return true;
    if (!program_start(run, err)) return false;
    if (take_step(run, "Training", "Training image download completed. Training in progress.", NULL,
                  NULL, err))
        return true;
    Error nothing = {0};
    keeper_stop(run->server->keeper, run->process, 0, &nothing);
    return false;
}

static bool lives(TrainingRun *run, Error *err, bool *ret_lives)
{
    Str *names;
    size_t n;
    *ret_lives = false;
    if (!keeper_children(run->server->keeper, &run->arena, &names, &n, err)) return false;
    for (size_t i = 0; i < n; i++) *ret_lives |= str_is(names[i], run->process);
    return true;
}

static bool load(TrainingRun *run, bool *ret_there, Error *err)
{
    Resource job;
    if (!resource_load(run->server, &training_job_kind, run->region, run->name, &run->arena, &job,
                       err))
        return false;
    *ret_there = job.document && (str_is(job.state, "InProgress") || str_is(job.state, "Stopping"));
    if (!*ret_there) return true;
    run->job = job.document;
    run->arn = job.arn;
    if (str_is(job.state, "Stopping")) __atomic_store_n(&run->stop_asked, true, __ATOMIC_RELEASE);
    run->started = json_get_double(job.document, "TrainingStartTime", 0);
    Error none = {0};
    run->has_role = access_role_caller(run->server, json_get_text(run->job, "RoleArn"),
                                       STR("SageMaker"), &run->arena, &run->role, &none);
    if (!run->has_role && none.kind != ERROR_NOT_FOUND)
        return error_set(err, none.kind, "%s", none.text);
    run->stream = arena_format(&run->arena, "%.*s/algo-1-%lld", STR_ARG(run->name),
                               (long long)job.created);
    return true;
}

static void drive(TrainingRun *run)
{
    Error err = {0};
    bool there, living = false, timed_out = false;
    if (!load(run, &there, &err)) {
        log_error("training job '%.*s': %s", STR_ARG(run->name), err.text);
        return;
    }
    if (!there) return;
    Str status = json_get_text(run->job, "SecondaryStatus");
    bool began = run->resumed && !str_is(status, "Starting") && !str_is(status, "Downloading");
    if (run->resumed && !lives(run, &err, &living)) {
        log_error("training job '%.*s': %s", STR_ARG(run->name), err.text);
        return;
    }
    if (living || began) {
        if (!program_find(run, &err) || !log_start(run, &err)) {
            fail_job(run, &err);
            return;
        }
        if (!living && !read_exit(run, &timed_out)) {
            if (flag(&run->stop_asked)) {
                Json *members = json_new_object(&run->arena);
                end_job(run, "Stopped", "Training job stopped", "Stopped", members);
                return;
            }
            pump(run, true);
            error_set(&err, ERROR_INTERNAL,
                      "InternalServerError: the server ended while the job ran, and the job's "
                      "process with it. Start the job again%s",
                      json_get(run->job, "CheckpointConfig")
                          ? "; it goes on from its last checkpoint"
                          : "; with a CheckpointConfig it would go on where it was");
            fail_job(run, &err);
            return;
        }
    } else if (flag(&run->stop_asked)) {
        end_job(run, "Stopped", "Training job stopped", "Stopped", json_new_object(&run->arena));
        return;
    } else if (!begin(run, &err)) {
        input_stop_pipes(run);
        fail_job(run, &err);
        return;
    } else {
        living = true;
        if (flag(&run->stop_asked) || flag(&run->closing)) { /* no program was started */
            bool runs;
            if (lives(run, &err, &runs) && !runs) {
                input_stop_pipes(run);
                if (flag(&run->stop_asked))
                    end_job(run, "Stopped", "Training job stopped", "Stopped",
                            json_new_object(&run->arena));
                return;
            }
        }
    }
    if (living && !watch(run, &timed_out)) {
        input_stop_pipes(run);
        return; /* the next server goes on */
    }
    input_stop_pipes(run);
    if (living && !write_exit(run, timed_out, &err)) {
        fail_job(run, &err);
        return;
    }
    finish(run, timed_out);
}

void *training_drive(void *arg)
{
    TrainingRun *run = arg;
    drive(run);
    training_done(run);
    return NULL;
}
