#!/usr/bin/env python3
"""clary prepare: tables, documents, refusals; and the examples of doc/prepare.md, which run as they stand."""

import json
import os
import re
import subprocess
import sys

SOURCE, TMP = os.environ["CLARY_SOURCE"], os.environ["TMPDIR"]
GOLDEN = os.path.join(SOURCE, "tests", "golden", "prepare")
PAGE = os.path.join(SOURCE, "doc", "prepare.md")
passed = failed = 0


def clary(*words, status=0, stdin=None):
    done = subprocess.run(("clary", "prepare") + words, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, cwd=TMP)
    assert done.returncode == status, "clary prepare %s: exit status %d, not %d\n%s" % (
        " ".join(words), done.returncode, status, done.stderr)
    return done


def write(name, text):
    path = os.path.join(TMP, name)
    with open(path, "w") as out:
        out.write(text)
    return path


def read(name):
    with open(os.path.join(TMP, name)) as file:
        return file.read()


def test_also_and_fitted_agree():
    train, other = os.path.join(GOLDEN, "train.csv"), os.path.join(GOLDEN, "other.csv")
    write("recipe.txt", "target y\ndrop day, t, text\nfill * with mode\none-hot city, size drop first\nstandardize * except k\n")
    done = clary(train, "--also", other, "--recipe", "recipe.txt", "-o", "a.csv", "-o", "b.csv", "--save", "f.json")
    assert "60 rows and 10 columns" in done.stderr, done.stderr
    document = json.loads(read("f.json"))
    assert document["version"] == 1 and document["steps"][2]["learned"]["value"]["city"] == "Oslo", document
    assert clary(other, "--fitted", "f.json").stdout == read("b.csv")
    assert clary("-", "--recipe", "recipe.txt", stdin=open(train).read()).stdout == read("a.csv")
    lines = clary(other, "--fitted", "f.json", "--output-format", "jsonl").stdout.splitlines()
    assert set(json.loads(lines[0])) == set(read("b.csv").splitlines()[0].split(",")), lines[0]


def test_types_are_those_of_the_training_table():
    write("train.csv", "code,x,y\nA1,1,0\n7,2,1\n7,3,1\n")
    write("new.csv", "code,x\n7,\n7,\n")
    clary("train.csv", "-s", "target y", "-s", "fill x with mean", "-s", "one-hot code", "-o", "out.csv", "--save", "f.json")
    assert clary("new.csv", "--fitted", "f.json").stdout == "code_7,code_A1,x\n1,0,2\n1,0,2\n"
    write("new.csv", "code,x\n7,much\n")
    assert "'much'" in clary("new.csv", "--fitted", "f.json", status=1).stderr
    write("new.csv", "code\n7\n")
    assert "no column 'x'" in clary("new.csv", "--fitted", "f.json", status=1).stderr
    write("new.csv", "code,x\nB,2\n")
    assert "column 'code' row 1: 'B' is not in the training table" in clary("new.csv", "--fitted", "f.json", status=1).stderr


def test_split():
    train = os.path.join(GOLDEN, "train.csv")
    done = clary(train, "-s", "split share 0.25 stratify city seed 2", "-s", "select a, y", "-s", "fill a with mean", "-o", "a.csv",
                 "--held", "b.csv", "--save", "f.json")
    assert "45 rows" in done.stderr, done.stderr
    assert (len(read("a.csv").splitlines()), len(read("b.csv").splitlines())) == (46, 16)
    assert len(clary(train, "--fitted", "f.json").stdout.splitlines()) == 61  # nothing is put aside of other tables
    assert "say where the other rows go with --held" in clary(train, "-s", "split", status=1).stderr
    assert "no step 'split'" in clary(train, "-s", "drop a", "--held", "b.csv", status=1).stderr


def test_words_that_are_not_utf8_are_refused():
    with open(os.path.join(TMP, "latin1.csv"), "wb") as out:
        out.write(b"w,x\nZ\xfcrich,1\nBern,2\n")
    done = subprocess.run(["clary", "prepare", "latin1.csv", "-s", "ordinal w"], cwd=TMP, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 1 and b"which is not UTF-8" in done.stderr, done.stderr


def test_refusals():
    write("train.csv", "x,y\n1,0\n2,1\n")
    write("bad.txt", "# first\n\nfil x with mean\n")
    assert "bad.txt line 3: unknown step 'fil' (did you mean 'fill'?)" in clary("train.csv", "-r", "bad.txt", status=1).stderr
    assert "say the steps" in clary("train.csv", status=2).stderr
    assert "--fitted applies" in clary("train.csv", "--fitted", "f", "-s", "drop x", status=2).stderr
    assert "once for each" in clary("train.csv", "--also", "train.csv", "-s", "drop x", status=2).stderr
    assert "no fitted recipe" in clary("train.csv", "--fitted", write("no.json", "{}"), status=1).stderr
    clary("train.csv", "-s", "fill z with mean", "-o", "never.csv", "--save", "never.json", status=1)
    assert not os.path.exists(os.path.join(TMP, "never.csv")) and not os.path.exists(os.path.join(TMP, "never.json"))


def test_the_list_of_steps_is_that_of_the_page():
    page = open(PAGE).read()
    assert page.endswith(clary("--steps-markdown").stdout), "remake the end of doc/prepare.md: clary prepare --steps-markdown"


def test_examples_of_the_page_run():
    page = open(PAGE).read()
    folder = os.path.join(TMP, "page")
    os.mkdir(folder)
    for name, text in re.findall(r"`([a-z]+\.(?:csv|txt))`:\n\n((?:    .*\n)+)", page):
        with open(os.path.join(folder, name), "w") as out:
            out.write(re.sub(r"(?m)^    ", "", text))
    commands = re.findall(r"(?m)^    \$ (clary .*)\n((?:    (?!\$).*\n)*)", page)
    assert len(commands) > 3
    for command, wanted in commands:
        done = subprocess.run(command, shell=True, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
        assert done.stdout == re.sub(r"(?m)^    ", "", wanted), "%s\n%s" % (command, done.stdout)
    # every example of a step parses
    examples = re.findall(r"(?m)^`([^`]+)`: .*\.$", page)
    assert len(examples) > 30, examples
    for line in examples:
        done = subprocess.run(["clary", "prepare", write("none.csv", "qqq\n1\n"), "-s", line], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, universal_newlines=True)
        assert "--step 1, line" not in done.stderr, done.stderr


for name, test in list(globals().items()):
    if name.startswith("test_"):
        try:
            test()
            passed += 1
        except Exception as problem:
            failed += 1
            print("FAIL  %s: %s: %s" % (name, type(problem).__name__, problem))
print("%d passed, %d failed" % (passed, failed))
sys.exit(1 if failed else 0)
