/* Limits by cgroups: version 2 where its controllers are, else version 1. */

#include "job/nursery.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool write_file(const char *folder, const char *name, const char *text)
{
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = write(fd, text, strlen(text));
    int code = errno;
    close(fd);
    errno = code;
    return n == (ssize_t)strlen(text);
}

static bool write_number(const char *folder, const char *name, int64_t number)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)number);
    return write_file(folder, name, text);
}

static size_t read_file(const char *path, char *text, size_t size)
{
    text[0] = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, text, size - 1);
    close(fd);
    if (n < 0) n = 0;
    text[n] = 0;
    return (size_t)n;
}

/* The folder of a hierarchy's mount: `type` "cgroup2", or "cgroup" with the controller. */
static bool find_mount(const char *type, const char *controller, char *ret, size_t size)
{
    FILE *file = fopen("/proc/self/mounts", "re");
    if (!file) return false;
    char line[1024], at[256], kind[64], options[512];
    bool found = false;
    while (!found && fgets(line, sizeof line, file)) {
        if (sscanf(line, "%*s %255s %63s %511s", at, kind, options) != 3 || strcmp(kind, type) != 0)
            continue;
        if (controller) {
            char *rest = options;
            for (char *part; (part = strsep(&rest, ","));) found |= strcmp(part, controller) == 0;
        } else {
            found = true;
        }
        if (found) snprintf(ret, size, "%s", at);
    }
    fclose(file);
    return found;
}

/* This process's group in a hierarchy: "" for the root. */
static void own_group(const char *controller, char *ret, size_t size)
{
    char text[4096], *rest = text;
    ret[0] = 0;
    read_file("/proc/self/cgroup", text, sizeof text);
    for (char *line; (line = strsep(&rest, "\n"));) {
        char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
        if (!path) continue;
        *path++ = 0;
        names++;
        bool match = !controller && !*names;
        for (char *name; controller && (name = strsep(&names, ","));)
            match |= strcmp(name, controller) == 0;
        if (match && strcmp(path, "/") != 0) snprintf(ret, size, "%s", path);
    }
}

/* Groups of keepers that were killed: their processes ended with them. */
static void sweep(const char *folder)
{
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char path[600];
        long pid = strncmp(entry->d_name, "clary-", 6) == 0 ? strtol(entry->d_name + 6, NULL, 10)
                                                            : 0;
        if (pid < 2 || kill((pid_t)pid, 0) == 0 || errno != ESRCH) continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        DIR *groups = opendir(path);
        for (const struct dirent *group; groups && (group = readdir(groups));)
            if (group->d_type == DT_DIR && group->d_name[0] != '.')
                unlinkat(dirfd(groups), group->d_name, AT_REMOVEDIR);
        if (groups) closedir(groups);
        rmdir(path);
    }
    closedir(dir);
}

static bool open_v1(const char *controller, char *ret, size_t size)
{
    char root[256], group[256], parent[640];
    if (!find_mount("cgroup", controller, root, sizeof root)) return false;
    own_group(controller, group, sizeof group);
    if (strlen(root) + strlen(group) + 32 > size) return false;
    snprintf(parent, sizeof parent, "%s%s", root, group);
    sweep(parent);
    snprintf(ret, size, "%s%s/clary-%d", root, group, (int)getpid());
    return mkdir(ret, 0755) == 0 || errno == EEXIST;
}

static bool open_v2(Cgroups *cgroups)
{
    char root[256], group[256], have[512], path[600];
    if (!find_mount("cgroup2", NULL, root, sizeof root)) return false;
    own_group(NULL, group, sizeof group);
    if (strlen(root) + strlen(group) + 32 > sizeof cgroups->memory) return false;
    snprintf(path, sizeof path, "%s%s/cgroup.controllers", root, group);
    read_file(path, have, sizeof have);
    if (!strstr(have, "memory") || !strstr(have, "pids")) return false;
    snprintf(path, sizeof path, "%s%s", root, group);
    /* A group with processes cannot hand controllers on: move to a leaf. */
    char leaf[640];
    snprintf(leaf, sizeof leaf, "%s/clary-keeper", path);
    if (mkdir(leaf, 0755) < 0 && errno != EEXIST) return false;
    if (*group && !write_number(leaf, "cgroup.procs", getpid())) return false;
    if (!write_file(path, "cgroup.subtree_control", "+memory +pids")) return false;
    write_file(path, "cgroup.subtree_control", "+cpu");
    sweep(path);
    snprintf(cgroups->memory, sizeof cgroups->memory, "%s%s/clary-%d", root, group, (int)getpid());
    if (mkdir(cgroups->memory, 0755) < 0 && errno != EEXIST) return false;
    if (!write_file(cgroups->memory, "cgroup.subtree_control", "+memory +pids")) return false;
    write_file(cgroups->memory, "cgroup.subtree_control", "+cpu");
    memcpy(cgroups->pids, cgroups->memory, sizeof cgroups->pids);
    memcpy(cgroups->cpu, cgroups->memory, sizeof cgroups->cpu);
    return true;
}

void cgroups_open(Cgroups *cgroups)
{
    *cgroups = (Cgroups){0};
    if (open_v2(cgroups)) {
        cgroups->version = 2;
        return;
    }
    if (!open_v1("memory", cgroups->memory, sizeof cgroups->memory)) return;
    if (!open_v1("pids", cgroups->pids, sizeof cgroups->pids)) {
        rmdir(cgroups->memory);
        return;
    }
    if (!open_v1("cpu", cgroups->cpu, sizeof cgroups->cpu)) cgroups->cpu[0] = 0;
    cgroups->version = 1;
}

void cgroups_close(const Cgroups *cgroups)
{
    if (!cgroups->version) return;
    rmdir(cgroups->memory);
    rmdir(cgroups->pids);
    if (cgroups->cpu[0]) rmdir(cgroups->cpu);
}

static bool group_path(const char *folder, const char *name, char *ret, size_t size)
{
    int n = snprintf(ret, size, "%s/%s", folder, name);
    return folder[0] && n > 0 && (size_t)n < size;
}

static bool make_group(const char *folder, const char *path)
{
    if (mkdir(path, 0755) == 0 || errno == EEXIST) return true;
    /* Somebody swept our empty folder away, who cannot see our process from where he is. */
    return errno == ENOENT && mkdir(folder, 0755) == 0 && mkdir(path, 0755) == 0;
}

static bool join(const char *folder, const char *name, pid_t pid, char *path, size_t size,
                 Error *err)
{
    if (!group_path(folder, name, path, size)) return true;
    if (!make_group(folder, path) || !write_number(path, "cgroup.procs", pid))
        return error_sys(err, errno, "putting the process into '%s'", path);
    return true;
}

bool cgroup_start(const Cgroups *cgroups, const char *name, const SpecHead *limits, pid_t pid,
                  Error *err)
{
    char path[600];
    bool second = cgroups->version == 2;
    if (!join(cgroups->memory, name, pid, path, sizeof path, err)) return false;
    if (limits->memory_bytes > 0) {
        if (!write_number(path, second ? "memory.max" : "memory.limit_in_bytes",
                          limits->memory_bytes))
            return error_sys(err, errno, "limiting memory in '%s'", path);
        /* Without swap a limit is a limit; kernels without swap accounting lack the file. */
        if (second)
            write_file(path, "memory.swap.max", "0");
        else
            write_number(path, "memory.memsw.limit_in_bytes", limits->memory_bytes);
        if (second) write_file(path, "memory.oom.group", "1");
    }
    if (!second && !join(cgroups->pids, name, pid, path, sizeof path, err)) return false;
    if (!write_number(path, "pids.max", limits->pids + 1)) /* init counts */
        return error_sys(err, errno, "limiting processes in '%s'", path);
    if (limits->cpus > 0 && cgroups->cpu[0]) {
        if (!second && !join(cgroups->cpu, name, pid, path, sizeof path, err)) return false;
        char text[64];
        long long quota = (long long)(limits->cpus * 100000);
        snprintf(text, sizeof text, "%lld 100000", quota);
        if (second)
            write_file(path, "cpu.max", text);
        else
            write_number(path, "cpu.cfs_quota_us", quota);
    }
    return true;
}

void cgroup_kill(const Cgroups *cgroups, const char *name)
{
    char path[600], text[8192];
    if (!cgroups->version || !group_path(cgroups->memory, name, path, sizeof path)) return;
    if (cgroups->version == 2 && write_file(path, "cgroup.kill", "1")) return;
    char list[640];
    snprintf(list, sizeof list, "%s/cgroup.procs", path);
    read_file(list, text, sizeof text);
    for (char *at = text, *end; *at; at = end) {
        long pid = strtol(at, &end, 10);
        if (end == at) break;
        if (pid > 1) kill((pid_t)pid, SIGKILL);
        while (*end == '\n') end++;
    }
}

bool cgroup_end(const Cgroups *cgroups, const char *name)
{
    char path[600], file[640], text[4096];
    if (!cgroups->version || !group_path(cgroups->memory, name, path, sizeof path)) return false;
    snprintf(file, sizeof file, "%s/%s", path,
             cgroups->version == 2 ? "memory.events" : "memory.oom_control");
    read_file(file, text, sizeof text);
    const char *count = strstr(text, "oom_kill ");
    bool killed = count && strtol(count + 9, NULL, 10) > 0;
    rmdir(path);
    if (cgroups->version == 1) {
        if (group_path(cgroups->pids, name, path, sizeof path)) rmdir(path);
        if (group_path(cgroups->cpu, name, path, sizeof path)) rmdir(path);
    }
    return killed;
}
