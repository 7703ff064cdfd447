#!/usr/bin/env python3
"""Makes examples/data from two public data sets that ship in Python packages (see its README.md).

usage: tools/example_data.py [FOLDER]     needs scikit-learn 1.x and statsmodels 0.14 or later

The files are committed; run this only to change them.  Splits are 60/20/20 by a fixed hash, not by a
random generator, so that they do not depend on a version of anything."""

import csv
import hashlib
import importlib.util
import math
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PARTS = (("train", 60), ("validation", 20), ("test", 20))


def part_of(key):
    """The part that all rows of one key go to."""
    place = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "big") % 100
    for name, share in PARTS:
        if place < share:
            return name
        place -= share
    raise AssertionError(key)


def write(folder, header, keyed_rows):
    os.makedirs(folder, exist_ok=True)
    rows = {name: [] for name, _ in PARTS}
    for key, row in keyed_rows:
        rows[part_of(key)].append(row)
    for name, part in rows.items():
        with open(os.path.join(folder, name + ".csv"), "w", newline="") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(header)
            out.writerows(part)
        print("%s/%s.csv: %d rows" % (os.path.basename(folder), name, len(part)))


def breast_cancer(folder):
    from sklearn.datasets import load_breast_cancer
    data = load_breast_cancer()
    header = ["diagnosis"] + [name.replace(" ", "_") for name in data.feature_names]
    rows = [(str(i), [data.target_names[label], *("%.12g" % value for value in values)])
            for i, (label, values) in enumerate(zip(data.target, data.data))]
    write(folder, header, rows)


def doctor_visits(folder):
    package = os.path.dirname(importlib.util.find_spec("statsmodels").origin)
    with open(os.path.join(package, "datasets", "randhie", "randhie.csv")) as file:
        source = list(csv.DictReader(file))
    header = ["visited", "coinsurance_percent", "individual_deductible", "incentive_dollars", "log_spending_limit",
              "physical_limitation", "chronic_disease_index", "health"]
    rows, person, before = [], 0, None
    for record in source:
        # A row is a person's year, and the file keeps a person's years together: rows that agree in
        # all but the visits go to one part, or the test would ask about people that were trained on.
        same = tuple(value for name, value in record.items() if name != "mdvis")
        person += same != before
        before = same
        health = [word for name, word in (("hlthg", "good"), ("hlthf", "fair"), ("hlthp", "poor"))
                  if float(record[name]) == 1]
        incentive = math.exp(float(record["lpi"]))
        rows.append((str(person), [
            "yes" if float(record["mdvis"]) > 0 else "no",
            "%d" % round(math.exp(float(record["lncoins"])) - 1),
            "yes" if float(record["idp"]) == 1 else "no",
            "%d" % round(incentive if float(record["lpi"]) > 0 else 0),
            "%g" % float(record["fmde"]),
            "%.4g" % float(record["physlm"]),
            "%g" % float(record["disea"]),
            health[0] if health else "excellent",
        ]))
    write(folder, header, rows)


if __name__ == "__main__":
    out = sys.argv[1] if len(sys.argv) > 1 else os.path.join(ROOT, "examples", "data")
    breast_cancer(os.path.join(out, "breast-cancer"))
    doctor_visits(os.path.join(out, "doctor-visits"))
