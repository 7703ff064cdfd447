#include "format/csv.h"

#include "base/arena.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/test.h"
#include "format/timestamp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { LEN_MAX = 4096 };

/* Text of what matters, in a block that ends where the text does (plus the slack that is allowed). */
static Str random_text(Random random, uint64_t at, size_t len, bool quotes, char *to)
{
    static const char bytes[] = ",,\n\"\"\rab1.-";
    for (size_t i = 0; i < len; i++) {
        uint64_t draw = random_u64(random, at * LEN_MAX + i);
        char c = bytes[draw % (sizeof bytes - 1)];
        to[i] = c == '"' && !quotes ? 'x' : c;
        if (draw >> 52 == 1) to[i] = 0;
    }
    return (Str){to, len};
}

TEST(csv, all_levels_find_the_same_ends)
{
    Random random = random_stream(1, 0);
    char *text = malloc(LEN_MAX + CSV_SLACK);
    uint32_t *ends[3] = {NULL};
    for (int i = 0; i < 3; i++) ends[i] = calloc(LEN_MAX + 64, sizeof(uint32_t));
    memset(text, '"', LEN_MAX + CSV_SLACK);
    for (uint64_t i = 0; i < 4000; i++) {
        size_t len = random_u64(random, i) % 300;
        Str part = random_text(random, i + 1, len, i & 1, text);
        CsvIndex index[3];
        for (int level = 0; level <= (int)cpu_level(); level++) {
            csv_index_at((CpuLevel)level, part, ',', ends[level], &index[level]);
            CHECK_INT(index[level].n_ends, index[0].n_ends);
            CHECK_INT(index[level].n_rows, index[0].n_rows);
            CHECK_INT(index[level].inside, index[0].inside);
            CHECK_INT(index[level].bad_quote, index[0].bad_quote);
            CHECK_INT(index[level].nul, index[0].nul);
            CHECK_INT(index[level].quotes, index[0].quotes);
            CHECK(memcmp(ends[level], ends[0], index[0].n_ends * sizeof(uint32_t)) == 0);
        }
        CHECK_INT(csv_count_quotes(part) & 1, index[0].inside);
    }
    for (int i = 0; i < 3; i++) free(ends[i]);
    free(text);
}

/* The index and the byte by byte reader agree on good text, and on what is bad. */
TEST(csv, index_and_rows_agree)
{
    Random random = random_stream(2, 0);
    char text[512 + CSV_SLACK];
    uint32_t ends[600], row_ends[600];
    int good = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        size_t len = random_u64(random, i) % 20;
        Str part = random_text(random, i + 1, len, true, text);
        CsvIndex index;
        csv_index(part, ',', ends, &index);
        size_t at = 0, n = 0, n_fields;
        bool bad = false;
        while (at < part.len) {
            CsvRowStatus status = csv_scan_row(part, at, ',', false, row_ends + n, SIZE_MAX,
                                               &n_fields, &at);
            if (status == CSV_ROW_UNFINISHED) break;
            if (status == CSV_ROW_NUL) status = CSV_ROW_OK;
            bad = status != CSV_ROW_OK;
            if (bad) break;
            n += n_fields;
        }
        if (bad) {
            CHECK(index.bad_quote);
            continue;
        }
        if (index.bad_quote) continue; /* in the row that did not end */
        good++;
        CHECK(index.n_ends >= n);
        CHECK(n == 0 || memcmp(ends, row_ends, n * sizeof(uint32_t)) == 0);
    }
    CHECK(good > 2000);
}

static const char *const field_forms[] = {
    "",
    "0",
    "-0",
    "1",
    "-1",
    "12345678",
    "1234567890123456",
    "-123456789012345",
    "0.5",
    ".5",
    "5.",
    "-.5",
    "-5.",
    ".",
    "-",
    "-.",
    "1.2.3",
    "1-2",
    "--1",
    "+1",
    "1e5",
    "abc",
    "nan",
    "12345678901234567",
    "16777217",
    "16777219",
    "0.100000001490116",
    "9007199254740993",
    "999999999999999",
    "9999999999999999",
    "3.14159265358979",
    "1 ",
    " 1",
    "\"1\"",
    "0.000000000000001",
    "000000000000001.",
    "1..",
    "..1",
    "/1",
    ":1",
    "1,",
    "00000000.0000000",
    "33554433",
    "1.00000011920929",
    "1.00000017881393",
    "8388608.5",
    "8388609.5",
};

/* Every form at every place of a group: converted as strtof does, or left as odd. */
static void check_fields(CpuLevel level, Random random, uint64_t at, size_t n)
{
    char text[4096];
    uint32_t all[201], odd[220];
    float floats[200];
    double doubles[200];
    Str fields[200];
    size_t len = 0, n_odd;
    all[0] = UINT32_MAX;
    bool any_empty = false;
    for (size_t i = 0; i < n; i++) {
        const char *form = field_forms[random_below(random, at * 1000 + i, COUNT(field_forms))];
        fields[i] = str_of(form);
        any_empty |= fields[i].len == 0;
        memcpy(text + len, form, fields[i].len);
        len += fields[i].len;
        all[i + 1] = (uint32_t)len;
        text[len++] = ',';
    }
    memset(text + len, '7', CSV_SLACK);
    for (int wide = 0; wide < 2; wide++) {
        bool empty = wide ? csv_doubles_at(level, text, all, 1, all + 1, n, doubles, odd, &n_odd)
                          : csv_floats_at(level, text, all, 1, all + 1, n, floats, odd, &n_odd);
        CHECK_INT(empty, any_empty);
        for (size_t i = 0, k = 0; i < n; i++) {
            if (k < n_odd && odd[k] == i) {
                k++;
                continue;
            }
            ARENA(arena);
            char *copy = arena_cstr(&arena, fields[i]), *end;
            float want_float = strtof(copy, NULL);
            double want = strtod(copy, &end);
            if (fields[i].len == 0) want = want_float = NAN;
            bool same = wide ? memcmp(&want, &doubles[i], 8) == 0
                             : memcmp(&want_float, &floats[i], 4) == 0;
            if (!same || *end) FAIL("'%s' became %a", copy, wide ? doubles[i] : (double)floats[i]);
        }
    }
}

TEST(csv, fields_to_numbers)
{
    Random random = random_stream(3, 0);
    for (int level = 0; level <= (int)cpu_level(); level++)
        for (uint64_t i = 0; i < 3000; i++) check_fields((CpuLevel)level, random, i, i % 50 + 1);
}

/* Common forms are not odd: they are what the speed is for. */
TEST(csv, usual_fields_are_converted_at_once)
{
    static const char text[] =
        "1234567890123456,-1.5,0.25,123456.789,7,-0.0625,999999999,0,1.,.5,-12345678.1234,3\n";
    char padded[256];
    memcpy(padded, text, sizeof text);
    uint32_t all[80], odd[80];
    float floats[32];
    CsvIndex index;
    size_t n_odd;
    all[0] = UINT32_MAX;
    csv_index((Str){padded, sizeof text - 1}, ',', all + 1, &index);
    CHECK_INT(index.n_ends, 12);
    for (int level = CPU_AVX2; level <= (int)cpu_level(); level++) {
        csv_floats_at((CpuLevel)level, padded, all, 1, all + 1, 12, floats, odd, &n_odd);
        CHECK_INT(n_odd, 0);
    }
}

TEST(csv, a_row_of_numbers)
{
    static const struct {
        const char *text, *want; /* fields and where the next row begins, or the error */
    } cases[] = {
        {"1,2,3", "1 2 3 @5"},
        {"1,2.5\n7", "1 2.5 @6"},
        {"1,2.5\r\n7", "1 2.5 @7"},
        {"-1e-3,,nan", "-0.001 nan nan @10"},
        {"\"1\",\"2\"\n", "1 2 @8"},
        {" 1 , 2 ", "1 2 @7"},
        {"5", "5 @1"},
        {"1,abc,3", "field 2: 'abc' is not a number"},
        {"1,\"2\"x,3", "text after a closing quote"},
        {"1,2\"x,3", "a quote inside an unquoted field"},
        {"1,\"2,3", "a quote that is not closed"},
        {"1,\"a,b\",3", "field 2: 'a,b' is not a number"},
        {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33",
         "33 fields, at most 32 expected"},
        {"1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,x8",
         "field 28: 'x8' is not a number"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[512] = {0};
        float values[32 + 8];
        int32_t n;
        size_t next;
        Error err;
        AUTO_STRBUF StrBuf out = STRBUF(4096);
        snprintf(text, sizeof text, "%s", cases[i].text);
        if (csv_parse_row((Str){text, strlen(text)}, ',', values, 32, &n, &next, &err)) {
            for (int32_t k = 0; k < n; k++) strbuf_addf(&out, "%g ", (double)values[k]);
            strbuf_addf(&out, "@%zu", next);
        } else {
            strbuf_add(&out, str_of(err.text));
        }
        CHECK_STR(strbuf_str(&out), str_of(cases[i].want));
    }
    /* Long ones take another way. */
    AUTO_STRBUF StrBuf text = STRBUF(1 << 16);
    float *values = calloc(2000, sizeof *values);
    for (int k = 0; k < 1500; k++) strbuf_addf(&text, "%s%d.5", k ? "," : "", k);
    strbuf_add(&text, STR("\n9,9\n"));
    int32_t n;
    size_t next;
    Error err;
    memset(strbuf_reserve(&text, CSV_SLACK), 0, CSV_SLACK);
    CHECK_OK(csv_parse_row(strbuf_str(&text), ',', values, 2000, &n, &next, &err), err);
    CHECK_INT(n, 1500);
    CHECK_INT(next, text.len - 4);
    for (int k = 0; k < n; k++) CHECK(values[k] == (float)k + 0.5f);
    free(values);
}

TEST(csv, shown_values_are_short_and_printable)
{
    char shown[CSV_SHOWN_MAX];
    CHECK_STR(str_of(csv_shown(STR("a\tb\n\x01"), shown)), STR("a\\tb\\n\\x01"));
    CHECK_STR(str_of(csv_shown(STR("0123456789012345678901234567890123456789"), shown)),
              STR("0123456789012345678901234567890123456789"));
    CHECK_STR(str_of(csv_shown(STR("012345678901234567890123456789012345678\xc3\xa9x"), shown)),
              STR("012345678901234567890123456789012345678..."));
}

TEST(timestamp, forms)
{
    static const struct {
        const char *text;
        int64_t want; /* -1: refused */
    } cases[] = {
        {"1970-01-01", 0},
        {"1970-01-01T00:00:01", 1000000},
        {"1970-01-01 00:01", 60000000},
        {"1970-01-01T00:00:00.25", 250000},
        {"1970-01-01T00:00:00.1234567Z", 123456},
        {"1970-01-01T02:00:00+02:00", 0},
        {"1970-01-01T02:00:00+02", 0},
        {"1969-12-31T22:30:00-0130", 0},
        {"2024-02-29", 1709164800000000},
        {"2000-02-29T23:59:60Z", 951868800000000},
        {"0001-01-01", -62135596800000000},
        {"9999-12-31T23:59:59", 253402300799000000},
        {"2023-02-29", -1},
        {"1900-02-29", -1},
        {"2024-13-01", -1},
        {"2024-00-01", -1},
        {"2024-01-32", -1},
        {"0000-01-01", -1},
        {"2024-1-01", -1},
        {"2024-01-01T", -1},
        {"2024-01-01T24:00", -1},
        {"2024-01-01T12:60", -1},
        {"2024-01-01T12:30:", -1},
        {"2024-01-01T12:30:15.", -1},
        {"2024-01-01T12:30:15X", -1},
        {"2024-01-01T12:30:15+2", -1},
        {"2024-01-01x", -1},
        {"20240101", -1},
        {"", -1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        int64_t us = -1;
        bool ok = timestamp_parse(str_of(cases[i].text), &us);
        if (us != cases[i].want || ok != (cases[i].want != -1))
            FAIL("'%s' is %lld", cases[i].text, (long long)us);
    }
}
