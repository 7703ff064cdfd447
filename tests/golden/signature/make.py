#!/usr/bin/env python3
"""Requests signed by botocore, for src/aws/signature_test.c.

    python3 make.py > requests.json        (made with botocore 1.43.11)

Every request is what an unmodified client or one of botocore's signers puts on the wire; `now` is the
time it was signed at.  Chunked bodies with signed chunks, which botocore does not make, are made by the
second implementation below, written from AWS's description.
"""
import base64
import binascii
import datetime
import hashlib
import hmac
import json
import sys
from urllib.parse import urlsplit

import boto3
import botocore
import botocore.auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.config import Config
from botocore.credentials import Credentials

KEY, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEJr//////////wEaDA+/=="
NOW = datetime.datetime(2015, 8, 30, 12, 36, 0, tzinfo=datetime.timezone.utc)
cases = []


class Frozen(datetime.datetime):
    @classmethod
    def utcnow(cls):
        return NOW.replace(tzinfo=None)

    @classmethod
    def now(cls, tz=None):
        return NOW.astimezone(tz) if tz else NOW.replace(tzinfo=None)


botocore.auth.get_current_datetime = lambda remove_tzinfo=True: NOW.replace(tzinfo=None)
botocore.auth.time.time = lambda: NOW.timestamp()


def text(value):
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def wire(method, url, headers, body):
    parts = urlsplit(url)
    target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
    head = "%s %s HTTP/1.1\r\n" % (method, target)
    names = [name.lower() for name in headers]
    if "host" not in names:
        head += "Host: %s\r\n" % parts.netloc
    if body and "content-length" not in names:
        head += "Content-Length: %d\r\n" % len(body)
    for name, value in headers.items():
        head += "%s: %s\r\n" % (name, text(value))
    return head + "\r\n"


def add(name, service, method, url, headers, body=b"", token="", now=NOW):
    body = body or b""
    if isinstance(body, str):
        body = body.encode()
    cases.append({"name": name, "service": service, "secret": SECRET, "token": token, "now": now.timestamp(),
                  "head": wire(method, url, headers, body), "body": base64.b64encode(body).decode()})


def by_signer(name, signer, service, method, url, headers=None, body=b"", token=None, region="us-east-1", **args):
    request = AWSRequest(method=method, url=url, headers=headers or {}, data=body)
    credentials = Credentials(KEY, SECRET, token)
    made = signer(credentials, service, region, **args) if signer is not botocore.auth.HmacV1QueryAuth else signer(credentials, **args)
    made.add_auth(request)
    sent = (headers or {}) if "Query" in signer.__name__ else dict(request.headers)
    add(name, service, method, request.url, sent, body, token or "")


V4, QUERY = botocore.auth.SigV4Auth, botocore.auth.SigV4QueryAuth
S3, S3QUERY, V2 = botocore.auth.S3SigV4Auth, botocore.auth.S3SigV4QueryAuth, botocore.auth.HmacV1QueryAuth
JSON = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "SageMaker.ListModels"}
by_signer("json", V4, "sagemaker", "POST", "http://127.0.0.1:4566/", JSON, b'{"MaxResults": 1}')
by_signer("json, token", V4, "sagemaker", "POST", "http://127.0.0.1:4566/", JSON, b"{}", TOKEN)
by_signer("form", V4, "sts", "POST", "http://localhost/", {"Content-Type": "application/x-www-form-urlencoded"},
          b"Action=GetCallerIdentity&Version=2011-06-15")
by_signer("blanks in a header", V4, "service", "GET", "http://example.amazonaws.com/",
          {"My-Header1": "  a   b \t c  ", "My-Header2": '"a   b   c"'})
for path in ("/a//b/../c/./d", "/a/b/", "/..", "/./", "//", "/%20/foo", "/%E1%88%B4", "/a%2Fb", "/a(b)c'd*!", "/-._~0aZ", "/a..b/...", "/a/.."):
    by_signer("path " + path, V4, "service", "GET", "http://example.amazonaws.com" + path)
    by_signer("S3 path " + path, S3, "s3", "GET", "http://example.amazonaws.com" +
              path.replace("(", "%28").replace(")", "%29").replace("'", "%27").replace("*", "%2A").replace("!", "%21"))
for query in ("b=2&a=1", "a=2&a=1&A=0", "a", "a=&b", "a=%20&a-b=1&a.b=2", "%E1%88%B4=bar", "x=%2F%3D%26", "prefix=a%2Fb&list-type=2"):
    by_signer("query " + query, V4, "service", "GET", "http://example.amazonaws.com/?" + "&".join(
        p if "=" in p else p + "=" for p in query.split("&")))
by_signer("S3 unsigned over https", S3, "s3", "GET", "https://bucket.s3.amazonaws.com/key")
by_signer("presigned", S3QUERY, "s3", "GET", "http://127.0.0.1:4566/bucket/a%20key?versionId=3", expires=900)
by_signer("presigned, token", S3QUERY, "s3", "PUT", "http://127.0.0.1:4566/bucket/key", token=TOKEN, expires=604800)
by_signer("presigned for another service", QUERY, "sts", "GET",
          "http://127.0.0.1/?Action=GetCallerIdentity&Version=2011-06-15", expires=60)
by_signer("V2", V2, "s3", "GET", "http://127.0.0.1:4566/bucket/a%20key", expires=3600)
by_signer("V2, subresources", V2, "s3", "GET",
          "http://127.0.0.1:4566/bucket/key?versionId=3&uploads&response-content-type=text%2Fplain&x=1", expires=3600)
by_signer("V2, token", V2, "s3", "GET", "http://127.0.0.1:4566/bucket/key", token=TOKEN, expires=3600)
by_signer("V2, headers", V2, "s3", "PUT", "http://127.0.0.1:4566/bucket/key",
          {"Content-Type": "text/plain", "Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg==", "x-amz-meta-b": "2", "x-amz-meta-a": "1"},
          b"", expires=3600)

# ---- whole clients ----


def client(service, url, region, token=None, **config):
    made = boto3.client(service, region_name=region, endpoint_url=url, aws_access_key_id=KEY,
                        aws_secret_access_key=SECRET, aws_session_token=token,
                        config=Config(retries={"total_max_attempts": 1}, **config))

    def send(request, **_):
        body = request.body
        if hasattr(body, "read"):
            body = body.read()
        headers = {k: v for k, v in request.headers.items() if k.lower() not in
                   ("user-agent", "amz-sdk-invocation-id", "transfer-encoding")}
        add("%s %s" % (service, client.what), service, request.method, request.url, headers, body, token or "")
        raise StopIteration

    made.meta.events.register("before-send", send)
    return made


def call(what, function, **args):
    client.what = what
    try:
        function(**args)
    except StopIteration:
        pass


http, https = "http://127.0.0.1:4566", "https://127.0.0.1:4566"
for url in (http, https):
    s3 = client("s3", url, "us-east-1")
    call("PutObject " + url, s3.put_object, Bucket="bucket", Key="a b/ü+&=?~.txt", Body=b"hello", Metadata={"colour": "blue"})
    call("PutObject, SHA256 " + url, s3.put_object, Bucket="bucket", Key="k", Body=b"hello", ChecksumAlgorithm="SHA256")
    call("PutObject, SHA1 " + url, s3.put_object, Bucket="bucket", Key="k", Body=b"hello", ChecksumAlgorithm="SHA1")
    call("UploadPart " + url, s3.upload_part, Bucket="bucket", Key="k", UploadId="u", PartNumber=1, Body=b"x" * 9000)
    call("GetObject " + url, s3.get_object, Bucket="bucket", Key="k", Range="bytes=0-9")
    call("ListObjectsV2 " + url, s3.list_objects_v2, Bucket="bucket", Prefix="a b+c/ü", Delimiter="/")
    call("CreateBucket " + url, s3.create_bucket, Bucket="bucket")
    call("DeleteObjects " + url, s3.delete_objects, Bucket="bucket", Delete={"Objects": [{"Key": "k"}]})
    call("ListBuckets " + url, s3.list_buckets)
call("HeadObject, token", client("s3", http, "eu-central-1", TOKEN).head_object, Bucket="bucket", Key="k")
call("ListTrainingJobs", client("sagemaker", http, "eu-west-1").list_training_jobs)
call("InvokeEndpoint", client("sagemaker-runtime", http, "us-east-1").invoke_endpoint, EndpointName="e",
     ContentType="text/csv", Body=b"1,2,3")
call("GetCallerIdentity", client("sts", http, "us-east-1").get_caller_identity)
call("ListRoles", client("iam", http, "us-east-1").list_roles)
call("PutMetricData", client("cloudwatch", http, "us-east-1").put_metric_data, Namespace="n", MetricData=[{"MetricName": "m", "Value": 1}])
for region in ("us-east-1", "us-west-2", "eu-west-1", "eu-central-1"):
    for token in (None, TOKEN):
        s3 = client("s3", http, region, token)
        for what, args in (("get_object", {"Bucket": "bucket", "Key": "a b/ü"}),
                           ("put_object", {"Bucket": "bucket", "Key": "k"})):
            url = s3.generate_presigned_url(what, Params=args, ExpiresIn=600)
            add("presigned %s in %s" % (what, region), "s3", what[:3].upper(), url, {}, b"", token or "")

# ---- signed chunks: a second implementation ----


def mac(key, message):
    return hmac.new(key, message.encode(), hashlib.sha256)


def crc32(data):
    return base64.b64encode(binascii.crc32(data).to_bytes(4, "big")).decode()


def chunked(name, sizes, trailer):
    day, date, region = "20150830", "20150830T123600Z", "us-east-1"
    data = b"".join(bytes([97 + i % 26]) * size for i, size in enumerate(sizes))
    headers = {"Content-Encoding": "aws-chunked", "Host": "127.0.0.1:4566", "x-amz-content-sha256":
               "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" + ("-TRAILER" if trailer else ""), "x-amz-date": date,
               "x-amz-decoded-content-length": str(len(data))}
    if trailer:
        headers["x-amz-trailer"] = "x-amz-checksum-crc32"
    names = sorted(headers, key=str.lower)
    signed = ";".join(n.lower() for n in names)
    canonical = "PUT\n/bucket/key\n\n" + "".join("%s:%s\n" % (n.lower(), headers[n]) for n in names) + "\n" + signed + \
        "\n" + headers["x-amz-content-sha256"]
    scope = "%s/%s/s3/aws4_request" % (day, region)
    key = ("AWS4" + SECRET).encode()
    for part in (day, region, "s3", "aws4_request"):
        key = mac(key, part).digest()
    last = mac(key, "AWS4-HMAC-SHA256\n%s\n%s\n%s" % (date, scope, hashlib.sha256(canonical.encode()).hexdigest())).hexdigest()
    headers["Authorization"] = "AWS4-HMAC-SHA256 Credential=%s/%s,SignedHeaders=%s,Signature=%s" % (KEY, scope, signed, last)
    body, at = b"", 0
    empty = hashlib.sha256(b"").hexdigest()
    for size in sizes + [0]:
        piece = data[at:at + size]
        at += size
        last = mac(key, "AWS4-HMAC-SHA256-PAYLOAD\n%s\n%s\n%s\n%s\n%s" % (date, scope, last, empty, hashlib.sha256(piece).hexdigest())).hexdigest()
        body += b"%x;chunk-signature=%s\r\n" % (size, last.encode()) + piece + (b"\r\n" if size else b"")
    if trailer:
        line = "x-amz-checksum-crc32:%s\n" % crc32(data)
        last = mac(key, "AWS4-HMAC-SHA256-TRAILER\n%s\n%s\n%s\n%s" % (date, scope, last, hashlib.sha256(line.encode()).hexdigest())).hexdigest()
        body += line.replace("\n", "\r\n").encode() + b"x-amz-trailer-signature:%s\r\n" % last.encode()
    body += b"\r\n"
    add(name, "s3", "PUT", "http://127.0.0.1:4566/bucket/key", headers, body)


for trailer in (False, True):
    chunked("signed chunks" + (", trailer" if trailer else ""), [8192, 8192, 100], trailer)
    chunked("signed chunks, empty" + (", trailer" if trailer else ""), [], trailer)

# ---- forms ----
forms = []
for signer in (botocore.auth.S3SigV4PostAuth, botocore.auth.HmacV1PostAuth):
    for token in (None, TOKEN):
        request = AWSRequest(method="POST", url="http://127.0.0.1:4566/bucket")
        request.context["s3-presign-post-fields"] = {}
        request.context["s3-presign-post-policy"] = {"expiration": "2015-08-30T13:36:00Z", "conditions": [{"bucket": "bucket"}]}
        credentials = Credentials(KEY, SECRET, token)
        (signer(credentials, "s3", "us-east-1") if "V4" in signer.__name__ else signer(credentials)).add_auth(request)
        forms.append(request.context["s3-presign-post-fields"])

json.dump({"botocore": botocore.__version__, "secret": SECRET, "requests": cases, "forms": forms}, sys.stdout, indent=0, ensure_ascii=True)
print()
