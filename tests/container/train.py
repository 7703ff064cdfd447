#!/usr/bin/env python3
"""clary-train in SageMaker's container layout: channels in every mode, log lines, failures, signals, checkpoints."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time

TMP = os.environ["TMPDIR"]
count = 0


def rows(n, seed=1):
    draw = random.Random(seed)
    lines = []
    for _ in range(n):
        a, b = draw.random(), draw.random()
        lines.append("%d,%.4f,%.4f\n" % (a + b > 1, a, b))
    return "".join(lines)


class Job:
    """A base folder as the platform lays it."""

    def __init__(self, hyperparameters, channels=None, checkpoints=False, hosts=("algo-1",)):
        global count
        count += 1
        self.base = os.path.join(TMP, "job%d" % count)
        os.makedirs(self.path("input/config"))
        self.write("input/config/hyperparameters.json", json.dumps(hyperparameters))
        self.config = {}
        for name, (content, text) in (channels or {"train": ("text/csv", rows(400)), "validation": ("text/csv", rows(100, 2))}).items():
            self.config[name] = {"TrainingInputMode": "File", "S3DistributionType": "FullyReplicated", "RecordWrapperType": "None"}
            if content:
                self.config[name]["ContentType"] = content
            if text is not None:
                self.write("input/data/%s/part-0.csv" % name, text)
        self.write("input/config/resourceconfig.json", json.dumps({"current_host": hosts[0], "hosts": list(hosts)}))
        if checkpoints:
            self.write("input/config/checkpointconfig.json", json.dumps({"LocalPath": "/opt/ml/checkpoints"}))

    def path(self, name):
        return os.path.join(self.base, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w") as file:
            file.write(text)

    def start(self, algorithm="xgboost"):
        self.write("input/config/inputdataconfig.json", json.dumps(self.config))
        return subprocess.Popen(["clary-train", "train", "--algorithm", algorithm], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                universal_newlines=True, env=dict(os.environ, SAGEMAKER_BASE_DIR=self.base))

    def run(self, status=0, algorithm="xgboost"):
        process = self.start(algorithm)
        out, err = process.communicate(timeout=60)
        assert process.returncode == status, (process.returncode, out, err)
        return out

    def failure(self):
        return open(self.path("output/failure")).read()


BINARY = {"num_round": "5", "objective": "binary:logistic", "eval_metric": "auc,logloss"}


def test_file_mode_and_metric_lines():
    job = Job(BINARY)
    out = job.run()
    assert re.search(r"^\[0\]\ttrain-auc:\d\.\d{5}\ttrain-logloss:\d\.\d{5}\tvalidation-auc:\d\.\d{5}\tvalidation-logloss:\d\.\d{5}$", out, re.M), out
    assert re.search(r"^\[4\]\t", out, re.M) and not re.search(r"^\[5\]\t", out, re.M)
    assert re.search(r"^\[\d\d/\d\d/\d{4} \d\d:\d\d:\d\d INFO \d+\] Final configuration: {", out, re.M)
    assert os.path.exists(job.path("model/xgboost-model")) and not os.path.exists(job.path("output/failure"))
    described = json.load(open(job.path("model/clary.json")))
    assert described["algorithm"] == "xgboost" and len(described["features"]) == 2
    # the stock regular expression finds the last value once the log service has changed the tabs
    stock = [m["regex"] for a in json.loads(subprocess.check_output(["clary-train", "--describe"]))["algorithms"]
             for m in a["metrics"] if m["name"] == "validation:auc"][0]
    assert re.findall(stock, out.replace("\t", "#011"), re.M)


def test_pipe_mode():
    job = Job(BINARY, {"train": ("text/csv", None)})
    job.config["train"]["TrainingInputMode"] = "Pipe"
    os.makedirs(job.path("input/data"))

    def feed():
        time.sleep(0.2)  # it may appear late
        os.mkfifo(job.path("input/data/train_0"))
        with open(job.path("input/data/train_0"), "w") as pipe:
            pipe.write(rows(400))

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    out = job.run()
    feeder.join(10)
    assert "Channel train: 400 rows with 2 features" in out, out


def test_nested_folders_and_libsvm():
    text = "".join("%d 0:%d 1:%d\n" % (i % 3 > 0, i % 3, i % 5) for i in range(200))
    job = Job(BINARY, {"train": (None, text)})  # text/libsvm when absent
    job.write("input/data/train/a/b/more.libsvm", text)
    assert "400 rows" in job.run()


def test_user_errors():
    cases = [
        ({"num_round": "5", "foo": "1"}, None, "Extraneous hyperparameter found: foo"),
        ({"num_round": "5", "eta": "3.0"}, None, "Hyperparameter eta: 3.0 is not in [0, 1]"),
        ({}, None, "Missing required hyperparameter: num_round"),
        (BINARY, {"train": ("text/csv", "1,2,x\n")}, "x"),
        (BINARY, {"train": ("text/csv", rows(10)), "extra": ("text/csv", rows(10))}, "channel 'extra'"),
        (BINARY, {"validation": ("text/csv", rows(10))}, "channel 'train' is required"),
        (BINARY, {"train": ("text/html", rows(10))}, "content type 'text/html'"),
        (BINARY, {"train": ("text/csv;label_size=2", rows(10))}, "label_size"),
        (BINARY, {"train": ("text/csv", "2,1,1\n0,1,1\n")}, "label must be in [0,1] for logistic regression"),
        (BINARY, {"train": ("text/csv", None)}, "No data in train channel path"),
    ]
    for hyperparameters, channels, want in cases:
        job = Job(hyperparameters, channels)
        job.run(status=2)
        assert want in job.failure(), (want, job.failure())
        assert not os.path.exists(job.path("model/xgboost-model"))


def test_all_problems_at_once():
    job = Job({"num_round": "0", "max_depth": "deep", "alfa": "1"})
    job.run(status=2)
    assert len(job.failure().splitlines()) == 3, job.failure()


def test_hidden_files_are_refused():
    job = Job(BINARY)
    job.write("input/data/train/.hidden", "x")
    job.run(status=2)
    assert "Hidden file found in the data path! Remove that before training." in job.failure()


def test_two_hosts_are_refused():
    job = Job(BINARY, hosts=("algo-1", "algo-2"))
    job.run(status=2)
    assert "2 hosts" in job.failure()


def test_sigterm_keeps_the_model():
    job = Job(dict(BINARY, num_round="1000000"))
    process = job.start()
    for line in process.stdout:
        if line.startswith("[3]"):
            break
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert "stopped by SIGTERM" in out and os.path.exists(job.path("model/xgboost-model"))


def test_checkpoints_go_on_where_they_ended():
    job = Job(BINARY, checkpoints=True)
    job.run()
    kept = sorted(os.listdir(job.path("checkpoints")))
    assert kept == ["xgboost-checkpoint.%d" % i for i in range(5)], kept
    job.write("input/config/hyperparameters.json", json.dumps(dict(BINARY, num_round="8")))
    out = job.run()
    rounds = re.findall(r"^\[(\d+)\]\t", out, re.M)
    assert rounds == ["5", "6", "7"], rounds
    # the same as training in one go
    whole = Job(dict(BINARY, num_round="8"))
    whole.run()
    last = [line for line in out.splitlines() if line.startswith("[7]")]
    assert sorted(os.listdir(job.path("checkpoints")))[0] == "xgboost-checkpoint.3"
    assert last, out


def test_model_channel_goes_on():
    first = Job(BINARY)
    first.run()
    second = Job(BINARY)
    second.config["model"] = {"TrainingInputMode": "File", "ContentType": "application/x-sagemaker-model"}
    os.makedirs(second.path("input/data/model"))
    subprocess.check_call(["tar", "-C", first.path("model"), "-czf", second.path("input/data/model/model.tar.gz"), "."])
    second.run()
    assert os.path.getsize(second.path("model/xgboost-model")) > os.path.getsize(first.path("model/xgboost-model"))


def main():
    passed = failed = 0
    for name, test in sorted(globals().items()):
        if not name.startswith("test_"):
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
    sys.exit(main())
