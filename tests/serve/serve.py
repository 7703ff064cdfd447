#!/usr/bin/env python3
"""clary-serve as it is installed: models that `clary train` made, asked over HTTP; its answers are those
of `clary predict`."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys

SOURCE, TMP = os.environ["CLARY_SOURCE"], os.environ["TMPDIR"]
DATA = os.path.join(SOURCE, "examples", "data", "doctor-visits")
passed = failed = 0


def clary(*words):
    return subprocess.run(("clary",) + words, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          universal_newlines=True, cwd=TMP).stdout


class Server:
    def __init__(self, model, **environment):
        self.process = subprocess.Popen(["clary-serve", model, "--port", "0", "--threads", "2"], cwd=TMP,
                                        stderr=subprocess.PIPE, universal_newlines=True, env=dict(os.environ, **environment))
        line = self.process.stderr.readline()
        found = re.search(r"serving (\w+) on http://127\.0\.0\.1:(\d+)", line)
        assert found, line
        self.port = int(found.group(2))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(20) == 0
        self.process.stderr.close()

    def ask(self, body, content_type="text/csv", accept=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        headers = {"Content-Type": content_type}
        if accept:
            headers["Accept"] = accept
        connection.request("POST", "/invocations", body, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, text


def rows_of(name):
    """Rows of the bundled data without header and target, which is the first column."""
    with open(os.path.join(DATA, name + ".csv")) as file:
        return [line.rstrip("\n").split(",", 1)[1] for line in file][1:]


def test_xgboost_with_text_categories():
    clary("train", "xgboost", "--train", os.path.join(DATA, "train.csv"), "--target", "visited", "--num_round", "10", "-o", "visits")
    rows, want = rows_of("test"), clary("predict", "visits", os.path.join(DATA, "test.csv")).split()
    with Server("visits") as server:
        status, text = server.ask("\n".join(rows))
        assert status == 200 and text.split("\n") == want
        for i in (0, 1, len(rows) - 1):  # a row alone goes another way
            assert server.ask(rows[i]) == (200, want[i]), rows[i]
        status, text = server.ask("\n".join(rows[:9]), accept="application/json")
        assert [p["score"] for p in json.loads(text)["predictions"]] == [float(x) for x in want[:9]]
        instances = [[v if re.search("[a-z]", v) else float(v) for v in row.split(",")] for row in rows[:9]]
        body = json.dumps({"instances": [{"features": row} for row in instances]})
        assert server.ask(body, "application/json", "text/csv") == (200, "\n".join(want[:9]))
        assert server.ask("1,2") == (400, "expected %d features, got 2 in record 0" % len(instances[0]))
        assert server.ask(rows[0], "image/png")[0] == 415 and server.ask(rows[0], accept="image/png")[0] == 406
    with Server("visits", SAGEMAKER_INFERENCE_OUTPUT="predicted_label,probability") as server:
        status, text = server.ask(rows[0], accept="application/json")
        answer = json.loads(text)["predictions"][0]
        assert answer == {"predicted_label": int(float(want[0]) > 0.5), "probability": float(want[0])}, answer


def test_kmeans():
    with open(os.path.join(TMP, "points.csv"), "w") as file:
        file.write("".join("%d,%d\n" % (x + i % 2, x - i % 3) for i in range(60) for x in (0, 50)))
    clary("train", "kmeans", "--train", "points.csv", "--no-header", "--k", "2", "--feature_dim", "2", "-o", "points")
    with Server("points") as server:
        status, text = server.ask("0,0\n50,50", accept="application/jsonlines")
        near, far = [json.loads(line) for line in text.splitlines()]
        assert status == 200 and near["closest_cluster"] != far["closest_cluster"]
        assert max(near["distance_to_cluster"], far["distance_to_cluster"]) < 2
        status, text = server.ask("0,")
        assert status == 400 and "missing" in text, text


for name, test in list(globals().items()):
    if name.startswith("test_"):
        try:
            test()
            passed += 1
        except Exception as problem:
            failed += 1
            print("FAIL  serve.%s: %s: %s" % (name[5:], type(problem).__name__, problem))
print("%d passed, %d failed" % (passed, failed))
sys.exit(failed > 0)
