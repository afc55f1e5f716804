"""Sends one of everything through posthog-python. Arguments: host, token, gzip (0 or 1)."""
import datetime
import sys

from posthog import Posthog

failures = []
client = Posthog(sys.argv[2], host=sys.argv[1], gzip=sys.argv[3] == "1", max_retries=0, flush_at=100,
                 on_error=lambda error, batch: failures.append(error))
for i in range(12):
    client.capture(f"order {i}", distinct_id=f"user-{i % 3}", groups={"company": "acme"},
                   properties={"i": i, "total": 12.5, "text": "ünï \"q\" \\ \u2028 </x>",
                               "nested": {"list": [1, None, {"a": True}]}, "$set": {"plan": "pro"}})
client.capture("with time", distinct_id="user-1",
               timestamp=datetime.datetime(2026, 2, 3, 4, 5, 6, 789000, tzinfo=datetime.timezone.utc))
client.set(distinct_id="user-1", properties={"email": "a@example.com"})
client.set_once(distinct_id="user-1", properties={"first": 1})
client.alias("anon-9", "user-1")
client.group_identify("company", "acme", {"tier": 1})
try:
    raise ValueError("broken")
except ValueError as error:
    client.capture_exception(error, distinct_id="user-2")
client.capture_ai("$ai_generation", distinct_id="user-1", properties={"$ai_model": "m"})
client.flush()
client.shutdown()
sys.exit("\n".join(map(str, failures)) if failures else 0)
