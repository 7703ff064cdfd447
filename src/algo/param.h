#ifndef CLARY_ALGO_PARAM_H
#define CLARY_ALGO_PARAM_H

/* Hyperparameters, described once in a table next to the struct they fill.  From the table come the
 * parsed struct, the refusals, --help, the documentation, --describe and the tuner's ranges.
 *
 *     static const Param kmeans_params[] = {
 *         PARAM_INT("k", KmeansParams, k, .min = 1, .max = 1e6, .tune = {2, 100, SCALE_LINEAR},
 *                   .help = "number of clusters"),
 *         {0},
 *     };
 *
 * `preset` is the default as a user would write it; none means required (or, with `optional`, that
 * the field keeps the value PARAM_UNSET_INT or NaN or an empty Str). */

#include "base/arena.h"
#include "base/error.h"

#include <stddef.h>

typedef enum ParamType {
    PARAM_TYPE_END,
    PARAM_TYPE_INT,    /* int64_t */
    PARAM_TYPE_REAL,   /* double */
    PARAM_TYPE_BOOL,   /* bool; true false 1 0 in any case */
    PARAM_TYPE_CHOICE, /* int: position in `choices` */
    PARAM_TYPE_TEXT,   /* Str */
} ParamType;

typedef enum Scale { SCALE_NONE, SCALE_LINEAR, SCALE_LOG } Scale;

#define PARAM_UNSET_INT INT64_MIN

typedef struct Param {
    const char *name;
    const char *alias; /* a second accepted name, e.g. learning_rate for eta; or NULL */
    ParamType type;
    size_t offset;
    double min, max;         /* both included unless open_*; max 0 with min 0: no bounds */
    bool open_min, open_max; /* the bound itself is refused */
    bool no_max;             /* only min holds */
    const char *preset;
    const char
        *suggest; /* what `clary train` takes for a required one that is not given; or NULL */
    bool optional;
    bool automatic;             /* the word "auto" is allowed: PARAM_UNSET_INT or NaN */
    const char *const *choices; /* NULL-terminated */
    struct {
        double low, high;
        Scale scale;
    } tune;
    const char *help;
} Param;

/* The compiler checks that the field has the row's type. */
#define PARAM_OFFSET(Struct, field, Type)                                                          \
    (offsetof(Struct, field) + 0 * sizeof(((Struct *)0)->field == *(Type *)0))
#define PARAM_INT(name_, Struct, field, ...)                                                       \
    {                                                                                              \
        .name = name_, .type = PARAM_TYPE_INT, .offset = PARAM_OFFSET(Struct, field, int64_t),     \
        __VA_ARGS__                                                                                \
    }
#define PARAM_REAL(name_, Struct, field, ...)                                                      \
    {                                                                                              \
        .name = name_, .type = PARAM_TYPE_REAL, .offset = PARAM_OFFSET(Struct, field, double),     \
        __VA_ARGS__                                                                                \
    }
#define PARAM_BOOL(name_, Struct, field, ...)                                                      \
    {                                                                                              \
        .name = name_, .type = PARAM_TYPE_BOOL, .offset = PARAM_OFFSET(Struct, field, bool),       \
        __VA_ARGS__                                                                                \
    }
#define PARAM_CHOICE(name_, Struct, field, choices_, ...)                                          \
    {                                                                                              \
        .name = name_, .type = PARAM_TYPE_CHOICE, .offset = PARAM_OFFSET(Struct, field, int),      \
        .choices = choices_, __VA_ARGS__                                                           \
    }
#define PARAM_TEXT(name_, Struct, field, ...)                                                      \
    {                                                                                              \
        .name = name_, .type = PARAM_TYPE_TEXT, .offset = offsetof(Struct, field), __VA_ARGS__     \
    }

typedef struct ParamText {
    Str name, value;
} ParamText;

/* How refusals are worded.  SageMaker's XGBoost container and its first-party algorithms have their
 * own forms, which people grep for; see container-contract. */
typedef enum ParamStyle { PARAM_STYLE_PLAIN, PARAM_STYLE_XGBOOST } ParamStyle;

/* Fills `ret_struct` (of the size the table was made for) with the presets, then the given texts.
 * Reports all problems at once, one a line.  Names that begin with '_' and a few that SageMaker
 * always accepts are ignored unless the table has them.  Texts are copied to `arena`. */
bool params_parse(const Param *params, const ParamText *texts, size_t n, ParamStyle style,
                  Arena *arena, void *ret_struct, Error *err);

/* Whether SageMaker accepts the name for every algorithm, without effect where the table lacks it:
 * names that begin with '_', "seed", "force_dense", "batch_metrics_publish_interval". */
bool param_is_ignored(Str name);

/* The row of that name or alias, or NULL. */
const Param *param_find(const Param *params, Str name);

/* "[0, 1]", "(0, 1]", ">= 1", "true or false", "gbtree, gblinear or dart": for help and docs. */
Str param_range_text(const Param *param, Arena *arena);

/* The value of a field as a user would write it; "" when unset. */
Str param_value_text(const Param *param, const void *params, Arena *arena);

#endif
