/* Runs every registered test in a child process of its own.
 *
 *   clary-tests [-j N] [-l] [WORD...]   only tests whose "module.name" contains a word; -l lists
 *
 * The last line counts what passed, failed and was skipped; the exit status is 1 when any failed. */

#include "base/test.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/thread.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

enum { SKIPPED = 77, JOBS_MAX = 64, SECONDS_MAX = 300, OUTPUT_MAX = 64 * 1024 };

static TestCase *tests;
static Arena kept;      /* strings handed to the running test */
static char *temporary; /* its folder, or NULL */
static const char *source_root = CLARY_SOURCE_ROOT;

void test_register(TestCase *test)
{
    test->next = tests;
    tests = test;
}

static int remove_entry(const char *path, const struct stat *status UNUSED, int type UNUSED,
                        struct FTW *walk UNUSED)
{
    return remove(path);
}

static void end_test(int status)
{
    if (temporary) nftw(temporary, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    fflush(NULL);
    _exit(status);
}

void test_fail(const char *file, int line, const char *format, ...)
{
    fprintf(stderr, "%s:%d: ", file, line);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    end_test(1);
    abort();
}

void test_skip(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    end_test(SKIPPED);
    abort();
}

const char *test_path(const char *relative)
{
    return path_join(&kept, source_root, relative);
}

const char *test_data(const char *relative)
{
    const char *path = path_join(&kept, path_join(&kept, source_root, "../shared/data"), relative);
    if (!file_exists(path)) test_skip("data set '%s' is absent", relative);
    return path;
}

const char *test_folder(void)
{
    if (!temporary) {
        const char *base = getenv("TMPDIR");
        temporary = path_join(&kept, base ? base : "/tmp", "clary-test-XXXXXX");
        if (!mkdtemp(temporary)) test_fail(__FILE__, __LINE__, "mkdtemp: %s", strerror(errno));
    }
    return temporary;
}

bool test_near(double got, double want, double tolerance)
{
    if (isnan(got) || isnan(want)) return isnan(got) && isnan(want);
    if (isinf(got) || isinf(want)) return got == want;
    return fabs(got - want) <= tolerance * fmax(1, fabs(want));
}

typedef struct Job {
    const TestCase *test;
    pid_t pid;
    FILE *output;
    double start;
} Job;

static bool start_job(Job *job, const TestCase *test)
{
    *job = (Job){.test = test, .output = tmpfile(), .start = clock_seconds()};
    if (!job->output) return false;
    fflush(NULL);
    job->pid = fork();
    if (job->pid == 0) {
        dup2(fileno(job->output), STDOUT_FILENO);
        dup2(fileno(job->output), STDERR_FILENO);
        alarm(SECONDS_MAX);
        test->run();
        end_test(0);
    }
    return job->pid > 0;
}

static void print_output(FILE *output)
{
    rewind(output);
    char line[4096];
    size_t total = 0;
    while (total < OUTPUT_MAX && fgets(line, sizeof line, output)) {
        printf("    %s", line);
        total += strlen(line);
        if (!strchr(line, '\n')) putchar('\n');
    }
}

typedef struct Counts {
    int passed, failed, skipped;
} Counts;

static void finish_job(Job *job, int status, Counts *counts)
{
    const TestCase *test = job->test;
    double seconds = clock_seconds() - job->start;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
        counts->passed++;
        if (seconds > 5) printf("slow  %s.%s (%.1f s)\n", test->module, test->name, seconds);
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == SKIPPED) {
        counts->skipped++;
        printf("skip  %s.%s\n", test->module, test->name);
        print_output(job->output);
    } else {
        counts->failed++;
        printf("FAIL  %s.%s (%s", test->module, test->name, test->file);
        if (WIFSIGNALED(status)) printf(", %s", strsignal(WTERMSIG(status)));
        printf(")\n");
        print_output(job->output);
    }
    fclose(job->output);
    job->pid = 0;
}

static int compare_tests(const void *a, const void *b)
{
    const TestCase *x = *(const TestCase *const *)a, *y = *(const TestCase *const *)b;
    int order = strcmp(x->module, y->module);
    return order ? order : strcmp(x->name, y->name);
}

static bool wanted(const TestCase *test, char **words, int n_words)
{
    char name[256];
    snprintf(name, sizeof name, "%s.%s", test->module, test->name);
    for (int i = 0; i < n_words; i++)
        if (strstr(name, words[i])) return true;
    return n_words == 0;
}

int main(int argc, char **argv)
{
    int n_jobs = processor_count(), option;
    bool list = false;
    while ((option = getopt(argc, argv, "j:l")) != -1) {
        if (option == 'j') n_jobs = (int)strtol(optarg, NULL, 10);
        if (option == 'l') list = true;
        if (option == '?') return 2;
    }
    n_jobs = MAX(1, MIN(n_jobs, JOBS_MAX));

    size_t n = 0;
    for (TestCase *test = tests; test; test = test->next) n++;
    const TestCase **chosen = calloc(n + 1, sizeof *chosen);
    size_t n_chosen = 0;
    for (TestCase *test = tests; test; test = test->next)
        if (wanted(test, argv + optind, argc - optind)) chosen[n_chosen++] = test;
    qsort(chosen, n_chosen, sizeof *chosen, compare_tests);

    Counts counts = {0};
    Job jobs[JOBS_MAX] = {0};
    size_t next = 0;
    int running = 0;
    while (!list && (next < n_chosen || running)) {
        for (int i = 0; i < n_jobs && next < n_chosen; i++) {
            if (jobs[i].pid) continue;
            if (!start_job(&jobs[i], chosen[next++])) return 2;
            running++;
        }
        int status;
        pid_t pid = wait(&status);
        for (int i = 0; i < n_jobs; i++)
            if (pid > 0 && jobs[i].pid == pid) {
                finish_job(&jobs[i], status, &counts);
                running--;
            }
    }
    for (size_t i = 0; list && i < n_chosen; i++)
        printf("%s.%s\n", chosen[i]->module, chosen[i]->name);
    free(chosen);
    if (list) return 0;
    printf("%d passed, %d failed, %d skipped\n", counts.passed, counts.failed, counts.skipped);
    return counts.failed ? 1 : 0;
}
