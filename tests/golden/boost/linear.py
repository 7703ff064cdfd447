#!/usr/bin/env python3
"""Writes linear.txt: weights of the xgboost package's linear booster.

First the data: "data ROWS COLUMNS", then a line a row: two labels (a number and a class), a weight,
the features (nan is missing).  Then blocks "linear OBJECTIVE ROUNDS key=value ..." and a line with
the weights as in a model file: by feature and output, then the biases.

usage: linear.py > linear.txt     (made with xgboost 3.2.0)
"""
import json

import numpy as np
import xgboost as xgb

N, M = 80, 6
rng = np.random.default_rng(20261128)
X = rng.normal(size=(N, M)).astype(np.float32)
X[:, 3] *= 5
X[rng.random((N, M)) < 0.1] = np.nan
filled = np.nan_to_num(X)
real = (filled @ rng.normal(size=M) + rng.normal(size=N) * 0.3 + 2).astype(np.float32)
classes = np.clip(np.round(filled[:, 0] + filled[:, 1] + 1), 0, 2).astype(np.float32)
weight = (rng.random(N) + 0.5).astype(np.float32)

print("data", N, M)
for i in range(N):
    print(" ".join(f"{float(x):.9g}" for x in [real[i], classes[i], weight[i], *X[i]]))


def block(objective, rounds, **params):
    words = [f"{key}={value}" for key, value in params.items()]
    label = real if objective.startswith("reg:") else classes if "num_class" in params else classes > 0
    d = xgb.DMatrix(X, label, weight=weight)
    booster = xgb.train(dict(params, objective=objective, booster="gblinear", nthread=1, base_score=0.5),
                        d, rounds)
    model = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]
    print("linear", objective, rounds, *words)
    print(" ".join(f"{w:.9g}" for w in model["weights"]))


block("reg:squarederror", 1, updater="coord_descent", eta=0.5)
block("reg:squarederror", 12, updater="coord_descent", eta=0.5)
block("reg:squarederror", 12, updater="shotgun", eta=0.7)
block("reg:squarederror", 12, updater="coord_descent", eta=0.5, alpha=0.2, **{"lambda": 0.1})
block("reg:squarederror", 5, updater="coord_descent", eta=1, feature_selector="greedy")
block("reg:squarederror", 5, updater="coord_descent", eta=0.5, feature_selector="greedy", top_k=2)
block("reg:squarederror", 5, updater="coord_descent", eta=0.5, feature_selector="thrifty")
block("reg:squarederror", 5, updater="coord_descent", eta=0.5, feature_selector="thrifty", top_k=3)
block("binary:logistic", 10, updater="coord_descent", eta=0.5, **{"lambda": 0.01})
block("binary:logistic", 10, updater="shotgun", eta=0.5, alpha=0.05)
block("multi:softprob", 8, updater="coord_descent", eta=0.5, num_class=3, **{"lambda": 0.02})
block("multi:softprob", 8, updater="shotgun", eta=0.5, num_class=3)
block("multi:softprob", 4, updater="coord_descent", eta=0.5, num_class=3, feature_selector="thrifty")
