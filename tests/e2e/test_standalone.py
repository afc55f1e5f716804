"""Without brokers the spool is the store (design.md D2): what is answered 200 is on disk."""
import base64
import gzip
import json
import subprocess
import threading
from urllib.parse import quote

import pytest

from conftest import CACHE
from harness import expected, http, metrics, server
from harness.payloads import batch, dump, event, lz64
from harness.process import Process
from harness.waiting import wait_until

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ROUTES = ["/i/v0/e", "/e", "/batch", "/capture", "/track", "/engage", "/i/v0/ai/batch"]


def test_one_event_is_stored_with_every_field(launch, token):
    h = launch()
    sent = event("hi", "u 1", token, timestamp="2026-02-03T04:05:06.700Z", **{
        "$set": {"a": 1}, "$set_once": {"b": [None, True]}, "type": "capture", "library": "x"})
    answer = h.capture(sent)
    assert answer.body == b'{"status":"Ok"}' and answer.headers["content-type"] == "application/json"
    expected.match(h.stored(), expected.events("/e/", sent))
    metrics.judge(h, received=1, spooled=1)


def test_a_gzip_batch_is_stored_in_order(launch, token):
    h = launch()
    sent = batch(token, [event(f"e{i}", f"u{i % 3}") for i in range(60)], sent_at="2026-11-21T10:00:00.250+01:00")
    answer = h.post("/batch/", gzip.compress(dump(sent)), JSON | {"Content-Encoding": "gzip"})
    assert (answer.status, answer.body) == (200, b'{"status":"Ok"}')
    stored = h.stored()
    assert [r.event["event"] for r in stored] == [f"e{i}" for i in range(60)]
    assert [r.offset for r in stored] == sorted(r.offset for r in stored)
    expected.match(stored, expected.events("/batch/", sent))
    metrics.judge(h, received=60, spooled=60)


def test_every_route_with_and_without_slash_takes_every_shape(launch, token):
    h, wanted = launch(), []
    for route in [r + slash for r in ROUTES for slash in ("", "/")]:
        for payload in (event("single", token=token), [event("first", token=token), event("second")],
                        batch(token, [event("inside", token="ignored")])):
            for method in ("POST", "GET"):
                fresh = json.loads(json.dumps(payload))
                for one in fresh["batch"] if "batch" in fresh else fresh if isinstance(fresh, list) else [fresh]:
                    one["uuid"] = event()["uuid"]
                answer = http.request(h.url + route, method, dump(fresh), JSON)
                assert answer.status == 200, (method, route, answer)
                wanted += expected.events(route, fresh)
    expected.match(h.stored(), wanted)
    metrics.judge(h, received=len(wanted), spooled=len(wanted))


def test_other_paths_are_404_and_other_methods_405(launch):
    h = launch()
    for path in ("/e//", "/E", "/batch/x", "/nothing", "/i/v0/e/x"):
        assert h.post(path, b"{}", JSON).status == 404, path
    answer = http.request(h.url + "/e/", "PUT", b"{}", JSON)
    assert (answer.status, answer.body, answer.headers["allow"]) == (405, b"", "POST,GET,HEAD,OPTIONS")
    answer = http.request(h.url + "/_readiness", "POST", b"")
    assert (answer.status, answer.headers["allow"]) == (405, "GET,HEAD")


def test_the_status_routes_answer(launch):
    h = launch()
    root, ready, live = (http.request(h.url + path) for path in ("/", "/_readiness", "/_liveness"))
    assert (root.status, root.body) == (200, b"capture")
    assert (ready.status, ready.body) == (200, b"")
    assert (live.status, live.body) == (200, b"ok")
    assert http.request(h.url + "/metrics").status == 404
    for path in ("/healthz/live", "/healthz/ready", "/healthz/startup"):
        answer = http.request(h.admin + path)
        assert answer.status == 200 and isinstance(json.loads(answer.body), dict), (path, answer)


def test_get_with_data_and_client_time(launch, token):
    h = launch()
    sent = event("from a link", token=token)
    for data in (quote(dump(sent)), quote(base64.b64encode(dump(sent)))):
        target = f"/e/?data={data}&_=1750000000123&ip=1&ver=1.2.3"
        assert http.request(h.url + target).status == 200
    wanted = expected.events("/e/?_=1750000000123", sent)
    assert wanted[0]["sent_at"] == "2025-06-15T15:06:40.123Z"
    expected.match(h.stored(), wanted * 2)


def test_head_with_data_ingests_and_a_beacon_is_204(launch, token):
    h = launch()
    sent, beacon = event("by head", token=token), event("by beacon", token=token)
    answer = http.request(h.url + "/e/?data=" + quote(dump(sent)), "HEAD")
    assert (answer.status, answer.body, answer.headers["content-length"]) == (200, b"", "15")
    answer = h.post("/e/?beacon=1", dump(beacon), {"Content-Type": "text/plain"})
    assert (answer.status, answer.body) == (204, b"") and "content-length" not in answer.headers
    expected.match(h.stored(), expected.events("/e/", sent) + expected.events("/e/", beacon))


def wrappings(sent):
    """name -> (target, headers, body, accepted on /batch too)."""
    plain = dump(sent)
    packed = gzip.compress(plain)
    padded = plain + b" " * (-len(plain) % 3)
    form = b"data=" + quote(plain, safe="").encode()
    form64 = b"data=" + quote(base64.b64encode(plain), safe="").encode()
    lz = lz64(CACHE, plain.decode())
    return {
        "gzip as text/plain without a hint": ("", {"Content-Type": "text/plain"}, packed, True),
        "gzip-js in the query": ("?compression=gzip-js", {"Content-Type": "text/plain"}, packed, True),
        "gzip in header and query": ("?compression=gzip", JSON | {"Content-Encoding": "gzip"}, packed, True),
        "base64 without a hint": ("", JSON, base64.b64encode(padded), True),
        "base64 in the query": ("?compression=base64", {"Content-Type": "text/plain"}, base64.b64encode(padded), True),
        "base64 of gzip": ("", JSON, base64.b64encode(packed), True),
        "form with JSON": ("", FORM, form + b"&ver=1.2.3", True),
        "form with base64": ("?compression=base64", FORM, form64, False),
        "form with base64 whose plus signs became spaces": (
            "", FORM, b"data=" + base64.b64encode(padded).replace(b"=", b"%3D"), False),
        "form with lz64": ("", FORM, b"data=" + quote(lz, safe="").encode() + b"&compression=lz64", True),
        "form with lz64, hint in the query": ("?compression=lz64", FORM, b"data=" + quote(lz, safe="").encode(), True),
    }


@pytest.mark.parametrize("path", ["/e/", "/batch/"])
def test_wrapped_bodies_are_unwrapped(launch, token, path):
    h = launch()
    count = 0
    for name in wrappings(event()):
        sent = event(name, properties={"text": "ünï ~~~>>>???"}, token=token)
        target, headers, body, everywhere = wrappings(sent)[name]
        answer = h.post(path + target, body, headers)
        if path == "/batch/" and not everywhere:
            assert answer.status == 400, (name, answer)
            continue
        assert answer.status == 200, (name, answer)
        count += 1
        expected.match(h.stored()[count - 1:], expected.events("/e/", sent))


def test_the_properties_keep_the_clients_own_bytes(launch, token):
    h = launch()
    raw = '{"z": 1.0, "a":[1e2,-0, 12345678901234567890], "t":"\\u00e9\\/\\n\\"x\\"", "nested":{"b":{}, "a" :null}}'
    body = f'{{"api_key":"{token}","event":"raw","distinct_id":"d","properties":{raw},"$set":{{"k" : 1e0}}}}'
    assert h.post("/e/", body.encode(), JSON).status == 200
    [record] = h.stored()
    data = record.event["data"]
    assert f'"properties":{raw}' in data and '"$set":{"k" : 1e0}' in data, data


def test_special_events_go_their_own_way(launch, token):
    h = launch()
    sent = batch(token, [
        event("$exception"), event("$$client_ingestion_warning"), event("$$heatmap", properties={"$heatmap_data": {}}),
        event("$performance_event"), event("$snapshot"),
        event("$ai_generation", properties={"$ai_model": "m", "$ai_gateway_key": "no", "n": 1}),
        event("$ai_other", properties={"$ai_gateway": 1, "x": {"$ai_gateway": "kept inside"}}),
        event("moved", properties={"$heatmap_data": {"/": [{"x": 1}]}, "$viewport_width": 9, "other": 1}),
        event("left", properties={"$prev_pageview_pathname": "/a", "$current_url": "u", "$session_id": "s"}),
        event("quiet", properties={"$cookieless_mode": True}),
        event("inner", properties={"capture_internal": False})], historical_migration=True)
    h.capture(sent, "/batch/", {"X-Forwarded-For": "unknown, 203.0.113.7, 10.0.0.1"})
    stored = h.stored()
    wanted = expected.events("/batch/", sent)
    inside = [e for e in wanted if e["event"] == "inner"]
    expected.match([r for r in stored if r.event["event"] != "inner"],
                   [e for e in wanted if e["event"] != "inner"], ip="203.0.113.7")
    expected.match([r for r in stored if r.event["event"] == "inner"], inside)
    assert [r.key for r in stored if r.event["event"] == "quiet"] == [f"{token}:203.0.113.7"]
    metrics.judge(h, received=11, spooled=10, dropped=1)


def test_a_bad_event_is_set_aside_and_the_good_ones_are_kept(launch, token):
    h = launch()
    sent = batch(token, [event("good"), {"distinct_id": "no name"}, event("also good"), event("", "x"),
                         event("no id", distinct_id=None)])
    answer = h.post("/batch/", dump(sent), JSON)
    assert answer.status == 200, answer
    body = json.loads(answer.body)
    assert body["status"] == "Ok" and [r["index"] for r in body["rejected"]] == [1, 3, 4]
    assert all(r["reason"] for r in body["rejected"])
    assert [r.event["event"] for r in h.stored()] == ["good", "also good"]
    letters = [json.loads(r.value) for r in h.stored("dead")]
    assert [(d["index"], d["token"], d["path"]) for d in letters] == [(i, token, "/batch/") for i in (1, 3, 4)]
    assert json.loads(letters[0]["raw"]) == {"distinct_id": "no name"}
    metrics.judge(h, received=5, spooled=2, dead_lettered=3)


def test_strict_mode_refuses_the_whole_batch(launch, token):
    h = launch({"HEADRACE_INGEST_MODE": "strict"})
    answer = h.post("/batch/", dump(batch(token, [event("good"), {"distinct_id": "no name"}])), JSON)
    assert (answer.status, answer.text()) == (
        400, "failed to hydrate events from request: non-engage request missing event name attribute")
    assert h.stored() == []
    metrics.judge(h, received=1, refused=1)      # as one event of the engage shape (http-v0.md 3.1)


REFUSALS = [
    ("no token", "/e/", b'{"event":"a","distinct_id":"1"}', JSON, 401, "event submitted without an api_key"),
    ("empty token", "/e/", b'{"api_key":"","batch":[{"event":"a","distinct_id":"1"}]}', JSON, 401,
     "API key is not valid: empty"),
    ("two tokens", "/e/", b'[{"token":"a","event":"a","distinct_id":"1"},{"token":"b","event":"b","distinct_id":"2"}]',
     JSON, 401, "batch submitted with inconsistent api_key values"),
    ("personal key", "/e/", b'{"token":"ph' + b'x_abc","event":"a","distinct_id":"1"}', JSON, 401,
     "API key is not valid: personal_api_key"),
    ("long token", "/e/", b'{"token":"' + b"x" * 65 + b'","event":"a","distinct_id":"1"}', JSON, 401,
     "API key is not valid: too_long"),
    ("no id", "/e/", b'{"token":"t","event":"a"}', JSON, 400, "event submitted without a distinct_id"),
    ("blank id", "/e/", b'{"token":"t","event":"a","distinct_id":" "}', JSON, 400,
     "event submitted without a distinct_id"),
    ("no name", "/e/", b'{"token":"t","event":"","distinct_id":"1"}', JSON, 400,
     "event submitted with an empty event name"),
    ("odd cookieless", "/e/", b'{"token":"t","event":"a","distinct_id":"1","properties":{"$cookieless_mode":"yes"}}',
     JSON, 400, "event submitted with invalid cookieless mode"),
    ("empty body", "/e/", b"", JSON, 400, "request missing data payload"),
    ("empty batch", "/batch/", b'{"api_key":"k","batch":[]}', JSON, 400, "request holds no event"),
    ("engage body elsewhere", "/e/", b'{"$token":"T","$distinct_id":"u","$set":{"a":1}}', JSON, 400,
     "failed to hydrate events from request: non-engage request missing event name attribute"),
    ("gzip hint on plain JSON", "/e/?compression=gzip", b'{"event":"a"}', JSON, 400,
     "failed to decode request: invalid GZIP data"),
    ("not UTF-8", "/e/", b'{"event":"\xff"}', JSON, 400, "failed to decode request: invalid UTF8 in request payload"),
    ("plain curl -d", "/e/", b'{"event":"a"}', FORM, 400,
     "failed to decode request: expected form data in POST request payload"),
    ("bad time in the query", "/e/?_=now", b'{"event":"a"}', JSON, 400,
     "Failed to deserialize query string: invalid digit found in string"),
]


def test_refusals_have_their_status_and_text(launch):
    h = launch()
    for name, target, body, headers, status, text in REFUSALS:
        answer = h.post(target, body, headers)
        assert (answer.status, answer.text()) == (status, text), name
        assert answer.headers["content-type"] == "text/plain; charset=utf-8", name
    for body in (b"{", b"abc", b'{"event":"e",}', b'{"event":"e"} x', b'["\\ud800"]'):
        answer = h.post("/e/", body, JSON)
        assert answer.status == 400 and answer.text().startswith("failed to parse request: "), (body, answer)
    assert h.stored() == []
    assert http.request(h.url + "/_readiness").status == 200


def test_engage_becomes_identify(launch, token):
    h = launch()
    sent = {"$token": token, "$distinct_id": "u", "$set": {"a": 1}}
    h.capture(sent, "/engage/")
    [record] = h.stored()
    assert record.event["event"] == "$identify" and record.data["$set"] == {"a": 1}
    expected.match([record], expected.events("/engage/", sent))


def test_a_restart_keeps_the_records(launch, token, folder):
    first = launch(spool=folder / "kept")
    sent = [event(f"before {i}", token=token) for i in range(20)]
    for one in sent:
        first.capture(one)
    assert first.stop() == 0
    second = launch(spool=folder / "kept")
    later = event("after", token=token)
    second.capture(later)
    expected.match(second.stored(), [e for s in [*sent, later] for e in expected.events("/e/", s)])


def test_a_kill_right_after_the_answer_loses_nothing(launch, token, folder):
    for round_ in range(3):
        h = launch(spool=folder / "killed")
        h.capture(event(f"round {round_}", token=token))
        h.process.kill()
        assert f"round {round_}" in [r.event["event"] for r in h.stored()]
    h = launch(spool=folder / "killed")
    assert sorted(r.event["event"] for r in h.stored()) == ["round 0", "round 1", "round 2"]


def load(h, token, workers, stop):
    """Threads that post until `stop`; the uuids that were answered 200."""
    accepted, lock = [], threading.Lock()

    def post():
        while not stop.is_set():
            events = [event(f"load {i}") for i in range(5)]
            try:
                answer = h.post("/batch/", dump(batch(token, events)), JSON)
            except OSError:
                continue
            if answer.status == 200:
                with lock:
                    accepted.extend(e["uuid"] for e in events)
    threads = [threading.Thread(target=post, daemon=True) for _ in range(workers)]
    for thread in threads:
        thread.start()
    return accepted, threads


@pytest.mark.parametrize("how", ["terminate", "kill"])
def test_everything_answered_200_under_load_is_stored(launch, token, how):
    h = launch()
    stop = threading.Event()
    accepted, threads = load(h, token, 6, stop)
    try:
        wait_until(lambda: len(accepted) > 1000, "1,000 events under load", 60)
        code = h.stop() if how == "terminate" else h.process.kill()
    finally:
        stop.set()
    for thread in threads:
        thread.join(20)
    assert code == (0 if how == "terminate" else -9), h.log()[-2000:]
    missing = set(accepted) - {r.uuid for r in h.stored()}
    assert not missing, f"{len(missing)} of {len(accepted)} answered events are not in the store"


def test_the_spool_commands_read_the_store(launch, token):
    h = launch()
    for i in range(3):
        h.capture(event(f"e{i}", token=token))
    for arguments in (["ls"], ["ls", "--json"], ["verify"], ["verify", "--json"], ["cat"]):
        done = server.run("spool", *arguments, "--dir", h.spool)
        assert done.returncode == 0 and done.stdout, (arguments, done)
        if "--json" in arguments:
            assert all(isinstance(json.loads(line), dict) for line in done.stdout.splitlines())
    assert server.run("spool", "nonsense", "--dir", h.spool).returncode not in (0, -6, -11)


def test_tail_follows_a_running_server(launch, token):
    h = launch()
    h.capture(event("there before", token=token))
    tail = Process([server.binary(), "spool", "tail", "-f", "--dir", h.spool, "--json"], server.environment({}))
    try:
        names = lambda: [json.loads(json.loads(line)["value"])["event"] for line in tail.stdout_lines]
        wait_until(tail.running, "tail to run")
        for i in range(5):
            h.capture(event(f"live {i}", token=token))
            wait_until(lambda: f"live {i}" in names(), lambda: f"live {i} in {names()}: {tail.output()}", 20)
        assert [n for n in names() if n.startswith("live")] == [f"live {i}" for i in range(5)]
    finally:
        tail.terminate()


def test_curl_sends_an_event(launch, token):
    h = launch()
    sent = event("by curl", token=token)
    done = subprocess.run(["curl", "-sS", "-m", "10", "-H", "Content-Type: application/json", "-d", dump(sent),
                           h.url + "/i/v0/e/"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, '{"status":"Ok"}'), done
    expected.match(h.stored(), expected.events("/i/v0/e/", sent))


def test_the_client_address_may_be_cut(launch, token):
    h = launch({"HEADRACE_PRIVACY_IP": "truncate"})
    h.capture(event("x", token=token), headers={"X-Forwarded-For": "203.0.113.77"})
    assert [r.event["ip"] for r in h.stored()] == ["203.0.113.0"]


def test_health_asks_a_running_server(launch):
    h = launch()
    admin = h.admin.removeprefix("http://")
    assert server.run("health", settings={"HEADRACE_ADMIN_LISTEN": admin}).returncode == 0
    h.stop()
    assert server.run("health", settings={"HEADRACE_ADMIN_LISTEN": admin}).returncode != 0


def test_a_taken_port_and_a_wrong_setting_end_with_a_remedy(launch, folder):
    h = launch()
    done = server.run("serve", "--listen", f"127.0.0.1:{h.port}", "--admin-listen", "127.0.0.1:0",
                      "--spool-dir", folder / "other")
    assert done.returncode not in (0, -6, -11) and str(h.port) in done.stdout + done.stderr
    done = server.run("serve", "--listen", "127.0.0.1:0", "--spool-dir", folder / "other",
                      settings={"HEADRACE_SERVER_IDLE_TIMEOUT": "5"})
    assert done.returncode == 78 and "server.idle_timeout" in done.stderr + done.stdout


def test_a_spool_folder_that_cannot_be_ends_with_a_remedy(folder):
    (folder / "file").write_text("in the way")
    done = server.run("serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0",
                      "--spool-dir", folder / "file")
    said = done.stdout + done.stderr
    assert done.returncode not in (0, -6, -11) and str(folder / "file") in said, (done.returncode, said)
