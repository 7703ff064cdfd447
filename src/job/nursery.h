#ifndef CLARY_JOB_NURSERY_H
#define CLARY_JOB_NURSERY_H

/* The keeper's own side: one thread that starts, watches and ends children on request. */

#include "job/spec.h"

#include <sys/types.h>

typedef struct Nursery Nursery;

Nursery *nursery_new(void);
void nursery_free(Nursery *nursery); /* kills what lives */
AUTO_FREE(Nursery, nursery_free);

/* In a server that was just forked off: closes what is the keeper's. */
void nursery_forget(Nursery *nursery);

/* Serves requests from `server` (a packet socket) until its other end is closed.  With the server's
 * pidfd and pid (else -1) it returns when that process ended, and passes SIGTERM and SIGINT on to it. */
void nursery_run(Nursery *nursery, int server, int server_pidfd, pid_t server_pid);

/* SIGTERM to all; kills what still lives after its stop time, at most `seconds`. */
void nursery_end_all(Nursery *nursery, double seconds);

/* The features of the sandbox that work here and that CLARY_SANDBOX does not switch off. */
typedef struct SandboxAbout {
    unsigned features;
    int landlock_abi;
    char cgroups[8]; /* "v2", "v1", "no" */
} SandboxAbout;
const SandboxAbout *nursery_sandbox(Nursery *nursery);

/* ---- cgroup.c ---- */

typedef struct Cgroups {
    int version;                           /* 0: none */
    char memory[256], pids[256], cpu[256]; /* version 1: folders of ours; 2: all the same */
} Cgroups;

void cgroups_open(Cgroups *cgroups); /* finds or makes the folders; version 0 when it cannot */
void cgroups_close(const Cgroups *cgroups);
/* A group named `name` with the limits; puts the process in. */
bool cgroup_start(const Cgroups *cgroups, const char *name, const SpecHead *limits, pid_t pid,
                  Error *err);
void cgroup_kill(const Cgroups *cgroups, const char *name);
/* True when a process of the group was killed for its memory. */
bool cgroup_end(const Cgroups *cgroups, const char *name);

/* ---- filter.c ---- */

/* The filter of system calls for users' programs, in a memory file. */
bool filter_make(int *ret_fd, uint32_t *ret_bytes, Error *err);

#endif
