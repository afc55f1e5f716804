"""A real one-node Kafka broker (KRaft) and whole-topic reading."""
import secrets
import base64
from pathlib import Path

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from .process import Process, free_ports
from .records import Record
from .waiting import wait_until

SCRAM_USER, SCRAM_PASSWORD = "headrace", "correct horse"
EXPIRED = ("20200101000000Z", "20200201000000Z")


class Kafka:
    """A broker in its own folder. With `authority`, it has these listeners beside the plain one:
    sasl_ssl (SCRAM-SHA-512), mtls (client certificate required), expired and wrong_name (SASL_SSL
    too, with such server certificates)."""

    def __init__(self, folder: Path, jars: Path, authority=None, ports=None):
        self._folder, self._jars, self.authority = folder, jars, authority
        folder.mkdir(parents=True)
        names = ["plain", "controller"] + (["sasl_ssl", "mtls", "expired", "wrong_name"] if authority else [])
        self.ports = ports or dict(zip(names, free_ports(len(names))))
        self.brokers = f"127.0.0.1:{self.ports['plain']}"
        self._process = None
        (folder / "server.properties").write_text(
            "".join(f"{k}={v}\n" for k, v in self._properties().items()))
        self._format()

    def address(self, listener):
        return f"localhost:{self.ports[listener]}"

    def start(self):
        self._process = Process(self._java("-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1") +
                                ["kafka.Kafka", self._folder / "server.properties"])

        def ready():
            assert self._process.running(), "broker ended:\n" + self._process.output()[-4000:]
            try:
                return AdminClient(self._client()).list_topics(timeout=1).brokers
            except KafkaException:
                return None
        wait_until(ready, lambda: "broker ready:\n" + self._process.output()[-4000:], 60)
        return self

    def stop(self):
        if self._process and self._process.running():
            self._process.resume()
            self._process.kill()

    def pause(self):
        self._process.pause()

    def resume(self):
        self._process.resume()

    def create_topics(self, names, partitions=4, config=None):
        admin = AdminClient(self._client())
        futures = admin.create_topics(
            [NewTopic(n, partitions, 1, config=config or {}) for n in names], operation_timeout=20)
        for future in futures.values():
            future.result(20)

        def led():
            topics = admin.list_topics(timeout=10).topics
            return all(n in topics and not topics[n].error and
                       all(p.leader >= 0 for p in topics[n].partitions.values()) and
                       len(topics[n].partitions) == partitions for n in names)
        wait_until(led, f"leaders of {names}")

    def read(self, topics, at_least=0, timeout=30.0):
        """Every record of `topics` from their first to their end offsets, in partition order.
        Waits until there are `at_least` of them."""
        consumer = Consumer({**self._client(), "group.id": "e2e-" + secrets.token_hex(8),
                             "enable.auto.commit": "false", "enable.partition.eof": "true"})
        try:
            def enough():
                try:
                    found = self._end_offsets(consumer, topics)
                except KafkaException:           # a partition without a leader, right after a start
                    return None
                total = sum(high - low for low, high in found.values())
                return found if total >= at_least else None
            ends = wait_until(enough, f"{at_least} records in {topics}", timeout, 0.1)
            return self._read_to(consumer, ends)
        finally:
            consumer.close()

    @staticmethod
    def _end_offsets(consumer, topics):
        found = {}
        for topic in topics:
            for partition in consumer.list_topics(topic, timeout=10).topics[topic].partitions:
                tp = TopicPartition(topic, partition)
                found[(topic, partition)] = consumer.get_watermark_offsets(tp, timeout=10)
        return found

    @staticmethod
    def _read_to(consumer, ends):
        open_partitions = {k for k, (low, high) in ends.items() if high > low}
        records = []
        consumer.assign([TopicPartition(t, p, ends[(t, p)][0]) for t, p in open_partitions])
        partitions = {t: sum(1 for (name, _) in ends if name == t) for (t, _) in ends}

        def pull():
            for message in consumer.consume(500, timeout=1.0):
                where = (message.topic(), message.partition())
                if message.error():
                    open_partitions.discard(where)   # end of the partition
                    continue
                if message.offset() >= ends[where][1] - 1:
                    open_partitions.discard(where)
                if message.offset() < ends[where][1]:
                    records.append(Record.from_kafka(message, partitions[message.topic()]))
            return not open_partitions
        if open_partitions:
            wait_until(pull, lambda: f"the end of {open_partitions}", 30)
        return sorted(records, key=lambda r: (r.topic, r.partition, r.offset))

    def _client(self):
        return {"bootstrap.servers": self.brokers, "log_level": 0}

    def _java(self, *options):
        return ["java", *options, "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
                "-cp", f"{self._jars}/*"]

    def _format(self):
        cluster = base64.urlsafe_b64encode(b"e2e" + secrets.token_bytes(13)).decode().rstrip("=")
        scram = ["--add-scram", f"SCRAM-SHA-512=[name={SCRAM_USER},password={SCRAM_PASSWORD}]"]
        tool = Process(self._java("-Xmx128m", "-XX:TieredStopAtLevel=1") +
                       ["kafka.tools.StorageTool", "format", "-t", cluster, *scram,
                        "-c", self._folder / "server.properties"])
        assert tool.wait(60) == 0, tool.output()

    def _properties(self):
        listeners = {"PLAINTEXT": "plain", "CONTROLLER": "controller"}
        protocols = {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT"}
        secured = {}
        if self.authority:
            listeners |= {"SASLSSL": "sasl_ssl", "MTLS": "mtls", "EXPIRED": "expired", "WRONGNAME": "wrong_name"}
            protocols |= {"SASLSSL": "SASL_SSL", "MTLS": "SSL", "EXPIRED": "SASL_SSL", "WRONGNAME": "SASL_SSL"}
            secured = self._tls_properties()
        at = {name: f"{'127.0.0.1' if name in ('PLAINTEXT', 'CONTROLLER') else 'localhost'}:{self.ports[p]}"
              for name, p in listeners.items()}
        return {
            "process.roles": "broker,controller", "node.id": "1",
            "controller.quorum.voters": f"1@{at['CONTROLLER']}",
            "listeners": ",".join(f"{n}://{a}" for n, a in at.items()),
            "advertised.listeners": ",".join(f"{n}://{a}" for n, a in at.items() if n != "CONTROLLER"),
            "inter.broker.listener.name": "PLAINTEXT", "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": ",".join(f"{n}:{p}" for n, p in protocols.items()),
            "log.dirs": self._folder / "log", "num.partitions": "4",
            "auto.create.topics.enable": "false",
            "offsets.topic.replication.factor": "1", "transaction.state.log.replication.factor": "1",
            "transaction.state.log.min.isr": "1", "group.initial.rebalance.delay.ms": "0",
            "log.retention.bytes": 64 << 20, "log.segment.bytes": 16 << 20,
            "log.index.size.max.bytes": 256 << 10, "log.retention.check.interval.ms": "10000", "log.cleaner.enable": "false",
            "num.network.threads": "2", "num.io.threads": "2", "background.threads": "2",
            **secured,
        }

    def _tls_properties(self):
        names = "DNS:localhost,IP:127.0.0.1"
        certificates = {"saslssl": self.authority.issue("broker", names),
                        "mtls": self.authority.issue("broker-mtls", names),
                        "expired": self.authority.issue("broker-expired", names, EXPIRED),
                        "wrongname": self.authority.issue("broker-wrong", "DNS:other.example")}
        properties = {"sasl.enabled.mechanisms": "SCRAM-SHA-512"}
        for listener, (certificate, key) in certificates.items():
            store = self._folder / f"{listener}.pem"
            store.write_text(key.read_text() + certificate.read_text())
            prefix = f"listener.name.{listener}."
            properties |= {
                prefix + "ssl.keystore.type": "PEM", prefix + "ssl.keystore.location": store,
                prefix + "ssl.truststore.type": "PEM",
                prefix + "ssl.truststore.location": self.authority.certificate,
                prefix + "ssl.client.auth": "required" if listener == "mtls" else "none"}
            if listener != "mtls":
                properties[prefix + "scram-sha-512.sasl.jaas.config"] = \
                    "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        return properties
