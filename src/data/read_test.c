#include "data/read.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/test.h"
#include "data/readers.h"
#include "format/recordio.h"

#include <math.h>
#include <stdio.h>

static const char *put(Arena *arena, const char *name, Str bytes)
{
    Error err = {0};
    const char *path = path_join(arena, test_folder(), name);
    CHECK_OK(file_commit(path, bytes, &err), err);
    return path;
}

/* Reads `text` as if it were a file, in blocks of the given size (0: whole). */
static bool read_text(DataFormat format, Str text, size_t block, ReadOptions options,
                      DatasetRoles roles, Pool *pool, Dataset **ret_dataset, ReadReport *report,
                      Error *err)
{
    AUTO(source_close) Source *source = NULL;
    SourceOptions how = {.block_bytes = block, .never_map = block != 0};
    if (!source_open_bytes(text, "t", &how, &source, err)) return false;
    return format == DATA_LIBSVM
               ? dataset_read_libsvm(source, &options, &roles, pool, ret_dataset, report, err)
               : dataset_read_recordio(source, &options, &roles, pool, ret_dataset, report, err);
}

static void check_same(const Dataset *a, const Dataset *b)
{
    CHECK_INT(a->n_rows, b->n_rows);
    CHECK_INT(a->n_features, b->n_features);
    CHECK_INT(a->label_width, b->label_width);
    CHECK(memcmp(a->label, b->label, (size_t)(a->n_rows * a->label_width) * sizeof(float)) == 0);
    CHECK(!a->row_start == !b->row_start);
    if (a->row_start) {
        size_t n = (size_t)a->row_start[a->n_rows];
        CHECK(memcmp(a->row_start, b->row_start, (size_t)(a->n_rows + 1) * sizeof(int64_t)) == 0);
        CHECK(memcmp(a->col, b->col, n * sizeof(int32_t)) == 0);
        CHECK(memcmp(a->value, b->value, n * sizeof(float)) == 0);
    } else {
        for (int32_t j = 0; j < a->n_features; j++)
            CHECK(memcmp(a->columns[j], b->columns[j], (size_t)a->n_rows * sizeof(float)) == 0);
    }
}

TEST(read, sums_of_real_data_are_those_of_scikit_learn_and_pandas)
{
    ARENA(scratch);
    Error err = {0};
    Str text, line;
    CHECK_OK(file_read(test_path("tests/golden/read/sums.txt"), 1 << 20, &scratch, &text, &err),
             err);
    AUTO(pool_free) Pool *pool = pool_new(2);
    while (str_next_line(&text, &line)) {
        char path[200];
        int label;
        long long rows, stored, missing;
        int features;
        double label_sum, value_sum;
        CHECK(sscanf(arena_cstr(&scratch, line), "%199s %d %lld %d %lld %lf %lf %lld", path, &label,
                     &rows, &features, &stored, &label_sum, &value_sum, &missing) == 8);
        AUTO(dataset_free) Dataset *dataset = NULL;
        ReadOptions options = {.header = HEADER_NO, .numeric = true};
        DatasetRoles roles = {.label_size = 1};
        CHECK_OK(dataset_read(test_data(path), &options, &roles, pool, &dataset, NULL, &err), err);
        double labels = 0, values = 0;
        int64_t n = 0, n_missing = 0;
        for (int64_t i = 0; i < dataset->n_rows; i++) labels += (double)dataset->label[i];
        if (dataset->row_start) {
            n = dataset->row_start[dataset->n_rows];
            for (int64_t k = 0; k < n; k++) values += (double)dataset->value[k];
        } else {
            n = dataset->n_rows * dataset->n_features;
            for (int32_t j = 0; j < dataset->n_features; j++)
                for (int64_t i = 0; i < dataset->n_rows; i++) {
                    float x = dataset->columns[j][i];
                    n_missing += isnan(x);
                    values += isnan(x) ? 0 : (double)x;
                }
        }
        CHECK_INT(dataset->n_rows, rows);
        CHECK_INT(dataset->n_features, features);
        CHECK_INT(n, stored);
        CHECK_INT(n_missing, missing);
        CHECK_NEAR(labels, label_sum, 1e-12);
        CHECK_NEAR(values, value_sum, 1e-12); /* the order of adding differs */
    }
}

TEST(libsvm, rows_weights_groups_and_comments)
{
    static const char text[] = "# a comment\n"
                               "1:0.5 qid:7 3:1.5 1:-2\r\n"
                               "\n"
                               "0 qid:7 # no features\n"
                               "-2.5:2 qid:9\t2:1e-3   4:nan #tail 5:5\n"
                               "3 qid:10 1:123456789 2:.5 3:+4 4:0.1234567 5:12345678901234567890";
    for (size_t block = 0; block < 90; block += block ? 1 : 20) {
        Error err = {0};
        ReadReport report = {0};
        AUTO(dataset_free) Dataset *dataset = NULL;
        CHECK_OK(read_text(DATA_LIBSVM, STR(""), block, (ReadOptions){0}, (DatasetRoles){0}, NULL,
                           &dataset, &report, &err),
                 err);
        CHECK_INT(dataset->n_rows, 0);
        dataset_free(STEAL(dataset));
        CHECK_OK(read_text(DATA_LIBSVM, str_of(text), block, (ReadOptions){0}, (DatasetRoles){0},
                           NULL, &dataset, &report, &err),
                 err);
        CHECK_INT(dataset->n_rows, 4);
        CHECK_INT(dataset->n_features, 6);
        CHECK_INT(dataset->index_min, 1);
        const float label[] = {1, 0, -2.5f, 3}, weight[] = {0.5f, 1, 2, 1};
        const int64_t start[] = {0, 2, 2, 4, 9}, group[] = {0, 2, 3, 4};
        const int32_t col[] = {1, 3, 2, 4, 1, 2, 3, 4, 5};
        const float value[] = {
            -2, 1.5f, 1e-3f, NAN, 123456789.0f, .5f, 4, 0.1234567f, 12345678901234567890.0f};
        for (int i = 0; i < 4; i++) {
            CHECK_NEAR(dataset->label[i], label[i], 0);
            CHECK_NEAR(dataset->weight[i], weight[i], 0);
            CHECK_INT(dataset->row_start[i + 1], start[i + 1]);
            CHECK_INT(dataset->group_start[i], group[i]);
        }
        for (int k = 0; k < 9; k++) {
            CHECK_INT(dataset->col[k], col[k]);
            CHECK_NEAR(dataset->value[k], value[k], 0);
        }
        CHECK_INT(dataset->n_groups, 3);
    }
}

TEST(libsvm, the_same_on_any_number_of_threads_and_in_any_blocks)
{
    AUTO_STRBUF StrBuf text = STRBUF(1 << 26);
    Random random = random_stream(3, 4);
    for (uint64_t i = 0; i < 8000; i++) {
        strbuf_addf(&text, "%d", (int)random_below(random, i, 5));
        for (uint64_t j = 0; j < random_below(random, i + 1000000, 30); j++)
            strbuf_addf(&text, " %d:%.*g", (int)(j * 3 + random_below(random, i * 64 + j, 3)),
                        1 + (int)random_below(random, i * 64 + j + 5, 9),
                        random_normal(random, i * 64 + j));
        strbuf_add_char(&text, '\n');
    }
    Error err = {0};
    ReadReport report = {0};
    AUTO(dataset_free) Dataset *one = NULL;
    CHECK_OK(read_text(DATA_LIBSVM, strbuf_str(&text), 0, (ReadOptions){0}, (DatasetRoles){0}, NULL,
                       &one, &report, &err),
             err);
    CHECK_INT(one->n_rows, 8000);
    for (int threads = 1; threads <= 7; threads += 3) {
        AUTO(pool_free) Pool *pool = pool_new(threads);
        AUTO(dataset_free) Dataset *other = NULL;
        CHECK_OK(read_text(DATA_LIBSVM, strbuf_str(&text), threads == 1 ? 0 : 50000,
                           (ReadOptions){0}, (DatasetRoles){0}, pool, &other, &report, &err),
                 err);
        check_same(one, other);
    }
    AUTO(dataset_free) Dataset *few = NULL;
    CHECK_OK(read_text(DATA_LIBSVM, strbuf_str(&text), 0, (ReadOptions){.rows_max = 6001},
                       (DatasetRoles){0}, NULL, &few, &report, &err),
             err);
    CHECK_INT(few->n_rows, 6001);
}

TEST(libsvm, refusals_name_the_line_and_the_token)
{
    const struct {
        const char *text, *want;
    } cases[] = {
        {"1 1:2\nx 1:2\n", "line 2 of 't': 'x' where a label should be, is no number"},
        {"1,2 1:2\n", "line 1 of 't': '1,2' where a label should be, is no number"},
        {"nan 1:2\n", "line 1 of 't': 'nan' is no label; it must be a finite number"},
        {"1: 1:2\n", "line 1 of 't': '1:' should be label:weight"},
        {"1 qid:x 1:2\n", "line 1 of 't': 'qid:x' should be qid:NUMBER"},
        {"1 12\n", "line 1 of 't': '12' should be index:value"},
        {"1 -3:1\n", "line 1 of 't': '-3:1' should be index:value"},
        {"1 3:\n", "line 1 of 't': '3:' has a value that is no number"},
        {"1 3:abc\n", "line 1 of 't': '3:abc' has a value that is no number"},
        {"1 3:1.5x\n", "line 1 of 't': '3:1.5x' has a value that is no number"},
        {"1 2147483647:1\n",
         "line 1 of 't': '2147483647:1' has an index beyond the limit of 2147483646"},
        {"1 99999999999999999999:1\n",
         "line 1 of 't': '99999999999999999999:1' should be index:value"},
        {"1 5000000:1\n", "feature index 5000000: at most 4194304 features can be learned from"},
        {"1 3:1 2:1 3:2\n", "line 1 of 't': feature 3 occurs twice"},
        {"1 qid:1 3:1\n2 3:1\n",
         "some rows have a qid and others have none, up to line 2 of 't'; all or none must have one"},
        {"1 qid:1 3:1\n2 qid:2\n3 qid:1\n",
         "row 3: its group began at row 1 and other groups lie between; rows of a group must be adjacent: "
         "sort the data by group"},
        {"1:-1 3:1\n", "row 1: the weight is -1; it must be 0 or more"},
        {"a\nb\nc\nd\ne\nf\ng\n",
         "line 1 of 't': 'a' where a label should be, is no number; line 2 of 't': 'b' where a label should be, is no "
         "number; line 3 of 't': 'c' where a label should be, is no number; line 4 of 't': 'd' where a label should "
         "be, is no number; line 5 of 't': 'e' where a label should be, is no number; and 2 more such places"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        ReadReport report = {0};
        AUTO(dataset_free) Dataset *dataset = NULL;
        CHECK(!read_text(DATA_LIBSVM, str_of(cases[i].text), 0, (ReadOptions){0}, (DatasetRoles){0},
                         NULL, &dataset, &report, &err));
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
}

TEST(libsvm, nul_bytes_are_no_numbers)
{
    Error err = {0};
    ReadReport report = {0};
    AUTO(dataset_free) Dataset *dataset = NULL;
    CHECK(!read_text(DATA_LIBSVM, STR("1 1:2\n1\0 1:2\n"), 0, (ReadOptions){0}, (DatasetRoles){0},
                     NULL, &dataset, &report, &err));
    CHECK(str_starts(str_of(err.text), STR("line 2 of 't': '1")));
}

TEST(read, a_models_categories_stay_texts)
{
    ARENA(scratch);
    Error err = {0};
    static const Str zip[] = {STR_INIT("zip")};
    AUTO(dataset_free) Dataset *train = NULL, *test = NULL;
    const char *path = put(&scratch, "train.csv", STR("y,zip,x\n1,02134,5\n0,10001,6\n"));
    ReadOptions options = {.categories = zip, .n_categories = 1};
    CHECK_OK(
        dataset_read(path, &options, &(DatasetRoles){.target = STR("y")}, NULL, &train, NULL, &err),
        err);
    CHECK_INT(train->schema.features[0].n_categories, 2);
    path = put(&scratch, "test.csv", STR("x,zip\n7,10001\n8,02134\n9,2134\n"));
    DatasetRoles roles = {.no_target = true, .schema = &train->schema};
    CHECK_OK(dataset_read(path, &(ReadOptions){0}, &roles, NULL, &test, NULL, &err), err);
    CHECK_NEAR(test->columns[0][0], 1, 0);
    CHECK_NEAR(test->columns[0][1], 0, 0);
    CHECK_NEAR(test->columns[0][2], NAN, 0);
    CHECK_INT(test->n_unknown, 1);

    path = put(&scratch, "without.csv", STR("x,zap\n7,1\n"));
    dataset_free(STEAL(test));
    CHECK(!dataset_read(path, &(ReadOptions){0}, &roles, NULL, &test, NULL, &err));
    CHECK(str_ends(str_of(err.text),
                   STR("the model needs 1 column that the data does not have: 'zip' (there is "
                       "'zap')")));
}

TEST(read, what_holds_no_rows_is_refused)
{
    ARENA(scratch);
    const char *names[] = {"empty.csv", "empty.libsvm", "empty.pbr", "empty.jsonl", "empty"};
    for (size_t i = 0; i < COUNT(names); i++) {
        Error err = {0};
        AUTO(dataset_free) Dataset *dataset = NULL;
        const char *path = put(&scratch, names[i], STR(""));
        CHECK(
            !dataset_read(path, &(ReadOptions){0}, &(DatasetRoles){0}, NULL, &dataset, NULL, &err));
        CHECK_INT(err.kind, ERROR_INVALID);
        CHECK(str_has(str_of(err.text), str_of(names[i])));
    }
}

TEST(libsvm, bad_rows_are_dropped_and_counted)
{
    Error err = {0};
    ReadReport report = {0};
    AUTO(dataset_free) Dataset *dataset = NULL;
    CHECK_OK(read_text(DATA_LIBSVM, STR("1 1:2\n1 x\n2 1:3\nq\n3 1:4\n"), 0,
                       (ReadOptions){.skip_bad_rows = true}, (DatasetRoles){0}, NULL, &dataset,
                       &report, &err),
             err);
    CHECK_INT(dataset->n_rows, 3);
    CHECK_INT(report.n_skipped, 2);
    CHECK_STR(str_of(report.first_skipped), STR("line 2 of 't': 'x' should be index:value"));
    CHECK_NEAR(dataset->value[2], 4, 0);
}

TEST(libsvm, a_line_that_never_ends_is_refused_without_reading_it_all)
{
    Error err = {0};
    ReadReport report = {0};
    size_t size = (size_t)40 << 20;
    AUTO_DATA char *text = data_array(char, size, "test", &err);
    memset(text, '1', size);
    AUTO(dataset_free) Dataset *dataset = NULL;
    for (size_t block = 0; block <= 1 << 20; block += 1 << 20) {
        CHECK(!read_text(DATA_LIBSVM, (Str){text, size}, block, (ReadOptions){0}, (DatasetRoles){0},
                         NULL, &dataset, &report, &err));
        CHECK_STR(str_of(err.text),
                  STR("reading 't': a line of more than 16777216 bytes at byte 0"));
    }
}

TEST(libsvm, features_that_a_model_does_not_know_are_left_out)
{
    Error err = {0};
    ReadReport report = {0};
    AUTO(dataset_free) Dataset *train = NULL, *test = NULL;
    CHECK_OK(read_text(DATA_LIBSVM, STR("1 1:2 3:4\n"), 0, (ReadOptions){0}, (DatasetRoles){0},
                       NULL, &train, &report, &err),
             err);
    CHECK_OK(read_text(DATA_LIBSVM, STR("0 1:2 7:4\n0 9:1\n"), 0, (ReadOptions){0},
                       (DatasetRoles){.schema = &train->schema}, NULL, &test, &report, &err),
             err);
    CHECK_INT(test->n_features, 4);
    CHECK_INT(test->n_unknown, 2);
    CHECK_INT(test->row_start[2], 1);
}

static void add_record(StrBuf *out, const float *values, const int32_t *keys, size_t n,
                       int64_t size, float label, Str uid)
{
    RecordOutput features = {
        .name = STR("values"), .values = values, .keys = keys, .n = n, .size = size};
    RecordOutput labels = {.name = STR("values"), .values = &label, .n = 1};
    CHECK(recordio_write_record(out, &features, 1, &labels, 1, uid, (Str){0}));
}

TEST(recordio, files_are_read_alike_on_any_number_of_threads_and_in_any_blocks)
{
    enum { ROWS = 9000, COLS = 13 };
    for (int sparse = 0; sparse < 2; sparse++) {
        AUTO_STRBUF StrBuf out = STRBUF(1 << 26);
        Random random = random_stream(5, 6);
        for (int i = 0; i < ROWS; i++) {
            float values[COLS];
            int32_t keys[COLS];
            size_t n = 0;
            for (int j = 0; j < COLS; j++) {
                uint64_t at = (uint64_t)(i * COLS + j);
                if (sparse && random_unit(random, at) < 0.7) continue;
                keys[n] = j;
                values[n++] = (float)random_normal(random, at);
            }
            char uid[16];
            snprintf(uid, sizeof uid, "u%d", i);
            add_record(&out, values, sparse ? keys : NULL, n, COLS, (float)i,
                       i > 5000 ? str_of(uid) : (Str){0});
        }
        Error err = {0};
        ReadReport report = {0};
        AUTO(dataset_free) Dataset *one = NULL;
        CHECK_OK(read_text(DATA_RECORDIO, strbuf_str(&out), 0, (ReadOptions){0}, (DatasetRoles){0},
                           NULL, &one, &report, &err),
                 err);
        CHECK_INT(one->n_rows, ROWS);
        CHECK_INT(one->n_features, COLS);
        CHECK(!one->row_start == !sparse);
        CHECK_STR(one->uid[ROWS - 1], STR("u8999"));
        CHECK(!one->uid[5000].ptr);
        if (!sparse)
            for (int i = 0; i < ROWS; i++)
                CHECK_NEAR(one->columns[7][i],
                           (float)random_normal(random, (uint64_t)(i * COLS + 7)), 0);
        for (int threads = 1; threads < 4; threads += 2) {
            AUTO(pool_free) Pool *pool = pool_new(threads);
            AUTO(dataset_free) Dataset *other = NULL;
            CHECK_OK(read_text(DATA_RECORDIO, strbuf_str(&out), threads == 1 ? 77 : 100000,
                               (ReadOptions){0}, (DatasetRoles){0}, pool, &other, &report, &err),
                     err);
            check_same(one, other);
            CHECK_STR(other->uid[7777], one->uid[7777]);
        }
    }
}

TEST(recordio, files_with_bad_records)
{
    const float values[] = {1, 2, 3, 4};
    const int32_t keys[] = {0};
    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    for (int i = 0; i < 40; i++) {
        if (i == 7)
            add_record(&out, values, NULL, 4, 0, 7, (Str){0});
        else if (i == 9)
            add_record(&out, values, keys, 1, 3, 9, (Str){0});
        else if (i == 11)
            add_record(&out, values, NULL, 3, 0, NAN, (Str){0});
        else
            add_record(&out, values, NULL, 3, 0, (float)i, (Str){0});
    }
    Error err = {0};
    ReadReport report = {0};
    AUTO(dataset_free) Dataset *dataset = NULL;
    CHECK(!read_text(DATA_RECORDIO, strbuf_str(&out), 0, (ReadOptions){0}, (DatasetRoles){0}, NULL,
                     &dataset, &report, &err));
    CHECK_STR(
        str_of(err.text),
        STR("record 8 of 't' has 4 features, the first has 3; record 10 of 't' is sparse, the first is dense; all "
            "must be alike; record 12 of 't' has a label that is no finite number"));
    CHECK_OK(read_text(DATA_RECORDIO, strbuf_str(&out), 0, (ReadOptions){.skip_bad_rows = true},
                       (DatasetRoles){0}, NULL, &dataset, &report, &err),
             err);
    CHECK_INT(dataset->n_rows, 37);
    CHECK_INT(report.n_skipped, 3);
    CHECK_NEAR(dataset->label[7], 8, 0);
    CHECK_NEAR(dataset->label[36], 39, 0);
    CHECK_NEAR(dataset->columns[2][36], 3, 0);
    dataset_free(STEAL(dataset));

    CHECK(!read_text(DATA_RECORDIO, (Str){out.ptr, out.len - 10}, 0, (ReadOptions){.rows_max = 0},
                     (DatasetRoles){0}, NULL, &dataset, &report, &err));
    CHECK(str_starts(str_of(err.text), STR("reading 't': record 40 at byte ")));
    CHECK(str_has(str_of(err.text), STR("the data is cut off: the record says")));
    out.ptr[8 + (((unsigned char)out.ptr[4] + 3) & ~3)] ^= 1; /* the magic of the second record */
    CHECK(!read_text(DATA_RECORDIO, strbuf_str(&out), 0, (ReadOptions){0}, (DatasetRoles){0}, NULL,
                     &dataset, &report, &err));
    CHECK(str_has(str_of(err.text), STR("where a record should begin (0xced7230a)")));
}

TEST(read, formats_are_told_by_name_and_by_bytes)
{
    ARENA(scratch);
    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    add_record(&out, (float[]){1, 2}, NULL, 2, 0, 1, (Str){0});
    const struct {
        const char *name;
        Str bytes;
        DataFormat format;
    } cases[] = {
        {"train", STR("1 3:4\n"), DATA_LIBSVM},
        {"t.txt", STR("\n# c\n1:2 qid:3 3:4 5:6\n"), DATA_LIBSVM},
        {"x.SVM", STR("1\n"), DATA_LIBSVM},
        {"matrix_0.pbr", strbuf_str(&out), DATA_RECORDIO},
        {"noname", strbuf_str(&out), DATA_RECORDIO},
        {"a.csv", STR("x,y\n1,2\n"), DATA_CSV},
        {"b", STR("1 2 3\n"), DATA_CSV},
        {"c.txt", STR("1,2:3\n"), DATA_CSV},
        {"d", STR("{\"a\":1}\n"), DATA_JSONL},
        {"e.ndjson", STR("[1,2]\n"), DATA_JSONL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        ReadReport report;
        AUTO(dataset_free) Dataset *dataset = NULL;
        CHECK_OK(dataset_read(put(&scratch, cases[i].name, cases[i].bytes), &(ReadOptions){0},
                              &(DatasetRoles){0}, NULL, &dataset, &report, &err),
                 err);
        CHECK_INT(report.format, cases[i].format);
        CHECK_INT(report.n_rows, 1);
        CHECK_INT(report.n_bytes, cases[i].bytes.len);
    }
    Error err = {0};
    AUTO(frame_free) Frame *frame = NULL;
    const char *path = path_join(&scratch, test_folder(), "train");
    CHECK(!frame_read(path, &(ReadOptions){0}, NULL, &frame, NULL, &err));
    Str want = arena_format(
        &scratch,
        "'%s' is libsvm, rows of features and labels rather than a table with named columns", path);
    CHECK_STR(str_of(err.text), want);
}
