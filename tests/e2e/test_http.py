"""The front door: framing that two parsers could read differently is refused, clients that stall
are let go, and everything well-formed works on a reused connection (design.md D12)."""
import json

import pytest

from harness import expected, http, metrics
from harness.http import Raw
from harness.payloads import dump, event
from harness.waiting import wait_until

BODY = b'{"api_key":"phc_front_door","event":"smuggled","distinct_id":"1"}'
LENGTH = b"Content-Length: %d\r\n" % len(BODY)
CHUNKS = b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
START = b"POST /e/ HTTP/1.1\r\n"
HOST = b"Host: capture.example\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"

DANGEROUS = {
    "HTTP/1.0 with chunks": b"POST /e/ HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n" + CHUNKS,
    "an unknown coding": START + HOST + b"Transfer-Encoding: xchunked\r\n\r\n" + CHUNKS,
    "chunked is not the last coding": START + HOST + b"Transfer-Encoding: chunked, identity\r\n\r\n" + CHUNKS,
    "identity with a length": START + HOST + b"Transfer-Encoding: identity\r\n" + LENGTH + b"\r\n" + BODY,
    "two codings": START + HOST + CHUNKED + CHUNKED + b"\r\n" + CHUNKS,
    "gzip, chunked": START + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + CHUNKS,
    "length twice, equal": START + HOST + LENGTH + LENGTH + b"\r\n" + BODY,
    "a list of lengths": START + HOST + LENGTH.replace(b"\r\n", b", %d\r\n" % len(BODY)) + b"\r\n" + BODY,
    "length twice, different": START + HOST + LENGTH + b"Content-Length: 5\r\n\r\n" + BODY,
    "length before chunked": START + HOST + LENGTH + CHUNKED + b"\r\n" + CHUNKS,
    "chunked before length": START + HOST + CHUNKED + LENGTH + b"\r\n" + CHUNKS,
    "a folded field": START + HOST + b"X-One: a\r\n b\r\n" + LENGTH + b"\r\n" + BODY,
    "a folded length": START + HOST + b"Content-Length:\r\n %d\r\n\r\n" % len(BODY) + BODY,
    "no host": START + LENGTH + b"\r\n" + BODY,
    "two hosts": START + HOST + b"Host: other.example\r\n" + LENGTH + b"\r\n" + BODY,
    "another host in the target": b"POST http://other.example/e/ HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n" + BODY,
    "a signed length": START + HOST + b"Content-Length: +%d\r\n\r\n" % len(BODY) + BODY,
    "a hexadecimal length": START + HOST + b"Content-Length: 0x10\r\n\r\n" + BODY,
    "a length beyond 64 bits": START + HOST + b"Content-Length: 18446744073709551616\r\n\r\n" + BODY,
    "a signed chunk size": START + HOST + CHUNKED + b"\r\n+" + CHUNKS,
    "a chunk size with a prefix": START + HOST + CHUNKED + b"\r\n0x" + CHUNKS,
    "a chunk size beyond 64 bits": START + HOST + CHUNKED + b"\r\n1" + b"0" * 16 + b"\r\nx",
    "a huge chunk extension": START + HOST + CHUNKED + b"\r\n5;x=" + b"y" * 100_000 + b"\r\nhello\r\n0\r\n\r\n",
    "LF in a chunk extension": START + HOST + CHUNKED + b"\r\n5;x=\n\r\nhello\r\n0\r\n\r\n",
    "bare LF": START.replace(b"\r\n", b"\n") + HOST + LENGTH + b"\r\n" + BODY,
    "bare CR in a field": START + HOST + b"X-One: a\rb\r\n" + LENGTH + b"\r\n" + BODY,
    "NUL in a field": START + HOST + b"X-One: a\0b\r\n" + LENGTH + b"\r\n" + BODY,
    "space before the colon": START + HOST + b"Content-Length : %d\r\n\r\n" % len(BODY) + BODY,
    "space before the first field": START + b" " + HOST + LENGTH + b"\r\n" + BODY,
    "HTTP/1.2": b"POST /e/ HTTP/1.2\r\n" + HOST + LENGTH + b"\r\n" + BODY,
    "HTTP/2.0": b"POST /e/ HTTP/2.0\r\n" + HOST + LENGTH + b"\r\n" + BODY,
    "a bad method": b"PO(ST /e/ HTTP/1.1\r\n" + HOST + LENGTH + b"\r\n" + BODY,
}


def test_dangerous_framing_is_refused_and_the_connection_closed(launch):
    h, wrong = launch(), []
    for name, data in DANGEROUS.items():
        with Raw(h.url) as connection:
            connection.send(data + b"GET /_liveness HTTP/1.1\r\nHost: capture.example\r\n\r\n")
            answer = connection.answer()
            status = answer.status if answer else "closed without an answer"
            allowed = (400, 505) if name.startswith("HTTP/") or name == "bare LF" else (400,)
            if status not in allowed or not connection.closed():
                wrong.append(f"{name}: {status}, {answer and answer.text()[:80]}")
    assert not wrong, "\n".join(wrong)
    assert h.stored() == []
    assert http.request(h.url + "/_liveness").status == 200


def test_a_huge_head_is_refused_by_its_part(launch):
    h = launch()
    with Raw(h.url) as connection:
        connection.send(b"GET /e/?data=" + b"a" * 70_000 + b" HTTP/1.1\r\n" + HOST + b"\r\n")
        assert connection.answer().status == 414
    with Raw(h.url) as connection:
        connection.send(START + HOST + b"X-Long: " + b"a" * 70_000 + b"\r\n\r\n")
        assert connection.answer().status == 431
    sent = event("long link", token="phc_" + "l" * 30, properties={"t": "x" * 9_000})
    assert http.request(h.url + "/e/?data=" + dump(sent).decode().replace(" ", "%20").replace('"', "%22")).status == 200


def request_bytes(sent, path=b"/e/", extra=b""):
    body = dump(sent)
    return b"POST " + path + b" HTTP/1.1\r\n" + HOST + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_pipelined_requests_are_answered_in_order(launch, token):
    h = launch()
    sent = [event(f"p{i}", token=token) for i in range(20)]
    stream = b""
    for i, one in enumerate(sent):
        stream += request_bytes(one, b"/e/?beacon=1" if i % 3 == 0 else b"/e/", b"X-Request-Id: r%d\r\n" % i)
    with Raw(h.url) as connection:
        connection.send(stream)
        answers = [connection.answer() for _ in sent]
    assert [a.status for a in answers] == [204 if i % 3 == 0 else 200 for i in range(20)]
    assert [a.headers["x-request-id"] for a in answers] == [f"r{i}" for i in range(20)]
    assert [r.event["event"] for r in h.stored()] == [f"p{i}" for i in range(20)]


def test_a_request_may_arrive_byte_by_byte(launch, token):
    h = launch()
    sent = event("slow", token=token)
    with Raw(h.url) as connection:
        for byte in request_bytes(sent):
            connection.send(bytes([byte]))
        assert connection.answer().status == 200
        connection.send(request_bytes(event("second", token=token)))
        assert connection.answer().status == 200
    assert [r.event["event"] for r in h.stored()] == ["slow", "second"]


def test_chunked_bodies_with_extensions_and_trailers(launch, token):
    h = launch()
    sent = event("in chunks", token=token)
    body = dump(sent)
    pieces = b"".join(b"%x;name=value\r\n%s\r\n" % (len(p), p) for p in (body[i:i + 7] for i in range(0, len(body), 7)))
    with Raw(h.url) as connection:
        connection.send(START + HOST + CHUNKED + b"\r\n" + pieces + b"0\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
        answer = connection.answer()
        if answer.status == 200:
            connection.send(request_bytes(event("next", token=token)))
            assert connection.answer().status == 200
    stored = h.stored()
    assert answer.status in (200, 400) and "203.0.113.9" not in [r.event["ip"] for r in stored]
    assert http.request(h.url + "/e/", "POST", body, chunked=True).status == 200
    expected.match([h.stored()[-1]], expected.events("/e/", sent))


def test_expect_is_answered_before_the_body(launch, token):
    h = launch()
    body = dump(event("expected", token=token))
    head = START + HOST + b"Content-Length: %d\r\n" % len(body) + b"Expect: 100-continue\r\n\r\n"
    with Raw(h.url) as connection:
        connection.send(head)
        assert connection.answer().status == 100
        connection.send(body)
        assert connection.answer().status == 200
    with Raw(h.url) as connection:
        connection.send(b"POST /nowhere HTTP/1.1\r\n" + HOST + b"Content-Length: 99\r\nExpect: 100-continue\r\n\r\n")
        assert connection.answer().status == 404


@pytest.mark.parametrize("version, fields, kept", [
    (b"1.1", b"", True), (b"1.1", b"Connection: close\r\n", False), (b"1.0", b"", False),
    (b"1.0", b"Connection: keep-alive\r\n", True)])
def test_connections_are_kept_as_the_client_asks(launch, version, fields, kept):
    h = launch()
    ask = b"GET /_liveness HTTP/" + version + b"\r\n" + HOST + fields + b"\r\n"
    with Raw(h.url) as connection:
        connection.send(ask)
        assert connection.answer().body == b"ok"
        if kept:
            connection.send(ask)
            assert connection.answer().body == b"ok"
        else:
            assert connection.closed()


def test_head_has_the_length_but_no_body(launch):
    h = launch()
    with Raw(h.url) as connection:
        for _ in range(2):
            connection.send(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n")
            answer = connection.answer(head_only=True)
            assert (answer.status, answer.headers["content-length"]) == (200, "7")


def test_cors_on_success_errors_unknown_paths_and_preflights(launch, token):
    h = launch()
    origin = {"Origin": "https://shop.example"}
    answers = [h.post("/e/", dump(event(token=token)), origin), h.post("/e/", b"{", origin),
               h.post("/nowhere", b"{}", origin), http.request(h.url + "/e/", "PUT", b"", origin),
               http.request(h.url + "/", headers=origin)]
    assert [a.status for a in answers] == [200, 400, 404, 405, 200]
    for answer in answers:
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert answer.headers["access-control-allow-credentials"] == "true"
        assert answer.headers["vary"] == "origin, access-control-request-method, access-control-request-headers"
        assert "access-control-allow-methods" not in answer.headers
    for path in ("/e/", "/batch", "/nowhere", "/"):
        answer = http.request(h.url + path, "OPTIONS", headers=origin | {
            "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type,x-own"})
        assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "0")
        assert answer.headers["access-control-allow-origin"] == "https://shop.example"
        assert answer.headers["access-control-allow-methods"] == "GET,POST,OPTIONS"
        assert answer.headers["access-control-allow-headers"] == "content-type,x-own"
    plain = http.request(h.url + "/")
    assert "access-control-allow-origin" not in plain.headers and "server" not in plain.headers
    assert plain.headers["access-control-allow-credentials"] == "true" and "date" in plain.headers


def test_a_body_beyond_the_limit_is_413_and_the_connection_goes_on(launch, token):
    h = launch()
    limit = 20 * 1024 * 1024
    with Raw(h.url, timeout=30) as connection:
        connection.send(START + HOST + b"Content-Length: %d\r\n\r\n" % (limit + limit // 2))
        for _ in range(30):
            connection.send(b" " * (limit // 20))
        answer = connection.answer()
        assert (answer.status, answer.text()) == (
            413, "maximum event size exceeded: Request body exceeds limit of 20971520 bytes")
        connection.send(request_bytes(event("after", token=token)))
        assert connection.answer().status == 200
    with Raw(h.url, timeout=30) as connection:
        connection.send(START + HOST + CHUNKED + b"\r\n")
        for _ in range(21):
            connection.send(b"%x\r\n" % 1_048_576 + b" " * 1_048_576 + b"\r\n")
        connection.send(b"0\r\n\r\n" + request_bytes(event("after chunks", token=token)))
        assert connection.answer().status == 413
        assert connection.answer().status == 200
    assert [r.event["event"] for r in h.stored()] == ["after", "after chunks"]


def test_a_body_of_exactly_the_limit_is_read(launch, token):
    h = launch()
    sent = dump(event("padded", token=token))
    limit = 20 * 1024 * 1024
    assert h.post("/e/", sent + b" " * (limit - len(sent))).status == 200
    assert h.post("/e/", sent + b" " * (limit + 1 - len(sent))).status == 413
    assert len(h.stored()) == 1


STALLING = {"HEADRACE_SERVER_HEADER_TIMEOUT": "400ms", "HEADRACE_SERVER_BODY_TIMEOUT": "400ms",
            "HEADRACE_SERVER_IDLE_TIMEOUT": "1s"}


def test_stalled_clients_are_let_go(launch):
    h = launch(STALLING)
    with Raw(h.url) as connection:
        connection.send(b"POST /e/ HTTP/1.1\r\nHo")
        answer = connection.answer()
        assert answer is None or answer.status in (400, 408)
        assert connection.closed()
    with Raw(h.url) as connection:
        connection.send(START + HOST + b"Content-Length: 100\r\n\r\n{")
        answer = connection.answer()
        assert (answer.status, answer.text()) == (408, "client stopped sending data")
        assert connection.closed()
    with Raw(h.url) as connection:
        connection.send(b"GET /_liveness HTTP/1.1\r\n" + HOST + b"\r\n")
        assert connection.answer().status == 200
        assert connection.answer() is None
    with Raw(h.url) as connection:
        assert connection.answer() is None


def test_a_complete_request_of_a_client_that_left_is_processed(launch, token):
    h = launch()
    with Raw(h.url) as connection:
        connection.send(request_bytes(event("gone", token=token)))
    wait_until(lambda: [r.event["event"] for r in h.stored()] == ["gone"], "the record of a client that hung up")


def test_a_client_that_leaves_in_the_middle_leaves_no_trace(launch):
    h = launch()
    for data in (b"", b"POST /e/ HT", START + HOST, START + HOST + b"Content-Length: 50\r\n\r\n{", START + HOST + CHUNKED + b"\r\n5\r\nab"):
        with Raw(h.url) as connection:
            connection.send(data)
    wait_until(lambda: http.request(h.url + "/_liveness").status == 200, "liveness")
    assert h.stored() == []
    metrics.judge(h)


def test_request_ids_are_echoed_or_made(launch):
    h = launch()
    echoed = http.request(h.url + "/", headers={"X-Request-Id": "abc-123"}).headers["x-request-id"]
    made = http.request(h.url + "/", headers={"X-Request-Id": "x" * 65}).headers["x-request-id"]
    assert echoed == "abc-123" and len(made) == 36 and made[14] == "7"


def test_the_admin_port_checks_host_and_serves_metrics(launch):
    h = launch()
    assert http.request(h.admin + "/metrics").status == 200
    with Raw(h.admin) as connection:
        connection.send(b"GET /healthz/ready HTTP/1.1\r\nHost: evil.example\r\n\r\n")
        rebound = connection.answer()
    assert json.loads(http.request(h.admin + "/healthz/ready").body)
    assert rebound.status in (200, 400, 403, 421)


def test_sixty_connections_at_once_are_served(launch, token):
    h = launch()
    connections = [Raw(h.url) for _ in range(60)]
    try:
        for i, connection in enumerate(connections):
            connection.send(request_bytes(event(f"c{i}", token=token)))
        assert [c.answer().status for c in connections] == [200] * 60
    finally:
        for connection in connections:
            connection.socket.close()
    assert sorted(r.event["event"] for r in h.stored()) == sorted(f"c{i}" for i in range(60))
