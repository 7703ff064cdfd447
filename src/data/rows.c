/* What readers of rows share: a dataset that grows. */

#include "data/readers.h"

#include "base/memory.h"

/* A larger array in place of *array; false when there is no memory. */
static bool grow(void *array_place, int64_t n_old, int64_t n, size_t size, const char *what,
                 Error *err)
{
    void *array, *grown;
    memcpy(&array, array_place, sizeof array);
    grown = data_grow(array, (size_t)n_old, (size_t)n, size, what, err);
    if (!grown) return false;
    memcpy(array_place, &grown, sizeof grown);
    return true;
}

static bool grow_rows(RowBuilder *builder, int64_t n, Error *err)
{
    Dataset *dataset = builder->dataset;
    int64_t old = builder->rows_capacity;
    int32_t width = dataset->label_width;
    if (builder->sparse) {
        bool first = !dataset->row_start;
        if (!grow(&dataset->row_start, first ? 0 : old + 1, n + 1, sizeof(int64_t), "the rows",
                  err))
            return false;
        if (first) dataset->row_start[0] = 0;
    }
    for (int32_t j = 0; !builder->sparse && j < dataset->n_features; j++)
        if (!grow(&dataset->columns[j], old, n, sizeof(float), "a column", err)) return false;
    if (width && !grow(&dataset->label, old * width, n * width, sizeof(float), "the labels", err))
        return false;
    if (dataset->weight && !grow(&dataset->weight, old, n, sizeof(float), "the weights", err))
        return false;
    if (builder->group_ids &&
        !grow(&builder->group_ids, old, n, sizeof(int64_t), "the groups", err))
        return false;
    builder->rows_capacity = n;
    return true;
}

static bool grow_values(RowBuilder *builder, int64_t n, Error *err)
{
    Dataset *dataset = builder->dataset;
    if (!grow(&dataset->col, builder->n_values, n, sizeof(int32_t), "the feature indices", err) ||
        !grow(&dataset->value, builder->n_values, n, sizeof(float), "the values", err))
        return false;
    builder->values_capacity = n;
    return true;
}

bool rows_reserve(RowBuilder *builder, int64_t n_rows, int64_t n_values, Error *err)
{
    int64_t rows = builder->dataset->n_rows + n_rows, values = builder->n_values + n_values;
    if (rows > builder->rows_capacity &&
        !grow_rows(builder, MAX(rows, builder->rows_capacity + builder->rows_capacity / 2), err))
        return false;
    return values <= builder->values_capacity ||
           grow_values(builder,
                       MAX(values, builder->values_capacity + builder->values_capacity / 2), err);
}

/* "f0", "f1", ... in one block, because there may be millions. */
static void name_features(Dataset *dataset, const DatasetRoles *roles)
{
    enum { NAME_BYTES = 12 };
    Schema *schema = &dataset->schema;
    if (roles->schema) {
        schema_copy(roles->schema, &dataset->arena, schema);
        return;
    }
    int32_t n = dataset->n_features;
    schema->n_features = n;
    schema->features = arena_array(&dataset->arena, Feature, n);
    char *names = arena_alloc(&dataset->arena, (size_t)n * NAME_BYTES);
    for (int32_t j = 0; j < n; j++) {
        char digits[NAME_BYTES], *name = names + (size_t)j * NAME_BYTES;
        size_t n_digits = 0;
        for (int32_t rest = j; n_digits == 0 || rest; rest /= 10)
            digits[n_digits++] = (char)('0' + rest % 10);
        schema->features[j].name = (Str){name, n_digits + 1};
        *name++ = 'f';
        while (n_digits) *name++ = digits[--n_digits];
    }
}

bool rows_finish(RowBuilder *builder, const DatasetRoles *roles, Error *err)
{
    Dataset *dataset = builder->dataset;
    if (!grow_rows(builder, dataset->n_rows, err)) return false;
    if (builder->sparse && !grow_values(builder, builder->n_values, err)) return false;
    name_features(dataset, roles);
    if (dataset->weight && !weights_check(dataset->weight, dataset->n_rows, err)) return false;
    return !builder->group_ids || groups_from_ids(builder->group_ids, dataset->n_rows,
                                                  &dataset->group_start, &dataset->n_groups, err);
}

void rows_clear(RowBuilder *builder)
{
    data_free(builder->group_ids);
    dataset_free(builder->dataset);
    *builder = (RowBuilder){0};
}

bool column_take_words(Frame *frame, Column *column, const Dictionary *words, bool category_only,
                       Error *err)
{
    int64_t n_rows = column->n_rows;
    column->type = COLUMN_CATEGORY;
    if (category_only || words->n <= MAX((int64_t)CATEGORIES_FREE, n_rows / CATEGORIES_SHARE)) {
        column->n_categories = words->n;
        column->categories = arena_array(&frame->arena, Str, words->n);
        for (int32_t c = 0; c < words->n; c++)
            column->categories[c] = arena_str(&frame->arena, words->words[c]);
        return true;
    }

    size_t n_bytes = 0;
    for (int64_t i = 0; i < n_rows; i++)
        if (column->codes[i] >= 0) n_bytes += words->words[column->codes[i]].len;
    column->offsets = data_array(int64_t, n_rows + 1, "a column", err);
    column->text = data_array(char, n_bytes, "a column", err);
    if (!column->offsets || !column->text) return false;
    char *to = column->text;
    for (int64_t i = 0; i < n_rows; i++) {
        Str word = column->codes[i] < 0 ? STR("") : words->words[column->codes[i]];
        if (word.len) memcpy(to, word.ptr, word.len);
        to += word.len;
        column->offsets[i + 1] = to - column->text;
    }
    column->type = COLUMN_TEXT;
    data_free(STEAL(column->codes));
    return true;
}
