#include "data/split.h"

#include "base/memory.h"
#include "base/test.h"

enum { ROWS = 500, FEATURES = 3 };

/* Row i holds i in its label and i + j / 10 in column j. */
static Dataset *make(bool sparse)
{
    Error err = {0};
    Dataset *dataset = dataset_new();
    dataset->n_rows = ROWS;
    dataset->n_features = FEATURES;
    dataset->schema.n_features = FEATURES;
    dataset->schema.features = arena_array(&dataset->arena, Feature, FEATURES);
    dataset->label_width = 1;
    dataset->label = data_array(float, ROWS, "x", &err);
    for (int i = 0; i < ROWS; i++) dataset->label[i] = (float)i;
    if (!sparse) {
        dataset->columns = data_array(float *, FEATURES, "x", &err);
        for (int j = 0; j < FEATURES; j++) {
            dataset->columns[j] = data_array(float, ROWS, "x", &err);
            for (int i = 0; i < ROWS; i++) dataset->columns[j][i] = (float)i + (float)j / 10;
        }
        return dataset;
    }
    dataset->row_start = data_array(int64_t, ROWS + 1, "x", &err);
    dataset->col = data_array(int32_t, ROWS, "x", &err);
    dataset->value = data_array(float, ROWS, "x", &err);
    for (int i = 0; i < ROWS; i++) { /* one entry in two rows of three */
        dataset->row_start[i + 1] = dataset->row_start[i] + (i % 3 != 0);
        if (i % 3 == 0) continue;
        dataset->col[dataset->row_start[i]] = i % 3;
        dataset->value[dataset->row_start[i]] = (float)i;
    }
    return dataset;
}

static void check_rows(const Dataset *dataset)
{
    for (int64_t i = 0; i < dataset->n_rows; i++) {
        float label = dataset->label[i];
        if (i > 0) CHECK(label > dataset->label[i - 1]);
        if (dataset->columns) {
            CHECK(dataset->columns[2][i] == label + 0.2F);
        } else {
            int64_t n = dataset->row_start[i + 1] - dataset->row_start[i];
            CHECK_INT(n, (int)label % 3 != 0);
            if (n) CHECK(dataset->value[dataset->row_start[i]] == label);
        }
    }
}

TEST(split, rows_stay_whole_and_none_is_lost)
{
    for (int sparse = 0; sparse < 2; sparse++) {
        Error err = {0};
        AUTO(dataset_free) Dataset *dataset = make(sparse);
        AUTO(dataset_free) Dataset *held = NULL;
        CHECK_OK(dataset_split(dataset, 0.3, 1, &held, &err), err);
        CHECK_INT(dataset->n_rows + held->n_rows, ROWS);
        CHECK(held->n_rows > ROWS / 5 && held->n_rows < ROWS * 2 / 5);
        check_rows(dataset);
        check_rows(held);

        AUTO(dataset_free) Dataset *joined = NULL;
        CHECK_OK(dataset_join(dataset, held, &joined, &err), err);
        CHECK_INT(joined->n_rows, ROWS);
        CHECK(joined->label[dataset->n_rows] == held->label[0]);
    }
}

TEST(split, take_copies_what_is_chosen)
{
    for (int sparse = 0; sparse < 2; sparse++) {
        Error err = {0};
        AUTO(dataset_free) Dataset *dataset = make(sparse);
        AUTO(dataset_free) Dataset *taken = NULL;
        uint8_t chosen[ROWS];
        for (int i = 0; i < ROWS; i++) chosen[i] = i % 7 == 2;
        CHECK_OK(dataset_take(dataset, chosen, &taken, &err), err);
        CHECK_INT(taken->n_rows, 72);
        CHECK(taken->label[1] == 9);
        check_rows(taken);
        CHECK_INT(dataset->n_rows, ROWS);
    }
}

TEST(split, too_few_rows_are_refused)
{
    Error err = {0};
    AUTO(dataset_free) Dataset *dataset = make(false);
    AUTO(dataset_free) Dataset *held = NULL;
    dataset->n_rows = 1;
    CHECK(!dataset_split(dataset, 0.5, 1, &held, &err));
    CHECK_STR(str_of(err.text), STR("1 rows are too few to put a share of 0.5 aside"));
}
