"""Each operation that is served, asked by a stranger, with a wrong secret, and by a user without permissions: refused, with
no effect, and the refusal is in the audit trail (duty T6 of the threat model)."""

import json

from _claryd import Claryd, main

# What everybody with credentials may ask, and S3's names that are no names.
FREE = {("sts", "GetCallerIdentity"), ("sts", "GetAccessKeyInfo"), ("sts", "GetSessionToken")}
SERVICES = ["iam", "sts", "cloudtrail", "s3", "sagemaker", "sagemaker-runtime", "logs", "cloudwatch"]
SAMPLES = {"Bucket": "some-bucket", "Key": "k", "CopySource": "some-bucket/k", "UploadId": "u", "RoleArn": "arn:aws:iam::123456789012:role/clary",
           "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess", "PolicySourceArn": "arn:aws:iam::123456789012:role/clary"}


def sample(shape, name, depth=0):
    """The least that the model takes."""
    if name in SAMPLES and shape.type_name == "string":
        return SAMPLES[name]
    if shape.type_name == "structure":
        return {m: sample(s, m, depth + 1) for m, s in shape.members.items() if m in shape.required_members} if depth < 8 else {}
    if shape.type_name == "list":
        return [sample(shape.member, name, depth + 1)] * max(1, shape.metadata.get("min", 1))
    if shape.type_name == "map":
        return {}
    if shape.type_name in ("integer", "long", "float", "double"):
        return max(1, shape.metadata.get("min", 1))
    if shape.type_name == "boolean":
        return True
    if shape.type_name == "timestamp":
        return 1700000000
    if shape.type_name == "blob":
        return b"x"
    if getattr(shape, "enum", None):
        return shape.enum[0]
    if "arn" in name.lower():
        return "arn:aws:sagemaker:us-east-1:123456789012:model/some-name"
    return ("some-name-of-a-thing" * 3)[:max(9, shape.metadata.get("min", 0))]


def served(server):
    """What doc/api.md calls served is what does not answer 501 to the first key; asked of a server that dies afterwards."""
    for service in SERVICES:
        client = server.client(service)
        for name in client.meta.service_model.operation_names:
            operation = client.meta.service_model.operation_model(name)
            if service == "s3" and name in ("WriteGetObjectResponse", "SelectObjectContent", "CreateSession", "ListDirectoryBuckets"):
                continue
            if operation.has_event_stream_input or (operation.endpoint and operation.endpoint.get("hostPrefix")):
                continue  # other hosts
            yield service, name, operation


def ask(client, operation, name):
    from botocore import xform_name
    from botocore.exceptions import ClientError, ParamValidationError
    arguments = sample(operation.input_shape, name) if operation.input_shape else {}
    try:
        getattr(client, xform_name(name))(**arguments)
    except ClientError as problem:
        return problem.response["Error"]["Code"], problem.response["ResponseMetadata"]["HTTPStatusCode"]
    except (ParamValidationError, ValueError) as problem:
        return "Client: %s" % problem, 0
    return None, 200


def test_nobody_gets_through():
    from botocore import UNSIGNED
    from botocore.config import Config
    with Claryd() as server:
        iam = server.client("iam")
        iam.create_user(UserName="weak")
        key = iam.create_access_key(UserName="weak")["AccessKey"]
        weak = {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}
        counts = {"weak": 0, "refused": 0, "wrong": 0, "stranger": 0}
        clients, problems = {}, []
        for service, name, operation in served(server):
            if service not in clients:
                clients[service] = (server.client(service, **weak), server.client(service, secret="wrong"),
                                    server.client(service, config=Config(signature_version=UNSIGNED, retries={"max_attempts": 0})))
            by_weak, by_wrong, by_nobody = clients[service]
            code, status = ask(by_weak, operation, name)
            if status == 501 or code in ("UnknownOperationException", "MethodNotAllowed") or (code or "").startswith("Client: "):
                continue  # not served, or its sample is none
            counts["weak"] += 1
            if (service, name) in FREE:
                continue
            # Head has no body to name the code: 403.
            if code in ("AccessDenied", "AccessDeniedException", "403"):
                counts["refused"] += 1
            elif code is None:
                problems.append("%s %s: a user without permissions is served" % (service, name))
            code, status = ask(by_wrong, operation, name)
            counts["wrong"] += 1
            if code not in ("SignatureDoesNotMatch", "InvalidSignatureException", "403"):
                problems.append("%s %s: a wrong secret: %s" % (service, name, code))
            code, status = ask(by_nobody, operation, name)
            counts["stranger"] += 1
            if code is None:
                problems.append("%s %s: a stranger is served" % (service, name))
        print(counts)
        assert not problems, "\n".join(problems)
        assert counts["weak"] > 150 and counts["refused"] > 0.8 * counts["weak"], counts
        # No effect: only what the test itself made is there.
        assert [u["UserName"] for u in iam.list_users()["Users"]] == ["weak"]
        assert [r["RoleName"] for r in iam.list_roles()["Roles"]] == ["clary"]
        assert iam.list_policies(Scope="Local")["Policies"] == []
        assert server.client("s3").list_buckets()["Buckets"] == []
        assert server.client("sagemaker").list_models()["Models"] == []
        assert server.client("logs").describe_log_groups()["logGroups"] == []
        trail = server.client("cloudtrail")
        events = [e for p in trail.get_paginator("lookup_events").paginate(LookupAttributes=[
            {"AttributeKey": "Username", "AttributeValue": "weak"}]) for e in p["Events"]]
        codes = {json.loads(e["CloudTrailEvent"]).get("errorCode") for e in events}
        assert len(events) > 100 and "AccessDenied" in codes and "AccessDeniedException" in codes, (len(events), codes)


if __name__ == "__main__":
    main()
