#!/usr/bin/env python3
"""Golden tables of src/prepare: what scikit-learn and pandas make of train.csv and other.csv, a file a case.

A file: a line with versions, the recipe, "---", the prepared training table, "---", the other table as what was
learned from the first changes it.  recipe_test.c reads them all."""

import io
import os

import numpy
import pandas
import scipy.stats
import sklearn
from sklearn import decomposition, feature_extraction, impute, preprocessing

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "# numpy %s, pandas %s, scikit-learn %s, scipy %s\n" % (
    numpy.__version__, pandas.__version__, sklearn.__version__, scipy.__version__)
NUMBERS = ["a", "b", "c"]


def make_data():
    random = numpy.random.RandomState(7)
    for name, n, seed in (("train", 60, 1), ("other", 25, 2)):
        random = numpy.random.RandomState(seed)
        table = pandas.DataFrame({
            "a": random.normal(10, 3, n).round(3),
            "b": random.lognormal(1, 1, n).round(4),
            "c": random.randint(0, 6, n).astype(float),
            "k": 1.5,
            "city": random.choice(["Oslo", "Rome", "Paris", "Bern"], n, p=[0.5, 0.25, 0.15, 0.1]),
            "size": random.choice(["S", "M", "L"], n),
            "day": (pandas.Timestamp("2023-11-20 00:30") + pandas.to_timedelta(random.randint(0, 24 * 400, n), "h")),
            "y": random.randint(0, 2, n),
            "t": random.normal(0, 1, n).round(4),
        })
        table.loc[random.rand(n) < 0.15, "a"] = numpy.nan
        table.loc[random.rand(n) < 0.2, "c"] = numpy.nan
        table.loc[random.rand(n) < 0.1, "city"] = None
        table.loc[3, "b"] = 250.0
        table["day"] = table["day"].dt.strftime("%Y-%m-%dT%H:%M:%S")
        table.to_csv(os.path.join(HERE, name + ".csv"), index=False)


def read(name):
    return pandas.read_csv(os.path.join(HERE, name + ".csv"))


def text(table):
    out = io.StringIO()
    table.to_csv(out, index=False, float_format="%.17g")
    return out.getvalue()


def case(name, recipe, change):
    """change(train, table): the table as what is learned from train changes it."""
    train, other = read("train"), read("other")
    with open(os.path.join(HERE, name + ".txt"), "w") as out:
        out.write(HEAD + recipe + "\n---\n" + text(change(train.copy(), train.copy())) + "---\n" +
                  text(change(train.copy(), other.copy())))


def transformed(columns, make):
    def change(train, table):
        transformer = make().fit(train[columns])
        table[columns] = transformer.transform(table[columns])
        return table[columns]
    return change


def number_case(name, step, make, columns=("a", "b", "c")):
    columns = list(columns)
    case(name, "select %s\n%s" % (", ".join(columns), step), transformed(columns, make))


def missing():
    for how, strategy in (("mean", "mean"), ("median", "median"), ("mode", "most_frequent")):
        number_case("fill_" + how, "fill * with " + how, lambda: impute.SimpleImputer(strategy=strategy))
    case("fill_words", "select city\nfill city with mode",
         lambda train, table: table[["city"]].fillna(train["city"].mode()[0]))
    case("fill_value", "select a, city\nfill a value -1.5\nfill city value 'no city'",
         lambda train, table: table[["a", "city"]].fillna({"a": -1.5, "city": "no city"}))
    case("fill_forward", "select a, c, city\nfill * with forward", lambda train, table: table[["a", "c", "city"]].ffill())
    case("fill_backward", "select a, c, city\nfill * with backward", lambda train, table: table[["a", "c", "city"]].bfill())
    case("fill_linear", "select a, c\nfill * with linear", lambda train, table: table[["a", "c"]].interpolate())
    case("drop_missing", "select a, c, city\ndrop-missing a, city",
         lambda train, table: table[["a", "c", "city"]].dropna(subset=["a", "city"]))

    def flags(train, table):
        table = table[["a", "c"]].copy()
        table["a_missing"] = table["a"].isna().astype(int)
        table["c_missing"] = table["c"].isna().astype(int)
        return table
    case("flag_missing", "select a, c\nflag-missing a, c", flags)


def scaling():
    columns = ["a", "b", "c", "k"]
    number_case("standard", "standardize *", preprocessing.StandardScaler, columns)
    number_case("min_max", "min-max *", preprocessing.MinMaxScaler, columns)
    number_case("min_max_range", "min-max * low -1 high 2", lambda: preprocessing.MinMaxScaler((-1, 2)), columns)
    number_case("max_abs", "max-abs *", preprocessing.MaxAbsScaler, columns)
    number_case("robust", "robust *", preprocessing.RobustScaler, columns)
    for norm in ("l1", "l2", "max"):
        number_case("unit_norm_" + norm, "unit-norm * norm " + norm, lambda: preprocessing.Normalizer(norm), ("b", "t"))
    for output in ("uniform", "normal"):
        number_case("quantile_" + output, "quantile * output " + output,
                    lambda: preprocessing.QuantileTransformer(n_quantiles=60, output_distribution=output))
    number_case("quantile_few", "quantile * n 7", lambda: preprocessing.QuantileTransformer(n_quantiles=7))
    case("log1p", "select b\nlog1p b", lambda train, table: numpy.log1p(table[["b"]]))


def encoding():
    def ordinal(train, table):
        return pandas.DataFrame(preprocessing.OrdinalEncoder().fit(train[["city", "size"]]).transform(table[["city", "size"]]),
                                columns=["city", "size"])
    case("ordinal", "select city, size\nordinal *", ordinal)
    case("ordinal_order", "select size\nordinal size order S, M, L",
         lambda train, table: table[["size"]].apply(lambda s: s.map({"S": 0, "M": 1, "L": 2})))
    for drop, argument in (("none", None), ("first", "first"), ("binary", "if_binary")):
        def one_hot(train, table):
            encoder = preprocessing.OneHotEncoder(drop=argument, sparse_output=False).fit(train[["city", "size"]])
            names = [n.replace("_nan", "_missing").replace("_None", "_missing")
                     for n in encoder.get_feature_names_out(["city", "size"])]
            return pandas.DataFrame(encoder.transform(table[["city", "size"]]), columns=names)
        case("one_hot_" + drop, "select city, size\none-hot * drop " + drop, one_hot)

    def count(train, table):
        out = table[["city"]].copy()
        out["city"] = table["city"].map(train["city"].value_counts())
        return out
    case("count", "select city\ncount city", count)

    def hashed(train, table):
        hasher = feature_extraction.FeatureHasher(8, input_type="string")
        tokens = [[] if not isinstance(w, str) else [w] for w in table["city"]]
        return pandas.DataFrame(hasher.transform(tokens).toarray(), columns=["city_hash%d" % k for k in range(8)])
    case("hash", "select city\nhash city n 8", hashed)


def outliers():
    def fences(x, by, t):
        x = x.dropna()
        if by == "z":
            return x.mean() - t * x.std(ddof=0), x.mean() + t * x.std(ddof=0)
        if by == "modified-z":
            mad = scipy.stats.median_abs_deviation(x)
            return x.median() - t * mad / 0.6745, x.median() + t * mad / 0.6745
        if by == "iqr":
            low, high = x.quantile(0.25), x.quantile(0.75)
            return low - t * (high - low), high + t * (high - low)
        return x.quantile(t / 100), x.quantile(1 - t / 100)
    for by, t in (("z", 2), ("modified-z", 3.5), ("iqr", 1.5), ("percentile", 5)):
        def clip(train, table):
            for name in ("a", "b"):
                table[name] = table[name].clip(*fences(train[name], by, t))
            return table[["a", "b"]]
        case("clip_" + by.replace("-", "_"), "select a, b\noutliers * by %s threshold %g do clip" % (by, t), clip)

    def flag(train, table):
        low, high = fences(train["b"], "iqr", 1.5)
        table["b_outlier"] = ((table["b"] < low) | (table["b"] > high)).astype(int)
        return table[["b", "b_outlier"]]
    case("flag", "select b\noutliers b do flag", flag)

    def remove(train, table):
        low, high = fences(train["b"], "iqr", 1.5)
        return table[["b"]] if len(table) < len(train) else table[["b"]][(table["b"] >= low) & (table["b"] <= high)]
    case("remove", "select b\noutliers b do remove", remove)


def shape():
    case("filter", "select a, city\nfilter a >= 9.5\nfilter city in Oslo, Rome",
         lambda train, table: table[["a", "city"]][(table["a"] >= 9.5) & table["city"].isin(["Oslo", "Rome"])])
    case("deduplicate", "select c, size\ndeduplicate",
         lambda train, table: table[["c", "size"]] if len(table) < len(train) else table[["c", "size"]].drop_duplicates())


if __name__ == "__main__":
    make_data()
    missing()
    scaling()
    encoding()
    outliers()
    shape()
