/* Bodies to rows: what is taken, in which form, and what is refused with which words. */

#include "train/content.h"

#include "base/arena.h"
#include "base/test.h"
#include "format/csv.h"

#include <math.h>
#include <stdio.h>

/* All rows of a body as "1,2;3,4", or the error in `err`. */
static bool read_all(const char *type, Str body, const ContentForm *form, int64_t rows_max,
                     StrBuf *out, Error *err)
{
    ContentType content;
    int32_t label_size;
    ContentReader reader = {0};
    ContentRows rows = {0};
    ARENA(arena);
    char *copy = arena_alloc(&arena, body.len + CSV_SLACK);
    memcpy(copy, body.ptr, body.len);
    bool good = content_type_parse(str_of(type), &content, &label_size, err) &&
                content_begin(&reader, content, label_size, form, (Str){copy, body.len}, err);
    out->len = 0;
    while (good) {
        good = content_next(&reader, rows_max, 1 << 20, &rows, err);
        if (!good || rows.n_rows == 0) break;
        for (int64_t i = 0; i < rows.n_rows; i++) {
            if (out->len) strbuf_add_char(out, ';');
            for (int32_t j = 0; j < rows.n_cols; j++)
                strbuf_addf(out, "%s%g", j ? "," : "", (double)rows.values[i * rows.n_cols + j]);
        }
    }
    content_rows_clear(&rows);
    content_clear(&reader);
    return good;
}

typedef struct Case {
    const char *type;
    Str body;
    const char *want; /* rows, or with '!' in front the error */
} Case;

static void check_cases(const Case *cases, size_t n, const ContentForm *form)
{
    for (size_t i = 0; i < n; i++)
        for (int64_t block = 1; block <= 1000; block *= 10) { /* blocks of any size give the same */
            AUTO_STRBUF StrBuf got = STRBUF(1 << 20);
            Error err = {0};
            bool good = read_all(cases[i].type, cases[i].body, form, block, &got, &err);
            const char *want = cases[i].want;
            if (!good) {
                got.len = 0;
                strbuf_addf(&got, "!%s", err.text);
            }
            if (!str_is(strbuf_str(&got), want))
                FAIL("case %zu (%s) '%.*s' gives\n  %s, not\n  %s", i, cases[i].type,
                     STR_ARG(cases[i].body), strbuf_cstr(&got), want);
        }
}

#define CSV "text/csv"
#define JSON "application/json"
#define LINES "application/jsonlines"

TEST(content, dense_rows)
{
    ContentForm form;
    content_form_init(&form, NULL, 3, true);
    static const Case cases[] = {
        {CSV, STR_INIT("1,2,3"), "1,2,3"},
        {CSV, STR_INIT("1,2,3\n"), "1,2,3"},
        {CSV, STR_INIT("1,2,3\r\n-4e1,.5,6.\r\n"), "1,2,3;-40,0.5,6"},
        {CSV, STR_INIT("\n\n1,2,3\n\r\n4,5,6\n\n"), "1,2,3;4,5,6"},
        {CSV,
         STR_INIT("\xef\xbb\xbf"
                  "1,2,3"),
         "1,2,3"},
        {CSV, STR_INIT(" 1 ,\t2, 3 \n"), "1,2,3"},
        {CSV, STR_INIT("\"1\",\"2\" , \"3\"\n4,\"5\",6"), "1,2,3;4,5,6"},
        {CSV, STR_INIT("1,,3\n,,\nnan,NaN,inf"), "1,nan,3;nan,nan,nan;nan,nan,inf"},
        {CSV, STR_INIT("1;2;3\n4;5;6"), "1,2,3;4,5,6"},
        {CSV, STR_INIT("1\t2\t3\n4\t\t6"), "1,2,3;4,nan,6"},
        {CSV, STR_INIT("1|2|3"), "1,2,3"},
        {"Text/CSV; label_size=1", STR_INIT("9,1,2,3\n8,4,5,6"), "1,2,3;4,5,6"},
        {"text/csv;label_size=2;charset=UTF-8", STR_INIT("\"a,b\",x,1,2,3"), "1,2,3"},
        {"text/csv;label_size=0", STR_INIT("1,2,3"), "1,2,3"},
        {CSV, STR_INIT("1,2,3,4"), "!expected 3 features, got 4 in record 0"},
        {CSV, STR_INIT("1,2,3\n1,2"), "!expected 3 features, got 2 in record 1"},
        {CSV, STR_INIT("1,2,"), "1,2,nan"},
        {CSV, STR_INIT("1,2,3,"), "!expected 3 features, got 4 in record 0"},
        {CSV, STR_INIT("a,b,c\n1,2,3"),
         "!record 0, column 0: 'a' is not a number (requests have no header line)"},
        {CSV, STR_INIT("1,2,3\n1,2x,3"), "!record 1, column 1: '2x' is not a number"},
        {CSV, STR_INIT("1,2,3\n1,0x2,3"), "!record 1, column 1: '0x2' is not a number"},
        {CSV, STR_INIT("1,\"2,3"), "!record 0: a quoted field does not end"},
        {CSV, STR_INIT("1,\"2\"x,3"), "!record 0: text follows a quoted field"},
        {CSV, STR_INIT("1,\0,3"),
         "!record 0, column 1: '?' is not a number (requests have no header line)"},
        {JSON, STR_INIT("{\"instances\":[{\"features\":[1,2,3]}]}"), "1,2,3"},
        {JSON,
         STR_INIT(
             "{\"x\":{\"instances\":1},\"instances\":[[1,2,3],{\"data\":{\"features\":{\"values\":[4,5,6]}}},"
             "{\"features\":{\"values\":[7,8,9e0],\"shape\":[3]}, \"y\":[1]}],\"configuration\":{}}"),
         "1,2,3;4,5,6;7,8,9"},
        {JSON,
         STR_INIT(
             "{\"instances\":[{\"data\":{\"features\":{\"keys\":[2],\"values\":[7.0],\"shape\":[3]}}}]}"),
         "nan,nan,7"},
        {JSON,
         STR_INIT(
             "{\"instances\":[{\"data\":{\"features\":{\"values\":[7,8],\"shape\":[3],\"keys\":[2,0]}}}]}"),
         "8,nan,7"},
        {JSON,
         STR_INIT(
             "{\"instances\":[{\"data\":{\"features\":{\"values\":[],\"shape\":[3],\"keys\":[]}}}]}"),
         "nan,nan,nan"},
        {JSON, STR_INIT("{\"instances\":[[1,null,\"NaN\"],[true,[2,[3]]]]}"), "1,nan,nan;1,2,3"},
        {JSON, STR_INIT("{\"instances\":[]}"), ""},
        {JSON, STR_INIT("{\"instances\":[[1,2,3,4,5]]}"),
         "!expected 3 features, got 5 in record 0"},
        {JSON, STR_INIT("{\"instances\":[[1,2,3],[]]}"), "!expected 3 features, got 0 in record 1"},
        {JSON, STR_INIT("{\"instances\":[{\"features\":[1,\"x\",3]}]}"),
         "!record 0, column 1: 'x' is not a number (requests have no header line)"},
        {JSON, STR_INIT("{\"instances\":[{\"data\":{}}]}"), "!record 0: it has no features"},
        {JSON, STR_INIT("{\"instances\":[7]}"), "!record 0: it is neither an array nor an object"},
        {JSON, STR_INIT("{\"instances\":[[1,{},3]]}"),
         "!record 0: an object stands among its values"},
        {JSON, STR_INIT("{\"instances\":[{\"features\":[1,2,3],\"data\":{\"features\":[1,2,3]}}]}"),
         "!record 0: its values are given twice"},
        {JSON,
         STR_INIT("{\"instances\":[{\"features\":{\"keys\":[3],\"values\":[7],\"shape\":[3]}}]}"),
         "!record 0: a key lies outside the shape"},
        {JSON,
         STR_INIT(
             "{\"instances\":[{\"features\":{\"keys\":[1,1],\"values\":[7,8],\"shape\":[3]}}]}"),
         "!record 0: a key is given twice"},
        {JSON,
         STR_INIT("{\"instances\":[{\"features\":{\"keys\":[1],\"values\":[7,8],\"shape\":[3]}}]}"),
         "!record 0: keys and values are not equally many"},
        {JSON,
         STR_INIT("{\"instances\":[{\"features\":{\"keys\":[1.5],\"values\":[7],\"shape\":[3]}}]}"),
         "!record 0: keys and shape must be whole numbers"},
        {JSON,
         STR_INIT("{\"instances\":[{\"features\":{\"keys\":[1],\"values\":[7],\"shape\":[4]}}]}"),
         "!expected 3 features, got 4 in record 0"},
        {JSON,
         STR_INIT(
             "{\"instances\":[{\"features\":{\"keys\":[1],\"values\":[7],\"shape\":[99999,99999]}}]}"),
         "!record 0: its shape is too large"},
        {JSON, STR_INIT("[[1,2,3]]"), "!the body must be {\"instances\":[...]}"},
        {JSON, STR_INIT("{}"), "!the body must be {\"instances\":[...]}"},
        {JSON, STR_INIT("{\"instances\":{}}"), "!'instances' is not an array"},
        {JSON, STR_INIT("{\"instances\":[[1,2,3]],\"instances\":[]}"),
         "!'instances' is given twice"},
        {LINES,
         STR_INIT(
             "{\"features\":[1,2,3]}\n\n{\"data\":{\"features\":{\"values\":[4,5,6]}}}\r\n[7,8,9]"),
         "1,2,3;4,5,6;7,8,9"},
        {LINES, STR_INIT("[1,2,3]\n[1,2,3,4]"), "!expected 3 features, got 4 in record 1"},
        {"text/libsvm", STR_INIT("1 0:5 2:7\n0 1:3 # no\n2:1\n\n"), "5,nan,7;nan,3,nan;nan,nan,1"},
        {"text/x-libsvm", STR_INIT("1 1:5 3:7"), "5,nan,7"},
        {"text/libsvm", STR_INIT("1:0.5 qid:7 0:5"), "5,0.5,nan"},
        {"text/libsvm", STR_INIT("1 0:5 3:7"),
         "!expected at most 3 features, got index 3 in record 0"},
        {"text/libsvm", STR_INIT("1 0:5 x:7"), "!record 0: 'x:7' is not index:value"},
        {"text/libsvm", STR_INIT("1 0:5 99999999999:7"),
         "!record 0: '99999999999:7' is not index:value"},
        {"image/png", STR_INIT("x"),
         "!content type 'image/png' is not offered; send text/csv, application/json, application/jsonlines, "
         "application/x-recordio-protobuf or text/libsvm"},
        {"text/csv;label_size=-1", STR_INIT("1"), "!label_size '-1' is not a number of columns"},
        {"text/csv;charset=latin1", STR_INIT("1"), "!charset 'latin1' is not offered, only utf-8"},
    };
    check_cases(cases, COUNT(cases), &form);
}

TEST(content, broken_json_is_refused_wherever_it_breaks)
{
    ContentForm form;
    content_form_init(&form, NULL, 3, true);
    Str whole = STR(
        "{\"a\":[1,{}],\"instances\":[{\"data\":{\"features\":{\"keys\":[2],\"values\":[7.0],\"shape\":[3]}}},"
        "[1,2,3]],\"z\":null}");
    AUTO_STRBUF StrBuf got = STRBUF(1 << 20);
    Error err = {0};
    CHECK_OK(read_all(JSON, whole, &form, 10, &got, &err), err);
    for (size_t n = 1; n < whole.len; n++) {
        err = (Error){0};
        CHECK(!read_all(JSON, str_slice(whole, 0, n), &form, 10, &got, &err));
        CHECK(err.kind == ERROR_INVALID || err.kind == ERROR_CONFLICT);
        CHECK(err.text[0]);
    }
}

TEST(content, models_without_missing_values_refuse_them)
{
    ContentForm form;
    content_form_init(&form, NULL, 2, false);
    static const Case cases[] = {
        {CSV, STR_INIT("1,2"), "1,2"},
        {CSV, STR_INIT("1,2\n3,"),
         "!record 1, column 1: the value is missing, which this model cannot take"},
        {CSV, STR_INIT("inf,2"),
         "!record 0, column 0: the value is infinite, which this model cannot take"},
        {CSV, STR_INIT("1e39,2"),
         "!record 0, column 0: the value is infinite, which this model cannot take"},
        {JSON, STR_INIT("{\"instances\":[[1,null]]}"),
         "!record 0, column 1: the value is missing, which this model cannot take"},
        {JSON,
         STR_INIT("{\"instances\":[{\"features\":{\"keys\":[1],\"values\":[7],\"shape\":[2]}}]}"),
         "0,7"},
    };
    check_cases(cases, COUNT(cases), &form);
}

TEST(content, an_unknown_width_is_that_of_the_first_row)
{
    ContentForm form;
    content_form_init(&form, NULL, 0, true);
    static const Case cases[] = {
        {CSV, STR_INIT("1,2\n3,4"), "1,2;3,4"},
        {CSV, STR_INIT("1,2\n3,4,5"), "!expected 2 features, got 3 in record 1"},
        {JSON, STR_INIT("{\"instances\":[[1,2],[3]]}"), "!expected 2 features, got 1 in record 1"},
        {JSON, STR_INIT("{\"instances\":[[]]}"), "!record 0: it has no features"},
        {"text/libsvm", STR_INIT("0:1"),
         "!the model does not say how many features it has; send text/csv"},
    };
    check_cases(cases, COUNT(cases), &form);
    /* A first row that is wider than any first guess of room. */
    AUTO_STRBUF StrBuf body = STRBUF(1 << 20), got = STRBUF(1 << 20), want = STRBUF(1 << 20);
    for (int i = 0; i < 5000; i++) {
        strbuf_addf(&body, "%s%d", i ? "," : "", i);
        strbuf_addf(&want, "%s%g", i ? "," : "", (double)i);
    }
    Error err = {0};
    CHECK_OK(read_all(CSV, strbuf_str(&body), &form, 10, &got, &err), err);
    CHECK_STR(strbuf_str(&got), strbuf_str(&want));
}

TEST(content, categories_become_their_codes)
{
    Str colors[] = {STR("blue"), STR("red, dark"), STR("say \"hi\"")},
        sizes[] = {STR("z"), STR("a")};
    Feature features[] = {
        {.name = STR("color"), .kind = FEATURE_CATEGORY, .categories = colors, .n_categories = 3},
        {.name = STR("x"), .kind = FEATURE_NUMBER},
        {.name = STR("size"), .kind = FEATURE_CATEGORY, .categories = sizes, .n_categories = 2},
    };
    Schema schema = {.features = features, .n_features = 3};
    ContentForm form;
    content_form_init(&form, &schema, 3, true);
    static const Case cases[] = {
        {CSV, STR_INIT("blue,1,a\n\"red, dark\",2,z"), "0,1,1;1,2,0"},
        {CSV, STR_INIT("\"say \"\"hi\"\"\",1, a \ngreen,,"), "2,1,1;nan,nan,nan"},
        {CSV, STR_INIT("blue,red,a"),
         "!record 0, column 1: 'red' is not a number (requests have no header line)"},
        {JSON, STR_INIT("{\"instances\":[[\"red, dark\",7,\"z\"],[0,1,null]]}"), "1,7,0;0,1,nan"},
        {JSON, STR_INIT("{\"instances\":[[\"say \\\"hi\\\"\",7,\"\\u007a\"]]}"), "2,7,0"},
    };
    check_cases(cases, COUNT(cases), &form);
}

TEST(content, records_in_recordio)
{
    ContentForm form;
    content_form_init(&form, NULL, 3, false);
    AUTO_STRBUF StrBuf body = STRBUF(1 << 20), got = STRBUF(1 << 20);
    const float dense[] = {1, 2, 3}, sparse[] = {7};
    const int32_t keys[] = {1};
    RecordOutput a = {.name = STR("values"), .values = dense, .n = 3};
    RecordOutput b = {.name = STR("values"), .values = sparse, .keys = keys, .n = 1, .size = 3};
    CHECK(recordio_write_record(&body, &a, 1, NULL, 0, STR("first"), (Str){0}));
    size_t first = body.len;
    CHECK(recordio_write_record(&body, &b, 1, NULL, 0, (Str){0}, (Str){0}));
    const char *type = "application/x-recordio-protobuf";
    Error err = {0};
    CHECK_OK(read_all(type, strbuf_str(&body), &form, 10, &got, &err), err);
    CHECK_STR(strbuf_str(&got), STR("1,2,3;0,7,0"));
    /* Cut anywhere: only final padding may be missing. */
    size_t payload = 8 + (unsigned char)body.ptr[4],
           last = first + 8 + (unsigned char)body.ptr[first + 4];
    for (size_t n = 1; n < body.len; n++) {
        bool good = read_all(type, str_slice(strbuf_str(&body), 0, n), &form, 10, &got, &err);
        if (good != ((n >= payload && n <= first) || n >= last)) FAIL("%zu bytes: %d", n, good);
    }
    CHECK(!read_all(type, STR("1,2,3"), &form, 10, &got, &err));
    CHECK(str_starts(str_of(err.text), STR("record 0 at byte 0: ")));
    content_form_init(&form, NULL, 2, false);
    CHECK(!read_all(type, strbuf_str(&body), &form, 10, &got, &err));
    CHECK_STR(str_of(err.text), STR("expected 2 features, got 3 in record 0"));
    CHECK_INT(err.kind, ERROR_CONFLICT);
}
