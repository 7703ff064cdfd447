/* Models in XGBoost's old binary form ("binf"), which 1.7 and earlier wrote and 3.1 gave up: C structs
 * as they lay in memory, little-endian, each with reserve; texts and lists with a 64-bit length.
 *
 *     learner parameters, 136 bytes; texts: objective, booster
 *     gbtree: parameters, 160 bytes; each tree: parameters, 148 bytes, nodes, 20 bytes each, their
 *             statistics, 16 bytes each; an output number for each tree
 *     dart: the same, then a list of weights
 *     gblinear: parameters, 136 bytes, a list of weights
 *     attributes: a list of pairs of texts, among them the objective as JSON
 *
 * Before 1.0 the starting score was stored as a margin.  Facts from reading files that 1.7.6 made and
 * from the struct definitions in XGBoost's learner.cc, gbtree_model.h and tree_model.h. */

#include "boost/model_file.h"

#include "base/memory.h"
#include "format/json.h"

#include <math.h>

typedef struct Cursor {
    const char *at, *end;
    bool ok; /* false once something was asked for beyond the end */
} Cursor;

static const char *take(Cursor *cursor, uint64_t n)
{
    if (!cursor->ok || n > (uint64_t)(cursor->end - cursor->at)) {
        cursor->ok = false;
        return NULL;
    }
    const char *p = cursor->at;
    cursor->at += n;
    return p;
}

static uint64_t take_u64(Cursor *cursor)
{
    const unsigned char *p = (const unsigned char *)take(cursor, 8);
    uint64_t x = 0;
    for (int i = 7; p && i >= 0; i--) x = x << 8 | p[i];
    return x;
}

static uint32_t load_u32(const char *p)
{
    const unsigned char *b = (const unsigned char *)p;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static int32_t load_i32(const char *p)
{
    return (int32_t)load_u32(p);
}

static float load_float(const char *p)
{
    uint32_t bits = load_u32(p);
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static Str take_text(Cursor *cursor)
{
    uint64_t n = take_u64(cursor);
    const char *p = take(cursor, n);
    return p ? (Str){p, (size_t)n} : STR("");
}

static bool truncated(Error *err)
{
    return error_set(err, ERROR_INVALID,
                     "the file ends too early, or is none of XGBoost's binary form");
}

static bool read_tree(Cursor *cursor, int32_t n_features, Tree *tree, Error *err)
{
    enum { PARAMETER_BYTES = 148, NODE_BYTES = 20, STATISTICS_BYTES = 16 };
    const char *parameters = take(cursor, PARAMETER_BYTES);
    if (!parameters) return truncated(err);
    int32_t n = load_i32(parameters + 4), leaf_size = load_i32(parameters + 20);
    if (n < 1 || n > INT32_MAX / 2) return error_set(err, ERROR_INVALID, "a tree of %d nodes", n);
    if (leaf_size > 1) return error_set(err, ERROR_UNSUPPORTED, "leaves with %d values", leaf_size);
    const char *nodes = take(cursor, (uint64_t)n * NODE_BYTES);
    const char *statistics = take(cursor, (uint64_t)n * STATISTICS_BYTES);
    if (!nodes || !statistics) return truncated(err);
    if (!tree_init(tree, n, err)) return false;
    tree->n_nodes = n;
    for (int32_t i = 0; i < n; i++) {
        const char *node = nodes + (int64_t)i * NODE_BYTES,
                   *of = statistics + (int64_t)i * STATISTICS_BYTES;
        uint32_t split = load_u32(node + 12); /* the highest bit: missing goes left */
        tree->left[i] = load_i32(node + 4);
        tree->right[i] = load_i32(node + 8);
        tree->feature[i] = (int32_t)(split & INT32_MAX);
        tree->default_left[i] = (uint8_t)(split >> 31);
        tree->threshold[i] = load_float(node + 16);
        tree->gain[i] = load_float(of);
        tree->cover[i] = load_float(of + 4);
        tree->weight[i] = load_float(of + 8);
    }
    return model_check_tree(tree, n_features, err);
}

static bool read_trees(Cursor *cursor, BoostModel *model, Error *err)
{
    enum { PARAMETER_BYTES = 160 };
    const char *parameters = take(cursor, PARAMETER_BYTES);
    if (!parameters) return truncated(err);
    int32_t n_trees = load_i32(parameters), n_parallel = load_i32(parameters + 4);
    if (n_trees < 0 || n_trees > INT32_MAX / 4)
        return error_set(err, ERROR_INVALID, "%d trees", n_trees);
    for (int32_t t = 0; t < n_trees; t++) {
        Tree tree = {0};
        bool ok = read_tree(cursor, model->n_features, &tree, err) &&
                  boost_model_add_tree(model, &tree, 0, err);
        tree_clear(&tree);
        if (!ok) return error_in(err, "tree %d", t);
    }
    const char *groups = take(cursor, (uint64_t)n_trees * 4);
    if (!groups) return truncated(err);
    for (int32_t t = 0; t < n_trees; t++) {
        model->tree_group[t] = load_i32(groups + 4 * (int64_t)t);
        if (model->tree_group[t] < 0 || model->tree_group[t] >= model->n_groups)
            return error_set(err, ERROR_INVALID, "tree %d adds to output %d of %d", t,
                             model->tree_group[t], model->n_groups);
    }
    /* Before 1.0 this place held the number of roots, 0 or 1. */
    model->n_parallel = n_parallel >= 1 ? n_parallel : 1;
    if ((int64_t)model->n_parallel * model->n_groups > n_trees) model->n_parallel = 1;
    return model_make_rounds(model, err);
}

static bool read_floats(Cursor *cursor, uint64_t n, float *to, const char *what, Error *err)
{
    uint64_t found = take_u64(cursor);
    if (!cursor->ok) return truncated(err);
    if (found != n)
        return error_set(err, ERROR_INVALID, "%llu %s instead of %llu", (unsigned long long)found,
                         what, (unsigned long long)n);
    const char *p = take(cursor, 4 * n);
    if (!p) return truncated(err);
    for (uint64_t i = 0; i < n; i++) to[i] = load_float(p + 4 * i);
    return true;
}

static bool read_linear(Cursor *cursor, BoostModel *model, Error *err)
{
    enum { PARAMETER_BYTES = 136 };
    uint64_t n = ((uint64_t)model->n_features + 1) * (uint64_t)model->n_groups;
    if (!take(cursor, PARAMETER_BYTES) || n > (uint64_t)(cursor->end - cursor->at) / 4)
        return truncated(err);
    model->linear = data_array(float, n, "the weights", err);
    return model->linear && read_floats(cursor, n, model->linear, "weights", err);
}

static bool read_attributes(Cursor *cursor, BoostModel *model, Error *err)
{
    enum { ATTRIBUTES_MAX = 4096 };
    uint64_t n = take_u64(cursor);
    if (n > ATTRIBUTES_MAX)
        return error_set(err, ERROR_INVALID, "%llu attributes", (unsigned long long)n);
    ARENA(scratch);
    for (uint64_t i = 0; i < n; i++) {
        Str name = take_text(cursor), value = take_text(cursor);
        if (!cursor->ok) return truncated(err);
        if (str_is(name, "objective")) {
            const Json *objective;
            if (!json_parse(value, &scratch, &objective, err) ||
                !model_take_objective(objective, model, err))
                return error_in(err, "attribute 'objective'");
        } else {
            boost_model_set_attribute(model, arena_cstr(&scratch, name), value);
        }
    }
    return true;
}

/* The output whose margin is `margin`. */
static double undo_link(BoostModel *model, double margin)
{
    model->base_score = 0.5;
    double half = boost_model_base_margin(model);
    if (half == 0) return 1 / (1 + exp(-margin)); /* logit */
    return half < 0 ? exp(margin) : margin;       /* ln, or none */
}

bool model_parse_binary(Str bytes, BoostModel *model, Error *err)
{
    enum { PARAMETER_BYTES = 136 };
    Cursor cursor = {bytes.ptr, bytes.ptr + bytes.len, true};
    const char *p = take(&cursor, PARAMETER_BYTES);
    if (!p) return truncated(err);
    float base_score = load_float(p);
    uint32_t n_features = load_u32(p + 4), major = load_u32(p + 20), n_targets = load_u32(p + 28);
    int32_t n_classes = load_i32(p + 8);
    bool has_attributes = load_i32(p + 12) != 0;
    if (n_features > MODEL_FEATURES_MAX)
        return error_set(err, ERROR_INVALID, "%u features", n_features);
    if (n_classes < 0 || n_classes > MODEL_GROUPS_MAX || n_targets > MODEL_GROUPS_MAX)
        return error_set(err, ERROR_INVALID, "%d classes, %u targets", n_classes, n_targets);
    model->n_features = (int32_t)n_features;
    model->n_classes = n_classes;
    model->n_groups = MAX(1, MAX(n_classes, (int32_t)n_targets));
    model->objective = arena_str(&model->arena, take_text(&cursor));
    Str booster = take_text(&cursor);
    if (!cursor.ok) return truncated(err);

    if (str_is(booster, "gblinear")) {
        model->booster = BOOSTER_GBLINEAR;
        if (!read_linear(&cursor, model, err)) return false;
    } else if (str_is(booster, "gbtree") || str_is(booster, "dart")) {
        model->booster = str_is(booster, "dart") ? BOOSTER_DART : BOOSTER_GBTREE;
        if (!read_trees(&cursor, model, err)) return false;
        if (model->booster == BOOSTER_DART && model->n_trees &&
            !read_floats(&cursor, (uint64_t)model->n_trees, model->tree_weight, "tree weights",
                         err))
            return false;
    } else {
        return error_set(err, ERROR_UNSUPPORTED, "unknown booster '%.*s'",
                         (int)MIN(booster.len, (size_t)40), booster.ptr);
    }
    if (has_attributes && !read_attributes(&cursor, model, err)) return false;
    if (!isfinite(base_score))
        return error_set(err, ERROR_INVALID, "the base score is %g", (double)base_score);
    model->base_score = major >= 1 ? (double)base_score : undo_link(model, (double)base_score);
    return true;
}
