/* Decimal text to float and double, correctly rounded.
 *
 * Three ways, from fast to slow.  Up to 2^53 times or over a power of ten that a double holds is one
 * exactly rounded operation (Clinger).  Else the digits are multiplied by 128 bits of the power of
 * ten, which decides all but texts of more than 19 digits (Eisel, Lemire).  What is left, when
 * the first 19 digits and their successor round to different values, goes to the C library.
 *
 * Clinger: How to Read Floating Point Numbers Accurately, 1990.
 * Lemire: Number Parsing at a Gigabyte per Second, 2021.
 * Mushtak, Lemire: Fast Number Parsing Without Fallback, 2023 (why 128 bits are enough). */

#include "format/number.h"

#include "format/number_power.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    DIGITS_FAST = 19,     /* always fit 64 bits */
    DIGITS_EXACT = 800,   /* more than the 767 that can matter to a double */
    EXPONENT_CUT = 99999, /* beyond it all values are zero or infinite, whatever their digits */
};

typedef struct Decimal {
    uint64_t digits;         /* the first 19 significant ones */
    int64_t exponent;        /* of ten */
    bool negative, more;     /* more: digits that are not zero were left out */
    const char *begin, *end; /* of the digits and the point, for the slow way */
    int64_t exponent_text;
} Decimal;

typedef struct Format {
    int bits; /* of the significand, the hidden one not counted */
    int bias, exponent_max;
    int power_min, power_max; /* of ten: smaller ones are zero, larger ones infinite */
    int tie_min, tie_max;     /* powers of ten with which 64 bits can lie halfway between values */
} Format;

static const Format double_format = {52, 1023, 0x7ff, -342, 308, -4, 23};
static const Format float_format = {23, 127, 0xff, -65, 38, -17, 10};

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

static inline uint64_t load_8(const char *text)
{
    uint64_t word;
    memcpy(&word, text, sizeof word);
    return word;
}

static inline bool are_8_digits(uint64_t word)
{
    uint64_t high = word & 0xf0f0f0f0f0f0f0f0u,
             carry = (word + 0x0606060606060606u) & 0xf0f0f0f0f0f0f0f0u;
    return high == 0x3030303030303030u && carry == 0x3030303030303030u;
}

/* Eight digits, the first in the lowest byte: pairs, then fours, then all. */
static inline uint64_t value_of_8(uint64_t word)
{
    word -= 0x3030303030303030u;
    word = (word * 10 + (word >> 8)) & 0x00ff00ff00ff00ffu;
    word = (word * 100 + (word >> 16)) & 0x0000ffff0000ffffu;
    return (word * 10000 + (word >> 32)) & 0xffffffffu;
}

/* Digits as long as there are any; may wrap, which the caller finds by their count. */
static inline const char *scan_digits(const char *p, const char *end, uint64_t *digits)
{
    uint64_t value = *digits;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - p >= 8) {
        uint64_t word = load_8(p);
        if (!are_8_digits(word)) break;
        value = value * 100000000 + value_of_8(word);
        p += 8;
    }
#endif
    for (; p < end && is_digit(*p); p++) value = value * 10 + (uint64_t)(*p - '0');
    *digits = value;
    return p;
}

/* More than 19 digits: takes the first 19 significant ones, if there are so many. */
static void cut_digits(Decimal *decimal)
{
    uint64_t value = 0;
    int n = 0;
    int64_t exponent = decimal->exponent_text;
    bool point = false;
    for (const char *p = decimal->begin; p < decimal->end; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        if (n < DIGITS_FAST) {
            value = value * 10 + (uint64_t)(*p - '0');
            n += value != 0;
            exponent -= point;
        } else {
            if (*p != '0') decimal->more = true;
            exponent += !point;
        }
    }
    decimal->digits = value;
    decimal->exponent = exponent;
}

static const char *scan_exponent(const char *p, const char *end, int64_t *ret_exponent)
{
    const char *q = p + 1;
    bool negative = q < end && *q == '-';
    if (q < end && (*q == '-' || *q == '+')) q++;
    if (q == end || !is_digit(*q)) return p; /* "1e" is 1 and a letter */
    int64_t value = 0;
    for (; q < end && is_digit(*q); q++)
        if (value < EXPONENT_CUT * (int64_t)1000) value = value * 10 + (*q - '0');
    *ret_exponent = negative ? -value : value;
    return q;
}

/* NULL when no digits are there. */
static inline const char *scan_decimal(const char *p, const char *end, Decimal *decimal)
{
    decimal->begin = p;
    uint64_t digits = 0;
    const char *q = scan_digits(p, end, &digits);
    int64_t n = q - p, exponent = 0;
    if (q < end && *q == '.') {
        const char *fraction = q + 1;
        q = scan_digits(fraction, end, &digits);
        exponent = fraction - q;
        n -= exponent;
        if (n == 0) return NULL;
    }
    if (n == 0) return NULL;
    decimal->end = q;
    decimal->digits = digits;
    decimal->more = false;
    decimal->exponent_text = 0;
    if (q < end && (*q | 32) == 'e') q = scan_exponent(q, end, &decimal->exponent_text);
    decimal->exponent = exponent + decimal->exponent_text;
    if (UNLIKELY(n > DIGITS_FAST)) cut_digits(decimal);
    return q;
}

/* The bits of digits * 10^power without the sign. */
static uint64_t multiply(const Format *format, uint64_t digits, int64_t power)
{
    if (digits == 0 || power < format->power_min) return 0;
    const uint64_t infinite = (uint64_t)format->exponent_max << format->bits;
    if (power > format->power_max) return infinite;

    const uint64_t *bits = power_bits((int)power);
    int zeros = __builtin_clzll(digits);
    digits <<= zeros;
    unsigned __int128 product = (unsigned __int128)digits * bits[0];
    uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
    uint64_t below = UINT64_MAX >> (format->bits + 3);
    if ((high & below) == below) { /* a carry from the second word might matter */
        uint64_t second = (uint64_t)(((unsigned __int128)digits * bits[1]) >> 64);
        low += second;
        high += low < second;
    }

    int upper = (int)(high >> 63);
    int shift = upper + 64 - format->bits - 3;
    uint64_t significand = high >> shift; /* with one bit more, to round by */
    int exponent = power_exponent((int)power) + 63 + upper - zeros + format->bias;
    if (exponent <= 0) { /* subnormal; ties are impossible there */
        if (exponent <= -63) return 0;
        significand >>= 1 - exponent;
        significand += significand & 1;
        return significand >> 1; /* a carry makes it the smallest normal number by itself */
    }
    /* Exactly halfway: to even, so do not round up. */
    if (low <= 1 && power >= format->tie_min && power <= format->tie_max &&
        (significand & 3) == 1 && significand << shift == high)
        significand &= ~(uint64_t)1;
    significand += significand & 1;
    significand >>= 1;
    /* The hidden bit adds one to the exponent, a carry beyond it another one. */
    uint64_t value = ((uint64_t)(exponent - 1) << format->bits) + significand;
    return MIN(value, infinite);
}

static locale_t c_locale;

__attribute__((constructor)) static void make_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* Writes at most DIGITS_EXACT digits, the last one standing for all after it, as "DIGITSeEXPONENT". */
static void write_plain(const Decimal *decimal, char text[static DIGITS_EXACT + 64])
{
    int n = 0;
    bool point = false, more = false;
    int64_t exponent = decimal->exponent_text;
    for (const char *p = decimal->begin; p < decimal->end; p++) {
        if (*p == '.') {
            point = true;
            continue;
        }
        exponent -= point;
        if (n == 0 && *p == '0') continue;
        if (n < DIGITS_EXACT) {
            text[n++] = *p;
        } else {
            more |= *p != '0';
            exponent++;
        }
    }
    if (more) text[n - 1] = '1'; /* not a value halfway between two, which has fewer digits */
    snprintf(text + n, 64, "e%lld", (long long)exponent);
}

static double slow_double(const Decimal *decimal)
{
    char text[DIGITS_EXACT + 64];
    write_plain(decimal, text);
    return c_locale ? strtod_l(text, NULL, c_locale) : strtod(text, NULL);
}

static float slow_float(const Decimal *decimal)
{
    char text[DIGITS_EXACT + 64];
    write_plain(decimal, text);
    return c_locale ? strtof_l(text, NULL, c_locale) : strtof(text, NULL);
}

static double decimal_double(const Decimal *decimal)
{
    uint64_t bits = multiply(&double_format, decimal->digits, decimal->exponent);
    if (UNLIKELY(decimal->more) &&
        bits != multiply(&double_format, decimal->digits + 1, decimal->exponent))
        return slow_double(decimal);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static float decimal_float(const Decimal *decimal)
{
    uint64_t bits = multiply(&float_format, decimal->digits, decimal->exponent);
    if (UNLIKELY(decimal->more) &&
        bits != multiply(&float_format, decimal->digits + 1, decimal->exponent))
        return slow_float(decimal);
    uint32_t low = (uint32_t)bits;
    float value;
    memcpy(&value, &low, sizeof value);
    return value;
}

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* One correctly rounded operation, when digits and power are exact doubles. */
static inline bool clinger(const Decimal *decimal, double *ret_value)
{
    if (decimal->more || decimal->digits > (uint64_t)1 << 53 || decimal->exponent < -22 ||
        decimal->exponent > 22)
        return false;
    double digits = (double)decimal->digits;
    *ret_value = decimal->exponent < 0 ? digits / exact_powers[-decimal->exponent]
                                       : digits * exact_powers[decimal->exponent];
    return true;
}

static const char *scan_word(const char *p, const char *end, double *ret_value)
{
    Str rest = {p, (size_t)(end - p)};
    static const struct {
        Str word;
        double value;
    } words[] = {
        {STR_INIT("infinity"), INFINITY}, {STR_INIT("inf"), INFINITY}, {STR_INIT("nan"), NAN}};
    for (size_t i = 0; i < COUNT(words); i++)
        if (rest.len >= words[i].word.len &&
            str_eq_nocase(str_slice(rest, 0, words[i].word.len), words[i].word)) {
            *ret_value = words[i].value;
            return p + words[i].word.len;
        }
    return NULL;
}

const char *number_parse_double(const char *text, const char *end, double *ret_value)
{
    const char *p = text;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;

    UNINITIALIZED Decimal decimal;
    double value;
    const char *after = scan_decimal(p, end, &decimal);
    if (LIKELY(after != NULL)) {
        if (!clinger(&decimal, &value)) value = decimal_double(&decimal);
    } else {
        after = scan_word(p, end, &value);
        if (!after) return text;
    }
    *ret_value = negative ? -value : value;
    return after;
}

const char *number_parse_float(const char *text, const char *end, float *ret_value)
{
    const char *p = text;
    bool negative = p < end && *p == '-';
    if (p < end && (*p == '-' || *p == '+')) p++;

    UNINITIALIZED Decimal decimal;
    double wide;
    float value;
    const char *after = scan_decimal(p, end, &decimal);
    if (LIKELY(after != NULL)) {
        value = 0;
        bool done = false;
        if (clinger(&decimal, &wide)) {
            /* Rounding the double again is right unless it lies exactly between two floats, which
             * its unrounded value perhaps does not. */
            uint64_t bits;
            memcpy(&bits, &wide, sizeof bits);
            done = (bits & 0x1fffffff) != 0x10000000;
            value = (float)wide;
        }
        if (!done) value = decimal_float(&decimal);
    } else {
        after = scan_word(p, end, &wide);
        if (!after) return text;
        value = (float)wide;
    }
    *ret_value = negative ? -value : value;
    return after;
}
