#include "evaluate/survival.h"

#include "base/random.h"
#include "base/test.h"

#include <math.h>
#include <stdlib.h>

/* Every pair, one by one. */
static double slow_concordance(const SurvivalInput *in, double *ret_pairs)
{
    double pairs = 0, right = 0;
    for (int64_t i = 0; i < in->n; i++)
        for (int64_t j = 0; j < in->n; j++) {
            bool exact_i = in->lower[i] == in->upper[i], exact_j = in->lower[j] == in->upper[j];
            bool before = in->upper[i] < in->lower[j] ||
                          (in->upper[i] == in->lower[j] && exact_i && !exact_j);
            if (!before) continue;
            pairs++;
            right += in->risks[i] > in->risks[j] ? 1 : in->risks[i] == in->risks[j] ? 0.5 : 0;
        }
    *ret_pairs = pairs;
    return right / pairs;
}

TEST(survival, concordance_equals_counting_pairs)
{
    enum { N = 400 };
    for (uint64_t seed = 0; seed < 6; seed++) {
        Random random = random_stream(seed, 1);
        uint64_t at = 0;
        float lower[N], upper[N], risks[N];
        for (int i = 0; i < N; i++) {
            lower[i] = (float)(random_u64(random, at++) % 40);
            uint64_t kind = random_u64(random, at++) % (seed < 3 ? 2 : 3);
            upper[i] = kind == 0   ? lower[i]
                       : kind == 1 ? INFINITY
                                   : lower[i] + (float)(random_u64(random, at++) % 9);
            risks[i] = (float)(random_u64(random, at++) % 25) - lower[i] / 4;
        }
        SurvivalInput input = {.n = N, .lower = lower, .upper = upper, .risks = risks};
        ARENA(arena);
        Error err = {0};
        Survival result;
        CHECK_OK(survival_evaluate(&input, &arena, &result, &err), err);
        double pairs, want = slow_concordance(&input, &pairs);
        CHECK_NEAR(result.n_pairs, pairs, 0);
        CHECK_NEAR(result.concordance, want, 1e-12);
        CHECK(result.concordance > 0.55 && result.concordance < 1);
        CHECK(seed >= 3 || result.groups[0].n > 0);
        CHECK(seed < 3 || result.n_other > 0);
    }
}

TEST(survival, curves_by_hand)
{
    /* Of the high risk third: 2 died, 3 seen alive, 4 died, 6 seen alive. */
    const float labels[] = {2, -3, 4, -6, 5, -5, 5, -5, 9, -9, -9, -9},
                risks[] = {9, 9, 9, 9, 5, 5, 5, 5, 1, 1, 1, 1};
    float lower[12], upper[12];
    survival_cox_bounds(labels, 12, lower, upper);
    SurvivalInput input = {.n = 12, .lower = lower, .upper = upper, .risks = risks};
    ARENA(arena);
    Error err = {0};
    Survival result;
    CHECK_OK(survival_evaluate(&input, &arena, &result, &err), err);
    CHECK_INT(result.n_events, 5);
    CHECK_INT(result.n_right, 7);
    const SurvivalGroup *high = &result.groups[2];
    CHECK_INT(high->n_rows, 4);
    CHECK_INT(high->n, 6);
    static const double time[] = {0, 2, 2, 4, 4, 6}, alive[] = {1, 1, 0.75, 0.75, 0.375, 0.375};
    for (int i = 0; i < 6; i++) {
        CHECK_NEAR(high->time[i], time[i], 0);
        CHECK_NEAR(high->alive[i], alive[i], 1e-15);
    }
    CHECK_NEAR(high->median, 4, 0);
    CHECK(isnan(result.groups[0].median)); /* low risk: most are still alive */
    CHECK_NEAR(result.groups[1].alive[2], 0.5, 1e-15);
}

TEST(survival, times_and_refusals)
{
    float lower[] = {1, 2, 5}, upper[] = {1, INFINITY, 8}, times[] = {2, 9, 9}, risks[] = {3, 2, 1};
    SurvivalInput input = {.n = 3, .lower = lower, .upper = upper, .risks = risks, .times = times};
    ARENA(arena);
    Error err = {0};
    Survival result;
    CHECK_OK(survival_evaluate(&input, &arena, &result, &err), err);
    CHECK_NEAR(result.within, 1. / 3, 1e-15);
    CHECK_NEAR(result.time_mae, 1, 1e-15);
    CHECK_NEAR(result.median_time_ratio, 2, 1e-15);
    CHECK_INT(result.groups[0].n, 0);
    CHECK_NEAR(result.concordance, 1, 0);

    upper[2] = 4;
    CHECK(!survival_evaluate(&input, &arena, &result, &err));
    CHECK_STR(str_of(err.text), STR("row 3: the time is between 5 and 4, which is no interval"));
    upper[2] = 5;
    risks[0] = NAN;
    CHECK(!survival_evaluate(&input, &arena, &result, &err));
    input.n = 0;
    CHECK_OK(survival_evaluate(&input, &arena, &result, &err), err);
    CHECK(isnan(result.concordance));
}
