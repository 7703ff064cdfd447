#!/usr/bin/env python3
"""clary chart draws what it drew before: pictures of a small table against tests/golden/chart.

With --remake the files there are made anew; look at them in a browser before you keep them.  Counts behind the pictures are checked against this file's own arithmetic.
"""
import collections
import csv
import io
import pathlib
import subprocess
import sys

here = pathlib.Path(__file__).resolve().parent.parent / "golden" / "chart"
table = here / "pets.csv"
rows = list(csv.DictReader(table.open()))
kinds = {
    "bar": ["--x", "kind"],
    "bar-grouped": ["--x", "kind", "--by", "home"],
    "bar-mean": ["--x", "kind", "--y", "weight"],
    "stacked": ["--x", "kind", "--by", "home"],
    "line": ["--x", "day", "--y", "weight"],
    "scatter": ["--x", "age", "--y", "weight", "--by", "kind"],
    "bubble": ["--x", "age", "--y", "weight", "--size", "weight"],
    "heatmap": ["--x", "kind", "--y", "home"],
    "pie": ["--x", "kind"],
    "histogram": ["--x", "weight"],
    "density": ["--x", "weight"],
    "ecdf": ["--x", "weight"],
    "box": ["--y", "weight", "--by", "kind"],
    "violin": ["--y", "weight", "--by", "home"],
    "correlation": [],
    "roc": ["--x", "score", "--y", "seen"],
    "pr": ["--x", "score", "--y", "seen"],
    "residuals": ["--x", "age", "--y", "weight"],
}


def clary(*args):
    return subprocess.run(["clary", *args], capture_output=True, text=True, timeout=60)


def data(kind, *args):
    done = clary("chart", kind, str(table), *args, "--data")
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


failures = []
for name, args in kinds.items():
    done = clary("chart", name.split("-")[0], str(table), *args)
    if done.returncode:
        failures.append(f"{name}: {done.stderr.strip()}")
        continue
    for banned in ("<script", "nan", "inf"):
        if banned in done.stdout:
            failures.append(f"{name}: has '{banned}'")
    golden = here / f"{name}.svg"
    if "--remake" in sys.argv:
        golden.write_text(done.stdout)
    elif golden.read_text() != done.stdout:
        failures.append(f"{name}: is not what {golden.name} holds")

counts = collections.Counter(r["kind"] for r in rows)
drawn = [float(r["y2"]) for r in data("bar", "--x", "kind")]
if sorted(drawn) != sorted(counts.values()):
    failures.append(f"bar: {drawn} is not {counts}")
pairs = collections.Counter((r["kind"], r["home"]) for r in rows)
cells = [int(r["text"]) for r in data("heatmap", "--x", "kind", "--y", "home")]
if sum(cells) != len(rows) or sorted(c for c in cells if c) != sorted(pairs.values()):
    failures.append(f"heatmap: {cells} is not {pairs}")
positive = [float(r["score"]) for r in rows if r["seen"] == "yes"]
negative = [float(r["score"]) for r in rows if r["seen"] == "no"]
area = sum((p > q) + (p == q) / 2 for p in positive for q in negative) / len(positive) / len(negative)
if f"area {area:.4f}" not in clary("chart", "roc", str(table), *kinds["roc"]).stdout:
    failures.append(f"roc: the area is not {area:.4f}")

for args, want in (
    (["nothing", str(table)], "there are bar, stacked"),
    (["pairs", str(table)], "not there yet"),
    (["bar", str(table)], "needs --x COLUMN"),
    (["bar", str(table), "--x", "knid"], "did you mean 'kind'"),
    (["scatter", str(table), "--x", "kind", "--y", "age"], "needs numbers"),
    (["pie", str(table), "--x", "score", "--category", "score", "-o", "x.png"], "SVG"),
    (["roc", str(table), "--x", "score", "--y", "kind"], "as two"),
):
    done = clary("chart", *args)
    if done.returncode == 0 or want not in done.stderr:
        failures.append(f"{args}: '{done.stderr.strip()}' does not say '{want}'")

for failure in failures:
    print("FAIL ", failure)
print(f"{len(kinds) + 10 - len(failures)} passed, {len(failures)} failed")
sys.exit(bool(failures))
