/* Floats and doubles to the shortest text that reads back to the same value.
 *
 * A value rounds back from everything between the midpoints to its neighbors.  Scaled by a power of
 * ten so that this interval is between 1 and 10 units wide (or a little less), the candidates are
 * the two multiples of ten units around the value, if one lies inside, else the two units around
 * it; the nearer one wins.  Products with 128 bits of the power, rounded to odd, order them rightly.
 *
 * Giulietti: The Schubfach Way to Render Doubles, 2021. */

#include "format/number.h"

#include "format/number_power.h"

typedef struct Decimal {
    uint64_t digits;
    int exponent;
} Decimal;

/* The first 64 bits of g * c / 2^64, the last of them set when something was cut off. */
static inline uint64_t round_to_odd(const uint64_t g[2], uint64_t c)
{
    unsigned __int128 low = (unsigned __int128)g[1] * c;
    unsigned __int128 sum = (unsigned __int128)g[0] * c + (uint64_t)(low >> 64);
    return (uint64_t)(sum >> 64) | ((uint64_t)sum > 1);
}

/* The power of ten with the 128 bits rounded up. */
static inline void power_up(int q, uint64_t g[2])
{
    const uint64_t *bits = power_bits(q);
    uint64_t up = q > POWER_EXACT_LAST;
    g[1] = bits[1] + up;
    g[0] = bits[0] + (g[1] < up);
}

/* c * 2^q with c > 0; `closer` says that the value below is at half the distance of the one above. */
static inline Decimal shortest(uint64_t c, int q, bool closer)
{
    int k = (q * 1262611 - (closer ? 524031 : 0)) >>
            22; /* floor(log10(2^q)), of 3/4 of it if closer */
    int h = q + power_exponent(-k) + 1;
    UNINITIALIZED uint64_t g[2];
    power_up(-k, g);
    uint64_t odd = c & 1; /* an even value owns the ends of its interval */
    uint64_t lower = round_to_odd(g, (4 * c - 2 + closer) << h) + odd;
    uint64_t value = round_to_odd(g, 4 * c << h);
    uint64_t upper = round_to_odd(g, (4 * c + 2) << h) - odd;

    uint64_t units = value / 4;
    if (units >= 10) {
        uint64_t tens = units / 10;
        bool down = lower <= 40 * tens, up = 40 * tens + 40 <= upper;
        if (down != up) return (Decimal){tens + up, k + 1};
    }
    bool down = lower <= 4 * units, up = 4 * units + 4 <= upper;
    if (down != up) return (Decimal){units + up, k};
    uint64_t middle = 4 * units + 2;
    return (Decimal){units + (value > middle || (value == middle && (units & 1))), k};
}

static const char pairs[] =
    "0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546"
    "4748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293"
    "949596979899";

static inline int digit_count(uint64_t x)
{
    static const uint64_t powers[] = {1u,
                                      10u,
                                      100u,
                                      1000u,
                                      10000u,
                                      100000u,
                                      1000000u,
                                      10000000u,
                                      100000000u,
                                      1000000000u,
                                      10000000000u,
                                      100000000000u,
                                      1000000000000u,
                                      10000000000000u,
                                      100000000000000u,
                                      1000000000000000u,
                                      10000000000000000u,
                                      100000000000000000u,
                                      1000000000000000000u,
                                      10000000000000000000u};
    int n = (1233 * (64 - __builtin_clzll(x | 1))) >> 12; /* or one less than that */
    return n + (x >= powers[n]);
}

/* Writes n digits ending before `end`. */
static inline void write_digits(uint64_t x, int n, char *end)
{
    for (; n >= 2; n -= 2) {
        end -= 2;
        memcpy(end, pairs + 2 * (x % 100), 2);
        x /= 100;
    }
    if (n) *--end = (char)('0' + x % 10);
}

/* Python's form: an exponent below 1e-4 and from 1e16 on, of at least two digits. */
static size_t write_decimal(Decimal decimal, char *buffer)
{
    while (decimal.digits % 100 == 0) {
        decimal.digits /= 100;
        decimal.exponent += 2;
    }
    if (decimal.digits % 10 == 0) {
        decimal.digits /= 10;
        decimal.exponent++;
    }
    int n = digit_count(decimal.digits), point = n + decimal.exponent;
    char *p = buffer;
    if (point > 16 || point < -3) {
        write_digits(decimal.digits, n, p + 1 + n);
        p[0] = p[1];
        p += 1;
        if (n > 1) {
            *p = '.';
            p += n;
        }
        int power = point - 1;
        *p++ = 'e';
        *p++ = power < 0 ? '-' : '+';
        if (power < 0) power = -power;
        if (power >= 100) *p++ = (char)('0' + power / 100);
        memcpy(p, pairs + 2 * (power % 100), 2);
        p += 2;
    } else if (point <= 0) {
        memcpy(p, "0.000", 5);
        p += 2 - point;
        write_digits(decimal.digits, n, p + n);
        p += n;
    } else if (point >= n) {
        write_digits(decimal.digits, n, p + n);
        memset(p + n, '0', (size_t)(point - n));
        p += point;
    } else {
        write_digits(decimal.digits, n, p + n + 1);
        memmove(p, p + 1, (size_t)point);
        p[point] = '.';
        p += n + 1;
    }
    return (size_t)(p - buffer);
}

/* inf, nan and zero: what has no digits. */
static size_t write_special(bool nan, bool zero, char *p, char *buffer)
{
    if (nan) p = buffer; /* without a sign */
    memcpy(p, nan ? "nan" : "inf", 3);
    if (zero) *p = '0';
    return (size_t)(p - buffer) + (zero ? 1 : 3);
}

/* Whole numbers up to 2^bits have their own digits. */
static inline bool whole_number(uint64_t c, int q, int bits, Decimal *ret_decimal)
{
    if (q > 0 || q < -bits || (c & (((uint64_t)1 << -q) - 1))) return false;
    *ret_decimal = (Decimal){c >> -q, 0};
    return true;
}

static inline size_t print(bool negative, uint64_t fraction, int exponent, int bits,
                           int exponent_max, int bias, char *buffer)
{
    char *p = buffer;
    if (negative) *p++ = '-';
    bool zero = exponent == 0 && fraction == 0;
    if (UNLIKELY(zero || exponent == exponent_max))
        return write_special(exponent == exponent_max && fraction != 0, zero, p, buffer);

    uint64_t c = exponent ? fraction | (uint64_t)1 << bits : fraction;
    int q = MAX(exponent, 1) - bias - bits;
    UNINITIALIZED Decimal decimal;
    if (!whole_number(c, q, bits, &decimal))
        decimal = shortest(c, q, fraction == 0 && exponent > 1);
    return (size_t)(p - buffer) + write_decimal(decimal, p);
}

size_t number_print_double(double x, char buffer[static NUMBER_TEXT_MAX])
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return print(bits >> 63, bits & (((uint64_t)1 << 52) - 1), (int)(bits >> 52 & 0x7ff), 52, 0x7ff,
                 1023, buffer);
}

size_t number_print_float(float x, char buffer[static NUMBER_TEXT_MAX])
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return print(bits >> 31, bits & (((uint32_t)1 << 23) - 1), (int)(bits >> 23 & 0xff), 23, 0xff,
                 127, buffer);
}
