"""Values drawn at random from botocore's shapes, within their constraints."""

import datetime
import os
import random
import re

try:
    import re._parser as sre
except ImportError:
    import sre_parse as sre

draw = random.Random(int(os.environ.get("CLARY_WIRE_SEED", "7")))


def from_pattern(pattern):
    """A text that Python says the pattern matches whole, or None where its notation is not Python's."""
    python = pattern.replace(r"\p{L}", "a-zA-Z").replace(r"\p{N}", "0-9").replace(r"\p{Z}", " ").replace(
        r"\p{M}", "").replace(r"\p{S}", "+").replace(r"\p{P}", "-").replace(r"\p{Alnum}", "a-z0-9").replace(
        r"\p{Print}", " -~").replace(r"\z", r"\Z").replace(r"\p{ASCII}", "[a-z]")
    try:
        tree = sre.parse(python)
    except Exception:
        return None
    for _ in range(40):
        text = "".join(pieces(tree))
        if re.fullmatch(python, text) and "\r" not in text:
            return text
    return None


def pieces(tree):
    for op, arg in tree:
        name = str(op)
        if name == "LITERAL":
            yield chr(arg)
        elif name == "ANY":
            yield draw.choice("abcXYZ019-_ é")
        elif name == "IN":
            yield one_of(arg)
        elif name == "NOT_LITERAL":
            yield "a" if arg != 97 else "b"
        elif name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            low, high, inner = arg
            for _ in range(draw.randint(low, min(int(high), low + 4))):
                yield from pieces(inner)
        elif name == "SUBPATTERN":
            yield from pieces(arg[-1])
        elif name == "BRANCH":
            yield from pieces(draw.choice(arg[1]))


def one_of(items):
    if str(items[0][0]) == "NEGATE":
        return draw.choice("abcdefgh0123")
    op, arg = draw.choice(items)
    name = str(op)
    if name == "LITERAL":
        return chr(arg)
    if name == "RANGE":
        c = chr(draw.randint(max(arg[0], min(arg[1], 32)), arg[1]))  # XML has no place for control characters
        return chr(arg[0]) if "\ud800" <= c <= "\udfff" else c
    return {"CATEGORY_DIGIT": "7", "CATEGORY_WORD": draw.choice("aZ_5"), "CATEGORY_SPACE": " "}.get(str(arg), "a")


def text_of(shape, where):
    meta = shape.metadata
    if shape.enum:
        return draw.choice(shape.enum)
    low, high = meta.get("min", 0), meta.get("max", 40)
    if "pattern" in meta:
        for _ in range(60):
            text = from_pattern(meta["pattern"])
            if text is None:
                return None
            if low <= len(text) <= high and (
                    where == "body" or (text.isascii() and text.isprintable() and text == text.strip() != "")):
                return text
        return None
    n = draw.randint(max(low, 1), max(1, min(high, low + 12)))
    letters = "abcXYZ019 -_/.,:;&<>\"'%+=é☃" if where == "body" else "abcXYZ019-_."
    if where == "uri":
        letters = "abcXYZ019-_.~é +"
    text = "".join(draw.choice(letters) for _ in range(n)).strip()
    return text if len(text) >= low and text else "a" * max(low, 1)


class Impossible(Exception):
    pass


def value_of(shape, depth=0, where="body", least=0):
    meta, kind = shape.metadata, shape.type_name
    if getattr(shape, "is_document_type", False):
        return {"a": [1, "b", None, True]}
    if kind == "structure":
        if depth > 6:
            if shape.required_members:
                raise Impossible
            return {}
        out = {}
        names = list(shape.members)
        if getattr(shape, "is_tagged_union", False):
            names = [draw.choice(names)]
        for name in names:
            member = shape.members[name]
            needed = name in shape.required_members or getattr(shape, "is_tagged_union", False)
            if not needed and not (least and not out) and draw.random() > (0.7 if depth < 2 else 0.35):
                continue
            place = {"uri": "uri", "header": "header", "headers": "header", "querystring": "query"}.get(
                member.serialization.get("location"), where)
            if member.serialization.get("location") == "statusCode":
                out[name] = 200
                continue
            try:
                # Required lists and structures must not be empty where that cannot be told from absence.
                out[name] = value_of(member, depth + 1, place, int(needed))
            except Impossible:
                if needed:
                    raise
        if least and not out and shape.members:
            raise Impossible
        return out
    if kind == "list":
        low = max(meta.get("min", 0), least)
        n = draw.randint(low, min(meta.get("max", 3), low + 2)) if depth < 6 or low else 0
        items = [value_of(shape.member, depth + 1, where, least) for _ in range(n)]
        items = [item for item in items if without_empty(item) != {}]  # forms cannot say that an element is empty
        if len(items) < low:
            raise Impossible
        return items
    if kind == "map":
        low = meta.get("min", 0)
        n = draw.randint(low, min(meta.get("max", 3), low + 2)) if depth < 6 or low else 0
        out = {}
        while len(out) < n:
            key = value_of(shape.key, depth + 1, where)
            out[key.lower() if where == "header" else key] = value_of(shape.value, depth + 1, where)
            if len(out) >= low and draw.random() < .05:
                break
        return out
    if kind in ("string", "character"):
        text = text_of(shape, where)
        if text is None:
            raise Impossible
        return text
    if kind in ("integer", "long"):
        low = int(meta.get("min", -5))
        return draw.randint(low, int(min(meta.get("max", low + 1000), 2 ** 31 - 1)))
    if kind in ("float", "double"):
        low = float(meta.get("min", -2))
        return round(draw.uniform(low, min(float(meta.get("max", low + 50)), low + 50)), 3)
    if kind == "boolean":
        return draw.random() < .5
    if kind == "timestamp":
        return datetime.datetime.fromtimestamp(draw.randint(0, 2 ** 31), datetime.timezone.utc)
    if kind == "blob":
        n = draw.randint(max(1, meta.get("min", 1)), max(1, min(meta.get("max", 9), 9)))
        return bytes(draw.randrange(256) for _ in range(n))
    raise Impossible


def without_empty(value):
    """Empty lists, maps and structures cannot be told from absent ones in XML, forms and headers."""
    if isinstance(value, dict):
        value = {k: without_empty(v) for k, v in value.items()}
        return {k: v for k, v in value.items() if v not in ({}, [])}
    if isinstance(value, list):
        return [without_empty(v) for v in value]
    return value
