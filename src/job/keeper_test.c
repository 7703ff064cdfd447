/* Tests of the keeper: starting, watching, stopping, and what is left over. */

#include "job/keeper.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static Keeper *keeper;

static ProcessSpec shell(const char *name, const char *const *argv)
{
    static const char *const env[] = {"PATH=/usr/bin:/bin", NULL};
    if (!keeper) {
        Error err = {0};
        CHECK_OK(keeper_local(&keeper, &err), err);
    }
    return (ProcessSpec){.name = name,
                         .argv = argv,
                         .env = env,
                         .folder = "/",
                         .output_fd = -1,
                         .status_fd = -1,
                         .listen_fd = -1,
                         .stop_seconds = 5};
}

TEST(keeper, says_how_a_program_ended)
{
    Error err = {0};
    static const char *const argv[] = {"/bin/sh", "-c", "echo $0 $FOO; exit 7", "hello", NULL};
    static const char *const env[] = {"FOO=bar", NULL};
    ProcessSpec spec = shell("a", argv);
    char path[300];
    snprintf(path, sizeof path, "%s/out", test_folder());
    spec.output = path;
    spec.env = env;
    int pid = 0;
    ProcessExit end;
    CHECK_OK(keeper_start(keeper, &spec, &pid, &err), err);
    CHECK(pid > 1);
    CHECK_OK(keeper_wait(keeper, "a", &end, &err), err);
    CHECK(end.exited);
    CHECK_INT(end.status, 7);
    CHECK(end.peak_rss_bytes > 100000);
    ARENA(arena);
    Str text;
    CHECK_OK(file_read(path, 100, &arena, &text, &err), err);
    CHECK_STR(text, STR("hello bar\n"));
    CHECK(!keeper_wait(keeper, "a", &end, &err));
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    keeper_close(keeper);
}

TEST(keeper, a_program_that_is_not_there)
{
    Error err = {0};
    static const char *const argv[] = {"/no/such/program", NULL};
    ProcessSpec spec = shell("a", argv);
    CHECK(!keeper_start(keeper, &spec, NULL, &err));
    CHECK_INT(err.kind, ERROR_NOT_FOUND);
    CHECK(strstr(err.text, "/no/such/program"));
    Str *names;
    size_t n;
    ARENA(arena);
    CHECK_OK(keeper_children(keeper, &arena, &names, &n, &err), err);
    CHECK_INT(n, 0);
    keeper_close(keeper);
}

TEST(keeper, names_are_unique_among_the_living)
{
    Error err = {0};
    static const char *const argv[] = {"/bin/sleep", "30", NULL};
    ProcessSpec spec = shell("twin", argv);
    CHECK_OK(keeper_start(keeper, &spec, NULL, &err), err);
    CHECK(!keeper_start(keeper, &spec, NULL, &err));
    CHECK_INT(err.kind, ERROR_CONFLICT);
    Str *names;
    size_t n;
    ARENA(arena);
    CHECK_OK(keeper_children(keeper, &arena, &names, &n, &err), err);
    CHECK_INT(n, 1);
    CHECK_STR(names[0], STR("twin"));
    double began = clock_seconds();
    CHECK_OK(keeper_stop(keeper, "twin", -1, &err), err);
    ProcessExit end;
    CHECK_OK(keeper_wait(keeper, "twin", &end, &err), err);
    CHECK(!end.exited);
    CHECK_INT(end.signal, SIGTERM);
    CHECK(clock_seconds() - began < 2);
    keeper_close(keeper);
}

TEST(keeper, kills_the_whole_tree_of_one_that_does_not_listen)
{
    Error err = {0};
    char path[300], script[1000];
    snprintf(path, sizeof path, "%s/alive", test_folder());
    snprintf(
        script, sizeof script,
        "trap '' TERM; (trap '' TERM; setsid sh -c 'while :; do echo x >>%s; sleep 0.02; done') & "
        "while :; do sleep 0.05; done",
        path);
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    for (int confined = 0; confined < 2; confined++) {
        Mount mount = {test_folder(), test_folder(), true};
        ProcessSpec spec = shell("deaf", argv);
        spec.confined = confined;
        spec.mounts = &mount;
        spec.n_mounts = confined;
        CHECK_OK(keeper_start(keeper, &spec, NULL, &err), err);
        while (!file_exists(path)) usleep(10000);
        CHECK_OK(keeper_stop(keeper, "deaf", 0.1, &err), err);
        ProcessExit end;
        CHECK_OK(keeper_wait(keeper, "deaf", &end, &err), err);
        CHECK_INT(end.signal, SIGKILL);
        unlink(path);
        usleep(100000);
        CHECK(!file_exists(path));
    }
    keeper_close(keeper);
}

TEST(keeper, children_outlive_a_crash_of_the_server)
{
    Error err = {0};
    char marker[300];
    snprintf(marker, sizeof marker, "%s/second", test_folder());
    Keeper *mine;
    CHECK_OK(keeper_split(-1, &mine, &err), err); /* from here on: the server, twice */
    ARENA(arena);
    Str *names;
    size_t n;
    ProcessExit end;
    CHECK_OK(keeper_children(mine, &arena, &names, &n, &err), err);
    if (!file_exists(marker)) {
        static const char *const argv[] = {"/bin/sh", "-c", "sleep 0.5; exit 9", NULL};
        keeper = mine;
        ProcessSpec spec = shell("survivor", argv);
        CHECK_INT(n, 0);
        CHECK_OK(keeper_start(mine, &spec, NULL, &err), err);
        CHECK_OK(file_commit(marker, STR(""), &err), err);
        raise(SIGKILL);
    }
    CHECK_INT(n, 1);
    CHECK_STR(names[0], STR("survivor"));
    CHECK_OK(keeper_wait(mine, "survivor", &end, &err), err);
    CHECK_INT(end.status, 9);
    keeper_close(mine);
}

TEST(keeper, memory_limits_are_recognized)
{
    Error err = {0};
    unsigned features;
    CHECK_OK(sandbox_features(&features, &err), err);
    if (!(features & SANDBOX_CGROUP)) SKIP("no cgroups here");
    static const char *const argv[] = {"/bin/sh", "-c",
                                       "x=0123456789abcdef; while :; do x=$x$x; done", NULL};
    ProcessSpec spec = shell("fat", argv);
    spec.confined = true;
    spec.memory_bytes = 64 << 20;
    CHECK_OK(keeper_start(keeper, &spec, NULL, &err), err);
    ProcessExit end;
    CHECK_OK(keeper_wait(keeper, "fat", &end, &err), err);
    CHECK(end.out_of_memory);
    CHECK_INT(end.signal, SIGKILL);
    CHECK(end.peak_rss_bytes < 80 << 20);
    keeper_close(keeper);
}
