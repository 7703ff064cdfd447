#!/usr/bin/env python3
"""Golden numbers of src/stats: distributions, correlations, VIF, tables.  Versions are in the files' first lines."""

import os

import numpy
import pandas
import scipy
from scipy import stats

HERE = os.path.dirname(os.path.abspath(__file__))
HEAD = "# numpy %s, scipy %s, pandas %s\n" % (numpy.__version__, scipy.__version__, pandas.__version__)


def distributions():
    with open(os.path.join(HERE, "distributions.txt"), "w") as out:
        out.write(HEAD + "# function, arguments, value\n")

        def say(name, value, *args):
            out.write("%s %s %.17g\n" % (name, " ".join("%.17g" % a for a in (args + (0, 0, 0))[:3]), value))
        for x in (-8, -3, -1, 0, 0.5, 2, 6):
            say("normal_cdf", stats.norm.cdf(x), x)
        for p in (1e-12, 0.001, 0.025, 0.3, 0.5, 0.8, 0.9999):
            say("normal_quantile", stats.norm.ppf(p), p)
        for x in (0.01, 0.5, 3, 10, 60, 400):
            for df in (1, 2, 5, 40, 300):
                say("chi2_sf", stats.chi2.sf(x, df), x, df)
        for p in (0.01, 0.5, 0.95, 0.999):
            for df in (1, 3, 30):
                say("chi2_quantile", stats.chi2.ppf(p, df), p, df)
                say("t_quantile", stats.t.ppf(p, df), p, df)
        for t in (-4, -0.3, 0, 1, 2.5, 20):
            for df in (1, 2.5, 10, 200, 1e6):
                say("t_cdf", stats.t.cdf(t, df), t, df)
                say("t_two_sided", 2 * stats.t.sf(abs(t), df), t, df)
        for f in (0.1, 1, 3.5, 40):
            for a, b in ((1, 1), (2, 6), (10, 300)):
                say("f_sf", stats.f.sf(f, a, b), f, a, b)


def correlations():
    rng = numpy.random.default_rng(5)
    n, p = 203, 6
    table = rng.normal(size=(n, p))
    table[:, 1] = table[:, 0] * 0.8 + table[:, 1] * 0.3
    table[:, 2] = numpy.round(table[:, 0] * 2)          # ties
    table[:, 3] = numpy.exp(table[:, 1])
    table[rng.random(n) < 0.2, 4] = numpy.nan
    table[rng.random(n) < 0.1, 3] = numpy.nan
    frame = pandas.DataFrame(table)
    full = frame[[0, 1, 2, 5]]
    with open(os.path.join(HERE, "correlations.txt"), "w") as out:
        out.write(HEAD + "# data: n p, rows; then pearson, spearman, kendall (p x p each), covariance, vif of columns 0 1 2 5\n")
        out.write("%d %d\n" % (n, p))
        for block in (table, frame.corr().values, frame.corr("spearman").values, frame.corr("kendall").values, frame.cov().values,
                      numpy.diag(numpy.linalg.inv(full.corr().values))[None, :]):
            for row in block:
                out.write(" ".join("nan" if numpy.isnan(x) else "%.17g" % x for x in row) + "\n")


distributions()
correlations()
