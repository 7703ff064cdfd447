#!/usr/bin/env python3
"""botocore judges our protocols: for every operation of every service in api/ it serializes requests that we
must read back to the same values, and parses answers that we write from values drawn from the output shape."""

import base64
import collections
import datetime
import glob
import io
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
try:
    import botocore.awsrequest
    import botocore.loaders
    import botocore.model
    import botocore.parsers
    import botocore.serialize
    from botocore.eventstream import EventStreamBuffer
except ImportError as missing:
    if "CLARY_INSIDE" not in os.environ:  # another Python may have it
        os.environ["CLARY_INSIDE"] = "1"
        os.execvp("python3", ["python3", *sys.argv])
    print("skipped: %s" % missing)
    sys.exit(77)
from _values import Impossible, draw, value_of, without_empty  # noqa: E402

BUILD = os.environ.get("CLARY_BUILD", os.path.join(HERE, "..", "..", "build"))
API = os.path.join(HERE, "..", "..", "api")
tool = subprocess.Popen([os.path.join(BUILD, "tests", "wire", "wire_tool")], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
counts = collections.Counter()
failures = []
PROTOCOLS = {"json": "json", "rest-json": "rest-json", "rest-xml": "rest-xml", "query": "query",
             "smithy-rpc-v2-cbor": "cbor"}
ROUNDS = int(os.environ.get("CLARY_WIRE_ROUNDS", "2"))


def ask(command, payload):
    tool.stdin.write(("%s %d\n" % (command, len(payload))).encode() + payload)
    tool.stdin.flush()
    line = tool.stdout.readline()
    if not line:
        sys.exit("wire_tool ended at: %s\n%r" % (command, payload[:2000]))
    return json.loads(line)


def check(what, got, want, hint=""):
    counts["passed" if got == want else "failed"] += 1
    if got != want and len(failures) < 20:
        failures.append("%s\n    got  %s\n    want %s\n    %s" %
                        (what, json.dumps(got)[:1500], json.dumps(want)[:1500], str(hint)[:1500]))


def plain(shape, value):
    """As wire_tool shows it: times as seconds, blobs as base64."""
    kind = shape.type_name
    if getattr(shape, "is_document_type", False):
        return value
    if kind == "structure":
        return {k: plain(shape.members[k], v) for k, v in value.items() if k in shape.members and v is not None}
    if kind == "list":
        return [plain(shape.member, v) for v in value]
    if kind == "map":
        return {k: plain(shape.value, v) for k, v in value.items()}
    if isinstance(value, datetime.datetime):
        return value.timestamp()
    if kind == "blob":
        value = value.read() if hasattr(value, "read") else value
        value = value.encode() if isinstance(value, str) else value
        return base64.b64encode(value).decode()
    return value


# ---- both ways ----

def raw_request(request, host):
    query = request.get("query_string") or {}
    pairs = []
    for k, v in query.items() if isinstance(query, dict) else ():
        for item in v if isinstance(v, list) else [v]:
            pairs.append((k, item))
    url = "http://%s%s" % (host, request["url_path"])
    made = botocore.awsrequest.AWSRequest(method=request["method"], url=url, params=pairs or None,
                                          data=request["body"], headers=request["headers"]).prepare()
    body = made.body if made.body is not None else b""
    body = body.encode() if isinstance(body, str) else body.read() if hasattr(body, "read") else bytes(body)
    target = made.url.split(host, 1)[1] or "/"
    head = "%s %s HTTP/1.1\r\nHost: %s\r\n" % (made.method, target if target[0] == "/" else "/" + target, host)
    for name, value in made.headers.items():
        if name.lower() not in ("content-length", "host"):
            value = value.decode() if isinstance(value, bytes) else value
            head += "%s: %s\r\n" % (name, value)
    return (head + "Content-Length: %d\r\n\r\n" % len(body)).encode() + body


def streamed(shape):
    """The member that is a stream: it is no part of a tree."""
    payload = shape.serialization.get("payload")
    if payload and (shape.members[payload].serialization.get("streaming") or
                    shape.members[payload].serialization.get("eventstream")):
        return payload
    for name, member in shape.members.items():
        if member.serialization.get("eventstream"):
            return name
    return None


def try_request(service, model, name, protocol):
    operation = model.operation_model(name)
    shape = operation.input_shape
    try:
        params = value_of(shape) if shape else {}
    except Impossible:
        counts["impossible"] += 1
        return
    if service == "s3" and "Bucket" in params:
        params["Bucket"] = "bucket-1"
    if "RequestRoute" in params:
        params["RequestRoute"] = "route"  # becomes a part of the host name
    serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
    request = serializer.serialize_to_request(params, operation)
    raw = raw_request(request, "localhost:8000")
    got = ask("request %s" % model.signing_name, raw)
    want = plain(shape, params) if shape else {}
    if shape and streamed(shape):
        want.pop(streamed(shape), None)
    if "message" not in got:
        return check("%s.%s over %s is refused" % (service, name, protocol), got, want, raw)
    check("%s.%s over %s is taken for another" % (service, name, protocol),
          [got["service"], got["operation"], got["protocol"]], [service, name, PROTOCOLS[protocol]], raw)
    message = got["message"]
    if service == "s3":  # the body's real length, not the one that was drawn
        message.pop("ContentLength", None)
        want.pop("ContentLength", None)
    if protocol not in ("json", "smithy-rpc-v2-cbor"):
        message, want = without_empty(message), without_empty(want)
    check("%s.%s over %s is read" % (service, name, protocol), message, want, raw)


def places(shape, value, where, path, found, depth=0):
    """Every scalar, list and map in a value that has a constraint, with a function that replaces it."""
    kind = shape.type_name
    if depth > 8 or getattr(shape, "is_document_type", False):
        return
    if kind == "structure":
        for name, inner in value.items():
            member = shape.members[name]
            place = member.serialization.get("location", where)

            def put(new, name=name):
                value[name] = new

            found.append((member, inner, put, place, name))
            places(member, inner, place, path + [name], found, depth + 1)
    elif kind == "list":
        for inner in value:
            if shape.member.type_name == "structure":
                places(shape.member, inner, where, path, found, depth + 1)


def spoil(shape, value):
    """A value that breaks a constraint, and what the refusal must say."""
    meta, kind = shape.metadata, shape.type_name
    ways = []
    if kind == "string":
        if shape.enum:
            ways.append(("no-such-word", "Member must satisfy enum value set: [%s" % shape.enum[0]))
        if meta.get("max", 1 << 20) < 3000:
            ways.append(("a" * (meta["max"] + 1), "Member must have length less than or equal to %d" % meta["max"]))
        if meta.get("min", 0) > 1:
            ways.append(("a" * (meta["min"] - 1), "Member must have length greater than or equal to %d" % meta["min"]))
        if "pattern" in meta and meta.get("max", 9) > 3 and not re.search(r"^\.|\.\*|\\S|\^|\(\?|u00|uD7FF|x[02]|p\{|!|~", meta["pattern"]):
            ways.append(("!~!", "Member must satisfy regular expression pattern: " + meta["pattern"]))
    elif kind in ("integer", "long"):
        if "max" in meta and meta["max"] < 2 ** 31 - 1:
            ways.append((int(meta["max"]) + 1, "Member must have value less than or equal to %d" % meta["max"]))
        if "min" in meta:
            ways.append((int(meta["min"]) - 1, "Member must have value greater than or equal to %d" % meta["min"]))
    elif kind == "list" and value and meta.get("max", 1 << 20) < 60:
        ways.append(((value * (meta["max"] + 1))[:meta["max"] + 1],
                     "Member must have length less than or equal to %d" % meta["max"]))
    return draw.choice(ways) if ways else None


def try_refusal(service, model, name, protocol):
    """A request with one member at its limit + 1, or outside its words: refused in AWS's sentence."""
    operation = model.operation_model(name)
    shape = operation.input_shape
    try:
        params = value_of(shape) if shape else {}
    except Impossible:
        return
    if "Bucket" in params:
        params["Bucket"] = "bucket-1"
    if "RequestRoute" in params:
        params["RequestRoute"] = "route"
    found = []
    if shape:
        places(shape, params, "body", [], found)
    draw.shuffle(found)
    for member, value, put, where, member_name in found:
        spoilt = spoil(member, value)
        # botocore fills in idempotency tokens itself; names in a path choose the route.
        if not spoilt or member_name in ("Bucket", "RequestRoute", "Key"):
            continue
        put(spoilt[0])
        serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
        raw = raw_request(serializer.serialize_to_request(params, operation), "localhost:8000")
        got = ask("request %s" % model.signing_name, raw)
        text = got.get("text", "not refused")
        sentence = spoilt[1] if len(spoilt[1]) < 300 else spoilt[1][:300]
        check("%s.%s over %s: %s" % (service, name, protocol, member_name), sentence in text, True, (text, sentence, raw))
        counts["refusals"] += 1
        return


def response(got):
    headers = botocore.awsrequest.HeadersDict({k: v for k, v in got["fields"]})
    if got["type"]:
        headers["Content-Type"] = got["type"]
    return {"status_code": got["status"], "headers": headers, "body": base64.b64decode(got["body"])}


def try_answer(service, model, name, protocol):
    operation = model.operation_model(name)
    shape = operation.output_shape
    try:
        values = value_of(shape) if shape else {}
    except Impossible:
        counts["impossible"] += 1
        return
    stream = streamed(shape) if shape else None
    if stream:
        values.pop(stream, None)
    want = plain(shape, values) if shape else {}
    got = ask("answer %s %s %s" % (service, name, PROTOCOLS[protocol]), json.dumps(want).encode())
    answer = response(got)
    if shape and shape.serialization.get("payload") == stream and stream:
        answer["body"] = b""
    payload = shape.serialization.get("payload") if shape else None
    if payload and shape.members[payload].type_name == "blob":
        answer["body"] = io.BytesIO(answer["body"])  # botocore hands such bodies on as streams
    parser = botocore.parsers.create_parser(protocol)
    parsed = parser.parse(answer, shape) if not stream else None
    if stream:
        counts["streams"] += 1
        return
    identity = parsed.pop("ResponseMetadata")
    if shape or protocol != "smithy-rpc-v2-cbor":  # botocore does not look where nothing is answered
        check("%s.%s over %s: the request's id" % (service, name, protocol),
              identity.get("RequestId"), "request-1", answer)
    parsed = plain(shape, parsed) if shape else {}
    if payload and payload not in want and parsed.get(payload) == "":
        del parsed[payload]  # no body and an empty one are the same
    if "ContentType" in parsed and "ContentType" not in want and payload:
        del parsed["ContentType"]  # a default for bodies without one
    if service == "s3":
        want.pop("ContentLength", None)
        if name == "GetBucketLocation":  # botocore reads this one in a handler of its own
            text = re.sub("<[^>]*>", "", answer["body"].decode()).strip()
            parsed = {"LocationConstraint": text} if text else {}
    if protocol not in ("json", "smithy-rpc-v2-cbor"):
        parsed, want = without_empty(parsed), without_empty(want)
    check("%s.%s over %s is written" % (service, name, protocol), parsed, want, answer)


def try_error(service, model, name, protocol):
    operation = model.operation_model(name)
    codes = [shape for shape in operation.error_shapes] or [None]
    for shape in codes[:3]:
        code = shape.metadata.get("error", {}).get("code", shape.name) if shape else "ThrottlingException"
        got = ask("error %s %s %s %s" % (service, name, PROTOCOLS[protocol], code), "no <way> é".encode())
        answer = response(got)
        parsed = botocore.parsers.create_parser(protocol).parse(answer, operation.output_shape)
        if got["body"] == "":  # an answer to HEAD
            continue
        if protocol == "smithy-rpc-v2-cbor" and shape is None:
            pass
        check("%s.%s over %s: error %s" % (service, name, protocol, code),
              [parsed["Error"]["Code"], parsed["Error"]["Message"], parsed["ResponseMetadata"]["RequestId"]],
              [code, "no <way> é", "request-1"], answer)
        status = shape.metadata.get("error", {}).get("httpStatusCode") if shape else 400
        if status:
            check("%s.%s over %s: status of %s" % (service, name, protocol, code), got["status"], status)


def main():
    loader = botocore.loaders.Loader()
    for path in sorted(glob.glob(os.path.join(API, "*.json"))):
        with open(path) as file:
            api = json.load(file)
        service = api["service"]["name"]
        raw = loader.load_service_model(service, "service-2")
        model = botocore.model.ServiceModel(raw, service)
        for name in api["operations"]:
            if name not in raw["operations"]:
                continue  # our own additions
            for protocol in api["service"]["protocols"]:
                if protocol not in botocore.serialize.SERIALIZERS or (
                        protocol == "json" and "targetPrefix" not in raw["metadata"]):
                    continue  # an older botocore
                for _ in range(ROUNDS):
                    try_request(service, model, name, protocol)
                    try_answer(service, model, name, protocol)
                    try_refusal(service, model, name, protocol)
                try_error(service, model, name, protocol)
    frame = base64.b64decode(ask("frame", b"some \x00 bytes")["body"])
    buffer = EventStreamBuffer()
    buffer.add_data(frame)
    event = next(iter(buffer))
    check("an event frame", [event.headers, event.payload.hex()],
          [{":event-type": "PayloadPart", ":message-type": "event"}, b"some \x00 bytes".hex()])
    for failure in failures:
        print(failure)
    print("%d values without a text for their pattern, %d streams left out, %d refusals" %
          (counts["impossible"], counts["streams"], counts["refusals"]))
    print("%d passed, %d failed" % (counts["passed"], counts["failed"]))
    sys.exit(counts["failed"] > 0)


main()
