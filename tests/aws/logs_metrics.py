"""CloudWatch Logs and metrics: what jobs and people write can be read, searched and counted."""

import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

from _claryd import BUILD, Claryd, Skip, expect_error, main

NOW = datetime.datetime.now(datetime.timezone.utc)


def test_a_log_is_written_followed_and_searched():
    with Claryd() as server:
        logs = server.client("logs")
        logs.create_log_group(logGroupName="/app", tags={"team": "a"})
        logs.create_log_stream(logGroupName="/app", logStreamName="one/1")
        ms = int(time.time() * 1000)
        logs.put_log_events(logGroupName="/app", logStreamName="one/1",
                            logEvents=[{"timestamp": ms + i, "message": "line %d %s" % (i, "ERROR" if i % 3 == 0 else "ok")}
                                       for i in range(10)])
        page = logs.get_log_events(logGroupName="/app", logStreamName="one/1", startFromHead=True, limit=4)
        assert [e["message"][:6] for e in page["events"]] == ["line 0", "line 1", "line 2", "line 3"]
        page = logs.get_log_events(logGroupName="/app", logStreamName="one/1", nextToken=page["nextForwardToken"])
        assert len(page["events"]) == 6
        again = logs.get_log_events(logGroupName="/app", logStreamName="one/1", nextToken=page["nextForwardToken"])
        assert not again["events"] and again["nextForwardToken"] == page["nextForwardToken"]
        logs.put_log_events(logGroupName="/app", logStreamName="one/1", logEvents=[{"timestamp": ms + 20, "message": "late"}])
        again = logs.get_log_events(logGroupName="/app", logStreamName="one/1", nextToken=page["nextForwardToken"])
        assert [e["message"] for e in again["events"]] == ["late"]
        found = logs.filter_log_events(logGroupName="/app", filterPattern="ERROR", logStreamNamePrefix="one/")
        assert len(found["events"]) == 4 and "nextToken" not in found
        streams = logs.describe_log_streams(logGroupName="/app", orderBy="LogStreamName", limit=1)
        assert streams["logStreams"][0]["lastEventTimestamp"] == ms + 20 and "nextToken" not in streams
        assert logs.list_tags_log_group(logGroupName="/app")["tags"] == {"team": "a"}
        logs.put_retention_policy(logGroupName="/app", retentionInDays=7)
        assert logs.describe_log_groups(logGroupNamePrefix="/a")["logGroups"][0]["retentionInDays"] == 7
        paginator = logs.get_paginator("filter_log_events")
        assert sum(len(p["events"]) for p in paginator.paginate(logGroupName="/app", PaginationConfig={"PageSize": 3})) == 11
        logs.delete_log_group(logGroupName="/app")
        expect_error("ResourceNotFoundException", logs.describe_log_streams, logGroupName="/app")


def test_log_refusals():
    with Claryd() as server:
        logs = server.client("logs")
        expect_error("ResourceNotFoundException", logs.create_log_stream, logGroupName="/none", logStreamName="s")
        logs.create_log_group(logGroupName="/g")
        expect_error("ResourceAlreadyExistsException", logs.create_log_group, logGroupName="/g")
        logs.create_log_stream(logGroupName="/g", logStreamName="s")
        expect_error("ResourceAlreadyExistsException", logs.create_log_stream, logGroupName="/g", logStreamName="s")
        ms = int(time.time() * 1000)
        expect_error("InvalidParameterException", logs.put_log_events, logGroupName="/g", logStreamName="s",
                     logEvents=[{"timestamp": ms, "message": "b"}, {"timestamp": ms - 1, "message": "a"}])
        answer = logs.put_log_events(logGroupName="/g", logStreamName="s",
                                     logEvents=[{"timestamp": ms - 15 * 86400000 + i, "message": "old"} for i in range(3)])
        assert answer["rejectedLogEventsInfo"]["tooOldLogEventEndIndex"] == 3
        expect_error("InvalidParameterException", logs.put_retention_policy, logGroupName="/g", retentionInDays=8)
        expect_error("InvalidParameterException", logs.filter_log_events, logGroupName="/g", filterPattern="[a, b]")


def put_and_read(metrics):
    dimensions = [{"Name": "Host", "Value": "a"}]
    start = NOW - datetime.timedelta(minutes=10)
    metrics.put_metric_data(Namespace="App", MetricData=[
        {"MetricName": "Latency", "Dimensions": dimensions, "Timestamp": start + datetime.timedelta(seconds=i), "Value": float(i),
         "Unit": "Milliseconds"} for i in range(120)])
    metrics.put_metric_data(Namespace="App", MetricData=[
        {"MetricName": "Count", "Timestamp": start, "Values": [1.0, 3.0], "Counts": [2.0, 1.0]}])
    answer = metrics.get_metric_statistics(Namespace="App", MetricName="Latency", Dimensions=dimensions, Period=300,
                                           StartTime=start - datetime.timedelta(minutes=1), EndTime=NOW,
                                           Statistics=["Average", "Maximum", "SampleCount"], ExtendedStatistics=["p90"])
    assert sum(p["SampleCount"] for p in answer["Datapoints"]) == 120, answer
    assert max(p["Maximum"] for p in answer["Datapoints"]) == 119
    assert answer["Datapoints"][0]["Unit"] == "Milliseconds"
    answer = metrics.get_metric_data(
        StartTime=start - datetime.timedelta(minutes=1), EndTime=NOW, ScanBy="TimestampAscending",
        MetricDataQueries=[
            {"Id": "m", "MetricStat": {"Metric": {"Namespace": "App", "MetricName": "Latency", "Dimensions": dimensions},
                                       "Period": 60, "Stat": "Sum"}, "ReturnData": False},
            {"Id": "e", "Expression": "m / 2", "Label": "half"}])
    (result,) = answer["MetricDataResults"]
    assert result["Label"] == "half" and sum(result["Values"]) == sum(range(120)) / 2, result
    assert result["Timestamps"] == sorted(result["Timestamps"])
    names = {m["MetricName"] for m in metrics.list_metrics(Namespace="App")["Metrics"]}
    assert names == {"Latency", "Count"}


def test_metrics_by_json():
    with Claryd() as server:
        put_and_read(server.client("cloudwatch"))


def protocol_client(server, protocol):
    """boto3 speaks the first protocol that its model lists: give it a model with only one."""
    try:
        import botocore
    except ImportError as problem:
        raise Skip("boto3 is not installed") from problem
    import gzip
    source = os.path.join(os.path.dirname(botocore.__file__), "data", "cloudwatch", "2010-08-01")
    folder = tempfile.mkdtemp()
    target = os.path.join(folder, "cloudwatch", "2010-08-01")
    os.makedirs(target)
    for name in os.listdir(source):
        opener = gzip.open if name.endswith(".gz") else open
        with opener(os.path.join(source, name), "rt") as file:
            text = file.read()
        if name.startswith("service-2"):
            model = json.loads(text)
            model["metadata"]["protocols"] = [protocol]
            model["metadata"]["protocol"] = protocol
            text = json.dumps(model)
        with open(os.path.join(target, name.replace(".gz", "")), "w") as file:
            file.write(text)
    import boto3.session
    session = boto3.session.Session(aws_access_key_id="AKIACLARYTESTS000000",
                                    aws_secret_access_key="secret/for+tests/only00000000000000000000", region_name="us-east-1")
    loader = session._loader
    loader.search_paths.insert(0, folder)
    client = session.client("cloudwatch", endpoint_url=server.url)
    client._test_folder = folder
    assert client.meta.service_model.metadata["protocol"] == protocol
    return client


def test_metrics_by_query():
    with Claryd() as server:
        client = protocol_client(server, "query")
        put_and_read(client)
        shutil.rmtree(client._test_folder)


def test_metrics_by_cbor():
    with Claryd() as server:
        client = protocol_client(server, "smithy-rpc-v2-cbor")
        put_and_read(client)
        shutil.rmtree(client._test_folder)


def test_alarms():
    with Claryd() as server:
        metrics = server.client("cloudwatch")
        metrics.put_metric_alarm(AlarmName="hot", Namespace="App", MetricName="T", Statistic="Average", Period=10, EvaluationPeriods=1,
                                 Threshold=5.0, ComparisonOperator="GreaterThanThreshold", Tags=[{"Key": "a", "Value": "b"}])
        (alarm,) = metrics.describe_alarms(AlarmNames=["hot"])["MetricAlarms"]
        assert alarm["StateValue"] == "INSUFFICIENT_DATA"
        assert metrics.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"] == [{"Key": "a", "Value": "b"}]
        metrics.set_alarm_state(AlarmName="hot", StateValue="ALARM", StateReason="a test")
        assert metrics.describe_alarms(StateValue="ALARM")["MetricAlarms"][0]["StateReason"] == "a test"
        metrics.delete_alarms(AlarmNames=["hot"])
        assert not metrics.describe_alarms()["MetricAlarms"]
        expect_error("ResourceNotFound", metrics.delete_alarms, AlarmNames=["hot"])


def test_the_cli_reads_what_the_sdk_wrote():
    aws = shutil.which("aws")
    beside = os.path.join(os.path.dirname(sys.executable), "aws")
    aws = beside if os.path.exists(beside) else aws
    if not aws:
        raise Skip("no AWS CLI")
    with Claryd() as server:
        server.client("logs").create_log_group(logGroupName="/app")
        out = subprocess.run([aws, "logs", "describe-log-groups", "--query", "logGroups[].logGroupName", "--output", "text"],
                             env=server.environment(), capture_output=True, text=True, timeout=60)
        assert out.stdout.strip() == "/app", out


if __name__ == "__main__":
    main()
