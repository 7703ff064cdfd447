"""Lloyd's iterations from given first centers, by scikit-learn.  usage: python3 make.py > kmeans.txt

A case is "case NAME ROWS COLUMNS K ITERATIONS", a line per row, a line per first center (its row
number), "inertia X", then a line per final center; ITERATIONS 0 means until nothing changes.
"""
import numpy as np
import sklearn
from sklearn.cluster import KMeans
from sklearn.datasets import load_iris, load_wine

print("# scikit-learn", sklearn.__version__, "numpy", np.__version__)
rng = np.random.default_rng(11)


def emit(name, x, k, iterations):
    x = np.asarray(x, np.float32).astype(np.float64)
    first = rng.choice(len(x), k, replace=False)
    m = KMeans(k, init=x[first], n_init=1, max_iter=iterations or 1000, tol=0, algorithm="lloyd").fit(x)
    print("case", name, *x.shape, k, iterations)
    for row in x:
        print(" ".join("%.9g" % v for v in row))
    for i in first:
        print(i)
    print("inertia", "%.17g" % m.inertia_)
    for row in m.cluster_centers_:
        print(" ".join("%.17g" % v for v in row))


iris, wine = load_iris().data, load_wine().data
emit("iris", iris, 3, 0)
# Iris has rows that are equally far from two centers; noise breaks the ties.
emit("iris_many", iris + 0.01 * rng.standard_normal(iris.shape), 12, 0)
emit("wine", wine, 5, 0)
emit("wine_cut", wine, 8, 2)
emit("far", 1e5 + rng.standard_normal((200, 3)), 6, 0)
emit("wide", rng.standard_normal((60, 37)), 4, 0)
