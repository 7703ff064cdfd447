/* Starting, watching and ending children: the keeper's own thread.
 *
 * One poll loop.  A child is init (init.c) in new namespaces: the keeper clones itself, maps the
 * child's user, and the child becomes init by an exec from memory; orders and reports are packets
 * on a socket pair.  Nothing here waits for a child, so a slow start holds up nobody. */

#include "job/nursery.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "job/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Host users for jobs when the server is root: a range that no distribution hands out. */
enum { JOB_USER_FIRST = 0x70000000, JOB_USERS = 1 << 20 };
enum { PROBE_MS = 3000 };

#define SANDBOX_CLONES (SANDBOX_USER | SANDBOX_NAMESPACES | SANDBOX_NETWORK)

typedef struct Child {
    char name[PROCESS_NAME_MAX + 1], group[32];
    pid_t pid;
    int pidfd, socket;
    bool starting, reported, gone, stopping, has_group;
    uint64_t start_id; /* who is told that it runs */
    uint64_t *waiters;
    size_t n_waiters;
    double stop_seconds, kill_at; /* kill_at 0: not planned */
    ProcessExit exit;
    bool failed; /* did not start, for this reason: */
    int failure_code;
    char failure[sizeof((Report){0}.text)];
} Child;

struct Nursery {
    Child *children[CHILDREN_MAX];
    int n_children;
    struct pollfd polled[2 * CHILDREN_MAX + 4];
    int server;
    int image;  /* init's program */
    int filter; /* -1: none made */
    uint32_t filter_bytes;
    bool probed;
    SandboxAbout about;
    Cgroups cgroups;
    uint64_t n_started;
};

extern const unsigned char init_image[], init_image_end[]; /* init_image.S */

static int image_open(void)
{
    size_t size = (size_t)(init_image_end - init_image);
    int fd = memfd_create("clary-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x10 /* MFD_EXEC */);
    if (fd < 0 && errno == EINVAL) fd = memfd_create("clary-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return -1;
    Error err = {0};
    if (!fd_write(fd, (Str){(const char *)init_image, size}, "init", &err)) {
        close(fd);
        return -1;
    }
    fchmod(fd, 0555);
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    return fd;
}

Nursery *nursery_new(void)
{
    Nursery *nursery = calloc(1, sizeof *nursery);
    if (!nursery) memory_exhausted(sizeof *nursery);
    nursery->image = image_open();
    nursery->filter = -1;
    nursery->server = -1;
    return nursery;
}

/* ---- starting ---- */

typedef struct Started {
    pid_t pid;
    int pidfd, socket;
} Started;

static bool write_proc(pid_t pid, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    bool good = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    int code = errno;
    close(fd);
    errno = code;
    return good;
}

static bool write_own(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

/* The texts that map the job's user; made before the clone. */
typedef struct UserMap {
    char users[32], groups[32];
} UserMap;

/* The child between clone and exec: system calls only, since other threads may have held locks. */
static void become_init(const Nursery *nursery, int socket, unsigned features, const UserMap *map)
{
    static char name[] = "clary-init", *const argv[] = {name, NULL};
    static char *const env[] = {NULL};
    char go;
    if ((features & SANDBOX_USER) && !(features & SANDBOX_IDMAP)) {
        /* One's own user may be mapped by oneself, but /proc/self is root's in a process that must
         * not be dumped, as servers are. */
        prctl(PR_SET_DUMPABLE, 1);
        write_own("/proc/self/setgroups", "deny");
        if (!write_own("/proc/self/uid_map", map->users) ||
            !write_own("/proc/self/gid_map", map->groups))
            _exit(124);
    }
    if (read(socket, &go, 1) != 1) _exit(0);
    if ((features & SANDBOX_USER) &&
        (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0))
        _exit(125);
    if (syscall(SYS_dup3, socket, INIT_SOCKET, 0) < 0) {
        if (socket != INIT_SOCKET) _exit(125);
        syscall(SYS_fcntl, socket, F_SETFD, 0);
    }
    syscall(SYS_execveat, nursery->image, "", argv, env, AT_EMPTY_PATH);
    _exit(125);
}

static bool map_user(pid_t pid, const UserMap *map, Error *err)
{
    return (write_proc(pid, "uid_map", map->users) && write_proc(pid, "gid_map", map->groups)) ||
           error_sys(err, errno, "mapping the job's user");
}

static bool clone_init(Nursery *nursery, unsigned features, uint32_t user, Started *ret, Error *err)
{
    int sockets[2], pidfd = -1;
    if (nursery->image < 0) return error_set(err, ERROR_IO, "the keeper could not load its helper");
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
        return error_sys(err, errno, "making a socket pair");
    CloneArguments arguments = {
        .flags = CLONE_PIDFD,
        .pidfd = (uint64_t)(uintptr_t)&pidfd,
        .exit_signal = SIGCHLD,
    };
    if (features & SANDBOX_USER) arguments.flags |= CLONE_NEWUSER;
    if (features & SANDBOX_NAMESPACES)
        arguments.flags |= CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                           CLONE_NEWCGROUP;
    if (features & SANDBOX_NETWORK) arguments.flags |= CLONE_NEWNET;
    bool own = features & SANDBOX_IDMAP;
    UserMap map;
    snprintf(map.users, sizeof map.users, "0 %u 1", own ? user : geteuid());
    snprintf(map.groups, sizeof map.groups, "0 %u 1", own ? user : getegid());
    pid_t pid = (pid_t)syscall(SYS_clone3_, &arguments, sizeof arguments);
    if (pid == 0) {
        close(sockets[0]);
        become_init(nursery, sockets[1], features, &map);
    }
    int code = errno;
    close(sockets[1]);
    if (pid < 0) {
        close(sockets[0]);
        return error_sys(err, code, "cloning a process");
    }
    *ret = (Started){pid, pidfd, sockets[0]};
    if (own && !map_user(pid, &map, err)) {
        close(sockets[0]); /* the child reads the end and exits */
        close(pidfd);
        waitpid(pid, NULL, 0);
        return false;
    }
    return true;
}

/* The mounts of a job, seen with its own user as owner: only the host's root can make these. */
static bool open_trees(const Spec *spec, pid_t pid, int *trees, Error *err)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
    AUTO_FD int user = open(path, O_RDONLY | O_CLOEXEC);
    if (user < 0) return error_sys(err, errno, "opening a user namespace");
    for (uint32_t i = 0; i < spec->head->n_mounts; i++) {
        MountAttributes attributes = {.set = MOUNT_IDMAP_, .user_fd = (uint64_t)user};
        trees[i] = (int)syscall(SYS_open_tree_, AT_FDCWD, spec->from[i],
                                OPEN_TREE_CLONE_ | O_CLOEXEC);
        if (trees[i] < 0) return error_sys(err, errno, "opening '%s' for a mount", spec->from[i]);
        if (syscall(SYS_mount_setattr_, trees[i], "", AT_EMPTY_PATH, &attributes,
                    sizeof attributes) < 0)
            return error_sys(err, errno, "mapping the owners in '%s'", spec->from[i]);
    }
    return true;
}

static bool order_init(Nursery *nursery, const Started *started, const Spec *spec, int spec_fd,
                       const int *given, int n_given, unsigned features, Error *err)
{
    int fds[PROCESS_MOUNTS_MAX + 8], n = 0;
    InitOrder order = {features, nursery->about.landlock_abi, nursery->filter_bytes};
    fds[n++] = spec_fd;
    if (features & SANDBOX_SECCOMP) fds[n++] = nursery->filter;
    for (int i = 0; i < n_given; i++) fds[n++] = given[i];
    int first_tree = n;
    bool good = true;
    if ((features & SANDBOX_IDMAP) && spec->head->n_mounts) {
        for (uint32_t i = 0; i < spec->head->n_mounts; i++) fds[n++] = -1;
        good = open_trees(spec, started->pid, fds + first_tree, err);
    }
    if (good && (!packet_send(started->socket, "g", 1, NULL, 0) ||
                 !packet_send(started->socket, &order, sizeof order, fds, n)))
        good = error_sys(err, errno, "ordering a process");
    for (int i = first_tree; i < n; i++)
        if (fds[i] >= 0) close(fds[i]);
    return good;
}

/* ---- what works here ---- */

static const struct {
    unsigned bit;
    const char *name;
} feature_names[] = {
    {SANDBOX_USER, "user"},       {SANDBOX_NAMESPACES, "namespaces"},
    {SANDBOX_NETWORK, "network"}, {SANDBOX_LANDLOCK, "landlock"},
    {SANDBOX_SECCOMP, "seccomp"}, {SANDBOX_CGROUP, "cgroups"},
    {SANDBOX_IDMAP, "idmap"},
};

/* Bits that CLARY_SANDBOX="no-user,no-landlock,..." switches off. */
static unsigned switched_off(void)
{
    unsigned off = 0;
    Str rest = str_of(getenv("CLARY_SANDBOX")), part;
    while (rest.ptr && str_next(&rest, ',', &part)) {
        if (!str_starts(part, STR("no-"))) continue;
        for (size_t i = 0; i < COUNT(feature_names); i++)
            if (str_is(str_from(part, 3), feature_names[i].name)) off |= feature_names[i].bit;
    }
    return off;
}

/* Builds a sandbox for nothing and says whether that worked. */
static bool try_features(Nursery *nursery, unsigned features)
{
    static const char *const nothing[] = {"", NULL};
    Mount mount = {"/usr", "/opt/ml/input", false};
    ProcessSpec asked = {.name = "probe",
                         .argv = nothing,
                         .env = nothing + 1,
                         .folder = "/",
                         .output_fd = -1,
                         .status_fd = -1,
                         .listen_fd = -1,
                         .mounts = &mount,
                         .n_mounts = 1,
                         .confined = true,
                         .isolated = features & SANDBOX_NETWORK};
    Error err = {0};
    Spec spec = {0};
    Started started;
    AUTO_FD int fd = -1;
    bool works = false;
    if (!spec_pack(&asked, &fd, &err) || !spec_open(fd, &spec, &err)) return false;
    if (clone_init(nursery, features, JOB_USER_FIRST, &started, &err)) {
        Report report = {.kind = REPORT_FAILED};
        if (order_init(nursery, &started, &spec, fd, NULL, 0, features, &err)) {
            struct pollfd polled = {started.socket, POLLIN, 0};
            if (poll(&polled, 1, PROBE_MS) == 1)
                packet_receive(started.socket, &report, sizeof report, NULL, 0, NULL, MSG_DONTWAIT);
            works = report.kind == REPORT_STARTED;
        }
        if (!works)
            log_debug("sandbox without %x: %s %s", features, err.text,
                      report.kind == REPORT_FAILED ? report.text : "");
        close(started.socket);
        kill(started.pid, SIGKILL);
        close(started.pidfd);
        waitpid(started.pid, NULL, 0);
    }
    spec_close(&spec);
    return works;
}

static void probe(Nursery *nursery)
{
    if (nursery->probed) return;
    nursery->probed = true;
    unsigned on = ~switched_off(), found = 0;
    Error err = {0};

    int abi = (int)syscall(SYS_landlock_create_ruleset_, NULL, 0, 1 /* the version */);
    if (abi > 0 && (on & SANDBOX_LANDLOCK)) {
        nursery->about.landlock_abi = abi;
        found |= SANDBOX_LANDLOCK;
    }
    if ((on & SANDBOX_SECCOMP) && filter_make(&nursery->filter, &nursery->filter_bytes, &err))
        found |= SANDBOX_SECCOMP;
    bool root = geteuid() == 0;
    unsigned ways[] = {
        SANDBOX_CLONES | (root ? SANDBOX_IDMAP : 0), SANDBOX_CLONES,
        SANDBOX_USER | SANDBOX_NAMESPACES,
        SANDBOX_NAMESPACES | SANDBOX_NETWORK, /* root's own namespaces */
    };
    for (size_t i = 0; i < COUNT(ways); i++) {
        unsigned way = ways[i] & on;
        if (!(way & SANDBOX_NAMESPACES) || (!(way & SANDBOX_USER) && !root)) continue;
        if (!(way & SANDBOX_USER)) way &= ~(unsigned)SANDBOX_IDMAP;
        if (!try_features(nursery, way)) continue;
        found |= way;
        break;
    }
    if (found & SANDBOX_SECCOMP && !try_features(nursery, found)) {
        close(nursery->filter);
        nursery->filter = -1;
        found &= ~(unsigned)SANDBOX_SECCOMP;
    }
    if (on & SANDBOX_CGROUP) cgroups_open(&nursery->cgroups);
    if (nursery->cgroups.version) found |= SANDBOX_CGROUP;
    snprintf(nursery->about.cgroups, sizeof nursery->about.cgroups, "%s",
             nursery->cgroups.version == 2   ? "v2"
             : nursery->cgroups.version == 1 ? "v1"
                                             : "no");
    nursery->about.features = found;
}

const SandboxAbout *nursery_sandbox(Nursery *nursery)
{
    probe(nursery);
    return &nursery->about;
}

/* ---- children ---- */

static Child *child_find(const Nursery *nursery, const char *name)
{
    for (int i = 0; i < nursery->n_children; i++)
        if (strcmp(nursery->children[i]->name, name) == 0) return nursery->children[i];
    return NULL;
}

static void child_free(Child *child)
{
    if (!child) return;
    if (child->socket >= 0) close(child->socket);
    if (child->pidfd >= 0) close(child->pidfd);
    free(child->waiters);
    free(child);
}

static void child_remove(Nursery *nursery, Child *child)
{
    for (int i = 0; i < nursery->n_children; i++)
        if (nursery->children[i] == child) {
            nursery->children[i] = nursery->children[--nursery->n_children];
            child_free(child);
            return;
        }
}

static void reply(const Nursery *nursery, const Reply *answer)
{
    if (nursery->server >= 0) packet_send(nursery->server, answer, sizeof *answer, NULL, 0);
}

static void reply_error(const Nursery *nursery, uint64_t id, const Error *err)
{
    Reply answer = {.id = id, .kind = err->kind};
    memcpy(answer.text, err->text, sizeof answer.text);
    reply(nursery, &answer);
}

static bool child_start(Nursery *nursery, uint64_t id, int spec_fd, const int *given, int n_given,
                        Error *err)
{
    Spec spec = {0};
    if (!spec_open(spec_fd, &spec, err)) return false;
    const SpecHead *head = spec.head;
    unsigned features = 0;
    bool good = true;
    if (n_given != head->has_output + head->has_status + head->has_listen)
        good = error_set(err, ERROR_INTERNAL, "a process specification with %d descriptors",
                         n_given);
    else if (child_find(nursery, spec.name))
        good = error_set(err, ERROR_CONFLICT, "a process named '%s' lives already", spec.name);
    else if (nursery->n_children == CHILDREN_MAX)
        good = error_set(err, ERROR_LIMIT, "%d processes live already", CHILDREN_MAX);
    if (good && (head->confined || head->memory_bytes > 0 || head->cpus > 0)) {
        probe(nursery);
        features = nursery->about.features;
        if (!head->confined) features &= SANDBOX_CGROUP;
        if (!head->isolated) features &= ~(unsigned)SANDBOX_NETWORK;
        if (head->confined && head->isolated && !(features & SANDBOX_NETWORK))
            good = error_set(err, ERROR_UNSUPPORTED,
                             "this machine cannot promise network isolation: it has no network "
                             "namespaces for us; 'clary doctor' says what is missing");
    }
    Started started;
    uint32_t user = JOB_USER_FIRST + (uint32_t)(nursery->n_started++ % JOB_USERS);
    if (good && (good = clone_init(nursery, features, user, &started, err))) {
        Child *child = calloc(1, sizeof *child);
        if (!child) memory_exhausted(sizeof *child);
        snprintf(child->name, sizeof child->name, "%s", spec.name);
        snprintf(child->group, sizeof child->group, "%llu", (unsigned long long)nursery->n_started);
        child->pid = started.pid;
        child->pidfd = started.pidfd;
        child->socket = started.socket;
        child->stop_seconds = head->stop_seconds;
        child->starting = true;
        child->start_id = id;
        good = true;
        if (features & SANDBOX_CGROUP) {
            child->has_group = true;
            good = cgroup_start(&nursery->cgroups, child->group, head, child->pid, err);
        }
        good = good && order_init(nursery, &started, &spec, spec_fd, given, n_given, features, err);
        if (good) {
            nursery->children[nursery->n_children++] = child;
        } else {
            kill(child->pid, SIGKILL);
            waitpid(child->pid, NULL, 0);
            if (child->has_group) cgroup_end(&nursery->cgroups, child->group);
            child_free(child);
        }
    }
    if (!good) error_in(err, "starting '%s'", spec.name);
    spec_close(&spec);
    return good;
}

/* The tree is gone: tells who waits. */
static void child_over(Nursery *nursery, Child *child)
{
    child->gone = true;
    child->kill_at = 0;
    if (child->has_group && cgroup_end(&nursery->cgroups, child->group))
        child->exit.out_of_memory = true;
    for (size_t i = 0; i < child->n_waiters; i++) {
        Reply answer = {.id = child->waiters[i], .pid = child->pid, .exit = child->exit};
        reply(nursery, &answer);
    }
    if (child->n_waiters) child_remove(nursery, child);
}

static void child_kill(Nursery *nursery, Child *child)
{
    /* init kills its tree, also where no namespace does it for us; a stuck init is killed later. */
    child->kill_at = 0;
    if (!packet_send(child->socket, "k", 1, NULL, 0) || child->stopping) {
        if (child->has_group) cgroup_kill(&nursery->cgroups, child->group);
        kill(child->pid, SIGKILL);
    }
    if (!child->stopping) child->kill_at = clock_seconds() + 2;
    child->stopping = true;
}

static void child_report(Nursery *nursery, Child *child)
{
    Report report;
    int64_t got = packet_receive(child->socket, &report, sizeof report, NULL, 0, NULL,
                                 MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got != (int64_t)sizeof report) {
        close(child->socket);
        child->socket = -1;
        return;
    }
    if (report.kind == REPORT_STARTED && child->starting) {
        Reply answer = {.id = child->start_id, .pid = child->pid};
        child->starting = false;
        reply(nursery, &answer);
    } else if (report.kind == REPORT_FAILED && child->starting) {
        report.text[sizeof report.text - 1] = 0;
        child->reported = child->failed = true;
        child->failure_code = report.code;
        memcpy(child->failure, report.text, sizeof child->failure);
    } else if (report.kind == REPORT_ENDED) {
        child->reported = true;
        child->exit = report.exit;
        child->exit.out_of_memory = false;
    }
}

static void child_ended(Nursery *nursery, Child *child)
{
    while (child->socket >= 0 && !child->reported) child_report(nursery, child);
    int status;
    struct rusage usage;
    if (wait4(child->pid, &status, WNOHANG, &usage) != child->pid) return;
    bool never_ran = child->starting;
    if (never_ran) { /* told only now, so that the name is free again */
        Error err = {0};
        if (child->failed)
            error_sys(&err, child->failure_code, "starting '%s': %s", child->name, child->failure);
        else
            error_set(&err, ERROR_IO, "starting '%s': its first process ended with %s %d",
                      child->name, WIFSIGNALED(status) ? "signal" : "status",
                      WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
        reply_error(nursery, child->start_id, &err);
    } else if (!child->reported) { /* init itself was killed, and with it all others */
        child->exit = (ProcessExit){
            .signal = WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL,
            .peak_rss_bytes = (int64_t)usage.ru_maxrss * 1024,
            .cpu_seconds = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                           1e-6 * (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec)};
    }
    if (child->socket >= 0) close(child->socket);
    close(child->pidfd);
    child->socket = child->pidfd = -1;
    if (child->has_group && !child->reported) cgroup_kill(&nursery->cgroups, child->group);
    if (never_ran) {
        if (child->has_group) cgroup_end(&nursery->cgroups, child->group);
        child_remove(nursery, child);
    } else {
        child_over(nursery, child);
    }
}

static void child_wait(Nursery *nursery, const Ask *ask, Child *child)
{
    if (child->gone) {
        Reply answer = {.id = ask->id, .pid = child->pid, .exit = child->exit};
        reply(nursery, &answer);
        child_remove(nursery, child);
        return;
    }
    uint64_t *more = realloc(child->waiters, (child->n_waiters + 1) * sizeof *more);
    if (!more) memory_exhausted(sizeof *more);
    child->waiters = more;
    child->waiters[child->n_waiters++] = ask->id;
}

static void child_stop(Child *child, double seconds)
{
    if (child->gone || child->stopping) return;
    kill(child->pid, SIGTERM);
    double at = clock_seconds() + (seconds < 0 ? child->stop_seconds : seconds);
    if (child->kill_at <= 0 || at < child->kill_at) child->kill_at = at;
}

static void list_children(const Nursery *nursery, uint64_t id)
{
    Reply answer = {.id = id};
    AUTO_FD int fd = memfd_create("clary-children", MFD_CLOEXEC);
    Error err = {0};
    if (fd < 0) {
        error_sys(&err, errno, "making a memory file");
        reply_error(nursery, id, &err);
        return;
    }
    for (int i = 0; i < nursery->n_children; i++) {
        const char *name = nursery->children[i]->name;
        if (!fd_write(fd, (Str){name, strlen(name) + 1}, "the children", &err)) {
            reply_error(nursery, id, &err);
            return;
        }
    }
    packet_send(nursery->server, &answer, sizeof answer, &fd, 1);
}

/* False when the server is gone. */
static bool serve_one(Nursery *nursery)
{
    Ask ask;
    int fds[8], n_fds = 0;
    int64_t got = packet_receive(nursery->server, &ask, sizeof ask, fds, (int)COUNT(fds), &n_fds,
                                 MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    Error err = {0};
    bool good = true;
    if (got != (int64_t)sizeof ask) {
        good = error_set(&err, ERROR_INTERNAL, "a malformed request to the keeper");
    } else if (ask.kind == ASK_START) {
        good = n_fds > 0 ? child_start(nursery, ask.id, fds[0], fds + 1, n_fds - 1, &err)
                         : error_set(&err, ERROR_INTERNAL, "a start without a specification");
    } else if (ask.kind == ASK_LIST) {
        list_children(nursery, ask.id);
    } else {
        ask.name[PROCESS_NAME_MAX] = 0;
        Child *child = child_find(nursery, ask.name);
        if (!child) {
            good = error_set(&err, ERROR_NOT_FOUND, "no process is named '%s'", ask.name);
        } else if (ask.kind == ASK_WAIT) {
            child_wait(nursery, &ask, child);
        } else {
            child_stop(child, ask.seconds);
            Reply answer = {.id = ask.id, .pid = child->pid};
            reply(nursery, &answer);
        }
    }
    if (!good) reply_error(nursery, ask.id, &err);
    for (int i = 0; i < n_fds; i++) close(fds[i]);
    return true;
}

/* Looks after the children once; waits up to wait_ms (-1: as long as nothing is planned). */
static void turn(Nursery *nursery, int extra, int wait_ms)
{
    struct pollfd *polled = nursery->polled;
    int n = 0;
    polled[n++] = (struct pollfd){nursery->server, POLLIN, 0};
    polled[n++] = (struct pollfd){extra, POLLIN, 0};
    double now = clock_seconds();
    for (int i = 0; i < nursery->n_children; i++) {
        Child *child = nursery->children[i];
        if (!child->gone && child->kill_at > 0) {
            int ms = (int)((child->kill_at - now) * 1000) + 1;
            if (ms < 0) ms = 0;
            if (wait_ms < 0 || ms < wait_ms) wait_ms = ms;
        }
        polled[n++] = (struct pollfd){child->gone ? -1 : child->socket, POLLIN, 0};
        polled[n++] = (struct pollfd){child->gone ? -1 : child->pidfd, POLLIN, 0};
    }
    if (poll(polled, (nfds_t)n, wait_ms) < 0) return;
    now = clock_seconds();
    /* From the end: a child that leaves is replaced by the last, which had its turn. */
    for (int i = (n - 2) / 2 - 1; i >= 0; i--) {
        Child *child = nursery->children[i];
        if (child->gone) continue;
        if (child->socket >= 0 && polled[2 + 2 * i].revents) child_report(nursery, child);
        if (child->kill_at > 0 && child->kill_at <= now) child_kill(nursery, child);
        if (polled[3 + 2 * i].revents) child_ended(nursery, child);
    }
}

/* Orphans of children whose init was killed come to the keeper, which takes in all below it. */
static void reap_orphans(const Nursery *nursery, pid_t server)
{
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid > 0) {
        if (info.si_pid == server) return;
        for (int i = 0; i < nursery->n_children; i++)
            if (!nursery->children[i]->gone && nursery->children[i]->pid == info.si_pid) return;
        waitpid(info.si_pid, NULL, WNOHANG);
        info.si_pid = 0;
    }
}

void nursery_run(Nursery *nursery, int server, int server_pidfd, pid_t server_pid)
{
    nursery->server = server;
    for (int i = 0; i < nursery->n_children; i++) { /* an earlier server's */
        nursery->children[i]->n_waiters = 0;
    }
    for (bool over = false; !over;) {
        turn(nursery, server_pidfd, -1);
        if (server_pid > 0) reap_orphans(nursery, server_pid);
        if (nursery->polled[0].revents && !serve_one(nursery)) over = true;
        if (nursery->polled[1].revents) {
            while (serve_one(nursery) && (nursery->polled[0].revents & POLLIN)) {
                nursery->polled[0].events = POLLIN;
                nursery->polled[0].revents = 0;
                if (poll(nursery->polled, 1, 0) <= 0) break;
            }
            over = true;
        }
    }
    nursery->server = -1;
}

static bool any_lives(const Nursery *nursery)
{
    for (int i = 0; i < nursery->n_children; i++)
        if (!nursery->children[i]->gone) return true;
    return false;
}

void nursery_end_all(Nursery *nursery, double seconds)
{
    nursery->server = -1;
    for (int i = 0; i < nursery->n_children; i++) {
        Child *child = nursery->children[i];
        child_stop(child, MIN(seconds, child->stop_seconds));
    }
    double limit = clock_seconds() + seconds + 10;
    while (any_lives(nursery) && clock_seconds() < limit) turn(nursery, -1, 100);
}

void nursery_forget(Nursery *nursery)
{
    for (int i = 0; i < nursery->n_children; i++) child_free(nursery->children[i]);
    if (nursery->image >= 0) close(nursery->image);
    if (nursery->filter >= 0) close(nursery->filter);
    free(nursery);
}

void nursery_free(Nursery *nursery)
{
    if (!nursery) return;
    nursery_end_all(nursery, 0);
    for (int i = 0; i < nursery->n_children; i++) child_free(nursery->children[i]);
    cgroups_close(&nursery->cgroups);
    if (nursery->image >= 0) close(nursery->image);
    if (nursery->filter >= 0) close(nursery->filter);
    free(nursery);
}
