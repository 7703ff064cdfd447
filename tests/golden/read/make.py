#!/usr/bin/env python3
"""Counts and sums of the shared data sets, read by scikit-learn and pandas.

usage: make.py DATA_FOLDER > sums.txt

A line a file: path, label column (-1: none), rows, features, stored values, sum of the labels, sum
of the values as float32 added up in double, missing values.  Made with scikit-learn 1.9.1, pandas 3.1.1
(any version gives the same numbers)."""
import gzip
import sys

import numpy as np
import pandas as pd
from sklearn.datasets import load_svmlight_file

root = sys.argv[1]


def line(path, label, rows, features, stored, label_sum, value_sum, missing):
    print(path, label, rows, features, stored, f"{label_sum:.17g}", f"{value_sum:.17g}", missing)


for path in [
    "tabular/abalone/train.libsvm.gz",
    "tabular/agaricus/train.libsvm.gz",
    "tabular/agaricus/validation.libsvm.gz",
    "tabular/ijcnn1/train.libsvm.gz",
    "tabular/reuters-sparse/train.libsvm.gz",
    "ranking/mslr-sample/train.libsvm.gz",
    "ranking/mslr-sample/validation.libsvm.gz",
]:
    with gzip.open(f"{root}/{path}") as file:
        X, y = load_svmlight_file(file, zero_based=True)
    values = X.data.astype(np.float32).astype(np.float64)
    line(path, 0, X.shape[0], X.shape[1], X.nnz, y.sum(), values.sum(), 0)

# Encoded CSV: numbers only, label first, no header.
for name in ["iris", "wine", "breast-cancer", "titanic", "auto-mpg", "abalone", "churn", "wine-quality",
             "covtype-10k", "letter", "bike-sharing", "diamonds", "adult", "higgs-7k"]:
    path = f"tabular/{name}/train.csv.gz"
    data = pd.read_csv(f"{root}/{path}", header=None).to_numpy(dtype=np.float32).astype(np.float64)
    y, X = data[:, 0], data[:, 1:]
    line(path, 0, X.shape[0], X.shape[1], X.size, y.sum(), np.nansum(X), int(np.isnan(X).sum()))
