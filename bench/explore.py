#!/usr/bin/env python3
"""The profile of a table: every statistic of every column, Pearson, Spearman, duplicates.

Peers do what a report of theirs needs: pandas by its own methods, numpy with one sort a column and BLAS, DuckDB by SUMMARIZE (which
has no correlations, no distribution, and counts distinct values and quartiles approximately).  Reading is not counted."""

import common
from common import Bench, call, data, part, program


def pandas(path):
    import pandas as pd
    frame = pd.read_csv(path, header=None, dtype="float32")
    with part("profile"):
        frame.describe(percentiles=[.01, .05, .25, .5, .75, .95, .99])
        frame.skew(), frame.kurt(), frame.nunique(), frame.isna().sum()
        [frame[c].value_counts().head(10) for c in frame]
        frame.corr()
        ranks = frame.corr(method="spearman")
        frame.duplicated().sum()
    return {"rows": len(frame), "check": float(ranks.iloc[1, 2])}


def numpy(path):
    import numpy as np
    import pandas as pd
    x = pd.read_csv(path, header=None, dtype="float32").to_numpy()
    with part("profile"):
        ranks = np.empty(x.shape)
        for j in range(x.shape[1]):
            column = x[:, j]
            order = np.argsort(column, kind="stable")
            ordered = column[order]
            first = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
            counts = np.diff(np.append(first, len(ordered)))
            ranks[order, j] = np.repeat(first + (counts + 1) / 2, counts)
            deviation = ordered - ordered.mean(dtype="f8")
            square = deviation * deviation
            square.sum(), (square * deviation).sum(), (square * square).sum()
            ordered[[int(len(ordered) * q) for q in (.01, .05, .25, .5, .75, .95, .99)]]
            np.argpartition(counts, -min(10, len(counts)))
            np.histogram(ordered, 50)
        np.corrcoef(x, rowvar=False)
        spearman = np.corrcoef(ranks, rowvar=False)
    return {"rows": len(x), "check": float(spearman[1, 2])}


def duckdb(path, threads):
    import duckdb as db
    link = db.connect()
    link.execute("set threads = %d" % threads)
    link.execute("create table t as select * from read_csv('%s')" % path)
    with part("profile"):
        link.execute("summarize t").fetchall()
    return {"rows": link.execute("select count(*) from t").fetchone()[0]}


def main():
    bench = Bench("explore", "Profile of a table")
    path = data("higgs", rows=1_000_000)["train.csv"]
    for threads in (1, 2):
        contenders = {"clary": [program("bench/explore_bench"), path, threads, "noheader"],
                      "clary, with the page": [program("bench/explore_bench"), path, threads, "noheader", "page"],
                      "DuckDB SUMMARIZE": call(duckdb, path, threads)}
        if threads == 1:
            contenders["numpy, one sort a column"] = call(numpy, path)
            contenders["pandas"] = call(pandas, path)
        bench.compare("1 M x 29 numbers, threads: %d" % threads, part="profile", threads=threads, contenders=contenders,
                      figures=["rows", "check"], rounds=3)
    bench.end()


if __name__ == "__main__":
    common.main(main)
