"""The suite's own parts work without the server: broker, consumer, certificates, relay, model."""
import gzip
import json
import socket
import threading

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from harness import expected, http, metrics
from harness.kafka import SCRAM_PASSWORD, SCRAM_USER
from harness.tee import Tee
from harness.waiting import wait_until


def produce(kafka, topic, count):
    producer = Producer({"bootstrap.servers": kafka.brokers, "partitioner": "murmur2_random"})
    for i in range(count):
        producer.produce(topic, f"v{i}".encode(), f"key {i % 7}".encode(),
                         headers=[("a", "1"), ("nothing", None), ("empty", "")])
    assert producer.flush(20) == 0


def test_a_whole_topic_is_read_with_keys_headers_and_times(kafka, topics):
    produce(kafka, topics.lanes["main"], 50)
    records = topics.events(50)
    assert sorted(r.value for r in records) == sorted(f"v{i}" for i in range(50))
    assert all(r.headers == [("a", "1"), ("nothing", None), ("empty", "")] for r in records)
    assert all(r.key.startswith("key ") and r.timestamp_ms and r.partitions == 4 for r in records)
    assert topics.events(lanes=["ai"]) == []


def client(kafka, listener, **more):
    settings = {"bootstrap.servers": kafka.address(listener), "log_level": 0,
                "ssl.ca.location": str(kafka.authority.certificate),
                "security.protocol": "ssl" if listener == "mtls" else "sasl_ssl"}
    if listener != "mtls":
        settings |= {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": SCRAM_USER,
                     "sasl.password": SCRAM_PASSWORD}
    return AdminClient(settings | more)


def test_the_secured_listeners_let_the_right_client_in(kafka):
    certificate, key = kafka.authority.issue("harness-client", "DNS:client")
    assert client(kafka, "sasl_ssl").list_topics(timeout=10).brokers
    assert client(kafka, "mtls", **{"ssl.certificate.location": str(certificate),
                                    "ssl.key.location": str(key)}).list_topics(timeout=10).brokers


@pytest.mark.parametrize("listener, more, reason", [
    ("sasl_ssl", {"sasl.password": "wrong"}, "invalid credentials"),
    ("mtls", {}, "ssl"),
    ("expired", {}, "certificate verify failed"),
    ("wrong_name", {}, "certificate verify failed")])
def test_the_secured_listeners_keep_the_wrong_client_out(kafka, listener, more, reason):
    said = []
    wrong = client(kafka, listener, **more, error_cb=lambda error: said.append(error.str().lower()))

    def refused():
        wrong.poll(0.1)
        return any(reason in text for text in said)
    wait_until(refused, lambda: f"{reason!r} among {said}", 10)


def test_the_relay_keeps_what_was_sent():
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        peer, _ = listener.accept()
        peer.recv(65536)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
        peer.close()
    threading.Thread(target=serve, daemon=True).start()
    with Tee(listener.getsockname()[1]) as tee:
        answer = http.request(tee.url + "/batch/", "POST", b"{}", {"X-Own": "1"})
        assert (answer.status, answer.body) == (200, b"ok")
        [(method, target, headers, body)] = tee.requests()
    assert (method, target, body) == ("POST", "/batch/", b"{}") and ("X-Own", "1") in headers
    listener.close()


def test_recorded_chunks_are_joined():
    stream = (b"POST /e/ HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
              b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert [(m, t, b) for m, t, _, b in http.parse_requests(stream)] == [("POST", "/e/", b"abcde"), ("GET", "/", b"")]


def test_the_model_knows_shapes_wrappings_and_splits():
    body = {"api_key": "phc_a", "sent_at": "2026-01-01T00:00:00.100+02:00", "historical_migration": True,
            "batch": [{"event": "a", "distinct_id": 5, "token": "other", "type": "x"},
                      {"event": "$exception", "properties": {"distinct_id": "p"}},
                      {"event": "h", "distinct_id": "d", "properties": {"$heatmap_data": {}, "k": 1}},
                      {"event": "$performance_event"}]}
    target = "/batch/?_=1750000000123"
    assert expected.decode(target, [], gzip.compress(json.dumps(body).encode())) == body
    a, exception, original, heatmap = expected.events(target, body)
    assert (a["token"], a["distinct_id"], a["data"]["token"], a["historical_migration"]) == ("phc_a", "5", "other", True)
    assert a["sent_at"] == "2026-01-01T00:00:00.1+02:00"
    assert exception["distinct_id"] == "p" and not exception["historical_migration"]
    assert original["skip_heatmap"] and original["data"]["properties"] == {"k": 1}
    assert heatmap["event"] == "$$heatmap" and heatmap["data"]["properties"] == {"$heatmap_data": {}}
    [single] = expected.events("/e/?_=1750000000123", {"event": "a", "properties": {"distinct_id": "d", "token": "phc_b"}})
    assert (single["token"], single["sent_at"]) == ("phc_b", "2025-06-15T15:06:40.123Z")


def test_metric_text_becomes_numbers():
    samples = metrics.parse('# HELP x y\nx_total{a="b",c="d\\"e"} 3\nx_total{a="z"} 4\ny 1.5e3\n')
    assert metrics.total(samples, "x_total") == 7 and metrics.total(samples, "x_total", a="z") == 4
    assert metrics.total(samples, "y") == 1500
