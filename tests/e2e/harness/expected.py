"""From a well-formed request to the records it must become: a small model of http-v0.md 3 and 5.

Independent of the server. Each expected event is a dict of the envelope's fields (`uuid` None when
the server chooses it, `now` and `ip` left out), with `data` as a parsed object.
"""
import base64
import gzip
import json
from urllib.parse import parse_qs, unquote_plus, urlsplit

import validator

from . import times

HEATMAP_KEYS = ["$heatmap_data", "$viewport_height", "$viewport_width", "$session_id",
                "$prev_pageview_pathname", "$prev_pageview_max_scroll", "$current_url", "$raw_user_agent", "$ip",
                "$host", "$timezone", "$cookieless_extra", "$cookieless_mode"]
HISTORICAL_EXEMPT = set(validator.ONE_LANE) | validator.AI_EVENTS


def decode(target, headers, body):
    """The JSON value in a request body, undoing gzip, form and base64 wrappings."""
    query = parse_qs(urlsplit(target).query)
    if query.get("data", [""])[0]:
        body = query["data"][0].encode()
    content_type = {k.lower(): v for k, v in headers}.get("content-type")
    if content_type == "application/x-www-form-urlencoded":
        fields = dict(part.split("=", 1) for part in body.decode().split("&"))
        body = unquote_plus(fields["data"]).replace(" ", "+").encode()
    if body[:3] == b"\x1f\x8b\x08":
        body = gzip.decompress(body)
    if body[:1] not in b"{[":
        body = base64.b64decode(body)
    return json.loads(body)


def events(target, payload):
    """The expected records of one request, in order."""
    parts = urlsplit(target)
    query = parse_qs(parts.query)
    sent_at = query.get("_", query.get("sent_at", [None]))[0]
    sent_text = _query_time(int(sent_at)) if sent_at else None
    batch = isinstance(payload, dict) and "batch" in payload
    items = payload["batch"] if batch else payload if isinstance(payload, list) else [payload]
    historical = batch and payload.get("historical_migration") is True
    if batch and payload.get("sent_at") and times.parse(payload["sent_at"]) is not None:
        sent_text = _canonical(payload["sent_at"])
    token = payload.get("api_key", payload.get("token")) if batch else None
    if not batch:
        found = {t for t in map(_token_of, items) if t}
        token = found.pop()
    result = []
    for item in items:
        if parts.path.startswith("/engage") and "event" not in item:
            item = item | {"event": "$identify"}
        if item["event"] != "$performance_event":
            result += _split(_one(item, token, sent_text, historical))
    return result


def _token_of(item):
    for name in ("token", "$token", "api_key"):
        if item.get(name):
            return item[name]
    return item.get("properties", {}).get("token")


def _one(item, token, sent_text, historical):
    properties = item.get("properties", {})
    if item["event"].startswith("$ai_"):
        properties = {k: v for k, v in properties.items() if not k.startswith("$ai_gateway")}
    data = {}
    for name, aliases in (("token", ("token", "$token", "api_key")), ("distinct_id", ("distinct_id", "$distinct_id"))):
        for alias in aliases:
            if item.get(alias) is not None:
                data[name] = item[alias]
    data["uuid"] = item.get("uuid") or None
    data["event"] = item["event"]
    data["properties"] = properties
    for name in ("timestamp", "offset", "$set", "$set_once"):
        if item.get(name) is not None:
            data[name] = item[name]
    expected = {"uuid": data["uuid"], "data": data, "token": token, "event": item["event"],
                "distinct_id": validator.identity(data.get("distinct_id", properties.get("distinct_id"))),
                "sent_at": sent_text}
    expected["historical_migration"] = historical and item["event"] not in HISTORICAL_EXEMPT
    expected["is_cookieless_mode"] = properties.get("$cookieless_mode", False)
    expected["skip_heatmap"] = False
    return expected


def _split(expected):
    properties = expected["data"]["properties"]
    has_pair = "$prev_pageview_pathname" in properties and "$current_url" in properties
    if expected["event"] == "$$heatmap" or not ("$heatmap_data" in properties or has_pair):
        return [expected]
    rest = {k: v for k, v in properties.items() if k != "$heatmap_data"}
    first = expected | {"data": expected["data"] | {"properties": rest}, "skip_heatmap": True}
    data = {k: v for k, v in expected["data"].items() if k in ("token", "timestamp", "offset")}
    data = ({"token": data.pop("token")} if "token" in data else {}) | {
        "distinct_id": expected["distinct_id"], "uuid": None, "event": "$$heatmap",
        "properties": {k: properties[k] for k in HEATMAP_KEYS if k in properties}} | data
    heatmap = expected | {"uuid": None, "event": "$$heatmap", "data": data, "historical_migration": False}
    return [first, heatmap]


def event_time(expected, now):
    """The computed event time in ns (http-v0.md 5.4) for absolute timestamps and offsets."""
    data, result = expected["data"], now
    given = times.parse(data["timestamp"]) if "timestamp" in data else None
    if given is not None:
        result = given
        if expected["sent_at"] and data["properties"].get("$ignore_sent_at") is not True:
            result = given - (times.parse(expected["sent_at"]) - now)
    if "offset" in data:
        result = now - data["offset"] * 1_000_000
    return now if result > now + validator.HOURS_23_NS else result


def differences(record, expected, ip="127.0.0.1"):
    """What differs between a record and what it must be."""
    got, data, found = record.event, record.data, []
    now = times.parse(got["now"])
    fields = {"distinct_id": expected["distinct_id"], "token": expected["token"], "event": expected["event"],
              "sent_at": expected["sent_at"], "timestamp": times.form(event_time(expected, now)), "ip": ip,
              "historical_migration": expected["historical_migration"] or None,
              "is_cookieless_mode": expected["is_cookieless_mode"] or None}
    if expected["uuid"]:
        fields["uuid"] = expected["uuid"].lower()
    for name, value in fields.items():
        if got.get(name) != value:
            found.append(f"{name}: {got.get(name)!r}, expected {value!r}")
    if list(data) != list(expected["data"]):
        found.append(f"data has the fields {list(data)}, expected {list(expected['data'])}")
    for name, value in expected["data"].items():
        if json.dumps(data.get(name), sort_keys=True) != json.dumps(value, sort_keys=True):
            found.append(f"data.{name}: {data.get(name)!r}, expected {value!r}")
    if not expected["uuid"]:
        stamp = max(times.parse(got["timestamp"]) // 1_000_000, 0)
        if got["uuid"][14] != "7" or int(got["uuid"].replace("-", "")[:12], 16) != stamp:
            found.append(f"uuid {got['uuid']} is no version 7 of {got['timestamp']}")
    skip = dict(record.headers).get("skip_heatmap_processing") == "true"
    if skip != expected["skip_heatmap"]:
        found.append(f"skip_heatmap_processing is {skip}")
    return found


def match(records, expected, ip="127.0.0.1"):
    """Insists that `records` are exactly `expected`, in any order, each field compared."""
    left = list(expected)
    for record in records:
        event = record.event
        candidates = [e for e in left if e["event"] == event["event"] and e["distinct_id"] == event["distinct_id"]
                      and e["token"] == event["token"] and e["uuid"] in (None, event["uuid"])]
        assert candidates, f"a record that nobody sent: {record.value[:600]}"
        results = [differences(record, candidate, ip) for candidate in candidates]
        best = min(range(len(results)), key=lambda i: len(results[i]))
        assert not results[best], f"{results[best]}\n{record.value[:1500]}"
        left.pop(next(i for i, e in enumerate(left) if e is candidates[best]))
    assert not left, f"{len(left)} events are missing: {[(e['event'], e['uuid']) for e in left[:10]]}"


def _query_time(milliseconds):
    text = times.form(milliseconds * 1_000_000)
    return _canonical(text) if int(text[:4]) > 2020 else None


def _canonical(text):
    """The form of sent_at: no zeros at the end of the fraction, UTC as Z, else the client's offset."""
    match = times.RFC3339.fullmatch(text)
    fraction = (match[7] or "").rstrip("0")
    offset = "Z" if match[8] in ("Z", "+00:00", "-00:00") else match[8]
    return text[:19] + ("." + fraction if fraction else "") + offset
