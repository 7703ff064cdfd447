"""k-means: Lloyd's iterations from the same first centers, and whole runs until nothing changes.

Peers: scikit-learn (lloyd, elkan) and faiss.  Same rows, same first centers, same
number of iterations; inertia shows that the answers are as good."""

import os

import common
from common import Bench, call, data, part, program

ITERATIONS = 10


def scikit_learn(rows, centers, iterations, algorithm):
    import numpy as np
    from sklearn.cluster import KMeans
    x, start = np.load(rows), np.load(centers)
    model = KMeans(len(start), init=start, n_init=1, max_iter=iterations, tol=0, algorithm=algorithm)
    with part("fit"):
        model.fit(x)
    return {"inertia": float(model.inertia_), "iterations": int(model.n_iter_)}


def faiss(rows, centers, iterations):
    import faiss as library
    import numpy as np
    x, start = np.load(rows), np.load(centers)
    library.omp_set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    model = library.Kmeans(x.shape[1], len(start), niter=iterations, max_points_per_centroid=10**9, seed=1)
    with part("fit"):
        model.train(x, init_centroids=start)
    distances, _ = model.index.search(x, 1)
    return {"inertia": float(distances.astype("f8").sum()), "iterations": iterations}


def clary_stream(rows, k, columns):
    """One pass of mini-batches, as the command does it."""
    import json
    import subprocess
    words = common.clary("train", "kmeans", "--train", rows, "--no-header", "--k", k, "--feature_dim", columns,
                         "--extra_center_factor", 2, "--threads", os.environ["OMP_NUM_THREADS"], "--json", "-o",
                         os.path.join(common.RESULTS, "kmeans.tar.gz"))
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    said = json.loads(done.stdout.strip().splitlines()[-1])
    return {"fit_seconds": said["train_seconds"], "peak_rss_bytes": said["peak_rss_bytes"],
            "inertia": said["metrics"]["train:msd"] * said["train_rows"]}


def mini_batch(rows, k, batch):
    import numpy as np
    from sklearn.cluster import MiniBatchKMeans
    x = np.load(rows)
    model = MiniBatchKMeans(k, batch_size=batch, max_iter=1, n_init=1, init="random", max_no_improvement=None,
                            random_state=0)
    with part("fit"):
        model.fit(x)
    return {"inertia": -float(model.score(x))}


def first_centers(rows, k):
    """k rows at random, written beside the data."""
    import subprocess
    path = os.path.join(os.path.dirname(rows), "start-%d.npy" % k)
    if not os.path.exists(path):
        script = ("import numpy as np, sys\nx = np.load(sys.argv[1])\nk = int(sys.argv[3])\n"
                  "np.save(sys.argv[2], x[np.random.default_rng(0).choice(len(x), k, replace=False)])")
        subprocess.run([common.python(), "-c", script, rows, path, str(k)], check=True)
    return path


def compare(bench, title, rows, centers, iterations, threads, peers, rounds=None):
    ours = [program("bench/kmeans_bench"), rows, centers, iterations, 0, threads]
    bench.compare(title, part="fit", threads=threads, by="cpu" if threads == 1 else "wall",
                  contenders={"clary": ours, **peers}, figures=["inertia", "iterations", "gflops"],
                  rounds=rounds)


def main():
    bench = Bench("kmeans", "k-means")
    files = data("blobs", rows=500_000, columns=64, centers=100)
    rows = files["blobs.npy"]
    centers = first_centers(rows, 100)
    for threads in (1, 2):
        compare(bench, "500k x 64, k = 100, %d iterations" % ITERATIONS, rows, centers, ITERATIONS, threads, {
            "scikit-learn lloyd": call(scikit_learn, rows, centers, ITERATIONS, "lloyd"),
            "scikit-learn elkan": call(scikit_learn, rows, centers, ITERATIONS, "elkan"),
            "faiss": call(faiss, rows, centers, ITERATIONS)})
    compare(bench, "500k x 64, k = 100, until nothing changes", rows, centers, 300, 1, {
        "scikit-learn lloyd": call(scikit_learn, rows, centers, 300, "lloyd"),
        "scikit-learn elkan": call(scikit_learn, rows, centers, 300, "elkan")}, rounds=2)
    compare(bench, "500k x 64, k = 100, one iteration (no bounds help)", rows, centers, 1, 1, {
        "scikit-learn lloyd": call(scikit_learn, rows, centers, 1, "lloyd"),
        "faiss": call(faiss, rows, centers, 1)})
    bench.compare("500k x 64, k = 100, one pass of mini-batches", part="fit", threads=1, by="wall",
                  figures=["inertia"], contenders={
                      "clary, extra_center_factor=2": call(clary_stream, files["blobs.csv"], 100, 64),
                      "scikit-learn MiniBatchKMeans, batch 1024": call(mini_batch, rows, 100, 1024),
                      "scikit-learn MiniBatchKMeans, batch 5000": call(mini_batch, rows, 100, 5000)})
    bench.end()


if __name__ == "__main__":
    common.main(main)
