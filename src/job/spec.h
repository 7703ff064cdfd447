#ifndef CLARY_JOB_SPEC_H
#define CLARY_JOB_SPEC_H

/* How server, keeper and init (the first process of every child) talk.
 *
 * A ProcessSpec travels as a sealed memory file: a head, then texts, each ended by a NUL: name,
 * folder, argv, env, and two for each mount.  Requests, answers and reports are single packets. */

#include "job/keeper.h"

enum {
    PROCESS_NAME_MAX = 255,      /* bytes of a process's name */
    PROCESS_SPEC_MAX = 8 << 20,  /* bytes of argv, environment and mounts together */
    PROCESS_STRINGS_MAX = 16384, /* of argv and env each */
    PROCESS_MOUNTS_MAX = 200,    /* their descriptors travel in one packet */
    PROCESS_PIDS = 4096,         /* processes and threads of one tree when nothing was said */
    PROCESS_FILES = 65536,       /* open files of one process */
    CHILDREN_MAX = 4096,         /* processes of one keeper */
    SPEC_MAGIC = 0x434a5331,
};

typedef struct SpecHead {
    uint32_t magic, size; /* of all */
    uint32_t n_argv, n_env, n_mounts;
    uint8_t confined, isolated;
    uint8_t has_output, has_status, has_listen; /* descriptors follow in this order */
    int32_t pids;
    int64_t memory_bytes, file_bytes;
    double cpus, stop_seconds;
    uint8_t writable[PROCESS_MOUNTS_MAX];
} SpecHead;

/* Views into the packed bytes, which must live as long. */
typedef struct Spec {
    const SpecHead *head;
    char *name, *folder;
    char **argv, **env; /* NULL-terminated */
    char **from, **to;  /* n_mounts */
} Spec;

/* Packs into a new sealed memory file.  Refuses what passes a limit above. */
bool spec_pack(const ProcessSpec *spec, int *ret_fd, Error *err);
/* Maps and checks one. */
bool spec_open(int fd, Spec *ret_spec, Error *err);
void spec_close(Spec *spec);

/* ---- server and keeper ---- */

typedef enum AskKind { ASK_START, ASK_WAIT, ASK_STOP, ASK_LIST } AskKind;

typedef struct Ask {
    uint64_t id;
    AskKind kind;
    double seconds;
    char name[PROCESS_NAME_MAX + 1];
} Ask; /* ASK_START: memory file and the given descriptors with it */

typedef struct Reply {
    uint64_t id;
    ErrorKind kind; /* ERROR_NONE: done */
    int pid;
    ProcessExit exit;
    char text[ERROR_TEXT_MAX];
} Reply; /* ASK_LIST: a memory file of names, each ended by a NUL */

/* ---- keeper and init ---- */

/* First packet to init; memory file, filter (with SANDBOX_SECCOMP), the given descriptors and, with
 * SANDBOX_IDMAP, a tree for each mount come with it. */
typedef struct InitOrder {
    unsigned features; /* to be used for this child */
    int landlock_abi;
    uint32_t filter_bytes;
} InitOrder;

typedef enum ReportKind { REPORT_STARTED, REPORT_FAILED, REPORT_ENDED } ReportKind;

typedef struct Report {
    ReportKind kind;
    int code; /* errno of REPORT_FAILED */
    ProcessExit exit;
    char text[512];
} Report;

enum { INIT_SOCKET = 3 }; /* init's end of the socket pair */

/* Sends one packet with descriptors; false with errno set. */
bool packet_send(int socket, const void *bytes, size_t size, const int *fds, int n_fds);
/* Receives one: its size, 0 when the other end is gone, -1 with errno set.  Descriptors are close-on-exec. */
int64_t packet_receive(int socket, void *bytes, size_t size, int *fds, int fds_max, int *ret_n_fds,
                       int flags);

#endif
