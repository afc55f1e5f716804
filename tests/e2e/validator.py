"""What a consumer of capture's topics needs, checked on one record at a time.

Written from the contract alone (kafka-ops.md 1.1-1.10, replay-ai-otel.md 8.1, http-v0.md 5), with
no knowledge of the server. `problems(record, ...)` lists everything that is wrong with a record.
"""
import ipaddress
import json
import re
import uuid

from harness import times

UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.(\d{3}|\d{6}|\d{9}))?Z")
SENT_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?(Z|[+-]\d\d:\d\d)")

ENVELOPE = ["uuid", "distinct_id", "ip", "data", "now", "sent_at", "token", "event", "timestamp",
            "is_cookieless_mode", "historical_migration"]
ENVELOPE_OPTIONAL = {"sent_at", "is_cookieless_mode", "historical_migration"}
DATA = ["token", "distinct_id", "uuid", "event", "properties", "timestamp", "offset", "$set", "$set_once"]
DATA_REQUIRED = {"uuid", "event", "properties"}
HEADERS = ["token", "distinct_id", "session_id", "timestamp", "event", "uuid", "now",
           "force_disable_person_processing", "historical_migration"]
AI_EVENTS = {"$ai_generation", "$ai_embedding", "$ai_evaluation", "$ai_span", "$ai_trace", "$ai_metric",
             "$ai_feedback", "$ai_tag", "$ai_generation_summary", "$ai_trace_summary", "$ai_evaluation_report"}
ONE_LANE = {"$$client_ingestion_warning": "warnings", "$exception": "errors", "$$heatmap": "heatmaps"}
HOURS_23_NS = 82_800 * times.SECOND
CLOCK_SLACK_NS = 5 * times.SECOND


def problems(record, lanes, window=None):
    """`lanes`: lane name -> topic (main, overflow, historical, heatmaps, warnings, errors, ai).
    `window`: (start, end) in ns: when the test ran; `now` and the record's time must lie in it."""
    found = []
    envelope = _object(record.value, "value", found)
    if envelope is None:
        return found
    _envelope(envelope, record.value, found)
    data = _object(envelope["data"], "data", found) if isinstance(envelope.get("data"), str) else None
    if found or data is None:
        return found + ["data is no object"] * (data is None)
    _data(envelope, data, found)
    _headers(envelope, record.headers, found)
    _lane(envelope, data, record, lanes, found)
    if window:
        _window(envelope, record, window, found)
    return found


def _object(text, what, found):
    """Parses `text` to a dict; repeated keys at its top level and other types are problems."""
    repeated = []

    def pairs(items):
        names = [name for name, _ in items]
        repeated.append(sorted({n for n in names if names.count(n) > 1}))
        return dict(items)
    try:
        value = json.loads(text, object_pairs_hook=pairs, parse_constant=lambda name: found.append(
            f"{what}: {name} is not JSON"))
    except ValueError as error:
        found.append(f"{what} is not JSON: {error}: {text[:200]!r}")
        return None
    if not isinstance(value, dict):
        found.append(f"{what} is no object: {text[:200]!r}")
        return None
    if repeated[-1]:
        found.append(f"{what} repeats {repeated[-1]}")
    return value


def _order(names, allowed, required, what, found):
    if [n for n in allowed if n in names] != list(names):
        found.append(f"{what}: fields {list(names)} are not in the order {allowed}")
    for name in required:
        if name not in names:
            found.append(f"{what} lacks {name}")


def _envelope(value, text, found):
    _order(value.keys(), ENVELOPE, [n for n in ENVELOPE if n not in ENVELOPE_OPTIONAL], "value", found)
    if json.dumps(value, separators=(",", ":"), ensure_ascii=False) != text:
        found.append(f"value is not compact or not escaped in the canonical way: {text[:400]!r}")
    for name in ENVELOPE[:9]:
        if name in value and not isinstance(value[name], str):
            found.append(f"value.{name} is no string: {value[name]!r}")
            return
    for name in ENVELOPE[9:]:
        if value.get(name, True) is not True:
            found.append(f"value.{name} may only be true or absent: {value[name]!r}")
    if not UUID.fullmatch(value.get("uuid", "")):
        found.append(f"value.uuid: {value.get('uuid')!r}")
    distinct_id, token = value.get("distinct_id", ""), value.get("token", "")
    if not distinct_id.strip() or len(distinct_id) > 200 or "\0" in distinct_id:
        found.append(f"value.distinct_id: {distinct_id!r}")
    if not token or len(token) > 64 or not token.isascii() or token.startswith("phx_") or "\0" in token:
        found.append(f"value.token: {token!r}")
    if not value.get("event"):
        found.append("value.event is empty")
    if value.get("event") == "$performance_event":
        found.append("a $performance_event was stored")
    _address(value.get("ip", ""), found)
    for name in ("now", "timestamp"):
        _utc_time(value.get(name, ""), f"value.{name}", found)
    if "sent_at" in value and (not SENT_AT.fullmatch(value["sent_at"]) or value["sent_at"].endswith("+00:00")):
        found.append(f"value.sent_at: {value['sent_at']!r}")


def _address(text, found):
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        found.append(f"value.ip is no address: {text!r}")
        return
    if str(address) != text or getattr(address, "ipv4_mapped", None):
        found.append(f"value.ip is not in its canonical form: {text!r}")


def _utc_time(text, what, found):
    if not UTC_TIME.fullmatch(text) or times.parse(text) is None:
        found.append(f"{what} is no UTC time of 0, 3, 6 or 9 digits: {text!r}")
    elif times.form(times.parse(text)) != text:
        found.append(f"{what} has more digits than needed: {text!r}")


def _data(envelope, data, found):
    _order(data.keys(), DATA, DATA_REQUIRED, "data", found)
    if data["uuid"] is not None:
        try:
            same = str(uuid.UUID(data["uuid"])) == envelope["uuid"]
        except (ValueError, AttributeError, TypeError):
            same = False
        if not same:
            found.append(f"data.uuid {data['uuid']!r} is not the envelope's {envelope['uuid']!r}")
    if data["event"] != envelope["event"]:
        found.append(f"data.event {data['event']!r} is not the envelope's {envelope['event']!r}")
    if not isinstance(data["properties"], dict):
        found.append(f"data.properties is no object: {data['properties']!r}")
        return
    for name in ("$set", "$set_once"):
        if name in data and not isinstance(data[name], dict):
            found.append(f"data.{name} is no object: {data[name]!r}")
    for name, kind in (("timestamp", str), ("token", str), ("offset", int)):
        if name in data and (not isinstance(data[name], kind) or isinstance(data[name], bool)):
            found.append(f"data.{name}: {data[name]!r}")
    if data.get("distinct_id", "") is None:
        found.append("data.distinct_id is null, it must be left out")
    given = data.get("distinct_id", data["properties"].get("distinct_id"))
    if given is None or identity(given) != envelope["distinct_id"]:
        found.append(f"distinct_id {envelope['distinct_id']!r} does not come from {given!r}")
    if envelope["event"].startswith("$ai_"):
        kept = [n for n in data["properties"] if n.startswith("$ai_gateway")]
        if kept:
            found.append(f"properties of an AI event keep {kept}")
    cookieless = data["properties"].get("$cookieless_mode", False)
    if cookieless is not envelope.get("is_cookieless_mode", False):
        found.append(f"$cookieless_mode {cookieless!r} against is_cookieless_mode")
    if "capture_internal" in data["properties"] and envelope["ip"] != "127.0.0.1":
        found.append(f"ip of an internal event: {envelope['ip']!r}")


def identity(value):
    """The text form of a distinct_id (http-v0.md 3.3)."""
    text = value if isinstance(value, str) else json.dumps(
        value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
    return text.replace("\0", "\ufffd")[:200]


def _headers(envelope, headers, found):
    names = [name for name, _ in headers]
    if names[:9] != HEADERS or names[9:] not in ([], ["skip_heatmap_processing"]):
        found.append(f"headers are {names}")
        return
    values = dict(headers)
    for name in ("token", "distinct_id", "event", "uuid", "now"):
        if values[name] != envelope[name]:
            found.append(f"header {name}: {values[name]!r}, value has {envelope[name]!r}")
    expected_ms = str(times.parse(envelope["timestamp"]) // 1_000_000)
    if values["timestamp"] != expected_ms:
        found.append(f"header timestamp: {values['timestamp']!r}, value has {expected_ms}")
    if values["session_id"] is not None:
        found.append(f"header session_id must be null on these routes: {values['session_id']!r}")
    if values["force_disable_person_processing"] not in (None, "true"):
        found.append(f"header force_disable_person_processing: {values['force_disable_person_processing']!r}")
    historical = "true" if envelope.get("historical_migration") else None
    if values["historical_migration"] != historical:
        found.append(f"header historical_migration: {values['historical_migration']!r}")
    if "skip_heatmap_processing" in values:
        if values["skip_heatmap_processing"] != "true" or envelope["event"] == "$$heatmap":
            found.append(f"header skip_heatmap_processing on {envelope['event']!r}")
        if "$heatmap_data" in json.loads(envelope["data"])["properties"]:
            found.append("a split event still has $heatmap_data")


def _lane(envelope, data, record, lanes, found):
    name = envelope["event"]
    lane = ONE_LANE.get(name) or ("ai" if name in AI_EVENTS else
                                  "historical" if envelope.get("historical_migration") else "main")
    allowed = [lanes[lane]] + ([lanes["overflow"]] if lane == "main" else [])
    if record.topic not in allowed:
        found.append(f"{name!r} went to {record.topic!r}, not to {allowed}")
    if lane != "historical" and envelope.get("historical_migration"):
        found.append(f"historical_migration on lane {lane}")
    who = envelope["ip"] if envelope.get("is_cookieless_mode") else envelope["distinct_id"]
    disabled = dict(record.headers).get("force_disable_person_processing") == "true"
    if record.key is None:
        if not (disabled and lane == "main"):
            found.append("the key is null")
    elif record.key != f"{envelope['token']}:{who}":
        found.append(f"key {record.key!r}")
    if record.key is not None and record.partitions:
        expected = (murmur2(record.key.encode()) & 0x7fffffff) % record.partitions
        if record.partition != expected:
            found.append(f"partition {record.partition} of {record.partitions}, Java would choose {expected}")


def murmur2(data):
    """The Java client's partition hash."""
    mask, factor = 0xffffffff, 0x5bd1e995
    h = (0x9747b28c ^ len(data)) & mask
    whole = len(data) // 4 * 4
    for i in range(0, whole, 4):
        k = int.from_bytes(data[i:i + 4], "little") * factor & mask
        k = (k ^ (k >> 24)) * factor & mask
        h = (h * factor & mask) ^ k
    if whole < len(data):
        h = (h ^ int.from_bytes(data[whole:], "little")) * factor & mask
    h = (h ^ (h >> 13)) * factor & mask
    return h ^ (h >> 15)


def _window(envelope, record, window, found):
    now = times.parse(envelope["now"])
    if not window[0] - CLOCK_SLACK_NS <= now <= window[1] + CLOCK_SLACK_NS:
        found.append(f"now {envelope['now']} is outside the test")
    if times.parse(envelope["timestamp"]) > now + HOURS_23_NS:
        found.append(f"timestamp {envelope['timestamp']} is more than 23 h after now")
    if record.source == "kafka":
        if record.timestamp_ms is None:
            found.append("the record has no create time")
        elif not window[0] - CLOCK_SLACK_NS <= record.timestamp_ms * 1_000_000 <= window[1] + CLOCK_SLACK_NS:
            found.append(f"record time {record.timestamp_ms} is outside the test")


DEAD_LETTER = {"v": int, "reason": str, "detail": str, "index": int, "count": int, "token": str, "ip": str,
               "path": str, "request_id": str, "received_at": str, "raw": str, "raw_encoding": str,
               "raw_bytes": int}


def dead_letter_problems(record):
    """headrace's own dead letters: one JSON object with the fields of DEAD_LETTER, keyed by token."""
    found = []
    letter = _object(record.value, "dead letter", found)
    if letter is None:
        return found
    for name, kind in DEAD_LETTER.items():
        if name not in letter or not (isinstance(letter[name], kind) or letter[name] is None and name in
                                      ("detail", "index", "count", "token")):
            found.append(f"dead letter {name}: {letter.get(name, 'missing')!r}")
    if letter.get("raw_encoding") not in ("utf8", "base64"):
        found.append(f"dead letter raw_encoding: {letter.get('raw_encoding')!r}")
    if letter.get("token") and record.key != letter["token"]:
        found.append(f"dead letter key {record.key!r}")
    _utc_time(str(letter.get("received_at", "")), "dead letter received_at", found)
    return found
