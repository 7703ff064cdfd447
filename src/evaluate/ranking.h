#ifndef CLARY_EVALUATE_RANKING_H
#define CLARY_EVALUATE_RANKING_H

/* How good the order is into which a model puts the rows of each query.
 *
 * A list is the rows of a query by falling score; equal scores keep the order of the rows.  NDCG has
 * gains 2^relevance - 1 and discounts 1 / log2(1 + position), as in XGBoost.  The others look at
 * whether a row is relevant at all (label above 0).  Lists without relevant rows count 1 in NDCG and
 * MAP (XGBoost's choice, so that values equal those of training), 0 in precision, and are left out
 * of reciprocal rank and hits. */

#include "base/arena.h"
#include "base/error.h"

typedef struct RankingInput {
    int64_t n;
    const float *labels; /* relevance, 0 or more */
    const float *scores;
    const int64_t *group_start; /* n_groups + 1 row numbers; NULL: one list */
    int64_t n_groups;
    const float *weights; /* of rows: a list has that of its first row; NULL: all 1 */
    bool linear_gain;     /* gains are the labels themselves, as in scikit-learn */
} RankingInput;

enum { RANKING_CUTS = 5 };
extern const int64_t ranking_cuts[RANKING_CUTS]; /* 1, 3, 5, 10; 0: the whole list */

typedef struct RankingAt {
    double ndcg, map, precision, hit; /* hit: a relevant row is among the first k */
} RankingAt;

typedef struct RankingList {
    int64_t first_row, n, n_relevant;
    double ndcg_10, ndcg, average_precision; /* NaN when no row is relevant */
    int64_t first_relevant;                  /* position of the first relevant row, from 1; 0 */
} RankingList;

typedef struct Ranking {
    int64_t n, n_lists, n_empty; /* lists without relevant rows */
    RankingAt at[RANKING_CUTS];
    double mrr;           /* mean reciprocal rank of the first relevant row */
    double random_ndcg;   /* of the whole lists in random order: what no model at all has */
    RankingList *lists;   /* in the order of the rows; in the arena */
    const int64_t *worst; /* the lists with relevant rows by rising ndcg_10 */
    int64_t n_worst;
} Ranking;

/* Fails for labels below 0 or not finite, and scores that are not numbers, with the row. */
bool ranking_evaluate(const RankingInput *input, Arena *arena, Ranking *ret_result, Error *err);

#endif
