#!/usr/bin/env python3
"""Writes rounds.txt: margins of whole models of the xgboost package after some rounds, for every objective.

First the data: "data ROWS COLUMNS" and a line of features a row (nan is missing).  Then blocks "rounds
OBJECTIVE key=value ...", a line of column names, and the rows: label, upper bound, weight, the margins
by output.

usage: rounds.py > rounds.txt     (made with xgboost 3.2.0)
"""
import numpy as np
import xgboost as xgb

N, M, ROUNDS = 160, 4, 6
rng = np.random.default_rng(20261130)
X = rng.normal(size=(N, M)).astype(np.float32)
X[rng.random((N, M)) < 0.1] = np.nan
f = np.nan_to_num(X)
score = f[:, 0] + f[:, 0] * f[:, 1] + rng.normal(size=N) * 0.3
weight = (rng.random(N) + 0.5).astype(np.float32)

print("data", N, M)
for row in X:
    print(" ".join(f"{float(x):.9g}" for x in row))


def block(objective, label, w=None, upper=None, groups=None, method="exact", **params):
    label = np.asarray(label, np.float32)
    d = xgb.DMatrix(X, label, weight=w)
    if groups:
        d.set_group(groups)
    if upper is not None:
        d.set_float_info("label_lower_bound", label)
        d.set_float_info("label_upper_bound", upper)
    words = [f"{key}={value}" for key, value in params.items()]
    if groups:
        words.append("groups=" + ",".join(map(str, groups)))
    if "quantile_alpha" in params:
        params["quantile_alpha"] = [float(a) for a in params["quantile_alpha"].split(",")]
    booster = xgb.train(dict(params, objective=objective, tree_method=method, max_depth=4, eta=0.3, nthread=1,
                             max_bin=1000), d, ROUNDS)
    margins = booster.predict(d, output_margin=True).reshape(N, -1)
    print("rounds", objective, f"rows={N}", f"outputs={margins.shape[1]}", f"num_round={ROUNDS}",
          f"method={method}", *words)
    print("label upper weight margins")
    for i in range(N):
        u = label[i] if upper is None else upper[i]
        numbers = [label[i], u, 1 if w is None else w[i], *margins[i]]
        print(" ".join(f"{float(x):.9g}" for x in numbers))


binary = score > 0
counts = np.floor(np.exp(score / 2))
positive = np.exp(score / 2).astype(np.float32)
classes = np.digitize(score, [-0.5, 0.5, 2])
block("reg:squarederror", score + 3, weight)
block("reg:squaredlogerror", positive, weight)
block("reg:logistic", 1 / (1 + np.exp(-score)), weight)
block("reg:pseudohubererror", score, weight, huber_slope=1.2)
block("reg:gamma", positive, weight)
block("reg:tweedie", counts, weight, tweedie_variance_power=1.4)
block("count:poisson", counts, weight)
block("binary:logistic", binary, weight)
block("binary:logistic", binary, scale_pos_weight=2)
block("binary:logitraw", binary)
block("binary:hinge", binary, weight)
block("multi:softprob", classes, weight, num_class=4)
block("multi:softmax", classes, num_class=5)
groups = [40, 1, 59, 60]
block("rank:ndcg", classes, groups=groups)
block("rank:pairwise", classes, groups=groups)
block("rank:map", binary, groups=groups)
block("survival:cox", np.where(f[:, 2] > 1, -positive, positive))
block("survival:aft", positive, weight, upper=np.where(f[:, 2] > 1, np.inf, positive * 1.2).astype(np.float32),
      aft_loss_distribution="logistic", aft_loss_distribution_scale=1.1)
block("reg:absoluteerror", score, weight, method="hist")
block("reg:absoluteerror", score, method="hist")
block("reg:quantileerror", score, method="hist", quantile_alpha="0.1,0.5,0.8")
