/* Random splits of a data set, in place. */

#include "data/split.h"

#include "base/memory.h"
#include "base/random.h"

#include <math.h>
#include <string.h>

/* One bit a row: goes to the held-out side. */
static void draw_rows(const Dataset *dataset, double share, uint64_t seed, uint8_t *held)
{
    Random random = random_stream(seed, 0x5911);
    if (!dataset->group_start) {
        for (int64_t i = 0; i < dataset->n_rows; i++)
            held[i] = random_unit(random, (uint64_t)i) < share;
        return;
    }
    for (int64_t g = 0; g < dataset->n_groups; g++) {
        bool is_held = random_unit(random, (uint64_t)g) < share;
        for (int64_t i = dataset->group_start[g]; i < dataset->group_start[g + 1]; i++)
            held[i] = is_held;
    }
}

/* Splits an array of n rows of `width` floats; the kept rows close up in place. */
static bool split_floats(float *values, int64_t n, int32_t width, const uint8_t *held,
                         int64_t n_held, float **ret_held, Error *err)
{
    float *out = data_array(float, n_held *width, "the held-out rows", err);
    if (!out) return false;
    int64_t kept = 0, taken = 0;
    for (int64_t i = 0; i < n; i++) {
        float *to = held[i] ? out + taken++ * width : values + kept++ * width;
        if (to != values + i * width) memcpy(to, values + i * width, (size_t)width * sizeof(float));
    }
    *ret_held = out;
    return true;
}

static bool split_sparse(Dataset *dataset, Dataset *out, const uint8_t *held, int64_t n_held,
                         Error *err)
{
    int64_t n_values = 0;
    for (int64_t i = 0; i < dataset->n_rows; i++)
        if (held[i]) n_values += dataset->row_start[i + 1] - dataset->row_start[i];
    out->row_start = data_array(int64_t, n_held + 1, "the held-out rows", err);
    out->col = data_array(int32_t, n_values, "the held-out rows", err);
    out->value = data_array(float, n_values, "the held-out rows", err);
    if (!out->row_start || !out->col || !out->value) return false;

    int64_t kept = 0, kept_values = 0, taken = 0, taken_values = 0, begin = dataset->row_start[0];
    for (int64_t i = 0; i < dataset->n_rows; i++) {
        int64_t end = dataset->row_start[i + 1], n = end - begin;
        int32_t *col = held[i] ? out->col + taken_values : dataset->col + kept_values;
        float *value = held[i] ? out->value + taken_values : dataset->value + kept_values;
        memmove(col, dataset->col + begin, (size_t)n * sizeof *col);
        memmove(value, dataset->value + begin, (size_t)n * sizeof *value);
        begin = end;
        if (held[i])
            out->row_start[++taken] = taken_values += n;
        else
            dataset->row_start[++kept] = kept_values += n;
    }
    dataset->row_start[0] = 0;
    return true;
}

static bool split_groups(Dataset *dataset, Dataset *out, const uint8_t *held, Error *err)
{
    out->group_start = data_array(int64_t, dataset->n_groups + 1, "the query groups", err);
    if (!out->group_start) return false;
    int64_t kept = 0, taken = 0, begin = 0;
    for (int64_t g = 0; g < dataset->n_groups; g++) {
        int64_t end = dataset->group_start[g + 1], n = end - begin;
        if (n && held[begin]) {
            out->group_start[taken + 1] = out->group_start[taken] + n;
            taken++;
        } else {
            dataset->group_start[kept + 1] = dataset->group_start[kept] + n;
            kept++;
        }
        begin = end;
    }
    dataset->n_groups = kept;
    out->n_groups = taken;
    return true;
}

static bool split_all(Dataset *dataset, Dataset *out, const uint8_t *held, int64_t n_held,
                      Error *err)
{
    if (dataset->columns) {
        out->columns = data_array(float *, dataset->n_features, "the columns", err);
        if (!out->columns) return false;
        for (int32_t j = 0; j < dataset->n_features; j++)
            if (!split_floats(dataset->columns[j], dataset->n_rows, 1, held, n_held,
                              &out->columns[j], err))
                return false;
    } else if (!split_sparse(dataset, out, held, n_held, err)) {
        return false;
    }
    if (dataset->label && !split_floats(dataset->label, dataset->n_rows, dataset->label_width, held,
                                        n_held, &out->label, err))
        return false;
    if (dataset->weight &&
        !split_floats(dataset->weight, dataset->n_rows, 1, held, n_held, &out->weight, err))
        return false;
    return !dataset->group_start || split_groups(dataset, out, held, err);
}

bool dataset_split(Dataset *dataset, double share, uint64_t seed, Dataset **ret_held, Error *err)
{
    AUTO_DATA uint8_t *held = data_array(uint8_t, dataset->n_rows, "the split", err);
    if (!held) return false;
    draw_rows(dataset, share, seed, held);
    int64_t n_held = 0;
    for (int64_t i = 0; i < dataset->n_rows; i++) n_held += held[i];
    if (n_held == 0 || n_held == dataset->n_rows)
        return error_set(err, ERROR_INVALID, "%lld rows are too few to put a share of %g aside",
                         (long long)dataset->n_rows, share);

    AUTO(dataset_free) Dataset *out = dataset_new();
    schema_copy(&dataset->schema, &out->arena, &out->schema);
    out->n_features = dataset->n_features;
    out->label_width = dataset->label_width;
    if (!split_all(dataset, out, held, n_held, err)) return false;
    out->n_rows = n_held;
    dataset->n_rows -= n_held;
    *ret_held = STEAL(out);
    return true;
}

/* ---- copies ---- */

static Dataset *empty_like(const Dataset *dataset, int64_t n_rows)
{
    Dataset *out = dataset_new();
    schema_copy(&dataset->schema, &out->arena, &out->schema);
    out->n_features = dataset->n_features;
    out->label_width = dataset->label_width;
    out->n_rows = n_rows;
    return out;
}

/* Appends the chosen rows (NULL: all) of one array to another. */
static int64_t append_floats(float *to, const float *from, int64_t n, int32_t width,
                             const uint8_t *chosen)
{
    int64_t taken = 0;
    for (int64_t i = 0; i < n; i++) {
        if (chosen && !chosen[i]) continue;
        memcpy(to + taken * width, from + i * width, (size_t)width * sizeof(float));
        taken++;
    }
    return taken;
}

static bool append_dense(Dataset *out, const Dataset *const *parts, int n_parts,
                         const uint8_t *chosen, Error *err)
{
    out->columns = data_array(float *, out->n_features, "the columns", err);
    if (!out->columns) return false;
    for (int32_t j = 0; j < out->n_features; j++) {
        out->columns[j] = data_array(float, out->n_rows, "a column", err);
        if (!out->columns[j]) return false;
        int64_t at = 0;
        for (int p = 0; p < n_parts; p++)
            at += append_floats(out->columns[j] + at, parts[p]->columns[j], parts[p]->n_rows, 1,
                                chosen);
    }
    return true;
}

static bool append_sparse(Dataset *out, const Dataset *const *parts, int n_parts,
                          const uint8_t *chosen, Error *err)
{
    int64_t n_values = 0, row = 0;
    for (int p = 0; p < n_parts; p++)
        for (int64_t i = 0; i < parts[p]->n_rows; i++)
            if (!chosen || chosen[i])
                n_values += parts[p]->row_start[i + 1] - parts[p]->row_start[i];
    out->row_start = data_array(int64_t, out->n_rows + 1, "the rows", err);
    out->col = data_array(int32_t, n_values, "the rows", err);
    out->value = data_array(float, n_values, "the rows", err);
    if (!out->row_start || !out->col || !out->value) return false;
    for (int p = 0; p < n_parts; p++)
        for (int64_t i = 0; i < parts[p]->n_rows; i++) {
            if (chosen && !chosen[i]) continue;
            int64_t begin = parts[p]->row_start[i], n = parts[p]->row_start[i + 1] - begin,
                    at = out->row_start[row];
            memcpy(out->col + at, parts[p]->col + begin, (size_t)n * sizeof *out->col);
            memcpy(out->value + at, parts[p]->value + begin, (size_t)n * sizeof *out->value);
            out->row_start[++row] = at + n;
        }
    return true;
}

static bool append_all(Dataset *out, const Dataset *const *parts, int n_parts,
                       const uint8_t *chosen, Error *err)
{
    bool dense = parts[0]->columns, weighted = parts[0]->weight;
    if (dense ? !append_dense(out, parts, n_parts, chosen, err)
              : !append_sparse(out, parts, n_parts, chosen, err))
        return false;
    out->label = data_array(float, out->n_rows * out->label_width, "the labels", err);
    if (!out->label) return false;
    if (weighted) {
        out->weight = data_array(float, out->n_rows, "the weights", err);
        if (!out->weight) return false;
    }
    int64_t at = 0;
    for (int p = 0; p < n_parts; p++) {
        if (weighted)
            append_floats(out->weight + at, parts[p]->weight, parts[p]->n_rows, 1, chosen);
        if (!out->label_width) continue;
        at += append_floats(out->label + at * out->label_width, parts[p]->label, parts[p]->n_rows,
                            out->label_width, chosen);
    }
    return true;
}

static bool without_groups(const Dataset *dataset, Error *err)
{
    return !dataset->group_start ||
           error_set(err, ERROR_UNSUPPORTED, "rows in query groups cannot be taken apart");
}

bool dataset_take(const Dataset *dataset, const uint8_t *chosen, Dataset **ret_taken, Error *err)
{
    int64_t n = 0;
    for (int64_t i = 0; i < dataset->n_rows; i++) n += chosen[i] != 0;
    if (!without_groups(dataset, err)) return false;
    AUTO(dataset_free) Dataset *out = empty_like(dataset, n);
    if (!append_all(out, &dataset, 1, chosen, err)) return false;
    *ret_taken = STEAL(out);
    return true;
}

bool dataset_join(const Dataset *a, const Dataset *b, Dataset **ret_joined, Error *err)
{
    if (!without_groups(a, err) || !without_groups(b, err)) return false;
    if (a->n_features != b->n_features || a->label_width != b->label_width ||
        !a->columns != !b->columns || !a->weight != !b->weight)
        return error_set(err, ERROR_INVALID,
                         "the two data sets differ in features, labels or weights");
    const Dataset *parts[] = {a, b};
    AUTO(dataset_free) Dataset *out = empty_like(a, a->n_rows + b->n_rows);
    if (!append_all(out, parts, 2, NULL, err)) return false;
    *ret_joined = STEAL(out);
    return true;
}
