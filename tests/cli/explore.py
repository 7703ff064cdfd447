#!/usr/bin/env python3
"""The pages of clary explore: well-formed, with ids once each, links that lead somewhere, words for every picture, nothing from outside."""

import html.parser
import os
import random
import subprocess
import sys

TMP = os.environ["TMPDIR"]
EMPTY = {"meta", "path", "rect", "line", "circle", "br"}
failures, checks = [], 0


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.ids, self.links, self.wrong, self.pictures = [], [], [], [], 0

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag in ("script", "link", "iframe", "img", "object") or any(name.startswith("on") for name in attributes):
            self.wrong.append("<%s>" % tag)
        if "id" in attributes:
            self.ids.append(attributes["id"])
        if "href" in attributes:
            self.links.append(attributes["href"])
        if tag == "svg":
            self.pictures += 1
            if not attributes.get("aria-label") or attributes.get("role") != "img":
                self.wrong.append("a picture without words")
        if tag not in EMPTY:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in EMPTY:
            self.open.pop()

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append("</%s>" % tag)


def write(name, seed, rows):
    draw = random.Random(seed)
    with open(os.path.join(TMP, name), "w") as out:
        out.write('a & b,<i>c</i>,"""q""",when,kind,none,y\n')
        for i in range(rows):
            x = draw.gauss(0, 1)
            out.write("%g,%g,%g,2024-%02d-%02d,%s,,%s\n" % (x, 2 * x + draw.random(), draw.random() ** 9, 1 + i % 12, 1 + i % 28,
                                                           "" if i % 7 == 0 else "k%d" % (i % 30), "yes" if x > 0 else "no"))
    return os.path.join(TMP, name)


def check(words, pictures):
    global checks
    checks += 1
    path = os.path.join(TMP, "page.html")
    done = subprocess.run(["clary", "explore", "--header"] + words + ["-o", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
    if done.returncode or not done.stdout:
        failures.append("%s: %s" % (words, done.stderr))
        return
    with open(path) as file:
        text = file.read()
    page = Page()
    page.feed(text)
    wrong = page.wrong + ["left open: %s" % tag for tag in page.open]
    wrong += ["id '%s' twice" % name for name in set(page.ids) if page.ids.count(name) > 1]
    wrong += ["link to %s" % link for link in page.links if link[0] != "#" or link[1:] not in page.ids]
    wrong += ["'%s'" % word for word in ("http:", "https:", "<i>c</i>", ">nan", ">-nan") if word in text]
    if len(text.encode()) > 2 << 20:
        wrong.append("%d bytes" % len(text))
    if page.pictures < pictures:
        wrong.append("%d pictures, not %d" % (page.pictures, pictures))
    if wrong:
        failures.append("%s: %s" % (words, ", ".join(wrong[:9])))


def check_recipe(words, table):
    """What explore suggests, prepare can do: and then nothing is missing any more but in the target."""
    global checks
    checks += 1
    recipe, ready = os.path.join(TMP, "recipe.txt"), os.path.join(TMP, "ready.csv")
    for command in (["clary", "explore", "--header", table, "--recipe", recipe] + words,
                    ["clary", "prepare", "--header", table, "--recipe", recipe, "-o", ready]):
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, universal_newlines=True)
        if done.returncode:
            failures.append("%s: %s" % (command, done.stderr))
            return
    with open(ready) as file:
        header, *rows = file.read().splitlines()
    if not rows or "none" in header.split(",") or any("" in row.split(",") for row in rows):
        failures.append("%s: %s, %d rows" % (words, header, len(rows)))


small, large, other = write("small.csv", 1, 200), write("large.csv", 2, 30000), write("other.csv", 3, 300)
check([small], 9)
check([small, "--target", "y"], 12)
check([small, "--target", "a & b"], 12)
check([large, "--target", "kind"], 9)
check([small, "--against", other], 4)
check_recipe([], small)
check_recipe(["--target", "y"], small)
check_recipe(["--target", "a & b"], large)
for failure in failures:
    print("FAIL ", failure)
print("%d passed, %d failed" % (checks - len(failures), len(failures)))
sys.exit(1 if failures else 0)
