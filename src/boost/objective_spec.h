#ifndef CLARY_BOOST_OBJECTIVE_SPEC_H
#define CLARY_BOOST_OBJECTIVE_SPEC_H

/* What objectives look like inside; only objective*.c, rank.c, survival.c and metric*.c include it. */

#include "boost/objective.h"

#include "boost/loss.h"

enum { LOSS_GRAIN = 16384 }; /* rows a chunk */

typedef enum Link {
    LINK_IDENTITY,
    LINK_LOGIT,
    LINK_LOG,
    LINK_SIGN,
    LINK_SOFTMAX,
    LINK_ARGMAX
} Link;

typedef enum LabelRule {
    LABEL_ANY,
    LABEL_UNIT, /* in [0, 1] */
    LABEL_NOT_NEGATIVE,
    LABEL_ABOVE_MINUS_ONE,
    LABEL_CLASS, /* in [0, num_class) */
    LABEL_POSITIVE,
    LABEL_RELEVANCE, /* whole numbers from 0 to 31, unless the gain is linear */
    LABEL_BINARY,    /* 0 or 1 */
    LABEL_BOUNDS,    /* aft: 0 <= lower <= upper */
} LabelRule;

/* How XGBoost 3 finds the constant to start from. */
typedef enum BaseRule {
    BASE_MEAN,     /* weighted mean label; one Newton step when positives are scaled */
    BASE_NEWTON,   /* one Newton step from margin 0, then to output space */
    BASE_QUANTILE, /* of the labels */
    BASE_HALF,
    BASE_ZERO,
} BaseRule;

typedef bool GradientFunction(Objective *objective, const Labels *labels, const float *margins,
                              int64_t round, Pool *pool, float *gh, Error *err);

typedef struct ObjectiveSpec {
    const char *name;
    Link link;
    LabelRule labels;
    const char *label_error; /* XGBoost's sentence */
    BaseRule base;
    const char *metric;  /* default evaluation metric */
    bool scale_positive; /* scale_pos_weight applies */
    LossKind loss;       /* of the elementwise ones */
    GradientFunction *gradients;
} ObjectiveSpec;

struct Objective {
    Arena arena;
    const ObjectiveSpec *spec;
    ObjectiveParams params; /* strings and arrays are copies */
    int32_t n_groups;
    char metric[32];
};

GradientFunction rank_gradients, aft_gradients, cox_gradients;

const ObjectiveSpec *objective_spec(Str name); /* NULL: unknown */

#endif
