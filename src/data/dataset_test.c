#include "data/dataset.h"

#include "base/memory.h"
#include "base/test.h"
#include "data/problems.h"

#include <math.h>

static void add_numbers(Frame *frame, int32_t j, const char *name, const float *values)
{
    Error err = {0};
    Column *column = &frame->columns[j];
    *column = (Column){.name = str_of(name), .type = COLUMN_NUMBER, .n_rows = frame->n_rows};
    column->f32 = data_array(float, frame->n_rows, "test", &err);
    memcpy(column->f32, values, (size_t)frame->n_rows * sizeof(float));
}

/* "" is missing. */
static void add_words(Frame *frame, int32_t j, const char *name, const char *const *words)
{
    Error err = {0};
    Column *column = &frame->columns[j];
    *column = (Column){.name = str_of(name), .type = COLUMN_CATEGORY, .n_rows = frame->n_rows};
    column->codes = data_array(int32_t, frame->n_rows, "test", &err);
    column->categories = arena_array(&frame->arena, Str, frame->n_rows);
    for (int64_t i = 0; i < frame->n_rows; i++) {
        int32_t code = 0;
        while (code < column->n_categories && !str_is(column->categories[code], words[i])) code++;
        if (!*words[i]) code = -1;
        if (code == column->n_categories)
            column->categories[column->n_categories++] = str_of(words[i]);
        column->codes[i] = code;
    }
}

static Frame *people(void)
{
    Frame *frame = frame_new(4);
    frame->n_rows = 4;
    add_numbers(frame, 0, "age", (float[]){30, NAN, 50, 60});
    add_words(frame, 1, "city", (const char *[]){"Rome", "Bonn", "", "Rome"});
    add_words(frame, 2, "grade", (const char *[]){"10", "9", "10", "2"});
    add_numbers(frame, 3, "income", (float[]){1, 0, 1, 1});
    return frame;
}

TEST(dataset, columns_move_and_categories_are_sorted)
{
    Error err = {0};
    AUTO(frame_free) Frame *frame = people();
    const float *age = frame->columns[0].f32;
    AUTO(dataset_free) Dataset *dataset = NULL;
    CHECK_OK(dataset_from_frame(frame, &(DatasetRoles){.target = STR("grade")}, &dataset, &err),
             err);
    CHECK(dataset->columns[0] == age);
    CHECK_INT(dataset->n_features, 3);
    CHECK_INT(dataset->schema.n_classes, 3);
    CHECK_STR(dataset->schema.classes[0], STR("2"));
    CHECK_STR(dataset->schema.classes[2], STR("10"));
    CHECK_STR(dataset->schema.target, STR("grade"));
    const float labels[] = {2, 1, 2, 0}, cities[] = {1, 0, NAN, 1};
    for (int i = 0; i < 4; i++) {
        CHECK_NEAR(dataset->label[i], labels[i], 0);
        CHECK_NEAR(dataset->columns[1][i], cities[i], 0);
    }
    CHECK_INT(dataset->schema.features[1].kind, FEATURE_CATEGORY);
    CHECK_STR(dataset->schema.features[1].categories[0], STR("Bonn"));
    CHECK_STR(dataset->schema.features[2].name, STR("income"));
}

TEST(dataset, a_model_finds_its_columns_by_name)
{
    Error err = {0};
    AUTO(frame_free) Frame *frame = people();
    AUTO(dataset_free) Dataset *train = NULL, *test = NULL;
    CHECK_OK(dataset_from_frame(frame, &(DatasetRoles){.target = STR("income")}, &train, &err),
             err);

    AUTO(frame_free) Frame *other = frame_new(4);
    other->n_rows = 3;
    add_words(other, 0, "grade", (const char *[]){"2", "9", "9"});
    add_words(other, 1, "city", (const char *[]){"Mars", "Rome", "Mars"});
    add_words(other, 2, "remark", (const char *[]){"a", "b", "c"});
    add_numbers(other, 3, "age", (float[]){1, 2, 3});
    DatasetRoles roles = {.no_target = true, .schema = &train->schema};
    CHECK_OK(dataset_from_frame(other, &roles, &test, &err), err);
    CHECK_INT(test->n_features, 3);
    CHECK_INT(test->label_width, 0);
    CHECK_NEAR(test->columns[0][2], 3, 0);
    CHECK_NEAR(test->columns[1][0], NAN, 0);
    CHECK_NEAR(test->columns[1][1], 1, 0);
    CHECK_NEAR(test->columns[2][1], 1, 0);
    CHECK_INT(test->n_unknown, 2);
    CHECK_STR(test->unknown_example, STR("'Mars' in column 'city'"));
}

TEST(dataset, a_model_finds_its_columns_by_position)
{
    Error err = {0};
    AUTO(frame_free) Frame *frame = frame_new(3);
    frame->n_rows = 2;
    add_numbers(frame, 0, "f0", (float[]){0, 1});
    add_numbers(frame, 1, "f1", (float[]){5, 6});
    add_numbers(frame, 2, "f2", (float[]){7, 8});
    AUTO(dataset_free) Dataset *train = NULL, *test = NULL, *wide = NULL;
    CHECK_OK(dataset_from_frame(frame, &(DatasetRoles){.label_size = 1}, &train, &err), err);
    CHECK_STR(train->schema.features[0].name, STR("f0"));
    CHECK_STR(train->schema.target, STR(""));
    CHECK_NEAR(train->columns[0][1], 6, 0);

    AUTO(frame_free) Frame *other = frame_new(2);
    other->n_rows = 1;
    add_numbers(other, 0, "x", (float[]){3});
    add_numbers(other, 1, "y", (float[]){4});
    DatasetRoles roles = {.no_target = true, .schema = &train->schema};
    CHECK_OK(dataset_from_frame(other, &roles, &test, &err), err);
    CHECK_NEAR(test->columns[1][0], 4, 0);

    AUTO(frame_free) Frame *three = frame_new(3);
    three->n_rows = 1;
    for (int j = 0; j < 3; j++)
        add_numbers(three, j, (const char *[]){"f0", "f1", "f2"}[j], (float[]){3});
    CHECK(!dataset_from_frame(three, &roles, &wide, &err));
    CHECK_STR(str_of(err.text),
              STR("expected 2 features, got 3; is one column the target? Say which"));
}

TEST(dataset, weights_and_groups)
{
    Error err = {0};
    AUTO(frame_free) Frame *frame = frame_new(4);
    frame->n_rows = 5;
    add_numbers(frame, 0, "y", (float[]){0, 1, 0, 1, 2});
    add_numbers(frame, 1, "w", (float[]){1, 2, 3, 4, 5});
    add_words(frame, 2, "q", (const char *[]){"b", "b", "a", "c", "c"});
    add_numbers(frame, 3, "x", (float[]){1, 2, 3, 4, 5});
    AUTO(dataset_free) Dataset *dataset = NULL;
    DatasetRoles roles = {.target = STR("y"), .csv_weights = true, .group = STR("q")};
    CHECK_OK(dataset_from_frame(frame, &roles, &dataset, &err), err);
    CHECK_NEAR(dataset->weight[4], 5, 0);
    CHECK_INT(dataset->n_groups, 3);
    CHECK_INT(dataset->group_start[1], 2);
    CHECK_INT(dataset->group_start[2], 3);
    CHECK_INT(dataset->group_start[3], 5);
    CHECK_INT(dataset->n_features, 1);
}

TEST(dataset, refusals_say_where_and_the_way_out)
{
    static const Str no_city[] = {STR_INIT("cty")};
    const struct {
        DatasetRoles roles;
        const char *want;
    } cases[] = {
        {{.target = STR("incme")},
         "the target: no column 'incme' (did you mean 'income'?); the columns are 'age', 'city', 'grade', "
         "'income'"},
        {{.target = STR("7")}, "the target: no column 7: there are 4, numbered from 0 to 3"},
        {{.target = STR("city")},
         "the target 'city': row 3: it is missing; fill the target in, or leave these rows out"},
        {{.target = STR("age"), .weight = STR("age")},
         "column 'age' has two roles, one of them weight"},
        {{.target = STR("income"), .weight = STR("city")},
         "the weights in column 'city' must be numbers, but it holds category"},
        {{.target = STR("income"), .group = STR("grade")},
         "row 3: its group began at row 1 and other groups lie between; rows of a group must be adjacent: "
         "sort the data by group"},
        {{.target = STR("income"), .ignored = no_city, .n_ignored = 1},
         "columns to leave out: no column 'cty' (did you mean 'city'?); the columns are 'age', 'city', "
         "'grade', 'income'"},
        {{.label_size = 5}, "label_size is 5, but the data has 4 columns"},
        {{.label_size = 4}, "label column 'city' is category; several labels must be numbers"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        AUTO(frame_free) Frame *frame = people();
        AUTO(dataset_free) Dataset *dataset = NULL;
        if (i == 8) frame->columns[0].f32[1] = 1;
        CHECK(!dataset_from_frame(frame, &cases[i].roles, &dataset, &err));
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
}

TEST(dataset, refusals_of_data_that_does_not_fit_the_model)
{
    Feature features[] = {{.name = STR("age")}, {.name = STR("Grade")}, {.name = STR("country")}};
    Schema schema = {.features = features, .n_features = 3, .target = STR("income")};
    AUTO(frame_free) Frame *frame = people();
    AUTO(dataset_free) Dataset *dataset = NULL;
    Error err = {0};
    DatasetRoles roles = {.no_target = true, .schema = &schema};
    CHECK(!dataset_from_frame(frame, &roles, &dataset, &err));
    CHECK_STR(str_of(err.text),
              STR("the model needs 2 columns that the data does not have: 'Grade' (there is "
                  "'grade'); 'country'"));

    features[1].name = STR("city");
    schema.n_features = 2;
    AUTO(frame_free) Frame *again = people();
    CHECK(!dataset_from_frame(again, &roles, &dataset, &err));
    CHECK_STR(str_of(err.text), STR("row 1: column 'city' is 'Rome', and the model's is a number"));

    Str classes[] = {STR("9"), STR("10")};
    schema = (Schema){.features = features,
                      .n_features = 1,
                      .target = STR("grade"),
                      .classes = classes,
                      .n_classes = 2};
    AUTO(frame_free) Frame *third = people();
    CHECK(!dataset_from_frame(third, &(DatasetRoles){.schema = &schema}, &dataset, &err));
    CHECK_STR(str_of(err.text), STR("the target 'grade': row 4: '2' is no class of the model"));

    AUTO(frame_free) Frame *fourth = people();
    CHECK(!dataset_from_frame(fourth, &(DatasetRoles){.schema = &schema, .target = STR("age")},
                              &dataset, &err));
    CHECK_STR(str_of(err.text),
              STR("the target 'age': row 1: 30 is no class of the model; row 3: 50 is no class "
                  "of the model; row 4: 60 is no class of the model"));
}

TEST(problems, five_are_shown_and_all_counted)
{
    Problems problems = {0}, later = {0};
    Error err = {0};
    for (int i = 1; i <= 3; i++) problems_add(&problems, "row %d", i);
    for (int i = 4; i <= 9; i++) problems_add(&later, "row %d", i);
    problems_join(&problems, &later);
    CHECK(!problems_error(&problems, &err));
    CHECK_STR(str_of(err.text), STR("row 1; row 2; row 3; row 4; row 5; and 4 more such places"));
}

TEST(frame, values_as_text)
{
    ARENA(scratch);
    int64_t times[] = {0, 1359608767000000, -500000, 1359608767120000};
    Column column = {.type = COLUMN_TIME, .n_rows = 4, .time_us = times};
    CHECK_STR(column_text(&column, 0, &scratch), STR("1970-01-01"));
    CHECK_STR(column_text(&column, 1, &scratch), STR("2013-01-31T05:06:07"));
    CHECK_STR(column_text(&column, 2, &scratch), STR("1969-12-31T23:59:59.5"));
    CHECK_STR(column_text(&column, 3, &scratch), STR("2013-01-31T05:06:07.12"));
    float numbers[] = {0.1f, NAN};
    column = (Column){.type = COLUMN_NUMBER, .n_rows = 2, .f32 = numbers};
    CHECK_STR(column_text(&column, 0, &scratch), STR("0.1"));
    CHECK_STR(column_text(&column, 1, &scratch), STR(""));
}
