"""Requests as SDKs send them, replayed byte-wise like the SDK; each record is compared."""
import base64
import gzip
import json
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from harness import expected, metrics
from harness.http import Raw

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.json"))


def load(path, token):
    return json.loads(path.read_text().replace("{token}", token))


def wrap(recorded):
    plain = json.dumps(recorded["body"], separators=(",", ":"), ensure_ascii=False).encode()
    if recorded["encoding"] == "gzip":
        return gzip.compress(plain)
    if recorded["encoding"] == "form-base64":
        return b"data=" + quote(base64.b64encode(plain), safe="").encode()
    return b"" if recorded["encoding"] == "none" else plain


def wire(recorded, host):
    """The request's bytes, header order and case as recorded."""
    body = wrap(recorded)
    headers = [("Host", host), *map(tuple, recorded["headers"])]
    if recorded["encoding"] == "json-chunked":
        headers.append(("Transfer-Encoding", "chunked"))
        pieces = [body[i:i + 300] for i in range(0, len(body), 300)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    elif recorded["method"] == "POST":
        headers.append(("Content-Length", str(len(body))))
    head = f"{recorded['method']} {recorded['path']} HTTP/1.1\r\n" + "".join(f"{n}: {v}\r\n" for n, v in headers)
    return head.encode() + b"\r\n" + body


def send(h, recorded):
    with Raw(h.url) as connection:
        connection.send(wire(recorded, urlsplit(h.url).netloc))
        answer = connection.answer()
    origin = dict(map(tuple, recorded["headers"])).get("Origin")
    if origin:
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["access-control-allow-credentials"] == "true"
    return answer


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.stem)
def test_a_recorded_request_is_stored_as_sent(launch, token, path):
    h = launch()
    recorded = load(path, token)
    answer = send(h, recorded)
    if recorded["method"] == "OPTIONS":
        asked = dict(map(tuple, recorded["headers"]))["Access-Control-Request-Headers"]
        assert (answer.status, answer.body) == (200, b"")
        assert answer.headers["access-control-allow-methods"] == "GET,POST,OPTIONS"
        assert answer.headers["access-control-allow-headers"] == asked
        return
    assert (answer.status, answer.body) == (200, b'{"status":"Ok"}'), answer
    wanted = expected.events(recorded["path"], recorded["body"])
    expected.match(h.stored(), wanted)
    count = len(recorded["body"]["batch"] if "batch" in recorded["body"] else
                recorded["body"] if isinstance(recorded["body"], list) else [0])
    metrics.judge(h, received=count, spooled=count)


def test_all_recorded_requests_reach_the_topics(launch, topics, token):
    h = launch(topics=topics)
    wanted = []
    for path in RECORDED:
        recorded = load(path, token)
        if recorded["method"] == "POST":
            assert send(h, recorded).status == 200, path.stem
            wanted += expected.events(recorded["path"], recorded["body"])
    expected.match(topics.events(len(wanted)), wanted)
