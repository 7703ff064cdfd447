/* Metrics of ranked lists, each list by itself, then their weighted means.
 *
 * Jarvelin, Kekalainen: Cumulated Gain-based Evaluation of IR Techniques, 2002. */

#include "evaluate/ranking.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

const int64_t ranking_cuts[RANKING_CUTS] = {1, 3, 5, 10, 0};

typedef struct Entry {
    float score, label;
    int64_t row;
} Entry;

static int by_score(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    if (x->score != y->score) return x->score < y->score ? 1 : -1;
    return x->row < y->row ? -1 : 1;
}

static int by_label(const void *a, const void *b)
{
    const Entry *x = a, *y = b;
    return (x->label < y->label) - (x->label > y->label);
}

static bool check_rows(const RankingInput *input, Error *err)
{
    for (int64_t i = 0; i < input->n; i++) {
        double label = (double)input->labels[i];
        if (!(label >= 0) || !isfinite(label))
            return error_set(err, ERROR_INVALID, "row %lld: the relevance is %g, not 0 or more",
                             (long long)i + 1, label);
        if (!input->linear_gain && label > 31)
            return error_set(err, ERROR_INVALID,
                             "row %lld: the relevance is %g; with gains of 2^relevance it is at "
                             "most 31",
                             (long long)i + 1, label);
        if (isnan(input->scores[i]))
            return error_set(err, ERROR_INVALID, "row %lld: the score is not a number",
                             (long long)i + 1);
        if (input->weights && !(input->weights[i] >= 0 && isfinite(input->weights[i])))
            return error_set(err, ERROR_INVALID, "row %lld: the weight is %g", (long long)i + 1,
                             (double)input->weights[i]);
    }
    return true;
}

static double gain(const RankingInput *input, float label)
{
    return input->linear_gain ? (double)label : exp2((double)label) - 1;
}

/* Discounted gain of the first k entries, for each cut. */
static void sum_gains(const RankingInput *input, const Entry *entries, int64_t n, double *ret_sums)
{
    double sum = 0;
    int cut = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += gain(input, entries[i].label) / log2((double)i + 2);
        for (; cut < RANKING_CUTS - 1 && ranking_cuts[cut] == i + 1; cut++) ret_sums[cut] = sum;
    }
    for (; cut < RANKING_CUTS; cut++) ret_sums[cut] = sum;
}

/* The mean over all orders: each place has the mean gain. */
static double random_share(const RankingInput *input, const Entry *entries, int64_t n, double ideal)
{
    double gains = 0, discounts = 0;
    for (int64_t i = 0; i < n; i++) {
        gains += gain(input, entries[i].label);
        discounts += 1 / log2((double)i + 2);
    }
    return gains / (double)n * discounts / ideal;
}

typedef struct Totals {
    double weight, weight_relevant, mrr, random_ndcg;
    RankingAt at[RANKING_CUTS];
} Totals;

static void add_relevant(const RankingInput *input, Entry *entries, double w, RankingList *list,
                         Totals *totals)
{
    double sums[RANKING_CUTS], ideal[RANKING_CUTS], precisions[RANKING_CUTS];
    int64_t hits[RANKING_CUTS], n_hits = 0, n = list->n;
    double precision_sum = 0;
    int cut = 0;
    for (int64_t i = 0; i < n; i++) {
        if (entries[i].label > 0) {
            n_hits++;
            precision_sum += (double)n_hits / (double)(i + 1);
            if (!list->first_relevant) list->first_relevant = i + 1;
        }
        for (; cut < RANKING_CUTS - 1 && ranking_cuts[cut] == i + 1; cut++) {
            hits[cut] = n_hits;
            precisions[cut] = precision_sum;
        }
    }
    for (; cut < RANKING_CUTS; cut++) {
        hits[cut] = n_hits;
        precisions[cut] = precision_sum;
    }
    sum_gains(input, entries, n, sums);
    qsort(entries, (size_t)n, sizeof *entries, by_label);
    sum_gains(input, entries, n, ideal);
    for (int c = 0; c < RANKING_CUTS; c++) {
        int64_t k = ranking_cuts[c] ? MIN(ranking_cuts[c], n) : n;
        totals->at[c].ndcg += w * sums[c] / ideal[c];
        totals->at[c].map += w * precisions[c] / (double)MIN(k, list->n_relevant);
        totals->at[c].precision += w * (double)hits[c] / (double)k;
        totals->at[c].hit += w * (hits[c] > 0);
    }
    list->ndcg_10 = sums[3] / ideal[3];
    list->ndcg = sums[RANKING_CUTS - 1] / ideal[RANKING_CUTS - 1];
    list->average_precision = precision_sum / (double)list->n_relevant;
    totals->mrr += w / (double)list->first_relevant;
    totals->random_ndcg += w * random_share(input, entries, n, ideal[RANKING_CUTS - 1]);
    totals->weight_relevant += w;
}

static void add_list(const RankingInput *input, Entry *entries, RankingList *list, Totals *totals)
{
    double w = input->weights ? (double)input->weights[list->first_row] : 1;
    for (int64_t i = 0; i < list->n; i++) {
        int64_t row = list->first_row + i;
        entries[i] = (Entry){input->scores[row], input->labels[row], row};
        list->n_relevant += input->labels[row] > 0;
    }
    totals->weight += w;
    if (list->n_relevant) {
        qsort(entries, (size_t)list->n, sizeof *entries, by_score);
        add_relevant(input, entries, w, list, totals);
        return;
    }
    list->ndcg_10 = list->ndcg = list->average_precision = (double)NAN;
    totals->random_ndcg += w;
    for (int c = 0; c < RANKING_CUTS; c++) {
        totals->at[c].ndcg += w;
        totals->at[c].map += w;
    }
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : (double)NAN;
}

static int by_quality(const void *a, const void *b, void *lists)
{
    int64_t i = *(const int64_t *)a, j = *(const int64_t *)b;
    double x = ((const RankingList *)lists)[i].ndcg_10, y = ((const RankingList *)lists)[j].ndcg_10;
    if (x != y) return x < y ? -1 : 1;
    return i < j ? -1 : 1;
}

static void sort_lists(Ranking *result, Arena *arena)
{
    int64_t *worst = arena_array(arena, int64_t, result->n_lists), n = 0;
    for (int64_t g = 0; g < result->n_lists; g++)
        if (result->lists[g].n_relevant) worst[n++] = g;
    qsort_r(worst, (size_t)n, sizeof *worst, by_quality, result->lists);
    result->worst = worst;
    result->n_worst = n;
}

bool ranking_evaluate(const RankingInput *input, Arena *arena, Ranking *ret_result, Error *err)
{
    if (!check_rows(input, err)) return false;
    const int64_t whole[] = {0, input->n};
    const int64_t *start = input->group_start ? input->group_start : whole;
    int64_t n_lists = input->group_start ? input->n_groups : 1, largest = 0;
    for (int64_t g = 0; g < n_lists; g++) largest = MAX(largest, start[g + 1] - start[g]);
    AUTO_DATA Entry *entries = data_array(Entry, largest, "the longest list", err);
    if (!entries) return false;

    Ranking result = {.n = input->n, .n_lists = n_lists};
    result.lists = arena_array(arena, RankingList, n_lists);
    Totals totals = {0};
    for (int64_t g = 0; g < n_lists; g++) {
        RankingList *list = &result.lists[g];
        *list = (RankingList){.first_row = start[g], .n = start[g + 1] - start[g]};
        if (list->n == 0) continue;
        add_list(input, entries, list, &totals);
        result.n_empty += list->n_relevant == 0;
    }
    for (int c = 0; c < RANKING_CUTS; c++)
        result.at[c] = (RankingAt){ratio(totals.at[c].ndcg, totals.weight),
                                   ratio(totals.at[c].map, totals.weight),
                                   ratio(totals.at[c].precision, totals.weight),
                                   ratio(totals.at[c].hit, totals.weight_relevant)};
    result.mrr = ratio(totals.mrr, totals.weight_relevant);
    result.random_ndcg = ratio(totals.random_ndcg, totals.weight);
    sort_lists(&result, arena);
    *ret_result = result;
    return true;
}
