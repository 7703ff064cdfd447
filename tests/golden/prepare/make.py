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
import sklearn.feature_extraction.text

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
        words = ["Alpha", "beta", "gamma", "delta", "x", "a_b", "42"]
        table["text"] = [" ".join(random.choice(words, random.randint(1, 7))) + "." for _ in range(n)]
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


def neighbors():
    for weights in ("uniform", "distance"):
        number_case("knn_" + weights, "fill-knn * k 3 weights " + weights,
                    lambda: impute.KNNImputer(n_neighbors=3, weights=weights), ("a", "b", "c", "t"))


def powers():
    number_case("power_yeo_johnson", "yeo-johnson *", preprocessing.PowerTransformer, ("a", "b", "c", "t"))
    number_case("power_box_cox", "box-cox *", lambda: preprocessing.PowerTransformer("box-cox"), ("a", "b"))
    number_case("power_plain", "yeo-johnson * standardize no",
                lambda: preprocessing.PowerTransformer(standardize=False), ("a", "t"))


def with_target():
    def encode(smooth, target):
        def change(train, table):
            encoder = preprocessing.TargetEncoder(target_type="continuous", smooth=smooth, cv=5, shuffle=False)
            learned = encoder.fit_transform(train[["city", "size"]], train[target])
            values = encoder.transform(table[["city", "size"]]) if len(table) < len(train) else learned
            return pandas.DataFrame(values, columns=["city", "size"]).join(table[["y", "t"]])
        return change
    for name, smooth, target in (("ten", 10.0, "t"), ("none", 0.0, "t"), ("auto", "auto", "t"), ("binary", 10.0, "y")):
        case("target_" + name, "select city, size, y, t\ntarget-encode city, size target %s smooth %s shuffle no" % (target, smooth),
             encode(smooth, target))

    def leave_one_out(train, table):
        groups = train.groupby("city", dropna=False)["t"]
        learned = pandas.DataFrame({"n": groups.count(), "sum": groups.sum()})
        rows = learned.loc[table["city"]].reset_index(drop=True)
        if len(table) == len(train):
            rows["n"] -= 1
            rows["sum"] -= table["t"]
        return pandas.DataFrame({"city": rows["sum"] / rows["n"], "t": table["t"]})
    case("leave_one_out", "select city, t\ntarget t\nleave-one-out city", leave_one_out)

    def woe(train, table):
        words = train["city"].fillna("missing")
        positive = train["y"].groupby(words).sum()
        negative = words.groupby(words).count() - positive
        k = len(positive)
        value = numpy.log((positive + 0.5) / (positive.sum() + 0.5 * k) / ((negative + 0.5) / (negative.sum() + 0.5 * k)))
        return pandas.DataFrame({"city": table["city"].fillna("missing").map(value), "y": table["y"]})
    case("woe", "select city, y\ntarget y\nwoe city", woe)


def dates():
    def parts(train, table):
        day = pandas.to_datetime(table["day"])
        return pandas.DataFrame({"day_year": day.dt.year, "day_quarter": day.dt.quarter, "day_month": day.dt.month,
                                 "day_day": day.dt.day, "day_weekday": day.dt.weekday, "day_hour": day.dt.hour,
                                 "day_minute": day.dt.minute, "day_yearday": day.dt.dayofyear})
    case("date_parts", "select day\ndate-parts day parts year, quarter, month, day, weekday, hour, minute, yearday", parts)

    def circle(train, table):
        day = pandas.to_datetime(table["day"])
        month, hour = 2 * numpy.pi * (day.dt.month - 1) / 12, 2 * numpy.pi * day.dt.hour / 24
        return pandas.DataFrame({"day_month_sin": numpy.sin(month), "day_month_cos": numpy.cos(month),
                                 "day_hour_sin": numpy.sin(hour), "day_hour_cos": numpy.cos(hour)})
    case("cyclical", "select day\ncyclical day parts month, hour", circle)


def features():
    for by in ("uniform", "quantile"):
        number_case("bin_" + by, "bin * by %s n 4" % by,
                    lambda: preprocessing.KBinsDiscretizer(4, encode="ordinal", strategy=by, quantile_method="linear"), ("b", "t"))
    case("bin_edges", "select a\nbin a edges 8, 10.5",
         lambda train, table: table[["a"]].apply(lambda a: a.where(a.isna(), numpy.digitize(a, [8, 10.5]))))

    def products(degree, interactions):
        def change(train, table):
            maker = preprocessing.PolynomialFeatures(degree, interaction_only=interactions, include_bias=False).fit(train[["b", "k", "t"]])
            return pandas.DataFrame(maker.transform(table[["b", "k", "t"]]), columns=maker.get_feature_names_out())
        return change
    case("polynomial", "select b, k, t\npolynomial * degree 3", products(3, False))
    case("interactions", "select b, k, t\ninteractions * degree 3", products(3, True))

    def pca(n, scale):
        def change(train, table):
            columns = ["b", "t", "y"]
            if scale:
                scaler = preprocessing.StandardScaler().fit(train[columns])
                train, table = (pandas.DataFrame(scaler.transform(x[columns]), columns=columns) for x in (train, table))
            model = decomposition.PCA(n, svd_solver="full").fit(train[columns])
            signs = numpy.sign(model.components_[numpy.arange(model.n_components_), abs(model.components_).argmax(1)])
            values = model.transform(table[columns]) * signs
            return pandas.DataFrame(values, columns=["pc%d" % (k + 1) for k in range(values.shape[1])])
        return change
    case("pca", "select b, t, y\npca *", pca(None, False))
    case("pca_two_scaled", "select b, t, y\npca * n 2 scale yes", pca(2, True))
    case("pca_share", "select b, t, y\npca * share 0.6 scale yes", pca(0.6, True))

    case("drop_correlated", "select a, b, t\npolynomial a\ndrop-correlated *", lambda train, table: table[["a", "b", "t"]])
    case("drop_vif", "select b, t, k\npolynomial b\ndrop-vif * threshold 5", vif_left)


def vif_left(train, table):
    def made(x):
        x = x[["b", "t", "k"]].copy()
        x["b^2"] = x["b"] ** 2
        return x
    left = made(train)
    while True:
        varied = [n for n in left if left[n].std() > 0]
        factors = numpy.diag(numpy.linalg.inv(left[varied].corr().to_numpy()))
        if factors.max() <= 5:
            return made(table)[list(left)]
        left = left.drop(columns=varied[len(factors) - 1 - factors[::-1].argmax()])


def texts():
    for name, step, make in (("words_count", "words text", feature_extraction.text.CountVectorizer),
                             ("words_tf_idf", "tf-idf text", feature_extraction.text.TfidfVectorizer)):
        def change(train, table):
            maker = make().fit(train["text"])
            return pandas.DataFrame(maker.transform(table["text"]).toarray(),
                                    columns=["text_" + w for w in maker.get_feature_names_out()])
        case(name, "select text\n" + step, change)


if __name__ == "__main__":
    make_data()
    missing()
    scaling()
    encoding()
    outliers()
    shape()
    neighbors()
    powers()
    with_target()
    dates()
    features()
    texts()
