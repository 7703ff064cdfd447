/* Tests of what training jobs decide without a server; the stories are in tests/aws/training.py. */

#include "base/test.h"
#include "format/regex.h"
#include "service/sagemaker/training.h"

TEST(training, literals_are_part_of_every_match)
{
    static const struct {
        const char *pattern, *want;
    } cases[] = {
        {".*\\[[0-9]+\\].*#011validation-auc:(\\S+)", "#011validation-auc:"},
        {"#quality_metric: host=\\S+, test msd <loss>=(\\S+)", "#quality_metric: host="},
        {"loss=([0-9.]+);", "loss="},
        {"a|loss=(.*)", ""},       /* one of two */
        {"(?i)loss=(.*)", ""},     /* other letters match, too */
        {"(loss)?=([0-9]+)", "="}, /* inside of a group */
        {"losss*=(x)", "loss"},    /* the last letter may be missing */
        {"loss?=(x)", "los"},
        {"lo{0,2}ss=(x)", "ss="},
        {"[ab]c=(x)", "c="},
        {"[]abc]c=(x)", "c="},
        {"[^]abc]c=(x)", "c="},
        {"[a[bcd]]e", ""},
        {"\\dloss\\.=(x)", "loss"},
        {"^x$", "x"},
        {"\\bab\\b", "ab"},
        {"\\x41bc", ""}, /* A, b, c */
        {"", ""},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        CHECK_STR(log_literal(str_of(cases[i].pattern)), str_of(cases[i].want));
}
