"""Fixtures of the end-to-end suite. Every server that a test starts is stopped, its log searched for
secrets and sanitizer reports, and every record it left (spool and topics) goes through the validator."""
import os
import secrets
import shutil
import tempfile
import time
from pathlib import Path

import pytest

import validator
from harness import server
from harness.certificates import Authority
from harness.kafka import Kafka
from harness.redis import Redis

CACHE = Path(os.environ.get("HEADRACE_TEST_CACHE", Path(__file__).parent.parent / ".cache")).resolve()
DEFAULT_LANES = {
    "main": "events_plugin_ingestion", "overflow": "events_plugin_ingestion_overflow",
    "historical": "events_plugin_ingestion_historical", "heatmaps": "heatmaps_ingestion",
    "warnings": "ingestion-clientwarnings-main-1", "errors": "error_tracking_events",
    "ai": "events_plugin_ingestion_ai", "dlq": "events_plugin_ingestion_dlq",
    "dead": "headrace_dead_letters"}
LANE_SETTINGS = {
    "main": "CAPTURE_OUTPUT_ANALYTICS_MAIN_TOPIC", "overflow": "CAPTURE_OUTPUT_ANALYTICS_OVERFLOW_TOPIC",
    "historical": "CAPTURE_OUTPUT_ANALYTICS_HISTORICAL_TOPIC", "heatmaps": "CAPTURE_OUTPUT_HEATMAPS_TOPIC",
    "warnings": "CAPTURE_OUTPUT_CLIENT_WARNINGS_TOPIC", "errors": "CAPTURE_OUTPUT_ERROR_TRACKING_TOPIC",
    "ai": "CAPTURE_OUTPUT_AI_MAIN_TOPIC", "dlq": "CAPTURE_OUTPUT_DLQ_TOPIC",
    "dead": "HEADRACE_KAFKA_TOPICS_DEAD_LETTERS"}
EVENT_LANES = [lane for lane in DEFAULT_LANES if lane not in ("dlq", "dead")]


@pytest.fixture(scope="session")
def session_folder():
    (CACHE / "run").mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="e2e-", dir=CACHE / "run"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folder(session_folder):
    return Path(tempfile.mkdtemp(prefix="test-", dir=session_folder))


@pytest.fixture(scope="session")
def authority(session_folder):
    return Authority(session_folder / "ca")


@pytest.fixture(scope="session")
def kafka(session_folder, authority):
    broker = Kafka(session_folder / "kafka", CACHE / "kafka", authority)
    try:
        yield broker.start()
    finally:
        broker.stop()


class Topics:
    """Topics of one test, on a broker."""

    def __init__(self, broker, prefix, partitions=4):
        self.broker = broker
        self.lanes = {lane: f"{prefix}-{lane}" for lane in DEFAULT_LANES}
        self.partitions = partitions

    def create(self):
        self.broker.create_topics(list(self.lanes.values()), self.partitions)
        return self

    def settings(self):
        return {LANE_SETTINGS[lane]: topic for lane, topic in self.lanes.items()} | {
            "HEADRACE_KAFKA_BROKERS": self.broker.brokers}

    def events(self, at_least=0, timeout=30.0, lanes=EVENT_LANES):
        return self.broker.read([self.lanes[lane] for lane in lanes], at_least, timeout)

    def dead_letters(self, at_least=0):
        return self.broker.read([self.lanes["dead"]], at_least)


@pytest.fixture
def topics(kafka):
    return Topics(kafka, "t" + secrets.token_hex(4)).create()


@pytest.fixture
def token():
    return "phc_" + secrets.token_hex(20)


class Launcher:
    """Starts servers for one test and judges them at its end."""

    def __init__(self, folder):
        self._folder, self._servers, self._topics, self._secrets = folder, [], [], ["phx_"]
        self._began = time.time_ns()

    def __call__(self, settings=None, topics=None, spool=None, arguments=(), listen="127.0.0.1:0"):
        """`topics`: ship to these; without them the server is standalone."""
        if topics and topics not in self._topics:
            self._topics.append(topics)
        merged = (topics.settings() if topics else {}) | (settings or {})
        spool = spool or self._folder / f"spool-{len(self._servers)}"
        started = server.Headrace(spool, merged, arguments, listen)
        self._servers.append(started)
        return started.start()

    def secret(self, text):
        """`text` must appear in no log and in no file below the spool folders."""
        self._secrets.append(text)

    def finish(self):
        problems = []
        for one in self._servers:
            problems += self._end(one)
        window = (self._began, time.time_ns())
        for spool in {one.spool for one in self._servers if one.url}:
            any_server = next(one for one in self._servers if one.spool == spool)
            problems += self._judge(any_server.stored(), self._lanes_of(any_server), window)
            problems += [p for r in any_server.stored("dead") for p in validator.dead_letter_problems(r)]
        for topics in self._topics:
            problems += self._judge(topics.events(), topics.lanes, window)
            problems += [p for r in topics.dead_letters() for p in validator.dead_letter_problems(r)]
        assert not problems, f"{len(problems)} problems:\n" + "\n".join(problems[:20])

    def abandon(self):
        for one in self._servers:
            if one.process and one.process.running():
                one.process.kill()

    def _end(self, one):
        problems = []
        if one.process.running():
            code = one.stop()
            if code != 0:
                problems.append(f"exit code {code} on SIGTERM:\n{one.log()[-2000:]}")
        log = one.log()
        problems += [f"the log has {secret[:12]}: {line[:300]}" for secret in self._secrets
                     for line in log.splitlines() if secret in line]
        problems += [f"sanitizer: {line}" for line in log.splitlines() if server.SANITIZER.search(line)]
        return problems

    def _lanes_of(self, one):
        return {lane: one.settings.get(LANE_SETTINGS[lane], DEFAULT_LANES[lane]) for lane in DEFAULT_LANES}

    @staticmethod
    def _judge(records, lanes, window):
        dead = lanes["dead"]
        return [f"{problem} [{record.source} {record.topic}/{record.partition}/{record.offset}]"
                for record in records if record.topic != dead
                for problem in validator.problems(record, lanes, window)] + [
                problem for record in records if record.topic == dead
                for problem in validator.dead_letter_problems(record)]


@pytest.fixture
def launch(folder, token):
    launcher = Launcher(folder)
    launcher.secret(token)
    try:
        yield launcher
        launcher.finish()
    finally:
        launcher.abandon()


@pytest.fixture
def redis(folder):
    started = Redis(folder / "redis", password="right-horse")
    try:
        yield started
    finally:
        started.stop()
