/* From a frame to what algorithms learn from.
 *
 * Columns move from the frame to the dataset without a copy: a float column is taken as it is, the
 * codes of categories (int32) become floats in place.  Categories and classes are put in the order
 * people expect (by value when all are numbers, else bytewise), so that the order of rows in the
 * file does not change a model. */

#include "data/dataset.h"

#include "base/memory.h"
#include "data/dictionary.h"
#include "data/problems.h"

#include <math.h>
#include <stdlib.h>

enum { CLASSES_MAX = 1 << 20 };

Dataset *dataset_new(void)
{
    Dataset *dataset = calloc(1, sizeof *dataset);
    if (!dataset) memory_exhausted(sizeof *dataset);
    return dataset;
}

void dataset_free(Dataset *dataset)
{
    if (!dataset) return;
    for (int32_t j = 0; dataset->columns && j < dataset->n_features; j++)
        data_free(dataset->columns[j]);
    data_free(dataset->row_start);
    data_free(dataset->col);
    data_free(dataset->value);
    data_free(dataset->label);
    data_free(dataset->weight);
    data_free(dataset->group_start);
    arena_clear(&dataset->arena);
    free(dataset);
}

Matrix dataset_matrix(const Dataset *dataset)
{
    Matrix matrix = {.n_rows = dataset->n_rows, .n_cols = dataset->n_features};
    if (dataset->columns) {
        matrix.layout = MATRIX_COLUMNS;
        matrix.column = dataset->columns;
    } else {
        matrix.layout = MATRIX_CSR;
        matrix.row_start = dataset->row_start;
        matrix.col = dataset->col;
        matrix.value = dataset->value;
        matrix.absent = NAN;
    }
    return matrix;
}

void dataset_release_column(Dataset *dataset, int32_t column)
{
    data_free(dataset->columns[column]);
    dataset->columns[column] = NULL;
}

static Str *copy_words(Arena *arena, const Str *words, int32_t n)
{
    Str *copy = arena_array(arena, Str, n);
    for (int32_t i = 0; i < n; i++) copy[i] = arena_str(arena, words[i]);
    return copy;
}

void schema_copy(const Schema *schema, Arena *arena, Schema *ret_schema)
{
    Schema copy = *schema;
    copy.target = arena_str(arena, schema->target);
    copy.classes = copy_words(arena, schema->classes, schema->n_classes);
    copy.features = arena_array(arena, Feature, schema->n_features);
    for (int32_t j = 0; j < schema->n_features; j++) {
        const Feature *from = &schema->features[j];
        copy.features[j] = (Feature){
            .name = arena_str(arena, from->name),
            .kind = from->kind,
            .categories = copy_words(arena, from->categories, from->n_categories),
            .n_categories = from->n_categories,
        };
    }
    *ret_schema = copy;
}

/* ---- values of a column as floats ---- */

/* A column's values as float, NaN where missing; the column gives its memory away. */
static float *take_floats(Column *column, int64_t n_rows, Error *err)
{
    if (column->type == COLUMN_NUMBER && column->f32) return STEAL(column->f32);
    float *out = data_array(float, n_rows, "a column", err);
    if (!out) return NULL;
    switch (column->type) {
    case COLUMN_NUMBER:
        for (int64_t i = 0; i < n_rows; i++) out[i] = (float)column->f64[i];
        break;
    case COLUMN_BOOL:
        for (int64_t i = 0; i < n_rows; i++) out[i] = (float)column->bools[i];
        break;
    case COLUMN_TIME:
        for (int64_t i = 0; i < n_rows; i++) out[i] = (float)((double)column->time_us[i] * 1e-6);
        break;
    default: assert(false && "numbers only");
    }
    if (column->valid)
        for (int64_t i = 0; i < n_rows; i++)
            if (!column_is_valid(column, i)) out[i] = NAN;
    data_free(STEAL(column->f64));
    data_free(STEAL(column->bools));
    data_free(STEAL(column->time_us));
    return out;
}

/* Turns codes into to[code] in their own memory; -1 becomes NaN. */
static float *codes_to_floats(int32_t *codes, int64_t n_rows, const float *to)
{
    float *out = (float *)(void *)codes;
    for (int64_t i = 0; i < n_rows; i++) {
        int32_t code = codes[i];
        out[i] = code < 0 ? NAN : to[code];
    }
    return out;
}

/* Makes a text column a column of categories.  *ret_fits is false, and the column as before, when
 * it has more than n_max different values. */
static bool text_to_codes(Column *column, int64_t n_rows, int32_t n_max, Arena *arena,
                          bool *ret_fits, Error *err)
{
    Dictionary dictionary = DICTIONARY(arena);
    AUTO_DATA int32_t *codes = data_array(int32_t, n_rows, "a column's codes", err);
    if (!codes) return false;
    *ret_fits = false;
    for (int64_t i = 0; i < n_rows; i++) {
        Str text = {column->text + column->offsets[i],
                    (size_t)(column->offsets[i + 1] - column->offsets[i])};
        codes[i] = column_is_valid(column, i) ? dictionary_add(&dictionary, text) : -1;
        if (dictionary.n > n_max) return true;
    }
    column->type = COLUMN_CATEGORY;
    column->codes = STEAL(codes);
    column->categories = dictionary.words;
    column->n_categories = dictionary.n;
    data_free(STEAL(column->text));
    data_free(STEAL(column->offsets));
    *ret_fits = true;
    return true;
}

static int64_t first_row_of_code(const Column *column, int64_t n_rows, int32_t code)
{
    int64_t row = 0;
    while (row < n_rows && column->codes[row] != code) row++;
    return row;
}

/* ---- which column is what ---- */

typedef struct Plan {
    int32_t target, weight, group; /* -1: none */
    int32_t label_width;           /* labels are columns target .. target + label_width - 1 */
    bool *used;                    /* per column: has a role or is left out */
    bool *taken;                   /* per column: gives its values away */
} Plan;

static bool plan_role(const Frame *frame, Str text, const char *role, Plan *plan,
                      int32_t *ret_column, Error *err)
{
    *ret_column = -1;
    if (text.len == 0) return true;
    if (!frame_find(frame, text, ret_column, err)) return error_in(err, "the %s", role);
    if (plan->used[*ret_column])
        return error_set(err, ERROR_INVALID, "column '%.*s' has two roles, one of them %s",
                         STR_ARG(frame->columns[*ret_column].name), role);
    plan->used[*ret_column] = plan->taken[*ret_column] = true;
    return true;
}

static bool make_plan(const Frame *frame, const DatasetRoles *roles, Arena *arena, Plan *plan,
                      Error *err)
{
    *plan = (Plan){.target = -1, .weight = -1, .group = -1};
    plan->used = arena_array(arena, bool, frame->n_columns);
    plan->taken = arena_array(arena, bool, frame->n_columns);

    Str target = roles->no_target ? STR("") : roles->target;
    const Schema *schema = roles->schema;
    if (!target.len && !roles->no_target && roles->label_size <= 0 && schema &&
        schema->target.len && frame_column(frame, schema->target))
        target = schema->target;
    if (!plan_role(frame, target, "target", plan, &plan->target, err)) return false;
    if (plan->target >= 0) {
        plan->label_width = 1;
    } else if (!roles->no_target && roles->label_size > 0) {
        if (roles->label_size > frame->n_columns)
            return error_set(err, ERROR_INVALID, "label_size is %d, but the data has %d columns",
                             roles->label_size, frame->n_columns);
        plan->target = 0;
        plan->label_width = roles->label_size;
        for (int32_t j = 0; j < plan->label_width; j++) plan->used[j] = plan->taken[j] = true;
    }

    if (roles->csv_weights && !roles->weight.len) {
        int32_t column = plan->target + plan->label_width;
        if (plan->target < 0 || column >= frame->n_columns)
            return error_set(
                err, ERROR_INVALID,
                "csv_weights: the weight is the column after the label, and there is none");
        if (plan->taken[column])
            return error_set(err, ERROR_INVALID,
                             "csv_weights: the column after the label has another role");
        plan->used[column] = plan->taken[column] = true;
        plan->weight = column;
    } else if (!plan_role(frame, roles->weight, "weight", plan, &plan->weight, err)) {
        return false;
    }
    if (!plan_role(frame, roles->group, "group", plan, &plan->group, err)) return false;

    for (int32_t i = 0; i < roles->n_ignored; i++) {
        int32_t column;
        if (!frame_find(frame, roles->ignored[i], &column, err))
            return error_in(err, "columns to leave out");
        plan->used[column] = true;
    }
    return true;
}

static void match_by_position(const Frame *frame, const Plan *plan, int32_t *columns)
{
    for (int32_t j = 0, k = 0; j < frame->n_columns; j++)
        if (!plan->used[j]) columns[k++] = j;
}

/* The frame's column for each feature of the schema. */
static bool match_schema(const Frame *frame, const Schema *schema, Plan *plan, int32_t *columns,
                         Arena *arena, Error *err)
{
    int32_t n_free = 0;
    for (int32_t j = 0; j < frame->n_columns; j++) n_free += !plan->used[j];

    if (!frame_is_named(frame)) {
        if (n_free != schema->n_features) {
            error_set(err, ERROR_INVALID, "expected %d features, got %d", schema->n_features,
                      n_free);
            if (n_free == schema->n_features + 1)
                error_more(err, "; is one column the target? Say which");
            return false;
        }
        match_by_position(frame, plan, columns);
        return true;
    }

    Str *names = arena_array(arena, Str, frame->n_columns);
    for (int32_t j = 0; j < frame->n_columns; j++) names[j] = frame->columns[j].name;
    Dictionary by_name;
    dictionary_of(&by_name, arena, names, frame->n_columns);

    Problems problems = {0};
    for (int32_t k = 0; k < schema->n_features; k++) {
        Str name = schema->features[k].name;
        columns[k] = dictionary_find(&by_name, name);
        if (columns[k] >= 0 && plan->taken[columns[k]])
            return error_set(err, ERROR_INVALID,
                             "column '%.*s' is a feature of the model and can have no other role",
                             STR_ARG(name));
        if (columns[k] >= 0) {
            plan->taken[columns[k]] = true;
            continue;
        }
        int nearest = str_nearest(name, names, (size_t)frame->n_columns);
        if (nearest >= 0)
            problems_add(&problems, "'%.*s' (there is '%.*s')", STR_ARG(name),
                         STR_ARG(names[nearest]));
        else
            problems_add(&problems, "'%.*s'", STR_ARG(name));
    }
    if (problems.n == 0) return true;
    if (problems.n == schema->n_features && n_free == schema->n_features &&
        schema->n_features > 0) {
        /* A model of nameless data reads any data of the right width, by position. */
        bool nameless = true;
        for (int32_t k = 0; k < schema->n_features; k++)
            nameless = nameless && is_made_up_name(schema->features[k].name, k);
        if (nameless) {
            match_by_position(frame, plan, columns);
            return true;
        }
    }
    error_set(err, ERROR_INVALID, "%s", problems.text);
    if (problems.n > PROBLEMS_SHOWN)
        error_more(err, " and %lld more", (long long)(problems.n - PROBLEMS_SHOWN));
    return error_in(err, "the model needs %lld column%s that the data does not have",
                    (long long)problems.n, problems.n == 1 ? "" : "s");
}

/* ---- label, weight, group ---- */

static void missing_rows(const float *values, int64_t n_rows, const char *what, Problems *problems)
{
    for (int64_t i = 0; i < n_rows; i++)
        if (!isfinite(values[i]))
            problems_add(problems, "row %lld: %s is %s", (long long)i + 1, what,
                         isnan(values[i]) ? "missing" : "infinite");
}

/* The position of each category among the classes of the schema, NaN for others. */
static bool known_classes(const Column *column, int64_t n_rows, const Schema *schema, Arena *arena,
                          float *to, Error *err)
{
    Dictionary classes;
    dictionary_of(&classes, arena, schema->classes, schema->n_classes);
    Problems problems = {0};
    for (int32_t c = 0; c < column->n_categories; c++) {
        int32_t position = dictionary_find(&classes, column->categories[c]);
        to[c] = (float)position;
        if (position >= 0) continue;
        int64_t row = first_row_of_code(column, n_rows, c);
        if (row < n_rows)
            problems_add(&problems, "row %lld: '%.*s' is no class of the model", (long long)row + 1,
                         STR_ARG(column->categories[c]));
    }
    if (problems.n == 0) return true;
    problems_error(&problems, err);
    return error_in(err, "the target '%.*s'", STR_ARG(column->name));
}

static bool take_text_label(Dataset *dataset, Column *column, const Schema *schema, Arena *scratch,
                            float **ret_label, Error *err)
{
    int64_t n_rows = dataset->n_rows;
    Arena *arena = &dataset->arena;
    if (column->type == COLUMN_TEXT) {
        bool fits;
        if (!text_to_codes(column, n_rows, CLASSES_MAX, scratch, &fits, err)) return false;
        if (!fits)
            return error_set(err, ERROR_INVALID,
                             "the target '%.*s' is free text with more than %d different values",
                             STR_ARG(column->name), CLASSES_MAX);
    }

    float *to = arena_array(scratch, float, column->n_categories);
    if (schema && schema->n_classes) {
        if (!known_classes(column, n_rows, schema, scratch, to, err)) return false;
    } else if (schema) {
        /* The model was trained on numbers: these texts must be numbers too. */
        for (int32_t c = 0; c < column->n_categories; c++) {
            double number;
            if (!str_to_double(str_trim(column->categories[c]), &number))
                return error_set(
                    err, ERROR_INVALID,
                    "row %lld: the target '%.*s' is '%.*s', and the model's is a number",
                    (long long)first_row_of_code(column, n_rows, c) + 1, STR_ARG(column->name),
                    STR_ARG(column->categories[c]));
            to[c] = (float)number;
        }
    } else {
        int32_t *order = arena_array(scratch, int32_t, column->n_categories);
        words_sort(column->categories, column->n_categories, order);
        Str *classes = arena_array(arena, Str, column->n_categories);
        for (int32_t k = 0; k < column->n_categories; k++) {
            classes[k] = arena_str(arena, column->categories[order[k]]);
            to[order[k]] = (float)k;
        }
        dataset->schema.classes = classes;
        dataset->schema.n_classes = column->n_categories;
    }
    *ret_label = codes_to_floats(STEAL(column->codes), n_rows, to);
    return true;
}

/* A number target of a model that knows classes: the numbers as texts are classes ("3" or "3.0"). */
static bool numbers_to_classes(float *label, int64_t n_rows, Str name, const Schema *schema,
                               Error *err)
{
    ARENA(scratch);
    double *values = arena_array(&scratch, double, schema->n_classes);
    for (int32_t c = 0; c < schema->n_classes; c++)
        if (!str_to_double(schema->classes[c], &values[c])) values[c] = NAN;

    Problems problems = {0};
    for (int64_t i = 0; i < n_rows; i++) {
        int32_t c = 0;
        while (c < schema->n_classes && (float)values[c] != label[i]) c++;
        if (c < schema->n_classes)
            label[i] = (float)c;
        else if (!isnan(label[i]))
            problems_add(&problems, "row %lld: %g is no class of the model", (long long)i + 1,
                         (double)label[i]);
    }
    if (problems.n == 0) return true;
    problems_error(&problems, err);
    return error_in(err, "the target '%.*s'", STR_ARG(name));
}

/* A target of numbers or bools; true and false are the classes of a model that is new. */
static bool take_value_label(Dataset *dataset, Column *column, bool alone, const Schema *schema,
                             float **ret_label, Error *err)
{
    static const Str words[] = {STR_INIT("false"), STR_INIT("true")};
    bool is_bool = column->type == COLUMN_BOOL;
    float *values = take_floats(column, dataset->n_rows, err);
    *ret_label = values;
    if (!values) return false;
    if (!schema) {
        if (!is_bool || !alone) return true;
        dataset->schema.classes = copy_words(&dataset->arena, words, 2);
        dataset->schema.n_classes = 2;
        return true;
    }
    if (schema->n_classes == 0) return true;
    if (!is_bool) return numbers_to_classes(values, dataset->n_rows, column->name, schema, err);

    float to[2] = {NAN, NAN};
    for (int32_t c = 0; c < schema->n_classes; c++)
        for (int b = 0; b < 2; b++)
            if (str_eq_nocase(schema->classes[c], words[b])) to[b] = (float)c;
    for (int64_t i = 0; i < dataset->n_rows; i++) {
        if (isnan(values[i])) continue;
        int b = values[i] != 0;
        if (isnan(to[b]))
            return error_set(err, ERROR_INVALID,
                             "the target '%.*s': row %lld: '%s' is no class of the model",
                             STR_ARG(column->name), (long long)i + 1, words[b].ptr);
        values[i] = to[b];
    }
    return true;
}

static bool take_label(Dataset *dataset, Frame *frame, const DatasetRoles *roles, const Plan *plan,
                       Arena *scratch, Error *err)
{
    int32_t width = plan->label_width;
    int64_t n_rows = dataset->n_rows;
    dataset->label_width = width;
    if (width == 0) return true;

    Column *first = &frame->columns[plan->target];
    bool named = roles->target.len || frame_is_named(frame);
    dataset->schema.target = named ? arena_str(&dataset->arena, first->name) : STR("");

    for (int32_t k = 0; k < width; k++) {
        Column *column = &frame->columns[plan->target + k];
        AUTO_DATA float *values = NULL;
        bool text = column->type == COLUMN_CATEGORY || column->type == COLUMN_TEXT;
        if (text && width > 1)
            return error_set(err, ERROR_INVALID,
                             "label column '%.*s' is %s; several labels must be numbers",
                             STR_ARG(column->name), column_type_name(column->type));
        if (column->type == COLUMN_TIME)
            return error_set(err, ERROR_INVALID,
                             "the target '%.*s' holds times, which cannot be learned as they are; "
                             "turn them into numbers",
                             STR_ARG(column->name));
        if (text) {
            if (!take_text_label(dataset, column, roles->schema, scratch, &values, err))
                return false;
        } else if (!take_value_label(dataset, column, width == 1, roles->schema, &values, err)) {
            return false;
        }

        Problems problems = {0};
        missing_rows(values, n_rows, "it", &problems);
        if (problems.n) {
            problems_error(&problems, err);
            error_in(err, "the target '%.*s'", STR_ARG(column->name));
            return error_more(err, "; fill the target in, or leave these rows out");
        }
        if (width == 1) {
            dataset->label = STEAL(values);
        } else {
            if (!dataset->label) {
                dataset->label = data_array(float, (size_t)n_rows *(size_t)width, "the labels",
                                            err);
                if (!dataset->label) return false;
            }
            for (int64_t i = 0; i < n_rows; i++) dataset->label[i * width + k] = values[i];
        }
    }
    return true;
}

static bool take_weight(Dataset *dataset, Frame *frame, const Plan *plan, Error *err)
{
    if (plan->weight < 0) return true;
    Column *column = &frame->columns[plan->weight];
    if (column->type != COLUMN_NUMBER && column->type != COLUMN_BOOL)
        return error_set(err, ERROR_INVALID,
                         "the weights in column '%.*s' must be numbers, but it holds %s",
                         STR_ARG(column->name), column_type_name(column->type));
    dataset->weight = take_floats(column, dataset->n_rows, err);
    if (!dataset->weight) return false;
    return weights_check(dataset->weight, dataset->n_rows, err);
}

bool weights_check(const float *weight, int64_t n_rows, Error *err)
{
    Problems problems = {0};
    bool any = false;
    for (int64_t i = 0; i < n_rows; i++) {
        if (isnan(weight[i]))
            problems_add(&problems, "row %lld: the weight is missing", (long long)i + 1);
        else if (!(weight[i] >= 0 && isfinite(weight[i])))
            problems_add(&problems, "row %lld: the weight is %g; it must be 0 or more",
                         (long long)i + 1, (double)weight[i]);
        any = any || weight[i] > 0;
    }
    if (problems.n) return problems_error(&problems, err);
    if (n_rows && !any) return error_set(err, ERROR_INVALID, "all weights are 0");
    return true;
}

bool groups_from_ids(const int64_t *ids, int64_t n_rows, int64_t **ret_start, int64_t *ret_n,
                     Error *err)
{
    int64_t n = 0;
    for (int64_t i = 0; i < n_rows; i++) n += i == 0 || ids[i] != ids[i - 1];
    AUTO_DATA int64_t *start = data_array(int64_t, n + 1, "the groups", err);
    if (!start) return false;

    /* A set of the ids that were seen, to find those that come back. */
    uint64_t n_slots = 16;
    while (n_slots < 2 * (uint64_t)n) n_slots *= 2;
    AUTO_DATA int64_t *slots = data_array(int64_t, n_slots, "the groups", err);
    if (!slots) return false;
    int64_t group = 0;
    for (int64_t i = 0; i < n_rows; i++) {
        if (i > 0 && ids[i] == ids[i - 1]) continue;
        uint64_t slot = (uint64_t)ids[i] * 0x9e3779b97f4a7c15u >> 17 & (n_slots - 1);
        while (slots[slot] && ids[slots[slot] - 1] != ids[i]) slot = (slot + 1) & (n_slots - 1);
        if (slots[slot])
            return error_set(err, ERROR_INVALID,
                             "row %lld: its group began at row %lld and other groups lie between; "
                             "rows of a group must be adjacent: sort the data by group",
                             (long long)i + 1, (long long)slots[slot]);
        slots[slot] = i + 1;
        start[group++] = i;
    }
    start[n] = n_rows;
    *ret_start = STEAL(start);
    *ret_n = n;
    return true;
}

static bool take_group(Dataset *dataset, Frame *frame, const Plan *plan, Arena *scratch, Error *err)
{
    if (plan->group < 0) return true;
    Column *column = &frame->columns[plan->group];
    int64_t n_rows = dataset->n_rows;
    if (column->type == COLUMN_TEXT) {
        bool fits;
        if (!text_to_codes(column, n_rows, INT32_MAX - 1, scratch, &fits, err)) return false;
    }
    AUTO_DATA int64_t *ids = data_array(int64_t, n_rows, "the groups", err);
    if (!ids) return false;
    for (int64_t i = 0; i < n_rows; i++) {
        if (!column_is_valid(column, i) || (column->codes && column->codes[i] < 0) ||
            (column->f32 && isnan(column->f32[i])) || (column->f64 && isnan(column->f64[i])))
            return error_set(err, ERROR_INVALID, "row %lld: the group '%.*s' is missing",
                             (long long)i + 1, STR_ARG(column->name));
        double bits;
        switch (column->type) {
        case COLUMN_NUMBER:
            assert(column->f32 || column->f64);
            bits = column->f32 ? (double)column->f32[i] : column->f64[i];
            memcpy(&ids[i], &bits, sizeof bits);
            break;
        case COLUMN_TIME: ids[i] = column->time_us[i]; break;
        case COLUMN_BOOL: ids[i] = column->bools[i]; break;
        default: ids[i] = column->codes[i];
        }
    }
    return groups_from_ids(ids, n_rows, &dataset->group_start, &dataset->n_groups, err);
}

/* ---- features ---- */

static bool refuse_text(const Column *column, Error *err)
{
    return error_set(
        err, ERROR_INVALID,
        "column '%.*s' is free text, which this algorithm cannot learn from; leave it out",
        STR_ARG(column->name));
}

static bool take_new_feature(Dataset *dataset, Column *column, int32_t k, Arena *scratch,
                             Error *err)
{
    Feature *feature = &dataset->schema.features[k];
    if (column->type == COLUMN_TEXT) return refuse_text(column, err);
    if (column->type != COLUMN_CATEGORY) {
        dataset->columns[k] = take_floats(column, dataset->n_rows, err);
        return dataset->columns[k] != NULL;
    }

    int32_t n = column->n_categories;
    int32_t *order = arena_array(scratch, int32_t, n);
    float *to = arena_array(scratch, float, n);
    words_sort(column->categories, n, order);
    feature->kind = FEATURE_CATEGORY;
    feature->n_categories = n;
    feature->categories = arena_array(&dataset->arena, Str, n);
    for (int32_t c = 0; c < n; c++) {
        feature->categories[c] = arena_str(&dataset->arena, column->categories[order[c]]);
        to[order[c]] = (float)c;
    }
    dataset->columns[k] = codes_to_floats(STEAL(column->codes), dataset->n_rows, to);
    return true;
}

/* Categories where the model has numbers: fine when each is a number. */
static bool texts_as_numbers(Dataset *dataset, Column *column, int32_t k, Arena *scratch,
                             Error *err)
{
    float *to = arena_array(scratch, float, column->n_categories);
    for (int32_t c = 0; c < column->n_categories; c++) {
        double number;
        if (!str_to_double(str_trim(column->categories[c]), &number))
            return error_set(err, ERROR_INVALID,
                             "row %lld: column '%.*s' is '%.*s', and the model's is a number",
                             (long long)first_row_of_code(column, dataset->n_rows, c) + 1,
                             STR_ARG(column->name), STR_ARG(column->categories[c]));
        to[c] = (float)number;
    }
    dataset->columns[k] = codes_to_floats(STEAL(column->codes), dataset->n_rows, to);
    return true;
}

static void count_unknown(Dataset *dataset, Str word, Str column, int64_t n)
{
    if (dataset->n_unknown == 0 && n > 0)
        dataset->unknown_example = arena_format(&dataset->arena, "'%.*s' in column '%.*s'",
                                                STR_ARG(word), STR_ARG(column));
    dataset->n_unknown += n;
}

static void known_categories(Dataset *dataset, Column *column, int32_t k, Arena *scratch)
{
    const Feature *feature = &dataset->schema.features[k];
    Dictionary known;
    dictionary_of(&known, scratch, feature->categories, feature->n_categories);
    float *to = arena_array(scratch, float, column->n_categories);
    bool unknown = false;
    for (int32_t c = 0; c < column->n_categories; c++) {
        int32_t code = dictionary_find(&known, column->categories[c]);
        to[c] = code < 0 ? NAN : (float)code;
        unknown = unknown || code < 0;
    }
    if (unknown) {
        int64_t *counts = arena_array(scratch, int64_t, column->n_categories);
        for (int64_t i = 0; i < dataset->n_rows; i++)
            if (column->codes[i] >= 0) counts[column->codes[i]]++;
        for (int32_t c = 0; c < column->n_categories; c++)
            if (isnan(to[c]))
                count_unknown(dataset, column->categories[c], column->name, counts[c]);
    }
    dataset->columns[k] = codes_to_floats(STEAL(column->codes), dataset->n_rows, to);
}

/* Numbers, times or bools where the model has categories: by the text that a writer would give. */
static bool values_as_categories(Dataset *dataset, Column *column, int32_t k, Arena *scratch,
                                 Error *err)
{
    const Feature *feature = &dataset->schema.features[k];
    Dictionary known;
    dictionary_of(&known, scratch, feature->categories, feature->n_categories);
    float *out = data_array(float, dataset->n_rows, "a column", err);
    if (!out) return false;
    dataset->columns[k] = out;
    for (int64_t i = 0; i < dataset->n_rows; i++) {
        ARENA(row);
        Str text = column_text(column, i, &row);
        int32_t code = text.len ? dictionary_find(&known, text) : -1;
        out[i] = code < 0 ? NAN : (float)code;
        if (text.len && code < 0) count_unknown(dataset, text, column->name, 1);
    }
    return true;
}

static bool take_known_feature(Dataset *dataset, Column *column, int32_t k, Arena *scratch,
                               Error *err)
{
    bool category = dataset->schema.features[k].kind == FEATURE_CATEGORY;
    if (column->type == COLUMN_TEXT) {
        bool fits;
        if (!text_to_codes(column, dataset->n_rows, INT32_MAX - 1, scratch, &fits, err))
            return false;
    }
    if (column->type == COLUMN_CATEGORY) {
        if (!category) return texts_as_numbers(dataset, column, k, scratch, err);
        known_categories(dataset, column, k, scratch);
        return true;
    }
    if (category) return values_as_categories(dataset, column, k, scratch, err);
    dataset->columns[k] = take_floats(column, dataset->n_rows, err);
    return dataset->columns[k] != NULL;
}

static bool take_features(Dataset *dataset, Frame *frame, const DatasetRoles *roles, Plan *plan,
                          Arena *scratch, Error *err)
{
    const Schema *schema = roles->schema;
    int32_t *columns = arena_array(scratch, int32_t,
                                   MAX(frame->n_columns, schema ? schema->n_features : 0));
    int32_t n = 0;
    if (schema) {
        if (!match_schema(frame, schema, plan, columns, scratch, err)) return false;
        n = schema->n_features;
        Str target = dataset->schema.target;
        schema_copy(schema, &dataset->arena, &dataset->schema);
        if (target.len) dataset->schema.target = target;
    } else {
        for (int32_t j = 0; j < frame->n_columns; j++)
            if (!plan->used[j]) columns[n++] = j;
        bool named = frame_is_named(frame);
        dataset->schema.n_features = n;
        dataset->schema.features = arena_array(&dataset->arena, Feature, n);
        for (int32_t k = 0; k < n; k++)
            dataset->schema.features[k].name = named ? arena_str(&dataset->arena,
                                                                 frame->columns[columns[k]].name)
                                                     : arena_format(&dataset->arena, "f%d", k);
    }
    if (n == 0) return error_set(err, ERROR_INVALID, "no column is left to learn from");

    dataset->columns = arena_array(&dataset->arena, float *, n);
    dataset->n_features = n;
    for (int32_t k = 0; k < n; k++) {
        ARENA(words);
        Column *column = &frame->columns[columns[k]];
        if (schema ? !take_known_feature(dataset, column, k, &words, err)
                   : !take_new_feature(dataset, column, k, &words, err))
            return false;
    }
    return true;
}

bool dataset_from_frame(Frame *frame, const DatasetRoles *roles, Dataset **ret_dataset, Error *err)
{
    ARENA(scratch);
    Plan plan;
    AUTO(dataset_free) Dataset *dataset = dataset_new();
    dataset->n_rows = frame->n_rows;
    if (!make_plan(frame, roles, &scratch, &plan, err)) return false;
    if (!take_label(dataset, frame, roles, &plan, &scratch, err)) return false;
    if (!take_weight(dataset, frame, &plan, err)) return false;
    if (!take_group(dataset, frame, &plan, &scratch, err)) return false;
    if (!take_features(dataset, frame, roles, &plan, &scratch, err)) return false;
    *ret_dataset = STEAL(dataset);
    return true;
}
