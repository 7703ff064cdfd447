#include "base/file.h"
#include "base/strbuf.h"
#include "base/test.h"
#include "data/duckdb_api.h"
#include "data/readers.h"

#include <math.h>
#include <stdlib.h>
#include <sys/stat.h>

static void need_library(void)
{
    const DuckApi *api;
    Error err = {0};
    if (!duckdb_api(&api, &err)) SKIP("%s", err.text);
}

static Str show(const Frame *frame, StrBuf *out)
{
    out->len = 0;
    for (int32_t j = 0; j < frame->n_columns; j++)
        strbuf_addf(out, "%s%.*s:%s:%lld", j ? "," : "", STR_ARG(frame->columns[j].name),
                    column_type_name(frame->columns[j].type),
                    (long long)frame->columns[j].n_missing);
    for (int64_t i = 0; i < frame->n_rows; i++) {
        ARENA(scratch);
        for (int32_t j = 0; j < frame->n_columns; j++) {
            strbuf_add_char(out, j ? ',' : '\n');
            strbuf_add(out, column_text(&frame->columns[j], i, &scratch));
        }
    }
    return strbuf_str(out);
}

TEST(parquet, a_column_of_each_kind)
{
    need_library();
    AUTO_STRBUF StrBuf out = STRBUF(1 << 20);
    Error err = {0};
    AUTO(frame_free) Frame *frame = NULL;
    const char *path = test_path("tests/golden/read/mixed.parquet");
    ReadReport report;
    CHECK_OK(frame_read(path, &(ReadOptions){.f64 = true}, NULL, &frame, &report, &err), err);
    CHECK_INT(report.format, DATA_PARQUET);
    CHECK_STR(
        show(frame, &out),
        STR("int:number:1,small:number:1,float:number:2,double:number:1,dec:number:1,bool:bool:1,text \"q\":"
            "category:1,cat:category:1,date:time:1,time_ms:time:2,time_tz:time:2,none:number:4\n"
            "1,255,0.10000000149011612,0.1,12.34,true,a,x,2020-02-29,2020-02-29T12:30:00.005,"
            "2020-02-29T12:00:00,\n"
            ",0,,2.5,,false,longer than twelve bytes,y,,,,\n"
            "-3,7,,,-0.01,,,x,1969-12-31,,,\n"
            "16777217,,1.0000000150474662e+30,-1e+300,0,true,,,1970-01-01,1970-01-01,1970-01-01,"));
    frame_free(STEAL(frame));
    CHECK_OK(frame_read(path, &(ReadOptions){.rows_max = 1}, NULL, &frame, &report, &err), err);
    CHECK_INT(frame->n_rows, 1);
    CHECK_NEAR(frame_column(frame, STR("float"))->f32[0], 0.1f, 0);
}

TEST(parquet, folders_and_names_with_pattern_signs)
{
    need_library();
    ARENA(scratch);
    Error err = {0};
    Str bytes;
    CHECK_OK(
        file_read(test_path("tests/golden/read/mixed.parquet"), 1 << 20, &scratch, &bytes, &err),
        err);
    const char *folder = test_folder();
    CHECK_OK(file_commit(path_join(&scratch, folder, "a[1]'*?.parquet"), bytes, &err), err);
    CHECK_OK(file_commit(path_join(&scratch, folder, "b.parquet"), bytes, &err), err);
    AUTO(frame_free) Frame *frame = NULL;
    CHECK_OK(frame_read(folder, &(ReadOptions){0}, NULL, &frame, NULL, &err), err);
    CHECK_INT(frame->n_rows, 8);
    CHECK_NEAR(frame->columns[0].f32[6], -3, 0);
}

TEST(parquet, refusals)
{
    need_library();
    ARENA(scratch);
    static const Str texts[] = {STR_INIT("cat")};
    Error err = {0};
    AUTO(frame_free) Frame *frame = NULL;
    const char *path = test_path("tests/golden/read/nested.parquet");
    CHECK(!frame_read(path, &(ReadOptions){0}, NULL, &frame, NULL, &err));
    CHECK(
        str_ends(str_of(err.text),
                 STR("nested.parquet': column 'tags' holds lists, structures, bytes or durations; "
                     "only numbers, texts, bools and times can be read")));
    path = test_path("tests/golden/read/mixed.parquet");
    CHECK(!frame_read(path, &(ReadOptions){.numbers = texts, .n_numbers = 1}, NULL, &frame, NULL,
                      &err));
    CHECK(str_has(str_of(err.text), STR("'x'")));

    const char *broken = path_join(&scratch, test_folder(), "x.parquet");
    CHECK_OK(file_commit(broken, STR("PAR1 and no footer"), &err), err);
    CHECK(!frame_read(broken, &(ReadOptions){0}, NULL, &frame, NULL, &err));
    CHECK(str_starts(str_of(err.text), STR("reading '/tmp/")));
}

TEST(parquet, without_the_library_one_sentence_says_what_to_do)
{
    setenv("CLARY_DUCKDB", "/nowhere/libduckdb.so", 1);
    Error err = {0};
    AUTO(frame_free) Frame *frame = NULL;
    const char *path = test_path("tests/golden/read/mixed.parquet");
    CHECK(!frame_read(path, &(ReadOptions){0}, NULL, &frame, NULL, &err));
    CHECK_STR(str_of(err.text),
              STR("CLARY_DUCKDB names '/nowhere/libduckdb.so', which is not there"));
}
