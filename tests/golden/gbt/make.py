"""Trees that XGBoost's hist grows on small data, as numbers a loop can read.

python3 make.py > trees.txt      (made with xgboost 3.2.0, numpy 2.4.6; the seed is below)

Features have few distinct values, so that bins hold one value each and XGBoost's cuts leave no
choice; labels have noise, so that gains hardly ever tie.  Lines:

case NAME
set NAME VALUE                 a hyperparameter
kinds c n ...                  c: categorical
rows N COLUMNS
LABEL WEIGHT VALUE...          nan: missing
trees N
nodes N
LEFT RIGHT FEATURE THRESHOLD WEIGHT GAIN COVER K CATEGORY...   a leaf has LEFT -1
margins                        N x outputs, a row a line
"""
import json

import numpy as np
import xgboost as xgb

rng = np.random.default_rng(11)


def features(n, cols, missing):
    x = np.round(rng.standard_normal((n, cols)) * 4) / 4
    x[rng.random((n, cols)) < missing] = np.nan
    return x.astype(np.float32)


def signal(x):
    z = np.nan_to_num(x, nan=0.7)
    return z[:, 0] * z[:, 1] + np.where(z[:, 2] > 0.3, 1.0, -0.5) + 0.3 * z[:, 3] ** 2


def case(name, x, y, params, rounds=3, weight=None, kinds=None):
    base = {"tree_method": "hist", "nthread": 1, "base_score": 0.5}
    kinds = kinds or ["n"] * x.shape[1]
    types = ["c" if k == "c" else "float" for k in kinds]
    d = xgb.DMatrix(x, y, weight=weight, feature_types=types, enable_categorical=True)
    b = xgb.train({**base, **params}, d, rounds)
    print("case", name)
    for k, v in {"base_score": 0.5, **params, "num_round": rounds}.items():
        print("set", k, str(v).replace(" ", ""))
    print("kinds", *kinds)
    print("rows", *x.shape)
    for i in range(len(x)):
        print("%.9g %.9g" % (y[i], 1 if weight is None else weight[i]), *["%.9g" % v for v in x[i]])
    trees = json.loads(b.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    print("trees", len(trees))
    for t in trees:
        sets = {}
        for k, node in enumerate(t["categories_nodes"]):
            s = t["categories_segments"][k]
            sets[node] = t["categories"][s:s + t["categories_sizes"][k]]
        print("nodes", len(t["left_children"]))
        for i, left in enumerate(t["left_children"]):
            c = sets.get(i, [])
            threshold = max(min(t["split_conditions"][i], 3e38), -3e38) if i not in sets else 0
            print(left, t["right_children"][i], t["split_indices"][i], "%.9g" % threshold,
                  "%.9g" % t["base_weights"][i], "%.9g" % t["loss_changes"][i],
                  "%.9g" % t["sum_hessian"][i], len(c), *c)
    print("margins")
    m = b.predict(d, output_margin=True).reshape(len(x), -1)
    for row in m:
        print(*["%.9g" % v for v in row])


n = 160
x = features(n, 5, 0.15)
y = (signal(x) + 0.5 * rng.standard_normal(n)).astype(np.float32)
binary = (y > np.median(y)).astype(np.float32)
classes = np.digitize(y, np.quantile(y, [0.3, 0.7])).astype(np.float32)
full = features(n, 5, 0)
yf = (signal(full) + 0.5 * rng.standard_normal(n)).astype(np.float32)

case("squared", x, y, {"objective": "reg:squarederror", "max_depth": 4})
case("full", full, yf, {"objective": "reg:squarederror", "max_depth": 5, "eta": 0.5})
case("logistic", x, binary, {"objective": "binary:logistic", "max_depth": 4, "lambda": 2, "alpha": 0.5,
                             "gamma": 0.3, "min_child_weight": 2})
case("gamma", x, y, {"objective": "reg:squarederror", "max_depth": 6, "gamma": 4})
case("lossguide", x, y, {"objective": "reg:squarederror", "max_depth": 0, "max_leaves": 9,
                         "grow_policy": "lossguide"})
case("leaves", x, y, {"objective": "reg:squarederror", "max_depth": 6, "max_leaves": 11})
case("monotone", x, y, {"objective": "reg:squarederror", "max_depth": 4,
                        "monotone_constraints": "(1,-1,1,0,0)"})
case("interaction", x, y, {"objective": "reg:squarederror", "max_depth": 4,
                           "interaction_constraints": "[[0,2],[1,3,4]]"})
case("delta", x, binary, {"objective": "binary:logistic", "max_depth": 3, "max_delta_step": 0.4})
case("softprob", x, classes, {"objective": "multi:softprob", "num_class": 3, "max_depth": 3}, rounds=2)
w = rng.integers(1, 5, n).astype(np.float32)
case("weights", x, y, {"objective": "reg:squarederror", "max_depth": 4, "min_child_weight": 3}, weight=w)
case("absolute", x, y, {"objective": "reg:absoluteerror", "max_depth": 3})
case("forest", x, y, {"objective": "reg:squarederror", "max_depth": 3, "num_parallel_tree": 2}, rounds=2)

cats = full.copy()
cats[:, 0] = rng.integers(0, 3, n)
cats[:, 1] = rng.integers(0, 12, n)
effect = rng.standard_normal(12)
yc = (effect[cats[:, 1].astype(int)] + (cats[:, 0] == 1) + 0.3 * cats[:, 2]
      + 0.3 * rng.standard_normal(n)).astype(np.float32)
case("categories", cats, yc, {"objective": "reg:squarederror", "max_depth": 4}, kinds=list("ccnnn"))
holes = cats.copy()
holes[rng.random(holes.shape) < 0.1] = np.nan
case("category_holes", holes, yc, {"objective": "reg:squarederror", "max_depth": 4}, kinds=list("ccnnn"))
