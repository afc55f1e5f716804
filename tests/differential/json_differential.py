#!/usr/bin/env python3
"""Compares headrace's JSON walk with Python's json module over generated and mutated texts.

Usage: json_differential.py JSON_FILTER [--seconds N] [--seed N]

Same verdict (accept or refuse) for every text, and the same extracted values for every event.
Python is adjusted where it is known to differ from the contract (http-v0.md 2.7): NaN and
Infinity, numbers beyond a double, nesting beyond 127, lone surrogates, text that is not UTF-8.
"""
import argparse
import json
import random
import re
import struct
import subprocess
import sys
import time

FIELDS = ["event", "token", "distinct_id", "timestamp", "offset", "properties", "$set", "$set_once"]
ALIASES = {"$token": "token", "api_key": "token", "$distinct_id": "distinct_id"}
LONE = re.compile("[\ud800-\udfff]")


class Refused(Exception):
    pass


class Pairs(list):
    """An object as its members, so that repeated keys stay visible."""


def no_constant(name):
    raise Refused(name)


def real(text):
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Refused("range")
    return value


def integer(text):
    return int(text) if len(text) < 200 else real(text)


def depth_of(value):
    deepest, stack = 0, [(value, 1)]
    while stack:
        v, d = stack.pop()
        if isinstance(v, Pairs):
            deepest = max(deepest, d)
            stack += [(x, d + 1) for _, x in v]
        elif isinstance(v, list):
            deepest = max(deepest, d)
            stack += [(x, d + 1) for x in v]
    return deepest


def has_lone(value):
    if isinstance(value, str):
        return LONE.search(value) is not None
    if isinstance(value, Pairs):
        return any(has_lone(k) or has_lone(v) for k, v in value)
    return isinstance(value, list) and any(has_lone(v) for v in value)


def plain(value):
    """Members to a dict: the last one of a repeated key wins."""
    if isinstance(value, Pairs):
        return {k: plain(v) for k, v in value}
    return [plain(v) for v in value] if isinstance(value, list) else value


def python_reads(raw):
    """None if refused, else the value."""
    try:
        value = json.loads(raw.decode("utf-8"), object_pairs_hook=Pairs, parse_constant=no_constant,
                           parse_float=real, parse_int=integer)
    except (ValueError, Refused, RecursionError):
        return None, False
    return (value, True) if depth_of(value) <= 127 else (None, False)


def compare(raw, answer):
    value, accepted = python_reads(raw)
    if answer[0] == "0":
        # A lone surrogate outside of any event refuses the whole text.
        return not accepted or has_lone(value)
    if not accepted:
        return False
    if answer[0] == "s":
        return has_lone(value)
    if has_lone(value):
        # Good events beside a bad one are kept; a lone object must have been flagged.
        return answer[0] == "1"
    if answer[0] == "1":
        return True
    got = json.loads(answer[1:])
    event = value
    if isinstance(event, Pairs):
        members = dict(event)
        if isinstance(members.get("batch"), list) and not isinstance(members.get("batch"), Pairs) \
                and len(members["batch"]) == 1 and ("api_key" in members or "token" in members):
            candidates = [value, members["batch"][0]]
        else:
            candidates = [value]
    else:
        candidates = event[:1]
    return any(same(c, got) for c in candidates if isinstance(c, Pairs))


def same(event, got):
    want = {}
    for key, v in event:
        key = ALIASES.get(key, key)
        if key in FIELDS and v is not None:
            want[key] = plain(v)
    properties = [v for k, v in event if k == "properties"]
    if properties and isinstance(properties[-1], Pairs):
        inner = dict(properties[-1])
        for key in ("token", "distinct_id"):
            if inner.get(key) is not None:
                want["p." + key] = plain(inner[key])
    return want == got


def make_string(rng):
    parts = ["", "a", "hello world", "é", "\u20ac", "\U0001f600", "\x7f", "\u2028", "\\n", "\\\"", "\\\\", "\\/",
             "\\u0041", "\\u0000", "\\ud83d\\ude00", "\\u00e9", "{", "}", "[", "]", ",", ":", "'"]
    if rng.random() < 0.02:
        parts += ["\\ud800", "\\udc00"]
    return '"' + "".join(rng.choice(parts) for _ in range(rng.randrange(5))) + '"'


def make_number(rng):
    return rng.choice(["0", "-0", "1", "-17", "3.25", "1e2", "1E+5", "2.5e-3", "1e308", "12345678901234567890123",
                       "-9223372036854775808", "18446744073709551616", "0.1", "1e-400", "5e-324",
                       str(rng.randrange(10**12)), repr(rng.random())])


def space(rng):
    return rng.choice(["", "", "", "", " ", "\n", "\t", "\r\n", "  "])


def make_value(rng, depth):
    kind = rng.random()
    if depth <= 0 or kind < 0.55:
        return rng.choice([make_string, make_number, lambda r: r.choice(["true", "false", "null"])])(rng)
    if kind < 0.75:
        items = [make_value(rng, depth - 1) for _ in range(rng.randrange(4))]
        return "[" + space(rng) + ("," + space(rng)).join(items) + space(rng) + "]"
    return make_object(rng, depth, [make_string(rng) for _ in range(rng.randrange(4))])


def make_object(rng, depth, keys, values=None):
    members = []
    for i, key in enumerate(keys):
        value = values[i] if values else make_value(rng, depth - 1)
        members.append(key + space(rng) + ":" + space(rng) + value)
    return "{" + space(rng) + (space(rng) + "," + space(rng)).join(members) + space(rng) + "}"


def spell(rng, key):
    if rng.random() < 0.1:
        i = rng.randrange(len(key))
        key = key[:i] + "\\u%04x" % ord(key[i]) + key[i + 1:]
    return '"' + key + '"'


def make_event(rng):
    keys = ["event"] + rng.sample(["token", "distinct_id", "timestamp", "offset", "properties", "$set", "x"],
                                  rng.randrange(8))
    if rng.random() < 0.2:
        keys = [rng.choice([a for a in ALIASES if ALIASES[a] == k] + [k]) for k in keys]
    values = []
    for key in keys:
        if key in ("event", "timestamp") or ALIASES.get(key, key) == "token":
            values.append(make_string(rng))
        elif key == "offset":
            values.append(str(rng.randrange(-10**6, 10**6)))
        elif key in ("properties", "$set"):
            names = rng.sample(["token", "distinct_id", "$lib", "a", "a"], rng.randrange(6))
            values.append(make_object(rng, 3, [spell(rng, n) for n in names]))
        else:
            values.append(make_value(rng, 3))
    return make_object(rng, 3, [spell(rng, k) for k in keys], values)


def make_text(rng):
    kind = rng.random()
    if kind < 0.6:
        return make_event(rng)
    if kind < 0.7:
        return "[" + make_event(rng) + "]"
    if kind < 0.8:
        return make_object(rng, 3, ['"api_key"', '"batch"'], ['"k"', "[" + make_event(rng) + "]"])
    if kind < 0.83:
        n = rng.randrange(120, 135)
        return rng.choice(["[" * n + "]" * n, '{"a":' * n + "1" + "}" * n, '{"event":"e","x":' + "[" * n + "]" * n + "}"])
    return space(rng) + make_value(rng, 4) + space(rng)


def mutate(rng, raw):
    for _ in range(rng.randrange(1, 4)):
        if not raw:
            return raw
        i = rng.randrange(len(raw))
        kind = rng.randrange(6)
        if kind == 0:
            raw = raw[:i] + raw[i + 1:]
        elif kind == 1:
            raw = raw[:i] + bytes([rng.randrange(256)]) + raw[i + 1:]
        elif kind == 2:
            piece = rng.choice([b'"', b"\\", b",", b":", b"{", b"}", b"[", b"]", b"0", b"-", b".", b"e", b"1e999", b" ",
                                b"\n", b"\x00", b"\x0c", b"\x1a", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"NaN",
                                b"Infinity", b"tru", b"\\u", b"\\ud800", b"/**/", b"'"])
            raw = raw[:i] + piece + raw[i:]
        elif kind == 3:
            raw = raw[:i]
        elif kind == 4:
            j = rng.randrange(len(raw))
            raw = raw[:i] + raw[min(i, j):max(i, j)] + raw[i:]
        else:
            raw += rng.choice([b" ", b"x", b",", b"}", b"]", b"\x00", b"{}"])
    return raw


def run_filter(program, texts):
    data = b"".join(struct.pack("<I", len(t)) + t for t in texts)
    done = subprocess.run([program], input=data, stdout=subprocess.PIPE, timeout=60, check=True)
    lines = done.stdout.decode("utf-8").split("\n")[:-1]
    if len(lines) != len(texts):
        raise SystemExit(f"{len(texts)} texts, {len(lines)} answers")
    return lines


def main():
    options = argparse.ArgumentParser()
    options.add_argument("filter")
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--seed", type=int, default=1)
    args = options.parse_args()
    rng = random.Random(args.seed)
    passed = failed = 0
    kinds = {}
    end = time.monotonic() + args.seconds
    while time.monotonic() < end:
        texts = []
        for _ in range(2000):
            raw = make_text(rng).encode("utf-8")
            texts.append(raw if rng.random() < 0.4 else mutate(rng, raw))
        for raw, answer in zip(texts, run_filter(args.filter, texts)):
            kinds[answer[0]] = kinds.get(answer[0], 0) + 1
            if compare(raw, answer):
                passed += 1
            else:
                failed += 1
                if failed <= 10:
                    print(f"differs: {raw!r}\n  headrace: {answer}", file=sys.stderr)
    print("answers by kind:", dict(sorted(kinds.items())))
    print(f"{passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or min(kinds.get(k, 0) for k in "012s") == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
