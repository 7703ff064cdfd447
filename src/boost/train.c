/* The rounds of boosting: see train.h.
 *
 * Each round asks the objective for gradients at the current margins, grows a tree (or several) per output on them,
 * and adds the leaves to the margins of the training and the validation rows, which are kept from
 * round to round.  What grows trees is a Builder (grow.h).
 *
 * DART (Rashmi, Gilad-Bachrach, 2015) takes the dropped trees out of the margins before the gradients are
 * computed and puts them back with their new weights afterwards.
 *
 * All that is random is a function of the seed and the number of the tree or round, so that training
 * does not depend on threads and a model continued with the same seed goes on with other draws. */

#include "boost/train.h"

#include "base/memory.h"
#include "base/random.h"
#include "boost/gblinear.h"
#include "boost/predict.h"
#include "boost/rounds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct Trainer {
    const BoostParams *params;
    const BoostHost *host;
    Pool *pool;
    Arena arena;
    BoostData *data[2]; /* train and validation (or NULL) */
    Objective *objective;
    BoostModel *model;
    SplitRules rules;
    Builder *builder;
    int32_t n_groups;
    bool floats_stay; /* trees are walked by the floats */
    BoostData merged; /* data[0] points here when rows that are alike became one ... */
    Labels all;       /* ... and metrics look at these, */
    float *all_margins;
    const uint32_t *alike; /* row i's margins being those of row alike[i] */

    float *margins[2]; /* n_rows x n_groups */
    int32_t *leaves[2];
    float *gh;      /* pairs, n_rows x n_groups */
    float *sampled; /* pairs of one tree's sample */
    uint8_t *chosen;
    int32_t *dropped; /* DART: trees out of the margins */
    int32_t n_dropped;
    LinearUpdater *linear; /* gblinear */
    bool linear_done;      /* within the tolerance: later rounds change nothing */
    float *best_linear;    /* its weights at the best round */
} Trainer;

static void trainer_clear(Trainer *t)
{
    objective_free(t->objective);
    boost_model_free(t->model);
    builder_free(t->builder);
    linear_updater_free(t->linear);
    data_free(t->best_linear);
    for (int d = 0; d < 2; d++) {
        data_free(t->margins[d]);
        data_free(t->leaves[d]);
    }
    data_free(t->all_margins);
    data_free(t->gh);
    data_free(t->sampled);
    data_free(t->chosen);
    arena_clear(&t->arena);
}

static size_t rows_of(const Trainer *t, int d)
{
    return (size_t)t->data[d]->features.n_rows;
}

/* ---- the model at the start ---- */

static Str *copy_strs(Arena *arena, const Str *from, int32_t n)
{
    if (!from) return NULL;
    Str *copy = arena_array(arena, Str, n);
    for (int32_t i = 0; i < n; i++) copy[i] = arena_str(arena, from[i]);
    return copy;
}

/* Takes over the trees of `start`, or none of them when they are to be updated one by one. */
static bool copy_start(Trainer *t, const BoostModel *start, bool trees, Error *err)
{
    BoostModel *model = t->model;
    model->base_score = start->base_score;
    if (start->base_scores)
        model->base_scores = arena_grow(&model->arena, start->base_scores, (size_t)start->n_groups,
                                        (size_t)start->n_groups, sizeof(double));
    model->feature_names = copy_strs(&model->arena, start->feature_names, start->n_features);
    model->feature_types = copy_strs(&model->arena, start->feature_types, start->n_features);
    for (int32_t i = 0; i < start->n_attributes; i++) {
        if (str_is(start->attribute_names[i], "best_iteration") ||
            str_is(start->attribute_names[i], "best_score"))
            continue; /* said anew by this training, if at all */
        ARENA(scratch);
        boost_model_set_attribute(model, arena_cstr(&scratch, start->attribute_names[i]),
                                  arena_str(&model->arena, start->attribute_values[i]));
    }
    for (int32_t r = 0; trees && r < start->n_rounds; r++) {
        for (int32_t i = start->round_start[r]; i < start->round_start[r + 1]; i++) {
            Tree copy;
            if (!tree_copy(&start->trees[i], &copy, err)) return false;
            if (!boost_model_add_tree(model, &copy, start->tree_group[i], err)) {
                tree_clear(&copy);
                return false;
            }
            if (model->tree_weight)
                model->tree_weight[model->n_trees - 1] = start->tree_weight ? start->tree_weight[i]
                                                                            : 1;
        }
        if (!boost_model_end_round(model, err)) return false;
    }
    return true;
}

static bool check_start(const Trainer *t, const BoostModel *start, Error *err)
{
    if (start->n_features != t->data[0]->features.n_cols)
        return error_set(err, ERROR_INVALID,
                         "the model to go on from has %d features, the data has %d",
                         (int)start->n_features, (int)t->data[0]->features.n_cols);
    if (start->n_groups != t->n_groups)
        return error_set(err, ERROR_INVALID,
                         "the model to go on from has %d outputs, this objective has %d",
                         (int)start->n_groups, (int)t->n_groups);
    if (start->booster != t->params->booster)
        return error_set(err, ERROR_INVALID, "the model to go on from was made by another booster");
    return true;
}

/* What the labels say to start from; the outputs differ for several classes or quantiles. */
static void estimate_start(Trainer *t)
{
    BoostModel *model = t->model;
    const Labels *labels = &t->data[0]->labels;
    model->base_score = objective_estimate_base(t->objective, labels, t->pool);
    if (t->n_groups == 1 || model->booster == BOOSTER_GBLINEAR) return;
    model->base_scores = arena_array(&model->arena, double, t->n_groups);
    objective_estimate_bases(t->objective, labels, t->pool, model->base_scores);
}

static bool make_model(Trainer *t, const BoostModel *start, Error *err)
{
    const BoostParams *params = t->params;
    BoostModel *model = t->model = boost_model_new();
    model->booster = params->booster;
    model->n_features = t->data[0]->features.n_cols;
    model->n_groups = t->n_groups;
    model->n_classes = str_starts(params->objective.name, STR("multi:"))
                           ? params->objective.n_classes
                           : 0;
    model->n_parallel = (int32_t)params->n_parallel;
    objective_describe(t->objective, model);
    if (start) return check_start(t, start, err) && copy_start(t, start, !params->update, err);
    model->base_score = params->base_score;
    if (isnan(params->base_score)) estimate_start(t);
    return true;
}

/* Margins of both data sets: the base, or what the model to go on from says. */
static bool make_margins(Trainer *t, const BoostModel *start, Error *err)
{
    if (!isfinite(boost_model_base_margin(t->model)))
        return error_set(err, ERROR_INVALID,
                         "base_score %g is outside what objective '%.*s' allows",
                         t->model->base_score, STR_ARG(t->params->objective.name));
    float *base = arena_array(&t->arena, float, t->n_groups);
    for (int32_t k = 0; k < t->n_groups; k++)
        base[k] = (float)boost_model_group_margin(t->model, k);
    AUTO(predictor_free) Predictor *predictor = NULL;
    if (start && !t->params->update && !predictor_new(start, &predictor, err)) return false;
    for (int d = 0; d < 2 && t->data[d]; d++) {
        size_t n = rows_of(t, d) * (size_t)t->n_groups;
        t->margins[d] = data_array(float, n, "the margins", err);
        t->leaves[d] = data_array(int32_t, rows_of(t, d), "the leaves", err);
        if (!t->margins[d] || !t->leaves[d]) return false;
        if (!predictor)
            for (size_t i = 0; i < n; i++) t->margins[d][i] = base[i % (size_t)t->n_groups];
        else if (!predict_margin(predictor, &t->data[d]->features, t->pool, t->margins[d], err))
            return false;
    }
    return true;
}

static size_t linear_size(const Trainer *t)
{
    return ((size_t)t->model->n_features + 1) * (size_t)t->n_groups;
}

static bool make_linear(Trainer *t, const BoostModel *start, Error *err)
{
    const Labels *labels = &t->data[0]->labels;
    double weight = 0;
    for (int64_t i = 0; i < labels->n_rows; i++)
        weight += labels->weight && !labels->group_start ? (double)labels->weight[i] : 1;
    t->model->linear = data_array(float, linear_size(t), "the weights", err);
    t->best_linear = data_array(float, linear_size(t), "the weights", err);
    if (!t->model->linear || !t->best_linear) return false;
    if (start) memcpy(t->model->linear, start->linear, linear_size(t) * sizeof(float));
    return linear_updater_new(t->params, &t->data[0]->features, t->n_groups, weight, &t->linear,
                              err);
}

/* Whether a row of weight 2 is the same as the row twice: gradients are in proportion to weights, no row is
 * drawn and none depends on another.  (Quantiles of weighted rows are defined otherwise.) */
static bool rows_may_merge(const Trainer *t)
{
    const Labels *labels = &t->data[0]->labels;
    Str name = t->params->objective.name;
    return t->params->subsample >= 1 && !labels->group_start && !labels->label_upper &&
           !str_starts(name, STR("rank:")) && !str_starts(name, STR("survival:")) &&
           objective_leaf_quantile(t->objective, 0) <= 0;
}

/* Goes on with the rows that the builder made of those that are alike.  Only metrics see all rows: not all of
 * them heed weights. */
static bool use_merged(Trainer *t, Error *err)
{
    const Builder *builder = t->builder;
    t->all = t->data[0]->labels;
    t->alike = builder->alike;
    t->merged = *t->data[0];
    t->merged.features.n_rows = builder->n_alike;
    t->merged.labels = (Labels){
        .n_rows = builder->n_alike, .label = builder->alike_label, .weight = builder->alike_weight};
    t->data[0] = &t->merged;
    if (t->params->n_metrics == 0) return true;
    size_t n = (size_t)t->all.n_rows * (size_t)t->n_groups;
    t->all_margins = data_array(float, n, "the margins", err);
    return t->all_margins != NULL;
}

static void spread_margins(void *arg, size_t chunk, size_t begin, size_t end)
{
    (void)chunk;
    Trainer *t = arg;
    size_t width = (size_t)t->n_groups;
    for (size_t i = begin; i < end; i++)
        for (size_t k = 0; k < width; k++)
            t->all_margins[i * width + k] = t->margins[0][t->alike[i] * width + k];
}

static bool metric_value(Trainer *t, const BoostMetric *metric, int d, double *ret_value,
                         Error *err)
{
    bool spread = d == 0 && t->alike;
    return boost_metric_value(metric, t->model, spread ? &t->all : &t->data[d]->labels,
                              spread ? t->all_margins : t->margins[d], t->pool, ret_value, err);
}

static bool make_builder(Trainer *t, const BoostModel *start, Error *err)
{
    const BoostParams *params = t->params;
    if (params->booster == BOOSTER_GBLINEAR) return make_linear(t, start, err);
    /* A tree from elsewhere has thresholds that are no cuts of ours. */
    t->floats_stay = params->update || (params->booster == BOOSTER_DART && start);
    if (params->update) return true;
    switch (params->method) {
    case METHOD_EXACT: return exact_builder_new(params, t->data[0], t->pool, &t->builder, err);
    case METHOD_APPROX: return approx_builder_new(params, t->data[0], t->pool, &t->builder, err);
    case METHOD_AUTO:
    case METHOD_HIST: break;
    }
    bool merge = !start && rows_may_merge(t);
    if (!hist_builder_new(params, t->data[0], t->data[1], t->floats_stay, merge, t->pool,
                          &t->builder, err))
        return false;
    return !t->builder->alike || use_merged(t, err);
}

/* ---- trees and margins ---- */

/* Leaves of all rows of data set d in a tree of this model. */
static bool route(Trainer *t, const Tree *tree, int d, Error *err)
{
    if (!t->floats_stay && t->builder->route)
        return t->builder->route(t->builder, tree, d == 1, t->leaves[d], err);
    return tree_route(tree, &t->data[d]->features, t->pool, t->leaves[d], err);
}

static bool add_tree_to_margins(Trainer *t, int32_t tree, double scale, Error *err)
{
    const BoostModel *model = t->model;
    for (int d = 0; d < 2 && t->data[d]; d++) {
        if (!route(t, &model->trees[tree], d, err)) return false;
        add_leaves(&model->trees[tree], t->leaves[d], rows_of(t, d), scale, t->pool,
                   t->margins[d] + model->tree_group[tree], t->n_groups);
    }
    return true;
}

/* One tree for one output, on the round's gradients; its leaves stay in t->leaves[0]. */
static bool grow_tree(Trainer *t, int32_t group, uint64_t number, Tree *tree, Error *err)
{
    const BoostParams *params = t->params;
    size_t n = rows_of(t, 0);
    GrowTask task = {.tree = number, .gh = t->gh + 2 * group, .stride = 2 * t->n_groups};
    if (params->subsample < 1) {
        sample_rows(params, task.gh, task.stride, n, number, t->pool, t->chosen, t->sampled);
        task.gh = t->sampled;
        task.stride = 2;
        task.chosen = t->chosen;
    }
    if (!t->builder->grow(t->builder, &task, tree, t->leaves[0], err)) return false;
    double quantile = objective_leaf_quantile(t->objective, group);
    return quantile <= 0 ||
           refit_leaves(tree, &t->data[0]->labels, t->margins[0] + group, t->n_groups, t->leaves[0],
                        task.chosen, quantile, t->rules.eta, t->pool, err);
}

/* The trees of a round.  All are grown on the same margins: with several per output these change
 * when the last one is there, and the leaves are looked up again. */
static bool grow_round(Trainer *t, Error *err)
{
    const BoostParams *params = t->params;
    BoostModel *model = t->model;
    int32_t first = model->n_trees;
    bool dart = params->booster == BOOSTER_DART;
    bool at_once = params->n_parallel == 1 && !dart;
    for (int32_t group = 0; group < t->n_groups; group++) {
        for (int64_t k = 0; k < params->n_parallel; k++) {
            Tree tree;
            if (!tree_init(&tree, 64, err)) return false;
            if (!grow_tree(t, group, (uint64_t)model->n_trees, &tree, err) ||
                !boost_model_add_tree(model, &tree, group, err)) {
                tree_clear(&tree);
                return false;
            }
            if (!at_once) continue;
            const Tree *added = &model->trees[model->n_trees - 1];
            add_leaves(added, t->leaves[0], rows_of(t, 0), 1, t->pool, t->margins[0] + group,
                       t->n_groups);
            if (!t->data[1]) continue;
            if (!route(t, added, 1, err)) return false;
            add_leaves(added, t->leaves[1], rows_of(t, 1), 1, t->pool, t->margins[1] + group,
                       t->n_groups);
        }
    }
    for (int32_t i = first; !at_once && !dart && i < model->n_trees; i++)
        if (!add_tree_to_margins(t, i, 1, err)) return false;
    return boost_model_end_round(model, err);
}

/* ---- DART ---- */

static void choose_dropped(Trainer *t, int64_t round)
{
    const BoostParams *params = t->params;
    const BoostModel *model = t->model;
    Random random = random_stream(random_u64(random_stream(params->seed, 0xda7), (uint64_t)round),
                                  0);
    int32_t n = model->n_trees;
    t->n_dropped = 0;
    t->dropped = arena_array(&t->arena, int32_t, n + 1);
    if (n == 0 || random_unit(random, 0) < params->skip_drop) return;
    double total = 0;
    for (int32_t i = 0; i < n; i++) total += (double)model->tree_weight[i];
    for (int32_t i = 0; i < n; i++) {
        double p = params->rate_drop;
        if (params->dart_weighted) p *= n * (double)model->tree_weight[i] / total;
        if (random_unit(random, (uint64_t)i + 2) < p) t->dropped[t->n_dropped++] = i;
    }
    if (t->n_dropped || !params->one_drop) return;
    double at = random_unit(random, 1) * (params->dart_weighted ? total : n), sum = 0;
    int32_t i = 0;
    for (; i < n - 1; i++) {
        sum += params->dart_weighted ? (double)model->tree_weight[i] : 1;
        if (sum > at) break;
    }
    t->dropped[t->n_dropped++] = i;
}

static bool take_out_dropped(Trainer *t, Error *err)
{
    for (int32_t i = 0; i < t->n_dropped; i++) {
        int32_t tree = t->dropped[i];
        if (!add_tree_to_margins(t, tree, -(double)t->model->tree_weight[tree], err)) return false;
    }
    return true;
}

/* The new trees and the dropped ones share the room: XGBoost's normalize_type tree or forest. */
static bool normalize(Trainer *t, int32_t first_new, Error *err)
{
    BoostModel *model = t->model;
    int32_t n_new = model->n_trees - first_new;
    double rate = t->params->eta / n_new, k = t->n_dropped;
    double factor = k == 0 ? 1 : t->params->dart_forest ? 1 / (1 + rate) : 1 / (k + rate);
    double keep = t->params->dart_forest ? factor : k * factor;
    for (int32_t i = first_new; i < model->n_trees; i++) {
        model->tree_weight[i] = (float)factor;
        if (!add_tree_to_margins(t, i, (double)model->tree_weight[i], err)) return false;
    }
    for (int32_t i = 0; i < t->n_dropped; i++) {
        int32_t tree = t->dropped[i];
        model->tree_weight[tree] = (float)((double)model->tree_weight[tree] * keep);
        if (!add_tree_to_margins(t, tree, (double)model->tree_weight[tree], err)) return false;
    }
    return true;
}

/* ---- process_type=update ---- */

static bool update_round(Trainer *t, const BoostModel *start, int64_t round, Error *err)
{
    const BoostParams *params = t->params;
    BoostModel *model = t->model;
    if (round >= start->n_rounds)
        return error_set(err, ERROR_INVALID, "the model to update has %d rounds; num_round is %lld",
                         (int)start->n_rounds, (long long)params->n_rounds);
    int32_t first = model->n_trees;
    for (int32_t i = start->round_start[round]; i < start->round_start[round + 1]; i++) {
        Tree tree;
        int32_t group = start->tree_group[i];
        if (!tree_copy(&start->trees[i], &tree, err)) return false;
        bool done = tree_route(&tree, &t->data[0]->features, t->pool, t->leaves[0], err) &&
                    (!params->refresh ||
                     refresh_tree(&tree, params, &t->rules, t->gh + 2 * group, 2 * t->n_groups,
                                  t->leaves[0], rows_of(t, 0), err)) &&
                    (!params->prune || tree_prune(&tree, params->gamma, t->rules.eta, err)) &&
                    boost_model_add_tree(model, &tree, group, err);
        if (!done) {
            tree_clear(&tree);
            return false;
        }
    }
    for (int32_t i = first; i < model->n_trees; i++)
        if (!add_tree_to_margins(t, i, 1, err)) return false;
    return boost_model_end_round(model, err);
}

/* ---- gblinear ---- */

static bool linear_round(Trainer *t, int64_t round, Error *err)
{
    if (t->linear_done) return boost_model_end_round(t->model, err);
    bool moved;
    if (!linear_update(t->linear, round, t->gh, t->model->linear, t->pool, &moved, err))
        return false;
    t->linear_done = !moved;
    AUTO(predictor_free) Predictor *predictor = NULL;
    if (!predictor_new(t->model, &predictor, err)) return false;
    for (int d = 0; d < 2 && t->data[d]; d++)
        if (!predict_margin(predictor, &t->data[d]->features, t->pool, t->margins[d], err))
            return false;
    return boost_model_end_round(t->model, err);
}

/* ---- rounds ---- */

static bool one_round(Trainer *t, const BoostModel *start, int64_t round, Error *err)
{
    int32_t first_new = t->model->n_trees;
    bool dart = t->params->booster == BOOSTER_DART && !t->params->update;
    if (dart) {
        choose_dropped(t, round);
        if (!take_out_dropped(t, err)) return false;
    }
    if (!objective_gradients(t->objective, &t->data[0]->labels, t->margins[0], round, t->pool,
                             t->gh, err))
        return false;
    if (t->linear) return linear_round(t, round, err);
    if (t->params->update) return update_round(t, start, round, err);
    return grow_round(t, err) && (!dart || normalize(t, first_new, err));
}

typedef struct Best {
    bool any;
    int32_t round;
    double value;
} Best;

static void note_best(Best *best, const BoostMetric *metric, double value, int32_t round)
{
    bool better = metric->maximize ? value > best->value : value < best->value;
    if (best->any && !better) return;
    *best = (Best){true, round, value};
}

static void keep_best(Trainer *t, const Best *best)
{
    BoostModel *model = t->model;
    boost_model_cut_rounds(model, best->round + 1);
    if (t->linear) memcpy(model->linear, t->best_linear, linear_size(t) * sizeof(float));
    boost_model_set_attribute(model, "best_iteration",
                              arena_format(&model->arena, "%d", (int)best->round));
    boost_model_set_attribute(model, "best_score",
                              arena_format(&model->arena, "%.9g", best->value));
}

static bool run_rounds(Trainer *t, const BoostModel *start, Error *err)
{
    const BoostParams *params = t->params;
    int32_t first = t->model->n_rounds, n_data = t->data[1] ? 2 : 1;
    bool stopping = params->early_stopping_rounds > 0 && n_data == 2 && params->n_metrics > 0;
    double *values = arena_array(&t->arena, double, 2 * params->n_metrics + 1);
    Best best = {0};
    for (int64_t r = 0; r < params->n_rounds; r++) {
        int64_t round = first + r;
        if (!one_round(t, start, round, err)) return error_in(err, "round %lld", (long long)round);
        if (t->all_margins) parallel_for(t->pool, (size_t)t->all.n_rows, 4096, spread_margins, t);
        for (int d = 0; d < n_data; d++)
            for (int32_t m = 0; m < params->n_metrics; m++)
                if (!metric_value(t, &params->metrics[m], d, &values[d * params->n_metrics + m],
                                  err))
                    return error_in(err, "round %lld: %s on the %s data", (long long)round,
                                    params->metrics[m].name, d ? "validation" : "training");
        if (t->host && t->host->round &&
            !t->host->round(t->host->host, round, t->model, values, n_data))
            break;
        if (!stopping) continue;
        const BoostMetric *last = &params->metrics[params->n_metrics - 1];
        note_best(&best, last, values[2 * params->n_metrics - 1], (int32_t)round);
        if (t->linear && best.round == round)
            memcpy(t->best_linear, t->model->linear, linear_size(t) * sizeof(float));
        if (round - best.round >= params->early_stopping_rounds) break;
    }
    if (best.any) keep_best(t, &best);
    return true;
}

static bool check_data(const BoostData *data, const char *name, Error *err)
{
    if (data->features.n_rows == 0)
        return error_set(err, ERROR_INVALID, "the %s data has no rows", name);
    if (data->labels.n_rows != data->features.n_rows)
        return error_set(err, ERROR_INVALID, "the %s data has %lld rows and %lld labels", name,
                         (long long)data->features.n_rows, (long long)data->labels.n_rows);
    return true;
}

static bool train(Trainer *t, const BoostModel *start, Error *err)
{
    const BoostParams *params = t->params;
    static const char *const names[2] = {"training", "validation"};
    if (params->update && !start)
        return error_set(err, ERROR_INVALID, "process_type=update needs a model to update");
    if (!objective_new(&params->objective, &t->objective, err)) return false;
    t->n_groups = objective_groups(t->objective);
    for (int d = 0; d < 2 && t->data[d]; d++)
        if (!check_data(t->data[d], names[d], err) ||
            !objective_check(t->objective, &t->data[d]->labels, err))
            return error_in(err, "%s data", names[d]);
    if (t->data[1] && t->data[1]->features.n_cols != t->data[0]->features.n_cols)
        return error_set(err, ERROR_INVALID,
                         "the validation data has %d features, the training data %d",
                         (int)t->data[1]->features.n_cols, (int)t->data[0]->features.n_cols);
    t->rules = split_rules(params, t->data[0]->features.n_cols, &t->arena);
    if (!make_model(t, start, err) || !make_margins(t, start, err) || !make_builder(t, start, err))
        return false;

    size_t n = rows_of(t, 0);
    t->gh = data_array(float, 2 * n * (size_t)t->n_groups, "the gradients", err);
    if (!t->gh) return false;
    if (params->subsample < 1) {
        t->sampled = data_array(float, 2 * n, "the sample", err);
        t->chosen = data_array(uint8_t, n, "the sample", err);
        if (!t->sampled || !t->chosen) return false;
    }
    return run_rounds(t, start, err);
}

bool boost_train(const BoostParams *params, BoostData *train_data, BoostData *validation,
                 const BoostModel *start, const BoostHost *host, Pool *pool, BoostModel **ret_model,
                 Error *err)
{
    Trainer trainer = {
        .params = params, .host = host, .pool = pool, .data = {train_data, validation}};
    bool done = train(&trainer, start, err);
    if (done) *ret_model = STEAL(trainer.model);
    trainer_clear(&trainer);
    return done;
}
