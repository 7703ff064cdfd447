"""Model servers: processor time of the server for a request, latency, memory, cold start.

The client is wrk with one thread on the loopback.  Its own work and the neighbors' show in rates and
latencies; the server's processor time (schedstat of all its threads and processes, kernel part
included) is what a busy machine spoils least.  The model: 100 trees of depth 6 over 28 features.

epoll_floor.c answers without looking at the request; flask under gunicorn with the xgboost package
is the shape of SageMaker's open containers."""

import contextlib
import glob
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import common
from common import Bench, call, main, program

FOLDER = os.path.join(common.RESULTS, "serve")
FLASK = os.path.join(os.path.dirname(os.path.abspath(__file__)), "peers", "serve_flask.py")


def make_model(folder):
    """Writes model/xgboost-model, and a CSV body and a wrk script for 1 and for 100 rows."""
    import numpy as np
    import xgboost as xgb
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50_000, 28)).astype("f4")
    y = x[:, 0] * x[:, 1] + np.sin(3 * x[:, 2]) + x[:, 3] ** 2 + rng.normal(size=len(x)) > 0.8
    booster = xgb.train(dict(objective="binary:logistic", tree_method="hist", max_depth=6, eta=0.1, nthread=2),
                        xgb.DMatrix(x, y), 100)
    os.makedirs(os.path.join(folder, "model"), exist_ok=True)
    booster.save_model(os.path.join(folder, "model.ubj"))
    os.replace(os.path.join(folder, "model.ubj"), os.path.join(folder, "model", "xgboost-model"))
    for rows in (1, 100):
        body = "\n".join(",".join("%.7g" % v for v in row) for row in x[:rows])
        with open(os.path.join(folder, "body%d.csv" % rows), "w") as file:
            file.write(body)
        with open(os.path.join(folder, "post%d.lua" % rows), "w") as file:
            file.write('wrk.method = "POST"\nwrk.headers["Content-Type"] = "text/csv"\n'
                       'wrk.body = [[%s]]\n' % body)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clary_serve(port, folder):
    return [program("src/main/clary-serve"), "--model", os.path.join(folder, "model"), "--port", str(port), "--threads", "1"]


def epoll_floor(port, folder):
    return [os.path.join(folder, "epoll_floor"), str(port)]


def flask_gunicorn(port, folder):
    return [sys.executable, "-m", "gunicorn.app.wsgiapp", "-w", "1", "-k", "gthread", "--threads", "2",
            "-b", "127.0.0.1:%d" % port, "--chdir", os.path.dirname(FLASK), "--log-level", "error",
            "serve_flask:make(%r)" % os.path.join(folder, "model", "xgboost-model")]


def ask_once(port, body):
    """One request on a connection of its own; b"" when nobody answers."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1) as connection:
        connection.sendall(b"POST /invocations HTTP/1.1\r\nHost: a\r\nContent-Type: text/csv\r\nConnection: close\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return connection.recv(65536)
    return b""


@contextlib.contextmanager
def running(name, folder):
    """A server that has answered once: (port, process group, seconds from start to that answer)."""
    with open(os.path.join(folder, "body1.csv"), "rb") as file:
        body = file.read()
    port = free_port()
    words = globals()[name](port, folder)
    start = time.perf_counter()
    server = subprocess.Popen(words, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        while b" 200 " not in ask_once(port, body):
            if server.poll() is not None or time.perf_counter() - start > 60:
                sys.exit("'%s' does not answer" % " ".join(words))
            time.sleep(0.0002)
        yield port, server.pid, time.perf_counter() - start
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()


def processes(group):
    found = []
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(path) as file:
            if int(file.read().rsplit(")", 1)[1].split()[2]) == group:
                found.append(path.split("/")[2])
    return found


def processor_seconds(group):
    total = 0
    for process in processes(group):
        for path in glob.glob("/proc/%s/task/*/schedstat" % process):
            with contextlib.suppress(OSError), open(path) as file:
                total += int(file.read().split()[0])
    return total * 1e-9


def resident_bytes(group):
    total = 0
    for process in processes(group):
        with contextlib.suppress(OSError), open("/proc/%s/status" % process) as file:
            total += int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) * 1024
    return total


SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1}


def load(name, folder, rows, connections):
    """What one server did with two seconds of requests."""
    with running(name, folder) as (port, group, _):
        words = ["wrk", "-t1", "-c%d" % connections, "--latency", "-s", os.path.join(folder, "post%d.lua" % rows),
                 "http://127.0.0.1:%d/invocations" % port]
        subprocess.run(words + ["-d1s"], check=True, stdout=subprocess.DEVNULL)
        before = processor_seconds(group)
        out = subprocess.run(words + ["-d2s"], check=True, capture_output=True, text=True).stdout
        used = processor_seconds(group) - before
        if "Non-2xx" in out:
            sys.exit("'%s' answered with errors" % name)
        n = int(re.search(r"(\d+) requests in", out).group(1))
        latency = {share: float(value) * SECONDS[unit]
                   for share, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)\n", out)}
        return {"request_cpu_seconds": used / n, "request_seconds": latency["50"], "peak_rss_bytes": resident_bytes(group),
                "cpu_us": round(used / n * 1e6, 2), "p50_us": round(latency["50"] * 1e6), "p99_us": round(latency["99"] * 1e6),
                "per_s": round(n / 2)}


def start(name, folder):
    with running(name, folder) as (_, group, seconds):
        return {"start_seconds": seconds, "start_cpu_seconds": processor_seconds(group),
                "start_ms": round(seconds * 1e3, 2), "peak_rss_bytes": resident_bytes(group)}


def idle(name, folder, n):
    """Memory of n connections that have had an answer and stay open."""
    import resource
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    with running(name, folder) as (port, group, _):
        before = resident_bytes(group)
        connections = []
        for _ in range(n):
            connection = socket.create_connection(("127.0.0.1", port), 10)
            connection.sendall(b"GET /ping HTTP/1.1\r\nHost: a\r\n\r\n")
            if not connection.recv(4096):
                sys.exit("a connection was closed")
            connections.append(connection)
        after = resident_bytes(group)
        return {"idle_seconds": 1, "idle_cpu_seconds": 1, "peak_rss_bytes": after,
                "bytes_each": round((after - before) / n)}


def run():
    if not shutil.which("wrk"):
        sys.exit("serve: wrk is not installed")
    os.makedirs(FOLDER, exist_ok=True)
    if not os.path.exists(os.path.join(FOLDER, "post100.lua")):
        made = common.run(call(make_model, FOLDER), 2, 600)
        if "failed" in made:
            sys.exit("serve: making the model: %s" % made["failed"])
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", os.path.join(common.ROOT, "bench", "epoll_floor.c"),
                    "-o", os.path.join(FOLDER, "epoll_floor")], check=True)
    bench = Bench("serve", "Model servers over HTTP")
    names = {"clary-serve": "clary_serve", "epoll floor": "epoll_floor", "flask, gunicorn, xgboost": "flask_gunicorn"}
    for rows, connections in ((1, 1), (1, 16), (100, 1)):
        bench.compare("%d row%s a request, %d connection%s" % (rows, "s"[:rows > 1], connections, "s"[:connections > 1]),
                      {shown: call(load, name, FOLDER, rows, connections) for shown, name in names.items()},
                      part="request", figures=("cpu_us", "p50_us", "p99_us", "per_s"))
    bench.compare("from exec to the first answer",
                  {shown: call(start, name, FOLDER) for shown, name in names.items() if name != "epoll_floor"},
                  part="start", by="wall", figures=("start_ms",))
    bench.compare("10,000 idle connections", {"clary-serve": call(idle, "clary_serve", FOLDER, 10_000)},
                  part="idle", rounds=1, figures=("bytes_each",))
    bench.end()


if __name__ == "__main__":
    main(run)
