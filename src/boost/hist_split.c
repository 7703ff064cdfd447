/* The best split in a histogram: see hist.h.
 *
 * The sums left of each bin are integers; their scores are computed eight bins at a time, once with
 * the missing values on the right and, where there are any, once with them on the left.  Only a column that beats
 * the best so far looks for the place.  Scans follow XGBoost's order, so that ties fall as there. */

#include "boost/hist.h"

#include "base/cpu.h"

#include <float.h>
#include <string.h>

typedef double F64x8 __attribute__((vector_size(64)));
typedef int64_t I64x8 __attribute__((vector_size(64)));
typedef int32_t I32x8 __attribute__((vector_size(32)));

enum { BLOCK = 256 };

/* score[i] of the split with left[i] on its left; returns the greatest (at least -inf). */
static inline __attribute__((always_inline)) double scores(const HistSum *left, int32_t n,
                                                           GradSum parent, HistUnit unit,
                                                           double lambda, double min_child_weight,
                                                           double *score)
{
    const F64x8 none = (F64x8){0} - INFINITY;
    F64x8 most = none;
    for (int32_t i = 0; i < n; i += 8) {
        I64x8 sum;
        memcpy(&sum, left + i, sizeof sum);
        F64x8 gl = __builtin_convertvector(__builtin_convertvector(sum >> 32, I32x8), F64x8) *
                   unit.g;
        F64x8 hl = __builtin_convertvector(__builtin_convertvector(sum, I32x8), F64x8) * unit.h;
        F64x8 gr = parent.g - gl, hr = parent.h - hl;
        F64x8 s = gl * gl / (hl + lambda) + gr * gr / (hr + lambda);
        I64x8 valid = (hl >= min_child_weight) & (hr >= min_child_weight) & (hl > 0) & (hr > 0);
        s = (F64x8)(((I64x8)s & valid) | ((I64x8)none & ~valid));
        I64x8 more = s > most;
        most = (F64x8)(((I64x8)s & more) | ((I64x8)most & ~more));
        memcpy(score + i, &s, sizeof s);
    }
    double best = -INFINITY;
    for (int k = 0; k < 8; k++) best = most[k] > best ? most[k] : best;
    return best;
}

typedef double ScoresFunction(const HistSum *left, int32_t n, GradSum parent, HistUnit unit,
                              double lambda, double min_child_weight, double *score);

static double scores_base(const HistSum *left, int32_t n, GradSum parent, HistUnit unit,
                          double lambda, double min_child_weight, double *score)
{
    return scores(left, n, parent, unit, lambda, min_child_weight, score);
}

#if CLARY_X86
TARGET_AVX2 static double scores_avx2(const HistSum *left, int32_t n, GradSum parent, HistUnit unit,
                                      double lambda, double min_child_weight, double *score)
{
    return scores(left, n, parent, unit, lambda, min_child_weight, score);
}

TARGET_AVX512 static double scores_avx512(const HistSum *left, int32_t n, GradSum parent,
                                          HistUnit unit, double lambda, double min_child_weight,
                                          double *score)
{
    return scores(left, n, parent, unit, lambda, min_child_weight, score);
}
#endif

static ScoresFunction *scores_function(void)
{
#if CLARY_X86
    if (cpu_level() >= CPU_AVX512) return scores_avx512;
    if (cpu_level() >= CPU_AVX2) return scores_avx2;
#endif
    return scores_base;
}

typedef struct Candidate {
    const HistSearch *search;
    HistSum sum; /* of the node */
    GradSum parent;
    double score; /* of the node */
    Bounds bounds;
    ScoresFunction *run;
    HistSplit *best;
} Candidate;

static bool offer(const Candidate *c, int32_t column, double score, HistSum left, int32_t bin,
                  bool default_left, bool categorical)
{
    Split *split = &c->best->split;
    double gain = score - c->score;
    if (!split_is_better(split, gain, column)) return false;
    const Bins *bins = c->search->bins;
    *split = (Split){
        .gain = (float)gain,
        .feature = column,
        .default_left = default_left,
        .categorical = categorical,
        .bin = bin,
        .left = hist_value(left, c->search->unit),
        .right = hist_value(c->sum - left, c->search->unit),
    };
    /* Below everything that is not missing, or a cut. */
    split->threshold = bin < 0 ? -FLT_MAX : bins->cuts[bins->cut_start[column] + bin];
    c->best->left = left;
    return true;
}

static double score_of(const Candidate *c, int32_t column, HistSum left)
{
    GradSum l = hist_value(left, c->search->unit), r = hist_value(c->sum - left, c->search->unit);
    if (l.h <= 0 || r.h <= 0) return -INFINITY;
    return split_children_score(c->search->rules, column, l, r, c->bounds);
}

static double score_block(const Candidate *c, int32_t column, const HistSum *left, int32_t n,
                          double *score)
{
    const SplitRules *rules = c->search->rules;
    if (rules->simple)
        return c->run(left, n, c->parent, c->search->unit, rules->lambda, rules->min_child_weight,
                      score);
    double most = -INFINITY;
    for (int32_t i = 0; i < n; i++) {
        score[i] = score_of(c, column, left[i]);
        if (score[i] > most) most = score[i];
    }
    return most;
}

/* Bins [first, first + n) with the missing values right: the first best place wins. */
static void scan_up(const Candidate *c, int32_t column, const HistSum *left, int32_t first,
                    int32_t n)
{
    UNINITIALIZED _Alignas(64) double score[BLOCK];
    double most = score_block(c, column, left, n, score);
    if (!split_is_better(&c->best->split, most - c->score, column)) return;
    int32_t i = 0;
    while (score[i] != most) i++; /* one of them is `most` */
    offer(c, column, most, left[i], first + i, false, false);
}

/* The same with the missing values left: the last best place wins. */
static void scan_down(const Candidate *c, int32_t column, const HistSum *left, int32_t first,
                      int32_t n)
{
    UNINITIALIZED _Alignas(64) double score[BLOCK];
    double most = score_block(c, column, left, n, score);
    if (!split_is_better(&c->best->split, most - c->score, column)) return;
    int32_t i = n - 1;
    while (score[i] != most) i--;
    offer(c, column, most, left[i], first + i, true, false);
}

static void search_number(const Candidate *c, int32_t column, const HistSum *hist, int32_t n_bins)
{
    UNINITIALIZED _Alignas(64) HistSum left[BLOCK];
    HistSum total = 0;
    for (int32_t first = 0; first < n_bins; first += BLOCK) {
        int32_t n = MIN((int32_t)BLOCK, n_bins - first);
        for (int32_t i = 0; i < n; i++) left[i] = total += hist[first + i];
        for (int32_t i = n; i < ((n + 7) & ~7); i++) left[i] = 0; /* an empty left is no split */
        scan_up(c, column, left, first, n);
    }
    HistSum missing = c->sum - total;
    if (!missing) return;
    for (int32_t first = (n_bins - 1) / BLOCK * BLOCK; first >= 0; first -= BLOCK) {
        int32_t n = MIN((int32_t)BLOCK, n_bins - first);
        HistSum at = total + missing;
        for (int32_t i = n; i-- > 0;) {
            left[i] = at;
            at -= hist[first + i];
        }
        total = at - missing;
        for (int32_t i = n; i < ((n + 7) & ~7); i++) left[i] = 0;
        scan_down(c, column, left, first, n);
    }
    offer(c, column, score_of(c, column, missing), missing, -1, true, false);
}

/* ---- categories ---- */

typedef struct RankedCategory {
    double weight;
    int32_t category;
} RankedCategory;

/* Ascending weight; equal ones in the order of the categories. */
static void rank_categories(const HistSearch *search, const HistSum *hist, int32_t n,
                            RankedCategory *ranked)
{
    const SplitRules *rules = search->rules;
    for (int32_t b = 0; b < n; b++) {
        GradSum sum = hist_value(hist[b], search->unit);
        double below = sum.h + rules->lambda;
        double w = sum.h > 0 && below > 0 ? -split_threshold_l1(sum.g, rules->alpha) / below : 0;
        /* Insertion by halves and a move: columns of categories are short. */
        int32_t low = 0, high = b;
        while (low < high) {
            int32_t middle = (low + high) / 2;
            if (ranked[middle].weight <= w)
                low = middle + 1;
            else
                high = middle;
        }
        memmove(ranked + low + 1, ranked + low, (size_t)(b - low) * sizeof *ranked);
        ranked[low] = (RankedCategory){w, b};
    }
}

static bool one_hot(const HistSearch *search, int32_t n_bins)
{
    return n_bins < search->max_cat_to_onehot;
}

static void search_one_hot(const Candidate *c, int32_t column, const HistSum *hist, int32_t n_bins)
{
    HistSum total = 0;
    for (int32_t b = 0; b < n_bins; b++) total += hist[b];
    HistSum missing = c->sum - total;
    for (int32_t b = 0; b < n_bins; b++) {
        HistSum left = c->sum - hist[b];
        offer(c, column, score_of(c, column, left), left, b, true, true);
        left -= missing;
        offer(c, column, score_of(c, column, left), left, b, false, true);
    }
}

/* The set on the right is a run of the ranked categories from the lowest on, its length in `bin`: either few
 * of them, with the missing values left, or all but few, with the missing values right. */
static void search_ranked(const Candidate *c, int32_t column, const HistSum *hist, int32_t n_bins)
{
    ARENA(scratch);
    RankedCategory *ranked = arena_array(&scratch, RankedCategory, n_bins);
    rank_categories(c->search, hist, n_bins, ranked);
    int32_t most = MIN(c->search->max_cat_threshold, n_bins);
    HistSum right = 0, left = 0;
    for (int32_t k = 0; k < most - 1; k++) {
        right += hist[ranked[k].category];
        offer(c, column, score_of(c, column, c->sum - right), c->sum - right, k + 1, true, true);
    }
    for (int32_t k = 0; k < most - 1; k++) {
        left += hist[ranked[n_bins - 1 - k].category];
        offer(c, column, score_of(c, column, left), left, n_bins - 1 - k, false, true);
    }
}

int32_t hist_categories(const HistSearch *search, const HistSum *hist, const Split *split,
                        int32_t *out)
{
    const Bins *bins = search->bins;
    int32_t n_bins = bins_count(bins, split->feature);
    if (one_hot(search, n_bins)) {
        out[0] = split->bin;
        return 1;
    }
    ARENA(scratch);
    RankedCategory *ranked = arena_array(&scratch, RankedCategory, n_bins);
    rank_categories(search, hist + bins->slot[split->feature], n_bins, ranked);
    for (int32_t k = 0; k < split->bin; k++) out[k] = ranked[k].category;
    /* Ascending, as XGBoost lists them. */
    for (int32_t i = 1; i < split->bin; i++) {
        int32_t category = out[i], k = i;
        for (; k > 0 && out[k - 1] > category; k--) out[k] = out[k - 1];
        out[k] = category;
    }
    return split->bin;
}

void hist_best_split(const HistSearch *search, const HistSum *hist, HistSum sum, Bounds bounds,
                     const uint8_t *allowed, int32_t first, int32_t end, HistSplit *best)
{
    const Bins *bins = search->bins;
    GradSum parent = hist_value(sum, search->unit);
    Candidate c = {
        search, sum, parent, split_score(search->rules, parent, bounds), bounds, scores_function(),
        best};
    for (int32_t j = first; j < end; j++) {
        int32_t n_bins = bins_count(bins, j);
        if (n_bins == 0 || (allowed && !allowed[j])) continue;
        const HistSum *column = hist + bins->slot[j];
        if (!bins_categorical(bins, j))
            search_number(&c, j, column, n_bins);
        else if (one_hot(search, n_bins))
            search_one_hot(&c, j, column, n_bins);
        else
            search_ranked(&c, j, column, n_bins);
    }
}
