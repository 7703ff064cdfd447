// AWS's JavaScript SDK v3 against claryd, pointed there by AWS_ENDPOINT_URL alone.  Run by sdk_js.py.
import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { readFileSync } from "node:fs";
import * as s3 from "@aws-sdk/client-s3";
import * as sts from "@aws-sdk/client-sts";
import * as logs from "@aws-sdk/client-cloudwatch-logs";
import * as cloudwatch from "@aws-sdk/client-cloudwatch";
import * as sagemaker from "@aws-sdk/client-sagemaker";
import * as runtime from "@aws-sdk/client-sagemaker-runtime";
import { Upload } from "@aws-sdk/lib-storage";

const stories = {
  async caller() {
    const who = await new sts.STSClient().send(new sts.GetCallerIdentityCommand());
    assert.equal(who.Account, "123456789012");
  },

  async objects() {
    const client = new s3.S3Client();
    const Bucket = "js-bucket";
    await client.send(new s3.CreateBucketCommand({ Bucket }));
    const Body = Buffer.alloc(300000, "abc");
    const put = await client.send(new s3.PutObjectCommand({ Bucket, Key: "a b/ü.bin", Body, Metadata: { one: "1" } }));
    assert.ok(put.ETag && put.ChecksumCRC32);
    const got = await client.send(new s3.GetObjectCommand({ Bucket, Key: "a b/ü.bin" }));
    assert.deepEqual(Buffer.from(await got.Body.transformToByteArray()), Body);
    assert.equal(got.Metadata.one, "1");
    const big = Buffer.alloc(11 * 1024 * 1024, "0123456789");
    const upload = new Upload({ client, params: { Bucket, Key: "big", Body: Readable.from([big.subarray(0, 1 << 20), big.subarray(1 << 20)]) } });
    await upload.done();
    const head = await client.send(new s3.HeadObjectCommand({ Bucket, Key: "big" }));
    assert.equal(head.ContentLength, big.length);
    const part = await client.send(new s3.GetObjectCommand({ Bucket, Key: "big", Range: "bytes=5-14" }));
    assert.equal(await part.Body.transformToString(), "5678901234");
    const list = await client.send(new s3.ListObjectsV2Command({ Bucket }));
    assert.deepEqual(list.Contents.map((o) => o.Key), ["a b/ü.bin", "big"]);
    await assert.rejects(client.send(new s3.GetObjectCommand({ Bucket, Key: "none" })), { name: "NoSuchKey" });
    await assert.rejects(client.send(new s3.HeadObjectCommand({ Bucket, Key: "none" })), { name: "NotFound" });
    await client.send(new s3.DeleteObjectsCommand({ Bucket, Delete: { Objects: list.Contents.map(({ Key }) => ({ Key })) } }));
    await client.send(new s3.DeleteBucketCommand({ Bucket }));
  },

  async logsAndMetrics() {
    const client = new logs.CloudWatchLogsClient();
    const where = { logGroupName: "/js", logStreamName: "s" };
    await client.send(new logs.CreateLogGroupCommand({ logGroupName: "/js" }));
    await client.send(new logs.CreateLogStreamCommand(where));
    await client.send(new logs.PutLogEventsCommand({ ...where, logEvents: [{ timestamp: Date.now(), message: "hello" }] }));
    const read = await client.send(new logs.GetLogEventsCommand({ ...where, startFromHead: true }));
    assert.deepEqual(read.events.map((e) => e.message), ["hello"]);
    const metrics = new cloudwatch.CloudWatchClient();
    const Timestamp = new Date(Date.now() - 60000);
    await metrics.send(new cloudwatch.PutMetricDataCommand({ Namespace: "Js", MetricData: [{ MetricName: "m", Value: 3.5, Timestamp }] }));
    const answer = await metrics.send(new cloudwatch.GetMetricStatisticsCommand({
      Namespace: "Js", MetricName: "m", Period: 60, Statistics: ["Sum"],
      StartTime: new Date(Date.now() - 600000), EndTime: new Date() }));
    assert.equal(answer.Datapoints[0].Sum, 3.5);
  },

  async trainAndAsk() {
    const data = process.env.STORY_DATA;
    const storage = new s3.S3Client();
    const client = new sagemaker.SageMakerClient();
    const Bucket = "js-training", name = "js-job";
    const rows = readFileSync(data, "utf8").trim().split("\n").slice(1)
      .map((line) => line.replace(/^malignant/, "1").replace(/^benign/, "0"));
    await storage.send(new s3.CreateBucketCommand({ Bucket }));
    await storage.send(new s3.PutObjectCommand({ Bucket, Key: "train/data.csv", Body: rows.join("\n") }));
    const RoleArn = "arn:aws:iam::123456789012:role/clary";
    const Image = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1";
    await client.send(new sagemaker.CreateTrainingJobCommand({
      TrainingJobName: name, RoleArn, AlgorithmSpecification: { TrainingImage: Image, TrainingInputMode: "File" },
      HyperParameters: { objective: "binary:logistic", num_round: "20" },
      InputDataConfig: [{ ChannelName: "train", ContentType: "text/csv",
        DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: `s3://${Bucket}/train/` } } }],
      OutputDataConfig: { S3OutputPath: `s3://${Bucket}/output` },
      ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 5 },
      StoppingCondition: { MaxRuntimeInSeconds: 300 } }));
    await sagemaker.waitUntilTrainingJobCompletedOrStopped({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { TrainingJobName: name });
    const job = await client.send(new sagemaker.DescribeTrainingJobCommand({ TrainingJobName: name }));
    assert.equal(job.TrainingJobStatus, "Completed", job.FailureReason);
    await client.send(new sagemaker.CreateModelCommand({ ModelName: name, ExecutionRoleArn: RoleArn,
      PrimaryContainer: { Image, ModelDataUrl: job.ModelArtifacts.S3ModelArtifacts } }));
    await client.send(new sagemaker.CreateEndpointConfigCommand({ EndpointConfigName: name, ProductionVariants: [
      { VariantName: "all", ModelName: name, InitialInstanceCount: 1, InstanceType: "ml.m5.large" }] }));
    await client.send(new sagemaker.CreateEndpointCommand({ EndpointName: name, EndpointConfigName: name }));
    await sagemaker.waitUntilEndpointInService({ client, maxWaitTime: 60, minDelay: 1, maxDelay: 1 }, { EndpointName: name });
    const answer = await new runtime.SageMakerRuntimeClient().send(new runtime.InvokeEndpointCommand({
      EndpointName: name, ContentType: "text/csv", Body: rows.slice(0, 5).map((row) => row.slice(2)).join("\n") }));
    const scores = Buffer.from(answer.Body).toString().trim().split(/[\n,]/).map(Number);
    assert.equal(scores.length, 5);
    assert.equal(answer.InvokedProductionVariant, "all");
    await client.send(new sagemaker.DeleteEndpointCommand({ EndpointName: name }));
  },
};

const story = stories[process.argv[2]];
await story();
