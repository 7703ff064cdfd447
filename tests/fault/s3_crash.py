"""No acknowledged object is lost: the server is killed while clients write (kill -9), and the power is cut (a
file system on a loop device that is shut down without flushing its log, rule T3 of the threat model).

Each client has keys of its own and does one thing at a time, so it knows what its keys hold: what was acknowledged
last, or, for the one request that was under way, either of two states.  After each crash everything is
compared; in the end nothing that no object names may be left on the disk.  `make test-long` does 200 of each."""

import ctypes
import fcntl
import hashlib
import http.client
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "aws"))
from _claryd import ACCESS_KEY, SECRET_KEY, Claryd, Skip, main  # noqa: E402

LONG = bool(os.environ.get("CLARY_LONG"))
KILLS, CUTS = (200, 200) if LONG else (8, 4)
CLIENTS, KEYS = 6, 12
SHUTDOWN, NO_LOG_FLUSH = 0x8004587D, 2
GONE = None


def body_of(tag, n):
    block = hashlib.sha256(tag.encode()).digest()
    return (block * (n // len(block) + 1))[:n]


class Link:
    """One connection, signed by hand: boto3 would try again by itself."""

    def __init__(self, port):
        from botocore.credentials import Credentials
        self.port, self.credentials = port, Credentials(ACCESS_KEY, SECRET_KEY)
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

    def ask(self, method, path, body=b""):
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        request = AWSRequest(method=method, url="http://127.0.0.1:%d%s" % (self.port, path), data=body)
        request.context["payload_signing_enabled"] = True
        S3SigV4Auth(self.credentials, "s3", "us-east-1").add_auth(request)
        self.connection.request(method, path, body, dict(request.headers.items()))
        answer = self.connection.getresponse()
        return answer.status, answer.headers, answer.read()


class Client(threading.Thread):
    def __init__(self, number, seed):
        super().__init__(daemon=True)
        self.number, self.random = number, random.Random(seed)
        self.states = {}   # key -> set of possible bodies (tag, size), or GONE
        self.acknowledged, self.stop, self.port, self.failure = 0, False, 0, None

    def key(self, i):
        return "/bkt/c%d/k%d" % (self.number, i)

    def run(self):
        link = Link(self.port)
        while not self.stop:
            key = self.key(self.random.randrange(KEYS))
            before = self.states.get(key, {GONE})
            draw = self.random.random()
            tag = "%d-%d-%d" % (self.number, self.acknowledged, self.random.getrandbits(40))
            size = self.random.choice((0, 17, 4096, 16384, 16385, 70000, 1 << 20))
            after = GONE if draw < 0.15 else (tag, size)
            if draw > 0.95:
                after = (tag, (5 << 20) + 1000)
            self.states[key] = before | {after}
            try:
                if after is GONE:
                    status = link.ask("DELETE", key)[0]
                elif draw > 0.95:
                    status = self.in_parts(link, key, body_of(*after))
                else:
                    status = link.ask("PUT", key, body_of(*after))[0]
            except (OSError, http.client.HTTPException):
                return  # the crash: either state may be
            if self.stop:
                return  # acknowledged perhaps after the cut
            if status not in (200, 204):
                if status < 500:
                    self.failure = "status %d" % status
                return
            self.states[key] = {after}
            self.acknowledged += 1

    def in_parts(self, link, key, body):
        status, _, answer = link.ask("POST", key + "?uploads=")
        if status != 200:
            return status
        upload = re.search(rb"<UploadId>(.*?)</UploadId>", answer).group(1).decode()
        parts = ""
        for i, piece in enumerate((body[:5 << 20], body[5 << 20:])):
            status, fields, _ = link.ask("PUT", "%s?partNumber=%d&uploadId=%s" % (key, i + 1, upload), piece)
            if status != 200:
                return status
            parts += "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>" % (i + 1, fields["ETag"])
        done = "<CompleteMultipartUpload>%s</CompleteMultipartUpload>" % parts
        return link.ask("POST", "%s?uploadId=%s" % (key, upload), done.encode())[0]

    def compare(self):
        link = Link(self.port)
        for key, possible in self.states.items():
            status, _, body = link.ask("GET", key)
            assert status in (200, 404), "%s: status %d" % (key, status)
            found = [state for state in possible if
                     (status == 404 if state is GONE else status == 200 and body == body_of(*state))]
            assert found, "%s: %d bytes, status %d, but one of %s was acknowledged" % (key, len(body), status, possible)
            self.states[key] = {found[0]}


def children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as file:
        return [int(word) for word in file.read().split()]


def wait_for(port, seconds=10):
    """Seconds until the server answers again."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        try:
            if Link(port).ask("HEAD", "/bkt")[0] == 200:
                return time.monotonic() - start
        except (OSError, http.client.HTTPException):
            time.sleep(0.005)
    raise AssertionError("the server does not come back")


def run_clients(clients, port, seconds):
    """New threads with what the old ones know."""
    fresh = []
    for old in clients:
        client = Client(old.number, old.random.getrandbits(60))
        client.states, client.acknowledged, client.port = old.states, old.acknowledged, port
        fresh.append(client)
        client.start()
    time.sleep(seconds)
    return fresh


def compare_all(clients):
    for client in clients:
        client.join(30)
        assert not client.is_alive() and not client.failure, client.failure
        client.compare()


def leftovers(home):
    """Files of objects that no row names."""
    with sqlite3.connect("file:%s/clary.db?mode=ro" % home, uri=True) as db:
        named = {row[0] for row in db.execute("SELECT file FROM s3_object WHERE small = 0 UNION SELECT file FROM s3_version "
                                              "WHERE small = 0 UNION SELECT file FROM s3_part")}
    there = {int(name, 16) for _, _, names in os.walk(os.path.join(home, "objects")) for name in names}
    return there - named


def test_kill_9():
    folder = tempfile.mkdtemp()
    clients = [Client(i, i) for i in range(CLIENTS)]
    away = []
    try:
        with Claryd(home=folder + "/home", ephemeral=False) as server:
            server.client("s3").create_bucket(Bucket="bkt")
            chance = random.Random(7)
            for kill in range(KILLS):
                # Mostly after a second of health, as the keeper waits longer and longer with one that dies at once.
                clients = run_clients(clients, server.port, chance.uniform(0.02, 0.3) if kill % 3 == 1 else chance.uniform(1, 1.3))
                victim = children(server.process.pid)[0]
                os.kill(victim, signal.SIGKILL)
                away.append(wait_for(server.port))
                for client in clients:
                    client.stop = True
                compare_all(clients)
        # The worst of many says how busy the machine was.
        assert sorted(away)[len(away) // 2] < 1 and max(away) < 10, away
        # One more start sweeps what the kills left.
        with Claryd(home=folder + "/home", ephemeral=False) as server:
            end = time.monotonic() + 10
            while leftovers(folder + "/home") and time.monotonic() < end:
                time.sleep(0.1)
            assert not leftovers(folder + "/home"), leftovers(folder + "/home")
        print("    %d kills, %d acknowledged changes, back after %.3f s, at most %.3f s" % (
            KILLS, sum(c.acknowledged for c in clients), sorted(away)[len(away) // 2], max(away)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_power_cut():
    if os.environ.get("CLARY_TEST_DATABASE"):
        raise Skip("the database is not on the disk that is cut off")
    if os.getuid() != 0 or not shutil.which("mkfs.ext4"):
        raise Skip("needs root and mkfs.ext4, to mount a loop device")
    folder = tempfile.mkdtemp()
    image, mount = folder + "/image", folder + "/mount"
    os.mkdir(mount)
    with open(image, "wb") as file:
        file.truncate(512 << 20)
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    if subprocess.run(["mount", "-o", "loop", image, mount], capture_output=True).returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise Skip("loop devices cannot be mounted here")
    clients = [Client(i, 100 + i) for i in range(CLIENTS)]
    try:
        chance = random.Random(11)
        for cut in range(CUTS):
            server = Claryd(home=mount + "/home", ephemeral=False).start()
            try:
                if cut == 0:
                    server.client("s3").create_bucket(Bucket="bkt")
                for client in clients:
                    client.port = server.port
                compare_all([c for c in clients if not c.is_alive() and c.ident] or [])
                clients = run_clients(clients, server.port, chance.uniform(0.1, 0.6))
                for client in clients:
                    client.stop = True  # what is acknowledged from here on does not count
                top = os.open(mount, os.O_RDONLY)
                fcntl.ioctl(top, SHUTDOWN, ctypes.c_uint32(NO_LOG_FLUSH))
                os.close(top)
            finally:
                os.killpg(server.process.pid, signal.SIGKILL)
                server.process.wait(10)
                server.process.stdout.close()
                os.unlink(server.log.name)
            for client in clients:
                client.join(30)
            end = time.monotonic() + 60
            while subprocess.run(["umount", mount], capture_output=True).returncode:
                assert time.monotonic() < end, "the file system stays busy"
                time.sleep(0.1)
            # A sandbox somewhere may have a copy of the mount: then the file system lives on, shut down as it is,
            # and only a copy of the disk can be mounted.
            if subprocess.run(["losetup", "-j", image], capture_output=True).stdout:
                subprocess.run(["cp", "--sparse=always", image, image + "+"], check=True)
                os.unlink(image)
                image += "+"
            subprocess.run(["mount", "-o", "loop", image, mount], check=True)
        with Claryd(home=mount + "/home", ephemeral=False) as server:
            for client in clients:
                client.port = server.port
            compare_all(clients)
        print("    %d cuts, %d acknowledged changes" % (CUTS, sum(c.acknowledged for c in clients)))
    finally:
        subprocess.run(["umount", mount], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


def test_full_disk():
    """Writes are refused in words, reads and deletes go on, and writing goes on when there is room again."""
    if os.getuid() != 0:
        raise Skip("needs root, to mount a small file system")
    folder = tempfile.mkdtemp()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", folder], capture_output=True).returncode:
        shutil.rmtree(folder, ignore_errors=True)
        raise Skip("nothing can be mounted here")
    try:
        with Claryd(home=folder + "/home", ephemeral=False) as server:
            server.client("s3").create_bucket(Bucket="bkt")
            link = Link(server.port)
            stored = []
            for i in range(40):
                body = body_of(str(i), 4 << 20)
                status, _, answer = link.ask("PUT", "/bkt/%d" % i, body)
                if status != 200:
                    break
                stored.append(i)
            assert stored and status == 507 and b"InsufficientStorage" in answer, (status, answer)
            # Small ones fill what is left, and are refused in the same words.
            small = []
            for i in range(4000):
                status, _, answer = link.ask("PUT", "/bkt/small-%d" % i, body_of("s%d" % i, 16000))
                if status != 200:
                    break
                small.append(i)
            assert status == 507 and b"InsufficientStorage" in answer, (status, answer, len(small))
            for i in small[-20:]:
                assert link.ask("GET", "/bkt/small-%d" % i)[2] == body_of("s%d" % i, 16000)
            for i in stored:
                assert link.ask("GET", "/bkt/%d" % i)[2] == body_of(str(i), 4 << 20)
            assert link.ask("DELETE", "/bkt/0")[0] == 204
            assert link.ask("DELETE", "/bkt/1")[0] == 204
            assert link.ask("PUT", "/bkt/again", body_of("again", 4 << 20))[0] == 200
            assert link.ask("GET", "/bkt/again")[2] == body_of("again", 4 << 20)
    finally:
        subprocess.run(["umount", "-l", folder], capture_output=True)
        shutil.rmtree(folder, ignore_errors=True)


main()
