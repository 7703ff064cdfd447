#!/usr/bin/env python3
"""Models go both ways between clary and the xgboost Python package: what the package saves predicts
the same here, and what clary writes predicts the same there, in every form and of every kind."""

import os
import subprocess
import sys
import tempfile

PYTHON = os.environ.get("PYTHON")
if PYTHON and os.path.realpath(PYTHON) != os.path.realpath(sys.executable) and "CLARY_INSIDE" not in os.environ:
    os.environ["CLARY_INSIDE"] = "1"
    os.execv(PYTHON, [PYTHON, *sys.argv])
try:
    import numpy as np
    import xgboost as xgb
except ImportError as missing:
    print("skipped: %s" % missing)
    sys.exit(77)

BUILD = os.environ.get("CLARY_BUILD", os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build"))
TOOL = os.path.join(BUILD, "tests", "model", "model_tool")
FOLDER = tempfile.mkdtemp(dir=os.environ.get("TMPDIR"))
FEATURES, OLD = 6, int(xgb.__version__.split(".")[0]) < 2
xgb.set_config(verbosity=0)
random = np.random.default_rng(3)
passed = failed = 0


def path(name):
    return os.path.join(FOLDER, name)


def tool(*words):
    done = subprocess.run([TOOL, *words], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())


def ours(model, kind, rows):
    rows.tofile(path("rows"))
    tool(model, kind, path("rows"), path("out"))
    return np.fromfile(path("out"), "float32")


def check(what, got, want):
    global passed, failed
    got, want = np.ravel(got).astype("float64"), np.ravel(want).astype("float64")
    if got.shape == want.shape and np.all(np.abs(got - want) <= 1e-5 * np.maximum(1, np.abs(want))):
        passed += 1
        return
    failed += 1
    print("%s: %s" % (what, "shapes %s, %s" % (got.shape, want.shape) if got.shape != want.shape else
                      "differs by up to %g" % np.max(np.abs(got - want))))


def draw(n, categories):
    x = random.normal(size=(n, FEATURES)).astype("float32")
    if categories:
        x[:, 0] = random.integers(0, 3, n)
        x[:, 1] = random.integers(0, 300, n)
        x[:, 2] = random.integers(0, 30, n)
    x[random.random(x.shape) < 0.1] = np.nan
    return x


KINDS = {
    "margin": {"output_margin": True},
    "value": {},
    "leaf": {"pred_leaf": True},
    "contributions": {"pred_contribs": True},
    "interactions": {"pred_interactions": True},
}


def expected(booster, data, linear, kinds=tuple(KINDS)):
    return {kind: booster.predict(data, **KINDS[kind]) for kind in kinds
            if not linear or kind in ("margin", "value")}


def try_kind(name, params, target, rounds=4, categories=False, names=None, groups=None):
    global failed
    x, rows = draw(300, categories), draw(40, categories)
    z = np.nan_to_num(x)
    y = target(z[:, 0] * (0.05 if categories else 1) + z[:, 1] * z[:, 2] / (4000 if categories else 2) + z[:, 3])
    types = ["c", "c", "c"] + ["q"] * (FEATURES - 3) if categories else None
    options = {"feature_types": types, "enable_categorical": categories, "feature_names": names}
    train, data = xgb.DMatrix(x, y, **options), xgb.DMatrix(rows, **options)
    if groups:
        train.set_group(groups)
    booster = xgb.train({"nthread": 1, "max_depth": 5, **params}, train, rounds)
    linear = params.get("booster") == "gblinear"
    want = expected(booster, data, linear)
    for form in ["json", "ubj"] + (["deprecated"] if OLD and not categories else []):
        file = path(name + "." + form)
        with open(file, "wb") as out:
            out.write(bytes(booster.save_raw(form)))
        for kind, values in want.items():
            check("%s.%s read here: %s" % (name, form, kind), ours(file, kind, rows), values)
    for kind in () if linear else ("weight", "gain", "cover", "total_gain", "total_cover"):
        score = booster.get_score(importance_type=kind)
        check("%s: %s" % (name, kind), ours(path(name + ".ubj"), kind, rows),
              [score.get((names or ["f%d" % i for i in range(FEATURES)])[i], 0) for i in range(FEATURES)])
    for form in "json", "ubjson":
        file = path("written." + form[:4].replace("ubjs", "ubj"))
        tool(path(name + ".ubj"), "convert", form, file)
        again = xgb.Booster()
        again.load_model(file)
        for kind, values in expected(again, data, linear, ("margin", "value", "leaf", "contributions")).items():
            check("%s written as %s, read by the package: %s" % (name, form, kind), values, want[kind])
        if again.num_boosted_rounds() != booster.num_boosted_rounds() or again.feature_names != booster.feature_names:
            failed += 1
            print("%s written as %s: rounds or names differ" % (name, form))


def same(y):
    return y


def positive(y):
    return np.abs(y) + 0.1


def above(y):
    return (y > 0) * 1.0


def three(y):
    return np.digitize(y, [-0.5, 0.5]).astype(float)


def level(y):
    return np.clip(np.round(positive(y)), 0, 4)


try_kind("squared", {"objective": "reg:squarederror"}, same)
try_kind("names", {"objective": "reg:squarederror"}, same, names=["a", 'b"', "\u00e4", "d e", "e", "f\\"])
try_kind("logistic", {"objective": "binary:logistic", "scale_pos_weight": 3, "base_score": 0.3}, above)
try_kind("logitraw", {"objective": "binary:logitraw"}, above)
try_kind("hinge", {"objective": "binary:hinge"}, above)
try_kind("probability", {"objective": "reg:logistic"}, lambda y: 1 / (1 + np.exp(-y)))
try_kind("softprob", {"objective": "multi:softprob", "num_class": 3}, three)
try_kind("softmax", {"objective": "multi:softmax", "num_class": 3, "num_parallel_tree": 2, "subsample": 0.5}, three)
try_kind("dart", {"objective": "reg:squarederror", "booster": "dart", "rate_drop": 0.4}, same)
try_kind("dart softprob", {"objective": "multi:softprob", "num_class": 3, "booster": "dart", "rate_drop": 0.4}, three)
try_kind("linear", {"objective": "reg:squarederror", "booster": "gblinear"}, same)
try_kind("linear softprob", {"objective": "multi:softprob", "num_class": 3, "booster": "gblinear"}, three)
try_kind("forest", {"objective": "reg:squarederror", "num_parallel_tree": 4, "subsample": 0.5}, same, 3)
try_kind("pruned", {"objective": "reg:squarederror", "tree_method": "exact", "gamma": 3, "max_depth": 7}, same)
try_kind("lossguide", {"objective": "reg:squarederror", "tree_method": "hist", "grow_policy": "lossguide", "max_depth": 0,
                       "max_leaves": 40}, same)
try_kind("deep", {"objective": "reg:squarederror", "max_depth": 12, "min_child_weight": 0}, same, 3)
try_kind("categories", {"objective": "reg:squarederror", "tree_method": "hist"}, same, categories=True)
try_kind("poisson", {"objective": "count:poisson"}, lambda y: np.round(positive(y) * 3))
try_kind("gamma", {"objective": "reg:gamma"}, positive)
try_kind("tweedie", {"objective": "reg:tweedie", "tweedie_variance_power": 1.2}, positive)
try_kind("squaredlog", {"objective": "reg:squaredlogerror"}, positive)
try_kind("huber", {"objective": "reg:pseudohubererror", "huber_slope": 2}, same)
try_kind("absolute", {"objective": "reg:absoluteerror"}, same)
try_kind("pairwise", {"objective": "rank:pairwise"}, level, groups=[100] * 3)
try_kind("ndcg", {"objective": "rank:ndcg"}, level, groups=[100] * 3)
try_kind("cox", {"objective": "survival:cox"}, lambda y: np.where(y > 0, 1, -1) * positive(y))
if not OLD:
    try_kind("quantile", {"objective": "reg:quantileerror", "quantile_alpha": np.array([0.1, 0.5, 0.9])}, same)

print("%d passed, %d failed" % (passed, failed))
sys.exit(1 if failed else 0)
