#include "prepare/recipe.h"

#include "base/file.h"
#include "base/test.h"
#include "data/read.h"
#include "data/write.h"
#include "format/json.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>

static void clear_recipe(Recipe *recipe)
{
    recipe_clear(recipe);
}
#define RECIPE(name) __attribute__((cleanup(clear_recipe))) Recipe name = {0}

static Frame *read_path(const char *path)
{
    Error err = {0};
    Frame *frame = NULL;
    ReadReport report;
    ReadOptions options = {.f64 = true, .header = HEADER_YES};
    CHECK_OK(frame_read(path, &options, NULL, &frame, &report, &err), err);
    return frame;
}

static Frame *read_text(Str text)
{
    ARENA(arena);
    Error err = {0};
    const char *path = arena_format(&arena, "%s/table.csv", test_folder()).ptr;
    CHECK_OK(file_commit(path, text, &err), err);
    return read_path(path);
}

static void must_parse(Recipe *recipe, Str text)
{
    Error err = {0};
    CHECK_OK(recipe_parse(recipe, "test", text, &err), err);
}

/* The table as CSV. */
static Str text_of(const Frame *frame, Arena *arena)
{
    Error err = {0};
    Str text;
    const char *path = arena_format(arena, "%s/out.csv", test_folder()).ptr;
    int fd = open(path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_OK(frame_write(frame, &(WriteOptions){0}, fd, path, &err), err);
    close(fd);
    CHECK_OK(file_read(path, 1 << 24, arena, &text, &err), err);
    return text;
}

static Str prepared(Str table, Str recipe_text, Arena *arena)
{
    Error err = {0};
    RECIPE(recipe);
    AUTO(frame_free) Frame *frame = read_text(table);
    AUTO(frame_free) Frame *held = NULL;
    must_parse(&recipe, recipe_text);
    CHECK_OK(recipe_fit(&recipe, frame, &held, &err), err);
    return text_of(frame, arena);
}

/* ---- golden tables ---- */

static Str part(Str *rest)
{
    Str all = *rest, line;
    const char *end = NULL;
    while (str_next_line(rest, &line) && !str_is(line, "---")) end = line.ptr + line.len + 1;
    return (Str){all.ptr, end ? (size_t)(end - all.ptr) : 0};
}

static void check_table(const char *file, const char *which, Frame *got, Str want, double tolerance)
{
    ARENA(arena);
    Str line, field;
    CHECK(str_next_line(&want, &line));
    for (int32_t j = 0; str_next(&line, ',', &field); j++)
        if (j >= got->n_columns || !str_eq(field, got->columns[j].name))
            FAIL("%s, %s: no column %d '%.*s'", file, which, j, STR_ARG(field));
    int64_t row = 0;
    for (; str_next_line(&want, &line); row++) {
        if (row >= got->n_rows) FAIL("%s, %s: only %lld rows", file, which, (long long)got->n_rows);
        for (int32_t j = 0; j < got->n_columns; j++) {
            const Column *c = &got->columns[j];
            double x, y;
            CHECK(str_next(&line, ',', &field));
            if (str_eq(field, STR("\"\""))) field = STR("");
            Str value = column_text(c, row, &arena);
            if (str_to_double(field, &x) && str_to_double(value, &y) ? !test_near(y, x, tolerance)
                                                                     : !str_eq(field, value))
                FAIL("%s, %s: row %lld, '%.*s': '%.*s', not '%.*s'", file, which,
                     (long long)row + 1, STR_ARG(c->name), STR_ARG(value), STR_ARG(field));
        }
    }
    if (row != got->n_rows)
        FAIL("%s, %s: %lld rows, not %lld", file, which, (long long)got->n_rows, (long long)row);
}

/* 1e-9: sums in another order; two of the power transforms' optimizers stop within 1e-8 of each other, so that values agree to 1e-5. */
static double tolerance_of(Str file)
{
    return str_starts(file, STR("power")) ? 1e-5 : 1e-9;
}

TEST(prepare, equals_scikit_learn_and_pandas)
{
    ARENA(arena);
    Error err = {0};
    Str *names;
    size_t n;
    const char *folder = test_path("tests/golden/prepare");
    int cases = 0;
    CHECK_OK(folder_list(folder, 0, false, 1000, &arena, &names, &n, &err), err);
    for (size_t k = 0; k < n; k++) {
        if (!str_ends(names[k], STR(".txt"))) continue;
        Str text;
        const char *file = arena_cstr(&arena, names[k]);
        CHECK_OK(file_read(path_join(&arena, folder, file), 1 << 20, &arena, &text, &err), err);
        Str steps = part(&text), want_train = part(&text), want_other = part(&text);
        RECIPE(recipe);
        RECIPE(again);
        AUTO(frame_free) Frame *train = read_path(path_join(&arena, folder, "train.csv"));
        AUTO(frame_free) Frame *other = read_path(path_join(&arena, folder, "other.csv"));
        AUTO(frame_free) Frame *held = NULL;
        must_parse(&recipe, steps);
        if (!recipe_fit(&recipe, train, &held, &err)) FAIL("%s: %s", file, err.text);
        check_table(file, "training table", train, want_train, tolerance_of(names[k]));
        /* the other one goes through the saved document */
        AUTO_STRBUF StrBuf document = STRBUF(1 << 24);
        recipe_document(&recipe, &document);
        CHECK_OK(recipe_from_document(&again, strbuf_str(&document), &err), err);
        if (!recipe_apply(&again, other, &err)) FAIL("%s: %s", file, err.text);
        check_table(file, "other table", other, want_other, tolerance_of(names[k]));
        cases++;
    }
    CHECK(cases > 30);
}

/* ---- the grammar ---- */

TEST(prepare, refusals_name_line_and_way_out)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"# nothing\n\nfil age with mean", "r line 3: unknown step 'fil' (did you mean 'fill'?)"},
        {"fill age waith mean", "step 'fill' has no word 'waith' (did you mean 'with'?)"},
        {"fill age with meen", "'with' is 'meen' (did you mean 'mean'?)"},
        {"fill with mean", "step 'fill' needs columns"},
        {"fill age with", "after 'with': a value is missing at the end"},
        {"fill age, with mean, 3", "step 'fill' has no word 'mean'"},
        {"fill age", "step 'fill' needs 'with' or 'value'"},
        {"fill \xff with mean", "byte 6 is not UTF-8"},
        {"fill 'age", "a quote ' is not closed"},
        {"scale x low 2", "'low' must be below 'high'"},
        {"scale x low two", "'low' is 'two', which is no number"},
        {"rename a, b to c", "step 'rename' takes one column"},
        {"rename a", "step 'rename' needs 'to'"},
        {"filter a", "step 'filter' needs one comparison"},
        {"filter a < 3 > 1", "step 'filter' needs one comparison"},
        {"hash a n 0", "'n' is 0, outside of 1 to 65536"},
        {"cyclical d parts year", "'parts' has 'year', but must be of quarter"},
        {"date-parts d parts hour, day, hour", "'parts' has 'hour' twice"},
        {"bin a edges 3, 2", "'edges' has '2': they must be rising numbers"},
        {"split share 0.2 group a time b", "takes one of 'stratify', 'group' and 'time'"},
        {"target-encode a smooth much", "'smooth' is 'much', but must be auto or a number from 0"},
        {"smote y", "step 'smote' is not built yet"},
    };
    for (size_t k = 0; k < COUNT(cases); k++) {
        RECIPE(recipe);
        Error err = {0};
        CHECK(!recipe_parse(&recipe, "r", str_of(cases[k].text), &err));
        if (!str_has(str_of(err.text), str_of(cases[k].want)))
            FAIL("'%s': %s", cases[k].text, err.text);
    }
}

TEST(prepare, refusals_name_column_row_and_value)
{
    static const struct {
        const char *recipe, *want;
    } cases[] = {
        {"fill ag with mean", "step 1 ('fill ag with mean'): no column 'ag' (did you mean 'age'?)"},
        {"fill city with mean", "column 'city' holds words; 'fill city with mean' takes numbers"},
        {"cast none to number\nfill none with mean", "column 'none' has no value in any row"},
        {"log1p age\nlog1p low", "column 'low' row 2: -3 has no logarithm of 1 + x"},
        {"cast city to number", "column 'city' row 1: 'Oslo' is no number"},
        {"ordinal city order Oslo", "column 'city' row 2: 'Rome' is not in the training table"},
        {"rename age to city", "there is a column 'city' already"},
        {"drop age, age", "column 'age' is named twice"},
        {"filter age > 100\ndrop age", "no row is left before step 2"},
        {"one-hot gap", "column 'gap' has the word 'missing' and rows without a value"},
        {"box-cox low", "column 'low' row 2: -3 is not above 0, as box-cox needs"},
        {"woe city", "it needs the target"},
        {"pca age, part", "column 'part' row 3 has no value: fill it first"},
        {"pca age, low n 3", "3 components of 2 columns and 3 rows"},
        {"filter age > old", "'old' is no number, as column 'age' holds"},
    };
    for (size_t k = 0; k < COUNT(cases); k++) {
        RECIPE(recipe);
        Error err = {0};
        AUTO(frame_free) Frame *held = NULL;
        AUTO(frame_free)
        Frame *frame = read_text(
            STR("age,low,city,none,gap,part\n1,2,Oslo,,missing,1\n2,-3,Rome,,,2\n3,1,Oslo,,x,\n"));
        must_parse(&recipe, str_of(cases[k].recipe));
        CHECK(!recipe_fit(&recipe, frame, &held, &err));
        if (!str_has(str_of(err.text), str_of(cases[k].want)))
            FAIL("'%s': %s", cases[k].recipe, err.text);
    }
}

TEST(prepare, names_in_quotes_and_aliases)
{
    ARENA(arena);
    static const struct {
        const char *table, *recipe, *want;
    } cases[] = {
        {"a b,with\n1,\n2,4\n", "fill 'with' with mean # why\nrename 'a b' to \"it's, so\"\n",
         "\"it's, so\",with\n1,4\n2,4\n"},
        {"x,y\n1,\n2,4\n", "FILL_WITH_AVERAGE sourceColumn y\nDELETE x", "y\n4\n4\n"},
        {"x,y\n1,\n3,4\n", "Min_Max x", "x,y\n0,\n1,4\n"},
        {"x,y,z\n1,2,3\n3,4,5\n", "target y\nmin-max * except z", "x,y,z\n0,2,3\n1,4,5\n"},
        {"x,y\n3,b\n1,a\n", "select y, x\nfilter y=b", "y,x\nb,3\n"},
        {"x,y\n3,b\n,a\n", "filter x is missing", "x,y\n,a\n"},
    };
    for (size_t k = 0; k < COUNT(cases); k++)
        CHECK_STR(prepared(str_of(cases[k].table), str_of(cases[k].recipe), &arena),
                  str_of(cases[k].want));
}

TEST(prepare, documents_of_others_are_refused)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"[]", "it is no fitted recipe"},
        {"{\"format\": \"clary recipe\", \"version\": 9}", "its version is 9"},
        {"{\"format\": \"clary recipe\", \"version\": 1, \"columns\": []}", "member 'steps'"},
        {"{\"format\": \"clary recipe\", \"version\": 1, \"columns\": [], \"steps\": [{\"step\": \"fly\", "
         "\"columns\": [], \"learned\": {}}]}",
         "step 1: unknown step 'fly'"},
        {"{\"format\": \"clary recipe\", \"version\": 1, \"columns\": [], \"steps\": [{\"step\": \"drop a\", "
         "\"columns\": [], \"learned\": {}}]}",
         "step 1: it has no columns"},
        {"{\"format\": \"clary recipe\", \"version\": 1, \"columns\": [], \"steps\": [{\"step\": \"select a\", "
         "\"columns\": [\"a\", \"a\"], \"learned\": {}}]}",
         "step 1: column 'a' is named twice"},
    };
    for (size_t k = 0; k < COUNT(cases); k++) {
        RECIPE(recipe);
        Error err = {0};
        CHECK(!recipe_from_document(&recipe, str_of(cases[k].text), &err));
        if (!str_has(str_of(err.text), str_of(cases[k].want)))
            FAIL("'%s': %s", cases[k].text, err.text);
    }
    RECIPE(recipe);
    Error err = {0};
    AUTO(frame_free) Frame *frame = read_text(STR("x\n1\n"));
    CHECK_OK(
        recipe_from_document(&recipe,
                             STR("{\"format\": \"clary recipe\", \"version\": 1, \"columns\": [], "
                                 "\"steps\": [{\"step\": \"standardize x\", \"columns\": [\"x\"], "
                                 "\"learned\": {}}]}"),
                             &err),
        err);
    CHECK(!recipe_apply(&recipe, frame, &err));
    CHECK(str_has(str_of(err.text), STR("no number 'center' of column 'x'")));
}

/* ---- what golden tables cannot show ---- */

static void split_table(Str table, Str steps, Frame **ret_train, Frame **ret_held)
{
    Error err = {0};
    RECIPE(recipe);
    must_parse(&recipe, steps);
    *ret_train = read_text(table);
    CHECK_OK(recipe_fit(&recipe, *ret_train, ret_held, &err), err);
    CHECK(*ret_held);
}

TEST(prepare, split_keeps_shares_groups_and_time)
{
    AUTO_STRBUF StrBuf table = STRBUF(1 << 16);
    strbuf_add(&table, STR("id,class,group,time\n"));
    for (int i = 0; i < 200; i++)
        strbuf_addf(&table, "%d,%s,g%d,%d\n", i, i % 10 ? "no" : "yes", i % 20, (i * 77) % 200);
    static const struct {
        const char *step;
        int64_t held, yes;
    } cases[] = {
        {"split share 0.25", 50, -1},
        {"split share 0.25 stratify class seed 4", 50, 5},
        {"split share 0.25 group group", 50, -1},
        {"split share 0.25 time time", 50, -1},
    };
    for (size_t k = 0; k < COUNT(cases); k++) {
        ARENA(arena);
        AUTO(frame_free) Frame *train = NULL;
        AUTO(frame_free) Frame *held = NULL;
        AUTO(frame_free) Frame *train2 = NULL;
        AUTO(frame_free) Frame *held2 = NULL;
        Str step = arena_format(&arena, "%s\nscale time with min-max", cases[k].step);
        split_table(strbuf_str(&table), step, &train, &held);
        split_table(strbuf_str(&table), step, &train2, &held2);
        CHECK_STR(text_of(held2, &arena), text_of(held, &arena)); /* the same draw */
        CHECK_INT(held->n_rows, cases[k].held);
        CHECK_INT(train->n_rows, 200 - cases[k].held);
        bool seen[200] = {0}, group_in_train[20] = {0};
        int64_t yes = 0;
        double latest = -INFINITY;
        for (int64_t i = 0; i < train->n_rows; i++) {
            int id = (int)train->columns[0].f64[i];
            seen[id] = group_in_train[id % 20] = true;
            latest = fmax(latest, train->columns[3].f64[i]);
        }
        CHECK_NEAR(latest, 1, 0); /* learned from what stayed */
        for (int64_t i = 0; i < held->n_rows; i++) {
            int id = (int)held->columns[0].f64[i];
            CHECK(!seen[id]);
            yes += id % 10 == 0;
            if (k == 2) CHECK(!group_in_train[id % 20]);
            if (k == 3) CHECK(held->columns[3].f64[i] > 1);
        }
        if (cases[k].yes >= 0) CHECK_INT(yes, cases[k].yes);
    }
}

/* With a word a row, a training row must never get its own target back. */
TEST(prepare, target_encoding_does_not_leak)
{
    ARENA(arena);
    CHECK_STR(prepared(STR("w,y\na,1\nb,2\nc,3\nd,6\n"),
                       STR("target y\ntarget-encode w folds 4 shuffle no smooth 0"), &arena),
              STR("w,y\n3.6666666666666665,1\n3.3333333333333335,2\n3,3\n2,6\n"));
    CHECK_STR(prepared(STR("w,y\na,1\na,2\nb,3\n"), STR("leave-one-out w target y"), &arena),
              STR("w,y\n2,1\n1,2\n2,3\n"));
}

TEST(prepare, two_classes_and_more)
{
    ARENA(arena);
    Error err = {0};
    RECIPE(recipe);
    AUTO(frame_free) Frame *held = NULL;
    AUTO(frame_free) Frame *frame = read_text(STR("w,y\na,u\nb,v\na,w\n"));
    must_parse(&recipe, STR("woe w target y"));
    CHECK(!recipe_fit(&recipe, frame, &held, &err));
    CHECK(str_has(str_of(err.text), STR("the target 'y' has 3 classes: say 'positive CLASS'")));
    CHECK_STR(prepared(STR("w,y\na,no\na,yes\nb,yes\n"),
                       STR("leave-one-out w target y positive no"), &arena),
              STR("w,y\n0,no\n1,yes\n0.3333333333333333,yes\n"));
}

TEST(prepare, balance_evens_classes_out)
{
    ARENA(arena);
    static const char table[] =
        "x,c,d,y\n1,a,2024-01-01,no\n2,b,,no\n3,a,2024-01-03,no\n4,,2024-01-04,yes\n";
    CHECK_STR(prepared(str_of(table), STR("balance y by over"), &arena),
              STR("x,c,d,y\n1,a,2024-01-01,no\n2,b,,no\n3,a,2024-01-03,no\n4,,2024-01-04,yes\n"
                  "4,,2024-01-04,yes\n4,,2024-01-04,yes\n"));
    Str under = prepared(str_of(table), STR("balance y by under seed 3\nselect y"), &arena);
    CHECK_STR(under, STR("y\nno\nyes\n"));
    CHECK_STR(prepared(str_of(table), STR("balance y\nselect weight"), &arena),
              STR("weight\n0.6666666666666666\n0.6666666666666666\n0.6666666666666666\n2\n"));
}
