"""Is what clary learns as good as what xgboost learns?

For several data sets, both train with the same settings and row and column samples of several seeds, and
the metric on held-out rows, as each reports it, is compared. The samples differ (the generators do), so the
seeds measure the noise: the difference of the means is shown beside its standard error. "same" means that
it is below three of those, or below a tenth of a percent of the metric.

usage: make bench BENCH=quality     (QUALITY_SEEDS=8, QUALITY_ONLY="adult letter", QUALITY_DATA=folder)

The data sets lie in ../shared/data beside the repository; those that are absent are left out. "higgs" is
made by bench/data.py. clary trains through build/bench/gbt_bench.
"""

import gzip
import os
import statistics
import subprocess
import sys

import common
from common import Bench, call, program, run

SHARED = os.environ.get("QUALITY_DATA", os.path.join(common.ROOT, "..", "shared", "data"))
SEEDS = max(2, int(os.environ.get("QUALITY_SEEDS", "5")))  # one shows no noise
FOLDER = os.path.join(common.DATA, "quality")

SAMPLED = {"subsample": 0.8, "colsample_bytree": 0.8}
BINARY = {"objective": "binary:logistic", "eta": 0.1, "max_depth": 6}
HIGGS_ROWS = 200_000

# name: (data, metric, settings, rounds)
TASKS = {
    "adult": ("adult", "auc", BINARY, 100),
    "adult, exact": ("adult", "auc", dict(BINARY, tree_method="exact"), 40),
    "adult, approx": ("adult", "auc", dict(BINARY, tree_method="approx"), 40),
    "adult, lossguide": ("adult", "auc", dict(BINARY, grow_policy="lossguide", max_depth=0, max_leaves=31), 100),
    "bike sharing": ("bike", "rmse", {"objective": "reg:squarederror", "eta": 0.1, "max_depth": 6}, 150),
    "bike sharing, poisson": ("bike", "poisson-nloglik", {"objective": "count:poisson", "eta": 0.1, "max_depth": 6}, 100),
    "bike sharing, absolute error": ("bike", "mae", {"objective": "reg:absoluteerror", "eta": 0.1, "max_depth": 6}, 100),
    "letter": ("letter", "merror", {"objective": "multi:softmax", "num_class": 26, "eta": 0.3, "max_depth": 6}, 30),
    "KDD Cup 99": ("kdd", "mlogloss", {"objective": "multi:softprob", "num_class": 23, "eta": 0.3, "max_depth": 6}, 10),
    "ranking": ("ranking", "ndcg@10", {"objective": "rank:ndcg", "eta": 0.1, "max_depth": 6}, 60),
    "ranking, pairwise": ("ranking", "ndcg@10", {"objective": "rank:pairwise", "eta": 0.1, "max_depth": 6}, 60),
    "HIGGS-like": ("higgs", "auc", BINARY, 100),
}


# ---- data: float32 rows in .npy files, the label first, for ranking the query second; nan is missing ----


def write(name, parts):
    import numpy as np

    folder = os.path.join(FOLDER, name)
    os.makedirs(folder + ".part", exist_ok=True)
    for part, rows in parts.items():
        np.save(os.path.join(folder + ".part", part + ".npy"), np.ascontiguousarray(rows, np.float32))
    os.rename(folder + ".part", folder)


def read_encoded(name):
    import numpy as np

    parts = {}
    for part in ("train", "validation"):
        with gzip.open(os.path.join(SHARED, "tabular", name, part + ".csv.gz"), "rt") as text:
            parts[part] = np.genfromtxt(text, delimiter=",", dtype=np.float32)
    return parts


def read_kdd():
    import numpy as np
    import polars as pl

    path = os.path.join(SHARED, "tabular", "kddcup99-10pct", "kddcup.data_10_percent.csv.gz")
    frame = pl.read_csv(path)
    columns = [frame[name].to_numpy() if frame[name].dtype.is_numeric() else
               np.unique(frame[name].to_numpy(), return_inverse=True)[1] for name in frame.columns]
    rows = np.column_stack([columns[-1]] + columns[:-1]).astype(np.float32)
    rows = rows[np.random.default_rng(1).permutation(len(rows))[:120_000]]
    return {"train": rows[:90_000], "validation": rows[90_000:]}


def read_ranking():
    import numpy as np

    parts = {}
    for part in ("train", "validation"):
        base = os.path.join(SHARED, "ranking", "mslr-sample", part)
        with gzip.open(base + ".libsvm.gz", "rt") as text:
            lines = [line.split() for line in text]
        with gzip.open(base + ".group.gz", "rt") as text:
            sizes = [int(line) for line in text]
        rows = np.full((len(lines), 303), np.nan, np.float32)
        for i, words in enumerate(lines):
            rows[i, 0] = float(words[0])
            for word in words[1:]:
                column, value = word.split(":")
                rows[i, 2 + int(column)] = float(value)
        rows[:, 1] = np.repeat(np.arange(len(sizes)), sizes)
        parts[part] = rows
    return parts


def prepare(name):
    reader = {"adult": lambda: read_encoded("adult"), "letter": lambda: read_encoded("letter"),
              "bike": lambda: read_encoded("bike-sharing"), "kdd": read_kdd, "ranking": read_ranking}
    write(name, reader[name]())


def files_of(name):
    """Paths of the training and the held-out rows, or None."""
    if name == "higgs":
        files = common.data("higgs", rows=HIGGS_ROWS)
        return files["train.npy"], files["test.npy"]
    folder = os.path.join(FOLDER, name)
    if not os.path.isdir(folder):
        done = run(call(prepare, name), 1, 600)
        if "failed" in done:
            print("%s: no data (%s)" % (name, done["failed"]), flush=True)
            return None
    return os.path.join(folder, "train.npy"), os.path.join(folder, "validation.npy")


# ---- contenders ------------------------------------------------------------------------------------------


def xgboost(train, validation, settings, rounds, metric, group):
    import numpy as np
    import xgboost as xgb

    def read(path):
        rows = np.load(path)
        query = rows[:, 1].astype(int) if group else None
        return xgb.DMatrix(rows[:, 2 if group else 1:], rows[:, 0], qid=query)

    data, held_out = read(train), read(validation)
    history = {}
    xgb.train(dict(settings, eval_metric=metric, nthread=1), data, rounds, evals=[(held_out, "validation")],
              evals_result=history, verbose_eval=False)
    return {metric: history["validation"][metric][-1]}


NAMES = {"max_depth": "depth", "num_class": "classes", "grow_policy": "policy", "max_leaves": "leaves",
         "colsample_bytree": "columns", "tree_method": "method"}


def clary(train, validation, settings, rounds, metric, group):
    words = ["%s=%s" % (NAMES.get(name, name), value) for name, value in settings.items()]
    words += ["threads=1", "rounds=%d" % rounds, "metric=" + metric, "group=%d" % group]
    return [program("bench/gbt_bench"), train, validation, *words]


def value_of(figures, metric):
    if "failed" in figures:
        return None, figures["failed"]
    value = figures.get(metric)
    return value, None if value is not None else "it reports no " + metric


def compare(title, name, metric, settings, rounds):
    files = files_of(name)
    if not files:
        return None
    group = name == "ranking"
    values = {"clary": [], "xgboost": []}
    for seed in range(SEEDS):
        chosen = dict(settings, **SAMPLED, seed=seed)
        for who, words in (("clary", clary(*files, chosen, rounds, metric, group)),
                           ("xgboost", call(xgboost, *files, chosen, rounds, metric, group))):
            value, problem = value_of(run(words, 1, 900), metric)
            if problem:
                return title, metric, None, "%s failed: %s" % (who, problem)
            values[who].append(value)
    means = {who: statistics.mean(v) for who, v in values.items()}
    errors = {who: statistics.stdev(v) / len(v) ** 0.5 if len(v) > 1 else 0 for who, v in values.items()}
    error = (errors["clary"] ** 2 + errors["xgboost"] ** 2) ** 0.5
    difference = means["clary"] - means["xgboost"]
    better = difference > 0 if metric.split("@")[0] in ("auc", "ndcg", "map") else difference < 0
    same = abs(difference) <= max(3 * error, 1e-3 * abs(means["xgboost"]))
    return title, metric, (means["clary"], means["xgboost"], difference, error), (
        "same" if same else "better" if better else "WORSE")


def main():
    bench = Bench("quality", "Quality of boosted trees")
    subprocess.run(["ninja", "-C", common.BUILD, "--quiet", "bench/gbt_bench"], check=True)
    only = os.environ.get("QUALITY_ONLY")
    rows = ["| data | metric | clary | xgboost | difference | standard error | |", "|---|---|---:|---:|---:|---:|---|"]
    print("\n" + "\n".join(rows), flush=True)
    worse = 0
    for title, (name, metric, settings, rounds) in TASKS.items():
        if only and not any(word in title for word in only.split(",")):
            continue
        result = compare(title, name, metric, settings, rounds)
        if not result:
            continue
        _, _, figures, verdict = result
        cells = ["%.6g" % figures[0], "%.6g" % figures[1], "%+.2g" % figures[2], "%.2g" % figures[3]] if figures else ["–"] * 4
        rows.append("| " + " | ".join([title, metric, *cells, verdict]) + " |")
        print(rows[-1], flush=True)
        worse += verdict == "WORSE" or not figures
    title = "Held-out metrics, means over %d seeds (subsample and colsample_bytree 0.8)" % SEEDS
    bench.tables.append({"title": title, "lines": ["**%s**" % title, "", *rows]})
    bench.end()
    sys.exit(1 if worse else 0)


if __name__ == "__main__":
    common.main(main)
