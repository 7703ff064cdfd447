#include "evaluate/ranking.h"

#include "base/test.h"

#include <math.h>

TEST(ranking, values_counted_by_hand)
{
    /* Two queries and one without a relevant row.  By score the first has 3 2 0 1, the second 0 1. */
    const float labels[] = {0, 3, 1, 2, 1, 0, 0, 0}, scores[] = {2, 9, 1, 5, 0, 3, 1, 2};
    const int64_t start[] = {0, 4, 6, 8};
    RankingInput input = {
        .n = 8, .labels = labels, .scores = scores, .group_start = start, .n_groups = 3};
    ARENA(arena);
    Error err = {0};
    Ranking result;
    CHECK_OK(ranking_evaluate(&input, &arena, &result, &err), err);
    CHECK_INT(result.n_lists, 3);
    CHECK_INT(result.n_empty, 1);
    double first = (7 + 3 / log2(3) + 1 / log2(5)) / (7 + 3 / log2(3) + 0.5), second = 1 / log2(3);
    CHECK_NEAR(result.lists[0].ndcg, first, 1e-15);
    CHECK_NEAR(result.lists[1].ndcg, second, 1e-15);
    CHECK(isnan(result.lists[2].ndcg));
    CHECK_NEAR(result.at[3].ndcg, (first + second + 1) / 3, 1e-15);
    CHECK_NEAR(result.at[0].ndcg, (1. + 0 + 1) / 3, 1e-15); /* k = 1 */
    double ap = (1 + 1 + 3. / 4) / 3;
    CHECK_NEAR(result.lists[0].average_precision, ap, 1e-15);
    CHECK_NEAR(result.at[RANKING_CUTS - 1].map, (ap + 0.5 + 1) / 3, 1e-15);
    CHECK_NEAR(result.at[1].precision, (2. / 3 + 0.5 + 0) / 3, 1e-15); /* k = 3, lists of 4, 2, 2 */
    CHECK_NEAR(result.mrr, 0.75, 1e-15);
    CHECK_NEAR(result.at[0].hit, 0.5, 1e-15);
    CHECK_INT(result.n_worst, 2);
    CHECK_INT(result.worst[0], 1);

    /* scikit-learn's ndcg_score of 3, 2, 0, 1 in this order */
    input.linear_gain = true;
    CHECK_OK(ranking_evaluate(&input, &arena, &result, &err), err);
    CHECK_NEAR(result.lists[0].ndcg, 0.9854419388428785, 1e-15);

    const float weights[] = {3, 0, 0, 0, 1, 0, 0, 0}; /* the first row's counts */
    input.weights = weights;
    CHECK_OK(ranking_evaluate(&input, &arena, &result, &err), err);
    CHECK_NEAR(result.mrr, (3 * 1 + 1 * 0.5) / 4, 1e-15);
}

TEST(ranking, random_order_is_the_mean_over_all_orders)
{
    const float labels[] = {2, 0, 1};
    static const float orders[6][3] = {{3, 2, 1}, {3, 1, 2}, {2, 3, 1},
                                       {1, 3, 2}, {2, 1, 3}, {1, 2, 3}};
    ARENA(arena);
    double sum = 0;
    Ranking result;
    for (int o = 0; o < 6; o++) {
        Error err = {0};
        RankingInput input = {.n = 3, .labels = labels, .scores = orders[o]};
        CHECK_OK(ranking_evaluate(&input, &arena, &result, &err), err);
        sum += result.at[RANKING_CUTS - 1].ndcg;
    }
    CHECK_NEAR(result.random_ndcg, sum / 6, 1e-14);
}

TEST(ranking, refusals_name_the_row)
{
    ARENA(arena);
    Error err = {0};
    Ranking result;
    const float good[] = {1, 0}, negative[] = {1, -1}, wrong[] = {1, NAN}, large[] = {32, 0};
    RankingInput input = {.n = 2, .labels = negative, .scores = good};
    CHECK(!ranking_evaluate(&input, &arena, &result, &err));
    CHECK_STR(str_of(err.text), STR("row 2: the relevance is -1, not 0 or more"));
    input = (RankingInput){.n = 2, .labels = good, .scores = wrong};
    CHECK(!ranking_evaluate(&input, &arena, &result, &err));
    CHECK_STR(str_of(err.text), STR("row 2: the score is not a number"));
    input = (RankingInput){.n = 2, .labels = large, .scores = good};
    CHECK(!ranking_evaluate(&input, &arena, &result, &err));
    input = (RankingInput){0};
    CHECK_OK(ranking_evaluate(&input, &arena, &result, &err), err);
    CHECK(isnan(result.mrr));
}
