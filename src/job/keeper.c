/* The server's side of the keeper: requests over a packet socket, answers by a thread that reads.
 *
 * keeper_split forks before anything else exists: the parent becomes the keeper and has nothing in
 * its memory worth stealing, the child becomes the server, again after each crash.  keeper_local
 * runs the same loop in a thread. */

#include "job/keeper.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    RESTART_FIRST_MS = 100, /* doubling up to ... (rule E1) */
    RESTART_MOST_MS = 30000,
    HEALTHY_SECONDS =
        1, /* a server that lived so long has started well: it starts anew at RESTART_FIRST_MS */
    END_SECONDS = 10, /* for children when the server ended on purpose */
};

typedef struct Pending {
    uint64_t id;
    bool done;
    Reply reply;
    int fd; /* that came with the reply */
    struct Pending *next;
} Pending;

struct Keeper {
    int socket;
    pthread_mutex_t lock;
    pthread_cond_t answered;
    Pending *pending;
    uint64_t last_id;
    bool lost; /* the keeper is gone */
    int n_asking;
    pthread_t reader, loop;
    bool local;
    int local_end;
    Nursery *nursery; /* of keeper_local */
};

static void *read_replies(void *arg)
{
    Keeper *keeper = arg;
    Reply answer;
    for (;;) {
        int fd = -1, n_fds = 0;
        int64_t got = packet_receive(keeper->socket, &answer, sizeof answer, &fd, 1, &n_fds, 0);
        if (got != (int64_t)sizeof answer) break;
        pthread_mutex_lock(&keeper->lock);
        Pending *pending = keeper->pending;
        while (pending && pending->id != answer.id) pending = pending->next;
        if (pending) {
            pending->reply = answer;
            pending->done = true;
            pending->fd = n_fds ? fd : -1;
        } else if (n_fds) {
            close(fd);
        }
        pthread_cond_broadcast(&keeper->answered);
        pthread_mutex_unlock(&keeper->lock);
    }
    pthread_mutex_lock(&keeper->lock);
    keeper->lost = true;
    pthread_cond_broadcast(&keeper->answered);
    pthread_mutex_unlock(&keeper->lock);
    return NULL;
}

static bool ask(Keeper *keeper, Ask *question, const int *fds, int n_fds, Reply *ret_reply,
                int *ret_fd, Error *err)
{
    Pending pending = {.fd = -1};
    pthread_mutex_lock(&keeper->lock);
    keeper->n_asking++;
    question->id = pending.id = ++keeper->last_id;
    pending.next = keeper->pending;
    keeper->pending = &pending;
    bool sent = !keeper->lost &&
                packet_send(keeper->socket, question, sizeof *question, fds, n_fds);
    int code = errno;
    while (sent && !pending.done && !keeper->lost)
        pthread_cond_wait(&keeper->answered, &keeper->lock);
    for (Pending **at = &keeper->pending; *at; at = &(*at)->next)
        if (*at == &pending) {
            *at = pending.next;
            break;
        }
    bool lost = keeper->lost;
    if (--keeper->n_asking == 0 && lost) pthread_cond_broadcast(&keeper->answered);
    pthread_mutex_unlock(&keeper->lock);
    if (!pending.done) {
        if (lost) return error_set(err, ERROR_CANCELLED, "the keeper of processes is gone");
        return error_sys(err, code, "asking the keeper of processes");
    }
    if (ret_fd)
        *ret_fd = pending.fd;
    else if (pending.fd >= 0)
        close(pending.fd);
    if (pending.reply.kind != ERROR_NONE)
        return error_set(err, pending.reply.kind, "%s", pending.reply.text);
    *ret_reply = pending.reply;
    return true;
}

static Keeper *keeper_new(int socket)
{
    Keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper) memory_exhausted(sizeof *keeper);
    keeper->socket = socket;
    keeper->local_end = -1;
    pthread_mutex_init(&keeper->lock, NULL);
    pthread_cond_init(&keeper->answered, NULL);
    return keeper;
}

static bool start_thread(pthread_t *thread, void *(*run)(void *), Keeper *keeper, Error *err)
{
    /* Signals are the main thread's. */
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int code = pthread_create(thread, NULL, run, keeper);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code == 0 || error_sys(err, code, "starting a thread");
}

static void *run_local(void *arg)
{
    Keeper *keeper = arg;
    nursery_run(keeper->nursery, keeper->local_end, -1, -1);
    nursery_end_all(keeper->nursery, 0);
    return NULL;
}

bool keeper_local(Keeper **ret_keeper, Error *err)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        return error_sys(err, errno, "making a socket pair");
    Keeper *keeper = keeper_new(sockets[0]);
    keeper->local = true;
    keeper->local_end = sockets[1];
    keeper->nursery = nursery_new();
    if (!start_thread(&keeper->loop, run_local, keeper, err)) abort();
    if (!start_thread(&keeper->reader, read_replies, keeper, err)) abort();
    *ret_keeper = keeper;
    return true;
}

void keeper_close(Keeper *keeper)
{
    if (!keeper) return;
    shutdown(keeper->socket, SHUT_RDWR);
    pthread_join(keeper->reader, NULL);
    pthread_mutex_lock(&keeper->lock);
    while (keeper->n_asking) pthread_cond_wait(&keeper->answered, &keeper->lock);
    pthread_mutex_unlock(&keeper->lock);
    if (keeper->local) {
        pthread_join(keeper->loop, NULL);
        nursery_free(keeper->nursery);
        close(keeper->local_end);
    }
    close(keeper->socket);
    pthread_mutex_destroy(&keeper->lock);
    pthread_cond_destroy(&keeper->answered);
    free(keeper);
}

/* ---- splitting ---- */

static volatile sig_atomic_t server_pid;
static volatile sig_atomic_t ending;

static void pass_on(int number, siginfo_t *info, void *context UNUSED)
{
    ending = 1;
    /* The terminal's Ctrl-C reaches the server by itself. */
    if (info->si_code == SI_KERNEL && number != SIGTERM) return;
    if (server_pid > 0) kill((pid_t)server_pid, number);
}

static void take_signals(void)
{
    struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);
    action = (struct sigaction){.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static void leave_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGQUIT, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

/* The keeper's life with one server; true when another one is to be started. */
static bool keep(Nursery *nursery, pid_t pid, int socket, int *ret_status)
{
    int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
    server_pid = pid;
    nursery_run(nursery, socket, pidfd, pid);
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) continue;
    server_pid = 0;
    if (pidfd >= 0) close(pidfd);
    *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (WIFEXITED(status) || ending) return false;
    log_warning("the server ended by signal %d; it is started again, %s", WTERMSIG(status),
                "jobs and model servers go on");
    return true;
}

static void pause_ms(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

bool keeper_split(int listen_fd UNUSED, Keeper **ret_keeper, Error *err)
{
    Nursery *nursery = nursery_new();
    int wait = RESTART_FIRST_MS, status = 1;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    take_signals();
    for (;;) {
        int sockets[2];
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
            return error_sys(err, errno, "making a socket pair");
        double began = clock_seconds();
        pid_t parent = getpid(), pid = fork();
        if (pid < 0) return error_sys(err, errno, "starting the server");
        if (pid == 0) {
            close(sockets[0]);
            leave_signals();
            nursery_forget(nursery);
            prctl(PR_SET_CHILD_SUBREAPER, 0);
            prctl(PR_SET_PDEATHSIG,
                  SIGKILL); /* a server without a keeper could start and end nothing */
            if (getppid() != parent) _exit(1);
            Keeper *keeper = keeper_new(sockets[1]);
            if (!start_thread(&keeper->reader, read_replies, keeper, err)) return false;
            *ret_keeper = keeper;
            return true;
        }
        close(sockets[1]);
        bool again = keep(nursery, pid, sockets[0], &status);
        close(sockets[0]);
        if (!again) break;
        if (clock_seconds() - began >= HEALTHY_SECONDS) wait = RESTART_FIRST_MS;
        pause_ms(wait);
        wait = MIN(2 * wait, RESTART_MOST_MS);
    }
    nursery_end_all(nursery, END_SECONDS);
    nursery_free(nursery);
    _exit(status);
}

/* ---- requests ---- */

static bool open_output(const ProcessSpec *spec, int *ret_fd, Error *err)
{
    *ret_fd = open(spec->output, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    return *ret_fd >= 0 ||
           error_sys(err, errno, "opening '%s' for a process's output", spec->output);
}

static Ask question(AskKind kind, const char *name, double seconds)
{
    Ask ask = {.kind = kind, .seconds = seconds};
    snprintf(ask.name, sizeof ask.name, "%s", name);
    return ask;
}

bool keeper_start(Keeper *keeper, const ProcessSpec *spec, int *ret_pid, Error *err)
{
    AUTO_FD int packed = -1;
    AUTO_FD int output = -1;
    int fds[4], n = 0;
    if (!spec_pack(spec, &packed, err)) return false;
    fds[n++] = packed;
    if (spec->output) {
        if (!open_output(spec, &output, err)) return false;
        fds[n++] = output;
    } else if (spec->output_fd >= 0) {
        fds[n++] = spec->output_fd;
    }
    if (spec->status_fd >= 0) fds[n++] = spec->status_fd;
    if (spec->listen_fd >= 0) fds[n++] = spec->listen_fd;
    Ask start = question(ASK_START, spec->name, 0);
    Reply answer;
    if (!ask(keeper, &start, fds, n, &answer, NULL, err)) return false;
    if (ret_pid) *ret_pid = answer.pid;
    return true;
}

bool keeper_wait(Keeper *keeper, const char *name, ProcessExit *ret_exit, Error *err)
{
    Ask wait = question(ASK_WAIT, name, 0);
    Reply answer;
    if (!ask(keeper, &wait, NULL, 0, &answer, NULL, err)) return false;
    *ret_exit = answer.exit;
    return true;
}

bool keeper_stop(Keeper *keeper, const char *name, double stop_seconds, Error *err)
{
    Ask stop = question(ASK_STOP, name, stop_seconds);
    Reply answer;
    return ask(keeper, &stop, NULL, 0, &answer, NULL, err);
}

bool keeper_children(Keeper *keeper, Arena *arena, Str **ret_names, size_t *ret_n, Error *err)
{
    Ask list = question(ASK_LIST, "", 0);
    Reply answer;
    AUTO_FD int fd = -1;
    if (!ask(keeper, &list, NULL, 0, &answer, &fd, err)) return false;
    struct stat info;
    if (fd < 0 || fstat(fd, &info) < 0 || info.st_size > CHILDREN_MAX * (PROCESS_NAME_MAX + 1))
        return error_set(err, ERROR_INTERNAL, "a malformed list of processes");
    char *bytes = arena_alloc(arena, (size_t)info.st_size + 1);
    ssize_t got = pread(fd, bytes, (size_t)info.st_size, 0);
    if (got != info.st_size) return error_sys(err, errno, "reading the list of processes");
    Str *names = arena_array(arena, Str, CHILDREN_MAX);
    size_t n = 0;
    for (const char *at = bytes; at < bytes + got && n < CHILDREN_MAX; at += names[n - 1].len + 1)
        names[n++] = str_of(at);
    *ret_names = names;
    *ret_n = n;
    return true;
}

/* ---- about ---- */

static void about_once(SandboxAbout *ret_about)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static SandboxAbout about;
    static bool known;
    pthread_mutex_lock(&lock);
    if (!known) {
        AUTO(nursery_free) Nursery *nursery = nursery_new();
        about = *nursery_sandbox(nursery);
        known = true;
    }
    *ret_about = about;
    pthread_mutex_unlock(&lock);
}

bool sandbox_features(unsigned *ret_features, Error *err UNUSED)
{
    SandboxAbout about;
    about_once(&about);
    *ret_features = about.features;
    return true;
}

bool sandbox_about(Arena *arena, Str *ret_text, Error *err UNUSED)
{
    SandboxAbout about;
    about_once(&about);
    unsigned features = about.features;
    const char *yes = "yes", *no = "no", *landlock = no;
    if (features & SANDBOX_LANDLOCK)
        landlock = arena_format(arena, "yes, version %d", about.landlock_abi).ptr;
    *ret_text = arena_format(
        arena,
        "user namespaces: %s\nmount and process namespaces: %s\nnetwork namespaces: %s\n"
        "a user of its own for each job: %s\ncgroups: %s\nLandlock: %s\nseccomp: %s\n"
        "users' programs: %s\n",
        features & SANDBOX_USER ? yes : no, features & SANDBOX_NAMESPACES ? yes : no,
        features & SANDBOX_NETWORK ? yes : no, features & SANDBOX_IDMAP ? yes : no, about.cgroups,
        landlock, features & SANDBOX_SECCOMP ? yes : no,
        sandbox_confines(features) ? "confined" : "refused unless started with --allow-unconfined");
    return true;
}
