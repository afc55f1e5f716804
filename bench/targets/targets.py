"""Server CPU time per event under wrk: headrace with Kafka, headrace standalone, nginx as the floor.

Started by ../targets.sh, pinned to the load's core. Prints a table, writes results.json; exits 1 and
prints no figure for a case whose runs it cannot stand behind."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import bodies
import machine
import processes

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
SERVER_CORE, LOAD_CORE = 0, 1
WARM_SECONDS = 2
STOLEN_MAX = 0.02           # of the server's core, by the host
REPEATS_MAX = 3
REQUESTS_MIN = 1000         # per run

# name: file of bodies, path, events per request, connections, gzip
LOADS = {
    "single, 64 connections": ("single", "/i/v0/e/", 1, 64),
    "single, 512 connections": ("single", "/i/v0/e/", 1, 512),
    "batch of 50": ("batch", "/batch/", bodies.BATCH_SIZE, 64),
    "batch of 50, gzip": ("gzip", "/batch/", bodies.BATCH_SIZE, 64),
}
TARGETS_US = {"single, 64 connections": 20, "single, 512 connections": 20, "batch of 50": 8, "batch of 50, gzip": 9}


class Unsound(Exception):
    """The run's figures mean nothing."""


def load(server, name, seconds, data):
    kind, path, _, connections = LOADS[name]
    arguments = [data / f"{kind}.bin", path] + (["gzip"] if kind == "gzip" else [])
    return processes.wrk(server.url + path, HERE / "post.lua", arguments, connections, seconds, LOAD_CORE)


def check_answers(result):
    errors = {k: result[k] for k in ("connect", "read", "write", "status", "timeout") if result[k]}
    if errors:
        raise Unsound(f"socket errors or answers other than 200: {errors}")
    if result["requests"] < REQUESTS_MIN:
        raise Unsound(f"only {result['requests']} requests")


def check_counts(before, after, events, connections, per_request, broker_grew):
    """Each 200 has its events in the store, and nothing is there that no request explains."""
    stored = {k: after[k] - before[k] for k in after}
    total = sum(stored.values())
    # wrk hangs up on what is in flight when its time is over: processed, but not counted by it.
    if not events <= total <= events + connections * per_request:
        raise Unsound(f"{events} events were answered 200, the server counts {total}")
    if broker_grew is None:
        return
    if stored["spooled"]:
        raise Unsound(f"{stored['spooled']} events went to the spool instead of Kafka")
    if broker_grew != total:
        raise Unsound(f"{total} events acknowledged, {broker_grew} records in the topic")


def measure(server, name, seconds, data, broker=None):
    _, _, per_request, connections = LOADS[name]
    counted = hasattr(server, "stored")
    load(server, name, WARM_SECONDS, data)
    before = server.stored() if counted else None
    offset = broker.records() if broker else None
    time.sleep(0.3)
    threads, whole = machine.threads(server.pid), machine.total_seconds(server.pid)
    core, core_load, began = machine.core_seconds(SERVER_CORE), machine.core_seconds(LOAD_CORE), time.monotonic()
    result = load(server, name, seconds, data)
    wall = time.monotonic() - began
    now, whole_now = machine.threads(server.pid), machine.total_seconds(server.pid)
    core_now, core_load_now = machine.core_seconds(SERVER_CORE), machine.core_seconds(LOAD_CORE)
    check_answers(result)
    events = result["requests"] * per_request
    if counted:
        after = server.stored()
        check_counts(before, after, events, connections, per_request, broker.records() - offset if broker else None)

    zero = ("", 0.0, 0, 0)
    spent = {t: v[1] - threads.get(t, zero)[1] for t, v in now.items()}
    ticks = [sum(v[i] - threads.get(t, zero)[i] for t, v in now.items()) for i in (2, 3)]
    cpu = sum(spent.values())
    if abs(cpu - (whole_now - whole)) > 0.05 * cpu + 0.1:
        raise Unsound(f"the threads' time ({cpu:.2f} s) is not the process's ({whole_now - whole:.2f} s)")
    by_role = {}
    for tid, role in machine.roles(server.pid, spent).items():
        by_role[role] = by_role.get(role, 0.0) + spent.get(tid, 0.0)
    return {
        "us_per_event": cpu / events * 1e6, "us_per_request": cpu / result["requests"] * 1e6,
        "user_share": ticks[0] / max(1, sum(ticks)),
        "us_per_event_by_role": {r: s / events * 1e6 for r, s in by_role.items()},
        "requests": result["requests"], "requests_per_second": result["requests"] / result["microseconds"] * 1e6,
        "p50_ms": result["p50_us"] / 1000, "p99_ms": result["p99_us"] / 1000,
        "server_core_busy": (core_now[0] - core[0]) / wall,
        "load_core_busy": (core_load_now[0] - core_load[0]) / wall,
        "foreign": max(0.0, core_now[0] - core[0] - (whole_now - whole)) / wall,
        "stolen": (core_now[1] - core[1]) / wall, "load_average": os.getloadavg()[0]}


def quiet_measure(foreign_max, *arguments):
    """Repeats a run that other processes disturbed."""
    for attempt in range(REPEATS_MAX):
        run = measure(*arguments)
        if run["foreign"] <= foreign_max and run["stolen"] <= STOLEN_MAX:
            return run
        print(f"  disturbed (foreign {run['foreign']:.0%}, stolen {run['stolen']:.0%}), attempt {attempt + 1}",
              file=sys.stderr)
    raise Unsound(f"disturbed {REPEATS_MAX} times; the last time other processes had {run['foreign']:.0%} "
                  f"of the server's core, the host {run['stolen']:.0%}")


def start_figures(binary, folder, broker):
    """Start to ready in ms, median of 10; resident bytes 2 s after the start; stripped size."""
    figures = {}
    for mode, address in (("kafka", broker.address), ("standalone", None)):
        times = []
        for i in range(10):
            server = processes.Headrace(binary, folder / "start", SERVER_CORE, address)
            times.append(server.ready_seconds * 1000)
            if i == 9:
                time.sleep(2)
                figures[f"idle_rss_mib_{mode}"] = machine.resident_bytes(server.pid) / 2 ** 20
            server.stop()
        figures[f"start_to_ready_ms_{mode}"] = statistics.median(times)
    stripped = folder / "stripped"
    subprocess.run(["strip", "-o", stripped, binary], check=True)
    figures["stripped_mib"] = stripped.stat().st_size / 2 ** 20
    stripped.unlink()
    return figures


def summary(runs):
    values = sorted(r["us_per_event"] for r in runs)
    middle = statistics.median_low(values)
    chosen = next(r for r in runs if r["us_per_event"] == middle)
    return chosen | {"us_per_event_all": values, "spread": (values[-1] - values[0]) / middle}


def environment(binary):
    model = next((l.split(":")[1].strip() for l in Path("/proc/cpuinfo").read_text().splitlines()
                  if l.startswith("model name")), "unknown")
    version = subprocess.run([binary, "--version"], capture_output=True, text=True).stdout.strip()
    commit = subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"], capture_output=True, text=True)
    packages = subprocess.run(["dpkg-query", "-W", "-f", "${Package} ${Version}\n", "librdkafka1", "libsimdjson14",
                               "libjemalloc2", "libisal2", "nginx-light", "wrk"], capture_output=True, text=True)
    return {"binary": str(binary), "cpu": model, "cores": os.cpu_count(), "kernel": os.uname().release, "version": version,
            "commit": commit.stdout.strip(), "packages": packages.stdout.split("\n")[:-1],
            "load_average_at_start": os.getloadavg()[0]}


def print_table(results, problems, start):
    print(f"\n{'CPU-us per event':<38}{'median':>7} {'low-high':>13} {'target':>7} {'user':>5} {'worker':>7} {'deliv.':>7} "
          f"{'rdkafka':>7} {'req/s':>8} {'core0':>6} {'core1':>6} {'p50 ms':>7} {'p99 ms':>7} {'others':>6} {'load':>5}")
    for (mode, name), runs in results.items():
        if (mode, name) in problems:
            print(f"{mode + ': ' + name:<38} no figure: {problems[mode, name]}")
            continue
        r = summary(runs)
        parts = r["us_per_event_by_role"]
        target = TARGETS_US[name] if mode == "kafka" else ""
        low, high = r["us_per_event_all"][0], r["us_per_event_all"][-1]
        print(f"{mode + ': ' + name:<38}{r['us_per_event']:>7.2f} {f'{low:.2f}-{high:.2f}':>13} {target:>7} {r['user_share']:>5.0%} "
              f"{parts.get('worker', 0):>7.2f} {parts.get('delivery', 0):>7.2f} {parts.get('librdkafka', 0):>7.2f} "
              f"{r['requests_per_second']:>8.0f} {r['server_core_busy']:>6.0%} {r['load_core_busy']:>6.0%} "
              f"{r['p50_ms']:>7.1f} {r['p99_ms']:>7.1f} {r['foreign']:>6.0%} {r['load_average']:>5.1f}")
    if start:
        print(f"\nidle RSS {start['idle_rss_mib_kafka']:.1f} MiB with Kafka, {start['idle_rss_mib_standalone']:.1f} MiB standalone "
              f"(target 30); start to ready {start['start_to_ready_ms_kafka']:.0f} ms with Kafka, "
              f"{start['start_to_ready_ms_standalone']:.0f} ms standalone (target 100, median of 10); "
              f"stripped binary {start['stripped_mib']:.1f} MiB (target 15)")


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--binary", type=Path, default=ROOT / "build/release/headrace")
    options.add_argument("--jars", type=Path, required=True)
    options.add_argument("--seconds", type=int, default=8)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", default="", help="cases whose 'mode: name' contains this text; no start figures")
    options.add_argument("--foreign-max", type=float, default=12,
                         help="percent of the server's core that others may use before a run is repeated")
    options.add_argument("--nice", type=int, default=0, help="niceness of broker, server and load")
    asked = options.parse_args()
    os.nice(asked.nice)
    folder = ROOT / "build/bench"
    sizes = bodies.prepare(folder / "bodies")
    print(f"bodies: {', '.join(f'{k} {v} bytes' for k, v in sizes.items())}; {asked.rounds} rounds of {asked.seconds} s; "
          f"load average {os.getloadavg()[0]:.1f}")
    modes = ("kafka", "standalone", "nginx")
    cases = [(m, n) for m in modes for n in LOADS
             if asked.only in f"{m}: {n}" and not (m == "nginx" and "gzip" in n)]
    results, problems, start = {c: [] for c in cases}, {}, {}
    broker = processes.Broker(folder / f"kafka-{os.getpid()}", asked.jars)
    running = {}
    try:
        if not asked.only:
            start = start_figures(asked.binary, folder, broker)
        running["kafka"] = processes.Headrace(asked.binary, folder / "run-kafka", SERVER_CORE, broker.address)
        running["nginx"] = processes.Nginx(folder / "run-nginx", SERVER_CORE)
        for turn in range(asked.rounds):
            for mode, name in cases:
                if (mode, name) in problems:
                    continue
                server = running.get(mode) or processes.Headrace(asked.binary, folder / "run-standalone", SERVER_CORE)
                try:
                    run = quiet_measure(asked.foreign_max / 100, server, name, asked.seconds, folder / "bodies", broker if mode == "kafka" else None)
                    results[mode, name].append(run)
                    print(f"  round {turn + 1} {mode}: {name}: {run['us_per_event']:.2f} us", file=sys.stderr)
                except Unsound as why:
                    problems[mode, name] = str(why)
                    print(f"  round {turn + 1} {mode}: {name}: {why}", file=sys.stderr)
                finally:
                    if mode == "standalone":
                        server.stop()        # with its store, which only grows
    finally:
        for server in running.values():
            server.stop()
        broker.stop()
    for case, runs in results.items():
        if case not in problems and len(runs) < 3:
            problems[case] = f"{len(runs)} runs are too few, 3 are needed"
    print_table(results, problems, start)
    document = {"environment": environment(asked.binary), "bodies": sizes, "seconds": asked.seconds, "start": start,
                "cases": [{"mode": m, "load": n, "runs": r, "problem": problems.get((m, n))} for (m, n), r in results.items()]}
    (folder / "targets.json").write_text(json.dumps(document, indent=1) + "\n")
    print(f"written: {folder / 'targets.json'}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
