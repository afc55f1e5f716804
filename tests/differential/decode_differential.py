#!/usr/bin/env python3
"""Compares our base64, gzip and lz64 decoders with Python's base64 and zlib and npm's lz-string.

A seeded corpus, valid and damaged: what is accepted and every decoded byte must be the same.
"""
import argparse
import base64
import binascii
import gzip
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
LZ_STRING = "lz-string@1.5.0"
BASE64_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, same, kind, case, wanted, got):
        if same:
            self.passed += 1
            return
        self.failed += 1
        if self.failed <= 20:
            print(f"FAILED {kind}: {case[:300].hex()}\n  wanted {short(wanted)}\n  got    {short(got)}")


def short(result):
    return "refused" if result is None else f"{len(result)} bytes {result[:80]!r}"


def run_filter(path, kind, cases):
    """Our results, in order: bytes, or None if refused."""
    feed = b"".join(kind + struct.pack("<I", len(case)) + case for case in cases)
    out = subprocess.run([path], input=feed, stdout=subprocess.PIPE, timeout=120, check=True).stdout
    results, at = [], 0
    while at < len(out):
        size = struct.unpack_from("<I", out, at + 1)[0]
        results.append(out[at + 5:at + 5 + size] if out[at:at + 1] == b"+" else None)
        at += 5 + size
    if len(results) != len(cases):
        raise RuntimeError(f"{len(results)} results for {len(cases)} cases")
    return results


def some_json(rng, size):
    words = ["event", "$pageview", "distinct_id", "é", "€", "日本語", "\U0001f600", "properties"]
    parts, length = [], 0
    while length < size:
        parts.append(json.dumps({rng.choice(words): rng.choice(words) * rng.randint(1, 3),
                                 "n": rng.randrange(10 ** rng.randint(1, 9))}, ensure_ascii=False))
        length += len(parts[-1])
    return "[" + ",".join(parts) + "]"


def some_bytes(rng, size):
    if rng.random() < 0.5:
        return rng.randbytes(size)
    return some_json(rng, size).encode()[:size]


def damage(rng, data, alphabet=None):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 5])):
        at = rng.randrange(len(data) + 1)
        byte = rng.choice(alphabet) if alphabet else rng.randrange(256)
        what = rng.randrange(5)
        if what == 0:
            data[at:at] = bytes([byte])
        elif what == 1:
            del data[at:at + rng.choice([1, 1, 2, 4])]
        elif what == 2:
            del data[at:]
        elif at < len(data):
            data[at] = byte if what == 3 else data[at] ^ 1 << rng.randrange(8)
    return bytes(data)


def base64_reference(case):
    try:
        text = base64.b64decode(case, validate=True)
    except (binascii.Error, ValueError):
        return None
    return text if base64.b64encode(text) == case else None


def compare_base64(args, rng, tally):
    cases = []
    for _ in range(20_000):
        good = base64.b64encode(some_bytes(rng, rng.randrange(200)))
        cases.append(good if rng.random() < 0.3 else damage(rng, good, BASE64_ALPHABET + b"-_ \n"))
    for case, got in zip(cases, run_filter(args.filter, b"b", cases)):
        wanted = base64_reference(case)
        tally.check(wanted == got, "base64", case, wanted, got)


def gzip_reference(case):
    machine = zlib.decompressobj(31)
    try:
        text = machine.decompress(case)
    except zlib.error:
        return None
    return text if machine.eof else None


def gzip_header(rng):
    """A header with any of its optional fields."""
    flags = rng.randrange(32) if rng.random() < 0.9 else rng.randrange(256)
    head = b"\x1f\x8b\x08" + bytes([flags]) + rng.randbytes(6)
    if flags & 4:
        extra = rng.randbytes(rng.choice([0, 1, 100, 3000]))
        head += struct.pack("<H", len(extra)) + extra
    for flag in (8, 16):
        if flags & flag:
            head += bytes(rng.randrange(1, 256) for _ in range(rng.choice([0, 1, 50]))) + b"\0"
    if flags & 2:
        crc = zlib.crc32(head) & 0xFFFF
        head += struct.pack("<H", crc if rng.random() < 0.8 else crc ^ 1)
    return head


def gzip_case(rng):
    size = rng.choice([0, 1, 50, 1300, 1300, 8000, 65_535, 65_536, 70_000, 300_000])
    if size > 10_000 and rng.random() < 0.6:
        size //= 50
    text = some_bytes(rng, size)
    packer = zlib.compressobj(rng.randrange(10), zlib.DEFLATED, -15, 8, rng.randrange(5))
    deflated = packer.compress(text)
    if rng.random() < 0.2:
        deflated += packer.flush(rng.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH]))
    deflated += packer.flush()
    if rng.random() < 0.3:
        deflated = damage(rng, deflated)
        try:   # damaged, but with the right checksum for what it now holds
            text = zlib.decompressobj(-15).decompress(deflated)
        except zlib.error:
            pass
    case = gzip_header(rng) + deflated + struct.pack("<II", zlib.crc32(text), len(text))
    kind = rng.random()
    if kind < 0.1:
        return case + rng.randbytes(rng.randrange(1, 40))
    if kind < 0.2:
        return case + gzip.compress(some_bytes(rng, 100))
    if kind < 0.5:
        return damage(rng, case)
    if kind < 0.6:
        return case[:rng.randrange(len(case) + 1)]
    return case


def compare_gzip(args, rng, tally):
    cases = [gzip_case(rng) for _ in range(4_000)]
    for text in (b"", b"{}", some_json(rng, 2000).encode()):
        whole = gzip.compress(text)
        cases += [whole[:size] for size in range(len(whole) + 1)]
    for case, got in zip(cases, run_filter(args.filter, b"g", cases)):
        wanted = gzip_reference(case)
        tally.check(wanted == got, "gzip", case, wanted, got)


def install_lz_string(cache):
    """The package's path, or None where it cannot be had."""
    path = os.path.join(cache, "node_modules", "lz-string")
    if not shutil.which("node"):
        return None
    if not os.path.isdir(path) and shutil.which("npm"):
        os.makedirs(cache, exist_ok=True)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--prefix", cache, LZ_STRING],
                       stdout=subprocess.DEVNULL, timeout=120, check=False)
    return path if os.path.isdir(path) else None


def ask_lz_string(path, **question):
    command = ["node", os.path.join(HERE, "lz64_reference.js"), os.path.abspath(path)]
    out = subprocess.run(command, input=json.dumps(question).encode(), stdout=subprocess.PIPE,
                         timeout=120, check=True).stdout
    return json.loads(out)


def lz64_texts(rng):
    texts = ["", "a", "a" * 5000, "\0\x01\x7f\x80\u07ff\u0800\uffff", "\U0001f600" * 300,
             "\ud83d", "x\ude00y", "\ude00\ud83d", "".join(map(chr, range(1, 0xD000)))]
    for _ in range(600):
        texts.append(some_json(rng, rng.choice([10, 100, 1300, 1300, 10_000])))
    for _ in range(100):
        texts.append("".join(chr(rng.choice([rng.randrange(128), rng.randrange(0x10000)]))
                             for _ in range(rng.randrange(300))))
    return texts


def utf16_text(text):
    """As JavaScript sees it: two surrogates in a row are one character; None if one is alone."""
    try:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le").encode()
    except UnicodeDecodeError:
        return None


def compare_lz64(args, rng, tally):
    texts = lz64_texts(rng)
    package = install_lz_string(args.cache)
    if package is None:
        print("lz64 skipped: node or the lz-string package is not to be had")
        tally.skipped += len(texts)
        return
    packed = [case.encode() for case in ask_lz_string(package, pack=texts)["pack"]]
    for case, text, got in zip(packed, texts, run_filter(args.filter, b"l", packed)):
        wanted = utf16_text(text)
        tally.check(wanted == got, "lz64 round trip", case, wanted, got)

    cases = []
    for _ in range(4_000):
        case = rng.choice(packed)
        if len(case) > 3_000:
            continue
        cases.append(damage(rng, case, BASE64_ALPHABET) if rng.random() < 0.8 else damage(rng, case))
    asked = ask_lz_string(package, decode=[base64.b64encode(case).decode() for case in cases])
    for case, (mark, text), got in zip(cases, asked["decode"], run_filter(args.filter, b"l", cases)):
        wanted = None if mark == "-" else text.encode()
        # '?': the package read zero bits behind the end of its input; we refuse unless none of
        # them counted.
        same = wanted == got or (mark == "?" and got is None)
        tally.check(same, "lz64", case, wanted, got)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--filter", required=True, help="path of the decode_filter program")
    parser.add_argument("--cache", required=True, help="where lz-string is installed")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--no-skip", action="store_true", help="a skipped part is a failure")
    args = parser.parse_args()
    tally = Tally()
    for compare in (compare_base64, compare_gzip, compare_lz64):
        compare(args, random.Random(args.seed), tally)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed or (args.no_skip and tally.skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
