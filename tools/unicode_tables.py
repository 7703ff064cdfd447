#!/usr/bin/env python3
"""Writes the general category of every character as ranges: src/format/regex.c's \\p{...}.

    tools/unicode_tables.py OUTPUT.c"""

import sys
import unicodedata

ranges = []
for code in range(0x110000):
    category = unicodedata.category(chr(code))
    if category == "Cn":
        continue
    if ranges and ranges[-1][1] == code - 1 and ranges[-1][2] == category:
        ranges[-1][1] = code
    else:
        ranges.append([code, code, category])
with open(sys.argv[1], "w") as out:
    out.write("/* Made by tools/unicode_tables.py from Unicode %s. */\n" % unicodedata.unidata_version)
    out.write('#include "format/regex_unicode.h"\n\nconst UnicodeRange unicode_ranges[] = {\n')
    for first, last, category in ranges:
        out.write("    {0x%x, 0x%x, \"%s\"},\n" % (first, last, category))
    out.write("};\nconst size_t n_unicode_ranges = %d;\n" % len(ranges))
