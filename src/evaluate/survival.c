/* Concordance of risks with interval-censored times, and Kaplan-Meier curves.
 *
 * Row i is known to fail before row j when its upper bound is below j's lower one, or when i failed
 * exactly at the time that j was last seen alive.  Rows are entered by rising upper bound into a tree
 * of counts over the ranks of risks (Fenwick, 1994), so that all pairs take n log n steps.
 *
 * Harrell, Califf, Pryor, Lee, Rosati: Evaluating the Yield of Medical Tests, 1982.
 * Kaplan, Meier: Nonparametric Estimation from Incomplete Observations, 1958. */

#include "evaluate/survival.h"

#include "base/memory.h"
#include "evaluate/rank.h"

#include <math.h>
#include <stdlib.h>

void survival_cox_bounds(const float *labels, int64_t n, float *ret_lower, float *ret_upper)
{
    for (int64_t i = 0; i < n; i++) {
        ret_lower[i] = fabsf(labels[i]);
        ret_upper[i] = labels[i] < 0 ? INFINITY : labels[i];
    }
}

static bool check_rows(const SurvivalInput *input, Error *err)
{
    for (int64_t i = 0; i < input->n; i++) {
        double low = (double)input->lower[i], high = (double)input->upper[i];
        if (!(low >= 0 && low <= high) || isinf(low))
            return error_set(err, ERROR_INVALID,
                             "row %lld: the time is between %g and %g, which is no interval",
                             (long long)i + 1, low, high);
        if (isnan(input->risks[i]) || (input->times && isnan(input->times[i])))
            return error_set(err, ERROR_INVALID, "row %lld: the prediction is not a number",
                             (long long)i + 1);
    }
    return true;
}

/* ---- concordance ---- */

typedef struct Bound {
    float time;
    bool late; /* upper bounds that are not exact come after, lower ones of rows still alive too */
    uint32_t row;
} Bound;

static int by_time(const void *a, const void *b)
{
    const Bound *x = a, *y = b;
    if (x->time != y->time) return x->time < y->time ? -1 : 1;
    if (x->late != y->late) return x->late ? 1 : -1;
    return (x->row > y->row) - (x->row < y->row);
}

static void tree_add(int64_t *tree, int64_t n, int64_t at)
{
    for (at++; at <= n; at += at & -at) tree[at]++;
}

static int64_t tree_sum(const int64_t *tree, int64_t n_first)
{
    int64_t sum = 0;
    for (int64_t at = n_first; at > 0; at -= at & -at) sum += tree[at];
    return sum;
}

/* rank[row]: how many different risks are higher. */
static int64_t rank_risks(const SurvivalInput *input, uint32_t *rank, Error *err)
{
    AUTO_DATA Ranked *ranked = data_array(Ranked, 2 * input->n, "the ranks of risks", err);
    if (!ranked) return -1;
    rank_descending(input->risks, 1, input->n, ranked, ranked + input->n);
    int64_t n_ranks = 0;
    for (int64_t k = 0; k < input->n; k++) {
        if (k > 0 && ranked[k].key != ranked[k - 1].key) n_ranks++;
        rank[ranked[k].row] = (uint32_t)n_ranks;
    }
    return n_ranks + 1;
}

/* i is surely before j at the same time only if i is exact (early) and j is still alive (late). */
static bool is_before(const Bound *i, const Bound *j)
{
    return i->time < j->time || (i->time == j->time && !i->late && j->late);
}

static bool find_concordance(const SurvivalInput *input, Survival *result, Error *err)
{
    int64_t n = input->n;
    AUTO_DATA uint32_t *rank = data_array(uint32_t, n, "the ranks of risks", err);
    if (!rank) return false;
    int64_t n_ranks = rank_risks(input, rank, err);
    if (n_ranks < 0) return false;
    AUTO_DATA int64_t *tree = data_array(int64_t, n_ranks + 1, "the counts of risks", err);
    if (!tree) return false;
    memset(tree, 0, (size_t)(n_ranks + 1) * sizeof *tree);
    AUTO_DATA Bound *bounds = data_array(Bound, 2 * n, "the bounds of times", err);
    if (!bounds) return false;
    Bound *ends = bounds, *begins = bounds + n;
    for (int64_t i = 0; i < n; i++) {
        bool exact = input->lower[i] == input->upper[i];
        ends[i] = (Bound){input->upper[i], !exact, (uint32_t)i};
        begins[i] = (Bound){input->lower[i], !exact, (uint32_t)i};
    }
    qsort(ends, (size_t)n, sizeof *ends, by_time);
    qsort(begins, (size_t)n, sizeof *begins, by_time);

    int64_t n_in = 0;
    double pairs = 0, right = 0;
    for (int64_t j = 0; j < n; j++) {
        for (; n_in < n && is_before(&ends[n_in], &begins[j]); n_in++)
            tree_add(tree, n_ranks, rank[ends[n_in].row]);
        int64_t r = rank[begins[j].row];
        int64_t higher = tree_sum(tree, r), equal = tree_sum(tree, r + 1) - higher;
        pairs += (double)n_in;
        right += (double)higher + 0.5 * (double)equal;
    }
    result->n_pairs = pairs;
    result->concordance = pairs > 0 ? right / pairs : (double)NAN;
    return true;
}

/* ---- curves ---- */

static void find_curve(Bound *rows, int64_t n, Arena *arena, SurvivalGroup *group)
{
    qsort(rows, (size_t)n, sizeof *rows, by_time);
    *group = (SurvivalGroup){.n_rows = n, .median = (double)NAN};
    int64_t n_times = 0;
    for (int64_t i = 0; i < n; i++) {
        group->n_events += !rows[i].late;
        n_times += !rows[i].late && (i == 0 || rows[i].time != rows[i - 1].time);
    }
    group->time = arena_array(arena, double, 2 * n_times + 2);
    group->alive = arena_array(arena, double, 2 * n_times + 2);
    double alive = 1;
    int64_t m = 1;
    group->alive[0] = 1;
    for (int64_t i = 0, end; i < n; i = end) {
        int64_t died = 0;
        for (end = i; end < n && rows[end].time == rows[i].time; end++) died += !rows[end].late;
        if (!died) continue;
        group->time[m] = group->time[m + 1] = (double)rows[i].time;
        group->alive[m] = alive;
        alive *= 1 - (double)died / (double)(n - i);
        group->alive[m + 1] = alive;
        if (isnan(group->median) && alive <= 0.5) group->median = (double)rows[i].time;
        m += 2;
    }
    if (n > 0) {
        group->time[m] = (double)rows[n - 1].time;
        group->alive[m++] = alive;
    }
    group->n = m;
}

static bool find_curves(const SurvivalInput *input, Arena *arena, Survival *result, Error *err)
{
    int64_t n = input->n;
    AUTO_DATA Ranked *ranked = data_array(Ranked, 2 * n, "the ranks of risks", err);
    if (!ranked) return false;
    AUTO_DATA Bound *rows = data_array(Bound, n, "the times", err);
    if (!rows) return false;
    rank_descending(input->risks, 1, n, ranked, ranked + n);
    for (int g = 0; g < SURVIVAL_GROUPS; g++) { /* ranks begin with the highest risk */
        int64_t begin = n * (SURVIVAL_GROUPS - 1 - g) / SURVIVAL_GROUPS,
                end = n * (SURVIVAL_GROUPS - g) / SURVIVAL_GROUPS;
        for (int64_t k = begin; k < end; k++) {
            uint32_t row = ranked[k].row;
            rows[k - begin] = (Bound){input->lower[row], isinf(input->upper[row]) != 0, row};
        }
        find_curve(rows, end - begin, arena, &result->groups[g]);
    }
    return true;
}

/* ---- times ---- */

static bool compare_times(const SurvivalInput *input, Survival *result, Error *err)
{
    AUTO_DATA double *ratios = data_array(double, input->n, "the predicted times", err);
    if (!ratios) return false;
    double within = 0, errors = 0;
    int64_t n_ratios = 0;
    for (int64_t i = 0; i < input->n; i++) {
        double time = (double)input->times[i], low = (double)input->lower[i];
        within += time >= low && time <= (double)input->upper[i];
        if (input->lower[i] != input->upper[i]) continue;
        errors += fabs(time - low);
        if (low > 0) ratios[n_ratios++] = time / low;
    }
    sort_doubles(ratios, (size_t)n_ratios);
    result->within = within / (double)input->n;
    result->time_mae = result->n_events ? errors / (double)result->n_events : (double)NAN;
    result->median_time_ratio = sorted_quantile(ratios, n_ratios, 0.5);
    return true;
}

bool survival_evaluate(const SurvivalInput *input, Arena *arena, Survival *ret_result, Error *err)
{
    if (!check_rows(input, err)) return false;
    Survival result = {.n = input->n,
                       .concordance = (double)NAN,
                       .within = (double)NAN,
                       .time_mae = (double)NAN,
                       .median_time_ratio = (double)NAN};
    for (int64_t i = 0; i < input->n; i++) {
        result.n_events += input->lower[i] == input->upper[i];
        result.n_right += isinf(input->upper[i]) != 0;
    }
    result.n_other = input->n - result.n_events - result.n_right;
    if (input->n > 0) {
        if (!find_concordance(input, &result, err)) return false;
        if (!result.n_other && !find_curves(input, arena, &result, err)) return false;
        if (input->times && !compare_times(input, &result, err)) return false;
    }
    *ret_result = result;
    return true;
}
