/* Learning to rank: LambdaMART over pairs of rows of one query group.
 *
 * Each pair of different relevance pulls the better row up and the worse one down, by the slope of
 * the logistic loss of their score difference times what swapping the two would change in the
 * metric: NDCG, MAP, or 1 for rank:pairwise.  As in XGBoost 3 that change is divided by the score
 * difference + 0.01 (unless all scores are equal), so that pairs already far apart count less.
 *
 * Pairs: "topk" takes every row with each of the first k of the current order; "mean" draws partners
 * for each row from the rows of other relevance.  The draws are a function of seed, round, group and
 * row; XGBoost's own generator is not reproduced.
 *
 * Burges: From RankNet to LambdaRank to LambdaMART: An Overview, 2010. */

#include "boost/rank.h"

#include "boost/objective_spec.h"
#include "boost/sort.h"

#include "base/memory.h"
#include "base/random.h"

#include <stdatomic.h>
#include <string.h>

enum { ROWS_PER_CHUNK = 4096 };

typedef enum Target { TARGET_PAIRWISE, TARGET_NDCG, TARGET_MAP } Target;

/* Everything of one group in the order of the scores, best first. */
typedef struct Ranked {
    size_t n;
    uint32_t *row; /* within the group */
    float *score, *label;
    double *gain;             /* ndcg */
    double *hits, *precision; /* map: labels so far; sum of label / position so far */
    float *g, *h;
    float *difference, *probability; /* pairs of one row */
    uint32_t *partner;
    SortItem *work;
    uint32_t *by_label; /* mean: positions by descending label */
    void *block;
} Ranked;

typedef struct RankArgs {
    const Objective *objective;
    const Labels *labels;
    const float *margins;
    float *gh;
    Target target;
    int64_t round;
    size_t n_groups;
    const int64_t *start;
    size_t largest;
    const double *discount; /* of the first `largest` positions */
    size_t n_pairs;         /* per row; topk: k */
    bool topk;
    double weight_norm;
    atomic_bool failed;
    Error error;
} RankArgs;

double ideal_dcg(const float *sorted, size_t n, size_t top, bool exponential)
{
    double sum = 0;
    for (size_t k = 0; k < MIN(n, top); k++)
        sum += dcg_gain(sorted[k], exponential) * dcg_discount(k);
    return sum;
}

/* Room for groups of up to n rows, in one block. */
static bool ranked_init(Ranked *ranked, size_t n, Error *err)
{
    size_t room = n + 16;
    void *block = data_alloc(room, 3 * sizeof(double) + 2 * sizeof(SortItem) + 9 * sizeof(float),
                             "the ranking of a query group", err);
    if (!block) return false;
    double *d = block;
    *ranked = (Ranked){.gain = d, .hits = d + room, .precision = d + 2 * room, .block = block};
    ranked->work = (SortItem *)(d + 3 * room);
    float *f = (float *)(ranked->work + 2 * room);
    ranked->score = f;
    ranked->label = f + room;
    ranked->g = f + 2 * room;
    ranked->h = f + 3 * room;
    ranked->difference = f + 4 * room;
    ranked->probability = f + 5 * room;
    ranked->row = (uint32_t *)(f + 6 * room);
    ranked->partner = (uint32_t *)(f + 7 * room);
    ranked->by_label = (uint32_t *)(f + 8 * room);
    return true;
}

/* What swapping the rows at positions i and j would change. */
static double swap_change(const RankArgs *a, const Ranked *r, size_t i, size_t j,
                          double inverse_ideal)
{
    if (a->target == TARGET_PAIRWISE) return 1;
    if (a->target == TARGET_NDCG)
        return fabs((r->gain[i] - r->gain[j]) * (a->discount[i] - a->discount[j])) * inverse_ideal;

    size_t high = MIN(i, j), low = MAX(i, j);
    double position_high = (double)high + 1, position_low = (double)low + 1;
    double between = r->precision[low - 1] - r->precision[high];
    double change = r->label[high] < r->label[low]
                        ? r->hits[low] / position_low - (r->hits[high] + 1) / position_high -
                              between
                        : r->hits[high] / position_high - r->hits[low] / position_low + between;
    return fabs(change / r->hits[r->n - 1]);
}

/* Adds the pairs of position i with partner[0 .. n); returns the sum of lambdas. */
static double add_pairs(const RankArgs *a, Ranked *r, size_t i, size_t n, double inverse_ideal)
{
    for (size_t m = 0; m < n; m++) {
        size_t j = r->partner[m];
        float d = r->score[i] - r->score[j];
        r->difference[m] = r->label[i] > r->label[j] ? d : -d;
    }
    memcpy(r->probability, r->difference, n * sizeof(float));
    lanes_sigmoid(r->probability, n);

    bool spread = r->score[0] != r->score[r->n - 1];
    double sum = 0;
    for (size_t m = 0; m < n; m++) {
        size_t j = r->partner[m];
        double p = (double)r->probability[m], change = swap_change(a, r, i, j, inverse_ideal);
        if (spread) change /= fabs((double)r->difference[m]) + 0.01;
        float lambda = (float)((p - 1) * change);
        float h = (float)(fmax(p * (1 - p), 1e-16) * change * 2);
        float up = r->label[i] > r->label[j] ? lambda : -lambda;
        r->g[i] += up;
        r->g[j] -= up;
        r->h[i] += h;
        r->h[j] += h;
        sum += -2 * (double)lambda;
    }
    return sum;
}

static double topk_pairs(const RankArgs *a, Ranked *r, double inverse_ideal)
{
    double sum = 0;
    for (size_t i = 0; i < MIN(r->n, a->n_pairs); i++) {
        size_t n = 0;
        for (size_t j = i + 1; j < r->n; j++)
            if (r->label[j] != r->label[i]) r->partner[n++] = (uint32_t)j;
        sum += add_pairs(a, r, i, n, inverse_ideal);
    }
    return sum;
}

/* Each row draws n_pairs partners, all rows of other labels being equally likely. */
static double mean_pairs(const RankArgs *a, Ranked *r, size_t group, double inverse_ideal)
{
    Random random = random_stream(
        a->objective->params.seed ^ (uint64_t)a->round * 0x9e3779b97f4a7c15u, group);
    double sum = 0;
    sort_order(r->label, true, r->by_label, r->n, r->work);
    for (size_t begin = 0, end; begin < r->n; begin = end) {
        float label = r->label[r->by_label[begin]];
        for (end = begin + 1; end < r->n && r->label[r->by_label[end]] == label; end++) {
        }
        size_t others = r->n - (end - begin);
        if (others == 0) continue;
        for (size_t k = begin; k < end; k++) {
            for (size_t m = 0; m < a->n_pairs; m += r->n) { /* in parts that fit the workspace */
                size_t n = MIN(r->n, a->n_pairs - m);
                for (size_t q = 0; q < n; q++) {
                    size_t other = random_below(random, k * a->n_pairs + m + q, others);
                    r->partner[q] = r->by_label[other < begin ? other : other - begin + end];
                }
                sum += add_pairs(a, r, r->by_label[k], n, inverse_ideal);
            }
        }
    }
    return sum;
}

static void group_gradients(const RankArgs *a, Ranked *r, size_t group)
{
    const ObjectiveParams *params = &a->objective->params;
    size_t begin = (size_t)a->start[group], n = (size_t)a->start[group + 1] - begin;
    const float *margin = a->margins + begin, *label = a->labels->label + begin;
    float *gh = a->gh + 2 * begin;
    r->n = n;
    if (n == 0) return;

    double inverse_ideal = 0;
    if (a->target == TARGET_NDCG) {
        sort_order(label, true, r->row, n, r->work);
        for (size_t k = 0; k < n; k++) r->label[k] = label[r->row[k]];
        double ideal = ideal_dcg(r->label, n, a->topk ? a->n_pairs : n, params->ndcg_exp_gain);
        inverse_ideal = ideal == 0 ? 0 : 1 / ideal;
    }

    sort_order(margin, true, r->row, n, r->work);
    double hits = 0, precision = 0;
    for (size_t k = 0; k < n; k++) {
        r->score[k] = margin[r->row[k]];
        r->label[k] = label[r->row[k]];
        if (a->target == TARGET_NDCG) r->gain[k] = dcg_gain(r->label[k], params->ndcg_exp_gain);
        r->hits[k] = hits += (double)r->label[k];
        r->precision[k] = precision += (double)r->label[k] / ((double)k + 1);
    }
    memset(r->g, 0, n * sizeof(float));
    memset(r->h, 0, n * sizeof(float));
    double sum = a->topk ? topk_pairs(a, r, inverse_ideal) : mean_pairs(a, r, group, inverse_ideal);

    double norm = 1;
    if (params->lambdarank_normalization && a->topk && sum > 0) norm = log2(1 + sum) / sum;
    if (params->lambdarank_normalization && !a->topk) norm = 1 / (double)a->n_pairs;
    double weight = (a->labels->weight ? (double)a->labels->weight[group] : 1) * a->weight_norm;
    for (size_t k = 0; k < n; k++) {
        gh[2 * r->row[k]] = (float)((double)(float)((double)r->g[k] * norm) * weight);
        gh[2 * r->row[k] + 1] = (float)((double)(float)((double)r->h[k] * norm) * weight);
    }
}

static void groups_chunk(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    RankArgs *a = arg;
    Ranked ranked;
    Error err = {0};
    if (!ranked_init(&ranked, a->largest, &err)) {
        if (!atomic_exchange(&a->failed, true)) a->error = err;
        return;
    }
    for (size_t group = begin; group < end; group++) group_gradients(a, &ranked, group);
    data_free(ranked.block);
}

bool rank_gradients(Objective *objective, const Labels *labels, const float *margins, int64_t round,
                    Pool *pool, float *gh, Error *err)
{
    const ObjectiveParams *params = &objective->params;
    const int64_t whole[] = {0, labels->n_rows};
    RankArgs args = {
        .objective = objective,
        .labels = labels,
        .margins = margins,
        .gh = gh,
        .target = str_is(params->name, "rank:ndcg")  ? TARGET_NDCG
                  : str_is(params->name, "rank:map") ? TARGET_MAP
                                                     : TARGET_PAIRWISE,
        .round = round,
        .n_groups = labels->group_start ? (size_t)labels->n_groups : 1,
        .start = labels->group_start ? labels->group_start : whole,
        .topk = !str_is(params->lambdarank_pair_method, "mean"),
        .weight_norm = 1,
    };
    args.n_pairs = params->lambdarank_num_pair ? (size_t)params->lambdarank_num_pair
                                               : (args.topk ? RANK_TOP_DEFAULT : 1);
    for (size_t g = 0; g < args.n_groups; g++)
        args.largest = MAX(args.largest, (size_t)(args.start[g + 1] - args.start[g]));
    if (labels->weight) {
        double sum = 0;
        for (size_t g = 0; g < args.n_groups; g++) sum += (double)labels->weight[g];
        if (sum > 0) args.weight_norm = (double)args.n_groups / sum;
    }
    AUTO_DATA double *discount = data_array(double, args.largest, "the discounts of ranks", err);
    if (!discount) return false;
    for (size_t k = 0; k < args.largest; k++) discount[k] = dcg_discount(k);
    args.discount = discount;

    if (args.n_groups == 0) return true;
    size_t rows_per_group = MAX((size_t)labels->n_rows / args.n_groups, 1);
    parallel_for(pool, args.n_groups, MAX(ROWS_PER_CHUNK / rows_per_group, 1), groups_chunk, &args);
    if (!atomic_load(&args.failed)) return true;
    *err = args.error;
    return false;
}
