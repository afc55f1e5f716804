"""Where the server listens and whom it believes about the client's address."""
import socket
import struct
import tempfile

import pytest

from harness.http import Raw
from harness.payloads import dump, event


def speak(connection, data):
    connection.sendall(data)
    answer = b""
    while b"\r\n\r\n" not in answer:
        piece = connection.recv(65536)
        assert piece, f"closed after {answer!r}"
        answer += piece
    return int(answer.split()[1])


def post(sent, extra=b""):
    body = dump(sent)
    return b"POST /e/ HTTP/1.1\r\nHost: x\r\n" + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_a_unix_socket_beside_a_port(launch, token):
    with tempfile.TemporaryDirectory() as short:     # such paths have at most 107 bytes
        path = f"{short}/s"
        h = launch(listen=f"127.0.0.1:0,unix:{path}")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(path)
            assert speak(connection, post(event("local", token=token), b"X-Real-Ip: 198.51.100.4\r\n")) == 200
        h.capture(event("by port", token=token))
        assert [(r.event["event"], r.event["ip"]) for r in h.stored()] == [
            ("local", "198.51.100.4"), ("by port", "127.0.0.1")]
        assert h.stop() == 0


def test_both_families_on_one_listener_render_ipv4_plainly(launch, token):
    h = launch(listen="[::]:0")
    for host in ("127.0.0.1", "::1"):
        with socket.create_connection((host, h.port), timeout=10) as connection:
            assert speak(connection, post(event(host, token=token))) == 200
    assert [r.event["ip"] for r in h.stored()] == ["127.0.0.1", "::1"]


@pytest.mark.parametrize("settings, wanted", [
    ({}, "192.0.2.66"),
    ({"HEADRACE_SERVER_TRUSTED_PROXIES": "10.0.0.0/8"}, "127.0.0.1"),
    ({"HEADRACE_SERVER_TRUSTED_PROXIES": "127.0.0.0/8,10.0.0.0/8"}, "203.0.113.7"),
])
def test_forwarded_addresses_count_as_far_as_proxies_are_trusted(launch, token, settings, wanted):
    h = launch(settings)
    h.capture(event("via proxies", token=token), headers={"X-Forwarded-For": "192.0.2.66, 203.0.113.7, 10.1.2.3"})
    assert [r.event["ip"] for r in h.stored()] == [wanted]


def test_proxy_protocol_gives_the_address_from_listed_peers_only(launch, token):
    v1 = b"PROXY TCP4 198.51.100.7 10.0.0.1 4711 3000\r\n"
    v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack("!H", 12) + socket.inet_aton("198.51.100.8") + \
        socket.inet_aton("10.0.0.1") + struct.pack("!HH", 4711, 3000)
    listen = "127.0.0.1:0"
    h = launch({"HEADRACE_SERVER_PROXY_PROTOCOL": listen, "HEADRACE_SERVER_TRUSTED_PROXIES": "127.0.0.1/32"},
               listen=listen)
    for head in (v1, v2):
        with Raw(h.url) as connection:
            connection.send(head + post(event("proxied", token=token)))
            assert connection.answer().status == 200
    assert [r.event["ip"] for r in h.stored()] == ["198.51.100.7", "198.51.100.8"]
    with Raw(h.url) as connection:
        connection.send(post(event("no head", token=token)))
        answer = connection.answer()
        assert answer is None or answer.status == 400
