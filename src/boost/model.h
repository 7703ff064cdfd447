#ifndef CLARY_BOOST_MODEL_H
#define CLARY_BOOST_MODEL_H

/* A boosted model as a whole: what training makes, files hold and prediction reads. */

#include "base/arena.h"
#include "boost/tree.h"

typedef enum Booster { BOOSTER_GBTREE, BOOSTER_GBLINEAR, BOOSTER_DART } Booster;

typedef struct BoostModel {
    Arena arena; /* strings */
    Booster booster;
    int32_t n_features;
    int32_t n_groups;    /* outputs: 1, or num_class for multi:* */
    int32_t n_classes;   /* num_class as stored: 0 unless multi:* */
    int32_t n_parallel;  /* num_parallel_tree */
    double base_score;   /* in output space, as XGBoost stores it */
    double *base_scores; /* n_groups of them (in the arena) where they differ by output, as
                             XGBoost 3.1 and later estimate them; else NULL */

    Str objective;                           /* "binary:logistic" */
    Str *objective_names, *objective_values; /* its parameters as they stand in the file, e.g. */
    int32_t n_objective;                     /* scale_pos_weight, tweedie_variance_power */

    Tree *trees;
    int32_t n_trees, trees_capacity;
    int32_t *tree_group; /* which output each tree adds to */
    float *tree_weight;  /* DART's weight_drop, else NULL */
    int32_t n_rounds;    /* trees of round r: round_start[r] .. round_start[r + 1] */
    int32_t *round_start;

    float *linear; /* gblinear: n_features x n_groups, then n_groups biases */

    Str *feature_names, *feature_types; /* n_features each, or NULL */
    Str *attribute_names, *attribute_values;
    int32_t n_attributes;
} BoostModel;

BoostModel *boost_model_new(void);
void boost_model_free(BoostModel *model);
AUTO_FREE(BoostModel, boost_model_free);

/* Appends a tree, taking its arrays over (`tree` is emptied). */
bool boost_model_add_tree(BoostModel *model, Tree *tree, int32_t group, Error *err);
bool boost_model_end_round(BoostModel *model, Error *err); /* what was added since is one round */
void boost_model_cut_rounds(BoostModel *model, int32_t n); /* keeps the first n rounds */

Str boost_model_attribute(const BoostModel *model, const char *name); /* "" when there is none */
void boost_model_set_attribute(BoostModel *model, const char *name, Str value);

/* base_score in margin space: ln, logit or as it is, by the objective's link. */
double boost_model_base_margin(const BoostModel *model);
double boost_model_group_margin(const BoostModel *model, int32_t group); /* also with base_scores */

/* ---- files (model_file.c) ---- */

typedef enum ModelFormat { MODEL_UBJSON, MODEL_JSON } ModelFormat;

bool boost_model_write(const BoostModel *model, ModelFormat format, const char *path, Error *err);

/* Reads JSON, UBJSON or XGBoost's old binary form, told apart by the first bytes as XGBoost does;
 * a pickle is refused with advice.  Everything is checked: child indices form a tree, features
 * < n_features, array lengths agree. */
bool boost_model_parse(Str bytes, BoostModel **ret_model, Error *err);
bool boost_model_read(const char *path, BoostModel **ret_model, Error *err);

#endif
