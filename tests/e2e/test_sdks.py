"""The public SDKs against the server with a real broker: what they sent stands in the topics."""
import subprocess

import pytest

from conftest import CACHE
from harness import expected, metrics, sdk
from harness.payloads import batch, dump, event
from harness.tee import Tee


def wanted_from(tee):
    """The records that follow from the event requests that went through the relay."""
    wanted = []
    for method, target, headers, body in tee.requests():
        if method == "POST" and not target.startswith("/flags"):
            wanted += expected.events(target, expected.decode(target, headers, body))
    return wanted


def check(h, topics, wanted):
    names = [e["event"] for e in wanted]
    assert "order 11" in names and "$create_alias" in names and "$groupidentify" in names, names
    records = topics.events(len(wanted))
    expected.match(records, wanted)
    in_order(records, wanted)
    [order] = [r for r in records if r.event["event"] == "order 4"]
    properties = order.data["properties"]
    assert (order.event["distinct_id"], properties["i"], properties["total"]) == ("user-1", 4, 12.5)
    assert properties["text"] == 'ünï "q" \\ \u2028 </x>' and properties["$groups"] == {"company": "acme"}
    assert properties["nested"] == {"list": [1, None, {"a": True}]}
    assert {r.topic for r in records if r.event["event"] == "$exception"} <= {topics.lanes["errors"]}
    metrics.judge(h, received=len(wanted), acked=len(wanted))
    assert h.stored() == []


def in_order(records, wanted):
    """Records of one key and topic keep the order in which they were sent."""
    position = {e["uuid"]: i for i, e in enumerate(wanted) if e["uuid"]}
    last = {}
    for record in records:
        if record.uuid in position:
            lane = (record.topic, record.key)
            assert position[record.uuid] > last.get(lane, -1), f"{record.key} is out of order"
            last[lane] = position[record.uuid]


@pytest.mark.parametrize("package", sdk.node_versions())
def test_posthog_node(launch, topics, token, package):
    h = launch(topics=topics)
    with Tee(h.port) as tee:
        sdk.run_node(CACHE, package, tee.url, token)
        wanted = wanted_from(tee)
    assert "$identify" in [e["event"] for e in wanted]
    check(h, topics, wanted)


@pytest.mark.parametrize("gzip", [False, True])
def test_posthog_python(launch, topics, token, gzip):
    h = launch(topics=topics)
    with Tee(h.port) as tee:
        sdk.run_python(tee.url, token, gzip)
        wanted = wanted_from(tee)
    assert "$ai_generation" in [e["event"] for e in wanted] and "$set" in [e["event"] for e in wanted]
    check(h, topics, wanted)


def test_curl_sends_events_batches_and_gzip(launch, topics, token, folder):
    h = launch(topics=topics)
    single, many = event("by curl", token=token), batch(token, [event(f"b{i}") for i in range(10)])
    packed = batch(token, [event(f"z{i}", "user-2") for i in range(10)])
    (folder / "body.json").write_bytes(dump(packed))
    subprocess.run(["gzip", "-k", folder / "body.json"], check=True)
    for path, data, headers in [("/i/v0/e/", dump(single), []), ("/batch/", dump(many), []),
                                ("/batch", b"@" + bytes(folder / "body.json.gz"), ["-H", "Content-Encoding: gzip"])]:
        done = subprocess.run(["curl", "-sS", "-m", "10", "-H", "Content-Type: application/json", *headers,
                               "--data-binary", data, h.url + path], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, '{"status":"Ok"}'), done
    wanted = [e for s in (single, many, packed) for e in expected.events("/batch/", s)]
    records = topics.events(21)
    expected.match(records, wanted)
    in_order(records, wanted)
    metrics.judge(h, received=21, acked=21)
