"""Clients that do harm: slow ones, ones that vanish, and more of them than there are descriptors."""

import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "aws"))
from _claryd import Claryd, main, wait_until  # noqa: E402


def health(port, seconds=5):
    with socket.create_connection(("127.0.0.1", port), seconds) as raw:
        raw.settimeout(seconds)
        raw.sendall(b"GET /_clary/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        return raw.recv(4096).startswith(b"HTTP/1.1 200")


def processor_seconds(server):
    total = 0
    for pid in [p for p in os.listdir("/proc") if p.isdigit()]:
        try:
            with open("/proc/%s/stat" % pid) as file:
                fields = file.read().rsplit(")", 1)[1].split()
            if int(fields[2]) == os.getpgid(server.process.pid):
                total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ProcessLookupError):
            continue
    return total


def test_a_head_that_never_ends_is_cut_off():
    with Claryd() as server:
        slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(20)]
        for raw in slow:
            raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
        begun = time.monotonic()
        for raw in slow:
            raw.settimeout(25)
            answer = b""
            while True:
                piece = raw.recv(4096)
                if not piece:
                    break
                answer += piece
            assert answer == b"" or answer.startswith(b"HTTP/1.1 408"), answer
            raw.close()
        assert time.monotonic() - begun < 24 and health(server.port)


def test_clients_that_vanish_in_the_middle_of_an_upload():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bucket-v")
        signed = s3.generate_presigned_url("put_object", Params={"Bucket": "bucket-v", "Key": "half"})
        path = signed.split("/", 3)[3]
        for _ in range(30):
            raw = socket.create_connection(("127.0.0.1", server.port))
            raw.sendall(b"PUT /%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Length: 10000000\r\n\r\n" % (path.encode(), server.port))
            raw.sendall(b"x" * 200000)
            raw.close()
        assert health(server.port)
        wait_until(lambda: "Contents" not in s3.list_objects_v2(Bucket="bucket-v"), 5, "no half object")
        s3.put_object(Bucket="bucket-v", Key="whole", Body=b"y" * 100000)
        assert s3.get_object(Bucket="bucket-v", Key="whole")["Body"].read() == b"y" * 100000


def test_more_connections_than_descriptors():
    with Claryd(files=200) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bucket-d")
        held = []
        for _ in range(400):
            try:
                held.append(socket.create_connection(("127.0.0.1", server.port), 2))
            except OSError:
                break
        time.sleep(0.3)
        before = processor_seconds(server)
        time.sleep(1)
        spent = processor_seconds(server) - before
        assert spent < 0.5, "the server spins: %.2f s of processor time in a second" % spent
        for raw in held:
            raw.close()
        wait_until(lambda: health(server.port), 10, "an answer")
        s3.put_object(Bucket="bucket-d", Key="k", Body=b"z" * 100000)
        assert s3.get_object(Bucket="bucket-d", Key="k")["Body"].read() == b"z" * 100000


if __name__ == "__main__":
    main()
