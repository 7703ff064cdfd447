/* The sandbox from inside, in each mode that this machine allows: a program tries everything. */

#include "job/keeper.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/test.h"

#include <dirent.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* What is needed for "no" (or "yes"); 0: always so in confined processes. */
typedef struct Expectation {
    const char *name;
    const char *right;
    unsigned when; /* any of these features */
} Expectation;

enum { FILES = SANDBOX_NAMESPACES | SANDBOX_LANDLOCK };

static const Expectation expectations[] = {
    {"read-input", "yes", 0},
    {"write-output", "yes", 0},
    {"write-input", "no", FILES},
    {"truncate-input", "no", FILES},
    {"create-in-input", "no", FILES},
    {"remove-input", "no", FILES},
    {"chmod-input", "no", SANDBOX_NAMESPACES},
    {"link-input", "no", FILES},
    {"read-secret", "no", FILES},
    {"write-secret", "no", FILES},
    {"read-shadow", "no", FILES},
    {"write-usr", "no", FILES},
    {"write-root", "no", FILES},
    {"list-root-home", "no", FILES},
    {"write-null", "yes", 0},
    {"read-random", "yes", 0},
    {"make-device", "no", 0},
    {"fork", "yes", 0},
    {"write-tmp", "yes", SANDBOX_NAMESPACES},
    {"signal-outside", "no", SANDBOX_NAMESPACES},
    {"connect-outside", "no", SANDBOX_NETWORK},
    {"connect-abstract", "no", SANDBOX_NETWORK},
    {"own-loopback", "yes", 0},
    {"no-capabilities", "yes", SANDBOX_NAMESPACES},
    {"ptrace", "no", SANDBOX_SECCOMP},
    {"mount", "no", 0},
    {"unshare", "no", SANDBOX_SECCOMP},
    {"clone-user", "no", SANDBOX_SECCOMP},
    {"clone3", "no", SANDBOX_SECCOMP},
    {"setns", "no", SANDBOX_SECCOMP},
    {"bpf", "no", SANDBOX_SECCOMP},
    {"perf", "no", SANDBOX_SECCOMP},
    {"userfaultfd", "no", SANDBOX_SECCOMP},
    {"io_uring", "no", SANDBOX_SECCOMP},
    {"keyctl", "no", SANDBOX_SECCOMP},
    {"handle", "no", SANDBOX_SECCOMP},
    {"read-memory", "no", SANDBOX_SECCOMP},
    {"personality", "no", SANDBOX_SECCOMP},
    {"push-input", "no", SANDBOX_SECCOMP},
    {"no-new-privileges", "yes", 0},
    {"filtered", "yes", SANDBOX_SECCOMP},
    {"no-core", "yes", 0},
    {"three-files", "yes", SANDBOX_SECCOMP},
    {"first-processes", "yes", SANDBOX_NAMESPACES},
    {"own-session", "yes", 0},
};

static int listen_at(const void *address, socklen_t size)
{
    int fd = socket(*(const sa_family_t *)address, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0 && bind(fd, address, size) == 0 && listen(fd, 4) == 0);
    return fd;
}

static Str probe(const char *switches, bool isolated, unsigned *ret_features, Arena *arena)
{
    Error err = {0};
    setenv("CLARY_SANDBOX", switches, 1);
    const char *folder = test_folder();
    char *input = path_join(arena, folder, "input"), *output = path_join(arena, folder, "output");
    char *secret = path_join(arena, folder, "secret"), *out = path_join(arena, folder, "out");
    CHECK_OK(folder_make(input, &err) && folder_make(output, &err), err);
    CHECK_OK(file_commit(path_join(arena, input, "data"), STR("data"), &err), err);
    CHECK_OK(file_commit(secret, STR("secret"), &err), err);
    unlink(out);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    AUTO_FD int tcp = listen_at(&address, size);
    CHECK(getsockname(tcp, (struct sockaddr *)&address, &size) == 0);
    struct sockaddr_un abstract = {.sun_family = AF_UNIX};
    Str name = arena_format(arena, "clary-test-%d", (int)getpid());
    memcpy(abstract.sun_path + 1, name.ptr, name.len);
    AUTO_FD UNUSED int local = listen_at(
        &abstract, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + name.len));

    CHECK_OK(sandbox_features(ret_features, &err), err);
    if (isolated && !(*ret_features & SANDBOX_NETWORK)) SKIP("no network namespaces here");
    if (!(*ret_features & FILES)) SKIP("neither namespaces nor Landlock here");
    bool inside = *ret_features & SANDBOX_NAMESPACES;
    const char *program = SANDBOX_PROBE;
    char *program_folder = arena_cstr(arena, str_of(program));
    *strrchr(program_folder, '/') = 0;
    Mount mounts[] = {{input, "/opt/ml/input", false},
                      {output, "/opt/ml/output", true},
                      {program_folder, program_folder, false}};
    const char *argv[] = {program,
                          inside ? mounts[0].to : input,
                          inside ? mounts[1].to : output,
                          secret,
                          arena_format(arena, "%d", ntohs(address.sin_port)).ptr,
                          name.ptr,
                          arena_format(arena, "%d", (int)getpid()).ptr,
                          NULL};
    static const char *const env[] = {"A=b", NULL};
    ProcessSpec spec = {.name = "probe",
                        .argv = argv,
                        .env = env,
                        .folder = "/",
                        .output = out,
                        .output_fd = -1,
                        .status_fd = -1,
                        .listen_fd = -1,
                        .mounts = mounts,
                        .n_mounts = (int)COUNT(mounts),
                        .confined = true,
                        .isolated = isolated,
                        .memory_bytes = 256 << 20,
                        .stop_seconds = 5};
    Keeper *keeper;
    ProcessExit end;
    CHECK_OK(keeper_local(&keeper, &err), err);
    CHECK_OK(keeper_start(keeper, &spec, NULL, &err), err);
    CHECK_OK(keeper_wait(keeper, "probe", &end, &err), err);
    keeper_close(keeper);
    Str text;
    CHECK_OK(file_read(out, 65536, arena, &text, &err), err);
    if (!end.exited || end.status)
        FAIL("status %d, signal %d:\n%.*s", end.status, end.signal, STR_ARG(text));
    return text;
}

static void check(const char *switches, bool isolated)
{
    ARENA(arena);
    unsigned features;
    Str rest = probe(switches, isolated, &features, &arena), line;
    if (!isolated) features &= ~(unsigned)SANDBOX_NETWORK;
    size_t n = 0;
    bool wrong = false;
    while (str_next_line(&rest, &line)) {
        if (n == COUNT(expectations)) FAIL("more lines than expected: %.*s", STR_ARG(line));
        const Expectation *expected = &expectations[n++];
        Str name;
        if (!str_next(&line, ' ', &name) || !str_is(name, expected->name))
            FAIL("'%.*s' where '%s' was expected", STR_ARG(name), expected->name);
        if (expected->when && !(features & expected->when)) continue;
        if (str_is(line, expected->right)) continue;
        wrong = true;
        printf("CLARY_SANDBOX=%s isolated=%d features=%x: %s: %.*s\n", switches, isolated, features,
               expected->name, STR_ARG(line));
    }
    CHECK_INT(n, COUNT(expectations));
    CHECK(!wrong);
}

static size_t count_files(const char *path)
{
    size_t n = 0;
    DIR *folder = opendir(path);
    if (!folder) return 0;
    for (const struct dirent *entry; (entry = readdir(folder));) n += entry->d_name[0] != '.';
    closedir(folder);
    return n;
}

/* Descriptors, mounts and children of this process: nothing of a process that ended may stay. */
static size_t things_open(void)
{
    size_t n = count_files("/proc/self/fd");
    FILE *mounts = fopen("/proc/self/mounts", "re");
    if (mounts) {
        char line[1024]; /* others' mounts come and go */
        while (fgets(line, sizeof line, mounts)) n += strstr(line, "/opt/ml") != NULL;
        fclose(mounts);
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    FILE *children = fopen(path, "re");
    if (children) {
        for (int c; (c = getc(children)) != EOF;) n += c == ' ';
        fclose(children);
    }
    return n;
}

TEST(sandbox, all_that_this_machine_has)
{
    check("", true);
}

TEST(sandbox, with_the_hosts_network)
{
    check("", false);
}

TEST(sandbox, without_a_user_of_its_own)
{
    check("no-idmap", false);
}

TEST(sandbox, without_user_namespaces)
{
    if (geteuid() != 0) SKIP("needs root");
    check("no-user", true);
}

TEST(sandbox, without_landlock)
{
    check("no-landlock", false);
}

TEST(sandbox, without_seccomp)
{
    check("no-seccomp", false);
}

TEST(sandbox, without_cgroups)
{
    check("no-cgroups", false);
}

TEST(sandbox, by_landlock_and_seccomp_alone)
{
    check("no-user,no-namespaces,no-network", false);
}

/* A server that is not root: the same path, with the server's own user. */
TEST(sandbox, of_a_server_without_root)
{
    if (geteuid() != 0) SKIP("the other tests show it");
    if (access(SANDBOX_PROBE, X_OK) < 0) SKIP("the probe is not there");
    CHECK(chown(test_folder(), 65534, 65534) == 0);
    CHECK(setresgid(65534, 65534, 65534) == 0 && setresuid(65534, 65534, 65534) == 0);
    if (access(SANDBOX_PROBE, X_OK) < 0) SKIP("the build folder is closed to other users");
    unsigned features;
    Error err = {0};
    CHECK_OK(sandbox_features(&features, &err), err);
    const char *allowed = "/proc/sys/user/max_user_namespaces";
    ARENA(arena);
    Str text;
    int64_t most;
    if (file_read(allowed, 32, &arena, &text, &err) && str_to_int64(str_trim(text), &most) &&
        most > 0)
        CHECK(features & SANDBOX_USER); /* where the kernel gives them, we take them */
    check("", features & SANDBOX_NETWORK);
}

TEST(sandbox, leaves_nothing_behind_and_starts_quickly)
{
    Error err = {0};
    Keeper *keeper;
    static const char *const argv[] = {SANDBOX_PROBE, NULL}, *const env[] = {NULL};
    ARENA(arena);
    char *folder = arena_cstr(&arena, STR(SANDBOX_PROBE));
    *strrchr(folder, '/') = 0;
    Mount mount = {folder, folder, false};
    ProcessSpec spec = {.name = "short",
                        .argv = argv,
                        .env = env,
                        .folder = "/",
                        .output_fd = -1,
                        .status_fd = -1,
                        .listen_fd = -1,
                        .mounts = &mount,
                        .n_mounts = 1,
                        .confined = true,
                        .memory_bytes = 1 << 28};
    CHECK_OK(keeper_local(&keeper, &err), err);
    size_t before = 0, after = 0;
    double began = 0, cost[2];
    for (int isolated = 0; isolated < 2; isolated++) {
        unsigned features;
        CHECK_OK(sandbox_features(&features, &err), err);
        if (isolated && !(features & SANDBOX_NETWORK)) break;
        spec.isolated = isolated;
        for (int i = 0; i < 52; i++) {
            if (i == 2) {
                before = things_open();
                began = clock_seconds();
            }
            ProcessExit end;
            CHECK_OK(keeper_start(keeper, &spec, NULL, &err), err);
            CHECK_OK(keeper_wait(keeper, "short", &end, &err), err);
            CHECK_INT(end.status, 2);
        }
        cost[isolated] = (clock_seconds() - began) / 50;
        after = things_open();
        CHECK(after <= before);
        printf("a start and an end: %.2f ms, isolated %d\n", cost[isolated] * 1e3, isolated);
        CHECK(cost[isolated] < 0.25);
    }
    keeper_close(keeper);
}
