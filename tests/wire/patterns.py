#!/usr/bin/env python3
"""Python's re judges our regular expressions: patterns and texts drawn at random must give the same answer to
fullmatch and search, groups included; and every pattern of api/*.json must be understood."""

import glob
import json
import os
import random
import re
import signal
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("CLARY_BUILD", os.path.join(HERE, "..", "..", "build"))
tool = subprocess.Popen([os.path.join(BUILD, "tests", "wire", "wire_tool")], stdin=subprocess.PIPE,
                        stdout=subprocess.PIPE)
draw = random.Random(int(os.environ.get("CLARY_WIRE_SEED", "5")))
CASES = 40000 if os.environ.get("CLARY_LONG") else 8000


def ask(pattern, text):
    payload = (pattern + "\0" + text).encode()
    tool.stdin.write(b"pattern %d\n" % len(payload) + payload)
    tool.stdin.flush()
    line = tool.stdout.readline()
    if not line:
        sys.exit("wire_tool ended at %r, %r" % (pattern, text))
    return json.loads(line)


def atom(depth):
    kind = draw.random()
    if kind < .45 or depth == 0:
        return draw.choice(["a", "b", "c", "é", ".", "[ab]", "[^a]", "\\d", "\\w", "\\s", "[b-d1]", "1", "_", "\\.", "(?:)"])
    if kind < .7:
        return "(" + pattern(depth - 1) + ")"
    if kind < .8:
        return "(?:" + pattern(depth - 1) + ")"
    if kind < .86:
        return draw.choice(["(?=", "(?!"]) + pattern(depth - 1) + ")"
    if kind < .9:
        return draw.choice(["(?<=", "(?<!"]) + draw.choice(["a", "[ab]", "ab", "\\d", "."]) + ")"
    return draw.choice(["^", "$", "\\b", "\\B"])


def piece(depth):
    text = atom(depth)
    if draw.random() < .35 and text not in ("^", "$", "\\b", "\\B") and not text.startswith(("(?=", "(?!", "(?<")):
        text += draw.choice(["*", "+", "?", "{2}", "{1,2}", "{0,3}", "{2,}"]) + draw.choice(["", "", "?"])
    return text


def pattern(depth):
    return "|".join("".join(piece(depth) for _ in range(draw.randint(0, 3)))
                    for _ in range(draw.choice([1, 1, 1, 2, 3])))


def groups_shown(text):
    """How many groups can be compared: matchers differ in what they report when a repeated group goes round
    without a character, and ours reports no groups of look-arounds."""
    return 0 if re.search(r"\)(\*|\+|\?|\{)", text) else 1 if re.search(r"\(\?[=!]", text) else 10


class TooLong(Exception):
    pass


def ring(*_):
    raise TooLong


def main():
    passed = failed = slow = 0
    signal.signal(signal.SIGALRM, ring)
    for _ in range(CASES):
        source = pattern(2)  # deeper ones take Python minutes
        try:
            compiled = re.compile(source, re.ASCII)
        except re.error:
            continue
        if compiled.groups > 9:
            continue
        for _ in range(3):
            text = "".join(draw.choice("aaabbcd1é_. \n") for _ in range(draw.randint("\\B" in source, 8)))  # "" is special there
            got = ask(source, text)
            try:  # a backtracking matcher may take for ever
                signal.setitimer(signal.ITIMER_REAL, .2)
                found, whole = compiled.search(text), compiled.fullmatch(text)
                signal.setitimer(signal.ITIMER_REAL, 0)
            except TooLong:
                slow += 1
                continue
            want = {"whole": whole is not None,
                    "groups": [g if g is not None else False for g in (found.group(0), *found.groups())] if found else []}
            shown = groups_shown(source)
            got["groups"], want["groups"] = got.get("groups", [])[:shown], want["groups"][:shown]
            if got == want:
                passed += 1
            else:
                failed += 1
                if failed < 10:
                    print("%r on %r\n    got  %s\n    want %s" % (source, text, got, want))
    refused = []
    texts = set()
    for path in glob.glob(os.path.join(HERE, "..", "..", "api", "*.json")):
        with open(path) as file:
            texts |= {shape["pattern"] for shape in json.load(file)["shapes"].values() if "pattern" in shape}
    for text in sorted(texts):
        got = ask(text, "")
        if "refused" in got:
            refused.append("%s: %s" % (text, got["refused"]))
    # A pattern that is refused is not enforced: none may join them unseen.
    passed += len(texts) - len(refused)
    failed += len(refused)
    for line in refused:
        print("refused: " + line)
    print("%d took re too long" % slow)
    print("%d passed, %d failed" % (passed, failed))
    return failed > 0


sys.exit(main())
