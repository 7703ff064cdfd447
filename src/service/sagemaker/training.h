#ifndef CLARY_SERVICE_SAGEMAKER_TRAINING_H
#define CLARY_SERVICE_SAGEMAKER_TRAINING_H

/* Training jobs: operations, queue and drivers.
 *
 * A job's document is the create request plus what happened.  A driver thread per running job takes it
 * through Starting, Downloading, Training, Uploading; what it needs to go on after a crash is in the
 * document and in the job's folder, HOME/jobs/training-job/REGION/NAME/:
 *
 *     input/ model/ output/ checkpoints/ code/ program/ tmp/    what the program sees below /opt/ml
 *     log          standard output and error of the program
 *     log.at       how much of it is in CloudWatch Logs
 *     exit.json    how the program ended
 */

#include "service/iam/access.h"
#include "service/resource.h"
#include "service/s3/objects.h"

extern const ResourceKind training_job_kind;
extern const ServiceOperation training_operations[];

bool training_open(Server *server, Error *err); /* goes on with the jobs that are under way */
void training_close(Server *server);
bool training_reset(Server *server, Error *err); /* ends all jobs without a trace */

void training_status(Server *server, JsonWriter *out);
void training_page(Server *server, Page *page);

/* ---- inside, shared by the files training*.c ---- */

enum {
    TRAINING_FAILURE_MAX = 1024,     /* bytes of FailureReason */
    TRAINING_QUEUE_MAX = 100000,     /* jobs that wait for a slot */
    TRAINING_OBJECTS_MAX = 1000000,  /* of one channel */
    TRAINING_METRICS_MAX = 128,      /* metric definitions of one job */
    TRAINING_GRACE_SECONDS = 120,    /* from SIGTERM to SIGKILL */
    TRAINING_RUNTIME_SECONDS = 86400 /* MaxRuntimeInSeconds when it was not given */
};

typedef enum ProgramKind {
    PROGRAM_BUILT_IN, /* clary-train */
    PROGRAM_SCRIPT,   /* script mode: the host's Python */
    PROGRAM_FOLDER,   /* a program in S3 that keeps to the container contract */
    PROGRAM_IMAGE,    /* an OCI image */
} ProgramKind;

typedef struct Program {
    ProgramKind kind;
    const Json *algorithm; /* PROGRAM_BUILT_IN: its entry of clary-train --describe */
    Str framework;         /* PROGRAM_SCRIPT: "sklearn", the module that must be importable */
    Str image;
} Program;

typedef struct TrainingRun {
    Server *server;
    struct Training *training;
    Arena arena; /* as long as the run */
    Str region, name, arn, stream;
    const Json *job;              /* the document as it was at the start of the run */
    const char *folder, *process; /* process: name at the keeper */
    Program program;
    bool
        has_role; /* false: only the root user may name a role that does not exist, and gets no less */
    Caller role;
    int wake; /* eventfd: the program ended, or is asked to stop */
    bool resumed, disk_full;
    /* read and written with __atomic: */
    bool stop_asked, closing;
    ProcessExit exit;
    double started;  /* wall seconds: TrainingStartTime */
    double renew_at; /* the role's credentials; 0: there are none */
    struct TrainingLog *log;
    struct TrainingPipes *pipes;
    struct CheckpointSync *sync;
    struct TrainingRun *next; /* among the running */
} TrainingRun;

/* training_program.c */
/* What TrainingImage or AlgorithmName mean; INVALID when nothing here can run it, with the reason. */
bool program_find(TrainingRun *run, Error *err);
/* Hyperparameters and channels against the algorithm's table, in SageMaker's words. */
bool program_check(const TrainingRun *run, Error *err);
/* The metric definitions of the algorithm and of the request: [{Name, Regex}]. */
Json *program_metrics(TrainingRun *run);
/* The descriptions of clary-train, asked once. */
bool program_algorithms(Server *server, Arena *arena, const Json **ret_list, Error *err);

/* Runs a program of the host to its end and returns what it wrote; in the sandbox when `confined_to`
 * names the one folder that it needs. */
bool program_ask(Server *server, const char *const *argv, const char *confined_to, size_t max_bytes,
                 Arena *arena, Str *ret_text, Error *err);

/* training_image.c */
bool image_engine(Server *server);   /* true when podman or docker works here */
void image_remove(TrainingRun *run); /* the job's container, if it is an image and still there */

/* training_input.c */
/* Channels that hold programs, which scripts make executable: copies, and writable in script mode. */
extern const char *const input_code_channels[2];
bool input_prepare(TrainingRun *run, Error *err);     /* files of all channels, configurations */
bool input_start_pipes(TrainingRun *run, Error *err); /* before the program starts */
void input_stop_pipes(TrainingRun *run);
/* Objects below an address as files below a folder. */
bool input_fetch(TrainingRun *run, Str uri, const char *folder, bool may_link, Error *err);

/* One object that the job's role may read. */
bool input_object(TrainingRun *run, Str uri, S3Object *ret_object, Error *err);

/* training_start.c */
/* This machine's Python, for scripts: CLARY_PYTHON, else the first python3 of the PATH.  Asked once. */
typedef struct Python {
    bool known, found;
    Str program;       /* sys.executable */
    const Json *paths; /* folders it needs */
    const Json
        *modules; /* of those that frameworks' images are known by: "sklearn", "torch", ... */
} Python;
bool find_python(Server *server, Python *ret_python, Error *err);
bool program_start(TrainingRun *run, Error *err);
void credentials_renew(TrainingRun *run); /* and sets renew_at */

/* training_log.c */
bool log_start(TrainingRun *run, Error *err);
bool log_pump(TrainingRun *run, bool at_end, bool *ret_more,
              Error *err); /* file -> logs, metrics */
void log_say(TrainingRun *run, const char *format, ...) PRINTF_LIKE(2, 3); /* a line of ours */
Str log_last(TrainingRun *run, int n_lines);  /* of the program's output, in the run's arena */
int64_t log_position(const TrainingRun *run); /* bytes taken over */
/* A text that each match of an expression holds, or "" when that is not sure. */
Str log_literal(Str pattern);
Json *log_final_metrics(const TrainingRun *run, Arena *arena);
void log_free(struct TrainingLog *log);

/* training_run.c */
void *training_drive(void *arg); /* a thread's function; ends with training_done */
void training_done(TrainingRun *run);

/* training_input.c: may the job's role do that?  DENIED (rule Z2). */
bool role_may(TrainingRun *run, const char *action, Str bucket, Str key, Error *err);

/* training_output.c */
bool output_upload(TrainingRun *run, Str *ret_model_uri, Error *err);
bool output_sync_checkpoints(TrainingRun *run, bool at_end, Error *err);
bool output_restore_checkpoints(TrainingRun *run, Error *err);

static inline bool training_stopping(const TrainingRun *run)
{
    return __atomic_load_n(&run->stop_asked, __ATOMIC_ACQUIRE) ||
           __atomic_load_n(&run->closing, __ATOMIC_ACQUIRE);
}

#endif
