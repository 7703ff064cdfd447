/* The XGBoost container's built-in cross validation (_kfold, _num_cv_round).
 *
 * Train and validation rows are put together, dealt into folds (class by class for classifiers), and
 * a model is trained without each fold.  All models are kept, as an ensemble; what they said of the
 * rows they had not seen goes to predictions.csv. */

#include "algo/xgboost_model.h"

#include "base/memory.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "data/split.h"

#include <math.h>

/* The metrics of one fold's last round. */
typedef struct Fold {
    MetricValue last[64];
    int n;
} Fold;

static bool keep_last(void *host, int64_t round UNUSED, int64_t n_rounds UNUSED,
                      const MetricValue *metrics, int n)
{
    Fold *fold = host;
    fold->n = MIN(n, (int)COUNT(fold->last));
    memcpy(fold->last, metrics, (size_t)fold->n * sizeof *metrics);
    return true;
}

/* Deals the rows out in random order; with classes, class by class, so that each fold gets its share. */
static void deal_folds(const Dataset *all, bool stratified, int64_t k, uint64_t seed, Arena *arena,
                       int32_t *fold)
{
    uint32_t *order = arena_array(arena, uint32_t, all->n_rows);
    random_permutation(random_stream(seed, 0xcf), order, (size_t)all->n_rows);
    float most = 0;
    for (int64_t i = 0; stratified && i < all->n_rows; i++) most = fmaxf(most, all->label[i]);
    int64_t dealt = 0;
    for (int64_t label = 0; label <= (int64_t)most; label++)
        for (int64_t i = 0; i < all->n_rows; i++)
            if (!stratified || (int64_t)all->label[order[i]] == label)
                fold[order[i]] = (int32_t)(dealt++ % k);
}

/* Predictions of the rows that were held out, over all repetitions. */
typedef struct HeldOut {
    double *sum;    /* n_rows x n_groups of outputs */
    int32_t *votes; /* n_rows x classes; NULL for regression */
    int32_t n_groups, n_classes;
} HeldOut;

static bool predict_held_out(const Model *model, const Dataset *held, const uint8_t *chosen,
                             int64_t n_rows, Pool *pool, HeldOut *out, Error *err)
{
    const BoostModel *member = model->members[model->n_members - 1];
    Matrix matrix = dataset_matrix(held);
    AUTO_DATA float *scores = data_array(float, held->n_rows * member->n_groups, "the predictions",
                                         err);
    int32_t width;
    if (!scores ||
        !predict_margin(model->predictors[model->n_members - 1], &matrix, pool, scores, err))
        return false;
    predict_transform(member, scores, held->n_rows, &width);
    for (int64_t i = 0, h = 0; i < n_rows; i++) {
        if (!chosen[i]) continue;
        const float *row = scores + h++ * width;
        int32_t best = 0;
        for (int32_t g = 0; g < width; g++) {
            out->sum[i * out->n_groups + g] += row[g];
            if (row[g] > row[best]) best = g;
        }
        if (width == 1 && out->votes) best = out->n_classes == 2 ? row[0] > 0.5F : (int32_t)row[0];
        if (out->votes) out->votes[i * out->n_classes + MIN(best, out->n_classes - 1)]++;
    }
    return true;
}

/* predictions.csv: label,mean_prob,mode_label or label,mean_prediction. */
static bool write_held_out(const Dataset *all, const HeldOut *held, int64_t n_times, TrainRun *run,
                           Error *err)
{
    AUTO_STRBUF StrBuf text = STRBUF((size_t)1 << 32);
    for (int64_t i = 0; i < all->n_rows; i++) {
        const double *sum = held->sum + i * held->n_groups;
        double value = sum[0];
        for (int32_t g = 1; g < held->n_groups; g++) value = fmax(value, sum[g]);
        strbuf_addf(&text, "%.9g,%.9g", all->label[i], value / (double)n_times);
        if (held->votes) {
            int32_t mode = 0;
            for (int32_t c = 1; c < held->n_classes; c++)
                if (held->votes[i * held->n_classes + c] > held->votes[i * held->n_classes + mode])
                    mode = c;
            strbuf_addf(&text, ",%d", mode);
        }
        strbuf_add_char(&text, '\n');
    }
    return !run->output || run->output(run->host, "predictions.csv", strbuf_str(&text), err);
}

/* Sums one fold's metrics up; the folds have the same ones in the same order. */
static void add_fold(Fold *total, const Fold *fold)
{
    if (total->n == 0) {
        *total = *fold;
        return;
    }
    for (int m = 0; m < total->n; m++) total->last[m].value += fold->last[m].value;
}

static bool run_fold(const BoostParams *boost, const Dataset *all, uint8_t *chosen, TrainRun *run,
                     Model *model, HeldOut *held_out, Fold *fold, Error *err)
{
    AUTO(dataset_free) Dataset *train = NULL;
    AUTO(dataset_free) Dataset *held = NULL;
    AUTO(dataset_free) Dataset *watched = NULL; /* training may release its columns */
    if (!dataset_take(all, chosen, &held, err) || !dataset_take(all, chosen, &watched, err))
        return false;
    for (int64_t i = 0; i < all->n_rows; i++) chosen[i] = !chosen[i];
    if (!dataset_take(all, chosen, &train, err)) return false;
    for (int64_t i = 0; i < all->n_rows; i++) chosen[i] = !chosen[i];

    TrainData data = {.train = train, .validation = watched};
    TrainRun quiet = {.pool = run->pool,
                      .seed = run->seed,
                      .arena = run->arena,
                      .host = fold,
                      .round = keep_last};
    BoostModel *boosted;
    return xgboost_train_boosted(boost, &data, &quiet, &boosted, err) &&
           xgboost_add_member(model, boosted, err) &&
           predict_held_out(model, held, chosen, all->n_rows, run->pool, held_out, err);
}

bool xgboost_cross_validate(const XgboostParams *params, const BoostParams *boost, TrainData *data,
                            TrainRun *run, Model *model, Error *err)
{
    if (params->kfold * params->num_cv_round > ENSEMBLE_MAX)
        return error_set(err, ERROR_LIMIT,
                         "_kfold times _num_cv_round is %lld; at most %d models are kept",
                         (long long)(params->kfold * params->num_cv_round), ENSEMBLE_MAX);
    AUTO(dataset_free) Dataset *joined = NULL;
    if (data->validation && !dataset_join(data->train, data->validation, &joined, err))
        return false;
    const Dataset *all = joined ? joined : data->train;
    if (all->n_rows < params->kfold)
        return error_set(err, ERROR_INVALID, "%lld rows cannot be dealt into %lld folds",
                         (long long)all->n_rows, (long long)params->kfold);
    Str objective = boost->objective.name;
    bool multi = str_starts(objective, STR("multi:")),
         classes = multi || str_starts(objective, STR("binary:"));
    HeldOut held_out = {.n_groups = multi ? (int32_t)params->num_class : 1,
                        .n_classes = multi ? (int32_t)params->num_class : 2};
    held_out.sum = arena_array(run->arena, double, all->n_rows *held_out.n_groups);
    if (classes)
        held_out.votes = arena_array(run->arena, int32_t, all->n_rows * held_out.n_classes);
    int32_t *fold_of = arena_array(run->arena, int32_t, all->n_rows);
    uint8_t *chosen = arena_array(run->arena, uint8_t, all->n_rows);

    for (int64_t repetition = 0; repetition < params->num_cv_round; repetition++) {
        Fold total = {.n = 0};
        deal_folds(all, classes, params->kfold, run->seed + (uint64_t)repetition, run->arena,
                   fold_of);
        for (int32_t f = 0; f < params->kfold; f++) {
            Fold fold = {.n = 0};
            for (int64_t i = 0; i < all->n_rows; i++) chosen[i] = fold_of[i] == f;
            if (!run_fold(boost, all, chosen, run, model, &held_out, &fold, err))
                return error_in(err, "cross validation, fold %d", f);
            add_fold(&total, &fold);
        }
        for (int m = 0; m < total.n; m++) total.last[m].value /= (double)params->kfold;
        if (run->round &&
            !run->round(run->host, repetition, params->num_cv_round, total.last, total.n))
            break;
    }
    return write_held_out(all, &held_out, params->num_cv_round, run, err);
}
