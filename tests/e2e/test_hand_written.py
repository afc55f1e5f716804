"""Clients in the shape of what people write by hand. None may lose an event, and the personal key
that such a client sends along may appear nowhere."""
import gzip
import json
import threading
import uuid

import requests

from harness import metrics
from harness.payloads import event

PERSONAL_KEY = "ph" + "x_" + "hand0written0secret0key"


class GoStyle:
    """Posts to /batch/ with a 5 s time-out and no uuid; a status of 400 or more means lost."""

    def __init__(self, url, token):
        self.url, self.token, self.lost, self.sent = url, token, 0, []
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "Go-http-client/1.1"

    def enqueue(self, names):
        messages = [{"type": "capture", "library": "own", "event": name, "distinct_id": f"acct:{i % 4}",
                     "properties": {"$lib": "own-go", "cents": 1999}, "timestamp": "2026-11-20T08:00:00.123456789+02:00"}
                    for i, name in enumerate(names)]
        try:
            answer = self._session.post(
                self.url + "/batch/", timeout=5, headers={"Content-Type": "application/json"},
                data=json.dumps({"api_key": self.token, "batch": messages}, separators=(",", ":")))
            lost = answer.status_code >= 400
        except requests.RequestException:
            lost = True
        if lost:
            self.lost += len(names)
        else:
            self.sent += names


def test_a_go_style_client_loses_nothing(launch, topics, token):
    h = launch(topics=topics)
    clients = [GoStyle(h.url, token) for _ in range(4)]

    def use(number, client):
        for round_ in range(10):
            client.enqueue([f"go {number} {round_} {i}" for i in range(20)])
    threads = [threading.Thread(target=use, args=pair) for pair in enumerate(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(c.lost for c in clients) == 0
    sent = sorted(name for c in clients for name in c.sent)
    records = topics.events(800)
    assert len(sent) == 800 and sorted(r.event["event"] for r in records) == sent
    assert len({r.uuid for r in records}) == 800
    assert all(uuid.UUID(r.uuid).version == 7 and r.data["uuid"] is None for r in records)
    assert {r.event["timestamp"] for r in records} == {"2026-11-20T06:00:00.123456789Z"}
    metrics.judge(h, received=800, acked=800)


def scribble(h, token, names):
    """The usual requests.post(json=...) with the wrong kind of key in a header."""
    for name in names:
        answer = requests.post(
            h.url + "/i/v0/e/", json=event(name, token=token) | {"properties": {"plan": "free"}},
            headers={"Authorization": f"Bearer {PERSONAL_KEY}"}, timeout=10)
        assert answer.status_code == 200 and answer.json()["status"] == "Ok", answer.text


def key_nowhere(h):
    # A bad event and a bad body too: dead letters and error logs must not carry the key either.
    headers = {"Authorization": f"Bearer {PERSONAL_KEY}", "Content-Type": "application/json"}
    requests.post(h.url + "/i/v0/e/", data=b"{", headers=headers, timeout=10)
    requests.post(h.url + "/i/v0/e/", data=gzip.compress(b"[1]"), headers=headers, timeout=10)
    for file in [f for f in h.spool.rglob("*") if f.is_file()]:
        assert PERSONAL_KEY.encode() not in file.read_bytes(), file
    assert PERSONAL_KEY not in h.log()


def test_a_requests_style_client_loses_nothing_and_leaks_nothing(launch, topics, token):
    h = launch({"HEADRACE_LOG_LEVEL": "debug"}, topics=topics)
    names = [f"py {i}" for i in range(30)]
    scribble(h, token, names)
    records = topics.events(30)
    assert sorted(r.event["event"] for r in records) == sorted(names)
    for record in records + topics.dead_letters():
        assert PERSONAL_KEY not in record.value + str(record.headers) + str(record.key)
    key_nowhere(h)


def test_the_standalone_store_keeps_no_personal_key(launch, token):
    h = launch({"HEADRACE_LOG_LEVEL": "debug"})
    scribble(h, token, ["a", "b"])
    key_nowhere(h)


def test_a_personal_key_as_token_is_refused_and_not_kept(launch):
    h = launch({"HEADRACE_LOG_LEVEL": "debug"})
    for payload in ({"event": "a", "distinct_id": "1", "api_key": PERSONAL_KEY},
                    {"api_key": PERSONAL_KEY, "batch": [{"event": "a", "distinct_id": "1"}]}):
        answer = requests.post(h.url + "/i/v0/e/", json=payload, timeout=10)
        assert (answer.status_code, answer.text) == (401, "API key is not valid: personal_api_key")
    key_nowhere(h)
