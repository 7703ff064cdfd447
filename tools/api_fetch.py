#!/usr/bin/env python3
"""Makes api/SERVICE.json from the service models of an installed botocore: names, shapes, constraints,
bindings and errors, without their prose.  A developer runs it by hand and looks at the difference.

    tools/api_fetch.py                     every service in api/ again, with the operations it has
    tools/api_fetch.py SERVICE...          these; a new one gets all of its operations
    tools/api_fetch.py --only Op,Op sagemaker       only these operations; the rest are kept as names
    tools/api_fetch.py --add Op,Op sagemaker        more of them

A file that lists `others` keeps to its selection when it is made again: operations that are new in the
model join the names in `others`."""

import argparse
import json
import os
import sys

API = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "api")

# Superseded twins that share method and path with their successors, and one that no custom endpoint reaches.
DROPPED = {"s3": ["GetBucketLifecycle", "PutBucketLifecycle", "GetBucketNotification",
                  "PutBucketNotification", "ListDirectoryBuckets"]}

# What S3 does outside its model: the browser's form upload and its preflight request.
EXTRA = {"s3": {
    "operations": {
        "PostObject": {"http": ["POST", "/{Bucket}"], "in": "PostObjectRequest", "streams": "in",
                       "when": "form"},
        "PreflightBucket": {"http": ["OPTIONS", "/{Bucket}"], "in": "PreflightBucketRequest"},
        "PreflightObject": {"http": ["OPTIONS", "/{Bucket}/{Key+}"], "in": "PreflightObjectRequest"},
    },
    "shapes": {
        "PostObjectRequest": {"type": "structure", "required": ["Bucket"], "payload": "Body", "members": {
            "Bucket": {"shape": "BucketName", "in": "uri"}, "Body": "Body"}},
        "PreflightBucketRequest": {"type": "structure", "required": ["Bucket"], "members": {
            "Bucket": {"shape": "BucketName", "in": "uri"}}},
        "PreflightObjectRequest": {"type": "structure", "required": ["Bucket", "Key"], "members": {
            "Bucket": {"shape": "BucketName", "in": "uri"}, "Key": {"shape": "ObjectKey", "in": "uri"}}},
    },
}}

# Names of S3's top elements, which botocore ignores and other clients need not.
ELEMENTS = {"s3": {
    "CompleteMultipartUploadOutput": "CompleteMultipartUploadResult",
    "CreateMultipartUploadOutput": "InitiateMultipartUploadResult",
    "CreateSessionOutput": "CreateSessionResult",
    "DeleteObjectsOutput": "DeleteResult",
    "GetBucketAccelerateConfigurationOutput": "AccelerateConfiguration",
    "GetBucketAclOutput": "AccessControlPolicy",
    "GetBucketCorsOutput": "CORSConfiguration",
    "GetBucketLifecycleConfigurationOutput": "LifecycleConfiguration",
    "GetBucketLocationOutput": "LocationConstraint",
    "GetBucketLoggingOutput": "BucketLoggingStatus",
    "GetBucketRequestPaymentOutput": "RequestPaymentConfiguration",
    "GetBucketTaggingOutput": "Tagging",
    "GetBucketVersioningOutput": "VersioningConfiguration",
    "GetBucketWebsiteOutput": "WebsiteConfiguration",
    "GetObjectAclOutput": "AccessControlPolicy",
    "GetObjectAttributesOutput": "GetObjectAttributesResponse",
    "GetObjectTaggingOutput": "Tagging",
    "ListBucketAnalyticsConfigurationsOutput": "ListBucketAnalyticsConfigurationResult",
    "ListBucketIntelligentTieringConfigurationsOutput": "ListBucketIntelligentTieringConfigurationsResult",
    "ListBucketInventoryConfigurationsOutput": "ListInventoryConfigurationsResult",
    "ListBucketMetricsConfigurationsOutput": "ListMetricsConfigurationsResult",
    "ListBucketsOutput": "ListAllMyBucketsResult",
    "ListMultipartUploadsOutput": "ListMultipartUploadsResult",
    "ListObjectVersionsOutput": "ListVersionsResult",
    "ListObjectsOutput": "ListBucketResult",
    "ListObjectsV2Output": "ListBucketResult",
    "ListPartsOutput": "ListPartsResult",
    "NotificationConfiguration": "NotificationConfiguration",
}}

PLACES = {"header": "header", "headers": "headers", "querystring": "query", "uri": "uri", "statusCode": "status"}


def member(ref):
    """A reference to a shape: its name, or an object when the place it stands in adds something."""
    out = {"shape": ref["shape"]}
    if "locationName" in ref:
        out["name"] = ref["locationName"]
    if "location" in ref:
        out["in"] = PLACES[ref["location"]]
    for key, name in (("flattened", "flattened"), ("xmlAttribute", "attribute"), ("streaming", "streaming"),
                      ("eventpayload", "event_payload"), ("eventheader", "event_header"), ("document", "document")):
        if ref.get(key):
            out[name] = True
    if "timestampFormat" in ref:
        out["time"] = ref["timestampFormat"]
    if "xmlNamespace" in ref:
        space = ref["xmlNamespace"]
        out["xmlns"] = [space["uri"], space["prefix"]] if "prefix" in space else [space["uri"]]
    return out["shape"] if len(out) == 1 else out


def shape(raw):
    out = {"type": raw["type"]}
    for key in ("min", "max", "pattern", "enum", "flattened", "sensitive", "union", "document", "payload", "event"):
        if key in raw and raw[key] is not False:  # but 0 is a bound
            out[key] = raw[key]
    if "timestampFormat" in raw:
        out["time"] = raw["timestampFormat"]
    if raw.get("eventstream"):
        out["event_stream"] = True
    if "locationName" in raw:
        out["name"] = raw["locationName"]
    if "xmlNamespace" in raw:
        space = raw["xmlNamespace"]
        space = {"uri": space} if isinstance(space, str) else space
        out["xmlns"] = [space["uri"], space["prefix"]] if "prefix" in space else [space["uri"]]
    if raw.get("streaming"):
        out["streaming"] = True
    if raw.get("exception"):
        error = raw.get("error", {})
        out["error"] = {}
        if "code" in error:
            out["error"]["code"] = error["code"]
        if "httpStatusCode" in error:
            out["error"]["status"] = error["httpStatusCode"]
        if raw.get("fault") or error.get("fault"):
            out["error"]["fault"] = True
    if raw["type"] == "structure":
        out["members"] = {name: member(ref) for name, ref in raw["members"].items()}
        if raw.get("required"):
            out["required"] = raw["required"]
    elif raw["type"] == "list":
        out["member"] = member(raw["member"])
    elif raw["type"] == "map":
        out["key"], out["value"] = member(raw["key"]), member(raw["value"])
    return out


def references(entry):
    """Names of the shapes that an entry of `shapes` mentions."""
    for ref in [*entry.get("members", {}).values(), *(entry[k] for k in ("member", "key", "value") if k in entry)]:
        yield ref if isinstance(ref, str) else ref["shape"]


def operation(raw, shapes):
    http = raw["http"]
    out = {"http": [http["method"], http["requestUri"]]}
    if http.get("responseCode", 200) != 200:
        out["http"].append(http["responseCode"])
    if "input" in raw:
        out["in"] = raw["input"]["shape"]
        if "locationName" in raw["input"]:
            out["element"] = raw["input"]["locationName"]
    if "output" in raw:
        out["out"] = raw["output"]["shape"]
        if "resultWrapper" in raw["output"]:
            out["wrapper"] = raw["output"]["resultWrapper"]
    if raw.get("errors"):
        out["errors"] = [error["shape"] for error in raw["errors"]]
    streams = []
    for way, name in (("in", out.get("in")), ("out", out.get("out"))):
        payload = shapes[name].get("payload") if name else None
        if payload:
            ref = shapes[name]["members"][payload]
            inner = shapes[ref["shape"]]
            if inner.get("eventstream"):
                streams.append("events")
            elif ref.get("streaming") or inner.get("streaming"):
                streams.append(way)
    for name in [out.get("out")]:
        for ref in shapes[name]["members"].values() if name else []:
            if shapes[ref["shape"]].get("eventstream") and "events" not in streams:
                streams.append("events")
    if streams:
        out["streams"] = " ".join(streams)
    if raw.get("unsignedPayload") or raw.get("authtype") == "v4-unsigned-body":
        out["unsigned_body"] = True
    if raw.get("authtype") == "none":
        out["anonymous"] = True
    if raw.get("httpChecksum", {}).get("requestChecksumRequired") or raw.get("httpChecksumRequired"):
        out["checksum_required"] = True
    return out


def line(value):
    return json.dumps(value, ensure_ascii=True, separators=(", ", ": "))


def write(path, service, operations, shapes, others):
    """A shape or operation a line; structures that are longer than a line have a line per member."""
    out = ["{", ' "service": %s,' % line(service), ' "operations": {']
    out.append(",\n".join('  "%s": %s' % (name, line(entry)) for name, entry in sorted(operations.items())))
    out.append(" },")
    if others:
        out.append(' "others": [\n  ' + ",\n  ".join('"%s"' % name for name in others) + "\n ],")
    out.append(' "shapes": {')
    blocks = []
    for name, entry in sorted(shapes.items()):
        text = '  "%s": %s' % (name, line(entry))
        if len(text) > 110 and "members" in entry:
            rest = {k: v for k, v in entry.items() if k != "members"}
            text = '  "%s": %s, "members": {\n    ' % (name, line(rest)[:-1])
            text += ",\n    ".join('"%s": %s' % (n, line(m)) for n, m in entry["members"].items()) + "}}"
        blocks.append(text)
    out += [",\n".join(blocks), " }", "}"]
    with open(path, "w") as file:
        file.write("\n".join(out) + "\n")


def fetch(name, only, add):
    import botocore.loaders
    model = botocore.loaders.Loader().load_service_model(name, "service-2")
    meta = model["metadata"]
    path = os.path.join(API, name + ".json")
    kept = None
    if os.path.exists(path):
        with open(path) as file:
            before = json.load(file)
        if "others" in before:
            kept = set(before["operations"])
    if only:
        kept = set(only)
    if add:
        kept = (kept if kept is not None else set()) | set(add)
    known = {n: o for n, o in model["operations"].items() if n not in DROPPED.get(name, ())}
    missing = sorted((kept or set()) - set(known) - set(EXTRA.get(name, {}).get("operations", {})))
    if missing:
        sys.exit("%s has no %s" % (name, ", ".join(missing)))
    chosen = [n for n in known if kept is None or n in kept]

    service = {"name": name, "signing": meta.get("signingName", meta["endpointPrefix"]),
               "prefix": meta["endpointPrefix"], "version": meta["apiVersion"],
               "protocols": meta.get("protocols", [meta["protocol"]])}
    for key, to in (("targetPrefix", "target"), ("jsonVersion", "json"), ("xmlNamespace", "xmlns")):
        if key in meta:
            space = meta[key]
            service[to] = space["uri"] if isinstance(space, dict) else space
    if name == "s3":
        service["xmlns"] = "http://s3.amazonaws.com/doc/2006-03-01/"
    if "awsQueryCompatible" in meta:
        service["query_compatible"] = True

    operations = {n: operation(known[n], model["shapes"]) for n in chosen}
    wanted, shapes = [], {}
    for entry in operations.values():
        wanted += [entry[k] for k in ("in", "out") if k in entry] + entry.get("errors", [])
    # S3 names its errors in the shapes only; every service's are small, so all come along.
    if kept is None:
        wanted += [n for n, s in model["shapes"].items() if s.get("exception")]
    extra = EXTRA.get(name, {})
    operations.update(extra.get("operations", {}))
    shapes.update(extra.get("shapes", {}))
    for entry in extra.get("shapes", {}).values():
        wanted += references(entry)
    while wanted:
        n = wanted.pop()
        if n not in shapes:
            shapes[n] = shape(model["shapes"][n])
            wanted += references(shapes[n])
    for n, element in ELEMENTS.get(name, {}).items():
        if n in shapes:
            shapes[n]["name"] = element
    others = sorted(set(known) - set(chosen))
    write(path, service, operations, shapes, others)
    print("%s: %d operations, %d more by name, %d shapes, %d bytes" %
          (name, len(operations), len(others), len(shapes), os.path.getsize(path)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("services", nargs="*")
    parser.add_argument("--only", help="operations to keep, with commas between")
    parser.add_argument("--add", help="operations to add to those that the file has")
    options = parser.parse_args()
    names = options.services or sorted(f[:-5] for f in os.listdir(API) if f.endswith(".json"))
    for name in names:
        fetch(name, options.only and options.only.split(","), options.add and options.add.split(","))


main()
