#ifndef CLARY_BASE_TEST_H
#define CLARY_BASE_TEST_H

/* Tests that register themselves; the runner (tests/runner.c) runs each in a child process.
 *
 *     TEST(str, trim_takes_blanks_off_both_ends)
 *     {
 *         CHECK_STR(str_trim(STR(" a ")), STR("a"));
 *     }
 *
 * A failed check ends its test.  SKIP("reason") ends it as skipped. */

#include "base/error.h"
#include "base/str.h"

typedef struct TestCase {
    const char *module, *name, *file;
    void (*run)(void);
    struct TestCase *next;
} TestCase;

void test_register(TestCase *test);
void test_fail(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4)
    __attribute__((noreturn));
void test_skip(const char *format, ...) PRINTF_LIKE(1, 2) __attribute__((noreturn));

/* Path of a file of the repository: test_path("tests/golden/x.txt"); valid until the test ends. */
const char *test_path(const char *relative);

/* Path of a file of the shared data sets; skips the test where they are absent. */
const char *test_data(const char *relative);

/* An empty folder that is removed after the test. */
const char *test_folder(void);

#define TEST(module_, name_)                                                                       \
    static void test_##module_##_##name_(void);                                                    \
    __attribute__((constructor)) static void register_##module_##_##name_(void)                    \
    {                                                                                              \
        static TestCase test = {#module_, #name_, __FILE__, test_##module_##_##name_, NULL};       \
        test_register(&test);                                                                      \
    }                                                                                              \
    static void test_##module_##_##name_(void)

#define SKIP(...) test_skip(__VA_ARGS__)
#define FAIL(...) test_fail(__FILE__, __LINE__, __VA_ARGS__)

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) FAIL("not true: %s", #condition);                                        \
    } while (0)

/* A call that must succeed; prints the error otherwise. */
#define CHECK_OK(call, err)                                                                        \
    do {                                                                                           \
        if (!(call)) FAIL("%s: %s", #call, (err).text);                                            \
    } while (0)

#define CHECK_INT(got, want)                                                                       \
    do {                                                                                           \
        long long got_ = (long long)(got), want_ = (long long)(want);                              \
        if (got_ != want_) FAIL("%s is %lld, not %lld", #got, got_, want_);                        \
    } while (0)

#define CHECK_STR(got, want)                                                                       \
    do {                                                                                           \
        Str got_ = (got), want_ = (want);                                                          \
        if (!str_eq(got_, want_))                                                                  \
            FAIL("%s is\n  '%.*s', not\n  '%.*s'", #got, STR_ARG(got_), STR_ARG(want_));           \
    } while (0)

/* |got - want| <= tolerance * max(1, |want|); two NaN are near, equal infinities too. */
#define CHECK_NEAR(got, want, tolerance)                                                           \
    do {                                                                                           \
        double got_ = (got), want_ = (want);                                                       \
        if (!test_near(got_, want_, tolerance))                                                    \
            FAIL("%s is %.17g, not %.17g (tolerance %g)", #got, got_, want_, (double)(tolerance)); \
    } while (0)

bool test_near(double got, double want, double tolerance);

#endif
