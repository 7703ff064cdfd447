/* Models in: which form a file has, and the JSON forms.
 *
 * A file is what XGBoost itself takes it for: text JSON begins with '{' and '"' (or blank), UBJSON
 * with '{' and a length's type, the old binary form with "binf".  Nothing in a file is believed: a
 * tree's arrays must agree in length, its children must form a tree, features, outputs and
 * categories must exist, and memory is taken only for what the file really holds. */

#include "boost/model_file.h"

#include "base/file.h"
#include "base/memory.h"
#include "format/json.h"

#include <math.h>

/* ---- what all forms share ---- */

bool model_check_tree(Tree *tree, int32_t n_features, Error *err)
{
    int32_t n = tree->n_nodes;
    AUTO_DATA int32_t *stack = data_array(int32_t, n + 2, "a tree", err);
    if (!stack) return false;
    for (int32_t i = 0; i < n; i++) tree->parent[i] = -1;
    int32_t depth = 0;
    stack[depth++] = 0;
    while (depth) {
        int32_t node = stack[--depth], left = tree->left[node], right = tree->right[node];
        if (left == -1) {
            tree->right[node] = -1;
            tree->categorical[node] = 0;
            continue;
        }
        for (int side = 0; side < 2; side++) {
            int32_t child = side ? right : left;
            if (child <= 0 || child >= n)
                return error_set(err, ERROR_INVALID,
                                 "node %d has child %d, the tree has nodes 0 to %d", node, child,
                                 n - 1);
            /* Each node has one parent, so nothing is visited twice and the walk ends. */
            if (tree->parent[child] >= 0)
                return error_set(err, ERROR_INVALID,
                                 "node %d is a child of both node %d and node %d", child,
                                 tree->parent[child], node);
            tree->parent[child] = node;
            stack[depth++] = child;
        }
        if (tree->feature[node] < 0 || tree->feature[node] >= n_features)
            return error_set(err, ERROR_INVALID,
                             "node %d splits by feature %d, the model has %d features", node,
                             tree->feature[node], n_features);
        if (!tree->categorical[node] && isnan(tree->threshold[node]))
            return error_set(err, ERROR_INVALID, "node %d has the split condition NaN", node);
        if (tree->categorical[node] && !tree->set_start)
            return error_set(err, ERROR_INVALID,
                             "node %d is categorical, but the tree has no categories", node);
    }
    for (int32_t i = 1; i < n; i++) {
        if (tree->parent[i] >= 0) continue;
        tree->left[i] = tree->right[i] = -1;
        tree->categorical[i] = 0;
    }
    return true;
}

bool model_make_rounds(BoostModel *model, Error *err)
{
    int64_t each = (int64_t)model->n_parallel * model->n_groups;
    if (model->n_trees % each)
        return error_set(err, ERROR_INVALID,
                         "%d trees, which is no multiple of %d outputs times %d parallel trees",
                         model->n_trees, model->n_groups, model->n_parallel);
    int32_t n_trees = model->n_trees;
    for (int64_t t = each; t <= n_trees; t += each) {
        model->n_trees = (int32_t)t;
        bool ok = boost_model_end_round(model, err);
        model->n_trees = n_trees;
        if (!ok) return false;
    }
    return true;
}

static void set_parameter(BoostModel *model, Str name, Str value)
{
    for (int32_t i = 0; i < model->n_objective; i++)
        if (str_eq(model->objective_names[i], name)) {
            model->objective_values[i] = arena_str(&model->arena, value);
            return;
        }
    size_t n = (size_t)model->n_objective;
    model->objective_names = arena_grow(&model->arena, model->objective_names, n, n + 1,
                                        sizeof(Str));
    model->objective_values = arena_grow(&model->arena, model->objective_values, n, n + 1,
                                         sizeof(Str));
    model->objective_names[n] = arena_str(&model->arena, name);
    model->objective_values[n] = arena_str(&model->arena, value);
    model->n_objective++;
}

bool model_take_objective(const Json *objective, BoostModel *model, Error *err)
{
    enum { PARAMETERS_MAX = 64 };
    const Json *name;
    if (!json_need(objective, "name", JSON_STRING, &name, err)) return false;
    model->objective = arena_str(&model->arena, name->text);
    for (size_t b = 0; b < objective->n; b++) {
        const Json *block = objective->members[b].value;
        if (block->type != JSON_OBJECT) continue;
        for (size_t i = 0; i < block->n && model->n_objective < PARAMETERS_MAX; i++)
            if (block->members[i].value->type == JSON_STRING)
                set_parameter(model, block->members[i].name, block->members[i].value->text);
    }
    return true;
}

/* ---- numbers of JSON ---- */

/* Parameters are numbers written as texts ("num_class": "3"). */
static bool read_parameter(const Json *object, const char *name, int64_t low, int64_t high,
                           int64_t preset, int32_t *ret_value, Error *err)
{
    const Json *value = json_get(object, name);
    int64_t x = preset;
    if (value) {
        if (value->type != JSON_STRING || !str_to_int64(value->text, &x))
            return error_set(err, ERROR_INVALID, "'%s' is no integer in quotes", name);
    } else if (preset < low) {
        return error_set(err, ERROR_INVALID, "member '%s' is missing", name);
    }
    if (x < low || x > high)
        return error_set(err, ERROR_INVALID, "'%s' is %lld, outside %lld to %lld", name,
                         (long long)x, (long long)low, (long long)high);
    *ret_value = (int32_t)x;
    return true;
}

static bool is_array(const Json *value)
{
    return value && value->type >= JSON_ARRAY && value->type != JSON_OBJECT;
}

/* An array of n numbers; n < 0: any length. */
static bool need_array(const Json *object, const char *name, int64_t n, const Json **ret_array,
                       Error *err)
{
    const Json *array = json_get(object, name);
    if (!array) return error_set(err, ERROR_INVALID, "member '%s' is missing", name);
    if (!is_array(array)) return error_set(err, ERROR_INVALID, "'%s' is no array", name);
    if (n >= 0 && array->n != (size_t)n)
        return error_set(err, ERROR_INVALID, "'%s' has %zu elements, the others have %lld", name,
                         array->n, (long long)n);
    *ret_array = array;
    return true;
}

static bool number_at(const Json *array, size_t i, double *ret_value)
{
    const Json *item = json_at(array, i);
    if (item && item->type == JSON_BOOL) { /* default_left up to XGBoost 1.5 */
        *ret_value = item->boolean;
        return true;
    }
    return json_number_at(array, i, ret_value);
}

static bool read_floats(const Json *object, const char *name, int64_t n, float *to, Error *err)
{
    const Json *array;
    if (!need_array(object, name, n, &array, err)) return false;
    if (array->type == JSON_FLOATS) {
        if (array->n) memcpy(to, array->floats, array->n * sizeof *to);
        return true;
    }
    double x;
    for (size_t i = 0; i < array->n; i++) {
        if (!number_at(array, i, &x))
            return error_set(err, ERROR_INVALID, "'%s': element %zu is no number", name, i);
        to[i] = (float)x;
    }
    return true;
}

static bool read_ints(const Json *object, const char *name, int64_t n, int32_t *to, Error *err)
{
    const Json *array;
    if (!need_array(object, name, n, &array, err)) return false;
    if (array->type == JSON_INT32S) {
        if (array->n) memcpy(to, array->int32s, array->n * sizeof *to);
        return true;
    }
    double x;
    for (size_t i = 0; i < array->n; i++) {
        if (!number_at(array, i, &x) || !(x >= INT32_MIN && x <= INT32_MAX) ||
            x != (double)(int32_t)x)
            return error_set(err, ERROR_INVALID, "'%s': element %zu is no 32-bit integer", name, i);
        to[i] = (int32_t)x;
    }
    return true;
}

static bool read_flags(const Json *object, const char *name, int64_t n, uint8_t *to, Error *err)
{
    const Json *array;
    if (!need_array(object, name, n, &array, err)) return false;
    double x;
    for (size_t i = 0; i < array->n; i++) {
        if (!number_at(array, i, &x) || (x != 0 && x != 1))
            return error_set(err, ERROR_INVALID, "'%s': element %zu is neither 0 nor 1", name, i);
        to[i] = x != 0;
    }
    return true;
}

/* ---- trees ---- */

static bool read_categories(const Json *json, Tree *tree, Error *err)
{
    const Json *nodes_array, *categories_array;
    if (!json_get(json, "categories_nodes")) return true; /* before 1.3 */
    if (!need_array(json, "categories_nodes", -1, &nodes_array, err) ||
        !need_array(json, "categories", -1, &categories_array, err))
        return false;
    size_t n = nodes_array->n, total = categories_array->n;
    if (n == 0) return true;
    if (total > INT32_MAX / 4) return error_set(err, ERROR_LIMIT, "%zu categories", total);

    AUTO_DATA int32_t *nodes = data_array(int32_t, n, "the categories", err);
    AUTO_DATA int32_t *begins = data_array(int32_t, n, "the categories", err);
    AUTO_DATA int32_t *sizes = data_array(int32_t, n, "the categories", err);
    tree->categories = data_array(int32_t, total, "the categories", err);
    tree->set_start = data_array(int32_t, tree->n_nodes, "the categories", err);
    tree->set_size = data_array(int32_t, tree->n_nodes, "the categories", err);
    if (!nodes || !begins || !sizes || !tree->categories || !tree->set_start || !tree->set_size)
        return false;
    tree->n_categories = (int32_t)total;
    if (!read_ints(json, "categories_nodes", (int64_t)n, nodes, err) ||
        !read_ints(json, "categories_segments", (int64_t)n, begins, err) ||
        !read_ints(json, "categories_sizes", (int64_t)n, sizes, err) ||
        !read_ints(json, "categories", (int64_t)total, tree->categories, err))
        return false;
    for (size_t i = 0; i < total; i++)
        if (tree->categories[i] < 0 || tree->categories[i] >= MODEL_CATEGORY_MAX)
            return error_set(err, ERROR_INVALID, "category %d is outside 0 to %d",
                             tree->categories[i], MODEL_CATEGORY_MAX - 1);
    for (size_t i = 0; i < n; i++) {
        if (nodes[i] < 0 || nodes[i] >= tree->n_nodes)
            return error_set(err, ERROR_INVALID, "'categories_nodes' names node %d of %d", nodes[i],
                             tree->n_nodes);
        if (begins[i] < 0 || sizes[i] < 0 || begins[i] > tree->n_categories - sizes[i])
            return error_set(err, ERROR_INVALID, "node %d has the categories %d to %lld of %d",
                             nodes[i], begins[i], (long long)begins[i] + sizes[i],
                             tree->n_categories);
        tree->set_start[nodes[i]] = begins[i];
        tree->set_size[nodes[i]] = sizes[i];
    }
    return true;
}

static bool read_tree(const Json *json, int32_t n_features, Tree *tree, Error *err)
{
    const Json *left;
    if (!need_array(json, "left_children", -1, &left, err)) return false;
    if (left->n == 0 || left->n > INT32_MAX / 2)
        return error_set(err, ERROR_INVALID, "a tree of %zu nodes", left->n);
    int32_t leaf_size;
    if (!read_parameter(json_get(json, "tree_param"), "size_leaf_vector", 0, INT32_MAX, 0,
                        &leaf_size, err))
        return false;
    if (leaf_size > 1)
        return error_set(
            err, ERROR_UNSUPPORTED,
            "leaves with %d values (multi_strategy multi_output_tree) are not supported; "
            "train with multi_strategy one_output_per_tree",
            leaf_size);

    int32_t n = (int32_t)left->n;
    if (!tree_init(tree, n, err)) return false;
    tree->n_nodes = n;
    return read_ints(json, "left_children", n, tree->left, err) &&
           read_ints(json, "right_children", n, tree->right, err) &&
           read_ints(json, "split_indices", n, tree->feature, err) &&
           read_floats(json, "split_conditions", n, tree->threshold, err) &&
           read_flags(json, "default_left", n, tree->default_left, err) &&
           (!json_get(json, "split_type") ||
            read_flags(json, "split_type", n, tree->categorical, err)) &&
           (!json_get(json, "base_weights") ||
            read_floats(json, "base_weights", n, tree->weight, err)) &&
           (!json_get(json, "loss_changes") ||
            read_floats(json, "loss_changes", n, tree->gain, err)) &&
           (!json_get(json, "sum_hessian") ||
            read_floats(json, "sum_hessian", n, tree->cover, err)) &&
           read_categories(json, tree, err) && model_check_tree(tree, n_features, err);
}

static bool read_trees(const Json *json, BoostModel *model, Error *err)
{
    const Json *trees, *info, *parameters, *starts;
    if (!json_need(json, "trees", JSON_ARRAY, &trees, err) ||
        !json_need(json, "gbtree_model_param", JSON_OBJECT, &parameters, err) ||
        !need_array(json, "tree_info", (int64_t)trees->n, &info, err) ||
        !read_parameter(parameters, "num_parallel_tree", 1, INT32_MAX, 1, &model->n_parallel, err))
        return false;
    if (trees->n > INT32_MAX / 4) return error_set(err, ERROR_LIMIT, "%zu trees", trees->n);
    AUTO_DATA int32_t *groups = data_array(int32_t, trees->n, "the trees", err);
    if (!groups || !read_ints(json, "tree_info", (int64_t)trees->n, groups, err)) return false;
    for (size_t t = 0; t < trees->n; t++) {
        if (groups[t] < 0 || groups[t] >= model->n_groups)
            return error_set(err, ERROR_INVALID, "tree %zu adds to output %d of %d", t, groups[t],
                             model->n_groups);
        Tree tree = {0};
        bool ok = read_tree(trees->items[t], model->n_features, &tree, err) &&
                  boost_model_add_tree(model, &tree, groups[t], err);
        tree_clear(&tree);
        if (!ok) return error_in(err, "tree %zu", t);
    }

    /* From 2.0 on the rounds are listed; before, all have the same number of trees. */
    if (!json_get(json, "iteration_indptr")) return model_make_rounds(model, err);
    if (!need_array(json, "iteration_indptr", -1, &starts, err)) return false;
    AUTO_DATA int32_t *start = data_array(int32_t, starts->n, "the rounds", err);
    if (!start || !read_ints(json, "iteration_indptr", (int64_t)starts->n, start, err))
        return false;
    int32_t n_trees = model->n_trees, before = 0;
    for (size_t r = 0; r < starts->n; r++) {
        bool last = r + 1 == starts->n;
        if (start[r] < before || start[r] > n_trees || (r == 0 && start[r] != 0) ||
            (last && start[r] != n_trees))
            return error_set(err, ERROR_INVALID,
                             "'iteration_indptr': element %zu is %d, with %d before and %d trees",
                             r, start[r], before, n_trees);
        before = start[r];
        if (r == 0) continue;
        model->n_trees = start[r];
        bool ok = boost_model_end_round(model, err);
        model->n_trees = n_trees;
        if (!ok) return false;
    }
    return true;
}

static bool read_linear(const Json *json, BoostModel *model, Error *err)
{
    const Json *weights, *rounds = json_get(json, "boosted_rounds");
    int64_t n = ((int64_t)model->n_features + 1) * model->n_groups;
    if (!need_array(json, "weights", n, &weights, err)) return false;
    model->linear = data_array(float, n, "the weights", err);
    if (!model->linear || !read_floats(json, "weights", n, model->linear, err)) return false;
    double n_rounds = rounds && rounds->type == JSON_NUMBER ? rounds->number : 0;
    for (int32_t r = 0; r < 1000000 && r < n_rounds; r++)
        if (!boost_model_end_round(model, err)) return false;
    return true;
}

static bool read_booster(const Json *json, BoostModel *model, Error *err)
{
    const Json *name, *inner, *weights;
    if (!json_need(json, "name", JSON_STRING, &name, err)) return false;
    if (str_is(name->text, "gblinear")) {
        model->booster = BOOSTER_GBLINEAR;
        return json_need(json, "model", JSON_OBJECT, &inner, err) && read_linear(inner, model, err);
    }
    if (str_is(name->text, "gbtree")) {
        model->booster = BOOSTER_GBTREE;
        return json_need(json, "model", JSON_OBJECT, &inner, err) && read_trees(inner, model, err);
    }
    if (!str_is(name->text, "dart"))
        return error_set(err, ERROR_UNSUPPORTED, "unknown booster '%.*s'", STR_ARG(name->text));
    model->booster = BOOSTER_DART;
    return json_need(json, "gbtree", JSON_OBJECT, &inner, err) &&
           json_need(inner, "model", JSON_OBJECT, &inner, err) && read_trees(inner, model, err) &&
           need_array(json, "weight_drop", model->n_trees, &weights, err) &&
           (model->n_trees == 0 ||
            read_floats(json, "weight_drop", model->n_trees, model->tree_weight, err));
}

/* ---- the learner ---- */

/* "5E-1", or from 3.1 on "[5E-1]" or one number for each output. */
static bool read_base_score(Str text, BoostModel *model, Error *err)
{
    Str whole = text, part;
    bool list = text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']';
    if (list) text = str_slice(text, 1, text.len - 1);
    double *scores = NULL;
    int32_t n = 0;
    while (str_next(&text, ',', &part)) {
        double x;
        if (!str_to_double(str_trim(part), &x) || !isfinite((float)x))
            return error_set(err, ERROR_INVALID, "'base_score' is '%.*s'",
                             (int)MIN(whole.len, (size_t)100), whole.ptr);
        if (n == model->n_groups)
            return error_set(err, ERROR_INVALID,
                             "'base_score' has more numbers than the model's %d outputs",
                             model->n_groups);
        if (!scores) scores = arena_array(&model->arena, double, list ? model->n_groups : 1);
        scores[n++] = (double)(float)x;
    }
    if (n != 1 && n != model->n_groups)
        return error_set(err, ERROR_INVALID,
                         "'base_score' has %d numbers, the model has %d outputs", n,
                         model->n_groups);
    model->base_score = scores[0];
    for (int32_t g = 1; g < n; g++)
        if (scores[g] != scores[0]) model->base_scores = scores;
    return true;
}

static bool read_attributes(const Json *attributes, BoostModel *model, Error *err)
{
    enum { ATTRIBUTES_MAX = 4096 };
    if (!attributes) return true;
    if (attributes->type != JSON_OBJECT)
        return error_set(err, ERROR_INVALID, "'attributes' is no object");
    if (attributes->n > ATTRIBUTES_MAX)
        return error_set(err, ERROR_LIMIT, "%zu attributes", attributes->n);
    ARENA(scratch);
    for (size_t i = 0; i < attributes->n; i++) {
        const JsonMember *member = &attributes->members[i];
        if (member->value->type == JSON_STRING)
            boost_model_set_attribute(model, arena_cstr(&scratch, member->name),
                                      member->value->text);
    }
    return true;
}

static bool read_strings(const Json *learner, const char *name, BoostModel *model,
                         Str **ret_strings, Error *err)
{
    const Json *array = json_get(learner, name);
    if (!array || array->n == 0) return true;
    if (array->type != JSON_ARRAY || array->n != (size_t)model->n_features)
        return error_set(err, ERROR_INVALID, "'%s' has %zu elements, the model has %d features",
                         name, array->n, model->n_features);
    Str *strings = arena_array(&model->arena, Str, array->n);
    for (size_t i = 0; i < array->n; i++) {
        if (array->items[i]->type != JSON_STRING)
            return error_set(err, ERROR_INVALID, "'%s': element %zu is no text", name, i);
        strings[i] = arena_str(&model->arena, array->items[i]->text);
    }
    *ret_strings = strings;
    return true;
}

static bool read_learner(const Json *top, BoostModel *model, Error *err)
{
    const Json *learner, *parameters, *objective, *booster, *base;
    int32_t n_targets;
    if (!json_need(top, "learner", JSON_OBJECT, &learner, err) ||
        !json_need(learner, "learner_model_param", JSON_OBJECT, &parameters, err) ||
        !json_need(learner, "objective", JSON_OBJECT, &objective, err) ||
        !json_need(learner, "gradient_booster", JSON_OBJECT, &booster, err) ||
        !json_need(parameters, "base_score", JSON_STRING, &base, err) ||
        !read_parameter(parameters, "num_feature", 0, MODEL_FEATURES_MAX, -1, &model->n_features,
                        err) ||
        !read_parameter(parameters, "num_class", 0, MODEL_GROUPS_MAX, 0, &model->n_classes, err) ||
        !read_parameter(parameters, "num_target", 0, MODEL_GROUPS_MAX, 1, &n_targets, err))
        return false;
    model->n_groups = MAX(1, MAX(model->n_classes, n_targets));
    return read_base_score(base->text, model, err) && model_take_objective(objective, model, err) &&
           read_attributes(json_get(learner, "attributes"), model, err) &&
           read_strings(learner, "feature_names", model, &model->feature_names, err) &&
           read_strings(learner, "feature_types", model, &model->feature_types, err) &&
           read_booster(booster, model, err);
}

/* ---- which form ---- */

static bool parse_into(Str bytes, BoostModel *model, Error *err)
{
    if (bytes.len == 0) return error_set(err, ERROR_INVALID, "the file is empty");
    unsigned char first = (unsigned char)bytes.ptr[0],
                  second = bytes.len > 1 ? (unsigned char)bytes.ptr[1] : 0;
    if (first == 0x80 && second <= 5)
        return error_set(
            err, ERROR_UNSUPPORTED,
            "this is a Python pickle, which could run any code when it is opened; load it with the "
            "Python that made it and save the model with booster.save_model('model.json')");
    if (str_starts(bytes, STR("binf"))) return model_parse_binary(str_from(bytes, 4), model, err);
    if (str_starts(bytes, STR("bs64")))
        return error_set(err, ERROR_UNSUPPORTED,
                         "the base64 form is not supported; load it in XGBoost and save it with "
                         "booster.save_model('model.json')");
    if (first == 0x1f && second == 0x8b)
        return error_set(err, ERROR_INVALID,
                         "this is a gzip file (model.tar.gz?); unpack it first");
    ARENA(arena);
    const Json *top;
    bool ubjson = first == '{' && second >= 'A' && second <= 'z';
    bool ok = ubjson ? ubjson_parse(bytes, &arena, &top, err)
                     : json_parse_with(bytes, JSON_NON_FINITE | JSON_PACK, &arena, &top, err);
    if (!ok && !ubjson && first != '{')
        return error_set(
            err, ERROR_INVALID,
            "this is no XGBoost model: it begins neither with '{' (JSON, UBJSON) nor with 'binf'");
    return ok && read_learner(top, model, err);
}

bool boost_model_parse(Str bytes, BoostModel **ret_model, Error *err)
{
    AUTO(boost_model_free) BoostModel *model = boost_model_new();
    if (!parse_into(bytes, model, err)) return error_in(err, "XGBoost model");
    *ret_model = STEAL(model);
    return true;
}

bool boost_model_read(const char *path, BoostModel **ret_model, Error *err)
{
    Str bytes;
    if (!file_map(path, &bytes, err)) return false;
    bool ok = boost_model_parse(bytes, ret_model, err);
    file_unmap(bytes);
    return ok || error_in(err, "reading '%s'", path);
}
