"""Brokers configured: lanes, order, and what happens when the broker goes away."""
import json
import secrets
import time

from conftest import CACHE, Topics
from harness import expected, http, metrics, server
from harness.kafka import Kafka
from harness.payloads import batch, dump, event
from harness.waiting import wait_until

JSON = {"Content-Type": "application/json"}
ANSWER_LIMIT_S = 3.0       # from the last body byte (design.md D21)
MARGIN_S = 2.0             # of a loaded test machine


def test_lanes_keys_and_headers(launch, topics, token):
    h = launch(topics=topics)
    live = batch(token, [event("plain"), event("$exception"), event("$$heatmap"), event("$$client_ingestion_warning"),
                         event("$ai_generation", properties={"$ai_gateway_x": 1, "a": 1}), event("$ai_unknown"),
                         event("both", properties={"$heatmap_data": {"k": []}, "$current_url": "u"}),
                         event("quiet", properties={"$cookieless_mode": True}),
                         event("$performance_event"), event("odd id", {"z": 1, "a": [2]}),
                         event("long id", "x" * 222), event("euro", "€" * 150)], sent_at="2026-11-21T10:00:00Z")
    old = batch(token, [event("old", timestamp="2020-01-02T03:04:05Z"), event("$exception"), event("$ai_span"),
                        event("$$heatmap")], historical_migration=True)
    for sent in (live, old):
        h.capture(sent, "/batch/")
    wanted = [e for s in (live, old) for e in expected.events("/batch/", s)]
    records = topics.events(len(wanted))
    expected.match(records, wanted)
    assert [r.event["event"] for r in records if r.topic == topics.lanes["historical"]] == ["old"]
    assert {r.event["event"] for r in records if r.topic == topics.lanes["ai"]} == {"$ai_generation", "$ai_span"}
    assert len([r for r in records if r.topic == topics.lanes["heatmaps"]]) == 3
    metrics.judge(h, received=16, acked=15, dropped=1)


def test_records_of_a_key_keep_their_order(launch, topics, token):
    h = launch(topics=topics)
    sent = 0
    for start in range(0, 400, 40):
        h.capture(batch(token, [event("n", f"user-{i % 9}", properties={"i": i}) for i in range(start, start + 40)]), "/batch/")
        sent += 40
    seen = {}
    for record in topics.events(sent):
        seen.setdefault(record.key, []).append(record.data["properties"]["i"])
    assert len(seen) == 9 and all(numbers == sorted(numbers) for numbers in seen.values())
    assert sum(map(len, seen.values())) == sent


def test_dead_letters_go_to_their_topic(launch, topics, token):
    h = launch(topics=topics)
    answer = h.post("/batch/", dump(batch(token, [event("good"), {"distinct_id": "no name", "properties": 5}])), JSON)
    assert answer.status == 200 and [r["index"] for r in json.loads(answer.body)["rejected"]] == [1]
    [letter] = topics.dead_letters(1)
    assert letter.key == token and json.loads(json.loads(letter.value)["raw"])["distinct_id"] == "no name"
    assert [r.event["event"] for r in topics.events(1)] == ["good"]
    metrics.judge(h, received=2, acked=1, dead_lettered=1)


def test_a_record_beyond_the_brokers_limit_is_refused_alone(launch, topics, token):
    h = launch(topics=topics)
    big = event("big", properties={"text": "x" * 2_000_000})
    answer = h.post("/batch/", dump(batch(token, [event("a"), big, event("b")])), JSON)
    assert answer.status == 200 and [r["index"] for r in json.loads(answer.body)["rejected"]] == [1], answer
    assert sorted(r.event["event"] for r in topics.events(2)) == ["a", "b"]
    assert h.post("/e/", dump(big | {"api_key": token}), JSON).status == 413


def timed_capture(h, token, name, distinct_id="user-1"):
    sent = event(name, distinct_id, token)
    began = time.monotonic()
    h.capture(sent)
    took = time.monotonic() - began
    assert took < ANSWER_LIMIT_S + MARGIN_S, f"{name} was answered after {took:.1f} s"
    return sent


def test_a_paused_broker_costs_no_event(launch, kafka, topics, token):
    h = launch(topics=topics)
    sent = [timed_capture(h, token, "before")]
    kafka.pause()
    try:
        for i in range(8):
            sent.append(timed_capture(h, token, f"paused {i}", f"user-{i % 3}"))
        assert http.request(h.url + "/_readiness").status == 200
        held = {r.uuid for r in h.stored()}
        assert {e["uuid"] for e in sent[1:]} <= held, "answered 200, but neither acknowledged nor in the spool"
    finally:
        kafka.resume()
    sent.append(timed_capture(h, token, "after"))
    arrived(topics, sent)
    figures = metrics.events(h.metrics())
    assert figures["received"] == 10 and figures["acked"] + figures["spooled"] == 10, figures
    assert figures["spooled"] >= 8 and figures["in_flight"] == 0, figures
    drained(h, figures["spooled"])


def arrived(topics, sent, timeout=60.0):
    """Waits until every event in `sent` stands in the topics, then compares each of them."""
    def missing():
        return {e["uuid"] for e in sent} - {r.uuid for r in topics.events()}
    wait_until(lambda: not missing(), lambda: f"events to arrive; missing {missing()}", timeout, 0.3)
    first = {}
    for record in topics.events():
        first.setdefault(record.uuid, record)
    expected.match(list(first.values()), [e for s in sent for e in expected.events("/e/", s)])


def drained(h, stored):
    """The second identity, over the store: all that was stored is shipped, nothing is left."""
    def store():
        samples = h.metrics()
        return {name: metrics.total(samples, name) for name in metrics.STORE}
    wanted = {metrics.STORED: stored, metrics.SHIPPED: stored, metrics.IN_STORE: 0}
    wait_until(lambda: store() == wanted, lambda: f"{wanted}, there is {store()}", 30)


def test_a_broker_that_is_absent_at_start_gets_everything_later(launch, token, folder):
    broker = Kafka(folder / "late-kafka", CACHE / "kafka")
    topics = Topics(broker, "late")
    try:
        h = launch(topics.settings() | {"HEADRACE_KAFKA_METADATA_REFRESH": "1s"})
        sent = [timed_capture(h, token, f"early {i}") for i in range(5)]
        assert http.request(h.url + "/_readiness").status == 200
        ready = json.loads(http.request(h.admin + "/healthz/ready").body)
        assert "reason" in json.dumps(ready).lower() or "kafka" in json.dumps(ready).lower(), ready
        assert {e["uuid"] for e in sent} == {r.uuid for r in h.stored()}
        broker.start()
        topics.create()
        arrived(topics, sent)
        metrics.judge(h, received=5, spooled=5)
        drained(h, 5)
        assert h.stop() == 0
    finally:
        broker.stop()


def test_a_restart_ships_the_backlog(launch, kafka, token, folder, topics):
    absent = dict(topics.settings(), HEADRACE_KAFKA_BROKERS="127.0.0.1:1")
    first = launch(absent, spool=folder / "backlog")
    sent = [timed_capture(first, token, f"held {i}") for i in range(3)]
    first.process.kill()
    second = launch(topics=topics, spool=folder / "backlog")
    sent.append(timed_capture(second, token, "live"))
    arrived(topics, sent)


def test_an_old_standalone_store_is_held_until_it_is_replayed(launch, kafka, topics, token, folder):
    spool = folder / "old-store"
    lanes = {k: v for k, v in topics.settings().items() if k != "HEADRACE_KAFKA_BROKERS"}
    first = launch(lanes, spool=spool)
    old = [event(f"old {i}", token=token) for i in range(7)]
    for one in old:
        first.capture(one)
    assert first.stop() == 0
    second = launch(topics=topics, spool=spool)
    log = second.log()
    assert "7" in log and "spool replay" in log and "spool discard" in log, log
    new = event("new", token=token)
    second.capture(new)
    assert [r.uuid for r in topics.events(1)] == [new["uuid"]]
    done = server.run("spool", "replay", "--dir", spool, "--to", kafka.brokers)
    assert done.returncode == 0, done
    arrived(topics, [*old, new])
    assert second.stop() == 0
    again = server.run("spool", "replay", "--dir", spool, "--to", kafka.brokers)
    assert again.returncode == 0 and len(topics.events()) == 8, "a second replay sent records again"


def test_shutdown_with_a_paused_broker_saves_what_is_in_flight(launch, kafka, topics, token):
    h = launch(topics=topics)
    kafka.pause()
    try:
        sent = [timed_capture(h, token, f"late {i}") for i in range(3)]
        began = time.monotonic()
        assert h.stop(timeout=15) == 0, h.log()[-2000:]
        assert time.monotonic() - began < 8 + MARGIN_S
    finally:
        kafka.resume()
    held = {r.uuid for r in h.stored()} | {r.uuid for r in topics.events()}
    assert {e["uuid"] for e in sent} <= held


def test_a_missing_topic_holds_only_its_own_records(launch, kafka, topics, token):
    late = topics.lanes["errors"] + "-late"
    h = launch({"CAPTURE_OUTPUT_ERROR_TRACKING_TOPIC": late, "HEADRACE_KAFKA_METADATA_REFRESH": "1s"}, topics=topics)
    topics.lanes["errors"] = late
    # Other users than those of the held records: a key with a backlog goes through the spool (D17).
    sent = [timed_capture(h, token, name, "user-2" if name == "$exception" else "user-1")
            for name in ("one", "$exception", "two", "$exception", "three")]
    names = [r.event["event"] for r in topics.events(3, lanes=["main"])]
    assert sorted(names) == ["one", "three", "two"]
    assert {r.event["event"] for r in h.stored()} == {"$exception"}, h.log()
    metrics.judge(h, received=5, acked=3, spooled=2)
    kafka.create_topics([late])
    arrived(topics, sent)


def test_check_names_missing_topics_and_creates_them(topics, folder):
    settings = topics.settings() | {"HEADRACE_SPOOL_DIR": folder / "spool"}
    assert server.run("check", settings=settings).returncode == 0
    missing = topics.lanes["main"] + "-" + secrets.token_hex(3)
    settings["CAPTURE_OUTPUT_AI_MAIN_TOPIC"] = missing
    done = server.run("check", settings=settings)
    said = done.stdout + done.stderr
    assert missing in said and "--create-topics" in said, said
    done = server.run("check", "--create-topics", settings=settings)
    assert done.returncode == 0 and "created, " in done.stdout, done
    # It waited until the broker shows the topic.
    again = server.run("check", settings=settings)
    assert again.returncode == 0, again
