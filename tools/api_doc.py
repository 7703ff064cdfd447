#!/usr/bin/env python3
"""Makes doc/api.md from what claryd says of itself.

    tools/api_doc.py [--build FOLDER] [--check]      --check: only says whether the page is in step"""

import json
import os
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
PAGE = os.path.join(ROOT, "doc", "api.md")
NAMES = {"cloudtrail": "CloudTrail", "cloudwatch": "CloudWatch", "iam": "IAM", "logs": "CloudWatch Logs", "s3": "S3",
         "sagemaker": "SageMaker", "sagemaker-runtime": "SageMaker Runtime", "sts": "STS"}

HEAD = """# Operations

<!-- Made by tools/api_doc.py from `claryd --describe-api`. -->

What claryd does of each operation of the services it knows. *Computes*: the operation has its effect. *Stores*: what
is given is checked, kept and given back, and nothing else happens. *Refuses*: answered with the error `NotImplemented`,
so that no client takes it for done; an operation that AWS does not have either is `UnknownOperationException`. The
permission is the action that a policy must allow, when it is not the operation's own name.

| service | version | protocols | computes | stores | refuses |
|---|---|---|---:|---:|---:|
"""


def page(services):
    out = HEAD
    for service in services:
        rows = service["operations"]
        out += "| [%s](#%s) | %s | %s | %d | %d | %d |\n" % (
            NAMES.get(service["name"], service["name"]), NAMES.get(service["name"], service["name"]).lower().replace(" ", "-"),
            service["version"], ", ".join(service["protocols"]), sum(r["does"] == "computes" for r in rows),
            sum(r["does"] == "stores" for r in rows), len(service["refused"]))
    for service in services:
        out += "\n## %s\n" % NAMES.get(service["name"], service["name"])
        if service["operations"]:
            out += "\n| operation | does | permission | on |\n|---|---|---|---|\n"
        for row in service["operations"]:
            own = row["action"].split(":")[1] == row["name"]
            out += "| %s | %s | %s | %s |\n" % (
                row["name"], row["does"], "none" if row.get("anonymous") and own and "resource" not in row else
                "" if own else "`%s`" % row["action"],
                "`%s`" % row["resource"] if row.get("resource") else "")
        if service["refused"]:
            out += "\nRefuses: %s.\n" % ", ".join(sorted(service["refused"]))
    return out


def main():
    words = sys.argv[1:]
    build = os.path.join(ROOT, "build")
    if words[:1] == ["--build"]:
        build, words = words[1], words[2:]
    program = os.path.join(build, "src", "main", "claryd")
    done = subprocess.run([program, "--describe-api"], capture_output=True, text=True)
    if done.returncode:
        sys.exit("claryd --describe-api: " + (done.stderr.strip() or "exit status %d" % done.returncode))
    made = page(json.loads(done.stdout)["services"])
    if words[:1] == ["--check"]:
        kept = open(PAGE).read() if os.path.exists(PAGE) else ""
        if kept != made:
            print("doc/api.md: out of step; tools/api_doc.py writes it anew")
            sys.exit(1)
        return
    with open(PAGE, "w") as file:
        file.write(made)


main()
