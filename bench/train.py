#!/usr/bin/env python3
"""From a CSV file to a trained model, as a user at a shell sees it: the whole process, start to end.

Reading, training, and scoring a test file: clary train and clary evaluate against a Python script that reads with polars (the fastest reader) and trains with xgboost
or LightGBM, all at the same hyperparameters; the area under the ROC curve on the test file is compared."""

import os

import common
from common import Bench, call, data, part

ROUNDS, DEPTH, ETA = 100, 6, 0.1


def read(path):
    import polars as pl
    table = pl.read_csv(path, has_header=False).cast(pl.Float32)
    return table[:, 1:].to_numpy(), table[:, 0].to_numpy()


def auc(test, predict):
    from sklearn.metrics import roc_auc_score
    features, labels = read(test)
    return {"roc_auc": round(float(roc_auc_score(labels, predict(features))), 5)}


def xgboost(train, test, threads):
    import polars, sklearn.metrics, xgboost as xgb  # imports count: a user waits for them too
    with part("train"):
        features, labels = read(train)
        matrix = xgb.QuantileDMatrix(features, labels, nthread=threads, max_bin=256)
        del features
        model = xgb.train({"objective": "binary:logistic", "tree_method": "hist", "max_depth": DEPTH, "eta": ETA,
                           "nthread": threads, "max_bin": 256}, matrix, ROUNDS)
    return auc(test, model.inplace_predict)


def lightgbm(train, test, threads):
    import polars, lightgbm as lgb, sklearn.metrics
    with part("train"):
        features, labels = read(train)
        model = lgb.train({"objective": "binary", "num_leaves": 2 ** DEPTH, "max_depth": DEPTH, "learning_rate": ETA,
                           "num_threads": threads, "max_bin": 255, "verbose": -1}, lgb.Dataset(features, labels), ROUNDS)
    return auc(test, model.predict)


def main():
    files = data("higgs", rows=1_000_000)
    bench = Bench("train", "From a CSV file to a model (1 M x 28, 100 trees of depth 6)")
    for threads in (1, 2):
        model = os.path.join(common.BUILD, "bench", "model.tar.gz")
        commands = ("clary train xgboost --train %s --no-header --target 0 --objective binary:logistic --num_round %d --max_depth %d "
                    "--eta %g --threads %d -q -o %s && clary evaluate %s %s --no-header --target 0 --threads %d --json"
                    % (files["train.csv"], ROUNDS, DEPTH, ETA, threads, model, model, files["test.csv"], threads))
        bench.compare("whole process, CSV to model", threads=threads, by="wall" if threads > 1 else "cpu", contenders={
            "clary": ["sh", "-c", "PATH=%s:$PATH; %s" % (os.path.dirname(common.clary()[0]), commands)],
            "polars + xgboost": call(xgboost, files["train.csv"], files["test.csv"], threads),
            "polars + lightgbm": call(lightgbm, files["train.csv"], files["test.csv"], threads),
        })
    bench.end()


if __name__ == "__main__":
    common.main(main)
