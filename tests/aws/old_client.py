"""Debian 12's boto3 (1.26), which is older than AWS_ENDPOINT_URL and default checksums: by endpoint_url."""

import os
import subprocess

from _claryd import ACCESS_KEY, BUILD, SECRET_KEY, Claryd, Skip, main

PROGRAM = r'''
import os, sys, time
import boto3
from botocore.exceptions import ClientError
url = sys.argv[1]
client = lambda name: boto3.client(name, endpoint_url=url, region_name="us-east-1")
s3, logs, cloudwatch, sm = client("s3"), client("logs"), client("cloudwatch"), client("sagemaker")
assert client("sts").get_caller_identity()["Account"] == "123456789012"
s3.create_bucket(Bucket="old-bucket")
s3.put_object(Bucket="old-bucket", Key="a", Body=b"x" * 100000, Metadata={"one": "1"})
got = s3.get_object(Bucket="old-bucket", Key="a", Range="bytes=5-9")
assert got["Body"].read() == b"xxxxx" and got["Metadata"] == {"one": "1"}
with open("/dev/shm/old-client-%d" % os.getpid(), "wb") as file:
    file.write(os.urandom(9 << 20))
s3.upload_file(file.name, "old-bucket", "big")
s3.download_file("old-bucket", "big", file.name + ".back")
assert open(file.name, "rb").read() == open(file.name + ".back", "rb").read()
os.unlink(file.name), os.unlink(file.name + ".back")
assert [o["Key"] for o in s3.list_objects_v2(Bucket="old-bucket")["Contents"]] == ["a", "big"]
signed = s3.generate_presigned_url("get_object", Params={"Bucket": "old-bucket", "Key": "a"})
import urllib.request
assert len(urllib.request.urlopen(signed).read()) == 100000
try:
    s3.get_object(Bucket="old-bucket", Key="none")
    raise AssertionError("no error")
except ClientError as problem:
    assert problem.response["Error"]["Code"] == "NoSuchKey"
s3.delete_objects(Bucket="old-bucket", Delete={"Objects": [{"Key": "a"}, {"Key": "big"}]})
logs.create_log_group(logGroupName="/old")
assert logs.describe_log_groups()["logGroups"][0]["logGroupName"] == "/old"
cloudwatch.put_metric_data(Namespace="Old", MetricData=[{"MetricName": "m", "Value": 1.5}])
assert cloudwatch.list_metrics(Namespace="Old")["Metrics"][0]["MetricName"] == "m"
assert sm.list_training_jobs()["TrainingJobSummaries"] == []
print(boto3.__version__)
'''


def test_the_oldest_client():
    python = os.path.join(BUILD, "venv-old", "bin", "python")
    if not os.path.exists(python):
        raise Skip("the old boto3 is not installed")
    with Claryd() as server:
        env = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        env.update(AWS_ACCESS_KEY_ID=ACCESS_KEY, AWS_SECRET_ACCESS_KEY=SECRET_KEY)
        done = subprocess.run([python, "-W", "ignore", "-c", PROGRAM, server.url], env=env, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stdout.startswith("1.26"), done


if __name__ == "__main__":
    main()
