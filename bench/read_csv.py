#!/usr/bin/env python3
"""Reading CSV (not csv.py: that would hide the module csv of Python): numbers to float32 columns, and mixed columns with quotes, dates and gaps."""

import os

import common
from common import Bench, call, data, part, program


def polars(path, numeric):
    import polars as pl
    if numeric:
        schema = {"column_%d" % (i + 1): pl.Float32 for i in range(29)}
        with part("read"):
            frame = pl.read_csv(path, has_header=False, schema=schema)
    else:
        with part("read"):
            frame = pl.read_csv(path, try_parse_dates=True)
    return {"rows": frame.height, "columns": frame.width}


def pandas(path, numeric):
    import pandas as pd
    with part("read"):
        if numeric:
            frame = pd.read_csv(path, header=None, dtype="float32")
        else:
            frame = pd.read_csv(path, parse_dates=["seen"])
    return {"rows": frame.shape[0], "columns": frame.shape[1]}


def duckdb(path, threads):
    import duckdb as db
    link = db.connect()
    link.execute("set threads = %d" % threads)
    with part("read"):
        link.execute("create table t as select * from read_csv('%s')" % path)
    rows = link.execute("select count(*) from t").fetchone()[0]
    return {"rows": rows, "columns": len(link.execute("describe t").fetchall())}


def compare(bench, title, path, numeric, threads):
    own = [program("bench/csv_bench"), path, threads] + (["numeric", "noheader"] if numeric else [])
    contenders = {"clary": own, "polars": call(polars, path, numeric), "DuckDB": call(duckdb, path, threads)}
    if threads == 1:
        contenders["pandas"] = call(pandas, path, numeric)
    bench.compare(title, part="read", threads=threads, unit="MB", amount=common.megabytes(path),
                  contenders=contenders, figures=["rows", "columns"])


def main():
    bench = Bench("read_csv", "Reading CSV")
    higgs = data("higgs", rows=1_000_000)["train.csv"]
    mixed = data("mixed", rows=1_000_000)["mixed.csv"]
    for threads in (1, 2):
        compare(bench, "numbers, 1 M x 29, to float32, threads: %d" % threads, higgs, True, threads)
        compare(bench, "mixed columns, 1 M rows, threads: %d" % threads, mixed, False, threads)
    bench.end()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    common.main(main)
