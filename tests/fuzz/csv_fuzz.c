/* CSV: all levels of the processor, one thread and four, a mapped file and short blocks give the same;
 * fields are numbers exactly when the exact reader says so. */

#include "base/memory.h"
#include "data/read_csv.h"
#include "format/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEVELS = 3 };

static void demand(bool condition)
{
    if (!condition) __builtin_trap();
}

static void compare_levels(Str text)
{
    Error err;
    uint32_t *ends[LEVELS] = {0}, *odd = data_array(uint32_t, text.len + 80, "", &err);
    float *values[LEVELS] = {0};
    CsvIndex index[LEVELS];
    int levels = (int)cpu_level() + 1;
    for (int i = 0; i < levels; i++) {
        ends[i] = data_array(uint32_t, text.len + 80, "", &err);
        values[i] = data_array(float, text.len + 80, "", &err);
        ends[i][0] = UINT32_MAX;
        csv_index_at((CpuLevel)i, text, ',', ends[i] + 1, &index[i]);
        demand(index[i].n_ends == index[0].n_ends && index[i].n_rows == index[0].n_rows);
        demand(index[i].inside == index[0].inside && index[i].nul == index[0].nul);
        demand(index[i].bad_quote == index[0].bad_quote && index[i].quotes == index[0].quotes);
        demand(memcmp(ends[i], ends[0], (index[0].n_ends + 1) * sizeof(uint32_t)) == 0);

        size_t n_odd, n = index[0].n_ends;
        bool empty = csv_floats_at((CpuLevel)i, text.ptr, ends[i], 1, ends[i] + 1, n, values[i],
                                   odd, &n_odd);
        for (size_t k = 0; k < n_odd; k++) {
            uint32_t begin = ends[i][odd[k]] + 1;
            Str field = {text.ptr + begin, ends[i][odd[k] + 1] - begin};
            if (!csv_field_float(field, &values[i][odd[k]])) values[i][odd[k]] = 12345;
            if (isnan(values[i][odd[k]])) values[i][odd[k]] = NAN;
        }
        demand(memcmp(values[i], values[0], n * sizeof(float)) == 0);
        demand(empty || n == 0 || !isnan(values[i][0]) || n_odd);
    }
    for (int i = 0; i < levels; i++) {
        data_free(ends[i]);
        data_free(values[i]);
    }
    data_free(odd);
}

static bool same_column(const Column *a, const Column *b, int64_t n)
{
    size_t rows = (size_t)n;
    if (a->type != b->type || a->n_missing != b->n_missing || a->n_categories != b->n_categories)
        return false;
    if (a->f32 && memcmp(a->f32, b->f32, rows * sizeof(float))) return false;
    if (a->codes && memcmp(a->codes, b->codes, rows * sizeof(int32_t))) return false;
    if (a->time_us && memcmp(a->time_us, b->time_us, rows * sizeof(int64_t))) return false;
    if (a->bools && memcmp(a->bools, b->bools, rows)) return false;
    if (a->offsets && memcmp(a->offsets, b->offsets, (rows + 1) * sizeof(int64_t))) return false;
    if (a->offsets && memcmp(a->text, b->text, (size_t)a->offsets[rows])) return false;
    for (int32_t i = 0; i < a->n_categories; i++)
        if (!str_eq(a->categories[i], b->categories[i])) return false;
    return true;
}

static void compare_readers(Str text, const ReadOptions *options)
{
    Frame *frames[3] = {0};
    ReadReport reports[3];
    bool ok[3];
    for (int i = 0; i < 3; i++) {
        Error err = {0};
        Source *source = NULL;
        Pool *pool = i == 1 ? pool_new(4) : NULL;
        SourceOptions how = {.never_map = i == 2, .block_bytes = 64};
        reports[i] = (ReadReport){0};
        demand(source_open_bytes(text, "t.csv", &how, &source, &err));
        ok[i] = frame_read_csv(source, options, pool, &frames[i], &reports[i], &err);
        demand(ok[i] == (err.kind == ERROR_NONE) || ok[i]);
        source_close(source);
        pool_free(pool);
        /* Types follow from the first block, which is shorter here; the rest is the same. */
        if (i != 1) continue;
        demand(ok[i] == ok[0]);
        if (!ok[i]) continue;
        demand(reports[i].n_skipped == reports[0].n_skipped &&
               frames[i]->n_rows == frames[0]->n_rows);
        for (int32_t j = 0; j < frames[0]->n_columns; j++)
            demand(same_column(&frames[i]->columns[j], &frames[0]->columns[j], frames[0]->n_rows));
    }
    for (int i = 0; i < 3; i++) frame_free(frames[i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Error err;
    char *copy = data_array(char, size, "the input", &err);
    if (!copy) abort();
    memcpy(copy, data, size);
    Str text = {copy, size};
    compare_levels(text);
    compare_readers(text, &(ReadOptions){0});
    compare_readers(text, &(ReadOptions){.numeric = true, .skip_bad_rows = true});

    static float values[1000];
    int32_t n;
    size_t next = 0;
    if (csv_parse_row(text, ',', values, COUNT(values), &n, &next, &err))
        demand(n > 0 && next <= size && (next > 0 || size == 0));
    data_free(copy);
    return 0;
}
