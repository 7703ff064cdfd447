/* JSON and UBJSON. */

#include "base/test.h"
#include "format/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

TEST(json, good_texts_come_out_as_they_went_in)
{
    static const struct {
        const char *in, *out; /* out NULL: as in */
    } cases[] = {
        {"null", NULL},
        {" true\n", "true"},
        {"false", NULL},
        {"0", NULL},
        {"-0", NULL},
        {"-0.0e-0", NULL},
        {"1E+400", NULL}, /* beyond a double, but its text stays */
        {"123456789012345678901234567890", NULL},
        {"\"\"", NULL},
        {"\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\"", "\"a\\\"\\\\/\\b\\f\\n\\r\\tA\""},
        {"\"\\u0000\\u001f\x7f\"", "\"\\u0000\\u001f\x7f\""},
        {"\"\\u20ac \\ud83d\\ude00\"", "\"\xe2\x82\xac \xf0\x9f\x98\x80\""},
        {"\"\xc3\xa4 \xf4\x8f\xbf\xbf\"", NULL},
        {"[]", NULL},
        {"{}", NULL},
        {" [ 1 , [ ] , { } ] ", "[1,[],{}]"},
        {"{\"a\":1,\"b\":{\"c\":[true,null]}}", NULL},
        {"{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}"}, /* the last one wins */
        {"{\"\":0}", NULL},
        {"\"a long text of more than thirty-two bytes, all of them plain\"", NULL},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ARENA(arena);
        Error err = {0};
        const Json *value = NULL;
        CHECK_OK(json_parse(str_of(cases[i].in), &arena, &value, &err), err);
        AUTO_STRBUF StrBuf out = STRBUF(1000);
        JsonWriter writer = JSON_WRITER(&out);
        json_value(&writer, value);
        CHECK_STR(strbuf_str(&out), str_of(cases[i].out ? cases[i].out : cases[i].in));
    }
}

TEST(json, bad_texts_are_refused_with_place_and_reason)
{
    static const struct {
        Str in;
        const char *want;
    } cases[] = {
        {STR_INIT(""), "JSON: byte 0: an empty text"},
        {STR_INIT("  "), "JSON: byte 2: the end where a value must stand"},
        {STR_INIT("\xef\xbb\xbf{}"), "JSON: byte 0: a byte order mark, which JSON does not allow"},
        {STR_INIT("[1,]"), "JSON: byte 3: ']' where a value must stand"},
        {STR_INIT("[,1]"), "JSON: byte 1: a comma where a value must stand"},
        {STR_INIT("{\"a\":1,}"), "JSON: byte 7: no name after a comma"},
        {STR_INIT("{a:1}"), "JSON: byte 1: a name that is not in quotes"},
        {STR_INIT("{'a':1}"), "JSON: byte 1: a name that is not in quotes"},
        {STR_INIT("{\"a\" 1}"), "JSON: byte 5: a name without a colon after it"},
        {STR_INIT("{\"a\":}"), "JSON: byte 5: '}' where a value must stand"},
        {STR_INIT("[1 2]"), "JSON: byte 3: neither ',' nor ']' after a value"},
        {STR_INIT("{\"a\":1 \"b\":2}"), "JSON: byte 7: neither ',' nor '}' after a value"},
        {STR_INIT("[1"), "JSON: byte 2: an array that does not end"},
        {STR_INIT("{\"a\":1"), "JSON: byte 6: an object that does not end"},
        {STR_INIT("{"), "JSON: byte 1: an object that does not end"},
        {STR_INIT("[1}"), "JSON: byte 2: neither ',' nor ']' after a value"},
        {STR_INIT("1 2"), "JSON: byte 2: something after the value"},
        {STR_INIT("01"), "JSON: byte 0: a number with a leading zero"},
        {STR_INIT("-"), "JSON: byte 0: a minus without a number"},
        {STR_INIT("+1"), "JSON: byte 0: something that begins no value"},
        {STR_INIT(".5"), "JSON: byte 0: something that begins no value"},
        {STR_INIT("1."), "JSON: byte 0: a number without digits after its point"},
        {STR_INIT("1e+"), "JSON: byte 0: a number without digits in its exponent"},
        {STR_INIT("0x10"), "JSON: byte 1: something after the value"},
        {STR_INIT("NaN"), "JSON: byte 0: NaN, which JSON does not allow"},
        {STR_INIT("-Infinity"), "JSON: byte 0: a minus without a number"},
        {STR_INIT("nul"), "JSON: byte 0: an unknown word"},
        {STR_INIT("truex"), "JSON: byte 4: something after the value"},
        {STR_INIT("\"a"), "JSON: byte 0: a string that does not end"},
        {STR_INIT("\"a\\"), "JSON: byte 2: a string that does not end"},
        {STR_INIT("\"a\nb\""), "JSON: byte 2: a control character in a string; it must be escaped"},
        {STR_INIT("\"a\0b\""), "JSON: byte 2: a control character in a string; it must be escaped"},
        {STR_INIT("\"\\x41\""), "JSON: byte 1: an unknown escape in a string"},
        {STR_INIT("\"\\u12g4\""), "JSON: byte 1: \\u without four hexadecimal digits"},
        {STR_INIT("\"\\u12"), "JSON: byte 1: \\u without four hexadecimal digits"},
        {STR_INIT("\"\\ud800\""), "JSON: byte 1: half of a surrogate pair"},
        {STR_INIT("\"\\ud800\\u0041\""), "JSON: byte 1: half of a surrogate pair"},
        {STR_INIT("\"\\ude00\""), "JSON: byte 1: half of a surrogate pair"},
        {STR_INIT("\"\xff\""), "JSON: byte 1: bytes that are not UTF-8"},
        {STR_INIT("\"\xc0\x80\""), "JSON: byte 1: bytes that are not UTF-8"},
        {STR_INIT("\"\xed\xa0\x80\""), "JSON: byte 1: bytes that are not UTF-8"},
        {STR_INIT("\"\xf4\x90\x80\x80\""), "JSON: byte 1: bytes that are not UTF-8"},
        {STR_INIT("\"\xe2\x82\""), "JSON: byte 1: bytes that are not UTF-8"},
        {STR_INIT("[1] // no comments"), "JSON: byte 4: something after the value"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ARENA(arena);
        Error err = {0};
        const Json *value;
        if (json_parse(cases[i].in, &arena, &value, &err)) FAIL("accepted: %s", cases[i].in.ptr);
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
}

TEST(json, depth_is_limited)
{
    char text[2 * JSON_DEPTH_MAX + 2];
    for (size_t depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        ARENA(arena);
        Error err = {0};
        const Json *value;
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        CHECK(json_parse((Str){text, 2 * depth}, &arena, &value, &err) ==
              (depth <= JSON_DEPTH_MAX));
        if (depth > JSON_DEPTH_MAX) CHECK(str_has(str_of(err.text), STR("more than 128")));
    }
}

TEST(json, repeated_names_are_found_in_large_objects)
{
    ARENA(arena);
    Error err = {0};
    AUTO_STRBUF StrBuf text = STRBUF(100000);
    for (int i = 0; i < 2000; i++) strbuf_addf(&text, "%c\"n%d\":%d", i ? ',' : '{', i % 1000, i);
    strbuf_add_char(&text, '}');
    const Json *value = NULL, *member = NULL;
    CHECK_OK(json_parse(strbuf_str(&text), &arena, &value, &err), err);
    CHECK_INT(value->n, 1000);
    CHECK_STR(value->members[7].name, STR("n7"));
    CHECK_OK(json_need(value, "n7", JSON_NUMBER, &member, &err), err);
    CHECK_NEAR(member->number, 1007, 0);
}

TEST(json, access_is_checked)
{
    ARENA(arena);
    Error err = {0};
    const Json *value = NULL, *member = NULL;
    CHECK_OK(json_parse(STR("{\"a\":\"x\",\"b\":[1,2.5,null],\"c\":9007199254740993}"), &arena,
                        &value, &err),
             err);
    CHECK(!json_need(value, "z", JSON_STRING, &member, &err));
    CHECK_STR(str_of(err.text), STR("member 'z' is missing"));
    CHECK(!json_need(value, "a", JSON_NUMBER, &member, &err));
    CHECK_STR(str_of(err.text), STR("member 'a' is not a number"));
    double x = 0;
    const Json *array = json_get(value, "b");
    CHECK(json_number_at(array, 1, &x));
    CHECK_NEAR(x, 2.5, 0);
    CHECK(!json_number_at(array, 2, &x) && !json_number_at(array, 3, &x));
    CHECK(!json_at(array, 3) && !json_at(value, 0) && !json_get(array, "a") &&
          !json_get(NULL, "a"));
    int64_t integer = 0;
    CHECK(json_to_int64(json_get(value, "c"), &integer));
    CHECK_INT(integer, 9007199254740993);
    CHECK(!json_to_int64(json_at(array, 1), &integer));
}

TEST(json, non_finite_numbers_and_packed_arrays_on_request)
{
    ARENA(arena);
    Error err = {0};
    const Json *value = NULL;
    Str text = STR("[NaN,Infinity,-Infinity,[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,1.5],[1,2]]");
    CHECK(!json_parse(text, &arena, &value, &err));
    CHECK_OK(json_parse_with(text, JSON_NON_FINITE | JSON_PACK, &arena, &value, &err), err);
    CHECK(isnan(json_at(value, 0)->number));
    CHECK(json_at(value, 2)->number == (double)-INFINITY);
    CHECK_INT(json_at(value, 3)->type, JSON_DOUBLES);
    CHECK_NEAR(json_at(value, 3)->doubles[15], 1.5, 0);
    CHECK_INT(json_at(value, 4)->type, JSON_ARRAY);

    AUTO_STRBUF StrBuf out = STRBUF(1000);
    JsonWriter writer = JSON_WRITER(&out);
    writer.non_finite = true;
    json_value(&writer, value);
    CHECK_STR(strbuf_str(&out), text);
}

TEST(json, the_reader_pulls_and_skips)
{
    ARENA(arena);
    JsonReader reader;
    json_reader_init(&reader, STR("{\"skip\":[1,{\"a\":[]}],\"x\":-1.5e1,\"y\\n\":\"z\"}"));
    CHECK_INT(json_next(&reader), JSON_TOKEN_OBJECT_BEGIN);
    CHECK_INT(json_next(&reader), JSON_TOKEN_NAME);
    CHECK_STR(json_reader_string(&reader, &arena), STR("skip"));
    CHECK(json_skip(&reader));
    CHECK_INT(json_next(&reader), JSON_TOKEN_NAME);
    CHECK_INT(json_next(&reader), JSON_TOKEN_NUMBER);
    CHECK_NEAR(json_reader_number(&reader), -15, 0);
    CHECK_NEAR((double)json_reader_float(&reader), -15, 0);
    CHECK_INT(json_next(&reader), JSON_TOKEN_NAME);
    CHECK(reader.escaped);
    CHECK_STR(json_reader_string(&reader, &arena), STR("y\n"));
    CHECK(json_skip(&reader));
    CHECK(!json_skip(&reader)); /* there is no value, but the end of the object */
    CHECK_INT(json_next(&reader), JSON_TOKEN_END);
    CHECK_INT(json_next(&reader), JSON_TOKEN_END);
}

TEST(json, numbers_are_correctly_rounded)
{
    static const char *const fixed[] = {"0",
                                        "-0",
                                        "0.1",
                                        "1e22",
                                        "1e23",
                                        "9007199254740993",
                                        "16777217",
                                        "16777219",
                                        "1.00000017881393432617187499",
                                        "1.00000017881393432617187500",
                                        "3.4028236e38",
                                        "1e-45",
                                        "7e-46",
                                        "1.17549430e-38",
                                        "123456789012345678901",
                                        "0.000000000000000000001",
                                        "1e999",
                                        "-1e-999",
                                        "4503599627370497.5",
                                        "1.5e0010"};
    char text[64];
    uint64_t state = 1;
    for (int i = 0; i < 200000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        if (i < (int)COUNT(fixed))
            snprintf(text, sizeof text, "%s", fixed[i]);
        else if (i % 2)
            snprintf(text, sizeof text, "%s%llu.%0*llue%d", i % 3 ? "" : "-",
                     (unsigned long long)(state >> 60), (int)(state >> 33 & 15) + 1,
                     (unsigned long long)(state >> 30 & 0xfffffff), (int)(state >> 20 & 63) - 32);
        else
            snprintf(text, sizeof text, "%.*g", (int)(state >> 40 & 15) + 1,
                     (double)(int64_t)state * 1e-18);
        JsonReader reader;
        json_reader_init(&reader, str_of(text));
        CHECK_INT(json_next(&reader), JSON_TOKEN_NUMBER);
        double x = json_reader_number(&reader), want = strtod(text, NULL);
        float y = json_reader_float(&reader), want_float = strtof(text, NULL);
        if (memcmp(&x, &want, sizeof x) || memcmp(&y, &want_float, sizeof y))
            FAIL("%s is %.17g and %.9g, not %.17g and %.9g", text, x, (double)y, want,
                 (double)want_float);
    }
}

TEST(json, the_writer_puts_commas_and_blanks)
{
    AUTO_STRBUF StrBuf out = STRBUF(1000);
    JsonWriter writer = JSON_WRITER(&out);
    writer.indent = 2;
    json_begin_object(&writer);
    json_member_string(&writer, "a", STR("x\xffy"));
    json_member_double(&writer, "b", 0.1);
    json_name(&writer, STR("c"));
    json_begin_array(&writer);
    json_int(&writer, INT64_MIN);
    json_float(&writer, 0.1f);
    json_double(&writer, (double)NAN);
    json_end_array(&writer);
    json_name(&writer, STR("d"));
    json_begin_object(&writer);
    json_end_object(&writer);
    json_member_bool(&writer, "e", false);
    json_end_object(&writer);
    CHECK_STR(strbuf_str(&out), STR("{\n  \"a\": \"x\xef\xbf\xbdy\",\n  \"b\": 0.1,\n  \"c\": [\n"
                                    "    -9223372036854775808,\n    0.1,\n    null\n  ],\n"
                                    "  \"d\": {},\n  \"e\": false\n}"));
}

TEST(ubjson, good_bytes_become_trees)
{
    static const struct {
        Str in;
        const char *out;
    } cases[] = {
        {STR_INIT("Z"), "null"},
        {STR_INIT("T"), "true"},
        {STR_INIT("i\xff"), "-1"},
        {STR_INIT("U\xff"), "255"},
        {STR_INIT("I\xff\xfe"), "-2"},
        {STR_INIT("l\x00\x01\x00\x00"), "65536"},
        {STR_INIT("L\x7f\xff\xff\xff\xff\xff\xff\xff"), "9223372036854775807"},
        {STR_INIT("d\x3f\xc0\x00\x00"), "1.5"},
        {STR_INIT("D\xbf\xe0\x00\x00\x00\x00\x00\x00"), "-0.5"},
        {STR_INIT("Hi\x04"
                  "1e-3"),
         "1e-3"},
        {STR_INIT("CA"), "\"A\""},
        {STR_INIT("SU\x02hi"), "\"hi\""},
        {STR_INIT("SL\x00\x00\x00\x00\x00\x00\x00\x02hi"), "\"hi\""},
        {STR_INIT("NN[NTNFN]N"), "[true,false]"},
        {STR_INIT("[#i\x02TF"), "[true,false]"},
        {STR_INIT("[$d#L\0\0\0\0\0\0\0\x02\x3f\x80\0\0\x40\0\0\0"), "[1,2]"},
        {STR_INIT("[$D#i\x01\x3f\xf0\0\0\0\0\0\0"), "[1]"},
        {STR_INIT("[$l#i\x02\xff\xff\xff\xff\0\0\0\x07"), "[-1,7]"},
        {STR_INIT("[$L#i\x01\0\0\0\0\0\0\0\x07"), "[7]"},
        {STR_INIT("[$U#i\x02\x01\xfe"), "[1,254]"},
        {STR_INIT("[$i#i\x02\x01\xfe"), "[1,-2]"},
        {STR_INIT("[$I#i\x01\xff\xfe"), "[-2]"},
        {STR_INIT("[$S#i\x02i\x01"
                  "ai\x01"
                  "b"),
         "[\"a\",\"b\"]"},
        {STR_INIT("[$[#i\x02]]"), "[[],[]]"},
        {STR_INIT("[$d#i\x00"), "[]"},
        {STR_INIT("{i\x01"
                  "aTi\x01"
                  "b[]i\x01"
                  "aF}"),
         "{\"a\":false,\"b\":[]}"},
        {STR_INIT("{$i#i\x01i\x01"
                  "a\x05"),
         "{\"a\":5}"},
        {STR_INIT("{#i\x00"), "{}"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ARENA(arena);
        Error err = {0};
        const Json *value = NULL;
        if (!ubjson_parse(cases[i].in, &arena, &value, &err))
            FAIL("%s: %s", cases[i].out, err.text);
        AUTO_STRBUF StrBuf out = STRBUF(1000);
        JsonWriter writer = JSON_WRITER(&out);
        json_value(&writer, value);
        CHECK_STR(strbuf_str(&out), str_of(cases[i].out));
    }
}

TEST(ubjson, bad_bytes_are_refused_with_place_and_reason)
{
    static const struct {
        Str in;
        const char *want;
    } cases[] = {
        {STR_INIT(""), "UBJSON: byte 0: the end of the file within a value"},
        {STR_INIT("x"), "UBJSON: byte 0: an unknown type"},
        {STR_INIT("I\x01"), "UBJSON: byte 2: the end of the file within a value"},
        {STR_INIT("ZZ"), "UBJSON: byte 1: something after the value"},
        {STR_INIT("Si\xff"), "UBJSON: byte 1: a negative length"},
        {STR_INIT("Si\x05hi"), "UBJSON: byte 3: a text that is longer than the file"},
        {STR_INIT("Sd\x05hi"), "UBJSON: byte 1: a length that is no integer"},
        {STR_INIT("Si\x02h\xff"), "UBJSON: byte 4: bytes that are not UTF-8"},
        {STR_INIT("C\x80"), "UBJSON: byte 1: a character above 127"},
        {STR_INIT("Hi\x02zz"), "UBJSON: byte 1: a high-precision number that is none"},
        {STR_INIT("[T"), "UBJSON: byte 2: the end of the file within a value"},
        {STR_INIT("[T}"), "UBJSON: byte 2: an unknown type"},
        {STR_INIT("[$Z#i\x01"),
         "UBJSON: byte 2: an element type that is unknown or has no payload"},
        {STR_INIT("[$d"), "UBJSON: byte 3: an element type without a count"},
        {STR_INIT("[$d#L\x7f\xff\xff\xff\xff\xff\xff\xff"),
         "UBJSON: byte 3: more elements than the file has bytes"},
        {STR_INIT("[$d#i\x02\0\0\0\0"), "UBJSON: byte 6: an array that is longer than the file"},
        {STR_INIT("[#l\x7f\xff\xff\xffT"), "UBJSON: byte 1: more elements than the file has bytes"},
        {STR_INIT("{T}"), "UBJSON: byte 1: a length that is no integer"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        ARENA(arena);
        Error err = {0};
        const Json *value;
        if (ubjson_parse(cases[i].in, &arena, &value, &err)) FAIL("accepted: %s", cases[i].in.ptr);
        CHECK_STR(str_of(err.text), str_of(cases[i].want));
    }
    char deep[JSON_DEPTH_MAX + 1];
    memset(deep, '[', sizeof deep);
    ARENA(arena);
    Error err = {0};
    const Json *value;
    CHECK(!ubjson_parse((Str){deep, sizeof deep}, &arena, &value, &err));
    CHECK(str_has(str_of(err.text), STR("more than 128")));
}
