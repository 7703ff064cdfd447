/* Tries what a program in the sandbox must not be able to do, and what it must: a line each on standard
 * output, "NAME yes" or "NAME no".  sandbox_test.c knows what is right in which mode.
 *
 *     sandbox-probe INPUT OUTPUT SECRET PORT ABSTRACT PID
 *
 * INPUT and OUTPUT are folders (read-only and writable), SECRET a file of the host that was not given, PORT and ABSTRACT
 * sockets that listen outside, PID a process outside. */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, bool yes)
{
    printf("%s %s\n", name, yes ? "yes" : "no");
}

static bool can_open(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd >= 0) close(fd);
    return fd >= 0;
}

static const char *in(const char *folder, const char *name)
{
    static char path[2][4096];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static bool can_connect(int port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((unsigned short)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    bool good = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
    if (fd >= 0) close(fd);
    return good;
}

static bool own_loopback(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    bool good = fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 && listen(fd, 1) == 0 &&
                getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
                can_connect(ntohs(address.sin_port));
    if (fd >= 0) close(fd);
    return good;
}

static bool can_connect_abstract(const char *name)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t n = strlen(name);
    memcpy(address.sun_path + 1, name, n);
    bool good = fd >= 0 &&
                connect(fd, (struct sockaddr *)&address,
                        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) == 0;
    if (fd >= 0) close(fd);
    return good;
}

static bool clone_user(void)
{
    long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) _exit(0);
    if (pid > 0) waitpid((pid_t)pid, NULL, 0);
    return pid > 0;
}

static bool fork_works(void)
{
    pid_t pid = fork();
    if (pid == 0) _exit(3);
    int status;
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
           WEXITSTATUS(status) == 3;
}

static bool status_has(const char *line)
{
    char text[8192];
    int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return strstr(text, line) != NULL;
}

static int open_files(void)
{
    int n = 0;
    for (int fd = 0; fd < 1024; fd++) n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static bool not_denied(long result)
{
    return result >= 0 || (errno != EPERM && errno != ENOSYS && errno != EACCES);
}

int main(int argc, char **argv)
{
    if (argc != 7) return 2;
    const char *input = argv[1], *output = argv[2], *secret = argv[3];
    setvbuf(stdout, NULL, _IOLBF, 0);

    say("read-input", can_open(in(input, "data"), O_RDONLY));
    say("write-output", can_open(in(output, "made"), O_WRONLY | O_CREAT));
    say("write-input", can_open(in(input, "data"), O_WRONLY));
    say("truncate-input", truncate(in(input, "data"), 0) == 0);
    say("create-in-input", can_open(in(input, "new"), O_WRONLY | O_CREAT));
    say("remove-input", unlink(in(input, "data")) == 0);
    say("chmod-input", chmod(in(input, "data"), 0777) == 0);
    say("link-input", link(in(input, "data"), in(output, "linked")) == 0);
    say("read-secret", can_open(secret, O_RDONLY));
    say("write-secret", can_open(secret, O_WRONLY));
    say("read-shadow", can_open("/etc/shadow", O_RDONLY));
    say("write-usr", can_open("/usr/clary-probe", O_WRONLY | O_CREAT));
    say("write-root", can_open("/clary-probe", O_WRONLY | O_CREAT));
    say("list-root-home", can_open("/root", O_RDONLY | O_DIRECTORY));
    say("write-null", can_open("/dev/null", O_WRONLY));
    say("read-random", can_open("/dev/urandom", O_RDONLY));
    say("make-device", mknod(in(output, "device"), S_IFCHR | 0600, makedev(1, 1)) == 0);
    say("fork", fork_works());
    say("write-tmp", can_open("/tmp/clary-probe", O_WRONLY | O_CREAT));
    say("signal-outside", kill((pid_t)strtol(argv[6], NULL, 10), 0) == 0);
    say("connect-outside", can_connect((int)strtol(argv[4], NULL, 10)));
    say("connect-abstract", can_connect_abstract(argv[5]));
    say("own-loopback", own_loopback());

    say("no-capabilities",
        status_has("CapEff:\t0000000000000000") && status_has("CapBnd:\t0000000000000000"));
    say("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL) >= 0);
    say("mount", mount("none", output, "tmpfs", 0, NULL) == 0);
    say("unshare", unshare(CLONE_NEWUSER) == 0);
    say("clone-user", clone_user());
    say("clone3", not_denied(syscall(435, NULL, 0)));
    say("setns", not_denied(setns(-1, 0)));
    say("bpf", not_denied(syscall(SYS_bpf, 0, NULL, 0)));
    say("perf", not_denied(syscall(SYS_perf_event_open, NULL, 0, -1, -1, 0)));
    say("userfaultfd", not_denied(syscall(SYS_userfaultfd, 1)));
    say("io_uring", not_denied(syscall(425, 1, NULL)));
    say("keyctl", not_denied(syscall(SYS_keyctl, 0, -3, 0)));
    say("handle", not_denied(syscall(SYS_open_by_handle_at, -1, NULL, 0)));
    say("read-memory", not_denied(syscall(SYS_process_vm_readv, getpid(), NULL, 0, NULL, 0, 0)));
    say("personality", personality(ADDR_NO_RANDOMIZE) >= 0);
    say("push-input", not_denied(ioctl(0, TIOCSTI, "x")));

    say("no-new-privileges", prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1);
    say("filtered", prctl(PR_GET_SECCOMP, 0, 0, 0, 0) != 0);
    struct rlimit core = {1, 1};
    getrlimit(RLIMIT_CORE, &core);
    say("no-core", core.rlim_max == 0);
    say("three-files", open_files() == 3);
    say("first-processes", getpid() < 10);
    say("own-session", getsid(0) == getpid());
    return 0;
}
