#!/usr/bin/env python3
"""Writes the table of powers of ten for src/format/number*.c: number_powers.py OUTPUT

Entry q holds the first 128 bits of 10^q, as in 10^q = m * 2^(e - 127) with 2^127 <= m < 2^128: rounded
down for q >= 0, up for q < 0 (what Eisel's and Lemire's method needs)."""

import sys

FIRST, LAST = -342, 326  # as in src/format/number_power.h


def bits_128(q):
    if q >= 0:
        power = 5**q
        shift = power.bit_length() - 128
        return power >> shift if shift > 0 else power << -shift
    power = 5**-q
    shift = power.bit_length() + 127
    bits = (1 << shift) // power + 1
    while bits >= 1 << 128:
        shift -= 1
        bits = (1 << shift) // power + 1
    return bits


def main():
    lines = ["/* Made by tools/number_powers.py. */", '#include "format/number_power.h"', "",
             "const uint64_t number_power_bits[POWER_LAST - POWER_FIRST + 1][2] = {"]
    for q in range(FIRST, LAST + 1):
        bits = bits_128(q)
        assert 1 << 127 <= bits < 1 << 128
        lines.append("    {0x%016xu, 0x%016xu}," % (bits >> 64, bits & (2**64 - 1)))
    lines.append("};\n")
    with open(sys.argv[1], "w") as output:
        output.write("\n".join(lines))


main()
