#!/usr/bin/env python3
"""The command line from end to end on the bundled data: every command, its formats and its refusals."""

import json
import os
import subprocess
import sys

SOURCE, TMP = os.environ["CLARY_SOURCE"], os.environ["TMPDIR"]
DATA = os.path.join(SOURCE, "examples", "data", "breast-cancer")
MODEL = os.path.join(TMP, "model.tar.gz")
passed = failed = 0


def clary(*words, status=0, stdin=None):
    done = subprocess.run(("clary",) + words, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, cwd=TMP)
    if status is not None and done.returncode != status:
        raise AssertionError("clary %s: exit status %d, not %d\n%s" % (" ".join(words), done.returncode, status, done.stderr))
    return done


def data(name):
    return os.path.join(DATA, name + ".csv")


def test_train_reports_json():
    done = clary("train", "xgboost", "--train", data("train"), "--validation", data("validation"), "--target", "diagnosis",
                 "--num_round", "40", "-o", MODEL, "--json")
    result = json.loads(done.stdout.splitlines()[-1])
    for member in ("read_seconds", "train_seconds", "peak_rss_bytes", "metrics"):
        assert member in result, member
    assert result["metrics"]["validation:auc"] > 0.95, result
    assert "binary:logistic" in done.stderr, done.stderr


def test_evaluate_equals_its_own_predictions():
    result = json.loads(clary("evaluate", MODEL, data("test"), "--json").stdout)
    scores = [float(line) for line in clary("predict", MODEL, data("test")).stdout.split()]
    rows = open(data("test")).read().splitlines()
    target = rows[0].split(",").index("diagnosis")
    labels = [row.split(",")[target] == "malignant" for row in rows[1:]]
    assert len(scores) == len(labels)
    right = sum((score > 0.5) == label for score, label in zip(scores, labels))
    assert abs(result["accuracy"] - right / len(labels)) < 1e-9, (result["accuracy"], right / len(labels))
    assert result["roc_auc"] > 0.95


def test_formats_agree():
    plain = [float(line) for line in clary("predict", MODEL, data("test")).stdout.split()]
    lines = [json.loads(line)["score"] for line in clary("predict", MODEL, data("test"), "--format", "jsonl").stdout.splitlines()]
    whole = [row["score"] for row in json.loads(clary("predict", MODEL, data("test"), "--format", "json").stdout)["predictions"]]
    assert plain == lines == whole


def test_contributions_sum_to_the_margin():
    margins = [float(line) for line in clary("predict", MODEL, data("test"), "--kind", "margin").stdout.split()]
    for margin, line in zip(margins, clary("predict", MODEL, data("test"), "--kind", "contributions").stdout.splitlines()):
        assert abs(sum(map(float, line.split(","))) - margin) < 1e-3


def test_classes_have_names():
    assert set(clary("predict", MODEL, data("test"), "--kind", "class").stdout.split()) == {"benign", "malignant"}


def test_standard_input():
    text = open(data("test")).read()
    assert clary("predict", MODEL, "-", stdin=text).stdout == clary("predict", MODEL, data("test")).stdout


def test_the_same_bits_on_any_number_of_threads():
    models = []
    for threads in ("1", "3"):
        out = os.path.join(TMP, "threads" + threads)
        clary("train", "xgboost", "--train", data("train"), "--target", "diagnosis", "--num_round", "10", "--subsample", "0.7",
              "--threads", threads, "-q", "-o", out)
        models.append(open(os.path.join(out, "xgboost-model"), "rb").read())
    assert models[0] == models[1]


def test_targets_by_number_and_no_header():
    bare = os.path.join(TMP, "bare.csv")
    with open(bare, "w") as file:
        file.write("".join("%d,%d,%d\n" % (i % 7 > 3, i % 7, i % 5) for i in range(300)))
    done = clary("train", "xgboost", "--train", bare, "--no-header", "--target", "0", "--num_round", "5", "-o", "bare.tar.gz", "--json")
    assert json.loads(done.stdout)["features"] == 2
    features = os.path.join(TMP, "features.csv")
    with open(features, "w") as file:
        file.write("5,1\n1,1\n")
    high, low = map(float, clary("predict", "bare.tar.gz", features, "--no-header").stdout.split())
    assert high > 0.5 > low


def test_report_page():
    page = os.path.join(TMP, "report.html")
    clary("evaluate", MODEL, data("test"), "--report", page, "--charts", os.path.join(TMP, "charts"))
    text = open(page).read()
    assert text.count("<svg") >= 6 and "ROC curve" in text and "<script" not in text
    assert "roc.svg" in os.listdir(os.path.join(TMP, "charts"))


def write_rows(name, header, rows):
    path = os.path.join(TMP, name)
    with open(path, "w") as file:
        file.write(header + "\n" + "".join(",".join("%g" % value for value in row) + "\n" for row in rows))
    return path


def last_json(done):
    return json.loads(done.stdout.splitlines()[-1])


def test_evaluate_ranking_as_training_does():
    rows = [(i // 20, (i * 7 + i // 20) % 4 if i % 20 else 0, (i * 7 + i // 20) % 4 + (i * 13 % 10) / 5, i % 11) for i in range(600)]
    path = write_rows("ranking.csv", "query,relevance,a,b", rows)
    trained = last_json(clary("train", "xgboost", "--train", path, "--validation", path, "--target", "relevance", "--group", "query",
                              "--objective", "rank:ndcg", "--eval_metric", "ndcg@10", "--num_round", "10", "-o", "rank.tar.gz", "--json"))
    page = os.path.join(TMP, "rank.html")
    result = json.loads(clary("evaluate", "rank.tar.gz", path, "--group", "query", "--json", "--report", page).stdout)
    assert result["task"] == "ranking" and result["queries"] == 30 == len(result["groups"])
    assert abs(result["ndcg@10"] - trained["metrics"]["validation:ndcg@10"]) < 1e-5, (result["ndcg@10"], trained["metrics"])
    assert result["ndcg"] > result["random_ndcg"]
    assert open(page).read().count("<svg") >= 3
    assert "--group" in clary("evaluate", "rank.tar.gz", path, status=1).stderr


def test_evaluate_survival_as_training_does():
    rows = [((1 if i % 3 else -1) * (1 + i % 17 + (i * 37 % 10) / 3), i % 17, i % 5) for i in range(400)]
    for objective, metric in (("survival:cox", "cox-nloglik"), ("survival:aft", "aft-nloglik")):
        aft = objective == "survival:aft"
        path = write_rows("survival.csv", "time,a,b", [(abs(row[0]) if aft else row[0],) + row[1:] for row in rows])
        more = ("--aft_loss_distribution", "logistic", "--aft_loss_distribution_scale", "0.7") if aft else ()
        trained = last_json(clary("train", "xgboost", "--train", path, "--validation", path, "--target", "time", "--objective", objective,
                                  "--num_round", "20", "-o", "survival.tar.gz", "--json", *more))
        page = os.path.join(TMP, "survival.html")
        result = json.loads(clary("evaluate", "survival.tar.gz", path, "--json", "--report", page).stdout)
        want = trained["metrics"]["validation:" + metric]
        assert abs(result[metric] - want) < 1e-4 * abs(want), (metric, result[metric], want)
        assert result["concordance"] > 0.8 and result["events"] == (400 if aft else 266), result
        assert "Kaplan-Meier" in open(page).read()


def test_evaluate_clusters():
    path = write_rows("clusters.csv", "x,y,z", [(10 * (i % 3) + i % 7 / 7, i % 5 / 5, i % 2) for i in range(300)])
    clary("train", "kmeans", "--train", path, "--k", "3", "-q", "-o", "clusters.tar.gz")
    page, charts = os.path.join(TMP, "clusters.html"), os.path.join(TMP, "cluster-charts")
    result = json.loads(clary("evaluate", "clusters.tar.gz", path, "--json", "--report", page, "--charts", charts).stdout)
    assert sorted(cluster["rows"] for cluster in result["clusters"]) == [100, 100, 100]
    assert result["silhouette"] > 0.8 and abs(result["msd"] * 300 - result["ssd"]) < 1e-6 * result["ssd"]
    assert open(page).read().count("<svg") == 4 and "cluster-map.svg" in os.listdir(charts)


def test_importance():
    values = json.loads(clary("importance", MODEL, "--json").stdout)
    assert len(values) == 30 and max(values.values()) > 0


def test_algorithms_and_help():
    assert "xgboost" in clary("algorithms").stdout
    described = json.loads(clary("algorithms", "xgboost", "--json").stdout)
    assert any(p["name"] == "eta" and not p["required"] for p in described["hyperparameters"])
    text = clary("train", "xgboost", "--help").stdout
    assert text.index("Examples") < text.index("Options") and "--max_depth" in text
    assert "--validation" in clary("completion", "bash").stdout


def test_refusals():
    cases = [
        (2, ("traim",), "did you mean 'train'?"),
        (2, ("train", "xgbost", "--train", "x"), "did you mean 'xgboost'?"),
        (2, ("train", "xgboost", "--train", data("train"), "--max_dept", "3"), "did you mean '--max_depth'?"),
        (2, ("train", "xgboost", "--train", data("train"), "--eta", "3"), "3 is outside [0, 1]"),
        (1, ("train", "xgboost", "--train", data("train"), "--target", "diagnosi"), "did you mean 'diagnosis'?"),
        (1, ("train", "xgboost", "--train", "nothing.csv", "--target", "a"), "nothing.csv"),
        (1, ("train", "xgboost", "--train", data("train")), "--target"),
        (1, ("predict", "nothing.tar.gz", data("test")), "nothing.tar.gz"),
        (2, ("predict", MODEL), "clary predict MODEL DATA"),
    ]
    for status, words, want in cases:
        done = clary(*words, status=status)
        assert want in done.stderr, (words, done.stderr)
        assert not done.stdout, words


def main():
    global passed, failed
    for name, test in sorted(globals().items()):
        if not name.startswith("test_") or not callable(test):
            continue
        try:
            test()
            passed += 1
        except Exception as problem:  # each test is reported, none ends the run
            failed += 1
            print("FAIL  %s: %s: %s" % (name, type(problem).__name__, problem))
    print("%d passed, %d failed" % (passed, failed))
    return 1 if failed else 0


if __name__ == "__main__":
    clary("train", "xgboost", "--train", data("train"), "--validation", data("validation"), "--target", "diagnosis",
          "--num_round", "40", "-q", "-o", MODEL)
    sys.exit(main())
