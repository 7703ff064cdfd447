#ifndef CLARY_FORMAT_NUMBER_POWER_H
#define CLARY_FORMAT_NUMBER_POWER_H

/* Powers of ten, as number_parse.c and number_print.c need them. */

#include "base/base.h"

enum { POWER_FIRST = -342, POWER_LAST = 326 };

/* Entry q - POWER_FIRST holds the first 128 bits m of 10^q, high word first:
 * 10^q = m * 2^(power_exponent(q) - 127) with 2^127 <= m < 2^128, rounded down for q >= 0 and up for
 * q < 0; exact for q in [0, 55].  Made by tools/number_powers.py. */
extern const uint64_t number_power_bits[POWER_LAST - POWER_FIRST + 1][2];

enum { POWER_EXACT_LAST = 55 };

static inline const uint64_t *power_bits(int q)
{
    return number_power_bits[q - POWER_FIRST];
}

/* floor(log2(10^q)); right for all q of the table. */
static inline int power_exponent(int q)
{
    return (217706 * q) >> 16;
}

#endif
