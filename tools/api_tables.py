#!/usr/bin/env python3
"""Compiles api/SERVICE.json into the C tables that src/aws/shape.h declares.

    tools/api_tables.py SERVICE.json OUTPUT.c

Everything is static const.  Equal texts and lists are shared by the linker; shapes refer to each other by
their place in one array."""

import json
import sys

TYPES = {"structure": "STRUCTURE", "list": "LIST", "map": "MAP", "string": "STRING", "character": "STRING",
         "integer": "INTEGER", "long": "LONG", "float": "FLOAT", "double": "DOUBLE", "boolean": "BOOLEAN",
         "timestamp": "TIMESTAMP", "blob": "BLOB"}
PLACES = {"header": "IN_HEADER", "headers": "IN_HEADERS", "query": "IN_QUERY", "uri": "IN_URI", "status": "IN_STATUS"}
TIMES = {"unixTimestamp": "TIME_UNIX", "iso8601": "TIME_ISO8601", "rfc822": "TIME_RFC822"}
PROTOCOLS = {"json": "JSON", "rest-json": "REST_JSON", "rest-xml": "REST_XML", "query": "QUERY",
             "smithy-rpc-v2-cbor": "CBOR"}


def text(value):
    if value is None:
        return "NULL"
    out = ""
    for byte in value.encode():
        char = chr(byte)
        if char in '"\\?':
            out += "\\" + char
        elif 32 <= byte < 127:
            out += char
        else:
            out += "\\%03o" % byte
    return '"%s"' % out


def fields(pairs):
    """An initializer of what is set; the rest of a static object is zero anyway."""
    return "{" + ", ".join(".%s = %s" % pair for pair in pairs if pair[1] not in (None, "NULL", "0", "false")) + "}"


class Tables:
    def __init__(self, api):
        self.api = api
        self.shapes = api["shapes"]
        self.index = {name: i for i, name in enumerate(sorted(self.shapes))}
        self.out = []
        self.symbol = api["service"]["name"].replace("-", "_")

    def pointer(self, name):
        return "&shapes[%d]" % self.index[name] if name else None

    def member(self, name, ref, required=False, wire=None):
        ref = {"shape": ref} if isinstance(ref, str) else ref
        shape = self.shapes[ref["shape"]]
        flattened = ref.get("flattened") or shape.get("flattened")
        wire = ref.get("name") or wire or name
        if flattened and shape["type"] == "list" and isinstance(shape["member"], dict) and "name" in shape["member"]:
            wire = shape["member"]["name"]  # the element's own name stands for the list's
        space = ref.get("xmlns") or (shape.get("xmlns") if shape["type"] == "structure" else None)
        return fields([
            ("name", text(name)), ("wire", text(wire)), ("shape", self.pointer(ref["shape"])),
            ("location", PLACES.get(ref.get("in"))), ("required", "true" if required else None),
            ("flattened", "true" if flattened else None), ("attribute", "true" if ref.get("attribute") else None),
            ("event_payload", "true" if ref.get("event_payload") else None),
            ("time", TIMES.get(ref.get("time"))),
            ("xml_namespace", text(space[0]) if space else None),
            ("xml_prefix", text(space[1]) if space and len(space) > 1 else None)])

    def shape(self, name, uses):
        shape, n, i = self.shapes[name], 0, self.index[name]
        members = enums = None
        if shape["type"] == "structure":
            rows = [self.member(m, ref, m in shape.get("required", ())) for m, ref in shape["members"].items()]
            n = len(rows)
            rows.append("{0}")
        elif shape["type"] == "list":
            rows, n = [self.member("member", shape["member"])], 1
        elif shape["type"] == "map":
            rows, n = [self.member("key", shape["key"]), self.member("value", shape["value"])], 2
        else:
            rows = []
        if rows:
            members = "members_%d" % i
            self.out.append("static const Member %s[] = {\n    %s};" % (members, ",\n    ".join(rows)))
        if "enum" in shape:
            enums = "enums_%d" % i
            self.out.append("static const char *const %s[] = {%s, NULL};" %
                            (enums, ", ".join(text(e) for e in shape["enum"])))
        error = shape.get("error")
        use = uses.get(name, {})
        return fields([
            ("name", text(name)), ("type", "SHAPE_" + TYPES[shape["type"]]), ("members", members),
            ("n_members", str(n)), ("has_min", "true" if "min" in shape else None),
            ("has_max", "true" if "max" in shape else None), ("min", repr(shape.get("min", 0))),
            ("max", repr(shape.get("max", 0))), ("pattern", text(shape.get("pattern"))), ("enums", enums),
            ("flattened", "true" if shape.get("flattened") else None),
            ("is_union", "true" if shape.get("union") else None),
            ("is_document", "true" if shape.get("document") else None),
            ("is_event_stream", "true" if shape.get("event_stream") else None),
            ("sensitive", "true" if shape.get("sensitive") else None), ("time", TIMES.get(shape.get("time"))),
            ("is_error", "true" if error is not None else None),
            ("error_code", text((error or {}).get("code"))), ("error_status", str((error or {}).get("status", 0))),
            ("error_sender", "true" if error is not None and not error.get("fault") else None),
            ("payload", text(shape.get("payload"))),
            ("location_name", text(use.get("element") or shape.get("name"))),
            ("xml_namespace", text(shape["xmlns"][0]) if "xmlns" in shape else None),
            ("result_wrapper", text(use.get("wrapper")))])

    def needs(self, op):
        """Query parameters and headers that an operation cannot be without: they tell UploadPart from PutObject."""
        shape = self.shapes[op["in"]] if "in" in op else {}
        out = []
        for name in shape.get("required", ()):
            ref = shape["members"][name]
            if isinstance(ref, dict) and ref.get("in") in ("query", "header"):
                out.append({"query": "?", "header": ":"}[ref["in"]] + ref.get("name", name))
        return out

    def compile(self):
        service, operations = self.api["service"], self.api["operations"]
        uses = {}
        for op in operations.values():
            if "element" in op:
                uses.setdefault(op["in"], {})["element"] = op["element"]
            if "wrapper" in op:
                uses.setdefault(op["out"], {})["wrapper"] = op["wrapper"]
        self.out += ["/* Made from api/%s.json by tools/api_tables.py. */" % service["name"], '#include "aws/shape.h"', "",
                     "static const Shape shapes[%d];" % len(self.index)]
        rows = [self.shape(name, uses) for name in sorted(self.shapes)]
        self.out.append("static const Shape shapes[%d] = {\n    %s};" % (len(rows), ",\n    ".join(rows)))

        self.out.append("UNUSED static const Shape *const no_errors[] = {NULL};")
        self.out.append("UNUSED static const char *const no_texts[] = {NULL};")
        errors = {}
        for op in operations.values():
            names = tuple(op.get("errors", ()))
            if names and names not in errors:
                errors[names] = "errors_%d" % len(errors)
                self.out.append("static const Shape *const %s[] = {%s, NULL};" %
                                (errors[names], ", ".join(self.pointer(n) for n in names)))
        rest = any(p.startswith("rest") for p in service["protocols"])
        rows = []
        for name, op in sorted(operations.items()):
            needs = self.needs(op) if rest else []
            if needs:
                self.out.append("static const char *const needs_%d[] = {%s, NULL};" %
                                (len(rows), ", ".join(text(n) for n in needs)))
            query = op["http"][1].partition("?")[2]
            streams = op.get("streams", "").split()
            rows.append(fields([
                ("name", text(name)), ("method", text(op["http"][0])), ("uri", text(op["http"][1])),
                ("query", text(query) if query else None), ("needs", "needs_%d" % len(rows) if needs else "no_texts"),
                ("status", str(op["http"][2] if len(op["http"]) > 2 else 200)), ("input", self.pointer(op.get("in"))),
                ("output", self.pointer(op.get("out"))), ("errors", errors.get(tuple(op.get("errors", ())), "no_errors")),
                ("streams_in", "true" if "in" in streams else None), ("streams_out", "true" if "out" in streams else None),
                ("event_stream_out", "true" if "events" in streams else None),
                ("unsigned_body", "true" if op.get("unsigned_body") else None),
                ("anonymous", "true" if op.get("anonymous") else None),
                ("form_upload", "true" if op.get("when") == "form" else None),
                ("md5_required", "true" if op.get("checksum_required") else None)]))
        self.out.append("static const OperationShape operations[] = {\n    %s};" % ",\n    ".join(rows))
        self.out.append("static const char *const others[] = {%s};" %
                        ", ".join([text(name) for name in self.api.get("others", ())] + ["NULL"]))
        self.out.append("extern const ServiceShape %s_service_shape;" % self.symbol)
        self.out.append("const ServiceShape %s_service_shape = %s;" % (self.symbol, fields([
            ("name", text(service["name"])), ("signing_name", text(service["signing"])),
            ("endpoint_prefix", text(service["prefix"])), ("api_version", text(service["version"])),
            ("target_prefix", text(service.get("target"))), ("json_version", text(service.get("json"))),
            ("xml_namespace", text(service.get("xmlns"))),
            ("protocols", " | ".join("1 << PROTOCOL_" + PROTOCOLS[p] for p in service["protocols"] if p in PROTOCOLS)),
            ("query_compatible", "true" if service.get("query_compatible") else None), ("operations", "operations"),
            ("n_operations", str(len(rows))), ("others", "others")])))
        return "\n".join(self.out) + "\n"


def main():
    with open(sys.argv[1]) as file:
        api = json.load(file)
    with open(sys.argv[2], "w") as file:
        file.write(Tables(api).compile())


main()
