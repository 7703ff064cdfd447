/* What users' programs may not ask of the kernel (security.md, section 5, step 6).
 *
 * Refused with EPERM: what looks into other processes, makes namespaces or mounts, loads code into
 * the kernel, or has been the way out of sandboxes.  clone3 answers ENOSYS, because its flags lie in
 * memory where a filter cannot see them; the C library then uses clone, whose flags it can. */

#include "job/nursery.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const refused[] = {
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "process_madvise",
    "process_mrelease",
    "kcmp",
    "pidfd_getfd",
    "pidfd_open",
    "mount",
    "umount",
    "umount2",
    "pivot_root",
    "chroot",
    "move_mount",
    "open_tree",
    "fsopen",
    "fsconfig",
    "fsmount",
    "fspick",
    "mount_setattr",
    "setns",
    "unshare",
    "bpf",
    "perf_event_open",
    "userfaultfd",
    "io_uring_setup",
    "io_uring_enter",
    "io_uring_register",
    "add_key",
    "keyctl",
    "request_key",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "delete_module",
    "create_module",
    "quotactl",
    "quotactl_fd",
    "open_by_handle_at",
    "name_to_handle_at",
    "lookup_dcookie",
    "acct",
    "swapon",
    "swapoff",
    "reboot",
    "settimeofday",
    "stime",
    "clock_settime",
    "clock_adjtime",
    "adjtimex",
    "sethostname",
    "setdomainname",
    "syslog",
    "vhangup",
    "iopl",
    "ioperm",
    "nfsservctl",
    "uselib",
    "ustat",
    "sysfs",
    "_sysctl",
    "fanotify_init",
    "vm86",
    "vm86old",
    "modify_ldt",
    "memfd_secret",
};

static const uint64_t namespaces[] = {CLONE_NEWUSER, CLONE_NEWNS,  CLONE_NEWPID,   CLONE_NEWNET,
                                      CLONE_NEWIPC,  CLONE_NEWUTS, CLONE_NEWCGROUP};

static bool add_rules(scmp_filter_ctx filter)
{
    for (size_t i = 0; i < COUNT(refused); i++) {
        int number = seccomp_syscall_resolve_name(refused[i]);
        if (number == __NR_SCMP_ERROR) continue; /* newer than the library */
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0) < 0) return false;
    }
    for (size_t i = 0; i < COUNT(namespaces); i++)
        if (seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i])) < 0)
            return false;
    return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) == 0 &&
           /* only the usual personality */
           seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(personality), 1,
                            SCMP_A0(SCMP_CMP_NE, 0, 0)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCSTI)) == 0 &&
           seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(ioctl), 1,
                            SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff, TIOCLINUX)) == 0;
}

bool filter_make(int *ret_fd, uint32_t *ret_bytes, Error *err)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    int fd = memfd_create("clary-filter", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    struct stat info = {0};
    bool good = filter && fd >= 0 &&
                seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)) == 0 &&
                seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0 && add_rules(filter) &&
                seccomp_export_bpf(filter, fd) == 0 && fstat(fd, &info) == 0 && info.st_size > 0;
    if (filter) seccomp_release(filter);
    if (!good) {
        if (fd >= 0) close(fd);
        return error_set(err, ERROR_UNSUPPORTED,
                         "libseccomp cannot make the filter of system calls");
    }
    *ret_fd = fd;
    *ret_bytes = (uint32_t)info.st_size;
    return true;
}
