/* Packing process specifications, and packets with descriptors. */

#include "job/spec.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t count_texts(const char *const *texts, size_t *size)
{
    size_t n = 0;
    for (; texts && texts[n]; n++) *size += strlen(texts[n]) + 1;
    return n;
}

static char *add_text(char *at, const char *text)
{
    size_t n = strlen(text) + 1;
    memcpy(at, text, n);
    return at + n;
}

bool spec_pack(const ProcessSpec *spec, int *ret_fd, Error *err)
{
    const char *folder = spec->folder ? spec->folder : "/";
    if (!spec->name || !spec->argv || !spec->argv[0])
        return error_set(err, ERROR_INTERNAL, "a process without a name or a program");
    if (strlen(spec->name) > PROCESS_NAME_MAX)
        return error_set(err, ERROR_LIMIT, "the name of a process has more than %d bytes",
                         PROCESS_NAME_MAX);
    if (spec->n_mounts > PROCESS_MOUNTS_MAX)
        return error_set(err, ERROR_LIMIT, "%d folders for a process, at most %d", spec->n_mounts,
                         PROCESS_MOUNTS_MAX);
    SpecHead head = {
        .magic = SPEC_MAGIC,
        .n_mounts = (uint32_t)spec->n_mounts,
        .confined = spec->confined,
        .isolated = spec->isolated,
        .has_output = spec->output || spec->output_fd >= 0,
        .has_status = spec->status_fd >= 0,
        .has_listen = spec->listen_fd >= 0,
        .pids = spec->pids > 0 ? spec->pids : PROCESS_PIDS,
        .memory_bytes = spec->memory_bytes,
        .file_bytes = spec->file_bytes,
        .cpus = spec->cpus,
        .stop_seconds = spec->stop_seconds,
    };
    size_t size = sizeof head + strlen(spec->name) + 1 + strlen(folder) + 1;
    head.n_argv = (uint32_t)count_texts(spec->argv, &size);
    head.n_env = (uint32_t)count_texts(spec->env, &size);
    for (int i = 0; i < spec->n_mounts; i++) {
        size += strlen(spec->mounts[i].from) + strlen(spec->mounts[i].to) + 2;
        head.writable[i] = spec->mounts[i].writable;
    }
    if (size > PROCESS_SPEC_MAX || head.n_argv > PROCESS_STRINGS_MAX ||
        head.n_env > PROCESS_STRINGS_MAX)
        return error_set(err, ERROR_LIMIT,
                         "arguments and environment of %zu bytes in %u texts; at most %d bytes",
                         size, head.n_argv + head.n_env, PROCESS_SPEC_MAX);
    head.size = (uint32_t)size;

    int fd = memfd_create("clary-process", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0) return error_sys(err, errno, "making a memory file");
    char *bytes = MAP_FAILED;
    if (ftruncate(fd, (off_t)size) < 0 ||
        (bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)) == MAP_FAILED) {
        error_sys(err, errno, "a memory file of %zu bytes", size);
        close(fd);
        return false;
    }
    memcpy(bytes, &head, sizeof head);
    char *at = add_text(bytes + sizeof head, spec->name);
    at = add_text(at, folder);
    for (size_t i = 0; i < head.n_argv; i++) at = add_text(at, spec->argv[i]);
    for (size_t i = 0; i < head.n_env; i++) at = add_text(at, spec->env[i]);
    for (int i = 0; i < spec->n_mounts; i++) {
        at = add_text(at, spec->mounts[i].from);
        at = add_text(at, spec->mounts[i].to);
    }
    munmap(bytes, size);
    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
    *ret_fd = fd;
    return true;
}

static char *take_text(char **at, const char *end)
{
    char *text = *at, *nul = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;
    if (!nul) return NULL;
    *at = nul + 1;
    return text;
}

static bool take_texts(char **at, const char *end, char **texts, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!(texts[i] = take_text(at, end))) return false;
    return true;
}

bool spec_open(int fd, Spec *ret_spec, Error *err)
{
    struct stat info;
    if (fstat(fd, &info) < 0) return error_sys(err, errno, "a process specification");
    size_t size = (size_t)info.st_size;
    if (info.st_size < (off_t)sizeof(SpecHead) || info.st_size > PROCESS_SPEC_MAX)
        return error_set(err, ERROR_INTERNAL, "a process specification of %lld bytes",
                         (long long)info.st_size);
    char *bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) return error_sys(err, errno, "a process specification");

    const SpecHead *head = (const SpecHead *)bytes;
    if (head->magic != SPEC_MAGIC || head->size != size || !head->n_argv ||
        head->n_argv > PROCESS_STRINGS_MAX || head->n_env > PROCESS_STRINGS_MAX ||
        head->n_mounts > PROCESS_MOUNTS_MAX) {
        munmap(bytes, size);
        return error_set(err, ERROR_INTERNAL, "a malformed process specification");
    }
    size_t n_texts = head->n_argv + 1 + head->n_env + 1 + 2 * (size_t)head->n_mounts;
    char **texts = calloc(n_texts, sizeof *texts);
    if (!texts) {
        munmap(bytes, size);
        return error_set(err, ERROR_NO_MEMORY, "no memory for a process specification");
    }
    Spec spec = {.head = head,
                 .argv = texts,
                 .env = texts + head->n_argv + 1,
                 .from = texts + head->n_argv + 1 + head->n_env + 1};
    spec.to = spec.from + head->n_mounts;
    char *at = bytes + sizeof *head, *end = bytes + size;
    bool good = (spec.name = take_text(&at, end)) && (spec.folder = take_text(&at, end)) &&
                take_texts(&at, end, spec.argv, head->n_argv) &&
                take_texts(&at, end, spec.env, head->n_env);
    for (uint32_t i = 0; good && i < head->n_mounts; i++)
        good = (spec.from[i] = take_text(&at, end)) && (spec.to[i] = take_text(&at, end));
    if (!good || strlen(spec.name) > PROCESS_NAME_MAX) {
        spec_close(&spec);
        return error_set(err, ERROR_INTERNAL, "a malformed process specification");
    }
    *ret_spec = spec;
    return true;
}

void spec_close(Spec *spec)
{
    if (!spec->head) return;
    free(spec->argv);
    munmap((void *)(uintptr_t)spec->head, spec->head->size);
    *spec = (Spec){0};
}

bool packet_send(int socket, const void *bytes, size_t size, const int *fds, int n_fds)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * 253)];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (n_fds) {
        message.msg_control = &control;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n_fds);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        *header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
                                   .cmsg_type = SCM_RIGHTS,
                                   .cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n_fds)};
        memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)n_fds);
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)size;
}

int64_t packet_receive(int socket, void *bytes, size_t size, int *fds, int fds_max, int *ret_n_fds,
                       int flags)
{
    struct iovec part = {bytes, size};
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int) * 253)];
    } control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof control};
    ssize_t got;
    do got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
    while (got < 0 && errno == EINTR);
    int n = 0;
    if (got >= 0)
        for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header;
             header = CMSG_NXTHDR(&message, header)) {
            if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
            size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
            for (size_t i = 0; i < count; i++) {
                int fd;
                memcpy(&fd, CMSG_DATA(header) + i * sizeof fd, sizeof fd);
                if (n < fds_max)
                    fds[n++] = fd;
                else
                    close(fd);
            }
        }
    if (ret_n_fds) *ret_n_fds = n;
    return got;
}
