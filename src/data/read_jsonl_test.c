#include "base/file.h"
#include "base/strbuf.h"
#include "base/test.h"
#include "data/readers.h"

#include <math.h>
#include <stdio.h>

static bool read_text(Str text, size_t block, ReadOptions options, Frame **ret_frame,
                      ReadReport *report, Error *err)
{
    AUTO(source_close) Source *source = NULL;
    SourceOptions how = {.block_bytes = block, .never_map = block != 0};
    return source_open_bytes(text, "t", &how, &source, err) &&
           frame_read_jsonl(source, &options, NULL, ret_frame, report, err);
}

/* A frame as lines of text: names and types, then the values of each row. */
static Str show(const Frame *frame, StrBuf *out)
{
    out->len = 0;
    for (int32_t j = 0; j < frame->n_columns; j++)
        strbuf_addf(out, "%s%.*s:%s", j ? "," : "", STR_ARG(frame->columns[j].name),
                    column_type_name(frame->columns[j].type));
    for (int64_t i = 0; i < frame->n_rows; i++) {
        ARENA(scratch);
        for (int32_t j = 0; j < frame->n_columns; j++) {
            strbuf_add_char(out, j ? ',' : '\n');
            strbuf_add(out, column_text(&frame->columns[j], i, &scratch));
        }
    }
    return strbuf_str(out);
}

TEST(jsonl, rows_become_typed_columns)
{
    const struct {
        const char *text, *want;
    } cases[] = {
        {"{\"a\":1,\"b\":\"x\",\"c\":true}\n{\"b\":null,\"c\":false,\"a\":2.5}\n\n{\"d\":7,\"a\":1e3}\n",
         "a:number,b:category,c:bool,d:number\n1,x,true,\n2.5,,false,\n1000,,,7"},
        {"[1,2]\r\n[3,null]\r\n", "f0:number,f1:number\n1,2\n3,"},
        {"[{\"a\":1},\n {\"a\":\"x\"}]\n", "a:category\n1\nx"},
        {"[[1,true],[2,5]]", "f0:number,f1:number\n1,1\n2,5"},
        {"[]", ""},
        {"{\"label\":1,\"features\":[0.5,2]}\n{\"label\":0,\"features\":[1,-1]}",
         "label:number,f0:number,f1:number\n1,0.5,2\n0,1,-1"},
        {"{\"v\":[1]}\n{\"v\":[2,3]}", "v_0:number,v_1:number\n1,\n2,3"},
        {"{\"a\":\"z\",\"a\":\"x\"}\n{\"a\":\"y\",\"a\":null}\n{\"a\":false}",
         "a:category\nx\n\nfalse"},
        {"{\"\\u00e4\\n\":\"\\ud83d\\ude00\"}", "\xc3\xa4\n:category\n\xf0\x9f\x98\x80"},
        {"{\"a\":NaN}\n{\"a\":0.1}", "a:number\n\n0.1"},
        {"{\"a\":null}", "a:number\n"},
        {"{\"a\":\"2020-02-29\"}\n{\"b\":1}\n{\"a\":\"2020-02-29T12:30:00+02:00\"}",
         "a:time,b:number\n2020-02-29,\n,1\n2020-02-29T10:30:00,"},
        {"{\"a\":\"2020-02-29\"}\n{\"a\":\"2020-02-30\"}", "a:category\n2020-02-29\n2020-02-30"},
    };
    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    for (size_t i = 0; i < COUNT(cases); i++)
        for (size_t block = 0; block < 40; block++) {
            Error err = {0};
            ReadReport report = {0};
            AUTO(frame_free) Frame *frame = NULL;
            CHECK_OK(
                read_text(str_of(cases[i].text), block, (ReadOptions){0}, &frame, &report, &err),
                err);
            if (i == 6) CHECK_INT(frame->columns[1].n_missing, 1);
            CHECK_STR(show(frame, &out), str_of(cases[i].want));
        }
}

TEST(jsonl, kinds_can_be_asked_for)
{
    static const Str a[] = {STR_INIT("a")};
    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    Error err = {0};
    ReadReport report = {0};
    AUTO(frame_free) Frame *frame = NULL;
    Str text = STR("{\"a\":1}\n{\"a\":\" 2.5\"}\n{\"a\":\"\"}");
    CHECK_OK(read_text(text, 0, (ReadOptions){.numbers = a, .n_numbers = 1}, &frame, &report, &err),
             err);
    CHECK_STR(show(frame, &out), STR("a:number\n1\n2.5\n"));
    frame_free(STEAL(frame));
    text = STR("{\"a\":1}\n{\"a\":2}");
    CHECK_OK(read_text(text, 0, (ReadOptions){.categories = a, .n_categories = 1}, &frame, &report,
                       &err),
             err);
    CHECK_STR(show(frame, &out), STR("a:category\n1\n2"));
    frame_free(STEAL(frame));
    CHECK_OK(read_text(STR("{\"a\":0.1}"), 0, (ReadOptions){.f64 = true}, &frame, &report, &err),
             err);
    CHECK(frame->columns[0].f64[0] == 0.1);
}

TEST(jsonl, refusals_name_the_line)
{
    static const Str a[] = {STR_INIT("a")};
    const struct {
        const char *text, *want;
        ReadOptions options;
    } cases[] = {
        {"{\"a\":1}\n{\"a\":{\"b\":1}}\n",
         "line 2 of 't': member 'a' is an object; only numbers, texts and arrays of numbers can be read",
         {0}},
        {"{\"a\":[[1]]}", "line 1 of 't': member 'a_0' is an array within an array", {0}},
        {"3\n", "line 1 of 't': a row must be an object {...} or an array [...]", {0}},
        {"[1,2]\n[1,2,3]\n[1]\n",
         "line 2 of 't': 3 values, the first row has 2; line 3 of 't': 1 values, the first row "
         "has 2",
         {0}},
        {"{\"a\":1} {\"a\":2}\n", "line 1 of 't': something follows the row on its line", {0}},
        {"{\"a\":\"x\"}",
         "line 1 of 't': member 'a' is a text, and only numbers are read here",
         {.numeric = true}},
        {"{\"a\":\"x\"}", "column 'a': row 1: 'x' is no number", {.numbers = a, .n_numbers = 1}},
        {"[{\"a\":1}] 7", "reading 't': something follows the array", {0}},
        {"[{\"a\":1},{\"a\":{}}]",
         "row 2 of 't': member 'a' is an object; only numbers, texts and arrays of numbers can be read",
         {0}},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        Error err = {0};
        ReadReport report = {0};
        AUTO(frame_free) Frame *frame = NULL;
        CHECK(!read_text(str_of(cases[i].text), 0, cases[i].options, &frame, &report, &err));
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
    /* what the JSON reader says is its own matter; the place is ours */
    const char *broken[] = {"{\"a\":1}\n{\"a\":\n", "{\"a\":1}\n{'a':1}",
                            "[{\"a\":1},\n{\"a\":tru}]"};
    for (size_t i = 0; i < COUNT(broken); i++) {
        Error err = {0};
        ReadReport report = {0};
        AUTO(frame_free) Frame *frame = NULL;
        CHECK(!read_text(str_of(broken[i]), 0, (ReadOptions){0}, &frame, &report, &err));
        CHECK(str_has(str_of(err.text), i == 2 ? STR("row 2") : STR("line 2 of 't': ")));
    }
}

TEST(jsonl, bad_rows_are_dropped_and_leave_nothing)
{
    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    Error err = {0};
    ReadReport report = {0};
    AUTO(frame_free) Frame *frame = NULL;
    Str text = STR("{\"a\":1,\"b\":2}\n{\"a\":5,\"c\":{}}\n{\"b\":4}\n{\"a\":\n");
    CHECK_OK(read_text(text, 0, (ReadOptions){.skip_bad_rows = true}, &frame, &report, &err), err);
    CHECK_STR(show(frame, &out), STR("a:number,b:number,c:number\n1,2,\n,4,"));
    CHECK_INT(report.n_skipped, 2);
    CHECK(str_starts(str_of(report.first_skipped), STR("line 2 of 't': member 'c' is an object")));
    frame_free(STEAL(frame));
    text = STR("[{\"a\":1,\"b\":2},{\"a\":[{\"x\":[1]}],\"b\":9},{\"b\":4}]");
    CHECK_OK(read_text(text, 0, (ReadOptions){.skip_bad_rows = true}, &frame, &report, &err), err);
    CHECK_INT(frame->n_rows, 2);
    CHECK_NEAR(frame->columns[1].f32[1], 4, 0);
}

TEST(jsonl, sums_of_real_data_are_those_of_pandas)
{
    ARENA(scratch);
    Error err = {0};
    Str text, line;
    CHECK_OK(file_read(test_path("tests/golden/read/json.txt"), 1 << 20, &scratch, &text, &err),
             err);
    AUTO(frame_free) Frame *frame = NULL;
    while (str_next_line(&text, &line)) {
        char word[200], kind[20];
        long long missing, columns;
        double sum;
        const char *cline = arena_cstr(&scratch, line);
        if (sscanf(cline, "file %199s %lld %lld", word, &missing, &columns) == 3) {
            frame_free(STEAL(frame));
            CHECK_OK(frame_read(test_data(word), &(ReadOptions){0}, NULL, &frame, NULL, &err), err);
            CHECK_INT(frame->n_rows, missing);
            CHECK_INT(frame->n_columns, columns);
            continue;
        }
        CHECK(sscanf(cline, "%199s %19s %lld %lf", word, kind, &missing, &sum) == 4);
        for (char *c = word; *c; c++)
            if (*c == '~') *c = ' ';
        const Column *column = frame_column(frame, str_of(word));
        CHECK(column);
        CHECK_INT(column->n_missing, missing);
        CHECK((column->type == COLUMN_NUMBER) == !strcmp(kind, "number"));
        double total = 0;
        for (int64_t i = 0; i < frame->n_rows; i++) {
            ARENA(row);
            if (column->f32)
                total += isnan(column->f32[i]) ? 0 : (double)column->f32[i];
            else
                total += (double)column_text(column, i, &row).len;
        }
        CHECK_NEAR(total, sum, 1e-12);
    }
}
