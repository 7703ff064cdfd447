#!/usr/bin/env python3
"""Writes exact.txt: what trees of the xgboost package's exact and approx methods predict for the rows
they were grown on.

First the data: "data ROWS COLUMNS", then a line a row: a label, a weight, the features (nan is missing).
Then blocks "trees METHOD OBJECTIVE ROUNDS key=value ..." and a line with the margins.  approx has
bins enough for every value, so that its quantile sketch does not matter (it loses some at 256 already).

usage: exact.py > exact.txt     (made with xgboost 3.2.0)
"""
import numpy as np
import xgboost as xgb

N, M = 150, 5
rng = np.random.default_rng(20261129)
X = rng.normal(size=(N, M)).astype(np.float32)
X[:, 1] = np.round(X[:, 1] * 2) / 2  # ties
X[:, 2] = np.abs(X[:, 2]) * 1000
X[:, 3] = rng.integers(0, 2, N)
X[rng.random((N, M)) < 0.15] = np.nan
X[:, 0] = rng.normal(size=N)  # the only column without missing values
f = np.nan_to_num(X)
label = (f[:, 0] + f[:, 1] * f[:, 3] + np.sqrt(f[:, 2]) / 20 + rng.normal(size=N) * 0.2 > 0.5).astype(np.float32)
weight = (rng.random(N) + 0.5).astype(np.float32)

print("data", N, M)
for i in range(N):
    print(" ".join(f"{float(x):.9g}" for x in [label[i], weight[i], *X[i]]))


def block(method, objective, rounds, **params):
    if method == "approx":
        params["max_bin"] = 5000
    words = [f"{key}={value}" for key, value in params.items()]
    d = xgb.DMatrix(X, label, weight=weight)
    booster = xgb.train(dict(params, tree_method=method, objective=objective, base_score=0.5, nthread=1),
                        d, rounds)
    print("trees", method, objective, rounds, *words)
    print(" ".join(f"{m:.9g}" for m in booster.predict(d, output_margin=True)))


for method in ("exact", "approx"):
    for objective in ("reg:squarederror", "binary:logistic"):
        block(method, objective, 1, max_depth=2, eta=0.3)
        block(method, objective, 10, max_depth=4, eta=0.3)
        block(method, objective, 6, max_depth=6, eta=0.5, min_child_weight=0, **{"lambda": 0.1})
        block(method, objective, 6, max_depth=6, eta=0.3, alpha=0.3, gamma=0.4)
        block(method, objective, 6, max_depth=5, eta=0.3, max_delta_step=0.4)
        block(method, objective, 6, max_depth=5, eta=0.3, monotone_constraints="(1,0,-1,0,1)")
block("approx", "binary:logistic", 8, max_depth=0, max_leaves=7, grow_policy="lossguide", eta=0.3)
