#!/usr/bin/env python3
"""Writes gradients.txt: gradients and second derivatives as the xgboost package computes them.

The package has no call that returns them, but a tree shows them: with one feature that numbers the
rows, no regularization and no limit of depth every row gets a leaf of its own; the leaf's cover is h
and its value -g/h.  Rows that share a leaf, because a split between them gains nothing, are left out
(nan).  Each block is a line "objective NAME key=value ...", a line of column names, then the rows.

usage: gradients.py > gradients.txt     (made with xgboost 3.2.0)
"""
import numpy as np
import xgboost as xgb

N = 48
rng = np.random.default_rng(20261125)


def tree_values(params, dmatrix, n_outputs):
    params = dict(params, tree_method="exact", max_depth=40, min_child_weight=0, gamma=0, eta=1,
                  seed=1, nthread=1, **{"lambda": 0})
    booster = xgb.train(params, dmatrix, 1)
    leaves = booster.predict(dmatrix, pred_leaf=True).reshape(N, n_outputs).astype(int)
    nodes = booster.trees_to_dataframe().set_index(["Tree", "Node"])
    g = np.full((N, n_outputs), np.nan)
    h = np.full((N, n_outputs), np.nan)
    for k in range(n_outputs):
        for i in range(N):
            if (leaves[:, k] == leaves[i, k]).sum() == 1:
                node = nodes.loc[(k, leaves[i, k])]
                h[i, k] = node.Cover
                g[i, k] = -node.Gain * node.Cover
    return g, h


def block(name, label, margin, weight=None, upper=None, groups=None, outputs=1, **params):
    index = np.arange(N, dtype=np.float32).reshape(-1, 1)
    dmatrix = xgb.DMatrix(index, label, base_margin=margin)
    if groups is not None:
        dmatrix.set_group(groups)
    if weight is not None:
        dmatrix.set_weight(weight)
    if upper is not None:
        dmatrix.set_float_info("label_lower_bound", label)
        dmatrix.set_float_info("label_upper_bound", upper)
    g, h = tree_values(dict(params, objective=name), dmatrix, outputs)
    words = [f"{key}={value}" for key, value in params.items()]
    if groups is not None:
        words.append("groups=" + ",".join(map(str, groups)))
        if weight is not None:
            words.append("group_weights=" + ",".join(f"{w:.9g}" for w in weight))
    print("objective", name, f"rows={N}", f"outputs={outputs}", *words)
    print("label upper weight margins g h (by output)")
    margin = margin.reshape(N, outputs)
    for i in range(N):
        w = 1 if weight is None or groups is not None else weight[i]
        u = label[i] if upper is None else upper[i]
        numbers = [label[i], u, w, *margin[i], *g[i], *h[i]]
        print(" ".join(f"{float(x):.9g}" for x in numbers))


def f32(x):
    return np.asarray(x, dtype=np.float32)


real = f32(rng.normal(size=N) * 2)
unit = f32(rng.random(N))
binary = f32(rng.random(N) < 0.4)
positive = f32(rng.gamma(2, 1, N) + 0.05)
counts = f32(rng.poisson(2, N))
classes = f32(rng.integers(0, 4, N))
weight = f32(rng.random(N) + 0.25)
margin = f32(rng.normal(size=N))
near_log = f32(np.log(positive) + rng.normal(size=N) * 0.3)
near_counts = f32(np.log(counts + 1) + rng.normal(size=N) * 0.2)

block("reg:squarederror", real, margin)
block("reg:squarederror", real, margin, weight)
block("reg:squaredlogerror", positive, f32(np.abs(margin)), weight)
block("reg:squaredlogerror", positive, f32(margin * 0.8))
block("reg:logistic", unit, margin, weight)
block("binary:logistic", binary, f32(margin * 3))
block("binary:logistic", binary, margin, weight, scale_pos_weight=2.5)
block("binary:logitraw", binary, margin)
block("binary:hinge", binary, margin, weight)
block("reg:pseudohubererror", real, margin)
block("reg:pseudohubererror", real, margin, weight, huber_slope=0.7)
block("reg:gamma", positive, near_log, weight)
block("reg:tweedie", counts, near_log, weight, tweedie_variance_power=1.2)
block("reg:tweedie", counts, near_log)
block("count:poisson", counts, near_counts, weight)
block("count:poisson", counts, near_counts, max_delta_step=1.5)
block("multi:softprob", classes, f32(rng.normal(size=(N, 4)) * 2), outputs=4, num_class=4)
block("multi:softmax", classes, f32(rng.normal(size=(N, 4))), weight, outputs=4, num_class=4)

event = f32(np.where(rng.random(N) < 0.3, -positive, positive))
block("survival:cox", event, margin)
block("survival:cox", f32(-event), margin, weight)
kind = rng.integers(0, 4, N)
lower = f32(np.where(kind == 1, 0, positive))
upper = f32(np.where(kind == 2, np.inf, np.where(kind == 3, positive * 1.8, positive)))
for distribution in ("normal", "logistic", "extreme"):
    block("survival:aft", lower, near_log, weight, upper=upper, aft_loss_distribution=distribution,
          aft_loss_distribution_scale=1.3)
    block("survival:aft", lower, f32(near_log + rng.normal(size=N) * 25), upper=upper,
          aft_loss_distribution=distribution, aft_loss_distribution_scale=0.8)

groups = [5, 13, 1, 29]
group_weight = f32([0.5, 1.25, 2, 1])
for name, label in (("rank:ndcg", classes), ("rank:pairwise", classes), ("rank:map", binary)):
    block(name, label, margin, groups=groups)
    block(name, label, margin, group_weight, groups=groups)
    block(name, label, margin, groups=groups, lambdarank_pair_method="topk",
          lambdarank_num_pair_per_sample=3)
    block(name, label, margin, groups=groups, lambdarank_normalization=0)
block("rank:ndcg", classes, margin, groups=groups, ndcg_exp_gain=0)
block("rank:ndcg", classes, f32(np.round(margin)), groups=groups)
