#ifndef CLARY_JOB_INIT_H
#define CLARY_JOB_INIT_H

/* Inside the program clary-init. */

#include "job/spec.h"

typedef struct Init {
    InitOrder order;
    Spec spec;
    int filter, output, status, listen;
    int trees[PROCESS_MOUNTS_MAX]; /* what is to be mounted */
    int n_trees;
} Init;

/* Reports a failure to the keeper and ends. */
void init_fail(int code, const char *format, ...) PRINTF_LIKE(2, 3) __attribute__((noreturn));
/* The same, with errno, from the program's process. */
void init_child_fail(int pipe, const char *what) __attribute__((noreturn));

/* The part that all processes inside share: root folder, /proc, /tmp, network (steps 2 and 3). */
void sandbox_build(Init *init);
/* What only the program gets: no privileges, Landlock, seccomp (steps 5 and 6). */
void sandbox_enter(const Init *init, int pipe);

#endif
