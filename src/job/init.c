/* clary-init: the first process of every child of the keeper.
 *
 * It gets its order over a socket, builds the sandbox around itself, starts the program, passes
 * SIGTERM on, takes in orphans, and reports how the program ended once the whole tree is gone.  In a
 * pid namespace it is process 1, so its end is the end of everything inside.
 *
 * A program of its own, linked statically and carried inside the keeper: it starts in a fraction of
 * a millisecond, needs no file of the host, and may fork and allocate as it likes. */

#include "job/init.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FIRST_OWN_FD = 16 }; /* descriptors below are for the program */

static int keeper = -1;

void init_fail(int code, const char *format, ...)
{
    Report report = {.kind = REPORT_FAILED, .code = code};
    va_list args;
    va_start(args, format);
    vsnprintf(report.text, sizeof report.text, format, args);
    va_end(args);
    packet_send(keeper, &report, sizeof report, NULL, 0);
    _exit(127);
}

static int above(int fd)
{
    if (fd < 0) return -1;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST_OWN_FD);
    if (moved < 0) init_fail(errno, "descriptors");
    close(fd);
    return moved;
}

static void receive(Init *init)
{
    int fds[PROCESS_MOUNTS_MAX + 8], n_fds;
    int64_t got = packet_receive(INIT_SOCKET, &init->order, sizeof init->order, fds,
                                 (int)COUNT(fds), &n_fds, 0);
    if (got == 0) _exit(0); /* the keeper gave up */
    if (got != (int64_t)sizeof init->order || n_fds < 1) _exit(126);
    keeper = INIT_SOCKET;
    for (int i = 0; i < n_fds; i++) fds[i] = above(fds[i]);
    keeper = above(INIT_SOCKET);

    Error err = {0};
    if (!spec_open(fds[0], &init->spec, &err)) init_fail(EINVAL, "%s", err.text);
    const SpecHead *head = init->spec.head;
    bool filtered = init->order.features & SANDBOX_SECCOMP;
    int wanted = 1 + filtered + head->has_output + head->has_status + head->has_listen;
    init->n_trees = n_fds - wanted;
    if (init->n_trees && init->n_trees != (int)head->n_mounts) init_fail(EINVAL, "descriptors");
    int at = 1;
    init->filter = filtered ? fds[at++] : -1;
    init->output = head->has_output ? fds[at++] : -1;
    init->status = head->has_status ? fds[at++] : -1;
    init->listen = head->has_listen ? fds[at++] : -1;
    for (int i = 0; i < init->n_trees; i++) init->trees[i] = fds[at + i];
    close(fds[0]);
}

/* ---- in the program's process, before its exec ---- */

static void place(int fd, int target, int pipe)
{
    if (fd < 0) {
        close(target);
    } else if (dup2(fd, target) < 0) {
        init_child_fail(pipe, "descriptor");
    }
}

static void limit(int pipe, int resource, int64_t most, const char *what)
{
    struct rlimit now, limits = {(rlim_t)most, (rlim_t)most};
    if (getrlimit(resource, &now) == 0 && now.rlim_max != RLIM_INFINITY &&
        limits.rlim_max > now.rlim_max)
        limits.rlim_cur = limits.rlim_max = now.rlim_max;
    if (setrlimit(resource, &limits) < 0) init_child_fail(pipe, what);
}

static void limits(const Init *init, int pipe)
{
    const SpecHead *head = init->spec.head;
    bool cgroup = init->order.features & SANDBOX_CGROUP;
    limit(pipe, RLIMIT_CORE, 0, "RLIMIT_CORE");
    limit(pipe, RLIMIT_NOFILE, PROCESS_FILES, "RLIMIT_NOFILE");
    if (head->file_bytes > 0) limit(pipe, RLIMIT_FSIZE, head->file_bytes, "RLIMIT_FSIZE");
    if (cgroup) return;
    /* Counted per user: only where the job has a user of its own is that its own number. */
    if (init->order.features & SANDBOX_IDMAP) limit(pipe, RLIMIT_NPROC, head->pids, "RLIMIT_NPROC");
    /* Private writable memory; RLIMIT_AS would also count what is only reserved. */
    if (head->memory_bytes > 0) limit(pipe, RLIMIT_DATA, head->memory_bytes, "RLIMIT_DATA");
}

/* Tells init, which sees the end of the pipe otherwise, why the program did not start. */
void init_child_fail(int pipe, const char *what)
{
    struct {
        int code;
        char what[60];
    } failure = {.code = errno};
    snprintf(failure.what, sizeof failure.what, "%s", what);
    if (write(pipe, &failure, sizeof failure) < 0) _exit(126);
    _exit(127);
}

static void become(const Init *init, int pipe)
{
    const Spec *spec = &init->spec;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setsid();
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (nothing < 0 || (nothing < FIRST_OWN_FD && (nothing = above(nothing)) < 0))
        init_child_fail(pipe, "/dev/null");
    place(nothing, 0, pipe);
    place(init->output >= 0 ? init->output : nothing, 1, pipe);
    place(init->output >= 0 ? init->output : nothing, 2, pipe);
    place(init->status, 3, pipe);
    place(init->listen, 4, pipe);
    /* All others are close-on-exec already; this also covers what a mistake left open. */
    syscall(SYS_close_range, 5U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);

    if (chdir(spec->folder) < 0) init_child_fail(pipe, "the working folder");
    limits(init, pipe);
    sandbox_enter(init, pipe);

    struct sigaction usual = {.sa_handler = SIG_DFL};
    for (int number = 1; number < NSIG; number++) sigaction(number, &usual, NULL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (!spec->argv[0][0]) _exit(0); /* a probe of the sandbox */
    execve(spec->argv[0], spec->argv, spec->env);
    init_child_fail(pipe, spec->argv[0]);
}

static pid_t start(const Init *init)
{
    int pipe[2];
    if (pipe2(pipe, O_CLOEXEC) < 0) init_fail(errno, "a pipe");
    pipe[1] = above(pipe[1]);
    pid_t pid = fork();
    if (pid < 0) init_fail(errno, "starting a process");
    if (pid == 0) become(init, pipe[1]);
    close(pipe[1]);
    struct {
        int code;
        char what[60];
    } failure;
    ssize_t got;
    do got = read(pipe[0], &failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    close(pipe[0]);
    if (got == (ssize_t)sizeof failure)
        init_fail(failure.code, "%.*s", (int)sizeof failure.what, failure.what);
    return pid;
}

/* ---- after the start ---- */

/* One SIGKILL for each child of ours; their children become ours as they die. */
static void kill_children(bool first_process)
{
    if (first_process) {
        kill(-1, SIGKILL);
        return;
    }
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) return;
    text[n] = 0;
    for (char *at = text, *end; *at; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at) return;
        if (pid > 1) kill((pid_t)pid, SIGKILL);
    }
}

static void end_tree(pid_t program, bool first_process)
{
    if (!first_process) kill(-program, SIGKILL);
    for (;;) {
        kill_children(first_process);
        pid_t gone = waitpid(-1, NULL, WNOHANG);
        if (gone < 0) return;
        if (gone == 0) usleep(200);
    }
}

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + 1e-6 * (double)t.tv_usec;
}

static void watch(pid_t program, int signals, bool first_process)
{
    Report report = {.kind = REPORT_ENDED};
    bool over = false;
    while (!over) {
        struct pollfd polled[] = {{signals, POLLIN, 0}, {keeper, POLLIN, 0}};
        if (poll(polled, 2, -1) < 0 && errno != EINTR) break;
        if (polled[1].revents) kill(program, SIGKILL); /* asked to, or the keeper is gone */
        if (polled[1].revents & POLLHUP) break;
        if (polled[1].revents & POLLIN) {
            char order;
            if (recv(keeper, &order, 1, MSG_DONTWAIT) <= 0) break;
        }
        struct signalfd_siginfo info;
        while (read(signals, &info, sizeof info) == (ssize_t)sizeof info)
            if (info.ssi_signo != SIGCHLD) kill(program, (int)info.ssi_signo);
        int status;
        for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
            if (pid == program) {
                over = true;
                report.exit.exited = WIFEXITED(status);
                report.exit.status = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
                report.exit.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
            }
    }
    end_tree(program, first_process);
    struct rusage usage;
    getrusage(RUSAGE_CHILDREN, &usage);
    report.exit.peak_rss_bytes = (int64_t)usage.ru_maxrss * 1024;
    report.exit.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    if (over) packet_send(keeper, &report, sizeof report, NULL, 0);
}

int main(void)
{
    static Init init;
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, NULL);
    umask(077);
    receive(&init);
    prctl(PR_SET_NAME, "clary-init");
    prctl(PR_SET_DUMPABLE, 0);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    bool first_process = getpid() == 1;
    int signals = above(signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK));
    sandbox_build(&init);

    pid_t program = start(&init);
    Report started = {.kind = REPORT_STARTED};
    packet_send(keeper, &started, sizeof started, NULL, 0);
    /* Only the keeper's socket and the signals are needed from here on. */
    for (int fd = 0; fd < FIRST_OWN_FD; fd++) close(fd);
    if (init.output >= 0) close(init.output);
    if (init.status >= 0) close(init.status);
    if (init.listen >= 0) close(init.listen);
    watch(program, signals, first_process);
    return 0;
}
