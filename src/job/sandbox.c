/* The sandbox as it is built from inside (security.md, section 5): steps 2, 3, 5 and 6.
 *
 * init runs in new namespaces with all capabilities inside and none outside.  It makes a root folder
 * on a tmpfs of system folders (read-only) and the mounts of the order, and leaves the old root.
 *
 * Landlock's and the new mount interface's numbers are declared here: the system's headers are older
 * than the kernels we meet. */

#include "job/init.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "job/kernel.h"

/* ---- the root folder ---- */

static const char *const system_folders[] = {"/usr",   "/bin",   "/sbin",  "/lib",
                                             "/lib32", "/lib64", "/libx32"};
static const char *const system_files[] = {
    "/etc/alternatives",  "/etc/ca-certificates",
    "/etc/fonts",         "/etc/ld.so.cache",
    "/etc/ld.so.conf",    "/etc/ld.so.conf.d",
    "/etc/localtime",     "/etc/mime.types",
    "/etc/nsswitch.conf", "/etc/pki",
    "/etc/protocols",     "/etc/python3",
    "/etc/services",      "/etc/ssl",
    "/etc/timezone",
};
static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/random",
                                      "/dev/urandom"};

static int clone_tree(const char *path)
{
    return (int)syscall(SYS_open_tree_, AT_FDCWD, path,
                        OPEN_TREE_CLONE_ | O_CLOEXEC | AT_RECURSIVE_);
}

/* Makes the folders above `path`, and `path` itself as a folder or an empty file. */
static bool make_place(const char *path, bool folder)
{
    char part[4096];
    size_t n = strlen(path);
    if (n >= sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (size_t i = 1; i < n; i++)
        if (path[i] == '/') {
            memcpy(part, path, i);
            part[i] = 0;
            if (mkdir(part, 0755) < 0 && errno != EEXIST) return false;
        }
    if (folder) return mkdir(path, 0755) == 0 || errno == EEXIST;
    int fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0) return errno == EEXIST || access(path, F_OK) == 0;
    close(fd);
    return true;
}

static void attach(int tree, const char *from, const char *to, bool writable, bool device)
{
    struct stat info;
    MountAttributes attributes = {.set = MOUNT_NOSUID_ | (device ? 0 : MOUNT_NODEV_) |
                                         (writable ? 0 : MOUNT_RDONLY_)};
    if (fstat(tree, &info) < 0) init_fail(errno, "mounting '%s'", from);
    if (!make_place(to, S_ISDIR(info.st_mode))) init_fail(errno, "making '%s' for a mount", to);
    if (syscall(SYS_move_mount_, tree, "", AT_FDCWD, to, MOVE_MOUNT_EMPTY_) < 0)
        init_fail(errno, "mounting '%s' at '%s'", from, to);
    close(tree);
    if (syscall(SYS_mount_setattr_, AT_FDCWD, to, AT_RECURSIVE_, &attributes, sizeof attributes) <
        0)
        init_fail(errno, "making '%s' %s", to, writable ? "safe" : "read-only");
}

/* What exists on this host: folders as mounts, links as links.  `at` is where the new root is. */
static void attach_system(const char *path, int tree)
{
    struct stat info;
    char target[256];
    if (lstat(path, &info) < 0) return;
    if (S_ISLNK(info.st_mode)) {
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n <= 0) return;
        target[n] = 0;
        make_place(path + 1, false);
        unlink(path + 1);
        if (symlink(target, path + 1) < 0) init_fail(errno, "linking '%s'", path);
        return;
    }
    if (tree >= 0) attach(tree, path, path + 1, false, strncmp(path, "/dev/", 5) == 0);
}

static void write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    size_t n = strlen(text);
    if (fd < 0 || write(fd, text, n) != (ssize_t)n) init_fail(errno, "writing '%s'", path);
    close(fd);
}

static void small_tmpfs(const char *path, const char *options)
{
    if (!make_place(path, true) || mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, options) < 0)
        init_fail(errno, "mounting '/%s'", path);
}

static void build_root(Init *init)
{
    const Spec *spec = &init->spec;
    int n_mounts = (int)spec->head->n_mounts;
    mode_t mask = umask(022);
    if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
        init_fail(errno, "separating the mounts");
    if (!init->n_trees)
        for (int i = 0; i < n_mounts; i++)
            if ((init->trees[i] = clone_tree(spec->from[i])) < 0)
                init_fail(errno, "opening '%s' for a mount", spec->from[i]);
    int folders[COUNT(system_folders)], files[COUNT(system_files)], nodes[COUNT(devices)];
    for (size_t i = 0; i < COUNT(system_folders); i++) folders[i] = clone_tree(system_folders[i]);
    for (size_t i = 0; i < COUNT(system_files); i++) files[i] = clone_tree(system_files[i]);
    for (size_t i = 0; i < COUNT(devices); i++) nodes[i] = clone_tree(devices[i]);
    int resolv = spec->head->isolated ? -1 : clone_tree("/etc/resolv.conf");

    /* Any folder will do: it is hidden only in our own view. */
    if (mount("tmpfs", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "size=4m,mode=0755") < 0 ||
        chdir("/tmp") < 0)
        init_fail(errno, "making a root folder");
    for (size_t i = 0; i < COUNT(system_folders); i++) attach_system(system_folders[i], folders[i]);
    for (size_t i = 0; i < COUNT(system_files); i++) attach_system(system_files[i], files[i]);
    for (size_t i = 0; i < COUNT(devices); i++) attach_system(devices[i], nodes[i]);
    if (resolv >= 0) attach(resolv, "/etc/resolv.conf", "etc/resolv.conf", false, false);
    if (mkdir("etc", 0755) < 0 && errno != EEXIST) init_fail(errno, "making '/etc'");
    write_text("etc/passwd", "root:x:0:0:root:/tmp:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n");
    write_text("etc/group", "root:x:0:\nnogroup:x:65534:\n");
    write_text("etc/hosts", "127.0.0.1 localhost algo-1\n::1 localhost\n");
    if (symlink("/proc/self/fd", "dev/fd") < 0 || symlink("/proc/self/fd/0", "dev/stdin") < 0 ||
        symlink("/proc/self/fd/1", "dev/stdout") < 0 ||
        symlink("/proc/self/fd/2", "dev/stderr") < 0)
        init_fail(errno, "making '/dev'");
    char options[64] = "mode=1777";
    if (spec->head->memory_bytes > 0)
        snprintf(options, sizeof options, "mode=1777,size=%lld",
                 (long long)spec->head->memory_bytes);
    small_tmpfs("tmp", options);
    small_tmpfs("dev/shm", options);
    /* Inside another sandbox a new /proc may be refused; programs can do without. */
    if (!make_place("proc", true)) init_fail(errno, "making '/proc'");
    mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);

    if (syscall(SYS_pivot_root, ".", ".") < 0) init_fail(errno, "changing the root folder");
    if (umount2(".", MNT_DETACH) < 0) init_fail(errno, "leaving the old root folder");
    if (chdir("/") < 0) init_fail(errno, "entering the new root folder");
    for (int i = 0; i < n_mounts; i++)
        attach(init->trees[i], spec->from[i], spec->to[i], spec->head->writable[i], false);
    make_place(spec->folder, true);
    MountAttributes read_only = {.set = MOUNT_RDONLY_};
    if (syscall(SYS_mount_setattr_, AT_FDCWD, "/", 0, &read_only, sizeof read_only) < 0)
        init_fail(errno, "making the root folder read-only");
    umask(mask);
}

/* Alone on its network, a program still has 127.0.0.1. */
static void start_loopback(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct ifreq request = {.ifr_name = "lo"};
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &request) < 0) init_fail(errno, "the loopback network");
    request.ifr_flags |= IFF_UP | IFF_RUNNING;
    if (ioctl(fd, SIOCSIFFLAGS, &request) < 0) init_fail(errno, "starting the loopback network");
    close(fd);
}

void sandbox_build(Init *init)
{
    if (!init->spec.head->confined) return;
    unsigned features = init->order.features;
    if (features & SANDBOX_NETWORK) start_loopback();
    if (features & SANDBOX_NAMESPACES) {
        if (sethostname("algo-1", 6) < 0) init_fail(errno, "naming the host");
        build_root(init);
    }
}

/* ---- what only the program gets ---- */

static void drop_capabilities(int pipe)
{
    for (int capability = 0; capability < 64; capability++)
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) break; /* EINVAL: past the last */
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    /* Best effort: it needs a capability that a server without root does not have. */
    prctl(PR_SET_SECUREBITS,
          SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
              SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED,
          0, 0, 0);
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {0};
    if (syscall(SYS_capset, &header, none) < 0) init_child_fail(pipe, "dropping capabilities");
}

static bool allow(int ruleset, const LandlockRules *rules, const char *path, uint64_t access)
{
    LandlockPath rule = {.access = access & rules->fs};
    rule.fd = open(path, O_PATH | O_CLOEXEC);
    if (rule.fd < 0) return true; /* not here: nothing to allow */
    struct stat info;
    if (fstat(rule.fd, &info) == 0 && !S_ISDIR(info.st_mode)) rule.access &= LANDLOCK_FILE_ACCESS;
    bool good = syscall(SYS_landlock_add_rule_, ruleset, 1, &rule, 0) == 0;
    close(rule.fd);
    return good;
}

static void landlock(const Init *init, int pipe)
{
    int abi = init->order.landlock_abi;
    LandlockRules rules = {.fs = LANDLOCK_ALL_1};
    if (abi >= 2) rules.fs |= LANDLOCK_REFER;
    if (abi >= 3) rules.fs |= LANDLOCK_TRUNCATE;
    if (abi >= 5) rules.fs |= LANDLOCK_IOCTL_DEV;
    if (abi >= 6) rules.scoped = LANDLOCK_SCOPE_ABSTRACT | LANDLOCK_SCOPE_SIGNAL;
    size_t size = abi >= 6 ? sizeof rules : sizeof rules.fs;
    int ruleset = (int)syscall(SYS_landlock_create_ruleset_, &rules, size, 0);
    if (ruleset < 0) init_child_fail(pipe, "Landlock");

    const Spec *spec = &init->spec;
    bool inside = init->order.features & SANDBOX_NAMESPACES, good = true;
    uint64_t all = rules.fs & ~(uint64_t)LANDLOCK_DEVICES;
    if (inside) {
        good = allow(ruleset, &rules, "/", LANDLOCK_READ) && allow(ruleset, &rules, "/tmp", all) &&
               allow(ruleset, &rules, "/dev/shm", all);
    } else {
        for (size_t i = 0; i < COUNT(system_folders); i++)
            good = good && allow(ruleset, &rules, system_folders[i], LANDLOCK_READ);
        for (size_t i = 0; i < COUNT(system_files); i++)
            good = good && allow(ruleset, &rules, system_files[i], LANDLOCK_READ);
        good = good && allow(ruleset, &rules, "/etc/hosts", LANDLOCK_READ) &&
               allow(ruleset, &rules, "/etc/resolv.conf", LANDLOCK_READ) &&
               allow(ruleset, &rules, "/etc/passwd", LANDLOCK_READ) &&
               allow(ruleset, &rules, "/etc/group", LANDLOCK_READ) &&
               allow(ruleset, &rules, spec->argv[0], LANDLOCK_READ) &&
               allow(ruleset, &rules, "/proc/self", LANDLOCK_READ);
    }
    for (size_t i = 0; i < COUNT(devices); i++)
        good = good && allow(ruleset, &rules, devices[i],
                             LANDLOCK_READ_FILE | LANDLOCK_WRITE_FILE | LANDLOCK_IOCTL_DEV);
    for (uint32_t i = 0; i < spec->head->n_mounts; i++)
        good = good && allow(ruleset, &rules, inside ? spec->to[i] : spec->from[i],
                             spec->head->writable[i] ? all : LANDLOCK_READ);
    if (!good || syscall(SYS_landlock_restrict_self_, ruleset, 0) < 0)
        init_child_fail(pipe, "Landlock");
    close(ruleset);
}

static void filter_calls(const Init *init, int pipe)
{
    struct {
        unsigned short n;
        void *instructions;
    } program;
    size_t size = init->order.filter_bytes;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, init->filter, 0);
    if (bytes == MAP_FAILED) init_child_fail(pipe, "reading the filter of system calls");
    program.n = (unsigned short)(size / 8);
    program.instructions = bytes;
    if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
        init_child_fail(pipe, "filtering system calls");
}

void sandbox_enter(const Init *init, int pipe)
{
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) init_child_fail(pipe, "no_new_privs");
    if (!init->spec.head->confined) return;
    drop_capabilities(pipe);
    if (init->order.features & SANDBOX_LANDLOCK) landlock(init, pipe);
    if (init->order.features & SANDBOX_SECCOMP) filter_calls(init, pipe);
}
