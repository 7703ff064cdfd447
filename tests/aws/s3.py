"""S3 as boto3 and the AWS CLI use it: objects, listings, uploads in parts, versions, conditions, forms, settings."""

import base64
import datetime
import hashlib
import io
import json
import os
import shutil
import subprocess
import threading
import time
import urllib.error
import urllib.request
import zlib

from _claryd import Claryd, Skip, data, expect_error, main

MIB = 1 << 20


def some_bytes(n, seed=1):
    block = hashlib.sha256(str(seed).encode()).digest() * 2048
    return (block * (n // len(block) + 1))[:n]


def http(url, method="GET", body=None, headers=None):
    """(status, fields, body) without following redirects or raising."""
    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_):
            return None
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    try:
        with urllib.request.build_opener(Stay).open(request, timeout=20) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        return answer.code, answer.headers, answer.read()


def test_objects_come_and_go():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="first-bucket")
        for n in (0, 1, 5, 16384, 16385, 65536, 300000, 3 * MIB + 1):
            body = some_bytes(n)
            put = s3.put_object(Bucket="first-bucket", Key="dir/%d" % n, Body=body, Metadata={"a": "1", "b-c": "two words"},
                                ContentType="text/csv", CacheControl="no-cache", ContentDisposition="inline",
                                ContentEncoding="identity", ContentLanguage="en", StorageClass="STANDARD_IA")
            assert put["ETag"] == '"%s"' % hashlib.md5(body).hexdigest()
            assert put["ChecksumCRC32"] == base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()
            got = s3.get_object(Bucket="first-bucket", Key="dir/%d" % n)
            assert got["Body"].read() == body and got["ContentLength"] == n and got["ETag"] == put["ETag"]
            assert got["Metadata"] == {"a": "1", "b-c": "two words"} and got["ContentType"] == "text/csv"
            assert got["CacheControl"] == "no-cache" and got["ContentLanguage"] == "en" and got["AcceptRanges"] == "bytes"
            assert got["StorageClass"] == "STANDARD_IA" and got["ChecksumCRC32"] == put["ChecksumCRC32"]
            head = s3.head_object(Bucket="first-bucket", Key="dir/%d" % n)
            assert head["ContentLength"] == n and head["ETag"] == put["ETag"] and head["Metadata"]["a"] == "1"
        assert abs((datetime.datetime.now(datetime.timezone.utc) - got["LastModified"]).total_seconds()) < 60
        for key in ("a b+c%d?e#f", "ümläut/€", "a//b/../c", "<&>\"'", "\x01ctl", "tail/"):
            s3.put_object(Bucket="first-bucket", Key=key, Body=key.encode())
            assert s3.get_object(Bucket="first-bucket", Key=key)["Body"].read() == key.encode()
        keys = [o["Key"] for o in s3.list_objects_v2(Bucket="first-bucket")["Contents"]]
        assert "ümläut/€" in keys and "\x01ctl" in keys and "<&>\"'" in keys and keys == sorted(keys, key=str.encode)
        error = expect_error("NoSuchKey", s3.get_object, Bucket="first-bucket", Key="none")
        assert error == "The specified key does not exist."
        expect_error("404", s3.head_object, Bucket="first-bucket", Key="none")
        expect_error("NoSuchBucket", s3.get_object, Bucket="other-bucket", Key="none")
        expect_error("NoSuchBucket", s3.put_object, Bucket="other-bucket", Key="none", Body=b"x")
        expect_error("NoSuchBucket", s3.put_object, Bucket="other-bucket", Key="none", Body=some_bytes(400000))
        expect_error("KeyTooLongError", s3.put_object, Bucket="first-bucket", Key="k" * 1025, Body=b"x")
        expect_error("BucketNotEmpty", s3.delete_bucket, Bucket="first-bucket")
        s3.delete_object(Bucket="first-bucket", Key="dir/0")
        s3.delete_object(Bucket="first-bucket", Key="dir/0")
        expect_error("NoSuchKey", s3.get_object, Bucket="first-bucket", Key="dir/0")
        s3.delete_object(Bucket="first-bucket", Key="\x01ctl")
        everything = [{"Key": o["Key"]} for o in s3.list_objects_v2(Bucket="first-bucket")["Contents"]]
        deleted = s3.delete_objects(Bucket="first-bucket", Delete={"Objects": everything})["Deleted"]
        assert len(deleted) == len(everything)
        assert "Deleted" not in s3.delete_objects(Bucket="first-bucket", Delete={"Objects": [{"Key": "x"}], "Quiet": True})
        s3.delete_bucket(Bucket="first-bucket")
        expect_error("404", s3.head_bucket, Bucket="first-bucket")


def test_buckets():
    with Claryd() as server:
        s3, west = server.client("s3"), server.client("s3", region="eu-west-1")
        assert s3.list_buckets()["Buckets"] == []
        s3.create_bucket(Bucket="b-one")
        s3.create_bucket(Bucket="b-one")
        west.create_bucket(Bucket="b-two", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        expect_error("BucketAlreadyOwnedByYou", west.create_bucket, Bucket="b-two",
                     CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        buckets = s3.list_buckets()
        assert [b["Name"] for b in buckets["Buckets"]] == ["b-one", "b-two"] and buckets["Owner"]["ID"]
        assert all(isinstance(b["CreationDate"], datetime.datetime) for b in buckets["Buckets"])
        assert not s3.get_bucket_location(Bucket="b-one")["LocationConstraint"]
        assert s3.get_bucket_location(Bucket="b-two")["LocationConstraint"] == "eu-west-1"
        assert s3.head_bucket(Bucket="b-two")["BucketRegion"] == "eu-west-1"
        page = s3.list_buckets(MaxBuckets=1)
        assert [b["Name"] for b in s3.list_buckets(ContinuationToken=page["ContinuationToken"])["Buckets"]] == ["b-two"]
        assert [b["Name"] for b in s3.list_buckets(Prefix="b-t")["Buckets"]] == ["b-two"]
        from botocore.config import Config
        raw = server.client("s3", config=Config(parameter_validation=False))
        for name in ("Ab-c", "a..b", "1.2.3.4", "xn--a", "ab-"):
            expect_error("InvalidBucketName", raw.create_bucket, Bucket=name)
        expect_error("AccessDenied", s3.list_objects_v2, Bucket="b-one", ExpectedBucketOwner="999999999999")
        s3.list_objects_v2(Bucket="b-one", ExpectedBucketOwner="123456789012")
        s3.get_waiter("bucket_exists").wait(Bucket="b-one")


def test_ranges_and_conditions_of_reads():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        for n in (10, 100000):
            body = some_bytes(n)
            etag = s3.put_object(Bucket="bkt", Key="k", Body=body)["ETag"]
            for text, want in (("bytes=0-3", body[:4]), ("bytes=4-", body[4:]), ("bytes=-3", body[-3:]), ("bytes=2-999999", body[2:])):
                got = s3.get_object(Bucket="bkt", Key="k", Range=text)
                assert got["Body"].read() == want and got["ResponseMetadata"]["HTTPStatusCode"] == 206
                assert got["ContentRange"].endswith("/%d" % n)
            assert s3.head_object(Bucket="bkt", Key="k", Range="bytes=0-3")["ContentLength"] == 4
            expect_error("InvalidRange", s3.get_object, Bucket="bkt", Key="k", Range="bytes=%d-" % n)
            assert s3.get_object(Bucket="bkt", Key="k", IfMatch=etag)["ETag"] == etag
            expect_error("PreconditionFailed", s3.get_object, Bucket="bkt", Key="k", IfMatch='"x"')
            expect_error("304", s3.get_object, Bucket="bkt", Key="k", IfNoneMatch=etag)
            s3.get_object(Bucket="bkt", Key="k", IfNoneMatch='"x"')
            later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=1)
            earlier = later - datetime.timedelta(hours=2)
            expect_error("304", s3.get_object, Bucket="bkt", Key="k", IfModifiedSince=later)
            s3.get_object(Bucket="bkt", Key="k", IfModifiedSince=earlier)
            expect_error("PreconditionFailed", s3.get_object, Bucket="bkt", Key="k", IfUnmodifiedSince=earlier)
            s3.get_object(Bucket="bkt", Key="k", IfUnmodifiedSince=later)
            expect_error("304", s3.head_object, Bucket="bkt", Key="k", IfNoneMatch=etag)
            expect_error("412", s3.head_object, Bucket="bkt", Key="k", IfMatch='"x"')
        got = s3.get_object(Bucket="bkt", Key="k", ResponseContentType="text/x", ResponseContentDisposition="attachment")
        assert got["ContentType"] == "text/x" and got["ContentDisposition"] == "attachment"


def test_what_is_read_twice_is_never_stale():
    """The second read of an object is answered from memory: each change must show in the next read."""
    with Claryd(strict=True) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")

        def read(key="k"):
            return [s3.get_object(Bucket="bkt", Key=key) for _ in range(3)][-1]
        for n in (10, 50000):
            for i in range(20):
                body = some_bytes(n + i, i)
                s3.put_object(Bucket="bkt", Key="k", Body=body, Metadata={"i": str(i)}, ContentType="text/x")
                got = read()
                assert got["Body"].read() == body and got["Metadata"] == {"i": str(i)} and got["ContentType"] == "text/x"
                assert got["ChecksumCRC32"] and got["ETag"] == '"%s"' % hashlib.md5(body).hexdigest()
        assert s3.get_object(Bucket="bkt", Key="k", Range="bytes=1-2")["ContentRange"] == "bytes 1-2/%d" % len(body)
        expect_error("304", s3.get_object, Bucket="bkt", Key="k", IfNoneMatch=got["ETag"])
        s3.put_object_tagging(Bucket="bkt", Key="k", Tagging={"TagSet": [{"Key": "a", "Value": "1"}]})
        assert read()["TagCount"] == 1
        s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
        assert read()["VersionId"] == "null"
        version = s3.put_object(Bucket="bkt", Key="k", Body=b"v")["VersionId"]
        assert read()["VersionId"] == version
        s3.copy_object(Bucket="bkt", Key="k", CopySource="bkt/k", MetadataDirective="REPLACE", Metadata={"copied": "1"})
        assert read()["Metadata"] == {"copied": "1"}
        s3.delete_object(Bucket="bkt", Key="k")
        expect_error("NoSuchKey", read)
        s3.put_object(Bucket="bkt", Key="k", Body=b"back")
        assert read()["Body"].read() == b"back"
        s3.delete_objects(Bucket="bkt", Delete={"Objects": [{"Key": "k"}]})
        expect_error("NoSuchKey", read)
        s3.put_object(Bucket="bkt", Key="k", Body=b"mine")
        read()
        expect_error("SignatureDoesNotMatch", server.client("s3", secret="wrong").get_object, Bucket="bkt", Key="k")
        expect_error("SignatureDoesNotMatch", server.client("s3", key="AKIANOBODY0000000000").get_object, Bucket="bkt", Key="k")
        expect_error("AccessDenied", s3.get_object, Bucket="bkt", Key="k", ExpectedBucketOwner="999999999999")
        iam = server.client("iam")
        iam.create_user(UserName="reader")
        pair = iam.create_access_key(UserName="reader")["AccessKey"]
        reader = server.client("s3", key=pair["AccessKeyId"], secret=pair["SecretAccessKey"])
        expect_error("AccessDenied", reader.get_object, Bucket="bkt", Key="k")
        s3.put_bucket_policy(Bucket="bkt", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/reader"}, "Action": "s3:GetObject",
             "Resource": "arn:aws:s3:::bkt/*"}]}))
        assert reader.get_object(Bucket="bkt", Key="k")["Body"].read() == b"mine"
        s3.delete_bucket_policy(Bucket="bkt")
        expect_error("AccessDenied", reader.get_object, Bucket="bkt", Key="k")
        # Readers beside a writer see what was acknowledged before they asked, or later.
        acknowledged, stop, wrong = [0], [], []

        def follow():
            client = server.client("s3")
            while not stop:
                least = acknowledged[0]
                got = int(client.get_object(Bucket="bkt", Key="count")["Body"].read())
                if got < least:
                    wrong.append((got, least))
        s3.put_object(Bucket="bkt", Key="count", Body=b"0")
        threads = [threading.Thread(target=follow) for _ in range(4)]
        [t.start() for t in threads]
        for i in range(1, 150):
            s3.put_object(Bucket="bkt", Key="count", Body=b"%d" % i)
            acknowledged[0] = i
        stop.append(1)
        [t.join() for t in threads]
        assert not wrong, wrong[:3]


def test_conditions_of_writes():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        one = s3.put_object(Bucket="bkt", Key="k", Body=b"1", IfNoneMatch="*")["ETag"]
        expect_error("PreconditionFailed", s3.put_object, Bucket="bkt", Key="k", Body=b"2", IfNoneMatch="*")
        two = s3.put_object(Bucket="bkt", Key="k", Body=b"2", IfMatch=one)["ETag"]
        expect_error("PreconditionFailed", s3.put_object, Bucket="bkt", Key="k", Body=b"3", IfMatch=one)
        expect_error("NoSuchKey", s3.put_object, Bucket="bkt", Key="other", Body=b"3", IfMatch=one)
        expect_error("PreconditionFailed", s3.delete_object, Bucket="bkt", Key="k", IfMatch=one)
        s3.delete_object(Bucket="bkt", Key="k", IfMatch=two)
        # Of many that want to be first one is.
        won, lost = [], []

        def race(i):
            client = server.client("s3")
            try:
                client.put_object(Bucket="bkt", Key="race", Body=some_bytes(40000, i), IfNoneMatch="*")
                won.append(i)
            except client.exceptions.ClientError as problem:
                assert problem.response["Error"]["Code"] == "PreconditionFailed"
                lost.append(i)
        threads = [threading.Thread(target=race, args=(i,)) for i in range(8)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        assert len(won) == 1 and len(lost) == 7
        assert s3.get_object(Bucket="bkt", Key="race")["Body"].read() == some_bytes(40000, won[0])


def test_listings():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        keys = sorted(["a", "b/1", "b/2", "b/c/1", "c d/é", "z"] + ["many/%04d" % i for i in range(1100)], key=str.encode)
        from concurrent.futures import ThreadPoolExecutor
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda k: s3.put_object(Bucket="bkt", Key=k, Body=b"x"), keys))
        for operation, token in (("list_objects_v2", None), ("list_objects", None)):
            for size in (7, 1000):
                pages = s3.get_paginator(operation).paginate(Bucket="bkt", PaginationConfig={"PageSize": size})
                assert [o["Key"] for p in pages for o in p.get("Contents", [])] == keys
                pages = s3.get_paginator(operation).paginate(Bucket="bkt", Delimiter="/", PaginationConfig={"PageSize": 2 if size == 7 else size})
                got = [(o["Key"]) for p in pages for o in p.get("Contents", [])]
                assert got == ["a", "z"], got
                prefixes = [c["Prefix"] for p in s3.get_paginator(operation).paginate(
                    Bucket="bkt", Delimiter="/", PaginationConfig={"PageSize": 2}) for c in p.get("CommonPrefixes", [])]
                assert prefixes == ["b/", "c d/", "many/"], prefixes
        page = s3.list_objects_v2(Bucket="bkt", Prefix="b/", Delimiter="/")
        assert [o["Key"] for o in page["Contents"]] == ["b/1", "b/2"] and page["CommonPrefixes"] == [{"Prefix": "b/c/"}]
        assert page["KeyCount"] == 3 and page["Prefix"] == "b/" and page["Delimiter"] == "/" and not page["IsTruncated"]
        page = s3.list_objects_v2(Bucket="bkt", StartAfter="many/1098")
        assert [o["Key"] for o in page["Contents"]] == ["many/1099", "z"]
        page = s3.list_objects_v2(Bucket="bkt", MaxKeys=0)
        assert page["KeyCount"] == 0 and not page["IsTruncated"]
        assert "Owner" not in s3.list_objects_v2(Bucket="bkt", MaxKeys=1)["Contents"][0]
        assert s3.list_objects_v2(Bucket="bkt", MaxKeys=1, FetchOwner=True)["Contents"][0]["Owner"]["ID"]
        assert "Contents" not in s3.list_objects_v2(Bucket="bkt", Prefix="none")
        expect_error("InvalidArgument", s3.list_objects_v2, Bucket="bkt", ContinuationToken="!!")
        expect_error("NoSuchBucket", s3.list_objects_v2, Bucket="none-such")


def test_versions():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        assert "Status" not in s3.get_bucket_versioning(Bucket="bkt")
        assert "VersionId" not in s3.put_object(Bucket="bkt", Key="k", Body=b"0")
        s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
        assert s3.get_bucket_versioning(Bucket="bkt")["Status"] == "Enabled"
        one = s3.put_object(Bucket="bkt", Key="k", Body=b"1")["VersionId"]
        two = s3.put_object(Bucket="bkt", Key="k", Body=some_bytes(50000))["VersionId"]
        assert s3.get_object(Bucket="bkt", Key="k", VersionId=one)["Body"].read() == b"1"
        assert s3.get_object(Bucket="bkt", Key="k", VersionId="null")["Body"].read() == b"0"
        assert s3.get_object(Bucket="bkt", Key="k")["VersionId"] == two
        marker = s3.delete_object(Bucket="bkt", Key="k")
        assert marker["DeleteMarker"] is True
        try:
            s3.get_object(Bucket="bkt", Key="k")
            raise AssertionError("a deleted object was found")
        except s3.exceptions.NoSuchKey as problem:
            assert problem.response["ResponseMetadata"]["HTTPHeaders"]["x-amz-delete-marker"] == "true"
        expect_error("MethodNotAllowed", s3.get_object, Bucket="bkt", Key="k", VersionId=marker["VersionId"])
        expect_error("NoSuchVersion", s3.get_object, Bucket="bkt", Key="k", VersionId="a" * 32)
        listed = s3.list_object_versions(Bucket="bkt")
        assert [v["VersionId"] for v in listed["Versions"]] == [two, one, "null"]
        assert [m["VersionId"] for m in listed["DeleteMarkers"]] == [marker["VersionId"]] and listed["DeleteMarkers"][0]["IsLatest"]
        assert "Contents" not in s3.list_objects_v2(Bucket="bkt")
        for i in range(3):
            s3.put_object(Bucket="bkt", Key="m", Body=b"%d" % i)
        seen = []
        for page in s3.get_paginator("list_object_versions").paginate(Bucket="bkt", PaginationConfig={"PageSize": 2}):
            seen += [(v["Key"], v["VersionId"]) for v in page.get("Versions", []) + page.get("DeleteMarkers", [])]
        assert len(seen) == len(set(seen)) == 7
        s3.delete_object(Bucket="bkt", Key="k", VersionId=marker["VersionId"])
        assert s3.get_object(Bucket="bkt", Key="k")["VersionId"] == two
        s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Suspended"})
        assert s3.put_object(Bucket="bkt", Key="k", Body=b"null again")["VersionId"] == "null"
        assert [v["VersionId"] for v in s3.list_object_versions(Bucket="bkt", Prefix="k")["Versions"]] == ["null", two, one]
        objects = [{"Key": v["Key"], "VersionId": v["VersionId"]} for v in s3.list_object_versions(Bucket="bkt")["Versions"]]
        s3.delete_objects(Bucket="bkt", Delete={"Objects": objects})
        s3.delete_bucket(Bucket="bkt")


def test_uploads_in_parts():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        pieces = [some_bytes(5 * MIB, i) for i in range(3)] + [some_bytes(1234, 9)]

        def upload(order, repeat=(), odd=False):
            upload_id = s3.create_multipart_upload(Bucket="bkt", Key="k", ContentType="text/x", Metadata={"m": "1"},
                                                   Tagging="a=1")["UploadId"]
            etags = {}
            for i in list(order) + list(repeat):
                etags[i] = s3.upload_part(Bucket="bkt", Key="k", UploadId=upload_id, PartNumber=i + 1, Body=pieces[i])["ETag"]
            return upload_id, etags

        def complete(upload_id, etags, **more):
            return s3.complete_multipart_upload(Bucket="bkt", Key="k", UploadId=upload_id, MultipartUpload={
                "Parts": [{"PartNumber": i + 1, "ETag": etags[i]} for i in sorted(etags)]}, **more)

        whole = b"".join(pieces)
        want = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in pieces)).hexdigest() + "-4"
        for order, repeat in (((0, 1, 2, 3), ()), ((3, 1, 0, 2), ()), ((2, 0, 1, 3), (1,))):
            upload_id, etags = upload(order, repeat)
            done = complete(upload_id, etags)
            assert done["ETag"] == '"%s"' % want and done["Key"] == "k" and done["Location"].endswith("/bkt/k")
            got = s3.get_object(Bucket="bkt", Key="k")
            assert got["Body"].read() == whole and got["ContentType"] == "text/x" and got["Metadata"] == {"m": "1"}
            assert got["TagCount"] == 1
            assert complete(upload_id, etags)["ETag"] == done["ETag"]  # asked again after a lost answer
        part = s3.get_object(Bucket="bkt", Key="k", PartNumber=2)
        assert part["Body"].read() == pieces[1] and part["PartsCount"] == 4
        assert part["ContentRange"] == "bytes %d-%d/%d" % (5 * MIB, 10 * MIB - 1, len(whole))
        attributes = s3.get_object_attributes(Bucket="bkt", Key="k", ObjectAttributes=["ETag", "ObjectParts", "ObjectSize", "Checksum"])
        assert attributes["ETag"] == want and attributes["ObjectSize"] == len(whole)
        assert attributes["ObjectParts"]["TotalPartsCount"] == 4

        upload_id, etags = upload((0, 3))
        listed = s3.list_parts(Bucket="bkt", Key="k", UploadId=upload_id)
        assert [p["PartNumber"] for p in listed["Parts"]] == [1, 4] and listed["Parts"][1]["Size"] == 1234
        assert [p["PartNumber"] for page in s3.get_paginator("list_parts").paginate(
            Bucket="bkt", Key="k", UploadId=upload_id, PaginationConfig={"PageSize": 1}) for p in page["Parts"]] == [1, 4]
        uploads = s3.list_multipart_uploads(Bucket="bkt")["Uploads"]
        assert [(u["Key"], u["UploadId"]) for u in uploads] == [("k", upload_id)]
        expect_error("InvalidPart", complete, upload_id, {0: etags[0], 3: '"00000000000000000000000000000000"'})
        expect_error("InvalidPart", complete, upload_id, {0: etags[0], 1: etags[0]})
        expect_error("InvalidPartOrder", s3.complete_multipart_upload, Bucket="bkt", Key="k", UploadId=upload_id, MultipartUpload={
            "Parts": [{"PartNumber": 4, "ETag": etags[3]}, {"PartNumber": 1, "ETag": etags[0]}]})
        expect_error("MalformedXML", s3.complete_multipart_upload, Bucket="bkt", Key="k", UploadId=upload_id, MultipartUpload={"Parts": []})
        s3.upload_part(Bucket="bkt", Key="k", UploadId=upload_id, PartNumber=1, Body=b"small")
        small = s3.list_parts(Bucket="bkt", Key="k", UploadId=upload_id)["Parts"]
        expect_error("EntityTooSmall", s3.complete_multipart_upload, Bucket="bkt", Key="k", UploadId=upload_id, MultipartUpload={
            "Parts": [{"PartNumber": p["PartNumber"], "ETag": p["ETag"]} for p in small]})
        expect_error("PreconditionFailed", s3.complete_multipart_upload, Bucket="bkt", Key="k", UploadId=upload_id, IfNoneMatch="*",
                     MultipartUpload={"Parts": [{"PartNumber": 4, "ETag": etags[3]}]})
        s3.abort_multipart_upload(Bucket="bkt", Key="k", UploadId=upload_id)
        expect_error("NoSuchUpload", s3.list_parts, Bucket="bkt", Key="k", UploadId=upload_id)
        expect_error("NoSuchUpload", s3.upload_part, Bucket="bkt", Key="k", UploadId=upload_id, PartNumber=1, Body=b"x")
        expect_error("NoSuchUpload", s3.abort_multipart_upload, Bucket="bkt", Key="k", UploadId="none")
        expect_error("InvalidArgument", s3.upload_part, Bucket="bkt", Key="k", UploadId="x", PartNumber=10001, Body=b"x")
        assert "Uploads" not in s3.list_multipart_uploads(Bucket="bkt")
        ids = sorted(s3.create_multipart_upload(Bucket="bkt", Key=k)["UploadId"] for k in ("p/1", "p/2", "q", "q"))
        pages = s3.get_paginator("list_multipart_uploads").paginate(Bucket="bkt", PaginationConfig={"PageSize": 1})
        assert sorted(u["UploadId"] for p in pages for u in p.get("Uploads", [])) == ids
        page = s3.list_multipart_uploads(Bucket="bkt", Delimiter="/")
        assert page["CommonPrefixes"] == [{"Prefix": "p/"}] and [u["Key"] for u in page["Uploads"]] == ["q", "q"]
        # Nothing of what was given up or replaced is left.
        s3.delete_object(Bucket="bkt", Key="k")
        left = [n for _, _, names in os.walk(os.path.join(server.folder, "objects")) for n in names]
        assert left == [], left


def test_checksums():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        body = some_bytes(100001)
        want = {"SHA1": base64.b64encode(hashlib.sha1(body).digest()).decode(),
                "SHA256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
                "CRC32": base64.b64encode(zlib.crc32(body).to_bytes(4, "big")).decode()}
        for name, value in want.items():
            put = s3.put_object(Bucket="bkt", Key=name, Body=body, **{"Checksum" + name: value})
            assert put["Checksum" + name] == value
            got = s3.get_object(Bucket="bkt", Key=name, ChecksumMode="ENABLED")
            assert got["Checksum" + name] == value and got["Body"].read() == body
            head = s3.head_object(Bucket="bkt", Key=name, ChecksumMode="ENABLED")
            assert head["Checksum" + name] == value and head["ChecksumType"] == "FULL_OBJECT"
            wrong = base64.b64encode(bytes(len(base64.b64decode(value)))).decode()
            expect_error("BadDigest", s3.put_object, Bucket="bkt", Key="wrong", Body=body, **{"Checksum" + name: wrong})
            expect_error("InvalidRequest", s3.put_object, Bucket="bkt", Key="wrong", Body=body, **{"Checksum" + name: "abc"})
        md5 = base64.b64encode(hashlib.md5(body).digest()).decode()
        s3.put_object(Bucket="bkt", Key="md5", Body=body, ContentMD5=md5)
        expect_error("BadDigest", s3.put_object, Bucket="bkt", Key="wrong", Body=b"x", ContentMD5=md5)
        expect_error("InvalidDigest", s3.put_object, Bucket="bkt", Key="wrong", Body=b"x", ContentMD5="abc")
        expect_error("404", s3.head_object, Bucket="bkt", Key="wrong")
        # A trailer (what clients send over TLS) by hand.
        crc = base64.b64encode(zlib.crc32(b"hello world").to_bytes(4, "big")).decode()
        for value, status in ((crc, 200), ("AAAAAA==", 400)):
            chunks = b"b\r\nhello world\r\n0\r\nx-amz-checksum-crc32:" + value.encode() + b"\r\n\r\n"
            got = http(server.url + "/bkt/trailer-%d" % status, "PUT", chunks, unsigned_headers(server, "bkt/trailer-%d" % status, {
                "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length": "11",
                "x-amz-trailer": "x-amz-checksum-crc32", "Content-Encoding": "aws-chunked"}))
            assert got[0] == status, got
        got = s3.get_object(Bucket="bkt", Key="trailer-200")
        assert got["Body"].read() == b"hello world" and got["ChecksumCRC32"] == crc and "ContentEncoding" not in got
        # Of parts: of their checksums, or of the whole.
        pieces = [some_bytes(5 * MIB, 1), some_bytes(77, 2)]
        for algorithm, kind in (("CRC32", "COMPOSITE"), ("SHA256", "COMPOSITE"), ("CRC32", "FULL_OBJECT")):
            up = s3.create_multipart_upload(Bucket="bkt", Key="parts", ChecksumAlgorithm=algorithm, ChecksumType=kind)
            assert up["ChecksumAlgorithm"] == algorithm and up["ChecksumType"] == kind
            parts = []
            for i, piece in enumerate(pieces):
                part = s3.upload_part(Bucket="bkt", Key="parts", UploadId=up["UploadId"], PartNumber=i + 1, Body=piece, ChecksumAlgorithm=algorithm)
                parts.append({"PartNumber": i + 1, "ETag": part["ETag"], "Checksum" + algorithm: part["Checksum" + algorithm]})
            done = s3.complete_multipart_upload(Bucket="bkt", Key="parts", UploadId=up["UploadId"], MultipartUpload={"Parts": parts},
                                                ChecksumType=kind)
            sums = b"".join(base64.b64decode(p["Checksum" + algorithm]) for p in parts)
            of_sums = hashlib.sha256(sums).digest() if algorithm == "SHA256" else zlib.crc32(sums).to_bytes(4, "big")
            if kind == "COMPOSITE":
                assert done["ChecksumCRC32" if algorithm == "CRC32" else "ChecksumSHA256"] == base64.b64encode(of_sums).decode() + "-2"
            else:
                assert done["ChecksumCRC32"] == base64.b64encode(zlib.crc32(b"".join(pieces)).to_bytes(4, "big")).decode()
            got = s3.get_object(Bucket="bkt", Key="parts", ChecksumMode="ENABLED")
            assert got["ChecksumType"] == kind and got["Checksum" + algorithm] == done["Checksum" + algorithm]
            assert got["Body"].read() == b"".join(pieces)
        expect_error("InvalidRequest", s3.create_multipart_upload, Bucket="bkt", Key="x", ChecksumAlgorithm="SHA256", ChecksumType="FULL_OBJECT")


def unsigned_headers(server, path, more):
    """Headers of a signed PUT whose body is not in the signature."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials
    from _claryd import ACCESS_KEY, SECRET_KEY
    request = AWSRequest(method="PUT", url=server.url + "/" + path, headers=dict(more))

    class Signer(SigV4Auth):
        def payload(self, request):
            return request.headers["x-amz-content-sha256"]
    Signer(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1").add_auth(request)
    return dict(request.headers.items())


def test_copies():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        s3.create_bucket(Bucket="other")
        for n in (10, 200000):
            body = some_bytes(n)
            etag = s3.put_object(Bucket="bkt", Key="a b/ü", Body=body, Metadata={"x": "1"}, ContentType="text/a", Tagging="t=1")["ETag"]
            done = s3.copy_object(Bucket="other", Key="k", CopySource={"Bucket": "bkt", "Key": "a b/ü"})
            assert done["CopyObjectResult"]["ETag"] == etag
            got = s3.get_object(Bucket="other", Key="k")
            assert got["Body"].read() == body and got["Metadata"] == {"x": "1"} and got["ContentType"] == "text/a" and got["TagCount"] == 1
            s3.copy_object(Bucket="other", Key="k2", CopySource="/bkt/a b/ü", MetadataDirective="REPLACE", Metadata={"y": "2"},
                           ContentType="text/b", TaggingDirective="REPLACE", Tagging="u=2&v=3")
            got = s3.get_object(Bucket="other", Key="k2")
            assert got["Metadata"] == {"y": "2"} and got["ContentType"] == "text/b" and got["TagCount"] == 2
            s3.delete_object(Bucket="bkt", Key="a b/ü")
            assert s3.get_object(Bucket="other", Key="k")["Body"].read() == body
            expect_error("InvalidRequest", s3.copy_object, Bucket="other", Key="k", CopySource="other/k")
            s3.copy_object(Bucket="other", Key="k", CopySource="other/k", MetadataDirective="REPLACE", Metadata={"z": "3"})
            got = s3.get_object(Bucket="other", Key="k")
            assert got["Metadata"] == {"z": "3"} and got["Body"].read() == body
            expect_error("PreconditionFailed", s3.copy_object, Bucket="bkt", Key="c", CopySource="other/k", CopySourceIfMatch='"x"')
            expect_error("PreconditionFailed", s3.copy_object, Bucket="bkt", Key="c", CopySource="other/k", CopySourceIfNoneMatch=etag)
            s3.copy_object(Bucket="bkt", Key="c", CopySource="other/k", CopySourceIfMatch=etag)
            done = s3.copy_object(Bucket="bkt", Key="sha", CopySource="other/k", ChecksumAlgorithm="SHA256")
            assert done["CopyObjectResult"]["ChecksumSHA256"] == base64.b64encode(hashlib.sha256(body).digest()).decode()
        expect_error("NoSuchKey", s3.copy_object, Bucket="bkt", Key="c", CopySource="other/none")
        expect_error("NoSuchBucket", s3.copy_object, Bucket="bkt", Key="c", CopySource="none-such/none")
        body = some_bytes(6 * MIB)
        s3.put_object(Bucket="bkt", Key="big", Body=body)
        up = s3.create_multipart_upload(Bucket="bkt", Key="joined")["UploadId"]
        parts = []
        for i, cut in enumerate(("bytes=0-%d" % (5 * MIB - 1), "bytes=%d-%d" % (5 * MIB, 6 * MIB - 1))):
            part = s3.upload_part_copy(Bucket="bkt", Key="joined", UploadId=up, PartNumber=i + 1, CopySource="bkt/big", CopySourceRange=cut)
            parts.append({"PartNumber": i + 1, "ETag": part["CopyPartResult"]["ETag"]})
        s3.complete_multipart_upload(Bucket="bkt", Key="joined", UploadId=up, MultipartUpload={"Parts": parts})
        assert s3.get_object(Bucket="bkt", Key="joined")["Body"].read() == body
        s3.put_bucket_versioning(Bucket="bkt", VersioningConfiguration={"Status": "Enabled"})
        one = s3.put_object(Bucket="bkt", Key="v", Body=b"1")["VersionId"]
        s3.put_object(Bucket="bkt", Key="v", Body=b"2")
        done = s3.copy_object(Bucket="bkt", Key="v", CopySource={"Bucket": "bkt", "Key": "v", "VersionId": one})
        assert done["CopySourceVersionId"] == one and s3.get_object(Bucket="bkt", Key="v")["Body"].read() == b"1"


def test_transfers_as_boto3_makes_them():
    with Claryd() as server:
        from boto3.s3.transfer import TransferConfig
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        body = some_bytes(37 * MIB + 5)
        s3.upload_fileobj(io.BytesIO(body), "bkt", "big", Config=TransferConfig(multipart_threshold=8 * MIB, max_concurrency=4))
        got = io.BytesIO()
        s3.download_fileobj("bkt", "big", got)
        assert got.getvalue() == body and s3.head_object(Bucket="bkt", Key="big")["ETag"].endswith('-5"')
        s3.copy({"Bucket": "bkt", "Key": "big"}, "bkt", "copy", Config=TransferConfig(multipart_threshold=8 * MIB))
        got = io.BytesIO()
        s3.download_fileobj("bkt", "copy", got)
        assert got.getvalue() == body


def test_presigned():
    with Claryd(strict=True) as server:
        from botocore.config import Config
        server.client("s3").create_bucket(Bucket="bkt")
        for version in ("s3v4", "s3"):
            s3 = server.client("s3", config=Config(signature_version=version))
            url = s3.generate_presigned_url("put_object", Params={"Bucket": "bkt", "Key": "a b", "ContentType": "text/x"}, ExpiresIn=60)
            status, _, answer = http(url, "PUT", b"by url", {"Content-Type": "text/x"})
            assert status == 200, (version, answer)
            url = s3.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": "a b"}, ExpiresIn=60)
            assert http(url)[2] == b"by url"
            assert http(url[:-1] + ("0" if url[-1] != "0" else "1"))[0] == 403
            assert http(url.replace("a%20b", "other"))[0] == 403
        assert http(server.url + "/bkt/a%20b")[0] == 403


def test_forms():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")

        def send(fields, body, name="name.txt"):
            lines = []
            for key, value in fields.items():
                lines.append('--XX\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n' % (key, value))
            lines.append('--XX\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\nContent-Type: text/plain\r\n\r\n' % name)
            return http(server.url + "/bkt", "POST", "".join(lines).encode() + body + b"\r\n--XX--\r\n",
                        {"Content-Type": "multipart/form-data; boundary=XX"})
        form = s3.generate_presigned_post("bkt", "up/${filename}", Fields={"x-amz-meta-who": "me", "success_action_status": "201"},
                                          Conditions=[{"x-amz-meta-who": "me"}, ["content-length-range", 1, 200000],
                                                      {"success_action_status": "201"}])
        for body in (b"hello\r\n--X not the end", some_bytes(150000)):
            status, fields, answer = send(form["fields"], body)
            assert status == 201 and b"<Key>up/name.txt</Key>" in answer, (status, answer)
            got = s3.get_object(Bucket="bkt", Key="up/name.txt")
            assert got["Body"].read() == body and got["Metadata"] == {"who": "me"}
        assert send(form["fields"], b"")[0] == 400
        status, _, answer = send(form["fields"], some_bytes(200001))
        assert status == 400 and b"EntityTooLarge" in answer
        status, _, answer = send(dict(form["fields"], extra="1"), b"x")
        assert status == 403 and b"Extra input fields: extra" in answer
        status, _, answer = send(dict(form["fields"], key="elsewhere"), b"x")
        assert status == 403 and b"Policy Condition failed" in answer
        old = s3.generate_presigned_post("bkt", "k", ExpiresIn=-5)
        status, _, answer = send(old["fields"], b"x")
        assert status == 403 and b"Policy expired" in answer
        assert send({"key": "k"}, b"x")[0] == 403
        assert send({}, b"x")[0] == 400
        plain = s3.generate_presigned_post("bkt", "k")
        assert send(plain["fields"], b"x")[0] == 204


def test_tags_and_acls():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        s3.put_object(Bucket="bkt", Key="k", Body=b"x", Tagging="a=1&b%20c=d+e")
        assert s3.get_object_tagging(Bucket="bkt", Key="k")["TagSet"] == [{"Key": "a", "Value": "1"}, {"Key": "b c", "Value": "d e"}]
        s3.put_object_tagging(Bucket="bkt", Key="k", Tagging={"TagSet": [{"Key": "n", "Value": ""}]})
        assert s3.get_object_tagging(Bucket="bkt", Key="k")["TagSet"] == [{"Key": "n", "Value": ""}]
        expect_error("InvalidTag", s3.put_object_tagging, Bucket="bkt", Key="k",
                     Tagging={"TagSet": [{"Key": str(i), "Value": ""} for i in range(11)]})
        s3.delete_object_tagging(Bucket="bkt", Key="k")
        assert s3.get_object_tagging(Bucket="bkt", Key="k")["TagSet"] == []
        expect_error("NoSuchKey", s3.get_object_tagging, Bucket="bkt", Key="none")
        assert [g["Permission"] for g in s3.get_object_acl(Bucket="bkt", Key="k")["Grants"]] == ["FULL_CONTROL"]
        s3.put_object_acl(Bucket="bkt", Key="k", ACL="public-read")
        acl = s3.get_object_acl(Bucket="bkt", Key="k")
        assert [g["Permission"] for g in acl["Grants"]] == ["FULL_CONTROL", "READ"]
        s3.put_object_acl(Bucket="bkt", Key="k", AccessControlPolicy={"Owner": acl["Owner"], "Grants": acl["Grants"][:1]})
        assert len(s3.get_object_acl(Bucket="bkt", Key="k")["Grants"]) == 1
        s3.put_bucket_acl(Bucket="bkt", ACL="public-read")
        assert len(s3.get_bucket_acl(Bucket="bkt")["Grants"]) == 2


def test_settings_unset_and_set():
    """What Terraform and lake code ask of a bucket."""
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        for code, call in (("NoSuchBucketPolicy", s3.get_bucket_policy), ("NoSuchCORSConfiguration", s3.get_bucket_cors),
                           ("NoSuchWebsiteConfiguration", s3.get_bucket_website),
                           ("NoSuchLifecycleConfiguration", s3.get_bucket_lifecycle_configuration),
                           ("ReplicationConfigurationNotFoundError", s3.get_bucket_replication),
                           ("ServerSideEncryptionConfigurationNotFoundError", s3.get_bucket_encryption),
                           ("ObjectLockConfigurationNotFoundError", s3.get_object_lock_configuration),
                           ("NoSuchTagSet", s3.get_bucket_tagging),
                           ("NoSuchPublicAccessBlockConfiguration", s3.get_public_access_block),
                           ("OwnershipControlsNotFoundError", s3.get_bucket_ownership_controls)):
            expect_error(code, call, Bucket="bkt")
            expect_error("NoSuchBucket", call, Bucket="none-such")
        for call in (s3.get_bucket_versioning, s3.get_bucket_logging, s3.get_bucket_accelerate_configuration,
                     s3.get_bucket_notification_configuration):
            answer = call(Bucket="bkt")
            del answer["ResponseMetadata"]
            assert answer == {}, answer
        assert s3.get_bucket_request_payment(Bucket="bkt")["Payer"] == "BucketOwner"
        cases = [
            (s3.put_bucket_tagging, "Tagging", {"TagSet": [{"Key": "team", "Value": "a"}]}, s3.get_bucket_tagging, None, s3.delete_bucket_tagging),
            (s3.put_bucket_cors, "CORSConfiguration", {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]},
             s3.get_bucket_cors, None, s3.delete_bucket_cors),
            (s3.put_bucket_lifecycle_configuration, "LifecycleConfiguration",
             {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}]},
             s3.get_bucket_lifecycle_configuration, None, s3.delete_bucket_lifecycle),
            (s3.put_bucket_encryption, "ServerSideEncryptionConfiguration",
             {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}, s3.get_bucket_encryption,
             "ServerSideEncryptionConfiguration", s3.delete_bucket_encryption),
            (s3.put_bucket_website, "WebsiteConfiguration", {"IndexDocument": {"Suffix": "index.html"}}, s3.get_bucket_website, None,
             s3.delete_bucket_website),
            (s3.put_bucket_notification_configuration, "NotificationConfiguration",
             {"LambdaFunctionConfigurations": [{"Id": "x", "LambdaFunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:f",
                                                "Events": ["s3:ObjectCreated:*"],
                                                "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "in/"}]}}}]},
             s3.get_bucket_notification_configuration, None, None),
            (s3.put_public_access_block, "PublicAccessBlockConfiguration",
             {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": True, "RestrictPublicBuckets": True},
             s3.get_public_access_block, "PublicAccessBlockConfiguration", s3.delete_public_access_block),
            (s3.put_bucket_ownership_controls, "OwnershipControls", {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
             s3.get_bucket_ownership_controls, "OwnershipControls", s3.delete_bucket_ownership_controls),
            (s3.put_bucket_accelerate_configuration, "AccelerateConfiguration", {"Status": "Enabled"},
             s3.get_bucket_accelerate_configuration, None, None),
            (s3.put_bucket_request_payment, "RequestPaymentConfiguration", {"Payer": "Requester"}, s3.get_bucket_request_payment, None, None),
            (s3.put_bucket_logging, "BucketLoggingStatus", {"LoggingEnabled": {"TargetBucket": "bkt", "TargetPrefix": "log/"}},
             s3.get_bucket_logging, None, None),
        ]
        for put, member, document, get, inside, delete in cases:
            put(Bucket="bkt", **{member: document})
            answer = get(Bucket="bkt")
            answer.pop("ResponseMetadata")
            answer.pop("TransitionDefaultMinimumObjectSize", None)
            got = answer[inside] if inside else answer
            assert got == document, (member, got)
            if delete:
                delete(Bucket="bkt")
                try:
                    get(Bucket="bkt")
                    raise AssertionError(member)
                except s3.exceptions.ClientError:
                    pass
        expect_error("NotImplemented", s3.put_bucket_encryption, Bucket="bkt", ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}}]})
        assert s3.put_object(Bucket="bkt", Key="k", Body=b"x", ServerSideEncryption="AES256")["ServerSideEncryption"] == "AES256"
        assert s3.head_object(Bucket="bkt", Key="k")["ServerSideEncryption"] == "AES256"
        policy = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
                                                                     "Resource": "arn:aws:s3:::bkt/*"}]})
        s3.put_bucket_policy(Bucket="bkt", Policy=policy)
        assert json.loads(s3.get_bucket_policy(Bucket="bkt")["Policy"]) == json.loads(policy)
        assert s3.get_bucket_policy_status(Bucket="bkt")["PolicyStatus"]["IsPublic"] is True
        expect_error("MalformedPolicy", s3.put_bucket_policy, Bucket="bkt", Policy=policy.replace("bkt/", "other/"))
        expect_error("MalformedPolicy", s3.put_bucket_policy, Bucket="bkt", Policy="{nonsense")
        s3.delete_bucket_policy(Bucket="bkt")
        expect_error("NoSuchBucketPolicy", s3.get_bucket_policy, Bucket="bkt")


def test_public_reading():
    with Claryd(strict=True) as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        s3.put_object(Bucket="bkt", Key="open/k", Body=b"public")
        s3.put_object(Bucket="bkt", Key="k", Body=b"private")
        assert http(server.url + "/bkt/open/k")[0] == 403
        s3.put_bucket_policy(Bucket="bkt", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": ["s3:GetObject"], "Resource": "arn:aws:s3:::bkt/open/*"}]}))
        assert http(server.url + "/bkt/open/k")[::2] == (200, b"public")
        status, _, body = http(server.url + "/bkt/k")
        assert status == 403 and b"<Code>AccessDenied</Code>" in body
        assert http(server.url + "/bkt/open/none")[0] in (403, 404)
        assert http(server.url + "/bkt/open/k", "DELETE")[0] == 403
        assert http(server.url + "/bkt")[0] == 403
        s3.put_object(Bucket="bkt", Key="acl", Body=b"by acl", ACL="public-read")
        assert http(server.url + "/bkt/acl")[::2] == (200, b"by acl")
        s3.put_public_access_block(Bucket="bkt", PublicAccessBlockConfiguration={"IgnorePublicAcls": True})
        assert http(server.url + "/bkt/acl")[0] == 403
        s3.put_bucket_policy(Bucket="bkt", Policy=json.dumps({"Version": "2012-10-17", "Statement": [
            {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::bkt/k"}]}))
        assert http(server.url + "/bkt/open/k")[0] == 403


def test_cors():
    with Claryd() as server:
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        s3.put_object(Bucket="bkt", Key="k", Body=b"x")
        ask = {"Origin": "https://app.example", "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type"}
        assert http(server.url + "/bkt/k", "OPTIONS", headers=ask)[0] == 403
        s3.put_bucket_cors(Bucket="bkt", CORSConfiguration={"CORSRules": [{
            "AllowedOrigins": ["https://*.example"], "AllowedMethods": ["GET", "PUT"], "AllowedHeaders": ["Content-*"],
            "ExposeHeaders": ["ETag"], "MaxAgeSeconds": 60}]})
        status, fields, _ = http(server.url + "/bkt/k", "OPTIONS", headers=ask)
        assert status == 200 and fields["Access-Control-Allow-Origin"] == "https://app.example"
        assert fields["Access-Control-Allow-Headers"] == "content-type" and fields["Access-Control-Max-Age"] == "60"
        assert http(server.url + "/bkt/k", "OPTIONS", headers=dict(ask, Origin="https://else.where"))[0] == 403
        assert http(server.url + "/bkt/k", "OPTIONS", headers=dict(ask, **{"Access-Control-Request-Headers": "x-other"}))[0] == 403
        url = s3.generate_presigned_url("get_object", Params={"Bucket": "bkt", "Key": "k"})
        fields = http(url, headers={"Origin": "https://app.example"})[1]
        assert fields["Access-Control-Allow-Origin"] == "https://app.example" and fields["Access-Control-Expose-Headers"] == "ETag"
        assert http(url)[1]["Access-Control-Allow-Origin"] is None


def test_buckets_in_host_names():
    with Claryd() as server:
        from botocore.config import Config
        s3 = server.client("s3")
        s3.create_bucket(Bucket="bkt")
        s3.put_object(Bucket="bkt", Key="a/b", Body=b"x")
        url = "http://bkt.s3.localhost:%d/a/b" % server.port
        for _ in range(2):
            from botocore.auth import S3SigV4Auth
            from botocore.awsrequest import AWSRequest
            from botocore.credentials import Credentials
            from _claryd import ACCESS_KEY, SECRET_KEY
            request = AWSRequest(method="GET", url=url)
            S3SigV4Auth(Credentials(ACCESS_KEY, SECRET_KEY), "s3", "us-east-1").add_auth(request)
            headers = dict(request.headers.items(), Host="bkt.s3.localhost:%d" % server.port)
            assert http(server.url + "/a/b", headers=headers)[::2] == (200, b"x")
            assert http(server.url + "/bkt/a/b", headers=headers)[0] in (403, 404)
        proxied = server.client("s3", config=Config(s3={"addressing_style": "path"}))
        assert proxied.get_object(Bucket="bkt", Key="a/b")["Body"].read() == b"x"


def test_the_aws_cli():
    if not shutil.which("aws"):
        raise Skip("the AWS CLI is not installed")
    with Claryd() as server:
        folder = os.path.join(os.environ.get("TMPDIR", "/tmp"), "s3-cli-%d" % os.getpid())
        os.makedirs(os.path.join(folder, "in", "deep"))
        try:
            contents = {"a.txt": b"a", "deep/b.bin": some_bytes(9 * MIB), "deep/c.txt": b"c"}
            for name, body in contents.items():
                with open(os.path.join(folder, "in", name), "wb") as file:
                    file.write(body)

            def aws(*words):
                done = subprocess.run(["aws", "s3", *words], env=server.environment(), cwd=folder, capture_output=True, text=True, timeout=60)
                assert done.returncode == 0, (words, done.stdout, done.stderr)
                return done.stdout
            aws("mb", "s3://cli-bucket")
            aws("cp", "in/a.txt", "s3://cli-bucket/one.txt")
            assert aws("cp", "s3://cli-bucket/one.txt", "-") == "a"
            aws("sync", "in", "s3://cli-bucket/tree")
            listed = aws("ls", "--recursive", "s3://cli-bucket")
            assert "tree/deep/b.bin" in listed and "9437184" in listed
            assert "PRE deep/" in aws("ls", "s3://cli-bucket/tree/")
            assert aws("sync", "in", "s3://cli-bucket/tree") == ""
            aws("sync", "s3://cli-bucket/tree", "out")
            for name, body in contents.items():
                with open(os.path.join(folder, "out", name), "rb") as file:
                    assert file.read() == body
            aws("mv", "s3://cli-bucket/one.txt", "s3://cli-bucket/two.txt")
            assert http(aws("presign", "s3://cli-bucket/two.txt").strip())[2] == b"a"
            aws("rm", "--recursive", "s3://cli-bucket")
            assert aws("ls", "s3://cli-bucket") == ""
            aws("rb", "s3://cli-bucket")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def test_a_folder_is_a_bucket():
    folder = os.path.join(os.environ.get("TMPDIR", "/tmp"), "s3-folder-%d" % os.getpid())
    os.makedirs(os.path.join(folder, "data"))
    with open(os.path.join(folder, "data", "a.csv"), "w") as file:
        file.write("1,2\n")
    try:
        with Claryd("--bucket", "sample-files=" + folder) as server:
            s3 = server.client("s3")
            assert [b["Name"] for b in s3.list_buckets()["Buckets"]] == ["sample-files"]
            assert s3.list_objects_v2(Bucket="sample-files", Delimiter="/")["CommonPrefixes"] == [{"Prefix": "data/"}]
            got = s3.get_object(Bucket="sample-files", Key="data/a.csv")
            assert got["Body"].read() == b"1,2\n"
            s3.create_bucket(Bucket="own")
            s3.copy_object(Bucket="own", Key="a", CopySource="sample-files/data/a.csv")
            assert s3.get_object(Bucket="own", Key="a")["Body"].read() == b"1,2\n"
            expect_error("AccessDenied", s3.put_object, Bucket="sample-files", Key="x", Body=b"x")
            expect_error("AccessDenied", s3.delete_object, Bucket="sample-files", Key="data/a.csv")
            expect_error("NoSuchKey", s3.get_object, Bucket="sample-files", Key="../x")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_reset_empties():
    with Claryd() as server:
        s3 = server.client("s3")
        for _ in range(2):
            s3.create_bucket(Bucket="bkt")
            assert "Contents" not in s3.list_objects_v2(Bucket="bkt")
            s3.put_object(Bucket="bkt", Key="k", Body=some_bytes(100000))
            s3.put_object(Bucket="bkt", Key="s", Body=b"x")
            server.reset()
            assert s3.list_buckets()["Buckets"] == []


def test_a_restart_keeps_everything():
    home = os.path.join(os.environ.get("TMPDIR", "/tmp"), "s3-home-%d" % os.getpid())
    try:
        bodies = {"small": b"s", "large": some_bytes(3 * MIB)}
        with Claryd(home=home, ephemeral=False) as server:
            s3 = server.client("s3")
            s3.create_bucket(Bucket="bkt")
            for key, body in bodies.items():
                s3.put_object(Bucket="bkt", Key=key, Body=body)
            up = s3.create_multipart_upload(Bucket="bkt", Key="parts")["UploadId"]
            one = s3.upload_part(Bucket="bkt", Key="parts", UploadId=up, PartNumber=1, Body=some_bytes(5 * MIB))["ETag"]
        with Claryd(home=home, ephemeral=False) as server:
            s3 = server.client("s3")
            for key, body in bodies.items():
                assert s3.get_object(Bucket="bkt", Key=key)["Body"].read() == body
            time.sleep(0.3)  # the sweep
            two = s3.upload_part(Bucket="bkt", Key="parts", UploadId=up, PartNumber=2, Body=b"end")["ETag"]
            s3.complete_multipart_upload(Bucket="bkt", Key="parts", UploadId=up, MultipartUpload={
                "Parts": [{"PartNumber": 1, "ETag": one}, {"PartNumber": 2, "ETag": two}]})
            assert s3.get_object(Bucket="bkt", Key="parts")["Body"].read() == some_bytes(5 * MIB) + b"end"
    finally:
        shutil.rmtree(home, ignore_errors=True)


main()
