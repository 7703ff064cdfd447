"""Users, roles, keys, policies, temporary credentials, and the audit trail, as boto3 uses them."""

import json
import os
import stat
import tempfile
import time

from _claryd import ACCESS_KEY, Claryd, expect_error, main

ACCOUNT = "123456789012"
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def document(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action, resource="*", **more):
    return dict({"Effect": "Allow", "Action": action, "Resource": resource}, **more)


def trust(principal, action="sts:AssumeRole", **more):
    return document(dict({"Effect": "Allow", "Principal": principal, "Action": action}, **more))


def new_user(iam, name, *policies):
    iam.create_user(UserName=name)
    for i, policy in enumerate(policies):
        iam.put_user_policy(UserName=name, PolicyName="p%d" % i, PolicyDocument=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"key": key["AccessKeyId"], "secret": key["SecretAccessKey"]}


def of(credentials):
    return {"key": credentials["AccessKeyId"], "secret": credentials["SecretAccessKey"], "token": credentials["SessionToken"]}


def test_the_first_key_is_an_execution_role():
    with Claryd() as server:
        identity = server.client("sts").get_caller_identity()
        assert identity["Arn"] == "arn:aws:sts::%s:assumed-role/clary/clary" % ACCOUNT, identity
        assert identity["Account"] == ACCOUNT
        role = server.client("iam").get_role(RoleName="clary")["Role"]
        assert role["Arn"] == "arn:aws:iam::%s:role/clary" % ACCOUNT
        assert identity["UserId"] == role["RoleId"] + ":clary"
        services = role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["Service"]
        assert "sagemaker.amazonaws.com" in services
        actions = ["sagemaker:CreateTrainingJob", "s3:GetObject", "iam:PassRole", "logs:PutLogEvents"]
        answer = server.client("iam").simulate_principal_policy(PolicySourceArn=role["Arn"], ActionNames=actions)
        assert [r["EvalDecision"] for r in answer["EvaluationResults"]] == ["allowed"] * 4
        assert not answer["IsTruncated"]


def test_keys_made_at_first_start_are_kept():
    with tempfile.TemporaryDirectory() as home:
        seen = []
        for _ in range(2):
            with Claryd(home=home, ephemeral=False, keys=False) as server:
                path = os.path.join(home, "credentials")
                assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
                assert stat.S_IMODE(os.stat(os.path.join(home, "master.key")).st_mode) == 0o600
                with open(path) as file:
                    lines = file.read().split("\n")
                assert lines[0] == "[default]"
                pair = [line.split(" = ")[1] for line in lines[1:3]]
                seen.append(pair)
                assert server.client("sts", key=pair[0], secret=pair[1]).get_caller_identity()["Account"] == ACCOUNT
                expect_error("SignatureDoesNotMatch", server.client("sts").get_caller_identity)
        assert seen[0] == seen[1]


def test_a_reader_of_s3_is_refused_elsewhere():
    with Claryd() as server:
        iam, s3 = server.client("iam"), server.client("s3")
        user = new_user(iam, "reader")
        iam.attach_user_policy(UserName="reader", PolicyArn="arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
        s3.create_bucket(Bucket="a-bucket")
        s3.put_object(Bucket="a-bucket", Key="k", Body=b"hello")
        theirs = server.client("s3", **user)
        assert theirs.get_object(Bucket="a-bucket", Key="k")["Body"].read() == b"hello"
        assert theirs.list_objects_v2(Bucket="a-bucket")["KeyCount"] == 1
        expect_error("AccessDenied", theirs.put_object, Bucket="a-bucket", Key="k", Body=b"x")
        expect_error("AccessDenied", theirs.delete_object, Bucket="a-bucket", Key="k")
        expect_error("AccessDenied", theirs.copy_object, Bucket="a-bucket", Key="l", CopySource="a-bucket/k")
        expect_error("AccessDenied", theirs.create_bucket, Bucket="b-bucket")
        expect_error("AccessDenied", server.client("iam", **user).list_users)
        expect_error("AccessDenied", server.client("iam", **user).create_access_key, UserName="reader")
        expect_error("AccessDeniedException", server.client("sagemaker", **user).list_training_jobs)
        expect_error("AccessDeniedException", server.client("logs", **user).describe_log_groups)
        assert server.client("sts", **user).get_caller_identity()["Arn"] == "arn:aws:iam::%s:user/reader" % ACCOUNT
        assert s3.get_object(Bucket="a-bucket", Key="k")["Body"].read() == b"hello"
        # The same words whether the thing is there or not.
        there = expect_error("AccessDenied", theirs.delete_object, Bucket="a-bucket", Key="k")
        not_there = expect_error("AccessDenied", theirs.delete_object, Bucket="a-bucket", Key="nothing")
        assert str(there) == str(not_there)


def test_keys_end_at_once():
    with Claryd() as server:
        iam = server.client("iam")
        user = new_user(iam, "temp", document(allow("s3:ListAllMyBuckets")))
        theirs = server.client("s3", **user)
        theirs.list_buckets()
        iam.update_access_key(UserName="temp", AccessKeyId=user["key"], Status="Inactive")
        expect_error("SignatureDoesNotMatch", theirs.list_buckets)
        iam.update_access_key(UserName="temp", AccessKeyId=user["key"], Status="Active")
        theirs.list_buckets()
        session = server.client("sts", **user).get_session_token()["Credentials"]
        by_session = server.client("s3", **of(session))
        by_session.list_buckets()
        iam.create_access_key(UserName="temp")
        expect_error("LimitExceeded", iam.create_access_key, UserName="temp")
        iam.delete_access_key(UserName="temp", AccessKeyId=user["key"])
        expect_error("SignatureDoesNotMatch", theirs.list_buckets)
        expect_error("SignatureDoesNotMatch", by_session.list_buckets)
        expect_error("NoSuchEntity", iam.delete_access_key, UserName="temp", AccessKeyId=user["key"])
        expect_error("DeleteConflict", iam.delete_user, UserName="temp")
        for key in iam.list_access_keys(UserName="temp")["AccessKeyMetadata"]:
            iam.delete_access_key(UserName="temp", AccessKeyId=key["AccessKeyId"])
        expect_error("DeleteConflict", iam.delete_user, UserName="temp")
        iam.delete_user_policy(UserName="temp", PolicyName="p0")
        iam.delete_user(UserName="temp")
        expect_error("NoSuchEntity", iam.get_user, UserName="temp")


def test_roles_are_assumed_by_those_they_trust():
    with Claryd() as server:
        iam = server.client("iam")
        ann, bob = new_user(iam, "ann"), new_user(iam, "bob")
        arn = iam.create_role(RoleName="worker", AssumeRolePolicyDocument=trust(
            {"AWS": "arn:aws:iam::%s:user/ann" % ACCOUNT}), MaxSessionDuration=7200, Description="of ann",
            Tags=[{"Key": "a", "Value": "1"}])["Role"]["Arn"]
        iam.put_role_policy(RoleName="worker", PolicyName="s3", PolicyDocument=document(allow("s3:*")))
        sts = server.client("sts", **ann)
        answer = sts.assume_role(RoleArn=arn, RoleSessionName="one", DurationSeconds=7200)
        assert answer["AssumedRoleUser"]["Arn"] == "arn:aws:sts::%s:assumed-role/worker/one" % ACCOUNT
        role = of(answer["Credentials"])
        assert server.client("sts", **role).get_caller_identity()["Arn"].endswith("assumed-role/worker/one")
        server.client("s3", **role).create_bucket(Bucket="by-a-role")
        expect_error("AccessDenied", server.client("iam", **role).list_users)
        # Not without its token, nor with another's.
        expect_error("InvalidToken", server.client("s3", key=role["key"], secret=role["secret"]).list_buckets)
        expect_error("InvalidToken", server.client("s3", key=role["key"], secret=role["secret"], token="x").list_buckets)
        expect_error("InvalidToken", server.client("s3", token=role["token"]).list_buckets)
        expect_error("ValidationError", sts.assume_role, RoleArn=arn, RoleSessionName="one", DurationSeconds=7201)
        expect_error("AccessDenied", server.client("sts", **bob).assume_role, RoleArn=arn, RoleSessionName="two")
        expect_error("AccessDenied", sts.assume_role, RoleArn=arn + "x", RoleSessionName="two")
        # A session policy takes away.
        less = of(sts.assume_role(RoleArn=arn, RoleSessionName="less", Policy=document(
            allow("s3:ListAllMyBuckets"), allow("iam:*")))["Credentials"])
        server.client("s3", **less).list_buckets()
        expect_error("AccessDenied", server.client("s3", **less).create_bucket, Bucket="not-this-one")
        expect_error("AccessDenied", server.client("iam", **less).list_users)
        managed = of(sts.assume_role(RoleArn=arn, RoleSessionName="less", PolicyArns=[
            {"arn": "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"}])["Credentials"])
        server.client("s3", **managed).list_buckets()
        expect_error("AccessDenied", server.client("s3", **managed).create_bucket, Bucket="not-this-one")
        expect_error("AccessDenied", server.client("sts", **role).get_session_token)
        # Tags want a trust policy that says so.
        expect_error("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="tagged", Tags=[{"Key": "team", "Value": "red"}])
        iam.update_assume_role_policy(RoleName="worker", PolicyDocument=trust(
            {"AWS": "arn:aws:iam::%s:user/ann" % ACCOUNT}, ["sts:AssumeRole", "sts:TagSession"],
            Condition={"StringEquals": {"sts:ExternalId": "right"}}))
        expect_error("AccessDenied", sts.assume_role, RoleArn=arn, RoleSessionName="tagged")
        iam.put_role_policy(RoleName="worker", PolicyName="s3", PolicyDocument=document(
            allow("s3:CreateBucket", "arn:aws:s3:::${aws:PrincipalTag/team}-*")))
        tagged = of(sts.assume_role(RoleArn=arn, RoleSessionName="tagged", ExternalId="right",
                                    Tags=[{"Key": "team", "Value": "red"}])["Credentials"])
        server.client("s3", **tagged).create_bucket(Bucket="red-bucket")
        expect_error("AccessDenied", server.client("s3", **tagged).create_bucket, Bucket="blue-bucket")
        # Deleting the role ends its sessions.
        expect_error("DeleteConflict", iam.delete_role, RoleName="worker")
        iam.delete_role_policy(RoleName="worker", PolicyName="s3")
        iam.delete_role(RoleName="worker")
        expect_error("SignatureDoesNotMatch", server.client("sts", **role).get_caller_identity)


def test_an_account_as_principal_leaves_it_to_the_callers_policies():
    with Claryd() as server:
        iam = server.client("iam")
        arn = iam.create_role(RoleName="shared", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))["Role"]["Arn"]
        may, may_not = new_user(iam, "may", document(allow("sts:AssumeRole", arn))), new_user(iam, "maynot")
        server.client("sts", **may).assume_role(RoleArn=arn, RoleSessionName="x-1")
        expect_error("AccessDenied", server.client("sts", **may_not).assume_role, RoleArn=arn, RoleSessionName="x-1")
        server.client("sts").assume_role(RoleArn=arn, RoleSessionName="x-1")
        only_services = iam.create_role(RoleName="job", AssumeRolePolicyDocument=trust(
            {"Service": "sagemaker.amazonaws.com"}))["Role"]["Arn"]
        expect_error("AccessDenied", server.client("sts").assume_role, RoleArn=only_services, RoleSessionName="x-1")


def test_boundaries_groups_and_versions():
    with Claryd() as server:
        iam = server.client("iam")
        user = new_user(iam, "carl", json.dumps(ANYTHING))
        s3 = server.client("s3", **user)
        policy = iam.create_policy(PolicyName="limit", PolicyDocument=document(allow("s3:List*")), Path="/x/",
                                   Description="d")["Policy"]
        assert policy["Arn"] == "arn:aws:iam::%s:policy/x/limit" % ACCOUNT and policy["DefaultVersionId"] == "v1"
        s3.create_bucket(Bucket="carls-first")
        iam.put_user_permissions_boundary(UserName="carl", PermissionsBoundary=policy["Arn"])
        s3.list_buckets()
        expect_error("AccessDenied", s3.create_bucket, Bucket="carls-second")
        boundary = iam.get_user(UserName="carl")["User"]["PermissionsBoundary"]
        assert boundary == {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": policy["Arn"]}
        version = iam.create_policy_version(PolicyArn=policy["Arn"], PolicyDocument=document(allow("s3:*")), SetAsDefault=True)
        assert version["PolicyVersion"]["VersionId"] == "v2" and version["PolicyVersion"]["IsDefaultVersion"]
        s3.create_bucket(Bucket="carls-second")
        iam.set_default_policy_version(PolicyArn=policy["Arn"], VersionId="v1")
        expect_error("AccessDenied", s3.create_bucket, Bucket="carls-third")
        expect_error("DeleteConflict", iam.delete_policy_version, PolicyArn=policy["Arn"], VersionId="v1")
        expect_error("DeleteConflict", iam.delete_policy, PolicyArn=policy["Arn"])
        iam.delete_policy_version(PolicyArn=policy["Arn"], VersionId="v2")
        expect_error("NoSuchEntity", iam.get_policy_version, PolicyArn=policy["Arn"], VersionId="v2")
        assert iam.get_policy_version(PolicyArn=policy["Arn"], VersionId="v1")["PolicyVersion"]["Document"][
            "Statement"][0]["Action"] == "s3:List*"
        iam.delete_user_permissions_boundary(UserName="carl")
        s3.create_bucket(Bucket="carls-third")

        iam.delete_user_policy(UserName="carl", PolicyName="p0")
        expect_error("AccessDenied", s3.list_buckets)
        iam.create_group(GroupName="team")
        iam.attach_group_policy(GroupName="team", PolicyArn=policy["Arn"])
        iam.add_user_to_group(GroupName="team", UserName="carl")
        s3.list_buckets()
        iam.put_group_policy(GroupName="team", PolicyName="no", PolicyDocument=document(
            {"Effect": "Deny", "Action": "s3:ListAllMyBuckets", "Resource": "*"}))
        expect_error("AccessDenied", s3.list_buckets)
        assert [u["UserName"] for u in iam.get_group(GroupName="team")["Users"]] == ["carl"]
        assert [g["GroupName"] for g in iam.list_groups_for_user(UserName="carl")["Groups"]] == ["team"]
        assert iam.list_entities_for_policy(PolicyArn=policy["Arn"])["PolicyGroups"][0]["GroupName"] == "team"
        iam.remove_user_from_group(GroupName="team", UserName="carl")
        expect_error("NoSuchEntity", iam.remove_user_from_group, GroupName="team", UserName="carl")
        expect_error("DeleteConflict", iam.delete_group, GroupName="team")
        iam.detach_group_policy(GroupName="team", PolicyArn=policy["Arn"])
        iam.delete_group_policy(GroupName="team", PolicyName="no")
        iam.delete_group(GroupName="team")
        iam.delete_policy(PolicyArn=policy["Arn"])
        expect_error("NoSuchEntity", iam.get_policy, PolicyArn=policy["Arn"])


def test_refusals():
    with Claryd() as server:
        iam = server.client("iam")
        good = trust({"AWS": ACCOUNT})
        iam.create_role(RoleName="Role", AssumeRolePolicyDocument=good)
        for code, function, arguments in (
                ("EntityAlreadyExists", iam.create_role, dict(RoleName="rOLE", AssumeRolePolicyDocument=good)),
                ("MalformedPolicyDocument", iam.create_role, dict(RoleName="r2", AssumeRolePolicyDocument="{}")),
                ("MalformedPolicyDocument", iam.create_role, dict(RoleName="r2", AssumeRolePolicyDocument=document(allow("*")))),
                ("MalformedPolicyDocument", iam.put_role_policy, dict(RoleName="Role", PolicyName="p", PolicyDocument=good)),
                ("LimitExceeded", iam.put_user_policy, dict(UserName="ann", PolicyName="p", PolicyDocument=document(
                    allow(["s3:" + "a" * 60] * 40)))),
                ("NoSuchEntity", iam.attach_role_policy, dict(RoleName="Role", PolicyArn="arn:aws:iam::aws:policy/None12345678")),
                ("NoSuchEntity", iam.detach_role_policy, dict(RoleName="Role", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")),
                ("NoSuchEntity", iam.get_role_policy, dict(RoleName="Role", PolicyName="none")),
                ("NoSuchEntity", iam.delete_role_policy, dict(RoleName="Role", PolicyName="none")),
                ("NoSuchEntity", iam.get_role, dict(RoleName="none")),
                ("NoSuchEntity", iam.get_user, dict(UserName="none")),
                ("ValidationError", iam.get_user, dict()),
                ("ValidationError", iam.get_role, dict(RoleName="a b")),
                ("ValidationError", iam.create_role, dict(RoleName="r" * 65, AssumeRolePolicyDocument=good)),
                ("AccessDenied", iam.delete_policy, dict(PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess")),
                ("NoSuchEntity", iam.simulate_principal_policy, dict(PolicySourceArn="arn:aws:iam::%s:role/none" % ACCOUNT,
                                                                     ActionNames=["s3:GetObject"]))):
            if arguments.get("UserName") == "ann":
                iam.create_user(UserName="ann")
            expect_error(code, function, **arguments)


def test_lists_page():
    with Claryd() as server:
        iam = server.client("iam")
        for i in range(7):
            iam.create_role(RoleName="role-%d" % i, Path="/p%d/" % (i % 2), AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
        pages = list(iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 3}))
        assert [len(p["Roles"]) for p in pages] == [3, 3, 2], [len(p["Roles"]) for p in pages]
        assert len(iam.list_roles(PathPrefix="/p1/")["Roles"]) == 3
        assert iam.list_instance_profiles_for_role(RoleName="role-1")["InstanceProfiles"] == []
        assert iam.list_role_policies(RoleName="role-1")["PolicyNames"] == []
        iam.tag_role(RoleName="role-1", Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
        iam.tag_role(RoleName="role-1", Tags=[{"Key": "A", "Value": "3"}])
        iam.untag_role(RoleName="role-1", TagKeys=["b"])
        assert iam.list_role_tags(RoleName="role-1")["Tags"] == [{"Key": "A", "Value": "3"}]
        iam.attach_role_policy(RoleName="role-1", PolicyArn="arn:aws:iam::aws:policy/AmazonSageMakerFullAccess")
        assert iam.list_attached_role_policies(RoleName="role-1")["AttachedPolicies"] == [
            {"PolicyName": "AmazonSageMakerFullAccess", "PolicyArn": "arn:aws:iam::aws:policy/AmazonSageMakerFullAccess"}]
        results = [r for p in iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn="arn:aws:iam::%s:role/p1/role-1" % ACCOUNT, ActionNames=["sagemaker:CreateModel", "iam:CreateUser",
                                                                                 "s3:GetObject"],
            ResourceArns=["*", "arn:aws:s3:::my-sagemaker-bucket/k"], PaginationConfig={"PageSize": 2})
            for r in p["EvaluationResults"]]
        assert [r["EvalDecision"] for r in results] == ["allowed", "allowed", "implicitDeny", "implicitDeny", "implicitDeny",
                                                        "allowed"], results


def test_bucket_policies():
    with Claryd() as server:
        iam, s3 = server.client("iam"), server.client("s3")
        user = new_user(iam, "dora")
        theirs = server.client("s3", **user)
        s3.create_bucket(Bucket="given")
        s3.put_object(Bucket="given", Key="dora/k", Body=b"x")
        expect_error("AccessDenied", theirs.get_object, Bucket="given", Key="dora/k")
        s3.put_bucket_policy(Bucket="given", Policy=document(
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::%s:user/dora" % ACCOUNT}, "Action": "s3:GetObject",
             "Resource": "arn:aws:s3:::given/${aws:username}/*"}))
        assert theirs.get_object(Bucket="given", Key="dora/k")["Body"].read() == b"x"
        expect_error("AccessDenied", theirs.put_object, Bucket="given", Key="dora/k", Body=b"")
        s3.put_bucket_policy(Bucket="given", Policy=document(
            {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["arn:aws:s3:::given", "arn:aws:s3:::given/*"]}))
        expect_error("AccessDenied", s3.get_object, Bucket="given", Key="dora/k")
        s3.delete_bucket_policy(Bucket="given")
        s3.get_object(Bucket="given", Key="dora/k")


def test_the_audit_trail():
    with Claryd() as server:
        iam, trail = server.client("iam"), server.client("cloudtrail")
        user = new_user(iam, "eve")
        iam.create_role(RoleName="seen", AssumeRolePolicyDocument=trust({"AWS": ACCOUNT}))
        iam.get_role(RoleName="seen")
        expect_error("NoSuchEntity", iam.delete_role, RoleName="unseen")
        expect_error("AccessDenied", server.client("iam", **user).create_user, UserName="mallory")
        expect_error("AccessDenied", server.client("iam", **user).list_users)
        expect_error("SignatureDoesNotMatch", server.client("iam", key="AKIANOBODY0000000000").list_users)

        def look(key=None, value=None, **more):
            if key:
                more["LookupAttributes"] = [{"AttributeKey": key, "AttributeValue": value}]
            return trail.lookup_events(**more)["Events"]

        names = [e["EventName"] for e in look()]
        assert names == ["Unverified", "ListUsers", "CreateUser", "DeleteRole", "CreateRole", "CreateAccessKey", "CreateUser"], names
        event = json.loads(look("EventName", "CreateRole")[0]["CloudTrailEvent"])
        assert event["eventSource"] == "iam.amazonaws.com" and event["requestParameters"]["roleName"] == "seen"
        assert event["userIdentity"]["type"] == "AssumedRole" and event["userIdentity"]["accessKeyId"] == ACCESS_KEY
        assert event["responseElements"]["role"]["roleName"] == "seen" and not event["readOnly"]
        assert look("ResourceName", "seen")[0]["Resources"] == [{"ResourceType": "AWS::IAM::Role", "ResourceName": "seen"}]
        refused = json.loads(look("Username", "eve")[0]["CloudTrailEvent"])
        assert refused["errorCode"] == "AccessDenied" and refused["userIdentity"]["userName"] == "eve"
        assert len(look("AccessKeyId", user["key"])) == 2
        assert [json.loads(e["CloudTrailEvent"]).get("errorCode") for e in look("EventName", "DeleteRole")] == ["NoSuchEntity"]
        text = json.dumps([e["CloudTrailEvent"] for e in look()])
        assert user["secret"] not in text
        pages = list(trail.get_paginator("lookup_events").paginate(PaginationConfig={"PageSize": 3}))
        assert [len(p["Events"]) for p in pages] == [3, 3, 1]
        assert look(StartTime=time.time() + 30, EndTime=time.time() + 60) == []
        expect_error("InvalidTimeRangeException", look, StartTime=time.time(), EndTime=time.time() - 60)
        # Strangers cannot fill the disk.
        stranger = server.client("s3", key="AKIANOBODY0000000000")
        for _ in range(120):
            expect_error("SignatureDoesNotMatch", stranger.list_buckets)
        assert sum(len(p["Events"]) for p in trail.get_paginator("lookup_events").paginate(
            LookupAttributes=[{"AttributeKey": "EventSource", "AttributeValue": "s3.amazonaws.com"}])) == 99


if __name__ == "__main__":
    main()
