/* Runs a fuzz target over files and folders of files: in the ordinary build each target is linked
 * with this main, so that its corpus is a test like any other.
 *
 *   NAME_replay PATH...
 *
 * The last line counts the inputs; a crash names the input it came from. */

#include "base/arena.h"
#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { INPUT_MAX = 16 * 1024 * 1024, INPUTS_MAX = 100 * 1000, SECONDS_MAX = 10 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *current = "";

static void name_input(int signal)
{
    static const char before[] = "\ncrashed or hung on ";
    ssize_t written = write(STDERR_FILENO, before, sizeof before - 1);
    written += write(STDERR_FILENO, current, strlen(current));
    written += write(STDERR_FILENO, "\n", 1);
    _exit(written > 0 ? 128 + signal : 2);
}

static bool replay(const char *path, int *n, Error *err)
{
    ARENA(scratch);
    Str bytes;
    if (!file_read(path, INPUT_MAX, &scratch, &bytes, err)) return false;
    /* A block of its own, of just this size: sanitizers and valgrind see a read beyond its end. */
    uint8_t *copy = malloc(bytes.len ? bytes.len : 1);
    if (!copy) abort();
    if (bytes.len) memcpy(copy, bytes.ptr, bytes.len);
    current = path;
    alarm(SECONDS_MAX);
    LLVMFuzzerTestOneInput(copy, bytes.len);
    alarm(0);
    free(copy);
    ++*n;
    return true;
}

static bool replay_all(const char *path, int *n, Error *err)
{
    if (!folder_exists(path)) return replay(path, n, err);
    ARENA(arena);
    Str *names;
    size_t n_names;
    if (!folder_list(path, 8, true, INPUTS_MAX, &arena, &names, &n_names, err)) return false;
    for (size_t i = 0; i < n_names; i++)
        if (!replay(path_join(&arena, path, names[i].ptr), n, err)) return false;
    return true;
}

int main(int argc, char **argv)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM};
    for (size_t i = 0; i < COUNT(signals); i++) signal(signals[i], name_input);

    int n = 0;
    Error err = {0};
    for (int i = 1; i < argc; i++)
        if (!replay_all(argv[i], &n, &err)) {
            fprintf(stderr, "%s\n", err.text);
            return 1;
        }
    printf("%d inputs\n", n);
    return n ? 0 : 1;
}
