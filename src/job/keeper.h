#ifndef CLARY_JOB_KEEPER_H
#define CLARY_JOB_KEEPER_H

/* Starting, limiting, watching and ending processes (rules B1 to B6, E1).
 *
 * claryd splits at start into a keeper (no network input, no database: it holds the listening socket and the children, and restarts the
 * server) and the server, which never forks.  The functions here are the server's side: they talk to the keeper over a
 * socket pair.  Children outlive a crash of the server and are found again by keeper_children. */

#include "base/arena.h"
#include "base/error.h"

typedef struct Keeper Keeper;

typedef struct Mount {
    const char *from; /* folder or file of the host */
    const char *to;   /* inside: "/opt/ml/input/data/train" */
    bool writable;
} Mount;

typedef struct ProcessSpec {
    const char *name;        /* "training-job/abc": unique among the living */
    const char *const *argv; /* NULL-terminated; argv[0] absolute (inside the sandbox) */
    const char *const *env;  /* the complete environment, "NAME=value", NULL-terminated */
    const char *folder;      /* working folder (inside the sandbox) */
    const char
        *output; /* path of the host: file that gets standard output and error, appended; or NULL */
    int output_fd, status_fd; /* given descriptors for output and for descriptor 3; -1: none */
    int listen_fd;            /* descriptor 4, -1: none */
    const Mount *mounts;
    int n_mounts;
    bool
        confined; /* in the sandbox; false: our own programs in clary's own folders (still limited) */
    bool isolated;        /* no network but loopback */
    int64_t memory_bytes; /* 0: no limit */
    double cpus;          /* 0: no limit */
    int64_t file_bytes;   /* largest file; 0: no limit */
    int pids;             /* 0: a default */
    double stop_seconds;  /* from SIGTERM to the end of the whole tree */
} ProcessSpec;

typedef struct ProcessExit {
    bool exited; /* status is valid; else by a signal */
    int status, signal;
    bool out_of_memory; /* killed by its memory limit */
    int64_t peak_rss_bytes;
    double cpu_seconds;
} ProcessExit;

/* Splits the process: returns in the server (again after each crash of it), never in the keeper except at its end.
 * `listen_fd` is kept open across restarts.  On the keeper's way out it exits with the server's status. */
bool keeper_split(int listen_fd, Keeper **ret_keeper, Error *err);
/* In one process, for tests and tools: children are direct ones. */
bool keeper_local(Keeper **ret_keeper, Error *err);
void keeper_close(Keeper *keeper);

bool keeper_start(Keeper *keeper, const ProcessSpec *spec, int *ret_pid, Error *err);
/* Waits until the process and its whole tree are gone; many threads may wait for different ones. */
bool keeper_wait(Keeper *keeper, const char *name, ProcessExit *ret_exit, Error *err);
/* SIGTERM now, everything after stop_seconds killed; stop_seconds < 0: those of the spec. */
bool keeper_stop(Keeper *keeper, const char *name, double stop_seconds, Error *err);
/* Names of those that live (or ended and were not waited for), e.g. after the server came back. */
bool keeper_children(Keeper *keeper, Arena *arena, Str **ret_names, size_t *ret_n, Error *err);

/* What the sandbox can do here, found out once: bits.  CLARY_SANDBOX="no-user,no-namespaces,..." switches
 * features off, for tests. */
enum {
    SANDBOX_USER = 1,       /* a user namespace (else root's own namespaces) */
    SANDBOX_NAMESPACES = 2, /* own root folder, /proc, processes: mounts are where the spec says;
                               without it programs see the host's paths, guarded by Landlock */
    SANDBOX_NETWORK = 4,    /* isolated processes can be started */
    SANDBOX_LANDLOCK = 8,
    SANDBOX_SECCOMP = 16,
    SANDBOX_CGROUP = 32,
    SANDBOX_IDMAP = 64, /* mounts that map owners: each job has a user of its own */
};
bool sandbox_features(unsigned *ret_features, Error *err);

/* True when users' programs may run here at all without --allow-unconfined. */
static inline bool sandbox_confines(unsigned features)
{
    return (features & SANDBOX_SECCOMP) && (features & (SANDBOX_NAMESPACES | SANDBOX_LANDLOCK));
}

/* What the sandbox can do here, a line each ("user namespaces: yes"): for status and doctor. */
bool sandbox_about(Arena *arena, Str *ret_text, Error *err);

#endif
