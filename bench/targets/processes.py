"""The processes of a measurement: the real Kafka broker, headrace, nginx as the floor, wrk."""
import base64
import json
import os
import secrets
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

MAIN_TOPIC = "events_plugin_ingestion"
OTHER_TOPICS = ("events_plugin_ingestion_overflow", "events_plugin_ingestion_historical", "heatmaps_ingestion",
                "ingestion-clientwarnings-main-1", "error_tracking_events", "events_plugin_ingestion_dlq",
                "events_plugin_ingestion_ai", "headrace_dead_letters")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def stop(process, seconds=20):
    if process and process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Broker:
    """One Kafka node in a folder of its own, which goes when it stops. Old records go quickly too."""

    def __init__(self, folder: Path, jars: Path):
        self.folder, self.log = folder, folder.with_suffix(".log")
        folder.mkdir(parents=True)
        port, controller = free_port(), free_port()
        self.address = f"127.0.0.1:{port}"
        properties = {
            "process.roles": "broker,controller", "node.id": 1, "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://{self.address},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://{self.address}", "inter.broker.listener.name": "PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": folder / "log", "auto.create.topics.enable": "false", "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1, "log.retention.bytes": 64 << 20, "log.segment.bytes": 64 << 20,
            "log.retention.check.interval.ms": 1000, "log.segment.delete.delay.ms": 1000, "log.cleaner.enable": "false"}
        config = folder / "server.properties"
        config.write_text("".join(f"{k}={v}\n" for k, v in properties.items()))
        java = ["java", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*"]
        cluster = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "a")
        with self.log.open("wb") as out:
            subprocess.run([*java, "kafka.tools.StorageTool", "format", "-t", cluster, "-c", config],
                           check=True, stdout=out, stderr=out)
            self.process = subprocess.Popen([*java[:1], "-Xmx512m", *java[1:], "kafka.Kafka", config], stdout=out, stderr=out)
        self._admin = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
        self._wait_ready()
        self._create_topics()
        self._reader = Consumer({"bootstrap.servers": self.address, "group.id": "bench", "log_level": 0})

    def _wait_ready(self):
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended, see {self.log}")
            try:
                if self._admin.list_topics(timeout=1).brokers:
                    return
            except KafkaException:
                pass
        raise RuntimeError(f"no broker after 60 s, see {self.log}")

    def _create_topics(self):
        topics = [NewTopic(MAIN_TOPIC, 8, 1)] + [NewTopic(t, 1, 1) for t in OTHER_TOPICS]
        for future in self._admin.create_topics(topics, operation_timeout=20).values():
            future.result(20)
        time.sleep(1)      # leaders follow their topics

    def records(self):
        """Records ever appended to the main topic."""
        return sum(self._reader.get_watermark_offsets(TopicPartition(MAIN_TOPIC, p), timeout=10)[1] for p in range(8))

    def stop(self):
        self._reader.close()
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


class Headrace:
    """One worker, all threads on `core`. Standalone without `brokers`."""

    def __init__(self, binary: Path, folder: Path, core, brokers=None):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        kept = {k: os.environ[k] for k in ("PATH", "HOME") if k in os.environ}
        settings = {"HEADRACE_SERVER_WORKERS": "1", "HEADRACE_SERVER_LISTEN": "127.0.0.1:0",
                    "HEADRACE_ADMIN_LISTEN": "127.0.0.1:0", "HEADRACE_SPOOL_DIR": str(folder / "spool"),
                    "HEADRACE_LOG_LEVEL": "warn"}
        if brokers:
            settings |= {"HEADRACE_KAFKA_BROKERS": brokers, "HEADRACE_KAFKA_ACK": "kafka"}
        extra = {k[6:]: v for k, v in os.environ.items() if k.startswith("BENCH_HEADRACE_")}
        began = time.monotonic()
        with (folder / "log").open("wb") as log:
            self.process = subprocess.Popen(["taskset", "-c", str(core), binary, "serve"], env=kept | settings | extra,
                                            stdout=subprocess.PIPE, stderr=log)
        line = self.process.stdout.readline().decode()
        self.ready_seconds = time.monotonic() - began
        if not line.startswith("headrace ready: http://"):
            self.process.wait(10)
            raise RuntimeError(f"headrace did not start: {line}{(folder / 'log').read_text()[-2000:]}")
        words = line.split()
        self.url, self.admin = words[2], words[4].rstrip(")")

    @property
    def pid(self):
        return self.process.pid        # taskset replaces itself by the server

    def metric(self, name):
        text = urllib.request.urlopen(self.admin + "/metrics", timeout=10).read().decode()
        return sum(float(l.split()[-1]) for l in text.splitlines() if l.startswith((name + " ", name + "{")))

    def stored(self):
        """Events that a 200 was given for, waits until none is in flight."""
        deadline = time.monotonic() + 15
        while self.metric("headrace_events_in_flight") != 0:
            if time.monotonic() > deadline:
                raise RuntimeError("events are in flight 15 s after the load ended")
            time.sleep(0.05)
        return {f: int(self.metric(f"headrace_events_{f}_total")) for f in ("acked", "spooled")}

    def stop(self):
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


class Nginx:
    """`return 200` to every POST: what the kernel's sockets and a good HTTP server cost here."""

    def __init__(self, folder: Path, core):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder, port = folder, free_port()
        self.url = f"http://127.0.0.1:{port}"
        config = folder / "nginx.conf"
        config.write_text(f"""daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1;
master_process off;
events {{ worker_connections 4096; }}
http {{ access_log off; keepalive_requests 1000000000; client_max_body_size 20m; client_body_buffer_size 128k;
client_body_temp_path {folder}/body; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ default_type application/json; return 200 '{{"status":"Ok"}}'; }} }} }}
""")
        self.process = subprocess.Popen(["taskset", "-c", str(core), "nginx", "-p", folder, "-c", config])
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        stop(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)


def wrk(url, script, arguments, connections, seconds, core):
    done = subprocess.run(["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
                           "-s", script, url, "--", *map(str, arguments)], capture_output=True, text=True,
                          timeout=seconds + 60)
    for line in done.stdout.splitlines():
        if line.startswith("wrk-json "):
            return json.loads(line.removeprefix("wrk-json "))
    raise RuntimeError(f"wrk failed: {done.stdout[-500:]}{done.stderr[-500:]}")
