/* Numbers: read as strtod and strtof read them, printed so that they read back. */

#include "base/base.h"
#include "format/number.h"

#include <math.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_double(double a, double b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

static bool same_float(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *exact = malloc(size + 1), *text = malloc(size + 1), buffer[NUMBER_TEXT_MAX];
    if (!exact || !text) abort();
    memcpy(text, data, size);
    text[size] = 0;
    exact = realloc(exact, size ? size : 1); /* so that a sanitizer sees reads beyond the end */
    memcpy(exact, data, size);

    double d = 0, d_again = 1;
    float f = 0, f_again = 1;
    const char *end_d = number_parse_double(exact, exact + size, &d);
    const char *end_f = number_parse_float(exact, exact + size, &f);
    if (end_d != end_f) __builtin_trap();

    /* The C library also takes blanks before, hexadecimal digits and nan(...). */
    size_t n = (size_t)(end_d - exact);
    text[n] = 0;
    char *end;
    double want_d = strtod(text, &end);
    if (n && (end != text + n || !same_double(d, want_d) || !same_float(f, strtof(text, NULL))))
        __builtin_trap();
    if (n) {
        size_t length = number_print_double(d, buffer);
        if (number_parse_double(buffer, buffer + length, &d_again) != buffer + length)
            __builtin_trap();
        if (!same_double(d, d_again)) __builtin_trap();
        length = number_print_float(f, buffer);
        if (number_parse_float(buffer, buffer + length, &f_again) != buffer + length)
            __builtin_trap();
        if (!same_float(f, f_again)) __builtin_trap();
    }
    free(exact);
    free(text);
    return 0;
}
