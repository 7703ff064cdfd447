"""A fresh claryd for a test, and clients that point at it.

    with Claryd() as server:
        s3 = server.client("s3")

The server is ephemeral: it keeps everything in a folder that dies with it.  CLARY_TEST_DATABASE=postgres://... makes all
tests run on PostgreSQL.  A test file ends with main(), which runs every function named test_* and prints the counts.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

SOURCE = os.environ.get("CLARY_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CLARY_BUILD") or os.path.join(SOURCE, "build")
ACCESS_KEY, SECRET_KEY = "AKIACLARYTESTS000000", "secret/for+tests/only00000000000000000000"
SKIPPED = 77


class Skip(Exception):
    pass


def program(name):
    found = shutil.which(name, path=os.pathsep.join([os.path.join(BUILD, "src", "main"), os.environ.get("PATH", "")]))
    if not found:
        raise Skip("%s is not built" % name)
    return found


def data(path):
    """A file of the shared data sets."""
    full = os.path.join(SOURCE, "..", "shared", "data", path)
    if not os.path.exists(full):
        raise Skip("the data set %s is not here" % path)
    return full


class Claryd:
    def __init__(self, *options, home=None, ephemeral=True, env=None, keys=True, strict=True, files=None):
        self.options, self.home, self.ephemeral = options, home, ephemeral
        self.extra_env = env or {}
        self.keys, self.strict = keys, strict
        self.files = files  # most descriptors of the server
        self.process = None

    def start(self):
        words = [program("claryd"), "--port", "0"]
        if self.ephemeral:
            words += ["--ephemeral"]
            if not self.strict:
                words += ["--auth", "any"]
        if self.keys:
            words += ["--access-key", ACCESS_KEY + ":" + SECRET_KEY]
        if self.home:
            words += ["--home", self.home]
        if os.environ.get("CLARY_TEST_DATABASE"):
            words += ["--database", os.environ["CLARY_TEST_DATABASE"] + self.schema()]
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CLARY_"))}
        environment.update(self.extra_env)
        self.log = tempfile.NamedTemporaryFile("w+", prefix="claryd-", suffix=".log", delete=False)
        self.begun = time.monotonic()
        self.process = subprocess.Popen(words + list(self.options), stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        env=environment, start_new_session=True,
                                        preexec_fn=self.limit_files if self.files else None)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("claryd did not start: " + self.log_text())
        if line.startswith("{"):
            self.ready = json.loads(line)
            self.url, self.port = self.ready["endpoint_url"], self.ready["port"]
            self.folder = self.ready["home"]
        else:
            self.url = line.split(" at ")[1].split()[0]
            self.port = int(self.url.rsplit(":", 1)[1])
            self.folder = self.home
        return self

    def limit_files(self):
        import resource
        resource.setrlimit(resource.RLIMIT_NOFILE, (self.files, self.files))

    def schema(self):
        """A schema of PostgreSQL for each home, so that servers do not meet: part of the address."""
        name = "h" + hashlib.sha256((self.home or os.urandom(8).hex()).encode()).hexdigest()[:16]
        psql = shutil.which("psql")
        if not psql:
            raise Skip("no psql to make a schema with")
        subprocess.run([psql, "-q", os.environ["CLARY_TEST_DATABASE"], "-c", "CREATE SCHEMA IF NOT EXISTS " + name], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=30)
        return "?options=-csearch_path%3D" + name

    def log_text(self):
        with open(self.log.name, errors="replace") as file:
            return file.read()

    def stop(self, how=signal.SIGTERM):
        if self.process and self.process.poll() is None:
            os.kill(self.process.pid, how)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(self.process.pid, signal.SIGKILL)
                self.process.wait(10)
                raise AssertionError("claryd did not stop")
        self.process and self.process.stdout.close()

    def __enter__(self):
        return self.start()

    def __exit__(self, *error):
        if error[0] and error[0] is not Skip:
            sys.stderr.write("--- claryd's log ---\n%s\n" % self.log_text()[-4000:])
        self.stop()
        os.unlink(self.log.name)

    def environment(self, **more):
        """For programs: a clean environment that points every client at this server."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        kept.update(AWS_ENDPOINT_URL=self.url, AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY,
                    AWS_DEFAULT_REGION="us-east-1", AWS_REGION="us-east-1", AWS_EC2_METADATA_DISABLED="true",
                    AWS_CONFIG_FILE="/nonexistent", AWS_SHARED_CREDENTIALS_FILE="/nonexistent")
        kept.update(more)
        return kept

    def client(self, service, region="us-east-1", key=ACCESS_KEY, secret=SECRET_KEY, token=None, **options):
        try:
            import boto3
            from botocore.config import Config
        except ImportError as problem:
            raise Skip("boto3 is not installed") from problem
        session = boto3.session.Session(aws_access_key_id=key, aws_secret_access_key=secret, aws_session_token=token,
                                        region_name=region)
        config = options.pop("config", Config(retries={"max_attempts": 1}))
        return session.client(service, endpoint_url=self.url, config=config, **options)

    def reset(self):
        import urllib.request
        urllib.request.urlopen(urllib.request.Request(self.url + "/_clary/reset", method="POST")).read()


def expect_error(code, call, *args, **kwargs):
    """The call must fail with that AWS code; returns the message."""
    from botocore.exceptions import ClientError
    try:
        call(*args, **kwargs)
    except ClientError as problem:
        got = problem.response["Error"]
        assert got["Code"] == code, "%s instead of %s: %s" % (got["Code"], code, got.get("Message"))
        return got.get("Message", "")
    raise AssertionError("%s was expected" % code)


def wait_until(condition, seconds=20, what="it"):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("%s did not happen in %g s" % (what, seconds))


def main(only=None):
    """Runs every test_* function of the calling file (or those whose names contain an argument)."""
    module = sys.modules["__main__"]
    words = sys.argv[1:]
    passed = failed = skipped = 0
    for name in [n for n in vars(module) if n.startswith("test_")]:
        if words and not any(word in name for word in words):
            continue
        begun = time.monotonic()
        try:
            getattr(module, name)()
            passed += 1
            word = "ok"
        except Skip as why:
            skipped += 1
            word = "skipped: %s" % why
        except Exception:  # noqa: a test file goes on with the next test
            failed += 1
            word = "FAIL\n" + traceback.format_exc()
        print("%-60s %s (%.2f s)" % (name, word, time.monotonic() - begun), flush=True)
    print("%d passed, %d failed, %d skipped" % (passed, failed, skipped))
    sys.exit(1 if failed else 0)
