"""The server's life: up, status, env, logs, reset, down; what it refuses to do."""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request

from _claryd import Claryd, main, program, wait_until


def clary(*words, env=None, ok=True):
    done = subprocess.run([program("clary"), *words], env=env, capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) == ok, done
    return done


def home_environment(home, **more):
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "CLARY_"))}
    return dict(kept, CLARY_HOME=home, **more)


def test_up_env_status_down():
    with tempfile.TemporaryDirectory() as home:
        env = home_environment(home)
        up = subprocess.Popen([program("clary"), "up", "--port", "0"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = [up.stdout.readline() for _ in range(4)]
        assert "ready at http://127.0.0.1:" in lines[0] and "clary env" in lines[3], lines
        url = lines[0].split(" at ")[1].split()[0]
        status = json.loads(clary("status", "--json", env=env).stdout)
        assert status["home"] == home and status["account"] == "123456789012"
        assert url in clary("status", env=env).stdout
        metadata = os.path.join(home, "metadata.json")
        exports = clary("env", "--metadata", metadata, env=env).stdout
        values = dict(line[len("export "):].split("=", 1) for line in exports.splitlines())
        assert values["AWS_ENDPOINT_URL"] == "'%s'" % url and "AWS_SECRET_ACCESS_KEY" in values
        assert json.load(open(metadata))["ExecutionRoleArn"] == "arn:aws:iam::123456789012:role/clary"
        assert "DefaultS3Bucket: sagemaker-us-east-1-123456789012" in open(values["SAGEMAKER_USER_CONFIG_OVERRIDE"].strip("'")).read()
        assert clary("env", "--shell", "fish", "--no-files", env=env).stdout.startswith("set -gx ")
        assert json.loads(clary("env", "--shell", "json", "--no-files", env=env).stdout)["AWS_REGION"] == "us-east-1"
        second = subprocess.run([program("clary"), "up", "--port", "0"], env=env, capture_output=True, text=True, timeout=20)
        assert second.returncode == 1 and "another server uses the home" in second.stderr, second
        with tempfile.TemporaryDirectory() as other:
            second = subprocess.run([program("clary"), "up", "--port", url.rsplit(":", 1)[1]], env=home_environment(other),
                                    capture_output=True, text=True, timeout=20)
            assert second.returncode == 1 and "in use" in second.stderr, second
        clary("doctor", env=env)
        assert "stopped" in clary("down", env=env).stdout
        assert up.wait(20) == 0
        assert "clary up" in clary("status", env=env, ok=False).stderr
        assert os.stat(home).st_mode & 0o777 == 0o700


def test_settings_come_from_option_variable_and_file():
    with tempfile.TemporaryDirectory() as home:
        with open(os.path.join(home, "clary.conf"), "w") as file:
            file.write("# the site's\nregion = eu-west-1\naccount = 000000000001\nport = 0\n")
        env = home_environment(home, CLARY_ACCOUNT="000000000002")
        up = subprocess.Popen([program("clary"), "up"], env=env, stdout=subprocess.PIPE, text=True)
        up.stdout.readline()
        status = json.loads(clary("status", "--json", env=env).stdout)
        assert status["region"] == "eu-west-1" and status["account"] == "000000000002", status
        up.terminate()
        assert up.wait(20) == 0
        with open(os.path.join(home, "clary.conf"), "w") as file:
            file.write("regoin = eu-west-1\n")
        wrong = clary("up", env=env, ok=False)
        assert wrong.returncode == 2 and "line 1" in wrong.stderr and "did you mean 'region'" in wrong.stderr, wrong


def test_refusals_at_start():
    with tempfile.TemporaryDirectory() as home:
        env = home_environment(home)
        for words, want in ((["--auth", "any"], "--ephemeral"), (["--host", "0.0.0.0"], "TLS"), (["--account", "12"], "twelve digits"),
                            (["--access-key", "nocolon"], "ACCESSKEY:SECRETKEY"), (["--port", "x"], "whole number"),
                            (["--bucket", "b"], "NAME=FOLDER")):
            done = subprocess.run([program("clary"), "up", *words], env=env, capture_output=True, text=True, timeout=20)
            assert done.returncode == 2 and want in done.stderr, (words, done)
        os.chmod(home, 0o777)
        done = subprocess.run([program("clary"), "up"], env=env, capture_output=True, text=True, timeout=20)
        assert done.returncode == 1 and "anybody may write" in done.stderr, done


def fetch(url, method="GET", **headers):
    request = urllib.request.Request(url, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as problem:
        return problem.code, problem.read().decode()


def test_an_ephemeral_server_is_emptied_quickly_and_leaves_nothing():
    with Claryd() as server:
        assert server.ready["ready_ms"] < 1000
        logs = server.client("logs")
        logs.create_log_group(logGroupName="/a")
        server.client("s3").create_bucket(Bucket="bucket-a")
        begin = time.monotonic()
        server.reset()
        took = time.monotonic() - begin
        assert not logs.describe_log_groups()["logGroups"] and not server.client("s3").list_buckets()["Buckets"], took
        logs.create_log_group(logGroupName="/a")
        home = server.folder
        assert os.path.isdir(home)
    assert not os.path.exists(home)


def test_web_pages_of_others_are_kept_out():
    with Claryd() as server:
        status, text = fetch(server.url + "/", Accept="text/html")
        assert status == 200 and "<h1>clary</h1>" in text
        assert fetch(server.url + "/", Accept="text/html", Host="evil.example")[0] == 403
        assert fetch(server.url + "/_clary/status", Host="evil.example")[0] == 403
        assert fetch(server.url + "/_clary/reset", method="POST", Origin="http://evil.example")[0] == 403
        assert fetch(server.url + "/_clary/reset")[0] == 404
        assert fetch(server.url + "/_clary/health")[0] == 200


def test_a_lasting_server_is_not_reset_and_keeps_its_data():
    with tempfile.TemporaryDirectory() as home:
        with Claryd(home=home, ephemeral=False) as server:
            assert fetch(server.url + "/_clary/reset", method="POST")[0] == 403
            server.client("logs").create_log_group(logGroupName="/kept")
            server.stop(signal.SIGKILL)
        with Claryd(home=home, ephemeral=False) as server:
            groups = server.client("logs").describe_log_groups()["logGroups"]
            assert [g["logGroupName"] for g in groups] == ["/kept"]


def test_a_server_that_crashes_is_started_again():
    with tempfile.TemporaryDirectory() as home:
        with Claryd(home=home, ephemeral=False) as server:
            logs = server.client("logs")
            logs.create_log_group(logGroupName="/kept")
            child = int(open(os.path.join(home, "address")).read().split()[1])
            assert child != server.process.pid
            os.kill(child, signal.SIGKILL)

            def again():
                try:
                    return logs.describe_log_groups()["logGroups"]
                except Exception:  # noqa: it is not back yet
                    return None
            groups = wait_until(again, 10, "the restart")
            assert [g["logGroupName"] for g in groups] == ["/kept"]
            wait_until(lambda: int(open(os.path.join(home, "address")).read().split()[1]) != child, 5, "a new address")


def test_what_is_stored_is_checked():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="checked")
        s3.put_object(Bucket="checked", Key="small", Body=b"small")
        s3.put_object(Bucket="checked", Key="large", Body=os.urandom(100000))
        env = home_environment(server.folder)
        assert "2 objects" in clary("check", env=env).stdout
        files = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(server.folder, "objects")) for name in names]
        large = next(path for path in files if os.path.getsize(path) == 100000)
        os.chmod(large, 0o600)
        with open(large, "r+b") as file:
            file.seek(5000)
            file.write(b"one byte is enough")
        found = clary("check", env=env, ok=False)
        assert "s3://checked/large" in found.stdout and "1 findings" in found.stdout, found


def test_a_log_can_be_followed_at_the_shell():
    with Claryd() as server:
        logs = server.client("logs")
        logs.create_log_group(logGroupName="/app")
        logs.create_log_stream(logGroupName="/app", logStreamName="s")

        def say(*texts):
            ms = int(time.time() * 1000)
            logs.put_log_events(logGroupName="/app", logStreamName="s", logEvents=[{"timestamp": ms, "message": t} for t in texts])
        say("one", "two")
        env = home_environment(server.folder)
        assert clary("logs", env=env).stdout.split() == ["/app"]
        assert clary("logs", "/app", "--filter", "-two", env=env).stdout.split() == ["one"]
        follow = subprocess.Popen([program("clary"), "logs", "-f", "/app"], env=env, stdout=subprocess.PIPE, text=True)
        assert [follow.stdout.readline().strip() for _ in range(2)] == ["one", "two"]
        say("three")
        assert follow.stdout.readline().strip() == "three"
        follow.kill()
        follow.wait()
        assert "does not exist" in clary("logs", "nothing", env=env, ok=False).stderr


def test_requests_under_way_end_when_the_server_stops():
    with Claryd() as server:
        import socket
        raw = socket.create_connection(("127.0.0.1", server.port))
        raw.sendall(b"GET /_clary/health HTTP/1.1\r\nHost: 127.0.0.1\r\n")
        time.sleep(0.1)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        raw.sendall(b"\r\n")
        answer = raw.recv(4096)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        raw.close()
        wait_until(lambda: server.process.poll() is not None, 20, "the end")


if __name__ == "__main__":
    main()
