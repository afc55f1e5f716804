"""The validator accepts a good record and names each defect of a bad one."""
import copy
import json

import pytest

import validator
from harness import times
from harness.records import Record

LANES = {"main": "m", "overflow": "o", "historical": "hi", "heatmaps": "he", "warnings": "w", "errors": "e",
         "ai": "a"}
UUID = "019a7c11-5b2e-7d40-9f0a-2b1f6c3d4e5f"


def make(envelope=None, data=None, headers=None, key="phc_demo:u-81", topic="m"):
    inner = {"distinct_id": "u-81", "uuid": None, "event": "checkout \"done\" é/",
             "properties": {"total": 12.5}, "timestamp": "2026-05-04T10:00:00.120Z"} | (data or {})
    outer = {"uuid": UUID, "distinct_id": "u-81", "ip": "203.0.113.9",
             "data": json.dumps(inner, separators=(",", ":"), ensure_ascii=False),
             "now": "2026-05-04T10:00:01.507312Z", "sent_at": "2026-05-04T10:00:01.1Z", "token": "phc_demo",
             "event": inner["event"], "timestamp": "2026-05-04T10:00:00.527312Z"} | (envelope or {})
    wire = {"token": outer["token"], "distinct_id": outer["distinct_id"], "session_id": None,
            "timestamp": "1777888800527", "event": outer["event"], "uuid": outer["uuid"], "now": outer["now"],
            "force_disable_person_processing": None, "historical_migration": None} | (headers or {})
    return Record(topic, key, list(wire.items()),
                  json.dumps(outer, separators=(",", ":"), ensure_ascii=False), "spool")


def problems(record):
    return validator.problems(record, LANES)


def test_a_good_record_has_no_problems():
    assert problems(make()) == []


def test_historical_cookieless_and_heatmap_records_are_good_in_their_form():
    assert problems(make({"historical_migration": True}, None, {"historical_migration": "true"}, topic="hi")) == []
    assert problems(make({"is_cookieless_mode": True}, {"properties": {"$cookieless_mode": True}},
                         key="phc_demo:203.0.113.9")) == []
    assert problems(make(None, None, {"skip_heatmap_processing": "true"})) == []
    assert problems(make(None, {"event": "$$heatmap"}, topic="he")) == []
    assert problems(make(None, {"event": "$ai_span"}, topic="a")) == []
    assert problems(make(None, None, {"force_disable_person_processing": "true"}, key=None)) == []


@pytest.mark.parametrize("change, part", [
    (dict(envelope={"uuid": UUID.upper()}), "uuid"),
    (dict(envelope={"ip": "::ffff:1.2.3.4"}), "canonical"),
    (dict(envelope={"ip": "unknown"}), "address"),
    (dict(envelope={"now": "2026-05-04T10:00:01.500000Z"}), "digits"),
    (dict(envelope={"now": "2026-05-04T10:00:01.5Z"}), "digits"),
    (dict(envelope={"sent_at": "2026-05-04T10:00:01.100Z"}), "sent_at"),
    (dict(envelope={"token": "phx_secret"}), "token"),
    (dict(envelope={"historical_migration": False}), "historical"),
    (dict(envelope={"historical_migration": True}), "historical"),
    (dict(envelope={"extra": "x"}), "order"),
    (dict(envelope={"data": "[]"}), "no object"),
    (dict(envelope={"data": "{"}), "not JSON"),
    (dict(envelope={"event": "other"}), "data.event"),
    (dict(envelope={"distinct_id": "u-82"}), "does not come from"),
    (dict(data={"uuid": "019a7c11-5b2e-7d40-9f0a-2b1f6c3d4e5e"}), "data.uuid"),
    (dict(data={"properties": None}), "properties"),
    (dict(data={"type": "capture"}), "order"),
    (dict(data={"event": "$ai_span", "properties": {"$ai_gateway_x": 1}}, topic="a"), "ai_gateway"),
    (dict(data={"event": "$exception"}), "went to"),
    (dict(headers={"token": "other"}), "header token"),
    (dict(headers={"timestamp": "1777888800528"}), "header timestamp"),
    (dict(headers={"historical_migration": "false"}), "historical"),
    (dict(headers={"session_id": "s"}), "session_id"),
    (dict(headers={"more": "1"}), "headers are"),
    (dict(key="phc_demo:other"), "key"),
    (dict(key=None), "null"),
    (dict(topic="o2"), "went to"),
])
def test_each_defect_is_named(change, part):
    found = problems(make(**change))
    assert any(part in text for text in found), found


def test_spaces_repeated_keys_and_wrong_order_are_found():
    good = make()
    spaced = copy.copy(good)
    spaced.value = good.value.replace(',"ip"', ', "ip"')
    assert any("compact" in text for text in problems(spaced))
    escaped = copy.copy(good)
    escaped.value = good.value.replace("é", "\\u00e9", 1)
    assert any("canonical" in text for text in problems(escaped))
    twice = copy.copy(good)
    twice.value = good.value[:-1] + ',"uuid":"x"}'
    assert any("repeats" in text for text in problems(twice))
    fields = json.loads(good.value)
    shuffled = copy.copy(good)
    shuffled.value = json.dumps(dict(reversed(fields.items())), separators=(",", ":"), ensure_ascii=False)
    assert any("order" in text for text in problems(shuffled))


def test_the_partition_is_the_one_java_chooses():
    record = make()
    record.partitions = 7
    record.partition = (validator.murmur2(b"phc_demo:u-81") & 0x7fffffff) % 7
    assert problems(record) == []
    record.partition = (record.partition + 1) % 7
    assert any("Java" in text for text in problems(record))
    assert [validator.murmur2(text) for text in (b"21", b"foobar", b"a-little-bit-long-string")] == [
        -973932308 & 0xffffffff, -790332482 & 0xffffffff, -985981536 & 0xffffffff]


def test_times_go_to_text_and_back():
    for text in ("2026-05-04T10:00:01Z", "2026-05-04T10:00:01.500Z", "1969-06-15T00:00:00.000001Z"):
        assert times.form(times.parse(text)) == text
    assert times.parse("2026-05-04T12:00:01+02:00") == times.parse("2026-05-04T10:00:01Z")
