"""Request bodies for wrk: posthog-js page views, one per body and in batches, plain and gzip.

Seeded, so that two runs send the same bytes. Every event has its own uuid (version 7), users and
timestamps vary. A file holds bodies one after another, each behind its length (4 bytes, big endian).
"""
import gzip
import json
import random
import struct
import time
from pathlib import Path

TOKEN = "phc_bench4hRzU7qGd0tXn2VwLs9KyCe5mAoJ1bPfQiT8u"
SINGLES, BATCHES, BATCH_SIZE = 512, 128, 50
SINGLE_BYTES = 1434        # of posthog-js's page view, field by field like it
PAGES = ("/", "/pricing", "/docs/getting-started", "/blog/why-we-moved", "/signup", "/product/insights",
         "/docs/libraries/js", "/customers", "/settings/project", "/dashboard/1291/edit")
BROWSERS = (("Chrome", 139, "Windows", "10.0"), ("Safari", 18, "Mac OS X", "10.15.7"),
            ("Firefox", 142, "Linux", ""), ("Chrome", 139, "Mac OS X", "10.15.7"))


def uuid7(rng, ms):
    bits = ms << 80 | 0x7 << 76 | rng.getrandbits(12) << 64 | 0b10 << 62 | rng.getrandbits(62)
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def page_view(rng, ms, size):
    browser, version, system, release = rng.choice(BROWSERS)
    page = rng.choice(PAGES)
    url = f"https://app.example.com{page}?utm_source=newsletter&ref={rng.getrandbits(32):08x}"
    user = uuid7(rng, ms - rng.randrange(10 ** 9))
    properties = {
        "$os": system, "$os_version": release, "$browser": browser, "$device_type": "Desktop",
        "$timezone": rng.choice(("Europe/Berlin", "America/New_York", "Asia/Tokyo")),
        "$current_url": url, "$host": "app.example.com", "$pathname": page,
        "$raw_user_agent": f"Mozilla/5.0 (X11; {system}) AppleWebKit/537.36 (KHTML, like Gecko) {browser}/{version}.0.0.0",
        "$browser_version": version, "$browser_language": "en-US", "$browser_language_prefix": "en",
        "$screen_height": 1080, "$screen_width": 1920, "$viewport_height": rng.randrange(600, 1000),
        "$viewport_width": rng.randrange(900, 1900), "$lib": "web", "$lib_version": "1.449.2",
        "$insert_id": f"{rng.getrandbits(64):016x}", "$time": ms / 1000, "distinct_id": user, "$device_id": user,
        "$referrer": "$direct", "$referring_domain": "$direct", "utm_source": "newsletter",
        "$session_id": uuid7(rng, ms - 5000), "$window_id": uuid7(rng, ms - 4000), "$pageview_id": uuid7(rng, ms - 20),
        "$is_identified": rng.random() < 0.5, "$process_person_profile": True, "title": "Example \"App\" · " + page}
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(ms // 1000)) + f".{ms % 1000:03d}Z"
    event = {"uuid": uuid7(rng, ms), "event": "$pageview", "distinct_id": user, "properties": properties,
             "timestamp": stamp}
    if size:
        event["api_key"] = TOKEN
        properties["token"] = TOKEN
    text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    missing = (size or SINGLE_BYTES - 80) - len(text.encode()) - len(',"$initial_path":""')
    if missing > 0:
        properties["$initial_path"] = "".join(rng.choices("abcdefghij/klmnop-qrstuvwxyz", k=missing))
        text = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
    return text


def batch(rng, ms):
    events = ",".join(page_view(rng, ms - i * 37, 0) for i in range(BATCH_SIZE))
    return f'{{"api_key":"{TOKEN}","historical_migration":false,"batch":[{events}]}}'


def write(path, bodies):
    path.write_bytes(b"".join(struct.pack(">I", len(b)) + b for b in bodies))
    return sum(map(len, bodies)) // len(bodies)


def prepare(folder: Path):
    """Writes single.bin, batch.bin and gzip.bin; their mean body sizes."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(20_26)
    now = int(time.time() * 1000)
    singles = [page_view(rng, now - i * 11, SINGLE_BYTES).encode() for i in range(SINGLES)]
    batches = [batch(rng, now - i * 911).encode() for i in range(BATCHES)]
    packed = [gzip.compress(b, 6, mtime=0) for b in batches]
    return {"single": write(folder / "single.bin", singles), "batch": write(folder / "batch.bin", batches),
            "gzip": write(folder / "gzip.bin", packed)}
