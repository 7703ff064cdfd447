#ifndef CLARY_BOOST_OBJECTIVE_H
#define CLARY_BOOST_OBJECTIVE_H

/* Losses: gradients and second derivatives at the current margins, the starting margin, and the way
 * from margins to outputs.  The definitions are those of XGBoost; ../doc/algorithms/xgboost.md. */

#include "base/thread.h"
#include "boost/model.h"

typedef struct Objective Objective;

/* The data an objective looks at; all arrays have n_rows entries unless said otherwise. */
typedef struct Labels {
    int64_t n_rows;
    const float *label;       /* lower bound for survival:aft */
    const float *label_upper; /* aft's upper bound (inf: right censored), or NULL: same as label */
    const float *weight;      /* per row, or per query group for rank:*; NULL: 1 */
    const int64_t *group_start; /* ranking: n_groups + 1, NULL: one group */
    int64_t n_groups;
} Labels;

typedef struct ObjectiveParams {
    Str name;
    int32_t n_classes;
    double scale_pos_weight;       /* 1 */
    double max_delta_step;         /* 0; 0.7 for poisson */
    double tweedie_variance_power; /* 1.5 */
    double huber_slope;            /* 1 */
    const double *quantile_alpha;  /* reg:quantileerror: one output per alpha */
    int32_t n_quantiles;
    Str aft_distribution;                         /* normal, logistic, extreme */
    double aft_scale;                             /* 1 */
    Str lambdarank_pair_method;                   /* "topk" (3.x default) or "mean" */
    int64_t lambdarank_num_pair;                  /* 0: the method's default */
    bool lambdarank_normalization, ndcg_exp_gain; /* both true by default */
    uint64_t seed;
} ObjectiveParams;

/* Fails on an unknown name (with the nearest known one). */
bool objective_new(const ObjectiveParams *params, Objective **ret_objective, Error *err);
void objective_free(Objective *objective);
AUTO_FREE(Objective, objective_free);

int32_t objective_groups(const Objective *objective); /* outputs per row */

/* Refuses labels the objective is not defined for, with row and value, in XGBoost's words
 * ("label must be in [0,1] for logistic regression"). */
bool objective_check(const Objective *objective, const Labels *labels, Error *err);

/* The constant that training starts from, in output space (XGBoost's base_score, 3.x estimation). */
double objective_estimate_base(const Objective *objective, const Labels *labels, Pool *pool);
/* The same for each output, objective_groups of them.  They differ for multi:* (logarithms of the
 * classes' shares, their mean 0) and for several quantiles; XGBoost has this since 3.1.  Written as
 * BoostModel.base_scores. */
void objective_estimate_bases(const Objective *objective, const Labels *labels, Pool *pool,
                              double *ret_bases);

double objective_base_to_margin(const Objective *objective, double base_score);

/* Gradient pairs: gh[2 * (i * n_groups + k)] and the next; weights included.  `round` seeds what is
 * sampled.  The same bits on any number of threads. */
bool objective_gradients(Objective *objective, const Labels *labels, const float *margins,
                         int64_t round, Pool *pool, float *gh, Error *err);

/* absoluteerror and quantileerror: leaf values are quantiles of the residuals.  Returns the
 * quantile in (0, 1) for output `group`, or 0 when leaves come from the gradients. */
double objective_leaf_quantile(const Objective *objective, int32_t group);

/* Margins to outputs, in place; see predict_transform. */
void objective_transform(const BoostModel *model, float *margins, int64_t n_rows,
                         int32_t *ret_width);

/* Default evaluation metric of the objective (current XGBoost), e.g. "logloss". */
const char *objective_default_metric(const Objective *objective);

/* Name and parameters into the model, as XGBoost writes them ("reg_loss_param", ...). */
void objective_describe(const Objective *objective, BoostModel *model);

extern const char *const objective_names[]; /* NULL-terminated */

#endif
