#include "data/read_csv.h"

#include "base/file.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool read_text(Str text, const ReadOptions *options, int threads, bool blocks,
                      Frame **ret_frame, ReadReport *report, Error *err)
{
    AUTO(source_close) Source *source = NULL;
    AUTO(pool_free) Pool *pool = threads > 1 ? pool_new(threads) : NULL;
    SourceOptions how = {.never_map = blocks, .block_bytes = blocks ? 100 : 0};
    if (!source_open_bytes(text, "t.csv", &how, &source, err)) return false;
    return frame_read_csv(source, options, pool, ret_frame, report, err);
}

static Frame *must_read(Str text, const ReadOptions *options)
{
    Frame *frame = NULL;
    ReadReport report = {0};
    Error err;
    CHECK_OK(read_text(text, options, 1, false, &frame, &report, &err), err);
    return frame;
}

/* "name:type|value,value|..." of a whole frame. */
static Str describe(const Frame *frame, Arena *arena)
{
    AUTO_STRBUF StrBuf out = STRBUF(1 << 24);
    for (int32_t j = 0; j < frame->n_columns; j++) {
        const Column *column = &frame->columns[j];
        CHECK_INT(column->n_rows, frame->n_rows);
        strbuf_addf(&out, "%s%.*s:%c", j ? " " : "", STR_ARG(column->name),
                    column_type_name(column->type)[0]);
        int64_t missing = 0;
        for (int64_t i = 0; i < frame->n_rows; i++) {
            bool valid = column_is_valid(column, i);
            missing += !valid;
            strbuf_addf(&out, "|%.*s", valid ? (int)column_text(column, i, arena).len : 1,
                        valid ? column_text(column, i, arena).ptr : "-");
            if (!valid && column->f32) CHECK(isnan(column->f32[i]));
            if (!valid && column->codes) CHECK(column->codes[i] == -1);
        }
        CHECK_INT(column->n_missing, missing);
    }
    CHECK(!out.overflow);
    return arena_str(arena, strbuf_str(&out));
}

typedef struct Case {
    const char *text, *want;
} Case;

static void check_cases(const Case *cases, size_t n, const ReadOptions *options)
{
    ARENA(arena);
    for (size_t i = 0; i < n; i++) {
        for (int how = 0; how < 4; how++) {
            Frame *frame = NULL;
            ReadReport report = {0};
            Error err;
            if (!read_text(str_of(cases[i].text), options, how & 1 ? 4 : 1, how & 2, &frame,
                           &report, &err))
                FAIL("'%s': %s", cases[i].text, err.text);
            CHECK_STR(describe(frame, &arena), str_of(cases[i].want));
            frame_free(frame);
        }
    }
}

TEST(read_csv, types_and_forms)
{
    static const Case cases[] = {
        {"a,b\n1,2\n3,4\n", "a:n|1|3 b:n|2|4"},
        {"a,b\n1,2\n3,4", "a:n|1|3 b:n|2|4"},
        {"a,b\r\n1,2\r\n3,4\r\n", "a:n|1|3 b:n|2|4"},
        {"a,b\r\n1,x\r\n3,y\r\n", "a:n|1|3 b:c|x|y"},
        {"a,b\r\n1,2\n3,4\r\n5,6", "a:n|1|3|5 b:n|2|4|6"},
        {"\xef\xbb\xbf"
         "a,b\n1,2\n",
         "a:n|1 b:n|2"},
        {"1,2\n3,4\n", "f0:n|1|3 f1:n|2|4"},
        {"a;b\n1;2,5\n3;4\n", "a:n|1|3 b:c|2,5|4"},
        {"a\tb\n1\t2\n", "a:n|1 b:n|2"},
        {"a|b\n1|2\n", "a:n|1 b:n|2"},
        {"1 2 3\n4 5 6\n", "f0:n|1|4 f1:n|2|5 f2:n|3|6"},
        {"a\n1\n\n2\n\n", "a:n|1|2"},
        {"\n\na,b\n1,2\n\n3,4\n\n", "a:n|1|3 b:n|2|4"},
        {"a,b\n1,\n,2\n,\n", "a:n|1|-|- b:n|-|2|-"},
        {"a,b\nNA,x\n1,\nnull,y\n", "a:n|-|1|- b:c|x|-|y"},
        {"a,b\n\"1\",\"x,y\"\n\"2\",\"say \"\"hi\"\"\"\n3,\"two\nlines\"\n",
         "a:n|1|2|3 b:c|x,y|say \"hi\"|two\nlines"},
        {"a,b\n 1 , x \n2,y\n", "a:n|1|2 b:c|x|y"},
        {"a,b\n1e3,2.5e-3\n-1E+2,+4\n", "a:n|1000|-100 b:n|0.0025|4"},
        {"a,b\ninf,1\n-inf,2\n", "a:n|inf|-inf b:n|1|2"},
        {"t,b\n2024-02-29,true\n2024-03-01T12:30:15Z,FALSE\n,\n",
         "t:t|2024-02-29|2024-03-01T12:30:15|- b:b|true|false|-"},
        {"t\n2024-02-29 01:00:00+02:00\n2024-02-30\n", "t:c|2024-02-29 01:00:00+02:00|2024-02-30"},
        {"a,a,\n1,2,3\n", "a:n|1 a.1:n|2 f2:n|3"},
        {"name,city\nAnn,Oslo\nBob,Oslo\n", "name:c|Ann|Bob city:c|Oslo|Oslo"},
        {"Ann,Oslo\nBob,Oslo\nAnn,Rome\n", "f0:c|Ann|Bob|Ann f1:c|Oslo|Oslo|Rome"},
        {"a,b\n", "a:n b:n"},
        {"a,b\n\"\",1\n", "a:n|- b:n|1"},
        {"x\n123456789012345678901234567890\n0.000000000000000000000000000001\n-0\n",
         "x:n|1.2345679e+29|1e-30|-0"},
    };
    check_cases(cases, COUNT(cases), &(ReadOptions){0});
}

TEST(read_csv, demanded_types)
{
    static const Case cases[] = {{"a,b\n1,2\n3,4\n1,5\n", "a:c|1|3|1 b:n|2|4|5"}};
    Str names[] = {STR("a")}, numbers[] = {STR("1")};
    check_cases(
        cases, COUNT(cases),
        &(ReadOptions){.categories = names, .n_categories = 1, .numbers = numbers, .n_numbers = 1});
    static const Case wide[] = {
        {"a\n0.1\n123456789.123456789\n1e-320\n", "a:n|0.1|123456789.12345679|1e-320"}};
    check_cases(wide, COUNT(wide), &(ReadOptions){.f64 = true});
    static const Case none[] = {{"a,b\n1,2\n", "f0:c|a|1 f1:c|b|2"}};
    check_cases(none, COUNT(none), &(ReadOptions){.header = HEADER_NO});
    static const Case yes[] = {{"1,2\n3,4\n", "1:n|3 2:n|4"}};
    check_cases(yes, COUNT(yes), &(ReadOptions){.header = HEADER_YES});
    static const Case limited[] = {{"a\n1\n2\n3\nx\n", "a:n|1|2"}};
    check_cases(limited, COUNT(limited), &(ReadOptions){.rows_max = 2});
}

TEST(read_csv, a_late_contradiction_widens_the_column_and_loses_nothing)
{
    AUTO_STRBUF StrBuf text = STRBUF(1 << 24);
    strbuf_add(&text, STR("id,when,flag,note\n"));
    int n = 120000;
    for (int i = 0; i < n; i++)
        strbuf_addf(&text, "%03d,2024-01-%02d,%s,n%d\n", i % 500, i % 28 + 1,
                    i & 1 ? "true" : "false", i);
    strbuf_add(&text, STR("seven,never,maybe,x\n"));
    for (int threads = 1; threads <= 4; threads += 3) {
        AUTO(frame_free) Frame *frame = NULL;
        ReadReport report;
        Error err;
        CHECK_OK(
            read_text(strbuf_str(&text), &(ReadOptions){0}, threads, false, &frame, &report, &err),
            err);
        CHECK_INT(frame->n_rows, n + 1);
        CHECK_INT(frame->columns[0].type, COLUMN_CATEGORY);
        CHECK_INT(frame->columns[1].type, COLUMN_CATEGORY);
        CHECK_INT(frame->columns[2].type, COLUMN_CATEGORY);
        CHECK_INT(frame->columns[3].type, COLUMN_TEXT);
        ARENA(arena);
        CHECK_STR(column_text(&frame->columns[0], 7, &arena), STR("007"));
        CHECK_STR(column_text(&frame->columns[0], n, &arena), STR("seven"));
        CHECK_STR(column_text(&frame->columns[1], n, &arena), STR("never"));
        CHECK_STR(column_text(&frame->columns[2], n, &arena), STR("maybe"));
        CHECK_STR(column_text(&frame->columns[3], n, &arena), STR("x"));
        CHECK_STR(column_text(&frame->columns[3], 77777, &arena), STR("n77777"));
    }
}

/* The same through a pipe, which cannot be read twice. */
TEST(read_csv, a_pipe_with_a_late_contradiction)
{
    int ends[2];
    CHECK(pipe(ends) == 0);
    if (fork() == 0) {
        close(ends[0]);
        FILE *out = fdopen(ends[1], "w");
        fprintf(out, "a,b\n");
        for (int i = 0; i < 200000; i++) fprintf(out, "%d,%d.50\n", i, i);
        fprintf(out, "end,0\n");
        fclose(out);
        _exit(0);
    }
    close(ends[1]);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", ends[0]);
    AUTO(frame_free) Frame *frame = NULL;
    ReadReport report;
    Error err;
    CHECK_OK(frame_read(path, &(ReadOptions){.format = DATA_CSV}, NULL, &frame, &report, &err),
             err);
    ARENA(arena);
    CHECK_INT(frame->n_rows, 200001);
    CHECK_INT(frame->columns[0].type, COLUMN_TEXT);
    CHECK_STR(column_text(&frame->columns[0], 12345, &arena), STR("12345"));
    CHECK_STR(column_text(&frame->columns[0], 200000, &arena), STR("end"));
    CHECK(frame->columns[1].f32[3] == 3.5f);
}

TEST(read_csv, bad_input_is_named)
{
    static const struct {
        const char *text, *want;
        ReadOptions options;
    } cases[] = {
        {"", "reading 't.csv': it is empty", {0}},
        {"\n\n", "reading 't.csv': it has no rows: only blank lines", {0}},
        {"a,b\n1,2\n1,2,3\n4\n",
         "reading 't.csv': row 2: 3 fields, the header has 2; row 3: 1 field, the header has 2 "
         "(--skip-bad-rows drops such rows)",
         {0}},
        {"a,b\n1,2\n3,x\n4\ny,5\n",
         "reading 't.csv': row 2, column 'b': 'x' is not a number; row 3: 1 field, the header has 2; "
         "row 4, column 'a': 'y' is not a number (--skip-bad-rows drops such rows)",
         {.numeric = true}},
        {"1,2\n1\n",
         "reading 't.csv': row 2: 1 field, the first row has 2 (--skip-bad-rows drops such rows)",
         {0}},
        {"a,b\n1,2\n3,x y\n",
         "reading 't.csv': row 2, column 'b': 'x y' is not a number (--skip-bad-rows drops such rows)",
         {.numeric = true}},
        {"a,b\n1,2\n",
         "reading 't.csv': row 1, column 'f0': 'a' is not a number; row 1, column 'f1': 'b' is not a number "
         "(the first line looks like a header: read it as one)",
         {.numeric = true, .header = HEADER_NO}},
        {"a,b\n1,2\n1,5\" pipe\n3,4\n",
         "reading 't.csv': row 2: a quote inside an unquoted field (--skip-bad-rows drops such rows)",
         {0}},
        {"a,b\n1,2\n1,\"x\"y\n3,4\n",
         "reading 't.csv': row 2: text after a closing quote (--skip-bad-rows drops such rows)",
         {0}},
        {"a,b\n1,2\n1,\"x\n3,4\n",
         "reading 't.csv': row 2: a quote that is not closed (--skip-bad-rows drops such rows)",
         {0}},
        {"a\nx\nx\nx\nx\nx\nx\nx\n",
         "reading 't.csv': row 1, column 'a': 'x' is not a number; row 2, column 'a': 'x' is not a number; "
         "row 3, column 'a': 'x' is not a number; row 4, column 'a': 'x' is not a number; "
         "row 5, column 'a': 'x' is not a number; and 2 more such places (--skip-bad-rows drops such rows)",
         {.numeric = true, .header = HEADER_YES}},
        {"a\n1\n0123456789012345678901234567890123456789012345678901234567890\x01\n",
         "reading 't.csv': row 2, column 'a': '0123456789012345678901234567890123456789...' is not a number "
         "(--skip-bad-rows drops such rows)",
         {.numeric = true}},
        {"\xff\xfe"
         "a",
         "reading 't.csv': it is UTF-16 text; convert it with: iconv -f UTF-16 -t UTF-8",
         {0}},
    };
    for (size_t i = 0; i < COUNT(cases); i++)
        for (int how = 0; how < 4; how++) {
            Frame *frame = NULL;
            ReadReport report;
            Error err;
            CHECK(!read_text(str_of(cases[i].text), &cases[i].options, how & 1 ? 4 : 1, how & 2,
                             &frame, &report, &err));
            CHECK_STR(str_of(err.text), str_of(cases[i].want));
            CHECK(!frame);
        }
    Frame *frame = NULL;
    ReadReport report;
    Error err;
    static const char zero[] = "a,b\n1,2\n3,\0\n";
    CHECK(!read_text((Str){zero, sizeof zero - 1}, &(ReadOptions){0}, 1, false, &frame, &report,
                     &err));
    CHECK_STR(str_of(err.text),
              STR("reading 't.csv': row 2: a zero byte (--skip-bad-rows drops such rows)"));
}

TEST(read_csv, bad_rows_are_skipped_and_counted)
{
    static const char text[] = "a,b\n1,x\n2\n3,y\nq,z\n5,\"w\"v\n6,u\n";
    Str numbers[] = {STR("a")};
    ReadOptions options = {.skip_bad_rows = true, .numbers = numbers, .n_numbers = 1};
    ARENA(arena);
    for (int how = 0; how < 4; how++) {
        AUTO(frame_free) Frame *frame = NULL;
        ReadReport report = {0};
        Error err;
        CHECK_OK(read_text(str_of(text), &options, how & 1 ? 4 : 1, how & 2, &frame, &report, &err),
                 err);
        CHECK_STR(describe(frame, &arena), STR("a:n|1|3|6 b:c|x|y|u"));
        CHECK_INT(report.n_skipped, 3);
    }
}

/* Cells of every kind, written with and without quotes, read back: from all positions within a block. */
static void random_cell(Random random, uint64_t at, StrBuf *text, StrBuf *want)
{
    static const char *const pieces[] = {"x",         "\"\"", ",", "\n", "\r\n",
                                         "long word", "1.5",  "é", ";"};
    uint64_t draw = random_u64(random, at);
    size_t begin = want->len;
    bool quoted = draw & 1;
    if (quoted) strbuf_add_char(text, '"');
    for (uint64_t k = 0; k < (draw >> 1) % 5; k++) {
        const char *piece = pieces[(draw >> (8 + 4 * k)) % (quoted ? COUNT(pieces) : 1)];
        strbuf_add(text, str_of(piece));
        strbuf_add(want, piece[0] == '"' ? STR("\"") : str_of(piece));
    }
    if (quoted) strbuf_add_char(text, '"');
    if (want->len == begin) strbuf_add_char(want, '-');
}

TEST(read_csv, quoting_at_every_place_of_a_block)
{
    ARENA(arena);
    for (int pad = 0; pad <= 130; pad++) {
        Random random = random_stream(7, (uint64_t)pad);
        AUTO_STRBUF StrBuf text = STRBUF(1 << 20);
        strbuf_addf(&text, "k,%0*d,t\n", pad + 1, 0);
        enum { ROWS = 40 };
        Str cells[ROWS];
        for (int i = 0; i < ROWS; i++) {
            AUTO_STRBUF StrBuf cell = STRBUF(4096);
            strbuf_addf(&text, "%d,", i);
            random_cell(random, (uint64_t)i, &text, &cell);
            strbuf_addf(&text, ",%d.25%s", i, i & 1 ? "\r\n" : "\n");
            cells[i] = arena_str(&arena, strbuf_str(&cell));
        }
        Str names[] = {STR("1")};
        AUTO(frame_free)
        Frame *frame = must_read(
            strbuf_str(&text),
            &(ReadOptions){.header = HEADER_YES, .categories = names, .n_categories = 1});
        CHECK_INT(frame->n_rows, ROWS);
        for (int i = 0; i < ROWS; i++) {
            bool valid = column_is_valid(&frame->columns[1], i);
            CHECK_STR(valid ? column_text(&frame->columns[1], i, &arena) : STR("-"), cells[i]);
            CHECK(frame->columns[0].f32[i] == (float)i &&
                  frame->columns[2].f32[i] == (float)i + 0.25f);
        }
    }
}

/* Many pieces, rows of all lengths: one thread and four, mapped and in blocks, give the same frame. */
TEST(read_csv, any_number_of_threads_gives_the_same)
{
    AUTO_STRBUF StrBuf text = STRBUF(1 << 26);
    Random random = random_stream(11, 0);
    strbuf_add(&text, STR("a,b,c\n"));
    for (uint64_t i = 0; text.len < 3 << 20; i++) {
        uint64_t draw = random_u64(random, i);
        strbuf_addf(&text, "%d,\"%.*s\",w%d\n", (int)(draw % 1000), (int)(draw >> 32) % 60,
                    "a,b\n\"\"\"\"c, d\r\n\"\"e\"\" ffffffffffffffff,,,,\n\n\n gggggggggggg",
                    (int)(draw >> 20 & 63));
        if ((draw >> 50) == 7) strbuf_add(&text, STR("1,2\n"));
        if ((draw >> 50) == 9) strbuf_add(&text, STR("3,4\"4,5\n"));
        if ((draw >> 50) == 11) strbuf_add(&text, STR("\n\r\n"));
    }
    Frame *first = NULL;
    ReadReport first_report = {0};
    for (int how = 0; how < 3; how++) {
        Frame *frame = NULL;
        ReadReport report = {0};
        Error err;
        CHECK_OK(read_text(strbuf_str(&text), &(ReadOptions){.skip_bad_rows = true},
                           how == 1 ? 4 : 1, how == 2, &frame, &report, &err),
                 err);
        if (!first) {
            first = frame;
            first_report = report;
            CHECK(report.n_skipped > 0);
            continue;
        }
        CHECK_INT(report.n_skipped, first_report.n_skipped);
        CHECK_INT(frame->n_rows, first->n_rows);
        for (int32_t j = 0; j < 3; j++) CHECK_INT(frame->columns[j].type, first->columns[j].type);
        CHECK(memcmp(frame->columns[0].f32, first->columns[0].f32, (size_t)frame->n_rows * 4) == 0);
        CHECK(memcmp(frame->columns[2].codes, first->columns[2].codes, (size_t)frame->n_rows * 4) ==
              0);
        ARENA(arena);
        for (int64_t i = 0; i < frame->n_rows; i++)
            CHECK_STR(column_text(&frame->columns[1], i, &arena),
                      column_text(&first->columns[1], i, &arena));
        frame_free(frame);
    }
    frame_free(first);
}

static void check_long_rows(int n_columns, int first_how, int end_how)
{
    enum { ROWS = 40 };
    AUTO_STRBUF StrBuf text = STRBUF(1 << 26);
    for (int i = 0; i < ROWS; i++) {
        for (int j = 0; j < n_columns; j++)
            strbuf_addf(&text, "%s%0*d", j ? "," : "", i % 3 ? 14 : 140 + i, i * n_columns + j);
        if (i < ROWS - 1) strbuf_add_char(&text, '\n');
    }
    for (int how = first_how; how < end_how; how++) {
        AUTO(frame_free) Frame *frame = NULL;
        ReadReport report = {0};
        Error err;
        CHECK_OK(read_text(strbuf_str(&text), &(ReadOptions){0}, how & 1 ? 4 : 1, how & 2, &frame,
                           &report, &err),
                 err);
        CHECK_INT(frame->n_rows, ROWS);
        CHECK_INT(frame->n_columns, n_columns);
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < n_columns; j++)
                CHECK(frame->columns[j].f32[i] == (float)(i * n_columns + j));
    }
}

TEST(read_csv, rows_longer_than_a_piece_or_a_block)
{
    check_long_rows(3000, 0, 2);
    check_long_rows(60, 2, 4);
}

TEST(read_csv, numbers_are_those_of_strtof)
{
    AUTO_STRBUF StrBuf text = STRBUF(1 << 26);
    Random random = random_stream(13, 0);
    enum { ROWS = 20000, COLUMNS = 11 };
    ARENA(arena);
    Str *cells = arena_array(&arena, Str, ROWS * COLUMNS);
    for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++) {
        uint64_t draw = random_u64(random, i), digits = draw >> 12;
        char cell[64];
        int whole = (int)(draw & 15), fraction = (int)(draw >> 4 & 15);
        snprintf(cell, sizeof cell, "%s%.*llu%s%.*llu%s", (draw >> 8 & 3) ? "" : "-", whole % 10,
                 (unsigned long long)(digits % 1000000), (draw >> 10 & 3) ? "." : "", fraction % 12,
                 (unsigned long long)(digits / 1000000 % 100000000), digits % 50 == 7 ? "e-3" : "");
        cells[i] = arena_str(&arena, str_of(cell));
        strbuf_add(&text, cells[i]);
        strbuf_add_char(&text, i % COLUMNS == COLUMNS - 1 ? '\n' : ',');
    }
    for (int f64 = 0; f64 < 2; f64++) {
        AUTO(frame_free) Frame *frame = must_read(strbuf_str(&text), &(ReadOptions){.f64 = f64});
        CHECK_INT(frame->n_columns, COLUMNS);
        CHECK_INT(frame->n_rows, ROWS);
        for (size_t i = 0; i < (size_t)ROWS * COLUMNS; i++) {
            const Column *column = &frame->columns[i % COLUMNS];
            CHECK_INT(column->type, COLUMN_NUMBER);
            float narrow = strtof(cells[i].ptr, NULL), got = f64 ? 0 : column->f32[i / COLUMNS];
            double wide = strtod(cells[i].ptr, NULL), got_wide = f64 ? column->f64[i / COLUMNS] : 0;
            if (f64 ? memcmp(&wide, &got_wide, 8) : memcmp(&narrow, &got, 4))
                FAIL("'%.*s' is read as %a", STR_ARG(cells[i]), f64 ? got_wide : (double)got);
        }
    }
}

TEST(read_csv, lines_and_columns_have_limits)
{
    enum { BIG = 40 << 20 };
    char *big = malloc(BIG);
    memset(big, '1', BIG);
    memcpy(big, "a\n1\n", 4);
    for (int blocks = 0; blocks < 2; blocks++) {
        AUTO(source_close) Source *source = NULL;
        Frame *frame = NULL;
        ReadReport report;
        Error err;
        CHECK(source_open_bytes((Str){big, BIG}, "t.csv", &(SourceOptions){.never_map = blocks},
                                &source, &err));
        CHECK(!frame_read_csv(source, &(ReadOptions){0}, NULL, &frame, &report, &err));
        CHECK_STR(str_of(err.text),
                  STR("reading 't.csv': row 2 is longer than 16 MiB; is a quote not closed?"));
        CHECK(err.kind == ERROR_LIMIT);
    }
    memset(big, ',', BIG);
    AUTO(source_close) Source *source = NULL;
    Frame *frame = NULL;
    ReadReport report;
    Error err;
    CHECK(source_open_bytes((Str){big, 70000}, "t.csv", &(SourceOptions){0}, &source, &err));
    CHECK(!frame_read_csv(source, &(ReadOptions){0}, NULL, &frame, &report, &err));
    CHECK_STR(str_of(err.text), STR("reading 't.csv': 70001 columns, and the limit is 65536"));
    free(big);
}

TEST(read_csv, parts_of_a_folder_share_the_header)
{
    ARENA(arena);
    const char *folder = test_folder();
    static const char *const parts[] = {"x,y\n1,a\n2,b\n", "x,y\n3,c", "4,d\n"};
    Error err;
    for (int i = 0; i < 3; i++) {
        char name[16];
        snprintf(name, sizeof name, "part-%d.csv", i);
        CHECK_OK(file_commit(path_join(&arena, folder, name), str_of(parts[i]), &err), err);
    }
    AUTO(frame_free) Frame *frame = NULL;
    ReadReport report;
    CHECK_OK(frame_read(folder, &(ReadOptions){0}, NULL, &frame, &report, &err), err);
    CHECK_STR(describe(frame, &arena), STR("x:n|1|2|3|4 y:c|a|b|c|d"));
    CHECK_OK(file_commit(path_join(&arena, folder, "part-3.csv"), STR("5\n6,e\n"), &err), err);
    Frame *none = NULL;
    CHECK(!frame_read(folder, &(ReadOptions){0}, NULL, &none, &report, &err));
    CHECK(str_has(str_of(err.text), STR("part-3.csv' row 1: 1 field, the header has 2")));
}

TEST(read_csv, a_first_row_that_never_ends_is_refused_unread)
{
    enum { BYTES = (16 << 20) + 100 };
    Error err = {0};
    AUTO_DATA char *text = data_array(char, BYTES, "x", &err);
    memset(text, 'a', BYTES);
    ReadOptions options = {0};
    Frame *frame = NULL;
    ReadReport report = {0};
    CHECK(!read_text((Str){text, BYTES}, &options, 1, false, &frame, &report, &err));
    CHECK_STR(str_of(err.text), STR("reading 't.csv': the first row is longer than 16 MiB"));
}
