#!/usr/bin/env python3
"""Writes base_scores.txt: the constant the xgboost package starts from, out of saved models.

Each block: "base OBJECTIVE key=value ...", a line of column names, the rows, a line "base VALUE ..." by output.

usage: base_scores.py > base_scores.txt     (made with xgboost 3.2.0)
"""
import json

import numpy as np
import xgboost as xgb

N = 50
rng = np.random.default_rng(20261127)


def f32(x):
    return np.asarray(x, dtype=np.float32)


def block(objective, label, weight=None, **params):
    d = xgb.DMatrix(np.arange(len(label)).reshape(-1, 1), label, weight=weight)
    if objective == "survival:aft":
        d.set_float_info("label_lower_bound", label)
        d.set_float_info("label_upper_bound", label)
    words = [objective, f"rows={len(label)}"] + [f"{key}={value}" for key, value in params.items()]
    if "quantile_alpha" in params:
        params["quantile_alpha"] = [float(a) for a in str(params["quantile_alpha"]).split(",")]
    booster = xgb.train(dict(params, objective=objective, max_depth=2), d, 1)
    model = json.loads(booster.save_raw("json"))
    base = json.loads(model["learner"]["learner_model_param"]["base_score"])
    print("base", *words, f"outputs={len(base)}")
    print("label upper weight margins")
    for i in range(len(label)):
        print(f"{label[i]:.9g} {label[i]:.9g} {1 if weight is None else weight[i]:.9g}" + " 0" * len(base))
    print("base", *[f"{b:.9g}" for b in base])


weight = f32(rng.random(N) + 0.25)
real = f32(rng.normal(size=N) * 2 + 1)
unit = f32(rng.random(N))
binary = f32(rng.random(N) < 0.3)
positive = f32(rng.gamma(2, 1, N) + 0.05)
counts = f32(rng.poisson(2, N))
for w in (None, weight):
    block("reg:squarederror", real, w)
    block("reg:squaredlogerror", positive, w)
    block("reg:logistic", unit, w)
    block("reg:pseudohubererror", real, w)
    block("reg:pseudohubererror", real, w, huber_slope=0.5)
    block("reg:absoluteerror", real, w)
    block("reg:quantileerror", real, w, quantile_alpha=0.3)
    block("reg:quantileerror", real, w, quantile_alpha="0.1,0.5,0.9")
    block("multi:softprob", f32(np.minimum(counts, 3)), w, num_class=5)
    block("multi:softmax", binary, w, num_class=2)
    block("reg:gamma", positive, w)
    block("reg:tweedie", counts, w)
    block("count:poisson", counts, w)
    block("binary:logistic", binary, w)
    block("binary:logitraw", binary, w)
    block("binary:hinge", binary, w)
    block("binary:hinge", f32(1 - binary), w)
    block("binary:logistic", binary, w, scale_pos_weight=2.5)
    block("survival:cox", positive, w)
    block("survival:aft", positive, w)
