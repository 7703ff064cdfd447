"""What all resources share: tags, lists and their pages, Search, names that are taken or missing, waiters."""

import threading
import time

from _claryd import Claryd, expect_error, main

IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:1.7-1"
ROLE = "arn:aws:iam::123456789012:role/service-role/sage"


def make_model(sm, name, **more):
    return sm.create_model(ModelName=name, ExecutionRoleArn=ROLE,
                           PrimaryContainer={"Image": IMAGE, "ModelDataUrl": "s3://bucket/%s.tar.gz" % name}, **more)["ModelArn"]


def test_tags():
    with Claryd() as server:
        sm = server.client("sagemaker")
        arn = make_model(sm, "Tagged", Tags=[{"Key": "a", "Value": "1"}])
        assert arn == "arn:aws:sagemaker:us-east-1:123456789012:model/tagged"
        assert sm.add_tags(ResourceArn=arn, Tags=[{"Key": "b", "Value": ""}, {"Key": "a", "Value": "2"}])["Tags"] == \
            [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": ""}]
        sm.delete_tags(ResourceArn=arn, TagKeys=["b", "nothing"])
        assert sm.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "a", "Value": "2"}]
        expect_error("ValidationException", sm.add_tags, ResourceArn=arn, Tags=[{"Key": "aws:x", "Value": "1"}])
        expect_error("ResourceLimitExceeded", sm.add_tags, ResourceArn=arn, Tags=[{"Key": "k%d" % i, "Value": ""} for i in range(50)])
        assert len(sm.list_tags(ResourceArn=arn)["Tags"]) == 1, "a refused call left tags"
        sm.add_tags(ResourceArn=arn, Tags=[{"Key": "k%d" % i, "Value": ""} for i in range(49)])
        pages = list(sm.get_paginator("list_tags").paginate(ResourceArn=arn, PaginationConfig={"PageSize": 50}))
        assert sum(len(page["Tags"]) for page in pages) == 50
        expect_error("ValidationException", sm.list_tags, ResourceArn=arn + "x")
        sm.delete_model(ModelName="Tagged")
        make_model(sm, "tagged")
        assert sm.list_tags(ResourceArn=arn)["Tags"] == [], "tags of a deleted model came back"


def test_lists_and_names():
    with Claryd() as server:
        sm = server.client("sagemaker")
        for i in range(25):
            make_model(sm, "Model-%02d" % i)
        assert [m["ModelName"] for m in sm.list_models()["Models"]] == ["Model-%02d" % i for i in range(24, 14, -1)]
        pages = list(sm.get_paginator("list_models").paginate(SortBy="Name", SortOrder="Ascending", PaginationConfig={"PageSize": 7}))
        assert [m["ModelName"] for page in pages for m in page["Models"]] == ["Model-%02d" % i for i in range(25)]
        assert [len(page["Models"]) for page in pages] == [7, 7, 7, 4] and "NextToken" not in pages[-1]
        assert [m["ModelName"] for m in sm.list_models(NameContains="model-07")["Models"]] == ["Model-07"]
        line = sm.list_models(MaxResults=1)["Models"][0]
        assert set(line) == {"ModelName", "ModelArn", "CreationTime"}, line
        expect_error("ValidationException", sm.list_models, NextToken="nonsense")
        message = expect_error("ValidationException", make_model, sm, "MODEL-00")
        assert message == 'Cannot create already existing model "arn:aws:sagemaker:us-east-1:123456789012:model/model-00".', message
        message = expect_error("ValidationException", sm.describe_model, ModelName="none")
        assert message == 'Could not find model "arn:aws:sagemaker:us-east-1:123456789012:model/none".', message
        got = sm.describe_model(ModelName="Model-00")
        assert "VpcConfig" not in got and "Containers" not in got and got["ExecutionRoleArn"] == ROLE
        # Each region has its own.
        assert server.client("sagemaker", region="eu-west-1").list_models()["Models"] == []


def test_search():
    with Claryd() as server:
        sm = server.client("sagemaker")
        for i in range(12):
            make_model(sm, "m-%02d" % i, Tags=[{"Key": "team", "Value": "ab"[i % 2]}])

        def names(resource="Model", sort="ModelName", **more):
            answer = sm.search(Resource=resource, SortBy=sort, SortOrder="Ascending", MaxResults=100, **more)
            return [r[resource]["Model"]["ModelName"] for r in answer["Results"]]

        def where(*filters, **more):
            return {"SearchExpression": dict(more, Filters=[dict(zip(("Name", "Operator", "Value"), f)) for f in filters])}
        assert names() == ["m-%02d" % i for i in range(12)]
        assert names(**where(("ModelName", "Equals", "m-03"))) == ["m-03"]
        assert names(**where(("Tags.team", "Equals", "a"), ("ModelName", "Contains", "1"))) == ["m-10"]
        assert names(**where(("Tags.team", "Equals", "b"), ("ModelName", "In", "m-02, m-04"), Operator="Or")) == \
            sorted(["m-02", "m-04"] + ["m-%02d" % i for i in range(1, 12, 2)])
        assert names(**where(("PrimaryContainer.ModelDataUrl", "Equals", "s3://bucket/m-05.tar.gz"))) == ["m-05"]
        assert names(**where(("Containers", "Exists"))) == [] and len(names(**where(("Containers", "NotExists")))) == 12
        assert len(names(**where(("CreationTime", "GreaterThan", "2020-01-01T00:00:00Z")))) == 12
        assert names(**where(("CreationTime", "LessThan", "2020-01-01T00:00:00Z"))) == []
        assert len(names(**where(("ModelName", "NotEquals", "m-03")))) == 11
        assert names(SearchExpression={"SubExpressions": [
            {"Filters": [{"Name": "ModelName", "Value": "m-01"}]}, {"Filters": [{"Name": "ModelName", "Value": "m-07"}]}],
            "Operator": "Or"}) == ["m-01", "m-07"]
        pages = list(sm.get_paginator("search").paginate(Resource="Model", PaginationConfig={"PageSize": 5}))
        assert [len(page["Results"]) for page in pages] == [5, 5, 2]
        assert sm.search(Resource="Endpoint")["Results"] == []
        expect_error("ValidationException", sm.search, Resource="ExperimentTrialComponent")


def test_a_waiter_is_held_and_let_go():
    with Claryd() as server:
        sm = server.client("sagemaker")
        make_model(sm, "m")
        sm.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[
            {"VariantName": "AllTraffic", "ModelName": "m", "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}])
        # Its model is not there, so it fails: a stock waiter hears of it at once, not after 30 seconds.
        from botocore.exceptions import WaiterError
        begun = time.monotonic()
        sm.create_endpoint(EndpointName="e", EndpointConfigName="c")
        try:
            sm.get_waiter("endpoint_in_service").wait(EndpointName="e")
            raise AssertionError("an endpoint without a model came into service")
        except WaiterError as problem:
            assert problem.last_response["EndpointStatus"] == "Failed", problem.last_response
            assert "Failed to download model data" in problem.last_response["FailureReason"], problem.last_response
        assert time.monotonic() - begun < 5
        clients = [server.client("sagemaker") for _ in range(4)]
        sm.delete_endpoint(EndpointName="e")
        threads = [threading.Thread(target=c.get_waiter("endpoint_deleted").wait, kwargs={"EndpointName": "e"}) for c in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
        print("  failed and deleted after %.2f s" % (time.monotonic() - begun))


if __name__ == "__main__":
    main()
