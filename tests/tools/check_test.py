#!/usr/bin/env python3
"""tools/check finds what it is for, and keeps quiet about what is fine."""

import importlib.machinery
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.environ.get("CLARY_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def load(path):
    loader = importlib.machinery.SourceFileLoader("check", path)
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("check", loader))
    sys.dont_write_bytecode = True
    loader.exec_module(module)
    return module


check = load(os.path.join(SOURCE, "tools", "check"))
MAY = {"base": {"base"}, "format": {"format", "base"}, "data": {"data", "format", "base"}}
HOMES = {"zlib.h": ["format"]}


def layers(file, text, own=False):
    return check.layer_findings(file, text, MAY, HOMES, exists=lambda path: own)


def test_layers_allow_what_the_table_says():
    assert layers("src/data/a.c", '#include "format/csv.h"\n#include <stdio.h>\n#include <immintrin.h>\n') == []


def test_layers_refuse_upward_includes():
    found = layers("src/format/a.c", '\n#include "data/frame.h"\n')
    assert found == ["src/format/a.c:2: 'format' may not include 'data' (src/LAYERS)"], found


def test_layers_refuse_a_header_away_from_home():
    assert layers("src/format/a.c", "#include <zlib.h>\n") == []
    found = layers("src/data/a.c", "#include <zlib.h>\n")
    assert len(found) == 1 and "home in 'format'" in found[0], found
    found = layers("src/data/a.c", "#include <sqlite3.h>\n")
    assert len(found) == 1 and "has no home" in found[0], found


def test_layers_want_the_own_header_first_and_paths_from_src():
    assert layers("src/data/a.c", '#include "data/a.h"\n#include "base/base.h"\n', own=True) == []
    assert "own header first" in layers("src/data/a.c", '#include "base/base.h"\n', own=True)[0]
    assert "not written from src/" in layers("src/data/a.c", '#include "b.h"\n')[0]


def test_layers_file_is_read_as_it_stands():
    may, homes = check.read_layers(os.path.join(SOURCE, "src", "LAYERS"))
    assert may["base"] == {"base"} and "base" in may["cli"] and homes["zlib.h"] == ["format"]


def test_banned_calls_are_found_outside_comments_and_text():
    found = check.banned_findings("a.c", "int n = atoi(text);\n")
    assert found == ["a.c:1: 'atoi' is banned; use str_to_int64, str_to_double"], found
    for fine in ('puts("call atoi(x)");', "/* atoi(x) */", "// rand()", "my_rand(1);", "x->system(1);", "strtof(a, b);",
                 "sprintf(a, b); /* check: allow sprintf, because a test says so */"):
        assert check.banned_findings("a.c", fine + "\n") == [], fine
    text = "/* one\n two */ char *s = \"\\\"\"; regcomp(&r, s, 0);\n"
    assert [line.split(": ")[0] for line in check.banned_findings("a.c", text)] == ["a.c:2"]


def test_text_findings():
    path = "/ho" "me/somebody/x"
    for text, word in (("a\tb\n", "tab"), ("a \n", "blank"), ("a", "newline"), ("a\n\n", "empty line"),
                       ("see " + path + "\n", "path"), ("<" * 7 + " HEAD\n", "conflict")):
        found = check.text_findings("a.txt", text)
        assert len(found) == 1 and word in found[0], (text, found)
    assert check.text_findings("Makefile", "all:\n\techo\n") == []
    assert check.text_findings("a.txt", "fine\n") == []


def test_elf_findings_tell_soft_programs_from_hard_ones():
    if not shutil.which("readelf") or not shutil.which("cc"):
        return
    with tempfile.TemporaryDirectory() as folder:
        source, program = os.path.join(folder, "a.c"), os.path.join(folder, "a")
        with open(source, "w") as file:
            file.write("#include <string.h>\nint main(int n, char **v) { char t[64]; strncpy(t, v[0], 63); return t[n]; }\n")

        def findings(*options):
            subprocess.run(["cc", "-O1", *options, "-o", program, source], check=True, stderr=subprocess.DEVNULL)
            return check.elf_findings("a", *(subprocess.run(
                ["readelf", option, program], capture_output=True, text=True, env=dict(os.environ, LC_ALL="C")).stdout
                for option in ("-lW", "-dW", "-sW")))
        hard = ("-fPIE", "-pie", "-fstack-protector-strong", "-Wl,-z,relro,-z,now,-z,noexecstack")
        assert findings(*hard) == [], findings(*hard)
        for option, word in (("-no-pie", "position"), ("-Wl,-z,norelro", "RELRO"), ("-Wl,-z,execstack", "stack"),
                             ("-Wl,-z,lazy", "lazily"), ("-Wl,-rpath,/opt/x", "path"),
                             ("-fno-stack-protector", "protector")):
            found = findings(*hard, option)
            assert any(word in finding for finding in found), (option, found)


def main():
    tests = [(name, test) for name, test in globals().items() if name.startswith("test_")]
    failed = 0
    for name, test in tests:
        try:
            test()
        except AssertionError as problem:
            failed += 1
            print("FAIL  %s: %s" % (name, problem))
    print("%d passed, %d failed" % (len(tests) - failed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
