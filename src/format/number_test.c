#include "format/number.h"

#include "base/random.h"
#include "base/test.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct Draws {
    Random random;
    uint64_t at;
} Draws;

static uint64_t draw(Draws *draws)
{
    return random_u64(draws->random, draws->at++);
}

static uint32_t float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static uint64_t double_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Both parsers against the C library, on a copy with nothing readable behind it. */
static void check_text(const char *text)
{
    size_t n = strlen(text);
    char *copy = strndup(text, n), *want_end;
    float f = -12345, want_f = strtof(text, NULL);
    double d = -12345, want_d = strtod(text, &want_end);
    const char *end_d = number_parse_double(copy, copy + n, &d);
    const char *end_f = number_parse_float(copy, copy + n, &f);
    if (end_d - copy != want_end - text || end_f - copy != want_end - text)
        FAIL("'%s': read %td and %td bytes, not %td", text, end_d - copy, end_f - copy,
             want_end - text);
    if (want_end > text && !isnan(want_d)) {
        if (double_bits(d) != double_bits(want_d)) FAIL("'%s': %a, not %a", text, d, want_d);
        if (float_bits(f) != float_bits(want_f))
            FAIL("'%s': %a, not %a", text, (double)f, (double)want_f);
    }
    if (want_end > text && isnan(want_d) && !(isnan(d) && isnan(f))) FAIL("'%s' is no NaN", text);
    if (want_end == text && (d != -12345 || f != -12345)) FAIL("'%s' set the value", text);
    free(copy);
}

TEST(number, texts_read_as_the_c_library_reads_them)
{
    static const char *const texts[] = {
        "0",
        "-0",
        "+0",
        "1",
        "+1",
        "-1.5",
        "1.",
        ".5",
        "-.5",
        ".",
        "-",
        "+",
        "",
        "e5",
        "1e",
        "1e+",
        "1e-",
        "1e5",
        "1E5",
        "1e+5",
        "1e-5",
        "1e05",
        "1.e5",
        "1e400",
        "-1e400",
        "0.1e-400",
        "1e-400",
        "0e999999999999",
        "1e99999999999999999999",
        "1e-99999999999999999999",
        "inf",
        "-inf",
        "+INF",
        "Infinity",
        "infinit",
        "nan",
        "NaN",
        "-nan",
        "in",
        "na",
        "1x",
        "1 ",
        "1e5x",
        "1..2",
        "1.2.3",
        "--1",
        "+-1",
        "0.1",
        "0.2",
        "0.3",
        "3.4028234663852886e38",
        "3.4028235677973366e38",
        "3.40282356779733661637e38",
        "3.4028236e38",
        "1.1754943508222875e-38",
        "1.4012984643248171e-45",
        "7.0064923216240854e-46",
        "7.00649232162408535e-46",
        "7.0064923216240861e-46",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.797693134862315807e308",
        "1.797693134862315808e308",
        "4.9406564584124654e-324",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "2.2250738585072011e-308",
        "2.2250738585072014e-308",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0000000000000001",
        "9007199254740994",
        "9007199254740995",
        "16777216",
        "16777217",
        "16777217.000000000000000000000001",
        "16777218",
        "16777219",
        "18446744073709551615",
        "18446744073709551616",
        "99999999999999999999",
        "0.000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
        "100000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
        "123456789012345678901234567890",
        "1234567890.123456789012345678901234567890",
        "00000000000000000001.5",
        "8.5070591730234616e37",
        "1.00000017881393432617187499",
        "1.00000017881393432617187500",
        "1.00000017881393432617187501",
        "6631236846766476e-316",
        "3237883913302901289588352411501883e-340",
        "2.22507385850720212418870147920222032907240528279439037814303133837435107319244194686754406432563881851"
        "382188218502438069999947733013005649884107791928741341929297200970481951993067993290969042784064731682"
        "041565926728632933630474670123316852983422152744517260835859654566319282835244787787799894310779783833"
        "699159288594555213714181128458251145584319223079897504395086859412457230891738946169368372321191373658"
        "977977723286698840356390251044443035457396733706583981055420456693824658413747607155981176573877626747"
        "665912387199931904006317334709003012790188175203447190250028061277777916798391090578584006464715943810"
        "511489154282775041174682194133952466682503431306181587829379004205392375072083366693241580002758391118"
        "854188641513168478436313080237596295773983001708984375e-308",
    };
    for (size_t i = 0; i < COUNT(texts); i++) check_text(texts[i]);
}

TEST(number, nothing_is_read_beyond_the_end)
{
    static const struct {
        Str text;
        size_t n;
        double want;
    } cases[] = {{STR_INIT("12345"), 3, 123},
                 {STR_INIT("1e5"), 2, 1},
                 {STR_INIT("1.5"), 2, 1},
                 {STR_INIT("infinity"), 7, INFINITY},
                 {STR_INIT("1e-5"), 3, 1}};
    for (size_t i = 0; i < COUNT(cases); i++) {
        double d = 0;
        number_parse_double(cases[i].text.ptr, cases[i].text.ptr + cases[i].n, &d);
        CHECK_NEAR(d, cases[i].want, 0);
    }
}

static void random_text(Draws *draws, char *text)
{
    char *p = text;
    uint32_t kind = (uint32_t)draw(draws);
    if (kind & 1) *p++ = '-';
    int whole = (int)(kind >> 1 & 15), fraction = (int)(kind >> 5 & 31);
    if ((kind >> 10 & 31) == 0) whole += 400;
    if ((kind >> 15 & 31) == 0) fraction += 800;
    uint64_t digits = draw(draws);
    for (int i = 0; i < whole; i++, digits /= 10) {
        if (digits == 0) digits = (kind >> 20 & 3) ? draw(draws) : 0;
        *p++ = (char)('0' + digits % 10);
    }
    if (kind >> 22 & 3) *p++ = '.';
    for (int i = 0; i < fraction; i++, digits /= 10) {
        if (digits == 0) digits = (kind >> 20 & 3) ? draw(draws) : 0;
        *p++ = (char)('0' + digits % 10);
    }
    if ((kind >> 24 & 3) == 0) p += snprintf(p, 16, "e%d", (int)(draw(draws) % 700) - 350);
    if ((kind >> 24 & 3) == 1) p += snprintf(p, 16, "E%+d", (int)(draw(draws) % 90) - 45);
    *p = 0;
}

TEST(number, random_texts)
{
    Draws draws = {random_stream(1, 0), 0};
    char text[2048];
    for (int i = 0; i < 400000; i++) {
        random_text(&draws, text);
        check_text(text);
    }
}

/* Texts at, just below and just above the middle between two neighbors. */
TEST(number, halfway_cases)
{
    Draws draws = {random_stream(2, 0), 0};
    char text[2048];
    for (int i = 0; i < 20000; i++) {
        uint32_t bits = (uint32_t)draw(&draws) & 0x7fffffff;
        if (bits >= 0x7f7fffff) continue;
        float low, high;
        uint32_t next = bits + 1;
        memcpy(&low, &bits, 4);
        memcpy(&high, &next, 4);
        double middle = ((double)low + (double)high) / 2; /* exact */
        int n = snprintf(text, sizeof text, "%.200e", middle);
        check_text(text);
        char *e = strchr(text, 'e');
        for (char *p = e - 1; p > text; p--) { /* one unit up in the last place: "...0001" */
            if (*p == '0') {
                *p = '1';
                break;
            }
        }
        check_text(text);
        snprintf(text, sizeof text, "%.17g", nextafter(middle, 0));
        check_text(text);
        snprintf(text, sizeof text, "%.17g", middle);
        check_text(text);
        CHECK(n > 0);
    }
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = draw(&draws) & 0x7fffffffffffffff;
        if (i & 1) bits &= 0x001fffffffffffff; /* subnormal and nearly so */
        double low;
        memcpy(&low, &bits, 8);
        if (!isfinite(low)) continue;
        double high = nextafter(low, INFINITY);
        snprintf(text, sizeof text, "%.1100Lg", ((long double)low + (long double)high) / 2);
        check_text(text);
        size_t n = strlen(text);
        if (!strchr(text, 'e') && strchr(text, '.') && n + 2 < sizeof text) {
            memcpy(text + n, "1", 2);
            check_text(text);
        }
    }
}

TEST(number, printed_forms)
{
    static const struct {
        double x;
        const char *as_double, *as_float;
    } cases[] = {
        {0, "0", "0"},
        {-0.0, "-0", "-0"},
        {1, "1", "1"},
        {-1.5, "-1.5", "-1.5"},
        {0.1, "0.1", "0.1"},
        {100, "100", "100"},
        {123456789, "123456789", "123456790"},
        {1e-7, "1e-07", "1e-07"},
        {1.5e-7, "1.5e-07", "1.5e-07"},
        {0.0001, "0.0001", "0.0001"},
        {0.00001, "1e-05", "1e-05"},
        {1e15, "1000000000000000", "1000000000000000"},
        {1e16, "1e+16", "1e+16"},
        {1e22, "1e+22", "1e+22"},
        {1e300, "1e+300", "inf"},
        {5e-324, "5e-324", "0"},
        {1.7976931348623157e308, "1.7976931348623157e+308", "inf"},
        {3.4028234663852886e38, "3.4028234663852886e+38", "3.4028235e+38"},
        {1.401298464324817e-45, "1.401298464324817e-45", "1e-45"},
        {9007199254740992, "9007199254740992", "9007199000000000"},
        {0.3333333333333333, "0.3333333333333333", "0.33333334"},
        {INFINITY, "inf", "inf"},
        {-INFINITY, "-inf", "-inf"},
        {NAN, "nan", "nan"},
        {-NAN, "nan", "nan"},
    };
    char text[NUMBER_TEXT_MAX];
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t n = number_print_double(cases[i].x, text);
        CHECK_STR(((Str){text, n}), str_of(cases[i].as_double));
        n = number_print_float((float)cases[i].x, text);
        CHECK_STR(((Str){text, n}), str_of(cases[i].as_float));
    }
}

/* Reads back to the same bits, and "%.Ng" with fewer digits does not. */
static void check_printed(double x, bool as_float)
{
    char text[NUMBER_TEXT_MAX + 1], shorter[64];
    size_t n = as_float ? number_print_float((float)x, text) : number_print_double(x, text);
    CHECK(n < NUMBER_TEXT_MAX);
    text[n] = 0;
    bool same = as_float ? float_bits(strtof(text, NULL)) == float_bits((float)x)
                         : double_bits(strtod(text, NULL)) == double_bits(x);
    if (!same) FAIL("%a is printed as %s", x, text);

    int first = 0, last = 0, at = 0; /* significant digits: without zeros at both ends */
    for (const char *p = text; *p && *p != 'e'; p++) {
        if (*p < '0' || *p > '9') continue;
        at++;
        if (*p == '0') continue;
        if (!first) first = at;
        last = at;
    }
    int digits = last - first + 1;
    if (digits <= 1) return;
    snprintf(shorter, sizeof shorter, "%.*e", digits - 2, x);
    same = as_float ? strtof(shorter, NULL) == (float)x : strtod(shorter, NULL) == x;
    if (same) FAIL("%a is printed as %s, but %s is shorter", x, text, shorter);
    /* Of all texts as short, the nearest one. */
    snprintf(shorter, sizeof shorter, "%.*e", digits - 1, x);
    same = as_float ? strtof(shorter, NULL) == (float)x : strtod(shorter, NULL) == x;
    if (same && strtod(shorter, NULL) != strtod(text, NULL))
        FAIL("%a is printed as %s, but %s is nearer", x, text, shorter);
}

TEST(number, random_values_print_shortest)
{
    Draws draws = {random_stream(3, 0), 0};
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = draw(&draws);
        if (i % 16 == 0) bits &= 0xfff0000000000000u; /* powers of two have unequal neighbors */
        if (i % 16 == 1) bits &= 0x800fffffffffffffu;
        double d;
        memcpy(&d, &bits, 8);
        if (isfinite(d)) check_printed(d, false);
        uint32_t low = (uint32_t)(bits >> 20);
        if (i % 16 == 2) low &= 0xff800000u;
        if (i % 16 == 3) low &= 0x807fffffu;
        float f;
        memcpy(&f, &low, 4);
        if (isfinite(f)) check_printed((double)f, true);
        check_printed((double)(int64_t)(bits >> (i % 60)), false);
        check_printed((double)(bits % 1000000) / 1000, false);
    }
}
