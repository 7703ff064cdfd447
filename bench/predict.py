#!/usr/bin/env python3
"""Prediction with 100 trees of depth 6 (and 10): batches of 200,000 rows, and one row at a time."""

import os
import subprocess

import common
from common import Bench, call, data, part, program

ROWS = 200_000


def make_model(path, train, depth):
    """A model of the package on HIGGS-like rows, once."""
    import numpy as np
    import xgboost as xgb
    table = np.load(train)
    booster = xgb.train({"objective": "binary:logistic", "max_depth": depth, "eta": 0.1, "nthread": 2},
                        xgb.DMatrix(table[:, 1:], table[:, 0]), 100)
    booster.save_model(path)
    np.ascontiguousarray(table[:ROWS, 1:]).tofile(path + ".rows")


def xgboost(path, threads, repeat):
    import time

    import numpy as np
    import xgboost as xgb
    booster = xgb.Booster({"nthread": threads})
    booster.load_model(path)
    booster.set_param({"nthread": threads})
    rows = np.fromfile(path + ".rows", "float32").reshape(ROWS, -1)
    booster.inplace_predict(rows[:1000])
    best = {"predict_seconds": 1e300, "predict_cpu_seconds": 1e300}
    for _ in range(repeat):  # the best of several, as for us
        wall, cpu = time.perf_counter(), time.process_time()
        margins = booster.inplace_predict(rows, predict_type="margin")
        best["predict_seconds"] = min(best["predict_seconds"], time.perf_counter() - wall)
        best["predict_cpu_seconds"] = min(best["predict_cpu_seconds"], time.process_time() - cpu)
    margins.astype("float32").tofile(path + ".margins")
    single = []
    for i in range(300):
        cpu = time.process_time()
        booster.inplace_predict(rows[i:i + 1], predict_type="margin")
        single.append(time.process_time() - cpu)
    best["single_cpu_seconds"] = best["single_seconds"] = sorted(single)[len(single) // 2]
    return best


def largest_difference(path):
    import numpy as np
    ours, theirs = (np.fromfile(path + end, "float32") for end in (".ours", ".margins"))
    return {"largest_difference": float(np.max(np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))))}


def main():
    bench = Bench("predict", "Predicting with boosted trees")
    subprocess.run(["ninja", "-C", common.BUILD, "--quiet", "bench/predict_bench"], check=True)
    train = data("higgs", rows=ROWS)["train.npy"]
    for depth in 6, 10:
        path = os.path.join(common.DATA, "predict-depth%d.ubj" % depth)
        if not os.path.exists(path):
            subprocess.run(call(make_model, path, train, depth), check=True)
        for threads in 1, 2:
            bench.compare(
                "200,000 x 28 rows, 100 trees of depth %d" % depth, part="predict", threads=threads, unit="M rows",
                amount=ROWS / 1e6, by="cpu" if threads == 1 else "wall", contenders={
                    "clary": [program("bench/predict_bench"), path, path + ".rows", "threads=%d" % threads,
                              "margins=" + path + ".ours"],
                    "xgboost": call(xgboost, path, threads, 5)})
        bench.compare("one row, 100 trees of depth %d" % depth, part="single", threads=1, rounds=3, contenders={
            "clary": [program("bench/predict_bench"), path, path + ".rows"],
            "xgboost (inplace_predict from Python)": call(xgboost, path, 1, 1)})
        same = common.run(call(largest_difference, path), 1, 60)
        bench.note("Largest relative difference of the margins: %.2g." % same["largest_difference"])
    bench.end()


if __name__ == "__main__":
    common.main(main)
