"""Prometheus text to numbers, and the counting identity of the server."""
import re

from . import http
from .waiting import wait_until

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)(?: \d+)?$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')

# The server's own counters; every test reads them through these names.
RECEIVED = "headrace_events_received_total"
ACKED = "headrace_events_acked_total"
SPOOLED = "headrace_events_spooled_total"
DROPPED = "headrace_events_dropped_total"
REFUSED = "headrace_events_refused_total"
DEAD_LETTERED = "headrace_events_dead_lettered_total"
IN_FLIGHT = "headrace_events_in_flight"

STORED = "headrace_spool_records_stored_total"
SHIPPED = "headrace_spool_records_shipped_total"
IN_STORE = "headrace_spool_events"
STORE = (STORED, SHIPPED, IN_STORE)


def parse(text):
    """name -> list of (labels, value)."""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = SAMPLE.match(line)
        assert match, f"not a metric line: {line!r}"
        labels = dict(LABEL.findall(match[2] or ""))
        found.setdefault(match[1], []).append((labels, float(match[3])))
    return found


def scrape(admin):
    answer = http.request(admin + "/metrics")
    assert answer.status == 200, answer
    return parse(answer.text())


def total(samples, name, **labels):
    """Sum over the samples of `name` whose labels include `labels`; 0 when there are none."""
    return sum(value for found, value in samples.get(name, ())
               if all(found.get(k) == v for k, v in labels.items()))


def events(samples):
    """Every term of the event identity."""
    assert RECEIVED in samples, f"{RECEIVED} is missing; there are {sorted(samples)}"
    return {"received": total(samples, RECEIVED), "acked": total(samples, ACKED),
            "spooled": total(samples, SPOOLED), "dropped": total(samples, DROPPED),
            "refused": total(samples, REFUSED), "dead_lettered": total(samples, DEAD_LETTERED),
            "in_flight": total(samples, IN_FLIGHT)}


def judge(running, **outside):
    """Compares each term of the identity with outside evidence and the terms with each other:
    received = acked + spooled + dropped + refused + dead_lettered + in_flight. Terms that are not
    given must be 0."""
    found = {}

    def settled():
        found.update(events(scrape(running.admin)))
        return found["in_flight"] == 0
    wait_until(settled, lambda: f"no event in flight: {found}", 20)
    wanted = dict.fromkeys(found, 0) | outside
    assert found == wanted, f"counters {found}, outside evidence {wanted}"
    assert found["received"] == sum(v for k, v in found.items() if k != "received")
