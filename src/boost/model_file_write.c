/* Models out: XGBoost's JSON, as text or as Universal Binary JSON (the default of XGBoost 3).
 *
 * The file is one that every XGBoost from 1.6 on reads.  Where versions differ it has what each
 * needs: the reader of one version does not look at what only another knows.
 *
 * - base_score is a plain number ("0.5"), which all versions take; 3.1 and later write "[5E-1]", and
 *   older ones take that for something else without a word.  Where outputs start differently, which
 *   only 3.1 and later know, the difference goes into the leaves of each output's first tree: all
 *   versions then predict the same, to the rounding of one float32 addition.
 * - Objectives carry their parameter block under the names of all versions.
 * - Version 1.7 is claimed: newer versions then expect nothing that they introduced themselves.
 *
 * Layout: XGBoost's doc/model.schema; UBJSON draft 12. */

#include "boost/model_file.h"

#include "base/file.h"
#include "format/json.h"
#include "format/utf8.h"

#include <math.h>
#include <stdio.h>

typedef struct Out {
    bool binary;
    const float *shift; /* per output: what to add to the leaves of its first tree, or NULL */
    StrBuf *to;
    JsonWriter json;
} Out;

/* ---- a value in either form ---- */

static void put_bytes(Out *out, uint64_t x, int width)
{
    char *p = strbuf_reserve(out->to, (size_t)width);
    if (!p) return;
    for (int i = 0; i < width; i++) p[i] = (char)(x >> (8 * (width - 1 - i)));
    out->to->len += (size_t)width;
}

static void put_length(Out *out, size_t n)
{
    strbuf_add_char(out->to, 'L');
    put_bytes(out, n, 8);
}

static void begin_object(Out *out)
{
    if (out->binary)
        strbuf_add_char(out->to, '{');
    else
        json_begin_object(&out->json);
}

static void end_object(Out *out)
{
    if (out->binary)
        strbuf_add_char(out->to, '}');
    else
        json_end_object(&out->json);
}

/* An array of objects or texts; binary ones state how many. */
static void begin_array(Out *out, size_t n)
{
    if (!out->binary) {
        json_begin_array(&out->json);
        return;
    }
    strbuf_add(out->to, STR("[#"));
    put_length(out, n);
}

static void end_array(Out *out)
{
    if (!out->binary) json_end_array(&out->json);
}

/* A text with its length.  What is not UTF-8 (names from old files and tables can be anything) comes
 * out with U+FFFD for each wrong byte, as in JSON: readers refuse it otherwise. */
static void put_text(Out *out, Str s)
{
    static const char replacement[] = "\xef\xbf\xbd";
    size_t wrong = utf8_check(s);
    if (wrong == s.len) {
        put_length(out, s.len);
        strbuf_add(out->to, s);
        return;
    }
    AUTO_STRBUF StrBuf mended = STRBUF(3 * s.len);
    while (wrong < s.len) {
        strbuf_add(&mended, str_slice(s, 0, wrong));
        strbuf_add(&mended, (Str){replacement, sizeof replacement - 1});
        s = str_from(s, wrong + 1);
        wrong = utf8_check(s);
    }
    strbuf_add(&mended, s);
    put_length(out, mended.len);
    strbuf_add(out->to, strbuf_str(&mended));
}

static void name(Out *out, const char *text)
{
    Str s = str_of(text);
    if (!out->binary) {
        json_name(&out->json, s);
        return;
    }
    put_text(out, s);
}

static void string(Out *out, Str s)
{
    if (!out->binary) {
        json_string(&out->json, s);
        return;
    }
    strbuf_add_char(out->to, 'S');
    put_text(out, s);
}

static void integer(Out *out, int64_t x)
{
    if (!out->binary) {
        json_int(&out->json, x);
        return;
    }
    bool narrow = x == (int32_t)x;
    strbuf_add_char(out->to, narrow ? 'l' : 'L');
    put_bytes(out, (uint64_t)x, narrow ? 4 : 8);
}

static void member(Out *out, const char *key, Str value)
{
    name(out, key);
    string(out, value);
}

static void member_int(Out *out, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)value);
    member(out, key, str_of(text));
}

static void begin_packed(Out *out, char type, size_t n)
{
    if (!out->binary) {
        json_begin_array(&out->json);
        return;
    }
    strbuf_add(out->to, STR("[$"));
    strbuf_add_char(out->to, type);
    strbuf_add_char(out->to, '#');
    put_length(out, n);
}

/* A number that XGBoost's reader of JSON takes for a float: it refuses "1", but not "1e0". */
static void json_real(Out *out, float x)
{
    size_t at = out->to->len;
    json_float(&out->json, x);
    for (; at < out->to->len; at++)
        if (strchr(".eN", out->to->ptr[at]) || out->to->ptr[at] == 'I') return;
    strbuf_add(out->to, STR("e0"));
}

static void put_float(Out *out, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_bytes(out, bits, 4);
}

static void member_floats(Out *out, const char *key, const float *x, size_t n)
{
    name(out, key);
    begin_packed(out, 'd', n);
    for (size_t i = 0; i < n; i++) {
        if (out->binary)
            put_float(out, x[i]);
        else
            json_real(out, x[i]);
    }
    end_array(out);
}

static void member_ints(Out *out, const char *key, char type, const int32_t *x, size_t n)
{
    int width = type == 'L' ? 8 : 4;
    name(out, key);
    begin_packed(out, type, n);
    for (size_t i = 0; i < n; i++) {
        if (out->binary)
            put_bytes(out, (uint64_t)(int64_t)x[i], width);
        else
            json_int(&out->json, x[i]);
    }
    end_array(out);
}

/* Arrays with a type of its own for each number: where XGBoost takes no packed one. */
static void member_loose_floats(Out *out, const char *key, const float *x, size_t n)
{
    name(out, key);
    begin_array(out, n);
    for (size_t i = 0; i < n; i++) {
        if (!out->binary) {
            json_real(out, x[i]);
            continue;
        }
        strbuf_add_char(out->to, 'd');
        put_float(out, x[i]);
    }
    end_array(out);
}

static void member_loose_ints(Out *out, const char *key, const int32_t *x, size_t n)
{
    name(out, key);
    begin_array(out, n);
    for (size_t i = 0; i < n; i++) integer(out, x[i]);
    end_array(out);
}

static void member_bytes(Out *out, const char *key, const uint8_t *x, size_t n)
{
    name(out, key);
    begin_packed(out, 'U', n);
    for (size_t i = 0; i < n; i++) {
        if (out->binary)
            strbuf_add_char(out->to, (char)x[i]);
        else
            json_int(&out->json, x[i]);
    }
    end_array(out);
}

/* ---- trees ---- */

/* Nodes that no split leads to are what XGBoost calls deleted; it marks them by their feature. */
static bool is_deleted(const Tree *tree, int32_t node)
{
    return node > 0 && tree->parent[node] < 0;
}

static void write_categories(Out *out, const Tree *tree, Arena *arena)
{
    size_t n = 0, total = 0;
    int32_t *nodes = arena_array(arena, int32_t, tree->n_nodes);
    int32_t *begins = arena_array(arena, int32_t, tree->n_nodes);
    int32_t *sizes = arena_array(arena, int32_t, tree->n_nodes);
    int32_t *categories = arena_array(arena, int32_t, tree->n_categories);
    for (int32_t i = 0; i < tree->n_nodes; i++) {
        if (!tree->categorical[i] || tree_is_leaf(tree, i)) continue;
        nodes[n] = i;
        begins[n] = (int32_t)total;
        sizes[n++] = tree->set_size[i];
        if (tree->set_size[i])
            memcpy(categories + total, tree->categories + tree->set_start[i],
                   (size_t)tree->set_size[i] * sizeof *categories);
        total += (size_t)tree->set_size[i];
    }
    member_ints(out, "categories", 'l', categories, total);
    member_ints(out, "categories_nodes", 'l', nodes, n);
    member_ints(out, "categories_segments", 'L', begins, n);
    member_ints(out, "categories_sizes", 'L', sizes, n);
}

/* The tree's thresholds and leaf values, these moved where they carry an output's start. */
static const float *shifted_leaves(const Out *out, const BoostModel *model, int32_t t, Arena *arena)
{
    const Tree *tree = &model->trees[t];
    if (!out->shift) return tree->threshold;
    for (int32_t before = 0; before < t; before++)
        if (model->tree_group[before] == model->tree_group[t]) return tree->threshold;
    float weight = model->tree_weight ? model->tree_weight[t] : 1;
    float *x = arena_array(arena, float, tree->n_nodes);
    for (int32_t i = 0; i < tree->n_nodes; i++)
        x[i] = tree->threshold[i] +
               (tree_is_leaf(tree, i) ? out->shift[model->tree_group[t]] / weight : 0);
    return x;
}

static void write_tree(Out *out, const BoostModel *model, int32_t t)
{
    ARENA(arena);
    const Tree *tree = &model->trees[t];
    const float *conditions = shifted_leaves(out, model, t, &arena);
    size_t n = (size_t)tree->n_nodes;
    int32_t n_deleted = 0;
    int32_t *parents = arena_array(&arena, int32_t, n), *features = arena_array(&arena, int32_t, n);
    uint8_t *left = arena_array(&arena, uint8_t, n), *types = arena_array(&arena, uint8_t, n);
    for (int32_t i = 0; i < tree->n_nodes; i++) {
        bool deleted = is_deleted(tree, i), leaf = tree_is_leaf(tree, i);
        n_deleted += deleted;
        parents[i] = i == 0 ? INT32_MAX : MAX(tree->parent[i], 0); /* of a deleted one: any node */
        features[i] = deleted ? INT32_MAX : leaf ? 0 : tree->feature[i];
        left[i] = deleted || (!leaf && tree->default_left[i]);
        types[i] = !leaf && tree->categorical[i];
    }
    begin_object(out);
    member_floats(out, "base_weights", tree->weight, n);
    if (tree->set_start) {
        write_categories(out, tree, &arena);
    } else {
        member_ints(out, "categories", 'l', NULL, 0);
        member_ints(out, "categories_nodes", 'l', NULL, 0);
        member_ints(out, "categories_segments", 'L', NULL, 0);
        member_ints(out, "categories_sizes", 'L', NULL, 0);
    }
    member_bytes(out, "default_left", left, n);
    name(out, "id");
    integer(out, t);
    member_ints(out, "left_children", 'l', tree->left, n);
    member_floats(out, "loss_changes", tree->gain, n);
    member_ints(out, "parents", 'l', parents, n);
    member_ints(out, "right_children", 'l', tree->right, n);
    member_floats(out, "split_conditions", conditions, n);
    member_ints(out, "split_indices", 'l', features, n);
    member_bytes(out, "split_type", types, n);
    member_floats(out, "sum_hessian", tree->cover, n);
    name(out, "tree_param");
    begin_object(out);
    member_int(out, "num_deleted", n_deleted);
    member_int(out, "num_feature", model->n_features);
    member_int(out, "num_nodes", tree->n_nodes);
    member(out, "size_leaf_vector", STR("0"));
    end_object(out);
    end_object(out);
}

static void write_trees(Out *out, const BoostModel *model)
{
    name(out, "model");
    begin_object(out);
    name(out, "gbtree_model_param");
    begin_object(out);
    member_int(out, "num_parallel_tree", model->n_parallel);
    member_int(out, "num_trees", model->n_trees);
    member(out, "size_leaf_vector", STR("0"));
    end_object(out);
    int32_t zero = 0;
    bool rounds = model->n_rounds > 0;
    member_loose_ints(out, "iteration_indptr", rounds ? model->round_start : &zero,
                      rounds ? (size_t)model->n_rounds + 1 : 1);
    member_loose_ints(out, "tree_info", model->tree_group, (size_t)model->n_trees);
    name(out, "trees");
    begin_array(out, (size_t)model->n_trees);
    for (int32_t t = 0; t < model->n_trees; t++) write_tree(out, model, t);
    end_array(out);
    end_object(out);
}

static void write_booster(Out *out, const BoostModel *model)
{
    name(out, "gradient_booster");
    begin_object(out);
    if (model->booster == BOOSTER_GBTREE) {
        write_trees(out, model);
        member(out, "name", STR("gbtree"));
    } else if (model->booster == BOOSTER_DART) {
        name(out, "gbtree");
        begin_object(out);
        write_trees(out, model);
        member(out, "name", STR("gbtree"));
        end_object(out);
        member(out, "name", STR("dart"));
        ARENA(arena);
        float *weight = arena_array(&arena, float, model->n_trees);
        for (int32_t t = 0; t < model->n_trees; t++)
            weight[t] = model->tree_weight ? model->tree_weight[t] : 1;
        member_loose_floats(out, "weight_drop", weight, (size_t)model->n_trees);
    } else {
        name(out, "model");
        begin_object(out);
        name(out, "boosted_rounds");
        integer(out, model->n_rounds);
        member_floats(out, "weights", model->linear,
                      ((size_t)model->n_features + 1) * (size_t)model->n_groups);
        end_object(out);
        member(out, "name", STR("gblinear"));
    }
    end_object(out);
}

/* ---- objectives ---- */

/* What the readers of the several versions ask for, with the value when the model has none. */
static const struct {
    const char *objective, *block, *parameter, *preset;
} parameters[] = {
    {"reg:squarederror", "reg_loss_param", "scale_pos_weight", "1"},
    {"reg:linear", "reg_loss_param", "scale_pos_weight", "1"},
    {"reg:squaredlogerror", "reg_loss_param", "scale_pos_weight", "1"},
    {"reg:logistic", "reg_loss_param", "scale_pos_weight", "1"},
    {"binary:logistic", "reg_loss_param", "scale_pos_weight", "1"},
    {"binary:logitraw", "reg_loss_param", "scale_pos_weight", "1"},
    {"reg:gamma", "reg_loss_param", "scale_pos_weight", "1"},
    {"reg:pseudohubererror", "pseudo_huber_param", "huber_slope", "1"},
    {"reg:tweedie", "tweedie_regression_param", "tweedie_variance_power", "1.5"},
    {"count:poisson", "poisson_regression_param", "max_delta_step", "0.7"},
    {"reg:quantileerror", "quantile_loss_param", "quantile_alpha", "[0.5]"},
    {"reg:expectileerror", "expectile_loss_param", "expectile_alpha", "[0.5]"},
    {"multi:softmax", "softmax_multiclass_param", "num_class", "1"},
    {"multi:softprob", "softmax_multiclass_param", "num_class", "1"},
    {"survival:aft", "aft_loss_param", "aft_loss_distribution", "normal"},
    {"survival:aft", "aft_loss_param", "aft_loss_distribution_scale", "1"},
    {"rank:", "lambda_rank_param", "fix_list_weight", "0"}, /* to 1.7 */
    {"rank:", "lambda_rank_param", "num_pairsample", "1"},
    {"rank:", "lambdarank_param", "lambdarank_bias_norm", "1"},
    {"rank:", "lambdarank_param", "lambdarank_normalization", "1"},
    {"rank:", "lambdarank_param", "lambdarank_num_pair_per_sample", "4294967295"},
    {"rank:", "lambdarank_param", "lambdarank_pair_method", "topk"},
    {"rank:", "lambdarank_param", "lambdarank_score_normalization", "1"},
    {"rank:", "lambdarank_param", "lambdarank_unbiased", "0"},
    {"rank:", "lambdarank_param", "ndcg_exp_gain", "1"},
};

static bool concerns(Str objective, const char *pattern)
{
    Str p = str_of(pattern);
    return p.ptr[p.len - 1] == ':' ? str_starts(objective, p) : str_eq(objective, p);
}

static Str parameter_value(const BoostModel *model, const char *parameter, const char *preset)
{
    for (int32_t i = 0; i < model->n_objective; i++)
        if (str_is(model->objective_names[i], parameter)) return model->objective_values[i];
    return str_of(preset);
}

static void write_objective(Out *out, const BoostModel *model)
{
    name(out, "objective");
    begin_object(out);
    const char *open = NULL;
    for (size_t i = 0; i < COUNT(parameters); i++) {
        if (!concerns(model->objective, parameters[i].objective)) continue;
        if (open && strcmp(open, parameters[i].block) != 0) {
            end_object(out);
            open = NULL;
        }
        if (!open) {
            open = parameters[i].block;
            name(out, open);
            begin_object(out);
        }
        member(out, parameters[i].parameter,
               parameter_value(model, parameters[i].parameter, parameters[i].preset));
    }
    if (open) end_object(out);
    member(out, "name", model->objective);
    end_object(out);
}

/* ---- the whole ---- */

static void write_strings(Out *out, const char *key, const Str *x, int32_t n)
{
    name(out, key);
    begin_array(out, x ? (size_t)n : 0);
    for (int32_t i = 0; x && i < n; i++) string(out, x[i]);
    end_array(out);
}

static void write_parameters(Out *out, const BoostModel *model)
{
    bool list = model->base_scores && !out->shift && model->booster != BOOSTER_GBLINEAR;
    AUTO_STRBUF StrBuf base = STRBUF(1 << 26);
    double first = model->base_scores ? model->base_scores[0] : model->base_score;
    if (!list) strbuf_addf(&base, "%.9g", (double)(float)first);
    for (int32_t g = 0; list && g < model->n_groups; g++)
        strbuf_addf(&base, "%c%.9g", g ? ',' : '[', (double)(float)model->base_scores[g]);
    if (list) strbuf_add_char(&base, ']');

    name(out, "learner_model_param");
    begin_object(out);
    member(out, "base_score", strbuf_str(&base));
    member(out, "boost_from_average", STR("1"));
    member_int(out, "num_class", model->n_classes);
    member_int(out, "num_feature", model->n_features);
    member_int(out, "num_target", model->n_classes > 1 ? 1 : model->n_groups);
    end_object(out);
}

static void write_model(Out *out, const BoostModel *model)
{
    begin_object(out);
    name(out, "learner");
    begin_object(out);
    name(out, "attributes");
    begin_object(out);
    ARENA(arena);
    for (int32_t i = 0; i < model->n_attributes; i++)
        member(out, arena_cstr(&arena, model->attribute_names[i]), model->attribute_values[i]);
    end_object(out);
    write_strings(out, "feature_names", model->feature_names, model->n_features);
    write_strings(out, "feature_types", model->feature_types, model->n_features);
    write_booster(out, model);
    write_parameters(out, model);
    write_objective(out, model);
    end_object(out);
    name(out, "version");
    begin_array(out, 3);
    integer(out, 1);
    integer(out, 7);
    integer(out, 6);
    end_array(out);
    end_object(out);
}

/* What each output starts above the first one, or NULL when nothing is to be moved; an output
 * without a usable tree leaves only the list of base scores. */
static const float *find_shift(const BoostModel *model, Arena *arena)
{
    if (!model->base_scores || model->booster == BOOSTER_GBLINEAR) return NULL;
    bool *has_tree = arena_array(arena, bool, model->n_groups);
    for (int32_t t = model->n_trees; t-- > 0;)
        has_tree[model->tree_group[t]] = !model->tree_weight || model->tree_weight[t] != 0;
    float *shift = arena_array(arena, float, model->n_groups);
    for (int32_t g = 0; g < model->n_groups; g++) {
        if (!has_tree[g]) return NULL;
        shift[g] = (float)(boost_model_group_margin(model, g) - boost_model_group_margin(model, 0));
    }
    return shift;
}

bool boost_model_print(const BoostModel *model, ModelFormat format, StrBuf *to, Error *err)
{
    ARENA(arena);
    Out out = {.binary = format == MODEL_UBJSON,
               .shift = find_shift(model, &arena),
               .to = to,
               .json = JSON_WRITER(to)};
    out.json.non_finite = true;
    write_model(&out, model);
    if (to->overflow)
        return error_set(err, ERROR_LIMIT, "the model is larger than %zu bytes", to->max);
    return true;
}

bool boost_model_write(const BoostModel *model, ModelFormat format, const char *path, Error *err)
{
    AUTO_STRBUF StrBuf text = STRBUF(MODEL_BYTES_MAX);
    return boost_model_print(model, format, &text, err) &&
           file_commit(path, strbuf_str(&text), err);
}
