#!/usr/bin/env python3
"""Every operation that claryd serves, many times, with random requests that botocore's models allow: whatever comes
back is an answer that botocore understands or an error of AWS, never a failure of the server.

Names and ARNs come from a small stock, so that many requests meet what others have made."""

import collections
import io
import json
import os
import re
import subprocess
import sys
import time

from _claryd import Claryd, Skip, main, program

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "wire"))

ROUNDS = 24 if os.environ.get("CLARY_LONG") else 3
# What would wait for the client, or stop the server on purpose.
LEFT_OUT = {"StartLiveTail", "InvokeEndpointWithResponseStream"}
NAMES = ["thing-1", "thing-2", "another-one"]
POLICY = json.dumps({"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}]})
# What a random value makes wrong for sure, and what this botocore cannot send.
UNSET = re.compile("Checksum|ContentMD5|ContentLength|SSECustomer|CopySourceSSE|^Expected|^MFA$|^IfMatch|EncryptionContext")


def stocked(values, arns):
    """value_of of the generator, with names and ARNs from the stock."""
    plain_text = values.text_of

    def text_of(shape, where):
        pattern = shape.metadata.get("pattern")
        choices = []
        if re.search("(?i)policydocument", shape.name):
            choices = [POLICY]
        elif re.search("(?i)(name|bucket|id|identifier)(type)?$", shape.name) and not shape.enum:
            choices = NAMES
        elif re.search("(?i)arn(type)?$", shape.name):
            choices = arns
        elif shape.name == "ObjectKey":
            choices = ["key", "folder/key", "folder/é +key"]
        if choices and values.draw.random() < .8:
            text = values.draw.choice(choices)
            low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 1 << 20)
            try:
                if low <= len(text) <= high and (not pattern or re.fullmatch(pattern, text)):
                    return text
            except re.error:
                pass
        return plain_text(shape, where)
    return text_of


def gather(value, arns):
    if isinstance(value, dict):
        for inner in value.values():
            gather(inner, arns)
    elif isinstance(value, list):
        for inner in value:
            gather(inner, arns)
    elif isinstance(value, str) and value.startswith("arn:") and len(arns) < 200:
        arns.append(value)


def make_stock(server):
    """A thing-1 of the most important kinds, where it is not there any more."""
    from botocore.exceptions import ClientError
    s3, iam, logs, sagemaker = (server.client(name) for name in ("s3", "iam", "logs", "sagemaker"))
    trust = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}]})
    role = "arn:aws:iam::123456789012:role/thing-1"
    for make, params in [
            (s3.create_bucket, {"Bucket": "thing-1"}),
            (s3.put_object, {"Bucket": "thing-1", "Key": "key", "Body": b"1,2\n"}),
            (s3.put_object, {"Bucket": "thing-1", "Key": "folder/key", "Body": b"3,4\n"}),
            (iam.create_role, {"RoleName": "thing-1", "AssumeRolePolicyDocument": trust}),
            (iam.create_user, {"UserName": "thing-1"}),
            (logs.create_log_group, {"logGroupName": "thing-1"}),
            (logs.create_log_stream, {"logGroupName": "thing-1", "logStreamName": "thing-1"}),
            (sagemaker.create_model, {"ModelName": "thing-1", "ExecutionRoleArn": role, "PrimaryContainer": {
                "Image": "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1",
                "ModelDataUrl": "s3://thing-1/key"}}),
            (sagemaker.create_endpoint_config, {"EndpointConfigName": "thing-1", "ProductionVariants": [{
                "VariantName": "thing-1", "ModelName": "thing-1", "InitialInstanceCount": 1,
                "InstanceType": "ml.m5.large"}]})]:
        try:
            make(**params)
        except ClientError:
            pass


def test_every_operation_with_random_requests():
    import _values as values
    try:
        import botocore
        import botocore.exceptions
        from botocore.config import Config
    except ImportError as missing:
        raise Skip("boto3 is not installed") from missing
    arns = ["arn:aws:iam::123456789012:role/thing-1"]
    values.text_of = stocked(values, arns)
    described = json.loads(subprocess.run([program("claryd"), "--describe-api"], capture_output=True, check=True).stdout)
    counts = collections.Counter()
    wrong, done, refusals = [], set(), {}
    with Claryd() as server:
        for _ in range(ROUNDS):
            make_stock(server)
            for service in described["services"]:
                client = server.client(service["name"], config=Config(
                    parameter_validation=False, retries={"max_attempts": 0}, read_timeout=30))
                rows = [row["name"] for row in service["operations"]]
                values.draw.shuffle(rows)
                for name in rows:
                    method = getattr(client, botocore.xform_name(name), None)
                    if name in LEFT_OUT or method is None:
                        continue
                    shape = client.meta.service_model.operation_model(name).input_shape
                    try:
                        params = values.value_of(shape) if shape else {}
                    except values.Impossible:
                        continue
                    params = {k: v for k, v in params.items() if service["name"] != "s3" or not UNSET.search(k)}
                    what = "%s.%s" % (service["name"], name)
                    begun = time.monotonic()
                    try:
                        answer = method(**params)
                        gather(answer, arns)
                        body = answer.get("Body")
                        if hasattr(body, "read"):
                            body.read()
                        counts["done"] += 1
                        done.add(what)
                    except botocore.exceptions.ClientError as error:
                        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                        counts["refused"] += 1
                        refusals.setdefault(what, str(error))
                        if status >= 500 and status not in (501, 503):
                            wrong.append("%s: %d %s\n    %r" % (what, status, error, params))
                    except (botocore.exceptions.ParamValidationError, botocore.exceptions.UnsupportedS3ArnError,
                            botocore.exceptions.InvalidRegionError, ValueError):
                        counts["unsent"] += 1
                    except Exception as error:  # noqa: an answer that cannot be read, a connection that ends
                        wrong.append("%s: %s: %s\n    %r" % (what, type(error).__name__, error, params))
                    seconds = time.monotonic() - begun
                    if seconds > 3:
                        print("slow: %s (%.1f s)" % (what, seconds))
        assert server.process.poll() is None, "claryd ended"
    print("%d done, %d refused, %d that botocore did not send" % (counts["done"], counts["refused"], counts["unsent"]))
    assert counts["done"] > 50
    if os.environ.get("CLARY_LONG"):  # worth a look now and then
        for what in sorted(set(refusals) - done):
            print("never done: %s: %s" % (what, refusals[what][:160]))
    assert not wrong, "\n".join(item[:600] for item in wrong[:12]) + "\n%d in all" % len(wrong)


main()
