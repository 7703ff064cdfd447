#include "format/regex.h"

#include "base/clock.h"
#include "base/test.h"

#include <stdio.h>
#include <stdlib.h>

static Regex *must(const char *pattern, int flags)
{
    Regex *regex = NULL;
    Error err = {0};
    if (!regex_new(str_of(pattern), flags, &regex, &err)) FAIL("%s: %s", pattern, err.text);
    return regex;
}

TEST(regex, whole_texts)
{
    static const struct {
        const char *pattern, *yes[4], *no[4];
    } cases[] = {
        {"^[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}", {"a", "job-1", "a--b"}, {"", "-a", "a-", "a_b"}},
        {"[\\.\\-_/#A-Za-z0-9]+", {"/aws/sagemaker/TrainingJobs", "a.b"}, {"", "a b", "a:b"}},
        {"arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+",
         {"arn:aws:iam::123456789012:role/r", "arn:aws-cn:iam::123456789012:rolex"},
         {"arn:aws:iam::12345678901:role/r"}},
        {"(?!.*--)[a-z-]+", {"a-b", "-"}, {"a--b"}},
        {"([a-z]([a-z-]){0,62})(?<!-)", {"a-b"}, {"a-", "ab-"}},
        {"(?=.{1,5}$)[a-z]*", {"abcde"}, {"", "abcdef"}},
        {"^(?!s3:|https:)[a-z0-9:/]+$", {"http:", "s4"}, {"s3:x", "https:x"}},
        {"[\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*", {"", "h\xc3\xa9 1", "x"}, {"a!", "\xe2\x98\x83"}},
        {"[^a-c]x|\\u00e9", {"dx", "\xc3\xa9"}, {"ax", "x"}},
        {"[\\uD800\\uDC00-\\uDBFF\\uDFFF]", {"\xf0\x9f\x98\x80"}, {"a"}},
        {"(?i)abc[x-z]", {"ABCX", "abcz"}, {"abca"}},
        {"a{2}b{1,}c{,2}", {"aab", "aabbcc"}, {"ab", "aabccc"}},
        {"a{x}", {"a{x}"}, {"aa"}},
        {"(a*)*b", {"b", "aaab"}, {"a"}},
        {"(|a)+", {"", "a", "aa"}, {"b"}},
        {"a.c",
         {"abc",
          "a\xc3\xa9"
          "c",
          "a\xff"
          "c"},
         {"a\nc", "ac"}},
        {"(?s)a.c", {"a\nc"}, {"ac"}},
        {"\\bfoo\\b \\Bx?", {"foo "}, {"foo x"}},
        {"([a-z]*)${1,3}", {"", "abc"}, {"a1"}},
        {"(?:a(?=b)|b(?!b))+", {"ab", "abab"}, {"abb", "aa"}},
        {"(?<=(?<!a))b", {"b"}, {"ab"}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(regex_free) Regex *regex = must(cases[i].pattern, 0);
        for (int k = 0; k < 4; k++) {
            if (cases[i].yes[k] && !regex_matches(regex, str_of(cases[i].yes[k])))
                FAIL("%s does not match '%s'", cases[i].pattern, cases[i].yes[k]);
            if (cases[i].no[k] && regex_matches(regex, str_of(cases[i].no[k])))
                FAIL("%s matches '%s'", cases[i].pattern, cases[i].no[k]);
        }
    }
}

TEST(regex, searching_finds_the_leftmost_and_its_groups)
{
    static const struct {
        const char *pattern, *text, *want; /* groups with blanks between, '-' for none */
    } cases[] = {
        {"validation-(rmse):([0-9\\.]+)", "[3]#011train-rmse:1.5#011validation-rmse:0.25",
         "validation-rmse:0.25|rmse|0.25"},
        {"#quality_metric: host=\\S+, train (\\w+) <loss>=(\\S+)",
         "x #quality_metric: host=algo-1, train loss <loss>=0.5 y",
         "#quality_metric: host=algo-1, train loss <loss>=0.5|loss|0.5"},
        {"a+", "baaac", "aaa"},
        {"a+?", "baaac", "a"},
        {"(a|ab)(c|bcd)", "xabcd", "abcd|a|bcd"},
        {"(a)|(b)", "b", "b|-|b"},
        {"(?P<x>[0-9]+)%", "at 42%", "42%|42"},
        {"", "abc", ""},
        {"$", "abc", ""},
        {"(?m)^b$", "a\nb\nc", "b"},
        {"loss: (-?\\d+(?:\\.\\d+)?(?:[eE][-+]?\\d+)?)", "loss: -1.5e-05,",
         "loss: -1.5e-05|-1.5e-05"},
        {"(?<=: )\\w+", "k: v", "v"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO(regex_free) Regex *regex = must(cases[i].pattern, 0);
        Str groups[REGEX_GROUPS_MAX];
        if (!regex_search(regex, str_of(cases[i].text), groups))
            FAIL("%s is not found", cases[i].pattern);
        char got[256] = "";
        size_t n = 0;
        for (int g = 0; g < regex_groups(regex); g++)
            n += (size_t)snprintf(got + n, sizeof got - n, "%s%.*s", g ? "|" : "",
                                  groups[g].ptr ? (int)groups[g].len : 1,
                                  groups[g].ptr ? groups[g].ptr : "-");
        CHECK_STR(str_of(got), str_of(cases[i].want));
    }
    AUTO(regex_free) Regex *regex = must("b", 0);
    CHECK(!regex_search(regex, STR("aaa"), NULL));
}

TEST(regex, what_is_refused_and_limits)
{
    static const struct {
        const char *pattern, *want;
    } cases[] = {
        {"(a", "position 3 of the pattern: ')' is missing"},
        {"a)", "position 2 of the pattern: ')' without its '('"},
        {"[a", "position 3 of the pattern: ']' is missing"},
        {"*a", "position 1 of the pattern: nothing to repeat"},
        {"(a)\\1", "position 6 of the pattern: back-references are not supported"},
        {"a++",
         "position 4 of the pattern: a repetition of a repetition (possessive ones are not supported)"},
        {"(?>a)", "position 3 of the pattern: an unknown kind of group"},
        {"[z-a]", "position 3 of the pattern: a range ends before it begins"},
        {"a{3,2}", "position 7 of the pattern: the larger count comes first"},
        {"\\p{Klingon}", "position 12 of the pattern: an unknown class of characters"},
        {"a\\", "position 3 of the pattern: nothing follows the backslash"},
        {"((a{100}){100}){100}",
         "the pattern needs more than 10000 states: its repetition counts are too large"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Regex *regex = NULL;
        Error err = {0};
        if (regex_new(str_of(cases[i].pattern), 0, &regex, &err))
            FAIL("%s is accepted", cases[i].pattern);
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
    char long_pattern[REGEX_BYTES_MAX + 2];
    memset(long_pattern, 'a', sizeof long_pattern);
    Regex *regex = NULL;
    Error err = {0};
    CHECK(!regex_new((Str){long_pattern, REGEX_BYTES_MAX + 1}, 0, &regex, &err));
    CHECK_OK(regex_new((Str){long_pattern, REGEX_BYTES_MAX}, 0, &regex, &err), err);
    regex_free(regex);
    char deep[200];
    for (int depth = REGEX_DEPTH_MAX - 1; depth <= REGEX_DEPTH_MAX; depth++) {
        memset(deep, '(', (size_t)depth);
        memset(deep + depth, ')', (size_t)depth);
        bool ok = regex_new((Str){deep, 2 * (size_t)depth}, 0, &regex, &err);
        CHECK_INT(ok, depth < REGEX_DEPTH_MAX);
        if (ok) regex_free(regex);
    }
    /* The counts of empty groups cost nothing. */
    regex = must("(?:(?:){100000}){100000}(|){1000}", 0);
    CHECK(regex_states(regex) < 5000);
    regex_free(regex);
}

TEST(regex, time_is_linear)
{
    /* What takes a backtracking matcher 2^n steps. */
    AUTO(regex_free) Regex *regex = must("(a|aa|a?)*(a*)*b", 0);
    size_t n = 100000;
    char *text = malloc(n);
    memset(text, 'a', n);
    double start = clock_seconds();
    CHECK(!regex_matches(regex, (Str){text, n}));
    CHECK(!regex_search(regex, (Str){text, n}, NULL));
    CHECK(clock_seconds() - start < 5);
    free(text);
}
