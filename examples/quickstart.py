#!/usr/bin/env python3
"""Upload, train, deploy, ask, clean up: plain boto3, pointed at clary by its environment.

    eval "$(clary env)"
    python3 examples/quickstart.py
"""

import os
import time

import boto3

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "data", "breast-cancer")
begun = last = time.monotonic()


def done(what):
    global last
    now = time.monotonic()
    print("%8.0f ms  %s" % (1000 * (now - last), what))
    last = now


def numbers_only(name):
    """SageMaker's XGBoost wants no header and the label, a number, in the first column."""
    with open(os.path.join(DATA, name)) as file:
        header, *lines = file.read().splitlines()
    label = header.split(",").index("diagnosis")
    rows = []
    for line in lines:
        fields = line.split(",")
        answer = fields.pop(label)
        rows.append(",".join([str(int(answer == "malignant"))] + fields))
    return rows


s3, sagemaker = boto3.client("s3"), boto3.client("sagemaker")
runtime, logs = boto3.client("sagemaker-runtime"), boto3.client("logs")
account = boto3.client("sts").get_caller_identity()["Account"]
region = sagemaker.meta.region_name
role = "arn:aws:iam::%s:role/clary" % account
image = "683313688378.dkr.ecr.%s.amazonaws.com/sagemaker-xgboost:1.7-1" % region
name, bucket = "tumors-%d" % int(time.time()), "sagemaker-%s-%s" % (region, account)
done("connected as account %s" % account)

s3.create_bucket(Bucket=bucket)
for channel in ("train", "validation"):
    s3.put_object(Bucket=bucket, Key="tumors/%s/data.csv" % channel, Body="\n".join(numbers_only(channel + ".csv")))
done("uploaded two files to s3://%s/tumors/" % bucket)


def channel(which):
    return {"ChannelName": which, "ContentType": "text/csv", "DataSource": {"S3DataSource": {
        "S3DataType": "S3Prefix", "S3Uri": "s3://%s/tumors/%s/" % (bucket, which)}}}


sagemaker.create_training_job(
    TrainingJobName=name, RoleArn=role,
    AlgorithmSpecification={"TrainingImage": image, "TrainingInputMode": "File"},
    HyperParameters={"objective": "binary:logistic", "eval_metric": "auc", "num_round": "100"},
    InputDataConfig=[channel("train"), channel("validation")],
    OutputDataConfig={"S3OutputPath": "s3://%s/tumors/output" % bucket},
    ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
    StoppingCondition={"MaxRuntimeInSeconds": 600})
sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName=name)
job = sagemaker.describe_training_job(TrainingJobName=name)
assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
done("trained: " + ", ".join("%s %.4f" % (m["MetricName"], m["Value"]) for m in job["FinalMetricDataList"]))

group = "/aws/sagemaker/TrainingJobs"
stream = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"][0]["logStreamName"]
lines = logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
done("read its log: %d lines, the last one: %s" % (len(lines), lines[-1]["message"].strip()))

sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer={
    "Image": image, "ModelDataUrl": job["ModelArtifacts"]["S3ModelArtifacts"]})
sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[{
    "VariantName": "AllTraffic", "ModelName": name, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}])
sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
sagemaker.get_waiter("endpoint_in_service").wait(EndpointName=name)
done("deployed: the endpoint is in service")

tests = [row.split(",", 1) for row in numbers_only("test.csv")]
answer = runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body="\n".join(row for _, row in tests))
scores = [float(x) for x in answer["Body"].read().decode().replace("\n", ",").split(",") if x.strip()]
right = sum((score > 0.5) == (label == "1") for (label, _), score in zip(tests, scores))
done("asked about %d new patients: %d answers are right" % (len(tests), right))

begin = time.monotonic()
for _ in range(200):
    runtime.invoke_endpoint(EndpointName=name, ContentType="text/csv", Body=tests[0][1])["Body"].read()
done("asked 200 times for one patient: %.2f ms each, client included" % (1000 * (time.monotonic() - begin) / 200))

sagemaker.delete_endpoint(EndpointName=name)
sagemaker.get_waiter("endpoint_deleted").wait(EndpointName=name)
sagemaker.delete_endpoint_config(EndpointConfigName=name)
sagemaker.delete_model(ModelName=name)
objects = s3.list_objects_v2(Bucket=bucket, Prefix="tumors/")["Contents"]
s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": each["Key"]} for each in objects]})
s3.delete_bucket(Bucket=bucket)
done("cleaned up: endpoint, configuration, model, %d objects, bucket" % len(objects))
print("%8.0f ms  in all" % (1000 * (time.monotonic() - begun)))
