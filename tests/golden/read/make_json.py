#!/usr/bin/env python3
"""Columns of the shared JSON data sets, read by pandas.

usage: make_json.py DATA_FOLDER > json.txt

A line "file PATH ROWS COLUMNS", then a line a column: name (blanks as ~), kind (number, bool, text),
missing values, sum of the numbers or of the lengths of the texts in bytes."""
import gzip
import json
import sys

import numpy as np
import pandas as pd

root = sys.argv[1]
for name in ["cars", "flights-20k", "gapminder", "movies", "penguins"]:
    path = f"exploration/{name}.json.gz"
    with gzip.open(f"{root}/{path}") as file:
        data = pd.DataFrame(json.load(file))
    print("file", path, *data.shape)
    for column in data:
        values = data[column]
        known = values.dropna()
        if len(known) and known.map(lambda x: isinstance(x, str)).any():
            kind, total = "text", sum(len(str(x).encode()) for x in known)
        elif len(known) and known.map(lambda x: isinstance(x, bool)).all():
            kind, total = "bool", int(known.sum())
        else:
            kind, total = "number", known.astype(np.float32).astype(np.float64).sum()
        print(column.replace(" ", "~"), kind, int(values.isna().sum()), f"{total:.17g}")
