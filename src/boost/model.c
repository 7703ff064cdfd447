/* A boosted model as a value: growing it round by round, its attributes, its starting margin. */

#include "boost/model.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

BoostModel *boost_model_new(void)
{
    BoostModel *model = calloc(1, sizeof *model);
    if (!model) memory_exhausted(sizeof *model);
    model->n_groups = model->n_parallel = 1;
    model->base_score = 0.5;
    return model;
}

void boost_model_free(BoostModel *model)
{
    if (!model) return;
    for (int32_t i = 0; i < model->n_trees; i++) tree_clear(&model->trees[i]);
    data_free(model->trees);
    data_free(model->tree_group);
    data_free(model->tree_weight);
    data_free(model->round_start);
    data_free(model->linear);
    arena_clear(&model->arena);
    free(model);
}

static bool reserve_trees(BoostModel *model, Error *err)
{
    if (model->n_trees < model->trees_capacity) return true;
    if (model->n_trees > INT32_MAX / 4)
        return error_set(err, ERROR_LIMIT, "a model of more than %d trees", INT32_MAX / 4);

    size_t n = (size_t)model->n_trees, capacity = MAX(2 * n, (size_t)64);
    Tree *trees = data_grow(model->trees, n, capacity, sizeof *trees, "the trees", err);
    if (!trees) return false;
    model->trees = trees;
    int32_t *group = data_grow(model->tree_group, n, capacity, sizeof *group, "the trees", err);
    if (!group) return false;
    model->tree_group = group;
    if (model->tree_weight || model->booster == BOOSTER_DART) {
        float *weight = data_grow(model->tree_weight, n, capacity, sizeof *weight, "the trees",
                                  err);
        if (!weight) return false;
        model->tree_weight = weight;
    }
    model->trees_capacity = (int32_t)capacity;
    return true;
}

bool boost_model_add_tree(BoostModel *model, Tree *tree, int32_t group, Error *err)
{
    assert(group >= 0 && group < model->n_groups);
    if (!reserve_trees(model, err)) return false;
    model->trees[model->n_trees] = *tree;
    model->tree_group[model->n_trees] = group;
    if (model->tree_weight) model->tree_weight[model->n_trees] = 1;
    model->n_trees++;
    *tree = (Tree){0};
    return true;
}

bool boost_model_end_round(BoostModel *model, Error *err)
{
    /* Grown when the count passes a power of two, so that the struct needs no capacity. */
    int32_t n = model->n_rounds;
    if (!model->round_start || (n >= 15 && (n & (n + 1)) == 0)) {
        int32_t *start = data_grow(model->round_start, (size_t)(n ? n + 1 : 0),
                                   MAX((size_t)16, 2 * ((size_t)n + 1)), sizeof *start,
                                   "the rounds", err);
        if (!start) return false;
        model->round_start = start;
    }
    model->round_start[0] = 0;
    model->round_start[++model->n_rounds] = model->n_trees;
    return true;
}

void boost_model_cut_rounds(BoostModel *model, int32_t n)
{
    if (n >= model->n_rounds) return;
    int32_t n_trees = n > 0 ? model->round_start[n] : 0;
    for (int32_t i = n_trees; i < model->n_trees; i++) tree_clear(&model->trees[i]);
    model->n_trees = n_trees;
    model->n_rounds = MAX(n, 0);
}

Str boost_model_attribute(const BoostModel *model, const char *name)
{
    for (int32_t i = 0; i < model->n_attributes; i++)
        if (str_is(model->attribute_names[i], name)) return model->attribute_values[i];
    return STR("");
}

void boost_model_set_attribute(BoostModel *model, const char *name, Str value)
{
    int32_t n = model->n_attributes, i = 0;
    while (i < n && !str_is(model->attribute_names[i], name)) i++;
    if (i == n) {
        /* A handful at most, so a copy per new name is no waste. */
        size_t size = sizeof(Str);
        model->attribute_names = arena_grow(&model->arena, model->attribute_names, n, n + 1, size);
        model->attribute_values = arena_grow(&model->arena, model->attribute_values, n, n + 1,
                                             size);
        model->attribute_names[i] = arena_str(&model->arena, str_of(name));
        model->n_attributes++;
    }
    model->attribute_values[i] = arena_str(&model->arena, value);
}

/* Not binary:logitraw: XGBoost starts it from base_score as it stands. */
static const char *const logit_objectives[] = {"reg:logistic", "binary:logistic"};
static const char *const log_objectives[] = {"count:poisson", "reg:gamma", "reg:tweedie",
                                             "survival:cox", "survival:aft"};

static double link(Str objective, double base_score)
{
    /* Files hold a float32; rounding here gives the same margin before saving and after loading. */
    double base = (double)(float)base_score;
    for (size_t i = 0; i < COUNT(logit_objectives); i++)
        if (str_is(objective, logit_objectives[i])) return -log(1 / base - 1);
    for (size_t i = 0; i < COUNT(log_objectives); i++)
        if (str_is(objective, log_objectives[i])) return log(base);
    return base;
}

double boost_model_base_margin(const BoostModel *model)
{
    return link(model->objective, model->base_score);
}

double boost_model_group_margin(const BoostModel *model, int32_t group)
{
    /* XGBoost's linear booster takes the first for all outputs. */
    bool by_group = model->base_scores && model->booster != BOOSTER_GBLINEAR;
    return link(model->objective, by_group ? model->base_scores[group] : model->base_score);
}
