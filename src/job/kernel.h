#ifndef CLARY_JOB_KERNEL_H
#define CLARY_JOB_KERNEL_H

/* The kernel's newer interfaces that the sandbox uses, by their numbers (the same on every
 * architecture since 5.1): the system's headers are older than the kernels we meet.
 * Documentation: man pages open_tree(2), mount_setattr(2), landlock(7), clone3(2). */

#include <stdint.h>

enum {
    SYS_open_tree_ = 428,
    SYS_move_mount_ = 429,
    SYS_clone3_ = 435,
    SYS_mount_setattr_ = 442,
    SYS_landlock_create_ruleset_ = 444,
    SYS_landlock_add_rule_ = 445,
    SYS_landlock_restrict_self_ = 446,
};

enum {
    AT_RECURSIVE_ = 0x8000,
    OPEN_TREE_CLONE_ = 1,
    MOVE_MOUNT_EMPTY_ = 4, /* the source is the descriptor itself */
    MOUNT_RDONLY_ = 1,
    MOUNT_NOSUID_ = 2,
    MOUNT_NODEV_ = 4,
    MOUNT_IDMAP_ = 0x100000,
};

typedef struct MountAttributes {
    uint64_t set, clear, propagation, user_fd;
} MountAttributes;

typedef struct CloneArguments {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid,
        set_tid_size, cgroup;
} CloneArguments;

typedef struct LandlockRules {
    uint64_t fs, net, scoped;
} LandlockRules;

typedef struct LandlockPath {
    uint64_t access;
    int32_t fd;
} __attribute__((packed)) LandlockPath;

#define LANDLOCK_EXECUTE (1ull << 0)
#define LANDLOCK_WRITE_FILE (1ull << 1)
#define LANDLOCK_READ_FILE (1ull << 2)
#define LANDLOCK_READ_DIR (1ull << 3)
#define LANDLOCK_ALL_1 ((1ull << 13) - 1) /* all of version 1 */
#define LANDLOCK_REFER (1ull << 13)
#define LANDLOCK_TRUNCATE (1ull << 14)
#define LANDLOCK_IOCTL_DEV (1ull << 15)
#define LANDLOCK_DEVICES ((1ull << 6) | (1ull << 11)) /* making character and block devices */
#define LANDLOCK_READ (LANDLOCK_EXECUTE | LANDLOCK_READ_FILE | LANDLOCK_READ_DIR)
/* What may be said of something that is no folder. */
#define LANDLOCK_FILE_ACCESS                                                                       \
    (LANDLOCK_EXECUTE | LANDLOCK_WRITE_FILE | LANDLOCK_READ_FILE | LANDLOCK_TRUNCATE |             \
     LANDLOCK_IOCTL_DEV)
#define LANDLOCK_SCOPE_ABSTRACT 1ull
#define LANDLOCK_SCOPE_SIGNAL 2ull

#endif
