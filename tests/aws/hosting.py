"""Endpoints as boto3 uses them: deploy, invoke, A/B variants, updates under load, dead model servers, wrong models."""

import datetime
import io
import json
import os
import random
import signal
import subprocess
import tarfile
import tempfile
import threading
import time

from _claryd import Claryd, Skip, expect_error, main, program, wait_until

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ROLE = "arn:aws:iam::123456789012:role/service-role/sage"
models = {}


def model_archive(name):
    """model.tar.gz of a small tree model whose predictions lie near `name`, an integer."""
    if name not in models:
        folder = tempfile.mkdtemp(prefix="clary-hosting-")
        draw = random.Random(name)
        with open(os.path.join(folder, "train.csv"), "w") as file:
            for _ in range(200):
                x = draw.random()
                file.write("%.4f,%.4f,%.4f\n" % (name + 0.1 * x, x, draw.random()))
        subprocess.run([program("clary"), "train", "xgboost", "--train", "train.csv", "--no-header", "--target", "0",
                        "--num_round", "20", "-q", "-o", "model.tar.gz"], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
        with open(os.path.join(folder, "model.tar.gz"), "rb") as file:
            models[name] = file.read()
    return models[name]


class Hosting:
    def __init__(self, server):
        from botocore.config import Config
        self.server = server
        self.sm = server.client("sagemaker")
        self.runtime = server.client("sagemaker-runtime", config=Config(retries={"max_attempts": 0}, max_pool_connections=16))
        self.s3 = server.client("s3")
        try:
            self.s3.create_bucket(Bucket="models")
        except self.s3.exceptions.BucketAlreadyOwnedByYou:
            pass

    def model(self, name, value, **container):
        self.s3.put_object(Bucket="models", Key="%s.tar.gz" % name, Body=model_archive(value))
        self.sm.create_model(ModelName=name, ExecutionRoleArn=ROLE,
                             PrimaryContainer=dict(Image=IMAGE, ModelDataUrl="s3://models/%s.tar.gz" % name, **container))

    def config(self, name, *variants, **more):
        self.sm.create_endpoint_config(EndpointConfigName=name, **more, ProductionVariants=[
            {"VariantName": v, "ModelName": model, "InitialInstanceCount": n, "InstanceType": "ml.m5.large",
             "InitialVariantWeight": weight} for v, model, n, weight in variants])

    def endpoint(self, name, config, **more):
        self.sm.create_endpoint(EndpointName=name, EndpointConfigName=config, **more)
        self.sm.get_waiter("endpoint_in_service").wait(EndpointName=name)

    def invoke(self, endpoint, body="0.5,0.5", **more):
        answer = self.runtime.invoke_endpoint(EndpointName=endpoint, ContentType="text/csv", Body=body, **more)
        return float(answer["Body"].read().decode().split()[0]), answer

    def state(self, name):
        return self.sm.describe_endpoint(EndpointName=name)["EndpointStatus"]


def model_servers():
    """Processes of clary-serve that this user has: {pid: command line}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % pid, "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if words[0].endswith(b"clary-serve"):
            found[int(pid)] = b" ".join(words).decode()
    return found


def servers_of(server):
    return [pid for pid, line in model_servers().items() if server.folder + "/" in line]


class Load:
    """Threads that invoke an endpoint without pause, and every answer."""
    def __init__(self, hosting, endpoint, threads=4):
        self.hosting, self.endpoint = hosting, endpoint
        self.values, self.failures, self.stop = [], [], False
        self.threads = [threading.Thread(target=self.run) for _ in range(threads)]

    def run(self):
        while not self.stop:
            try:
                self.values.append(self.hosting.invoke(self.endpoint)[0])
            except Exception as problem:  # noqa: all of them are counted
                self.failures.append(repr(problem))

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop = True
        for thread in self.threads:
            thread.join()


def test_deploy_invoke_and_tear_down():
    with Claryd() as server:
        h = Hosting(server)
        h.model("one", 1)
        h.config("one-config", ("AllTraffic", "one", 1, 1.0))
        begun = time.monotonic()
        arn = h.sm.create_endpoint(EndpointName="My-Endpoint", EndpointConfigName="one-config",
                                   Tags=[{"Key": "team", "Value": "a"}])["EndpointArn"]
        assert arn == "arn:aws:sagemaker:us-east-1:123456789012:endpoint/my-endpoint", arn
        # The SDK looks for the log group at once, without patience.
        assert "events" in server.client("logs").filter_log_events(logGroupName="/aws/sagemaker/Endpoints/My-Endpoint")
        h.sm.get_waiter("endpoint_in_service").wait(EndpointName="My-Endpoint")
        seconds = time.monotonic() - begun
        assert seconds < 3, "CreateEndpoint to InService took %.2f s" % seconds
        print("  CreateEndpoint to InService: %.3f s" % seconds)

        got = h.sm.describe_endpoint(EndpointName="My-Endpoint")
        assert got["EndpointName"] == "My-Endpoint" and got["EndpointConfigName"] == "one-config"
        variant, = got["ProductionVariants"]
        assert variant["VariantName"] == "AllTraffic" and variant["CurrentInstanceCount"] == 1
        assert variant["DeployedImages"][0]["SpecifiedImage"] == IMAGE and variant["CurrentWeight"] == 1.0
        assert "FailureReason" not in got and "PendingDeploymentSummary" not in got and "DataCaptureConfig" not in got
        assert h.sm.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "team", "Value": "a"}]
        assert [e["EndpointName"] for e in h.sm.list_endpoints(StatusEquals="InService")["Endpoints"]] == ["My-Endpoint"]

        value, answer = h.invoke("My-Endpoint", CustomAttributes="x=1")
        assert 0.9 < value < 1.2, value
        assert answer["InvokedProductionVariant"] == "AllTraffic" and answer["ContentType"].startswith("text/csv")
        assert len(answer["ResponseMetadata"]["RequestId"]) == 36
        answer = h.runtime.invoke_endpoint(EndpointName="my-endpoint", Body="0.1,0.1\n0.9,0.9", ContentType="text/csv",
                                           Accept="application/json")
        assert len(json.loads(answer["Body"].read())["predictions"]) == 2
        stream = h.runtime.invoke_endpoint_with_response_stream(EndpointName="My-Endpoint", Body="0.5,0.5",
                                                                ContentType="text/csv")["Body"]
        text = b"".join(part["PayloadPart"]["Bytes"] for part in stream)
        assert 0.9 < float(text) < 1.2, text

        h.sm.delete_endpoint(EndpointName="My-Endpoint")
        h.sm.get_waiter("endpoint_deleted").wait(EndpointName="My-Endpoint")
        message = expect_error("ValidationException", h.sm.describe_endpoint, EndpointName="My-Endpoint")
        assert message == 'Could not find endpoint "%s".' % arn, message
        expect_error("ValidationError", h.invoke, "My-Endpoint")
        wait_until(lambda: not servers_of(server), what="the end of the model server")
        h.sm.delete_endpoint_config(EndpointConfigName="one-config")
        h.sm.delete_model(ModelName="one")
        message = expect_error("ValidationException", h.sm.describe_endpoint_config, EndpointConfigName="one-config")
        assert message.startswith("Could not find endpoint configuration"), message


def test_refusals():
    with Claryd() as server:
        h = Hosting(server)
        h.model("one", 1)
        h.config("config", ("AllTraffic", "one", 1, 1.0))
        message = expect_error("ValidationException", h.model, "one", 1)
        assert message.startswith("Cannot create already existing model"), message
        expect_error("ValidationException", h.config, "config", ("A", "one", 1, 1.0))
        message = expect_error("ValidationException", h.sm.create_endpoint, EndpointName="e", EndpointConfigName="none")
        assert message.startswith("Could not find endpoint configuration"), message
        expect_error("ValidationException", h.sm.create_model, ModelName="foreign", ExecutionRoleArn=ROLE,
                     PrimaryContainer={"Image": "example.com/mine:1"})
        message = expect_error("ValidationError", h.invoke, "nobody")
        assert message == "Endpoint nobody of account 123456789012 not found.", message

        h.endpoint("e", "config")
        expect_error("ValidationException", h.sm.create_endpoint, EndpointName="E", EndpointConfigName="config")
        expect_error("ValidationError", h.invoke, "e", TargetVariant="Other")
        from botocore.exceptions import ClientError
        try:
            h.runtime.invoke_endpoint(EndpointName="e", ContentType="text/csv", Body="a,b,c,d")
            raise AssertionError("a wrong row was taken")
        except ClientError as problem:
            got = problem.response
            assert got["Error"]["Code"] == "ModelError" and got["ResponseMetadata"]["HTTPStatusCode"] == 424, got
            assert got["OriginalStatusCode"] in (400, 415) and got["OriginalMessage"], got
            assert ":log-group:/aws/sagemaker/Endpoints/e" in got["LogStreamArn"], got
        wrong = server.client("sagemaker-runtime", secret="wrong" * 8)
        try:
            wrong.invoke_endpoint(EndpointName="e", Body=b"1,1")
            raise AssertionError("a wrong signature was taken")
        except ClientError as problem:
            assert problem.response["ResponseMetadata"]["HTTPStatusCode"] == 403, problem.response


def test_variants_share_traffic_by_weight():
    with Claryd() as server:
        h = Hosting(server)
        h.model("one", 1)
        h.model("two", 2)
        h.config("ab", ("A", "one", 1, 3.0), ("B", "two", 1, 1.0))
        h.endpoint("ab", "ab")
        n = 400
        share = sum(h.invoke("ab")[0] < 1.5 for _ in range(n)) / n
        assert 0.65 < share < 0.85, share
        assert h.invoke("ab", TargetVariant="B")[0] > 1.5 and h.invoke("ab", TargetVariant="A")[0] < 1.5
        h.sm.update_endpoint_weights_and_capacities(EndpointName="ab", DesiredWeightsAndCapacities=[
            {"VariantName": "A", "DesiredWeight": 0.0}, {"VariantName": "B", "DesiredInstanceCount": 3}])
        h.sm.get_waiter("endpoint_in_service").wait(EndpointName="ab")
        a, b = h.sm.describe_endpoint(EndpointName="ab")["ProductionVariants"]
        assert a["CurrentWeight"] == 0.0 and b["CurrentInstanceCount"] == 3 and b["CurrentWeight"] == 1.0, (a, b)
        assert all(h.invoke("ab")[0] > 1.5 for _ in range(50))
        assert len(servers_of(server)) == 4
        expect_error("ValidationException", h.sm.update_endpoint_weights_and_capacities, EndpointName="ab",
                     DesiredWeightsAndCapacities=[{"VariantName": "C", "DesiredWeight": 1}])
        h.sm.update_endpoint_weights_and_capacities(EndpointName="ab", DesiredWeightsAndCapacities=[
            {"VariantName": "B", "DesiredInstanceCount": 1}])
        h.sm.get_waiter("endpoint_in_service").wait(EndpointName="ab")
        wait_until(lambda: len(servers_of(server)) == 2, what="the end of two servers")
        # Invocations are counted per variant.
        cloudwatch = server.client("cloudwatch")
        now = datetime.datetime.now(datetime.timezone.utc)
        def invocations():
            points = cloudwatch.get_metric_statistics(
                Namespace="AWS/SageMaker", MetricName="Invocations", Period=60, Statistics=["Sum"],
                Dimensions=[{"Name": "EndpointName", "Value": "ab"}, {"Name": "VariantName", "Value": "B"}],
                StartTime=now - datetime.timedelta(minutes=5), EndTime=now + datetime.timedelta(minutes=5))["Datapoints"]
            return sum(point["Sum"] for point in points)
        want = round((1 - share) * n) + 51
        wait_until(lambda: invocations() == want, what="%d invocations of B" % want)


def test_a_pipeline_feeds_container_after_container():
    with Claryd() as server:
        h = Hosting(server)
        for name, value in (("one", 1), ("two", 2)):
            h.s3.put_object(Bucket="models", Key="%s.tar.gz" % name, Body=model_archive(value))
        h.s3.put_object(Bucket="models", Key="double.tar.gz", Body=tar_of(double_dot_py=b"""
def model_fn(folder):
    return 2
def input_fn(body, content_type):
    assert content_type.startswith("text/csv"), content_type
    return [float(x) for x in body.split()]
def predict_fn(data, model):
    return [model * x for x in data]
def output_fn(prediction, accept):
    return "\\n".join(map(str, prediction)), "text/csv"
"""))
        python = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-base-python:1.0"
        double = {"Image": python, "ModelDataUrl": "s3://models/double.tar.gz", "Environment": {"SAGEMAKER_PROGRAM": "double.py"}}
        h.sm.create_model(ModelName="line", ExecutionRoleArn=ROLE, Containers=[
            {"Image": IMAGE, "ModelDataUrl": "s3://models/two.tar.gz"}, double, double])
        h.config("line", ("AllTraffic", "line", 2, 1.0))
        h.sm.create_endpoint(EndpointName="Line", EndpointConfigName="line")
        got = wait_until(lambda: h.state("Line") != "Creating" and h.sm.describe_endpoint(EndpointName="Line"), what="the start")
        if got["EndpointStatus"] == "Failed" and ("cannot confine" in got["FailureReason"] or "python3" in got["FailureReason"]):
            raise Skip(got["FailureReason"])
        assert got["EndpointStatus"] == "InService", got["FailureReason"]
        assert len(got["ProductionVariants"][0]["DeployedImages"]) == 3
        assert got["ProductionVariants"][0]["CurrentInstanceCount"] == 2
        for _ in range(10):
            value, answer = h.invoke("Line")
            assert 7.9 < value < 8.5, value
        for pid in servers_of(server)[:1]:
            os.kill(pid, signal.SIGKILL)
        patient = server.client("sagemaker-runtime", config=None)
        answer = patient.invoke_endpoint(EndpointName="Line", ContentType="text/csv", Body="0.5,0.5")
        assert 7.9 < float(answer["Body"].read().split()[0]) < 8.5
        h.sm.update_endpoint_weights_and_capacities(EndpointName="Line", DesiredWeightsAndCapacities=[
            {"VariantName": "AllTraffic", "DesiredInstanceCount": 1}])
        h.sm.get_waiter("endpoint_in_service").wait(EndpointName="Line")
        assert 7.9 < h.invoke("Line")[0] < 8.5


def test_updates_under_load_lose_nothing():
    with Claryd() as server:
        h = Hosting(server)
        h.model("one", 1)
        h.model("two", 2)
        h.config("c1", ("AllTraffic", "one", 2, 1.0))
        h.config("c2", ("AllTraffic", "two", 1, 1.0))
        h.endpoint("e", "c1")
        with Load(h, "e") as load:
            for config in ("c2", "c1", "c2"):
                h.sm.update_endpoint(EndpointName="e", EndpointConfigName=config)
                h.sm.get_waiter("endpoint_in_service").wait(EndpointName="e")
                assert h.sm.describe_endpoint(EndpointName="e")["EndpointConfigName"] == config
                time.sleep(0.3)
            h.sm.update_endpoint(EndpointName="e", EndpointConfigName="c1", DeploymentConfig={"BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": {"Type": "LINEAR", "WaitIntervalInSeconds": 1,
                                                "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 50}}}})
            h.sm.get_waiter("endpoint_in_service").wait(EndpointName="e")
            time.sleep(0.2)
        assert not load.failures, load.failures[:3]
        assert len(load.values) > 100
        assert min(load.values) < 1.5 < max(load.values)
        assert h.invoke("e")[0] < 1.5
        wait_until(lambda: len(servers_of(server)) == 2, what="the end of the old servers")


def test_a_bad_update_rolls_back():
    with Claryd() as server:
        h = Hosting(server)
        h.model("one", 1)
        h.s3.put_object(Bucket="models", Key="junk.tar.gz", Body=b"this is no archive")
        h.sm.create_model(ModelName="junk", ExecutionRoleArn=ROLE,
                          PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://models/junk.tar.gz"})
        h.config("good", ("AllTraffic", "one", 1, 1.0))
        h.config("bad", ("AllTraffic", "junk", 1, 1.0))
        h.config("lost", ("AllTraffic", "no-such-model", 1, 1.0))
        h.endpoint("e", "good")
        with Load(h, "e", 2) as load:
            for config in ("bad", "lost"):
                h.sm.update_endpoint(EndpointName="e", EndpointConfigName=config)
                h.sm.get_waiter("endpoint_in_service").wait(EndpointName="e")
                got = h.sm.describe_endpoint(EndpointName="e")
                assert got["EndpointConfigName"] == "good" and got["FailureReason"], got
        assert not load.failures, load.failures[:3]
        # The same as a creation fails.
        h.sm.create_endpoint(EndpointName="f", EndpointConfigName="bad")
        got = wait_until(lambda: h.state("f") == "Failed" and h.sm.describe_endpoint(EndpointName="f"), what="Failed")
        assert "archive" in got["FailureReason"], got["FailureReason"]
        h.sm.delete_endpoint(EndpointName="f")
        h.sm.get_waiter("endpoint_deleted").wait(EndpointName="f")


def test_an_alarm_takes_an_update_back():
    with Claryd() as server:
        h = Hosting(server)
        h.model("one", 1)
        h.model("two", 2)
        h.config("c1", ("AllTraffic", "one", 1, 1.0))
        h.config("c2", ("AllTraffic", "two", 1, 1.0))
        h.endpoint("e", "c1")
        cloudwatch = server.client("cloudwatch")
        cloudwatch.put_metric_alarm(AlarmName="bad", Namespace="x", MetricName="y", Period=60, EvaluationPeriods=1,
                                    Threshold=1, ComparisonOperator="GreaterThanThreshold", Statistic="Sum")
        with Load(h, "e", 2) as load:
            h.sm.update_endpoint(EndpointName="e", EndpointConfigName="c2", DeploymentConfig={
                "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": {
                    "Type": "CANARY", "WaitIntervalInSeconds": 600, "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50}}},
                "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": "bad"}]}})
            wait_until(lambda: any(v > 1.5 for v in load.values[-50:]), what="traffic for the canary")
            got = h.sm.describe_endpoint(EndpointName="e")
            assert got["EndpointStatus"] == "Updating" and got["PendingDeploymentSummary"]["EndpointConfigName"] == "c2", got
            cloudwatch.set_alarm_state(AlarmName="bad", StateValue="ALARM", StateReason="test")
            h.sm.get_waiter("endpoint_in_service").wait(EndpointName="e")
            got = h.sm.describe_endpoint(EndpointName="e")
            assert got["EndpointConfigName"] == "c1" and "bad" in got["FailureReason"], got
        assert not load.failures, load.failures[:3]
        assert all(h.invoke("e")[0] < 1.5 for _ in range(20))


def test_dead_model_servers_are_replaced():
    with Claryd() as server:
        h = Hosting(server)
        h.model("one", 1)
        h.config("c", ("AllTraffic", "one", 2, 1.0))
        h.endpoint("e", "c")
        assert len(servers_of(server)) == 2
        with Load(h, "e", 2) as load:
            for _ in range(3):
                victim = random.choice(servers_of(server))
                begun = time.monotonic()
                os.kill(victim, signal.SIGKILL)
                wait_until(lambda: len(set(servers_of(server)) - {victim}) == 2, what="a new server")
                seconds = time.monotonic() - begun
                assert seconds < 1, "replaced after %.2f s" % seconds
                time.sleep(0.3)
        # Only what had been forwarded to the server that died may fail, and says so.
        assert len(load.failures) <= 6 and all("ServiceUnavailable" in f for f in load.failures), load.failures[:3]
        assert h.state("e") == "InService"
        # One server only: requests wait for the next one.
        h.config("c1", ("AllTraffic", "one", 1, 1.0))
        h.endpoint("single", "c1")
        before = set(servers_of(server))
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        # (One that reaches a server in its last moment is refused, and tried again by stock clients.)
        patient = server.client("sagemaker-runtime", config=None)
        answer = patient.invoke_endpoint(EndpointName="single", ContentType="text/csv", Body="0.5,0.5")
        assert 0.9 < float(answer["Body"].read()) < 1.2


def test_endpoints_come_back_after_kill_9_and_after_a_restart():
    home = tempfile.mkdtemp(prefix="clary-home-")
    with Claryd(home=home, ephemeral=False) as server:
        h = Hosting(server)
        h.model("one", 1)
        h.config("c", ("AllTraffic", "one", 1, 1.0))
        h.endpoint("e", "c")
        assert h.invoke("e")[0] < 1.5
    with Claryd(home=home, ephemeral=False) as server:
        h = Hosting(server)
        begun = time.monotonic()
        assert h.state("e") == "InService"
        assert h.invoke("e")[0] < 1.5
        assert time.monotonic() - begun < 1
        before = servers_of(server)
        children = subprocess.run(["pgrep", "-P", str(server.process.pid)], stdout=subprocess.PIPE, text=True).stdout.split()
        inner = [int(c) for c in children if open("/proc/%s/comm" % c).read().strip() == "claryd"]
        if inner:
            os.kill(inner[0], signal.SIGKILL)
            def serves():
                try:
                    return h.invoke("e")[0] < 1.5
                except Exception:  # noqa: it is on its way
                    return False
            begun = time.monotonic()
            wait_until(serves, what="the endpoint's return")
            seconds = time.monotonic() - begun
            assert seconds < 2, "served again after %.2f s" % seconds
            assert servers_of(server) == before, "the model server did not outlive the crash"
    wait_until(lambda: not servers_of(server), what="the end of all servers")


SERVE = """#!/usr/bin/env python3
import http.server, json, os, sys
base = os.environ["SAGEMAKER_BASE_DIR"]
model = json.load(open(base + "/model/model.json"))
print("serving", model["name"], sys.argv[1], flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        self.answer(200, b"")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if body == b"hosts":
            try:
                open(%r).read()
                return self.answer(200, b"I can read the host's files")
            except OSError:
                return self.answer(200, b"no")
        self.answer(200, (model["name"] + os.environ["GREETING"]).encode() + body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["SAGEMAKER_BIND_TO_PORT"])), Handler).serve_forever()
"""


def test_a_program_of_ones_own():
    with Claryd() as server:
        h = Hosting(server)
        h.s3.put_object(Bucket="models", Key="mine.tar.gz", Body=tar_of(model_dot_json=b'{"name": "mine"}'))
        h.s3.put_object(Bucket="models", Key="program/serve", Body=(SERVE % os.path.join(server.folder, "clary.db")).encode())
        h.sm.create_model(ModelName="mine", ExecutionRoleArn=ROLE, PrimaryContainer={
            "Image": "s3://models/program/", "ModelDataUrl": "s3://models/mine.tar.gz", "Environment": {"GREETING": " says "}})
        h.config("c", ("AllTraffic", "mine", 1, 1.0))
        h.sm.create_endpoint(EndpointName="e", EndpointConfigName="c")
        got = wait_until(lambda: h.state("e") != "Creating" and h.sm.describe_endpoint(EndpointName="e"), what="the start")
        if got["EndpointStatus"] == "Failed" and "cannot confine" in got["FailureReason"]:
            raise Skip(got["FailureReason"])
        assert got["EndpointStatus"] == "InService", got["FailureReason"]
        ask = lambda body: h.runtime.invoke_endpoint(EndpointName="e", Body=body)["Body"].read()  # noqa
        assert ask(b"hello") == b"mine says hello"
        assert ask(b"hosts") == b"no"
        logs = server.client("logs")
        wait_until(lambda: any("serving mine serve" in e["message"] for e in logs.filter_log_events(
            logGroupName="/aws/sagemaker/Endpoints/e", logStreamNamePrefix="AllTraffic/")["events"]), what="its log line")


INFERENCE = """
import json, os

def model_fn(folder):
    with open(os.path.join(folder, "slope.json")) as file:
        return json.load(file)

def input_fn(body, content_type):
    if content_type != "application/json":
        raise ValueError("only JSON is understood")
    return json.loads(body)

def predict_fn(data, model):
    return [model["slope"] * x for x in data]

def output_fn(prediction, accept):
    return json.dumps(prediction), "application/json"
"""


def tar_of(**files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name.replace("__", "/").replace("_dot_", "."))
            entry.size = len(text)
            archive.addfile(entry, io.BytesIO(text))
    return packed.getvalue()


def test_an_inference_script():
    with Claryd() as server:
        h = Hosting(server)
        h.s3.put_object(Bucket="models", Key="slope.tar.gz", Body=tar_of(slope_dot_json=b'{"slope": 3}'))
        h.s3.put_object(Bucket="models", Key="code/sourcedir.tar.gz", Body=tar_of(mine_dot_py=INFERENCE.encode()))
        h.s3.put_object(Bucket="models", Key="both.tar.gz", Body=tar_of(slope_dot_json=b'{"slope": 5}',
                                                                        code__mine_dot_py=INFERENCE.encode()))
        image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-base-python:1.0"
        for name, data, directory in (("s3", "slope", "s3://models/code/sourcedir.tar.gz"), ("own", "both", "/opt/ml/model/code")):
            h.sm.create_model(ModelName=name, ExecutionRoleArn=ROLE, PrimaryContainer={
                "Image": image, "ModelDataUrl": "s3://models/%s.tar.gz" % data,
                "Environment": {"SAGEMAKER_PROGRAM": "mine.py", "SAGEMAKER_SUBMIT_DIRECTORY": directory}})
            h.config(name, ("AllTraffic", name, 1, 1.0))
            h.sm.create_endpoint(EndpointName=name, EndpointConfigName=name)
        for name, want in (("s3", [3, 6]), ("own", [5, 10])):
            got = wait_until(lambda: h.state(name) != "Creating" and h.sm.describe_endpoint(EndpointName=name), what="the start")
            if got["EndpointStatus"] == "Failed" and ("cannot confine" in got["FailureReason"] or "python3" in got["FailureReason"]):
                raise Skip(got["FailureReason"])
            assert got["EndpointStatus"] == "InService", got["FailureReason"]
            answer = h.runtime.invoke_endpoint(EndpointName=name, Body="[1, 2]", ContentType="application/json")
            assert json.loads(answer["Body"].read()) == want and answer["ContentType"] == "application/json"
        message = expect_error("ModelError", h.runtime.invoke_endpoint, EndpointName="s3", Body="1", ContentType="text/csv")
        assert "ValueError: only JSON is understood" in message, message
        h.sm.create_model(ModelName="none", ExecutionRoleArn=ROLE, PrimaryContainer={
            "Image": image, "ModelDataUrl": "s3://models/slope.tar.gz", "Environment": {"SAGEMAKER_PROGRAM": "other.py"}})
        h.config("none", ("AllTraffic", "none", 1, 1.0))
        h.sm.create_endpoint(EndpointName="none", EndpointConfigName="none")
        got = wait_until(lambda: h.state("none") == "Failed" and h.sm.describe_endpoint(EndpointName="none"), what="Failed")
        assert "The inference script 'other.py' is not in" in got["FailureReason"], got["FailureReason"]


if __name__ == "__main__":
    main()
