#!/usr/bin/env python3
"""Writes assembly that carries a file's bytes: embed.py FILE NAME OUTPUT.S, as NAME .. NAME_end."""

import os
import sys

path, name, output = sys.argv[1:4]
# The size makes the text change with the file, so that it is assembled again.
text = f"""/* {os.stat(path).st_size} bytes of {os.path.basename(path)} */
    .section .rodata
    .balign 16
    .global {name}
    .global {name}_end
    .hidden {name}
    .hidden {name}_end
{name}:
    .incbin "{os.path.abspath(path)}"
{name}_end:
    .byte 0
    .section .note.GNU-stack,"",%progbits
"""
with open(output, "w", encoding="utf-8") as file:
    file.write(text)
