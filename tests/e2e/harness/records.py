"""One record as a consumer sees it, whatever it was read from."""
import json
from dataclasses import dataclass


@dataclass
class Record:
    topic: str
    key: str | None
    headers: list          # of (name, value or None), in wire order
    value: str
    source: str            # "kafka" or "spool"
    timestamp_ms: int | None = None
    partition: int | None = None
    partitions: int | None = None
    offset: int | None = None

    @classmethod
    def from_kafka(cls, message, partitions):
        text = lambda raw: None if raw is None else raw.decode("utf-8")
        kind, stamp = message.timestamp()
        return cls(message.topic(), text(message.key()),
                   [(name, text(value)) for name, value in (message.headers() or [])],
                   text(message.value()), "kafka", stamp if kind == 1 else None,
                   message.partition(), partitions, message.offset())

    @classmethod
    def from_spool(cls, line):
        entry = json.loads(line)
        for name in ("seq", "topic", "key", "headers", "value", "stored_at"):
            assert name in entry, f"spool cat --json lacks {name}: {line[:300]}"
        assert isinstance(entry["seq"], int) and isinstance(entry["stored_at"], (str, int))
        return cls(entry["topic"], entry["key"], list(entry["headers"].items()), entry["value"],
                   "spool", None, None, None, entry["seq"])

    @property
    def event(self):
        return json.loads(self.value)

    @property
    def data(self):
        return json.loads(self.event["data"])

    @property
    def uuid(self):
        return self.event["uuid"]
