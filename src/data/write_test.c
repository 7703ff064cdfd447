#include "data/write.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/test.h"
#include "data/readers.h"

#include <fcntl.h>
#include <math.h>

static Str written(Arena *arena, const Frame *frame, const Dataset *dataset, WriteOptions options,
                   const char *name)
{
    Error err = {0};
    const char *path = path_join(arena, test_folder(), name);
    AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    if (frame)
        CHECK_OK(frame_write(frame, &options, fd, path, &err), err);
    else
        CHECK_OK(dataset_write(dataset, &options, fd, path, &err), err);
    Str text;
    CHECK_OK(file_read(path, 1 << 30, arena, &text, &err), err);
    return text;
}

/* Floats of all kinds: whole, tiny, huge, with many digits. */
static float some_float(Random random, uint64_t i)
{
    uint32_t bits = (uint32_t)random_u64(random, i);
    float x;
    switch (random_below(random, i + 1000000, 3)) {
    case 0: return (float)random_below(random, i, 1000) - 500;
    case 1: return (float)random_normal(random, i);
    default: memcpy(&x, &bits, sizeof x); return isfinite(x) ? x : 0;
    }
}

static Dataset *random_dataset(bool sparse, bool weights, bool groups, uint64_t seed)
{
    Error err = {0};
    Random random = random_stream(seed, 9);
    int64_t n_rows = 700;
    int32_t n_features = 11;
    Dataset *dataset = dataset_new();
    dataset->n_rows = n_rows;
    dataset->n_features = dataset->schema.n_features = n_features;
    dataset->schema.features = arena_array(&dataset->arena, Feature, n_features);
    for (int32_t j = 0; j < n_features; j++)
        dataset->schema.features[j].name = arena_format(&dataset->arena, "f%d", j);
    dataset->label_width = 1;
    dataset->label = data_array(float, n_rows, "test", &err);
    if (weights) dataset->weight = data_array(float, n_rows, "test", &err);
    if (groups) {
        dataset->n_groups = n_rows / 7;
        dataset->group_start = data_array(int64_t, dataset->n_groups + 1, "test", &err);
        for (int64_t g = 0; g <= dataset->n_groups; g++) dataset->group_start[g] = 7 * g;
    }
    if (sparse) {
        dataset->row_start = data_array(int64_t, n_rows + 1, "test", &err);
        dataset->col = data_array(int32_t, n_rows * n_features, "test", &err);
        dataset->value = data_array(float, n_rows *n_features, "test", &err);
    } else {
        dataset->columns = arena_array(&dataset->arena, float *, n_features);
        for (int32_t j = 0; j < n_features; j++)
            dataset->columns[j] = data_array(float, n_rows, "test", &err);
    }
    int64_t n = 0;
    for (int64_t i = 0; i < n_rows; i++) {
        dataset->label[i] = some_float(random, (uint64_t)i + 50000);
        if (weights) dataset->weight[i] = fabsf(some_float(random, (uint64_t)i + 60000));
        for (int32_t j = 0; j < n_features; j++) {
            uint64_t at = (uint64_t)(i * n_features + j);
            bool absent = random_unit(random, at + 2000000) < 0.4 && j + 1 < n_features;
            float x = some_float(random, at);
            if (!sparse) dataset->columns[j][i] = absent ? NAN : x;
            if (!sparse || absent) continue;
            dataset->col[n] = j;
            dataset->value[n++] = x;
        }
        if (sparse) dataset->row_start[i + 1] = n;
    }
    return dataset;
}

static float cell(const Dataset *dataset, int64_t i, int32_t j)
{
    if (dataset->columns) return dataset->columns[j][i];
    for (int64_t k = dataset->row_start[i]; k < dataset->row_start[i + 1]; k++)
        if (dataset->col[k] == j) return dataset->value[k];
    return NAN;
}

static void check_equal(const Dataset *got, const Dataset *want)
{
    CHECK_INT(got->n_rows, want->n_rows);
    CHECK_INT(got->n_features, want->n_features);
    CHECK(!got->weight == !want->weight);
    CHECK_INT(got->n_groups, want->n_groups);
    for (int64_t g = 0; g < want->n_groups; g++)
        CHECK_INT(got->group_start[g], want->group_start[g]);
    for (int64_t i = 0; i < want->n_rows; i++) {
        CHECK_NEAR(got->label[i], want->label[i], 0);
        if (want->weight) CHECK_NEAR(got->weight[i], want->weight[i], 0);
        for (int32_t j = 0; j < want->n_features; j++)
            CHECK_NEAR(cell(got, i, j), cell(want, i, j), 0);
    }
}

TEST(write, datasets_read_back_equal)
{
    ARENA(scratch);
    for (int kind = 0; kind < 8; kind++) {
        bool sparse = kind & 1, weights = kind & 2, groups = kind & 4;
        Error err = {0};
        AUTO(dataset_free)
        Dataset *dataset = random_dataset(sparse, weights, groups, (uint64_t)kind);
        const struct {
            DataFormat format;
            const char *name;
        } forms[] = {{DATA_LIBSVM, "t.libsvm"}, {DATA_RECORDIO, "t.pbr"}, {DATA_JSONL, "t.jsonl"}};
        for (size_t f = 0; f < COUNT(forms); f++) {
            if (f > 0 && groups) continue; /* only libsvm has a place for them */
            if (f == 1 && weights) continue;
            written(&scratch, NULL, dataset, (WriteOptions){.format = forms[f].format},
                    forms[f].name);
            const char *path = path_join(&scratch, test_folder(), forms[f].name);
            DatasetRoles roles = {0};
            if (f == 2) /* members come in any order: found by name */
                roles = (DatasetRoles){.target = STR("label"),
                                       .weight = weights ? STR("weight") : STR(""),
                                       .schema = &dataset->schema};
            AUTO(dataset_free) Dataset *got = NULL;
            CHECK_OK(dataset_read(path, &(ReadOptions){0}, &roles, NULL, &got, NULL, &err), err);
            check_equal(got, dataset);
        }
    }
}

TEST(write, datasets_read_back_equal_from_csv)
{
    ARENA(scratch);
    for (int kind = 0; kind < 4; kind++) {
        Error err = {0};
        AUTO(dataset_free)
        Dataset *dataset = random_dataset(kind & 1, kind & 2, false, (uint64_t)kind);
        AUTO(dataset_free) Dataset *named = NULL, *nameless = NULL;
        const char *path = path_join(&scratch, test_folder(), "t.csv");
        written(&scratch, NULL, dataset, (WriteOptions){0}, "t.csv");
        DatasetRoles roles = {.target = STR("label"), .weight = kind & 2 ? STR("weight") : STR("")};
        CHECK_OK(dataset_read(path, &(ReadOptions){0}, &roles, NULL, &named, NULL, &err), err);
        check_equal(named, dataset);
        CHECK_STR(named->schema.target, STR("label"));

        written(&scratch, NULL, dataset, (WriteOptions){.no_header = true, .separator = '|'},
                "t.csv");
        roles = (DatasetRoles){.label_size = 1, .csv_weights = kind & 2};
        CHECK_OK(dataset_read(path, &(ReadOptions){.header = HEADER_NO}, &roles, NULL, &nameless,
                              NULL, &err),
                 err);
        check_equal(nameless, dataset);
        CHECK_STR(nameless->schema.features[3].name, STR("f3"));
    }
}

static Column *new_column(Frame *frame, int32_t j, const char *name, ColumnType type)
{
    frame->columns[j] = (Column){.name = str_of(name), .type = type, .n_rows = frame->n_rows};
    return &frame->columns[j];
}

static Frame *small_frame(void)
{
    static const Str cities[] = {STR_INIT("Rome, \"Urbs\""), STR_INIT(" Bonn"), STR_INIT("a\nb")};
    static const uint64_t some_valid[] = {5};
    Error err = {0};
    Frame *frame = frame_new(5);
    frame->n_rows = 3;
    Column *column = new_column(frame, 0, "x;y", COLUMN_NUMBER);
    column->f32 = data_array(float, 3, "test", &err);
    memcpy(column->f32, (float[]){0.1f, NAN, 1e-30f}, 12);
    column = new_column(frame, 1, "city", COLUMN_CATEGORY);
    column->codes = data_array(int32_t, 3, "test", &err);
    memcpy(column->codes, (int32_t[]){0, 1, 2}, 12);
    column->categories = (Str *)(uintptr_t)cities;
    column->n_categories = 3;
    column = new_column(frame, 2, "ok", COLUMN_BOOL);
    column->bools = data_array(uint8_t, 3, "test", &err);
    column->bools[2] = 1;
    column->valid = data_array(uint64_t, 1, "test", &err);
    memcpy(column->valid, some_valid, 8);
    column = new_column(frame, 3, "at", COLUMN_TIME);
    column->time_us = data_array(int64_t, 3, "test", &err);
    column->time_us[1] = 1000000;
    column = new_column(frame, 4, "n", COLUMN_NUMBER);
    column->f64 = data_array(double, 3, "test", &err);
    memcpy(column->f64, (double[]){1.0 / 3, 1e300, -7}, 24);
    return frame;
}

TEST(write, fields_are_quoted_only_where_they_must_be)
{
    ARENA(scratch);
    AUTO(frame_free) Frame *frame = small_frame();
    CHECK_STR(written(&scratch, frame, NULL, (WriteOptions){0}, "a.csv"),
              STR("x;y,city,ok,at,n\n"
                  "0.1,\"Rome, \"\"Urbs\"\"\",false,1970-01-01,0.3333333333333333\n"
                  ",\" Bonn\",,1970-01-01T00:00:01,1e+300\n"
                  "1e-30,\"a\nb\",true,1970-01-01,-7\n"));
    CHECK_STR(written(&scratch, frame, NULL, (WriteOptions){.separator = ';', .no_header = true},
                      "b.csv"),
              STR("0.1;\"Rome, \"\"Urbs\"\"\";false;1970-01-01;0.3333333333333333\n"
                  ";\" Bonn\";;1970-01-01T00:00:01;1e+300\n"
                  "1e-30;\"a\nb\";true;1970-01-01;-7\n"));
    CHECK_STR(
        written(&scratch, frame, NULL, (WriteOptions){.format = DATA_JSONL}, "c.jsonl"),
        STR("{\"x;y\":0.1,\"city\":\"Rome, \\\"Urbs\\\"\",\"ok\":false,\"at\":\"1970-01-01\",\"n\":"
            "0.3333333333333333}\n"
            "{\"x;y\":null,\"city\":\" Bonn\",\"ok\":null,\"at\":\"1970-01-01T00:00:01\",\"n\":1e+300}\n"
            "{\"x;y\":1e-30,\"city\":\"a\\nb\",\"ok\":true,\"at\":\"1970-01-01\",\"n\":-7}\n"));
    for (int form = 0; form < 2; form++) { /* and back */
        Error back_err = {0};
        AUTO(frame_free) Frame *back = NULL;
        const char *path = path_join(&scratch, test_folder(), form ? "c.jsonl" : "a.csv");
        CHECK_OK(frame_read(path, &(ReadOptions){.f64 = true}, NULL, &back, NULL, &back_err),
                 back_err);
        CHECK_INT(back->n_rows, 3);
        for (int32_t j = 0; j < 5; j++) {
            CHECK_STR(back->columns[j].name, frame->columns[j].name);
            CHECK_INT(back->columns[j].type, frame->columns[j].type);
            for (int64_t i = 0; i < 3; i++)
                CHECK_STR(column_text(&back->columns[j], i, &scratch),
                          column_text(&frame->columns[j], i, &scratch));
        }
    }
    AUTO(frame_free) Frame *one = frame_new(1);
    one->n_rows = 1;
    Error err = {0};
    Column *column = new_column(one, 0, "a", COLUMN_NUMBER);
    column->f32 = data_array(float, 1, "test", &err);
    column->f32[0] = NAN;
    CHECK_STR(written(&scratch, one, NULL, (WriteOptions){0}, "d.csv"), STR("a\n\"\"\n"));
    CHECK(!frame_write(one, &(WriteOptions){.format = DATA_LIBSVM}, 1, "x", &err));
    CHECK_INT(err.kind, ERROR_UNSUPPORTED);
}
