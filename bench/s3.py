"""S3: processor time of the server for small objects, rates of large ones, listings of a million keys.

The client for small objects is wrk with one thread on the loopback, with requests signed beforehand (Signature V4,
the body's hash in it, as boto3 sends over plain HTTP); what counts is the server's processor time (schedstat
of all its threads), kernel part included.  Objects are durable: claryd syncs before it answers.  nginx is the
limit: static files for GET; WebDAV for PUT, which checks no signature, makes no hash and syncs nothing."""

import contextlib
import glob
import hashlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

import common
from common import Bench, call, main, program

FOLDER = os.path.join(common.RESULTS, "s3")
KEYS = ("AKIACLARYBENCH000000", "secret/for+benchmarks/only00000000000000")
SMALL, LARGE, N_SMALL = 4096, 64 << 20, 512
NGINX = """worker_processes 1; pid %(d)s/nginx.pid; error_log %(d)s/err.log; daemon off;
events { worker_connections 1024; }
http { access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; client_max_body_size 0; etag on;
  client_body_temp_path %(d)s/tmp; client_body_buffer_size 1m; default_type binary/octet-stream;
  server { listen 127.0.0.1:%(p)d; root %(d)s/served; location /bench-bucket/ { dav_methods PUT DELETE; create_full_put_path on; } } }
"""


def body_of(n):
    return (hashlib.sha256(b"bench").digest() * (n // 32 + 1))[:n]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def signed(port, method, path, body=b"", query=""):
    """The headers of a request as boto3 signs it."""
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    request = AWSRequest(method=method, url="http://127.0.0.1:%d%s%s" % (port, path, query), data=body)
    request.context["payload_signing_enabled"] = True
    S3SigV4Auth(Credentials(*KEYS), "s3", "us-east-1").add_auth(request)
    return {k: v for k, v in request.headers.items()}


def ask(port, method, path, body=b"", query=""):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.request(method, path + query, body, signed(port, method, path, body, query))
    answer = connection.getresponse()
    answer.read()
    return answer.status


@contextlib.contextmanager
def running(name, home=None, stay=False):
    """A server with the bucket: (port, process group)."""
    port, folder = free_port(), tempfile.mkdtemp(dir=FOLDER)
    if stay:
        running.folder = folder
    if name == "claryd":
        words = [program("src/main/claryd"), "--home", home or folder + "/clary", "--port", str(port), "--access-key", ":".join(KEYS)]
    else:
        os.makedirs(folder + "/served/bench-bucket")
        with open(folder + "/nginx.conf", "w") as file:
            file.write(("user root; " if os.getuid() == 0 else "") + NGINX % {"d": folder, "p": port})
        words = ["nginx", "-p", folder, "-c", folder + "/nginx.conf"]
    server = subprocess.Popen(words, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(1000):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            time.sleep(0.01)
        if name == "claryd" and ask(port, "PUT", "/bench-bucket") != 200:
            sys.exit("the bucket was not made")
        yield port, server.pid
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait()
        if not stay:
            shutil.rmtree(folder, ignore_errors=True)


def threads_of(group):
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(path) as file:
            if int(file.read().rsplit(")", 1)[1].split()[2]) == group:
                yield from glob.glob(os.path.dirname(path) + "/task/*/schedstat")


def processor_seconds(group):
    total = 0
    for path in threads_of(group):
        with contextlib.suppress(OSError), open(path) as file:
            total += int(file.read().split()[0])
    return total * 1e-9


def resident_bytes(group):
    total = 0
    for path in {os.path.dirname(os.path.dirname(os.path.dirname(p))) for p in threads_of(group)}:
        with contextlib.suppress(OSError), open(path + "/status") as file:
            total += int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) * 1024
    return total


def wrk_script(port, method, path):
    """Requests to N_SMALL keys in turn."""
    lines = ["local r = {}"]
    body = body_of(SMALL) if method == "PUT" else b""
    with open(path + ".body", "wb") as file:
        file.write(body)
    lines.append('local f = io.open("%s.body", "rb"); local body = f:read("*a"); f:close()' % path)
    lines.append('if body == "" then body = nil end')
    for i in range(N_SMALL):
        target = "/bench-bucket/small/%03d" % i
        headers = ", ".join('["%s"] = "%s"' % kv for kv in dict(signed(port, method, target, body), Host="127.0.0.1:%d" % port).items())
        lines.append('r[%d] = wrk.format("%s", "%s", {%s}, body)' % (i + 1, method, target, headers))
    lines.append("local i = 0\nfunction request() i = i %% %d + 1; return r[i] end" % N_SMALL)
    with open(path, "w") as file:
        file.write("\n".join(lines) + "\n")


SECONDS = {"us": 1e-6, "ms": 1e-3, "s": 1}


def small(name, method, connections):
    with running(name) as (port, group):
        script = os.path.join(FOLDER, "%s-%s.lua" % (name, method))
        for i in range(N_SMALL):
            if ask(port, "PUT", "/bench-bucket/small/%03d" % i, body_of(SMALL)) not in (200, 201, 204):
                sys.exit("a PUT failed")
        wrk_script(port, method, script)
        words = ["wrk", "-t1", "-c%d" % connections, "--latency", "-s", script, "http://127.0.0.1:%d/" % port]
        subprocess.run(words + ["-d1s"], check=True, stdout=subprocess.DEVNULL)
        before = processor_seconds(group)
        out = subprocess.run(words + ["-d3s"], check=True, capture_output=True, text=True).stdout
        used = processor_seconds(group) - before
        if "Non-2xx" in out:
            sys.exit("'%s' answered with errors:\n%s" % (name, out))
        n = int(re.search(r"(\d+) requests in", out).group(1))
        latency = {share: float(value) * SECONDS[unit] for share, value, unit in re.findall(r"(\d+)%\s+([\d.]+)(us|ms|s)\n", out)}
        return {"request_cpu_seconds": used / n, "request_seconds": latency["50"], "peak_rss_bytes": resident_bytes(group),
                "cpu_us": round(used / n * 1e6, 2), "p50_us": round(latency["50"] * 1e6), "p99_us": round(latency["99"] * 1e6),
                "per_s": round(n / 3)}


def send(port, method, path, body, n):
    """n times over a raw connection; the client does nothing but move bytes."""
    headers = signed(port, method, path, body)
    head = "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: %d\r\n%s\r\n" % (
        method, path, port, len(body), "".join("%s: %s\r\n" % kv for kv in headers.items()))
    buffer = bytearray(1 << 20)
    with socket.create_connection(("127.0.0.1", port), 120) as connection:
        for _ in range(n):
            connection.sendall(head.encode())
            connection.sendall(body)
            got = b""
            while b"\r\n\r\n" not in got:
                got += connection.recv(65536)
            front, rest = got.split(b"\r\n\r\n", 1)
            if int(front.split()[1]) >= 300:
                sys.exit("%s %s: %r" % (method, path, got[:300]))
            length = re.search(rb"(?i)content-length: *(\d+)", front)
            left = int(length.group(1)) - len(rest) if length else 0
            while left > 0:
                left -= connection.recv_into(buffer, min(left, len(buffer)))


def large(name, method, streams=1):
    body, rounds = body_of(LARGE), 4 if method == "PUT" else 16
    with running(name) as (port, group):
        for i in range(streams):
            if ask(port, "PUT", "/bench-bucket/large-%d" % i, body) not in (200, 201, 204):
                sys.exit("a PUT failed")
        before, start = processor_seconds(group), time.perf_counter()
        threads = [threading.Thread(target=send, args=(port, method, "/bench-bucket/large-%d" % i, body if method == "PUT" else b"", rounds))
                   for i in range(streams)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        seconds, used = time.perf_counter() - start, processor_seconds(group) - before
        n = rounds * streams
        return {"request_seconds": seconds / n, "request_cpu_seconds": used / n, "peak_rss_bytes": resident_bytes(group),
                "MB_s": round(n * LARGE / seconds / 1e6), "MB_s_cpu": round(n * LARGE / used / 1e6)}


def md5_limit(streams=1):
    """Nothing but MD5 of the same bytes, as many at a time as there are streams."""
    body = body_of(LARGE)
    start, before = time.perf_counter(), time.process_time()
    threads = [threading.Thread(target=lambda: [hashlib.md5(body) for _ in range(4)]) for _ in range(streams)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    n = 4 * streams
    seconds, used = time.perf_counter() - start, time.process_time() - before
    return {"request_seconds": seconds / n, "request_cpu_seconds": used / n, "MB_s": round(n * LARGE / seconds / 1e6),
            "MB_s_cpu": round(n * LARGE / used / 1e6)}


def listing(kind):
    """A bucket of a million keys in 1,000 folders, made by SQL; listings as clients ask for them."""
    import sqlite3
    with running("claryd", stay=True) as (port, group):
        pass
    home = running.folder + "/clary"
    with sqlite3.connect(home + "/clary.db") as db:
        bucket = db.execute("SELECT id FROM s3_bucket").fetchone()[0]
        db.executemany("INSERT INTO s3_object (bucket, key, version, age, marker, file, small, size, etag, modified, meta) "
                       "VALUES (?, ?, 'null', -1, 0, 0, 0, 4096, '9a0364b9e99bb480dd25e1f0284c8555', 1700000000.5, "
                       "'{\"ContentType\":\"binary/octet-stream\",\"ChecksumCRC64NVME\":\"AAAAAAAAAAA=\",\"ChecksumType\":\"FULL_OBJECT\"}')",
                       ((bucket, "folder-%03d/object-%06d" % (i // 1000, i)) for i in range(1_000_000)))
    db.close()
    try:
        with running("claryd", home=home) as (port, group):
            queries = {"page": ["list-type=2&start-after=folder-%03d%%2F" % (i * 7 % 1000) for i in range(100)],
                       "folders": ["delimiter=%2F&list-type=2"] * 10,
                       "one": ["delimiter=%%2F&list-type=2&max-keys=10&prefix=folder-%03d%%2F" % (i * 7 % 1000) for i in range(100)]}[kind]
            ask(port, "GET", "/bench-bucket", query="?" + queries[0])
            before, start = processor_seconds(group), time.perf_counter()
            for query in queries:
                if ask(port, "GET", "/bench-bucket", query="?" + query) != 200:
                    sys.exit("a listing failed")
            seconds, used, n = time.perf_counter() - start, processor_seconds(group) - before, len(queries)
            return {"request_seconds": seconds / n, "request_cpu_seconds": used / n, "peak_rss_bytes": resident_bytes(group),
                    "cpu_ms": round(used / n * 1e3, 2), "wall_ms": round(seconds / n * 1e3, 2)}
    finally:
        shutil.rmtree(running.folder, ignore_errors=True)


def run():
    if not shutil.which("wrk") or not shutil.which("nginx"):
        sys.exit("s3: wrk or nginx is not installed")
    os.makedirs(FOLDER, exist_ok=True)
    bench = Bench("s3", "S3")
    figures = ("cpu_us", "p50_us", "p99_us", "per_s")
    for connections in (1, 32):
        for method in ("GET", "PUT"):
            bench.compare("4 KiB %s, %d connection%s" % (method, connections, "s"[:connections > 1]),
                          {"claryd": call(small, "claryd", method, connections), "nginx": call(small, "nginx", method, connections)},
                          part="request", figures=figures)
    bench.compare("64 MiB GET", {"claryd": call(large, "claryd", "GET"), "nginx sendfile": call(large, "nginx", "GET")},
                  part="request", figures=("MB_s", "MB_s_cpu"))
    for streams in (1, 8):
        bench.compare("64 MiB PUT, %d at a time" % streams,
                      {"claryd": call(large, "claryd", "PUT", streams), "MD5 alone": call(md5_limit, streams),
                       "nginx WebDAV": call(large, "nginx", "PUT", streams)},
                      part="request", by="wall", figures=("MB_s", "MB_s_cpu"))
    bench.compare("listing a bucket of 1 M keys",
                  {"page of 1,000 keys": call(listing, "page"), "its 1,000 folders": call(listing, "folders"),
                   "10 keys of a folder": call(listing, "one")},
                  part="request", rounds=1, figures=("cpu_ms", "wall_ms"))
    bench.end()


if __name__ == "__main__":
    main(run)
