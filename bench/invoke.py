"""InvokeEndpoint: processor time of claryd for a signed request, and latency at a steady rate.

The client is wrk with one thread on the loopback, with a request signed beforehand (Signature V4 with the body's
hash, as boto3 sends it): one CSV row for a small XGBoost model behind an endpoint of one instance.  What counts is
processor time (schedstat of all threads, kernel part included) of claryd alone, and of claryd with the model
server.  nginx's `return 200` on the same machine, unsigned and without a model, is the limit."""

import contextlib
import glob
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

import common
from common import Bench, call, main, program

FOLDER = os.path.join(common.RESULTS, "invoke")
KEYS = ("AKIACLARYBENCH000000", "secret/for+benchmarks/only00000000000000")
BODY = "0.25,0.5,0.75,0.125"
RATE = 5000
SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1}
NGINX = """worker_processes 1; pid %(d)s/nginx.pid; error_log %(d)s/err.log; daemon off;
events { worker_connections 1024; }
http { access_log off; keepalive_requests 100000000; server { listen 127.0.0.1:%(p)d; location / { return 200 "0.5000000000"; } } }
"""


def free_port():
    import socket
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def make_archive():
    folder = tempfile.mkdtemp(dir=FOLDER)
    draw = random.Random(1)
    with open(os.path.join(folder, "train.csv"), "w") as file:
        for _ in range(2000):
            x = [draw.random() for _ in range(4)]
            file.write(",".join("%.5f" % v for v in [x[0] * x[1] + x[2]] + x) + "\n")
    subprocess.run([program("src/main/clary"), "train", "xgboost", "--train", "train.csv", "--no-header", "--target", "0",
                    "--num_round", "50", "-q", "-o", "model.tar.gz"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    with open(os.path.join(folder, "model.tar.gz"), "rb") as file:
        return file.read()


def clients(port):
    import boto3
    session = boto3.session.Session(*KEYS, region_name="us-east-1")
    return {name: session.client(name, endpoint_url="http://127.0.0.1:%d" % port)
            for name in ("s3", "sagemaker", "sagemaker-runtime")}


def deploy(port):
    c = clients(port)
    c["s3"].create_bucket(Bucket="bench")
    c["s3"].put_object(Bucket="bench", Key="model.tar.gz", Body=make_archive())
    image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
    c["sagemaker"].create_model(ModelName="m", ExecutionRoleArn="arn:aws:iam::123456789012:role/service-role/bench",
                                PrimaryContainer={"Image": image, "ModelDataUrl": "s3://bench/model.tar.gz"})
    c["sagemaker"].create_endpoint_config(EndpointConfigName="c", ProductionVariants=[
        {"VariantName": "AllTraffic", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}])
    c["sagemaker"].create_endpoint(EndpointName="e", EndpointConfigName="c")
    c["sagemaker"].get_waiter("endpoint_in_service").wait(EndpointName="e")


def wrk_script(port, path, delay_ms):
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    request = AWSRequest(method="POST", url="http://127.0.0.1:%d/endpoints/e/invocations" % port, data=BODY,
                         headers={"Content-Type": "text/csv"})
    SigV4Auth(Credentials(*KEYS), "sagemaker", "us-east-1").add_auth(request)
    headers = "".join('wrk.headers["%s"] = "%s"\n' % kv for kv in dict(request.headers.items(), Host="127.0.0.1:%d" % port).items())
    with open(path, "w") as file:
        file.write('wrk.method = "POST"\nwrk.path = "/endpoints/e/invocations"\n%swrk.body = "%s"\n' % (headers, BODY))
        if delay_ms:
            file.write("function delay() return math.random(0, %d) end\n" % (2 * delay_ms))


@contextlib.contextmanager
def running(name):
    """(port, folder): processes of the server have the folder in their command lines."""
    port, folder = free_port(), tempfile.mkdtemp(dir=FOLDER)
    if name == "claryd":
        words = [program("src/main/claryd"), "--home", folder + "/home", "--port", str(port), "--access-key", ":".join(KEYS)]
    else:
        with open(folder + "/nginx.conf", "w") as file:
            file.write(("user root; " if os.getuid() == 0 else "") + NGINX % {"d": folder, "p": port})
        words = ["nginx", "-p", folder, "-c", folder + "/nginx.conf"]
    with open(os.path.join(folder, "log"), "w") as log:
        server = subprocess.Popen(words, start_new_session=True, stdout=log, stderr=log)
    try:
        import socket
        for _ in range(1000):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.01)
        if name == "claryd":
            deploy(port)
        yield port, folder, server.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, signal.SIGTERM)
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def processor_seconds(folder, group, model_server):
    total = 0
    for process in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError):
            with open(process + "/cmdline", "rb") as file:
                line = file.read().decode(errors="replace")
            with open(process + "/stat") as file:
                same_group = int(file.read().rsplit(")", 1)[1].split()[2]) == group
            serves = "clary-serve" in line.split("\0")[0]
            if (folder in line or same_group) and serves == model_server:
                for task in glob.glob(process + "/task/*/schedstat"):
                    with contextlib.suppress(OSError), open(task) as file:
                        total += int(file.read().split()[0])
    return total * 1e-9


def measure(name, connections, delay_ms=0):
    with running(name) as (port, folder, group):
        script = os.path.join(folder, "post.lua")
        wrk_script(port, script, delay_ms)
        words = ["wrk", "-t1", "-c%d" % connections, "--latency", "-s", script, "http://127.0.0.1:%d/" % port]
        subprocess.run(words + ["-d1s"], check=True, stdout=subprocess.DEVNULL)
        before = [processor_seconds(folder, group, m) for m in (False, True)]
        out = subprocess.run(words + ["-d4s"], check=True, capture_output=True, text=True).stdout
        used = [processor_seconds(folder, group, m) - b for m, b in zip((False, True), before)]
        if "Non-2xx" in out:
            sys.exit("'%s' answered with errors:\n%s" % (name, out))
        n = int(re.search(r"(\d+) requests in", out).group(1))
        figures = {"requests_per_second": float(re.search(r"Requests/sec:\s+([\d.]+)", out).group(1)),
                   "claryd_us" if name == "claryd" else "nginx_us": used[0] / n * 1e6,
                   "cpu_seconds": used[0] / n, "model_server_us": used[1] / n * 1e6}
        for p in ("50", "99"):
            value, unit = re.search(r"\s%s%%\s+([\d.]+)(us|ms|s)" % p, out).groups()
            figures["p%s_us" % p] = float(value) * SECONDS[unit] * 1e6
        return figures


def closed(name):
    figures = measure(name, 32)
    return {"request_cpu_seconds": figures["cpu_seconds"], **figures}


def steady(name):
    """RATE requests a second from 50 clients that pause between two requests."""
    figures = measure(name, 50, delay_ms=int(50 / RATE * 1000))
    return {"request_cpu_seconds": figures["cpu_seconds"], **figures}


def run():
    os.makedirs(FOLDER, exist_ok=True)
    bench = Bench("invoke", "InvokeEndpoint through claryd, signed, one CSV row")
    for title, way in (("as fast as 32 clients ask", closed), ("about 5,000 requests a second", steady)):
        bench.compare(title, part="request", threads=1, unit="request", amount=1,
                      contenders={name: call(way, name) for name in ("claryd", "nginx")})
    bench.end()


if __name__ == "__main__":
    main(run)
