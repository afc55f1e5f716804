"""Bodies that tests send."""
import json
import subprocess
import uuid


def event(name="page seen", distinct_id="user-1", token=None, **more):
    """A single event; `more` are further top-level fields."""
    made = {"event": name, "distinct_id": distinct_id, "uuid": str(uuid.uuid4()), "properties": {"n": 1}} | more
    return {"api_key": token} | made if token else made


def batch(token, events, **more):
    return {"api_key": token, "batch": events} | more


def dump(payload):
    return json.dumps(payload, separators=(",", ":")).encode()


def lz64(cache, text):
    """lz-string's base64 form, by the library that the browser SDK once used."""
    done = subprocess.run(
        ["node", "-e", "process.stdout.write(require('lz-string').compressToBase64(require('fs').readFileSync(0,'utf8')))"],
        input=text.encode(), capture_output=True, cwd=cache / "node")
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()
