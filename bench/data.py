"""Makes data for the benchmarks.  usage: data.py KIND FOLDER [rows=N] [columns=N] [centers=N]

higgs   a label and 28 numbers a row, in the manner of the HIGGS set of Baldi, Sadowski and Whiteson
        (2014): 21 measured quantities and 7 derived from them, two classes that overlap.  Files:
        train.csv, test.csv (a quarter as many rows), label first, no header; train.npy, test.npy
        (float32, the same values).
mixed   a table with header: integers, numbers with gaps, text with commas and quotes in it, dates,
        true/false.  File: mixed.csv.
kdd     KDD Cup 99, a tenth of it, from ../shared/data beside the repository (or CLARY_BENCH_SHARED): attack
        or not, then 41 columns, texts as numbers in alphabetical order; four fifths of the rows drawn for
        training.  Files: train.npy, test.npy (float32).
blobs   rows around `centers` points in `columns` dimensions.  Files: blobs.csv (no header), blobs.npy.

Everything follows from the fixed seed: the same options give the same bytes with the same numpy."""

import os
import sys

import numpy as np

SEED = 20240817


def higgs_rows(n, rng):
    """Two jets, two leptons and missing energy: momenta, directions, tags; then masses of pairs."""
    momentum = rng.gamma(3.0, 0.35, (n, 5)).astype(np.float32)
    angle = rng.uniform(-np.pi, np.pi, (n, 5)).astype(np.float32)
    rapidity = rng.normal(0, 1.1, (n, 5)).astype(np.float32)
    tag = rng.choice(np.array([0, 1.0865, 2.1731], np.float32), (n, 4), p=[0.5, 0.2, 0.3])
    shape = rng.normal(0, 1, (n, 2)).astype(np.float32)

    def mass(i, j):
        opening = np.cosh(rapidity[:, i] - rapidity[:, j]) - np.cos(angle[:, i] - angle[:, j])
        return np.sqrt(2 * momentum[:, i] * momentum[:, j] * opening)

    pairs = [(0, 1), (2, 3), (0, 2), (1, 3), (0, 4), (2, 4), (1, 2)]
    masses = np.stack([mass(i, j) for i, j in pairs], 1)
    signal = (1.6 * np.exp(-((masses[:, 0] - 1.2) / 0.45) ** 2)
              + 0.9 * np.exp(-((masses[:, 4] - 1.7) / 0.6) ** 2)
              - 0.55 * np.tanh(masses[:, 1] - 1.3)
              + 0.45 * (tag[:, 0] > 1) * (rapidity[:, 2] < 0.4)
              + 0.35 * np.sin(2 * rapidity[:, 3]) * shape[:, 0]
              - 0.30 * np.abs(rapidity[:, 0]) + 0.25 * momentum[:, 4])
    noisy = masses * np.exp(0.12 * rng.standard_normal(masses.shape))
    score = signal + rng.logistic(0, 0.62, n)
    label = (score > np.quantile(score, 0.47)).astype(np.float32)
    columns = [label[:, None], momentum, angle, rapidity, tag, shape, noisy]
    return np.concatenate(columns, 1, dtype=np.float32)


def write_csv(path, rows, n_integers=0):
    """Shortest text that reads back as the same float32."""
    import polars as pl
    frame = pl.from_numpy(rows)
    names = frame.columns[:n_integers]
    frame.with_columns([pl.col(name).cast(pl.Int32) for name in names]).write_csv(path, include_header=False)


def make_higgs(folder, rows=1_000_000):
    rng = np.random.default_rng(SEED)
    table = higgs_rows(rows + rows // 4, rng)
    for name, piece in (("train", table[:rows]), ("test", table[rows:])):
        np.save(os.path.join(folder, name + ".npy"), piece)
        write_csv(os.path.join(folder, name + ".csv"), piece, 1)


def make_mixed(folder, rows=1_000_000):
    import polars as pl
    rng = np.random.default_rng(SEED)
    cities = np.array(["Lima", "Bergen", "Porto, Norte", 'the "Old Town"', "Zürich", "Kyoto", "Accra"])
    notes = np.array(["", "paid", "call back, after noon", "returned", 'said "no"'])
    start = np.datetime64("2019-03-01T00:00:00", "ms")
    income = np.round(rng.lognormal(10.2, 0.8, rows), 2)
    score = np.where(rng.random(rows) < 0.06, np.nan, rng.standard_normal(rows).astype(np.float32))
    frame = pl.DataFrame({
        "id": np.arange(1, rows + 1),
        "seen": start + rng.integers(0, 150_000_000, rows).astype("timedelta64[s]").astype("timedelta64[ms]"),
        "age": rng.integers(18, 95, rows),
        "income": income,
        "city": cities[rng.integers(0, len(cities), rows)],
        "score": score.astype(np.float32),
        "member": rng.random(rows) < 0.4,
        "note": notes[rng.integers(0, len(notes), rows)],
    }).with_columns(pl.col("score").fill_nan(None))
    frame.write_csv(os.path.join(folder, "mixed.csv"), datetime_format="%Y-%m-%d %H:%M:%S")


def make_kdd(folder):
    import polars as pl
    shared = os.environ.get("CLARY_BENCH_SHARED", os.path.join(os.path.dirname(__file__), "..", "..", "shared", "data"))
    frame = pl.read_csv(os.path.join(shared, "tabular", "kddcup99-10pct", "kddcup.data_10_percent.csv.gz"))
    label = (frame["label"].str.strip_chars(".") != "normal").to_numpy().astype(np.float32)
    columns = [label]
    for name in frame.columns[:-1]:
        values = frame[name].to_numpy()
        if frame[name].dtype == pl.String:
            values = np.unique(values.astype(str), return_inverse=True)[1]
        columns.append(values.astype(np.float32))
    table = np.stack(columns, 1)[np.random.default_rng(SEED).permutation(len(label))]
    n_train = len(table) * 4 // 5
    np.save(os.path.join(folder, "train.npy"), np.ascontiguousarray(table[:n_train]))
    np.save(os.path.join(folder, "test.npy"), np.ascontiguousarray(table[n_train:]))


def make_blobs(folder, rows=500_000, columns=64, centers=100):
    rng = np.random.default_rng(SEED)
    middle = rng.normal(0, 1.3, (centers, columns)).astype(np.float32)
    table = middle[rng.integers(0, centers, rows)] + rng.standard_normal((rows, columns), np.float32)
    np.save(os.path.join(folder, "blobs.npy"), table)
    write_csv(os.path.join(folder, "blobs.csv"), table)


MAKERS = {"higgs": make_higgs, "kdd": make_kdd, "mixed": make_mixed, "blobs": make_blobs}

if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in MAKERS:
        sys.exit(__doc__)
    options = dict(word.split("=", 1) for word in sys.argv[3:])
    MAKERS[sys.argv[1]](sys.argv[2], **{name: int(value) for name, value in options.items()})
