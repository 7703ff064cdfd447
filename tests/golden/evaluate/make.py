"""Golden values of evaluation metrics from scikit-learn.  usage: python3 make.py > evaluate.txt

A case is a line "case NAME KIND ROWS CLASSES WEIGHTED", a line per row (label, then the scores or the
prediction, then the weight), lines "value NAME NUMBER" and "end".  KIND is "classes" or "numbers".
Inputs are float32; scikit-learn gets them as float64, so that both sides see the same numbers.
"""
import numpy as np
import sklearn
import warnings
from sklearn import metrics as m

warnings.filterwarnings("ignore")
rng = np.random.default_rng(42)
print("# scikit-learn", sklearn.__version__, "numpy", np.__version__, "seed 42")


def single(x):
    return np.asarray(x, np.float32).astype(np.float64)


def emit(name, kind, y, s, w, k, values):
    print("case", name, kind, len(y), k, 0 if w is None else 1)
    s = s.reshape(len(y), -1)
    ww = np.ones(len(y)) if w is None else w
    for i in range(len(y)):
        print(" ".join("%.9g" % v for v in [y[i], *s[i], ww[i]]))
    for key, v in values.items():
        print("value", key, "%.17g" % v)
    print("end")


def from_classes(y, p, w, k):
    labels = sorted(set(y) | set(p))
    v = {"accuracy": m.accuracy_score(y, p, sample_weight=w), "balanced_accuracy": m.balanced_accuracy_score(y, p, sample_weight=w),
         "mcc": m.matthews_corrcoef(y, p, sample_weight=w), "kappa": m.cohen_kappa_score(y, p, sample_weight=w)}
    for avg in ("micro", "macro", "weighted"):
        a = m.precision_recall_fscore_support(y, p, average=avg, sample_weight=w, labels=labels, zero_division=0)
        v[avg + "_precision"], v[avg + "_recall"], v[avg + "_f1"] = a[:3]
    pr, re, f1, su = m.precision_recall_fscore_support(y, p, labels=range(k), sample_weight=w, zero_division=0)
    for c in range(k):
        v["precision_%d" % c], v["recall_%d" % c], v["f1_%d" % c], v["support_%d" % c] = pr[c], re[c], f1[c], su[c]
    C = m.confusion_matrix(y, p, labels=range(k), sample_weight=w)
    for a in range(k):
        for b in range(k):
            v["confusion_%d_%d" % (a, b)] = C[a, b]
    return v


def checksum(x):
    """One number that changes when any of a curve's values or their order does."""
    x = np.asarray(x, float)
    return float(np.sum(x * np.cos(np.arange(1, len(x) + 1))))


def binary(name, y, s, w=None):
    s = single(s)
    w = None if w is None else single(w)
    y = np.asarray(y)
    v = from_classes(y, (s >= 0.5).astype(int), w, 2)
    v["log_loss"] = m.log_loss(y, np.c_[1 - s, s], sample_weight=w, labels=[0, 1])
    v["brier"] = m.brier_score_loss(y, s, sample_weight=w)
    v["roc_auc"] = m.roc_auc_score(y, s, sample_weight=w)
    v["average_precision"] = m.average_precision_score(y, s, sample_weight=w)
    fpr, tpr, th = m.roc_curve(y, s, sample_weight=w)
    v["roc_points"] = len(fpr)
    v["roc_x"], v["roc_y"], v["roc_threshold"] = checksum(fpr), checksum(tpr), checksum(th[1:])
    f, t, _ = m.roc_curve(y, s, sample_weight=w, drop_intermediate=False)
    v["ks"] = np.max(t - f)
    p, r, th = m.precision_recall_curve(y, s, sample_weight=w)
    v["pr_points"] = len(p)
    v["pr_x"], v["pr_y"] = checksum(r[::-1]), checksum(p[::-1])
    best = max(m.f1_score(y, s >= t, sample_weight=w) for t in sorted(set(s)))
    v["best_f1"] = best
    v["best_mcc"] = max(m.matthews_corrcoef(y, s >= t, sample_weight=w) for t in sorted(set(s)))
    v["best_accuracy"] = max(m.accuracy_score(y, s >= t, sample_weight=w) for t in sorted(set(s)))
    for i in (5, 10, 15):
        q = s >= i / 20
        v["f1_at_%d" % i] = m.f1_score(y, q, sample_weight=w)
    bins = np.linspace(0, 1, 11)
    ids = np.searchsorted(bins[1:-1], s)
    ww = np.ones(len(y)) if w is None else w
    v["ece"] = sum(abs(ww[ids == b] @ y[ids == b] - ww[ids == b] @ s[ids == b]) for b in range(10)) / ww.sum()
    if w is None:
        from sklearn.calibration import calibration_curve
        share, mean = calibration_curve(y, s, n_bins=10)
        v["calibration_share"], v["calibration_mean"] = checksum(share), checksum(mean)
    emit(name, "classes", y, s, w, 2, v)


def several(name, y, s, w=None):
    k = s.shape[1]
    s = single(s)
    w = None if w is None else single(w)
    norm = s / s.sum(1, keepdims=True)
    v = from_classes(y, s.argmax(1), w, k)
    v["log_loss"] = m.log_loss(y, norm, sample_weight=w, labels=range(k))
    v["brier"] = np.average(((s - np.eye(k)[y]) ** 2).sum(1), weights=w)
    v["roc_auc"] = m.roc_auc_score(y, norm, multi_class="ovr", average="macro", sample_weight=w)
    v["roc_auc_weighted"] = m.roc_auc_score(y, norm, multi_class="ovr", average="weighted", sample_weight=w)
    if w is None:
        v["roc_auc_ovo"] = m.roc_auc_score(y, norm, multi_class="ovo", average="macro")
        v["roc_auc_ovo_weighted"] = m.roc_auc_score(y, norm, multi_class="ovo", average="weighted")
    v["average_precision"] = m.average_precision_score(np.eye(k)[y], s, average="macro", sample_weight=w)
    for i, top in enumerate((2, 3, 5)):
        if top < k:
            v["top_%d" % i] = m.top_k_accuracy_score(y, s, k=top, labels=range(k), sample_weight=w)
    emit(name, "classes", y, s, w, k, v)


def numbers(name, y, p, w=None):
    y, p = single(y), single(p)
    w = None if w is None else single(w)
    v = {"mse": m.mean_squared_error(y, p, sample_weight=w), "rmse": m.root_mean_squared_error(y, p, sample_weight=w),
         "mae": m.mean_absolute_error(y, p, sample_weight=w), "max_error": m.max_error(y, p),
         "r2": m.r2_score(y, p, sample_weight=w), "explained_variance": m.explained_variance_score(y, p, sample_weight=w),
         "mape": m.mean_absolute_percentage_error(y, p, sample_weight=w), "pinball_0.9": m.mean_pinball_loss(y, p, alpha=0.9, sample_weight=w)}
    if w is None:
        v["median_ae"] = m.median_absolute_error(y, p)
        v["pearson"] = np.corrcoef(y, p)[0, 1]
        v["q05"], v["q75"] = np.quantile(y - p, [0.05, 0.75])
        v["baseline_mae"] = np.mean(np.abs(y - np.median(y)))
        v["baseline_rmse"] = np.std(y)
    if min(y.min(), p.min()) > 0:
        v["rmsle"] = m.root_mean_squared_log_error(y, p, sample_weight=w)
        v["poisson_deviance"] = m.mean_poisson_deviance(y, p, sample_weight=w)
        v["gamma_deviance"] = m.mean_gamma_deviance(y, p, sample_weight=w)
    emit(name, "numbers", y, p, w, 0, v)


binary("example", [0, 0, 1, 1, 1], [.1, .4, .35, .8, .4])
y = (rng.random(300) < 0.3).astype(int)
s = np.clip(0.3 + 0.25 * y + 0.2 * rng.standard_normal(300), 0, 1)
binary("ties", y, np.round(s, 2))
binary("weighted", y, np.round(s, 2), rng.integers(1, 6, 300) / 2)
binary("certain", [0, 1, 1, 0, 1, 0], [0, 1, 0, 1, 1, 0])
binary("constant", [0, 1, 1, 0], [.5, .5, .5, .5])
binary("perfect", [0, 0, 1, 1], [.1, .2, .7, .9])
for k, n in ((3, 150), (6, 300)):
    y = rng.integers(0, k, n)
    z = rng.standard_normal((n, k)) + 1.2 * np.eye(k)[y]
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    several("several_%d" % k, y, p)
    several("several_%d_weighted" % k, y, p, rng.integers(1, 6, n) / 2)
y = rng.gamma(2, 3, 200) + 0.1
p = y * np.exp(0.3 * rng.standard_normal(200))
numbers("positive", y, p)
numbers("positive_weighted", y, p, rng.integers(1, 6, 200) / 2)
numbers("example", [3, -.5, 2, 7, 0], [2.5, 0, 2, 8, .1])
numbers("constant", [2, 2, 2], [2, 2, 2])
numbers("constant_missed", [2, 2, 2], [2, 2, 3])
numbers("shifted", 1e4 + rng.standard_normal(50), 1e4 + rng.standard_normal(50))
