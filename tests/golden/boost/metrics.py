#!/usr/bin/env python3
"""Writes metrics.txt: values of evaluation metrics as the xgboost package computes them, and
SageMaker's additional ones as scikit-learn computes them from the margins.

Each block is a line "metrics OBJECTIVE key=value ...", a line of column names, the rows (label,
upper bound, weight, margins), then lines "NAME VALUE" up to an empty line.

usage: metrics.py > metrics.txt     (made with xgboost 3.2.0 and scikit-learn 1.x)
"""
import numpy as np
import xgboost as xgb
from sklearn import metrics as sk

N = 60
rng = np.random.default_rng(20261126)


def f32(x):
    return np.asarray(x, dtype=np.float32)


def rows(title, label, margin, weight, upper, outputs):
    print("metrics", title)
    print("label upper weight margins")
    margin = margin.reshape(len(label), outputs)
    for i in range(len(label)):
        w = 1 if weight is None else weight[i]
        u = label[i] if upper is None else upper[i]
        print(" ".join(f"{float(x):.9g}" for x in [label[i], u, w, *margin[i]]))


def block(objective, names, label, margin, weight=None, upper=None, groups=None, outputs=1, **params):
    d = xgb.DMatrix(np.zeros((len(label), 1)), label, base_margin=margin)
    if groups is not None:
        d.set_group(groups)
    if weight is not None:
        d.set_weight(weight)
    if upper is not None:
        d.set_float_info("label_lower_bound", label)
        d.set_float_info("label_upper_bound", upper)
    words = [objective, f"rows={len(label)}", f"outputs={outputs}"]
    words += [f"{key}={value}" for key, value in params.items()]
    if groups is not None:
        words.append("groups=" + ",".join(map(str, groups)))
        if weight is not None:
            words.append("group_weights=" + ",".join(f"{w:.9g}" for w in weight))
    if "quantile_alpha" in params:
        params["quantile_alpha"] = [float(a) for a in params["quantile_alpha"].split(",")]
    rows(" ".join(words), label, margin, None if groups is not None else weight, upper, outputs)
    booster = xgb.Booster(dict(params, objective=objective, base_score=0.5, disable_default_eval_metric=1,
                               eval_metric=names), [d])
    for word in booster.eval(d).split("\t")[1:]:
        name, value = word[len("eval-"):].rsplit(":", 1)
        print(name, value)
    print()


def sk_block(objective, label, margin, outputs=1, **params):
    words = [objective, f"rows={len(label)}", f"outputs={outputs}"]
    words += [f"{key}={value}" for key, value in params.items()]
    rows(" ".join(words), label, margin, None, None, outputs)
    values = {}
    if objective.startswith("reg:"):
        values["mse"] = sk.mean_squared_error(label, margin)
        values["r2"] = sk.r2_score(label, margin)
    else:
        guess = margin.argmax(axis=1) if outputs > 1 else (margin > 0).astype(int)
        truth = label.astype(int)
        values["accuracy"] = sk.accuracy_score(truth, guess)
        values["balanced_accuracy"] = sk.balanced_accuracy_score(truth, guess)
        values["f1"] = values["f1_macro"] = sk.f1_score(truth, guess, average="macro")
        for average in ("macro", "micro"):
            values["precision_" + average] = sk.precision_score(truth, guess, average=average)
            values["recall_" + average] = sk.recall_score(truth, guess, average=average)
        if outputs <= 2:
            values["f1_binary"] = sk.f1_score(truth, guess)
            values["precision"] = sk.precision_score(truth, guess)
            values["recall"] = sk.recall_score(truth, guess)
    for name, value in values.items():
        print(name, f"{value:.17g}")
    print()


real = f32(rng.normal(size=N) * 2)
unit = f32(rng.random(N))
binary = f32(rng.random(N) < 0.4)
positive = f32(rng.gamma(2, 1, N) + 0.05)
counts = f32(rng.poisson(2, N))
classes = f32(rng.integers(0, 4, N))
weight = f32(rng.random(N) + 0.25)
margin = f32(rng.normal(size=N))
margin[10:20] = np.round(margin[10:20])  # ties
near_log = f32(np.log(positive) + rng.normal(size=N) * 0.3)

regression = ["rmse", "mae", "mape", "mphe"]
for w in (None, weight):
    block("reg:squarederror", regression, real, margin, w)
    block("reg:pseudohubererror", ["mphe", "rmse"], real, margin, w, huber_slope=0.7)
    block("reg:squaredlogerror", ["rmsle", "rmse"], positive, f32(np.abs(margin)), w)
    block("reg:logistic", ["rmse", "logloss", "mae"], unit, margin, w)
    names = ["logloss", "error", "error@0.7", "error@0.5", "auc", "aucpr", "rmse", "mae"]
    block("binary:logistic", names, binary, margin, w)
    block("binary:logistic", ["logloss"], binary, f32(margin * 40), w)
    block("binary:logitraw", names, binary, margin, w)
    block("binary:hinge", ["error", "auc", "aucpr"], binary, margin, w)
    many = f32(rng.normal(size=(N, 4)) * 2)
    block("multi:softprob", ["mlogloss", "merror", "auc", "aucpr"], classes, many, w, outputs=4, num_class=4)
    block("multi:softmax", ["mlogloss", "merror", "auc"], classes, f32(many * 30), w, outputs=4, num_class=4)
    block("count:poisson", ["poisson-nloglik", "rmse"], counts, near_log, w)
    block("reg:gamma", ["gamma-nloglik", "gamma-deviance", "rmse"], positive, near_log, w)
    block("reg:tweedie", ["tweedie-nloglik@1.5", "tweedie-nloglik@1.2", "rmse"], counts, near_log, w)
    block("reg:quantileerror", ["quantile"], real, margin, w, quantile_alpha="0.3")
    block("reg:quantileerror", ["quantile"], real, f32(rng.normal(size=(N, 3))), w, outputs=3,
          quantile_alpha="0.1,0.5,0.8")
    block("reg:absoluteerror", ["mae"], real, margin, w)

event = f32(np.where(rng.random(N) < 0.3, -positive, positive))
block("survival:cox", ["cox-nloglik"], event, margin)
tied = f32(np.sign(event) * (np.round(np.abs(event) * 2) / 2 + 0.25))
block("survival:cox", ["cox-nloglik"], tied, margin)
kind = rng.integers(0, 4, N)
lower = f32(np.where(kind == 1, 0, positive))
upper = f32(np.where(kind == 2, np.inf, np.where(kind == 3, positive * 1.8, positive)))
for distribution in ("normal", "logistic", "extreme"):
    block("survival:aft", ["aft-nloglik", "interval-regression-accuracy"], lower, near_log, weight,
          upper=upper, aft_loss_distribution=distribution, aft_loss_distribution_scale=1.3)

groups = [5, 13, 2, 39, 1]
group_weight = f32([0.5, 1.25, 2, 1, 0.75])
names = ["ndcg", "ndcg@3", "ndcg@3-", "ndcg@32", "auc"]
none = classes.copy()
none[5:18] = 0  # a list without relevant rows
for w in (None, group_weight):
    for y in (classes, none):
        block("rank:ndcg", names, y, margin, w, groups=groups)
        block("rank:pairwise", names, y, margin, w, groups=groups)
    none_binary = binary.copy()
    none_binary[5:18] = 0
    for y in (binary, none_binary):
        block("rank:map", ["map", "map@3", "map@3-", "pre@3", "aucpr", "ndcg@4", "auc"], y, margin, w,
              groups=groups)
block("rank:ndcg", ["ndcg", "ndcg@5"], classes, margin, groups=groups, ndcg_exp_gain=0)

sk_block("reg:squarederror", real, margin)
sk_block("binary:logistic", binary, margin)
sk_block("binary:logistic", f32(np.zeros(N)), margin)
sk_block("multi:softprob", classes, many, outputs=4, num_class=4)
three = many.copy()
three[:, 2] -= 50  # a class that nobody predicts, and one that is never true
sk_block("multi:softmax", f32(np.where(classes == 1, 0, classes)), three, outputs=4, num_class=4)
two = f32(rng.normal(size=(N, 2)))
sk_block("multi:softmax", binary, two, outputs=2, num_class=2)
