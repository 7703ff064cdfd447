#!/usr/bin/env python3
"""Makes the golden models of src/boost: small ones of every kind, in every form, with what the
package predicts for a few rows.

usage: make.py OUTPUT_FOLDER PREFIX     with xgboost 1.7.6 (PREFIX v17) and with 3.2.0 (PREFIX v32)

For each model: PREFIX_NAME.ubj, for some .json and (1.7) .bin, and PREFIX_NAME.txt with lines

    rows N FEATURES, then a line of values for each row
    margin | value | leaf | contributions | interactions WIDTH, then a line for each row
    weight | gain | cover | total_gain | total_cover, then a line: importance of each feature
"""

import sys

import numpy as np
import xgboost as xgb

FEATURES = 4
folder, prefix = sys.argv[1:]
xgb.set_config(verbosity=0)
random = np.random.default_rng(7)


def draw(n, categories=False):
    x = random.normal(size=(n, FEATURES)).astype("float32").round(2)
    if categories:
        x[:, 0] = random.integers(0, 3, n)
        x[:, 1] = random.integers(0, 12, n)
    x[random.random(x.shape) < 0.1] = np.nan
    return x


def write_lines(out, name, values, n):
    values = np.asarray(values, dtype="float64").reshape(n, -1)
    out.write("%s %d\n" % (name, values.shape[1]))
    for row in values:
        out.write(" ".join("%.9g" % value for value in row) + "\n")


def make(name, params, target, rounds=3, categories=False, json=False, explain=True, groups=None):
    x, rows = draw(200, categories), draw(6, categories)
    z = np.nan_to_num(x)
    y = target(z[:, 0] + z[:, 1] * z[:, 2] / 2 + 0.1 * z[:, 3])
    options = {"feature_types": ["c", "c", "q", "q"], "enable_categorical": True} if categories else {}
    train = xgb.DMatrix(x, y, **options)
    if groups:
        train.set_group(groups)
    booster = xgb.train({"max_depth": 3, "nthread": 1, "seed": 1, **params}, train, rounds)
    path = "%s/%s_%s" % (folder, prefix, name)
    booster.save_model(path + ".ubj")
    if json:
        booster.save_model(path + ".json")
    if prefix == "v17" and not categories:
        with open(path + ".bin", "wb") as file:
            file.write(bytes(booster.save_raw("deprecated")))
    data, n = xgb.DMatrix(rows, **options), len(rows)
    with open(path + ".txt", "w") as out:
        write_lines(out, "rows %d" % n, rows, n)
        write_lines(out, "margin", booster.predict(data, output_margin=True), n)
        write_lines(out, "value", booster.predict(data), n)
        if params.get("booster") == "gblinear":
            return
        write_lines(out, "leaf", booster.predict(data, pred_leaf=True), n)
        write_lines(out, "contributions", booster.predict(data, pred_contribs=True), n)
        write_lines(out, "interactions", booster.predict(data, pred_interactions=True), n)
        for kind in ("weight", "gain", "cover", "total_gain", "total_cover"):
            score = booster.get_score(importance_type=kind)
            write_lines(out, kind, [score.get("f%d" % i, 0) for i in range(FEATURES)], 1)


def same(y):
    return y


def positive(y):
    return np.abs(y) + 0.1


def above(y):
    return (y > 0) * 1.0


def three(y):
    return np.digitize(y, [-0.5, 0.5]).astype(float)


make("regression", {"objective": "reg:squarederror"}, same, json=True)
make("binary", {"objective": "binary:logistic", "scale_pos_weight": 2}, above, json=True)
make("softprob", {"objective": "multi:softprob", "num_class": 3, "num_parallel_tree": 2, "subsample": 0.5}, three, 2)
make("softmax", {"objective": "multi:softmax", "num_class": 3}, three, 2)
make("dart", {"objective": "reg:squarederror", "booster": "dart", "rate_drop": 0.5}, same, 4, json=True)
make("linear", {"objective": "reg:squarederror", "booster": "gblinear"}, same, json=True)
make("linear_softprob", {"objective": "multi:softprob", "num_class": 3, "booster": "gblinear"}, three)
make("forest", {"objective": "reg:squarederror", "num_parallel_tree": 3, "subsample": 0.5}, same, 2)
make("pruned", {"objective": "reg:squarederror", "tree_method": "exact", "gamma": 3, "max_depth": 5}, same, 2)
make("lossguide", {"objective": "reg:squarederror", "tree_method": "hist", "grow_policy": "lossguide", "max_depth": 0,
                   "max_leaves": 24, "min_child_weight": 0}, same, 2)
make("categories", {"objective": "reg:squarederror", "tree_method": "hist", "max_cat_to_onehot": 4}, same, 3,
     categories=True, json=True)
make("poisson", {"objective": "count:poisson"}, lambda y: np.round(positive(y) * 3), 2)
make("gamma", {"objective": "reg:gamma"}, positive, 2)
make("tweedie", {"objective": "reg:tweedie", "tweedie_variance_power": 1.3}, positive, 2)
make("logitraw", {"objective": "binary:logitraw"}, above, 2)
make("hinge", {"objective": "binary:hinge"}, above, 2)
make("rank", {"objective": "rank:ndcg"}, lambda y: np.clip(np.round(positive(y)), 0, 4), 2, groups=[50] * 4)
if prefix == "v32":
    make("quantile", {"objective": "reg:quantileerror", "quantile_alpha": np.array([0.2, 0.8])}, same, 2)
